/* SPDX-License-Identifier: MIT */
/*
 * permessage-deflate on connections: messages out, and the blocks that are lent. What
 * is on the wire is read by a peer on zlib with exactly the window that was agreed.
 */
#include "deflate_peer.h"

static const int roles[] = {TENON_SERVER, TENON_CLIENT};

static setup setup_of(int role)
{
    setup s;
    memset(&s, 0, sizeof s);
    s.role = role;
    return s;
}

static uint8_t repeated[20000]; /* text that becomes much shorter */
static uint8_t noise[20000];    /* and what does not */

static int fill_payloads(void **state)
{
    uint64_t seed = 77;
    (void)state;
    fill_text(repeated, sizeof repeated, &seed);
    fill_noise(noise, sizeof noise, &seed);
    return 0;
}

static int has(const pair *p, uint32_t bit)
{
    return (tenon_wants(p->b.conn) & bit) != 0;
}

/* ------------------------------------------------------------------ what is compressed */

/* covers: 7692-6-01 7692-6-02 7692-6-03 7692-7.2.1-01 7692-8-01 */
static void test_thresholds_and_flags(void **state)
{
    static const struct {
        uint32_t threshold, flags;
        size_t n;
        int compressed;
    } rows[] = {
        {0, 0, 63, 0},
        {0, 0, 64, 1},
        {0, TENON_COMPRESS, 63, 1},
        {0, TENON_COMPRESS, 1, 1},
        {0, TENON_COMPRESS, 0, 1},
        {0, 0, 0, 0},
        {0, TENON_UNCOMPRESSED, 5000, 0},
        {0, TENON_UNCOMPRESSED | TENON_COMPRESS, 5000, 0},
        {1, 0, 1, 1},
        {1, 0, 0, 0},
        {1000, 0, 999, 0},
        {1000, 0, 1000, 1},
        {TENON_OFF, 0, 10000, 0},
        {TENON_OFF, TENON_COMPRESS, 10, 1},
    };
    size_t i, r;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        for (i = 0; i < COUNT_OF(rows); i++) {
            setup s = setup_of(roles[r]);
            pair p;
            s.threshold = rows[i].threshold;
            s.tx = 65536;
            pair_open(&p, &s);
            assert_int_equal(tenon_send(p.b.conn, TENON_BINARY, repeated, rows[i].n, rows[i].flags), TENON_OK);
            assert_int_equal(tenon_send_ref(p.b.conn, TENON_TEXT, repeated, rows[i].n, rows[i].flags, NULL), TENON_OK);
            flush_out(&p.b);
            assert_message(&p, rows[i].compressed ? 0xc2 : 0x82, repeated, rows[i].n, NULL);
            assert_message(&p, rows[i].compressed ? 0xc1 : 0x81, repeated, rows[i].n, NULL);
            assert_wire_end(&p.b);
            pair_close(&p);
        }
    }
}

/* The sample octets of the RFC, and an empty message as its one octet each time. */
/* covers: 7692-7.2.1-01 7692-7.2.3.1-01 7692-7.2.3.2-01 7692-7.2.3.6-01 7692-6.2-03 */
static void test_octets_on_the_wire(void **state)
{
    static const uint8_t hello[] = {0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00}, again[] = {0xf2, 0x00, 0x11, 0x00, 0x00};
    size_t r;
    int i;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        setup s = setup_of(roles[r]);
        pair p;
        pair_open(&p, &s);
        for (i = 0; i < 2; i++)
            assert_int_equal(tenon_send(p.b.conn, TENON_TEXT, NULL, 0, TENON_COMPRESS), TENON_OK);
        assert_int_equal(tenon_send(p.b.conn, TENON_TEXT, "Hello", 5, TENON_COMPRESS), TENON_OK);
        assert_int_equal(tenon_send(p.b.conn, TENON_TEXT, "world", 5, 0), TENON_OK);
        assert_int_equal(tenon_send(p.b.conn, TENON_TEXT, NULL, 0, TENON_COMPRESS), TENON_OK);
        assert_int_equal(tenon_send(p.b.conn, TENON_BINARY, "Hello", 5, TENON_COMPRESS), TENON_OK);
        flush_out(&p.b);
        assert_wire(&p.b, 0xc1, "\x00", 1);
        assert_wire(&p.b, 0xc1, "\x00", 1);
        assert_wire(&p.b, 0xc1, hello, sizeof hello);
        assert_wire(&p.b, 0x81, "world", 5);
        assert_wire(&p.b, 0xc1, "\x00", 1);
        assert_wire(&p.b, 0xc2, again, sizeof again);
        assert_wire_end(&p.b);
        pair_close(&p);
    }
}

/* Only what was agreed decides whether a message knows those before it. */
/* covers: 7692-7.1.1.1-02 7692-7.1.1.2-03 7692-7.2.1-06 7692-7.2.1-07 */
static void test_starting_afresh(void **state)
{
    static const uint8_t hello[] = {0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00};
    size_t r;
    int i;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        setup s = setup_of(roles[r]);
        pair p;
        s.agreed = RESET_OUT;
        pair_open(&p, &s);
        for (i = 0; i < 3; i++) {
            assert_int_equal(tenon_send(p.b.conn, TENON_TEXT, "Hello", 5, TENON_COMPRESS), TENON_OK);
            assert_int_equal(tenon_send_part(p.b.conn, TENON_TEXT, "Hello", 5, TENON_COMPRESS | TENON_LAST), TENON_OK);
            assert_int_equal(tenon_send_ref(p.b.conn, TENON_TEXT, "Hello", 5, TENON_COMPRESS, NULL), TENON_OK);
        }
        flush_out(&p.b);
        for (i = 0; i < 9; i++)
            assert_wire(&p.b, 0xc1, hello, sizeof hello);
        pair_close(&p);
    }
}

/* Streamed messages: RSV1 on the first frame only, the tail left out at the end only,
 * and control frames between. */
/* covers: 7692-6.1-01 7692-7.2.1-04 7692-6.2-02 7692-7.2.3.6-01 */
static void test_parts(void **state)
{
    static const uint8_t tail[] = {0x00, 0x00, 0xff, 0xff};
    size_t r;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        setup s = setup_of(roles[r]);
        wire_frame f;
        pair p;
        pair_open(&p, &s);
        assert_int_equal(tenon_send_part(p.b.conn, TENON_TEXT, "Hel", 3, 0), TENON_OK); /* short, but no one knows */
        assert_int_equal(tenon_ping(p.b.conn, "x", 1), TENON_OK);
        assert_int_equal(tenon_send(p.b.conn, TENON_TEXT, "Hello", 5, 0), TENON_ERR_STATE);
        assert_int_equal(tenon_send_part(p.b.conn, TENON_TEXT, NULL, 0, 0), TENON_OK);
        assert_int_equal(tenon_send_part(p.b.conn, TENON_TEXT, "lo", 2, TENON_UNCOMPRESSED), TENON_OK); /* too late */
        assert_int_equal(tenon_send_part(p.b.conn, TENON_TEXT, NULL, 0, TENON_LAST), TENON_OK);
        assert_int_equal(tenon_send_part(p.b.conn, TENON_TEXT, "plain", 5, TENON_UNCOMPRESSED), TENON_OK);
        assert_int_equal(tenon_send_part(p.b.conn, TENON_TEXT, "!", 1, TENON_LAST | TENON_COMPRESS), TENON_OK);
        flush_out(&p.b);
        assert_int_equal(wire_next(&p.b, &f), 1);
        assert_int_equal(f.first, 0x41);
        assert_memory_equal(f.payload + f.size - 4, tail, 4);
        assert_wire(&p.b, 0x89, "x", 1);
        assert_int_equal(wire_next(&p.b, &f), 1);
        assert_int_equal(f.first, 0x00);
        assert_int_equal(f.size, 0);
        assert_int_equal(wire_next(&p.b, &f), 1);
        assert_int_equal(f.first, 0x00);
        assert_memory_equal(f.payload + f.size - 4, tail, 4);
        assert_wire(&p.b, 0x80, "\x00", 1);
        assert_wire(&p.b, 0x01, "plain", 5);
        assert_wire(&p.b, 0x80, "!", 1);
        assert_wire_end(&p.b);
        pair_close(&p);
    }
}

