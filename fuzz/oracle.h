/* SPDX-License-Identifier: MIT */
/*
 * A second opinion on frames: a slow reader that has all octets of a stream at
 * once and goes from the RFC, not from the library. It tells which frames there
 * are, their payload, and the first octet that breaks a rule, with all the rules
 * that this octet breaks. It is used on what a connection is given and on what
 * it sends.
 */
#ifndef TENON_FUZZ_ORACLE_H
#define TENON_FUZZ_ORACLE_H

#include "common.h"
#include "reference.h"
#include "tenon/tenon.h"

/* ------------------------------------------------------------------- frames */

typedef struct oracle_frame {
    uint8_t first;
    uint8_t opcode;   /* of the message, for a data frame */
    uint8_t complete; /* all of its payload is there, and good */
    uint64_t size;    /* as its header says */
    uint64_t offset;  /* in its message */
    size_t data, good; /* payload octets, unmasked: index in the pool; those before a bad one */
} oracle_frame;

typedef struct oracle {
    /* what is legal */
    int masked;                   /* frames must be */
    unsigned rsv_first, rsv_next; /* granted bits */
    int opaque;                   /* no look at text */
    int relay;                    /* none at text of messages with RSV bits */
    int beyond_close;             /* go on reading behind a Close */
    uint64_t max_message;
    uint64_t max_fragments, max_control;
    const size_t *ticks; /* stream offsets at which the clock went on */
    size_t tick_count;

    /* what was found */
    oracle_frame *frames;
    size_t count, room;
    bytes pool;
    uint64_t rules[2]; /* bit n of them: rule n is broken; all zero: none */
    uint64_t offset;   /* by this octet */
    int inside;        /* the stream ends inside a frame */
    int unfinished;    /* or inside a message */

    /* on the way */
    uint8_t opcode; /* of the message in progress */
    int text;
    uint64_t message_size, fragments, controls;
    size_t tick_next;
    uint8_t carry[4]; /* the beginning of a character */
    size_t carry_size;
} oracle;

static inline void oracle_blame(oracle *o, uint64_t offset, int rule, int broken)
{
    if (!broken)
        return;
    o->rules[rule / 64] |= (uint64_t)1 << (rule % 64);
    o->offset = offset;
}

static inline int oracle_failed(const oracle *o)
{
    return (o->rules[0] | o->rules[1]) != 0;
}

static inline int oracle_blames(const oracle *o, int rule)
{
    return rule < 128 && (o->rules[rule / 64] >> (rule % 64) & 1) != 0;
}

/* What the clock did before the octet at the stream offset at came. */
static inline void oracle_clock(oracle *o, uint64_t at)
{
    while (o->tick_next < o->tick_count && o->ticks[o->tick_next] <= at) {
        o->tick_next++;
        o->controls = 0;
    }
}

/* The first octet of a frame, at the stream offset at. */
static inline void oracle_first(oracle *o, uint8_t first, uint64_t at)
{
    unsigned opcode = first & 15, rsv = first & 0x70;
    int control = (opcode & 8) != 0;
    oracle_clock(o, at);
    oracle_blame(o, at, TENON_RULE_RSV, (rsv & ~(control ? 0 : opcode == 0 ? o->rsv_next : o->rsv_first)) != 0);
    oracle_blame(o, at, TENON_RULE_OPCODE, (opcode >= 3 && opcode <= 7) || opcode >= 11);
    oracle_blame(o, at, TENON_RULE_CONTROL_FIN, control && opcode <= 10 && (first & 0x80) == 0);
    oracle_blame(o, at, TENON_RULE_CONTINUATION, opcode == 0 && o->opcode == 0);
    oracle_blame(o, at, TENON_RULE_UNFINISHED, (opcode == 1 || opcode == 2) && o->opcode != 0);
    oracle_blame(o, at, TENON_RULE_CONTROL_FLOOD, control && o->controls >= o->max_control);
    oracle_blame(o, at, TENON_RULE_FRAGMENTS, opcode == 0 && o->fragments >= o->max_fragments);
}

/* Whether a data frame of that length breaks the limit of its message. */
static inline int oracle_too_big(const oracle *o, uint8_t first, uint64_t length)
{
    uint64_t before = (first & 15) == 0 ? o->message_size : 0;
    return (first & 8) == 0 && (before > o->max_message || length > o->max_message - before);
}

/* The length at p[1] and behind, of n octets. Returns the octets of both, or 0 if
 * they are not all there or are wrong. */
static inline size_t oracle_length(oracle *o, const uint8_t *p, size_t n, uint64_t at, uint64_t *length)
{
    unsigned code;
    size_t i, end;
    *length = 0;
    if (n < 2)
        return 0;
    code = p[1] & 127;
    end = code == 126 ? 4 : code == 127 ? 10 : 2;
    oracle_blame(o, at + 1, o->masked ? TENON_RULE_MASK_MISSING : TENON_RULE_MASK_PRESENT, (p[1] >> 7) != o->masked);
    oracle_blame(o, at + 1, TENON_RULE_CONTROL_SIZE, (p[0] & 8) != 0 && code > 125);
    oracle_blame(o, at + 1, TENON_RULE_CLOSE_SIZE, (p[0] & 15) == 8 && code == 1);
    if (end == 2)
        *length = code;
    for (i = 2; i < end && i < n && !oracle_failed(o); i++) {
        *length = *length << 8 | p[i];
        oracle_blame(o, at + i, TENON_RULE_LENGTH_MINIMAL, end == 4 && i == 3 && *length < 126);
        oracle_blame(o, at + i, TENON_RULE_LENGTH_MINIMAL, end == 10 && i == 7 && *length == 0);
        oracle_blame(o, at + i, TENON_RULE_LENGTH_RANGE, end == 10 && i == 2 && *length > 127);
    }
    if (n < end)
        return 0;
    if (!oracle_failed(o) || (end == 2 && o->offset == at + 1))
        oracle_blame(o, at + end - 1, TENON_RULE_MESSAGE_SIZE, oracle_too_big(o, p[0], *length));
    return oracle_failed(o) ? 0 : end;
}

