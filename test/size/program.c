/* SPDX-License-Identifier: MIT */
/*
 * A program that uses what such a program must use, to see how much of the library
 * comes with it. Linked, never run.
 *
 *   -DSERVER, -DCLIENT  its roles
 *   -DHANDSHAKE         with the opening handshake; else the connection starts open
 */
#include "tenon/tenon.h"

static tenon_config config;
static tenon_storage storage;
static unsigned char rx[1024], tx[1024], input[256];

/* What the transport, the clock and the source of random octets would be. */
volatile unsigned char device[16];

static size_t device_read(unsigned char *to, size_t n)
{
    size_t i;
    for (i = 0; i < n && device[0] != 0; i++)
        to[i] = device[1];
    return i;
}

static void device_write(const unsigned char *from, size_t n)
{
    while (n-- > 0)
        device[2] = *from++;
}

static uint64_t device_now(void)
{
    return device[3];
}

#ifdef CLIENT
static int device_random(void *user, void *out, size_t n)
{
    unsigned char *to = out;
    (void)user;
    while (n-- > 0)
        *to++ = device[4];
    return 0;
}

static void begin_client(tenon_conn **conn)
{
#ifdef HANDSHAKE
    static tenon_request request;
    request.size = (uint32_t)sizeof request;
    request.authority = "device.example";
    tenon_config_client(&config, sizeof config);
#else
    tenon_config_open(&config, sizeof config, TENON_CLIENT);
#endif
    config.random = device_random;
    tenon_init(&storage, sizeof storage, &config, conn);
    tenon_lend(*conn, rx, sizeof rx, tx, sizeof tx);
#ifdef HANDSHAKE
    tenon_connect(*conn, &request);
#endif
}
#endif

#ifdef SERVER
static void begin_server(tenon_conn **conn)
{
#ifdef HANDSHAKE
    tenon_config_server(&config, sizeof config);
#else
    tenon_config_open(&config, sizeof config, TENON_SERVER);
#endif
    tenon_init(&storage, sizeof storage, &config, conn);
    tenon_lend(*conn, rx, sizeof rx, tx, sizeof tx);
}
#endif

static void handle(tenon_conn *conn, const tenon_event *event)
{
#if defined(SERVER) && defined(HANDSHAKE)
    if (event->type == TENON_EV_REQUEST)
        tenon_accept(conn, NULL);
#endif
    if (event->type == TENON_EV_DATA && tenon_send(conn, event->opcode, event->data, event->size, 0) == TENON_ERR_AGAIN)
        tenon_again(conn);
    if (device[5] != 0)
        tenon_ping(conn, NULL, 0);
    if (device[6] != 0)
        tenon_close(conn, TENON_CLOSE_NORMAL, NULL, 0);
}

static void turn(tenon_conn *conn)
{
    tenon_event event;
    tenon_iov iov;
    size_t count = 0;
    tenon_tick(conn, device_now());
    if (tenon_wants(conn) & TENON_WANTS_READ)
        tenon_recv(conn, input, device_read(input, sizeof input));
    if (device[7] != 0)
        tenon_eof(conn);
    if (device[8] != 0)
        tenon_abort(conn, TENON_REMOTE);
    while (tenon_next(conn, &event) == TENON_EVENT)
        handle(conn, &event);
    while (tenon_out(conn, &iov, 1, &count) == TENON_OK && count > 0) {
        device_write(iov.base, iov.size);
        tenon_sent(conn, iov.size);
    }
    device[9] = (unsigned char)tenon_deadline(conn);
}

int main(void)
{
    tenon_conn *conn = NULL;
#ifdef SERVER
    begin_server(&conn);
#endif
#ifdef CLIENT
    if (device[10] != 0)
        begin_client(&conn);
#endif
    while (tenon_state(conn) != TENON_CLOSED)
        turn(conn);
    return 0;
}
