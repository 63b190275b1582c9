/* SPDX-License-Identifier: MIT */
/*
 * Second opinions: slow readers of whole texts, written from the RFCs for whoever
 * wants to compare them with these, and sharing nothing with the library. Where the
 * library is stricter than an RFC, or more lenient, the comment says so. (For frames
 * on a stream there is oracle.h.)
 */
#ifndef TENON_FUZZ_REFERENCE_H
#define TENON_FUZZ_REFERENCE_H

#include "common.h"
#include "tenon/tenon.h"

/* ------------------------------------------------ UTF-8: RFC 3629, section 4 */

/* Index of the first octet that cannot be, or n. *tail: octets at the end that begin
 * a character without ending it. */
size_t ref_utf8(const uint8_t *p, size_t n, size_t *tail);

/* --------------------------------------- frame headers: RFC 6455, section 5.2 */

typedef struct ref_header {
    unsigned fin, rsv, opcode, masked;
    uint64_t length;
    uint8_t key[4];
    size_t size;
} ref_header;

/* Octets of the header at p; 0: they are not all there; -1: a rule is broken, by the
 * octet at *at. */
int ref_frame_header(const uint8_t *p, size_t n, ref_header *h, int *rule, size_t *at);

/* ------------------------------------------- characters: RFC 9110, section 5.6 */

int ref_is_tchar(int c);
int ref_is_token(tenon_str s);
/* SP, HTAB, VCHAR, obs-text */
int ref_is_text(int c);
int ref_is_blank(int c);
tenon_str ref_trim(tenon_str s);
/* The same octets; the same but for ASCII case. */
int ref_same(tenon_str a, const char *b);
int ref_alike(tenon_str a, const char *b);
int ref_equal(tenon_str a, tenon_str b);

/* ------------------------------------------------------- fields: RFC 9110, 5 */

#define REF_FIELDS 64
#define REF_ELEMENTS 128

typedef struct ref_fields {
    struct ref_field {
        tenon_str name, value; /* without the blanks around it */
    } field[REF_FIELDS];
    size_t count;
} ref_fields;

/* How many fields have this name; *value: of the first. */
size_t ref_field(const ref_fields *f, const char *name, tenon_str *value);

/* The elements of a comma list over all its lines, none of them empty (RFC 9110,
 * 5.6.1). A quoted comma ends an element too: nothing that is legal has one. Returns
 * how many lines there are. */
typedef struct ref_list {
    tenon_str element[REF_ELEMENTS];
    size_t count;
} ref_list;

size_t ref_list_read(const ref_fields *f, const char *name, ref_list *list);
int ref_list_has(const ref_fields *f, const char *name, const char *member);

/* One extension (RFC 6455, 9.1), blanks allowed around ";" and "=". A value in quotes
 * has at least one octet, and is a token once unescaped. */
typedef struct ref_extension {
    tenon_str name;
    struct ref_parameter {
        tenon_str name;
        tenon_str value;   /* data NULL without one; between the quotes, as it stands */
        char plain[64];    /* unescaped, and cut */
    } parameter[REF_ELEMENTS];
    size_t count;
} ref_extension;

/* 1 if the element is in the grammar. */
int ref_extension_read(tenon_str element, ref_extension *e);

/* ------------------------------------------------------- heads: RFC 9112, 2-5 */

enum { REF_HEAD_WAIT, REF_HEAD_DONE, REF_HEAD_BAD };

typedef struct ref_head {
    int outcome;
    size_t at;   /* REF_HEAD_DONE: octets of the head; REF_HEAD_BAD: of the octet to blame */
    int rule;    /* REF_HEAD_BAD */
    tenon_str method, target, reason;
    int minor, status;
    size_t lines; /* fields, also of those that found no place below */
    ref_fields fields;
} ref_head;

typedef struct ref_limits {
    size_t head, target, headers;
} ref_limits;

/* As a server reads a request, or a client a response: strict, but that a request may
 * follow one empty line, a status line may end without SP, and fields of a response
 * may be folded. Folded lines are put together in *text, which is written to. */
void ref_head_read(char *text, size_t n, int request, const ref_limits *limits, ref_head *head);

/* -------------------------------- authorities and URIs: RFC 3986, RFC 6455, 3 */

typedef struct ref_uri {
    int secure;
    tenon_str host, authority, path, query;
    unsigned port;
} ref_uri;

/* 1 if good, else 0 and *at: where the thing begins that is wrong. */
int ref_uri_read(tenon_str s, ref_uri *uri, size_t *at);
/* 1 if s may be the value of Host. */
int ref_is_host(tenon_str s);
/* 1 if s may be a target in origin-form. */
int ref_is_target(tenon_str s);

/* --------------------------------------------- the upgrade: RFC 6455, 4 */

/* Rules that a request, or an answer, breaks: a set, for more than one may be, and
 * which of them is told is the library's choice. */
typedef struct ref_rules {
    uint8_t broken[128];
    int any;
} ref_rules;

void ref_request_rules(const ref_head *head, ref_rules *rules);

/* What the client asked for. */
typedef struct ref_asked {
    const char *accept; /* the value that answers its key */
    const char *const *subprotocols;
    size_t subprotocol_count;
    const char *extensions; /* or NULL */
    int require_subprotocol;
} ref_asked;

void ref_answer_rules(const ref_head *head, const ref_asked *asked, ref_rules *rules);

/* ------------------------------------- permessage-deflate: RFC 7692, section 7 */

/* The parameters of an element named permessage-deflate; bits 0: not there, and for
 * client_bits 1: there without a value. */
typedef struct ref_terms {
    int server_reset, client_reset;
    unsigned server_bits, client_bits;
} ref_terms;

/* 1 if the element is a legal offer, or answer. */
int ref_terms_read(const ref_extension *e, int is_offer, ref_terms *t);

#endif
