/* SPDX-License-Identifier: MIT */
/* The tokenizer of heads, over unknown octets cut in two, with unknown limits. */
#include "proof.h"
#include "http1.h"

static void feed(int role, size_t n, size_t cut)
{
    tenon_http1 h;
    tenon_http1_limits limits = {any_u32, any_u32, any_u32};
    const uint8_t *data = unknown(n);
    size_t used;
    tenon_http1_init(&h, role);
    if (tenon_http1_feed(&h, &limits, data, cut, &used) == TENON_WAIT)
        tenon_http1_feed(&h, &limits, data + cut, n - cut, &used);
    tenon_http1_status(h.rule);
}

void main(void)
{
    size_t n, cut;
    //@ loop unroll N + 1;
    for (n = 0; n <= N; n++) {
        //@ loop unroll N + 1;
        for (cut = 0; cut <= n; cut++) {
            CASE(feed(TENON_SERVER, n, cut));
            CASE(feed(TENON_CLIENT, n, cut));
        }
    }
}
