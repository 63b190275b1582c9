/* SPDX-License-Identifier: MIT */
/*
 * Connections without end: a client and a server back to back, through a transport
 * that cuts, blocks, pauses, half-closes and breaks, under a clock that jumps. Each
 * connection is judged by duet.h; behind all of them nothing may have grown.
 *
 * usage: soak [--seed S] [--steps N] [--connections N] [--first K]
 *
 * A step is a turn of both parties. Ends behind N steps or N connections, whichever
 * comes first. A failure names seed and connection: --seed S --first K begins there.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct party;
static void give_up(const struct party *p, const char *what) __attribute__((noreturn));
#define DUET_FAIL(party, what) give_up(party, what)

#include "duet.h"

/* Whose own memory grows. */
#if defined(__SANITIZE_ADDRESS__)
#define UNDER_SANITIZER 1
#elif defined(__has_feature)
#define UNDER_SANITIZER (__has_feature(address_sanitizer) || __has_feature(memory_sanitizer))
#else
#define UNDER_SANITIZER 0
#endif

/* Resident memory may differ by so much between a tenth of the way and its end. */
#define GROWTH_MAX (512L * 1024)

enum { END_CLIENT, END_SERVER, END_BOTH, END_ABORT, END_NOBODY, END_REJECT, ENDS };

/* What a connection goes through. */
static struct plan {
    uint64_t number;
    int end;
    unsigned messages[2]; /* of client and server */
    unsigned most;        /* octets of a message */
    unsigned piece;       /* that a transport takes at once, at most */
    unsigned one_in;      /* so many reads or writes would block; 0: none */
    unsigned stall;       /* and one in so many blocks for long */
    unsigned jump;        /* one in so many turns the clock jumps */
    unsigned pause;       /* one in so many events is kept, or stops the loop */
    unsigned breaks;      /* one in so many reads breaks the transport */
    uint64_t until[2];    /* reads of a party block */
    int harmed;
    unsigned turns;
} plan;

static struct total {
    uint64_t seed, first, steps, connections, messages, octets;
    uint64_t opened, clean, timed_out, refused;
    uint64_t most_steps, most_connections;
} total;

static duet pair;

static void give_up(const party *p, const char *what)
{
    printf("FAIL soak: seed %llu, connection %llu: %s: %s\n", (unsigned long long)total.seed,
           (unsigned long long)plan.number, p == NULL ? "all" : p->role == TENON_CLIENT ? "client" : "server", what);
    exit(1);
}

static unsigned draw_to(unsigned most)
{
    return (unsigned)(duet_draw(&pair) % (most + 1u));
}

/* True once in so many times; never for 0. */
static int once_in(unsigned n)
{
    return n > 0 && duet_draw(&pair) % n == 0;
}

/* ------------------------------------------------------------------ transport */

/* When one of the parties reads again. */
static uint64_t next_wake(void)
{
    uint64_t a = plan.until[0] > pair.now ? plan.until[0] : UINT64_MAX;
    uint64_t b = plan.until[1] > pair.now ? plan.until[1] : UINT64_MAX;
    return a < b ? a : b;
}

static long may_read(party *p, size_t n)
{
    uint64_t *until = &plan.until[p->role == TENON_SERVER];
    if (*until > pair.now)
        return 0;
    if (once_in(plan.stall)) {
        *until = pair.now + 1 + draw_to(1 + draw_to(90000));
        pair.wake = next_wake();
    }
    if (once_in(plan.breaks)) {
        plan.harmed = 1;
        p->peer->way.cut = 1;
        return once_in(2) ? -1 : (long)n;
    }
    if (once_in(plan.one_in)) {
        pair.moves++;
        return 0;
    }
    n = 1 + draw_to(plan.piece);
    return (long)n;
}

static long may_write(party *p, size_t n)
{
    (void)p;
    if (once_in(plan.one_in)) {
        pair.moves++;
        return 0;
    }
    n = 1 + draw_to(plan.piece);
    return (long)n;
}

/* -------------------------------------------------------------------- programs */

/* 1 when it has no more to say now. */
static int say_next(party *p)
{
    static const int kinds[] = {SAY_COPY, SAY_COPY,          SAY_COPY, SAY_PART, SAY_PART,
                                SAY_REF,  SAY_PREPARED_COPY, SAY_PING, SAY_PONG, SAY_PREPARED};
    static const uint32_t flags[] = {0, 0, TENON_COMPRESS, TENON_UNCOMPRESSED};
    int kind = kinds[draw_to(sizeof kinds / sizeof kinds[0] - 1)], status;
    size_t n = draw_to(draw_to(plan.most));
    if (p->streaming && kind != SAY_PING)
        kind = draw_to(2) == 0 ? SAY_PART_LAST : SAY_PART;
    if (kind == SAY_PING || kind == SAY_PONG)
        n %= TENON_CONTROL_MAX + 1u;
    else if (kind != SAY_REF && kind != SAY_PREPARED)
        n %= 180;
    status = say(p, kind, TENON_TEXT + (int)draw_to(1), n, flags[draw_to(3)]);
    if (status == TENON_OK)
        p->step++;
    DUET_CHECK(p, status == TENON_OK || status == TENON_ERR_AGAIN || tenon_state(p->conn) != TENON_OPEN);
    return status != TENON_OK;
}

