/* SPDX-License-Identifier: MIT */
#include "harness.h"

enum { CLIENT = TENON_CLIENT };

static void start(bench *b)
{
    bench_client(b);
    bench_start(b, 1024, 1024);
}

static tenon_request asked;

static void connect_with(bench *b, tenon_request request)
{
    asked = request; /* borrowed until the handshake is over */
    assert_int_equal(tenon_connect(b->conn, &asked), TENON_OK);
    flush_out(b);
    b->read = b->wire_size;
}

static void start_asked(bench *b)
{
    start(b);
    connect_with(b, request_to("ws://example.com/chat"));
}

static int str_is(tenon_str s, const char *text)
{
    return s.size == strlen(text) && memcmp(s.data, text, s.size) == 0;
}

/* --------------------------------------------------------------- the request */

/* covers: 6455-4.1-06 6455-4.1-07 6455-4.1-08 6455-4.1-09 6455-4.1-10 6455-4.1-14 6455-4.1-17 */
static void test_request(void **state)
{
    static const char before[] = "GET /a?b HTTP/1.1\r\nHost: example.com:8080\r\nUpgrade: websocket\r\n"
                                 "Connection: Upgrade\r\nSec-WebSocket-Key: ";
    static const char behind[] = "\r\nSec-WebSocket-Version: 13\r\n\r\n";
    bench b;
    (void)state;
    start(&b);
    assert_int_equal(tenon_wants(b.conn), TENON_WANTS_READ);
    connect_with(&b, request_to("ws://example.com:8080/a?b"));
    assert_int_equal(b.wire_size, sizeof before - 1 + TENON_KEY_SIZE + sizeof behind - 1);
    assert_memory_equal(b.wire, before, sizeof before - 1);
    assert_memory_equal(b.wire + sizeof before - 1 + TENON_KEY_SIZE, behind, sizeof behind - 1);
    assert_int_equal(tenon_state(b.conn), TENON_CONNECTING);
    bench_stop(&b);
}

/* The key is made of what the random source gave, fresh for each connection. */
/* covers: 6455-4.1-11 6455-4.1-12 */
static void test_key(void **state)
{
    char key[TENON_KEY_SIZE + 1], last[TENON_KEY_SIZE + 1] = "";
    uint64_t seed;
    (void)state;
    for (seed = 1; seed < 20; seed++) {
        uint8_t nonce[16];
        bench b, twin;
        memset(&twin, 0, sizeof twin);
        twin.seed = seed;
        bench_client(&b);
        b.seed = seed;
        bench_start(&b, 1024, 1024);
        connect_with(&b, request_to("ws://a/"));
        assert_int_equal(bench_random(&twin, nonce, sizeof nonce), 0);
        assert_int_equal(tenon_key_make(nonce, key), TENON_OK);
        b.wire = realloc(b.wire, b.wire_size + 1);
        b.wire[b.wire_size] = '\0';
        assert_non_null(strstr((char *)b.wire, key));
        assert_string_not_equal(key, last);
        memcpy(last, key, sizeof key);
        assert_int_equal(b.random_calls, 1);
        bench_stop(&b);
    }
}

