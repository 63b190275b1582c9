/* SPDX-License-Identifier: MIT */
#include "handshake_client.h"

#include "field.h"
#include "key.h"
#include "negotiate.h"
#include "uri.h"

static void put_subprotocols(tenon_text *out, const tenon_request *request)
{
    size_t i;
    for (i = 0; i < request->subprotocol_count; i++) {
        tenon_text_string(out, i == 0 ? TENON_FIELD_PROTOCOL ": " : ", ");
        tenon_text_string(out, request->subprotocols[i]);
    }
    if (i > 0)
        tenon_text_put(out, "\r\n", 2);
}

/* The resource name (RFC 6455, 3). */
static void put_target(tenon_text *out, const tenon_place *place)
{
    if (place->path.size == 0)
        tenon_text_put(out, "/", 1);
    tenon_text_put(out, place->path.data, place->path.size);
    if (place->query.data != NULL) {
        tenon_text_put(out, "?", 1);
        tenon_text_put(out, place->query.data, place->query.size);
    }
}

int tenon_client_request(const tenon_request *request, const char key[TENON_KEY_SIZE], tenon_text *out)
{
    tenon_place place;
    int status = tenon_place_parse(request, 0, &place);
    if (status == TENON_OK)
        status = tenon_offer_valid(request);
    if (status != TENON_OK)
        return status;
    tenon_text_string(out, "GET ");
    put_target(out, &place);
    tenon_text_string(out, " HTTP/1.1\r\n");
    tenon_text_field(out, "Host", place.authority);
    tenon_text_string(out, "Upgrade: websocket\r\n"
                           "Connection: Upgrade\r\n");
    tenon_text_field(out, "Sec-WebSocket-Key", tenon_string(key, TENON_KEY_SIZE));
    tenon_text_string(out, "Sec-WebSocket-Version: 13\r\n");
    if (request->origin != NULL)
        tenon_text_field(out, "Origin", tenon_string(request->origin, 0));
    put_subprotocols(out, request);
    if (request->extensions != NULL)
        tenon_text_field(out, TENON_FIELD_EXTENSIONS, tenon_string(request->extensions, 0));
    tenon_text_end(out, request->headers, request->header_count);
    return out->used <= out->room ? TENON_OK : TENON_ERR_TOO_BIG;
}

/* --------------------------------------------------------------- the check */

/* One line with exactly this value; any case unless exact. Otherwise *at: the
 * value that is wrong or too much, NULL if there is none. */
static int check_single(const tenon_fields *fields, const char *name, const char *value, int exact, const char **at)
{
    tenon_header field;
    tenon_str want = tenon_string(value, 0), got;
    int count = tenon_field_count(fields, name, &field);
    *at = NULL;
    if (count == 0)
        return 0;
    *at = tenon_field_at(&field);
    got.data = field.value;
    got.size = field.value_size;
    return count == 1 && (exact ? tenon_same(got, want) : tenon_alike(got, want));
}

/*
 * A list is no match for the client (RFC 6455, 4.1), where the server looks for an
 * element; in Connection, both look for one.
 */
static uint16_t check_upgrade(const tenon_fields *fields, const char key[TENON_KEY_SIZE], const char **at)
{
    char accept[TENON_ACCEPT_SIZE + 1];
    tenon_header field;
    if (!check_single(fields, "Upgrade", "websocket", 0, at))
        return TENON_RULE_UPGRADE;
    if (!tenon_list_has(fields, "Connection", "upgrade")) {
        *at = tenon_field_count(fields, "Connection", &field) > 0 ? tenon_field_at(&field) : NULL;
        return TENON_RULE_CONNECTION;
    }
    if (tenon_key_accept(key, TENON_KEY_SIZE, accept) != TENON_OK
        || !check_single(fields, "Sec-WebSocket-Accept", accept, 1, at))
        return TENON_RULE_ACCEPT;
    return TENON_RULE_NONE;
}

/* A 101 has no content (RFC 9112, 6.3). A server that announces some may take
 * frames for it, or the other way round. */
static uint16_t check_body(const tenon_fields *fields, const char **at)
{
    tenon_header field;
    if (!tenon_no_content(fields, at))
        return TENON_RULE_BODY;
    if (tenon_field_count(fields, "Transfer-Encoding", &field) > 0) {
        *at = tenon_field_at(&field);
        return TENON_RULE_BODY;
    }
    return TENON_RULE_NONE;
}

int tenon_answer_check(uint16_t status, const tenon_fields *fields, const tenon_request *request,
                       const char key[TENON_KEY_SIZE], uint32_t flags, tenon_verdict *verdict)
{
    const char *at = NULL;
    uint16_t rule = TENON_RULE_NONE;
    uint32_t size;
    if (fields == NULL || request == NULL || key == NULL || verdict == NULL)
        return TENON_ERR_NULL;
    size = verdict->size;
    if (size < sizeof *verdict || request->size < sizeof *request)
        return TENON_ERR_SIZE;
    memset(verdict, 0, sizeof *verdict);
    verdict->size = size;
    verdict->status = status;
    if (status != 101)
        rule = TENON_RULE_STATUS;
    if (rule == TENON_RULE_NONE)
        rule = check_upgrade(fields, key, &at);
    if (rule == TENON_RULE_NONE)
        rule = check_body(fields, &at);
    at = rule == TENON_RULE_NONE ? NULL : at;
    if (rule == TENON_RULE_NONE)
        rule = tenon_choice_check(fields, request, flags, &verdict->subprotocol, &at);
    if (rule != TENON_RULE_NONE) {
        memset(&verdict->subprotocol, 0, sizeof verdict->subprotocol);
        verdict->at = at;
    }
    verdict->rule = rule;
    return TENON_OK;
}
