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

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])
#define EXTENSIONS "Sec-WebSocket-Extensions"

/* A copy in memory that ends where it ends, so that one octet more is seen. */
static tenon_str exact(const char *text, size_t n)
{
    tenon_str s;
    char *copy = malloc(n > 0 ? n : 1);
    assert_non_null(copy);
    if (n > 0)
        memcpy(copy, text, n);
    s.data = copy;
    s.size = n;
    return s;
}

static void release(tenon_str s)
{
    free((void *)(uintptr_t)s.data);
}

static void expect_str(tenon_str s, const char *text)
{
    assert_non_null(s.data);
    assert_int_equal(s.size, strlen(text));
    assert_memory_equal(s.data, text, s.size);
}

/* ------------------------------------------------------------------ octets */

/* covers: 9110-5.6.2-01 */
static void test_every_octet(void **state)
{
    static const char others[] = "!#$%&'*+-.^_`|~", name[] = "AZaz-Sec-WebSocket-Key";
    unsigned int c;
    size_t at;
    (void)state;
    for (c = 0; c < 256; c++) {
        int alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        int tchar = alnum || (c != 0 && strchr(others, (int)c) != NULL);
        int text = c == '\t' || (c >= ' ' && c != 0x7f);
        char word[3] = {'a', 'a', 'a'};
        tenon_str s = {NULL, 3};
        s.data = word;
        assert_int_equal(tenon_is_tchar((uint8_t)c), tchar);
        assert_int_equal(tenon_is_text((uint8_t)c), text);
        word[c % 3] = (char)c;
        assert_int_equal(tenon_is_token(s), tchar);
        assert_int_equal(tenon_is_value(s), text);
        for (at = 0; at < sizeof name - 1; at++) {
            char name_with[sizeof name];
            memcpy(name_with, name, sizeof name);
            name_with[at] = (char)c;
            assert_int_equal(tenon_token_size(name_with, sizeof name - 1), tchar ? sizeof name - 1 : at);
        }
    }
    assert_int_equal(tenon_is_token(tenon_string("", 0)), 0);
    assert_int_equal(tenon_is_value(tenon_string("", 0)), 1);
    assert_int_equal(tenon_is_token(tenon_string(NULL, 0)), 0);
}

/* Many octets of a token are looked at together: each is judged as if it stood alone,
 * whatever stands around it, and none behind the end or in front. */
static void test_long_tokens(void **state)
{
    char text[64];
    size_t n, at;
    int fill, c;
    (void)state;
    for (fill = 0; fill < 256; fill++) {
        memset(text, fill, sizeof text);
        if (!tenon_is_tchar((uint8_t)fill)) {
            assert_int_equal(tenon_token_size(text, sizeof text), 0);
            continue;
        }
        for (n = 0; n <= 24; n++)
            assert_int_equal(tenon_token_size(text + 24, n), n);
        for (at = 0; at < 17; at++) {
            for (c = 0; c < 256; c++) {
                text[24 + at] = (char)c;
                if (tenon_token_size(text + 24, 17) != (tenon_is_tchar((uint8_t)c) ? 17 : at))
                    fail_msg("octet %d at %d between %d", c, (int)at, fill);
            }
            text[24 + at] = (char)fill;
        }
    }
}

/* Only ASCII letters have a case: not what lies 32 octets apart elsewhere. */
static void test_compare(void **state)
{
    unsigned int a, b;
    (void)state;
    for (a = 0; a < 256; a++) {
        for (b = 0; b < 256; b++) {
            char x = (char)a, y = (char)b;
            tenon_str s = {NULL, 1}, t = {NULL, 1};
            int alike = a == b || (a >= 'A' && a <= 'Z' && b == a + 32) || (b >= 'A' && b <= 'Z' && a == b + 32);
            s.data = &x;
            t.data = &y;
            assert_int_equal(tenon_alike(s, t), alike);
            assert_int_equal(tenon_same(s, t), a == b);
        }
    }
    assert_true(tenon_is(tenon_string("WebSocket", 0), "websocket"));
    assert_false(tenon_is(tenon_string("websocket", 8), "websocket"));
    assert_false(tenon_is(tenon_string("websocketx", 0), "websocket"));
    assert_true(tenon_is_one_of(tenon_string("b", 0), "a\0B\0"));
    assert_false(tenon_is_one_of(tenon_string("", 0), "a\0B\0"));
    assert_false(tenon_is_one_of(tenon_string("a\0B", 3), "a\0B\0"));
    assert_true(tenon_same(tenon_string(NULL, 0), tenon_string("", 0)));
}

