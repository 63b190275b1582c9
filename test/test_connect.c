/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "connect.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])
#define ROOM 20

static const char *const offered[] = {"chat", "Soap"};

static tenon_request request_of(const char *uri)
{
    tenon_request request;
    memset(&request, 0, sizeof request);
    request.size = sizeof request;
    request.uri = uri;
    return request;
}

/* The fields as name=value, joined by |. */
static void fields_text(const tenon_header *fields, size_t count, char *out, size_t room)
{
    size_t i, n = 0;
    for (i = 0; i < count; i++) {
        tenon_fields one = {NULL, 1, NULL, 0};
        tenon_header field;
        size_t position = 0;
        one.array = &fields[i];
        assert_int_equal(tenon_header_next(&one, &position, &field), TENON_OK);
        assert_true(n + field.name_size + field.value_size + 3 < room);
        memcpy(out + n, field.name, field.name_size);
        n += field.name_size;
        out[n++] = '=';
        memcpy(out + n, field.value, field.value_size);
        n += field.value_size;
        out[n++] = '|';
    }
    out[n] = '\0';
}

/* ------------------------------------------------------------- the request */

/* covers: 8441-4-01 8441-5-01 8441-5-02 8441-5-03 8441-5-05 8441-5-06 9220-3-02 */
static void test_request(void **state)
{
    static const struct {
        const char *uri, *authority, *target;
        int secure;
        const char *expected;
    } list[] = {
        {"wss://h/c", NULL, NULL, 0, ":scheme=https|:authority=h|:path=/c|"},
        {"ws://h/c", NULL, NULL, 1, ":scheme=http|:authority=h|:path=/c|"},
        {"https://h:443?", NULL, NULL, 0, ":scheme=https|:authority=h|:path=/|"},
        {"ws://h:443?x", NULL, NULL, 0, ":scheme=http|:authority=h:443|:path=/?x|"},
        {"wss://[::1]/a?b?c", NULL, NULL, 0, ":scheme=https|:authority=[::1]|:path=/a?b?c|"},
        {NULL, "h:1", NULL, 1, ":scheme=https|:authority=h:1|:path=/|"},
        {NULL, "h", "/a?b", 0, ":scheme=http|:authority=h|:path=/a?b|"},
    };
    size_t i;
    (void)state;
    for (i = 0; i < COUNT_OF(list); i++) {
        tenon_request request = request_of(list[i].uri);
        tenon_header out[ROOM];
        size_t count = ROOM;
        char scratch[64], text[512], expected[512];
        request.authority = list[i].authority;
        request.target = list[i].target;
        assert_int_equal(tenon_connect_fields(&request, list[i].secure, out, &count, scratch, sizeof scratch),
                         TENON_OK);
        fields_text(out, count, text, sizeof text);
        (void)snprintf(expected, sizeof expected, ":method=CONNECT|:protocol=websocket|%ssec-websocket-version=13|",
                       list[i].expected);
        assert_string_equal(text, expected);
    }
}

