/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "negotiate.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])
#define PROTOCOL TENON_FIELD_PROTOCOL
#define EXTENSIONS TENON_FIELD_EXTENSIONS

static tenon_fields head_of(const char *text)
{
    tenon_fields fields = {NULL, 0, NULL, 0};
    fields.head = text;
    fields.head_size = strlen(text);
    return fields;
}

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

/* 1 if the slice lies in the text. */
static int lies_in(tenon_str s, const char *text)
{
    size_t i;
    for (i = 0; text[i] != '\0'; i++) {
        if (text + i == s.data)
            return s.size <= strlen(text) - i;
    }
    return 0;
}

/* ------------------------------------------------------------ subprotocols */

/* covers: 6455-4.3-03 6455-4.2.1-13 9110-5.2-01 */
static void test_subprotocols(void **state)
{
    static const struct {
        const char *head;
        const char *names[4];
        int status;
    } list[] = {
        {"X: y\r\n", {NULL}, TENON_END},
        {PROTOCOL ": chat\r\n", {"chat", NULL}, TENON_END},
        {PROTOCOL ": a\r\n" PROTOCOL ": b, c\r\n", {"a", "b", "c"}, TENON_END},
        {"sec-websocket-protocol:,a\t,,b ,\r\nX: y\r\nSEC-WEBSOCKET-PROTOCOL:\r\n", {"a", "b"}, TENON_END},
        {PROTOCOL ": ,\r\n", {NULL}, TENON_ERR_PROTOCOL},
        {PROTOCOL ":\r\n", {NULL}, TENON_ERR_PROTOCOL},
        {PROTOCOL ": a b\r\n", {NULL}, TENON_ERR_PROTOCOL},
        {PROTOCOL ": a, b/c\r\n", {"a"}, TENON_ERR_PROTOCOL},
        {PROTOCOL ": \"a\"\r\n", {NULL}, TENON_ERR_PROTOCOL},
        {PROTOCOL ": a;b\r\n", {NULL}, TENON_ERR_PROTOCOL},
        {PROTOCOL ": \x80\r\n", {NULL}, TENON_ERR_PROTOCOL},
    };
    size_t i, k;
    (void)state;
    for (i = 0; i < COUNT_OF(list); i++) {
        tenon_fields fields = head_of(list[i].head);
        tenon_cursor cursor = {0, 0, {NULL, 0}};
        tenon_str name;
        const char *at = NULL;
        for (k = 0; list[i].names[k] != NULL; k++) {
            assert_int_equal(tenon_subprotocol_next(&fields, &cursor, &name), TENON_OK);
            expect_str(name, list[i].names[k]);
            assert_true(lies_in(name, list[i].head));
        }
        assert_int_equal(tenon_subprotocol_next(&fields, &cursor, &name), list[i].status);
        if (list[i].status == TENON_END) {
            assert_int_equal(tenon_offer_check(&fields, &fields, &at), TENON_RULE_NONE);
        } else {
            assert_int_equal(tenon_offer_check(&fields, &fields, &at), TENON_RULE_SUBPROTOCOL);
            assert_non_null(at);
            assert_true(at >= list[i].head && at < list[i].head + strlen(list[i].head));
        }
    }
}

/* covers: 6455-9.1-01 6455-9.1-06 */
static void test_offer_check(void **state)
{
    static const struct {
        const char *good, *bad;
        uint16_t rule;
    } list[] = {
        {"X: y\r\n", "", TENON_RULE_NONE},
        {EXTENSIONS ": x-webkit-deflate-frame, permessage-deflate\r\n", "", TENON_RULE_NONE},
        {EXTENSIONS ": a, ", "b;;c\r\n", TENON_RULE_EXTENSION},
        {EXTENSIONS ": a\r\n" EXTENSIONS ": ", "b=1\r\n", TENON_RULE_EXTENSION},
        {EXTENSIONS ":", "\r\n", TENON_RULE_EXTENSION},
        {EXTENSIONS ": ", ",\r\n", TENON_RULE_EXTENSION},
        {EXTENSIONS ": b;;c\r\n" PROTOCOL ": ", "a b\r\n", TENON_RULE_SUBPROTOCOL},
    };
    size_t i;
    (void)state;
    for (i = 0; i < COUNT_OF(list); i++) {
        char head[256];
        tenon_fields fields;
        const char *at = head;
        int n = snprintf(head, sizeof head, "%s%s", list[i].good, list[i].bad);
        assert_true(n > 0 && (size_t)n < sizeof head);
        fields = head_of(head);
        assert_int_equal(tenon_offer_check(&fields, &fields, &at), list[i].rule);
        if (list[i].rule == TENON_RULE_NONE)
            assert_null(at);
        else
            assert_ptr_equal(at, head + strlen(list[i].good));
    }
}

