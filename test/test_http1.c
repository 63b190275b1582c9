/* SPDX-License-Identifier: MIT */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "field.h"
#include "http1.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

static const tenon_http1_limits usual = {16384, 8192, 100};

typedef struct outcome {
    int status;
    size_t used;
    uint16_t rule;
} outcome;

/* Feeds pieces of the given size, each in memory of its own that ends where it ends. */
static outcome feed(int role, const tenon_http1_limits *limits, const char *text, size_t n, size_t first, size_t piece)
{
    tenon_http1 h;
    outcome o = {TENON_WAIT, 0, 0};
    size_t from = 0;
    tenon_http1_init(&h, role);
    while (from < n && o.status == TENON_WAIT) {
        size_t size = from == 0 ? first : piece, used;
        uint8_t *copy;
        if (size > n - from)
            size = n - from;
        copy = malloc(size > 0 ? size : 1);
        assert_non_null(copy);
        memcpy(copy, text + from, size);
        o.status = tenon_http1_feed(&h, limits, copy, size, &used);
        free(copy);
        assert_true(used <= size);
        if (o.status == TENON_WAIT)
            assert_int_equal(used, size);
        from += used;
        if (size == 0)
            first = piece;
    }
    o.used = from;
    o.rule = h.rule;
    assert_int_equal(h.rule != 0, o.status == TENON_ERR_PROTOCOL);
    return o;
}

static void expect_same(outcome a, outcome b)
{
    assert_int_equal(a.status, b.status);
    assert_int_equal(a.used, b.used);
    assert_int_equal(a.rule, b.rule);
}

/* Whole, octet by octet, and at every cut. */
static outcome feed_all_ways(int role, const tenon_http1_limits *limits, const char *text, size_t n)
{
    outcome whole = feed(role, limits, text, n, n, n);
    size_t cut;
    expect_same(feed(role, limits, text, n, 1, 1), whole);
    for (cut = 0; cut <= n; cut++)
        expect_same(feed(role, limits, text, n, cut, n), whole);
    return whole;
}

static void expect_good(int role, const char *head)
{
    static const char behind[] = "\x81\x05Hello\r\n\r\n";
    char text[1024];
    size_t n = strlen(head);
    outcome o;
    assert_true(n + sizeof behind <= sizeof text);
    memcpy(text, head, n);
    memcpy(text + n, behind, sizeof behind);
    o = feed_all_ways(role, &usual, text, n + sizeof behind);
    if (o.status != TENON_OK || o.used != n)
        print_error("not good: %s\n", head);
    assert_int_equal(o.status, TENON_OK);
    assert_int_equal(o.used, n);
    /* Without its last octet it is only good so far. */
    o = feed_all_ways(role, &usual, text, n - 1);
    assert_int_equal(o.status, TENON_WAIT);
}

/* What is good so far, and what begins with the octet that is not. */
typedef struct broken {
    const char *good;
    const char *bad;
    uint16_t rule;
    uint16_t status;
} broken;

static void expect_broken(int role, const broken *b)
{
    char text[1024];
    size_t good = strlen(b->good), bad = strlen(b->bad);
    outcome o;
    if (bad == 0)
        bad = 1; /* NUL is what is wrong */
    assert_true(good + bad < sizeof text);
    memcpy(text, b->good, good);
    memcpy(text + good, b->bad, bad);
    o = feed_all_ways(role, &usual, text, good + bad);
    if (o.status != TENON_ERR_PROTOCOL || o.rule != b->rule || o.used != good)
        print_error("%d rule %u at %u: %s|%s\n", o.status, (unsigned int)o.rule, (unsigned int)o.used, b->good, b->bad);
    assert_int_equal(o.status, TENON_ERR_PROTOCOL);
    assert_int_equal(o.rule, b->rule);
    assert_int_equal(o.used, good);
    if (b->status != 0)
        assert_int_equal(tenon_http1_status(o.rule), b->status);
}

static void expect_all_broken(int role, const broken *list, size_t count)
{
    size_t i;
    for (i = 0; i < count; i++)
        expect_broken(role, &list[i]);
}

#define GET "GET / HTTP/1.1\r\n"
#define OK101 "HTTP/1.1 101 Switching Protocols\r\n"

/* -------------------------------------------------------------- start line */

/* covers: 9112-2.2-05 */
static void test_request_good(void **state)
{
    (void)state;
    expect_good(TENON_SERVER, GET "\r\n");
    expect_good(TENON_SERVER, "A * HTTP/1.0\r\n\r\n");
    expect_good(TENON_SERVER, GET "Host: h\r\nA:\r\nB: \t \r\nC:x\t y \r\n\r\n");
    expect_good(TENON_SERVER, "\r\n" GET "Host: h\r\n\r\n");
    expect_good(TENON_SERVER, "POST http://h/a?b#c!\"{}~ HTTP/1.0\r\n\r\n");
    expect_good(TENON_SERVER, "!#$%&'*+-.^_`|~09azAZ * HTTP/1.9\r\n\r\n");
}

