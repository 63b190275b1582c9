/* SPDX-License-Identifier: MIT */
#include "conn.h"

TENON_STATIC_ASSERT(conn_fits, sizeof(tenon_conn) <= TENON_STORAGE_SIZE);
TENON_STATIC_ASSERT(storage_is_exact, sizeof(tenon_storage) == TENON_STORAGE_SIZE);
TENON_STATIC_ASSERT(event_is_64, sizeof(tenon_event) == 64);
TENON_STATIC_ASSERT(reserve_holds_control, TENON_RX_RESERVE >= TENON_CONTROL_MAX && TENON_RX_MIN > TENON_RX_RESERVE);

/* Where a connection may begin: a multiple of the offset that follows one octet. */
struct alignment {
    char octet;
    tenon_conn conn;
};

/* --------------------------------------------------------------- making one */

size_t tenon_conn_size(void)
{
    return sizeof(tenon_conn);
}

int tenon_config_open(tenon_config *config, size_t size, int role)
{
    if (config == NULL)
        return TENON_ERR_NULL;
    if (size < TENON_CONFIG_LEAST)
        return TENON_ERR_SIZE;
    if (role != TENON_SERVER && role != TENON_CLIENT)
        return TENON_ERR_ARG;
    config->size = tenon_clear(config, size, sizeof *config);
    config->role = (uint32_t)role;
    return TENON_OK;
}

int tenon_init(void *memory, size_t size, const tenon_config *config, tenon_conn **conn)
{
    tenon_conn *c = (tenon_conn *)memory;
    if (memory == NULL || config == NULL || conn == NULL)
        return TENON_ERR_NULL;
    if (size < sizeof *c || (uintptr_t)memory % offsetof(struct alignment, conn) != 0 ||
        config->size < TENON_CONFIG_LEAST)
        return TENON_ERR_SIZE;
    if (config->role != TENON_SERVER && config->role != TENON_CLIENT)
        return TENON_ERR_ARG;
    if (config->role == TENON_CLIENT && config->random == NULL)
        return TENON_ERR_RANDOM;
    memset(c, 0, sizeof *c);
    c->config = config;
    *conn = c;
    if (config->role == TENON_SERVER)
        c->bits |= BIT_SERVER;
    c->phase = TENON_PHASE_OPENING;
    if (config->handshake != NULL) {
        c->phase = TENON_PHASE_HEAD;
        config->handshake->begin(c);
    }
    return TENON_OK;
}

/* ----------------------------------------------------------------- buffers */

static int in_frames(const tenon_conn *conn)
{
    return conn->phase == TENON_PHASE_FRAMES;
}

/* Octets at the start of rx that are in use. */
static size_t rx_used(const tenon_conn *conn)
{
    size_t reason = conn->reason_size > 0 ? 2u + conn->reason_size : 0;
    if (conn->phase < TENON_PHASE_FRAMES)
        return conn->held;
    if (conn->held > 0)
        return TENON_RX_RESERVE + conn->held;
    if (in_frames(conn) && conn->inside == INSIDE_BEGUN && (conn->u.frame.header.first & 0x08) != 0)
        return TENON_RX_RESERVE; /* a control frame in pieces */
    return reason;
}

/* Whether rx may become this one. */
static TENON_SMALL_INLINE int check_rx(const tenon_conn *conn, const void *rx, size_t size)
{
    if (rx == NULL && size > 0)
        return TENON_ERR_NULL;
    if (size < TENON_RX_MIN && rx != NULL)
        return TENON_ERR_SIZE;
    if (conn->bits & (BIT_IN_RX | BIT_HEAD))
        return TENON_ERR_BUSY;
    if (size >= rx_used(conn))
        return TENON_OK;
    return rx == NULL ? TENON_ERR_BUSY : TENON_ERR_SIZE;
}

static TENON_SMALL_INLINE void set_rx(tenon_conn *conn, uint8_t *rx, size_t size)
{
    size_t used = rx_used(conn);
    if (used > 0)
        memmove(rx, conn->rx, used);
    conn->rx = rx;
    conn->room = rx == NULL ? 0 : (size > UINT32_MAX ? UINT32_MAX : (uint32_t)size) - TENON_RX_RESERVE;
    conn->bits &= ~BIT_WANTS_RX;
}