/* Our order decides, and the exact case. */
/* covers: 7936-2-01 6455-4.2.2-06 */
static void test_choose(void **state)
{
    static const char *const ours[] = {"chat.v2", "chat", NULL, "Soap", ""};
    static const struct {
        const char *head, *chosen;
    } list[] = {
        {PROTOCOL ": chat, chat.v2\r\n", "chat.v2"},
        {PROTOCOL ": chat\r\n" PROTOCOL ": chat.v2\r\n", "chat.v2"},
        {PROTOCOL ": soap, chat\r\n", "chat"},
        {PROTOCOL ": soap, Chat, chat.v\r\n", NULL},
        {PROTOCOL ": Soap\r\n", "Soap"},
        {PROTOCOL ": ,\r\n", NULL},
        {"X: chat\r\n", NULL},
    };
    size_t i;
    (void)state;
    for (i = 0; i < COUNT_OF(list); i++) {
        tenon_fields fields = head_of(list[i].head);
        tenon_str chosen = {"x", 1};
        assert_int_equal(tenon_subprotocol_choose(&fields, ours, COUNT_OF(ours), &chosen),
                         list[i].chosen != NULL ? TENON_OK : TENON_END);
        expect_str(chosen, list[i].chosen);
        if (list[i].chosen != NULL)
            assert_true(lies_in(chosen, list[i].head));
        chosen.data = ours[0];
        assert_int_equal(tenon_subprotocol_choose(&fields, ours, 0, &chosen), TENON_END);
        expect_str(chosen, NULL);
        assert_int_equal(tenon_subprotocol_choose(&fields, NULL, 0, &chosen), TENON_END);
    }
}

static void test_null(void **state)
{
    tenon_fields fields = {NULL, 0, NULL, 0};
    tenon_cursor cursor = {0, 0, {NULL, 0}};
    tenon_str s;
    (void)state;
    assert_int_equal(tenon_subprotocol_next(NULL, &cursor, &s), TENON_ERR_NULL);
    assert_int_equal(tenon_subprotocol_next(&fields, NULL, &s), TENON_ERR_NULL);
    assert_int_equal(tenon_subprotocol_next(&fields, &cursor, NULL), TENON_ERR_NULL);
    assert_int_equal(tenon_subprotocol_choose(NULL, NULL, 0, &s), TENON_ERR_NULL);
    assert_int_equal(tenon_subprotocol_choose(&fields, NULL, 1, &s), TENON_ERR_NULL);
    assert_int_equal(tenon_subprotocol_choose(&fields, NULL, 0, NULL), TENON_ERR_NULL);
}

/* covers: 6455-10.2-01 6455-4.2.1-12 */
static void test_origin(void **state)
{
    static const char *const allowed[] = {"https://example.com", "http://localhost:8080", NULL, ""};
    static const struct {
        const char *origin;
        int good;
    } list[] = {
        {"https://example.com", 1},   {"HTTPS://Example.COM", 1},    {"http://localhost:8080", 1},
        {"https://example.com/", 0},  {"https://example.co", 0},     {"https://example.com.evil", 0},
        {"http://example.com", 0},    {"null", 0},                   {"http://localhost", 0},
    };
    tenon_str absent = {NULL, 0};
    size_t i;
    (void)state;
    for (i = 0; i < COUNT_OF(list); i++) {
        tenon_str origin = {NULL, 0};
        origin.data = list[i].origin;
        origin.size = strlen(list[i].origin);
        assert_int_equal(tenon_origin_allowed(origin, allowed, COUNT_OF(allowed), 0), list[i].good);
        assert_int_equal(tenon_origin_allowed(origin, allowed, COUNT_OF(allowed), 1), list[i].good);
        assert_int_equal(tenon_origin_allowed(origin, allowed, 0, 1), 0);
        assert_int_equal(tenon_origin_allowed(origin, NULL, 2, 1), 0);
    }
    assert_int_equal(tenon_origin_allowed(absent, allowed, COUNT_OF(allowed), 0), 0);
    assert_int_equal(tenon_origin_allowed(absent, allowed, COUNT_OF(allowed), 7), 1);
    assert_int_equal(tenon_origin_allowed(absent, NULL, 0, 0), 0);
}

