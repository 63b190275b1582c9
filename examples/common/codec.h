/* SPDX-License-Identifier: MIT */
/* The codec for permessage-deflate, where the examples were built with one. */
#ifndef EXAMPLES_CODEC_H
#define EXAMPLES_CODEC_H

#include "tenon/deflate.h"

/* zlib; NULL: the examples were built without it. */
const tenon_codec *codec(void);

/* The same, or the end of the program with a message. */
const tenon_codec *codec_needed(const char *program);

#endif
