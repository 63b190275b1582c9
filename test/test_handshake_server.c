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
#include "handshake_server.h"
#include "negotiate.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

#define GET "GET /chat HTTP/1.1\r\n"
#define HOST "Host: h\r\n"
#define UP "Upgrade: websocket\r\n"
#define CON "Connection: Upgrade\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VER "Sec-WebSocket-Version: 13\r\n"
#define ALL UP CON KEY VER
#define ACCEPTED                                                                                                      \
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"                               \
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"

static void expect_str(tenon_str s, const char *text)
{
    if (text == NULL) {
        assert_null(s.data);
        assert_int_equal(s.size, 0);
        return;
    }
    assert_non_null(s.data);
    assert_int_equal(s.size, strlen(text));
    assert_memory_equal(s.data, text, s.size);
}

/* What a server makes of a request: tokens, slices and the check. */
typedef struct result {
    tenon_head head;
    tenon_verdict verdict;
} result;

static result serve(const char *text, size_t n)
{
    static const tenon_http1_limits limits = {16384, 8192, 100};
    result r;
    tenon_http1 h;
    size_t used;
    int status;
    memset(&r, 0, sizeof r);
    tenon_http1_init(&h, TENON_SERVER);
    status = tenon_http1_feed(&h, &limits, (const uint8_t *)text, n, &used);
    if (status == TENON_ERR_PROTOCOL) {
        r.verdict.status = tenon_http1_status(h.rule);
        r.verdict.rule = h.rule;
        r.verdict.at = text + used;
        return r;
    }
    assert_int_equal(status, TENON_OK);
    tenon_server_head(text, used, &r.head);
    r.verdict.size = sizeof r.verdict;
    assert_int_equal(
        tenon_upgrade_check(r.head.method, r.head.target, r.head.version, &r.head.fields, &r.verdict), TENON_OK);
    assert_int_equal(r.verdict.size, sizeof r.verdict);
    return r;
}

static int accept_of(const result *r, const tenon_answer *how, tenon_text *text, tenon_str *subprotocol)
{
    tenon_str own = {NULL, 0};
    int status = tenon_answer_valid(&r->head.fields, how, subprotocol);
    if (status != TENON_OK)
        return status;
    tenon_server_accept(r->verdict.key.data, *subprotocol, text);
    if (how != NULL)
        own = tenon_string(how->extensions, how->extensions_size);
    tenon_extensions_put(text, own, "");
    return how != NULL ? tenon_text_end(text, how->headers, how->header_count) : tenon_text_end(text, NULL, 0);
}

/* The answer that would go out. */
static size_t answer(const result *r, const tenon_answer *how, char *out, size_t room)
{
    tenon_text text = {NULL, 0, 0};
    tenon_str subprotocol;
    text.out = out;
    text.room = room - 1;
    if (r->verdict.status == 101)
        assert_int_equal(accept_of(r, how, &text, &subprotocol), TENON_OK);
    else
        tenon_server_refuse(r->verdict.status, &text);
    assert_true(text.used <= text.room);
    out[text.used] = '\0';
    return text.used;
}

typedef struct vector {
    const char *good;  /* what stands in front of the blame */
    const char *bad;   /* from there on; NULL: nothing is there to be blamed */
    uint16_t status;
    uint16_t rule;
} vector;

static void expect_all(const vector *list, size_t count)
{
    size_t i;
    for (i = 0; i < count; i++) {
        char text[2048], out[1024];
        const char *bad = list[i].bad != NULL ? list[i].bad : "";
        int n = snprintf(text, sizeof text, "%s%s\r\n", list[i].good, bad);
        result r;
        assert_true(n > 0 && (size_t)n < sizeof text);
        r = serve(text, (size_t)n);
        if (r.verdict.status != list[i].status || r.verdict.rule != list[i].rule)
            print_error("%u, rule %u for:\n%s\n", (unsigned int)r.verdict.status, (unsigned int)r.verdict.rule, text);
        assert_int_equal(r.verdict.status, list[i].status);
        assert_int_equal(r.verdict.rule, list[i].rule);
        if (list[i].bad != NULL && list[i].status != 101)
            assert_ptr_equal(r.verdict.at, text + strlen(list[i].good));
        else
            assert_null(r.verdict.at);
        (void)answer(&r, NULL, out, sizeof out);
        assert_int_equal(strncmp(out, "HTTP/1.1 101 ", 13) == 0, list[i].status == 101);
        if (list[i].status != 101)
            assert_non_null(strstr(out, "close\r\n"));
    }
}

/* --------------------------------------------------------------- the check */

/* covers: 6455-4.2.1-03 9110-7.8-01 9110-15.2-02 9112-6.1-04 9110-15.6.6-01 9110-10.1.1-01 */
static void test_version_of_http(void **state)
{
    static const vector list[] = {
        {GET HOST ALL, NULL, 101, 0},
        {"GET / HTTP/1.9\r\n" HOST ALL, NULL, 101, 0},
        {"GET / HTTP/1.0\r\n" HOST ALL, NULL, 426, TENON_RULE_UPGRADE},
        {"GET / HTTP/1.0\r\n" ALL, NULL, 426, TENON_RULE_UPGRADE},
        {"GET / HTTP/1.0\r\n\r\n", NULL, 426, TENON_RULE_UPGRADE},
        {"GET / HTTP/1.0\r\nExpect: 100-continue\r\n" HOST ALL, NULL, 426, TENON_RULE_UPGRADE},
        {"GET / HTTP/1.0\r\n" HOST ALL "Transfer-Encoding: ", "chunked\r\n", 400, TENON_RULE_BODY},
        {"GET / HTTP/1.0\r\n" HOST ALL "Content-Length: ", "3\r\n", 400, TENON_RULE_BODY},
        {"GET / HTTP/1.0\r\n" HOST "Host: ", "h\r\n", 400, TENON_RULE_HOST},
        {"GET / HTTP/2.0", "\r\n" HOST ALL, 505, TENON_RULE_HTTP_VERSION},
    };
    static const tenon_str method = {"GET", 3}, target = {"/", 1};
    tenon_fields none = {NULL, 0, NULL, 0};
    tenon_verdict verdict;
    (void)state;
    expect_all(list, COUNT_OF(list));
    /* From another HTTP stack. */
    memset(&verdict, 0, sizeof verdict);
    verdict.size = sizeof verdict;
    assert_int_equal(tenon_upgrade_check(method, target, 0x0200, &none, &verdict), TENON_OK);
    assert_int_equal(verdict.status, 505);
    assert_int_equal(verdict.rule, TENON_RULE_HTTP_VERSION);
    assert_null(verdict.at);
    assert_int_equal(tenon_upgrade_check(method, target, 0x0009, &none, &verdict), TENON_OK);
    assert_int_equal(verdict.status, 505);
}

