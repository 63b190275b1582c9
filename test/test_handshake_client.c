/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "field.h"
#include "handshake_client.h"
#include "handshake_server.h"
#include "negotiate.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

#define SAMPLE_KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define STATUS "HTTP/1.1 101 Switching Protocols\r\n"
#define UP "Upgrade: websocket\r\n"
#define CON "Connection: Upgrade\r\n"
#define ACC "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
#define ALL UP CON ACC

static tenon_request request_of(const char *uri)
{
    tenon_request request;
    memset(&request, 0, sizeof request);
    request.size = sizeof request;
    request.uri = uri;
    return request;
}

static int whole_request(const tenon_request *request, tenon_text *text)
{
    int status = tenon_client_request(request, SAMPLE_KEY, text);
    if (status != TENON_OK)
        return status;
    tenon_extensions_put(text, tenon_string(request->extensions, 0), "");
    return tenon_text_end(text, request->headers, request->header_count);
}

static int write_head(const tenon_request *request, char *out, size_t room)
{
    tenon_text text = {NULL, 0, 0};
    int status;
    text.out = out;
    text.room = room - 1;
    status = whole_request(request, &text);
    out[status == TENON_OK ? text.used : 0] = '\0';
    return status;
}

/* ------------------------------------------------------------- the request */

