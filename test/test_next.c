/* SPDX-License-Identifier: MIT */
/*
 * A message in one frame is told by a straight line of its own (next.c). These tests
 * hold it against the long way, which is taken when the first octet of the frame is
 * lent alone.
 */
#include "harness.h"

#include "conn.h"

static const int roles[] = {TENON_SERVER, TENON_CLIENT};

enum { FRAME_MAX = 65536 + 14 };

typedef struct frame {
    uint8_t octets[FRAME_MAX];
    size_t size;
} frame;

static void expect_same(const bench *a, const bench *b)
{
    assert_string_equal(tenon_event_name(a->event.type), tenon_event_name(b->event.type));
    assert_int_equal(a->event.flags, b->event.flags);
    assert_int_equal(a->event.opcode, b->event.opcode);
    assert_int_equal(a->event.rule, b->event.rule);
    assert_int_equal(a->event.offset, b->event.offset);
    assert_int_equal(a->event.frame_size, b->event.frame_size);
    assert_int_equal(a->event.size, b->event.size);
    if (a->event.size > 0)
        assert_memory_equal(a->event.data, b->event.data, a->event.size);
}

static void end(bench *b)
{
    const void *rest;
    size_t n;
    assert_int_equal(tenon_abort(b->conn, TENON_LOCAL), TENON_OK);
    assert_int_equal(tenon_unlend(b->conn, &rest, &n), TENON_OK);
    assert_next(b, TENON_EV_CLOSED);
}

/* Both ways, event for event, up to where the input ends. Returns how many. */
static int compare(int role, const frame *f, uint32_t flags)
{
    bench whole, pieces;
    int count = 0;
    bench_config(&whole, role);
    bench_config(&pieces, role);
    whole.config.flags = pieces.config.flags = flags;
    whole.config.max_message = pieces.config.max_message = 1u << 20;
    bench_open_sized(&whole, 66000 + 128, 1024);
    bench_open_sized(&pieces, 66000 + 128, 1024);
    give(&whole, f->octets, f->size);
    give(&pieces, f->octets, 1);
    assert_none(&pieces);
    give(&pieces, f->octets + 1, f->size - 1);
    for (;;) {
        int a = next(&whole), b = next(&pieces);
        assert_int_equal(a, b);
        if (a == 0)
            break;
        expect_same(&whole, &pieces);
        count++;
    }
    assert_int_equal(tenon_state(whole.conn), tenon_state(pieces.conn));
    assert_int_equal(whole.stats.octets_in, pieces.stats.octets_in);
    assert_int_equal(whole.stats.frames_in, pieces.stats.frames_in);
    assert_int_equal(whole.stats.messages_in, pieces.stats.messages_in);
    end(&whole);
    end(&pieces);
    expect_same(&whole, &pieces);
    bench_stop(&whole);
    bench_stop(&pieces);
    return count;
}

static void make(frame *f, int role, uint8_t first, const uint8_t *payload, size_t n)
{
    f->size = peer_frame(role, f->octets, first, payload, n);
}

static const size_t sizes[] = {0,  1,  2,  3,  4,  5,  7,   8,   9,   15,  16,  17,  31,    32,    33,   47,
                               48, 63, 64, 65, 95, 96, 124, 125, 126, 127, 128, 192, 65535, 65536, 1000, 4099};

/* covers: 6455-5.3-04 6455-5.6-01 */
static void test_sizes(void **state)
{
    static frame f;
    static uint8_t payload[65536];
    size_t r, i, k;
    (void)state;
    for (i = 0; i < sizeof payload; i++)
        payload[i] = (uint8_t)(i * 7 + i / 256 + 1);
    for (r = 0; r < COUNT_OF(roles); r++) {
        for (i = 0; i < COUNT_OF(sizes); i++) {
            make(&f, roles[r], 0x82, payload, sizes[i]);
            assert_int_equal(compare(roles[r], &f, 0), 1);
            assert_int_equal(compare(roles[r], &f, TENON_CHUNKS), 1);
        }
    }
    for (k = 0; k <= 300; k++) {
        make(&f, TENON_SERVER, 0x82, payload, k);
        assert_int_equal(compare(TENON_SERVER, &f, 0), 1);
    }
}

/* A character of several octets, or what only looks like one, at every place of a
 * text of n octets: the same events, or the same rule at the same octet. */
