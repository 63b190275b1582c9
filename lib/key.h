/* SPDX-License-Identifier: MIT */
/* Layer 2: tenon_key_make and tenon_key_accept of handshake.h, which both roles need. */
#ifndef TENON_KEY_H
#define TENON_KEY_H

#include "base.h"
#include "tenon/handshake.h"

/* tenon_key_accept, of a key that is known to be good. */
TENON_INTERNAL void tenon_key_hash(const char key[TENON_KEY_SIZE], char accept[TENON_ACCEPT_SIZE + 1]);

#endif
