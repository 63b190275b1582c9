/* SPDX-License-Identifier: MIT */
/*
 * permessage-deflate negotiated: a server with any offer, a client with any answer, and
 * the two of them with each other, against RFC 7692, 5 and 7. And the lists of
 * extensions and subprotocols that a program wants sent.
 *
 * Input: settings of either side, and text: lines, each a Sec-WebSocket-Extensions.
 */
#include "common.h"
#include "negotiate.h"
#include "reference.h"
#include "tenon/deflate.h"
#include "tenon/handshake.h"

#define LINES 8
#define NAME "permessage-deflate"
#define RESET_OUT TENON_DEFLATE_RESET_OUT
#define RESET_IN TENON_DEFLATE_RESET_IN

typedef struct side {
    tenon_codec codec;
    tenon_deflate deflate;
    unsigned own, in; /* windows, defaults filled in */
} side;

typedef struct lines {
    tenon_header header[LINES];
    tenon_fields fields;
    ref_list list; /* its elements */
} lines;

static tenon_str text_of(const char *text)
{
    tenon_str s;
    s.data = text;
    s.size = strlen(text);
    return s;
}

static void make_side(source *s, side *x)
{
    unsigned bits = source_octet(s), codec = source_octet(s);
    memset(x, 0, sizeof *x);
    x->codec.size = sizeof x->codec;
    x->codec.min_bits = 8 + (codec & 1);
    x->codec.max_bits = (uint8_t)(15 - (codec >> 1 & 3));
    x->deflate.size = sizeof x->deflate;
    x->deflate.flags = codec >> 3 & (RESET_OUT | RESET_IN);
    x->deflate.codec = &x->codec;
    x->deflate.out_bits = (uint8_t)((bits & 7) == 7 ? 0 : 9 + (bits & 7));
    x->deflate.in_bits = (uint8_t)((bits & 0x80) != 0 ? 0 : 8 + (bits >> 3 & 7));
    x->own = x->deflate.out_bits == 0 ? 15 : x->deflate.out_bits;
    x->own = x->own < x->codec.max_bits ? x->own : x->codec.max_bits;
    x->in = x->deflate.in_bits == 0 ? 15 : x->deflate.in_bits;
}

static void make_lines(lines *l, const char *text, size_t n)
{
    static ref_fields fields;
    size_t i, from = 0;
    l->fields.array = l->header;
    l->fields.count = fields.count = 0;
    l->fields.head = NULL;
    l->fields.head_size = 0;
    for (i = 0; i <= n && fields.count < LINES; i++) {
        if (i < n && text[i] != '\n')
            continue;
        l->header[fields.count].name = TENON_FIELD_EXTENSIONS;
        l->header[fields.count].name_size = strlen(TENON_FIELD_EXTENSIONS);
        l->header[fields.count].value = i > from ? text + from : "";
        l->header[fields.count].value_size = i - from;
        fields.field[fields.count].name = text_of(TENON_FIELD_EXTENSIONS);
        fields.field[fields.count].value.data = text + from;
        fields.field[fields.count].value.size = i - from;
        fields.count = ++l->fields.count;
        from = i + 1;
    }
    ref_list_read(&fields, TENON_FIELD_EXTENSIONS, &l->list);
}

/* The one element that a text has. */
static void terms_of(const char *text, ref_terms *t)
{
    static ref_extension e;
    tenon_str s = text_of(text);
    REQUIRE(strlen(text) < TENON_DEFLATE_TEXT && strchr(text, ',') == NULL);
    REQUIRE(ref_extension_read(s, &e) && ref_same(e.name, NAME));
    REQUIRE(ref_terms_read(&e, 0, t));
}

/* -------------------------------------------------------------------- server */

/* Whether the server could keep to such an offer. */
static int acceptable(const side *x, const ref_terms *offer)
{
    unsigned out = offer->server_bits != 0 && offer->server_bits < x->own ? offer->server_bits : x->own;
    int told = offer->client_bits != 0; /* the client can be told a window */
    return out >= x->codec.min_bits && (x->in == 15 || told);
}

