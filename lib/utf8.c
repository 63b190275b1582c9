/* SPDX-License-Identifier: MIT */
#include "utf8.h"

#include "short.h"

#define WORD_SIZE sizeof(uint64_t)

/* Fewer octets are not worth the call of a kernel: one block, and what may have to be
 * passed over before it begins. */
#define BLOCKS_MIN (TENON_BLOCK + 3)

/* Longest sequence (RFC 3629, 3). */
#define SEQUENCE_MAX 4

static int is_ascii_word(const uint8_t *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return (word & TENON_HIGH_BITS) == 0;
}

/*
 * Size of the sequence of two to four octets that begins at p, where
 * SEQUENCE_MAX octets can be read; 0 if it is not good. Behind the bit patterns
 * the first two octets decide, with the bounds that step gives. It does not tell
 * which octet is to blame: step does.
 */
static size_t sequence_size(const uint8_t *p)
{
    uint32_t four = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    uint32_t two = four >> 16;
    if ((four & 0xf0c0c000u) == 0xe0808000u)
        return two >= 0xe0a0 && (two & 0xffe0) != 0xeda0 ? 3 : 0;
    if ((four & 0xe0c00000u) == 0xc0800000u)
        return two >= 0xc280 ? 2 : 0;
    if ((four & 0xf8c0c0c0u) == 0xf0808080u)
        return two >= 0xf090 && two <= 0xf48f ? 4 : 0;
    return 0;
}

/* Octets of the words at p that are all ASCII. */
static size_t ascii_run(const uint8_t *p, size_t n)
{
    size_t i = 0;
    while (n - i >= WORD_SIZE && is_ascii_word(p + i))
        i += WORD_SIZE;
    return i;
}

/* Octets at p that are whole characters. Stops before anything bad, and where
 * fewer than SEQUENCE_MAX octets are left; both are for step. */
static size_t whole_run(const uint8_t *p, size_t n)
{
    size_t i = 0, size;
    for (;;) {
        i += ascii_run(p + i, n - i);
        while (i < n && p[i] < 0x80)
            i++;
        while (n - i >= SEQUENCE_MAX && p[i] >= 0x80) {
            size = sequence_size(p + i);
            if (size == 0)
                return i;
            i += size;
        }
        if (n - i < SEQUENCE_MAX)
            return i;
    }
}

/*
 * One octet (RFC 3629, 4). 1 if good, else 0. After a lead octet only the second
 * has a range of its own: it keeps out the overlong forms (e0, f0), the surrogates
 * (ed) and what lies behind U+10FFFF (f4).
 */
static int step(tenon_utf8 *state, uint8_t octet)
{
    if (state->need > 0) {
        if (octet < state->low || octet > state->high)
            return 0;
        state->need--;
        state->low = state->need > 0 ? 0x80 : 0; /* between characters all is zero, however the text was cut */
        state->high = state->need > 0 ? 0xbf : 0;
        return 1;
    }
    if (octet < 0x80)
        return 1;
    if (octet < 0xc2 || octet > 0xf4)
        return 0;
    state->need = octet < 0xe0 ? 1 : octet < 0xf0 ? 2 : 3;
    state->low = octet == 0xe0 ? 0xa0 : octet == 0xf0 ? 0x90 : 0x80;
    state->high = octet == 0xed ? 0x9f : octet == 0xf4 ? 0x8f : 0xbf;
    return 1;
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
    return tenon_utf8_rest(state, data, 0, n);
}
