/* SPDX-License-Identifier: MIT */
/*
 * One connection through one case in one variant. What the library may not do
 * shows here: memory is lent in blocks of exact size that are spoilt before and
 * given back at once after; every call is counted; what tenon_wants says must be so.
 */
#include "transcript.h"

#define POISON 0xA5

void fail(run *r, const char *format, ...)
{
    char text[512];
    va_list list;
    if (r->failed)
        return;
    r->failed = 1;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    put_text(&r->trouble, "%s:%d: ", r->test->file, r->line);
    put_octets(&r->trouble, text, strlen(text));
}

static uint8_t *spoilt_memory(size_t n)
{
    uint8_t *memory = n > 0 ? take_memory(n) : NULL;
    if (memory != NULL)
        memset(memory, POISON, n);
    return memory;
}

/* A number below sides, the same for the same seed; 0 where nothing is random. */
uint64_t throw_dice(run *r, uint64_t sides)
{
    if (r->how.cuts != CUT_RANDOM)
        return 0;
    r->dice ^= r->dice << 13;
    r->dice ^= r->dice >> 7;
    r->dice ^= r->dice << 17;
    return (r->dice >> 11) % sides;
}

/* 01 02 .. 10 for the key of the handshake; four octets that never repeat for the
 * key of a frame. */
static int random_octets(void *user, void *out, size_t n)
{
    run *r = user;
    uint8_t *to = out;
    uint32_t key = 0x37fa213du ^ (++r->random_calls * 2654435761u);
    size_t i;
    for (i = 0; i < n; i++)
        to[i] = (uint8_t)(n == 16 ? i + 1 : key >> (24 - 8 * (i & 3)) & 255);
    if (r->random_calls == r->test->random_fails) {
        memset(out, POISON, n);
        return 1;
    }
    if (n == 4)
        put_octets(&r->keys, out, 4);
    else if (n != 16)
        fail(r, "random: %lu octets at once", (unsigned long)n);
    return 0;
}

/* --------------------------------------------------------------------- events */

/* Calls that must not nest. */
static void check_reentry(run *r)
{
    tenon_event event;
    const void *rest;
    uint8_t octet = 0;
    size_t n;
    if (tenon_next(r->conn, &event) != TENON_ERR_REENTRY || tenon_recv(r->conn, &octet, 1) != TENON_ERR_REENTRY
        || tenon_unlend(r->conn, &rest, &n) != TENON_ERR_REENTRY)
        fail(r, "a nested call went through");
}

static void free_connection(run *r)
{
    free(r->memory);
    free(r->rx);
    free(r->tx);
    free(r->lent);
    free(r->blocks[0]);
    free(r->blocks[1]);
    r->memory = r->rx = r->tx = r->lent = NULL;
    r->blocks[0] = r->blocks[1] = NULL;
    r->conn = NULL;
}

static void check_released(run *r)
{
    size_t i;
    for (i = 0; i < REFERENCES_MAX; i++) {
        if (r->references[i].state == 1)
            fail(r, "CLOSED before RELEASED of reference %lu", (unsigned long)i);
    }
}

/* What the counters say must be what happened. */
static void check_stats(run *r)
{
    uint64_t bound = 4 * r->stats.octets_in + 4 * r->nexts + 64;
    if (r->stats.octets_out != r->all_out.size)
        fail(r, "octets_out is %lu, not %lu", (unsigned long)r->stats.octets_out, (unsigned long)r->all_out.size);
    if (r->stats.octets_in > r->given)
        fail(r, "octets_in is %lu of %lu", (unsigned long)r->stats.octets_in, (unsigned long)r->given);
    if (r->stats.steps > bound)
        fail(r, "%lu steps for %lu octets", (unsigned long)r->stats.steps, (unsigned long)r->stats.octets_in);
}

/* The same event again is the same in all its parts. */
static int wants_again(run *r, const tenon_event *e)
{
    if (r->again_due) {
        r->again_due = 0;
        if (memcmp(e, &r->again, sizeof *e) != 0)
            fail(r, "%s came again, changed", tenon_event_name(e->type));
        return 0;
    }
    if (throw_dice(r, 4) != 1)
        return 0;
    r->again = *e;
    r->again_due = 1;
    return 1;
}