/* covers: 8441-5-06 8441-5-03 */
static void test_request_full(void **state)
{
    static const tenon_header headers[] = {
        {"CookiE", "a=B", 0, 0}, {"X-Emptyxx", "xx", 7, 0}, {"lower", " \tb ", 0, 0},
        {"AZ", " x", 0, 1},      {"K", "1", 0, 0}, {"L", "2", 0, 0}};
    tenon_request request = request_of("ws://h?q");
    tenon_header out[ROOM];
    char scratch[256], text[512];
    size_t count, room;
    (void)state;
    request.origin = "http://o";
    request.subprotocols = offered;
    request.subprotocol_count = 2;
    request.extensions = "foo; x=\"1\", bar";
    request.headers = headers;
    request.header_count = COUNT_OF(headers);
    count = 9 + COUNT_OF(headers);
    assert_int_equal(tenon_connect_fields(&request, 0, out, &count, scratch, sizeof scratch), TENON_OK);
    assert_int_equal(count, 9 + COUNT_OF(headers));
    fields_text(out, count, text, sizeof text);
    assert_string_equal(text, ":method=CONNECT|:protocol=websocket|:scheme=http|:authority=h|:path=/?q|"
                              "sec-websocket-version=13|origin=http://o|sec-websocket-protocol=chat, Soap|"
                              "sec-websocket-extensions=foo; x=\"1\", bar|cookie=a=B|x-empty=xx|lower=b|az=|k=1|l=2|");
    request.subprotocol_count = 1;
    assert_int_equal(tenon_connect_fields(&request, 0, out, &count, scratch, sizeof scratch), TENON_OK);
    fields_text(out, count, text, sizeof text);
    assert_non_null(strstr(text, "|sec-websocket-protocol=chat|"));
    request.subprotocol_count = 2;
    /* Any lack of room is told, and nothing is written beyond it. */
    for (room = 0; room < 9 + COUNT_OF(headers); room++) {
        tenon_header *exact = malloc((room > 0 ? room : 1) * sizeof *exact);
        assert_non_null(exact);
        count = room;
        assert_int_equal(tenon_connect_fields(&request, 0, exact, &count, scratch, sizeof scratch), TENON_ERR_SIZE);
        assert_int_equal(count, room);
        free(exact);
    }
    for (room = 0; room <= 36; room++) {
        char *exact = malloc(room > 0 ? room : 1);
        size_t need = 3 + 10 + 6 + 7 + 5 + 2 + 1 + 1; /* "/?q", the subprotocols, six names */
        assert_non_null(exact);
        count = ROOM;
        assert_int_equal(tenon_connect_fields(&request, 0, out, &count, exact, room),
                         room < need ? TENON_ERR_SIZE : TENON_OK);
        free(exact);
    }
}

/* covers: 9112-11.1-01 6455-4.1-01 8441-5-03 */
static void test_request_errors(void **state)
{
    static const struct {
        const char *uri, *subprotocol, *extensions, *origin, *name, *value;
        int status;
    } list[] = {
        {"ws://h/#f", NULL, NULL, NULL, NULL, NULL, TENON_ERR_URI},
        {"ws://h/\r\n", NULL, NULL, NULL, NULL, NULL, TENON_ERR_URI},
        {NULL, NULL, NULL, NULL, NULL, NULL, TENON_ERR_URI},
        {"ws://h/", "a b", NULL, NULL, NULL, NULL, TENON_ERR_SUBPROTOCOL},
        {"ws://h/", NULL, "a;", NULL, NULL, NULL, TENON_ERR_EXTENSION},
        {"ws://h/", NULL, NULL, "a\nb", NULL, NULL, TENON_ERR_HEADER},
        {"ws://h/", NULL, NULL, NULL, "X", "a\r\nb", TENON_ERR_HEADER},
        {"ws://h/", NULL, NULL, NULL, ":path", "/", TENON_ERR_HEADER},
        {"ws://h/", NULL, NULL, NULL, "connection", "close", TENON_ERR_HEADER},
        {"ws://h/", NULL, NULL, NULL, "Upgrade", "websocket", TENON_ERR_HEADER},
        {"ws://h/", NULL, NULL, NULL, "Host", "h", TENON_ERR_HEADER},
    };
    tenon_request request;
    tenon_header out[ROOM];
    char scratch[256];
    size_t count = ROOM, i;
    (void)state;
    for (i = 0; i < COUNT_OF(list); i++) {
        tenon_header header = {NULL, NULL, 0, 0};
        const char *names[1];
        names[0] = list[i].subprotocol;
        header.name = list[i].name;
        header.value = list[i].value;
        request = request_of(list[i].uri);
        request.subprotocols = names;
        request.subprotocol_count = names[0] != NULL;
        request.extensions = list[i].extensions;
        request.origin = list[i].origin;
        request.headers = &header;
        request.header_count = header.name != NULL;
        assert_int_equal(tenon_connect_fields(&request, 0, out, &count, scratch, sizeof scratch), list[i].status);
        assert_int_equal(count, ROOM);
    }
    request = request_of("ws://h/");
    assert_int_equal(tenon_connect_fields(NULL, 0, out, &count, scratch, 1), TENON_ERR_NULL);
    assert_int_equal(tenon_connect_fields(&request, 0, NULL, &count, scratch, 1), TENON_ERR_NULL);
    assert_int_equal(tenon_connect_fields(&request, 0, out, NULL, scratch, 1), TENON_ERR_NULL);
    assert_int_equal(tenon_connect_fields(&request, 0, out, &count, NULL, 1), TENON_ERR_NULL);
    request.subprotocol_count = 1; /* of none */
    assert_int_equal(tenon_connect_fields(&request, 0, out, &count, scratch, 1), TENON_ERR_NULL);
    request.subprotocol_count = 0;
    request.header_count = 1;
    assert_int_equal(tenon_connect_fields(&request, 0, out, &count, scratch, 1), TENON_ERR_NULL);
    request.header_count = 0;
    assert_int_equal(tenon_connect_fields(&request, 0, out, &count, NULL, 0), TENON_OK);
    request.size--;
    assert_int_equal(tenon_connect_fields(&request, 0, out, &count, scratch, 1), TENON_ERR_SIZE);
}

