/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L

#include "live.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* Room for the heads of the opening handshake. Afterwards the small rx does, but
 * for the time in which a message is assembled. */
#define HEAD_SIZE 16384

/* Least octets of a larger rx: a compressed message does not say how long it gets. */
#define LARGE_MIN 4096

/* Turns out of the queue in one round of the loop. */
#define SOON_MAX 256

#define ACCEPT_MAX 64      /* sockets taken in one go */
#define ACCEPT_REST 0.2    /* seconds without listening, when there are no descriptors */
#define BACKLOG 4096

static void turn(live *l);

/* -------------------------------------------------------------------- queue */

void live_soon(live *l)
{
    live_hub *hub = l->hub;
    if (l->link_soon != NULL)
        return;
    l->next_soon = NULL;
    l->link_soon = hub->soon_end;
    *hub->soon_end = l;
    hub->soon_end = &l->next_soon;
    ev_idle_start(hub->loop, &hub->more);
}

static void leave_queue(live *l)
{
    if (l->link_soon == NULL)
        return;
    *l->link_soon = l->next_soon;
    if (l->next_soon != NULL)
        l->next_soon->link_soon = l->link_soon;
    else
        l->hub->soon_end = l->link_soon;
    l->link_soon = NULL;
}

static void before_waiting(struct ev_loop *loop, ev_prepare *watcher, int events)
{
    live_hub *hub = watcher->data;
    int i;
    (void)events;
    for (i = 0; i < SOON_MAX && hub->soon != NULL; i++)
        turn(hub->soon); /* leaves the queue; may come back to its end */
    if (hub->soon == NULL)
        ev_idle_stop(loop, &hub->more);
}

/* That it runs is all it is for. */
static void on_idle(struct ev_loop *loop, ev_idle *watcher, int events)
{
    (void)loop;
    (void)watcher;
    (void)events;
}

/* ---------------------------------------------------------------- lingering */

struct live_rest {
    lingering last;
    live_hub *hub;
    live_rest *next, **link;
    ev_io ready;
    ev_timer due;
};

static void end_rest(live_rest *rest)
{
    *rest->link = rest->next;
    if (rest->next != NULL)
        rest->next->link = rest->link;
    ev_io_stop(rest->hub->loop, &rest->ready);
    ev_timer_stop(rest->hub->loop, &rest->due);
    close(rest->last.fd);
    free(rest);
}

static void on_rest_ready(struct ev_loop *loop, ev_io *watcher, int events)
{
    live_rest *rest = watcher->data;
    (void)loop;
    (void)events;
    if (!linger_on(&rest->last))
        end_rest(rest);
}

static void on_rest_due(struct ev_loop *loop, ev_timer *watcher, int events)
{
    (void)loop;
    (void)events;
    end_rest(watcher->data);
}

/* What is left of a connection that has ended is its socket, for a while. Without
 * memory for that it is closed now. */
static void leave_socket(live *l)
{
    live_hub *hub = l->hub;
    live_rest *rest;
    lingering last;
    if (!linger_begin(&last, l->conn, l->wire.fd) || (rest = malloc(sizeof *rest)) == NULL) {
        close(l->wire.fd);
        return;
    }
    rest->last = last;
    rest->hub = hub;
    rest->next = hub->rests;
    rest->link = &hub->rests;
    if (rest->next != NULL)
        rest->next->link = &rest->next;
    hub->rests = rest;
    ev_io_init(&rest->ready, on_rest_ready, rest->last.fd, EV_READ);
    ev_timer_init(&rest->due, on_rest_due, LINGER_MS / 1000., 0.);
    rest->ready.data = rest->due.data = rest;
    ev_io_start(hub->loop, &rest->ready);
    ev_timer_start(hub->loop, &rest->due);
}

/* ---------------------------------------------------------------------- hub */

void live_hub_init(live_hub *hub, struct ev_loop *loop, const tenon_deflate *deflate)
{
    memset(hub, 0, sizeof *hub);
    if (deflate != NULL)
        blocks_init(&hub->blocks, deflate);
    hub->loop = loop;
    hub->soon_end = &hub->soon;
    ev_idle_init(&hub->more, on_idle);
    ev_prepare_init(&hub->before, before_waiting);
    hub->before.data = hub;
    ev_prepare_start(loop, &hub->before);
}

