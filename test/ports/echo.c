/* SPDX-License-Identifier: MIT */
/*
 * A client and a server back to back in one image: the handshake, messages of many
 * sizes from each side and back, pings both ways, the closing handshake. The wire is
 * cut at places that always differ. Prints each event, and at the end a sum of all
 * octets of the wire: the same text wherever it runs. 0 if all came as it should.
 *
 * Everything is static, and small enough for 16 KB of RAM.
 */
#include <stdio.h>
#include <string.h>
#include "tenon/tenon.h"

#define LONGEST 1100

typedef struct side {
    const char *name;
    tenon_config config;
    tenon_storage storage;
    tenon_conn *conn;
    unsigned char rx[TENON_RX_RESERVE + LONGEST + 28], tx[LONGEST + 420];
    unsigned got;    /* messages of the peer's own that came */
    unsigned echoed; /* own ones that came back */
    unsigned sent;   /* own ones */
    int done, closed, pongs;
} side;

static const unsigned short sizes[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 31, 64, 124, 125, 126, 127, 128, 500, 1023, LONGEST};
#define COUNT ((unsigned)(sizeof sizes / sizeof sizes[0]))

static side server, client;
static unsigned char message[LONGEST], wire[61];
static unsigned long sum = 2166136261u, passed;
static unsigned trouble;

static void check(int good, const char *what, const side *s)
{
    if (good)
        return;
    trouble++;
    printf("%s: %s\n", s->name, what);
}

/* ------------------------------------------------------------------ messages */

/* Every third one is binary; text has characters of one and of three octets. */
static int make(unsigned i)
{
    static const unsigned char euro[] = {0xe2, 0x82, 0xac};
    unsigned n = sizes[i], at = 0;
    int binary = i % 3 == 2;
    while (at < n) {
        if (binary)
            message[at] = (unsigned char)(at * 7 + i);
        else if (n - at >= 3 && at % 5 == 0) {
            memcpy(message + at, euro, 3);
            at += 2;
        } else
            message[at] = (unsigned char)('a' + (at + i) % 26);
        at++;
    }
    return binary ? TENON_BINARY : TENON_TEXT;
}

static void send_next(side *s)
{
    int opcode;
    if (s->sent == COUNT) {
        s->done = 1;
        return;
    }
    opcode = make(s->sent);
    check(tenon_send(s->conn, opcode, message, sizes[s->sent], 0) == TENON_OK, "a message was not taken", s);
    s->sent++;
}

/* An own message that has come back, or one of the peer's, which goes back. */
static void on_data(side *s, const tenon_event *e, int own)
{
    unsigned i = own ? s->echoed : s->got;
    int opcode = make(i < COUNT ? i : 0);
    check(i < COUNT && e->opcode == opcode && e->size == sizes[i] && memcmp(e->data, message, e->size) == 0,
          "another message than was sent", s);
    if (own) {
        s->echoed++;
        send_next(s);
        return;
    }
    s->got++;
    check(tenon_send(s->conn, e->opcode, e->data, e->size, 0) == TENON_OK, "the echo was not taken", s);
}

static void on_event(side *s, const tenon_event *e)
{
    printf("%s %s %d %d %lu %u %u\n", s->name, tenon_event_name(e->type), e->opcode, e->flags,
           (unsigned long)e->size, e->code, e->rule);
    if (e->type == TENON_EV_REQUEST)
        check(tenon_accept(s->conn, NULL) == TENON_OK, "the request was not accepted", s);
    if (e->type == TENON_EV_OPEN && s == &client)
        send_next(s);
    if (e->type == TENON_EV_DATA)
        on_data(s, e, (s == &client) == (client.done == 0));
    if (e->type == TENON_EV_PONG)
        s->pongs++;
    if (e->type == TENON_EV_CLOSED) {
        s->closed = 1;
        check(e->code == TENON_CLOSE_NORMAL && e->rule == TENON_RULE_NONE, "closed for another reason", s);
    }
}

/* ---------------------------------------------------------------------- wire */

static void deliver(side *to, size_t n)
{
    tenon_event e;
    check(tenon_recv(to->conn, wire, n) == TENON_OK, "octets were not taken", to);
    while (tenon_next(to->conn, &e) == TENON_EVENT)
        on_event(to, &e);
}

/* Some of the octets of one side to the other; 0 if there were none. */
static size_t carry(side *from, side *to)
{
    tenon_iov piece;
    size_t i, n, count = 0;
    tenon_out(from->conn, &piece, 1, &count);
    if (count == 0)
        return 0;
    n = 1 + passed * 31 % sizeof wire;
    n = n < piece.size ? n : piece.size;
    memcpy(wire, piece.base, n);
    check(tenon_sent(from->conn, n) == TENON_OK, "octets were not given", from);
    for (i = 0; i < n; i++)
        sum = ((sum ^ wire[i]) * 16777619u) & 0xffffffffu;
    passed += n;
    deliver(to, n);
    return n;
}

static void exchange(void)
{
    while (carry(&client, &server) + carry(&server, &client) > 0) {
    }
}

/* The server has sent its Close behind the client's, and ends the stream. */
static void end_stream(side *s)
{
    tenon_event e;
    if (s->closed)
        return;
    tenon_eof(s->conn);
    while (tenon_next(s->conn, &e) == TENON_EVENT)
        on_event(s, &e);
}

/* --------------------------------------------------------------------- begin */

static int not_random(void *user, void *out, size_t n)
{
    static unsigned long state = 1;
    unsigned char *to = out;
    (void)user;
    while (n-- > 0) {
        state = (state * 1103515245u + 12345u) & 0x7fffffffu;
        *to++ = (unsigned char)(state >> 16);
    }
    return 0;
}

static void begin(side *s, const char *name)
{
    s->name = name;
    if (s == &client)
        tenon_config_client(&s->config, sizeof s->config);
    else
        tenon_config_server(&s->config, sizeof s->config);
    s->config.random = not_random;
    check(tenon_init(&s->storage, sizeof s->storage, &s->config, &s->conn) == TENON_OK, "no connection", s);
    check(tenon_lend(s->conn, s->rx, sizeof s->rx, s->tx, sizeof s->tx) == TENON_OK, "no buffers", s);
}

static void connect(void)
{
    static tenon_request request;
    request.size = (uint32_t)sizeof request;
    request.authority = "device.example";
    check(tenon_connect(client.conn, &request) == TENON_OK, "no request", &client);
}

int main(void)
{
    begin(&server, "server");
    begin(&client, "client");
    connect();
    exchange(); /* and all messages of the client */
    send_next(&server);
    exchange();
    check(tenon_ping(client.conn, "to the server", 13) == TENON_OK, "no ping", &client);
    check(tenon_ping(server.conn, "", 0) == TENON_OK, "no ping", &server);
    exchange();
    check(tenon_close(client.conn, TENON_CLOSE_NORMAL, "bye", 3) == TENON_OK, "no close", &client);
    exchange();
    end_stream(&server);
    end_stream(&client);
    check(client.echoed == COUNT && server.got == COUNT && client.pongs == 1 && client.closed, "not all came", &client);
    check(server.echoed == COUNT && client.got == COUNT && server.pongs == 1 && server.closed, "not all came", &server);
    printf("%u messages, %lu octets, sum %08lx, %u troubles\n", 4 * COUNT, passed, sum, trouble);
    return trouble == 0 ? 0 : 1;
}
