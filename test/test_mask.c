/* SPDX-License-Identifier: MIT */
#ifndef _WIN32
#define _DEFAULT_SOURCE /* mmap without a file */
#endif

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#ifndef _WIN32
#include <sys/mman.h>
#include <unistd.h>
#endif

#include "tenon/frame.h"

#define SIZE_LAST 130
#define ALIGN_COUNT 16
#define GUARD 16
#define LONG 5000
#define ROOM (GUARD + ALIGN_COUNT + LONG + GUARD)

/* The first is that of RFC 6455, 5.7. Some have a high bit in each octet, in one,
 * or in none: with the last, masked ASCII looks like ASCII. */
static const uint8_t keys[][4] = {{0x37, 0xfa, 0x21, 0x3d}, {0x01, 0x22, 0x43, 0x7f}, {0x81, 0xa2, 0xc3, 0xff},
                                  {0x00, 0x00, 0x00, 0x00}};
#define KEY_COUNT 4

static const uint8_t *key = keys[0];
static uint32_t seed = 1;

/* A linear congruential sequence: the same numbers in every run. */
static uint32_t draw(uint32_t bound)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % bound;
}

static void fill(uint8_t *data, size_t n)
{
    size_t i;
    for (i = 0; i < n; i++)
        data[i] = (uint8_t)draw(256);
}

/* RFC 6455, 5.3, octet by octet. */
static void reference(uint8_t *dst, const uint8_t *src, size_t n, size_t phase)
{
    size_t i;
    for (i = 0; i < n; i++)
        dst[i] = (uint8_t)(src[i] ^ key[(phase + i) % 4]);
}

/* The whole room is compared, so that a write before or behind shows too. */
static void check_mask(size_t n, size_t from, size_t to, size_t phase)
{
    uint8_t src[ROOM], src_before[ROOM], dst[ROOM], expected[ROOM];
    key = keys[draw(KEY_COUNT)];
    fill(src, sizeof src);
    fill(dst, sizeof dst);
    memcpy(src_before, src, sizeof src);
    memcpy(expected, dst, sizeof dst);
    reference(expected + GUARD + to, src + GUARD + from, n, phase);
    if (tenon_mask(dst + GUARD + to, src + GUARD + from, n, key, phase) != (phase + n) % 4)
        fail_msg("phase after %u octets", (unsigned int)n);
    if (memcmp(dst, expected, sizeof dst) != 0 || memcmp(src, src_before, sizeof src) != 0)
        fail_msg("%u octets from %u to %u, phase %u", (unsigned int)n, (unsigned int)from, (unsigned int)to,
                 (unsigned int)phase);
}

static void check_mask_in_place(size_t n, size_t from, size_t phase)
{
    uint8_t data[ROOM], expected[ROOM];
    key = keys[draw(KEY_COUNT)];
    fill(data, sizeof data);
    memcpy(expected, data, sizeof data);
    reference(expected + GUARD + from, data + GUARD + from, n, phase);
    tenon_mask(data + GUARD + from, data + GUARD + from, n, key, phase);
    if (memcmp(data, expected, sizeof data) != 0)
        fail_msg("%u octets at %u, phase %u", (unsigned int)n, (unsigned int)from, (unsigned int)phase);
}

/* covers: 6455-5.3-03 */
static void test_mask(void **state)
{
    size_t n, from, phase;
    (void)state;
    for (n = 0; n <= SIZE_LAST; n++) {
        for (from = 0; from < ALIGN_COUNT; from++) {
            for (phase = 0; phase < 4; phase++) {
                check_mask(n, from, 0, phase);
                check_mask(n, from, draw(ALIGN_COUNT), phase);
                check_mask_in_place(n, from, phase);
            }
        }
    }
}

/* covers: 6455-5.3-03 */
static void test_mask_published(void **state)
{
    static const uint8_t masked[] = {0x7f, 0x9f, 0x4d, 0x51, 0x58};
    uint8_t out[5];
    (void)state;
    key = keys[0];
    assert_int_equal(tenon_mask(out, "Hello", 5, key, 0), 1);
    assert_memory_equal(out, masked, 5);
    tenon_mask(out, masked, 5, key, 0);
    assert_memory_equal(out, "Hello", 5);
}

