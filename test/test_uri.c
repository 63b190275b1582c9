/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "uri.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

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

/* Both forms: up to the NUL, and a size without one. */
static int parse(const char *text, tenon_uri *uri, size_t *at)
{
    size_t n = strlen(text), other = SIZE_MAX;
    char *copy = malloc(n > 0 ? n : 1);
    tenon_uri found;
    int status = tenon_uri_parse(text, 0, uri, at);
    assert_non_null(copy);
    memcpy(copy, text, n);
    if (n > 0) {
        assert_int_equal(tenon_uri_parse(copy, n, &found, &other), status);
        assert_int_equal(tenon_uri_parse(copy, n, &found, NULL), status);
        if (status != TENON_OK)
            assert_int_equal(other, *at);
    }
    free(copy);
    return status;
}

/* covers: 6455-3-01 6455-3-02 6455-3-03 6455-3-05 8307-1-01 WHATWG-dom-websocket-01 6455-4.1-08 */
static void test_good(void **state)
{
    static const struct {
        const char *text, *host, *authority, *path, *query;
        uint16_t port;
        uint8_t secure;
    } list[] = {
        {"ws://h/", "h", "h", "/", NULL, 80, 0},
        {"wss://h/", "h", "h", "/", NULL, 443, 1},
        {"WSS://H:8443/a?b", "H", "H:8443", "/a", "b", 8443, 1},
        {"wS://h", "h", "h", "", NULL, 80, 0},
        {"http://h/", "h", "h", "/", NULL, 80, 0},
        {"HttpS://h/", "h", "h", "/", NULL, 443, 1},
        {"ws://h:/", "h", "h", "/", NULL, 80, 0},
        {"ws://h:", "h", "h", "", NULL, 80, 0},
        {"ws://h:80/", "h", "h", "/", NULL, 80, 0},
        {"ws://h:443/", "h", "h:443", "/", NULL, 443, 0},
        {"wss://h:443/", "h", "h", "/", NULL, 443, 1},
        {"wss://h:80", "h", "h:80", "", NULL, 80, 1},
        {"ws://h:1/", "h", "h:1", "/", NULL, 1, 0},
        {"ws://h:65535/", "h", "h:65535", "/", NULL, 65535, 0},
        {"ws://h:00000000080/", "h", "h", "/", NULL, 80, 0},
        {"ws://h:081/", "h", "h:081", "/", NULL, 81, 0},
        {"ws://h?x=1", "h", "h", "", "x=1", 80, 0},
        {"ws://h:81?x=1", "h", "h:81", "", "x=1", 81, 0},
        {"ws://h/a?", "h", "h", "/a", NULL, 80, 0},
        {"ws://h?", "h", "h", "", NULL, 80, 0},
        {"ws://h/a?b?c", "h", "h", "/a", "b?c", 80, 0},
        {"ws://h/a/?/b:@c", "h", "h", "/a/", "/b:@c", 80, 0},
        {"ws://h/%23", "h", "h", "/%23", NULL, 80, 0},
        {"ws://h/a%0d%0ab", "h", "h", "/a%0d%0ab", NULL, 80, 0},
        {"ws://h/.well-known/coap", "h", "h", "/.well-known/coap", NULL, 80, 0},
        {"ws://h/~!\"$'()*+,;<=>[\\]^_`{|}", "h", "h", "/~!\"$'()*+,;<=>[\\]^_`{|}", NULL, 80, 0},
        {"ws://[::1]:9000/x", "::1", "[::1]:9000", "/x", NULL, 9000, 0},
        {"ws://[::1]/", "::1", "[::1]", "/", NULL, 80, 0},
        {"ws://[::1]", "::1", "[::1]", "", NULL, 80, 0},
        {"ws://[::1]:", "::1", "[::1]", "", NULL, 80, 0},
        {"ws://[::FFff:192.0.2.1]?q", "::FFff:192.0.2.1", "[::FFff:192.0.2.1]", "", "q", 80, 0},
        {"ws://192.0.2.1:8080/", "192.0.2.1", "192.0.2.1:8080", "/", NULL, 8080, 0},
        {"ws://aZ09-._~!$&'()*+,;=%2F/", "aZ09-._~!$&'()*+,;=%2F", "aZ09-._~!$&'()*+,;=%2F", "/", NULL, 80, 0},
    };
    size_t i;
    (void)state;
    for (i = 0; i < COUNT_OF(list); i++) {
        tenon_uri uri;
        size_t at = 77;
        if (parse(list[i].text, &uri, &at) != TENON_OK)
            print_error("%s: at %u\n", list[i].text, (unsigned int)at);
        assert_int_equal(parse(list[i].text, &uri, &at), TENON_OK);
        assert_int_equal(at, 77);
        expect_str(uri.host, list[i].host);
        expect_str(uri.authority, list[i].authority);
        expect_str(uri.path, list[i].path);
        expect_str(uri.query, list[i].query);
        assert_int_equal(uri.port, list[i].port);
        assert_int_equal(uri.secure, list[i].secure);
    }
}

