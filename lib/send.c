/* SPDX-License-Identifier: MIT */
#include "conn.h"
#include "frame.h"

/* Most octets of a control frame on the wire: header, key, payload. */
#define CONTROL_FRAME_MAX (2 + 4 + TENON_CONTROL_MAX)

TENON_STATIC_ASSERT(ring_takes_control, TENON_TX_MIN - TENON_TX_RESERVE >= CONTROL_FRAME_MAX);
TENON_STATIC_ASSERT(slots_fit, 2 * 128 <= TENON_TX_RESERVE && TENON_CONTROL_MAX <= 128);

/* The reserve behind the ring: the payloads of one waiting Pong and one waiting Close. */
static uint8_t *pong_slot(const tenon_conn *conn)
{
    return conn->queue.ring + conn->queue.size;
}

static uint8_t *close_slot(const tenon_conn *conn)
{
    return pong_slot(conn) + TENON_TX_RESERVE / 2;
}

static int is_client(const tenon_conn *conn)
{
    return (conn->bits & BIT_SERVER) == 0;
}

static size_t header_size(const tenon_conn *conn, size_t payload)
{
    return (is_client(conn) ? 2u + 4u : 2u) + tenon_length_size(payload);
}

static int has_room(const tenon_conn *conn, size_t n)
{
    return tenon_queue_room(&conn->queue) >= n;
}

int tenon_send_has_room(const tenon_conn *conn, size_t payload)
{
    return has_room(conn, header_size(conn, payload) + payload);
}

static TENON_SMALL_INLINE const struct tenon_transform *transform(const tenon_conn *conn)
{
    return conn->deflate & DEFLATE_ON ? conn->config->transform : NULL;
}

static TENON_SMALL_INLINE void count_frame(tenon_conn *conn, uint8_t first)
{
    tenon_conn_count_one(conn, STAT(frames_out));
    if ((first & 0x88) == 0x80)
        tenon_conn_count_one(conn, STAT(messages_out));
    if (conn->stats->queue_peak < conn->queue.used)
        conn->stats->queue_peak = conn->queue.used;
}

/* Without a key no frame can go out, not even a Close (RFC 6455, 10.3). */
static int random_failed(tenon_conn *conn)
{
    tenon_conn_fault(conn, TENON_RULE_RANDOM, conn->offset);
    conn->bits &= ~(BIT_PONG_PENDING | BIT_CLOSE_PENDING);
    tenon_send_cut(conn, 1);
    tenon_conn_drain(conn);
    return TENON_ERR_RANDOM;
}

/* Writes the header of a frame; a client's ends with a fresh key (RFC 6455, 5.3). 0 if
 * there is none to be had. */
static size_t write_header(const tenon_conn *conn, uint8_t *out, uint8_t first, size_t payload)
{
    const tenon_config *config = conn->config;
    size_t n = tenon_header_put(out, first, is_client(conn), payload);
    if (!is_client(conn))
        return n;
    return config->random(config->random_user, out + n, 4) == 0 ? n + 4 : 0;
}

/* The key at the end of a header, if there is one. */
static const uint8_t *key_of(const tenon_conn *conn, const uint8_t *end)
{
    return is_client(conn) ? end - 4 : NULL;
}

/* A whole frame, in two parts that may go on at the start of the ring; 0 if it cannot be. */
static TENON_LARGE_APART int put_split(tenon_conn *conn, uint8_t first, const void *payload, size_t n)
{
    uint8_t header[TENON_FRAME_HEADER_MAX];
    size_t head = write_header(conn, header, first, n);
    if (head == 0)
        return 0;
    tenon_queue_put(&conn->queue, header, head);
    tenon_queue_put_masked(&conn->queue, payload, n, key_of(conn, header + head));
    return 1;
}

