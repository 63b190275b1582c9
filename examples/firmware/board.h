/* SPDX-License-Identifier: MIT */
/* What the program needs of the board: a serial line, a clock, a source of random
 * octets, and a way to say something. For an emulated mps2-an385 (Cortex-M3). */
#ifndef BOARD_H
#define BOARD_H

#include <stddef.h>
#include <stdint.h>

/* Starts the serial line and the clock. */
void board_begin(void);

/* Octets of the serial line that are there, or that it takes now: how many. */
size_t board_read(void *to, size_t n);
size_t board_write(const void *from, size_t n);

/* Milliseconds since board_begin. */
uint64_t board_now(void);

/* Sleeps until an interrupt: the next tick at the latest. */
void board_wait(void);

/* n octets that nobody can foresee; 0, or -1 if there are none. */
int board_random(void *to, size_t n);

/* To whom is watching. */
void board_say(const char *text);
void board_say_number(const char *text, uint32_t n);

/* Octets of the stack that have been in use at some time. */
uint32_t board_stack_used(void);

/* The end, for an emulator. */
void board_exit(int status);

#endif
