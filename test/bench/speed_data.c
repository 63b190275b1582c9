/* SPDX-License-Identifier: MIT */
#include "speed_data.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STREAM_SIZE (16u << 20) /* octets of all messages of a stream, or one message */
#define STREAM_MESSAGES 200000  /* and not more of them */
#define PASS_SIZE (4u << 20)    /* octets that one pass of the other kinds handles */
#define PASS_CALLS 20000        /* and not more calls */
#define HANDSHAKES 1000
#define OUT_SIZE (STREAM_SIZE + 4096)

static uint32_t seed = 2463534242u;

/* As Chrome asks. */
static const char request[] =
    "GET /chat HTTP/1.1\r\nHost: server.example.com:8080\r\nConnection: Upgrade\r\nPragma: no-cache\r\n"
    "Cache-Control: no-cache\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/126.0.0.0 Safari/537.36\r\nUpgrade: websocket\r\nOrigin: http://server.example.com:8080\r\n"
    "Sec-WebSocket-Version: 13\r\nAccept-Encoding: gzip, deflate\r\nAccept-Language: en-US,en;q=0.9\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";
static const char accept_line[] = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";

static void *memory(size_t n)
{
    void *block = calloc(1, n);
    if (block == NULL) {
        fprintf(stderr, "speed: no memory\n");
        exit(1);
    }
    return block;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* ------------------------------------------------------------------- payload */

/* Octets of the next character. */
static unsigned character_size(int payload)
{
    unsigned drawn = speed_random(&seed) >> 8;
    switch (payload) {
    case LATIN: return drawn % 4 == 0 ? 2 : 1;
    case CJK: return 3;
    case EMOJI: return 4;
    case MIXED: return 2 + drawn % 2;
    default: return 1;
    }
}

static void put_character(uint8_t *to, unsigned size)
{
    uint32_t drawn = speed_random(&seed) >> 4;
    uint32_t c = size == 1   ? 0x20 + drawn % 0x5f
                 : size == 2 ? 0xa0 + drawn % 0x500
                 : size == 3 ? 0x4e00 + drawn % 0x5000
                             : 0x1f300 + drawn % 0x300;
    unsigned i;
    if (size == 1) {
        to[0] = (uint8_t)c;
        return;
    }
    for (i = size - 1; i > 0; i--, c >>= 6)
        to[i] = (uint8_t)(0x80 | (c & 0x3f));
    to[0] = (uint8_t)(0xf00u >> size | c);
}

static void fill(uint8_t *to, size_t n, int payload)
{
    size_t i = 0;
    while (payload == OCTETS && i < n)
        to[i++] = (uint8_t)(speed_random(&seed) >> 16);
    while (i < n) {
        unsigned size = character_size(payload);
        size = size <= n - i ? size : 1;
        put_character(to + i, size);
        i += size;
    }
}

static void apply_key(uint8_t *data, size_t n, const uint8_t key[4])
{
    size_t i;
    for (i = 0; i < n; i++)
        data[i] ^= key[i % 4];
}

/* ------------------------------------------------------------------- streams */

/* The length of a payload behind the octet that it begins in: octets of the header. */
static size_t put_length(uint8_t *to, uint64_t n, int is_masked)
{
    int octets = n < 126 ? 0 : n < 65536 ? 2 : 8, i;
    to[0] = (uint8_t)((is_masked ? 0x80 : 0) | (octets == 0 ? (int)n : octets == 2 ? 126 : 127));
    for (i = 0; i < octets; i++)
        to[1 + i] = (uint8_t)(n >> 8 * (octets - 1 - i));
    return 2 + (size_t)octets;
}

static size_t put_message(uint8_t *to, const workload *w, job *told)
{
    uint32_t four = speed_random(&seed);
    size_t header;
    to[0] = w->payload == OCTETS ? 0x82 : 0x81;
    header = put_length(to + 1, w->size, 1);
    memcpy(to + header, &four, 4);
    fill(to + header + 4, w->size, w->payload);
    speed_take(told, to + header + 4, w->size, 1);
    apply_key(to + header + 4, w->size, to + header);
    return header + 4 + w->size;
}

/* Messages of random payload, and in *told what is to come out. */
static size_t make_stream(uint8_t *to, const workload *w, size_t most, job *told)
{
    size_t count = least(STREAM_SIZE / w->size, most), at = 0;
    if (w->cut < 64)
        count = count / (64 / w->cut); /* each piece takes a call */
    memset(told, 0, sizeof *told);
    told->is_summed = 1;
    while (told->messages < count)
        at += put_message(to + at, w, told);
    return at;
}

static job wanted; /* of the stream made last */

/* Room for the largest of all workloads, made once. */
static void make_room(uint8_t **in, uint8_t **out)
{
    static uint8_t *for_in, *for_out;
    if (for_in == NULL) {
        for_in = memory(STREAM_SIZE + STREAM_MESSAGES * 14);
        for_out = memory(OUT_SIZE);
    }
    *in = for_in;
    *out = for_out;
}

double data_make(const workload *w, job *j, size_t most)
{
    uint8_t *in, *out;
    make_room(&in, &out);
    memset(j, 0, sizeof *j);
    memcpy(j->key, "\x5a\x31\xc7\x88", 4);
    j->in = in;
    j->in_size = j->out_size = w->size;
    j->out = out + w->offset;
    j->cut = w->cut;
    j->is_client = w->is_client;
    j->count = least(PASS_SIZE / w->size, least(PASS_CALLS, most));
    if (w->kind == DECODE) {
        j->count = 1;
        j->in_size = make_stream(in, w, least(STREAM_MESSAGES, most), &wanted);
        return (double)wanted.messages;
    }
    if (w->kind == HANDSHAKE) {
        j->count = least(HANDSHAKES, most);
        j->in = (const uint8_t *)request;
        j->in_size = sizeof request - 1;
        return (double)j->count;
    }
    fill(w->kind == MASK ? j->out : in, w->size, w->payload);
    if (w->kind == BOTH)
        apply_key(in, w->size, j->key);
    return (double)j->count;
}

/* ------------------------------------------------------------------- judging */

static const char *judge_decode(const contender *c, job j)
{
    j.is_summed = 1;
    if (c->run(&j) != 0)
        return "an error";
    if (j.messages != wanted.messages)
        return "another number of messages";
    if (j.octets != wanted.octets)
        return "another number of octets";
    return j.sum == wanted.sum && j.digest == wanted.digest ? NULL : "other octets";
}

/* Twice, for the last frame is what is there. */
static const char *judge_encode(const contender *c, job j)
{
    uint8_t head[16] = {0x82};
    size_t header = put_length(head + 1, j.in_size, j.is_client), i;
    uint8_t key[4] = {0, 0, 0, 0};
    j.count = 2;
    memset(j.out, 0, j.in_size + 16);
    if (c->run(&j) != 0)
        return "an error";
    if (j.out_size != header + (j.is_client ? 4 : 0) + j.in_size || memcmp(j.out, head, header) != 0)
        return "another header";
    if (j.is_client)
        memcpy(key, j.out + header, 4);
    for (i = 0; i < j.in_size; i++)
        if ((j.out[j.out_size - j.in_size + i] ^ key[i % 4]) != j.in[i])
            return "another payload";
    return NULL;
}

static const char *judge_mask(const contender *c, job j)
{
    uint8_t *want = memory(j.out_size + 1);
    const char *wrong = NULL;
    size_t less;
    for (less = 0; less < 8 && wrong == NULL; less++) {
        job part = j;
        part.count = 1;
        part.out_size -= less;
        memcpy(want, j.out, j.out_size + 1);
        apply_key(want, part.out_size, j.key);
        if (c->run(&part) != 0 || memcmp(want, j.out, j.out_size + 1) != 0)
            wrong = "other octets";
    }
    free(want);
    return wrong;
}

/* Good text is good, and with any of these it is bad, wherever they are. */
static const char *judge_check(const contender *c, job j)
{
    static const char *const bad[] = {"\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\x80",
                                      "\xff",     "\xe4\xb8",     "\xf0\x9f\x98", "\xc3"};
    uint8_t text[200];
    size_t i, at;
    j.count = 1;
    if (c->run(&j) != 0)
        return "good text is refused";
    j.in = text;
    j.cut = j.cut < j.in_size ? 17 : sizeof text; /* one go, or several */
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        for (at = 0; at < 150; at += 7) {
            memset(text, 'a', sizeof text);
            memcpy(text + at, bad[i], strlen(bad[i]));
            j.in_size = i % 2 == 0 ? at + strlen(bad[i]) : sizeof text;
            if (c->run(&j) == 0)
                return "bad text passes";
        }
    }
    return NULL;
}