/* The same where there is room for it in one piece. */
static int put_octets(tenon_conn *conn, uint8_t first, const void *payload, size_t n)
{
    uint8_t *at = TENON_SMALL ? NULL : tenon_queue_place(&conn->queue, TENON_FRAME_HEADER_MAX + n);
    const uint8_t *key;
    size_t head;
    if (at == NULL)
        return put_split(conn, first, payload, n);
    head = write_header(conn, at, first, n);
    if (head == 0)
        return 0;
    key = key_of(conn, at + head);
    if (key != NULL)
        tenon_mask(at + head, payload, n, key, 0);
    else if (n > 0)
        memcpy(at + head, payload, n);
    tenon_queue_grow(&conn->queue, head + n);
    return 1;
}

/* A whole frame, copied; there is room. */
static int put_frame(tenon_conn *conn, uint8_t first, const void *payload, size_t n)
{
    if (!put_octets(conn, first, payload, n))
        return random_failed(conn);
    if (conn->stats != NULL)
        count_frame(conn, first);
    if (TENON_GLANCE((conn->bits & BIT_STALL) == 0))
        tenon_timer_output(conn);
    return TENON_OK;
}

/* ------------------------------------------------------ what waits for room */

/* A control frame: TENON_ERR_AGAIN if there is no room. */
static int put_control(tenon_conn *conn, uint8_t opcode, const void *payload, size_t n)
{
    return tenon_send_has_room(conn, n) ? put_frame(conn, 0x80 | opcode, payload, n) : TENON_ERR_AGAIN;
}

static void put_pong(tenon_conn *conn)
{
    if (put_control(conn, TENON_OP_PONG, pong_slot(conn), conn->pong_size) == TENON_OK)
        conn->bits &= ~BIT_PONG_PENDING;
}

static void put_close(tenon_conn *conn)
{
    uint8_t *payload = close_slot(conn);
    size_t n = 0;
    if (conn->close_code != TENON_CLOSE_NONE) {
        tenon_half_put(payload, conn->close_code);
        n = 2u + conn->close_size;
    }
    if (put_control(conn, TENON_OP_CLOSE, payload, n) != TENON_OK)
        return;
    conn->bits &= ~(BIT_CLOSE_PENDING | BIT_PING_QUEUED | BIT_PONG_WAIT);
    conn->bits |= BIT_CLOSE_SENT;
    conn->mark = conn->queue.pending;
    conn->sent_code = conn->close_code;
    conn->out_opcode = 0;
    conn->since = conn->now;
}

/* What goes through the ring may take half of it with one frame, so that its size
 * never depends on how fast the transport drains. */
size_t tenon_send_frame_max(const tenon_conn *conn)
{
    size_t max = tenon_frame_out_max(conn);
    return max > conn->queue.size / 2 ? conn->queue.size / 2 : max;
}

/* The longest payload of the reference's next frame. A client's goes through the ring. */
static size_t ref_frame_size(const tenon_conn *conn)
{
    size_t max = is_client(conn) ? tenon_send_frame_max(conn) : tenon_frame_out_max(conn);
    return conn->ref_left < max ? conn->ref_left : max;
}

/* The last mark of a reference: its memory is free once all before it is out. */
static int finish_ref(tenon_conn *conn)
{
    if (!has_room(conn, TENON_QUEUE_REF_SIZE))
        return 0;
    tenon_queue_put_ref(&conn->queue, NULL, 0, conn->ref_cookie, 1);
    if (conn->queue.pending == 0)
        tenon_queue_sent(&conn->queue, 0); /* nothing before it: no acknowledgement will come */
    conn->bits &= ~BIT_REF;
    return 1;
}

static int frame_ref_client(tenon_conn *conn, uint8_t first, size_t n)
{
    return tenon_send_has_room(conn, n) && put_frame(conn, first, conn->ref_data, n) == TENON_OK;
}

/* At most two frames are in the queue at a time: enough to keep the transport
 * busy, and a Pong never waits for more than these. */
