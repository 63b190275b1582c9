/* SPDX-License-Identifier: MIT */
#include "harness.h"

/* A number that programs, bindings and logs rely on, and the name that goes with it. */
typedef struct pin {
    int symbol, number;
    const char *name;
} pin;

static const pin statuses[] = {
    {TENON_OK, 0, "TENON_OK"}, {TENON_EVENT, 1, "TENON_EVENT"}, {TENON_STOPPED, 2, "TENON_STOPPED"},
    {TENON_DONE, 3, "TENON_DONE"}, {TENON_MORE, 4, "TENON_MORE"}, {TENON_WAIT, 5, "TENON_WAIT"},
    {TENON_END, 6, "TENON_END"}, {TENON_ERR_NULL, -1, "TENON_ERR_NULL"}, {TENON_ERR_SIZE, -2, "TENON_ERR_SIZE"},
    {TENON_ERR_ARG, -3, "TENON_ERR_ARG"}, {TENON_ERR_STATE, -4, "TENON_ERR_STATE"},
    {TENON_ERR_REENTRY, -5, "TENON_ERR_REENTRY"}, {TENON_ERR_BUSY, -6, "TENON_ERR_BUSY"},
    {TENON_ERR_AGAIN, -7, "TENON_ERR_AGAIN"}, {TENON_ERR_TOO_BIG, -8, "TENON_ERR_TOO_BIG"},
    {TENON_ERR_UTF8, -9, "TENON_ERR_UTF8"}, {TENON_ERR_CODE, -10, "TENON_ERR_CODE"},
    {TENON_ERR_CONTROL_SIZE, -11, "TENON_ERR_CONTROL_SIZE"}, {TENON_ERR_RANDOM, -12, "TENON_ERR_RANDOM"},
    {TENON_ERR_HEADER, -13, "TENON_ERR_HEADER"}, {TENON_ERR_URI, -14, "TENON_ERR_URI"},
    {TENON_ERR_SUBPROTOCOL, -15, "TENON_ERR_SUBPROTOCOL"}, {TENON_ERR_EXTENSION, -16, "TENON_ERR_EXTENSION"},
    {TENON_ERR_ACK, -17, "TENON_ERR_ACK"}, {TENON_ERR_STATUS, -18, "TENON_ERR_STATUS"},
    {TENON_ERR_PROTOCOL, -19, "TENON_ERR_PROTOCOL"}, {TENON_ERR_IO, -20, "TENON_ERR_IO"},
};

static const pin events[] = {
    {TENON_EV_REQUEST, 1, "REQUEST"}, {TENON_EV_RESPONSE, 2, "RESPONSE"}, {TENON_EV_OPEN, 3, "OPEN"},
    {TENON_EV_DATA, 4, "DATA"}, {TENON_EV_BODY, 5, "BODY"}, {TENON_EV_PING, 6, "PING"}, {TENON_EV_PONG, 7, "PONG"},
    {TENON_EV_CLOSE, 8, "CLOSE"}, {TENON_EV_WRITABLE, 9, "WRITABLE"}, {TENON_EV_RELEASED, 10, "RELEASED"},
    {TENON_EV_CLOSED, 11, "CLOSED"},
};

static const pin states[] = {
    {TENON_CONNECTING, 0, "CONNECTING"}, {TENON_OPEN, 1, "OPEN"}, {TENON_CLOSING, 2, "CLOSING"},
    {TENON_CLOSED, 3, "CLOSED"},
};