/* A block of the exact size, once: inflate 0 to compress, 1 to inflate. */
static int lend_block(run *r, int inflate)
{
    size_t size = inflate ? tenon_inflate_size(r->conn) : tenon_deflate_size(r->conn);
    int status;
    if (size == 0 || r->blocks[inflate] != NULL)
        return 0;
    r->blocks[inflate] = spoilt_memory(size);
    status = inflate ? tenon_lend_inflate(r->conn, r->blocks[inflate], size)
                     : tenon_lend_deflate(r->conn, r->blocks[inflate], size);
    if (status != TENON_OK)
        fail(r, "a block was refused with %s", tenon_status_name(status));
    return 1;
}

/* One event; returns what a callback does. */
static int take_event(run *r, const tenon_event *e)
{
    static const uint8_t zero[sizeof e->reserved] = {0};
    size_t i;
    if (e->reserved16 != 0 || memcmp(e->reserved, zero, sizeof zero) != 0 || (e->data == NULL && e->size > 0))
        fail(r, "%s with a reserve that is not zero", tenon_event_name(e->type));
    if (r->closed)
        fail(r, "%s after CLOSED", tenon_event_name(e->type));
    if (e->type == TENON_EV_CLOSED) {
        log_event(r, e);
        check_released(r);
        check_stats(r);
        r->closed = 1;
        return TENON_CONTINUE;
    }
    if (r->in_callback)
        check_reentry(r);
    if (wants_again(r, e))
        return TENON_AGAIN;
    if (e->type == TENON_EV_RELEASED)
        release(r, e->cookie);
    log_event(r, e);
    if (e->type == TENON_EV_OPEN || e->type == TENON_EV_RESPONSE)
        release_request(r);
    if (e->type == TENON_EV_OPEN)
        lend_block(r, 0);
    for (i = 0; i < r->test->on_count && !r->failed; i++) {
        if (r->test->on[i].event == e->type)
            act(r, &r->test->on[i], e);
    }
    return throw_dice(r, 5) == 2 ? TENON_STOP : TENON_CONTINUE;
}

/* After CLOSED was delivered to a callback the connection may be gone. */
static int on_event(tenon_conn *conn, const tenon_event *e, void *user)
{
    run *r = user;
    int answer;
    if (conn != r->conn)
        fail(r, "a callback with another connection");
    r->in_callback = 1;
    answer = take_event(r, e);
    r->in_callback = 0;
    if (r->closed)
        free_connection(r);
    return answer;
}

/* --------------------------------------------------------------------- output */

/* Takes what is offered, perhaps only some of it. 0 if there was nothing. */
static size_t take_pieces(run *r, const tenon_iov *iov, size_t count)
{
    size_t i, n, all = 0, took = 0;
    for (i = 0; i < count; i++)
        all += iov[i].size;
    n = throw_dice(r, 3) == 1 ? (size_t)throw_dice(r, all) + 1 : all;
    for (i = 0; i < count && took < n; i++) {
        size_t part = iov[i].size < n - took ? iov[i].size : n - took;
        if (part == 0)
            fail(r, "an empty piece of output");
        put_octets(&r->out, iov[i].base, part);
        put_octets(&r->all_out, iov[i].base, part);
        took += part;
    }
    return took;
}

static int drain(run *r)
{
    tenon_iov iov[16];
    size_t count, n, total = 0;
    while (!r->blocked && !r->failed) {
        if (tenon_out(r->conn, iov, throw_dice(r, 2) == 1 ? 1 : 16, &count) != TENON_OK)
            fail(r, "tenon_out failed");
        if (((tenon_wants(r->conn) & TENON_WANTS_WRITE) != 0) != (count > 0))
            fail(r, "WANTS_WRITE and %lu pieces", (unsigned long)count);
        if (count == 0)
            break;
        n = take_pieces(r, iov, count);
        if (tenon_sent(r->conn, n) != TENON_OK)
            fail(r, "tenon_sent failed");
        total += n;
    }
    return total > 0;
}