/* covers: 6455-4.2.1-02 9112-3-02 */
static void test_method(void **state)
{
    static const vector list[] = {
        {"", "POST / HTTP/1.1\r\n" HOST ALL, 405, TENON_RULE_METHOD},
        {"", "GES / HTTP/1.1\r\n" HOST ALL, 501, TENON_RULE_METHOD},
        {"", "HEAD / HTTP/1.1\r\n" HOST ALL, 405, TENON_RULE_METHOD},
        {"", "PUT / HTTP/1.0\r\n" HOST ALL, 405, TENON_RULE_METHOD},
        {"", "DELETE / HTTP/1.1\r\n" HOST ALL, 405, TENON_RULE_METHOD},
        {"", "CONNECT h:80 HTTP/1.1\r\n" HOST ALL, 405, TENON_RULE_METHOD},
        {"", "OPTIONS * HTTP/1.1\r\n" HOST ALL, 405, TENON_RULE_METHOD},
        {"", "TRACE / HTTP/1.1\r\n" HOST ALL, 405, TENON_RULE_METHOD},
        {"", "PATCH / HTTP/1.1\r\n" HOST ALL, 405, TENON_RULE_METHOD},
        {"", "get / HTTP/1.1\r\n" HOST ALL, 405, TENON_RULE_METHOD},
        {"", "GETS / HTTP/1.1\r\n" HOST ALL, 501, TENON_RULE_METHOD},
        {"", "GE / HTTP/1.1\r\n" HOST ALL, 501, TENON_RULE_METHOD},
        {"", "XXXXXXXX / HTTP/1.1\r\n" HOST ALL, 501, TENON_RULE_METHOD},
        {"\r\n", "FOO / HTTP/1.1\r\n" HOST ALL, 501, TENON_RULE_METHOD},
        {"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345", "6 / HTTP/1.1\r\n" HOST ALL, 501, TENON_RULE_METHOD},
    };
    (void)state;
    expect_all(list, COUNT_OF(list));
}

/* covers: 6455-4.2.1-04 9112-3.2.3-01 9112-3.2.2-01 8307-1-02 6455-4.2.1-12 */
static void test_target(void **state)
{
    static const vector list[] = {
        {"GET ", "chat HTTP/1.1\r\n" HOST ALL, 400, TENON_RULE_TARGET},
        {"GET ", "* HTTP/1.1\r\n" HOST ALL, 400, TENON_RULE_TARGET},
        {"GET ", "h:80 HTTP/1.1\r\n" HOST ALL, 400, TENON_RULE_TARGET},
        {"GET ", "/a#b HTTP/1.1\r\n" HOST ALL, 400, TENON_RULE_TARGET},
        {"GET ", "?a HTTP/1.1\r\n" HOST ALL, 400, TENON_RULE_TARGET},
        {"GET ", "ws://h/ HTTP/1.1\r\n" HOST ALL, 400, TENON_RULE_TARGET},
        {"GET ", "ftp://h/ HTTP/1.1\r\n" HOST ALL, 400, TENON_RULE_TARGET},
        {"GET ", "http:/h HTTP/1.1\r\n" HOST ALL, 400, TENON_RULE_TARGET},
        {"GET ", "http://u@h/ HTTP/1.1\r\n" HOST ALL, 400, TENON_RULE_TARGET},
        {"GET ", "http://h:0/ HTTP/1.1\r\n" HOST ALL, 400, TENON_RULE_TARGET},
        {"GET ", "http://h/# HTTP/1.1\r\n" HOST ALL, 400, TENON_RULE_TARGET},
        {"GET ", "http:///a HTTP/1.1\r\n" HOST ALL, 400, TENON_RULE_TARGET},
        {"GET ", "http://h?a HTTP/1.1\r\n" HOST ALL, 400, TENON_RULE_TARGET},
        {"GET http://h/ HTTP/1.1\r\n" ALL, NULL, 400, TENON_RULE_HOST},
        {"GET http://h/ HTTP/1.1\r\nHost: ", "a b\r\n" ALL, 400, TENON_RULE_HOST},
    };
    static const struct {
        const char *request, *target, *authority, *origin;
    } good[] = {
        {GET HOST ALL "\r\n", "/chat", "h", NULL},
        {"GET /.well-known/coap?a=%20?b HTTP/1.1\r\n" ALL "hOsT:\th:80 \r\nORIGIN: http://o \r\n\r\n",
         "/.well-known/coap?a=%20?b", "h:80", "http://o"},
        {"GET http://a/chat HTTP/1.1\r\nHost: b\r\n" ALL "\r\n", "/chat", "a", NULL},
        {"GET HTTPS://a:8443/chat?x=1 HTTP/1.1\r\nHost: b\r\n" ALL "Origin:\r\n\r\n", "/chat?x=1", "a:8443", ""},
        {"GET http://a? HTTP/1.1\r\nHost: b\r\n" ALL "\r\n", "/", "a", NULL},
        {"GET http://[::1] HTTP/1.1\r\nHost: b\r\n" ALL "\r\n", "/", "[::1]", NULL},
        {"\r\nGET //x HTTP/1.1\r\nHost: [::1]:9000\r\n" ALL "\r\n", "//x", "[::1]:9000", NULL},
    };
    size_t i;
    (void)state;
    expect_all(list, COUNT_OF(list));
    for (i = 0; i < COUNT_OF(list); i++) { /* what is refused is shown as received */
        char text[512];
        int n = snprintf(text, sizeof text, "%s%s\r\n", list[i].good, list[i].bad != NULL ? list[i].bad : "");
        result r = serve(text, (size_t)n);
        if (list[i].rule == TENON_RULE_TARGET)
            assert_ptr_equal(r.head.target.data, text + 4);
    }
    for (i = 0; i < COUNT_OF(good); i++) {
        result r = serve(good[i].request, strlen(good[i].request));
        assert_int_equal(r.verdict.status, 101);
        expect_str(r.head.target, good[i].target);
        expect_str(r.head.authority, good[i].authority);
        expect_str(r.head.origin, good[i].origin);
        expect_str(r.verdict.origin, good[i].origin);
        expect_str(r.verdict.key, "dGhlIHNhbXBsZSBub25jZQ==");
    }
}