static void check_text(int role, size_t n, const char *what, size_t size, int good)
{
    static frame f;
    uint8_t text[200];
    size_t at;
    for (at = 0; at + size <= n; at++) {
        memset(text, 'a', sizeof text);
        memcpy(text + at, what, size);
        make(&f, role, 0x81, text, n);
        assert_int_equal(compare(role, &f, 0), good);
    }
}

/* covers: 6455-8.1-01 */
static void test_text(void **state)
{
    static const size_t lengths[] = {3, 4, 8, 20, 33, 64, 125, 126, 190};
    size_t r, i;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        for (i = 0; i < COUNT_OF(lengths); i++) {
            check_text(roles[r], lengths[i], "a", 1, 1);
            check_text(roles[r], lengths[i], "\xe2\x82\xac", 3, 1);
            check_text(roles[r], lengths[i], "\xc0\x80", 2, 0);
            check_text(roles[r], lengths[i], "\xff", 1, 0);
        }
    }
}

/* A text that ends within a character is as bad as one with a bad octet in it. */
/* covers: 6455-8.1-01 */
static void test_text_cut(void **state)
{
    static frame f;
    uint8_t text[200];
    size_t n;
    (void)state;
    for (n = 1; n <= sizeof text; n++) {
        memset(text, 'a', sizeof text);
        text[n - 1] = 0xc3;
        make(&f, TENON_SERVER, 0x81, text, n);
        assert_int_equal(compare(TENON_SERVER, &f, 0), 0);
    }
}

/* First octets and lengths of every kind, and too few octets behind them. */
/* covers: 6455-5.2-01 */
static void test_headers(void **state)
{
    static frame f;
    unsigned first, second;
    size_t n;
    (void)state;
    for (first = 0; first < 256; first++) {
        for (second = 0; second < 256; second++) {
            memset(f.octets, 0, 16);
            f.octets[0] = (uint8_t)first;
            f.octets[1] = (uint8_t)second;
            for (n = 2; n <= 12; n += 5) {
                f.size = n;
                compare(TENON_SERVER, &f, 0);
                compare(TENON_CLIENT, &f, 0);
            }
        }
    }
}

/* The limit is that of the config, whatever the length. */
static void test_limit(void **state)
{
    uint8_t payload[300];
    uint8_t octets[320];
    size_t limit, n;
    (void)state;
    memset(payload, 'x', sizeof payload);
    for (limit = 1; limit < 300; limit += limit >= 123 && limit < 130 ? 1 : 2) {
        for (n = limit; n <= limit + 1; n++) {
            bench b;
            bench_config(&b, TENON_SERVER);
            b.config.max_message = limit;
            bench_open_sized(&b, 1024, 1024);
            give(&b, octets, peer_frame(TENON_SERVER, octets, 0x81, payload, n));
            if (n <= limit) {
                assert_next(&b, TENON_EV_DATA);
                assert_int_equal(b.event.size, n);
            } else {
                assert_none(&b);
                assert_int_equal(tenon_ending(b.conn, &b.event), TENON_EVENT);
                assert_int_equal(b.event.rule, TENON_RULE_MESSAGE_SIZE);
            }
            bench_stop(&b);
        }
    }
}

/* The event comes again as it was, as often as it is wanted. */
static void test_again(void **state)
{
    bench b;
    tenon_event was;
    size_t r, i;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        bench_open(&b, roles[r]);
        assert_int_equal(tenon_send_ref(b.conn, TENON_BINARY, "r", 1, 0, (void *)UINTPTR_MAX), TENON_OK);
        flush_out(&b);
        assert_next(&b, TENON_EV_RELEASED); /* its cookie is nothing that a message has */
        assert_none(&b);
        for (i = 0; i < 2; i++) {
            give_frame(&b, 0x81, "Hello", 5);
            assert_next(&b, TENON_EV_DATA);
            was = b.event;
            assert_int_equal(tenon_again(b.conn), TENON_OK);
            assert_int_equal(tenon_again(b.conn), TENON_OK);
            assert_next(&b, TENON_EV_DATA);
            assert_memory_equal(&b.event, &was, sizeof was);
            assert_int_equal(tenon_again(b.conn), TENON_OK);
            assert_next(&b, TENON_EV_DATA);
            assert_memory_equal(&b.event, &was, sizeof was);
            assert_none(&b);
        }
        bench_stop(&b);
    }
}

