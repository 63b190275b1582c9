/* SPDX-License-Identifier: MIT */
/*
 * An echo server: one thread, epoll, as many connections as the system gives.
 *
 *   echo_server [--port N] [--max-message BYTES] [--ping-interval MS] [--pong-timeout MS]
 *               [--idle-timeout MS] [--deflate] [--no-takeover] [--window-bits N]
 *               [--memory-level N] [--trace]
 *
 * Listens on 127.0.0.1 only; port 0 takes a free one. No pings and no idle timeout
 * unless asked for. SIGTERM and SIGINT end it:
 * each connection gets a Close with 1001 and a few seconds to answer it.
 *
 * Memory. Pieces of messages are echoed as they arrive (TENON_CHUNKS), so that no
 * message is ever assembled, however long it may be. The buffers for reading and
 * writing, a desk (common/desk.h), are lent to a connection for its turn, and stay
 * with it only while octets lie in them: a connection that waits for its client takes less than
 * a kilobyte, and a file descriptor.
 *
 * Compression. With --deflate, offers of permessage-deflate are accepted. Each side
 * may refer back to earlier messages, which takes some 300 KiB for a connection that
 * compresses both ways; with --no-takeover neither may, and a few blocks serve all.
 * --window-bits (9 to 15) and --memory-level (1 to 9) make them smaller.
 *
 * Backpressure. A client that does not read fills its socket, then its desk; then
 * tenon_send says AGAIN, the event is kept, and the server stops reading from that
 * client. The library ends the connection when nothing moves for a minute.
 */
#define _POSIX_C_SOURCE 200809L

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/blocks.h"
#include "common/codec.h"
#include "common/desk.h"
#include "common/linger.h"
#include "common/trace.h"
#include "common/wire.h"

/* Heads of the handshake may be so long; afterwards rx holds control frames only. */
#define HEAD_SIZE 16384

#define EVENTS_MAX 256
#define ACCEPT_MAX 64      /* connections taken in one go, so that others have their turn */
#define ACCEPT_AGAIN_MS 200
#define SCAN_MS 20         /* no two looks at all deadlines are closer than this */
#define STOP_MS 3000

typedef struct client {
    wire wire; /* first: the callbacks of wire.h expect it there */
    struct client *next, **link; /* all clients, in a list */
    tenon_conn *conn;
    desk *desk;                  /* while it has one */
    void *head;                  /* rx of the handshake, until it is over */
    uint32_t watched;            /* what epoll looks for */
    int is_open, is_deflated;
    int is_lingering;            /* CLOSED was delivered; only last matters still */
    lingering last;
    blocks blocks;               /* while it has any */
    tenon_storage storage;
    unsigned char rx[TENON_RX_MIN];
} client;

typedef struct server {
    int poll_fd, listen_fd, signal_fd;
    int is_traced, is_stopping;
    tenon_config config;
    tenon_deflate deflate;
    block_pool blocks;
    client *clients;
    size_t count;
    desk_pool desks;
    uint64_t accept_at; /* when to listen again, or TENON_NEVER while listening */
    uint64_t scan_at;   /* the earliest deadline of a client, perhaps earlier */
    uint64_t stop_at;   /* when to leave those that do not answer the Close */
} server;

/* --------------------------------------------------------------------- echo */

static void print_end(const tenon_event *event)
{
    printf("ended: %u, %s", event->code, tenon_close_name(event->code));
    if (event->rule != TENON_RULE_NONE)
        printf("; %s (%s)", tenon_rule_text(event->rule), tenon_rule_section(event->rule));
    printf("\n");
    fflush(stdout);
}