/* --------------------------------------------------------------- the check */

/* A request as lines "name: value"; a line that begins with ":" is a pseudo-header. */
static size_t read_lines(const char *lines, tenon_header *out)
{
    size_t count = 0;
    while (*lines != '\0') {
        const char *colon = strchr(lines + 1, ':'), *end = strchr(lines, '\n');
        assert_non_null(colon);
        assert_non_null(end);
        assert_true(count < ROOM);
        out[count].name = lines;
        out[count].name_size = (size_t)(colon - lines);
        out[count].value = colon + 2;
        out[count].value_size = (size_t)(end - colon) - 2;
        if (out[count].value_size == 0)
            out[count].value = "";
        count++;
        lines = end + 1;
    }
    return count;
}

static tenon_verdict check(const char *lines, int end_stream)
{
    tenon_header headers[ROOM];
    tenon_fields fields = {NULL, 0, NULL, 0};
    tenon_verdict verdict;
    fields.array = headers;
    fields.count = read_lines(lines, headers);
    memset(&verdict, '#', sizeof verdict);
    verdict.size = sizeof verdict;
    assert_int_equal(tenon_connect_check(&fields, end_stream, &verdict), TENON_OK);
    assert_int_equal(verdict.size, sizeof verdict);
    return verdict;
}

#define METHOD ":method: CONNECT\n"
#define PROTOCOL ":protocol: websocket\n"
#define SCHEME ":scheme: https\n"
#define AUTHORITY ":authority: h\n"
#define PATH ":path: /chat\n"
#define PSEUDO METHOD PROTOCOL SCHEME AUTHORITY PATH
#define VERSION "sec-websocket-version: 13\n"

static void expect(const char *lines, uint16_t status, uint16_t rule)
{
    tenon_verdict verdict = check(lines, 0);
    if (verdict.status != status || verdict.rule != rule)
        print_error("%u, rule %u for:\n%s\n", (unsigned int)verdict.status, (unsigned int)verdict.rule, lines);
    assert_int_equal(verdict.status, status);
    assert_int_equal(verdict.rule, rule);
}

/* covers: 8441-4-02 8441-5-05 8441-5-06 9220-3-02 6455-4.2.1-14 */
static void test_check_good(void **state)
{
    tenon_verdict verdict;
    (void)state;
    expect(PSEUDO VERSION, 200, 0);
    expect(PATH AUTHORITY SCHEME PROTOCOL METHOD VERSION, 200, 0);
    expect(METHOD ":protocol: WebSocket\n:scheme: http\n:authority: [::1]:9000\n:path: /?x\n" VERSION, 200, 0);
    expect(PSEUDO VERSION "sec-websocket-key: nonsense\nsec-websocket-accept: nonsense\n", 200, 0);
    expect(PSEUDO VERSION "sec-websocket-protocol: a, b\nsec-websocket-protocol: c\n", 200, 0);
    expect(PSEUDO VERSION "sec-websocket-extensions: foo; x, bar\n", 200, 0);
    expect(PSEUDO VERSION "x-foo: bar\ncookie: a=\xff\nx-empty: \n", 200, 0);
    expect(PSEUDO VERSION "host: H\n", 200, 0);
    expect(PSEUDO VERSION "te: trailers\n", 200, 0);
    expect(PSEUDO VERSION "content-length: 0\n", 200, 0);
    verdict = check(PSEUDO VERSION "origin: http://o\n", 0);
    assert_int_equal(verdict.status, 200);
    assert_int_equal(verdict.origin.size, 8);
    assert_memory_equal(verdict.origin.data, "http://o", 8);
    assert_null(verdict.key.data);
    assert_null(verdict.subprotocol.data);
    assert_null(verdict.at);
    verdict = check(PSEUDO VERSION, 0);
    assert_null(verdict.origin.data);
}

