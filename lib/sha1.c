/* SPDX-License-Identifier: MIT */
#include "sha1.h"

#include "cpu.h"

#define BLOCK_SIZE 64
#define BLOCK_WORDS 16

/* Behind the message stand 0x80 and, in 8 octets at the end of a block, its length. */
#define END_SIZE 9

static TENON_WRAPS uint32_t rotate(uint32_t x, unsigned int n)
{
    return (x << n) | (x >> (32 - n));
}

#if TENON_SMALL

#define STATE_WORDS 5
#define WORDS (STATE_WORDS + BLOCK_WORDS)

/*
 * The state, its last word first, and behind it the words of the schedule that are still
 * needed: so each round moves all of them down by one place, and puts in one at the end
 * of either.
 */
static inline TENON_WRAPS void turn(uint32_t v[WORDS])
{
    static const uint32_t constants[4] = {0x5a827999u, 0x6ed9eba1u, 0x8f1bbcdcu, 0xca62c1d6u};
    unsigned int i, t;
    for (i = 0; i < 4; i++) {
        for (t = 0; t < 20; t++) { /* the same way (FIPS 180-4, 4.1.1 and 4.2.1) */
            uint32_t b = v[3], c = v[2], d = v[1];
            uint32_t word = rotate(v[5] ^ v[7] ^ v[13] ^ v[18], 1);
            uint32_t sum = v[0] + v[5] + rotate(v[4], 5) + constants[i];
            if (i == 0)
                sum += d ^ (b & (c ^ d));
            else if (i == 2)
                sum += (b & c) | (d & (b | c));
            else
                sum += b ^ c ^ d;
            memmove(v, v + 1, (WORDS - 1) * sizeof *v);
            v[2] = rotate(b, 30);
            v[4] = sum;
            v[20] = word;
        }
    }
}

TENON_WRAPS void tenon_sha1(const char *data, size_t n, const char *tail, uint8_t out[TENON_SHA1_SIZE])
{
    uint32_t h[STATE_WORDS] = {0xc3d2e1f0u, 0x10325476u, 0x98badcfeu, 0xefcdab89u, 0x67452301u};
    uint32_t v[WORDS], word = 0;
    size_t i, at = 0, size = n + strlen(tail);
    do {
        memcpy(v, h, sizeof h);
        do {
            uint32_t octet = at == size ? 0x80 : 0;
            if (at < size)
                octet = (uint8_t)(at < n ? data[at] : tail[at - n]);
            word = word << 8 | octet;
            v[STATE_WORDS + at % BLOCK_SIZE / 4] = word;
        } while (++at % BLOCK_SIZE > 0);
        if (at >= size + END_SIZE) {
            v[WORDS - 2] = (uint32_t)((uint64_t)size >> 29);
            v[WORDS - 1] = (uint32_t)size << 3;
        }
        turn(v);
        for (i = 0; i < STATE_WORDS; i++)
            h[i] += v[i];
    } while (at < size + END_SIZE);
    for (i = TENON_SHA1_SIZE; i-- > 0; h[4 - i / 4] >>= 8)
        out[i] = (uint8_t)h[4 - i / 4];
}

#else

/* Puts into the block that begins at octet at what it has of n octets that begin at octet from. */
static void gather(uint8_t block[BLOCK_SIZE], size_t at, const char *data, size_t from, size_t n)
{
    size_t done = at > from ? at - from : 0, place = from > at ? from - at : 0;
    if (done < n && place < BLOCK_SIZE)
        memcpy(block + place, data + done, n - done < BLOCK_SIZE - place ? n - done : BLOCK_SIZE - place);
}

/* The octets of a block as words, in the same place. size: of the message, which ends at or before
 * the end of the block that begins at octet at if that is the last. */
static void load(uint32_t w[BLOCK_WORDS], size_t at, size_t size)
{
    const uint8_t *octets = (const uint8_t *)w;
    size_t i;
    for (i = 0; i < BLOCK_WORDS; i++, octets += 4)
        w[i] = (uint32_t)octets[0] << 24 | (uint32_t)octets[1] << 16 | (uint32_t)octets[2] << 8 | octets[3];
    if (at + BLOCK_SIZE >= size + END_SIZE) {
        w[14] = (uint32_t)((uint64_t)size >> 29);
        w[15] = (uint32_t)size << 3;
    }
}

/* What the rounds from t on add, 20 after 20 the same way (FIPS 180-4, 4.1.1 and 4.2.1). */
static inline TENON_WRAPS uint32_t mix(const uint32_t s[5], unsigned int t)
{
    if (t < 20)
        return (s[3] ^ (s[1] & (s[2] ^ s[3]))) + 0x5a827999u;
    if (t >= 40 && t < 60)
        return ((s[1] & s[2]) | (s[3] & (s[1] | s[2]))) + 0x8f1bbcdcu;
    return (s[1] ^ s[2] ^ s[3]) + (t < 40 ? 0x6ed9eba1u : 0xca62c1d6u);
}

static inline TENON_WRAPS void turn(uint32_t s[5], uint32_t w[BLOCK_WORDS], unsigned int t, unsigned int end)
{
    for (; t < end; t++) {
        /* Word t of the schedule. None is used more than 16 rounds later, so 16 of the 80
         * are kept. */
        uint32_t *at = w + t % 16, more;
        if (t >= BLOCK_WORDS)
            *at = rotate(w[(t + 13) % 16] ^ w[(t + 8) % 16] ^ w[(t + 2) % 16] ^ *at, 1);
        more = mix(s, t) + *at + rotate(s[0], 5) + s[4];
        s[4] = s[3];
        s[3] = s[2];
        s[2] = rotate(s[1], 30);
        s[1] = s[0];
        s[0] = more;
    }
}

static TENON_WRAPS void compress(uint32_t h[5], uint32_t w[BLOCK_WORDS])
{
    uint32_t s[5];
    unsigned int t;
#ifdef TENON_X86
    const tenon_kernels *kernels = tenon_cpu_kernels();
    if (kernels != NULL && kernels->sha) {
        tenon_sha1_block(h, w);
        return;
    }
#endif
    memcpy(s, h, sizeof s);
    turn(s, w, 0, 20); /* in each of these mix is one line */
    turn(s, w, 20, 40);
    turn(s, w, 40, 60);
    turn(s, w, 60, 80);
    for (t = 0; t < 5; t++)
        h[t] += s[t];
}

void tenon_sha1(const char *data, size_t n, const char *tail, uint8_t out[TENON_SHA1_SIZE])
{
    uint32_t h[5] = {0x67452301u, 0xefcdab89u, 0x98badcfeu, 0x10325476u, 0xc3d2e1f0u};
    uint32_t w[BLOCK_WORDS];
    size_t at, i, size = n + strlen(tail);
    for (at = 0; at < size + END_SIZE; at += BLOCK_SIZE) {
        /* The octets are put into the words first, which spares a second buffer. */
        memset(w, 0, sizeof w);
        gather((uint8_t *)w, at, data, 0, n);
        gather((uint8_t *)w, at, tail, n, size - n);
        gather((uint8_t *)w, at, "\x80", size, 1);
        load(w, at, size);
        compress(h, w);
    }
    for (i = 0; i < 5; i++, out += 4) {
        out[0] = (uint8_t)(h[i] >> 24);
        out[1] = (uint8_t)(h[i] >> 16);
        out[2] = (uint8_t)(h[i] >> 8);
        out[3] = (uint8_t)h[i];
    }
}

#endif
