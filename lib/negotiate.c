/* SPDX-License-Identifier: MIT */
#include "negotiate.h"

#include "field.h"

/* ------------------------------------------------------------ subprotocols */

/* What both lists of a handshake consist of: in the one names, in the other names with
 * parameters. */
enum { SUBPROTOCOLS, EXTENSIONS };

/* As tenon_list_next, and PROTOCOL for an element that is not in its grammar. *name: that
 * of the element, without parameters, or what is to be blamed. */
static int name_next(const tenon_fields *fields, int list, tenon_cursor *cursor, tenon_str *name)
{
    int status = tenon_list_next(fields, list == EXTENSIONS ? TENON_FIELD_EXTENSIONS : TENON_FIELD_PROTOCOL, cursor, name);
    if (status == TENON_OK && !(list == EXTENSIONS ? tenon_extension_good(name) : tenon_is_token(*name)))
        return TENON_ERR_PROTOCOL;
    return status;
}

int tenon_subprotocol_next(const tenon_fields *fields, tenon_cursor *cursor, tenon_str *name)
{
    if (fields == NULL || cursor == NULL || name == NULL)
        return TENON_ERR_NULL;
    return name_next(fields, SUBPROTOCOLS, cursor, name);
}

/* Finds *name in what was offered; in exact case (RFC 7936, 2). 1 and the slice of the
 * offer, or 0 and data NULL. */
static int find_offered(const tenon_fields *request, int list, tenon_str *name)
{
    tenon_cursor cursor;
    tenon_str want = *name;
    memset(&cursor, 0, sizeof cursor);
    while (name_next(request, list, &cursor, name) == TENON_OK) {
        if (tenon_same(*name, want))
            return 1;
    }
    memset(name, 0, sizeof *name);
    return 0;
}

/* 1 if s is one of the texts. */
static TENON_SMALL_APART int is_among(tenon_str s, const char *const *texts, size_t count)
{
    size_t i;
    for (i = 0; i < count; i++) {
        if (tenon_same(s, tenon_string(texts[i], 0)))
            return 1;
    }
    return 0;
}

int tenon_subprotocol_choose(const tenon_fields *fields, const char *const *ours, size_t count, tenon_str *chosen)
{
    size_t i;
    if (fields == NULL || chosen == NULL || (ours == NULL && count > 0))
        return TENON_ERR_NULL;
    memset(chosen, 0, sizeof *chosen);
    for (i = 0; i < count; i++) {
        *chosen = tenon_string(ours[i], 0);
        if (find_offered(fields, SUBPROTOCOLS, chosen))
            return TENON_OK;
    }
    return TENON_END;
}

int tenon_origin_allowed(tenon_str origin, const char *const *allowed, size_t count, int allow_absent)
{
    size_t i;
    if (origin.data == NULL)
        return allow_absent != 0;
    for (i = 0; allowed != NULL && i < count; i++) {
        if (allowed[i] != NULL && tenon_is(origin, allowed[i]))
            return 1;
    }
    return 0;
}

static int subprotocols_valid(const tenon_request *request)
{
    size_t i;
    for (i = 0; i < request->subprotocol_count; i++) {
        tenon_str name = tenon_string(request->subprotocols[i], 0);
        if (!tenon_is_token(name) || is_among(name, request->subprotocols, i))
            return 0;
    }
    return 1;
}

/* -------------------------------------------------------------- extensions */

/*
 * Takes the first element off a value of the program's. 1 and its name if it can go out as it
 * is: in the grammar, and not empty, for that only receivers tolerate (RFC 9110, 5.6.1.1); so
 * no comma may be the last.
 */
static int extension_take(tenon_str *rest, tenon_str *name)
{
    tenon_take(rest, ',', name);
    tenon_trim(name);
    return tenon_extension_good(name) && (rest->size > 0 || rest->data[-1] != ',');
}

void tenon_extensions_put(tenon_text *out, tenon_str own, const char *more)
{
    if (own.data == NULL && *more == '\0')
        return;
    tenon_text_string(out, TENON_FIELD_EXTENSIONS);
    tenon_text_string(out, ": ");
    tenon_text_put(out, own.data, own.size);
    if (own.data != NULL && *more != '\0')
        tenon_text_string(out, ", ");
    tenon_text_string(out, more);
    tenon_text_string(out, "\r\n");
}

/* ----------------------------------------------------------------- headers */

static int header_good(const tenon_header *header)
{
    /* What the handshake writes itself, and what would change how the message or
     * the connection is read. */
    static const char owned[] = "Connection\0Content-Length\0Expect\0Host\0Keep-Alive\0Origin\0"
                                "Proxy-Connection\0TE\0Trailer\0Transfer-Encoding\0Upgrade\0";
    static const char prefix[] = "Sec-WebSocket-";
    tenon_str name = tenon_string(header->name, header->name_size);
    if (!tenon_is_token(name) || tenon_is_one_of(name, owned)
        || !tenon_is_value(tenon_string(header->value, header->value_size)))
        return 0;
    if (name.size < sizeof prefix - 1)
        return 1;
    name.size = sizeof prefix - 1;
    return !tenon_is(name, prefix);
}

