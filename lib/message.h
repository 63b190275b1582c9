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

/* 1 if a frame of that many octets still fits under the limit. */
static inline int tenon_message_fits(const tenon_message *message, uint8_t first, uint64_t payload, uint64_t limit)
{
    uint64_t before = (first & 0x0f) == TENON_CONTINUATION ? message->size : 0;
    return before <= limit && payload <= limit - before;
}

/* The frame begins; check: text is to be validated. */
static inline void tenon_message_begin(tenon_message *message, uint8_t first, uint64_t payload, int check)
{
    if ((first & 0x0f) != TENON_CONTINUATION) {
        memset(message, 0, sizeof *message);
        message->opcode = first & 0x0f;
        message->first = first;
        message->text = check && message->opcode == TENON_TEXT;
    }
    message->size += payload;
    if (message->fragments < TENON_OFF - 1)
        message->fragments++;
}

/*
 * Takes n payload octets from src to dst (which may be src): unmasks them if key
 * is not NULL, copies them, and checks text. Returns n, or the index of the first
 * octet that is not UTF-8. message may be NULL: the octets belong to none.
 */
static inline size_t tenon_message_take(tenon_message *message, uint8_t *dst, const uint8_t *src, size_t n,
                                        const uint8_t *key, size_t phase)
{
    tenon_utf8 *text = message != NULL && message->text ? &message->utf8 : NULL;
#if TENON_SIMPLE
    static const uint8_t none[4] = {0, 0, 0, 0};
    if (key != NULL || dst != src)
        return tenon_mask_checked(dst, src, n, key != NULL ? key : none, phase, text);
#else
    if (key != NULL && text != NULL)
        return tenon_mask_utf8(dst, src, n, key, phase, text);
    if (key != NULL)
        tenon_mask(dst, src, n, key, phase);
    else if (n > 0 && dst != src)
        memcpy(dst, src, n);
#endif
    return text != NULL ? tenon_utf8_check(text, dst, n) : n;
}

/* 1 if text is not in the middle of a code point. */
static inline int tenon_message_whole(const tenon_message *message)
{
    return message->utf8.need == 0;
}

#endif
