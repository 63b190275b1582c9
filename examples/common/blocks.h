/* SPDX-License-Identifier: MIT */
/*
 * The memory of permessage-deflate for a server with many connections: blocks that
 * are lent when a connection asks, and taken back as soon as it can do without.
 *
 * With context takeover a connection keeps its blocks (some 300 KiB) for good; without
 * it (TENON_DEFLATE_RESET_OUT and _IN) a few blocks serve all connections.
 */
#ifndef EXAMPLES_BLOCKS_H
#define EXAMPLES_BLOCKS_H

#include "tenon/deflate.h"

/* Blocks of one size that nobody uses. Begin with zeros, and set size. */
typedef struct block_list {
    size_t size;
    void *spare;
    size_t count;
} block_list;

typedef struct block_pool {
    block_list deflate, inflate;
} block_pool;

/* What one connection has. Begin with zeros. */
typedef struct blocks {
    void *deflate, *inflate;
} blocks;

/* Blocks large enough for whatever this config agrees on. */
void blocks_init(block_pool *pool, const tenon_deflate *deflate);
void blocks_free(block_pool *pool);

/* Lends what tenon_wants asks for: 1 if something was lent, so that there is more to
 * do; 0; or -1 without memory. */
int blocks_lend(block_pool *pool, tenon_conn *conn, blocks *b);

/* Behind a turn: takes back what is free. */
void blocks_leave(block_pool *pool, tenon_conn *conn, blocks *b);

/* The connection is over. */
void blocks_drop(block_pool *pool, blocks *b);

#endif
