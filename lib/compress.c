/* SPDX-License-Identifier: MIT */
/* permessage-deflate on a connection: blocks that are lent, messages in, messages out. */
#include "conn.h"

#include "agree.h"
#include "deflate.h"

static const tenon_deflate *settings(const tenon_conn *conn)
{
    return (const tenon_deflate *)conn->config->transform_config;
}

/* ------------------------------------------------------------------ messages in */

/* The next octets of the frame go onto the stage, unmasked; how many. */
static size_t stage(tenon_conn *conn)
{
    size_t n = tenon_recv_lent(conn);
    uint8_t *to = tenon_inflater_stage(conn->inflater, &n);
    const uint8_t *key = tenon_recv_key(conn);
    if (n == 0)
        return 0;
    if (key != NULL)
        tenon_mask(to, conn->in, n, key, tenon_recv_phase(conn));
    else
        memcpy(to, conn->in, n);
    conn->u.frame.left -= n;
    tenon_conn_consume(conn, n);
    tenon_inflater_staged(conn->inflater, n);
    return n;
}

/* Octets inflated so far in this step, or of the whole message, lie here. */
static uint8_t *place(const tenon_conn *conn)
{
    return conn->rx + TENON_RX_RESERVE;
}

/* Besides the STEP_ values: go on in the same step. */
enum { STEP_ON = 3 };

/* Tells what was inflated: pieces as they come, whole messages when they end. */
static int tell(tenon_conn *conn, int ends, int drop)
{
    size_t n = conn->held;
    unsigned flags = conn->u.frame.message.first & (TENON_RSV2 | TENON_RSV3);
    if (!conn->u.frame.message.told)
        flags |= TENON_FRAME_FIRST;
    if (!ends && (n == 0 || (tenon_recv_whole(conn) && !drop)))
        return STEP_AGAIN;
    conn->held = 0;
    if (drop && ends)
        tenon_recv_done(conn);
    if (drop)
        return STEP_AGAIN;
    conn->bits |= BIT_IN_RX;
    return tenon_recv_tell(conn, place(conn), n, ends ? flags | TENON_FRAME_LAST | TENON_LAST : flags);
}

/* Told first is what was good, then the connection fails. */
static int fail(tenon_conn *conn, uint16_t rule, uint64_t offset, int drop)
{
    conn->bits |= BIT_BAD_TEXT;
    conn->rule = rule;
    conn->fault = offset;
    return tell(conn, 0, drop);
}

/* Where what is found in inflated octets was: the last octet of the frame's header,
 * for it is the same however the input was cut. */
static uint64_t frame_offset(const tenon_conn *conn)
{
    return conn->offset - (conn->u.frame.header.size - conn->u.frame.left) - 1;
}

/* Behind the tail, with all inflated. */
static int finish(tenon_conn *conn, int drop)
{
    if (!tenon_inflater_whole(conn->inflater))
        return fail(conn, TENON_RULE_DEFLATE_END, conn->offset - 1, drop);
    if (conn->u.frame.message.text && !tenon_message_whole(&conn->u.frame.message))
        return fail(conn, TENON_RULE_UTF8_END, conn->offset - 1, drop);
    conn->inflater->active = 0;
    tenon_recv_frame_done(conn);
    return tell(conn, 1, drop);
}

/* There is nothing to inflate: fills the stage from the frame, or with the tail. */
static int feed(tenon_conn *conn, int drop)
{
    int step;
    if (conn->inflater->tail)
        return finish(conn, drop);
    if (stage(conn) > 0)
        return STEP_ON;
    if (conn->u.frame.left == 0 && (conn->u.frame.header.first & 0x80) != 0)
        return tenon_inflater_finish(conn->inflater) == TENON_OK
                   ? STEP_ON
                   : fail(conn, TENON_RULE_DEFLATE_EMPTY, conn->offset - 1, drop);
    step = tell(conn, 0, drop);
    if (conn->u.frame.left > 0)
        return step == STEP_EVENT ? STEP_EVENT : STEP_IDLE;
    tenon_recv_frame_done(conn);
    return step;
}