/* ----------------------------------------------------------------- headers */

/* covers: 6455-4.1-18 9112-2.2-04 9112-5.2-01 9112-11.1-01 */
static void test_headers(void **state)
{
    static const struct {
        const char *name, *value;
        int good;
    } list[] = {
        {"X", "y", 1},
        {"Cookie", "a=b; c=\"d\"", 1},
        {"X", "", 1},
        {"X", NULL, 1},
        {"X", " \t\x80\xff~ ", 1},
        {"Set-Cookie", "a", 1},
        {"Sec-WebSocke", "a", 1},
        {"Sec-Fetch-Mode", "websocket", 1},
        {"Hosts", "a", 1},
        {"", "y", 0},
        {NULL, "y", 0},
        {"X:", "y", 0},
        {"X ", "y", 0},
        {" X", "y", 0},
        {":path", "/", 0},
        {"X\r\nY", "y", 0},
        {"X\x80", "y", 0},
        {"X", "a\r\nY: b", 0},
        {"X", "a\r\n b", 0},
        {"X", "\r\n a", 0},
        {"X", "a\r", 0},
        {"X", "a\nb", 0},
        {"X", "a\x01", 0},
        {"X", "a\x7f", 0},
        {"Connection", "close", 0},
        {"upgrade", "h2c", 0},
        {"HOST", "h", 0},
        {"Origin", "o", 0},
        {"Content-Length", "0", 0},
        {"transfer-encoding", "chunked", 0},
        {"Sec-WebSocket-Key", "k", 0},
        {"sec-websocket-accept", "k", 0},
        {"SEC-WEBSOCKET-PROTOCOL", "k", 0},
        {"Sec-WebSocket-Extensions", "k", 0},
        {"Sec-WebSocket-Version", "13", 0},
        {"Sec-WebSocket-", "k", 0},
        {"Sec-WebSocket-Anything", "k", 0},
        {"Keep-Alive", "5", 0},
        {"Proxy-Connection", "close", 0},
        {"TE", "trailers", 0},
        {"Trailer", "x", 0},
        {"Expect", "100-continue", 0},
    };
    size_t i;
    (void)state;
    for (i = 0; i < COUNT_OF(list); i++) {
        tenon_header headers[3] = {{"First", "good", 0, 0}, {NULL, NULL, 0, 0}, {"Third", "good", 0, 0}};
        headers[1].name = list[i].name;
        headers[1].value = list[i].value;
        assert_int_equal(tenon_headers_check(headers, 3), list[i].good ? TENON_OK : TENON_ERR_HEADER);
    }
    assert_int_equal(tenon_headers_check(NULL, 0), TENON_OK);
}

/* Sizes of their own: what lies behind does not count, and a NUL inside does. */
/* covers: 9112-11.1-01 9110-5.5-01 */
static void test_headers_sized(void **state)
{
    tenon_header header = {"Name: evil", "value\r\nevil", 4, 5};
    (void)state;
    assert_int_equal(tenon_headers_check(&header, 1), TENON_OK);
    header.name_size = 5;
    assert_int_equal(tenon_headers_check(&header, 1), TENON_ERR_HEADER);
    header.name_size = 4;
    header.value_size = 6;
    assert_int_equal(tenon_headers_check(&header, 1), TENON_ERR_HEADER);
    header.value = "a\0b";
    header.value_size = 3;
    assert_int_equal(tenon_headers_check(&header, 1), TENON_ERR_HEADER);
    header.value_size = 1;
    header.name = "Sec-WebSocket-Key";
    header.name_size = 13;
    assert_int_equal(tenon_headers_check(&header, 1), TENON_OK);
    header.name_size = 14;
    assert_int_equal(tenon_headers_check(&header, 1), TENON_ERR_HEADER);
    header.name = "a\0b";
    header.name_size = 3;
    assert_int_equal(tenon_headers_check(&header, 1), TENON_ERR_HEADER);
}