/* All ways to send, many messages: what comes out is what went in. */
static void mixed(const setup *s, uint64_t seed)
{
    static const size_t cuts[] = {1, 7, 300, 2000, 20000};
    pair p;
    int i;
    pair_open(&p, s);
    for (i = 0; i < 60; i++) {
        const uint8_t *data = draw(&seed) % 3 == 0 ? noise : repeated;
        size_t n = draw(&seed) % cuts[draw(&seed) % COUNT_OF(cuts)], at = 0, from = draw(&seed) % (sizeof noise - n);
        uint32_t flags = draw(&seed) % 2 ? TENON_COMPRESS : 0;
        int how = (int)(draw(&seed) % 3), compressed = flags || n >= 64 || how == 2;
        data += from;
        if (how == 0)
            assert_int_equal(tenon_send(p.b.conn, TENON_BINARY, data, n, flags), TENON_OK);
        if (how == 1)
            assert_int_equal(tenon_send_ref(p.b.conn, TENON_BINARY, data, n, flags, &p), TENON_OK);
        while (how == 2) {
            size_t part = draw(&seed) % (n - at + 1);
            int last = draw(&seed) % 4 == 0;
            part = last ? n - at : part;
            assert_int_equal(tenon_send_part(p.b.conn, TENON_BINARY, data + at, part, last ? TENON_LAST : 0), TENON_OK);
            at += part;
            how = last ? -2 : 2;
        }
        flush_out(&p.b);
        while (next(&p.b) != 0) {
        }
        flush_out(&p.b);
        assert_message(&p, compressed ? 0xc2 : 0x82, data, n, NULL);
        assert_wire_end(&p.b);
    }
    pair_close(&p);
}

/* covers: 7692-5-08 7692-6.1-01 7692-7.2.1-05 7692-7.2.1-06 7692-7.2.1-07 7692-7.2.1-08 7692-7.1.2.2-06
 * 7692-7.1.2.1-02 */
static void test_all_sends_under_all_agreements(void **state)
{
    uint64_t seed = 99;
    unsigned bits;
    size_t r;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        for (bits = 9; bits <= 15; bits++) {
            setup s = setup_of(roles[r]);
            s.out_bits = bits;
            s.tx = 120000;
            s.agreed = bits % 2 ? RESET_OUT : 0;
            s.max_frame_out = bits % 3 == 0 ? 100 : 0;
            s.more = bits % 3 == 1 ? 3000 : 0;
            mixed(&s, draw(&seed));
        }
    }
}

/* A window of 2^8 is agreed and the codec has none: everything goes out plain. */
/* covers: 7692-7.2.1-09 */
static void test_no_codec_for_the_window(void **state)
{
    size_t r;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        setup s = setup_of(roles[r]);
        uint8_t block[16];
        pair p;
        s.out_bits = 8;
        pair_open(&p, &s);
        assert_int_equal(tenon_deflate_size(p.b.conn), 0);
        assert_int_equal(tenon_lend_deflate(p.b.conn, block, sizeof block), TENON_ERR_STATE);
        assert_int_equal(tenon_send(p.b.conn, TENON_TEXT, repeated, 1000, TENON_COMPRESS), TENON_OK);
        flush_out(&p.b);
        assert_message(&p, 0x81, repeated, 1000, NULL);
        assert_false(has(&p, TENON_WANTS_DEFLATE | TENON_FREE_DEFLATE));
        pair_close(&p);
    }
}

/* A relay does not look at text with bits of extensions, but this bit is the library's. */
static void test_text_is_checked_before_it_is_compressed(void **state)
{
    setup s = setup_of(TENON_SERVER);
    pair p;
    (void)state;
    s.flags = TENON_RELAY;
    pair_open(&p, &s);
    assert_int_equal(tenon_send(p.b.conn, TENON_TEXT, "a\xff", 2, TENON_COMPRESS), TENON_ERR_UTF8);
    assert_int_equal(tenon_send_part(p.b.conn, TENON_TEXT, "a\xff", 2, TENON_COMPRESS), TENON_ERR_UTF8);
    assert_int_equal(tenon_send_ref(p.b.conn, TENON_TEXT, "a\xff", 2, TENON_COMPRESS, NULL), TENON_ERR_UTF8);
    assert_int_equal(tenon_send_part(p.b.conn, TENON_TEXT, "a\xc3", 2, TENON_COMPRESS), TENON_OK);
    assert_int_equal(tenon_send_part(p.b.conn, TENON_TEXT, NULL, 0, TENON_LAST), TENON_ERR_UTF8);
    assert_int_equal(tenon_send_part(p.b.conn, TENON_TEXT, "\xa4", 1, TENON_LAST), TENON_OK);
    flush_out(&p.b);
    assert_message(&p, 0xc1, "a\xc3\xa4", 3, NULL);
    pair_close(&p);
}

/* ----------------------------------------------------------------------- references */

/* A long reference through a small queue, in frames of half of it. */
/* covers: 7692-6.1-01 7692-7.2.1-04 */
static void test_reference_through_a_small_queue(void **state)
{
    size_t r, k;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        for (k = 0; k < 2; k++) {
            setup s = setup_of(roles[r]);
            unsigned frames, writable = 0;
            pair p;
            const uint8_t *data = k ? noise : repeated;
            s.tx = TENON_TX_MIN;
            pair_open(&p, &s);
            assert_int_equal(tenon_send_ref(p.b.conn, TENON_BINARY, data, sizeof noise, 0, &p), TENON_OK);
            assert_int_equal(tenon_send(p.b.conn, TENON_BINARY, "x", 1, 0), TENON_ERR_AGAIN);
            assert_int_equal(tenon_ping(p.b.conn, NULL, 0), TENON_OK);
            while (p.b.released == 0) {
                take_out(&p.b, 1 + k);
                writable += next(&p.b) == TENON_EV_WRITABLE;
            }
            assert_ptr_equal(p.b.event.cookie, &p);
            assert_int_equal(writable, 1);
            assert_true(has(&p, TENON_FREE_DEFLATE));
            assert_message(&p, 0xc2, data, sizeof noise, &frames);
            assert_true(frames > sizeof noise / 128 || k == 0);
            assert_wire_end(&p.b);
            pair_close(&p);
        }
    }
}

/* Whatever ends the conversation in the middle of it, the memory comes back once. */
static void test_reference_that_is_cut(void **state)
{
    enum { PEER_CLOSE, PEER_BREAKS, OWN_CLOSE, EOF_, ABORT, WAYS };
    int way;
    size_t r, k;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        for (way = 0; way < WAYS; way++) {
            for (k = 0; k < 40; k += 3) {
                setup s = setup_of(roles[r]);
                wire_frame f;
                pair p;
                unsigned closes = 0, ends = 0;
                s.tx = TENON_TX_MIN;
                pair_open(&p, &s);
                assert_int_equal(tenon_send_ref(p.b.conn, TENON_BINARY, noise, sizeof noise, 0, &p), TENON_OK);
                take_out(&p.b, k * 20);
                if (way == PEER_CLOSE)
                    give_frame(&p.b, 0x88, "\x03\xe8", 2);
                if (way == PEER_BREAKS)
                    give_frame(&p.b, 0xf1, "x", 1);
                if (way == OWN_CLOSE)
                    assert_int_equal(tenon_close(p.b.conn, 1000, NULL, 0), TENON_OK);
                if (way == ABORT)
                    assert_int_equal(tenon_abort(p.b.conn, TENON_REMOTE), TENON_OK);
                if (way != ABORT)
                    assert_int_equal(tenon_eof(p.b.conn), TENON_OK);
                while (!p.b.closed) {
                    next(&p.b);
                    take_out(&p.b, 100);
                }
                assert_int_equal(p.b.released, 1);
                while (way != ABORT && wire_next(&p.b, &f)) { /* an abort cuts frames too */
                    closes += (f.first & 0x0f) == 8;
                    ends += (f.first & 0x88) == 0x80;
                }
                if (way == PEER_CLOSE || way == PEER_BREAKS)
                    assert_int_equal(ends, 0);
                assert_int_equal(closes, way == PEER_CLOSE || way == PEER_BREAKS || way == OWN_CLOSE);
                pair_close(&p);
            }
        }
    }
}

/* One of which nothing has gone out yet, for want of room, is not begun any more. */
static void test_reference_that_waits_is_cut(void **state)
{
    size_t r;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        setup s = setup_of(roles[r]);
        wire_frame f;
        pair p;
        s.tx = TENON_TX_MIN;
        pair_open(&p, &s);
        while (tenon_send(p.b.conn, TENON_BINARY, noise, 1, TENON_UNCOMPRESSED) == TENON_OK) {
        }
        assert_int_equal(tenon_send_ref(p.b.conn, TENON_BINARY, noise, 40, TENON_COMPRESS, &p), TENON_OK);
        give_frame(&p.b, 0x88, "\x03\xe8", 2);
        assert_next(&p.b, TENON_EV_CLOSE);
        run_to_closed(&p.b);
        assert_int_equal(p.b.released, 1);
        while (wire_next(&p.b, &f))
            assert_int_equal(f.first & 0x40, 0);
        pair_close(&p);
    }
}

/* ----------------------------------------------------------------------------- room */