/* covers: 6455-4.1-06 6455-4.1-09 6455-4.1-10 6455-4.1-14 6455-4.1-17 9112-2.2-06 9110-9.3.1-01 */
static void test_request_plain(void **state)
{
    tenon_request request = request_of("ws://example.com/chat");
    char out[512];
    (void)state;
    assert_int_equal(write_head(&request, out, sizeof out), TENON_OK);
    assert_string_equal(out, "GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                             "Sec-WebSocket-Key: " SAMPLE_KEY "\r\nSec-WebSocket-Version: 13\r\n\r\n");
}

/* covers: 6455-3-03 6455-3-04 6455-3-05 6455-3-06 6455-4.1-07 6455-4.1-08 9112-3.2-02 8307-1-01
   WHATWG-dom-websocket-01 */
static void test_request_places(void **state)
{
    static const struct {
        const char *uri, *authority, *target, *expected;
    } list[] = {
        {"ws://h", NULL, NULL, "GET / HTTP/1.1\r\nHost: h\r\n"},
        {"ws://h?x=1", NULL, NULL, "GET /?x=1 HTTP/1.1\r\nHost: h\r\n"},
        {"ws://h/a?", NULL, NULL, "GET /a HTTP/1.1\r\nHost: h\r\n"},
        {"ws://h/a?b?c", NULL, NULL, "GET /a?b?c HTTP/1.1\r\nHost: h\r\n"},
        {"ws://example.com:8080/a?b", NULL, NULL, "GET /a?b HTTP/1.1\r\nHost: example.com:8080\r\n"},
        {"ws://h:80/", NULL, NULL, "GET / HTTP/1.1\r\nHost: h\r\n"},
        {"ws://h:443/", NULL, NULL, "GET / HTTP/1.1\r\nHost: h:443\r\n"},
        {"wss://h:443/", NULL, NULL, "GET / HTTP/1.1\r\nHost: h\r\n"},
        {"http://h/", NULL, NULL, "GET / HTTP/1.1\r\nHost: h\r\n"},
        {"ws://[::1]:9000/x", NULL, NULL, "GET /x HTTP/1.1\r\nHost: [::1]:9000\r\n"},
        {"ws://[::1]/", NULL, NULL, "GET / HTTP/1.1\r\nHost: [::1]\r\n"},
        {"ws://h/%23", NULL, NULL, "GET /%23 HTTP/1.1\r\nHost: h\r\n"},
        {"ws://h/a%0d%0ab", NULL, NULL, "GET /a%0d%0ab HTTP/1.1\r\nHost: h\r\n"},
        {"ws://h/.well-known/coap", NULL, NULL, "GET /.well-known/coap HTTP/1.1\r\nHost: h\r\n"},
        {NULL, "h:80", NULL, "GET / HTTP/1.1\r\nHost: h:80\r\n"},
        {NULL, "[::1]", "/a?b", "GET /a?b HTTP/1.1\r\nHost: [::1]\r\n"},
    };
    size_t i;
    (void)state;
    for (i = 0; i < COUNT_OF(list); i++) {
        tenon_request request = request_of(list[i].uri);
        char out[512];
        request.authority = list[i].authority;
        request.target = list[i].target;
        assert_int_equal(write_head(&request, out, sizeof out), TENON_OK);
        assert_memory_equal(out, list[i].expected, strlen(list[i].expected));
        assert_null(strstr(out + strlen(list[i].expected), "Host:"));
    }
}

/* covers: 6455-4.1-13 6455-4.1-15 6455-4.1-16 6455-4.1-18 */
static void test_request_full(void **state)
{
    static const char *const names[] = {"chat", "superchat", "Chat"};
    static const tenon_header headers[] = {{"Cookie", "a=b", 0, 0}, {"Authorizationxx", "Basic Zmxx", 13, 8}};
    tenon_request request = request_of("wss://h/");
    char out[1024];
    (void)state;
    request.origin = "http://www.example.com";
    request.subprotocols = names;
    request.subprotocol_count = 3;
    request.extensions = "permessage-deflate; client_max_window_bits";
    request.headers = headers;
    request.header_count = 2;
    assert_int_equal(write_head(&request, out, sizeof out), TENON_OK);
    assert_string_equal(out, "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                             "Sec-WebSocket-Key: " SAMPLE_KEY "\r\nSec-WebSocket-Version: 13\r\n"
                             "Origin: http://www.example.com\r\nSec-WebSocket-Protocol: chat, superchat, Chat\r\n"
                             "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
                             "Cookie: a=b\r\nAuthorization: Basic Zm\r\n\r\n");
    request = request_of("ws://h/");
    request.subprotocols = names;
    request.subprotocol_count = 1;
    assert_int_equal(write_head(&request, out, sizeof out), TENON_OK);
    assert_non_null(strstr(out, "\r\nSec-WebSocket-Protocol: chat\r\n\r\n"));
}

/* Whatever this writes, the server's side takes. */
static void test_request_is_served(void **state)
{
    static const char *const names[] = {"a", "b"};
    static const tenon_http1_limits limits = {1024, 512, 20};
    tenon_request request = request_of("ws://h:8080?x");
    tenon_verdict verdict;
    tenon_http1 h;
    tenon_head head;
    char out[1024];
    size_t used;
    (void)state;
    request.subprotocols = names;
    request.subprotocol_count = 2;
    request.extensions = "foo; a=\"b\", bar";
    assert_int_equal(write_head(&request, out, sizeof out), TENON_OK);
    tenon_http1_init(&h, TENON_SERVER);
    assert_int_equal(tenon_http1_feed(&h, &limits, (const uint8_t *)out, strlen(out), &used), TENON_OK);
    assert_int_equal(used, strlen(out));
    tenon_server_head(out, used, &head);
    verdict.size = sizeof verdict;
    assert_int_equal(tenon_upgrade_check(head.method, head.target, head.version, &head.fields, &verdict), TENON_OK);
    assert_int_equal(verdict.status, 101);
    assert_memory_equal(verdict.key.data, SAMPLE_KEY, 24);
}

/* covers: 6455-4.1-01 6455-4.1-15 6455-4.1-16 6455-4.1-18 6455-3-04 6455-3-06 6455-3-07 9112-11.1-01
   9112-2.2-04 9112-5.2-01 WHATWG-dom-websocket-02 */
static void test_request_errors(void **state)
{
    static const struct {
        const char *uri, *authority, *target, *origin, *subprotocol, *extensions, *name, *value;
        int status;
    } list[] = {
        {"ws://h/p#f", NULL, NULL, NULL, NULL, NULL, NULL, NULL, TENON_ERR_URI},
        {"ws://h/a\r\nX: y", NULL, NULL, NULL, NULL, NULL, NULL, NULL, TENON_ERR_URI},
        {"ws://h\r\nX:y/", NULL, NULL, NULL, NULL, NULL, NULL, NULL, TENON_ERR_URI},
        {"ws://h/a\nb", NULL, NULL, NULL, NULL, NULL, NULL, NULL, TENON_ERR_URI},
        {"ws://u:p@h/", NULL, NULL, NULL, NULL, NULL, NULL, NULL, TENON_ERR_URI},
        {"ftp://h/", NULL, NULL, NULL, NULL, NULL, NULL, NULL, TENON_ERR_URI},
        {NULL, "h\r\nX: y", "/", NULL, NULL, NULL, NULL, NULL, TENON_ERR_URI},
        {NULL, "u@h", "/", NULL, NULL, NULL, NULL, NULL, TENON_ERR_URI},
        {NULL, "h", "/ HTTP/1.1\r\nX: y", NULL, NULL, NULL, NULL, NULL, TENON_ERR_URI},
        {NULL, "h", "/\r", NULL, NULL, NULL, NULL, NULL, TENON_ERR_URI},
        {NULL, "h", "/\n", NULL, NULL, NULL, NULL, NULL, TENON_ERR_URI},
        {NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, TENON_ERR_URI},
        {"ws://h/", NULL, NULL, "o\r\nX: y", NULL, NULL, NULL, NULL, TENON_ERR_HEADER},
        {"ws://h/", NULL, NULL, "o\n", NULL, NULL, NULL, NULL, TENON_ERR_HEADER},
        {"ws://h/", NULL, NULL, NULL, "a b", NULL, NULL, NULL, TENON_ERR_SUBPROTOCOL},
        {"ws://h/", NULL, NULL, NULL, "a\r\nX: y", NULL, NULL, NULL, TENON_ERR_SUBPROTOCOL},
        {"ws://h/", NULL, NULL, NULL, "", NULL, NULL, NULL, TENON_ERR_SUBPROTOCOL},
        {"ws://h/", NULL, NULL, NULL, "first", NULL, NULL, NULL, TENON_ERR_SUBPROTOCOL},
        {"ws://h/", NULL, NULL, NULL, NULL, "a\r\nX: y", NULL, NULL, TENON_ERR_EXTENSION},
        {"ws://h/", NULL, NULL, NULL, NULL, "a;", NULL, NULL, TENON_ERR_EXTENSION},
        {"ws://h/", NULL, NULL, NULL, NULL, "", NULL, NULL, TENON_ERR_EXTENSION},
        {"ws://h/", NULL, NULL, NULL, NULL, NULL, "X", "a\r\nY: b", TENON_ERR_HEADER},
        {"ws://h/", NULL, NULL, NULL, NULL, NULL, "X", "a\r\n b", TENON_ERR_HEADER},
        {"ws://h/", NULL, NULL, NULL, NULL, NULL, "X\r\nY", "b", TENON_ERR_HEADER},
        {"ws://h/", NULL, NULL, NULL, NULL, NULL, "Host", "h", TENON_ERR_HEADER},
        {"ws://h/", NULL, NULL, NULL, NULL, NULL, "Origin", "o", TENON_ERR_HEADER},
        {"ws://h/", NULL, NULL, NULL, NULL, NULL, "sec-websocket-key", "k", TENON_ERR_HEADER},
        {"ws://h/", NULL, NULL, NULL, NULL, NULL, "Content-Length", "0", TENON_ERR_HEADER},
    };
    size_t i;
    (void)state;
    for (i = 0; i < COUNT_OF(list); i++) {
        tenon_request request = request_of(list[i].uri);
        const char *names[2] = {"first", NULL};
        tenon_header header = {NULL, NULL, 0, 0};
        char out[512];
        tenon_text text = {NULL, 0, 0};
        names[1] = list[i].subprotocol;
        header.name = list[i].name;
        header.value = list[i].value;
        request.authority = list[i].authority;
        request.target = list[i].target;
        request.origin = list[i].origin;
        request.subprotocols = names;
        request.subprotocol_count = list[i].subprotocol != NULL ? 2 : 0;
        request.extensions = list[i].extensions;
        request.headers = &header;
        request.header_count = list[i].name != NULL;
        text.out = out;
        text.room = sizeof out;
        assert_int_equal(whole_request(&request, &text), list[i].status);
        assert_int_equal(text.used, 0);
    }
}

static void test_request_room(void **state)
{
    tenon_request request = request_of("ws://h/");
    char out[512];
    size_t n, room;
    (void)state;
    assert_int_equal(write_head(&request, out, sizeof out), TENON_OK);
    n = strlen(out);
    for (room = 0; room <= n + 1; room++) {
        tenon_text text = {NULL, 0, 0};
        char *exact = malloc(room > 0 ? room : 1);
        assert_non_null(exact);
        text.out = exact;
        text.room = room;
        assert_int_equal(whole_request(&request, &text), room < n ? TENON_ERR_TOO_BIG : TENON_OK);
        assert_int_equal(text.used, n);
        if (room >= n)
            assert_memory_equal(exact, out, n);
        free(exact);
    }
}

/* -------------------------------------------------------------- the answer */

typedef struct vector {
    const char *good; /* what stands in front of the blame */
    const char *bad;  /* from there on; NULL: nothing is there to be blamed */
    uint16_t rule;
} vector;

static const char *const offered[] = {"chat", "Soap"};

/* Tokenizes, unfolds, slices and checks, as a client does. */
static tenon_verdict judge(char *text, size_t n, const tenon_request *request, uint32_t flags)
{
    static const tenon_http1_limits limits = {16384, 0, 100};
    tenon_verdict verdict;
    tenon_http1 h;
    tenon_head head;
    size_t used;
    int status;
    memset(&verdict, 0, sizeof verdict);
    tenon_http1_init(&h, TENON_CLIENT);
    status = tenon_http1_feed(&h, &limits, (const uint8_t *)text, n, &used);
    if (status == TENON_ERR_PROTOCOL) {
        verdict.rule = h.rule;
        verdict.at = text + used;
        return verdict;
    }
    assert_int_equal(status, TENON_OK);
    tenon_http1_unfold(text, used);
    tenon_http1_response(text, used, &head);
    memset(&verdict, '#', sizeof verdict);
    verdict.size = sizeof verdict;
    assert_int_equal(tenon_answer_check(head.status, &head.fields, request, SAMPLE_KEY, flags, &verdict), TENON_OK);
    assert_int_equal(verdict.status, head.status);
    assert_int_equal(verdict.size, sizeof verdict);
    assert_null(verdict.key.data);
    assert_null(verdict.origin.data);
    return verdict;
}

static void expect_all(const vector *list, size_t count, uint32_t flags)
{
    tenon_request request = request_of("ws://h/");
    size_t i;
    request.subprotocols = offered;
    request.subprotocol_count = 2;
    request.extensions = "foo; x, bar";
    for (i = 0; i < count; i++) {
        char text[1024];
        const char *bad = list[i].bad != NULL ? list[i].bad : "";
        int n = snprintf(text, sizeof text, "%s%s\r\n", list[i].good, bad);
        tenon_verdict verdict;
        assert_true(n > 0 && (size_t)n < sizeof text);
        verdict = judge(text, (size_t)n, &request, flags);
        if (verdict.rule != list[i].rule)
            print_error("rule %u for:\n%s\n", (unsigned int)verdict.rule, text);
        assert_int_equal(verdict.rule, list[i].rule);
        if (list[i].bad != NULL && list[i].rule != TENON_RULE_NONE)
            assert_ptr_equal(verdict.at, text + strlen(list[i].good));
        else
            assert_null(verdict.at);
        if (verdict.rule != TENON_RULE_NONE)
            assert_null(verdict.subprotocol.data);
    }
}

/* covers: 6455-4.1-20 WHATWG-websocket-opening-handshake-01 6455-4.4-02 */
static void test_answer_status(void **state)
{
    static const vector list[] = {
        {STATUS ALL, NULL, 0},
        {"HTTP/1.1 101\r\n" ALL, NULL, 0},
        {"HTTP/1.1 101 Whatever\r\n" ALL, NULL, 0},
        {"HTTP/1.1 200 OK\r\n" ALL, NULL, TENON_RULE_STATUS},
        {"HTTP/1.1 100 Continue\r\n" ALL, NULL, TENON_RULE_STATUS},
        {"HTTP/1.1 102 x\r\n" ALL, NULL, TENON_RULE_STATUS},
        {"HTTP/1.1 302 Found\r\nLocation: ws://h/\r\n", NULL, TENON_RULE_STATUS},
        {"HTTP/1.1 401 x\r\n", NULL, TENON_RULE_STATUS},
        {"HTTP/1.1 400 x\r\nSec-WebSocket-Version: 13, 8, 7\r\n", NULL, TENON_RULE_STATUS},
        {"HTTP/1.1 426 x\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 8\r\n", NULL, TENON_RULE_STATUS},
        {"HTTP/1.1 503 x\r\n", NULL, TENON_RULE_STATUS},
        {"HTTP/1.1 999 x\r\n" ALL, NULL, TENON_RULE_STATUS},
    };
    (void)state;
    expect_all(list, COUNT_OF(list), 0);
}

/* covers: 6455-4.1-21 6455-4.1-22 6455-4.1-23 6455-4.1-29 9110-7.8-04 9110-7.6.1-01 9110-5.2-01 9110-5.3-01
   9112-5.2-03 */
static void test_answer_upgrade(void **state)
{
    static const vector list[] = {
        {STATUS CON ACC "Upgrade: WebSocket\r\n", NULL, 0},
        {STATUS CON ACC "UPGRADE:\twebsocket \r\n", NULL, 0},
        {STATUS CON ACC "Upgrade:\r\n websocket\r\n", NULL, 0},
        {STATUS CON ACC, NULL, TENON_RULE_UPGRADE},
        {STATUS CON ACC "Upgrade: ", "h2c\r\n", TENON_RULE_UPGRADE},
        {STATUS CON ACC "Upgrade: ", "websocket2\r\n", TENON_RULE_UPGRADE},
        {STATUS CON ACC "Upgrade: ", "websocket, foo\r\n", TENON_RULE_UPGRADE},
        {STATUS CON ACC "Upgrade: ", "websocket/13\r\n", TENON_RULE_UPGRADE},
        {STATUS CON ACC "Upgrade: ", "websocket,\r\n", TENON_RULE_UPGRADE},
        {STATUS CON ACC UP "Upgrade: ", "websocket\r\n", TENON_RULE_UPGRADE},
        {STATUS CON ACC "Upgrade:", "\r\n", TENON_RULE_UPGRADE},
        {STATUS UP ACC "Connection: keep-alive, UPGRADE\r\n", NULL, 0},
        {STATUS UP ACC "Connection: keep-alive\r\nconnection: upgrade\r\n", NULL, 0},
        {STATUS UP ACC "Connection: ,Upgrade,\r\n", NULL, 0},
        {STATUS UP ACC, NULL, TENON_RULE_CONNECTION},
        {STATUS UP ACC "Connection: ", "close\r\n", TENON_RULE_CONNECTION},
        {STATUS UP ACC "Connection: ", "Upgraded\r\n", TENON_RULE_CONNECTION},
        {STATUS UP ACC "Connection: ", "x-upgrade\r\n", TENON_RULE_CONNECTION},
        {STATUS UP ACC "Connection:", "\r\n", TENON_RULE_CONNECTION},
        {STATUS "Upgrade", " : websocket\r\n" CON ACC, TENON_RULE_FIELD_NAME},
    };
    (void)state;
    expect_all(list, COUNT_OF(list), 0);
}

/* covers: 6455-4.1-24 6455-4.1-27 6455-4.1-29 6455-11.3.3-01 9110-5.3-01 9110-5.5-03 */
static void test_answer_accept(void **state)
{
    static const vector list[] = {
        {STATUS UP CON "sec-websocket-accept: \t s3pPLMBiTxaQ9kYGzzhZRbK+xOo= \t\r\n", NULL, 0},
        {STATUS UP CON, NULL, TENON_RULE_ACCEPT},
        {STATUS UP CON "Sec-WebSocket-Accept:", "\r\n", TENON_RULE_ACCEPT},
        {STATUS UP CON "Sec-WebSocket-Accept: ", "S3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n", TENON_RULE_ACCEPT},
        {STATUS UP CON "Sec-WebSocket-Accept: ", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo\r\n", TENON_RULE_ACCEPT},
        {STATUS UP CON "Sec-WebSocket-Accept: ", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=x\r\n", TENON_RULE_ACCEPT},
        {STATUS UP CON "Sec-WebSocket-Accept: ", "C/0nmHhBztSRGR1CwL6Tf4ZjwpY=\r\n", TENON_RULE_ACCEPT},
        {STATUS UP CON "Sec-WebSocket-Accept: ", SAMPLE_KEY "\r\n", TENON_RULE_ACCEPT},
        {STATUS UP CON ACC "Sec-WebSocket-Accept: ", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n", TENON_RULE_ACCEPT},
    };
    static const char good[] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    size_t i;
    (void)state;
    expect_all(list, COUNT_OF(list), 0);
    for (i = 0; i < sizeof good - 1; i++) { /* one letter with its case bit the other way */
        vector v = {STATUS UP CON "Sec-WebSocket-Accept: ", NULL, TENON_RULE_ACCEPT};
        char line[64];
        (void)snprintf(line, sizeof line, "%s\r\n", good);
        line[i] = (char)(line[i] ^ 0x20);
        v.bad = line;
        if (line[i] > ' ' && line[i] != 0x7f)
            expect_all(&v, 1, 0);
    }
}

/* covers: 9112-6.3-01 */
static void test_answer_body(void **state)
{
    static const vector list[] = {
        {STATUS ALL "Content-Length: 0\r\n", NULL, 0},
        {STATUS ALL "Content-Length: ", "5\r\n", TENON_RULE_BODY},
        {STATUS ALL "Content-Length: ", "x\r\n", TENON_RULE_BODY},
        {STATUS ALL "Content-Length: 0\r\nContent-Length: ", "1\r\n", TENON_RULE_BODY},
        {STATUS ALL "Transfer-Encoding: ", "chunked\r\n", TENON_RULE_BODY},
        {STATUS ALL "transfer-encoding: ", "identity\r\n", TENON_RULE_BODY},
        {STATUS ALL "Transfer-Encoding:", "\r\n", TENON_RULE_BODY},
    };
    (void)state;
    expect_all(list, COUNT_OF(list), 0);
}

/* covers: 6455-4.1-25 6455-4.1-26 6455-4.1-27 6455-11.3.4-01 6455-11.3.2-01 6455-9.1-01 */
static void test_answer_choice(void **state)
{
    static const vector list[] = {
        {STATUS ALL "Sec-WebSocket-Protocol: chat\r\n", NULL, 0},
        {STATUS ALL "Sec-WebSocket-Protocol: ", "Chat\r\n", TENON_RULE_SUBPROTOCOL},
        {STATUS ALL "Sec-WebSocket-Protocol: ", "superchat\r\n", TENON_RULE_SUBPROTOCOL},
        {STATUS ALL "Sec-WebSocket-Protocol: ", "chat, Soap\r\n", TENON_RULE_SUBPROTOCOL},
        {STATUS ALL "Sec-WebSocket-Protocol:", "\r\n", TENON_RULE_SUBPROTOCOL},
        {STATUS ALL "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: ", "chat\r\n", TENON_RULE_SUBPROTOCOL},
        {STATUS ALL "Sec-WebSocket-Extensions: foo; a=b\r\nSec-WebSocket-Extensions: bar\r\n", NULL, 0},
        {STATUS ALL "Sec-WebSocket-Extensions: foo, ", "permessage-deflate\r\n", TENON_RULE_EXTENSION},
        {STATUS ALL "Sec-WebSocket-Extensions: ", "permessage-deflate; =x\r\n", TENON_RULE_EXTENSION},
        {STATUS ALL "Sec-WebSocket-Extensions: ", "foo;;\r\n", TENON_RULE_EXTENSION},
        {STATUS ALL "Sec-WebSocket-Extensions: ", "\"foo\"\r\n", TENON_RULE_EXTENSION},
        {STATUS ALL "Sec-WebSocket-Extensions: ", "foo;b=\"unterminated\r\n", TENON_RULE_EXTENSION},
        {STATUS ALL "Sec-WebSocket-Extensions: ", ",\r\n", TENON_RULE_EXTENSION},
    };
    (void)state;
    expect_all(list, COUNT_OF(list), 0);
}

/* covers: 6455-4.1-28 WHATWG-websocket-opening-handshake-02 6455-4.1-31 */
static void test_answer_strict(void **state)
{
    static const vector none = {STATUS ALL, NULL, TENON_RULE_SUBPROTOCOL};
    static const vector lax = {STATUS ALL, NULL, 0};
    static const vector chosen = {STATUS ALL "Sec-WebSocket-Protocol: Soap\r\n", NULL, 0};
    char text[] = STATUS ALL "Sec-WebSocket-Protocol:\tSoap \r\n\r\n";
    char bare[] = STATUS ALL "\r\n";
    tenon_request request = request_of("ws://h/");
    tenon_verdict verdict;
    (void)state;
    expect_all(&none, 1, TENON_REQUIRE_SUBPROTOCOL);
    expect_all(&lax, 1, 0);
    expect_all(&chosen, 1, TENON_REQUIRE_SUBPROTOCOL);
    verdict = judge(bare, sizeof bare - 1, &request, TENON_REQUIRE_SUBPROTOCOL); /* nothing was offered */
    assert_int_equal(verdict.rule, TENON_RULE_NONE);
    assert_null(verdict.subprotocol.data);
    request.subprotocols = offered;
    request.subprotocol_count = 2;
    verdict = judge(text, sizeof text - 1, &request, 0);
    assert_int_equal(verdict.rule, TENON_RULE_NONE);
    assert_int_equal(verdict.subprotocol.size, 4);
    assert_ptr_equal(verdict.subprotocol.data, strstr(text, "Soap"));
}

/* The first thing wrong, in the order of the check. */
static void test_answer_order(void **state)
{
    static const vector list[] = {
        {"HTTP/1.1 200 OK\r\n", NULL, TENON_RULE_STATUS},
        {STATUS, NULL, TENON_RULE_UPGRADE},
        {STATUS UP, NULL, TENON_RULE_CONNECTION},
        {STATUS UP CON "Content-Length: 5\r\n", NULL, TENON_RULE_ACCEPT},
        {STATUS ALL "Sec-WebSocket-Protocol: x\r\nContent-Length: ", "5\r\n", TENON_RULE_BODY},
        {STATUS ALL "Sec-WebSocket-Extensions: x\r\nSec-WebSocket-Protocol: ", "x\r\n", TENON_RULE_SUBPROTOCOL},
    };
    (void)state;
    expect_all(list, COUNT_OF(list), 0);
}

static void test_answer_errors(void **state)
{
    tenon_fields fields = {NULL, 0, NULL, 0};
    tenon_request request = request_of("ws://h/");
    tenon_verdict verdict;
    (void)state;
    memset(&verdict, 0, sizeof verdict);
    assert_int_equal(tenon_answer_check(101, &fields, &request, SAMPLE_KEY, 0, &verdict), TENON_ERR_SIZE);
    verdict.size = sizeof verdict - 1;
    assert_int_equal(tenon_answer_check(101, &fields, &request, SAMPLE_KEY, 0, &verdict), TENON_ERR_SIZE);
    verdict.size = sizeof verdict;
    request.size = 0;
    assert_int_equal(tenon_answer_check(101, &fields, &request, SAMPLE_KEY, 0, &verdict), TENON_ERR_SIZE);
    request.size = sizeof request;
    assert_int_equal(tenon_answer_check(101, NULL, &request, SAMPLE_KEY, 0, &verdict), TENON_ERR_NULL);
    assert_int_equal(tenon_answer_check(101, &fields, NULL, SAMPLE_KEY, 0, &verdict), TENON_ERR_NULL);
    assert_int_equal(tenon_answer_check(101, &fields, &request, NULL, 0, &verdict), TENON_ERR_NULL);
    assert_int_equal(tenon_answer_check(101, &fields, &request, SAMPLE_KEY, 0, NULL), TENON_ERR_NULL);
    request.subprotocol_count = 1; /* of none */
    assert_int_equal(tenon_answer_check(101, &fields, &request, SAMPLE_KEY, 0, &verdict), TENON_ERR_NULL);
    request.subprotocol_count = 0;
    request.header_count = 1;
    assert_int_equal(tenon_answer_check(101, &fields, &request, SAMPLE_KEY, 0, &verdict), TENON_ERR_NULL);
    request.header_count = 0;
    assert_int_equal(tenon_answer_check(101, &fields, &request, SAMPLE_KEY, 0, &verdict), TENON_OK);
    assert_int_equal(verdict.rule, TENON_RULE_UPGRADE);
}

/* A server's answer, as this library writes it, is taken by its client. */
static void test_answer_of_server(void **state)
{
    static const tenon_header headers[] = {{"Sec-WebSocket-Key", SAMPLE_KEY, 0, 0},
                                           {"Sec-WebSocket-Protocol", "chat, Soap", 0, 0},
                                           {"Sec-WebSocket-Extensions", "foo; x, bar", 0, 0}};
    tenon_fields fields = {NULL, COUNT_OF(headers), NULL, 0};
    tenon_request request = request_of("ws://h/");
    tenon_answer answer;
    tenon_verdict verdict;
    tenon_str chosen;
    char out[512];
    tenon_text text = {NULL, 0, 0};
    (void)state;
    fields.array = headers;
    memset(&answer, 0, sizeof answer);
    answer.size = sizeof answer;
    answer.subprotocol = "Soap";
    answer.extensions = "bar";
    text.out = out;
    text.room = sizeof out;
    assert_int_equal(tenon_answer_valid(&fields, &answer, &chosen), TENON_OK);
    tenon_server_accept(SAMPLE_KEY, chosen, &text);
    tenon_extensions_put(&text, tenon_string(answer.extensions, 0), "");
    assert_int_equal(tenon_text_end(&text, NULL, 0), TENON_OK);
    request.subprotocols = offered;
    request.subprotocol_count = 2;
    request.extensions = "foo; x, bar";
    verdict = judge(out, text.used, &request, TENON_REQUIRE_SUBPROTOCOL);
    assert_int_equal(verdict.rule, TENON_RULE_NONE);
    assert_memory_equal(verdict.subprotocol.data, "Soap", 4);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_plain),  cmocka_unit_test(test_request_places),
        cmocka_unit_test(test_request_full),   cmocka_unit_test(test_request_is_served),
        cmocka_unit_test(test_request_errors), cmocka_unit_test(test_request_room),
        cmocka_unit_test(test_answer_status),  cmocka_unit_test(test_answer_upgrade),
        cmocka_unit_test(test_answer_accept),  cmocka_unit_test(test_answer_body),
        cmocka_unit_test(test_answer_choice),  cmocka_unit_test(test_answer_strict),
        cmocka_unit_test(test_answer_order),   cmocka_unit_test(test_answer_errors),
        cmocka_unit_test(test_answer_of_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
