/* SPDX-License-Identifier: MIT */
#include "reference.h"

/* ------------------------------------------------------------------- UTF-8 */

/* RFC 3629, 4: each row is a form of UTF8-char, as ranges of its octets. */
static const struct {
    size_t size;
    uint8_t range[4][2];
} utf8_char[] = {
    {1, {{0x00, 0x7f}}},
    {2, {{0xc2, 0xdf}, {0x80, 0xbf}}},
    {3, {{0xe0, 0xe0}, {0xa0, 0xbf}, {0x80, 0xbf}}},
    {3, {{0xe1, 0xec}, {0x80, 0xbf}, {0x80, 0xbf}}},
    {3, {{0xed, 0xed}, {0x80, 0x9f}, {0x80, 0xbf}}},
    {3, {{0xee, 0xef}, {0x80, 0xbf}, {0x80, 0xbf}}},
    {4, {{0xf0, 0xf0}, {0x90, 0xbf}, {0x80, 0xbf}, {0x80, 0xbf}}},
    {4, {{0xf1, 0xf3}, {0x80, 0xbf}, {0x80, 0xbf}, {0x80, 0xbf}}},
    {4, {{0xf4, 0xf4}, {0x80, 0x8f}, {0x80, 0xbf}, {0x80, 0xbf}}},
};

/* How many octets at p are as the row wants them. */
static size_t row_match(size_t row, const uint8_t *p, size_t n)
{
    size_t k = 0;
    while (k < n && k < utf8_char[row].size && p[k] >= utf8_char[row].range[k][0] &&
           p[k] <= utf8_char[row].range[k][1])
        k++;
    return k;
}

size_t ref_utf8(const uint8_t *p, size_t n, size_t *tail)
{
    size_t i = 0;
    *tail = 0;
    while (i < n) {
        size_t row = 0, good;
        while (row < COUNT_OF(utf8_char) && row_match(row, p + i, 1) == 0)
            row++; /* the first octet tells the row */
        if (row == COUNT_OF(utf8_char))
            return i;
        good = row_match(row, p + i, n - i);
        if (good < utf8_char[row].size) {
            *tail = i + good == n ? good : 0;
            return i + good;
        }
        i += good;
    }
    return n;
}

/* ------------------------------------------------------------------ headers */

static int header_blame(int broken, int rule, size_t at, int *rule_out, size_t *at_out)
{
    if (broken) {
        *rule_out = rule;
        *at_out = at;
    }
    return broken;
}

/* A length of so many octets, which must not have a shorter form. */
static int extended_length(const uint8_t *p, size_t n, size_t octets, ref_header *h, int *rule, size_t *at)
{
    size_t i;
    h->length = 0;
    if (octets == 8 && n > 2 && header_blame(p[2] >= 128, TENON_RULE_LENGTH_RANGE, 2, rule, at))
        return -1;
    for (i = 0; i < octets && 2 + i < n; i++) {
        h->length = h->length * 256 + p[2 + i];
        /* the octet with which it is clear that less would have done */
        if (octets == 2 && i == 1 && header_blame(h->length < 126, TENON_RULE_LENGTH_MINIMAL, 3, rule, at))
            return -1;
        if (octets == 8 && i == 5 && header_blame(h->length == 0, TENON_RULE_LENGTH_MINIMAL, 7, rule, at))
            return -1;
    }
    return i == octets;
}

int ref_frame_header(const uint8_t *p, size_t n, ref_header *h, int *rule, size_t *at)
{
    unsigned code;
    int status = 1;
    memset(h, 0, sizeof *h);
    if (n < 1)
        return 0;
    h->fin = p[0] / 128;
    h->rsv = p[0] / 16 % 8;
    h->opcode = p[0] % 16;
    if (header_blame(!(h->opcode <= 2 || (h->opcode >= 8 && h->opcode <= 10)), TENON_RULE_OPCODE, 0, rule, at) ||
        header_blame(h->opcode >= 8 && !h->fin, TENON_RULE_CONTROL_FIN, 0, rule, at))
        return -1;
    if (n < 2)
        return 0;
    h->masked = p[1] / 128;
    code = p[1] % 128;
    if (header_blame(h->opcode >= 8 && code > 125, TENON_RULE_CONTROL_SIZE, 1, rule, at))
        return -1;
    h->length = code;
    h->size = 2 + (code == 126 ? 2 : code == 127 ? 8 : 0);
    if (code >= 126)
        status = extended_length(p, n, h->size - 2, h, rule, at);
    if (status <= 0)
        return status;
    if (h->masked) {
        h->size += 4;
        if (n < h->size)
            return 0;
        memcpy(h->key, p + h->size - 4, 4);
    }
    return (int)h->size;
}
