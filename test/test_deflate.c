/* SPDX-License-Identifier: MIT */
/*
 * RFC 7692, 7.2, without a connection: the inflater and the deflater, over a codec
 * that knows stored blocks only and fails when it is told to, and over zlib.
 */
#include "harness.h"

#include "deflate.h"
#include "tenon/zlib.h"

#include <zlib.h>

/* ---------------------------------------------------------------- the fake codec */

enum { FAKE_BLOCK = 100 }; /* most octets of a stored block */

/* What it does is counted and can be made to fail; one at a time. */
static struct {
    unsigned calls, fails; /* of deflate and inflate; the call that fails, 0: none */
    unsigned resets;
    int refuses;           /* begin fails */
    int stuck;             /* nothing is taken */
    int silent;            /* deflate takes all, and gives nothing */
    unsigned ends;         /* inflate tells so often of an end where it moves nothing */
    unsigned echoes;       /* and behind an end that it has told, so often */
    int no_tail;           /* deflate forgets its flush */
} fake;

typedef struct fake_state {
    uint8_t header[5];
    uint8_t have;   /* inflate: octets of a header; deflate: of pending */
    uint8_t final;
    uint16_t left;  /* of a block */
    uint8_t pending[5 + FAKE_BLOCK + 5];
    uint8_t at;
    uint8_t flushed;
} fake_state;

static size_t fake_deflate_size(unsigned bits, unsigned level)
{
    return sizeof(fake_state) + bits + level;
}

static size_t fake_inflate_size(unsigned bits)
{
    return sizeof(fake_state) + bits;
}

static size_t fake_bound(size_t n)
{
    return n + (n / FAKE_BLOCK + 1) * 5 + 5;
}

static int fake_begin(void *memory, size_t size)
{
    fake_state *f = memory;
    if (fake.refuses || size < sizeof *f)
        return TENON_ERR_SIZE;
    memset(f, 0, sizeof *f);
    return TENON_OK;
}

static int fake_deflate_begin(void *memory, size_t size, unsigned bits, unsigned memory_level, unsigned level)
{
    assert_true(level >= 1 && level <= 9 && memory_level >= 1 && memory_level <= 9);
    assert_true(size >= fake_deflate_size(bits, memory_level));
    return fake_begin(memory, size);
}

static int fake_inflate_begin(void *memory, size_t size, unsigned bits)
{
    assert_true(size >= fake_inflate_size(bits));
    return fake_begin(memory, size);
}

/* A block of n octets, which may be none, into pending. */
static void fake_block(fake_state *f, const uint8_t *data, size_t n)
{
    uint8_t *p = f->pending + f->have;
    p[0] = 0;
    p[1] = (uint8_t)n;
    p[2] = 0;
    p[3] = (uint8_t)~n;
    p[4] = 0xff;
    if (n > 0)
        memcpy(p + 5, data, n);
    f->have = (uint8_t)(f->have + 5 + n);
}

static int fake_deflate(void *memory, const uint8_t **in, size_t *in_size, uint8_t **out, size_t *out_size, int flush)
{
    fake_state *f = memory;
    if (++fake.calls == fake.fails)
        return TENON_ERR_PROTOCOL;
    if (fake.stuck)
        return TENON_OK;
    if (fake.silent) {
        *in += *in_size;
        *in_size = 0;
        return TENON_OK;
    }
    if (*in_size > 0)
        f->flushed = 0;
    for (;;) {
        size_t n = (size_t)(f->have - f->at) < *out_size ? (size_t)(f->have - f->at) : *out_size;
        memcpy(*out, f->pending + f->at, n);
        *out += n;
        *out_size -= n;
        f->at = (uint8_t)(f->at + n);
        if (f->at < f->have)
            return TENON_OK;
        f->at = f->have = 0;
        if (*in_size > 0) {
            n = *in_size < FAKE_BLOCK ? *in_size : FAKE_BLOCK;
            fake_block(f, *in, n);
            *in += n;
            *in_size -= n;
        } else if (flush && !f->flushed && !fake.no_tail) {
            fake_block(f, NULL, 0);
            f->flushed = 1;
        } else {
            return TENON_OK;
        }
    }
}

static void fake_reset(void *memory)
{
    fake_begin(memory, sizeof(fake_state));
    fake.resets++;
}

/* A header is whole: 1 if it is good. */
static int fake_header(fake_state *f)
{
    f->left = (uint16_t)(f->header[1] | f->header[2] << 8);
    f->final = f->header[0] & 1;
    f->have = 0;
    return (f->header[0] & 6) == 0 && f->left == (0xffff ^ (f->header[3] | f->header[4] << 8));
}

static int fake_inflate(void *memory, const uint8_t **in, size_t *in_size, uint8_t **out, size_t *out_size)
{
    fake_state *f = memory;
    if (++fake.calls == fake.fails)
        return TENON_ERR_PROTOCOL;
    if (fake.ends > 0 && *in_size > 0) {
        fake.ends--;
        return TENON_END;
    }
    while (*in_size > 0 && !fake.stuck) {
        if (f->left == 0) {
            f->header[f->have++] = *(*in)++;
            --*in_size;
            if (f->have == 5 && !fake_header(f))
                return TENON_ERR_PROTOCOL;
            if (f->have > 0 || f->left > 0 || !f->final)
                continue;
        } else if (*out_size == 0) {
            return TENON_OK;
        } else {
            *(*out)++ = *(*in)++;
            --*in_size;
            --*out_size;
            f->left--;
        }
        if (f->left == 0 && f->final) {
            f->final = 0;
            fake.ends = fake.echoes;
            return TENON_END;
        }
    }
    return TENON_OK;
}

static int fake_whole(const void *memory)
{
    const fake_state *f = memory;
    return f->left == 0 && f->have == 0;
}

static const tenon_codec fake_codec = {
    sizeof(tenon_codec), 8, 15, {0, 0}, fake_deflate_size, fake_inflate_size, fake_bound,
    fake_deflate_begin, fake_deflate, fake_reset, fake_inflate_begin, fake_inflate, fake_whole, fake_reset,
};

/* ------------------------------------------------------------------------ helpers */

/* Octets that repeat now and then (text), or never (noise). */
static void fill_text(uint8_t *to, size_t n, uint64_t *seed)
{
    static const char *const words[] = {"alpha ", "beta ", "gamma ", "delta ", "omega ", "\n", "1234567890 ", "x"};
    size_t i = 0;
    while (i < n) {
        const char *word = words[draw(seed) % COUNT_OF(words)];
        while (*word != '\0' && i < n)
            to[i++] = (uint8_t)*word++;
    }
}

static void fill_noise(uint8_t *to, size_t n, uint64_t *seed)
{
    size_t i;
    for (i = 0; i < n; i++)
        to[i] = (uint8_t)(draw(seed) >> 24);
}

static tenon_deflate settings(const tenon_codec *codec, unsigned memory_level, unsigned level)
{
    tenon_deflate d;
    memset(&d, 0, sizeof d);
    d.size = (uint32_t)sizeof d;
    d.codec = codec;
    d.memory_level = (uint8_t)memory_level;
    d.level = (uint8_t)level;
    return d;
}

/* The least block; its own allocation, so that one octet beyond it shows. */
static tenon_inflater *make_inflater(const tenon_codec *codec, unsigned bits, size_t more)
{
    size_t size = tenon_inflater_size(codec, bits) + more;
    void *block = malloc(size);
    tenon_inflater *f;
    assert_non_null(block);
    memset(block, 0xa5, size);
    f = tenon_inflater_make(codec, bits, block, size);
    assert_ptr_equal(f, block);
    return f;
}

