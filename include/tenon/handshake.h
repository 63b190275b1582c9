/* SPDX-License-Identifier: MIT */
/*
 * The opening handshake on its own, for programs with their own HTTP stack:
 * header fields in, decisions and header fields out. Over HTTP/1.1 it is the
 * upgrade of RFC 6455, 4; over HTTP/2 and HTTP/3 extended CONNECT (RFC 8441, 9220).
 * When it is done, tenon_config_open makes a connection that starts open.
 * Pure functions; conventions as in tenon.h. Slices that go out point into the
 * fields that came in.
 */
#ifndef TENON_HANDSHAKE_H
#define TENON_HANDSHAKE_H

#include "tenon/tenon.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Octets of a Sec-WebSocket-Key and of a Sec-WebSocket-Accept. */
#define TENON_KEY_SIZE 24
#define TENON_ACCEPT_SIZE 28

/* The key of 16 random octets: 24 characters and NUL. Errors: NULL. */
TENON_API int tenon_key_make(const uint8_t nonce[16], char key[TENON_KEY_SIZE + 1]);

/* The accept value of a key, without white space around it: 28 characters and NUL.
 * Errors: NULL; ARG (not base64 of 16 octets). */
TENON_API int tenon_key_accept(const char *key, size_t size, char accept[TENON_ACCEPT_SIZE + 1]);

/* What a check found. */
typedef struct tenon_verdict {
    uint32_t size;     /* set by the caller */
    uint16_t status;   /* go on with this one (101, or 200 for CONNECT), or refuse with this one */
    uint16_t rule;     /* TENON_RULE_NONE, or what was broken */
    const char *at;    /* the name or value that broke it, inside the fields, or NULL (something is missing) */
    tenon_str key;     /* request: Sec-WebSocket-Key */
    tenon_str origin;  /* request: Origin, data NULL when absent */
    tenon_str subprotocol; /* response: the one chosen, data NULL without */
} tenon_verdict;

/*
 * Server, HTTP/1.1: is this request an upgrade to WebSocket? method, version
 * (0x0101 for 1.1) and target are those of the request line. status is 101, or
 * 400, 405, 417, 426, 501, 505 with the rule. A refusal with 426 carries Upgrade:
 * websocket, Connection: Upgrade and Sec-WebSocket-Version: 13; with 405 Allow: GET.
 * TENON_OK in both cases. Errors: NULL; SIZE.
 */
TENON_API int tenon_upgrade_check(tenon_str method, tenon_str target, uint16_t version, const tenon_fields *fields,
                                  tenon_verdict *verdict);

/*
 * Client, HTTP/1.1: does this answer open the connection that *request with key
 * asked for? rule is NONE, or what was broken (status is that of the answer).
 * flags: TENON_REQUIRE_SUBPROTOCOL or 0. Errors: NULL; SIZE.
 */
TENON_API int tenon_answer_check(uint16_t status, const tenon_fields *fields, const tenon_request *request,
                                 const char key[TENON_KEY_SIZE], uint32_t flags, tenon_verdict *verdict);

/*
 * The first of ours (in our order of preference, each ending with NUL, case
 * counts) that the client offered in its Sec-WebSocket-Protocol fields.
 * TENON_OK, or TENON_END and data NULL. Errors: NULL.
 */
TENON_API int tenon_subprotocol_choose(const tenon_fields *fields, const char *const *ours, size_t count,
                                       tenon_str *chosen);

/* A place in a list that may go over several lines. Begin with a zeroed one; what
 * it holds is private, and lies in the fields that are walked. */
typedef struct tenon_cursor {
    size_t position; /* of the next field */
    size_t count;    /* elements given so far */
    tenon_str rest;  /* of the line that is being walked */
} tenon_cursor;

/* Walks the subprotocols offered, over all lines. TENON_OK; TENON_END; or
 * TENON_ERR_PROTOCOL (not 1#token), and *name is what is wrong: an element, or a
 * value without any. Errors: NULL. */
TENON_API int tenon_subprotocol_next(const tenon_fields *fields, tenon_cursor *cursor, tenon_str *name);

/* One element of Sec-WebSocket-Extensions: its name, and its parameters raw (data
 * NULL without any). */
