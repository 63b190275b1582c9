/* SPDX-License-Identifier: MIT */
/*
 * Layer 3: the server's side of the upgrade over HTTP/1.1 (RFC 6455, 4.2).
 * tenon_upgrade_check lives here too. Callers have checked pointers and the size
 * of the structs.
 */
#ifndef TENON_HANDSHAKE_SERVER_H
#define TENON_HANDSHAKE_SERVER_H

#include "base.h"
#include "http1.h"
#include "tenon/handshake.h"

/*
 * Slices of a request that tenon_http1_feed judged good: the target in
 * origin-form, the authority from an absolute target or else from Host, and
 * Origin. A target of neither form stays as received, for tenon_upgrade_check
 * refuses it. (tenon_upgrade_check takes either form.)
 */
TENON_INTERNAL void tenon_server_head(const char *text, size_t n, tenon_head *head);

/*
 * Writes the head of the 101 for a request that tenon_upgrade_check found good, with an
 * answer that tenon_answer_valid did, as far as the fields that its extensions and
 * further headers make. key: that of the verdict.
 */
TENON_INTERNAL void tenon_server_accept(const char key[TENON_KEY_SIZE], tenon_str subprotocol, tenon_text *out);

/* Writes the head of a refusal; the body is the caller's to send. Errors as
 * above: STATUS; HEADER; TOO_BIG. */
TENON_INTERNAL int tenon_server_reject(const tenon_refusal *refusal, tenon_text *out);

/* Writes the library's own answer, without body, to what it cannot accept.
 * out->used > out->room if it did not fit. */
TENON_INTERNAL void tenon_server_refuse(uint16_t status, tenon_text *out);

#endif
