/* SPDX-License-Identifier: MIT */
/*
 * Many connections, as client and as server, with all timeouts to be chosen: tells
 * of each how it ended and how much of the stream was right.
 *
 *   probe
 *
 * Reads commands from stdin, one a line:
 *
 *   listen NAME ADDRESS [KEY=VALUE]...           answers "listening NAME PORT"
 *   connect ID ADDRESS PORT [KEY=VALUE]...       asks for the target /ID
 *
 * Keys, all optional; times in milliseconds, where "off" is off:
 *
 *   handshake idle ping pong close stall   the timeouts of tenon_config
 *   once=1           a listener that takes one connection, named like the listener
 *                    until its request has come
 *   count min max    messages to send, and the range of their sizes
 *   expect           messages of the peer to wait for before closing
 *   pace             at least so long between two messages
 *   closer=1         closes with 1000 when all is sent and all has come
 *   closeafter       closes with 1000 so long after the opening, in any case
 *   echo=1           what was received goes back; sends nothing of its own
 *   echoed=1         the peer echoes: own messages are expected back
 *   sndbuf rcvbuf    sizes of the socket's buffers
 *   protocol extensions    what a client offers
 *   require=1        a client that offers a protocol insists on one
 *
 * Prints for each connection "open" once it is, and at its end one line
 *
 *   closed ID role=... rule=... KEY=VALUE... section=...
 *
 * Messages need not be told to the other side: message number i of a side of the
 * connection ID is the same octets everywhere. At the end of stdin what is left of
 * the connections is given up, which its line then says.
 */
#define _POSIX_C_SOURCE 200809L

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/linger.h"
#include "common/wire.h"

#define ID_MAX 64
#define MESSAGE_MAX 65536
#define RX_SIZE 20480
#define TX_SIZE (MESSAGE_MAX + 4096)
#define READ_SIZE 16384
#define LINE_MAX_SIZE 1024
#define CONNECTIONS_MAX 1000
#define LISTENERS_MAX 500
#define TURNS_MAX 8 /* in a row for one connection, so that others have theirs */

typedef struct options {
    tenon_config config;
    unsigned count, min, max, expect, pace, closeafter, sndbuf, rcvbuf;
    int is_closer, is_echo, is_echoed, is_once;
    char protocol[ID_MAX], extensions[ID_MAX];
} options;

typedef struct conn {
    wire wire; /* first: the callbacks of wire.h expect it there */
    struct conn *next;
    options options;
    tenon_conn *tenon;
    int role, is_connecting, is_more, is_open, is_bad;
    int is_done, is_lingering, is_over; /* CLOSED was delivered; a server's socket lingers; it is to go */
    lingering last;
    char id[ID_MAX];
    char target[ID_MAX + 1], authority[ID_MAX];
    const char *protocols[1];
    tenon_request request;
    unsigned said, got, status;
    uint64_t body, octets;              /* of a refusal; delivered in messages */
    uint64_t began, opened, heard, due; /* times */
    char retry[32], chosen[ID_MAX];
    tenon_storage storage;
    unsigned char rx[RX_SIZE], tx[TX_SIZE], in[READ_SIZE];
} conn;

typedef struct listener {
    struct listener *next;
    int fd;
    char name[ID_MAX];
    options options;
} listener;

static conn *conns;
static listener *listeners;
static unsigned count_of_conns, count_of_listeners;

/* ---------------------------------------------------------------- the stream */

static uint32_t mix(uint32_t h, uint32_t value)
{
    h = (h ^ value) * 0x9E3779B1u;
    h ^= h >> 15;
    h *= 0x85EBCA77u;
    return h ^ h >> 13;
}

/* Message number i of one side: its size, opcode and octets. Texts are made of code
 * points of one to four octets, so that cuts fall into all of them. */
