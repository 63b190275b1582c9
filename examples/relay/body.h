/* SPDX-License-Identifier: MIT */
/*
 * The content of an HTTP/1.1 answer, gathered up to a limit; chunks are joined
 * (RFC 9112, 6 and 7).
 */
#ifndef EXAMPLES_RELAY_BODY_H
#define EXAMPLES_RELAY_BODY_H

#include "tenon/handshake.h"

#define BODY_MAX 65536

enum {
    BODY_COMING,
    BODY_WHOLE,
    BODY_LONG, /* more than BODY_MAX */
    BODY_BAD   /* its framing is broken */
};

typedef struct body {
    unsigned char *data; /* BODY_MAX octets, the caller's */
    size_t size;
    int status;          /* BODY_ */
    int framing;
    int state;           /* of the chunks */
    int digits;
    uint64_t left;       /* of the content, or of the chunk */
} body;

/* Begins behind the head of an answer. */
void body_begin(body *b, unsigned char *data, int status, const tenon_fields *fields);

/* Octets as they came. */
void body_add(body *b, const unsigned char *octets, size_t n);

/* The stream has ended. */
void body_end(body *b);

#endif
