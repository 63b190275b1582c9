/* SPDX-License-Identifier: MIT */
#include "base.h"

uint32_t tenon_clear(void *memory, size_t size, size_t known)
{
    size_t n = size < known ? size : known;
    memset(memory, 0, n);
    return (uint32_t)n;
}
