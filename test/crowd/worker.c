/* SPDX-License-Identifier: MIT */
/* A process of a crowd: some thousands of connections, and one job at a time. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "crowd.h"

#define EVENTS_MAX 512

/* Handshakes under way at once in a worker. All of them together are far fewer than
 * the server's backlog holds, so that no connection waits for a second SYN. */
#define OPENING_MAX 64

uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void worker_blame(worker *w, uint32_t index, const char *format, ...)
{
    va_list arguments;
    char *at;
    int size;
    if (w->why[0] != '\0')
        return;
    size = snprintf(w->why, sizeof w->why, "member %u ", (unsigned)index);
    va_start(arguments, format);
    vsnprintf(w->why + size, sizeof w->why - (size_t)size, format, arguments);
    va_end(arguments);
    for (at = w->why; *at != '\0'; at++)
        if (*at < ' ' || *at > '~')
            *at = '?'; /* what came from outside must not break the line */
}

/* ---------------------------------------------------------------------- jobs */

static int has_reached(const member *m, const job *j)
{
    if (j->kind == JOB_ENDS)
        return m->is_over && m->is_clean && m->code == j->number;
    if (m->is_over)
        return 0;
    switch (j->kind) {
    case JOB_OPEN: return j->is_chat ? m->is_welcome : m->is_open;
    case JOB_ECHO: return m->round == j->number;
    case JOB_PINGS: return m->pings >= j->number;
    case JOB_SYNC: return m->pongs > 0;
    case JOB_HEAR: return m->heard >= j->number;
    default: return 0;
    }
}

static void settle(worker *w, member *m)
{
    if (!m->is_settled && (m->is_over || has_reached(m, &w->job))) {
        m->is_settled = 1;
        w->settled++;
    }
}

/* Tells what became of the job, and is free for the next. */
static void finish(worker *w)
{
    report r;
    uint32_t i;
    memset(&r, 0, sizeof r);
    r.total = w->count;
    r.wrong = w->wrong;
    for (i = 0; i < w->count; i++) {
        const member *m = w->members[i];
        if (m != NULL && has_reached(m, &w->job))
            r.done++;
        else if (m == NULL || m->is_over)
            r.lost++;
    }
    memcpy(r.why, w->why, sizeof r.why);
    w->why[0] = '\0';
    w->wrong = 0;
    w->job.kind = 0;
    if (send(w->lead_fd, &r, sizeof r, MSG_NOSIGNAL) != (ssize_t)sizeof r)
        _exit(1);
}

static void reset(worker *w)
{
    uint32_t i;
    for (i = 0; i < w->count; i++)
        if (w->members[i] != NULL)
            member_free(w->members[i]);
    w->count = w->settled = 0;
}

/* What the connections of this and the next jobs have in common. */
static void prepare(worker *w)
{
    static const char *const subprotocols[] = {SUBPROTOCOL};
    w->opened = w->job;
    tenon_config_client(&w->config, sizeof w->config);
    w->config.random = wire_random;
    w->config.handshake_ms = w->config.stall_ms = w->config.close_ms = TENON_OFF; /* the jobs have limits */
    snprintf(w->authority, sizeof w->authority, "127.0.0.1:%u", (unsigned)w->job.port);
    memset(&w->request, 0, sizeof w->request);
    w->request.size = sizeof w->request;
    w->request.authority = w->authority;
    w->request.target = w->job.is_chat ? "/chat" : "/";
    w->request.subprotocols = subprotocols;
    w->request.subprotocol_count = w->job.is_chat ? 1 : 0;
}

static void begin(worker *w)
{
    uint32_t i;
    w->until = now_ns() / 1000000 + w->job.ms;
    w->settled = 0;
    if (w->job.kind == JOB_OPEN)
        prepare(w);
    if (w->job.kind == JOB_RESET)
        reset(w);
    for (i = 0; i < w->count; i++) {
        member *m = w->members[i];
        if (m == NULL) {
            w->settled++;
            continue;
        }
        m->is_settled = 0;
        m->pings = m->pongs = 0;
        if (w->job.kind == JOB_SYNC && !m->is_over)
            member_ping(m);
        if (w->job.kind == JOB_ECHO && !m->is_over)
            member_say(m, w->job.number);
        settle(w, m);
    }
}

static int is_finished(const worker *w)
{
    uint32_t all = w->job.kind == JOB_OPEN ? w->job.number : w->count;
    return w->settled >= all || now_ns() / 1000000 >= w->until;
}

/* More connections, as long as not too many are on their way. */
static void open_more(worker *w)
{
    while (w->count < w->job.number && w->count - w->settled < OPENING_MAX) {
        member *m = member_open(w, w->job.first + w->count);
        w->members[w->count++] = m;
        if (m == NULL)
            w->settled++;
        else
            settle(w, m);
    }
}

/* ----------------------------------------------------------------- the loop */

/* A job, or the end. */
static void listen_to_lead(worker *w)
{
    if (recv(w->lead_fd, &w->job, sizeof w->job, 0) != (ssize_t)sizeof w->job) {
        reset(w);
        _exit(0);
    }
    begin(w);
}

static int time_left(const worker *w)
{
    uint64_t now = now_ns() / 1000000;
    if (w->job.kind == 0)
        return -1;
    return w->until <= now ? 0 : (int)(w->until - now);
}

static void loop(worker *w)
{
    static struct epoll_event events[EVENTS_MAX];
    for (;;) {
        int i, count = epoll_wait(w->poll_fd, events, EVENTS_MAX, time_left(w)), has_job = 0;
        for (i = 0; i < count; i++) {
            member *m = events[i].data.ptr;
            if (m == NULL) {
                has_job = 1;
                continue;
            }
            member_turn(m);
            settle(w, m);
        }
        if (has_job)
            listen_to_lead(w); /* last, for it may free all members */
        if (w->job.kind == JOB_OPEN)
            open_more(w);
        if (w->job.kind != 0 && is_finished(w))
            finish(w);
    }
}

void worker_run(unsigned number, int lead_fd, shared *s)
{
    static worker w;
    struct epoll_event event;
    w.number = number;
    w.lead_fd = lead_fd;
    w.shared = s;
    w.members = calloc(CROWD_MAX, sizeof *w.members);
    w.poll_fd = epoll_create1(EPOLL_CLOEXEC);
    memset(&event, 0, sizeof event);
    event.events = EPOLLIN;
    if (w.members == NULL || w.poll_fd < 0 || epoll_ctl(w.poll_fd, EPOLL_CTL_ADD, lead_fd, &event) != 0)
        _exit(1);
    loop(&w);
}
