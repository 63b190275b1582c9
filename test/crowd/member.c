/* SPDX-License-Identifier: MIT */
/* One connection of a crowd: what it sends, and whether what comes is right. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "crowd.h"

#define TEXT_MAX 96

/* The text of one member in one round: no two are the same. */
static int echo_text(char text[TEXT_MAX], const member *m, uint32_t round)
{
    return snprintf(text, TEXT_MAX, "round %" PRIu32 " of member %" PRIu32 ", %08" PRIx32, round, m->index,
                    (m->index * 40503u + round) * 2654435761u);
}

static void wrong(member *m, const char *what, const tenon_event *event)
{
    m->worker->wrong++;
    worker_blame(m->worker, m->index, "%s: '%.*s'", what, event->size < 60 ? (int)event->size : 60,
                 event->size > 0 ? (const char *)event->data : "");
}

static void on_echo(member *m, const tenon_event *event)
{
    char text[TEXT_MAX];
    int size = echo_text(text, m, m->round + 1);
    if (event->opcode == TENON_TEXT && event->size == (size_t)size && memcmp(event->data, text, (size_t)size) == 0)
        m->round++;
    else
        wrong(m, "not its echo", event);
}

/* ---------------------------------------------------------------------- chat */

static void greet(member *m)
{
    char text[TEXT_MAX];
    int size = snprintf(text, sizeof text, "hello crowd-member-%08" PRIu32 " 0 member %" PRIu32, m->index, m->index);
    if (tenon_send(m->conn, TENON_TEXT, text, (size_t)size, 0) != TENON_OK)
        worker_blame(m->worker, m->index, "hello could not be sent");
}

/* The part of a line behind its numbers: all of it is 'x'. */
static int is_filled(const char *text, size_t size)
{
    return size == 0 || (text[0] == 'x' && memcmp(text, text + 1, size - 1) == 0);
}

/* A line: the next one, whole, and with a greater number of the server. */
static void on_said(member *m, const tenon_event *event)
{
    shared *s = m->worker->shared;
    char head[256];
    const char *text;
    uint64_t line, k, ns, now = now_ns();
    size_t size, place, head_size = event->size < sizeof head - 1 ? event->size : sizeof head - 1;
    int used = 0;
    memcpy(head, event->data, head_size);
    head[head_size] = '\0';
    text = strchr(head, '\n');
    if (text == NULL || sscanf(head, "said %" SCNu64 " ", &line) != 1 ||
        sscanf(text + 1, "%" SCNu64 " %" SCNu64 " %zu %n", &k, &ns, &size, &used) != 3) {
        wrong(m, "not a line", event);
        return;
    }
    head_size = (size_t)(text + 1 - head);
    text = (const char *)event->data + head_size;
    if (k != (uint64_t)m->heard + 1 || line <= m->line || size != event->size - head_size || size < (size_t)used ||
        !is_filled(text + used, size - (size_t)used)) {
        wrong(m, "not the next line, or not all of it", event);
        return;
    }
    m->heard++;
    m->line = line;
    place = (size_t)(k - 1) * s->members + m->index;
    if (place < TIMES_MAX)
        s->times[place] = 1 + (uint32_t)((now - ns) / 1000);
}

static int begins(const tenon_event *event, const char *word)
{
    size_t size = strlen(word);
    return event->size >= size && memcmp(event->data, word, size) == 0;
}

static void on_chat(member *m, const tenon_event *event)
{
    if (begins(event, "said "))
        on_said(m, event);
    else if (begins(event, "welcome ") && !m->is_welcome)
        m->is_welcome = 1;
    else if (!m->is_welcome || (!begins(event, "people ") && !begins(event, "rtt ") && !begins(event, "ping ")))
        wrong(m, "unexpected", event);
}

/* -------------------------------------------------------------------- events */

static int on_event(tenon_conn *conn, const tenon_event *event, void *user)
{
    member *m = user;
    (void)conn;
    switch (event->type) {
    case TENON_EV_OPEN:
        m->is_open = 1;
        if (m->worker->opened.is_chat)
            greet(m);
        break;
    case TENON_EV_DATA:
        if (m->worker->opened.is_chat)
            on_chat(m, event);
        else
            on_echo(m, event);
        break;
    case TENON_EV_PING:
        m->pings++;
        break;
    case TENON_EV_PONG:
        m->pongs++;
        break;
    case TENON_EV_CLOSED:
        m->is_over = 1;
        m->code = event->code;
        m->is_clean = (event->flags & TENON_CLEAN) != 0;
        if (!m->is_clean)
            worker_blame(m->worker, m->index, "ended with %u: %s", (unsigned)event->code, tenon_rule_text(event->rule));
        break;
    default:
        break;
    }
    return TENON_CONTINUE;
}

