/* SPDX-License-Identifier: MIT */
#include "room.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Before the text of a line: "said", three numbers, a name. */
#define HEAD_MAX (5 + 3 * 21 + ROOM_NAME_MAX + 2)

/* ------------------------------------------------------------------ sessions */

static room_session **bucket(room *r, const char *token, size_t size)
{
    uint64_t hash = 14695981039346656037u ^ r->seed; /* FNV-1a, with a seed */
    size_t i;
    for (i = 0; i < size; i++)
        hash = (hash ^ (unsigned char)token[i]) * 1099511628211u;
    return &r->buckets[(hash ^ hash >> 32) % ROOM_BUCKETS];
}

static room_session *find(room *r, const char *token, size_t size)
{
    room_session *s = *bucket(r, token, size);
    while (s != NULL && (s->token_size != size || memcmp(s->token, token, size) != 0))
        s = s->chain;
    return s;
}

/* Takes it out of the list of those who left. */
static void unlist(room *r, room_session *s)
{
    *(s->older != NULL ? &s->older->newer : &r->oldest) = s->newer;
    *(s->newer != NULL ? &s->newer->older : &r->newest) = s->older;
    r->left--;
}

static void forget(room *r, room_session *s)
{
    room_session **link = bucket(r, s->token, s->token_size);
    while (*link != s)
        link = &(*link)->chain;
    *link = s->chain;
    free(s);
}

room_session *room_enter(room *r, const char *token, size_t token_size, const char *name, size_t name_size)
{
    room_session *s = find(r, token, token_size), **link;
    if (s != NULL && s->here == 0) {
        unlist(r, s);
    } else if (s == NULL) {
        s = calloc(1, sizeof *s);
        if (s == NULL)
            return NULL;
        memcpy(s->token, token, token_size);
        s->token_size = (uint8_t)token_size;
        s->id = ++r->ids;
        link = bucket(r, token, token_size);
        s->chain = *link;
        *link = s;
    }
    memcpy(s->name, name, name_size);
    s->name_size = (uint8_t)name_size;
    s->here++;
    return s;
}

void room_leave(room *r, room_session *s)
{
    if (--s->here > 0)
        return;
    s->newer = NULL;
    s->older = r->newest;
    *(r->newest != NULL ? &r->newest->newer : &r->oldest) = s;
    r->newest = s;
    if (++r->left > ROOM_SESSIONS) {
        room_session *oldest = r->oldest;
        unlist(r, oldest);
        forget(r, oldest);
    }
}

/* --------------------------------------------------------------------- lines */

void room_hold(room_line *line)
{
    line->holds++;
}

void room_release(room_line *line)
{
    if (--line->holds > 0)
        return;
    free(line->packed);
    free(line);
}

room_line *room_line_at(const room *r, uint64_t number)
{
    return number >= r->first && number < r->next ? r->lines[number % ROOM_LINES] : NULL;
}

uint64_t room_begin(const room *r, uint64_t last)
{
    uint64_t begin = r->next - r->first > ROOM_HISTORY ? r->next - ROOM_HISTORY : r->first;
    if (last >= r->next)
        return r->next;
    return last >= begin ? last + 1 : begin;
}

static void drop_first(room *r)
{
    room_line *line = r->lines[r->first % ROOM_LINES];
    r->octets -= line->size;
    r->first++;
    room_release(line);
}

/* Adds the compressed variant, if it is worth it and there is memory. */
static void pack(room *r, room_line *line)
{
    line->packed = NULL;
    if (r->block == NULL || line->size < ROOM_PACK_MIN)
        return;
    line->packed = malloc(line->size); /* one that is not smaller is no gain */
    if (line->packed != NULL &&
        tenon_prepare_deflate(&line->prepared, r->deflate, ROOM_PACK_BITS, r->block, r->block_size, line->packed,
                              line->size) != TENON_OK) {
        free(line->packed);
        line->packed = NULL;
    }
}

int room_say(room *r, room_session *s, uint64_t seq, const char *text, size_t size)
{
    room_line *line;
    int head;
    if (seq <= s->seq)
        return 0;
    line = malloc(sizeof *line + HEAD_MAX + size);
    if (line == NULL)
        return -1;
    head = sprintf(line->text, "said %" PRIu64 " %" PRIu64 " %" PRIu64 " ", r->next, s->id, seq);
    memcpy(line->text + head, s->name, s->name_size);
    head += s->name_size;
    line->text[head++] = '\n';
    memcpy(line->text + head, text, size);
    line->size = (size_t)head + size;
    line->holds = 1;
    /* The text came in as a checked message, and the name as well: it is not cut. */
    tenon_prepare(&line->prepared, sizeof line->prepared, TENON_TEXT, line->text, line->size, TENON_TRUSTED);
    pack(r, line);
    s->seq = seq;
    while (r->next > r->first && (r->next - r->first == ROOM_LINES || r->octets + line->size > ROOM_OCTETS))
        drop_first(r);
    r->lines[r->next++ % ROOM_LINES] = line;
    r->octets += line->size;
    return 1;
}

/* ---------------------------------------------------------------------- room */

void room_init(room *r, uint64_t first, uint64_t seed, const tenon_deflate *deflate)
{
    memset(r, 0, sizeof *r);
    r->deflate = deflate;
    if (deflate != NULL) {
        r->block_size = tenon_prepare_size(deflate, ROOM_PACK_BITS);
        r->block = malloc(r->block_size);
    }
    r->first = r->next = first;
    r->seed = seed;
}

void room_free(room *r)
{
    while (r->next > r->first)
        drop_first(r);
    free(r->block);
    while (r->oldest != NULL) {
        room_session *oldest = r->oldest;
        unlist(r, oldest);
        forget(r, oldest);
    }
}