/* What stands behind a name or a value in the memory of the program is none of it. */
static void test_check_slices(void **state)
{
    static const char text[] = "x-fooBAR\n";
    tenon_header headers[ROOM];
    tenon_fields fields = {NULL, 0, NULL, 0};
    tenon_verdict verdict;
    tenon_header *last;
    (void)state;
    fields.array = headers;
    fields.count = read_lines(PSEUDO VERSION "x: y\n", headers);
    last = &headers[fields.count - 1];
    last->name = text;
    last->name_size = 5;
    last->value = text + 5;
    last->value_size = 3;
    memset(&verdict, 0, sizeof verdict);
    verdict.size = sizeof verdict;
    assert_int_equal(tenon_connect_check(&fields, 0, &verdict), TENON_OK);
    assert_int_equal(verdict.status, 200);
    last->name_size = 6;
    assert_int_equal(tenon_connect_check(&fields, 0, &verdict), TENON_OK);
    assert_int_equal(verdict.rule, TENON_RULE_FIELD_FORBIDDEN);
}

/* covers: 8441-4-03 8441-4-04 */
static void test_check_pseudo(void **state)
{
    (void)state;
    expect(PROTOCOL SCHEME AUTHORITY PATH VERSION, 400, TENON_RULE_PSEUDO);
    expect(METHOD SCHEME AUTHORITY PATH VERSION, 400, TENON_RULE_PSEUDO);
    expect(METHOD PROTOCOL AUTHORITY PATH VERSION, 400, TENON_RULE_PSEUDO);
    expect(METHOD PROTOCOL SCHEME PATH VERSION, 400, TENON_RULE_PSEUDO);
    expect(METHOD PROTOCOL SCHEME AUTHORITY VERSION, 400, TENON_RULE_PSEUDO);
    expect(VERSION, 400, TENON_RULE_PSEUDO);
    expect("", 400, TENON_RULE_PSEUDO);
    expect(PSEUDO METHOD VERSION, 400, TENON_RULE_PSEUDO);
    expect(PSEUDO PROTOCOL VERSION, 400, TENON_RULE_PSEUDO);
    expect(PSEUDO SCHEME VERSION, 400, TENON_RULE_PSEUDO);
    expect(PSEUDO AUTHORITY VERSION, 400, TENON_RULE_PSEUDO);
    expect(PSEUDO PATH VERSION, 400, TENON_RULE_PSEUDO);
    expect(PSEUDO ":status: 200\n" VERSION, 400, TENON_RULE_PSEUDO);
    expect(PSEUDO ":foo: x\n" VERSION, 400, TENON_RULE_PSEUDO);
    expect(":Method: CONNECT\n" PROTOCOL SCHEME AUTHORITY PATH VERSION, 400, TENON_RULE_PSEUDO);
    expect(METHOD PROTOCOL SCHEME AUTHORITY VERSION PATH, 400, TENON_RULE_PSEUDO);
    expect(VERSION PSEUDO, 400, TENON_RULE_PSEUDO);
    expect(":method: GET\n" PROTOCOL SCHEME AUTHORITY PATH VERSION, 400, TENON_RULE_METHOD);
    expect(":method: connect\n" PROTOCOL SCHEME AUTHORITY PATH VERSION, 400, TENON_RULE_METHOD);
    expect(METHOD PROTOCOL ":scheme: ws\n" AUTHORITY PATH VERSION, 400, TENON_RULE_SCHEME);
    expect(METHOD PROTOCOL ":scheme: \n" AUTHORITY PATH VERSION, 400, TENON_RULE_SCHEME);
    expect(METHOD PROTOCOL SCHEME ":authority: u@h\n" PATH VERSION, 400, TENON_RULE_HOST);
    expect(METHOD PROTOCOL SCHEME ":authority: \n" PATH VERSION, 400, TENON_RULE_HOST);
    expect(METHOD PROTOCOL SCHEME AUTHORITY ":path: \n" VERSION, 400, TENON_RULE_TARGET);
    expect(METHOD PROTOCOL SCHEME AUTHORITY ":path: *\n" VERSION, 400, TENON_RULE_TARGET);
    expect(METHOD PROTOCOL SCHEME AUTHORITY ":path: /a b\n" VERSION, 400, TENON_RULE_TARGET);
    expect(METHOD PROTOCOL SCHEME AUTHORITY ":path: http://h/\n" VERSION, 400, TENON_RULE_TARGET);
}