typedef struct tenon_extension {
    tenon_str name;
    tenon_str parameters;
} tenon_extension;

/* Walks the extensions, over all lines. TENON_OK; TENON_END; or TENON_ERR_PROTOCOL
 * (outside the grammar of RFC 6455, 9.1; judged for an element as a whole), and
 * the name is what is wrong, as above. Names compare in exact case. Errors: NULL. */
TENON_API int tenon_extension_next(const tenon_fields *fields, tenon_cursor *cursor, tenon_extension *extension);

/*
 * Walks the parameters of an element; begin with *position 0. TENON_OK, TENON_END,
 * or TENON_ERR_PROTOCOL, which never comes for an element that tenon_extension_next
 * gave. value: data NULL without one; of a quoted value what is between the
 * quotes, in which a backslash still stands before an escaped octet. No value has
 * a backslash of its own (it is a token), so dropping them all gives it as meant.
 * Errors: NULL.
 */
TENON_API int tenon_parameter_next(const tenon_extension *extension, size_t *position, tenon_str *name,
                                   tenon_str *value);

/* 1 if the Origin field (data NULL when absent) equals one of the count allowed
 * ones, each ending with NUL; ASCII case does not count. An absent Origin matches
 * only if allow_absent is not 0. Else 0. */
TENON_API int tenon_origin_allowed(tenon_str origin, const char *const *allowed, size_t count, int allow_absent);

/* ------------------------------------- HTTP/2 and HTTP/3: extended CONNECT */

/*
 * Client: writes the fields of the CONNECT request for *request (uri, or
 * authority and target with secure) to out, pseudo-headers first, all names in
 * lower case. Values point into *request or into scratch. *count: in, the room of
 * out; out, the fields written (9 and one for each further header are enough).
 * Errors: NULL; SIZE (out or scratch too small; scratch of three times the length of
 * all strings suffices); URI; SUBPROTOCOL; EXTENSION; HEADER.
 */
TENON_API int tenon_connect_fields(const tenon_request *request, int secure, tenon_header *out, size_t *count,
                                   char *scratch, size_t scratch_size);

/*
 * Server: is this field section an extended CONNECT for WebSocket? end_stream:
 * not 0 if the request ended with it. status is 200, or 400, 501 with the rule.
 * A 400 for the version carries sec-websocket-version: 13. Errors: NULL; SIZE.
 */
TENON_API int tenon_connect_check(const tenon_fields *fields, int end_stream, tenon_verdict *verdict);

/*
 * Server: writes the fields of the answer: :status 200, subprotocol, extensions
 * and further headers of *answer (NULL: none), checked against the request's
 * fields. *count as above. Errors: NULL; SIZE; SUBPROTOCOL; EXTENSION; HEADER (also a
 * name that is not in lower case).
 */
TENON_API int tenon_connect_answer(const tenon_fields *request, const tenon_answer *answer, tenon_header *out,
                                   size_t *count);

/* Client: does this answer open it? As tenon_answer_check; any 2xx is good, 101 is not. */
TENON_API int tenon_connect_answer_check(uint16_t status, const tenon_fields *fields, const tenon_request *request,
                                         uint32_t flags, tenon_verdict *verdict);

/* ------------------------------------------------------------------- URIs */

/* A ws: or wss: URI (RFC 6455, 3). Slices point into the string. */
typedef struct tenon_uri {
    tenon_str host;      /* to connect to: without the brackets of an IPv6 address */
    tenon_str authority; /* for Host: with brackets; the port only if it is not the default */
    tenon_str path;      /* empty means / */
    tenon_str query;     /* without the question mark; data NULL when absent or empty */
    uint16_t port;       /* 80 or 443 unless given */
    uint8_t secure;      /* 1 for wss */
    uint8_t reserved;
} tenon_uri;

/*
 * Parses n octets (0: up to NUL). http: and https: are taken as aliases.
 * *at: where it is wrong, may be NULL. Errors: NULL; URI (another scheme, a
 * fragment, userinfo, no host, a bad port, a control, space or octet over 0x7e).
 */
TENON_API int tenon_uri_parse(const char *text, size_t n, tenon_uri *uri, size_t *at);

#ifdef __cplusplus
}
#endif

#endif
