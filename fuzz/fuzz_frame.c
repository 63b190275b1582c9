/* SPDX-License-Identifier: MIT */
/*
 * The frame codec and the rules of a message, against RFC 6455, 5.2 to 5.4. The input
 * is, by its first octet:
 *
 *   even: headers as they are, each read from every prefix of it;
 *   odd:  numbers, of which headers are written; they also make up messages whose
 *         sizes are added up near 2^64.
 */
#include "common.h"
#include "message.h"
#include "reference.h"
#include "tenon/frame.h"

/* What n octets are, without an octet behind them. */
static int decode(const uint8_t *data, size_t n, tenon_frame *frame, uint16_t *rule, size_t *at)
{
    uint8_t *copy = fuzz_copy(data, n);
    int status = tenon_frame_decode(copy, n, frame, rule, at);
    fuzz_release(copy);
    return status;
}

static void same_header(const tenon_frame *frame, const ref_header *want)
{
    REQUIRE(frame->first == (want->fin << 7 | want->rsv << 4 | want->opcode));
    REQUIRE(frame->payload_size == want->length);
    REQUIRE(frame->masked == want->masked && memcmp(frame->key, want->key, 4) == 0);
    REQUIRE(frame->header_size == want->size && frame->reserved == 0);
}

/* A header that is good is the only one that says what it says. */
static void write_again(const tenon_frame *frame, const uint8_t *data)
{
    uint8_t *out = fuzz_memory(TENON_FRAME_HEADER_MAX);
    size_t size = 0;
    REQUIRE(tenon_frame_encode(frame, out, &size) == TENON_OK);
    REQUIRE(size == frame->header_size && memcmp(out, data, size) == 0);
    fuzz_release(out);
}

/* One header; returns its octets, or 0. */
static size_t read_header(const uint8_t *data, size_t n)
{
    size_t k, size = 0;
    n = n < TENON_FRAME_HEADER_MAX + 2 ? n : TENON_FRAME_HEADER_MAX + 2;
    for (k = 0; k <= n; k++) {
        ref_header want;
        tenon_frame frame;
        uint16_t rule = 0;
        size_t at = 99, want_at = 99;
        int want_rule = 0, expected = ref_frame_header(data, k, &want, &want_rule, &want_at);
        int status = decode(data, k, &frame, &rule, &at);
        REQUIRE(status == (expected > 0 ? TENON_OK : expected == 0 ? TENON_WAIT : TENON_ERR_PROTOCOL));
        REQUIRE(expected >= 0 || (rule == want_rule && at == want_at && at + 1 <= k));
        REQUIRE(size == 0 || expected > 0); /* what was good stays so, whatever follows */
        if (expected <= 0)
            continue;
        same_header(&frame, &want);
        write_again(&frame, data);
        size = frame.header_size;
    }
    return size;
}

/* What a frame can say: 2^63 - 1. */
#define PAYLOAD_MAX (UINT64_MAX / 2)

/* a + b <= limit, without the sum: by halves of 32 bits. */
static int sum_within(uint64_t a, uint64_t b, uint64_t limit)
{
    uint64_t low = (a & 0xffffffff) + (b & 0xffffffff);
    uint64_t high = (a >> 32) + (b >> 32) + (low >> 32);
    return high < limit >> 32 || (high == limit >> 32 && (low & 0xffffffff) <= (limit & 0xffffffff));
}

/* A number near where things change. */
static uint64_t number(source *s)
{
    static const unsigned shifts[8] = {0, 7, 16, 31, 32, 33, 62, 63};
    unsigned how = source_octet(s);
    uint64_t near = ((uint64_t)1 << shifts[how & 7]) - 2 + (how >> 3 & 3);
    if (how & 0x40)
        near += (uint64_t)125 * (how >> 5 & 1);
    return (how & 0x80) != 0 ? source_u64(s) : near;
}

/* One more frame of a message: may it come, and is it within the limit? Both sizes are what
 * a frame can say, and the limit is no more: tenon_recv_limit sees to that. */
static void message_step(tenon_message *message, unsigned first, uint64_t size, uint64_t limit)
{
    int continues = (first & 15) == 0;
    uint64_t before = message->size;
    int wrong = continues ? message->opcode == 0 : message->opcode != 0;
    uint16_t rule = tenon_message_order(message, (uint8_t)first);
    REQUIRE(rule == (!wrong ? TENON_RULE_NONE : continues ? TENON_RULE_CONTINUATION : TENON_RULE_UNFINISHED));
    if (wrong)
        return;
    REQUIRE(continues || before == 0);
    REQUIRE(tenon_message_fits(message, size, limit) == sum_within(before, size, limit));
    if (!sum_within(before, size, limit))
        return;
    tenon_message_begin(message, (uint8_t)first, size, 1);
    REQUIRE(message->size == before + size && message->size >= before);
    if ((first & 0x80) != 0)
        tenon_message_end(message);
}

static void write_header(source *s, tenon_message *message, uint64_t limit)
{
    tenon_frame frame, back;
    uint8_t out[TENON_FRAME_HEADER_MAX];
    unsigned first = source_octet(s), key;
    size_t size = 0;
    memset(&frame, 0, sizeof frame);
    key = source_octet(s);
    frame.first = (uint8_t)first;
    frame.masked = key & 1;
    if (frame.masked)
        memset(frame.key, (int)key, 4);
    frame.payload_size = number(s);
    if ((first & 15) <= 2 && frame.payload_size <= PAYLOAD_MAX)
        message_step(message, first, frame.payload_size, limit);
    if (frame.payload_size > PAYLOAD_MAX) {
        REQUIRE(tenon_frame_encode(&frame, out, &size) == TENON_ERR_ARG && size == 0);
        return;
    }
    REQUIRE(tenon_frame_encode(&frame, out, &size) == TENON_OK);
    REQUIRE(read_header(out, size) == size || (first & 15) > 2); /* a control frame can be too long */
    if (decode(out, size, &back, NULL, NULL) == TENON_OK)
        REQUIRE(back.payload_size == frame.payload_size && back.first == first && back.masked == frame.masked);
}

int fuzz_target(const uint8_t *data, size_t size)
{
    source s = {data, size};
    unsigned how = source_octet(&s);
    tenon_message message;
    uint64_t limit;
    if ((how & 1) == 0) {
        while (s.left > 0) {
            size_t n = read_header(s.p, s.left);
            n = n == 0 ? 1 : n;
            source_take(&s, &n);
        }
        return 0;
    }
    memset(&message, 0, sizeof message);
    limit = number(&s) & PAYLOAD_MAX;
    while (s.left > 0)
        write_header(&s, &message, limit);
    return 0;
}