/* Room is judged on what the message can become: never half of it. */
static void test_again_and_too_big(void **state)
{
    size_t r, n;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        setup s = setup_of(roles[r]);
        pair p;
        unsigned sent = 0;
        s.tx = 2048;
        pair_open(&p, &s);
        for (n = 0; tenon_send(p.b.conn, TENON_BINARY, noise, n, TENON_COMPRESS) == TENON_OK; n += 10) {
            flush_out(&p.b);
            assert_message(&p, 0xc2, noise, n, NULL);
        }
        assert_int_equal(tenon_send(p.b.conn, TENON_BINARY, noise, n, TENON_COMPRESS), TENON_ERR_TOO_BIG);
        assert_true(n > 1000 && n < 2048 - TENON_TX_RESERVE);
        assert_int_equal(tenon_send_part(p.b.conn, TENON_BINARY, noise, n, 0), TENON_ERR_TOO_BIG);
        assert_int_equal(tenon_send(p.b.conn, TENON_BINARY, noise, n, TENON_UNCOMPRESSED), TENON_OK);
        flush_out(&p.b);
        assert_message(&p, 0x82, noise, n, NULL);
        assert_none(&p.b);
        while (tenon_send(p.b.conn, TENON_BINARY, noise + sent * 100, 100, 0) == TENON_OK)
            sent++;
        assert_true(sent >= 3);
        assert_int_equal(tenon_send(p.b.conn, TENON_BINARY, noise, 100, 0), TENON_ERR_AGAIN);
        assert_int_equal(tenon_send_part(p.b.conn, TENON_BINARY, noise, 100, 0), TENON_ERR_AGAIN);
        assert_none(&p.b);
        flush_out(&p.b);
        assert_next(&p.b, TENON_EV_WRITABLE);
        assert_none(&p.b);
        for (n = 0; n < sent; n++) /* the refused ones have left no trace in the window */
            assert_message(&p, 0xc2, noise + n * 100, 100, NULL);
        assert_wire_end(&p.b);
        pair_close(&p);
    }
}

/* The bound holds: with frames as short as can be, at every level, no send that was
 * accepted finds the queue too small. (The queue has no room to hide an error in.) */
static void test_frames_of_any_length_fit(void **state)
{
    static const uint32_t lengths[] = {1, 2, 3, 10, 125, 126, 127, 1000, 0};
    static const size_t stages[] = {0, 1, 100, 5000};
    size_t r, i, k, n;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        for (i = 0; i < COUNT_OF(lengths); i++) {
            for (k = 0; k < COUNT_OF(stages); k++) {
                setup s = setup_of(roles[r]);
                pair p;
                s.max_frame_out = lengths[i];
                s.more = stages[k];
                s.tx = 6000;
                pair_open(&p, &s);
                p.deflate.level = 1;
                for (n = 1; n < 5000; n = n * 3 / 2 + 1) {
                    int status = tenon_send(p.b.conn, TENON_BINARY, noise, n, TENON_COMPRESS);
                    assert_true(status == TENON_OK || status == TENON_ERR_TOO_BIG);
                    if (status != TENON_OK)
                        break;
                    flush_out(&p.b);
                    assert_message(&p, 0xc2, noise, n, NULL);
                }
                assert_true(n > 200);
                pair_close(&p);
            }
        }
    }
}

static size_t tight;

static size_t tight_bound(size_t n)
{
    (void)n;
    return tight;
}

/* With a codec whose bound leaves nothing over, the room that a send asks for is enough
 * for the headers too: in a ring of any size it goes out whole, or is refused. */
static void test_room_by_a_tight_bound(void **state)
{
    static const size_t sizes[] = {50, 200};
    tenon_codec codec = tenon_zlib;
    size_t r, i, more;
    (void)state;
    codec.bound = tight_bound;
    for (r = 0; r < COUNT_OF(roles); r++) {
        for (i = 0; i < COUNT_OF(sizes); i++) {
            unsigned sent = 0;
            for (more = 0; more < 60; more++) {
                setup s = setup_of(roles[r]);
                int status;
                pair p;
                tight = sizes[i] + 10; /* a stored block, a flush */
                s.codec = &codec;
                s.more = 5000;
                s.tx = 2048;
                pair_open(&p, &s);
                assert_int_equal(tenon_send(p.b.conn, TENON_BINARY, noise, 2048 - TENON_TX_RESERVE - tight - more,
                                            TENON_UNCOMPRESSED), TENON_OK);
                status = tenon_send(p.b.conn, TENON_BINARY, noise, sizes[i], TENON_COMPRESS);
                assert_true(status == TENON_OK || status == TENON_ERR_AGAIN);
                sent += status == TENON_OK;
                flush_out(&p.b);
                assert_message(&p, 0x82, noise, 2048 - TENON_TX_RESERVE - tight - more, NULL);
                if (status == TENON_OK)
                    assert_message(&p, 0xc2, noise, sizes[i], NULL);
                pair_close(&p);
            }
            assert_true(sent > 0 && sent < 60);
        }
    }
}

/* What fits exactly is accepted: a message of one frame takes its bound and the longest
 * header, and one octet more can never fit. */
static void test_room_for_one_frame(void **state)
{
    enum { RING = 2048 - TENON_TX_RESERVE };
    tenon_codec codec = tenon_zlib;
    setup s = setup_of(TENON_SERVER);
    pair p;
    (void)state;
    codec.bound = tight_bound;
    s.codec = &codec;
    s.more = 5000;
    s.tx = 2048;
    pair_open(&p, &s);
    tight = RING - TENON_FRAME_HEADER_MAX + 1;
    assert_int_equal(tenon_send(p.b.conn, TENON_TEXT, "Hello", 5, TENON_COMPRESS), TENON_ERR_TOO_BIG);
    tight--;
    assert_int_equal(tenon_send(p.b.conn, TENON_TEXT, "Hello", 5, TENON_COMPRESS), TENON_OK);
    flush_out(&p.b);
    assert_message(&p, 0xc1, "Hello", 5, NULL);
    pair_close(&p);
}

/* --------------------------------------------------------------------------- blocks */

/* A send without the block is refused, and asks for it; WRITABLE comes with it. */
static void test_wants_deflate(void **state)
{
    size_t r;
    int way;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        for (way = 0; way < 3; way++) {
            setup s = setup_of(roles[r]);
            int status;
            pair p;
            s.no_blocks = 1;
            pair_open(&p, &s);
            assert_false(has(&p, TENON_WANTS_DEFLATE | TENON_FREE_DEFLATE | TENON_WANTS_INFLATE | TENON_FREE_INFLATE));
            assert_int_equal(tenon_send(p.b.conn, TENON_TEXT, "short", 5, 0), TENON_OK); /* plain needs none */
            assert_false(has(&p, TENON_WANTS_DEFLATE));
            status = way == 0   ? tenon_send(p.b.conn, TENON_TEXT, repeated, 100, 0)
                     : way == 1 ? tenon_send_part(p.b.conn, TENON_TEXT, "a", 1, 0)
                                : tenon_send_ref(p.b.conn, TENON_TEXT, repeated, 100, 0, &p);
            assert_int_equal(status, TENON_ERR_AGAIN);
            assert_true(has(&p, TENON_WANTS_DEFLATE));
            flush_out(&p.b);
            assert_none(&p.b); /* no WRITABLE for it yet */
            assert_int_equal(p.b.released, 0);
            assert_int_equal(tenon_lend_tx(p.b.conn, NULL, 0), TENON_OK);
            assert_true(has(&p, TENON_WANTS_TX));
            assert_int_equal(tenon_lend_tx(p.b.conn, p.b.tx, p.b.tx_size), TENON_OK);
            assert_false(has(&p, TENON_WANTS_TX));
            lend_blocks(&p, 0);
            assert_false(has(&p, TENON_WANTS_DEFLATE));
            assert_true(has(&p, TENON_WANTS_NEXT));
            assert_next(&p.b, TENON_EV_WRITABLE);
            assert_none(&p.b);
            assert_int_equal(tenon_send(p.b.conn, TENON_TEXT, repeated, 100, 0), TENON_OK);
            flush_out(&p.b);
            assert_message(&p, 0x81, "short", 5, NULL);
            assert_message(&p, 0xc1, repeated, 100, NULL);
            pair_close(&p);
        }
    }
}

/* With the block any room at all is worth a try: how much it takes is not known before. */
static void test_wants_deflate_with_little_room(void **state)
{
    setup s = setup_of(TENON_SERVER);
    pair p;
    (void)state;
    s.no_blocks = 1;
    s.tx = TENON_TX_MIN;
    pair_open(&p, &s);
    assert_int_equal(tenon_send(p.b.conn, TENON_BINARY, noise, TENON_TX_MIN - TENON_TX_RESERVE - 5,
                                TENON_UNCOMPRESSED), TENON_OK);
    assert_int_equal(tenon_send(p.b.conn, TENON_TEXT, repeated, 100, 0), TENON_ERR_AGAIN);
    lend_blocks(&p, 0);
    assert_next(&p.b, TENON_EV_WRITABLE);
    pair_close(&p);
}

