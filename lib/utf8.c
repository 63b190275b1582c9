/* SPDX-License-Identifier: MIT */
#include "utf8.h"

#include "short.h"

/*
 * One octet (RFC 3629, 4). 1 if good, else 0. After a lead octet only the second
 * has a range of its own: it keeps out the overlong forms (e0, f0), the surrogates
 * (ed) and what lies behind U+10FFFF (f4).
 */
static int step(tenon_utf8 *state, uint8_t octet)
{
    uint8_t need = state->need, low = 0x80, high = 0xbf;
    if (need > 0) {
        if (octet < state->low || octet > state->high)
            return 0;
        need--;
    } else if (octet >= 0x80) {
        if (octet < 0xc2 || octet > 0xf4)
            return 0;
        need = octet < 0xe0 ? 1 : octet < 0xf0 ? 2 : 3;
        low = octet == 0xe0 ? 0xa0 : octet == 0xf0 ? 0x90 : 0x80;
        high = octet == 0xed ? 0x9f : octet == 0xf4 ? 0x8f : 0xbf;
    }
    state->need = need;
    state->low = need > 0 ? low : 0; /* between characters all is zero, however the text was cut */
    state->high = need > 0 ? high : 0;
    return 1;
}

#if TENON_SIMPLE

int tenon_utf8_step(tenon_utf8 *state, uint8_t octet)
{
    return step(state, octet);
}

size_t tenon_utf8_check(tenon_utf8 *state, const void *data, size_t n)
{
    return tenon_mask_checked(NULL, (const uint8_t *)data, n, NULL, 0, state);
}

#else

#define WORD_SIZE sizeof(uint64_t)

/* Fewer octets are not worth the call of a kernel: one block, and what may have to be
 * passed over before it begins. */
#define BLOCKS_MIN (TENON_BLOCK + 3)

static int is_ascii_word(const uint8_t *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return (word & TENON_HIGH_BITS) == 0;
}

/* Octets of the words at p that are all ASCII. */
static size_t ascii_run(const uint8_t *p, size_t n)
{
    size_t i = 0;
    while (n - i >= WORD_SIZE && is_ascii_word(p + i))
        i += WORD_SIZE;
    return i;
}

size_t tenon_utf8_open(const uint8_t *text, size_t n)
{
    size_t back;
    for (back = 1; back <= 3 && back <= n; back++) {
        uint8_t octet = text[n - back];
        if ((octet & 0xc0) == 0x80)
            continue;
        return octet >= (back == 1 ? 0xc0 : back == 2 ? 0xe0 : 0xf0) ? back : 0;
    }
    return 0;
}

#if TENON_SMALL

#define whole_run ascii_run

#else

/*
 * The same as a machine without branches, for where nothing is known of the text. A
 * state is where it stands in the word of an octet, and the word has there the next
 * state: so a step is a load, which waits for nothing, and a shift.
 */
enum { GOOD = 0, BAD = 6, ONE = 12, TWO = 18, AFTER_E0 = 24, AFTER_ED = 30, THREE = 36, AFTER_F0 = 42, AFTER_F4 = 48 };

/* The states behind GOOD, ONE (continuation to come), TWO, AFTER_E0 and so on; BAD stays. */
#define WORD(good, one, two, e0, ed, three, f0, f4)                                                               \
    ((uint64_t)(good) << GOOD | (uint64_t)BAD << BAD | (uint64_t)(one) << ONE | (uint64_t)(two) << TWO |          \
     (uint64_t)(e0) << AFTER_E0 | (uint64_t)(ed) << AFTER_ED | (uint64_t)(three) << THREE |                       \
     (uint64_t)(f0) << AFTER_F0 | (uint64_t)(f4) << AFTER_F4)
#define LEAD(next) WORD(next, BAD, BAD, BAD, BAD, BAD, BAD, BAD)
#define CONT_8 WORD(BAD, GOOD, ONE, BAD, ONE, TWO, BAD, TWO)
#define CONT_9 WORD(BAD, GOOD, ONE, BAD, ONE, TWO, TWO, BAD)
#define CONT_A WORD(BAD, GOOD, ONE, ONE, BAD, TWO, TWO, BAD)
#define TIMES_4(word) word, word, word, word
#define TIMES_16(word) TIMES_4(word), TIMES_4(word), TIMES_4(word), TIMES_4(word)

