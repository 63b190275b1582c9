/* SPDX-License-Identifier: MIT */
#include "handshake_server.h"

#include "base64.h"
#include "field.h"
#include "key.h"
#include "negotiate.h"
#include "uri.h"

#define HTTP_1_1 0x0101

void tenon_server_head(const char *text, size_t n, tenon_head *head)
{
    size_t host = 0, origin = 0;
    tenon_http1_request(text, n, head);
    (void)tenon_field_seek(&head->fields, "Host", &host, &head->authority);
    (void)tenon_field_seek(&head->fields, "Origin", &origin, &head->origin);
    (void)tenon_target_split(head->target, &head->target, &head->authority);
}

/* --------------------------------------------------------------- the check */

/*
 * Where the fields of a handshake stand, so that each is looked for in its part of the
 * head and not in all of it. A part reaches from the first to the last field whose
 * name has that length and first letter: it holds all fields of its name, and what
 * else it holds only makes it longer.
 */
enum {
    PART_HOST,
    PART_ORIGIN,
    PART_EXPECT,
    PART_UPGRADE,
    PART_CONNECTION,
    PART_LENGTH, /* Content-Length */
    PART_CODING, /* Transfer-Encoding */
    PART_KEY,    /* this and those below: Sec-WebSocket- */
    PART_VERSION,
    PART_PROTOCOL,
    PART_EXTENSIONS,
    PARTS
};

TENON_STATIC_ASSERT(parts, PARTS == TENON_PARTS);

#if TENON_SMALL
static const tenon_fields *part_for(const tenon_asked *a, int part, tenon_fields *space)
{
    (void)part, (void)space;
    return &a->fields;
}
#else

/* The part that a name may belong to, or PARTS. */
static unsigned part_of(const tenon_header *field)
{
    /* The first part of a length, counted from 1, and the first letters of the parts:
     * there are at most two of a length, and these are neighbours. */
    static const uint8_t by_size[25] = {0, 0, 0, 0, 1, 0, 2, 4, 0, 0, 5, 0, 0, 0, 6, 0, 0, 7, 0, 0, 0, 9, 10, 0, 11};
    static const char letters[] = "hoeucctssss";
    unsigned part = field->name_size < sizeof by_size ? by_size[field->name_size] : 0u;
    if (part > 0) {
        char letter = (char)(field->name[0] | 0x20);
        if (letter == letters[part - 1])
            return part - 1;
        if (letter == letters[part])
            return part;
    }
    return PARTS;
}

/* One walk finds them all. */
static void find_parts(tenon_asked *a)
{
    tenon_header field;
    size_t from, position = 0;
    memset(a->first, 0, sizeof a->first);
    memset(a->end, 0, sizeof a->end);
    for (from = 0; tenon_header_next(&a->fields, &position, &field) == TENON_OK; from = position) {
        unsigned part = part_of(&field);
        if (part == PARTS)
            continue;
        if (a->end[part] == 0)
            a->first[part] = from;
        a->end[part] = position;
    }
}

/* Fields that hold all of a name. *space: for the part, if there is one. */
static const tenon_fields *part_for(const tenon_asked *a, int part, tenon_fields *space)
{
    size_t first = a->first[part], size = a->end[part] - first;
    memset(space, 0, sizeof *space);
    if (a->end[part] == 0)
        return space;
    if (a->fields.head != NULL) {
        space->head = a->fields.head + first;
        space->head_size = size;
    } else {
        space->array = a->fields.array + first;
        space->count = size;
    }
    return space;
}
#endif

/* As tenon_field_count. Each of the checks returns the rule that is broken, or
 * TENON_RULE_NONE; then a->value is what is to be blamed. */
static TENON_SMALL_APART int count_of(tenon_asked *a, int part, const char *name)
{
    tenon_fields space;
    return tenon_field_count(part_for(a, part, &space), name, &a->value);
}

