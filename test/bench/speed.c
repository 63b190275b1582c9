/* SPDX-License-Identifier: MIT */
/*
 * Times all contenders at all workloads in memory; usually called by speed.py.
 *
 *   speed ROUND [GROUP]               times them: lines "group workload contender octets
 *                                     time", separated by tabs, the time in nanoseconds
 *                                     of CPU for each message
 *   speed 0 [GROUP]                   only looks whether all do it right
 *   speed count GROUP/NAME CONTENDER  once, for a tool that counts what happens inside
 *                                     speed_measured; prints how many messages it were
 *
 * Whoever does a job wrong is told of, not timed, and the exit status is 1. At each
 * workload the contenders take turns of SAMPLE_SECONDS of CPU; each round begins with
 * another one. What disturbs the machine for a while disturbs all of them, or, when it
 * lasts longer, few of the rounds.
 */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "speed_data.h"

#define SAMPLE_SECONDS 0.01
#define ONCE_MOST 20000 /* messages that are counted, so that opening is lost among them */
#define FIELD_MAX 64 /* contenders at one workload */

#define KIB 1024u
#define MIB (1024u * KIB)

static const workload workloads[] = {
    {"decode", "20 octets", DECODE, OCTETS, 20, CUT_MAX, 0, 0, 0},
    {"decode", "64 octets", DECODE, OCTETS, 64, CUT_MAX, 0, 0, 0},
    {"decode", "125 octets", DECODE, OCTETS, 125, CUT_MAX, 0, 0, 0},
    {"decode", "20 octets of text", DECODE, ASCII, 20, CUT_MAX, 0, 0, 0},
    {"decode", "64 octets of text", DECODE, ASCII, 64, CUT_MAX, 0, 0, 0},
    {"decode", "125 octets of text", DECODE, ASCII, 125, CUT_MAX, 0, 0, 0},
    {"decode", "1 KiB of ASCII", DECODE, ASCII, KIB, CUT_MAX, 0, 0, 1},
    {"decode", "4 KiB of ASCII", DECODE, ASCII, 4 * KIB, CUT_MAX, 0, 0, 1},
    {"decode", "16 KiB of ASCII", DECODE, ASCII, 16 * KIB, CUT_MAX, 0, 0, 1},
    {"decode", "1 KiB of mixed text", DECODE, MIXED, KIB, CUT_MAX, 0, 0, 1},
    {"decode", "4 KiB of mixed text", DECODE, MIXED, 4 * KIB, CUT_MAX, 0, 0, 1},
    {"decode", "16 KiB of mixed text", DECODE, MIXED, 16 * KIB, CUT_MAX, 0, 0, 1},
    {"decode", "1 MiB", DECODE, OCTETS, MIB, CUT_MAX, 0, 0, 1},
    {"encode", "server, 20 octets", ENCODE, OCTETS, 20, 0, 0, 0, 0},
    {"encode", "server, 1 KiB", ENCODE, OCTETS, KIB, 0, 0, 0, 0},
    {"encode", "server, 64 KiB", ENCODE, OCTETS, 64 * KIB, 0, 0, 0, 0},
    {"encode", "client, 20 octets", ENCODE, OCTETS, 20, 0, 1, 0, 0},
    {"encode", "client, 1 KiB", ENCODE, OCTETS, KIB, 0, 1, 0, 0},
    {"encode", "client, 64 KiB", ENCODE, OCTETS, 64 * KIB, 0, 1, 0, 0},
    {"mask", "64 octets", MASK, OCTETS, 64, 64, 0, 0, 1},
    {"mask", "64 octets, not aligned", MASK, OCTETS, 64, 64, 0, 3, 1},
    {"mask", "1 KiB", MASK, OCTETS, KIB, KIB, 0, 0, 1},
    {"mask", "1 KiB, not aligned", MASK, OCTETS, KIB, KIB, 0, 3, 1},
    {"mask", "64 KiB", MASK, OCTETS, 64 * KIB, 64 * KIB, 0, 0, 1},
    {"mask", "64 KiB, not aligned", MASK, OCTETS, 64 * KIB, 64 * KIB, 0, 3, 1},
    {"UTF-8", "ASCII", CHECK, ASCII, 64 * KIB, 64 * KIB, 0, 0, 1},
    {"UTF-8", "Latin", CHECK, LATIN, 64 * KIB, 64 * KIB, 0, 0, 1},
    {"UTF-8", "CJK", CHECK, CJK, 64 * KIB, 64 * KIB, 0, 0, 1},
    {"UTF-8", "emoji", CHECK, EMOJI, 64 * KIB, 64 * KIB, 0, 0, 1},
    {"UTF-8", "ASCII by 1 KiB", CHECK, ASCII, 64 * KIB, KIB, 0, 0, 1},
    {"UTF-8", "Latin by 1 KiB", CHECK, LATIN, 64 * KIB, KIB, 0, 0, 1},
    {"UTF-8", "CJK by 1 KiB", CHECK, CJK, 64 * KIB, KIB, 0, 0, 1},
    {"UTF-8", "emoji by 1 KiB", CHECK, EMOJI, 64 * KIB, KIB, 0, 0, 1},
    {"unmask and check", "4 KiB of ASCII", BOTH, ASCII, 4 * KIB, 4 * KIB, 0, 0, 1},
    {"unmask and check", "64 KiB of ASCII", BOTH, ASCII, 64 * KIB, 64 * KIB, 0, 0, 1},
    {"unmask and check", "1 MiB of ASCII", BOTH, ASCII, MIB, MIB, 0, 0, 1},
    {"unmask and check", "64 KiB of CJK", BOTH, CJK, 64 * KIB, 64 * KIB, 0, 0, 1},
    {"unmask and check", "1 MiB of CJK", BOTH, CJK, MIB, MIB, 0, 0, 1},
    {"handshake", "of a browser", HANDSHAKE, OCTETS, 500, CUT_MAX, 0, 0, 0},
    {"sizes", "20", DECODE, OCTETS, 20, CUT_MAX, 0, 0, 0},
    {"sizes", "125", DECODE, OCTETS, 125, CUT_MAX, 0, 0, 0},
    {"sizes", "1 KiB", DECODE, OCTETS, KIB, CUT_MAX, 0, 0, 0},
    {"sizes", "4 KiB", DECODE, OCTETS, 4 * KIB, CUT_MAX, 0, 0, 0},
    {"sizes", "16 KiB", DECODE, OCTETS, 16 * KIB, CUT_MAX, 0, 0, 0},
    {"sizes", "64 KiB", DECODE, OCTETS, 64 * KIB, CUT_MAX, 0, 0, 0},
    {"sizes", "256 KiB", DECODE, OCTETS, 256 * KIB, CUT_MAX, 0, 0, 0},
    {"sizes", "1 MiB", DECODE, OCTETS, MIB, CUT_MAX, 0, 0, 0},
    {"sizes", "4 MiB", DECODE, OCTETS, 4 * MIB, CUT_MAX, 0, 0, 0},
    {"sizes", "16 MiB", DECODE, OCTETS, 16 * MIB, CUT_MAX, 0, 0, 0},
    {"cuts", "20 octets by 64 KiB", DECODE, OCTETS, 20, CUT_MAX, 0, 0, 0},
    {"cuts", "20 octets by 4 KiB", DECODE, OCTETS, 20, 4 * KIB, 0, 0, 0},
    {"cuts", "20 octets by 512", DECODE, OCTETS, 20, 512, 0, 0, 0},
    {"cuts", "20 octets by 64", DECODE, OCTETS, 20, 64, 0, 0, 0},
    {"cuts", "20 octets by 1", DECODE, OCTETS, 20, 1, 0, 0, 0},
    {"cuts", "1 KiB of text by 64 KiB", DECODE, ASCII, KIB, CUT_MAX, 0, 0, 0},
    {"cuts", "1 KiB of text by 4 KiB", DECODE, ASCII, KIB, 4 * KIB, 0, 0, 0},
    {"cuts", "1 KiB of text by 512", DECODE, ASCII, KIB, 512, 0, 0, 0},
    {"cuts", "1 KiB of text by 64", DECODE, ASCII, KIB, 64, 0, 0, 0},
    {"cuts", "1 KiB of text by 1", DECODE, ASCII, KIB, 1, 0, 0, 0},
};

