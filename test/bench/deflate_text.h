/* SPDX-License-Identifier: MIT */
/*
 * The text of the benchmark, made by a rule. A message is a run of records, the last
 * one cut off, with the same fields in the same order:
 *
 *   {"id":N,"at":T,"user":"NAME","act":"VERB","path":"/WORD/WORD/D","ms":D.DD,"note":"WORD ... WORD"}
 *
 * N counts up by one and T by 1 to 999 through all records. NAME, VERB and WORD are
 * drawn from lists of 24, 8 and 48; a note has three to nine words; D are random
 * digits. So names repeat, as in real logs and feeds, and values do not. (zlib makes
 * about a quarter of it.) There are TEXT_COUNT messages, more than a window holds.
 */
#ifndef TENON_BENCH_DEFLATE_TEXT_H
#define TENON_BENCH_DEFLATE_TEXT_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define TEXT_COUNT 97
#define TEXT_RECORD 512

typedef struct text_source {
    uint64_t seed;
    unsigned long id, at;
} text_source;

static inline unsigned text_draw(text_source *s, unsigned count)
{
    s->seed ^= s->seed << 13;
    s->seed ^= s->seed >> 7;
    s->seed ^= s->seed << 17;
    return (unsigned)((s->seed >> 20) % count);
}

static inline const char *text_name(text_source *s)
{
    static const char *const names[24] = {
        "amira", "bjorn", "chen", "dolores", "emeka", "fatima", "goran", "hana", "ivo", "jun", "karim", "leila",
        "mateo", "nadia", "olu", "priya", "quentin", "rosa", "soren", "tove", "umar", "vera", "wanda", "yusuf"};
    return names[text_draw(s, 24)];
}

static inline const char *text_verb(text_source *s)
{
    static const char *const verbs[8] = {"open", "close", "create", "update", "remove", "search", "upload", "share"};
    return verbs[text_draw(s, 8)];
}

static inline const char *text_word(text_source *s)
{
    static const char *const words[48] = {
        "river", "copper", "ledger", "window", "orchard", "signal", "harbor", "bridge", "lantern", "meadow",
        "archive", "gravel", "timber", "planet", "ribbon", "saddle", "thunder", "velvet", "whistle", "anchor",
        "basket", "candle", "dragon", "engine", "feather", "garden", "hammer", "island", "jacket", "kettle",
        "ladder", "magnet", "needle", "oyster", "pencil", "quarry", "rocket", "silver", "tunnel", "urchin",
        "violin", "walnut", "yellow", "zipper", "button", "carpet", "donkey", "embers"};
    return words[text_draw(s, 48)];
}

/* One record: its size. */
static inline size_t text_record(text_source *s, char to[TEXT_RECORD])
{
    unsigned words = 3 + text_draw(s, 7);
    int n;
    s->id++;
    s->at += 1 + text_draw(s, 999);
    n = snprintf(to, TEXT_RECORD, "{\"id\":%lu,\"at\":%lu,\"user\":\"%s\",\"act\":\"%s\",", s->id, s->at, text_name(s),
                 text_verb(s));
    n += snprintf(to + n, TEXT_RECORD - (size_t)n, "\"path\":\"/%s/%s/%u\",", text_word(s), text_word(s),
                  text_draw(s, 100000));
    n += snprintf(to + n, TEXT_RECORD - (size_t)n, "\"ms\":%u.%02u,\"note\":\"%s", text_draw(s, 1000),
                  text_draw(s, 100), text_word(s));
    while (--words > 0)
        n += snprintf(to + n, TEXT_RECORD - (size_t)n, " %s", text_word(s));
    n += snprintf(to + n, TEXT_RECORD - (size_t)n, "\"}\n");
    return (size_t)n;
}

/* All messages of size octets, one behind the other. */
static inline void text_fill(char *to, size_t size)
{
    text_source source = {0x9e3779b97f4a7c15u, 4100000, 1700000000};
    char record[TEXT_RECORD];
    size_t i, at, n;
    for (i = 0; i < TEXT_COUNT; i++, to += size) {
        for (at = 0; at < size; at += n) {
            n = text_record(&source, record);
            n = n < size - at ? n : size - at;
            memcpy(to + at, record, n);
        }
    }
}

#endif
