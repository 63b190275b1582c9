/* SPDX-License-Identifier: MIT */
#include "harness.h"

enum { SERVER = TENON_SERVER, CLIENT = TENON_CLIENT };

/* A transport that follows a script. */
typedef struct script {
    tenon_conn *conn;
    tenon_storage *storage; /* freed in CLOSED, if it is set */
    const uint8_t *in;
    size_t in_size, in_at;
    size_t read_most, write_most; /* octets a call takes at most */
    unsigned waits;               /* every so many calls would block; 0: none */
    unsigned recvs, sends, shuts, nows;
    unsigned recv_fails, send_fails; /* the first call that fails, 0 for none */
    int over;                        /* it says it took so many too many */
    int endless;                     /* the stream does not end behind in */
    uint64_t now;
    uint8_t out[4096];
    size_t out_size;
    char log[512];
    int answer;     /* to the event at, then CONTINUE */
    unsigned at;
    unsigned events, closed;
    size_t told; /* octets of events */
    tenon_event last;
    uint8_t buf[256];
} script;

static int script_recv(void *user, void *buf, size_t n, size_t *got)
{
    script *s = user;
    size_t left = s->in_size - s->in_at;
    s->recvs++;
    if (s->recv_fails > 0 && s->recvs >= s->recv_fails)
        return TENON_ERR_IO;
    if (s->waits > 0 && s->recvs % s->waits == 0)
        return TENON_WAIT;
    if (left == 0)
        return s->endless ? TENON_WAIT : TENON_END;
    n = n < left ? n : left;
    n = n < s->read_most ? n : s->read_most;
    memcpy(buf, s->in + s->in_at, n);
    s->in_at += n;
    *got = n;
    return TENON_OK;
}

static int script_send(void *user, const tenon_iov *iov, size_t count, size_t *put)
{
    script *s = user;
    size_t i, room = s->write_most;
    s->sends++;
    if (s->send_fails > 0 && s->sends >= s->send_fails)
        return TENON_ERR_IO;
    if (s->waits > 0 && s->sends % s->waits == 0)
        return TENON_WAIT;
    assert_true(count > 0);
    for (i = 0; i < count && room > 0; i++) {
        size_t n = iov[i].size < room ? iov[i].size : room;
        assert_true(iov[i].size > 0);
        assert_true(n <= sizeof s->out - s->out_size);
        memcpy(s->out + s->out_size, iov[i].base, n);
        s->out_size += n;
        room -= n;
        *put += n;
    }
    *put += (size_t)s->over;
    return TENON_OK;
}

static uint64_t script_now(void *user)
{
    script *s = user;
    s->nows++;
    return s->now;
}

static void script_shut(void *user)
{
    script *s = user;
    s->shuts++;
}

/* Echoes data; notes what comes. */
static int script_event(tenon_conn *conn, const tenon_event *event, void *user)
{
    script *s = user;
    strcat(s->log, tenon_event_name(event->type));
    strcat(s->log, " ");
    s->last = *event;
    s->events++;
    assert_int_equal(s->closed, 0);
    if (event->type == TENON_EV_REQUEST)
        assert_int_equal(tenon_accept(conn, NULL), TENON_OK);
    if (event->type == TENON_EV_DATA && s->answer != TENON_AGAIN)
        assert_int_equal(tenon_send(conn, event->opcode, event->data, event->size, 0), TENON_OK);
    if (event->type == TENON_EV_CLOSED) {
        s->closed++;
        if (s->storage != NULL) {
            memset(s->storage, 0xdd, sizeof *s->storage);
            free(s->storage);
        }
        return TENON_CONTINUE;
    }
    return s->events - 1 == s->at ? s->answer : TENON_CONTINUE;
}

static tenon_io io_of(script *s)
{
    tenon_io io;
    memset(&io, 0, sizeof io);
    io.size = sizeof io;
    io.recv = script_recv;
    io.send = script_send;
    io.now = script_now;
    io.event = script_event;
    io.user = s;
    io.buf = s->buf;
    io.buf_size = sizeof s->buf;
    io.shut = script_shut;
    return io;
}

/* A server's whole life. */
static uint8_t session[512];
static size_t session_size;

static int set_up(void **state)
{
    size_t n = 0;
    (void)state;
    memcpy(session, REQUEST, n = sizeof REQUEST - 1);
    n += peer_frame(SERVER, session + n, 0x81, "Hello", 5);
    n += peer_frame(SERVER, session + n, 0x89, "ping", 4);
    n += peer_frame(SERVER, session + n, 0x02, "ab", 2);
    n += peer_frame(SERVER, session + n, 0x80, "cd", 2);
    n += peer_frame(SERVER, session + n, 0x88, "\x03\xe8", 2);
    session_size = n;
    return 0;
}

static const char session_log[] = "REQUEST OPEN DATA PING DATA CLOSE CLOSED ";

static void begin_limited(bench *b, script *s, uint64_t max_message)
{
    memset(s, 0, sizeof *s);
    s->read_most = s->write_most = SIZE_MAX;
    s->in = session;
    s->in_size = session_size;
    s->at = UINT32_MAX;
    bench_server(b);
    b->config.max_message = max_message;
    bench_start(b, 1024, 1024);
    s->conn = b->conn;
}

static void begin(bench *b, script *s)
{
    begin_limited(b, s, 0);
}

/* Pumps until it is done; returns how often it was called. */
static unsigned pump(bench *b, script *s)
{
    tenon_io io = io_of(s);
    unsigned turns = 0;
    int status;
    do {
        status = tenon_pump(b->conn, &io);
        assert_true(status >= 0);
        assert_true(++turns < 100000);
    } while (status != TENON_DONE);
    assert_int_equal(s->closed, 1);
    return turns;
}