static int frame_ref_server(tenon_conn *conn, uint8_t first, size_t n)
{
    uint8_t header[TENON_FRAME_HEADER_MAX];
    if (tenon_queue_refs_pending(&conn->queue) >= 2 || !has_room(conn, header_size(conn, n) + TENON_QUEUE_REF_SIZE))
        return 0;
    tenon_queue_put(&conn->queue, header, write_header(conn, header, first, n));
    tenon_queue_put_ref(&conn->queue, conn->ref_data, n, NULL, 0);
    if (conn->stats != NULL)
        count_frame(conn, first);
    tenon_timer_output(conn);
    return 1;
}

/* One more frame of the reference, or its end; 0 if it has to wait. */
static int ref_step(tenon_conn *conn)
{
    size_t n = ref_frame_size(conn);
    int begins = (conn->bits & BIT_REF_FIRST) != 0;
    uint8_t first = begins ? conn->ref_opcode : (uint8_t)TENON_CONTINUATION;
    if (conn->deflate & DEFLATE_REF)
        return transform(conn)->put_ref(conn);
    if (conn->ref_left == 0 && !begins)
        return finish_ref(conn);
    if (n == conn->ref_left)
        first |= 0x80;
    if (!(is_client(conn) ? frame_ref_client(conn, first, n) : frame_ref_server(conn, first, n)))
        return 0;
    conn->bits &= ~BIT_REF_FIRST;
    conn->ref_data = n > 0 ? conn->ref_data + n : conn->ref_data;
    conn->ref_left -= n;
    return 1;
}

/* What makes a single frame was accepted as much as a copy in the queue was, so it
 * goes out; only a message of several frames is broken off. */
static void ref_cut(tenon_conn *conn, int all)
{
    int compressed = (conn->deflate & DEFLATE_REF) != 0;
    if (!all && !compressed && (conn->bits & BIT_REF_FIRST) != 0 && conn->ref_left <= ref_frame_size(conn))
        return;
    if (compressed)
        transform(conn)->overtaken(conn);
    conn->ref_left = 0;
    conn->bits &= ~BIT_REF_FIRST;
}

void tenon_send_waiting(tenon_conn *conn)
{
    if (conn->queue.size == 0 || conn->phase >= TENON_PHASE_END)
        return;
    do {
        if (conn->bits & BIT_PONG_PENDING)
            put_pong(conn);
    } while ((conn->bits & (BIT_PONG_PENDING | BIT_REF)) == BIT_REF && conn->refs->step(conn));
    if ((conn->bits & (BIT_CLOSE_PENDING | BIT_REF | BIT_PONG_PENDING)) == BIT_CLOSE_PENDING)
        put_close(conn);
}

void tenon_send_pong(tenon_conn *conn, const uint8_t *payload, size_t n)
{
    if ((conn->bits & BIT_PONG_PENDING) != 0 || conn->queue.size == 0)
        tenon_conn_count_one(conn, STAT(pongs_skipped));
    if (conn->queue.size == 0)
        return;
    if (n > 0)
        memcpy(pong_slot(conn), payload, n);
    conn->pong_size = (uint8_t)n;
    conn->bits |= BIT_PONG_PENDING;
}

void tenon_send_ping(tenon_conn *conn)
{
    uint8_t payload[4];
    tenon_word_put(payload, conn->ping_number + 1);
    if (!has_room(conn, CONTROL_FRAME_MAX) ||
        put_frame(conn, 0x80 | TENON_OP_PING, payload, sizeof payload) != TENON_OK)
        return;
    conn->ping_number++;
    conn->mark = conn->queue.pending;
    conn->bits = (conn->bits & ~BIT_PING_SENT) | BIT_PING_QUEUED;
}

TENON_SMALL_APART void tenon_send_close(tenon_conn *conn, uint16_t code, size_t reason_size)
{
    conn->close_code = code;
    conn->close_size = (uint8_t)reason_size;
    conn->bits |= BIT_CLOSE_PENDING;
    conn->want_room = 0;
}