/* The limit leaves no room: one octet more is too much. */
static int probe(tenon_conn *conn, int drop)
{
    uint8_t extra;
    size_t n = 0;
    int status = tenon_inflater_run(conn->inflater, &extra, 1, &n);
    if (n > 0)
        return fail(conn, TENON_RULE_MESSAGE_SIZE, frame_offset(conn), drop);
    return status == TENON_OK ? STEP_ON : fail(conn, TENON_RULE_DEFLATE, frame_offset(conn), drop);
}

/* Inflates into the room that rx and the limit leave, and checks text. */
static int inflate(tenon_conn *conn, int drop)
{
    tenon_message *message = &conn->u.frame.message;
    size_t room = conn->room - conn->held, n = 0, good;
    uint64_t left = tenon_recv_limit(conn) - message->size;
    uint8_t *out = place(conn) + conn->held;
    int status;
    if (room > left)
        room = (size_t)left;
    status = tenon_inflater_run(conn->inflater, out, room, &n);
    good = message->text ? tenon_utf8_check(&message->utf8, out, n) : n;
    conn->held += (uint32_t)good;
    message->size += good;
    if (good < n)
        return fail(conn, TENON_RULE_UTF8, frame_offset(conn), drop);
    return status == TENON_OK ? STEP_ON : fail(conn, TENON_RULE_DEFLATE, frame_offset(conn), drop);
}

/* No room in rx for what comes. */
static int no_room(tenon_conn *conn, int drop)
{
    if (conn->held > 0 && (drop || !tenon_recv_whole(conn)))
        return tell(conn, 0, drop);
    conn->bits |= BIT_WANTS_RX;
    return STEP_IDLE;
}

/* Works on a frame until there is something to tell, or more is needed. */
static int inflate_step(tenon_conn *conn, int drop)
{
    int found = STEP_ON;
    if (conn->inflater == NULL) {
        conn->deflate |= DEFLATE_WANTS_INFLATE;
        conn->bits |= BIT_WANTS_RX;
        return STEP_IDLE;
    }
    if (!conn->inflater->active)
        tenon_inflater_begin(conn->inflater, (conn->deflate & TENON_DEFLATE_RESET_IN) != 0);
    while (found == STEP_ON) {
        if (tenon_inflater_hungry(conn->inflater))
            found = feed(conn, drop);
        else if (conn->u.frame.message.size >= tenon_recv_limit(conn))
            found = probe(conn, drop);
        else if (conn->held >= conn->room)
            found = no_room(conn, drop);
        else
            found = inflate(conn, drop);
    }
    return found;
}

/* The same, and whether there is more to do without further input. */
static int step(tenon_conn *conn, int drop)
{
    int found = inflate_step(conn, drop);
    conn->deflate &= (uint8_t)~DEFLATE_STAGED;
    if (conn->inside &&
        (conn->u.frame.left == 0 || (conn->inflater != NULL && !tenon_inflater_hungry(conn->inflater))))
        conn->deflate |= DEFLATE_STAGED;
    return found;
}

/* ----------------------------------------------------------------- messages out */

/* Whether the codec can keep to the window that was agreed. */
static int can_compress(const tenon_conn *conn)
{
    return conn->out_bits >= settings(conn)->codec->min_bits;
}

static int chosen(const tenon_conn *conn, size_t n, uint32_t flags)
{
    uint32_t threshold = tenon_limit(settings(conn)->threshold, 64);
    if ((flags & TENON_UNCOMPRESSED) != 0 || !can_compress(conn))
        return 0;
    return (flags & TENON_COMPRESS) != 0 || (threshold != TENON_OFF && n >= threshold);
}

/* Octets on the wire at most, of so many that go through the stage that often: each time
 * max_frame_out cuts them once more. */
static uint64_t framed(const tenon_conn *conn, uint64_t n, uint64_t times)
{
    return n + (times + n / tenon_frame_out_max(conn)) * TENON_FRAME_HEADER_MAX;
}

/* In the worst case. */
static uint64_t bound(const tenon_conn *conn, size_t n)
{
    size_t most = tenon_deflater_bound(conn->deflater, n);
    return framed(conn, most, most / tenon_deflater_frame(conn->deflater) + 1);
}

