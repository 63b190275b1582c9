/* SPDX-License-Identifier: MIT */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE 1 /* for anonymous pages */
#endif

#include "harness.h"

#include "conn.h"

#include <sys/mman.h>

enum { SERVER = TENON_SERVER, CLIENT = TENON_CLIENT };

static const int roles[] = {SERVER, CLIENT};

/* ------------------------------------------------------- a stream to look at */

typedef struct stream {
    uint8_t octets[2048];
    size_t size;
    size_t ends[8]; /* of its frames */
    size_t count;
} stream;

static void add(stream *s, int role, uint8_t first, const void *payload, size_t n)
{
    s->size += peer_frame(role, s->octets + s->size, first, payload, n);
    s->ends[s->count++] = s->size;
}

static void fill(uint8_t *out, size_t n)
{
    size_t i;
    for (i = 0; i < n; i++)
        out[i] = (uint8_t)(i * 7 + i / 256 + 1);
}

/* Text, a Ping, 300 octets, an empty message, a Pong, a message in two frames. */
static stream mixed(int role)
{
    stream s;
    uint8_t big[300];
    fill(big, sizeof big);
    memset(&s, 0, sizeof s);
    add(&s, role, 0x81, "Hello", 5);
    add(&s, role, 0x89, "p\xff", 2);
    add(&s, role, 0x82, big, sizeof big);
    add(&s, role, 0x81, NULL, 0);
    add(&s, role, 0x8a, "pong", 4);
    add(&s, role, 0x01, "Hel\xc3", 4);
    add(&s, role, 0x80, "\xa4o", 2);
    return s;
}

static void check_mixed(bench *b, unsigned index)
{
    uint8_t big[300];
    fill(big, sizeof big);
    if (index == 0)
        assert_data(b, "Hello", 5);
    if (index == 1)
        assert_data(b, "p\xff", 2);
    if (index == 2)
        assert_data(b, big, sizeof big);
    if (index == 3)
        assert_int_equal(b->event.size, 0);
    if (index == 4)
        assert_data(b, "pong", 4);
    if (index == 5)
        assert_data(b, "Hel\xc3\xa4o", 6);
}

static const int mixed_types[] = {TENON_EV_DATA, TENON_EV_PING, TENON_EV_DATA,
                                  TENON_EV_DATA, TENON_EV_PONG, TENON_EV_DATA};

/* ------------------------------------------------------------ lending rules */

/* Nothing behind the current event is written, whatever the cut. */
/* covers: 6455-5.2-15 6455-5.3-04 6455-5.2-13 6455-5.4-01 6455-5.4-06 6455-5.4-08 6455-5.2-14 */
static void test_every_cut(void **state)
{
    bench b;
    size_t r, cut, part;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        stream s = mixed(roles[r]);
        for (cut = 0; cut <= s.size; cut++) {
            unsigned seen = 0;
            bench_open(&b, roles[r]);
            for (part = 0; part < 2; part++) {
                const uint8_t *from = s.octets + (part == 0 ? 0 : cut);
                size_t n = part == 0 ? cut : s.size - cut;
                const void *rest;
                int type;
                give(&b, from, n);
                while ((type = next(&b)) != 0) {
                    size_t used = 0;
                    assert_int_equal(type, mixed_types[seen]);
                    check_mixed(&b, seen++);
                    if (b.event.data >= b.lent && b.event.data <= b.lent + n) {
                        used = (size_t)(b.event.data - b.lent) + b.event.size;
                        assert_memory_equal(b.lent + used, from + used, n - used);
                    }
                }
                assert_int_equal(tenon_unlend(b.conn, &rest, &n), TENON_OK);
                assert_int_equal(n, 0);
            }
            assert_int_equal(seen, COUNT_OF(mixed_types));
            bench_stop(&b);
        }
    }
}

/* What looks like a frame in the payload of a control frame is none, wherever that is cut. */
static void test_frame_in_a_payload(void **state)
{
    static const uint8_t key[4] = {0x37, 0xfa, 0x21, 0x3d};
    size_t r, cut;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        uint8_t inner[16], payload[18] = "ab", octets[32], expected[18];
        size_t n = peer_frame(roles[r], inner, 0x81, "x", 1), size;
        memcpy(payload + 2, inner, n);
        if (roles[r] == SERVER) /* so that it is the same on the wire */
            tenon_mask(payload + 2, payload + 2, n, key, 2);
        n += 2;
        memcpy(expected, payload, n);
        size = peer_frame(roles[r], octets, 0x89, payload, n);
        assert_memory_equal(octets + size - n + 2, inner, n - 2);
        for (cut = 1; cut < size; cut++) {
            bench b;
            bench_open(&b, roles[r]);
            give(&b, octets, cut);
            assert_none(&b);
            give(&b, octets + cut, size - cut);
            assert_next(&b, TENON_EV_PING);
            assert_data(&b, expected, n);
            assert_none(&b);
            assert_int_equal(b.stats.frames_in, 1);
            bench_stop(&b);
        }
    }
}

/* Each message has the whole limit for itself, of either type, in frames too. */
static void test_limit_of_each(void **state)
{
    size_t r;
    unsigned opcode, i;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        bench b;
        bench_config(&b, roles[r]);
        b.config.max_message = 6;
        bench_open_sized(&b, 4096, 4096);
        for (i = 0; i < 4; i++) {
            for (opcode = TENON_TEXT; opcode <= TENON_BINARY; opcode++) {
                give_frame(&b, (uint8_t)opcode, "abc", 3);
                assert_none(&b);
                give_frame(&b, 0x80, "def", 3);
                assert_next(&b, TENON_EV_DATA);
                assert_data(&b, "abcdef", 6);
                assert_none(&b);
            }
        }
        bench_stop(&b);
    }
}

static void assert_pong(bench *b, const uint8_t *payload, size_t n, int own)
{
    uint64_t before = b->stats.pongs_in;
    give_frame(b, 0x8a, payload, n);
    assert_next(b, TENON_EV_PONG);
    assert_data(b, payload, n);
    assert_int_equal((b->event.flags & TENON_OWN) != 0, own);
    assert_int_equal(b->event.rtt_ms, own ? 40 : 0);
    assert_int_equal(b->stats.pongs_in, before + 1);
    assert_none(b);
}

/* A Pong answers the library's own Ping, 40 ms old here, when all its octets are the
 * same, and once. */
static void test_own_pong(void **state)
{
    static const uint8_t zeros[4] = {0};
    uint8_t number[5] = {0};
    wire_frame frame;
    unsigned bit, round;
    bench b;
    (void)state;
    bench_config(&b, SERVER);
    b.config.ping_ms = 1000;
    bench_open_sized(&b, 4096, 4096);
    assert_int_equal(tenon_tick(b.conn, 0), TENON_OK);
    assert_pong(&b, zeros, 4, 0); /* there was none */
    for (round = 1; round <= 300; round++) {
        assert_int_equal(tenon_tick(b.conn, 1000 * round), TENON_OK);
        assert_none(&b);
        flush_out(&b);
        assert_int_equal(tenon_tick(b.conn, 1000 * round + 40), TENON_OK);
        assert_int_equal(wire_next(&b, &frame), 1);
        assert_int_equal(frame.first, 0x89);
        assert_int_equal(frame.size, 4);
        memcpy(number, frame.payload, 4);
        if (round == 1) {
            for (bit = 0; bit < 32; bit++) {
                number[bit / 8] ^= (uint8_t)(1u << bit % 8);
                assert_pong(&b, number, 4, 0);
                number[bit / 8] ^= (uint8_t)(1u << bit % 8);
            }
            assert_pong(&b, number, 3, 0);
            assert_pong(&b, number, 5, 0);
        }
        assert_pong(&b, number, 4, 1);
        assert_pong(&b, number, 4, 0); /* was answered */
    }
    assert_int_equal(tenon_close(b.conn, 1000, NULL, 0), TENON_OK);
    flush_out(&b);
    assert_pong(&b, number, 4, 0); /* a Close that went out is no Ping */
    bench_stop(&b);
}

/* All octets of the number count, though it takes a long life to get there. */
static void test_own_pong_of_a_long_life(void **state)
{
    static const uint8_t number[4] = {0x81, 0x42, 0x23, 0x14};
    bench b;
    (void)state;
    bench_config(&b, SERVER);
    b.config.ping_ms = 1000;
    bench_open_sized(&b, 512, 512);
    b.conn->ping_number = 0x81422313;
    assert_int_equal(tenon_tick(b.conn, 0), TENON_OK);
    assert_none(&b);
    assert_int_equal(tenon_tick(b.conn, 1000), TENON_OK);
    assert_none(&b);
    flush_out(&b);
    assert_int_equal(tenon_tick(b.conn, 1040), TENON_OK);
    assert_wire(&b, 0x89, number, 4);
    assert_pong(&b, number, 4, 1);
    bench_stop(&b);
}

