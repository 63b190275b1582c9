/* SPDX-License-Identifier: MIT */
/*
 * A crowd: about 20,000 connections to a server, from a few processes.
 *
 *   crowd    the program that leads the test: it starts the server, forks the workers
 *            before, and gives them jobs
 *   worker   a process with some thousands of connections in one epoll loop
 *   member   one of these connections
 *   lone     a connection of the leading program itself (lone.h)
 *
 * A worker goes on answering its server between the jobs. Jobs and reports are
 * messages on a socket pair; how long lines took lies in memory that all share.
 */
#ifndef CROWD_H
#define CROWD_H

#include <stdint.h>
#include <sys/types.h>

#include "common/desk.h"
#include "common/wire.h"

#define CROWD_MAX 20000
#define WORKERS 4

/* Times of lines: one for each line and member. */
#define TIMES_MAX ((size_t)1 << 21)

#define SUBPROTOCOL "chat.tenon"

/* Lines of the chat, as this test says them: "K NANOSECONDS SIZE xxx...", in which K
 * counts from 1 and SIZE is that of the whole line. */
#define LINE_MAX_SIZE 8192

typedef struct shared {
    uint32_t members;            /* how many there are in all, for the places in times */
    uint32_t times[TIMES_MAX];   /* microseconds from the saying of a line; 0: not heard */
} shared;

/* What each member of a worker is to reach. */
enum {
    JOB_OPEN = 1, /* there are so many connections (number) and all are open, or members of the chat */
    JOB_ECHO,     /* a text that no other says has come back; number: of the round */
    JOB_PINGS,    /* so many pings (number) have come since the beginning of the job */
    JOB_HEAR,     /* the line of this number was heard */
    JOB_SYNC,     /* its ping was answered: so all that the server sent before has come */
    JOB_ENDS,     /* it ended with a Close of this code (number) from the server */
    JOB_RESET     /* all vanish, at once, by RST */
};

typedef struct job {
    uint32_t kind, number;
    uint32_t ms;      /* how long it may take */
    uint32_t port;    /* OPEN: and the rest as well */
    uint32_t is_chat;
    uint32_t rx_size;
    uint32_t first;   /* the number of the worker's first member among all */
} job;

typedef struct report {
    uint32_t total, done;
    uint32_t lost;      /* connections that ended when they should not */
    uint32_t wrong;     /* messages that should not have come */
    char why[160];      /* about the first of lost or wrong */
} report;

typedef struct worker worker;

typedef struct member {
    wire wire; /* first: the callbacks of wire.h expect it there */
    worker *worker;
    tenon_conn *conn;
    desk *desk;
    uint32_t index;      /* among all members of all workers */
    uint32_t watched;
    uint32_t round;      /* the last of which the echo came back */
    uint32_t pings, pongs;
    uint32_t heard;      /* the last line, by the count of who said it */
    uint64_t line;       /* and by the count of the server */
    uint16_t code;       /* of the Close that ended it */
    uint8_t is_open, is_welcome, is_over, is_clean;
    uint8_t is_settled;  /* as to the job: reached, or it never will be */
    tenon_storage storage;
    unsigned char rx[];
} member;

struct worker {
    int poll_fd, lead_fd;
    unsigned number;      /* of the worker */
    shared *shared;
    tenon_config config;
    tenon_request request;
    char authority[32];
    desk_pool desks;
    member **members;
    uint32_t count;       /* started, whatever became of them */
    uint32_t settled;
    job job, opened;      /* the current one, and the last OPEN; kind 0: none */
    uint64_t until;       /* when the time for the job is over */
    uint32_t wrong;
    char why[sizeof ((report *)0)->why];
};

/* The life of a worker; returns when the leading program has gone. */
void worker_run(unsigned number, int lead_fd, shared *s);

/* Starts a connection: a member, or NULL, which is told by worker_blame. */
member *member_open(worker *w, uint32_t index);

/* A turn when its socket is ready. */
void member_turn(member *m);

/* Sends its text of this round; or a ping. */
void member_say(member *m, uint32_t round);
void member_ping(member *m);

/* Closes its socket, with RST if it is still there, and frees it. */
void member_free(member *m);

/* Keeps the first reason for a failure. */
void worker_blame(worker *w, uint32_t index, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Nanoseconds on the clock that all processes of this machine share. */
uint64_t now_ns(void);

#endif