/* covers: 9112-3-01 9112-3.2-01 9112-2.3-01 9112-2.2-08 9110-15.6.6-01 */
static void test_request_line_broken(void **state)
{
    static const broken list[] = {
        {"GET ", " / HTTP/1.1\r\n\r\n", TENON_RULE_START_LINE, 400},
        {"GET", "\t/ HTTP/1.1\r\n\r\n", TENON_RULE_START_LINE, 400},
        {"GET / HTTP/1.1", " \r\n\r\n", TENON_RULE_START_LINE, 400},
        {"GET / ", " HTTP/1.1\r\n\r\n", TENON_RULE_START_LINE, 400},
        {"GET /a ", "b HTTP/1.1\r\n\r\n", TENON_RULE_START_LINE, 400},
        {"GET /a", "\tb HTTP/1.1\r\n\r\n", TENON_RULE_START_LINE, 400},
        {"GET /", "\r\n\r\n", TENON_RULE_START_LINE, 400},
        {"GET", "\r\n\r\n", TENON_RULE_START_LINE, 400},
        {"GET /\x7e", "\x7f HTTP/1.1\r\n", TENON_RULE_START_LINE, 400},
        {"GET /", "\x80 HTTP/1.1\r\n", TENON_RULE_START_LINE, 400},
        {"GET /", "", TENON_RULE_START_LINE, 400},
        {"GET / ", "http/1.1\r\n\r\n", TENON_RULE_START_LINE, 400},
        {"GET / HTTP/1.1", "0\r\n\r\n", TENON_RULE_START_LINE, 400},
        {"GET / HTTP/1", "1\r\n\r\n", TENON_RULE_START_LINE, 400},
        {"GET / HTTP/1", "\r\n\r\n", TENON_RULE_START_LINE, 400},
        {"GET / HTTP/", ".1\r\n\r\n", TENON_RULE_START_LINE, 400},
        {"GET / HTTP/1.", "a\r\n\r\n", TENON_RULE_START_LINE, 400},
        {"GET / HTTP", " 1.1\r\n\r\n", TENON_RULE_START_LINE, 400},
        {"", " GET / HTTP/1.1\r\n", TENON_RULE_START_LINE, 400},
        {"", "\x16\x03\x01\x02", TENON_RULE_START_LINE, 400},
        {"", "\x81\x85", TENON_RULE_START_LINE, 400},
        {"", "", TENON_RULE_START_LINE, 400},
        {"HTTP", "/1.1 200 OK\r\n", TENON_RULE_START_LINE, 400},
        {"GET / HTTP/2.0", "\r\n\r\n", TENON_RULE_HTTP_VERSION, 505},
        {"GET / HTTP/0.9", "\r\n\r\n", TENON_RULE_HTTP_VERSION, 505},
        {"PRI * HTTP/2.0", "\r\n\r\nSM\r\n\r\n", TENON_RULE_HTTP_VERSION, 505},
        {"GET / HTTP/2.0", "1\r\n\r\n", TENON_RULE_START_LINE, 400},
    };
    (void)state;
    expect_all_broken(TENON_SERVER, list, COUNT_OF(list));
}

/* A method of 32 octets is judged as any other; the 33rd ends it. */
/* covers: 9112-3-02 */
static void test_method_size(void **state)
{
    static const broken longer = {"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345", "6 / HTTP/1.1\r\n\r\n", TENON_RULE_METHOD, 501};
    (void)state;
    assert_int_equal(strlen(longer.good), TENON_METHOD_MAX);
    expect_good(TENON_SERVER, "ABCDEFGHIJKLMNOPQRSTUVWXYZ01234 / HTTP/1.1\r\n\r\n");
    expect_good(TENON_SERVER, "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345 / HTTP/1.1\r\n\r\n");
    expect_broken(TENON_SERVER, &longer);
}

/* One is passed over; any number would be input without end. */
/* covers: 9112-2.2-05 */
static void test_empty_lines(void **state)
{
    static const broken list[] = {
        {"\r\n", "\r\nGET / HTTP/1.1\r\n", TENON_RULE_START_LINE, 400},
        {"\r", "\r\n" GET, TENON_RULE_LINE_END, 400},
        {"\r", GET, TENON_RULE_LINE_END, 400},
        {"", "\n" GET, TENON_RULE_LINE_END, 400},
        {"\r\n", "\n" GET, TENON_RULE_LINE_END, 400},
    };
    static const broken response = {"", "\r\n" OK101, TENON_RULE_START_LINE, 0};
    (void)state;
    expect_all_broken(TENON_SERVER, list, COUNT_OF(list));
    expect_broken(TENON_CLIENT, &response);
}

/* covers: 9112-4-01 9112-4-02 */
static void test_response_good(void **state)
{
    (void)state;
    expect_good(TENON_CLIENT, OK101 "\r\n");
    expect_good(TENON_CLIENT, "HTTP/1.1 101 \r\n\r\n");
    expect_good(TENON_CLIENT, "HTTP/1.1 101\r\n\r\n");
    expect_good(TENON_CLIENT, "HTTP/1.1 101 \t \x80\xff~ Whatever\r\nA: b\r\n\r\n");
    expect_good(TENON_CLIENT, "HTTP/1.0 999 x\r\n\r\n");
    expect_good(TENON_CLIENT, "HTTP/1.1 100 Continue\r\n\r\n");
}

/* covers: 9112-4-01 9112-2.3-01 */
static void test_status_line_broken(void **state)
{
    static const broken list[] = {
        {"HTTP/1.1 ", "0101 x\r\n", TENON_RULE_START_LINE, 0},
        {"HTTP/1.1 ", "099 x\r\n", TENON_RULE_START_LINE, 0},
        {"HTTP/1.1 1", "\r\n", TENON_RULE_START_LINE, 0},
        {"HTTP/1.1 1", ":1 x\r\n", TENON_RULE_START_LINE, 0},
        {"HTTP/1.1 1", "/1 x\r\n", TENON_RULE_START_LINE, 0},
        {"HTTP/1.1 10", " x\r\n", TENON_RULE_START_LINE, 0},
        {"HTTP/1.1 101", "1 x\r\n", TENON_RULE_START_LINE, 0},
        {"HTTP/1.1 101", "\tx\r\n", TENON_RULE_START_LINE, 0},
        {"HTTP/1.1 ", " 101 x\r\n", TENON_RULE_START_LINE, 0},
        {"HTTP/1.1", "\r\n", TENON_RULE_START_LINE, 0},
        {"HTTP/1.1", "\t101 x\r\n", TENON_RULE_START_LINE, 0},
        {"HTTP/1.1 101 a", "\x01\r\n", TENON_RULE_START_LINE, 0},
        {"HTTP/1.1 101 a", "\x7f\r\n", TENON_RULE_START_LINE, 0},
        {"HTTP/1.1 101 a", "", TENON_RULE_START_LINE, 0},
        {"HTTP/1.1 101 a", "\n\r\n", TENON_RULE_LINE_END, 0},
        {"HTTP/1.1 101 a\r", "b\r\n", TENON_RULE_LINE_END, 0},
        {"HTTP/1.1 101", "\n\r\n", TENON_RULE_LINE_END, 0},
        {"HTTP/1.1 101\r", "\r\n", TENON_RULE_LINE_END, 0},
        {"", "http/1.1 101 x\r\n", TENON_RULE_START_LINE, 0},
        {"HTTP/1.1", "1 101 x\r\n", TENON_RULE_START_LINE, 0},
        {"HTTP/2", " 101 x\r\n", TENON_RULE_START_LINE, 0},
        {"HTTP/2.0", " 101 x\r\n", TENON_RULE_HTTP_VERSION, 0},
        {"", "GET / HTTP/1.1\r\n", TENON_RULE_START_LINE, 0},
        {"", "\x81\x05Hello", TENON_RULE_START_LINE, 0},
    };
    (void)state;
    expect_all_broken(TENON_CLIENT, list, COUNT_OF(list));
}

