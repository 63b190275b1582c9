/* SPDX-License-Identifier: MIT */
/* The header codec: every prefix of unknown octets; any header that there is. */
#include "proof.h"
#include "frame.h"

static void encode(void)
{
    tenon_frame frame;
    uint8_t out[TENON_FRAME_HEADER_MAX];
    size_t size;
    memset(&frame, 0, sizeof frame);
    frame.payload_size = any_u64;
    frame.first = any_u8;
    frame.masked = any_u8;
    tenon_frame_encode(&frame, out, &size);
}

/* second: octet 1 of the header, one value or a set for which the length is as long. */
static void decode(size_t n, uint8_t second)
{
    tenon_frame frame;
    uint16_t rule;
    size_t at;
    uint8_t *data = unknown(n);
    if (n > 1)
        data[1] = second;
    if (any_int)
        tenon_frame_decode(data, n, &frame, &rule, &at);
    else
        tenon_frame_decode(data, n, &frame, NULL, NULL);
}

static uint8_t short_length(void)
{
    uint8_t length = any_u8;
    return length < 126 ? length : 0;
}

void main(void)
{
    size_t n;
    //@ loop unroll N + 1;
    for (n = 0; n <= N; n++) {
        CASE(decode(n, short_length()));
        CASE(decode(n, (uint8_t)(0x80 + short_length())));
        CASE(decode(n, 126));
        CASE(decode(n, 127));
        CASE(decode(n, 0x80 + 126));
        CASE(decode(n, 0x80 + 127));
    }
    CASE(encode());
    CASE(tenon_close_code_valid(any_u32));
}
