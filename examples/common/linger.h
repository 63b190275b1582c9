/* SPDX-License-Identifier: MIT */
/*
 * The last moment of a server's connection (RFC 6455, 7.1.1).
 *
 * A socket that is closed while octets of the peer lie unread in it, or are still on
 * their way to it, answers them with a reset. A reset takes with it what the peer has
 * not got yet: the Close, perhaps, which says why. So behind CLOSED the server ends
 * its own side only, and throws away what still comes until the peer ends his: not
 * for long, and not much of it.
 */
#ifndef EXAMPLES_LINGER_H
#define EXAMPLES_LINGER_H

#include "tenon/tenon.h"

/* Long enough for a round trip to anywhere. */
#define LINGER_MS 2000

/* When the program ends. Most peers end at once, and who does not has been told why. */
#define LINGER_LAST_MS 500

/* More than a peer's system and this one's have in their buffers at once. */
#define LINGER_OCTETS ((size_t)16 << 20)

typedef struct lingering {
    int fd;
    size_t left;    /* octets that may still come */
    uint64_t until; /* by wire_now */
} lingering;

/*
 * For a connection that CLOSED was delivered of: shuts the sending side of its socket.
 * 1: call linger_on when there is something to read, and at until. 0: there is nothing
 * to wait for, close it now, for no Close was sent or the peer has ended.
 */
int linger_begin(lingering *l, const tenon_conn *conn, int fd);

/* Reads once and throws it away: 1, or 0 when it is over. */
int linger_on(lingering *l);

/* The program ends: it is over in LINGER_LAST_MS at the latest. */
void linger_hurry(lingering *l);

/* Waits until it is over. */
void linger_out(lingering *l);

#endif
