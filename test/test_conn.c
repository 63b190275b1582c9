/* SPDX-License-Identifier: MIT */
#include "harness.h"

#include "conn.h"

enum { SERVER = TENON_SERVER, CLIENT = TENON_CLIENT };

static const int roles[] = {SERVER, CLIENT};

/* ---------------------------------------------------------------- the states */

/* Every state that tenon_state and the order of calls tell apart; all queued
 * output is sent, no event is current but CLOSED. */
enum { HEAD, DECIDE, OPENING, OPEN, CLOSING, DRAIN, END, DEAD, ASK, ASKED, BODY, STATES };

static const tenon_request *request(void)
{
    static tenon_request r;
    r = request_to("ws://example.com/");
    return &r;
}

static void enter_client(bench *b, int state)
{
    bench_client(b);
    bench_start(b, 1024, 2048);
    if (state == ASK)
        return;
    assert_int_equal(tenon_connect(b->conn, request()), TENON_OK);
    flush_out(b);
    if (state == ASKED)
        return;
    give_text(b, "HTTP/1.1 404 Not Found\r\n\r\n");
    assert_next(b, TENON_EV_RESPONSE);
    assert_none(b);
}

static void enter(bench *b, int state)
{
    if (state >= ASK) {
        enter_client(b, state);
        return;
    }
    bench_server(b);
    bench_start(b, 1024, 2048);
    if (state == HEAD)
        return;
    give_text(b, REQUEST);
    assert_next(b, TENON_EV_REQUEST);
    assert_none(b);
    if (state == DECIDE)
        return;
    assert_int_equal(tenon_accept(b->conn, NULL), TENON_OK);
    flush_out(b);
    b->read = b->wire_size;
    if (state == OPENING)
        return;
    assert_next(b, TENON_EV_OPEN);
    assert_none(b);
    if (state == CLOSING)
        assert_int_equal(tenon_close(b->conn, 1000, NULL, 0), TENON_OK);
    if (state == DRAIN)
        give(b, "\xff", 1);
    if (state == END || state == DEAD)
        assert_int_equal(tenon_abort(b->conn, TENON_LOCAL), TENON_OK);
    if (state == DRAIN)
        assert_none(b);
    if (state == DEAD)
        assert_next(b, TENON_EV_CLOSED);
    flush_out(b);
}

static const struct {
    int state;
    uint32_t wants;
    int ending;
} expected[STATES] = {
    {TENON_CONNECTING, TENON_WANTS_READ, 0},
    {TENON_CONNECTING, TENON_WANTS_DECISION, 0},
    {TENON_OPEN, TENON_WANTS_NEXT, 0},
    {TENON_OPEN, TENON_WANTS_READ, 0},
    {TENON_CLOSING, TENON_WANTS_READ, 1},
    {TENON_CLOSING, TENON_WANTS_READ | TENON_WANTS_SHUT_WR, 1},
    {TENON_CLOSED, TENON_WANTS_NEXT, 1},
    {TENON_CLOSED, TENON_WANTS_CLOSE, 1},
    {TENON_CONNECTING, TENON_WANTS_READ, 0},
    {TENON_CONNECTING, TENON_WANTS_READ, 0},
    {TENON_CLOSING, TENON_WANTS_READ, 1},
};

/* covers: 6455-7.1.3-01 */
static void test_states(void **state)
{
    int i;
    (void)state;
    for (i = 0; i < STATES; i++) {
        tenon_event ending;
        bench b;
        enter(&b, i);
        assert_int_equal(tenon_state(b.conn), expected[i].state);
        assert_int_equal(tenon_wants(b.conn), expected[i].wants);
        assert_int_equal(tenon_ending(b.conn, &ending), expected[i].ending ? TENON_EVENT : TENON_OK);
        if (expected[i].ending)
            assert_int_equal(ending.type, TENON_EV_CLOSED);
        bench_stop(&b);
    }
}

/* ---------------------------------------------------------------- the calls */

static uint8_t octet[4096];

static int call_recv(bench *b)
{
    return tenon_recv(b->conn, octet, 1);
}
static int call_recv_const(bench *b)
{
    return tenon_recv_const(b->conn, octet, 1);
}
static int call_again(bench *b)
{
    return tenon_again(b->conn);
}
static int call_abort(bench *b)
{
    return tenon_abort(b->conn, TENON_REMOTE);
}
static int call_sent(bench *b)
{
    return tenon_sent(b->conn, 1);
}
static int call_send(bench *b)
{
    return tenon_send(b->conn, TENON_TEXT, "a", 1, 0);
}
static int call_part(bench *b)
{
    return tenon_send_part(b->conn, TENON_TEXT, "a", 1, 0);
}
static int call_ref(bench *b)
{
    return tenon_send_ref(b->conn, TENON_TEXT, "a", 1, 0, NULL);
}
static int call_prepared(bench *b)
{
    tenon_prepared prepared;
    assert_int_equal(tenon_prepare(&prepared, sizeof prepared, TENON_TEXT, "a", 1, 0), TENON_OK);
    return tenon_send_prepared(b->conn, &prepared, 0, NULL);
}
static int call_ping(bench *b)
{
    return tenon_ping(b->conn, "a", 1);
}
static int call_pong(bench *b)
{
    return tenon_pong(b->conn, "a", 1);
}
static int call_close(bench *b)
{
    return tenon_close(b->conn, 1000, "a", 1);
}
static int call_grant(bench *b)
{
    return tenon_grant(b->conn, TENON_RSV1, TENON_RSV2, TENON_OPAQUE);
}
static int call_accept(bench *b)
{
    return tenon_accept(b->conn, NULL);
}
static int call_reject(bench *b)
{
    tenon_refusal refusal;
    memset(&refusal, 0, sizeof refusal);
    refusal.size = (uint32_t)sizeof refusal;
    refusal.status = 403;
    return tenon_reject(b->conn, &refusal);
}
static int call_connect(bench *b)
{
    return tenon_connect(b->conn, request());
}
static int call_lend_rx(bench *b)
{
    return tenon_lend_rx(b->conn, octet, sizeof octet);
}
static int call_lend_tx(bench *b)
{
    return tenon_lend_tx(b->conn, octet, sizeof octet);
}
static int call_eof(bench *b)
{
    return tenon_eof(b->conn);
}
static int call_unlend(bench *b)
{
    const void *rest;
    size_t n;
    return tenon_unlend(b->conn, &rest, &n);
}
static int call_shut(bench *b)
{
    return tenon_shut(b->conn);
}
static int call_tick(bench *b)
{
    return tenon_tick(b->conn, 5);
}
static int call_stats(bench *b)
{
    return tenon_lend_stats(b->conn, NULL);
}

/* For each state in the order above: o TENON_OK, S STATE, B BUSY, A ACK. */
static const struct {
    const char *name;
    int (*call)(bench *b);
    const char *outcome;
} calls[] = {
    {"tenon_recv", call_recv, "ooooooSSooo"},
    {"tenon_recv_const", call_recv_const, "ooooooSSooo"},
    {"tenon_unlend", call_unlend, "ooooooooooo"},
    {"tenon_eof", call_eof, "ooooooooooo"},
    {"tenon_shut", call_shut, "ooooooooooo"},
    {"tenon_tick", call_tick, "ooooooooooo"},
    {"tenon_lend_stats", call_stats, "ooooooooooo"},
    {"tenon_again", call_again, "SSSSSSSSSSS"},
    {"tenon_abort", call_abort, "oooooooSooo"},
    {"tenon_sent", call_sent, "AAAAAAAAAAA"},
    {"tenon_send", call_send, "SSooSSSSSSS"},
    {"tenon_send_part", call_part, "SSooSSSSSSS"},
    {"tenon_send_ref", call_ref, "SSooSSSSSSS"},
    {"tenon_send_prepared", call_prepared, "SSooSSSSSSS"},
    {"tenon_ping", call_ping, "SSooSSSSSSS"},
    {"tenon_pong", call_pong, "SSooSSSSSSS"},
    {"tenon_close", call_close, "ooooooSSooo"},
    {"tenon_grant", call_grant, "SooSSSSSSSS"},
    {"tenon_accept", call_accept, "SoSSSSSSSSS"},
    {"tenon_reject", call_reject, "SoSSSSSSSSS"},
    {"tenon_connect", call_connect, "SSSSSSSSoSS"},
    {"tenon_lend_rx", call_lend_rx, "oBBoooooooo"},
    {"tenon_lend_tx", call_lend_tx, "ooooooooooo"},
};

/* Every call in every state: the named error, and then not one octet is changed. */
/* covers: 6455-4.1-19 6455-5.5.1-09 6455-5.8-01 WHATWG-dom-websocket-send-01 WHATWG-dom-websocket-close-03 */
static void test_calls(void **state)
{
    size_t i;
    int s;
    (void)state;
    for (i = 0; i < COUNT_OF(calls); i++) {
        for (s = 0; s < STATES; s++) {
            tenon_storage before;
            int status, named;
            bench b;
            enter(&b, s);
            assert_int_equal(strlen(calls[i].outcome), STATES);
            switch (calls[i].outcome[s]) {
            case 'S':
                named = TENON_ERR_STATE;
                break;
            case 'B':
                named = TENON_ERR_BUSY;
                break;
            case 'A':
                named = TENON_ERR_ACK;
                break;
            default:
                named = TENON_OK;
                break;
            }
            before = b.storage;
            status = calls[i].call(&b);
            if (status != named)
                print_error("%s in state %d: %s\n", calls[i].name, s, tenon_status_name(status));
            assert_int_equal(status, named);
            if (status != TENON_OK) {
                assert_memory_equal(&before, &b.storage, sizeof before);
                assert_int_equal(tenon_queued(b.conn), 0);
            }
            bench_stop(&b);
        }
    }
}

