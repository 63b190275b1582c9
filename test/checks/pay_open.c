/* SPDX-License-Identifier: MIT */
/* A program that speaks frames only: another HTTP stack has done the upgrade. */
#include "pay.h"
#include "tenon/frame.h"

static tenon_config config;
static tenon_storage storage;
static unsigned char rx[4096], tx[4096];

int main(void)
{
    static unsigned char input[] = { 0x81, 0x82, 0, 0, 0, 0, 'h', 'i' };
    tenon_conn *conn;
    tenon_event event;
    tenon_iov iov[4];
    size_t count = 0;

    if (tenon_config_open(&config, sizeof config, TENON_SERVER) != TENON_OK || !compressed(&config) ||
        tenon_init(&storage, sizeof storage, &config, &conn) != TENON_OK ||
        tenon_lend(conn, rx, sizeof rx, tx, sizeof tx) != TENON_OK ||
        tenon_recv(conn, input, sizeof input) != TENON_OK)
        return 1;
    tenon_tick(conn, 1);
    while (tenon_next(conn, &event) == TENON_EVENT)
        if (event.type == TENON_EV_DATA)
            tenon_send(conn, event.opcode, event.data, event.size, 0);
    tenon_ping(conn, "?", 1);
    tenon_close(conn, TENON_CLOSE_NORMAL, NULL, 0);
    if (tenon_out(conn, iov, 4, &count) != TENON_OK || count == 0)
        return 1;
    return tenon_sent(conn, iov[0].size) == TENON_OK ? 0 : 1;
}
