/* SPDX-License-Identifier: MIT */
/* Lists, extensions and their parameters, in the unknown value of one field. */
#include "proof.h"
#include "field.h"

static tenon_header line;

static tenon_fields fields_of(const char *name, size_t n)
{
    tenon_fields fields = {NULL, 0, NULL, 0};
    line.name = name;
    line.name_size = 0;
    line.value = (const char *)unknown(n);
    line.value_size = n;
    fields.array = &line;
    fields.count = 1;
    return fields;
}

static void list(size_t n)
{
    tenon_fields fields = fields_of("a", n);
    tenon_list_has(&fields, "a", "x");
}

/* Those that nobody has judged. */
static void parameters(size_t n)
{
    tenon_extension extension;
    tenon_str name, value;
    size_t position = 0;
    extension.name = extension.parameters = unknown_str(n);
    while (tenon_parameter_next(&extension, &position, &name, &value) == TENON_OK)
        ;
}

static void extensions(size_t n)
{
    tenon_fields fields = fields_of("Sec-WebSocket-Extensions", n);
    tenon_extension extension;
    tenon_cursor cursor = {0, 0, {NULL, 0}};
    tenon_str name, value;
    while (tenon_extension_next(&fields, &cursor, &extension) == TENON_OK) {
        size_t position = 0;
        while (tenon_parameter_next(&extension, &position, &name, &value) == TENON_OK)
            ;
    }
}

void main(void)
{
    size_t n;
    //@ loop unroll N + 1;
    for (n = 1; n <= N; n++) {
        CASE(list(n));
        CASE(extensions(n));
        CASE(parameters(n));
    }
}
