/* SPDX-License-Identifier: MIT */
/*
 * Each kernel that this processor can run, and none, against the plain code one octet
 * at a time, which no kernel touches: the same octets, the same first bad one, the
 * same state behind them. Buffers are as long as what is in them, for the sanitizer
 * to see what is read beyond.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cpu.h"
#include "tenon/frame.h"

static const uint8_t key[4] = {0x81, 0x22, 0xc3, 0x7f};

static uint64_t seed = 88172645463325252u;

static uint32_t draw(uint32_t bound)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)((seed >> 16) % bound);
}

/* The first octet that cannot be, found one by one. */
static size_t first_bad(const uint8_t *text, size_t n, tenon_utf8 *state)
{
    size_t i = 0;
    memset(state, 0, sizeof *state);
    while (i < n && tenon_utf8_check(state, text + i, 1) == 1)
        i++;
    return i;
}

/* A copy of exactly that size. */
static uint8_t *copy_of(const void *data, size_t n)
{
    uint8_t *copy = malloc(n > 0 ? n : 1);
    assert_non_null(copy);
    memcpy(copy, data, n);
    return copy;
}

static void expect_plain(const uint8_t *text, size_t n, size_t cut, size_t want, const tenon_utf8 *want_state)
{
    tenon_utf8 state = {0, 0, 0, 0};
    uint8_t *one = copy_of(text, cut), *two = copy_of(text + cut, n - cut);
    size_t good = tenon_utf8_check(&state, one, cut);
    if (good == cut)
        good += tenon_utf8_check(&state, two, n - cut);
    assert_int_equal(good, want);
    if (want == n)
        assert_memory_equal(&state, want_state, sizeof state);
    free(one);
    free(two);
}

/* In place: what is behind the first bad octet stays as it was. */
static void expect_fused(const uint8_t *text, size_t n, size_t cut, size_t want, const tenon_utf8 *want_state)
{
    tenon_utf8 state = {0, 0, 0, 0};
    uint8_t *masked = malloc(n + 1), *work;
    size_t i, good, phase = draw(4);
    assert_non_null(masked);
    for (i = 0; i < n; i++)
        masked[i] = text[i] ^ key[(phase + i) % 4];
    work = copy_of(masked, n);
    good = tenon_mask_utf8(work, work, cut, key, phase, &state);
    if (good == cut)
        good += tenon_mask_utf8(work + cut, work + cut, n - cut, key, phase + cut, &state);
    assert_int_equal(good, want);
    assert_memory_equal(work, text, want);
    assert_memory_equal(work + want, masked + want, n - want);
    if (want == n)
        assert_memory_equal(&state, want_state, sizeof state);
    free(work);
    free(masked);
}

static void expect_same(const uint8_t *text, size_t n, size_t cut)
{
    tenon_utf8 state;
    size_t want = first_bad(text, n, &state);
    expect_plain(text, n, cut, want, &state);
    expect_fused(text, n, cut, want, &state);
}

/* Writes a character; how many octets. */
static size_t put_character(uint8_t *out, uint32_t c)
{
    if (c < 0x80) {
        out[0] = (uint8_t)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (uint8_t)(0xc0 | c >> 6);
        out[1] = (uint8_t)(0x80 | (c & 63));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (uint8_t)(0xe0 | c >> 12);
        out[1] = (uint8_t)(0x80 | (c >> 6 & 63));
        out[2] = (uint8_t)(0x80 | (c & 63));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | c >> 18);
    out[1] = (uint8_t)(0x80 | (c >> 12 & 63));
    out[2] = (uint8_t)(0x80 | (c >> 6 & 63));
    out[3] = (uint8_t)(0x80 | (c & 63));
    return 4;
}

/* n octets of good text: ASCII alone, or characters of all sizes. */
static void fill(uint8_t *text, size_t n, int is_ascii)
{
    static const uint32_t from[4] = {0x20, 0x80, 0x800, 0x10000}, count[4] = {0x5f, 0x780, 0xcfff, 0x100000};
    size_t i = 0;
    while (i < n) {
        uint32_t kind = is_ascii || n - i < 4 ? 0 : draw(4);
        i += put_character(text + i, from[kind] + draw(count[kind]));
    }
}

/* -------------------------------------------------------------------- the tests */

static void test_mask(void **state)
{
    uint8_t from[700], want[700];
    size_t n, phase, i;
    (void)state;
    for (i = 0; i < sizeof from; i++)
        from[i] = (uint8_t)draw(256);
    for (n = 0; n <= sizeof from; n += n < 300 ? 1 : 37) {
        for (phase = 0; phase < 4; phase++) {
            uint8_t *src = copy_of(from, n), *dst = malloc(n + 1);
            for (i = 0; i < n; i++)
                want[i] = from[i] ^ key[(phase + i) % 4];
            assert_int_equal(tenon_mask(dst, src, n, key, phase), (phase + n) % 4);
            assert_memory_equal(dst, want, n);
            assert_int_equal(tenon_mask(src, src, n, key, phase), (phase + n) % 4);
            assert_memory_equal(src, want, n);
            free(src);
            free(dst);
        }
    }
}