/* ----------------------------------------------------------------- walking */

/* covers: 9112-5-01 9110-5.5-03 9110-5.1-01 */
static void test_header_forms(void **state)
{
    static const char head[] = "hOsT:h\r\nA: \t b c \t\r\nE:\r\nF: \t\r\nA:2\r\n";
    static const tenon_header array[] = {
        {"hOsT", "h", 0, 0}, {"Axx", " \t b c \txx", 1, 8}, {"E", "", 0, 0}, {"F", " \t", 0, 2}, {"A", "2", 0, 1}};
    tenon_fields forms[2] = {{NULL, 0, NULL, 0}, {NULL, 0, NULL, 0}};
    tenon_str copy = exact(head, sizeof head - 1), value;
    int i;
    (void)state;
    forms[0].array = array;
    forms[0].count = COUNT_OF(array);
    forms[1].head = copy.data;
    forms[1].head_size = copy.size;
    for (i = 0; i < 2; i++) {
        static const char *const expected[][2] = {{"hOsT", "h"}, {"A", "b c"}, {"E", ""}, {"F", ""}, {"A", "2"}};
        tenon_header field;
        size_t position = 0, k;
        for (k = 0; k < COUNT_OF(expected); k++) {
            assert_int_equal(tenon_header_next(&forms[i], &position, &field), TENON_OK);
            assert_int_equal(field.name_size, strlen(expected[k][0]));
            assert_memory_equal(field.name, expected[k][0], field.name_size);
            assert_int_equal(field.value_size, strlen(expected[k][1]));
            assert_memory_equal(field.value, expected[k][1], field.value_size);
            /* A field that came out goes in again, also an empty one. */
            expect_str(tenon_string(field.value, field.value_size), expected[k][1]);
        }
        assert_int_equal(tenon_header_next(&forms[i], &position, &field), TENON_END);
        assert_int_equal(tenon_header_next(&forms[i], &position, &field), TENON_END);
        assert_int_equal(tenon_header_find(&forms[i], "a", &value), TENON_OK);
        expect_str(value, "b c");
        assert_int_equal(tenon_header_find(&forms[i], "e", &value), TENON_OK);
        expect_str(value, "");
        assert_int_equal(tenon_header_find(&forms[i], "Ho", &value), TENON_END);
        assert_null(value.data);
        assert_int_equal(value.size, 0);
        assert_int_equal(tenon_field_count(&forms[i], "zz", &value), 0);
        assert_null(value.data);
        assert_int_equal(value.size, 0);
        assert_int_equal(tenon_field_count(&forms[i], "HOST", &value), 1);
        expect_str(value, "h");
        assert_int_equal(tenon_field_count(&forms[i], "E", &value), 1);
        expect_str(value, "");
        if (i == 1) /* in its place */
            assert_ptr_equal(value.data, copy.data + strlen("hOsT:h\r\nA: \t b c \t\r\nE:"));
        assert_int_equal(tenon_field_count(&forms[i], "A", &value), 2);
        expect_str(value, "2");
    }
    release(copy);
}

