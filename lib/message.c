/* SPDX-License-Identifier: MIT */
#include "message.h"

uint16_t tenon_message_order(const tenon_message *message, uint8_t first)
{
    if ((first & 0x0f) == TENON_CONTINUATION)
        return message->opcode == 0 ? TENON_RULE_CONTINUATION : TENON_RULE_NONE;
    return message->opcode != 0 ? TENON_RULE_UNFINISHED : TENON_RULE_NONE;
}

int tenon_message_fits(const tenon_message *message, uint8_t first, uint64_t payload, uint64_t limit)
{
    uint64_t before = (first & 0x0f) == TENON_CONTINUATION ? message->size : 0;
    return before <= limit && payload <= limit - before;
}

void tenon_message_begin(tenon_message *message, uint8_t first, uint64_t payload, int check)
{
    if ((first & 0x0f) != TENON_CONTINUATION) {
        memset(message, 0, sizeof *message);
        message->opcode = first & 0x0f;
        message->first = first;
        message->text = check && message->opcode == TENON_TEXT;
    }
    message->size += payload;
    if (message->fragments < UINT32_MAX)
        message->fragments++;
}

size_t tenon_message_take(tenon_message *message, uint8_t *dst, const uint8_t *src, size_t n, const uint8_t *key,
                          size_t phase)
{
    int text = message != NULL && message->text;
    if (key != NULL && text)
        return tenon_mask_utf8(dst, src, n, key, phase, &message->utf8);
    if (key != NULL)
        tenon_mask(dst, src, n, key, phase);
    else if (n > 0 && dst != src)
        memcpy(dst, src, n);
    return text ? tenon_utf8_check(&message->utf8, dst, n) : n;
}

int tenon_message_whole(const tenon_message *message)
{
    return message->utf8.need == 0;
}