static size_t message(const conn *c, int role, unsigned i, int *opcode, unsigned char *out)
{
    static const char unit[] = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80";
    uint32_t r = mix((uint32_t)role, i);
    size_t k, size;
    const char *at;
    for (at = c->id; *at != '\0'; at++)
        r = mix(r, (unsigned char)*at);
    size = c->options.min + r % (c->options.max - c->options.min + 1);
    *opcode = (r >> 8) % 2 ? TENON_TEXT : TENON_BINARY;
    if (*opcode == TENON_TEXT) {
        size_t head = (size_t)snprintf((char *)out, 16, "%u:", i);
        size = head + size / 10 * 10;
        for (k = head; k < size; k++)
            out[k] = (unsigned char)unit[(k - head) % 10];
    } else {
        for (k = 0; k < size; k++) {
            r = r * 1664525u + 1013904223u;
            out[k] = (unsigned char)(r >> 24);
        }
    }
    return size;
}

/* Compares a piece of a message with what was sent. */
static void check(conn *c, const tenon_event *event)
{
    static unsigned char expected[MESSAGE_MAX];
    int from = c->options.is_echoed ? c->role : c->role == TENON_CLIENT ? TENON_SERVER : TENON_CLIENT;
    int opcode;
    size_t size = message(c, from, c->got, &opcode, expected);
    c->octets += event->size;
    if (event->opcode != opcode || event->offset + event->size > size ||
        (event->size > 0 && memcmp(expected + event->offset, event->data, event->size) != 0) ||
        ((event->flags & TENON_LAST) != 0 && event->offset + event->size != size))
        c->is_bad = 1;
    if (event->flags & TENON_LAST)
        c->got++;
}

static int echo(const tenon_event *event, tenon_conn *t)
{
    int status = tenon_send_part(t, event->opcode, event->data, event->size,
                                 TENON_TRUSTED | (event->flags & TENON_LAST));
    return status == TENON_ERR_AGAIN ? TENON_AGAIN : TENON_CONTINUE;
}

/* Sends what is due and fits. */
static void talk(conn *c)
{
    static unsigned char octets[MESSAGE_MAX];
    uint64_t now = wire_now(NULL);
    while (c->is_open && tenon_state(c->tenon) == TENON_OPEN && c->said < c->options.count && now >= c->due) {
        int opcode;
        size_t size = message(c, c->role, c->said, &opcode, octets);
        if (tenon_send(c->tenon, opcode, octets, size, 0) != TENON_OK)
            return; /* when there is room */
        c->said++;
        c->due = now + c->options.pace;
    }
    if (c->is_open && ((c->options.is_closer && c->said >= c->options.count && c->got >= c->options.expect) ||
                       (c->options.closeafter > 0 && now >= c->opened + c->options.closeafter)))
        tenon_close(c->tenon, TENON_CLOSE_NORMAL, NULL, 0);
}

/* ------------------------------------------------------------------- events */

static void copy_str(char *to, size_t room, tenon_str text)
{
    size_t n = text.size < room ? text.size : room - 1;
    if (text.data == NULL)
        n = 0;
    memcpy(to, text.data == NULL ? "" : text.data, n);
    to[n] = '\0';
}

static void on_request(conn *c, tenon_conn *t)
{
    tenon_head head;
    if (tenon_head_get(t, &head) == TENON_OK && head.target.size > 1) {
        tenon_str id = {head.target.data + 1, head.target.size - 1};
        copy_str(c->id, sizeof c->id, id);
    }
    tenon_accept(t, NULL);
}

static void on_response(conn *c, tenon_conn *t)
{
    tenon_head head;
    tenon_str value;
    if (tenon_head_get(t, &head) != TENON_OK)
        return;
    c->status = head.status;
    if (tenon_header_find(&head.fields, "Retry-After", &value) == TENON_OK)
        copy_str(c->retry, sizeof c->retry, value);
}

