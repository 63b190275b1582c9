/* SPDX-License-Identifier: MIT */
/* Layer 1: streaming UTF-8; tenon_utf8_check of frame.h lives here. */
#ifndef TENON_UTF8_H
#define TENON_UTF8_H

#include "cpu.h"
#include "tenon/frame.h"

#if TENON_SIMPLE
/* One octet: 1 if it can be the next, else 0. */
TENON_INTERNAL int tenon_utf8_step(tenon_utf8 *state, uint8_t octet);

/* tenon_mask_utf8; of any octets if state is NULL, of such that are not masked if key is,
 * and of none to be written if to is. */
TENON_INTERNAL size_t tenon_mask_checked(uint8_t *to, const uint8_t *from, size_t n, const uint8_t key[4],
                                         size_t phase, tenon_utf8 *state);
#endif

/* Octets at the end of good text that belong to a character which goes on: 0 to 3. */
TENON_INTERNAL size_t tenon_utf8_open(const uint8_t *text, size_t n);

/* tenon_utf8_check of the octets from from to n of text, where those before are good. It
 * may look at them again. Returns n, or the index of the first that cannot be. */
TENON_INTERNAL size_t tenon_utf8_rest(tenon_utf8 *state, const uint8_t *text, size_t from, size_t n);

#endif
