/* SPDX-License-Identifier: MIT */
#include "harness.h"

enum { SERVER = TENON_SERVER, CLIENT = TENON_CLIENT };

/*
 * What a hostile peer can send for ever, one octet a read and nothing drained. The
 * connection has its storage and what was lent, of exact size under the sanitizer,
 * so memory cannot grow; the tests see that work does not either.
 */
#define MILLION 1000000u

/* Steps that an octet may cost, and those that a beginning and an end add. */
#define STEPS_AN_OCTET 4u
#define STEPS_MORE 64u

static void assert_linear(const bench *b)
{
    assert_true(b->stats.steps <= STEPS_AN_OCTET * b->stats.octets_in + STEPS_MORE);
}

/* Gives n octets one at a time; the number of events of a type. Stops when the
 * connection is not open any more. */
static unsigned drip(bench *b, const uint8_t *octets, size_t n, int type)
{
    unsigned count = 0;
    size_t i;
    int state = tenon_state(b->conn);
    for (i = 0; i < n && tenon_state(b->conn) == state; i++) {
        uint8_t octet = octets[i];
        int got;
        assert_int_equal(tenon_recv(b->conn, &octet, 1), TENON_OK);
        while ((got = next(b)) != 0)
            count += got == type;
    }
    return count;
}

/* A Ping whose payload is its number. */
static size_t numbered_ping(int role, uint8_t *out, unsigned number)
{
    uint8_t payload[4];
    payload[0] = (uint8_t)(number >> 24);
    payload[1] = (uint8_t)(number >> 16 & 0xff);
    payload[2] = (uint8_t)(number >> 8 & 0xff);
    payload[3] = (uint8_t)(number & 0xff);
    return peer_frame(role, out, 0x89, payload, sizeof payload);
}

/* Never drained, without limit: the queue fills, then only the newest is kept. */
/* covers: 6455-5.5.3-04 */
static void test_pings_unlimited(void **state)
{
    uint8_t octets[32];
    wire_frame frame, last;
    unsigned i, pongs = 0;
    bench b;
    (void)state;
    bench_config(&b, SERVER);
    b.config.max_control = TENON_OFF;
    bench_open_sized(&b, TENON_RX_MIN, TENON_TX_MIN);
    for (i = 0; i < MILLION; i++)
        assert_int_equal(drip(&b, octets, numbered_ping(SERVER, octets, i), TENON_EV_PING), 1);
    assert_int_equal(tenon_state(b.conn), TENON_OPEN);
    assert_int_equal(b.stats.pings_in, MILLION);
    assert_true(b.stats.queue_peak <= TENON_TX_MIN - TENON_TX_RESERVE);
    assert_linear(&b);
    flush_out(&b);
    memset(&last, 0, sizeof last);
    while (wire_next(&b, &frame)) {
        assert_int_equal(frame.first, 0x8a);
        last = frame;
        pongs++;
    }
    assert_int_equal(pongs + b.stats.pongs_skipped, MILLION);
    assert_memory_equal(last.payload, "\x00\x0f\x42\x3f", 4); /* the newest, 999,999 */
    bench_stop(&b);
}

/* With the limit by default: 65536, then 1008. */
static void test_pings(void **state)
{
    static const int roles[] = {SERVER, CLIENT};
    uint8_t octets[32];
    size_t r, n = 0;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        unsigned i;
        bench b;
        bench_config(&b, roles[r]);
        bench_open_sized(&b, TENON_RX_MIN, TENON_TX_MIN);
        for (i = 0; i < MILLION && tenon_state(b.conn) == TENON_OPEN; i++) {
            n = numbered_ping(roles[r], octets, i);
            (void)drip(&b, octets, n, TENON_EV_PING);
        }
        assert_int_equal(b.stats.pings_in, 65536);
        assert_true(b.stats.queue_peak <= TENON_TX_MIN - TENON_TX_RESERVE);
        flush_out(&b);
        b.read = b.wire_size - (roles[r] == SERVER ? 4 : 8);
        assert_wire_close(&b, 1008);
        run_to_closed(&b);
        assert_int_equal(b.event.rule, TENON_RULE_CONTROL_FLOOD);
        assert_true(b.event.offset == 65536u * (uint64_t)n);
        assert_linear(&b);
        bench_stop(&b);
    }
}