/* ------------------------------------------------------------------ fields */

/* covers: 9112-2.2-02 9112-2.2-03 */
static void test_line_ends(void **state)
{
    static const broken list[] = {
        {"GET / HTTP/1.1", "\nHost: h\n\n", TENON_RULE_LINE_END, 400},
        {GET "Host: h", "\n\r\n", TENON_RULE_LINE_END, 400},
        {GET "Host: h\r\n", "\n", TENON_RULE_LINE_END, 400},
        {GET "Host: h\r\n\r", "X: y\r\n", TENON_RULE_LINE_END, 400},
        {GET "Host: h\r\n\r", "\r\n", TENON_RULE_LINE_END, 400},
        {GET "Host: a\r", "X: y\r\n", TENON_RULE_LINE_END, 400},
        {GET "Host: a\r", "\r\n", TENON_RULE_LINE_END, 400},
        {GET "Ho", "\nst: a\r\n", TENON_RULE_LINE_END, 400},
        {"GET / HTTP/1.1\r", "\r\n", TENON_RULE_LINE_END, 400},
        {"G", "\nET / HTTP/1.1\r", TENON_RULE_LINE_END, 400},
        {"GET /", "\n HTTP/1.1\r", TENON_RULE_LINE_END, 400},
        {"GET / HTTP", "\n/1.1\r", TENON_RULE_LINE_END, 400},
    };
    static const broken response[] = {
        {OK101 "A: b", "\nC: d\r\n", TENON_RULE_LINE_END, 0},
        {OK101 "A: b\r", "C: d\r\n", TENON_RULE_LINE_END, 0},
    };
    (void)state;
    expect_all_broken(TENON_SERVER, list, COUNT_OF(list));
    expect_all_broken(TENON_CLIENT, response, COUNT_OF(response));
}

/* covers: 9112-5.1-01 9112-5.1-02 9112-5.1-03 9112-11.2-01 */
static void test_names_broken(void **state)
{
    static const broken list[] = {
        {GET "Host", " : h\r\n", TENON_RULE_FIELD_NAME, 400},
        {GET "Sec-WebSocket-Key", "\t: x\r\n", TENON_RULE_FIELD_NAME, 400},
        {GET "Transfer-Encoding", " : chunked\r\n", TENON_RULE_FIELD_NAME, 400},
        {GET, ": x\r\n", TENON_RULE_FIELD_NAME, 400},
        {GET "Fo", " o: x\r\n", TENON_RULE_FIELD_NAME, 400},
        {GET "X", "", TENON_RULE_FIELD_NAME, 400},
        {GET, "", TENON_RULE_FIELD_NAME, 400},
        {GET "X", "\xc3: y\r\n", TENON_RULE_FIELD_NAME, 400},
        {GET, "\xc3: y\r\n", TENON_RULE_FIELD_NAME, 400},
        {GET "nocolon", "\r\n", TENON_RULE_FIELD_NAME, 400},
        {GET "A: b\r\nnocolon", "\r\n", TENON_RULE_FIELD_NAME, 400},
    };
    static const broken response[] = {
        {OK101 "Upgrade", " : websocket\r\n", TENON_RULE_FIELD_NAME, 0},
        {OK101, ": websocket\r\n", TENON_RULE_FIELD_NAME, 0},
        {OK101 "nocolon", "\r\n", TENON_RULE_FIELD_NAME, 0},
        {OK101 "A", "\x80: b\r\n", TENON_RULE_FIELD_NAME, 0},
    };
    (void)state;
    expect_all_broken(TENON_SERVER, list, COUNT_OF(list));
    expect_all_broken(TENON_CLIENT, response, COUNT_OF(response));
}

/* covers: 9110-5.6.2-01 9110-5.5-01 9110-5.5-02 9112-2.2-01 */
static void test_every_octet(void **state)
{
    static const char others[] = "!#$%&'*+-.^_`|~";
    unsigned int c;
    (void)state;
    for (c = 0; c < 256; c++) {
        int alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        int tchar = alnum || (c != 0 && strchr(others, (int)c) != NULL);
        int text = c == '\t' || (c >= ' ' && c != 0x7f);
        int role;
        for (role = TENON_SERVER; role <= TENON_CLIENT; role++) {
            const char *start = role == TENON_SERVER ? GET : OK101;
            size_t n = strlen(start);
            char head[128];
            outcome o;
            int m = snprintf(head, sizeof head, "%sA?: b\r\nC: ?d\r\n\r\n", start);
            head[n + 1] = (char)c;
            o = feed(role, &usual, head, (size_t)m, (size_t)m, 1);
            if (tchar || c == ':') {
                assert_int_equal(o.status, TENON_OK);
            } else {
                assert_int_equal(o.rule, c == '\n' ? TENON_RULE_LINE_END : TENON_RULE_FIELD_NAME);
                assert_int_equal(o.used, n + 1);
            }
            head[n + 1] = 'a';
            head[n + 10] = (char)c;
            o = feed(role, &usual, head, (size_t)m, (size_t)m, 1);
            if (text) {
                assert_int_equal(o.status, TENON_OK);
                assert_int_equal(o.used, m);
            } else if (c == '\r') {
                assert_int_equal(o.rule, TENON_RULE_LINE_END);
                assert_int_equal(o.used, n + 11);
            } else {
                assert_int_equal(o.rule, c == '\n' ? TENON_RULE_LINE_END : TENON_RULE_FIELD_VALUE);
                assert_int_equal(o.used, n + 10);
            }
        }
    }
}