void live_hub_free(live_hub *hub)
{
    live_rest *rest;
    ev_prepare_stop(hub->loop, &hub->before);
    ev_idle_stop(hub->loop, &hub->more);
    for (rest = hub->rests; rest != NULL; rest = rest->next)
        linger_hurry(&rest->last);
    while (hub->rests != NULL) {
        linger_out(&hub->rests->last);
        end_rest(hub->rests);
    }
    desk_free(&hub->desks);
    blocks_free(&hub->blocks);
}

/* -------------------------------------------------------------------- turns */

static void end(live *l)
{
    live_hub *hub = l->hub;
    leave_queue(l);
    ev_io_stop(hub->loop, &l->ready);
    ev_timer_stop(hub->loop, &l->due);
    desk_drop(&hub->desks, &l->desk);
    blocks_drop(&hub->blocks, &l->blocks);
    free(l->large);
    l->large = NULL;
    leave_socket(l);
    hub->count--;
    l->on_gone(l);
}

/* A larger rx for the message that is coming in. Its size is bounded: max_message
 * was checked before. 0, or -1. */
static int grow(live *l)
{
    size_t needed = tenon_rx_needed(l->conn), size = needed < LARGE_MIN ? LARGE_MIN : needed;
    void *larger = malloc(size);
    if (larger == NULL || tenon_lend_rx(l->conn, larger, size) != TENON_OK) {
        free(larger);
        return -1;
    }
    free(l->large);
    l->large = larger;
    return 0;
}

/* Memory that the connection has asked for: 1 if there is more to do with it. */
static int lend_more(live *l)
{
    int wants_rx = (tenon_wants(l->conn) & TENON_WANTS_RX) != 0;
    int lent = blocks_lend(&l->hub->blocks, l->conn, &l->blocks);
    if (lent < 0 || (wants_rx && grow(l) != 0)) {
        tenon_abort(l->conn, TENON_LOCAL); /* without memory this one has to go */
        return 1;
    }
    return wants_rx || lent > 0;
}

/* Gives memory back that is not in use now. */
static void shrink(live *l)
{
    blocks_leave(&l->hub->blocks, l->conn, &l->blocks);
    desk_leave(&l->hub->desks, l->conn, &l->desk);
    if (l->large != NULL && tenon_state(l->conn) == TENON_OPEN &&
        tenon_lend_rx(l->conn, l->small, sizeof l->small) == TENON_OK) {
        free(l->large);
        l->large = NULL;
    }
}

/* Tells libev what the connection waits for. A timer that is early enough stays as
 * it is: most are for deadlines that every received octet moves on. */
static void watch(live *l)
{
    struct ev_loop *loop = l->hub->loop;
    uint32_t wants = tenon_wants(l->conn);
    uint64_t now = wire_now(NULL), deadline = tenon_deadline(l->conn);
    int look = 0;
    if (wants & TENON_WANTS_READ)
        look |= EV_READ;
    if (wants & TENON_WANTS_WRITE)
        look |= EV_WRITE;
    if (look != (l->ready.events & (EV_READ | EV_WRITE)) || !ev_is_active(&l->ready)) {
        ev_io_stop(loop, &l->ready);
        ev_io_set(&l->ready, l->wire.fd, look);
        if (look != 0)
            ev_io_start(loop, &l->ready);
    }
    if (deadline != TENON_NEVER) {
        double left = deadline > now ? (double)(deadline - now) / 1000 : 0;
        if (!ev_is_active(&l->due) || ev_timer_remaining(loop, &l->due) > left) {
            ev_timer_stop(loop, &l->due);
            ev_timer_set(&l->due, left, 0.);
            ev_timer_start(loop, &l->due);
        }
    }
}

static int pump(live *l)
{
    static unsigned char none[1]; /* nothing is read into it: without a desk it was aborted */
    tenon_io io;
    if (l->desk != NULL)
        wire_io(&io, l->on_event, l, l->desk->in, sizeof l->desk->in);
    else
        wire_io(&io, l->on_event, l, none, sizeof none);
    return tenon_pump(l->conn, &io);
}