/* ----------------------------------------------------------------- arguments */

static void test_null(void **state)
{
    tenon_event event;
    tenon_storage memory;
    tenon_config config;
    tenon_conn *conn;
    const void *rest;
    size_t n;
    (void)state;
    assert_int_equal(tenon_config_open(NULL, sizeof config, SERVER), TENON_ERR_NULL);
    assert_int_equal(tenon_config_server(NULL, sizeof config), TENON_ERR_NULL);
    assert_int_equal(tenon_config_client(NULL, sizeof config), TENON_ERR_NULL);
    assert_int_equal(tenon_config_server(&config, sizeof config), TENON_OK);
    assert_int_equal(tenon_init(NULL, sizeof memory, &config, &conn), TENON_ERR_NULL);
    assert_int_equal(tenon_init(&memory, sizeof memory, NULL, &conn), TENON_ERR_NULL);
    assert_int_equal(tenon_init(&memory, sizeof memory, &config, NULL), TENON_ERR_NULL);
    assert_int_equal(tenon_lend_rx(NULL, NULL, 0), TENON_ERR_NULL);
    assert_int_equal(tenon_lend_tx(NULL, NULL, 0), TENON_ERR_NULL);
    assert_int_equal(tenon_lend(NULL, NULL, 0, NULL, 0), TENON_ERR_NULL);
    assert_int_equal(tenon_lend_stats(NULL, NULL), TENON_ERR_NULL);
    assert_int_equal(tenon_recv(NULL, &memory, 1), TENON_ERR_NULL);
    assert_int_equal(tenon_recv_const(NULL, &memory, 1), TENON_ERR_NULL);
    assert_int_equal(tenon_unlend(NULL, &rest, &n), TENON_ERR_NULL);
    assert_int_equal(tenon_shut(NULL), TENON_ERR_NULL);
    assert_int_equal(tenon_eof(NULL), TENON_ERR_NULL);
    assert_int_equal(tenon_abort(NULL, TENON_LOCAL), TENON_ERR_NULL);
    assert_int_equal(tenon_tick(NULL, 0), TENON_ERR_NULL);
    assert_int_equal(tenon_next(NULL, &event), TENON_ERR_NULL);
    assert_int_equal(tenon_again(NULL), TENON_ERR_NULL);
    assert_int_equal(tenon_ending(NULL, &event), TENON_ERR_NULL);
    assert_int_equal(tenon_guard(NULL, 1), TENON_ERR_NULL);
    assert_int_equal(tenon_state(NULL), TENON_CLOSED);
    assert_int_equal(tenon_wants(NULL), 0);
    assert_int_equal(tenon_rx_needed(NULL), 0);
    assert_true(tenon_deadline(NULL) == TENON_NEVER);
}

static void test_null_output(void **state)
{
    tenon_prepared prepared;
    tenon_refusal refusal;
    tenon_head head;
    tenon_iov iov;
    size_t n;
    memset(&prepared, 0, sizeof prepared);
    memset(&refusal, 0, sizeof refusal);
    (void)state;
    assert_int_equal(tenon_out(NULL, &iov, 1, &n), TENON_ERR_NULL);
    assert_int_equal(tenon_sent(NULL, 0), TENON_ERR_NULL);
    assert_int_equal(tenon_send(NULL, TENON_TEXT, "a", 1, 0), TENON_ERR_NULL);
    assert_int_equal(tenon_send_part(NULL, TENON_TEXT, "a", 1, 0), TENON_ERR_NULL);
    assert_int_equal(tenon_send_ref(NULL, TENON_TEXT, "a", 1, 0, NULL), TENON_ERR_NULL);
    assert_int_equal(tenon_send_prepared(NULL, &prepared, 0, NULL), TENON_ERR_NULL);
    assert_int_equal(tenon_ping(NULL, "a", 1), TENON_ERR_NULL);
    assert_int_equal(tenon_pong(NULL, "a", 1), TENON_ERR_NULL);
    assert_int_equal(tenon_close(NULL, 1000, NULL, 0), TENON_ERR_NULL);
    assert_int_equal(tenon_grant(NULL, 0, 0, 0), TENON_ERR_NULL);
    assert_int_equal(tenon_head_get(NULL, &head), TENON_ERR_NULL);
    assert_int_equal(tenon_accept(NULL, NULL), TENON_ERR_NULL);
    assert_int_equal(tenon_reject(NULL, &refusal), TENON_ERR_NULL);
    assert_int_equal(tenon_connect(NULL, request()), TENON_ERR_NULL);
    assert_int_equal(tenon_queued(NULL), 0);
}

#define refuses(b, call, status)                                        \
    do {                                                                \
        tenon_storage before = (b)->storage;                            \
        assert_int_equal(call, status);                                 \
        assert_memory_equal(&before, &(b)->storage, sizeof before);     \
    } while (0)

static void test_arguments(void **state)
{
    tenon_event event;
    tenon_stats stats;
    tenon_iov iov;
    size_t n;
    const void *rest;
    bench b;
    (void)state;
    memset(&stats, 0, sizeof stats);
    stats.size = (uint32_t)sizeof stats - 1;
    enter(&b, OPEN);
    refuses(&b, tenon_next(b.conn, NULL), TENON_ERR_NULL);
    refuses(&b, tenon_ending(b.conn, NULL), TENON_ERR_NULL);
    refuses(&b, tenon_recv(b.conn, NULL, 1), TENON_ERR_NULL);
    refuses(&b, tenon_recv_const(b.conn, NULL, 1), TENON_ERR_NULL);
    refuses(&b, tenon_unlend(b.conn, NULL, &n), TENON_ERR_NULL);
    refuses(&b, tenon_unlend(b.conn, &rest, NULL), TENON_ERR_NULL);
    refuses(&b, tenon_abort(b.conn, 0), TENON_ERR_ARG);
    refuses(&b, tenon_abort(b.conn, 3), TENON_ERR_ARG);
    refuses(&b, tenon_out(b.conn, NULL, 1, &n), TENON_ERR_NULL);
    refuses(&b, tenon_out(b.conn, &iov, 1, NULL), TENON_ERR_NULL);
    refuses(&b, tenon_sent(b.conn, SIZE_MAX), TENON_ERR_ACK);
    refuses(&b, tenon_send(b.conn, TENON_TEXT, NULL, 1, 0), TENON_ERR_NULL);
    refuses(&b, tenon_send(b.conn, 3, "a", 1, 0), TENON_ERR_ARG);
    refuses(&b, tenon_send(b.conn, -1, "a", 1, 0), TENON_ERR_ARG);
    refuses(&b, tenon_send_part(b.conn, TENON_TEXT, NULL, 1, 0), TENON_ERR_NULL);
    refuses(&b, tenon_send_part(b.conn, TENON_CONTINUATION, "a", 1, 0), TENON_ERR_ARG);
    refuses(&b, tenon_send_ref(b.conn, TENON_BINARY, NULL, 1, 0, NULL), TENON_ERR_NULL);
    refuses(&b, tenon_send_ref(b.conn, TENON_OP_PONG, "a", 1, 0, NULL), TENON_ERR_ARG);
    refuses(&b, tenon_ping(b.conn, NULL, 1), TENON_ERR_NULL);
    refuses(&b, tenon_pong(b.conn, "a", 126), TENON_ERR_CONTROL_SIZE);
    refuses(&b, tenon_close(b.conn, 1000, NULL, 1), TENON_ERR_NULL);
    refuses(&b, tenon_lend_rx(b.conn, octet, TENON_RX_MIN - 1), TENON_ERR_SIZE);
    refuses(&b, tenon_lend_rx(b.conn, NULL, 1), TENON_ERR_NULL);
    refuses(&b, tenon_lend_tx(b.conn, octet, TENON_TX_MIN - 1), TENON_ERR_SIZE);
    refuses(&b, tenon_lend_tx(b.conn, NULL, 1), TENON_ERR_NULL);
    refuses(&b, tenon_lend(b.conn, octet, 256, octet + 256, TENON_TX_MIN - 1), TENON_ERR_SIZE); /* all or nothing */
    refuses(&b, tenon_lend(b.conn, octet, 255, octet + 256, TENON_TX_MIN), TENON_ERR_SIZE);
    refuses(&b, tenon_lend_stats(b.conn, &stats), TENON_ERR_SIZE);
    refuses(&b, tenon_head_get(b.conn, NULL), TENON_ERR_NULL);
    refuses(&b, tenon_reject(b.conn, NULL), TENON_ERR_NULL);
    refuses(&b, tenon_run(b.conn, NULL, NULL), TENON_ERR_NULL);
    assert_int_equal(tenon_out(b.conn, NULL, 0, &n), TENON_OK);
    assert_int_equal(tenon_sent(b.conn, 0), TENON_OK);
    assert_int_equal(tenon_send(b.conn, TENON_TEXT, NULL, 0, 0), TENON_OK);
    bench_stop(&b);
    enter(&b, OPENING);
    refuses(&b, tenon_grant(b.conn, 0x80, 0, 0), TENON_ERR_ARG);
    refuses(&b, tenon_grant(b.conn, 0, TENON_LAST, 0), TENON_ERR_ARG);
    refuses(&b, tenon_grant(b.conn, 0, 0, 2), TENON_ERR_ARG);
    assert_int_equal(tenon_next(b.conn, &event), TENON_EVENT);
    bench_stop(&b);
}

