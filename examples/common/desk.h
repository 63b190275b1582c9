/* SPDX-License-Identifier: MIT */
/*
 * Desks: the buffers that a connection needs while it works, and only then.
 *
 * A server with many connections lends one at the beginning of a turn, and takes
 * it back at the end unless octets lie in it. So a connection that waits for its
 * peer costs no buffers, and a few desks serve thousands of connections.
 */
#ifndef EXAMPLES_DESK_H
#define EXAMPLES_DESK_H

#include "tenon/frame.h"

/* One read. All that it can bring about as an echo fits into one tx: a peer's frame
 * carries a key, which the answer does not; but a piece of a frame becomes a frame,
 * with a header of its own, and what does not compress becomes longer. */
#define DESK_IN 32768
#define DESK_TX (2 * DESK_IN)

/* Where compressed messages are inflated, piece by piece. */
#define DESK_RX 16384

typedef struct desk {
    struct desk *next;
    unsigned char in[DESK_IN];
    unsigned char rx[DESK_RX];
    unsigned char tx[DESK_TX];
} desk;

/* Desks that nobody uses. Begin with zeros. */
typedef struct desk_pool {
    desk *spare;
    size_t count;
} desk_pool;

/* Sees to it that *d is a desk, whose tx is lent to conn: 0, or -1 without memory. */
int desk_take(desk_pool *pool, tenon_conn *conn, desk **d);

/* Behind a turn: takes the desk back if nothing lies in it. */
void desk_leave(desk_pool *pool, tenon_conn *conn, desk **d);

/* The connection is over: takes the desk back, if there is one. */
void desk_drop(desk_pool *pool, desk **d);

/* Frees those that nobody uses. */
void desk_free(desk_pool *pool);

#endif