/* An answer to an offer, by the words of RFC 7692, 7.1. */
static void check_answer(const side *x, const ref_terms *offer, const char *text, const tenon_agreed *agreed)
{
    ref_terms answer;
    terms_of(text, &answer);
    REQUIRE(!offer->server_reset || answer.server_reset);                       /* 7.1.1.1 */
    REQUIRE(offer->server_bits == 0 ? answer.server_bits == 0                    /* 7.1.2.1 */
                                    : answer.server_bits != 0 && answer.server_bits <= offer->server_bits);
    REQUIRE(answer.client_bits == 0 || offer->client_bits != 0);                /* 7.1.2.2 */
    REQUIRE(offer->client_bits <= 1 || answer.client_bits <= offer->client_bits);
    REQUIRE(x->in == 15 || (answer.client_bits != 0 && answer.client_bits <= (x->in < 9 ? 9 : x->in)));
    REQUIRE(agreed->out_bits <= x->own && agreed->out_bits >= x->codec.min_bits);
    REQUIRE(answer.server_bits == 0 || agreed->out_bits <= answer.server_bits);
    /* the client may use what the answer leaves it, or what it offered itself */
    REQUIRE(agreed->in_bits <= 15 && agreed->in_bits >= (answer.client_bits != 0    ? answer.client_bits
                                                         : offer->client_bits > 1 ? offer->client_bits
                                                                                  : 15));
    REQUIRE(((agreed->flags & RESET_OUT) != 0) == (answer.server_reset != 0));
    REQUIRE(((agreed->flags & RESET_IN) != 0) == (answer.client_reset != 0));
    REQUIRE((x->deflate.flags & ~agreed->flags & (RESET_OUT | RESET_IN)) == 0);
}

static void check_server(const side *x, const lines *l)
{
    static ref_extension e;
    char *text = fuzz_memory(TENON_DEFLATE_TEXT);
    tenon_agreed agreed;
    ref_terms offer;
    size_t i;
    REQUIRE(tenon_deflate_answer(&x->deflate, &l->fields, text, &agreed) == TENON_OK);
    REQUIRE(memchr(text, 0, TENON_DEFLATE_TEXT) != NULL && agreed.on == (text[0] != '\0'));
    for (i = 0; i < l->list.count; i++) {
        if (!ref_extension_read(l->list.element[i], &e))
            break; /* what is not in the grammar ends the list; the handshake refuses it */
        if (!ref_same(e.name, NAME) || !ref_terms_read(&e, 1, &offer) || !acceptable(x, &offer))
            continue;
        REQUIRE(agreed.on);
        check_answer(x, &offer, text, &agreed);
        return;
    }
    REQUIRE(!agreed.on);
}

/* -------------------------------------------------------------------- client */

/* Whether an answer is one to what this side offers. */
static int answer_good(const side *x, const lines *l, int *named, ref_terms *t)
{
    static ref_extension e;
    size_t i;
    *named = 0;
    for (i = 0; i < l->list.count; i++) {
        if (!ref_extension_read(l->list.element[i], &e))
            return 0;
        if (!ref_same(e.name, NAME))
            continue;
        if ((*named)++ > 0 || !ref_terms_read(&e, 0, t))
            return 0;
        if ((x->deflate.flags & RESET_IN) != 0 && !t->server_reset)
            return 0;
        if (x->in < 15 && (t->server_bits == 0 || t->server_bits > x->in))
            return 0;
    }
    return l->fields.count == 0 || l->list.count > 0;
}

