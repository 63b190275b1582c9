/* SPDX-License-Identifier: MIT */
#include "conn.h"

size_t tenon_recv_room(const tenon_conn *conn)
{
    return conn->rx_size > TENON_RX_RESERVE ? conn->rx_size - TENON_RX_RESERVE : 0;
}

static int is_control(uint8_t first)
{
    return (first & 0x08) != 0;
}

int tenon_recv_whole(const tenon_conn *conn)
{
    return (conn->config->flags & TENON_CHUNKS) == 0;
}

/* After an own Close messages may be of no interest. */
static int is_dropped(const tenon_conn *conn)
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
    return conn->rx != NULL && tenon_recv_room(conn) < standard ? tenon_recv_room(conn) : standard;
}

/* ------------------------------------------------------------- frame headers */

/* Whether a first octet is legal now, by one look at a set of opcodes: bit n is
 * opcode n. Fragments of control frames never are (RFC 6455, 5.2, 5.4, 5.5). */
static int first_legal(const tenon_conn *conn, uint8_t first)
{
    static const uint16_t opcodes[2][2] = {
        {(1u << TENON_TEXT) | (1u << TENON_BINARY), 1u << TENON_CONTINUATION},
        {(1u << TENON_TEXT) | (1u << TENON_BINARY) | (7u << TENON_OP_CLOSE),
         (1u << TENON_CONTINUATION) | (7u << TENON_OP_CLOSE)}};
    unsigned set = opcodes[first >> 7][conn->u.frame.message.opcode != 0];
    return (set >> (first & 0x0f) & 1u) != 0 && (first & 0x70) == 0;
}

/* RSV bits that nobody was granted (RFC 6455, 5.2). */
static int rsv_illegal(const tenon_conn *conn, uint8_t first)
{
    uint8_t opcode = first & 0x0f;
    uint8_t granted = opcode == TENON_CONTINUATION ? conn->rsv_next : conn->rsv_first;
    if (is_control(first))
        granted = 0;
    return (first & 0x70 & ~granted) != 0;
}

/* The rule that a first octet breaks by its place in the connection; what it
 * breaks by itself is for tenon_frame_decode to say. */
static uint16_t first_rule(const tenon_conn *conn, uint8_t first)
{
    if (rsv_illegal(conn, first))
        return TENON_RULE_RSV;
    if ((first & 0x0f) > TENON_BINARY)
        return TENON_RULE_NONE;
    return tenon_message_order(&conn->u.frame.message, first);
}

/* Whether so many frames are as many as the limit lets pass. */
static int reached(uint32_t count, uint32_t limit)
{
    return limit != TENON_OFF && count >= tenon_limit(limit, 65536);
}

/* Limits that a legal first octet can still break. */
static uint16_t first_limits(const tenon_conn *conn, uint8_t first)
{
    const tenon_config *config = conn->config;
    if (is_control(first) && reached(conn->controls, config->max_control))
        return TENON_RULE_CONTROL_FLOOD;
    if ((first & 0x0f) == TENON_CONTINUATION && reached(conn->u.frame.message.fragments, config->max_fragments))
        return TENON_RULE_FRAGMENTS;
    return TENON_RULE_NONE;
}

/* What a header of n octets at data breaks, octet by octet; the same answer for
 * any n that holds the guilty octet. */
static int judge(const tenon_conn *conn, const uint8_t *data, size_t n, tenon_frame *frame, uint16_t *rule, size_t *at)
{
    int masked = (conn->bits & BIT_SERVER) != 0;
    int status;
    *at = 0;
    *rule = first_legal(conn, data[0]) ? (uint16_t)TENON_RULE_NONE : first_rule(conn, data[0]);
    if (*rule == TENON_RULE_NONE)
        *rule = first_limits(conn, data[0]);
    if (*rule != TENON_RULE_NONE)
        return TENON_ERR_PROTOCOL;
    status = tenon_frame_decode(data, n, frame, rule, at);
    if (status == TENON_ERR_PROTOCOL && *at == 0)
        return status;
    if (n >= 2 && (data[1] >> 7) != masked) {
        *at = 1;
        *rule = masked ? TENON_RULE_MASK_MISSING : TENON_RULE_MASK_PRESENT;
        return TENON_ERR_PROTOCOL;
    }
    if (status == TENON_ERR_PROTOCOL)
        return status;
    if (n >= 2 && (data[0] & 0x0f) == TENON_OP_CLOSE && (data[1] & 0x7f) == 1) {
        *at = 1;
        *rule = TENON_RULE_CLOSE_SIZE;
        return TENON_ERR_PROTOCOL;
    }
    return status;
}

