/* SPDX-License-Identifier: MIT */
#include "conn.h"

static int is_control(uint8_t first)
{
    return (first & 0x08) != 0;
}

int tenon_recv_whole(const tenon_conn *conn)
{
    return (conn->config->flags & TENON_CHUNKS) == 0;
}

/* After an own Close messages may be of no interest. */
static TENON_SMALL_APART int is_dropped(const tenon_conn *conn)
{
    return (conn->bits & BIT_CLOSE_ASKED) != 0 && (conn->config->flags & TENON_DROP_AFTER_CLOSE) != 0;
}

/* Largest payload the protocol can express; sums stay far from wrapping below it. */
#define PAYLOAD_MAX ((uint64_t)INT64_MAX)

uint64_t tenon_recv_limit(const tenon_conn *conn)
{
    const tenon_config *config = conn->config;
    uint64_t standard = 1u << 20;
    if (config->max_message == TENON_OFF || config->max_message > PAYLOAD_MAX)
        return PAYLOAD_MAX;
    if (config->max_message > 0)
        return config->max_message;
    if (!tenon_recv_whole(conn))
        return PAYLOAD_MAX;
    return conn->room > 0 && conn->room < standard ? conn->room : standard;
}

/* ------------------------------------------------------------- frame headers */

/* Whether so many frames are as many as the limit lets pass. Counts end below TENON_OFF. */
static int reached(uint32_t count, uint32_t limit)
{
    return count >= tenon_limit(limit, 65536);
}

/* What a first octet breaks by its place in the connection; what it breaks by itself is
 * for tenon_header_take to say. */
static TENON_SMALL_INLINE uint16_t judge_first(const tenon_conn *conn, uint8_t first)
{
    const tenon_config *config = conn->config;
    const tenon_message *message = &conn->u.frame.message;
    uint8_t granted = conn->rsv_first; /* what is defined (RFC 6455, 5.2) */
    uint32_t count = 0, limit = 0;
    uint16_t order = TENON_RULE_NONE, beyond = TENON_RULE_CONTROL_FLOOD;
    if (is_control(first)) {
        granted = 0;
        count = conn->controls;
        limit = config->max_control;
    } else if ((first & 0x0f) <= TENON_BINARY) {
        order = tenon_message_order(message, first);
    }
    if ((first & 0x0f) == TENON_CONTINUATION) {
        granted = conn->rsv_next;
        count = message->fragments;
        limit = config->max_fragments;
        beyond = TENON_RULE_FRAGMENTS;
    }
    if (first & 0x70 & ~granted)
        return TENON_RULE_RSV;
    return order == TENON_RULE_NONE && reached(count, limit) ? beyond : order;
}

/* Whether a data frame belongs to a compressed message (RFC 7692, 6). */
static int is_compressed(const tenon_conn *conn, uint8_t first)
{
    if ((first & 0x0f) == TENON_CONTINUATION)
        first = conn->u.frame.message.first;
    return (conn->deflate & DEFLATE_ON) != 0 && (first & 0x40) != 0;
}

/* What the octets up to the end of the length break. The size limit is judged before the
 * key is there; that of a compressed message, while it is inflated. */
static uint16_t judge_length(const tenon_conn *conn)
{
    const tenon_header_in *h = &conn->u.frame.header;
    if (h->first == (0x80 | TENON_OP_CLOSE) && h->size == 1)
        return TENON_RULE_CLOSE_SIZE;
    if (is_control(h->first) || is_compressed(conn, h->first) ||
        tenon_message_fits(&conn->u.frame.message, h->size, tenon_recv_limit(conn)))
        return TENON_RULE_NONE;
    return TENON_RULE_MESSAGE_SIZE;
}

/* Takes an octet of a header: the rule that it breaks. */
static uint16_t take_header(tenon_conn *conn, uint8_t octet)
{
    tenon_header_in *h = &conn->u.frame.header;
    uint32_t masked = conn->bits & BIT_SERVER;
    uint16_t rule = TENON_RULE_NONE;
    if (h->have == 0)
        rule = judge_first(conn, octet);
    else if (h->have == 1 && (octet >> 7) != masked)
        rule = masked ? TENON_RULE_MASK_MISSING : TENON_RULE_MASK_PRESENT;
    if (rule == TENON_RULE_NONE)
        rule = tenon_header_take(h, octet);
    if (rule == TENON_RULE_NONE && h->have == h->length)
        rule = judge_length(conn);
    return rule;
}

