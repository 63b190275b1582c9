/* SPDX-License-Identifier: MIT */
/*
 * Allowances of messages and of octets, as buckets that time fills.
 *
 * A bucket holds one second's worth. What passes may take it below zero by as much
 * as one piece; then nothing passes until it is above zero again. So the average
 * is kept whatever the size of the pieces, and nothing is ever thrown away: the
 * relay does not read, and TCP tells the client to wait.
 *
 * Who is held back builds up debt: each millisecond of waiting counts one, and
 * each without waiting pays one back. A burst is paid back soon; who wants more
 * than the rate all the time is held back nearly all the time, and at a debt of
 * patience_ms is in excess.
 */
#ifndef EXAMPLES_RELAY_RATE_H
#define EXAMPLES_RELAY_RATE_H

#include <stdint.h>

typedef struct rates {
    uint64_t messages, octets; /* a second; 0: no limit */
    uint64_t patience_ms;      /* 0: no end to it */
} rates;

typedef struct bucket {
    int64_t level; /* thousandths */
} bucket;

typedef struct allowance {
    bucket messages, octets;
    uint64_t at;   /* when the buckets were last filled */
    uint64_t debt; /* milliseconds, as of at */
    int is_held;   /* it has been waiting since at */
} allowance;

void rate_begin(allowance *a, const rates *r, uint64_t now);

/* Whether something may pass now: 0, or the milliseconds until it should ask
 * again; it is held back until then. */
uint64_t rate_wait(allowance *a, const rates *r, uint64_t now);

/* It is held back, and has been for too long. */
int rate_exceeded(const allowance *a, const rates *r);

/* It has passed. */
void rate_take(allowance *a, const rates *r, uint64_t messages, uint64_t octets);

#endif
