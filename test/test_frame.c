/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tenon/frame.h"

#define PAYLOAD_MAX (UINT64_MAX / 2)

static const uint8_t key[4] = {0x37, 0xfa, 0x21, 0x3d};

/* What decode did, everything that it may write set to marks before. */
typedef struct outcome {
    int status;
    uint16_t rule;
    size_t at;
    tenon_frame frame;
} outcome;

#define MARK_RULE 0x5a5a
#define MARK_AT 77

/* The octets lie in memory of their own, so that a sanitizer sees one read behind them. */
static outcome decode(const uint8_t *data, size_t n)
{
    outcome o;
    uint8_t *copy = malloc(n + 1);
    assert_non_null(copy);
    memcpy(copy + 1, data, n);
    memset(&o, 0x5a, sizeof o);
    o.rule = MARK_RULE;
    o.at = MARK_AT;
    o.status = tenon_frame_decode(copy + 1, n, &o.frame, &o.rule, &o.at);
    free(copy);
    return o;
}

static void expect_frame_untouched(const tenon_frame *frame)
{
    tenon_frame marks;
    memset(&marks, 0x5a, sizeof marks);
    assert_memory_equal(frame, &marks, sizeof marks);
}

static void expect_wait(const uint8_t *data, size_t n)
{
    outcome o = decode(data, n);
    assert_int_equal(o.status, TENON_WAIT);
    assert_int_equal(o.rule, MARK_RULE);
    assert_int_equal(o.at, MARK_AT);
    expect_frame_untouched(&o.frame);
}

/* Good so far for every prefix up to the octet that is wrong, and from there on
 * the same error however much follows. */
static void expect_broken(const uint8_t *data, size_t n, uint16_t rule, size_t at)
{
    size_t i;
    for (i = 0; i <= at; i++)
        expect_wait(data, i);
    for (i = at + 1; i <= n; i++) {
        outcome o = decode(data, i);
        assert_int_equal(o.status, TENON_ERR_PROTOCOL);
        assert_int_equal(o.rule, rule);
        assert_int_equal(o.at, at);
        expect_frame_untouched(&o.frame);
    }
}

/* Good and waiting up to size octets; then decoded, whatever follows. */
static void expect_good(const uint8_t *data, size_t n, const tenon_frame *want)
{
    size_t i;
    for (i = 0; i < want->header_size; i++)
        expect_wait(data, i);
    for (; i <= n; i++) {
        outcome o = decode(data, i);
        assert_int_equal(o.status, TENON_OK);
        assert_int_equal(o.rule, MARK_RULE);
        assert_int_equal(o.at, MARK_AT);
        assert_int_equal(o.frame.payload_size, want->payload_size);
        assert_int_equal(o.frame.first, want->first);
        assert_int_equal(o.frame.masked, want->masked);
        assert_memory_equal(o.frame.key, want->key, 4);
        assert_int_equal(o.frame.header_size, want->header_size);
        assert_int_equal(o.frame.reserved, 0);
    }
}

static tenon_frame make_frame(uint8_t first, uint64_t payload_size, int masked)
{
    tenon_frame frame;
    memset(&frame, 0, sizeof frame);
    frame.first = first;
    frame.payload_size = payload_size;
    frame.masked = masked ? 1 : 0;
    if (masked)
        memcpy(frame.key, key, sizeof key);
    return frame;
}

/* ------------------------------------------------------------------ lengths */

typedef struct length {
    uint64_t payload_size;
    uint8_t octets[9]; /* from the second octet of the header on, without mask */
    uint8_t count;
} length;

