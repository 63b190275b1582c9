/* SPDX-License-Identifier: MIT */
#include "trace.h"

#include <string.h>

/* Octets shown in hexadecimal, and of a payload as text. */
#define HEX_MAX 16
#define TEXT_MAX 40

enum { IN_HEAD, IN_HEADER, IN_PAYLOAD, LOST };

void trace_init(trace *t, int role)
{
    static const char from_client[] = "client -> server";
    static const char from_server[] = "server -> client";
    memset(t, 0, sizeof *t);
    t->received.label = role == TENON_SERVER ? from_client : from_server;
    t->sent.label = role == TENON_SERVER ? from_server : from_client;
}

void trace_print_text(FILE *out, const unsigned char *text, size_t n)
{
    size_t i;
    putc('"', out);
    for (i = 0; i < n; i++) {
        int c1 = text[i] == 0xc2 && i + 1 < n && text[i + 1] < 0xa0;
        if (text[i] == '"' || text[i] == '\\')
            fprintf(out, "\\%c", text[i]);
        else if (text[i] < 0x20 || text[i] == 0x7f)
            fprintf(out, "\\x%02x", text[i]);
        else if (c1)
            fprintf(out, "\\u00%02x", text[++i]);
        else
            putc(text[i], out);
    }
    putc('"', out);
}

/* ------------------------------------------------------------- what is shown */

static const char *opcode_name(uint8_t first)
{
    switch (first & 0x0f) {
    case TENON_CONTINUATION:
        return "continuation";
    case TENON_TEXT:
        return "text";
    case TENON_BINARY:
        return "binary";
    case TENON_OP_CLOSE:
        return "close";
    case TENON_OP_PING:
        return "ping";
    case TENON_OP_PONG:
        return "pong";
    default:
        return "reserved opcode";
    }
}

/* The start of a frame's payload as text; all of it if it is short and is text. */
static void print_payload(const trace_side *side)
{
    unsigned char text[TRACE_KEPT];
    size_t header = side->frame.header_size, n = side->kept - header, skip = 0;
    tenon_utf8 state = {0, 0, 0, 0};
    if (side->frame.masked)
        tenon_mask(text, side->octets + header, n, side->frame.key, 0);
    else
        memcpy(text, side->octets + header, n);
    if ((side->frame.first & 0x0f) == TENON_OP_CLOSE && n >= 2) {
        printf(" %d", text[0] << 8 | text[1]);
        skip = 2;
    }
    n = n > TEXT_MAX ? TEXT_MAX : n;
    n = skip + tenon_utf8_check(&state, text + skip, n - skip);
    while (state.need > 0 && n > skip && text[n - 1] >= 0x80 && text[n - 1] < 0xc0)
        n--; /* it was cut inside a code point */
    if (state.need > 0 && n > skip)
        n--;
    if (side->frame.payload_size == skip || ((side->frame.first & 0x08) == 0 && side->is_binary))
        return;
    putchar(' ');
    trace_print_text(stdout, text + skip, n - skip);
    if (n < side->frame.payload_size)
        printf("...");
}

static void print_frame(const trace_side *side)
{
    size_t i;
    printf("%s  %s", side->label, opcode_name(side->frame.first));
    print_payload(side);
    if ((side->frame.first & 0x80) == 0)
        printf(", to be continued");
    printf(" (%llu octets:", (unsigned long long)side->total);
    for (i = 0; i < side->kept && i < HEX_MAX; i++)
        printf(" %02x", side->octets[i]);
    printf("%s)\n", i < side->total ? " ..." : "");
    fflush(stdout);
}

static void print_head(const trace_side *side)
{
    size_t n = 0;
    while (n < side->kept && side->octets[n] >= 0x20 && side->octets[n] < 0x7f)
        n++;
    printf("%s  %.*s (%llu octets)\n", side->label, (int)n, (const char *)side->octets,
           (unsigned long long)side->total);
    fflush(stdout);
}

/* ------------------------------------------------------------- what is seen */

static void begin(trace_side *side, int phase)
{
    side->phase = phase;
    side->kept = 0;
    side->total = 0;
    side->line_end = 0;
}

static void keep(trace_side *side, const unsigned char *data, size_t n)
{
    size_t room = sizeof side->octets - side->kept;
    side->total += n;
    if (n > room)
        n = room;
    memcpy(side->octets + side->kept, data, n);
    side->kept += n;
}

static void head_octet(trace_side *side, unsigned char octet)
{
    keep(side, &octet, 1);
    if (octet == (side->line_end % 2 == 0 ? '\r' : '\n'))
        side->line_end++;
    else
        side->line_end = octet == '\r';
    if (side->line_end < 4)
        return;
    print_head(side);
    begin(side, IN_HEADER);
}

static void header_octet(trace_side *side, unsigned char octet)
{
    int status;
    keep(side, &octet, 1);
    status = tenon_frame_decode(side->octets, side->kept, &side->frame, NULL, NULL);
    if (status == TENON_WAIT)
        return;
    side->phase = status == TENON_OK ? IN_PAYLOAD : LOST;
    side->payload_left = side->frame.payload_size;
    if ((side->frame.first & 0x0f) == TENON_TEXT || (side->frame.first & 0x0f) == TENON_BINARY)
        side->is_binary = (side->frame.first & 0x0f) == TENON_BINARY;
    if (side->phase == LOST)
        printf("%s  octets that are no frame: %02x ...\n", side->label, side->octets[0]);
}

static void see(trace_side *side, const unsigned char *data, size_t n)
{
    while (n > 0 && side->phase != LOST) {
        size_t used = 1;
        if (side->phase == IN_HEAD) {
            head_octet(side, *data);
        } else if (side->phase == IN_HEADER) {
            header_octet(side, *data);
        } else {
            used = n < side->payload_left ? n : (size_t)side->payload_left;
            keep(side, data, used);
            side->payload_left -= used;
        }
        data += used;
        n -= used;
        if (side->phase == IN_PAYLOAD && side->payload_left == 0) {
            print_frame(side);
            begin(side, IN_HEADER);
        }
    }
}

void trace_received(trace *t, const void *data, size_t n)
{
    see(&t->received, data, n);
}

void trace_sent(trace *t, const tenon_iov *iov, size_t n)
{
    for (; n > 0; iov++) {
        size_t used = n < iov->size ? n : iov->size;
        see(&t->sent, iov->base, used);
        n -= used;
    }
}
