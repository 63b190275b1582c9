/* SPDX-License-Identifier: MIT */
/* A server over HTTP/1.1, with callbacks. */
#include "pay.h"

static tenon_config config;
static tenon_storage storage;
static unsigned char rx[4096], tx[4096], buf[4096];

static int on_recv(void *user, void *data, size_t n, size_t *got)
{
    static const char request[] =
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    size_t *at = user;

    *got = 0;
    while (*got < n && *at < sizeof request - 1)
        ((char *)data)[(*got)++] = request[(*at)++];
    return *got > 0 ? TENON_OK : TENON_WAIT;
}

static int on_send(void *user, const tenon_iov *iov, size_t count, size_t *put)
{
    (void)user;
    *put = count > 0 ? iov[0].size : 0;
    return TENON_OK;
}

static uint64_t on_now(void *user)
{
    (void)user;
    return 1;
}

static int on_event(tenon_conn *conn, const tenon_event *event, void *user)
{
    (void)user;
    if (event->type == TENON_EV_REQUEST)
        tenon_accept(conn, NULL);
    if (event->type == TENON_EV_DATA)
        tenon_send(conn, event->opcode, event->data, event->size, 0);
    return TENON_CONTINUE;
}

int main(void)
{
    tenon_conn *conn;
    size_t at = 0;
    tenon_io io = { 0 };
    int turn;

    io.size = sizeof io;
    io.recv = on_recv;
    io.send = on_send;
    io.now = on_now;
    io.event = on_event;
    io.user = &at;
    io.buf = buf;
    io.buf_size = sizeof buf;
    if (tenon_config_server(&config, sizeof config) != TENON_OK || !compressed(&config) ||
        tenon_init(&storage, sizeof storage, &config, &conn) != TENON_OK ||
        tenon_lend(conn, rx, sizeof rx, tx, sizeof tx) != TENON_OK)
        return 1;
    for (turn = 0; turn < 4; turn++)
        if (tenon_pump(conn, &io) < 0)
            return 1;
    return tenon_state(conn) == TENON_OPEN ? 0 : 1;
}