static void test_null(void **state)
{
    tenon_fields none = {NULL, 0, NULL, 0};
    tenon_fields lying = {NULL, 3, NULL, 0};
    tenon_header holes[2] = {{NULL, NULL, 0, 0}, {"A", NULL, 0, 0}};
    tenon_fields holed = {NULL, 2, NULL, 0};
    tenon_extension extension = {{NULL, 0}, {NULL, 0}};
    tenon_cursor cursor = {0, 0, {NULL, 0}};
    tenon_header field;
    tenon_str a, b;
    size_t position = 0;
    (void)state;
    assert_int_equal(tenon_header_next(NULL, &position, &field), TENON_ERR_NULL);
    assert_int_equal(tenon_header_next(&none, NULL, &field), TENON_ERR_NULL);
    assert_int_equal(tenon_header_next(&none, &position, NULL), TENON_ERR_NULL);
    assert_int_equal(tenon_header_find(NULL, "a", &a), TENON_ERR_NULL);
    assert_int_equal(tenon_header_find(&none, NULL, &a), TENON_ERR_NULL);
    assert_int_equal(tenon_header_find(&none, "a", NULL), TENON_ERR_NULL);
    assert_int_equal(tenon_extension_next(NULL, &cursor, &extension), TENON_ERR_NULL);
    assert_int_equal(tenon_extension_next(&none, NULL, &extension), TENON_ERR_NULL);
    assert_int_equal(tenon_extension_next(&none, &cursor, NULL), TENON_ERR_NULL);
    assert_int_equal(tenon_parameter_next(NULL, &position, &a, &b), TENON_ERR_NULL);
    assert_int_equal(tenon_parameter_next(&extension, NULL, &a, &b), TENON_ERR_NULL);
    assert_int_equal(tenon_parameter_next(&extension, &position, NULL, &b), TENON_ERR_NULL);
    assert_int_equal(tenon_parameter_next(&extension, &position, &a, NULL), TENON_ERR_NULL);
    assert_int_equal(tenon_parameter_next(&extension, &position, &a, &b), TENON_END);
    assert_int_equal(tenon_header_next(&none, &position, &field), TENON_END);
    assert_int_equal(tenon_header_next(&lying, &position, &field), TENON_END);
    assert_int_equal(tenon_header_find(&none, "a", &a), TENON_END);
    assert_int_equal(tenon_extension_next(&none, &cursor, &extension), TENON_END);
    holed.array = holes;
    assert_int_equal(tenon_header_find(&holed, "a", &a), TENON_OK);
    expect_str(a, "");
    position = 0;
    assert_int_equal(tenon_header_next(&holed, &position, &field), TENON_OK);
    assert_string_equal(field.name, "");
    assert_string_equal(field.value, "");
}

static void test_field_count(void **state)
{
    static const char head[] = "A: 1\r\nB: 2\r\na: 3\r\nA: 4\r\n";
    static const char torn[] = "A: 1\r\nno colon\r\nA: 3\r\n";
    tenon_fields fields = {NULL, 0, head, sizeof head - 1};
    tenon_str value;
    (void)state;
    assert_int_equal(tenon_field_count(&fields, "A", &value), 2);
    expect_str(value, "3");
    fields.head = torn; /* the walk ends where no field is */
    fields.head_size = sizeof torn - 1;
    assert_int_equal(tenon_field_count(&fields, "A", &value), 1);
    expect_str(value, "1");
    assert_int_equal(tenon_field_count(&fields, "no colon", &value), 0);
}

/* Heads that no tokenizer has seen do no harm: all strings of four octets. */
static void test_head_of_anything(void **state)
{
    static const char octets[] = {'A', ':', '\r', '\n', ' ', ','};
    size_t n, k;
    (void)state;
    for (n = 0; n < 6 * 6 * 6 * 6; n++) {
        tenon_fields fields = {NULL, 0, NULL, 0};
        tenon_cursor cursor = {0, 0, {NULL, 0}};
        tenon_header field;
        tenon_str copy, element;
        char text[4];
        size_t rest = n, position = 0;
        for (k = 0; k < 4; k++) {
            text[k] = octets[rest % 6];
            rest /= 6;
        }
        copy = exact(text, 4);
        fields.head = copy.data;
        fields.head_size = 4;
        for (k = 0; tenon_header_next(&fields, &position, &field) == TENON_OK; k++) {
            assert_true(k < 4);
            assert_true(position <= 4);
        }
        for (k = 0; tenon_list_next(&fields, "A", &cursor, &element) == TENON_OK; k++)
            assert_true(k < 4);
        release(copy);
    }
}

/* ------------------------------------------------------------------- lists */