/* Names that differ from those of a handshake in the last letter alone. */
#define TWINS                                                                                                         \
    "Hosu: a b\r\nOrigim: x\r\nExpecu: 1\r\nUpgradf: h2c\r\nConnectiom: a\r\nContent-Lengti: 5\r\n"                     \
    "Transfer-Encodinh: chunked\r\nSec-WebSocket-Kez: 1\r\nSec-WebSocket-Versiom: 8\r\n"                              \
    "Sec-WebSocket-Protocom: ,\r\nSec-WebSocket-Extensiont: =\r\n"

/* Names are compared to their end, and fields of a name found wherever they are. */
static void test_far_apart(void **state)
{
    static const vector list[] = {
        {GET TWINS HOST ALL, NULL, 101, 0},
        {GET HOST ALL TWINS, NULL, 101, 0},
        {GET TWINS HOST TWINS ALL TWINS, NULL, 101, 0},
        {GET TWINS ALL, NULL, 400, TENON_RULE_HOST},
        {GET TWINS HOST CON KEY VER, NULL, 426, TENON_RULE_UPGRADE},
        {GET TWINS HOST UP KEY VER, NULL, 400, TENON_RULE_CONNECTION},
        {GET TWINS HOST UP CON VER TWINS, NULL, 400, TENON_RULE_KEY},
        {GET TWINS HOST UP CON KEY TWINS, NULL, 400, TENON_RULE_VERSION},
        {GET HOST TWINS ALL TWINS "host: ", "h\r\n" TWINS, 400, TENON_RULE_HOST},
        {GET HOST ALL "content-length: 0\r\n" TWINS "Content-Length: ", "1\r\n" TWINS, 400, TENON_RULE_BODY},
        {GET "Transfer-Encoding: ", "gzip\r\n" TWINS HOST ALL, 400, TENON_RULE_BODY},
        {GET "Transfer-Encoding: gzip\r\n" TWINS HOST ALL "transfer-encoding: ", "x\r\n", 501,
         TENON_RULE_TRANSFER_CODING},
        {GET "Expect: ", "1\r\n" TWINS HOST ALL, 417, TENON_RULE_EXPECT},
        {GET "Upgrade: a\r\n" TWINS HOST CON KEY VER TWINS UP, NULL, 101, 0},
        {GET "Connection: a\r\n" TWINS HOST UP KEY VER TWINS CON, NULL, 101, 0},
        {GET HOST ALL TWINS "Sec-WebSocket-Version: ", "13\r\n" TWINS, 400, TENON_RULE_VERSION},
        {GET HOST ALL TWINS "SEC-WEBSOCKET-KEY: ", "dGhlIHNhbXBsZSBub25jZQ==\r\n", 400, TENON_RULE_KEY},
        {GET "Sec-WebSocket-Protocol: a\r\n" TWINS HOST ALL "Sec-WebSocket-Protocol: ", "b c\r\n", 400,
         TENON_RULE_SUBPROTOCOL},
        {GET "Sec-WebSocket-Extensions: a\r\n" TWINS HOST ALL "Sec-WebSocket-Extensions: ", "b c\r\n", 400,
         TENON_RULE_EXTENSION},
    };
    static const char request[] = GET TWINS ALL "Origin: http://o\r\n" TWINS HOST "Origin: http://p\r\n\r\n";
    (void)state;
    expect_all(list, COUNT_OF(list));
    expect_str(serve(request, sizeof request - 1).verdict.origin, "http://o");
}

/* covers: 6455-4.2.1-05 9112-3.2-03 9112-3.2-04 9110-5.3-01 9110-5.1-01 */
static void test_host(void **state)
{
    static const vector list[] = {
        {GET ALL, NULL, 400, TENON_RULE_HOST},
        {GET ALL HOST "Host: ", "h\r\n", 400, TENON_RULE_HOST},
        {GET "Host: a\r\n" ALL "host: ", "b\r\n", 400, TENON_RULE_HOST},
        {GET ALL "Host: ", "a b\r\n", 400, TENON_RULE_HOST},
        {GET ALL "Host: ", "a/b\r\n", 400, TENON_RULE_HOST},
        {GET ALL "Host: ", "h:port\r\n", 400, TENON_RULE_HOST},
        {GET ALL "Host: ", "u@h\r\n", 400, TENON_RULE_HOST},
        {GET ALL "Host:", "\r\n", 400, TENON_RULE_HOST},
        {GET ALL "Host: a,b\r\n", NULL, 101, 0},
        {GET ALL "hOsT: h\r\n", NULL, 101, 0},
        {GET ALL "Host:h:\r\n", NULL, 101, 0},
    };
    (void)state;
    expect_all(list, COUNT_OF(list));
}

