/* SPDX-License-Identifier: MIT */
/*
 * Fields, lists and the grammar of extensions against RFC 9110, 5 and RFC 6455, 9.1.
 * The input is lines, and each a field: the octet in front of it says which name it
 * gets, or that it has its own. They are read as the lines of a head and as an array,
 * which must come to the same.
 */
#include "common.h"
#include "field.h"
#include "reference.h"

typedef struct plan {
    tenon_fields array, head;
    tenon_header header[REF_FIELDS];
    ref_fields want;
    bytes text;
} plan;

/* The name of a line, which is taken off it. */
static tenon_str name_of(tenon_str *line)
{
    static const char *const names[] = {"Sec-WebSocket-Extensions", "sec-websocket-PROTOCOL", "Upgrade",
                                        "Content-Length", "Sec-WebSocket-Protocol"};
    tenon_str name;
    size_t i;
    unsigned which = line->size > 0 ? (unsigned char)line->data[0] - 'A' : 26;
    if (which < COUNT_OF(names)) {
        line->data++;
        line->size--;
        return tenon_string(names[which], 0);
    }
    for (i = 0; i < line->size && line->data[i] != ':'; i++)
        continue;
    name.data = line->data;
    name.size = i;
    i += i < line->size;
    line->data += i;
    line->size -= i;
    return name;
}

static void add_line(plan *p, tenon_str line)
{
    tenon_header *to = &p->header[p->want.count];
    tenon_str name = name_of(&line);
    if (name.size == 0 || memchr(line.data, '\r', line.size) != NULL)
        return; /* no head has such a line */
    to->name = name.data;
    to->name_size = name.size;
    to->value = line.size > 0 ? line.data : "";
    to->value_size = line.size;
    p->want.field[p->want.count].name = name;
    p->want.field[p->want.count].value = ref_trim(line);
    p->want.count++;
    bytes_add(&p->text, name.data, name.size);
    bytes_string(&p->text, ":");
    bytes_add(&p->text, line.data, line.size);
    bytes_string(&p->text, "\r\n");
}

static void make_plan(plan *p, const uint8_t *data, size_t size)
{
    size_t i, from = 0;
    memset(p, 0, sizeof *p);
    bytes_add(&p->text, "", 0);
    for (i = 0; i <= size && p->want.count < REF_FIELDS; i++) {
        tenon_str line;
        if (i < size && data[i] != '\n')
            continue;
        line.data = (const char *)data + from;
        line.size = i - from;
        add_line(p, line);
        from = i + 1;
    }
    p->array.array = p->header;
    p->array.count = p->want.count;
    p->head.head = fuzz_copy(p->text.data, p->text.size);
    p->head.head_size = p->text.size;
}

/* -------------------------------------------------------------------- fields */

static tenon_str slice(const char *data, size_t size)
{
    tenon_str s;
    s.data = data;
    s.size = size;
    return s;
}

static void check_walk(const tenon_fields *fields, const ref_fields *want)
{
    size_t position = 0, i;
    tenon_header field;
    for (i = 0; i < want->count; i++) {
        REQUIRE(tenon_header_next(fields, &position, &field) == TENON_OK);
        REQUIRE(ref_equal(slice(field.name, field.name_size), want->field[i].name));
        REQUIRE(ref_equal(slice(field.value, field.value_size), want->field[i].value));
    }
    REQUIRE(tenon_header_next(fields, &position, &field) == TENON_END);
}

static void check_find(const tenon_fields *fields, const ref_fields *want, const char *name)
{
    tenon_str value, first;
    size_t count = ref_field(want, name, &first);
    REQUIRE(tenon_header_find(fields, name, &value) == (count > 0 ? TENON_OK : TENON_END));
    REQUIRE((value.data != NULL) == (count > 0) && ref_equal(value, first));
    REQUIRE(tenon_field_count(fields, name, &value) == (count > 2 ? 2 : (int)count));
    REQUIRE(count != 1 || ref_equal(value, first));
}

/* --------------------------------------------------------------------- lists */