static void on_closed(conn *c, const tenon_event *event)
{
    uint64_t now = wire_now(NULL);
    printf("closed %s role=%s rule=%s cause=%s code=%u received=%u sent=%u clean=%d status=%u body=%llu retry=%s "
           "protocol=%s open=%d said=%u got=%u octets=%llu bad=%d ms=%llu quiet=%llu section=%s\n",
           c->id, c->role == TENON_CLIENT ? "client" : "server", tenon_rule_name(event->rule),
           event->cause == TENON_LOCAL ? "local" : event->cause == TENON_REMOTE ? "remote" : "none", event->code,
           event->received_code, event->sent_code, (event->flags & TENON_CLEAN) != 0, c->status,
           (unsigned long long)c->body, c->retry[0] != '\0' ? c->retry : "-", c->chosen[0] != '\0' ? c->chosen : "-",
           c->is_open, c->said, c->got, (unsigned long long)c->octets, c->is_bad, (unsigned long long)(now - c->began),
           (unsigned long long)(now - c->heard), tenon_rule_section(event->rule));
    c->is_done = 1;
}

static int on_data(conn *c, tenon_conn *t, const tenon_event *event)
{
    if (c->options.is_echo)
        return echo(event, t);
    check(c, event);
    return TENON_CONTINUE;
}

static int on_event(tenon_conn *t, const tenon_event *event, void *user)
{
    conn *c = user;
    tenon_str protocol = {(const char *)event->data, event->size};
    switch (event->type) {
    case TENON_EV_REQUEST:
        on_request(c, t);
        break;
    case TENON_EV_RESPONSE:
        on_response(c, t);
        break;
    case TENON_EV_BODY:
        c->body += event->size;
        break;
    case TENON_EV_OPEN:
        c->is_open = 1;
        c->opened = wire_now(NULL);
        copy_str(c->chosen, sizeof c->chosen, protocol);
        printf("open %s\n", c->id);
        break;
    case TENON_EV_DATA:
        return on_data(c, t, event);
    case TENON_EV_CLOSED:
        on_closed(c, event);
        break;
    default:
        break;
    }
    return TENON_CONTINUE;
}

static int hearing_recv(void *user, void *buf, size_t n, size_t *got)
{
    conn *c = user;
    int status = wire_recv(user, buf, n, got);
    if (status == TENON_OK)
        c->heard = wire_now(NULL);
    return status;
}

/* -------------------------------------------------------------- connections */

