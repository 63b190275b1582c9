/* SPDX-License-Identifier: MIT */
#include "lone.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "crowd.h"

/* A line came whole: which one of those that were said. */
static void on_text(lone *l, const tenon_event *event)
{
    uint64_t k;
    const char *line;
    size_t size = event->size < sizeof l->text - 1 ? event->size : sizeof l->text - 1;
    memcpy(l->text, event->data, size);
    l->text[size] = '\0';
    l->text_size = event->size;
    l->texts++;
    if (!l->is_chat)
        return;
    line = strchr(l->text, '\n');
    if (strncmp(l->text, "welcome ", 8) == 0)
        l->welcomes++;
    if (strncmp(l->text, "said ", 5) != 0 || line == NULL || sscanf(line + 1, "%" SCNu64 " ", &k) != 1)
        return;
    l->gaps += l->last_line != 0 && k != l->last_line + 1;
    l->last_line = k;
    l->lines++;
}

static int on_event(tenon_conn *conn, const tenon_event *event, void *user)
{
    lone *l = user;
    char text[128];
    switch (event->type) {
    case TENON_EV_OPEN:
        l->open = 1;
        if (l->is_chat) {
            int size = snprintf(text, sizeof text, "hello crowd-lone-%s 0 %s", l->name, l->name);
            tenon_send(conn, TENON_TEXT, text, (size_t)size, 0);
        }
        break;
    case TENON_EV_DATA:
        on_text(l, event);
        break;
    case TENON_EV_PONG:
        l->pongs++;
        break;
    case TENON_EV_CLOSED:
        l->over = 1;
        l->code = event->code;
        l->is_clean = (event->flags & TENON_CLEAN) != 0;
        break;
    default:
        break;
    }
    return TENON_CONTINUE;
}

/* Small buffers, and small segments, for the size of the server's buffer follows from
 * theirs. Before connecting. */
static void make_narrow(int fd)
{
    int buffer = 4096, segment = 536;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment);
}

static int connect_to(unsigned port, int is_narrow)
{
    struct sockaddr_in to;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0)
        return -1;
    memset(&to, 0, sizeof to);
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons((uint16_t)port);
    if (is_narrow)
        make_narrow(fd);
    if (wire_prepare(fd) != 0) {
        close(fd);
        return -1;
    }
    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        return fd; /* on its way; if nobody listens, reading will tell */
    return fd;
}

lone *lone_open(unsigned port, unsigned number, lone_how how)
{
    static const char *const subprotocols[] = {SUBPROTOCOL};
    lone *l = calloc(1, sizeof *l);
    if (l == NULL || (l->wire.fd = connect_to(port, how.is_narrow)) < 0) {
        free(l);
        return NULL;
    }
    l->is_chat = how.is_chat;
    snprintf(l->name, sizeof l->name, "lone-%06u", number);
    snprintf(l->authority, sizeof l->authority, "127.0.0.1:%u", port);
    tenon_config_client(&l->config, sizeof l->config);
    l->config.random = wire_random;
    l->config.flags = (how.is_silent ? TENON_RELAY : 0) | (how.is_chunked ? TENON_CHUNKS : 0);
    l->config.stall_ms = l->config.close_ms = TENON_OFF; /* each wait has a limit */
    l->request.size = sizeof l->request;
    l->request.authority = l->authority;
    l->request.target = how.is_chat ? "/chat" : "/";
    l->request.subprotocols = subprotocols;
    l->request.subprotocol_count = how.is_chat ? 1 : 0;
    if (tenon_init(&l->storage, sizeof l->storage, &l->config, &l->conn) != TENON_OK ||
        tenon_lend(l->conn, l->rx, sizeof l->rx, l->tx, sizeof l->tx) != TENON_OK ||
        tenon_connect(l->conn, &l->request) != TENON_OK) {
        lone_free(l);
        return NULL;
    }
    lone_turn(l);
    return l;
}

void lone_turn(lone *l)
{
    tenon_io io;
    int status;
    if (l->over)
        return;
    wire_io(&io, on_event, l, l->in, sizeof l->in);
    status = tenon_pump(l->conn, &io);
    if (status == TENON_DONE || status < 0)
        l->over = 1;
}

int lone_until(lone *l, const uint64_t *counter, uint64_t number, int ms)
{
    uint64_t until = now_ns() / 1000000 + (uint64_t)ms;
    while (*counter < number) {
        uint64_t now = now_ns() / 1000000;
        uint32_t wants = tenon_wants(l->conn);
        struct pollfd ready = {l->wire.fd, POLLIN, 0};
        if (l->over || now >= until)
            return -1;
        if (wants & (TENON_WANTS_WRITE | TENON_WANTS_NEXT))
            ready.events |= POLLOUT;
        poll(&ready, 1, (int)(until - now));
        lone_turn(l);
    }
    return 0;
}

int lone_send(lone *l, const char *text)
{
    int status = tenon_send(l->conn, TENON_TEXT, text, strlen(text), 0);
    lone_turn(l);
    return status == TENON_OK ? 0 : -1;
}

int lone_say(lone *l, uint64_t k, size_t size)
{
    static char text[64 + LINE_MAX_SIZE];
    char head[64];
    int status, verb = snprintf(text, sizeof text, "say %" PRIu64 " ", k);
    int used = snprintf(head, sizeof head, "%" PRIu64 " %" PRIu64 " %zu ", k, now_ns(), size);
    if (size > LINE_MAX_SIZE || (size_t)used > size)
        return -1;
    memset(text + verb, 'x', size);
    memcpy(text + verb, head, (size_t)used);
    status = tenon_send(l->conn, TENON_TEXT, text, (size_t)verb + size, 0);
    lone_turn(l);
    return status == TENON_OK ? 0 : -1;
}

void lone_free(lone *l)
{
    struct linger at_once = {1, 0};
    if (l == NULL)
        return;
    setsockopt(l->wire.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(l->wire.fd);
    free(l);
}
