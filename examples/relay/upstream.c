/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay/body.h"
#include "relay/heads.h"

/* Room for the extensions that the origin chose. */
#define EXTENSIONS_MAX 1024

/* An answer that is not 101, until the client has been sent all of it. */
struct answer {
    uint16_t status;
    size_t reason_size, field_count;
    const char *reason;
    body body;
    tenon_header fields[FIELDS_MAX];
    unsigned char data[BODY_MAX];
    char text[]; /* a copy of the fields, then the reason */
};

static int is_waiting(const pair *p)
{
    return p->phase > PHASE_REQUEST && p->phase < PHASE_REFUSED;
}

/* ------------------------------------------------------------------- the ends */

static void stop_waiting(pair *p)
{
    ev_io_stop(p->relay->loop, &p->hangup);
    ev_timer_stop(p->relay->loop, &p->patience);
}

void upstream_drop(pair *p)
{
    stop_waiting(p);
    if (ev_is_active(&p->connecting)) {
        ev_io_stop(p->relay->loop, &p->connecting);
        close(p->connecting.fd);
    }
    if (p->sides[ORIGIN].is_alive)
        live_abort(&p->sides[ORIGIN].live);
}

void upstream_free(pair *p)
{
    free(p->offer);
    free(p->answer);
    p->offer = NULL;
    p->answer = NULL;
}

void upstream_fail(pair *p, uint16_t status, int kind, const char *text)
{
    p->relay->counts.failed[kind]++;
    upstream_drop(p);
    if (is_waiting(p))
        gate_refuse(p, status, REFUSED_FAILURE, text);
}

static void on_patience_ends(struct ev_loop *loop, ev_timer *watcher, int events)
{
    pair *p = watcher->data;
    (void)loop;
    (void)events;
    upstream_fail(p, 504, FAILED_TIMEOUT,
                  p->phase == PHASE_CONNECT ? "the origin does not take the connection\n"
                                            : "the origin does not answer\n");
}

/* The client's socket can be read while the client waits: it has gone, or it speaks
 * before it has been answered, which is not looked at yet. */
static void on_hangup(struct ev_loop *loop, ev_io *watcher, int events)
{
    pair *p = watcher->data;
    char octet;
    ssize_t n = recv(watcher->fd, &octet, 1, MSG_PEEK);
    (void)events;
    if (n > 0)
        ev_io_stop(loop, watcher);
    else if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
        live_abort(&p->sides[CLIENT].live);
}

/* ------------------------------------------------------------------ connecting */

static void connect_next(pair *p);

/* Sends the request over a connected socket. */
static void ask(pair *p, int fd)
{
    relay *r = p->relay;
    side *origin = &p->sides[ORIGIN];
    if (wire_prepare(fd) != 0 || live_start(&origin->live, &r->hub, fd, &r->config[ORIGIN]) != 0) {
        close(fd);
        upstream_fail(p, 502, FAILED_CONNECT, "there is no memory for a connection to the origin\n");
        return;
    }
    origin->is_alive = 1;
    p->phase = PHASE_ASKED;
    tenon_lend_stats(origin->live.conn, &r->counts.stats[ORIGIN]);
    if (tenon_connect(origin->live.conn, &p->offer->request) != TENON_OK)
        upstream_fail(p, 502, FAILED_HANDSHAKE, "the request cannot be passed on\n");
    live_soon(&origin->live);
}

/* A port that the system gives away can be the one that nobody listens to: then a
 * socket may be connected to itself. */
static int is_self(int fd)
{
    struct sockaddr_storage here, there;
    socklen_t here_size = sizeof here, there_size = sizeof there;
    memset(&here, 0, sizeof here);
    memset(&there, 0, sizeof there);
    return getsockname(fd, (struct sockaddr *)&here, &here_size) == 0 &&
           getpeername(fd, (struct sockaddr *)&there, &there_size) == 0 && here_size == there_size &&
           memcmp(&here, &there, here_size) == 0;
}

