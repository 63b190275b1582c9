/* SPDX-License-Identifier: MIT */
#include "codec.h"

#include <stdio.h>
#include <stdlib.h>

#ifdef EXAMPLES_ZLIB
#include "tenon/zlib.h"
#endif

const tenon_codec *codec(void)
{
#ifdef EXAMPLES_ZLIB
    return &tenon_zlib;
#else
    return NULL;
#endif
}

const tenon_codec *codec_needed(const char *program)
{
    if (codec() == NULL) {
        fprintf(stderr, "%s: built without zlib (zlib1g-dev): no --deflate\n", program);
        exit(2);
    }
    return codec();
}
