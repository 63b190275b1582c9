/* SPDX-License-Identifier: MIT */
#include "reference.h"

/* ------------------------------------------------------------------- heads */

/*
 * A reader goes from octet to octet. Each function below takes what its name says and
 * returns 1, or 0: then the text is over, and outcome is REF_HEAD_WAIT, or it is bad.
 */
typedef struct reader {
    char *text;
    size_t n, i;
    const ref_limits *limits;
    ref_head *head;
    int request;
} reader;

static int bad(reader *r, int rule)
{
    r->head->outcome = REF_HEAD_BAD;
    r->head->rule = rule;
    r->head->at = r->i;
    return 0;
}

/* The octet that is next, or -1. */
static int next(const reader *r)
{
    return r->i < r->n ? (unsigned char)r->text[r->i] : -1;
}

/* Goes on behind the next octet if it is good; an LF that no CR announced never is. */
static int take(reader *r, int good, int rule)
{
    if (next(r) < 0)
        return 0;
    if (next(r) == '\n')
        return bad(r, TENON_RULE_LINE_END);
    if (!good)
        return bad(r, rule);
    if (r->i >= r->limits->head)
        return bad(r, TENON_RULE_HEAD_SIZE);
    r->i++;
    return 1;
}

static int take_char(reader *r, char c, int rule)
{
    return take(r, next(r) == c, rule);
}

/* The end of a line, rule being what anything but a CR breaks. */
static int take_end(reader *r, int rule)
{
    if (!take_char(r, '\r', rule))
        return 0;
    if (next(r) < 0)
        return 0;
    if (next(r) != '\n')
        return bad(r, TENON_RULE_LINE_END);
    if (r->i >= r->limits->head)
        return bad(r, TENON_RULE_HEAD_SIZE);
    r->i++;
    return 1;
}

static tenon_str slice(const reader *r, size_t from)
{
    tenon_str s;
    s.data = r->text + from;
    s.size = r->i - from;
    return s;
}

static int take_method(reader *r)
{
    size_t from = r->i;
    while (next(r) != ' ' || r->i == from) {
        if (ref_is_tchar(next(r)) && r->i - from == 32)
            return bad(r, TENON_RULE_METHOD);
        if (!take(r, ref_is_tchar(next(r)), TENON_RULE_START_LINE))
            return 0;
    }
    r->head->method = slice(r, from);
    return take_char(r, ' ', TENON_RULE_START_LINE);
}

static int take_target(reader *r)
{
    size_t from = r->i;
    while (next(r) != ' ' || r->i == from) {
        int visible = next(r) > 0x20 && next(r) < 0x7f;
        if (visible && r->i - from >= r->limits->target)
            return bad(r, TENON_RULE_TARGET_SIZE);
        if (!take(r, visible, TENON_RULE_START_LINE))
            return 0;
    }
    r->head->target = slice(r, from);
    return take_char(r, ' ', TENON_RULE_START_LINE);
}

static int take_digit(reader *r, int least)
{
    return take(r, next(r) >= least && next(r) <= '9', TENON_RULE_START_LINE);
}

/* HTTP-version and the octet behind it; whether it is one of ours is judged there. */
static int take_version(reader *r, char behind)
{
    const char *name = "HTTP/";
    size_t from = r->i;
    for (; *name != '\0'; name++) {
        if (!take_char(r, *name, TENON_RULE_START_LINE))
            return 0;
    }
    if (!take_digit(r, '0') || !take_char(r, '.', TENON_RULE_START_LINE) || !take_digit(r, '0'))
        return 0;
    r->head->minor = r->text[from + 7] - '0';
    if (next(r) == behind && r->text[from + 5] != '1')
        return bad(r, TENON_RULE_HTTP_VERSION);
    return behind == '\r' ? take_end(r, TENON_RULE_START_LINE) : take_char(r, behind, TENON_RULE_START_LINE);
}

static int take_request_line(reader *r)
{
    if (next(r) == '\r' && !take_end(r, TENON_RULE_START_LINE))
        return 0;
    return take_method(r) && take_target(r) && take_version(r, '\r');
}

static int take_status_line(reader *r)
{
    size_t from;
    if (!take_version(r, ' '))
        return 0;
    from = r->i;
    if (!take_digit(r, '1') || !take_digit(r, '0') || !take_digit(r, '0'))
        return 0;
    r->head->status = (r->text[from] - '0') * 100 + (r->text[from + 1] - '0') * 10 + r->text[from + 2] - '0';
    if (next(r) != '\r') {
        if (!take_char(r, ' ', TENON_RULE_START_LINE))
            return 0;
        from = r->i;
        while (next(r) != '\r') {
            if (!take(r, ref_is_text(next(r)), TENON_RULE_START_LINE))
                return 0;
        }
        r->head->reason = slice(r, from);
    }
    return take_end(r, TENON_RULE_START_LINE);
}

