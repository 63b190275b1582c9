/* SPDX-License-Identifier: MIT */
#include "short.h"
#include "utf8.h"

#if TENON_SIMPLE

size_t tenon_mask_checked(uint8_t *to, const uint8_t *from, size_t n, const uint8_t key[4], size_t phase,
                          tenon_utf8 *state)
{
    size_t i;
    for (i = 0; i < n; i++) {
        uint8_t octet = key != NULL ? from[i] ^ key[(phase + i) % 4] : from[i];
        if (state != NULL && !tenon_utf8_step(state, octet))
            break;
        if (to != NULL)
            to[i] = octet;
    }
    return i;
}

size_t tenon_mask(void *dst, const void *src, size_t n, const uint8_t key[4], size_t phase)
{
    n = tenon_mask_checked((uint8_t *)dst, (const uint8_t *)src, n, key, phase, NULL);
    return (phase % 4 + n % 4) % 4;
}

size_t tenon_mask_utf8(void *dst, const void *src, size_t n, const uint8_t key[4], size_t phase, tenon_utf8 *state)
{
    return tenon_mask_checked((uint8_t *)dst, (const uint8_t *)src, n, key, phase, state);
}

#else

#define WORD_SIZE sizeof(uint64_t)

/* Octets unmasked before they are checked, where text is not all ASCII: few
 * enough to be still in the first cache, enough to make the calls cheap. A
 * multiple of 4, so that the phase is the same for every block. */
#define BLOCK_SIZE 2048

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

/* The phase behind n octets. */
static size_t phase_behind(size_t phase, size_t n)
{
    return (phase % 4 + n % 4) % 4;
}

/* Stores of a kernel that begin at a multiple of this never cross a line of the cache. */
#define ALIGNMENT 32

/* Whole blocks by the kernel, if there is one, behind the octets that align it; word
 * is the key as it lies over the first. */
static TENON_APART size_t mask_long(uint8_t *to, const uint8_t *from, size_t n, uint32_t word, size_t phase)
{
    const tenon_kernels *kernels = tenon_cpu_kernels();
    size_t i = 0, size = 0;
    if (kernels != NULL) {
        i = (ALIGNMENT - (uintptr_t)to % ALIGNMENT) % ALIGNMENT;
        if (i > 0)
            tenon_mask_short(to, from, i, word);
        size = (n - i) - (n - i) % TENON_BLOCK;
        word = tenon_key_turn(word, i);
        kernels->mask(to + i, from + i, size, word);
    }
    i += size;
    if (i < n)
        tenon_mask_short(to + i, from + i, n - i, word);
    return phase_behind(phase, n);
}

size_t tenon_mask(void *dst, const void *src, size_t n, const uint8_t key[4], size_t phase)
{
    uint32_t word = tenon_key_word(key, phase);
    if (n >= TENON_KERNEL_MIN)
        return mask_long((uint8_t *)dst, (const uint8_t *)src, n, word, phase);
    tenon_mask_short((uint8_t *)dst, (const uint8_t *)src, n, word);
    return phase_behind(phase, n);
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

/* The blocks of it that a kernel can do. What it returns is good, and between two
 * characters if state says so, as it does unless the text before was open. */
static size_t mask_blocks(const tenon_kernels *kernels, uint8_t *to, const uint8_t *from, size_t n,
                          const uint8_t key[4], size_t phase, tenon_utf8 *state)
{
    size_t i = 0, open;
    while (state->need > 0) {
        uint8_t octet = from[i] ^ key[(phase + i) % 4];
        if (tenon_utf8_check(state, &octet, 1) == 0)
            return i; /* told again by who goes on */
        to[i++] = octet;
    }
    i += kernels->mask_utf8(to + i, from + i, (n - i) - (n - i) % TENON_BLOCK, tenon_key_word(key, phase + i));
    open = tenon_utf8_open(to, i);
    i -= open;
    tenon_mask(to + i, to + i, open, key, phase + i); /* in place: as it was */
    return i;
}

size_t tenon_mask_utf8(void *dst, const void *src, size_t n, const uint8_t key[4], size_t phase, tenon_utf8 *state)
{
    const tenon_kernels *kernels = tenon_cpu_kernels();
    uint8_t *to = (uint8_t *)dst;
    const uint8_t *from = (const uint8_t *)src;
    uint64_t word;
    size_t i = 0;
    phase %= 4;
    if (n >= TENON_KERNEL_MIN && kernels != NULL)
        i = mask_blocks(kernels, to, from, n, key, phase, state);
    word = twice(tenon_key_word(key, phase + i));
    while (i < n) {
        size_t end, good;
        if (state->need == 0)
            i += mask_ascii(to + i, from + i, n - i, word);
        end = n - i < BLOCK_SIZE ? n : i + BLOCK_SIZE;
        tenon_mask(to + i, from + i, end - i, key, phase + i);
        good = tenon_utf8_rest(state, to, i, end);
        i = good;
        if (good < end) {
            tenon_mask(to + i, to + i, end - i, key, phase + i);
            break;
        }
    }
    return i;
}

#endif
