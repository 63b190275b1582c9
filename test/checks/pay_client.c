/* SPDX-License-Identifier: MIT */
/* A client over HTTP/1.1 that asks. */
#include "pay.h"

static tenon_config config;
static tenon_storage storage;
static unsigned char rx[4096], tx[4096];

static int on_random(void *user, void *out, size_t n)
{
    size_t i;
    (void)user;
    for (i = 0; i < n; i++)
        ((unsigned char *)out)[i] = (unsigned char)i;
    return 0;
}

int main(void)
{
    static unsigned char answer[] = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
    tenon_request request = { 0 };
    tenon_conn *conn;
    tenon_event event;
    tenon_iov iov;
    size_t count = 0;
    int told = 0;

    request.size = sizeof request;
    request.uri = "ws://localhost/";
    if (tenon_config_client(&config, sizeof config) != TENON_OK || !compressed(&config))
        return 1;
    config.random = on_random;
    if (tenon_init(&storage, sizeof storage, &config, &conn) != TENON_OK ||
        tenon_lend(conn, rx, sizeof rx, tx, sizeof tx) != TENON_OK || tenon_connect(conn, &request) != TENON_OK ||
        tenon_out(conn, &iov, 1, &count) != TENON_OK || count == 0 || tenon_sent(conn, iov.size) != TENON_OK ||
        tenon_recv(conn, answer, sizeof answer - 1) != TENON_OK)
        return 1;
    while (tenon_next(conn, &event) == TENON_EVENT)
        told |= event.type == TENON_EV_RESPONSE;
    return told ? 0 : 1;
}
