/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L

#include <stdlib.h>
#include <string.h>

#include "relay/relay.h"

/* How long a Close may stay without the other end's answer; then the relay gives
 * one, before the library would break off (close_ms). */
#define CLOSE_SECONDS 3.

/* What a frame costs beside its payload: so many small pieces are not free. */
#define FRAME_COST 8

static side *other(side *s)
{
    return &s->pair->sides[s->which == CLIENT ? ORIGIN : CLIENT];
}

/* ------------------------------------------------------------------ the touched */

static void touch(pair *p)
{
    relay *r = p->relay;
    if (p->link_touched != NULL)
        return;
    p->next_touched = r->touched;
    p->link_touched = &r->touched;
    if (p->next_touched != NULL)
        p->next_touched->link_touched = &p->next_touched;
    r->touched = p;
}

static void untouch(pair *p)
{
    if (p->link_touched == NULL)
        return;
    *p->link_touched = p->next_touched;
    if (p->next_touched != NULL)
        p->next_touched->link_touched = p->link_touched;
    p->link_touched = NULL;
}

static void on_turn(live *l)
{
    touch(((side *)l)->pair);
}

/* ------------------------------------------------------------------ how it ends */

static void note_end(pair *p, int end)
{
    if (p->ended != END_NONE)
        return;
    p->ended = end;
    p->relay->counts.ended[end]++;
}

/* Sends one side a Close, unless it has had one. What the other side still says has
 * nowhere to go from here on. */
static void tell(side *s, int code, const char *reason, size_t size)
{
    int status;
    if (!s->is_alive || s->is_told)
        return;
    s->is_told = 1;
    if (!live_ready(&s->live)) {
        live_abort(&s->live);
        return;
    }
    status = tenon_close(s->live.conn, code, reason, size);
    if (status == TENON_ERR_CODE) /* 1010, which servers must not send */
        tenon_close(s->live.conn, TENON_CLOSE_INTERNAL, NULL, 0);
    live_soon(&s->live);
    if (other(s)->is_alive)
        live_soon(&other(s)->live); /* an event that was kept for want of room */
}

static void tell_text(side *s, int code, const char *reason)
{
    tell(s, code, reason, strlen(reason));
}

/* The answer to its own Close, which the other side will not give. */
static void answer_close(side *s)
{
    if (s->has_closed)
        tell(s, s->code, NULL, 0);
}

static void on_unanswered(struct ev_loop *loop, ev_timer *watcher, int events)
{
    pair *p = watcher->data;
    (void)loop;
    (void)events;
    answer_close(&p->sides[CLIENT]);
    answer_close(&p->sides[ORIGIN]);
}

/* A Close goes on to the other side as it is; its answer comes back the same way. */
static void pass_close(side *s, const tenon_event *event)
{
    pair *p = s->pair;
    s->has_closed = 1;
    s->code = event->code;
    note_end(p, s->which == CLIENT ? END_CLIENT_CLOSE : END_ORIGIN_CLOSE);
    tell(other(s), event->code, (const char *)event->data, event->size);
    if (s->is_told)
        return;
    ev_timer_stop(p->relay->loop, &p->patience);
    ev_timer_init(&p->patience, on_unanswered, CLOSE_SECONDS, 0.);
    p->patience.data = p;
    ev_timer_start(p->relay->loop, &p->patience);
}

/* Until it is answered the event is kept: nothing more is read then, so an end of the
 * stream right behind the Close does not end the connection in front of the answer. */
static int on_close(side *s, const tenon_event *event)
{
    if (!s->has_closed)
        pass_close(s, event);
    return s->is_told ? TENON_CONTINUE : TENON_AGAIN;
}

/* One side has broken off, or was broken off. To the client the relay is a gateway
 * with a bad server behind it: 1014 of the registry, 502 in HTTP. To the origin it
 * is a client that goes away. */
static void on_lost(side *s, uint16_t rule)
{
    int is_origin = s->which == ORIGIN;
    int is_rule = rule < TENON_RULE_HANDSHAKE_TIMEOUT;
    side *to = other(s);
    note_end(s->pair, is_origin ? END_ORIGIN_LOST : END_CLIENT_LOST);
    answer_close(to);
    if (is_origin)
        tell_text(to, TENON_CLOSE_GATEWAY, is_rule ? "the origin broke the protocol" : "the origin is gone");
    else
        tell_text(to, TENON_CLOSE_GOING_AWAY, is_rule ? "the client broke the protocol" : "the client is gone");
}

static void settle_side(side *s)
{
    tenon_event ending;
    if (s->is_alive && tenon_ending(s->live.conn, &ending) == TENON_EVENT && ending.rule != TENON_RULE_NONE)
        on_lost(s, ending.rule);
    else if (!s->is_alive)
        on_lost(s, TENON_RULE_EOF);
}

/* A rule that the peer has broken ends a connection without an event until it is
 * closed, so each turn is followed by a look at the state. */
