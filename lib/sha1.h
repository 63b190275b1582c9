/* SPDX-License-Identifier: MIT */
/* Layer 1: SHA-1, for Sec-WebSocket-Accept and nothing else (RFC 6455, 4.2.2). */
#ifndef TENON_SHA1_H
#define TENON_SHA1_H

#include "base.h"

#define TENON_SHA1_SIZE 20

/* The digest of the n octets at data and of the tail, which ends with NUL, behind them. An
 * accept value takes two blocks, once a connection. */
TENON_INTERNAL void tenon_sha1(const char *data, size_t n, const char *tail, uint8_t out[TENON_SHA1_SIZE]);

#endif
