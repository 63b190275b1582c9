/* SPDX-License-Identifier: MIT */
/*
 * Which fields of a head go on to the other side.
 *
 * Not those of the connection itself (Connection and what it names, Upgrade and
 * the like, Sec-WebSocket-*: each of the two connections has its own), and not
 * those by which a client could claim to have come through a proxy: X-Forwarded-*,
 * Forwarded, X-Real-IP. Their place take the relay's own, unless the clients are
 * proxies that are trusted. A name with _ counts as one with -, since programs
 * behind CGI-like interfaces cannot tell them apart.
 */
#ifndef EXAMPLES_RELAY_HEADS_H
#define EXAMPLES_RELAY_HEADS_H

#include "relay/relay.h"

/* The fields of a head (100 at most, unless configured), and a few of our own. */
#define FIELDS_MAX 104
#define SUBPROTOCOLS_MAX 100

/* The request to the origin, and the memory that it lies in. */
struct offer {
    tenon_request request;
    tenon_header fields[FIELDS_MAX];
    const char *subprotocols[SUBPROTOCOLS_MAX];
    size_t used, room;
    char text[];
};

/* Of a client's head; peer: its address. NULL without memory, or if it does not
 * fit. free() it. */
offer *offer_make(const relay *r, const tenon_head *head, const char *peer);

/* The fields of the origin's answer that the client may see: how many. */
size_t answer_fields(const tenon_fields *from, tenon_header *to, size_t max);

/* The extensions that the origin chose, as one value; *size is 0 for none. 0, or -1
 * if there is not so much room. */
int answer_extensions(const tenon_fields *from, char *value, size_t room, size_t *size);

/* Whether a name is this one; ASCII case does not count, nor - or _. */
int is_name(const char *name, size_t size, const char *other);

#endif
