/* SPDX-License-Identifier: MIT */
/*
 * The callback layer (tenon_run, tenon_pump) is the pull layer and nothing else: the
 * same stream, in the same pieces, comes to the same events, the same status of every
 * call that the program makes inside of them, and the same output. Callbacks stop, keep
 * their event, decide, send, close and abort, and call what must not be nested.
 *
 * Input: settings, the size of the pieces, so many octets that choose what each callback
 * does, stream. All memory of the connection is gone inside the callback of CLOSED.
 */
#include "common.h"
#include "order.h"

#define SCRIPT 12

enum { BY_PULL, BY_RUN, BY_PUMP };

typedef struct plan {
    tenon_config config;
    int http;
    size_t piece;
    uint8_t script[SCRIPT];
    bytes stream;
} plan;

/* What the program saw and did, in words that are compared. */
typedef struct session {
    const plan *p;
    int kind;
    tenon_conn *conn;
    void *storage;
    uint8_t *rx, *tx, *buf;
    size_t given; /* octets of the stream */
    int ended;    /* its end was told */
    order order;
    bytes log, out;
    size_t events, kept, delivered, shuts;
    int in_callback, closed;
    tenon_request request;
    tenon_event last;
} session;

static int draw_random(void *user, void *out, size_t n)
{
    (void)user;
    memset(out, 0x5a, n); /* the same for all three */
    return 0;
}

static void note(session *s, const char *what, uint64_t value)
{
    char line[64];
    sprintf(line, "%s %lu\n", what, (unsigned long)value);
    bytes_string(&s->log, line);
}

static void note_event(session *s, const tenon_event *e)
{
    note(s, tenon_event_name(e->type), e->flags);
    note(s, " opcode, cause", e->opcode * 256u + e->cause);
    note(s, " rule", e->rule);
    note(s, " code", e->code * 0x100000000u + e->sent_code * 0x10000u + e->received_code);
    note(s, " offset", e->offset);
    note(s, " frame", e->frame_size);
    note(s, " size", e->size);
    bytes_add(&s->log, e->data, e->size);
}

/* ------------------------------------------------------------ what callbacks do */

/* What must not be nested says so, whoever drives. */
static void nest(session *s)
{
    tenon_event other;
    const void *rest;
    size_t n;
    REQUIRE(tenon_next(s->conn, &other) == TENON_ERR_REENTRY);
    REQUIRE(tenon_recv(s->conn, &other, 1) == TENON_ERR_REENTRY);
    REQUIRE(tenon_recv_const(s->conn, &other, 1) == TENON_ERR_REENTRY);
    REQUIRE(tenon_unlend(s->conn, &rest, &n) == TENON_ERR_REENTRY);
    REQUIRE(tenon_guard(s->conn, 1) == TENON_ERR_REENTRY);
}

static int decide(session *s, int refuse)
{
    tenon_refusal refusal;
    if (!refuse)
        return tenon_accept(s->conn, NULL);
    memset(&refusal, 0, sizeof refusal);
    refusal.size = sizeof refusal;
    refusal.status = 403;
    refusal.body = "no";
    refusal.body_size = 2;
    refusal.flags = TENON_COPY;
    return tenon_reject(s->conn, &refusal);
}

static void act(session *s, const tenon_event *e, unsigned what)
{
    int status = 0;
    switch (what) {
    case 1:
        status = tenon_send(s->conn, TENON_BINARY, e->data, e->size, 0);
        break;
    case 2:
        status = tenon_ping(s->conn, "?", 1);
        break;
    case 3:
        status = tenon_close(s->conn, 4000, "enough", 6);
        break;
    case 4:
        status = tenon_send_ref(s->conn, TENON_TEXT, "a reference", 11, 0, s->p->script[0] & 1 ? NULL : s);
        s->order.held += status == TENON_OK;
        break;
    case 5:
        status = decide(s, 1);
        break;
    case 6:
        status = tenon_send_part(s->conn, TENON_TEXT, "part", 4, (s->events & 1) != 0 ? TENON_LAST : 0);
        break;
    case 7:
        status = (s->p->script[1] & 3) == 3 ? tenon_abort(s->conn, TENON_LOCAL) : 0;
        break;
    default:
        break;
    }
    note(s, "act", (uint64_t)(int64_t)status);
    if (e->type == TENON_EV_REQUEST && what != 0)
        note(s, "decide", (uint64_t)(int64_t)decide(s, 0));
}

static void forget(session *s)
{
    fuzz_release(s->storage);
    fuzz_release(s->rx);
    fuzz_release(s->tx);
    s->conn = NULL;
}

