/* SPDX-License-Identifier: MIT */
/* What the programs beside have in common: with or without compression. */
#ifndef PAY_H
#define PAY_H

#include "tenon/tenon.h"

#ifdef PAY_DEFLATE
#include "tenon/zlib.h"

static int compressed(tenon_config *config)
{
    static const tenon_deflate deflate = { sizeof deflate, 0, &tenon_zlib, 0, 0, 0, 0, 0 };
    return tenon_config_deflate(config, &deflate) == TENON_OK;
}
#else
static int compressed(tenon_config *config)
{
    return config != NULL;
}
#endif

#endif
