/* SPDX-License-Identifier: MIT */
/*
 * What the tests of the connection share: a bench that holds one connection with
 * its lent memory, a peer that makes frames, and a wire that keeps what was sent.
 * All lent memory is of its own allocation and exact size, so that the address
 * sanitizer sees one octet too many.
 */
#ifndef TENON_TEST_HARNESS_H
#define TENON_TEST_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tenon/frame.h"
#include "tenon/handshake.h"
#include "tenon/tenon.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

typedef struct bench {
    tenon_config config;
    tenon_storage storage;
    tenon_conn *conn;
    tenon_stats stats;
    uint8_t *rx, *tx, *lent;
    size_t rx_size, tx_size, lent_size;
    uint8_t *wire; /* all that was sent */
    size_t wire_size, wire_room;
    size_t read; /* of the wire, by wire_frame */
    uint64_t seed;
    unsigned random_calls;
    unsigned random_fails; /* the call that fails, 0 for none */
    unsigned closed;       /* CLOSED events */
    unsigned released;     /* RELEASED events */
    tenon_event event;     /* the last one */
} bench;

typedef struct wire_frame {
    uint8_t first;
    uint8_t masked;
    uint8_t key[4];
    const uint8_t *payload; /* unmasked in place */
    size_t size;
} wire_frame;