static void set_buffers(int fd, const options *o)
{
    int size = (int)o->sndbuf;
    if (size > 0)
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    size = (int)o->rcvbuf;
    if (size > 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
}

/* A connection on a socket; it owns the socket from now on. NULL without memory. */
static conn *add(int fd, int role, const options *o)
{
    conn *c = calloc(1, sizeof *c);
    if (c == NULL || count_of_conns >= CONNECTIONS_MAX) {
        free(c);
        close(fd);
        return NULL;
    }
    c->options = *o;
    c->role = role;
    c->wire.fd = fd;
    c->began = c->heard = wire_now(NULL);
    set_buffers(fd, o);
    wire_prepare(fd);
    if (tenon_init(&c->storage, sizeof c->storage, &c->options.config, &c->tenon) != TENON_OK ||
        tenon_lend(c->tenon, c->rx, sizeof c->rx, c->tx, sizeof c->tx) != TENON_OK) {
        fprintf(stderr, "probe: a connection cannot be made\n");
        exit(2);
    }
    c->next = conns;
    conns = c;
    count_of_conns++;
    return c;
}

static void pump(conn *c)
{
    tenon_io io;
    int turn, status = TENON_MORE;
    for (turn = 0; turn < TURNS_MAX && status == TENON_MORE; turn++) {
        talk(c);
        wire_io(&io, on_event, c, c->in, sizeof c->in);
        io.recv = hearing_recv;
        status = tenon_pump(c->tenon, &io);
        if (status < 0) {
            fprintf(stderr, "probe: %s\n", tenon_status_name(status));
            exit(2);
        }
        if (status == TENON_DONE)
            return;
        talk(c);
    }
    c->is_more = status == TENON_MORE;
}

static void fail_to_connect(conn *c, int error)
{
    printf("closed %s role=client rule=CONNECT ms=%llu section=%s\n", c->id,
           (unsigned long long)(wire_now(NULL) - c->began), strerror(error));
    c->is_done = 1;
}

static void ask(conn *c)
{
    int status;
    c->is_connecting = 0;
    c->request.size = sizeof c->request;
    c->request.authority = c->authority;
    c->request.target = c->target;
    if (c->options.protocol[0] != '\0') {
        c->protocols[0] = c->options.protocol;
        c->request.subprotocols = c->protocols;
        c->request.subprotocol_count = 1;
    }
    if (c->options.extensions[0] != '\0')
        c->request.extensions = c->options.extensions;
    status = tenon_connect(c->tenon, &c->request);
    if (status != TENON_OK) {
        fprintf(stderr, "probe: %s\n", tenon_status_name(status));
        exit(2);
    }
    pump(c);
}

static void finish_connecting(conn *c)
{
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(c->wire.fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0)
        fail_to_connect(c, error);
    else
        ask(c);
}

static int make_address(struct sockaddr_in *out, const char *host, unsigned port)
{
    memset(out, 0, sizeof *out);
    out->sin_family = AF_INET;
    out->sin_port = htons((uint16_t)port);
    return inet_pton(AF_INET, host, &out->sin_addr) == 1 ? 0 : -1;
}

static void start_client(const char *id, const char *host, unsigned port, const options *o)
{
    struct sockaddr_in address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    conn *c = fd < 0 ? NULL : add(fd, TENON_CLIENT, o);
    if (c == NULL || make_address(&address, host, port) != 0) {
        fprintf(stderr, "probe: no socket for %s\n", id);
        exit(2);
    }
    snprintf(c->id, sizeof c->id, "%s", id);
    snprintf(c->target, sizeof c->target, "/%s", id);
    snprintf(c->authority, sizeof c->authority, "%s:%u", host, port);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        ask(c);
    else if (errno == EINPROGRESS)
        c->is_connecting = 1;
    else
        fail_to_connect(c, errno);
}

static void accept_all(listener *l)
{
    int fd;
    while (l->fd >= 0 && (fd = accept(l->fd, NULL, NULL)) >= 0) {
        conn *c = add(fd, TENON_SERVER, &l->options);
        if (c == NULL)
            continue;
        memcpy(c->id, l->name, sizeof c->id);
        pump(c);
        if (l->options.is_once) {
            close(l->fd);
            l->fd = -1; /* and it is swept away */
        }
    }
}

static void start_listener(const char *name, const char *host, const options *o)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    listener *l = calloc(1, sizeof *l);
    if (l == NULL || ++count_of_listeners > LISTENERS_MAX || make_address(&address, host, 0) != 0 ||
        (l->fd = socket(AF_INET, SOCK_STREAM, 0)) < 0)
        exit(2);
    l->options = *o;
    snprintf(l->name, sizeof l->name, "%s", name);
    set_buffers(l->fd, o); /* inherited; a small window must be known before the handshake of TCP */
    if (bind(l->fd, (struct sockaddr *)&address, size) != 0 || listen(l->fd, 256) != 0 || wire_prepare(l->fd) != 0 ||
        getsockname(l->fd, (struct sockaddr *)&address, &size) != 0) {
        perror("probe");
        exit(2);
    }
    l->next = listeners;
    listeners = l;
    printf("listening %s %u\n", name, (unsigned)ntohs(address.sin_port));
}

/* ----------------------------------------------------------------- commands */

static void init_options(options *o, int role)
{
    memset(o, 0, sizeof *o);
    if (role == TENON_SERVER)
        tenon_config_server(&o->config, sizeof o->config);
    else
        tenon_config_client(&o->config, sizeof o->config);
    o->config.flags = TENON_CHUNKS;
    o->config.random = wire_random;
    o->min = 1;
    o->max = 4000;
}

/* Where the number of a key goes, or NULL. */
static unsigned *place(options *o, const char *key)
{
    tenon_config *g = &o->config;
    struct {
        const char *key;
        unsigned *place;
    } table[] = {
        {"handshake", &g->handshake_ms}, {"idle", &g->idle_ms}, {"ping", &g->ping_ms},     {"pong", &g->pong_ms},
        {"close", &g->close_ms},         {"stall", &g->stall_ms}, {"count", &o->count},    {"min", &o->min},
        {"max", &o->max},                {"expect", &o->expect}, {"pace", &o->pace},       {"closeafter", &o->closeafter},
        {"sndbuf", &o->sndbuf},          {"rcvbuf", &o->rcvbuf},
    };
    size_t i;
    for (i = 0; i < sizeof table / sizeof *table; i++)
        if (strcmp(table[i].key, key) == 0)
            return table[i].place;
    return NULL;
}