static void on_connected(struct ev_loop *loop, ev_io *watcher, int events)
{
    pair *p = watcher->data;
    int fd = watcher->fd, error = 0;
    socklen_t size = sizeof error;
    (void)events;
    ev_io_stop(loop, watcher);
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0 && !is_self(fd)) {
        ask(p, fd);
    } else {
        close(fd);
        connect_next(p);
    }
}

/* Begins to connect to an address: a socket, or -1. */
static int begin_connecting(const address *to)
{
    int fd = socket(to->family, SOCK_STREAM, 0);
    if (fd < 0)
        return -1;
    if (wire_prepare(fd) == 0 &&
        (connect(fd, (const struct sockaddr *)&to->name, to->size) == 0 || errno == EINPROGRESS))
        return fd;
    close(fd);
    return -1;
}

static void connect_next(pair *p)
{
    relay *r = p->relay;
    while (p->address < r->address_count) {
        int fd = begin_connecting(&r->addresses[p->address++]);
        if (fd < 0)
            continue;
        ev_io_set(&p->connecting, fd, EV_WRITE);
        ev_io_start(r->loop, &p->connecting);
        return;
    }
    upstream_fail(p, 502, FAILED_CONNECT, "the origin cannot be reached\n");
}

static void peer_address(int fd, char *text, size_t size)
{
    struct sockaddr_in name;
    socklen_t name_size = sizeof name;
    if (getpeername(fd, (struct sockaddr *)&name, &name_size) != 0 || name.sin_family != AF_INET ||
        inet_ntop(AF_INET, &name.sin_addr, text, (socklen_t)size) == NULL)
        strcpy(text, "unknown"); /* as in Forwarded (RFC 7239, 6.2) */
}

void upstream_begin(pair *p, const tenon_head *head)
{
    relay *r = p->relay;
    int fd = p->sides[CLIENT].live.wire.fd;
    char peer[INET_ADDRSTRLEN];
    peer_address(fd, peer, sizeof peer);
    p->phase = PHASE_CONNECT;
    p->offer = offer_make(r, head, peer);
    if (p->offer == NULL) {
        gate_refuse(p, 503, REFUSED_FAILURE, "there is no memory for the request\n");
        return;
    }
    ev_io_init(&p->connecting, on_connected, -1, EV_WRITE);
    ev_io_init(&p->hangup, on_hangup, fd, EV_READ);
    ev_timer_init(&p->patience, on_patience_ends, r->answer_ms / 1000., 0.);
    p->connecting.data = p->hangup.data = p->patience.data = p;
    ev_io_start(r->loop, &p->hangup);
    ev_timer_start(r->loop, &p->patience);
    connect_next(p);
}

/* -------------------------------------------------------------------- accepted */

/* 101: the client gets one with the same subprotocol, extensions and fields. */
static void on_open(pair *p, const tenon_event *event)
{
    tenon_conn *client = p->sides[CLIENT].live.conn, *origin = p->sides[ORIGIN].live.conn;
    char extensions[EXTENSIONS_MAX];
    tenon_header fields[FIELDS_MAX];
    tenon_answer with;
    tenon_head head;
    memset(&with, 0, sizeof with);
    tenon_head_get(origin, &head);
    with.size = sizeof with;
    with.subprotocol = (const char *)event->data;
    with.subprotocol_size = event->size;
    with.headers = fields;
    with.header_count = answer_fields(&head.fields, fields, FIELDS_MAX);
    if (answer_extensions(&head.fields, extensions, sizeof extensions, &with.extensions_size) == 0) {
        with.extensions = with.extensions_size > 0 ? extensions : NULL;
        if (live_ready(&p->sides[CLIENT].live) && tenon_accept(client, &with) == TENON_OK) {
            if (with.extensions != NULL) {
                tenon_grant(client, TENON_RSV1, 0, 0);
                tenon_grant(origin, TENON_RSV1, 0, 0);
            }
            stop_waiting(p);
            upstream_free(p);
            pair_open(p);
            return;
        }
    }
    upstream_fail(p, 502, FAILED_ANSWER, "the answer of the origin cannot be passed on\n");
}

/* --------------------------------------------------------------- another answer */