#define WORKLOADS (sizeof workloads / sizeof *workloads)

static const contender *const lists[] = {
    speed_limits,
    speed_tenon,
#ifdef SPEED_BEAST
    speed_beast,
#endif
#ifdef SPEED_WSLAY
    speed_wslay,
#endif
#ifdef SPEED_WEBSOCKETPP
    speed_websocketpp,
#endif
};

/* ------------------------------------------------------------------- timing */

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* All that is measured happens in here. */
__attribute__((noinline)) int speed_measured(const contender *c, job *j)
{
    return c->run(j);
}

/* Seconds of a pass; the first one only brings back what others took from the caches. */
static double sample(const contender *c, const job *j)
{
    job first = *j;
    double total = 0;
    int passes = 0;
    speed_measured(c, &first);
    do {
        job one = *j;
        double begin = cpu_seconds();
        speed_measured(c, &one);
        total += cpu_seconds() - begin;
        passes++;
    } while (total < SAMPLE_SECONDS);
    return total / passes;
}

/* Nanoseconds of each for one of the ops of a pass. */
static void time_all(const contender *const *field, size_t count, const job *j, double ops, size_t round, double *ns)
{
    size_t i;
    for (i = 0; i < count; i++) {
        size_t k = (i + round) % count;
        speed_use_kernel(field[k]->kernel);
        ns[k] = sample(field[k], j) * 1e9 / ops;
    }
}

