/* SPDX-License-Identifier: MIT */
/* Layer 1: streaming UTF-8; tenon_utf8_check of frame.h lives here. */
#ifndef TENON_UTF8_H
#define TENON_UTF8_H

#include "base.h"
#include "tenon/frame.h"

/* Octets at the end of good text that belong to a character which goes on: 0 to 3. */
TENON_INTERNAL size_t tenon_utf8_open(const uint8_t *text, size_t n);

/* tenon_utf8_check of the octets from from to n of text, where those before are good. It
 * may look at them again. Returns n, or the index of the first that cannot be. */
TENON_INTERNAL size_t tenon_utf8_rest(tenon_utf8 *state, const uint8_t *text, size_t from, size_t n);

#endif