unsigned int tenon_method_check(tenon_asked *a)
{
    static const char known[] = "HEAD\0POST\0PUT\0DELETE\0CONNECT\0OPTIONS\0TRACE\0PATCH\0GET\0";
    if (a->version >> 8 != HTTP_1_1 >> 8) {
        a->value.data = NULL;
        return TENON_RULE_HTTP_VERSION;
    }
    if (a->value.size == 3 && memcmp(a->value.data, "GET", 3) == 0) /* tenon_same takes 20 octets more */
        return TENON_RULE_NONE;
    if (tenon_is_one_of(a->value, known))
        a->status = 405;
    return TENON_RULE_METHOD;
}

unsigned int tenon_target_check(tenon_asked *a)
{
    tenon_str path, authority;
    return tenon_target_split(a->value, &path, &authority) ? TENON_RULE_NONE : TENON_RULE_TARGET;
}

/* Exactly one, even if the target is absolute (RFC 9112, 3.2). HTTP/1.0 may do
 * without. */
static unsigned int check_host(tenon_asked *a)
{
    int count = count_of(a, PART_HOST, "Host");
    if (count == 1 ? tenon_host_valid(a->value) : count == 0 && a->version < HTTP_1_1)
        return TENON_RULE_NONE;
    return TENON_RULE_HOST;
}

/*
 * Content in an upgrade would be told from frames by guessing, which is how
 * requests are smuggled (RFC 9112, 11.2); so there must be none, and no doubt of it.
 */
static unsigned int check_body(tenon_asked *a)
{
    static const char codings[] = "chunked\0gzip\0deflate\0compress\0x-gzip\0x-compress\0";
    static const char name[] = "Transfer-Encoding";
    tenon_fields space;
    tenon_cursor cursor;
    if (!tenon_no_content(part_for(a, PART_LENGTH, &space), &a->value.data))
        return TENON_RULE_BODY;
    if (count_of(a, PART_CODING, name) == 0)
        return TENON_RULE_NONE;
    if (count_of(a, PART_LENGTH, "Content-Length") != 0)
        return TENON_RULE_BODY;
    memset(&cursor, 0, sizeof cursor);
    while (tenon_list_next(part_for(a, PART_CODING, &space), name, &cursor, &a->value) == TENON_OK) {
        if (!tenon_is_one_of(a->value, codings))
            return TENON_RULE_TRANSFER_CODING;
    }
    (void)count_of(a, PART_CODING, name);
    return TENON_RULE_BODY;
}

/* 1 if the list has the member. */
static TENON_SMALL_APART int has_member(tenon_asked *a, int part, const char *name, const char *member)
{
    tenon_fields space;
    if (tenon_list_has(part_for(a, part, &space), name, member))
        return 1;
    (void)count_of(a, part, name);
    return 0;
}

static unsigned int check_upgrade(tenon_asked *a)
{
    /* HTTP/1.0 knows neither Expect nor Upgrade (RFC 9110, 7.8 and 10.1.1). */
    a->value.data = NULL;
    if (a->version < HTTP_1_1)
        return TENON_RULE_UPGRADE;
    /* 100 would have to go out before 101 (RFC 9110, 7.8), for content that must
     * not be there. */
    if (count_of(a, PART_EXPECT, "Expect") != 0)
        return TENON_RULE_EXPECT;
    if (!has_member(a, PART_UPGRADE, "Upgrade", "websocket"))
        return TENON_RULE_UPGRADE;
    return has_member(a, PART_CONNECTION, "Connection", "upgrade") ? TENON_RULE_NONE : TENON_RULE_CONNECTION;
}

/* 1 if the version is in its grammar: 0 to 255 without leading zeros (RFC 6455, 4.3). */
static int is_version(tenon_str s)
{
    size_t i;
    unsigned int number = 0;
    if (s.size > 3 || s.size == 0 || (s.data[0] == '0' && s.size > 1))
        return 0;
    for (i = 0; i < s.size; i++) {
        if (s.data[i] < '0' || s.data[i] > '9')
            return 0;
        number = number * 10 + (unsigned int)(s.data[i] - '0');
    }
    return number <= 255;
}