/* The octets of method and target, all of them. */
static void test_every_octet_of_request_line(void **state)
{
    unsigned int c;
    (void)state;
    for (c = 0; c < 256; c++) {
        char head[] = "G?T /? HTTP/1.1\r\n\r\n";
        outcome o;
        head[1] = 'E';
        head[5] = (char)c;
        o = feed(TENON_SERVER, &usual, head, sizeof head - 1, 1, 1);
        if (c > ' ' && c < 0x7f)
            assert_int_equal(o.status, TENON_OK);
        else
            assert_int_equal(o.status, TENON_ERR_PROTOCOL);
        head[5] = 'x';
        head[1] = (char)c;
        o = feed(TENON_SERVER, &usual, head, sizeof head - 1, 1, 1);
        assert_int_equal(o.status == TENON_OK, tenon_is_tchar((uint8_t)c));
    }
}

/* A request of which target, name and value are each longer than several words. */
#define LONG_TEXT "abcdefghijklmnopqrstuvwxyz-0123456789"
#define LONG_LINE LONG_TEXT ": " LONG_TEXT "\r\n"
#define LONG_GET "GET /" LONG_TEXT " HTTP/1.1\r\n"

/* Every octet at every place of a run, whole and in pieces: where it stands decides
 * nothing. */
static void test_every_octet_in_runs(void **state)
{
    static const char good[] = LONG_GET LONG_LINE LONG_LINE "\r\n";
    static const size_t from[] = {5, sizeof LONG_GET - 1, sizeof LONG_GET - 1 + sizeof LONG_TEXT + 1};
    size_t where, i;
    unsigned int c;
    (void)state;
    for (where = 0; where < COUNT_OF(from); where++) {
        for (i = from[where]; i < from[where] + sizeof LONG_TEXT - 1; i++) {
            for (c = 0; c < 256; c++) {
                char head[sizeof good];
                size_t n = sizeof good - 1;
                int line_end = c == '\r' || c == '\n';
                int fits = where == 0   ? c > ' ' && c < 0x7f
                           : where == 1 ? c == ':' || tenon_is_tchar((uint8_t)c)
                                        : tenon_is_text((uint8_t)c);
                outcome o;
                memcpy(head, good, sizeof good);
                head[i] = (char)c;
                o = feed(TENON_SERVER, &usual, head, n, n, n);
                expect_same(feed(TENON_SERVER, &usual, head, n, 1, 1), o);
                expect_same(feed(TENON_SERVER, &usual, head, n, i, 9), o);
                if (where == 1 && i == from[1] && c == ':')
                    fits = 0;
                assert_int_equal(o.status, fits ? TENON_OK : TENON_ERR_PROTOCOL);
                if (fits)
                    assert_int_equal(o.used, n);
                else if (!line_end && !(where == 0 && c == ' '))
                    assert_int_equal(o.used, i);
            }
        }
    }
}

/* covers: 9112-2.2-07 9112-5.2-02 */
static void test_fold_request(void **state)
{
    static const broken list[] = {
        {GET, " Host: h\r\n\r\n", TENON_RULE_FOLD, 400},
        {GET, "\tHost: h\r\n\r\n", TENON_RULE_FOLD, 400},
        {GET "X: a\r\n", " b\r\n\r\n", TENON_RULE_FOLD, 400},
        {GET "X: a\r\n", "\tb\r\n\r\n", TENON_RULE_FOLD, 400},
        {GET "X: a\r\n", " \r\n\r\n", TENON_RULE_FOLD, 400},
        {GET "Sec-WebSocket-Key: AAAA\r\n", " BBBB\r\n\r\n", TENON_RULE_FOLD, 400},
    };
    static const broken response[] = {
        {OK101, " A: b\r\n\r\n", TENON_RULE_FOLD, 0},
        {OK101, "\tA: b\r\n\r\n", TENON_RULE_FOLD, 0},
    };
    (void)state;
    expect_all_broken(TENON_SERVER, list, COUNT_OF(list));
    expect_all_broken(TENON_CLIENT, response, COUNT_OF(response));
}

/* covers: 9112-5.2-03 */
static void test_unfold(void **state)
{
    char text[] = OK101 "X-Foo: a\r\n b\r\n\t\tc\r\nY:\r\n \r\nZ: z\r\n\r\n";
    static const char plain[] = OK101 "X-Foo: a   b  \t\tc\r\nY:   \r\nZ: z\r\n\r\n";
    tenon_head head;
    tenon_str value;
    (void)state;
    expect_good(TENON_CLIENT, text);
    tenon_http1_unfold(text, sizeof text - 1);
    assert_string_equal(text, plain);
    tenon_http1_response(text, sizeof text - 1, &head);
    assert_int_equal(tenon_header_find(&head.fields, "x-foo", &value), TENON_OK);
    assert_int_equal(value.size, 10);
    assert_memory_equal(value.data, "a   b  \t\tc", 10);
    assert_int_equal(tenon_header_find(&head.fields, "Y", &value), TENON_OK);
    assert_int_equal(value.size, 0);
    assert_int_equal(tenon_header_find(&head.fields, "Z", &value), TENON_OK);
    /* Texts too short to hold a fold. */
    tenon_http1_unfold(text, 0);
    tenon_http1_unfold(text, 1);
    tenon_http1_unfold(text, 2);
    assert_string_equal(text, plain);
}