/* covers: 9220-3-03 */
static void test_check_protocol(void **state)
{
    (void)state;
    expect(METHOD ":protocol: foo\n" SCHEME AUTHORITY PATH VERSION, 501, TENON_RULE_PROTOCOL);
    expect(METHOD ":protocol: websocket2\n" SCHEME AUTHORITY PATH, 501, TENON_RULE_PROTOCOL);
    expect(METHOD ":protocol: \n" SCHEME AUTHORITY PATH, 501, TENON_RULE_PROTOCOL);
    expect(METHOD ":protocol: connect-udp\n" ":scheme: masque\n" AUTHORITY PATH, 501, TENON_RULE_PROTOCOL);
}

/* covers: 8441-5-04 9110-5.5-01 9112-5.1-03 */
static void test_check_forbidden(void **state)
{
    (void)state;
    expect(PSEUDO VERSION "connection: upgrade\n", 400, TENON_RULE_FIELD_FORBIDDEN);
    expect(PSEUDO VERSION "upgrade: websocket\n", 400, TENON_RULE_FIELD_FORBIDDEN);
    expect(PSEUDO VERSION "keep-alive: 5\n", 400, TENON_RULE_FIELD_FORBIDDEN);
    expect(PSEUDO VERSION "proxy-connection: x\n", 400, TENON_RULE_FIELD_FORBIDDEN);
    expect(PSEUDO VERSION "transfer-encoding: chunked\n", 400, TENON_RULE_FIELD_FORBIDDEN);
    expect(PSEUDO VERSION "te: gzip\n", 400, TENON_RULE_FIELD_FORBIDDEN);
    expect(PSEUDO "Sec-WebSocket-Version: 13\n", 400, TENON_RULE_FIELD_FORBIDDEN);
    expect(PSEUDO VERSION "x-Foo: y\n", 400, TENON_RULE_FIELD_FORBIDDEN);
    expect(PSEUDO VERSION "A: y\n", 400, TENON_RULE_FIELD_FORBIDDEN);
    expect(PSEUDO VERSION "Z: y\n", 400, TENON_RULE_FIELD_FORBIDDEN);
    expect(PSEUDO VERSION "az: y\n", 200, 0);
    expect(PSEUDO VERSION "TE: trailers\n", 400, TENON_RULE_FIELD_FORBIDDEN);
    expect(PSEUDO VERSION "x foo: y\n", 400, TENON_RULE_FIELD_FORBIDDEN);
    expect(PSEUDO VERSION "x\xc3: y\n", 400, TENON_RULE_FIELD_FORBIDDEN);
    expect(PSEUDO VERSION "x: a\rb\n", 400, TENON_RULE_FIELD_VALUE);
    expect(PSEUDO VERSION "x: a\x01\n", 400, TENON_RULE_FIELD_VALUE);
    {
        tenon_header headers[ROOM];
        tenon_fields fields = {NULL, 0, NULL, 0};
        tenon_verdict verdict;
        fields.array = headers;
        fields.count = read_lines(PSEUDO VERSION, headers);
        headers[fields.count].name = "x";
        headers[fields.count].name_size = 1;
        headers[fields.count].value = "a\0b";
        headers[fields.count].value_size = 3;
        fields.count++;
        verdict.size = sizeof verdict;
        assert_int_equal(tenon_connect_check(&fields, 0, &verdict), TENON_OK);
        assert_int_equal(verdict.rule, TENON_RULE_FIELD_VALUE);
        assert_ptr_equal(verdict.at, headers[fields.count - 1].value);
        headers[fields.count - 1].name = ""; /* a name of nothing */
        headers[fields.count - 1].name_size = 0;
        headers[fields.count - 1].value_size = 1;
        assert_int_equal(tenon_connect_check(&fields, 0, &verdict), TENON_OK);
        assert_int_equal(verdict.rule, TENON_RULE_FIELD_FORBIDDEN);
    }
}

