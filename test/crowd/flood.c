/* SPDX-License-Identifier: MIT */
/*
 * The delay of others under a flood, in octets instead of seconds.
 *
 * Seconds depend on the machine and on what else it does. But how many octets of the
 * flood's echo its sender has read between a ping and its pong does not: the sender
 * looks for pongs before each read, so it counts what the server has done meanwhile,
 * and nothing that it does later. To have the worst case each time, the server is
 * stopped, the flood fills all buffers on the way to it, the pings are sent, and the
 * server goes on. The flood is topped up as it is read, so it never runs dry: a server
 * that serves one connection for as long as there is something to read is far over
 * the bound.
 */
#include "flood.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "crowd.h"
#include "lone.h"

#define PAYLOAD 8000
#define FRAMES 8
#define SENT_AHEAD_MAX ((uint64_t)4 << 20) /* octets sent and not yet back, while the server is stopped */
#define WINDOW ((uint64_t)1 << 20)         /* and while it runs */
#define WARM ((uint64_t)4 << 20)
#define STEP_MS 10000
#define PING "still here?"

typedef struct flood {
    lone *sender, *others[FLOOD_OTHERS];
    flood_result *result;
    unsigned char pattern[PAYLOAD];
    unsigned char frames[FRAMES * (PAYLOAD + TENON_FRAME_HEADER_MAX)];
    size_t frames_size, frame_size, at;
    uint64_t sent, back; /* octets: of frames, of payload */
} flood;

static void make_frames(flood *f)
{
    tenon_frame frame;
    size_t i, size;
    memset(&frame, 0, sizeof frame);
    frame.first = 0x80 | TENON_BINARY;
    frame.masked = 1;
    memcpy(frame.key, "\x1f\x8b\x03\xe7", 4);
    frame.payload_size = PAYLOAD;
    for (i = 0; i < PAYLOAD; i++)
        f->pattern[i] = (unsigned char)(i * 31 + i / 256);
    for (i = 0; i < FRAMES; i++) {
        tenon_frame_encode(&frame, f->frames + f->frames_size, &size);
        tenon_mask(f->frames + f->frames_size + size, f->pattern, PAYLOAD, frame.key, 0);
        f->frame_size = size + PAYLOAD;
        f->frames_size += f->frame_size;
    }
}

/* Octets that the sender has sent and not had back; headers are 1 in 1000. */
static uint64_t ahead(const flood *f)
{
    uint64_t sent = f->sent / f->frame_size * PAYLOAD;
    return sent > f->back ? sent - f->back : 0;
}

