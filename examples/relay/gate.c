/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L

#include <string.h>

#include "relay/heads.h"

/* Compares in a time that depends on the size of what was given alone: how far a
 * guess was right must not show. */
static int is_secret(tenon_str given, const char *secret)
{
    size_t i, n = strlen(secret);
    unsigned difference = given.size != n;
    for (i = 0; i < given.size; i++)
        difference |= (unsigned char)given.data[i] ^ (unsigned char)secret[n > 0 ? i % n : 0];
    return difference == 0;
}

/* The token of a head: how many there are, and the first. */
static int find_token(const relay *r, const tenon_head *head, tenon_str *token)
{
    tenon_header field;
    size_t position = 0;
    int count = 0;
    while (tenon_header_next(&head->fields, &position, &field) == TENON_OK) {
        if (!is_name(field.name, field.name_size, r->token_header))
            continue;
        if (count++ == 0) {
            token->data = field.value;
            token->size = field.value_size;
        }
    }
    return count;
}

static void refuse(pair *p, uint16_t status, int kind, const char *text, const tenon_header *more)
{
    tenon_header headers[2] = {{"Content-Type", "text/plain; charset=utf-8", 0, 0}, {NULL, NULL, 0, 0}};
    live *client = &p->sides[CLIENT].live;
    tenon_refusal refusal;
    p->relay->counts.refused[kind]++;
    p->phase = PHASE_REFUSED;
    memset(&refusal, 0, sizeof refusal);
    refusal.size = sizeof refusal;
    refusal.status = status;
    refusal.headers = headers;
    refusal.header_count = 1;
    refusal.body = text;
    refusal.body_size = strlen(text);
    if (more != NULL)
        headers[refusal.header_count++] = *more;
    if (!live_ready(client) || tenon_reject(client->conn, &refusal) != TENON_OK)
        live_abort(client);
    live_soon(client);
}

void gate_refuse(pair *p, uint16_t status, int kind, const char *text)
{
    refuse(p, status, kind, text, NULL);
}

static int has_token(pair *p, const tenon_head *head)
{
    const relay *r = p->relay;
    tenon_header challenge = {"WWW-Authenticate", "Token realm=\"relay\"", 0, 0}; /* RFC 9110, 15.5.2 */
    tenon_str token = {NULL, 0};
    int count;
    if (r->token_header == NULL)
        return 1;
    count = find_token(r, head, &token);
    if (count == 1 && is_secret(token, r->token))
        return 1;
    if (count == 0)
        refuse(p, 401, REFUSED_TOKEN, "a token is needed\n", &challenge);
    else
        gate_refuse(p, 403, REFUSED_TOKEN, "the token is not valid\n");
    return 0;
}

int gate_pass(pair *p, const tenon_head *head)
{
    const relay *r = p->relay;
    if (head->origin.data == NULL && r->requires_origin) {
        gate_refuse(p, 403, REFUSED_ORIGIN, "only pages may connect: there is no Origin\n");
        return 0;
    }
    if (head->origin.data != NULL && r->allowed_count > 0 &&
        !tenon_origin_allowed(head->origin, r->allowed, r->allowed_count, 0)) {
        gate_refuse(p, 403, REFUSED_ORIGIN, "pages of this Origin may not connect\n");
        return 0;
    }
    return has_token(p, head);
}