/* The refusal that came last decides what WRITABLE waits for. */
static void test_wants_deflate_no_longer(void **state)
{
    setup s = setup_of(TENON_SERVER);
    pair p;
    (void)state;
    s.no_blocks = 1;
    s.tx = 1024;
    pair_open(&p, &s);
    assert_int_equal(tenon_send(p.b.conn, TENON_TEXT, repeated, 700, 0), TENON_ERR_AGAIN);
    assert_true(has(&p, TENON_WANTS_DEFLATE));
    assert_int_equal(tenon_send(p.b.conn, TENON_TEXT, repeated, 700, TENON_UNCOMPRESSED), TENON_OK);
    assert_int_equal(tenon_send(p.b.conn, TENON_TEXT, repeated, 700, TENON_UNCOMPRESSED), TENON_ERR_AGAIN);
    assert_false(has(&p, TENON_WANTS_DEFLATE));
    flush_out(&p.b);
    assert_next(&p.b, TENON_EV_WRITABLE);
    assert_int_equal(tenon_send(p.b.conn, TENON_TEXT, repeated, 700, 0), TENON_ERR_AGAIN);
    assert_true(has(&p, TENON_WANTS_DEFLATE));
    assert_int_equal(tenon_close(p.b.conn, 1000, NULL, 0), TENON_OK); /* nothing is to be sent any more */
    assert_false(has(&p, TENON_WANTS_DEFLATE));
    pair_close(&p);
}

/* FREE_DEFLATE: between any two messages, and only there. */
static void test_taking_the_block_back(void **state)
{
    size_t r;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        setup s = setup_of(roles[r]);
        pair p;
        size_t size;
        s.tx = TENON_TX_MIN;
        pair_open(&p, &s);
        size = tenon_deflate_size(p.b.conn);
        assert_true(has(&p, TENON_FREE_DEFLATE));
        assert_int_equal(tenon_send(p.b.conn, TENON_TEXT, repeated, 80, 0), TENON_OK);
        assert_true(has(&p, TENON_FREE_DEFLATE)); /* it is in the queue, whole */
        assert_int_equal(tenon_lend_deflate(p.b.conn, NULL, 0), TENON_OK);
        assert_false(has(&p, TENON_FREE_DEFLATE));
        memset(p.out_block, 0xee, size);
        assert_int_equal(tenon_lend_deflate(p.b.conn, p.out_block, size), TENON_OK);
        assert_int_equal(tenon_send_part(p.b.conn, TENON_TEXT, "a", 1, 0), TENON_OK);
        assert_false(has(&p, TENON_FREE_DEFLATE));
        assert_int_equal(tenon_lend_deflate(p.b.conn, NULL, 0), TENON_ERR_BUSY);
        assert_int_equal(tenon_lend_deflate(p.b.conn, p.out_block, size), TENON_ERR_BUSY);
        assert_int_equal(tenon_send_part(p.b.conn, TENON_TEXT, "b", 1, TENON_LAST), TENON_OK);
        assert_true(has(&p, TENON_FREE_DEFLATE));
        assert_int_equal(tenon_send_part(p.b.conn, TENON_TEXT, "c", 1, TENON_UNCOMPRESSED), TENON_OK);
        assert_true(has(&p, TENON_FREE_DEFLATE)); /* a streamed one that needs no block */
        assert_int_equal(tenon_send_part(p.b.conn, TENON_TEXT, "d", 1, TENON_LAST), TENON_OK);
        flush_out(&p.b);
        assert_int_equal(tenon_send_ref(p.b.conn, TENON_BINARY, noise, 3000, 0, &p), TENON_OK);
        assert_false(has(&p, TENON_FREE_DEFLATE));
        assert_int_equal(tenon_lend_deflate(p.b.conn, NULL, 0), TENON_ERR_BUSY);
        flush_out(&p.b);
        assert_next(&p.b, TENON_EV_RELEASED);
        assert_true(has(&p, TENON_FREE_DEFLATE));
        assert_message(&p, 0xc1, repeated, 80, NULL);
        assert_message(&p, 0xc1, "ab", 2, NULL);
        assert_message(&p, 0x81, "cd", 2, NULL);
        assert_message(&p, 0xc2, noise, 3000, NULL);
        assert_int_equal(tenon_send_part(p.b.conn, TENON_TEXT, "e", 1, 0), TENON_OK);
        assert_false(has(&p, TENON_FREE_DEFLATE));
        assert_int_equal(tenon_close(p.b.conn, 1000, NULL, 0), TENON_OK);
        assert_true(has(&p, TENON_FREE_DEFLATE)); /* nothing follows the Close, not even the rest of it */
        assert_int_equal(tenon_lend_deflate(p.b.conn, NULL, 0), TENON_OK);
        pair_close(&p);
    }
}

/* FREE_INFLATE: between messages, if the peer starts each one afresh. */
static void test_taking_the_other_block_back(void **state)
{
    size_t r, size, n;
    int reset;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        for (reset = 0; reset < 2; reset++) {
            setup s = setup_of(roles[r]);
            uint8_t *packed, frames[600];
            pair p;
            s.agreed = reset ? RESET_IN : 0;
            pair_open(&p, &s);
            size = tenon_inflate_size(p.b.conn);
            packed = peer_pack(&p, repeated, 100, &n);
            assert_int_equal(has(&p, TENON_FREE_INFLATE), reset);
            assert_int_equal(tenon_lend_inflate(p.b.conn, NULL, 0), reset ? TENON_OK : TENON_ERR_BUSY);
            assert_false(reset && has(&p, TENON_FREE_INFLATE));
            if (reset)
                assert_int_equal(tenon_lend_inflate(p.b.conn, p.in_block, size), TENON_OK);
            assert_int_equal(tenon_lend_inflate(p.b.conn, p.in_block, size), reset ? TENON_OK : TENON_ERR_BUSY);
            give_frame(&p.b, 0x41, packed, 5);
            assert_none(&p.b);
            assert_false(has(&p, TENON_FREE_INFLATE)); /* in the middle of a message */
            assert_int_equal(tenon_lend_inflate(p.b.conn, NULL, 0), TENON_ERR_BUSY);
            give_frame(&p.b, 0x80, packed + 5, n - 5);
            assert_next(&p.b, TENON_EV_DATA);
            assert_data(&p.b, repeated, 100);
            assert_int_equal(has(&p, TENON_FREE_INFLATE), reset);
            assert_none(&p.b);
            free(packed);
            packed = peer_pack(&p, repeated, 200, &n);
            if (reset) { /* gone in between, and asked for when there is need */
                assert_int_equal(tenon_lend_inflate(p.b.conn, NULL, 0), TENON_OK);
                memset(p.in_block, 0xee, size);
            }
            give(&p.b, frames, peer_frames(roles[r], frames, 0x41, packed, n, 7));
            if (reset) {
                assert_none(&p.b);
                assert_true(has(&p, TENON_WANTS_INFLATE));
                assert_false(has(&p, TENON_WANTS_RX | TENON_WANTS_READ));
                assert_int_equal(tenon_lend_inflate(p.b.conn, p.in_block, size), TENON_OK);
                assert_true(has(&p, TENON_WANTS_NEXT));
            }
            assert_next(&p.b, TENON_EV_DATA);
            assert_data(&p.b, repeated, 200);
            free(packed);
            pair_close(&p);
        }
    }
}

/* The block is asked for when a compressed frame has begun, never for others. */
static void test_wants_inflate(void **state)
{
    static const uint8_t hello[] = {0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00};
    uint8_t octets[64];
    size_t r, k;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        size_t n = peer_frame(roles[r], octets, 0xc1, hello, sizeof hello), header = n - sizeof hello;
        for (k = 0; k <= sizeof hello; k++) {
            setup s = setup_of(roles[r]);
            uint8_t part[64];
            pair p;
            s.no_blocks = 1;
            pair_open(&p, &s);
            give_frame(&p.b, 0x81, "plain", 5);
            assert_next(&p.b, TENON_EV_DATA);
            assert_none(&p.b);
            assert_false(has(&p, TENON_WANTS_INFLATE));
            memcpy(part, octets, header + k);
            give(&p.b, part, header + k);
            assert_none(&p.b);
            assert_true(has(&p, TENON_WANTS_INFLATE));
            assert_false(has(&p, TENON_WANTS_READ | TENON_WANTS_RX | TENON_WANTS_NEXT | TENON_FREE_INFLATE));
            assert_int_equal(tenon_rx_needed(p.b.conn), 0);
            assert_none(&p.b);
            lend_blocks(&p, 0);
            assert_false(has(&p, TENON_WANTS_INFLATE));
            if (k == sizeof hello) {
                assert_true(has(&p, TENON_WANTS_NEXT));
                assert_next(&p.b, TENON_EV_DATA);
            } else {
                assert_none(&p.b);
                assert_true(has(&p, TENON_WANTS_READ));
                give(&p.b, octets + header + k, n - header - k);
                assert_next(&p.b, TENON_EV_DATA);
            }
            assert_data(&p.b, "Hello", 5);
            pair_close(&p);
        }
    }
}