/* The elements joined by |, or ! where the list is broken. */
static void list_text(const tenon_fields *fields, char *out)
{
    tenon_cursor cursor = {0, 0, {NULL, 0}};
    tenon_str element;
    size_t n = 0, count = 0;
    int status;
    while ((status = tenon_list_next(fields, "L", &cursor, &element)) == TENON_OK) {
        memcpy(out + n, element.data, element.size);
        n += element.size;
        out[n++] = '|';
        assert_int_equal(cursor.count, ++count);
    }
    if (status != TENON_END) {
        out[n++] = '!';
    } else {
        assert_null(element.data);
        assert_int_equal(element.size, 0);
    }
    out[n] = '\0';
    assert_int_equal(tenon_list_next(fields, "L", &cursor, &element), status); /* the end stays the end */
}

/* covers: 9110-5.6.1.2-01 9110-5.2-01 */
static void test_lists(void **state)
{
    static const struct {
        const char *head, *expected;
    } list[] = {
        {"", ""},
        {"X: a\r\n", ""},
        {"L: a\r\n", "a|"},
        {"L:a,b\r\n", "a|b|"},
        {"L: a\t , \tb c ,d\r\n", "a|b c|d|"},
        {"L: ,a,\r\n", "a|"},
        {"L: , ,,\t,a , ,\t,b,,\r\n", "a|b|"},
        {"L: a\r\nX: x\r\nl: b, c\r\n", "a|b|c|"},
        {"L: a\r\nX: x\r\n", "a|"},
        {"L: ,\r\nX: x\r\nl: c\r\nL:\r\n", "c|"},
        {"L:\r\n", "!"},
        {"L: \t\r\n", "!"},
        {"L: ,\r\n", "!"},
        {"L: ,\t, ,\r\nL:,\r\n", "!"},
        {"X: a\r\nL: \"a,b\"\r\n", "\"a|b\"|"},
    };
    char text[128];
    size_t i;
    (void)state;
    for (i = 0; i < COUNT_OF(list); i++) {
        tenon_str copy = exact(list[i].head, strlen(list[i].head));
        tenon_fields fields = {NULL, 0, NULL, 0};
        fields.head = copy.data;
        fields.head_size = copy.size;
        list_text(&fields, text);
        assert_string_equal(text, list[i].expected);
        release(copy);
    }
}

/* covers: 9110-7.6.1-01 */
static void test_list_has(void **state)
{
    static const struct {
        const char *value;
        int has;
    } list[] = {{"upgrade", 1},           {"keep-alive, UPGRADE", 1}, {",Upgrade,", 1},  {"upgrade;x", 0},
                {"close-upgrade", 0},     {"upgrades", 0},            {"", 0},           {"up grade", 0},
                {"\"upgrade\"", 0},       {"upgrad", 0},              {"a,b,\tupgrade \t", 1}, {"upgrade x", 0}};
    size_t i;
    (void)state;
    for (i = 0; i < COUNT_OF(list); i++) {
        tenon_header header = {"Connection", NULL, 0, 0};
        tenon_fields fields = {NULL, 1, NULL, 0};
        header.value = list[i].value;
        fields.array = &header;
        assert_int_equal(tenon_list_has(&fields, "connection", "upgrade"), list[i].has);
    }
}

/* A million commas, blanks and elements, in one line or many: a walk that went
 * back over what it has seen would not end. */
/* covers: 6455-9.1-07 9110-5.6.1.2-01 */
static void test_lists_linear(void **state)
{
    enum { SIZE = 1 << 20 };
    static char text[SIZE + 1];
    static const char *const patterns[] = {",", ", ", " ", "a,", "a ,\t"};
    size_t p, i;
    (void)state;
    for (p = 0; p < COUNT_OF(patterns); p++) {
        tenon_header header = {EXTENSIONS, text, 0, 0};
        tenon_fields fields = {NULL, 1, NULL, 0};
        tenon_cursor cursor = {0, 0, {NULL, 0}};
        tenon_extension extension;
        size_t size = strlen(patterns[p]), count = 0;
        fields.array = &header;
        for (i = 0; i < SIZE; i++)
            text[i] = patterns[p][i % size];
        text[SIZE] = '\0';
        while (tenon_extension_next(&fields, &cursor, &extension) == TENON_OK)
            count++;
        assert_int_equal(count, patterns[p][0] == 'a' ? SIZE / size : 0);
    }
    for (i = 0; i < SIZE / 4; i++)
        memcpy(text + 4 * i, "L:a\n", 4);
    {
        tenon_fields fields = {NULL, 0, NULL, SIZE};
        tenon_cursor cursor = {0, 0, {NULL, 0}};
        tenon_str element;
        fields.head = text;
        for (i = 0; tenon_list_next(&fields, "L", &cursor, &element) == TENON_OK; i++)
            expect_str(element, "a");
        assert_int_equal(i, SIZE / 4);
    }
}

