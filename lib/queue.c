/* SPDX-License-Identifier: MIT */
#include "queue.h"

#include "tenon/frame.h"

/* Index in the ring of a distance from head; distance <= size, so one subtraction is enough. */
static uint32_t at(const tenon_queue *queue, uint32_t distance)
{
    uint32_t left = queue->size - queue->head;
    return distance < left ? queue->head + distance : distance - left;
}

/* Octets from a distance to the end of the ring memory. */
static TENON_SMALL_INLINE size_t run_length(const tenon_queue *queue, uint32_t distance)
{
    return queue->size - at(queue, distance);
}

/* Octets from the place of the next one to the end of the ring memory, at most n. */
static size_t run_of(const tenon_queue *queue, size_t n)
{
    size_t run = run_length(queue, queue->used);
    return n < run ? n : run;
}

void tenon_queue_init(tenon_queue *queue, uint8_t *ring, uint32_t size)
{
    memset(queue, 0, sizeof *queue);
    queue->ring = ring;
    queue->size = size;
}

void tenon_queue_put(tenon_queue *queue, const void *data, size_t n)
{
    tenon_queue_put_masked(queue, data, n, NULL);
}

void tenon_queue_put_masked(tenon_queue *queue, const void *data, size_t n, const uint8_t key[4])
{
    const uint8_t *from = (const uint8_t *)data;
    size_t phase = 0;
    while (n > 0) { /* once, or twice where it goes on at the start */
        uint8_t *to = queue->ring + at(queue, queue->used);
        size_t run = run_of(queue, n);
        if (key != NULL)
            phase = tenon_mask(to, from, run, key, phase);
        else
            memcpy(to, from, run);
        tenon_queue_grow(queue, run);
        from += run;
        n -= run;
    }
}

tenon_text tenon_queue_text(tenon_queue *queue)
{
    tenon_text text;
    text.out = (char *)queue->ring;
    text.room = queue->size;
    text.used = 0;
    return text;
}

void tenon_queue_commit(tenon_queue *queue, const tenon_text *text)
{
    tenon_queue_grow(queue, text->used);
}

/* Forgets the octets at the head that are acknowledged. */
static void drop(tenon_queue *queue, uint32_t n)
{
    queue->used -= n;
    queue->head = queue->used > 0 ? at(queue, n) : 0; /* whole again, so that the next octets lie in one run */
}

size_t tenon_queue_out(tenon_queue *queue, tenon_iov *iov, size_t max)
{
    size_t n = queue->used, run = queue->size - queue->head, count = 0;
    queue->offered = 0;
    if (queue->refs > 0)
        return queue->with_refs->out(queue, iov, max);
    if (run > n)
        run = n;
    for (; run > 0 && count < max; count++) {
        iov[count].base = count > 0 ? queue->ring : queue->ring + queue->head;
        iov[count].size = run;
        queue->offered += run;
        run = n - queue->offered;
    }
    return count;
}

int tenon_queue_sent(tenon_queue *queue, size_t n)
{
    if (n > queue->offered)
        return TENON_ERR_ACK;
    queue->offered -= n;
    queue->pending -= n;
    if (queue->refs > 0)
        queue->with_refs->sent(queue, n);
    else
        drop(queue, (uint32_t)n);
    return TENON_OK;
}

void tenon_queue_drop(tenon_queue *queue)
{
    queue->pending = 0;
    queue->offered = 0;
    queue->read = queue->used;
    queue->done = queue->refs;
    if (queue->refs > 0)
        queue->with_refs->trim(queue);
    else
        queue->used = queue->head = queue->read = 0;
}

uint32_t tenon_queue_refs_pending(const tenon_queue *queue)
{
    return queue->refs - queue->done;
}

void *tenon_queue_release(tenon_queue *queue)
{
    return queue->with_refs->release(queue);
}

/* ------------------------------------------------------------------- references */

/* What stands in the ring for octets that lie elsewhere. */
typedef struct reference {
    const uint8_t *data;
    size_t size;
    void *cookie;
    uint32_t next; /* distance to the descriptor after this one */
    uint32_t release;
} reference;

TENON_STATIC_ASSERT(reference_size, sizeof(reference) <= TENON_QUEUE_REF_SIZE);

static void store(tenon_queue *queue, uint32_t distance, const void *data, size_t n)
{
    size_t run = run_length(queue, distance);
    if (n <= run) {
        memcpy(queue->ring + at(queue, distance), data, n);
        return;
    }
    memcpy(queue->ring + at(queue, distance), data, run);
    memcpy(queue->ring, (const uint8_t *)data + run, n - run);
}

static reference load(const tenon_queue *queue, uint32_t distance)
{
    reference ref;
    size_t run = run_length(queue, distance);
    if (run >= sizeof ref) {
        memcpy(&ref, queue->ring + at(queue, distance), sizeof ref);
        return ref;
    }
    memcpy(&ref, queue->ring + at(queue, distance), run);
    memcpy((uint8_t *)&ref + run, queue->ring, sizeof ref - run);
    return ref;
}

