/* SPDX-License-Identifier: MIT */
/*
 * The transcript runner: what its parts share. The format of the transcripts is
 * described in transcript.c.
 *
 *   transcript.c        arguments, variants, counts
 *   transcript_read.c   the text of a file into cases
 *   transcript_log.c    the normalised log
 *   transcript_act.c    what the program behind the library does
 *   transcript_drive.c  one connection through one case in one variant
 */
#ifndef TRANSCRIPT_H
#define TRANSCRIPT_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tenon/frame.h"
#include "tenon/handshake.h"
#include "tenon/zlib.h"

/* ------------------------------------------------------------------ octets */

typedef struct octets {
    uint8_t *data;
    size_t size;
    size_t room;
} octets;

void *take_memory(size_t n);
void put_octets(octets *to, const void *data, size_t n);
void put_text(octets *to, const char *format, ...);
void clear_octets(octets *o);
void free_octets(octets *o);

/* Appends the octets as hexadecimal digits; many of them as the first ones, their
 * number and a checksum. */
void put_hex(octets *to, const uint8_t *data, size_t n);

#define SUM_BEGIN 14695981039346656037u

/* The checksum of what sum is that of, with n octets behind it. */
uint64_t checksum(uint64_t sum, const uint8_t *data, size_t n);

/* ------------------------------------------------------------------- a case */

/* A word of a line; of header="X: y" the word is header= and the value X: y. */
typedef struct token {
    char *word;
    octets value;
    int quoted;
    size_t times; /* "ab"*3 */
} token;

typedef struct words {
    token *tokens;
    size_t count;
    const char *file;
    int line;
} words;

/* do and on: a name, its arguments, and the status that is expected. */
typedef struct action {
    words words;
    size_t first; /* token of the name */
    int event;    /* on: of which event; do: 0 */
    int status;
} action;

/* What a phase of a case must have brought about. */
typedef struct expectation {
    octets log;  /* normalised lines */
    octets out;  /* frames without masks */
    octets wire; /* output as it is */
    int has_wire;
    int shut;
    int silent;
    int state;   /* or -1 */
    int has_deadline;
    uint64_t deadline;
    int wants;   /* bits, or -1 */
} expectation;

enum { STEP_INPUT, STEP_DO, STEP_TICK, STEP_EOF, STEP_CHECK };

typedef struct step {
    int kind;
    int line;
    int raw;      /* INPUT: not to be masked */
    octets input; /* INPUT: as written */
    uint64_t ms;  /* TICK */
    action act;   /* DO */
    expectation want;
} step;

typedef struct test_case {
    char *name;
    const char *file;
    int line;
    int roles; /* bits 1 << TENON_SERVER, 1 << TENON_CLIENT */
    int covers;
    tenon_config config; /* the limits and flags of it */
    size_t rx, tx;
    int grow, handshake, ticks;
    tenon_deflate deflate; /* its codec is NULL without permessage-deflate */
    unsigned random_fails; /* which call, from 1; 0: none */
    action *on;
    size_t on_count;
    step *steps;
    size_t step_count;
} test_case;

typedef struct cases {
    test_case *list;
    size_t count;
} cases;

/* Reads a file; exits with a message when it is not in the format. */
cases read_cases(const char *file);
void free_cases(cases *all);

/* The octets that tokens from..count stand for; 0 and a message if they are none. */
int data_of(const words *w, size_t from, size_t to, octets *out);
const token *find_key(const words *w, size_t from, const char *key);
int is_word(const token *t, const char *word);
int number_of(const char *text, uint64_t *out);

/* ---------------------------------------------------------------- a variant */

enum { MODE_PULL, MODE_RUN, MODE_PUMP };
enum { CUT_NONE, CUT_OCTETS, CUT_ONE, CUT_RANDOM };

typedef struct variant {
    int role;
    int mode;
    int constant; /* tenon_recv_const */
    int cuts;
    size_t cut;    /* CUT_ONE: where */
    uint64_t seed; /* CUT_RANDOM */
    uint64_t *sum; /* of the log and output of all runs of a case */
} variant;

/* ------------------------------------------------------------------- a run */

typedef struct reference {
    uint8_t *data;
    size_t size;
    int state; /* 0 free, 1 lent, 2 released */
} reference;

#define REFERENCES_MAX 16

typedef struct run {
    const test_case *test;
    variant how;
    uint64_t dice;
    int failed;
    octets trouble; /* what went wrong, for people */
    int line;       /* of the step that is being done */

    tenon_config config;
    void *memory;
    tenon_conn *conn;
    uint8_t *rx, *tx;
    size_t rx_size;
    void *blocks[2]; /* to compress, to inflate */
    tenon_stats stats;
    tenon_request request;
    const char *names[4]; /* and what it borrows, until it is decided */
    tenon_header header;
    char *borrowed[8];
    size_t borrowed_count;
    reference references[REFERENCES_MAX];
    unsigned random_calls;
    octets keys; /* that the random source gave out, four octets each */

    const octets *stream; /* the input of this role */
    size_t given, limit;  /* octets lent so far, and that may be */
    uint8_t *lent;
    size_t lent_size, lent_from;
    int eof_due, eof_told;
    int blocked; /* the transport takes nothing */
    int closed, in_callback;
    uint64_t now;
    size_t nexts;
    octets transport; /* pump: memory that recv reads to */

    tenon_event again; /* the event that is to come again */
    int again_due;

    octets out, plain; /* of this phase: as it is, and without masks */
    octets all_out;    /* of the whole run */
    size_t unread;     /* of all_out: where plain has come to */
    size_t keys_seen;
    int head_seen;
    int shut;

    octets log;     /* of this phase */
    octets pending; /* octets of the DATA or BODY that may go on */
    int pending_type, pending_opcode, pending_flags;
    uint64_t message_size, frame_given;
    const size_t *places; /* where in the stream each octet as written lies */
    size_t places_count;
} run;

/* Notes a failure; the first one counts. */
void fail(run *r, const char *format, ...);
uint64_t throw_dice(run *r, uint64_t sides);

/* transcript_log.c */
void log_event(run *r, const tenon_event *event);
void log_flush(run *r);
/* The line that an expectation stands for; 0 if it is none. */
int expected_line(const words *w, octets *out);
int status_number(const char *name);
int event_number(const char *name);
int state_number(const char *name);

/* transcript_act.c */
int act_known(const action *a);
void act(run *r, const action *a, const tenon_event *event);
void release(run *r, void *cookie);
void release_request(run *r);

/* transcript_drive.c */
int run_case(const test_case *test, const variant *how, const octets *stream, const size_t *places,
             size_t places_count, octets *all_out, octets *trouble);

#endif
