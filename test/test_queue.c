/* SPDX-License-Identifier: MIT */
#include "harness.h"

#include "queue.h"

/* --------------------------------------------------------------------- model */

/* What the queue should hold: octets in order, and where references end. */
typedef struct model {
    uint8_t octets[4096];
    size_t size;
    struct {
        size_t end;  /* distance of its last octet from the start of octets */
        int cookie;
    } refs[256];
    size_t refs_count;
    uint64_t acked; /* the start of octets in the stream */
} model;

typedef struct rig {
    tenon_queue queue;
    model expected;
    uint8_t *ring;
    uint8_t *lent[256]; /* memory of references */
    int next_cookie;
} rig;

static int cookies[256];

static void rig_start(rig *r, uint32_t size)
{
    memset(r, 0, sizeof *r);
    r->ring = malloc(size);
    assert_non_null(r->ring);
    tenon_queue_init(&r->queue, r->ring, size);
}

static void rig_stop(rig *r)
{
    int i;
    for (i = 0; i < r->next_cookie; i++)
        free(r->lent[i]);
    free(r->ring);
}

static void expect(rig *r, const void *data, size_t n)
{
    assert_true(n <= sizeof r->expected.octets - r->expected.size);
    if (n > 0)
        memcpy(r->expected.octets + r->expected.size, data, n);
    r->expected.size += n;
}

static void put(rig *r, size_t n, uint64_t *seed)
{
    uint8_t data[512];
    size_t i, before = tenon_queue_room(&r->queue);
    for (i = 0; i < n; i++)
        data[i] = (uint8_t)(draw(seed) >> 24);
    if (draw(seed) % 2) {
        static const uint8_t key[4] = {1, 2, 4, 8};
        tenon_queue_put_masked(&r->queue, data, n, key);
        tenon_mask(data, data, n, key, 0);
    } else {
        tenon_queue_put(&r->queue, data, n);
    }
    assert_int_equal(tenon_queue_room(&r->queue), before - n);
    expect(r, data, n);
}

/* release: its cookie comes back in the order of such references. */
static void put_ref(rig *r, size_t n, int release, uint64_t *seed)
{
    uint8_t *data = malloc(n > 0 ? n : 1);
    size_t i, before = tenon_queue_room(&r->queue);
    assert_non_null(data);
    for (i = 0; i < n; i++)
        data[i] = (uint8_t)(draw(seed) >> 24);
    r->lent[r->next_cookie] = data;
    tenon_queue_put_ref(&r->queue, data, n, cookies + r->next_cookie, release);
    assert_true(before - tenon_queue_room(&r->queue) <= TENON_QUEUE_REF_SIZE);
    expect(r, data, n);
    if (release) {
        r->expected.refs[r->expected.refs_count].end = r->expected.size;
        r->expected.refs[r->expected.refs_count].cookie = r->next_cookie;
        r->expected.refs_count++;
    }
    r->next_cookie++;
}

/* What is offered is what is expected, from the front. */
static size_t check_out(rig *r, size_t max)
{
    tenon_iov iov[64];
    size_t count = tenon_queue_out(&r->queue, iov, max), i, at = 0;
    assert_true(count <= max);
    assert_true(r->queue.pending == r->expected.size);
    for (i = 0; i < count; i++) {
        assert_true(iov[i].size > 0 && iov[i].size <= r->expected.size - at);
        assert_memory_equal(iov[i].base, r->expected.octets + at, iov[i].size);
        at += iov[i].size;
    }
    if (count < max)
        assert_int_equal(at, r->expected.size);
    return at;
}

static void acknowledge(rig *r, size_t n)
{
    model *m = &r->expected;
    size_t i;
    assert_int_equal(tenon_queue_sent(&r->queue, n), TENON_OK);
    memmove(m->octets, m->octets + n, m->size - n);
    m->size -= n;
    m->acked += n;
    for (i = 0; i < m->refs_count; i++)
        m->refs[i].end = m->refs[i].end > n ? m->refs[i].end - n : 0;
}

/* Gives back what it may, in order; returns how many. */
static int release(rig *r)
{
    model *m = &r->expected;
    int count = 0;
    while (r->queue.done > 0) {
        void *cookie = tenon_queue_release(&r->queue);
        assert_true(m->refs_count > 0);
        assert_int_equal(m->refs[0].end, 0);
        assert_ptr_equal(cookie, cookies + m->refs[0].cookie);
        m->refs_count--;
        memmove(m->refs, m->refs + 1, m->refs_count * sizeof m->refs[0]);
        count++;
    }
    return count;
}