/* ---------------------------------------------------------------------- input */

static size_t next_cut(run *r)
{
    static const size_t most[] = {2, 7, 60, 600, 20000};
    size_t n;
    if (r->how.cuts == CUT_OCTETS)
        return r->given + 1;
    if (r->how.cuts == CUT_ONE && r->how.cut > r->given && r->how.cut < r->limit)
        return r->how.cut;
    if (r->how.cuts != CUT_RANDOM)
        return r->limit;
    n = (size_t)throw_dice(r, most[r->how.seed % 5]) + 1;
    return n < r->limit - r->given ? r->given + n : r->limit;
}

/* What is behind the current event must be as it came; const and a client's
 * octets all of it. */
static void check_untouched(run *r, const uint8_t *rest, size_t n)
{
    const uint8_t *all = r->stream->data + r->lent_from;
    if (r->lent == NULL)
        return;
    if ((r->how.constant || r->how.role == TENON_CLIENT) && memcmp(r->lent, all, r->lent_size) != 0)
        fail(r, "lent octets were written to");
    if (n > 0 && memcmp(rest, all + r->lent_size - n, n) != 0)
        fail(r, "octets behind the event were written to");
}

static void drop_lent(run *r)
{
    check_untouched(r, NULL, 0);
    free(r->lent);
    r->lent = NULL;
    r->lent_size = 0;
}

static void lend(run *r)
{
    size_t end = next_cut(r);
    int status;
    drop_lent(r);
    r->lent_from = r->given;
    r->lent_size = end - r->given;
    r->lent = take_memory(r->lent_size);
    memcpy(r->lent, r->stream->data + r->given, r->lent_size);
    r->given = end;
    status = r->how.constant ? tenon_recv_const(r->conn, r->lent, r->lent_size)
                             : tenon_recv(r->conn, r->lent, r->lent_size);
    if (status != TENON_OK)
        fail(r, "tenon_recv gave %s", tenon_status_name(status));
}

/* Whether the current event lies in the lent octets; tenon_abort drops it. */
static int is_lent(const run *r, const tenon_event *e)
{
    return r->lent != NULL && e->size > 0 && e->data >= r->lent && e->data < r->lent + r->lent_size
           && tenon_state(r->conn) != TENON_CLOSED;
}

/* Takes the lend back and gives what is left as a new one; not while the current
 * event lies there. */
static void lend_anew(run *r, const tenon_event *e)
{
    int there = is_lent(r, e);
    const void *rest;
    size_t n;
    int status = tenon_unlend(r->conn, &rest, &n);
    if (status != (there ? TENON_ERR_BUSY : TENON_OK))
        fail(r, "tenon_unlend gave %s", tenon_status_name(status));
    if (there || r->failed)
        return;
    if (n > 0 && ((const uint8_t *)rest < r->lent || (const uint8_t *)rest + n != r->lent + r->lent_size)) {
        fail(r, "tenon_unlend gave back something else");
        return;
    }
    check_untouched(r, rest, n);
    r->given -= n;
    drop_lent(r);
    if (n > 0)
        lend(r);
}

/* ------------------------------------------------------------- pull and run */

static void count_call(run *r)
{
    if (++r->nexts > 12 * r->stream->size + 4000)
        fail(r, "no progress: tenon_next was called %lu times", (unsigned long)r->nexts);
}

static void check_idle(run *r)
{
    uint32_t wants = tenon_wants(r->conn);
    if (wants & TENON_WANTS_NEXT)
        fail(r, "TENON_WANTS_NEXT after tenon_next had nothing to tell");
}

