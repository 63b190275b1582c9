/* SPDX-License-Identifier: MIT */
/* Layer 0: what every file of the library may use. */
#ifndef TENON_BASE_H
#define TENON_BASE_H

#include "tenon/tenon.h"

#include <string.h>

/* Internal functions are shared between files but never exported. */
#if (defined(__GNUC__) || defined(__clang__)) && !defined(_WIN32)
#define TENON_INTERNAL __attribute__((visibility("hidden")))
#else
#define TENON_INTERNAL
#endif

/* Functions of rare cases, kept apart so that they cost the frequent case nothing. */
#if defined(__GNUC__) || defined(__clang__)
#define TENON_APART __attribute__((noinline))
#else
#define TENON_APART
#endif

/* Functions whose unsigned arithmetic is meant to wrap: the integer sanitizer, which takes
 * that for a mistake everywhere else, passes them over. */
#if defined(__clang__) && __clang_major__ >= 12
#define TENON_WRAPS __attribute__((no_sanitize("unsigned-integer-overflow", "unsigned-shift-base")))
#else
#define TENON_WRAPS
#endif

/* Who optimizes for size goes without the straight lines for the most frequent cases:
 * the long way does all that they do. */
#ifdef __OPTIMIZE_SIZE__
#define TENON_STRAIGHT 0
#else
#define TENON_STRAIGHT 1
#endif

/* Fails to compile when the condition is false: an array of size -1. */
#define TENON_STATIC_ASSERT(name, condition) typedef char tenon_assert_##name[(condition) ? 1 : -1]

#endif
