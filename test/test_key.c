/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "key.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

static int accepts(const char *key, size_t n, char *accept)
{
    char *copy = malloc(n > 0 ? n : 1);
    int status;
    assert_non_null(copy);
    memcpy(copy, key, n);
    memset(accept, '#', TENON_ACCEPT_SIZE + 1);
    status = tenon_key_accept(copy, n, accept);
    free(copy);
    if (status != TENON_OK)
        assert_int_equal(accept[0], '#');
    return status;
}

/* The sample of RFC 6455, 1.3, that of 4.1 as corrected, and the same as printed,
 * whose unused bits are not zero: it is hashed as received. */
/* covers: 6455-4.2.2-10 6455-4.2.1-09 */
static void test_accept(void **state)
{
    static const char *const list[][2] = {
        {"dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="},
        {"AQIDBAUGBwgJCgsMDQ4PEA==", "C/0nmHhBztSRGR1CwL6Tf4ZjwpY="},
        {"AQIDBAUGBwgJCgsMDQ4PEC==", "OfS0wDaT5NoxF2gqm7Zj2YtetzM="},
    };
    char accept[TENON_ACCEPT_SIZE + 1];
    size_t i;
    (void)state;
    for (i = 0; i < COUNT_OF(list); i++) {
        assert_int_equal(accepts(list[i][0], TENON_KEY_SIZE, accept), TENON_OK);
        assert_string_equal(accept, list[i][1]);
    }
}

/* covers: 6455-4.2.1-08 6455-4.2.1-15 */
static void test_accept_broken(void **state)
{
    static const char *const list[] = {
        "", "abc", "AAAA", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQ===", "dGhlIHNhbXBsZSBub25jZ!==",
        "dGhlIHNhbXBsZSBub25jZWFiY2RlZmdo", "dGhlIHNhbXBs ZSBub25jZQ==", "dGhl-HNhbXBsZSBub25jZQ==",
        "dGhl_HNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ=A", "dGhlIHNhbXBsZSBub25jZQ", " GhlIHNhbXBsZSBub25jZQ==",
        "dGhlIHNhbXBsZSBub25jZQAA", "dGhlIHNhbXBsZSBub25j====", "dGhlIHNhbXBsZSBub25jZQ\n\n"};
    char accept[TENON_ACCEPT_SIZE + 1];
    size_t i;
    (void)state;
    for (i = 0; i < COUNT_OF(list); i++)
        assert_int_equal(accepts(list[i], strlen(list[i]), accept), TENON_ERR_ARG);
}

/* Of 0 to 4096 octets, only 24 are a key, wherever a NUL may be. */
/* covers: 6455-4.2.1-08 */
static void test_accept_sizes(void **state)
{
    static char key[4096];
    char accept[TENON_ACCEPT_SIZE + 1];
    size_t n;
    (void)state;
    memset(key, 'A', sizeof key);
    for (n = 0; n <= sizeof key; n++) {
        if (n >= 2)
            memset(key + n - 2, '=', 2);
        assert_int_equal(accepts(key, n, accept), n == TENON_KEY_SIZE ? TENON_OK : TENON_ERR_ARG);
        if (n >= 2)
            memset(key + n - 2, 'A', 2);
    }
    memcpy(key, "dGhlIHNhbXBsZSBub25jZQ==", 25);
    assert_int_equal(accepts(key, 25, accept), TENON_ERR_ARG);
    key[23] = '\0';
    assert_int_equal(accepts(key, 24, accept), TENON_ERR_ARG);
}

/* covers: 6455-4.1-11 WHATWG-websocket-opening-handshake-03 */
static void test_make(void **state)
{
    static const uint8_t sample[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    uint8_t nonce[16];
    char key[TENON_KEY_SIZE + 2], accept[TENON_ACCEPT_SIZE + 1];
    unsigned int c;
    (void)state;
    memset(key, '#', sizeof key);
    assert_int_equal(tenon_key_make(sample, key), TENON_OK);
    assert_memory_equal(key, "AQIDBAUGBwgJCgsMDQ4PEA==\0#", sizeof key);
    for (c = 0; c < 256; c++) {
        memset(nonce, (int)c, sizeof nonce);
        assert_int_equal(tenon_key_make(nonce, key), TENON_OK);
        assert_int_equal(strlen(key), TENON_KEY_SIZE);
        assert_string_equal(key + 22, "==");
        assert_non_null(strchr("AQgw", key[21]));
        assert_int_equal(tenon_key_accept(key, TENON_KEY_SIZE, accept), TENON_OK);
        assert_int_equal(strlen(accept), TENON_ACCEPT_SIZE);
    }
}

static void test_null(void **state)
{
    uint8_t nonce[16] = {0};
    char text[TENON_ACCEPT_SIZE + 1];
    (void)state;
    assert_int_equal(tenon_key_make(NULL, text), TENON_ERR_NULL);
    assert_int_equal(tenon_key_make(nonce, NULL), TENON_ERR_NULL);
    assert_int_equal(tenon_key_accept(NULL, 24, text), TENON_ERR_NULL);
    assert_int_equal(tenon_key_accept("dGhlIHNhbXBsZSBub25jZQ==", 24, NULL), TENON_ERR_NULL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accept), cmocka_unit_test(test_accept_broken), cmocka_unit_test(test_accept_sizes),
        cmocka_unit_test(test_make),   cmocka_unit_test(test_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