static void pull(run *r)
{
    tenon_event e;
    int status;
    while (!r->failed) {
        int had = (tenon_wants(r->conn) & TENON_WANTS_NEXT) != 0;
        count_call(r);
        memset(&e, POISON, sizeof e);
        status = tenon_next(r->conn, &e);
        if (status < 0)
            fail(r, "tenon_next gave %s", tenon_status_name(status));
        if (status != TENON_EVENT)
            break;
        if (!had && !r->again_due)
            fail(r, "%s without TENON_WANTS_NEXT", tenon_event_name(e.type));
        if (take_event(r, &e) == TENON_AGAIN && tenon_again(r->conn) != TENON_OK)
            fail(r, "tenon_again failed");
        if (r->closed)
            return;
        if (r->how.cut % 2 == 1 || throw_dice(r, 2) == 1)
            drain(r);
        if (!r->eof_told && !r->again_due && throw_dice(r, 4) == 3)
            lend_anew(r, &e);
    }
    check_idle(r);
}

static void run_callbacks(run *r)
{
    int status;
    do {
        count_call(r);
        status = tenon_run(r->conn, on_event, r);
        if (status < 0)
            fail(r, "tenon_run gave %s", tenon_status_name(status));
        if ((status == TENON_DONE) != r->closed)
            fail(r, "tenon_run gave %s", tenon_status_name(status));
    } while (status == TENON_STOPPED && !r->failed);
    if (!r->closed)
        check_idle(r);
}

static void shut(run *r)
{
    r->shut++;
    if (tenon_shut(r->conn) != TENON_OK || (tenon_wants(r->conn) & TENON_WANTS_SHUT_WR) != 0)
        fail(r, "SHUT_WR is asked for again");
}

/* A larger rx, and the old one spoilt. */
static int grow_rx(run *r)
{
    size_t need = tenon_rx_needed(r->conn);
    uint8_t *rx;
    if (!r->test->grow || need <= r->rx_size || need > 1u << 24)
        return 0;
    rx = spoilt_memory(need);
    if (tenon_lend_rx(r->conn, rx, need) != TENON_OK)
        fail(r, "tenon_lend_rx refused what was asked for");
    free(r->rx);
    r->rx = rx;
    r->rx_size = need;
    return 1;
}

/* Whether something is to be done but waiting for the other side. */
static int next_move(run *r)
{
    uint32_t wants = tenon_wants(r->conn);
    if (drain(r) || (wants & TENON_WANTS_NEXT) != 0 || (tenon_wants(r->conn) & TENON_WANTS_NEXT) != 0)
        return 1;
    if (wants & TENON_WANTS_SHUT_WR) {
        shut(r);
        return 1;
    }
    if ((wants & TENON_WANTS_RX) != 0 && grow_rx(r))
        return 1;
    if ((wants & TENON_WANTS_INFLATE) != 0 && lend_block(r, 1))
        return 1;
    if ((wants & TENON_WANTS_READ) != 0 && r->given < r->limit) {
        lend(r);
        if (r->eof_due && r->given == r->limit && r->how.cut % 2 == 1) {
            tenon_eof(r->conn); /* behind what is lent */
            r->eof_told = 1;
        }
        return 1;
    }
    if (r->eof_due && !r->eof_told && r->given == r->limit) {
        tenon_eof(r->conn);
        return r->eof_told = 1;
    }
    return 0;
}

static void work(run *r)
{
    do {
        if (r->how.mode == MODE_RUN)
            run_callbacks(r);
        else
            pull(r);
    } while (!r->closed && !r->failed && next_move(r));
}

/* ----------------------------------------------------------------------- pump */

static int io_recv(void *user, void *buf, size_t n, size_t *got)
{
    run *r = user;
    size_t end;
    if (r->given == r->limit) {
        if (!r->eof_due)
            return TENON_WAIT;
        r->eof_told = 1;
        return TENON_END;
    }
    end = next_cut(r);
    if (end - r->given > n)
        end = r->given + n;
    *got = end - r->given;
    memcpy(buf, r->stream->data + r->given, *got);
    r->given = end;
    return TENON_OK;
}

static int io_send(void *user, const tenon_iov *iov, size_t count, size_t *put)
{
    run *r = user;
    if (r->blocked)
        return TENON_WAIT;
    *put = take_pieces(r, iov, count);
    return TENON_OK;
}

