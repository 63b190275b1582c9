/* SPDX-License-Identifier: MIT */
#ifndef _WIN32
#define _DEFAULT_SOURCE /* mmap without a file */
#endif

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#ifndef _WIN32
#include <sys/mman.h>
#include <unistd.h>
#endif

#include "cpu.h"
#include "tenon/frame.h"
#include "utf8.h"

#define TEXT_MAX 64

typedef struct result {
    size_t good;       /* octets before the first bad one */
    unsigned int need; /* octets outstanding, if none is bad */
} result;

/*
 * The reference: octets of a sequence fix the high bits of a code point, so they
 * leave an interval of code points. A sequence may go on while some code point of
 * the interval is one that a sequence of this size may encode.
 */
typedef struct decoder {
    uint32_t bits;
    unsigned int size, seen;
} decoder;

static int possible(const decoder *d)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned int open = 6 * (d->size - d->seen);
    uint32_t low = d->bits << open, high = low + (1u << open) - 1;
    if (high < least[d->size] || low > 0x10ffff)
        return 0;
    return low < 0xd800 || high > 0xdfff;
}

static int decode(decoder *d, uint8_t octet)
{
    if (d->seen < d->size) {
        if (octet / 64 != 2)
            return 0;
        d->bits = d->bits * 64 + octet % 64;
        d->seen++;
        return possible(d);
    }
    d->seen = 1;
    for (d->size = 0; d->size < 8 && (octet << d->size & 0x80); d->size++)
        continue;
    if (d->size == 0)
        d->size = 1;
    else if (d->size == 1 || d->size > 4)
        return 0;
    else
        octet = (uint8_t)(octet % (1 << (7 - d->size)));
    d->bits = octet;
    return possible(d);
}

static result reference(const uint8_t *data, size_t n)
{
    decoder d = {0, 0, 0};
    result r = {0, 0};
    while (r.good < n && decode(&d, data[r.good]))
        r.good++;
    if (r.good == n)
        r.need = d.size - d.seen;
    return r;
}

static void fail_with(const uint8_t *data, size_t n, const char *what, size_t got, size_t expected)
{
    size_t i;
    for (i = 0; i < n; i++)
        print_error("%02x ", data[i]);
    fail_msg("%s: %u, expected %u", what, (unsigned int)got, (unsigned int)expected);
}

static void expect(const uint8_t *data, size_t n, result want)
{
    static const tenon_utf8 start = {0, 0, 0, 0};
    tenon_utf8 state = {0, 0, 0, 0};
    size_t good = tenon_utf8_check(&state, data, n);
    if (good != want.good)
        fail_with(data, n, "good octets", good, want.good);
    if (good == n && state.need != want.need)
        fail_with(data, n, "octets outstanding", state.need, want.need);
    if (good == n && state.need == 0 && memcmp(&state, &start, sizeof state) != 0)
        fail_with(data, n, "state between characters", state.low, 0);
}

/* The first octets of data on their own, and with ASCII behind them: what is left
 * of the input chooses between the ways through the checker. */
static void expect_as_reference(uint8_t *data, size_t n)
{
    expect(data, n, reference(data, n));
    memset(data + n, 'a', 12);
    expect(data, n + 4, reference(data, n + 4));
}

/* covers: 6455-8.1-02 6455-8.1-03 6455-8.1-04 6455-8.1-05 */
static void test_every_one_and_two(void **state)
{
    uint8_t data[TEXT_MAX];
    unsigned int a, b;
    (void)state;
    for (a = 0; a < 256; a++) {
        data[0] = (uint8_t)a;
        expect_as_reference(data, 1);
        for (b = 0; b < 256; b++) {
            data[0] = (uint8_t)a;
            data[1] = (uint8_t)b;
            expect_as_reference(data, 2);
        }
    }
}