/* The octets of the event are lent until it is over; then others can be. */
static void test_lent(void **state)
{
    bench b;
    const void *rest;
    size_t n;
    (void)state;
    bench_open(&b, TENON_SERVER);
    give_frame(&b, 0x82, "octets", 6);
    assert_next(&b, TENON_EV_DATA);
    assert_int_equal(tenon_unlend(b.conn, &rest, &n), TENON_ERR_BUSY);
    assert_int_equal(tenon_recv(b.conn, b.lent, 1), TENON_ERR_BUSY);
    assert_none(&b);
    assert_int_equal(tenon_unlend(b.conn, &rest, &n), TENON_OK);
    bench_stop(&b);
}

/* Events that were waiting come before a message. */
static void test_order(void **state)
{
    static const char data[] = "0123456789";
    char fill[600];
    bench b;
    (void)state;
    memset(fill, 'x', sizeof fill);
    bench_config(&b, TENON_SERVER);
    bench_open_sized(&b, 1024, 1024);
    give_frame(&b, 0x82, "1", 1);
    assert_next(&b, TENON_EV_DATA);
    assert_none(&b);
    assert_int_equal(tenon_send(b.conn, TENON_BINARY, fill, sizeof fill, 0), TENON_OK);
    assert_int_equal(tenon_send(b.conn, TENON_BINARY, fill, sizeof fill, 0), TENON_ERR_AGAIN);
    flush_out(&b);
    give_frame(&b, 0x82, "2", 1);
    assert_next(&b, TENON_EV_WRITABLE);
    assert_next(&b, TENON_EV_DATA);
    assert_none(&b);
    /* also when that was looked for in between */
    assert_int_equal(tenon_send(b.conn, TENON_BINARY, fill, sizeof fill, 0), TENON_OK);
    assert_int_equal(tenon_send(b.conn, TENON_BINARY, fill, sizeof fill, 0), TENON_ERR_AGAIN);
    assert_none(&b);
    flush_out(&b);
    give_frame(&b, 0x82, "2", 1);
    assert_next(&b, TENON_EV_WRITABLE);
    assert_next(&b, TENON_EV_DATA);
    assert_none(&b);
    assert_int_equal(tenon_send_ref(b.conn, TENON_BINARY, data, sizeof data, 0, &b), TENON_OK);
    flush_out(&b);
    give_frame(&b, 0x82, "3", 1);
    assert_next(&b, TENON_EV_RELEASED);
    assert_ptr_equal(b.event.cookie, &b);
    assert_next(&b, TENON_EV_DATA);
    assert_none(&b);
    assert_int_equal(tenon_send_ref(b.conn, TENON_BINARY, data, sizeof data, 0, &b), TENON_OK);
    assert_int_equal(tenon_send_ref(b.conn, TENON_BINARY, data, sizeof data, 0, &b), TENON_OK);
    flush_out(&b);
    give_frame(&b, 0x82, "4", 1);
    assert_next(&b, TENON_EV_RELEASED);
    assert_next(&b, TENON_EV_RELEASED);
    assert_next(&b, TENON_EV_DATA);
    bench_stop(&b);
}

/* What is kept for want of room must not keep the room from coming back: a reference
 * that was acknowledged comes before it, and the echo goes on. */
static void test_again_released(void **state)
{
    static const char reference[] = "reference";
    uint8_t payload[500];
    bench b;
    (void)state;
    memset(payload, 'p', sizeof payload);
    bench_config(&b, TENON_SERVER);
    bench_open_sized(&b, 1024, 1200);
    assert_int_equal(tenon_send_ref(b.conn, TENON_BINARY, reference, sizeof reference, 0, &b), TENON_OK);
    give_frame(&b, 0x82, payload, sizeof payload);
    assert_next(&b, TENON_EV_DATA);
    assert_int_equal(tenon_send(b.conn, TENON_BINARY, b.event.data, b.event.size, 0), TENON_OK);
    assert_none(&b);
    give_frame(&b, 0x82, payload, sizeof payload);
    assert_next(&b, TENON_EV_DATA);
    assert_int_equal(tenon_send(b.conn, TENON_BINARY, b.event.data, b.event.size, 0), TENON_ERR_AGAIN);
    assert_int_equal(tenon_again(b.conn), TENON_OK);
    flush_out(&b);
    assert_int_equal(tenon_wants(b.conn) & TENON_WANTS_NEXT, TENON_WANTS_NEXT);
    assert_next(&b, TENON_EV_RELEASED);
    assert_ptr_equal(b.event.cookie, &b);
    assert_int_equal(b.event.flags, 0);
    assert_int_equal(b.event.size, 0);
    assert_int_equal(b.event.frame_size, 0);
    assert_next(&b, TENON_EV_DATA);
    assert_data(&b, payload, sizeof payload);
    assert_int_equal(tenon_send(b.conn, TENON_BINARY, b.event.data, b.event.size, 0), TENON_OK);
    flush_out(&b);
    assert_next(&b, TENON_EV_WRITABLE);
    assert_none(&b);
    bench_stop(&b);
}