void pairs_settle(struct ev_loop *loop, ev_prepare *watcher, int events)
{
    relay *r = watcher->data;
    (void)loop;
    (void)events;
    while (r->touched != NULL) {
        pair *p = r->touched;
        untouch(p);
        if (p->phase == PHASE_OPEN) {
            settle_side(&p->sides[CLIENT]);
            settle_side(&p->sides[ORIGIN]);
        }
    }
}

void pair_end(pair *p, int end, int code, const char *reason)
{
    side *client = &p->sides[CLIENT], *origin = &p->sides[ORIGIN];
    if (p->phase == PHASE_OPEN) {
        note_end(p, end);
        tell_text(client, code, reason);
        tell_text(origin, code == TENON_CLOSE_POLICY ? TENON_CLOSE_GOING_AWAY : code, reason);
    } else if (p->phase == PHASE_REQUEST) {
        live_abort(&client->live);
    } else if (p->phase != PHASE_REFUSED) {
        upstream_drop(p);
        gate_refuse(p, 503, REFUSED_STOP, "the relay is shutting down\n");
    }
}

/* ------------------------------------------------------------------- forwarding */

static void on_rested(struct ev_loop *loop, ev_timer *watcher, int events)
{
    pair *p = watcher->data;
    (void)loop;
    (void)events;
    if (p->sides[CLIENT].is_alive)
        live_soon(&p->sides[CLIENT].live);
}

/* Whether the client has to wait until its rate allows more. In excess for too
 * long, it is closed. */
static int is_held_back(pair *p)
{
    relay *r = p->relay;
    int was_held = p->allowance.is_held;
    uint64_t wait = rate_wait(&p->allowance, &r->rates, wire_now(NULL));
    if (wait == 0)
        return 0;
    r->counts.paused += !was_held;
    if (rate_exceeded(&p->allowance, &r->rates)) {
        pair_end(p, END_RATE, TENON_CLOSE_POLICY, "more than the relay allows, for too long");
        return 0; /* what it still says goes nowhere */
    }
    ev_timer_stop(r->loop, &p->rest);
    ev_timer_set(&p->rest, (double)wait / 1000, 0.);
    ev_timer_start(r->loop, &p->rest);
    return 1;
}

/*
 * Sends what an event tells; a status. Each piece of a frame becomes a frame, so the
 * relay is always at a boundary where a control frame can go in between. Text has
 * been checked. Later pieces of a first frame carry its RSV bits too, but go out as
 * continuations, which have none.
 */
static int pass_on(tenon_conn *to, const tenon_event *event)
{
    uint32_t rsv = event->flags & (TENON_RSV1 | TENON_RSV2 | TENON_RSV3);
    uint32_t flags = TENON_TRUSTED | (event->flags & TENON_LAST);
    switch (event->type) {
    case TENON_EV_PING:
        return tenon_ping(to, event->data, event->size);
    case TENON_EV_PONG:
        return tenon_pong(to, event->data, event->size);
    default:
        if (event->flags & TENON_FIRST)
            flags |= rsv;
        return tenon_send_part(to, event->opcode, event->data, event->size, flags);
    }
}

/* It has gone out. */
static void account(side *s, const tenon_event *event)
{
    pair *p = s->pair;
    int is_data = event->type == TENON_EV_DATA;
    if (is_data)
        p->active_at = wire_now(NULL);
    if (s->which == CLIENT)
        rate_take(&p->allowance, &p->relay->rates, !is_data || (event->flags & TENON_FIRST) != 0,
                  event->size + FRAME_COST);
}

static int forward(side *s, const tenon_event *event)
{
    pair *p = s->pair;
    side *to = other(s);
    int status;
    if (!to->is_alive || to->is_told)
        return TENON_CONTINUE; /* it takes nothing any more */
    if (s->which == CLIENT && is_held_back(p))
        return TENON_AGAIN;
    status = live_ready(&to->live) ? pass_on(to->live.conn, event) : TENON_ERR_TOO_BIG;
    if (status == TENON_ERR_AGAIN)
        return TENON_AGAIN; /* until its WRITABLE */
    if (status == TENON_OK)
        account(s, event);
    else if (status != TENON_ERR_STATE && status != TENON_ERR_RANDOM) /* it is closing */
        pair_end(p, END_INTERNAL, TENON_CLOSE_INTERNAL, "the relay has no memory");
    live_soon(&to->live);
    return TENON_CONTINUE;
}

/* A Pong answers a Ping of the relay's own, or one of the other end's. */
static int on_pong(side *s, const tenon_event *event)
{
    if ((event->flags & TENON_OWN) == 0)
        return forward(s, event);
    metrics_time(&s->pair->relay->counts.round_trips[s->which], event->rtt_ms);
    return TENON_CONTINUE;
}

/* ----------------------------------------------------------------------- events */

static void on_request(pair *p)
{
    tenon_head head;
    tenon_head_get(p->sides[CLIENT].live.conn, &head);
    if (gate_pass(p, &head))
        upstream_begin(p, &head);
}