void tenon_send_cut(tenon_conn *conn, int all)
{
    if (conn->bits & BIT_REF)
        conn->refs->cut(conn, all);
}

/* ------------------------------------------------------- the program's sends */

/* Whether the program may still speak. */
static int may_send(const tenon_conn *conn)
{
    return tenon_state(conn) == TENON_OPEN;
}

static uint32_t rsv_of(uint32_t flags)
{
    return flags & (TENON_RSV1 | TENON_RSV2 | TENON_RSV3);
}

/* Arguments of a data send; begins: it opens a message. */
static TENON_SMALL_INLINE int check_data(const tenon_conn *conn, int opcode, const void *data, size_t n, uint32_t flags, int begins)
{
    uint32_t granted;
    if (conn == NULL || (data == NULL && n > 0))
        return TENON_ERR_NULL;
    granted = (uint32_t)tenon_conn_foreign(conn) & (begins ? conn->rsv_first : conn->rsv_next);
    if ((opcode != TENON_TEXT && opcode != TENON_BINARY) || (rsv_of(flags) & ~granted) != 0)
        return TENON_ERR_ARG;
    return may_send(conn) ? TENON_OK : TENON_ERR_STATE;
}

/* WRITABLE is to come when there is so much room. */
static int again(tenon_conn *conn, uint32_t need)
{
    conn->want_room = need;
    tenon_conn_detain(conn); /* WRITABLE comes first */
    conn->deflate &= (uint8_t)~DEFLATE_WANTS_DEFLATE;
    return TENON_ERR_AGAIN;
}

/* Refuses for want of room. Nothing overtakes a Pong or a reference. */
int tenon_send_check_room(tenon_conn *conn, uint64_t size)
{
    uint32_t need = size > UINT32_MAX ? UINT32_MAX : (uint32_t)size; /* as good as all that never fits */
    if (conn->queue.size > 0 && need > conn->queue.size)
        return TENON_ERR_TOO_BIG;
    if ((conn->bits & (BIT_REF | BIT_PONG_PENDING)) == 0 && need <= tenon_queue_room(&conn->queue))
        return TENON_OK;
    return again(conn, need);
}

/* Octets on the wire of n octets of data, cut into frames of at most max. */
static TENON_SMALL_INLINE uint64_t framed_size(const tenon_conn *conn, size_t n, size_t max)
{
    size_t full = n > max ? (n - 1) / max : 0; /* the last one has the rest, from 1 to max */
    return (uint64_t)full * header_size(conn, max) + header_size(conn, n - full * max) + n;
}

/* All of data, in as many frames as it takes. first: opcode and RSV bits of the
 * first of them; fin: TENON_FIN_BIT if the last of them ends the message, else 0. */
int tenon_send_frames(tenon_conn *conn, uint8_t first, const uint8_t *data, size_t n, unsigned fin)
{
    size_t max = tenon_frame_out_max(conn);
    while (n > max) {
        int status = put_frame(conn, first, data, max);
        if (status != TENON_OK)
            return status;
        first = TENON_CONTINUATION;
        data += max;
        n -= max;
    }
    return put_frame(conn, (uint8_t)(first | fin), data, n);
}

/* Whether a data send is compressed. */
static TENON_SMALL_INLINE int is_compressed(const tenon_conn *conn, size_t n, uint32_t flags)
{
    return transform(conn) != NULL && transform(conn)->chosen(conn, n, flags);
}

/* A part of a message as it is, judged and put: all of it or nothing. first: opcode and
 * RSV bits; 0 for a part that goes on. */
static TENON_SMALL_INLINE int put_part(tenon_conn *conn, unsigned first, const void *data, size_t n, unsigned fin)
{
    int status = tenon_send_check_room(conn, framed_size(conn, n, tenon_frame_out_max(conn)));
    return status == TENON_OK ? tenon_send_frames(conn, (uint8_t)first, (const uint8_t *)data, n, fin) : status;
}

