/* SPDX-License-Identifier: MIT */
/*
 * The load of the benchmark of compressed echo. It uses zlib and sockets, and none of
 * the libraries that are compared.
 *
 *   deflate_load PORT SIZE MESSAGES     sends so many messages, checks their echoes
 *   deflate_load zlib SIZE MESSAGES     the same work on zlib alone: MEMORY_LEVEL is 8,
 *                                       or a fourth argument
 *
 * CONNECTIONS connections with permessage-deflate (15 bits, both sides refer back),
 * each with up to IN_FLIGHT messages under way. One message is one frame of text. Prints
 * "messages N sent OCTETS received OCTETS seconds S", the octets without handshakes;
 * for zlib the seconds are of CPU time. Ends itself after a minute.
 */
#define _POSIX_C_SOURCE 200809L

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "deflate_text.h"

#define CONNECTIONS 4
#define IN_FLIGHT 8
#define IN_SIZE 262144
#define SECONDS_MAX 60
#define HEADER_MAX 14

typedef struct peer {
    int fd;
    z_stream packer, unpacker;
    long sent, back, wanted; /* messages */
    unsigned char *out;      /* the frame that is being written */
    size_t out_at, out_end;
    unsigned char *in; /* what was read and is not yet a whole frame */
    size_t in_end;
    unsigned char *packed; /* the frames of a message */
    size_t packed_end;
    int is_packed;
    unsigned char *message; /* inflated */
} peer;

typedef struct load {
    char *text;
    size_t size, bound;
    unsigned long long octets_out, octets_in;
    peer peers[CONNECTIONS];
} load;

static void fail(const char *what)
{
    fprintf(stderr, "deflate_load: %s\n", what);
    exit(1);
}

static void *memory(size_t n)
{
    void *block = calloc(1, n);
    if (block == NULL)
        fail("no memory");
    return block;
}

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static const char *text_of(const load *l, long number)
{
    return l->text + (size_t)(number % TEXT_COUNT) * l->size;
}

/* ----------------------------------------------------------------------- zlib */

static void start_zlib(peer *p, int memory_level)
{
    if (deflateInit2(&p->packer, 6, Z_DEFLATED, -15, memory_level, Z_DEFAULT_STRATEGY) != Z_OK ||
        inflateInit2(&p->unpacker, -15) != Z_OK)
        fail("zlib does not begin");
}

/* A message without the last four octets (RFC 7692, 7.2.1): its size. */
static size_t pack(peer *p, const char *text, size_t n, unsigned char *out, size_t room)
{
    p->packer.next_in = (Bytef *)(uintptr_t)text;
    p->packer.avail_in = (uInt)n;
    p->packer.next_out = out;
    p->packer.avail_out = (uInt)room;
    if (deflate(&p->packer, Z_SYNC_FLUSH) != Z_OK || p->packer.avail_in > 0 || p->packer.avail_out == 0)
        fail("zlib does not compress");
    return room - p->packer.avail_out - 4;
}

/* Puts them back behind n octets, which have room for them: size of the message. */
static size_t unpack(peer *p, unsigned char *packed, size_t n, unsigned char *out, size_t room)
{
    int status;
    memcpy(packed + n, "\x00\x00\xff\xff", 4);
    p->unpacker.next_in = packed;
    p->unpacker.avail_in = (uInt)n + 4;
    p->unpacker.next_out = out;
    p->unpacker.avail_out = (uInt)room;
    status = inflate(&p->unpacker, Z_SYNC_FLUSH);
    if ((status != Z_OK && status != Z_BUF_ERROR) || p->unpacker.avail_in > 0)
        fail("an echo is no DEFLATE, or too long");
    return room - p->unpacker.avail_out;
}

/* --------------------------------------------------------------------- frames */