static int on_event(tenon_conn *conn, const tenon_event *e, void *user)
{
    session *s = user;
    unsigned code = s->p->script[s->delivered++ % SCRIPT];
    REQUIRE(conn == s->conn && !s->in_callback && s->log.size < 1000000);
    fuzz_step();
    if (s->kept > 0 && e->type == TENON_EV_RELEASED && s->last.type != TENON_EV_RELEASED) {
        order_event(&s->order, e); /* goes before what was kept, and is not kept itself */
        note_event(s, e);
        s->events++;
        return TENON_CONTINUE;
    }
    if (s->kept > 0)
        REQUIRE(memcmp(e, &s->last, sizeof *e) == 0); /* the same once more */
    else
        order_event(&s->order, e);
    note_event(s, e);
    s->events++;
    if (e->type == TENON_EV_CLOSED) {
        s->closed = 1;
        if (s->kind != BY_PULL)
            forget(s);
        return TENON_STOP;
    }
    s->in_callback = 1;
    s->last = *e;
    nest(s);
    if (e->type != TENON_EV_RELEASED && e->type != TENON_EV_WRITABLE) /* for these follow from acts */
        act(s, e, code & 7);
    s->in_callback = 0;
    if ((code >> 3 & 7) == 1 && s->kept < 2 && tenon_state(conn) != TENON_CLOSED) {
        s->kept++;
        return TENON_AGAIN;
    }
    s->kept = 0;
    return (code >> 3 & 7) == 2 ? TENON_STOP : TENON_CONTINUE;
}

/* -------------------------------------------------------------- three drivers */

static size_t piece_of(const session *s)
{
    size_t left = s->p->stream.size - s->given;
    return s->p->piece < left ? s->p->piece : left;
}

/* What tenon_run says that it does. */
static int pull_run(session *s)
{
    tenon_event e;
    int status, answer;
    for (;;) {
        status = tenon_next(s->conn, &e);
        if (status != TENON_EVENT)
            return status;
        if (e.type == TENON_EV_CLOSED) {
            on_event(s->conn, &e, s);
            return TENON_DONE;
        }
        REQUIRE(tenon_guard(s->conn, 1) == TENON_OK);
        answer = on_event(s->conn, &e, s);
        REQUIRE(tenon_guard(s->conn, 0) == TENON_OK);
        if (answer == TENON_AGAIN)
            REQUIRE(tenon_again(s->conn) == TENON_OK);
        if (answer != TENON_CONTINUE)
            return TENON_STOPPED;
    }
}

static void flush(session *s)
{
    tenon_iov iov[4];
    size_t count, i, n;
    for (;;) {
        REQUIRE(tenon_out(s->conn, iov, COUNT_OF(iov), &count) == TENON_OK);
        for (n = i = 0; i < count; i++) {
            bytes_add(&s->out, iov[i].base, iov[i].size);
            n += iov[i].size;
        }
        if (n == 0)
            return;
        REQUIRE(tenon_sent(s->conn, n) == TENON_OK);
    }
}

static void read_piece(session *s)
{
    size_t n = piece_of(s);
    if ((tenon_wants(s->conn) & TENON_WANTS_READ) == 0)
        return;
    if (n == 0) {
        s->ended = 1;
        REQUIRE(tenon_eof(s->conn) == TENON_OK);
        return;
    }
    memcpy(s->buf, s->p->stream.data + s->given, n);
    REQUIRE(tenon_recv(s->conn, s->buf, n) == TENON_OK);
    s->given += n;
}

/* One turn by the calls that the callback layer is made of: as documented, it ticks,
 * writes, delivers, reads once, delivers, writes. */
static int turn(session *s)
{
    int half, status = TENON_OK;
    REQUIRE(tenon_tick(s->conn, 1000) == TENON_OK);
    flush(s);
    for (half = 0; half < 2; half++) {
        do {
            status = s->kind == BY_PULL ? pull_run(s) : tenon_run(s->conn, on_event, s);
            if (status == TENON_DONE)
                return status;
            flush(s);
            if (status != TENON_OK)
                return status;
        } while ((tenon_wants(s->conn) & TENON_WANTS_NEXT) != 0);
        if (half == 0)
            read_piece(s);
    }
    if ((tenon_wants(s->conn) & TENON_WANTS_SHUT_WR) != 0) {
        s->shuts++;
        REQUIRE(tenon_shut(s->conn) == TENON_OK);
    }
    return status;
}

static int io_recv(void *user, void *buf, size_t n, size_t *got)
{
    session *s = user;
    REQUIRE(buf == s->buf && n == s->p->piece);
    *got = piece_of(s);
    if (*got == 0) {
        s->ended = 1;
        return TENON_END;
    }
    memcpy(buf, s->p->stream.data + s->given, *got);
    s->given += *got;
    return TENON_OK;
}

static int io_send(void *user, const tenon_iov *iov, size_t count, size_t *put)
{
    session *s = user;
    size_t i;
    for (i = 0; i < count; i++) {
        bytes_add(&s->out, iov[i].base, iov[i].size);
        *put += iov[i].size;
    }
    return TENON_OK;
}

static uint64_t io_now(void *user)
{
    (void)user;
    return 1000;
}

static void io_shut(void *user)
{
    session *s = user;
    s->shuts++;
}

static int pump(session *s)
{
    tenon_io io;
    memset(&io, 0, sizeof io);
    io.size = sizeof io;
    io.recv = io_recv;
    io.send = io_send;
    io.now = io_now;
    io.shut = io_shut;
    io.event = on_event;
    io.user = s;
    io.buf = s->buf;
    io.buf_size = s->p->piece;
    return tenon_pump(s->conn, &io);
}