static void set_off_idle(pair *p)
{
    p->b.config.idle_ms = 1000;
    assert_int_equal(tenon_tick(p->b.conn, 5), TENON_OK);
    assert_int_equal(tenon_deadline(p->b.conn), 1005);
}

/* No deadline is told while memory is wanted, also when all input was taken in: for the
 * block, behind a header; for more rx, in the middle of what is inflated. */
static void test_no_deadline_while_wanted(void **state)
{
    static uint8_t data[2000];
    uint8_t octets[64], *packed, *rx = malloc(4096);
    setup s = setup_of(TENON_CLIENT);
    size_t size;
    pair p;
    (void)state;
    s.no_blocks = 1;
    pair_open(&p, &s);
    set_off_idle(&p);
    give(&p.b, "\xc1\x07", 2);
    assert_none(&p.b);
    assert_true(has(&p, TENON_WANTS_INFLATE));
    assert_true(tenon_deadline(p.b.conn) == TENON_NEVER);
    lend_blocks(&p, 0);
    assert_int_equal(tenon_deadline(p.b.conn), 1005);
    pair_close(&p);
    s.no_blocks = 0;
    s.rx = TENON_RX_MIN;
    s.max_message = sizeof data;
    pair_open(&p, &s);
    set_off_idle(&p);
    packed = peer_pack(&p, data, sizeof data, &size);
    give(&p.b, octets, peer_frame(TENON_CLIENT, octets, 0xc2, packed, size));
    assert_none(&p.b);
    assert_true(has(&p, TENON_WANTS_RX));
    assert_true(tenon_deadline(p.b.conn) == TENON_NEVER);
    assert_int_equal(tenon_lend_rx(p.b.conn, rx, 4096), TENON_OK);
    assert_next(&p.b, TENON_EV_DATA);
    assert_data(&p.b, data, sizeof data);
    assert_none(&p.b);
    assert_int_equal(tenon_deadline(p.b.conn), 1005);
    free(packed);
    pair_close(&p);
    free(rx);
}

/* A frame without payload wants the block too; and the end of the stream does not
 * overtake what waits for it. */
static void test_wants_inflate_for_nothing(void **state)
{
    setup s = setup_of(TENON_CLIENT);
    pair p;
    (void)state;
    s.no_blocks = 1;
    pair_open(&p, &s);
    give(&p.b, "\xc1\x00", 2);
    assert_none(&p.b);
    assert_true(has(&p, TENON_WANTS_INFLATE));
    assert_int_equal(tenon_eof(p.b.conn), TENON_OK);
    assert_none(&p.b);
    lend_blocks(&p, 0);
    assert_true(has(&p, TENON_WANTS_NEXT));
    flush_out(&p.b);
    while (!p.b.closed) {
        next(&p.b);
        flush_out(&p.b);
    }
    assert_int_equal(p.b.event.rule, TENON_RULE_DEFLATE_EMPTY);
    pair_close(&p);
}

static void test_lend_errors(void **state)
{
    setup s = setup_of(TENON_SERVER);
    size_t out, in;
    uint8_t *block;
    bench b;
    pair p;
    (void)state;
    s.no_blocks = 1;
    pair_open(&p, &s);
    out = tenon_deflate_size(p.b.conn);
    in = tenon_inflate_size(p.b.conn);
    assert_true(out > in && in > 32768);
    assert_int_equal(tenon_deflate_size(NULL), 0);
    assert_int_equal(tenon_inflate_size(NULL), 0);
    block = malloc(out + 64);
    assert_int_equal(tenon_lend_deflate(NULL, block, out), TENON_ERR_NULL);
    assert_int_equal(tenon_lend_inflate(NULL, block, in), TENON_ERR_NULL);
    assert_int_equal(tenon_lend_deflate(p.b.conn, NULL, out), TENON_ERR_NULL);
    assert_int_equal(tenon_lend_inflate(p.b.conn, NULL, in), TENON_ERR_NULL);
    assert_int_equal(tenon_lend_deflate(p.b.conn, NULL, 1), TENON_ERR_NULL);
    assert_int_equal(tenon_lend_inflate(p.b.conn, NULL, 1), TENON_ERR_NULL);
    assert_int_equal(tenon_lend_deflate(p.b.conn, block, out - 1), TENON_ERR_SIZE);
    assert_int_equal(tenon_lend_inflate(p.b.conn, block, in - 1), TENON_ERR_SIZE);
    assert_int_equal(tenon_lend_deflate(p.b.conn, block, 0), TENON_ERR_SIZE);
    assert_int_equal(tenon_lend_deflate(p.b.conn, block + 1, out), TENON_ERR_SIZE);
    assert_int_equal(tenon_lend_inflate(p.b.conn, block + 2, in), TENON_ERR_SIZE);
    assert_int_equal(tenon_lend_deflate(p.b.conn, block + 8, out), TENON_OK);
    assert_int_equal(tenon_lend_deflate(p.b.conn, NULL, 0), TENON_OK);
    assert_int_equal(tenon_lend_deflate(p.b.conn, NULL, 0), TENON_OK);
    assert_int_equal(tenon_lend_inflate(p.b.conn, NULL, 0), TENON_OK); /* none was lent */
    assert_int_equal(tenon_lend_inflate(p.b.conn, block + 8, in), TENON_OK);
    pair_close(&p);
    bench_server(&b); /* not open, and nothing agreed */
    assert_int_equal(tenon_lend_deflate(NULL, NULL, 0), TENON_ERR_NULL);
    bench_start(&b, 4096, 4096);
    assert_int_equal(tenon_lend_deflate(b.conn, block, out), TENON_ERR_STATE);
    assert_int_equal(tenon_lend_inflate(b.conn, block, in), TENON_ERR_STATE);
    bench_stop(&b);
    free(block);
}

/* ------------------------------------------------------------------------- prepared */

typedef struct prepared {
    tenon_prepared message;
    void *block, *out;
} prepared;

static void make_prepared(prepared *m, const tenon_deflate *d, unsigned bits, const void *data, size_t n)
{
    size_t size = tenon_prepare_size(d, bits), room = d->codec->bound(n);
    m->block = malloc(size);
    m->out = malloc(room);
    assert_int_equal(tenon_prepare(&m->message, sizeof m->message, TENON_BINARY, data, n, 0), TENON_OK);
    assert_int_equal(tenon_prepare_deflate(&m->message, d, bits, m->block, size, m->out, room), TENON_OK);
    free(m->block); /* not needed afterwards */
    m->block = NULL;
}

/* Used by whom it fits, by copy and by reference; the compressor starts afresh then,
 * for its window and the peer's are no longer the same. */
static void test_prepared(void **state)
{
    static const uint32_t ways[] = {0, TENON_COPY};
    size_t r, w;
    unsigned bits;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        for (w = 0; w < 2; w++) {
            for (bits = 10; bits <= 12; bits++) {
                setup s = setup_of(roles[r]);
                unsigned i;
                prepared m;
                pair p;
                s.out_bits = 11;
                s.tx = 65536;
                pair_open(&p, &s);
                make_prepared(&m, &p.deflate, bits, repeated, 9000);
                assert_int_equal(tenon_send_prepared(p.b.conn, &m.message, ways[w] | TENON_RSV2, &p), TENON_ERR_ARG);
                for (i = 0; i < 5; i++) {
                    uint32_t flags = i == 3 ? ways[w] | TENON_UNCOMPRESSED : ways[w];
                    if (i % 2 == 0)
                        assert_int_equal(tenon_send(p.b.conn, TENON_BINARY, repeated, 3000, 0), TENON_OK);
                    else
                        assert_int_equal(tenon_send_prepared(p.b.conn, &m.message, flags, &p), TENON_OK);
                    flush_out(&p.b);
                }
                while (next(&p.b) != 0) {
                }
                assert_int_equal(p.b.released, ways[w] ? 0 : 2);
                assert_message(&p, 0xc2, repeated, 3000, NULL);
                assert_message(&p, bits <= 11 ? 0xc2 : 0x82, repeated, 9000, NULL);
                assert_message(&p, 0xc2, repeated, 3000, NULL);
                assert_message(&p, 0x82, repeated, 9000, NULL);
                assert_message(&p, 0xc2, repeated, 3000, NULL);
                assert_wire_end(&p.b);
                free(m.out);
                pair_close(&p);
            }
        }
    }
}

