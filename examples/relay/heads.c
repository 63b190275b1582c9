/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L

#include "relay/heads.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* ------------------------------------------------------------------- names */

static char plain(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (char)(c + ('a' - 'A'));
    return c == '_' ? '-' : c;
}

/* Whether the first n octets are alike. */
static int is_alike(const char *one, const char *other, size_t n)
{
    size_t i;
    for (i = 0; i < n; i++)
        if (plain(one[i]) != plain(other[i]))
            return 0;
    return 1;
}

int is_name(const char *name, size_t size, const char *other)
{
    return size == strlen(other) && is_alike(name, other, size);
}

static int begins_with(const tenon_header *field, const char *prefix)
{
    size_t n = strlen(prefix);
    return field->name_size >= n && is_alike(field->name, prefix, n);
}

static int is_one_of(const tenon_header *field, const char *const *names, size_t count)
{
    size_t i;
    for (i = 0; i < count; i++)
        if (is_name(field->name, field->name_size, names[i]))
            return 1;
    return 0;
}

/* What is the connection's own (RFC 9110, 7.6.1), or written by the library. */
static int is_of_connection(const tenon_header *field)
{
    static const char *const names[] = {
        "connection", "content-length", "expect", "host", "http2-settings", "keep-alive", "origin",
        "proxy-authenticate", "proxy-authentication-info", "proxy-authorization", "proxy-connection", "te",
        "trailer", "transfer-encoding", "upgrade",
    };
    return is_one_of(field, names, COUNT(names)) || begins_with(field, "sec-websocket-");
}

static int is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Takes the next element of a list, without the blanks around it; 0 at the end. */
static int next_element(tenon_str *list, tenon_str *element)
{
    while (list->size > 0) {
        const char *comma = memchr(list->data, ',', list->size);
        size_t n = comma != NULL ? (size_t)(comma - list->data) : list->size;
        element->data = list->data;
        element->size = n;
        list->data += comma != NULL ? n + 1 : n;
        list->size -= comma != NULL ? n + 1 : n;
        for (; element->size > 0 && is_blank(element->data[0]); element->size--)
            element->data++;
        while (element->size > 0 && is_blank(element->data[element->size - 1]))
            element->size--;
        if (element->size > 0)
            return 1;
    }
    return 0;
}

/* Whether Connection names this field, so that it is the connection's own too. */
static int is_named(const tenon_fields *fields, const tenon_header *field)
{
    tenon_header line;
    size_t position = 0;
    while (tenon_header_next(fields, &position, &line) == TENON_OK) {
        tenon_str list = {line.value, line.value_size}, element;
        if (!is_name(line.name, line.name_size, "connection"))
            continue;
        while (next_element(&list, &element))
            if (element.size == field->name_size && is_alike(element.data, field->name, element.size))
                return 1;
    }
    return 0;
}

/* ----------------------------------------------------------------- the request */

static tenon_str string(const char *text)
{
    tenon_str s = {text, strlen(text)};
    return s;
}

/* Memory of the offer, and what is written there; short of room, the offer fails. */
typedef struct writer {
    offer *to;
    int is_full;
} writer;

static void add(writer *w, tenon_str s)
{
    offer *o = w->to;
    if (s.size > o->room - o->used) {
        w->is_full = 1;
    } else if (s.size > 0) {
        memcpy(o->text + o->used, s.data, s.size);
        o->used += s.size;
    }
}

/* Ends the string that began at from. */
static const char *finish(writer *w, size_t from)
{
    tenon_str end = {"", 1};
    add(w, end);
    return w->to->text + from;
}

static const char *copy(writer *w, tenon_str s)
{
    size_t from = w->to->used;
    add(w, s);
    return finish(w, from);
}