/* The room that comes back while an event is kept is there for the Pong that waits for it:
 * nothing else is queued, so that no acknowledgement will come for it to go out with. */
static void test_again_pong(void **state)
{
    uint8_t payload[100];
    unsigned i, empty = 0;
    bench b;
    (void)state;
    memset(payload, 'p', sizeof payload);
    bench_config(&b, TENON_SERVER);
    bench_open_sized(&b, 256, 512);
    assert_int_equal(tenon_send_ref(b.conn, TENON_BINARY, "r", 1, 0, &b), TENON_OK);
    while (tenon_send(b.conn, TENON_BINARY, NULL, 0, 0) == TENON_OK)
        empty++; /* nothing behind a reference makes room before it does */
    give_frame(&b, 0x89, payload, sizeof payload);
    assert_next(&b, TENON_EV_PING);
    assert_int_equal(tenon_again(b.conn), TENON_OK);
    flush_out(&b);
    assert_wire(&b, 0x82, "r", 1);
    for (i = 0; i < empty; i++)
        assert_wire(&b, 0x82, NULL, 0);
    assert_wire_end(&b);
    assert_next(&b, TENON_EV_RELEASED);
    assert_next(&b, TENON_EV_PING);
    assert_int_equal(tenon_send(b.conn, TENON_BINARY, "a", 1, 0), TENON_OK);
    flush_out(&b);
    assert_wire(&b, 0x8a, payload, sizeof payload);
    assert_wire(&b, 0x82, "a", 1);
    assert_wire_end(&b);
    bench_stop(&b);
}

/* What waits for the room that a RELEASED has made keeps tx: it is not in the queue yet. */
static void test_released_room_is_taken(void **state)
{
    char data[100];
    int closes;
    (void)state;
    memset(data, 'd', sizeof data);
    for (closes = 0; closes < 2; closes++) {
        bench b;
        bench_config(&b, TENON_SERVER);
        bench_open_sized(&b, 256, 512);
        assert_int_equal(tenon_send_ref(b.conn, TENON_BINARY, "r", 1, 0, &b), TENON_OK);
        while (tenon_send(b.conn, TENON_BINARY, NULL, 0, 0) == TENON_OK) {
        }
        if (closes) {
            assert_int_equal(tenon_close(b.conn, 1000, data, sizeof data), TENON_OK);
        } else {
            give_frame(&b, 0x89, data, sizeof data);
            assert_next(&b, TENON_EV_PING);
        }
        flush_out(&b);
        assert_next(&b, TENON_EV_RELEASED);
        assert_int_equal(tenon_lend_tx(b.conn, NULL, 0), TENON_ERR_BUSY);
        assert_int_equal(next(&b), closes ? 0 : TENON_EV_WRITABLE);
        assert_true(tenon_queued(b.conn) > 0);
        bench_stop(&b);
    }
}

/* A message makes room for control frames, and lets rx be taken back. */
static void test_leaves(void **state)
{
    bench b;
    unsigned i, k;
    (void)state;
    bench_config(&b, TENON_SERVER);
    b.config.max_control = 2;
    bench_open_sized(&b, 1024, 1024);
    for (i = 0; i < 3; i++) {
        for (k = 0; k < 2; k++) {
            give_frame(&b, 0x8a, "p", 1);
            assert_next(&b, TENON_EV_PONG);
            assert_none(&b);
        }
        give_frame(&b, 0x82, "x", 1);
        assert_next(&b, TENON_EV_DATA);
        assert_none(&b);
    }
    give_frame(&b, 0x02, "a", 1);
    assert_none(&b);
    give_frame(&b, 0x80, "b", 1);
    assert_next(&b, TENON_EV_DATA);
    assert_int_equal(tenon_lend_rx(b.conn, NULL, 0), TENON_ERR_BUSY);
    b.lent = realloc(b.lent, 7);
    assert_non_null(b.lent);
    assert_int_equal(peer_frame(TENON_SERVER, b.lent, 0x82, "c", 1), 7);
    assert_int_equal(tenon_recv(b.conn, b.lent, 7), TENON_OK);
    assert_next(&b, TENON_EV_DATA);
    assert_int_equal(tenon_lend_rx(b.conn, NULL, 0), TENON_OK);
    bench_stop(&b);
}