/* The phase that comes back goes into the next call. */
static void test_mask_pieces(void **state)
{
    uint8_t src[SIZE_LAST], dst[SIZE_LAST], expected[SIZE_LAST];
    size_t i, j, phase;
    (void)state;
    key = keys[0];
    fill(src, sizeof src);
    reference(expected, src, sizeof src, 0);
    for (i = 0; i <= sizeof src; i++) {
        for (j = i; j <= sizeof src; j++) {
            memset(dst, 0, sizeof dst);
            phase = tenon_mask(dst, src, i, key, 0);
            phase = tenon_mask(dst + i, src + i, j - i, key, phase);
            tenon_mask(dst + j, src + j, sizeof src - j, key, phase);
            assert_memory_equal(dst, expected, sizeof src);
        }
    }
}

/* Any phase counts modulo 4, also one next to where size_t ends. */
static void test_mask_phase(void **state)
{
    uint8_t src[21], dst[21], expected[21];
    (void)state;
    key = keys[0];
    fill(src, sizeof src);
    reference(expected, src, sizeof src, 3);
    assert_int_equal(tenon_mask(dst, src, sizeof src, key, SIZE_MAX), 0);
    assert_memory_equal(dst, expected, sizeof src);
    assert_int_equal(tenon_mask(NULL, NULL, 0, key, 6), 2);
}

/* ------------------------------------------------------------------- fused */

/* Text of n octets: runs of ASCII and of longer sequences, cut off where n ends. */
static void fill_text(uint8_t *data, size_t n)
{
    static const char *const longer[] = {"\xc2\x80", "\xdf\xbf",     "\xe0\xa0\x80",     "\xed\x9f\xbf",
                                         "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"};
    size_t i = 0;
    while (i < n) {
        size_t run = draw(3) == 0 ? draw(40) : draw(3);
        for (; run > 0 && i < n; run--)
            data[i++] = (uint8_t)draw(128);
        for (run = draw(6); run > 0; run--) {
            const char *sequence = longer[draw(7)];
            size_t size = strlen(sequence);
            if (size > n - i)
                size = n - i;
            memcpy(data + i, sequence, size);
            i += size;
        }
    }
}

/* One octet of three texts out of four is changed to anything. */
static void damage(uint8_t *data, size_t n)
{
    if (n > 0 && draw(4) > 0)
        data[draw((uint32_t)n)] = (uint8_t)draw(256);
}

/* Two pieces of text through the fused pass and through the two passes. */
static void check_fused(const uint8_t *text, size_t n, size_t cut, size_t from, size_t to, int in_place)
{
    uint8_t src[ROOM], other[ROOM], before[ROOM];
    uint8_t *dst = in_place ? src : other;
    tenon_utf8 fused = {0, 0, 0, 0}, check = {0, 0, 0, 0};
    size_t phase = draw(4), good, want;
    key = keys[draw(KEY_COUNT)];
    memset(src, 0xe2, sizeof src);
    memset(other, 0xe2, sizeof other);
    if (in_place)
        to = from;
    reference(src + GUARD + from, text, n, phase);
    memcpy(before, dst, sizeof before);

    good = tenon_mask_utf8(dst + GUARD + to, src + GUARD + from, cut, key, phase, &fused);
    want = tenon_utf8_check(&check, text, cut);
    if (good == cut && want == cut) {
        good += tenon_mask_utf8(dst + GUARD + to + cut, src + GUARD + from + cut, n - cut, key, phase + cut, &fused);
        want += tenon_utf8_check(&check, text + cut, n - cut);
    }
    if (good != want || (good == n && memcmp(&fused, &check, sizeof fused) != 0))
        fail_msg("%u octets cut at %u: %u good, expected %u", (unsigned int)n, (unsigned int)cut, (unsigned int)good,
                 (unsigned int)want);
    assert_memory_equal(dst + GUARD + to, text, good);
    assert_memory_equal(dst, before, GUARD + to);
    assert_memory_equal(dst + GUARD + to + n, before + GUARD + to + n, sizeof before - GUARD - to - n);
}

static void test_fused_every_cut(void **state)
{
    uint8_t text[200];
    size_t round, cut, n;
    (void)state;
    for (round = 0; round < 400; round++) {
        n = draw(sizeof text);
        fill_text(text, n);
        damage(text, n);
        for (cut = 0; cut <= n; cut++)
            check_fused(text, n, cut, draw(ALIGN_COUNT), draw(ALIGN_COUNT), (int)draw(2));
    }
}

static void test_fused_every_alignment(void **state)
{
    uint8_t text[100];
    size_t from, to, n;
    (void)state;
    for (from = 0; from < ALIGN_COUNT; from++) {
        for (to = 0; to < ALIGN_COUNT; to++) {
            for (n = 0; n < sizeof text; n++) {
                fill_text(text, n);
                damage(text, n);
                check_fused(text, n, n / 2, from, to, 0);
                check_fused(text, n, n, from, from, 1);
            }
        }
    }
}