static TENON_SMALL_INLINE int check_tx(const tenon_conn *conn, const void *tx, size_t size)
{
    uint32_t waiting = BIT_REF | BIT_PONG_PENDING | BIT_CLOSE_PENDING;
    if (tx == NULL && size > 0)
        return TENON_ERR_NULL;
    if (size < TENON_TX_MIN && tx != NULL)
        return TENON_ERR_SIZE;
    if (conn->queue.used > 0 || (conn->queue.size > 0 && (conn->bits & waiting) != 0))
        return TENON_ERR_BUSY;
    return TENON_OK;
}

static TENON_SMALL_INLINE void set_tx(tenon_conn *conn, uint8_t *tx, size_t size)
{
    size_t ring = tx == NULL ? 0 : size - TENON_TX_RESERVE;
    tenon_queue_init(&conn->queue, tx, ring > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uint32_t)ring);
    if (tx != NULL && conn->want_room > conn->queue.size)
        conn->want_room = conn->queue.size; /* WRITABLE comes, and the next try tells TOO_BIG */
    tenon_send_waiting(conn);
}

int tenon_lend_rx(tenon_conn *conn, void *rx, size_t size)
{
    int status = conn == NULL ? TENON_ERR_NULL : check_rx(conn, rx, size);
    if (status == TENON_OK)
        set_rx(conn, (uint8_t *)rx, size);
    return status;
}

int tenon_lend_tx(tenon_conn *conn, void *tx, size_t size)
{
    int status = conn == NULL ? TENON_ERR_NULL : check_tx(conn, tx, size);
    if (status == TENON_OK)
        set_tx(conn, (uint8_t *)tx, size);
    return status;
}

int tenon_lend(tenon_conn *conn, void *rx, size_t rx_size, void *tx, size_t tx_size)
{
    int status = conn == NULL ? TENON_ERR_NULL : check_rx(conn, rx, rx_size);
    if (status == TENON_OK)
        status = check_tx(conn, tx, tx_size);
    if (status != TENON_OK)
        return status;
    set_rx(conn, (uint8_t *)rx, rx_size);
    set_tx(conn, (uint8_t *)tx, tx_size);
    return TENON_OK;
}

size_t tenon_rx_needed(const tenon_conn *conn)
{
    return conn == NULL ? 0 : tenon_recv_needed(conn);
}

int tenon_lend_stats(tenon_conn *conn, tenon_stats *stats)
{
    if (conn == NULL)
        return TENON_ERR_NULL;
    if (stats != NULL && stats->size < TENON_STATS_LEAST)
        return TENON_ERR_SIZE;
    conn->stats = stats;
    return TENON_OK;
}

int tenon_grant(tenon_conn *conn, uint32_t rsv_first, uint32_t rsv_next, uint32_t flags)
{
    uint32_t known = TENON_RSV1 | TENON_RSV2 | TENON_RSV3;
    if (conn == NULL)
        return TENON_ERR_NULL;
    if (((rsv_first | rsv_next) & ~known) != 0 || (flags & ~TENON_OPAQUE) != 0)
        return TENON_ERR_ARG;
    if (conn->phase != TENON_PHASE_DECIDE && conn->phase != TENON_PHASE_OPENING)
        return TENON_ERR_STATE;
    if ((conn->deflate & DEFLATE_ON) != 0 && ((rsv_first | rsv_next) & TENON_RSV1) != 0)
        return TENON_ERR_STATE; /* one owner for a bit (RFC 7692, 5) */
    conn->rsv_first = (uint8_t)(rsv_first | (conn->deflate & DEFLATE_ON ? TENON_RSV1 : 0u));
    conn->rsv_next = (uint8_t)rsv_next;
    conn->bits &= ~BIT_OPAQUE;
    if (flags & TENON_OPAQUE)
        conn->bits |= BIT_OPAQUE;
    return TENON_OK;
}

/* ------------------------------------------------------------------- state */

int tenon_state(const tenon_conn *conn)
{
    if (conn == NULL || conn->phase >= TENON_PHASE_END)
        return TENON_CLOSED;
    if (conn->phase >= TENON_PHASE_BODY)
        return TENON_CLOSING;
    if (conn->phase < TENON_PHASE_OPENING)
        return TENON_CONNECTING;
    return (conn->bits & (BIT_FAILED | BIT_CLOSE_ASKED)) != 0 ? TENON_CLOSING : TENON_OPEN;
}

static int is_flushed(const tenon_conn *conn)
{
    return conn->queue.pending == 0 && (conn->bits & (BIT_REF | BIT_PONG_PENDING | BIT_CLOSE_PENDING)) == 0;
}