/* A length of 16 bits with the mask bit of the other role. */
/* covers: 6455-5.1-02 6455-5.1-03 */
static void test_extended_mask(void **state)
{
    static frame f;
    uint8_t payload[130];
    size_t r;
    (void)state;
    memset(payload, 'm', sizeof payload);
    for (r = 0; r < COUNT_OF(roles); r++) {
        bench b;
        make(&f, roles[1 - r], 0x82, payload, sizeof payload);
        f.size += peer_frame(roles[1 - r], f.octets + f.size, 0x82, payload, 9); /* octets enough */
        bench_open(&b, roles[r]);
        give(&b, f.octets, f.size);
        assert_none(&b);
        assert_int_equal(tenon_ending(b.conn, &b.event), TENON_EVENT);
        assert_int_equal(b.event.rule, roles[r] == TENON_SERVER ? TENON_RULE_MASK_MISSING : TENON_RULE_MASK_PRESENT);
        bench_stop(&b);
    }
}

/* Two messages in one piece of input, and one behind a fragment. */
static void test_between(void **state)
{
    bench b;
    uint8_t octets[64];
    size_t n = 0;
    (void)state;
    bench_open(&b, TENON_SERVER);
    n += peer_frame(TENON_SERVER, octets + n, 0x82, "first", 5);
    n += peer_frame(TENON_SERVER, octets + n, 0x82, "second", 6);
    give(&b, octets, n);
    assert_next(&b, TENON_EV_DATA);
    assert_data(&b, "first", 5);
    assert_next(&b, TENON_EV_DATA);
    assert_data(&b, "second", 6);
    assert_none(&b);
    n = peer_frame(TENON_SERVER, octets, 0x02, "part", 4);
    n += peer_frame(TENON_SERVER, octets + n, 0x82, "new", 3);
    give(&b, octets, n);
    assert_none(&b);
    assert_int_equal(tenon_ending(b.conn, &b.event), TENON_EVENT);
    assert_int_equal(b.event.rule, TENON_RULE_UNFINISHED);
    bench_stop(&b);
}

/* Steps are counted in the straight line, too: one at least for each message. */
static void test_steps(void **state)
{
    static const int count = 20;
    uint8_t octets[400];
    size_t r;
    int i;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        uint64_t before;
        size_t n = 0;
        bench b;
        for (i = 0; i < count; i++)
            n += peer_frame(roles[r], octets + n, 0x81, "Hello", 5);
        bench_open(&b, roles[r]);
        before = b.stats.steps;
        give(&b, octets, n);
        for (i = 1; i <= count; i++) {
            assert_next(&b, TENON_EV_DATA);
            assert_true(b.stats.steps - before >= (uint64_t)i && b.stats.steps - before < 10 * (uint64_t)i);
        }
        assert_none(&b);
        bench_stop(&b);
    }
}

/* A frame of 200 octets in the middle of a message is none of the straight line's. */
static void test_long_inside_a_message(void **state)
{
    static frame f;
    uint8_t payload[200];
    size_t r;
    (void)state;
    memset(payload, 'x', sizeof payload);
    for (r = 0; r < COUNT_OF(roles); r++) {
        bench b;
        bench_open(&b, roles[r]);
        give_frame(&b, 0x01, "a", 1);
        assert_none(&b);
        make(&f, roles[r], 0x82, payload, sizeof payload);
        give(&b, f.octets, f.size);
        assert_none(&b);
        run_to_closed(&b);
        assert_int_equal(b.event.rule, TENON_RULE_UNFINISHED);
        bench_stop(&b);
    }
}

/* Octets that would be a length of 16 bits if there were one: those of a length of 64
 * bits, and the key of an empty frame. */
