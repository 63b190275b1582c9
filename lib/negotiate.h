/* SPDX-License-Identifier: MIT */
/*
 * Layer 2: what the handshakes of both roles and all HTTP versions share: which
 * subprotocol, which extensions, which further headers. tenon_subprotocol_next,
 * tenon_subprotocol_choose and tenon_origin_allowed live here too.
 */
#ifndef TENON_NEGOTIATE_H
#define TENON_NEGOTIATE_H

#include "base.h"
#include "field.h"
#include "http1.h"
#include "tenon/handshake.h"

/* What the heads of both roles have, but for the end of its last line. */
#define TENON_UPGRADE "Upgrade: websocket\r\nConnection: Upgrade"

#define TENON_FIELD_PROTOCOL "Sec-WebSocket-Protocol"

/* Beside the flags of a config, for tenon_choice_check: permessage-deflate was offered
 * as well, by the library. */
#define TENON_CHOICE_DEFLATE 0x80000000u

/* Whether what the program gave can be read at all: TENON_OK, SIZE or NULL. No answer is
 * as good as one without anything in it. */
static inline int tenon_request_status(const tenon_request *request)
{
    if (request->size < TENON_REQUEST_LEAST)
        return TENON_ERR_SIZE;
    return (request->subprotocols == NULL && request->subprotocol_count > 0) ||
                   (request->headers == NULL && request->header_count > 0)
               ? TENON_ERR_NULL
               : TENON_OK;
}

static inline int tenon_answer_status(const tenon_answer *answer)
{
    if (answer == NULL)
        return TENON_OK;
    if (answer->size < TENON_ANSWER_LEAST)
        return TENON_ERR_SIZE;
    return answer->headers == NULL && answer->header_count > 0 ? TENON_ERR_NULL : TENON_OK;
}

/* Whether headers of the program may go into a head: tokens, values without
 * controls, no name that the handshake owns. TENON_OK or TENON_ERR_HEADER. */
TENON_INTERNAL int tenon_headers_check(const tenon_header *headers, size_t count);

/* Writes the field of extensions: the program's own, data NULL for none, and one more,
 * "" for none. */
TENON_INTERNAL void tenon_extensions_put(tenon_text *out, tenon_str own, const char *more);

/* Server: whether the offers of a request are in their grammar; those of subprotocols
 * and of extensions are looked for in fields of their own, which may be the same.
 * TENON_RULE_NONE and *at NULL, or the rule and where. */
TENON_INTERNAL unsigned int tenon_offer_check(const tenon_fields *protocols, const tenon_fields *extensions,
                                              const char **at);

/* Server: whether the answer may be given to the request. TENON_OK and the
 * element chosen (data NULL for none), or SUBPROTOCOL, EXTENSION, HEADER. */
TENON_INTERNAL int tenon_answer_valid(const tenon_fields *request, const tenon_answer *answer,
                                      tenon_str *subprotocol);

/* Client: whether what a request offers may be sent. TENON_OK, or SUBPROTOCOL,
 * EXTENSION, HEADER. */
TENON_INTERNAL int tenon_offer_valid(const tenon_request *request);

/* Client: whether the answer stays within the offer of the request. TENON_RULE_NONE and
 * the subprotocol (data NULL for none), or the rule and what is to be blamed. */
TENON_INTERNAL uint16_t tenon_choice_check(const tenon_fields *answer, const tenon_request *request, uint32_t flags,
                                           tenon_str *value);

#endif
