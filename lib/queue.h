/* SPDX-License-Identifier: MIT */
/*
 * The output queue: a ring of octets in memory that the program lends. What is
 * put in never moves until it is acknowledged. Large payloads are not copied:
 * a descriptor in the ring stands for them at their place in the order.
 *
 *        head          read                         used
 *         |             |                            |
 *   ...   [released refs][inline octets][ref][inline ]   room ...
 *
 * All positions are distances from head; only head is an index into the ring.
 */
#ifndef TENON_QUEUE_H
#define TENON_QUEUE_H

#include "base.h"
#include "http1.h"

typedef struct tenon_queue {
    uint8_t *ring;
    uint32_t size;
    uint32_t head;      /* index of the oldest octet that is kept */
    uint32_t used;      /* octets kept */
    size_t pending;     /* octets not acknowledged, references included: all lie in memory */
    size_t offered;     /* octets that the last tenon_queue_out showed */
    uint32_t refs;      /* descriptors kept */
    uint32_t done;      /* of these, acknowledged and waiting for tenon_queue_release */
    uint32_t read;      /* octets kept that are acknowledged; 0 without descriptors */
    uint32_t ref_first; /* the oldest descriptor, if refs > 0 */
    uint32_t ref_next;  /* the first one not done, if refs > done */
    uint32_t ref_last;  /* the newest, if refs > 0 */
    size_t ref_sent;    /* octets of ref_next that are acknowledged */
    const struct tenon_queue_refs *with_refs; /* set by tenon_queue_put_ref */
} tenon_queue;

/* What is done while refs > 0, reached through the queue so that the linker can leave it
 * out where nobody puts one. */
struct tenon_queue_refs {
    size_t (*out)(tenon_queue *queue, tenon_iov *iov, size_t max);
    void (*sent)(tenon_queue *queue, size_t n);
    void *(*release)(tenon_queue *queue);
    void (*trim)(tenon_queue *queue);
};

/* Ring octets that a reference takes besides its payload. */
#define TENON_QUEUE_REF_SIZE (3 * sizeof(void *) + 2 * sizeof(uint32_t))

TENON_INTERNAL void tenon_queue_init(tenon_queue *queue, uint8_t *ring, uint32_t size);

/* Ring octets that are free. */
static inline size_t tenon_queue_room(const tenon_queue *queue)
{
    return queue->size - queue->used;
}

/* Where the next n octets go, for which there is room, if they lie in one run there;
 * else NULL. And who has put them there appends them. */
static inline uint8_t *tenon_queue_place(const tenon_queue *queue, size_t n)
{
    uint32_t left = queue->size - queue->head, used = queue->used;
    uint32_t at = used < left ? queue->head + used : used - left;
    return n <= queue->size - at ? queue->ring + at : NULL;
}

static inline void tenon_queue_grow(tenon_queue *queue, size_t n)
{
    queue->used += (uint32_t)n;
    queue->pending += n;
}

/* Appends n octets; the caller has seen that there is room. */
TENON_INTERNAL void tenon_queue_put(tenon_queue *queue, const void *data, size_t n);

/* The same, masked with key from phase 0; plain if key is NULL. */
TENON_INTERNAL void tenon_queue_put_masked(tenon_queue *queue, const void *data, size_t n, const uint8_t key[4]);

/* A writer for text, into the whole ring of a queue that is empty. */
TENON_INTERNAL tenon_text tenon_queue_text(tenon_queue *queue);

/* Appends what was written. */
TENON_INTERNAL void tenon_queue_commit(tenon_queue *queue, const tenon_text *text);

/* Appends n octets by reference (TENON_QUEUE_REF_SIZE of room). release: the
 * memory is given back by tenon_queue_release once they are acknowledged. n may
 * be 0: a mark that gives the cookie back when all before it is acknowledged. */
TENON_INTERNAL void tenon_queue_put_ref(tenon_queue *queue, const void *data, size_t n, void *cookie, int release);

/* Shows what is not acknowledged. */
TENON_INTERNAL size_t tenon_queue_out(tenon_queue *queue, tenon_iov *iov, size_t max);

/* n octets are acknowledged; TENON_ERR_ACK if that is more than was shown. */
TENON_INTERNAL int tenon_queue_sent(tenon_queue *queue, size_t n);

/* References not yet acknowledged. */
TENON_INTERNAL uint32_t tenon_queue_refs_pending(const tenon_queue *queue);

/* Gives back the oldest of those that are done, of which there is one: its cookie. */
TENON_INTERNAL void *tenon_queue_release(tenon_queue *queue);

/* Forgets all that is not acknowledged; its references can be released. */
TENON_INTERNAL void tenon_queue_drop(tenon_queue *queue);

#endif