static const pin rules[] = {
    {TENON_RULE_NONE, 0, "NONE"}, {TENON_RULE_RSV, 1, "RSV"}, {TENON_RULE_OPCODE, 2, "OPCODE"},
    {TENON_RULE_CONTROL_FIN, 3, "CONTROL_FIN"}, {TENON_RULE_CONTROL_SIZE, 4, "CONTROL_SIZE"},
    {TENON_RULE_MASK_MISSING, 5, "MASK_MISSING"}, {TENON_RULE_MASK_PRESENT, 6, "MASK_PRESENT"},
    {TENON_RULE_LENGTH_MINIMAL, 7, "LENGTH_MINIMAL"}, {TENON_RULE_LENGTH_RANGE, 8, "LENGTH_RANGE"},
    {TENON_RULE_CONTINUATION, 9, "CONTINUATION"}, {TENON_RULE_UNFINISHED, 10, "UNFINISHED"},
    {TENON_RULE_UTF8, 11, "UTF8"}, {TENON_RULE_UTF8_END, 12, "UTF8_END"}, {TENON_RULE_CLOSE_SIZE, 13, "CLOSE_SIZE"},
    {TENON_RULE_CLOSE_CODE, 14, "CLOSE_CODE"}, {TENON_RULE_CLOSE_UTF8, 15, "CLOSE_UTF8"},
    {TENON_RULE_MESSAGE_SIZE, 16, "MESSAGE_SIZE"}, {TENON_RULE_FRAGMENTS, 17, "FRAGMENTS"},
    {TENON_RULE_CONTROL_FLOOD, 18, "CONTROL_FLOOD"}, {TENON_RULE_DEFLATE, 20, "DEFLATE"},
    {TENON_RULE_DEFLATE_END, 21, "DEFLATE_END"}, {TENON_RULE_DEFLATE_EMPTY, 22, "DEFLATE_EMPTY"},
    {TENON_RULE_DEFLATE_AGREED, 23, "DEFLATE_AGREED"}, {TENON_RULE_CODEC, 24, "CODEC"},
    {TENON_RULE_START_LINE, 40, "START_LINE"},
    {TENON_RULE_LINE_END, 41, "LINE_END"}, {TENON_RULE_FIELD_NAME, 42, "FIELD_NAME"},
    {TENON_RULE_FIELD_VALUE, 43, "FIELD_VALUE"}, {TENON_RULE_FOLD, 44, "FOLD"},
    {TENON_RULE_HEAD_SIZE, 45, "HEAD_SIZE"}, {TENON_RULE_TARGET_SIZE, 46, "TARGET_SIZE"},
    {TENON_RULE_HEADERS, 47, "HEADERS"}, {TENON_RULE_HTTP_VERSION, 48, "HTTP_VERSION"},
    {TENON_RULE_METHOD, 49, "METHOD"}, {TENON_RULE_TARGET, 50, "TARGET"}, {TENON_RULE_HOST, 51, "HOST"},
    {TENON_RULE_BODY, 52, "BODY"}, {TENON_RULE_TRANSFER_CODING, 53, "TRANSFER_CODING"},
    {TENON_RULE_EXPECT, 54, "EXPECT"}, {TENON_RULE_UPGRADE, 60, "UPGRADE"}, {TENON_RULE_CONNECTION, 61, "CONNECTION"},
    {TENON_RULE_KEY, 62, "KEY"}, {TENON_RULE_VERSION, 63, "VERSION"}, {TENON_RULE_SUBPROTOCOL, 64, "SUBPROTOCOL"},
    {TENON_RULE_EXTENSION, 65, "EXTENSION"}, {TENON_RULE_ACCEPT, 66, "ACCEPT"}, {TENON_RULE_STATUS, 67, "STATUS"},
    {TENON_RULE_INTERIM, 68, "INTERIM"}, {TENON_RULE_EARLY, 69, "EARLY"}, {TENON_RULE_PSEUDO, 80, "PSEUDO"},
    {TENON_RULE_PROTOCOL, 81, "PROTOCOL"}, {TENON_RULE_SCHEME, 82, "SCHEME"},
    {TENON_RULE_FIELD_FORBIDDEN, 83, "FIELD_FORBIDDEN"}, {TENON_RULE_HANDSHAKE_TIMEOUT, 100, "HANDSHAKE_TIMEOUT"},
    {TENON_RULE_IDLE_TIMEOUT, 101, "IDLE_TIMEOUT"}, {TENON_RULE_PONG_TIMEOUT, 102, "PONG_TIMEOUT"},
    {TENON_RULE_CLOSE_TIMEOUT, 103, "CLOSE_TIMEOUT"}, {TENON_RULE_STALL_TIMEOUT, 104, "STALL_TIMEOUT"},
    {TENON_RULE_EOF, 110, "EOF"}, {TENON_RULE_ABORT, 111, "ABORT"}, {TENON_RULE_RANDOM, 112, "RANDOM"},
    {TENON_RULE_REJECTED, 113, "REJECTED"},
};

