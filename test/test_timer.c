/* SPDX-License-Identifier: MIT */
#include "harness.h"

enum { SERVER = TENON_SERVER, CLIENT = TENON_CLIENT };

static void tick(bench *b, uint64_t now)
{
    assert_int_equal(tenon_tick(b->conn, now), TENON_OK);
}

static void assert_deadline(bench *b, uint64_t expected)
{
    uint64_t got = tenon_deadline(b->conn);
    if (got != expected)
        print_error("deadline %llu, expected %llu\n", (unsigned long long)got, (unsigned long long)expected);
    assert_true(got == expected);
}

/* ----------------------------------------------------------------- each timer */

/* Brings the bench to where one timer starts with a tick at now. */

static void start_head(bench *b, uint64_t now)
{
    bench_start(b, 1024, 1024);
    tick(b, now);
    give_text(b, "GET / HTTP/1.1\r\n");
    assert_none(b);
}

static void start_decide(bench *b, uint64_t now)
{
    bench_start(b, 1024, 1024);
    tick(b, now);
    give_text(b, REQUEST);
    assert_next(b, TENON_EV_REQUEST);
    assert_none(b);
}

static void start_client(bench *b, uint64_t now)
{
    static tenon_request request;
    request = request_to("ws://example.com/");
    bench_start(b, 1024, 1024);
    tick(b, now);
    assert_int_equal(tenon_connect(b->conn, &request), TENON_OK);
    flush_out(b);
    b->read = b->wire_size;
}

static void start_body(bench *b, uint64_t now)
{
    start_client(b, now);
    give_text(b, "HTTP/1.1 404 Not Found\r\n\r\n");
    assert_next(b, TENON_EV_RESPONSE);
    assert_none(b);
}

static void start_open(bench *b, uint64_t now)
{
    bench_start(b, 1024, 1024);
    tick(b, now);
    assert_next(b, TENON_EV_OPEN);
    assert_none(b);
}

static void start_own_close(bench *b, uint64_t now)
{
    start_open(b, now);
    assert_int_equal(tenon_close(b->conn, 1000, NULL, 0), TENON_OK);
    flush_out(b);
}

static void start_failed(bench *b, uint64_t now)
{
    start_open(b, now);
    give(b, "\xff", 1);
    assert_none(b);
    flush_out(b);
}

static void start_both_closed(bench *b, uint64_t now)
{
    start_open(b, now);
    give_frame(b, 0x88, "\x03\xe8", 2);
    assert_next(b, TENON_EV_CLOSE);
    assert_none(b);
    flush_out(b);
}

static void start_output(bench *b, uint64_t now)
{
    start_open(b, now);
    assert_int_equal(tenon_send(b->conn, TENON_TEXT, "a", 1, 0), TENON_OK);
}

enum { OF_SERVER, OF_CLIENT, OPEN_SERVER, OPEN_CLIENT };

static const struct timed {
    void (*start)(bench *b, uint64_t now);
    int config;
    size_t field;
    uint32_t standard; /* 0: off unless set */
    unsigned rule;
    const char *wire;  /* what then goes out */
    int closed;        /* CLOSED comes at once */
} list[] = {
    {start_head, OF_SERVER, offsetof(tenon_config, handshake_ms), 10000, TENON_RULE_HANDSHAKE_TIMEOUT,
     "HTTP/1.1 408 ", 0},
    {start_decide, OF_SERVER, offsetof(tenon_config, handshake_ms), 10000, TENON_RULE_HANDSHAKE_TIMEOUT,
     "HTTP/1.1 503 ", 0},
    {start_client, OF_CLIENT, offsetof(tenon_config, handshake_ms), 10000, TENON_RULE_HANDSHAKE_TIMEOUT, "", 1},
    {start_body, OF_CLIENT, offsetof(tenon_config, close_ms), 5000, TENON_RULE_STATUS, "", 1},
    {start_open, OPEN_SERVER, offsetof(tenon_config, idle_ms), 0, TENON_RULE_IDLE_TIMEOUT, "\x88\x02\x03\xe9", 0},
    {start_own_close, OPEN_SERVER, offsetof(tenon_config, close_ms), 5000, TENON_RULE_CLOSE_TIMEOUT, "", 1},
    {start_own_close, OPEN_CLIENT, offsetof(tenon_config, close_ms), 5000, TENON_RULE_CLOSE_TIMEOUT, "", 1},
    {start_failed, OPEN_SERVER, offsetof(tenon_config, close_ms), 5000, TENON_RULE_RSV, "", 1},
    {start_both_closed, OPEN_CLIENT, offsetof(tenon_config, close_ms), 5000, TENON_RULE_NONE, "", 1},
    {start_output, OPEN_SERVER, offsetof(tenon_config, stall_ms), 60000, TENON_RULE_STALL_TIMEOUT, "", 1},
};

static void start(bench *b, const struct timed *t, uint32_t ms, uint64_t now)
{
    switch (t->config) {
    case OF_SERVER:
        bench_server(b);
        break;
    case OF_CLIENT:
        bench_client(b);
        break;
    default:
        bench_config(b, t->config == OPEN_SERVER ? SERVER : CLIENT);
        break;
    }
    memcpy((char *)&b->config + t->field, &ms, sizeof ms);
    t->start(b, now);
}

