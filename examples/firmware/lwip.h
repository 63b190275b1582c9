/* SPDX-License-Identifier: MIT */
/* A connection on TCP of lwIP, by its raw interface; client or server. */
#ifndef LWIP_LINK_H
#define LWIP_LINK_H

#include "tenon/tenon.h"

struct pbuf;
struct tcp_pcb;

/* Memory of the program; private, and used until CLOSED was delivered. */
typedef struct lwip_link {
    struct tcp_pcb *pcb;
    tenon_conn *conn;
    tenon_event_fn event;
    void *user;
    struct pbuf *pending; /* received, and not used up */
    int lent;             /* its first segment is with the library */
    int eof;
} lwip_link;

/*
 * In the callback of lwIP that tells of the connection, connected or accepted: takes
 * it over. conn: made, with buffers lent; a client has called tenon_connect.
 */
void lwip_link_begin(lwip_link *c, struct tcp_pcb *pcb, tenon_conn *conn, tenon_event_fn event, void *user);

/* Behind what the program has sent from outside of its event callback. */
void lwip_link_work(lwip_link *c);

#endif