/* covers: 9110-8.6-02 */
static void test_no_content(void **state)
{
    static const struct {
        const char *value;
        int good;
    } list[] = {{"0", 1},  {" 0 ", 1}, {"00000000000000000000000000", 1}, {"", 0},   {"1", 0},
                {"-0", 0}, {"+0", 0},  {"0x0", 0},                         {"0 0", 0}, {"0, 0", 0},
                {"a", 0},  {"01", 0},  {"18446744073709551616", 0},        {"4294967296", 0}};
    tenon_header headers[2] = {{"Content-Length", "0", 0, 0}, {"content-length", NULL, 0, 0}};
    tenon_fields fields = {NULL, 2, NULL, 0};
    const char *at = NULL;
    size_t i;
    (void)state;
    fields.array = headers;
    for (i = 0; i < COUNT_OF(list); i++) {
        size_t k;
        for (k = 0; k < 2; k++) { /* in either of two lines */
            tenon_str copy = exact(list[i].value, strlen(list[i].value));
            headers[1 - k].value = "0";
            headers[1 - k].value_size = 0;
            headers[k].value = copy.size > 0 ? copy.data : "";
            headers[k].value_size = copy.size;
            assert_int_equal(tenon_no_content(&fields, &at), list[i].good);
            if (!list[i].good)
                assert_ptr_equal(at, headers[k].value);
            release(copy);
        }
    }
    fields.count = 0;
    assert_int_equal(tenon_no_content(&fields, &at), 1);
}

/* -------------------------------------------------------------- extensions */

static size_t copy_str(char *out, tenon_str s)
{
    memcpy(out, s.data, s.size);
    return s.size;
}

/* The elements as name[;name[=value]]..., joined by |, or ! where one is broken.
 * Backslashes are dropped, as the header file says. */
static void extensions_text(const tenon_fields *fields, char *out)
{
    tenon_cursor cursor = {0, 0, {NULL, 0}};
    tenon_extension extension;
    tenon_str name, value;
    size_t n = 0, i;
    int status;
    while ((status = tenon_extension_next(fields, &cursor, &extension)) == TENON_OK) {
        size_t position = 0;
        n += copy_str(out + n, extension.name);
        while (tenon_parameter_next(&extension, &position, &name, &value) == TENON_OK) {
            out[n++] = ';';
            n += copy_str(out + n, name);
            if (value.data != NULL)
                out[n++] = '=';
            for (i = 0; i < value.size; i++) {
                if (value.data[i] != '\\')
                    out[n++] = value.data[i];
            }
        }
        assert_int_equal(tenon_parameter_next(&extension, &position, &name, &value), TENON_END);
        out[n++] = '|';
    }
    if (status != TENON_END)
        out[n++] = '!';
    out[n] = '\0';
}