/* ------------------------------------------------------------------ answer */

/* covers: 6455-4.2.2-05 6455-4.2.2-07 6455-9-01 6455-9.1-08 */
static void test_answer_valid(void **state)
{
    static const char head[] = PROTOCOL ": a, Chat\r\n" EXTENSIONS ": foo; x=1, permessage-deflate\r\n" EXTENSIONS
                                        ": bar, z\r\n";
    static const struct {
        const char *subprotocol;
        size_t subprotocol_size;
        const char *extensions;
        size_t extensions_size;
        int status;
    } list[] = {
        {NULL, 0, NULL, 0, TENON_OK},
        {"a", 0, NULL, 0, TENON_OK},
        {"Chat", 0, NULL, 0, TENON_OK},
        {"Chatter", 4, NULL, 0, TENON_OK},
        {"c", 0, NULL, 0, TENON_ERR_SUBPROTOCOL},
        {"chat", 0, NULL, 0, TENON_ERR_SUBPROTOCOL},
        {"", 0, NULL, 0, TENON_ERR_SUBPROTOCOL},
        {"a, Chat", 0, NULL, 0, TENON_ERR_SUBPROTOCOL},
        {"a\r\nX: y", 0, NULL, 0, TENON_ERR_SUBPROTOCOL},
        {"a\0b", 3, NULL, 0, TENON_ERR_SUBPROTOCOL},
        {NULL, 0, "foo", 0, TENON_OK},
        {NULL, 0, "bar; y=\"2\", foo", 0, TENON_OK},
        {NULL, 0, "permessage-deflatex", 18, TENON_OK},
        {NULL, 0, "foo, bar", 3, TENON_OK},
        {NULL, 0, "foo,z", 0, TENON_OK},
        {NULL, 0, "foo,x", 0, TENON_ERR_EXTENSION},
        {NULL, 0, "Foo", 0, TENON_ERR_EXTENSION},
        {NULL, 0, "foo, baz", 0, TENON_ERR_EXTENSION},
        {NULL, 0, "", 0, TENON_ERR_EXTENSION},
        {NULL, 0, ",foo", 0, TENON_ERR_EXTENSION},
        {NULL, 0, "foo,", 0, TENON_ERR_EXTENSION},
        {NULL, 0, "foo,,bar", 0, TENON_ERR_EXTENSION},
        {NULL, 0, "foo;;", 0, TENON_ERR_EXTENSION},
        {NULL, 0, "foo\r\nX: y", 0, TENON_ERR_EXTENSION},
        {NULL, 0, "foo\0", 4, TENON_ERR_EXTENSION},
    };
    tenon_fields request = head_of(head), bare = head_of("X: y\r\n");
    tenon_header bad = {"X", "\n", 0, 0};
    tenon_str chosen;
    size_t i;
    (void)state;
    for (i = 0; i < COUNT_OF(list); i++) {
        tenon_answer answer;
        memset(&answer, 0, sizeof answer);
        answer.subprotocol = list[i].subprotocol;
        answer.subprotocol_size = list[i].subprotocol_size;
        answer.extensions = list[i].extensions;
        answer.extensions_size = list[i].extensions_size;
        assert_int_equal(tenon_answer_valid(&request, &answer, &chosen), list[i].status);
        if (list[i].status == TENON_OK && list[i].subprotocol != NULL) {
            assert_true(lies_in(chosen, head));
            assert_memory_equal(chosen.data, list[i].subprotocol, chosen.size);
        } else if (list[i].status == TENON_OK) {
            assert_null(chosen.data);
        }
        if (answer.subprotocol != NULL)
            assert_int_equal(tenon_answer_valid(&bare, &answer, &chosen), TENON_ERR_SUBPROTOCOL);
        else if (answer.extensions != NULL)
            assert_int_equal(tenon_answer_valid(&bare, &answer, &chosen), TENON_ERR_EXTENSION);
        answer.headers = &bad;
        answer.header_count = 1;
        if (list[i].status == TENON_OK)
            assert_int_equal(tenon_answer_valid(&request, &answer, &chosen), TENON_ERR_HEADER);
    }
    assert_int_equal(tenon_answer_valid(&request, NULL, &chosen), TENON_OK);
    assert_null(chosen.data);
}

