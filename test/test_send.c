/* SPDX-License-Identifier: MIT */
#include "harness.h"

enum { SERVER = TENON_SERVER, CLIENT = TENON_CLIENT };

static const int roles[] = {SERVER, CLIENT};

static uint8_t pattern[70000];

static int set_up(void **state)
{
    size_t i;
    (void)state;
    for (i = 0; i < sizeof pattern; i++)
        pattern[i] = (uint8_t)(i * 11 + i / 251);
    return 0;
}

static size_t header_size(int role, size_t n)
{
    return (n < 126 ? 2u : n < 65536 ? 4u : 10u) + (role == CLIENT ? 4u : 0u);
}

/* ------------------------------------------------------------------- whole */

/* Each size in its shortest form, no RSV bits; masked by clients alone. */
/* covers: 6455-5.1-01 6455-5.1-03 6455-5.2-01 6455-5.2-07 6455-5.2-09 6455-5.2-12 6455-5.3-03 6455-5.1-05 */
static void test_whole(void **state)
{
    static const size_t sizes[] = {0, 1, 125, 126, 127, 128, 65535, 65536};
    size_t r, i;
    bench b;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        bench_config(&b, roles[r]);
        bench_open_sized(&b, 256, 70000);
        for (i = 0; i < COUNT_OF(sizes); i++) {
            assert_int_equal(tenon_send(b.conn, TENON_BINARY, sizes[i] > 0 ? pattern : NULL, sizes[i], 0), TENON_OK);
            assert_int_equal(tenon_queued(b.conn), header_size(roles[r], sizes[i]) + sizes[i]);
            flush_out(&b);
            assert_wire(&b, 0x82, pattern, sizes[i]);
        }
        assert_int_equal(tenon_send(b.conn, TENON_TEXT, "h\xc3\xa9", 3, 0), TENON_OK);
        flush_out(&b);
        assert_wire(&b, 0x81, "h\xc3\xa9", 3);
        assert_wire_end(&b);
        assert_int_equal(b.stats.messages_out, COUNT_OF(sizes) + 1);
        assert_int_equal(b.stats.frames_out, COUNT_OF(sizes) + 1);
        assert_int_equal(b.stats.octets_out, b.wire_size);
        assert_int_equal(b.random_calls, roles[r] == CLIENT ? COUNT_OF(sizes) + 1 : 0);
        bench_stop(&b);
    }
}

static void assert_fragments(bench *b, uint8_t first, const uint8_t *data, size_t n, size_t max)
{
    while (n > max) {
        assert_wire(b, first, data, max);
        first = 0;
        data += max;
        n -= max;
    }
    assert_wire(b, first | 0x80, data, n);
}

/* max_frame_out at n - 1, n, n + 1 and multiples. Fragments may cut code points. */
/* covers: 6455-5.4-02 */
static void test_fragmentation(void **state)
{
    static const size_t sizes[] = {0, 1, 9, 10, 11, 19, 20, 21, 300};
    size_t r, i;
    bench b;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        bench_config(&b, roles[r]);
        b.config.max_frame_out = 10;
        bench_open_sized(&b, 256, 1024);
        for (i = 0; i < COUNT_OF(sizes); i++) {
            assert_int_equal(tenon_send(b.conn, TENON_BINARY, pattern, sizes[i], 0), TENON_OK);
            flush_out(&b);
            assert_fragments(&b, 0x02, pattern, sizes[i], 10);
            assert_int_equal(tenon_send_ref(b.conn, TENON_BINARY, pattern, sizes[i], 0, &b), TENON_OK);
            flush_out(&b);
            assert_fragments(&b, 0x02, pattern, sizes[i], 10);
            assert_next(&b, TENON_EV_RELEASED);
            assert_none(&b);
        }
        assert_int_equal(tenon_send(b.conn, TENON_TEXT, "123456789\xc3\xa9", 11, 0), TENON_OK);
        flush_out(&b);
        assert_wire(&b, 0x01, "123456789\xc3", 10);
        assert_wire(&b, 0x80, "\xa9", 1);
        assert_wire_end(&b);
        bench_stop(&b);
    }
    bench_config(&b, SERVER); /* the default */
    bench_open_sized(&b, 256, 80000);
    assert_int_equal(tenon_send(b.conn, TENON_BINARY, pattern, 65537, 0), TENON_OK);
    flush_out(&b);
    assert_fragments(&b, 0x02, pattern, 65537, 65536);
    bench_stop(&b);
    bench_config(&b, SERVER);
    b.config.max_frame_out = TENON_OFF;
    bench_open_sized(&b, 256, 80000);
    assert_int_equal(tenon_send(b.conn, TENON_BINARY, pattern, 65537, 0), TENON_OK);
    flush_out(&b);
    assert_wire(&b, 0x82, pattern, 65537);
    bench_stop(&b);
}

/* ------------------------------------------------------------------- parts */

/* covers: 6455-5.4-02 6455-5.4-07 6455-5.6-03 6455-5.5.2-03 */
static void test_parts(void **state)
{
    size_t r;
    bench b;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        bench_config(&b, roles[r]);
        b.config.max_frame_out = 4;
        bench_open_sized(&b, 256, 1024);
        assert_int_equal(tenon_send_part(b.conn, TENON_TEXT, "a\xf0\x9f", 3, 0), TENON_OK); /* cut in a code point */
        assert_int_equal(tenon_ping(b.conn, "p", 1), TENON_OK);
        assert_int_equal(tenon_send(b.conn, TENON_TEXT, "x", 1, 0), TENON_ERR_STATE);
        assert_int_equal(tenon_send(b.conn, TENON_TEXT, "x", 1, TENON_TRUSTED), TENON_ERR_STATE);
        assert_int_equal(tenon_send(b.conn, TENON_BINARY, "x", 1, 0), TENON_ERR_STATE);
        assert_int_equal(tenon_send_ref(b.conn, TENON_TEXT, "x", 1, 0, NULL), TENON_ERR_STATE);
        assert_int_equal(tenon_send_part(b.conn, TENON_BINARY, "x", 1, 0), TENON_ERR_ARG);
        assert_int_equal(tenon_send_part(b.conn, TENON_TEXT, "x", 1, 0), TENON_ERR_UTF8);
        assert_int_equal(tenon_send_part(b.conn, TENON_TEXT, NULL, 0, TENON_LAST), TENON_ERR_UTF8);
        assert_int_equal(tenon_send_part(b.conn, TENON_TEXT, "\x98", 1, TENON_LAST), TENON_ERR_UTF8);
        assert_int_equal(tenon_send_part(b.conn, TENON_TEXT, "\x98\x80" "bcdef", 7, 0), TENON_OK);
        assert_int_equal(tenon_send_part(b.conn, TENON_TEXT, NULL, 0, 0), TENON_OK);
        assert_int_equal(tenon_pong(b.conn, "q", 1), TENON_OK);
        assert_int_equal(tenon_send_part(b.conn, TENON_TEXT, NULL, 0, TENON_LAST), TENON_OK);
        assert_int_equal(tenon_send(b.conn, TENON_BINARY, "x", 1, 0), TENON_OK);
        assert_int_equal(tenon_send_part(b.conn, TENON_BINARY, "yz", 2, TENON_LAST), TENON_OK);
        flush_out(&b);
        assert_wire(&b, 0x01, "a\xf0\x9f", 3);
        assert_wire(&b, 0x89, "p", 1);
        assert_wire(&b, 0x00, "\x98\x80" "bc", 4);
        assert_wire(&b, 0x00, "def", 3);
        assert_wire(&b, 0x00, NULL, 0);
        assert_wire(&b, 0x8a, "q", 1);
        assert_wire(&b, 0x80, NULL, 0);
        assert_wire(&b, 0x82, "x", 1);
        assert_wire(&b, 0x82, "yz", 2);
        assert_wire_end(&b);
        assert_int_equal(b.stats.messages_out, 3);
        bench_stop(&b);
    }
}

/* A part that is refused for want of room leaves the message where it was. */
static void test_part_again(void **state)
{
    bench b;
    int tries = 0;
    size_t sent = 0;
    (void)state;
    bench_config(&b, SERVER);
    bench_open_sized(&b, 256, 512);
    while (sent < 20) {
        int last = sent == 19;
        int status = tenon_send_part(b.conn, TENON_TEXT, "0123456789abcdef0123456789abcdef0123456789abcd\xc3\xa9", 48,
                                     last ? TENON_LAST : 0);
        if (status == TENON_OK) {
            sent++;
            continue;
        }
        assert_int_equal(status, TENON_ERR_AGAIN);
        assert_none(&b);
        flush_out(&b);
        assert_next(&b, TENON_EV_WRITABLE);
        tries++;
    }
    assert_int_equal(tries, 3); /* five frames of 50 octets in a ring of 256 */
    flush_out(&b);
    while (sent-- > 0)
        assert_wire(&b, sent == 19 ? 0x01 : sent == 0 ? 0x80 : 0x00,
                    "0123456789abcdef0123456789abcdef0123456789abcd\xc3\xa9", 48);
    assert_wire_end(&b);
    bench_stop(&b);
}