static unsigned int check_key(tenon_asked *a)
{
    int count = count_of(a, PART_VERSION, "Sec-WebSocket-Version");
    if (count != 1 || !tenon_is(a->value, "13")) {
        if (count == 1 && is_version(a->value))
            a->status = 426;
        return TENON_RULE_VERSION;
    }
    if (count_of(a, PART_KEY, "Sec-WebSocket-Key") != 1 || !tenon_base64_is16(a->value.data, a->value.size))
        return TENON_RULE_KEY;
    a->key = a->value.data;
    return TENON_RULE_NONE;
}

unsigned int tenon_fields_check(tenon_asked *a)
{
    unsigned int rule;
#if !TENON_SMALL
    find_parts(a);
#endif
    rule = check_host(a);
    if (rule == TENON_RULE_NONE)
        rule = check_body(a);
    if (rule == TENON_RULE_NONE)
        rule = check_upgrade(a);
    return rule == TENON_RULE_NONE ? check_key(a) : rule;
}

unsigned int tenon_offers_check(tenon_asked *a)
{
#if TENON_SMALL
    return tenon_offer_check(&a->fields, &a->fields, &a->value.data);
#else
    tenon_fields spaces[2];
    return tenon_offer_check(part_for(a, PART_PROTOCOL, &spaces[0]), part_for(a, PART_EXTENSIONS, &spaces[1]),
                             &a->value.data);
#endif
}

int tenon_upgrade_check(tenon_str method, tenon_str target, uint16_t version, const tenon_fields *fields,
                        tenon_verdict *verdict)
{
    tenon_asked a;
    unsigned int rule;
    uint32_t size;
    if (fields == NULL || verdict == NULL)
        return TENON_ERR_NULL;
    size = verdict->size;
    if (size < TENON_VERDICT_LEAST)
        return TENON_ERR_SIZE;
    (void)tenon_clear(verdict, size, sizeof *verdict);
    verdict->size = size;
    (void)tenon_header_find(fields, "Origin", &verdict->origin);
    memset(&a, 0, sizeof a);
    a.fields = *fields;
    a.version = version;
    a.value = method;
    rule = tenon_method_check(&a);
    if (rule == TENON_RULE_NONE) {
        a.value = target;
        rule = tenon_target_check(&a);
    }
    if (rule == TENON_RULE_NONE)
        rule = tenon_fields_check(&a);
    if (rule == TENON_RULE_NONE)
        rule = tenon_offers_check(&a);
    verdict->rule = (uint16_t)rule;
    verdict->status = rule == TENON_RULE_NONE ? 101 : a.status != 0 ? a.status : tenon_http1_status((uint16_t)rule);
    verdict->key = tenon_string(a.key, TENON_KEY_SIZE);
    if (rule != TENON_RULE_NONE)
        verdict->at = a.value.data;
    return TENON_OK;
}

/* ------------------------------------------------------------- the answers */

void tenon_server_accept(const char key[TENON_KEY_SIZE], tenon_str subprotocol, tenon_text *out)
{
    char *room;
    tenon_text_string(out, "HTTP/1.1 101 Switching Protocols\r\n" TENON_UPGRADE "\r\nSec-WebSocket-Accept: ");
    room = tenon_text_take(out, TENON_ACCEPT_SIZE + 2);
    if (room != NULL) {
        tenon_key_hash(key, room);
        room[TENON_ACCEPT_SIZE] = '\r';
        room[TENON_ACCEPT_SIZE + 1] = '\n';
    }
    if (subprotocol.data != NULL)
        tenon_text_field(out, TENON_FIELD_PROTOCOL, subprotocol);
}

/*
 * What usually stands behind HTTP/1.1: the statuses with which the library refuses, and
 * the others that programs may have. Apart, because not every program has its own.
 */
