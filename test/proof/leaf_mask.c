/* SPDX-License-Identifier: MIT */
/* Masking in place and to elsewhere, with and without the check of UTF-8. */
#include "proof.h"
#include "tenon/frame.h"

static uint8_t key[4];

static void mask(uint8_t *to, uint8_t *from, size_t n, size_t phase)
{
    key[0] = any_u8;
    key[1] = any_u8;
    key[2] = any_u8;
    key[3] = any_u8;
    tenon_mask(to, from, n, key, phase);
}

static void check(uint8_t *to, uint8_t *from, size_t n, size_t phase)
{
    tenon_utf8 state = {0, 0, 0, 0};
    state.need = any_u8;
    state.low = any_u8;
    state.high = any_u8;
    key[0] = any_u8;
    key[1] = any_u8;
    key[2] = any_u8;
    key[3] = any_u8;
    tenon_mask_utf8(to, from, n, key, phase, &state);
}

static uint8_t *elsewhere(size_t n)
{
    return other_block() + (N + 1 - n);
}

void main(void)
{
    size_t n, phase;
    //@ loop unroll N + 1;
    for (n = 0; n <= N; n++) {
        uint8_t *data = unknown(n);
        //@ loop unroll 5;
        for (phase = 0; phase < 5; phase++) {
            CASE(mask(data, data, n, phase));
            CASE(mask(elsewhere(n), data, n, phase));
            CASE(check(data, data, n, phase));
            CASE(check(elsewhere(n), data, n, phase));
        }
    }
}
