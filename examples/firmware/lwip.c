/* SPDX-License-Identifier: MIT */
/*
 * The wiring to the raw interface of lwIP, for a connection that lwIP has opened or
 * accepted. All of it runs in lwIP's own context, in its callbacks.
 *
 * A pbuf is lent as it is, segment by segment, and freed when the library has used it
 * up. While the program keeps an event (tenon_again) or decides, the pbuf stays, the
 * window of TCP with it: so a slow program slows its peer.
 */
#include <lwip/err.h>
#include <lwip/pbuf.h>
#include <lwip/sys.h>
#include <lwip/tcp.h>
#include "lwip.h"

/* --------------------------------------------------------------------- output */

/* Copies into TCP what it has room for. */
static void flush(lwip_link *c)
{
    tenon_iov piece;
    size_t count = 0;
    while (tenon_out(c->conn, &piece, 1, &count) == TENON_OK && count > 0) {
        size_t room = tcp_sndbuf(c->pcb), n = piece.size < room ? piece.size : room;
        if (n > 0xffff)
            n = 0xffff;
        if (n == 0 || tcp_write(c->pcb, piece.base, (u16_t)n, TCP_WRITE_FLAG_COPY) != ERR_OK)
            break;
        tenon_sent(c->conn, n);
    }
    tcp_output(c->pcb);
}

/* ---------------------------------------------------------------------- input */

/* Lends the next segment, if the one before is used up: 1 if there was one. */
static int lend_segment(lwip_link *c)
{
    struct pbuf *first = c->pending;
    if ((tenon_wants(c->conn) & TENON_WANTS_READ) == 0)
        return 0;
    if (c->lent) {
        tcp_recved(c->pcb, first->len);
        c->pending = pbuf_dechain(first); /* the rest of the chain, or NULL */
        pbuf_free(first);
        c->lent = 0;
        first = c->pending;
    }
    if (first == NULL)
        return 0;
    c->lent = 1;
    return tenon_recv(c->conn, first->payload, first->len) == TENON_OK;
}

/* The connection is over: gives all back. ERR_ABRT if it had to be the hard way. */
static err_t end(lwip_link *c)
{
    struct tcp_pcb *pcb = c->pcb;
    c->pcb = NULL;
    if (c->pending != NULL)
        pbuf_free(c->pending);
    c->pending = NULL;
    if (pcb == NULL)
        return ERR_OK;
    tcp_arg(pcb, NULL);
    tcp_recv(pcb, NULL);
    tcp_sent(pcb, NULL);
    tcp_poll(pcb, NULL, 0);
    tcp_err(pcb, NULL);
    if (tcp_close(pcb) == ERR_OK)
        return ERR_OK;
    tcp_abort(pcb);
    return ERR_ABRT;
}

/* Until nothing moves: events, input, output. ERR_ABRT: the pcb is gone, tell lwIP. */
static err_t work(lwip_link *c)
{
    tenon_tick(c->conn, sys_now());
    do {
        if (tenon_run(c->conn, c->event, c->user) == TENON_DONE)
            return end(c);
        if (c->eof && c->pending == NULL)
            tenon_eof(c->conn);
    } while (lend_segment(c) || (tenon_wants(c->conn) & TENON_WANTS_NEXT) != 0);
    flush(c);
    if ((tenon_wants(c->conn) & TENON_WANTS_SHUT_WR) != 0 && tcp_shutdown(c->pcb, 0, 1) == ERR_OK)
        tenon_shut(c->conn);
    return ERR_OK;
}

/* ------------------------------------------------------------------ callbacks */

static err_t on_recv(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
    lwip_link *c = arg;
    (void)pcb;
    if (err != ERR_OK || p == NULL)
        c->eof = 1;
    else if (c->pending == NULL)
        c->pending = p;
    else
        pbuf_cat(c->pending, p);
    return work(c);
}

static err_t on_sent(void *arg, struct tcp_pcb *pcb, u16_t n)
{
    (void)pcb;
    (void)n;
    return work(arg);
}

/* Every half second: the timers of the library. */
static err_t on_poll(void *arg, struct tcp_pcb *pcb)
{
    (void)pcb;
    return work(arg);
}

/* lwIP has freed the connection. */
static void on_error(void *arg, err_t err)
{
    lwip_link *c = arg;
    (void)err;
    c->pcb = NULL;
    tenon_abort(c->conn, TENON_REMOTE);
    while (tenon_run(c->conn, c->event, c->user) == TENON_STOPPED) {
    }
    end(c);
}

void lwip_link_begin(lwip_link *c, struct tcp_pcb *pcb, tenon_conn *conn, tenon_event_fn event, void *user)
{
    c->pcb = pcb;
    c->conn = conn;
    c->event = event;
    c->user = user;
    c->pending = NULL;
    c->lent = c->eof = 0;
    tcp_arg(pcb, c);
    tcp_recv(pcb, on_recv);
    tcp_sent(pcb, on_sent);
    tcp_poll(pcb, on_poll, 1);
    tcp_err(pcb, on_error);
    tenon_tick(conn, sys_now());
    flush(c);
}

void lwip_link_work(lwip_link *c)
{
    if (c->pcb != NULL)
        work(c);
}
