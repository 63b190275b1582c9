/* SPDX-License-Identifier: MIT */
/*
 * A crowd at echo_server and chat_server: what they do with about 20,000 connections.
 *
 *   crowd [--echo ECHO_SERVER] [--chat CHAT_SERVER]
 *
 * Each check prints one line. What is asserted are counts, octets, sizes of memory and
 * the order of things; times are printed, and have limits that no machine should need.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lead.h"

/* Descriptors that a server needs beside those of the crowd: its own, those of lone
 * connections, and of its page of metrics. */
#define RESERVE 32

#define SIZE_MIN 1000 /* fewer are no crowd */

/* ---------------------------------------------------------------------- jobs */

void crowd_begin(crowd *c, job j)
{
    uint32_t share = (j.number + WORKERS - 1) / WORKERS, all = j.number;
    unsigned i;
    if (j.kind == JOB_OPEN)
        share = (c->shared->members + WORKERS - 1) / WORKERS;
    for (i = 0; i < WORKERS; i++) {
        if (j.kind == JOB_OPEN) {
            j.first = i * share;
            j.number = all <= j.first ? 0 : all - j.first < share ? all - j.first : share;
        }
        if (send(c->fds[i], &j, sizeof j, MSG_NOSIGNAL) != (ssize_t)sizeof j)
            perror("crowd: a worker takes no job");
    }
}

int crowd_end(crowd *c, uint32_t ms, report *sum)
{
    uint64_t until = now_ns() / 1000000 + ms + 5000; /* the worker has its own limit */
    unsigned i;
    memset(sum, 0, sizeof *sum);
    for (i = 0; i < WORKERS; i++) {
        struct pollfd ready = {c->fds[i], POLLIN, 0};
        uint64_t now = now_ns() / 1000000;
        report r;
        if (poll(&ready, 1, until > now ? (int)(until - now) : 0) != 1 ||
            recv(c->fds[i], &r, sizeof r, 0) != (ssize_t)sizeof r) {
            fprintf(stderr, "crowd: worker %u does not answer\n", i);
            exit(1);
        }
        sum->total += r.total;
        sum->done += r.done;
        sum->lost += r.lost;
        sum->wrong += r.wrong;
        if (sum->why[0] == '\0')
            memcpy(sum->why, r.why, sizeof sum->why);
    }
    return sum->total > 0 && sum->done == sum->total && sum->lost == 0 && sum->wrong == 0;
}

int crowd_do(crowd *c, job j, report *sum)
{
    uint32_t ms = j.ms, number = j.number;
    int is_good;
    crowd_begin(c, j);
    is_good = crowd_end(c, ms, sum);
    return is_good && (j.kind != JOB_OPEN || sum->done == number);
}

/* -------------------------------------------------------------------- output */

double since_ms(uint64_t ns)
{
    return (double)(now_ns() - ns) / 1e6;
}

int check(crowd *c, int is_ok, const char *name, const char *format, ...)
{
    va_list arguments;
    printf("%s crowd: %s  - ", is_ok ? "OK" : "FAIL", name);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
    fflush(stdout);
    if (is_ok)
        c->passed++;
    else
        c->failed++;
    return is_ok;
}

const char *told(const report *r)
{
    static char text[320];
    int size = snprintf(text, sizeof text, "%u of %u", (unsigned)r->done, (unsigned)r->total);
    if (r->lost > 0)
        size += snprintf(text + size, sizeof text - (size_t)size, ", %u lost", (unsigned)r->lost);
    if (r->wrong > 0)
        size += snprintf(text + size, sizeof text - (size_t)size, ", %u messages wrong", (unsigned)r->wrong);
    if (r->why[0] != '\0')
        snprintf(text + size, sizeof text - (size_t)size, ", first: %s", r->why);
    return text;
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

void sort_times(uint32_t *times, size_t count)
{
    qsort(times, count, sizeof *times, compare);
}

uint32_t part_of(const uint32_t *sorted, size_t count, unsigned per_mille)
{
    size_t at = count * per_mille / 1000;
    return count == 0 ? 0 : sorted[at < count ? at : count - 1];
}

/* -------------------------------------------------------------------- set up */

/* As many files as the system allows, and so many connections as a server can hold. */
static void find_size(crowd *c)
{
    struct rlimit files, more;
    rlim_t wanted = CROWD_MAX + RESERVE;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        files.rlim_cur = files.rlim_max = 1024;
    more.rlim_cur = more.rlim_max = wanted;
    if (files.rlim_max != RLIM_INFINITY && files.rlim_max < wanted && setrlimit(RLIMIT_NOFILE, &more) == 0)
        files = more; /* a privileged process may */
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    c->size = CROWD_MAX;
    if (files.rlim_max != RLIM_INFINITY && files.rlim_max < wanted) {
        c->size = files.rlim_max > RESERVE ? (uint32_t)(files.rlim_max - RESERVE) : 0;
        snprintf(c->why_size, sizeof c->why_size,
                 "; not %d, for a process may open %lu files here, and %d are kept free", CROWD_MAX,
                 (unsigned long)files.rlim_max, RESERVE);
    }
}

static void fork_workers(crowd *c)
{
    unsigned i, k;
    for (i = 0; i < WORKERS; i++) {
        int ends[2];
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0 || (c->pids[i] = fork()) < 0) {
            perror("crowd: worker");
            exit(1);
        }
        if (c->pids[i] == 0) {
            for (k = 0; k < i; k++)
                close(c->fds[k]); /* only the leading program holds these open */
            close(ends[0]);
            worker_run(i, ends[1], c->shared);
            _exit(0);
        }
        close(ends[1]);
        c->fds[i] = ends[0];
    }
}

static void end_workers(crowd *c)
{
    unsigned i;
    for (i = 0; i < WORKERS; i++) {
        close(c->fds[i]); /* they end when they see this */
        waitpid(c->pids[i], NULL, 0);
    }
}

int main(int argc, char **argv)
{
    static crowd c;
    int i;
    for (i = 1; i < argc; i += 2) {
        if (i + 1 < argc && (strcmp(argv[i], "--echo") == 0 || strcmp(argv[i], "--chat") == 0))
            continue;
        fprintf(stderr, "usage: crowd [--echo ECHO_SERVER] [--chat CHAT_SERVER]\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    find_size(&c);
    c.shared = mmap(NULL, sizeof *c.shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (c.shared == MAP_FAILED || c.size < SIZE_MIN) {
        check(&c, 0, "start", "a server can hold %u connections, at least %d are needed%s", (unsigned)c.size, SIZE_MIN,
              c.why_size);
        return 1;
    }
    fork_workers(&c);
    for (i = 1; i < argc; i += 2) {
        if (strcmp(argv[i], "--echo") == 0) {
            echo_checks(&c, argv[i + 1]);
        } else {
            chat_checks(&c, argv[i + 1]);
            slow_checks(&c, argv[i + 1]);
        }
    }
    end_workers(&c);
    printf("%u passed, %u failed\n", c.passed, c.failed);
    return c.failed == 0 && c.passed > 0 ? 0 : 1;
}