/* Every pair of octets, across the border of two blocks and within one. */
static void test_every_pair(void **state)
{
    uint8_t text[256];
    unsigned a, b;
    size_t k;
    static const size_t places[] = {63, 64, 100, 127};
    (void)state;
    for (a = 0; a < 256; a++) {
        for (b = 0; b < 256; b++) {
            k = places[(a + b) % 4];
            memset(text, 'x', sizeof text);
            text[k] = (uint8_t)a;
            text[k + 1] = (uint8_t)b;
            expect_same(text, sizeof text, 0);
        }
    }
}

/* Three and four octets at the bounds of what is legal, at each place in a block. */
static void test_bounds(void **state)
{
    static const uint8_t bad[][4] = {
        {0xe0, 0x9f, 0xbf, 'x'},  {0xe0, 0xa0, 0x80, 'x'},  {0xed, 0x9f, 0xbf, 'x'},  {0xed, 0xa0, 0x80, 'x'},
        {0xf0, 0x8f, 0xbf, 0xbf}, {0xf0, 0x90, 0x80, 0x80}, {0xf4, 0x8f, 0xbf, 0xbf}, {0xf4, 0x90, 0x80, 0x80},
        {0xf5, 0x80, 0x80, 0x80}, {0xff, 0x80, 0x80, 0x80}, {0xe1, 0x80, 'x', 0x80},  {0xf1, 0x80, 0x80, 'x'},
        {0xc2, 0x80, 0x80, 'x'},  {0xe1, 0x80, 0x80, 0x80}, {0x80, 'x', 'x', 'x'},    {0xc1, 0xbf, 'x', 'x'},
    };
    uint8_t text[320];
    size_t i, place;
    (void)state;
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        for (place = 0; place + 4 <= sizeof text; place++) {
            memset(text, 'x', sizeof text);
            memcpy(text + place, bad[i], 4);
            expect_same(text, sizeof text, 0);
            expect_same(text, place + 2, 0); /* and where it ends there */
        }
    }
}

/* Text of all kinds with up to two octets changed, in one piece and in two. */
static void test_random(void **state)
{
    uint8_t text[1200];
    int round;
    (void)state;
    for (round = 0; round < 20000; round++) {
        size_t n = 1 + draw(sizeof text - 1), changes = draw(3);
        fill(text, n, round % 4 == 0);
        while (changes-- > 0)
            text[draw((uint32_t)n)] = (uint8_t)draw(256);
        if (round % 3 == 0)
            n -= draw(4) < n ? draw(2) : 0;
        expect_same(text, n, draw((uint32_t)n + 1));
    }
}

/* Text of several of the blocks in which what is not all ASCII is done, kinds by turns. */
static void test_long(void **state)
{
    static uint8_t text[9000];
    int round;
    (void)state;
    for (round = 0; round < 60; round++) {
        size_t n = sizeof text - draw(100), i = 0;
        while (i < n) {
            size_t part = 1 + draw(2500);
            part = part < n - i ? part : n - i;
            fill(text + i, part, round % 3 == 0 || draw(2) == 0);
            i += part;
        }
        if (round % 2)
            text[draw((uint32_t)n)] = 0xff;
        expect_same(text, n, round % 4 < 2 ? 0 : draw((uint32_t)n));
    }
}

/* What a kernel says itself: it goes up to the block with the first bad octet, not less
 * far, for then it would only cost time, and leaves that block and what is behind it. */
static void test_blocks(void **state)
{
    const tenon_kernels *kernels = tenon_cpu_kernels();
    uint8_t text[600];
    uint32_t word;
    int round;
    (void)state;
    memcpy(&word, key, 4);
    for (round = 0; kernels != NULL && round < 20000; round++) {
        size_t n = TENON_BLOCK * (1 + draw(8)), part = draw(sizeof text), changes = draw(2), want, i;
        uint8_t *plain, *masked, *work;
        tenon_utf8 utf8;
        fill(text, part, round % 4 == 0);
        fill(text + part, sizeof text - part, round % 2);
        while (changes-- > 0)
            text[draw((uint32_t)n)] = (uint8_t)draw(256);
        want = first_bad(text, n, &utf8);
        if (want < n && want % TENON_BLOCK == TENON_BLOCK - 1 && utf8.need == 0 && text[want] >= 0xc0)
            want++; /* no lead at all, but it is judged with what comes behind it */
        want -= want < n ? want % TENON_BLOCK : 0;
        plain = copy_of(text, n);
        masked = copy_of(text, n);
        for (i = 0; i < n; i++)
            masked[i] ^= key[i % 4];
        work = copy_of(masked, n);
        assert_int_equal(kernels->utf8(plain, n), want);
        assert_int_equal(kernels->mask_utf8(work, work, n, word), want);
        assert_memory_equal(work, text, want);
        assert_memory_equal(work + want, masked + want, n - want);
        kernels->mask(plain, plain, n, word);
        assert_memory_equal(plain, masked, n);
        free(plain);
        free(masked);
        free(work);
    }
}

