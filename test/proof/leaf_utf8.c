/* SPDX-License-Identifier: MIT */
/* tenon_utf8_check from any state, over unknown octets. */
#include "proof.h"
#include "utf8.h"

static void check(size_t n)
{
    tenon_utf8 state;
    state.need = any_u8;
    state.low = any_u8;
    state.high = any_u8;
    state.reserved = any_u8;
    tenon_utf8_check(&state, unknown(n), n);
}

void main(void)
{
    size_t n;
    //@ loop unroll N + 1;
    for (n = 0; n <= N; n++) {
        CASE(check(n));
        CASE(tenon_utf8_open(unknown(n), n));
    }
}