static uint64_t io_now(void *user)
{
    return ((run *)user)->now;
}

static void io_shut(void *user)
{
    ((run *)user)->shut++;
}

static void pump(run *r)
{
    tenon_io io;
    int status;
    memset(&io, 0, sizeof io);
    io.size = sizeof io;
    io.recv = io_recv;
    io.send = io_send;
    io.now = io_now;
    io.shut = io_shut;
    io.event = on_event;
    io.user = r;
    io.buf = r->transport.data;
    io.buf_size = r->transport.size;
    for (;;) {
        size_t before = r->given + r->all_out.size;
        int told = r->eof_told;
        count_call(r);
        status = tenon_pump(r->conn, &io);
        if (status < 0 || (status == TENON_DONE) != r->closed)
            fail(r, "tenon_pump gave %s", tenon_status_name(status));
        if (r->closed || r->failed)
            return;
        if (status != TENON_OK || before != r->given + r->all_out.size || told != r->eof_told)
            continue;
        if ((tenon_wants(r->conn) & TENON_WANTS_INFLATE) != 0 && lend_block(r, 1))
            continue;
        if ((tenon_wants(r->conn) & TENON_WANTS_RX) == 0 || !grow_rx(r))
            break;
    }
    check_idle(r);
}

/* ----------------------------------------------------------- what it came to */

/* Takes the mask off a frame that a client sent, and counts its key. 0: not whole. */
static size_t unmask(run *r, const uint8_t *data, size_t n)
{
    tenon_frame frame;
    uint8_t header[TENON_FRAME_HEADER_MAX], *payload;
    size_t size;
    if (tenon_frame_decode(data, n, &frame, NULL, NULL) != TENON_OK || frame.payload_size > n - frame.header_size)
        return 0;
    if (!frame.masked) {
        fail(r, "a client's frame without mask");
        return 0;
    }
    if (r->keys_seen + 4 > r->keys.size || memcmp(frame.key, r->keys.data + r->keys_seen, 4) != 0)
        fail(r, "a mask that is not fresh from the random source");
    r->keys_seen += 4;
    frame.masked = 0;
    tenon_frame_encode(&frame, header, &size);
    put_octets(&r->plain, header, size);
    payload = take_memory((size_t)frame.payload_size);
    tenon_mask(payload, data + frame.header_size, (size_t)frame.payload_size, frame.key, 0);
    put_octets(&r->plain, payload, (size_t)frame.payload_size);
    free(payload);
    return frame.header_size + (size_t)frame.payload_size;
}

/* Output up to here without masks. */
static void read_output(run *r)
{
    static const char end[] = "\r\n\r\n";
    while (r->unread < r->all_out.size) {
        const uint8_t *data = r->all_out.data + r->unread;
        size_t left = r->all_out.size - r->unread, n = 0;
        if (r->how.role == TENON_SERVER) {
            n = left;
            put_octets(&r->plain, data, n);
        } else if (r->test->handshake && !r->head_seen) {
            while (n + 4 <= left && memcmp(data + n, end, 4) != 0)
                n++;
            n = n + 4 <= left ? n + 4 : left;
            r->head_seen = 1;
            put_octets(&r->plain, data, n);
        } else {
            n = unmask(r, data, left);
        }
        if (n == 0) {
            if (!r->blocked)
                fail(r, "output ends inside a frame");
            return;
        }
        r->unread += n;
    }
}

static void put_octets_as_text(octets *to, const uint8_t *data, size_t n)
{
    put_octets(to, data, n);
}

static void compare(run *r, const char *what, const octets *want, const octets *got, int text)
{
    octets line = {NULL, 0, 0};
    if (r->failed || (want->size == got->size && (want->size == 0 || memcmp(want->data, got->data, got->size) == 0)))
        return;
    fail(r, "%s", what);
    put_text(&r->trouble, "\n  expected ");
    (text ? put_octets_as_text : put_hex)(&line, want->data, want->size);
    put_text(&line, "\n  actual   ");
    (text ? put_octets_as_text : put_hex)(&line, got->data, got->size);
    put_octets(&r->trouble, line.data, line.size);
    free_octets(&line);
}