/* A lend holds until it is used up, and an event until the next call. */
static void test_busy(void **state)
{
    static uint8_t other[4];
    bench b;
    const void *rest = NULL;
    size_t n = 99;
    (void)state;
    bench_open(&b, SERVER);
    give_frame(&b, 0x82, "abc", 3);
    assert_int_equal(tenon_recv(b.conn, other, sizeof other), TENON_ERR_BUSY);
    assert_int_equal(tenon_recv_const(b.conn, other, sizeof other), TENON_ERR_BUSY);
    assert_int_equal(tenon_wants(b.conn) & (TENON_WANTS_READ | TENON_WANTS_NEXT), TENON_WANTS_NEXT);
    assert_next(&b, TENON_EV_DATA);
    /* all is used up, but the event lies there */
    assert_int_equal(tenon_recv(b.conn, other, sizeof other), TENON_ERR_BUSY);
    assert_int_equal(tenon_unlend(b.conn, &rest, &n), TENON_ERR_BUSY);
    assert_int_equal(n, 99);
    assert_data(&b, "abc", 3);
    assert_int_equal(tenon_wants(b.conn) & TENON_WANTS_READ, 0);
    assert_none(&b);
    assert_int_equal(tenon_wants(b.conn) & TENON_WANTS_READ, TENON_WANTS_READ);
    assert_int_equal(tenon_unlend(b.conn, &rest, &n), TENON_OK);
    assert_int_equal(n, 0);
    give_frame(&b, 0x89, "abc", 3);
    assert_next(&b, TENON_EV_PING);
    assert_int_equal(tenon_recv(b.conn, other, sizeof other), TENON_ERR_BUSY);
    assert_int_equal(tenon_unlend(b.conn, &rest, &n), TENON_ERR_BUSY);
    assert_none(&b);
    assert_int_equal(tenon_recv(b.conn, NULL, 0), TENON_OK);
    assert_int_equal(tenon_recv(b.conn, NULL, 1), TENON_ERR_NULL);
    assert_int_equal(tenon_recv_const(b.conn, NULL, 1), TENON_ERR_NULL);
    assert_int_equal(tenon_unlend(b.conn, NULL, &n), TENON_ERR_NULL);
    assert_int_equal(tenon_unlend(b.conn, &rest, NULL), TENON_ERR_NULL);
    assert_int_equal(tenon_eof(b.conn), TENON_OK);
    assert_int_equal(tenon_recv(b.conn, other, 1), TENON_ERR_STATE);
    run_to_closed(&b);
    assert_int_equal(tenon_recv(b.conn, other, 1), TENON_ERR_STATE);
    assert_int_equal(tenon_recv_const(b.conn, other, 1), TENON_ERR_STATE);
    bench_stop(&b);
}

/* After each event that lies elsewhere the tail comes back, exact and untouched,
 * and the stream goes on when it is lent again. */
static void test_unlend_tail(void **state)
{
    stream s = mixed(SERVER);
    bench b;
    size_t frame, at = 0, left = s.size, n;
    const void *rest;
    (void)state;
    bench_open(&b, SERVER);
    give(&b, s.octets, s.size);
    assert_int_equal(tenon_unlend(b.conn, &rest, &n), TENON_OK); /* before anything was looked at */
    assert_ptr_equal(rest, b.lent);
    assert_int_equal(n, s.size);
    for (frame = 0; frame < COUNT_OF(mixed_types); frame++) {
        size_t end = frame == 5 ? s.size : s.ends[frame];
        assert_int_equal(tenon_recv_const(b.conn, s.octets + at, left), TENON_OK);
        assert_int_equal(next(&b), mixed_types[frame]);
        check_mixed(&b, (unsigned)frame);
        assert_int_equal(tenon_unlend(b.conn, &rest, &n), TENON_OK);
        assert_int_equal(n, s.size - end);
        if (n > 0)
            assert_ptr_equal(rest, s.octets + end);
        check_mixed(&b, (unsigned)frame); /* in rx, so the lend does not matter */
        at = end;
        left = n;
    }
    assert_none(&b);
    assert_int_equal(b.stats.octets_in, s.size);
    bench_stop(&b);
}

/* Octets in pages that cannot be written. */
static void *read_only(const void *data, size_t n)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(page != MAP_FAILED && n <= 4096);
    memcpy(page, data, n);
    assert_int_equal(mprotect(page, 4096, PROT_READ), 0);
    return page;
}

static void run_read_only(int role, uint32_t flags, int mutable_lend)
{
    stream s = mixed(role);
    void *page = read_only(s.octets, s.size);
    uint8_t *got = calloc(1, 1024);
    size_t n = 0;
    bench b;
    int type;
    assert_non_null(got);
    bench_config(&b, role);
    b.config.flags = flags;
    bench_open_sized(&b, 256, 1024);
    if (mutable_lend)
        assert_int_equal(tenon_recv(b.conn, page, s.size), TENON_OK);
    else
        assert_int_equal(tenon_recv_const(b.conn, page, s.size), TENON_OK);
    while ((type = next(&b)) != 0) {
        if (b.event.size > 0)
            memcpy(got + n, b.event.data, b.event.size);
        n += b.event.size;
    }
    assert_int_equal(n, 5 + 2 + 300 + 4 + 6);
    assert_memory_equal(got, "Hellop\xff", 7);
    assert_memory_equal(got + 307, "pongHel\xc3\xa4o", 10);
    bench_stop(&b);
    free(got);
    munmap(page, 4096);
}

/* Const lends are never written, nor is any input of a client. */
static void test_read_only(void **state)
{
    (void)state;
    run_read_only(SERVER, TENON_CHUNKS, 0); /* 300 octets come through 128 of rx */
    run_read_only(CLIENT, TENON_CHUNKS, 0);
    run_read_only(CLIENT, TENON_CHUNKS, 1);
}

static void test_read_only_whole(void **state)
{
    int lend;
    (void)state;
    for (lend = 0; lend < 2; lend++) {
        stream s = mixed(CLIENT);
        void *page = read_only(s.octets, s.size);
        unsigned i;
        bench b;
        bench_open(&b, CLIENT);
        if (lend)
            assert_int_equal(tenon_recv(b.conn, page, s.size), TENON_OK);
        else
            assert_int_equal(tenon_recv_const(b.conn, page, s.size), TENON_OK);
        for (i = 0; i < COUNT_OF(mixed_types); i++) {
            assert_int_equal(next(&b), mixed_types[i]);
            check_mixed(&b, i);
        }
        assert_none(&b);
        bench_stop(&b);
        munmap(page, 4096);
    }
}

static int inside(const void *p, const uint8_t *base, size_t n)
{
    return (const uint8_t *)p >= base && (const uint8_t *)p < base + n;
}

/* A whole message in one lend is told where it lies; a split, fragmented or
 * const-lent one lies behind the reserve of rx. */
static void test_copies(void **state)
{
    uint8_t octets[64];
    size_t n, r;
    bench b;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        bench_open(&b, roles[r]);
        n = peer_frame(roles[r], octets, 0x82, "abcdef", 6);
        give(&b, octets, n);
        assert_next(&b, TENON_EV_DATA);
        assert_ptr_equal(b.event.data, b.lent + n - 6);
        assert_none(&b);
        give(&b, octets, n - 2);
        assert_none(&b);
        give(&b, octets + n - 2, 2);
        assert_next(&b, TENON_EV_DATA);
        assert_true(inside(b.event.data, b.rx + TENON_RX_RESERVE, b.rx_size - TENON_RX_RESERVE));
        assert_data(&b, "abcdef", 6);
        assert_none(&b);
        assert_int_equal(tenon_recv_const(b.conn, octets, n), TENON_OK);
        assert_next(&b, TENON_EV_DATA);
        if (roles[r] == SERVER)
            assert_true(inside(b.event.data, b.rx + TENON_RX_RESERVE, b.rx_size - TENON_RX_RESERVE));
        else
            assert_ptr_equal(b.event.data, octets + n - 6);
        assert_data(&b, "abcdef", 6);
        bench_stop(&b);
    }
}

/* ---------------------------------------------------------------------- rx */

/* Without rx: what lies whole is told, what must be put together waits and says
 * how much it needs. */
static void test_wants_rx(void **state)
{
    uint8_t octets[600], big[300];
    bench b;
    size_t n;
    const void *rest;
    (void)state;
    fill(big, sizeof big);
    bench_config(&b, SERVER);
    bench_open_sized(&b, 0, 1024);
    assert_int_equal(tenon_rx_needed(b.conn), 0);
    give_frame(&b, 0x82, big, sizeof big);
    assert_next(&b, TENON_EV_DATA);
    assert_data(&b, big, sizeof big);
    assert_none(&b);
    n = peer_frame(SERVER, octets, 0x82, big, sizeof big);
    give(&b, octets, n - 1);
    assert_none(&b);
    assert_int_equal(tenon_wants(b.conn), TENON_WANTS_RX);
    assert_int_equal(tenon_rx_needed(b.conn), TENON_RX_RESERVE + sizeof big);
    assert_int_equal(tenon_unlend(b.conn, &rest, &n), TENON_OK); /* the header was used, the rest is raw */
    assert_int_equal(n, sizeof big - 1);
    assert_memory_equal(rest, octets + 8, n);
    /* now a larger rx would do, or more octets, and time goes on */
    assert_int_equal(tenon_wants(b.conn), TENON_WANTS_RX | TENON_WANTS_READ);
    assert_int_equal(tenon_rx_needed(b.conn), TENON_RX_RESERVE + sizeof big);
    assert_int_equal(tenon_recv_const(b.conn, octets + 8, sizeof big), TENON_OK);
    assert_none(&b);
    assert_int_equal(tenon_wants(b.conn) & TENON_WANTS_RX, TENON_WANTS_RX);
    b.rx = malloc(256);
    assert_int_equal(tenon_lend_rx(b.conn, b.rx, 256), TENON_OK); /* still too little */
    assert_none(&b);
    assert_int_equal(tenon_rx_needed(b.conn), TENON_RX_RESERVE + sizeof big);
    free(b.rx);
    b.rx = malloc(TENON_RX_RESERVE + sizeof big);
    assert_int_equal(tenon_lend_rx(b.conn, b.rx, TENON_RX_RESERVE + sizeof big), TENON_OK);
    assert_int_equal(tenon_rx_needed(b.conn), 0);
    assert_next(&b, TENON_EV_DATA);
    assert_data(&b, big, sizeof big);
    assert_int_equal(tenon_lend_rx(b.conn, NULL, 0), TENON_ERR_BUSY); /* the event lies in it */
    assert_none(&b);
    assert_int_equal(tenon_lend_rx(b.conn, NULL, 0), TENON_OK);
    bench_stop(&b);
}