/* covers: 9112-6.1-02 9112-6.1-03 9112-6.3-02 9112-6.3-03 9112-6.3-04 9112-6.3-05 9110-8.6-02 9112-11.2-01 */
static void test_body(void **state)
{
    static const vector list[] = {
        {GET HOST ALL "Content-Length: 0\r\n", NULL, 101, 0},
        {GET HOST ALL "Content-Length: 0\r\nContent-Length: 00\r\n", NULL, 101, 0},
        {GET HOST ALL "Content-Length: ", "5\r\n", 400, TENON_RULE_BODY},
        {GET HOST ALL "Content-Length: ", "5\r\nContent-Length: 5\r\n", 400, TENON_RULE_BODY},
        {GET HOST ALL "Content-Length: ", "5\r\nContent-Length: 6\r\n", 400, TENON_RULE_BODY},
        {GET HOST ALL "Content-Length: 0\r\nContent-Length: ", "1\r\n", 400, TENON_RULE_BODY},
        {GET HOST ALL "Content-Length: ", "5, 6\r\n", 400, TENON_RULE_BODY},
        {GET HOST ALL "Content-Length: ", "-1\r\n", 400, TENON_RULE_BODY},
        {GET HOST ALL "Content-Length: ", "+5\r\n", 400, TENON_RULE_BODY},
        {GET HOST ALL "Content-Length: ", "5 5\r\n", 400, TENON_RULE_BODY},
        {GET HOST ALL "Content-Length: ", "0x5\r\n", 400, TENON_RULE_BODY},
        {GET HOST ALL "Content-Length: ", "99999999999999999999\r\n", 400, TENON_RULE_BODY},
        {GET HOST ALL "Content-Length: ", "18446744073709551616\r\n", 400, TENON_RULE_BODY},
        {GET HOST ALL "Content-Length: ", "a\r\n", 400, TENON_RULE_BODY},
        {GET HOST ALL "Content-Length:", "\r\n", 400, TENON_RULE_BODY},
        {GET HOST ALL "Transfer-Encoding: ", "chunked\r\n", 400, TENON_RULE_BODY},
        {GET HOST ALL "Transfer-Encoding: ", "gzip, Chunked\r\n", 400, TENON_RULE_BODY},
        {GET HOST ALL "Transfer-Encoding: ", "gzip\r\n", 400, TENON_RULE_BODY},
        {GET HOST ALL "Transfer-Encoding:", "\r\n", 400, TENON_RULE_BODY},
        {GET HOST ALL "Transfer-Encoding: ", "xchunked\r\n", 501, TENON_RULE_TRANSFER_CODING},
        {GET HOST ALL "Transfer-Encoding: gzip, ", "foo\r\n", 501, TENON_RULE_TRANSFER_CODING},
        {GET HOST ALL "Transfer-Encoding: gzip\r\nTransfer-Encoding: ", "identity\r\n", 501,
         TENON_RULE_TRANSFER_CODING},
        {GET HOST ALL "Content-Length: ", "5\r\nTransfer-Encoding: chunked\r\n", 400, TENON_RULE_BODY},
        {GET HOST ALL "Transfer-Encoding: foo\r\nContent-Length: ", "0\r\n", 400, TENON_RULE_BODY},
        {GET HOST ALL "Transfer-Encoding", " : chunked\r\n", 400, TENON_RULE_FIELD_NAME},
        {GET HOST ALL "Content-Length: 0\r", "1\r\n", 400, TENON_RULE_LINE_END},
    };
    (void)state;
    expect_all(list, COUNT_OF(list));
}

/* covers: 9110-10.1.1-01 9110-7.8-05 */
static void test_expect(void **state)
{
    static const vector list[] = {
        {GET HOST ALL "Expect: ", "100-continue\r\n", 417, TENON_RULE_EXPECT},
        {GET HOST ALL "Expect: ", "foo\r\n", 417, TENON_RULE_EXPECT},
        {GET HOST ALL "expect:", "\r\n", 417, TENON_RULE_EXPECT},
    };
    (void)state;
    expect_all(list, COUNT_OF(list));
}

/* covers: 6455-4.2.1-06 6455-4.2.1-07 9110-7.6.1-01 9110-7.6.1-02 9110-7.6.1-03 9110-7.8-04 9110-5.2-01
   9110-5.6.1.2-01 */
static void test_upgrade(void **state)
{
    static const vector list[] = {
        {GET HOST CON KEY VER "Upgrade: WEBSOCKET\r\n", NULL, 101, 0},
        {GET HOST CON KEY VER "Upgrade: foo/1, websocket\r\n", NULL, 101, 0},
        {GET HOST CON KEY VER "Upgrade: foo\r\nUpgrade: WebSocket\r\n", NULL, 101, 0},
        {GET HOST CON KEY VER "uPGRADE:websocket\r\n", NULL, 101, 0},
        {GET HOST CON KEY VER, NULL, 426, TENON_RULE_UPGRADE},
        {GET HOST, NULL, 426, TENON_RULE_UPGRADE},
        {GET HOST CON KEY VER "Upgrade: ", "websocketx\r\n", 426, TENON_RULE_UPGRADE},
        {GET HOST CON KEY VER "Upgrade: ", "websocket/13\r\n", 426, TENON_RULE_UPGRADE},
        {GET HOST CON KEY VER "Upgrade: ", "foo websocket\r\n", 426, TENON_RULE_UPGRADE},
        {GET HOST CON KEY VER "Upgrade: ", "h2c\r\n", 426, TENON_RULE_UPGRADE},
        {GET HOST CON KEY VER "Upgrade:", "\r\n", 426, TENON_RULE_UPGRADE},
        {GET HOST UP KEY VER "Connection: keep-alive, Upgrade\r\n", NULL, 101, 0},
        {GET HOST UP KEY VER "Connection: keep-alive\r\nConnection: uPgRaDe\r\n", NULL, 101, 0},
        {GET HOST UP KEY VER "Connection: close, Upgrade\r\n", NULL, 101, 0},
        {GET HOST UP KEY VER "Connection: ,Upgrade,\r\n", NULL, 101, 0},
        {GET HOST UP KEY VER "Connection:\tupgrade\t\r\n", NULL, 101, 0},
        {GET HOST UP KEY VER, NULL, 400, TENON_RULE_CONNECTION},
        {GET HOST UP KEY VER "Connection: ", "keep-alive\r\n", 400, TENON_RULE_CONNECTION},
        {GET HOST UP KEY VER "Connection: ", "close-Upgrade\r\n", 400, TENON_RULE_CONNECTION},
        {GET HOST UP KEY VER "Connection: ", "Upgraded\r\n", 400, TENON_RULE_CONNECTION},
        {GET HOST UP KEY VER "Connection: ", "keep-alive Upgrade\r\n", 400, TENON_RULE_CONNECTION},
    };
    (void)state;
    expect_all(list, COUNT_OF(list));
}