/* -------------------------------------------------------------------- wrapping */

/* The end of the memory at every place of what is put, acknowledged at every octet. */
static void test_wrap(void **state)
{
    enum { SIZE = 96 };
    size_t begin, ack;
    (void)state;
    for (begin = 0; begin < SIZE; begin++) {
        for (ack = 0; ack <= SIZE - 1; ack++) {
            uint64_t seed = begin * 1000 + ack + 1;
            size_t n;
            rig r;
            rig_start(&r, SIZE);
            put(&r, begin, &seed);
            put(&r, 1, &seed); /* keeps the queue from being empty */
            n = check_out(&r, 4);
            assert_int_equal(n, begin + 1);
            acknowledge(&r, begin);
            put(&r, SIZE - 1, &seed);
            assert_int_equal(tenon_queue_room(&r.queue), 0);
            assert_int_equal(check_out(&r, 4), SIZE);
            acknowledge(&r, ack);
            assert_int_equal(tenon_queue_room(&r.queue), ack);
            assert_int_equal(check_out(&r, 4), SIZE - ack);
            acknowledge(&r, SIZE - ack);
            assert_int_equal(check_out(&r, 4), 0);
            assert_int_equal(tenon_queue_room(&r.queue), SIZE);
            put(&r, SIZE, &seed); /* an empty queue begins at the start of its memory */
            assert_int_equal(check_out(&r, 1), SIZE);
            rig_stop(&r);
        }
    }
}

/* A descriptor over the end of the memory, with octets around it. */
static void test_wrap_ref(void **state)
{
    enum { SIZE = 160 };
    size_t begin, ack;
    (void)state;
    for (begin = 0; begin < 110; begin++) {
        for (ack = 0; ack <= 14; ack++) {
            uint64_t seed = begin * 1000 + ack + 1;
            rig r;
            rig_start(&r, SIZE);
            put(&r, begin, &seed);
            put(&r, 1, &seed);
            (void)check_out(&r, 4);
            acknowledge(&r, begin);
            put(&r, 3, &seed);
            put_ref(&r, 5, 1, &seed);
            put(&r, 2, &seed);
            put_ref(&r, 0, 1, &seed);
            put_ref(&r, 3, 0, &seed);
            assert_int_equal(check_out(&r, 16), 14);
            acknowledge(&r, ack);
            assert_int_equal(tenon_queue_refs_pending(&r.queue), 3 - (ack >= 9) - (ack >= 11) - (ack >= 14));
            assert_int_equal(release(&r), (ack >= 9) + (ack >= 11));
            assert_int_equal(check_out(&r, 16), 14 - ack);
            acknowledge(&r, 14 - ack);
            assert_int_equal(release(&r), 2 - (ack >= 9) - (ack >= 11));
            assert_int_equal(tenon_queue_room(&r.queue), SIZE);
            rig_stop(&r);
        }
    }
}

/* --------------------------------------------------------------- the contract */

/* More than was offered is refused, and changes nothing. */
static void test_ack(void **state)
{
    uint64_t seed = 1;
    tenon_iov iov[1];
    tenon_queue before;
    rig r;
    (void)state;
    rig_start(&r, 128);
    assert_int_equal(tenon_queue_sent(&r.queue, 1), TENON_ERR_ACK);
    assert_int_equal(tenon_queue_sent(&r.queue, 0), TENON_OK);
    put(&r, 10, &seed);
    assert_int_equal(tenon_queue_sent(&r.queue, 1), TENON_ERR_ACK); /* not offered yet */
    put_ref(&r, 5, 0, &seed);
    assert_int_equal(tenon_queue_out(&r.queue, iov, 1), 1); /* only the first piece */
    before = r.queue;
    assert_int_equal(tenon_queue_sent(&r.queue, 11), TENON_ERR_ACK);
    assert_int_equal(tenon_queue_sent(&r.queue, SIZE_MAX), TENON_ERR_ACK);
    assert_memory_equal(&before, &r.queue, sizeof before);
    acknowledge(&r, 4);
    acknowledge(&r, 6); /* in parts, of the same offer */
    assert_int_equal(tenon_queue_sent(&r.queue, 1), TENON_ERR_ACK);
    assert_int_equal(check_out(&r, 4), 5);
    acknowledge(&r, 5);
    rig_stop(&r);
}