/* Whether this party is the one to end it. */
static int ends(const party *p)
{
    return plan.end == END_BOTH || plan.end == END_ABORT ||
           plan.end == (p->role == TENON_CLIENT ? END_CLIENT : END_SERVER);
}

static void speak(party *p)
{
    unsigned wanted = plan.messages[p->role == TENON_SERVER];
    if (p->closed || !p->opened || p->asked || p->close_seen)
        return;
    while (p->step < wanted && !once_in(4))
        if (say_next(p))
            return;
    if (p->step == wanted && !ends(p))
        return;
    pair.moves++; /* another time, if not now */
    if (p->step < wanted || once_in(2))
        return;
    if (plan.end == END_ABORT)
        (void)duet_abort(p, once_in(2) ? TENON_LOCAL : TENON_REMOTE);
    else
        (void)say_close(p, once_in(3) ? TENON_CLOSE_NONE : 1000, NULL);
}

static void reject(party *p)
{
    tenon_refusal refusal;
    memset(&refusal, 0, sizeof refusal);
    refusal.size = (uint32_t)sizeof refusal;
    refusal.status = 403;
    refusal.body = "no";
    refusal.body_size = 2;
    refusal.flags = TENON_COPY;
    DUET_CHECK(p, tenon_reject(p->conn, &refusal) == TENON_OK);
}

static int answer(party *p, const tenon_event *e)
{
    if (p->closed)
        return TENON_CONTINUE;
    if (once_in(plan.pause)) {
        pair.moves++;
        return TENON_AGAIN;
    }
    if (e->type == TENON_EV_REQUEST && plan.end == END_REJECT)
        reject(p);
    else if (e->type == TENON_EV_REQUEST)
        DUET_CHECK(p, tenon_accept(p->conn, NULL) == TENON_OK);
    return once_in(plan.pause) ? TENON_STOP : TENON_CONTINUE;
}

/* ----------------------------------------------------------------- a connection */

static void draw_plan(uint64_t number)
{
    int rough = once_in(16);
    memset(&plan, 0, sizeof plan);
    plan.number = number;
    plan.end = (int)draw_to(ENDS - 1);
    if (plan.end > END_SERVER && !once_in(3))
        plan.end = once_in(2) ? END_CLIENT : END_SERVER;
    plan.messages[0] = draw_to(rough ? 40 : 3);
    plan.messages[1] = draw_to(rough ? 40 : 3);
    plan.most = once_in(8) ? 3000 : 100;
    plan.piece = once_in(3) ? draw_to(1500) + 8 : 4000;
    plan.one_in = once_in(4) ? 2 + draw_to(8) : 0;
    plan.stall = rough ? 5 + draw_to(200) : 0;
    plan.jump = rough ? 5 + draw_to(200) : 0;
    plan.pause = once_in(8) ? 2 + draw_to(20) : 0;
    plan.breaks = once_in(20) ? 1 + draw_to(20) : 0;
}

static void configure(party *p)
{
    p->config.max_frame_out = once_in(2) ? 0 : 16 + draw_to(3000); /* less, and what is compressed may need too much room */
    p->config.idle_ms = plan.end == END_NOBODY || once_in(4) ? 1 + draw_to(40000) : 0;
    p->config.ping_ms = once_in(8) ? 1 + draw_to(20000) : 0;
    p->config.pong_ms = once_in(2) ? 0 : 1 + draw_to(20000);
    p->config.stall_ms = once_in(2) ? 0 : 1 + draw_to(30000);
    p->config.flags |= once_in(8) ? TENON_DROP_AFTER_CLOSE : 0;
}

static void begin(uint64_t number)
{
    duet *d = &pair;
    memset(d, 0, sizeof *d);
    d->seed = (total.seed + number) * 0x9e3779b97f4a7c15u | 1;
    (void)duet_draw(d);
    draw_plan(number);
    d->pull = once_in(2);
    d->chunks = once_in(2);
    d->compressed = once_in(32);
    d->deflate.size = (uint32_t)sizeof d->deflate;
    d->deflate.codec = &tenon_zlib;
    d->deflate.out_bits = 9;
    d->deflate.memory_level = 1;
    d->deflate.flags = draw_to(3);
    d->speak = speak;
    d->answer = answer;
    d->may_read = may_read;
    d->may_write = may_write;
    d->now = duet_draw(d);
    (void)tenon_config_client(&d->client.config, sizeof d->client.config);
    (void)tenon_config_server(&d->server.config, sizeof d->server.config);
    configure(&d->client);
    configure(&d->server);
    if (duet_start(d, 4096, 1024 + draw_to(1) * draw_to(3000)) != TENON_OK)
        give_up(NULL, "no request");
}