/* The oldest descriptor, which is done, is no more; its distance may wrap: nobody looks
 * at that of one that is not there. */
static TENON_WRAPS void forget(tenon_queue *queue, const reference *ref)
{
    queue->ref_first += ref->next;
    queue->refs--;
    queue->done--;
}

/* Frees what is acknowledged and needs no release. */
static TENON_WRAPS void trim(tenon_queue *queue)
{
    uint32_t keep;
    while (queue->done > 0) {
        reference ref = load(queue, queue->ref_first);
        if (ref.release)
            break;
        forget(queue, &ref);
    }
    keep = queue->done > 0 ? queue->ref_first : queue->read;
    queue->read -= keep;
    queue->ref_first -= keep;
    queue->ref_next -= keep;
    queue->ref_last -= keep;
    drop(queue, keep);
}

/* Octets from a distance that are inline and in one run: up to the next
 * descriptor (if there is one), the end of the memory, or the end of the queue. */
static size_t inline_run(const tenon_queue *queue, uint32_t distance, uint32_t refs_left, uint32_t ref)
{
    size_t n = (refs_left > 0 ? ref : queue->used) - distance;
    size_t run = run_length(queue, distance);
    return n < run ? n : run;
}

static size_t refs_out(tenon_queue *queue, tenon_iov *iov, size_t max)
{
    uint32_t distance = queue->read;
    uint32_t ref = queue->ref_next;
    uint32_t left = queue->refs - queue->done;
    size_t skip = queue->ref_sent;
    size_t count = 0;
    while (distance < queue->used && count < max) {
        if (left > 0 && distance == ref) {
            reference r = load(queue, ref);
            iov[count].base = r.data + skip;
            iov[count].size = r.size - skip;
            skip = 0;
            distance += (uint32_t)sizeof r;
            ref += r.next;
            left--;
        } else {
            iov[count].base = queue->ring + at(queue, distance);
            iov[count].size = inline_run(queue, distance, left, ref);
            distance += (uint32_t)iov[count].size;
        }
        queue->offered += iov[count].size;
        if (iov[count].size > 0)
            count++;
    }
    return count;
}

/* Acknowledges up to n octets of the reference at read; returns how many. */
static size_t sent_ref(tenon_queue *queue, size_t n)
{
    reference ref = load(queue, queue->ref_next);
    size_t left = ref.size - queue->ref_sent;
    if (n < left) {
        queue->ref_sent += n;
        return n;
    }
    queue->read += (uint32_t)sizeof ref;
    queue->ref_sent = 0;
    queue->done++;
    queue->ref_next += ref.next;
    return left;
}

/* Acknowledges n octets of which some may lie elsewhere. */
static void refs_sent(tenon_queue *queue, size_t n)
{
    for (;;) {
        uint32_t refs_left = queue->refs - queue->done;
        size_t step;
        if (refs_left > 0 && queue->read == queue->ref_next) {
            uint32_t done = queue->done;
            n -= sent_ref(queue, n);
            if (queue->done == done)
                break;
            continue;
        }
        if (n == 0)
            break;
        step = inline_run(queue, queue->read, refs_left, queue->ref_next);
        if (step > n)
            step = n;
        queue->read += (uint32_t)step;
        n -= step;
    }
    trim(queue);
}

/* trim leaves a descriptor that wants its release in front. */
static void *refs_release(tenon_queue *queue)
{
    reference ref = load(queue, queue->ref_first);
    forget(queue, &ref);
    trim(queue);
    return ref.cookie;
}

/* Tells the newest descriptor how far away the one about to be put is. */
static void link_last(tenon_queue *queue)
{
    reference last = load(queue, queue->ref_last);
    last.next = queue->used - queue->ref_last;
    store(queue, queue->ref_last, &last, sizeof last);
}

void tenon_queue_put_ref(tenon_queue *queue, const void *data, size_t n, void *cookie, int release)
{
    static const struct tenon_queue_refs refs = {refs_out, refs_sent, refs_release, trim};
    reference ref;
    ref.data = n > 0 ? (const uint8_t *)data : queue->ring; /* never NULL, so that adding 0 to it is defined */
    ref.size = n;
    ref.cookie = cookie;
    ref.next = 0; /* until there is one */
    ref.release = (uint32_t)release;
    if (queue->refs > 0)
        link_last(queue);
    else
        queue->ref_first = queue->used;
    if (queue->refs == queue->done) {
        queue->ref_next = queue->used;
        queue->ref_sent = 0;
    }
    queue->with_refs = &refs;
    queue->ref_last = queue->used;
    queue->refs++;
    store(queue, queue->used, &ref, sizeof ref);
    queue->used += (uint32_t)sizeof ref;
    queue->pending += n;
}
