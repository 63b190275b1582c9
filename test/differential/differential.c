/* SPDX-License-Identifier: MIT */
/*
 * The same streams of frames to tenon and to the peers that are compiled in: which
 * messages came through, and how it ended. Where they differ, explained.tsv has to
 * know why; a line of it that explains nothing is wrong as well (looked at with the
 * seed and the number of streams that are the default).
 *
 * usage: differential EXPLAINED [--seed S] [--streams N]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tenon/frame.h"
#include "tenon/tenon.h"
#include "verdict.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

enum { ROOM = 1 << 18, ROWS = 64, FIELD = 64 };

static struct {
    uint8_t octets[ROOM];
    size_t size;
    unsigned frames;
    int is_server;
} stream;

static struct row {
    char peer[FIELD], rule[FIELD], ours[FIELD], theirs[FIELD];
    unsigned long met;
    int is_new; /* not in the table */
} rows[ROWS];

static size_t row_count;

static const struct peer {
    const char *name;
    verdict (*judge)(const uint8_t *, size_t, int);
} peers[] = {
#ifdef WITH_WSLAY
    {"wslay", judge_wslay},
#endif
#ifdef WITH_WEBSOCKETPP
    {"websocketpp", judge_websocketpp},
#endif
    {NULL, NULL},
};

static struct {
    unsigned long streams, frames, agreed, explained, unexplained;
} total;

static uint64_t seed = 1;

static unsigned draw(unsigned below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)((seed >> 20) % below);
}

/* ------------------------------------------------------------------------ tenon */

static int random_octets(void *user, void *out, size_t n)
{
    (void)user;
    memset(out, 0x5a, n);
    return 0;
}

static void take_event(verdict *v, const tenon_event *e)
{
    if (e->type == TENON_EV_DATA)
        verdict_add(v, e->opcode, e->data, e->size);
    if (e->type == TENON_EV_PING)
        verdict_add(v, TENON_OP_PING, e->data, e->size);
    if (e->type == TENON_EV_PONG)
        verdict_add(v, TENON_OP_PONG, e->data, e->size);
}

/* *rule: the one that was broken. */
static verdict judge_tenon(int *rule)
{
    static uint8_t rx[ROOM + TENON_RX_RESERVE], tx[1024], octets[ROOM];
    verdict v = {STILL_OPEN, 0, 0, 0};
    tenon_storage storage;
    tenon_config config;
    tenon_conn *conn;
    tenon_event e;
    size_t at, n;
    tenon_config_open(&config, sizeof config, stream.is_server ? TENON_SERVER : TENON_CLIENT);
    config.random = random_octets;
    tenon_init(&storage, sizeof storage, &config, &conn);
    tenon_lend(conn, rx, sizeof rx, tx, sizeof tx);
    memcpy(octets, stream.octets, stream.size);
    for (at = 0; at < stream.size; at += n) {
        n = 1 + draw(draw(4) == 0 ? 8 : ROOM);
        n = n < stream.size - at ? n : stream.size - at;
        while (tenon_next(conn, &e) == TENON_EVENT)
            take_event(&v, &e);
        if (tenon_recv(conn, octets + at, n) != TENON_OK)
            break;
    }
    while (tenon_next(conn, &e) == TENON_EVENT)
        take_event(&v, &e);
    *rule = 0;
    if (tenon_ending(conn, &e) == TENON_EVENT) {
        *rule = e.rule;
        v.ending = e.rule != 0 ? FAILED : CLOSED_BY_PEER;
        v.code = e.rule != 0 ? e.sent_code : e.received_code;
    }
    return v;
}

/* --------------------------------------------------------------------- comparing */

/* Whether the stream ends inside a frame, as lengths go. */
static int is_inside(void)
{
    size_t at = 0;
    while (stream.size - at >= 2) {
        unsigned code = stream.octets[at + 1] & 0x7f;
        size_t i, extra = code == 126 ? 2 : code == 127 ? 8 : 0, head = 2 + extra + (stream.octets[at + 1] >> 7) * 4u;
        uint64_t n = extra == 0 ? code : 0;
        if (stream.size - at < head)
            return 1;
        for (i = 0; i < extra; i++)
            n = n << 8 | stream.octets[at + 2 + i];
        if (n > stream.size - at - head)
            return 1;
        at += head + (size_t)n;
    }
    return at < stream.size;
}