/* Who alone said goodbye, and was answered, has said nothing in vain. */
static void check_heard(const party *p)
{
    const party *peer = p->peer;
    if (!p->asked || peer->asked || (p->last.flags & peer->last.flags & TENON_CLEAN) == 0 || p->last.rule != 0 ||
        peer->last.rule != 0)
        return;
    DUET_CHECK(p, peer->heard == p->log_count - (unsigned)p->streaming);
}

static int is_timeout(const tenon_event *e)
{
    return e->rule >= TENON_RULE_HANDSHAKE_TIMEOUT && e->rule <= TENON_RULE_STALL_TIMEOUT;
}

static void finish(party *p)
{
    DUET_CHECK(p, p->stats.queue_peak <= p->tx.size);
    DUET_CHECK(p, pair.compressed || p->stats.steps <= 4 * p->stats.octets_in + 64 + 8 * (uint64_t)plan.turns);
    if (!p->aborted && !plan.harmed && p->last.rule == 0 && plan.end != END_REJECT)
        DUET_CHECK(p, p->last.code != TENON_CLOSE_ABNORMAL || p->peer->aborted || p->peer->last.rule != 0);
    check_heard(p);
    total.messages += p->messages;
    total.octets += p->stats.octets_in;
    total.timed_out += (uint64_t)is_timeout(&p->last);
    party_stop(p);
}

static void run_one(uint64_t number)
{
    begin(number);
    while (duet_go(&pair)) {
        if (once_in(plan.jump))
            pair.now += draw_to(1 + draw_to(60000));
        pair.wake = next_wake();
        if (++plan.turns == 20000) /* pings keep it alive for ever */
            (void)duet_abort(pair.client.closed ? &pair.server : &pair.client, TENON_LOCAL);
        if (plan.turns > 40000)
            give_up(NULL, "it does not end");
    }
    total.steps += plan.turns + 1u;
    total.connections++;
    total.opened += (uint64_t)(pair.client.opened && pair.server.opened);
    total.refused += (uint64_t)pair.client.responded;
    total.clean += (uint64_t)((pair.client.last.flags & pair.server.last.flags & TENON_CLEAN) != 0);
    finish(&pair.client);
    finish(&pair.server);
}

/* ------------------------------------------------------------------------- all */

/* Octets of resident memory; 0 where that cannot be known. */
static long resident(void)
{
    long pages = 0, all;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%ld %ld", &all, &pages) != 2)
        pages = 0;
    fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

static int is_over(uint64_t part)
{
    return total.steps >= total.most_steps / part || total.connections >= total.most_connections / part;
}

static int usage(void)
{
    fputs("usage: soak [--seed S] [--steps N] [--connections N] [--first K]\n", stderr);
    return 2;
}

static int read_options(int argc, char **argv)
{
    int i;
    total.seed = (uint64_t)time(NULL);
    total.most_steps = UINT64_MAX;
    total.most_connections = UINT64_MAX;
    for (i = 1; i + 1 < argc; i += 2) {
        uint64_t value = strtoull(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--seed") == 0)
            total.seed = value;
        else if (strcmp(argv[i], "--steps") == 0)
            total.most_steps = value;
        else if (strcmp(argv[i], "--connections") == 0)
            total.most_connections = value;
        else if (strcmp(argv[i], "--first") == 0)
            total.first = value;
        else
            return -1;
    }
    if (total.most_steps == UINT64_MAX && total.most_connections == UINT64_MAX)
        total.most_connections = 10000;
    return i == argc ? 0 : -1;
}

int main(int argc, char **argv)
{
    long early, late;
    if (read_options(argc, argv) != 0)
        return usage();
    while (!is_over(10))
        run_one(total.first + total.connections);
    early = resident();
    while (!is_over(1))
        run_one(total.first + total.connections);
    late = resident();
#if !UNDER_SANITIZER
    if (late - early > GROWTH_MAX) {
        printf("FAIL soak: seed %llu: resident memory has grown from %ld to %ld\n", (unsigned long long)total.seed,
               early, late);
        return 1;
    }
#endif
    printf("OK soak: seed %llu, %llu steps, %llu connections (%llu opened, %llu clean, %llu refused, %llu timeouts), "
           "%llu messages, %llu octets, resident memory %+ld\n",
           (unsigned long long)total.seed, (unsigned long long)total.steps, (unsigned long long)total.connections,
           (unsigned long long)total.opened, (unsigned long long)total.clean, (unsigned long long)total.refused,
           (unsigned long long)total.timed_out, (unsigned long long)total.messages, (unsigned long long)total.octets,
           late - early);
    return 0;
}
