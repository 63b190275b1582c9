/* SPDX-License-Identifier: MIT */
/* A client and a server that talk through memory: what a program does that has found
 * the library, its headers and, with TALK_ZLIB, its codec. Exits with 0 if a message
 * came back and both ended well. */
#include <stdio.h>
#include <string.h>
#include <tenon/tenon.h>
#ifdef TALK_ZLIB
#include <tenon/zlib.h>
#endif

typedef struct peer {
    tenon_conn *conn;
    tenon_storage storage;
    tenon_config *config;
    unsigned char rx[4096], tx[8192], wire[8192];
    union {
        long double align;
        unsigned char octets[300000];
    } deflater, inflater;
    int closed, compressed;
    char got[200];
} peer;

static peer server, client;
static tenon_config server_config, client_config;
static const char text[] = "the same words, the same words, the same words, the same words, the same words";

static int on_random(void *user, void *out, size_t n)
{
    (void)user;
    memset(out, 0x5a, n);
    return 0;
}

static void on_open(peer *p)
{
#ifdef TALK_ZLIB
    size_t out = tenon_deflate_size(p->conn), in = tenon_inflate_size(p->conn);
    if (out > 0 && in > 0 && out <= sizeof p->deflater && in <= sizeof p->inflater) {
        p->compressed = tenon_lend_deflate(p->conn, &p->deflater, sizeof p->deflater) == TENON_OK &&
                        tenon_lend_inflate(p->conn, &p->inflater, sizeof p->inflater) == TENON_OK;
    }
#endif
    if (p == &client)
        tenon_send(p->conn, TENON_TEXT, text, sizeof text - 1, 0);
}

static void on_event(peer *p, const tenon_event *event)
{
    if (event->type == TENON_EV_REQUEST)
        tenon_accept(p->conn, NULL);
    if (event->type == TENON_EV_OPEN)
        on_open(p);
    if (event->type == TENON_EV_DATA && p == &server)
        tenon_send(p->conn, event->opcode, event->data, event->size, 0);
    if (event->type == TENON_EV_DATA && p == &client && event->size < sizeof p->got) {
        memcpy(p->got, event->data, event->size);
        tenon_close(p->conn, TENON_CLOSE_NORMAL, NULL, 0);
    }
    if (event->type == TENON_EV_CLOSED)
        p->closed = event->code;
}

static void events(peer *p)
{
    tenon_event event;
    while (tenon_next(p->conn, &event) == TENON_EVENT)
        on_event(p, &event);
}

/* What one has to send, the other one gets. */
static void carry(peer *from, peer *to)
{
    tenon_iov piece;
    size_t count;
    while (tenon_out(from->conn, &piece, 1, &count) == TENON_OK && count > 0 && piece.size <= sizeof to->wire) {
        size_t n = piece.size;
        memcpy(to->wire, piece.base, n);
        tenon_sent(from->conn, n);
        if (tenon_recv(to->conn, to->wire, n) != TENON_OK)
            return;
        events(to);
    }
    if ((tenon_wants(from->conn) & (TENON_WANTS_SHUT_WR | TENON_WANTS_CLOSE)) != 0)
        tenon_eof(to->conn);
    events(from);
}

static int begin(peer *p)
{
#ifdef TALK_ZLIB
    static const tenon_deflate deflate = {sizeof deflate, TENON_DEFLATE_REQUIRED, &tenon_zlib, 0, 0, 0, 0, 0};
    if (tenon_config_deflate(p->config, &deflate) != TENON_OK)
        return 0;
#endif
    return tenon_init(&p->storage, sizeof p->storage, p->config, &p->conn) == TENON_OK &&
           tenon_lend(p->conn, p->rx, sizeof p->rx, p->tx, sizeof p->tx) == TENON_OK;
}

int main(void)
{
    tenon_request request;
    int turn, good;
    memset(&request, 0, sizeof request);
    request.size = sizeof request;
    request.authority = "localhost";
    tenon_config_server(&server_config, sizeof server_config);
    tenon_config_client(&client_config, sizeof client_config);
    client_config.random = on_random;
    server.config = &server_config;
    client.config = &client_config;
    if (!begin(&server) || !begin(&client) || tenon_connect(client.conn, &request) != TENON_OK)
        return 1;
    for (turn = 0; turn < 10; turn++) {
        carry(&client, &server);
        carry(&server, &client);
    }
    good = strcmp(client.got, text) == 0 && server.closed == TENON_CLOSE_NORMAL && client.closed == TENON_CLOSE_NORMAL;
    printf("tenon %06x: \"%s\", ended with %d and %d%s\n", (unsigned)tenon_version(), client.got, server.closed,
           client.closed, client.compressed ? ", compressed" : "");
#ifdef TALK_ZLIB
    good = good && server.compressed && client.compressed;
#endif
    return good ? 0 : 1;
}