/* covers: 6455-4.3-01 6455-4.3-02 6455-9.1-01 6455-9.1-07 9110-5.6.4-01 9110-5.6.6-01 */
static void test_extensions(void **state)
{
    static const struct {
        const char *value, *expected;
    } list[] = {
        {"a", "a|"},
        {"a;b=1;c=\"2\" , d", "a;b=1;c=2|d|"},
        {"permessage-deflate; client_max_window_bits", "permessage-deflate;client_max_window_bits|"},
        {"permessage-deflate; server_max_window_bits = 10", "permessage-deflate;server_max_window_bits=10|"},
        {"a \t;\t b\t=\t\"c\" \t; d ,", "a;b=c;d|"},
        {", permessage-deflate,,", "permessage-deflate|"},
        {"p;x=\"10\"", "p;x=10|"},
        {"p;x=\"1\\0\"", "p;x=10|"},
        {"p;x=\"\\1\\0\"", "p;x=10|"},
        {"a;b;b;b=1", "a;b;b;b=1|"},
        {"p; x, p; y, p", "p;x|p;y|p|"},
        {"a;;b", "!"},
        {";a", "!"},
        {"a=1", "!"},
        {"a;=1", "!"},
        {"a;b=", "!"},
        {"a b", "!"},
        {"a;b c", "!"},
        {"a;b=c d", "!"},
        {"a;b=c=d", "!"},
        {"a;b==c", "!"},
        {"a;", "!"},
        {"a; ", "!"},
        {"a;b;", "!"},
        {"a;b;,c", "!"},
        {"p;x=\"\"", "!"},
        {"p;x=\"a b\"", "!"},
        {"p;x=\"a,b\"", "!"},
        {"p;x=\"a\\,b\"", "!"},
        {"p;x=\"a\\\"b\"", "!"},
        {"p;x=\"a\\\\b\"", "!"},
        {"p;x=\"a\\", "!"},
        {"p;x=\"a\\\"", "!"},
        {"p;x=\"", "!"},
        {"p;x=\"a", "!"},
        {"p;x=\"a\"b", "!"},
        {"p;x=a\"b\"", "!"},
        {"p;x=\"a\"\"b\"", "!"},
        {"p;x='a'", "p;x='a'|"},
        {"permessage-deflate; =x", "!"},
        {"a;;", "!"},
        {"\"a\"", "!"},
        {"a;\"b\"", "!"},
        {"a;b=\"unterminated", "!"},
        {"good, b@d", "good|!"},
        {"a/b", "!"},
        {"a\x80", "!"},
        {"a;b=\x80", "!"},
        {"a;b=\"\x80\"", "!"},
        {"", "!"},
        {",", "!"},
        {"\t, ,", "!"},
    };
    char text[256];
    size_t i;
    (void)state;
    for (i = 0; i < COUNT_OF(list); i++) {
        tenon_header header = {EXTENSIONS, NULL, 0, 0};
        tenon_fields fields = {NULL, 1, NULL, 0};
        tenon_str copy = exact(list[i].value, strlen(list[i].value));
        header.value = copy.size > 0 ? copy.data : "";
        header.value_size = copy.size;
        fields.array = &header;
        extensions_text(&fields, text);
        if (strcmp(text, list[i].expected) != 0)
            print_error("%s gives %s\n", list[i].value, text);
        assert_string_equal(text, list[i].expected);
        release(copy);
    }
}

/* NUL is an octet like others that do not belong there. */
static void test_extensions_with_nul(void **state)
{
    static const char values[][8] = {"a\0;b;c=d", "a;\0b;c=d", "a;b\0;c=d", "a;b;c\0=d", "a;b;c=\0d", "\0a;b;c=d"};
    size_t i;
    (void)state;
    for (i = 0; i < COUNT_OF(values); i++) {
        tenon_header header = {EXTENSIONS, NULL, 0, sizeof values[0]};
        tenon_fields fields = {NULL, 1, NULL, 0};
        tenon_cursor cursor = {0, 0, {NULL, 0}};
        tenon_extension extension;
        header.value = values[i];
        fields.array = &header;
        assert_int_equal(tenon_extension_next(&fields, &cursor, &extension), TENON_ERR_PROTOCOL);
        assert_ptr_equal(extension.name.data, values[i]);
        assert_int_equal(extension.name.size, sizeof values[0]);
    }
}