/* -------------------------------------------------------------- references */

/* A server offers the program's own memory. */
static void test_ref_not_copied(void **state)
{
    tenon_iov iov[4];
    size_t count;
    bench b;
    (void)state;
    bench_config(&b, SERVER);
    bench_open_sized(&b, 256, 512);
    assert_int_equal(tenon_send_ref(b.conn, TENON_BINARY, pattern, 60000, 0, &b), TENON_OK);
    assert_int_equal(tenon_queued(b.conn), 60004);
    assert_int_equal(tenon_out(b.conn, iov, 4, &count), TENON_OK);
    assert_int_equal(count, 2);
    assert_ptr_equal(iov[1].base, pattern);
    assert_int_equal(iov[1].size, 60000);
    assert_int_equal(tenon_sent(b.conn, 4 + 59999), TENON_OK);
    assert_none(&b);
    assert_int_equal(tenon_out(b.conn, iov, 4, &count), TENON_OK);
    assert_int_equal(count, 1);
    assert_ptr_equal(iov[0].base, pattern + 59999);
    assert_int_equal(tenon_sent(b.conn, 2), TENON_ERR_ACK);
    assert_int_equal(tenon_sent(b.conn, 1), TENON_OK);
    assert_next(&b, TENON_EV_RELEASED);
    assert_ptr_equal(b.event.cookie, &b);
    assert_none(&b);
    assert_true(b.stats.queue_peak <= 256);
    bench_stop(&b);
}

/* References of every size around what the ring holds, taken n octets at a time. */
static void test_ref_drain(void **state)
{
    static const size_t sizes[] = {0, 1, 2, 127, 128, 129, 255, 256, 257, 1000, 5000};
    static const size_t steps[] = {1, 3, 100, SIZE_MAX};
    size_t r, i, s, k;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        for (i = 0; i < COUNT_OF(sizes); i++) {
            for (s = 0; s < COUNT_OF(steps); s++) {
                uint8_t *data = malloc(sizes[i] > 0 ? sizes[i] : 1);
                size_t got = 0;
                wire_frame frame;
                bench b;
                memcpy(data, pattern, sizes[i]);
                bench_config(&b, roles[r]);
                b.config.max_frame_out = 300;
                bench_open_sized(&b, 256, 512);
                assert_int_equal(tenon_send_ref(b.conn, TENON_BINARY, data, sizes[i], 0, data), TENON_OK);
                while (take_out(&b, steps[s]) > 0) {
                }
                assert_next(&b, TENON_EV_RELEASED);
                assert_ptr_equal(b.event.cookie, data);
                free(data);
                assert_none(&b);
                for (k = 0; wire_next(&b, &frame); k++) {
                    assert_int_equal(frame.first & 0x7f, k == 0 ? 2 : 0);
                    assert_true(frame.size <= 300 && got + frame.size <= sizes[i]);
                    assert_memory_equal(frame.payload, pattern + got, frame.size);
                    got += frame.size;
                    assert_int_equal(frame.first >> 7, got == sizes[i]);
                }
                assert_int_equal(got, sizes[i]);
                bench_stop(&b);
            }
        }
    }
}

/* Its frames, and the message that they are, count as those of a copy do. */
static void test_ref_counts(void **state)
{
    size_t r;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        bench b;
        bench_config(&b, roles[r]);
        b.config.max_frame_out = 10;
        bench_open_sized(&b, 256, 512);
        assert_int_equal(tenon_send_ref(b.conn, TENON_BINARY, pattern, 25, 0, &b), TENON_OK);
        flush_out(&b);
        assert_fragments(&b, 0x02, pattern, 25, 10);
        assert_wire_end(&b);
        assert_int_equal(b.stats.frames_out, 3);
        assert_int_equal(b.stats.messages_out, 1);
        assert_int_equal(b.stats.octets_out, b.wire_size);
        bench_stop(&b);
    }
}

/* A failure breaks a message of several frames off, also where one frame would hold all
 * that is left of it. */
static void test_ref_cut(void **state)
{
    size_t got = 0;
    wire_frame frame = {0, 0, {0}, NULL, 0};
    bench b;
    (void)state;
    bench_config(&b, SERVER);
    b.config.max_frame_out = 100;
    bench_open_sized(&b, 256, 512);
    assert_int_equal(tenon_send_ref(b.conn, TENON_BINARY, pattern, 250, 0, &b), TENON_OK);
    assert_int_equal(tenon_queued(b.conn), 2 * (2 + 100)); /* no more than two frames at a time */
    give(&b, "\xff", 1);
    assert_none(&b);
    flush_out(&b);
    while (wire_next(&b, &frame) && frame.first != 0x88) {
        assert_int_equal(frame.first, got == 0 ? 0x02 : 0x00);
        got += frame.size;
    }
    assert_int_equal(got, 200);
    assert_int_equal(frame.first, 0x88);
    assert_wire_end(&b);
    assert_next(&b, TENON_EV_RELEASED);
    bench_stop(&b);
}

/* Whatever room was left when it was accepted, a reference comes back. */
static void test_ref_room(void **state)
{
    size_t r, fill, size;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        for (fill = 0; fill <= 250; fill++) {
            for (size = 0; size <= 60; size += 20) {
                bench b;
                bench_config(&b, roles[r]);
                bench_open_sized(&b, 256, 512);
                if (tenon_send(b.conn, TENON_BINARY, pattern, fill, 0) == TENON_OK)
                    assert_int_equal(tenon_send_ref(b.conn, TENON_TEXT, "012345678901234567890123456789"
                                                    "012345678901234567890123456789", size, 0, &b), TENON_OK);
                else
                    assert_int_equal(tenon_send_ref(b.conn, TENON_TEXT, NULL, 0, 0, &b), TENON_OK);
                flush_out(&b);
                assert_true((tenon_wants(b.conn) & TENON_WANTS_NEXT) != 0);
                while (b.released == 0)
                    assert_true(next(&b) != 0);
                assert_ptr_equal(b.event.cookie, &b);
                bench_stop(&b);
            }
        }
    }
}

/* One reference is framed at a time; others wait, and are told when. */
static void test_ref_order(void **state)
{
    bench b;
    (void)state;
    bench_config(&b, SERVER);
    b.config.max_frame_out = 100;
    bench_open_sized(&b, 256, 512);
    assert_int_equal(tenon_send_ref(b.conn, TENON_BINARY, pattern, 1000, 0, pattern), TENON_OK);
    assert_int_equal(tenon_send_ref(b.conn, TENON_BINARY, pattern, 10, 0, &b), TENON_ERR_AGAIN);
    assert_int_equal(tenon_send(b.conn, TENON_BINARY, "a", 1, 0), TENON_ERR_AGAIN);
    assert_int_equal(tenon_send_part(b.conn, TENON_BINARY, "a", 1, 0), TENON_ERR_AGAIN);
    assert_int_equal(tenon_ping(b.conn, "p", 1), TENON_OK); /* between its frames */
    assert_none(&b);
    while (take_out(&b, 50) > 0) {
        int type = next(&b);
        if (type == TENON_EV_WRITABLE)
            break;
        assert_int_equal(type, 0);
    }
    assert_int_equal(tenon_send_ref(b.conn, TENON_BINARY, pattern, 10, 0, &b), TENON_OK);
    flush_out(&b);
    assert_next(&b, TENON_EV_RELEASED);
    assert_ptr_equal(b.event.cookie, pattern);
    assert_next(&b, TENON_EV_RELEASED);
    assert_ptr_equal(b.event.cookie, &b);
    assert_none(&b);
    assert_int_equal(tenon_send(b.conn, TENON_BINARY, "a", 1, 0), TENON_OK);
    bench_stop(&b);
}