/* ------------------------------------------------------------------ limits */

/* Each limit at every place of a run. */
static void test_limits_in_runs(void **state)
{
    static const char head[] = LONG_GET LONG_LINE LONG_LINE LONG_LINE "\r\n";
    uint32_t n = sizeof head - 1, i;
    (void)state;
    for (i = 0; i <= n; i++) {
        tenon_http1_limits limits = {0, 8192, 100};
        outcome o;
        limits.head = i;
        o = feed_all_ways(TENON_SERVER, &limits, head, n);
        assert_int_equal(o.used, i);
        assert_int_equal(o.rule, i < n ? TENON_RULE_HEAD_SIZE : 0);
    }
    for (i = 1; i <= sizeof LONG_TEXT; i++) {
        tenon_http1_limits limits = {16384, 0, 100};
        outcome o;
        limits.target = i;
        o = feed_all_ways(TENON_SERVER, &limits, head, n);
        assert_int_equal(o.used, i < sizeof LONG_TEXT ? 4 + i : n);
        assert_int_equal(o.rule, i < sizeof LONG_TEXT ? TENON_RULE_TARGET_SIZE : 0);
    }
    for (i = 0; i <= 3; i++) {
        tenon_http1_limits limits = {16384, 8192, 0};
        outcome o;
        limits.headers = i;
        o = feed_all_ways(TENON_SERVER, &limits, head, n);
        assert_int_equal(o.used, i < 3 ? sizeof LONG_GET - 1 + i * (sizeof LONG_LINE - 1) : n);
        assert_int_equal(o.rule, i < 3 ? TENON_RULE_HEADERS : 0);
    }
}

static size_t line(char *text, size_t at, const char *add)
{
    size_t n = strlen(add);
    memcpy(text + at, add, n);
    return at + n;
}

/* covers: 9110-5.4-01 9110-5.4-02 */
static void test_head_size(void **state)
{
    static const char heads[2][64] = {GET "Host: h\r\n\r\n", OK101 "A: b\r\n\r\n"};
    int role;
    (void)state;
    for (role = TENON_SERVER; role <= TENON_CLIENT; role++) {
        const char *head = heads[role - 1];
        size_t n = strlen(head), size;
        for (size = 0; size <= n + 1; size++) {
            tenon_http1_limits limits = usual;
            outcome o;
            limits.head = (uint32_t)size;
            o = feed_all_ways(role, &limits, head, n);
            if (size >= n) {
                assert_int_equal(o.status, TENON_OK);
            } else {
                assert_int_equal(o.status, TENON_ERR_PROTOCOL);
                assert_int_equal(o.rule, TENON_RULE_HEAD_SIZE);
                assert_int_equal(o.used, size);
                assert_int_equal(tenon_http1_status(o.rule), 431);
            }
        }
    }
}

/* covers: 9112-3-03 9112-3-04 */
static void test_target_size(void **state)
{
    static char text[20000];
    size_t size, n;
    outcome o;
    (void)state;
    for (size = 8190; size <= 8194; size++) {
        n = line(text, 0, "GET /");
        memset(text + n, 'a', size - 1);
        n = line(text, n + size - 1, " HTTP/1.1\r\n\r\n");
        o = feed(TENON_SERVER, &usual, text, n, n, n);
        expect_same(feed(TENON_SERVER, &usual, text, n, 1, 1), o);
        if (size <= usual.target) {
            assert_int_equal(o.status, TENON_OK);
            assert_int_equal(o.used, n);
        } else {
            assert_int_equal(o.rule, TENON_RULE_TARGET_SIZE);
            assert_int_equal(o.used, 4 + usual.target);
            assert_int_equal(tenon_http1_status(o.rule), 414);
        }
    }
    /* A target that has no end is over its own limit first, and over both at once
     * it is the target that is blamed. */
    memset(text + 5, 'a', sizeof text - 5);
    o = feed(TENON_SERVER, &usual, text, sizeof text, 100, 100);
    assert_int_equal(o.rule, TENON_RULE_TARGET_SIZE);
    {
        tenon_http1_limits limits = {10, 6, 100};
        o = feed_all_ways(TENON_SERVER, &limits, text, 100);
        assert_int_equal(o.rule, TENON_RULE_TARGET_SIZE);
        assert_int_equal(o.used, 10);
        limits.target = 7;
        o = feed_all_ways(TENON_SERVER, &limits, text, 100);
        assert_int_equal(o.rule, TENON_RULE_HEAD_SIZE);
        assert_int_equal(o.used, 10);
    }
}

/* covers: 9110-5.4-01 9110-5.4-02 */
static void test_header_count(void **state)
{
    static char text[200 * 8];
    size_t count;
    int role;
    (void)state;
    for (role = TENON_SERVER; role <= TENON_CLIENT; role++) {
        for (count = 98; count <= 102; count++) {
            size_t n = line(text, 0, role == TENON_SERVER ? GET : OK101), i, last = 0;
            outcome o;
            for (i = 0; i < count; i++) {
                if (i == usual.headers)
                    last = n;
                n = line(text, n, "A: b\r\n");
            }
            n = line(text, n, "\r\n");
            o = feed(role, &usual, text, n, n, n);
            expect_same(feed(role, &usual, text, n, 1, 1), o);
            if (count <= usual.headers) {
                assert_int_equal(o.status, TENON_OK);
            } else {
                assert_int_equal(o.rule, TENON_RULE_HEADERS);
                assert_int_equal(o.used, last);
                assert_int_equal(tenon_http1_status(o.rule), 431);
            }
        }
    }
}