static tenon_deflater *make_deflater(const tenon_deflate *d, unsigned bits, size_t more)
{
    size_t size = tenon_deflater_size(d->codec, bits, d->memory_level == 0 ? 8 : d->memory_level) + more;
    void *block = malloc(size);
    tenon_deflater *made;
    assert_non_null(block);
    memset(block, 0xa5, size);
    made = tenon_deflater_make(d, bits, block, size);
    assert_ptr_equal(made, block);
    return made;
}

/* A codec has all the memory that it named, and aligned, whatever the size. */
static void test_memory_of_the_codec(void **state)
{
    unsigned bits, level;
    (void)state;
    memset(&fake, 0, sizeof fake);
    for (bits = 8; bits <= 15; bits++) {
        tenon_inflater *f = make_inflater(&fake_codec, bits, 0);
        assert_true((size_t)(f->stage - (uint8_t *)f->state) >= fake_inflate_size(bits));
        assert_int_equal((uintptr_t)f->state % 16, 0);
        assert_true(f->room >= TENON_STAGE_MIN);
        free(f);
        for (level = 1; level <= 9; level++) {
            tenon_deflate config = settings(&fake_codec, level, 6);
            tenon_deflater *d = make_deflater(&config, bits, 0);
            assert_true((size_t)(d->stage - (uint8_t *)d->state) >= fake_deflate_size(bits, level));
            assert_int_equal((uintptr_t)d->state % 16, 0);
            assert_true(d->room >= TENON_STAGE_MIN);
            free(d);
        }
    }
}

/* Inflates all that can be, in pieces of room octets. Octets that came, or -1. */
static long drain(tenon_inflater *f, uint8_t *out, size_t size, size_t room)
{
    size_t n, total = 0;
    unsigned idle = 0;
    while (!tenon_inflater_hungry(f)) {
        size_t part = size - total < room ? size - total : room;
        assert_true(part > 0);
        if (tenon_inflater_run(f, out + total, part, &n) != TENON_OK)
            return -1;
        assert_true(n <= part);
        total += n;
        idle = n > 0 ? 0 : idle + 1;
        assert_true(idle < 100);
    }
    return (long)total;
}

/* A message in steps of step octets, into out: its size; -1: not DEFLATE; -2: not whole;
 * -3: empty. */
static long inflate_message(tenon_inflater *f, int fresh, const uint8_t *data, size_t n, size_t step, uint8_t *out,
                            size_t size, size_t room)
{
    size_t total = 0;
    long got;
    tenon_inflater_begin(f, fresh);
    assert_true(tenon_inflater_hungry(f));
    while (n > 0) {
        size_t part = step;
        uint8_t *to = tenon_inflater_stage(f, &part);
        assert_true(part > 0 && part <= step);
        if (part > n)
            part = n;
        memcpy(to, data, part);
        tenon_inflater_staged(f, part);
        data += part;
        n -= part;
        got = drain(f, out + total, size - total, room);
        if (got < 0)
            return -1;
        total += (size_t)got;
    }
    if (tenon_inflater_finish(f) != TENON_OK)
        return -3;
    got = drain(f, out + total, size - total, room);
    if (got < 0)
        return -1;
    total += (size_t)got;
    return tenon_inflater_whole(f) ? (long)total : -2;
}

/* All of a part, and how many pieces it came in; -1: the codec failed. */
static long deflate_part(tenon_deflater *d, const uint8_t *data, size_t n, int end, uint8_t *out, size_t size,
                         size_t take)
{
    size_t total = 0;
    int last;
    do {
        size_t part;
        if (!d->shown && tenon_deflater_run(d, &data, &n, end) != TENON_OK)
            return -1;
        assert_true(d->shown && d->ready <= d->have && d->have <= d->room);
        if (!d->ended)
            assert_int_equal(d->ready, tenon_deflater_frame(d));
        part = d->ready < take ? d->ready : take;
        last = d->ended && part == d->ready;
        assert_true(part <= size - total);
        memcpy(out + total, d->stage, part);
        total += part;
        tenon_deflater_taken(d, part);
    } while (!last);
    assert_int_equal(n, 0);
    return (long)total;
}

/* ---------------------------------------------------------------------- inflating */

#define EXPECT_ROOM 4096

typedef struct sample {
    const char *octets;
    size_t size;
    long result; /* size, or what inflate_message says */
    const char *text;
} sample;

#define OCTETS(text) text, sizeof text - 1

