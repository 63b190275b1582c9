/* SPDX-License-Identifier: MIT */
/*
 * For the tests of permessage-deflate: a bench whose connection has agreed on it, and
 * a peer of its own on zlib, which shares no code with the library.
 */
#ifndef TENON_TEST_DEFLATE_PEER_H
#define TENON_TEST_DEFLATE_PEER_H

#include "harness.h"

#include <zlib.h>

#include "tenon/zlib.h"

#define RESET_OUT TENON_DEFLATE_RESET_OUT
#define RESET_IN TENON_DEFLATE_RESET_IN

typedef struct pair {
    bench b;
    tenon_deflate deflate;
    tenon_agreed agreed;
    void *out_block, *in_block;
    z_stream packer;   /* of the peer: makes messages */
    z_stream unpacker; /* and reads them, with the window that was agreed and no more */
} pair;

/* ------------------------------------------------------------------- the peer */

static inline void peer_start(pair *p)
{
    unsigned bits = p->agreed.in_bits < 9 ? 9 : p->agreed.in_bits;
    memset(&p->packer, 0, sizeof p->packer);
    memset(&p->unpacker, 0, sizeof p->unpacker);
    assert_int_equal(deflateInit2(&p->packer, 6, Z_DEFLATED, -(int)bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(inflateInit2(&p->unpacker, -(int)p->agreed.out_bits), Z_OK);
}

/* One message, compressed as RFC 7692, 7.2.1 says; the caller frees it. */
static inline uint8_t *peer_pack(pair *p, const void *data, size_t n, size_t *size)
{
    size_t room = deflateBound(&p->packer, n) + 64;
    uint8_t *out = malloc(room);
    z_stream *z = &p->packer;
    assert_non_null(out);
    if (n == 0) {
        out[0] = 0;
        *size = 1;
        return out;
    }
    if (p->agreed.flags & RESET_IN)
        assert_int_equal(deflateReset(z), Z_OK);
    z->next_in = (Bytef *)(uintptr_t)data;
    z->avail_in = (uInt)n;
    z->next_out = out;
    z->avail_out = (uInt)room;
    assert_int_equal(deflate(z, Z_SYNC_FLUSH), Z_OK);
    assert_int_equal(z->avail_in, 0);
    assert_true(z->avail_out > 0);
    *size = room - z->avail_out - 4;
    assert_memory_equal(out + *size, "\x00\x00\xff\xff", 4);
    return out;
}

/* A reader that is given room for one octet at a time cannot see further back than its
 * window. The size, or -1. */
static inline long unpack_with(z_stream *z, const uint8_t *data, size_t n, uint8_t *out, size_t room)
{
    static const uint8_t tail[] = {0x00, 0x00, 0xff, 0xff};
    size_t total = 0;
    int i, whole = 0;
    for (i = 0; i < 2; i++) {
        z->next_in = (Bytef *)(uintptr_t)(i == 0 ? data : tail);
        z->avail_in = (uInt)(i == 0 ? n : sizeof tail);
        for (;;) {
            uint8_t octet;
            int status;
            z->next_out = &octet;
            z->avail_out = 1;
            status = inflate(z, Z_SYNC_FLUSH);
            if (z->avail_out == 0) {
                if (total == room)
                    return -1;
                out[total++] = octet;
            }
            whole = status == Z_STREAM_END || z->data_type == 128;
            if (status == Z_STREAM_END) {
                inflateResetKeep(z); /* a final block: the message may go on */
                if (z->avail_in == 0)
                    break;
            } else if (status != Z_OK && status != Z_BUF_ERROR) {
                return -1;
            } else if (z->avail_in == 0 && z->avail_out == 1) {
                break;
            }
        }
    }
    return whole ? (long)total : -1;
}

static inline long peer_unpack(pair *p, const uint8_t *data, size_t n, uint8_t *out, size_t room)
{
    long size = unpack_with(&p->unpacker, data, n, out, room);
    if (p->agreed.flags & RESET_OUT)
        inflateReset(&p->unpacker);
    return size;
}

/* --------------------------------------------------------- the connection under test */

/* Zeros, as in the structs: the defaults. */
typedef struct setup {
    int role;
    uint32_t flags; /* of the config */
    uint64_t max_message;
    size_t rx, tx;
    unsigned agreed; /* TENON_DEFLATE_RESET_ */
    unsigned out_bits, in_bits;
    int no_blocks;
    uint32_t threshold;
    uint32_t max_frame_out;
    const tenon_codec *codec;
    size_t more; /* octets of the blocks beyond the least */
} setup;

static inline void lend_blocks(pair *p, size_t more)
{
    size_t out = tenon_deflate_size(p->b.conn), in = tenon_inflate_size(p->b.conn);
    if (out > 0) {
        p->out_block = malloc(out + more);
        memset(p->out_block, 0xa5, out + more);
        assert_int_equal(tenon_lend_deflate(p->b.conn, p->out_block, out + more), TENON_OK);
    }
    p->in_block = malloc(in + more);
    memset(p->in_block, 0xa5, in + more);
    assert_int_equal(tenon_lend_inflate(p->b.conn, p->in_block, in + more), TENON_OK);
}

static inline void pair_open(pair *p, const setup *s)
{
    memset(p, 0, sizeof *p);
    bench_config(&p->b, s->role);
    p->b.config.flags = s->flags;
    p->b.config.max_message = s->max_message;
    p->b.config.max_frame_out = s->max_frame_out;
    p->deflate.size = (uint32_t)sizeof p->deflate;
    p->deflate.codec = s->codec != NULL ? s->codec : &tenon_zlib;
    p->deflate.threshold = s->threshold;
    assert_int_equal(tenon_config_deflate(&p->b.config, &p->deflate), TENON_OK);
    bench_start(&p->b, s->rx > 0 ? s->rx : 4096, s->tx > 0 ? s->tx : 4096);
    p->agreed.size = (uint32_t)sizeof p->agreed;
    p->agreed.on = 1;
    p->agreed.out_bits = (uint8_t)(s->out_bits > 0 ? s->out_bits : 15);
    p->agreed.in_bits = (uint8_t)(s->in_bits > 0 ? s->in_bits : 15);
    p->agreed.flags = (uint8_t)s->agreed;
    assert_int_equal(tenon_deflate_set(p->b.conn, &p->agreed), TENON_OK);
    assert_next(&p->b, TENON_EV_OPEN);
    peer_start(p);
    if (!s->no_blocks)
        lend_blocks(p, s->more);
    assert_none(&p->b);
}

static inline void pair_close(pair *p)
{
    bench_stop(&p->b);
    free(p->out_block);
    free(p->in_block);
    deflateEnd(&p->packer);
    inflateEnd(&p->unpacker);
    memset(p, 0, sizeof *p);
}

/* --------------------------------------------------------------- whole messages */

/* The next message on the wire as its peer reads it: its first octet; 0: none is
 * whole. It was in frames fragments. */
static inline unsigned wire_message(pair *p, uint8_t *out, size_t room, size_t *size, unsigned *frames)
{
    uint8_t *raw = malloc(p->b.wire_size + 1);
    size_t n = 0;
    unsigned first = 0, count = 0;
    wire_frame frame;
    while (wire_next(&p->b, &frame)) {
        if (frame.first & 0x08) /* a control frame between them */
            continue;
        if (count == 0)
            first = frame.first;
        else
            assert_int_equal(frame.first & 0x7f, 0); /* no bit but FIN (RFC 7692, 6.1) */
        count++;
        memcpy(raw + n, frame.payload, frame.size);
        n += frame.size;
        if (frame.first & 0x80)
            break;
        first &= 0x7f;
    }
    if (count > 0 && (first & 0x40) != 0) {
        long got = peer_unpack(p, raw, n, out, room);
        if (got < 0)
            print_error("%u octets are no DEFLATE for a window of 2^%u\n", (unsigned)n, p->agreed.out_bits);
        assert_true(got >= 0);
        *size = (size_t)got;
    } else if (count > 0) {
        assert_true(n <= room);
        memcpy(out, raw, n);
        *size = n;
    }
    if (frames != NULL)
        *frames = count;
    free(raw);
    return count > 0 ? first | 0x80 : 0;
}

/* The next message on the wire is this one. */
static inline void assert_message(pair *p, unsigned first, const void *data, size_t n, unsigned *frames)
{
    uint8_t *out = malloc(n + 1);
    size_t size = 0;
    assert_int_equal(wire_message(p, out, n + 1, &size, frames), first);
    assert_int_equal(size, n);
    if (n > 0)
        assert_memory_equal(out, data, n);
    free(out);
}

/* The peer's message as frames of at most max payload octets, appended to *octets. */
static inline size_t peer_frames(int role, uint8_t *octets, uint8_t opcode, const uint8_t *payload, size_t n, size_t max)
{
    size_t at = 0, size = 0;
    do {
        size_t part = n - at < max ? n - at : max;
        uint8_t first = (uint8_t)(at == 0 ? opcode : 0);
        if (at + part == n)
            first |= 0x80;
        size += peer_frame(role, octets + size, first, payload + at, part);
        at += part;
    } while (at < n);
    return size;
}

/* ----------------------------------------------------------------------- payloads */

static inline void fill_text(uint8_t *to, size_t n, uint64_t *seed)
{
    static const char *const words[] = {"alpha ", "beta ", "gamma ", "delta ", "omega ", "\n", "1234567890 ", "x"};
    size_t i = 0;
    while (i < n) {
        const char *word = words[draw(seed) % COUNT_OF(words)];
        while (*word != '\0' && i < n)
            to[i++] = (uint8_t)*word++;
    }
}

static inline void fill_noise(uint8_t *to, size_t n, uint64_t *seed)
{
    size_t i;
    for (i = 0; i < n; i++)
        to[i] = (uint8_t)(draw(seed) >> 24);
}

#endif