/* covers: 6455-4.2.1-10 6455-4.2.1-11 6455-4.2.2-01 6455-11.3.5-01 9110-5.3-01 */
static void test_version(void **state)
{
    static const vector list[] = {
        {GET HOST UP CON KEY, NULL, 400, TENON_RULE_VERSION},
        {GET HOST UP CON KEY VER "Sec-WebSocket-Version: ", "13\r\n", 400, TENON_RULE_VERSION},
        {GET HOST UP CON KEY VER "Sec-WebSocket-Version: ", "8\r\n", 400, TENON_RULE_VERSION},
        {GET HOST UP CON KEY "Sec-WebSocket-Version:", "\r\n", 400, TENON_RULE_VERSION},
        {GET HOST UP CON KEY "Sec-WebSocket-Version: \t13 \t\r\n", NULL, 101, 0},
        {GET HOST UP CON KEY "Sec-WebSocket-Version: ", "013\r\n", 400, TENON_RULE_VERSION},
        {GET HOST UP CON KEY "Sec-WebSocket-Version: ", "00\r\n", 400, TENON_RULE_VERSION},
        {GET HOST UP CON KEY "Sec-WebSocket-Version: ", "+13\r\n", 400, TENON_RULE_VERSION},
        {GET HOST UP CON KEY "Sec-WebSocket-Version: ", "-1\r\n", 400, TENON_RULE_VERSION},
        {GET HOST UP CON KEY "Sec-WebSocket-Version: ", "1 3\r\n", 400, TENON_RULE_VERSION},
        {GET HOST UP CON KEY "Sec-WebSocket-Version: ", "13, 8\r\n", 400, TENON_RULE_VERSION},
        {GET HOST UP CON KEY "Sec-WebSocket-Version: ", "1e1\r\n", 400, TENON_RULE_VERSION},
        {GET HOST UP CON KEY "Sec-WebSocket-Version: ", "256\r\n", 400, TENON_RULE_VERSION},
        {GET HOST UP CON KEY "Sec-WebSocket-Version: ", "269\r\n", 400, TENON_RULE_VERSION},
        {GET HOST UP CON KEY "Sec-WebSocket-Version: ", "4294967309\r\n", 400, TENON_RULE_VERSION},
        {GET HOST UP CON KEY "Sec-WebSocket-Version: ", "1:\r\n", 400, TENON_RULE_VERSION},
        {GET HOST UP CON KEY "Sec-WebSocket-Version: ", "2/\r\n", 400, TENON_RULE_VERSION},
        {GET HOST UP CON KEY "Sec-WebSocket-Version: ", "90\r\n", 426, TENON_RULE_VERSION},
        {GET HOST UP CON KEY "Sec-WebSocket-Version: ", "255\r\n", 426, TENON_RULE_VERSION},
        {GET HOST UP CON KEY "Sec-WebSocket-Version: ", "0\r\n", 426, TENON_RULE_VERSION},
        {GET HOST UP CON KEY "Sec-WebSocket-Version: ", "7\r\n", 426, TENON_RULE_VERSION},
        {GET HOST UP CON KEY "Sec-WebSocket-Version: ", "8\r\n", 426, TENON_RULE_VERSION},
        {GET HOST UP CON KEY "Sec-WebSocket-Version: ", "14\r\n", 426, TENON_RULE_VERSION},
        {GET HOST UP CON KEY "Sec-WebSocket-Version: ", "25\r\n", 426, TENON_RULE_VERSION},
    };
    (void)state;
    expect_all(list, COUNT_OF(list));
}