static void name_verdict(char *to, const verdict *v, const verdict *other)
{
    int n;
    if (v->ending == STILL_OPEN)
        n = snprintf(to, FIELD, is_inside() ? "waits" : "open");
    else if (v->ending == FAILED && v->code == 0)
        n = snprintf(to, FIELD, "failed");
    else
        n = snprintf(to, FIELD, "%s %u", v->ending == FAILED ? "failed" : "closed", v->code);
    if (v->messages != other->messages)
        snprintf(to + n, FIELD - (size_t)n, v->messages > other->messages ? ", more messages" : ", fewer messages");
    else if (v->hash != other->hash)
        snprintf(to + n, FIELD - (size_t)n, ", other messages");
}

/* A * at the beginning of a pattern stands for anything. */
static int matches(const char *pattern, const char *text)
{
    size_t n = strlen(text), k = strlen(pattern);
    if (pattern[0] != '*')
        return strcmp(pattern, text) == 0;
    return k - 1 <= n && strcmp(pattern + 1, text + n - (k - 1)) == 0;
}

static struct row *find_row(const char *peer, const char *rule, const char *ours, const char *theirs)
{
    size_t i;
    for (i = 0; i < row_count; i++)
        if (strcmp(rows[i].peer, peer) == 0 && matches(rows[i].rule, rule) && matches(rows[i].ours, ours) &&
            matches(rows[i].theirs, theirs))
            return &rows[i];
    return NULL;
}

/* Each kind is told once. */
static void tell_unexplained(const char *peer, const char *rule, const char *ours, const char *theirs)
{
    struct row *row = &rows[row_count];
    size_t i;
    total.unexplained++;
    if (row_count == ROWS)
        return;
    row_count++;
    row->is_new = 1;
    snprintf(row->peer, FIELD, "%s", peer);
    snprintf(row->rule, FIELD, "%s", rule);
    snprintf(row->ours, FIELD, "%s", ours);
    snprintf(row->theirs, FIELD, "%s", theirs);
    printf("FAIL differential: %s\t%s\t%s\t%s\n      as %s:", peer, rule, ours, theirs,
           stream.is_server ? "server" : "client");
    for (i = 0; i < stream.size && i < 200; i++)
        printf(" %02x", stream.octets[i]);
    printf(i < stream.size ? " ...\n" : "\n");
}

/* Gives the stream to all. */
static void compare(void)
{
    const struct peer *p;
    int rule;
    verdict ours = judge_tenon(&rule);
    total.streams++;
    total.frames += stream.frames;
    for (p = peers; p->name != NULL; p++) {
        verdict theirs = p->judge(stream.octets, stream.size, stream.is_server);
        char our_name[FIELD], their_name[FIELD];
        struct row *row;
        if (ours.ending == theirs.ending && ours.code == theirs.code && ours.messages == theirs.messages &&
            ours.hash == theirs.hash) {
            total.agreed++;
            continue;
        }
        name_verdict(our_name, &ours, &theirs);
        name_verdict(their_name, &theirs, &ours);
        row = find_row(p->name, tenon_rule_name(rule), our_name, their_name);
        if (row == NULL) {
            tell_unexplained(p->name, tenon_rule_name(rule), our_name, their_name);
            continue;
        }
        row->met++;
        total.explained += !row->is_new;
        total.unexplained += (unsigned)row->is_new;
    }
}

/* ----------------------------------------------------------------------- streams */

static void begin(int is_server)
{
    stream.size = 0;
    stream.frames = 0;
    stream.is_server = is_server;
}

static void octet(unsigned value)
{
    stream.octets[stream.size++] = (uint8_t)value;
}

/* A frame; length: octets of the extended length, or -1 for the shortest. */
static void frame_as(unsigned first, const void *payload, size_t n, int length, int masked)
{
    static const uint8_t key[4] = {0x37, 0xfa, 0x21, 0x3d};
    int i;
    if (length < 0)
        length = n < 126 ? 0 : n < 65536 ? 2 : 8;
    stream.frames++;
    octet(first);
    octet((length == 0 ? (unsigned)n : length == 2 ? 126u : 127u) | (masked ? 0x80u : 0u));
    for (i = length - 1; i >= 0; i--)
        octet((unsigned)((uint64_t)n >> (8 * i) & 0xff));
    for (i = 0; i < 4 && masked; i++)
        octet(key[i]);
    if (n > 0)
        memcpy(stream.octets + stream.size, payload, n);
    if (masked)
        tenon_mask(stream.octets + stream.size, stream.octets + stream.size, n, key, 0);
    stream.size += n;
}

static void frame(unsigned first, const void *payload, size_t n)
{
    frame_as(first, payload, n, -1, stream.is_server);
}