static void assert_fires(bench *b, const struct timed *t, uint64_t now)
{
    size_t before = b->wire_size, n = strlen(t->wire);
    tick(b, now);
    assert_int_equal(tenon_wants(b->conn) & TENON_WANTS_NEXT, TENON_WANTS_NEXT);
    if (!t->closed) {
        assert_none(b);
        flush_out(b);
        assert_true(b->wire_size - before >= n);
        assert_memory_equal(b->wire + before, t->wire, n);
        assert_deadline(b, now + 5000); /* from here on the close timer */
        assert_int_equal(tenon_eof(b->conn), TENON_OK);
    }
    assert_next(b, TENON_EV_CLOSED);
    assert_string_equal(tenon_rule_name(b->event.rule), tenon_rule_name((int)t->rule));
    if (t->rule != TENON_RULE_NONE) {
        assert_int_equal(b->event.code, TENON_CLOSE_ABNORMAL);
        assert_int_equal(b->event.cause, t->rule == TENON_RULE_STATUS ? TENON_REMOTE : TENON_LOCAL);
        assert_int_equal(b->event.flags & TENON_CLEAN, 0);
    } else {
        assert_int_equal(b->event.flags & TENON_CLEAN, TENON_CLEAN);
    }
    assert_deadline(b, TENON_NEVER);
    tick(b, now + 1000000);
    assert_none(b);
}

/* Each timeout at n - 1, n and n + 1 ms, by default and as set, wherever the clock
 * begins; and off. */
/* covers: 6455-10.4-04 6455-7.1.1-03 6455-5.5.1-17 6455-7.2.1-02 */
static void test_each(void **state)
{
    static const uint64_t begins[] = {0, 1, 5000000, UINT64_C(1) << 63, (UINT64_C(1) << 63) + (UINT64_C(1) << 62)};
    static const uint32_t set[] = {0, 1, 1234, TENON_OFF - 1};
    size_t i, j, k;
    uint64_t late;
    (void)state;
    for (i = 0; i < COUNT_OF(list); i++) {
        bench b;
        for (j = 0; j < COUNT_OF(begins); j++) {
            for (k = 0; k < COUNT_OF(set); k++) {
                uint64_t at = begins[j] + (set[k] ? set[k] : list[i].standard);
                if (set[k] == 0 && list[i].standard == 0)
                    continue;
                for (late = 0; late < 2; late++) {
                    start(&b, &list[i], set[k], begins[j]);
                    assert_deadline(&b, at);
                    if (at - 1 > begins[j])
                        tick(&b, at - 1);
                    if (at > begins[j] + 1)
                        assert_none(&b);
                    assert_int_equal(tenon_wants(b.conn) & TENON_WANTS_NEXT, 0);
                    assert_deadline(&b, at);
                    assert_fires(&b, &list[i], at + late);
                    bench_stop(&b);
                }
            }
        }
        start(&b, &list[i], TENON_OFF, 10);
        assert_deadline(&b, TENON_NEVER);
        tick(&b, UINT64_MAX);
        assert_none(&b);
        assert_int_equal(tenon_wants(b.conn) & TENON_WANTS_NEXT, 0);
        bench_stop(&b);
    }
}

/* Idle and ping are off by default. */
/* covers: 6455-7.2.1-02 WHATWG-ping-and-pong-frames-01 */
static void test_off_by_default(void **state)
{
    bench b;
    (void)state;
    bench_config(&b, CLIENT);
    start_open(&b, 1);
    assert_deadline(&b, TENON_NEVER);
    tick(&b, UINT64_MAX - 1);
    assert_none(&b);
    assert_int_equal(tenon_state(b.conn), TENON_OPEN);
    assert_int_equal(tenon_queued(b.conn), 0);
    bench_stop(&b);
}

/* ------------------------------------------------------------------ the clock */

/* No timer runs before the first tick; it starts what waits. */
static void test_first_tick(void **state)
{
    static const uint64_t begins[] = {0, 9, UINT64_C(1) << 63, UINT64_MAX - 70000};
    size_t i;
    (void)state;
    for (i = 0; i < COUNT_OF(begins); i++) {
        bench b;
        bench_server(&b);
        bench_start(&b, 1024, 1024);
        assert_deadline(&b, TENON_NEVER);
        tick(&b, begins[i]);
        assert_deadline(&b, begins[i] + 10000);
        bench_stop(&b);
        bench_open(&b, SERVER);
        assert_int_equal(tenon_send(b.conn, TENON_TEXT, "a", 1, 0), TENON_OK);
        assert_deadline(&b, TENON_NEVER);
        tick(&b, begins[i]);
        assert_deadline(&b, begins[i] + 60000);
        bench_stop(&b);
        bench_open(&b, SERVER);
        assert_int_equal(tenon_close(b.conn, 1000, NULL, 0), TENON_OK);
        assert_deadline(&b, TENON_NEVER);
        tick(&b, begins[i]);
        assert_deadline(&b, begins[i] + 5000);
        bench_stop(&b);
        bench_config(&b, SERVER);
        b.config.idle_ms = 100;
        b.config.ping_ms = 50;
        bench_open_sized(&b, 256, 512);
        tick(&b, begins[i]);
        assert_deadline(&b, begins[i] + 50);
        bench_stop(&b);
    }
}

/* Near the end of the clock's range sums do not wrap. */
static void test_last_tick(void **state)
{
    bench b;
    (void)state;
    bench_server(&b);
    bench_start(&b, 1024, 1024);
    tick(&b, UINT64_MAX - 5);
    assert_deadline(&b, TENON_NEVER);
    tick(&b, UINT64_MAX);
    assert_none(&b);
    assert_int_equal(tenon_wants(b.conn), TENON_WANTS_READ);
    bench_stop(&b);
}

