/* SPDX-License-Identifier: MIT */
/* Layer 3: extended CONNECT (RFC 8441, 4 and 5; RFC 9220, 3): the functions
 * tenon_connect_... of handshake.h. */
#ifndef TENON_CONNECT_H
#define TENON_CONNECT_H

#include "base.h"
#include "tenon/handshake.h"

#endif
