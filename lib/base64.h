/* SPDX-License-Identifier: MIT */
/* Layer 1: base64 (RFC 4648, 4), as far as Sec-WebSocket-Key and -Accept need it. */
#ifndef TENON_BASE64_H
#define TENON_BASE64_H

#include "base.h"

/* Characters that n octets encode to. */
#define TENON_BASE64_SIZE(n) (((n) + 2) / 3 * 4)

/* Writes TENON_BASE64_SIZE(n) characters, padded, without NUL; returns how many. */
TENON_INTERNAL size_t tenon_base64_encode(const uint8_t *src, size_t n, char *out);

/*
 * 1 if the n characters encode 16 octets. Strict: 22 characters of the standard
 * alphabet and "==". Only the four bits that no octet needs may be anything: the
 * sample key of RFC 6455, 4.1 has them set.
 */
TENON_INTERNAL int tenon_base64_is16(const char *text, size_t n);

#endif