/* A mark without octets comes back when all before it is acknowledged, at once in
 * an empty queue. */
static void test_mark(void **state)
{
    uint64_t seed = 1;
    rig r;
    (void)state;
    rig_start(&r, 128);
    put_ref(&r, 0, 1, &seed);
    assert_int_equal(check_out(&r, 4), 0);
    assert_int_equal(release(&r), 0);
    acknowledge(&r, 0);
    assert_int_equal(release(&r), 1);
    put(&r, 3, &seed);
    put_ref(&r, 0, 1, &seed);
    assert_int_equal(check_out(&r, 4), 3);
    acknowledge(&r, 2);
    assert_int_equal(release(&r), 0);
    acknowledge(&r, 1);
    assert_int_equal(release(&r), 1);
    assert_int_equal(tenon_queue_room(&r.queue), 128);
    rig_stop(&r);
}

/* What is dropped is not offered any more; its references come back in order. */
static void test_drop(void **state)
{
    size_t acked;
    (void)state;
    for (acked = 0; acked <= 20; acked++) {
        uint64_t seed = acked + 1;
        rig r;
        rig_start(&r, 256);
        put(&r, 4, &seed);
        put_ref(&r, 6, 1, &seed);
        put_ref(&r, 4, 0, &seed);
        put(&r, 2, &seed);
        put_ref(&r, 4, 1, &seed);
        (void)check_out(&r, 16);
        acknowledge(&r, acked);
        tenon_queue_drop(&r.queue);
        assert_true(r.queue.pending == 0);
        r.expected.size = 0;
        assert_int_equal(check_out(&r, 16), 0);
        assert_int_equal(tenon_queue_sent(&r.queue, 1), TENON_ERR_ACK);
        r.expected.refs[0].end = r.expected.refs[1].end = 0;
        assert_int_equal(release(&r), 2);
        assert_int_equal(tenon_queue_room(&r.queue), 256);
        rig_stop(&r);
    }
}

/* A writer over the whole ring, and what it wrote. */
static void test_text(void **state)
{
    tenon_queue queue;
    tenon_text text;
    tenon_iov iov[2];
    uint8_t ring[64];
    (void)state;
    tenon_queue_init(&queue, ring, sizeof ring);
    text = tenon_queue_text(&queue);
    assert_int_equal(text.room, sizeof ring);
    tenon_text_string(&text, "HTTP/1.1 101 ");
    tenon_queue_commit(&queue, &text);
    tenon_queue_put(&queue, "more", 4);
    assert_int_equal(tenon_queue_out(&queue, iov, 2), 1);
    assert_int_equal(iov[0].size, 17);
    assert_memory_equal(iov[0].base, "HTTP/1.1 101 more", 17);
    tenon_queue_init(&queue, NULL, 0);
    assert_int_equal(tenon_queue_room(&queue), 0);
    assert_int_equal(tenon_queue_out(&queue, iov, 2), 0);
    assert_int_equal(tenon_queue_text(&queue).room, 0);
    tenon_queue_drop(&queue);
}

/* ------------------------------------------------------------------- at random */

/* Octets once offered keep place and value until they are acknowledged. */
typedef struct offer {
    tenon_iov iov[64];
    uint8_t copy[4096];
    size_t count;
} offer;

static void take_offer(rig *r, offer *o)
{
    size_t i, at = 0;
    o->count = tenon_queue_out(&r->queue, o->iov, COUNT_OF(o->iov));
    for (i = 0; i < o->count; i++) {
        memcpy(o->copy + at, o->iov[i].base, o->iov[i].size);
        at += o->iov[i].size;
    }
}

static void check_offer(const offer *o)
{
    size_t i, at = 0;
    for (i = 0; i < o->count; i++) {
        assert_memory_equal(o->iov[i].base, o->copy + at, o->iov[i].size);
        at += o->iov[i].size;
    }
}

static void fill_up(rig *r, uint64_t *seed)
{
    size_t room = tenon_queue_room(&r->queue);
    if (draw(seed) % 3 == 0) {
        if (room >= TENON_QUEUE_REF_SIZE && r->next_cookie < 256)
            put_ref(r, (size_t)(draw(seed) % 50), (int)(draw(seed) % 2), seed);
    } else if (room > 0) {
        put(r, (size_t)(draw(seed) % room % 60), seed);
    }
}