/* Folded lines do not count as fields, but as octets. */
static void test_header_count_folded(void **state)
{
    static const char head[] = OK101 "A: b\r\n c\r\n d\r\nB: c\r\n\r\n";
    tenon_http1_limits limits = {1000, 0, 2};
    (void)state;
    assert_int_equal(feed_all_ways(TENON_CLIENT, &limits, head, sizeof head - 1).status, TENON_OK);
    limits.headers = 1;
    assert_int_equal(feed_all_ways(TENON_CLIENT, &limits, head, sizeof head - 1).rule, TENON_RULE_HEADERS);
    limits.headers = 0;
    assert_int_equal(feed_all_ways(TENON_CLIENT, &limits, head, sizeof head - 1).rule, TENON_RULE_HEADERS);
}

/* Whatever goes on without end is stopped at a limit: no more is taken than that. */
/* covers: 9110-5.4-01 9110-5.4-02 9112-2.2-05 */
static void test_endless(void **state)
{
    static const struct {
        int role;
        const char *start, *again;
        uint16_t rule;
    } list[] = {
        {TENON_SERVER, "", "\r\n", TENON_RULE_START_LINE},
        {TENON_SERVER, "", "A", TENON_RULE_METHOD},
        {TENON_SERVER, "GET /", "a", TENON_RULE_TARGET_SIZE},
        {TENON_SERVER, GET, "a", TENON_RULE_HEAD_SIZE},
        {TENON_SERVER, GET "A:", " ", TENON_RULE_HEAD_SIZE},
        {TENON_SERVER, GET, "A:\r\n", TENON_RULE_HEADERS},
        {TENON_CLIENT, "HTTP/1.1 101 ", " ", TENON_RULE_HEAD_SIZE},
        {TENON_CLIENT, OK101, "A", TENON_RULE_HEAD_SIZE},
        {TENON_CLIENT, OK101 "A: b", "\r\n ", TENON_RULE_HEAD_SIZE},
        {TENON_CLIENT, OK101, "A:\r\n", TENON_RULE_HEADERS},
    };
    size_t i;
    (void)state;
    for (i = 0; i < COUNT_OF(list); i++) {
        tenon_http1 h;
        uint64_t total = 0;
        size_t used = 0;
        int status;
        tenon_http1_init(&h, list[i].role);
        status = tenon_http1_feed(&h, &usual, (const uint8_t *)list[i].start, strlen(list[i].start), &used);
        while (status == TENON_WAIT) {
            total += used;
            assert_true(total <= usual.head);
            status = tenon_http1_feed(&h, &usual, (const uint8_t *)list[i].again, strlen(list[i].again), &used);
        }
        assert_int_equal(status, TENON_ERR_PROTOCOL);
        assert_int_equal(h.rule, list[i].rule);
        /* It stays broken, and takes nothing more. */
        assert_int_equal(tenon_http1_feed(&h, &usual, (const uint8_t *)"a", 1, &used), TENON_ERR_PROTOCOL);
        assert_int_equal(used, 0);
    }
}

/* In the target, every octet that is not allowed is found in every place of a word, whatever
 * the others are; and it does not matter where what was fed before ended. */
static void test_target_words(void **state)
{
    static const char others[] = "/@DHh~!}";
    size_t k, place;
    unsigned c;
    (void)state;
    for (c = 0; c < 256; c++) {
        if (c >= ' ' && c <= '~') /* a space is the end of it */
            continue;
        for (k = 0; others[k] != '\0'; k++) {
            for (place = 0; place < 16; place++) {
                char text[5 + 17 + 1] = "GET /";
                outcome o;
                memset(text + 5, others[k], 17);
                text[5 + place] = (char)c;
                o = feed(TENON_SERVER, &usual, text, 5 + 17, 5, 17);
                assert_int_equal(o.status, TENON_ERR_PROTOCOL);
                assert_int_equal(o.rule, c == '\n' ? TENON_RULE_LINE_END : TENON_RULE_START_LINE);
                assert_int_equal(o.used, 5 + place);
            }
        }
    }
}

/* A line feed ends a field line behind a CR alone, and a CR only together with it. */
static void test_every_octet_before_a_line_feed(void **state)
{
    unsigned c;
    (void)state;
    for (c = 0; c < 256; c++) {
        char text[] = "GET / HTTP/1.1\r\nHost: a?\nName: b\r\n\r\n";
        size_t at = strlen("GET / HTTP/1.1\r\nHost: a");
        outcome o;
        text[at] = (char)c;
        o = feed_all_ways(TENON_SERVER, &usual, text, sizeof text - 1);
        assert_int_equal(o.status, c == '\r' ? TENON_OK : TENON_ERR_PROTOCOL);
        if (c != '\r')
            assert_in_range(o.used, at, at + 1);
        text[at] = '\r';
        text[at + 1] = (char)c;
        o = feed_all_ways(TENON_SERVER, &usual, text, sizeof text - 1);
        assert_int_equal(o.status, c == '\n' ? TENON_OK : TENON_ERR_PROTOCOL);
        if (c != '\n')
            assert_int_equal(o.used, at + 1);
    }
}

/* 10,000 fields, with limits that let them through; then none are lost. */
/* covers: 9110-5.4-01 */
static void test_many_fields(void **state)
{
    enum { FIELDS = 10000 };
    static char text[FIELDS * 16 + 64];
    tenon_http1_limits limits = {sizeof text, 100, FIELDS};
    tenon_head head;
    tenon_header field;
    size_t n = line(text, 0, GET), i, position = 0;
    outcome o;
    (void)state;
    for (i = 0; i < FIELDS; i++)
        n += (size_t)sprintf(text + n, "N%zu: v%zu\r\n", i, i);
    n = line(text, n, "\r\n");
    o = feed(TENON_SERVER, &limits, text, n, n, n);
    expect_same(feed(TENON_SERVER, &limits, text, n, 7, 7), o);
    assert_int_equal(o.status, TENON_OK);
    assert_int_equal(o.used, n);
    tenon_http1_request(text, n, &head);
    for (i = 0; tenon_header_next(&head.fields, &position, &field) == TENON_OK; i++) {
        assert_int_equal(atoi(field.name + 1), i);
        assert_int_equal(atoi(field.value + 1), i);
    }
    assert_int_equal(i, FIELDS);
    limits.headers--;
    assert_int_equal(feed(TENON_SERVER, &limits, text, n, n, n).rule, TENON_RULE_HEADERS);
}

