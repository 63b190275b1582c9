/* SPDX-License-Identifier: MIT */
/*
 * A client for the fuzzing server of the public conformance suite.
 *
 *   conformance_client URL [AGENT]
 *
 * Asks URL/getCaseCount how many cases there are, runs each as an echo against
 * URL/runCase?case=N&agent=AGENT, and has the report written with
 * URL/updateReports?agent=AGENT. The verdicts are in the server's report; the exit
 * status says only whether every case could be run. AGENT: tenon.
 */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../examples/common/codec.h"
#include "../examples/common/wire.h"
#include "tenon/frame.h"

/* One read; and a tx that takes whatever piece of a message may lie in it. */
#define READ_SIZE 65536
#define TX_SIZE (2 * READ_SIZE) /* what does not compress becomes longer */
#define RX_SIZE 16384
#define MESSAGE_MAX ((uint64_t)16 << 20)
#define FRAGMENTS_MAX (1u << 20)
#define CASES_MAX 100000

typedef struct session {
    wire wire; /* first: the callbacks of wire.h expect it there */
    wire_memory memory;
    int echoes;
    int was_open;
    char text[16]; /* the start of what came, if it is not echoed */
    size_t text_size;
    tenon_storage storage;
    unsigned char in[READ_SIZE];
    unsigned char tx[TX_SIZE];
} session;

/* Sends a piece of a message back as it came; what was valid going in is coming out. */
static int echo(tenon_conn *conn, const tenon_event *event)
{
    uint32_t whole = TENON_FIRST | TENON_LAST;
    int status;
    if ((event->flags & whole) == whole)
        status = tenon_send(conn, event->opcode, event->data, event->size, TENON_TRUSTED);
    else
        status = tenon_send_part(conn, event->opcode, event->data, event->size,
                                 TENON_TRUSTED | (event->flags & TENON_LAST));
    return status == TENON_ERR_AGAIN ? TENON_AGAIN : TENON_CONTINUE;
}

static void keep_text(session *s, const tenon_event *event)
{
    size_t room = sizeof s->text - 1 - s->text_size;
    size_t n = event->size < room ? event->size : room;
    if (n > 0)
        memcpy(s->text + s->text_size, event->data, n);
    s->text_size += n;
}

static int on_event(tenon_conn *conn, const tenon_event *event, void *user)
{
    session *s = user;
    if (event->type == TENON_EV_OPEN) {
        s->was_open = 1;
        if (wire_lend_blocks(conn, &s->memory) != 0)
            tenon_abort(conn, TENON_LOCAL);
    }
    if (event->type != TENON_EV_DATA)
        return TENON_CONTINUE;
    if (s->echoes)
        return echo(conn, event);
    keep_text(s, event);
    return TENON_CONTINUE;
}

static int drive(session *s, const char *uri)
{
    static tenon_deflate deflate;
    tenon_config config;
    tenon_request request;
    tenon_conn *conn;
    tenon_io io;
    tenon_config_client(&config, sizeof config);
    config.flags = TENON_CHUNKS;
    config.max_message = MESSAGE_MAX;
    config.max_fragments = FRAGMENTS_MAX;
    config.random = wire_random;
    deflate.size = sizeof deflate;
    deflate.codec = codec();
    if (deflate.codec != NULL)
        tenon_config_deflate(&config, &deflate);
    tenon_init(&s->storage, sizeof s->storage, &config, &conn);
    tenon_lend(conn, s->memory.rx, RX_SIZE, s->tx, sizeof s->tx);
    memset(&request, 0, sizeof request);
    request.size = sizeof request;
    request.uri = uri;
    if (tenon_connect(conn, &request) != TENON_OK)
        return -1;
    wire_io(&io, on_event, s, s->in, sizeof s->in);
    return wire_drive(conn, &io, &s->memory) == TENON_DONE && s->was_open ? 0 : -1;
}

/* One connection from begin to end; 0 if it was open. */
static int visit(session *s, const char *uri, int echoes)
{
    int result = -1;
    memset(&s->memory, 0, sizeof s->memory);
    s->memory.rx = malloc(RX_SIZE);
    s->echoes = echoes;
    s->was_open = 0;
    s->text_size = 0;
    s->wire.trace = NULL;
    s->wire.fd = wire_connect(uri);
    if (s->memory.rx != NULL && s->wire.fd >= 0)
        result = drive(s, uri);
    if (s->wire.fd >= 0)
        close(s->wire.fd);
    free(s->memory.rx);
    free(s->memory.deflate);
    free(s->memory.inflate);
    s->text[s->text_size] = '\0';
    if (result != 0)
        fprintf(stderr, "conformance_client: no connection for %s\n", uri);
    return result;
}

/* What may stand in a query as it is (RFC 3986, 2.3). */
static int is_plain(const char *agent)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    return *agent != '\0' && strlen(agent) < 100 && agent[strspn(agent, plain)] == '\0';
}

int main(int argc, char **argv)
{
    static session s;
    const char *agent = argc > 2 ? argv[2] : "tenon";
    char uri[1024];
    long number, count;
    int base, failed = 0;
    if (argc < 2 || argc > 3 || !is_plain(agent) || strlen(argv[1]) > 800) {
        fprintf(stderr, "usage: conformance_client URL [AGENT]\n");
        return 2;
    }
    base = (int)strlen(argv[1]);
    while (base > 0 && argv[1][base - 1] == '/')
        base--;
    snprintf(uri, sizeof uri, "%.*s/getCaseCount", base, argv[1]);
    if (visit(&s, uri, 0) != 0)
        return 1;
    count = strtol(s.text, NULL, 10);
    if (count < 1 || count > CASES_MAX) {
        fprintf(stderr, "conformance_client: not a count of cases: %s\n", s.text);
        return 1;
    }
    for (number = 1; number <= count; number++) {
        snprintf(uri, sizeof uri, "%.*s/runCase?case=%ld&agent=%s", base, argv[1], number, agent);
        failed += visit(&s, uri, 1) != 0;
    }
    snprintf(uri, sizeof uri, "%.*s/updateReports?agent=%s", base, argv[1], agent);
    failed += visit(&s, uri, 0) != 0;
    printf("ran %ld cases, %d connections failed\n", count, failed);
    return failed == 0 ? 0 : 1;
}
