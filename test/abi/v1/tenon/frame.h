/* SPDX-License-Identifier: MIT */
/*
 * The frame layer on its own (RFC 6455, 5): header codec, masking and streaming
 * UTF-8, for proxies, bindings, fuzzers and tests. Pure functions; nothing here
 * needs a connection. Conventions as in tenon.h.
 */
#ifndef TENON_FRAME_H
#define TENON_FRAME_H

#include "tenon/tenon.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Longest frame header: 2 octets, 8 of length, 4 of key. */
#define TENON_FRAME_HEADER_MAX 14

typedef struct tenon_frame {
    uint64_t payload_size; /* at most 2^63 - 1 */
    uint8_t first;         /* the first octet: FIN 0x80, RSV1 to RSV3 0x70, opcode 0x0f */
    uint8_t masked;        /* 1 if a key follows the length */
    uint8_t key[4];        /* if masked */
    uint8_t header_size;   /* 2 to 14; set by decode */
    uint8_t reserved;
} tenon_frame;

/*
 * Writes the header of *frame (first, masked, key, payload_size) to out, in its
 * shortest form; *size: its octets, 2 to 14. Errors: NULL; ARG (payload over 2^63 - 1).
 */
TENON_API int tenon_frame_encode(const tenon_frame *frame, uint8_t out[TENON_FRAME_HEADER_MAX], size_t *size);

/*
 * Reads a header from the n octets at data. TENON_OK: *frame is filled. TENON_WAIT:
 * good so far, more octets are needed. TENON_ERR_PROTOCOL: *rule is broken
 * (OPCODE, CONTROL_FIN, CONTROL_SIZE, LENGTH_MINIMAL, LENGTH_RANGE) by the octet at
 * *at, judged as soon as that octet is there. RSV bits, mask direction and
 * fragment order depend on the connection and are not judged. rule and at may be
 * NULL. Errors: NULL.
 */
TENON_API int tenon_frame_decode(const void *data, size_t n, tenon_frame *frame, uint16_t *rule, size_t *at);

/*
 * dst[i] = src[i] XOR key[(phase + i) % 4] for n octets (RFC 6455, 5.3). dst may
 * be src, but must not overlap it otherwise. Returns the phase for the octets
 * that follow, 0 to 3.
 */
TENON_API size_t tenon_mask(void *dst, const void *src, size_t n, const uint8_t key[4], size_t phase);

/*
 * Streaming UTF-8 (RFC 3629, 4). Begin with a zeroed struct. The three octets:
 * how many continuation octets are outstanding, and the range that the next one
 * must lie in.
 */
typedef struct tenon_utf8 {
    uint8_t need;
    uint8_t low;
    uint8_t high;
    uint8_t reserved;
} tenon_utf8;

/* Checks n octets that follow those checked before. Returns n if all are good so
 * far, else the index of the first octet that cannot be; the state is then spent.
 * At the end of the text, need is 0 or the text ends inside a code point. */
TENON_API size_t tenon_utf8_check(tenon_utf8 *state, const void *data, size_t n);

/* tenon_mask and tenon_utf8_check of the result in one pass. Returns what
 * tenon_utf8_check returns; octets of dst from there on are not defined. */
TENON_API size_t tenon_mask_utf8(void *dst, const void *src, size_t n, const uint8_t key[4], size_t phase,
                                 tenon_utf8 *state);

/* 1 if a Close frame may carry this code (1000 to 1003, 1007 to 1014, 3000 to 4999), else 0. */
TENON_API int tenon_close_code_valid(uint32_t code);

#ifdef __cplusplus
}
#endif

#endif