static void test_prepared(void **state)
{
    tenon_prepared text, trusted;
    size_t r, i;
    (void)state;
    assert_int_equal(tenon_prepare(NULL, sizeof text, TENON_TEXT, "a", 1, 0), TENON_ERR_NULL);
    assert_int_equal(tenon_prepare(&text, sizeof text, TENON_TEXT, NULL, 1, 0), TENON_ERR_NULL);
    assert_int_equal(tenon_prepare(&text, sizeof text - 1, TENON_TEXT, "a", 1, 0), TENON_ERR_SIZE);
    assert_int_equal(tenon_prepare(&text, sizeof text, TENON_OP_PING, "a", 1, 0), TENON_ERR_ARG);
    assert_int_equal(tenon_prepare(&text, sizeof text, TENON_TEXT, "\xff", 1, 0), TENON_ERR_UTF8);
    assert_int_equal(tenon_prepare(&text, sizeof text, TENON_TEXT, "h\xc3\xa9", 3, 0), TENON_OK);
    assert_int_equal(tenon_prepare(&trusted, sizeof trusted, TENON_TEXT, "\xff", 1, TENON_TRUSTED), TENON_OK);
    for (r = 0; r < COUNT_OF(roles); r++) {
        for (i = 0; i < 3; i++) {
            bench b;
            bench_open(&b, roles[r]);
            assert_int_equal(tenon_send_prepared(NULL, &text, 0, &b), TENON_ERR_NULL);
            assert_int_equal(tenon_send_prepared(b.conn, NULL, 0, &b), TENON_ERR_NULL);
            assert_int_equal(tenon_send_prepared(b.conn, &text, TENON_RSV1, &b), TENON_ERR_ARG);
            assert_int_equal(tenon_send_prepared(b.conn, &text, 0, &b), TENON_OK);
            assert_int_equal(tenon_send_prepared(b.conn, &text, TENON_COPY, NULL), TENON_OK);
            assert_int_equal(tenon_send_prepared(b.conn, &trusted, TENON_COPY, NULL), TENON_OK);
            flush_out(&b);
            assert_wire(&b, 0x81, "h\xc3\xa9", 3);
            assert_wire(&b, 0x81, "h\xc3\xa9", 3);
            assert_wire(&b, 0x81, "\xff", 1);
            assert_next(&b, TENON_EV_RELEASED);
            assert_ptr_equal(b.event.cookie, &b);
            assert_none(&b); /* copies are not released */
            bench_stop(&b);
        }
    }
}

/* ------------------------------------------------------------------ random */

/* One key for each frame, as the random source gave it. */
/* covers: 6455-5.3-01 6455-10.3-01 6455-5.1-01 6455-5.5.1-08 */
static void test_fresh_keys(void **state)
{
    uint8_t expected[4], last[4] = {0};
    wire_frame frame;
    unsigned i, same = 0;
    bench b, twin;
    (void)state;
    memset(&twin, 0, sizeof twin);
    bench_config(&b, CLIENT);
    b.config.max_frame_out = 10;
    b.seed = twin.seed = 42;
    bench_open_sized(&b, 256, 4096);
    assert_int_equal(tenon_send(b.conn, TENON_BINARY, pattern, 35, 0), TENON_OK);
    assert_int_equal(tenon_ping(b.conn, NULL, 0), TENON_OK);
    assert_int_equal(tenon_send_part(b.conn, TENON_TEXT, NULL, 0, TENON_LAST), TENON_OK);
    assert_int_equal(tenon_send_ref(b.conn, TENON_BINARY, pattern, 21, 0, NULL), TENON_OK);
    give_frame(&b, 0x89, "p", 1);
    assert_next(&b, TENON_EV_PING);
    assert_int_equal(tenon_close(b.conn, 1000, NULL, 0), TENON_OK);
    flush_out(&b);
    for (i = 0; wire_next(&b, &frame); i++) {
        assert_int_equal(bench_random(&twin, expected, 4), 0);
        assert_memory_equal(frame.key, expected, 4);
        same += memcmp(frame.key, last, 4) == 0;
        memcpy(last, frame.key, 4);
    }
    assert_int_equal(i, 4 + 1 + 1 + 3 + 1 + 1);
    assert_int_equal(b.random_calls, i);
    assert_int_equal(same, 0);
    bench_stop(&b);
}

/* One of each way to send; returns how many references were accepted. */
static unsigned say_everything(bench *b, int *failed)
{
    unsigned refs = 0;
    int status[6], i;
    status[0] = tenon_send(b->conn, TENON_BINARY, pattern, 25, 0);
    status[1] = tenon_ping(b->conn, "p", 1);
    status[2] = tenon_send_part(b->conn, TENON_TEXT, "ab", 2, 0);
    status[3] = tenon_pong(b->conn, NULL, 0);
    status[4] = tenon_send_part(b->conn, TENON_TEXT, "cdefghijklm", 11, TENON_LAST);
    status[5] = tenon_send_ref(b->conn, TENON_BINARY, pattern, 400, 0, b);
    refs += status[5] == TENON_OK;
    *failed = 0;
    for (i = 0; i < 6; i++) {
        if (status[i] != TENON_OK)
            assert_int_equal(status[i], *failed ? TENON_ERR_STATE : TENON_ERR_RANDOM);
        *failed |= status[i] != TENON_OK;
    }
    return refs;
}

/* The N-th key cannot be had: the connection ends there, nothing goes out without
 * its key, and every accepted reference comes back. */
/* covers: 6455-5.3-01 6455-10.3-01 6455-5.3-02 */
static void test_random_fails(void **state)
{
    unsigned n, reached = 0;
    (void)state;
    for (n = 1; !reached; n++) {
        unsigned refs, frames = 0;
        int failed;
        wire_frame frame;
        bench b;
        bench_config(&b, CLIENT);
        b.config.max_frame_out = 10;
        b.random_fails = n;
        bench_open_sized(&b, 256, 512);
        refs = say_everything(&b, &failed);
        if (!failed) {
            give_frame(&b, 0x89, "q", 1);
            while (next(&b) != 0) {
            }
        }
        while (take_out(&b, 40) > 0) {
            while (next(&b) != 0) {
            }
        }
        if (tenon_state(b.conn) == TENON_OPEN)
            assert_int_equal(tenon_close(b.conn, 1000, NULL, 0), TENON_OK);
        reached = b.random_calls < n;
        if (!reached)
            assert_int_equal(tenon_state(b.conn), TENON_CLOSING);
        run_to_closed(&b);
        assert_int_equal(b.event.rule, reached ? TENON_RULE_EOF : TENON_RULE_RANDOM);
        assert_int_equal(b.event.sent_code, reached ? 1000 : 0);
        assert_int_equal(b.event.code, TENON_CLOSE_ABNORMAL);
        assert_int_equal(b.event.cause, TENON_LOCAL);
        assert_int_equal(b.released, refs);
        while (wire_next(&b, &frame)) {
            assert_true(memcmp(frame.key, "\0\0\0\0", 4) != 0);
            frames++;
        }
        assert_int_equal(frames, n - 1);
        assert_int_equal(b.random_calls, reached ? n - 1 : n);
        bench_stop(&b);
    }
    assert_true(n > 50);
}

/* The first frame of a reference fails: it was not accepted, so it is not released. */
static void test_random_ref(void **state)
{
    bench b;
    (void)state;
    bench_config(&b, CLIENT);
    b.random_fails = 1;
    bench_open_sized(&b, 256, 512);
    assert_int_equal(tenon_send_ref(b.conn, TENON_BINARY, "a", 1, 0, &b), TENON_ERR_RANDOM);
    assert_int_equal(tenon_state(b.conn), TENON_CLOSING);
    run_to_closed(&b);
    assert_int_equal(b.released, 0);
    assert_int_equal(b.wire_size, 0);
    bench_stop(&b);
}

/* Nothing goes out behind a failure, not even a reference that waited in front of it for
 * room and would make a single frame; nothing is told either. */
static void test_random_behind_a_reference(void **state)
{
    bench b;
    (void)state;
    bench_config(&b, CLIENT);
    bench_open_sized(&b, 256, 512);
    assert_int_equal(tenon_send(b.conn, TENON_BINARY, pattern, 100, 0), TENON_OK);
    assert_int_equal(tenon_send(b.conn, TENON_BINARY, pattern, 100, 0), TENON_OK);
    assert_int_equal(tenon_send_ref(b.conn, TENON_BINARY, pattern, 100, 0, &b), TENON_OK);
    b.random_fails = b.random_calls + 1;
    give_frame(&b, 0x89, "p", 1);
    assert_next(&b, TENON_EV_PING);
    assert_none(&b);
    assert_int_equal(tenon_state(b.conn), TENON_CLOSING);
    give_frame(&b, 0x81, "x", 1);
    assert_none(&b);
    run_to_closed(&b);
    assert_int_equal(b.event.rule, TENON_RULE_RANDOM);
    assert_wire(&b, 0x82, pattern, 100);
    assert_wire(&b, 0x82, pattern, 100);
    assert_wire_end(&b);
    assert_int_equal(b.released, 1);
    bench_stop(&b);
}

/* -------------------------------------------------------------------- room */

