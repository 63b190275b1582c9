/* SPDX-License-Identifier: MIT */
/* Members of a chat who do not read: the others must not notice. */
#include <stdio.h>
#include <string.h>

#include "lead.h"
#include "lone.h"
#include "server.h"

#define MEMBERS 1000
#define OPEN_MS 20000
#define HEAR_MS 20000
#define WAIT_MS 20000

#define LINE_SIZE 4000
#define LINES_BEFORE 100u
#define LINES_LEAST 100u /* with the slow ones in the room */
#define LINES_MOST 1500u
#define LOOK_EVERY 10u   /* lines between two looks at the metrics */
#define LINES_BESIDE 30u /* least that the others have while the sleeper is behind */

#define DROPS "chat_drops_total{reason=\"slow\"}"

/* How much later the others may have their lines than before: a factor, and a time
 * below which no difference counts; for the 99 %, far below --slow-timeout. */
#define FACTOR 4
#define NOTHING_US 20000
#define NOTHING_99_US 250000

typedef struct slow {
    crowd *crowd;
    server server;
    lone *speaker;
    lone *sleeper; /* stops reading, and begins again when it is dropped */
    lone *dead;    /* stops reading for ever */
    uint32_t dropped_at; /* the line after which both were found dropped; 0: never */
} slow;

static job new_job(const slow *w, uint32_t kind, uint32_t number, uint32_t ms)
{
    job j;
    memset(&j, 0, sizeof j);
    j.kind = kind;
    j.number = number;
    j.ms = ms;
    j.port = w->server.port;
    j.is_chat = 1;
    j.rx_size = 5120;
    return j;
}

/* The speaker says a line, and has it back: then the next. 0, or -1. */
static int say(slow *w, uint32_t k)
{
    lone *l = w->speaker;
    return lone_say(l, k, LINE_SIZE) == 0 && lone_until(l, &l->lines, k, HEAR_MS) == 0 ? 0 : -1;
}

/* Says lines until the two are dropped, and enough of them: how many there are. */
static uint32_t say_until_dropped(slow *w)
{
    uint32_t k = LINES_BEFORE;
    while (k < LINES_BEFORE + LINES_MOST && (w->dropped_at == 0 || k < LINES_BEFORE + LINES_LEAST)) {
        if (say(w, k + 1) != 0)
            break;
        k++;
        if (w->dropped_at == 0 && k % LOOK_EVERY == 0 && server_metric(&w->server, DROPS) >= 2)
            w->dropped_at = k;
    }
    return k;
}

/* The sleeper reads again: lines without a gap, and then the Close. The last of them
 * tells how far it had got while the others went on. */
static void wake(slow *w)
{
    lone *l = w->sleeper;
    uint64_t since = now_ns();
    lone_until(l, &l->over, 1, WAIT_MS);
    check(w->crowd, l->over && l->code == TENON_CLOSE_POLICY && l->is_clean && l->gaps == 0 && l->lines > 0,
          "chat: slow reader", "reads again: %u lines, %u gaps, then %s %d, %s, in %.0f ms (expected: 1008)",
          (unsigned)l->lines, (unsigned)l->gaps, l->over ? "ended with" : "no end,", l->code,
          l->is_clean ? "clean" : "not clean", since_ms(since));
    check(w->crowd, w->dropped_at >= l->last_line + LINES_BESIDE, "chat: the others go on",
          "line %u was said and heard, the sleeper had got to %u; at least %u more", (unsigned)w->dropped_at,
          (unsigned)l->last_line, LINES_BESIDE);
}

static void compare(slow *w, uint32_t lines)
{
    uint32_t *times = w->crowd->shared->times;
    size_t before = (size_t)LINES_BEFORE * MEMBERS, with = (size_t)(lines - LINES_BEFORE) * MEMBERS;
    uint32_t was[2], is[2];
    sort_times(times, before);
    sort_times(times + before, with);
    was[0] = part_of(times, before, 500);
    was[1] = part_of(times, before, 990);
    is[0] = part_of(times + before, with, 500);
    is[1] = part_of(times + before, with, 990);
    check(w->crowd, with > 0 && is[0] <= FACTOR * was[0] + NOTHING_US && is[1] <= FACTOR * was[1] + NOTHING_99_US,
          "chat: the others' lines in time",
          "median %.1f ms, 99 %% %.1f ms with slow readers; %.1f, %.1f without; at most %d times, and %d, %d ms",
          is[0] / 1e3, is[1] / 1e3, was[0] / 1e3, was[1] / 1e3, FACTOR, NOTHING_US / 1000,
          NOTHING_99_US / 1000);
}

