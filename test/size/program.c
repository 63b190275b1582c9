/* SPDX-License-Identifier: MIT */
/*
 * A program that uses what such a program must use, to see how much of the library
 * comes with it. Linked, never run.
 *
 *   -DSERVER, -DCLIENT  its roles
 *   -DHANDSHAKE         with the opening handshake; else the connection starts open
 *   -DPARTS and so on   one more call, as below, to see what it costs
 */
#include "tenon/deflate.h"

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

#ifdef PUMP
static int device_recv(void *user, void *buf, size_t n, size_t *got)
{
    (void)user;
    *got = device_read(buf, n);
    return TENON_OK;
}

static int device_send(void *user, const tenon_iov *iov, size_t count, size_t *put)
{
    (void)user;
    device_write(iov[count - 1].base, iov[count - 1].size);
    *put = 0;
    return TENON_OK;
}

static uint64_t device_clock(void *user)
{
    (void)user;
    return device_now();
}
#endif

#if defined(RUN) || defined(PUMP)
static int on_event(tenon_conn *conn, const tenon_event *event, void *user)
{
    (void)conn, (void)user;
    return event->type == TENON_EV_DATA ? TENON_AGAIN : TENON_CONTINUE;
}
#endif

#ifdef DEFLATE
static tenon_codec codec; /* its functions are not the library's */
#endif

/* One call more. */
static void more(tenon_conn *conn)
{
#ifdef PARTS
    tenon_send_part(conn, TENON_BINARY, input, sizeof input, device[11]);
#endif
#ifdef REFERENCES
    tenon_send_ref(conn, TENON_BINARY, input, sizeof input, 0, NULL);
#endif
#ifdef PREPARED
    static tenon_prepared prepared;
    tenon_prepare(&prepared, sizeof prepared, TENON_BINARY, input, sizeof input, 0);
    tenon_send_prepared(conn, &prepared, 0, NULL);
#endif
#ifdef RUN
    tenon_run(conn, on_event, NULL);
#endif
#ifdef PUMP
    static tenon_io io;
    io.size = (uint32_t)sizeof io;
    io.recv = device_recv;
    io.send = device_send;
    io.now = device_clock;
    io.event = on_event;
    io.buf = input;
    io.buf_size = sizeof input;
    tenon_pump(conn, &io);
#endif
#ifdef STATISTICS
    static tenon_stats stats;
    stats.size = (uint32_t)sizeof stats;
    tenon_lend_stats(conn, &stats);
#endif
#ifdef UNLEND
    const void *rest;
    size_t n;
    tenon_unlend(conn, &rest, &n);
#endif
#ifdef DEFLATE
    static tenon_deflate deflate;
    static tenon_agreed agreed;
    static unsigned char memory[64];
    deflate.codec = &codec;
    tenon_config_deflate(&config, &deflate);
    tenon_deflate_set(conn, &agreed);
    tenon_lend_deflate(conn, memory, sizeof memory);
    tenon_lend_inflate(conn, memory, sizeof memory);
#endif
    (void)conn;
}

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
    if (device[12] != 0)
        more(conn);
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