/* Neither a block nor an agreement is needed to send one. */
static void test_prepared_without_a_block(void **state)
{
    size_t r;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        setup s = setup_of(roles[r]);
        prepared m;
        bench b;
        pair p;
        s.no_blocks = 1;
        pair_open(&p, &s);
        make_prepared(&m, &p.deflate, 9, repeated, 500);
        assert_int_equal(tenon_send_part(p.b.conn, TENON_TEXT, "a", 1, TENON_UNCOMPRESSED), TENON_OK);
        assert_int_equal(tenon_send_prepared(p.b.conn, &m.message, 0, &p), TENON_ERR_STATE);
        assert_int_equal(tenon_send_part(p.b.conn, TENON_TEXT, "b", 1, TENON_LAST), TENON_OK);
        assert_int_equal(tenon_send_prepared(p.b.conn, &m.message, 0, &p), TENON_OK);
        flush_out(&p.b);
        assert_message(&p, 0x81, "ab", 2, NULL);
        assert_message(&p, 0xc2, repeated, 500, NULL);
        pair_close(&p);
        bench_open(&b, roles[r]);
        assert_int_equal(tenon_send_prepared(b.conn, &m.message, TENON_COPY, NULL), TENON_OK);
        flush_out(&b);
        assert_wire(&b, 0x82, repeated, 500);
        bench_stop(&b);
        free(m.out);
    }
}

/* ------------------------------------------------------------------ a codec that fails */

static unsigned codec_calls, codec_fails;

static int failing_deflate(void *memory, const uint8_t **in, size_t *in_size, uint8_t **out, size_t *out_size, int flush)
{
    if (++codec_calls == codec_fails)
        return TENON_ERR_PROTOCOL;
    return tenon_zlib.deflate(memory, in, in_size, out, out_size, flush);
}

/* The message was accepted; its connection ends with 1011, and a reference comes back. The
 * Close waits for no other call, nothing of the message ends it, and what the peer still
 * says is thrown away. */
static void test_codec_failure(void **state)
{
    tenon_codec failing = tenon_zlib;
    size_t r;
    int way;
    (void)state;
    failing.deflate = failing_deflate;
    for (r = 0; r < COUNT_OF(roles); r++) {
        for (way = 0; way < 3; way++) {
            for (codec_fails = 1; codec_fails < 6; codec_fails++) {
                setup s = setup_of(roles[r]);
                wire_frame f;
                pair p;
                memset(&f, 0, sizeof f);
                s.codec = &failing;
                s.tx = way == 2 ? TENON_TX_MIN : 65536;
                pair_open(&p, &s);
                codec_calls = 0;
                if (way == 0)
                    assert_int_equal(tenon_send(p.b.conn, TENON_BINARY, noise, 5000, 0), TENON_OK);
                if (way == 1)
                    assert_int_equal(tenon_send_part(p.b.conn, TENON_BINARY, noise, 5000, 0), TENON_OK);
                if (way == 2)
                    assert_int_equal(tenon_send_ref(p.b.conn, TENON_BINARY, noise, 5000, 0, &p), TENON_OK);
                assert_true(has(&p, TENON_WANTS_WRITE));
                flush_out(&p.b);
                assert_int_equal(tenon_send(p.b.conn, TENON_BINARY, noise, 5000, 0), TENON_ERR_STATE);
                give_frame(&p.b, 0x82, "late", 4);
                run_to_closed(&p.b);
                assert_int_equal(p.b.stats.messages_in, 0);
                assert_int_equal(codec_calls, codec_fails);
                assert_int_equal(p.b.released, way == 2);
                assert_int_equal(p.b.event.rule, TENON_RULE_CODEC);
                assert_int_equal(p.b.event.sent_code, 1011);
                assert_int_equal(p.b.event.cause, TENON_LOCAL);
                while (wire_next(&p.b, &f) && f.first != 0x88)
                    assert_int_equal(f.first & 0x80, 0);
                assert_int_equal(f.first, 0x88);
                assert_int_equal(f.size, 2);
                assert_memory_equal(f.payload, "\x03\xf3", 2);
                assert_wire_end(&p.b);
                pair_close(&p);
            }
        }
    }
}

static size_t little_bound(size_t n)
{
    (void)n;
    return 64;
}

/* A codec that makes more of a message than it said is one that fails: not an octet is
 * put where there is no room. */
static void test_codec_beyond_its_bound(void **state)
{
    tenon_codec little = tenon_zlib;
    size_t r, tx;
    int way;
    (void)state;
    little.bound = little_bound;
    for (r = 0; r < COUNT_OF(roles); r++) {
        for (way = 0; way < 2; way++) {
            for (tx = TENON_TX_MIN; tx < 7000; tx += 97) {
                setup s = setup_of(roles[r]);
                wire_frame f;
                int fits;
                pair p;
                memset(&f, 0, sizeof f);
                s.codec = &little;
                s.tx = tx;
                s.max_frame_out = 100;
                pair_open(&p, &s);
                if (way == 0)
                    assert_int_equal(tenon_send(p.b.conn, TENON_BINARY, noise, 5000, 0), TENON_OK);
                else
                    assert_int_equal(tenon_send_part(p.b.conn, TENON_BINARY, noise, 5000, 0), TENON_OK);
                fits = tenon_state(p.b.conn) == TENON_OPEN;
                assert_true(tenon_queued(p.b.conn) <= tx);
                assert_true(tx < 5256 ? !fits : fits || tx < 6200);
                flush_out(&p.b);
                while (wire_next(&p.b, &f) && f.first != 0x88)
                    assert_true(fits || (f.first & 0x80) == 0);
                if (!fits) {
                    assert_int_equal(f.first, 0x88);
                    assert_memory_equal(f.payload, "\x03\xf3", 2);
                    run_to_closed(&p.b);
                    assert_int_equal(p.b.event.rule, TENON_RULE_CODEC);
                }
                pair_close(&p);
            }
        }
    }
}

/* The same to the octet: a frame that fills the queue is good, and one octet less is not. */
static void test_codec_at_its_bound(void **state)
{
    tenon_codec little = tenon_zlib;
    setup s = setup_of(TENON_SERVER);
    wire_frame f;
    size_t full;
    pair p;
    (void)state;
    little.bound = little_bound;
    s.codec = &little;
    memset(&f, 0, sizeof f);
    pair_open(&p, &s);
    assert_int_equal(tenon_send(p.b.conn, TENON_BINARY, noise, 240, 0), TENON_OK);
    flush_out(&p.b);
    assert_true(wire_next(&p.b, &f));
    full = TENON_TX_RESERVE + f.size + 14;
    assert_true(full > TENON_TX_MIN);
    pair_close(&p);
    for (s.tx = full - 1; s.tx <= full; s.tx++) {
        pair_open(&p, &s);
        assert_int_equal(tenon_send(p.b.conn, TENON_BINARY, noise, 240, 0), TENON_OK);
        assert_int_equal(tenon_state(p.b.conn), s.tx < full ? TENON_CLOSING : TENON_OPEN);
        pair_close(&p);
    }
}

/* A Close of one's own that waits behind the reference stays what it is. */
static void test_codec_failure_before_a_close(void **state)
{
    tenon_codec failing = tenon_zlib;
    size_t r;
    (void)state;
    failing.deflate = failing_deflate;
    for (r = 0; r < COUNT_OF(roles); r++) {
        setup s = setup_of(roles[r]);
        wire_frame f, last;
        pair p;
        s.codec = &failing;
        s.tx = TENON_TX_MIN;
        pair_open(&p, &s);
        codec_calls = 0;
        codec_fails = 5;
        assert_int_equal(tenon_send_ref(p.b.conn, TENON_BINARY, noise, 5000, 0, &p), TENON_OK);
        assert_true(codec_calls < codec_fails);
        assert_int_equal(tenon_close(p.b.conn, 3000, NULL, 0), TENON_OK);
        run_to_closed(&p.b);
        assert_int_equal(codec_calls, codec_fails);
        assert_int_equal(p.b.released, 1);
        assert_int_equal(p.b.event.rule, TENON_RULE_CODEC);
        assert_int_equal(p.b.event.sent_code, 3000);
        memset(&last, 0, sizeof last);
        while (wire_next(&p.b, &f))
            last = f;
        assert_int_equal(last.first, 0x88);
        assert_int_equal(last.size, 2);
        assert_memory_equal(last.payload, "\x0b\xb8", 2);
        pair_close(&p);
    }
}

/* The random source fails in the middle of a message: no RELEASED for what was refused. */
static void test_random_failure(void **state)
{
    unsigned fails;
    int way;
    (void)state;
    for (fails = 1; fails < 6; fails++) {
        for (way = 0; way < 2; way++) {
            setup s = setup_of(TENON_CLIENT);
            int status;
            pair p;
            s.max_frame_out = 500;
            s.tx = 16384;
            pair_open(&p, &s);
            p.b.random_fails = fails;
            status = way ? tenon_send_ref(p.b.conn, TENON_BINARY, noise, 5000, 0, &p)
                         : tenon_send(p.b.conn, TENON_BINARY, noise, 5000, 0);
            assert_int_equal(status, TENON_ERR_RANDOM);
            flush_out(&p.b);
            run_to_closed(&p.b);
            assert_int_equal(p.b.released, 0);
            assert_int_equal(p.b.event.rule, TENON_RULE_RANDOM);
            pair_close(&p);
        }
    }
}

