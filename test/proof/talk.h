/* SPDX-License-Identifier: MIT */
/* A connection that starts open, from tenon_init, and what is done to it. */
#ifndef TENON_PROOF_TALK_H
#define TENON_PROOF_TALK_H

#include "conn.h"
#include "proof.h"

/* ROLE comes from the command line. */
#define MASKED (ROLE == TENON_SERVER)

static uint8_t rx[TENON_RX_MIN], tx[TENON_TX_MIN];
static tenon_storage storage;
static tenon_config config;

/* What must hold: the index is out of bounds if it does not. */
static char must_hold[1];
#define MUST(condition) ((void)must_hold[!(condition)])

static int draw(void *user, void *out, size_t n)
{
    uint8_t *octets = out;
    size_t i;
    (void)user;
    for (i = 0; i < n; i++)
        octets[i] = any_u8;
    return any_int ? 0 : -1;
}

/* Takes events until there is none, and answers each with what a program might do; no
 * more than ten can come of so little input. */
static void listen_to(tenon_conn *conn)
{
    tenon_event event;
    size_t i;
    for (i = 0; i < 10; i++) {
        if (tenon_next(conn, &event) != TENON_EVENT)
            return;
        if (event.type == TENON_EV_DATA && event.size > 0) {
            volatile uint8_t seen = event.data[0];
            seen = event.data[event.size - 1];
        }
    }
    MUST(0);
}

/* Takes what is to be sent, and acknowledges all of it or one octet. */
static void flush(tenon_conn *conn)
{
    tenon_iov iov[2];
    size_t count;
    tenon_out(conn, iov, 2, &count);
    if (count > 0 && iov[0].size > 0) {
        volatile uint8_t seen = ((const uint8_t *)iov[0].base)[0];
        seen = ((const uint8_t *)iov[0].base)[iov[0].size - 1];
        tenon_sent(conn, any_int ? iov[0].size : 1);
    }
}

static tenon_conn *open_one(uint32_t flags)
{
    tenon_conn *conn;
    tenon_event event;
    tenon_config_open(&config, sizeof config, ROLE);
    config.flags = flags;
    config.random = draw;
    if (tenon_init(&storage, sizeof storage, &config, &conn) != TENON_OK)
        over(); /* the analysis knows nothing of alignment */
    MUST(tenon_lend(conn, rx, sizeof rx, tx, sizeof tx) == TENON_OK);
    MUST(tenon_next(conn, &event) == TENON_EVENT && event.type == TENON_EV_OPEN);
    MUST(tenon_next(conn, &event) == TENON_OK);
    return conn;
}

#endif