/* ------------------------------------------------------------------- offer */

/* covers: 6455-4.1-15 6455-4.1-16 WHATWG-dom-websocket-02 7936-2-01 */
static void test_offer_valid(void **state)
{
    static const struct {
        const char *names[3];
        int good;
    } list[] = {
        {{"chat", "superchat", "x"}, 1}, {{"a", "A", "b"}, 1},   {{"a", "b", "a"}, 0}, {{"a", "b", "b"}, 0},
        {{"a b", "c", "d"}, 0},          {{"a,b", "c", "d"}, 0}, {{"c", "", "d"}, 0},  {{"a/b", "c", "d"}, 0},
        {{"c", "d", "\x80"}, 0},         {{"c", NULL, "d"}, 0},  {{"c\r\n", "d", "e"}, 0}, {{"c", "d", "\"e\""}, 0},
        {{"!#$%&'*+-.^_`|~09", "b", "c"}, 1},
        {{"ab", "ac", "a"}, 1},          {{"ab", "ac", "ab"}, 0},
    };
    size_t i;
    (void)state;
    for (i = 0; i < COUNT_OF(list); i++) {
        tenon_request request;
        memset(&request, 0, sizeof request);
        request.subprotocols = list[i].names;
        request.subprotocol_count = 3;
        assert_int_equal(tenon_offer_valid(&request), list[i].good ? TENON_OK : TENON_ERR_SUBPROTOCOL);
    }
}

/* covers: 6455-4.1-17 9112-11.1-01 */
static void test_offer_strings(void **state)
{
    static const struct {
        const char *extensions, *origin;
        int status;
    } list[] = {
        {"permessage-deflate; client_max_window_bits", NULL, TENON_OK},
        {"permessage-deflate; a, permessage-deflate", NULL, TENON_OK},
        {"a,b", NULL, TENON_OK},
        {"a,;", NULL, TENON_ERR_EXTENSION},
        {"a, ", NULL, TENON_ERR_EXTENSION},
        {"", NULL, TENON_ERR_EXTENSION},
        {"a,", NULL, TENON_ERR_EXTENSION},
        {"a;", NULL, TENON_ERR_EXTENSION},
        {"a\r\nX: y", NULL, TENON_ERR_EXTENSION},
        {NULL, "https://example.com", TENON_OK},
        {NULL, "null", TENON_OK},
        {NULL, "", TENON_ERR_HEADER},
        {NULL, "a\r\nX: y", TENON_ERR_HEADER},
        {NULL, "a\n", TENON_ERR_HEADER},
    };
    size_t i;
    (void)state;
    for (i = 0; i < COUNT_OF(list); i++) {
        tenon_request request;
        memset(&request, 0, sizeof request);
        request.extensions = list[i].extensions;
        request.origin = list[i].origin;
        assert_int_equal(tenon_offer_valid(&request), list[i].status);
    }
}

/* ------------------------------------------------------------------ choice */

/* covers: 6455-4.1-25 6455-4.1-26 6455-4.1-27 6455-4.1-28 6455-11.3.4-01 6455-11.3.2-01 6455-9.1-02 6455-9.1-08
   WHATWG-websocket-opening-handshake-02 7936-2-01 */
