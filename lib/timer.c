/* SPDX-License-Identifier: MIT */
#include "conn.h"

enum { TIMER_NONE, TIMER_HANDSHAKE, TIMER_CLOSE, TIMER_STALL, TIMER_PONG, TIMER_IDLE, TIMER_PING };

typedef struct timer {
    uint64_t at;
    int which;
} timer;

/* Takes the timer that started at start, if it is on and earlier than the best so
 * far. Among equals the first asked wins: the one that ends the connection. */
static void consider(timer *best, int which, uint64_t start, uint32_t ms)
{
    uint64_t at = UINT64_MAX - start < ms ? UINT64_MAX : start + ms;
    if (ms == TENON_OFF || at >= best->at)
        return;
    best->at = at;
    best->which = which;
}

static uint32_t off_by_default(uint32_t ms)
{
    return tenon_limit(ms, TENON_OFF);
}

static int is_ending(const tenon_conn *conn)
{
    return conn->phase == TENON_PHASE_DRAIN || conn->phase == TENON_PHASE_BODY ||
           (conn->bits & BIT_CLOSE_SENT) != 0;
}

static void consider_open(const tenon_conn *conn, timer *best)
{
    const tenon_config *config = conn->config;
    if (conn->bits & BIT_PONG_WAIT)
        consider(best, TIMER_PONG, conn->since, tenon_limit(config->pong_ms, 20000));
    consider(best, TIMER_IDLE, conn->life, off_by_default(config->idle_ms));
    if (config->ping_ms != 0 && (conn->bits & BIT_PING_QUEUED) == 0 && !tenon_timer_ping_waits(conn))
        consider(best, TIMER_PING, conn->due, off_by_default(config->ping_ms));
}

/* A deadline in the past that nothing but a tx can end would keep a loop from
 * waiting; so then there is a want instead of a deadline. */
int tenon_timer_ping_waits(const tenon_conn *conn)
{
    timer ping = {TENON_NEVER, TIMER_NONE};
    if (conn->queue.size > 0 || conn->phase != TENON_PHASE_FRAMES || is_ending(conn))
        return 0;
    consider(&ping, TIMER_PING, conn->due, off_by_default(conn->config->ping_ms));
    return ping.which == TIMER_PING && ping.at <= conn->now;
}

int tenon_timer_rests(const tenon_conn *conn)
{
    return (conn->bits & BIT_WANTS_RX) != 0 &&
           (conn->in_left > 0 || (conn->deflate & (DEFLATE_STAGED | DEFLATE_WANTS_INFLATE)) != 0);
}

/* The timer that is due first. None runs before the first tick, nor while the
 * connection waits for memory: nothing could be done about it. */
static timer earliest(const tenon_conn *conn)
{
    const tenon_config *config = conn->config;
    timer best = {TENON_NEVER, TIMER_NONE};
    if ((conn->bits & BIT_TICKED) == 0 || tenon_timer_rests(conn) || conn->phase >= TENON_PHASE_END)
        return best;
    if (conn->phase == TENON_PHASE_HEAD || conn->phase == TENON_PHASE_DECIDE)
        consider(&best, TIMER_HANDSHAKE, conn->since, tenon_limit(config->handshake_ms, 10000));
    if (is_ending(conn))
        consider(&best, TIMER_CLOSE, conn->since, tenon_limit(config->close_ms, 5000));
    if (conn->bits & BIT_STALL)
        consider(&best, TIMER_STALL, conn->stall, tenon_limit(config->stall_ms, 60000));
    /* Who keeps an event does not read, and must not conclude anything from silence. */
    if (conn->phase == TENON_PHASE_FRAMES && !is_ending(conn) && (conn->bits & BIT_AGAIN) == 0)
        consider_open(conn, &best);
    return best;
}

uint64_t tenon_deadline(const tenon_conn *conn)
{
    return conn == NULL ? TENON_NEVER : earliest(conn).at;
}

int tenon_timer_due(const tenon_conn *conn)
{
    timer first = earliest(conn);
    return first.which != TIMER_NONE && first.at <= conn->now;
}

static void close_now(tenon_conn *conn, uint16_t rule)
{
    tenon_conn_fault(conn, rule, conn->offset, TENON_LOCAL);
    tenon_conn_end(conn);
}

/* A Ping of our own, unless there is no room; then the next one is due as usual. */
static void ping_due(tenon_conn *conn)
{
    conn->due = conn->now;
    tenon_send_ping(conn);
}

int tenon_timer_fire(tenon_conn *conn)
{
    timer first = earliest(conn);
    if (first.which == TIMER_NONE || first.at > conn->now)
        return 0;
    switch (first.which) {
    case TIMER_HANDSHAKE:
        conn->config->handshake->timeout(conn);
        break;
    case TIMER_CLOSE:
        close_now(conn, TENON_RULE_CLOSE_TIMEOUT);
        break;
    case TIMER_STALL:
        close_now(conn, TENON_RULE_STALL_TIMEOUT);
        break;
    case TIMER_PONG:
        close_now(conn, TENON_RULE_PONG_TIMEOUT);
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

int tenon_tick(tenon_conn *conn, uint64_t now_ms)
{
    if (conn == NULL)
        return TENON_ERR_NULL;
    if ((conn->bits & BIT_TICKED) == 0) {
        conn->bits |= BIT_TICKED;
        conn->now = now_ms;
        conn->since = conn->life = conn->due = conn->ping = conn->stall = now_ms;
    } else if (now_ms > conn->now) {
        conn->now = now_ms;
        conn->controls = 0;
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
