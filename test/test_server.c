/* SPDX-License-Identifier: MIT */
#include "harness.h"

enum { SERVER = TENON_SERVER };

#define ANSWER                                            \
    "HTTP/1.1 101 Switching Protocols\r\n"                \
    "Upgrade: websocket\r\n"                              \
    "Connection: Upgrade\r\n"                             \
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" \
    "\r\n"

static void start(bench *b)
{
    bench_server(b);
    bench_start(b, 1024, 1024);
}

static void start_decide(bench *b, const char *request)
{
    start(b);
    give_text(b, request);
    assert_next(b, TENON_EV_REQUEST);
    assert_none(b);
}

static tenon_answer answer(void)
{
    tenon_answer a;
    memset(&a, 0, sizeof a);
    a.size = (uint32_t)sizeof a;
    return a;
}

static tenon_refusal refusal(unsigned status)
{
    tenon_refusal r;
    memset(&r, 0, sizeof r);
    r.size = (uint32_t)sizeof r;
    r.status = (uint16_t)status;
    return r;
}

static void assert_sent(bench *b, const char *text)
{
    size_t n = strlen(text);
    flush_out(b);
    assert_true(b->wire_size - b->read >= n);
    assert_memory_equal(b->wire + b->read, text, n);
    b->read += n;
}

static int str_is(tenon_str s, const char *text)
{
    return s.size == strlen(text) && memcmp(s.data, text, s.size) == 0;
}

/* -------------------------------------------------------------------- accept */

/* The head in two pieces at every cut, a frame right behind it. */
/* covers: 6455-4.2.2-08 6455-4.2.2-09 6455-4.2.2-10 6455-4.2.2-11 6455-4.2.2-12 6455-4.2.2-06 6455-4.2.2-07 */
static void test_accept(void **state)
{
    uint8_t octets[512];
    size_t n, cut;
    (void)state;
    memcpy(octets, REQUEST, n = sizeof REQUEST - 1);
    n += peer_frame(SERVER, octets + n, 0x81, "Hello", 5);
    for (cut = 1; cut < n; cut++) {
        unsigned seen = 0, part;
        bench b;
        start(&b);
        for (part = 0; part < 2; part++) {
            int type;
            give(&b, octets + (part ? cut : 0), part ? n - cut : cut);
            while ((type = next(&b)) != 0) {
                if (type == TENON_EV_REQUEST) {
                    assert_int_equal(seen++, 0);
                    assert_int_equal(tenon_accept(b.conn, NULL), TENON_OK);
                } else if (type == TENON_EV_OPEN) {
                    assert_int_equal(seen++, 1);
                    assert_null(b.event.data);
                    assert_int_equal(tenon_send(b.conn, TENON_TEXT, "hi", 2, 0), TENON_OK);
                } else {
                    assert_int_equal(type, TENON_EV_DATA);
                    assert_int_equal(seen++, 2);
                    assert_data(&b, "Hello", 5);
                }
            }
        }
        assert_int_equal(seen, 3);
        assert_sent(&b, ANSWER);
        assert_wire(&b, 0x81, "hi", 2);
        assert_wire_end(&b);
        assert_int_equal(b.stats.octets_in, n);
        bench_stop(&b);
    }
}

/* The decision comes later: nothing more is parsed until then, and REQUEST is told
 * once; the octets behind the head stay raw. */
/* covers: 6455-4.2.1-14 6455-4.2.2-11 */
static void test_later(void **state)
{
    uint8_t octets[512];
    size_t n, head, i;
    const void *rest;
    bench b;
    (void)state;
    memcpy(octets, REQUEST, head = sizeof REQUEST - 1);
    n = head + peer_frame(SERVER, octets + head, 0x81, "Hello", 5);
    start(&b);
    give(&b, octets, n);
    assert_next(&b, TENON_EV_REQUEST);
    for (i = 0; i < 3; i++) {
        assert_none(&b);
        assert_int_equal(tenon_wants(b.conn), TENON_WANTS_DECISION);
        assert_int_equal(tenon_state(b.conn), TENON_CONNECTING);
    }
    assert_int_equal(tenon_unlend(b.conn, &rest, &n), TENON_OK);
    assert_int_equal(n, 11);
    assert_memory_equal(rest, octets + head, n);
    assert_int_equal(tenon_recv_const(b.conn, octets + head, n), TENON_OK);
    assert_none(&b);
    assert_int_equal(tenon_accept(b.conn, NULL), TENON_OK);
    assert_next(&b, TENON_EV_OPEN);
    assert_next(&b, TENON_EV_DATA);
    assert_data(&b, "Hello", 5);
    bench_stop(&b);
}

