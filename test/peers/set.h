/* SPDX-License-Identifier: MIT */
/* The messages of messages.txt, for the peers in C and C++, and how far a client has come. */
#ifndef PEERS_SET_H
#define PEERS_SET_H

#include <stdio.h>
#include <string.h>

#define SET_LINES 64
#define SET_PIECES 16
#define SET_LARGEST (1u << 20)
#define SET_GOING_AWAY 1001 /* this code is the server's to send: wait for it */

/* Kinds: the first letters of their names. */
enum { SET_TEXT = 't', SET_BINARY = 'b', SET_PING = 'p' };

typedef struct set_line {
    unsigned count;
    char kind, pattern; /* first letters */
    unsigned pieces;
    size_t piece[SET_PIECES];
    size_t size;        /* all pieces */
} set_line;

typedef struct set {
    set_line lines[SET_LINES];
    unsigned line_count;
    unsigned at;                     /* the line that is exchanged now */
    unsigned back;                   /* what came back of it */
    unsigned long number;            /* of its first message */
    unsigned long messages, octets, pings; /* that came back as they were sent */
} set;

/* One line of the file: 0, or -1. */
static inline int set_parse(set_line *line, const char *text)
{
    char kind[8], pattern[8];
    unsigned long size;
    int used;
    if (sscanf(text, "%u %7s %7s%n", &line->count, kind, pattern, &used) != 3)
        return -1;
    line->kind = kind[0];
    line->pattern = pattern[0];
    for (text += used; sscanf(text, "%lu%n", &size, &used) == 1; text += used) {
        if (line->pieces == SET_PIECES || size > SET_LARGEST - line->size)
            return -1;
        line->piece[line->pieces++] = size;
        line->size += size;
    }
    return line->pieces > 0 && strspn(text, " \r\n") == strlen(text) ? 0 : -1;
}

/* Reads the file: 0, or -1 after a message. */
static inline int set_read(set *s, const char *path)
{
    char text[256];
    FILE *file = fopen(path, "r");
    int status = file == NULL ? -1 : 0;
    memset(s, 0, sizeof *s);
    while (status == 0 && fgets(text, sizeof text, file) != NULL) {
        if (text[0] == '#' || text[0] == '\n')
            continue;
        status = s->line_count == SET_LINES ? -1 : set_parse(&s->lines[s->line_count++], text);
    }
    if (file != NULL)
        fclose(file);
    if (status != 0 || s->line_count == 0) {
        fprintf(stderr, "%s cannot be read\n", path);
        return -1;
    }
    return 0;
}

/* The line to exchange now, or NULL when all is done. */
static inline const set_line *set_now(const set *s)
{
    return s->at < s->line_count ? &s->lines[s->at] : NULL;
}

static inline unsigned char set_octet(char pattern, unsigned long n, size_t i)
{
    static const unsigned char wide[9] = {0xf0, 0x9f, 0x98, 0, 0xc2, 0, 0xe2, 0x82, 0};
    if (pattern == 'l')
        return (unsigned char)(97 + (n + i) % 26);
    if (pattern == 'o')
        return (unsigned char)(n + i + i / 256 + i / 65536);
    return wide[i % 9] != 0 ? wide[i % 9] : (unsigned char)(128 + (n + i) % 64);
}

/* Message number index of the line of now, into room for its size. */
static inline void set_make(const set *s, unsigned index, void *to)
{
    const set_line *line = set_now(s);
    size_t i;
    for (i = 0; i < line->size; i++)
        ((unsigned char *)to)[i] = set_octet(line->pattern, s->number + index, i);
}

/* Leaves the line behind, answered or not. */
static inline void set_skip(set *s)
{
    s->number += set_now(s)->count;
    s->back = 0;
    s->at++;
}

/* Leaves lines behind up to the next ping, for those who see Pongs by the way. */
static inline void set_to_ping(set *s)
{
    while (set_now(s) != NULL && set_now(s)->kind != SET_PING)
        set_skip(s);
}

/* Compares what came back: -1 wrong, after a message; 0 right; 1 right, and the last
 * of the line, so that the next one is to be sent. */
static inline int set_back(set *s, char kind, const void *data, size_t size)
{
    const set_line *line = set_now(s);
    unsigned long n = s->number + s->back;
    size_t i;
    if (line == NULL || kind != line->kind || size != line->size) {
        fprintf(stderr, "number %lu: expected %c of %lu octets, actual: %c of %lu\n", n,
                line == NULL ? '-' : line->kind, line == NULL ? 0ul : (unsigned long)line->size, kind,
                (unsigned long)size);
        return -1;
    }
    for (i = 0; i < size && ((const unsigned char *)data)[i] == set_octet(line->pattern, n, i); i++)
        ;
    if (i < size) {
        fprintf(stderr, "number %lu, octet %lu: expected %02x, actual: %02x\n", n, (unsigned long)i,
                set_octet(line->pattern, n, i), ((const unsigned char *)data)[i]);
        return -1;
    }
    if (kind == SET_PING) {
        s->pings++;
    } else {
        s->messages++;
        s->octets += size;
    }
    if (++s->back < line->count)
        return 0;
    set_skip(s);
    return 1;
}

/* The last words of a client. */
static inline void set_report(const set *s)
{
    printf("echoed %lu messages, %lu octets, %lu pings\n", s->messages, s->octets, s->pings);
}

#endif
