/* SPDX-License-Identifier: MIT */
/*
 * Layer 3: the client's side of the upgrade over HTTP/1.1 (RFC 6455, 4.1).
 * tenon_answer_check lives here too. Callers have checked pointers and the size
 * of the structs.
 */
#ifndef TENON_HANDSHAKE_CLIENT_H
#define TENON_HANDSHAKE_CLIENT_H

#include "base.h"
#include "http1.h"
#include "key.h"
#include "tenon/handshake.h"

/*
 * Checks the whole of *request and writes the head, as far as the fields that its
 * extensions and further headers make. Errors, with nothing written: URI; SUBPROTOCOL;
 * EXTENSION; HEADER. What does not fit is found when all is written.
 */
TENON_INTERNAL int tenon_client_request(const tenon_request *request, const char key[TENON_KEY_SIZE], tenon_text *out);

/*
 * Whether the fields of a 101 answer a key with that digest: TENON_RULE_NONE, or the rule
 * and what is to be blamed. Behind it stands tenon_choice_check.
 */
TENON_INTERNAL uint16_t tenon_switch_check(const tenon_fields *fields, const uint8_t digest[TENON_SHA1_SIZE],
                                           tenon_str *value);

#endif