/* Heads are easier to read as text. */
static int is_head(const octets *o)
{
    return o->size > 4 && (memcmp(o->data, "HTTP", 4) == 0 || memcmp(o->data, "GET ", 4) == 0);
}

static void check_rest(run *r, const expectation *want)
{
    int state = r->conn == NULL ? TENON_CLOSED : tenon_state(r->conn);
    if ((r->shut > 0) != want->shut || r->shut > 1)
        fail(r, want->shut ? "SHUT_WR did not come" : "SHUT_WR came %d times", r->shut);
    if (want->state >= 0 && want->state != state)
        fail(r, "state is %s, not %s", tenon_state_name(state), tenon_state_name(want->state));
    if (want->has_deadline && tenon_deadline(r->conn) != want->deadline)
        fail(r, "deadline is %lld", (long long)tenon_deadline(r->conn));
    if (want->wants >= 0 && r->conn != NULL && tenon_wants(r->conn) != (uint32_t)want->wants)
        fail(r, "wants are %02x, not %02x", tenon_wants(r->conn), (unsigned)want->wants);
}

static void check_phase(run *r, const expectation *want)
{
    log_flush(r);
    read_output(r);
    compare(r, "events differ", &want->log, &r->log, 1);
    if (want->has_wire)
        compare(r, "output differs", &want->wire, &r->out, 0);
    else
        compare(r, "output differs", &want->out, &r->plain, is_head(&r->plain));
    check_rest(r, want);
    *r->how.sum = checksum(*r->how.sum, r->log.data, r->log.size);
    *r->how.sum = checksum(*r->how.sum, r->out.data, r->out.size);
    clear_octets(&r->log);
    clear_octets(&r->out);
    clear_octets(&r->plain);
    r->shut = 0;
}

/* -------------------------------------------------------------------- a case */

/* What a config function makes, with the limits and flags of the case. */
static void make_config(run *r)
{
    tenon_config made;
    if (!r->test->handshake)
        tenon_config_open(&made, sizeof made, r->how.role);
    else if (r->how.role == TENON_SERVER)
        tenon_config_server(&made, sizeof made);
    else
        tenon_config_client(&made, sizeof made);
    r->config = r->test->config;
    r->config.size = made.size;
    r->config.role = made.role;
    r->config.handshake = made.handshake;
    if (r->test->deflate.codec != NULL && tenon_config_deflate(&r->config, &r->test->deflate) != TENON_OK)
        fail(r, "tenon_config_deflate failed");
    r->config.random = r->how.role == TENON_CLIENT ? random_octets : NULL;
    r->config.random_user = r;
}

/* A connection that begins open has agreed to what the case configures. */
static void agree(run *r)
{
    const tenon_deflate *d = &r->test->deflate;
    tenon_agreed agreed;
    memset(&agreed, 0, sizeof agreed);
    agreed.size = (uint32_t)sizeof agreed;
    agreed.on = 1;
    agreed.out_bits = d->out_bits > 0 ? d->out_bits : 15;
    agreed.in_bits = d->in_bits > 0 ? d->in_bits : 15;
    agreed.flags = (uint8_t)(d->flags & (TENON_DEFLATE_RESET_OUT | TENON_DEFLATE_RESET_IN));
    if (tenon_deflate_set(r->conn, &agreed) != TENON_OK)
        fail(r, "tenon_deflate_set failed");
}

static void begin(run *r)
{
    const test_case *t = r->test;
    size_t size = tenon_conn_size();
    int status;
    make_config(r);
    r->memory = spoilt_memory(size);
    r->rx = spoilt_memory(t->rx);
    r->tx = spoilt_memory(t->tx);
    r->rx_size = t->rx;
    r->stats.size = (uint32_t)sizeof r->stats;
    status = tenon_init(r->memory, size, &r->config, &r->conn);
    if (status == TENON_OK)
        status = tenon_lend(r->conn, r->rx, t->rx, r->tx, t->tx);
    if (status != TENON_OK)
        fail(r, "tenon_init or tenon_lend gave %s", tenon_status_name(status));
    if (t->deflate.codec != NULL && !t->handshake)
        agree(r);
    tenon_lend_stats(r->conn, &r->stats);
    if (t->ticks)
        tenon_tick(r->conn, 0);
}