/* Whether this send is to be checked to be UTF-8. */
static TENON_SMALL_INLINE int text_checked(const tenon_conn *conn, int opcode, uint32_t flags)
{
    return opcode == TENON_TEXT && (flags & TENON_TRUSTED) == 0 && tenon_conn_checks(conn, flags);
}

static int is_utf8(const void *data, size_t n)
{
    tenon_utf8 state = {0, 0, 0, 0};
    return tenon_utf8_check(&state, data, n) == n && state.need == 0;
}

/* The common part of whole messages, checked and without a streamed one open. */
static TENON_SMALL_INLINE int check_whole(const tenon_conn *conn, int opcode, const void *data, size_t n, uint32_t flags)
{
    int status = check_data(conn, opcode, data, n, flags, 1);
    if (status != TENON_OK)
        return status;
    if (conn->out_opcode != 0)
        return TENON_ERR_STATE;
    return text_checked(conn, opcode, flags) && !is_utf8(data, n) ? TENON_ERR_UTF8 : TENON_OK;
}

#if !TENON_SMALL

/* Bits with which a send has more to look at. */
#define BITS_SLOW (BIT_FAILED | BIT_CLOSE_ASKED | BIT_REF | BIT_PONG_PENDING)

/* The most frequent case: octets that need no check, or no check but that of UTF-8,
 * and go out as one frame for which there is room. */
static int is_simple(const tenon_conn *conn, int opcode, const void *data, size_t n, uint32_t flags)
{
    if (conn == NULL || data == NULL || (conn->bits & BITS_SLOW) != 0 || conn->phase != TENON_PHASE_FRAMES ||
        conn->out_opcode != 0 || (conn->deflate & DEFLATE_ON) != 0)
        return 0;
    if (opcode != TENON_BINARY && (opcode != TENON_TEXT || flags != TENON_TRUSTED))
        return 0;
    return rsv_of(flags) == 0 && n <= tenon_frame_out_max(conn) &&
           TENON_FRAME_HEADER_MAX + n <= tenon_queue_room(&conn->queue);
}

#else
#define is_simple(conn, opcode, data, n, flags) 0
#endif

int tenon_send(tenon_conn *conn, int opcode, const void *data, size_t n, uint32_t flags)
{
    unsigned first = (unsigned)opcode | rsv_of(flags);
    int status;
    if (is_simple(conn, opcode, data, n, flags))
        return put_frame(conn, (uint8_t)(0x80 | opcode), data, n);
    status = check_whole(conn, opcode, data, n, flags);
    if (status != TENON_OK)
        return status;
    if (is_compressed(conn, n, flags))
        return conn->config->transform->put(conn, (uint8_t)(first | TENON_RSV1), (const uint8_t *)data, n, 1);
    return put_part(conn, first, data, n, TENON_FIN_BIT);
}

int tenon_send_part(tenon_conn *conn, int opcode, const void *data, size_t n, uint32_t flags)
{
    int begins, status, compress, last = (flags & TENON_LAST) != 0;
    unsigned first;
    tenon_utf8 utf8;
    if (conn == NULL)
        return TENON_ERR_NULL;
    begins = conn->out_opcode == 0;
    status = check_data(conn, opcode, data, n, flags, begins);
    if (status != TENON_OK)
        return status;
    if (!begins && opcode != (conn->out_opcode & 0x0f))
        return TENON_ERR_ARG;
    utf8 = conn->out_utf8;
    if (text_checked(conn, opcode, flags | (conn->out_opcode & 0x70u)) &&
        (tenon_utf8_check(&utf8, data, n) != n || (last && utf8.need > 0)))
        return TENON_ERR_UTF8;
    compress = begins ? is_compressed(conn, SIZE_MAX, flags)
                      : transform(conn) != NULL && (conn->out_opcode & TENON_RSV1) != 0;
    first = (begins ? (unsigned)opcode | (compress ? TENON_RSV1 : 0u) : 0u) | rsv_of(flags);
    if (compress)
        status = transform(conn)->put(conn, (uint8_t)first, (const uint8_t *)data, n, last);
    else
        status = put_part(conn, first, data, n, last ? TENON_FIN_BIT : 0);
    if (status != TENON_OK)
        return status;
    if (begins)
        conn->out_opcode = (uint8_t)first;
    conn->out_utf8 = utf8;
    if (last || tenon_state(conn) != TENON_OPEN) {
        conn->out_opcode = 0;
        memset(&conn->out_utf8, 0, sizeof conn->out_utf8);
    }
    return TENON_OK;
}

