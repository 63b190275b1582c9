/* SPDX-License-Identifier: MIT */
/*
 * Layer 4: the connection. Its parts, in files of their own:
 *
 *   conn.c    making one, buffers, the loop behind tenon_next, how it ends
 *   next.c    tenon_next, and the most frequent case of it
 *   recv.c    frames and messages in
 *   send.c    messages and control frames out
 *   timer.c   deadlines
 *   server.c, client.c   the opening handshake, reached through a vtable that the
 *             configuration function stores, so that the linker can leave it out
 */
#ifndef TENON_CONN_H
#define TENON_CONN_H

#include "base.h"
#include "frame.h"
#include "http1.h"
#include "message.h"
#include "queue.h"

/* What tenon_next does with input. */
enum {
    TENON_PHASE_HEAD = 0, /* the handshake reads a head */
    TENON_PHASE_DECIDE,   /* server: the program has the request */
    TENON_PHASE_OPENING,  /* OPEN is to be told */
    TENON_PHASE_FRAMES,
    TENON_PHASE_BODY,     /* client: after an answer that is not 101 */
    TENON_PHASE_DRAIN,    /* the conversation is over: discard until the transport ends */
    TENON_PHASE_END,      /* CLOSED is to be told */
    TENON_PHASE_DEAD      /* CLOSED was told */
};

/*
 * tenon_conn.bits. Those that are asked for together stand together: where constants are
 * eight bits that are shifted, one instruction then has them all.
 */
#define BIT_SERVER 0x00000001u        /* our role */
#define BIT_RUNNING 0x00000002u       /* inside a callback of tenon_run */
#define BIT_EVENT 0x00000004u         /* an event is current */
#define BIT_AGAIN 0x00000008u         /* the current event comes again */
#if !TENON_SMALL
#define BIT_LONE 0x00000010u          /* the current event is that of next.c */
#else
#define BIT_LONE 0u
#endif
#define BIT_IN_LENT 0x00000020u       /* its data lies in the lent octets */
#define BIT_IN_RX 0x00000040u         /* its data lies in rx, or it shows the head */
#define BIT_CONST 0x00000080u         /* lent octets must not be written */
#define BIT_EOF 0x00000100u           /* no more input after what is lent */
#define BIT_TICKED 0x00000200u        /* now is valid */
#define BIT_OPAQUE 0x00000400u        /* granted: no UTF-8 checks */
#define BIT_HEAD 0x00000800u          /* rx holds a readable head */
#define BIT_BAD_TEXT 0x00001000u      /* fail with rule at fault when the current event is done */
#define BIT_WANTS_RX 0x00002000u
#define BIT_STALL 0x00004000u         /* the stall timer runs */
#define BIT_PONG_PENDING 0x00008000u  /* a Pong waits for room */
#define BIT_REF 0x00010000u           /* a reference is being framed */
#define BIT_CLOSE_PENDING 0x00020000u /* a Close waits for room */
#define BIT_CLOSE_SENT 0x00040000u    /* a Close is in the queue, or was */
#define BIT_CLOSE_RECEIVED 0x00080000u
#define BIT_CLOSE_ASKED 0x00100000u   /* tenon_close was called */
#define BIT_FAILED 0x00200000u        /* a rule was broken, by the peer or by time */
#define BIT_CLOSE_GONE 0x00400000u    /* the transport took our Close */
#define BIT_PING_QUEUED 0x00800000u   /* an own Ping is in the queue up to mark, and no Close behind it */
#define BIT_PING_SENT 0x01000000u     /* an own Ping is out and not answered */
#define BIT_PONG_WAIT 0x02000000u     /* nothing was received since, and no Close was sent */
#define BIT_REF_FIRST 0x04000000u     /* the first frame of the reference is to come */
#define BIT_SHUT 0x08000000u          /* the program has shut the sending side */
#define BIT_WRITES_OVER 0x10000000u   /* nothing follows what is queued: SHUT_WR */
#define BIT_REQUESTED 0x20000000u     /* client: the request was queued */
#define BIT_PLAIN 0x40000000u         /* server: the request asks for no upgrade */

