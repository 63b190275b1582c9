/* SPDX-License-Identifier: MIT */
#include "handshake_server.h"

#include "base64.h"
#include "field.h"
#include "key.h"
#include "negotiate.h"
#include "uri.h"

#define HTTP_1_1 0x0101

/* -------------------------------------------------------------- the target */

/*
 * Splits a target of either form (RFC 9112, 3.2): *path is what origin-form would
 * be, *authority what an absolute target names, untouched otherwise. 0, and
 * nothing is touched, for a target that GET cannot have. An absolute target with a query but no path is
 * refused too: its origin-form is no slice of it.
 */
static int split_target(tenon_str target, tenon_str *path, tenon_str *authority)
{
    tenon_uri uri;
    if (tenon_target_valid(target)) {
        *path = target;
        return 1;
    }
    /* ws: and wss: are no schemes of HTTP requests. */
    if (target.size == 0 || (target.data[0] | 0x20) != 'h'
        || tenon_uri_parse(target.data, target.size, &uri, NULL) != TENON_OK)
        return 0;
    if (uri.path.size == 0) {
        if (uri.query.data != NULL)
            return 0;
        *path = tenon_string("/", 1);
    } else {
        path->data = uri.path.data;
        path->size = target.size - (size_t)(uri.path.data - target.data);
    }
    *authority = uri.authority;
    return 1;
}

