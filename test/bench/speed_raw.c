/* SPDX-License-Identifier: MIT */
/*
 * The limit of an echo server: one thread on epoll that receives and sends the same
 * number of octets, and understands none of them.
 *
 *   speed_raw IN OUT      for each IN octets of a connection sends OUT octets, for a
 *                         client's frame is four octets longer than its echo
 *
 * Listens on 127.0.0.1 at a free port. What is complete after one read is answered with
 * one write. No handshake. Ends itself after ten minutes.
 */
#define _GNU_SOURCE

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define FILES_MAX 65536
#define EVENTS_MAX 256
#define SECONDS_MAX 600

typedef struct raw {
    int poll_fd, listen_fd;
    size_t in, out;
    size_t got[FILES_MAX]; /* octets of an IN that is not complete, by descriptor */
    char octets[1 << 20];
} raw;

static int add(raw *r, int fd)
{
    struct epoll_event event;
    memset(&event, 0, sizeof event);
    event.events = EPOLLIN;
    event.data.fd = fd;
    return epoll_ctl(r->poll_fd, EPOLL_CTL_ADD, fd, &event);
}

static void accept_all(raw *r)
{
    int fd, on = 1;
    while ((fd = accept4(r->listen_fd, NULL, NULL, 0)) >= 0) {
        if (fd >= FILES_MAX || add(r, fd) != 0) {
            close(fd);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        r->got[fd] = 0;
    }
}

static void turn(raw *r, int fd)
{
    ssize_t n = recv(fd, r->octets, 65536, 0);
    size_t total, left;
    if (n <= 0) {
        close(fd);
        return;
    }
    total = r->got[fd] + (size_t)n;
    r->got[fd] = total % r->in;
    for (left = total / r->in * r->out; left > 0; left -= (size_t)n) {
        n = send(fd, r->octets, left < sizeof r->octets ? left : sizeof r->octets, MSG_NOSIGNAL);
        if (n <= 0)
            return; /* the next read tells */
    }
}

static int set_up(raw *r)
{
    struct rlimit files;
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    r->poll_fd = epoll_create1(0);
    r->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (bind(r->listen_fd, (struct sockaddr *)&address, size) != 0 || listen(r->listen_fd, 4096) != 0 ||
        getsockname(r->listen_fd, (struct sockaddr *)&address, &size) != 0 || add(r, r->listen_fd) != 0)
        return -1;
    printf("listening on 127.0.0.1:%u\n", (unsigned)ntohs(address.sin_port));
    fflush(stdout);
    return 0;
}

int main(int argc, char **argv)
{
    static raw r;
    struct epoll_event events[EVENTS_MAX];
    r.in = argc == 3 ? (size_t)atol(argv[1]) : 0;
    r.out = argc == 3 ? (size_t)atol(argv[2]) : 0;
    if (r.in == 0 || r.out == 0 || set_up(&r) != 0) {
        fprintf(stderr, "usage: speed_raw IN OUT\n");
        return 2;
    }
    alarm(SECONDS_MAX);
    for (;;) {
        int i, count = epoll_wait(r.poll_fd, events, EVENTS_MAX, -1);
        for (i = 0; i < count; i++) {
            if (events[i].data.fd == r.listen_fd)
                accept_all(&r);
            else
                turn(&r, events[i].data.fd);
        }
    }
}