/* Nothing is queued, nothing changed, and a good request is still possible. */
/* covers: 6455-4.1-01 6455-4.1-12 6455-4.1-15 6455-4.1-16 6455-4.1-18 WHATWG-dom-websocket-01 WHATWG-dom-websocket-02 */
static void test_connect_errors(void **state)
{
    static char big[1000];
    static const char *const spaced[] = {"a b"}, *const twice[] = {"a", "a"}, *const empty[] = {""},
                      *const good[] = {"a", "A"};
    static const tenon_header injected = {"X", "a\r\nY: b", 0, 0}, owned = {"Sec-WebSocket-Key", "a", 0, 0},
                              huge = {"X", big, 0, 0};
    static const int expected[] = {TENON_ERR_SIZE,        TENON_ERR_URI,         TENON_ERR_URI,
                                   TENON_ERR_URI,         TENON_ERR_SUBPROTOCOL, TENON_ERR_SUBPROTOCOL,
                                   TENON_ERR_SUBPROTOCOL, TENON_ERR_EXTENSION,   TENON_ERR_HEADER,
                                   TENON_ERR_HEADER,      TENON_ERR_TOO_BIG,     TENON_ERR_NULL,
                                   TENON_ERR_NULL,        TENON_ERR_HEADER};
    tenon_request list[COUNT_OF(expected)];
    tenon_storage before;
    size_t i;
    bench b;
    (void)state;
    memset(big, 'x', sizeof big - 1);
    for (i = 0; i < COUNT_OF(expected); i++)
        list[i] = request_to("http://example.com/"); /* an alias of ws: */
    list[0].size--;
    list[1].uri = "ftp://example.com/";
    list[2].uri = "ws://example.com/#f";
    list[3].uri = "ws:///";
    list[4].subprotocols = spaced;
    list[5].subprotocols = twice;
    list[6].subprotocols = empty;
    list[4].subprotocol_count = list[6].subprotocol_count = list[11].subprotocol_count = 1;
    list[5].subprotocol_count = 2;
    list[7].extensions = "a;;b";
    list[8].headers = &injected;
    list[9].headers = &owned;
    list[10].headers = &huge;
    list[8].header_count = list[9].header_count = list[10].header_count = list[12].header_count = 1;
    list[13].origin = "a\r\nb";
    start(&b);
    before = b.storage;
    for (i = 0; i < COUNT_OF(expected); i++) {
        assert_int_equal(tenon_connect(b.conn, &list[i]), expected[i]);
        assert_memory_equal(&before, &b.storage, sizeof before);
        assert_int_equal(tenon_queued(b.conn), 0);
    }
    assert_int_equal(tenon_connect(NULL, &list[0]), TENON_ERR_NULL);
    assert_int_equal(tenon_connect(b.conn, NULL), TENON_ERR_NULL);
    b.random_fails = b.random_calls + 1;
    list[0] = request_to("http://example.com/");
    assert_int_equal(tenon_connect(b.conn, &list[0]), TENON_ERR_RANDOM);
    assert_memory_equal(&before, &b.storage, sizeof before);
    list[0].subprotocols = good;
    list[0].subprotocol_count = 2;
    connect_with(&b, list[0]);
    assert_int_equal(tenon_connect(b.conn, &list[0]), TENON_ERR_STATE);
    bench_stop(&b);
}

static void test_not_client(void **state)
{
    tenon_request request = request_to("ws://a/");
    bench b;
    (void)state;
    bench_server(&b);
    bench_start(&b, 1024, 1024);
    assert_int_equal(tenon_connect(b.conn, &request), TENON_ERR_STATE);
    bench_stop(&b);
    bench_open(&b, CLIENT);
    assert_int_equal(tenon_connect(b.conn, &request), TENON_ERR_STATE);
    bench_stop(&b);
    bench_client(&b);
    bench_start(&b, 1024, 0);
    assert_int_equal(tenon_connect(b.conn, &request), TENON_ERR_TOO_BIG); /* no tx */
    bench_stop(&b);
}

/* ------------------------------------------------------------------- opening */

/* The answer and a frame behind it, cut anywhere. */
/* covers: 6455-4.1-30 6455-4.1-19 */
static void test_open(void **state)
{
    size_t cut, n = 1;
    (void)state;
    for (cut = 1; cut < n || cut == 1; cut++) {
        uint8_t octets[512];
        unsigned part, seen = 0;
        bench b;
        start_asked(&b);
        n = make_answer(&b, (char *)octets, sizeof octets, "");
        n += peer_frame(CLIENT, octets + n, 0x81, "Hello", 5);
        assert_int_equal(tenon_send(b.conn, TENON_TEXT, "early", 5, 0), TENON_ERR_STATE);
        for (part = 0; part < 2; part++) {
            int type;
            give(&b, octets + (part ? cut : 0), part ? n - cut : cut);
            while ((type = next(&b)) != 0) {
                assert_int_equal(type, seen == 0 ? TENON_EV_OPEN : TENON_EV_DATA);
                if (type == TENON_EV_DATA)
                    assert_data(&b, "Hello", 5);
                seen++;
            }
        }
        assert_int_equal(seen, 2);
        assert_int_equal(tenon_send(b.conn, TENON_TEXT, "now", 3, 0), TENON_OK);
        flush_out(&b);
        assert_wire(&b, 0x81, "now", 3);
        bench_stop(&b);
    }
}