/* covers: 6455-10.4-03 */
static void test_continuations_unlimited(void **state)
{
    uint8_t octets[32];
    unsigned i;
    int chunks;
    (void)state;
    for (chunks = 0; chunks < 2; chunks++) {
        bench b;
        bench_config(&b, SERVER);
        b.config.flags = chunks ? TENON_CHUNKS : 0;
        b.config.max_fragments = TENON_OFF;
        b.config.max_message = TENON_OFF;
        bench_open_sized(&b, TENON_RX_MIN, TENON_TX_MIN);
        (void)drip(&b, octets, peer_frame(SERVER, octets, 0x01, "a", 1), 0);
        for (i = 0; i < MILLION; i++)
            assert_int_equal(drip(&b, octets, peer_frame(SERVER, octets, 0x00, NULL, 0), TENON_EV_DATA), 0);
        assert_int_equal(tenon_state(b.conn), TENON_OPEN);
        assert_int_equal(drip(&b, octets, peer_frame(SERVER, octets, 0x80, "b", 1), TENON_EV_DATA), 1);
        assert_int_equal(b.event.size, chunks ? 1 : 2);
        if (!chunks)
            assert_data(&b, "ab", 2); /* a piece lay in the octet that is gone */
        assert_int_equal(b.stats.queue_peak, 0);
        assert_linear(&b);
        bench_stop(&b);
    }
}

/* With the limit by default: 65536 frames, then 1008. */
/* covers: 6455-10.4-03 6455-10.4-01 */
static void test_continuations(void **state)
{
    uint8_t octets[32];
    unsigned i;
    bench b;
    (void)state;
    bench_config(&b, CLIENT);
    bench_open_sized(&b, TENON_RX_MIN, TENON_TX_MIN);
    (void)drip(&b, (const uint8_t *)"\x01\x00", 2, 0);
    for (i = 0; i < MILLION && tenon_state(b.conn) == TENON_OPEN; i++)
        (void)drip(&b, octets, peer_frame(CLIENT, octets, 0x00, NULL, 0), 0);
    assert_int_equal(i, 65536);
    assert_int_equal(b.stats.frames_in, 65536);
    assert_linear(&b);
    assert_failed(&b, TENON_RULE_FRAGMENTS, 65536 * 2, 1008);
    bench_stop(&b);
}

/* --------------------------------------------------------------------- heads */

enum { FIELDS = 10000, LINE = 9 };

/* 10,000 lines "X-1234: " and an end. */
static uint8_t *many_fields(size_t count, size_t *size)
{
    static const char start[] = REQUEST_FIELDS;
    uint8_t *octets = malloc(sizeof start + count * LINE + 3);
    size_t n = sizeof start - 1, i;
    assert_non_null(octets);
    memcpy(octets, start, n);
    for (i = 0; i < count; i++)
        n += (size_t)sprintf((char *)octets + n, "X-%04u:\r\n", (unsigned)(i % 10000));
    memcpy(octets + n, "\r\n", 2);
    *size = n + 2;
    return octets;
}

/* By default the 101st field is one too many: 431. */
/* covers: 6455-10.7-02 */
static void test_fields(void **state)
{
    size_t n;
    uint8_t *octets = many_fields(FIELDS, &n);
    bench b;
    (void)state;
    bench_server(&b);
    bench_start(&b, 16384, TENON_TX_MIN);
    (void)drip(&b, octets, n, 0);
    flush_out(&b);
    assert_memory_equal(b.wire, "HTTP/1.1 431 ", 13);
    assert_true(b.stats.octets_in < sizeof REQUEST_FIELDS + 100 * LINE);
    assert_linear(&b);
    run_to_closed(&b);
    assert_int_equal(b.event.rule, TENON_RULE_HEADERS);
    assert_true(b.event.offset == sizeof REQUEST_FIELDS - 1 + (100 - 5) * LINE);
    bench_stop(&b);
    bench_server(&b);
    b.config.max_headers = TENON_OFF; /* then the size is the limit: 16384 */
    bench_start(&b, 100000, TENON_TX_MIN);
    (void)drip(&b, octets, n, 0);
    flush_out(&b);
    assert_memory_equal(b.wire, "HTTP/1.1 431 ", 13);
    run_to_closed(&b);
    assert_int_equal(b.event.rule, TENON_RULE_HEAD_SIZE);
    assert_true(b.event.offset == 16384);
    bench_stop(&b);
    free(octets);
}

