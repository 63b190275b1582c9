/* SPDX-License-Identifier: MIT */
/*
 * Layer 2: HTTP/1.1 heads (RFC 9112, 2 to 5): a tokenizer that judges one octet
 * at a time, slices of a head that was judged good, and a bounded writer.
 */
#ifndef TENON_HTTP1_H
#define TENON_HTTP1_H

#include "base.h"

/* Longest method told from garbage; a longer one is answered 501 (RFC 9112, 3). */
#define TENON_METHOD_MAX 32

/* Resolved limits: neither 0 nor TENON_OFF has a meaning of its own here. */
typedef struct tenon_http1_limits {
    uint32_t head;    /* octets of the whole head, its empty lines included */
    uint32_t target;  /* octets of the request target */
    uint32_t headers; /* field lines; a folded line counts once */
} tenon_http1_limits;

typedef struct tenon_http1 {
    uint32_t size;  /* octets judged good so far */
    uint32_t count; /* octets of the method, the target or a fixed form, later field lines */
    uint16_t rule;  /* TENON_RULE_ once broken */
    uint8_t state;
    uint8_t role;
    uint8_t major;  /* the digit as received */
    uint8_t reserved[3];
} tenon_http1;

/* role: ours. TENON_SERVER reads requests, TENON_CLIENT responses. */
TENON_INTERNAL void tenon_http1_init(tenon_http1 *h, int role);

/*
 * Judges n further octets. TENON_WAIT: all are good, more are needed.
 * TENON_OK: the head is complete; *used of these octets belong to it, the rest is
 * not HTTP. TENON_ERR_PROTOCOL: h->rule is broken by the octet at *used; nothing
 * may be fed any more. Whatever the cuts, octet and rule are the same: the state
 * is a function of the octets alone.
 *
 * Where a rule is broken: LINE_END at an LF without CR, and at the octet behind a
 * CR that is not LF; FOLD at the white space; HTTP_VERSION at the octet behind a
 * version that is well formed but not 1.x; METHOD at the octet behind
 * TENON_METHOD_MAX; the limits at the first octet beyond, where the grammar wins
 * when both are broken by the same octet.
 *
 * A request may follow one empty line, a response may lack the SP behind its
 * status code, and fields of a response may be folded; all else is strict.
 */
TENON_INTERNAL int tenon_http1_feed(tenon_http1 *h, const tenon_http1_limits *limits, const uint8_t *data, size_t n,
                                    size_t *used);

/* Client: CR LF in front of a folded line become two SP, in place (RFC 9112, 5.2).
 * text is a head that was judged good. */
TENON_INTERNAL void tenon_http1_unfold(char *text, size_t n);

/* The start line, without its CR LF, and the fields of a whole head that was judged good.
 * A response must have been unfolded. */
TENON_INTERNAL void tenon_http1_start(const char *text, size_t n, tenon_str *line, tenon_fields *fields);

/* Slices of a whole head that was judged good. The target is as received;
 * authority and origin stay empty. A response must have been unfolded. */
TENON_INTERNAL void tenon_http1_request(const char *text, size_t n, tenon_head *head);
TENON_INTERNAL void tenon_http1_response(const char *text, size_t n, tenon_head *head);

/* 0x0101 for the HTTP/1.1 at text. */
TENON_INTERNAL uint16_t tenon_http1_version(const char *text);

/* The three digits at text. */
TENON_INTERNAL uint16_t tenon_http1_code(const char *text);

/* The status with which a server answers a head or an upgrade that breaks this rule, unless
 * the one who found it knows better. */
TENON_INTERNAL uint16_t tenon_http1_status(uint16_t rule);

/*
 * A writer that never goes beyond room: what does not fit is only counted, so
 * used > room tells that it failed and how much it needs. Begin with used 0.
 */
typedef struct tenon_text {
    char *out;
    size_t room;
    size_t used;
} tenon_text;

/* Room for n octets that the caller writes, or NULL. */
TENON_INTERNAL char *tenon_text_take(tenon_text *text, size_t n);

TENON_INTERNAL void tenon_text_put(tenon_text *text, const char *data, size_t n);
TENON_INTERNAL void tenon_text_string(tenon_text *text, const char *string);
TENON_INTERNAL void tenon_text_number(tenon_text *text, size_t number);
/* name: value CR LF */
TENON_INTERNAL void tenon_text_field(tenon_text *text, const char *name, tenon_str value);
/* Each of the fields, then the empty line that ends the head. TENON_OK, or
 * TENON_ERR_TOO_BIG if something did not fit. */
TENON_INTERNAL int tenon_text_end(tenon_text *text, const tenon_header *headers, size_t count);

#endif