/* A message of the peer in one compressed frame. */
static void give_packed(pair *p, const void *data, size_t n)
{
    size_t size;
    uint8_t *packed = peer_pack(p, data, n, &size);
    give_frame(&p->b, 0xc2, packed, size);
    free(packed);
}

/* How long a message will be is not known: asked for is twice the room that there is. */
static void test_needs_twice(void **state)
{
    setup s = setup_of(TENON_SERVER);
    pair p;
    (void)state;
    s.rx = 512;
    s.max_message = 1u << 20;
    pair_open(&p, &s);
    give_packed(&p, repeated, 3000);
    assert_none(&p.b);
    assert_true(has(&p, TENON_WANTS_RX));
    assert_int_equal(tenon_rx_needed(p.b.conn), 2 * (512 - TENON_RX_RESERVE) + TENON_RX_RESERVE);
    pair_close(&p);
}

/* What is told lies in rx, which stays until the event is over. */
static void test_told_in_rx(void **state)
{
    setup s = setup_of(TENON_SERVER);
    pair p;
    (void)state;
    pair_open(&p, &s);
    give_packed(&p, repeated, 300);
    assert_next(&p.b, TENON_EV_DATA);
    assert_data(&p.b, repeated, 300);
    assert_int_equal(tenon_lend_rx(p.b.conn, NULL, 0), TENON_ERR_BUSY);
    assert_none(&p.b);
    assert_int_equal(tenon_lend_rx(p.b.conn, NULL, 0), TENON_OK);
    pair_close(&p);
}

/* What is dropped behind an own Close is gone through at once, up to the peer's. */
static void test_dropped_at_once(void **state)
{
    setup s = setup_of(TENON_SERVER);
    uint8_t *packed, *octets;
    size_t size, n;
    pair p;
    (void)state;
    s.flags = TENON_DROP_AFTER_CLOSE;
    s.rx = TENON_RX_MIN;
    s.max_message = 1u << 20;
    pair_open(&p, &s);
    assert_int_equal(tenon_close(p.b.conn, 1000, NULL, 0), TENON_OK);
    packed = peer_pack(&p, repeated, 3000, &size);
    octets = malloc(size + 64);
    n = peer_frame(TENON_SERVER, octets, 0xc2, packed, size);
    n += peer_frame(TENON_SERVER, octets + n, 0x88, "\x03\xe8", 2);
    give(&p.b, octets, n);
    free(packed);
    free(octets);
    assert_next(&p.b, TENON_EV_CLOSE);
    assert_int_equal(p.b.event.code, 1000);
    pair_close(&p);
}

/* A failure of its own between the pieces of a message: what is left of that is dropped,
 * and the connection ends. */
static void test_failure_between_pieces(void **state)
{
    setup s = setup_of(TENON_CLIENT);
    pair p;
    (void)state;
    s.flags = TENON_CHUNKS;
    s.rx = TENON_RX_MIN;
    pair_open(&p, &s);
    give_packed(&p, repeated, 3000);
    assert_next(&p.b, TENON_EV_DATA);
    assert_int_equal(p.b.event.flags & TENON_LAST, 0);
    p.b.random_fails = p.b.random_calls + 1;
    assert_int_equal(tenon_ping(p.b.conn, "p", 1), TENON_ERR_RANDOM);
    assert_none(&p.b);
    run_to_closed(&p.b);
    assert_int_equal(p.b.event.rule, TENON_RULE_RANDOM);
    pair_close(&p);
}

static int refusing_deflate(void *memory, size_t size, unsigned bits, unsigned memory_level, unsigned level)
{
    (void)memory, (void)size, (void)bits, (void)memory_level, (void)level;
    return TENON_ERR_SIZE;
}

static int refusing_inflate(void *memory, size_t size, unsigned bits)
{
    (void)memory, (void)size, (void)bits;
    return TENON_ERR_SIZE;
}

static unsigned begun[3];

static int noting_deflate(void *memory, size_t size, unsigned bits, unsigned memory_level, unsigned level)
{
    begun[0] = bits;
    begun[1] = memory_level;
    begun[2] = level;
    return tenon_zlib.deflate_begin(memory, size, bits, memory_level, level);
}

/* The codec is told the standards that stand in deflate.h. */
static void test_standards(void **state)
{
    tenon_codec noting = tenon_zlib;
    setup s = setup_of(TENON_SERVER);
    pair p;
    (void)state;
    noting.deflate_begin = noting_deflate;
    s.codec = &noting;
    pair_open(&p, &s);
    assert_int_equal(begun[0], 15);
    assert_int_equal(begun[1], 8);
    assert_int_equal(begun[2], 6);
    pair_close(&p);
}

/* A block that the codec cannot use is not lent. */
static void test_codec_refuses(void **state)
{
    tenon_codec refusing = tenon_zlib;
    setup s = setup_of(TENON_SERVER);
    size_t out, in;
    void *block;
    pair p;
    (void)state;
    refusing.deflate_begin = refusing_deflate;
    refusing.inflate_begin = refusing_inflate;
    s.codec = &refusing;
    s.no_blocks = 1;
    pair_open(&p, &s);
    out = tenon_deflate_size(p.b.conn);
    in = tenon_inflate_size(p.b.conn);
    block = malloc(out);
    assert_int_equal(tenon_lend_deflate(p.b.conn, block, out), TENON_ERR_SIZE);
    assert_int_equal(tenon_lend_inflate(p.b.conn, block, in), TENON_ERR_SIZE);
    assert_false(has(&p, TENON_FREE_DEFLATE) || has(&p, TENON_FREE_INFLATE));
    free(block);
    pair_close(&p);
}

/* No agreement from outside once the connection is open, and no config that is too
 * short. The block is larger where the codec is to have more memory. */
static void test_config_errors(void **state)
{
    setup s = setup_of(TENON_SERVER);
    tenon_config config;
    size_t most, least;
    pair p;
    (void)state;
    pair_open(&p, &s);
    assert_int_equal(tenon_deflate_set(p.b.conn, &p.agreed), TENON_ERR_STATE);
    most = tenon_deflate_size(p.b.conn);
    p.deflate.memory_level = 1; /* it is borrowed */
    least = tenon_deflate_size(p.b.conn);
    p.deflate.memory_level = 8;
    assert_true(least < most);
    assert_int_equal(tenon_deflate_size(p.b.conn), most);
    config = p.b.config;
    config.size = (uint32_t)offsetof(tenon_config, transform_config); /* its end may be padding */
    assert_int_equal(tenon_config_deflate(&config, &p.deflate), TENON_ERR_SIZE);
    pair_close(&p);
}

/* A compressed message while there is no rx: it is asked for, and the message comes. The
 * same while the block is asked for, where taking back what is not there changes nothing. */
static void test_wants_both(void **state)
{
    static const uint8_t hello[] = {0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00};
    setup s = setup_of(TENON_SERVER);
    pair p;
    (void)state;
    s.no_blocks = 1;
    s.flags = TENON_CHUNKS;
    pair_open(&p, &s);
    assert_int_equal(tenon_lend_rx(p.b.conn, NULL, 0), TENON_OK);
    give_frame(&p.b, 0xc1, hello, sizeof hello);
    assert_none(&p.b);
    assert_true(has(&p, TENON_WANTS_INFLATE));
    assert_int_equal(tenon_lend_inflate(p.b.conn, NULL, 0), TENON_OK);
    assert_true(has(&p, TENON_WANTS_INFLATE));
    lend_blocks(&p, 0);
    assert_none(&p.b);
    assert_false(has(&p, TENON_WANTS_INFLATE));
    assert_true(has(&p, TENON_WANTS_RX));
    assert_int_equal(tenon_lend_rx(p.b.conn, p.b.rx, p.b.rx_size), TENON_OK);
    assert_next(&p.b, TENON_EV_DATA);
    assert_data(&p.b, "Hello", 5);
    pair_close(&p);
}

/* A message that needs no block asks for rx: to lend the block does not answer that. */
static void test_wants_rx_for_what_is_plain(void **state)
{
    setup s = setup_of(TENON_SERVER);
    pair p;
    (void)state;
    s.no_blocks = 1;
    pair_open(&p, &s);
    assert_int_equal(tenon_lend_rx(p.b.conn, NULL, 0), TENON_OK);
    give_frame(&p.b, 0x02, "ab", 2);
    assert_none(&p.b);
    assert_true(has(&p, TENON_WANTS_RX));
    lend_blocks(&p, 0);
    assert_true(has(&p, TENON_WANTS_RX));
    assert_false(has(&p, TENON_WANTS_NEXT | TENON_WANTS_READ));
    assert_int_equal(tenon_lend_rx(p.b.conn, p.b.rx, p.b.rx_size), TENON_OK);
    assert_none(&p.b);
    give_frame(&p.b, 0x80, "cd", 2);
    assert_next(&p.b, TENON_EV_DATA);
    assert_data(&p.b, "abcd", 4);
    pair_close(&p);
}

