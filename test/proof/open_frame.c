/* SPDX-License-Identifier: MIT */
/* Frames of unknown payload, whole or cut in two; first octets and lengths of all kinds;
 * fragments; then the end of the stream. */
#include "talk.h"

#define HEAD (2 + (MASKED ? 4 : 0))

static uint8_t wire[2 * (HEAD + N)];

static const uint8_t firsts[9] = {0x00, 0x01, 0x02, 0x80, 0x81, 0x82, 0x88, 0x89, 0x8a};

/* Writes a frame that ends at end; returns where it begins. */
static uint8_t *put(uint8_t *end, uint8_t first, size_t size)
{
    uint8_t *data = end - HEAD - size;
    size_t i;
    data[0] = first;
    data[1] = (uint8_t)((MASKED ? 0x80 : 0) | size);
    for (i = 2; i < HEAD + size; i++)
        data[i] = any_u8;
    return data;
}

static void lend(tenon_conn *conn, uint8_t *data, size_t n)
{
    tenon_recv(conn, data, n);
    listen_to(conn);
}

static void whole(tenon_conn *conn, uint8_t first, size_t size)
{
    lend(conn, put(wire + sizeof wire, first, size), HEAD + size);
    tenon_eof(conn);
    listen_to(conn);
    flush(conn);
}

static void constant(tenon_conn *conn, uint8_t first)
{
    tenon_recv_const(conn, put(wire + sizeof wire, first, N), HEAD + N);
    listen_to(conn);
}

static void cut(tenon_conn *conn, uint8_t first, size_t at)
{
    uint8_t *data = put(wire + sizeof wire, first, N);
    lend(conn, data, at);
    lend(conn, data + at, HEAD + N - at);
}

static void pair(tenon_conn *conn, uint8_t first, uint8_t second)
{
    uint8_t *data = put(put(wire + sizeof wire, second, N), first, N);
    lend(conn, data, 2 * (HEAD + N));
}

/* Any octet, and any behind one that is good. */
static void octet(tenon_conn *conn, uint8_t first)
{
    wire[sizeof wire - 1] = first;
    lend(conn, wire + sizeof wire - 1, 1);
}

static void length(tenon_conn *conn, uint8_t first, uint8_t second)
{
    wire[sizeof wire - 2] = first;
    wire[sizeof wire - 1] = second;
    lend(conn, wire + sizeof wire - 2, 2);
}

static void each_first(tenon_conn *conn, uint8_t first)
{
    size_t i;
    //@ loop unroll N + 1;
    for (i = 0; i <= N; i++)
        CASE(whole(conn, first, i));
    //@ loop unroll N + 6;
    for (i = 1; i < HEAD + N; i++)
        CASE(cut(conn, first, i));
    CASE(constant(conn, first));
    CASE(length(conn, first, 125));
    CASE(length(conn, first, 126));
    CASE(length(conn, first, 127));
    CASE(length(conn, first, 0x80 | 1));
    CASE(length(conn, first, 0x80 | 127));
    over();
}

static void each(uint32_t flags)
{
    tenon_conn *conn = open_one(flags);
    size_t i;
    //@ loop unroll 10;
    for (i = 0; i < 9; i++) {
        if (any_int)
            each_first(conn, firsts[i]);
    }
    //@ loop unroll 10;
    for (i = 0; i < 9; i++) {
        CASE(pair(conn, 0x01, firsts[i]));
        CASE(pair(conn, 0x82, firsts[i]));
    }
    //@ loop unroll 256;
    for (i = 0; i < 256; i++)
        CASE(octet(conn, (uint8_t)i));
    over();
}

void main(void)
{
    if (any_int)
        each(0);
    each(TENON_CHUNKS);
}
