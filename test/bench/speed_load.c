/* SPDX-License-Identifier: MIT */
/*
 * The load of the benchmark of echo, in plain C and sockets.
 *
 *   speed_load PORT PID CONNECTIONS SIZE BURST MESSAGES [raw]
 *
 * Opens the connections, from addresses 127.0.0.2 and up. On each it sends BURST masked
 * binary messages of SIZE octets with one write, waits until all their echoes are there,
 * and begins again, until there were MESSAGES in all. Every octet of an echo is compared;
 * with "raw" there is no handshake, and octets are only counted. Prints "messages N cpu
 * SECONDS seconds SECONDS": the CPU time of the process PID, and how long it took,
 * without opening and a warm-up. Ends itself after two minutes.
 */
#define _GNU_SOURCE

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SECONDS_MAX 120
#define STALL_MS 10000
#define EVENTS_MAX 256
#define ADDRESSES 16 /* that clients come from: each has ports for many */
#define HEADER_MAX 10

typedef struct client {
    int fd;
    long rounds; /* bursts still to be sent */
    long back;   /* messages of this burst */
    unsigned char head[HEADER_MAX];
    size_t head_size; /* octets of it that are there */
    size_t left;      /* octets of the frame that are still to come */
    size_t at;        /* in the message; raw: in the frame */
} client;

typedef struct load {
    int poll_fd, is_raw;
    unsigned port;
    long pid, connections, burst, open; /* open: clients that have not finished */
    size_t size, frame_size, echo_size;
    unsigned char *frames, *payload;
    client *clients;
} load;

static void fail(const char *what)
{
    fprintf(stderr, "speed_load: %s\n", what);
    exit(1);
}