/* A control frame in pieces, and every Close with a code, need rx; no more than
 * the least that can be lent. */
static void test_control_wants_rx(void **state)
{
    uint8_t octets[64];
    bench b;
    size_t n;
    (void)state;
    bench_config(&b, CLIENT);
    bench_open_sized(&b, 0, 1024);
    give_frame(&b, 0x89, "abc", 3);
    assert_next(&b, TENON_EV_PING);
    assert_none(&b);
    n = peer_frame(CLIENT, octets, 0x89, "abc", 3);
    give(&b, octets, n - 1);
    assert_none(&b);
    assert_int_equal(tenon_rx_needed(b.conn), TENON_RX_MIN);
    b.rx = malloc(TENON_RX_MIN);
    assert_int_equal(tenon_lend_rx(b.conn, b.rx, TENON_RX_MIN), TENON_OK);
    assert_none(&b);
    assert_int_equal(tenon_lend_rx(b.conn, NULL, 0), TENON_ERR_BUSY); /* it holds two octets */
    give(&b, octets + n - 1, 1);
    assert_next(&b, TENON_EV_PING);
    assert_data(&b, "abc", 3);
    assert_none(&b);
    assert_int_equal(tenon_lend_rx(b.conn, NULL, 0), TENON_OK);
    give_frame(&b, 0x88, "\x03\xe8" "bye", 5);
    assert_none(&b);
    assert_int_equal(tenon_rx_needed(b.conn), TENON_RX_MIN);
    assert_int_equal(tenon_lend_rx(b.conn, b.rx, TENON_RX_MIN), TENON_OK);
    assert_next(&b, TENON_EV_CLOSE);
    assert_int_equal(b.event.code, 1000);
    assert_data(&b, "bye", 3);
    assert_none(&b);
    assert_int_equal(tenon_lend_rx(b.conn, NULL, 0), TENON_ERR_BUSY); /* the reason is for CLOSED */
    bench_stop(&b);
    bench_config(&b, CLIENT);
    bench_open_sized(&b, 0, 1024);
    give_frame(&b, 0x88, NULL, 0);
    assert_next(&b, TENON_EV_CLOSE);
    assert_int_equal(b.event.code, TENON_CLOSE_NONE);
    bench_stop(&b);
}

/* A header alone leaves nothing in rx, nor does a piece that was told: it may be taken
 * back there, and a payload that then lies whole needs none. */
static void test_rx_between_pieces(void **state)
{
    uint8_t octets[64];
    size_t n;
    bench b;
    (void)state;
    bench_open(&b, SERVER);
    n = peer_frame(SERVER, octets, 0x89, "abc", 3);
    give(&b, octets, n - 3);
    assert_none(&b);
    assert_int_equal(tenon_lend_rx(b.conn, NULL, 0), TENON_OK);
    give(&b, octets + n - 3, 3);
    assert_next(&b, TENON_EV_PING);
    assert_data(&b, "abc", 3);
    assert_ptr_equal(b.event.data, b.lent);
    bench_stop(&b);
    bench_config(&b, SERVER);
    b.config.flags = TENON_CHUNKS;
    bench_open_sized(&b, 256, 512);
    n = peer_frame(SERVER, octets, 0x01, "abcdef", 6);
    assert_int_equal(tenon_recv_const(b.conn, octets, n - 3), TENON_OK);
    assert_next(&b, TENON_EV_DATA);
    assert_data(&b, "abc", 3);
    assert_none(&b);
    assert_int_equal(tenon_lend_rx(b.conn, NULL, 0), TENON_OK);
    assert_int_equal(tenon_recv_const(b.conn, octets + n - 3, 3), TENON_OK);
    assert_none(&b);
    assert_int_equal(tenon_lend_rx(b.conn, b.rx, 256), TENON_OK);
    assert_next(&b, TENON_EV_DATA);
    assert_data(&b, "def", 3);
    assert_none(&b);
    assert_int_equal(tenon_lend_rx(b.conn, NULL, 0), TENON_OK); /* between two frames, too */
    bench_stop(&b);
}

/* A larger rx in the middle of a message, at every octet: what was held moves. */
static void test_relend(void **state)
{
    uint8_t big[200], octets[400];
    size_t n, cut;
    (void)state;
    fill(big, sizeof big);
    n = peer_frame(SERVER, octets, 0x02, big, 100);
    n += peer_frame(SERVER, octets + n, 0x89, "in between", 10);
    n += peer_frame(SERVER, octets + n, 0x80, big + 100, 100);
    for (cut = 0; cut < n; cut++) {
        bench b;
        uint8_t *small = malloc(328);
        int type, seen = 0;
        bench_config(&b, SERVER);
        bench_open_sized(&b, 0, 1024);
        assert_int_equal(tenon_lend_rx(b.conn, small, 328), TENON_OK);
        give(&b, octets, cut);
        while ((type = next(&b)) != 0)
            assert_int_equal(type, TENON_EV_PING);
        b.rx_size = 400;
        b.rx = malloc(b.rx_size);
        assert_int_equal(tenon_lend_rx(b.conn, b.rx, b.rx_size), TENON_OK);
        memset(small, 0xee, 328);
        free(small);
        give(&b, octets + cut, n - cut);
        while ((type = next(&b)) != 0) {
            if (type == TENON_EV_PING)
                assert_data(&b, "in between", 10);
            else
                assert_data(&b, big, sizeof big);
            seen += type == TENON_EV_DATA;
        }
        assert_int_equal(seen, 1);
        bench_stop(&b);
    }
}

/* What is held does not fit into a smaller rx. */
static void test_relend_small(void **state)
{
    uint8_t big[300], *less = malloc(300);
    bench b;
    (void)state;
    fill(big, sizeof big);
    bench_open(&b, SERVER);
    give_frame(&b, 0x02, big, 200);
    assert_none(&b);
    assert_int_equal(tenon_lend_rx(b.conn, less, 300), TENON_ERR_SIZE); /* 128 + 200 are held */
    assert_int_equal(tenon_lend_rx(b.conn, less, TENON_RX_MIN - 1), TENON_ERR_SIZE);
    assert_int_equal(tenon_lend_rx(b.conn, NULL, 0), TENON_ERR_BUSY);
    assert_int_equal(tenon_lend_rx(b.conn, NULL, 300), TENON_ERR_NULL);
    give_frame(&b, 0x80, big + 200, 100);
    assert_next(&b, TENON_EV_DATA);
    assert_data(&b, big, 300);
    assert_int_equal(tenon_lend_rx(b.conn, less, 300), TENON_ERR_BUSY);
    assert_none(&b);
    assert_int_equal(tenon_lend_rx(b.conn, less, 300), TENON_OK);
    bench_stop(&b);
    free(less);
}

/* Pieces need no rx, so one may come or go in the middle of a frame. */
static void test_relend_chunks(void **state)
{
    bench b;
    uint8_t octets[64];
    size_t n = peer_frame(SERVER, octets, 0x82, "abcdef", 6);
    (void)state;
    bench_config(&b, SERVER);
    b.config.flags = TENON_CHUNKS;
    bench_open_sized(&b, 0, 1024);
    give(&b, octets, n - 3);
    assert_next(&b, TENON_EV_DATA);
    assert_data(&b, "abc", 3);
    assert_none(&b);
    b.rx = malloc(256);
    assert_int_equal(tenon_lend_rx(b.conn, b.rx, 256), TENON_OK);
    give(&b, octets + n - 3, 2);
    assert_next(&b, TENON_EV_DATA);
    assert_none(&b);
    assert_int_equal(tenon_lend_rx(b.conn, NULL, 0), TENON_OK);
    give(&b, octets + n - 1, 1);
    assert_next(&b, TENON_EV_DATA);
    assert_data(&b, "f", 1);
    bench_stop(&b);
}

/* ------------------------------------------------------------------- again */

/* The same event comes again, while what the library did is done once. */
static void test_again(void **state)
{
    bench b;
    tenon_event first;
    int i;
    (void)state;
    bench_open(&b, SERVER);
    assert_int_equal(tenon_again(b.conn), TENON_ERR_STATE);
    give_frame(&b, 0x89, "ab", 2);
    for (i = 0; i < 3; i++) {
        assert_next(&b, TENON_EV_PING);
        if (i == 0)
            first = b.event;
        assert_memory_equal(&first, &b.event, sizeof first);
        assert_data(&b, "ab", 2);
        if (i < 2)
            assert_int_equal(tenon_again(b.conn), TENON_OK);
    }
    assert_none(&b);
    assert_int_equal(tenon_again(b.conn), TENON_ERR_STATE);
    assert_int_equal(b.stats.pings_in, 1);
    flush_out(&b);
    assert_wire(&b, 0x8a, "ab", 2);
    assert_wire_end(&b);
    give_frame(&b, 0x88, "\x03\xe9", 2);
    assert_next(&b, TENON_EV_CLOSE);
    assert_int_equal(tenon_again(b.conn), TENON_OK);
    assert_true((tenon_wants(b.conn) & TENON_WANTS_NEXT) != 0);
    assert_next(&b, TENON_EV_CLOSE);
    assert_int_equal(b.event.code, 1001);
    assert_none(&b);
    run_to_closed(&b);
    assert_wire_close(&b, 1001);
    assert_wire_end(&b);
    assert_int_equal(tenon_again(b.conn), TENON_ERR_STATE);
    bench_stop(&b);
}