/* AGAIN exactly when the room is one octet short, WRITABLE exactly when it is not. */
/* covers: WHATWG-dom-websocket-send-02 */
static void test_exact_room(void **state)
{
    enum { RING = 1024 - TENON_TX_RESERVE };
    size_t r, i;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        for (i = 0; i < 3; i++) {
            size_t before = RING - header_size(roles[r], 200) - 200; /* leaves room for 200 */
            size_t want = 199 + i, acked = 0;
            bench b;
            bench_config(&b, roles[r]);
            bench_open_sized(&b, 256, 1024);
            before -= header_size(roles[r], before);
            assert_int_equal(tenon_send(b.conn, TENON_BINARY, pattern, before, 0), TENON_OK);
            if (i < 2) {
                assert_int_equal(tenon_send(b.conn, TENON_BINARY, pattern, want, 0), TENON_OK);
                assert_none(&b);
                bench_stop(&b);
                continue;
            }
            want += 50;
            assert_int_equal(tenon_send(b.conn, TENON_BINARY, pattern, want, 0), TENON_ERR_AGAIN);
            assert_int_equal(tenon_queued(b.conn), before + header_size(roles[r], before));
            while (next(&b) == 0) {
                assert_int_equal(take_out(&b, 1), 1);
                acked++;
                assert_true(acked <= 51);
            }
            assert_int_equal(b.event.type, TENON_EV_WRITABLE);
            assert_int_equal(acked, 51);
            assert_int_equal(tenon_send(b.conn, TENON_BINARY, pattern, want, 0), TENON_OK);
            assert_none(&b); /* told once */
            flush_out(&b);
            assert_none(&b);
            assert_wire(&b, 0x82, pattern, before);
            assert_wire(&b, 0x82, pattern, want);
            bench_stop(&b);
        }
    }
}

/* As much as the ring holds fits, one more never will; that is so at once, also
 * when the ring is full. */
static void test_too_big(void **state)
{
    enum { RING = 1024 - TENON_TX_RESERVE };
    size_t r, full;
    bench b;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        size_t most = RING - header_size(roles[r], RING);
        for (full = 0; full < 2; full++) {
            bench_config(&b, roles[r]);
            bench_open_sized(&b, 256, 1024);
            if (full)
                assert_int_equal(tenon_send(b.conn, TENON_BINARY, pattern, 300, 0), TENON_OK);
            assert_int_equal(tenon_send(b.conn, TENON_BINARY, pattern, most + 1, 0), TENON_ERR_TOO_BIG);
            assert_int_equal(tenon_send_part(b.conn, TENON_BINARY, pattern, most + 1, 0), TENON_ERR_TOO_BIG);
            assert_int_equal(tenon_send(b.conn, TENON_BINARY, pattern, most, 0), full ? TENON_ERR_AGAIN : TENON_OK);
            bench_stop(&b);
        }
        most = roles[r] == SERVER ? 752 : 720; /* the headers of all its frames count */
        for (full = 0; full < 2; full++) {
            bench_config(&b, roles[r]);
            b.config.max_frame_out = 100;
            bench_open_sized(&b, 256, 1024);
            assert_int_equal(tenon_send(b.conn, TENON_BINARY, pattern, most + full, 0),
                             full ? TENON_ERR_TOO_BIG : TENON_OK);
            assert_int_equal(tenon_queued(b.conn), full ? 0 : RING);
            bench_stop(&b);
        }
    }
}

/* Without tx a send waits for it; in too small a one it learns so. */
static void test_late_tx(void **state)
{
    bench b;
    (void)state;
    bench_config(&b, SERVER);
    bench_open_sized(&b, 256, 0);
    assert_int_equal(tenon_send(b.conn, TENON_BINARY, pattern, 500, 0), TENON_ERR_AGAIN);
    assert_true((tenon_wants(b.conn) & TENON_WANTS_TX) != 0);
    assert_none(&b);
    b.tx = malloc(512);
    assert_int_equal(tenon_lend_tx(b.conn, b.tx, 512), TENON_OK);
    assert_int_equal(tenon_wants(b.conn) & (TENON_WANTS_TX | TENON_WANTS_NEXT), TENON_WANTS_NEXT);
    assert_next(&b, TENON_EV_WRITABLE);
    assert_int_equal(tenon_send(b.conn, TENON_BINARY, pattern, 500, 0), TENON_ERR_TOO_BIG);
    assert_int_equal(tenon_send(b.conn, TENON_BINARY, pattern, 200, 0), TENON_OK);
    assert_none(&b);
    flush_out(&b);
    assert_int_equal(tenon_lend_tx(b.conn, NULL, 0), TENON_OK);
    assert_int_equal(tenon_send_ref(b.conn, TENON_BINARY, pattern, 300, 0, &b), TENON_OK);
    assert_true((tenon_wants(b.conn) & TENON_WANTS_TX) != 0);
    assert_int_equal(tenon_lend_tx(b.conn, b.tx, 512), TENON_OK);
    flush_out(&b);
    assert_next(&b, TENON_EV_RELEASED);
    assert_wire(&b, 0x82, pattern, 200);
    assert_wire(&b, 0x82, pattern, 300);
    bench_stop(&b);
}

/* ------------------------------------------------------------------- checks */

/* covers: 6455-5.6-03 6455-5.6-02 */
static void test_utf8(void **state)
{
    static const char *const bad[] = {"\xff", "a\xc3", "\xed\xa0\x80", "\xc0\xaf", "\xf4\x90\x80\x80", "\x80"};
    size_t i;
    bench b;
    (void)state;
    bench_open(&b, SERVER);
    for (i = 0; i < COUNT_OF(bad); i++) {
        size_t n = strlen(bad[i]);
        assert_int_equal(tenon_send(b.conn, TENON_TEXT, bad[i], n, 0), TENON_ERR_UTF8);
        assert_int_equal(tenon_send_ref(b.conn, TENON_TEXT, bad[i], n, 0, NULL), TENON_ERR_UTF8);
        assert_int_equal(tenon_send_part(b.conn, TENON_TEXT, bad[i], n, TENON_LAST), TENON_ERR_UTF8);
        assert_int_equal(tenon_queued(b.conn), 0);
        assert_int_equal(tenon_send(b.conn, TENON_BINARY, bad[i], n, 0), TENON_OK);
        assert_int_equal(tenon_send(b.conn, TENON_TEXT, bad[i], n, TENON_TRUSTED), TENON_OK);
        assert_int_equal(tenon_send_ref(b.conn, TENON_TEXT, bad[i], n, TENON_TRUSTED, NULL), TENON_OK);
        assert_int_equal(tenon_send_part(b.conn, TENON_TEXT, bad[i], n, TENON_TRUSTED | TENON_LAST), TENON_OK);
        assert_int_equal(tenon_ping(b.conn, bad[i], n), TENON_OK);
        flush_out(&b);
        assert_wire(&b, 0x82, bad[i], n);
        assert_wire(&b, 0x81, bad[i], n);
        assert_wire(&b, 0x81, bad[i], n);
        assert_wire(&b, 0x81, bad[i], n);
        assert_wire(&b, 0x89, bad[i], n);
        assert_next(&b, TENON_EV_RELEASED);
        assert_none(&b);
    }
    bench_stop(&b);
}

/* RSV bits go out where they were granted: first frames, continuations. */
/* covers: 6455-5.2-01 */
static void test_rsv(void **state)
{
    bench b;
    (void)state;
    bench_open(&b, SERVER);
    assert_int_equal(tenon_send(b.conn, TENON_BINARY, "a", 1, TENON_RSV1), TENON_ERR_ARG);
    assert_int_equal(tenon_send_part(b.conn, TENON_BINARY, "a", 1, TENON_RSV2), TENON_ERR_ARG);
    assert_int_equal(tenon_send_ref(b.conn, TENON_BINARY, "a", 1, TENON_RSV3, NULL), TENON_ERR_ARG);
    bench_stop(&b);
    bench_config(&b, SERVER);
    b.config.max_frame_out = 2;
    bench_start(&b, 256, 1024);
    assert_int_equal(tenon_grant(b.conn, TENON_RSV1 | TENON_RSV2, TENON_RSV3, TENON_OPAQUE), TENON_OK);
    assert_next(&b, TENON_EV_OPEN);
    assert_none(&b);
    assert_int_equal(tenon_send(b.conn, TENON_TEXT, "\xff\xff\xff", 3, TENON_RSV1), TENON_OK); /* opaque */
    assert_int_equal(tenon_send(b.conn, TENON_TEXT, "a", 1, TENON_RSV3), TENON_ERR_ARG);
    assert_int_equal(tenon_send_part(b.conn, TENON_BINARY, "a", 1, TENON_RSV1 | TENON_RSV2), TENON_OK);
    assert_int_equal(tenon_send_part(b.conn, TENON_BINARY, "b", 1, TENON_RSV1), TENON_ERR_ARG);
    assert_int_equal(tenon_send_part(b.conn, TENON_BINARY, "bcd", 3, TENON_RSV3 | TENON_LAST), TENON_OK);
    assert_int_equal(tenon_send_ref(b.conn, TENON_BINARY, "efg", 3, TENON_RSV2, NULL), TENON_OK);
    flush_out(&b);
    assert_wire(&b, 0x41, "\xff\xff", 2);
    assert_wire(&b, 0x80, "\xff", 1);
    assert_wire(&b, 0x62, "a", 1);
    assert_wire(&b, 0x10, "bc", 2);
    assert_wire(&b, 0x80, "d", 1);
    assert_wire(&b, 0x22, "ef", 2);
    assert_wire(&b, 0x80, "g", 1);
    assert_wire_end(&b);
    bench_stop(&b);
}

