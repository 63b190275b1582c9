/* SPDX-License-Identifier: MIT */
/* Kernels for x86-64 with SSSE3: 16 octets at a time. */
#include "cpu.h"

#ifdef TENON_X86

#include <immintrin.h>

#define TARGET __attribute__((target("ssse3")))
#define NAME "ssse3"
#define WIDTH 16
#define V __m128i
#define LOAD(p) _mm_loadu_si128((const __m128i *)(const void *)(p))
#define STORE(p, v) _mm_storeu_si128((__m128i *)(void *)(p), v)
#define SET(octet) _mm_set1_epi8((char)(octet))
#define WORD(word) _mm_set1_epi32((int)(word))
#define XOR _mm_xor_si128
#define OR _mm_or_si128
#define AND _mm_and_si128
#define SUBS _mm_subs_epu8
#define LOW4(v) _mm_and_si128(v, SET(0x0f))
#define HIGH4(v) _mm_and_si128(_mm_srli_epi16(v, 4), SET(0x0f))
#define TABLE(octets) LOAD(octets)
#define LOOKUP _mm_shuffle_epi8
#define BEFORE(v, last, k) _mm_alignr_epi8(v, last, 16 - (k))
#define IS_ASCII(v) (_mm_movemask_epi8(v) == 0)
#define IS_ZERO(v) (_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_setzero_si128())) == 0xffff)

#include "kernel.h"

const tenon_kernels tenon_kernels_ssse3 = {NAME, kernel_mask, kernel_utf8, kernel_mask_utf8, 0};

#else
typedef int tenon_kernel_ssse3_is_empty;
#endif