static int set_option(options *o, const char *key, const char *value)
{
    unsigned *number = place(o, key);
    int on = strcmp(value, "1") == 0;
    if (number != NULL)
        *number = strcmp(value, "off") == 0 ? TENON_OFF : (unsigned)strtoul(value, NULL, 10);
    else if (strcmp(key, "closer") == 0)
        o->is_closer = on;
    else if (strcmp(key, "once") == 0)
        o->is_once = on;
    else if (strcmp(key, "echo") == 0)
        o->is_echo = on;
    else if (strcmp(key, "echoed") == 0)
        o->is_echoed = on;
    else if (strcmp(key, "require") == 0)
        o->config.flags |= on ? TENON_REQUIRE_SUBPROTOCOL : 0;
    else if (strcmp(key, "protocol") == 0)
        snprintf(o->protocol, sizeof o->protocol, "%s", value);
    else if (strcmp(key, "extensions") == 0)
        snprintf(o->extensions, sizeof o->extensions, "%s", value);
    else
        return -1;
    return 0;
}

static void obey(char *line)
{
    char *verb = strtok(line, " "), *name = strtok(NULL, " "), *host = strtok(NULL, " "), *port = NULL, *word;
    int is_client = verb != NULL && strcmp(verb, "connect") == 0;
    options o;
    if (is_client)
        port = strtok(NULL, " ");
    if (verb == NULL || name == NULL || host == NULL || (is_client && port == NULL))
        exit(2);
    init_options(&o, is_client ? TENON_CLIENT : TENON_SERVER);
    while ((word = strtok(NULL, " ")) != NULL) {
        char *value = strchr(word, '=');
        if (value != NULL)
            *value++ = '\0';
        if (value == NULL || set_option(&o, word, value) != 0) {
            fprintf(stderr, "probe: what is %s?\n", word);
            exit(2);
        }
    }
    if (o.min > o.max || o.max + 16 > MESSAGE_MAX)
        exit(2);
    if (is_client)
        start_client(name, host, (unsigned)strtoul(port, NULL, 10), &o);
    else
        start_listener(name, host, &o);
}

/* Obeys the lines that have come. 0 at the end of stdin. */
static int read_commands(void)
{
    static char buffer[16 * LINE_MAX_SIZE];
    static size_t held;
    ssize_t got = read(STDIN_FILENO, buffer + held, sizeof buffer - held);
    char *at = buffer, *end;
    if (got < 0)
        return errno == EAGAIN || errno == EINTR;
    if (got == 0)
        return 0;
    held += (size_t)got;
    while ((end = memchr(at, '\n', held - (size_t)(at - buffer))) != NULL) {
        *end = '\0';
        obey(at);
        at = end + 1;
    }
    held -= (size_t)(at - buffer);
    memmove(buffer, at, held);
    return held < sizeof buffer;
}

/* ----------------------------------------------------------------- the loop */

/* When something is to be done for a connection even if its socket is quiet. */
static uint64_t deadline(const conn *c)
{
    uint64_t at = tenon_deadline(c->tenon);
    if (c->is_lingering)
        return c->last.until;
    if (c->is_connecting)
        return TENON_NEVER;
    if (c->is_more)
        return 0;
    if (c->is_open && tenon_state(c->tenon) == TENON_OPEN) {
        if (c->said < c->options.count && c->due > wire_now(NULL) && c->due < at)
            at = c->due;
        if (c->options.closeafter > 0 && c->opened + c->options.closeafter < at)
            at = c->opened + c->options.closeafter;
    }
    return at;
}