static int on_event(tenon_conn *conn, const tenon_event *event, void *user)
{
    client *c = user;
    uint32_t whole = TENON_FIRST | TENON_LAST;
    int status;
    switch (event->type) {
    case TENON_EV_REQUEST:
        tenon_accept(conn, NULL);
        return TENON_CONTINUE;
    case TENON_EV_OPEN:
        c->is_open = 1;
        c->is_deflated = tenon_inflate_size(conn) > 0;
        return TENON_CONTINUE;
    case TENON_EV_DATA:
        /* Text was checked when it came in: TRUSTED. */
        if ((event->flags & whole) == whole)
            status = tenon_send(conn, event->opcode, event->data, event->size, TENON_TRUSTED);
        else
            status = tenon_send_part(conn, event->opcode, event->data, event->size,
                                     TENON_TRUSTED | (event->flags & TENON_LAST));
        if (status == TENON_ERR_AGAIN)
            return TENON_AGAIN;
        if (status != TENON_OK) /* a Close has been sent already, or is due now */
            tenon_close(conn, TENON_CLOSE_INTERNAL, NULL, 0);
        return TENON_CONTINUE;
    case TENON_EV_CLOSED:
        if (c->wire.trace != NULL)
            print_end(event);
        return TENON_CONTINUE;
    default:
        return TENON_CONTINUE; /* pings are answered, and a Close as well */
    }
}

/* ------------------------------------------------------------------ clients */

static void drop_buffers(server *s, client *c)
{
    desk_drop(&s->desks, &c->desk);
    blocks_drop(&s->blocks, &c->blocks);
    free(c->wire.trace);
    free(c->head);
    c->wire.trace = NULL;
    c->head = NULL;
}

static void drop_client(server *s, client *c)
{
    *c->link = c->next;
    if (c->next != NULL)
        c->next->link = c->link;
    drop_buffers(s, c);
    close(c->wire.fd); /* which also takes it out of epoll */
    free(c);
    s->count--;
}

/* WANTS_NEXT without output: the event that was kept for lack of room has room now,
 * so the turn after this one may come at once. */
static uint32_t look_for(const client *c)
{
    uint32_t wants = tenon_wants(c->conn), look = 0;
    if (c->is_lingering || (wants & TENON_WANTS_READ) != 0)
        look |= EPOLLIN;
    if (wants & (TENON_WANTS_WRITE | TENON_WANTS_NEXT))
        look |= EPOLLOUT;
    return look;
}

/* Tells epoll what to look for. */
static int watch(server *s, client *c)
{
    uint32_t look = look_for(c);
    struct epoll_event event;
    if (look == c->watched)
        return 0;
    memset(&event, 0, sizeof event);
    event.events = look;
    event.data.ptr = c;
    if (epoll_ctl(s->poll_fd, EPOLL_CTL_MOD, c->wire.fd, &event) != 0)
        return -1;
    c->watched = look;
    return 0;
}

/* Clears up behind a turn. */
static void leave(server *s, client *c)
{
    blocks_leave(&s->blocks, c->conn, &c->blocks);
    if (c->is_deflated && tenon_lend_rx(c->conn, c->rx, sizeof c->rx) != TENON_OK)
        return; /* the desk holds what was inflated and not yet echoed */
    desk_leave(&s->desks, c->conn, &c->desk);
    if (c->is_open && c->head != NULL && tenon_lend_rx(c->conn, c->rx, sizeof c->rx) == TENON_OK) {
        free(c->head);
        c->head = NULL;
    }
}

/* All that the library does; again when it has asked for memory. */
static int pump(server *s, client *c)
{
    tenon_io io;
    int status, lent;
    if (c->is_deflated)
        tenon_lend_rx(c->conn, c->desk->rx, sizeof c->desk->rx); /* or it is there already */
    wire_io(&io, on_event, c, c->desk->in, sizeof c->desk->in);
    do {
        status = tenon_pump(c->conn, &io);
        lent = 0;
        if (status != TENON_DONE && c->is_deflated)
            lent = blocks_lend(&s->blocks, c->conn, &c->blocks);
        if (status != TENON_DONE && c->is_deflated && (tenon_wants(c->conn) & TENON_WANTS_RX) != 0)
            lent = tenon_lend_rx(c->conn, c->desk->rx, sizeof c->desk->rx) == TENON_OK;
        if (lent < 0)
            tenon_abort(c->conn, TENON_LOCAL);
    } while (lent != 0 && status != TENON_DONE);
    return status;
}