static int is_clean(const tenon_conn *conn)
{
    uint32_t both = BIT_CLOSE_GONE | BIT_CLOSE_RECEIVED;
    return (conn->bits & both) == both;
}

/* After both Close frames the server closes at once; everything else waits for the
 * peer to end the stream, or for the close timeout (RFC 6455, 7.1.1). */
static int is_over(const tenon_conn *conn)
{
    uint32_t served = BIT_SERVER | BIT_CLOSE_GONE | BIT_CLOSE_RECEIVED;
    if (conn->phase != TENON_PHASE_DRAIN || !is_flushed(conn))
        return 0;
    return (conn->bits & BIT_EOF) != 0 || (conn->bits & (served | BIT_FAILED)) == served;
}

static int is_writable(const tenon_conn *conn)
{
    return conn->want_room > 0 && (conn->deflate & DEFLATE_WANTS_DEFLATE) == 0 &&
           (conn->bits & (BIT_REF | BIT_PONG_PENDING)) == 0 && tenon_queue_room(&conn->queue) >= conn->want_room;
}

/* Whether it goes on with octets that are not here: when the current event is left. Those
 * that were taken back may come again with more of them, which then need no rx. */
static int wants_input(const tenon_conn *conn)
{
    if ((conn->bits & BIT_EOF) != 0 || conn->in_left > 0 || tenon_timer_rests(conn))
        return 0;
    return conn->phase == TENON_PHASE_HEAD || conn->phase == TENON_PHASE_FRAMES || conn->phase == TENON_PHASE_BODY ||
           conn->phase == TENON_PHASE_DRAIN;
}

/* Whether there are octets to work on: lent, or taken in to be inflated. */
static int has_input(const tenon_conn *conn)
{
    return conn->in_left > 0 || (conn->deflate & DEFLATE_STAGED) != 0;
}

/* Whether tenon_next would find something, by what is cheap to see, besides what comes
 * with more input. */
static int wants_next(const tenon_conn *conn)
{
    if (conn->phase == TENON_PHASE_OPENING || conn->phase == TENON_PHASE_END || (conn->bits & BIT_AGAIN) != 0)
        return 1;
    if (conn->queue.done > 0 || is_writable(conn) || (conn->bits & BIT_BAD_TEXT) != 0)
        return 1;
    if (conn->phase == TENON_PHASE_BODY && conn->u.body_left == 0)
        return 1;
    if (is_over(conn) || ((conn->bits & BIT_EOF) != 0 && !has_input(conn) && conn->phase != TENON_PHASE_DRAIN))
        return 1;
    if (has_input(conn) && conn->phase != TENON_PHASE_DECIDE && (conn->bits & BIT_WANTS_RX) == 0)
        return 1;
    return tenon_timer_due(conn);
}

static int wants_tx(const tenon_conn *conn)
{
    return conn->queue.size == 0 && ((conn->bits & (BIT_REF | BIT_CLOSE_PENDING)) != 0 || conn->want_room > 0 ||
                                     tenon_timer_ping_waits(conn));
}

static int wants_shut(const tenon_conn *conn)
{
    return conn->phase == TENON_PHASE_DRAIN && is_flushed(conn) &&
           (conn->bits & (BIT_WRITES_OVER | BIT_SHUT)) == BIT_WRITES_OVER;
}

uint32_t tenon_wants(const tenon_conn *conn)
{
    uint32_t wants = 0;
    if (conn == NULL)
        return 0;
    if (conn->phase == TENON_PHASE_DEAD)
        return TENON_WANTS_CLOSE;
    if (wants_input(conn))
        wants |= conn->bits & BIT_EVENT ? TENON_WANTS_NEXT : TENON_WANTS_READ;
    if (conn->queue.pending > 0)
        wants |= TENON_WANTS_WRITE;
    if (conn->bits & BIT_WANTS_RX)
        wants |= conn->deflate & DEFLATE_WANTS_INFLATE ? TENON_WANTS_INFLATE : TENON_WANTS_RX;
    if (conn->deflate & DEFLATE_ON)
        wants |= conn->config->transform->wants(conn);
    if (wants_tx(conn))
        wants |= TENON_WANTS_TX;
    if (conn->phase == TENON_PHASE_DECIDE)
        wants |= TENON_WANTS_DECISION;
    if (wants_shut(conn))
        wants |= TENON_WANTS_SHUT_WR;
    if (wants_next(conn))
        wants |= TENON_WANTS_NEXT;
    return wants;
}

