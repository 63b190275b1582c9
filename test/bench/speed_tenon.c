/* SPDX-License-Identifier: MIT */
/*
 * tenon as a contender. Its limits and checks are on, as they are by default; only the
 * longest message is longer.
 */
#include <stdlib.h>
#include <string.h>

#include "cpu.h"
#include "speed.h"
#include "tenon/frame.h"

#define MESSAGE_MAX (16u << 20)
#define TX_SIZE (2 * CUT_MAX + 1024) /* a frame that is masked through it may take half of it */

int speed_use_kernel(const char *name)
{
    const tenon_kernels *kernels;
    size_t i = 0;
    do {
        kernels = tenon_cpu_list(i++);
        if (name == NULL || strcmp(name, kernels == NULL ? "none" : kernels->name) == 0) {
            tenon_cpu_use(kernels);
            return 0;
        }
    } while (kernels != NULL);
    return -1;
}

static int cheap_random(void *user, void *out, size_t n)
{
    static uint32_t seed = 1;
    uint8_t *to = out;
    (void)user;
    while (n > 0) {
        uint32_t four = speed_random(&seed);
        size_t k = n < 4 ? n : 4;
        memcpy(to, &four, k);
        to += k;
        n -= k;
    }
    return 0;
}

/* --------------------------------------------------------------- connections */

typedef struct open_conn {
    tenon_config config;
    tenon_storage storage;
    tenon_conn *conn;
} open_conn;

/* A connection that is open already: 0, or -1. tx: TX_SIZE octets. */
static int begin_with(open_conn *o, int role, uint32_t flags, uint8_t *tx)
{
    static uint8_t *rx;
    size_t rx_size = MESSAGE_MAX + TENON_RX_RESERVE;
    tenon_event event;
    if (rx == NULL && (rx = malloc(rx_size)) == NULL)
        return -1;
    if (tenon_config_open(&o->config, sizeof o->config, role) != TENON_OK)
        return -1;
    o->config.random = cheap_random;
    o->config.flags = flags;
    o->config.max_message = MESSAGE_MAX;
    if (tenon_init(&o->storage, sizeof o->storage, &o->config, &o->conn) != TENON_OK ||
        tenon_lend(o->conn, rx, rx_size, tx, TX_SIZE) != TENON_OK)
        return -1;
    return tenon_next(o->conn, &event) == TENON_EVENT && event.type == TENON_EV_OPEN ? 0 : -1;
}

static int begin(open_conn *o, int role, uint32_t flags)
{
    static uint8_t tx[TX_SIZE];
    return begin_with(o, role, flags, tx);
}

/* ----------------------------------------------------------------- receiving */

/* All events of what was lent: 0, or -1. */
static int take_events(tenon_conn *conn, job *j)
{
    tenon_event event;
    while (tenon_next(conn, &event) == TENON_EVENT) {
        if (event.type != TENON_EV_DATA)
            return -1;
        speed_take(j, event.data, event.size, (event.flags & TENON_LAST) != 0);
    }
    return 0;
}

static int on_event(tenon_conn *conn, const tenon_event *event, void *user)
{
    (void)conn;
    if (event->type != TENON_EV_DATA)
        return TENON_STOP;
    speed_take(user, event->data, event->size, (event->flags & TENON_LAST) != 0);
    return TENON_CONTINUE;
}

static int call_back(tenon_conn *conn, job *j)
{
    return tenon_run(conn, on_event, j) == TENON_OK ? 0 : -1;
}

static inline int receive(job *j, uint32_t flags, int (*deliver)(tenon_conn *, job *))
{
    static uint8_t in[CUT_MAX];
    open_conn o;
    size_t at, n;
    if (begin(&o, TENON_SERVER, flags) != 0)
        return -1;
    for (at = 0; at < j->in_size; at += n) {
        n = speed_piece(j->in_size - at, j->cut);
        memcpy(in, j->in + at, n);
        if (tenon_recv(o.conn, in, n) != TENON_OK || deliver(o.conn, j) != 0)
            return -1;
    }
    return 0;
}

static int decode(job *j)
{
    return receive(j, 0, take_events);
}

static int decode_run(job *j)
{
    return receive(j, 0, call_back);
}

static int decode_pieces(job *j)
{
    return receive(j, TENON_CHUNKS, take_events);
}

/* ------------------------------------------------------------------- sending */

/* Writes all that is queued: octets, or -1. */
static long write_all(tenon_conn *conn, job *j)
{
    tenon_iov pieces[4];
    size_t count, i, at = 0;
    do {
        size_t before = at;
        if (tenon_out(conn, pieces, 4, &count) != TENON_OK || count == 0)
            return -1;
        for (i = 0; i < count; at += pieces[i++].size)
            if (pieces[i].base != j->out + at) /* unless tx is where it is wanted */
                memcpy(j->out + at, pieces[i].base, pieces[i].size);
        if (tenon_sent(conn, at - before) != TENON_OK)
            return -1;
    } while (tenon_queued(conn) > 0);
    j->out_size = at;
    return (long)at;
}

/* The memory of a reference comes back. */
static int take_released(tenon_conn *conn)
{
    tenon_event event;
    return tenon_next(conn, &event) == TENON_EVENT && event.type == TENON_EV_RELEASED ? 0 : -1;
}

/* tx is lent where the frames are wanted, as one would with memory that a transport
 * takes them from; it begins anew with each frame that is written whole. */