/* tenon_conn.inside: nothing of the payload was taken, or perhaps something */
enum { INSIDE = 1, INSIDE_BEGUN = 2 };

/* tenon_conn.deflate; the first two are TENON_DEFLATE_RESET_OUT and _IN */
#define DEFLATE_ON 0x04u             /* agreed */
#define DEFLATE_WANTS_INFLATE 0x08u  /* with BIT_WANTS_RX: what it stands for */
#define DEFLATE_WANTS_DEFLATE 0x10u  /* a send was refused for want of the block */
#define DEFLATE_REF 0x20u            /* the reference being framed is compressed */
#define DEFLATE_STAGED 0x40u         /* input was taken in that is not dealt with */

/* What stands first can be reached by the shortest instructions of small processors. */
struct tenon_conn {
    uint32_t bits;
    uint8_t phase;
    uint8_t inside;     /* 0, or from a frame's header to its last octet an INSIDE value */
    uint8_t deflate;    /* permessage-deflate: DEFLATE_ bits */
    uint8_t cause;      /* how it ends: who is to blame */

    union {
        struct {
            tenon_http1 http1;
            uint8_t digest[20]; /* client: of the key, as the server has to answer */
            union {
                uint32_t interim; /* client: 1xx answers seen */
                uint32_t key;     /* server: where in rx the key of the request is */
            } role;
            tenon_str subprotocol;
            const tenon_request *request;
        } opening;
        uint64_t body_left; /* in PHASE_BODY: octets still to come */
        struct {
            tenon_header_in header; /* of the current frame, or as much as there is of the next */
            tenon_message message;
            uint64_t left; /* payload octets of the current frame still to come */
            tenon_utf8 reason;
        } frame;
    } u;

    /* input: what is left of the lent octets */
    uint8_t *in;
    size_t in_left;
    const tenon_config *config;
    tenon_stats *stats;
    uint32_t want_room; /* the send that was refused needs so much; 0: none */
    uint32_t controls;  /* control frames since data or time went on */
    uint8_t *rx;
    uint32_t room; /* octets of rx behind the reserve, where messages are assembled */
    uint32_t held; /* octets of rx in use: of the head, or behind the reserve of a message */

    tenon_queue queue;
    uint64_t offset; /* of the lent octets in the stream */

    /* the rest of the current event */
    const uint8_t *event_data;
    size_t event_size;
    union {
        uint64_t offset; /* DATA */
        void *cookie;    /* RELEASED */
        uint32_t rtt;    /* PONG */
    } event_u;
    uint16_t event_flags;
    uint8_t event_opcode;

    /* Most payload of a message in a short frame that next.c may take, up to 125; 0 while
     * it must not: inside a message or a header, when something is to be told before, or
     * when that is not known. tenon_conn_next finds it out. */
    uint8_t lone_max;

    /* how it ends */
    uint16_t rule;
    uint16_t sent_code;
    uint16_t received_code;
    uint8_t event_type; /* of the current event */
    uint8_t reason_size; /* of the peer's reason, kept in rx */

    /* permessage-deflate: the windows that were agreed on */
    uint8_t out_bits;
    uint8_t in_bits;

    uint64_t fault; /* offset, where it ends with one */

    /* output */
    uint16_t close_code; /* of the waiting Close */
    uint8_t close_size;  /* of its reason */
    uint8_t pong_size;   /* of the waiting Pong */
    uint8_t out_opcode;  /* and RSV bits of the streamed message in progress, 0 for none */
    uint8_t ref_opcode;
    uint8_t rsv_first;
    uint8_t rsv_next;
    tenon_utf8 out_utf8;
    uint32_t ping_number;
    size_t mark;             /* octets until the own Ping, later our Close, is sent */
    const uint8_t *ref_data; /* the reference being framed */
    size_t ref_left;
    void *ref_cookie;
    const struct tenon_refs *refs; /* known only where there are references, lest others link them */