static void test_again_piece(void **state)
{
    bench b;
    tenon_event first;
    (void)state;
    bench_config(&b, CLIENT);
    b.config.flags = TENON_CHUNKS;
    bench_open_sized(&b, 256, 512);
    give_frame(&b, 0x01, "ab", 2);
    assert_next(&b, TENON_EV_DATA);
    first = b.event;
    assert_int_equal(tenon_again(b.conn), TENON_OK);
    assert_next(&b, TENON_EV_DATA);
    assert_memory_equal(&first, &b.event, sizeof first);
    assert_none(&b);
    give_frame(&b, 0x80, "c", 1);
    assert_next(&b, TENON_EV_DATA);
    assert_int_equal(b.event.offset, 2);
    bench_stop(&b);
}

/* ------------------------------------------------------------------ limits */

/* Octets of a frame header that announces n, from the peer of role. */
static size_t header(int role, uint8_t *out, uint8_t first, uint64_t n)
{
    tenon_frame frame;
    size_t size;
    memset(&frame, 0, sizeof frame);
    frame.first = first;
    frame.payload_size = n;
    frame.masked = role == SERVER;
    assert_int_equal(tenon_frame_encode(&frame, out, &size), TENON_OK);
    return size;
}

/* max_message at n - 1, n, n + 1, as one frame, and as a sum. The refusal comes
 * with the last octet of the length, before key and payload. */
/* covers: 6455-10.4-02 6455-7.4.1-09 */
static void test_max_message(void **state)
{
    static const uint64_t sizes[] = {999, 1000, 1001};
    uint8_t octets[16], data[1001];
    size_t r, i, split, n;
    bench b;
    (void)state;
    fill(data, sizeof data);
    for (r = 0; r < COUNT_OF(roles); r++) {
        for (i = 0; i < COUNT_OF(sizes); i++) {
            for (split = 0; split <= 1; split++) {
                size_t begun = split ? 500 : 0;
                uint64_t offset;
                bench_config(&b, roles[r]);
                b.config.max_message = 1000;
                bench_open_sized(&b, 2048, 1024);
                if (split)
                    give_frame(&b, 0x02, data, begun);
                assert_none(&b);
                offset = b.stats.octets_in;
                if (sizes[i] <= 1000) {
                    give_frame(&b, split ? 0x80 : 0x82, data + begun, (size_t)sizes[i] - begun);
                    assert_next(&b, TENON_EV_DATA);
                    assert_data(&b, data, sizes[i]);
                    bench_stop(&b);
                    continue;
                }
                n = header(roles[r], octets, split ? 0x80 : 0x82, sizes[i] - begun);
                give(&b, octets, 4);
                assert_failed(&b, TENON_RULE_MESSAGE_SIZE, offset + 3, 1009);
                assert_true(n >= 4);
                bench_stop(&b);
            }
        }
    }
}

/* Without a limit of its own a message is one that rx can assemble, at most 1 MiB,
 * however it lies. */
static void test_max_message_default(void **state)
{
    uint8_t octets[16], data[129];
    bench b;
    (void)state;
    fill(data, sizeof data);
    bench_config(&b, SERVER);
    bench_open_sized(&b, 256, 512);
    give_frame(&b, 0x82, data, 128);
    assert_next(&b, TENON_EV_DATA);
    assert_none(&b);
    give_frame(&b, 0x82, data, 129);
    assert_failed(&b, TENON_RULE_MESSAGE_SIZE, 8 + 128 + 3, 1009);
    bench_stop(&b);
    bench_config(&b, SERVER);
    bench_open_sized(&b, 0, 512);
    give(&b, octets, header(SERVER, octets, 0x82, 1u << 20));
    assert_none(&b);
    assert_int_equal(tenon_state(b.conn), TENON_OPEN);
    bench_stop(&b);
    bench_config(&b, SERVER);
    bench_open_sized(&b, 0, 512);
    give(&b, octets, header(SERVER, octets, 0x82, (1u << 20) + 1));
    assert_failed(&b, TENON_RULE_MESSAGE_SIZE, 9, 1009);
    bench_stop(&b);
}

/* Lengths near 2^63 and 2^64 are judged, not computed with. */
/* covers: 6455-5.2-08 6455-5.2-11 6455-10.4-01 */
static void test_huge(void **state)
{
    static const struct {
        uint64_t size;
        uint32_t flags, rule;
        unsigned at;
    } list[] = {
        {(UINT64_C(1) << 63) - 1, 0, TENON_RULE_MESSAGE_SIZE, 9},
        {UINT64_C(1) << 60, 0, TENON_RULE_MESSAGE_SIZE, 9},
        {UINT64_C(0x100000005), 0, TENON_RULE_MESSAGE_SIZE, 9},
        {UINT64_C(1) << 63, 0, TENON_RULE_LENGTH_RANGE, 2},
        {(UINT64_C(1) << 63) + 1, TENON_CHUNKS, TENON_RULE_LENGTH_RANGE, 2},
        {UINT64_MAX, 0, TENON_RULE_LENGTH_RANGE, 2},
        {UINT64_MAX - 3, TENON_CHUNKS, TENON_RULE_LENGTH_RANGE, 2},
        {UINT64_MAX - 13, 0, TENON_RULE_LENGTH_RANGE, 2},
        {UINT64_MAX - 14, 0, TENON_RULE_LENGTH_RANGE, 2},
        {UINT64_MAX - 127, 0, TENON_RULE_LENGTH_RANGE, 2},
    };
    size_t r, i, j, cut;
    bench b;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        for (i = 0; i < COUNT_OF(list); i++) {
            uint8_t octets[14] = {0x82, 0x7f};
            if (roles[r] == SERVER)
                octets[1] |= 0x80;
            for (j = 0; j < 8; j++)
                octets[2 + j] = (uint8_t)(list[i].size >> (56 - 8 * j) & 0xff);
            for (cut = 0; cut <= list[i].at; cut++) {
                bench_config(&b, roles[r]);
                b.config.flags = list[i].flags;
                bench_open_sized(&b, 256, 512);
                give(&b, octets, cut);
                assert_none(&b);
                give(&b, octets + cut, 10 - cut);
                assert_failed(&b, list[i].rule, list[i].at,
                              list[i].rule == TENON_RULE_MESSAGE_SIZE ? 1009u : 1002u);
                bench_stop(&b);
            }
        }
    }
}

/* Without a limit the largest frame is let through in pieces, and a sum beyond
 * what the protocol can express is refused. */
static void test_huge_chunks(void **state)
{
    static const uint64_t most = (UINT64_C(1) << 63) - 1;
    uint8_t octets[16];
    bench b;
    int off;
    (void)state;
    for (off = 0; off < 2; off++) {
        bench_config(&b, SERVER);
        b.config.flags = TENON_CHUNKS;
        b.config.max_message = off ? TENON_OFF : 0;
        bench_open_sized(&b, 256, 512);
        give(&b, octets, header(SERVER, octets, 0x82, most));
        assert_none(&b);
        give(&b, "abc", 3);
        assert_next(&b, TENON_EV_DATA);
        assert_true(b.event.frame_size == most);
        assert_int_equal(b.event.flags, TENON_FIRST | TENON_FRAME_FIRST);
        bench_stop(&b);
        bench_config(&b, SERVER);
        b.config.flags = TENON_CHUNKS;
        b.config.max_message = off ? UINT64_MAX : 0;
        bench_open_sized(&b, 256, 512);
        give_frame(&b, 0x02, "a", 1);
        assert_next(&b, TENON_EV_DATA);
        assert_none(&b);
        give(&b, octets, header(SERVER, octets, 0x00, most));
        assert_failed(&b, TENON_RULE_MESSAGE_SIZE, 7 + 9, 1009);
        bench_stop(&b);
    }
}

/* max_fragments and max_control at n - 1, n, n + 1; a data octet or a later clock
 * starts the count of control frames again. */
static void test_max_frames(void **state)
{
    bench b;
    int i;
    (void)state;
    bench_config(&b, SERVER);
    b.config.max_fragments = 3;
    bench_open_sized(&b, 256, 512);
    give_frame(&b, 0x02, "a", 1);
    assert_none(&b);
    give_frame(&b, 0x00, "b", 1);
    assert_none(&b);
    give_frame(&b, 0x80, "c", 1);
    assert_next(&b, TENON_EV_DATA);
    assert_data(&b, "abc", 3);
    assert_none(&b);
    for (i = 0; i < 3; i++) {
        give_frame(&b, i == 0 ? 0x02 : 0x00, "a", 1);
        assert_none(&b);
    }
    assert_int_equal(tenon_state(b.conn), TENON_OPEN);
    give_frame(&b, 0x80, NULL, 0);
    assert_failed(&b, TENON_RULE_FRAGMENTS, 6 * 7, 1008);
    bench_stop(&b);
}