/* covers: 6455-3-01 6455-3-02 6455-3-04 6455-3-05 6455-3-06 6455-3-07 6455-4.1-01 WHATWG-dom-websocket-01 */
static void test_broken(void **state)
{
    static const struct {
        const char *text;
        size_t at;
    } list[] = {
        {"", 0},
        {"htp://h/", 0},
        {"ftp://h/", 0},
        {"ws:h", 0},
        {"ws:/h", 0},
        {"ws:h/", 0},
        {"ws:h//h", 0},
        {"ws//h/", 0},
        {"wsss://h/", 0},
        {"//h/p", 0},
        {"h", 0},
        {"ws", 0},
        {"ws:/", 0},
        {" ws://h/", 0},
        {"ws://", 5},
        {"ws:///p", 5},
        {"ws://?q", 5},
        {"ws://:80/", 5},
        {"wss://:443", 6},
        {"ws://h/p#f", 8},
        {"ws://h/#", 7},
        {"ws://h#", 6},
        {"ws://h?q#", 8},
        {"ws://#", 5},
        {"ws://h:0/", 7},
        {"ws://h:000/", 9},
        {"ws://h:0#", 7},
        {"ws://h:0x", 8},
        {"ws://h:0x/", 8},
        {"ws://h:65536/", 11},
        {"ws://h:99999999999999999999/", 11},
        {"ws://h:8x/", 8},
        {"ws://h:-1/", 7},
        {"ws://h:+1/", 7},
        {"ws://h: 80/", 7},
        {"ws://h:80:80/", 9},
        {"ws://u:p@h/", 7},
        {"ws://u@h/", 6},
        {"ws://@h/", 5},
        {"ws://h@/", 6},
        {"ws://[::1", 5},
        {"ws://[::1/", 5},
        {"ws://[]/", 5},
        {"ws://[1]/", 5},
        {"ws://[1:2]/", 5},
        {"ws://[::g]/", 5},
        {"ws://[fe80::1%25eth0]/", 5},
        {"ws://[v1.x]/", 5},
        {"ws://[::1]x/", 10},
        {"ws://::1/", 5},
        {"ws://1::/", 7},
        {"ws://h%/", 6},
        {"ws://h%2/", 6},
        {"ws://h%2g/", 6},
        {"ws://h%g2/", 6},
        {"ws://h%", 6},
        {"ws://h%2", 6},
        {"ws://h\\x/", 6},
        {"ws://h|x/", 6},
        {"ws://h h/", 6},
        {"ws://h\r\nX:y/", 6},
        {"ws://h/a\r\nX: y", 8},
        {"ws://h/a b", 8},
        {"ws://h/a\tb", 8},
        {"ws://h/a\x01", 8},
        {"ws://h/a\x7f", 8},
        {"ws://h/\xc3\xa9", 7},
        {"ws://\xc3\xa9/", 5},
        {"ws://h/?a\x80", 9},
        {"ws://h/ ", 7},
        {"ws://h/\n", 7},
    };
    size_t i;
    (void)state;
    for (i = 0; i < COUNT_OF(list); i++) {
        tenon_uri uri;
        size_t at = SIZE_MAX;
        memset(&uri, '#', sizeof uri);
        if (parse(list[i].text, &uri, &at) != TENON_ERR_URI || at != list[i].at)
            print_error("%s: at %u\n", list[i].text, (unsigned int)at);
        assert_int_equal(parse(list[i].text, &uri, &at), TENON_ERR_URI);
        assert_int_equal(at, list[i].at);
        assert_int_equal(uri.secure, '#');
    }
}