static uint64_t deadline_of(const client *c)
{
    return c->is_lingering ? c->last.until : tenon_deadline(c->conn);
}

/* What there is to do with a client: 1, or 0 if it is over. */
static int serve(server *s, client *c)
{
    if (c->is_lingering)
        return linger_on(&c->last);
    if (desk_take(&s->desks, c->conn, &c->desk) != 0)
        return 0; /* no memory: this one has to go, the others stay */
    if (pump(s, c) != TENON_DONE) {
        leave(s, c);
        return 1;
    }
    drop_buffers(s, c);
    c->is_lingering = linger_begin(&c->last, c->conn, c->wire.fd);
    if (s->is_stopping && c->is_lingering)
        linger_hurry(&c->last);
    return c->is_lingering;
}

/* One turn of one client. */
static void turn(server *s, client *c)
{
    uint64_t deadline;
    if (!serve(s, c) || watch(s, c) != 0) {
        drop_client(s, c);
        return;
    }
    deadline = deadline_of(c);
    if (deadline < s->scan_at)
        s->scan_at = deadline;
}

/* A connection for a socket that was accepted: 0, or -1 without memory. */
static int add_client(server *s, int fd)
{
    client *c = malloc(sizeof *c);
    struct epoll_event event;
    if (c == NULL)
        return -1;
    memset(c, 0, sizeof *c);
    c->head = malloc(HEAD_SIZE);
    memset(&event, 0, sizeof event);
    event.events = c->watched = EPOLLIN;
    event.data.ptr = c;
    if (c->head == NULL || tenon_init(&c->storage, sizeof c->storage, &s->config, &c->conn) != TENON_OK ||
        tenon_lend_rx(c->conn, c->head, HEAD_SIZE) != TENON_OK ||
        epoll_ctl(s->poll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        free(c->head);
        free(c);
        return -1;
    }
    c->wire.fd = fd;
    if (s->is_traced && (c->wire.trace = malloc(sizeof(trace))) != NULL)
        trace_init(c->wire.trace, TENON_SERVER);
    c->next = s->clients;
    c->link = &s->clients;
    if (c->next != NULL)
        c->next->link = &c->next;
    s->clients = c;
    s->count++;
    turn(s, c); /* starts its clock; and perhaps the request is here already */
    return 0;
}

/* ------------------------------------------------------------------ listening */

static void listen_again(server *s, int on)
{
    struct epoll_event event;
    memset(&event, 0, sizeof event);
    event.events = on ? EPOLLIN : 0;
    event.data.ptr = &s->listen_fd;
    epoll_ctl(s->poll_fd, EPOLL_CTL_MOD, s->listen_fd, &event);
    s->accept_at = on ? TENON_NEVER : wire_now(NULL) + ACCEPT_AGAIN_MS;
}

/* Takes those that wait. Without descriptors or memory they go on waiting, and
 * the listener, which would stay ready, is looked at again a little later. */
static void accept_clients(server *s)
{
    int i;
    for (i = 0; i < ACCEPT_MAX; i++) {
        int fd = accept(s->listen_fd, NULL, NULL);
        if (fd >= 0) {
            if (wire_prepare(fd) != 0 || add_client(s, fd) != 0)
                close(fd);
            continue;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return;
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            listen_again(s, 0);
            return;
        }
        /* Anything else concerns that one client, who is gone already. */
    }
}

static int open_listener(unsigned port)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0)
        return -1;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)port);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, size) != 0 || listen(fd, 4096) != 0 || wire_prepare(fd) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
        close(fd);
        return -1;
    }
    printf("listening on 127.0.0.1:%u\n", (unsigned)ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

/* ----------------------------------------------------------------- the loop */

/* Gives a turn to each client whose time has come, and finds the next deadline. */
static void scan(server *s, uint64_t now)
{
    client *c = s->clients, *next;
    s->scan_at = TENON_NEVER;
    for (; c != NULL; c = next) {
        uint64_t deadline = deadline_of(c);
        next = c->next;
        if (deadline <= now)
            turn(s, c);
        else if (deadline < s->scan_at)
            s->scan_at = deadline;
    }
    if (s->scan_at < now + SCAN_MS)
        s->scan_at = now + SCAN_MS;
}

/* A Close to everyone, behind what they are being sent. */
static void begin_stop(server *s)
{
    client *c = s->clients, *next;
    struct signalfd_siginfo info;
    if (read(s->signal_fd, &info, sizeof info) != (ssize_t)sizeof info || s->is_stopping)
        return;
    s->is_stopping = 1;
    s->stop_at = wire_now(NULL) + STOP_MS;
    epoll_ctl(s->poll_fd, EPOLL_CTL_DEL, s->listen_fd, NULL);
    close(s->listen_fd);
    s->listen_fd = -1;
    s->accept_at = TENON_NEVER;
    for (; c != NULL; c = next) {
        next = c->next;
        if (c->is_lingering)
            linger_hurry(&c->last);
        else if (desk_take(&s->desks, c->conn, &c->desk) == 0)
            tenon_close(c->conn, TENON_CLOSE_GOING_AWAY, NULL, 0);
        turn(s, c);
    }
}

/* Milliseconds until something is due, for epoll_wait. */
static int time_left(const server *s, uint64_t now)
{
    uint64_t due = s->scan_at < s->accept_at ? s->scan_at : s->accept_at;
    if (s->is_stopping && s->stop_at < due)
        due = s->stop_at;
    if (due == TENON_NEVER)
        return -1;
    return due <= now ? 0 : due - now > 60000 ? 60000 : (int)(due - now);
}

static void handle(server *s, const struct epoll_event *event)
{
    client *c = event->data.ptr;
    if (event->data.ptr == &s->signal_fd) {
        begin_stop(s);
    } else if (event->data.ptr == &s->listen_fd) {
        if (!s->is_stopping)
            accept_clients(s);
    } else {
        /* An error is found out by reading or writing; who does neither is told. */
        if (c->watched == 0)
            tenon_abort(c->conn, TENON_REMOTE);
        turn(s, c);
    }
}

/* A turn may free its client, but no other; and epoll names each only once in a
 * batch. Only the end of the server touches all of them: that comes last. */
static void run(server *s)
{
    struct epoll_event events[EVENTS_MAX];
    while (!s->is_stopping || (s->count > 0 && wire_now(NULL) < s->stop_at)) {
        const struct epoll_event *stop = NULL;
        int i, count = epoll_wait(s->poll_fd, events, EVENTS_MAX, time_left(s, wire_now(NULL)));
        uint64_t now;
        for (i = 0; i < count; i++) {
            if (events[i].data.ptr == &s->signal_fd)
                stop = &events[i];
            else
                handle(s, &events[i]);
        }
        if (stop != NULL)
            handle(s, stop);
        now = wire_now(NULL);
        if (now >= s->scan_at)
            scan(s, now);
        if (now >= s->accept_at)
            listen_again(s, 1);
    }
}

/* -------------------------------------------------------------------- set up */

static int add_descriptor(server *s, int *fd)
{
    struct epoll_event event;
    memset(&event, 0, sizeof event);
    event.events = EPOLLIN;
    event.data.ptr = fd;
    return *fd < 0 ? -1 : epoll_ctl(s->poll_fd, EPOLL_CTL_ADD, *fd, &event);
}

static int set_up(server *s, unsigned port)
{
    struct rlimit files;
    sigset_t signals;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max; /* a descriptor for each client */
        setrlimit(RLIMIT_NOFILE, &files);
    }
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    if (sigprocmask(SIG_BLOCK, &signals, NULL) != 0)
        return -1;
    s->accept_at = s->scan_at = TENON_NEVER;
    s->poll_fd = epoll_create1(EPOLL_CLOEXEC);
    s->signal_fd = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    s->listen_fd = open_listener(port);
    return add_descriptor(s, &s->signal_fd) != 0 || add_descriptor(s, &s->listen_fd) != 0 ? -1 : 0;
}

