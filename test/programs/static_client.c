/* SPDX-License-Identifier: MIT */
/*
 * A client as firmware has it: all its memory is static, and is two kilobytes at
 * most, what a read brings and the configuration included.
 */
#include "check.h"
#include "tenon/handshake.h"

static struct {
    tenon_config config;
    tenon_request request;
    tenon_storage storage;
    unsigned char rx[512];
    unsigned char tx[640];
    unsigned char in[128];
} memory;

static char said[64];
static int closed_code;

/* Counts, so that the octets are known. Firmware asks its hardware here. */
static int count_random(void *user, void *out, size_t n)
{
    static unsigned char next;
    unsigned char *at = out;
    (void)user;
    while (n-- > 0)
        *at++ = next++;
    return 0;
}

static int on_event(tenon_conn *conn, const tenon_event *event, void *user)
{
    (void)user;
    if (event->type == TENON_EV_OPEN)
        CHECK(tenon_send(conn, TENON_TEXT, "22.5 degrees", 12, 0) == TENON_OK);
    if (event->type == TENON_EV_DATA) {
        CHECK(event->size < sizeof said);
        memcpy(said, event->data, event->size);
        CHECK(tenon_close(conn, TENON_CLOSE_NORMAL, NULL, 0) == TENON_OK);
    }
    if (event->type == TENON_EV_CLOSED) {
        CHECK((event->flags & TENON_CLEAN) != 0);
        closed_code = event->code;
    }
    return TENON_CONTINUE;
}

/* The other side: what arrives goes through the small read buffer. */
static int receive(tenon_conn *conn, const void *data, size_t n)
{
    const unsigned char *at = data;
    int status = TENON_OK;
    while (n > 0) {
        size_t part = n < sizeof memory.in ? n : sizeof memory.in;
        memcpy(memory.in, at, part);
        CHECK(tenon_recv(conn, memory.in, part) == TENON_OK);
        status = tenon_run(conn, on_event, NULL);
        at += part;
        n -= part;
    }
    return status;
}

/* The answer of a server, for the key in this request. */
static void answer(tenon_conn *conn, const check_bytes *request)
{
    static const char name[] = "Sec-WebSocket-Key: ";
    char accept[TENON_ACCEPT_SIZE + 1], head[256];
    size_t i;
    for (i = 0; i + sizeof name + TENON_KEY_SIZE < request->size; i++)
        if (memcmp(request->data + i, name, sizeof name - 1) == 0)
            break;
    CHECK(tenon_key_accept((const char *)request->data + i + sizeof name - 1, TENON_KEY_SIZE, accept) == TENON_OK);
    snprintf(head, sizeof head,
             "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Accept: %s\r\n\r\n",
             accept);
    CHECK(receive(conn, head, strlen(head)) == TENON_OK);
}

static tenon_conn *begin(void)
{
    tenon_conn *conn;
    CHECK(sizeof memory <= 2048);
    CHECK(tenon_config_client(&memory.config, sizeof memory.config) == TENON_OK);
    memory.config.random = count_random;
    CHECK(tenon_init(&memory.storage, sizeof memory.storage, &memory.config, &conn) == TENON_OK);
    CHECK(tenon_lend(conn, memory.rx, sizeof memory.rx, memory.tx, sizeof memory.tx) == TENON_OK);
    memory.request.size = sizeof memory.request;
    memory.request.uri = "ws://thermometer.example/kitchen";
    CHECK(tenon_connect(conn, &memory.request) == TENON_OK);
    return conn;
}

int main(void)
{
    tenon_conn *conn = begin();
    check_bytes out = {0, {0}}, in = {0, {0}}, unmasked;
    tenon_frame frame;
    check_take_output(conn, &out);
    CHECK(check_has(&out, "GET /kitchen HTTP/1.1\r\nHost: thermometer.example\r\n"));
    answer(conn, &out);

    out.size = 0;
    check_take_output(conn, &out);
    CHECK(tenon_frame_decode(out.data, out.size, &frame, NULL, NULL) == TENON_OK);
    CHECK(frame.first == 0x81 && frame.masked && frame.payload_size == 12);
    unmasked = out;
    tenon_mask(unmasked.data, out.data + frame.header_size, 12, frame.key, 0);
    CHECK(memcmp(unmasked.data, "22.5 degrees", 12) == 0);

    check_append_frame(&in, 0x01, "thank ", 0); /* in fragments: assembled in rx */
    check_append_frame(&in, 0x89, "still there?", 0);
    check_append_frame(&in, 0x80, "you", 0);
    check_append_frame(&in, 0x88, "\x03\xe8", 0);
    CHECK(receive(conn, in.data, in.size) == TENON_OK);
    CHECK(strcmp(said, "thank you") == 0);

    out.size = 0;
    check_take_output(conn, &out); /* a Pong, and the Close */
    CHECK(out.size == 6 + 12 + 6 + 2);
    CHECK(tenon_eof(conn) == TENON_OK);
    CHECK(tenon_run(conn, on_event, NULL) == TENON_DONE);
    CHECK(closed_code == 1000);
    return 0;
}