/* A relay passes on a message that an extension made, all its frames unchecked, and
 * goes on checking others. */
static void test_relay_parts(void **state)
{
    static const uint32_t bits[] = {TENON_RSV1, TENON_RSV2, TENON_RSV3};
    size_t i;
    (void)state;
    for (i = 0; i < COUNT_OF(bits); i++) {
        bench b;
        bench_config(&b, SERVER);
        b.config.flags = TENON_RELAY;
        bench_start(&b, 256, 1024);
        assert_int_equal(tenon_grant(b.conn, bits[i], 0, 0), TENON_OK);
        assert_next(&b, TENON_EV_OPEN);
        assert_none(&b);
        assert_int_equal(tenon_send_part(b.conn, TENON_TEXT, "\xf2\x48", 2, bits[i]), TENON_OK);
        assert_int_equal(tenon_send_part(b.conn, TENON_TEXT, "\xcd\xc9\xc9", 3, 0), TENON_OK);
        assert_int_equal(tenon_send_part(b.conn, TENON_TEXT, "\x07", 1, TENON_LAST), TENON_OK);
        assert_int_equal(tenon_send_part(b.conn, TENON_TEXT, "\xcd\xc9", 2, 0), TENON_ERR_UTF8);
        assert_int_equal(tenon_send(b.conn, TENON_TEXT, "\xcd\xc9", 2, 0), TENON_ERR_UTF8);
        assert_int_equal(tenon_send(b.conn, TENON_TEXT, "\xcd\xc9", 2, bits[i]), TENON_OK);
        bench_stop(&b);
    }
}

/* Trust ends with the part that it was given for: the next message begins between two
 * characters, whatever was seen of this one. */
static void test_trusted_end(void **state)
{
    bench b;
    (void)state;
    bench_open(&b, SERVER);
    assert_int_equal(tenon_send_part(b.conn, TENON_TEXT, "\xc3", 1, 0), TENON_OK);
    assert_int_equal(tenon_send_part(b.conn, TENON_TEXT, "\xa4", 1, TENON_LAST | TENON_TRUSTED), TENON_OK);
    assert_int_equal(tenon_send_part(b.conn, TENON_TEXT, "a", 1, TENON_LAST), TENON_OK);
    bench_stop(&b);
}

/* A reference that was refused because a Pong waits is worth a try as soon as that is in
 * the queue, and there is any room at all. */
static void test_ref_behind_a_pong(void **state)
{
    enum { RING = TENON_TX_MIN - TENON_TX_RESERVE, PONG = 2 + TENON_CONTROL_MAX };
    bench b;
    (void)state;
    bench_config(&b, SERVER);
    bench_open_sized(&b, 256, TENON_TX_MIN);
    assert_int_equal(tenon_send(b.conn, TENON_BINARY, pattern, RING - 4, 0), TENON_OK);
    give_frame(&b, 0x89, pattern, TENON_CONTROL_MAX);
    assert_next(&b, TENON_EV_PING);
    assert_none(&b);
    assert_int_equal(tenon_send_ref(b.conn, TENON_BINARY, pattern, 1, 0, &b), TENON_ERR_AGAIN);
    assert_int_equal(take_out(&b, PONG), PONG);
    assert_int_equal(tenon_queued(b.conn), RING);
    assert_none(&b);
    assert_int_equal(take_out(&b, 1), 1);
    assert_next(&b, TENON_EV_WRITABLE);
    assert_none(&b);
    bench_stop(&b);
}

/* ------------------------------------------------------------ control frames */

/* covers: 6455-5.5-02 6455-5.5.2-03 6455-5.5.2-04 */
static void test_control(void **state)
{
    static const size_t sizes[] = {0, 1, 124, 125, 126, 1000};
    size_t r, i;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        bench b;
        bench_open(&b, roles[r]);
        for (i = 0; i < COUNT_OF(sizes); i++) {
            int expected = sizes[i] <= 125 ? TENON_OK : TENON_ERR_CONTROL_SIZE;
            assert_int_equal(tenon_ping(b.conn, pattern, sizes[i]), expected);
            assert_int_equal(tenon_pong(b.conn, pattern, sizes[i]), expected);
            flush_out(&b);
            if (expected != TENON_OK)
                continue;
            assert_wire(&b, 0x89, pattern, sizes[i]);
            assert_wire(&b, 0x8a, pattern, sizes[i]);
        }
        assert_wire_end(&b);
        assert_int_equal(tenon_send(b.conn, TENON_OP_PING, "a", 1, 0), TENON_ERR_ARG);
        assert_int_equal(tenon_send(b.conn, TENON_OP_CLOSE, "a", 1, 0), TENON_ERR_ARG);
        assert_int_equal(tenon_send(b.conn, TENON_CONTINUATION, "a", 1, 0), TENON_ERR_ARG);
        assert_int_equal(tenon_send(b.conn, TENON_OP_PING, "a", 1, TENON_TRUSTED), TENON_ERR_ARG);
        assert_int_equal(tenon_send(b.conn, TENON_CONTINUATION, "a", 1, TENON_TRUSTED), TENON_ERR_ARG);
        assert_int_equal(tenon_queued(b.conn), 0);
        bench_stop(&b);
    }
}

/* Every Ping is answered in order while there is room; then the newest is kept, and
 * goes out before anything the program sends. */
/* covers: 6455-5.5.2-01 6455-5.5.3-01 6455-5.5.3-02 6455-5.5.3-03 6455-5.5.3-04 */
static void test_pong(void **state)
{
    bench b;
    char payload = '0';
    (void)state;
    bench_config(&b, SERVER);
    bench_open_sized(&b, 256, 512);
    for (payload = '0'; payload <= '9'; payload++) {
        give_frame(&b, 0x89, &payload, 1);
        assert_next(&b, TENON_EV_PING);
        assert_none(&b);
    }
    give_frame(&b, 0x8a, "unasked", 7);
    assert_next(&b, TENON_EV_PONG);
    assert_none(&b);
    flush_out(&b);
    for (payload = '0'; payload <= '9'; payload++)
        assert_wire(&b, 0x8a, &payload, 1);
    assert_wire_end(&b);
    assert_int_equal(b.stats.pongs_skipped, 0);
    assert_int_equal(tenon_send(b.conn, TENON_BINARY, pattern, 250, 0), TENON_OK);
    for (payload = 'a'; payload <= 'c'; payload++) {
        give_frame(&b, 0x89, &payload, 1);
        assert_next(&b, TENON_EV_PING);
        assert_none(&b);
    }
    assert_int_equal(b.stats.pongs_skipped, 2);
    assert_int_equal(tenon_send(b.conn, TENON_BINARY, NULL, 0, 0), TENON_ERR_AGAIN); /* two octets would fit */
    assert_int_equal(tenon_ping(b.conn, NULL, 0), TENON_ERR_AGAIN);
    assert_int_equal(take_out(&b, 1), 1);
    assert_int_equal(tenon_queued(b.conn), 253 + 3); /* the Pong took the room */
    assert_none(&b);
    assert_int_equal(take_out(&b, 2), 2);
    assert_next(&b, TENON_EV_WRITABLE);
    assert_int_equal(tenon_send(b.conn, TENON_BINARY, NULL, 0, 0), TENON_OK);
    flush_out(&b);
    assert_wire(&b, 0x82, pattern, 250);
    assert_wire(&b, 0x8a, "c", 1);
    assert_wire(&b, 0x82, NULL, 0);
    assert_wire_end(&b);
    bench_stop(&b);
}

/* A Pong and a Close come between the frames of a reference, a Close behind it. */
/* covers: 6455-5.4-07 6455-5.5.1-12 */
static void test_boundary(void **state)
{
    size_t r, k;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        wire_frame frame;
        bench b;
        size_t got = 0, pong_at = 0;
        memset(&frame, 0, sizeof frame);
        bench_config(&b, roles[r]);
        b.config.max_frame_out = 50;
        bench_open_sized(&b, 256, 512);
        assert_int_equal(tenon_send_ref(b.conn, TENON_BINARY, pattern, 1000, 0, &b), TENON_OK);
        assert_int_equal(tenon_close(b.conn, 1000, NULL, 0), TENON_OK);
        take_out(&b, 60);
        give_frame(&b, 0x89, "p", 1);
        assert_next(&b, TENON_EV_PING);
        assert_none(&b);
        flush_out(&b);
        for (k = 0; wire_next(&b, &frame); k++) {
            if (frame.first == 0x8a)
                pong_at = k;
            if ((frame.first & 0x08) != 0)
                continue;
            assert_int_equal(frame.first, got == 0 ? 0x02 : got == 950 ? 0x80 : 0x00);
            assert_memory_equal(frame.payload, pattern + got, frame.size);
            got += frame.size;
        }
        assert_int_equal(got, 1000);
        assert_int_equal(k, 22);
        assert_int_equal(frame.first, 0x88); /* the last one */
        assert_true(pong_at > 0 && pong_at < 8);
        assert_next(&b, TENON_EV_RELEASED);
        bench_stop(&b);
    }
}