/* covers: 6455-4.2.1-08 6455-4.2.1-15 6455-11.3.1-01 9110-5.3-01 9110-5.5-03 */
static void test_key(void **state)
{
    static const char *const bad[] = {
        "abc", "AAAA", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQ===", "dGhlIHNhbXBsZSBub25j!Q==",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "dGhlIHNhbXBs ZSBub25jZQ==", "dGhl-HNhbXBsZSBub25jZQ==",
        "dGhlIHNhbXBsZSBub25jZQ=A", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ=="};
    static const vector list[] = {
        {GET HOST UP CON VER, NULL, 400, TENON_RULE_KEY},
        {GET HOST UP CON VER "Sec-WebSocket-Key:", "\r\n", 400, TENON_RULE_KEY},
        {GET HOST UP CON VER KEY "Sec-WebSocket-Key: ", "dGhlIHNhbXBsZSBub25jZQ==\r\n", 400, TENON_RULE_KEY},
        {GET HOST UP CON VER KEY "sec-websocket-key: ", "AQIDBAUGBwgJCgsMDQ4PEA==\r\n", 400, TENON_RULE_KEY},
        {GET HOST UP CON VER "Sec-WebSocket-Key: \t dGhlIHNhbXBsZSBub25jZQ==\t \r\n", NULL, 101, 0},
        {GET HOST UP CON VER "Sec-WebSocket-Key: AAAA\r\n", " BBBB\r\n", 400, TENON_RULE_FOLD},
    };
    size_t i;
    (void)state;
    expect_all(list, COUNT_OF(list));
    for (i = 0; i < COUNT_OF(bad); i++) {
        vector v = {GET HOST UP CON VER "Sec-WebSocket-Key: ", NULL, 400, TENON_RULE_KEY};
        char line[128];
        (void)snprintf(line, sizeof line, "%s\r\n", bad[i]);
        v.bad = line;
        expect_all(&v, 1);
    }
}

/* covers: 6455-4.3-03 6455-4.3-01 6455-9.1-01 6455-9.1-07 9110-5.6.1.2-01 6455-9.1-06 6455-4.2.1-14
   WHATWG-websocket-opening-handshake-04 */
static void test_offers(void **state)
{
    static const vector list[] = {
        {GET HOST ALL "Sec-WebSocket-Protocol: a, b\r\nSec-WebSocket-Protocol: c\r\n", NULL, 101, 0},
        {GET HOST ALL "Sec-WebSocket-Protocol: ", "a b\r\n", 400, TENON_RULE_SUBPROTOCOL},
        {GET HOST ALL "Sec-WebSocket-Protocol: a, ", "b/c\r\n", 400, TENON_RULE_SUBPROTOCOL},
        {GET HOST ALL "Sec-WebSocket-Protocol: ", ",\r\n", 400, TENON_RULE_SUBPROTOCOL},
        {GET HOST ALL "Sec-WebSocket-Protocol:", "\r\n", 400, TENON_RULE_SUBPROTOCOL},
        {GET HOST ALL "Sec-WebSocket-Extensions: , permessage-deflate,,\r\n", NULL, 101, 0},
        {GET HOST ALL "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n", NULL, 101, 0},
        {GET HOST ALL "Sec-WebSocket-Extensions: x-unknown; a=\"b\", c\r\n", NULL, 101, 0},
        {GET HOST ALL "Sec-WebSocket-Extensions: ", "permessage-deflate; =x\r\n", 400, TENON_RULE_EXTENSION},
        {GET HOST ALL "Sec-WebSocket-Extensions: ", "a;;\r\n", 400, TENON_RULE_EXTENSION},
        {GET HOST ALL "Sec-WebSocket-Extensions: x, ", "\"a\"\r\n", 400, TENON_RULE_EXTENSION},
        {GET HOST ALL "Sec-WebSocket-Extensions: ", "a;b=\"unterminated\r\n", 400, TENON_RULE_EXTENSION},
        {GET HOST ALL "Sec-WebSocket-Extensions: ", ",\r\n", 400, TENON_RULE_EXTENSION},
        {GET HOST ALL "X-Foo: bar\r\nPragma: no-cache\r\nSec-WebSocket-Foo: \x80\r\n", NULL, 101, 0},
    };
    (void)state;
    expect_all(list, COUNT_OF(list));
}

/* What is wrong first, in the order of the check, is what is told. */
/* covers: 6455-4.2.1-01 6455-10.7-02 */
static void test_order(void **state)
{
    static const vector list[] = {
        {"", "POST * HTTP/1.1\r\n", 405, TENON_RULE_METHOD},
        {"GET ", "* HTTP/1.1\r\n", 400, TENON_RULE_TARGET},
        {GET "Content-Length: 1\r\n", NULL, 400, TENON_RULE_HOST},
        {GET HOST "Expect: x\r\nContent-Length: ", "1\r\n", 400, TENON_RULE_BODY},
        {GET HOST "Expect: ", "x\r\n", 417, TENON_RULE_EXPECT},
        {GET HOST, NULL, 426, TENON_RULE_UPGRADE},
        {GET HOST UP, NULL, 400, TENON_RULE_CONNECTION},
        {GET HOST UP CON, NULL, 400, TENON_RULE_VERSION},
        {GET HOST UP CON "Sec-WebSocket-Version: ", "8\r\n", 426, TENON_RULE_VERSION},
        {GET HOST UP CON VER "Sec-WebSocket-Protocol: ,\r\n", NULL, 400, TENON_RULE_KEY},
        {GET HOST ALL "Sec-WebSocket-Extensions: ,\r\nSec-WebSocket-Protocol: ", ",\r\n", 400, TENON_RULE_SUBPROTOCOL},
        {GET HOST ALL "Sec-WebSocket-Extensions: ", ",\r\n", 400, TENON_RULE_EXTENSION},
    };
    (void)state;
    expect_all(list, COUNT_OF(list));
}

/* The array form, as another HTTP stack has it; sizes and NULs by its rules. */
static void test_array(void **state)
{
    static const tenon_str method = {"GET", 3}, target = {"http://h/x", 10};
    tenon_header headers[] = {{"host", "h", 0, 0},
                              {"upgradexx", "websocket", 7, 0},
                              {"connection", "keep-alive, Upgradex", 0, 19},
                              {"sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==", 0, 24},
                              {"sec-websocket-version", "13", 0, 2},
                              {"origin", "o", 0, 0}};
    tenon_fields fields = {NULL, COUNT_OF(headers), NULL, 0};
    tenon_verdict verdict;
    (void)state;
    fields.array = headers;
    memset(&verdict, '#', sizeof verdict);
    verdict.size = sizeof verdict;
    assert_int_equal(tenon_upgrade_check(method, target, 0x0101, &fields, &verdict), TENON_OK);
    assert_int_equal(verdict.status, 101);
    assert_int_equal(verdict.rule, 0);
    assert_null(verdict.at);
    assert_ptr_equal(verdict.key.data, headers[3].value);
    expect_str(verdict.origin, "o");
    expect_str(verdict.subprotocol, NULL);
    headers[4].value = "12";
    assert_int_equal(tenon_upgrade_check(method, target, 0x0101, &fields, &verdict), TENON_OK);
    assert_int_equal(verdict.status, 426);
    assert_ptr_equal(verdict.at, headers[4].value);
    verdict.size = sizeof verdict - 1;
    assert_int_equal(tenon_upgrade_check(method, target, 0x0101, &fields, &verdict), TENON_ERR_SIZE);
    assert_int_equal(verdict.status, 426);
    assert_int_equal(tenon_upgrade_check(method, target, 0x0101, NULL, &verdict), TENON_ERR_NULL);
    assert_int_equal(tenon_upgrade_check(method, target, 0x0101, &fields, NULL), TENON_ERR_NULL);
    verdict.size = sizeof verdict;
    {
        tenon_str none = {NULL, 0};
        assert_int_equal(tenon_upgrade_check(none, target, 0x0101, &fields, &verdict), TENON_OK);
        assert_int_equal(verdict.status, 501);
        assert_int_equal(tenon_upgrade_check(method, none, 0x0101, &fields, &verdict), TENON_OK);
        assert_int_equal(verdict.rule, TENON_RULE_TARGET);
    }
}

/* Keys of any size, by the size that stands beside them. */
/* covers: 6455-4.2.1-08 */
static void test_key_sizes(void **state)
{
    static const tenon_str method = {"GET", 3}, target = {"/", 1};
    static char key[4096];
    size_t n;
    (void)state;
    memset(key, 'A', sizeof key);
    for (n = 1; n <= sizeof key; n++) {
        tenon_header headers[] = {{"Host", "h", 0, 0},
                                  {"Upgrade", "websocket", 0, 0},
                                  {"Connection", "Upgrade", 0, 0},
                                  {"Sec-WebSocket-Version", "13", 0, 0},
                                  {"Sec-WebSocket-Key", NULL, 0, 0}};
        tenon_fields fields = {NULL, COUNT_OF(headers), NULL, 0};
        tenon_verdict verdict;
        char *copy = malloc(n);
        assert_non_null(copy);
        memcpy(copy, key, n);
        if (n >= 2)
            memset(copy + n - 2, '=', 2);
        headers[4].value = copy;
        headers[4].value_size = n;
        fields.array = headers;
        verdict.size = sizeof verdict;
        assert_int_equal(tenon_upgrade_check(method, target, 0x0101, &fields, &verdict), TENON_OK);
        assert_int_equal(verdict.rule, n == 24 ? 0 : TENON_RULE_KEY);
        free(copy);
    }
}

/* ------------------------------------------------------------- the answers */

/* covers: 6455-4.2.2-08 6455-4.2.2-09 6455-4.2.2-10 6455-4.2.2-06 6455-4.2.2-07 9112-6.1-01 9110-8.6-01
   9110-15.2.2-01 9110-7.8-02 6455-9-01 */
static void test_accept(void **state)
{
    static const char request[] = GET HOST ALL "Sec-WebSocket-Protocol: chat, b\r\n"
                                              "Sec-WebSocket-Extensions: foo, bar\r\n\r\n";
    static const char bare[] = GET HOST ALL "\r\n";
    static const tenon_header headers[] = {{"Set-Cookie", "a=b", 0, 0}, {"Set-Cookiexx", "c=dyy", 10, 3}};
    char out[1024];
    tenon_answer how;
    result r = serve(request, sizeof request - 1);
    (void)state;
    (void)answer(&r, NULL, out, sizeof out);
    assert_string_equal(out, ACCEPTED "\r\n");
    memset(&how, 0, sizeof how);
    how.size = sizeof how;
    (void)answer(&r, &how, out, sizeof out);
    assert_string_equal(out, ACCEPTED "\r\n");
    how.subprotocol = "chat";
    how.extensions = "foo; x=1xx";
    how.extensions_size = 8;
    how.headers = headers;
    how.header_count = 2;
    (void)answer(&r, &how, out, sizeof out);
    assert_string_equal(out, ACCEPTED "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: foo; x=1\r\n"
                                      "Set-Cookie: a=b\r\nSet-Cookie: c=d\r\n\r\n");
    r = serve(bare, sizeof bare - 1);
    (void)answer(&r, NULL, out, sizeof out);
    assert_string_equal(out, ACCEPTED "\r\n");
}

/* White space around the key is not hashed, unused bits are. */
/* covers: 6455-4.2.2-10 6455-4.2.1-09 9110-5.5-03 */
static void test_accept_keys(void **state)
{
    static const char *const list[][2] = {
        {"AQIDBAUGBwgJCgsMDQ4PEA==", "C/0nmHhBztSRGR1CwL6Tf4ZjwpY="},
        {" \t AQIDBAUGBwgJCgsMDQ4PEA==\t ", "C/0nmHhBztSRGR1CwL6Tf4ZjwpY="},
        {"AQIDBAUGBwgJCgsMDQ4PEC==", "OfS0wDaT5NoxF2gqm7Zj2YtetzM="},
    };
    size_t i;
    (void)state;
    for (i = 0; i < COUNT_OF(list); i++) {
        char text[512], out[512], expected[128];
        int n = snprintf(text, sizeof text, GET HOST UP CON VER "Sec-WebSocket-Key:%s\r\n\r\n", list[i][0]);
        result r = serve(text, (size_t)n);
        (void)answer(&r, NULL, out, sizeof out);
        (void)snprintf(expected, sizeof expected, "\r\nSec-WebSocket-Accept: %s\r\n", list[i][1]);
        assert_non_null(strstr(out, expected));
    }
}

/* covers: 6455-4.2.2-05 6455-4.2.2-07 9112-11.1-01 9112-2.2-04 */
static void test_accept_errors(void **state)
{
    static const char request[] = GET HOST ALL "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: foo\r\n\r\n";
    static const tenon_header bad[] = {{"X", "a\r\nY: b", 0, 0},  {"X", "a\nb", 0, 0}, {"X\r\nY", "b", 0, 0},
                                       {"X", "a\0b", 0, 3},       {"X", "\r\n b", 0, 0}, {"Upgrade", "h2c", 0, 0},
                                       {"Sec-WebSocket-Accept", "x", 0, 0}, {"Content-Length", "0", 0, 0},
                                       {"Transfer-Encoding", "chunked", 0, 0}};
    result r = serve(request, sizeof request - 1);
    tenon_answer how;
    tenon_str chosen;
    char out[512];
    tenon_text text = {NULL, 0, 0};
    size_t i;
    (void)state;
    text.out = out;
    text.room = sizeof out;
    memset(&how, 0, sizeof how);
    how.size = sizeof how;
    how.subprotocol = "soap";
    assert_int_equal(accept_of(&r, &how, &text, &chosen), TENON_ERR_SUBPROTOCOL);
    how.subprotocol = "chat\r\nX: y";
    assert_int_equal(accept_of(&r, &how, &text, &chosen), TENON_ERR_SUBPROTOCOL);
    how.subprotocol = "chat";
    how.extensions = "bar";
    assert_int_equal(accept_of(&r, &how, &text, &chosen), TENON_ERR_EXTENSION);
    how.extensions = "foo\r\nX: y";
    assert_int_equal(accept_of(&r, &how, &text, &chosen), TENON_ERR_EXTENSION);
    how.extensions = "foo";
    how.header_count = 1;
    for (i = 0; i < COUNT_OF(bad); i++) {
        how.headers = &bad[i];
        assert_int_equal(accept_of(&r, &how, &text, &chosen), TENON_ERR_HEADER);
    }
    assert_int_equal(text.used, 0);
    how.header_count = 0;
    assert_int_equal(accept_of(&r, &how, &text, &chosen), TENON_OK);
    expect_str(chosen, "chat");
    assert_true(chosen.data > request && chosen.data < request + sizeof request);
}

/* Every room from nothing to enough, with the octet behind it watched. */
static void test_room(void **state)
{
    static const char request[] = GET HOST ALL "\r\n";
    result r = serve(request, sizeof request - 1);
    size_t room, n = strlen(ACCEPTED "\r\n");
    (void)state;
    for (room = 0; room <= n + 1; room++) {
        tenon_text text = {NULL, 0, 0};
        tenon_str chosen;
        char *out = malloc(room > 0 ? room : 1);
        assert_non_null(out);
        text.out = out;
        text.room = room;
        assert_int_equal(accept_of(&r, NULL, &text, &chosen), room >= n ? TENON_OK : TENON_ERR_TOO_BIG);
        assert_int_equal(text.used, n);
        free(out);
    }
}

/* covers: 6455-4.2.2-01 6455-4.4-01 9110-7.8-03 9110-15.5.22-01 9112-9.6-01 9112-6.2-01 9112-11.2-02 9112-4-03 */
static void test_refuse(void **state)
{
    static const struct {
        uint16_t status;
        const char *expected;
    } list[] = {
        {400, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"},
        {405, "HTTP/1.1 405 Method Not Allowed\r\nConnection: close\r\nAllow: GET\r\nContent-Length: 0\r\n\r\n"},
        {408, "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"},
        {414, "HTTP/1.1 414 URI Too Long\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"},
        {417, "HTTP/1.1 417 Expectation Failed\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"},
        {426, "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: Upgrade, close\r\n"
              "Sec-WebSocket-Version: 13\r\nContent-Length: 0\r\n\r\n"},
        {431, "HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"},
        {501, "HTTP/1.1 501 Not Implemented\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"},
        {503, "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"},
        {505, "HTTP/1.1 505 HTTP Version Not Supported\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"},
    };
    size_t i;
    (void)state;
    for (i = 0; i < COUNT_OF(list); i++) {
        char out[256];
        tenon_text text = {NULL, 0, 0};
        text.out = out;
        text.room = sizeof out - 1;
        tenon_server_refuse(list[i].status, &text);
        assert_true(text.used <= text.room);
        out[text.used] = '\0';
        assert_string_equal(out, list[i].expected);
        text.used = 0;
        text.room = strlen(list[i].expected) - 1;
        tenon_server_refuse(list[i].status, &text);
        assert_int_equal(text.used, strlen(list[i].expected));
    }
}

/* covers: 6455-4.2.2-02 6455-4.2.2-03 6455-4.2.2-04 9112-9.6-01 9112-6.2-01 9110-8.6-01 9112-4-03 */
static void test_reject(void **state)
{
    static const tenon_header auth = {"WWW-Authenticate", "Basic", 0, 0}, allow = {"allow", "GET, HEAD", 0, 0};
    static const struct {
        uint16_t status;
        const char *reason;
        size_t reason_size;
        const tenon_header *headers;
        size_t body_size;
        const char *expected;
    } list[] = {
        {403, NULL, 0, NULL, 0, "HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"},
        {404, NULL, 0, NULL, 1234567, "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 1234567\r\n\r\n"},
        {401, "Who are you", 3, &auth, 5,
         "HTTP/1.1 401 Who\r\nConnection: close\r\nContent-Length: 5\r\nWWW-Authenticate: Basic\r\n\r\n"},
        {302, "", 0, NULL, 0, "HTTP/1.1 302 \r\nConnection: close\r\nContent-Length: 0\r\n\r\n"},
        {499, NULL, 0, NULL, 0, "HTTP/1.1 499 \r\nConnection: close\r\nContent-Length: 0\r\n\r\n"},
        {200, NULL, 0, NULL, 2, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n"},
        {204, NULL, 0, NULL, 0, "HTTP/1.1 204 \r\nConnection: close\r\n\r\n"},
        {304, "Not Modified", 0, NULL, 0, "HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n"},
        {405, NULL, 0, &allow, 0,
         "HTTP/1.1 405 Method Not Allowed\r\nConnection: close\r\nContent-Length: 0\r\nallow: GET, HEAD\r\n\r\n"},
        {426, "\xc3\xa9\t", 0, NULL, 0,
         "HTTP/1.1 426 \xc3\xa9\t\r\nUpgrade: websocket\r\nConnection: Upgrade, close\r\n"
         "Sec-WebSocket-Version: 13\r\nContent-Length: 0\r\n\r\n"},
        {599, NULL, 0, NULL, 0, "HTTP/1.1 599 \r\nConnection: close\r\nContent-Length: 0\r\n\r\n"},
    };
    size_t i, room;
    (void)state;
    for (i = 0; i < COUNT_OF(list); i++) {
        size_t n = strlen(list[i].expected);
        tenon_refusal refusal;
        memset(&refusal, 0, sizeof refusal);
        refusal.size = sizeof refusal;
        refusal.status = list[i].status;
        refusal.reason = list[i].reason;
        refusal.reason_size = list[i].reason_size;
        refusal.headers = list[i].headers;
        refusal.header_count = list[i].headers != NULL;
        refusal.body_size = list[i].body_size;
        for (room = 0; room <= n; room++) {
            tenon_text text = {NULL, 0, 0};
            char *out = malloc(room > 0 ? room : 1);
            assert_non_null(out);
            text.out = out;
            text.room = room;
            assert_int_equal(tenon_server_reject(&refusal, &text), room == n ? TENON_OK : TENON_ERR_TOO_BIG);
            assert_int_equal(text.used, n);
            if (room == n)
                assert_memory_equal(out, list[i].expected, n);
            free(out);
        }
    }
}

/* covers: 9112-11.1-01 9112-2.2-04 */
static void test_reject_errors(void **state)
{
    static const struct {
        unsigned int status;
        const char *reason;
        size_t reason_size, body_size;
        int error;
    } list[] = {
        {0, NULL, 0, 0, TENON_ERR_STATUS},          {101, NULL, 0, 0, TENON_ERR_STATUS},
        {199, NULL, 0, 0, TENON_ERR_STATUS},        {600, NULL, 0, 0, TENON_ERR_STATUS},
        {65535, NULL, 0, 0, TENON_ERR_STATUS},      {204, NULL, 0, 1, TENON_ERR_STATUS},
        {304, NULL, 0, 1, TENON_ERR_STATUS},        {400, "a\r\nX: y", 0, 0, TENON_ERR_HEADER},
        {400, "a\rb", 0, 0, TENON_ERR_HEADER},      {400, "a\nb", 0, 0, TENON_ERR_HEADER},
        {400, "a\0b", 3, 0, TENON_ERR_HEADER},      {400, "a\x7f", 0, 0, TENON_ERR_HEADER},
    };
    static const tenon_header bad[] = {{"X", "a\r\nY: b", 0, 0}, {"X Y", "b", 0, 0},     {"Connection", "x", 0, 0},
                                       {"X", "a\0b", 0, 3},      {"Content-Length", "1", 0, 0}};
    char out[256];
    tenon_text text = {NULL, 0, 0};
    tenon_refusal refusal;
    size_t i;
    (void)state;
    text.out = out;
    text.room = sizeof out;
    for (i = 0; i < COUNT_OF(list); i++) {
        memset(&refusal, 0, sizeof refusal);
        refusal.status = (uint16_t)list[i].status;
        refusal.reason = list[i].reason;
        refusal.reason_size = list[i].reason_size;
        refusal.body_size = list[i].body_size;
        assert_int_equal(tenon_server_reject(&refusal, &text), list[i].error);
    }
    memset(&refusal, 0, sizeof refusal);
    refusal.status = 400;
    refusal.header_count = 1;
    for (i = 0; i < COUNT_OF(bad); i++) {
        refusal.headers = &bad[i];
        assert_int_equal(tenon_server_reject(&refusal, &text), TENON_ERR_HEADER);
    }
    assert_int_equal(text.used, 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version_of_http), cmocka_unit_test(test_method),      cmocka_unit_test(test_target),
        cmocka_unit_test(test_far_apart),
        cmocka_unit_test(test_host),            cmocka_unit_test(test_body),        cmocka_unit_test(test_expect),
        cmocka_unit_test(test_upgrade),         cmocka_unit_test(test_version),     cmocka_unit_test(test_key),
        cmocka_unit_test(test_offers),          cmocka_unit_test(test_order),       cmocka_unit_test(test_array),
        cmocka_unit_test(test_key_sizes),       cmocka_unit_test(test_accept),      cmocka_unit_test(test_accept_keys),
        cmocka_unit_test(test_accept_errors),   cmocka_unit_test(test_room),        cmocka_unit_test(test_refuse),
        cmocka_unit_test(test_reject),          cmocka_unit_test(test_reject_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