static void test_clock_back(void **state)
{
    bench b;
    (void)state;
    bench_config(&b, SERVER);
    b.config.idle_ms = 100;
    start_open(&b, 1000);
    tick(&b, 10);
    assert_deadline(&b, 1100);
    tick(&b, 1050);
    tick(&b, 1049);
    give(&b, "\x82", 1);
    assert_none(&b);
    assert_deadline(&b, 1150); /* life at 1050, not 1049 */
    tick(&b, 0);
    tick(&b, 1149);
    assert_none(&b);
    assert_int_equal(tenon_state(b.conn), TENON_OPEN);
    bench_stop(&b);
}

/* ----------------------------------------------------------------- life, idle */

/* Any octet is life: half a header, half a payload, a control frame. */
static void test_any_octet(void **state)
{
    uint8_t octets[32];
    size_t n, i;
    uint64_t now = 0;
    bench b;
    (void)state;
    bench_config(&b, SERVER);
    b.config.idle_ms = 100;
    start_open(&b, now);
    n = peer_frame(SERVER, octets, 0x82, "abc", 3);
    n += peer_frame(SERVER, octets + n, 0x8a, "abc", 3);
    for (i = 0; i < n; i++) {
        now += 99;
        tick(&b, now);
        give(&b, octets + i, 1);
        while (next(&b) != 0) {
        }
        assert_deadline(&b, now + 100);
    }
    assert_int_equal(tenon_state(b.conn), TENON_OPEN);
    tick(&b, now + 100);
    assert_none(&b);
    assert_int_equal(tenon_state(b.conn), TENON_CLOSING);
    bench_stop(&b);
}

/* Timers act only when the lent octets are used up and no event is held. */
static void test_input_first(void **state)
{
    bench b;
    (void)state;
    bench_config(&b, SERVER);
    b.config.idle_ms = 100;
    start_open(&b, 0);
    give_frame(&b, 0x81, "a", 1);
    assert_next(&b, TENON_EV_DATA);
    tick(&b, 5000);
    assert_int_equal(tenon_again(b.conn), TENON_OK);
    assert_next(&b, TENON_EV_DATA);
    assert_int_equal(tenon_state(b.conn), TENON_OPEN);
    assert_none(&b);
    assert_int_equal(tenon_state(b.conn), TENON_CLOSING);
    bench_stop(&b);
    bench_config(&b, SERVER);
    b.config.close_ms = 100;
    start_own_close(&b, 0);
    give_frame(&b, 0x88, "\x03\xe8", 2);
    tick(&b, 5000);
    assert_next(&b, TENON_EV_CLOSE); /* it was there in time */
    assert_next(&b, TENON_EV_CLOSED);
    assert_int_equal(b.event.flags, TENON_CLEAN);
    bench_stop(&b);
}

/* A connection that waits for rx has no deadline: nothing could be done about it. */
static void test_rx_wanted(void **state)
{
    uint8_t octets[300], data[200];
    size_t n;
    bench b;
    (void)state;
    memset(data, 1, sizeof data);
    bench_config(&b, SERVER);
    b.config.idle_ms = 100;
    b.config.max_message = 1000;
    bench_open_sized(&b, 256, 512);
    tick(&b, 0);
    assert_deadline(&b, 100);
    n = peer_frame(SERVER, octets, 0x82, data, sizeof data);
    give(&b, octets, n - 1);
    assert_none(&b);
    assert_int_equal(tenon_wants(b.conn), TENON_WANTS_RX);
    assert_deadline(&b, TENON_NEVER);
    tick(&b, 1000);
    assert_none(&b);
    assert_int_equal(tenon_state(b.conn), TENON_OPEN);
    free(b.rx);
    b.rx = malloc(512);
    assert_int_equal(tenon_lend_rx(b.conn, b.rx, 512), TENON_OK);
    assert_deadline(&b, 1100); /* from now on there is silence */
    assert_none(&b);
    assert_int_equal(tenon_state(b.conn), TENON_OPEN);
    tick(&b, 1100);
    assert_none(&b);
    assert_int_equal(tenon_state(b.conn), TENON_CLOSING);
    bench_stop(&b);
}

/* ---------------------------------------------------------------------- ping */

/* Answers the last Ping on the wire. */
static void answer_ping(bench *b)
{
    wire_frame frame, last;
    memset(&last, 0, sizeof last);
    while (wire_next(b, &frame))
        last = frame;
    assert_int_equal(last.first, 0x89);
    give_frame(b, 0x8a, last.payload, last.size);
}

/* RTT is told for the own Ping alone, and counts from when it was sent. */
static void test_rtt(void **state)
{
    bench b;
    (void)state;
    bench_config(&b, CLIENT);
    b.config.ping_ms = 1000;
    start_open(&b, 0);
    assert_int_equal(tenon_ping(b.conn, "mine", 4), TENON_OK);
    flush_out(&b);
    answer_ping(&b);
    assert_next(&b, TENON_EV_PONG);
    assert_int_equal(b.event.flags, 0);
    assert_int_equal(b.event.rtt_ms, 0);
    assert_none(&b);
    tick(&b, 1000);
    assert_none(&b);
    assert_true(tenon_queued(b.conn) > 0);
    tick(&b, 1030);
    flush_out(&b);
    tick(&b, 1070);
    answer_ping(&b);
    assert_next(&b, TENON_EV_PONG);
    assert_int_equal(b.event.flags, TENON_OWN);
    assert_int_equal(b.event.rtt_ms, 40);
    assert_none(&b);
    give_frame(&b, 0x8a, "\0\0\0\1", 4); /* once is enough */
    assert_next(&b, TENON_EV_PONG);
    assert_int_equal(b.event.flags, 0);
    assert_int_equal(b.event.rtt_ms, 0);
    assert_none(&b);
    tick(&b, 2000);
    assert_none(&b);
    take_out(&b, 3); /* not all of it */
    tick(&b, 2001);
    give_frame(&b, 0x8a, "\0\0\0\2", 4); /* guessed before it was sent */
    assert_next(&b, TENON_EV_PONG);
    assert_int_equal(b.event.flags, 0);
    bench_stop(&b);
}