static void settle(run *r)
{
    if (r->closed || r->failed)
        return;
    if (r->how.mode == MODE_PUMP)
        pump(r);
    else
        work(r);
    if (r->closed || r->failed)
        return;
    if (r->given < r->limit && (tenon_wants(r->conn) & (TENON_WANTS_DECISION | TENON_WANTS_RX)) == 0)
        fail(r, "%lu octets of input are not taken", (unsigned long)(r->limit - r->given));
}

static void do_step(run *r, const step *s)
{
    r->line = s->line;
    if (s->kind == STEP_CHECK) {
        check_phase(r, &s->want);
        return;
    }
    if (s->kind == STEP_DO) {
        settle(r);
        if (r->closed)
            fail(r, "an action after CLOSED");
        if (!r->failed)
            act(r, &s->act, NULL);
    }
    if (s->kind == STEP_TICK) {
        settle(r);
        r->now = s->ms;
        if (!r->closed && r->how.mode != MODE_PUMP)
            tenon_tick(r->conn, r->now);
    }
    if (s->kind == STEP_EOF)
        r->eof_due = 1;
}

/* Whatever is left must end with one CLOSED, and no event may follow it. */
static void end(run *r)
{
    tenon_event e;
    int had = r->closed;
    r->blocked = 0;
    if (!r->closed && !r->failed) {
        if (tenon_abort(r->conn, TENON_LOCAL) != TENON_OK)
            fail(r, "tenon_abort failed");
        r->again_due = 0;
        r->how.cuts = CUT_NONE;
        work(r);
        if (!r->closed)
            fail(r, "no CLOSED after tenon_abort");
    }
    if (!r->failed && r->conn != NULL) {
        if (tenon_next(r->conn, &e) != TENON_OK || tenon_wants(r->conn) != TENON_WANTS_CLOSE
            || tenon_state(r->conn) != TENON_CLOSED || tenon_deadline(r->conn) != TENON_NEVER)
            fail(r, "not at rest after CLOSED");
    }
    if (r->log.size > 0 && had)
        fail(r, "events without an expectation");
}

static void free_run(run *r)
{
    size_t i;
    free_connection(r);
    release_request(r);
    for (i = 0; i < REFERENCES_MAX; i++)
        free(r->references[i].data);
    free_octets(&r->transport);
    free_octets(&r->keys);
    free_octets(&r->out);
    free_octets(&r->plain);
    free_octets(&r->log);
    free_octets(&r->pending);
}

/* 1 if all was as expected; else what was not in *trouble. *all_out: its output. */
int run_case(const test_case *test, const variant *how, const octets *stream, const size_t *places,
             size_t places_count, octets *all_out, octets *trouble)
{
    run r;
    size_t i, written = 0;
    memset(&r, 0, sizeof r);
    r.test = test;
    r.how = *how;
    r.dice = how->seed * 0x9e3779b97f4a7c15u + 1;
    r.stream = stream;
    r.places = places;
    r.places_count = places_count;
    r.line = test->line;
    r.transport.size = how->cuts == CUT_RANDOM ? 1 + (size_t)throw_dice(&r, 64) : stream->size + 1;
    r.transport.data = take_memory(r.transport.size);
    begin(&r);
    for (i = 0; i < test->step_count && !r.failed; i++) {
        const step *s = &test->steps[i];
        written += s->input.size;
        if (s->kind == STEP_INPUT && s->input.size > 0)
            r.limit = places[written];
        if (s->kind == STEP_CHECK) /* of what was done since the last one */
            settle(&r);
        do_step(&r, s);
    }
    if (!r.failed)
        end(&r);
    *all_out = r.all_out;
    *trouble = r.trouble;
    free_run(&r);
    return !r.failed;
}
