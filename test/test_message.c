/* SPDX-License-Identifier: MIT */
#include "harness.h"

#include "message.h"

static void test_order(void **state)
{
    tenon_message message;
    (void)state;
    memset(&message, 0, sizeof message);
    assert_int_equal(tenon_message_order(&message, 0x00), TENON_RULE_CONTINUATION);
    assert_int_equal(tenon_message_order(&message, 0x80), TENON_RULE_CONTINUATION);
    assert_int_equal(tenon_message_order(&message, 0x01), TENON_RULE_NONE);
    assert_int_equal(tenon_message_order(&message, 0x82), TENON_RULE_NONE);
    tenon_message_begin(&message, 0x01, 3, 1);
    assert_int_equal(tenon_message_order(&message, 0x00), TENON_RULE_NONE);
    assert_int_equal(tenon_message_order(&message, 0x80), TENON_RULE_NONE);
    assert_int_equal(tenon_message_order(&message, 0x81), TENON_RULE_UNFINISHED);
    assert_int_equal(tenon_message_order(&message, 0x02), TENON_RULE_UNFINISHED);
}

/* The sum of fragments against the limit, and near the end of what is counted. */
static void test_fits(void **state)
{
    static const uint64_t most = UINT64_MAX / 2;
    tenon_message message;
    (void)state;
    memset(&message, 0, sizeof message);
    assert_true(tenon_message_fits(&message, 10, 10));
    assert_false(tenon_message_fits(&message, 11, 10));
    assert_true(tenon_message_fits(&message, 0, 0));
    tenon_message_begin(&message, 0x02, 7, 0);
    assert_true(tenon_message_fits(&message, 3, 10));
    assert_false(tenon_message_fits(&message, 4, 10));
    assert_true(tenon_message_fits(&message, most - 7, most));
    assert_false(tenon_message_fits(&message, most - 6, most));
    assert_false(tenon_message_fits(&message, most, most));
    assert_false(tenon_message_fits(&message, 0, 6)); /* a limit that has sunk below it */
    assert_false(tenon_message_fits(&message, most, 6));
    tenon_message_end(&message);
    assert_true(tenon_message_fits(&message, 10, 10)); /* a new one does not count the old */
}

static void test_begin(void **state)
{
    tenon_message message;
    (void)state;
    memset(&message, 0xff, sizeof message);
    tenon_message_end(&message);
    tenon_message_begin(&message, 0x41, 5, 1);
    assert_int_equal(message.opcode, TENON_TEXT);
    assert_int_equal(message.first, 0x41);
    assert_int_equal(message.text, 1);
    assert_int_equal(message.told, 0);
    assert_int_equal(message.fragments, 1);
    assert_true(message.size == 5 && message.delivered == 0);
    tenon_message_begin(&message, 0x80, 6, 0);
    assert_int_equal(message.opcode, TENON_TEXT);
    assert_int_equal(message.first, 0x41);
    assert_int_equal(message.text, 1);
    assert_int_equal(message.fragments, 2);
    assert_true(message.size == 11);
    message.fragments = UINT32_MAX; /* without a limit the count stays at its end */
    tenon_message_begin(&message, 0x00, 0, 0);
    assert_int_equal(message.fragments, UINT32_MAX);
    tenon_message_end(&message);
    tenon_message_begin(&message, 0x02, 0, 1);
    assert_int_equal(message.text, 0); /* never for binary */
    tenon_message_end(&message);
    tenon_message_begin(&message, 0x01, 0, 0);
    assert_int_equal(message.text, 0);
}

/* With and without key, in place and copied, over frames, at every cut. */
static void test_take(void **state)
{
    static const char text[] = "caf\xc3\xa9 \xf0\x9f\x98\x80!";
    static const uint8_t key[4] = {0xa1, 0xb2, 0xc3, 0xd4};
    size_t n = sizeof text - 1, cut;
    int masked, in_place;
    (void)state;
    for (masked = 0; masked < 2; masked++) {
        for (in_place = 0; in_place < 2; in_place++) {
            for (cut = 0; cut <= n; cut++) {
                uint8_t src[32], dst[32];
                tenon_message message;
                uint8_t *out = in_place ? src : dst;
                memset(&message, 0, sizeof message);
                tenon_message_begin(&message, 0x81, n, 1);
                memcpy(src, text, n);
                if (masked)
                    tenon_mask(src, src, n, key, 0);
                assert_int_equal(tenon_message_take(tenon_message_text(&message), out, src, cut, masked ? key : NULL, 0), cut);
                assert_int_equal(tenon_message_whole(&message),
                                 cut != 4 && cut != 7 && cut != 8 && cut != 9);
                assert_int_equal(tenon_message_take(tenon_message_text(&message), out + cut, src + cut, n - cut,
                                                    masked ? key : NULL, cut & 3),
                                 n - cut);
                assert_int_equal(tenon_message_whole(&message), 1);
                assert_memory_equal(out, text, n);
            }
        }
    }
}

/* The index of the first bad octet; binary and unchecked text have none. */
static void test_take_bad(void **state)
{
    static const uint8_t key[4] = {0xa1, 0xb2, 0xc3, 0xd4};
    static const uint8_t bad[] = {'a', 0xed, 0xa0, 0x80, 'b'};
    int masked, kind;
    (void)state;
    for (masked = 0; masked < 2; masked++) {
        for (kind = 0; kind < 3; kind++) {
            uint8_t src[5], dst[5];
            tenon_message message;
            memset(&message, 0, sizeof message);
            memcpy(src, bad, 5);
            if (masked)
                tenon_mask(src, src, 5, key, 0);
            tenon_message_begin(&message, kind == 0 ? 0x82 : 0x81, 5, kind == 2);
            assert_int_equal(tenon_message_take(tenon_message_text(&message), dst, src, 5, masked ? key : NULL, 0), kind == 2 ? 2 : 5);
            assert_memory_equal(dst, bad, kind == 2 ? 2 : 5);
        }
    }
}

/* Nothing is taken from nowhere. */
static void test_nothing(void **state)
{
    tenon_message message;
    uint8_t octet = 'x';
    (void)state;
    tenon_message_end(&message);
    tenon_message_begin(&message, 0x81, 0, 1);
    assert_int_equal(tenon_message_take(tenon_message_text(&message), &octet, NULL, 0, NULL, 0), 0);
    assert_int_equal(tenon_message_take(tenon_message_text(&message), NULL, &octet, 0, NULL, 0), 0);
    assert_int_equal(octet, 'x');
    assert_int_equal(tenon_message_whole(&message), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_fits),
        cmocka_unit_test(test_begin),
        cmocka_unit_test(test_take),
        cmocka_unit_test(test_take_bad),
        cmocka_unit_test(test_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