/* covers: 8441-5-06 8441-5-12 6455-4.3-03 6455-9.1-01 */
static void test_check_regular(void **state)
{
    tenon_verdict verdict;
    (void)state;
    expect(PSEUDO, 400, TENON_RULE_VERSION);
    expect(PSEUDO "sec-websocket-version: 8\n", 400, TENON_RULE_VERSION);
    expect(PSEUDO "sec-websocket-version: 013\n", 400, TENON_RULE_VERSION);
    expect(PSEUDO VERSION VERSION, 400, TENON_RULE_VERSION);
    expect(PSEUDO VERSION "host: other\n", 400, TENON_RULE_HOST);
    expect(PSEUDO VERSION "host: h\nhost: h\n", 400, TENON_RULE_HOST);
    expect(PSEUDO VERSION "content-length: 5\n", 400, TENON_RULE_BODY);
    expect(PSEUDO VERSION "sec-websocket-protocol: a b\n", 400, TENON_RULE_SUBPROTOCOL);
    expect(PSEUDO VERSION "sec-websocket-protocol: ,\n", 400, TENON_RULE_SUBPROTOCOL);
    expect(PSEUDO VERSION "sec-websocket-extensions: a;;b\n", 400, TENON_RULE_EXTENSION);
    verdict = check(PSEUDO VERSION, 1);
    assert_int_equal(verdict.status, 400);
    assert_int_equal(verdict.rule, TENON_RULE_EOF);
    verdict = check(METHOD, 1);
    assert_int_equal(verdict.rule, TENON_RULE_PSEUDO);
}

static void test_check_errors(void **state)
{
    tenon_fields fields = {NULL, 0, NULL, 0};
    tenon_request request = request_of("ws://h/");
    tenon_verdict verdict;
    (void)state;
    memset(&verdict, 0, sizeof verdict);
    verdict.size = sizeof verdict - 1;
    assert_int_equal(tenon_connect_check(NULL, 0, &verdict), TENON_ERR_NULL);
    assert_int_equal(tenon_connect_check(&fields, 0, NULL), TENON_ERR_NULL);
    assert_int_equal(tenon_connect_check(&fields, 0, &verdict), TENON_ERR_SIZE);
    assert_int_equal(tenon_connect_answer_check(200, &fields, &request, 0, &verdict), TENON_ERR_SIZE);
    verdict.size = sizeof verdict;
    assert_int_equal(tenon_connect_answer_check(200, NULL, &request, 0, &verdict), TENON_ERR_NULL);
    assert_int_equal(tenon_connect_answer_check(200, &fields, NULL, 0, &verdict), TENON_ERR_NULL);
    assert_int_equal(tenon_connect_answer_check(200, &fields, &request, 0, NULL), TENON_ERR_NULL);
    request.subprotocol_count = 1; /* of none */
    assert_int_equal(tenon_connect_answer_check(200, &fields, &request, 0, &verdict), TENON_ERR_NULL);
    request.subprotocol_count = 0;
    request.header_count = 1;
    assert_int_equal(tenon_connect_answer_check(200, &fields, &request, 0, &verdict), TENON_ERR_NULL);
    request.header_count = 0;
    request.size = 0;
    assert_int_equal(tenon_connect_answer_check(200, &fields, &request, 0, &verdict), TENON_ERR_SIZE);
}

