/* SPDX-License-Identifier: MIT */
/* The compressed variant of a prepared message (RFC 7692, 7.2.1). */
#include "deflate.h"

static int is_good(const tenon_deflate *deflate, unsigned bits)
{
    return deflate != NULL && deflate->codec != NULL && bits >= deflate->codec->min_bits &&
           bits <= deflate->codec->max_bits && deflate->memory_level <= 9 && deflate->level <= 9;
}

static unsigned memory_level(const tenon_deflate *deflate)
{
    return deflate->memory_level == 0 ? 8 : deflate->memory_level;
}

size_t tenon_prepare_size(const tenon_deflate *deflate, unsigned bits)
{
    return is_good(deflate, bits) ? tenon_deflater_size(deflate->codec, bits, memory_level(deflate)) : 0;
}

/* Compresses all of it into out: the octets, or 0 if there is no room or no gain. */
static size_t compress(tenon_deflater *d, const tenon_prepared *prepared, uint8_t *out, size_t room)
{
    const uint8_t *data = (const uint8_t *)prepared->data;
    size_t n = prepared->data_size, size = 0;
    int last = 0;
    while (!last) {
        if (tenon_deflater_run(d, &data, &n, 1) != TENON_OK || d->ready > room - size)
            return 0;
        memcpy(out + size, d->stage, d->ready);
        size += d->ready;
        last = d->ended;
        tenon_deflater_taken(d, d->ready);
    }
    return size < prepared->data_size ? size : 0;
}

int tenon_prepare_deflate(tenon_prepared *prepared, const tenon_deflate *deflate, unsigned bits, void *block,
                          size_t block_size, void *out, size_t out_size)
{
    tenon_deflater *d;
    size_t size;
    if (prepared == NULL || deflate == NULL || deflate->codec == NULL || block == NULL || out == NULL)
        return TENON_ERR_NULL;
    if (deflate->size < TENON_DEFLATE_LEAST)
        return TENON_ERR_SIZE;
    if (!is_good(deflate, bits))
        return TENON_ERR_ARG;
    if (prepared->size < TENON_PREPARED_LEAST || block_size < tenon_prepare_size(deflate, bits) ||
        !tenon_block_aligned(block))
        return TENON_ERR_SIZE;
    d = tenon_deflater_make(deflate, bits, block, block_size);
    if (d == NULL)
        return TENON_ERR_SIZE;
    size = compress(d, prepared, (uint8_t *)out, out_size);
    if (size == 0)
        return TENON_ERR_TOO_BIG;
    prepared->deflated = out;
    prepared->deflated_size = size;
    prepared->window_bits = (uint8_t)bits;
    return TENON_OK;
}
