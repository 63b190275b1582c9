/* SPDX-License-Identifier: MIT */
/*
 * What goes over the wire, for people: a line for each head and each frame, like
 *
 *     client -> server  text "hello" (11 octets: 81 85 37 fa 21 3d 5f 9f 4d 51 58)
 *
 * Looks at copies of the octets with the frame layer alone; the connection does
 * not know of it.
 */
#ifndef EXAMPLES_TRACE_H
#define EXAMPLES_TRACE_H

#include <stdio.h>

#include "tenon/frame.h"

/* Octets of a head line or of a frame that are kept for showing. */
#define TRACE_KEPT 80

/* One direction. */
typedef struct trace_side {
    const char *label;
    int phase;
    int is_binary;          /* of the message that a continuation belongs to */
    unsigned line_end;      /* of a head: how much of CR LF CR LF was just seen */
    uint64_t total;         /* octets of the head or frame so far */
    uint64_t payload_left;
    tenon_frame frame;
    size_t kept;
    unsigned char octets[TRACE_KEPT];
} trace_side;

typedef struct trace {
    trace_side received;
    trace_side sent;
} trace;

void trace_init(trace *t, int role); /* TENON_SERVER or TENON_CLIENT: whose socket it is */
void trace_received(trace *t, const void *data, size_t n);
void trace_sent(trace *t, const tenon_iov *iov, size_t n);

/* Prints UTF-8 in quotes; controls, which a terminal might obey, as \xNN. */
void trace_print_text(FILE *out, const unsigned char *text, size_t n);

#endif
