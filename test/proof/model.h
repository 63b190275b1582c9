/* SPDX-License-Identifier: MIT */
/* Read in front of every file: the functions of libc that give a place or a length are
 * those of model.c, so that the analysis keeps each of their results by itself. */
#ifndef TENON_PROOF_MODEL_H
#define TENON_PROOF_MODEL_H

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define memchr model_memchr
#define memcmp model_memcmp
#define strlen model_strlen

void *memchr(const void *s, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);

#endif
