/* SPDX-License-Identifier: MIT */
#include "base64.h"

#define TEXT_SIZE 24   /* characters that 16 octets take */
#define DIGIT_COUNT 22 /* of these, the ones before the padding */

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t tenon_base64_encode(const uint8_t *src, size_t n, char *out)
{
    size_t i, size = 0;
    for (i = 0; i < n; i += 3) {
        size_t left = n - i;
        uint32_t group = (uint32_t)src[i] << 16;
        if (left > 1)
            group |= (uint32_t)src[i + 1] << 8;
        if (left > 2)
            group |= src[i + 2];
        out[size++] = digits[group >> 18 & 63];
        out[size++] = digits[group >> 12 & 63];
        out[size++] = (char)(left > 1 ? digits[group >> 6 & 63] : '=');
        out[size++] = (char)(left > 2 ? digits[group & 63] : '=');
    }
    return size;
}

/* The six bits of a character, or -1. Ranges, not a search in digits: its NUL
 * would be found too. */
static int digit_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+')
        return 62;
    return c == '/' ? 63 : -1;
}

int tenon_base64_decode16(const char *text, size_t n, uint8_t out[16])
{
    uint8_t octets[16];
    uint32_t pending = 0; /* its low bits are not yet in an octet: at most 6 and 6 new ones */
    unsigned int bits = 0;
    size_t i, size = 0;
    if (n != TEXT_SIZE || text[DIGIT_COUNT] != '=' || text[DIGIT_COUNT + 1] != '=')
        return 0;
    for (i = 0; i < DIGIT_COUNT; i++) {
        int value = digit_value(text[i]);
        if (value < 0)
            return 0;
        pending = (pending << 6 | (uint32_t)value) & 0xfff;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            octets[size++] = (uint8_t)(pending >> bits); /* 22 * 6 / 8 = 16 times */
        }
    }
    memcpy(out, octets, sizeof octets);
    return 1;
}
