/* SPDX-License-Identifier: MIT */
/* What strings of unknown octets are: tokens, values, hosts, targets; parameters of an
 * extension; trimmed. */
#include "proof.h"
#include "field.h"
#include "uri.h"

static void parameters(size_t n)
{
    tenon_extension extension;
    tenon_str name, value;
    size_t position = 0;
    extension.name = extension.parameters = unknown_str(n);
    while (tenon_parameter_next(&extension, &position, &name, &value) == TENON_OK)
        ;
}

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
        CASE(parameters(n));
    }
}