/* ----------------------------------------------------------------- arguments */

static void test_arguments(void **state)
{
    tenon_io io;
    script s;
    bench b;
    (void)state;
    begin(&b, &s);
    io = io_of(&s);
    assert_int_equal(tenon_pump(NULL, &io), TENON_ERR_NULL);
    assert_int_equal(tenon_pump(b.conn, NULL), TENON_ERR_NULL);
    io.size--;
    assert_int_equal(tenon_pump(b.conn, &io), TENON_ERR_SIZE);
    io = io_of(&s);
    io.recv = NULL;
    assert_int_equal(tenon_pump(b.conn, &io), TENON_ERR_NULL);
    io = io_of(&s);
    io.send = NULL;
    assert_int_equal(tenon_pump(b.conn, &io), TENON_ERR_NULL);
    io = io_of(&s);
    io.now = NULL;
    assert_int_equal(tenon_pump(b.conn, &io), TENON_ERR_NULL);
    io = io_of(&s);
    io.event = NULL;
    assert_int_equal(tenon_pump(b.conn, &io), TENON_ERR_NULL);
    io = io_of(&s);
    io.buf = NULL;
    assert_int_equal(tenon_pump(b.conn, &io), TENON_ERR_NULL);
    io = io_of(&s);
    io.buf_size = 0;
    assert_int_equal(tenon_pump(b.conn, &io), TENON_ERR_SIZE);
    assert_int_equal(s.recvs + s.sends + s.nows + s.events, 0);
    assert_int_equal(tenon_run(NULL, script_event, &s), TENON_ERR_NULL);
    assert_int_equal(tenon_run(b.conn, NULL, &s), TENON_ERR_NULL);
    bench_stop(&b);
}

static int nested(tenon_conn *conn, const tenon_event *event, void *user)
{
    tenon_io io = io_of(user);
    unsigned before = ((script *)user)->nows;
    if (event->type != TENON_EV_CLOSED)
        assert_int_equal(tenon_pump(conn, &io), TENON_ERR_REENTRY);
    assert_int_equal(((script *)user)->nows, before);
    return script_event(conn, event, user);
}

static void test_reentry(void **state)
{
    tenon_io io;
    script s;
    bench b;
    int status;
    (void)state;
    begin(&b, &s);
    io = io_of(&s);
    io.event = nested;
    do {
        status = tenon_pump(b.conn, &io);
    } while (status != TENON_DONE);
    assert_string_equal(s.log, session_log);
    bench_stop(&b);
}

/* ------------------------------------------------------------- short and slow */

/* Reads and writes of every length, with and without blocking in between: the same
 * events, the same octets. */
static void test_short(void **state)
{
    static script whole, s;
    size_t most;
    unsigned waits;
    bench b;
    (void)state;
    begin(&b, &whole);
    (void)pump(&b, &whole);
    bench_stop(&b);
    assert_string_equal(whole.log, session_log);
    assert_int_equal(whole.last.flags, TENON_CLEAN);
    for (most = 1; most <= session_size; most++) {
        for (waits = 0; waits <= 3; waits++) {
            if (waits == 1)
                continue; /* it would block for ever */
            begin(&b, &s);
            s.read_most = most;
            s.write_most = session_size + 1 - most;
            s.waits = waits;
            (void)pump(&b, &s);
            assert_string_equal(s.log, session_log);
            assert_int_equal(s.out_size, whole.out_size);
            assert_memory_equal(s.out, whole.out, whole.out_size);
            bench_stop(&b);
        }
    }
}

/* OK: wait for readiness. MORE: something was read, there may be more. */
static void test_more(void **state)
{
    tenon_io io;
    script s;
    bench b;
    (void)state;
    begin(&b, &s);
    io = io_of(&s);
    s.endless = 1;
    s.in_size = sizeof REQUEST - 1;
    s.read_most = 100;
    assert_int_equal(tenon_pump(b.conn, &io), TENON_MORE);
    assert_int_equal(s.recvs, 1); /* reads once a turn */
    assert_int_equal(tenon_pump(b.conn, &io), TENON_MORE);
    assert_string_equal(s.log, "REQUEST OPEN ");
    assert_true(s.out_size > 0); /* written in the same turn */
    assert_int_equal(tenon_pump(b.conn, &io), TENON_OK);
    assert_int_equal(tenon_wants(b.conn), TENON_WANTS_READ);
    bench_stop(&b);
}

/* Nor does OK come while the transport would have taken more: one that tells of
 * readiness by its edges would never tell again. */
static void test_more_to_write(void **state)
{
    static script s;
    tenon_io io;
    bench b;
    int status, turns = 0;
    (void)state;
    bench_config(&b, SERVER);
    bench_open_sized(&b, 256, 4096);
    memset(&s, 0, sizeof s);
    s.write_most = 1;
    s.endless = 1;
    s.at = UINT32_MAX;
    io = io_of(&s);
    assert_int_equal(tenon_send(b.conn, TENON_BINARY, session, 300, 0), TENON_OK);
    while ((status = tenon_pump(b.conn, &io)) == TENON_MORE) {
        turns++;
        assert_int_equal(s.recvs, turns); /* reading does not wait for it */
    }
    assert_int_equal(status, TENON_OK);
    assert_int_equal(tenon_queued(b.conn), 0);
    assert_true(turns > 2);
    bench_stop(&b);
}