static void test_init(void **state)
{
    static union {
        tenon_storage storage[2];
        unsigned char bytes[2 * TENON_STORAGE_SIZE];
    } memory;
    static const struct {
        char octet;
        uint64_t number;
    } places; /* where a number of 8 octets may lie: on some processors at multiples of 4 */
    size_t alignment = (size_t)((const char *)&places.number - &places.octet);
    size_t less = offsetof(tenon_config, transform_config); /* its end may be padding */
    tenon_config config, other;
    tenon_conn *conn = NULL;
    size_t i;
    (void)state;
    assert_true(tenon_conn_size() <= 384);
    assert_int_equal(TENON_STORAGE_SIZE, 384);
    assert_int_equal(sizeof(tenon_storage), 384);
    assert_int_equal(sizeof(tenon_event), 64);
    assert_int_equal(tenon_config_server(&config, less), TENON_ERR_SIZE);
    assert_int_equal(tenon_config_client(&config, less), TENON_ERR_SIZE);
    assert_int_equal(tenon_config_open(&config, less, SERVER), TENON_ERR_SIZE);
    assert_int_equal(tenon_config_open(&config, sizeof config, 0), TENON_ERR_ARG);
    assert_int_equal(tenon_config_open(&config, sizeof config, 3), TENON_ERR_ARG);
    assert_int_equal(tenon_config_server(&config, sizeof config + 8), TENON_OK);
    assert_int_equal(config.size, sizeof config);
    memset(&memory, 0x11, sizeof memory);
    for (i = 0; i < 8; i++) { /* each misplacement but none */
        int status = tenon_init(memory.bytes + i, TENON_STORAGE_SIZE, &config, &conn);
        assert_int_equal(status, i % alignment == 0 ? TENON_OK : TENON_ERR_SIZE);
    }
    assert_int_equal(tenon_init(&memory, tenon_conn_size(), &config, &conn), TENON_OK);
    memset(&memory, 0x11, sizeof memory);
    conn = NULL;
    assert_int_equal(tenon_init(&memory, tenon_conn_size() - 1, &config, &conn), TENON_ERR_SIZE);
    other = config;
    other.size = (uint32_t)less;
    assert_int_equal(tenon_init(&memory, sizeof memory, &other, &conn), TENON_ERR_SIZE);
    other = config;
    other.role = 0;
    assert_int_equal(tenon_init(&memory, sizeof memory, &other, &conn), TENON_ERR_ARG);
    assert_int_equal(tenon_config_client(&other, sizeof other), TENON_OK);
    assert_int_equal(tenon_init(&memory, sizeof memory, &other, &conn), TENON_ERR_RANDOM);
    assert_null(conn);
    for (i = 0; i < sizeof memory; i++)
        assert_int_equal(memory.bytes[i], 0x11);
}

/* ------------------------------------------------------------------- lending */

/* tx changes only when the queue is empty. */
static void test_lend_tx(void **state)
{
    static uint8_t tx[2][600];
    bench b;
    (void)state;
    enter(&b, OPEN);
    assert_int_equal(tenon_send(b.conn, TENON_TEXT, "ab", 2, 0), TENON_OK);
    refuses(&b, tenon_lend_tx(b.conn, tx[0], 600), TENON_ERR_BUSY);
    refuses(&b, tenon_lend_tx(b.conn, NULL, 0), TENON_ERR_BUSY);
    assert_int_equal(take_out(&b, 3), 3);
    refuses(&b, tenon_lend_tx(b.conn, NULL, 0), TENON_ERR_BUSY);
    assert_int_equal(take_out(&b, 3), 1);
    assert_int_equal(tenon_lend_tx(b.conn, tx[0], 600), TENON_OK);
    assert_int_equal(tenon_send_ref(b.conn, TENON_TEXT, "cd", 2, 0, NULL), TENON_OK);
    flush_out(&b);
    refuses(&b, tenon_lend_tx(b.conn, tx[1], 600), TENON_ERR_BUSY); /* RELEASED is to come */
    assert_next(&b, TENON_EV_RELEASED);
    assert_int_equal(tenon_lend_tx(b.conn, tx[1], 600), TENON_OK);
    assert_int_equal(tenon_close(b.conn, 1000, NULL, 0), TENON_OK);
    refuses(&b, tenon_lend_tx(b.conn, tx[0], 600), TENON_ERR_BUSY);
    flush_out(&b);
    assert_wire(&b, 0x81, "ab", 2);
    assert_wire(&b, 0x81, "cd", 2);
    assert_wire_close(&b, 1000);
    bench_stop(&b);
    bench_config(&b, SERVER);
    bench_open_sized(&b, 256, 0);
    refuses(&b, tenon_close(b.conn, 1000, NULL, 0), TENON_ERR_STATE); /* tx is lacking */
    give_frame(&b, 0x88, "\x03\xe8", 2);
    assert_next(&b, TENON_EV_CLOSE);
    assert_none(&b);
    assert_true((tenon_wants(b.conn) & TENON_WANTS_TX) != 0);
    assert_int_equal(tenon_lend_tx(b.conn, tx[0], TENON_TX_MIN), TENON_OK);
    flush_out(&b);
    assert_wire_close(&b, 1000);
    assert_next(&b, TENON_EV_CLOSED);
    assert_int_equal(b.event.flags, TENON_CLEAN);
    bench_stop(&b);
}

/* An exchange of rx never leaves OPEN with a subprotocol in the old one. */
static void test_lend_rx_opening(void **state)
{
    tenon_answer answer;
    uint8_t *other = malloc(2048);
    bench b;
    (void)state;
    memset(&answer, 0, sizeof answer);
    answer.size = (uint32_t)sizeof answer;
    answer.subprotocol = "chat";
    bench_server(&b);
    bench_start(&b, 1024, 1024);
    give_text(&b, REQUEST_FIELDS "Sec-WebSocket-Protocol: a, chat\r\n\r\n");
    assert_next(&b, TENON_EV_REQUEST);
    assert_none(&b);
    assert_int_equal(tenon_accept(b.conn, &answer), TENON_OK);
    if (tenon_lend_rx(b.conn, other, 2048) == TENON_OK)
        memset(b.rx, 0xee, b.rx_size);
    assert_next(&b, TENON_EV_OPEN);
    assert_data(&b, "chat", 4);
    assert_int_equal(tenon_lend_rx(b.conn, other, 2048), TENON_ERR_BUSY);
    assert_none(&b);
    assert_int_equal(tenon_lend_rx(b.conn, other, 2048), TENON_OK);
    bench_stop(&b);
    free(other);
}

/* OPEN of a connection that was opened elsewhere has nothing in rx. */
static void test_lend_rx_without_a_head(void **state)
{
    uint8_t *other = malloc(2048);
    bench b;
    (void)state;
    bench_config(&b, SERVER);
    bench_start(&b, 1024, 1024);
    assert_next(&b, TENON_EV_OPEN);
    assert_int_equal(tenon_lend_rx(b.conn, other, 2048), TENON_OK);
    bench_stop(&b);
    free(other);
}

/* What was there of a message is of no use after a failure, and holds no rx. */
static void test_lend_rx_after_a_failure(void **state)
{
    bench b;
    (void)state;
    bench_open(&b, SERVER);
    give_frame(&b, 0x01, "half", 4);
    assert_none(&b);
    assert_int_equal(tenon_lend_rx(b.conn, NULL, 0), TENON_ERR_BUSY);
    give_frame(&b, 0x81, "another", 7);
    assert_none(&b);
    assert_int_equal(tenon_state(b.conn), TENON_CLOSING);
    assert_int_equal(tenon_lend_rx(b.conn, NULL, 0), TENON_OK);
    run_to_closed(&b);
    assert_int_equal(b.event.rule, TENON_RULE_UNFINISHED);
    bench_stop(&b);
}

/* An abort leaves nothing of what was lent. */
static void test_nothing_to_unlend(void **state)
{
    const void *rest;
    size_t n = 99;
    bench b;
    (void)state;
    bench_open(&b, CLIENT);
    give(&b, "\x81\x01" "a" "\x81\x01" "b", 6);
    assert_next(&b, TENON_EV_DATA);
    assert_int_equal(tenon_abort(b.conn, TENON_LOCAL), TENON_OK);
    assert_int_equal(tenon_unlend(b.conn, &rest, &n), TENON_OK);
    assert_int_equal(n, 0);
    assert_next(&b, TENON_EV_CLOSED);
    bench_stop(&b);
}

/* ------------------------------------------------------------------ re-entry */

static int nested(tenon_conn *conn, const tenon_event *event, void *user)
{
    tenon_event other;
    tenon_io io;
    const void *rest;
    size_t n;
    unsigned *seen = user;
    *seen |= 1u << event->type;
    if (event->type == TENON_EV_CLOSED)
        return TENON_CONTINUE;
    memset(&io, 0, sizeof io);
    assert_int_equal(tenon_next(conn, &other), TENON_ERR_REENTRY);
    assert_int_equal(tenon_run(conn, nested, user), TENON_ERR_REENTRY);
    assert_int_equal(tenon_recv(conn, octet, 1), TENON_ERR_REENTRY);
    assert_int_equal(tenon_recv_const(conn, octet, 1), TENON_ERR_REENTRY);
    assert_int_equal(tenon_unlend(conn, &rest, &n), TENON_ERR_REENTRY);
    assert_int_equal(tenon_guard(conn, 1), TENON_ERR_REENTRY);
    if (event->type == TENON_EV_REQUEST)
        assert_int_equal(tenon_accept(conn, NULL), TENON_OK);
    return TENON_CONTINUE;
}

