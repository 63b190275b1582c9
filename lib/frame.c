/* SPDX-License-Identifier: MIT */
#include "frame.h"

/* Octet 0 of a header. */
#define FIN 0x80
#define OPCODE_BITS 0x0f
#define CONTROL_BIT 0x08

/* Octet 1: the bits beside the mask bit. */
#define LENGTH_BITS 0x7f

#define START_SIZE 2
#define KEY_SIZE 4

#define PAYLOAD_MAX (UINT64_MAX / 2) /* 2^63 - 1: the high bit must be 0 */

static size_t length_size(uint8_t code)
{
    return code < TENON_LENGTH_16 ? 0 : code == TENON_LENGTH_16 ? 2 : 8;
}

static uint64_t get_length(const uint8_t *p, size_t size)
{
    uint64_t value = 0;
    size_t i;
    for (i = 0; i < size; i++)
        value = value << 8 | p[i];
    return value;
}

int tenon_frame_encode(const tenon_frame *frame, uint8_t out[TENON_FRAME_HEADER_MAX], size_t *size)
{
    size_t end;
    if (frame == NULL || out == NULL || size == NULL)
        return TENON_ERR_NULL;
    if (frame->payload_size > PAYLOAD_MAX)
        return TENON_ERR_ARG;
    end = tenon_header_put(out, frame->first, frame->masked, frame->payload_size);
    if (frame->masked) {
        memcpy(out + end, frame->key, KEY_SIZE);
        end += KEY_SIZE;
    }
    *size = end;
    return TENON_OK;
}

static uint16_t judge_first(uint8_t first)
{
    uint8_t opcode = first & OPCODE_BITS;
    if ((opcode & ~CONTROL_BIT) > 2) /* three of data and three of control are defined */
        return TENON_RULE_OPCODE;
    if ((opcode & CONTROL_BIT) && !(first & FIN))
        return TENON_RULE_CONTROL_FIN;
    return TENON_RULE_NONE;
}

static uint16_t judge_second(uint8_t first, uint8_t code)
{
    return (first & CONTROL_BIT) && code > TENON_CONTROL_MAX ? TENON_RULE_CONTROL_SIZE : TENON_RULE_NONE;
}

/*
 * What the n octets of extended length at p, maybe not all there, break. *at: by
 * which. A length that fits a shorter form shows at the first octet that leaves
 * no other: the last of two, or the sixth of eight, when six are zero.
 */
static uint16_t judge_length(const uint8_t *p, size_t n, uint8_t code, size_t *at)
{
    if (code == TENON_LENGTH_16 && n >= 2 && get_length(p, 2) < TENON_LENGTH_16) {
        *at = 1;
        return TENON_RULE_LENGTH_MINIMAL;
    }
    if (code == TENON_LENGTH_64 && n >= 1 && p[0] >= 0x80) {
        *at = 0;
        return TENON_RULE_LENGTH_RANGE;
    }
    if (code == TENON_LENGTH_64 && n >= 6 && get_length(p, 6) == 0) {
        *at = 5;
        return TENON_RULE_LENGTH_MINIMAL;
    }
    return TENON_RULE_NONE;
}

/* The first rule that n octets of a stream break, or none. *at: which octet. */
static uint16_t judge(const uint8_t *p, size_t n, size_t *at)
{
    uint16_t rule = TENON_RULE_NONE;
    uint8_t code;
    *at = 0;
    if (n > 0)
        rule = judge_first(p[0]);
    if (rule != TENON_RULE_NONE || n < START_SIZE)
        return rule;
    code = p[1] & LENGTH_BITS;
    *at = 1;
    rule = judge_second(p[0], code);
    if (rule != TENON_RULE_NONE)
        return rule;
    rule = judge_length(p + START_SIZE, n - START_SIZE, code, at);
    *at += START_SIZE;
    return rule;
}

/* Fills *frame from a header of size octets, all there and judged. */
static void read_header(const uint8_t *p, size_t size, tenon_frame *frame)
{
    uint8_t code = p[1] & LENGTH_BITS;
    memset(frame, 0, sizeof *frame);
    frame->first = p[0];
    frame->masked = p[1] & TENON_MASK_BIT ? 1 : 0;
    frame->payload_size = code < TENON_LENGTH_16 ? code : get_length(p + START_SIZE, length_size(code));
    if (frame->masked)
        memcpy(frame->key, p + size - KEY_SIZE, KEY_SIZE);
    frame->header_size = (uint8_t)size;
}

int tenon_frame_decode(const void *data, size_t n, tenon_frame *frame, uint16_t *rule, size_t *at)
{
    const uint8_t *p = (const uint8_t *)data;
    size_t size, where;
    uint16_t broken;
    if (frame == NULL || (data == NULL && n > 0))
        return TENON_ERR_NULL;
    broken = judge(p, n, &where);
    if (broken != TENON_RULE_NONE) {
        if (rule != NULL)
            *rule = broken;
        if (at != NULL)
            *at = where;
        return TENON_ERR_PROTOCOL;
    }
    if (n < START_SIZE)
        return TENON_WAIT;
    size = START_SIZE + length_size(p[1] & LENGTH_BITS) + (p[1] & TENON_MASK_BIT ? KEY_SIZE : 0);
    if (n < size)
        return TENON_WAIT;
    read_header(p, size, frame);
    return TENON_OK;
}

int tenon_close_code_valid(uint32_t code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}