static const uint64_t machine[256] = {
    TIMES_16(LEAD(GOOD)), TIMES_16(LEAD(GOOD)), TIMES_16(LEAD(GOOD)), TIMES_16(LEAD(GOOD)), /* 00 to 7f */
    TIMES_16(LEAD(GOOD)), TIMES_16(LEAD(GOOD)), TIMES_16(LEAD(GOOD)), TIMES_16(LEAD(GOOD)),
    TIMES_16(CONT_8), TIMES_16(CONT_9), TIMES_16(CONT_A), TIMES_16(CONT_A), /* 80 to bf */
    LEAD(BAD), LEAD(BAD), LEAD(ONE), LEAD(ONE), /* c0 to df */
    TIMES_4(LEAD(ONE)), TIMES_4(LEAD(ONE)), TIMES_4(LEAD(ONE)), TIMES_16(LEAD(ONE)),
    LEAD(AFTER_E0), LEAD(TWO), LEAD(TWO), LEAD(TWO), TIMES_4(LEAD(TWO)), TIMES_4(LEAD(TWO)), /* e0 to ef */
    LEAD(TWO), LEAD(AFTER_ED), LEAD(TWO), LEAD(TWO),
    LEAD(AFTER_F0), LEAD(THREE), LEAD(THREE), LEAD(THREE), LEAD(AFTER_F4), LEAD(BAD), LEAD(BAD), LEAD(BAD), /* f0 to ff */
    TIMES_4(LEAD(BAD)), TIMES_4(LEAD(BAD)),
};

#define STRIDE 16

/* The state behind STRIDE octets. */
static uint64_t stride(const uint8_t *p, uint64_t state)
{
    int i;
    for (i = 0; i < STRIDE; i++)
        state = machine[p[i]] >> (state & 63);
    return state & 63;
}

/* Octets at p that are whole characters: not all that are, and none that is not. */
static size_t whole_run(const uint8_t *p, size_t n)
{
    uint64_t state = GOOD;
    size_t i = 0;
    while (n - i >= STRIDE) {
        uint64_t next = GOOD;
        if (state != GOOD || !is_ascii_word(p + i) || !is_ascii_word(p + i + WORD_SIZE))
            next = stride(p + i, state);
        if (next == BAD)
            break;
        state = next;
        i += STRIDE;
    }
    i -= state == GOOD ? 0 : tenon_utf8_open(p, i);
    return i + ascii_run(p + i, n - i);
}

#endif

/* The blocks of it that a kernel can do: octets up to the character that is open
 * behind them, all good. */
static size_t check_blocks(const tenon_kernels *kernels, tenon_utf8 *state, const uint8_t *p, size_t n)
{
    size_t i = 0;
    while (state->need > 0) {
        if (!step(state, p[i]))
            return i; /* told again by who goes on */
        i++;
    }
    i += kernels->utf8(p + i, (n - i) - (n - i) % TENON_BLOCK);
    return i - tenon_utf8_open(p, i);
}

/* What blocks leave: less than one, and a character that was open. Fewer than REST_MIN
 * octets are not worth a block that does others again. */
#define REST_MIN 12
#define REST_MAX (TENON_BLOCK + 2)

/* One block more, which begins between two characters of what is good already. Returns
 * up to where all is good, between two characters as well. */
static size_t last_block(const tenon_kernels *kernels, const uint8_t *text, size_t from, size_t n)
{
    size_t begin = n - TENON_BLOCK < from ? n - TENON_BLOCK : from;
    while ((text[begin] & 0xc0) == 0x80)
        begin--;
    if (kernels->utf8(text + begin, TENON_BLOCK) == 0)
        return from;
    return begin + TENON_BLOCK - tenon_utf8_open(text, begin + TENON_BLOCK);
}

size_t tenon_utf8_rest(tenon_utf8 *state, const uint8_t *text, size_t from, size_t n)
{
    const tenon_kernels *kernels = tenon_cpu_kernels();
    size_t i = from;
    if (kernels != NULL && n - i >= BLOCKS_MIN)
        i += check_blocks(kernels, state, text + i, n - i);
    if (kernels != NULL && i >= TENON_BLOCK && state->need == 0 && n - i >= REST_MIN && n - i <= REST_MAX)
        i = last_block(kernels, text, i, n);
    while (i < n) {
        if (state->need == 0) {
            i += whole_run(text + i, n - i);
            if (i == n)
                return n;
        }
        if (!step(state, text[i]))
            return i;
        i++;
    }
    return n;
}

size_t tenon_utf8_check(tenon_utf8 *state, const void *data, size_t n)
{
    return tenon_utf8_rest(state, (const uint8_t *)data, 0, n);
}

#endif
