/* SPDX-License-Identifier: MIT */
/* What the harnesses share: values that may be anything, and octets at the very end of
 * their memory, so that one octet too far is seen. */
#ifndef TENON_PROOF_H
#define TENON_PROOF_H

#include "base.h"

/* Octets of the largest input; from the command line. */
#ifndef N
#define N 4
#endif

/* Reading one of these gives any value of its type. */
extern volatile uint8_t any_u8;
extern volatile uint16_t any_u16;
extern volatile uint32_t any_u32;
extern volatile uint64_t any_u64;
extern volatile size_t any_size;
extern volatile int any_int;

/* A case of its own: nothing of it is carried into the next one. Its end is told, so
 * that run.sh can see that it has one. */
static inline void over(void)
{
    for (;;)
        ;
}

#define CASE(call)                             \
    do {                                       \
        if (any_int) {                         \
            call;                              \
            Frama_C_show_each_over(__LINE__);  \
            over();                            \
        }                                      \
    } while (0)

#ifdef FORGET


/* Blocks that stand for many: of them the analysis keeps no more than that each octet may
 * be anything. It learns nothing of an octet by looking at it, and so does not tell apart
 * what differs in that alone. Pointers into one cannot be subtracted. */
static inline uint8_t *block(void)
{
    uint8_t *memory = NULL;
    size_t i;
    //@ loop unroll 3;
    for (i = 0; i < 3; i++)
        memory = calloc(N + 1, 1);
    return memory;
}

static inline uint8_t *other_block(void)
{
    uint8_t *memory = NULL;
    size_t i;
    //@ loop unroll 3;
    for (i = 0; i < 3; i++)
        memory = calloc(N + 1, 1);
    return memory;
}

#else

static inline uint8_t *block(void)
{
    static uint8_t memory[N + 1];
    return memory;
}

static inline uint8_t *other_block(void)
{
    static uint8_t memory[N + 1];
    return memory;
}

#endif

/* n octets, all unknown, that end where their memory ends; n is at most N. */
static inline uint8_t *unknown(size_t n)
{
    uint8_t *memory = block();
    size_t i;
    //@ loop unroll N + 2;
    for (i = 0; i <= N; i++)
        memory[i] = any_u8;
    return memory + (N + 1 - n);
}

static inline tenon_str unknown_str(size_t n)
{
    tenon_str s;
    s.data = (const char *)unknown(n);
    s.size = n;
    return s;
}

#endif
