/* SPDX-License-Identifier: MIT */
/* What the leading program does: jobs for the workers, checks, and the two servers. */
#ifndef CROWD_LEAD_H
#define CROWD_LEAD_H

#include "crowd.h"

typedef struct crowd {
    pid_t pids[WORKERS];
    int fds[WORKERS];
    shared *shared;
    uint32_t size;        /* how many connections a server can hold */
    char why_size[96];    /* why it is not CROWD_MAX, or empty */
    unsigned passed, failed;
} crowd;

/* A job for all workers, and what became of it in sum: 1 if all have reached it, and
 * nothing was lost or wrong, else 0. number of OPEN: of all connections together. */
int crowd_do(crowd *c, job j, report *sum);

/* The two halves of it. */
void crowd_begin(crowd *c, job j);
int crowd_end(crowd *c, uint32_t ms, report *sum);

/* Milliseconds since a time of now_ns. */
double since_ms(uint64_t ns);

/* A line of the output: OK or FAIL, the name, what there is to say. Returns is_ok. */
int check(crowd *c, int is_ok, const char *name, const char *format, ...) __attribute__((format(printf, 4, 5)));

/* "19968 of 19968" and what went wrong, in a buffer of its own. */
const char *told(const report *r);

/* Sorts, and gives the value below which so many of 1000 lie. */
void sort_times(uint32_t *times, size_t count);
uint32_t part_of(const uint32_t *sorted, size_t count, unsigned per_mille);

/* Every check with one server. program: its path. */
void echo_checks(crowd *c, char *program);
void chat_checks(crowd *c, char *program);
void slow_checks(crowd *c, char *program);

#endif
