/* SPDX-License-Identifier: MIT */
/* Messages, pieces, references and control frames out, two behind one another, of up to N
 * octets, with a queue that is empty, or nearly full, or goes round its ring. */
#include "talk.h"

static uint8_t data[N + 1];

/* One call of those that send. */
static void call(tenon_conn *conn, int which, size_t n)
{
    const uint8_t *from = data + sizeof data - n;
    tenon_prepared prepared;
    switch (which) {
    case 0:
        tenon_send(conn, TENON_BINARY, from, n, 0);
        break;
    case 1:
        tenon_send(conn, TENON_TEXT, from, n, any_int ? TENON_TRUSTED : 0);
        break;
    case 2:
        tenon_send_part(conn, TENON_TEXT, from, n, any_int ? TENON_LAST : 0);
        break;
    case 3:
        tenon_send_ref(conn, TENON_BINARY, from, n, 0, conn);
        break;
    case 4:
        tenon_ping(conn, from, n);
        break;
    case 5:
        tenon_close(conn, any_int ? TENON_CLOSE_NORMAL : TENON_CLOSE_NONE, (const char *)from, n);
        break;
    case 6:
        if (tenon_prepare(&prepared, sizeof prepared, TENON_TEXT, from, n, 0) == TENON_OK)
            tenon_send_prepared(conn, &prepared, any_int ? TENON_COPY : 0, conn);
        break;
    default:
        tenon_abort(conn, TENON_REMOTE);
        break;
    }
}

/* The ring as it would be after so many octets in and out. */
static void bring(tenon_conn *conn, uint32_t head, uint32_t used)
{
    conn->queue.head = head;
    conn->queue.used = used;
    conn->queue.pending = used;
    memset(tx, 0, TENON_TX_MIN - TENON_TX_RESERVE);
}

static void one(tenon_conn *conn, int which, size_t n)
{
    call(conn, which, n);
    flush(conn);
    listen_to(conn);
    tenon_wants(conn);
}

static void two(tenon_conn *conn, int first, int second)
{
    call(conn, first, N);
    call(conn, second, N);
    flush(conn);
    listen_to(conn);
}

static void each_size(tenon_conn *conn, int which)
{
    size_t n;
    //@ loop unroll N + 1;
    for (n = 0; n <= N; n++)
        CASE(one(conn, which, n));
    over();
}

static void each_call(tenon_conn *conn)
{
    int which;
    //@ loop unroll 9;
    for (which = 0; which < 8; which++) {
        if (any_int)
            each_size(conn, which);
    }
    over();
}

static void each_pair(tenon_conn *conn)
{
    int first, second;
    //@ loop unroll 9;
    for (first = 0; first < 7; first++) {
        //@ loop unroll 9;
        for (second = 0; second < 8; second++)
            CASE(two(conn, first, second));
    }
    over();
}

void main(void)
{
    uint32_t ring = TENON_TX_MIN - TENON_TX_RESERVE, k;
    tenon_conn *conn;
    SPACE;
    conn = open_one(0);
    if (any_int)
        each_call(conn);
    if (any_int)
        each_pair(conn);
    //@ loop unroll 4 + 2 * N;
    for (k = 0; k <= 2 * N + 2; k++) {
        if (any_int) {
            bring(conn, ring - k - 1, 1);
            each_call(conn);
        }
    }
    //@ loop unroll 10;
    for (k = 0; k <= 8; k++) {
        if (any_int) {
            bring(conn, 7, ring - k);
            each_call(conn);
        }
    }
}