/* Whether there is room for what is ready: there is, unless a codec makes more of its
 * input than its bound. */
static int has_room(const tenon_conn *conn)
{
    return framed(conn, conn->deflater->ready, 1) <= tenon_queue_room(&conn->queue);
}

/* The reference goes no further, or a message has gone out that the compressor does
 * not know of, but the peer's window does. */
static void overtaken(tenon_conn *conn)
{
    conn->deflate &= (uint8_t)~DEFLATE_REF;
    if (conn->deflater != NULL)
        tenon_deflater_reset(conn->deflater);
}

/* Nothing is compressed from here on. The Close is for who called to send, whom this
 * must not call again. */
static void codec_failed(tenon_conn *conn)
{
    conn->deflate &= (uint8_t)~DEFLATE_REF;
    conn->ref_left = 0;
    conn->bits &= ~BIT_REF_FIRST;
    tenon_conn_fault(conn, TENON_RULE_CODEC, conn->offset);
    tenon_conn_drain(conn);
    if ((conn->bits & (BIT_CLOSE_SENT | BIT_CLOSE_PENDING)) == 0)
        tenon_send_close(conn, TENON_CLOSE_INTERNAL, 0);
}

/* The message is over: the next one may have to start afresh. */
static void message_over(tenon_conn *conn)
{
    if (conn->deflate & TENON_DEFLATE_RESET_OUT)
        tenon_deflater_reset(conn->deflater);
}

static int put(tenon_conn *conn, uint8_t first, const uint8_t *data, size_t n, int end)
{
    tenon_deflater *d = conn->deflater;
    int last = 0, status = tenon_send_check_block(conn);
    if (status == TENON_OK)
        status = tenon_send_check_room(conn, bound(conn, n));
    if (status != TENON_OK)
        return status;
    while (!last) {
        if (tenon_deflater_run(d, &data, &n, end) != TENON_OK || !has_room(conn)) {
            codec_failed(conn);
            tenon_send_waiting(conn);
            return TENON_OK; /* it was accepted; now the connection ends with 1011 */
        }
        last = d->ended;
        status = tenon_send_frames(conn, first, d->stage, d->ready, end && last ? TENON_FIN_BIT : 0);
        if (status != TENON_OK)
            return status;
        tenon_deflater_taken(d, d->ready);
        first = TENON_CONTINUATION;
    }
    if (end)
        message_over(conn);
    return TENON_OK;
}

static int put_ref(tenon_conn *conn)
{
    tenon_deflater *d = conn->deflater;
    uint8_t first = conn->bits & BIT_REF_FIRST ? conn->ref_opcode : (uint8_t)TENON_CONTINUATION;
    size_t n;
    int last;
    if (!d->shown && tenon_deflater_run(d, &conn->ref_data, &conn->ref_left, 1) != TENON_OK) {
        codec_failed(conn);
        return 1; /* nothing is left of it */
    }
    n = tenon_send_frame_max(conn);
    if (n > d->ready)
        n = d->ready;
    last = d->ended && n == d->ready;
    if (!tenon_send_has_room(conn, n) || tenon_send_frames(conn, first, d->stage, n, last ? TENON_FIN_BIT : 0) != TENON_OK)
        return 0;
    conn->bits &= ~BIT_REF_FIRST;
    tenon_deflater_taken(d, n);
    if (last) {
        conn->deflate &= (uint8_t)~DEFLATE_REF;
        message_over(conn);
    }
    return 1;
}

/* -------------------------------------------------------------------- handshake */

static void agree(tenon_conn *conn, const tenon_agreed *agreed)
{
    conn->out_bits = agreed->out_bits;
    conn->in_bits = agreed->in_bits;
    conn->deflate = (uint8_t)(DEFLATE_ON | agreed->flags);
    conn->rsv_first |= TENON_RSV1;
}

static void offer(const tenon_conn *conn, char *text)
{
    tenon_agree_offer(settings(conn), text);
}