static void turn(live *l)
{
    int status;
    leave_queue(l);
    if (!live_ready(l))
        tenon_abort(l->conn, TENON_LOCAL); /* no memory: this one has to go, the others stay */
    else if (l->on_turn != NULL)
        l->on_turn(l);
    do {
        status = pump(l);
    } while (status >= 0 && status != TENON_DONE && lend_more(l));
    if (status == TENON_DONE) {
        end(l);
        return;
    }
    shrink(l);
    watch(l);
}

static void on_ready(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)loop;
    (void)events;
    turn(watcher->data);
}

static void on_due(struct ev_loop *loop, ev_timer *watcher, int events)
{
    (void)loop;
    (void)events;
    turn(watcher->data);
}

int live_ready(live *l)
{
    return desk_take(&l->hub->desks, l->conn, &l->desk) == 0;
}

void live_abort(live *l)
{
    tenon_abort(l->conn, TENON_LOCAL);
    live_soon(l);
}

int live_start(live *l, live_hub *hub, int fd, const tenon_config *config)
{
    l->hub = hub;
    l->desk = NULL;
    memset(&l->blocks, 0, sizeof l->blocks);
    l->link_soon = NULL;
    l->wire.fd = fd;
    l->large = malloc(HEAD_SIZE);
    ev_io_init(&l->ready, on_ready, fd, 0);
    ev_timer_init(&l->due, on_due, 0., 0.);
    l->ready.data = l->due.data = l;
    if (l->large == NULL || tenon_init(&l->storage, sizeof l->storage, config, &l->conn) != TENON_OK ||
        tenon_lend_rx(l->conn, l->large, HEAD_SIZE) != TENON_OK || !live_ready(l)) {
        desk_drop(&hub->desks, &l->desk);
        free(l->large);
        return -1;
    }
    hub->count++;
    live_soon(l); /* starts its clock; and perhaps the request is here already */
    return 0;
}

/* ---------------------------------------------------------------- listening */

static void on_socket(struct ev_loop *loop, ev_io *watcher, int events)
{
    live_listener *listener = watcher->data;
    int i;
    (void)events;
    for (i = 0; i < ACCEPT_MAX; i++) {
        int fd = accept(watcher->fd, NULL, NULL);
        if (fd >= 0) {
            if (wire_prepare(fd) != 0 || listener->on_socket(listener->user, fd) != 0)
                close(fd);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            /* They go on waiting, and the listener would stay ready. */
            ev_io_stop(loop, &listener->ready);
            ev_timer_set(&listener->rest, ACCEPT_REST, 0.);
            ev_timer_start(loop, &listener->rest);
            return;
        }
        /* Any other error concerns that one client, who is gone already. */
    }
}

static void on_rested(struct ev_loop *loop, ev_timer *watcher, int events)
{
    live_listener *listener = watcher->data;
    (void)events;
    ev_io_start(loop, &listener->ready);
}

int live_listen(live_listener *listener, struct ev_loop *loop, const char *address, unsigned port)
{
    struct sockaddr_in name;
    socklen_t size = sizeof name;
    int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0)
        return -1;
    memset(&name, 0, sizeof name);
    name.sin_family = AF_INET;
    name.sin_port = htons((uint16_t)port);
    errno = EINVAL; /* what inet_pton does not set */
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (inet_pton(AF_INET, address, &name.sin_addr) != 1 || bind(fd, (struct sockaddr *)&name, size) != 0 ||
        listen(fd, BACKLOG) != 0 || wire_prepare(fd) != 0 || getsockname(fd, (struct sockaddr *)&name, &size) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    listener->loop = loop;
    ev_io_init(&listener->ready, on_socket, fd, EV_READ);
    ev_timer_init(&listener->rest, on_rested, 0., 0.);
    listener->ready.data = listener->rest.data = listener;
    ev_io_start(loop, &listener->ready);
    return ntohs(name.sin_port);
}

void live_listen_end(live_listener *listener)
{
    ev_io_stop(listener->loop, &listener->ready);
    ev_timer_stop(listener->loop, &listener->rest);
    close(listener->ready.fd);
}

unsigned long live_raise_files(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return 0;
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    return (unsigned long)files.rlim_cur;
}
