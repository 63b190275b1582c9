/* SPDX-License-Identifier: MIT */
/*
 * For the memory sanitizer, which does not see into zlib: what zlib writes is told to it.
 * Linked with --wrap for each of these functions, into programs without zlib as well.
 */
#include <sanitizer/msan_interface.h>
#include <zlib.h>

int __real_deflateInit2_(z_stream *z, int level, int method, int bits, int memory, int strategy, const char *version,
                         int size) __attribute__((weak));
int __real_inflateInit2_(z_stream *z, int bits, const char *version, int size) __attribute__((weak));
int __real_deflate(z_stream *z, int flush) __attribute__((weak));
int __real_inflate(z_stream *z, int flush) __attribute__((weak));
int __wrap_deflateInit2_(z_stream *z, int level, int method, int bits, int memory, int strategy, const char *version,
                         int size);
int __wrap_inflateInit2_(z_stream *z, int bits, const char *version, int size);
int __wrap_deflate(z_stream *z, int flush);
int __wrap_inflate(z_stream *z, int flush);

int __wrap_deflateInit2_(z_stream *z, int level, int method, int bits, int memory, int strategy, const char *version,
                         int size)
{
    int status = __real_deflateInit2_(z, level, method, bits, memory, strategy, version, size);
    __msan_unpoison(z, sizeof *z);
    return status;
}

int __wrap_inflateInit2_(z_stream *z, int bits, const char *version, int size)
{
    int status = __real_inflateInit2_(z, bits, version, size);
    __msan_unpoison(z, sizeof *z);
    return status;
}

/* Input that was never written would come out as if it had been. */
static int run(z_stream *z, int flush, int (*real)(z_stream *, int))
{
    unsigned char *out = z->next_out;
    int status;
    __msan_check_mem_is_initialized(z->next_in, z->avail_in);
    status = real(z, flush);
    __msan_unpoison(z, sizeof *z);
    __msan_unpoison(out, (size_t)(z->next_out - out));
    return status;
}

int __wrap_deflate(z_stream *z, int flush)
{
    return run(z, flush, __real_deflate);
}

int __wrap_inflate(z_stream *z, int flush)
{
    return run(z, flush, __real_inflate);
}