/* Octets of a header up to the end of its length. */
static size_t length_end(const uint8_t *data, size_t n)
{
    unsigned code = n >= 2 ? data[1] & 0x7fu : 0;
    return code == 127 ? 10u : code == 126 ? 4u : 2u;
}

static uint64_t length_of(const uint8_t *data)
{
    size_t i, end = length_end(data, 2);
    uint64_t length = 0;
    if (end == 2)
        return data[1] & 0x7fu;
    for (i = 2; i < end; i++)
        length = length << 8 | data[i];
    return length;
}

/* Whether a data frame belongs to a compressed message (RFC 7692, 6). */
static int is_compressed(const tenon_conn *conn, uint8_t first)
{
    if ((first & 0x0f) == TENON_CONTINUATION)
        first = conn->u.frame.message.first;
    return (conn->deflate & DEFLATE_ON) != 0 && (first & 0x40) != 0;
}

/* The size limit, judged as soon as the length is there, before the key. That of a
 * compressed message is judged while it is inflated. */
static int judge_size(const tenon_conn *conn, const uint8_t *data, size_t n, uint16_t *rule, size_t *at)
{
    size_t end = length_end(data, n);
    if (n < end || is_control(data[0]) ||
        is_compressed(conn, data[0]) ||
        tenon_message_fits(&conn->u.frame.message, data[0], length_of(data), tenon_recv_limit(conn)))
        return 1;
    *rule = TENON_RULE_MESSAGE_SIZE;
    *at = end - 1;
    return 0;
}

static int text_checked(const tenon_conn *conn, uint8_t first)
{
    if (conn->bits & BIT_OPAQUE)
        return 0;
    if (is_compressed(conn, first))
        first &= 0xbf; /* a bit of the library's own */
    return (conn->config->flags & TENON_RELAY) == 0 || (first & 0x70) == 0;
}

static void begin_frame(tenon_conn *conn, const tenon_frame *frame)
{
    conn->u.frame.first = frame->first;
    conn->u.frame.at.payload.size = frame->payload_size;
    conn->u.frame.at.payload.left = frame->payload_size;
    conn->u.frame.masked = frame->masked;
    memcpy(conn->u.frame.key, frame->key, 4);
    conn->u.frame.have = 0;
    conn->u.frame.inside = 1;
    if (conn->stats != NULL)
        conn->stats->frames_in++;
    if (is_control(frame->first)) {
        conn->controls += conn->controls < UINT32_MAX;
        memset(&conn->u.frame.reason, 0, sizeof conn->u.frame.reason);
        return;
    }
    tenon_message_begin(&conn->u.frame.message, frame->first,
                        is_compressed(conn, frame->first) ? 0 : frame->payload_size, text_checked(conn, frame->first));
    if (frame->payload_size > 0)
        conn->controls = 0;
}

/* Judges the header of n octets at data, whose first octet lies at offset. */
static int take_header(tenon_conn *conn, const uint8_t *data, size_t n, uint64_t offset, size_t *size)
{
    tenon_frame frame;
    uint16_t rule;
    size_t at;
    int status = judge(conn, data, n, &frame, &rule, &at);
    if (status == TENON_ERR_PROTOCOL || !judge_size(conn, data, n, &rule, &at)) {
        tenon_conn_fail(conn, rule, offset + at);
        return TENON_ERR_PROTOCOL;
    }
    if (status == TENON_OK) {
        *size = frame.header_size;
        begin_frame(conn, &frame);
    }
    return status;
}