/* ------------------------------------------------------------------ sessions */

static void begin(session *s, const plan *p, int kind)
{
    size_t size = tenon_conn_size();
    memset(s, 0, sizeof *s);
    bytes_add(&s->log, "", 0);
    bytes_add(&s->out, "", 0);
    s->p = p;
    s->kind = kind;
    s->storage = fuzz_aligned(size);
    s->rx = fuzz_memory(900);
    s->tx = fuzz_memory(60000);
    s->buf = fuzz_memory(p->piece);
    order_begin(&s->order, &p->config, p->http);
    REQUIRE(tenon_init(s->storage, size, &p->config, &s->conn) == TENON_OK);
    REQUIRE(tenon_lend(s->conn, s->rx, 900, s->tx, 60000) == TENON_OK);
    if (!p->http || p->config.role == TENON_SERVER)
        return;
    s->request.size = sizeof s->request;
    s->request.uri = "ws://a/";
    REQUIRE(tenon_connect(s->conn, &s->request) == TENON_OK);
}

/* Turns until it is over, or nothing more can come of itself. */
static void drive(session *s)
{
    size_t idle = 0;
    while (!s->closed) {
        size_t events = s->events, given = s->given;
        int ended = s->ended, status = s->kind == BY_PUMP ? pump(s) : turn(s);
        REQUIRE((status == TENON_DONE) == s->closed && status >= 0);
        if (s->closed)
            break;
        note(s, "turn", status == TENON_STOPPED);
        idle = events == s->events && given == s->given && ended == s->ended ? idle + 1 : 0;
        if ((tenon_wants(s->conn) & TENON_WANTS_DECISION) != 0 && idle > 0)
            note(s, "late", (uint64_t)(int64_t)decide(s, s->p->script[2] & 1));
        else if (idle > 2)
            REQUIRE(tenon_abort(s->conn, TENON_LOCAL) == TENON_OK);
        REQUIRE(idle < 6);
    }
    if (s->conn != NULL)
        forget(s);
}

static void check_same(const session *a, const session *b)
{
    size_t i;
    int same = a->log.size == b->log.size && memcmp(a->log.data, b->log.data, a->log.size) == 0;
    if (!same) {
        for (i = 0; i < a->log.size && i < b->log.size && a->log.data[i] == b->log.data[i]; i++)
            continue;
        fprintf(stderr, "differs at %lu:\n%.*s\n----\n%.*s\n", (unsigned long)i, (int)a->log.size,
                (const char *)a->log.data, (int)b->log.size, (const char *)b->log.data);
    }
    REQUIRE(same);
    REQUIRE(a->out.size == b->out.size && memcmp(a->out.data, b->out.data, a->out.size) == 0);
    REQUIRE(a->given == b->given && a->events == b->events && a->shuts == b->shuts);
}

static void make_plan(source *in, plan *p)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    static const char answer[] = "HTTP/1.1 101 Go\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                 "Sec-WebSocket-Accept: 1nwQI3IBoftOh+fG2YorpTWcrHs=\r\n\r\n";
    unsigned how = source_octet(in), i;
    int server = (how & 1) == 0;
    memset(p, 0, sizeof *p);
    p->http = (how & 2) != 0;
    if (!p->http)
        (void)tenon_config_open(&p->config, sizeof p->config, server ? TENON_SERVER : TENON_CLIENT);
    else
        (void)(server ? tenon_config_server : tenon_config_client)(&p->config, sizeof p->config);
    p->config.random = draw_random;
    p->config.flags = ((how & 8) != 0 ? TENON_CHUNKS : 0) | ((how & 16) != 0 ? TENON_RELAY : 0) |
                      ((how & 32) != 0 ? TENON_DROP_AFTER_CLOSE : 0) | ((how & 64) != 0 ? TENON_PLAIN_GET : 0);
    p->piece = 1 + source_octet(in);
    for (i = 0; i < SCRIPT; i++)
        p->script[i] = (uint8_t)source_octet(in);
    bytes_add(&p->stream, "", 0);
    if (p->http && (how & 4) != 0)
        bytes_string(&p->stream, server ? request : answer);
    bytes_add(&p->stream, in->p, in->left);
}

int fuzz_target(const uint8_t *data, size_t size)
{
    static session sessions[3];
    source in = {data, size};
    size_t pieces, i;
    plan p;
    if (size < 2 + SCRIPT)
        return -1;
    make_plan(&in, &p);
    for (pieces = p.piece; pieces > 0; pieces = fuzz_every_split ? pieces - 1 : 0) {
        fuzz_allow(FUZZ_STEPS);
        p.piece = pieces;
        for (i = 0; i < COUNT_OF(sessions); i++) {
            begin(&sessions[i], &p, (int)i);
            drive(&sessions[i]);
        }
        for (i = 1; i < COUNT_OF(sessions); i++)
            check_same(&sessions[0], &sessions[i]);
        for (i = 0; i < COUNT_OF(sessions); i++) {
            bytes_free(&sessions[i].log);
            bytes_free(&sessions[i].out);
        }
    }
    bytes_free(&p.stream);
    return 0;
}