/* Sends as much as fits, up to so many octets ahead. */
static void top_up(flood *f, uint64_t most)
{
    while (ahead(f) < most) {
        ssize_t put = send(f->sender->wire.fd, f->frames + f->at, f->frames_size - f->at, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (put <= 0)
            return;
        f->at = (f->at + (size_t)put) % f->frames_size;
        f->sent += (uint64_t)put;
    }
}

/* One read of the echo. Its octets, 0 if nothing is there, -1 if it is not the echo. */
static int read_back(flood *f)
{
    lone *l = f->sender;
    tenon_event event;
    ssize_t got = recv(l->wire.fd, l->in, FLOOD_STEP, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (got <= 0 || tenon_recv(l->conn, l->in, (size_t)got) != TENON_OK)
        return -1;
    while (tenon_next(l->conn, &event) == TENON_EVENT) {
        if (event.type == TENON_EV_PING)
            continue; /* what is sent counts as life */
        if (event.type != TENON_EV_DATA || event.offset + event.size > PAYLOAD ||
            memcmp(event.data, f->pattern + event.offset, event.size) != 0)
            return -1;
        f->back += event.size;
    }
    return (int)got;
}

static int fail(flood *f, const char *what)
{
    f->result->failed = what;
    return -1;
}

/* Reads until so many octets are back, and tops up. */
static int pass(flood *f, uint64_t octets)
{
    uint64_t goal = f->back + octets, until = now_ns() + STEP_MS * 1000000ull;
    while (f->back < goal) {
        struct pollfd ready = {f->sender->wire.fd, POLLIN, 0};
        top_up(f, WINDOW);
        if (now_ns() > until || poll(&ready, 1, STEP_MS) != 1)
            return fail(f, "the echo of the flood stopped");
        if (read_back(f) < 0)
            return fail(f, "what came back was not the echo of the flood");
    }
    return 0;
}

static int ask(flood *f, lone *l)
{
    int status = tenon_ping(l->conn, PING, sizeof PING - 1);
    lone_turn(l);
    return status == TENON_OK && !l->over ? 0 : fail(f, "a ping could not be sent");
}

/* -------------------------------------------------- while the server is running */

static int ping_quiet(flood *f)
{
    unsigned i;
    for (i = 0; i < FLOOD_PINGS; i++) {
        lone *l = f->others[i % FLOOD_OTHERS];
        uint64_t since = now_ns(), pongs = l->pongs;
        if (ask(f, l) != 0)
            return -1;
        if (lone_until(l, &l->pongs, pongs + 1, STEP_MS) != 0)
            return fail(f, "a pong did not come, without a flood");
        f->result->quiet[i] = (uint32_t)((now_ns() - since) / 1000);
    }
    return 0;
}

static int ping_loud(flood *f)
{
    unsigned i;
    for (i = 0; i < FLOOD_PINGS; i++) {
        lone *l = f->others[i % FLOOD_OTHERS];
        uint64_t since = now_ns(), pongs = l->pongs;
        if (ask(f, l) != 0)
            return -1;
        while (lone_turn(l), l->pongs == pongs) {
            struct pollfd ready[2] = {{l->wire.fd, POLLIN, 0}, {f->sender->wire.fd, POLLIN, 0}};
            top_up(f, WINDOW);
            if (poll(ready, 2, STEP_MS) <= 0 || now_ns() - since > STEP_MS * 1000000ull)
                return fail(f, "a pong did not come during the flood");
            if (ready[0].revents == 0 && read_back(f) < 0)
                return fail(f, "what came back was not the echo of the flood");
        }
        f->result->loud[i] = (uint32_t)((now_ns() - since) / 1000);
    }
    return 0;
}

/* ---------------------------------------------- the server stopped and let go on */

/* With the server stopped: takes what is back, fills the way to it, asks all. */
static int load(flood *f)
{
    uint64_t before;
    unsigned i;
    int got;
    while ((got = read_back(f)) > 0)
        continue;
    if (got < 0)
        return fail(f, "what came back was not the echo of the flood");
    before = ahead(f);
    top_up(f, SENT_AHEAD_MAX);
    if (ahead(f) < f->result->filled)
        f->result->filled = (uint32_t)ahead(f);
    if (ahead(f) < before)
        return fail(f, "the flood was counted wrongly");
    for (i = 0; i < FLOOD_OTHERS; i++)
        if (ask(f, f->others[i]) != 0)
            return -1;
    return 0;
}

/* Lets the server go on, and notes for each pong how much of the flood came before. */
static int watch_pongs(flood *f, uint32_t octets[FLOOD_OTHERS], const uint64_t pongs[FLOOD_OTHERS])
{
    uint64_t begin = f->back, until = now_ns() + STEP_MS * 1000000ull;
    unsigned i, left = FLOOD_OTHERS;
    memset(octets, 0xff, FLOOD_OTHERS * sizeof *octets);
    while (now_ns() < until) {
        for (i = 0; i < FLOOD_OTHERS; i++) {
            lone_turn(f->others[i]);
            if (octets[i] == UINT32_MAX && f->others[i]->pongs > pongs[i]) {
                octets[i] = (uint32_t)(f->back - begin);
                left--;
            }
        }
        if (left == 0)
            return 0;
        if (read_back(f) < 0)
            return fail(f, "what came back was not the echo of the flood");
        top_up(f, SENT_AHEAD_MAX);
    }
    return fail(f, "pongs did not come after the server was stopped for a moment");
}

static int freeze_rounds(flood *f, const server *s)
{
    unsigned round, i;
    for (round = 0; round < FLOOD_ROUNDS; round++) {
        uint64_t pongs[FLOOD_OTHERS];
        int status;
        if (pass(f, WINDOW) != 0)
            return -1;
        if (server_freeze(s) != 0)
            return fail(f, "the server could not be stopped for a moment");
        for (i = 0; i < FLOOD_OTHERS; i++)
            pongs[i] = f->others[i]->pongs;
        status = load(f);
        server_thaw(s);
        if (status != 0 || watch_pongs(f, f->result->octets + round * FLOOD_OTHERS, pongs) != 0)
            return -1;
    }
    return 0;
}

/* ------------------------------------------------------------------------ all */

static int open_all(flood *f, const server *s)
{
    lone_how how = {0, 0, 0, 1};
    unsigned i;
    f->sender = lone_open(s->port, 0, how);
    if (f->sender == NULL || lone_until(f->sender, &f->sender->open, 1, STEP_MS) != 0)
        return fail(f, "the flooder could not connect");
    for (i = 0; i < FLOOD_OTHERS; i++) {
        f->others[i] = lone_open(s->port, i + 1, how);
        if (f->others[i] == NULL || lone_until(f->others[i], &f->others[i]->open, 1, STEP_MS) != 0)
            return fail(f, "one of those who send pings could not connect");
    }
    return 0;
}

void flood_run(const server *s, flood_result *result)
{
    flood *f = calloc(1, sizeof *f);
    unsigned i;
    memset(result, 0, sizeof *result);
    result->filled = UINT32_MAX;
    if (f == NULL) {
        result->failed = "no memory";
        return;
    }
    f->result = result;
    make_frames(f);
    if (open_all(f, s) == 0 && ping_quiet(f) == 0 && pass(f, WARM) == 0 && ping_loud(f) == 0)
        freeze_rounds(f, s);
    result->echoed = f->back;
    lone_free(f->sender);
    for (i = 0; i < FLOOD_OTHERS; i++)
        lone_free(f->others[i]);
    free(f);
}
