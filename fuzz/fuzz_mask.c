/* SPDX-License-Identifier: MIT */
/*
 * Masking (RFC 6455, 5.3), alone and fused with the check of UTF-8, by each kernel:
 * against the formula, in place and from one memory to another, cut anywhere. Nothing
 * around the octets is touched, and with bad text nothing from there on, in place.
 *
 * Input: key, phase, where to begin in a word, how often the text is repeated, how much
 * of its end is not, text.
 */
#include "common.h"
#include "cpu.h"
#include "reference.h"
#include "tenon/frame.h"

#define TEXT_MAX 1500

typedef struct plan {
    uint8_t key[4];
    size_t phase, offset;
    bytes plain, masked;
    size_t good; /* octets of plain that are UTF-8, as far as they go */
    size_t tail;
} plan;

static void mask_cut(const plan *p, size_t cut, int in_place)
{
    size_t n = p->plain.size, phase = p->phase;
    uint8_t *from = fuzz_memory(p->offset + n), *to = from;
    memset(from, 0, p->offset);
    memcpy(from + p->offset, p->masked.data, n);
    if (!in_place) {
        to = fuzz_memory(p->offset + n);
        memset(to, 0, p->offset);
    }
    phase = tenon_mask(to + p->offset, from + p->offset, cut, p->key, phase);
    REQUIRE(phase == (p->phase + cut) % 4);
    phase = tenon_mask(to + p->offset + cut, from + p->offset + cut, n - cut, p->key, phase);
    REQUIRE(phase == (p->phase + n) % 4);
    REQUIRE(memcmp(to + p->offset, p->plain.data, n) == 0);
    REQUIRE(in_place || memcmp(from + p->offset, p->masked.data, n) == 0);
    fuzz_release(from);
    if (!in_place)
        fuzz_release(to);
}

static void fused_cut(const plan *p, size_t cut, int in_place)
{
    size_t n = p->plain.size, good;
    uint8_t *from = fuzz_copy(p->masked.data, n), *to = in_place ? from : fuzz_memory(n);
    tenon_utf8 state = {0, 0, 0, 0};
    good = tenon_mask_utf8(to, from, cut, p->key, p->phase, &state);
    REQUIRE(good <= cut);
    if (good == cut)
        good += tenon_mask_utf8(to + cut, from + cut, n - cut, p->key, p->phase + cut, &state);
    REQUIRE(good == p->good);
    REQUIRE(memcmp(to, p->plain.data, good) == 0);
    REQUIRE(memcmp(from + good, p->masked.data + good, n - good) == 0);
    REQUIRE(good < n || (state.need == 0) == (p->tail == 0));
    fuzz_release(from);
    if (!in_place)
        fuzz_release(to);
}

static void make_plan(source *s, plan *p)
{
    size_t i, times, end, n;
    const uint8_t *text;
    for (i = 0; i < 4; i++)
        p->key[i] = (uint8_t)source_octet(s);
    p->phase = source_octet(s);
    p->offset = source_below(s, 16);
    times = source_below(s, 40);
    end = source_below(s, 8);
    n = s->left;
    text = source_take(s, &n);
    bytes_add(&p->plain, "", 0);
    bytes_add(&p->masked, "", 0);
    for (end = end < n ? end : n; times > 0 && p->plain.size + n <= TEXT_MAX; times--)
        bytes_add(&p->plain, text, n - end);
    bytes_add(&p->plain, text, n);
    for (i = 0; i < p->plain.size; i++)
        bytes_octet(&p->masked, p->plain.data[i] ^ p->key[(p->phase + i) % 4]);
    p->good = ref_utf8(p->plain.data, p->plain.size, &p->tail);
}

int fuzz_target(const uint8_t *data, size_t size)
{
    source s = {data, size};
    plan p;
    size_t i, cut;
    splits places;
    memset(&p, 0, sizeof p);
    make_plan(&s, &p);
    for (i = 0; i == 0 || tenon_cpu_list(i - 1) != NULL; i++) {
        tenon_cpu_use(i == 0 ? NULL : tenon_cpu_list(i - 1));
        splits_begin(&places, p.plain.size, (uint32_t)size * 31 + 7);
        while (splits_next(&places, &cut)) {
            fuzz_allow(100000 + 256 * p.plain.size);
            mask_cut(&p, cut, 0);
            mask_cut(&p, cut, 1);
            fused_cut(&p, cut, 0);
            fused_cut(&p, cut, 1);
        }
    }
    bytes_free(&p.plain);
    bytes_free(&p.masked);
    return 0;
}