/* covers: 6455-8.1-02 6455-8.1-03 6455-8.1-04 6455-8.1-05 */
static void test_every_three(void **state)
{
    uint8_t data[TEXT_MAX];
    uint32_t i;
    (void)state;
    for (i = 0; i < 1u << 24; i++) {
        data[0] = (uint8_t)(i >> 16);
        data[1] = (uint8_t)(i >> 8 & 0xff);
        data[2] = (uint8_t)(i & 0xff);
        expect_as_reference(data, 3);
    }
}

/* Every lead octet that is near four, every second octet, and the octets around
 * each bound as third and fourth. */
/* covers: 6455-8.1-02 6455-8.1-03 6455-8.1-05 */
static void test_four_at_bounds(void **state)
{
    static const uint8_t edges[] = {0x00, 0x41, 0x7f, 0x80, 0x81, 0x8f, 0x90, 0x9f, 0xa0, 0xaf, 0xbe, 0xbf, 0xc0,
                                    0xc1, 0xc2, 0xdf, 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0xf5, 0xff};
    uint8_t data[TEXT_MAX];
    unsigned int lead, second;
    size_t third, fourth;
    (void)state;
    for (lead = 0xef; lead < 0x100; lead++) {
        for (second = 0; second < 256; second++) {
            for (third = 0; third < sizeof edges; third++) {
                for (fourth = 0; fourth < sizeof edges; fourth++) {
                    data[0] = (uint8_t)lead;
                    data[1] = (uint8_t)second;
                    data[2] = edges[third];
                    data[3] = edges[fourth];
                    expect_as_reference(data, 4);
                }
            }
        }
    }
}

/* Every code point, encoded: the surrogates, and nothing else, are refused. */
/* covers: 6455-8.1-04 6455-8.1-05 */
static void test_every_code_point(void **state)
{
    uint32_t point;
    (void)state;
    for (point = 0x80; point < 0x200000; point++) {
        unsigned int size = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4, i;
        int good = point < 0x110000 && (point < 0xd800 || point > 0xdfff);
        uint8_t data[4] = {0, 0, 0, 0};
        tenon_utf8 utf8 = {0, 0, 0, 0};
        for (i = 1; i < size; i++)
            data[i] = (uint8_t)(0x80 + (point >> 6 * (size - 1 - i)) % 64);
        data[0] = (uint8_t)((0xf00 >> size & 0xff) + (point >> 6 * (size - 1)));
        if ((tenon_utf8_check(&utf8, data, size) == size) != good)
            fail_with(data, size, "code point", point, (size_t)good);
    }
}

/* Texts, each with the index of its first bad octet and, when all are good, what
 * is outstanding: written down by hand, so that the reference is checked too. */
typedef struct vector {
    const char *text;
    size_t size;
    size_t good;
    unsigned int need;
} vector;

#define TEXT(literal) (literal), sizeof(literal) - 1