void tenon_server_head(const char *text, size_t n, tenon_head *head)
{
    tenon_http1_request(text, n, head);
    (void)tenon_header_find(&head->fields, "Host", &head->authority);
    (void)tenon_header_find(&head->fields, "Origin", &head->origin);
    (void)split_target(head->target, &head->target, &head->authority);
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

typedef struct asked {
    const tenon_fields *fields;
    size_t first[TENON_SMALL ? 1 : PARTS]; /* the position of a field */
    size_t end[TENON_SMALL ? 1 : PARTS];   /* the one behind a field; 0: there is none */
} asked;

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
static void find_parts(asked *a)
{
    tenon_header field;
    size_t from, position = 0;
    memset(a->end, 0, sizeof a->end);
    for (from = 0; tenon_header_next(a->fields, &position, &field) == TENON_OK; from = position) {
        unsigned part = part_of(&field);
        if (part == PARTS)
            continue;
        if (a->end[part] == 0)
            a->first[part] = from;
        a->end[part] = position;
    }
}

/* Fields that hold all of a name. *space: for the part, if there is one. */
static const tenon_fields *part_for(const asked *a, int part, tenon_fields *space)
{
    size_t first, size;
    if (TENON_SMALL)
        return a->fields;
    memset(space, 0, sizeof *space);
    if (a->end[part] == 0)
        return space;
    first = a->first[part];
    size = a->end[part] - first;
    if (a->fields->head != NULL) {
        space->head = a->fields->head + first;
        space->head_size = size;
    } else {
        space->array = a->fields->array + first;
        space->count = size;
    }
    return space;
}

/* As tenon_field_count. */
static int count_of(const asked *a, int part, const char *name, tenon_str *value)
{
    tenon_fields space;
    return tenon_field_count(part_for(a, part, &space), name, value);
}

/* Each of the checks returns 1 when the request is good, or this, which is 0. */
static int blame(tenon_verdict *verdict, uint16_t status, uint16_t rule, const char *at)
{
    verdict->status = status;
    verdict->rule = rule;
    verdict->at = at;
    return 0;
}

static int check_line(tenon_str method, tenon_str target, uint16_t version, tenon_verdict *verdict)
{
    static const char known[] = "HEAD\0POST\0PUT\0DELETE\0CONNECT\0OPTIONS\0TRACE\0PATCH\0GET\0";
    tenon_str path, authority;
    if (version >> 8 != HTTP_1_1 >> 8)
        return blame(verdict, 505, TENON_RULE_HTTP_VERSION, NULL);
    if (!tenon_same(method, tenon_string("GET", 3)))
        return blame(verdict, tenon_is_one_of(method, known) ? 405 : 501, TENON_RULE_METHOD, method.data);
    if (!split_target(target, &path, &authority))
        return blame(verdict, 400, TENON_RULE_TARGET, target.data);
    return 1;
}

/* Exactly one, even if the target is absolute (RFC 9112, 3.2). HTTP/1.0 may do
 * without. */
static int check_host(uint16_t version, const asked *a, tenon_verdict *verdict)
{
    tenon_str value;
    int count = count_of(a, PART_HOST, "Host", &value);
    if (count == 1 ? tenon_host_valid(value) : count == 0 && version < HTTP_1_1)
        return 1;
    return blame(verdict, 400, TENON_RULE_HOST, value.data);
}

/*
 * Content in an upgrade would be told from frames by guessing, which is how
 * requests are smuggled (RFC 9112, 11.2); so there must be none, and no doubt of it.
 */
static int check_body(const asked *a, tenon_verdict *verdict)
{
    static const char codings[] = "chunked\0gzip\0deflate\0compress\0x-gzip\0x-compress\0";
    static const char name[] = "Transfer-Encoding";
    tenon_fields space;
    const tenon_fields *fields = part_for(a, PART_LENGTH, &space);
    tenon_str value, length, coding;
    tenon_cursor cursor;
    const char *at;
    if (!tenon_no_content(fields, &at))
        return blame(verdict, 400, TENON_RULE_BODY, at);
    if (count_of(a, PART_CODING, name, &value) == 0)
        return 1;
    if (tenon_field_count(fields, "Content-Length", &length) > 0)
        return blame(verdict, 400, TENON_RULE_BODY, length.data);
    memset(&cursor, 0, sizeof cursor);
    fields = part_for(a, PART_CODING, &space);
    while (tenon_list_next(fields, name, &cursor, &coding) == TENON_OK) {
        if (!tenon_is_one_of(coding, codings))
            return blame(verdict, 501, TENON_RULE_TRANSFER_CODING, coding.data);
    }
    return blame(verdict, 400, TENON_RULE_BODY, value.data);
}

/* 1 if the list has the member. */
static int check_list(const asked *a, int part, const char *name, const char *member, uint16_t status, uint16_t rule,
                      tenon_verdict *verdict)
{
    tenon_fields space;
    const tenon_fields *fields = part_for(a, part, &space);
    tenon_str value;
    if (tenon_list_has(fields, name, member))
        return 1;
    (void)tenon_field_count(fields, name, &value);
    return blame(verdict, status, rule, value.data);
}

static int check_upgrade(uint16_t version, const asked *a, tenon_verdict *verdict)
{
    tenon_str value;
    /* HTTP/1.0 knows neither Expect nor Upgrade (RFC 9110, 7.8 and 10.1.1). */
    if (version < HTTP_1_1)
        return blame(verdict, 426, TENON_RULE_UPGRADE, NULL);
    /* 100 would have to go out before 101 (RFC 9110, 7.8), for content that must
     * not be there. */
    if (count_of(a, PART_EXPECT, "Expect", &value) > 0)
        return blame(verdict, 417, TENON_RULE_EXPECT, value.data);
    return check_list(a, PART_UPGRADE, "Upgrade", "websocket", 426, TENON_RULE_UPGRADE, verdict)
           && check_list(a, PART_CONNECTION, "Connection", "upgrade", 400, TENON_RULE_CONNECTION, verdict);
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

static int check_version(const asked *a, tenon_verdict *verdict)
{
    tenon_str value;
    if (count_of(a, PART_VERSION, "Sec-WebSocket-Version", &value) != 1 || !is_version(value))
        return blame(verdict, 400, TENON_RULE_VERSION, value.data);
    return tenon_is(value, "13") ? 1 : blame(verdict, 426, TENON_RULE_VERSION, value.data);
}

static int check_key(const asked *a, tenon_verdict *verdict)
{
    tenon_str value;
    if (count_of(a, PART_KEY, "Sec-WebSocket-Key", &value) != 1
        || !tenon_base64_is16(value.data, value.size))
        return blame(verdict, 400, TENON_RULE_KEY, value.data);
    verdict->key = value;
    return 1;
}

static int check_offer(const asked *a, tenon_verdict *verdict)
{
    tenon_fields spaces[2];
    const char *at;
    uint16_t rule = tenon_offer_check(part_for(a, PART_PROTOCOL, &spaces[0]),
                                      part_for(a, PART_EXTENSIONS, &spaces[1]), &at);
    return rule == TENON_RULE_NONE ? 1 : blame(verdict, 400, rule, at);
}

int tenon_upgrade_check(tenon_str method, tenon_str target, uint16_t version, const tenon_fields *fields,
                        tenon_verdict *verdict)
{
    asked a;
    tenon_fields space;
    uint32_t size;
    if (fields == NULL || verdict == NULL)
        return TENON_ERR_NULL;
    size = verdict->size;
    if (size < TENON_VERDICT_LEAST)
        return TENON_ERR_SIZE;
    (void)tenon_clear(verdict, size, sizeof *verdict);
    verdict->size = size;
    a.fields = fields;
    if (!TENON_SMALL)
        find_parts(&a);
    (void)tenon_header_find(part_for(&a, PART_ORIGIN, &space), "Origin", &verdict->origin);
    if (check_line(method, target, version, verdict) && check_host(version, &a, verdict) && check_body(&a, verdict)
        && check_upgrade(version, &a, verdict) && check_version(&a, verdict) && check_key(&a, verdict)
        && check_offer(&a, verdict))
        verdict->status = 101;
    return TENON_OK;
}

/* ------------------------------------------------------------- the answers */

int tenon_server_accept(const tenon_fields *request, const char key[TENON_KEY_SIZE], const tenon_answer *answer,
                        tenon_text *out, tenon_str *subprotocol)
{
    char accept[TENON_ACCEPT_SIZE + 1];
    int status = tenon_answer_valid(request, answer, subprotocol);
    if (status != TENON_OK)
        return status;
    tenon_key_hash(key, accept);
    tenon_text_string(out, "HTTP/1.1 101 Switching Protocols\r\n"
                           "Upgrade: websocket\r\n"
                           "Connection: Upgrade\r\n");
    tenon_text_field(out, "Sec-WebSocket-Accept", tenon_string(accept, TENON_ACCEPT_SIZE));
    if (subprotocol->data != NULL)
        tenon_text_field(out, TENON_FIELD_PROTOCOL, *subprotocol);
    return TENON_OK;
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
           && lines[0] * 100 + lines[1] * 10 + lines[2] - '0' * 111 != status)
        lines += strlen(lines) + 1;
    return lines;
}

/* What a refusal must say of the connection, and, with allow, of methods. */
static void put_connection(tenon_text *out, uint16_t status, int allow)
{
    tenon_text_string(out, status == 426 /* RFC 9110, 15.5.22; RFC 6455, 4.4 */
                               ? "\r\nUpgrade: websocket\r\n"
                                 "Connection: Upgrade, close\r\n"
                                 "Sec-WebSocket-Version: 13\r\n"
                               : "\r\nConnection: close\r\n");
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