/* -------------------------------------------------------------------- Close */

static int may_be_sent(int code, int role)
{
    if (code == 1010)
        return role == CLIENT;
    return (code >= 1000 && code <= 1003) || code == 1005 || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

/* covers: IANA-close-codes-05 6455-7.4.1-01 6455-7.4.1-02 6455-7.4.1-04 6455-7.4.1-06 6455-7.4.1-08 6455-7.4.1-10 6455-7.4.1-11 6455-7.4.2-01 6455-7.4.2-02 6455-7.4.2-03 6455-7.4.2-04 6455-7.1.2-02 6455-7.3-01 WHATWG-dom-websocket-close-04 */
static void test_close_codes(void **state)
{
    size_t r;
    int code;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        for (code = -2; code < 65540; code++) {
            bench b;
            bench_config(&b, roles[r]);
            bench_open_sized(&b, 0, 512);
            if (!may_be_sent(code, roles[r])) {
                assert_int_equal(tenon_close(b.conn, code, NULL, 0), TENON_ERR_CODE);
                assert_int_equal(tenon_state(b.conn), TENON_OPEN);
                assert_int_equal(tenon_queued(b.conn), 0);
                bench_stop(&b);
                continue;
            }
            assert_int_equal(tenon_close(b.conn, code, NULL, 0), TENON_OK);
            assert_int_equal(tenon_state(b.conn), TENON_CLOSING);
            flush_out(&b);
            if (code == TENON_CLOSE_NONE)
                assert_wire(&b, 0x88, NULL, 0);
            else
                assert_wire_close(&b, (unsigned)code);
            assert_wire_end(&b);
            bench_stop(&b);
        }
    }
}

/* covers: 6455-5.5-02 6455-5.5.1-06 6455-7.1.2-01 6455-7.1.2-02 WHATWG-dom-websocket-close-02 */
static void test_close_reason(void **state)
{
    char reason[126];
    uint8_t payload[125] = {0x03, 0xe8};
    int i;
    bench b;
    (void)state;
    memset(reason, 'r', sizeof reason);
    bench_open(&b, CLIENT);
    assert_int_equal(tenon_close(b.conn, 1000, reason, 124), TENON_ERR_CONTROL_SIZE);
    assert_int_equal(tenon_close(b.conn, 1000, reason, SIZE_MAX), TENON_ERR_CONTROL_SIZE);
    assert_int_equal(tenon_close(b.conn, 1000, NULL, 1), TENON_ERR_NULL);
    assert_int_equal(tenon_close(b.conn, 1000, "\xff", 1), TENON_ERR_UTF8);
    assert_int_equal(tenon_close(b.conn, 1000, "a\xc3", 2), TENON_ERR_UTF8);
    assert_int_equal(tenon_close(b.conn, TENON_CLOSE_NONE, "x", 1), TENON_ERR_CODE);
    assert_int_equal(tenon_state(b.conn), TENON_OPEN);
    for (i = 0; i < 41; i++)
        memcpy(reason + 3 * i, "\xe2\x82\xac", 3);
    assert_int_equal(tenon_close(b.conn, 1000, reason, 123), TENON_OK);
    flush_out(&b);
    memcpy(payload + 2, reason, 123);
    assert_wire(&b, 0x88, payload, 125);
    bench_stop(&b);
    bench_open(&b, SERVER);
    assert_int_equal(tenon_close(b.conn, 1000, "bye", 3), TENON_OK);
    flush_out(&b);
    assert_int_equal(b.wire_size, 7);
    assert_memory_equal(b.wire, "\x88\x05\x03\xe8" "bye", 7);
    bench_stop(&b);
}

/* The second Close does nothing, what was sent before the first goes out, nothing
 * is accepted after it. */
/* covers: 6455-5.5.1-09 6455-5.5.1-13 WHATWG-dom-websocket-close-03 WHATWG-dom-websocket-close-05 WHATWG-dom-websocket-send-01 */
static void test_after_close(void **state)
{
    size_t r;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        tenon_prepared prepared;
        bench b;
        bench_open(&b, roles[r]);
        assert_int_equal(tenon_prepare(&prepared, sizeof prepared, TENON_TEXT, "p", 1, 0), TENON_OK);
        assert_int_equal(tenon_send(b.conn, TENON_TEXT, "1", 1, 0), TENON_OK);
        assert_int_equal(tenon_send_ref(b.conn, TENON_TEXT, "2", 1, 0, NULL), TENON_OK);
        assert_int_equal(tenon_send_part(b.conn, TENON_TEXT, "3", 1, 0), TENON_OK);
        assert_int_equal(tenon_close(b.conn, 1001, "a", 1), TENON_OK);
        assert_int_equal(tenon_close(b.conn, 1002, "b", 1), TENON_OK);
        assert_int_equal(tenon_close(b.conn, 1005, NULL, 0), TENON_OK);
        assert_int_equal(tenon_close(b.conn, 1006, NULL, 0), TENON_ERR_CODE);
        assert_int_equal(tenon_send(b.conn, TENON_TEXT, "4", 1, 0), TENON_ERR_STATE);
        assert_int_equal(tenon_send(b.conn, TENON_BINARY, "4", 1, 0), TENON_ERR_STATE);
        assert_int_equal(tenon_send_part(b.conn, TENON_TEXT, "4", 1, TENON_LAST), TENON_ERR_STATE);
        assert_int_equal(tenon_send_ref(b.conn, TENON_TEXT, "4", 1, 0, &b), TENON_ERR_STATE);
        assert_int_equal(tenon_send_prepared(b.conn, &prepared, 0, &b), TENON_ERR_STATE);
        assert_int_equal(tenon_ping(b.conn, "4", 1), TENON_ERR_STATE);
        assert_int_equal(tenon_pong(b.conn, "4", 1), TENON_ERR_STATE);
        flush_out(&b);
        assert_wire(&b, 0x81, "1", 1);
        assert_wire(&b, 0x81, "2", 1);
        assert_wire(&b, 0x01, "3", 1);
        assert_wire(&b, 0x88, "\x03\xe9" "a", 3);
        assert_wire_end(&b);
        assert_next(&b, TENON_EV_RELEASED);
        run_to_closed(&b);
        assert_wire_end(&b);
        assert_int_equal(b.event.sent_code, 1001);
        assert_int_equal(tenon_close(b.conn, 1000, NULL, 0), TENON_ERR_STATE);
        assert_int_equal(tenon_send(b.conn, TENON_TEXT, "4", 1, 0), TENON_ERR_STATE);
        bench_stop(&b);
    }
}

/* That it is over is what a send is told, whatever a message in progress was granted. */
static void test_granted_after_close(void **state)
{
    bench b;
    (void)state;
    bench_config(&b, SERVER);
    bench_start(&b, 256, 512);
    assert_int_equal(tenon_grant(b.conn, TENON_RSV2, 0, 0), TENON_OK);
    assert_next(&b, TENON_EV_OPEN);
    assert_int_equal(tenon_send_part(b.conn, TENON_TEXT, "a", 1, TENON_RSV2), TENON_OK);
    assert_int_equal(tenon_close(b.conn, 1000, NULL, 0), TENON_OK);
    assert_int_equal(tenon_send_part(b.conn, TENON_TEXT, "b", 1, TENON_RSV2), TENON_ERR_STATE);
    bench_stop(&b);
}

/* A Close is accepted however full the queue is, reason and all. */
static void test_close_full(void **state)
{
    bench b;
    char reason[123];
    uint8_t payload[125] = {0x03, 0xe8};
    (void)state;
    memset(reason, 'r', sizeof reason);
    memcpy(payload + 2, reason, sizeof reason);
    bench_config(&b, SERVER);
    bench_open_sized(&b, 256, 512);
    assert_int_equal(tenon_send(b.conn, TENON_BINARY, pattern, 252, 0), TENON_OK);
    give_frame(&b, 0x89, pattern, 125);
    assert_next(&b, TENON_EV_PING);
    assert_int_equal(tenon_close(b.conn, 1000, reason, sizeof reason), TENON_OK);
    memset(reason, 0, sizeof reason);
    while (take_out(&b, 7) > 0) {
    }
    assert_wire(&b, 0x82, pattern, 252);
    assert_wire(&b, 0x8a, pattern, 125);
    assert_wire(&b, 0x88, payload, 125);
    assert_wire_end(&b);
    bench_stop(&b);
}

/* ----------------------------------------------------------------- RELEASED */

enum { END_CLOSED, END_FAILED, END_EOF, END_ABORTED, END_TIMEOUT, ENDINGS };

