/* SPDX-License-Identifier: MIT */
#include "connect.h"

#include "field.h"
#include "negotiate.h"
#include "uri.h"

/* ------------------------------------------------------- writing of fields */

/* Where fields go, and what they need of strings that exist nowhere yet. */
typedef struct sink {
    tenon_header *out;
    size_t room;
    size_t count;
    char *scratch;
    size_t left;
    int short_of; /* something did not fit */
} sink;

static void put(sink *s, const char *name, size_t name_size, tenon_str value)
{
    tenon_header *field = s->out + s->count;
    if (s->count == s->room) {
        s->short_of = 1;
        return;
    }
    s->count++;
    field->name = name;
    field->name_size = name_size;
    /* An empty slice would be taken for a text that ends with NUL. */
    field->value = value.size > 0 ? value.data : "";
    field->value_size = value.size;
}

static void put_named(sink *s, const char *name, tenon_str value)
{
    put(s, name, strlen(name), value);
}

/* Adds to the string that is being made at the beginning of scratch. */
static void add(sink *s, size_t *size, const char *data, size_t n)
{
    if (n > s->left - *size) {
        s->short_of = 1;
        return;
    }
    if (n > 0)
        memcpy(s->scratch + *size, data, n);
    *size += n;
}

/* The string that was made; the scratch goes on behind it. */
static tenon_str made(sink *s, size_t size)
{
    tenon_str string;
    string.data = s->scratch;
    string.size = size;
    if (size > 0)
        s->scratch += size;
    s->left -= size;
    return string;
}

static void put_path(sink *s, const tenon_place *place)
{
    size_t size = 0;
    if (place->query.data == NULL) {
        put_named(s, ":path", place->path.size > 0 ? place->path : tenon_string("/", 1));
        return;
    }
    add(s, &size, "/", place->path.size == 0);
    add(s, &size, place->path.data, place->path.size);
    add(s, &size, "?", 1);
    add(s, &size, place->query.data, place->query.size);
    put_named(s, ":path", made(s, size));
}

static void put_subprotocols(sink *s, const tenon_request *request)
{
    size_t i, size = 0;
    for (i = 0; i < request->subprotocol_count; i++) {
        add(s, &size, ", ", i > 0 ? 2 : 0);
        add(s, &size, request->subprotocols[i], strlen(request->subprotocols[i]));
    }
    if (i > 0)
        put_named(s, "sec-websocket-protocol", made(s, size));
}

/* HTTP/2 and /3 know names in lower case only (RFC 9113, 8.2.1). */
static void put_lower(sink *s, const tenon_header *header)
{
    tenon_str name = tenon_string(header->name, header->name_size), value;
    size_t i, size = 0;
    add(s, &size, name.data, name.size);
    for (i = 0; i < size; i++) {
        if (s->scratch[i] >= 'A' && s->scratch[i] <= 'Z')
            s->scratch[i] = (char)(s->scratch[i] + ('a' - 'A'));
    }
    name = made(s, size);
    value = tenon_string(header->value, header->value_size);
    tenon_trim(&value);
    put(s, name.data, name.size, value);
}

/* Writes the fields of a request that is good. Apart, so that the checks do not stand
 * upon it. */
static TENON_APART int put_request(const tenon_request *request, const tenon_place *place, sink *s)
{
    size_t i;
    put_named(s, ":method", tenon_string("CONNECT", 0));
    put_named(s, ":protocol", tenon_string("websocket", 0));
    put_named(s, ":scheme", tenon_string(place->secure ? "https" : "http", 0));
    put_named(s, ":authority", place->authority);
    put_path(s, place);
    put_named(s, "sec-websocket-version", tenon_string("13", 0));
    if (request->origin != NULL)
        put_named(s, "origin", tenon_string(request->origin, 0));
    put_subprotocols(s, request);
    if (request->extensions != NULL)
        put_named(s, "sec-websocket-extensions", tenon_string(request->extensions, 0));
    for (i = 0; i < request->header_count; i++)
        put_lower(s, &request->headers[i]);
    return s->short_of ? TENON_ERR_SIZE : TENON_OK;
}

