/* SPDX-License-Identifier: MIT */
/*
 * The benchmark of speed: what its parts share.
 *
 * A job is some work in memory, and a contender one way to do work of that kind:
 * tenon, a peer, or memcpy as the limit. Each adapter speed_NAME has a list of its
 * contenders, and speed.c times all of them in turns.
 *
 * What stands for reading from a socket is one copy of the stream into the contender's
 * own memory, in pieces of so many octets; what stands for writing is one copy of the
 * frame out of it.
 */
#ifndef TENON_BENCH_SPEED_H
#define TENON_BENCH_SPEED_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    DECODE = 1, /* a stream of masked frames, as a server gets them: one pass */
    ENCODE,     /* frames with that payload */
    MASK,       /* in place */
    CHECK,      /* whether text is UTF-8 */
    BOTH,       /* unmask text, and check it */
    HANDSHAKE   /* a request to its answer */
};

typedef struct job {
    const uint8_t *in; /* frames, a payload, text, a request */
    size_t in_size;
    size_t cut;   /* DECODE, CHECK: comes in pieces of so many octets, at most CUT_MAX for DECODE */
    size_t count; /* do it so often; DECODE: once */
    uint8_t *out; /* where frames, answers and unmasked text go; MASK: the octets themselves */
    size_t out_size;
    uint8_t key[4];
    int is_client; /* ENCODE */
    int is_summed; /* DECODE: sum up all payload */
    uint64_t messages, octets, sum, digest; /* DECODE: what came out */
} job;

#define CUT_MAX 65536

typedef struct contender {
    const char *name; /* the last one of a list has none */
    int kind;
    int (*run)(job *); /* 0, or not if it does not work; CHECK: not 0 if it is not UTF-8 */
    const char *kernel; /* tenon with these kernels only, "none" for plain C; NULL: its own choice */
    int is_limit;       /* does not do the work, only copies */
} contender;

extern const contender speed_limits[], speed_tenon[], speed_wslay[], speed_beast[], speed_websocketpp[];

/* Has tenon use these kernels (NULL: its own choice): 0, or -1 if there are none here. */
int speed_use_kernel(const char *name);

/* What every contender does with the payload that it gets. */
static inline void speed_take(job *j, const void *data, size_t n, int is_last)
{
    const uint8_t *octets = (const uint8_t *)data;
    size_t i;
    j->messages += (uint64_t)is_last;
    j->octets += n;
    if (!j->is_summed) {
        j->sum += n > 0 ? octets[0] : 0;
        return;
    }
    for (i = 0; i < n; i++) {
        j->sum += octets[i];
        j->digest += j->sum; /* depends on the order, and not on the pieces */
    }
    if (is_last) {
        j->sum += 257;
        j->digest += j->sum;
    }
}

/* Octets of the next piece, at most cut. */
static inline size_t speed_piece(size_t left, size_t cut)
{
    return left < cut ? left : cut;
}

/* Keys that cost next to nothing: not for use. */
static inline uint32_t speed_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

#ifdef __cplusplus
}
#endif

#endif