/* ------------------------------------------------------------------ slices */

static void expect_str(tenon_str s, const char *text)
{
    assert_non_null(s.data);
    assert_int_equal(s.size, strlen(text));
    assert_memory_equal(s.data, text, s.size);
}

/* covers: 9112-5-01 9110-5.5-03 9110-5.1-01 */
static void test_request_slices(void **state)
{
    static const char text[] = "\r\nGET /a?b HTTP/1.1\r\nhOsT:h\r\nUpgrade: \t websocket \t\r\nE:\r\nF: \r\n\r\n";
    tenon_head head;
    tenon_header field;
    tenon_str value;
    size_t position = 0;
    (void)state;
    tenon_http1_request(text, sizeof text - 1, &head);
    expect_str(head.method, "GET");
    expect_str(head.target, "/a?b");
    assert_int_equal(head.version, 0x0101);
    assert_null(head.authority.data);
    assert_null(head.origin.data);
    assert_ptr_equal(head.fields.head, strstr(text, "hOsT"));
    assert_int_equal(head.fields.head_size, strlen(head.fields.head) - 2);
    assert_int_equal(tenon_header_find(&head.fields, "Host", &value), TENON_OK);
    expect_str(value, "h");
    assert_int_equal(tenon_header_find(&head.fields, "UPGRADE", &value), TENON_OK);
    expect_str(value, "websocket");
    assert_int_equal(tenon_header_next(&head.fields, &position, &field), TENON_OK);
    assert_int_equal(field.name_size, 4);
    assert_memory_equal(field.name, "hOsT", 4);
    assert_int_equal(tenon_header_next(&head.fields, &position, &field), TENON_OK);
    assert_int_equal(tenon_header_next(&head.fields, &position, &field), TENON_OK);
    assert_string_equal(field.value, "");
    assert_int_equal(tenon_header_next(&head.fields, &position, &field), TENON_OK);
    assert_string_equal(field.value, "");
    assert_int_equal(tenon_header_next(&head.fields, &position, &field), TENON_END);
    assert_int_equal(tenon_header_next(&head.fields, &position, &field), TENON_END);
}

static void test_request_without_fields(void **state)
{
    static const char text[] = "A * HTTP/1.0\r\n\r\n";
    tenon_head head;
    tenon_header field;
    size_t position = 0;
    (void)state;
    tenon_http1_request(text, sizeof text - 1, &head);
    expect_str(head.method, "A");
    expect_str(head.target, "*");
    assert_int_equal(head.version, 0x0100);
    assert_int_equal(head.fields.head_size, 0);
    assert_int_equal(tenon_header_next(&head.fields, &position, &field), TENON_END);
}

/* covers: 6455-4.1-20 9112-4-02 */
static void test_response_slices(void **state)
{
    static const char first[] = "HTTP/1.1 401 Go  away \r\nWWW-Authenticate: Basic\r\n\r\n";
    static const char second[] = "HTTP/1.0 302\r\n\r\n";
    static const char third[] = "HTTP/1.1 999 \r\n\r\n";
    tenon_head head;
    tenon_str value;
    (void)state;
    tenon_http1_response(first, sizeof first - 1, &head);
    assert_int_equal(head.status, 401);
    assert_int_equal(head.fields.head_size, strlen("WWW-Authenticate: Basic\r\n"));
    assert_int_equal(head.version, 0x0101);
    expect_str(head.reason, "Go  away ");
    assert_int_equal(tenon_header_find(&head.fields, "www-authenticate", &value), TENON_OK);
    expect_str(value, "Basic");
    tenon_http1_response(second, sizeof second - 1, &head);
    assert_int_equal(head.status, 302);
    assert_int_equal(head.version, 0x0100);
    assert_null(head.reason.data);
    tenon_http1_response(third, sizeof third - 1, &head);
    assert_int_equal(head.status, 999);
    expect_str(head.reason, "");
}

/* covers: 9112-2.2-01 */
static void test_octets_above_ascii(void **state)
{
    static const char text[] = GET "A: \xc3\xa9\xe2\x80\xa8\xff\x85\r\nB: c\r\n\r\n";
    tenon_head head;
    tenon_str value;
    (void)state;
    expect_good(TENON_SERVER, text);
    tenon_http1_request(text, sizeof text - 1, &head);
    assert_int_equal(tenon_header_find(&head.fields, "A", &value), TENON_OK);
    expect_str(value, "\xc3\xa9\xe2\x80\xa8\xff\x85");
    assert_int_equal(tenon_header_find(&head.fields, "B", &value), TENON_OK);
    expect_str(value, "c");
}

/* Input in front of a page that must not be touched. */
static void test_unmapped_page(void **state)
{
    static const char *const heads[] = {"\r\n" GET "Host: h\r\nA:\r\nB: c \r\n\r\n",
                                        OK101 "A: b\r\n c\r\nUpgrade: websocket\r\n\r\n"};
    size_t page = (size_t)sysconf(_SC_PAGESIZE), i;
    char *map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    (void)state;
    assert_true(map != MAP_FAILED);
    assert_int_equal(mprotect(map + page, page, PROT_NONE), 0);
    for (i = 0; i < 2; i++) {
        int role = i == 0 ? TENON_SERVER : TENON_CLIENT;
        size_t n = strlen(heads[i]), size;
        tenon_head head;
        tenon_header field;
        size_t position = 0, used;
        for (size = 0; size <= n; size++) {
            char *text = map + page - size;
            tenon_http1 h;
            memcpy(text, heads[i], size);
            tenon_http1_init(&h, role);
            assert_int_equal(tenon_http1_feed(&h, &usual, (const uint8_t *)text, size, &used),
                             size < n ? TENON_WAIT : TENON_OK);
            tenon_http1_unfold(text, size);
        }
        if (role == TENON_SERVER)
            tenon_http1_request(map + page - n, n, &head);
        else
            tenon_http1_response(map + page - n, n, &head);
        while (tenon_header_next(&head.fields, &position, &field) == TENON_OK) {
        }
        assert_int_equal(position, head.fields.head_size);
    }
    munmap(map, 2 * page);
}