int tenon_shut(tenon_conn *conn)
{
    if (conn == NULL)
        return TENON_ERR_NULL;
    conn->bits |= BIT_SHUT;
    return TENON_OK;
}

int tenon_guard(tenon_conn *conn, int on)
{
    if (conn == NULL)
        return TENON_ERR_NULL;
    if (on && (conn->bits & BIT_RUNNING) != 0)
        return TENON_ERR_REENTRY;
    conn->bits = on ? conn->bits | BIT_RUNNING : conn->bits & ~BIT_RUNNING;
    return TENON_OK;
}

#if TENON_SMALL
void tenon_conn_count(tenon_conn *conn, size_t which, size_t n)
{
    tenon_stats_add(conn->stats, which, n);
}

void tenon_conn_count_one(tenon_conn *conn, size_t which)
{
    tenon_conn_count(conn, which, 1);
}
#endif

#if TENON_SMALL
int tenon_conn_checks(const tenon_conn *conn, uint32_t rsv)
{
    return tenon_checks_text(conn, rsv);
}
#endif

/* ------------------------------------------------------------------- input */

static TENON_SMALL_INLINE int lend_input(tenon_conn *conn, uint8_t *data, size_t n, uint32_t constant)
{
    if (conn == NULL || (data == NULL && n > 0))
        return TENON_ERR_NULL;
    if (conn->bits & BIT_RUNNING)
        return TENON_ERR_REENTRY;
    if ((conn->bits & BIT_EOF) != 0 || conn->phase >= TENON_PHASE_END)
        return TENON_ERR_STATE;
    if (conn->in_left > 0 || (conn->bits & BIT_IN_LENT) != 0)
        return TENON_ERR_BUSY;
    if (n == 0)
        return TENON_OK;
    conn->in = data;
    conn->in_left = n;
    conn->bits = (conn->bits & ~(BIT_CONST | BIT_PONG_WAIT)) | constant;
    conn->life = conn->now;
    return TENON_OK;
}

int tenon_recv(tenon_conn *conn, void *data, size_t n)
{
    return lend_input(conn, (uint8_t *)data, n, 0);
}

int tenon_recv_const(tenon_conn *conn, const void *data, size_t n)
{
    union {
        const void *lent;
        uint8_t *kept;
    } pointer; /* BIT_CONST keeps anyone from writing through it */
    pointer.lent = data;
    return lend_input(conn, pointer.kept, n, BIT_CONST);
}

int tenon_unlend(tenon_conn *conn, const void **rest, size_t *n)
{
    if (conn == NULL || rest == NULL || n == NULL)
        return TENON_ERR_NULL;
    if (conn->bits & BIT_RUNNING)
        return TENON_ERR_REENTRY;
    if (conn->bits & BIT_IN_LENT)
        return TENON_ERR_BUSY;
    *rest = conn->in;
    *n = conn->in_left;
    conn->in_left = 0;
    return TENON_OK;
}

int tenon_eof(tenon_conn *conn)
{
    if (conn == NULL)
        return TENON_ERR_NULL;
    conn->bits |= BIT_EOF;
    return TENON_OK;
}

void tenon_conn_consume(tenon_conn *conn, size_t n)
{
    conn->in += n;
    conn->in_left -= n;
    conn->offset += n;
    tenon_conn_count(conn, STAT(octets_in), n);
}

/* ------------------------------------------------------------------ output */

int tenon_out(tenon_conn *conn, tenon_iov *iov, size_t max, size_t *count)
{
    if (conn == NULL || count == NULL || (iov == NULL && max > 0))
        return TENON_ERR_NULL;
    *count = tenon_queue_out(&conn->queue, iov, max);
    return TENON_OK;
}

/* The own Ping or Close that was in the queue is out, if there was one. */
static void mark_passed(tenon_conn *conn)
{
    if (conn->bits & BIT_PING_QUEUED) {
        if ((conn->bits & BIT_PONG_WAIT) == 0)
            conn->since = conn->now; /* a later Ping does not prolong the wait */
        conn->bits = (conn->bits & ~BIT_PING_QUEUED) | BIT_PING_SENT | BIT_PONG_WAIT;
        conn->ping = conn->now;
    }
    if ((conn->bits & (BIT_CLOSE_SENT | BIT_CLOSE_GONE)) == BIT_CLOSE_SENT) {
        conn->bits |= BIT_CLOSE_GONE;
        conn->since = conn->now; /* tenon_close may have come long after the last tick */
    }
}