/* What the client's side writes, the server's side takes. */
/* covers: 9220-3-02 */
static void test_both_sides(void **state)
{
    static const tenon_header headers[] = {{"Cookie", "a=B", 0, 0}, {"X-Empty", "", 0, 0}};
    tenon_request request = request_of("wss://h:1/?q");
    tenon_header out[ROOM];
    tenon_fields fields = {NULL, 0, NULL, 0};
    tenon_verdict verdict;
    char scratch[256];
    size_t count = ROOM;
    (void)state;
    request.subprotocols = offered;
    request.subprotocol_count = 2;
    request.extensions = "foo";
    request.origin = "null";
    request.headers = headers;
    request.header_count = 2;
    assert_int_equal(tenon_connect_fields(&request, 0, out, &count, scratch, sizeof scratch), TENON_OK);
    fields.array = out;
    fields.count = count;
    verdict.size = sizeof verdict;
    assert_int_equal(tenon_connect_check(&fields, 0, &verdict), TENON_OK);
    assert_int_equal(verdict.status, 200);
    assert_int_equal(verdict.rule, TENON_RULE_NONE);
}

/* -------------------------------------------------------------- the answer */

/* covers: 8441-5-05 8441-5-06 8441-5-07 6455-4.2.2-05 6455-4.2.2-07 */
static void test_answer(void **state)
{
    static const tenon_header more[] = {{"set-cookie", "A=B", 0, 0}, {"x-empty", " ", 0, 0}};
    static const tenon_header upper[] = {
        {"Set-cookie", "a", 0, 0}, {"set-cookiE", "a", 0, 0}, {"A", "a", 0, 0}, {"Z", "a", 0, 0}};
    static const tenon_header lower = {"az", "a", 0, 0}, cut = {"azA", "a", 2, 0};
    static const tenon_header owned = {"content-length", "0", 0, 0};
    tenon_header headers[ROOM], out[ROOM];
    tenon_fields request = {NULL, 0, NULL, 0};
    tenon_answer answer;
    size_t count = ROOM, room;
    char text[256];
    (void)state;
    request.array = headers;
    request.count = read_lines(PSEUDO VERSION "sec-websocket-protocol: chat, b\nsec-websocket-extensions: foo\n",
                               headers);
    assert_int_equal(tenon_connect_answer(&request, NULL, out, &count), TENON_OK);
    fields_text(out, count, text, sizeof text);
    assert_string_equal(text, ":status=200|");
    memset(&answer, 0, sizeof answer);
    answer.size = sizeof answer;
    answer.subprotocol = "bxx";
    answer.subprotocol_size = 1;
    answer.extensions = "foo; y";
    answer.headers = more;
    answer.header_count = 2;
    for (room = 0; room <= 5; room++) {
        tenon_header *exact = malloc((room > 0 ? room : 1) * sizeof *exact);
        assert_non_null(exact);
        count = room;
        assert_int_equal(tenon_connect_answer(&request, &answer, exact, &count), room < 5 ? TENON_ERR_SIZE : TENON_OK);
        assert_int_equal(count, room);
        if (room == 5)
            fields_text(exact, count, text, sizeof text);
        free(exact);
    }
    assert_string_equal(text, ":status=200|sec-websocket-protocol=b|sec-websocket-extensions=foo; y|"
                              "set-cookie=A=B|x-empty=|");
    count = ROOM;
    answer.header_count = 1;
    for (room = 0; room < COUNT_OF(upper); room++) {
        answer.headers = &upper[room];
        assert_int_equal(tenon_connect_answer(&request, &answer, out, &count), TENON_ERR_HEADER);
    }
    answer.headers = &lower;
    assert_int_equal(tenon_connect_answer(&request, &answer, out, &count), TENON_OK);
    answer.headers = &cut;
    answer.extensions = NULL;
    count = ROOM;
    assert_int_equal(tenon_connect_answer(&request, &answer, out, &count), TENON_OK);
    fields_text(out, count, text, sizeof text);
    assert_string_equal(text, ":status=200|sec-websocket-protocol=b|az=a|");
    answer.extensions = "foo";
    count = ROOM;
    assert_int_equal(tenon_connect_answer(&request, &answer, out, &count), TENON_OK);
    count = ROOM;
    answer.headers = &owned;
    assert_int_equal(tenon_connect_answer(&request, &answer, out, &count), TENON_ERR_HEADER);
    answer.extensions = "bar";
    assert_int_equal(tenon_connect_answer(&request, &answer, out, &count), TENON_ERR_EXTENSION);
    answer.subprotocol_size = 3;
    assert_int_equal(tenon_connect_answer(&request, &answer, out, &count), TENON_ERR_SUBPROTOCOL);
    answer.headers = NULL; /* one of none */
    assert_int_equal(tenon_connect_answer(&request, &answer, out, &count), TENON_ERR_NULL);
    answer.size--;
    assert_int_equal(tenon_connect_answer(&request, &answer, out, &count), TENON_ERR_SIZE);
    assert_int_equal(tenon_connect_answer(NULL, &answer, out, &count), TENON_ERR_NULL);
    assert_int_equal(tenon_connect_answer(&request, &answer, NULL, &count), TENON_ERR_NULL);
    assert_int_equal(tenon_connect_answer(&request, &answer, out, NULL), TENON_ERR_NULL);
    assert_int_equal(count, ROOM);
}

