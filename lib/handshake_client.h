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
#include "tenon/handshake.h"

/*
 * Checks the whole of *request and writes the head. more: a further extension to
 * offer, or "". Errors, after which out holds
 * nothing of use: URI; SUBPROTOCOL; EXTENSION; HEADER; TOO_BIG (out->used tells
 * the room needed).
 */
TENON_INTERNAL int tenon_client_request(const tenon_request *request, const char key[TENON_KEY_SIZE], const char *more,
                                        tenon_text *out);

#endif
