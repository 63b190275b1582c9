/* SPDX-License-Identifier: MIT */
#include "conn.h"

/* Among those that are due at the same time the first goes first: who ends the connection. */
enum { TIMER_NONE, TIMER_HANDSHAKE, TIMER_CLOSE, TIMER_STALL, TIMER_PONG, TIMER_IDLE, TIMER_PING, TIMERS };

/* Where the config has how long it runs, what stands there for 0 (0: it is off), and
 * where the connection has when it began. */
typedef struct timer {
    uint16_t ms;
    uint16_t standard;
    uint16_t start;
} timer;

#define TIMER(ms, standard, start) {offsetof(tenon_config, ms), standard, offsetof(tenon_conn, start)}

static const timer timers[TIMERS - 1] = {
    TIMER(handshake_ms, 10000, since), TIMER(close_ms, 5000, since), TIMER(stall_ms, 60000, stall),
    TIMER(pong_ms, 20000, since),      TIMER(idle_ms, 0, life),      TIMER(ping_ms, 0, due)};

/* When it is due; TENON_NEVER if it is off. */
static uint64_t deadline_of(const tenon_conn *conn, int which)
{
    const timer *t = &timers[which - 1];
    uint64_t start;
    uint32_t ms;
    memcpy(&ms, (const uint8_t *)conn->config + t->ms, sizeof ms);
    memcpy(&start, (const uint8_t *)conn + t->start, sizeof start);
    if (ms == 0)
        ms = t->standard;
    if (ms == 0 || ms == TENON_OFF || TENON_NEVER - start < ms)
        return TENON_NEVER;
    return start + ms;
}

static int has_passed(const tenon_conn *conn, uint64_t at)
{
    return at != TENON_NEVER && at <= conn->now;
}

static int is_ending(const tenon_conn *conn)
{
    return conn->phase == TENON_PHASE_DRAIN || conn->phase == TENON_PHASE_BODY ||
           (conn->bits & BIT_CLOSE_SENT) != 0;
}

/* A deadline in the past that nothing but a tx can end would keep a loop from
 * waiting; so then there is a want instead of a deadline. */
int tenon_timer_ping_waits(const tenon_conn *conn)
{
    return conn->queue.size == 0 && conn->phase == TENON_PHASE_FRAMES && !is_ending(conn) &&
           has_passed(conn, deadline_of(conn, TIMER_PING));
}

int tenon_timer_rests(const tenon_conn *conn)
{
    return (conn->bits & BIT_WANTS_RX) != 0 &&
           (conn->in_left > 0 || (conn->deflate & (DEFLATE_STAGED | DEFLATE_WANTS_INFLATE)) != 0);
}

/* Those that run, bit by bit. None does before the first tick, nor while the connection
 * waits for memory: nothing could be done about it. */
static unsigned running(const tenon_conn *conn)
{
    unsigned set = 0;
    if ((conn->bits & BIT_TICKED) == 0 || tenon_timer_rests(conn) || conn->phase >= TENON_PHASE_END)
        return 0;
    if (conn->bits & BIT_STALL)
        set |= 1u << TIMER_STALL;
    if (conn->phase == TENON_PHASE_HEAD || conn->phase == TENON_PHASE_DECIDE)
        set |= 1u << TIMER_HANDSHAKE;
    if (is_ending(conn))
        return set | 1u << TIMER_CLOSE;
    /* Who keeps an event does not read, and must not conclude anything from silence. */
    if (conn->phase != TENON_PHASE_FRAMES || (conn->bits & BIT_AGAIN) != 0)
        return set;
    if (conn->bits & BIT_PONG_WAIT)
        set |= 1u << TIMER_PONG;
    if (TENON_GLANCE(conn->config->ping_ms != 0) && (conn->bits & BIT_PING_QUEUED) == 0 && !tenon_timer_ping_waits(conn))
        set |= 1u << TIMER_PING;
    if (TENON_GLANCE(conn->config->idle_ms != 0))
        set |= 1u << TIMER_IDLE;
    return set;
}

/* The timer that is due first, and when. */
static int earliest(const tenon_conn *conn, uint64_t *when)
{
    unsigned set = running(conn);
    int which, best = TIMER_NONE;
    *when = TENON_NEVER;
    for (which = 1; set >> which != 0; which++) {
        uint64_t at = set >> which & 1 ? deadline_of(conn, which) : TENON_NEVER;
        if (at < *when) {
            *when = at;
            best = which;
        }
    }
    return best;
}

uint64_t tenon_deadline(const tenon_conn *conn)
{
    uint64_t when = TENON_NEVER;
    if (conn != NULL)
        earliest(conn, &when);
    return when;
}

int tenon_timer_due(const tenon_conn *conn)
{
    uint64_t when;
    int which = earliest(conn, &when);
    return when <= conn->now ? which : TIMER_NONE; /* none is due at TENON_NEVER */
}

/* A Ping of our own, unless there is no room; then the next one is due as usual. */
static void ping_due(tenon_conn *conn)
{
    conn->due = conn->now;
    tenon_send_ping(conn);
}

int tenon_timer_fire(tenon_conn *conn)
{
    int which = tenon_timer_due(conn);
    switch (which) {
    case TIMER_NONE:
        return 0;
    case TIMER_HANDSHAKE:
        conn->config->handshake->timeout(conn);
        break;
    case TIMER_CLOSE:
        tenon_conn_break(conn, TENON_RULE_CLOSE_TIMEOUT);
        break;
    case TIMER_STALL:
        tenon_conn_break(conn, TENON_RULE_STALL_TIMEOUT);
        break;
    case TIMER_PONG:
        tenon_conn_break(conn, TENON_RULE_PONG_TIMEOUT);
        break;
    case TIMER_IDLE:
        tenon_conn_fail(conn, TENON_RULE_IDLE_TIMEOUT, conn->offset);
        break;
    default:
        ping_due(conn);
        break;
    }
    return 1;
}

/* While an event is kept, or memory is waited for, nobody reads: what silence there was
 * begins anew. */
static void begin_anew(tenon_conn *conn)
{
    conn->life = conn->now;
    if (conn->bits & BIT_PONG_WAIT)
        conn->since = conn->now;
}

int tenon_tick(tenon_conn *conn, uint64_t now_ms)
{
    if (conn == NULL)
        return TENON_ERR_NULL;
    if ((conn->bits & BIT_TICKED) == 0) {
        conn->bits |= BIT_TICKED;
        conn->now = now_ms;
        conn->since = conn->life = conn->due = conn->stall = now_ms;
    } else if (now_ms > conn->now) {
        conn->now = now_ms;
        conn->controls = 0;
        if ((conn->bits & BIT_AGAIN) != 0 || tenon_timer_rests(conn))
            begin_anew(conn);
    }
    return TENON_OK;
}

void tenon_timer_output(tenon_conn *conn)
{
    if (conn->queue.pending == 0) {
        conn->bits &= ~BIT_STALL;
    } else if ((conn->bits & BIT_STALL) == 0) {
        conn->bits |= BIT_STALL;
        conn->stall = conn->now;
    }
}