/* The payload of a Close as far as it is there. */
static inline void oracle_close(oracle *o, const oracle_frame *f, uint64_t at)
{
    const uint8_t *p = o->pool.data + f->data;
    size_t tail, bad;
    unsigned code;
    if (f->good < 2)
        return;
    code = (unsigned)p[0] << 8 | p[1];
    oracle_blame(o, at + 1, TENON_RULE_CLOSE_CODE,
                 code < 1000 || code == 1004 || code == 1005 || code == 1006 || (code >= 1015 && code < 3000) ||
                     code >= 5000);
    if (oracle_failed(o))
        return;
    bad = ref_utf8(p + 2, f->good - 2, &tail);
    oracle_blame(o, at + 2 + bad, TENON_RULE_CLOSE_UTF8, bad < f->good - 2);
    if (bad == f->good - 2 && f->good == f->size)
        oracle_blame(o, at + f->size - 1, TENON_RULE_CLOSE_UTF8, tail > 0);
}

/* The payload of a text frame as far as it is there; at: its offset. */
static inline void oracle_text(oracle *o, oracle_frame *f, uint64_t at)
{
    uint8_t *joined = malloc(o->carry_size + f->good + 1);
    size_t tail, bad, before = o->carry_size, n = before + f->good;
    if (joined == NULL)
        abort();
    memcpy(joined, o->carry, before);
    if (f->good > 0)
        memcpy(joined + before, o->pool.data + f->data, f->good);
    bad = ref_utf8(joined, n, &tail);
    if (bad < n) {
        oracle_blame(o, at + bad - before, TENON_RULE_UTF8, 1);
        f->good = bad - before;
    } else {
        oracle_blame(o, at + f->good - 1, TENON_RULE_UTF8_END,
                     tail > 0 && f->good == f->size && (f->first & 0x80) != 0);
        memcpy(o->carry, joined + n - tail, tail);
        o->carry_size = tail;
    }
    free(joined);
}

/* A data frame begins: the message it belongs to. */
static inline void oracle_message(oracle *o, oracle_frame *f)
{
    if ((f->first & 15) != 0) {
        o->opcode = f->first & 15;
        o->text = o->opcode == 1 && !o->opaque && !(o->relay && (f->first & 0x70) != 0);
        o->message_size = 0;
        o->fragments = 0;
        o->carry_size = 0;
    }
    f->opcode = o->opcode;
    f->offset = o->message_size;
    o->message_size += f->size;
    o->fragments++;
    if (f->size > 0)
        o->controls = 0;
}

/* Reads one frame of the n octets at p, at the stream offset at. Returns its
 * octets, or 0 where reading ends. */
static inline size_t oracle_frame_read(oracle *o, const uint8_t *p, size_t n, uint64_t at, oracle_frame *f)
{
    size_t header, i;
    memset(f, 0, sizeof *f);
    oracle_first(o, p[0], at);
    header = oracle_failed(o) ? 0 : oracle_length(o, p, n, at, &f->size);
    if (header == 0 || n - header < (o->masked ? 4u : 0u))
        return 0;
    f->first = p[0];
    f->data = o->pool.size;
    header += o->masked ? 4 : 0;
    oracle_clock(o, at + header - 1); /* a frame counts when its header is whole */
    if ((p[0] & 8) == 0)
        oracle_message(o, f);
    else
        o->controls++;
    for (i = 0; i < f->size && header + i < n; i++)
        bytes_octet(&o->pool, o->masked ? p[header + i] ^ p[header - 4 + (i & 3)] : p[header + i]);
    f->good = i;
    if ((p[0] & 15) == 8)
        oracle_close(o, f, at + header);
    else if ((p[0] & 8) == 0 && o->text)
        oracle_text(o, f, at + header);
    f->complete = f->good == f->size && !oracle_failed(o);
    return header + i;
}

/* Reads the n octets at p; the first has the stream offset base. */
static inline void oracle_read(oracle *o, const uint8_t *p, size_t n, uint64_t base)
{
    size_t i = 0;
    bytes_octet(&o->pool, 0); /* there is memory, even for frames without payload */
    while (i < n && !oracle_failed(o)) {
        oracle_frame f;
        size_t size = oracle_frame_read(o, p + i, n - i, base + i, &f);
        o->inside = size == 0 || !f.complete;
        if (size == 0)
            break;
        if (o->count == o->room) {
            o->room = o->room * 2 + 64;
            o->frames = realloc(o->frames, o->room * sizeof *o->frames);
            if (o->frames == NULL)
                abort();
        }
        o->frames[o->count++] = f;
        if (f.complete && (f.first & 0x88) == 0x80)
            o->opcode = 0;
        if ((f.first & 15) == 8 && f.complete && !o->beyond_close)
            break;
        i += size;
    }
    o->unfinished = o->opcode != 0;
}

static inline void oracle_free(oracle *o)
{
    free(o->frames);
    free(o->pool.data);
    o->frames = NULL;
    memset(&o->pool, 0, sizeof o->pool);
}

#endif
