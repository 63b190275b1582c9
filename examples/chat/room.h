/* SPDX-License-Identifier: MIT */
/*
 * What a chat room remembers: the lines said last, and who said how much.
 *
 * A line is stored once, as a prepared message, however many read it: each reader
 * has only the number of the line that it needs next. Lines fall out at the old end
 * when there are too many of them; their memory goes when no connection sends from
 * it any more. Lines are numbered from the time of the start on, so that numbers
 * grow over restarts.
 *
 * A session is a member over its reconnects, known by its token. The room remembers
 * the sequence number of its last line: so a line that is sent again, because the
 * connection broke before it was acknowledged, is said once.
 */
#ifndef EXAMPLES_CHAT_ROOM_H
#define EXAMPLES_CHAT_ROOM_H

#include "tenon/deflate.h"

#define ROOM_LINES 4096                       /* most lines kept, */
#define ROOM_OCTETS ((size_t)32 << 20)        /* and octets of them */
#define ROOM_HISTORY 50                       /* most lines for who comes in */
#define ROOM_SESSIONS 8192                    /* most remembered of those who left */
#define ROOM_BUCKETS 8192

#define ROOM_TOKEN_MIN 16
#define ROOM_TOKEN_MAX 64
#define ROOM_NAME_MAX 64

/* Lines from here on have a compressed variant, made once, for readers whose window is
 * large enough. */
#define ROOM_PACK_MIN 256
#define ROOM_PACK_BITS 12

typedef struct room_line {
    tenon_prepared prepared;
    void *packed;             /* its compressed variant, or NULL */
    uint32_t holds;           /* connections that send from it, and one for the room */
    size_t size;
    char text[];
} room_line;

typedef struct room_session {
    struct room_session *chain;               /* in its bucket */
    struct room_session *older, *newer;       /* among those who left */
    uint64_t id, seq;
    uint32_t here;                            /* connections of it */
    uint8_t token_size, name_size;
    char token[ROOM_TOKEN_MAX];
    char name[ROOM_NAME_MAX];
} room_session;

typedef struct room {
    room_line *lines[ROOM_LINES];             /* by number, modulo */
    uint64_t first, next;                     /* the numbers kept: first to next - 1 */
    size_t octets;
    uint64_t ids;
    uint64_t seed;
    const tenon_deflate *deflate;             /* NULL: lines are not compressed */
    void *block;                              /* to compress them */
    size_t block_size;
    room_session *buckets[ROOM_BUCKETS];
    room_session *oldest, *newest;            /* of those who left */
    size_t left;
} room;

/* first: the number of the first line. seed: random, against made-up collisions.
 * deflate: how to compress lines, or NULL; borrowed. */
void room_init(room *r, uint64_t first, uint64_t seed, const tenon_deflate *deflate);
void room_free(room *r);

/* The session of a token, new or known, which has one more connection now. NULL
 * without memory. token and name are within the bounds above. */
room_session *room_enter(room *r, const char *token, size_t token_size, const char *name, size_t name_size);
void room_leave(room *r, room_session *session);

/* Says a line; whoever needs room_line(r, r->next) has one more then. 1, or 0 if the
 * session has said seq before, or -1 without memory. text is UTF-8. */
int room_say(room *r, room_session *session, uint64_t seq, const char *text, size_t size);

/* The number of the first line for who has seen all up to last. */
uint64_t room_begin(const room *r, uint64_t last);

/* A line by its number; NULL if it is not kept any more, or not said yet. */
room_line *room_line_at(const room *r, uint64_t number);

void room_hold(room_line *line);
void room_release(room_line *line);

#endif
