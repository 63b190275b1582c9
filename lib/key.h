/* SPDX-License-Identifier: MIT */
/* Layer 2: tenon_key_make and tenon_key_accept of handshake.h, which both roles need. */
#ifndef TENON_KEY_H
#define TENON_KEY_H

#include "base.h"
#include "sha1.h"
#include "tenon/handshake.h"

/* What Sec-WebSocket-Accept says of a key that is known to be good: the digest, and how it
 * is written. */
TENON_INTERNAL void tenon_key_digest(const char key[TENON_KEY_SIZE], uint8_t digest[TENON_SHA1_SIZE]);
TENON_INTERNAL void tenon_key_hash(const char key[TENON_KEY_SIZE], char accept[TENON_ACCEPT_SIZE + 1]);

#endif
