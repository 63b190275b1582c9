/* SPDX-License-Identifier: MIT */
/* Two copies of the library in one image, and in one source file: the client of one
 * and the server of the other talk through memory. */
#include "one/tenon.h"
#include "two/tenon.h"

#include <stdio.h>
#include <string.h>

static one_tenon_config client_config;
static two_tenon_config server_config;
static one_tenon_storage client_storage;
static two_tenon_storage server_storage;
static unsigned char client_rx[4096], client_tx[4096], server_rx[4096], server_tx[4096], wire[4096];
static int echoed, client_code, server_code;

static int on_random(void *user, void *out, size_t n)
{
    (void)user;
    memset(out, 0x5a, n);
    return 0;
}

static void client_events(one_tenon_conn *conn)
{
    one_tenon_event event;
    while (one_tenon_next(conn, &event) == ONE_TENON_EVENT) {
        if (event.type == ONE_TENON_EV_OPEN)
            one_tenon_send(conn, ONE_TENON_TEXT, "hello", 5, 0);
        if (event.type == ONE_TENON_EV_DATA) {
            echoed = event.size == 5 && memcmp(event.data, "hello", 5) == 0;
            one_tenon_close(conn, ONE_TENON_CLOSE_NORMAL, NULL, 0);
        }
        if (event.type == ONE_TENON_EV_CLOSED)
            client_code = event.code;
    }
}

static void server_events(two_tenon_conn *conn)
{
    two_tenon_event event;
    while (two_tenon_next(conn, &event) == TWO_TENON_EVENT) {
        if (event.type == TWO_TENON_EV_REQUEST)
            two_tenon_accept(conn, NULL);
        if (event.type == TWO_TENON_EV_DATA)
            two_tenon_send(conn, event.opcode, event.data, event.size, 0);
        if (event.type == TWO_TENON_EV_CLOSED)
            server_code = event.code;
    }
}

static void turn(one_tenon_conn *client, two_tenon_conn *server)
{
    one_tenon_iov there;
    two_tenon_iov back;
    size_t count;
    while (one_tenon_out(client, &there, 1, &count) == ONE_TENON_OK && count > 0) {
        memcpy(wire, there.base, there.size);
        two_tenon_recv(server, wire, there.size);
        one_tenon_sent(client, there.size);
        server_events(server);
    }
    while (two_tenon_out(server, &back, 1, &count) == TWO_TENON_OK && count > 0) {
        memcpy(wire, back.base, back.size);
        one_tenon_recv(client, wire, back.size);
        two_tenon_sent(server, back.size);
        client_events(client);
    }
}

int main(void)
{
    one_tenon_request request;
    one_tenon_conn *client;
    two_tenon_conn *server;
    int i;
    memset(&request, 0, sizeof request);
    request.size = sizeof request;
    request.authority = "localhost";
    one_tenon_config_client(&client_config, sizeof client_config);
    two_tenon_config_server(&server_config, sizeof server_config);
    client_config.random = on_random;
    one_tenon_init(&client_storage, sizeof client_storage, &client_config, &client);
    two_tenon_init(&server_storage, sizeof server_storage, &server_config, &server);
    one_tenon_lend(client, client_rx, sizeof client_rx, client_tx, sizeof client_tx);
    two_tenon_lend(server, server_rx, sizeof server_rx, server_tx, sizeof server_tx);
    if (one_tenon_connect(client, &request) != ONE_TENON_OK)
        return 1;
    for (i = 0; i < 5; i++)
        turn(client, server);
    two_tenon_eof(server);
    server_events(server);
    one_tenon_eof(client);
    client_events(client);
    printf("echoed: %d, ended with %d and %d\n", echoed, client_code, server_code);
    return echoed && client_code == ONE_TENON_CLOSE_NORMAL && server_code == TWO_TENON_CLOSE_NORMAL ? 0 : 1;
}
