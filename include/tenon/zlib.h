/* SPDX-License-Identifier: MIT */
/*
 * zlib as the codec of permessage-deflate: the target tenon::zlib, which is built
 * where zlib is found. tenon itself never needs it.
 *
 * Octets of a connection's blocks, beyond tenon's own (under 1 KiB each):
 *   compress: 2^(bits + 2) + 2^(memory_level + 9) + 8 KiB;  15, 8: 264 KiB;  10, 1: 13 KiB
 *   inflate:  2^bits + 10 KiB;                              15: 42 KiB;  9: 10.5 KiB
 *
 * zlib cannot compress with a window of 2^8: offers that ask for it are declined,
 * and a client that is told so by its server sends plain messages. Of a window smaller
 * than 2^15 it makes sure only from one call to the next: a peer that breaks its word and
 * refers back farther is refused or gets through, according to how its octets were cut.
 * What gets through is what the peer meant, and no memory beyond the block is looked at.
 */
#ifndef TENON_ZLIB_H
#define TENON_ZLIB_H

#include "tenon/deflate.h"

#ifdef __cplusplus
extern "C" {
#endif

extern TENON_API const tenon_codec tenon_zlib;

#ifdef __cplusplus
}
#endif

#endif