static void clean_up(server *s)
{
    while (s->clients != NULL)
        drop_client(s, s->clients);
    desk_free(&s->desks);
    blocks_free(&s->blocks);
    if (s->listen_fd >= 0)
        close(s->listen_fd);
    close(s->signal_fd);
    close(s->poll_fd);
}

/* A number from 1 (a port: from 0) up to max: 0, or -1. */
static int number(const char *text, int is_port, uint64_t max, uint64_t *value)
{
    char *end;
    unsigned long long n;
    if (text == NULL || *text < '0' || *text > '9')
        return -1;
    errno = 0;
    n = strtoull(text, &end, 10);
    if (*end != '\0' || errno != 0 || n > max || (n == 0 && !is_port))
        return -1;
    *value = n;
    return 0;
}

/* Reads the arguments into the config, and the port: 0, or -1. */
static int configure(server *s, int argc, char **argv, uint64_t *port)
{
    tenon_config *config = &s->config;
    uint64_t ms = 0;
    int i, bad = 0;
    for (i = 1; i < argc && !bad; i++) {
        if (strcmp(argv[i], "--trace") == 0) {
            s->is_traced = 1;
        } else if (strcmp(argv[i], "--port") == 0) {
            bad = number(argv[++i], 1, 65535, port);
        } else if (strcmp(argv[i], "--max-message") == 0) {
            bad = number(argv[++i], 0, INT64_MAX, &config->max_message);
        } else if (strcmp(argv[i], "--ping-interval") == 0) {
            bad = number(argv[++i], 0, TENON_OFF - 1, &ms);
            config->ping_ms = (uint32_t)ms;
        } else if (strcmp(argv[i], "--pong-timeout") == 0) {
            bad = number(argv[++i], 0, TENON_OFF - 1, &ms);
            config->pong_ms = (uint32_t)ms;
        } else if (strcmp(argv[i], "--deflate") == 0) {
            s->deflate.codec = codec_needed("echo_server");
        } else if (strcmp(argv[i], "--no-takeover") == 0) {
            s->deflate.flags = TENON_DEFLATE_RESET_OUT | TENON_DEFLATE_RESET_IN;
        } else if (strcmp(argv[i], "--window-bits") == 0) {
            bad = number(argv[++i], 0, 15, &ms);
            s->deflate.out_bits = s->deflate.in_bits = (uint8_t)ms;
        } else if (strcmp(argv[i], "--memory-level") == 0) {
            bad = number(argv[++i], 0, 9, &ms);
            s->deflate.memory_level = (uint8_t)ms;
        } else if (strcmp(argv[i], "--idle-timeout") == 0) {
            bad = number(argv[++i], 0, TENON_OFF - 1, &ms);
            config->idle_ms = (uint32_t)ms;
        } else {
            bad = -1;
        }
    }
    s->deflate.size = sizeof s->deflate;
    if (bad == 0 && s->deflate.codec != NULL) {
        bad = tenon_config_deflate(config, &s->deflate);
        blocks_init(&s->blocks, &s->deflate);
    }
    return bad;
}

int main(int argc, char **argv)
{
    static server s;
    uint64_t port = 9001;
    tenon_config_server(&s.config, sizeof s.config);
    s.config.flags = TENON_CHUNKS;
    s.config.max_message = 16u << 20;
    if (configure(&s, argc, argv, &port) != 0) {
        fprintf(stderr, "usage: echo_server [--port N] [--max-message BYTES] [--ping-interval MS]\n"
                        "                   [--pong-timeout MS] [--idle-timeout MS] [--deflate] [--no-takeover]\n"
                        "                   [--window-bits N] [--memory-level N] [--trace]\n");
        return 2;
    }
    if (set_up(&s, (unsigned)port) != 0) {
        fprintf(stderr, "echo_server: %s\n", strerror(errno));
        return 1;
    }
    run(&s);
    clean_up(&s);
    return 0;
}