static void test_max_control(void **state)
{
    static const uint8_t firsts[] = {0x89, 0x8a, 0x89};
    bench b;
    int i, round;
    (void)state;
    bench_config(&b, CLIENT);
    b.config.max_control = 3;
    bench_open_sized(&b, 256, 512);
    assert_int_equal(tenon_tick(b.conn, 100), TENON_OK);
    for (round = 0; round < 3; round++) {
        for (i = 0; i < 3; i++) {
            give_frame(&b, firsts[i], NULL, 0);
            assert_int_equal(next(&b), firsts[i] == 0x89 ? TENON_EV_PING : TENON_EV_PONG);
            assert_none(&b);
        }
        flush_out(&b);
        if (round == 0) {
            give_frame(&b, 0x82, "x", 1);
            assert_next(&b, TENON_EV_DATA);
            assert_none(&b);
        } else if (round == 1) {
            assert_int_equal(tenon_tick(b.conn, 100), TENON_OK); /* not later: no effect */
            assert_int_equal(tenon_tick(b.conn, 101), TENON_OK);
        }
    }
    b.read = b.wire_size;
    give_frame(&b, 0x89, NULL, 0);
    assert_failed(&b, TENON_RULE_CONTROL_FLOOD, 9 * 2 + 3, 1008);
    bench_stop(&b);
}

/* ------------------------------------------------------------------- pieces */

#define PIECE_WHOLE (TENON_FRAME_FIRST | TENON_FRAME_LAST)

/* covers: 6455-5.4-09 6455-5.4-11 6455-5.6-01 */
static void test_chunk_flags(void **state)
{
    uint8_t octets[16];
    size_t n;
    bench b;
    (void)state;
    bench_config(&b, SERVER);
    b.config.flags = TENON_CHUNKS;
    bench_open_sized(&b, 256, 512);
    n = peer_frame(SERVER, octets, 0x01, "Hel\xc3", 4);
    give(&b, octets, n - 2); /* a frame in two pieces */
    assert_next(&b, TENON_EV_DATA);
    assert_data(&b, "He", 2);
    assert_int_equal(b.event.flags, TENON_FIRST | TENON_FRAME_FIRST);
    assert_int_equal(b.event.opcode, TENON_TEXT);
    assert_int_equal(b.event.frame_size, 4);
    assert_none(&b);
    give(&b, octets + n - 2, 2);
    assert_next(&b, TENON_EV_DATA);
    assert_data(&b, "l\xc3", 2); /* pieces may cut code points */
    assert_int_equal(b.event.flags, TENON_FRAME_LAST);
    assert_int_equal(b.event.offset, 2);
    assert_none(&b);
    give_frame(&b, 0x00, NULL, 0); /* nothing to say */
    assert_none(&b);
    give_frame(&b, 0x00, "\xa4", 1);
    assert_next(&b, TENON_EV_DATA);
    assert_int_equal(b.event.flags, PIECE_WHOLE);
    assert_int_equal(b.event.opcode, TENON_TEXT);
    assert_int_equal(b.event.offset, 4);
    assert_int_equal(b.event.frame_size, 1);
    assert_none(&b);
    give_frame(&b, 0x80, NULL, 0); /* an empty piece, only to carry LAST */
    assert_next(&b, TENON_EV_DATA);
    assert_int_equal(b.event.size, 0);
    assert_int_equal(b.event.flags & (TENON_FIRST | TENON_LAST), TENON_LAST);
    assert_int_equal(b.event.offset, 5);
    assert_none(&b);
    give_frame(&b, 0x82, "z", 1);
    assert_next(&b, TENON_EV_DATA);
    assert_int_equal(b.event.flags, TENON_FIRST | TENON_LAST | PIECE_WHOLE);
    assert_int_equal(b.event.opcode, TENON_BINARY);
    assert_int_equal(b.event.offset, 0);
    assert_int_equal(b.stats.messages_in, 2);
    assert_int_equal(b.stats.frames_in, 5);
    bench_stop(&b);
}

/* Whole messages carry all four flags and the size of their last frame. */
/* covers: 6455-5.4-09 6455-5.2-14 */
static void test_whole_flags(void **state)
{
    bench b;
    (void)state;
    bench_open(&b, CLIENT);
    give_frame(&b, 0x01, NULL, 0);
    assert_none(&b);
    give_frame(&b, 0x00, "middle", 6);
    assert_none(&b);
    give_frame(&b, 0x80, NULL, 0);
    assert_next(&b, TENON_EV_DATA);
    assert_data(&b, "middle", 6);
    assert_int_equal(b.event.flags, TENON_FIRST | TENON_LAST | PIECE_WHOLE);
    assert_int_equal(b.event.frame_size, 0);
    assert_int_equal(b.event.offset, 0);
    assert_int_equal(b.event.opcode, TENON_TEXT);
    assert_none(&b);
    give_frame(&b, 0x02, NULL, 0);
    assert_none(&b);
    give_frame(&b, 0x00, NULL, 0);
    assert_none(&b);
    give_frame(&b, 0x80, NULL, 0);
    assert_next(&b, TENON_EV_DATA);
    assert_int_equal(b.event.size, 0);
    assert_int_equal(b.event.opcode, TENON_BINARY);
    assert_none(&b);
    bench_stop(&b);
}

/* -------------------------------------------------------------------- UTF-8 */

/* Bad text is refused at its first bad octet, at every cut; in pieces every octet
 * before it is told. */
/* covers: 6455-8.1-01 6455-8.1-08 6455-7.4.1-07 6455-7.1.7-01 6455-5.3-04 */
static void test_utf8_cut(void **state)
{
    static const char text[] = "caf\xc3\xa9 \xf0\x9f\x98\x80 \xed\xa0\x80 rest";
    size_t r, cut, bad = 12, n, chunks;
    bench b;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        for (chunks = 0; chunks < 2; chunks++) {
            uint8_t octets[64];
            size_t head = roles[r] == SERVER ? 6 : 2;
            n = peer_frame(roles[r], octets, 0x81, text, sizeof text - 1);
            for (cut = 0; cut <= head + bad; cut++) {
                size_t told = 0;
                bench_config(&b, roles[r]);
                b.config.flags = chunks ? TENON_CHUNKS : 0;
                bench_open_sized(&b, 1024, 1024);
                give(&b, octets, cut);
                while (next(&b) != 0)
                    told += b.event.size;
                assert_int_equal(tenon_state(b.conn), TENON_OPEN);
                give(&b, octets + cut, n - cut);
                while (next(&b) != 0) {
                    assert_int_equal(b.event.offset, told);
                    assert_data(&b, text + told, b.event.size);
                    told += b.event.size;
                }
                assert_int_equal(told, chunks ? bad : 0);
                assert_failed(&b, TENON_RULE_UTF8, head + bad, 1007);
                bench_stop(&b);
            }
        }
    }
}

/* Text that ends inside a code point, in one frame, two, or with an empty one; a
 * code point over frames with a Ping between. */
/* covers: 6455-8.1-07 6455-8.1-09 6455-5.6-01 6455-5.4-10 6455-5.6-02 */
static void test_utf8_frames(void **state)
{
    bench b;
    (void)state;
    bench_open(&b, SERVER);
    give_frame(&b, 0x01, "\xc3", 1);
    assert_none(&b);
    give_frame(&b, 0x89, "\xff\xff", 2);
    assert_next(&b, TENON_EV_PING);
    assert_none(&b);
    give_frame(&b, 0x80, "\xa9", 1);
    assert_next(&b, TENON_EV_DATA);
    assert_data(&b, "\xc3\xa9", 2);
    assert_none(&b);
    give_frame(&b, 0x02, "\xed", 1);
    assert_none(&b);
    give_frame(&b, 0x80, "\xa0\x80", 2);
    assert_next(&b, TENON_EV_DATA);
    assert_none(&b);
    flush_out(&b);
    assert_wire(&b, 0x8a, "\xff\xff", 2);
    give_frame(&b, 0x81, "a\xce", 2);
    assert_failed(&b, TENON_RULE_UTF8_END, 7 + 8 + 7 + 7 + 8 + 7, 1007);
    bench_stop(&b);
    bench_open(&b, SERVER);
    give_frame(&b, 0x01, "\xce", 1);
    assert_none(&b);
    give_frame(&b, 0x80, NULL, 0);
    assert_failed(&b, TENON_RULE_UTF8_END, 7 + 5, 1007);
    bench_stop(&b);
    bench_open(&b, SERVER);
    give_frame(&b, 0x01, "\xce", 1);
    assert_none(&b);
    give_frame(&b, 0x80, "x", 1);
    assert_failed(&b, TENON_RULE_UTF8, 7 + 6, 1007);
    bench_stop(&b);
}

/* The connection ends by something else between the good octets and the bad one:
 * then nothing is left to do about the bad one. */
static void test_utf8_overtaken(void **state)
{
    bench b;
    (void)state;
    bench_config(&b, CLIENT);
    b.config.flags = TENON_CHUNKS;
    b.random_fails = 1;
    bench_open_sized(&b, 256, 512);
    give_frame(&b, 0x81, "a\xff", 2);
    assert_next(&b, TENON_EV_DATA);
    assert_data(&b, "a", 1);
    assert_int_equal(tenon_send(b.conn, TENON_TEXT, "x", 1, 0), TENON_ERR_RANDOM);
    assert_none(&b);
    assert_int_equal(tenon_wants(b.conn) & TENON_WANTS_NEXT, 0);
    run_to_closed(&b);
    assert_int_equal(b.event.rule, TENON_RULE_RANDOM);
    bench_stop(&b);
}

/* covers: 6455-8.1-06 */
static void test_utf8_untouched(void **state)
{
    static const char text[] = "\xef\xbb\xbf\0\xef\xbf\xbe\xef\xbf\xbf\xef\xbf\xbd\xf4\x8f\xbf\xbf";
    bench b;
    (void)state;
    bench_open(&b, SERVER);
    give_frame(&b, 0x81, text, sizeof text - 1);
    assert_next(&b, TENON_EV_DATA);
    assert_data(&b, text, sizeof text - 1);
    bench_stop(&b);
}