static void begin_frame(tenon_conn *conn)
{
    tenon_header_in *h = &conn->u.frame.header;
    conn->u.frame.left = h->size;
    h->have = 0;
    conn->inside = INSIDE;
    tenon_conn_count_one(conn, STAT(frames_in));
    if (is_control(h->first)) {
        conn->controls += conn->controls != UINT32_MAX;
        return;
    }
    tenon_message_begin(&conn->u.frame.message, h->first, is_compressed(conn, h->first) ? 0 : h->size,
                        tenon_conn_checks(conn, h->first));
    if (h->size > 0)
        conn->controls = 0;
}

/* Octets of a header, up to its end or the first that breaks a rule. */
static TENON_SMALL_INLINE int header_step(tenon_conn *conn)
{
    size_t n = 0;
    while (n < conn->in_left) {
        uint16_t rule = take_header(conn, conn->in[n]);
        if (rule != TENON_RULE_NONE) {
            tenon_conn_fail(conn, rule, conn->offset + n);
            return STEP_AGAIN;
        }
        n++;
        if (tenon_header_whole(&conn->u.frame.header)) {
            begin_frame(conn);
            break;
        }
    }
    tenon_conn_consume(conn, n);
    return STEP_AGAIN;
}

/* ------------------------------------------------------------ control frames */

const uint8_t *tenon_recv_key(const tenon_conn *conn)
{
    return conn->u.frame.header.masked ? conn->u.frame.header.key : NULL;
}

size_t tenon_recv_phase(const tenon_conn *conn)
{
    return (size_t)((conn->u.frame.header.size - conn->u.frame.left) & 3);
}

size_t tenon_recv_lent(const tenon_conn *conn)
{
    return conn->in_left < conn->u.frame.left ? conn->in_left : (size_t)conn->u.frame.left;
}

/* Takes n lent octets to dst, unmasked; returns how many are good. text: what it is
 * checked by, or NULL. */
static size_t fetch(tenon_conn *conn, tenon_utf8 *text, uint8_t *dst, size_t n)
{
    conn->inside = INSIDE_BEGUN;
    n = tenon_message_take(text, dst, conn->in, n, tenon_recv_key(conn), tenon_recv_phase(conn));
    conn->u.frame.left -= n;
    tenon_conn_consume(conn, n);
    return n;
}

static int ping_arrived(tenon_conn *conn, const uint8_t *payload, size_t n)
{
    tenon_conn_count_one(conn, STAT(pings_in));
    if ((conn->config->flags & TENON_RELAY) == 0)
        tenon_send_pong(conn, payload, n);
    return tenon_conn_event(conn, TENON_EV_PING, payload, n);
}

static int is_own_pong(const tenon_conn *conn, const uint8_t *payload, size_t n)
{
    uint32_t number;
    if ((conn->bits & BIT_PING_SENT) == 0 || n != 4)
        return 0;
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): four octets are somewhere */
    number = (uint32_t)payload[0] << 24 | (uint32_t)payload[1] << 16 | (uint32_t)payload[2] << 8 | payload[3];
    return number == conn->ping_number;
}

static int pong_arrived(tenon_conn *conn, const uint8_t *payload, size_t n)
{
    int step = tenon_conn_event(conn, TENON_EV_PONG, payload, n);
    tenon_conn_count_one(conn, STAT(pongs_in));
    if (is_own_pong(conn, payload, n)) {
        uint64_t rtt = conn->now - conn->ping;
        conn->bits &= ~BIT_PING_SENT;
        conn->event_flags |= TENON_OWN;
        conn->event_u.rtt = rtt > UINT32_MAX ? UINT32_MAX : (uint32_t)rtt;
    }
    return step;
}

/* A good Close: its payload lies at the start of rx, where the reason stays. The
 * answer carries the same code (RFC 6455, 5.5.1). */
static int close_arrived(tenon_conn *conn)
{
    size_t n = (size_t)conn->u.frame.header.size;
    uint16_t code = TENON_CLOSE_NONE;
    if (n >= 2) {
        n -= 2;
        code = (uint16_t)(conn->rx[0] << 8 | conn->rx[1]);
        conn->reason_size = (uint8_t)n;
    }
    conn->received_code = code;
    conn->bits |= BIT_CLOSE_RECEIVED;
    tenon_conn_blame(conn, TENON_REMOTE);
    tenon_conn_hang_up(conn, (conn->config->flags & TENON_RELAY) == 0 ? code : 0);
    return tenon_conn_event(conn, TENON_EV_CLOSE, n > 0 ? conn->rx + 2 : NULL, n);
}