int tenon_sent(tenon_conn *conn, size_t n)
{
    int status = conn == NULL ? TENON_ERR_NULL : tenon_queue_sent(&conn->queue, n);
    if (status != TENON_OK || n == 0)
        return status;
    conn->stall = conn->now;
    tenon_conn_count(conn, STAT(octets_out), n);
    conn->mark = conn->mark > n ? conn->mark - n : 0;
    if (conn->mark == 0)
        mark_passed(conn);
    tenon_send_if_waiting(conn);
    if (conn->queue.done > 0)
        tenon_conn_detain(conn); /* RELEASED comes first */
    tenon_timer_output(conn);
    return TENON_OK;
}

uint64_t tenon_queued(const tenon_conn *conn)
{
    return conn == NULL ? 0 : conn->queue.pending;
}

/* --------------------------------------------------------------- handshake */

int tenon_conn_head(tenon_conn *conn)
{
    const tenon_config *config = conn->config;
    tenon_http1_limits limits;
    size_t used = 0;
    int status;
    if (conn->in_left == 0)
        return TENON_WAIT;
    if (conn->rx == NULL) {
        conn->bits |= BIT_WANTS_RX;
        return TENON_WAIT;
    }
    limits.head = tenon_limit(config->max_head, 16384);
    if (limits.head > conn->room + TENON_RX_RESERVE)
        limits.head = conn->room + TENON_RX_RESERVE;
    limits.target = tenon_limit(config->max_target, 8192);
    limits.headers = tenon_limit(config->max_headers, 100);
    status = tenon_http1_feed(&conn->u.opening.http1, &limits, conn->in, conn->in_left, &used);
    memcpy(conn->rx + conn->held, conn->in, used);
    conn->held += (uint32_t)used;
    tenon_conn_consume(conn, used);
    return status;
}

uint64_t tenon_conn_head_offset(const tenon_conn *conn, const char *at)
{
    if (at == NULL)
        return conn->offset - 1;
    return conn->offset - conn->held + (uint64_t)(at - (const char *)conn->rx);
}

int tenon_conn_head_event(tenon_conn *conn, int type)
{
    tenon_conn_event(conn, type, NULL, 0);
    conn->bits |= BIT_HEAD | BIT_IN_RX;
    return STEP_EVENT;
}

int tenon_head_get(const tenon_conn *conn, tenon_head *head)
{
    if (conn == NULL || head == NULL)
        return TENON_ERR_NULL;
    if ((conn->bits & BIT_HEAD) == 0)
        return TENON_ERR_STATE;
    conn->config->handshake->head(conn, head);
    return TENON_OK;
}

void tenon_conn_open(tenon_conn *conn, tenon_str subprotocol)
{
    conn->phase = TENON_PHASE_OPENING;
    conn->bits |= BIT_HEAD;
    conn->u.opening.subprotocol = subprotocol;
}

/* OPEN was seen: from here on frames. */
static void begin_frames(tenon_conn *conn)
{
    memset(&conn->u.frame, 0, sizeof conn->u.frame);
    conn->phase = TENON_PHASE_FRAMES;
    conn->due = conn->life = conn->now;
}

/* ------------------------------------------------------------------- events */

int tenon_conn_event(tenon_conn *conn, int type, const void *data, size_t n)
{
    conn->event_type = (uint8_t)type;
    conn->event_opcode = 0;
    conn->event_flags = 0;
    conn->event_data = (const uint8_t *)data;
    conn->event_size = n;
    conn->event_u.rtt = 0;
    conn->bits |= BIT_EVENT;
    if (n == 0)
        conn->bits &= ~(BIT_IN_LENT | BIT_IN_RX); /* nothing lies anywhere */
    return STEP_EVENT;
}

/* How it ends, as far as it is known. */
static TENON_SMALL_INLINE void fill_ending(const tenon_conn *conn, tenon_event *event)
{
    event->type = TENON_EV_CLOSED;
    event->cause = conn->cause;
    event->sent_code = conn->sent_code;
    event->received_code = conn->received_code;
    event->code = (conn->bits & BIT_CLOSE_RECEIVED) != 0 ? conn->received_code : (uint16_t)TENON_CLOSE_ABNORMAL;
    if (conn->bits & BIT_FAILED) {
        event->rule = conn->rule;
        event->offset = conn->fault;
    }
    if (is_clean(conn))
        event->flags |= TENON_CLEAN;
    if (conn->reason_size > 0) {
        event->data = conn->rx + 2;
        event->size = conn->reason_size;
    }
}

