/* SPDX-License-Identifier: MIT */
/* What strings of unknown octets are: tokens, values, hosts, targets; trimmed. */
#include "proof.h"
#include "field.h"
#include "uri.h"

void main(void)
{
    tenon_str trimmed;
    size_t n;
    //@ loop unroll N + 1;
    for (n = 0; n <= N; n++) {
        CASE(tenon_is_token(unknown_str(n)));
        CASE(tenon_is_value(unknown_str(n)));
        trimmed = unknown_str(n);
        CASE(tenon_trim(&trimmed));
        CASE(tenon_is(unknown_str(n), "ab"));
        CASE(tenon_is_one_of(unknown_str(n), "a\0bc\0"));
        CASE(tenon_host_valid(unknown_str(n)));
        CASE(tenon_target_valid(unknown_str(n)));
    }
}
