/* SPDX-License-Identifier: MIT */
/*
 * Streaming UTF-8 against the table of RFC 3629: whole, cut, octet by octet, and with
 * each kernel. The text is made of the input's octets, some of which are repeated, for
 * kernels look at nothing short.
 */
#include "common.h"
#include "cpu.h"
#include "reference.h"
#include "tenon/frame.h"

#define TEXT_MAX 900

/* The input, or, after an octet of 0xff, so many times the character behind it. */
static void make_text(source *s, bytes *text)
{
    static const char *const characters[8] = {"a",        "\xc2\x80",         "\xdf\xbf",         "\xe0\xa0\x80",
                                              "\xed\x9f\xbf", "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"};
    while (s->left > 0 && text->size < TEXT_MAX) {
        unsigned octet = source_octet(s), how, i;
        if (octet != 0xff || s->left == 0) {
            bytes_octet(text, octet);
            continue;
        }
        how = source_octet(s);
        for (i = 0; i < how / 8 * 4; i++)
            bytes_string(text, characters[how % 8]);
    }
}

/* Feeds so many octets, of memory of their own; 0 if one was bad, at *good. */
static int feed(tenon_utf8 *state, const uint8_t *text, size_t n, size_t *good)
{
    uint8_t *copy = fuzz_copy(text, n);
    size_t taken = tenon_utf8_check(state, copy, n);
    REQUIRE(taken <= n && memcmp(copy, text, n) == 0);
    fuzz_release(copy);
    *good += taken;
    return taken == n;
}

static void check(const bytes *text, size_t cut, size_t step, size_t want, size_t tail)
{
    tenon_utf8 state = {0, 0, 0, 0};
    size_t good = 0, at = cut;
    int fine = feed(&state, text->data, cut, &good);
    fuzz_allow(100000 + 64 * text->size);
    while (fine && at < text->size) {
        size_t n = step < text->size - at ? step : text->size - at;
        fine = feed(&state, text->data + at, n, &good);
        at += n;
    }
    REQUIRE(good == want);
    REQUIRE(fine == (want == text->size));
    REQUIRE(!fine || (state.need == 0) == (tail == 0));
    REQUIRE(!fine || state.need <= 3);
}

int fuzz_target(const uint8_t *data, size_t size)
{
    source s = {data, size};
    bytes text = {NULL, 0, 0};
    size_t want, tail, cut, i;
    splits places;
    bytes_add(&text, "", 0);
    make_text(&s, &text);
    want = ref_utf8(text.data, text.size, &tail);
    check(&text, 0, 1, want, tail);
    for (i = 0; i == 0 || tenon_cpu_list(i - 1) != NULL; i++) {
        tenon_cpu_use(i == 0 ? NULL : tenon_cpu_list(i - 1));
        splits_begin(&places, text.size, (uint32_t)size * 77 + 1);
        while (splits_next(&places, &cut))
            check(&text, cut, text.size, want, tail);
    }
    bytes_free(&text);
    return 0;
}
