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

/* How many parts of its head the check of a request looks through apart, where speed counts
 * more than size. */
#define TENON_PARTS 11

/* A request that is being checked: fields and version are the caller's to fill, the rest to
 * zero. */
typedef struct tenon_asked {
    tenon_fields fields;
    tenon_str value; /* what is looked at: where a rule is broken, data is what is to be blamed */
    const char *key; /* of TENON_KEY_SIZE octets, once it is known to be good */
    uint16_t version;
    uint16_t status; /* of the answer, where it is not tenon_http1_status of the rule */
#if !TENON_SMALL
    size_t first[TENON_PARTS]; /* of a part: the position of its first field */
    size_t end[TENON_PARTS];   /* the one behind its last; 0: there is none */
#endif
} tenon_asked;

/*
 * What tenon_upgrade_check is made of, in this order: version and the method, which is the
 * value; the target, which is the value; the fields that every upgrade has; the offers. One
 * behind the other, not one upon the other, so that the stack stays flat. Each returns the
 * rule that is broken, or TENON_RULE_NONE.
 */
TENON_INTERNAL unsigned int tenon_method_check(tenon_asked *a);
TENON_INTERNAL unsigned int tenon_target_check(tenon_asked *a);
TENON_INTERNAL unsigned int tenon_fields_check(tenon_asked *a);
TENON_INTERNAL unsigned int tenon_offers_check(tenon_asked *a);

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