/* Everything, with all connected and the lines before said. */
static void run(slow *w)
{
    lone_how narrow = {1, 0, 1, 0};
    report r;
    uint32_t lines;
    long drops;
    uint64_t since;
    int is_good;
    w->sleeper = lone_open(w->server.port, 2, narrow);
    w->dead = lone_open(w->server.port, 3, narrow);
    if (w->sleeper == NULL || w->dead == NULL || lone_until(w->sleeper, &w->sleeper->welcomes, 1, WAIT_MS) != 0 ||
        lone_until(w->dead, &w->dead->welcomes, 1, WAIT_MS) != 0) {
        check(w->crowd, 0, "chat: slow readers come", "one of the two got no welcome");
        return;
    }
    since = now_ns();
    lines = say_until_dropped(w);
    drops = server_metric(&w->server, DROPS);
    check(w->crowd, drops == 2, "chat: slow readers counted", "%s is %ld, of 2, after %u lines of %d octets and %.1f s",
          DROPS, drops, (unsigned)(lines - LINES_BEFORE), LINE_SIZE, since_ms(since) / 1000);
    wake(w);
    is_good = crowd_do(w->crowd, new_job(w, JOB_HEAR, lines, HEAR_MS), &r);
    check(w->crowd, is_good && r.total == MEMBERS && lines > LINES_BEFORE, "chat: the others have all",
          "%s have all %u lines, once and in order; %ld KiB resident", told(&r), (unsigned)lines,
          server_memory(&w->server) / 1024);
    compare(w, lines);
    since = now_ns();
    is_good = server_await_metric(&w->server, "chat_members", MEMBERS + 1, WAIT_MS) == 0;
    check(w->crowd, is_good, "chat: who reads no more", "chat_members is %ld, of %d and the speaker, after %.1f s more",
          server_metric(&w->server, "chat_members"), MEMBERS, since_ms(since) / 1000);
}

static int begin(slow *w, char *program)
{
    char *arguments[] = {program,  "--port", "0", "--ping-interval", "60000", "--lines-per-second", "0",
                         "--slow-timeout", "1000", NULL};
    lone_how how = {1, 0, 0, 0};
    report r;
    uint32_t k;
    w->crowd->shared->members = MEMBERS;
    if (server_start(&w->server, arguments) != 0 || (w->speaker = lone_open(w->server.port, 1, how)) == NULL ||
        lone_until(w->speaker, &w->speaker->welcomes, 1, WAIT_MS) != 0)
        return -1;
    memset(w->crowd->shared->times, 0, sizeof w->crowd->shared->times);
    if (!crowd_do(w->crowd, new_job(w, JOB_OPEN, MEMBERS, OPEN_MS), &r))
        return -1;
    for (k = 1; k <= LINES_BEFORE; k++)
        if (say(w, k) != 0)
            return -1;
    return crowd_do(w->crowd, new_job(w, JOB_HEAR, LINES_BEFORE, HEAR_MS), &r) ? 0 : -1;
}

void slow_checks(crowd *c, char *program)
{
    static slow w;
    report r;
    w.crowd = c;
    if (begin(&w, program) != 0)
        check(c, 0, "chat: slow readers", "%d members did not get %u lines before there was a slow one", MEMBERS,
              LINES_BEFORE);
    else
        run(&w);
    crowd_do(c, new_job(&w, JOB_RESET, 0, WAIT_MS), &r);
    lone_free(w.speaker);
    lone_free(w.sleeper);
    lone_free(w.dead);
    if (w.server.pid > 0) {
        server_term(&w.server);
        server_wait(&w.server, WAIT_MS);
    }
}
