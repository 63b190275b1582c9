/* SPDX-License-Identifier: MIT */
/* The limit: memcpy of the same octets, and nothing understood. */
#include <string.h>

#include "speed.h"

/* Whatever is there may have been read: keeps the copies from being left out. */
#define READ_ALL() __asm__ volatile("" ::: "memory")

static int decode(job *j)
{
    static uint8_t in[CUT_MAX];
    size_t at, n;
    for (at = 0; at < j->in_size; at += n) {
        n = speed_piece(j->in_size - at, j->cut);
        memcpy(in, j->in + at, n);
        READ_ALL();
    }
    return 0;
}

/* The header is written, too. */
static int encode(job *j)
{
    size_t i, header = (j->in_size < 126 ? 2 : j->in_size < 65536 ? 4 : 10) + (j->is_client ? 4 : 0);
    for (i = 0; i < j->count; i++) {
        memset(j->out, (int)i, header);
        memcpy(j->out + header, j->in, j->in_size);
        READ_ALL();
    }
    return 0;
}

static int copy_each(job *j, uint8_t *to, const uint8_t *from, size_t size)
{
    size_t i, at, n;
    for (i = 0; i < j->count; i++) {
        for (at = 0; at < size; at += n) {
            n = speed_piece(size - at, j->cut);
            memcpy(to + at, from + at, n);
            READ_ALL();
        }
    }
    return 0;
}

static int mask(job *j)
{
    static uint8_t to[CUT_MAX];
    return copy_each(j, to, j->out, j->out_size);
}

static int text(job *j)
{
    return copy_each(j, j->out, j->in, j->in_size);
}

/* The request in, and an answer of the size that it must have at the least out. */
static int handshake(job *j)
{
    static uint8_t in[4096];
    size_t i;
    for (i = 0; i < j->count; i++) {
        memcpy(in, j->in, j->in_size);
        READ_ALL();
        memcpy(j->out, in, 129);
        READ_ALL();
    }
    return 0;
}

const contender speed_limits[] = {
    {"memcpy", DECODE, decode, NULL, 1}, {"memcpy", ENCODE, encode, NULL, 1},
    {"memcpy", MASK, mask, NULL, 1},     {"memcpy", CHECK, text, NULL, 1},
    {"memcpy", BOTH, text, NULL, 1},     {"memcpy", HANDSHAKE, handshake, NULL, 1},
    {NULL, 0, NULL, NULL, 0},
};