/* Not again while the last one is queued; then again by the clock. */
static void test_ping_queued(void **state)
{
    bench b;
    uint64_t now;
    wire_frame frame;
    unsigned count = 0;
    (void)state;
    bench_config(&b, SERVER);
    b.config.ping_ms = 10;
    b.config.stall_ms = TENON_OFF;
    start_open(&b, 0);
    for (now = 0; now < 1000; now += 5) {
        tick(&b, now);
        assert_none(&b);
    }
    assert_int_equal(tenon_queued(b.conn), 2 + 4);
    assert_deadline(&b, TENON_NEVER);
    flush_out(&b);
    tick(&b, 1005);
    assert_none(&b);
    flush_out(&b);
    while (wire_next(&b, &frame)) {
        assert_int_equal(frame.first, 0x89);
        count++;
    }
    assert_int_equal(count, 2);
    assert_deadline(&b, 1015);
    bench_stop(&b);
}

/* A connection whose tx was taken back tells when a Ping is due; then it asks for a
 * tx instead of telling a deadline that has passed. */
static void test_ping_without_tx(void **state)
{
    unsigned char tx[TENON_TX_MIN];
    bench b;
    wire_frame frame;
    (void)state;
    memset(&frame, 0, sizeof frame);
    bench_config(&b, SERVER);
    b.config.ping_ms = 10;
    start_open(&b, 0);
    assert_int_equal(tenon_lend_tx(b.conn, NULL, 0), TENON_OK);
    assert_deadline(&b, 10);
    tick(&b, 9);
    assert_none(&b);
    assert_int_equal(tenon_wants(b.conn), TENON_WANTS_READ);
    tick(&b, 10);
    assert_int_equal(tenon_wants(b.conn), TENON_WANTS_READ | TENON_WANTS_TX);
    assert_none(&b);
    assert_deadline(&b, TENON_NEVER);
    tick(&b, 1000);
    assert_int_equal(tenon_lend_tx(b.conn, tx, sizeof tx), TENON_OK);
    assert_int_equal(tenon_wants(b.conn), TENON_WANTS_READ | TENON_WANTS_NEXT);
    assert_none(&b);
    flush_out(&b);
    assert_true(wire_next(&b, &frame));
    assert_int_equal(frame.first, 0x89);
    assert_false(wire_next(&b, &frame));
    assert_deadline(&b, 1010);
    assert_int_equal(tenon_lend_tx(b.conn, NULL, 0), TENON_OK);
    assert_int_equal(tenon_close(b.conn, TENON_CLOSE_NORMAL, NULL, 0), TENON_ERR_STATE);
    assert_deadline(&b, 1010);
    bench_stop(&b);
}

/* After an own Ping was sent, nothing for pong_ms: CLOSED, however many more Pings
 * went out meanwhile. An octet in time calls it off. */
static void test_pong_timeout(void **state)
{
    static const uint32_t intervals[] = {50, 100, 1000};
    size_t i;
    int alive;
    (void)state;
    for (i = 0; i < COUNT_OF(intervals); i++) {
        for (alive = 0; alive < 2; alive++) {
            uint64_t now, end = intervals[i] + 7 + 350;
            int type = 0;
            bench b;
            bench_config(&b, CLIENT);
            b.config.ping_ms = intervals[i];
            b.config.pong_ms = 350;
            start_open(&b, 0);
            for (now = 0; now < end; now++) {
                tick(&b, now);
                assert_none(&b);
                if (now >= intervals[i] + 7) /* sent a little later than asked for */
                    flush_out(&b);
                if (alive && now == end - 1)
                    give(&b, "\x82", 1);
            }
            tick(&b, end);
            type = next(&b);
            assert_int_equal(type, alive ? 0 : TENON_EV_CLOSED);
            if (!alive) {
                assert_int_equal(b.event.rule, TENON_RULE_PONG_TIMEOUT);
                assert_int_equal(b.event.cause, TENON_LOCAL);
                assert_int_equal(b.event.code, TENON_CLOSE_ABNORMAL);
            }
            bench_stop(&b);
        }
    }
}

/* pong_ms by default, and off: Pings go on by the clock. */
static void test_pong_default(void **state)
{
    bench b;
    (void)state;
    bench_config(&b, CLIENT);
    b.config.ping_ms = 100000;
    start_open(&b, 0);
    tick(&b, 100000);
    assert_none(&b);
    flush_out(&b);
    assert_deadline(&b, 120000);
    bench_stop(&b);
    bench_config(&b, CLIENT);
    b.config.ping_ms = 1000;
    b.config.pong_ms = TENON_OFF;
    start_open(&b, 0);
    tick(&b, 1000);
    assert_none(&b);
    flush_out(&b);
    assert_deadline(&b, 2000);
    tick(&b, 2000);
    assert_none(&b);
    assert_int_equal(tenon_queued(b.conn), 10);
    bench_stop(&b);
}

/* ------------------------------------------------------------- stall and close */