/* A header that lies in one piece. */
static int header_in_place(tenon_conn *conn)
{
    size_t n = conn->in_left < TENON_FRAME_HEADER_MAX ? conn->in_left : TENON_FRAME_HEADER_MAX;
    size_t size = 0;
    int status = take_header(conn, conn->in, n, conn->offset, &size);
    if (status == TENON_OK)
        tenon_conn_consume(conn, size);
    if (status == TENON_WAIT) {
        memcpy(conn->u.frame.at.header, conn->in, n);
        conn->u.frame.have = (uint8_t)n;
        tenon_conn_consume(conn, n);
    }
    return STEP_AGAIN;
}

/* One more octet of a header that comes in pieces. */
static int header_octet(tenon_conn *conn)
{
    size_t have = conn->u.frame.have;
    size_t size = 0;
    conn->u.frame.at.header[have] = conn->in[0];
    conn->u.frame.have = (uint8_t)(have + 1);
    tenon_conn_consume(conn, 1);
    take_header(conn, conn->u.frame.at.header, have + 1, conn->offset - (have + 1), &size);
    return STEP_AGAIN;
}

/* ------------------------------------------------------------ control frames */

const uint8_t *tenon_recv_key(const tenon_conn *conn)
{
    return conn->u.frame.masked ? conn->u.frame.key : NULL;
}

size_t tenon_recv_phase(const tenon_conn *conn)
{
    return (size_t)((conn->u.frame.at.payload.size - conn->u.frame.at.payload.left) & 3);
}

static int ping_arrived(tenon_conn *conn, const uint8_t *payload, size_t n)
{
    if (conn->stats != NULL)
        conn->stats->pings_in++;
    if ((conn->config->flags & TENON_RELAY) == 0)
        tenon_send_pong(conn, payload, n);
    return tenon_conn_event(conn, TENON_EV_PING, payload, n);
}

static int is_own_pong(const tenon_conn *conn, const uint8_t *payload, size_t n)
{
    uint32_t number;
    if ((conn->bits & BIT_PING_SENT) == 0 || n != 4)
        return 0;
    number = (uint32_t)payload[0] << 24 | (uint32_t)payload[1] << 16 | (uint32_t)payload[2] << 8 | payload[3];
    return number == conn->ping_number;
}

static int pong_arrived(tenon_conn *conn, const uint8_t *payload, size_t n)
{
    int step;
    if (conn->stats != NULL)
        conn->stats->pongs_in++;
    step = tenon_conn_event(conn, TENON_EV_PONG, payload, n);
    if (is_own_pong(conn, payload, n)) {
        uint64_t rtt = conn->now - conn->ping;
        conn->bits &= ~BIT_PING_SENT;
        conn->event_flags |= TENON_OWN;
        conn->event_rtt = rtt > UINT32_MAX ? UINT32_MAX : (uint32_t)rtt;
    }
    return step;
}

/* A good Close: its payload lies at the start of rx, where the reason stays. The
 * answer carries the same code (RFC 6455, 5.5.1). */
static int close_arrived(tenon_conn *conn)
{
    size_t n = (size_t)conn->u.frame.at.payload.size;
    uint16_t code = TENON_CLOSE_NONE;
    if (n >= 2) {
        code = (uint16_t)(conn->rx[0] << 8 | conn->rx[1]);
        conn->reason_size = (uint8_t)(n - 2);
    }
    conn->received_code = code;
    conn->bits |= BIT_CLOSE_RECEIVED;
    if (conn->cause == TENON_CAUSE_NONE)
        conn->cause = TENON_REMOTE;
    tenon_send_cut(conn);
    if ((conn->bits & (BIT_CLOSE_SENT | BIT_CLOSE_PENDING)) == 0 && (conn->config->flags & TENON_RELAY) == 0)
        tenon_send_close(conn, code, 0);
    tenon_conn_drain(conn);
    return tenon_conn_event(conn, TENON_EV_CLOSE, n > 2 ? conn->rx + 2 : NULL, n > 2 ? n - 2 : 0);
}