/* MORE as long as something is queued that an open transport would take, and no longer. */
static void test_more_while_queued(void **state)
{
    size_t n;
    (void)state;
    for (n = 0; n < 100; n++) {
        static script s;
        tenon_io io;
        bench b;
        int status;
        bench_config(&b, SERVER);
        bench_open_sized(&b, 256, 512);
        memset(&s, 0, sizeof s);
        s.write_most = 1;
        s.endless = 1;
        s.at = UINT32_MAX;
        io = io_of(&s);
        assert_int_equal(tenon_send(b.conn, TENON_BINARY, session, n, 0), TENON_OK);
        do {
            status = tenon_pump(b.conn, &io);
            assert_int_equal(status, tenon_queued(b.conn) > 0 ? TENON_MORE : TENON_OK);
        } while (status != TENON_OK);
        bench_stop(&b);
    }
}

static int full_send(void *user, const tenon_iov *iov, size_t count, size_t *put)
{
    (void)iov;
    (void)count;
    (void)put;
    ((script *)user)->sends++;
    return TENON_WAIT;
}

/* Behind the end of the stream there is nothing to read: who waits for the transport to
 * take the answer is not called again before it does. */
static void test_end_while_writing(void **state)
{
    static script s;
    tenon_io io;
    bench b;
    int status;
    (void)state;
    begin(&b, &s);
    io = io_of(&s);
    io.send = full_send;
    while (s.in_at < s.in_size)
        assert_true(tenon_pump(b.conn, &io) >= 0);
    assert_int_equal(tenon_pump(b.conn, &io), TENON_OK);
    assert_true(tenon_queued(b.conn) > 64);
    io.send = script_send; /* now it takes all, and waits for nobody */
    s.write_most = 1;
    while ((status = tenon_pump(b.conn, &io)) != TENON_DONE)
        assert_int_equal(status, TENON_MORE);
    assert_string_equal(s.log, session_log);
    bench_stop(&b);
}

/* The stream ends at every octet: one CLOSED, and it is the last event. */
static void test_end(void **state)
{
    size_t n;
    (void)state;
    for (n = 0; n < session_size; n++) {
        script s;
        bench b;
        begin(&b, &s);
        s.in_size = n;
        (void)pump(&b, &s);
        assert_int_equal(s.last.code, TENON_CLOSE_ABNORMAL);
        assert_int_equal(s.last.rule, TENON_RULE_EOF);
        assert_int_equal(s.last.offset, n);
        assert_int_equal(s.last.cause, TENON_REMOTE);
        bench_stop(&b);
    }
}

/* The N-th read or write fails, for each N: the connection ends as if reset. */
/* covers: 6455-7.2.1-01 */
static void test_fails(void **state)
{
    unsigned n, reads;
    (void)state;
    for (reads = 0; reads < 2; reads++) {
        int reached = 1;
        for (n = 1; reached; n++) {
            script s;
            bench b;
            begin(&b, &s);
            s.read_most = 20;
            s.write_most = 30;
            if (reads)
                s.recv_fails = n;
            else
                s.send_fails = n;
            (void)pump(&b, &s);
            reached = (reads ? s.recvs : s.sends) >= n;
            assert_int_equal(tenon_state(b.conn), TENON_CLOSED);
            if (!reached)
                assert_string_equal(s.log, session_log);
            else if ((s.last.flags & TENON_CLEAN) == 0)
                assert_int_equal(s.last.cause, TENON_REMOTE);
            if (reached && strstr(s.log, "CLOSE ") == NULL)
                assert_int_equal(s.last.rule, TENON_RULE_ABORT);
            bench_stop(&b);
        }
        assert_true(n > 8);
    }
}

/* A transport that says it took more than it was offered. */
static void test_over(void **state)
{
    tenon_io io;
    script s;
    bench b;
    int status;
    (void)state;
    begin(&b, &s);
    io = io_of(&s);
    s.over = 1;
    do {
        status = tenon_pump(b.conn, &io);
    } while (status == TENON_OK || status == TENON_MORE);
    assert_int_equal(status, TENON_ERR_ACK);
    assert_int_equal(s.sends, 1);
    bench_stop(&b);
}

static int recv_too_much(void *user, void *buf, size_t n, size_t *got)
{
    (void)user;
    memset(buf, 0, n);
    *got = n + 1;
    return TENON_OK;
}

/* One that says it read more than there was room for is not believed. */
static void test_read_too_much(void **state)
{
    tenon_io io;
    script s;
    bench b;
    (void)state;
    begin(&b, &s);
    io = io_of(&s);
    io.recv = recv_too_much;
    assert_int_equal(tenon_pump(b.conn, &io), TENON_DONE);
    assert_int_equal(s.last.rule, TENON_RULE_ABORT);
    bench_stop(&b);
}

/* ------------------------------------------------------------- STOP and AGAIN */

/* STOP at each event: it is done with; the next turn goes on behind it. */
static void test_stop(void **state)
{
    unsigned at;
    (void)state;
    for (at = 0; at < 6; at++) {
        tenon_io io;
        script s;
        bench b;
        int status, stopped = 0;
        begin(&b, &s);
        io = io_of(&s);
        s.answer = TENON_STOP;
        s.at = at;
        do {
            status = tenon_pump(b.conn, &io);
            stopped += status == TENON_STOPPED;
            if (status == TENON_STOPPED)
                assert_int_equal(s.events, at + 1);
        } while (status != TENON_DONE);
        assert_int_equal(stopped, 1);
        assert_string_equal(s.log, session_log);
        bench_stop(&b);
    }
}

/* AGAIN keeps it: the same one comes first in the next turn. */
static void test_again(void **state)
{
    tenon_event first;
    script s;
    bench b;
    (void)state;
    bench_open(&b, CLIENT);
    memset(&s, 0, sizeof s);
    s.answer = TENON_AGAIN;
    give(&b, "\x81\x01" "a\x81\x01" "b", 6);
    assert_int_equal(tenon_run(b.conn, script_event, &s), TENON_STOPPED);
    first = s.last;
    assert_memory_equal(first.data, "a", 1);
    s.at = 1;
    assert_int_equal(tenon_run(b.conn, script_event, &s), TENON_STOPPED);
    assert_memory_equal(&first, &s.last, sizeof first);
    s.answer = TENON_CONTINUE;
    assert_int_equal(tenon_run(b.conn, script_event, &s), TENON_OK);
    assert_string_equal(s.log, "DATA DATA DATA DATA ");
    assert_memory_equal(s.last.data, "b", 1);
    bench_stop(&b);
}

