/* SPDX-License-Identifier: MIT */
/* One connection floods the server, others ask for pongs: how long do they wait? */
#ifndef CROWD_FLOOD_H
#define CROWD_FLOOD_H

#include <stdint.h>

#include "server.h"

#define FLOOD_OTHERS 64 /* who send pings */
#define FLOOD_FILES (FLOOD_OTHERS + 1)
#define FLOOD_ROUNDS 16 /* with the server stopped and let go on */
#define FLOOD_PINGS 256 /* while it runs, without and with the flood */

/*
 * A turn of the server is at most one read of 32 KiB for each connection that is ready.
 * What it may echo of the flood behind the arrival of a ping and before its pong: the
 * rest of the batch that it is in (one read), the flooder's turn in the next batch (one
 * read), what of an echo waited in its queue (one read); and the flooder looks for
 * pongs before each of its own reads of FLOOD_STEP.
 */
#define FLOOD_STEP 8192
#define FLOOD_TURN 32768
#define FLOOD_BOUND (3 * FLOOD_TURN + 2 * FLOOD_STEP)

typedef struct flood_result {
    uint32_t quiet[FLOOD_PINGS], loud[FLOOD_PINGS];    /* microseconds from ping to pong */
    uint32_t octets[FLOOD_ROUNDS * FLOOD_OTHERS];      /* of the flood, from ping to pong */
    uint64_t echoed;                                   /* octets of the flood in all */
    uint32_t filled;                                   /* least octets that waited for the server when it went on */
    const char *failed;                                /* what went wrong, or NULL */
} flood_result;

/* Runs it; s runs an echo_server. number: for the names of its connections. */
void flood_run(const server *s, flood_result *result);

#endif