/* The head can be read while OPEN is current; what is in use is told. */
/* covers: 6455-4.1-31 6455-4.1-28 6455-4.1-29 */
static void test_in_use(void **state)
{
    static const char *const offer[] = {"chat", "superchat"};
    tenon_request request = request_to("ws://example.com/");
    char answer[512];
    tenon_head head;
    tenon_str value;
    int chosen;
    (void)state;
    request.subprotocols = offer;
    request.subprotocol_count = 2;
    request.extensions = "foo; a=1";
    for (chosen = 0; chosen < 2; chosen++) {
        bench b;
        start(&b);
        assert_int_equal(tenon_head_get(b.conn, &head), TENON_ERR_STATE);
        connect_with(&b, request);
        give(&b, answer, make_answer(&b, answer, sizeof answer,
                                     chosen ? "SEC-WEBSOCKET-PROTOCOL: superchat\r\nsec-websocket-extensions: foo\r\n" : ""));
        assert_next(&b, TENON_EV_OPEN);
        if (chosen)
            assert_data(&b, "superchat", 9);
        else
            assert_null(b.event.data);
        assert_int_equal(tenon_head_get(b.conn, &head), TENON_OK);
        assert_int_equal(head.status, 101);
        assert_true(str_is(head.reason, "Switching Protocols"));
        assert_int_equal(tenon_header_find(&head.fields, "Sec-WebSocket-Extensions", &value),
                         chosen ? TENON_OK : TENON_END);
        assert_none(&b);
        assert_int_equal(tenon_head_get(b.conn, &head), TENON_ERR_STATE);
        bench_stop(&b);
    }
}

/* ------------------------------------------------------------------- failing */

/* The answer from a pattern in which %s is the right Accept. */
static void give_pattern(bench *b, const char *pattern)
{
    char right[512], accept[TENON_ACCEPT_SIZE + 1], octets[1024];
    const char *at, *in;
    size_t n;
    make_answer(b, right, sizeof right, "");
    at = strstr(right, "Accept: ");
    assert_non_null(at);
    memcpy(accept, at + 8, TENON_ACCEPT_SIZE);
    in = strstr(pattern, "%s");
    if (in == NULL) {
        give_text(b, pattern);
        return;
    }
    n = (size_t)(in - pattern);
    memcpy(octets, pattern, n);
    memcpy(octets + n, accept, TENON_ACCEPT_SIZE);
    strcpy(octets + n + TENON_ACCEPT_SIZE, in + 2);
    give_text(b, octets);
}

#define FIRST "HTTP/1.1 101 Switching Protocols\r\n"
#define UPGRADE "Upgrade: websocket\r\n"
#define CONNECTION "Connection: Upgrade\r\n"
#define ACCEPT "Sec-WebSocket-Accept: %s\r\n"

static const struct bad_answer {
    const char *pattern;
    unsigned rule;
} bad_answers[] = {
    {FIRST CONNECTION ACCEPT "\r\n", TENON_RULE_UPGRADE},
    {FIRST "Upgrade: h2c\r\n" CONNECTION ACCEPT "\r\n", TENON_RULE_UPGRADE},
    {FIRST "Upgrade: websocket, foo\r\n" CONNECTION ACCEPT "\r\n", TENON_RULE_UPGRADE},
    {FIRST UPGRADE UPGRADE CONNECTION ACCEPT "\r\n", TENON_RULE_UPGRADE},
    {FIRST UPGRADE ACCEPT "\r\n", TENON_RULE_CONNECTION},
    {FIRST UPGRADE "Connection: Upgraded\r\n" ACCEPT "\r\n", TENON_RULE_CONNECTION},
    {FIRST UPGRADE CONNECTION "\r\n", TENON_RULE_ACCEPT},
    {FIRST UPGRADE CONNECTION "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n", TENON_RULE_ACCEPT},
    {FIRST UPGRADE CONNECTION "Sec-WebSocket-Accept: %sx\r\n\r\n", TENON_RULE_ACCEPT},
    {FIRST UPGRADE CONNECTION ACCEPT "Sec-WebSocket-Accept: a\r\n\r\n", TENON_RULE_ACCEPT},
    {FIRST UPGRADE CONNECTION ACCEPT "Sec-WebSocket-Protocol: superchat\r\n\r\n", TENON_RULE_SUBPROTOCOL},
    {FIRST UPGRADE CONNECTION ACCEPT "Sec-WebSocket-Protocol: Chat\r\n\r\n", TENON_RULE_SUBPROTOCOL},
    {FIRST UPGRADE CONNECTION ACCEPT "Sec-WebSocket-Protocol: chat, chat\r\n\r\n", TENON_RULE_SUBPROTOCOL},
    {FIRST UPGRADE CONNECTION ACCEPT "Sec-WebSocket-Protocol:\r\n\r\n", TENON_RULE_SUBPROTOCOL},
    {FIRST UPGRADE CONNECTION ACCEPT "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n", TENON_RULE_EXTENSION},
    {FIRST UPGRADE CONNECTION ACCEPT "Transfer-Encoding: chunked\r\n\r\n", TENON_RULE_BODY},
    {"HTTP/2.0 101 Switching Protocols\r\n\r\n", TENON_RULE_HTTP_VERSION},
    {"HTTP/1.0 101 Switching Protocols\r\n" UPGRADE CONNECTION ACCEPT "\r\n", TENON_RULE_HTTP_VERSION},
    {"HTTP/1.1 101 Switching Protocols\nUpgrade: websocket\r\n\r\n", TENON_RULE_LINE_END},
    {"SSH-2.0-OpenSSH\r\n", TENON_RULE_START_LINE},
};