static void test_extension_slices(void **state)
{
    static const char head[] = EXTENSIONS ": a \t; b = \"c\" , d \r\n";
    tenon_fields fields = {NULL, 0, head, sizeof head - 1};
    tenon_cursor cursor = {0, 0, {NULL, 0}};
    tenon_extension extension;
    tenon_str name, value;
    size_t position = 0;
    (void)state;
    assert_int_equal(tenon_extension_next(&fields, &cursor, &extension), TENON_OK);
    expect_str(extension.name, "a");
    expect_str(extension.parameters, "; b = \"c\"");
    assert_int_equal(tenon_parameter_next(&extension, &position, &name, &value), TENON_OK);
    expect_str(name, "b");
    expect_str(value, "c");
    assert_int_equal(tenon_extension_next(&fields, &cursor, &extension), TENON_OK);
    expect_str(extension.name, "d");
    assert_null(extension.parameters.data);
    assert_int_equal(extension.parameters.size, 0);
    assert_int_equal(tenon_extension_next(&fields, &cursor, &extension), TENON_END);
    assert_null(extension.name.data);
    /* Parameters that no walk gave are judged too. */
    extension.parameters = tenon_string("; a=\"\"", 0);
    position = 0;
    assert_int_equal(tenon_parameter_next(&extension, &position, &name, &value), TENON_ERR_PROTOCOL);
    extension.parameters = tenon_string("a=1", 0);
    position = 0;
    assert_int_equal(tenon_parameter_next(&extension, &position, &name, &value), TENON_ERR_PROTOCOL);
}

/* In order, as it is one of preference. */
/* covers: 6455-9.1-02 6455-9.1-04 6455-4.2.1-13 */
static void test_extension_lines(void **state)
{
    static const char *const heads[] = {
        EXTENSIONS ": foo\r\n" EXTENSIONS ": bar; baz=2\r\n",
        "sec-websocket-extensions: foo, bar; baz=2\r\n",
        "X: y\r\n" EXTENSIONS ":,foo,\r\nX: z\r\n" EXTENSIONS ":\r\nSEC-WEBSOCKET-EXTENSIONS:bar;baz=2\r\nX: z\r\n",
    };
    char text[64];
    size_t i;
    (void)state;
    for (i = 0; i < COUNT_OF(heads); i++) {
        tenon_str copy = exact(heads[i], strlen(heads[i]));
        tenon_fields fields = {NULL, 0, NULL, 0};
        fields.head = copy.data;
        fields.head_size = copy.size;
        extensions_text(&fields, text);
        assert_string_equal(text, "foo|bar;baz=2|");
        release(copy);
    }
}

/* Each octet in each place of an element: what is no token, blank or mark ends it. */
static void test_extension_octets(void **state)
{
    unsigned int c;
    (void)state;
    for (c = 0; c < 256; c++) {
        int tchar = tenon_is_tchar((uint8_t)c);
        char values[4][8] = {"a?;b=c", "a;b?=c", "a;b=c?", "a;b=\"?\""};
        size_t k;
        for (k = 0; k < 4; k++) {
            tenon_header header = {EXTENSIONS, NULL, 0, 0};
            tenon_fields fields = {NULL, 1, NULL, 0};
            char text[64], *at = strchr(values[k], '?');
            header.value_size = strlen(values[k]);
            header.value = values[k];
            fields.array = &header;
            *at = (char)c;
            extensions_text(&fields, text);
            /* A good element ends with the mark |, which ! never follows here. */
            if (tchar)
                assert_true(text[strlen(text) - 1] == '|');
            else if (k == 3 || (c != ' ' && c != '\t' && c != ',' && c != ';' && c != '=' && c != '"'))
                assert_true(text[strlen(text) - 1] == '!');
        }
    }
}

/* One that the other begins with is another. */
static void test_alike_in_part(void **state)
{
    tenon_str whole = {"example.com:80", 14}, part = {"Example.com", 11};
    (void)state;
    assert_int_equal(tenon_alike(whole, part), 0);
    assert_int_equal(tenon_alike(part, whole), 0);
    whole.size = part.size;
    assert_int_equal(tenon_alike(whole, part), 1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_octet),       cmocka_unit_test(test_long_tokens),
       cmocka_unit_test(test_compare),
        cmocka_unit_test(test_header_forms),      cmocka_unit_test(test_null),
        cmocka_unit_test(test_field_count), cmocka_unit_test(test_head_of_anything),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_list_has),          cmocka_unit_test(test_lists_linear),
        cmocka_unit_test(test_no_content),        cmocka_unit_test(test_extensions),
        cmocka_unit_test(test_extensions_with_nul), cmocka_unit_test(test_extension_lines),
        cmocka_unit_test(test_extension_slices),
        cmocka_unit_test(test_alike_in_part),
        cmocka_unit_test(test_extension_octets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