/* Checks the payload of a Close as it comes: octets from..to of it are new. */
static int judge_close(tenon_conn *conn, size_t from, size_t to)
{
    uint64_t start = conn->offset - to;
    size_t skip = from < 2 ? 2 : from;
    size_t good;
    if (from < 2 && to >= 2 && !tenon_close_code_valid((uint32_t)(conn->rx[0] << 8 | conn->rx[1]))) {
        tenon_conn_fail(conn, TENON_RULE_CLOSE_CODE, start + 1);
        return 0;
    }
    if (to <= skip)
        return 1;
    good = tenon_utf8_check(&conn->u.frame.reason, conn->rx + skip, to - skip);
    if (good < to - skip)
        tenon_conn_fail(conn, TENON_RULE_CLOSE_UTF8, start + skip + good);
    else if (conn->u.frame.at.payload.left == 0 && conn->u.frame.reason.need > 0)
        tenon_conn_fail(conn, TENON_RULE_CLOSE_UTF8, conn->offset - 1);
    else
        return 1;
    return 0;
}

/* Gathers a control payload at the start of rx: 1 when it is whole. */
static int gather(tenon_conn *conn)
{
    size_t have = (size_t)(conn->u.frame.at.payload.size - conn->u.frame.at.payload.left);
    size_t n = conn->in_left < conn->u.frame.at.payload.left ? conn->in_left : (size_t)conn->u.frame.at.payload.left;
    if (conn->u.frame.at.payload.left > 0 && conn->rx == NULL) {
        conn->bits |= BIT_WANTS_RX;
        return 0;
    }
    if (n > 0) {
        if (conn->u.frame.masked)
            tenon_mask(conn->rx + have, conn->in, n, conn->u.frame.key, tenon_recv_phase(conn));
        else
            memcpy(conn->rx + have, conn->in, n);
    }
    conn->u.frame.at.payload.left -= n;
    tenon_conn_consume(conn, n);
    if ((conn->u.frame.first & 0x0f) == TENON_OP_CLOSE && !judge_close(conn, have, have + n))
        return 0;
    return conn->u.frame.at.payload.left == 0;
}

/* Whether the payload can be used where it lies: whole, and writable if masked. */
static int in_place(const tenon_conn *conn)
{
    if (conn->u.frame.at.payload.left != conn->u.frame.at.payload.size || conn->in_left < conn->u.frame.at.payload.size)
        return 0;
    return !conn->u.frame.masked || (conn->bits & BIT_CONST) == 0;
}

static int control_step(tenon_conn *conn)
{
    uint8_t opcode = conn->u.frame.first & 0x0f;
    size_t n = (size_t)conn->u.frame.at.payload.size;
    uint8_t *payload = conn->rx;
    if (opcode != TENON_OP_CLOSE && in_place(conn)) {
        payload = conn->in;
        if (conn->u.frame.masked)
            tenon_mask(payload, payload, n, conn->u.frame.key, 0);
        tenon_conn_consume(conn, n);
        conn->bits |= BIT_IN_LENT;
    } else if (!gather(conn)) {
        return (conn->bits & BIT_FAILED) != 0 ? STEP_AGAIN : STEP_IDLE;
    } else {
        conn->bits |= BIT_IN_RX;
    }
    conn->u.frame.inside = 0;
    if (opcode == TENON_OP_CLOSE)
        return close_arrived(conn);
    return opcode == TENON_OP_PING ? ping_arrived(conn, payload, n) : pong_arrived(conn, payload, n);
}

/* --------------------------------------------------------------- data frames */

void tenon_recv_done(tenon_conn *conn)
{
    conn->u.frame.message.opcode = 0;
    conn->held = 0;
    if (conn->stats != NULL)
        conn->stats->messages_in++;
}