static const vector vectors[] = {
    {TEXT(""), 0, 0},
    {TEXT("Hello"), 5, 0},
    {TEXT("\x00"), 1, 0},
    {TEXT("\xef\xbf\xbe\xef\xbf\xbf\xef\xbf\xbd\xf4\x8f\xbf\xbf\xef\xbb\xbf"), 16, 0},
    {TEXT("\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"), 11, 0},
    {TEXT("\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80\x65\x64\x69\x74\x65\x64"), 12, 0},
    {TEXT("\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4\x90\x80\x80\x65\x64"), 12, 0},
    {TEXT("0123456\xe2\x82\xac" "0123456789abcdef\xf0\x9f\x98\x80xyz"), 33, 0},
    {TEXT("0123456789abcdef\x80"), 16, 0},
    {TEXT("01234567\xc3\xa4\xc3"), 11, 1},
    {TEXT("\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe6\x97"), 11, 1},
    {TEXT("\xe6\x97\xa5\xe6\x9c\xac\xe8"), 7, 2},
    {TEXT("\xf0"), 1, 3},
    {TEXT("\xf0\x90"), 2, 2},
    {TEXT("\xf0\x90\x80"), 3, 1},
    {TEXT("\xf0\x90\x80\x80"), 4, 0},
    {TEXT("\xc0\xaf"), 0, 0},
    {TEXT("\xc1\xbf"), 0, 0},
    {TEXT("\xc2\x7f"), 1, 0},
    {TEXT("\xc2\xc2"), 1, 0},
    {TEXT("\xe0\x80\xaf"), 1, 0},
    {TEXT("\xe0\x9f\xbf"), 1, 0},
    {TEXT("\xe0\xa0\x80"), 3, 0},
    {TEXT("\xed\x9f\xbf"), 3, 0},
    {TEXT("\xed\xa0\x80\xed\xb0\x80"), 1, 0},
    {TEXT("\xed\xbf\xbf"), 1, 0},
    {TEXT("\xee\x80\x80"), 3, 0},
    {TEXT("\xe4\xbd\x41"), 2, 0},
    {TEXT("\xf0\x80\x80\xaf"), 1, 0},
    {TEXT("\xf0\x8f\xbf\xbf"), 1, 0},
    {TEXT("\xf1\x80\x80\xc0"), 3, 0},
    {TEXT("\xf4\x8f\xbf\xbf"), 4, 0},
    {TEXT("\xf4\x90\x80\x80"), 1, 0},
    {TEXT("\xf5\x80\x80\x80"), 0, 0},
    {TEXT("\xf7\xbf\xbf\xbf"), 0, 0},
    {TEXT("\xf8\x88\x80\x80\x80"), 0, 0},
    {TEXT("\xfe"), 0, 0},
    {TEXT("\xff"), 0, 0},
    {TEXT("\xbf"), 0, 0},
};

#define VECTOR_COUNT (sizeof vectors / sizeof vectors[0])

/* covers: 6455-8.1-03 6455-8.1-04 6455-8.1-05 */
static void test_vectors(void **state)
{
    size_t i;
    (void)state;
    for (i = 0; i < VECTOR_COUNT; i++) {
        const uint8_t *data = (const uint8_t *)vectors[i].text;
        result want, other = reference(data, vectors[i].size);
        want.good = vectors[i].good;
        want.need = vectors[i].need;
        expect(data, vectors[i].size, want);
        assert_int_equal(other.good, want.good);
        assert_int_equal(other.need, want.need);
    }
}

/* Behind ASCII of every size up to three words, so that each sequence lies at
 * every place in a word. */
static void test_vectors_shifted(void **state)
{
    uint8_t data[2 * TEXT_MAX];
    size_t i, shift;
    (void)state;
    for (i = 0; i < VECTOR_COUNT; i++) {
        for (shift = 0; shift <= 24; shift++) {
            result want;
            want.good = vectors[i].good + shift;
            want.need = vectors[i].need;
            memset(data, 'a', sizeof data);
            memcpy(data + shift, vectors[i].text, vectors[i].size);
            expect(data, shift + vectors[i].size, want);
        }
    }
}

/* Every octet at every place of a word, with nothing but ASCII around. */
static void test_one_among_ascii(void **state)
{
    uint8_t data[40];
    unsigned int octet;
    size_t at;
    (void)state;
    for (octet = 0; octet < 256; octet++) {
        for (at = 0; at < 24; at++) {
            memset(data, 'a', sizeof data);
            data[at] = (uint8_t)octet;
            expect(data, sizeof data, reference(data, sizeof data));
        }
    }
}

/* Feeds the pieces that end at the cuts; stops at the first bad octet. Each piece
 * lies in memory of its own, so that a sanitizer sees what is read outside. */
static result feed(const uint8_t *data, size_t n, const size_t *cuts, size_t count)
{
    tenon_utf8 utf8 = {0, 0, 0, 0};
    result r = {0, 0};
    size_t i;
    for (i = 0; i <= count; i++) {
        size_t end = i < count ? cuts[i] : n, size = end - r.good, good;
        uint8_t *piece = malloc(size + 1);
        assert_non_null(piece);
        memcpy(piece + 1, data + r.good, size);
        good = tenon_utf8_check(&utf8, piece + 1, size);
        free(piece);
        r.good += good;
        if (good < size)
            return r;
    }
    r.need = utf8.need;
    return r;
}