/* What must not be nested is refused inside every event. */
static void test_reentry(void **state)
{
    unsigned seen = 0, all;
    uint8_t octets[64];
    size_t n = 0;
    bench b;
    (void)state;
    enter(&b, HEAD);
    give_text(&b, REQUEST);
    assert_int_equal(tenon_run(b.conn, nested, &seen), TENON_OK);
    flush_out(&b);
    assert_int_equal(tenon_send_ref(b.conn, TENON_TEXT, "a", 1, 0, NULL), TENON_OK);
    assert_int_equal(tenon_send(b.conn, TENON_BINARY, octet, 1700, 0), TENON_OK);
    assert_int_equal(tenon_send(b.conn, TENON_BINARY, octet, 1700, 0), TENON_ERR_AGAIN);
    flush_out(&b);
    n += peer_frame(SERVER, octets + n, 0x81, "a", 1);
    n += peer_frame(SERVER, octets + n, 0x89, "a", 1);
    n += peer_frame(SERVER, octets + n, 0x8a, "a", 1);
    n += peer_frame(SERVER, octets + n, 0x88, "\x03\xe8", 2);
    give(&b, octets, n);
    assert_int_equal(tenon_run(b.conn, nested, &seen), TENON_OK);
    flush_out(&b);
    assert_int_equal(tenon_run(b.conn, nested, &seen), TENON_DONE);
    bench_stop(&b);
    enter(&b, ASKED);
    give_text(&b, "HTTP/1.1 404 Not Found\r\n\r\nno");
    assert_int_equal(tenon_run(b.conn, nested, &seen), TENON_OK);
    assert_int_equal(tenon_eof(b.conn), TENON_OK);
    assert_int_equal(tenon_run(b.conn, nested, &seen), TENON_DONE);
    bench_stop(&b);
    for (all = 0, n = TENON_EV_REQUEST; n <= TENON_EV_CLOSED; n++)
        all |= 1u << n;
    assert_int_equal(seen, all);
}

static void test_guard(void **state)
{
    tenon_event event;
    bench b;
    (void)state;
    enter(&b, OPEN);
    assert_int_equal(tenon_guard(b.conn, 1), TENON_OK);
    assert_int_equal(tenon_guard(b.conn, 1), TENON_ERR_REENTRY);
    assert_int_equal(tenon_next(b.conn, &event), TENON_ERR_REENTRY);
    assert_int_equal(tenon_send(b.conn, TENON_TEXT, "a", 1, 0), TENON_OK);
    assert_int_equal(tenon_guard(b.conn, 0), TENON_OK);
    assert_int_equal(tenon_guard(b.conn, 0), TENON_OK);
    assert_int_equal(tenon_next(b.conn, &event), TENON_OK);
    bench_stop(&b);
}

/* ---------------------------------------------- everything from every event */

enum { DO_NOTHING, DO_CLOSE, DO_REJECT, DO_ACCEPT, DO_SEND, DO_REF, DO_ABORT, DO_STOP, DO_AGAIN, DO_EOF, ACTIONS };

typedef struct deed {
    int action;
    unsigned at, count; /* the event at which it is done; events so far */
    unsigned refs, released, closed;
} deed;

static int act(tenon_conn *conn, deed *d)
{
    static const char body[] = "no";
    tenon_refusal refusal;
    memset(&refusal, 0, sizeof refusal);
    refusal.size = (uint32_t)sizeof refusal;
    refusal.status = 403;
    refusal.body = body;
    refusal.body_size = 2;
    if (d->action == DO_CLOSE)
        (void)tenon_close(conn, 1000, NULL, 0);
    if (d->action == DO_REJECT)
        d->refs += tenon_reject(conn, &refusal) == TENON_OK;
    if (d->action == DO_ACCEPT)
        (void)tenon_accept(conn, NULL);
    if (d->action == DO_SEND)
        (void)tenon_send(conn, TENON_TEXT, "sent", 4, 0);
    if (d->action == DO_REF)
        d->refs += tenon_send_ref(conn, TENON_BINARY, octet, 300, 0, NULL) == TENON_OK;
    if (d->action == DO_ABORT)
        (void)tenon_abort(conn, TENON_LOCAL);
    if (d->action == DO_EOF)
        (void)tenon_eof(conn);
    return d->action == DO_STOP ? TENON_STOP : d->action == DO_AGAIN ? TENON_AGAIN : TENON_CONTINUE;
}

static int perform(tenon_conn *conn, const tenon_event *event, void *user)
{
    deed *d = user;
    int answer = TENON_CONTINUE;
    d->released += event->type == TENON_EV_RELEASED;
    d->closed += event->type == TENON_EV_CLOSED;
    if (d->count++ == d->at)
        answer = act(conn, d);
    if (answer == TENON_AGAIN && event->type == TENON_EV_RELEASED)
        d->released--; /* it comes again */
    if (event->type == TENON_EV_REQUEST)
        (void)tenon_accept(conn, NULL);
    if (event->type == TENON_EV_OPEN)
        d->refs += tenon_send_ref(conn, TENON_BINARY, octet, 100, 0, NULL) == TENON_OK;
    if (event->type == TENON_EV_PING)
        (void)tenon_send(conn, TENON_BINARY, octet, 1700, 0);
    return answer;
}

static void run_deed(bench *b, deed *d)
{
    int status, turns = 0;
    do {
        status = tenon_run(b->conn, perform, d);
        assert_true(status == TENON_OK || status == TENON_STOPPED || status == TENON_DONE);
        if (status != TENON_DONE)
            take_out(b, 500);
        if (status == TENON_OK && tenon_queued(b->conn) == 0)
            assert_int_equal(tenon_eof(b->conn), TENON_OK);
        assert_true(++turns < 1000);
    } while (status != TENON_DONE);
}

/* Each deed at each event of a server's and of a client's life: one CLOSED, and all
 * that was referenced is released. */
static void test_deeds(void **state)
{
    int action, client;
    (void)state;
    for (client = 0; client < 2; client++) {
        for (action = 0; action < ACTIONS; action++) {
            deed d;
            unsigned at = 0;
            do {
                uint8_t octets[512];
                size_t n = 0;
                bench b;
                memset(&d, 0, sizeof d);
                d.action = action;
                d.at = at++;
                enter(&b, client ? ASKED : HEAD);
                if (client)
                    n += make_answer(&b, (char *)octets, sizeof octets, "");
                else
                    memcpy(octets, REQUEST, n += sizeof REQUEST - 1);
                n += peer_frame(role_of(&b), octets + n, 0x81, "a", 1);
                n += peer_frame(role_of(&b), octets + n, 0x89, "a", 1);
                n += peer_frame(role_of(&b), octets + n, 0x89, "b", 1);
                n += peer_frame(role_of(&b), octets + n, 0x8a, "a", 1);
                n += peer_frame(role_of(&b), octets + n, 0x02, "a", 1);
                n += peer_frame(role_of(&b), octets + n, 0x80, "b", 1);
                n += peer_frame(role_of(&b), octets + n, 0x88, "\x03\xe8", 2);
                give(&b, octets, n);
                run_deed(&b, &d);
                assert_int_equal(d.closed, 1);
                assert_int_equal(d.released, d.refs);
                assert_int_equal(tenon_state(b.conn), TENON_CLOSED);
                bench_stop(&b);
            } while (d.count > d.at);
            assert_true(at > 9 || client);
        }
    }
}

/* ------------------------------------------------------------------- endings */

/* EOF in each state: one CLOSED with 1006, cause and rule. */
/* covers: 6455-7.1.5-03 6455-7.2.1-01 6455-7.1.4-01 6455-4.1-03 6455-5.4-12 WHATWG-feedback-from-the-protocol-02 WHATWG-feedback-from-the-protocol-03 6455-7.2.2-01 */
static void test_eof(void **state)
{
    int s;
    (void)state;
    for (s = 0; s < STATES; s++) {
        bench b;
        enter(&b, s);
        if (s >= END) {
            bench_stop(&b);
            continue;
        }
        if (s == OPEN)
            give_frame(&b, 0x01, "half", 4);
        while (next(&b) != 0) {
        }
        run_to_closed(&b);
        assert_int_equal(b.event.code, TENON_CLOSE_ABNORMAL);
        assert_int_equal(b.event.received_code, 0);
        assert_int_equal(b.event.sent_code, s == CLOSING ? 1000 : s == DRAIN ? 1002 : 0);
        assert_int_equal(b.event.cause, s == CLOSING || s == DRAIN ? TENON_LOCAL : TENON_REMOTE);
        assert_int_equal(b.event.rule, s == DRAIN ? TENON_RULE_RSV : TENON_RULE_EOF);
        assert_int_equal(b.event.flags & TENON_CLEAN, 0);
        assert_int_equal(b.event.size, 0);
        bench_stop(&b);
    }
}

/* The same for the client's two states, and for an abort with either cause. */
/* covers: 6455-7.2.1-01 6455-4.1-03 */
static void test_abort(void **state)
{
    static const int causes[] = {TENON_LOCAL, TENON_REMOTE};
    int s;
    size_t i;
    (void)state;
    for (s = 0; s < STATES; s++) {
        for (i = 0; i < COUNT_OF(causes); i++) {
            bench b;
            if (s == END || s == DEAD)
                continue;
            enter(&b, s);
            assert_int_equal(tenon_abort(b.conn, causes[i]), TENON_OK);
            assert_int_equal(tenon_state(b.conn), TENON_CLOSED);
            assert_int_equal(tenon_wants(b.conn), TENON_WANTS_NEXT);
            assert_int_equal(tenon_queued(b.conn), 0);
            assert_next(&b, TENON_EV_CLOSED);
            assert_int_equal(b.event.code, TENON_CLOSE_ABNORMAL);
            assert_int_equal(b.event.cause, s == CLOSING || s == DRAIN ? TENON_LOCAL
                                            : s == BODY ? TENON_REMOTE : causes[i]);
            assert_int_equal(b.event.rule, s == DRAIN ? TENON_RULE_RSV : s == BODY ? TENON_RULE_STATUS
                                                                                   : TENON_RULE_ABORT);
            assert_none(&b);
            assert_int_equal(tenon_abort(b.conn, causes[i]), TENON_ERR_STATE);
            bench_stop(&b);
        }
    }
}