/* A wrong answer ends the attempt at once, with nothing said and nothing told but
 * CLOSED, whatever follows. */
/* covers: 6455-4.1-21 6455-4.1-22 6455-4.1-23 6455-4.1-24 6455-4.1-25 6455-4.1-26 6455-4.1-27 6455-7.1.7-05 WHATWG-feedback-from-the-protocol-03 */
static void test_bad_answers(void **state)
{
    static const char *const offer[] = {"chat"};
    size_t i;
    (void)state;
    for (i = 0; i < COUNT_OF(bad_answers); i++) {
        tenon_request request = request_to("ws://example.com/");
        bench b;
        request.subprotocols = offer;
        request.subprotocol_count = 1;
        start(&b);
        connect_with(&b, request);
        give_pattern(&b, bad_answers[i].pattern);
        assert_next(&b, TENON_EV_CLOSED);
        assert_string_equal(tenon_rule_name(b.event.rule), tenon_rule_name((int)bad_answers[i].rule));
        assert_int_equal(b.event.code, TENON_CLOSE_ABNORMAL);
        assert_int_equal(b.event.cause, TENON_LOCAL);
        assert_int_equal(b.event.sent_code, 0);
        assert_none(&b);
        flush_out(&b);
        assert_wire_end(&b);
        bench_stop(&b);
    }
}

/* A good one, as patterns go: any case, lists in Connection, no reason phrase. */
/* covers: 6455-4.1-21 6455-4.1-23 6455-4.1-29 */
static void test_good_answers(void **state)
{
    static const char *const list[] = {
        FIRST UPGRADE CONNECTION ACCEPT "\r\n",
        "HTTP/1.1 101\r\nUPGRADE: WebSocket\r\nconnection: keep-alive, UPGRADE\r\nsec-websocket-accept:\t%s \r\n\r\n",
        "HTTP/1.1 101 \r\n" UPGRADE "Connection: a\r\n" CONNECTION ACCEPT "\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" FIRST UPGRADE CONNECTION ACCEPT "\r\n",
    };
    size_t i;
    (void)state;
    for (i = 0; i < COUNT_OF(list); i++) {
        bench b;
        start_asked(&b);
        give_pattern(&b, list[i]);
        assert_next(&b, TENON_EV_OPEN);
        assert_int_equal(tenon_state(b.conn), TENON_OPEN);
        bench_stop(&b);
    }
}

/* covers: WHATWG-websocket-opening-handshake-02 6455-4.1-28 */
static void test_require_subprotocol(void **state)
{
    static const char *const offer[] = {"chat"};
    tenon_request request = request_to("ws://example.com/");
    char answer[512];
    size_t offered;
    int strict;
    (void)state;
    for (strict = 0; strict < 2; strict++) {
        for (offered = 0; offered < 2; offered++) {
            bench b;
            bench_client(&b);
            b.config.flags = strict ? TENON_REQUIRE_SUBPROTOCOL : 0;
            bench_start(&b, 1024, 1024);
            request.subprotocols = offer;
            request.subprotocol_count = offered;
            connect_with(&b, request);
            give(&b, answer, make_answer(&b, answer, sizeof answer, ""));
            if (strict && offered) {
                assert_next(&b, TENON_EV_CLOSED);
                assert_int_equal(b.event.rule, TENON_RULE_SUBPROTOCOL);
            } else {
                assert_next(&b, TENON_EV_OPEN);
                assert_null(b.event.data);
            }
            bench_stop(&b);
        }
    }
}

