/* SPDX-License-Identifier: MIT */
/*
 * mps2-an385 as the emulator has it: start-up code, UART 0, the tick of the core, and
 * semihosting, by which the emulator lends what this board lacks: a generator of
 * random numbers. Yours has one, or must have: see RFC 6455, 10.3.
 */
#include <string.h>
#include "board.h"

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define UART_DATA REGISTER(0x40004000)
#define UART_STATE REGISTER(0x40004004) /* 1: cannot take an octet, 2: has one */
#define UART_CTRL REGISTER(0x40004008)
#define UART_BAUDDIV REGISTER(0x40004010)
#define SYST_CSR REGISTER(0xE000E010)
#define SYST_RVR REGISTER(0xE000E014)
#define SYST_CVR REGISTER(0xE000E018)

#define CLOCK_HZ 25000000u
#define PAINT 0xC5C5C5C5u

/* Of board.ld. */
extern uint32_t board_data_from[], board_data[], board_data_end[], board_bss[], board_bss_end[], board_stack[],
    board_stack_top[];

static volatile uint32_t ticks, overflows;

int main(void);

/* --------------------------------------------------------------- semihosting */

enum { SYS_OPEN = 0x01, SYS_CLOSE = 0x02, SYS_WRITE0 = 0x04, SYS_READ = 0x06, SYS_EXIT_EXTENDED = 0x20 };

static int semihost(int call, const void *arguments)
{
    register int r0 __asm__("r0") = call;
    register const void *r1 __asm__("r1") = arguments;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

void board_say(const char *text)
{
    semihost(SYS_WRITE0, text);
}

void board_say_number(const char *text, uint32_t n)
{
    char digits[12];
    int i = (int)sizeof digits;
    digits[--i] = '\0';
    digits[--i] = '\n';
    do {
        digits[--i] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    board_say(text);
    board_say(digits + i);
}

int board_random(void *to, size_t n)
{
    static const char name[] = "/dev/urandom";
    uintptr_t open[3] = {(uintptr_t)name, 1, sizeof name - 1}, part[3];
    int left, file = semihost(SYS_OPEN, open);
    if (file == -1)
        return -1;
    part[0] = (uintptr_t)file;
    part[1] = (uintptr_t)to;
    part[2] = n;
    left = semihost(SYS_READ, part); /* octets not read */
    semihost(SYS_CLOSE, part);
    return left == 0 ? 0 : -1;
}

void board_exit(int status)
{
    uint32_t reason[2] = {0x20026, 0};
    reason[1] = (uint32_t)status;
    for (;;)
        semihost(SYS_EXIT_EXTENDED, reason);
}

/* ------------------------------------------------------------- line and clock */

void board_begin(void)
{
    UART_BAUDDIV = CLOCK_HZ / 115200;
    UART_CTRL = 3;
    SYST_RVR = CLOCK_HZ / 1000 - 1;
    SYST_CVR = 0;
    SYST_CSR = 7;
}

size_t board_read(void *to, size_t n)
{
    uint8_t *octets = to;
    size_t i;
    for (i = 0; i < n && (UART_STATE & 2) != 0; i++)
        octets[i] = (uint8_t)UART_DATA;
    return i;
}

size_t board_write(const void *from, size_t n)
{
    const uint8_t *octets = from;
    size_t i;
    for (i = 0; i < n && (UART_STATE & 1) == 0; i++)
        UART_DATA = octets[i];
    return i;
}

/* The upper half may go on between two looks at it; then once more. */
uint64_t board_now(void)
{
    uint32_t high, low;
    do {
        high = overflows;
        low = ticks;
    } while (high != overflows);
    return (uint64_t)high << 32 | low;
}

void board_wait(void)
{
    if ((UART_STATE & 2) == 0)
        __asm__ volatile("wfi");
}

/* ------------------------------------------------------------------- start-up */

static void on_tick(void)
{
    if (++ticks == 0)
        overflows++;
}

static void on_fault(void)
{
    board_say("fault\n");
    board_exit(99);
}

uint32_t board_stack_used(void)
{
    const uint32_t *word = board_stack;
    while (word < board_stack_top && *word == PAINT)
        word++;
    return (uint32_t)((uintptr_t)board_stack_top - (uintptr_t)word);
}

void board_reset(void)
{
    volatile uint32_t *word, *here;
    __asm__ volatile("mov %0, sp" : "=r"(here));
    for (word = board_stack; word < here; word++)
        *word = PAINT;
    for (word = board_bss; word < board_bss_end; word++)
        *word = 0;
    for (word = board_data; word < board_data_end; word++)
        *word = board_data_from[word - (volatile uint32_t *)board_data];
    board_exit(main());
}

/* The stack; then reset, NMI, faults, and at 15 the tick. */
__attribute__((used, section(".vectors"))) static const void *const vectors[16] = {
    board_stack_top, board_reset, on_fault, on_fault, on_fault, on_fault, on_fault, NULL,
    NULL,            NULL,        NULL,     on_fault, on_fault, NULL,     on_fault, on_tick};
