/* SPDX-License-Identifier: MIT */
#include "blocks.h"

#include <stdlib.h>
#include <string.h>

/* More than this are not kept when nobody uses them. */
#define SPARE_MAX 8

/* Room for frames, beyond what the codec needs. */
#define STAGE 16384

static unsigned largest(uint8_t bits)
{
    return bits == 0 ? 15 : bits;
}

void blocks_init(block_pool *pool, const tenon_deflate *deflate)
{
    unsigned in_bits = largest(deflate->in_bits);
    memset(pool, 0, sizeof *pool);
    pool->deflate.size = tenon_prepare_size(deflate, largest(deflate->out_bits)) + STAGE;
    pool->inflate.size = deflate->codec->inflate_size(in_bits < 9 ? 9 : in_bits) + STAGE;
}

/* A spare block holds the next one in its first octets. */
static void *take(block_list *list)
{
    void *block = list->spare;
    if (block == NULL)
        return malloc(list->size);
    memcpy(&list->spare, block, sizeof list->spare);
    list->count--;
    return block;
}

static void put(block_list *list, void *block)
{
    if (block == NULL || list->count >= SPARE_MAX) {
        free(block);
        return;
    }
    memcpy(block, &list->spare, sizeof list->spare);
    list->spare = block;
    list->count++;
}

static void drain(block_list *list)
{
    while (list->spare != NULL)
        free(take(list));
}

void blocks_free(block_pool *pool)
{
    drain(&pool->deflate);
    drain(&pool->inflate);
}

/* Lends one: 1, or -1. */
static int lend(block_list *list, tenon_conn *conn, void **block, int (*give)(tenon_conn *, void *, size_t))
{
    *block = take(list);
    return *block != NULL && give(conn, *block, list->size) == TENON_OK ? 1 : -1;
}

int blocks_lend(block_pool *pool, tenon_conn *conn, blocks *b)
{
    uint32_t wants = tenon_wants(conn);
    int status = 0;
    if ((wants & TENON_WANTS_DEFLATE) != 0)
        status = lend(&pool->deflate, conn, &b->deflate, tenon_lend_deflate);
    if ((wants & TENON_WANTS_INFLATE) != 0 && status >= 0)
        status = lend(&pool->inflate, conn, &b->inflate, tenon_lend_inflate);
    return status;
}

void blocks_leave(block_pool *pool, tenon_conn *conn, blocks *b)
{
    tenon_agreed agreed;
    agreed.size = sizeof agreed;
    if ((b->deflate == NULL && b->inflate == NULL) || tenon_deflate_get(conn, &agreed) != TENON_OK)
        return;
    /* Between messages it is always free; but who may refer back compresses better. */
    if (b->deflate != NULL && (agreed.flags & TENON_DEFLATE_RESET_OUT) != 0 &&
        tenon_lend_deflate(conn, NULL, 0) == TENON_OK) {
        put(&pool->deflate, b->deflate);
        b->deflate = NULL;
    }
    if (b->inflate != NULL && tenon_lend_inflate(conn, NULL, 0) == TENON_OK) {
        put(&pool->inflate, b->inflate);
        b->inflate = NULL;
    }
}

void blocks_drop(block_pool *pool, blocks *b)
{
    put(&pool->deflate, b->deflate);
    put(&pool->inflate, b->inflate);
    b->deflate = b->inflate = NULL;
}
