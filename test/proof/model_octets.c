/* SPDX-License-Identifier: MIT */
/* What frame.h promises of masking and of the check of UTF-8, and no more: which octets
 * are read and written, and which results there are. For harnesses of the connection, in
 * the place of mask.c and utf8.c, which leaf_mask.c and leaf_utf8.c look at. */
#include "proof.h"
#include "tenon/frame.h"

static void look_at(const uint8_t *data, size_t n)
{
    volatile uint8_t seen;
    size_t i;
    for (i = 0; i < n; i++)
        seen = data[i];
}

static void fill(uint8_t *data, size_t n)
{
    size_t i;
    for (i = 0; i < n; i++)
        data[i] = any_u8;
}

size_t tenon_mask(void *dst, const void *src, size_t n, const uint8_t key[4], size_t phase)
{
    look_at(key, 4);
    look_at(src, n);
    fill(dst, n);
    return (phase + n) % 4;
}

/* Good up to any octet; all good, and in a character or not. */
static size_t judge(tenon_utf8 *state, size_t n)
{
    size_t i;
    state->low = state->high = any_u8;
    for (i = 0; i < n; i++) {
        if (any_int)
            return i;
    }
    if (n > 0)
        state->need = 0;
    if (n > 0 && any_int)
        state->need = 1;
    return n;
}

size_t tenon_utf8_check(tenon_utf8 *state, const void *data, size_t n)
{
    look_at(data, n);
    return judge(state, n);
}

size_t tenon_mask_utf8(void *dst, const void *src, size_t n, const uint8_t key[4], size_t phase, tenon_utf8 *state)
{
    tenon_mask(dst, src, n, key, phase);
    return judge(state, n);
}
