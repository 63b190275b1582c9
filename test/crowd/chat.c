/* SPDX-License-Identifier: MIT */
/* A crowd at chat_server: all of them in one room. */
#include <stdio.h>
#include <string.h>

#include "lead.h"
#include "lone.h"
#include "server.h"

#define OPEN_MS 30000
#define HEAR_MS 20000
#define GONE_MS 10000
#define STOP_MS 10000

#define LINES 3 /* said to all */
#define LINE_SIZE 200

/*
 * Memory of the server for a member: storage 384, rx 256, watchers, lists and
 * allowances about 400, its session about 250, tables of libev 50, what malloc adds.
 */
#define MEMORY_MAX 2048

/*
 * Crowd after crowd, until there are two that take no more, but for some pages, than
 * the one before them: a leak of some 50 octets for each connection would go on for
 * ever. The first ones may take more, for malloc finds no better places.
 */
#define ROUNDS 10
#define MEMORY_MORE (1l << 20)

/* And what it may ever have taken, also when it says good-bye to all at once. */
#define MEMORY_PEAK (16l << 20)

typedef struct chat {
    crowd *crowd;
    server server;
    uint32_t size;
    lone *speaker;
    long idle_memory, idle_tcp, full_memory;
} chat;

static job new_job(const chat *h, uint32_t kind, uint32_t number, uint32_t ms)
{
    job j;
    memset(&j, 0, sizeof j);
    j.kind = kind;
    j.number = number;
    j.ms = ms;
    j.port = h->server.port;
    j.is_chat = 1;
    j.rx_size = 1024;
    return j;
}

static int fill(chat *h)
{
    report r;
    uint64_t since = now_ns();
    int is_good = crowd_do(h->crowd, new_job(h, JOB_OPEN, h->size, OPEN_MS), &r);
    double ms = since_ms(since);
    /* The one who speaks is a member, too. */
    long members = server_metric(&h->server, "chat_members");
    return check(h->crowd, is_good && members == (long)h->size + 1, "chat: all enter",
                 "%s got their welcome, in %.1f s; chat_members is %ld, of %u and the speaker%s", told(&r), ms / 1000,
                 members, (unsigned)h->size, h->crowd->why_size)
               ? 0
               : -1;
}

/* Memory with all in, after a line that each of them has had. */
static void weigh(chat *h)
{
    long memory, tcp = tcp_memory();
    h->full_memory = server_memory(&h->server);
    memory = (h->full_memory - h->idle_memory) / (long)h->size;
    check(h->crowd, memory > 0 && memory <= MEMORY_MAX, "chat: memory",
          "%ld octets resident for each member, at most %d (%ld KiB before, %ld KiB with all; buffers of all TCP "
          "sockets in the kernel: %ld KiB before, %ld KiB now)",
          memory, MEMORY_MAX, h->idle_memory / 1024, h->full_memory / 1024, h->idle_tcp / 1024, tcp / 1024);
}

/* A line to all, and how long it took to whom: "median, 99 %, most". */
static int say_to_all(chat *h, uint32_t k, char *text, size_t room, report *r)
{
    shared *s = h->crowd->shared;
    uint32_t *times = s->times + (size_t)(k - 1) * s->members;
    int is_good = lone_say(h->speaker, k, LINE_SIZE) == 0;
    crowd_begin(h->crowd, new_job(h, JOB_HEAR, k, HEAR_MS));
    is_good = lone_until(h->speaker, &h->speaker->lines, k, HEAR_MS) == 0 && is_good;
    is_good = crowd_end(h->crowd, HEAR_MS, r) && is_good;
    sort_times(times, h->size);
    snprintf(text, room, "%.1f, %.1f, %.1f ms", part_of(times, h->size, 500) / 1e3, part_of(times, h->size, 990) / 1e3,
             times[h->size - 1] / 1e3);
    return is_good && times[0] > 0 ? 0 : -1;
}

static void broadcast(chat *h)
{
    uint32_t k;
    for (k = 1; k <= LINES; k++) {
        char name[48], text[96];
        report r;
        int is_good = say_to_all(h, k, text, sizeof text, &r) == 0;
        snprintf(name, sizeof name, "chat: line %u to all", (unsigned)k);
        check(h->crowd, is_good, name, "%s have it, once and in order; after %s (median, 99 %%, last)", told(&r),
              text);
    }
}

/* Whether nothing came twice, or later: a pong tells that all before it was read. */
static void check_after(chat *h, uint32_t lines)
{
    report r;
    int is_good = crowd_do(h->crowd, new_job(h, JOB_SYNC, 0, HEAR_MS), &r) &&
                  crowd_do(h->crowd, new_job(h, JOB_HEAR, lines, HEAR_MS), &r);
    long sent = server_metric(&h->server, "chat_lines_total");
    check(h->crowd, is_good && sent == (long)lines && h->speaker->lines == lines && h->speaker->gaps == 0,
          "chat: lines counted", "%s have %u lines; the speaker has %u, the server counted %ld", told(&r),
          (unsigned)lines, (unsigned)h->speaker->lines, sent);
}