/* Every first octet, outside of a message and inside of one. */
static void try_first(int is_server)
{
    unsigned first, inside;
    for (inside = 0; inside < 2; inside++) {
        for (first = 0; first < 256; first++) {
            begin(is_server);
            if (inside)
                frame(0x01, "a", 1);
            frame(first, "\x03\xe8", first == 0x88 ? 2 : 0);
            compare();
            begin(is_server);
            if (inside)
                frame(0x02, "a", 1);
            frame(first, "\x03\xe9zz", 4);
            compare();
        }
    }
}

/* Every close code, with and without a reason. */
static void try_close(int is_server)
{
    unsigned code;
    for (code = 0; code < 65536; code += code < 5100 ? 1 : 97) {
        uint8_t payload[] = {(uint8_t)(code >> 8), (uint8_t)(code & 0xff), 'x'};
        begin(is_server);
        frame(0x88, payload, 2 + code % 2);
        compare();
    }
    for (code = 0; code < 2; code++) {
        begin(is_server);
        frame(0x88, "a", code);
        compare();
        begin(is_server);
        frame(0x88, "\x03\xe8\xc3", 3);
        compare();
        begin(is_server);
        frame(0x88, "\x03\xe8\xc3\xa9\xff", 3 + 2 * code);
        compare();
    }
}

/* Lengths of every form, masks of both kinds. */
static void try_lengths(int is_server)
{
    static const size_t sizes[] = {0, 1, 125, 126, 127, 65535, 65536, 70000};
    static const int lengths[] = {0, 2, 8};
    static uint8_t payload[70000];
    static const uint8_t firsts[] = {0x82, 0x81, 0x89, 0x8a};
    size_t i, k, f;
    memset(payload, 'p', sizeof payload);
    for (f = 0; f < COUNT_OF(firsts); f++) {
        for (i = 0; i < COUNT_OF(sizes); i++) {
            for (k = 0; k < COUNT_OF(lengths); k++) {
                if ((lengths[k] == 0 && sizes[i] > 125) || (lengths[k] == 2 && sizes[i] > 65535))
                    continue;
                begin(is_server);
                frame_as(firsts[f], payload, sizes[i], lengths[k], is_server);
                compare();
                begin(is_server);
                frame_as(firsts[f], payload, sizes[i], lengths[k], !is_server);
                compare();
            }
        }
    }
}

/* Headers alone, whose lengths are too much for 32 bits, for 63, or for anybody. */
static void try_huge(int is_server)
{
    static const uint8_t highs[] = {0x00, 0x01, 0x40, 0x7f, 0x80, 0xff};
    size_t i, k;
    for (i = 0; i < COUNT_OF(highs); i++) {
        begin(is_server);
        stream.frames++;
        octet(0x82);
        octet(is_server ? 0xff : 0x7f);
        octet(highs[i]);
        for (k = 1; k < 8; k++)
            octet(k == 3 || k == 7);
        for (k = 0; k < 4 && is_server; k++)
            octet(0x11);
        compare();
    }
}

/* Text with one odd sequence, in one frame and cut into two at every place. */
static void try_text(int is_server)
{
    static const char *const odd[] = {
        "\x80",         "\xbf",         "\xc0\x80",     "\xc1\xbf",         "\xc2",         "\xc2\x80",
        "\xdf\xbf",     "\xe0\x80\x80", "\xe0\x9f\xbf", "\xe0\xa0\x80",     "\xed\x9f\xbf", "\xed\xa0\x80",
        "\xed\xbf\xbf", "\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf",
        "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf8\x88\x80\x80\x80",
        "\xfe", "\xff", "\xe2\x82", "\xf0\x9f\x98", "\xe2\x28\xa1", "\xf0\x28\x8c\xbc"};
    char text[16];
    size_t i, cut;
    for (i = 0; i < COUNT_OF(odd); i++) {
        size_t n = (size_t)snprintf(text, sizeof text, "a%sb", odd[i]);
        for (cut = 0; cut <= 2 * n; cut++) {
            begin(is_server);
            if (cut < n) {
                frame(0x01, text, cut);
                frame(0x80, text + cut, n - cut);
            } else {
                frame(0x81, text, cut - n);
            }
            compare();
        }
    }
}