static const char refusals[] = "400 Bad Request\0"
                               "405 Method Not Allowed\0"
                               "408 Request Timeout\0"
                               "414 URI Too Long\0"
                               "417 Expectation Failed\0"
                               "426 Upgrade Required\0"
                               "431 Request Header Fields Too Large\0"
                               "501 Not Implemented\0"
                               "503 Service Unavailable\0"
                               "505 HTTP Version Not Supported\0";
static const char others[] = "200 OK\0"
                             "301 Moved Permanently\0"
                             "302 Found\0"
                             "303 See Other\0"
                             "307 Temporary Redirect\0"
                             "308 Permanent Redirect\0"
                             "401 Unauthorized\0"
                             "403 Forbidden\0"
                             "404 Not Found\0"
                             "429 Too Many Requests\0"
                             "500 Internal Server Error\0"
                             "502 Bad Gateway\0"
                             "504 Gateway Timeout\0";

/* The line of a status, or an empty one. */
static const char *find_line(const char *lines, uint16_t status)
{
    /* An empty line is the last: what the analyzer takes for its second octet is none. */
    while (*lines != '\0' /* NOLINT(clang-analyzer-core.UndefinedBinaryOperatorResult) */
           && tenon_http1_code(lines) != status)
        lines += strlen(lines) + 1;
    return lines;
}

/* Ends the status line; what a refusal must say of the connection, and, with allow, of
 * methods. */
static void put_connection(tenon_text *out, uint16_t status, int allow)
{
    tenon_text_string(out, "\r\n");
    if (status == 426) { /* RFC 9110, 15.5.22; RFC 6455, 4.4 */
        tenon_text_string(out, TENON_UPGRADE ", close\r\nSec-WebSocket-Version: 13\r\n");
    } else {
        tenon_text_string(out, "Connection: close\r\n");
    }
    if (status == 405 && allow)
        tenon_text_string(out, "Allow: GET\r\n");
}

/* The status line; without a reason phrase of the program's, the usual one, or an
 * empty one where none is known (RFC 9112, 4). */
static void put_status(tenon_text *out, uint16_t status, tenon_str reason)
{
    const char *line = find_line(refusals, status);
    if (*line == '\0')
        line = find_line(others, status);
    if (reason.data == NULL && *line != '\0')
        reason = tenon_string(line + 4, 0);
    tenon_text_string(out, "HTTP/1.1 ");
    tenon_text_number(out, status);
    tenon_text_put(out, " ", 1);
    tenon_text_put(out, reason.data, reason.size);
}

int tenon_server_reject(const tenon_refusal *refusal, tenon_text *out)
{
    uint16_t status = refusal->status;
    tenon_str reason = tenon_string(refusal->reason, refusal->reason_size);
    tenon_fields fields;
    tenon_str allow;
    int empty = status == 204 || status == 304;
    if (status < 200 || status > 599 || (empty && refusal->body_size > 0))
        return TENON_ERR_STATUS;
    if (!tenon_is_value(reason) || tenon_headers_check(refusal->headers, refusal->header_count) != TENON_OK)
        return TENON_ERR_HEADER;
    memset(&fields, 0, sizeof fields);
    fields.array = refusal->headers;
    fields.count = refusal->header_count;
    put_status(out, status, reason);
    put_connection(out, status, tenon_field_count(&fields, "Allow", &allow) == 0);
    if (!empty) {
        tenon_text_string(out, "Content-Length: ");
        tenon_text_number(out, refusal->body_size);
        tenon_text_put(out, "\r\n", 2);
    }
    return tenon_text_end(out, refusal->headers, refusal->header_count);
}

void tenon_server_refuse(uint16_t status, tenon_text *out)
{
    tenon_text_string(out, "HTTP/1.1 ");
    tenon_text_string(out, find_line(refusals, status));
    put_connection(out, status, 1);
    tenon_text_string(out, "Content-Length: 0\r\n\r\n");
}