    /* time */
    uint64_t now;
    uint64_t since; /* when the handshake, the wait for any answer to a Ping, or the ending began */
    uint64_t life;  /* when something was last received */
    uint64_t due;   /* when the own Ping was last due */
    uint64_t ping;  /* when it was last sent */
    uint64_t stall; /* when the transport last took something */

    /* permessage-deflate: the lent blocks */
    struct tenon_inflater *inflater;
    struct tenon_deflater *deflater;
};

/* What a step of the machine found. */
enum { STEP_IDLE = 0, STEP_EVENT = 1, STEP_AGAIN = 2 };

/* What is done with the reference being framed. */
struct tenon_refs {
    /* Puts its next frame: 0 if it has to wait. */
    int (*step)(tenon_conn *conn);
    /* It goes no further; all: not even if it makes a single frame. */
    void (*cut)(tenon_conn *conn, int all);
};

/* A handshake of either role. */
struct tenon_handshake {
    /* The connection has just been made. */
    void (*begin)(tenon_conn *conn);
    /* Works on lent input in PHASE_HEAD or PHASE_BODY: a STEP_ value. */
    int (*step)(tenon_conn *conn);
    /* The handshake timeout: ends the attempt, with an answer if there can be one. */
    void (*timeout)(tenon_conn *conn);
    /* Fills *head from what rx holds. */
    void (*head)(const tenon_conn *conn, tenon_head *head);
};

/* permessage-deflate, reached through the config so that the linker can leave it out. */
struct tenon_transform {
    /* The value to offer into text, of TENON_DEFLATE_TEXT octets. */
    void (*offer)(const tenon_conn *conn, char *text);
    /* Agrees on the first acceptable offer; the value to answer into text, which is empty
     * and stays so where there is none. */
    void (*answer)(tenon_conn *conn, const tenon_fields *request, char *text);
    /* Takes back what was agreed on, if anything was. */
    void (*undo)(tenon_conn *conn);
    /* Judges an answer, and agrees: TENON_RULE_NONE, or the rule and *at. */
    uint16_t (*judge)(tenon_conn *conn, const tenon_fields *answer, const char **at);
    /* The client's connection is open. */
    void (*opened)(tenon_conn *conn);
    /* Whether a data send with these flags is compressed. */
    int (*chosen)(const tenon_conn *conn, size_t n, uint32_t flags);
    /* Puts a part of a message, all of it or nothing. */
    int (*put)(tenon_conn *conn, uint8_t first, const uint8_t *data, size_t n, int end);
    /* Puts the next frame of the reference: 0 if it has to wait. */
    int (*put_ref)(tenon_conn *conn);
    /* Works on a frame of a compressed message: a STEP_ value. */
    int (*step)(tenon_conn *conn, int drop);
    /* What of its blocks is wanted or free. */
    uint32_t (*wants)(const tenon_conn *conn);
    /* A prepared message overtakes the compressor, whose window is not the peer's now. */
    void (*overtaken)(tenon_conn *conn);
};

/* The limit in force: the default for 0, no limit for TENON_OFF. */
static inline uint32_t tenon_limit(uint32_t value, uint32_t standard)
{
    return value == 0 ? standard : value;
}

/* Most payload of an outgoing frame. */
static inline size_t tenon_frame_out_max(const tenon_conn *conn)
{
    return tenon_limit(conn->config->max_frame_out, 65536);
}

/* Something else is to be told before the next message. */
static inline void tenon_conn_detain(tenon_conn *conn)
{
#if TENON_SMALL
    (void)conn; /* nobody takes the straight line */
#else
    conn->lone_max = 0;
#endif
}

/* RSV bits that are not the library's own. */
static inline uint8_t tenon_conn_foreign(const tenon_conn *conn)
{
    return conn->deflate & DEFLATE_ON ? TENON_RSV2 | TENON_RSV3 : TENON_RSV1 | TENON_RSV2 | TENON_RSV3;
}