/* ------------------------------------------------------------------ writer */

static void write_all(tenon_text *text)
{
    static const tenon_header headers[] = {{"A", "b", 0, 0}, {"Cxx", "dyy", 1, 1}, {"E", "", 0, 0}};
    tenon_str value = {"v w", 3};
    tenon_text_string(text, "x");
    tenon_text_put(text, "yz", 1);
    tenon_text_put(text, NULL, 0);
    tenon_text_number(text, 0);
    tenon_text_number(text, 4294967295u);
    tenon_text_field(text, "N", value);
    tenon_text_end(text, headers, 3);
}

static void test_writer(void **state)
{
    static const char expected[] = "xy04294967295N: v w\r\nA: b\r\nC: d\r\nE: \r\n\r\n";
    size_t n = sizeof expected - 1, room;
    (void)state;
    for (room = 0; room <= n + 1; room++) {
        char *out = malloc(room > 0 ? room : 1);
        tenon_text text = {NULL, 0, 0};
        assert_non_null(out);
        text.out = out;
        text.room = room;
        write_all(&text);
        assert_int_equal(text.used, n);
        if (room >= n)
            assert_memory_equal(out, expected, n);
        free(out);
    }
}

/* Whatever was in the fields before, they are the lines of the head. */
static void test_start(void **state)
{
    static const char head[] = "\r\nGET / HTTP/1.1\r\nA: b\r\n\r\n";
    static const tenon_header other;
    tenon_str line;
    tenon_fields fields = {&other, 1, "x", 1};
    (void)state;
    tenon_http1_start(head, sizeof head - 1, &line, &fields);
    assert_ptr_equal(line.data, head + 2);
    assert_int_equal(line.size, 14);
    assert_null(fields.array);
    assert_int_equal(fields.count, 0);
    assert_ptr_equal(fields.head, head + 18);
    assert_int_equal(fields.head_size, 6);
}

/* A string that is NULL is none. */
static void test_writer_nothing(void **state)
{
    char out[8];
    tenon_text text = {NULL, 0, 0};
    tenon_header header = {"A", NULL, 1, 0};
    (void)state;
    text.out = out;
    text.room = sizeof out;
    tenon_text_string(&text, NULL);
    assert_int_equal(text.used, 0);
    assert_int_equal(tenon_text_end(&text, &header, 1), TENON_OK);
    assert_int_equal(text.used, 7);
    assert_memory_equal(out, "A: \r\n\r\n", 7);
}

/* A sum that would come round stays where it does not fit. */
static void test_writer_overflow(void **state)
{
    char out[8];
    tenon_text text = {NULL, 0, 0};
    (void)state;
    text.out = out;
    text.room = sizeof out;
    text.used = SIZE_MAX - 2;
    tenon_text_string(&text, "abcd");
    assert_int_equal(text.used, SIZE_MAX);
    tenon_text_string(&text, "abcd");
    assert_int_equal(text.used, SIZE_MAX);
}

/* The statuses of the rules that a head or a request can break, and 400 for all the rest. */
static void test_statuses(void **state)
{
    unsigned int rule;
    (void)state;
    assert_int_equal(sizeof(tenon_http1) <= 16, 1);
    for (rule = 0; rule < 200; rule++) {
        unsigned int status = 400;
        if (rule == TENON_RULE_HEAD_SIZE || rule == TENON_RULE_HEADERS)
            status = 431;
        else if (rule == TENON_RULE_TARGET_SIZE)
            status = 414;
        else if (rule == TENON_RULE_HTTP_VERSION)
            status = 505;
        else if (rule == TENON_RULE_METHOD || rule == TENON_RULE_TRANSFER_CODING)
            status = 501;
        else if (rule == TENON_RULE_EXPECT)
            status = 417;
        else if (rule == TENON_RULE_UPGRADE)
            status = 426;
        assert_int_equal(tenon_http1_status((uint16_t)rule), status);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_good),
        cmocka_unit_test(test_request_line_broken),
        cmocka_unit_test(test_method_size),
        cmocka_unit_test(test_empty_lines),
        cmocka_unit_test(test_response_good),
        cmocka_unit_test(test_status_line_broken),
        cmocka_unit_test(test_line_ends),
        cmocka_unit_test(test_names_broken),
        cmocka_unit_test(test_every_octet),
        cmocka_unit_test(test_every_octet_of_request_line),
        cmocka_unit_test(test_every_octet_in_runs),
        cmocka_unit_test(test_fold_request),
        cmocka_unit_test(test_unfold),
        cmocka_unit_test(test_limits_in_runs),
        cmocka_unit_test(test_head_size),
        cmocka_unit_test(test_target_size),
        cmocka_unit_test(test_header_count),
        cmocka_unit_test(test_header_count_folded),
        cmocka_unit_test(test_endless),
        cmocka_unit_test(test_target_words),
        cmocka_unit_test(test_every_octet_before_a_line_feed),
        cmocka_unit_test(test_many_fields),
        cmocka_unit_test(test_request_slices),
        cmocka_unit_test(test_request_without_fields),
        cmocka_unit_test(test_response_slices),
        cmocka_unit_test(test_octets_above_ascii),
        cmocka_unit_test(test_unmapped_page),
        cmocka_unit_test(test_writer),
        cmocka_unit_test(test_start),
        cmocka_unit_test(test_writer_nothing),
        cmocka_unit_test(test_writer_overflow),
        cmocka_unit_test(test_statuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
