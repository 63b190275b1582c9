/* SPDX-License-Identifier: MIT */
/*
 * HTTP heads: the tokenizer of requests and of responses against a reader that goes by
 * RFC 9112, at any cut; what it makes of them; and whether such a request, or answer,
 * opens a connection. A request that does is answered, and the client must find that
 * answer good.
 *
 * Input: what it is, limits, text. A text that begins with "@" is put into a request or
 * an answer that would be good without it.
 */
#include "common.h"
#include "field.h"
#include "handshake_server.h"
#include "http1.h"
#include "negotiate.h"
#include "reference.h"
#include "tenon/handshake.h"

#define KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

static const char *const subprotocols[] = {"chat", "x"};

typedef struct plan {
    int request;
    unsigned how;
    tenon_http1_limits limits;
    bytes text;
} plan;

static void make_plan(source *s, plan *p)
{
    static const uint32_t limits[4] = {100000, 60, 20, 3};
    unsigned which;
    p->how = source_octet(s);
    p->request = (p->how & 1) != 0;
    which = source_octet(s);
    p->limits.head = limits[which & 3] * 4;
    p->limits.target = limits[which >> 2 & 3];
    p->limits.headers = limits[which >> 4 & 3];
    bytes_add(&p->text, "", 0);
    if (s->left == 0 || *s->p != '@') {
        bytes_add(&p->text, s->p, s->left);
        return;
    }
    bytes_string(&p->text, p->request ? "GET /a?b HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Version: 13\r\n"
                                        "Sec-WebSocket-Key: " KEY "\r\n"
                                      : "HTTP/1.1 101 Go\r\nSec-WebSocket-Accept: " ACCEPT "\r\n");
    bytes_add(&p->text, s->p + 1, s->left - 1);
    bytes_string(&p->text, "Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
}

/* --------------------------------------------------------------- tokenizing */

/* Feeds in pieces of step, the first being cut octets; what the last one said. */
static int feed(const plan *p, size_t cut, size_t step, tenon_http1 *h, size_t *at)
{
    size_t used, n = cut;
    int status = TENON_WAIT;
    tenon_http1_init(h, p->request ? TENON_SERVER : TENON_CLIENT);
    *at = 0;
    for (;;) {
        uint8_t *copy = fuzz_copy(p->text.data + *at, n);
        status = tenon_http1_feed(h, &p->limits, copy, n, &used);
        fuzz_release(copy);
        REQUIRE(used <= n && (used == n || status != TENON_WAIT));
        *at += used;
        if (status != TENON_WAIT || *at == p->text.size)
            break;
        n = step < p->text.size - *at ? step : p->text.size - *at;
    }
    REQUIRE(h->size == *at);
    return status;
}

static void check_feed(const plan *p, size_t cut, size_t step, const ref_head *want)
{
    tenon_http1 h;
    size_t at;
    int status;
    fuzz_allow(100000 + 200 * p->text.size);
    status = feed(p, cut, step, &h, &at);
    if (want->outcome == REF_HEAD_WAIT) {
        REQUIRE(status == TENON_WAIT && at == p->text.size && h.rule == TENON_RULE_NONE);
        return;
    }
    REQUIRE(status == (want->outcome == REF_HEAD_DONE ? TENON_OK : TENON_ERR_PROTOCOL));
    REQUIRE(at == want->at);
    REQUIRE(h.rule == (want->outcome == REF_HEAD_BAD ? want->rule : TENON_RULE_NONE));
    REQUIRE(status == TENON_OK || (tenon_http1_status(h.rule) >= 400 && tenon_http1_status(h.rule) <= 505));
}

/* ------------------------------------------------------------------ the head */

static int equal(tenon_str a, tenon_str b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static void check_fields(const tenon_fields *fields, const ref_head *want)
{
    size_t position = 0, i;
    tenon_header field;
    for (i = 0; tenon_header_next(fields, &position, &field) == TENON_OK; i++) {
        tenon_str name, value;
        name.data = field.name;
        name.size = field.name_size;
        value.data = field.value;
        value.size = field.value_size;
        REQUIRE(i < want->lines);
        REQUIRE(i >= REF_FIELDS || equal(name, want->fields.field[i].name));
        REQUIRE(i >= REF_FIELDS || equal(value, want->fields.field[i].value));
    }
    REQUIRE(i == want->lines);
}

static void check_verdict(const tenon_verdict *verdict, const tenon_head *head, const ref_rules *rules)
{
    const char *end = head->fields.head + head->fields.head_size;
    REQUIRE((verdict->rule == TENON_RULE_NONE) == !rules->any);
    REQUIRE(verdict->rule == TENON_RULE_NONE || rules->broken[verdict->rule]);
    REQUIRE(verdict->at == NULL || (verdict->at >= (head->method.data != NULL ? head->method.data : head->fields.head) &&
                                    verdict->at <= end));
}

/* The answer to a good request is one that its client takes. */
static void check_accept(const plan *p, const tenon_head *head, const tenon_verdict *verdict)
{
    char *out = fuzz_memory(2048);
    tenon_text text;
    tenon_str chosen, key = verdict->key;
    tenon_answer answer;
    ref_limits all = {100000, 100000, 100000};
    ref_asked asked = {NULL, subprotocols, COUNT_OF(subprotocols), NULL, 0};
    char accept[TENON_ACCEPT_SIZE + 1];
    ref_rules rules;
    static ref_head read;
    memset(&answer, 0, sizeof answer);
    answer.size = sizeof answer;
    if (tenon_subprotocol_choose(&head->fields, subprotocols, COUNT_OF(subprotocols), &chosen) == TENON_OK) {
        answer.subprotocol = chosen.data;
        answer.subprotocol_size = chosen.size;
    }
    text.out = out;
    text.room = (p->how & 8) != 0 ? 60 : 2048;
    text.used = 0;
    REQUIRE(tenon_answer_valid(&head->fields, &answer, &chosen) == TENON_OK);
    tenon_server_accept(key.data, chosen, &text);
    tenon_extensions_put(&text, tenon_string(answer.extensions, answer.extensions_size), "");
    REQUIRE(tenon_text_end(&text, answer.headers, answer.header_count) ==
            (text.used <= text.room ? TENON_OK : TENON_ERR_TOO_BIG));
    if (text.used > text.room)
        return;
    ref_head_read(out, text.used, 0, &all, &read);
    REQUIRE(read.outcome == REF_HEAD_DONE && read.at == text.used);
    REQUIRE(tenon_key_accept(key.data, key.size, accept) == TENON_OK);
    asked.accept = accept;
    ref_answer_rules(&read, &asked, &rules);
    REQUIRE(!rules.any);
}

static void check_request(const plan *p, const char *text, size_t n, const ref_head *want)
{
    tenon_head head, served;
    tenon_verdict verdict;
    ref_rules rules;
    tenon_http1_request(text, n, &head);
    REQUIRE(equal(head.method, want->method) && equal(head.target, want->target));
    REQUIRE(head.version == 0x100 + want->minor);
    check_fields(&head.fields, want);
    tenon_server_head(text, n, &served);
    REQUIRE(served.target.size > 0);
    memset(&verdict, 0x5a, sizeof verdict);
    verdict.size = sizeof verdict;
    REQUIRE(tenon_upgrade_check(head.method, head.target, head.version, &head.fields, &verdict) == TENON_OK);
    ref_request_rules(want, &rules);
    check_verdict(&verdict, &head, &rules);
    REQUIRE((verdict.status == 101) == (verdict.rule == TENON_RULE_NONE));
    if (verdict.status == 101)
        check_accept(p, &head, &verdict);
    else
        REQUIRE(verdict.status == 400 || verdict.status == 405 || verdict.status == 417 || verdict.status == 426 ||
                verdict.status == 501 || verdict.status == 505);
}

static void check_response(const plan *p, char *text, size_t n, const ref_head *want)
{
    ref_asked asked = {ACCEPT, subprotocols, COUNT_OF(subprotocols), "x-a; b=1, x-c", (p->how & 2) != 0};
    tenon_head head;
    tenon_verdict verdict;
    tenon_request request;
    ref_rules rules;
    tenon_http1_unfold(text, n);
    tenon_http1_response(text, n, &head);
    REQUIRE(head.status == want->status && equal(head.reason, want->reason));
    REQUIRE(head.version == 0x100 + want->minor);
    check_fields(&head.fields, want);
    memset(&request, 0, sizeof request);
    request.size = sizeof request;
    request.subprotocols = subprotocols;
    request.subprotocol_count = asked.subprotocol_count = (p->how & 4) != 0 ? 0 : COUNT_OF(subprotocols);
    request.extensions = asked.extensions = (p->how & 8) != 0 ? NULL : asked.extensions;
    memset(&verdict, 0x5a, sizeof verdict);
    verdict.size = sizeof verdict;
    REQUIRE(tenon_answer_check(head.status, &head.fields, &request, KEY,
                               asked.require_subprotocol ? TENON_REQUIRE_SUBPROTOCOL : 0, &verdict) == TENON_OK);
    ref_answer_rules(want, &asked, &rules);
    check_verdict(&verdict, &head, &rules);
    REQUIRE(verdict.status == want->status);
}

int fuzz_target(const uint8_t *data, size_t size)
{
    source s = {data, size};
    static ref_head want;
    ref_limits limits;
    splits places;
    size_t cut;
    char *text;
    plan p;
    memset(&p, 0, sizeof p);
    make_plan(&s, &p);
    limits.head = p.limits.head;
    limits.target = p.limits.target;
    limits.headers = p.limits.headers;
    text = fuzz_copy(p.text.data, p.text.size);
    ref_head_read(text, p.text.size, p.request, &limits, &want);
    check_feed(&p, 0, 1, &want);
    splits_begin(&places, p.text.size, (uint32_t)size);
    while (splits_next(&places, &cut))
        check_feed(&p, cut, p.text.size, &want);
    if (want.outcome == REF_HEAD_DONE && want.lines <= REF_FIELDS) {
        char *own = fuzz_copy(p.text.data, want.at);
        if (p.request)
            check_request(&p, own, want.at, &want);
        else
            check_response(&p, own, want.at, &want);
    }
    bytes_free(&p.text);
    return want.outcome == REF_HEAD_BAD && want.at == 0 ? -1 : 0;
}