/* After CLOSED there is nothing, and it is told once. */
static void test_run_done(void **state)
{
    script s;
    bench b;
    (void)state;
    bench_open(&b, SERVER);
    memset(&s, 0, sizeof s);
    s.at = UINT32_MAX;
    assert_int_equal(tenon_run(b.conn, script_event, &s), TENON_OK);
    assert_int_equal(tenon_abort(b.conn, TENON_LOCAL), TENON_OK);
    assert_int_equal(tenon_run(b.conn, script_event, &s), TENON_DONE);
    assert_string_equal(s.log, "CLOSED ");
    assert_int_equal(tenon_run(b.conn, script_event, &s), TENON_OK);
    assert_string_equal(s.log, "CLOSED ");
    bench_stop(&b);
}

/* --------------------------------------------------------------- CLOSED frees */

/* The program frees the connection in CLOSED, whatever ended it and wherever in a
 * turn that was. */
static void test_freed(void **state)
{
    enum { WHOLE, ENDED, READ_FAILS, WRITE_FAILS, TIMED_OUT, WAYS };
    int way;
    size_t n;
    (void)state;
    for (way = 0; way < WAYS; way++) {
        for (n = 1; n < session_size; n++) {
            tenon_storage *storage = malloc(sizeof *storage);
            tenon_io io;
            script s;
            bench b;
            int status;
            begin(&b, &s);
            assert_int_equal(tenon_init(storage, sizeof *storage, &b.config, &b.conn), TENON_OK);
            assert_int_equal(tenon_lend(b.conn, b.rx, 1024, b.tx, 1024), TENON_OK);
            s.storage = storage;
            io = io_of(&s);
            if (way == WHOLE)
                s.read_most = n;
            if (way == ENDED || way == TIMED_OUT)
                s.in_size = n;
            s.endless = way == TIMED_OUT;
            if (way == READ_FAILS)
                s.recv_fails = (unsigned)n;
            if (way == WRITE_FAILS)
                s.send_fails = 1;
            do {
                status = tenon_pump(b.conn, &io);
                s.now += 1000000;
                if (way == TIMED_OUT && s.nows > 3 && strstr(s.log, "OPEN") != NULL && s.closed == 0)
                    (void)tenon_abort(b.conn, TENON_LOCAL); /* no timer runs in an idle one */
            } while (status != TENON_DONE);
            assert_int_equal(s.closed, 1);
            bench_stop(&b);
        }
    }
}

/* ---------------------------------------------------------------------- shut */

/* After a failure: all is written, the sending side is shut once, reading goes on. */
/* covers: 6455-7.1.1-01 */
static void test_shut(void **state)
{
    static const uint8_t bad[] = {0x83, 0x80, 1, 2, 3, 4, 0x81, 0x80, 1, 2, 3, 4};
    tenon_io io;
    uint8_t octets[512];
    script s;
    bench b;
    int i;
    (void)state;
    begin(&b, &s);
    memcpy(octets, REQUEST, sizeof REQUEST - 1);
    memcpy(octets + sizeof REQUEST - 1, bad, sizeof bad);
    s.in = octets;
    s.in_size = sizeof REQUEST - 1 + sizeof bad;
    s.endless = 1;
    io = io_of(&s);
    for (i = 0; i < 10; i++)
        assert_true(tenon_pump(b.conn, &io) >= 0);
    assert_int_equal(s.shuts, 1);
    assert_int_equal(s.in_at, s.in_size);
    assert_memory_equal(s.out + s.out_size - 4, "\x88\x02\x03\xea", 4);
    s.endless = 0;
    assert_int_equal(tenon_pump(b.conn, &io), TENON_DONE);
    assert_int_equal(s.shuts, 1);
    bench_stop(&b);
    begin(&b, &s);
    s.in = octets;
    s.in_size = sizeof REQUEST - 1 + sizeof bad;
    s.endless = 1;
    io = io_of(&s);
    io.shut = NULL; /* may be missing */
    for (i = 0; i < 10; i++)
        assert_true(tenon_pump(b.conn, &io) >= 0);
    s.now += 5000;
    assert_int_equal(tenon_pump(b.conn, &io), TENON_DONE);
    bench_stop(&b);
}

/* ---------------------------------------------------------------- shared buffer */

typedef struct sharer {
    bench b;
    script s;
    uint8_t rest[512]; /* what tenon_unlend gave back */
    size_t rest_size, rest_at;
} sharer;

/* Reads first what was kept. */
static int sharer_recv(void *user, void *buf, size_t n, size_t *got)
{
    sharer *h = user;
    if (h->rest_at == h->rest_size)
        return script_recv(&h->s, buf, n, got);
    *got = h->rest_size - h->rest_at < n ? h->rest_size - h->rest_at : n;
    memcpy(buf, h->rest + h->rest_at, *got);
    h->rest_at += *got;
    return TENON_OK;
}

static int sharer_send(void *user, const tenon_iov *iov, size_t count, size_t *put)
{
    return script_send(&((sharer *)user)->s, iov, count, put);
}

static uint64_t sharer_now(void *user)
{
    return ((sharer *)user)->s.now;
}

/* Stops at every event. */
static int sharer_event(tenon_conn *conn, const tenon_event *event, void *user)
{
    (void)script_event(conn, event, &((sharer *)user)->s);
    return TENON_STOP;
}

