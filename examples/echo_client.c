/* SPDX-License-Identifier: MIT */
/*
 * An echo client.
 *
 *   echo_client [--send TEXT] [--deflate] [--no-takeover] [--window-bits N] [--trace] URL
 *
 * Connects, sends TEXT, prints each message that it gets and sends it back, until
 * the connection ends. Against a server that itself echoes that would go on for
 * ever; so the text message that equals TEXT, once, is not sent back but answered
 * with a Close of 1000. Exits with 0 if both sides have said Close, else with 1 and
 * the cause on stderr. With --deflate it offers permessage-deflate;
 * --no-takeover and --window-bits ask for less memory at both ends.
 */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/codec.h"
#include "common/trace.h"
#include "common/wire.h"

/* The longest message that is taken, and echoed from tx: with a header for each of
 * the frames that max_frame_out (64 KiB) cuts it into. Memory for the longest one
 * is real only once such a one arrives. */
#define MESSAGE_MAX ((size_t)16 << 20)
#define TX_SIZE (MESSAGE_MAX + (MESSAGE_MAX / 65536 + 1) * TENON_FRAME_HEADER_MAX + TENON_TX_RESERVE)
#define RX_SIZE 32768
#define READ_SIZE 65536

typedef struct client {
    wire wire; /* first: the callbacks of wire.h expect it there */
    const char *text;
    tenon_deflate deflate; /* codec NULL: none is offered */
    int result;
    wire_memory memory;
    trace trace;
    tenon_storage storage;
    unsigned char in[READ_SIZE];
} client;

static void print_message(const tenon_event *event)
{
    if (event->opcode == TENON_TEXT) {
        printf("text ");
        trace_print_text(stdout, event->data, event->size);
        printf(" (%lu octets)\n", (unsigned long)event->size);
    } else {
        printf("binary (%lu octets)\n", (unsigned long)event->size);
    }
    fflush(stdout);
}

/* Whether this is the echo of what was sent; there is only one. */
static int is_own_echo(client *c, const tenon_event *event)
{
    if (c->text == NULL || event->opcode != TENON_TEXT || event->size != strlen(c->text) ||
        memcmp(event->data, c->text, event->size) != 0)
        return 0;
    c->text = NULL;
    return 1;
}

static int on_data(tenon_conn *conn, const tenon_event *event, client *c)
{
    if (is_own_echo(c, event))
        tenon_close(conn, TENON_CLOSE_NORMAL, NULL, 0);
    else if (tenon_send(conn, event->opcode, event->data, event->size, TENON_TRUSTED) == TENON_ERR_AGAIN)
        return TENON_AGAIN; /* it comes again when there is room */
    print_message(event);
    return TENON_CONTINUE;
}

/* How it ended: the close code, or the rule that was broken, and where. */
static void on_closed(const tenon_event *event, client *c)
{
    FILE *out = event->flags & TENON_CLEAN ? stdout : stderr;
    const char *how = event->flags & TENON_CLEAN ? " cleanly" : "";
    fprintf(out, "closed%s: %u, %s", how, event->code, tenon_close_name(event->code));
    if (event->size > 0) {
        fprintf(out, ", ");
        trace_print_text(out, event->data, event->size);
    }
    if (event->rule != TENON_RULE_NONE)
        fprintf(out, "; %s (%s, offset %llu)", tenon_rule_text(event->rule), tenon_rule_section(event->rule),
                (unsigned long long)event->offset);
    if ((event->flags & TENON_CLEAN) == 0)
        c->result = 1;
    fprintf(out, "\n");
}

static void on_open(tenon_conn *conn, client *c)
{
    int status = TENON_OK;
    printf("open\n");
    fflush(stdout);
    if (wire_lend_blocks(conn, &c->memory) != 0)
        tenon_abort(conn, TENON_LOCAL);
    else if (c->text != NULL)
        status = tenon_send(conn, TENON_TEXT, c->text, strlen(c->text), 0);
    if (status != TENON_OK) {
        fprintf(stderr, "the text cannot be sent: %s\n", tenon_status_name(status));
        tenon_close(conn, TENON_CLOSE_NORMAL, NULL, 0);
        c->result = 1;
    }
}

