/* SPDX-License-Identifier: MIT */
#include "short.h"
#include "utf8.h"

#define WORD_SIZE sizeof(uint64_t)

/* Octets unmasked before they are checked, where text is not all ASCII: few
 * enough to be still in the first cache, enough to make the calls cheap. A
 * multiple of 4, so that the phase is the same for every block. */
#define BLOCK_SIZE 256

/* A word of the stream and the key are octets in memory order on both sides of
 * the XOR, so the order of octets within an integer does not matter. */
static uint64_t load(const uint8_t *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

static void store(uint8_t *p, uint64_t word)
{
    memcpy(p, &word, sizeof word);
}

size_t tenon_mask(void *dst, const void *src, size_t n, const uint8_t key[4], size_t phase)
{
    uint8_t *to = dst;
    const uint8_t *from = src;
    uint32_t word = tenon_key_word(key, phase);
    size_t i = 0;
    if (n >= TENON_KERNEL_MIN && tenon_cpu_kernels() != NULL) {
        i = n - n % TENON_BLOCK;
        tenon_cpu_kernels()->mask(to, from, i, word);
    }
    tenon_mask_short(to + i, from + i, n - i, word);
    return (phase % 4 + n % 4) % 4;
}

static uint64_t twice(uint32_t word)
{
    return (uint64_t)word << 32 | word;
}

/* Unmasks whole words up to the first that is not ASCII; returns their octets. */
static size_t mask_ascii(uint8_t *to, const uint8_t *from, size_t n, uint64_t key)
{
    size_t i;
    for (i = 0; n - i >= WORD_SIZE; i += WORD_SIZE) {
        uint64_t word = load(from + i) ^ key;
        if (word & TENON_HIGH_BITS)
            break;
        store(to + i, word);
    }
    return i;
}

/* The blocks of it that a kernel can do; what it returns is good, and the state that
 * of the text up to there. */
static size_t mask_blocks(const tenon_kernels *kernels, uint8_t *to, const uint8_t *from, size_t n,
                          const uint8_t key[4], size_t phase, tenon_utf8 *state)
{
    size_t i = 0, open, good;
    while (state->need > 0 && i < 3) {
        uint8_t octet = from[i] ^ key[(phase + i) % 4];
        if (tenon_utf8_check(state, &octet, 1) == 0)
            return i; /* told again by who goes on */
        to[i++] = octet;
    }
    i += kernels->mask_utf8(to + i, from + i, (n - i) - (n - i) % TENON_BLOCK, tenon_key_word(key, phase + i));
    open = tenon_utf8_open(to, i);
    good = tenon_utf8_check(state, to + i - open, open);
    /* The last octet of a block may be one that begins no character. */
    i -= open - good;
    tenon_mask(to + i, to + i, open - good, key, phase + i);
    return i;
}

size_t tenon_mask_utf8(void *dst, const void *src, size_t n, const uint8_t key[4], size_t phase, tenon_utf8 *state)
{
    uint8_t *to = dst;
    const uint8_t *from = src;
    uint64_t word = twice(tenon_key_word(key, phase));
    size_t i = 0;
    if (n >= TENON_KERNEL_MIN && tenon_cpu_kernels() != NULL) {
        i = mask_blocks(tenon_cpu_kernels(), to, from, n, key, phase % 4, state);
        word = twice(tenon_key_word(key, phase + i));
    }
    while (i < n) {
        size_t size, good;
        if (state->need == 0)
            i += mask_ascii(to + i, from + i, n - i, word);
        size = n - i < BLOCK_SIZE ? n - i : BLOCK_SIZE;
        if (size == 0)
            break;
        tenon_mask(to + i, from + i, size, key, phase + i);
        good = tenon_utf8_check(state, to + i, size);
        i += good;
        if (good < size) {
            tenon_mask(to + i, to + i, size - good, key, phase + i); /* in place: as it was */
            break;
        }
    }
    return i;
}