static void pass_answer(pair *p)
{
    answer *a = p->answer;
    live *client = &p->sides[CLIENT].live;
    tenon_refusal refusal;
    p->relay->counts.failed[FAILED_STATUS]++;
    upstream_drop(p);
    p->phase = PHASE_REFUSED;
    memset(&refusal, 0, sizeof refusal);
    refusal.size = sizeof refusal;
    refusal.status = a->status;
    refusal.reason = a->reason_size > 0 ? a->reason : NULL;
    refusal.reason_size = a->reason_size;
    refusal.headers = a->fields;
    refusal.header_count = a->field_count;
    refusal.body = a->data; /* lives as long as the pair */
    refusal.body_size = a->body.size;
    if (!live_ready(client) || tenon_reject(client->conn, &refusal) != TENON_OK) {
        p->phase = PHASE_ANSWER; /* the status or a field is one that cannot be sent */
        gate_refuse(p, 502, REFUSED_FAILURE, "the answer of the origin cannot be passed on\n");
    }
    live_soon(client);
}

/* Instead of a body that is not passed on goes a text; what describes it does not
 * apply to that. */
static void replace_body(answer *a, const char *text)
{
    size_t i, kept = 0;
    for (i = 0; i < a->field_count; i++) {
        const tenon_header *field = &a->fields[i];
        if (field->name_size < 8 || !is_name(field->name, 8, "content-"))
            a->fields[kept++] = *field;
    }
    a->field_count = kept;
    a->body.size = strlen(text);
    memcpy(a->data, text, a->body.size);
}

/* Whether all is there, or will not come. */
static void look_at_body(pair *p)
{
    static const char too_long[] = "the text of the origin's answer is too long to be passed on\n";
    switch (p->answer->body.status) {
    case BODY_WHOLE:
        pass_answer(p);
        break;
    case BODY_LONG:
        replace_body(p->answer, too_long);
        pass_answer(p);
        break;
    case BODY_BAD:
        upstream_fail(p, 502, FAILED_ANSWER, "the answer of the origin is malformed, or not whole\n");
        break;
    default:
        break;
    }
}

static void on_response(pair *p)
{
    tenon_fields fields;
    tenon_head head;
    answer *a;
    tenon_head_get(p->sides[ORIGIN].live.conn, &head);
    a = calloc(1, sizeof *a + head.fields.head_size + head.reason.size);
    if (a == NULL) {
        upstream_fail(p, 502, FAILED_ANSWER, "there is no memory for the answer of the origin\n");
        return;
    }
    fields = head.fields;
    memcpy(a->text, head.fields.head, head.fields.head_size);
    fields.head = a->text;
    if (head.reason.size > 0)
        memcpy(a->text + fields.head_size, head.reason.data, head.reason.size);
    a->reason = a->text + fields.head_size;
    a->reason_size = head.reason.size;
    a->status = head.status;
    a->field_count = answer_fields(&fields, a->fields, FIELDS_MAX);
    body_begin(&a->body, a->data, head.status, &fields);
    p->answer = a;
    p->phase = PHASE_ANSWER;
    look_at_body(p);
}

static void on_closed(pair *p, const tenon_event *event)
{
    if (p->phase == PHASE_ANSWER && event->rule == TENON_RULE_STATUS) {
        body_end(&p->answer->body);
        look_at_body(p);
    } else if (event->rule == TENON_RULE_EOF || event->rule == TENON_RULE_ABORT) {
        upstream_fail(p, 502, FAILED_HANDSHAKE, "the origin broke off\n");
    } else {
        upstream_fail(p, 502, FAILED_ANSWER, "the answer of the origin does not open a WebSocket\n");
    }
}

void upstream_event(pair *p, const tenon_event *event)
{
    if (!is_waiting(p))
        return;
    switch (event->type) {
    case TENON_EV_OPEN:
        on_open(p, event);
        break;
    case TENON_EV_RESPONSE:
        on_response(p);
        break;
    case TENON_EV_BODY:
        body_add(&p->answer->body, event->data, event->size);
        look_at_body(p);
        break;
    case TENON_EV_CLOSED:
        on_closed(p, event);
        break;
    default:
        break;
    }
}
