/* SPDX-License-Identifier: MIT */
/*
 * Layer 1: header fields as octets: characters, names, lists over several lines
 * and the extension grammar (RFC 9110, 5; RFC 6455, 9.1). tenon_header_next,
 * tenon_header_find, tenon_extension_next and tenon_parameter_next live here too.
 *
 * Every walk is linear: each octet is looked at a fixed number of times, however
 * many lines, commas or blanks the peer sends.
 */
#ifndef TENON_FIELD_H
#define TENON_FIELD_H

#include "base.h"
#include "tenon/handshake.h"

/* 1 if c may stand in a token (RFC 9110, 5.6.2), else 0. */
TENON_INTERNAL int tenon_is_tchar(uint8_t c);

/* 1 if c may stand in a field value or reason phrase: HTAB, SP, visible, obs-text. */
TENON_INTERNAL int tenon_is_text(uint8_t c);

/* How many of the n octets at the beginning may stand in a token. */
TENON_INTERNAL size_t tenon_token_size(const char *data, size_t n);

/* 1 if s is a token; an empty one is not. */
TENON_INTERNAL int tenon_is_token(tenon_str s);

/* 1 if s may be a field value; an empty one may. */
TENON_INTERNAL int tenon_is_value(tenon_str s);

/* 1 if the two are the same octets. */
TENON_INTERNAL int tenon_same(tenon_str a, tenon_str b);

/* 1 if the two are the same but for the case of ASCII letters. */
TENON_INTERNAL int tenon_alike(tenon_str a, tenon_str b);

/* 1 if s is the NUL-terminated text, but for the case of ASCII letters. */
TENON_INTERNAL int tenon_is(tenon_str s, const char *text);

/* 1 if s is one of the texts, in any case: they stand one behind the other, each
 * with its NUL, and an empty one ends them. (An array would need pointers too.) */
TENON_INTERNAL int tenon_is_one_of(tenon_str s, const char *texts);

/* A string of the public structs, where size 0 means "ends with NUL" and data
 * NULL stands for nothing. */
TENON_INTERNAL tenon_str tenon_string(const char *data, size_t size);

/* Takes what stands in front of the first end (or all) off *rest, and end too. */
TENON_INTERNAL void tenon_take(tenon_str *rest, char end, tenon_str *part);

/* Takes off the SP and HTAB around it. */
TENON_INTERNAL void tenon_trim(tenon_str *s);

/* Goes on to the next field of that name: 1 and its value, or 0 behind the last, and *value
 * is untouched. */
TENON_INTERNAL int tenon_field_seek(const tenon_fields *fields, const char *name, size_t *position, tenon_str *value);

/*
 * How often the field of that name occurs: 0, 1, or 2 for more than once. *value:
 * that of the first, or of the second, which should not be there; data NULL for 0.
 * An empty value of a received head has its place there too.
 */
TENON_INTERNAL int tenon_field_count(const tenon_fields *fields, const char *name, tenon_str *value);

/*
 * The next element of a comma list, blanks around it removed; empty elements are
 * passed over (RFC 9110, 5.6.1.2). TENON_OK; TENON_END; or TENON_ERR_PROTOCOL if
 * the field is there but no element, and *element is its value. Commas in quotes
 * divide too: no list that is read here can hold one in a good element.
 */
TENON_INTERNAL int tenon_list_next(const tenon_fields *fields, const char *name, tenon_cursor *cursor,
                                   tenon_str *element);

/* 1 if member, in any case, is an element of the list. */
TENON_INTERNAL int tenon_list_has(const tenon_fields *fields, const char *name, const char *member);

#define TENON_FIELD_EXTENSIONS "Sec-WebSocket-Extensions"

/* 1 if the element is in the grammar of RFC 6455, 9.1, and it is cut to its name; else 0. */
TENON_INTERNAL int tenon_extension_good(tenon_str *element);

/* 1 if one of the list's elements has that name, in exact case, before any parameters. list
 * ends with NUL; NULL is an empty one. */
TENON_INTERNAL int tenon_extension_named(const char *list, tenon_str name);

/*
 * 1 if no Content-Length says anything but zero. The fields of an upgrade must
 * not announce content, so no number is ever converted and none can overflow. Else
 * 0, and *at is the value.
 */
TENON_INTERNAL int tenon_no_content(const tenon_fields *fields, const char **at);

#endif