/* Progress, not emptiness, keeps the stall timer off. */
static void test_stall(void **state)
{
    uint8_t data[100];
    uint64_t now = 0;
    int i;
    bench b;
    (void)state;
    memset(data, 1, sizeof data);
    bench_config(&b, SERVER);
    b.config.stall_ms = 50;
    start_open(&b, 0);
    assert_int_equal(tenon_send(b.conn, TENON_BINARY, data, sizeof data, 0), TENON_OK);
    for (i = 0; i < 20; i++) {
        now += 49;
        tick(&b, now);
        assert_none(&b);
        assert_int_equal(take_out(&b, 1), 1);
        assert_deadline(&b, now + 50);
    }
    flush_out(&b);
    assert_deadline(&b, TENON_NEVER);
    tick(&b, now + 1000);
    assert_int_equal(tenon_send(b.conn, TENON_BINARY, data, sizeof data, 0), TENON_OK);
    assert_deadline(&b, now + 1050);
    flush_out(&b);
    tick(&b, now + 2000);
    assert_int_equal(tenon_send_ref(b.conn, TENON_BINARY, data, sizeof data, 0, &b), TENON_OK);
    assert_deadline(&b, now + 2050); /* references count as well */
    bench_stop(&b);
}

/* One octet that wants rx is as good as many: no timer runs until there is some. And none
 * that is off wants a tx. */
static void test_rests_for_one_octet(void **state)
{
    uint8_t octets[16];
    size_t n = peer_frame(SERVER, octets, 0x82, "Hello", 5);
    bench b;
    (void)state;
    bench_config(&b, SERVER);
    b.config.idle_ms = 100;
    bench_open_sized(&b, 0, 0);
    tick(&b, 0);
    tick(&b, 50);
    give(&b, octets, n - 4);
    assert_none(&b);
    assert_int_equal(tenon_wants(b.conn), TENON_WANTS_RX);
    assert_deadline(&b, TENON_NEVER);
    bench_stop(&b);
}

/* A clock that stands still is no advance: control frames are still counted together. */
static void test_same_time(void **state)
{
    int i;
    bench b;
    (void)state;
    bench_config(&b, SERVER);
    b.config.max_control = 2;
    start_open(&b, 10);
    for (i = 0; i < 2; i++) {
        give_frame(&b, 0x8a, NULL, 0);
        assert_next(&b, TENON_EV_PONG);
        assert_none(&b);
        tick(&b, 10);
    }
    give_frame(&b, 0x8a, NULL, 0);
    assert_none(&b);
    run_to_closed(&b);
    assert_int_equal(b.event.rule, TENON_RULE_CONTROL_FLOOD);
    bench_stop(&b);
}

/* An own Ping leaves room for any control frame: it goes where the longest would fit. */
static void test_ping_room(void **state)
{
    enum { LONGEST = 2 + 4 + TENON_CONTROL_MAX };
    uint8_t data[TENON_TX_MIN - TENON_TX_RESERVE] = {0};
    size_t less;
    (void)state;
    for (less = 0; less <= 1; less++) {
        bench b;
        bench_config(&b, SERVER);
        b.config.ping_ms = 1000;
        bench_start(&b, 256, TENON_TX_MIN);
        tick(&b, 0);
        assert_next(&b, TENON_EV_OPEN);
        assert_none(&b);
        assert_int_equal(tenon_send(b.conn, TENON_BINARY, data, sizeof data - LONGEST - 2 + less, 0), TENON_OK);
        tick(&b, 1000);
        assert_none(&b);
        assert_int_equal(tenon_queued(b.conn), sizeof data - LONGEST + less + (less ? 0 : 6));
        bench_stop(&b);
    }
}

/* A Close that is asked for long after the last tick has its whole time all the same:
 * from when it went out. */
static void test_close_after_rest(void **state)
{
    bench b;
    (void)state;
    bench_config(&b, SERVER);
    b.config.close_ms = 100;
    start_open(&b, 0);
    assert_int_equal(tenon_close(b.conn, TENON_CLOSE_NORMAL, NULL, 0), TENON_OK);
    tick(&b, 5000);
    flush_out(&b);
    assert_deadline(&b, 5100);
    tick(&b, 5099);
    assert_none(&b);
    tick(&b, 5100);
    assert_next(&b, TENON_EV_CLOSED);
    assert_int_equal(b.event.rule, TENON_RULE_CLOSE_TIMEOUT);
    bench_stop(&b);
}

/* While an event is kept nothing is read, so silence tells nothing: no Ping, no idle
 * and no pong timeout. But stalled output, a Close without answer and a handshake
 * without decision end the connection all the same. */
static void test_kept_event(void **state)
{
    enum { NOTHING, STALL, CLOSE, KINDS };
    int kind;
    (void)state;
    for (kind = NOTHING; kind < KINDS; kind++) {
        bench b;
        bench_config(&b, SERVER);
        b.config.ping_ms = b.config.pong_ms = b.config.idle_ms = 10;
        b.config.stall_ms = 50;
        b.config.close_ms = 70;
        start_open(&b, 0);
        give_frame(&b, 0x81, "a", 1);
        assert_next(&b, TENON_EV_DATA);
        assert_int_equal(tenon_again(b.conn), TENON_OK);
        if (kind == STALL)
            assert_int_equal(tenon_send(b.conn, TENON_TEXT, "b", 1, 0), TENON_OK);
        if (kind == CLOSE)
            assert_int_equal(tenon_close(b.conn, TENON_CLOSE_NORMAL, NULL, 0), TENON_OK);
        if (kind == CLOSE)
            flush_out(&b);
        assert_deadline(&b, kind == STALL ? 50 : kind == CLOSE ? 70 : TENON_NEVER);
        tick(&b, kind == CLOSE ? 69 : 49);
        assert_next(&b, TENON_EV_DATA);
        assert_int_equal(tenon_again(b.conn), TENON_OK);
        tick(&b, kind == CLOSE ? 70 : 50);
        assert_next(&b, kind == NOTHING ? TENON_EV_DATA : TENON_EV_CLOSED);
        if (kind == NOTHING) {
            assert_none(&b); /* from now on there is silence */
            assert_deadline(&b, 60);
            tick(&b, 59);
            assert_none(&b);
            assert_int_equal(tenon_state(b.conn), TENON_OPEN);
            tick(&b, 60);
            assert_none(&b);
            assert_int_equal(tenon_state(b.conn), TENON_CLOSING);
        } else {
            assert_int_equal(b.event.rule, kind == STALL ? TENON_RULE_STALL_TIMEOUT : TENON_RULE_CLOSE_TIMEOUT);
        }
        bench_stop(&b);
    }
}