static void test_random(void **state)
{
    uint64_t seed;
    (void)state;
    for (seed = 1; seed <= 400; seed++) {
        uint64_t s = seed * 0x9e3779b97f4a7c15u;
        int i;
        rig r;
        rig_start(&r, (uint32_t)(100 + draw(&s) % 200));
        for (i = 0; i < 300; i++) {
            offer o;
            size_t n;
            take_offer(&r, &o);
            fill_up(&r, &s);
            if (draw(&s) % 4 == 0)
                (void)release(&r); /* frees nothing that is offered */
            fill_up(&r, &s);
            check_offer(&o);
            n = check_out(&r, 1 + (size_t)(draw(&s) % 8));
            acknowledge(&r, n > 0 ? (size_t)(draw(&s) % (n + 1)) : 0);
        }
        (void)release(&r);
        acknowledge(&r, check_out(&r, 64));
        (void)release(&r);
        assert_int_equal(r.expected.refs_count, 0);
        assert_int_equal(r.expected.size, 0);
        assert_int_equal(tenon_queue_room(&r.queue), r.queue.size);
        rig_stop(&r);
    }
}

/* No room for pieces: none is told, and none is offered. */
static void test_out_without_room(void **state)
{
    uint8_t ring[64];
    tenon_iov iov = {NULL, 0};
    tenon_queue queue;
    (void)state;
    tenon_queue_init(&queue, ring, sizeof ring);
    tenon_queue_put(&queue, "Hello", 5);
    assert_int_equal(tenon_queue_out(&queue, &iov, 0), 0);
    assert_null(iov.base);
    assert_int_equal(tenon_queue_sent(&queue, 1), TENON_ERR_ACK);
    assert_int_equal(tenon_queue_out(&queue, &iov, 1), 1);
    assert_int_equal(iov.size, 5);
    assert_int_equal(tenon_queue_sent(&queue, 5), TENON_OK);
}

/* What was offered and then dropped cannot be acknowledged, and its room is free; with one
 * reference in it, or with none. */
static void test_drop_of_what_was_offered(void **state)
{
    uint8_t ring[128];
    tenon_queue queue;
    tenon_iov iov[4];
    int with;
    (void)state;
    for (with = 0; with < 2; with++) {
        tenon_queue_init(&queue, ring, sizeof ring);
        tenon_queue_put(&queue, "Hello", 5);
        if (with)
            tenon_queue_put_ref(&queue, "there", 5, cookies, 1);
        assert_int_equal(tenon_queue_out(&queue, iov, COUNT_OF(iov)), 1 + with);
        tenon_queue_drop(&queue);
        assert_int_equal(tenon_queue_sent(&queue, 1), TENON_ERR_ACK);
        assert_int_equal(queue.pending, 0);
        assert_int_equal(queue.done, with);
        if (with)
            assert_ptr_equal(tenon_queue_release(&queue), cookies);
        assert_int_equal(tenon_queue_room(&queue), sizeof ring);
    }
    /* octets that nobody wants back, and the mark that gives a cookie back */
    tenon_queue_init(&queue, ring, sizeof ring);
    tenon_queue_put_ref(&queue, "there", 5, NULL, 0);
    tenon_queue_put_ref(&queue, NULL, 0, cookies + 1, 1);
    tenon_queue_drop(&queue);
    assert_int_equal(queue.done, 1);
    assert_ptr_equal(tenon_queue_release(&queue), cookies + 1);
    assert_int_equal(tenon_queue_room(&queue), sizeof ring);
    /* one of which a part was taken leaves nothing to the next */
    tenon_queue_put_ref(&queue, "there", 5, cookies, 1);
    assert_int_equal(tenon_queue_out(&queue, iov, COUNT_OF(iov)), 1);
    assert_int_equal(tenon_queue_sent(&queue, 2), TENON_OK);
    tenon_queue_drop(&queue);
    assert_ptr_equal(tenon_queue_release(&queue), cookies);
    tenon_queue_put_ref(&queue, "again", 5, cookies, 1);
    assert_int_equal(tenon_queue_out(&queue, iov, COUNT_OF(iov)), 1);
    assert_int_equal(iov[0].size, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrap),
        cmocka_unit_test(test_wrap_ref),
        cmocka_unit_test(test_ack),
        cmocka_unit_test(test_mark),
        cmocka_unit_test(test_drop),
        cmocka_unit_test(test_drop_of_what_was_offered),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_out_without_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
