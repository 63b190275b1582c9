/* SPDX-License-Identifier: MIT */
/* SHA-1 for x86-64 with the SHA instructions: four rounds at a time. */
#include "cpu.h"

#ifdef TENON_X86

#include <immintrin.h>

#define TARGET __attribute__((target("ssse3,sha")))

typedef struct state {
    __m128i abcd; /* a is the highest */
    __m128i last; /* abcd four rounds ago, of which e is made */
    __m128i w[4]; /* of the schedule, the next 16 words */
} state;

/* What e is to be, and the schedule 16 words further. */
static inline TARGET __m128i next(state *s)
{
    __m128i e = _mm_sha1nexte_epu32(s->last, s->w[0]);
    __m128i w = _mm_xor_si128(_mm_sha1msg1_epu32(s->w[0], s->w[1]), s->w[2]);
    w = _mm_sha1msg2_epu32(w, s->w[3]);
    s->last = s->abcd;
    s->w[0] = s->w[1];
    s->w[1] = s->w[2];
    s->w[2] = s->w[3];
    s->w[3] = w;
    return e;
}

/* Four words, the first of them the highest. */
static inline TARGET __m128i load(const uint32_t *words)
{
    __m128i four;
    memcpy(&four, words, sizeof four);
    return _mm_shuffle_epi32(four, 0x1b);
}

TARGET void tenon_sha1_block(uint32_t h[5], const uint32_t w[16])
{
    state s;
    __m128i begin = load(h);
    size_t i;
    s.abcd = begin;
    /* As next() turns it by 30. */
    s.last = _mm_set_epi32((int)((h[4] & 0x3fffffff) << 2 | h[4] >> 30), 0, 0, 0);
    for (i = 0; i < 4; i++)
        s.w[i] = load(w + 4 * i);
    for (i = 0; i < 5; i++)
        s.abcd = (__m128i)_mm_sha1rnds4_epu32(s.abcd, next(&s), 0);
    for (i = 0; i < 5; i++)
        s.abcd = (__m128i)_mm_sha1rnds4_epu32(s.abcd, next(&s), 1);
    for (i = 0; i < 5; i++)
        s.abcd = (__m128i)_mm_sha1rnds4_epu32(s.abcd, next(&s), 2);
    for (i = 0; i < 5; i++)
        s.abcd = (__m128i)_mm_sha1rnds4_epu32(s.abcd, next(&s), 3);
    s.last = _mm_sha1nexte_epu32(s.last, _mm_set_epi32((int)h[4], 0, 0, 0));
    s.abcd = _mm_shuffle_epi32(_mm_add_epi32(s.abcd, begin), 0x1b);
    memcpy(h, &s.abcd, sizeof s.abcd);
    h[4] = (uint32_t)_mm_cvtsi128_si32(_mm_shuffle_epi32(s.last, 0x1b));
}

#else
typedef int tenon_kernel_sha_is_empty;
#endif