/* Refuses for want of the block to compress with. */
int tenon_send_check_block(tenon_conn *conn)
{
    if (conn->deflater != NULL)
        return TENON_OK;
    again(conn, 1);
    conn->deflate |= DEFLATE_WANTS_DEFLATE;
    return TENON_ERR_AGAIN;
}

/* Takes on a reference that has been checked. */
static int begin_ref(tenon_conn *conn, unsigned opcode, const void *data, size_t n, int compress, void *cookie)
{
    static const struct tenon_refs refs = {ref_step, ref_cut};
    if (conn->bits & (BIT_REF | BIT_PONG_PENDING))
        return again(conn, 1);
    conn->ref_data = (const uint8_t *)data;
    conn->ref_left = n;
    conn->ref_cookie = cookie;
    conn->refs = &refs;
    conn->ref_opcode = (uint8_t)(compress ? opcode | TENON_RSV1 : opcode);
    if (compress)
        conn->deflate |= DEFLATE_REF;
    conn->bits |= BIT_REF | BIT_REF_FIRST;
    tenon_send_waiting(conn);
    if ((conn->bits & BIT_FAILED) == 0 || conn->rule != TENON_RULE_RANDOM)
        return TENON_OK; /* also when the codec failed */
    conn->bits &= ~BIT_REF; /* refused: no RELEASED */
    return TENON_ERR_RANDOM;
}

int tenon_send_ref(tenon_conn *conn, int opcode, const void *data, size_t n, uint32_t flags, void *cookie)
{
    int compress, status = check_whole(conn, opcode, data, n, flags);
    if (status != TENON_OK)
        return status;
    compress = is_compressed(conn, n, flags);
    if (compress)
        status = tenon_send_check_block(conn);
    if (status != TENON_OK)
        return status;
    return begin_ref(conn, (unsigned)opcode | rsv_of(flags), data, n, compress, cookie);
}

int tenon_prepare(tenon_prepared *prepared, size_t size, int opcode, const void *data, size_t n, uint32_t flags)
{
    if (prepared == NULL || (data == NULL && n > 0))
        return TENON_ERR_NULL;
    if (size < TENON_PREPARED_LEAST)
        return TENON_ERR_SIZE;
    if (opcode != TENON_TEXT && opcode != TENON_BINARY)
        return TENON_ERR_ARG;
    if (opcode == TENON_TEXT && (flags & TENON_TRUSTED) == 0 && !is_utf8(data, n))
        return TENON_ERR_UTF8;
    prepared->size = tenon_clear(prepared, size, sizeof *prepared);
    prepared->opcode = (uint8_t)opcode;
    prepared->data = data;
    prepared->data_size = n;
    return TENON_OK;
}

/* The variant that was compressed beforehand. It enters the peer's window and not
 * that of the connection's own compressor, which therefore starts afresh. */
static int send_deflated(tenon_conn *conn, const tenon_prepared *prepared, uint32_t flags, void *cookie)
{
    unsigned opcode = prepared->opcode | (unsigned)TENON_RSV1 | rsv_of(flags);
    int status = check_whole(conn, prepared->opcode, prepared->data, prepared->data_size, flags | TENON_TRUSTED);
    if (status == TENON_OK && (flags & TENON_COPY) != 0)
        status = put_part(conn, opcode, prepared->deflated, prepared->deflated_size, TENON_FIN_BIT);
    else if (status == TENON_OK)
        status = begin_ref(conn, opcode, prepared->deflated, prepared->deflated_size, 0, cookie);
    if (status == TENON_OK)
        transform(conn)->overtaken(conn);
    return status;
}

