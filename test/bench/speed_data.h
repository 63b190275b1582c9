/* SPDX-License-Identifier: MIT */
/* What the jobs of the benchmark of speed work on, and whether they do it right. */
#ifndef TENON_BENCH_SPEED_DATA_H
#define TENON_BENCH_SPEED_DATA_H

#include "speed.h"

/* Kinds of payload: octets of any value; text of ASCII, of it with every fourth
 * character of two octets, of characters of three, of four, of two and three. */
enum { OCTETS, ASCII, LATIN, CJK, EMOJI, MIXED };

typedef struct workload {
    const char *group, *name;
    int kind, payload;
    size_t size; /* of a message, a block, a text */
    size_t cut;
    int is_client;
    size_t offset;    /* MASK: from an address that is aligned */
    int with_kernels; /* tenon also with each of its kernels */
} workload;

/* Makes the job of a workload with so many messages or calls, or fewer: how many. */
double data_make(const workload *w, job *j, size_t most);

/* Whether the contender does the job right: NULL, or what is wrong. */
const char *data_judge(const workload *w, const contender *c, const job *j);

#endif
