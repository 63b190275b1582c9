/* SPDX-License-Identifier: MIT */
/* A connection of the leading program itself, driven step by step. */
#ifndef CROWD_LONE_H
#define CROWD_LONE_H

#include <stdint.h>

#include "common/wire.h"

#define LONE_IN 16384
#define LONE_RX 16384
#define LONE_TX 16384

/* How it is opened; zeros do for a member of no chat. */
typedef struct lone_how {
    int is_chat;    /* and says hello */
    int is_silent;  /* answers no pings */
    int is_narrow;  /* with small buffers and segments, as behind a thin line */
    int is_chunked; /* gets pieces of messages as they arrive */
} lone_how;

typedef struct lone {
    wire wire; /* first: the callbacks of wire.h expect it there */
    tenon_conn *conn;
    tenon_config config;
    tenon_request request;
    char authority[32], name[24];
    int is_chat;
    uint64_t welcomes, open, over, texts, lines, pongs; /* counters of what has come */
    uint64_t gaps;           /* lines that were not the next one */
    uint64_t last_line;      /* by the count of who said it; 0: none yet */
    int code, is_clean;      /* how it ended */
    size_t text_size;        /* the last text, as far as there is room */
    char text[256];
    tenon_storage storage;
    unsigned char in[LONE_IN], rx[LONE_RX], tx[LONE_TX];
} lone;

/* Connects and begins: a lone (also if nobody answers), or NULL without a socket.
 * number makes its name and token. */
lone *lone_open(unsigned port, unsigned number, lone_how how);

/* One turn, which waits for nothing. */
void lone_turn(lone *l);

/* Turns until a counter of it has come up to a number: 0; or -1 if it ended before, or
 * the time is over. */
int lone_until(lone *l, const uint64_t *counter, uint64_t number, int ms);

/* Sends a text, or says a line of so many octets. 0, or -1. */
int lone_send(lone *l, const char *text);
int lone_say(lone *l, uint64_t k, size_t size);

/* Closes its socket, by RST; NULL is legal. */
void lone_free(lone *l);

#endif