static void put_field(writer *w, const char *name, tenon_str value)
{
    offer *o = w->to;
    tenon_header *field = &o->fields[o->request.header_count];
    if (o->request.header_count == FIELDS_MAX) {
        w->is_full = 1;
        return;
    }
    memset(field, 0, sizeof *field);
    field->name = name;
    field->value = copy(w, value);
    o->request.header_count++;
}

/* The subprotocols in their order, each once: who offers one twice would otherwise
 * be refused by the library, not by the origin. */
static void put_subprotocols(writer *w, const tenon_fields *fields)
{
    tenon_request *request = &w->to->request;
    tenon_cursor cursor;
    tenon_str name;
    memset(&cursor, 0, sizeof cursor);
    while (tenon_subprotocol_next(fields, &cursor, &name) == TENON_OK) {
        size_t i = 0, n = request->subprotocol_count;
        while (i < n && (strlen(w->to->subprotocols[i]) != name.size ||
                         memcmp(w->to->subprotocols[i], name.data, name.size) != 0))
            i++;
        if (i == n && n < SUBPROTOCOLS_MAX) {
            w->to->subprotocols[n] = copy(w, name);
            request->subprotocol_count++;
        }
    }
    request->subprotocols = w->to->subprotocols;
}

/*
 * The relay divides frames anew. An extension may be passed on only if that does
 * it no harm (RFC 6455, 5.4), which is known of this one: it works on messages,
 * whatever their frames. The others are not offered to the origin.
 */
static int is_extension_passed(const tenon_extension *extension)
{
    static const char deflate[] = "permessage-deflate";
    return extension->name.size == sizeof deflate - 1 &&
           memcmp(extension->name.data, deflate, sizeof deflate - 1) == 0;
}

/* An element of the list as it stands there. */
static tenon_str whole_extension(const tenon_extension *extension)
{
    tenon_str s = extension->name;
    if (extension->parameters.data != NULL)
        s.size = (size_t)(extension->parameters.data + extension->parameters.size - s.data);
    return s;
}

static void put_extensions(writer *w, const tenon_fields *fields)
{
    size_t from = w->to->used;
    tenon_extension extension;
    tenon_cursor cursor;
    memset(&cursor, 0, sizeof cursor);
    while (tenon_extension_next(fields, &cursor, &extension) == TENON_OK) {
        if (!is_extension_passed(&extension))
            continue;
        if (w->to->used > from)
            add(w, string(", "));
        add(w, whole_extension(&extension));
    }
    if (w->to->used > from)
        w->to->request.extensions = finish(w, from);
}

/* What tells of proxies on the way. */
static int is_of_proxies(const tenon_header *field)
{
    static const char *const names[] = {"forwarded", "x-real-ip", "x-client-ip", "true-client-ip"};
    return is_one_of(field, names, COUNT(names)) || begins_with(field, "x-forwarded-");
}

static int is_offered(const relay *r, const tenon_fields *fields, const tenon_header *field)
{
    if (is_of_connection(field) || is_named(fields, field))
        return 0;
    if (r->token_header != NULL && is_name(field->name, field->name_size, r->token_header))
        return 0; /* the origin has no use for the relay's secret */
    if (is_name(field->name, field->name_size, "x-forwarded-for"))
        return 0; /* the relay writes it in any case */
    return r->trusts_forwarded || !is_of_proxies(field);
}

/* The fields of the client that go on; they stay in the copy of its head. */
static void put_fields(writer *w, const relay *r, const tenon_fields *fields)
{
    tenon_request *request = &w->to->request;
    tenon_header field;
    size_t position = 0;
    while (tenon_header_next(fields, &position, &field) == TENON_OK) {
        if (!is_offered(r, fields, &field))
            continue;
        if (request->header_count == FIELDS_MAX) {
            w->is_full = 1;
            return;
        }
        if (field.value_size == 0)
            field.value = ""; /* a size of zero means: up to NUL */
        w->to->fields[request->header_count++] = field;
    }
}