static int sharer_turn(sharer *h, uint8_t *buf, size_t n)
{
    tenon_io io = io_of(&h->s);
    const void *rest;
    size_t left;
    int status;
    io.user = h;
    io.recv = sharer_recv;
    io.send = sharer_send;
    io.now = sharer_now;
    io.event = sharer_event;
    io.shut = NULL;
    io.buf = buf;
    io.buf_size = n;
    status = tenon_pump(h->b.conn, &io);
    if (status == TENON_DONE)
        return status;
    if (tenon_unlend(h->b.conn, &rest, &left) == TENON_ERR_BUSY) {
        (void)tenon_run(h->b.conn, sharer_event, h);
        return sharer_turn(h, buf, n);
    }
    if (left > 0) {
        uint8_t copy[512];
        size_t kept = h->rest_size - h->rest_at;
        assert_true(left + kept <= sizeof copy);
        memcpy(copy, rest, left);
        memcpy(copy + left, h->rest + h->rest_at, kept);
        memcpy(h->rest, copy, left + kept);
        h->rest_size = left + kept;
        h->rest_at = 0;
    }
    return status;
}

/* Two connections read into one buffer, of any size. A turn that stops with an event
 * in the buffer goes on until the buffer is free. */
static void test_shared(void **state)
{
    size_t n;
    (void)state;
    for (n = 1; n <= 256; n += 5) {
        static sharer h[2];
        uint8_t buf[256];
        int done[2] = {0, 0}, turns = 0, i;
        for (i = 0; i < 2; i++) {
            memset(&h[i], 0, sizeof h[i]);
            begin(&h[i].b, &h[i].s);
        }
        while (!done[0] || !done[1]) {
            for (i = 0; i < 2; i++) {
                if (!done[i])
                    done[i] = sharer_turn(&h[i], buf, n) == TENON_DONE;
                memset(buf, 0xee, sizeof buf);
            }
            assert_true(++turns < 10000);
        }
        for (i = 0; i < 2; i++) {
            assert_string_equal(h[i].s.log, session_log);
            bench_stop(&h[i].b);
        }
    }
}

/* A transport that is ready and moves nothing is asked again at the next turn. */
static int idle_recv(void *user, void *buf, size_t n, size_t *got)
{
    (void)buf;
    (void)n;
    (void)got;
    ((script *)user)->recvs++;
    return TENON_OK;
}

static int idle_send(void *user, const tenon_iov *iov, size_t count, size_t *put)
{
    (void)iov;
    (void)count;
    (void)put;
    ((script *)user)->sends++;
    return TENON_OK;
}

static void test_nothing_moves(void **state)
{
    script s;
    tenon_io io;
    bench b;
    (void)state;
    memset(&s, 0, sizeof s);
    bench_config(&b, SERVER);
    bench_open_sized(&b, 256, 512);
    io = io_of(&s);
    io.recv = idle_recv;
    io.send = idle_send;
    assert_int_equal(tenon_pump(b.conn, &io), TENON_OK);
    assert_int_equal(s.recvs, 1);
    assert_int_equal(s.sends, 0);
    assert_int_equal(tenon_send(b.conn, TENON_BINARY, "Hello", 5, 0), TENON_OK);
    assert_int_equal(tenon_pump(b.conn, &io), TENON_OK);
    assert_int_equal(s.sends, 2); /* before the read, and for what the read may have brought about */
    assert_true(tenon_queued(b.conn) > 0);
    bench_stop(&b);
}

/* Each write brings an event, each event a write: a turn has an end nevertheless. */
static int endless_event(tenon_conn *conn, const tenon_event *event, void *user)
{
    script *s = user;
    s->events++;
    assert_int_equal(event->type, TENON_EV_RELEASED);
    assert_int_equal(tenon_send_ref(conn, TENON_BINARY, "x", 1, 0, user), TENON_OK);
    s->out_size = 0;
    return TENON_CONTINUE;
}

static void test_endless_turn(void **state)
{
    script s;
    tenon_io io;
    bench b;
    (void)state;
    memset(&s, 0, sizeof s);
    s.write_most = SIZE_MAX;
    s.endless = 1;
    bench_config(&b, SERVER);
    bench_open_sized(&b, 256, 512);
    io = io_of(&s);
    io.event = endless_event;
    assert_int_equal(tenon_send_ref(b.conn, TENON_BINARY, "x", 1, 0, &s), TENON_OK);
    assert_int_equal(tenon_pump(b.conn, &io), TENON_MORE);
    assert_true(s.events > 1 && s.events < 100);
    bench_stop(&b);
}

static int counting_event(tenon_conn *conn, const tenon_event *event, void *user)
{
    script *s = user;
    (void)conn;
    s->told += event->size;
    s->events++;
    return TENON_CONTINUE;
}

/* However much one read brings, after a mebibyte others have their turn; and what waits
 * comes in the next turns, in order, before anything more is read. */
static void test_told_at_a_time(void **state)
{
    enum { FRAME = 65536, FRAMES = 40, MOST = 1 << 20 };
    static uint8_t in[FRAMES * (FRAME + 14)], buf[sizeof in], payload[FRAME];
    size_t n = 0;
    script s;
    tenon_io io;
    bench b;
    int i, turn;
    (void)state;
    for (i = 0; i < FRAMES; i++)
        n += peer_frame(SERVER, in + n, 0x82, payload, FRAME);
    memset(&s, 0, sizeof s);
    s.read_most = s.write_most = SIZE_MAX;
    s.endless = 1;
    s.in = in;
    s.in_size = n;
    bench_config(&b, SERVER);
    b.config.flags = TENON_CHUNKS;
    bench_open_sized(&b, 256, 512);
    io = io_of(&s);
    io.event = counting_event;
    io.buf = buf;
    io.buf_size = sizeof buf;
    for (turn = 1; turn <= 2; turn++) {
        assert_int_equal(tenon_pump(b.conn, &io), TENON_MORE);
        assert_int_equal(s.recvs, 1);
        assert_int_equal(s.told, turn * MOST);
        assert_true((tenon_wants(b.conn) & TENON_WANTS_NEXT) != 0);
    }
    assert_int_equal(tenon_pump(b.conn, &io), TENON_OK);
    assert_int_equal(s.recvs, 2);
    assert_int_equal(s.told, (size_t)FRAMES * FRAME);
    assert_int_equal(s.events, FRAMES);
    bench_stop(&b);
}

