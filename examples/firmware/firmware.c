/* SPDX-License-Identifier: MIT */
/*
 * A sensor that reports over WebSocket: a client in 8 KB of RAM without a heap, whose
 * transport is a serial line to something that speaks TCP (a modem; under the emulator
 * a socket). It opens, sends readings, each when the answer to the one before has
 * come and some time has passed, and closes.
 *
 * The whole program is one loop: what has come in, what goes out, what time it is.
 */
#include <string.h>
#include "board.h"
#include "tenon/tenon.h"

#define READINGS 8
#define PERIOD_MS 20

static tenon_config config;
static tenon_storage storage;
static unsigned char rx[768], tx[768], buf[64];

static struct {
    uint32_t sent, echoed, pongs;
    uint64_t next; /* when the next reading is due */
    int open, over, status;
} sensor;

static int on_random(void *user, void *out, size_t n)
{
    (void)user;
    return board_random(out, n);
}

/* ---------------------------------------------------------------- the program */

/* "reading 3: 1234", and how long it is. */
static size_t reading(char *text, uint32_t i)
{
    static const char words[] = "reading 0: 0000";
    uint32_t value = (i * 7919 + 1234) % 10000;
    size_t at;
    memcpy(text, words, sizeof words);
    text[8] = (char)('0' + i % 10);
    for (at = sizeof words - 2; value > 0; at--, value /= 10)
        text[at] = (char)('0' + value % 10);
    return sizeof words - 1;
}

static void report(tenon_conn *conn)
{
    char text[32];
    uint64_t now = board_now();
    if (!sensor.open || sensor.sent != sensor.echoed || now < sensor.next)
        return;
    if (sensor.sent == READINGS) {
        tenon_close(conn, TENON_CLOSE_NORMAL, NULL, 0);
        return;
    }
    if (tenon_send(conn, TENON_TEXT, text, reading(text, sensor.sent), 0) == TENON_OK)
        sensor.sent++;
    sensor.next = now + PERIOD_MS;
}

static int on_event(tenon_conn *conn, const tenon_event *event, void *user)
{
    char text[32];
    (void)user;
    (void)conn;
    switch (event->type) {
    case TENON_EV_OPEN:
        board_say("open\n");
        sensor.open = 1;
        break;
    case TENON_EV_DATA:
        if (event->size == reading(text, sensor.echoed) && memcmp(event->data, text, event->size) == 0)
            sensor.echoed++;
        else
            tenon_close(conn, TENON_CLOSE_POLICY, NULL, 0);
        break;
    case TENON_EV_PONG:
        sensor.pongs++;
        break;
    case TENON_EV_CLOSE:
        sensor.over = 1;
        break;
    case TENON_EV_CLOSED:
        board_say_number("closed: ", event->code);
        board_say_number("rule: ", event->rule);
        sensor.status = event->code == TENON_CLOSE_NORMAL && sensor.echoed == READINGS ? 0 : 1;
        break;
    default:
        break;
    }
    return TENON_CONTINUE;
}

/* --------------------------------------------------------------- the transport */

static int on_recv(void *user, void *to, size_t n, size_t *got)
{
    (void)user;
    *got = board_read(to, n);
    return *got > 0 ? TENON_OK : TENON_WAIT;
}

static int on_send(void *user, const tenon_iov *iov, size_t count, size_t *put)
{
    (void)user;
    *put = count > 0 ? board_write(iov->base, iov->size) : 0;
    return *put > 0 ? TENON_OK : TENON_WAIT;
}

static uint64_t on_now(void *user)
{
    (void)user;
    return board_now();
}

static const tenon_io io = {sizeof io, on_recv, on_send, on_now, on_event, NULL, buf, sizeof buf, NULL};

static tenon_conn *begin(void)
{
    static tenon_request request;
    tenon_conn *conn;
    request.size = (uint32_t)sizeof request;
    request.authority = "sensor.example";
    request.target = "/readings";
    if (tenon_config_client(&config, sizeof config) != TENON_OK)
        return NULL;
    config.random = on_random;
    config.ping_ms = 2 * PERIOD_MS;
    if (tenon_init(&storage, sizeof storage, &config, &conn) != TENON_OK ||
        tenon_lend(conn, rx, sizeof rx, tx, sizeof tx) != TENON_OK || tenon_connect(conn, &request) != TENON_OK)
        return NULL;
    return conn;
}

int main(void)
{
    tenon_conn *conn;
    int status;
    board_begin();
    conn = begin();
    if (conn == NULL)
        return 2;
    while ((status = tenon_pump(conn, &io)) != TENON_DONE) {
        /* a serial line does not tell when the other side has closed */
        if (sensor.over && (tenon_wants(conn) & TENON_WANTS_WRITE) == 0)
            tenon_eof(conn);
        report(conn);
        if (status == TENON_OK && (tenon_wants(conn) & TENON_WANTS_WRITE) == 0)
            board_wait();
    }
    board_say_number("readings: ", sensor.echoed);
    board_say_number("pongs: ", sensor.pongs);
    board_say_number("stack: ", board_stack_used());
    return sensor.status;
}
