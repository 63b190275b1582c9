/* SPDX-License-Identifier: MIT */
/* The queue: every ring of up to N octets, every place in it, every put that fits and
 * every acknowledgement; and references in a ring of R octets that go round it. */
#include "proof.h"
#include "queue.h"

#define R (2 * sizeof(void *) * 6)

static uint8_t ring[N + 1], data[N + 1], large[R];
static tenon_queue queue;
static const uint8_t key[4] = {1, 2, 3, 4};

/* Brings it to where used octets begin at head. */
static void bring(uint32_t size, uint32_t head, uint32_t used)
{
    tenon_queue_init(&queue, ring + sizeof ring - size, size);
    queue.head = head;
    queue.used = used;
    queue.pending = used;
}

static void turn(size_t n, size_t ack)
{
    tenon_iov iov[3];
    if (any_int)
        tenon_queue_put(&queue, data + sizeof data - n, n);
    else
        tenon_queue_put_masked(&queue, data + sizeof data - n, n, key);
    tenon_queue_out(&queue, iov, any_int ? 3 : 1);
    tenon_queue_sent(&queue, ack);
    if (any_int)
        tenon_queue_drop(&queue);
    tenon_queue_out(&queue, iov, 3);
}

static void each_put(uint32_t size, uint32_t used)
{
    size_t n, ack;
    //@ loop unroll N + 2;
    for (n = 0; n <= size - used; n++) {
        //@ loop unroll N + 2;
        for (ack = 0; ack <= used + n; ack++)
            CASE(turn(n, ack));
    }
    over();
}

static void each_place(uint32_t size)
{
    uint32_t head, used;
    //@ loop unroll N + 2;
    for (head = 0; head < size; head++) {
        //@ loop unroll N + 2;
        for (used = 0; used <= size; used++) {
            if (any_int) {
                bring(size, head, used);
                each_put(size, used);
            }
        }
    }
    over();
}

/* Two references with octets before and between, begun anywhere in the ring. */
static void references(uint32_t head, size_t before)
{
    tenon_iov iov[4];
    size_t count, i;
    tenon_queue_init(&queue, large, (uint32_t)sizeof large);
    queue.head = head;
    tenon_queue_put(&queue, data, before);
    tenon_queue_put_ref(&queue, data, any_int ? 2 : 0, &queue, any_int ? 1 : 0);
    if (tenon_queue_room(&queue) >= TENON_QUEUE_REF_SIZE)
        tenon_queue_put_ref(&queue, data, 1, &queue, 1);
    count = tenon_queue_out(&queue, iov, 4);
    if (count > 0)
        tenon_queue_sent(&queue, any_int ? iov[0].size : 1);
    count = tenon_queue_out(&queue, iov, 4);
    for (i = 0; i < count; i++)
        tenon_queue_sent(&queue, iov[i].size);
    if (any_int)
        tenon_queue_drop(&queue);
    while (queue.done > 0)
        tenon_queue_release(&queue);
}

void main(void)
{
    uint32_t i;
    //@ loop unroll N + 2;
    for (i = 1; i <= N; i++) {
        if (any_int)
            each_place(i);
    }
    //@ loop unroll 100;
    for (i = 0; i < sizeof large; i++) {
        CASE(references(i, 0));
        CASE(references(i, 1));
    }
}
