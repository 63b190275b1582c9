/* SPDX-License-Identifier: MIT */
#include "tenon/zlib.h"

#include <string.h>
#include <zlib.h>

/* At the start of the memory: the stream, and what is left for zlib to allocate.
 * zlib allocates while it begins, the window of inflate a little later, and frees
 * nothing before its end, which never comes: the memory is simply given back. */
typedef struct coder {
    z_stream stream;
    uint8_t *next;
    size_t left;
    int whole;
} coder;

/* What zlib takes beside windows and tables: its own structs, rounded up. */
#define DEFLATE_FIXED 8192
#define INFLATE_FIXED 10240

static voidpf allocate(voidpf opaque, uInt items, uInt size)
{
    coder *c = (coder *)opaque;
    size_t n = ((size_t)items * size + 15) / 16 * 16;
    voidpf memory = c->next;
    if (n > c->left)
        return Z_NULL;
    c->next += n;
    c->left -= n;
    return memory;
}

static void release(voidpf opaque, voidpf memory)
{
    (void)opaque;
    (void)memory;
}

static coder *begin(void *memory, size_t size)
{
    size_t head = (sizeof(coder) + 15) / 16 * 16;
    coder *c = (coder *)memory;
    memset(c, 0, sizeof *c);
    c->next = (uint8_t *)memory + head;
    c->left = size - head;
    c->stream.zalloc = allocate;
    c->stream.zfree = release;
    c->stream.opaque = c;
    c->whole = 1;
    return c;
}

/* zlib counts in unsigned int, into which all fits that one call is given. */
static void show(z_stream *z, const uint8_t *in, size_t in_size, uint8_t *out, size_t out_size)
{
    z->next_in = (Bytef *)(uintptr_t)in; /* only read, in spite of the type */
    z->avail_in = (uInt)in_size;
    z->next_out = out;
    z->avail_out = (uInt)out_size;
}

static void move(const z_stream *z, const uint8_t **in, size_t *in_size, uint8_t **out, size_t *out_size)
{
    *in_size -= (size_t)(z->next_in - *in);
    *out_size -= (size_t)(z->next_out - *out);
    *in = z->next_in;
    *out = z->next_out;
}

/* -------------------------------------------------------------- compressing */

static size_t deflate_size(unsigned bits, unsigned memory_level)
{
    return sizeof(coder) + ((size_t)1 << (bits + 2)) + ((size_t)1 << (memory_level + 9)) + DEFLATE_FIXED;
}

/* What zlib.h gives for any parameters, and a flush. */
static size_t bound(size_t n)
{
    return n + n / 8 + n / 64 + 64;
}

static int deflate_begin(void *memory, size_t size, unsigned bits, unsigned memory_level, unsigned level)
{
    coder *c = begin(memory, size);
    int status = deflateInit2(&c->stream, (int)level, Z_DEFLATED, -(int)bits, (int)memory_level, Z_DEFAULT_STRATEGY);
    return status == Z_OK ? TENON_OK : TENON_ERR_SIZE;
}

static int compress_part(void *memory, const uint8_t **in, size_t *in_size, uint8_t **out, size_t *out_size, int flush)
{
    coder *c = (coder *)memory;
    show(&c->stream, *in, *in_size, *out, *out_size);
    deflate(&c->stream, flush ? Z_SYNC_FLUSH : Z_NO_FLUSH); /* fails only for what is no stream */
    move(&c->stream, in, in_size, out, out_size);
    return TENON_OK;
}

static void deflate_reset(void *memory)
{
    coder *c = (coder *)memory;
    deflateReset(&c->stream);
}

/* ---------------------------------------------------------------- inflating */

static size_t inflate_size(unsigned bits)
{
    return sizeof(coder) + ((size_t)1 << bits) + INFLATE_FIXED;
}

static int inflate_begin(void *memory, size_t size, unsigned bits)
{
    coder *c = begin(memory, size);
    return inflateInit2(&c->stream, -(int)bits) == Z_OK ? TENON_OK : TENON_ERR_SIZE;
}

/* Behind a final block zlib has nothing more to say, but a message may go on, and
 * refer back to what was before (RFC 7692, 7.2.1): so it begins again and keeps its
 * window. */
static int inflate_part(void *memory, const uint8_t **in, size_t *in_size, uint8_t **out, size_t *out_size)
{
    coder *c = (coder *)memory;
    int status;
    show(&c->stream, *in, *in_size, *out, *out_size);
    status = inflate(&c->stream, Z_SYNC_FLUSH);
    move(&c->stream, in, in_size, out, out_size);
    if (status != Z_BUF_ERROR) /* without progress zlib steps into the next header, and tells less */
        c->whole = status == Z_STREAM_END || c->stream.data_type == 128;
    if (status == Z_STREAM_END) {
        inflateResetKeep(&c->stream);
        return TENON_END;
    }
    return status == Z_OK || status == Z_BUF_ERROR ? TENON_OK : TENON_ERR_PROTOCOL;
}

static int inflate_whole(const void *memory)
{
    const coder *c = (const coder *)memory;
    return c->whole;
}

static void inflate_reset(void *memory)
{
    coder *c = (coder *)memory;
    inflateReset(&c->stream);
    c->whole = 1;
}

const tenon_codec tenon_zlib = {
    sizeof(tenon_codec), 9, 15, {0, 0},
    deflate_size, inflate_size, bound,
    deflate_begin, compress_part, deflate_reset,
    inflate_begin, inflate_part, inflate_whole, inflate_reset,
};
