/* SPDX-License-Identifier: MIT */
/* Layer 2: tenon_key_make and tenon_key_accept of handshake.h, which both roles need. */
#ifndef TENON_KEY_H
#define TENON_KEY_H

#include "base.h"
#include "tenon/handshake.h"

#endif