/* tenon_abort drops the event that is held and all that is queued. */
static void test_abort_held(void **state)
{
    bench b;
    (void)state;
    enter(&b, OPEN);
    assert_int_equal(tenon_send_ref(b.conn, TENON_BINARY, octet, 4096, 0, &b), TENON_OK);
    assert_int_equal(tenon_send(b.conn, TENON_TEXT, "a", 1, 0), TENON_OK);
    give_frame(&b, 0x81, "held", 4);
    assert_next(&b, TENON_EV_DATA);
    assert_int_equal(tenon_again(b.conn), TENON_OK);
    assert_int_equal(tenon_abort(b.conn, TENON_REMOTE), TENON_OK);
    assert_int_equal(tenon_queued(b.conn), 0);
    assert_next(&b, TENON_EV_RELEASED);
    assert_ptr_equal(b.event.cookie, &b);
    assert_next(&b, TENON_EV_CLOSED);
    assert_int_equal(b.event.sent_code, 0);
    bench_stop(&b);
}

/* A Close that may not have left does not count as sent. */
/* covers: 6455-7.1.4-01 */
static void test_abort_unsent(void **state)
{
    size_t taken;
    (void)state;
    for (taken = 0; taken <= 4; taken++) {
        bench b;
        enter(&b, OPEN);
        give_frame(&b, 0x88, "\x03\xe8", 2);
        assert_next(&b, TENON_EV_CLOSE);
        assert_int_equal(take_out(&b, taken), taken);
        assert_int_equal(tenon_abort(b.conn, TENON_REMOTE), TENON_OK);
        assert_next(&b, TENON_EV_CLOSED);
        assert_int_equal(b.event.code, 1000); /* it was received */
        assert_int_equal(b.event.received_code, 1000);
        assert_int_equal(b.event.sent_code, taken == 4 ? 1000 : 0);
        assert_int_equal(b.event.flags & TENON_CLEAN, taken == 4 ? TENON_CLEAN : 0);
        assert_int_equal(b.event.rule, taken == 4 ? TENON_RULE_NONE : TENON_RULE_ABORT);
        assert_int_equal(b.event.cause, TENON_REMOTE);
        bench_stop(&b);
    }
}

/* Who closes first: code, cause, and which side waits for the end of the stream. */
/* covers: 6455-7.1.1-02 6455-5.5.1-16 6455-5.5.1-17 6455-5.5.1-18 6455-7.1.4-01 6455-7.1.5-01 6455-7.1.6-01 6455-7.1.2-01 WHATWG-feedback-from-the-protocol-02 */
static void test_who_closes(void **state)
{
    size_t r;
    int own_first;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        for (own_first = 0; own_first < 2; own_first++) {
            bench b;
            bench_open(&b, roles[r]);
            if (own_first)
                assert_int_equal(tenon_close(b.conn, 3000, "mine", 4), TENON_OK);
            give_frame(&b, 0x88, "\x0f\xa0yours", 7);
            assert_next(&b, TENON_EV_CLOSE);
            assert_int_equal(b.event.code, 4000);
            assert_data(&b, "yours", 5);
            assert_none(&b); /* not before the answer is on its way */
            assert_true((tenon_wants(b.conn) & TENON_WANTS_WRITE) != 0);
            flush_out(&b);
            if (roles[r] == CLIENT) {
                assert_none(&b);
                assert_int_equal(tenon_wants(b.conn), TENON_WANTS_READ);
                assert_int_equal(tenon_eof(b.conn), TENON_OK);
            }
            assert_true((tenon_wants(b.conn) & TENON_WANTS_NEXT) != 0);
            assert_next(&b, TENON_EV_CLOSED);
            assert_int_equal(b.event.code, 4000);
            assert_int_equal(b.event.received_code, 4000);
            assert_int_equal(b.event.sent_code, own_first ? 3000 : 4000);
            assert_int_equal(b.event.cause, own_first ? TENON_LOCAL : TENON_REMOTE);
            assert_int_equal(b.event.flags, TENON_CLEAN);
            assert_int_equal(b.event.rule, TENON_RULE_NONE);
            assert_data(&b, "yours", 5);
            bench_stop(&b);
        }
    }
}

/* A half-closed peer still gets what is queued. */
static void test_half_close(void **state)
{
    bench b;
    (void)state;
    enter(&b, OPEN);
    assert_int_equal(tenon_send(b.conn, TENON_TEXT, "last", 4, 0), TENON_OK);
    give_frame(&b, 0x81, "bye", 3);
    assert_int_equal(tenon_eof(b.conn), TENON_OK);
    assert_next(&b, TENON_EV_DATA); /* what was lent comes first */
    assert_none(&b);
    assert_int_equal(tenon_state(b.conn), TENON_CLOSING);
    assert_int_equal(tenon_wants(b.conn) & (TENON_WANTS_WRITE | TENON_WANTS_READ), TENON_WANTS_WRITE);
    flush_out(&b);
    assert_wire(&b, 0x81, "last", 4);
    assert_next(&b, TENON_EV_CLOSED);
    bench_stop(&b);
}

/* After a failure: flush, shut, discard until the end. */
/* covers: 6455-7.1.1-01 6455-7.1.7-06 6455-7.1.7-01 */
static void test_shut(void **state)
{
    static uint8_t junk[1 << 20];
    bench b;
    (void)state;
    enter(&b, OPEN);
    assert_int_equal(tenon_send(b.conn, TENON_TEXT, "before", 6, 0), TENON_OK);
    give(&b, "\x83", 1);
    assert_none(&b);
    assert_int_equal(tenon_wants(b.conn), TENON_WANTS_WRITE | TENON_WANTS_READ);
    flush_out(&b);
    assert_wire(&b, 0x81, "before", 6);
    assert_wire_close(&b, 1002);
    assert_int_equal(tenon_wants(b.conn), TENON_WANTS_SHUT_WR | TENON_WANTS_READ);
    assert_int_equal(tenon_shut(b.conn), TENON_OK);
    assert_int_equal(tenon_wants(b.conn), TENON_WANTS_READ);
    memset(junk, 0x5a, sizeof junk);
    give(&b, junk, sizeof junk);
    assert_none(&b);
    assert_int_equal(tenon_wants(b.conn), TENON_WANTS_READ);
    assert_int_equal(tenon_state(b.conn), TENON_CLOSING);
    run_to_closed(&b);
    assert_wire_end(&b);
    assert_int_equal(b.event.rule, TENON_RULE_OPCODE);
    bench_stop(&b);
}

/* tenon_ending says what CLOSED will, as far as it is known. */
static void test_ending(void **state)
{
    tenon_event ending;
    bench b;
    (void)state;
    enter(&b, OPEN);
    assert_int_equal(tenon_close(b.conn, 3001, NULL, 0), TENON_OK);
    assert_int_equal(tenon_ending(b.conn, &ending), TENON_EVENT);
    assert_int_equal(ending.code, TENON_CLOSE_ABNORMAL);
    assert_int_equal(ending.sent_code, 3001);
    assert_int_equal(ending.cause, TENON_LOCAL);
    give_frame(&b, 0x88, "\x03\xe9why", 5);
    assert_next(&b, TENON_EV_CLOSE);
    assert_int_equal(tenon_ending(b.conn, &ending), TENON_EVENT);
    assert_int_equal(ending.code, 1001);
    assert_memory_equal(ending.data, "why", 3);
    assert_int_equal(ending.flags & TENON_CLEAN, 0);
    flush_out(&b);
    assert_next(&b, TENON_EV_CLOSED);
    assert_int_equal(tenon_ending(b.conn, &ending), TENON_EVENT);
    assert_memory_equal(&ending, &b.event, sizeof ending);
    bench_stop(&b);
}

/* tenon_close in the handshake ends the attempt, with nothing on the wire. */
/* covers: WHATWG-dom-websocket-close-03 6455-7.1.7-05 */
static void test_close_connecting(void **state)
{
    static const int states[] = {HEAD, DECIDE, ASK, ASKED, BODY};
    size_t i;
    (void)state;
    for (i = 0; i < COUNT_OF(states); i++) {
        size_t before;
        bench b;
        enter(&b, states[i]);
        before = b.wire_size;
        assert_int_equal(tenon_close(b.conn, 1000, NULL, 0), TENON_OK);
        assert_int_equal(tenon_state(b.conn), TENON_CLOSED);
        flush_out(&b);
        assert_int_equal(b.wire_size, before);
        assert_next(&b, TENON_EV_CLOSED);
        assert_int_equal(b.event.code, TENON_CLOSE_ABNORMAL);
        assert_int_equal(b.event.sent_code, 0);
        if (states[i] != BODY)
            assert_int_equal(b.event.cause, TENON_LOCAL);
        assert_none(&b);
        bench_stop(&b);
    }
}

/* -------------------------------------------------------------------- flags */