/* The value, and the lines that it is folded into, if that is allowed. */
static int take_value(reader *r)
{
    for (;;) {
        while (next(r) != '\r') {
            if (!take(r, ref_is_text(next(r)), TENON_RULE_FIELD_VALUE))
                return 0;
        }
        if (!take_end(r, TENON_RULE_FIELD_VALUE) || next(r) < 0)
            return 0;
        if (r->request || !ref_is_blank(next(r)))
            return 1;
        r->text[r->i - 2] = r->text[r->i - 1] = ' ';
    }
}

static int take_field(reader *r)
{
    size_t from = r->i;
    struct ref_field field;
    if (ref_is_blank(next(r)))
        return take(r, 0, TENON_RULE_FOLD);
    if (ref_is_tchar(next(r)) && r->head->lines >= r->limits->headers)
        return bad(r, TENON_RULE_HEADERS);
    if (!take(r, ref_is_tchar(next(r)), TENON_RULE_FIELD_NAME))
        return 0;
    r->head->lines++;
    while (next(r) != ':') {
        if (!take(r, ref_is_tchar(next(r)), TENON_RULE_FIELD_NAME))
            return 0;
    }
    field.name = slice(r, from);
    if (!take_char(r, ':', TENON_RULE_FIELD_NAME))
        return 0;
    from = r->i;
    if (!take_value(r))
        return 0;
    field.value.data = r->text + from;
    field.value.size = r->i - 2 - from;
    field.value = ref_trim(field.value);
    if (r->head->fields.count < REF_FIELDS)
        r->head->fields.field[r->head->fields.count++] = field;
    return 1;
}

void ref_head_read(char *text, size_t n, int request, const ref_limits *limits, ref_head *head)
{
    reader r;
    memset(head, 0, sizeof *head);
    head->outcome = REF_HEAD_WAIT;
    r.text = text;
    r.n = n;
    r.i = 0;
    r.limits = limits;
    r.head = head;
    r.request = request;
    if (!(request ? take_request_line(&r) : take_status_line(&r)))
        return;
    while (next(&r) != '\r') {
        if (next(&r) < 0 || !take_field(&r))
            return;
    }
    if (!take_end(&r, TENON_RULE_LINE_END))
        return;
    head->outcome = REF_HEAD_DONE;
    head->at = r.i;
}

/* -------------------------------------------------------------------- URIs */

