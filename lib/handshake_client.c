/* SPDX-License-Identifier: MIT */
#include "handshake_client.h"

#include "base64.h"
#include "field.h"
#include "negotiate.h"
#include "uri.h"

static void put_subprotocols(tenon_text *out, const tenon_request *request)
{
    const char *before = ": ";
    size_t i;
    if (request->subprotocol_count == 0)
        return;
    tenon_text_string(out, TENON_FIELD_PROTOCOL);
    for (i = 0; i < request->subprotocol_count; i++) {
        tenon_text_string(out, before);
        tenon_text_string(out, request->subprotocols[i]);
        before = ", ";
    }
    tenon_text_string(out, "\r\n");
}

/* The resource name (RFC 6455, 3). */
static void put_target(tenon_text *out, const tenon_place *place)
{
    if (place->path.size == 0)
        tenon_text_string(out, "/");
    tenon_text_put(out, place->path.data, place->path.size);
    if (place->query.data != NULL) {
        tenon_text_string(out, "?");
        tenon_text_put(out, place->query.data, place->query.size);
    }
}

/* The request line, and where it goes, but for the end of that line. Apart, so that no
 * check stands upon it. */
static TENON_APART int put_place(tenon_text *out, const tenon_request *request)
{
    tenon_place place;
    int status = tenon_place_parse(request, 0, &place);
    if (status != TENON_OK)
        return status;
    tenon_text_string(out, "GET ");
    put_target(out, &place);
    tenon_text_string(out, " HTTP/1.1\r\nHost: ");
    tenon_text_put(out, place.authority.data, place.authority.size);
    return TENON_OK;
}

int tenon_client_request(const tenon_request *request, const char key[TENON_KEY_SIZE], tenon_text *out)
{
    size_t before = out->used;
    int status = put_place(out, request);
    if (status == TENON_OK)
        status = tenon_offer_valid(request);
    if (status != TENON_OK) {
        out->used = before;
        return status;
    }
    tenon_text_string(out, "\r\n" TENON_UPGRADE "\r\nSec-WebSocket-Key: ");
    tenon_text_put(out, key, TENON_KEY_SIZE);
    tenon_text_string(out, "\r\nSec-WebSocket-Version: 13\r\n");
    if (request->origin != NULL)
        tenon_text_field(out, "Origin", tenon_string(request->origin, 0));
    put_subprotocols(out, request);
    return TENON_OK;
}

/* --------------------------------------------------------------- the check */

static TENON_APART int is_accept(tenon_str value, const uint8_t digest[TENON_SHA1_SIZE])
{
    char accept[TENON_ACCEPT_SIZE];
    tenon_base64_encode(digest, TENON_SHA1_SIZE, accept);
    return tenon_same(value, tenon_string(accept, sizeof accept));
}

/*
 * A list is no match for the client (RFC 6455, 4.1), where the server looks for an
 * element; in Connection, both look for one.
 */
uint16_t tenon_switch_check(const tenon_fields *fields, const uint8_t digest[TENON_SHA1_SIZE], tenon_str *value)
{
    if (tenon_field_count(fields, "Upgrade", value) != 1 || !tenon_is(*value, "websocket"))
        return TENON_RULE_UPGRADE;
    (void)tenon_field_count(fields, "Connection", value);
    if (!tenon_list_has(fields, "Connection", "upgrade"))
        return TENON_RULE_CONNECTION;
    if (tenon_field_count(fields, "Sec-WebSocket-Accept", value) != 1 || !is_accept(*value, digest))
        return TENON_RULE_ACCEPT;
    /* A 101 has no content (RFC 9112, 6.3). A server that announces some may take
     * frames for it, or the other way round. */
    if (!tenon_no_content(fields, &value->data) || tenon_field_count(fields, "Transfer-Encoding", value) != 0)
        return TENON_RULE_BODY;
    return TENON_RULE_NONE;
}

int tenon_answer_check(uint16_t status, const tenon_fields *fields, const tenon_request *request,
                       const char key[TENON_KEY_SIZE], uint32_t flags, tenon_verdict *verdict)
{
    uint8_t digest[TENON_SHA1_SIZE];
    tenon_str value;
    uint32_t size;
    int given;
    if (fields == NULL || request == NULL || key == NULL || verdict == NULL)
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
    if (status != 101)
        return TENON_OK;
    tenon_key_digest(key, digest); /* the key is our own, and good */
    verdict->rule = tenon_switch_check(fields, digest, &value);
    if (verdict->rule == TENON_RULE_NONE)
        verdict->rule = tenon_choice_check(fields, request, flags, &value);
    if (verdict->rule == TENON_RULE_NONE)
        verdict->subprotocol = value;
    else
        verdict->at = value.data;
    return TENON_OK;
}