/* A relay answers nothing by itself, and still validates. */
static void test_relay(void **state)
{
    bench b;
    (void)state;
    bench_config(&b, SERVER);
    b.config.flags = TENON_RELAY;
    bench_start(&b, 256, 512);
    assert_int_equal(tenon_grant(b.conn, TENON_RSV1, 0, 0), TENON_OK);
    assert_next(&b, TENON_EV_OPEN);
    give_frame(&b, 0x89, "p", 1);
    assert_next(&b, TENON_EV_PING);
    assert_none(&b);
    give_frame(&b, 0x41, "\xf2\xff", 2); /* made by an extension: no text yet, in none of its frames */
    assert_none(&b);
    give_frame(&b, 0x80, "\xff", 1);
    assert_next(&b, TENON_EV_DATA);
    assert_int_equal(b.event.flags & TENON_RSV1, TENON_RSV1);
    assert_none(&b);
    give_frame(&b, 0x88, "\x0b\xb8why", 5);
    assert_next(&b, TENON_EV_CLOSE);
    assert_none(&b);
    assert_int_equal(tenon_queued(b.conn), 0);
    assert_int_equal(tenon_close(b.conn, 3000, "why", 3), TENON_OK); /* forwarded by the program */
    flush_out(&b);
    assert_wire(&b, 0x88, "\x0b\xb8why", 5);
    assert_next(&b, TENON_EV_CLOSED);
    assert_int_equal(b.event.flags, TENON_CLEAN);
    assert_int_equal(b.event.code, 3000);
    assert_int_equal(b.event.cause, TENON_REMOTE);
    bench_stop(&b);
    bench_config(&b, CLIENT);
    b.config.flags = TENON_RELAY;
    bench_open_sized(&b, 256, 512);
    give_frame(&b, 0x81, "\xff", 1);
    assert_failed(&b, TENON_RULE_UTF8, 2, 1007);
    bench_stop(&b);
}

/* Nothing is told after tenon_close, not even the rest of a message; all is still
 * judged, whole or in pieces. */
/* covers: WHATWG-feedback-from-the-protocol-01 6455-5.5.1-15 */
static void test_drop_after_close(void **state)
{
    int chunks;
    (void)state;
    for (chunks = 0; chunks < 2; chunks++) {
        bench b;
        bench_config(&b, SERVER);
        b.config.flags = TENON_DROP_AFTER_CLOSE | (chunks ? TENON_CHUNKS : 0u);
        bench_open_sized(&b, 512, 512);
        give_frame(&b, 0x81, "seen", 4);
        assert_next(&b, TENON_EV_DATA);
        assert_none(&b);
        give_frame(&b, 0x01, "half", 4);
        assert_int_equal(next(&b), chunks ? TENON_EV_DATA : 0);
        assert_none(&b);
        assert_int_equal(tenon_close(b.conn, 1000, NULL, 0), TENON_OK);
        give_frame(&b, 0x80, "more", 4);
        assert_none(&b);
        give_frame(&b, 0x81, "Hello", 5);
        assert_none(&b);
        give_frame(&b, 0x89, "p", 1);
        assert_next(&b, TENON_EV_PING);
        assert_none(&b);
        assert_int_equal(b.stats.messages_in, 3);
        if (chunks) {
            give_frame(&b, 0x81, "\xff", 1);
            assert_none(&b);
            run_to_closed(&b);
            assert_int_equal(b.event.rule, TENON_RULE_UTF8);
        } else {
            give_frame(&b, 0x88, "\x03\xe8", 2);
            assert_next(&b, TENON_EV_CLOSE);
            flush_out(&b);
            assert_next(&b, TENON_EV_CLOSED);
            assert_int_equal(b.event.flags, TENON_CLEAN);
        }
        bench_stop(&b);
    }
}

/* Without the flag data is told after an own Close too. */
static void test_data_after_close(void **state)
{
    bench b;
    (void)state;
    enter(&b, CLOSING);
    give_frame(&b, 0x81, "Hello", 5);
    assert_next(&b, TENON_EV_DATA);
    assert_data(&b, "Hello", 5);
    bench_stop(&b);
}

/* The last one counts, also for what it does not grant any more. */
static void test_grant_again(void **state)
{
    bench b;
    (void)state;
    bench_config(&b, SERVER);
    bench_start(&b, 256, 512);
    assert_int_equal(tenon_grant(b.conn, TENON_RSV1, TENON_RSV2, TENON_OPAQUE), TENON_OK);
    assert_int_equal(tenon_grant(b.conn, 0, 0, 0), TENON_OK);
    assert_next(&b, TENON_EV_OPEN);
    assert_none(&b);
    assert_int_equal(tenon_send(b.conn, TENON_BINARY, "a", 1, TENON_RSV1), TENON_ERR_ARG);
    assert_int_equal(tenon_send(b.conn, TENON_TEXT, "\xff", 1, 0), TENON_ERR_UTF8);
    give_frame(&b, 0x81, "\xff", 1);
    assert_failed(&b, TENON_RULE_UTF8, 6, 1007);
    bench_stop(&b);
}

/* RSV bits that were granted, on the first frame and on continuations, never on
 * control frames; and opaque payloads. */
/* covers: 6455-5.2-02 */
static void test_grant(void **state)
{
    static const struct {
        uint8_t first, second;
        unsigned rule;
    } list[] = {
        {0xc2, 0, 0},    {0x42, 0xa0, 0},    {0x42, 0x80, 0},   {0x02, 0xa0, 0},
        {0xa2, 0, 1},    {0x92, 0, 1},       {0x42, 0xc0, 1},   {0x42, 0x90, 1},
        {0xc9, 0, 1},    {0x02, 0xa9, 1},    {0xc8, 0, 1},      {0xa8, 0, 1},
    };
    size_t i, r;
    bench b;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        for (i = 0; i < COUNT_OF(list); i++) {
            bench_config(&b, roles[r]);
            bench_start(&b, 256, 512);
            assert_int_equal(tenon_grant(b.conn, TENON_RSV1, TENON_RSV2, 0), TENON_OK);
            assert_next(&b, TENON_EV_OPEN);
            assert_int_equal(tenon_grant(b.conn, TENON_RSV1, TENON_RSV2, 0), TENON_OK); /* until the next tenon_next */
            assert_none(&b);
            assert_int_equal(tenon_grant(b.conn, TENON_RSV1, TENON_RSV2, 0), TENON_ERR_STATE);
            give_frame(&b, list[i].first, "a", 1);
            (void)next(&b);
            if (list[i].second != 0 && b.event.type != TENON_EV_DATA) {
                give_frame(&b, list[i].second, "a", 1);
                (void)next(&b);
            }
            if (list[i].rule == 0) {
                assert_int_equal(b.event.type, TENON_EV_DATA);
                assert_int_equal(b.event.flags & 0x70, list[i].first & 0x70);
            } else {
                run_to_closed(&b);
                assert_int_equal(b.event.rule, TENON_RULE_RSV);
            }
            bench_stop(&b);
        }
    }
    bench_config(&b, SERVER);
    bench_start(&b, 256, 512);
    assert_int_equal(tenon_grant(b.conn, 0, 0, TENON_OPAQUE), TENON_OK);
    assert_next(&b, TENON_EV_OPEN);
    give_frame(&b, 0x81, "\xff", 1);
    assert_next(&b, TENON_EV_DATA);
    assert_data(&b, "\xff", 1);
    bench_stop(&b);
}

/* -------------------------------------------------------------------- stats */

static void test_stats(void **state)
{
    bench b;
    (void)state;
    bench_config(&b, SERVER);
    bench_open_sized(&b, 256, 512);
    give_frame(&b, 0x01, "a", 1);
    assert_none(&b);
    give_frame(&b, 0x89, "b", 1);
    assert_next(&b, TENON_EV_PING);
    assert_none(&b);
    give_frame(&b, 0x80, "c", 1);
    assert_next(&b, TENON_EV_DATA);
    assert_none(&b);
    give_frame(&b, 0x8a, NULL, 0);
    assert_next(&b, TENON_EV_PONG);
    assert_int_equal(tenon_send(b.conn, TENON_TEXT, "1234", 4, 0), TENON_OK);
    assert_int_equal(b.stats.octets_in, 7 + 7 + 7 + 6);
    assert_int_equal(b.stats.frames_in, 4);
    assert_int_equal(b.stats.messages_in, 1);
    assert_int_equal(b.stats.pings_in, 1);
    assert_int_equal(b.stats.pongs_in, 1);
    assert_int_equal(b.stats.frames_out, 2);
    assert_int_equal(b.stats.messages_out, 1);
    assert_int_equal(b.stats.octets_out, 0); /* acknowledged only */
    assert_int_equal(b.stats.queue_peak, 3 + 6);
    assert_int_equal(take_out(&b, 4), 4);
    assert_int_equal(b.stats.octets_out, 4);
    flush_out(&b);
    assert_int_equal(b.stats.octets_out, 9);
    assert_int_equal(b.stats.queue_peak, 9);
    assert_true(b.stats.steps > 0);
    assert_int_equal(tenon_lend_stats(b.conn, NULL), TENON_OK);
    give_frame(&b, 0x81, "a", 1);
    assert_next(&b, TENON_EV_DATA);
    assert_int_equal(b.stats.frames_in, 4);
    bench_stop(&b);
}

/* Behind CLOSED nothing of the program's is used, for it may be gone. */
static void test_stats_after_closed(void **state)
{
    uint64_t steps;
    bench b;
    (void)state;
    enter(&b, OPEN);
    run_to_closed(&b);
    steps = b.stats.steps;
    assert_true(steps > 0);
    assert_none(&b);
    assert_int_equal(b.stats.steps, steps);
    bench_stop(&b);
}

