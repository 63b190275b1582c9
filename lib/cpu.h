/* SPDX-License-Identifier: MIT */
/*
 * Layer 1: kernels for what the processor at hand can do. Each kernel works on whole
 * blocks only; what is left over, and what is not good, the generic code does. So all
 * of them, and no kernel at all, give the same answers.
 *
 * TENON_NO_SIMD leaves them out.
 */
#ifndef TENON_CPU_H
#define TENON_CPU_H

#include "base.h"

#if !defined(TENON_NO_SIMD) && (defined(__GNUC__) || defined(__clang__))
#if defined(__x86_64__)
#define TENON_X86 1
#elif defined(__aarch64__) && defined(__ARM_NEON) && !defined(__AARCH64EB__)
#define TENON_ARM 1
#endif
#endif

/* Who optimizes for size and has no kernels gets the simplest loops, too. */
#if TENON_SMALL && !defined(TENON_X86) && !defined(TENON_ARM)
#define TENON_SIMPLE 1
#else
#define TENON_SIMPLE 0
#endif

/* Octets of a block: all kernels take multiples of it. */
#define TENON_BLOCK 64

/* Kernels take n octets, a multiple of TENON_BLOCK, and return how many octets they
 * have done: a multiple of it as well, less than n where a block is not good. Text
 * begins between two characters. word: the key as it lies over the first octets. */
typedef struct tenon_kernels {
    const char *name;
    void (*mask)(uint8_t *to, const uint8_t *from, size_t n, uint32_t word);
    size_t (*utf8)(const uint8_t *text, size_t n);
    size_t (*mask_utf8)(uint8_t *to, const uint8_t *from, size_t n, uint32_t word);
    int sha; /* 1 if tenon_sha1_block may be called; no pointer, lest all link it */
} tenon_kernels;

/* The best there is for this processor; NULL: none. */
#if defined(TENON_X86) || defined(TENON_ARM)
TENON_INTERNAL const tenon_kernels *tenon_cpu_kernels(void);
#else
#define tenon_cpu_kernels() ((const tenon_kernels *)NULL)
#endif

/* For tests: the i-th that this processor can run; NULL behind the last. And the one
 * to use from now on; NULL: none. */
TENON_INTERNAL const tenon_kernels *tenon_cpu_list(size_t i);
TENON_INTERNAL void tenon_cpu_use(const tenon_kernels *kernels);

#ifdef TENON_X86
/* Registers in which the processor describes itself: ECX of leaf 1, EBX of leaf 7; and
 * register 0 of the extended controls, with what the system keeps: bits 1 and 2 are those
 * of AVX. The last can be asked for only where bit_OSXSAVE is set. */
enum { TENON_CPU_LEAF_1, TENON_CPU_LEAF_7, TENON_CPU_KEPT };
TENON_INTERNAL uint32_t tenon_cpu_ask(int what);

/* What a processor can run that answers so, the best first; returns how many. */
TENON_INTERNAL size_t tenon_cpu_find(uint32_t (*ask)(int what), const tenon_kernels *list[3]);

TENON_INTERNAL extern const tenon_kernels tenon_kernels_avx2_sha;
TENON_INTERNAL extern const tenon_kernels tenon_kernels_avx2;
TENON_INTERNAL extern const tenon_kernels tenon_kernels_ssse3;

/* A block of SHA-1, as words. */
TENON_INTERNAL void tenon_sha1_block(uint32_t h[5], const uint32_t w[16]);
#endif
#ifdef TENON_ARM
TENON_INTERNAL extern const tenon_kernels tenon_kernels_neon;
#endif

#endif
