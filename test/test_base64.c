/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base64.h"

#define TEXT_SIZE 24

static const char sample_text[] = "dGhlIHNhbXBsZSBub25jZQ==";
static const char sample_octets[] = "the sample nonce";

/* The alphabet of RFC 4648, 4, as a rule of its own. */
static int is_digit(unsigned int c)
{
    return (c >= 0x41 && c <= 0x5a) || (c >= 0x61 && c <= 0x7a) || (c >= 0x30 && c <= 0x39) || c == 0x2b || c == 0x2f;
}

static int decodes(const char *text, size_t n)
{
    return tenon_base64_is16(text, n);
}

static void expect_encoded(const char *octets, const char *expected)
{
    char out[64];
    size_t n = strlen(octets), size = strlen(expected);
    memset(out, '#', sizeof out);
    assert_int_equal(tenon_base64_encode((const uint8_t *)octets, n, out), size);
    assert_int_equal(TENON_BASE64_SIZE(n), size);
    assert_memory_equal(out, expected, size);
    assert_int_equal(out[size], '#');
}

/* RFC 4648, 10, and the sample key of RFC 6455, 1.3. */
static void test_encode_published(void **state)
{
    (void)state;
    expect_encoded("", "");
    expect_encoded("f", "Zg==");
    expect_encoded("fo", "Zm8=");
    expect_encoded("foo", "Zm9v");
    expect_encoded("foob", "Zm9vYg==");
    expect_encoded("fooba", "Zm9vYmE=");
    expect_encoded("foobar", "Zm9vYmFy");
    expect_encoded(sample_octets, sample_text);
}

/* 48 octets that spell all 64 digits in order. */
static void test_encode_alphabet(void **state)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint8_t octets[48];
    char out[64];
    unsigned int i;
    (void)state;
    for (i = 0; i < 16; i++) {
        unsigned int d = 4 * i;
        octets[3 * i] = (uint8_t)(d * 4 + (d + 1) / 16);
        octets[3 * i + 1] = (uint8_t)((d + 1) % 16 * 16 + (d + 2) / 4);
        octets[3 * i + 2] = (uint8_t)((d + 2) % 4 * 64 + d + 3);
    }
    assert_int_equal(tenon_base64_encode(octets, sizeof octets, out), 64);
    assert_memory_equal(out, digits, 64);
}

/* The input ends with its allocation: a sanitizer sees any octet read behind it. */
static void test_encode_reads_no_further(void **state)
{
    size_t n;
    (void)state;
    for (n = 1; n < 10; n++) {
        uint8_t *octets = malloc(n);
        char out[16];
        assert_non_null(octets);
        memset(octets, 0xff, n);
        assert_int_equal(tenon_base64_encode(octets, n, out), (n + 2) / 3 * 4);
        free(octets);
    }
}

static void test_decode_sample(void **state)
{
    (void)state;
    assert_int_equal(decodes(sample_text, TEXT_SIZE), 1);
}

/* The six bits of a digit, by the order of the alphabet. */
static unsigned int six_bits(char c)
{
    return (unsigned int)(c >= 'a' ? c - 'a' + 26 : c >= 'A' ? c - 'A' : c >= '0' ? c - '0' + 52 : c == '+' ? 62 : 63);
}

/* Every value of every octet, through encode and back. */
static void test_round_trip(void **state)
{
    uint8_t in[16];
    char text[TEXT_SIZE];
    size_t at, i;
    unsigned int value;
    (void)state;
    for (at = 0; at < 16; at++) {
        for (value = 0; value < 256; value++) {
            memset(in, 0xa5, sizeof in);
            in[at] = (uint8_t)value;
            assert_int_equal(tenon_base64_encode(in, sizeof in, text), TEXT_SIZE);
            assert_int_equal(decodes(text, TEXT_SIZE), 1);
            for (i = 0; i < 16; i++) {
                const char *from = text + i * 8 / 6;
                unsigned int pair = six_bits(from[0]) << 6 | six_bits(from[1]);
                assert_int_equal(pair >> (4 - i * 8 % 6) & 255, in[i]);
            }
        }
    }
}

/* Each of 256 values at each of 24 places. */
static void test_decode_every_character(void **state)
{
    char text[TEXT_SIZE];
    unsigned int c, at;
    (void)state;
    for (at = 0; at < TEXT_SIZE; at++) {
        for (c = 0; c < 256; c++) {
            int good = at < 22 ? is_digit(c) : c == '=';
            memcpy(text, sample_text, TEXT_SIZE);
            text[at] = (char)c;
            if (decodes(text, TEXT_SIZE) != good)
                fail_msg("character %02x at %u", c, at);
        }
    }
}

static void test_decode_sizes(void **state)
{
    char text[TEXT_SIZE * 2];
    size_t n;
    (void)state;
    memset(text, 'A', sizeof text);
    for (n = 0; n <= sizeof text; n++) {
        memset(text, 'A', sizeof text);
        assert_int_equal(decodes(text, n), 0);
        if (n >= 2)
            memset(text + n - 2, '=', 2);
        assert_int_equal(decodes(text, n), n == TEXT_SIZE);
    }
    assert_int_equal(decodes(NULL, 0), 0);
    assert_int_equal(decodes("dGhlIHNhbXBsZSBub25jZQ", 22), 0);
    assert_int_equal(decodes("dGhlIHNhbXBsZSBub25jZQ=", 23), 0);
    assert_int_equal(decodes("dGhlIHNhbXBsZSBub25jZQA=", 24), 0);
    assert_int_equal(decodes("dGhlIHNhbXBsZSBub25jZQ=A", 24), 0);
    assert_int_equal(decodes("dGhlIHNhbXBsZSBub25jZ===", 24), 0);
    assert_int_equal(decodes("dGhlIHNhbXBs ZSBub25jZQ==", 25), 0);
}

/* Bits that no octet needs: any are taken. */
static void test_decode_pad_bits(void **state)
{
    char last;
    (void)state;
    for (last = 'A'; last <= 'P'; last++) {
        char text[] = "AQIDBAUGBwgJCgsMDQ4PE?==";
        text[21] = last;
        assert_int_equal(decodes(text, TEXT_SIZE), 1);
    }
}

/* The text ends with its allocation: a sanitizer sees any octet read behind it. */
static void test_decode_reads_no_further(void **state)
{
    char *text = malloc(TEXT_SIZE);
    (void)state;
    assert_non_null(text);
    memcpy(text, sample_text, TEXT_SIZE);
    text[21] = '=';
    assert_int_equal(decodes(text, TEXT_SIZE), 0);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encode_published),
        cmocka_unit_test(test_encode_alphabet),
        cmocka_unit_test(test_encode_reads_no_further),
        cmocka_unit_test(test_decode_sample),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_decode_every_character),
        cmocka_unit_test(test_decode_sizes),
        cmocka_unit_test(test_decode_pad_bits),
        cmocka_unit_test(test_decode_reads_no_further),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