static void expect_cut(const vector *v, const size_t *cuts, size_t count)
{
    result r = feed((const uint8_t *)v->text, v->size, cuts, count);
    if (r.good != v->good || r.need != v->need)
        fail_with((const uint8_t *)v->text, v->size, "cut", r.good, v->good);
}

/* Any two cuts, pieces of size zero included, and octet by octet. */
static void test_vectors_cut(void **state)
{
    size_t i, k, cuts[TEXT_MAX];
    (void)state;
    for (i = 0; i < VECTOR_COUNT; i++) {
        for (cuts[0] = 0; cuts[0] <= vectors[i].size; cuts[0]++)
            for (cuts[1] = cuts[0]; cuts[1] <= vectors[i].size; cuts[1]++)
                expect_cut(&vectors[i], cuts, 2);
        for (k = 0; k + 1 < vectors[i].size; k++)
            cuts[k] = k + 1;
        if (vectors[i].size > 0)
            expect_cut(&vectors[i], cuts, vectors[i].size - 1);
    }
}

static void test_empty_without_data(void **state)
{
    tenon_utf8 utf8 = {0, 0, 0, 0};
    (void)state;
    assert_int_equal(tenon_utf8_check(&utf8, "\xe2\x82", 2), 2);
    assert_int_equal(tenon_utf8_check(&utf8, NULL, 0), 0);
    assert_int_equal(utf8.need, 1);
    assert_int_equal(tenon_utf8_check(&utf8, "\xac", 1), 1);
    assert_int_equal(utf8.need, 0);
}

#ifndef _WIN32
/* Octets right before memory that cannot be read, and right after such memory. */
static void test_page_edges(void **state)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), i, n;
    uint8_t *base = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    (void)state;
    assert_true(base != MAP_FAILED);
    assert_int_equal(mprotect(base, page, PROT_NONE), 0);
    assert_int_equal(mprotect(base + 2 * page, page, PROT_NONE), 0);
    for (i = 0; i < VECTOR_COUNT; i++) {
        for (n = 0; n <= vectors[i].size; n++) {
            result want = reference((const uint8_t *)vectors[i].text, n);
            memcpy(base + page, vectors[i].text, n);
            expect(base + page, n, want);
            memcpy(base + 2 * page - n, vectors[i].text, n);
            expect(base + 2 * page - n, n, want);
        }
    }
    assert_int_equal(munmap(base, 3 * page), 0);
}
#endif

#if !TENON_SIMPLE /* which goes octet by octet */
/* How much of good text belongs to a character that goes on: of each size, at each of its
 * octets, with nothing or with other text before it. */
