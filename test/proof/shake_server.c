/* SPDX-License-Identifier: MIT */
/* A server's handshake from tenon_init: a request in two pieces, with another octet at
 * some places or the stream at its end too soon; each decision; and the first frame. */
#define ROLE TENON_SERVER
#include "talk.h"
#include "tenon/handshake.h"

static const char request[] = "GET / HTTP/1.1\r\n"
                              "Host: a\r\n"
                              "Upgrade: websocket\r\n"
                              "Connection: Upgrade\r\n"
                              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                              "Sec-WebSocket-Version: 13\r\n"
                              "Sec-WebSocket-Protocol: b\r\n\r\n";
enum { SIZE = sizeof request - 1 };

static uint8_t wire[SIZE];

static tenon_conn *begin(uint32_t flags)
{
    tenon_conn *conn;
    tenon_config_server(&config, sizeof config);
    config.flags = flags;
    memcpy(wire, request, SIZE);
    if (tenon_init(&storage, sizeof storage, &config, &conn) != TENON_OK)
        over(); /* the analysis knows nothing of alignment */
    MUST(tenon_lend(conn, rx, sizeof rx, tx, sizeof tx) == TENON_OK);
    return conn;
}

static void feed(tenon_conn *conn, size_t n, size_t cut)
{
    tenon_recv(conn, wire, cut);
    listen_to(conn);
    if (cut < n)
        tenon_recv(conn, wire + cut, n - cut);
    listen_to(conn);
}

static void changed(size_t at, uint8_t octet)
{
    tenon_conn *conn = begin(TENON_PLAIN_GET);
    wire[at] = octet;
    feed(conn, SIZE, SIZE);
    flush(conn);
}

static void short_of(size_t n)
{
    tenon_conn *conn = begin(0);
    feed(conn, n, n / 2);
    tenon_eof(conn);
    listen_to(conn);
}

static void accepted(tenon_conn *conn)
{
    static const tenon_header more = {"A", "b", 0, 0};
    tenon_answer answer;
    memset(&answer, 0, sizeof answer);
    answer.size = (uint32_t)sizeof answer;
    answer.subprotocol = any_int ? "b" : "c";
    answer.headers = &more;
    answer.header_count = any_int ? 1 : 0;
    tenon_accept(conn, any_int ? &answer : NULL);
    listen_to(conn);
    flush(conn);
}

static void rejected(tenon_conn *conn, uint16_t status, uint32_t flags)
{
    static const char body[2] = {'a', 'b'};
    tenon_refusal refusal;
    memset(&refusal, 0, sizeof refusal);
    refusal.size = (uint32_t)sizeof refusal;
    refusal.status = status;
    refusal.flags = flags;
    refusal.body = body;
    refusal.body_size = any_int ? sizeof body : 0;
    tenon_reject(conn, &refusal);
    flush(conn);
    listen_to(conn);
}

static tenon_conn *asked(void)
{
    tenon_conn *conn = begin(0);
    feed(conn, SIZE, 100);
    return conn;
}

void main(void)
{
    tenon_conn *conn;
    size_t at;
    //@ loop unroll 10;
    for (at = 0; at < 8; at++) {
        CASE(changed(at * (SIZE / 8), 0));
        CASE(changed(at * (SIZE / 8), 'x'));
    }
    CASE(short_of(3));
    CASE(short_of(SIZE - 1));
    conn = asked();
    CASE(accepted(conn));
    CASE(rejected(conn, 426, TENON_COPY));
    CASE(rejected(conn, 405, 0));
    CASE(tenon_close(conn, TENON_CLOSE_NORMAL, NULL, 0));
}