static void watch(member *m)
{
    uint32_t wants = tenon_wants(m->conn), look = 0;
    struct epoll_event event;
    if (wants & TENON_WANTS_READ)
        look |= EPOLLIN;
    if (wants & (TENON_WANTS_WRITE | TENON_WANTS_NEXT))
        look |= EPOLLOUT;
    if (look == m->watched)
        return;
    memset(&event, 0, sizeof event);
    event.events = m->watched = look;
    event.data.ptr = m;
    epoll_ctl(m->worker->poll_fd, EPOLL_CTL_MOD, m->wire.fd, &event);
}

static void end(member *m)
{
    m->is_over = 1;
    desk_drop(&m->worker->desks, &m->desk);
    close(m->wire.fd);
    m->wire.fd = -1;
}

void member_turn(member *m)
{
    tenon_io io;
    int status;
    if (desk_take(&m->worker->desks, m->conn, &m->desk) != 0) {
        worker_blame(m->worker, m->index, "no memory for a desk");
        end(m);
        return;
    }
    wire_io(&io, on_event, m, m->desk->in, sizeof m->desk->in);
    status = tenon_pump(m->conn, &io);
    if (status == TENON_DONE || status < 0) {
        end(m);
        return;
    }
    desk_leave(&m->worker->desks, m->conn, &m->desk);
    watch(m);
}

void member_say(member *m, uint32_t round)
{
    char text[TEXT_MAX];
    int size = echo_text(text, m, round);
    if (desk_take(&m->worker->desks, m->conn, &m->desk) != 0 ||
        tenon_send(m->conn, TENON_TEXT, text, (size_t)size, 0) != TENON_OK)
        worker_blame(m->worker, m->index, "could not send its text");
    member_turn(m);
}

void member_ping(member *m)
{
    if (desk_take(&m->worker->desks, m->conn, &m->desk) != 0 || tenon_ping(m->conn, NULL, 0) != TENON_OK)
        worker_blame(m->worker, m->index, "could not send a ping");
    member_turn(m);
}

/* ---------------------------------------------------------------- life of one */

/* A socket that connects, from an address of its own for each worker: one address
 * has no ports for all. 0, or -1 and errno. */
static int start_connecting(int fd, unsigned number, unsigned port)
{
    struct sockaddr_in from, to;
    int on = 1;
    memset(&from, 0, sizeof from);
    from.sin_family = AF_INET;
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + number);
    to = from;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons((uint16_t)port);
    if (wire_prepare(fd) != 0 || setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) != 0 ||
        bind(fd, (struct sockaddr *)&from, sizeof from) != 0)
        return -1;
    return connect(fd, (struct sockaddr *)&to, sizeof to) == 0 || errno == EINPROGRESS ? 0 : -1;
}

static int start_talking(worker *w, member *m)
{
    struct epoll_event event;
    memset(&event, 0, sizeof event);
    event.events = m->watched = EPOLLIN | EPOLLOUT;
    event.data.ptr = m;
    errno = ENOMEM;
    if (tenon_init(&m->storage, sizeof m->storage, &w->config, &m->conn) != TENON_OK ||
        tenon_lend_rx(m->conn, m->rx, w->opened.rx_size) != TENON_OK ||
        desk_take(&w->desks, m->conn, &m->desk) != 0 || tenon_connect(m->conn, &w->request) != TENON_OK)
        return -1;
    return epoll_ctl(w->poll_fd, EPOLL_CTL_ADD, m->wire.fd, &event);
}

member *member_open(worker *w, uint32_t index)
{
    member *m = calloc(1, sizeof *m + w->opened.rx_size);
    if (m == NULL)
        return NULL;
    m->worker = w;
    m->index = index;
    m->wire.fd = socket(AF_INET, SOCK_STREAM, 0);
    if (m->wire.fd < 0 || start_connecting(m->wire.fd, w->number, w->opened.port) != 0 || start_talking(w, m) != 0) {
        worker_blame(w, index, "could not connect: %s", strerror(errno));
        member_free(m);
        return NULL;
    }
    return m;
}

void member_free(member *m)
{
    struct linger at_once = {1, 0};
    if (m->wire.fd >= 0) {
        setsockopt(m->wire.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        desk_drop(&m->worker->desks, &m->desk);
        close(m->wire.fd);
    }
    free(m);
}