int tenon_connect_fields(const tenon_request *request, int secure, tenon_header *out, size_t *count, char *scratch,
                         size_t scratch_size)
{
    tenon_place place;
    sink s = {NULL, 0, 0, NULL, 0, 0};
    int status;
    if (request == NULL || out == NULL || count == NULL || (scratch == NULL && scratch_size > 0))
        return TENON_ERR_NULL;
    status = tenon_request_status(request);
    if (status == TENON_OK)
        status = tenon_place_parse(request, secure, &place);
    if (status == TENON_OK)
        status = tenon_offer_valid(request);
    if (status != TENON_OK)
        return status;
    s.out = out;
    s.room = *count;
    s.scratch = scratch;
    s.left = scratch_size;
    status = put_request(request, &place, &s);
    if (status == TENON_OK)
        *count = s.count;
    return status;
}

int tenon_connect_answer(const tenon_fields *request, const tenon_answer *answer, tenon_header *out, size_t *count)
{
    sink s = {NULL, 0, 0, NULL, 0, 0};
    tenon_str subprotocol;
    size_t i, j;
    int status;
    if (request == NULL || out == NULL || count == NULL)
        return TENON_ERR_NULL;
    status = tenon_answer_status(answer);
    if (status == TENON_OK)
        status = tenon_answer_valid(request, answer, &subprotocol);
    if (status != TENON_OK)
        return status;
    s.out = out;
    s.room = *count;
    put_named(&s, ":status", tenon_string("200", 0));
    if (subprotocol.data != NULL)
        put_named(&s, "sec-websocket-protocol", subprotocol);
    if (answer != NULL && answer->extensions != NULL)
        put_named(&s, "sec-websocket-extensions", tenon_string(answer->extensions, answer->extensions_size));
    for (i = 0; answer != NULL && i < answer->header_count; i++) {
        tenon_str name = tenon_string(answer->headers[i].name, answer->headers[i].name_size);
        tenon_str value = tenon_string(answer->headers[i].value, answer->headers[i].value_size);
        for (j = 0; j < name.size; j++) {
            if (name.data[j] >= 'A' && name.data[j] <= 'Z')
                return TENON_ERR_HEADER;
        }
        tenon_trim(&value);
        put(&s, name.data, name.size, value);
    }
    if (s.short_of)
        return TENON_ERR_SIZE;
    *count = s.count;
    return TENON_OK;
}

/* --------------------------------------------------------------- the check */

/* The pseudo-headers, each of which must be there. */
enum { METHOD, PROTOCOL, SCHEME, AUTHORITY, PATH, PSEUDO_COUNT };

static const char pseudo_names[PSEUDO_COUNT][11] = {":method", ":protocol", ":scheme", ":authority", ":path"};

/* Each of the checks returns 1 when the request is good, or this, which is 0. */
static int blame(tenon_verdict *verdict, uint16_t status, uint16_t rule, const char *at)
{
    verdict->status = status;
    verdict->rule = rule;
    verdict->at = at;
    return 0;
}

/* Notes a pseudo-header; 0 for one that is unknown or was there before. */
static int note_pseudo(const tenon_header *field, tenon_str pseudo[PSEUDO_COUNT])
{
    tenon_str name = tenon_string(field->name, field->name_size);
    size_t i;
    for (i = 0; i < PSEUDO_COUNT; i++) {
        if (pseudo[i].data == NULL && tenon_same(name, tenon_string(pseudo_names[i], 0))) {
            pseudo[i].data = field->value;
            pseudo[i].size = field->value_size;
            return 1;
        }
    }
    return 0;
}

/* 0 for a field that HTTP/1.1 has for the connection (RFC 9113, 8.2.2), and for a
 * name that is no token or not in lower case. */
static int is_field_good(const tenon_header *field)
{
    static const char forbidden[] = "connection\0upgrade\0keep-alive\0proxy-connection\0transfer-encoding\0";
    tenon_str name = tenon_string(field->name, field->name_size);
    size_t i;
    for (i = 0; i < name.size; i++) {
        if (name.data[i] >= 'A' && name.data[i] <= 'Z')
            return 0;
    }
    if (tenon_is(name, "te"))
        return tenon_is(tenon_string(field->value, field->value_size), "trailers");
    return tenon_is_token(name) && !tenon_is_one_of(name, forbidden);
}

