/* SPDX-License-Identifier: MIT */
/*
 * Several connections of an echo server over one read buffer. After each turn the
 * connection gives the buffer back with tenon_unlend; what it had not used yet is
 * kept, in memory of the connection's own, and is lent first the next time.
 *
 * Here something is left over whenever a client sends frames right behind its
 * request: the server decides on a request in the turn after it arrived.
 */
#include "check.h"

#define CLIENTS 3
#define SHARED_SIZE 512

typedef struct peer {
    tenon_storage storage;
    unsigned char rx[1024], tx[1024];
    tenon_conn *conn;
    check_bytes from_client; /* what the network will bring */
    size_t taken;            /* octets of it that were read */
    unsigned char kept[SHARED_SIZE];
    size_t kept_size;
    check_bytes to_client;
    int was_kept, waits, is_closed;
} peer;

/* The only read buffer. */
static unsigned char shared[SHARED_SIZE];

static void handle(peer *p, const tenon_event *event)
{
    if (event->type == TENON_EV_REQUEST)
        p->waits = 1;
    if (event->type == TENON_EV_DATA)
        CHECK(tenon_send(p->conn, event->opcode, event->data, event->size, 0) == TENON_OK);
    if (event->type == TENON_EV_CLOSED) {
        CHECK(event->flags & TENON_CLEAN);
        CHECK(event->code == 1000);
        p->is_closed = 1;
    }
}

/* Fills the shared buffer: what was kept, then up to n octets of the network's. */
static size_t fill_shared(peer *p, size_t n)
{
    size_t fresh = p->from_client.size - p->taken;
    size_t size = p->kept_size;
    memcpy(shared, p->kept, size);
    p->kept_size = 0;
    if (fresh > n)
        fresh = n;
    if (fresh > SHARED_SIZE - size)
        fresh = SHARED_SIZE - size;
    memcpy(shared + size, p->from_client.data + p->taken, fresh);
    p->taken += fresh;
    return size + fresh;
}

static void turn(peer *p, size_t n)
{
    const void *rest;
    tenon_event event;
    if (p->waits) {
        CHECK(tenon_accept(p->conn, NULL) == TENON_OK);
        p->waits = 0;
    }
    n = fill_shared(p, n);
    CHECK(tenon_recv(p->conn, shared, n) == TENON_OK);
    while (tenon_next(p->conn, &event) == TENON_EVENT)
        handle(p, &event);
    check_take_output(p->conn, &p->to_client);
    CHECK(tenon_unlend(p->conn, &rest, &p->kept_size) == TENON_OK);
    if (p->kept_size > 0) {
        memcpy(p->kept, rest, p->kept_size);
        p->was_kept = 1;
    }
    memset(shared, 0xee, sizeof shared); /* as the next connection will */
    while (tenon_next(p->conn, &event) == TENON_EVENT)
        handle(p, &event); /* what the output brought about: CLOSED */
}

/* What the client will send: its request with two messages and a Close behind it. */
static void begin(peer *p, const tenon_config *config, int number)
{
    char text[32];
    CHECK(tenon_init(&p->storage, sizeof p->storage, config, &p->conn) == TENON_OK);
    CHECK(tenon_lend(p->conn, p->rx, sizeof p->rx, p->tx, sizeof p->tx) == TENON_OK);
    check_append(&p->from_client, CHECK_REQUEST(""), strlen(CHECK_REQUEST("")));
    snprintf(text, sizeof text, "message of %d", number);
    check_append_frame(&p->from_client, 0x81, text, 1);
    check_append_frame(&p->from_client, 0x01, "in two ", 1);
    check_append_frame(&p->from_client, 0x80, "parts", 1);
    check_append_frame(&p->from_client, 0x88, "\x03\xe8", 1);
}

static void check_answer(const peer *p, int number)
{
    check_bytes frames = {0, {0}};
    char text[32];
    snprintf(text, sizeof text, "message of %d", number);
    check_append_frame(&frames, 0x81, text, 0);
    check_append_frame(&frames, 0x81, "in two parts", 0);
    check_append_frame(&frames, 0x88, "\x03\xe8", 0);
    CHECK(p->is_closed);
    CHECK(check_has(&p->to_client, "HTTP/1.1 101 "));
    CHECK(check_has(&p->to_client, "Sec-WebSocket-Accept: " CHECK_ACCEPT "\r\n"));
    CHECK(p->to_client.size > frames.size);
    CHECK(memcmp(p->to_client.data + p->to_client.size - frames.size, frames.data, frames.size) == 0);
}

int main(void)
{
    static peer peers[CLIENTS];
    static const size_t burst[CLIENTS] = {512, 200, 23};
    tenon_config config;
    int i, round;
    CHECK(tenon_config_server(&config, sizeof config) == TENON_OK);
    for (i = 0; i < CLIENTS; i++)
        begin(&peers[i], &config, i);
    for (round = 0; round < 64; round++)
        for (i = 0; i < CLIENTS; i++)
            if (!peers[i].is_closed)
                turn(&peers[i], burst[i]);
    for (i = 0; i < CLIENTS; i++)
        check_answer(&peers[i], i);
    CHECK(peers[0].was_kept); /* or the point was not made */
    return 0;
}