#if defined(TENON_X86) || defined(TENON_ARM)

/* ---------------------------------------------------------- what kernels are given */

/* In place of a kernel: notes what it is given, and does it octet by octet. */
static struct {
    size_t calls, octets;
    size_t both; /* octets that were unmasked and judged at once */
    const uint8_t *end; /* behind the last octet */
} given;

static void note(const uint8_t *p, size_t n)
{
    assert_int_equal(n % TENON_BLOCK, 0);
    given.calls++;
    given.octets += n;
    given.end = p + n;
}

static void note_mask(uint8_t *to, const uint8_t *from, size_t n, uint32_t word)
{
    uint8_t over[4];
    size_t i;
    memcpy(over, &word, 4);
    note(to, n);
    assert_int_equal((uintptr_t)to % 32, 0); /* so that no store crosses a line of the cache */
    for (i = 0; i < n; i++)
        to[i] = from[i] ^ over[i % 4];
}

static size_t note_utf8(const uint8_t *text, size_t n)
{
    tenon_utf8 state;
    size_t good;
    note(text, n);
    assert_true(n == 0 || (text[0] & 0xc0) != 0x80); /* begins between two characters */
    good = first_bad(text, n, &state);
    return good < n ? good - good % TENON_BLOCK : n;
}

static size_t note_mask_utf8(uint8_t *to, const uint8_t *from, size_t n, uint32_t word)
{
    uint8_t text[1200], over[4];
    size_t i, good;
    memcpy(over, &word, 4);
    assert_true(n <= sizeof text);
    for (i = 0; i < n; i++)
        text[i] = from[i] ^ over[i % 4];
    good = note_utf8(text, n);
    memcpy(to, text, good);
    given.end = to + n;
    given.both += n;
    return good;
}

static const tenon_kernels noting = {"noting", note_mask, note_utf8, note_mask_utf8, 0};

/* Long spans go to the kernel but for what lies before a border or is less than a
 * block; short ones do not. */
static void test_given_to_mask(void **state)
{
    uint8_t octets[1024 + 32], want[1024 + 32];
    size_t n, from, i;
    (void)state;
    tenon_cpu_use(&noting);
    for (n = 0; n <= 1024; n += n < 300 ? 1 : 29) {
        from = draw(32);
        memset(&given, 0, sizeof given);
        fill(octets, sizeof octets, 0);
        memcpy(want, octets, sizeof want);
        for (i = 0; i < n; i++)
            want[from + i] ^= key[i % 4];
        (void)tenon_mask(octets + from, octets + from, n, key, 0);
        assert_memory_equal(octets, want, sizeof want);
        assert_int_equal(given.calls, n >= 128);
        if (n >= 128)
            assert_true(n - given.octets < 32 + TENON_BLOCK);
    }
}

/* Good text goes there up to its last few octets, also where it begins with the rest of
 * a character. */
static void test_given_to_utf8(void **state)
{
    uint8_t text[1100];
    size_t n, before;
    (void)state;
    tenon_cpu_use(&noting);
    for (n = 2 * TENON_BLOCK; n <= 1000; n++) {
        for (before = 0; before < 4; before++) {
            tenon_utf8 utf8 = {0, 0, 0, 0};
            fill(text + 4, sizeof text - 4, 0);
            memcpy(text, "\xf0\x9f\x98\x80", 4);
            assert_int_equal(tenon_utf8_check(&utf8, text, before), before);
            memset(&given, 0, sizeof given);
            assert_int_equal(tenon_utf8_check(&utf8, text + before, n), n);
            assert_true(given.calls > 0 && given.octets <= n + TENON_BLOCK);
            assert_true(given.end <= text + before + n && text + before + n - given.end < 16);
        }
    }
}

static void test_given_to_both(void **state)
{
    uint8_t text[1100];
    size_t n, i;
    (void)state;
    tenon_cpu_use(&noting);
    for (n = 128; n <= 1000; n++) {
        tenon_utf8 utf8 = {2, 0x90, 0xbf, 0};
        memcpy(text, "\x9f\x98", 2);
        utf8.need = 3;
        text[2] = 0x80;
        fill(text + 3, sizeof text - 3, 0);
        for (i = 0; i < n; i++)
            text[i] ^= key[i % 4];
        memset(&given, 0, sizeof given);
        assert_int_equal(tenon_mask_utf8(text, text, n, key, 0, &utf8), n);
        assert_true(given.both >= n - 3 - TENON_BLOCK);
    }
}