/* The names of close codes are for people; only the numbers are pinned. */
static const pin closes[] = {
    {TENON_CLOSE_NORMAL, 1000, "NORMAL"}, {TENON_CLOSE_GOING_AWAY, 1001, "GOING_AWAY"},
    {TENON_CLOSE_PROTOCOL, 1002, "PROTOCOL"}, {TENON_CLOSE_UNSUPPORTED, 1003, "UNSUPPORTED"},
    {TENON_CLOSE_NONE, 1005, "NONE"}, {TENON_CLOSE_ABNORMAL, 1006, "ABNORMAL"}, {TENON_CLOSE_DATA, 1007, "DATA"},
    {TENON_CLOSE_POLICY, 1008, "POLICY"}, {TENON_CLOSE_TOO_BIG, 1009, "TOO_BIG"},
    {TENON_CLOSE_EXTENSION, 1010, "EXTENSION"}, {TENON_CLOSE_INTERNAL, 1011, "INTERNAL"},
    {TENON_CLOSE_RESTART, 1012, "RESTART"}, {TENON_CLOSE_LATER, 1013, "LATER"},
    {TENON_CLOSE_GATEWAY, 1014, "GATEWAY"},
};

/* Every number of the table has its name, and every other number, far and wide, none. */
static void check(const pin *table, size_t count, const char *(*name)(int number))
{
    size_t i;
    int number;
    for (i = 0; i < count; i++) {
        assert_int_equal(table[i].symbol, table[i].number);
        assert_string_equal(name(table[i].number), table[i].name);
    }
    for (number = -300; number < 70000; number++) {
        for (i = 0; i < count && table[i].number != number; i++) {
        }
        if (i == count)
            assert_string_equal(name(number), "unknown");
    }
    assert_string_equal(name(INT32_MAX), "unknown");
    assert_string_equal(name(INT32_MIN), "unknown");
}

static void test_pinned(void **state)
{
    (void)state;
    check(statuses, COUNT_OF(statuses), tenon_status_name);
    check(events, COUNT_OF(events), tenon_event_name);
    check(states, COUNT_OF(states), tenon_state_name);
    check(rules, COUNT_OF(rules), tenon_rule_name);
}

static void assert_distinct(const pin *table, size_t count, const char *(*text)(int number))
{
    size_t i, j;
    for (i = 0; i < count; i++) {
        assert_true(strlen(text(table[i].number)) > 2);
        assert_string_not_equal(text(table[i].number), "unknown");
        for (j = 0; j < i; j++)
            assert_string_not_equal(text(table[i].number), text(table[j].number));
    }
}

/* Each rule has a sentence of its own, and a section unless nothing was broken. */
/* covers: 6455-7.1.7-04 */
static void test_rules(void **state)
{
    size_t i;
    (void)state;
    assert_distinct(rules, COUNT_OF(rules), tenon_rule_text);
    for (i = 1; i < COUNT_OF(rules); i++) {
        const char *section = tenon_rule_section(rules[i].number);
        assert_memory_equal(section, "RFC ", 4);
        assert_non_null(strchr(section, ','));
    }
    assert_string_equal(tenon_rule_text(9999), "unknown");
    assert_non_null(tenon_rule_section(9999));
    assert_non_null(tenon_rule_section(TENON_RULE_NONE));
}

static void test_closes(void **state)
{
    size_t i;
    (void)state;
    assert_distinct(closes, COUNT_OF(closes), tenon_close_name);
    for (i = 0; i < COUNT_OF(closes); i++)
        assert_int_equal(closes[i].symbol, closes[i].number);
    assert_string_equal(tenon_close_name(TENON_CLOSE_PROTOCOL), "protocol error");
    assert_string_equal(tenon_close_name(4999), "unknown");
    assert_string_equal(tenon_close_name(-1), "unknown");
}

/* Flags are bits that do not overlap, RSV bits where the wire has them. */
static void test_flags(void **state)
{
    static const uint32_t flags[] = {TENON_FIRST, TENON_LAST, TENON_FRAME_FIRST, TENON_FRAME_LAST,
                                     TENON_RSV3,  TENON_RSV2, TENON_RSV1,        TENON_CLEAN,
                                     TENON_OWN,   TENON_PLAIN, TENON_TRUSTED,    TENON_COPY};
    uint32_t all = 0;
    size_t i;
    (void)state;
    for (i = 0; i < COUNT_OF(flags); i++) {
        assert_int_equal(all & flags[i], 0);
        all |= flags[i];
    }
    assert_int_equal(all, 0x377f);
    assert_int_equal(TENON_RSV1 | TENON_RSV2 | TENON_RSV3, 0x70);
}

static void test_version(void **state)
{
    (void)state;
    assert_int_equal(tenon_version(),
                     TENON_VERSION_MAJOR * 65536 + TENON_VERSION_MINOR * 256 + TENON_VERSION_PATCH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pinned),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_closes),
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
