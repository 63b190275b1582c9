/* SPDX-License-Identifier: MIT */
/*
 * A client and a server back to back in memory, for the tests of faults and the soak:
 * two parties, a pipe each way, one clock. Each party tells what it said, and is
 * judged by what it hears: every event legal after the one before, messages a prefix
 * of what the other said, RELEASED once for each reference, CLOSED once, and nothing
 * written around the memory that was lent. Whoever includes this defines
 * DUET_FAIL(party, what), which does not return.
 */
#ifndef TENON_TEST_DUET_H
#define TENON_TEST_DUET_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tenon/tenon.h"
#include "tenon/zlib.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define DUET_POISON(p, n) ASAN_POISON_MEMORY_REGION(p, n)
#define DUET_UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#else
#define DUET_POISON(p, n) ((void)(p), (void)(n))
#define DUET_UNPOISON(p, n) ((void)(p), (void)(n))
#endif

#define DUET_CHECK(party, condition)         \
    do {                                     \
        if (!(condition))                    \
            DUET_FAIL(party, #condition);    \
    } while (0)

enum { DUET_PIPE = 4096, DUET_LOG = 64, DUET_REFS = 4, DUET_REF_MAX = 6000, DUET_GUARD = 64, DUET_BUF = 1500 };

/* Lent memory between two guards. */
typedef struct lent {
    uint8_t *base;
    size_t size;
} lent;

typedef struct said {
    uint8_t opcode;
    uint8_t done;
    uint32_t number; /* what the content is made of */
    size_t size;
} said;

typedef struct reference {
    uint8_t *data;
    size_t size;
    int live;
} reference;

/* From one party to the other. */
typedef struct pipe_way {
    uint8_t octets[DUET_PIPE];
    size_t first, size;
    int ended; /* nothing more is written */
    int reset; /* writes and reads fail */
    int cut;   /* what is written goes nowhere, and reads find the end */
} pipe_way;

typedef struct party {
    struct duet *duet;
    struct party *peer;
    int role;
    tenon_config config;
    tenon_conn *conn;
    tenon_request request;
    lent home, rx, tx, deflate, inflate, buf;
    tenon_stats stats;
    pipe_way way; /* what it writes */
    /* what it said */
    said log[DUET_LOG];
    unsigned log_count;
    int streaming; /* the last of them is unfinished */
    reference refs[DUET_REFS];
    int refused; /* and WRITABLE is due */
    unsigned step; /* in its script */
    unsigned random_calls;
    int asked;   /* tenon_close was called */
    int aborted; /* tenon_abort was */
    int dropped; /* and so the current event was */
    /* what it heard */
    unsigned heard;
    size_t heard_at;
    int requested, opened, responded, close_seen, closed, inside;
    int kept; /* the event comes again */
    int in_callback;
    tenon_event last; /* the event before, or the last one */
    uint64_t messages, octets;
} party;

typedef struct duet {
    party client, server;
    party *turn; /* who is at work */
    tenon_deflate deflate;
    uint64_t now;
    uint64_t wake;  /* when something will happen by itself, if it is not over */
    uint64_t moves; /* grows with whatever happens */
    int idle;       /* nothing has, in the round before */
    uint64_t seed;
    int pull; /* driven by tenon_next, not by tenon_pump */
    int chunks;
    int compressed;
    /* The program: what to say, and the answer to an event. */
    void (*speak)(party *p);
    int (*answer)(party *p, const tenon_event *event);
    /* How much of n may go through now; negative: TENON_ERR_IO. */
    long (*may_write)(party *p, size_t n);
    long (*may_read)(party *p, size_t n);
    int (*random_fails)(party *p);
} duet;

static inline uint64_t duet_draw(duet *d)
{
    d->seed ^= d->seed << 13;
    d->seed ^= d->seed >> 7;
    d->seed ^= d->seed << 17;
    return d->seed >> 16;
}

/* -------------------------------------------------------------------- memory */

static inline void lent_make(lent *l, size_t size)
{
    l->base = malloc(size + 2 * DUET_GUARD);
    if (l->base == NULL)
        abort();
    l->size = size;
    memset(l->base, 0xa5, size + 2 * DUET_GUARD);
    DUET_POISON(l->base, DUET_GUARD);
    DUET_POISON(l->base + DUET_GUARD + size, DUET_GUARD);
}

static inline uint8_t *lent_at(const lent *l)
{
    return l->base + DUET_GUARD;
}

/* Gives it back; 1 if the guards are as they were. */
static inline int lent_free(lent *l)
{
    size_t i;
    int good = 1;
    if (l->base == NULL)
        return 1;
    DUET_UNPOISON(l->base, l->size + 2 * DUET_GUARD);
    for (i = 0; i < DUET_GUARD; i++)
        good = good && l->base[i] == 0xa5 && l->base[DUET_GUARD + l->size + i] == 0xa5;
    free(l->base);
    memset(l, 0, sizeof *l);
    return good;
}

/* ------------------------------------------------------------------- content */

/* Octet i of a message: text has characters of every length. */
static inline uint8_t content(int opcode, uint32_t number, size_t i)
{
    static const uint8_t text[] = {'a', 0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x98, 0x80};
    if (opcode != TENON_TEXT)
        return (uint8_t)(((size_t)number * 31 + i * 7 + i / 256) & 0xff);
    return i % sizeof text == 0 ? (uint8_t)('a' + (number + i / sizeof text) % 26) : text[i % sizeof text];
}

/* The size at or under n at which a text may end. */
static inline size_t content_size(int opcode, size_t n)
{
    static const uint8_t back[] = {0, 0, 1, 0, 1, 2, 0, 1, 2, 3};
    return opcode == TENON_TEXT ? n - back[n % sizeof back] : n;
}

static inline void content_fill(uint8_t *to, int opcode, uint32_t number, size_t from, size_t n)
{
    size_t i;
    for (i = 0; i < n; i++)
        to[i] = content(opcode, number, from + i);
}

/* ------------------------------------------------------------------- hearing */

static inline void hear_data(party *p, const tenon_event *e)
{
    const said *s = &p->peer->log[p->heard];
    size_t i;
    DUET_CHECK(p, p->heard < p->peer->log_count);
    DUET_CHECK(p, e->opcode == s->opcode);
    DUET_CHECK(p, ((e->flags & TENON_FIRST) != 0) == !p->inside);
    DUET_CHECK(p, e->offset == p->heard_at && e->size <= s->size - p->heard_at);
    for (i = 0; i < e->size; i++)
        DUET_CHECK(p, e->data[i] == content(s->opcode, s->number, p->heard_at + i));
    p->heard_at += e->size;
    p->octets += e->size;
    p->inside = 1;
    if ((e->flags & TENON_LAST) == 0) {
        DUET_CHECK(p, p->duet->chunks);
        return;
    }
    DUET_CHECK(p, s->done && p->heard_at == s->size);
    p->inside = 0;
    p->heard++;
    p->heard_at = 0;
    p->messages++;
}

static inline void hear_released(party *p, const tenon_event *e)
{
    reference *r = e->cookie;
    DUET_CHECK(p, r >= p->refs && r < p->refs + DUET_REFS && r->live);
    r->live = 0;
    free(r->data);
    r->data = NULL;
}

static inline void hear_closed(party *p, const tenon_event *e)
{
    size_t i;
    for (i = 0; i < DUET_REFS; i++)
        DUET_CHECK(p, !p->refs[i].live);
    DUET_CHECK(p, e->cause == TENON_LOCAL || e->cause == TENON_REMOTE);
    if (e->flags & TENON_CLEAN)
        DUET_CHECK(p, e->sent_code != 0 && e->received_code != 0 && p->close_seen);
    else
        DUET_CHECK(p, e->rule != 0 || e->sent_code == 0 || e->received_code == 0);
    DUET_CHECK(p, (e->received_code != 0) == p->close_seen);
    DUET_CHECK(p, e->code == (e->received_code != 0 ? e->received_code : TENON_CLOSE_ABNORMAL));
    DUET_CHECK(p, tenon_state(p->conn) == TENON_CLOSED);
    p->closed = 1;
}

/* An event that comes again is what it was. An abort drops the one that is kept, and the
 * memory of others comes back then. */
static inline int is_kept(party *p, const tenon_event *e)
{
    int other = tenon_state(p->conn) == TENON_CLOSED && e->cookie != p->last.cookie;
    int same = p->kept && e->type == p->last.type && !other;
    if (!p->kept)
        return 0;
    p->kept = 0;
    DUET_CHECK(p, same || e->type == TENON_EV_CLOSED || e->type == TENON_EV_RELEASED);
    if (same)
        DUET_CHECK(p, e->flags == p->last.flags && e->data == p->last.data && e->size == p->last.size &&
                          e->offset == p->last.offset && e->cookie == p->last.cookie);
    return same;
}

/* Judges an event of the handshake. */
static inline void hear_handshake(party *p, const tenon_event *e)
{
    switch (e->type) {
    case TENON_EV_REQUEST:
        DUET_CHECK(p, p->role == TENON_SERVER && !p->requested && !p->opened);
        p->requested = 1;
        break;
    case TENON_EV_RESPONSE:
        DUET_CHECK(p, p->role == TENON_CLIENT && !p->responded && !p->opened);
        p->responded = 1;
        break;
    case TENON_EV_BODY:
        DUET_CHECK(p, p->responded);
        break;
    default:
        DUET_CHECK(p, e->type == TENON_EV_OPEN);
        DUET_CHECK(p, !p->opened && !p->responded && p->requested == (p->role == TENON_SERVER));
        p->opened = 1;
    }
}

/* Judges an event by those before. */
static inline void hear(party *p, const tenon_event *e)
{
    int talk = p->opened && !p->close_seen;
    DUET_CHECK(p, !p->closed);
    if (is_kept(p, e))
        return;
    switch (e->type) {
    case TENON_EV_DATA:
        DUET_CHECK(p, talk);
        hear_data(p, e);
        break;
    case TENON_EV_PING:
    case TENON_EV_PONG:
        DUET_CHECK(p, talk && e->size <= TENON_CONTROL_MAX);
        break;
    case TENON_EV_CLOSE:
        DUET_CHECK(p, talk);
        p->close_seen = 1;
        break;
    case TENON_EV_WRITABLE:
        DUET_CHECK(p, p->opened && p->refused);
        p->refused = 0;
        break;
    case TENON_EV_RELEASED:
        hear_released(p, e);
        break;
    case TENON_EV_CLOSED:
        hear_closed(p, e);
        break;
    default:
        hear_handshake(p, e);
    }
}

/* ------------------------------------------------------------------ speaking */

enum { SAY_COPY, SAY_PART, SAY_PART_LAST, SAY_REF, SAY_PREPARED, SAY_PREPARED_COPY, SAY_PING, SAY_PONG };

static inline reference *free_ref(party *p)
{
    size_t i;
    for (i = 0; i < DUET_REFS; i++)
        if (!p->refs[i].live && !(p->kept && p->last.cookie == &p->refs[i])) /* or its RELEASED could be either */
            return &p->refs[i];
    return NULL;
}

static inline int say_ref(party *p, int kind, int opcode, uint32_t number, size_t n, uint32_t flags)
{
    reference *r = free_ref(p);
    tenon_prepared prepared;
    int status;
    if (r == NULL || n > DUET_REF_MAX)
        return TENON_ERR_AGAIN;
    r->data = malloc(n > 0 ? n : 1);
    if (r->data == NULL)
        abort();
    content_fill(r->data, opcode, number, 0, n);
    if (kind == SAY_REF) {
        status = tenon_send_ref(p->conn, opcode, r->data, n, flags, r);
    } else {
        DUET_CHECK(p, tenon_prepare(&prepared, sizeof prepared, opcode, r->data, n, 0) == TENON_OK);
        status = tenon_send_prepared(p->conn, &prepared, kind == SAY_PREPARED ? 0 : TENON_COPY, r);
    }
    r->live = status == TENON_OK && kind != SAY_PREPARED_COPY;
    r->size = n;
    if (!r->live)
        free(r->data);
    p->refused = p->refused || status == TENON_ERR_AGAIN;
    return status;
}

static inline int say_copy(party *p, int kind, int opcode, uint32_t number, size_t n, uint32_t flags)
{
    size_t from = p->streaming ? p->log[p->log_count - 1].size : 0;
    uint8_t *data = malloc(n > 0 ? n : 1);
    int status;
    if (data == NULL)
        abort();
    content_fill(data, opcode, number, from, n);
    if (kind == SAY_COPY)
        status = tenon_send(p->conn, opcode, data, n, flags);
    else if (kind == SAY_PING)
        status = tenon_ping(p->conn, data, n);
    else if (kind == SAY_PONG)
        status = tenon_pong(p->conn, data, n);
    else
        status = tenon_send_part(p->conn, opcode, data, n, flags | (kind == SAY_PART_LAST ? TENON_LAST : 0));
    p->refused = p->refused || status == TENON_ERR_AGAIN;
    free(data);
    return status;
}

static inline void say_log(party *p, int kind, int opcode, size_t n)
{
    said *s;
    if (!p->streaming)
        p->log_count++;
    s = &p->log[p->log_count - 1];
    if (!p->streaming) {
        s->opcode = (uint8_t)opcode;
        s->number = p->log_count - 1;
        s->size = 0;
    }
    s->size += n;
    p->streaming = kind == SAY_PART;
    s->done = !p->streaming;
}

/* Says n octets, or about so many: the status of the call. */
static inline int say(party *p, int kind, int opcode, size_t n, uint32_t flags)
{
    int state = tenon_state(p->conn), control = kind == SAY_PING || kind == SAY_PONG, status;
    if (!control && p->log_count == DUET_LOG && !p->streaming)
        return TENON_OK;
    if (p->streaming && !control)
        opcode = p->log[p->log_count - 1].opcode;
    if (kind == SAY_PART_LAST && opcode == TENON_TEXT)
        n = content_size(opcode, (p->streaming ? p->log[p->log_count - 1].size : 0) + n + 10) -
            (p->streaming ? p->log[p->log_count - 1].size : 0);
    else if (kind != SAY_PART)
        n = content_size(opcode, n);
    if (kind == SAY_REF || kind == SAY_PREPARED || kind == SAY_PREPARED_COPY)
        status = say_ref(p, kind, opcode, p->log_count, n, flags);
    else
        status = say_copy(p, kind, opcode, p->streaming ? p->log_count - 1 : p->log_count, n, flags);
    if (status == TENON_ERR_RANDOM && !control)
        say_log(p, SAY_PART, opcode, n); /* its first frames may have gone out, never its last */
    if (status != TENON_OK)
        return status;
    DUET_CHECK(p, state == TENON_OPEN);
    DUET_CHECK(p, !p->streaming || control || kind == SAY_PART || kind == SAY_PART_LAST);
    if (!control)
        say_log(p, kind, opcode, n);
    p->duet->moves++;
    return TENON_OK;
}

static inline int say_close(party *p, int code, const char *reason)
{
    int state = tenon_state(p->conn);
    int status = tenon_close(p->conn, code, reason, reason == NULL ? 0 : strlen(reason));
    DUET_CHECK(p, status == (state == TENON_CLOSED ? TENON_ERR_STATE : TENON_OK));
    p->asked = 1;
    p->duet->moves++;
    return status;
}

static inline int duet_abort(party *p, int cause)
{
    int status = tenon_abort(p->conn, cause);
    DUET_CHECK(p, status == (p->closed ? TENON_ERR_STATE : TENON_OK));
    p->aborted = 1;
    p->dropped = 1;
    p->kept = 0;
    p->duet->moves++;
    return status;
}

/* ----------------------------------------------------------------- transport */

static inline int duet_send(void *user, const tenon_iov *iov, size_t count, size_t *put)
{
    party *p = user;
    pipe_way *w = &p->way;
    size_t i, k, all = 0;
    long most;
    for (i = 0; i < count; i++)
        all += iov[i].size;
    most = p->duet->may_write(p, all);
    if (most < 0 || w->reset || p->peer->closed) {
        w->reset = 1;
        return TENON_ERR_IO;
    }
    DUET_CHECK(p, !w->ended);
    if (w->cut)
        *put = all < (size_t)most ? all : (size_t)most;
    for (i = 0; i < count && !w->cut; i++)
        for (k = 0; k < iov[i].size && *put < (size_t)most && w->size < DUET_PIPE; k++, ++*put)
            w->octets[(w->first + w->size++) % DUET_PIPE] = ((const uint8_t *)iov[i].base)[k];
    p->duet->moves += *put;
    return *put > 0 ? TENON_OK : TENON_WAIT;
}

static inline int duet_recv(void *user, void *buf, size_t n, size_t *got)
{
    party *p = user;
    pipe_way *w = &p->peer->way;
    long most = p->duet->may_read(p, n);
    if (most < 0 || w->reset) {
        w->reset = 1;
        p->duet->moves++;
        return TENON_ERR_IO;
    }
    w->size = w->cut ? 0 : w->size;
    while (*got < n && *got < (size_t)most && w->size > 0) {
        ((uint8_t *)buf)[(*got)++] = w->octets[w->first];
        w->first = (w->first + 1) % DUET_PIPE;
        w->size--;
    }
    p->duet->moves += *got;
    if (*got > 0)
        return TENON_OK;
    if (w->size > 0 || (!w->ended && !w->cut && !p->peer->closed))
        return TENON_WAIT;
    p->duet->moves++;
    return TENON_END;
}

static inline uint64_t duet_clock(void *user)
{
    return ((party *)user)->duet->now;
}

static inline void duet_shut(void *user)
{
    party *p = user;
    p->way.ended = 1;
    p->duet->moves++;
}

static inline int duet_random(void *user, void *out, size_t n)
{
    party *p = user;
    uint8_t *to = out;
    size_t i;
    p->random_calls++;
    if (p->duet->random_fails != NULL && p->duet->random_fails(p))
        return -1;
    for (i = 0; i < n; i++)
        to[i] = (uint8_t)(duet_draw(p->duet) & 0xff);
    return 0;
}

/* ------------------------------------------------------------------- driving */

static inline int duet_event(tenon_conn *conn, const tenon_event *event, void *user)
{
    party *p = user;
    int answer;
    p->duet->moves++;
    if (p->kept && event->type == TENON_EV_RELEASED && p->last.type != TENON_EV_RELEASED) {
        hear_released(p, event); /* goes before what was kept */
        return TENON_CONTINUE;
    }
    hear(p, event);
    p->last = *event;
    p->dropped = 0;
    p->in_callback = !p->duet->pull && !p->closed;
    answer = p->duet->answer(p, event);
    p->in_callback = 0;
    if (p->closed)
        return TENON_CONTINUE;
    p->kept = answer == TENON_AGAIN && !p->dropped;
    (void)conn;
    return answer;
}

/* What of its blocks the connection asks for. */
static inline void duet_lend(party *p)
{
    uint32_t wants = tenon_wants(p->conn);
    if ((wants & TENON_WANTS_DEFLATE) != 0 && p->deflate.base == NULL) {
        lent_make(&p->deflate, tenon_deflate_size(p->conn));
        if (tenon_lend_deflate(p->conn, lent_at(&p->deflate), p->deflate.size) != TENON_OK)
            (void)duet_abort(p, TENON_LOCAL); /* the codec would not begin */
        p->duet->moves++;
    }
    if ((wants & TENON_WANTS_INFLATE) != 0 && p->inflate.base == NULL) {
        lent_make(&p->inflate, tenon_inflate_size(p->conn));
        if (tenon_lend_inflate(p->conn, lent_at(&p->inflate), p->inflate.size) != TENON_OK)
            (void)duet_abort(p, TENON_LOCAL);
        p->duet->moves++;
    }
}

static inline void turn_pump(party *p)
{
    tenon_io io;
    int status;
    memset(&io, 0, sizeof io);
    io.size = sizeof io;
    io.recv = duet_recv;
    io.send = duet_send;
    io.now = duet_clock;
    io.event = duet_event;
    io.user = p;
    io.buf = lent_at(&p->buf);
    io.buf_size = p->buf.size;
    io.shut = duet_shut;
    status = tenon_pump(p->conn, &io);
    DUET_CHECK(p, status >= 0);
    DUET_CHECK(p, (status == TENON_DONE) == p->closed);
}

static inline void pull_read(party *p)
{
    size_t got = 0;
    int status;
    if ((tenon_wants(p->conn) & TENON_WANTS_READ) == 0)
        return;
    status = duet_recv(p, lent_at(&p->buf), p->buf.size, &got);
    if (status == TENON_OK && duet_draw(p->duet) % 2 == 0)
        DUET_CHECK(p, tenon_recv_const(p->conn, lent_at(&p->buf), got) == TENON_OK);
    else if (status == TENON_OK)
        DUET_CHECK(p, tenon_recv(p->conn, lent_at(&p->buf), got) == TENON_OK);
    else if (status == TENON_END)
        DUET_CHECK(p, tenon_eof(p->conn) == TENON_OK);
    else if (status < 0)
        (void)duet_abort(p, TENON_REMOTE);
}

static inline void pull_write(party *p)
{
    tenon_iov iov[2];
    size_t count, put;
    for (;;) {
        int status;
        DUET_CHECK(p, tenon_out(p->conn, iov, 2, &count) == TENON_OK);
        if (count == 0)
            return;
        put = 0;
        status = duet_send(p, iov, count, &put);
        if (status < 0)
            (void)duet_abort(p, TENON_REMOTE);
        if (put == 0)
            return;
        DUET_CHECK(p, tenon_sent(p->conn, put) == TENON_OK);
    }
}

static inline void turn_pull(party *p)
{
    tenon_event event;
    int status, answer = TENON_CONTINUE;
    DUET_CHECK(p, tenon_tick(p->conn, p->duet->now) == TENON_OK);
    pull_read(p);
    while (answer == TENON_CONTINUE && (status = tenon_next(p->conn, &event)) != TENON_OK) {
        DUET_CHECK(p, status == TENON_EVENT);
        answer = duet_event(p->conn, &event, p);
        if (answer == TENON_AGAIN)
            DUET_CHECK(p, tenon_again(p->conn) == (p->kept ? TENON_OK : TENON_ERR_STATE));
    }
    pull_write(p);
    if ((tenon_wants(p->conn) & TENON_WANTS_SHUT_WR) != 0) {
        duet_shut(p);
        DUET_CHECK(p, tenon_shut(p->conn) == TENON_OK);
    }
}

/* Behind CLOSED nothing goes any more, and nothing comes. */
static inline void check_over(party *p)
{
    tenon_event event;
    DUET_CHECK(p, tenon_next(p->conn, &event) == TENON_OK);
    DUET_CHECK(p, tenon_wants(p->conn) == TENON_WANTS_CLOSE);
    DUET_CHECK(p, tenon_deadline(p->conn) == TENON_NEVER);
    DUET_CHECK(p, tenon_send(p->conn, TENON_TEXT, "a", 1, 0) == TENON_ERR_STATE);
    DUET_CHECK(p, tenon_ping(p->conn, NULL, 0) == TENON_ERR_STATE);
    DUET_CHECK(p, tenon_close(p->conn, TENON_CLOSE_NORMAL, NULL, 0) == TENON_ERR_STATE);
    DUET_CHECK(p, tenon_abort(p->conn, TENON_LOCAL) == TENON_ERR_STATE);
    DUET_CHECK(p, tenon_recv(p->conn, lent_at(&p->buf), 1) == TENON_ERR_STATE);
}

static inline void duet_turn(party *p)
{
    if (p->closed)
        return;
    p->duet->turn = p;
    if (p->duet->pull)
        turn_pull(p);
    else
        turn_pump(p);
    if (p->closed) {
        check_over(p);
        return;
    }
    DUET_CHECK(p, (tenon_wants(p->conn) & ~(uint32_t)(TENON_FREE_DEFLATE | TENON_FREE_INFLATE)) != 0);
    duet_lend(p);
    p->duet->speak(p);
}

/* ---------------------------------------------------------------- from the start */

static inline void party_start(duet *d, party *p, party *peer, int role, size_t rx, size_t tx)
{
    p->duet = d;
    p->peer = peer;
    p->role = role;
    p->config.flags |= d->chunks ? TENON_CHUNKS : 0;
    p->config.random = duet_random;
    p->config.random_user = p;
    if (d->compressed)
        DUET_CHECK(p, tenon_config_deflate(&p->config, &d->deflate) == TENON_OK);
    lent_make(&p->home, tenon_conn_size());
    lent_make(&p->rx, rx);
    lent_make(&p->tx, tx);
    lent_make(&p->buf, DUET_BUF);
    p->stats.size = (uint32_t)sizeof p->stats;
    DUET_CHECK(p, tenon_init(lent_at(&p->home), p->home.size, &p->config, &p->conn) == TENON_OK);
    DUET_CHECK(p, tenon_lend(p->conn, lent_at(&p->rx), rx, lent_at(&p->tx), tx) == TENON_OK);
    DUET_CHECK(p, tenon_lend_stats(p->conn, &p->stats) == TENON_OK);
}

/* The configs of d are filled by tenon_config_, and changed as wished. Returns what
 * tenon_connect returns. */
static inline int duet_start(duet *d, size_t rx, size_t tx)
{
    party *c = &d->client;
    d->turn = c;
    party_start(d, c, &d->server, TENON_CLIENT, rx, tx);
    party_start(d, &d->server, c, TENON_SERVER, rx, tx);
    c->request.size = (uint32_t)sizeof c->request;
    c->request.uri = "ws://example.com/";
    return tenon_connect(c->conn, &c->request);
}

static inline void party_stop(party *p)
{
    size_t i;
    int good = lent_free(&p->home) & lent_free(&p->rx) & lent_free(&p->tx) & lent_free(&p->buf) &
               lent_free(&p->deflate) & lent_free(&p->inflate);
    DUET_CHECK(p, good);
    for (i = 0; i < DUET_REFS; i++)
        if (p->refs[i].live)
            free(p->refs[i].data);
}

/* One turn of each. When nothing moves, time goes on to the next deadline. 0: it is
 * over. */
static inline int duet_go(duet *d)
{
    uint64_t moves = d->moves, when, other;
    duet_turn(&d->client);
    duet_turn(&d->server);
    if (d->client.closed && d->server.closed)
        return 0;
    d->idle = d->moves == moves ? d->idle + 1 : 0;
    if (d->idle < 2) /* one round may do no more than leave an event */
        return 1;
    when = d->client.closed ? TENON_NEVER : tenon_deadline(d->client.conn);
    other = d->server.closed ? TENON_NEVER : tenon_deadline(d->server.conn);
    when = when < other ? when : other;
    when = d->wake > d->now && d->wake < when ? d->wake : when;
    if (when == TENON_NEVER)
        DUET_FAIL(d->client.closed ? &d->server : &d->client, "nothing moves, and no timer runs");
    d->now = when > d->now ? when : d->now + 1;
    return 1;
}

#endif
