/* SPDX-License-Identifier: MIT */
/*
 * The parts of the relay, and what they share.
 *
 *   relay.c           options, listening, signals
 *   relay/gate.c      who may come in
 *   relay/upstream.c  the origin: connecting, its answer to the upgrade
 *   relay/heads.c     which fields of a head go on to the other side
 *   relay/body.c      the content of an answer that is not 101
 *   relay/pair.c      the two connections of a client: forwarding, and how they end
 *   relay/rate.c      allowances of messages and octets
 *   relay/report.c    the metrics
 */
#ifndef EXAMPLES_RELAY_H
#define EXAMPLES_RELAY_H

#include <sys/socket.h>

#include "live/live.h"
#include "live/metrics.h"
#include "relay/rate.h"

#define ADDRESSES_MAX 8
#define ORIGINS_MAX 64

typedef struct pair pair;
typedef struct offer offer;   /* heads.h */
typedef struct answer answer; /* upstream.c */

enum { CLIENT, ORIGIN, SIDES };

/* Why a request was refused by the relay itself. */
enum {
    REFUSED_ORIGIN,  /* a page that is not on the list, or no page */
    REFUSED_TOKEN,   /* no token, or a wrong one */
    REFUSED_REQUEST, /* no upgrade that could be understood */
    REFUSED_FAILURE, /* the origin failed */
    REFUSED_STOP,    /* the relay is shutting down */
    REFUSED_KINDS
};

/* How the origin failed. */
enum {
    FAILED_CONNECT,   /* no connection */
    FAILED_TIMEOUT,   /* no connection, or no answer, in time */
    FAILED_HANDSHAKE, /* broken off before the end of its answer */
    FAILED_ANSWER,    /* an answer that cannot be understood or passed on */
    FAILED_STATUS,    /* an answer other than 101, which was passed on */
    FAILED_LOST,      /* broken off later, without a Close */
    FAILED_KINDS
};

/* What ended a pair that was open. */
enum {
    END_NONE,
    END_CLIENT_CLOSE,
    END_ORIGIN_CLOSE,
    END_CLIENT_LOST, /* no Close; a rule broken, or a timeout */
    END_ORIGIN_LOST,
    END_IDLE,
    END_RATE,
    END_STOP,
    END_INTERNAL,
    END_KINDS
};

#define RULES (TENON_RULE_REJECTED + 1)

typedef struct counts {
    uint64_t accepted, opened;
    uint64_t refused[REFUSED_KINDS], failed[FAILED_KINDS], ended[END_KINDS];
    uint64_t paused; /* times that a client was not read from for its rate */
    uint64_t closed[SIDES][RULES];
    metrics_times round_trips[SIDES];
    tenon_stats stats[SIDES]; /* shared by all connections of a side: there is one thread */
} counts;

typedef struct address {
    struct sockaddr_storage name;
    socklen_t size;
    int family;
} address;

typedef struct relay {
    /* options */
    char authority[280];           /* of the origin, for Host */
    const char *allowed[ORIGINS_MAX];
    size_t allowed_count;
    int requires_origin, trusts_forwarded;
    const char *token_header, *token;
    rates rates;
    uint32_t idle_ms, answer_ms;
    address addresses[ADDRESSES_MAX]; /* of the origin */
    size_t address_count;
    tenon_config config[SIDES];

    struct ev_loop *loop;
    live_hub hub;
    live_listener listener;
    pair *pairs;                   /* all, in a list */
    size_t pair_count, open_count;
    pair *touched;                 /* those to look at behind the turns */
    ev_prepare after;
    int is_stopping;
    counts counts;
} relay;

/* One of the two connections of a pair. */
typedef struct side {
    live live; /* first: a live of the hub */
    pair *pair;
    uint8_t which;    /* CLIENT or ORIGIN */
    uint8_t is_alive; /* from live_start to on_gone */
    uint8_t is_told;  /* the relay has sent it a Close */
    uint8_t has_closed;
    uint16_t code;    /* of the Close that it sent */
} side;

enum {
    PHASE_REQUEST, /* the client's head is to come */
    PHASE_CONNECT, /* the client waits; a connection to the origin is being made */
    PHASE_ASKED,   /* the client waits; so does the relay, for the origin's answer */
    PHASE_ANSWER,  /* the answer is not 101; its content is coming */
    PHASE_REFUSED, /* the client has been given an answer that is not 101 */
    PHASE_OPEN
};

struct pair {
    side sides[SIDES];
    relay *relay;
    pair *next, **link;
    pair *next_touched, **link_touched;
    int phase;
    int ended; /* END_ */

    /* until the origin has answered */
    ev_io connecting;
    ev_io hangup;     /* the client's socket: it may go away meanwhile */
    ev_timer patience; /* with the origin; later, with a Close that is not answered */
    size_t address;   /* that is tried */
    offer *offer;
    answer *answer;

    /* while it is open */
    ev_timer idle;
    uint64_t active_at; /* when there last was an octet of a message */
    allowance allowance;
    ev_timer rest;      /* until the client may be read from again */
};

/* pair.c: a pair for a client's socket: 0, or -1. */
int pair_begin(void *user, int fd);

/* Behind the turns: passes on what has become of the sides of touched pairs. */
void pairs_settle(struct ev_loop *loop, ev_prepare *watcher, int events);

/* The origin has accepted, and so was the client. */
void pair_open(pair *p);

/* Ends a pair, in whatever phase it is. code, reason: of the Close to both. */
void pair_end(pair *p, int end, int code, const char *reason);

/* gate.c: whether a request may go on to the origin; if not, it was refused. */
int gate_pass(pair *p, const tenon_head *head);

/* Refuses the client's request. kind: REFUSED_. The text must be a constant. */
void gate_refuse(pair *p, uint16_t status, int kind, const char *text);

/* upstream.c: asks the origin. */
void upstream_begin(pair *p, const tenon_head *head);

/* An event of the origin's connection before it is open. */
void upstream_event(pair *p, const tenon_event *event);

/* Ends the attempt; the client is refused, if it still waits. kind: FAILED_. */
void upstream_fail(pair *p, uint16_t status, int kind, const char *text);

/* Nobody wants it any more. */
void upstream_drop(pair *p);

/* Frees what only the handshake needs. */
void upstream_free(pair *p);

/* report.c: the page, at a port of its own. */
typedef struct report {
    relay *relay;
    live_listener listener;
    tenon_config config;
    struct reader *readers;
} report;

int report_begin(report *r, relay *of, unsigned port); /* the port, or -1 */
void report_stop(report *r); /* no more readers; those that are here are dropped */

#endif