/* covers: 8441-5-05 8441-5-08 6455-4.1-25 6455-4.1-26 6455-4.1-28 */
static void test_answer_check(void **state)
{
    static const struct {
        uint16_t status;
        const char *lines;
        uint32_t flags;
        uint16_t rule;
    } list[] = {
        {200, ":status: 200\n", 0, 0},
        {204, "x: y\n", 0, 0},
        {299, "x: y\n", 0, 0},
        {101, "x: y\n", 0, TENON_RULE_STATUS},
        {199, "x: y\n", 0, TENON_RULE_STATUS},
        {300, "x: y\n", 0, TENON_RULE_STATUS},
        {404, "x: y\n", 0, TENON_RULE_STATUS},
        {501, "x: y\n", 0, TENON_RULE_STATUS},
        {200, "sec-websocket-accept: bogus\n", 0, 0},
        {200, "sec-websocket-protocol: chat\n", TENON_REQUIRE_SUBPROTOCOL, 0},
        {200, "sec-websocket-protocol: Chat\n", 0, TENON_RULE_SUBPROTOCOL},
        {200, "sec-websocket-protocol: chat\nsec-websocket-protocol: chat\n", 0, TENON_RULE_SUBPROTOCOL},
        {200, "x: y\n", TENON_REQUIRE_SUBPROTOCOL, TENON_RULE_SUBPROTOCOL},
        {200, "sec-websocket-extensions: foo; b\n", 0, 0},
        {200, "sec-websocket-extensions: bar\n", 0, TENON_RULE_EXTENSION},
        {200, "sec-websocket-extensions: foo;;\n", 0, TENON_RULE_EXTENSION},
        {200, "sec-websocket-protocol: chat\nsec-websocket-extensions: bar\n", 0, TENON_RULE_EXTENSION},
    };
    size_t i;
    (void)state;
    for (i = 0; i < COUNT_OF(list); i++) {
        tenon_request request = request_of("wss://h/");
        tenon_header headers[ROOM];
        tenon_fields fields = {NULL, 0, NULL, 0};
        tenon_verdict verdict;
        fields.array = headers;
        fields.count = read_lines(list[i].lines, headers);
        request.subprotocols = offered;
        request.subprotocol_count = 2;
        request.extensions = "foo";
        memset(&verdict, '#', sizeof verdict);
        verdict.size = sizeof verdict;
        assert_int_equal(tenon_connect_answer_check(list[i].status, &fields, &request, list[i].flags, &verdict),
                         TENON_OK);
        assert_int_equal(verdict.size, sizeof verdict);
        assert_int_equal(verdict.status, list[i].status);
        assert_int_equal(verdict.rule, list[i].rule);
        if (list[i].rule != 0)
            assert_null(verdict.subprotocol.data);
        else
            assert_null(verdict.at);
        if (strcmp(list[i].lines, "sec-websocket-protocol: chat\n") == 0)
            assert_memory_equal(verdict.subprotocol.data, "chat", 4);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request),        cmocka_unit_test(test_request_full),
        cmocka_unit_test(test_request_errors), cmocka_unit_test(test_check_good),
        cmocka_unit_test(test_check_slices),
        cmocka_unit_test(test_check_pseudo),   cmocka_unit_test(test_check_protocol),
        cmocka_unit_test(test_check_forbidden), cmocka_unit_test(test_check_regular),
        cmocka_unit_test(test_check_errors),   cmocka_unit_test(test_both_sides),
        cmocka_unit_test(test_answer),         cmocka_unit_test(test_answer_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