/* X-Forwarded-For: what trusted proxies have written, and the client's address. */
static void put_forwarded_for(writer *w, const relay *r, const tenon_fields *fields, const char *peer)
{
    size_t from = w->to->used, position = 0;
    tenon_header field, *to = &w->to->fields[w->to->request.header_count];
    while (r->trusts_forwarded && tenon_header_next(fields, &position, &field) == TENON_OK) {
        tenon_str value = {field.value, field.value_size};
        if (!is_name(field.name, field.name_size, "x-forwarded-for") || value.size == 0)
            continue;
        add(w, value);
        add(w, string(", "));
    }
    add(w, string(peer));
    if (w->to->request.header_count == FIELDS_MAX) {
        w->is_full = 1;
        return;
    }
    memset(to, 0, sizeof *to);
    to->name = "X-Forwarded-For";
    to->value = finish(w, from);
    w->to->request.header_count++;
}

/* Whether the client's own field of that name goes on. It may be there and not: a field
 * that Connection names was left out, and the relay's takes its place. */
static int is_passed(const writer *w, const char *name)
{
    size_t i;
    for (i = 0; i < w->to->request.header_count; i++)
        if (is_name(w->to->fields[i].name, w->to->fields[i].name_size, name))
            return 1;
    return 0;
}

static void put_forwarded(writer *w, const relay *r, const tenon_fields *fields, tenon_str host, const char *peer)
{
    put_forwarded_for(w, r, fields, peer);
    if (!is_passed(w, "X-Forwarded-Host"))
        put_field(w, "X-Forwarded-Host", host);
    if (!is_passed(w, "X-Forwarded-Proto"))
        put_field(w, "X-Forwarded-Proto", string("http"));
    put_field(w, "Via", string("1.1 relay")); /* RFC 9110, 7.6.3 */
}

offer *offer_make(const relay *r, const tenon_head *head, const char *peer)
{
    /* A copy of the fields; and what is made of them, each at most once. */
    size_t room = 4 * head->fields.head_size + head->target.size + head->authority.size + 512;
    offer *o = calloc(1, sizeof *o + room);
    tenon_fields fields = head->fields;
    tenon_str lines = {head->fields.head, head->fields.head_size};
    writer w = {o, 0};
    if (o == NULL)
        return NULL;
    o->room = room;
    add(&w, lines);
    fields.head = o->text;
    o->request.size = sizeof o->request;
    o->request.authority = r->authority;
    o->request.target = copy(&w, head->target);
    if (head->origin.size > 0)
        o->request.origin = copy(&w, head->origin);
    o->request.headers = o->fields;
    put_subprotocols(&w, &fields);
    put_extensions(&w, &fields);
    put_fields(&w, r, &fields);
    put_forwarded(&w, r, &fields, head->authority, peer);
    if (w.is_full) {
        free(o);
        return NULL;
    }
    return o;
}

/* ------------------------------------------------------------------ the answer */

size_t answer_fields(const tenon_fields *from, tenon_header *to, size_t max)
{
    size_t position = 0, count = 0;
    tenon_header field;
    while (count < max && tenon_header_next(from, &position, &field) == TENON_OK) {
        if (is_of_connection(&field) || is_named(from, &field))
            continue;
        if (field.value_size == 0)
            field.value = "";
        to[count++] = field;
    }
    return count;
}

int answer_extensions(const tenon_fields *from, char *value, size_t room, size_t *size)
{
    tenon_extension extension;
    tenon_cursor cursor;
    *size = 0;
    memset(&cursor, 0, sizeof cursor);
    while (tenon_extension_next(from, &cursor, &extension) == TENON_OK) {
        tenon_str element = whole_extension(&extension);
        if (element.size + 2 > room - *size)
            return -1;
        if (*size > 0) {
            memcpy(value + *size, ", ", 2);
            *size += 2;
        }
        memcpy(value + *size, element.data, element.size);
        *size += element.size;
    }
    return 0;
}
