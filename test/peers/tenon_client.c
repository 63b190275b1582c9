/* SPDX-License-Identifier: MIT */
/*
 * The client of tenon against any echo server.
 *
 *   tenon_client client PORT MESSAGES CODE REASON [MAX_FRAME]
 *
 * Exchanges what MESSAGES tells, closes with CODE and REASON, and ends with status 0
 * if everything came back as it was sent and the close was clean. It prints the code
 * of the server's Close; not every server repeats the client's (RFC 6455, 5.5.1, says
 * "typically"). MAX_FRAME: no frame sent is longer; the library's default if it is
 * not there.
 */
#include <stdlib.h>
#include <unistd.h>

#include "common/codec.h"
#include "common/wire.h"
#include "set.h"

#define RX_SIZE 32768
#define TX_SIZE (4u << 20)

typedef struct client {
    wire wire; /* first: the callbacks of wire.h expect it there */
    wire_memory memory;
    set set;
    int code;
    const char *reason;
    int result;
    tenon_storage storage;
    unsigned char in[65536];
    unsigned char message[SET_LARGEST];
} client;

static int send_message(tenon_conn *conn, const set_line *line, const unsigned char *data)
{
    int opcode = line->kind == SET_TEXT ? TENON_TEXT : TENON_BINARY, status = TENON_OK;
    unsigned i;
    if (line->kind == SET_PING)
        return tenon_ping(conn, data, line->size);
    if (line->pieces == 1)
        return tenon_send(conn, opcode, data, line->size, 0);
    for (i = 0; i < line->pieces && status == TENON_OK; data += line->piece[i++])
        status = tenon_send_part(conn, opcode, data, line->piece[i], i + 1 == line->pieces ? TENON_LAST : 0);
    return status;
}

/* Sends the messages of the next line, or the Close behind the last one. */
static void go_on(client *c, tenon_conn *conn)
{
    const set_line *line = set_now(&c->set);
    unsigned i;
    if (line == NULL) {
        tenon_close(conn, c->code, c->reason, strlen(c->reason));
        return;
    }
    for (i = 0; i < line->count; i++) {
        int status;
        set_make(&c->set, i, c->message);
        status = send_message(conn, line, c->message);
        if (status != TENON_OK) {
            fprintf(stderr, "number %lu: not sent, %s\n", c->set.number + i, tenon_status_name(status));
            tenon_abort(conn, TENON_LOCAL);
            return;
        }
    }
}

static void on_back(client *c, tenon_conn *conn, char kind, const tenon_event *event)
{
    int status = set_back(&c->set, kind, event->data, event->size);
    if (status < 0)
        tenon_abort(conn, TENON_LOCAL);
    else if (status > 0)
        go_on(c, conn);
}

static void on_closed(client *c, const tenon_event *event)
{
    int whole = set_now(&c->set) == NULL && (event->flags & TENON_CLEAN) != 0;
    printf("closed %u %.*s\n", event->received_code, (int)event->size, (const char *)event->data);
    c->result = whole && event->sent_code == c->code && event->rule == TENON_RULE_NONE ? 0 : 1;
    if (c->result != 0)
        fprintf(stderr, "sent %u, received %u: %s (%s, offset %llu)\n", event->sent_code, event->received_code,
                tenon_rule_text(event->rule), tenon_rule_section(event->rule), (unsigned long long)event->offset);
}

static int on_event(tenon_conn *conn, const tenon_event *event, void *user)
{
    client *c = user;
    switch (event->type) {
    case TENON_EV_OPEN:
        if (wire_lend_blocks(conn, &c->memory) != 0)
            tenon_abort(conn, TENON_LOCAL);
        go_on(c, conn);
        break;
    case TENON_EV_DATA:
        on_back(c, conn, event->opcode == TENON_TEXT ? SET_TEXT : SET_BINARY, event);
        break;
    case TENON_EV_PONG:
        on_back(c, conn, SET_PING, event);
        break;
    case TENON_EV_CLOSED:
        on_closed(c, event);
        break;
    default:
        break;
    }
    return TENON_CONTINUE;
}

static int run(client *c, const char *uri, uint32_t max_frame, void *tx)
{
    static tenon_deflate deflate;
    tenon_config config;
    tenon_request request;
    tenon_conn *conn;
    tenon_io io;
    tenon_config_client(&config, sizeof config);
    config.random = wire_random;
    config.max_message = 2 * SET_LARGEST;
    config.max_frame_out = max_frame;
    deflate.size = sizeof deflate;
    deflate.codec = codec();
    if (getenv("TENON_PEERS_DEFLATE") != NULL && deflate.codec != NULL)
        tenon_config_deflate(&config, &deflate);
    tenon_init(&c->storage, sizeof c->storage, &config, &conn);
    tenon_lend(conn, c->memory.rx, RX_SIZE, tx, TX_SIZE);
    memset(&request, 0, sizeof request);
    request.size = sizeof request;
    request.uri = uri;
    if (tenon_connect(conn, &request) != TENON_OK)
        return 1;
    wire_io(&io, on_event, c, c->in, sizeof c->in);
    return wire_drive(conn, &io, &c->memory) == TENON_DONE ? c->result : 1;
}

int main(int argc, char **argv)
{
    static client c;
    char uri[64];
    void *tx = malloc(TX_SIZE);
    int result = 1;
    c.memory.rx = malloc(RX_SIZE);
    if (argc < 6 || c.memory.rx == NULL || tx == NULL || set_read(&c.set, argv[3]) != 0)
        return 2;
    c.code = atoi(argv[4]);
    c.reason = argv[5];
    c.result = 1;
    snprintf(uri, sizeof uri, "ws://127.0.0.1:%s/echo", argv[2]);
    c.wire.fd = wire_connect(uri);
    if (c.wire.fd >= 0) {
        result = run(&c, uri, argc > 6 ? (uint32_t)strtoul(argv[6], NULL, 10) : 0, tx);
        close(c.wire.fd);
    }
    set_report(&c.set);
    free(c.memory.rx);
    free(c.memory.deflate);
    free(c.memory.inflate);
    free(tx);
    return result;
}