/* The reserve of an event is zero, whatever the event. */
static void test_event_reserved(void **state)
{
    bench b;
    size_t i;
    (void)state;
    enter(&b, OPEN);
    memset(&b.event, 0xff, sizeof b.event);
    give_frame(&b, 0x81, "a", 1);
    assert_next(&b, TENON_EV_DATA);
    for (i = 0; i < sizeof b.event.reserved; i++)
        assert_int_equal(b.event.reserved[i], 0);
    assert_int_equal(b.event.reserved16, 0);
    bench_stop(&b);
}

/* An rx that stays where it is and becomes larger keeps what it holds; one that is said
 * to have more than 32 bits of octets is used as far as that. */
static void test_rx_in_place(void **state)
{
    uint8_t rx[1024];
    size_t size = 2 * sizeof rx / 4;
    bench b;
    (void)state;
    bench_config(&b, TENON_SERVER);
    bench_open_sized(&b, 0, 512);
    assert_int_equal(tenon_lend_rx(b.conn, rx, size), TENON_OK);
    give_frame(&b, 0x01, "Hel", 3);
    assert_none(&b);
#if SIZE_MAX > UINT32_MAX
    size = (size_t)UINT32_MAX + 1;
#else
    size = sizeof rx;
#endif
    assert_int_equal(tenon_lend_rx(b.conn, rx, size), TENON_OK);
    give_frame(&b, 0x80, "lo", 2);
    assert_next(&b, TENON_EV_DATA);
    assert_data(&b, "Hello", 5);
    assert_none(&b);
    bench_stop(&b);
}

/* The connection may end while OPEN is the current event. */
static void test_abort_at_open(void **state)
{
    bench b;
    (void)state;
    bench_config(&b, TENON_SERVER);
    bench_start(&b, 512, 512);
    assert_next(&b, TENON_EV_OPEN);
    assert_int_equal(tenon_abort(b.conn, TENON_LOCAL), TENON_OK);
    assert_next(&b, TENON_EV_CLOSED);
    assert_int_equal(b.event.cause, TENON_LOCAL);
    assert_none(&b);
    bench_stop(&b);
}

/* A send was refused, and then the peer's Close came, which the program forwards later:
 * no WRITABLE for what cannot be sent any more. */
static void test_no_writable_behind_a_close(void **state)
{
    uint8_t data[300];
    bench b;
    (void)state;
    memset(data, 'x', sizeof data);
    bench_config(&b, TENON_SERVER);
    b.config.flags = TENON_RELAY;
    bench_open_sized(&b, 512, 768);
    while (tenon_send(b.conn, TENON_BINARY, data, sizeof data, 0) == TENON_OK) {
    }
    assert_int_equal(tenon_send(b.conn, TENON_BINARY, data, sizeof data, 0), TENON_ERR_AGAIN);
    give_frame(&b, 0x88, "\x03\xe8", 2);
    assert_next(&b, TENON_EV_CLOSE);
    assert_none(&b);
    flush_out(&b);
    assert_int_equal(tenon_wants(b.conn) & TENON_WANTS_NEXT, 0);
    assert_none(&b);
    assert_int_equal(tenon_send(b.conn, TENON_BINARY, data, sizeof data, 0), TENON_ERR_STATE);
    bench_stop(&b);
}

/* What the peer is told of each rule (RFC 6455, 7.4.1; RFC 7692, 7). */
static void test_code_of_each_rule(void **state)
{
    static const struct {
        uint16_t rule, code;
    } list[] = {
        {TENON_RULE_RSV, 1002},          {TENON_RULE_UNFINISHED, 1002},    {TENON_RULE_UTF8, 1007},
        {TENON_RULE_UTF8_END, 1007},     {TENON_RULE_CLOSE_SIZE, 1002},    {TENON_RULE_CLOSE_CODE, 1002},
        {TENON_RULE_CLOSE_UTF8, 1007},   {TENON_RULE_MESSAGE_SIZE, 1009},  {TENON_RULE_FRAGMENTS, 1008},
        {TENON_RULE_CONTROL_FLOOD, 1008}, {TENON_RULE_DEFLATE, 1007},      {TENON_RULE_DEFLATE_END, 1007},
        {TENON_RULE_DEFLATE_EMPTY, 1007}, {TENON_RULE_CODEC, 1011},        {TENON_RULE_IDLE_TIMEOUT, 1001}};
    size_t i;
    (void)state;
    for (i = 0; i < COUNT_OF(list); i++) {
        bench b;
        bench_open(&b, CLIENT);
        tenon_conn_fail(b.conn, list[i].rule, 0);
        assert_failed(&b, list[i].rule, 0, list[i].code);
        bench_stop(&b);
    }
}

/* Of a large tx so much is used that sums of two places still fit into 32 bits. */
static void test_tx_used(void **state)
{
#if SIZE_MAX > UINT32_MAX
    static const size_t rings[] = {UINT32_MAX / 4, UINT32_MAX / 2 - 1, UINT32_MAX / 2, (size_t)UINT32_MAX / 2 + 1,
                                   UINT32_MAX, (size_t)UINT32_MAX + 600};
    uint8_t tx[TENON_TX_MIN];
    size_t i;
    for (i = 0; i < COUNT_OF(rings); i++) {
        bench b;
        bench_config(&b, SERVER);
        bench_open_sized(&b, 256, 0);
        assert_int_equal(tenon_lend_tx(b.conn, tx, rings[i] + TENON_TX_RESERVE), TENON_OK);
        assert_int_equal(b.conn->queue.size, rings[i] < UINT32_MAX / 2 ? rings[i] : UINT32_MAX / 2);
        bench_stop(&b);
    }
#endif
    (void)state;
}

/* Octets that wanted rx, and come again with the rest of the message, want none. */
static void test_wants_rx_no_longer(void **state)
{
    uint8_t octets[16];
    size_t n = peer_frame(CLIENT, octets, 0x82, "Hello", 5), left;
    const void *rest;
    bench b;
    (void)state;
    bench_config(&b, CLIENT);
    bench_open_sized(&b, 0, 512);
    give(&b, octets, n - 2);
    assert_none(&b);
    assert_int_equal(tenon_wants(b.conn), TENON_WANTS_RX);
    assert_int_equal(tenon_unlend(b.conn, &rest, &left), TENON_OK);
    assert_int_equal(left, 3);
    give(&b, octets + n - 5, 5);
    assert_next(&b, TENON_EV_DATA);
    assert_data(&b, "Hello", 5);
    assert_none(&b);
    assert_int_equal(tenon_wants(b.conn), TENON_WANTS_READ);
    bench_stop(&b);
}

/* An event that is dropped cannot be kept, one that was told in a straight line neither. */
static void test_abort_leaves_no_event(void **state)
{
    bench b;
    (void)state;
    bench_open(&b, SERVER);
    give_frame(&b, 0x82, "Hello", 5);
    assert_next(&b, TENON_EV_DATA);
    assert_int_equal(tenon_abort(b.conn, TENON_LOCAL), TENON_OK);
    assert_int_equal(tenon_again(b.conn), TENON_ERR_STATE);
    assert_next(&b, TENON_EV_CLOSED);
    bench_stop(&b);
}

/* What an abort drops asks for nothing any more: rx for a message, tx for a Close, room
 * for a Pong. */
static void test_abort_wants_nothing(void **state)
{
    uint8_t octets[16];
    size_t n = peer_frame(CLIENT, octets, 0x82, "Hello", 5);
    int way;
    (void)state;
    for (way = 0; way < 3; way++) {
        bench b;
        bench_config(&b, CLIENT);
        bench_open_sized(&b, way == 0 ? 0 : 256, way == 1 ? 0 : 512);
        while (way == 2 && tenon_send(b.conn, TENON_BINARY, NULL, 0, 0) == TENON_OK) {
        }
        if (way == 0) {
            give(&b, octets, n - 1);
        } else if (way == 1) {
            give_frame(&b, 0x88, "\x03\xe8", 2);
            assert_next(&b, TENON_EV_CLOSE);
        } else {
            give_frame(&b, 0x89, octets, n);
            assert_next(&b, TENON_EV_PING);
        }
        assert_none(&b);
        assert_int_equal(tenon_wants(b.conn) & (TENON_WANTS_RX | TENON_WANTS_TX),
                         way == 0 ? TENON_WANTS_RX : way == 1 ? TENON_WANTS_TX : 0);
        assert_int_equal(tenon_abort(b.conn, TENON_LOCAL), TENON_OK);
        assert_int_equal(tenon_wants(b.conn), TENON_WANTS_NEXT);
        assert_int_equal(tenon_lend_tx(b.conn, NULL, 0), TENON_OK);
        assert_next(&b, TENON_EV_CLOSED);
        bench_stop(&b);
    }
}

/* Events have what is theirs, and nothing of the one before. */
static void test_opcode_is_of_data(void **state)
{
    bench b;
    (void)state;
    bench_open(&b, SERVER);
    give_frame(&b, 0x02, "a", 1);
    assert_none(&b);
    give_frame(&b, 0x80, "b", 1);
    assert_next(&b, TENON_EV_DATA);
    assert_int_equal(b.event.opcode, TENON_BINARY);
    assert_none(&b);
    give_frame(&b, 0x89, "p", 1);
    assert_next(&b, TENON_EV_PING);
    assert_int_equal(b.event.opcode, 0);
    bench_stop(&b);
}