/* Long enough for every inner block to be filled and crossed. */
static void test_fused_long(void **state)
{
    uint8_t text[LONG];
    size_t round, n;
    (void)state;
    for (round = 0; round < 2000; round++) {
        n = draw(sizeof text);
        fill_text(text, n);
        damage(text, n);
        check_fused(text, n, draw((uint32_t)n + 1), draw(ALIGN_COUNT), draw(ALIGN_COUNT), (int)draw(2));
    }
}

/* One octet with the high bit at each place of ASCII: it is found at its index. */
static void test_fused_one_bad(void **state)
{
    uint8_t text[600];
    size_t at, n;
    (void)state;
    for (n = 1; n <= sizeof text; n += n < 70 ? 1 : 53) {
        for (at = 0; at < n; at++) {
            tenon_utf8 utf8 = {0, 0, 0, 0};
            uint8_t dst[600];
            key = keys[at % KEY_COUNT];
            memset(text, 'a', n);
            text[at] = 0x80;
            reference(dst, text, n, 0);
            assert_int_equal(tenon_mask_utf8(dst, dst, n, key, 0, &utf8), at);
        }
    }
}

/* Characters that are not assigned to anybody are characters all the same. */
/* covers: 6455-8.1-06 */
static void test_fused_passes_through(void **state)
{
    static const char *const texts[] = {"\xef\xbf\xbe", "\xef\xbf\xbf",     "\xef\xbf\xbd",     "\xf4\x8f\xbf\xbf",
                                        "\xef\xbb\xbf", "\xf0\x9f\xbf\xbe", "\xef\xb7\x90", "z\xef\xbb\xbfz"};
    static const uint8_t zeros[16] = {0};
    uint8_t data[16];
    tenon_utf8 utf8 = {0, 0, 0, 0};
    size_t i, n;
    (void)state;
    for (i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        n = strlen(texts[i]);
        reference(data, (const uint8_t *)texts[i], n, 0);
        assert_int_equal(tenon_mask_utf8(data, data, n, key, 0, &utf8), n);
        assert_memory_equal(data, texts[i], n);
        assert_int_equal(utf8.need, 0);
    }
    reference(data, zeros, sizeof data, 0);
    assert_int_equal(tenon_mask_utf8(data, data, sizeof data, key, 0, &utf8), sizeof data);
    assert_memory_equal(data, zeros, sizeof data);
}

static void test_fused_empty(void **state)
{
    tenon_utf8 utf8 = {1, 0x80, 0xbf, 0};
    (void)state;
    assert_int_equal(tenon_mask_utf8(NULL, NULL, 0, key, 0, &utf8), 0);
    assert_int_equal(utf8.need, 1);
    utf8.need = 0;
    assert_int_equal(tenon_mask_utf8(NULL, NULL, 0, key, SIZE_MAX, &utf8), 0);
}

#ifndef _WIN32
static void check_edge(uint8_t *data, size_t n)
{
    uint8_t text[SIZE_LAST];
    tenon_utf8 utf8 = {0, 0, 0, 0};
    fill_text(text, n);
    reference(data, text, n, 1);
    tenon_mask(data, data, n, key, 1);
    assert_memory_equal(data, text, n);
    reference(data, text, n, 1);
    assert_int_equal(tenon_mask_utf8(data, data, n, key, 1, &utf8), n);
    assert_memory_equal(data, text, n);
}

/* Octets right before memory that cannot be touched, and right after such memory. */
static void test_page_edges(void **state)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), n;
    uint8_t *base = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    (void)state;
    assert_true(base != MAP_FAILED);
    assert_int_equal(mprotect(base, page, PROT_NONE), 0);
    assert_int_equal(mprotect(base + 2 * page, page, PROT_NONE), 0);
    for (n = 0; n <= SIZE_LAST; n++) {
        check_edge(base + page, n);
        check_edge(base + 2 * page - n, n);
    }
    assert_int_equal(munmap(base, 3 * page), 0);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mask),
        cmocka_unit_test(test_mask_published),
        cmocka_unit_test(test_mask_pieces),
        cmocka_unit_test(test_mask_phase),
        cmocka_unit_test(test_fused_every_cut),
        cmocka_unit_test(test_fused_every_alignment),
        cmocka_unit_test(test_fused_long),
        cmocka_unit_test(test_fused_one_bad),
        cmocka_unit_test(test_fused_passes_through),
        cmocka_unit_test(test_fused_empty),
#ifndef _WIN32
        cmocka_unit_test(test_page_edges),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