static int check_fields(const tenon_fields *fields, tenon_str pseudo[PSEUDO_COUNT], tenon_verdict *verdict)
{
    tenon_header field;
    size_t position = 0, i;
    int regular = 0;
    while (tenon_header_next(fields, &position, &field) == TENON_OK) {
        if (!tenon_is_value(tenon_string(field.value, field.value_size)))
            return blame(verdict, 400, TENON_RULE_FIELD_VALUE, field.value);
        if (field.name[0] == ':') {
            if (regular || !note_pseudo(&field, pseudo))
                return blame(verdict, 400, TENON_RULE_PSEUDO, field.name);
            continue;
        }
        regular = 1;
        if (!is_field_good(&field))
            return blame(verdict, 400, TENON_RULE_FIELD_FORBIDDEN, field.name);
    }
    for (i = 0; i < PSEUDO_COUNT; i++) {
        if (pseudo[i].data == NULL)
            return blame(verdict, 400, TENON_RULE_PSEUDO, NULL);
    }
    return 1;
}

static int check_pseudo(const tenon_str pseudo[PSEUDO_COUNT], tenon_verdict *verdict)
{
    if (!tenon_same(pseudo[METHOD], tenon_string("CONNECT", 0)))
        return blame(verdict, 400, TENON_RULE_METHOD, pseudo[METHOD].data);
    /* A protocol that is only unknown (RFC 9220, 3). */
    if (!tenon_is(pseudo[PROTOCOL], "websocket"))
        return blame(verdict, 501, TENON_RULE_PROTOCOL, pseudo[PROTOCOL].data);
    if (!tenon_is(pseudo[SCHEME], "https") && !tenon_is(pseudo[SCHEME], "http"))
        return blame(verdict, 400, TENON_RULE_SCHEME, pseudo[SCHEME].data);
    if (!tenon_host_valid(pseudo[AUTHORITY]))
        return blame(verdict, 400, TENON_RULE_HOST, pseudo[AUTHORITY].data);
    if (!tenon_target_valid(pseudo[PATH]))
        return blame(verdict, 400, TENON_RULE_TARGET, pseudo[PATH].data);
    return 1;
}

static int check_regular(const tenon_fields *fields, tenon_str authority, tenon_verdict *verdict)
{
    tenon_str value;
    const char *at;
    uint16_t rule;
    int count = tenon_field_count(fields, "host", &value);
    if (count > 1 || (count == 1 && !tenon_alike(value, authority)))
        return blame(verdict, 400, TENON_RULE_HOST, value.data);
    if (!tenon_no_content(fields, &at))
        return blame(verdict, 400, TENON_RULE_BODY, at);
    if (tenon_field_count(fields, "sec-websocket-version", &value) != 1 || !tenon_is(value, "13"))
        return blame(verdict, 400, TENON_RULE_VERSION, value.data);
    rule = (uint16_t)tenon_offer_check(fields, fields, &at);
    return rule == TENON_RULE_NONE ? 1 : blame(verdict, 400, rule, at);
}

int tenon_connect_check(const tenon_fields *fields, int end_stream, tenon_verdict *verdict)
{
    tenon_str pseudo[PSEUDO_COUNT];
    uint32_t size;
    if (fields == NULL || verdict == NULL)
        return TENON_ERR_NULL;
    size = verdict->size;
    if (size < TENON_VERDICT_LEAST)
        return TENON_ERR_SIZE;
    (void)tenon_clear(verdict, size, sizeof *verdict);
    verdict->size = size;
    memset(pseudo, 0, sizeof pseudo);
    (void)tenon_header_find(fields, "origin", &verdict->origin);
    if (!check_fields(fields, pseudo, verdict) || !check_pseudo(pseudo, verdict)
        || !check_regular(fields, pseudo[AUTHORITY], verdict))
        return TENON_OK;
    if (end_stream)
        (void)blame(verdict, 400, TENON_RULE_EOF, NULL);
    else
        verdict->status = 200;
    return TENON_OK;
}

int tenon_connect_answer_check(uint16_t status, const tenon_fields *fields, const tenon_request *request,
                               uint32_t flags, tenon_verdict *verdict)
{
    tenon_str value;
    uint32_t size;
    int given;
    if (fields == NULL || request == NULL || verdict == NULL)
        return TENON_ERR_NULL;
    size = verdict->size;
    if (size < TENON_VERDICT_LEAST)
        return TENON_ERR_SIZE;
    given = tenon_request_status(request);
    if (given != TENON_OK)
        return given;
    (void)tenon_clear(verdict, size, sizeof *verdict);
    verdict->size = size;
    verdict->status = status;
    verdict->rule = TENON_RULE_STATUS;
    if (status < 200 || status > 299)
        return TENON_OK;
    verdict->rule = tenon_choice_check(fields, request, flags, &value);
    if (verdict->rule == TENON_RULE_NONE)
        verdict->subprotocol = value;
    else
        verdict->at = value.data;
    return TENON_OK;
}