static void test_open(void **state)
{
    static const char *const characters[] = {"a",        "\xc2\x80",     "\xdf\xbf",         "\xe0\xa0\x80",
                                             "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"};
    static const char *const before[] = {"", "x", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xef\xbf\xbfz"};
    size_t i, k, n;
    (void)state;
    for (i = 0; i < sizeof characters / sizeof characters[0]; i++) {
        for (k = 0; k < sizeof before / sizeof before[0]; k++) {
            size_t begin = strlen(before[k]), size = strlen(characters[i]);
            for (n = 0; n <= size; n++) {
                uint8_t *text = malloc(begin + n + 1); /* nothing before it may be read */
                assert_non_null(text);
                memcpy(text, before[k], begin);
                memcpy(text + begin, characters[i], n);
                assert_int_equal(tenon_utf8_open(text, begin + n), n < size ? n : 0);
                free(text);
            }
        }
    }
}
#endif

/* Texts that are made of octets at the bounds of what is legal, of about the size that is
 * worth a closer look but no kernel. */
static void test_texts_of_edges(void **state)
{
    static const char *const parts[] = {"a", "\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xe1\x80\xbf", "\xed\x9f\xbf",
                                        "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf3\xbf\xbf\xbf", "\xf4\x8f\xbf\xbf"};
    static const uint8_t octets[] = {0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0,
                                     0xe1, 0xed, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff};
    uint32_t seed = 1;
    int round;
    (void)state;
    for (round = 0; round < 100000; round++) {
        uint8_t text[48];
        size_t n = 0, most = 16 + round % 30, changes = round % 4;
        while (n + 4 <= most) {
            const char *part = parts[(seed = seed * 1664525u + 1013904223u) / 65536 % (sizeof parts / sizeof parts[0])];
            memcpy(text + n, part, strlen(part));
            n += strlen(part);
        }
        while (changes-- > 0) {
            seed = seed * 1664525u + 1013904223u;
            text[(seed >> 8) % n] = octets[(seed >> 16) % sizeof octets];
        }
        expect(text, n, reference(text, n));
    }
}

/* Long text that begins with the rest of a character: good, or bad at one of its octets. */
static void test_long_rest(void **state)
{
    static const char character[] = "\xf0\x9f\x98\x80";
    size_t before, bad, more, end;
    (void)state;
    for (before = 1; before < 4; before++) {
        for (bad = before; bad <= 4; bad++) {
            for (more = 60; more < 200; more += 7) {
                tenon_utf8 utf8 = {0, 0, 0, 0};
                uint8_t *text = malloc(4 - before + more);
                size_t n = 4 - before + more;
                assert_non_null(text);
                memset(text, 'x', n);
                memcpy(text, character + before, 4 - before);
                if (bad < 4)
                    text[bad - before] = 'x';
                assert_int_equal(tenon_utf8_check(&utf8, character, before), before);
                assert_int_equal(tenon_utf8_check(&utf8, text, n), bad < 4 ? bad - before : n);
                for (end = 1; bad == 4 && end <= 20; end++) { /* and good up to near its end */
                    memset(&utf8, 0, sizeof utf8);
                    text[n - end] = 0xff;
                    assert_int_equal(tenon_utf8_check(&utf8, character, before), before);
                    assert_int_equal(tenon_utf8_check(&utf8, text, n), n - end);
                    text[n - end] = 'x';
                }
                free(text);
            }
        }
    }
}

#if !TENON_SIMPLE
/* Text whose last character goes on where the rest begins: looking back at what was good
 * is not for it, for that does not end between two characters. */
static void test_rest_of_a_character(void **state)
{
    size_t from, more;
    (void)state;
    for (from = 60; from < 140; from++) {
        for (more = 1; more < 80; more++) {
            uint8_t text[256];
            tenon_utf8 at = {0, 0, 0, 0}, before;
            memset(text, 'x', sizeof text);
            text[from - 1] = 0xc3;
            text[from] = 0xa4;
            assert_int_equal(tenon_utf8_check(&at, text, from), from);
            assert_int_equal(at.need, 1);
            before = at;
            assert_int_equal(tenon_utf8_rest(&at, text, from, from + more), from + more);
            assert_int_equal(at.need, 0);
            text[from] = 'x';
            assert_int_equal(tenon_utf8_rest(&before, text, from, from + more), from);
            text[from - 1] = 0xe2; /* and one of three octets, of which the last is not there */
            text[from] = 0x82;
            text[from + 1] = 0xac;
            memset(&at, 0, sizeof at);
            assert_int_equal(tenon_utf8_check(&at, text, from), from);
            assert_int_equal(tenon_utf8_rest(&at, text, from, from + 1), from + 1);
            assert_int_equal(at.need, 1);
        }
    }
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_one_and_two),
        cmocka_unit_test(test_every_three),
        cmocka_unit_test(test_four_at_bounds),
        cmocka_unit_test(test_every_code_point),
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_vectors_shifted),
        cmocka_unit_test(test_one_among_ascii),
        cmocka_unit_test(test_vectors_cut),
        cmocka_unit_test(test_empty_without_data),
        cmocka_unit_test(test_texts_of_edges),
        cmocka_unit_test(test_long_rest),
#ifndef _WIN32
        cmocka_unit_test(test_page_edges),
#endif
#if !TENON_SIMPLE
        cmocka_unit_test(test_open),
        cmocka_unit_test(test_rest_of_a_character),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