static tenon_deflate standard_deflate(void)
{
    tenon_deflate deflate;
    memset(&deflate, 0, sizeof deflate);
    deflate.size = (uint32_t)sizeof deflate;
    deflate.codec = &tenon_zlib;
    return deflate;
}

/* An agreement from outside is for a connection that starts open, before its first
 * tenon_next: not under OPEN, not behind it, and not where there was a handshake. */
static void test_when_to_set(void **state)
{
    tenon_deflate deflate = standard_deflate();
    tenon_agreed agreed;
    bench b;
    (void)state;
    memset(&agreed, 0, sizeof agreed);
    agreed.size = (uint32_t)sizeof agreed;
    agreed.on = 1;
    agreed.out_bits = agreed.in_bits = 15;
    bench_config(&b, TENON_SERVER);
    assert_int_equal(tenon_config_deflate(&b.config, &deflate), TENON_OK);
    bench_start(&b, 512, 512);
    assert_next(&b, TENON_EV_OPEN);
    assert_int_equal(tenon_deflate_set(b.conn, &agreed), TENON_ERR_STATE);
    assert_none(&b);
    assert_int_equal(tenon_deflate_set(b.conn, &agreed), TENON_ERR_STATE);
    bench_stop(&b);
    bench_server(&b);
    assert_int_equal(tenon_config_deflate(&b.config, &deflate), TENON_OK);
    bench_start(&b, 1024, 1024);
    give_text(&b, REQUEST);
    assert_next(&b, TENON_EV_REQUEST);
    assert_none(&b);
    assert_int_equal(tenon_accept(b.conn, NULL), TENON_OK);
    assert_int_equal(tenon_deflate_set(b.conn, &agreed), TENON_ERR_STATE);
    assert_next(&b, TENON_EV_OPEN);
    bench_stop(&b);
}

/* An answer for which there is no room agrees on nothing: the bit goes back to nobody, or
 * stays the program's that had it before. */
static void test_answer_without_room(void **state)
{
    static char value[5000];
    tenon_deflate deflate = standard_deflate();
    tenon_header header = {"X", value, 0, sizeof value};
    tenon_answer answer;
    bench b;
    int before;
    (void)state;
    memset(value, 'x', sizeof value);
    memset(&answer, 0, sizeof answer);
    answer.size = (uint32_t)sizeof answer;
    answer.headers = &header;
    answer.header_count = 1;
    for (before = 0; before < 2; before++) {
        bench_server(&b);
        assert_int_equal(tenon_config_deflate(&b.config, &deflate), TENON_OK);
        bench_start(&b, 1024, 1024);
        give_text(&b, REQUEST_FIELDS "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n");
        assert_next(&b, TENON_EV_REQUEST);
        if (before)
            assert_int_equal(tenon_grant(b.conn, TENON_RSV1, 0, 0), TENON_OK);
        assert_int_equal(tenon_accept(b.conn, &answer), TENON_ERR_TOO_BIG);
        assert_int_equal(tenon_inflate_size(b.conn), 0);
        if (!before)
            assert_int_equal(tenon_grant(b.conn, TENON_RSV1, 0, 0), TENON_OK);
        assert_int_equal(tenon_accept(b.conn, NULL), TENON_OK);
        assert_next(&b, TENON_EV_OPEN);
        assert_int_equal(tenon_inflate_size(b.conn), 0);
        assert_none(&b);
        flush_out(&b);
        b.read = b.wire_size; /* the head */
        assert_int_equal(tenon_send(b.conn, TENON_TEXT, "a", 1, TENON_RSV1), TENON_OK);
        flush_out(&b);
        assert_wire(&b, 0xc1, "a", 1);
        bench_stop(&b);
    }
}

/* Nothing was agreed on: nothing is left in what was asked of it. */
static void test_nothing_agreed(void **state)
{
    tenon_agreed agreed;
    bench b;
    (void)state;
    bench_open(&b, TENON_SERVER);
    memset(&agreed, 0xaa, sizeof agreed);
    agreed.size = (uint32_t)sizeof agreed;
    assert_int_equal(tenon_deflate_get(b.conn, &agreed), TENON_OK);
    assert_int_equal(agreed.size, sizeof agreed);
    assert_int_equal(agreed.on, 0);
    assert_int_equal(agreed.out_bits, 0);
    assert_int_equal(agreed.in_bits, 0);
    assert_int_equal(agreed.flags, 0);
    bench_stop(&b);
}

/* A bit that compression would have, had it been agreed on, is the program's own. */
static void test_own_bit_where_nothing_was_agreed(void **state)
{
    tenon_deflate deflate = standard_deflate();
    bench b;
    (void)state;
    bench_config(&b, TENON_SERVER);
    assert_int_equal(tenon_config_deflate(&b.config, &deflate), TENON_OK);
    bench_start(&b, 512, 512);
    assert_int_equal(tenon_grant(b.conn, TENON_RSV1, 0, 0), TENON_OK);
    assert_next(&b, TENON_EV_OPEN);
    assert_int_equal(tenon_send_part(b.conn, TENON_TEXT, "a", 1, TENON_RSV1), TENON_OK);
    assert_int_equal(tenon_send_part(b.conn, TENON_TEXT, "b", 1, TENON_LAST), TENON_OK);
    flush_out(&b);
    assert_wire(&b, 0x41, "a", 1);
    assert_wire(&b, 0x80, "b", 1);
    assert_wire_end(&b);
    bench_stop(&b);
}

/* A message that was prepared without its compressed variant goes out as it is. */
static void test_prepared_plain(void **state)
{
    setup s = setup_of(TENON_SERVER);
    tenon_prepared message;
    pair p;
    (void)state;
    pair_open(&p, &s);
    assert_int_equal(tenon_prepare(&message, sizeof message, TENON_BINARY, repeated, 1000, 0), TENON_OK);
    assert_int_equal(tenon_send_prepared(p.b.conn, &message, TENON_COPY, NULL), TENON_OK);
    flush_out(&p.b);
    assert_wire(&p.b, 0x82, repeated, 1000);
    message.size--;
    assert_int_equal(tenon_send_prepared(p.b.conn, &message, TENON_COPY, NULL), TENON_ERR_SIZE);
    pair_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_thresholds_and_flags),
        cmocka_unit_test(test_octets_on_the_wire),
        cmocka_unit_test(test_starting_afresh),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_all_sends_under_all_agreements),
        cmocka_unit_test(test_no_codec_for_the_window),
        cmocka_unit_test(test_text_is_checked_before_it_is_compressed),
        cmocka_unit_test(test_reference_through_a_small_queue),
        cmocka_unit_test(test_reference_that_is_cut),
        cmocka_unit_test(test_reference_that_waits_is_cut),
        cmocka_unit_test(test_again_and_too_big),
        cmocka_unit_test(test_frames_of_any_length_fit),
        cmocka_unit_test(test_room_by_a_tight_bound),
        cmocka_unit_test(test_room_for_one_frame),
        cmocka_unit_test(test_wants_deflate),
        cmocka_unit_test(test_wants_deflate_with_little_room),
        cmocka_unit_test(test_wants_deflate_no_longer),
        cmocka_unit_test(test_taking_the_block_back),
        cmocka_unit_test(test_taking_the_other_block_back),
        cmocka_unit_test(test_wants_inflate),
        cmocka_unit_test(test_no_deadline_while_wanted),
        cmocka_unit_test(test_wants_inflate_for_nothing),
        cmocka_unit_test(test_lend_errors),
        cmocka_unit_test(test_prepared),
        cmocka_unit_test(test_prepared_without_a_block),
        cmocka_unit_test(test_codec_failure),
        cmocka_unit_test(test_codec_beyond_its_bound),
        cmocka_unit_test(test_codec_at_its_bound),
        cmocka_unit_test(test_codec_failure_before_a_close),
        cmocka_unit_test(test_random_failure),
        cmocka_unit_test(test_needs_twice),
        cmocka_unit_test(test_told_in_rx),
        cmocka_unit_test(test_dropped_at_once),
        cmocka_unit_test(test_failure_between_pieces),
        cmocka_unit_test(test_standards),
        cmocka_unit_test(test_codec_refuses),
        cmocka_unit_test(test_config_errors),
        cmocka_unit_test(test_wants_both),
        cmocka_unit_test(test_wants_rx_for_what_is_plain),
        cmocka_unit_test(test_when_to_set),
        cmocka_unit_test(test_answer_without_room),
        cmocka_unit_test(test_prepared_plain),
        cmocka_unit_test(test_nothing_agreed),
        cmocka_unit_test(test_own_bit_where_nothing_was_agreed),
    };
    return cmocka_run_group_tests(tests, fill_payloads, NULL);
}