static int encode(job *j)
{
    open_conn o;
    size_t i;
    if (begin_with(&o, j->is_client ? TENON_CLIENT : TENON_SERVER, 0, j->out) != 0)
        return -1;
    for (i = 0; i < j->count; i++)
        if (tenon_send(o.conn, TENON_BINARY, j->in, j->in_size, 0) != TENON_OK || write_all(o.conn, j) < 0)
            return -1;
    return 0;
}

static int encode_reference(job *j)
{
    open_conn o;
    size_t i;
    if (begin(&o, j->is_client ? TENON_CLIENT : TENON_SERVER, 0) != 0)
        return -1;
    for (i = 0; i < j->count; i++)
        if (tenon_send_ref(o.conn, TENON_BINARY, j->in, j->in_size, 0, NULL) != TENON_OK ||
            write_all(o.conn, j) < 0 || take_released(o.conn) != 0)
            return -1;
    return 0;
}

static int encode_prepared(job *j)
{
    open_conn o;
    tenon_prepared prepared;
    size_t i;
    if (begin(&o, j->is_client ? TENON_CLIENT : TENON_SERVER, 0) != 0 ||
        tenon_prepare(&prepared, sizeof prepared, TENON_BINARY, j->in, j->in_size, 0) != TENON_OK)
        return -1;
    for (i = 0; i < j->count; i++)
        if (tenon_send_prepared(o.conn, &prepared, TENON_COPY, NULL) != TENON_OK || write_all(o.conn, j) < 0)
            return -1;
    return 0;
}

/* ----------------------------------------------------------------- handshake */

static int accept_one(const tenon_config *config, job *j)
{
    static uint8_t in[4096], rx[4096], tx[4096];
    tenon_storage storage;
    tenon_event event;
    tenon_conn *conn;
    memcpy(in, j->in, j->in_size);
    if (tenon_init(&storage, sizeof storage, config, &conn) != TENON_OK ||
        tenon_lend(conn, rx, sizeof rx, tx, sizeof tx) != TENON_OK || tenon_recv(conn, in, j->in_size) != TENON_OK)
        return -1;
    while (tenon_next(conn, &event) == TENON_EVENT)
        if (event.type == TENON_EV_REQUEST && tenon_accept(conn, NULL) != TENON_OK)
            return -1;
    return write_all(conn, j) > 0 && tenon_state(conn) == TENON_OPEN ? 0 : -1;
}

static int handshake(job *j)
{
    tenon_config config;
    size_t i;
    if (tenon_config_server(&config, sizeof config) != TENON_OK)
        return -1;
    for (i = 0; i < j->count; i++)
        if (accept_one(&config, j) != 0)
            return -1;
    return 0;
}

/* ------------------------------------------------------------------- kernels */

static int mask(job *j)
{
    size_t i;
    for (i = 0; i < j->count; i++)
        tenon_mask(j->out, j->out, j->out_size, j->key, 0);
    return 0;
}

static int check_once(const job *j)
{
    tenon_utf8 state = {0, 0, 0, 0};
    size_t at, n;
    for (at = 0; at < j->in_size; at += n) {
        n = speed_piece(j->in_size - at, j->cut);
        if (tenon_utf8_check(&state, j->in + at, n) != n)
            return -1;
    }
    return state.need == 0 ? 0 : -1;
}

static int check(job *j)
{
    size_t i;
    int bad = 0;
    for (i = 0; i < j->count; i++)
        bad |= check_once(j);
    return bad;
}

static int both(job *j)
{
    size_t i, n = j->in_size;
    for (i = 0; i < j->count; i++) {
        tenon_utf8 state = {0, 0, 0, 0};
        if (tenon_mask_utf8(j->out, j->in, n, j->key, 0, &state) != n || state.need != 0)
            return -1;
    }
    return 0;
}

static int both_apart(job *j)
{
    size_t i, n = j->in_size;
    for (i = 0; i < j->count; i++) {
        tenon_utf8 state = {0, 0, 0, 0};
        tenon_mask(j->out, j->in, n, j->key, 0);
        if (tenon_utf8_check(&state, j->out, n) != n || state.need != 0)
            return -1;
    }
    return 0;
}

#define WITH_KERNELS(kind, run) \
    {"tenon", kind, run, NULL, 0}, {"tenon, AVX2", kind, run, "avx2", 0}, {"tenon, SSSE3", kind, run, "ssse3", 0}, \
        {"tenon, NEON", kind, run, "neon", 0}, {"tenon, plain C", kind, run, "none", 0}

const contender speed_tenon[] = {
    WITH_KERNELS(DECODE, decode),
    {"tenon, tenon_run", DECODE, decode_run, NULL, 0},
    {"tenon, pieces", DECODE, decode_pieces, NULL, 0},
    {"tenon", ENCODE, encode, NULL, 0},
    {"tenon, by reference", ENCODE, encode_reference, NULL, 0},
    {"tenon, prepared", ENCODE, encode_prepared, NULL, 0},
    {"tenon", HANDSHAKE, handshake, NULL, 0},
    WITH_KERNELS(MASK, mask),
    WITH_KERNELS(CHECK, check),
    WITH_KERNELS(BOTH, both),
    {"tenon, one after the other", BOTH, both_apart, NULL, 0},
    {NULL, 0, NULL, NULL, 0},
};
