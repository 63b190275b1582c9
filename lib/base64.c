/* SPDX-License-Identifier: MIT */
#include "base64.h"

#define TEXT_SIZE 24   /* characters that 16 octets take */
#define DIGIT_COUNT 22 /* of these, the ones before the padding */

/* Comparing takes less room than a table, and more time. */
static char digit_of(uint32_t value)
{
#if TENON_SMALL
    if (value < 26)
        return (char)('A' + value);
    if (value < 52)
        return (char)('a' - 26 + value);
    if (value < 62)
        return (char)('0' - 52 + value);
    return value == 62 ? '+' : '/';
#else
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    return digits[value];
#endif
}

TENON_WRAPS size_t tenon_base64_encode(const uint8_t *src, size_t n, char *out)
{
    size_t i, place, size = 0;
    for (i = 0; i < n; i += 3) {
        size_t left = n - i;
        uint32_t group = (uint32_t)src[i] << 16;
        if (left > 1)
            group |= (uint32_t)src[i + 1] << 8;
        if (left > 2)
            group |= src[i + 2];
        for (place = 0; place < 4; place++, group <<= 6)
            out[size++] = (char)(place <= left ? digit_of(group >> 18 & 63) : '=');
    }
    return size;
}

/* Not isalnum: that depends on the locale. The solidus stands in front of 0. */
static int is_digit(char c)
{
    char letter = (char)(c | 0x20);
    return (letter >= 'a' && letter <= 'z') || (c >= '/' && c <= '9') || c == '+';
}

int tenon_base64_is16(const char *text, size_t n)
{
    size_t i;
    if (n != TEXT_SIZE)
        return 0;
    for (i = 0; i < TEXT_SIZE; i++) {
        if (i < DIGIT_COUNT ? !is_digit(text[i]) : text[i] != '=')
            return 0;
    }
    return 1;
}