/* Makes the next frame. The mask is the same each time: it costs a server no less. */
static void next_frame(load *l, peer *p)
{
    static const unsigned char key[4] = {0x37, 0xfa, 0x21, 0x3d};
    unsigned char *at = p->out + HEADER_MAX;
    size_t i, n = pack(p, text_of(l, p->sent), l->size, at, l->bound);
    for (i = 0; i < n; i++)
        at[i] ^= key[i & 3];
    at -= 4;
    memcpy(at, key, 4);
    if (n < 126) {
        *--at = (unsigned char)(0x80 | n);
    } else {
        *--at = (unsigned char)n;
        *--at = (unsigned char)(n >> 8);
        *--at = 0x80 | 126;
    }
    if (n > 65535)
        fail("a message is too long for its header");
    *--at = 0xc1;
    p->out_at = (size_t)(at - p->out);
    p->out_end = HEADER_MAX + n;
    l->octets_out += p->out_end - p->out_at;
    p->sent++;
}

/* A message is whole: it has to be the one that was sent. */
static void check_echo(load *l, peer *p)
{
    size_t n = p->packed_end;
    const unsigned char *message = p->packed;
    if (p->is_packed) {
        n = unpack(p, p->packed, n, p->message, l->size + 1);
        message = p->message;
    }
    if (n != l->size || memcmp(message, text_of(l, p->back), n) != 0)
        fail("an echo differs");
    p->back++;
    p->packed_end = 0;
}

/* The frame at the begin of n octets: its size, or 0 if it is not there yet. */
static size_t take_frame(load *l, peer *p, const unsigned char *at, size_t n)
{
    size_t size, head = 2;
    if (n < 4)
        return 0;
    size = at[1];
    if (size > 126)
        fail("a frame is masked, or too long");
    if (size == 126) {
        size = (size_t)at[2] << 8 | at[3];
        head = 4;
    }
    if (n < head + size)
        return 0;
    if ((at[0] & 0x0f) > 1 || p->packed_end + size + 4 > l->bound)
        fail("a frame is not of text, or of too long a message");
    if (at[0] & 0x0f)
        p->is_packed = (at[0] & 0x40) != 0;
    memcpy(p->packed + p->packed_end, at + head, size);
    p->packed_end += size;
    if (at[0] & 0x80)
        check_echo(l, p);
    return head + size;
}

static void read_some(load *l, peer *p)
{
    size_t at = 0, n = 1;
    ssize_t got = read(p->fd, p->in + p->in_end, IN_SIZE - p->in_end);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0)
        fail("the server has ended a connection");
    l->octets_in += (unsigned long long)got;
    p->in_end += (size_t)got;
    for (; n > 0; at += n)
        n = take_frame(l, p, p->in + at, p->in_end - at);
    p->in_end -= at;
    memmove(p->in, p->in + at, p->in_end);
}

static void write_some(load *l, peer *p)
{
    while (p->out_at < p->out_end || (p->sent < p->wanted && p->sent - p->back < IN_FLIGHT)) {
        ssize_t put;
        if (p->out_at == p->out_end)
            next_frame(l, p);
        put = write(p->fd, p->out + p->out_at, p->out_end - p->out_at);
        if (put < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (put < 0)
            fail("the server has ended a connection");
        p->out_at += (size_t)put;
    }
}

/* ---------------------------------------------------------------- connections */

static void shake_hands(int fd)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
                                  "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    char answer[2048];
    size_t n = 0;
    if (write(fd, request, sizeof request - 1) != (ssize_t)sizeof request - 1)
        fail("the request cannot be sent");
    do { /* octet by octet, so as to read nothing behind it */
        if (n + 1 == sizeof answer || read(fd, answer + n, 1) != 1)
            fail("no answer to the request");
        answer[++n] = '\0';
    } while (n < 4 || memcmp(answer + n - 4, "\r\n\r\n", 4) != 0);
    if (strncmp(answer, "HTTP/1.1 101", 12) != 0 || strstr(answer, "permessage-deflate") == NULL)
        fail("permessage-deflate was not agreed");
    if (strstr(answer, "takeover") != NULL || strstr(answer, "window_bits") != NULL)
        fail("it was agreed with parameters");
}