static void test_what_looks_like_a_length(void **state)
{
    static const uint8_t large[][8] = {
        {0x7e, 0x80, 0, 0, 0, 0, 0, 0}, {0x00, 0x80, 0, 0, 0, 0, 0, 0}, {0x7e, 0x7e, 0, 0, 0, 0, 0, 0}};
    static const uint8_t keys[][4] = {{0x7e, 0x80, 1, 2}, {0x00, 0x80, 1, 2}, {0x7e, 0x7e, 1, 2}};
    static uint8_t octets[40000];
    size_t r, i;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        for (i = 0; i < COUNT_OF(large); i++) {
            bench b;
            memset(octets, 0, sizeof octets);
            octets[0] = 0x82;
            octets[1] = roles[r] == TENON_SERVER ? 0xff : 0x7f;
            memcpy(octets + 2, large[i], 8);
            bench_open(&b, roles[r]);
            give(&b, octets, sizeof octets);
            assert_none(&b);
            run_to_closed(&b);
            assert_int_equal(b.event.rule, TENON_RULE_MESSAGE_SIZE);
            bench_stop(&b);
        }
    }
    for (i = 0; i < COUNT_OF(keys); i++) {
        bench b;
        memset(octets, 0, sizeof octets);
        octets[0] = 0x82;
        octets[1] = 0x80;
        memcpy(octets + 2, keys[i], 4);
        bench_open(&b, TENON_SERVER);
        give(&b, octets, sizeof octets);
        assert_next(&b, TENON_EV_DATA);
        assert_int_equal(b.event.size, 0);
        bench_stop(&b);
    }
}

/* Several messages lent at once: none takes octets of the next. */
static void test_many_at_once(void **state)
{
    static uint8_t octets[20000], payload[1000];
    static const size_t several[] = {200, 126, 300, 1000, 1, 255, 256, 127, 125, 512};
    size_t r, i, n;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        bench b;
        for (i = 0, n = 0; i < COUNT_OF(several); i++) {
            memset(payload, 'a' + (int)i, sizeof payload);
            n += peer_frame(roles[r], octets + n, i % 2 ? 0x82 : 0x81, payload, several[i]);
        }
        bench_open(&b, roles[r]);
        give(&b, octets, n);
        for (i = 0; i < COUNT_OF(several); i++) {
            memset(payload, 'a' + (int)i, sizeof payload);
            assert_next(&b, TENON_EV_DATA);
            assert_int_equal(b.event.opcode, i % 2 ? TENON_BINARY : TENON_TEXT);
            assert_data(&b, payload, several[i]);
        }
        assert_none(&b);
        bench_stop(&b);
    }
}

/* Not the same events only, but the straight line itself: for a message that lies whole
 * in the octets that are lent, up to the limit, and nothing behind it. */
static void test_straight_line_is_taken(void **state)
{
    static const size_t lengths[] = {1, 2, 124, 125, 126, 127, 128, 255, 256, 300, 4096, 65534, 65535};
    static frame f;
    static uint8_t payload[65536];
    size_t r, i;
    int kind;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        for (i = 0; i < COUNT_OF(lengths); i++) {
            for (kind = 0; kind < 3; kind++) { /* octets, ASCII, and other text */
                bench b;
                memset(payload, kind == 0 ? 0xff : 'x', sizeof payload);
                if (kind == 2 && lengths[i] >= 2)
                    memcpy(payload + lengths[i] - 2, "\xc3\xa4", 2);
                bench_config(&b, roles[r]);
                b.config.max_message = lengths[i];
                bench_open_sized(&b, 512, 512);
                make(&f, roles[r], kind == 0 ? 0x82 : 0x81, payload, lengths[i]);
                give(&b, f.octets, f.size);
                assert_next(&b, TENON_EV_DATA);
                assert_data(&b, payload, lengths[i]);
                assert_int_equal(b.conn->bits & BIT_LONE, BIT_LONE);
                assert_none(&b);
                bench_stop(&b);
            }
        }
    }
}

/* An echo stays on it: what was acknowledged in between is nothing to tell. */
static void test_straight_line_of_an_echo(void **state)
{
    size_t r;
    int i;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        bench b;
        bench_open(&b, roles[r]);
        for (i = 0; i < 3; i++) {
            give_frame(&b, 0x82, "echo", 4);
            assert_next(&b, TENON_EV_DATA);
            assert_int_equal(b.conn->bits & BIT_LONE, BIT_LONE);
            assert_int_equal(tenon_send(b.conn, TENON_BINARY, b.event.data, b.event.size, 0), TENON_OK);
            assert_none(&b);
            flush_out(&b);
        }
        bench_stop(&b);
    }
}