/* Answers data with two references of an octet. */
static int two_refs_event(tenon_conn *conn, const tenon_event *event, void *user)
{
    script *s = user;
    strcat(s->log, tenon_event_name(event->type));
    strcat(s->log, " ");
    if (event->type == TENON_EV_DATA) {
        assert_int_equal(tenon_send_ref(conn, TENON_BINARY, "x", 1, 0, NULL), TENON_OK);
        assert_int_equal(tenon_send_ref(conn, TENON_BINARY, "y", 1, 0, NULL), TENON_OK);
    }
    return TENON_CONTINUE;
}

/* What a write has brought about is told in the same turn, also where the transport takes
 * no more behind it. */
static void test_told_what_was_written(void **state)
{
    uint8_t in[16];
    size_t n = peer_frame(SERVER, in, 0x82, "x", 1);
    script s;
    tenon_io io;
    bench b;
    (void)state;
    memset(&s, 0, sizeof s);
    s.read_most = SIZE_MAX;
    s.write_most = 3; /* one frame */
    s.waits = 2; /* the second of the writes */
    s.endless = 1;
    s.in = in;
    s.in_size = n;
    bench_config(&b, SERVER);
    bench_open_sized(&b, 256, 512);
    io = io_of(&s);
    io.event = two_refs_event;
    assert_int_equal(tenon_pump(b.conn, &io), TENON_MORE);
    assert_string_equal(s.log, "DATA RELEASED RELEASED ");
    assert_int_equal(s.sends, 3);
    bench_stop(&b);
}

/* Sends a Ping with each event. */
static int ping_event(tenon_conn *conn, const tenon_event *event, void *user)
{
    if (event->type == TENON_EV_DATA)
        assert_int_equal(tenon_ping(conn, NULL, 0), TENON_OK);
    return script_event(conn, event, user);
}

/* An open server whose client sends no more than that; the next write fails. */
static void begin_unwritable(bench *b, script *s, tenon_io *io, const uint8_t *in, size_t size)
{
    begin_limited(b, s, 10000);
    *io = io_of(s);
    s->endless = 1;
    s->in_size = sizeof REQUEST - 1;
    assert_int_equal(tenon_pump(b->conn, io), TENON_MORE);
    assert_int_equal(tenon_pump(b->conn, io), TENON_OK);
    assert_int_equal(tenon_state(b->conn), TENON_OPEN);
    s->in = in;
    s->in_size = size;
    s->in_at = 0;
    s->send_fails = s->sends + 1;
}

/* Behind a write that fails, what the peer said before is still heard: its Close says how
 * the connection ended, where a reset would only say that it did. */
static void test_write_fails_close_heard(void **state)
{
    int own, end;
    (void)state;
    for (own = 0; own < 2; own++) {
        for (end = 0; end < 2; end++) {
            uint8_t in[64];
            size_t n = peer_frame(SERVER, in, 0x81, "bye", 3);
            tenon_io io;
            script s;
            bench b;
            n += peer_frame(SERVER, in + n, 0x88, "\x03\xe9", 2);
            begin_unwritable(&b, &s, &io, in, n);
            s.endless = !end;
            s.read_most = 3;
            if (own)
                assert_int_equal(tenon_close(b.conn, TENON_CLOSE_NORMAL, NULL, 0), TENON_OK);
            else
                assert_int_equal(tenon_ping(b.conn, NULL, 0), TENON_OK);
            s.answer = TENON_AGAIN; /* no answers; but keeps nothing, for at is far away */
            assert_int_equal(tenon_pump(b.conn, &io), TENON_DONE);
            assert_string_equal(s.log, "REQUEST OPEN DATA CLOSE CLOSED ");
            assert_int_equal(s.last.received_code, TENON_CLOSE_GOING_AWAY);
            assert_int_equal(s.last.cause, own ? TENON_LOCAL : TENON_REMOTE);
            bench_stop(&b);
        }
    }
}

/* The own Close is out; the Pong behind it finds nobody, and the peer's Close is there: that
 * is a clean end. */
static void test_write_fails_behind_the_close(void **state)
{
    uint8_t in[64];
    size_t n = peer_frame(SERVER, in, 0x89, "", 0), ping = n;
    tenon_io io;
    script s;
    bench b;
    (void)state;
    n += peer_frame(SERVER, in + n, 0x88, "\x03\xe8", 2);
    begin_unwritable(&b, &s, &io, in, n);
    s.send_fails++;
    s.read_most = ping;
    assert_int_equal(tenon_close(b.conn, TENON_CLOSE_NORMAL, NULL, 0), TENON_OK);
    assert_int_equal(tenon_pump(b.conn, &io), TENON_DONE);
    assert_string_equal(s.log, "REQUEST OPEN PING CLOSE CLOSED ");
    assert_int_equal(s.last.flags & TENON_CLEAN, TENON_CLEAN);
    assert_int_equal(s.last.sent_code, TENON_CLOSE_NORMAL);
    assert_int_equal(s.last.rule, TENON_RULE_NONE);
    bench_stop(&b);
}

