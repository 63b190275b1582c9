/* SPDX-License-Identifier: MIT */
/*
 * Layer 1: masking of spans that are too short for the call of a kernel, written to
 * be inlined: most messages are shorter than 128 octets.
 *
 * There are no single octets at the end. The last vector or word is the last one that
 * fits, which overlaps the one before; it is read before anything is written, so
 * that its octets are masked once. Nothing outside the span is read or written.
 */
#ifndef TENON_SHORT_H
#define TENON_SHORT_H

#include "cpu.h"

/* Set in an octet that is not ASCII. */
#define TENON_HIGH_BITS 0x8080808080808080u

/* Octets less than this are not worth the call of a kernel. */
#define TENON_KERNEL_MIN 128

/* The key as it lies over octets that begin so far behind the first of word. */
static inline TENON_WRAPS uint32_t tenon_key_turn(uint32_t word, size_t octets)
{
    const uint16_t one = 1;
    uint8_t little; /* 1 or 0: which way the octets go */
    unsigned bits;
    memcpy(&little, &one, 1);
    bits = (8 * ((unsigned)octets & 3) * (2u * little - 1)) & 31;
    return word >> bits | word << ((32 - bits) & 31);
}

/* The key as it lies over octets that begin at phase. As 4 divides the sizes of words
 * and vectors, it lies the same over every following one. */
static inline uint32_t tenon_key_word(const uint8_t key[4], size_t phase)
{
    uint32_t word;
    memcpy(&word, key, 4);
    return tenon_key_turn(word, phase);
}

/* Up to 7 octets. */
static inline uint64_t tenon_mask_few(uint8_t *to, const uint8_t *from, size_t n, uint32_t word)
{
    uint32_t a, b;
    uint64_t seen = 0;
    if (n < 4) {
        size_t i;
        for (i = 0; i < n; i++) {
            uint8_t octet;
            memcpy(&octet, &word, 1);
            to[i] = from[i] ^ octet;
            seen |= to[i];
            word = tenon_key_turn(word, 1);
        }
        return seen;
    }
    memcpy(&a, from, 4);
    memcpy(&b, from + n - 4, 4);
    a ^= word;
    b ^= tenon_key_turn(word, n);
    memcpy(to, &a, 4);
    memcpy(to + n - 4, &b, 4);
    return a | b;
}

/* 8 octets and more. */
static inline uint64_t tenon_mask_words(uint8_t *to, const uint8_t *from, size_t n, uint32_t word)
{
    uint64_t key = (uint64_t)word << 32 | word, end = tenon_key_turn(word, n), last, seen;
    size_t i;
    memcpy(&last, from + n - 8, 8);
    last ^= end << 32 | end;
    seen = last;
    for (i = 0; i + 8 < n; i += 8) {
        uint64_t next;
        memcpy(&next, from + i, 8);
        next ^= key;
        memcpy(to + i, &next, 8);
        seen |= next;
    }
    memcpy(to + n - 8, &last, 8);
    return seen;
}

#if defined(TENON_X86) || defined(TENON_ARM)

/* What every processor of the kind has: the compiler makes instructions of it. */
typedef uint32_t tenon_vector __attribute__((vector_size(16)));

static inline tenon_vector tenon_vector_load(const uint8_t *p)
{
    tenon_vector v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void tenon_vector_store(uint8_t *p, tenon_vector v)
{
    memcpy(p, &v, sizeof v);
}

static inline uint64_t tenon_vector_seen(tenon_vector v)
{
    uint64_t halves[2];
    memcpy(halves, &v, sizeof v);
    return halves[0] | halves[1];
}

/* 16 to 32 octets: the first vector and the last. */
static inline uint64_t tenon_mask_two(uint8_t *to, const uint8_t *from, size_t n, uint32_t word)
{
    uint32_t end = tenon_key_turn(word, n);
    tenon_vector a = tenon_vector_load(from), b = tenon_vector_load(from + n - 16);
    a ^= (tenon_vector){word, word, word, word};
    b ^= (tenon_vector){end, end, end, end};
    tenon_vector_store(to, a);
    tenon_vector_store(to + n - 16, b);
    return tenon_vector_seen(a | b);
}

/* 32 octets and more: two vectors at a time, and the last two. */
static inline uint64_t tenon_mask_vectors(uint8_t *to, const uint8_t *from, size_t n, uint32_t word)
{
    uint32_t end = tenon_key_turn(word, n);
    tenon_vector key = {word, word, word, word}, key_end = {end, end, end, end}, seen;
    tenon_vector c = tenon_vector_load(from + n - 32) ^ key_end, d = tenon_vector_load(from + n - 16) ^ key_end;
    size_t i;
    seen = c | d;
    for (i = 0; i + 32 < n; i += 32) {
        tenon_vector a = tenon_vector_load(from + i) ^ key, b = tenon_vector_load(from + i + 16) ^ key;
        tenon_vector_store(to + i, a);
        tenon_vector_store(to + i + 16, b);
        seen |= a | b;
    }
    tenon_vector_store(to + n - 32, c);
    tenon_vector_store(to + n - 16, d);
    return tenon_vector_seen(seen);
}

#endif

/* Masks n octets of from with the key that lies over them as word does; to may be
 * from, and else does not overlap it. Not zero under TENON_HIGH_BITS: one of the
 * octets written is not ASCII. */
static inline uint64_t tenon_mask_short(uint8_t *to, const uint8_t *from, size_t n, uint32_t word)
{
#if defined(TENON_X86) || defined(TENON_ARM)
    if (n >= 32)
        return tenon_mask_vectors(to, from, n, word);
    if (n >= 16)
        return tenon_mask_two(to, from, n, word);
#endif
    return n >= 8 ? tenon_mask_words(to, from, n, word) : tenon_mask_few(to, from, n, word);
}

#endif