/* Checks the payload of a Close as it comes: octets i..to of it are new. */
static int judge_close(tenon_conn *conn, size_t i, size_t to)
{
    tenon_utf8 *reason = &conn->u.frame.reason;
    uint16_t rule = TENON_RULE_NONE;
    if (to < 2)
        return 1;
    if (i < 2 && !tenon_close_code_valid((uint32_t)(conn->rx[0] << 8 | conn->rx[1]))) {
        rule = TENON_RULE_CLOSE_CODE;
        i = 1;
    } else {
        i = i < 2 ? 2 : i;
        i += tenon_utf8_check(reason, conn->rx + i, to - i);
        if (i == to && ((uint32_t)conn->u.frame.left > 0 || reason->need == 0))
            return 1;
        rule = TENON_RULE_CLOSE_UTF8;
        i -= i == to;
    }
    tenon_conn_fail(conn, rule, conn->offset - (to - i));
    return 0;
}

/* Whether the payload, of which n octets are lent, is whole and untouched. */
static int is_whole(const tenon_conn *conn, size_t n)
{
    return conn->inside == INSIDE && n == conn->u.frame.left;
}

/* Whether lent octets can be used where they lie. */
static int in_place(const tenon_conn *conn)
{
    return !conn->u.frame.header.masked || (conn->bits & BIT_CONST) == 0;
}

/* A control payload that does not lie whole in the lent octets is gathered at the start
 * of rx, and that of a Close always, for its reason stays. */
static TENON_SMALL_APART int control_step(tenon_conn *conn)
{
    uint8_t opcode = conn->u.frame.header.first & 0x0f;
    size_t size = (size_t)conn->u.frame.header.size, have = size - (size_t)conn->u.frame.left;
    size_t n = tenon_recv_lent(conn);
    uint8_t *payload = conn->rx;
    uint32_t where = BIT_IN_RX;
    if (opcode != TENON_OP_CLOSE && is_whole(conn, n) && in_place(conn)) {
        payload = conn->in;
        where = BIT_IN_LENT;
    } else if (payload == NULL && have != size) {
        conn->bits |= BIT_WANTS_RX;
        return STEP_IDLE;
    }
    if (n > 0)
        fetch(conn, NULL, payload + have, n);
    if (opcode == TENON_OP_CLOSE && !judge_close(conn, have, have + n))
        return STEP_AGAIN;
    if ((uint32_t)conn->u.frame.left > 0)
        return STEP_IDLE;
    conn->bits |= where;
    conn->inside = 0;
    if (opcode == TENON_OP_CLOSE)
        return close_arrived(conn);
    return opcode == TENON_OP_PING ? ping_arrived(conn, payload, size) : pong_arrived(conn, payload, size);
}

/* --------------------------------------------------------------- data frames */

void tenon_recv_done(tenon_conn *conn)
{
    tenon_message_end(&conn->u.frame.message);
    conn->held = 0;
    tenon_conn_count_one(conn, STAT(messages_in));
}

int tenon_recv_frame_done(tenon_conn *conn)
{
    conn->inside = 0;
    return (conn->u.frame.header.first & 0x80) != 0;
}

int tenon_recv_tell(tenon_conn *conn, const uint8_t *data, size_t n, unsigned flags)
{
    tenon_message *message = &conn->u.frame.message;
    if (!message->told)
        flags |= TENON_FIRST | (message->first & 0x70u); /* of the first frame, which may have been empty */
    if (conn->deflate & DEFLATE_ON)
        flags &= ~TENON_RSV1; /* the library's own */
    tenon_conn_event(conn, TENON_EV_DATA, data, n);
    conn->event_opcode = message->opcode;
    conn->event_u.offset = message->delivered;
    conn->event_flags = (uint16_t)flags;
    message->told = 1;
    message->delivered += n;
    if (flags & TENON_LAST)
        tenon_recv_done(conn);
    return STEP_EVENT;
}

/* The same for octets of the message; if not all are good, the rule is noted, for
 * tenon_conn_fail once the good ones are told. */
static size_t take(tenon_conn *conn, uint8_t *dst, size_t n)
{
    tenon_message *message = &conn->u.frame.message;
    size_t good = fetch(conn, tenon_message_text(message), dst, n);
    uint16_t rule = TENON_RULE_NONE;
    if (good < n)
        rule = TENON_RULE_UTF8;
    else if (conn->u.frame.left == 0 && (conn->u.frame.header.first & 0x80) != 0 && !tenon_message_whole(message))
        rule = TENON_RULE_UTF8_END;
    if (rule != TENON_RULE_NONE) {
        conn->bits |= BIT_BAD_TEXT;
        conn->rule = rule;
        conn->fault = conn->offset - (rule == TENON_RULE_UTF8_END);
    }
    return good;
}