static const length lengths[] = {
    {0, {0x00}, 1},
    {1, {0x01}, 1},
    {124, {0x7c}, 1},
    {125, {0x7d}, 1},
    {126, {0x7e, 0x00, 0x7e}, 3},
    {127, {0x7e, 0x00, 0x7f}, 3},
    {128, {0x7e, 0x00, 0x80}, 3},
    {255, {0x7e, 0x00, 0xff}, 3},
    {256, {0x7e, 0x01, 0x00}, 3},
    {0x8001, {0x7e, 0x80, 0x01}, 3},
    {65535, {0x7e, 0xff, 0xff}, 3},
    {65536, {0x7f, 0, 0, 0, 0, 0, 0x01, 0, 0}, 9},
    {65537, {0x7f, 0, 0, 0, 0, 0, 0x01, 0, 0x01}, 9},
    {0xffffffffu, {0x7f, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, 9},
    {0x100000000u, {0x7f, 0, 0, 0, 0x01, 0, 0, 0, 0}, 9},
    {0x100000005u, {0x7f, 0, 0, 0, 0x01, 0, 0, 0, 0x05}, 9},
    {0x0102030405060708u, {0x7f, 1, 2, 3, 4, 5, 6, 7, 8}, 9},
    {PAYLOAD_MAX, {0x7f, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 9},
};

#define LENGTH_COUNT (sizeof lengths / sizeof lengths[0])

/* The header of that length as it must look; returns its size. */
static size_t write_expected(uint8_t *out, uint8_t first, const length *l, int masked)
{
    size_t size = 1u + l->count;
    out[0] = first;
    memcpy(out + 1, l->octets, l->count);
    if (masked) {
        out[1] |= 0x80;
        memcpy(out + size, key, sizeof key);
        size += sizeof key;
    }
    return size;
}

static void check_length(const length *l, uint8_t first, int masked)
{
    tenon_frame frame = make_frame(first, l->payload_size, masked);
    uint8_t expected[TENON_FRAME_HEADER_MAX + 3], out[TENON_FRAME_HEADER_MAX + 3];
    size_t size = 0, want;
    memset(expected, 0xee, sizeof expected);
    memset(out, 0xee, sizeof out);
    want = write_expected(expected, first, l, masked);
    assert_int_equal(tenon_frame_encode(&frame, out, &size), TENON_OK);
    assert_int_equal(size, want);
    assert_memory_equal(out, expected, sizeof out);
    frame.header_size = (uint8_t)want;
    expect_good(expected, want + 3, &frame);
}

/* The six shapes of a header, both ways. */
/* covers: 6455-5.2-07 6455-5.2-09 6455-5.2-13 */
static void test_lengths(void **state)
{
    size_t i;
    (void)state;
    for (i = 0; i < LENGTH_COUNT; i++) {
        check_length(&lengths[i], 0x82, 0);
        check_length(&lengths[i], 0x82, 1);
        check_length(&lengths[i], 0x71, 1);
    }
}

/* Every length of the first two forms and beyond, through encode and back. */
/* covers: 6455-5.2-09 */
static void test_round_trip(void **state)
{
    uint32_t n;
    (void)state;
    for (n = 0; n < 70000; n++) {
        tenon_frame frame = make_frame(0x82, n, (int)(n % 2)), back;
        uint8_t out[TENON_FRAME_HEADER_MAX];
        size_t size = 0, shortest = (n < 126 ? 2u : n < 65536 ? 4u : 10u) + (n % 2 ? 4u : 0u);
        assert_int_equal(tenon_frame_encode(&frame, out, &size), TENON_OK);
        if (size != shortest)
            fail_msg("%u octets of header for a payload of %u", (unsigned int)size, (unsigned int)n);
        assert_int_equal(tenon_frame_decode(out, size, &back, NULL, NULL), TENON_OK);
        frame.header_size = (uint8_t)size;
        assert_memory_equal(&frame, &back, sizeof frame);
    }
}

/* Every single bit of a 64-bit length keeps its place. */
static void test_round_trip_bits(void **state)
{
    unsigned int bit;
    (void)state;
    for (bit = 0; bit < 63; bit++) {
        tenon_frame frame = make_frame(0x81, (uint64_t)1 << bit, 1);
        uint8_t out[TENON_FRAME_HEADER_MAX];
        size_t size = 0;
        assert_int_equal(tenon_frame_encode(&frame, out, &size), TENON_OK);
        frame.header_size = (uint8_t)size;
        expect_good(out, size, &frame);
    }
}

/* The key is no part of the payload. */
/* covers: 6455-5.2-12 */
static void test_length_excludes_key(void **state)
{
    tenon_frame frame = make_frame(0x81, 125, 1);
    uint8_t out[TENON_FRAME_HEADER_MAX];
    size_t size = 0;
    (void)state;
    assert_int_equal(tenon_frame_encode(&frame, out, &size), TENON_OK);
    assert_int_equal(size, 6);
    assert_int_equal(out[1], 0xfd);
    assert_memory_equal(out + 2, key, sizeof key);
    frame.header_size = 6;
    expect_good(out, size, &frame);
}

/* ------------------------------------------------------------- broken rules */

/* All first octets: 0 to 2 and 8 to 10 are defined; of control only FIN frames. */
static void test_first_octets(void **state)
{
    unsigned int first;
    (void)state;
    for (first = 0; first < 256; first++) {
        unsigned int opcode = first % 16;
        uint8_t data[4] = {0, 0, 0, 0};
        tenon_frame frame = make_frame((uint8_t)first, 0, 0);
        frame.header_size = 2;
        data[0] = (uint8_t)first;
        if ((opcode >= 3 && opcode <= 7) || opcode >= 11)
            expect_broken(data, sizeof data, TENON_RULE_OPCODE, 0);
        else if (opcode >= 8 && first < 128)
            expect_broken(data, sizeof data, TENON_RULE_CONTROL_FIN, 0);
        else
            expect_good(data, sizeof data, &frame);
    }
}

/* All second octets of each control opcode, with and without mask. */
static void test_control_sizes(void **state)
{
    unsigned int opcode, second;
    (void)state;
    for (opcode = 8; opcode <= 10; opcode++) {
        for (second = 0; second < 256; second++) {
            uint8_t data[14] = {0};
            tenon_frame frame = make_frame((uint8_t)(0x80 + opcode), second % 128, second >= 128);
            data[0] = frame.first;
            data[1] = (uint8_t)second;
            memcpy(data + 2, key, sizeof key);
            frame.header_size = second >= 128 ? 6 : 2;
            if (second % 128 > 125)
                expect_broken(data, sizeof data, TENON_RULE_CONTROL_SIZE, 1);
            else
                expect_good(data, sizeof data, &frame);
        }
    }
}

typedef struct broken {
    uint8_t octets[10];
    size_t at;
    uint16_t rule;
} broken;

static const broken long_forms[] = {
    {{0x82, 0x7e, 0, 0}, 3, TENON_RULE_LENGTH_MINIMAL},
    {{0x82, 0x7e, 0, 0x05}, 3, TENON_RULE_LENGTH_MINIMAL},
    {{0x01, 0x7e, 0, 0x7d, 0xff, 0xff}, 3, TENON_RULE_LENGTH_MINIMAL},
    {{0x82, 0x7f, 0, 0, 0, 0, 0, 0, 0, 0}, 7, TENON_RULE_LENGTH_MINIMAL},
    {{0x82, 0x7f, 0, 0, 0, 0, 0, 0, 0, 0x05}, 7, TENON_RULE_LENGTH_MINIMAL},
    {{0x82, 0x7f, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 7, TENON_RULE_LENGTH_MINIMAL},
};

static const broken high_bits[] = {
    {{0x81, 0x7f, 0x80, 0, 0, 0, 0, 0, 0, 0}, 2, TENON_RULE_LENGTH_RANGE},
    {{0x81, 0x7f, 0x80, 0, 0, 0, 0, 0, 0, 0x05}, 2, TENON_RULE_LENGTH_RANGE},
    {{0x00, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 2, TENON_RULE_LENGTH_RANGE},
};

/* With the octets as they are, and masked: the key comes later and changes nothing. */
static void expect_all_broken(const broken *table, size_t count)
{
    size_t i;
    for (i = 0; i < count; i++) {
        uint8_t data[TENON_FRAME_HEADER_MAX] = {0};
        memcpy(data, table[i].octets, sizeof table[i].octets);
        expect_broken(data, sizeof data, table[i].rule, table[i].at);
        data[1] |= 0x80;
        expect_broken(data, sizeof data, table[i].rule, table[i].at);
    }
}

static void test_long_forms(void **state)
{
    uint8_t data[4] = {0x82, 0x7e, 0, 0};
    tenon_frame frame;
    unsigned int n;
    (void)state;
    expect_all_broken(long_forms, sizeof long_forms / sizeof long_forms[0]);
    for (n = 0; n < 256; n++) {
        data[3] = (uint8_t)n;
        frame = make_frame(0x82, n, 0);
        frame.header_size = 4;
        if (n < 126)
            expect_broken(data, sizeof data, TENON_RULE_LENGTH_MINIMAL, 3);
        else
            expect_good(data, sizeof data, &frame);
    }
}

/* A one anywhere in the first six octets makes the long form the shortest. */
static void test_long_form_needed(void **state)
{
    size_t at;
    (void)state;
    for (at = 2; at < 8; at++) {
        uint8_t data[10] = {0x82, 0x7f, 0, 0, 0, 0, 0, 0, 0, 0};
        tenon_frame frame = make_frame(0x82, (uint64_t)1 << 8 * (9 - at), 0);
        data[at] = 1;
        frame.header_size = 10;
        expect_good(data, sizeof data, &frame);
    }
}

/* covers: 6455-5.2-08 */
static void test_high_bit(void **state)
{
    tenon_frame frame = make_frame(0x82, PAYLOAD_MAX + 1, 0);
    uint8_t out[TENON_FRAME_HEADER_MAX];
    size_t size = 99;
    (void)state;
    expect_all_broken(high_bits, sizeof high_bits / sizeof high_bits[0]);
    memset(out, 0x5a, sizeof out);
    assert_int_equal(tenon_frame_encode(&frame, out, &size), TENON_ERR_ARG);
    frame.payload_size = UINT64_MAX;
    assert_int_equal(tenon_frame_encode(&frame, out, &size), TENON_ERR_ARG);
    assert_int_equal(size, 99);
    assert_int_equal(out[0], 0x5a);
}

/* ------------------------------------------------------ anything, in pieces */

/* The rules once more, on the octets as a whole, for any n: which octet is the
 * first that no good header can have there. */
static uint16_t reference(const uint8_t *p, size_t n, size_t *at)
{
    static const char legal[] = "\1\1\1\0\0\0\0\0\2\2\2\0\0\0\0\0";
    size_t i = 0;
    *at = 0;
    if (n > 0 && legal[p[0] % 16] == 0)
        return TENON_RULE_OPCODE;
    if (n > 0 && legal[p[0] % 16] == 2 && p[0] / 128 == 0)
        return TENON_RULE_CONTROL_FIN;
    *at = 1;
    if (n > 1 && legal[p[0] % 16] == 2 && p[1] % 128 >= 126)
        return TENON_RULE_CONTROL_SIZE;
    *at = 2;
    if (n > 2 && p[1] % 128 == 127 && p[2] / 128 == 1)
        return TENON_RULE_LENGTH_RANGE;
    *at = 3;
    if (n > 3 && p[1] % 128 == 126 && p[2] == 0 && p[3] < 126)
        return TENON_RULE_LENGTH_MINIMAL;
    *at = 7;
    while (i < 6 && i + 2 < n && p[i + 2] == 0)
        i++;
    return n > 7 && p[1] % 128 == 127 && i == 6 ? TENON_RULE_LENGTH_MINIMAL : TENON_RULE_NONE;
}

/* Random headers, half of them from octets that matter: what is said of the whole
 * is said of the first prefix that shows it, and no earlier. */
static void test_prefixes(void **state)
{
    static const uint8_t edges[] = {0x00, 0x01, 0x7d, 0x7e, 0x7f, 0x80, 0x81, 0x82, 0x88, 0x89, 0xfd, 0xfe, 0xff};
    uint32_t seed = 7, round;
    (void)state;
    for (round = 0; round < 100000; round++) {
        uint8_t data[TENON_FRAME_HEADER_MAX];
        size_t i, at, size;
        for (i = 0; i < sizeof data; i++) {
            seed = seed * 1664525u + 1013904223u;
            data[i] = seed >> 31 ? (uint8_t)(seed >> 16 & 0xff) : edges[(seed >> 16) % sizeof edges];
            if (i > 1 && (seed >> 8) % 4)
                data[i] = 0;
        }
        for (i = 0; i <= sizeof data; i++) {
            uint16_t rule = reference(data, i, &at);
            outcome o = decode(data, i);
            if (rule != TENON_RULE_NONE) {
                assert_int_equal(o.status, TENON_ERR_PROTOCOL);
                assert_int_equal(o.rule, rule);
                assert_int_equal(o.at, at);
                continue;
            }
            size = 2u + (data[1] % 128 < 126 ? 0u : data[1] % 128 == 126 ? 2u : 8u) + (data[1] / 128 ? 4u : 0u);
            assert_int_equal(o.status, i < 2 || i < size ? TENON_WAIT : TENON_OK);
            if (o.status == TENON_OK)
                assert_int_equal(o.frame.header_size, size);
        }
    }
}

/* ------------------------------------------------------------------ samples */

static void check_sample(uint8_t first, const char *text, size_t n, int masked, const uint8_t *wire, size_t size)
{
    tenon_frame frame = make_frame(first, n, masked), back;
    uint8_t out[TENON_FRAME_HEADER_MAX + 16];
    char payload[16];
    size_t header = 0;
    assert_int_equal(tenon_frame_encode(&frame, out, &header), TENON_OK);
    memcpy(out + header, text, n);
    if (masked)
        tenon_mask(out + header, out + header, n, frame.key, 0);
    assert_int_equal(header + n, size);
    assert_memory_equal(out, wire, size);
    assert_int_equal(tenon_frame_decode(wire, size, &back, NULL, NULL), TENON_OK);
    assert_int_equal(back.first, first);
    assert_int_equal(back.payload_size, n);
    assert_int_equal(back.header_size + n, size);
    memcpy(payload, wire + back.header_size, n);
    if (back.masked)
        tenon_mask(payload, payload, n, back.key, 0);
    assert_memory_equal(payload, text, n);
}

/* covers: 6455-5.7-01 */
static void test_published(void **state)
{
    static const uint8_t text[] = {0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f};
    static const uint8_t masked[] = {0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58};
    static const uint8_t start[] = {0x01, 0x03, 0x48, 0x65, 0x6c};
    static const uint8_t end[] = {0x80, 0x02, 0x6c, 0x6f};
    static const uint8_t ping[] = {0x89, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f};
    static const uint8_t pong[] = {0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58};
    static const length medium = {256, {0x7e, 0x01, 0x00}, 3};
    static const length large = {65536, {0x7f, 0, 0, 0, 0, 0, 0x01, 0, 0}, 9};
    (void)state;
    check_sample(0x81, "Hello", 5, 0, text, sizeof text);
    check_sample(0x81, "Hello", 5, 1, masked, sizeof masked);
    check_sample(0x01, "Hel", 3, 0, start, sizeof start);
    check_sample(0x80, "lo", 2, 0, end, sizeof end);
    check_sample(0x89, "Hello", 5, 0, ping, sizeof ping);
    check_sample(0x8a, "Hello", 5, 1, pong, sizeof pong);
    check_length(&medium, 0x82, 0);
    check_length(&large, 0x82, 0);
}

static void test_null(void **state)
{
    static const uint8_t bad[] = {0x83};
    tenon_frame frame = make_frame(0x81, 0, 0);
    uint8_t out[TENON_FRAME_HEADER_MAX];
    uint16_t rule = 0;
    size_t size = 0, at = MARK_AT;
    (void)state;
    assert_int_equal(tenon_frame_encode(NULL, out, &size), TENON_ERR_NULL);
    assert_int_equal(tenon_frame_encode(&frame, NULL, &size), TENON_ERR_NULL);
    assert_int_equal(tenon_frame_encode(&frame, out, NULL), TENON_ERR_NULL);
    assert_int_equal(tenon_frame_decode(NULL, 1, &frame, NULL, NULL), TENON_ERR_NULL);
    assert_int_equal(tenon_frame_decode(bad, 1, NULL, NULL, NULL), TENON_ERR_NULL);
    assert_int_equal(tenon_frame_decode(NULL, 0, &frame, NULL, NULL), TENON_WAIT);
    assert_int_equal(tenon_frame_decode(bad, 1, &frame, NULL, &at), TENON_ERR_PROTOCOL);
    assert_int_equal(at, 0);
    assert_int_equal(tenon_frame_decode(bad, 1, &frame, &rule, NULL), TENON_ERR_PROTOCOL);
    assert_int_equal(rule, TENON_RULE_OPCODE);
}

/* Any value of masked but 0 puts the key in and the bit on. */
static void test_encode_masked_is_a_truth_value(void **state)
{
    tenon_frame frame = make_frame(0x82, 1, 1);
    uint8_t out[TENON_FRAME_HEADER_MAX];
    size_t size = 0;
    (void)state;
    frame.masked = 0x80;
    assert_int_equal(tenon_frame_encode(&frame, out, &size), TENON_OK);
    assert_int_equal(size, 6);
    assert_int_equal(out[1], 0x81);
}

static void test_close_codes(void **state)
{
    static const uint32_t beyond[] = {65536, 65536 + 1000, 0x80000000u + 1000, UINT32_MAX};
    uint32_t code;
    size_t i;
    (void)state;
    for (code = 0; code <= 65535; code++) {
        int valid = 0;
        if (code < 1015)
            valid = code >= 1000 && code != 1004 && code != 1005 && code != 1006;
        else if (code / 1000 == 3 || code / 1000 == 4)
            valid = 1;
        if (tenon_close_code_valid(code) != valid)
            fail_msg("close code %u", (unsigned int)code);
    }
    for (i = 0; i < sizeof beyond / sizeof beyond[0]; i++)
        assert_int_equal(tenon_close_code_valid(beyond[i]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_round_trip_bits),
        cmocka_unit_test(test_length_excludes_key),
        cmocka_unit_test(test_first_octets),
        cmocka_unit_test(test_control_sizes),
        cmocka_unit_test(test_long_forms),
        cmocka_unit_test(test_long_form_needed),
        cmocka_unit_test(test_high_bit),
        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_published),
        cmocka_unit_test(test_null),
        cmocka_unit_test(test_encode_masked_is_a_truth_value),
        cmocka_unit_test(test_close_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
