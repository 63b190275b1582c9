/* SPDX-License-Identifier: MIT */
#include "sha1.h"

#define BLOCK_SIZE 64
#define BLOCK_WORDS 16

/* The padding is a 0x80 and the length in 8 octets: what a last block must have room for. */
#define PAD_MIN 9

/* A message as the digest sees it: padded to whole blocks. The padding is
 * computed, not stored, which spares a copy of the last block. */
typedef struct message {
    const uint8_t *data;
    size_t size;
    size_t padded_size;
} message;

static TENON_WRAPS uint32_t rotate(uint32_t x, unsigned int n)
{
    return (x << n) | (x >> (32 - n));
}

static uint8_t octet_at(const message *m, size_t i)
{
    size_t behind = m->padded_size - i - 1;
    if (i < m->size)
        return m->data[i];
    if (i == m->size)
        return 0x80;
    if (behind < 8)
        return (uint8_t)(((uint64_t)m->size * 8) >> (behind * 8));
    return 0;
}

static uint32_t word_at(const message *m, size_t i)
{
    uint32_t word = 0;
    size_t k;
    for (k = 0; k < 4; k++)
        word = (word << 8) | octet_at(m, i + k);
    return word;
}

/* Function and constant of round t (FIPS 180-4, 4.1.1 and 4.2.1). */
static TENON_WRAPS uint32_t mix(unsigned int t, uint32_t b, uint32_t c, uint32_t d)
{
    switch (t / 20) {
    case 0:
        return (d ^ (b & (c ^ d))) + 0x5a827999u;
    case 1:
        return (b ^ c ^ d) + 0x6ed9eba1u;
    case 2:
        return ((b & c) | (d & (b | c))) + 0x8f1bbcdcu;
    default:
        return (b ^ c ^ d) + 0xca62c1d6u;
    }
}

/* No word of the schedule is used more than 16 rounds later, so 16 of the 80 are
 * kept; every index is taken modulo 16. */
static TENON_WRAPS void compress(uint32_t h[5], uint32_t w[BLOCK_WORDS])
{
    uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
    unsigned int t;
    for (t = 0; t < 80; t++) {
        uint32_t next;
        if (t >= BLOCK_WORDS)
            w[t % 16] = rotate(w[(t + 13) % 16] ^ w[(t + 8) % 16] ^ w[(t + 2) % 16] ^ w[t % 16], 1);
        next = rotate(a, 5) + mix(t, b, c, d) + e + w[t % 16];
        e = d;
        d = c;
        c = rotate(b, 30);
        b = a;
        a = next;
    }
    h[0] += a;
    h[1] += b;
    h[2] += c;
    h[3] += d;
    h[4] += e;
}

void tenon_sha1(const void *data, size_t n, uint8_t out[TENON_SHA1_SIZE])
{
    uint32_t h[5] = {0x67452301u, 0xefcdab89u, 0x98badcfeu, 0x10325476u, 0xc3d2e1f0u};
    uint32_t w[BLOCK_WORDS];
    message m;
    size_t i, k;
    m.data = data;
    m.size = n;
    m.padded_size = (n / BLOCK_SIZE + (n % BLOCK_SIZE > BLOCK_SIZE - PAD_MIN ? 2 : 1)) * BLOCK_SIZE;
    for (i = 0; i < m.padded_size; i += BLOCK_SIZE) {
        for (k = 0; k < BLOCK_WORDS; k++)
            w[k] = word_at(&m, i + k * 4);
        compress(h, w);
    }
    for (i = 0; i < TENON_SHA1_SIZE; i++)
        out[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
}