/* A server that speaks before it was asked. */
static void test_early(void **state)
{
    bench b;
    (void)state;
    start(&b);
    assert_none(&b); /* it may take its time to ask */
    assert_int_equal(tenon_state(b.conn), TENON_CONNECTING);
    give_text(&b, "HTTP/1.1 408 Request Timeout\r\n\r\n");
    assert_next(&b, TENON_EV_CLOSED);
    assert_int_equal(b.event.rule, TENON_RULE_EARLY);
    assert_int_equal(b.event.offset, 0);
    bench_stop(&b);
    start(&b);
    give_text(&b, "H"); /* one octet is enough */
    assert_next(&b, TENON_EV_CLOSED);
    assert_int_equal(b.event.rule, TENON_RULE_EARLY);
    bench_stop(&b);
}

/* Interim answers are passed over, but not for ever; memory stays what it is. */
static void test_interim(void **state)
{
    static const char interim[] = "HTTP/1.1 102 Processing\r\nX-Fill: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n\r\n";
    unsigned count = 0;
    bench b;
    (void)state;
    bench_client(&b);
    bench_start(&b, 256, 1024);
    connect_with(&b, request_to("ws://example.com/"));
    for (;;) {
        give_text(&b, interim);
        if (next(&b) != 0)
            break;
        assert_true(++count < 1000);
    }
    assert_int_equal(b.event.type, TENON_EV_CLOSED);
    assert_int_equal(b.event.rule, TENON_RULE_INTERIM);
    assert_int_equal(count, 10);
    bench_stop(&b);
}

