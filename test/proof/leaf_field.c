/* SPDX-License-Identifier: MIT */
/* Fields of a head of unknown octets. */
#include "proof.h"
#include "field.h"

static tenon_fields fields_of(tenon_str s)
{
    tenon_fields fields = {NULL, 0, NULL, 0};
    fields.head = s.data;
    fields.head_size = s.size;
    return fields;
}

static void walk(tenon_str s)
{
    tenon_fields fields = fields_of(s);
    tenon_header field;
    size_t position = 0;
    while (tenon_header_next(&fields, &position, &field) == TENON_OK)
        ;
}

static void look(tenon_str s)
{
    tenon_fields fields = fields_of(s);
    tenon_str value;
    const char *at;
    tenon_header_find(&fields, "a", &value);
    tenon_field_count(&fields, "b", &value);
    tenon_no_content(&fields, &at);
}

void main(void)
{
    size_t n;
    //@ loop unroll N + 1;
    for (n = 0; n <= N; n++) {
        CASE(walk(unknown_str(n)));
        CASE(look(unknown_str(n)));
    }
}