static int abort_event(tenon_conn *conn, const tenon_event *event, void *user)
{
    if (event->type == TENON_EV_DATA)
        assert_int_equal(tenon_abort(conn, TENON_LOCAL), TENON_OK);
    return script_event(conn, event, user);
}

/* The program ends it itself in what it hears: behind CLOSED nothing is touched. */
static void test_write_fails_then_aborted(void **state)
{
    uint8_t in[64];
    size_t n = peer_frame(SERVER, in, 0x81, "bye", 3);
    tenon_io io;
    script s;
    bench b;
    (void)state;
    begin_unwritable(&b, &s, &io, in, n);
    s.answer = TENON_AGAIN;
    io.event = abort_event;
    assert_int_equal(tenon_ping(b.conn, NULL, 0), TENON_OK);
    assert_int_equal(tenon_pump(b.conn, &io), TENON_DONE);
    assert_string_equal(s.log, "REQUEST OPEN DATA CLOSED ");
    assert_int_equal(s.last.cause, TENON_LOCAL);
    bench_stop(&b);
}

/* A message that waits for a larger rx will not get it: nothing is read behind it. */
static void test_write_fails_without_room(void **state)
{
    static const uint8_t in[2048] = {0x82, 0xfe, 0x13, 0x88, 1, 2, 3, 4, 5, 6, 7, 8};
    tenon_io io;
    script s;
    bench b;
    (void)state;
    begin_unwritable(&b, &s, &io, in, sizeof in);
    s.send_fails = 0;
    while ((tenon_wants(b.conn) & TENON_WANTS_RX) == 0)
        assert_true(tenon_pump(b.conn, &io) >= 0);
    assert_true(s.in_at < s.in_size);
    assert_int_equal(tenon_ping(b.conn, NULL, 0), TENON_OK);
    s.recvs = 0;
    s.send_fails = 1;
    assert_int_equal(tenon_pump(b.conn, &io), TENON_DONE);
    assert_int_equal(s.recvs, 0);
    assert_int_equal(s.last.rule, TENON_RULE_ABORT);
    bench_stop(&b);
}

/* Without a Close it is the write that ended it, wherever reading stops. */
static void test_write_fails_nothing_heard(void **state)
{
    enum { NOTHING, ENDED, READ_FAILS, WAYS };
    int way;
    (void)state;
    for (way = 0; way < WAYS; way++) {
        uint8_t in[64];
        size_t n = peer_frame(SERVER, in, 0x81, "bye", 3);
        tenon_io io;
        script s;
        bench b;
        begin_unwritable(&b, &s, &io, in, n);
        s.answer = TENON_AGAIN;
        s.endless = way != ENDED;
        if (way == READ_FAILS)
            s.recv_fails = s.recvs + 2;
        assert_int_equal(tenon_ping(b.conn, NULL, 0), TENON_OK);
        assert_int_equal(tenon_pump(b.conn, &io), TENON_DONE);
        assert_string_equal(s.log, "REQUEST OPEN DATA CLOSED ");
        assert_int_equal(s.last.rule, TENON_RULE_ABORT);
        assert_int_equal(s.last.cause, TENON_REMOTE);
        assert_int_equal(s.last.offset, sizeof REQUEST - 1 + n);
        bench_stop(&b);
    }
}

static int silent_event(tenon_conn *conn, const tenon_event *event, void *user)
{
    (void)conn;
    (void)event;
    (void)user;
    return TENON_CONTINUE;
}

/* A peer that never stops talking does not keep a connection that cannot answer. */
static void test_write_fails_endless_peer(void **state)
{
    static uint8_t in[65536];
    size_t n = 0;
    tenon_io io;
    script s;
    bench b;
    (void)state;
    while (n + 16 < sizeof in)
        n += peer_frame(SERVER, in + n, 0x8a, "", 0);
    begin_unwritable(&b, &s, &io, in, n);
    s.read_most = 6;
    io.event = silent_event;
    assert_int_equal(tenon_ping(b.conn, NULL, 0), TENON_OK);
    s.recvs = 0;
    assert_int_equal(tenon_pump(b.conn, &io), TENON_DONE);
    assert_true(s.recvs > 16 && s.recvs < 100);
    bench_stop(&b);
}

/* Who stops, or keeps what it has no room to answer, is not called again in that turn, nor
 * waits for ever: CLOSED is next. */
static void test_write_fails_stopped(void **state)
{
    static const int answers[] = {TENON_STOP, TENON_AGAIN};
    size_t i, first;
    (void)state;
    for (i = 0; i < COUNT_OF(answers); i++) {
        for (first = 0; first < 2; first++) { /* the write fails in front of the event, or behind it */
            uint8_t in[64];
            size_t n = peer_frame(SERVER, in, 0x81, "one", 3);
            tenon_io io;
            script s;
            bench b;
            n += peer_frame(SERVER, in + n, 0x81, "two", 3);
            begin_unwritable(&b, &s, &io, in, n);
            s.answer = answers[i];
            s.at = s.events;
            if (first)
                assert_int_equal(tenon_ping(b.conn, NULL, 0), TENON_OK);
            else
                io.event = ping_event;
            assert_int_equal(tenon_pump(b.conn, &io), TENON_STOPPED);
            assert_string_equal(s.log, "REQUEST OPEN DATA ");
            assert_true((tenon_wants(b.conn) & TENON_WANTS_NEXT) != 0);
            s.sends = 0;
            assert_int_equal(tenon_pump(b.conn, &io), TENON_DONE);
            assert_int_equal(s.sends, 0);
            assert_string_equal(s.log, "REQUEST OPEN DATA CLOSED ");
            assert_int_equal(s.last.rule, TENON_RULE_ABORT);
            bench_stop(&b);
        }
    }
}

/* A write that fails ends the connection in the turn in which it fails: nothing that the
 * program waits for would bring about another. */
