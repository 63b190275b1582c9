/* SPDX-License-Identifier: MIT */
/*
 * Which event may come after those before, as tenon.h tells it: an automaton of what
 * a program can rely on. It looks at nothing but the events.
 *
 *   server:  REQUEST             then OPEN or CLOSED
 *   client:  OPEN, or RESPONSE BODY*, or CLOSED
 *   open:    DATA in its order, PING, PONG, WRITABLE, RELEASED
 *   CLOSE    then RELEASED, CLOSED
 *   CLOSED   then nothing
 */
#ifndef TENON_FUZZ_ORDER_H
#define TENON_FUZZ_ORDER_H

#include "common.h"
#include "tenon/tenon.h"

enum { ORDER_NEW, ORDER_REQUEST, ORDER_RESPONSE, ORDER_OPEN, ORDER_CLOSE, ORDER_CLOSED, ORDER_STATES };

typedef struct order {
    int state;
    int role, chunks, http;
    int drops; /* behind an own Close a message may break off */
    int in_message, in_frame;
    uint8_t opcode;
    uint64_t offset;     /* octets of the message so far */
    uint64_t frame_left; /* of the frame */
    int inflated;        /* DATA is not what frames carried */
    size_t held;         /* references that are not released */
    int received_code;   /* of the CLOSE that was told */
    int opened;
} order;

void order_begin(order *o, const tenon_config *config, int http);
void order_event(order *o, const tenon_event *e);

#endif
