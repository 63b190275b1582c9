/* SPDX-License-Identifier: MIT */
/*
 * A non-blocking stream socket behind the callbacks of a tenon_io, for POSIX.
 * The user pointer of the tenon_io is a struct that begins with a wire.
 */
#ifndef EXAMPLES_WIRE_H
#define EXAMPLES_WIRE_H

#include "tenon/handshake.h"

struct trace;

typedef struct wire {
    int fd;
    struct trace *trace; /* told of every octet that passes, or NULL */
} wire;

/* The transport of a tenon_io: recv, send, shut. */
int wire_recv(void *user, void *buf, size_t n, size_t *got);
int wire_send(void *user, const tenon_iov *iov, size_t count, size_t *put);
void wire_shut(void *user);

/* Fills *io with these, a clock, and what is the program's own. */
void wire_io(tenon_io *io, tenon_event_fn on_event, void *user, void *buf, size_t buf_size);

/* Milliseconds on a clock that never goes back; user is not used. */
uint64_t wire_now(void *user);

/* The tenon_random_fn: from the kernel. */
int wire_random(void *user, void *out, size_t n);

/* Makes fd non-blocking and quick to send. 0, or -1. */
int wire_prepare(int fd);

/* Parses a ws: URI and connects to its host, within ten seconds for each of its
 * addresses. A socket ready for a tenon_io, or -1 after a message on stderr. */
int wire_connect(const char *uri);

/* Memory that a client's connection has besides its tx, all from malloc. */
typedef struct wire_memory {
    void *rx;      /* lent already */
    void *deflate; /* blocks of permessage-deflate, or NULL */
    void *inflate;
} wire_memory;

/* Lends the blocks that permessage-deflate needs, if it was agreed on: for the OPEN
 * event. 0, or -1 without memory. */
int wire_lend_blocks(tenon_conn *conn, wire_memory *memory);

/* Pumps a client's connection until CLOSED was delivered. Lends a larger rx when a
 * message needs one. TENON_DONE, or an error of tenon_pump. */
int wire_drive(tenon_conn *conn, const tenon_io *io, wire_memory *memory);

#endif