/* ------------------------------------------------------------------- headers */

/* What a header breaks: the octets for a client; a server sees them masked, but
 * for the two rules of masking. */
static const struct bad_frame {
    const char *octets;
    size_t size; /* up to the guilty octet */
    unsigned rule;
} bad_frames[] = {
    {"\x91", 1, TENON_RULE_RSV},
    {"\xa1", 1, TENON_RULE_RSV},
    {"\xc1", 1, TENON_RULE_RSV},
    {"\xd2", 1, TENON_RULE_RSV},
    {"\xe2", 1, TENON_RULE_RSV},
    {"\xf8", 1, TENON_RULE_RSV},
    {"\xd9", 1, TENON_RULE_RSV},
    {"\x83", 1, TENON_RULE_OPCODE},
    {"\x84", 1, TENON_RULE_OPCODE},
    {"\x05", 1, TENON_RULE_OPCODE},
    {"\x86", 1, TENON_RULE_OPCODE},
    {"\x87", 1, TENON_RULE_OPCODE},
    {"\x8b", 1, TENON_RULE_OPCODE},
    {"\x8c", 1, TENON_RULE_OPCODE},
    {"\x8d", 1, TENON_RULE_OPCODE},
    {"\x8e", 1, TENON_RULE_OPCODE},
    {"\x8f", 1, TENON_RULE_OPCODE},
    {"\x08", 1, TENON_RULE_CONTROL_FIN},
    {"\x09", 1, TENON_RULE_CONTROL_FIN},
    {"\x0a", 1, TENON_RULE_CONTROL_FIN},
    {"\x80", 1, TENON_RULE_CONTINUATION},
    {"\x00", 1, TENON_RULE_CONTINUATION},
    {"\x89\x7e", 2, TENON_RULE_CONTROL_SIZE},
    {"\x88\x7e", 2, TENON_RULE_CONTROL_SIZE},
    {"\x8a\x7f", 2, TENON_RULE_CONTROL_SIZE},
    {"\x88\x01", 2, TENON_RULE_CLOSE_SIZE},
    {"\x81\x7e\x00\x05", 4, TENON_RULE_LENGTH_MINIMAL},
    {"\x81\x7e\x00\x7d", 4, TENON_RULE_LENGTH_MINIMAL},
    {"\x82\x7f\x00\x00\x00\x00\x00\x00", 8, TENON_RULE_LENGTH_MINIMAL},
};

/* The refusal comes with the guilty octet, whole or octet by octet, before
 * anything else of the frame; a message in front of it is told. */
/* covers: 6455-5.2-02 6455-5.2-03 6455-5.2-04 6455-5.2-05 6455-5.2-06 6455-5.2-10 6455-5.4-03 6455-5.4-05 6455-5.5-01 6455-5.5.1-02 6455-7.4.1-05 6455-7.1.7-02 6455-7.1.7-06 6455-7.1.5-04 */
static void test_bad_headers(void **state)
{
    size_t r, i, j, single;
    bench b;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        for (i = 0; i < COUNT_OF(bad_frames); i++) {
            for (single = 0; single < 2; single++) {
                uint8_t octets[64];
                size_t before = peer_frame(roles[r], octets, 0x81, "Hello", 5);
                size_t n = before + bad_frames[i].size;
                int type, told = 0;
                memcpy(octets + before, bad_frames[i].octets, bad_frames[i].size);
                if (roles[r] == SERVER && bad_frames[i].size > 1)
                    octets[before + 1] |= 0x80;
                bench_open(&b, roles[r]);
                for (j = 0; j < n; j += single ? 1 : n) {
                    give(&b, octets + j, single ? 1 : n);
                    while ((type = next(&b)) != 0)
                        told += type == TENON_EV_DATA && b.event.size == 5;
                    if (single && j + 1 < n)
                        assert_int_equal(tenon_state(b.conn), TENON_OPEN);
                }
                assert_int_equal(told, 1);
                assert_failed(&b, bad_frames[i].rule, n - 1, 1002);
                bench_stop(&b);
            }
        }
    }
}

/* The bit decides alone, for empty and control frames too; a key of zeros is one. */
/* covers: 6455-5.1-02 6455-5.1-04 6455-5.3-02 */
static void test_mask_direction(void **state)
{
    static const uint8_t firsts[] = {0x81, 0x82, 0x88, 0x89, 0x8a};
    static const uint8_t zero_key[] = {0x81, 0x82, 0, 0, 0, 0, 'h', 'i'};
    size_t i, n;
    bench b;
    (void)state;
    for (i = 0; i < COUNT_OF(firsts); i++) {
        for (n = 0; n <= 5; n += 5) {
            uint8_t octets[2];
            octets[0] = firsts[i];
            octets[1] = (uint8_t)n;
            bench_open(&b, SERVER);
            give(&b, octets, 2);
            assert_failed(&b, TENON_RULE_MASK_MISSING, 1, 1002);
            bench_stop(&b);
            octets[1] |= 0x80;
            bench_open(&b, CLIENT);
            give(&b, octets, 2);
            assert_failed(&b, TENON_RULE_MASK_PRESENT, 1, 1002);
            bench_stop(&b);
        }
    }
    bench_open(&b, SERVER);
    give(&b, zero_key, sizeof zero_key);
    assert_next(&b, TENON_EV_DATA);
    assert_data(&b, "hi", 2);
    bench_stop(&b);
}

/* A message inside an unfinished one, also behind a Ping. */
/* covers: 6455-5.4-03 6455-5.4-04 */
static void test_order(void **state)
{
    static const uint8_t firsts[] = {0x81, 0x82, 0x01, 0x02};
    size_t i;
    bench b;
    (void)state;
    for (i = 0; i < COUNT_OF(firsts); i++) {
        bench_open(&b, CLIENT);
        give_frame(&b, 0x01, "a", 1);
        assert_none(&b);
        give_frame(&b, 0x89, NULL, 0);
        assert_next(&b, TENON_EV_PING);
        assert_none(&b);
        flush_out(&b);
        assert_wire(&b, 0x8a, NULL, 0);
        give(&b, firsts + i, 1);
        assert_failed(&b, TENON_RULE_UNFINISHED, 5, 1002);
        bench_stop(&b);
    }
    for (i = 3; i <= 7; i++) { /* what is reserved has no place in the order */
        uint8_t first = (uint8_t)(0x80 | i);
        bench_open(&b, CLIENT);
        give_frame(&b, 0x01, "a", 1);
        assert_none(&b);
        give(&b, &first, 1);
        assert_failed(&b, TENON_RULE_OPCODE, 3, 1002);
        bench_stop(&b);
    }
    bench_open(&b, CLIENT);
    give_frame(&b, 0x01, "a", 1);
    assert_none(&b);
    give_frame(&b, 0x80, "b", 1);
    assert_next(&b, TENON_EV_DATA);
    assert_none(&b);
    give_frame(&b, 0x80, "c", 1);
    assert_failed(&b, TENON_RULE_CONTINUATION, 6, 1002);
    bench_stop(&b);
}

/* The payload sizes at which forms of the length and of the control limit change. */
/* covers: 6455-5.2-07 6455-5.2-12 6455-5.5-01 6455-5.5.2-03 6455-5.5.3-01 */
static void test_sizes(void **state)
{
    static const size_t sizes[] = {0, 1, 124, 125, 126, 127, 128, 65535, 65536, 65537};
    static uint8_t data[65537];
    size_t r, i;
    bench b;
    (void)state;
    fill(data, sizeof data);
    for (r = 0; r < COUNT_OF(roles); r++) {
        bench_config(&b, roles[r]);
        bench_open_sized(&b, 70000, 1024);
        for (i = 0; i < COUNT_OF(sizes); i++) {
            give_frame(&b, 0x82, data, sizes[i]);
            assert_next(&b, TENON_EV_DATA);
            assert_data(&b, data, sizes[i]);
            assert_int_equal(b.event.frame_size, sizes[i]);
            assert_none(&b);
            if (sizes[i] > 125)
                continue;
            give_frame(&b, 0x89, data, sizes[i]);
            assert_next(&b, TENON_EV_PING);
            assert_data(&b, data, sizes[i]);
            assert_none(&b);
            flush_out(&b);
            assert_wire(&b, 0x8a, data, sizes[i]);
            give_frame(&b, 0x8a, data, sizes[i]);
            assert_next(&b, TENON_EV_PONG);
            assert_data(&b, data, sizes[i]);
            assert_int_equal(b.event.flags, 0);
            assert_none(&b);
        }
        bench_stop(&b);
    }
}

/* -------------------------------------------------------------------- Close */

static int may_be_received(unsigned code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

/* All 65536 codes: the good ones are echoed, the others are a protocol error. */
/* covers: 6455-5.5.1-01 6455-5.5.1-10 6455-5.5.1-11 6455-5.5.1-19 6455-7.4.1-01 6455-7.4.1-03 6455-7.4.1-04 6455-7.4.2-01 6455-7.4.2-02 6455-7.4.2-03 6455-7.4.2-04 6455-7.1.5-01 */
static void test_close_codes(void **state)
{
    size_t r;
    unsigned code;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        for (code = 0; code < 65536; code++) {
            uint8_t payload[2];
            bench b;
            payload[0] = (uint8_t)(code >> 8);
            payload[1] = (uint8_t)(code & 0xff);
            bench_config(&b, roles[r]);
            bench_open_sized(&b, 256, 512);
            give_frame(&b, 0x88, payload, 2);
            if (!may_be_received(code)) {
                assert_failed(&b, TENON_RULE_CLOSE_CODE, roles[r] == SERVER ? 7 : 3, 1002);
                bench_stop(&b);
                continue;
            }
            assert_next(&b, TENON_EV_CLOSE);
            assert_int_equal(b.event.code, code);
            assert_int_equal(b.event.size, 0);
            run_to_closed(&b);
            assert_wire_close(&b, code);
            assert_wire_end(&b);
            assert_int_equal(b.event.code, code);
            assert_int_equal(b.event.received_code, code);
            assert_int_equal(b.event.sent_code, code);
            assert_int_equal(b.event.cause, TENON_REMOTE);
            assert_int_equal(b.event.flags, TENON_CLEAN);
            assert_int_equal(b.event.rule, TENON_RULE_NONE);
            bench_stop(&b);
        }
    }
}

