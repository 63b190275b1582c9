/* SPDX-License-Identifier: MIT */
/* Read in front of every file that WP proves. Its memory has no octets within integers, so
 * where a leaf copies octets into an integer, or back, annotate.py puts one of these in
 * the place of memcpy. Only this is known of them: what they read and write. */
#ifndef TENON_PROOF_WP_H
#define TENON_PROOF_WP_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/*@ requires \valid(to) && \valid_read(from + (0 .. 3));
    assigns *to \from from[0 .. 3]; */
void wp_load_4(uint32_t *to, const uint8_t *from);

/*@ requires \valid(to) && \valid_read(from + (0 .. 7));
    assigns *to \from from[0 .. 7]; */
void wp_load_8(uint64_t *to, const uint8_t *from);

/*@ requires \valid(to + (0 .. 3)) && \valid_read(from);
    assigns to[0 .. 3] \from *from; */
void wp_store_4(uint8_t *to, const uint32_t *from);

/*@ requires \valid(to + (0 .. 7)) && \valid_read(from);
    assigns to[0 .. 7] \from *from; */
void wp_store_8(uint8_t *to, const uint64_t *from);

/* The first octet of an integer. */
/*@ requires \valid(to);
    assigns *to \from \nothing; */
void wp_first(uint8_t *to);

#endif