static void *memory(size_t n)
{
    void *block = calloc(1, n);
    if (block == NULL)
        fail("no memory");
    return block;
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Seconds of CPU that the server has used, in nanoseconds if the system counts so. */
static double server_cpu(long pid)
{
    char path[64];
    unsigned long long used = 0, user = 0, system = 0;
    FILE *file;
    snprintf(path, sizeof path, "/proc/%ld/schedstat", pid);
    if ((file = fopen(path, "r")) != NULL) {
        if (fscanf(file, "%llu", &used) != 1)
            used = 0;
        fclose(file);
    }
    if (used > 0)
        return (double)used / 1e9;
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    if ((file = fopen(path, "r")) == NULL ||
        fscanf(file, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user, &system) != 2)
        fail("the CPU time of the server cannot be read");
    fclose(file);
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

/* ------------------------------------------------------------------- frames */

/* Octets of the header of a binary frame. */
static size_t put_header(unsigned char *to, size_t n, int is_masked)
{
    to[0] = 0x82;
    to[1] = (unsigned char)((is_masked ? 0x80 : 0) | (n < 126 ? n : n < 65536 ? 126 : 127));
    if (n < 126)
        return 2;
    if (n < 65536) {
        to[2] = (unsigned char)(n >> 8);
        to[3] = (unsigned char)n;
        return 4;
    }
    memset(to + 2, 0, 4);
    to[6] = (unsigned char)(n >> 24);
    to[7] = (unsigned char)(n >> 16);
    to[8] = (unsigned char)(n >> 8);
    to[9] = (unsigned char)n;
    return 10;
}

/* One burst, as it is sent again and again. */
static void make_frames(load *l)
{
    static const unsigned char key[4] = {0x12, 0x34, 0x56, 0x78};
    unsigned char head[HEADER_MAX], *to;
    size_t i, header = put_header(head, l->size, 1);
    long k;
    l->echo_size = header + l->size;
    l->frame_size = l->echo_size + 4;
    l->payload = memory(l->size);
    to = l->frames = memory(l->frame_size * (size_t)l->burst);
    for (i = 0; i < l->size; i++)
        l->payload[i] = (unsigned char)(i * 7 + i / 251);
    for (k = 0; k < l->burst; k++) {
        memcpy(to, head, header);
        memcpy(to + header, key, 4);
        for (i = 0; i < l->size; i++)
            to[header + 4 + i] = l->payload[i] ^ key[i % 4];
        to += l->frame_size;
    }
}

/* ------------------------------------------------------------------ echoes */

/* One more octet of the header of a frame. */
static void take_head(client *c, unsigned char octet)
{
    size_t i, length, size;
    c->head[c->head_size++] = octet;
    if (c->head_size < 2)
        return;
    length = c->head[1];
    size = length < 126 ? 2 : length == 126 ? 4 : 10;
    if (length > 127 || (c->head[0] & 0x7f) != (c->at == 0 ? 2 : 0))
        fail("not the frame that was expected");
    if (c->head_size < size)
        return;
    c->left = size == 2 ? length : 0;
    for (i = 2; i < size; i++)
        c->left = c->left << 8 | c->head[i];
}

/* Whether the header of a frame is whole. */
static int in_payload(const client *c)
{
    if (c->head_size < 2)
        return 0;
    return c->head_size >= (c->head[1] < 126 ? 2u : c->head[1] == 126 ? 4u : 10u);
}

/* Messages may come back in fragments. */
static void take(const load *l, client *c, const unsigned char *data, size_t n)
{
    while (n > 0) {
        size_t part;
        if (!in_payload(c)) {
            take_head(c, *data++);
            n--;
            continue;
        }
        part = n < c->left ? n : c->left;
        if (part > l->size - c->at || memcmp(data, l->payload + c->at, part) != 0)
            fail("an echo differs");
        c->at += part;
        c->left -= part;
        data += part;
        n -= part;
        if (c->left > 0)
            continue;
        c->head_size = 0;
        if ((c->head[0] & 0x80) == 0)
            continue;
        if (c->at != l->size)
            fail("an echo has another size");
        c->at = 0;
        c->back++;
    }
}

static void count_octets(const load *l, client *c, size_t n)
{
    c->at += n;
    c->back += (long)(c->at / l->echo_size);
    c->at %= l->echo_size;
}

/* ------------------------------------------------------------------- turns */

static void send_burst(load *l, client *c)
{
    size_t at = 0, n = l->frame_size * (size_t)l->burst;
    c->rounds--;
    c->back = 0;
    while (at < n) {
        ssize_t sent = send(c->fd, l->frames + at, n - at, MSG_NOSIGNAL);
        if (sent <= 0)
            fail("the server has ended a connection");
        at += (size_t)sent;
    }
}

static void turn(load *l, client *c)
{
    static unsigned char octets[1 << 18];
    ssize_t n = recv(c->fd, octets, sizeof octets, 0);
    if (n <= 0)
        fail("the server has ended a connection");
    if (l->is_raw)
        count_octets(l, c, (size_t)n);
    else
        take(l, c, octets, (size_t)n);
    if (c->back > l->burst)
        fail("more came back than was sent");
    if (c->back < l->burst)
        return;
    if (c->rounds > 0)
        send_burst(l, c);
    else
        l->open--;
}

/* So many bursts on each connection; nothing is under way before and behind. */
static void run(load *l, long rounds)
{
    struct epoll_event events[EVENTS_MAX];
    long i;
    l->open = l->connections;
    for (i = 0; i < l->connections; i++) {
        l->clients[i].rounds = rounds;
        send_burst(l, &l->clients[i]);
    }
    while (l->open > 0) {
        int k, count = epoll_wait(l->poll_fd, events, EVENTS_MAX, STALL_MS);
        if (count <= 0)
            fail("nothing moves");
        for (k = 0; k < count; k++)
            turn(l, events[k].data.ptr);
    }
}

/* ------------------------------------------------------------------ opening */

static void shake_hands(int fd)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    char answer[2048];
    size_t n = 0;
    if (send(fd, request, sizeof request - 1, MSG_NOSIGNAL) != (ssize_t)sizeof request - 1)
        fail("the request cannot be sent");
    do { /* the server sends nothing behind it */
        ssize_t got = recv(fd, answer + n, sizeof answer - 1 - n, 0);
        if (got <= 0)
            fail("no answer to the request");
        n += (size_t)got;
        answer[n] = '\0';
    } while (strstr(answer, "\r\n\r\n") == NULL && n + 1 < sizeof answer);
    if (strncmp(answer, "HTTP/1.1 101", 12) != 0)
        fail("the request was refused");
}

static void start_client(load *l, client *c, long number)
{
    struct sockaddr_in from, to;
    struct epoll_event event;
    int on = 1;
    memset(&from, 0, sizeof from);
    memset(&to, 0, sizeof to);
    from.sin_family = to.sin_family = AF_INET;
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + (uint32_t)(number % ADDRESSES));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons((uint16_t)l->port);
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (c->fd < 0 || bind(c->fd, (struct sockaddr *)&from, sizeof from) != 0 ||
        connect(c->fd, (struct sockaddr *)&to, sizeof to) != 0)
        fail("no connection");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (!l->is_raw)
        shake_hands(c->fd);
    memset(&event, 0, sizeof event);
    event.events = EPOLLIN;
    event.data.ptr = c;
    if (epoll_ctl(l->poll_fd, EPOLL_CTL_ADD, c->fd, &event) != 0)
        fail("epoll does not take a connection");
}

static void open_all(load *l)
{
    struct rlimit files;
    long i;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    l->poll_fd = epoll_create1(0);
    l->clients = memory((size_t)l->connections * sizeof *l->clients);
    for (i = 0; i < l->connections; i++)
        start_client(l, &l->clients[i], i);
}

int main(int argc, char **argv)
{
    static load l;
    long messages = argc > 6 ? atol(argv[6]) : 0, rounds;
    double cpu, begin;
    if (argc < 7 || argc > 8 || atol(argv[3]) < 1 || atol(argv[4]) < 1 || atol(argv[5]) < 1 || messages < 1) {
        fprintf(stderr, "usage: speed_load PORT PID CONNECTIONS SIZE BURST MESSAGES [raw]\n");
        return 2;
    }
    alarm(SECONDS_MAX);
    signal(SIGPIPE, SIG_IGN);
    l.port = (unsigned)atoi(argv[1]);
    l.pid = atol(argv[2]);
    l.connections = atol(argv[3]);
    l.size = (size_t)atol(argv[4]);
    l.burst = atol(argv[5]);
    l.is_raw = argc == 8 && strcmp(argv[7], "raw") == 0;
    make_frames(&l);
    open_all(&l);
    rounds = messages / (l.connections * l.burst);
    rounds = rounds > 0 ? rounds : 1;
    run(&l, 1 + rounds / 10);
    cpu = server_cpu(l.pid);
    begin = seconds();
    run(&l, rounds);
    begin = seconds() - begin;
    printf("messages %ld cpu %.9f seconds %.6f\n", rounds * l.connections * l.burst, server_cpu(l.pid) - cpu, begin);
    return 0;
}