/* Reasons: the longest, none, and those that are not UTF-8, at every cut. */
/* covers: 6455-5.5.1-04 6455-5.5.1-05 6455-5.5.1-06 6455-7.1.6-01 6455-5.5.1-02 */
static void test_close_reason(void **state)
{
    static const struct {
        const char *reason;
        size_t size, bad; /* bad: its first bad octet; size: none, if it only ends too soon: size - 1 */
    } list[] = {
        {"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80""edited", 20, 12},
        {"\xc3", 1, 0},
        {"ok \xe2\x82", 5, 4},
        {"\xff", 1, 0},
    };
    char reason[123];
    size_t i, n, cut;
    bench b;
    uint8_t octets[200], payload[125] = {0x03, 0xe8};
    (void)state;
    memset(reason, '*', sizeof reason);
    memcpy(payload + 2, reason, sizeof reason);
    n = peer_frame(SERVER, octets, 0x88, payload, 125);
    for (cut = 0; cut < n; cut++) {
        bench_open(&b, SERVER);
        give(&b, octets, cut);
        assert_none(&b);
        give(&b, octets + cut, n - cut);
        assert_next(&b, TENON_EV_CLOSE);
        assert_data(&b, reason, sizeof reason);
        run_to_closed(&b);
        assert_data(&b, reason, sizeof reason);
        assert_int_equal(b.event.code, 1000);
        bench_stop(&b);
    }
    for (i = 0; i < COUNT_OF(list); i++) {
        memcpy(payload + 2, list[i].reason, list[i].size);
        n = peer_frame(CLIENT, octets, 0x88, payload, 2 + list[i].size);
        for (cut = 0; cut <= 4 + list[i].bad; cut++) {
            bench_open(&b, CLIENT);
            give(&b, octets, cut);
            assert_none(&b);
            give(&b, octets + cut, n - cut);
            assert_failed(&b, TENON_RULE_CLOSE_UTF8, 4 + list[i].bad, 1007);
            bench_stop(&b);
        }
    }
}

/* A reason of one octet is one, and none is nowhere. */
static void test_close_reason_short(void **state)
{
    bench b;
    (void)state;
    bench_open(&b, CLIENT);
    give_frame(&b, 0x88, "\x03\xe8!", 3);
    assert_next(&b, TENON_EV_CLOSE);
    assert_data(&b, "!", 1);
    bench_stop(&b);
    bench_open(&b, CLIENT);
    give_frame(&b, 0x88, "\x03\xe8", 2);
    assert_next(&b, TENON_EV_CLOSE);
    assert_null(b.event.data);
    run_to_closed(&b);
    assert_null(b.event.data);
    bench_stop(&b);
}

/* A bad code is refused at every cut, its own middle included; what is lent behind it is
 * thrown away at once. */
/* covers: 6455-5.5.1-19 */
static void test_close_code_cut(void **state)
{
    static const uint8_t code[2] = {0x03, 0xed};
    size_t r, cut;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        uint8_t octets[64];
        size_t n = peer_frame(roles[r], octets, 0x88, code, 2), end = n;
        n += peer_frame(roles[r], octets + n, 0x89, "p", 1);
        for (cut = 0; cut < end; cut++) {
            bench b;
            bench_open(&b, roles[r]);
            give(&b, octets, cut);
            assert_none(&b);
            give(&b, octets + cut, n - cut);
            assert_failed(&b, TENON_RULE_CLOSE_CODE, end - 1, 1002);
            bench_stop(&b);
        }
    }
}

/* What follows the peer's Close is thrown away, and one Close answers. */
/* covers: 6455-5.5.1-03 6455-5.5.1-13 6455-5.5.1-14 6455-5.5.2-02 6455-7.1.5-02 6455-5.4-12 6455-7.1.3-01 6455-5.5.1-16 */
static void test_after_close(void **state)
{
    uint8_t octets[64];
    size_t n = 0;
    bench b;
    (void)state;
    bench_open(&b, SERVER);
    n += peer_frame(SERVER, octets + n, 0x01, "never told", 10);
    n += peer_frame(SERVER, octets + n, 0x88, NULL, 0);
    n += peer_frame(SERVER, octets + n, 0x89, "no", 2);
    n += peer_frame(SERVER, octets + n, 0x81, "no", 2);
    n += peer_frame(SERVER, octets + n, 0x88, NULL, 0);
    octets[n++] = 0xf1;
    give(&b, octets, n);
    assert_next(&b, TENON_EV_CLOSE);
    assert_int_equal(b.event.code, TENON_CLOSE_NONE);
    assert_int_equal(tenon_state(b.conn), TENON_CLOSING);
    assert_none(&b);
    assert_int_equal(b.stats.octets_in, n);
    flush_out(&b);
    assert_wire(&b, 0x88, NULL, 0);
    assert_wire_end(&b);
    assert_next(&b, TENON_EV_CLOSED); /* a server does not wait */
    assert_int_equal(b.event.code, TENON_CLOSE_NONE);
    assert_int_equal(b.event.received_code, TENON_CLOSE_NONE);
    assert_int_equal(b.event.sent_code, TENON_CLOSE_NONE);
    assert_int_equal(b.event.flags, TENON_CLEAN);
    assert_none(&b);
    bench_stop(&b);
}

/* After an own Close data still comes and Pings are answered, all is still judged. */
/* covers: 6455-5.5.1-15 6455-5.5.1-18 6455-5.5.2-02 6455-7.1.7-03 */
static void test_after_own_close(void **state)
{
    bench b;
    (void)state;
    bench_open(&b, CLIENT);
    assert_int_equal(tenon_close(b.conn, 3000, NULL, 0), TENON_OK);
    give_frame(&b, 0x81, "Hello", 5);
    assert_next(&b, TENON_EV_DATA);
    assert_none(&b);
    give_frame(&b, 0x89, "p", 1);
    assert_next(&b, TENON_EV_PING);
    assert_none(&b);
    give_frame(&b, 0x88, "\x03\xe8", 2);
    assert_next(&b, TENON_EV_CLOSE);
    run_to_closed(&b);
    assert_wire_close(&b, 3000);
    assert_wire(&b, 0x8a, "p", 1);
    assert_wire_end(&b);
    assert_int_equal(b.event.code, 1000);
    assert_int_equal(b.event.sent_code, 3000);
    assert_int_equal(b.event.cause, TENON_LOCAL);
    assert_int_equal(b.event.flags, TENON_CLEAN);
    bench_stop(&b);
    bench_open(&b, CLIENT);
    assert_int_equal(tenon_close(b.conn, 1000, NULL, 0), TENON_OK);
    give(&b, "\x83", 1);
    assert_none(&b);
    run_to_closed(&b);
    assert_wire_close(&b, 1000); /* no second one */
    assert_wire_end(&b);
    assert_int_equal(b.event.rule, TENON_RULE_OPCODE);
    assert_int_equal(b.event.code, TENON_CLOSE_ABNORMAL);
    assert_int_equal(b.event.sent_code, 1000);
    bench_stop(&b);
}

/* ----------------------------------------------------------------- samples */

/* The frames that RFC 6455, 5.7 prints. */
/* covers: 6455-5.7-01 */
static void test_samples(void **state)
{
    static const uint8_t masked[] = {0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58,
                                     0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58};
    static const uint8_t plain[] = {0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x01, 0x03, 0x48, 0x65, 0x6c,
                                    0x80, 0x02, 0x6c, 0x6f, 0x89, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f};
    static uint8_t big[10 + 65536];
    bench b;
    (void)state;
    bench_open(&b, SERVER);
    give(&b, masked, sizeof masked);
    assert_next(&b, TENON_EV_DATA);
    assert_data(&b, "Hello", 5);
    assert_next(&b, TENON_EV_PONG);
    assert_data(&b, "Hello", 5);
    bench_stop(&b);
    bench_config(&b, CLIENT);
    bench_open_sized(&b, 70000, 512);
    give(&b, plain, sizeof plain);
    assert_next(&b, TENON_EV_DATA);
    assert_data(&b, "Hello", 5);
    assert_next(&b, TENON_EV_DATA);
    assert_data(&b, "Hello", 5);
    assert_next(&b, TENON_EV_PING);
    assert_data(&b, "Hello", 5);
    assert_none(&b);
    memcpy(big, "\x82\x7e\x01\x00", 4);
    give(&b, big, 4 + 256);
    assert_next(&b, TENON_EV_DATA);
    assert_int_equal(b.event.size, 256);
    assert_none(&b);
    memcpy(big, "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00", 10);
    give(&b, big, sizeof big);
    assert_next(&b, TENON_EV_DATA);
    assert_int_equal(b.event.size, 65536);
    bench_stop(&b);
}

/* The RSV bits of a first frame without payload come with the first piece of the
 * message, where a relay puts them on its own first frame. */