static void check_subprotocols(const tenon_fields *fields, const ref_fields *want)
{
    static ref_list list;
    size_t i, lines = ref_list_read(want, "Sec-WebSocket-Protocol", &list);
    tenon_cursor cursor = {0, 0, {NULL, 0}};
    tenon_str name;
    if (list.count == REF_ELEMENTS)
        return;
    for (i = 0; i < list.count; i++) {
        int good = ref_is_token(list.element[i]);
        REQUIRE(tenon_subprotocol_next(fields, &cursor, &name) == (good ? TENON_OK : TENON_ERR_PROTOCOL));
        REQUIRE(ref_equal(name, list.element[i]) && cursor.count == i + 1);
    }
    REQUIRE(tenon_subprotocol_next(fields, &cursor, &name) ==
            (lines > 0 && list.count == 0 ? TENON_ERR_PROTOCOL : TENON_END));
}

static void check_parameters(const tenon_extension *extension, const ref_extension *want)
{
    size_t position = 0, i;
    tenon_str name, value;
    for (i = 0; i < want->count; i++) {
        REQUIRE(tenon_parameter_next(extension, &position, &name, &value) == TENON_OK);
        REQUIRE(ref_equal(name, want->parameter[i].name) && ref_equal(value, want->parameter[i].value));
        REQUIRE((value.data == NULL) == (want->parameter[i].value.data == NULL));
    }
    REQUIRE(tenon_parameter_next(extension, &position, &name, &value) == TENON_END);
}

static void check_extensions(const tenon_fields *fields, const ref_fields *want)
{
    static ref_list list;
    static ref_extension e;
    size_t i, lines = ref_list_read(want, "Sec-WebSocket-Extensions", &list);
    tenon_cursor cursor = {0, 0, {NULL, 0}};
    tenon_extension extension;
    if (list.count == REF_ELEMENTS)
        return;
    for (i = 0; i < list.count; i++) {
        int good = ref_extension_read(list.element[i], &e);
        if (e.count == REF_ELEMENTS)
            return;
        REQUIRE(tenon_extension_next(fields, &cursor, &extension) == (good ? TENON_OK : TENON_ERR_PROTOCOL));
        REQUIRE(ref_equal(extension.name, good ? e.name : list.element[i]));
        if (good)
            check_parameters(&extension, &e);
    }
    REQUIRE(tenon_extension_next(fields, &cursor, &extension) ==
            (lines > 0 && list.count == 0 ? TENON_ERR_PROTOCOL : TENON_END));
}

/* Any octets as the parameters of an element: walks to an end, and stays inside. */
static void check_wild(const uint8_t *data, size_t size)
{
    tenon_extension extension;
    size_t position = 0, before;
    tenon_str name, value;
    int status;
    memset(&extension, 0, sizeof extension);
    extension.parameters = slice((const char *)data, size);
    do {
        before = position;
        status = tenon_parameter_next(&extension, &position, &name, &value);
        REQUIRE(position <= size && (status != TENON_OK || position > before));
    } while (status == TENON_OK);
}

static void check_all(const tenon_fields *fields, const ref_fields *want)
{
    static const char *const names[] = {"Sec-WebSocket-Extensions", "sec-websocket-protocol", "UPGRADE", "a"};
    size_t i;
    check_walk(fields, want);
    for (i = 0; i < COUNT_OF(names); i++)
        check_find(fields, want, names[i]);
    REQUIRE(tenon_list_has(fields, "Upgrade", "websocket") == ref_list_has(want, "Upgrade", "websocket"));
    check_subprotocols(fields, want);
    check_extensions(fields, want);
}

int fuzz_target(const uint8_t *data, size_t size)
{
    static plan p;
    unsigned c;
    make_plan(&p, data, size);
    fuzz_allow(100000 + 4000 * size);
    for (c = 0; size > 0 && c < 256; c++) {
        REQUIRE(tenon_is_tchar((uint8_t)c) == ref_is_tchar((int)c));
        REQUIRE(tenon_is_text((uint8_t)c) == ref_is_text((int)c));
    }
    check_all(&p.array, &p.want);
    check_all(&p.head, &p.want);
    check_wild(data, size);
    bytes_free(&p.text);
    return 0;
}
