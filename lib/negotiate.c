/* SPDX-License-Identifier: MIT */
#include "negotiate.h"

#include "field.h"

/* ------------------------------------------------------------ subprotocols */

int tenon_subprotocol_next(const tenon_fields *fields, tenon_cursor *cursor, tenon_str *name)
{
    int status;
    if (fields == NULL || cursor == NULL || name == NULL)
        return TENON_ERR_NULL;
    status = tenon_list_next(fields, TENON_FIELD_PROTOCOL, cursor, name);
    return status == TENON_OK && !tenon_is_token(*name) ? TENON_ERR_PROTOCOL : status;
}

/* Finds what was offered; in exact case (RFC 7936, 2). 1 and the slice of the
 * offer, or 0 and data NULL. */
static int find_offered(const tenon_fields *request, tenon_str want, tenon_str *found)
{
    tenon_cursor cursor;
    memset(&cursor, 0, sizeof cursor);
    while (tenon_subprotocol_next(request, &cursor, found) == TENON_OK) {
        if (tenon_same(*found, want))
            return 1;
    }
    memset(found, 0, sizeof *found);
    return 0;
}

int tenon_subprotocol_choose(const tenon_fields *fields, const char *const *ours, size_t count, tenon_str *chosen)
{
    size_t i;
    if (fields == NULL || chosen == NULL || (ours == NULL && count > 0))
        return TENON_ERR_NULL;
    memset(chosen, 0, sizeof *chosen);
    for (i = 0; i < count; i++) {
        if (find_offered(fields, tenon_string(ours[i], 0), chosen))
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
    size_t i, j;
    for (i = 0; i < request->subprotocol_count; i++) {
        tenon_str name = tenon_string(request->subprotocols[i], 0);
        if (!tenon_is_token(name))
            return 0;
        for (j = 0; j < i; j++) {
            if (tenon_same(name, tenon_string(request->subprotocols[j], 0)))
                return 0;
        }
    }
    return 1;
}

/* -------------------------------------------------------------- extensions */

/* 1 if the request offers an extension of that name. */
static int extension_offered(const tenon_fields *request, tenon_str name)
{
    size_t position = 0;
    tenon_str value;
    while (tenon_field_seek(request, TENON_FIELD_EXTENSIONS, &position, &value)) {
        if (tenon_extension_named(value, name))
            return 1;
    }
    return 0;
}

/*
 * 1 if a value of the program's can go out as it is: each element in the grammar, none empty,
 * for that only receivers tolerate (RFC 9110, 5.6.1.1), and offered if there is a request.
 */
static int extensions_sendable(const char *value, size_t size, const tenon_fields *request)
{
    tenon_str rest = tenon_string(value, size), element;
    const char *end = value + rest.size, *element_end;
    do {
        tenon_take(&rest, ',', &element);
        element_end = element.data + element.size;
        tenon_trim(&element);
        if (!tenon_extension_good(&element) || (request != NULL && !extension_offered(request, element)))
            return 0;
    } while (element_end != end);
    return 1;
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

int tenon_headers_check(const tenon_header *headers, size_t count)
{
    /* What the handshake writes itself, and what would change how the message or
     * the connection is read. */
    static const char owned[] = "Connection\0Content-Length\0Expect\0Host\0Keep-Alive\0Origin\0"
                                "Proxy-Connection\0TE\0Trailer\0Transfer-Encoding\0Upgrade\0";
    static const char prefix[] = "Sec-WebSocket-";
    size_t i;
    for (i = 0; i < count; i++) {
        tenon_str name = tenon_string(headers[i].name, headers[i].name_size);
        if (!tenon_is_token(name) || tenon_is_one_of(name, owned)
            || !tenon_is_value(tenon_string(headers[i].value, headers[i].value_size)))
            return TENON_ERR_HEADER;
        if (name.size >= sizeof prefix - 1) {
            name.size = sizeof prefix - 1;
            if (tenon_is(name, prefix))
                return TENON_ERR_HEADER;
        }
    }
    return TENON_OK;
}

/* ------------------------------------------------------------------ server */

uint16_t tenon_offer_check(const tenon_fields *protocols, const tenon_fields *extensions, const char **at)
{
    tenon_cursor cursor;
    tenon_str element;
    int status;
    memset(&cursor, 0, sizeof cursor);
    do {
        status = tenon_list_next(protocols, TENON_FIELD_PROTOCOL, &cursor, &element);
    } while (status == TENON_OK && tenon_is_token(element));
    *at = element.data;
    if (status != TENON_END)
        return TENON_RULE_SUBPROTOCOL;
    memset(&cursor, 0, sizeof cursor);
    do {
        status = tenon_list_next(extensions, TENON_FIELD_EXTENSIONS, &cursor, &element);
    } while (status == TENON_OK && tenon_extension_good(&element));
    *at = element.data;
    return status == TENON_END ? TENON_RULE_NONE : TENON_RULE_EXTENSION;
}

int tenon_answer_valid(const tenon_fields *request, const tenon_answer *answer, tenon_str *subprotocol)
{
    memset(subprotocol, 0, sizeof *subprotocol);
    if (answer == NULL)
        return TENON_OK;
    if (answer->subprotocol != NULL
        && !find_offered(request, tenon_string(answer->subprotocol, answer->subprotocol_size), subprotocol))
        return TENON_ERR_SUBPROTOCOL;
    if (answer->extensions != NULL && !extensions_sendable(answer->extensions, answer->extensions_size, request))
        return TENON_ERR_EXTENSION;
    return tenon_headers_check(answer->headers, answer->header_count);
}

/* ------------------------------------------------------------------ client */

int tenon_offer_valid(const tenon_request *request)
{
    tenon_str origin = tenon_string(request->origin, 0);
    if (!subprotocols_valid(request))
        return TENON_ERR_SUBPROTOCOL;
    if (request->extensions != NULL && !extensions_sendable(request->extensions, 0, NULL))
        return TENON_ERR_EXTENSION;
    if (origin.data != NULL && (origin.size == 0 || !tenon_is_value(origin)))
        return TENON_ERR_HEADER;
    return tenon_headers_check(request->headers, request->header_count);
}

/* 1 if one of the subprotocols asked for is name. */
static int asked_for(const tenon_request *request, tenon_str name)
{
    size_t i;
    for (i = 0; i < request->subprotocol_count; i++) {
        if (tenon_same(name, tenon_string(request->subprotocols[i], 0)))
            return 1;
    }
    return 0;
}

/* RFC 6455 lets a server pass over all that was offered; browsers do not, and the
 * flag asks for their way. */
static int choice_good(const tenon_fields *answer, const tenon_request *request, uint32_t flags, tenon_str *chosen)
{
    int count = tenon_field_count(answer, TENON_FIELD_PROTOCOL, chosen);
    if (count == 0)
        return (flags & TENON_REQUIRE_SUBPROTOCOL) == 0 || request->subprotocol_count == 0;
    return count == 1 && asked_for(request, *chosen);
}

/* 1 if each extension of an answer is in the grammar and was offered; else 0, and *at is
 * what is to be blamed. */
static int extensions_chosen(const tenon_fields *answer, const tenon_request *request, uint32_t flags,
                             const char **at)
{
    tenon_cursor cursor;
    tenon_str name;
    int status;
    memset(&cursor, 0, sizeof cursor);
    do {
        status = tenon_list_next(answer, TENON_FIELD_EXTENSIONS, &cursor, &name);
        *at = name.data;
    } while (status == TENON_OK && tenon_extension_good(&name)
             && (tenon_extension_named(tenon_string(request->extensions, 0), name)
                 || ((flags & TENON_CHOICE_DEFLATE) != 0 && tenon_same(name, tenon_string("permessage-deflate", 18)))));
    return status == TENON_END;
}

uint16_t tenon_choice_check(const tenon_fields *answer, const tenon_request *request, uint32_t flags,
                            tenon_str *subprotocol, const char **at)
{
    uint16_t rule = TENON_RULE_SUBPROTOCOL;
    if (choice_good(answer, request, flags, subprotocol)) {
        if (extensions_chosen(answer, request, flags, at))
            return TENON_RULE_NONE;
        rule = TENON_RULE_EXTENSION;
    } else {
        *at = subprotocol->data;
    }
    memset(subprotocol, 0, sizeof *subprotocol);
    return rule;
}
