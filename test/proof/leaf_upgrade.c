/* SPDX-License-Identifier: MIT */
/* The checks of a request, of an answer and of an extended CONNECT, in which one of the
 * fields has an unknown value. */
#include "proof.h"
#include "tenon/handshake.h"

enum { COUNT = 9, CONNECT_COUNT = 7 };

static const tenon_header good[COUNT] = {
    {"Host", "a", 0, 0},
    {"Upgrade", "websocket", 0, 0},
    {"Connection", "Upgrade", 0, 0},
    {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", 0, 0},
    {"Sec-WebSocket-Version", "13", 0, 0},
    {"Sec-WebSocket-Protocol", "a", 0, 0},
    {"Sec-WebSocket-Extensions", "b", 0, 0},
    {"Sec-WebSocket-Accept", "c", 0, 0},
    {"Origin", "d", 0, 0},
};

static const tenon_header connect[CONNECT_COUNT] = {
    {":method", "CONNECT", 0, 0}, {":protocol", "websocket", 0, 0},       {":scheme", "https", 0, 0},
    {":authority", "a", 0, 0},    {":path", "/", 0, 0},
    {"sec-websocket-version", "13", 0, 0},                                {"origin", "b", 0, 0},
};

static tenon_header lines[COUNT + 1];
static tenon_verdict verdict;

static const tenon_fields *changed(const tenon_header *from, size_t count, size_t which, size_t n)
{
    static tenon_fields fields;
    memcpy(lines, from, count * sizeof *lines);
    lines[which].value = (const char *)unknown(n);
    lines[which].value_size = n;
    fields.array = lines;
    fields.count = count;
    verdict.size = (uint32_t)sizeof verdict;
    return &fields;
}

static void ask(size_t which, size_t n)
{
    tenon_str method = {"GET", 3}, target = {"/", 1};
    tenon_upgrade_check(method, target, 0x0101, changed(good, COUNT, which, n), &verdict);
}

static void ask_line(size_t n)
{
    tenon_str method = {"GET", 3}, target = {"/", 1};
    const tenon_fields *fields = changed(good, COUNT, 8, 1);
    if (any_int)
        method = unknown_str(n);
    else
        target = unknown_str(n);
    tenon_upgrade_check(method, target, any_u16, fields, &verdict);
}

static void answer(size_t which, size_t n)
{
    static const char *const names[2] = {"a", "bc"};
    tenon_request request;
    memset(&request, 0, sizeof request);
    request.size = (uint32_t)sizeof request;
    request.subprotocols = names;
    request.subprotocol_count = 2;
    request.extensions = "b; c=d";
    tenon_answer_check(101, changed(good, COUNT, which, n), &request, "dGhlIHNhbXBsZSBub25jZQ==", 0, &verdict);
}

static void ask_connect(size_t which, size_t n)
{
    tenon_connect_check(changed(connect, CONNECT_COUNT, which, n), any_int, &verdict);
}

void main(void)
{
    size_t which, n;
    //@ loop unroll N + 1;
    for (n = 1; n <= N; n++) {
        //@ loop unroll 10;
        for (which = 0; which < COUNT; which++) {
            CASE(ask(which, n));
            CASE(answer(which, n));
        }
        //@ loop unroll 10;
        for (which = 0; which < CONNECT_COUNT; which++)
            CASE(ask_connect(which, n));
        CASE(ask_line(n));
    }
}