static void start_peer(load *l, peer *p, unsigned port)
{
    struct sockaddr_in address;
    int on = 1;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)port);
    p->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (p->fd < 0 || connect(p->fd, (struct sockaddr *)&address, sizeof address) != 0)
        fail("no connection");
    setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    shake_hands(p->fd);
    fcntl(p->fd, F_SETFL, O_NONBLOCK);
    p->out = memory(HEADER_MAX + l->bound);
    p->in = memory(IN_SIZE);
    p->packed = memory(l->bound);
    p->message = memory(l->size + 1);
    start_zlib(p, 8);
}

static void end_peer(peer *p)
{
    static const unsigned char close_frame[] = {0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8}; /* 1000 */
    if (write(p->fd, close_frame, sizeof close_frame) < 0)
        fail("the server has ended a connection");
    close(p->fd);
}

/* One turn of all; how many messages are still to come back. */
static long turn(load *l)
{
    struct pollfd polls[CONNECTIONS];
    long left = 0;
    int i;
    for (i = 0; i < CONNECTIONS; i++) {
        peer *p = &l->peers[i];
        write_some(l, p);
        polls[i].fd = p->fd;
        polls[i].events = (short)(p->out_at < p->out_end ? POLLIN | POLLOUT : POLLIN);
        left += p->wanted - p->back;
    }
    if (left > 0 && poll(polls, CONNECTIONS, 10000) <= 0)
        fail("nothing moves");
    for (i = 0; i < CONNECTIONS && left > 0; i++)
        if (polls[i].revents & (POLLIN | POLLERR | POLLHUP))
            read_some(l, &l->peers[i]);
    return left;
}

static void run_echo(load *l, unsigned port, long messages)
{
    double begin;
    int i;
    for (i = 0; i < CONNECTIONS; i++) {
        start_peer(l, &l->peers[i], port);
        l->peers[i].wanted = messages / CONNECTIONS;
    }
    begin = seconds(CLOCK_MONOTONIC);
    while (turn(l) > 0)
        ;
    printf("messages %ld sent %llu received %llu seconds %.6f\n", messages / CONNECTIONS * CONNECTIONS, l->octets_out,
           l->octets_in, seconds(CLOCK_MONOTONIC) - begin);
    for (i = 0; i < CONNECTIONS; i++)
        end_peer(&l->peers[i]);
}

/* ----------------------------------------------------------------- zlib alone */

/* What a server has to do at the least: inflates each message and compresses it. */
static void run_zlib(load *l, long messages, int memory_level)
{
    peer *client = &l->peers[0], *server = &l->peers[1];
    unsigned char *packed = memory(l->bound), *message = memory(l->size + 1);
    double begin, total = 0;
    long i;
    start_zlib(client, 8);
    start_zlib(server, memory_level);
    for (i = 0; i < messages; i++) {
        size_t n = pack(client, text_of(l, i), l->size, packed, l->bound);
        l->octets_out += n;
        begin = seconds(CLOCK_PROCESS_CPUTIME_ID);
        n = unpack(server, packed, n, message, l->size + 1);
        l->octets_in += pack(server, (const char *)message, n, packed, l->bound);
        total += seconds(CLOCK_PROCESS_CPUTIME_ID) - begin;
    }
    printf("messages %ld sent %llu received %llu seconds %.6f\n", messages, l->octets_out, l->octets_in, total);
}

int main(int argc, char **argv)
{
    static load l;
    long messages = argc > 3 ? atol(argv[3]) : 0;
    if (messages < CONNECTIONS || atol(argv[2]) < 1 || atol(argv[2]) > 65536) {
        fprintf(stderr, "usage: deflate_load PORT|zlib SIZE MESSAGES [MEMORY_LEVEL]\n");
        return 2;
    }
    alarm(SECONDS_MAX);
    signal(SIGPIPE, SIG_IGN);
    l.size = (size_t)atol(argv[2]);
    l.bound = l.size + l.size / 8 + 1024;
    l.text = memory(l.size * TEXT_COUNT);
    text_fill(l.text, l.size);
    if (strcmp(argv[1], "zlib") == 0)
        run_zlib(&l, messages, argc > 4 ? atoi(argv[4]) : 8);
    else
        run_echo(&l, (unsigned)atoi(argv[1]), messages);
    return 0;
}