/* Characters, mostly. */
static size_t draw_payload(uint8_t *to, int is_text)
{
    static const char *const pieces[] = {"a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "bcd"};
    size_t n = 0, want = draw(4) == 0 ? draw(3000) : draw(20);
    while (n < want) {
        const char *piece = pieces[draw(COUNT_OF(pieces))];
        if (!is_text) {
            to[n++] = (uint8_t)draw(256);
            continue;
        }
        memcpy(to + n, piece, strlen(piece));
        n += strlen(piece);
    }
    return n;
}

static void draw_control(int may_close)
{
    uint8_t payload[128];
    size_t i, n = draw(3) == 0 ? draw(126) : draw(5);
    unsigned kind = draw(may_close ? 3 : 2);
    for (i = 0; i < n; i++)
        payload[i] = (uint8_t)draw(256);
    if (kind == 2)
        frame(0x88, "\x03\xe8 bye", n > 2 ? 6 : 2);
    else
        frame(kind == 0 ? 0x89 : 0x8a, payload, n);
}

/* A message in a few frames, with control frames in between. */
static void draw_message(void)
{
    static uint8_t payload[4000];
    unsigned opcode = 1 + draw(2), fragments = draw(4) == 0 ? 1 + draw(5) : 1, i;
    size_t n = draw_payload(payload, opcode == 1), at = 0;
    for (i = 0; i < fragments; i++) {
        size_t part = i + 1 == fragments ? n - at : draw((unsigned)(n - at) + 1);
        frame((i == 0 ? opcode : 0) | (i + 1 == fragments ? 0x80 : 0), payload + at, part);
        at += part;
        if (i + 1 < fragments && draw(3) == 0)
            draw_control(0);
    }
}

/* A stream that is legal, or has one octet of its last frames changed. */
static void draw_stream(void)
{
    unsigned messages = draw(5), change = draw(3);
    size_t last = 0;
    begin((int)draw(2));
    while (messages-- > 0) {
        last = stream.size;
        if (draw(4) == 0)
            draw_control(0);
        draw_message();
    }
    if (draw(3) == 0)
        draw_control(1);
    if (change > 0 && stream.size > last)
        stream.octets[last + draw(draw(2) ? 2 : (unsigned)(stream.size - last)) % (stream.size - last)] ^=
            (uint8_t)(1u << draw(8));
    compare();
}

/* --------------------------------------------------------------------------- all */

static int read_rows(const char *path)
{
    char line[1024];
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return -1;
    while (row_count < ROWS && fgets(line, sizeof line, file) != NULL) {
        struct row *r = &rows[row_count];
        if (line[0] != '#' && sscanf(line, "%63[^\t]\t%63[^\t]\t%63[^\t]\t%63[^\t]", r->peer, r->rule, r->ours, r->theirs) == 4)
            row_count++;
    }
    fclose(file);
    return 0;
}

static int has_peer(const char *name)
{
    const struct peer *p;
    for (p = peers; p->name != NULL; p++)
        if (strcmp(p->name, name) == 0)
            return 1;
    return 0;
}

/* Rows that explained nothing. */
static unsigned stale_rows(void)
{
    unsigned stale = 0;
    size_t i;
    for (i = 0; i < row_count; i++) {
        if (rows[i].met > 0 || rows[i].is_new || !has_peer(rows[i].peer))
            continue;
        printf("FAIL differential: explains nothing: %s, %s, %s\n", rows[i].peer, rows[i].rule, rows[i].ours);
        stale++;
    }
    return stale;
}

int main(int argc, char **argv)
{
    unsigned long i, streams = 100000;
    uint64_t first = 1;
    int a, role;
    for (a = 2; a + 1 < argc; a += 2) {
        if (strcmp(argv[a], "--seed") == 0)
            first = strtoull(argv[a + 1], NULL, 10);
        else if (strcmp(argv[a], "--streams") == 0)
            streams = strtoul(argv[a + 1], NULL, 10);
    }
    if (argc < 2 || argc % 2 != 0 || read_rows(argv[1]) != 0) {
        fputs("usage: differential EXPLAINED [--seed S] [--streams N]\n", stderr);
        return 2;
    }
    seed = first * 0x9e3779b97f4a7c15u | 1;
    for (role = 0; role < 2; role++) {
        try_first(role);
        try_close(role);
        try_lengths(role);
        try_huge(role);
        try_text(role);
    }
    for (i = 0; i < streams; i++)
        draw_stream();
    if (total.unexplained + (first == 1 && streams >= 100000 ? stale_rows() : 0) > 0) {
        printf("differential: seed %llu, %lu unexplained\n", (unsigned long long)first, total.unexplained);
        return 1;
    }
    printf("OK differential: seed %llu, %lu streams, %lu frames, %u peers: %lu agreements, %lu explained differences\n",
           (unsigned long long)first, total.streams, total.frames, (unsigned)(COUNT_OF(peers) - 1), total.agreed,
           total.explained);
    return 0;
}
