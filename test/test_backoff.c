/* SPDX-License-Identifier: MIT */
#include "harness.h"

static const uint8_t lowest[4] = {0, 0, 0, 0}, highest[4] = {255, 255, 255, 255}, middle[4] = {128, 0, 0, 0};

static tenon_backoff fresh(void)
{
    tenon_backoff b;
    memset(&b, 0, sizeof b);
    b.size = (uint32_t)sizeof b;
    return b;
}

static uint32_t delay(tenon_backoff *b, uint64_t open_ms, const uint8_t random[4])
{
    uint32_t ms = 0xdddddddd;
    assert_int_equal(tenon_backoff_next(b, open_ms, random, &ms), TENON_OK);
    return ms;
}

/* The first within first_ms, then base_ms, doubled up to cap_ms, from its upper half. */
/* covers: 6455-7.2.3-01 */
static void test_steps(void **state)
{
    static const uint32_t steps[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000};
    tenon_backoff low = fresh(), mid = fresh(), high = fresh();
    size_t i;
    (void)state;
    assert_int_equal(delay(&low, 0, lowest), 0);
    assert_int_equal(delay(&mid, 0, middle), 2500);
    assert_int_equal(delay(&high, 0, highest), 5000);
    for (i = 0; i < COUNT_OF(steps); i++) {
        assert_int_equal(delay(&low, 0, lowest), steps[i] / 2);
        assert_in_range(delay(&mid, 0, middle), steps[i] * 3 / 4, steps[i] * 3 / 4 + 1);
        assert_int_equal(delay(&high, 0, highest), steps[i]);
        assert_int_equal(low.failures, i + 2);
    }
}

/* As set, with values that are odd, equal, the wrong way round, or the largest. */
static void test_set(void **state)
{
    static const struct {
        uint32_t base, cap, steps[4];
    } list[] = {
        {1, 10, {1, 2, 4, 8}},
        {3, 7, {3, 6, 7, 7}},
        {500, 500, {500, 500, 500, 500}},
        {900, 100, {100, 100, 100, 100}},
        {UINT32_MAX, UINT32_MAX, {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX}},
        {UINT32_MAX / 2 + 1, UINT32_MAX, {UINT32_MAX / 2 + 1, UINT32_MAX, UINT32_MAX, UINT32_MAX}},
    };
    size_t i, j;
    (void)state;
    for (i = 0; i < COUNT_OF(list); i++) {
        tenon_backoff low = fresh(), high = fresh();
        low.base_ms = high.base_ms = list[i].base;
        low.cap_ms = high.cap_ms = list[i].cap;
        low.first_ms = high.first_ms = 7;
        assert_int_equal(delay(&low, 0, lowest), 0);
        assert_int_equal(delay(&high, 0, highest), 7);
        for (j = 0; j < 4; j++) {
            uint32_t step = list[i].steps[j];
            assert_int_equal(delay(&high, 0, highest), step);
            assert_int_equal(delay(&low, 0, lowest), step - step / 2);
        }
    }
}

/* Over the widest range the delay is the random number itself, its first octet the highest. */
static void test_every_octet_counts(void **state)
{
    static const uint8_t random[4] = {0x12, 0x34, 0x56, 0x78};
    tenon_backoff b = fresh();
    (void)state;
    b.first_ms = UINT32_MAX;
    assert_int_equal(delay(&b, 0, random), 0x12345678);
}

/* A connection that was open for stable_ms begins the count again, one millisecond
 * less does not. */
static void test_stable(void **state)
{
    static const uint32_t set[] = {0, 1, 500};
    size_t i;
    (void)state;
    for (i = 0; i < COUNT_OF(set); i++) {
        uint32_t stable = set[i] ? set[i] : 30000;
        tenon_backoff b = fresh();
        b.stable_ms = set[i];
        (void)delay(&b, 0, highest);
        assert_int_equal(delay(&b, 0, highest), 1000);
        assert_int_equal(delay(&b, stable - 1, highest), 2000);
        assert_int_equal(delay(&b, stable, highest), 5000);
        assert_int_equal(b.failures, 1);
        assert_int_equal(delay(&b, 0, highest), 1000);
        assert_int_equal(delay(&b, UINT64_MAX, highest), 5000);
    }
}

static void test_many(void **state)
{
    tenon_backoff b = fresh();
    (void)state;
    b.failures = UINT32_MAX - 1;
    assert_int_equal(delay(&b, 0, highest), 60000);
    assert_int_equal(delay(&b, 0, highest), 60000);
    assert_int_equal(b.failures, UINT32_MAX);
}

static void test_errors(void **state)
{
    tenon_backoff b = fresh(), before;
    uint32_t ms = 7;
    (void)state;
    assert_int_equal(tenon_backoff_next(NULL, 0, lowest, &ms), TENON_ERR_NULL);
    assert_int_equal(tenon_backoff_next(&b, 0, NULL, &ms), TENON_ERR_NULL);
    assert_int_equal(tenon_backoff_next(&b, 0, lowest, NULL), TENON_ERR_NULL);
    b.size--;
    before = b;
    assert_int_equal(tenon_backoff_next(&b, 0, lowest, &ms), TENON_ERR_SIZE);
    assert_memory_equal(&before, &b, sizeof b);
    assert_int_equal(ms, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_every_octet_counts),
        cmocka_unit_test(test_stable),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