static int on_event(tenon_conn *conn, const tenon_event *event, void *user)
{
    client *c = user;
    tenon_head head;
    switch (event->type) {
    case TENON_EV_OPEN:
        on_open(conn, c);
        break;
    case TENON_EV_RESPONSE:
        if (tenon_head_get(conn, &head) == TENON_OK)
            fprintf(stderr, "the server answered with status %u\n", head.status);
        break;
    case TENON_EV_DATA:
        return on_data(conn, event, c);
    case TENON_EV_CLOSED:
        on_closed(event, c);
        break;
    default:
        break;
    }
    return TENON_CONTINUE;
}

/* Runs the connection over a connected socket; 0 if it ended cleanly. */
static int run(client *c, const char *uri, void *tx)
{
    tenon_config config;
    tenon_request request;
    tenon_conn *conn;
    tenon_io io;
    int status;
    tenon_config_client(&config, sizeof config);
    config.random = wire_random;
    config.max_message = MESSAGE_MAX;
    if (c->deflate.codec != NULL && tenon_config_deflate(&config, &c->deflate) != TENON_OK) {
        fprintf(stderr, "--window-bits takes a number from 9 to 15\n");
        return 1;
    }
    tenon_init(&c->storage, sizeof c->storage, &config, &conn);
    tenon_lend(conn, c->memory.rx, RX_SIZE, tx, TX_SIZE);
    memset(&request, 0, sizeof request);
    request.size = sizeof request;
    request.uri = uri;
    status = tenon_connect(conn, &request);
    if (status != TENON_OK) {
        fprintf(stderr, "the request cannot be made: %s\n", tenon_status_name(status));
        return 1;
    }
    wire_io(&io, on_event, c, c->in, sizeof c->in);
    return wire_drive(conn, &io, &c->memory) == TENON_DONE ? c->result : 1;
}

int main(int argc, char **argv)
{
    static client c;
    const char *uri = NULL;
    void *tx;
    int i, bad = 0, result = 1;
    for (i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--trace") == 0)
            c.wire.trace = &c.trace;
        else if (strcmp(argv[i], "--deflate") == 0)
            c.deflate.codec = codec_needed("echo_client");
        else if (strcmp(argv[i], "--no-takeover") == 0)
            c.deflate.flags = TENON_DEFLATE_RESET_OUT | TENON_DEFLATE_RESET_IN;
        else if (strcmp(argv[i], "--window-bits") == 0 && i + 1 < argc)
            c.deflate.out_bits = c.deflate.in_bits = (uint8_t)atoi(argv[++i]);
        else if (strcmp(argv[i], "--send") == 0 && i + 1 < argc)
            c.text = argv[++i];
        else if (argv[i][0] != '-' && uri == NULL)
            uri = argv[i];
        else
            bad = 1;
    }
    if (uri == NULL || bad) {
        fprintf(stderr, "usage: echo_client [--send TEXT] [--deflate] [--no-takeover] [--window-bits N] [--trace] URL\n");
        return 2;
    }
    trace_init(&c.trace, TENON_CLIENT);
    c.wire.fd = wire_connect(uri);
    if (c.wire.fd < 0)
        return 1;
    c.deflate.size = sizeof c.deflate;
    c.memory.rx = malloc(RX_SIZE);
    tx = malloc(TX_SIZE);
    if (c.memory.rx != NULL && tx != NULL)
        result = run(&c, uri, tx);
    free(c.memory.rx);
    free(c.memory.deflate);
    free(c.memory.inflate);
    free(tx);
    close(c.wire.fd);
    return result;
}