/* Each octet, NUL included, in host, port, path and query. */
/* covers: 6455-3-06 */
static void test_every_octet(void **state)
{
    static const char marks[] = "-._~!$&'()*+,;=";
    unsigned int c;
    (void)state;
    for (c = 0; c < 256; c++) {
        int digit = c >= '0' && c <= '9';
        int name = digit || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
                   || (c != 0 && strchr(marks, (int)c) != NULL);
        char text[] = "ws://a?b:1?2/c?d?e?f";
        tenon_uri uri;
        size_t at = 0, n = sizeof text - 1;
        text[14] = 'x';
        text[10] = '3';
        text[6] = (char)c;
        /* These end the host, and what follows is path or query. */
        if (c == '/' || c == '?' || name || c == ':')
            assert_int_equal(tenon_uri_parse(text, n, &uri, &at), c == ':' ? TENON_ERR_URI : TENON_OK);
        else
            assert_int_equal(tenon_uri_parse(text, n, &uri, &at), TENON_ERR_URI);
        text[6] = 'x';
        text[10] = (char)c;
        assert_int_equal(tenon_uri_parse(text, n, &uri, &at), digit || c == '/' || c == '?' ? TENON_OK : TENON_ERR_URI);
        text[10] = '3';
        text[14] = (char)c;
        assert_int_equal(tenon_uri_parse(text, n, &uri, &at), c > 32 && c < 127 && c != '#' ? TENON_OK : TENON_ERR_URI);
        text[14] = 'x';
        text[18] = (char)c;
        assert_int_equal(tenon_uri_parse(text, n, &uri, &at), c > 32 && c < 127 && c != '#' ? TENON_OK : TENON_ERR_URI);
        if (c <= 32 || c >= 127 || c == '#')
            assert_int_equal(at, 18);
    }
}

/* Each octet within brackets, and as either digit of an encoded one. */
/* covers: 6455-3-05 */
static void test_every_octet_of_host(void **state)
{
    unsigned int c;
    (void)state;
    for (c = 0; c < 256; c++) {
        int hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        char bracket[] = "ws://[::?]/", first[] = "ws://h%?0/", second[] = "ws://h%0?/";
        tenon_uri uri;
        bracket[8] = (char)c;
        first[7] = (char)c;
        second[8] = (char)c;
        if (c != ']')
            assert_int_equal(tenon_uri_parse(bracket, sizeof bracket - 1, &uri, NULL),
                             hex || c == ':' || c == '.' ? TENON_OK : TENON_ERR_URI);
        assert_int_equal(tenon_uri_parse(first, sizeof first - 1, &uri, NULL), hex ? TENON_OK : TENON_ERR_URI);
        assert_int_equal(tenon_uri_parse(second, sizeof second - 1, &uri, NULL), hex ? TENON_OK : TENON_ERR_URI);
    }
}

static void test_null(void **state)
{
    tenon_uri uri;
    (void)state;
    assert_int_equal(tenon_uri_parse(NULL, 0, &uri, NULL), TENON_ERR_NULL);
    assert_int_equal(tenon_uri_parse("ws://h/", 0, NULL, NULL), TENON_ERR_NULL);
}

/* covers: 9112-3.2-03 9112-3.2-04 */
static void test_host(void **state)
{
    static const char *const good[] = {"h",     "h:80",        "h:",        "a,b",  "192.0.2.1:1", "[::1]",
                                       "[::1]:9000", "example.com", "a%20b:65535", "A_b"};
    static const char *const bad[] = {"",      ":",    ":80",  "a b",    "a/b",   "h:port", "h:0",  "h:65536", "u@h",
                                      "u:p@h", "[::1", "::1",  "[::1]x", "h:80 ", "a\r\nb", "h#f",  "h?q",     "h\\",
                                      "a%2",   "a\x80", "[]",  "h:80:80"};
    size_t i;
    (void)state;
    for (i = 0; i < COUNT_OF(good); i++) {
        tenon_str s = {good[i], strlen(good[i])};
        assert_true(tenon_host_valid(s));
    }
    for (i = 0; i < COUNT_OF(bad); i++) {
        tenon_str s = {bad[i], strlen(bad[i])};
        assert_false(tenon_host_valid(s));
    }
    {
        tenon_str s = {"a\0b", 3};
        assert_false(tenon_host_valid(s));
        s.data = NULL;
        s.size = 0;
        assert_false(tenon_host_valid(s));
        assert_false(tenon_target_valid(s));
    }
}

static void test_target(void **state)
{
    static const char *const good[] = {"/", "//", "/a?b?c", "/.well-known/x", "/%00"};
    static const char *const bad[] = {"", "*", "a", "?a", "h:80", "http://h/", "/a#b", "/a b", "/\x7f", "/\x80", "/\r"};
    size_t i;
    (void)state;
    for (i = 0; i < COUNT_OF(good); i++) {
        tenon_str s = {good[i], strlen(good[i])};
        assert_true(tenon_target_valid(s));
    }
    for (i = 0; i < COUNT_OF(bad); i++) {
        tenon_str s = {bad[i], strlen(bad[i])};
        assert_false(tenon_target_valid(s));
    }
}

