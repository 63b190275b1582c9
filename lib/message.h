/* SPDX-License-Identifier: MIT */
/*
 * Layer 3: the message that data frames add up to (RFC 6455, 5.4): order of
 * fragments, total size, and UTF-8 across frames. Knows nothing of where octets lie.
 */
#ifndef TENON_MESSAGE_H
#define TENON_MESSAGE_H

#include "base.h"
#include "utf8.h"
#include "tenon/frame.h"

/* All zero while no message is in progress. */
typedef struct tenon_message {
    uint8_t opcode;     /* TEXT or BINARY; 0 when no message is in progress */
    uint8_t first;      /* first octet of the first frame */
    uint8_t text;       /* 1 if payload is checked to be UTF-8 */
    uint8_t told;       /* 1 once a piece was delivered */
    tenon_utf8 utf8;
    uint32_t fragments; /* frames begun */
    uint64_t size;      /* octets of all frames begun, the current one included */
    uint64_t delivered; /* octets told to the program */
} tenon_message;

/* A data frame with this first octet comes next: TENON_RULE_NONE, CONTINUATION or
 * UNFINISHED. */
static inline uint16_t tenon_message_order(const tenon_message *message, uint8_t first)
{
    if ((first & 0x0f) == TENON_CONTINUATION)
        return message->opcode == 0 ? TENON_RULE_CONTINUATION : TENON_RULE_NONE;
    return message->opcode != 0 ? TENON_RULE_UNFINISHED : TENON_RULE_NONE;
}

/* 1 if a frame of that many octets still fits under the limit. No sum wraps: what was
 * there before has all come in, and a payload is less than 2^63. */
static inline int tenon_message_fits(const tenon_message *message, uint64_t payload, uint64_t limit)
{
    return message->size + payload <= limit;
}

/* The frame begins, of a message that is all zero before its first one; check: text is to
 * be validated. */
static inline void tenon_message_begin(tenon_message *message, uint8_t first, uint64_t payload, int check)
{
    if ((first & 0x0f) != TENON_CONTINUATION) {
        message->opcode = first & 0x0f;
        message->first = first;
        message->text = check && message->opcode == TENON_TEXT;
    }
    message->size += payload;
    message->fragments += message->fragments != UINT32_MAX;
}

/*
 * Takes n payload octets from src to dst (which may be src): unmasks them if key
 * is not NULL, copies them, and checks text. Returns n, or the index of the first
 * octet that is not UTF-8. text is NULL where there is none to check.
 */
static inline size_t tenon_message_take(tenon_utf8 *text, uint8_t *dst, const uint8_t *src, size_t n,
                                        const uint8_t *key, size_t phase)
{
#if TENON_SIMPLE
    return tenon_mask_checked(key == NULL && dst == src ? NULL : dst, src, n, key, phase, text);
#else
    if (key != NULL && text != NULL)
        return tenon_mask_utf8(dst, src, n, key, phase, text);
    if (key != NULL)
        tenon_mask(dst, src, n, key, phase);
    else if (n > 0 && dst != src)
        memcpy(dst, src, n); /* NOLINT(clang-analyzer-core.NonNullParamChecker): they have a place */
    return text != NULL ? tenon_utf8_check(text, dst, n) : n;
#endif
}

/* It is over. */
static inline void tenon_message_end(tenon_message *message)
{
    memset(message, 0, sizeof *message);
}

/* What its payload is checked by, or NULL. */
static inline tenon_utf8 *tenon_message_text(tenon_message *message)
{
    return message->text ? &message->utf8 : NULL;
}

/* 1 if text is not in the middle of a code point. */
static inline int tenon_message_whole(const tenon_message *message)
{
    return message->utf8.need == 0;
}

#endif
