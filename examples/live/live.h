/* SPDX-License-Identifier: MIT */
/*
 * Connections of tenon on libev: one thread, as many as the system gives.
 *
 *   hub    what they share: the loop, the desks, the queue of those to look at soon
 *   live   one connection: its socket, its timer, its memory
 *
 * A program embeds a live as the first member of its own struct, starts it with a
 * connected socket, and answers events. From outside of a connection's own events
 * it sends, closes or aborts like this:
 *
 *   if (live_ready(l)) tenon_send(l->conn, ...);   then   live_soon(l);
 */
#ifndef EXAMPLES_LIVE_H
#define EXAMPLES_LIVE_H

#include <ev.h>

#include "common/blocks.h"
#include "common/desk.h"
#include "common/linger.h"
#include "common/wire.h"

typedef struct live live;
typedef struct live_rest live_rest;

typedef struct live_hub {
    struct ev_loop *loop;
    desk_pool desks;
    block_pool blocks;        /* of permessage-deflate */
    size_t count;             /* connections started and not gone */
    live_rest *rests;         /* sockets of those that are gone, which linger (common/linger.h) */
    live *soon, **soon_end;   /* a queue */
    ev_prepare before;        /* runs the queue before the loop waits */
    ev_idle more;             /* keeps the loop from waiting while there is a queue */
} live_hub;

struct live {
    wire wire;                /* first: the callbacks of wire.h expect it there */
    live_hub *hub;
    tenon_conn *conn;
    tenon_event_fn on_event;  /* user: this live */
    void (*on_turn)(live *l); /* at the beginning of each turn, when it can send; or NULL */
    void (*on_gone)(live *l); /* CLOSED was delivered, the socket is not the live's any more: free it */
    desk *desk;
    blocks blocks;
    void *large;              /* rx when the small one does not do, from malloc */
    live *next_soon, **link_soon;
    ev_io ready;
    ev_timer due;
    tenon_storage storage;
    unsigned char small[TENON_RX_MIN];
};

/* deflate: what the configs of its connections were given, or NULL. */
void live_hub_init(live_hub *hub, struct ev_loop *loop, const tenon_deflate *deflate);

/* When all connections are gone. Waits for what lingers: LINGER_LAST_MS at most. */
void live_hub_free(live_hub *hub);

/*
 * Begins with a connected socket, which is then the live's. Set on_event, on_gone
 * and, if you like, on_turn and wire.trace before; the rest need not be zero. A
 * client calls tenon_connect next, then live_soon. config is borrowed. 0, or -1
 * without memory: the socket is still yours then.
 */
int live_start(live *l, live_hub *hub, int fd, const tenon_config *config);

/* Whether it can be sent to: gives it a desk. Without memory for one, 0. */
int live_ready(live *l);

/*
 * A turn before the loop waits again, or in one of its next rounds when many ask
 * for one: no crowd keeps the others waiting for long. Callable from anywhere.
 * An event that was answered with TENON_AGAIN comes again in the next turn; who
 * waits for something else than room in its own queue says live_soon then.
 */
void live_soon(live *l);

/* Ends it from outside: CLOSED comes in its next turn, soon. */
void live_abort(live *l);

/*
 * Listens on an address ("127.0.0.1") and a port, 0 for a free one, and gives each
 * accepted socket to on_socket, which returns 0, or -1 to have it closed. Without
 * descriptors it rests for a moment. live_listen: the port, or -1 and errno.
 */
typedef struct live_listener {
    ev_io ready;
    ev_timer rest;
    struct ev_loop *loop;
    int (*on_socket)(void *user, int fd);
    void *user;
} live_listener;

int live_listen(live_listener *listener, struct ev_loop *loop, const char *address, unsigned port);
void live_listen_end(live_listener *listener);

/* As many open files as the system lets this process have; returns how many. */
unsigned long live_raise_files(void);

#endif