/* Whether text with these RSV bits is checked to be UTF-8. */
static inline int tenon_checks_text(const tenon_conn *conn, uint32_t rsv)
{
    return (conn->bits & BIT_OPAQUE) == 0 &&
           ((conn->config->flags & TENON_RELAY) == 0 || (rsv & tenon_conn_foreign(conn)) == 0);
}
#if TENON_SMALL
TENON_INTERNAL int tenon_conn_checks(const tenon_conn *conn, uint32_t rsv);
#else
#define tenon_conn_checks(conn, rsv) tenon_checks_text(conn, rsv)
#endif

/* Adds to a counter, if they are wanted. */
#define STAT(member) offsetof(tenon_stats, member)
static inline void tenon_stats_add(tenon_stats *stats, size_t which, size_t n)
{
    if (stats != NULL)
        *(uint64_t *)(void *)((char *)stats + which) += n;
}
#if TENON_SMALL
TENON_INTERNAL void tenon_conn_count(tenon_conn *conn, size_t which, size_t n);
TENON_INTERNAL void tenon_conn_count_one(tenon_conn *conn, size_t which);
#else
#define tenon_conn_count(conn, which, n) tenon_stats_add((conn)->stats, which, n)
#define tenon_conn_count_one(conn, which) tenon_stats_add((conn)->stats, which, 1)
#endif

/* next.c: tenon_next for who is allowed to call it, tenon_run inside its guard too. */
TENON_INTERNAL int tenon_next_here(tenon_conn *conn, tenon_event *event);

/* The same without the straight line for the most frequent case. */
TENON_INTERNAL int tenon_conn_next(tenon_conn *conn, tenon_event *event);

/* Makes an event current; returns STEP_EVENT. */
TENON_INTERNAL int tenon_conn_event(tenon_conn *conn, int type, const void *data, size_t n);

/* n lent octets are used up. */
TENON_INTERNAL void tenon_conn_consume(tenon_conn *conn, size_t n);

/* Who ended the connection, unless that is known. */
TENON_INTERNAL void tenon_conn_blame(tenon_conn *conn, int cause);

/* The connection breaks off for that reason, and TENON_LOCAL is to blame if nobody was;
 * the first reason stays. */
TENON_INTERNAL void tenon_conn_fault(tenon_conn *conn, uint16_t rule, uint64_t offset);

/* Nothing more is received: drain, and a Close with that code unless there was one, or
 * code is 0. It waits for who sends next. */
TENON_INTERNAL void tenon_conn_hang_up(tenon_conn *conn, uint16_t code);

/* fault, then hang up with the code of the rule. */
TENON_INTERNAL void tenon_conn_fail(tenon_conn *conn, uint16_t rule, uint64_t offset);

/* Nothing more is said: drain from here on. */
TENON_INTERNAL void tenon_conn_drain(tenon_conn *conn);

/* Drops all input and output: CLOSED comes next, after the RELEASED. */
TENON_INTERNAL void tenon_conn_end(tenon_conn *conn);

/* fault here, then end. */
TENON_INTERNAL void tenon_conn_break(tenon_conn *conn, uint16_t rule);

/* The handshake is done: OPEN comes next. */
TENON_INTERNAL void tenon_conn_open(tenon_conn *conn, tenon_str subprotocol);

/* Makes the head that rx holds readable, under an event without data. */
TENON_INTERNAL int tenon_conn_head_event(tenon_conn *conn, int type);

/* Appends lent octets of a head to rx; returns tenon_http1_feed's status. WAIT
 * without rx sets BIT_WANTS_RX. */
TENON_INTERNAL int tenon_conn_head(tenon_conn *conn);

/* Where the octet of the head at *at was in the stream; NULL: the last one. */
TENON_INTERNAL uint64_t tenon_conn_head_offset(const tenon_conn *conn, const char *at);