static int is_hex(int c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Octets of one pchar of a reg-name at p (RFC 3986, 3.2.2), or 0. */
static size_t name_octets(const char *p, size_t n)
{
    static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    static const char sub_delims[] = "!$&'()*+,;=";
    if (n >= 3 && p[0] == '%' && is_hex(p[1]) && is_hex(p[2]))
        return 3;
    return n >= 1 && p[0] != '\0' && (strchr(unreserved, p[0]) != NULL || strchr(sub_delims, p[0]) != NULL);
}

/* Octets of the host at the beginning. Of an address in brackets only the characters
 * are looked at, and that it has two colons. */
static size_t host_octets(tenon_str s)
{
    size_t i = 0, size, colons = 0;
    if (s.size > 0 && s.data[0] == '[') {
        for (i = 1; i < s.size && (is_hex(s.data[i]) || s.data[i] == ':' || s.data[i] == '.'); i++)
            colons += s.data[i] == ':';
        return i < s.size && s.data[i] == ']' && colons > 1 ? i + 1 : 0;
    }
    while ((size = name_octets(s.data + i, s.size - i)) > 0)
        i += size;
    return i;
}

/* host [ ":" *DIGIT ] over all of s, a port being 1 to 65535. *port: 0 without one. */
static int authority_read(tenon_str s, size_t *host, unsigned *port, size_t *at)
{
    size_t i = *host = host_octets(s);
    *port = 0;
    *at = i;
    if (i == 0 || i == s.size)
        return i > 0;
    if (s.data[i] != ':')
        return 0;
    for (i++; i < s.size; i++) {
        *at = i;
        if (s.data[i] < '0' || s.data[i] > '9')
            return 0;
        *port = *port * 10 + (unsigned)(s.data[i] - '0');
        if (*port > 65535)
            return 0;
    }
    return *port > 0 || i == *host + 1; /* none at all is the usual one; zeros are none */
}

static size_t scheme_octets(tenon_str s, int *secure)
{
    static const char *const names[] = {"ws://", "http://", "wss://", "https://"};
    size_t i;
    for (i = 0; i < COUNT_OF(names); i++) {
        tenon_str head = s;
        head.size = strlen(names[i]);
        *secure = i >= 2;
        if (head.size <= s.size && ref_alike(head, names[i]))
            return head.size;
    }
    return 0;
}

/* Octets that path and query can have: visible ASCII, but no fragment. */
static size_t path_octets(tenon_str s)
{
    size_t i = 0;
    while (i < s.size && s.data[i] >= 0x21 && s.data[i] <= 0x7e && s.data[i] != '#')
        i++;
    return i;
}

int ref_uri_read(tenon_str s, ref_uri *uri, size_t *at)
{
    size_t from, host, wrong, i;
    memset(uri, 0, sizeof *uri);
    *at = 0;
    from = scheme_octets(s, &uri->secure);
    if (from == 0)
        return 0;
    uri->authority.data = s.data + from;
    while (from + uri->authority.size < s.size && memchr("/?#", s.data[from + uri->authority.size], 3) == NULL)
        uri->authority.size++;
    if (!authority_read(uri->authority, &host, &uri->port, &wrong)) {
        *at = from + wrong;
        return 0;
    }
    uri->path.data = uri->authority.data + uri->authority.size;
    uri->path.size = s.size - from - uri->authority.size;
    *at = from + uri->authority.size + path_octets(uri->path);
    if (*at < s.size)
        return 0;
    uri->host = uri->authority;
    uri->host.size = host;
    if (uri->port == 0 || uri->port == (uri->secure ? 443u : 80u)) {
        uri->port = uri->secure ? 443 : 80;
        uri->authority.size = host;
    }
    if (uri->host.data[0] == '[') {
        uri->host.data++;
        uri->host.size -= 2;
    }
    for (i = 0; i < uri->path.size && uri->path.data[i] != '?'; i++)
        continue;
    if (i + 1 < uri->path.size) {
        uri->query.data = uri->path.data + i + 1;
        uri->query.size = uri->path.size - i - 1;
    }
    uri->path.size = i;
    return 1;
}

int ref_is_host(tenon_str s)
{
    size_t host, at;
    unsigned port;
    return authority_read(s, &host, &port, &at);
}

int ref_is_target(tenon_str s)
{
    return s.size > 0 && s.data[0] == '/' && path_octets(s) == s.size;
}

/* -------------------------------------------------------------- the upgrade */

static void breaks(ref_rules *rules, int rule, int broken)
{
    if (!broken)
        return;
    rules->broken[rule] = 1;
    rules->any = 1;
}

/* Whether content is announced: any Transfer-Encoding, or a Content-Length that is
 * not zero, in whatever way. */
static int has_content(const ref_fields *f)
{
    tenon_str value;
    size_t i, k;
    if (ref_field(f, "Transfer-Encoding", &value) > 0)
        return 1;
    for (i = 0; i < f->count; i++) {
        if (!ref_alike(f->field[i].name, "Content-Length"))
            continue;
        value = f->field[i].value;
        for (k = 0; k < value.size; k++) {
            if (value.data[k] != '0')
                return 1;
        }
        if (k == 0)
            return 1;
    }
    return 0;
}

static int has_unknown_coding(const ref_fields *f)
{
    static const char *const known[] = {"chunked", "gzip", "deflate", "compress", "x-gzip", "x-compress"};
    static ref_list list;
    size_t i, k;
    ref_list_read(f, "Transfer-Encoding", &list);
    for (i = 0; i < list.count; i++) {
        for (k = 0; k < COUNT_OF(known) && !ref_alike(list.element[i], known[k]); k++)
            continue;
        if (k == COUNT_OF(known))
            return 1;
    }
    return 0;
}

/* base64 of 16 octets; the bits that are left over may be anything. */
static int is_key(tenon_str s)
{
    size_t i;
    if (s.size != 24 || s.data[22] != '=' || s.data[23] != '=')
        return 0;
    for (i = 0; i < 22; i++) {
        int c = (unsigned char)s.data[i];
        if (c != '+' && c != '/' && !((c | 0x20) >= 'a' && (c | 0x20) <= 'z') && !(c >= '0' && c <= '9'))
            return 0;
    }
    return 1;
}

/* A target for which "http:" or "https:" names the server again is good too, if it
 * has a path or nothing behind the authority (RFC 9112, 3.2.2). */
static int is_good_target(tenon_str s)
{
    ref_uri uri;
    size_t at;
    if (ref_is_target(s))
        return 1;
    return s.size > 0 && (s.data[0] == 'h' || s.data[0] == 'H') && ref_uri_read(s, &uri, &at) &&
           (uri.path.size > 0 || uri.query.data == NULL);
}

static int offers_good(const ref_fields *f, const char *name, int extensions)
{
    static ref_extension e;
    static ref_list list;
    size_t i, lines = ref_list_read(f, name, &list);
    for (i = 0; i < list.count; i++) {
        if (extensions ? !ref_extension_read(list.element[i], &e) : !ref_is_token(list.element[i]))
            return 0;
    }
    return lines == 0 || list.count > 0;
}

void ref_request_rules(const ref_head *head, ref_rules *rules)
{
    const ref_fields *f = &head->fields;
    int old = head->minor == 0;
    tenon_str value;
    size_t count;
    memset(rules, 0, sizeof *rules);
    breaks(rules, TENON_RULE_METHOD, !ref_same(head->method, "GET"));
    breaks(rules, TENON_RULE_TARGET, !is_good_target(head->target));
    count = ref_field(f, "Host", &value);
    breaks(rules, TENON_RULE_HOST, count > 1 || (count == 0 && !old) || (count == 1 && !ref_is_host(value)));
    breaks(rules, TENON_RULE_BODY, has_content(f));
    breaks(rules, TENON_RULE_TRANSFER_CODING, has_unknown_coding(f));
    breaks(rules, TENON_RULE_UPGRADE, old || !ref_list_has(f, "Upgrade", "websocket"));
    breaks(rules, TENON_RULE_EXPECT, ref_field(f, "Expect", &value) > 0);
    breaks(rules, TENON_RULE_CONNECTION, !ref_list_has(f, "Connection", "upgrade"));
    count = ref_field(f, "Sec-WebSocket-Version", &value);
    breaks(rules, TENON_RULE_VERSION, count != 1 || !ref_same(value, "13"));
    count = ref_field(f, "Sec-WebSocket-Key", &value);
    breaks(rules, TENON_RULE_KEY, count != 1 || !is_key(value));
    breaks(rules, TENON_RULE_SUBPROTOCOL, !offers_good(f, "Sec-WebSocket-Protocol", 0));
    breaks(rules, TENON_RULE_EXTENSION, !offers_good(f, "Sec-WebSocket-Extensions", 1));
}

/* Whether the offer, a value of one line, names this extension. */
static int is_offered(const char *offer, tenon_str name)
{
    static ref_fields fields;
    static ref_extension e;
    static ref_list list;
    size_t i;
    if (offer == NULL)
        return 0;
    fields.count = 1;
    fields.field[0].name.data = "x";
    fields.field[0].name.size = 1;
    fields.field[0].value.data = offer;
    fields.field[0].value.size = strlen(offer);
    ref_list_read(&fields, "x", &list);
    for (i = 0; i < list.count; i++) {
        if (ref_extension_read(list.element[i], &e) && ref_equal(e.name, name))
            return 1;
    }
    return 0;
}

static int extensions_kept(const ref_fields *f, const ref_asked *asked)
{
    static ref_extension e;
    static ref_list list;
    size_t i, lines = ref_list_read(f, "Sec-WebSocket-Extensions", &list);
    for (i = 0; i < list.count; i++) {
        if (!ref_extension_read(list.element[i], &e) || !is_offered(asked->extensions, e.name))
            return 0;
    }
    return lines == 0 || list.count > 0;
}

static int subprotocol_kept(const ref_fields *f, const ref_asked *asked)
{
    tenon_str value;
    size_t i, count = ref_field(f, "Sec-WebSocket-Protocol", &value);
    if (count == 0)
        return !asked->require_subprotocol || asked->subprotocol_count == 0;
    for (i = 0; i < asked->subprotocol_count; i++) {
        if (ref_same(value, asked->subprotocols[i]))
            return count == 1;
    }
    return 0;
}

void ref_answer_rules(const ref_head *head, const ref_asked *asked, ref_rules *rules)
{
    const ref_fields *f = &head->fields;
    tenon_str value;
    memset(rules, 0, sizeof *rules);
    breaks(rules, TENON_RULE_STATUS, head->status != 101);
    if (rules->any)
        return; /* nothing else matters then */
    breaks(rules, TENON_RULE_UPGRADE, ref_field(f, "Upgrade", &value) != 1 || !ref_alike(value, "websocket"));
    breaks(rules, TENON_RULE_CONNECTION, !ref_list_has(f, "Connection", "upgrade"));
    breaks(rules, TENON_RULE_ACCEPT,
           ref_field(f, "Sec-WebSocket-Accept", &value) != 1 || !ref_same(value, asked->accept));
    breaks(rules, TENON_RULE_BODY, has_content(f));
    breaks(rules, TENON_RULE_SUBPROTOCOL, !subprotocol_kept(f, asked));
    breaks(rules, TENON_RULE_EXTENSION, !extensions_kept(f, asked));
}