static void on_closed(side *s, const tenon_event *event)
{
    pair *p = s->pair;
    counts *c = &p->relay->counts;
    c->closed[s->which][event->rule]++;
    if (p->phase == PHASE_OPEN && event->rule != TENON_RULE_NONE)
        note_end(p, s->which == CLIENT ? END_CLIENT_LOST : END_ORIGIN_LOST);
    if (s->which == CLIENT && p->phase != PHASE_OPEN)
        upstream_drop(p); /* before its socket is closed, which is looked at there */
    if (s->which == CLIENT && p->phase == PHASE_REQUEST && event->rule >= TENON_RULE_START_LINE &&
        event->rule < TENON_RULE_HANDSHAKE_TIMEOUT)
        c->refused[REFUSED_REQUEST]++;
    if (s->which == ORIGIN && p->phase == PHASE_OPEN && event->rule != TENON_RULE_NONE &&
        event->cause == TENON_REMOTE)
        c->failed[FAILED_LOST]++;
}

static int on_event(tenon_conn *conn, const tenon_event *event, void *user)
{
    side *s = user;
    (void)conn;
    if (s->which == ORIGIN && s->pair->phase != PHASE_OPEN)
        upstream_event(s->pair, event);
    switch (event->type) {
    case TENON_EV_REQUEST:
        on_request(s->pair);
        break;
    case TENON_EV_DATA:
    case TENON_EV_PING:
        return forward(s, event);
    case TENON_EV_PONG:
        return on_pong(s, event);
    case TENON_EV_CLOSE:
        return on_close(s, event);
    case TENON_EV_WRITABLE:
        if (other(s)->is_alive)
            live_soon(&other(s)->live);
        break;
    case TENON_EV_CLOSED:
        on_closed(s, event);
        break;
    default:
        break;
    }
    return TENON_CONTINUE;
}

/* --------------------------------------------------------------------- its life */

static void free_pair(pair *p)
{
    relay *r = p->relay;
    untouch(p);
    ev_timer_stop(r->loop, &p->idle);
    ev_timer_stop(r->loop, &p->rest);
    ev_timer_stop(r->loop, &p->patience);
    upstream_free(p);
    *p->link = p->next;
    if (p->next != NULL)
        p->next->link = p->link;
    r->pair_count--;
    r->open_count -= p->phase == PHASE_OPEN;
    free(p);
}

static void on_gone(live *l)
{
    side *s = (side *)l;
    pair *p = s->pair;
    relay *r = p->relay;
    s->is_alive = 0;
    if (s->which == CLIENT && p->phase != PHASE_OPEN)
        p->phase = PHASE_REFUSED; /* nobody waits for the origin any more */
    if (p->sides[CLIENT].is_alive || p->sides[ORIGIN].is_alive)
        touch(p);
    else
        free_pair(p);
    if (r->is_stopping && r->hub.count == 0)
        ev_break(r->loop, EVBREAK_ALL);
}

static void on_idle(struct ev_loop *loop, ev_timer *watcher, int events)
{
    pair *p = watcher->data;
    uint64_t passed = wire_now(NULL) - p->active_at;
    (void)events;
    if (passed >= p->relay->idle_ms) {
        pair_end(p, END_IDLE, TENON_CLOSE_GOING_AWAY, "no messages for too long");
        return;
    }
    ev_timer_set(watcher, (double)(p->relay->idle_ms - passed) / 1000, 0.);
    ev_timer_start(loop, watcher);
}

void pair_open(pair *p)
{
    relay *r = p->relay;
    p->phase = PHASE_OPEN;
    r->open_count++;
    r->counts.opened++;
    p->active_at = wire_now(NULL);
    rate_begin(&p->allowance, &r->rates, p->active_at);
    if (r->idle_ms > 0) {
        ev_timer_set(&p->idle, r->idle_ms / 1000., 0.);
        ev_timer_start(r->loop, &p->idle);
    }
    live_soon(&p->sides[CLIENT].live);
}

static void begin_side(pair *p, int which)
{
    side *s = &p->sides[which];
    s->pair = p;
    s->which = (uint8_t)which;
    s->live.on_event = on_event;
    s->live.on_turn = on_turn;
    s->live.on_gone = on_gone;
}

int pair_begin(void *user, int fd)
{
    relay *r = user;
    pair *p = calloc(1, sizeof *p);
    if (p == NULL)
        return -1;
    p->relay = r;
    begin_side(p, CLIENT);
    begin_side(p, ORIGIN);
    ev_init(&p->patience, on_unanswered);
    ev_init(&p->idle, on_idle);
    ev_init(&p->rest, on_rested);
    p->idle.data = p->rest.data = p;
    if (live_start(&p->sides[CLIENT].live, &r->hub, fd, &r->config[CLIENT]) != 0) {
        free(p);
        return -1;
    }
    p->sides[CLIENT].is_alive = 1;
    tenon_lend_stats(p->sides[CLIENT].live.conn, &r->counts.stats[CLIENT]);
    p->next = r->pairs;
    p->link = &r->pairs;
    if (p->next != NULL)
        p->next->link = &p->next;
    r->pairs = p;
    r->pair_count++;
    r->counts.accepted++;
    return 0;
}
