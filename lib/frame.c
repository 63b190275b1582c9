/* SPDX-License-Identifier: MIT */
#include "frame.h"

#define KEY_SIZE 4

#define PAYLOAD_MAX (UINT64_MAX / 2) /* 2^63 - 1: the high bit must be 0 */

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

static void fill(tenon_frame *frame, const tenon_header_in *h)
{
    memset(frame, 0, sizeof *frame);
    frame->first = h->first;
    frame->masked = h->masked;
    frame->payload_size = h->size;
    frame->header_size = h->have;
    memcpy(frame->key, h->key, KEY_SIZE);
}

int tenon_frame_decode(const void *data, size_t n, tenon_frame *frame, uint16_t *rule, size_t *at)
{
    const uint8_t *p = (const uint8_t *)data;
    tenon_header_in h = {0, 0, 0, 0, 0, {0, 0, 0, 0}};
    size_t i;
    if (frame == NULL || (data == NULL && n > 0))
        return TENON_ERR_NULL;
    for (i = 0; i < n; i++) {
        uint16_t broken = tenon_header_take(&h, p[i]);
        if (broken != TENON_RULE_NONE) {
            if (rule != NULL)
                *rule = broken;
            if (at != NULL)
                *at = i;
            return TENON_ERR_PROTOCOL;
        }
        if (tenon_header_whole(&h)) {
            fill(frame, &h);
            return TENON_OK;
        }
    }
    return TENON_WAIT;
}

int tenon_close_code_valid(uint32_t code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}
