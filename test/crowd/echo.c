/* SPDX-License-Identifier: MIT */
/* A crowd at echo_server. */
#include <stdio.h>
#include <string.h>

#include "flood.h"
#include "lead.h"
#include "lone.h"
#include "server.h"

#define PING_MS "2000"
#define PONG_MS "6000"
#define PINGS 3

#define OPEN_MS 30000
#define ECHO_MS 20000
#define PINGS_MS 30000
#define GONE_MS 10000
#define STOP_MS 10000

/*
 * Memory of the server for a connection: storage 384, rx 256, sockets and lists of its
 * own struct 80, what malloc adds; and the bound for all that grows with the count.
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

typedef struct echo {
    crowd *crowd;
    server server;
    uint32_t size;
    long idle_memory, idle_files, idle_tcp, full_memory;
} echo;

static job new_job(const echo *e, uint32_t kind, uint32_t number, uint32_t ms)
{
    job j;
    memset(&j, 0, sizeof j);
    j.kind = kind;
    j.number = number;
    j.ms = ms;
    j.port = e->server.port;
    j.rx_size = 1024;
    return j;
}

/* A client that comes now: 0 if it has its echo. */
static int newcomer(const echo *e, unsigned number)
{
    lone_how how = {0, 0, 0, 0};
    lone *l = lone_open(e->server.port, number, how);
    int is_good = l != NULL && lone_until(l, &l->open, 1, GONE_MS) == 0 && lone_send(l, "is anybody there?") == 0 &&
                  lone_until(l, &l->texts, 1, GONE_MS) == 0 && strcmp(l->text, "is anybody there?") == 0;
    lone_free(l);
    return is_good ? 0 : -1;
}

/* Everybody comes, and gets his own text back. */
static int fill(echo *e)
{
    report r;
    uint64_t since = now_ns();
    int is_good = crowd_do(e->crowd, new_job(e, JOB_OPEN, e->size, OPEN_MS), &r);
    double ms = since_ms(since);
    if (!check(e->crowd, is_good, "echo: all open", "%s connections open, in %.1f s%s", told(&r), ms / 1000,
               e->crowd->why_size))
        return -1;
    since = now_ns();
    is_good = crowd_do(e->crowd, new_job(e, JOB_ECHO, 1, ECHO_MS), &r);
    check(e->crowd, is_good, "echo: each its own text", "%s have their text back, in %.1f s", told(&r),
          since_ms(since) / 1000);
    return 0;
}

/* Nobody says anything, the server pings. One does not answer: it shows that the
 * others are still there because they do. */
static void stay(echo *e)
{
    lone_how how = {0, 1, 0, 0};
    report r, echoed;
    uint64_t since = now_ns();
    lone *silent = lone_open(e->server.port, 1, how);
    int is_good, is_dropped = 0;
    crowd_begin(e->crowd, new_job(e, JOB_PINGS, PINGS, PINGS_MS));
    if (silent != NULL && lone_until(silent, &silent->open, 1, GONE_MS) == 0)
        is_dropped = lone_until(silent, &silent->over, 1, PINGS_MS) == 0 && silent->over;
    is_good = crowd_end(e->crowd, PINGS_MS, &r);
    check(e->crowd, is_good && is_dropped, "echo: idle, with pings",
          "%s got %d pings and are there after %.1f s; one that answers none was %s", told(&r), PINGS,
          since_ms(since) / 1000, is_dropped ? "dropped" : "not dropped");
    lone_free(silent);
    is_good = crowd_do(e->crowd, new_job(e, JOB_ECHO, 2, ECHO_MS), &echoed);
    check(e->crowd, is_good, "echo: alive after that", "%s have a second text back", told(&echoed));
}

static void weigh(echo *e)
{
    long memory, tcp = tcp_memory();
    e->full_memory = server_memory(&e->server);
    memory = (e->full_memory - e->idle_memory) / (long)e->size;
    check(e->crowd, memory > 0 && memory <= MEMORY_MAX, "echo: memory",
          "%ld octets resident for each connection, at most %d (%ld KiB before, %ld KiB with all; buffers of all TCP "
          "sockets in the kernel: %ld KiB before, %ld KiB now)",
          memory, MEMORY_MAX, e->idle_memory / 1024, e->full_memory / 1024, e->idle_tcp / 1024, tcp / 1024);
}

/* All vanish by RST, and somebody comes. */
static void vanish(echo *e)
{
    report r;
    uint64_t since = now_ns();
    double came_ms, gone_ms;
    int has_come, is_free;
    crowd_do(e->crowd, new_job(e, JOB_RESET, 0, GONE_MS), &r);
    has_come = newcomer(e, 2) == 0;
    came_ms = since_ms(since);
    is_free = server_await_files(&e->server, e->idle_files, GONE_MS) == 0;
    gone_ms = since_ms(since);
    check(e->crowd, has_come && is_free && r.total == 0, "echo: all vanish",
          "%u RST; a newcomer %s after %.0f ms; the server has %ld files open after %.0f ms, %ld before the crowd",
          (unsigned)e->size, has_come ? "had its echo" : "had no echo", came_ms, server_files(&e->server), gone_ms,
          e->idle_files);
}