static void answer(tenon_conn *conn, const tenon_fields *request, char *text)
{
    tenon_agreed agreed;
    if ((conn->rsv_first | conn->rsv_next) & TENON_RSV1)
        return; /* the bit has an owner (RFC 7692, 5) */
    tenon_agree_answer(settings(conn), request, text, &agreed);
    if (agreed.on)
        agree(conn, &agreed);
}

static void undo(tenon_conn *conn)
{
    if ((conn->deflate & DEFLATE_ON) == 0)
        return;
    conn->deflate = 0;
    conn->rsv_first &= (uint8_t)~TENON_RSV1;
}

static uint16_t judge(tenon_conn *conn, const tenon_fields *fields, const char **at)
{
    tenon_agreed agreed;
    if (!tenon_agree_check(settings(conn), fields, &agreed, at))
        return TENON_RULE_DEFLATE_AGREED;
    if (agreed.on)
        agree(conn, &agreed);
    return TENON_RULE_NONE;
}

/* A client that cannot do without it says so (RFC 7692, 5.1), in the next step. */
static void opened(tenon_conn *conn)
{
    if ((conn->deflate & DEFLATE_ON) != 0 || (settings(conn)->flags & TENON_DEFLATE_REQUIRED) == 0)
        return;
    conn->bits |= BIT_CLOSE_ASKED;
    conn->cause = TENON_LOCAL;
    tenon_send_close(conn, TENON_CLOSE_EXTENSION, 0);
}

/* ----------------------------------------------------------------------- blocks */

static int is_deflater_free(const tenon_conn *conn)
{
    return (conn->deflate & DEFLATE_REF) == 0 && (conn->out_opcode & TENON_RSV1) == 0;
}

static int is_inflater_free(const tenon_conn *conn)
{
    return !conn->inflater->active && (conn->deflate & TENON_DEFLATE_RESET_IN) != 0;
}

static uint32_t wants(const tenon_conn *conn)
{
    uint32_t found = 0;
    if ((conn->deflate & DEFLATE_WANTS_DEFLATE) != 0 && conn->want_room > 0)
        found |= TENON_WANTS_DEFLATE;
    if (conn->deflater != NULL && is_deflater_free(conn))
        found |= TENON_FREE_DEFLATE;
    if (conn->inflater != NULL && is_inflater_free(conn))
        found |= TENON_FREE_INFLATE;
    return found;
}

static unsigned memory_level(const tenon_deflate *deflate)
{
    return deflate->memory_level == 0 ? 8 : deflate->memory_level;
}

size_t tenon_deflate_size(const tenon_conn *conn)
{
    if (conn == NULL || (conn->deflate & DEFLATE_ON) == 0 || !can_compress(conn))
        return 0;
    return tenon_deflater_size(settings(conn)->codec, conn->out_bits, memory_level(settings(conn)));
}

size_t tenon_inflate_size(const tenon_conn *conn)
{
    if (conn == NULL || (conn->deflate & DEFLATE_ON) == 0)
        return 0;
    return tenon_inflater_size(settings(conn)->codec, conn->in_bits);
}

/* What both lends refuse. free: the block that is lent now may go. */
static int check_block(const void *block, size_t size, size_t least, int is_free)
{
    if (block == NULL && size > 0)
        return TENON_ERR_NULL;
    if (least == 0) /* nothing agreed */
        return TENON_ERR_STATE;
    if (block != NULL && (size < least || !tenon_block_aligned(block)))
        return TENON_ERR_SIZE;
    return is_free ? TENON_OK : TENON_ERR_BUSY;
}

int tenon_lend_deflate(tenon_conn *conn, void *block, size_t size)
{
    tenon_deflater *made = NULL;
    int status = conn == NULL ? TENON_ERR_NULL
                              : check_block(block, size, tenon_deflate_size(conn), is_deflater_free(conn));
    if (status != TENON_OK)
        return status;
    if (block != NULL)
        made = tenon_deflater_make(settings(conn), conn->out_bits, block, size);
    if (block != NULL && made == NULL)
        return TENON_ERR_SIZE;
    conn->deflater = made;
    if (made != NULL)
        conn->deflate &= (uint8_t)~DEFLATE_WANTS_DEFLATE;
    return TENON_OK;
}

