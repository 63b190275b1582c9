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

/* Who optimizes for size goes without the straight lines for the most frequent cases:
 * the long way does all that they do. */
#ifdef __OPTIMIZE_SIZE__
#define TENON_SMALL 1
#else
#define TENON_SMALL 0
#endif

/* A look beforehand that saves a call, where speed counts more than the look. */
#if TENON_SMALL
#define TENON_GLANCE(condition) 1
#else
#define TENON_GLANCE(condition) (condition)
#endif

/* Functions of rare cases, kept apart so that they cost the frequent case nothing. */
#if defined(__GNUC__) || defined(__clang__)
#define TENON_APART __attribute__((noinline))
#else
#define TENON_APART
#endif

/* For size, found by measuring: functions with which their caller is larger than both are
 * apart; and those that are smaller in their callers, of which most programs have one.
 * LARGE: the other way round, a rare case that is not kept apart for size. */
#if TENON_SMALL && (defined(__GNUC__) || defined(__clang__))
#define TENON_SMALL_APART __attribute__((noinline))
#define TENON_LARGE_APART
#define TENON_SMALL_ALWAYS __attribute__((always_inline)) /* of what is inline in any case */
#define TENON_SMALL_INLINE inline TENON_SMALL_ALWAYS
#else
#define TENON_SMALL_APART
#define TENON_LARGE_APART TENON_APART
#define TENON_SMALL_ALWAYS
#define TENON_SMALL_INLINE
#endif

/* Functions whose unsigned arithmetic is meant to wrap: the integer sanitizer, which takes
 * that for a mistake everywhere else, passes them over. */
#if defined(__clang__) && __clang_major__ >= 12
#define TENON_WRAPS __attribute__((no_sanitize("unsigned-integer-overflow", "unsigned-shift-base")))
#else
#define TENON_WRAPS
#endif

/*
 * Structs that begin with their size grow at their end, and programs that were built
 * before bring what they know. So each has a least size, that of version 0.1: up to and
 * with the member that was its last one. A member that comes later is read and written
 * only where size reaches it. It must not fit into padding: then sizes would be equal.
 */
#define TENON_UP_TO(type, member) (offsetof(type, member) + sizeof(((type *)0)->member))
#define TENON_CONFIG_LEAST TENON_UP_TO(tenon_config, transform_config)
#define TENON_STATS_LEAST TENON_UP_TO(tenon_stats, steps)
#define TENON_PREPARED_LEAST TENON_UP_TO(tenon_prepared, deflated_size)
#define TENON_ANSWER_LEAST TENON_UP_TO(tenon_answer, header_count)
#define TENON_REFUSAL_LEAST TENON_UP_TO(tenon_refusal, cookie)
#define TENON_REQUEST_LEAST TENON_UP_TO(tenon_request, header_count)
#define TENON_IO_LEAST TENON_UP_TO(tenon_io, shut)
#define TENON_BACKOFF_LEAST TENON_UP_TO(tenon_backoff, failures)
#define TENON_VERDICT_LEAST TENON_UP_TO(tenon_verdict, subprotocol)
#define TENON_CODEC_LEAST TENON_UP_TO(tenon_codec, inflate_reset)
#define TENON_DEFLATE_LEAST TENON_UP_TO(tenon_deflate, memory_level)
#define TENON_AGREED_LEAST TENON_UP_TO(tenon_agreed, flags)

/* Zeroes a struct of the caller's: size octets, but no more than are known here;
 * returns how many. */
TENON_INTERNAL uint32_t tenon_clear(void *memory, size_t size, size_t known);

/* Fails to compile when the condition is false: an array of size -1. */
#define TENON_STATIC_ASSERT(name, condition) typedef char tenon_assert_##name[(condition) ? 1 : -1]

#endif