/* The wait for a Pong that is out begins anew with each time that an event is kept:
 * the Pong may have come, and could not be read. */
static void test_kept_event_and_pong(void **state)
{
    bench b;
    (void)state;
    bench_config(&b, SERVER);
    b.config.ping_ms = 10;
    b.config.pong_ms = 30;
    start_open(&b, 0);
    tick(&b, 10);
    assert_none(&b);
    give_frame(&b, 0x81, "a", 1);
    assert_next(&b, TENON_EV_DATA);
    assert_int_equal(tenon_again(b.conn), TENON_OK);
    tick(&b, 11);
    flush_out(&b); /* the Ping */
    tick(&b, 1000);
    assert_next(&b, TENON_EV_DATA);
    assert_none(&b);
    assert_int_equal(tenon_state(b.conn), TENON_OPEN);
    tick(&b, 1029);
    assert_none(&b);
    assert_int_equal(tenon_state(b.conn), TENON_OPEN);
    tick(&b, 1030);
    assert_next(&b, TENON_EV_CLOSED);
    assert_int_equal(b.event.rule, TENON_RULE_PONG_TIMEOUT);
    bench_stop(&b);
}

/* Nor does the time count for either in which memory was waited for. */
static void test_silence_without_memory(void **state)
{
    int pong;
    (void)state;
    for (pong = 0; pong < 2; pong++) {
        uint8_t rx[1024];
        bench b;
        bench_config(&b, SERVER);
        b.config.ping_ms = pong ? 10 : TENON_OFF;
        b.config.idle_ms = pong ? TENON_OFF : 30;
        b.config.pong_ms = 30;
        bench_start(&b, 0, 1024);
        tick(&b, 0);
        assert_next(&b, TENON_EV_OPEN);
        assert_none(&b);
        tick(&b, 10);
        assert_none(&b);
        give_frame(&b, 0x01, "a", 1);
        assert_none(&b); /* the message is to be assembled */
        flush_out(&b);   /* the Ping */
        assert_int_equal(tenon_wants(b.conn) & TENON_WANTS_RX, TENON_WANTS_RX);
        assert_deadline(&b, TENON_NEVER);
        tick(&b, 1000);
        assert_none(&b);
        assert_int_equal(tenon_lend_rx(b.conn, rx, sizeof rx), TENON_OK);
        assert_none(&b);
        tick(&b, 1029);
        assert_none(&b);
        assert_int_equal(tenon_state(b.conn), TENON_OPEN);
        tick(&b, 1030);
        if (pong) {
            assert_next(&b, TENON_EV_CLOSED);
            assert_int_equal(b.event.rule, TENON_RULE_PONG_TIMEOUT);
        } else {
            assert_none(&b);
            assert_int_equal(tenon_state(b.conn), TENON_CLOSING);
        }
        bench_stop(&b);
    }
}

/* The same for a request that is kept, which gets a 503; and a cookie is not lost. */
static void test_kept_request(void **state)
{
    static const char body[] = "x";
    bench b;
    (void)state;
    bench_server(&b);
    b.config.handshake_ms = 100;
    bench_start(&b, 1024, 1024);
    tick(&b, 0);
    give_text(&b, REQUEST);
    assert_next(&b, TENON_EV_REQUEST);
    assert_int_equal(tenon_again(b.conn), TENON_OK);
    assert_deadline(&b, 100);
    tick(&b, 100);
    assert_none(&b);
    flush_out(&b);
    assert_memory_equal(b.wire, "HTTP/1.1 503 ", 13);
    bench_stop(&b);
    bench_config(&b, SERVER);
    b.config.close_ms = 10;
    start_open(&b, 0);
    assert_int_equal(tenon_send_ref(b.conn, TENON_BINARY, body, 1, 0, &b), TENON_OK);
    flush_out(&b);
    assert_int_equal(tenon_close(b.conn, TENON_CLOSE_NORMAL, NULL, 0), TENON_OK);
    flush_out(&b);
    assert_next(&b, TENON_EV_RELEASED);
    assert_int_equal(tenon_again(b.conn), TENON_OK);
    tick(&b, 1000);
    assert_next(&b, TENON_EV_RELEASED);
    assert_ptr_equal(b.event.cookie, &b);
    assert_next(&b, TENON_EV_CLOSED);
    bench_stop(&b);
}

/* The close timer runs from when the Close is sent, not from when it was asked for
 * behind a long message. */
static void test_close_behind(void **state)
{
    static uint8_t data[10000];
    uint64_t now = 0;
    bench b;
    (void)state;
    bench_config(&b, SERVER);
    b.config.max_frame_out = 100;
    b.config.close_ms = 1000;
    start_open(&b, 0);
    assert_int_equal(tenon_send_ref(b.conn, TENON_BINARY, data, sizeof data, 0, NULL), TENON_OK);
    assert_int_equal(tenon_close(b.conn, 1000, NULL, 0), TENON_OK);
    while (b.wire_size < sizeof data) {
        now += 100;
        tick(&b, now);
        assert_none(&b);
        assert_true(take_out(&b, 102) > 0);
    }
    flush_out(&b);
    assert_next(&b, TENON_EV_RELEASED);
    assert_true(tenon_deadline(b.conn) > now + 700); /* it was queued behind the last two frames */
    tick(&b, now + 700);
    assert_none(&b);
    tick(&b, now + 1000);
    assert_next(&b, TENON_EV_CLOSED);
    assert_int_equal(b.event.sent_code, 1000);
    assert_int_equal(b.event.rule, TENON_RULE_CLOSE_TIMEOUT);
    bench_stop(&b);
}