static void check_flood(echo *e)
{
    static flood_result f;
    size_t count = sizeof f.octets / sizeof f.octets[0];
    flood_run(&e->server, &f);
    if (f.failed != NULL) {
        check(e->crowd, 0, "echo: flood", "%s", f.failed);
        return;
    }
    sort_times(f.quiet, FLOOD_PINGS);
    sort_times(f.loud, FLOOD_PINGS);
    sort_times(f.octets, count);
    check(e->crowd, f.filled >= 4 * FLOOD_BOUND && f.octets[count - 1] <= FLOOD_BOUND, "echo: flood",
          "octets of the flood between ping and pong: median %u, 99 %% %u, most %u, at most %d; at least %u were "
          "waiting; pong after (median, 99 %%) %u, %u us without a flood, %u, %u us with (%u MiB echoed)",
          (unsigned)part_of(f.octets, count, 500), (unsigned)part_of(f.octets, count, 990),
          (unsigned)f.octets[count - 1], FLOOD_BOUND, (unsigned)f.filled, (unsigned)part_of(f.quiet, FLOOD_PINGS, 500),
          (unsigned)part_of(f.quiet, FLOOD_PINGS, 990), (unsigned)part_of(f.loud, FLOOD_PINGS, 500),
          (unsigned)part_of(f.loud, FLOOD_PINGS, 990), (unsigned)(f.echoed >> 20));
}

/* The flood comes while nearly all are there, then the rest. Counts with them. */
static int fill_with_flood(echo *e, report *r)
{
    if (!crowd_do(e->crowd, new_job(e, JOB_OPEN, e->size - FLOOD_FILES, OPEN_MS), r))
        return 0;
    check_flood(e);
    return server_await_files(&e->server, e->idle_files + (long)r->done, GONE_MS) == 0;
}

/* All come again, and again, as they came the first time. */
static int fill_again(echo *e)
{
    report r;
    long memory = e->full_memory, before = 0, earlier;
    int round = 1, is_good = 1;
    do {
        if (round > 1) {
            crowd_do(e->crowd, new_job(e, JOB_RESET, 0, GONE_MS), &r);
            is_good = server_await_files(&e->server, e->idle_files, GONE_MS) == 0;
        } else {
            is_good = fill_with_flood(e, &r);
        }
        earlier = before;
        before = memory;
        is_good = is_good && crowd_do(e->crowd, new_job(e, JOB_OPEN, e->size, OPEN_MS), &r) &&
                  crowd_do(e->crowd, new_job(e, JOB_ECHO, 1, ECHO_MS), &r);
        memory = server_memory(&e->server);
    } while (++round < ROUNDS && is_good && (round < 3 || memory > earlier + MEMORY_MORE));
    check(e->crowd, is_good && memory <= earlier + MEMORY_MORE, "echo: crowd after crowd",
          "%s have their text back in round %d; %ld KiB resident, %ld KiB two rounds before, at most %ld more; "
          "%ld KiB in the first",
          told(&r), round, memory / 1024, earlier / 1024, MEMORY_MORE / 1024, e->full_memory / 1024);
    e->full_memory = memory;
    return is_good ? 0 : -1;
}

static void stop(echo *e)
{
    report r;
    uint64_t since = now_ns();
    int is_good, status;
    server_term(&e->server);
    is_good = crowd_do(e->crowd, new_job(e, JOB_ENDS, TENON_CLOSE_GOING_AWAY, STOP_MS), &r);
    status = server_wait(&e->server, STOP_MS);
    check(e->crowd, is_good && r.total == e->size && status == 0, "echo: SIGTERM with all",
          "%s got a Close of 1001; the server ended with %d after %.1f s",
          told(&r), status, since_ms(since) / 1000);
    check(e->crowd, e->server.peak > e->idle_memory && e->server.peak <= e->full_memory + MEMORY_PEAK,
          "echo: memory at its peak",
          "at most %ld KiB were ever resident, also while it stopped; %ld KiB with the last crowd, at most %ld more",
          e->server.peak / 1024, e->full_memory / 1024, MEMORY_PEAK / 1024);
}

void echo_checks(crowd *c, char *program)
{
    char *arguments[] = {program, "--port", "0", "--ping-interval", PING_MS, "--pong-timeout", PONG_MS, NULL};
    static echo e;
    report r;
    e.crowd = c;
    e.size = c->shared->members = c->size;
    if (server_start(&e.server, arguments) != 0) {
        check(c, 0, "echo: start", "%s does not run", program);
        return;
    }
    e.idle_files = server_files(&e.server);
    if (newcomer(&e, 0) != 0)
        check(c, 0, "echo: start", "%s does not echo", program);
    e.idle_memory = server_memory(&e.server);
    e.idle_tcp = tcp_memory();
    if (fill(&e) == 0) {
        stay(&e);
        weigh(&e);
        vanish(&e);
        if (fill_again(&e) == 0)
            stop(&e);
    }
    crowd_do(c, new_job(&e, JOB_RESET, 0, GONE_MS), &r);
    if (e.server.pid > 0) {
        server_term(&e.server);
        server_wait(&e.server, STOP_MS);
    }
}
