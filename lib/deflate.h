/* SPDX-License-Identifier: MIT */
/*
 * Layer 3: RFC 7692 over a codec, without a connection: the state that a lent block
 * holds, and the rules of section 7.2 that a codec does not know: the tail that is
 * left out, empty messages, final blocks, streams that end too early.
 *
 * A block:  [the struct][the codec's memory][the stage]
 *
 * The stage holds octets on their way from or to frames. What is left of the block
 * behind the codec's memory is stage.
 */
#ifndef TENON_DEFLATE_STATE_H
#define TENON_DEFLATE_STATE_H

#include "base.h"
#include "tenon/deflate.h"

/* Least octets of a stage: the tail, and enough to make progress in few steps. */
#define TENON_STAGE_MIN 256

/* 1 if a block may begin there. */
TENON_INTERNAL int tenon_block_aligned(const void *block);

/* ---------------------------------------------------------------- inflating */

typedef struct tenon_inflater {
    const tenon_codec *codec;
    void *state;
    uint8_t *stage;
    uint32_t room;  /* of the stage */
    uint32_t at;    /* the first octet of it not inflated */
    uint32_t end;   /* behind the last */
    uint8_t active; /* a message is being inflated */
    uint8_t fed;    /* it had at least one octet */
    uint8_t tail;   /* the tail was put behind it */
    uint8_t full;   /* the last room was filled: there may be more without input */
} tenon_inflater;

/* Octets of the least block. */
TENON_INTERNAL size_t tenon_inflater_size(const tenon_codec *codec, unsigned bits);

/* Makes one in a block that is large enough: NULL if the codec cannot. */
TENON_INTERNAL tenon_inflater *tenon_inflater_make(const tenon_codec *codec, unsigned bits, void *block, size_t size);

/* A message begins; fresh: without the window of those before. */
TENON_INTERNAL void tenon_inflater_begin(tenon_inflater *inflater, int fresh);

/* Room in the stage, which is empty: where the next octets of the message go, at
 * most *room; then how many went there. */
TENON_INTERNAL uint8_t *tenon_inflater_stage(tenon_inflater *inflater, size_t *room);
TENON_INTERNAL void tenon_inflater_staged(tenon_inflater *inflater, size_t n);

/* The message has no more octets: puts the tail into the stage, which is empty.
 * TENON_ERR_PROTOCOL if there were none at all (an empty message is one octet). */
TENON_INTERNAL int tenon_inflater_finish(tenon_inflater *inflater);

/* Inflates from the stage into room octets at out; *n: how many came. TENON_OK or
 * TENON_ERR_PROTOCOL. */
TENON_INTERNAL int tenon_inflater_run(tenon_inflater *inflater, uint8_t *out, size_t room, size_t *n);

/* Whether more can come out, or has to be given in first. */
TENON_INTERNAL int tenon_inflater_hungry(const tenon_inflater *inflater);

/* Behind the tail, when it is hungry: 1 if the stream ended where a block does. */
TENON_INTERNAL int tenon_inflater_whole(const tenon_inflater *inflater);

/* -------------------------------------------------------------- compressing */

typedef struct tenon_deflater {
    const tenon_codec *codec;
    void *state;
    uint8_t *stage;
    uint32_t room;
    uint32_t have;  /* octets in the stage */
    uint32_t ready; /* of these, octets of the next frame */
    uint8_t shown;  /* ready is valid */
    uint8_t ended;  /* and it is the last one of its part */
    uint8_t used;   /* there is a window to forget */
    uint8_t empty;  /* nothing was compressed since the last flush */
} tenon_deflater;

TENON_INTERNAL size_t tenon_deflater_size(const tenon_codec *codec, unsigned bits, unsigned memory_level);
TENON_INTERNAL tenon_deflater *tenon_deflater_make(const tenon_deflate *config, unsigned bits, void *block,
                                                   size_t size);

/* The next message starts afresh. */
TENON_INTERNAL void tenon_deflater_reset(tenon_deflater *deflater);

/* Most octets that a part of n becomes, and least octets of a frame but the last. */
TENON_INTERNAL size_t tenon_deflater_bound(const tenon_deflater *deflater, size_t n);
TENON_INTERNAL size_t tenon_deflater_frame(const tenon_deflater *deflater);

/*
 * Compresses a part of a message, *n octets at *data, and moves both on: until
 * ready octets at the stage make a frame (deflater->shown), the last one of the
 * part if ended is set. end: the message ends with the part. tenon_deflater_taken
 * takes n octets of it off, and when all are gone, it is called again, until ended. TENON_OK, or
 * TENON_ERR_PROTOCOL: the codec failed.
 */
TENON_INTERNAL int tenon_deflater_run(tenon_deflater *deflater, const uint8_t **data, size_t *n, int end);
TENON_INTERNAL void tenon_deflater_taken(tenon_deflater *deflater, size_t n);

#endif