static void test_write_fails_at_once(void **state)
{
    static script s;
    tenon_io io;
    bench b;
    (void)state;
    begin(&b, &s);
    io = io_of(&s);
    s.endless = 1;
    s.send_fails = 1;
    assert_int_equal(tenon_pump(b.conn, &io), TENON_DONE);
    assert_int_equal(s.closed, 1);
    assert_int_equal(s.last.cause, TENON_REMOTE);
    bench_stop(&b);
}

/* More than was offered cannot have been taken: an error, wherever in the turn it is. */
static void test_over_at_once(void **state)
{
    script s;
    tenon_io io;
    bench b;
    (void)state;
    memset(&s, 0, sizeof s);
    s.write_most = SIZE_MAX;
    s.endless = 1;
    s.over = 1;
    bench_config(&b, SERVER);
    bench_open_sized(&b, 256, 512);
    io = io_of(&s);
    assert_int_equal(tenon_send(b.conn, TENON_BINARY, "Hello", 5, 0), TENON_OK);
    assert_int_equal(tenon_pump(b.conn, &io), TENON_ERR_ACK);
    assert_int_equal(s.recvs, 0);
    bench_stop(&b);
}

/* Who stops in an event that used up all that was lent is told to come again: only then
 * is anything read. */
static void test_stop_wants(void **state)
{
    static const int types[] = {TENON_EV_OPEN, TENON_EV_DATA, TENON_EV_PING};
    static script s;
    size_t i;
    (void)state;
    for (i = 0; i < COUNT_OF(types); i++) {
        tenon_io io;
        bench b;
        begin(&b, &s);
        io = io_of(&s);
        s.endless = 1;
        s.read_most = 1; /* so that an event is the last of what was lent */
        s.answer = TENON_STOP;
        s.at = (unsigned)i + 1;
        while (tenon_pump(b.conn, &io) != TENON_STOPPED) {
        }
        assert_int_equal(s.last.type, types[i]);
        assert_int_equal(tenon_wants(b.conn) & (TENON_WANTS_NEXT | TENON_WANTS_READ), TENON_WANTS_NEXT);
        assert_true(tenon_pump(b.conn, &io) >= 0);
        assert_true((tenon_wants(b.conn) & TENON_WANTS_READ) != 0);
        bench_stop(&b);
    }
}

/* Once all that was lent is told the same turn reads: OK says that the transport has
 * nothing, so it must have been asked. */
static void test_reads_behind_what_waited(void **state)
{
    static script s;
    tenon_io io;
    bench b;
    unsigned recvs;
    (void)state;
    begin(&b, &s);
    io = io_of(&s);
    s.endless = 1;
    s.in_size = session_size - 8; /* no Close */
    s.answer = TENON_STOP;
    s.at = 2;
    while (tenon_pump(b.conn, &io) != TENON_STOPPED) {
    }
    assert_int_equal(s.in_at, s.in_size);
    recvs = s.recvs;
    assert_int_equal(tenon_pump(b.conn, &io), TENON_OK);
    assert_string_equal(s.log, "REQUEST OPEN DATA PING DATA ");
    assert_int_equal(s.recvs, recvs + 1);
    bench_stop(&b);
}

/* Leaves a request undecided. */
static int undecided_event(tenon_conn *conn, const tenon_event *event, void *user)
{
    if (event->type != TENON_EV_REQUEST)
        return script_event(conn, event, user);
    strcat(((script *)user)->log, "REQUEST ");
    return TENON_CONTINUE;
}

/* While octets behind the head wait for a decision, nothing is read that would have
 * nowhere to go. */
static void test_no_read_before_a_decision(void **state)
{
    static script s;
    tenon_io io;
    bench b;
    int i;
    (void)state;
    begin(&b, &s);
    io = io_of(&s);
    io.event = undecided_event;
    s.read_most = sizeof REQUEST - 1 + 5;
    for (i = 0; i < 3; i++)
        assert_true(tenon_pump(b.conn, &io) >= 0);
    assert_int_equal(s.recvs, 1);
    assert_int_equal(tenon_accept(b.conn, NULL), TENON_OK);
    (void)pump(&b, &s);
    assert_string_equal(s.log, session_log);
    bench_stop(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_reentry),
        cmocka_unit_test(test_short),
        cmocka_unit_test(test_more),
        cmocka_unit_test(test_more_to_write),
        cmocka_unit_test(test_more_while_queued),
        cmocka_unit_test(test_end_while_writing),
        cmocka_unit_test(test_end),
        cmocka_unit_test(test_fails),
        cmocka_unit_test(test_over),
        cmocka_unit_test(test_read_too_much),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_again),
        cmocka_unit_test(test_run_done),
        cmocka_unit_test(test_freed),
        cmocka_unit_test(test_shut),
        cmocka_unit_test(test_shared),
        cmocka_unit_test(test_nothing_moves),
        cmocka_unit_test(test_endless_turn),
        cmocka_unit_test(test_told_at_a_time),
        cmocka_unit_test(test_told_what_was_written),
        cmocka_unit_test(test_write_fails_at_once),
        cmocka_unit_test(test_write_fails_close_heard),
        cmocka_unit_test(test_write_fails_behind_the_close),
        cmocka_unit_test(test_write_fails_then_aborted),
        cmocka_unit_test(test_write_fails_without_room),
        cmocka_unit_test(test_write_fails_nothing_heard),
        cmocka_unit_test(test_write_fails_endless_peer),
        cmocka_unit_test(test_write_fails_stopped),
        cmocka_unit_test(test_over_at_once),
        cmocka_unit_test(test_stop_wants),
        cmocka_unit_test(test_no_read_before_a_decision),
        cmocka_unit_test(test_reads_behind_what_waited),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