/* A stream that ends behind lent frames ends when these were looked at. */
static void test_eof_undecided(void **state)
{
    uint8_t octets[512];
    size_t n;
    bench b;
    (void)state;
    memcpy(octets, REQUEST, n = sizeof REQUEST - 1);
    n += peer_frame(SERVER, octets + n, 0x81, "Hello", 5);
    start(&b);
    give(&b, octets, n);
    assert_next(&b, TENON_EV_REQUEST);
    assert_int_equal(tenon_eof(b.conn), TENON_OK);
    assert_none(&b);
    assert_int_equal(tenon_wants(b.conn), TENON_WANTS_DECISION);
    assert_int_equal(tenon_accept(b.conn, NULL), TENON_OK);
    assert_next(&b, TENON_EV_OPEN);
    assert_next(&b, TENON_EV_DATA);
    run_to_closed(&b);
    assert_int_equal(b.event.rule, TENON_RULE_EOF);
    bench_stop(&b);
}

/* The head can be read from REQUEST until the connection is open, and not else. */
/* covers: 6455-4.2.1-12 6455-4.2.1-13 6455-4.2.1-04 */
static void test_head(void **state)
{
    tenon_head head;
    tenon_str value;
    tenon_cursor cursor;
    bench b;
    (void)state;
    start(&b);
    assert_int_equal(tenon_head_get(b.conn, &head), TENON_ERR_STATE);
    give_text(&b, REQUEST_FIELDS "Sec-WebSocket-Protocol: a\r\nX-Foo:  bar\t\r\nsec-websocket-protocol: b, c\r\n\r\n");
    assert_next(&b, TENON_EV_REQUEST);
    assert_none(&b);
    assert_int_equal(tenon_head_get(b.conn, &head), TENON_OK);
    assert_true(str_is(head.method, "GET"));
    assert_true(str_is(head.target, "/chat?x=1"));
    assert_true(str_is(head.authority, "example.com"));
    assert_null(head.origin.data); /* absent is not empty */
    assert_int_equal(head.version, 0x0101);
    assert_int_equal(tenon_header_find(&head.fields, "x-foo", &value), TENON_OK);
    assert_true(str_is(value, "bar"));
    memset(&cursor, 0, sizeof cursor);
    assert_int_equal(tenon_subprotocol_next(&head.fields, &cursor, &value), TENON_OK);
    assert_true(str_is(value, "a"));
    assert_int_equal(tenon_subprotocol_next(&head.fields, &cursor, &value), TENON_OK);
    assert_true(str_is(value, "b"));
    assert_int_equal(tenon_accept(b.conn, NULL), TENON_OK);
    assert_next(&b, TENON_EV_OPEN);
    assert_int_equal(tenon_head_get(b.conn, &head), TENON_OK); /* while OPEN is current */
    assert_true(str_is(head.target, "/chat?x=1"));
    assert_none(&b);
    assert_int_equal(tenon_head_get(b.conn, &head), TENON_ERR_STATE);
    bench_stop(&b);
    start_decide(&b, "GET http://other:81/abs?q HTTP/1.1\r\nHost: example.com\r\nOrigin: http://o\r\nUpgrade: websocket\r\n"
                     "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                     "Sec-WebSocket-Version: 13\r\n\r\n");
    assert_int_equal(tenon_head_get(b.conn, &head), TENON_OK);
    assert_true(str_is(head.target, "/abs?q"));
    assert_true(str_is(head.authority, "other:81"));
    assert_true(str_is(head.origin, "http://o"));
    bench_stop(&b);
}

/* covers: 6455-4.2.2-05 6455-4.2.2-07 */
static void test_answer(void **state)
{
    static const tenon_header cookie = {"Set-Cookie", "a=b", 0, 0};
    tenon_answer a = answer();
    bench b;
    (void)state;
    start_decide(&b, REQUEST_FIELDS "Sec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Extensions: foo; x=1\r\n\r\n");
    a.subprotocol = "superchat and more";
    a.subprotocol_size = 9;
    a.extensions = "foo";
    a.headers = &cookie;
    a.header_count = 1;
    assert_int_equal(tenon_accept(b.conn, &a), TENON_OK);
    assert_next(&b, TENON_EV_OPEN);
    assert_data(&b, "superchat", 9);
    flush_out(&b);
    b.wire = realloc(b.wire, b.wire_size + 1);
    b.wire[b.wire_size] = 0;
    assert_non_null(strstr((char *)b.wire, "\r\nSec-WebSocket-Protocol: superchat\r\n"));
    assert_non_null(strstr((char *)b.wire, "\r\nSec-WebSocket-Extensions: foo\r\n"));
    assert_non_null(strstr((char *)b.wire, "\r\nSet-Cookie: a=b\r\n"));
    bench_stop(&b);
}

/* An accept that is refused changes nothing, and a better one is possible. */
/* covers: 6455-4.2.2-05 6455-4.2.2-07 */
static void test_accept_errors(void **state)
{
    static char big[2000];
    static const tenon_header bad = {"X", "a\r\nY: b", 0, 0}, owned = {"Upgrade", "h2c", 0, 0}, huge = {"X", big, 0, 0};
    tenon_answer list[9];
    int expected[9] = {TENON_ERR_SIZE,      TENON_ERR_SUBPROTOCOL, TENON_ERR_SUBPROTOCOL,
                       TENON_ERR_EXTENSION, TENON_ERR_EXTENSION,   TENON_ERR_HEADER,
                       TENON_ERR_HEADER,    TENON_ERR_TOO_BIG,     TENON_ERR_NULL};
    tenon_storage before;
    size_t i;
    bench b;
    (void)state;
    memset(big, 'x', sizeof big - 1);
    for (i = 0; i < 9; i++)
        list[i] = answer();
    list[0].size--;
    list[1].subprotocol = "other";
    list[2].subprotocol = "Chat";
    list[3].extensions = "permessage-deflate";
    list[4].extensions = "foo;;";
    list[5].headers = &bad;
    list[6].headers = &owned;
    list[7].headers = &huge;
    list[5].header_count = list[6].header_count = list[7].header_count = list[8].header_count = 1;
    start_decide(&b, REQUEST_FIELDS "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: foo\r\n\r\n");
    before = b.storage;
    for (i = 0; i < 9; i++) {
        assert_int_equal(tenon_accept(b.conn, &list[i]), expected[i]);
        assert_memory_equal(&before, &b.storage, sizeof before);
        assert_int_equal(tenon_queued(b.conn), 0);
    }
    assert_int_equal(tenon_accept(b.conn, NULL), TENON_OK);
    assert_sent(&b, ANSWER);
    assert_int_equal(tenon_accept(b.conn, NULL), TENON_ERR_STATE);
    bench_stop(&b);
}

/* -------------------------------------------------------------------- reject */

static void assert_rejected(bench *b)
{
    assert_int_equal(tenon_state(b->conn), TENON_CLOSING);
    assert_true((tenon_wants(b->conn) & TENON_WANTS_SHUT_WR) != 0);
    give_text(b, "GET /more HTTP/1.1\r\n\r\n");
    while (next(b) != 0) {
    }
    run_to_closed(b);
    assert_wire_end(b);
    assert_int_equal(b->event.code, TENON_CLOSE_ABNORMAL);
    assert_int_equal(b->event.cause, TENON_LOCAL);
    assert_int_equal(b->event.rule, TENON_RULE_REJECTED);
    assert_int_equal(b->event.sent_code, 0);
}

/* covers: 6455-4.2.2-02 6455-4.2.2-03 6455-4.2.2-04 6455-7.2.2-01 6455-7.1.7-05 */
static void test_reject(void **state)
{
    static const tenon_header basic = {"WWW-Authenticate", "Basic", 0, 0};
    tenon_refusal r = refusal(403);
    bench b;
    (void)state;
    start_decide(&b, REQUEST);
    assert_int_equal(tenon_reject(b.conn, &r), TENON_OK);
    assert_int_equal(tenon_reject(b.conn, &r), TENON_ERR_STATE);
    assert_int_equal(tenon_accept(b.conn, NULL), TENON_ERR_STATE);
    assert_sent(&b, "HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    assert_rejected(&b);
    bench_stop(&b);
    r = refusal(401);
    r.reason = "Who?";
    r.headers = &basic;
    r.header_count = 1;
    r.body = "body";
    r.body_size = 4;
    r.flags = TENON_COPY;
    start_decide(&b, REQUEST);
    assert_int_equal(tenon_reject(b.conn, &r), TENON_OK);
    assert_sent(&b, "HTTP/1.1 401 Who?\r\nConnection: close\r\nContent-Length: 4\r\nWWW-Authenticate: Basic\r\n\r\nbody");
    assert_rejected(&b);
    assert_int_equal(b.released, 0);
    bench_stop(&b);
}

/* A body by reference is larger than tx, is not copied, and comes back. */
/* covers: 6455-4.2.2-04 */
static void test_reject_reference(void **state)
{
    size_t n, i;
    int abort;
    (void)state;
    for (abort = 0, n = 50000; abort < 3; abort++, n = abort == 2 ? 1 : 50000) { /* the last: one octet, not aborted */
        char head[200], *body = malloc(n);
        tenon_refusal r = refusal(404);
        bench b;
        for (i = 0; i < n; i++)
            body[i] = (char)('a' + i % 26);
        r.body = body;
        r.body_size = n;
        r.cookie = body;
        start_decide(&b, REQUEST);
        assert_int_equal(tenon_reject(b.conn, &r), TENON_OK);
        assert_none(&b);
        snprintf(head, sizeof head, "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: %lu\r\n\r\n",
                 (unsigned long)n);
        if (abort == 1)
            assert_int_equal(tenon_abort(b.conn, TENON_REMOTE), TENON_OK);
        else
            assert_sent(&b, head);
        assert_next(&b, TENON_EV_RELEASED);
        assert_ptr_equal(b.event.cookie, body);
        if (abort != 1) {
            assert_memory_equal(b.wire + b.read, body, n);
            b.read += n;
            assert_rejected(&b);
        } else {
            assert_next(&b, TENON_EV_CLOSED);
        }
        assert_int_equal(b.released, 1);
        bench_stop(&b);
        free(body);
    }
}

/* covers: 6455-4.2.2-01 6455-4.4-01 */
static void test_reject_errors(void **state)
{
    static const unsigned statuses[] = {0, 100, 101, 199, 600, 999, 65535};
    static char big[2000];
    static const tenon_header bad = {"X Y", "a", 0, 0}, owned = {"Content-Length", "1", 0, 0};
    tenon_refusal r;
    size_t i;
    bench b;
    (void)state;
    start_decide(&b, REQUEST);
    for (i = 0; i < COUNT_OF(statuses); i++) {
        r = refusal(statuses[i]);
        assert_int_equal(tenon_reject(b.conn, &r), TENON_ERR_STATUS);
    }
    for (i = 0; i < 2; i++) {
        r = refusal(i ? 304 : 204);
        r.body = "x";
        r.body_size = 1;
        assert_int_equal(tenon_reject(b.conn, &r), TENON_ERR_STATUS);
    }
    r = refusal(400);
    r.size--;
    assert_int_equal(tenon_reject(b.conn, &r), TENON_ERR_SIZE);
    r = refusal(400);
    r.body_size = 1;
    assert_int_equal(tenon_reject(b.conn, &r), TENON_ERR_NULL);
    r = refusal(400);
    r.header_count = 1;
    assert_int_equal(tenon_reject(b.conn, &r), TENON_ERR_NULL);
    r.headers = &bad;
    assert_int_equal(tenon_reject(b.conn, &r), TENON_ERR_HEADER);
    r.headers = &owned;
    assert_int_equal(tenon_reject(b.conn, &r), TENON_ERR_HEADER);
    r = refusal(400);
    r.reason = "a\r\nb";
    assert_int_equal(tenon_reject(b.conn, &r), TENON_ERR_HEADER);
    r = refusal(400);
    r.body = big;
    r.body_size = sizeof big;
    r.flags = TENON_COPY;
    assert_int_equal(tenon_reject(b.conn, &r), TENON_ERR_TOO_BIG);
    assert_int_equal(tenon_queued(b.conn), 0);
    assert_int_equal(tenon_wants(b.conn), TENON_WANTS_DECISION);
    r = refusal(426);
    assert_int_equal(tenon_reject(b.conn, &r), TENON_OK);
    assert_sent(&b, "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: Upgrade, close\r\n"
                    "Sec-WebSocket-Version: 13\r\nContent-Length: 0\r\n\r\n");
    bench_stop(&b);
}

/* --------------------------------------------------------------------- PLAIN */

/* covers: 6455-4.2.1-06 */
static void test_plain(void **state)
{
    static const char plain[] = "GET /index HTTP/1.1\r\nHost: example.com\r\n\r\n";
    tenon_refusal r = refusal(200);
    tenon_head head;
    bench b;
    (void)state;
    start(&b);
    give_text(&b, plain);
    assert_none(&b);
    assert_sent(&b, "HTTP/1.1 426 Upgrade Required\r\n");
    b.read = b.wire_size;
    run_to_closed(&b);
    assert_int_equal(b.event.rule, TENON_RULE_UPGRADE);
    bench_stop(&b);
    bench_server(&b);
    b.config.flags = TENON_PLAIN_GET;
    bench_start(&b, 1024, 1024);
    give_text(&b, plain);
    assert_next(&b, TENON_EV_REQUEST);
    assert_int_equal(b.event.flags, TENON_PLAIN);
    assert_int_equal(tenon_head_get(b.conn, &head), TENON_OK);
    assert_true(str_is(head.target, "/index"));
    assert_int_equal(tenon_accept(b.conn, NULL), TENON_ERR_STATE);
    r.body = "page";
    r.body_size = 4;
    r.flags = TENON_COPY;
    assert_int_equal(tenon_reject(b.conn, &r), TENON_OK);
    assert_sent(&b, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\npage");
    assert_rejected(&b);
    bench_stop(&b);
    bench_server(&b);
    b.config.flags = TENON_PLAIN_GET;
    bench_start(&b, 1024, 1024);
    give_text(&b, REQUEST);
    assert_next(&b, TENON_EV_REQUEST);
    assert_int_equal(b.event.flags, 0);
    bench_stop(&b);
}

/* -------------------------------------------------------------- bad requests */

static const struct bad_request {
    const char *request;
    const char *status;
    unsigned rule;
    uint64_t offset;
} bad_requests[] = {
    {"POST / HTTP/1.1\r\nHost: a\r\n\r\n", "405", TENON_RULE_METHOD, 0},
    {"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", "501", TENON_RULE_METHOD, 0},
    {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", "505", TENON_RULE_HTTP_VERSION, 14},
    {"GET / HTTP/1.1\nHost: a\r\n\r\n", "400", TENON_RULE_LINE_END, 14},
    {"GET / HTTP/1.1\r\n Host: a\r\n\r\n", "400", TENON_RULE_FOLD, 16},
    {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", "400", TENON_RULE_FIELD_NAME, 20},
    {"GET / HTTP/1.1\r\n\r\n", "400", TENON_RULE_HOST, 17},
    {"GET * HTTP/1.1\r\nHost: a\r\n\r\n", "400", TENON_RULE_TARGET, 4},
    {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "400", TENON_RULE_BODY, 41},
};

/* An error of HTTP, then the end; never a 101 or a frame, whatever follows. */
/* covers: 6455-4.2.1-01 6455-7.1.7-05 6455-10.7-02 6455-7.2.2-01 */
static void test_bad_requests(void **state)
{
    size_t i, cut;
    (void)state;
    for (i = 0; i < COUNT_OF(bad_requests); i++) {
        const struct bad_request *bad = &bad_requests[i];
        size_t n = strlen(bad->request);
        for (cut = 1; cut < n; cut++) {
            bench b;
            start(&b);
            give(&b, bad->request, cut);
            assert_none(&b);
            give(&b, bad->request + cut, n - cut);
            assert_none(&b);
            assert_sent(&b, "HTTP/1.1 ");
            assert_memory_equal(b.wire + b.read, bad->status, 3);
            b.read = b.wire_size;
            give(&b, "\x81\x80zzzz", 6);
            assert_none(&b);
            assert_true((tenon_wants(b.conn) & TENON_WANTS_SHUT_WR) != 0);
            run_to_closed(&b);
            assert_wire_end(&b);
            assert_string_equal(tenon_rule_name(b.event.rule), tenon_rule_name((int)bad->rule));
            if (bad->rule != TENON_RULE_BODY)
                assert_int_equal(b.event.offset, bad->offset);
            assert_int_equal(b.event.code, TENON_CLOSE_ABNORMAL);
            assert_int_equal(b.event.cause, TENON_LOCAL);
            bench_stop(&b);
        }
    }
}

/* Without tx nothing can be said: it just ends. */
static void test_no_tx(void **state)
{
    bench b;
    (void)state;
    bench_server(&b);
    bench_start(&b, 1024, 0);
    give_text(&b, "POST / HTTP/1.1\r\n\r\n");
    assert_next(&b, TENON_EV_CLOSED);
    assert_int_equal(b.event.rule, TENON_RULE_METHOD);
    bench_stop(&b);
    bench_server(&b);
    bench_start(&b, 1024, 0);
    give_text(&b, REQUEST);
    assert_next(&b, TENON_EV_REQUEST);
    assert_int_equal(tenon_accept(b.conn, NULL), TENON_ERR_TOO_BIG);
    b.tx = malloc(TENON_TX_MIN);
    assert_int_equal(tenon_lend_tx(b.conn, b.tx, TENON_TX_MIN), TENON_OK);
    assert_int_equal(tenon_accept(b.conn, NULL), TENON_OK);
    assert_next(&b, TENON_EV_OPEN);
    bench_stop(&b);
}

/* Who was too slow: the client, in the middle of its head, or the program. */
static void test_timeout_status(void **state)
{
    size_t i;
    (void)state;
    for (i = 0; i < 2; i++) {
        bench b;
        bench_server(&b);
        b.config.handshake_ms = 1000;
        bench_start(&b, 1024, 1024);
        assert_int_equal(tenon_tick(b.conn, 0), TENON_OK);
        give_text(&b, i ? REQUEST : "GET / HTTP/1.1\r\n");
        if (i)
            assert_next(&b, TENON_EV_REQUEST);
        assert_none(&b);
        assert_int_equal(tenon_tick(b.conn, 1000), TENON_OK);
        assert_none(&b);
        assert_sent(&b, i ? "HTTP/1.1 503" : "HTTP/1.1 408");
        run_to_closed(&b);
        assert_int_equal(b.event.rule, TENON_RULE_HANDSHAKE_TIMEOUT);
        bench_stop(&b);
    }
}

/* With a field that becomes longer and longer: the last rejection that is taken fills the
 * ring, and those that are taken go out whole. */
static void fill_ring_with_rejections(size_t body_size, uint32_t flags)
{
    enum { RING = TENON_TX_MIN - TENON_TX_RESERVE };
    char value[RING + 1];
    size_t n, size = 0;
    int status = TENON_OK;
    memset(value, 'v', sizeof value);
    for (n = 1; n < RING && status == TENON_OK; n++) {
        tenon_header header = {"X", value, 1, 0};
        tenon_refusal refusal;
        bench b;
        memset(&refusal, 0, sizeof refusal);
        header.value_size = n;
        refusal.size = (uint32_t)sizeof refusal;
        refusal.status = 403;
        refusal.flags = flags;
        refusal.headers = &header;
        refusal.header_count = 1;
        refusal.body = "b";
        refusal.body_size = body_size;
        bench_server(&b);
        bench_start(&b, 1024, TENON_TX_MIN);
        give_text(&b, REQUEST);
        assert_next(&b, TENON_EV_REQUEST);
        status = tenon_reject(b.conn, &refusal);
        flush_out(&b);
        if (status == TENON_OK) {
            size = b.wire_size;
            assert_memory_equal(b.wire, "HTTP/1.1 403", 12);
            assert_int_equal(b.wire[size - 1], body_size > 0 ? 'b' : '\n');
        } else {
            assert_int_equal(status, TENON_ERR_TOO_BIG);
            assert_int_equal(b.wire_size, 0);
        }
        bench_stop(&b);
    }
    assert_int_equal(status, TENON_ERR_TOO_BIG);
    assert_int_equal(size, RING);
}

/* The head of a rejection may leave no room for the one octet of its body; what has no
 * body needs none. */
static void test_reject_exact_room(void **state)
{
    (void)state;
    fill_ring_with_rejections(1, TENON_COPY);
    fill_ring_with_rejections(0, TENON_COPY);
    fill_ring_with_rejections(0, 0);
}

/* -------------------------------------------------------------------- limits */

static void try_limit(uint32_t *limit_of_config, bench *b, uint32_t limit, const char *request, const char *status)
{
    *limit_of_config = limit;
    bench_start(b, 1024, 1024);
    give_text(b, request);
    if (status == NULL) {
        assert_next(b, TENON_EV_REQUEST);
    } else {
        assert_none(b);
        assert_sent(b, "HTTP/1.1 ");
        assert_memory_equal(b->wire + b->read, status, 3);
    }
    bench_stop(b);
}

/* max_head, max_headers and max_target at n - 1, n and n + 1. */
/* covers: 6455-10.7-02 */
static void test_limits(void **state)
{
    uint32_t d;
    bench b;
    (void)state;
    for (d = 0; d < 3; d++) {
        bench_server(&b);
        try_limit(&b.config.max_head, &b, (uint32_t)sizeof REQUEST - 2 + d, REQUEST, d == 0 ? "431" : NULL);
        bench_server(&b);
        try_limit(&b.config.max_headers, &b, 4 + d, REQUEST, d == 0 ? "431" : NULL);
        bench_server(&b);
        try_limit(&b.config.max_target, &b, 8 + d, REQUEST, d == 0 ? "414" : NULL);
    }
}

/* Those that stand in tenon.h, for a config that names none: at n and n + 1. */
static void test_standard_limits(void **state)
{
    static const struct {
        size_t target, headers, head;
        const char *status;
    } rows[] = {{8192, 0, 0, NULL},  {8193, 0, 0, "414"},  {1, 100, 0, NULL},
                {1, 101, 0, "431"}, {1, 0, 16384, NULL}, {1, 0, 16385, "431"}};
    size_t i, k;
    (void)state;
    for (i = 0; i < COUNT_OF(rows); i++) {
        char *head = malloc(20000), *end = head;
        bench b;
        end += sprintf(end, "GET /");
        for (k = 1; k < rows[i].target; k++)
            *end++ = 'a';
        end += sprintf(end, "%s", strchr(REQUEST_FIELDS, '\r') - 9);
        for (k = 5; k < rows[i].headers; k++)
            end += sprintf(end, "A: b\r\n");
        if (rows[i].head > 0) {
            end += sprintf(end, "A: ");
            while (end - head + 4 < (long)rows[i].head)
                *end++ = 'a';
            end += sprintf(end, "\r\n");
        }
        (void)sprintf(end, "\r\n");
        bench_server(&b);
        bench_start(&b, 20000, 1024);
        give_text(&b, head);
        if (rows[i].status == NULL) {
            assert_next(&b, TENON_EV_REQUEST);
        } else {
            assert_none(&b);
            flush_out(&b);
            assert_memory_equal(b.wire + 9, rows[i].status, 3);
        }
        bench_stop(&b);
        free(head);
    }
}

/* rx is the limit of a head where it is the smaller one; without rx it is waited for. */
static void test_small_rx(void **state)
{
    static const char field[] = "X: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n";
    bench b;
    int i;
    (void)state;
    bench_server(&b);
    bench_start(&b, 0, 1024);
    give_text(&b, REQUEST);
    assert_none(&b);
    assert_int_equal(tenon_wants(b.conn), TENON_WANTS_RX);
    assert_int_equal(tenon_rx_needed(b.conn), TENON_RX_MIN);
    b.rx = malloc(TENON_RX_MIN);
    assert_int_equal(tenon_lend_rx(b.conn, b.rx, TENON_RX_MIN), TENON_OK);
    assert_next(&b, TENON_EV_REQUEST);
    bench_stop(&b);
    bench_server(&b);
    bench_start(&b, TENON_RX_MIN, 1024);
    give_text(&b, "GET / HTTP/1.1\r\n");
    for (i = 0; i < 4; i++) {
        assert_none(&b);
        give_text(&b, field);
    }
    assert_none(&b);
    assert_sent(&b, "HTTP/1.1 431 ");
    b.read = b.wire_size;
    run_to_closed(&b);
    assert_int_equal(b.event.rule, TENON_RULE_HEAD_SIZE);
    assert_int_equal(b.event.offset, TENON_RX_MIN);
    bench_stop(&b);
}

/* A larger rx in the middle of a head. */
static void test_relend(void **state)
{
    size_t cut;
    (void)state;
    for (cut = 1; cut < sizeof REQUEST - 1; cut++) {
        uint8_t *small = malloc(256);
        tenon_head head;
        bench b;
        bench_server(&b);
        bench_start(&b, 0, 1024);
        assert_int_equal(tenon_lend_rx(b.conn, small, 256), TENON_OK);
        give(&b, REQUEST, cut);
        assert_none(&b);
        b.rx = malloc(300);
        assert_int_equal(tenon_lend_rx(b.conn, NULL, 0), TENON_ERR_BUSY);
        assert_int_equal(tenon_lend_rx(b.conn, b.rx, 300), TENON_OK);
        free(small);
        give_text(&b, &REQUEST[cut]);
        assert_next(&b, TENON_EV_REQUEST);
        assert_int_equal(tenon_head_get(b.conn, &head), TENON_OK);
        assert_true(str_is(head.target, "/chat?x=1"));
        bench_stop(&b);
    }
}

/* A head may fill all of rx, or what the limit lets it have of that, and no octet more.
 * What it has not is empty in what is told. */
static void test_head_fills_rx(void **state)
{
    char text[TENON_RX_MIN + 2];
    size_t n, more;
    (void)state;
    for (more = 0; more <= 2; more++) {
        size_t size = TENON_RX_MIN + more % 2; /* the last one is good for rx */
        tenon_head head;
        bench b;
        memset(text, 'x', sizeof text);
        n = strlen(REQUEST_FIELDS);
        memcpy(text, REQUEST_FIELDS, n);
        memcpy(text + n, "X: ", 3);
        memcpy(text + size - 4, "\r\n\r\n", 4);
        bench_server(&b);
        b.config.max_head = more == 2 ? TENON_RX_MIN - 1 : 0;
        bench_start(&b, TENON_RX_MIN, 1024);
        give(&b, text, size);
        if (more) {
            assert_none(&b);
            assert_int_equal(tenon_ending(b.conn, &b.event), TENON_EVENT);
            assert_string_equal(tenon_rule_name(b.event.rule), tenon_rule_name(TENON_RULE_HEAD_SIZE));
        } else {
            assert_next(&b, TENON_EV_REQUEST);
            memset(&head, 0xee, sizeof head);
            assert_int_equal(tenon_head_get(b.conn, &head), TENON_OK);
            assert_int_equal(head.method.size, 3);
            assert_int_equal(head.status, 0);
            assert_null(head.reason.data);
            assert_int_equal(head.reason.size, 0);
        }
        bench_stop(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accept),
        cmocka_unit_test(test_later),
        cmocka_unit_test(test_eof_undecided),
        cmocka_unit_test(test_head),
        cmocka_unit_test(test_answer),
        cmocka_unit_test(test_accept_errors),
        cmocka_unit_test(test_reject),
        cmocka_unit_test(test_reject_reference),
        cmocka_unit_test(test_reject_errors),
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_bad_requests),
        cmocka_unit_test(test_no_tx),
        cmocka_unit_test(test_timeout_status),
        cmocka_unit_test(test_reject_exact_room),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_standard_limits),
        cmocka_unit_test(test_small_rx),
        cmocka_unit_test(test_relend),
        cmocka_unit_test(test_head_fills_rx),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
