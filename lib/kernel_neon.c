/* SPDX-License-Identifier: MIT */
/* Kernels for aarch64, which always has NEON: 16 octets at a time. */
#include "cpu.h"

#ifdef TENON_ARM

#include <arm_neon.h>

#define TARGET
#define NAME "neon"
#define WIDTH 16
#define V uint8x16_t
#define LOAD(p) vld1q_u8(p)
#define STORE(p, v) vst1q_u8(p, v)
#define SET(octet) vdupq_n_u8((uint8_t)(octet))
#define WORD(word) vreinterpretq_u8_u32(vdupq_n_u32(word))
#define XOR veorq_u8
#define OR vorrq_u8
#define AND vandq_u8
#define SUBS vqsubq_u8
#define LOW4(v) vandq_u8(v, SET(0x0f))
#define HIGH4(v) vshrq_n_u8(v, 4)
#define TABLE(octets) vld1q_u8(octets)
#define LOOKUP vqtbl1q_u8
#define BEFORE(v, last, k) vextq_u8(last, v, 16 - (k))
#define IS_ASCII(v) (vmaxvq_u8(v) < 0x80)
#define IS_ZERO(v) (vmaxvq_u8(v) == 0)

#include "kernel.h"

const tenon_kernels tenon_kernels_neon = {NAME, kernel_mask, kernel_utf8, kernel_mask_utf8, 0};

#else
typedef int tenon_kernel_neon_is_empty;
#endif