/* recv.c: works on lent input in PHASE_FRAMES: a STEP_ value. */
TENON_INTERNAL int tenon_recv_step(tenon_conn *conn);
/* What lone_max is now, where next.c looks at it. */
TENON_INTERNAL uint32_t tenon_recv_lone_max(const tenon_conn *conn);
TENON_INTERNAL size_t tenon_recv_needed(const tenon_conn *conn);
/* Its parts, which compress.c uses too. */
/* Whether messages are assembled. */
TENON_INTERNAL int tenon_recv_whole(const tenon_conn *conn);
/* The limit in force for a message. */
TENON_INTERNAL uint64_t tenon_recv_limit(const tenon_conn *conn);
/* Of the current frame: its key or NULL, where in it the next octet's key is, and how
 * many of its octets are lent. */
TENON_INTERNAL const uint8_t *tenon_recv_key(const tenon_conn *conn);
TENON_INTERNAL size_t tenon_recv_phase(const tenon_conn *conn);
TENON_INTERNAL size_t tenon_recv_lent(const tenon_conn *conn);
/* The end of the current frame's payload was taken; 1 if the message ends with it. */
TENON_INTERNAL int tenon_recv_frame_done(tenon_conn *conn);
/* The message is over. */
TENON_INTERNAL void tenon_recv_done(tenon_conn *conn);
/* Tells n octets of the message, with the flags of their place. */
TENON_INTERNAL int tenon_recv_tell(tenon_conn *conn, const uint8_t *data, size_t n, unsigned flags);

/* send.c */
/* Puts whatever waited for room: Pong, the next frame of a reference, Close. */
TENON_INTERNAL void tenon_send_waiting(tenon_conn *conn);
/* The same, with a look beforehand at whether anything waits where that is worth a call. */
static inline void tenon_send_if_waiting(tenon_conn *conn)
{
    if (TENON_GLANCE((conn->bits & (BIT_PONG_PENDING | BIT_REF | BIT_CLOSE_PENDING)) != 0))
        tenon_send_waiting(conn);
}
/* Answers a Ping with what waits next. */
TENON_INTERNAL void tenon_send_pong(tenon_conn *conn, const uint8_t *payload, size_t n);
/* An own Ping, if there is room. */
TENON_INTERNAL void tenon_send_ping(tenon_conn *conn);
/* A Close with this code (TENON_CLOSE_NONE: empty) waits, its reason already in its slot. */
TENON_INTERNAL void tenon_send_close(tenon_conn *conn, uint16_t code, size_t reason_size);
/* For compress.c: room for a frame of so much payload; the most that one frame should
 * have; and frames, for which there is room, put. */
TENON_INTERNAL int tenon_send_has_room(const tenon_conn *conn, size_t payload);
TENON_INTERNAL size_t tenon_send_frame_max(const tenon_conn *conn);
TENON_INTERNAL int tenon_send_frames(tenon_conn *conn, uint8_t first, const uint8_t *data, size_t n, unsigned fin);
/* Refuses for want of so much room, or of the block to compress with. */
TENON_INTERNAL int tenon_send_check_room(tenon_conn *conn, uint64_t need);
TENON_INTERNAL int tenon_send_check_block(tenon_conn *conn);
/* The conversation ends: a reference of several frames goes no further, or none does. */
TENON_INTERNAL void tenon_send_cut(tenon_conn *conn, int all);

/* timer.c */
/* Whether lent octets, or those taken in to be inflated, wait for memory: nothing can
 * be done about a timer then. */
TENON_INTERNAL int tenon_timer_rests(const tenon_conn *conn);
/* Whether a deadline has passed: which, or 0. */
TENON_INTERNAL int tenon_timer_due(const tenon_conn *conn);
/* Acts on the earliest deadline that has passed: 1 if it did. */
TENON_INTERNAL int tenon_timer_fire(tenon_conn *conn);
/* Whether a Ping is due and there is no tx to put it into. */
TENON_INTERNAL int tenon_timer_ping_waits(const tenon_conn *conn);
/* Output is queued, or moved, or gone: the stall timer. */
TENON_INTERNAL void tenon_timer_output(tenon_conn *conn);

#endif