/* RFC 7692, 7.2.3, and what it rules out. Each on a window of its own. */
static const sample samples[] = {
    {OCTETS("\xf2\x48\xcd\xc9\xc9\x07\x00"), 5, "Hello"},
    {OCTETS("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"), 5, "Hello"},
    {OCTETS("\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), 5, "Hello"},
    {OCTETS("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"), 5, "Hello"},
    {OCTETS("\xf3\x48\xcd\xc9\xc9\x07\x00\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), 10, "HelloHello"},
    {OCTETS("\x00"), 0, ""},
    {OCTETS("\x02\x00"), 0, ""},
    {OCTETS("\x03\x00\x00"), 0, ""},                 /* a final block of nothing */
    {OCTETS("\x03\x00\x03\x00\x03\x00\x00"), 0, ""}, /* three */
    {OCTETS("\x01\x00\x00\xff\xff\x01\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"), 5, "Hello"},
    {OCTETS("\x00\x00\x00\xff\xff\x00\x00\x00\xff\xff\x00"), 0, ""},
    {OCTETS(""), -3, ""},
    {OCTETS("\xff"), -1, ""},
    {OCTETS("\x06"), -1, ""},             /* block type 3 */
    {OCTETS("\x07"), -1, ""},
    {OCTETS("\x00\x01\x00\x01\x00\x61"), -1, ""}, /* NLEN */
    {OCTETS("\xf2\x00\x11\x00\x00"), -1, ""},     /* refers to what never was */
    {OCTETS("\x04\x00\x92\x00"), -1, ""}, /* three codes of one bit */
    {OCTETS("\xfc\x00\x00"), -1, ""},     /* 288 codes of lengths */
    {OCTETS("\xf2\x48\xcd"), -2, ""},
    {OCTETS("\xf2\x48\xcd\xc9\xc9\x07"), -2, ""},
    {OCTETS("\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff"), -2, ""}, /* the tail was left in */
    {OCTETS("\xf3\x48\xcd\xc9\xc9\x07\x00"), -2, ""}, /* a final block, and nothing to complete */
    {OCTETS("\x00\x05\x00\xfa\xff\x48\x65"), -1, ""}, /* the tail fills the block up, and begins a bad one */
    {OCTETS("\x00\x05\x00"), -1, ""}, /* with the tail: LEN 5, NLEN 0 */
};

/* covers: 7692-7.2.1-02 7692-7.2.1-03 7692-7.2.2-01 7692-7.2.2-06 7692-7.2.2-07 7692-7.2.2-08 7692-7.2.2-09
 * 7692-7.2.2-10 7692-7.2.3.1-01 7692-7.2.3.3-01 7692-7.2.3.4-01 7692-7.2.3.5-01 7692-7.2.3.6-01 */
static void test_samples(void **state)
{
    static const size_t sizes[] = {1, 2, 3, 7, EXPECT_ROOM};
    uint8_t out[EXPECT_ROOM];
    size_t i, step, room;
    (void)state;
    for (i = 0; i < COUNT_OF(samples); i++) {
        for (step = 0; step < COUNT_OF(sizes); step++) {
            for (room = 0; room < COUNT_OF(sizes); room++) {
                tenon_inflater *f = make_inflater(&tenon_zlib, 15, 0);
                const sample *s = &samples[i];
                long got = inflate_message(f, 0, (const uint8_t *)s->octets, s->size, sizes[step], out, sizeof out,
                                           sizes[room]);
                if (got != s->result)
                    print_error("sample %u, step %u, room %u\n", (unsigned)i, (unsigned)sizes[step],
                                (unsigned)sizes[room]);
                assert_int_equal(got, s->result);
                if (got > 0)
                    assert_memory_equal(out, s->text, (size_t)got);
                free(f);
            }
        }
    }
}

/* Whatever blocks a message ended with, the next one sees its window; unless it is to
 * start afresh.
 * The first message is one of the samples that say Hello. */
/* covers: 7692-7.2.1-03 7692-7.2.2-02 7692-7.2.2-03 7692-7.2.2-04 7692-7.2.3.2-01 7692-7.2.3.4-01 */
static void test_window_between_messages(void **state)
{
    static const uint8_t again[] = {0xf2, 0x00, 0x11, 0x00, 0x00};
    uint8_t out[64];
    size_t i, step;
    (void)state;
    for (i = 0; i < 5; i++) {
        for (step = 1; step < 20; step++) {
            tenon_inflater *f = make_inflater(&tenon_zlib, i < 2 ? 8 : 15, 0);
            const sample *s = &samples[i];
            assert_int_equal(inflate_message(f, 0, (const uint8_t *)s->octets, s->size, step, out, 64, 64), s->result);
            assert_int_equal(inflate_message(f, 0, (const uint8_t *)"\x00", 1, 1, out, 64, 64), 0);
            assert_int_equal(inflate_message(f, 0, again, sizeof again, step, out, 64, 2), 5);
            assert_memory_equal(out, "Hello", 5);
            assert_int_equal(inflate_message(f, 1, (const uint8_t *)s->octets, s->size, step, out, 64, 64), s->result);
            assert_int_equal(inflate_message(f, 1, again, sizeof again, step, out, 64, 64), -1);
            free(f);
        }
    }
}

/* A stage filled to the brim, and rooms that are full exactly where the input ends. */
/* covers: 7692-6.2-01 */
static void test_stages_and_rooms(void **state)
{
    enum { SIZE = 20000 };
    uint8_t *plain = malloc(SIZE), *packed = malloc(2 * SIZE), *out = malloc(SIZE + 1);
    uint64_t seed = 7;
    size_t step, room;
    (void)state;
    fill_noise(plain, SIZE / 2, &seed);
    fill_text(plain + SIZE / 2, SIZE / 2, &seed);
    for (step = 1; step < 1000; step += step < 8 ? 1 : 247) {
        for (room = 1; room <= SIZE; room += room < 4 ? 1 : 4999) {
            tenon_deflate d = settings(&tenon_zlib, 8, 6);
            tenon_deflater *to = make_deflater(&d, 15, 0);
            tenon_inflater *from = make_inflater(&tenon_zlib, 15, step);
            long n = deflate_part(to, plain, SIZE, 1, packed, 2 * SIZE, SIZE_MAX);
            assert_true(n > 0);
            assert_int_equal(inflate_message(from, 0, packed, (size_t)n, step, out, SIZE + 1, room), SIZE);
            assert_memory_equal(out, plain, SIZE);
            free(to);
            free(from);
        }
    }
    free(plain);
    free(packed);
    free(out);
}

/* It asks for more only when all is out that the octets so far can give, however small
 * the room: what a match still owes is not left for later. */
static void test_hungry_means_that_all_is_out(void **state)
{
    uint8_t plain[600], packed[64], out[1000];
    tenon_deflate d = settings(&tenon_zlib, 8, 9);
    tenon_deflater *to = make_deflater(&d, 15, 0);
    tenon_inflater *small = make_inflater(&tenon_zlib, 15, 0), *large = make_inflater(&tenon_zlib, 15, 0);
    size_t i, one = 1;
    long n, owed = 0;
    (void)state;
    memset(plain, 'a', sizeof plain);
    n = deflate_part(to, plain, sizeof plain, 1, packed, sizeof packed, SIZE_MAX);
    tenon_inflater_begin(small, 0);
    tenon_inflater_begin(large, 0);
    for (i = 0; i < (size_t)n; i++) {
        long got;
        *tenon_inflater_stage(small, &one) = *tenon_inflater_stage(large, &one) = packed[i];
        tenon_inflater_staged(small, 1);
        tenon_inflater_staged(large, 1);
        got = drain(large, out, sizeof out, sizeof out);
        assert_int_equal(drain(small, out, sizeof out, 1), got);
        owed = got > owed ? got : owed;
    }
    assert_true(owed >= 200); /* one octet has brought all that about */
    free(to);
    free(small);
    free(large);
}

/* Blocks of the least size, and any larger one. */
static void test_stage_of_the_least_size(void **state)
{
    tenon_deflate d = settings(&fake_codec, 3, 1);
    unsigned more;
    (void)state;
    memset(&fake, 0, sizeof fake);
    for (more = 0; more < 40; more++) {
        tenon_inflater *f = make_inflater(&fake_codec, 9, more);
        tenon_deflater *to = make_deflater(&d, 9, more);
        size_t room = SIZE_MAX;
        uint8_t *stage = tenon_inflater_stage(f, &room);
        assert_true(room >= TENON_STAGE_MIN && room <= TENON_STAGE_MIN + more);
        assert_ptr_equal(stage + room, (uint8_t *)f + tenon_inflater_size(&fake_codec, 9) + more);
        assert_true((uintptr_t)f->state % 16 == (uintptr_t)f % 16);
        assert_true(to->room >= TENON_STAGE_MIN);
        assert_ptr_equal(to->stage + to->room, (uint8_t *)to + tenon_deflater_size(&fake_codec, 9, 3) + more);
        memset(stage, 1, room);
        memset(to->stage, 1, to->room);
        free(f);
        free(to);
    }
}

static void test_a_codec_that_refuses(void **state)
{
    tenon_deflate d = settings(&fake_codec, 0, 0);
    uint64_t block[200];
    (void)state;
    memset(&fake, 0, sizeof fake);
    fake.refuses = 1;
    assert_true(tenon_inflater_size(&fake_codec, 9) <= sizeof block);
    assert_true(tenon_deflater_size(&fake_codec, 9, 8) <= sizeof block);
    assert_null(tenon_inflater_make(&fake_codec, 9, block, sizeof block));
    assert_null(tenon_deflater_make(&d, 9, block, sizeof block));
    {
        uint8_t out[100];
        tenon_prepared p;
        assert_int_equal(tenon_prepare(&p, sizeof p, TENON_TEXT, "Hello", 5, 0), TENON_OK);
        assert_int_equal(tenon_prepare_deflate(&p, &d, 9, block, sizeof block, out, sizeof out), TENON_ERR_SIZE);
        assert_null(p.deflated);
        fake.refuses = 0;
        fake.fails = 1;
        assert_int_equal(tenon_prepare_deflate(&p, &d, 9, block, sizeof block, out, sizeof out), TENON_ERR_TOO_BIG);
        assert_null(p.deflated);
    }
}

/* Every call can fail, and then the message does. */
static void test_a_codec_that_fails(void **state)
{
    enum { SIZE = 3000 };
    uint8_t plain[SIZE], packed[2 * SIZE], out[SIZE + 1];
    tenon_deflate d = settings(&fake_codec, 8, 1);
    unsigned calls, fails;
    uint64_t seed = 3;
    long n = 0;
    (void)state;
    fill_noise(plain, SIZE, &seed);
    for (fails = 0, calls = 0; fails <= calls; fails++) {
        tenon_deflater *to;
        memset(&fake, 0, sizeof fake);
        fake.fails = fails;
        to = make_deflater(&d, 9, 0);
        n = deflate_part(to, plain, SIZE, 1, packed, sizeof packed, SIZE_MAX);
        assert_int_equal(n < 0, fails > 0);
        if (fails == 0)
            calls = fake.calls;
        else
            assert_int_equal(fake.calls, fails);
        free(to);
    }
    assert_true(calls > 5);
    memset(&fake, 0, sizeof fake);
    fake.no_tail = 1; /* a flush without its mark is a failure too */
    {
        tenon_deflater *to = make_deflater(&d, 9, 0);
        assert_int_equal(deflate_part(to, plain, 10, 1, packed, sizeof packed, SIZE_MAX), -1);
        free(to);
        fake.no_tail = 0;
        to = make_deflater(&d, 9, 0);
        n = deflate_part(to, plain, SIZE, 1, packed, sizeof packed, SIZE_MAX);
        free(to);
    }
    for (fails = 0, calls = 0; fails <= calls; fails++) {
        tenon_inflater *f;
        memset(&fake, 0, sizeof fake);
        fake.fails = fails;
        f = make_inflater(&fake_codec, 9, 0);
        assert_int_equal(inflate_message(f, 0, packed, (size_t)n, 100, out, SIZE + 1, SIZE + 1), fails > 0 ? -1 : SIZE);
        if (fails == 0)
            calls = fake.calls;
        free(f);
    }
    assert_true(calls > 5);
}

/* One that makes no progress fails the message instead of holding the program for ever. */
static void test_a_codec_that_is_stuck(void **state)
{
    tenon_inflater *f;
    uint8_t out[16];
    (void)state;
    memset(&fake, 0, sizeof fake);
    fake.stuck = 1;
    f = make_inflater(&fake_codec, 9, 0);
    assert_int_equal(inflate_message(f, 0, (const uint8_t *)"\x00\x00", 2, 2, out, sizeof out, 16), -1);
    fake.stuck = 0;
    free(f);
    fake.stuck = 1;
    f = make_inflater(&fake_codec, 9, 0); /* and with room for one octet alone */
    assert_int_equal(inflate_message(f, 0, (const uint8_t *)"\x00\x00", 2, 2, out, sizeof out, 1), -1);
    free(f);
    f = make_inflater(&fake_codec, 9, 0); /* one octet is as bad as two */
    assert_int_equal(inflate_message(f, 0, (const uint8_t *)"\x00", 1, 1, out, sizeof out, 16), -1);
    fake.stuck = 0;
    fake.ends = UINT32_MAX; /* an end of nothing, again and again */
    assert_int_equal(inflate_message(f, 1, (const uint8_t *)"\x00\x00", 2, 2, out, sizeof out, 16), -1);
    free(f);
}

/* The last octet of a final block may have been read before, when there was no room: its
 * end is told by a call that moves nothing, and the message goes on behind it. */
static void test_an_end_that_was_read_before(void **state)
{
    static const uint8_t hello[] = {0x00, 0x05, 0x00, 0xfa, 0xff, 'H', 'e', 'l', 'l', 'o', 0x00};
    static const uint8_t final[] = {0x01, 0x05, 0x00, 0xfa, 0xff, 'H', 'e', 'l', 'l', 'o', 0x00};
    tenon_inflater *f;
    uint8_t out[16];
    (void)state;
    memset(&fake, 0, sizeof fake);
    fake.echoes = 1; /* another block of which all had been read, right behind one that was not */
    f = make_inflater(&fake_codec, 9, 0);
    assert_int_equal(inflate_message(f, 0, final, sizeof final, sizeof final, out, sizeof out, 16), 5);
    assert_memory_equal(out, "Hello", 5);
    free(f);
    fake.echoes = 0;
    fake.ends = 1;
    f = make_inflater(&fake_codec, 9, 0);
    assert_int_equal(inflate_message(f, 0, hello, sizeof hello, sizeof hello, out, sizeof out, 16), 5);
    assert_memory_equal(out, "Hello", 5);
    assert_int_equal(fake.ends, 0);
    free(f);
}

/* Nothing of the input taken, or nothing left behind by the flush. */
static void test_a_codec_that_does_not_compress(void **state)
{
    tenon_deflate d = settings(&fake_codec, 8, 1);
    tenon_deflater *to;
    uint8_t out[64];
    (void)state;
    memset(&fake, 0, sizeof fake);
    fake.stuck = 1;
    to = make_deflater(&d, 9, 0);
    assert_int_equal(deflate_part(to, (const uint8_t *)"Hello", 5, 1, out, sizeof out, SIZE_MAX), -1);
    free(to);
    fake.stuck = 0;
    fake.silent = 1;
    to = make_deflater(&d, 9, 0);
    assert_int_equal(deflate_part(to, (const uint8_t *)"Hello", 5, 1, out, sizeof out, SIZE_MAX), -1);
    free(to);
}

/* More than the codec is given at a time: one part, flushed once. */
static void test_a_large_part(void **state)
{
    enum { SIZE = (3 << 20) + 7 };
    uint8_t *plain = malloc(SIZE), *packed = malloc(SIZE), *back = malloc(SIZE + 1);
    tenon_deflate d = settings(&tenon_zlib, 8, 1);
    tenon_deflater *to = make_deflater(&d, 15, 65536);
    tenon_inflater *from = make_inflater(&tenon_zlib, 15, 65536);
    long n;
    (void)state;
    assert_non_null(plain);
    assert_non_null(packed);
    assert_non_null(back);
    memset(plain, 'a', SIZE);
    plain[1 << 20] = 'b';
    n = deflate_part(to, plain, SIZE, 1, packed, SIZE, SIZE_MAX);
    assert_true(n > 0 && n < SIZE / 100);
    assert_int_equal(inflate_message(from, 0, packed, (size_t)n, (size_t)n, back, SIZE + 1, SIZE + 1), SIZE);
    assert_memory_equal(back, plain, SIZE);
    free(plain);
    free(packed);
    free(back);
    free(to);
    free(from);
}

/* A stage counts in 32 bits, however large the block is said to be. */
static void test_a_block_beyond_32_bits(void **state)
{
#if SIZE_MAX > UINT32_MAX
    tenon_deflate d = settings(&fake_codec, 8, 1);
    uint64_t block[200];
    tenon_inflater *f;
    tenon_deflater *to;
    size_t room = SIZE_MAX;
    memset(&fake, 0, sizeof fake);
    f = tenon_inflater_make(&fake_codec, 9, block, (size_t)UINT32_MAX + 4096);
    assert_non_null(f);
    (void)tenon_inflater_stage(f, &room);
    assert_true(room == UINT32_MAX);
    to = tenon_deflater_make(&d, 9, block, (size_t)UINT32_MAX + 4096);
    assert_non_null(to);
    assert_true(to->room == UINT32_MAX);
#endif
    (void)state;
}

/* -------------------------------------------------------------------- compressing */

/* covers: 7692-7.2.1-01 7692-7.2.1-07 7692-7.2.3.6-01 */
static void test_what_becomes_of_hello(void **state)
{
    static const uint8_t hello[] = {0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00}, again[] = {0xf2, 0x00, 0x11, 0x00, 0x00};
    tenon_deflate d = settings(&tenon_zlib, 0, 0);
    tenon_deflater *to = make_deflater(&d, 15, 0);
    uint8_t out[64];
    int i;
    (void)state;
    for (i = 0; i < 3; i++) { /* an empty message is one octet, however often */
        assert_int_equal(deflate_part(to, NULL, 0, 1, out, sizeof out, SIZE_MAX), 1);
        assert_int_equal(out[0], 0);
    }
    assert_int_equal(deflate_part(to, (const uint8_t *)"Hello", 5, 1, out, sizeof out, SIZE_MAX), sizeof hello);
    assert_memory_equal(out, hello, sizeof hello);
    assert_int_equal(deflate_part(to, NULL, 0, 1, out, sizeof out, SIZE_MAX), 1);
    assert_int_equal(out[0], 0);
    assert_int_equal(deflate_part(to, (const uint8_t *)"Hello", 5, 1, out, sizeof out, 1), sizeof again);
    assert_memory_equal(out, again, sizeof again);
    tenon_deflater_reset(to);
    assert_int_equal(deflate_part(to, (const uint8_t *)"Hello", 5, 1, out, sizeof out, SIZE_MAX), sizeof hello);
    assert_memory_equal(out, hello, sizeof hello);
    free(to);
}

/* Only the last part of a message loses its tail. */
/* covers: 7692-7.2.1-04 7692-7.2.3.6-01 */
static void test_parts(void **state)
{
    static const uint8_t tail[] = {0x00, 0x00, 0xff, 0xff};
    tenon_deflate d = settings(&tenon_zlib, 0, 0);
    tenon_deflater *to = make_deflater(&d, 15, 0);
    tenon_inflater *from = make_inflater(&tenon_zlib, 15, 0);
    uint8_t packed[256], out[64];
    long n, total;
    (void)state;
    total = deflate_part(to, (const uint8_t *)"Hel", 3, 0, packed, sizeof packed, SIZE_MAX);
    assert_true(total > 4);
    assert_memory_equal(packed + total - 4, tail, 4);
    assert_int_equal(deflate_part(to, NULL, 0, 0, packed + total, 64, SIZE_MAX), 0); /* nothing adds nothing */
    n = deflate_part(to, (const uint8_t *)"lo", 2, 0, packed + total, 64, 2);
    assert_memory_equal(packed + total + n - 4, tail, 4);
    total += n;
    n = deflate_part(to, NULL, 0, 1, packed + total, 64, SIZE_MAX);
    assert_int_equal(n, 1);
    assert_int_equal(packed[total], 0);
    total += n;
    assert_int_equal(inflate_message(from, 0, packed, (size_t)total, 1, out, sizeof out, 64), 5);
    assert_memory_equal(out, "Hello", 5);
    free(to);
    free(from);
}

/* A reset is asked of the codec only when there is something to forget. */
static void test_resets(void **state)
{
    tenon_deflate d = settings(&fake_codec, 1, 9);
    tenon_deflater *to;
    uint8_t out[64];
    (void)state;
    memset(&fake, 0, sizeof fake);
    to = make_deflater(&d, 9, 0);
    tenon_deflater_reset(to);
    assert_int_equal(fake.resets, 0);
    assert_int_equal(deflate_part(to, NULL, 0, 1, out, sizeof out, SIZE_MAX), 1);
    tenon_deflater_reset(to);
    assert_int_equal(fake.resets, 0);
    assert_true(deflate_part(to, (const uint8_t *)"abc", 3, 1, out, sizeof out, SIZE_MAX) > 0);
    tenon_deflater_reset(to);
    tenon_deflater_reset(to);
    assert_int_equal(fake.resets, 1);
    free(to);
}

/* Begins a message, gives it up, and sends another, perhaps with a part of nothing first. */
static void give_up(const uint8_t *plain, size_t n, int shown_whole, int nothing)
{
    static const uint8_t hello[] = {0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00};
    tenon_deflate d = settings(&tenon_zlib, 1, 6);
    tenon_deflater *to = make_deflater(&d, 9, 0);
    uint8_t out[64];
    assert_int_equal(tenon_deflater_run(to, &plain, &n, 1), TENON_OK);
    assert_int_equal(to->ended, shown_whole);
    tenon_deflater_reset(to);
    if (nothing)
        assert_int_equal(deflate_part(to, NULL, 0, 0, out, sizeof out, SIZE_MAX), 0);
    assert_int_equal(deflate_part(to, (const uint8_t *)"Hello", 5, 1, out, sizeof out, SIZE_MAX), sizeof hello);
    assert_memory_equal(out, hello, sizeof hello);
    free(to);
}

/* What is given up leaves nothing behind: neither in the stage, be it the whole message or
 * as much as there is room for, nor in the codec. */
static void test_reset_in_the_middle(void **state)
{
    uint8_t plain[2000];
    uint64_t seed = 5;
    int nothing;
    (void)state;
    fill_noise(plain, sizeof plain, &seed);
    for (nothing = 0; nothing < 2; nothing++) {
        give_up(plain, 10, 1, nothing);
        give_up(plain, sizeof plain, 0, nothing);
    }
}

/* A part of nothing is nothing, at the very beginning too; and the end of a message of
 * nothing is one octet, which is what is asked for it. */
static void test_parts_of_nothing(void **state)
{
    tenon_deflate d = settings(&tenon_zlib, 0, 0);
    tenon_deflater *to = make_deflater(&d, 15, 0);
    uint8_t out[64];
    (void)state;
    assert_int_equal(deflate_part(to, NULL, 0, 0, out, sizeof out, SIZE_MAX), 0);
    assert_int_equal(deflate_part(to, NULL, 0, 1, out, sizeof out, SIZE_MAX), 1);
    assert_int_equal(tenon_deflater_bound(to, 0), 1);
    free(to);
}

/* What is taken octet by octet is the same as at once, down to the last one. */
static void test_taken_octet_by_octet(void **state)
{
    tenon_deflate d = settings(&tenon_zlib, 0, 0);
    tenon_deflater *one = make_deflater(&d, 15, 0), *all = make_deflater(&d, 15, 0);
    uint8_t first[64], second[64];
    long n;
    (void)state;
    n = deflate_part(all, (const uint8_t *)"Hello", 5, 0, first, sizeof first, SIZE_MAX);
    assert_true(n > 4);
    assert_int_equal(deflate_part(one, (const uint8_t *)"Hello", 5, 0, second, sizeof second, 1), n);
    assert_memory_equal(first, second, (size_t)n);
    free(one);
    free(all);
}

/* Flushes that end exactly where the stage does. */
static void test_every_size_through_a_small_stage(void **state)
{
    enum { SIZE = 1400 };
    uint8_t plain[SIZE], packed[2 * SIZE + 64], out[SIZE + 1];
    tenon_deflate d;
    uint64_t seed = 11;
    size_t n;
    int which;
    (void)state;
    fill_noise(plain, SIZE, &seed);
    for (which = 0; which < 2; which++) {
        const tenon_codec *codec = which ? &tenon_zlib : &fake_codec;
        tenon_inflater *from;
        tenon_deflater *to;
        memset(&fake, 0, sizeof fake);
        d = settings(codec, 1, 1);
        to = make_deflater(&d, 9, 0);
        from = make_inflater(codec, 9, 0);
        for (n = 1; n <= SIZE; n++) {
            long size = deflate_part(to, plain, n, 1, packed, sizeof packed, SIZE_MAX);
            assert_true(size > 0 && (size_t)size <= tenon_deflater_bound(to, n));
            assert_int_equal(inflate_message(from, 0, packed, (size_t)size, SIZE, out, SIZE + 1, SIZE + 1), n);
            assert_memory_equal(out, plain, n);
        }
        free(to);
        free(from);
    }
}

/* The bound holds for what cannot be compressed, at any settings, and the output
 * never refers back further than the window, by the judgement of zlib. */
/* covers: 7692-7.2.1-05 7692-7.2.1-08 7692-7.1.2.2-06 */
static void test_bound_and_window(void **state)
{
    enum { SIZE = 70000 };
    static const size_t sizes[] = {0, 1, 2, 63, 64, 65, 255, 256, 1000, 4096, 16384, 40000, SIZE};
    uint8_t *plain = calloc(SIZE, 1), *packed = malloc(2 * SIZE), *out = malloc(SIZE + 1);
    unsigned bits, memory_level;
    uint64_t seed = 5;
    size_t i;
    (void)state;
    for (bits = 9; bits <= 15; bits++) {
        for (memory_level = 1; memory_level <= 9; memory_level++) {
            tenon_deflate d = settings(&tenon_zlib, memory_level, 1 + (bits + memory_level) % 9);
            tenon_deflater *to = make_deflater(&d, bits, 0);
            tenon_inflater *from = make_inflater(&tenon_zlib, bits, 0);
            for (i = 0; i < COUNT_OF(sizes); i++) {
                long n;
                if ((i + bits) % 3 == 0)
                    fill_text(plain, sizes[i], &seed);
                else if (i % 3 != 1) /* else: what the window may still hold */
                    fill_noise(plain, sizes[i], &seed);
                n = deflate_part(to, plain, sizes[i], 1, packed, 2 * SIZE, SIZE_MAX);
                assert_true(n >= 1 && (size_t)n <= tenon_deflater_bound(to, sizes[i]));
                assert_int_equal(inflate_message(from, 0, packed, (size_t)n, SIZE, out, SIZE + 1, SIZE + 1), sizes[i]);
                if (sizes[i] > 0)
                    assert_memory_equal(out, plain, sizes[i]);
            }
            free(to);
            free(from);
        }
    }
    free(plain);
    free(packed);
    free(out);
}

/* ------------------------------------------------------------------------- blocks */

/* What the header of zlib promises about sizes. */
static size_t promised_deflate(unsigned bits, unsigned memory_level)
{
    return ((size_t)1 << (bits + 2)) + ((size_t)1 << (memory_level + 9)) + 8192;
}

static size_t promised_inflate(unsigned bits)
{
    return ((size_t)1 << bits) + 10240;
}

/* The least memory that zlib makes do with. */
static size_t least_deflate(unsigned bits, unsigned memory_level)
{
    size_t good = tenon_zlib.deflate_size(bits, memory_level), bad = 1024;
    while (good - bad > 32) {
        size_t middle = (good + bad) / 32 * 16;
        void *memory = malloc(middle);
        int status = tenon_zlib.deflate_begin(memory, middle, bits, memory_level, 6);
        free(memory);
        assert_true(status == TENON_OK || status == TENON_ERR_SIZE);
        if (status == TENON_OK)
            good = middle;
        else
            bad = middle;
    }
    return good;
}

static void test_sizes_of_compressing(void **state)
{
    unsigned bits, memory_level;
    (void)state;
    for (bits = 9; bits <= 15; bits++) {
        for (memory_level = 1; memory_level <= 9; memory_level++) {
            size_t named = tenon_zlib.deflate_size(bits, memory_level), promised = promised_deflate(bits, memory_level);
            tenon_deflate d = settings(&tenon_zlib, memory_level, 9);
            assert_true(tenon_deflater_size(&tenon_zlib, bits, memory_level) <= promised + 1024);
            assert_true(named - least_deflate(bits, memory_level) < 8192); /* not far off */
            free(make_deflater(&d, bits, 0));                              /* and it fits */
        }
    }
    assert_true(tenon_deflater_size(&tenon_zlib, 15, 8) <= 265 * 1024);
    assert_true(tenon_deflater_size(&tenon_zlib, 10, 1) <= 14 * 1024);
}

/* Whether zlib inflates a message in so much memory. Its window is taken when there is
 * something to keep, so the message comes in two pieces. */
static int inflates_in(unsigned bits, size_t size, const uint8_t *packed, size_t n)
{
    void *memory = malloc(size);
    uint8_t *out = malloc(40000), *to = out;
    size_t half = n / 2, rest = n - half, room = 40000;
    const uint8_t *in = packed;
    int good = tenon_zlib.inflate_begin(memory, size, bits) == TENON_OK &&
               tenon_zlib.inflate(memory, &in, &half, &to, &room) == TENON_OK &&
               tenon_zlib.inflate(memory, &in, &rest, &to, &room) == TENON_OK;
    free(memory);
    free(out);
    return good;
}

static void test_sizes_of_inflating(void **state)
{
    enum { SIZE = 40000 };
    uint8_t *plain = malloc(SIZE), *packed = malloc(2 * SIZE);
    uint64_t seed = 9;
    unsigned bits;
    (void)state;
    fill_text(plain, SIZE, &seed);
    for (bits = 8; bits <= 15; bits++) {
        size_t named = tenon_zlib.inflate_size(bits), size = named;
        tenon_deflate d = settings(&tenon_zlib, 8, 6);
        tenon_deflater *to = make_deflater(&d, bits == 8 ? 9 : bits, 0);
        long n = deflate_part(to, plain, bits == 8 ? 200 : SIZE, 1, packed, 2 * SIZE, SIZE_MAX);
        assert_true(n > 0);
        assert_true(tenon_inflater_size(&tenon_zlib, bits) <= promised_inflate(bits) + 1024);
        while (inflates_in(bits, size, packed, (size_t)n))
            size -= 16;
        assert_true(size < named && named - size < 8192); /* it fits, and is not far off */
        free(to);
    }
    assert_true(tenon_inflater_size(&tenon_zlib, 15) <= 43 * 1024);
    assert_true(tenon_inflater_size(&tenon_zlib, 9) <= 23 * 512);
    free(plain);
    free(packed);
}

/* covers: 7692-7.2.1-09 */
static void test_zlib_has_no_window_of_256_to_compress_with(void **state)
{
    size_t size = tenon_zlib.deflate_size(9, 8);
    void *memory = malloc(size);
    (void)state;
    assert_int_equal(tenon_zlib.min_bits, 9);
    assert_int_equal(tenon_zlib.max_bits, 15);
    assert_int_equal(tenon_zlib.deflate_begin(memory, size, 8, 8, 6), TENON_ERR_SIZE);
    free(memory);
}

/* A message of which nothing was staged is none, for an empty one is an octet. */
static void test_nothing_staged(void **state)
{
    tenon_inflater *f = make_inflater(&tenon_zlib, 9, 0);
    (void)state;
    tenon_inflater_begin(f, 0);
    tenon_inflater_staged(f, 0);
    assert_int_equal(tenon_inflater_finish(f), TENON_ERR_PROTOCOL);
    free(f);
}

/* A part of a little more than the codec is given at a time, through stages that are full
 * at one of the octets about there. */
static void test_a_part_and_an_octet(void **state)
{
    enum { SIZE = (1 << 20) + 4, ROOM = SIZE + SIZE / 10 };
    uint8_t *plain = calloc(1, SIZE), *packed = malloc(ROOM);
    tenon_deflate d = settings(&fake_codec, 8, 1);
    size_t n, less;
    (void)state;
    assert_non_null(plain);
    assert_non_null(packed);
    memset(&fake, 0, sizeof fake);
    for (n = SIZE - 4; n <= SIZE; n++) {
        tenon_deflater *to = make_deflater(&d, 9, 2 * SIZE);
        size_t all = (size_t)deflate_part(to, plain, n, 1, packed, ROOM, SIZE_MAX);
        assert_true(all > n && all <= ROOM);
        free(to);
        for (less = 0; less < 24; less++) {
            to = make_deflater(&d, 9, all - TENON_STAGE_MIN - less);
            assert_int_equal(deflate_part(to, plain, n, 1, packed, ROOM, SIZE_MAX), all);
            free(to);
        }
    }
    free(plain);
    free(packed);
}

/* The bound is not below what zlib itself gives where it knows nothing of the stream; the
 * reserve of the struct is zero; and where nothing was inflated since a reset, no block is open. */
static void test_zlib_promises(void **state)
{
    static const uint8_t part[] = {0xf2, 0x48};
    const uint8_t *in = part;
    size_t size = tenon_zlib.inflate_size(9), left = sizeof part, room = 16, n;
    uint8_t *memory = malloc(size), out[16], *at = out;
    (void)state;
    for (n = 0; n < (1u << 24); n = n * 3 / 2 + 1)
        assert_true(tenon_zlib.bound(n) >= deflateBound(NULL, (uLong)n));
    assert_int_equal(tenon_zlib.reserved[0] | tenon_zlib.reserved[1], 0);
    assert_non_null(memory);
    assert_int_equal(tenon_zlib.inflate_begin(memory, size, 9), TENON_OK);
    assert_int_equal(tenon_zlib.inflate(memory, &in, &left, &at, &room), TENON_OK);
    assert_int_equal(tenon_zlib.inflate_whole(memory), 0);
    tenon_zlib.inflate_reset(memory);
    assert_int_equal(tenon_zlib.inflate_whole(memory), 1);
    free(memory);
}

/* ---------------------------------------------------------------------- prepared */

/* covers: 7692-7.2.1-01 */
static void test_prepare(void **state)
{
    static const char text[] = "one two three one two three one two three one two three";
    tenon_deflate d = settings(&tenon_zlib, 1, 9), small = d;
    size_t n = sizeof text - 1, room = tenon_zlib.bound(n), size = tenon_prepare_size(&d, 9), made;
    uint8_t *block = malloc(size), *out = malloc(room), back[100];
    tenon_inflater *from = make_inflater(&tenon_zlib, 9, 0);
    tenon_prepared p;
    (void)state;
    assert_true(size > 0 && size % 16 == 0);
    assert_int_equal(tenon_prepare(&p, sizeof p, TENON_TEXT, text, n, 0), TENON_OK);
    assert_int_equal(tenon_prepare_deflate(NULL, &d, 9, block, size, out, room), TENON_ERR_NULL);
    assert_int_equal(tenon_prepare_deflate(&p, NULL, 9, block, size, out, room), TENON_ERR_NULL);
    assert_int_equal(tenon_prepare_deflate(&p, &d, 9, NULL, size, out, room), TENON_ERR_NULL);
    assert_int_equal(tenon_prepare_deflate(&p, &d, 9, block, size, NULL, room), TENON_ERR_NULL);
    assert_int_equal(tenon_prepare_deflate(&p, &d, 8, block, size, out, room), TENON_ERR_ARG);
    assert_int_equal(tenon_prepare_deflate(&p, &d, 16, block, size, out, room), TENON_ERR_ARG);
    assert_int_equal(tenon_prepare_deflate(&p, &d, 9, block, size - 1, out, room), TENON_ERR_SIZE);
    assert_int_equal(tenon_prepare_deflate(&p, &d, 9, block + 1, size, out, room), TENON_ERR_SIZE);
    small.size--;
    assert_int_equal(tenon_prepare_deflate(&p, &small, 9, block, size, out, room), TENON_ERR_SIZE);
    small = d;
    small.codec = NULL;
    assert_int_equal(tenon_prepare_deflate(&p, &small, 9, block, size, out, room), TENON_ERR_NULL);
    assert_int_equal(tenon_prepare_size(&small, 9), 0);
    p.size--;
    assert_int_equal(tenon_prepare_deflate(&p, &d, 9, block, size, out, room), TENON_ERR_SIZE);
    p.size++;
    small = d;
    small.memory_level = small.level = 9; /* the most there is */
    assert_true(tenon_prepare_size(&small, 9) > size);
    small.level = 10;
    assert_int_equal(tenon_prepare_deflate(&p, &small, 9, block, size, out, room), TENON_ERR_ARG);
    assert_int_equal(tenon_prepare_size(&small, 9), 0);
    small = d;
    small.memory_level = 10;
    assert_int_equal(tenon_prepare_deflate(&p, &small, 9, block, size, out, room), TENON_ERR_ARG);
    assert_int_equal(tenon_prepare_size(&small, 9), 0);
    assert_int_equal(tenon_prepare_size(NULL, 9), 0);
    assert_int_equal(tenon_prepare_size(&d, 8), 0);
    assert_null(p.deflated);
    assert_int_equal(tenon_prepare_deflate(&p, &d, 9, block, size, out, room), TENON_OK);
    assert_ptr_equal(p.deflated, out);
    made = p.deflated_size;
    assert_true(made < n);
    assert_int_equal(inflate_message(from, 0, out, made, made, back, sizeof back, sizeof back), n);
    assert_memory_equal(back, text, n);
    for (room = 0; room < made; room++) { /* too small an out leaves it as it was */
        uint8_t *exact = malloc(room > 0 ? room : 1);
        assert_int_equal(tenon_prepare(&p, sizeof p, TENON_TEXT, text, n, 0), TENON_OK);
        assert_int_equal(tenon_prepare_deflate(&p, &d, 9, block, size, exact, room), TENON_ERR_TOO_BIG);
        assert_null(p.deflated);
        free(exact);
    }
    assert_int_equal(tenon_prepare_deflate(&p, &d, 9, block, size, out, made), TENON_OK);
    free(block);
    free(out);
    free(from);
}

/* Nothing is written beyond out either where what was compressed comes in several stages. */
static void test_prepare_in_stages(void **state)
{
    enum { SIZE = 6000 };
    tenon_deflate d = settings(&tenon_zlib, 1, 9);
    size_t size = tenon_prepare_size(&d, 9), room, made;
    uint8_t *block = malloc(size), *out = malloc(SIZE), plain[SIZE];
    uint64_t seed = 4;
    tenon_prepared p;
    (void)state;
    fill_text(plain, SIZE, &seed);
    assert_int_equal(tenon_prepare(&p, sizeof p, TENON_BINARY, plain, SIZE, 0), TENON_OK);
    assert_int_equal(tenon_prepare_deflate(&p, &d, 9, block, size, out, SIZE), TENON_OK);
    made = p.deflated_size;
    assert_true(made > 1000);
    for (room = 1; room <= made; room += room + 10 < made ? 97 : 1) {
        uint8_t *exact = malloc(room);
        int want = room == made ? TENON_OK : TENON_ERR_TOO_BIG;
        assert_int_equal(tenon_prepare_deflate(&p, &d, 9, block, size, exact, room), want);
        if (room == made)
            assert_memory_equal(exact, out, made);
        free(exact);
    }
    free(block);
    free(out);
}

/* No memory level is the one that is promised for none. */
static void test_prepare_standard(void **state)
{
    tenon_deflate none = settings(&tenon_zlib, 0, 0), eight = settings(&tenon_zlib, 8, 0);
    (void)state;
    assert_int_equal(tenon_prepare_size(&none, 12), tenon_prepare_size(&eight, 12));
}

/* As many octets as before are no gain. */
static void test_prepare_to_the_same_size(void **state)
{
    tenon_deflate d = settings(&tenon_zlib, 8, 6);
    size_t size = tenon_prepare_size(&d, 15), n;
    uint8_t *block = malloc(size), out[100], plain[20];
    int same = 0;
    (void)state;
    memset(plain, 'a', sizeof plain);
    for (n = 1; n <= sizeof plain; n++) {
        tenon_deflater *other = make_deflater(&d, 15, 0);
        long made = deflate_part(other, plain, n, 1, out, sizeof out, sizeof out);
        tenon_prepared p;
        assert_true(made > 0);
        assert_int_equal(tenon_prepare(&p, sizeof p, TENON_BINARY, plain, n, 0), TENON_OK);
        assert_int_equal(tenon_prepare_deflate(&p, &d, 15, block, size, out, sizeof out),
                         (size_t)made < n ? TENON_OK : TENON_ERR_TOO_BIG);
        same += (size_t)made == n;
        free(other);
    }
    assert_true(same > 0);
    free(block);
}

/* What gains nothing stays as it is. */
static void test_prepare_without_gain(void **state)
{
    enum { SIZE = 5000 };
    tenon_deflate d = settings(&tenon_zlib, 8, 6);
    size_t size = tenon_prepare_size(&d, 15), n;
    uint8_t *block = malloc(size), *out = malloc(2 * SIZE), plain[SIZE];
    uint64_t seed = 21;
    tenon_prepared p;
    (void)state;
    fill_noise(plain, SIZE, &seed);
    for (n = 0; n <= SIZE; n += 500) {
        assert_int_equal(tenon_prepare(&p, sizeof p, TENON_BINARY, plain, n, 0), TENON_OK);
        assert_int_equal(tenon_prepare_deflate(&p, &d, 15, block, size, out, 2 * SIZE), TENON_ERR_TOO_BIG);
        assert_null(p.deflated);
    }
    free(block);
    free(out);
}

/* A message whose last code ends with the tail: asked for more when its 13 octets have
 * filled the room, the codec still knows that the stream ended where a block does. */
static void test_zlib_whole_without_progress(void **state)
{
    static const char payload[] =
        "\x14\xe4\x01\x90\x24\x49\x92\x24\x49\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
        "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xb1\xa8\x79\x64\xf5\x2c"
        "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
        "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
        "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x2c\x11\x02\x00\x0e"
        "\x00\x00\xff\xff";
    size_t size = tenon_zlib.inflate_size(15), left = sizeof payload - 1, room = 13;
    void *memory = malloc(size);
    const uint8_t *in = (const uint8_t *)payload;
    uint8_t out[14], *at = out;
    (void)state;
    assert_non_null(memory);
    assert_int_equal(tenon_zlib.inflate_begin(memory, size, 15), TENON_OK);
    assert_int_equal(tenon_zlib.inflate(memory, &in, &left, &at, &room), TENON_OK);
    assert_int_equal(left, 0);
    assert_int_equal(room, 0);
    room = 1;
    assert_int_equal(tenon_zlib.inflate(memory, &in, &left, &at, &room), TENON_OK);
    assert_int_equal(room, 1);
    assert_int_equal(tenon_zlib.inflate_whole(memory), 1);
    free(memory);
}

/* What the codec says of itself: a flush only when it is asked for, and memory that is
 * too small is refused. */
static void test_zlib_as_a_codec(void **state)
{
    size_t size = tenon_zlib.deflate_size(9, 1), left = 5, room = 100;
    uint8_t *memory = malloc(size), out[100], *at = out;
    const uint8_t *in = (const uint8_t *)"Hello";
    (void)state;
    assert_non_null(memory);
    assert_int_equal(tenon_zlib.deflate_begin(memory, 512, 9, 1, 6), TENON_ERR_SIZE);
    assert_int_equal(tenon_zlib.inflate_begin(memory, 512, 9), TENON_ERR_SIZE);
    assert_int_equal(tenon_zlib.deflate_begin(memory, size, 9, 1, 6), TENON_OK);
    assert_int_equal(tenon_zlib.deflate(memory, &in, &left, &at, &room, 0), TENON_OK);
    assert_int_equal(left, 0);
    assert_int_equal(room, 100); /* zlib keeps so few */
    assert_int_equal(tenon_zlib.deflate(memory, &in, &left, &at, &room, 1), TENON_OK);
    assert_int_equal(100 - room, 11); /* RFC 7692, 7.2.3.1, and the end of its flush */
    assert_memory_equal(out, "\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff", 11);
    free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_window_between_messages),
        cmocka_unit_test(test_stages_and_rooms),
        cmocka_unit_test(test_hungry_means_that_all_is_out),
        cmocka_unit_test(test_stage_of_the_least_size),
        cmocka_unit_test(test_a_codec_that_refuses),
        cmocka_unit_test(test_a_codec_that_fails),
        cmocka_unit_test(test_a_codec_that_is_stuck),
        cmocka_unit_test(test_an_end_that_was_read_before),
        cmocka_unit_test(test_a_codec_that_does_not_compress),
        cmocka_unit_test(test_a_large_part),
        cmocka_unit_test(test_a_block_beyond_32_bits),
        cmocka_unit_test(test_what_becomes_of_hello),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_resets),
        cmocka_unit_test(test_reset_in_the_middle),
        cmocka_unit_test(test_parts_of_nothing),
        cmocka_unit_test(test_taken_octet_by_octet),
        cmocka_unit_test(test_every_size_through_a_small_stage),
        cmocka_unit_test(test_bound_and_window),
        cmocka_unit_test(test_sizes_of_compressing),
        cmocka_unit_test(test_sizes_of_inflating),
        cmocka_unit_test(test_zlib_has_no_window_of_256_to_compress_with),
        cmocka_unit_test(test_memory_of_the_codec),
        cmocka_unit_test(test_nothing_staged),
        cmocka_unit_test(test_a_part_and_an_octet),
        cmocka_unit_test(test_zlib_promises),
        cmocka_unit_test(test_prepare),
        cmocka_unit_test(test_prepare_in_stages),
        cmocka_unit_test(test_prepare_standard),
        cmocka_unit_test(test_prepare_to_the_same_size),
        cmocka_unit_test(test_prepare_without_gain),
        cmocka_unit_test(test_zlib_whole_without_progress),
        cmocka_unit_test(test_zlib_as_a_codec),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