static void test_choice(void **state)
{
    static const struct {
        const char *good, *bad;
        const char *subprotocol;
        uint16_t rule;
        uint16_t strict; /* the rule with TENON_REQUIRE_SUBPROTOCOL */
    } list[] = {
        {"X: y\r\n", "", NULL, 0, TENON_RULE_SUBPROTOCOL},
        {PROTOCOL ": chat\r\n", "", "chat", 0, 0},
        {PROTOCOL ": \tSoap \r\n", "", "Soap", 0, 0},
        {PROTOCOL ": ", "Chat\r\n", NULL, TENON_RULE_SUBPROTOCOL, TENON_RULE_SUBPROTOCOL},
        {PROTOCOL ": ", "superchat\r\n", NULL, TENON_RULE_SUBPROTOCOL, TENON_RULE_SUBPROTOCOL},
        {PROTOCOL ": ", "chat, Soap\r\n", NULL, TENON_RULE_SUBPROTOCOL, TENON_RULE_SUBPROTOCOL},
        {PROTOCOL ": ", "chat,\r\n", NULL, TENON_RULE_SUBPROTOCOL, TENON_RULE_SUBPROTOCOL},
        {PROTOCOL ":", "\r\n", NULL, TENON_RULE_SUBPROTOCOL, TENON_RULE_SUBPROTOCOL},
        {PROTOCOL ": chat\r\n" PROTOCOL ": ", "chat\r\n", NULL, TENON_RULE_SUBPROTOCOL, TENON_RULE_SUBPROTOCOL},
        {PROTOCOL ": chat\r\n" EXTENSIONS ": foo;a=1\r\n", "", "chat", 0, 0},
        {PROTOCOL ": chat\r\n" EXTENSIONS ": foo\r\nX: y\r\n" EXTENSIONS ": bar\r\n", "", "chat", 0, 0},
        {PROTOCOL ": chat\r\n" EXTENSIONS ": ", "baz\r\n", "chat", TENON_RULE_EXTENSION, TENON_RULE_EXTENSION},
        {PROTOCOL ": chat\r\n" EXTENSIONS ": ", "Foo\r\n", "chat", TENON_RULE_EXTENSION, TENON_RULE_EXTENSION},
        {PROTOCOL ": chat\r\n" EXTENSIONS ": foo, ", "foo;\r\n", "chat", TENON_RULE_EXTENSION, TENON_RULE_EXTENSION},
        {PROTOCOL ": chat\r\n" EXTENSIONS ":", "\r\n", "chat", TENON_RULE_EXTENSION, TENON_RULE_EXTENSION},
    };
    static const char *const names[] = {"chat", "Soap"};
    size_t i;
    int strict;
    (void)state;
    for (i = 0; i < COUNT_OF(list); i++) {
        for (strict = 0; strict < 2; strict++) {
            uint16_t rule = strict ? list[i].strict : list[i].rule;
            char head[256];
            tenon_request request;
            tenon_fields fields;
            tenon_str value;
            int n = snprintf(head, sizeof head, "%s%s", list[i].good, list[i].bad);
            assert_true(n > 0 && (size_t)n < sizeof head);
            fields = head_of(head);
            memset(&request, 0, sizeof request);
            request.subprotocols = names;
            request.subprotocol_count = 2;
            request.extensions = "foo; x, bar";
            assert_int_equal(tenon_choice_check(&fields, &request, strict ? TENON_REQUIRE_SUBPROTOCOL : 0,
                                                &value),
                             rule);
            if (rule == TENON_RULE_NONE)
                expect_str(value, list[i].subprotocol);
            else if (list[i].bad[0] != '\0')
                assert_ptr_equal(value.data, head + strlen(list[i].good));
            else
                assert_null(value.data);
        }
    }
}

/* Nothing was offered, so nothing may be chosen. */
/* covers: 6455-4.1-25 6455-4.1-26 */
static void test_choice_of_nothing(void **state)
{
    tenon_fields none = head_of("X: y\r\n"), name = head_of(PROTOCOL ": chat\r\n");
    tenon_fields extension = head_of(EXTENSIONS ": permessage-deflate\r\n");
    tenon_request request;
    tenon_str value;
    (void)state;
    memset(&request, 0, sizeof request);
    assert_int_equal(tenon_choice_check(&none, &request, TENON_REQUIRE_SUBPROTOCOL, &value), 0);
    assert_int_equal(tenon_choice_check(&name, &request, 0, &value), TENON_RULE_SUBPROTOCOL);
    assert_int_equal(tenon_choice_check(&extension, &request, 0, &value), TENON_RULE_EXTENSION);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_subprotocols),  cmocka_unit_test(test_offer_check), cmocka_unit_test(test_choose),
        cmocka_unit_test(test_null),          cmocka_unit_test(test_origin),      cmocka_unit_test(test_headers),
        cmocka_unit_test(test_headers_sized), cmocka_unit_test(test_answer_valid), cmocka_unit_test(test_offer_valid),
        cmocka_unit_test(test_offer_strings), cmocka_unit_test(test_choice),
        cmocka_unit_test(test_choice_of_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