int tenon_headers_check(const tenon_header *headers, size_t count)
{
    size_t i;
    for (i = 0; i < count; i++) {
        if (!header_good(headers + i))
            return TENON_ERR_HEADER;
    }
    return TENON_OK;
}

/* ------------------------------------------------------------------ server */

/* 1 if all of a list is in its grammar, and *at is NULL; else 0, and *at is what is to be
 * blamed. */
static int list_good(const tenon_fields *fields, int list, const char **at)
{
    tenon_cursor cursor;
    tenon_str name;
    int status;
    memset(&cursor, 0, sizeof cursor);
    do {
        status = name_next(fields, list, &cursor, &name);
    } while (status == TENON_OK);
    *at = name.data;
    return status == TENON_END;
}

unsigned int tenon_offer_check(const tenon_fields *protocols, const tenon_fields *extensions, const char **at)
{
    if (!list_good(protocols, SUBPROTOCOLS, at))
        return TENON_RULE_SUBPROTOCOL;
    return list_good(extensions, EXTENSIONS, at) ? TENON_RULE_NONE : TENON_RULE_EXTENSION;
}

/* 1 if a value of the program's can go out, and all that it names was offered. */
static int answer_sendable(const tenon_answer *answer, const tenon_fields *request)
{
    tenon_str rest = tenon_string(answer->extensions, answer->extensions_size), name;
    do {
        if (!extension_take(&rest, &name) || !find_offered(request, EXTENSIONS, &name))
            return 0;
    } while (rest.size > 0);
    return 1;
}

int tenon_answer_valid(const tenon_fields *request, const tenon_answer *answer, tenon_str *subprotocol)
{
    memset(subprotocol, 0, sizeof *subprotocol);
    if (answer == NULL)
        return TENON_OK;
    *subprotocol = tenon_string(answer->subprotocol, answer->subprotocol_size);
    if (subprotocol->data != NULL && !find_offered(request, SUBPROTOCOLS, subprotocol))
        return TENON_ERR_SUBPROTOCOL;
    if (answer->extensions != NULL && !answer_sendable(answer, request))
        return TENON_ERR_EXTENSION;
    return tenon_headers_check(answer->headers, answer->header_count);
}

/* ------------------------------------------------------------------ client */

/* 1 if a value of the program's can go out. */
static int offer_sendable(const char *extensions)
{
    tenon_str rest = tenon_string(extensions, 0), name;
    do {
        if (!extension_take(&rest, &name))
            return 0;
    } while (rest.size > 0);
    return 1;
}

int tenon_offer_valid(const tenon_request *request)
{
    const char *origin = request->origin;
    if (!subprotocols_valid(request))
        return TENON_ERR_SUBPROTOCOL;
    if (request->extensions != NULL && !offer_sendable(request->extensions))
        return TENON_ERR_EXTENSION;
    if (origin != NULL && (*origin == '\0' || !tenon_is_value(tenon_string(origin, 0))))
        return TENON_ERR_HEADER;
    return tenon_headers_check(request->headers, request->header_count);
}

/* RFC 6455 lets a server pass over all that was offered; browsers do not, and the
 * flag asks for their way. */
static int choice_good(const tenon_fields *answer, const tenon_request *request, uint32_t flags, tenon_str *chosen)
{
    int count = tenon_field_count(answer, TENON_FIELD_PROTOCOL, chosen);
    if (count == 0)
        return (flags & TENON_REQUIRE_SUBPROTOCOL) == 0 || request->subprotocol_count == 0;
    return count == 1 && is_among(*chosen, request->subprotocols, request->subprotocol_count);
}

/* The rule that the extensions of an answer break, each of which must be in the grammar and
 * offered, and then *blamed. */
static TENON_SMALL_APART uint16_t check_extensions(const tenon_fields *answer, const tenon_request *request, uint32_t flags,
                                 tenon_str *blamed)
{
    tenon_cursor cursor;
    tenon_str name;
    int status;
    memset(&cursor, 0, sizeof cursor);
    do {
        status = name_next(answer, EXTENSIONS, &cursor, &name);
    } while (status == TENON_OK
             && (tenon_extension_named(request->extensions, name)
                 || ((flags & TENON_CHOICE_DEFLATE) != 0 && tenon_extension_named("permessage-deflate", name))));
    if (status == TENON_END)
        return TENON_RULE_NONE;
    *blamed = name;
    return TENON_RULE_EXTENSION;
}

uint16_t tenon_choice_check(const tenon_fields *answer, const tenon_request *request, uint32_t flags, tenon_str *value)
{
    if (!choice_good(answer, request, flags, value))
        return TENON_RULE_SUBPROTOCOL;
    return check_extensions(answer, request, flags, value);
}