int tenon_recv_frame_done(tenon_conn *conn)
{
    conn->u.frame.inside = 0;
    return (conn->u.frame.first & 0x80) != 0;
}

int tenon_recv_tell(tenon_conn *conn, const uint8_t *data, size_t n, unsigned flags, int ends)
{
    tenon_message *message = &conn->u.frame.message;
    if (!message->told)
        flags |= TENON_FIRST | (message->first & 0x70u); /* of the first frame, which may have been empty */
    if (conn->deflate & DEFLATE_ON)
        flags &= ~TENON_RSV1; /* the library's own */
    if (ends)
        flags |= TENON_LAST;
    tenon_conn_event(conn, TENON_EV_DATA, data, n);
    conn->event_opcode = message->opcode;
    conn->event_u.offset = message->delivered;
    conn->event_flags = (uint16_t)flags;
    message->told = 1;
    message->delivered += n;
    if (ends)
        tenon_recv_done(conn);
    return STEP_EVENT;
}

/* Takes n lent octets to dst. Returns how many are good; if not all, the rule is
 * noted, for tenon_conn_fail once the good ones are told. */
static size_t take(tenon_conn *conn, uint8_t *dst, size_t n)
{
    tenon_message *message = &conn->u.frame.message;
    size_t good = tenon_message_take(message, dst, conn->in, n, tenon_recv_key(conn), tenon_recv_phase(conn));
    conn->u.frame.at.payload.left -= good;
    tenon_conn_consume(conn, good);
    if (good < n) {
        conn->bits |= BIT_BAD_TEXT;
        conn->rule = TENON_RULE_UTF8;
        conn->fault = conn->offset;
    } else if (conn->u.frame.at.payload.left == 0 && (conn->u.frame.first & 0x80) != 0 &&
               !tenon_message_whole(message)) {
        conn->bits |= BIT_BAD_TEXT;
        conn->rule = TENON_RULE_UTF8_END;
        conn->fault = conn->offset - 1;
    }
    return good;
}

size_t tenon_recv_lent(const tenon_conn *conn)
{
    return conn->in_left < conn->u.frame.at.payload.left ? conn->in_left : (size_t)conn->u.frame.at.payload.left;
}

/* Whole messages: one in a single frame that lies whole in the lent octets is told
 * where it lies, any other is assembled behind the reserve of rx. */
static int whole_step(tenon_conn *conn)
{
    tenon_message *message = &conn->u.frame.message;
    size_t n = tenon_recv_lent(conn);
    int lone = message->fragments == 1 && (conn->u.frame.first & 0x80) != 0 && in_place(conn);
    uint8_t *start = conn->in;
    if (n == 0 && conn->u.frame.at.payload.left > 0)
        return STEP_IDLE;
    if (!lone && message->size > tenon_recv_room(conn)) {
        conn->bits |= BIT_WANTS_RX;
        return STEP_IDLE;
    }
    if (!lone && conn->rx != NULL)
        start = conn->rx + TENON_RX_RESERVE;
    n = take(conn, lone ? start : start + conn->held, n);
    if (conn->bits & BIT_BAD_TEXT)
        return STEP_AGAIN;
    if (!lone)
        conn->held += (uint32_t)n;
    if (conn->u.frame.at.payload.left > 0 || !tenon_recv_frame_done(conn))
        return STEP_AGAIN;
    conn->bits |= lone ? BIT_IN_LENT : BIT_IN_RX;
    return tenon_recv_tell(conn, start, lone ? n : conn->held, (message->first & 0x70u) | TENON_FRAME_FIRST | TENON_FRAME_LAST, 1);
}

/* Where a piece goes, and how much of it: NULL when it needs rx and there is none. */
static uint8_t *piece_place(tenon_conn *conn, size_t *n)
{
    if (!conn->u.frame.masked || (conn->bits & BIT_CONST) == 0 || *n == 0)
        return conn->in;
    if (tenon_recv_room(conn) == 0) {
        conn->bits |= BIT_WANTS_RX;
        return NULL;
    }
    if (*n > tenon_recv_room(conn))
        *n = tenon_recv_room(conn);
    return conn->rx + TENON_RX_RESERVE;
}

