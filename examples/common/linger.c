/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L

#include "linger.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "wire.h"

#define READ_MAX 65536

/* An aborted connection is to end now, or its transport is gone. */
static int is_due(const tenon_conn *conn)
{
    tenon_event closed;
    return tenon_ending(conn, &closed) == TENON_EVENT && closed.sent_code != 0 && closed.rule != TENON_RULE_ABORT;
}

int linger_begin(lingering *l, const tenon_conn *conn, int fd)
{
    if (!is_due(conn) || shutdown(fd, SHUT_WR) != 0)
        return 0;
    l->fd = fd;
    l->left = LINGER_OCTETS;
    l->until = wire_now(NULL) + LINGER_MS;
    return linger_on(l);
}

int linger_on(lingering *l)
{
    static unsigned char rubbish[READ_MAX];
    ssize_t count = recv(l->fd, rubbish, l->left < READ_MAX ? l->left : READ_MAX, 0);
    if (count < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
        return 0;
    if (count == 0)
        return 0;
    if (count > 0)
        l->left -= (size_t)count;
    return l->left > 0 && wire_now(NULL) < l->until;
}

void linger_hurry(lingering *l)
{
    uint64_t until = wire_now(NULL) + LINGER_LAST_MS;
    if (until < l->until)
        l->until = until;
}

void linger_out(lingering *l)
{
    struct pollfd ready = {l->fd, POLLIN, 0};
    do {
        uint64_t now = wire_now(NULL);
        poll(&ready, 1, now < l->until ? (int)(l->until - now) : 0);
    } while (linger_on(l));
}
