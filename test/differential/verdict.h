/* SPDX-License-Identifier: MIT */
/* What an implementation makes of a stream of frames. */
#ifndef TENON_TEST_VERDICT_H
#define TENON_TEST_VERDICT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { STILL_OPEN, CLOSED_BY_PEER, FAILED };

typedef struct verdict {
    int ending;
    unsigned code;     /* received with the Close (1005: none), or sent for the failure (0: none) */
    unsigned messages; /* whole ones, pings and pongs told before that */
    uint64_t hash;     /* of their opcodes and content */
} verdict;

/* One message, ping or pong. */
static inline void verdict_add(verdict *v, unsigned opcode, const void *data, size_t n)
{
    const uint8_t *p = (const uint8_t *)data;
    size_t i;
    v->messages++;
    v->hash = (v->hash ^ opcode) * 0x100000001b3u;
    v->hash = (v->hash ^ n) * 0x100000001b3u;
    for (i = 0; i < n; i++)
        v->hash = (v->hash ^ p[i]) * 0x100000001b3u;
}

/* A connection that is open has received these octets; whether as server. */
verdict judge_wslay(const uint8_t *octets, size_t n, int is_server);
verdict judge_websocketpp(const uint8_t *octets, size_t n, int is_server);

#ifdef __cplusplus
}
#endif

#endif