static const char *judge_both(const contender *c, job j)
{
    size_t i;
    j.count = 1;
    memset(j.out, 0, j.in_size);
    if (c->run(&j) != 0)
        return "good text is refused";
    for (i = 0; i < j.in_size; i++)
        if (j.out[i] != (j.in[i] ^ j.key[i % 4]))
            return "other octets";
    return NULL;
}

static const char *judge_handshake(const contender *c, job j)
{
    j.count = 1;
    if (c->run(&j) != 0)
        return "an error";
    j.out[j.out_size] = '\0';
    if (strncmp((const char *)j.out, "HTTP/1.1 101 ", 13) != 0 || strstr((const char *)j.out, accept_line) == NULL)
        return "another answer";
    return strcmp((const char *)j.out + j.out_size - 4, "\r\n\r\n") == 0 ? NULL : "an answer without end";
}

const char *data_judge(const workload *w, const contender *c, const job *j)
{
    if (c->is_limit)
        return c->run((job[]){*j}) == 0 ? NULL : "an error";
    switch (w->kind) {
    case DECODE: return judge_decode(c, *j);
    case ENCODE: return judge_encode(c, *j);
    case MASK: return judge_mask(c, *j);
    case CHECK: return judge_check(c, *j);
    case BOTH: return judge_both(c, *j);
    default: return judge_handshake(c, *j);
    }
}