#endif

#ifdef TENON_X86

/* Bits of the registers, by the manual of the architecture. */
enum { SSSE3 = 1 << 9, OSXSAVE = 1 << 27, AVX = 1 << 28, AVX2 = 1 << 5, SHA = 1 << 29, KEPT = 6 };

static uint32_t told[3];

static uint32_t tell(int what)
{
    assert_true(what >= 0 && what < 3);
    if (what == TENON_CPU_KEPT)
        assert_true((told[TENON_CPU_LEAF_1] & OSXSAVE) != 0); /* else the question is illegal */
    return told[what];
}

/* Every processor: AVX2 needs all that belongs to it, SSSE3 nothing else, and SHA comes
 * with AVX2. */
static void test_choice(void **state)
{
    unsigned set;
    (void)state;
    for (set = 0; set < 128; set++) {
        const tenon_kernels *list[3] = {NULL, NULL, NULL};
        int ssse3 = (set & 1) != 0, avx2 = (set & 62) == 62, sha = avx2 && (set & 64) != 0;
        size_t count;
        told[TENON_CPU_LEAF_1] =
            (set & 1 ? SSSE3 : 0) | (set & 2 ? (uint32_t)OSXSAVE : 0) | (set & 4 ? (uint32_t)AVX : 0) | 1;
        told[TENON_CPU_LEAF_7] = (set & 8 ? (uint32_t)AVX2 : 0) | (set & 64 ? (uint32_t)SHA : 0) | 1;
        told[TENON_CPU_KEPT] = (set & 16 ? 2 : 0) | (set & 32 ? 4 : 0) | 1;
        count = tenon_cpu_find(tell, list);
        assert_int_equal(count, ssse3 + avx2 + sha);
        if (sha)
            assert_ptr_equal(list[0], &tenon_kernels_avx2_sha);
        if (avx2)
            assert_ptr_equal(list[sha], &tenon_kernels_avx2);
        if (ssse3)
            assert_ptr_equal(list[avx2 + sha], &tenon_kernels_ssse3);
    }
}

/* What this processor can run is what the compiler's own question to it says. */
static void test_found(void **state)
{
    const tenon_kernels *kernels;
    int ssse3 = 0, avx2 = 0;
    size_t i;
    (void)state;
    __builtin_cpu_init();
    for (i = 0; (kernels = tenon_cpu_list(i)) != NULL; i++) {
        ssse3 += kernels == &tenon_kernels_ssse3;
        avx2 += kernels == &tenon_kernels_avx2;
    }
    assert_int_equal(ssse3, __builtin_cpu_supports("ssse3") != 0);
    assert_int_equal(avx2, __builtin_cpu_supports("avx2") != 0);
}

#endif

/* Before anything was chosen it is the best there is, and so it stays. */
static void test_best(void **state)
{
    (void)state;
    assert_ptr_equal(tenon_cpu_kernels(), tenon_cpu_list(0));
    assert_ptr_equal(tenon_cpu_kernels(), tenon_cpu_list(0));
}

/* Then it is what was chosen last, none included. */
static void test_use(void **state)
{
    const tenon_kernels *kernels;
    size_t i = 0;
    (void)state;
    do {
        kernels = tenon_cpu_list(i++);
        tenon_cpu_use(kernels);
        assert_ptr_equal(tenon_cpu_kernels(), kernels);
    } while (kernels != NULL);
}

int main(void)
{
    const struct CMUnitTest choice[] = {
        cmocka_unit_test(test_best),
        cmocka_unit_test(test_use),
#ifdef TENON_X86
        cmocka_unit_test(test_choice),
        cmocka_unit_test(test_found),
#endif
#if defined(TENON_X86) || defined(TENON_ARM)
        cmocka_unit_test(test_given_to_mask),
        cmocka_unit_test(test_given_to_utf8),
        cmocka_unit_test(test_given_to_both),
#endif
    };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mask),
        cmocka_unit_test(test_every_pair),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_blocks),
    };
    const tenon_kernels *kernels;
    size_t i = 0;
    int failed = cmocka_run_group_tests(choice, NULL, NULL);
    do {
        kernels = tenon_cpu_list(i++);
        tenon_cpu_use(kernels);
        print_message("kernels: %s\n", kernels == NULL ? "none" : kernels->name);
        failed += cmocka_run_group_tests(tests, NULL, NULL);
    } while (kernels != NULL);
    return failed;
}