static TENON_SMALL_INLINE void fill(const tenon_conn *conn, tenon_event *event)
{
    memset(event, 0, sizeof *event);
    event->type = conn->event_type;
    if (event->type == TENON_EV_CLOSED) {
        fill_ending(conn, event);
        return;
    }
    event->flags = conn->event_flags;
    event->opcode = conn->event_opcode;
    event->data = conn->event_data;
    event->size = conn->event_size;
    if (event->type == TENON_EV_DATA) {
        event->offset = conn->event_u.offset;
        event->frame_size = conn->u.frame.header.size;
    }
    if (event->type == TENON_EV_PONG)
        event->rtt_ms = conn->event_u.rtt;
    if (event->type == TENON_EV_CLOSE)
        event->code = event->received_code = conn->received_code;
    if (event->type == TENON_EV_RELEASED)
        event->cookie = conn->event_u.cookie;
}

int tenon_ending(const tenon_conn *conn, tenon_event *event)
{
    if (conn == NULL || event == NULL)
        return TENON_ERR_NULL;
    if (tenon_state(conn) < TENON_CLOSING)
        return TENON_OK;
    memset(event, 0, sizeof *event);
    fill_ending(conn, event);
    return TENON_EVENT;
}

/* The current event is one that next.c told, which notes only what cannot be told
 * from elsewhere: the payload lies before the octets that are left. */
static void keep_lone(tenon_conn *conn)
{
    size_t n = conn->event_size;
    uint8_t opcode = conn->event_opcode;
    tenon_conn_event(conn, TENON_EV_DATA, conn->in - n, n);
    conn->event_opcode = opcode;
    conn->event_u.offset = 0;
    conn->event_flags = TENON_FIRST | TENON_LAST | TENON_FRAME_FIRST | TENON_FRAME_LAST;
    conn->u.frame.header.size = n;
}

int tenon_again(tenon_conn *conn)
{
    if (conn == NULL)
        return TENON_ERR_NULL;
    if ((conn->bits & BIT_EVENT) == 0)
        return TENON_ERR_STATE;
    if (conn->bits & BIT_LONE)
        keep_lone(conn);
    conn->bits &= ~BIT_LONE;
    if (conn->event_type == TENON_EV_CLOSED)
        return TENON_ERR_STATE;
    conn->bits |= BIT_AGAIN;
    return TENON_OK;
}

/* The current event is no longer needed. */
static void leave_event(tenon_conn *conn)
{
    if ((conn->bits & BIT_EVENT) == 0)
        return;
    conn->bits &= ~(BIT_EVENT | BIT_AGAIN | BIT_IN_LENT | BIT_IN_RX);
    if (conn->bits & BIT_LONE) {
        conn->bits &= ~BIT_LONE;
        return;
    }
    if (conn->event_type != TENON_EV_OPEN && conn->event_type != TENON_EV_RESPONSE)
        return;
    conn->bits &= ~BIT_HEAD;
    conn->held = 0;
    if (conn->phase == TENON_PHASE_OPENING)
        begin_frames(conn);
}

/* -------------------------------------------------------------- how it ends */

/* The close code that tells the peer which rule was broken (RFC 6455, 7.4.1). */
static uint16_t close_code(uint16_t rule)
{
    static const uint8_t codes[] = { /* from TENON_RULE_UTF8 on; 0: as for all others */
        TENON_CLOSE_DATA - 1000,   TENON_CLOSE_DATA - 1000,   0, 0, TENON_CLOSE_DATA - 1000, /* to CLOSE_UTF8 */
        TENON_CLOSE_TOO_BIG - 1000, TENON_CLOSE_POLICY - 1000, TENON_CLOSE_POLICY - 1000, 0, /* to CONTROL_FLOOD */
        TENON_CLOSE_DATA - 1000,   TENON_CLOSE_DATA - 1000,   TENON_CLOSE_DATA - 1000,   0, /* to DEFLATE_EMPTY */
        TENON_CLOSE_INTERNAL - 1000};
    if (rule == TENON_RULE_IDLE_TIMEOUT)
        return TENON_CLOSE_GOING_AWAY;
    if (rule < TENON_RULE_UTF8 || codes[rule - TENON_RULE_UTF8] == 0) /* none beyond CODEC but idleness */
        return TENON_CLOSE_PROTOCOL;
    return (uint16_t)(1000 + codes[rule - TENON_RULE_UTF8]);
}

