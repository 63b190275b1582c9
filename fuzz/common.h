/* SPDX-License-Identifier: MIT */
/*
 * What all fuzz targets share: their entry, the input, memory that ends where nothing
 * is mapped, a bound on steps, places to cut, and failing with a message.
 *
 * A target defines fuzz_target. The same sources make a program for libFuzzer, for
 * AFL++, and with -DFUZZ_REPLAY one that any C99 compiler builds and that runs the
 * files named as its arguments.
 */
#ifndef TENON_FUZZ_COMMON_H
#define TENON_FUZZ_COMMON_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

/* One input: 0, or -1 if it is none that is worth keeping. The octets lie in
 * memory that ends with them. */
int fuzz_target(const uint8_t *data, size_t size);

/* ------------------------------------------------------------------ failing */

void fuzz_failed(const char *file, int line, const char *what);

#define REQUIRE(what) ((what) ? (void)0 : fuzz_failed(__FILE__, __LINE__, #what))

/* ----------------------------------------------------------------- progress */

/*
 * A step is an edge of the library's code, where the compiler can count them
 * (FUZZ_EDGES: -fsanitize-coverage=trace-pc), or a call of fuzz_step. An input that
 * takes more of them than it is allowed has found something that does not end, or is
 * not linear: no clock decides, so it fails the same way everywhere.
 */
#define FUZZ_STEPS 200000000u

/* So many from now on, instead of FUZZ_STEPS for the whole input. */
void fuzz_allow(uint64_t steps);
void fuzz_step(void);

/* ------------------------------------------------------------------- memory */

/*
 * Exactly n octets, and nothing mapped behind them; all gone when the input is done.
 * What lies in front of them is looked at when they go. They are no zeros.
 */
void *fuzz_memory(size_t n);
/* The same, aligned for any type: up to 15 octets behind it are only looked at. */
void *fuzz_aligned(size_t n);
void *fuzz_copy(const void *data, size_t n);
/* Before the input is done; NULL is nothing. */
void fuzz_release(void *memory);

/* Octets that grow at their end. Begin with zeros. */
typedef struct bytes {
    uint8_t *data;
    size_t size, room;
} bytes;

void bytes_add(bytes *to, const void *data, size_t n);
void bytes_octet(bytes *to, unsigned octet);
void bytes_string(bytes *to, const char *text);
void bytes_free(bytes *b);

/* -------------------------------------------------------------------- input */

/* What is left of the input; behind its end there are zeros. */
typedef struct source {
    const uint8_t *p;
    size_t left;
} source;

unsigned source_octet(source *s);
/* Less than bound, which is at most 256. */
unsigned source_below(source *s, unsigned bound);
uint32_t source_u32(source *s);
uint64_t source_u64(source *s);
/* Up to n octets as they are; *n: how many. */
const uint8_t *source_take(source *s, size_t *n);

/* Numbers that follow from a seed, which is never 0. */
uint32_t fuzz_draw(uint32_t *seed);

/* ------------------------------------------------------------------- cutting */

/* Places where n octets may be cut in two, one after the other: each one in a replay,
 * a few that the seed chooses where speed counts. */
typedef struct splits {
    size_t n, next;
    uint32_t seed;
    unsigned left;
} splits;

/* Not 0 in a replay. */
extern int fuzz_every_split;

void splits_begin(splits *s, size_t n, uint32_t seed);
/* 0 when there are no more. */
int splits_next(splits *s, size_t *cut);

#endif