/* Of an absolute target, what origin-form would be, and the authority; refused, nothing is touched. */
static void test_target_split(void **state)
{
    static const struct {
        const char *target, *path, *authority;
    } list[] = {
        {"/a?b", "/a?b", "old"},
        {"http://h/a?b", "/a?b", "h"},
        {"HTTPS://h:8443/", "/", "h:8443"},
        {"http://h:80", "/", "h"},
        {"http://h?", "/", "h"},
        {"http://h?q", NULL, NULL},
        {"http://h/#", NULL, NULL},
        {"http:", NULL, NULL},
        {"ws://h/", NULL, NULL},
        {"wss://h/", NULL, NULL},
        {"*", NULL, NULL},
        {"h:80", NULL, NULL},
        {"", NULL, NULL},
    };
    size_t i;
    (void)state;
    for (i = 0; i < COUNT_OF(list); i++) {
        tenon_str path = {"old", 3}, authority = {"old", 3}, target = {list[i].target, strlen(list[i].target)};
        const char *expected_path = list[i].path != NULL ? list[i].path : "old";
        const char *expected_authority = list[i].authority != NULL ? list[i].authority : "old";
        assert_int_equal(tenon_target_split(target, &path, &authority), list[i].path != NULL);
        assert_int_equal(path.size, strlen(expected_path));
        assert_memory_equal(path.data, expected_path, path.size);
        assert_int_equal(authority.size, strlen(expected_authority));
        assert_memory_equal(authority.data, expected_authority, authority.size);
    }
}

/* By uri, or by authority and target; never by both. */
/* covers: 6455-4.1-01 */
static void test_place(void **state)
{
    static const struct {
        const char *uri, *authority, *target;
        int status;
    } list[] = {
        {"ws://h/", NULL, NULL, TENON_OK},        {NULL, "h", NULL, TENON_OK},
        {NULL, "h:80", "/a?b", TENON_OK},         {NULL, NULL, NULL, TENON_ERR_URI},
        {NULL, NULL, "/", TENON_ERR_URI},         {"ws://h/", "h", NULL, TENON_ERR_URI},
        {"ws://h/", NULL, "/", TENON_ERR_URI},    {NULL, "", "/", TENON_ERR_URI},
        {NULL, "h", "", TENON_ERR_URI},           {NULL, "h", "a", TENON_ERR_URI},
        {NULL, "h", "/a b", TENON_ERR_URI},       {NULL, "h", "/a\r\nX: y", TENON_ERR_URI},
        {NULL, "h\r\nX: y", "/", TENON_ERR_URI},  {NULL, "u@h", "/", TENON_ERR_URI},
        {"", NULL, NULL, TENON_ERR_URI},          {"ws://h/#", NULL, NULL, TENON_ERR_URI},
        {NULL, "h:0", "/", TENON_ERR_URI},        {NULL, "h", "/a#b", TENON_ERR_URI},
    };
    size_t i;
    (void)state;
    for (i = 0; i < COUNT_OF(list); i++) {
        tenon_request request;
        tenon_place place;
        memset(&request, 0, sizeof request);
        memset(&place, '#', sizeof place);
        request.uri = list[i].uri;
        request.authority = list[i].authority;
        request.target = list[i].target;
        assert_int_equal(tenon_place_parse(&request, 1, &place), list[i].status);
        if (list[i].status == TENON_OK) {
            assert_int_equal(place.secure, list[i].uri == NULL);
            assert_null(place.query.data);
        }
    }
}

/* All parts of it come from the URI, if there is one. */
static void test_place_of_a_uri(void **state)
{
    tenon_request request;
    tenon_place place;
    (void)state;
    memset(&request, 0, sizeof request);
    request.uri = "wss://host:81/path?query";
    assert_int_equal(tenon_place_parse(&request, 0, &place), TENON_OK);
    assert_int_equal(place.secure, 1);
    assert_int_equal(place.authority.size, 7);
    assert_memory_equal(place.authority.data, "host:81", 7);
    assert_int_equal(place.path.size, 5);
    assert_memory_equal(place.path.data, "/path", 5);
    assert_int_equal(place.query.size, 5);
    assert_memory_equal(place.query.data, "query", 5);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good), cmocka_unit_test(test_broken), cmocka_unit_test(test_every_octet),
        cmocka_unit_test(test_every_octet_of_host), cmocka_unit_test(test_null),
        cmocka_unit_test(test_host), cmocka_unit_test(test_target),
        cmocka_unit_test(test_target_split),
        cmocka_unit_test(test_place),
        cmocka_unit_test(test_place_of_a_uri),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