static void check_client(const side *x, const lines *l)
{
    tenon_agreed agreed;
    ref_terms t;
    int named, good = answer_good(x, l, &named, &t);
    REQUIRE(tenon_deflate_check(&x->deflate, &l->fields, &agreed) == (good ? TENON_OK : TENON_ERR_EXTENSION));
    REQUIRE(agreed.on == (good && named));
    if (!agreed.on)
        return;
    REQUIRE(agreed.in_bits == (t.server_bits == 0 ? 15 : t.server_bits));
    REQUIRE(agreed.out_bits == (t.client_bits != 0 && t.client_bits < x->own ? t.client_bits : x->own));
    REQUIRE(((agreed.flags & RESET_IN) != 0) == (t.server_reset != 0));
    REQUIRE(((agreed.flags & RESET_OUT) != 0) == (t.client_reset || (x->deflate.flags & RESET_OUT) != 0));
}

/* ---------------------------------------------------------------------- both */

/* What one side offers, the other answers, and the first finds good; and then neither
 * sends what the other is not prepared for. */
static void check_both(const side *client, const side *server)
{
    char *offer = fuzz_memory(TENON_DEFLATE_TEXT), *answer = fuzz_memory(TENON_DEFLATE_TEXT);
    tenon_agreed a, b;
    ref_terms t;
    static lines l;
    REQUIRE(tenon_deflate_offer(&client->deflate, offer) == TENON_OK);
    make_lines(&l, offer, strlen(offer));
    check_server(server, &l);
    REQUIRE(tenon_deflate_answer(&server->deflate, &l.fields, answer, &b) == TENON_OK);
    if (!b.on)
        return;
    terms_of(answer, &t);
    make_lines(&l, answer, strlen(answer));
    REQUIRE(tenon_deflate_check(&client->deflate, &l.fields, &a) == TENON_OK && a.on);
    REQUIRE(a.out_bits <= b.in_bits && b.out_bits <= a.in_bits);
    REQUIRE(((b.flags & RESET_OUT) != 0) == ((a.flags & RESET_IN) != 0));
    REQUIRE((b.flags & RESET_IN) == 0 || (a.flags & RESET_OUT) != 0);
}

/* --------------------------------------------------------- what programs send */

/* A list that is sent has no empty elements (RFC 9110, 5.6.1.1). */
static int list_good(const char *text, int extensions)
{
    static ref_extension e;
    const char *end;
    for (;; text = end + 1) {
        tenon_str element;
        end = strchr(text, ',');
        element.data = text;
        element.size = end == NULL ? strlen(text) : (size_t)(end - text);
        if (!(extensions ? ref_extension_read(element, &e) : ref_is_token(element)))
            return 0;
        if (end == NULL)
            return 1;
    }
}

static void check_sent(const uint8_t *data, size_t n)
{
    const char *names[3];
    char *text = fuzz_memory(n + 1);
    tenon_request request;
    int status, repeated;
    memcpy(text, data, n);
    text[n] = '\0';
    memset(&request, 0, sizeof request);
    request.size = sizeof request;
    request.extensions = text;
    status = tenon_offer_valid(&request);
    REQUIRE(status == (list_good(text, 1) ? TENON_OK : TENON_ERR_EXTENSION));
    names[0] = "chat";
    names[1] = text;
    names[2] = strchr(text, ',') == NULL ? "chat2" : strchr(text, ',') + 1;
    request.extensions = NULL;
    request.subprotocols = names;
    request.subprotocol_count = COUNT_OF(names);
    repeated = strcmp(text, "chat") == 0 || strcmp(names[2], "chat") == 0 || strcmp(names[2], text) == 0;
    status = tenon_offer_valid(&request);
    REQUIRE(status == (!repeated && ref_is_token(text_of(text)) && ref_is_token(text_of(names[2]))
                           ? TENON_OK : TENON_ERR_SUBPROTOCOL));
}

int fuzz_target(const uint8_t *data, size_t size)
{
    source s = {data, size};
    side client, server;
    static lines l;
    make_side(&s, &client);
    make_side(&s, &server);
    fuzz_allow(200000 + 2000 * size);
    make_lines(&l, (const char *)s.p, s.left);
    if (l.list.count == REF_ELEMENTS)
        return -1;
    check_server(&server, &l);
    check_client(&client, &l);
    check_both(&client, &server);
    check_sent(s.p, s.left);
    return 0;
}
