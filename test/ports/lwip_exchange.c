/* SPDX-License-Identifier: MIT */
/*
 * The wiring of examples/firmware/lwip.c: a client and a server in one lwIP, on an
 * interface that leads back to itself. Messages that do not fit into one segment, each
 * echoed; then the closing handshake. 0 if all came as it should.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <lwip/ip.h>
#include <lwip/netif.h>
#include <lwip/tcp.h>
#include <lwip/tcpip.h>
#include "lwip.h"

#define PORT 9001
#define MESSAGES 12
#define STEP 700

typedef struct side {
    tenon_config config;
    tenon_storage storage;
    tenon_conn *conn;
    lwip_link link;
    unsigned char rx[16384], tx[16384];
    volatile int closed;
} side;

static side server, client;
static unsigned char message[MESSAGES * STEP];
static unsigned echoed;
static volatile int trouble;

static int not_random(void *user, void *out, size_t n)
{
    (void)user;
    memset(out, 0x5a, n);
    return 0;
}

static void send_next(tenon_conn *conn)
{
    memset(message, (int)('a' + echoed), echoed * STEP);
    if (tenon_send(conn, TENON_TEXT, message, echoed * STEP, 0) != TENON_OK)
        trouble = 1;
}

static int on_event(tenon_conn *conn, const tenon_event *e, void *user)
{
    side *s = user;
    if (e->type == TENON_EV_REQUEST && tenon_accept(conn, NULL) != TENON_OK)
        trouble = 2;
    if (e->type == TENON_EV_OPEN && s == &client)
        send_next(conn);
    if (e->type == TENON_EV_DATA && s == &server && tenon_send(conn, e->opcode, e->data, e->size, 0) != TENON_OK)
        trouble = 3;
    if (e->type == TENON_EV_DATA && s == &client) {
        if (e->size != echoed * STEP || memcmp(e->data, message, e->size) != 0)
            trouble = 4;
        if (++echoed < MESSAGES)
            send_next(conn);
        else
            tenon_close(conn, TENON_CLOSE_NORMAL, NULL, 0);
    }
    if (e->type == TENON_EV_CLOSED) {
        if (e->code != TENON_CLOSE_NORMAL || e->rule != TENON_RULE_NONE || (e->flags & TENON_CLEAN) == 0)
            trouble = 5;
        s->closed = 1;
    }
    return TENON_CONTINUE;
}

static void make(side *s)
{
    if (s == &client)
        tenon_config_client(&s->config, sizeof s->config);
    else
        tenon_config_server(&s->config, sizeof s->config);
    s->config.random = not_random;
    if (tenon_init(&s->storage, sizeof s->storage, &s->config, &s->conn) != TENON_OK ||
        tenon_lend(s->conn, s->rx, sizeof s->rx, s->tx, sizeof s->tx) != TENON_OK)
        trouble = 6;
}

static err_t on_accept(void *arg, struct tcp_pcb *pcb, err_t err)
{
    (void)arg;
    (void)err;
    make(&server);
    lwip_link_begin(&server.link, pcb, server.conn, on_event, &server);
    return ERR_OK;
}

static err_t on_connected(void *arg, struct tcp_pcb *pcb, err_t err)
{
    static tenon_request request;
    (void)arg;
    (void)err;
    make(&client);
    request.size = (uint32_t)sizeof request;
    request.authority = "lwip.example";
    if (tenon_connect(client.conn, &request) != TENON_OK)
        trouble = 7;
    lwip_link_begin(&client.link, pcb, client.conn, on_event, &client);
    return ERR_OK;
}

static err_t no_output(struct netif *netif, struct pbuf *p, const ip4_addr_t *to)
{
    (void)netif;
    (void)p;
    (void)to;
    return ERR_OK;
}

static err_t init_netif(struct netif *netif)
{
    netif->output = no_output;
    netif->mtu = 1500;
    return ERR_OK;
}

/* In the thread of lwIP. */
static void begin(void *arg)
{
    static struct netif netif;
    struct tcp_pcb *listener = tcp_new(), *pcb = tcp_new();
    ip4_addr_t address, mask, gateway;
    ip_addr_t to;
    (void)arg;
    IP4_ADDR(&address, 10, 0, 0, 1);
    IP4_ADDR(&mask, 255, 255, 255, 0);
    IP4_ADDR(&gateway, 10, 0, 0, 1);
    netif_add(&netif, &address, &mask, &gateway, NULL, init_netif, tcpip_input);
    netif_set_default(&netif);
    netif_set_link_up(&netif);
    netif_set_up(&netif);
    IP_ADDR4(&to, 10, 0, 0, 1);
    if (tcp_bind(listener, &to, PORT) != ERR_OK)
        trouble = 8;
    listener = tcp_listen(listener);
    tcp_accept(listener, on_accept);
    if (tcp_connect(pcb, &to, PORT, on_connected) != ERR_OK)
        trouble = 9;
}

int main(void)
{
    int i;
    tcpip_init(begin, NULL);
    for (i = 0; i < 1000 && trouble == 0 && !(client.closed && server.closed); i++)
        usleep(10000);
    printf("%u messages, trouble %d\n", echoed, trouble);
    return trouble == 0 && client.closed && server.closed && echoed == MESSAGES ? 0 : 1;
}