/* All vanish by RST; only the speaker stays, and somebody comes. */
static void vanish(chat *h)
{
    lone_how how = {1, 0, 0, 0};
    report r;
    lone *newcomer;
    uint64_t since = now_ns();
    double came_ms, gone_ms;
    int has_come, is_free;
    crowd_do(h->crowd, new_job(h, JOB_RESET, 0, GONE_MS), &r);
    newcomer = lone_open(h->server.port, 2, how);
    has_come = newcomer != NULL && lone_until(newcomer, &newcomer->lines, LINES, GONE_MS) == 0;
    came_ms = since_ms(since);
    lone_free(newcomer);
    /* The speaker, and the one that asks for the metrics. */
    is_free = server_await_metric(&h->server, "chat_connections", 2, GONE_MS) == 0 &&
              server_metric(&h->server, "chat_members") == 1;
    gone_ms = since_ms(since);
    check(h->crowd, has_come && is_free && r.total == 0, "chat: all vanish",
          "%u RST; a newcomer %s after %.0f ms; %s after %.0f ms", (unsigned)h->size,
          has_come ? "had the last lines" : "had not the last lines", came_ms,
          is_free ? "the metrics show none of them" : "the metrics still show some", gone_ms);
}

/* The same members come again, and again, and get the lines that are kept. */
static int fill_again(chat *h)
{
    report r;
    long memory = h->full_memory, before = 0, earlier;
    int round = 1, is_good = 1;
    do {
        if (round > 1) {
            crowd_do(h->crowd, new_job(h, JOB_RESET, 0, GONE_MS), &r);
            is_good = server_await_metric(&h->server, "chat_members", 1, GONE_MS) == 0;
        }
        earlier = before;
        before = memory;
        is_good = is_good && crowd_do(h->crowd, new_job(h, JOB_OPEN, h->size, OPEN_MS), &r) &&
                  crowd_do(h->crowd, new_job(h, JOB_HEAR, LINES, HEAR_MS), &r);
        memory = server_memory(&h->server);
    } while (++round < ROUNDS && is_good && (round < 3 || memory > earlier + MEMORY_MORE));
    check(h->crowd, is_good && memory <= earlier + MEMORY_MORE, "chat: crowd after crowd",
          "%s have the %d lines in round %d; %ld KiB resident, %ld KiB two rounds before, at most %ld more; %ld KiB "
          "in the first",
          told(&r), LINES, round, memory / 1024, earlier / 1024, MEMORY_MORE / 1024, h->full_memory / 1024);
    h->full_memory = memory;
    return is_good ? 0 : -1;
}

static void stop(chat *h)
{
    report r;
    uint64_t since = now_ns();
    int is_good, status;
    server_term(&h->server);
    crowd_begin(h->crowd, new_job(h, JOB_ENDS, TENON_CLOSE_GOING_AWAY, STOP_MS));
    lone_until(h->speaker, &h->speaker->over, 1, STOP_MS);
    is_good = crowd_end(h->crowd, STOP_MS, &r);
    status = server_wait(&h->server, STOP_MS);
    check(h->crowd, is_good && r.total == h->size && status == 0, "chat: SIGTERM with all",
          "%s got a Close of 1001; the server ended with %d after %.1f s",
          told(&r), status, since_ms(since) / 1000);
    check(h->crowd, h->server.peak > h->idle_memory && h->server.peak <= h->full_memory + MEMORY_PEAK,
          "chat: memory at its peak",
          "at most %ld KiB were ever resident, also while it stopped; %ld KiB with the last crowd, at most %ld more",
          h->server.peak / 1024, h->full_memory / 1024, MEMORY_PEAK / 1024);
}

void chat_checks(crowd *c, char *program)
{
    /* Pings would only blur the times; the limit on lines is not what this is about. */
    char *arguments[] = {program, "--port", "0", "--ping-interval", "60000", "--lines-per-second", "0", NULL};
    lone_how how = {1, 0, 0, 0};
    static chat h;
    report r;
    h.crowd = c;
    h.size = c->shared->members = c->size;
    if (server_start(&h.server, arguments) != 0 || (h.speaker = lone_open(h.server.port, 1, how)) == NULL ||
        lone_until(h.speaker, &h.speaker->welcomes, 1, GONE_MS) != 0) {
        check(c, 0, "chat: start", "%s does not run, or does not welcome", program);
    } else {
        h.idle_memory = server_memory(&h.server);
        h.idle_tcp = tcp_memory();
        if (fill(&h) == 0) {
            broadcast(&h);
            check_after(&h, LINES);
            weigh(&h);
            vanish(&h);
            if (fill_again(&h) == 0)
                stop(&h);
        }
    }
    crowd_do(c, new_job(&h, JOB_RESET, 0, GONE_MS), &r);
    lone_free(h.speaker);
    if (h.server.pid > 0) {
        server_term(&h.server);
        server_wait(&h.server, STOP_MS);
    }
}
