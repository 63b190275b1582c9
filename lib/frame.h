/* SPDX-License-Identifier: MIT */
/* Layer 2: a frame header octet by octet (RFC 6455, 5.2); frame.c has the public calls. */
#ifndef TENON_LIB_FRAME_H
#define TENON_LIB_FRAME_H

#include "base.h"
#include "tenon/frame.h"

/* Octet 0: the bit of a message's last frame, and that of control opcodes. */
#define TENON_FIN_BIT 0x80u
#define TENON_CONTROL_BIT 0x08

/* Octet 1: the mask bit, and a length up to 125, or how many octets of length follow. */
#define TENON_MASK_BIT 0x80
#define TENON_LENGTH_16 126
#define TENON_LENGTH_64 127

/* Numbers, the highest octet first. They are put together where they are aligned: there
 * compilers see that it is one instruction, and one to store it anywhere. */
static inline TENON_SMALL_ALWAYS void tenon_word_put(uint8_t *out, uint32_t word)
{
    union {
        uint32_t all;
        uint8_t octets[4];
    } it;
    it.octets[0] = (uint8_t)(word >> 24);
    it.octets[1] = (uint8_t)(word >> 16 & 0xff);
    it.octets[2] = (uint8_t)(word >> 8 & 0xff);
    it.octets[3] = (uint8_t)(word & 0xff);
    memcpy(out, &it, sizeof it);
}

static inline TENON_SMALL_ALWAYS void tenon_half_put(uint8_t *out, uint32_t half)
{
    union {
        uint16_t all;
        uint8_t octets[2];
    } it;
    it.octets[0] = (uint8_t)(half >> 8 & 0xff);
    it.octets[1] = (uint8_t)(half & 0xff);
    memcpy(out, &it, sizeof it);
}

/* Octets of length behind octet 1. */
static inline size_t tenon_length_size(uint64_t payload)
{
    return payload < TENON_LENGTH_16 ? 0u : payload <= UINT16_MAX ? 2u : 8u;
}

/* Writes all but the key; payload is at most 2^63 - 1. Returns the octets. */
static inline size_t tenon_header_put(uint8_t *out, uint8_t first, int masked, uint64_t payload)
{
    size_t size = tenon_length_size(payload);
    uint8_t mask = masked ? TENON_MASK_BIT : 0;
    out[0] = first;
    if (size == 0) {
        out[1] = (uint8_t)(mask | payload);
        return 2;
    }
    if (size == 2) {
        out[1] = mask | TENON_LENGTH_16;
        tenon_half_put(out + 2, (uint32_t)payload);
        return 4;
    }
    out[1] = mask | TENON_LENGTH_64;
    tenon_word_put(out + 2, (uint32_t)(payload >> 32));
    tenon_word_put(out + 6, (uint32_t)(payload & UINT32_MAX));
    return 10;
}

/* A header that comes in, as far as it is there. Begin with have 0. */
typedef struct tenon_header_in {
    uint64_t size;  /* of the payload, from the octets of it that are there */
    uint8_t have;   /* octets taken */
    uint8_t length; /* octets up to the end of the length, once have is 2 */
    uint8_t first;  /* the first octet */
    uint8_t masked; /* 1 if a key follows the length */
    uint8_t key[4];
} tenon_header_in;

/* Whether that was all of it, asked behind any of its octets: length may still be that of
 * another header behind the first, but never 1. */
static inline int tenon_header_whole(const tenon_header_in *h)
{
    return h->have == h->length + 4 * h->masked;
}

/* Three opcodes of data and three of control are defined. */
static inline uint16_t tenon_header_first(tenon_header_in *h, uint8_t octet)
{
    h->first = octet;
    if ((octet & 0x0f & ~TENON_CONTROL_BIT) > 2)
        return TENON_RULE_OPCODE;
    return (octet & (0x80 | TENON_CONTROL_BIT)) == TENON_CONTROL_BIT ? TENON_RULE_CONTROL_FIN : TENON_RULE_NONE;
}

static inline uint16_t tenon_header_second(tenon_header_in *h, uint8_t octet)
{
    uint8_t code = octet & 0x7f;
    h->masked = octet >> 7;
    h->length = code < TENON_LENGTH_16 ? 2 : code == TENON_LENGTH_16 ? 4 : 10;
    h->size = h->length == 2 ? code : 0;
    return h->length > 2 && (h->first & TENON_CONTROL_BIT) != 0 ? TENON_RULE_CONTROL_SIZE : TENON_RULE_NONE;
}

/* A length that fits a shorter form shows at the first octet that leaves no other: the
 * last of two, or the sixth of eight, when six are zero. */
static inline uint16_t tenon_header_length(tenon_header_in *h, uint8_t octet)
{
    h->size = h->size << 8 | octet;
    if (h->have == 3 && h->length == 10 && octet >= 0x80)
        return TENON_RULE_LENGTH_RANGE;
    if (h->length == 4 ? h->have == 4 && h->size < TENON_LENGTH_16 : h->have == 8 && h->size == 0)
        return TENON_RULE_LENGTH_MINIMAL;
    return TENON_RULE_NONE;
}

/* One octet more: the rule that it breaks. RSV bits, mask direction and fragment order
 * depend on the connection and are not judged. */
static inline uint16_t tenon_header_take(tenon_header_in *h, uint8_t octet)
{
    size_t at = h->have++;
    if (at == 0)
        return tenon_header_first(h, octet);
    if (at == 1)
        return tenon_header_second(h, octet);
    if (at < h->length)
        return tenon_header_length(h, octet);
    h->key[at - h->length] = octet;
    return TENON_RULE_NONE;
}

#endif