/* Without limits all are taken; the work is in proportion. */
static void test_fields_unlimited(void **state)
{
    uint64_t steps[2];
    size_t i;
    (void)state;
    for (i = 0; i < 2; i++) {
        size_t n;
        uint8_t *octets = many_fields(FIELDS * (i + 1) / 2, &n);
        bench b;
        bench_server(&b);
        b.config.max_headers = TENON_OFF;
        b.config.max_head = TENON_OFF;
        bench_start(&b, n, TENON_TX_MIN); /* exactly as large */
        assert_int_equal(drip(&b, octets, n, TENON_EV_REQUEST), 1);
        assert_int_equal(b.stats.octets_in, n);
        assert_int_equal(tenon_accept(b.conn, NULL), TENON_OK);
        assert_next(&b, TENON_EV_OPEN);
        assert_linear(&b);
        steps[i] = b.stats.steps;
        bench_stop(&b);
        free(octets);
    }
    assert_true(steps[1] <= 2 * steps[0] + STEPS_MORE);
}

/* Empty lines in front of a request are not waited out for ever. */
static void test_empty_lines(void **state)
{
    bench b;
    unsigned i;
    (void)state;
    bench_server(&b);
    bench_start(&b, 1024, TENON_TX_MIN);
    for (i = 0; i < MILLION && tenon_state(b.conn) == TENON_CONNECTING; i++)
        (void)drip(&b, (const uint8_t *)"\r\n", 2, 0);
    assert_true(i < 10);
    flush_out(&b);
    assert_memory_equal(b.wire, "HTTP/1.1 4", 10);
    bench_stop(&b);
}

/* ------------------------------------------------------------------ messages */

/* A megabyte of text, octet by octet, in one frame; the same as a million frames. */
/* covers: 6455-5.2-15 */
static void test_megabyte(void **state)
{
    static uint8_t octets[14 + (1 << 20)], data[1 << 20];
    uint8_t frame[16];
    size_t n, i;
    bench b;
    (void)state;
    memset(data, 'm', sizeof data);
    n = peer_frame(SERVER, octets, 0x81, data, sizeof data);
    bench_config(&b, SERVER);
    bench_open_sized(&b, sizeof data + TENON_RX_RESERVE, TENON_TX_MIN);
    assert_int_equal(drip(&b, octets, n, TENON_EV_DATA), 1);
    assert_data(&b, data, sizeof data);
    assert_linear(&b);
    bench_stop(&b);
    bench_config(&b, CLIENT);
    b.config.max_fragments = TENON_OFF;
    bench_open_sized(&b, sizeof data + TENON_RX_RESERVE, TENON_TX_MIN);
    for (i = 0; i + 1 < sizeof data; i++)
        assert_int_equal(drip(&b, frame, peer_frame(CLIENT, frame, i == 0 ? 0x01 : 0x00, "m", 1), TENON_EV_DATA), 0);
    assert_int_equal(drip(&b, frame, peer_frame(CLIENT, frame, 0x80, "m", 1), TENON_EV_DATA), 1);
    assert_data(&b, data, sizeof data);
    assert_linear(&b);
    bench_stop(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pings_unlimited),
        cmocka_unit_test(test_pings),
        cmocka_unit_test(test_continuations_unlimited),
        cmocka_unit_test(test_continuations),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_fields_unlimited),
        cmocka_unit_test(test_empty_lines),
        cmocka_unit_test(test_megabyte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