/* A generator that is good enough to cut input and fill buffers, and repeats. */
static inline uint64_t draw(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static inline int bench_random(void *user, void *out, size_t n)
{
    bench *b = user;
    uint8_t *to = out;
    size_t i;
    b->random_calls++;
    if (b->random_calls == b->random_fails)
        return -1;
    for (i = 0; i < n; i++)
        to[i] = (uint8_t)(draw(&b->seed) >> 32);
    return 0;
}

/* Fills a bench whose config is set; rx or tx of 0 are not lent. */
static inline void bench_start(bench *b, size_t rx_size, size_t tx_size)
{
    b->seed = b->seed ? b->seed : 0x9e3779b97f4a7c15u;
    b->config.random = bench_random;
    b->config.random_user = b;
    b->stats.size = (uint32_t)sizeof b->stats;
    b->rx_size = rx_size;
    b->tx_size = tx_size;
    b->rx = rx_size > 0 ? malloc(rx_size) : NULL;
    b->tx = tx_size > 0 ? malloc(tx_size) : NULL;
    b->wire_room = 4096;
    b->wire = malloc(b->wire_room);
    assert_non_null(b->wire);
    memset(&b->storage, 0xa5, sizeof b->storage);
    assert_int_equal(tenon_init(&b->storage, sizeof b->storage, &b->config, &b->conn), TENON_OK);
    assert_int_equal(tenon_lend_stats(b->conn, &b->stats), TENON_OK);
    assert_int_equal(tenon_lend(b->conn, b->rx, rx_size, b->tx, tx_size), TENON_OK);
}

static inline void bench_stop(bench *b)
{
    free(b->rx);
    free(b->tx);
    free(b->lent);
    free(b->wire);
    memset(b, 0, sizeof *b);
}

/* The type of the next event, 0 for none. */
static inline int next(bench *b)
{
    int status = tenon_next(b->conn, &b->event);
    assert_true(status == TENON_OK || status == TENON_EVENT);
    if (status == TENON_OK)
        return 0;
    assert_int_equal(b->closed, 0); /* nothing follows it */
    b->closed += b->event.type == TENON_EV_CLOSED;
    b->released += b->event.type == TENON_EV_RELEASED;
    return b->event.type;
}

#define assert_next(b, expected) assert_string_equal(tenon_event_name(next(b)), tenon_event_name(expected))
#define assert_none(b) assert_int_equal(next(b), 0)
#define assert_data(b, expected, n)               \
    do {                                          \
        assert_int_equal((b)->event.size, n);     \
        if ((n) > 0)                              \
            assert_memory_equal((b)->event.data, expected, n); \
    } while (0)

/* A connection that is open, its OPEN seen. */
static inline void bench_open_sized(bench *b, size_t rx_size, size_t tx_size)
{
    bench_start(b, rx_size, tx_size);
    assert_next(b, TENON_EV_OPEN);
    assert_none(b);
}

static inline void bench_config(bench *b, int role)
{
    memset(b, 0, sizeof *b);
    assert_int_equal(tenon_config_open(&b->config, sizeof b->config, role), TENON_OK);
}

static inline void bench_open(bench *b, int role)
{
    bench_config(b, role);
    bench_open_sized(b, 4096, 4096);
}

/* Lends a copy of its own. */
static inline void give(bench *b, const void *data, size_t n)
{
    free(b->lent);
    b->lent = malloc(n > 0 ? n : 1);
    assert_non_null(b->lent);
    if (n > 0)
        memcpy(b->lent, data, n);
    b->lent_size = n;
    assert_int_equal(tenon_recv(b->conn, b->lent, n), TENON_OK);
}

/* One frame of the peer of role, with key 37 fa 21 3d if masked; returns its size. */
static inline size_t peer_frame(int role, uint8_t *out, uint8_t first, const void *payload, size_t n)
{
    static const uint8_t key[4] = {0x37, 0xfa, 0x21, 0x3d};
    tenon_frame frame;
    size_t size;
    memset(&frame, 0, sizeof frame);
    frame.first = first;
    frame.payload_size = n;
    frame.masked = role == TENON_SERVER;
    memcpy(frame.key, key, 4);
    assert_int_equal(tenon_frame_encode(&frame, out, &size), TENON_OK);
    if (n > 0)
        memcpy(out + size, payload, n);
    if (frame.masked)
        tenon_mask(out + size, out + size, n, key, 0);
    return size + n;
}

static inline int role_of(const bench *b)
{
    return (int)b->config.role;
}

static inline void give_frame(bench *b, uint8_t first, const void *payload, size_t n)
{
    uint8_t *octets = malloc(n + TENON_FRAME_HEADER_MAX);
    assert_non_null(octets);
    give(b, octets, peer_frame(role_of(b), octets, first, payload, n));
    free(octets);
}

/* The transport takes up to n octets, keeps them, and acknowledges them. */
static inline size_t take_out(bench *b, size_t n)
{
    tenon_iov iov[4];
    size_t count, i, took = 0;
    assert_int_equal(tenon_out(b->conn, iov, COUNT_OF(iov), &count), TENON_OK);
    for (i = 0; i < count && took < n; i++) {
        size_t part = iov[i].size < n - took ? iov[i].size : n - took;
        assert_true(iov[i].size > 0);
        while (b->wire_room - b->wire_size < part) {
            b->wire_room *= 2;
            b->wire = realloc(b->wire, b->wire_room);
            assert_non_null(b->wire);
        }
        memcpy(b->wire + b->wire_size, iov[i].base, part);
        b->wire_size += part;
        took += part;
    }
    if (took > 0) /* a transport has nothing else to tell */
        assert_int_equal(tenon_sent(b->conn, took), TENON_OK);
    return took;
}

static inline void flush_out(bench *b)
{
    while (take_out(b, SIZE_MAX) > 0) {
    }
    assert_int_equal(tenon_queued(b->conn), 0);
}

/* The next frame on the wire: 1, or 0 when all was read. Every frame is in its
 * shortest form, and masked exactly if a client sent it. */
static inline int wire_next(bench *b, wire_frame *out)
{
    tenon_frame frame;
    uint8_t shortest[TENON_FRAME_HEADER_MAX];
    size_t size;
    if (b->read == b->wire_size)
        return 0;
    assert_int_equal(tenon_frame_decode(b->wire + b->read, b->wire_size - b->read, &frame, NULL, NULL), TENON_OK);
    assert_int_equal(tenon_frame_encode(&frame, shortest, &size), TENON_OK);
    assert_int_equal(size, frame.header_size);
    assert_int_equal(frame.masked, role_of(b) == TENON_CLIENT);
    b->read += size;
    assert_true(frame.payload_size <= b->wire_size - b->read);
    memset(out, 0, sizeof *out);
    out->first = frame.first;
    out->masked = frame.masked;
    memcpy(out->key, frame.key, 4);
    out->payload = b->wire + b->read;
    out->size = (size_t)frame.payload_size;
    if (frame.masked)
        tenon_mask(b->wire + b->read, b->wire + b->read, out->size, frame.key, 0);
    b->read += out->size;
    return 1;
}

static inline void assert_wire(bench *b, uint8_t first, const void *payload, size_t n)
{
    wire_frame frame;
    assert_int_equal(wire_next(b, &frame), 1);
    assert_int_equal(frame.first, first);
    assert_int_equal(frame.size, n);
    if (n > 0)
        assert_memory_equal(frame.payload, payload, n);
}

static inline void assert_wire_close(bench *b, unsigned code)
{
    uint8_t payload[2];
    payload[0] = (uint8_t)(code >> 8);
    payload[1] = (uint8_t)(code & 0xff);
    assert_wire(b, 0x80 | TENON_OP_CLOSE, payload, 2);
}

static inline void assert_wire_end(bench *b)
{
    assert_int_equal(b->read, b->wire_size);
}

/* Sends what is queued, ends the stream, and expects CLOSED, perhaps after other
 * events; then silence for ever. */
static inline void run_to_closed(bench *b)
{
    int type, turns = 0;
    flush_out(b);
    assert_int_equal(tenon_eof(b->conn), TENON_OK);
    do {
        type = next(b);
        flush_out(b);
        assert_true(++turns < 100000);
    } while (type != TENON_EV_CLOSED);
    assert_none(b);
    assert_none(b);
    assert_int_equal(tenon_wants(b->conn), TENON_WANTS_CLOSE);
}

/* ------------------------------------------------------------ the handshake */

#define REQUEST_FIELDS                                   \
    "GET /chat?x=1 HTTP/1.1\r\n"                         \
    "Host: example.com\r\n"                              \
    "Upgrade: websocket\r\n"                             \
    "Connection: Upgrade\r\n"                            \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"    \
    "Sec-WebSocket-Version: 13\r\n"
#define REQUEST REQUEST_FIELDS "\r\n"

static inline void bench_server(bench *b)
{
    memset(b, 0, sizeof *b);
    assert_int_equal(tenon_config_server(&b->config, sizeof b->config), TENON_OK);
}

static inline void bench_client(bench *b)
{
    memset(b, 0, sizeof *b);
    assert_int_equal(tenon_config_client(&b->config, sizeof b->config), TENON_OK);
}

static inline void give_text(bench *b, const char *text)
{
    give(b, text, strlen(text));
}

static inline tenon_request request_to(const char *uri)
{
    tenon_request request;
    memset(&request, 0, sizeof request);
    request.size = (uint32_t)sizeof request;
    request.uri = uri;
    return request;
}

/* The answer that opens the connection whose request is at the start of the wire;
 * more: further field lines. Returns its size. */
static inline size_t make_answer(const bench *b, char *out, size_t room, const char *more)
{
    char accept[TENON_ACCEPT_SIZE + 1], head[4096];
    const char *key;
    int n;
    assert_true(b->wire_size < sizeof head);
    memcpy(head, b->wire, b->wire_size);
    head[b->wire_size] = '\0';
    key = strstr(head, "Sec-WebSocket-Key: ");
    assert_non_null(key);
    assert_int_equal(tenon_key_accept(key + 19, TENON_KEY_SIZE, accept), TENON_OK);
    n = snprintf(out, room,
                 "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 "Sec-WebSocket-Accept: %s\r\n%s\r\n",
                 accept, more);
    assert_true(n > 0 && (size_t)n < room);
    return (size_t)n;
}

/* The connection failed for this rule at this offset: the Close on the wire carries
 * code, CLOSED reports 1006, and what follows is thrown away. */
static inline void assert_failed(bench *b, unsigned rule, uint64_t offset, unsigned code)
{
    static const uint8_t trailing[] = {0x88, 0x02, 0x03, 0xe8, 0x81, 0x01, 0x61};
    const void *rest;
    size_t n;
    assert_none(b);
    assert_int_equal(tenon_state(b->conn), TENON_CLOSING);
    flush_out(b);
    assert_wire_close(b, code);
    assert_wire_end(b);
    assert_int_equal(tenon_unlend(b->conn, &rest, &n), TENON_OK);
    assert_int_equal(n, 0);
    give(b, trailing, sizeof trailing);
    assert_none(b);
    assert_true((tenon_wants(b->conn) & TENON_WANTS_SHUT_WR) != 0);
    run_to_closed(b);
    assert_int_equal(b->event.code, TENON_CLOSE_ABNORMAL);
    assert_int_equal(b->event.received_code, 0);
    assert_int_equal(b->event.sent_code, code);
    assert_string_equal(tenon_rule_name(b->event.rule), tenon_rule_name((int)rule));
    assert_int_equal(b->event.offset, offset);
    assert_int_equal(b->event.cause, TENON_LOCAL);
    assert_int_equal(b->event.flags & TENON_CLEAN, 0);
    assert_wire_end(b);
}

#endif
