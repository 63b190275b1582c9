/* SPDX-License-Identifier: MIT */
/*
 * tenon_next, with the most frequent case in a straight line: a message in one frame
 * that lies whole in the lent octets, while nothing else is to be done. All other
 * cases go to tenon_conn_next, which gives the same events for this one too; what
 * is found here is found before anything is changed.
 */
#include "conn.h"
#include "short.h"

#if !TENON_SMALL

/* With any of these there is something else to do, or the octets need another way. */
#define BITS_SLOW                                                                                                 \
    (BIT_EOF | BIT_CONST | BIT_AGAIN | BIT_FAILED | BIT_WANTS_RX | BIT_CLOSE_PENDING | BIT_CLOSE_SENT |           \
     BIT_CLOSE_RECEIVED | BIT_CLOSE_ASKED | BIT_PONG_PENDING | BIT_REF | BIT_OPAQUE | BIT_BAD_TEXT)

/* A frame that lies at at: octets of header, octets of payload. */
typedef struct lone {
    uint8_t *at;
    size_t head;
    size_t size;
    uint8_t first; /* its first octet */
} lone;

/* It becomes the current event. tenon_again keeps it, should that be wanted. */
static inline int tell(tenon_conn *conn, tenon_event *event, lone frame)
{
    size_t all = frame.head + frame.size;
    conn->bits = (conn->bits & ~BIT_IN_RX) | BIT_EVENT | BIT_IN_LENT | BIT_LONE;
    conn->controls = 0;
    conn->in = frame.at + all;
    conn->in_left -= all;
    conn->offset += all;
    conn->event_size = frame.size;
    conn->event_opcode = frame.first & 0x0f;
    if (conn->stats != NULL) {
        conn->stats->steps++;
        conn->stats->frames_in++;
        conn->stats->messages_in++;
        conn->stats->octets_in += all;
    }
    memset(event, 0, sizeof *event);
    event->type = TENON_EV_DATA;
    event->flags = TENON_FIRST | TENON_LAST | TENON_FRAME_FIRST | TENON_FRAME_LAST;
    event->opcode = frame.first & 0x0f;
    event->frame_size = frame.size;
    event->data = frame.at + frame.head;
    event->size = frame.size;
    return TENON_EVENT;
}

static int is_masked(const tenon_conn *conn)
{
    return (conn->bits & BIT_SERVER) != 0;
}

static inline uint64_t unmask(lone frame)
{
    uint8_t *data = frame.at + frame.head;
    uint32_t key;
    memcpy(&key, data - 4, 4);
    return tenon_mask_short(data, data, frame.size, key);
}

/* Text that is not all ASCII, unmasked already. If it is not good, it is put back. */
static TENON_APART int next_text(tenon_conn *conn, tenon_event *event, size_t head, size_t size)
{
    tenon_utf8 state = {0, 0, 0, 0};
    lone frame = {conn->in, head, size, 0x80 | TENON_TEXT};
    uint8_t *data = conn->in + head;
    if (tenon_utf8_check(&state, data, size) == size && state.need == 0)
        return tell(conn, event, frame);
    if (is_masked(conn))
        tenon_mask(data, data, size, data - 4, 0);
    return tenon_conn_next(conn, event);
}

/* The same in one pass, for a payload that is worth it. */
static TENON_APART int next_long(tenon_conn *conn, tenon_event *event, size_t head, size_t size)
{
    tenon_utf8 state = {0, 0, 0, 0};
    lone frame = {conn->in, head, size, conn->in[0]};
    uint8_t *data = conn->in + head;
    size_t good = size;
    if (!is_masked(conn))
        return frame.first == (0x80 | TENON_TEXT) ? next_text(conn, event, head, size) : tell(conn, event, frame);
    if (frame.first == (0x80 | TENON_TEXT))
        good = tenon_mask_utf8(data, data, size, data - 4, 0, &state);
    else
        tenon_mask(data, data, size, data - 4, 0);
    if (good == size && state.need == 0)
        return tell(conn, event, frame);
    tenon_mask(data, data, good, data - 4, 0);
    return tenon_conn_next(conn, event);
}

/* A frame that is not short: a length of 16 bits is still worth the while. */
static TENON_APART int next_other(tenon_conn *conn, tenon_event *event)
{
    const uint8_t *in = conn->in;
    size_t size, head = is_masked(conn) ? 8 : 4;
    if (conn->lone_max == 0 || conn->in_left < head || (in[1] & 0x7f) != 126 || (in[1] >> 7) != is_masked(conn))
        return tenon_conn_next(conn, event);
    size = (size_t)in[2] << 8 | in[3];
    if (size < 126 || size > conn->in_left - head || size > tenon_recv_limit(conn))
        return tenon_conn_next(conn, event);
    return next_long(conn, event, head, size);
}

/* From 1 to most; 0 counts as too many. */
static inline TENON_WRAPS int is_size_of_lone(size_t size, uint32_t most)
{
    return size - 1 < most;
}

/* masked: the bit beside the length, as it has to be. */
static inline int next_lone(tenon_conn *conn, tenon_event *event, uint32_t masked)
{
    lone frame;
    frame.at = conn->in;
    frame.head = 2 + (masked >> 5);
    if ((conn->bits & BITS_SLOW) != 0 || conn->in_left <= frame.head)
        return tenon_conn_next(conn, event);
    frame.first = frame.at[0];
    if ((uint8_t)(frame.first - (0x80 | TENON_TEXT)) > 1)
        return tenon_conn_next(conn, event);
    frame.size = frame.at[1] ^ masked;
    if (!is_size_of_lone(frame.size, conn->lone_max))
        return next_other(conn, event);
    if (frame.size > conn->in_left - frame.head)
        return tenon_conn_next(conn, event);
    if (frame.first == (0x80 | TENON_TEXT) &&
        (!masked || (unmask(frame) & TENON_HIGH_BITS) != 0))
        return next_text(conn, event, frame.head, frame.size);
    if (frame.first != (0x80 | TENON_TEXT) && masked)
        unmask(frame);
    return tell(conn, event, frame);
}

int tenon_next_here(tenon_conn *conn, tenon_event *event)
{
    return is_masked(conn) ? next_lone(conn, event, 0x80) : next_lone(conn, event, 0);
}

#else

int tenon_next_here(tenon_conn *conn, tenon_event *event)
{
    return tenon_conn_next(conn, event);
}

#endif

int tenon_next(tenon_conn *conn, tenon_event *event)
{
    if (conn == NULL || event == NULL)
        return TENON_ERR_NULL;
    if (conn->bits & BIT_RUNNING)
        return TENON_ERR_REENTRY;
    return tenon_next_here(conn, event);
}