static short looks_for(const conn *c)
{
    uint32_t wants = tenon_wants(c->tenon);
    int look = 0;
    if (c->is_connecting)
        return POLLOUT;
    if (c->is_lingering || (wants & TENON_WANTS_READ) != 0)
        look |= POLLIN;
    if (wants & (TENON_WANTS_WRITE | TENON_WANTS_NEXT))
        look |= POLLOUT;
    return (short)look;
}

/* CLOSED was delivered. A server's socket lingers, as in the examples. */
static void leave(conn *c)
{
    c->is_over = c->role != TENON_SERVER || !linger_begin(&c->last, c->tenon, c->wire.fd);
    c->is_lingering = !c->is_over;
}

static void turn(conn *c, short events, short revents)
{
    if (c->is_lingering && (revents != 0 || deadline(c) <= wire_now(NULL)))
        c->is_over = !linger_on(&c->last);
    if (c->is_connecting && revents != 0)
        finish_connecting(c);
    if (c->is_connecting || c->is_done)
        return;
    if (events == 0 && revents != 0)
        tenon_abort(c->tenon, TENON_REMOTE); /* neither reading nor writing will find out */
    if (revents != 0 || deadline(c) <= wire_now(NULL))
        pump(c);
}

static void sweep(void)
{
    conn **link = &conns;
    listener **other = &listeners;
    while (*other != NULL) {
        listener *l = *other;
        if (l->fd >= 0) {
            other = &l->next;
            continue;
        }
        *other = l->next;
        free(l);
        count_of_listeners--;
    }
    while (*link != NULL) {
        conn *c = *link;
        if (c->is_done && !c->is_lingering)
            leave(c);
        if (!c->is_over) {
            link = &c->next;
            continue;
        }
        *link = c->next;
        close(c->wire.fd);
        free(c);
        count_of_conns--;
    }
}

static int time_left(uint64_t now)
{
    uint64_t due = TENON_NEVER;
    const conn *c;
    for (c = conns; c != NULL; c = c->next) {
        uint64_t at = deadline(c);
        due = at < due ? at : due;
    }
    return due == TENON_NEVER ? -1 : due <= now ? 0 : due - now > 60000 ? 60000 : (int)(due - now);
}

/* Waits, and gives a turn to each whose time has come. 0 at the end of stdin. */
static int round_of_turns(void)
{
    static struct pollfd ready[1 + LISTENERS_MAX + CONNECTIONS_MAX];
    static conn *who[1 + LISTENERS_MAX + CONNECTIONS_MAX];
    nfds_t i, count = 0, first;
    int is_on = 1;
    listener *l;
    conn *c;
    ready[count].fd = STDIN_FILENO;
    ready[count++].events = POLLIN;
    for (l = listeners; l != NULL; l = l->next) {
        ready[count].fd = l->fd;
        ready[count++].events = POLLIN;
    }
    first = count;
    for (c = conns; c != NULL; c = c->next) {
        who[count] = c;
        ready[count].fd = c->wire.fd;
        ready[count++].events = looks_for(c);
    }
    if (poll(ready, count, time_left(wire_now(NULL))) < 0)
        return errno == EINTR;
    for (i = first; i < count; i++)
        turn(who[i], ready[i].events, ready[i].revents);
    i = 1;
    for (l = listeners; l != NULL && i < first; l = l->next)
        if (ready[i++].revents != 0)
            accept_all(l);
    if (ready[0].revents != 0)
        is_on = read_commands();
    sweep();
    fflush(stdout);
    return is_on;
}

static void clean_up(void)
{
    conn *c;
    for (c = conns; c != NULL; c = c->next) {
        tenon_abort(c->tenon, TENON_LOCAL);
        if (c->is_connecting)
            fail_to_connect(c, ETIMEDOUT);
        else if (!c->is_done)
            pump(c);
        c->is_done = 1;
        c->is_lingering = c->is_over = 1;
    }
    sweep();
    while (listeners != NULL) {
        listener *l = listeners;
        listeners = l->next;
        close(l->fd);
        free(l);
    }
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    while (round_of_turns())
        ;
    clean_up();
    fflush(stdout);
    return 0;
}