static void test_rsv_of_an_empty_first_frame(void **state)
{
    bench b;
    (void)state;
    bench_config(&b, TENON_SERVER);
    b.config.flags = TENON_CHUNKS;
    bench_start(&b, 1024, 1024);
    assert_int_equal(tenon_grant(b.conn, TENON_RSV1, TENON_RSV2, TENON_OPAQUE), TENON_OK);
    assert_next(&b, TENON_EV_OPEN);
    assert_none(&b);
    give_frame(&b, 0x41, "", 0);
    assert_none(&b);
    give_frame(&b, 0x00, "ab", 2);
    assert_next(&b, TENON_EV_DATA);
    assert_int_equal(b.event.flags, TENON_FIRST | TENON_RSV1 | TENON_FRAME_FIRST | TENON_FRAME_LAST);
    assert_none(&b);
    give_frame(&b, 0xa0, "c", 1);
    assert_next(&b, TENON_EV_DATA);
    assert_int_equal(b.event.flags, TENON_LAST | TENON_RSV2 | TENON_FRAME_FIRST | TENON_FRAME_LAST);
    bench_stop(&b);
}

/* Nothing needs no room: a message of empty fragments comes without any rx. */
static void test_empty_fragments_without_rx(void **state)
{
    size_t r;
    bench b;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        bench_config(&b, roles[r]);
        bench_open_sized(&b, 0, 512);
        give_frame(&b, 0x02, "", 0);
        assert_none(&b);
        give_frame(&b, 0x80, "", 0);
        assert_next(&b, TENON_EV_DATA);
        assert_int_equal(b.event.opcode, TENON_BINARY);
        assert_int_equal(b.event.size, 0);
        assert_none(&b);
        bench_stop(&b);
    }
}

/* Pieces of masked octets that must not be written need rx to be unmasked in. */
static void test_chunks_of_const_want_rx(void **state)
{
    uint8_t data[1000], octets[1020], rx[TENON_RX_MIN];
    size_t n;
    bench b;
    (void)state;
    fill(data, sizeof data);
    n = peer_frame(SERVER, octets, 0x82, data, sizeof data);
    bench_config(&b, SERVER);
    b.config.flags = TENON_CHUNKS;
    bench_open_sized(&b, 0, 512);
    assert_int_equal(tenon_recv_const(b.conn, octets, n), TENON_OK);
    assert_none(&b);
    assert_int_equal(tenon_wants(b.conn), TENON_WANTS_RX);
    assert_int_equal(tenon_rx_needed(b.conn), TENON_RX_MIN); /* however long the frame is */
    assert_int_equal(tenon_lend_rx(b.conn, rx, sizeof rx), TENON_OK);
    assert_next(&b, TENON_EV_DATA);
    assert_data(&b, data, sizeof rx - TENON_RX_RESERVE);
    bench_stop(&b);
}

/* So do masked octets of a message that nobody is told of; and not for all of it, for it
 * is not assembled. */
static void test_dropped_wants_little_rx(void **state)
{
    uint8_t octets[32], rx[TENON_RX_MIN];
    size_t n = header(SERVER, octets, 0x82, UINT64_C(5000000000));
    bench b;
    (void)state;
    bench_config(&b, SERVER);
    b.config.flags = TENON_DROP_AFTER_CLOSE;
    b.config.max_message = TENON_OFF;
    bench_open_sized(&b, 0, 512);
    assert_int_equal(tenon_close(b.conn, TENON_CLOSE_NORMAL, NULL, 0), TENON_OK);
    memset(octets + n, 'x', sizeof octets - n);
    assert_int_equal(tenon_recv_const(b.conn, octets, sizeof octets), TENON_OK);
    assert_none(&b);
    assert_int_equal(tenon_wants(b.conn), TENON_WANTS_RX | TENON_WANTS_WRITE);
    assert_int_equal(tenon_rx_needed(b.conn), TENON_RX_MIN);
    assert_int_equal(tenon_lend_rx(b.conn, rx, sizeof rx), TENON_OK);
    assert_none(&b);
    assert_int_equal(tenon_wants(b.conn), TENON_WANTS_READ | TENON_WANTS_WRITE);
    bench_stop(&b);
}

/* The limits that hold where none is set: 65536 frames of a message, and as many control
 * frames in a row. */
static void test_standard_counts(void **state)
{
    enum { COUNT = 65536 };
    static uint8_t octets[2 * (COUNT + 1)];
    int control;
    size_t i;
    (void)state;
    for (control = 0; control < 2; control++) {
        bench b;
        bench_open(&b, CLIENT);
        for (i = 0; i <= COUNT; i++) {
            octets[2 * i] = control ? 0x8a : i == 0 ? 0x02 : 0x00;
            octets[2 * i + 1] = 0;
        }
        give(&b, octets, sizeof octets);
        for (i = 0; control && i < COUNT; i++)
            assert_next(&b, TENON_EV_PONG);
        assert_none(&b);
        assert_int_equal(b.stats.frames_in, COUNT);
        run_to_closed(&b);
        assert_int_equal(b.event.rule, control ? TENON_RULE_CONTROL_FLOOD : TENON_RULE_FRAGMENTS);
        assert_int_equal(b.event.offset, 2 * COUNT);
        bench_stop(&b);
    }
}

/* A message that a limit allows and no rx can hold: asked for is more than there can be. */
static void test_needs_more_than_there_can_be(void **state)
{
    uint8_t octets[32];
    bench b;
    (void)state;
    bench_config(&b, SERVER);
    b.config.max_message = TENON_OFF;
    bench_open_sized(&b, 512, 512);
    give(&b, octets, header(SERVER, octets, 0x82, UINT64_C(5000000000)));
    assert_none(&b);
    give(&b, "abc", 3);
    assert_none(&b);
    assert_int_equal(tenon_wants(b.conn), TENON_WANTS_RX);
    assert_true(tenon_rx_needed(b.conn) == SIZE_MAX);
    bench_stop(&b);
    bench_config(&b, SERVER);
    b.config.max_message = TENON_OFF;
    bench_open_sized(&b, 512, 512);
    give(&b, octets, header(SERVER, octets, 0x82, UINT32_MAX - TENON_RX_RESERVE));
    assert_none(&b);
    give(&b, "abc", 3);
    assert_none(&b);
    assert_true(tenon_rx_needed(b.conn) == UINT32_MAX); /* the largest rx that is used */
    bench_stop(&b);
}

/* What was granted for data is not granted for control frames (RFC 6455, 5.2, 5.5). */
static void test_control_has_no_rsv(void **state)
{
    static const uint8_t firsts[] = {0xc9, 0xa9, 0x99, 0xca, 0xc8};
    size_t r, i;
    (void)state;
    for (r = 0; r < 2; r++) {
        for (i = 0; i < sizeof firsts; i++) {
            bench b;
            bench_config(&b, r == 0 ? TENON_SERVER : TENON_CLIENT);
            bench_start(&b, 512, 512);
            assert_int_equal(tenon_grant(b.conn, TENON_RSV1 | TENON_RSV2 | TENON_RSV3,
                                         TENON_RSV1 | TENON_RSV2 | TENON_RSV3, 0), TENON_OK);
            assert_next(&b, TENON_EV_OPEN);
            give_frame(&b, 0xf2, "x", 1);
            assert_next(&b, TENON_EV_DATA);
            assert_none(&b);
            give_frame(&b, firsts[i], NULL, 0);
            assert_failed(&b, TENON_RULE_RSV, r == 0 ? 7 : 3, 1002);
            bench_stop(&b);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_busy),
        cmocka_unit_test(test_unlend_tail),
        cmocka_unit_test(test_read_only),
        cmocka_unit_test(test_read_only_whole),
        cmocka_unit_test(test_copies),
        cmocka_unit_test(test_wants_rx),
        cmocka_unit_test(test_control_wants_rx),
        cmocka_unit_test(test_rx_between_pieces),
        cmocka_unit_test(test_relend),
        cmocka_unit_test(test_relend_small),
        cmocka_unit_test(test_relend_chunks),
        cmocka_unit_test(test_again),
        cmocka_unit_test(test_again_piece),
        cmocka_unit_test(test_max_message),
        cmocka_unit_test(test_max_message_default),
        cmocka_unit_test(test_huge),
        cmocka_unit_test(test_huge_chunks),
        cmocka_unit_test(test_max_frames),
        cmocka_unit_test(test_max_control),
        cmocka_unit_test(test_chunk_flags),
        cmocka_unit_test(test_whole_flags),
        cmocka_unit_test(test_utf8_cut),
        cmocka_unit_test(test_utf8_frames),
        cmocka_unit_test(test_utf8_overtaken),
        cmocka_unit_test(test_utf8_untouched),
        cmocka_unit_test(test_bad_headers),
        cmocka_unit_test(test_mask_direction),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_close_codes),
        cmocka_unit_test(test_close_reason),
        cmocka_unit_test(test_close_reason_short),
        cmocka_unit_test(test_close_code_cut),
        cmocka_unit_test(test_after_close),
        cmocka_unit_test(test_after_own_close),
        cmocka_unit_test(test_rsv_of_an_empty_first_frame),
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_empty_fragments_without_rx),
        cmocka_unit_test(test_chunks_of_const_want_rx),
        cmocka_unit_test(test_dropped_wants_little_rx),
        cmocka_unit_test(test_standard_counts),
        cmocka_unit_test(test_frame_in_a_payload),
        cmocka_unit_test(test_limit_of_each),
        cmocka_unit_test(test_own_pong),
        cmocka_unit_test(test_own_pong_of_a_long_life),
        cmocka_unit_test(test_control_has_no_rsv),
        cmocka_unit_test(test_needs_more_than_there_can_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
