/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L

#include "relay/body.h"

#include <string.h>
#include <strings.h>

enum { FRAMING_NONE, FRAMING_LENGTH, FRAMING_CHUNKS, FRAMING_END };

/* What the next octet of chunks belongs to. */
enum { CHUNK_SIZE, CHUNK_EXTENSION, CHUNK_SIZE_LF, CHUNK_DATA, CHUNK_CR, CHUNK_LF, TRAILER, TRAILER_LINE, TRAILER_LF };

/* More digits than any chunk has that is not too long anyway. */
#define DIGITS_MAX 8

/* ----------------------------------------------------------------- the framing */

/* The one Content-Length: 1; 0 without one; -1 for several, or for no number. */
static int content_length(const tenon_fields *fields, uint64_t *length)
{
    tenon_header field;
    size_t position = 0, i;
    int count = 0;
    *length = 0;
    while (tenon_header_next(fields, &position, &field) == TENON_OK) {
        if (field.name_size != 14 || strncasecmp(field.name, "Content-Length", 14) != 0)
            continue;
        if (count++ > 0 || field.value_size == 0 || field.value_size > 18)
            return -1;
        for (i = 0; i < field.value_size; i++) {
            if (field.value[i] < '0' || field.value[i] > '9')
                return -1;
            *length = *length * 10 + (uint64_t)(field.value[i] - '0');
        }
    }
    return count;
}

void body_begin(body *b, unsigned char *data, int status, const tenon_fields *fields)
{
    tenon_str coding;
    int known;
    memset(b, 0, sizeof *b);
    b->data = data;
    known = content_length(fields, &b->left);
    if (status == 204 || status == 304 || status < 200) {
        b->status = BODY_WHOLE;
    } else if (tenon_header_find(fields, "Transfer-Encoding", &coding) == TENON_OK) {
        b->framing = FRAMING_CHUNKS;
        b->left = 0;
        /* Another coding was not asked for; and with a length beside it, nobody
         * knows which of the two counts (RFC 9112, 6.3). */
        if (coding.size != 7 || strncasecmp(coding.data, "chunked", 7) != 0 || known != 0)
            b->status = BODY_BAD;
    } else if (known < 0) {
        b->status = BODY_BAD;
    } else if (known > 0) {
        b->framing = FRAMING_LENGTH;
        b->status = b->left > BODY_MAX ? BODY_LONG : b->left == 0 ? BODY_WHOLE : BODY_COMING;
    } else {
        b->framing = FRAMING_END;
    }
}

/* ------------------------------------------------------------------ the chunks */

static int hex(unsigned char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The line with the size of a chunk. */
static int size_step(body *b, unsigned char c)
{
    int digit = hex(c);
    if (b->state == CHUNK_SIZE && digit >= 0 && b->digits < DIGITS_MAX) {
        b->left = b->left * 16 + (uint64_t)digit;
        b->digits++;
        return CHUNK_SIZE;
    }
    if (b->digits == 0 || (b->state == CHUNK_SIZE && digit >= 0))
        return -1;
    if (b->state == CHUNK_SIZE_LF) {
        b->digits = 0;
        return c != '\n' ? -1 : b->left > 0 ? CHUNK_DATA : TRAILER;
    }
    return c == '\r' ? CHUNK_SIZE_LF : c == '\n' ? -1 : CHUNK_EXTENSION;
}

/* The lines behind the last chunk, of which the empty one is the end. */
static int trailer_step(body *b, unsigned char c)
{
    if (b->state == TRAILER_LF) {
        b->status = c == '\n' ? BODY_WHOLE : BODY_BAD;
        return TRAILER_LF;
    }
    if (b->state == TRAILER)
        return c == '\r' ? TRAILER_LF : TRAILER_LINE;
    return c == '\n' ? TRAILER : TRAILER_LINE;
}

/* The state behind an octet that is no data, or -1. */
static int chunk_step(body *b, unsigned char c)
{
    switch (b->state) {
    case CHUNK_CR:
        return c == '\r' ? CHUNK_LF : -1;
    case CHUNK_LF:
        return c == '\n' ? CHUNK_SIZE : -1;
    case TRAILER:
    case TRAILER_LINE:
    case TRAILER_LF:
        return trailer_step(b, c);
    default:
        return size_step(b, c);
    }
}

/* -------------------------------------------------------------------- gathering */

/* Takes up to n octets of data: how many. */
static size_t keep(body *b, const unsigned char *octets, size_t n)
{
    if (b->framing != FRAMING_END && n > b->left)
        n = (size_t)b->left;
    if (n > BODY_MAX - b->size) {
        b->status = BODY_LONG;
        return n;
    }
    memcpy(b->data + b->size, octets, n);
    b->size += n;
    if (b->framing != FRAMING_END)
        b->left -= n;
    return n;
}

void body_add(body *b, const unsigned char *octets, size_t n)
{
    while (n > 0 && b->status == BODY_COMING) {
        size_t used = 1;
        if (b->framing != FRAMING_CHUNKS || b->state == CHUNK_DATA) {
            used = keep(b, octets, n);
            if (b->left == 0 && b->framing == FRAMING_LENGTH)
                b->status = BODY_WHOLE;
            if (b->left == 0 && b->framing == FRAMING_CHUNKS)
                b->state = CHUNK_CR;
        } else {
            b->state = chunk_step(b, *octets);
            if (b->state < 0)
                b->status = BODY_BAD;
        }
        octets += used;
        n -= used;
    }
}

void body_end(body *b)
{
    if (b->status == BODY_COMING)
        b->status = b->framing == FRAMING_END ? BODY_WHOLE : BODY_BAD;
}