/* The stall timer also ends a closing handshake whose Close cannot go out. */
static void test_close_stalls(void **state)
{
    bench b;
    (void)state;
    bench_config(&b, SERVER);
    b.config.close_ms = TENON_OFF;
    b.config.stall_ms = 300;
    start_open(&b, 0);
    assert_int_equal(tenon_close(b.conn, 1000, NULL, 0), TENON_OK);
    assert_deadline(&b, 300);
    tick(&b, 300);
    assert_next(&b, TENON_EV_CLOSED);
    assert_int_equal(b.event.rule, TENON_RULE_STALL_TIMEOUT);
    assert_int_equal(b.event.sent_code, 0);
    bench_stop(&b);
}

/* ------------------------------------------------------------------ at random */

static void turn(bench *b, uint64_t *seed, uint64_t *now)
{
    static const uint8_t firsts[] = {0x81, 0x82, 0x89, 0x8a};
    switch (draw(seed) % 8) {
    case 0:
        (void)tenon_send(b->conn, TENON_TEXT, "hello", 5, 0);
        break;
    case 1:
    case 2:
        take_out(b, (size_t)(draw(seed) % 20));
        break;
    case 3:
        if ((tenon_wants(b->conn) & TENON_WANTS_READ) != 0)
            give_frame(b, firsts[draw(seed) % 4], "a", 1);
        break;
    case 4:
        if (draw(seed) % 60 == 0)
            (void)tenon_close(b->conn, 1000, NULL, 0);
        break;
    default:
        *now += draw(seed) % 40;
        tick(b, *now);
        break;
    }
}

/* Once tenon_next finds nothing, no deadline lies in the past. */
static void test_never_past(void **state)
{
    uint64_t seed;
    (void)state;
    for (seed = 1; seed <= 300; seed++) {
        uint64_t s = seed * 0x9e3779b97f4a7c15u, now = draw(&s);
        int i;
        bench b;
        bench_config(&b, seed % 2 ? SERVER : CLIENT);
        b.config.ping_ms = (uint32_t)(draw(&s) % 100);
        b.config.pong_ms = (uint32_t)(draw(&s) % 300);
        b.config.idle_ms = (uint32_t)(draw(&s) % 1000);
        b.config.stall_ms = (uint32_t)(draw(&s) % 2000);
        b.config.close_ms = (uint32_t)(draw(&s) % 500);
        start_open(&b, now);
        for (i = 0; i < 400 && b.closed == 0; i++) {
            turn(&b, &s, &now);
            while (b.closed == 0 && next(&b) != 0) {
            }
            assert_true(tenon_deadline(b.conn) > now);
            assert_int_equal(tenon_wants(b.conn) & TENON_WANTS_NEXT, 0);
        }
        bench_stop(&b);
    }
}

/* More milliseconds than the event can tell. */
static void test_rtt_beyond_32_bits(void **state)
{
    bench b;
    (void)state;
    bench_config(&b, SERVER);
    b.config.ping_ms = 1000;
    b.config.pong_ms = TENON_OFF;
    start_open(&b, 0);
    tick(&b, 1000);
    assert_none(&b);
    flush_out(&b);
    tick(&b, UINT64_C(1001) + UINT32_MAX);
    give_frame(&b, 0x8a, "\0\0\0\1", 4);
    assert_next(&b, TENON_EV_PONG);
    assert_int_equal(b.event.flags, TENON_OWN);
    assert_true(b.event.rtt_ms == UINT32_MAX);
    bench_stop(&b);
}

/* While there is no room for it, no Ping goes out: the next one is due as usual. */
static void test_ping_without_room(void **state)
{
    uint8_t data[300];
    wire_frame frame;
    bench b;
    (void)state;
    memset(data, 'x', sizeof data);
    bench_config(&b, SERVER);
    b.config.ping_ms = 1000;
    bench_start(&b, 512, TENON_TX_MIN);
    tick(&b, 0);
    assert_next(&b, TENON_EV_OPEN);
    assert_none(&b);
    while (tenon_send(b.conn, TENON_BINARY, data, 8, 0) == TENON_OK) {
    }
    tick(&b, 1000);
    assert_none(&b);
    assert_deadline(&b, 2000);
    while (take_out(&b, SIZE_MAX) > 0) {
    }
    while (wire_next(&b, &frame))
        assert_int_equal(frame.first, 0x82);
    assert_next(&b, TENON_EV_WRITABLE);
    assert_none(&b);
    assert_int_equal(tenon_queued(b.conn), 0);
    tick(&b, 2000);
    assert_none(&b);
    flush_out(&b);
    assert_wire(&b, 0x89, "\0\0\0\1", 4);
    bench_stop(&b);
}

/* No key for the own Ping: the connection ends, as it does for any other frame. */
static void test_ping_without_key(void **state)
{
    bench b;
    (void)state;
    bench_config(&b, CLIENT);
    b.config.ping_ms = 1000;
    start_open(&b, 0);
    b.random_fails = b.random_calls + 1;
    tick(&b, 1000);
    assert_none(&b);
    assert_int_equal(tenon_queued(b.conn), 0);
    run_to_closed(&b);
    assert_int_equal(b.event.rule, TENON_RULE_RANDOM);
    bench_stop(&b);
}

