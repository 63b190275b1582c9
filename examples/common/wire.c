/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L

#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "tenon/deflate.h"
#include "trace.h"

/* Pieces of one write: as many as tenon_pump ever offers. */
#define PIECES_MAX 16

#define CONNECT_MS 10000

/* ---------------------------------------------------------------- callbacks */

int wire_recv(void *user, void *buf, size_t n, size_t *got)
{
    wire *w = user;
    ssize_t count;
    do {
        count = recv(w->fd, buf, n, 0);
    } while (count < 0 && errno == EINTR);
    if (count < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK ? TENON_WAIT : TENON_ERR_IO;
    if (count == 0)
        return TENON_END;
    *got = (size_t)count;
    if (w->trace != NULL)
        trace_received(w->trace, buf, *got); /* before anything is unmasked in place */
    return TENON_OK;
}

/* One call of the kernel for all pieces. MSG_NOSIGNAL: a peer that is gone is an
 * error here, not the end of the program. */
static ssize_t send_pieces(int fd, const tenon_iov *iov, size_t count)
{
    struct iovec pieces[PIECES_MAX];
    struct msghdr message;
    size_t i;
    if (count == 1)
        return send(fd, iov->base, iov->size, MSG_NOSIGNAL);
    memset(&message, 0, sizeof message);
    for (i = 0; i < count && i < PIECES_MAX; i++) {
        pieces[i].iov_base = (void *)iov[i].base; /* sendmsg only reads there */
        pieces[i].iov_len = iov[i].size;
    }
    message.msg_iov = pieces;
    message.msg_iovlen = i;
    return sendmsg(fd, &message, MSG_NOSIGNAL);
}

int wire_send(void *user, const tenon_iov *iov, size_t count, size_t *put)
{
    wire *w = user;
    ssize_t sent;
    do {
        sent = send_pieces(w->fd, iov, count);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK ? TENON_WAIT : TENON_ERR_IO;
    *put = (size_t)sent;
    if (w->trace != NULL)
        trace_sent(w->trace, iov, *put);
    return TENON_OK;
}

void wire_shut(void *user)
{
    wire *w = user;
    shutdown(w->fd, SHUT_WR);
}

uint64_t wire_now(void *user)
{
    struct timespec now;
    (void)user;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int wire_random(void *user, void *out, size_t n)
{
    unsigned char *at = out;
    (void)user;
    while (n > 0) {
        ssize_t got = getrandom(at, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return -1; /* the connection then ends; never a weak key instead */
        at += got;
        n -= (size_t)got;
    }
    return 0;
}

/* --------------------------------------------------------------- connecting */

int wire_prepare(int fd)
{
    int on = 1, flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return -1;
    /* Each burst is one write already; holding it back would only delay it. */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return 0;
}

/* Waits for a connection attempt to end: 0, or -1 and errno. */
static int await(int fd)
{
    struct pollfd ready = {fd, POLLOUT, 0};
    socklen_t size = sizeof(int);
    int error = 0, count;
    do {
        count = poll(&ready, 1, CONNECT_MS);
    } while (count < 0 && errno == EINTR);
    if (count == 0)
        error = ETIMEDOUT;
    else if (count < 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
        return -1;
    errno = error;
    return error == 0 ? 0 : -1;
}

/* Tries one address: a socket, or -1 and errno. */
static int attempt(const struct addrinfo *address)
{
    int error, fd = socket(address->ai_family, address->ai_socktype, address->ai_protocol);
    if (fd < 0)
        return -1;
    if (wire_prepare(fd) == 0 && (connect(fd, address->ai_addr, address->ai_addrlen) == 0 ||
                                  (errno == EINPROGRESS && await(fd) == 0)))
        return fd;
    error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* Tries the addresses of a host one after the other, as RFC 6455, 4.1 asks. */
static int connect_to(const char *host, unsigned port)
{
    struct addrinfo hints, *list, *one;
    char service[8];
    int fd = -1, status;
    memset(&hints, 0, sizeof hints);
    hints.ai_socktype = SOCK_STREAM;
    snprintf(service, sizeof service, "%u", port);
    status = getaddrinfo(host, service, &hints, &list);
    if (status != 0) {
        fprintf(stderr, "%s: %s\n", host, gai_strerror(status));
        return -1;
    }
    for (one = list; one != NULL && fd < 0; one = one->ai_next)
        fd = attempt(one);
    if (fd < 0)
        fprintf(stderr, "%s, port %u: %s\n", host, port, strerror(errno));
    freeaddrinfo(list);
    return fd;
}

int wire_connect(const char *uri)
{
    char host[256];
    tenon_uri parts;
    size_t at = 0;
    if (*uri == '\0' || tenon_uri_parse(uri, 0, &parts, &at) != TENON_OK) {
        fprintf(stderr, "not a ws: URI, from octet %lu on: %s\n", (unsigned long)at, uri);
        return -1;
    }
    if (parts.secure) {
        fprintf(stderr, "wss: needs TLS, which this example does not bring along; use ws:\n");
        return -1;
    }
    if (parts.host.size >= sizeof host) {
        fprintf(stderr, "the name of the host is too long\n");
        return -1;
    }
    memcpy(host, parts.host.data, parts.host.size);
    host[parts.host.size] = '\0';
    return connect_to(host, parts.port);
}

/* ------------------------------------------------------------------ driving */

/* A block of permessage-deflate of so many octets, and more for longer frames. */
static int lend_block(tenon_conn *conn, size_t size, void **block, int (*lend)(tenon_conn *, void *, size_t))
{
    size += 16384;
    *block = malloc(size);
    return *block != NULL && lend(conn, *block, size) == TENON_OK ? 0 : -1;
}

int wire_lend_blocks(tenon_conn *conn, wire_memory *memory)
{
    size_t deflate = tenon_deflate_size(conn), inflate = tenon_inflate_size(conn);
    if (deflate > 0 && lend_block(conn, deflate, &memory->deflate, tenon_lend_deflate) != 0)
        return -1;
    return inflate > 0 ? lend_block(conn, inflate, &memory->inflate, tenon_lend_inflate) : 0;
}

/* A larger rx, as tenon_rx_needed asks. The library copies what the old one holds.
 * Its size is bounded: max_message was checked before. 0, or -1. */
static int grow_rx(tenon_conn *conn, void **rx)
{
    size_t size = tenon_rx_needed(conn);
    void *larger = malloc(size);
    if (larger == NULL || tenon_lend_rx(conn, larger, size) != TENON_OK) {
        free(larger);
        return -1;
    }
    free(*rx);
    *rx = larger;
    return 0;
}

/* Waits until the socket is ready for what the connection wants, or it is time. */
static void wait_ready(const wire *w, const tenon_conn *conn)
{
    uint64_t now = wire_now(NULL), deadline = tenon_deadline(conn);
    uint32_t wants = tenon_wants(conn);
    struct pollfd ready = {w->fd, 0, 0};
    int ms = -1;
    if (wants & TENON_WANTS_READ)
        ready.events |= POLLIN;
    if (wants & (TENON_WANTS_WRITE | TENON_WANTS_NEXT))
        ready.events |= POLLOUT; /* NEXT: go on as soon as it can be written */
    if (deadline != TENON_NEVER)
        ms = deadline <= now ? 0 : deadline - now > 60000 ? 60000 : (int)(deadline - now);
    poll(&ready, 1, ms);
}

int wire_drive(tenon_conn *conn, const tenon_io *io, wire_memory *memory)
{
    for (;;) {
        int status = tenon_pump(conn, io);
        if (status == TENON_DONE || status < 0)
            return status;
        if ((tenon_wants(conn) & TENON_WANTS_RX) == 0)
            wait_ready(io->user, conn);
        else if (grow_rx(conn, &memory->rx) != 0)
            tenon_abort(conn, TENON_LOCAL);
    }
}

void wire_io(tenon_io *io, tenon_event_fn on_event, void *user, void *buf, size_t buf_size)
{
    memset(io, 0, sizeof *io);
    io->size = sizeof *io;
    io->recv = wire_recv;
    io->send = wire_send;
    io->shut = wire_shut;
    io->now = wire_now;
    io->event = on_event;
    io->user = user;
    io->buf = buf;
    io->buf_size = buf_size;
}
