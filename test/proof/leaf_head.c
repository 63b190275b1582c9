/* SPDX-License-Identifier: MIT */
/* A head with a window of N unknown octets at each place of it: judged by the tokenizer,
 * and if it is good, taken apart. */
#include "handshake_server.h"
#include "http1.h"
#include "proof.h"

static const char request[] = "G / HTTP/1.1\r\nHost:b\r\n\r\n";
static const char response[] = "HTTP/1.1 404 a\r\nA:b\r\n c\r\n\r\n";
static char text[sizeof response];

static tenon_http1_limits limits = {64, 64, 4};

/* The text, which ends where its memory ends, with the window at at. */
static char *place(const char *from, size_t n, size_t at)
{
    char *to = text + sizeof text - n;
    size_t i;
    memcpy(to, from, n);
    for (i = at; i < at + N && i < n; i++)
        to[i] = (char)any_u8;
    return to;
}

static int is_good(const char *head, size_t n, int role)
{
    tenon_http1 h;
    size_t used;
    tenon_http1_init(&h, role);
    return tenon_http1_feed(&h, &limits, (const uint8_t *)head, n, &used) == TENON_OK && used == n;
}

static void ask(size_t at)
{
    tenon_head head;
    size_t n = sizeof request - 1;
    char *from = place(request, n, at);
    if (is_good(from, n, TENON_SERVER))
        tenon_server_head(from, n, &head);
}

static void answer(size_t at)
{
    tenon_head head;
    size_t n = sizeof response - 1;
    char *from = place(response, n, at);
    if (!is_good(from, n, TENON_CLIENT))
        return;
    tenon_http1_unfold(from, n);
    tenon_http1_response(from, n, &head);
}

void main(void)
{
    size_t at;
    //@ loop unroll 30;
    for (at = 0; at < sizeof request - 1; at++)
        CASE(ask(at));
    //@ loop unroll 30;
    for (at = 0; at < sizeof response - 1; at++)
        CASE(answer(at));
}