void tenon_conn_blame(tenon_conn *conn, int cause)
{
    if (conn->cause == TENON_CAUSE_NONE)
        conn->cause = (uint8_t)cause;
}

void tenon_conn_fault(tenon_conn *conn, uint16_t rule, uint64_t offset)
{
    if ((conn->bits & BIT_FAILED) != 0 || is_clean(conn))
        return;
    conn->bits |= BIT_FAILED;
    conn->rule = rule;
    conn->fault = offset;
    tenon_conn_blame(conn, TENON_LOCAL);
}

void tenon_conn_drain(tenon_conn *conn)
{
    conn->phase = TENON_PHASE_DRAIN;
    conn->since = conn->now;
    conn->held = 0;
    conn->want_room = 0;
    conn->deflate &= (uint8_t)~DEFLATE_STAGED;
    conn->bits &= ~(BIT_WANTS_RX | BIT_HEAD | BIT_BAD_TEXT | BIT_PING_QUEUED | BIT_PONG_WAIT);
    if (conn->bits & BIT_FAILED)
        conn->bits |= BIT_WRITES_OVER;
}

void tenon_conn_hang_up(tenon_conn *conn, uint16_t code)
{
    tenon_send_cut(conn, 0);
    tenon_conn_drain(conn);
    /* a Close that waits for room stays what it is, as it would if it were out */
    if (code != 0 && (conn->bits & (BIT_CLOSE_SENT | BIT_CLOSE_PENDING)) == 0)
        tenon_send_close(conn, code, 0);
}

void tenon_conn_fail(tenon_conn *conn, uint16_t rule, uint64_t offset)
{
    tenon_conn_fault(conn, rule, offset);
    tenon_conn_hang_up(conn, close_code(rule));
}

void tenon_conn_end(tenon_conn *conn)
{
    if ((conn->bits & BIT_CLOSE_GONE) == 0)
        conn->sent_code = 0; /* perhaps it never left */
    tenon_queue_drop(&conn->queue);
    tenon_conn_drain(conn);
    conn->phase = TENON_PHASE_END;
    conn->in_left = 0;
    conn->bits &= ~(BIT_PONG_PENDING | BIT_CLOSE_PENDING);
}

void tenon_conn_break(tenon_conn *conn, uint16_t rule)
{
    tenon_conn_fault(conn, rule, conn->offset);
    tenon_conn_end(conn);
}

int tenon_abort(tenon_conn *conn, int cause)
{
    if (conn == NULL)
        return TENON_ERR_NULL;
    if (cause != TENON_LOCAL && cause != TENON_REMOTE)
        return TENON_ERR_ARG;
    if (conn->phase == TENON_PHASE_DEAD)
        return TENON_ERR_STATE;
    conn->bits &= ~(BIT_EVENT | BIT_LONE | BIT_AGAIN | BIT_IN_LENT | BIT_IN_RX);
    tenon_conn_blame(conn, cause);
    tenon_conn_break(conn, TENON_RULE_ABORT);
    return TENON_OK;
}

/* The stream ended and all of it was looked at. */
static int eof_step(tenon_conn *conn)
{
    if (conn->phase == TENON_PHASE_DRAIN)
        return STEP_IDLE;
    tenon_conn_blame(conn, TENON_REMOTE);
    tenon_conn_fault(conn, TENON_RULE_EOF, conn->offset);
    if (conn->phase != TENON_PHASE_FRAMES) {
        tenon_conn_end(conn);
        return STEP_AGAIN;
    }
    tenon_send_cut(conn, 0);
    tenon_conn_drain(conn);
    return STEP_AGAIN;
}

/* ----------------------------------------------------------------- the loop */

static int released(tenon_conn *conn, void *cookie)
{
    tenon_conn_event(conn, TENON_EV_RELEASED, NULL, 0);
    conn->event_u.cookie = cookie;
    return STEP_EVENT;
}

