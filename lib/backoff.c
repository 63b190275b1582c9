/* SPDX-License-Identifier: MIT */
#include "base.h"

static uint32_t or_standard(uint32_t value, uint32_t standard)
{
    return value == 0 ? standard : value;
}

/* A delay in low..high, both included, by where the random number lies in its range. */
static uint32_t pick(uint32_t low, uint32_t high, const uint8_t random[4])
{
    uint64_t number = (uint64_t)random[0] << 24 | (uint64_t)random[1] << 16 | (uint64_t)random[2] << 8 | random[3];
    /* number < 2^32, so the product is under 2^64 and the quotient at most high - low */
    return low + (uint32_t)(number * ((uint64_t)high - low + 1) >> 32);
}

int tenon_backoff_next(tenon_backoff *backoff, uint64_t open_ms, const uint8_t random[4], uint32_t *delay_ms)
{
    uint32_t cap, delay, i;
    if (backoff == NULL || random == NULL || delay_ms == NULL)
        return TENON_ERR_NULL;
    if (backoff->size < TENON_BACKOFF_LEAST)
        return TENON_ERR_SIZE;
    if (open_ms >= or_standard(backoff->stable_ms, 30000))
        backoff->failures = 0;
    if (backoff->failures < UINT32_MAX)
        backoff->failures++;
    if (backoff->failures == 1) {
        *delay_ms = pick(0, or_standard(backoff->first_ms, 5000), random);
        return TENON_OK;
    }
    cap = or_standard(backoff->cap_ms, 60000);
    delay = or_standard(backoff->base_ms, 1000);
    for (i = 2; i < backoff->failures && delay < cap; i++)
        delay = delay > cap / 2 ? cap : delay * 2;
    if (delay > cap)
        delay = cap;
    *delay_ms = pick(delay - delay / 2, delay, random);
    return TENON_OK;
}
