/* SPDX-License-Identifier: MIT */
#include "order.h"

/* The states in which an event may come, and the one behind it (or the same). */
static const struct {
    unsigned from;
    int to;
} step[TENON_EV_CLOSED + 1] = {
    {0, 0},
    {1u << ORDER_NEW, ORDER_REQUEST},                          /* REQUEST */
    {1u << ORDER_NEW, ORDER_RESPONSE},                         /* RESPONSE */
    {1u << ORDER_NEW | 1u << ORDER_REQUEST, ORDER_OPEN},       /* OPEN */
    {1u << ORDER_OPEN, -1},                                    /* DATA */
    {1u << ORDER_RESPONSE, -1},                                /* BODY */
    {1u << ORDER_OPEN, -1},                                    /* PING */
    {1u << ORDER_OPEN, -1},                                    /* PONG */
    {1u << ORDER_OPEN, ORDER_CLOSE},                           /* CLOSE */
    {1u << ORDER_OPEN, -1},                                    /* WRITABLE */
    {(1u << ORDER_CLOSED) - 1, -1},                            /* RELEASED */
    {(1u << ORDER_CLOSED) - 1, ORDER_CLOSED},                  /* CLOSED: once */
};

void order_begin(order *o, const tenon_config *config, int http)
{
    memset(o, 0, sizeof *o);
    o->role = (int)config->role;
    o->chunks = (config->flags & TENON_CHUNKS) != 0;
    o->drops = (config->flags & TENON_DROP_AFTER_CLOSE) != 0;
    o->http = http;
}

static void data_event(order *o, const tenon_event *e)
{
    int last_of_frame = (e->flags & TENON_FRAME_LAST) != 0;
    REQUIRE(((e->flags & TENON_FIRST) != 0) == !o->in_message);
    if (!o->in_message) {
        o->opcode = e->opcode;
        o->offset = 0;
    }
    REQUIRE(e->opcode == o->opcode && (e->opcode == TENON_TEXT || e->opcode == TENON_BINARY));
    REQUIRE(e->offset == o->offset);
    REQUIRE(e->size > 0 || (e->flags & TENON_LAST) != 0);
    REQUIRE(((e->flags & TENON_FRAME_FIRST) != 0) == !o->in_frame);
    o->offset += e->size;
    o->in_message = (e->flags & TENON_LAST) == 0;
    o->in_frame = !last_of_frame;
    REQUIRE(o->in_message || !o->in_frame);
    if (!o->chunks) {
        REQUIRE(!o->in_message);
    } else if (!o->inflated) {
        if ((e->flags & TENON_FRAME_FIRST) != 0)
            o->frame_left = e->frame_size;
        REQUIRE(e->size <= o->frame_left);
        o->frame_left -= e->size;
        REQUIRE(!last_of_frame || o->frame_left == 0); /* text that breaks off has no last piece */
    }
}

static void closed_event(const order *o, const tenon_event *e)
{
    REQUIRE(o->held == 0);
    REQUIRE(e->code == (e->received_code != 0 ? e->received_code : 1006));
    REQUIRE((e->flags & TENON_CLEAN) == 0 || (e->sent_code != 0 && e->received_code != 0));
    REQUIRE(e->received_code == 0 || e->received_code == o->received_code || e->rule == TENON_RULE_ABORT);
    REQUIRE(o->opened || e->code == 1006);
    REQUIRE(e->rule == TENON_RULE_NONE || e->cause != TENON_CAUSE_NONE);
}

void order_event(order *o, const tenon_event *e)
{
    REQUIRE(e->type >= TENON_EV_REQUEST && e->type <= TENON_EV_CLOSED);
    REQUIRE((step[e->type].from >> o->state & 1) != 0);
    REQUIRE(e->type != TENON_EV_REQUEST || (o->role == TENON_SERVER && o->http));
    REQUIRE(e->type != TENON_EV_RESPONSE || (o->role == TENON_CLIENT && o->http));
    REQUIRE(e->type != TENON_EV_OPEN || o->state == ORDER_REQUEST || o->role == TENON_CLIENT || !o->http);
    if (e->type == TENON_EV_OPEN)
        o->opened = 1;
    if (e->type == TENON_EV_DATA)
        data_event(o, e);
    if (e->type >= TENON_EV_PING && e->type <= TENON_EV_CLOSE)
        REQUIRE(e->size <= TENON_CONTROL_MAX && (!o->in_frame || !o->chunks || o->drops));
    if (e->type == TENON_EV_CLOSE)
        o->received_code = e->code;
    if (e->type == TENON_EV_RELEASED)
        REQUIRE(o->held-- > 0);
    if (e->type == TENON_EV_CLOSED)
        closed_event(o, e);
    if (step[e->type].to >= 0)
        o->state = step[e->type].to;
}