int tenon_lend_inflate(tenon_conn *conn, void *block, size_t size)
{
    tenon_inflater *made = NULL;
    int status = conn == NULL ? TENON_ERR_NULL
                              : check_block(block, size, tenon_inflate_size(conn),
                                            conn->inflater == NULL || is_inflater_free(conn));
    if (status != TENON_OK)
        return status;
    if (block != NULL)
        made = tenon_inflater_make(settings(conn)->codec, conn->in_bits, block, size);
    if (block != NULL && made == NULL)
        return TENON_ERR_SIZE;
    conn->inflater = made;
    if ((conn->deflate & DEFLATE_WANTS_INFLATE) != 0 && made != NULL) {
        conn->deflate &= (uint8_t)~DEFLATE_WANTS_INFLATE;
        conn->bits &= ~BIT_WANTS_RX;
    }
    return TENON_OK;
}

/* --------------------------------------------------------------- the public rest */

static int is_between(unsigned value, unsigned least, unsigned most)
{
    return value == 0 || (value >= least && value <= most);
}

int tenon_config_deflate(tenon_config *config, const tenon_deflate *deflate)
{
    static const struct tenon_transform transform = {offer, answer, undo,  judge, opened, chosen,
                                                     put,   put_ref, step,  wants,  overtaken};
    const tenon_codec *codec;
    if (config == NULL || deflate == NULL || deflate->codec == NULL)
        return TENON_ERR_NULL;
    codec = deflate->codec;
    if (config->size < TENON_CONFIG_LEAST || deflate->size < TENON_DEFLATE_LEAST || codec->size < TENON_CODEC_LEAST)
        return TENON_ERR_SIZE;
    if (!is_between(deflate->out_bits, codec->min_bits, codec->max_bits) || !is_between(deflate->in_bits, 8, 15) ||
        !is_between(deflate->level, 1, 9) || !is_between(deflate->memory_level, 1, 9) ||
        (deflate->flags & ~(TENON_DEFLATE_RESET_OUT | TENON_DEFLATE_RESET_IN | TENON_DEFLATE_REQUIRED)) != 0)
        return TENON_ERR_ARG;
    config->transform = &transform;
    config->transform_config = deflate;
    return TENON_OK;
}

int tenon_deflate_get(const tenon_conn *conn, tenon_agreed *agreed)
{
    uint32_t size;
    if (conn == NULL || agreed == NULL)
        return TENON_ERR_NULL;
    if (agreed->size < TENON_AGREED_LEAST)
        return TENON_ERR_SIZE;
    if (conn->phase < TENON_PHASE_OPENING)
        return TENON_ERR_STATE;
    size = agreed->size;
    (void)tenon_clear(agreed, size, sizeof *agreed);
    agreed->size = size;
    if ((conn->deflate & DEFLATE_ON) == 0)
        return TENON_OK;
    agreed->on = 1;
    agreed->out_bits = conn->out_bits;
    agreed->in_bits = conn->in_bits;
    agreed->flags = conn->deflate & (TENON_DEFLATE_RESET_OUT | TENON_DEFLATE_RESET_IN);
    return TENON_OK;
}

int tenon_deflate_set(tenon_conn *conn, const tenon_agreed *agreed)
{
    if (conn == NULL || agreed == NULL)
        return TENON_ERR_NULL;
    if (agreed->size < TENON_AGREED_LEAST)
        return TENON_ERR_SIZE;
    if (conn->config->transform == NULL || conn->config->handshake != NULL || conn->phase != TENON_PHASE_OPENING ||
        (conn->bits & BIT_EVENT) != 0 || ((conn->rsv_first | conn->rsv_next) & TENON_RSV1) != 0)
        return TENON_ERR_STATE;
    if (agreed->on && (agreed->out_bits < 8 || agreed->out_bits > settings(conn)->codec->max_bits ||
                       agreed->in_bits < 8 || agreed->in_bits > 15 ||
                       (agreed->flags & ~(TENON_DEFLATE_RESET_OUT | TENON_DEFLATE_RESET_IN)) != 0))
        return TENON_ERR_ARG;
    if (agreed->on)
        agree(conn, agreed);
    return TENON_OK;
}