/* ---------------------------------------------------------------- workloads */

static int takes_part(const workload *w, const contender *c)
{
    if (c->kind != w->kind || (c->kernel != NULL && !w->with_kernels))
        return 0;
    return speed_use_kernel(c->kernel) == 0;
}

/* Those that do it right; adds those that do not to *wrong. It also warms them up. */
static size_t gather(const workload *w, const job *j, const contender **field, int *wrong)
{
    size_t i, count = 0;
    const contender *c;
    for (i = 0; i < sizeof lists / sizeof *lists; i++) {
        for (c = lists[i]; c->name != NULL && count < FIELD_MAX; c++) {
            const char *why;
            if (!takes_part(w, c))
                continue;
            why = data_judge(w, c, j);
            if (why == NULL) {
                field[count++] = c;
                continue;
            }
            fprintf(stderr, "speed: %s, %s: %s is wrong: %s\n", w->group, w->name, c->name, why);
            ++*wrong;
        }
    }
    return count;
}

static int run_all(size_t round, const char *group)
{
    const contender *field[FIELD_MAX];
    double ns[FIELD_MAX], ops;
    size_t i, k, count, total = 0;
    int wrong = 0;
    for (i = 0; i < WORKLOADS; i++) {
        const workload *w = &workloads[i];
        job j;
        if (group != NULL && strcmp(group, w->group) != 0)
            continue;
        ops = data_make(w, &j, SIZE_MAX);
        count = gather(w, &j, field, &wrong);
        total += count;
        if (round == 0)
            continue;
        time_all(field, count, &j, ops, round, ns);
        for (k = 0; k < count; k++)
            printf("%s\t%s\t%s\t%lu\t%.4f\n", w->group, w->name, field[k]->name, (unsigned long)w->size, ns[k]);
    }
    if (round == 0)
        printf("%lu right, %d wrong\n", (unsigned long)total, wrong);
    return wrong == 0 && total > 0 ? 0 : 1;
}

static const workload *find_workload(const char *name)
{
    size_t i;
    for (i = 0; i < WORKLOADS; i++) {
        size_t n = strlen(workloads[i].group);
        if (strncmp(name, workloads[i].group, n) == 0 && name[n] == '/' && strcmp(name + n + 1, workloads[i].name) == 0)
            return &workloads[i];
    }
    return NULL;
}

static const contender *find_contender(int kind, const char *name)
{
    size_t i;
    const contender *c;
    for (i = 0; i < sizeof lists / sizeof *lists; i++)
        for (c = lists[i]; c->name != NULL; c++)
            if (c->kind == kind && strcmp(c->name, name) == 0)
                return c;
    return NULL;
}

static int run_once(const char *name, const char *who)
{
    const workload *w = find_workload(name);
    const contender *c = w == NULL ? NULL : find_contender(w->kind, who);
    double ops;
    job j;
    if (c == NULL || speed_use_kernel(c->kernel) != 0)
        return 2;
    ops = data_make(w, &j, ONCE_MOST);
    if (speed_measured(c, &j) != 0)
        return 1;
    printf("%.0f\n", ops);
    return 0;
}

int main(int argc, char **argv)
{
    int round = argc > 1 ? atoi(argv[1]) : -1;
    if (argc == 4 && strcmp(argv[1], "count") == 0)
        return run_once(argv[2], argv[3]);
    if (argc < 2 || argc > 3 || round < 0) {
        fprintf(stderr, "usage: speed ROUND [GROUP] | speed count GROUP/WORKLOAD CONTENDER\n");
        return 2;
    }
    return run_all((size_t)round, argc > 2 ? argv[2] : NULL);
}