static void end(bench *b, int how)
{
    if (how == END_CLOSED)
        give_frame(b, 0x88, "\x03\xe8", 2);
    if (how == END_FAILED)
        give(b, "\xff", 1);
    if (how == END_EOF)
        assert_int_equal(tenon_eof(b->conn), TENON_OK);
    if (how == END_ABORTED)
        assert_int_equal(tenon_abort(b->conn, TENON_REMOTE), TENON_OK);
}

/* A Close that waits for room, or is out, stays what it is: own or the answer to the
 * peer's. */
static void test_close_stays(void **state)
{
    int asked, full;
    (void)state;
    for (asked = 0; asked < 2; asked++) {
        for (full = 0; full < 2; full++) {
            bench b;
            bench_config(&b, CLIENT);
            bench_open_sized(&b, 256, TENON_TX_MIN);
            while (full && tenon_send(b.conn, TENON_BINARY, NULL, 0, 0) == TENON_OK) {
            }
            if (asked) {
                assert_int_equal(tenon_close(b.conn, 1001, NULL, 0), TENON_OK);
            } else {
                give_frame(&b, 0x88, "\x03\xe9", 2);
                assert_next(&b, TENON_EV_CLOSE);
                assert_none(&b);
            }
            assert_int_equal(tenon_close(b.conn, 3000, "other", 5), TENON_OK);
            run_to_closed(&b);
            while (full && b.read + 6 + 2 < b.wire_size)
                assert_wire(&b, 0x82, NULL, 0);
            assert_wire_close(&b, 1001);
            assert_wire_end(&b);
            bench_stop(&b);
        }
    }
}

/* A control frame that was refused is worth a try when there is room for it, and not
 * before. */
static void test_control_again(void **state)
{
    enum { RING = TENON_TX_MIN - TENON_TX_RESERVE, PING = 2 + 100 };
    bench b;
    (void)state;
    bench_config(&b, SERVER);
    bench_open_sized(&b, 256, TENON_TX_MIN);
    assert_int_equal(tenon_send(b.conn, TENON_BINARY, pattern, RING - 4, 0), TENON_OK);
    assert_int_equal(tenon_ping(b.conn, pattern, 100), TENON_ERR_AGAIN);
    assert_int_equal(take_out(&b, PING - 1), PING - 1);
    assert_none(&b);
    assert_int_equal(take_out(&b, 1), 1);
    assert_next(&b, TENON_EV_WRITABLE);
    assert_int_equal(b.event.size, 0);
    assert_int_equal(tenon_ping(b.conn, pattern, 100), TENON_OK);
    bench_stop(&b);
}

/* Two references, the second at whatever stage: each comes back once, before CLOSED,
 * however it ends, whether the transport goes on or not. */
static void test_released_once(void **state)
{
    size_t r, taken;
    int how, writes;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        for (how = 0; how < ENDINGS; how++) {
            for (taken = 0; taken < 700; taken += 23) {
                for (writes = 0; writes < (how == END_TIMEOUT ? 1 : 2); writes++) {
                    unsigned seen[2] = {0, 0}, turns = 0;
                    int type = 0;
                    bench b;
                    bench_config(&b, roles[r]);
                    b.config.max_frame_out = 100;
                    b.config.idle_ms = 60000;
                    bench_open_sized(&b, 256, 512);
                    assert_int_equal(tenon_tick(b.conn, 1), TENON_OK);
                    assert_int_equal(tenon_send_ref(b.conn, TENON_BINARY, pattern, 20, 0, seen), TENON_OK);
                    assert_int_equal(tenon_send_ref(b.conn, TENON_BINARY, pattern, 500, 0, seen + 1), TENON_OK);
                    while (b.wire_size < taken && take_out(&b, 23) > 0) {
                    }
                    end(&b, how);
                    while (type != TENON_EV_CLOSED) {
                        type = next(&b);
                        if (type == TENON_EV_RELEASED)
                            ++*(unsigned *)b.event.cookie;
                        if (type == 0 && writes)
                            take_out(&b, 23);
                        if (type == 0)
                            assert_int_equal(tenon_tick(b.conn, 1 + turns * 1000u), TENON_OK);
                        assert_true(++turns < 1000);
                    }
                    assert_int_equal(seen[0], 1);
                    assert_int_equal(seen[1], 1);
                    assert_none(&b);
                    bench_stop(&b);
                }
            }
        }
    }
}

/* A size beyond 32 bits: there is room for no such message, once there is a tx. */
static void test_beyond_32_bits(void **state)
{
#if SIZE_MAX > UINT32_MAX
    uint8_t octet = 0, tx[1024];
    bench b;
    bench_config(&b, TENON_SERVER);
    bench_open_sized(&b, 512, 0);
    assert_int_equal(tenon_send(b.conn, TENON_BINARY, &octet, (size_t)UINT32_MAX + 100, 0), TENON_ERR_AGAIN);
    assert_none(&b);
    assert_int_equal(tenon_lend_tx(b.conn, tx, sizeof tx), TENON_OK);
    assert_next(&b, TENON_EV_WRITABLE);
    assert_int_equal(tenon_send(b.conn, TENON_BINARY, &octet, (size_t)UINT32_MAX + 100, 0), TENON_ERR_TOO_BIG);
    bench_stop(&b);
#endif
    (void)state;
}

/* A tx that is said to have more than 2^31 octets is used as far as that. */
static void test_tx_beyond_31_bits(void **state)
{
#if SIZE_MAX > UINT32_MAX
    uint8_t tx[1024];
    bench b;
    bench_config(&b, TENON_SERVER);
    bench_open_sized(&b, 512, 0);
    assert_int_equal(tenon_lend_tx(b.conn, tx, (size_t)UINT32_MAX + 1 + TENON_TX_RESERVE), TENON_OK);
    assert_int_equal(tenon_send(b.conn, TENON_BINARY, "Hello", 5, 0), TENON_OK);
    flush_out(&b);
    assert_wire(&b, 0x82, "Hello", 5);
    bench_stop(&b);
#endif
    (void)state;
}

/* Whoever lends no stats has none, and all else is the same. */
static void test_without_stats(void **state)
{
    wire_frame frame;
    tenon_stats before;
    bench b;
    int role;
    (void)state;
    for (role = TENON_SERVER; role <= TENON_CLIENT; role++) {
        bench_open(&b, role);
        assert_int_equal(tenon_lend_stats(b.conn, NULL), TENON_OK);
        before = b.stats;
        assert_int_equal(tenon_send_ref(b.conn, TENON_BINARY, "Hello", 5, 0, &b), TENON_OK);
        give_frame(&b, 0x8a, "x", 1);
        flush_out(&b);
        assert_int_equal(wire_next(&b, &frame), 1);
        assert_int_equal(frame.first, 0x82);
        assert_int_equal(frame.size, 5);
        assert_memory_equal(frame.payload, "Hello", 5);
        assert_next(&b, TENON_EV_RELEASED);
        assert_next(&b, TENON_EV_PONG);
        assert_data(&b, "x", 1);
        assert_none(&b);
        assert_memory_equal(&before, &b.stats, sizeof before);
        bench_stop(&b);
    }
}

/* Nothing to send needs no data. */
static void test_prepared_arguments(void **state)
{
    tenon_prepared prepared;
    bench b;
    (void)state;
    assert_int_equal(tenon_prepare(&prepared, sizeof prepared, TENON_TEXT, NULL, 1, 0), TENON_ERR_NULL);
    assert_int_equal(tenon_prepare(&prepared, sizeof prepared, TENON_TEXT, NULL, 0, 0), TENON_OK);
    bench_open(&b, TENON_SERVER);
    assert_int_equal(tenon_send_prepared(b.conn, &prepared, TENON_COPY, NULL), TENON_OK);
    flush_out(&b);
    assert_wire(&b, 0x81, NULL, 0);
    prepared.size--;
    assert_int_equal(tenon_send_prepared(b.conn, &prepared, TENON_COPY, NULL), TENON_ERR_SIZE);
    assert_int_equal(tenon_queued(b.conn), 0);
    bench_stop(&b);
}

/* No frame of a client's reference takes more than half of the queue, however large the
 * frames may be: nothing but the size of tx cuts them. */
static void test_half_of_the_queue(void **state)
{
    static const uint32_t most[] = {400, 499, 500, 501, 700};
    static uint8_t data[3000];
    wire_frame frame;
    size_t i;
    (void)state;
    memset(data, 'x', sizeof data);
    for (i = 0; i < COUNT_OF(most); i++) {
        size_t total = 0, largest = 0;
        bench b;
        bench_config(&b, TENON_CLIENT);
        b.config.max_frame_out = most[i];
        bench_open_sized(&b, 512, 1000 + TENON_TX_RESERVE);
        assert_int_equal(tenon_send_ref(b.conn, TENON_BINARY, data, sizeof data, 0, &b), TENON_OK);
        while (tenon_queued(b.conn) > 0) {
            take_out(&b, SIZE_MAX);
            next(&b);
        }
        while (wire_next(&b, &frame)) {
            largest = frame.size > largest ? frame.size : largest;
            total += frame.size;
        }
        assert_int_equal(largest, most[i] < 500 ? most[i] : 500);
        assert_int_equal(total, sizeof data);
        assert_int_equal(b.released, 1);
        bench_stop(&b);
    }
}