/* Pieces: whatever is there, as it comes. drop: it is checked, and told to nobody. */
static int piece_step(tenon_conn *conn, int drop)
{
    size_t n = tenon_recv_lent(conn);
    unsigned flags = conn->u.frame.first & 0x70u;
    uint8_t *place;
    int ends = 0;
    if (n == 0 && conn->u.frame.at.payload.left > 0)
        return STEP_IDLE;
    place = piece_place(conn, &n);
    if (place == NULL)
        return STEP_IDLE;
    if (conn->u.frame.at.payload.left == conn->u.frame.at.payload.size)
        flags |= TENON_FRAME_FIRST;
    conn->bits |= place == conn->in ? BIT_IN_LENT : BIT_IN_RX;
    n = take(conn, place, n);
    if (conn->u.frame.at.payload.left == 0 && (conn->bits & BIT_BAD_TEXT) == 0) {
        flags |= TENON_FRAME_LAST;
        ends = tenon_recv_frame_done(conn);
    }
    if (!drop && (n > 0 || ends))
        return tenon_recv_tell(conn, place, n, flags, ends);
    conn->bits &= ~(BIT_IN_LENT | BIT_IN_RX);
    if (ends)
        tenon_recv_done(conn);
    return STEP_AGAIN;
}

static int data_step(tenon_conn *conn)
{
    int drop = is_dropped(conn);
    if (is_compressed(conn, conn->u.frame.first))
        return conn->config->transform->step(conn, drop);
    if (tenon_recv_whole(conn) && !drop)
        return whole_step(conn);
    conn->held = 0;
    return piece_step(conn, drop);
}

int tenon_recv_step(tenon_conn *conn)
{
    conn->bits &= ~BIT_WANTS_RX;
    conn->deflate &= (uint8_t)~DEFLATE_WANTS_INFLATE;
    if (conn->bits & BIT_BAD_TEXT) {
        conn->bits &= ~BIT_BAD_TEXT;
        tenon_conn_fail(conn, conn->rule, conn->fault);
        return STEP_AGAIN;
    }
    if (conn->u.frame.inside)
        return is_control(conn->u.frame.first) ? control_step(conn) : data_step(conn);
    if (conn->in_left == 0)
        return STEP_IDLE;
    return conn->u.frame.have == 0 ? header_in_place(conn) : header_octet(conn);
}

/* Nobody knows how long it will be: twice what there is, up to the limit. */
static uint64_t inflated_need(const tenon_conn *conn)
{
    uint64_t limit = tenon_recv_limit(conn), twice = 2 * (uint64_t)tenon_recv_room(conn);
    return twice < limit ? twice : limit;
}

size_t tenon_recv_needed(const tenon_conn *conn)
{
    uint64_t need;
    if ((conn->bits & BIT_WANTS_RX) == 0 || (conn->deflate & DEFLATE_WANTS_INFLATE) != 0)
        return 0;
    if (conn->phase != TENON_PHASE_FRAMES || is_control(conn->u.frame.first) || !tenon_recv_whole(conn))
        return TENON_RX_MIN;
    need = (is_compressed(conn, conn->u.frame.first) ? inflated_need(conn) : conn->u.frame.message.size) +
           TENON_RX_RESERVE;
    if (need > UINT32_MAX)
        return SIZE_MAX; /* more than a connection can use; the message will wait for ever */
    return need < TENON_RX_MIN ? TENON_RX_MIN : (size_t)need;
}

uint32_t tenon_recv_lone_max(const tenon_conn *conn)
{
    uint64_t limit;
    if (conn->phase != TENON_PHASE_FRAMES || conn->u.frame.inside || conn->u.frame.have != 0 ||
        conn->u.frame.message.opcode != 0 || conn->want_room != 0 || conn->queue.done != 0)
        return 0;
    limit = tenon_recv_limit(conn);
    return limit < 125 ? (uint32_t)limit : 125;
}