/* A rule is told as broken once the good octets before it are: not while they are. */
static void test_ending_of_bad_text(void **state)
{
    bench b;
    tenon_event ending;
    (void)state;
    bench_config(&b, SERVER);
    b.config.flags = TENON_CHUNKS;
    bench_open_sized(&b, 256, 512);
    assert_int_equal(tenon_close(b.conn, 1000, NULL, 0), TENON_OK);
    give_frame(&b, 0x81, "a\xff", 2);
    assert_next(&b, TENON_EV_DATA);
    assert_data(&b, "a", 1);
    assert_int_equal(tenon_ending(b.conn, &ending), TENON_EVENT);
    assert_int_equal(ending.rule, TENON_RULE_NONE);
    assert_int_equal(ending.offset, 0);
    assert_none(&b);
    assert_int_equal(tenon_ending(b.conn, &ending), TENON_EVENT);
    assert_int_equal(ending.rule, TENON_RULE_UTF8);
    assert_int_equal(ending.offset, 7);
    bench_stop(&b);
}

/* An octet that nobody has looked at is looked at before more is read. */
static void test_one_octet_is_input(void **state)
{
    bench b;
    (void)state;
    bench_open(&b, SERVER);
    assert_int_equal(tenon_wants(b.conn), TENON_WANTS_READ);
    give(&b, "\x81", 1);
    assert_int_equal(tenon_wants(b.conn), TENON_WANTS_NEXT);
    assert_int_equal(tenon_recv(b.conn, b.lent, 1), TENON_ERR_BUSY);
    assert_none(&b);
    assert_int_equal(tenon_wants(b.conn), TENON_WANTS_READ);
    bench_stop(&b);
}

/* All was taken, and a Pong or a Close waits for the room that comes with RELEASED: the
 * sending side is not over before that. */
static void test_shut_waits(void **state)
{
    uint8_t data[184] = {0};
    int pong;
    (void)state;
    for (pong = 0; pong < 2; pong++) {
        bench b;
        bench_config(&b, SERVER);
        bench_open_sized(&b, 256, TENON_TX_MIN);
        assert_int_equal(tenon_send_ref(b.conn, TENON_BINARY, data, 1, 0, &b), TENON_OK);
        assert_int_equal(tenon_send(b.conn, TENON_BINARY, data, sizeof data, 0), TENON_OK);
        assert_int_equal(tenon_close(b.conn, TENON_CLOSE_NONE, NULL, 0), TENON_OK);
        if (pong) {
            give_frame(&b, 0x89, data, 100);
            assert_next(&b, TENON_EV_PING);
            assert_none(&b);
        }
        give(&b, "\xff", 1);
        assert_none(&b);
        flush_out(&b);
        assert_int_equal((tenon_wants(b.conn) & TENON_WANTS_SHUT_WR) != 0, !pong);
        assert_next(&b, TENON_EV_RELEASED);
        assert_none(&b);
        flush_out(&b);
        assert_int_equal(tenon_wants(b.conn) & TENON_WANTS_SHUT_WR, TENON_WANTS_SHUT_WR);
        assert_wire(&b, 0x82, data, 1);
        assert_wire(&b, 0x82, data, sizeof data);
        assert_wire(&b, 0x88, NULL, 0);
        if (pong)
            assert_wire(&b, 0x8a, data, 100);
        assert_wire_end(&b);
        bench_stop(&b);
    }
}

/* A Close that waits so is not overtaken either. */
static void test_shut_waits_for_close(void **state)
{
    uint8_t data[TENON_CONTROL_MAX] = {0};
    bench b;
    (void)state;
    bench_config(&b, SERVER);
    bench_open_sized(&b, 256, TENON_TX_MIN);
    assert_int_equal(tenon_send_ref(b.conn, TENON_BINARY, data, 1, 0, &b), TENON_OK);
    assert_int_equal(tenon_send(b.conn, TENON_BINARY, data, 60, 0), TENON_OK);
    assert_int_equal(tenon_send(b.conn, TENON_BINARY, data, 125, 0), TENON_OK);
    assert_int_equal(tenon_close(b.conn, 1000, (const char *)data, TENON_REASON_MAX), TENON_OK);
    give(&b, "\xff", 1);
    assert_none(&b);
    flush_out(&b);
    assert_int_equal(tenon_wants(b.conn) & TENON_WANTS_SHUT_WR, 0);
    assert_next(&b, TENON_EV_RELEASED);
    assert_none(&b);
    flush_out(&b);
    assert_int_equal(tenon_wants(b.conn) & TENON_WANTS_SHUT_WR, TENON_WANTS_SHUT_WR);
    bench_stop(&b);
}

/* The reason moves along, the shortest and the longest, and is there for CLOSED. */
static void test_reason_moves(void **state)
{
    static const size_t sizes[] = {1, 3, TENON_REASON_MAX};
    uint8_t payload[TENON_CONTROL_MAX] = {0x03, 0xe8}, rx[TENON_RX_MIN];
    size_t i;
    (void)state;
    memset(payload + 2, 'r', TENON_REASON_MAX - 1);
    payload[TENON_CONTROL_MAX - 1] = '!';
    for (i = 0; i < COUNT_OF(sizes); i++) {
        bench b;
        bench_config(&b, SERVER);
        bench_open_sized(&b, TENON_RX_MIN, 512);
        payload[1 + sizes[i]] = '!';
        give_frame(&b, 0x88, payload, 2 + sizes[i]);
        assert_next(&b, TENON_EV_CLOSE);
        assert_none(&b);
        memset(rx, 0xee, sizeof rx);
        assert_int_equal(tenon_lend_rx(b.conn, rx, sizeof rx), TENON_OK);
        memset(b.rx, 0xee, TENON_RX_MIN);
        run_to_closed(&b);
        assert_data(&b, payload + 2, sizes[i]);
        bench_stop(&b);
    }
}

/* What waited in the queue that an end has emptied goes into no other. */
static void test_lend_tx_after_the_end(void **state)
{
    static uint8_t tx[TENON_TX_MIN];
    char data[80];
    bench b;
    (void)state;
    memset(data, 'a', sizeof data);
    bench_config(&b, TENON_CLIENT);
    bench_open_sized(&b, TENON_RX_MIN, TENON_TX_MIN);
    while (tenon_send(b.conn, TENON_TEXT, data, 40, 0) == TENON_OK) {
    }
    assert_int_equal(tenon_send_ref(b.conn, TENON_TEXT, data, sizeof data, 0, data), TENON_OK);
    assert_int_equal(tenon_abort(b.conn, TENON_REMOTE), TENON_OK);
    assert_int_equal(tenon_queued(b.conn), 0);
    assert_int_equal(tenon_lend_tx(b.conn, tx, sizeof tx), TENON_ERR_BUSY);
    assert_next(&b, TENON_EV_RELEASED);
    assert_ptr_equal(b.event.cookie, data);
    assert_int_equal(tenon_lend_tx(b.conn, tx, sizeof tx), TENON_OK);
    assert_int_equal(tenon_queued(b.conn), 0);
    assert_next(&b, TENON_EV_CLOSED);
    bench_stop(&b);
}

/* A struct of a program from before is zeroed as far as it goes, one of a later program
 * as far as it is known. */
static void test_clear(void **state)
{
    uint8_t memory[8];
    (void)state;
    memset(memory, 0xaa, sizeof memory);
    assert_int_equal(tenon_clear(memory, 3, 5), 3);
    assert_memory_equal(memory, "\0\0\0\xaa\xaa\xaa\xaa\xaa", 8);
    assert_int_equal(tenon_clear(memory, 8, 5), 5);
    assert_memory_equal(memory, "\0\0\0\0\0\xaa\xaa\xaa", 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lend_tx_after_the_end),
        cmocka_unit_test(test_clear),
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_null),
        cmocka_unit_test(test_null_output),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_init),
        cmocka_unit_test(test_lend_tx),
        cmocka_unit_test(test_lend_rx_opening),
        cmocka_unit_test(test_reentry),
        cmocka_unit_test(test_guard),
        cmocka_unit_test(test_deeds),
        cmocka_unit_test(test_eof),
        cmocka_unit_test(test_abort),
        cmocka_unit_test(test_abort_held),
        cmocka_unit_test(test_abort_unsent),
        cmocka_unit_test(test_who_closes),
        cmocka_unit_test(test_half_close),
        cmocka_unit_test(test_shut),
        cmocka_unit_test(test_ending),
        cmocka_unit_test(test_close_connecting),
        cmocka_unit_test(test_relay),
        cmocka_unit_test(test_drop_after_close),
        cmocka_unit_test(test_data_after_close),
        cmocka_unit_test(test_lend_rx_without_a_head),
        cmocka_unit_test(test_lend_rx_after_a_failure),
        cmocka_unit_test(test_nothing_to_unlend),
        cmocka_unit_test(test_grant_again),
        cmocka_unit_test(test_grant),
        cmocka_unit_test(test_stats),
        cmocka_unit_test(test_stats_after_closed),
        cmocka_unit_test(test_event_reserved),
        cmocka_unit_test(test_rx_in_place),
        cmocka_unit_test(test_abort_at_open),
        cmocka_unit_test(test_no_writable_behind_a_close),
        cmocka_unit_test(test_reason_moves),
        cmocka_unit_test(test_code_of_each_rule),
        cmocka_unit_test(test_abort_leaves_no_event),
        cmocka_unit_test(test_tx_used),
        cmocka_unit_test(test_wants_rx_no_longer),
        cmocka_unit_test(test_abort_wants_nothing),
        cmocka_unit_test(test_opcode_is_of_data),
        cmocka_unit_test(test_ending_of_bad_text),
        cmocka_unit_test(test_one_octet_is_input),
        cmocka_unit_test(test_shut_waits),
        cmocka_unit_test(test_shut_waits_for_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