/* Octets that are nowhere, in whichever way. */
static void test_null_data(void **state)
{
    bench b;
    (void)state;
    bench_open(&b, SERVER);
    assert_int_equal(tenon_send(b.conn, TENON_BINARY, NULL, 1, 0), TENON_ERR_NULL);
    assert_int_equal(tenon_send(b.conn, TENON_TEXT, NULL, 1, TENON_TRUSTED), TENON_ERR_NULL);
    assert_int_equal(tenon_send_part(b.conn, TENON_BINARY, NULL, 1, 0), TENON_ERR_NULL);
    assert_int_equal(tenon_send_ref(b.conn, TENON_BINARY, NULL, 1, 0, NULL), TENON_ERR_NULL);
    assert_int_equal(tenon_ping(b.conn, NULL, 1), TENON_ERR_NULL);
    bench_stop(&b);
}

/* A message in frames is judged by all of its headers: it fits exactly, or by one octet
 * not at all. */
static void test_exact_room_of_frames(void **state)
{
    enum { MOST = 50 };
    size_t r, n, less;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        for (n = 6 * MOST - 3; n <= 6 * MOST + 3; n++) {
            size_t size = n + (n + MOST - 1) / MOST * header_size(roles[r], MOST);
            for (less = 0; less <= 1; less++) {
                bench b;
                bench_config(&b, roles[r]);
                b.config.max_frame_out = MOST;
                bench_open_sized(&b, 256, size - less + TENON_TX_RESERVE);
                assert_int_equal(tenon_send(b.conn, TENON_BINARY, pattern, n, 0), less ? TENON_ERR_TOO_BIG : TENON_OK);
                assert_int_equal(tenon_queued(b.conn), less ? 0 : size);
                bench_stop(&b);
            }
        }
    }
}

/* Frames of one octet: a reference goes on behind each. */
static void test_ref_of_single_octets(void **state)
{
    size_t r, i;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        bench b;
        bench_config(&b, roles[r]);
        b.config.max_frame_out = 1;
        bench_open_sized(&b, 256, 512);
        assert_int_equal(tenon_send_ref(b.conn, TENON_BINARY, pattern, 5, 0, &b), TENON_OK);
        flush_out(&b);
        for (i = 0; i < 5; i++)
            assert_wire(&b, (uint8_t)((i == 0 ? 0x02 : 0) | (i == 4 ? 0x80 : 0)), pattern + i, 1);
        assert_wire_end(&b);
        bench_stop(&b);
    }
}

/* What makes a single frame was accepted, and goes out in front of the Close that answers
 * the peer's, though it had to wait for room. */
static void test_ref_of_one_frame_is_not_cut(void **state)
{
    bench b;
    (void)state;
    bench_config(&b, CLIENT);
    bench_open_sized(&b, 256, 512);
    assert_int_equal(tenon_send(b.conn, TENON_BINARY, pattern, 100, 0), TENON_OK);
    assert_int_equal(tenon_send(b.conn, TENON_BINARY, pattern, 100, 0), TENON_OK);
    assert_int_equal(tenon_send_ref(b.conn, TENON_BINARY, pattern, 100, 0, &b), TENON_OK);
    give_frame(&b, 0x88, "\x03\xe8", 2);
    assert_next(&b, TENON_EV_CLOSE);
    run_to_closed(&b);
    assert_wire(&b, 0x82, pattern, 100);
    assert_wire(&b, 0x82, pattern, 100);
    assert_wire(&b, 0x82, pattern, 100);
    assert_wire_close(&b, 1000);
    assert_wire_end(&b);
    assert_int_equal(b.released, 1);
    bench_stop(&b);
}

/* The end of the stream cuts one of several frames, and leaves one of a single frame. */
static void test_ref_at_eof(void **state)
{
    wire_frame frame;
    int single;
    (void)state;
    for (single = 0; single < 2; single++) {
        unsigned ends = 0;
        bench b;
        bench_config(&b, CLIENT);
        bench_open_sized(&b, 256, 512);
        assert_int_equal(tenon_send(b.conn, TENON_BINARY, pattern, 100, 0), TENON_OK);
        assert_int_equal(tenon_send(b.conn, TENON_BINARY, pattern, 100, 0), TENON_OK);
        assert_int_equal(tenon_send_ref(b.conn, TENON_BINARY, pattern, single ? 100 : 1000, 0, &b), TENON_OK);
        assert_int_equal(tenon_eof(b.conn), TENON_OK);
        assert_none(&b);
        run_to_closed(&b);
        while (wire_next(&b, &frame))
            ends += (frame.first & 0x80) != 0;
        assert_int_equal(ends, single ? 3 : 2);
        assert_int_equal(b.released, 1);
        bench_stop(&b);
    }
}

/* Without tx a Ping has no answer, then or later: there is nowhere to keep it. */
static void test_ping_without_tx(void **state)
{
    uint8_t tx[TENON_TX_MIN];
    bench b;
    (void)state;
    bench_config(&b, SERVER);
    bench_open_sized(&b, 256, 0);
    give_frame(&b, 0x89, "p", 1);
    assert_next(&b, TENON_EV_PING);
    assert_none(&b);
    give_frame(&b, 0x89, NULL, 0);
    assert_next(&b, TENON_EV_PING);
    assert_none(&b);
    assert_int_equal(b.stats.pongs_skipped, 2);
    assert_int_equal(tenon_lend_tx(b.conn, tx, sizeof tx), TENON_OK);
    assert_none(&b);
    assert_int_equal(tenon_queued(b.conn), 0);
    bench_stop(&b);
}

/* The queue goes on at its start wherever its end comes in a short message. */
static void test_short_around_the_end(void **state)
{
    size_t r, n, i;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        for (n = 1; n <= 16; n++) {
            bench b;
            bench_config(&b, roles[r]);
            bench_open_sized(&b, 256, TENON_TX_MIN);
            for (i = 0; i < 100; i++) { /* it is never empty, for then it would begin anew */
                assert_int_equal(tenon_send(b.conn, TENON_BINARY, pattern + i, n, 0), TENON_OK);
                if (i > 0)
                    take_out(&b, header_size(roles[r], n) + n);
            }
            flush_out(&b);
            for (i = 0; i < 100; i++)
                assert_wire(&b, 0x82, pattern + i, n);
            bench_stop(&b);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_fragmentation),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_part_again),
        cmocka_unit_test(test_ref_not_copied),
        cmocka_unit_test(test_ref_drain),
        cmocka_unit_test(test_ref_counts),
        cmocka_unit_test(test_ref_cut),
        cmocka_unit_test(test_ref_room),
        cmocka_unit_test(test_ref_order),
        cmocka_unit_test(test_prepared),
        cmocka_unit_test(test_fresh_keys),
        cmocka_unit_test(test_random_fails),
        cmocka_unit_test(test_random_ref),
        cmocka_unit_test(test_random_behind_a_reference),
        cmocka_unit_test(test_exact_room),
        cmocka_unit_test(test_too_big),
        cmocka_unit_test(test_late_tx),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_rsv),
        cmocka_unit_test(test_relay_parts),
        cmocka_unit_test(test_trusted_end),
        cmocka_unit_test(test_ref_behind_a_pong),
        cmocka_unit_test(test_control),
        cmocka_unit_test(test_pong),
        cmocka_unit_test(test_boundary),
        cmocka_unit_test(test_close_codes),
        cmocka_unit_test(test_close_reason),
        cmocka_unit_test(test_after_close),
        cmocka_unit_test(test_granted_after_close),
        cmocka_unit_test(test_close_full),
        cmocka_unit_test(test_close_stays),
        cmocka_unit_test(test_control_again),
        cmocka_unit_test(test_released_once),
        cmocka_unit_test(test_beyond_32_bits),
        cmocka_unit_test(test_tx_beyond_31_bits),
        cmocka_unit_test(test_without_stats),
        cmocka_unit_test(test_prepared_arguments),
        cmocka_unit_test(test_half_of_the_queue),
        cmocka_unit_test(test_short_around_the_end),
        cmocka_unit_test(test_null_data),
        cmocka_unit_test(test_exact_room_of_frames),
        cmocka_unit_test(test_ref_of_single_octets),
        cmocka_unit_test(test_ref_of_one_frame_is_not_cut),
        cmocka_unit_test(test_ref_at_eof),
        cmocka_unit_test(test_ping_without_tx),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
