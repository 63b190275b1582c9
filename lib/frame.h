/* SPDX-License-Identifier: MIT */
/* Layer 2: the first octets of a frame header (RFC 6455, 5.2); frame.c has the rest. */
#ifndef TENON_LIB_FRAME_H
#define TENON_LIB_FRAME_H

#include "base.h"
#include "tenon/frame.h"

/* Octet 1: the mask bit, and a length up to 125, or how many octets of length follow. */
#define TENON_MASK_BIT 0x80
#define TENON_LENGTH_16 126
#define TENON_LENGTH_64 127

static inline void tenon_length_put(uint8_t *out, uint64_t value, size_t size)
{
    while (size > 0) {
        out[--size] = (uint8_t)(value & 0xff);
        value >>= 8;
    }
}

/* Writes all but the key; payload is at most 2^63 - 1. Returns the octets. */
static inline size_t tenon_header_put(uint8_t *out, uint8_t first, int masked, uint64_t payload)
{
    uint8_t mask = masked ? TENON_MASK_BIT : 0;
    out[0] = first;
    if (payload < TENON_LENGTH_16) {
        out[1] = (uint8_t)(mask | payload);
        return 2;
    }
    if (payload <= UINT16_MAX) {
        out[1] = mask | TENON_LENGTH_16;
        tenon_length_put(out + 2, payload, 2);
        return 4;
    }
    out[1] = mask | TENON_LENGTH_64;
    tenon_length_put(out + 2, payload, 8);
    return 10;
}

#endif
