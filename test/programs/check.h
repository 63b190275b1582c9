/* SPDX-License-Identifier: MIT */
/*
 * What the programs here share: a check that ends the program, the request of a
 * client, and its frames. The key is fixed, so that the octets are known.
 */
#ifndef PROGRAMS_CHECK_H
#define PROGRAMS_CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tenon/frame.h"
#include "tenon/tenon.h"

#define CHECK(what) ((what) ? (void)0 : check_failed(#what, __FILE__, __LINE__))

static void check_failed(const char *what, const char *file, int line)
{
    fprintf(stderr, "%s:%d: %s\n", file, line, what);
    exit(1);
}

/* The example of RFC 6455, 1.3: key and answer. */
#define CHECK_KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define CHECK_ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

#define CHECK_REQUEST(more) \
    "GET /echo HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
    "Sec-WebSocket-Key: " CHECK_KEY "\r\nSec-WebSocket-Version: 13\r\n" more "\r\n"

/* Octets that grow at their end. */
typedef struct check_bytes {
    size_t size;
    unsigned char data[4096];
} check_bytes;

static inline void check_append(check_bytes *to, const void *data, size_t n)
{
    CHECK(n <= sizeof to->data - to->size);
    if (n > 0)
        memcpy(to->data + to->size, data, n);
    to->size += n;
}

/* A frame; masked if it is a client's. first: FIN and opcode. */
static inline void check_append_frame(check_bytes *to, unsigned first, const char *payload, int masked)
{
    static const uint8_t key[4] = {0x37, 0xfa, 0x21, 0x3d};
    uint8_t header[TENON_FRAME_HEADER_MAX];
    size_t size, n = strlen(payload), start;
    tenon_frame frame;
    memset(&frame, 0, sizeof frame);
    frame.first = (uint8_t)first;
    frame.payload_size = n;
    frame.masked = (uint8_t)masked;
    memcpy(frame.key, key, 4);
    CHECK(tenon_frame_encode(&frame, header, &size) == TENON_OK);
    check_append(to, header, size);
    start = to->size;
    check_append(to, payload, n);
    if (masked)
        tenon_mask(to->data + start, to->data + start, n, key, 0);
}

/* Moves all output to the end of *to. */
static inline void check_take_output(tenon_conn *conn, check_bytes *to)
{
    for (;;) {
        tenon_iov piece;
        size_t count;
        CHECK(tenon_out(conn, &piece, 1, &count) == TENON_OK);
        if (count == 0)
            return;
        check_append(to, piece.base, piece.size);
        CHECK(tenon_sent(conn, piece.size) == TENON_OK);
    }
}

static inline int check_equal(const check_bytes *bytes, const void *data, size_t n)
{
    return bytes->size == n && memcmp(bytes->data, data, n) == 0;
}

/* Whether text occurs in the octets. */
static inline int check_has(const check_bytes *bytes, const char *text)
{
    size_t i, n = strlen(text);
    for (i = 0; i + n <= bytes->size; i++)
        if (memcmp(bytes->data + i, text, n) == 0)
            return 1;
    return 0;
}

#endif