static int output_step(tenon_conn *conn)
{
    tenon_send_if_waiting(conn);
    if (conn->phase == TENON_PHASE_OPENING)
        return STEP_IDLE; /* OPEN comes before what sends have brought about */
    if (conn->queue.done > 0)
        return released(conn, tenon_queue_release(&conn->queue));
    if (conn->phase == TENON_PHASE_END && (conn->bits & BIT_REF) != 0) {
        conn->bits &= ~BIT_REF;
        return released(conn, conn->ref_cookie);
    }
    if (is_writable(conn)) {
        conn->want_room = 0;
        return tenon_conn_event(conn, TENON_EV_WRITABLE, NULL, 0);
    }
    return STEP_IDLE;
}

static int opening_step(tenon_conn *conn)
{
    tenon_str subprotocol = conn->u.opening.subprotocol;
    tenon_conn_event(conn, TENON_EV_OPEN, subprotocol.data, subprotocol.size);
    if (conn->bits & BIT_HEAD)
        conn->bits |= BIT_IN_RX;
    return STEP_EVENT;
}

/* What is answered is sent from here, where the stack is not deep. */
static int frames_step(tenon_conn *conn)
{
    int found = tenon_recv_step(conn);
    tenon_send_if_waiting(conn);
    return found;
}

static int input_step(tenon_conn *conn)
{
    conn->bits &= ~BIT_WANTS_RX; /* found anew */
    switch (conn->phase) {
    case TENON_PHASE_HEAD:
    case TENON_PHASE_BODY:
        return conn->config->handshake->step(conn);
    case TENON_PHASE_OPENING:
        return opening_step(conn);
    case TENON_PHASE_FRAMES:
        return frames_step(conn);
    case TENON_PHASE_DRAIN:
        if (conn->in_left > 0)
            tenon_conn_consume(conn, conn->in_left);
        return STEP_IDLE;
    case TENON_PHASE_END:
        conn->phase = TENON_PHASE_DEAD;
        return tenon_conn_event(conn, TENON_EV_CLOSED, NULL, 0);
    default: /* a decision is awaited */
        return STEP_IDLE;
    }
}

/* Nothing can be done with the input: what has ended, and what time demands. */
static int idle_step(tenon_conn *conn)
{
    if (has_input(conn) && conn->phase != TENON_PHASE_DECIDE)
        return STEP_IDLE; /* waits for memory */
    if ((conn->bits & BIT_EOF) != 0 && conn->in_left == 0 && eof_step(conn) == STEP_AGAIN)
        return STEP_AGAIN;
    if (is_over(conn)) {
        tenon_conn_end(conn);
        return STEP_AGAIN;
    }
    return tenon_timer_fire(conn) ? STEP_AGAIN : STEP_IDLE;
}

static int step(tenon_conn *conn)
{
    int found;
    if (conn->phase == TENON_PHASE_DEAD)
        return STEP_IDLE; /* and the counters may be gone */
    tenon_conn_count_one(conn, STAT(steps));
    found = output_step(conn);
    if (found == STEP_IDLE)
        found = input_step(conn);
    return found == STEP_IDLE ? idle_step(conn) : found;
}

/* The kept event again, unless memory comes back before: what is kept may wait for the
 * room that it takes. Or time has ended the connection: 0, and what was kept is dropped;
 * but not a cookie, which comes once. */
static TENON_SMALL_INLINE int tell_again(tenon_conn *conn, tenon_event *event)
{
    if (conn->event_type != TENON_EV_RELEASED) {
        if (tenon_timer_fire(conn))
            return 0;
        if (conn->queue.done > 0) {
            memset(event, 0, sizeof *event);
            event->type = TENON_EV_RELEASED;
            event->cookie = tenon_queue_release(&conn->queue);
            tenon_send_if_waiting(conn); /* it may have the room now, and no step comes here */
            return TENON_EVENT;
        }
    }
    conn->bits &= ~BIT_AGAIN;
    fill(conn, event);
    return TENON_EVENT;
}

int tenon_conn_next(tenon_conn *conn, tenon_event *event)
{
    int found;
    if ((conn->bits & BIT_AGAIN) != 0 && tell_again(conn, event))
        return TENON_EVENT;
    leave_event(conn);
    do {
        found = step(conn);
    } while (found == STEP_AGAIN);
#if !TENON_SMALL
    conn->lone_max = (uint8_t)tenon_recv_lone_max(conn);
#endif
    if (found == STEP_IDLE)
        return TENON_OK;
    fill(conn, event);
    return TENON_EVENT;
}
