/* SPDX-License-Identifier: MIT */
#include "deflate.h"

/* What a sender leaves out, and a receiver puts back (RFC 7692, 7.2.1, 7.2.2). */
static const uint8_t tail[4] = {0x00, 0x00, 0xff, 0xff};

/* The next multiple of what any type is aligned to. */
static size_t aligned(size_t n)
{
    return (n + 15) / 16 * 16;
}

/* Where a block may begin: a multiple of the offset that follows one octet. */
struct alignment {
    char octet;
    tenon_storage storage;
};

int tenon_block_aligned(const void *block)
{
    return (uintptr_t)block % offsetof(struct alignment, storage) == 0;
}

/* ---------------------------------------------------------------- inflating */

size_t tenon_inflater_size(const tenon_codec *codec, unsigned bits)
{
    return aligned(sizeof(tenon_inflater)) + aligned(codec->inflate_size(bits)) + TENON_STAGE_MIN;
}

tenon_inflater *tenon_inflater_make(const tenon_codec *codec, unsigned bits, void *block, size_t size)
{
    tenon_inflater *f = (tenon_inflater *)block;
    size_t head = aligned(sizeof *f), state = aligned(codec->inflate_size(bits));
    size_t room = size - head - state;
    memset(f, 0, sizeof *f);
    f->codec = codec;
    f->state = (uint8_t *)block + head;
    f->stage = (uint8_t *)block + head + state;
    f->room = room > UINT32_MAX ? UINT32_MAX : (uint32_t)room;
    return codec->inflate_begin(f->state, state, bits) == TENON_OK ? f : NULL;
}

void tenon_inflater_begin(tenon_inflater *f, int fresh)
{
    if (fresh)
        f->codec->inflate_reset(f->state);
    f->at = f->end = 0;
    f->active = 1;
    f->fed = f->tail = f->full = 0;
}

uint8_t *tenon_inflater_stage(tenon_inflater *f, size_t *room)
{
    if (*room > f->room)
        *room = f->room;
    return f->stage;
}

void tenon_inflater_staged(tenon_inflater *f, size_t n)
{
    f->at = 0;
    f->end = (uint32_t)n;
    f->fed |= n > 0;
}

int tenon_inflater_finish(tenon_inflater *f)
{
    if (!f->fed)
        return TENON_ERR_PROTOCOL;
    memcpy(f->stage, tail, sizeof tail);
    tenon_inflater_staged(f, sizeof tail);
    f->tail = 1;
    return TENON_OK;
}

int tenon_inflater_run(tenon_inflater *f, uint8_t *out, size_t room, size_t *n)
{
    const uint8_t *in = f->stage + f->at;
    size_t in_size = f->end - f->at, left = room;
    int status, idle = 0;
    do {
        size_t before = in_size + left;
        status = f->codec->inflate(f->state, &in, &in_size, &out, &left);
        idle = in_size + left == before ? idle + 1 : 0; /* an end may have been seen before it is told, but once */
    } while (status == TENON_END && in_size > 0 && idle < 2);
    f->at = f->end - (uint32_t)in_size;
    f->full = left == 0;
    *n = room - left;
    if (status >= 0 && in_size > 0 && left > 0)
        return TENON_ERR_PROTOCOL; /* the codec is stuck */
    return status < 0 ? status : TENON_OK;
}

int tenon_inflater_hungry(const tenon_inflater *f)
{
    return f->at == f->end && !f->full;
}

int tenon_inflater_whole(const tenon_inflater *f)
{
    return f->codec->inflate_whole(f->state);
}

/* -------------------------------------------------------------- compressing */

size_t tenon_deflater_size(const tenon_codec *codec, unsigned bits, unsigned memory_level)
{
    return aligned(sizeof(tenon_deflater)) + aligned(codec->deflate_size(bits, memory_level)) + TENON_STAGE_MIN;
}

tenon_deflater *tenon_deflater_make(const tenon_deflate *config, unsigned bits, void *block, size_t size)
{
    const tenon_codec *codec = config->codec;
    tenon_deflater *d = (tenon_deflater *)block;
    unsigned memory_level = config->memory_level == 0 ? 8 : config->memory_level;
    unsigned level = config->level == 0 ? 6 : config->level;
    size_t head = aligned(sizeof *d), state = aligned(codec->deflate_size(bits, memory_level));
    size_t room = size - head - state;
    memset(d, 0, sizeof *d);
    d->codec = codec;
    d->state = (uint8_t *)block + head;
    d->stage = (uint8_t *)block + head + state;
    d->room = room > UINT32_MAX ? UINT32_MAX : (uint32_t)room;
    d->empty = 1;
    return codec->deflate_begin(d->state, state, bits, memory_level, level) == TENON_OK ? d : NULL;
}

void tenon_deflater_reset(tenon_deflater *d)
{
    if (d->used)
        d->codec->deflate_reset(d->state);
    d->used = 0;
    d->empty = 1;
    d->have = d->ready = 0;
    d->shown = d->ended = 0;
}

size_t tenon_deflater_bound(const tenon_deflater *d, size_t n)
{
    return n == 0 ? 1 : d->codec->bound(n);
}

/* The tail may be among the last octets that are there, so as many stay behind. */
size_t tenon_deflater_frame(const tenon_deflater *d)
{
    return d->room - sizeof tail;
}

/* Most octets that the codec is given at a time. */
#define GIVEN_MAX ((size_t)1 << 20)

static void show(tenon_deflater *d, size_t ready, int ended)
{
    d->ready = (uint32_t)ready;
    d->shown = 1;
    d->ended = (uint8_t)ended;
}

/* A part of nothing. At the end of a message it is half an empty block, which the
 * tail completes (RFC 7692, 7.2.3.6). */
static int empty_part(tenon_deflater *d, int end)
{
    d->stage[0] = 0;
    d->have = end ? 1 : 0;
    show(d, d->have, 1);
    return TENON_OK;
}

/* The part is compressed, and flushed. */
static int end_part(tenon_deflater *d, int end)
{
    size_t left_out = end ? sizeof tail : 0;
    if (d->have < sizeof tail || memcmp(d->stage + d->have - sizeof tail, tail, sizeof tail) != 0)
        return TENON_ERR_PROTOCOL;
    d->empty = 1;
    d->have -= (uint32_t)left_out;
    show(d, d->have, 1);
    return TENON_OK;
}

int tenon_deflater_run(tenon_deflater *d, const uint8_t **data, size_t *n, int end)
{
    uint8_t *out = d->stage + d->have;
    size_t left = d->room - d->have, given, rest;
    if (*n == 0 && d->empty)
        return empty_part(d, end);
    d->empty = 0;
    d->used = 1;
    do {
        given = rest = *n < GIVEN_MAX ? *n : GIVEN_MAX;
        if (d->codec->deflate(d->state, data, &rest, &out, &left, given == *n) != TENON_OK)
            return TENON_ERR_PROTOCOL;
        *n -= given - rest;
    } while (rest == 0 && left > 0 && *n > 0);
    d->have = d->room - (uint32_t)left;
    if (left > 0)
        return *n == 0 ? end_part(d, end) : TENON_ERR_PROTOCOL;
    show(d, d->have - sizeof tail, 0);
    return TENON_OK;
}

void tenon_deflater_taken(tenon_deflater *d, size_t n)
{
    d->have -= (uint32_t)n;
    d->ready -= (uint32_t)n;
    memmove(d->stage, d->stage + n, d->have);
    d->shown = d->ready > 0;
}