/* Behind a Close there are no Pings, so none asks for a tx. */
static void test_no_ping_behind_a_close(void **state)
{
    bench b;
    (void)state;
    bench_config(&b, SERVER);
    b.config.ping_ms = 1000;
    start_own_close(&b, 0);
    assert_int_equal(tenon_lend_tx(b.conn, NULL, 0), TENON_OK);
    tick(&b, 1000);
    assert_none(&b);
    assert_int_equal(tenon_wants(b.conn) & TENON_WANTS_TX, 0);
    assert_deadline(&b, 5000);
    bench_stop(&b);
}

/* The peer's Close, to be forwarded by the program, began the end; that the own Ping
 * leaves later, or that the event is kept, does not put it off. */
static void test_ping_leaves_behind_a_close(void **state)
{
    int kept;
    bench b;
    (void)state;
    for (kept = 0; kept < 2; kept++) {
        bench_config(&b, SERVER);
        b.config.flags = TENON_RELAY;
        b.config.ping_ms = 1000;
        start_open(&b, 0);
        tick(&b, 1000);
        assert_none(&b);
        tick(&b, 1100);
        give_frame(&b, 0x88, "\x03\xe8", 2);
        assert_next(&b, TENON_EV_CLOSE);
        assert_deadline(&b, 6100);
        tick(&b, 1200);
        if (kept)
            assert_int_equal(tenon_again(b.conn), TENON_OK);
        flush_out(&b);
        if (kept)
            assert_next(&b, TENON_EV_CLOSE);
        assert_none(&b);
        assert_deadline(&b, 6100);
        bench_stop(&b);
    }
}

/* Time may end the connection while OPEN is kept. */
static void test_kept_open(void **state)
{
    bench b;
    (void)state;
    bench_config(&b, SERVER);
    bench_start(&b, 512, 512);
    tick(&b, 0);
    assert_next(&b, TENON_EV_OPEN);
    assert_int_equal(tenon_send(b.conn, TENON_TEXT, "Hello", 5, 0), TENON_OK);
    assert_int_equal(tenon_again(b.conn), TENON_OK);
    tick(&b, 60000);
    assert_next(&b, TENON_EV_CLOSED);
    assert_int_equal(b.event.rule, TENON_RULE_STALL_TIMEOUT);
    assert_none(&b);
    bench_stop(&b);
}

/* The shortest interval there is. */
static void test_ping_each_millisecond(void **state)
{
    bench b;
    (void)state;
    bench_config(&b, SERVER);
    b.config.ping_ms = 1;
    start_open(&b, 0);
    assert_deadline(&b, 1);
    tick(&b, 1);
    assert_none(&b);
    flush_out(&b);
    assert_wire(&b, 0x89, "\0\0\0\1", 4);
    assert_deadline(&b, 2);
    bench_stop(&b);
}

/* When all that is left is to tell of the end, there is no deadline; nor before the
 * first tick. */
static void test_no_deadline_at_the_end(void **state)
{
    bench b;
    (void)state;
    bench_config(&b, SERVER);
    b.config.ping_ms = 1;
    bench_open_sized(&b, 512, 0);
    assert_deadline(&b, TENON_NEVER);
    assert_int_equal(tenon_wants(b.conn), TENON_WANTS_READ);
    bench_stop(&b);
    bench_config(&b, SERVER);
    start_own_close(&b, 0);
    assert_deadline(&b, 5000);
    assert_int_equal(tenon_abort(b.conn, TENON_LOCAL), TENON_OK);
    assert_deadline(&b, TENON_NEVER);
    tick(&b, 5000);
    assert_next(&b, TENON_EV_CLOSED);
    assert_string_equal(tenon_rule_name(b.event.rule), tenon_rule_name(TENON_RULE_ABORT));
    bench_stop(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each),
        cmocka_unit_test(test_off_by_default),
        cmocka_unit_test(test_first_tick),
        cmocka_unit_test(test_last_tick),
        cmocka_unit_test(test_clock_back),
        cmocka_unit_test(test_any_octet),
        cmocka_unit_test(test_input_first),
        cmocka_unit_test(test_rx_wanted),
        cmocka_unit_test(test_rtt),
        cmocka_unit_test(test_ping_queued),
        cmocka_unit_test(test_ping_without_tx),
        cmocka_unit_test(test_pong_timeout),
        cmocka_unit_test(test_pong_default),
        cmocka_unit_test(test_stall),
        cmocka_unit_test(test_rests_for_one_octet),
        cmocka_unit_test(test_same_time),
        cmocka_unit_test(test_ping_room),
        cmocka_unit_test(test_close_after_rest),
        cmocka_unit_test(test_kept_event),
        cmocka_unit_test(test_kept_event_and_pong),
        cmocka_unit_test(test_silence_without_memory),
        cmocka_unit_test(test_kept_request),
        cmocka_unit_test(test_close_behind),
        cmocka_unit_test(test_close_stalls),
        cmocka_unit_test(test_never_past),
        cmocka_unit_test(test_rtt_beyond_32_bits),
        cmocka_unit_test(test_ping_without_room),
        cmocka_unit_test(test_ping_without_key),
        cmocka_unit_test(test_no_ping_behind_a_close),
        cmocka_unit_test(test_ping_leaves_behind_a_close),
        cmocka_unit_test(test_kept_open),
        cmocka_unit_test(test_ping_each_millisecond),
        cmocka_unit_test(test_no_deadline_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