/* Whether what comes of the message can be told where it lies. Of whole messages, one in
 * a single frame that lies whole in the lent octets; any other is assembled. */
static int is_direct(const tenon_conn *conn, int whole, size_t n)
{
    if (whole && (conn->u.frame.message.fragments != 1 || (conn->u.frame.header.first & 0x80) == 0 || !is_whole(conn, n)))
        return 0;
    return n == 0 || in_place(conn);
}

/* Octets of a message, n of them lent: to be told once it is whole, or as they come.
 * drop: they are checked, and told to nobody. */
static TENON_SMALL_INLINE int payload_step(tenon_conn *conn, int whole, int drop, size_t n)
{
    size_t room = conn->room;
    unsigned flags = whole ? 0 : conn->u.frame.header.first & 0x70u;
    uint8_t *start = conn->in;
    int direct = is_direct(conn, whole, n);
    if (!direct && (whole ? conn->u.frame.message.size > room : room == 0)) {
        conn->bits |= BIT_WANTS_RX;
        return STEP_IDLE;
    }
    if (!direct && conn->rx != NULL)
        start = conn->rx + TENON_RX_RESERVE;
    if (!direct && n > room)
        n = room;
    if (whole || conn->inside == INSIDE)
        flags |= TENON_FRAME_FIRST;
    n = take(conn, start + conn->held, n);
    if (conn->u.frame.left == 0 && (conn->bits & BIT_BAD_TEXT) == 0) {
        flags |= tenon_recv_frame_done(conn) ? TENON_FRAME_LAST | TENON_LAST : TENON_FRAME_LAST;
    }
    if (whole && !direct)
        n = conn->held += (uint32_t)n;
    if (drop && (flags & TENON_LAST) != 0)
        tenon_recv_done(conn);
    if (drop || ((flags & TENON_LAST) == 0 && (whole || n == 0)))
        return STEP_AGAIN;
    conn->bits |= direct ? BIT_IN_LENT : BIT_IN_RX;
    return tenon_recv_tell(conn, start, n, flags);
}

static int data_step(tenon_conn *conn)
{
    int drop = is_dropped(conn), whole = tenon_recv_whole(conn) && !drop;
    size_t n = tenon_recv_lent(conn);
    if (is_compressed(conn, conn->u.frame.header.first))
        return conn->config->transform->step(conn, drop);
    if (!whole)
        conn->held = 0;
    if (n == 0 && conn->u.frame.left > 0)
        return STEP_IDLE;
    return payload_step(conn, whole, drop, n);
}

int tenon_recv_step(tenon_conn *conn)
{
    if (conn->bits & BIT_BAD_TEXT) {
        tenon_conn_fail(conn, conn->rule, conn->fault);
        return STEP_AGAIN;
    }
    if (conn->inside)
        return is_control(conn->u.frame.header.first) ? control_step(conn) : data_step(conn);
    if (conn->in_left == 0)
        return STEP_IDLE;
    return header_step(conn);
}

/* Nobody knows how long it will be: twice what there is, up to the limit. */
static uint64_t inflated_need(const tenon_conn *conn)
{
    uint64_t limit = tenon_recv_limit(conn), twice = 2 * (uint64_t)conn->room;
    return twice < limit ? twice : limit;
}

size_t tenon_recv_needed(const tenon_conn *conn)
{
    uint64_t need;
    if ((conn->bits & BIT_WANTS_RX) == 0 || (conn->deflate & DEFLATE_WANTS_INFLATE) != 0)
        return 0;
    if (conn->phase != TENON_PHASE_FRAMES || is_control(conn->u.frame.header.first) || !tenon_recv_whole(conn) ||
        is_dropped(conn))
        return TENON_RX_MIN;
    need = (is_compressed(conn, conn->u.frame.header.first) ? inflated_need(conn) : conn->u.frame.message.size) +
           TENON_RX_RESERVE;
    if (need > UINT32_MAX)
        return SIZE_MAX; /* more than a connection can use; the message will wait for ever */
    return need < TENON_RX_MIN ? TENON_RX_MIN : (size_t)need;
}

uint32_t tenon_recv_lone_max(const tenon_conn *conn)
{
    uint64_t limit;
    if (conn->phase != TENON_PHASE_FRAMES || conn->inside || conn->u.frame.header.have != 0 ||
        conn->u.frame.message.opcode != 0 || conn->want_room != 0 || conn->queue.done != 0)
        return 0;
    limit = tenon_recv_limit(conn);
    return limit < 125 ? (uint32_t)limit : 125;
}
