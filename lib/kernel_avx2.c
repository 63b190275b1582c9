/* SPDX-License-Identifier: MIT */
/* Kernels for x86-64 with AVX2: 32 octets at a time. */
#include "cpu.h"

#ifdef TENON_X86

#include <immintrin.h>

#define TARGET __attribute__((target("avx2")))
#define NAME "avx2"
#define WIDTH 32
#define V __m256i
#define LOAD(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define STORE(p, v) _mm256_storeu_si256((__m256i *)(void *)(p), v)
#define SET(octet) _mm256_set1_epi8((char)(octet))
#define WORD(word) _mm256_set1_epi32((int)(word))
#define XOR _mm256_xor_si256
#define OR _mm256_or_si256
#define AND _mm256_and_si256
#define SUBS _mm256_subs_epu8
#define LOW4(v) _mm256_and_si256(v, SET(0x0f))
#define HIGH4(v) _mm256_and_si256(_mm256_srli_epi16(v, 4), SET(0x0f))
#define TABLE(octets) _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)(octets)))
#define LOOKUP _mm256_shuffle_epi8
/* The shift works within halves: what comes into the upper one lies in the lower one. */
#define BEFORE(v, last, k) _mm256_alignr_epi8(v, _mm256_permute2x128_si256(last, v, 0x21), 16 - (k))
#define IS_ASCII(v) (_mm256_movemask_epi8(v) == 0)
#define IS_ZERO(v) _mm256_testz_si256(v, v)

#include "kernel.h"

const tenon_kernels tenon_kernels_avx2 = {NAME, kernel_mask, kernel_utf8, kernel_mask_utf8, 0};
const tenon_kernels tenon_kernels_avx2_sha = {NAME " and sha", kernel_mask, kernel_utf8, kernel_mask_utf8, 1};

#else
typedef int tenon_kernel_avx2_is_empty;
#endif