int tenon_send_prepared(tenon_conn *conn, const tenon_prepared *prepared, uint32_t flags, void *cookie)
{
    if (conn == NULL || prepared == NULL)
        return TENON_ERR_NULL;
    if (prepared->size < TENON_PREPARED_LEAST)
        return TENON_ERR_SIZE;
    if (transform(conn) != NULL && prepared->deflated != NULL && prepared->window_bits <= conn->out_bits &&
        (flags & TENON_UNCOMPRESSED) == 0)
        return send_deflated(conn, prepared, flags, cookie);
    flags |= TENON_TRUSTED | TENON_UNCOMPRESSED;
    if (flags & TENON_COPY)
        return tenon_send(conn, prepared->opcode, prepared->data, prepared->data_size, flags);
    return tenon_send_ref(conn, prepared->opcode, prepared->data, prepared->data_size, flags, cookie);
}

static TENON_SMALL_INLINE int send_control(tenon_conn *conn, uint8_t opcode, const void *data, size_t n)
{
    int status = TENON_ERR_AGAIN;
    if (conn == NULL || (data == NULL && n > 0))
        return TENON_ERR_NULL;
    if (n > TENON_CONTROL_MAX)
        return TENON_ERR_CONTROL_SIZE;
    if (!may_send(conn))
        return TENON_ERR_STATE;
    if ((conn->bits & BIT_PONG_PENDING) == 0)
        status = put_control(conn, opcode, data, n);
    return status == TENON_ERR_AGAIN ? again(conn, (uint32_t)(header_size(conn, n) + n)) : status;
}

int tenon_ping(tenon_conn *conn, const void *data, size_t n)
{
    return send_control(conn, TENON_OP_PING, data, n);
}

int tenon_pong(tenon_conn *conn, const void *data, size_t n)
{
    return send_control(conn, TENON_OP_PONG, data, n);
}

/* Whether the program may send a Close with that code and reason. */
static int check_close(const tenon_conn *conn, int code, const char *reason, size_t n)
{
    if (conn == NULL || (reason == NULL && n > 0))
        return TENON_ERR_NULL;
    if (code == TENON_CLOSE_NONE)
        return n > 0 ? TENON_ERR_CODE : TENON_OK;
    if (!tenon_close_code_valid((uint32_t)code) || (code == TENON_CLOSE_EXTENSION && !is_client(conn)))
        return TENON_ERR_CODE;
    if (n > TENON_REASON_MAX)
        return TENON_ERR_CONTROL_SIZE;
    return is_utf8(reason, n) ? TENON_OK : TENON_ERR_UTF8;
}

int tenon_close(tenon_conn *conn, int code, const char *reason, size_t n)
{
    int state, status = check_close(conn, code, reason, n);
    if (status != TENON_OK)
        return status;
    state = tenon_state(conn);
    if (state == TENON_CLOSED)
        return TENON_ERR_STATE;
    if (state == TENON_CONNECTING || conn->phase == TENON_PHASE_BODY) {
        tenon_conn_fault(conn, TENON_RULE_NONE, 0);
        tenon_conn_end(conn);
        return TENON_OK;
    }
    if ((conn->bits & (BIT_CLOSE_ASKED | BIT_CLOSE_PENDING | BIT_CLOSE_SENT | BIT_FAILED)) != 0)
        return TENON_OK;
    if (conn->queue.size == 0)
        return TENON_ERR_STATE;
    if (n > 0)
        memcpy(close_slot(conn) + 2, reason, n); /* the code comes before it */
    conn->bits |= BIT_CLOSE_ASKED;
    tenon_conn_blame(conn, TENON_LOCAL);
    tenon_send_close(conn, (uint16_t)code, n);
    tenon_send_waiting(conn);
    return TENON_OK;
}
