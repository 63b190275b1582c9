/* SPDX-License-Identifier: MIT */
/*
 * Sends messages to an echo server over one compressed connection, some of them on the
 * way at a time, and checks that each comes back.
 *
 *   load PORT json|text COUNT
 *
 * json: 1 KiB of records with changing fields; text: 64 KiB of sentences. Prints how
 * many octets went over the wire in each direction.
 */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/codec.h"
#include "common/wire.h"

#define ON_THE_WAY 8
#define KINDS 64      /* messages are different, and come round again after so many */
#define SIZE_MAX_TEXT 65536
#define RX_SIZE (4 * SIZE_MAX_TEXT)
#define TX_SIZE (16 * SIZE_MAX_TEXT)

typedef struct load {
    wire wire; /* first: the callbacks of wire.h expect it there */
    wire_memory memory;
    char *messages[KINDS];
    size_t size;
    unsigned long count, sent, heard;
    int bad;
    tenon_stats stats;
    tenon_storage storage;
    unsigned char in[65536];
} load;

/* A linear congruential sequence: the same text in every run. */
static unsigned draw(unsigned bound)
{
    static unsigned seed = 1;
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % bound;
}

static size_t put_record(char *out, size_t room)
{
    return (size_t)snprintf(out, room,
                            "{\"id\":%u,\"time\":\"2026-0%u-1%uT0%u:%u%u:00Z\",\"price\":%u.%02u,\"size\":%u,"
                            "\"side\":\"%s\",\"venue\":\"%c%c%c\"},\n",
                            draw(1000000), 1 + draw(9), draw(10), draw(10), draw(6), draw(10), 90 + draw(20), draw(100),
                            draw(5000), draw(2) ? "buy" : "sell", 'A' + draw(26), 'A' + draw(26), 'A' + draw(26));
}

static size_t put_word(char *out, size_t room)
{
    static const char *const words[] = {"the ",   "joint ", "of ",    "a ",     "beam ",  "holds ", "without ", "glue ",
                                        "where ", "two ",   "pieces ", "meet, ", "and ",   "wood ",  "moves ",   "with ",
                                        "season. ", "cut ",  "by ",    "hand ",  "it ",    "is ",    "slow ",    "work "};
    return (size_t)snprintf(out, room, "%s", words[draw(sizeof words / sizeof *words)]);
}

static char *make_message(size_t size, int is_json)
{
    char *text = malloc(size + 256);
    size_t at = 0;
    while (text != NULL && at < size)
        at += is_json ? put_record(text + at, 256) : put_word(text + at, 256);
    return text;
}

static void go_on(load *l, tenon_conn *conn)
{
    while (l->sent < l->count && l->sent - l->heard < ON_THE_WAY &&
           tenon_send(conn, TENON_TEXT, l->messages[l->sent % KINDS], l->size, TENON_TRUSTED) == TENON_OK)
        l->sent++;
    if (l->heard == l->count)
        tenon_close(conn, TENON_CLOSE_NORMAL, NULL, 0);
}

static int on_event(tenon_conn *conn, const tenon_event *event, void *user)
{
    load *l = user;
    if (event->type == TENON_EV_OPEN) {
        if (tenon_inflate_size(conn) == 0 || wire_lend_blocks(conn, &l->memory) != 0)
            tenon_abort(conn, TENON_LOCAL); /* without compression there is nothing to measure */
        tenon_lend_stats(conn, &l->stats);
    }
    if (event->type == TENON_EV_DATA) {
        const char *expected = l->messages[l->heard % KINDS];
        l->bad |= event->size != l->size || memcmp(event->data, expected, l->size) != 0;
        l->heard++;
    }
    if (tenon_state(conn) == TENON_OPEN)
        go_on(l, conn);
    return TENON_CONTINUE;
}

static int run(load *l, const char *uri, void *tx)
{
    static tenon_deflate deflate;
    tenon_config config;
    tenon_request request;
    tenon_conn *conn;
    tenon_io io;
    deflate.size = sizeof deflate;
    deflate.codec = codec_needed("load");
    deflate.threshold = 1;
    tenon_config_client(&config, sizeof config);
    config.random = wire_random;
    memset(&request, 0, sizeof request);
    request.size = sizeof request;
    request.uri = uri;
    if (tenon_config_deflate(&config, &deflate) != TENON_OK ||
        tenon_init(&l->storage, sizeof l->storage, &config, &conn) != TENON_OK ||
        tenon_lend(conn, l->memory.rx, RX_SIZE, tx, TX_SIZE) != TENON_OK || tenon_connect(conn, &request) != TENON_OK)
        return 1;
    wire_io(&io, on_event, l, l->in, sizeof l->in);
    return wire_drive(conn, &io, &l->memory) != TENON_DONE || l->bad || l->heard < l->count;
}

int main(int argc, char **argv)
{
    static load l;
    char uri[64];
    void *tx = malloc(TX_SIZE);
    int i, is_json, result;
    if (argc != 4 || tx == NULL)
        return 2;
    is_json = strcmp(argv[2], "json") == 0;
    l.size = is_json ? 1024 : SIZE_MAX_TEXT;
    l.count = strtoul(argv[3], NULL, 10);
    l.stats.size = sizeof l.stats;
    l.memory.rx = malloc(RX_SIZE);
    for (i = 0; i < KINDS; i++)
        l.messages[i] = make_message(l.size, is_json);
    snprintf(uri, sizeof uri, "ws://127.0.0.1:%s/", argv[1]);
    l.wire.fd = wire_connect(uri);
    if (l.wire.fd < 0 || l.memory.rx == NULL)
        return 1;
    result = run(&l, uri, tx);
    printf("%llu %llu\n", (unsigned long long)l.stats.octets_out, (unsigned long long)l.stats.octets_in);
    return result;
}