/* All below 200 is interim, nothing from there on. */
static void test_interim_ends_at_200(void **state)
{
    bench b;
    (void)state;
    start_asked(&b);
    give_text(&b, "HTTP/1.1 199 Odd\r\n\r\n");
    assert_none(&b);
    assert_int_equal(tenon_state(b.conn), TENON_CONNECTING);
    give_text(&b, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert_next(&b, TENON_EV_RESPONSE);
    bench_stop(&b);
}

/* ------------------------------------------------------------------ RESPONSE */

/* An answer that is not 101, with its head, then the body as it comes, then CLOSED;
 * at every cut. Nothing of it is taken for frames, no redirect is followed. */
/* covers: 6455-4.1-20 6455-4.4-02 WHATWG-websocket-opening-handshake-01 */
static void test_response(void **state)
{
    static const char answer[] = "HTTP/1.1 302 Found\r\nLocation: ws://elsewhere/\r\nSec-WebSocket-Version: 13, 8\r\n\r\n"
                                 "\x81\x05Hello, not a frame";
    static const char body[] = "\x81\x05Hello, not a frame";
    size_t n = sizeof answer - 1, cut, head_size = n - (sizeof body - 1);
    (void)state;
    for (cut = 1; cut < n; cut++) {
        char got[64];
        size_t part, told = 0, responses = 0;
        tenon_head head;
        tenon_str value;
        bench b;
        int type;
        start_asked(&b);
        for (part = 0; part < 2; part++) {
            give(&b, answer + (part ? cut : 0), part ? n - cut : cut);
            while ((type = next(&b)) != 0) {
                if (type == TENON_EV_RESPONSE) {
                    responses++;
                    assert_int_equal(tenon_head_get(b.conn, &head), TENON_OK);
                    assert_int_equal(head.status, 302);
                    assert_int_equal(tenon_header_find(&head.fields, "location", &value), TENON_OK);
                    assert_true(str_is(value, "ws://elsewhere/"));
                    continue;
                }
                assert_int_equal(type, TENON_EV_BODY);
                assert_int_equal(tenon_head_get(b.conn, &head), TENON_ERR_STATE);
                memcpy(got + told, b.event.data, b.event.size);
                told += b.event.size;
            }
        }
        assert_int_equal(responses, 1);
        assert_int_equal(told, sizeof body - 1);
        assert_memory_equal(got, body, told);
        assert_int_equal(tenon_state(b.conn), TENON_CLOSING);
        run_to_closed(&b);
        assert_wire_end(&b);
        assert_int_equal(b.event.rule, TENON_RULE_STATUS);
        assert_int_equal(b.event.offset, head_size - 1);
        assert_int_equal(b.event.cause, TENON_REMOTE);
        assert_int_equal(b.event.code, TENON_CLOSE_ABNORMAL);
        bench_stop(&b);
    }
}

/* Where an answer tells how long its body is, CLOSED comes behind it at once, without
 * waiting for the end of the stream (RFC 9112, 6.3); at every cut. */
static void test_response_end(void **state)
{
    static const struct {
        const char *answer;
        int size; /* octets of the body; -1: it does not say */
    } list[] = {
        {"HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\nHello", 5},
        {"HTTP/1.1 403 Forbidden\r\ncontent-length:0\r\n\r\n", 0},
        {"HTTP/1.1 403 Forbidden\r\nContent-Length: 12\r\n\r\nHello, world", 12},
        {"HTTP/1.1 403 Forbidden\r\nContent-Length: 012\r\n\r\nHello, world", 12},
        {"HTTP/1.1 204 No Content\r\n\r\n", 0},
        {"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 0},
        {"HTTP/1.1 403 Forbidden\r\n\r\nHello", -1},
        {"HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nHello", -1},
        {"HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nHello", -1},
        {"HTTP/1.1 403 Forbidden\r\nContent-Length: 5, 5\r\n\r\nHello", -1},
        {"HTTP/1.1 403 Forbidden\r\nContent-Length: +5\r\n\r\nHello", -1},
        {"HTTP/1.1 403 Forbidden\r\nContent-Length: 0x5\r\n\r\nHello", -1},
        {"HTTP/1.1 403 Forbidden\r\nContent-Length: 0:5\r\n\r\nHello", -1},
        {"HTTP/1.1 403 Forbidden\r\nContent-Length:\r\n\r\nHello", -1},
        {"HTTP/1.1 403 Forbidden\r\nContent-Length: 18446744073709551621\r\n\r\nHello", -1}, /* 2^64 + 5 */
    };
    size_t i, cut;
    (void)state;
    for (i = 0; i < sizeof list / sizeof *list; i++) {
        size_t n = strlen(list[i].answer);
        for (cut = 1; cut < n; cut++) {
            size_t part, told = 0;
            int type;
            bench b;
            start_asked(&b);
            for (part = 0; part < 2; part++) {
                give(&b, list[i].answer + (part ? cut : 0), part ? n - cut : cut);
                while ((type = next(&b)) == TENON_EV_RESPONSE || type == TENON_EV_BODY)
                    told += type == TENON_EV_BODY ? b.event.size : 0;
                assert_int_equal(type, part == 1 && list[i].size >= 0 ? TENON_EV_CLOSED : 0);
            }
            if (list[i].size >= 0)
                assert_int_equal(told, list[i].size);
            else
                run_to_closed(&b);
            assert_int_equal(b.event.rule, TENON_RULE_STATUS);
            assert_int_equal(b.event.cause, TENON_REMOTE);
            bench_stop(&b);
        }
    }
}

/* What a server sends behind the body is not for us; and a program that takes one
 * event a turn is told that there is another one. */
static void test_response_behind(void **state)
{
    bench b;
    (void)state;
    start_asked(&b);
    give_text(&b, "HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\nHelloHTTP/1.1 200 OK\r\n\r\n");
    assert_next(&b, TENON_EV_RESPONSE);
    assert_next(&b, TENON_EV_BODY);
    assert_data(&b, "Hello", 5);
    assert_true((tenon_wants(b.conn) & TENON_WANTS_NEXT) != 0);
    assert_next(&b, TENON_EV_CLOSED);
    bench_stop(&b);
}

/* close_ms run from the answer, and from each part of its body, not from the request. */
static void test_response_deadline(void **state)
{
    bench b;
    (void)state;
    start(&b);
    b.config.close_ms = 5000;
    assert_int_equal(tenon_tick(b.conn, 0), TENON_OK);
    connect_with(&b, request_to("ws://example.com/"));
    assert_int_equal(tenon_tick(b.conn, 3000), TENON_OK);
    give_text(&b, "HTTP/1.1 404 Not Found\r\n\r\n");
    assert_next(&b, TENON_EV_RESPONSE);
    assert_none(&b);
    assert_int_equal(tenon_deadline(b.conn), 8000);
    assert_int_equal(tenon_tick(b.conn, 4000), TENON_OK);
    give_text(&b, "Hello");
    assert_next(&b, TENON_EV_BODY);
    assert_none(&b);
    assert_int_equal(tenon_deadline(b.conn), 9000);
    bench_stop(&b);
}

/* A request that the transport does not take is a stall as any other output is. */
static void test_request_stalls(void **state)
{
    tenon_request request = request_to("ws://example.com/");
    bench b;
    (void)state;
    bench_client(&b);
    b.config.handshake_ms = TENON_OFF;
    b.config.stall_ms = 2000;
    bench_start(&b, 1024, 1024);
    assert_int_equal(tenon_tick(b.conn, 100), TENON_OK);
    assert_true(tenon_deadline(b.conn) == TENON_NEVER);
    assert_int_equal(tenon_connect(b.conn, &request), TENON_OK);
    assert_int_equal(tenon_deadline(b.conn), 2100);
    assert_int_equal(tenon_tick(b.conn, 2100), TENON_OK);
    assert_next(&b, TENON_EV_CLOSED);
    assert_int_equal(b.event.rule, TENON_RULE_STALL_TIMEOUT);
    bench_stop(&b);
}

/* A head that is too large for max_head or for rx ends the attempt. */
static void test_limits(void **state)
{
    static const char answer[] = "HTTP/1.1 404 Not Found\r\nA: b\r\nC: d\r\n\r\n";
    uint32_t d;
    (void)state;
    for (d = 0; d < 3; d++) {
        int i;
        for (i = 0; i < 2; i++) {
            bench b;
            bench_client(&b);
            b.config.max_head = i ? (uint32_t)sizeof answer - 2 + d : 0;
            b.config.max_headers = i ? 0 : 1 + d;
            bench_start(&b, 1024, 1024);
            connect_with(&b, request_to("ws://example.com/"));
            give_text(&b, answer);
            assert_next(&b, d == 0 ? TENON_EV_CLOSED : TENON_EV_RESPONSE);
            if (d == 0)
                assert_int_equal(b.event.rule, i ? TENON_RULE_HEAD_SIZE : TENON_RULE_HEADERS);
            bench_stop(&b);
        }
    }
}

/* Folded lines are joined (RFC 9112, 5.2). */
static void test_folded(void **state)
{
    tenon_head head;
    tenon_str value;
    bench b;
    (void)state;
    start_asked(&b);
    give_text(&b, "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic\r\n realm=x\r\n\r\n");
    assert_next(&b, TENON_EV_RESPONSE);
    assert_int_equal(tenon_head_get(b.conn, &head), TENON_OK);
    assert_int_equal(tenon_header_find(&head.fields, "WWW-Authenticate", &value), TENON_OK);
    assert_null(memchr(value.data, '\r', value.size));
    assert_int_equal(head.status, 401);
    bench_stop(&b);
}

/* An answer that comes before there is any rx needs no more than the least. */
static void test_answer_wants_rx(void **state)
{
    tenon_request request = request_to("ws://example.com/a/path");
    bench b;
    (void)state;
    bench_client(&b);
    bench_start(&b, 0, 1024);
    assert_int_equal(tenon_connect(b.conn, &request), TENON_OK);
    flush_out(&b);
    give_text(&b, "HTTP/1.1 101 ");
    assert_none(&b);
    assert_int_equal(tenon_wants(b.conn) & TENON_WANTS_RX, TENON_WANTS_RX);
    assert_int_equal(tenon_rx_needed(b.conn), TENON_RX_MIN);
    bench_stop(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_key),
        cmocka_unit_test(test_connect_errors),
        cmocka_unit_test(test_not_client),
        cmocka_unit_test(test_open),
        cmocka_unit_test(test_in_use),
        cmocka_unit_test(test_bad_answers),
        cmocka_unit_test(test_good_answers),
        cmocka_unit_test(test_require_subprotocol),
        cmocka_unit_test(test_early),
        cmocka_unit_test(test_interim),
        cmocka_unit_test(test_interim_ends_at_200),
        cmocka_unit_test(test_response_deadline),
        cmocka_unit_test(test_request_stalls),
        cmocka_unit_test(test_response),
        cmocka_unit_test(test_response_end),
        cmocka_unit_test(test_response_behind),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_folded),
        cmocka_unit_test(test_answer_wants_rx),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
