/* SPDX-License-Identifier: MIT */
#include "relay/rate.h"

#define SECOND 1000

static int64_t full(uint64_t rate)
{
    return (int64_t)rate * SECOND;
}

/* So many a second are so many thousandths a millisecond. */
static void fill(bucket *b, uint64_t rate, uint64_t ms)
{
    uint64_t missing = (uint64_t)(full(rate) - b->level);
    if (rate == 0)
        return;
    b->level += (int64_t)(ms > missing / rate ? missing : ms * rate);
}

static void pass_time(allowance *a, const rates *r, uint64_t now)
{
    uint64_t ms = now - a->at;
    a->at = now;
    fill(&a->messages, r->messages, ms);
    fill(&a->octets, r->octets, ms);
    if (a->is_held)
        a->debt += ms;
    else
        a->debt -= ms < a->debt ? ms : a->debt;
}

/* Milliseconds until a bucket is above zero. */
static uint64_t wait_for(const bucket *b, uint64_t rate)
{
    return rate == 0 || b->level > 0 ? 0 : (uint64_t)-b->level / rate + 1;
}

void rate_begin(allowance *a, const rates *r, uint64_t now)
{
    a->messages.level = full(r->messages);
    a->octets.level = full(r->octets);
    a->at = now;
    a->debt = 0;
    a->is_held = 0;
}

uint64_t rate_wait(allowance *a, const rates *r, uint64_t now)
{
    uint64_t messages, octets, wait;
    pass_time(a, r, now);
    messages = wait_for(&a->messages, r->messages);
    octets = wait_for(&a->octets, r->octets);
    wait = messages > octets ? messages : octets;
    a->is_held = wait > 0;
    /* The end of the patience is to be noticed in time. */
    if (r->patience_ms > a->debt && wait > r->patience_ms - a->debt)
        wait = r->patience_ms - a->debt;
    return wait;
}

int rate_exceeded(const allowance *a, const rates *r)
{
    return a->is_held && r->patience_ms > 0 && a->debt >= r->patience_ms;
}

void rate_take(allowance *a, const rates *r, uint64_t messages, uint64_t octets)
{
    if (r->messages > 0)
        a->messages.level -= (int64_t)(messages * SECOND);
    if (r->octets > 0)
        a->octets.level -= (int64_t)(octets * SECOND);
}
