/* SPDX-License-Identifier: MIT */
/* A client's handshake from tenon_init: requests, and answers with another octet at some places. */
#define ROLE TENON_CLIENT
#include "talk.h"
#include "tenon/handshake.h"

static const char good[] = "HTTP/1.1 101 a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                           "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
                           "Sec-WebSocket-Protocol: b\r\n\r\n";
static const char interim[] = "HTTP/1.1 103\r\n\r\nHTTP/1.1 403 no\r\nContent-Length: 2\r\n\r\nabc";

static uint8_t wire[sizeof good];
static tenon_request request;
static const char *const names[2] = {"b", "c"};

/* The nonce of RFC 6455, 1.3, or none. */
static int draw_sample(void *user, void *out, size_t n)
{
    (void)user;
    memcpy(out, "the sample nonce", n);
    return any_int ? 0 : -1;
}

static tenon_conn *begin(void)
{
    tenon_conn *conn;
    tenon_config_client(&config, sizeof config);
    config.random = draw_sample;
    if (tenon_init(&storage, sizeof storage, &config, &conn) != TENON_OK)
        over(); /* the analysis knows nothing of alignment */
    MUST(tenon_lend(conn, rx, sizeof rx, tx, sizeof tx) == TENON_OK);
    memset(&request, 0, sizeof request);
    request.size = (uint32_t)sizeof request;
    request.authority = "a:80";
    request.subprotocols = names;
    request.subprotocol_count = 2;
    return conn;
}

static void feed(tenon_conn *conn, size_t n, size_t cut)
{
    tenon_recv(conn, wire, cut);
    listen_to(conn);
    if (cut < n)
        tenon_recv(conn, wire + cut, n - cut);
    listen_to(conn);
    tenon_eof(conn);
    listen_to(conn);
}

static void answered(const char *text, size_t n, size_t cut)
{
    tenon_conn *conn = begin();
    tenon_connect(conn, &request);
    flush(conn);
    memcpy(wire, text, n);
    feed(conn, n, cut);
}

static void changed(const char *text, size_t n, size_t at, uint8_t octet)
{
    tenon_conn *conn = begin();
    if (tenon_connect(conn, &request) != TENON_OK)
        return;
    memcpy(wire, text, n);
    wire[at] = octet;
    feed(conn, n, n);
}

static void asked(int which, const char *uri)
{
    tenon_conn *conn = begin();
    static const tenon_header more = {"A", "b", 0, 0};
    request.origin = which == 1 ? "d" : NULL;
    request.extensions = which == 2 ? "e; f=g" : NULL;
    request.headers = which == 3 ? &more : NULL;
    request.header_count = which == 3 ? 1 : 0;
    if (which == 4) {
        request.authority = NULL;
        request.uri = uri;
    }
    tenon_connect(conn, &request);
    flush(conn);
}

void main(void)
{
    int which;
    size_t at;
    CASE(answered(good, sizeof good - 1, 10));
    CASE(answered(interim, sizeof interim - 1, 20));
    //@ loop unroll 10;
    for (at = 0; at < 6; at++)
        CASE(changed(good, sizeof good - 1, at * (sizeof good / 6), 'x'));
    //@ loop unroll 10;
    for (at = 0; at < 6; at++)
        CASE(changed(interim, sizeof interim - 1, at * (sizeof interim / 6), '9'));
    //@ loop unroll 6;
    for (which = 0; which < 5; which++)
        CASE(asked(which, "ws://a:81/b?c"));
}