/* Sixteen bits for what fits into seven (RFC 6455, 5.2). */
static void test_length_that_is_not_the_shortest(void **state)
{
    static const uint8_t few[] = {0, 1, 124, 125};
    size_t r, i;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        for (i = 0; i < COUNT_OF(few); i++) {
            uint8_t octets[200] = {0x82, 126, 0, 0};
            bench b;
            octets[1] |= roles[r] == TENON_SERVER ? 0x80 : 0;
            octets[3] = few[i];
            bench_open(&b, roles[r]);
            give(&b, octets, sizeof octets);
            assert_none(&b);
            run_to_closed(&b);
            assert_string_equal(tenon_rule_name(b.event.rule), tenon_rule_name(TENON_RULE_LENGTH_MINIMAL));
            bench_stop(&b);
        }
    }
}

/* What is lent as const stays as it is, text and octets, short and long. */
static void test_const(void **state)
{
    static const size_t lengths[] = {1, 5, 40, 125, 126, 300};
    static frame f;
    uint8_t payload[300], before[320];
    size_t r, i;
    (void)state;
    memset(payload, 'c', sizeof payload);
    for (r = 0; r < COUNT_OF(roles); r++) {
        for (i = 0; i < 2 * COUNT_OF(lengths); i++) {
            size_t n = lengths[i / 2];
            bench b;
            bench_open(&b, roles[r]);
            make(&f, roles[r], i % 2 ? 0x81 : 0x82, payload, n);
            memcpy(before, f.octets, f.size);
            assert_int_equal(tenon_recv_const(b.conn, f.octets, f.size), TENON_OK);
            assert_next(&b, TENON_EV_DATA);
            assert_data(&b, payload, n);
            assert_none(&b);
            assert_memory_equal(f.octets, before, f.size);
            bench_stop(&b);
        }
    }
}

/* A kept event comes again before the message that is already lent behind it. */
static void test_again_before_the_next(void **state)
{
    static frame f;
    size_t r;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        bench b;
        make(&f, roles[r], 0x82, (const uint8_t *)"first", 5);
        f.size += peer_frame(roles[r], f.octets + f.size, 0x82, "second", 6);
        bench_open(&b, roles[r]);
        give(&b, f.octets, f.size);
        assert_next(&b, TENON_EV_DATA);
        assert_data(&b, "first", 5);
        assert_int_equal(tenon_again(b.conn), TENON_OK);
        assert_next(&b, TENON_EV_DATA);
        assert_data(&b, "first", 5);
        assert_next(&b, TENON_EV_DATA);
        assert_data(&b, "second", 6);
        assert_none(&b);
        bench_stop(&b);
    }
}

/* A message in one frame is none while another is open, though all else would do. */
static void test_none_inside_a_message(void **state)
{
    size_t r;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        bench b;
        bench_config(&b, roles[r]);
        bench_open_sized(&b, 512, 512);
        give_frame(&b, 0x02, "ab", 2);
        assert_none(&b);
        give_frame(&b, 0x82, "cd", 2);
        assert_failed(&b, TENON_RULE_UNFINISHED, roles[r] == TENON_SERVER ? 8 : 4, 1002);
        bench_stop(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),  cmocka_unit_test(test_text),    cmocka_unit_test(test_text_cut),
        cmocka_unit_test(test_headers), cmocka_unit_test(test_limit),  cmocka_unit_test(test_again),
        cmocka_unit_test(test_lent),   cmocka_unit_test(test_order),  cmocka_unit_test(test_between),
        cmocka_unit_test(test_leaves), cmocka_unit_test(test_again_released),
        cmocka_unit_test(test_again_pong),
        cmocka_unit_test(test_released_room_is_taken),
        cmocka_unit_test(test_extended_mask),
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_long_inside_a_message),
        cmocka_unit_test(test_const),
        cmocka_unit_test(test_again_before_the_next),
        cmocka_unit_test(test_what_looks_like_a_length),
        cmocka_unit_test(test_many_at_once),
        cmocka_unit_test(test_straight_line_is_taken),
        cmocka_unit_test(test_straight_line_of_an_echo),
        cmocka_unit_test(test_none_inside_a_message),
        cmocka_unit_test(test_length_that_is_not_the_shortest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
