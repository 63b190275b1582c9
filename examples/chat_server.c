/* SPDX-License-Identifier: MIT */
/*
 * A chat server with a page to try it from.
 *
 *   chat_server [--address IPV4] [--port N] [--origin ORIGIN]... [--ping-interval MS]
 *               [--pong-timeout MS] [--stall-timeout MS] [--slow-timeout MS]
 *               [--lines-per-second N] [--no-deflate]
 *
 * Listens on 127.0.0.1:9000; on 0.0.0.0 a phone in the same network can open the page,
 * and so can whoever else is there.
 *
 *   GET /         the page (chat/page.html)
 *   GET /metrics  for Prometheus
 *   GET /chat     with an upgrade to WebSocket: the chat, subprotocol chat.tenon
 *
 * Origin: a page of another site that a visitor has open could otherwise talk here
 * in the visitor's name. Allowed are the origins named, by default the server's own
 * (what Host says); a client without Origin is no browser, and may come in.
 *
 * Messages are texts; the first word says what they are. From the client:
 *
 *   hello TOKEN LAST NAME       first. TOKEN: 16 to 64 of A-Z a-z 0-9 _ -, random, kept
 *                               over reconnects. LAST: the number of the last line seen, or 0
 *   say SEQ TEXT                SEQ counts 1, 2, 3... for the token; one that was had is ignored
 *
 * and from the server:
 *
 *   welcome ID SEQ              the member's number, and its last line that was said
 *   ping MS                     a ping goes out so often: who hears nothing for much longer is cut off
 *   said NUMBER ID SEQ NAME\nTEXT
 *   people N                    how many are here
 *   rtt MS                      after each Pong: how long it took
 *   error TEXT                  a message that was not understood
 *
 * Slow readers. A line is stored once (chat/room.h) and sent by reference or from the
 * reader's own small queue; whose queue is full keeps his place, and reads on when
 * there is room. Who stays behind for --slow-timeout, or falls behind what is kept,
 * gets a Close of 1008; who does not even take that, is dropped by --stall-timeout.
 * Who talks too much is not read from until his rate allows it.
 *
 * Compression. Browsers offer permessage-deflate, and get it, where the server was
 * built with zlib: what they send comes without context takeover, so that one block
 * inflates for all; what they get was compressed once, with the line. So a member
 * takes no more memory than without.
 */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "chat/page.h"
#include "chat/room.h"
#include "common/codec.h"
#include "live/live.h"
#include "live/metrics.h"

#define SUBPROTOCOL "chat.tenon"
#define LINE_SIZE_MAX ((size_t)1 << 20)
#define MESSAGE_SIZE_MAX (LINE_SIZE_MAX + 4096)

/* Lines up to here are copied into the reader's queue, so that several leave in one
 * write; longer ones are sent from the room's own memory. */
#define COPY_MAX 4096

#define ORIGINS_MAX 16
#define STOP_SECONDS 3.0
#define BURST 2 /* seconds' worth of lines that may come at once */
#define OCTETS_PER_SECOND ((uint64_t)2 * LINE_SIZE_MAX)

typedef struct server server;

typedef struct member {
    live live; /* first: a live of the hub */
    server *server;
    struct member *next, **link; /* all connections, in a list */
    room_session *session;       /* behind its hello */
    uint64_t line;               /* the number of the line it needs next */
    uint64_t behind_since;       /* when it last had all lines, or 0 if it has */
    uint64_t paid_at;            /* when the allowances were last renewed */
    uint64_t lines_left;         /* allowances, in thousandths of a line, and octets */
    uint64_t octets_left;
    ev_timer rest;               /* until the allowance is there */
    int is_chat;                 /* accepted; else its answer is a page */
    int is_dropped;              /* 1008 was sent */
    int tell_people;
} member;

/* Why a request was refused, or a member dropped, other than by a rule of tenon. */
enum { REFUSED_ORIGIN, REFUSED_PATH, REFUSED_SUBPROTOCOL, REFUSED_KINDS };

struct server {
    struct ev_loop *loop;
    live_hub hub;
    live_listener listener;
    tenon_config config;
    tenon_deflate deflate; /* codec NULL: none */
    room room;
    member *members;
    size_t people, people_told;
    int has_news, is_stopping;
    uint64_t slow_ms, lines_per_second;
    const char *origins[ORIGINS_MAX];
    size_t origin_count;
    ev_prepare before;   /* spreads news before the loop waits */
    ev_timer second, stop;
    ev_signal term, interrupt;
    /* for the metrics */
    tenon_stats stats;   /* of all connections: they share one thread */
    uint64_t accepted, lines, dropped_slow, refused[REFUSED_KINDS];
    uint64_t ended[TENON_RULE_REJECTED + 1];
    metrics_times round_trips;
};

/* -------------------------------------------------------------------- sending */

/* A short message; one for which there is no room now is left out. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
static int tell(member *m, const char *format, ...)
{
    char text[256];
    va_list arguments;
    int size;
    va_start(arguments, format);
    size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return tenon_send(m->live.conn, TENON_TEXT, text, (size_t)size, TENON_UNCOMPRESSED);
}

static void drop_slow(member *m)
{
    static const char reason[] = "reading too slowly";
    m->is_dropped = 1;
    m->server->dropped_slow++;
    tenon_close(m->live.conn, TENON_CLOSE_POLICY, reason, sizeof reason - 1);
}

/* Sends the next line; a status. */
static int send_line(member *m, room_line *line)
{
    int is_copied = line->size <= COPY_MAX;
    int status = tenon_send_prepared(m->live.conn, &line->prepared, is_copied ? TENON_COPY : 0, line);
    if (status == TENON_OK && !is_copied)
        room_hold(line);
    return status;
}

/* Sends a member what it has not had yet, as far as there is room. */
static void feed(live *l)
{
    member *m = (member *)l;
    room *r = &m->server->room;
    if (m->server->is_stopping) {
        static const char reason[] = "the server is shutting down";
        tenon_close(l->conn, TENON_CLOSE_GOING_AWAY, reason, sizeof reason - 1);
    }
    if (m->session == NULL || m->is_dropped || tenon_state(l->conn) != TENON_OPEN)
        return;
    if (m->tell_people && tell(m, "people %zu", m->server->people) == TENON_OK)
        m->tell_people = 0;
    while (m->line < r->next) {
        room_line *line = room_line_at(r, m->line);
        if (line == NULL) {
            drop_slow(m); /* it is not kept any more */
            return;
        }
        if (send_line(m, line) != TENON_OK)
            break;
        m->line++;
    }
    if (m->line == r->next)
        m->behind_since = 0;
    else if (m->behind_since == 0)
        m->behind_since = wire_now(NULL);
}

/* ----------------------------------------------------------------------- rates */

/* Whether a line of so many octets may be said now; if not, the member gets a turn
 * when it may. */
static int allow(member *m, size_t size)
{
    uint64_t now = wire_now(NULL), passed = now - m->paid_at, rate = m->server->lines_per_second;
    uint64_t lines_max = rate * BURST * 1000, octets_max = OCTETS_PER_SECOND * BURST;
    if (rate == 0)
        return 1;
    if (passed > BURST * 1000)
        passed = BURST * 1000;
    m->paid_at = now;
    m->lines_left += passed * rate;
    m->octets_left += passed * OCTETS_PER_SECOND / 1000;
    if (m->lines_left > lines_max)
        m->lines_left = lines_max;
    if (m->octets_left > octets_max)
        m->octets_left = octets_max;
    if (m->lines_left < 1000 || m->octets_left < size) {
        ev_timer_stop(m->server->loop, &m->rest);
        ev_timer_set(&m->rest, 0.05, 0.);
        ev_timer_start(m->server->loop, &m->rest);
        return 0;
    }
    m->lines_left -= 1000;
    m->octets_left -= size;
    return 1;
}

static void on_rested(struct ev_loop *loop, ev_timer *watcher, int events)
{
    (void)loop;
    (void)events;
    live_soon(watcher->data);
}

/* -------------------------------------------------------------------- messages */

/* What is left of a message. */
typedef struct words {
    const char *at, *end;
} words;

/* Takes a word, and the space behind it: its size. */
static size_t take_word(words *w, const char **word)
{
    const char *space = memchr(w->at, ' ', (size_t)(w->end - w->at));
    size_t size;
    *word = w->at;
    if (space == NULL)
        space = w->end;
    size = (size_t)(space - w->at);
    w->at = space < w->end ? space + 1 : space;
    return size;
}

/* Takes a number of up to 18 digits: 0, or -1. */
static int take_number(words *w, uint64_t *number)
{
    const char *word;
    size_t i, size = take_word(w, &word);
    *number = 0;
    for (i = 0; i < size; i++) {
        if (word[i] < '0' || word[i] > '9')
            return -1;
        *number = *number * 10 + (uint64_t)(word[i] - '0');
    }
    return size > 0 && size <= 18 ? 0 : -1;
}

static int is_token(const char *text, size_t size)
{
    static const char legal[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    size_t i;
    for (i = 0; i < size; i++)
        if (memchr(legal, text[i], sizeof legal - 1) == NULL)
            return 0;
    return size >= ROOM_TOKEN_MIN && size <= ROOM_TOKEN_MAX;
}

static int is_name(const char *text, size_t size)
{
    size_t i;
    for (i = 0; i < size; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 127)
            return 0;
    return size > 0 && size <= ROOM_NAME_MAX;
}

static int on_hello(member *m, words *w)
{
    server *s = m->server;
    const char *token;
    uint64_t last;
    size_t token_size = take_word(w, &token), name_size;
    if (m->session != NULL || take_number(w, &last) != 0 || !is_token(token, token_size) ||
        !is_name(w->at, name_size = (size_t)(w->end - w->at)))
        return tell(m, "error expected once: hello TOKEN LAST NAME");
    m->session = room_enter(&s->room, token, token_size, w->at, name_size);
    if (m->session == NULL)
        return tenon_close(m->live.conn, TENON_CLOSE_LATER, NULL, 0);
    m->line = room_begin(&s->room, last);
    m->tell_people = 1;
    s->people++;
    tell(m, "welcome %" PRIu64 " %" PRIu64, m->session->id, m->session->seq);
    tell(m, "ping %u", s->config.ping_ms);
    feed(&m->live);
    return TENON_OK;
}

/* TENON_ERR_AGAIN: too much for now. */
static int on_say(member *m, words *w)
{
    server *s = m->server;
    uint64_t seq;
    size_t size;
    if (m->session == NULL || take_number(w, &seq) != 0 || w->at == w->end)
        return tell(m, "error expected, behind hello: say SEQ TEXT");
    size = (size_t)(w->end - w->at);
    if (size > LINE_SIZE_MAX)
        return tell(m, "error a line is too long: %zu octets of at most %zu", size, LINE_SIZE_MAX);
    if (seq <= m->session->seq)
        return TENON_OK; /* it was said, over a connection that broke */
    if (!allow(m, size))
        return TENON_ERR_AGAIN;
    if (room_say(&s->room, m->session, seq, w->at, size) < 0)
        return tenon_close(m->live.conn, TENON_CLOSE_LATER, NULL, 0);
    s->lines++;
    s->has_news = 1;
    return TENON_OK;
}

static int is_word(const char *word, size_t size, const char *name)
{
    return size == strlen(name) && memcmp(word, name, size) == 0;
}

static int on_message(member *m, const tenon_event *event)
{
    words w;
    const char *verb;
    size_t size;
    int status;
    if (tenon_state(m->live.conn) != TENON_OPEN)
        return TENON_CONTINUE; /* behind our own Close nothing is said, but over the next connection */
    if (event->opcode != TENON_TEXT) {
        static const char reason[] = "this chat takes text";
        tenon_close(m->live.conn, TENON_CLOSE_UNSUPPORTED, reason, sizeof reason - 1);
        return TENON_CONTINUE;
    }
    w.at = (const char *)event->data;
    w.end = w.at + event->size;
    size = take_word(&w, &verb);
    if (is_word(verb, size, "say"))
        status = on_say(m, &w);
    else if (is_word(verb, size, "hello"))
        status = on_hello(m, &w);
    else
        status = tell(m, "error unknown; known are: hello, say");
    /* Other errors mean that the connection is closing, after which nothing is sent. */
    return status == TENON_ERR_AGAIN ? TENON_AGAIN : TENON_CONTINUE;
}

/* ------------------------------------------------------------------------ HTTP */

/* Answers with a page and ends. A body that is not copied comes back as RELEASED. */
static void answer(member *m, uint16_t status, const char *type, const void *body, size_t size, void *cookie)
{
    tenon_header headers[] = {
        {"Content-Type", type, 0, 0},
        {"Cache-Control", "no-store", 0, 0},
        {"X-Content-Type-Options", "nosniff", 0, 0},
        {"Referrer-Policy", "no-referrer", 0, 0},
        {"Content-Security-Policy",
         "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; "
         "connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
         0, 0},
    };
    tenon_refusal refusal;
    memset(&refusal, 0, sizeof refusal);
    refusal.size = sizeof refusal;
    refusal.status = status;
    refusal.headers = headers;
    refusal.header_count = sizeof headers / sizeof headers[0];
    refusal.body = body;
    refusal.body_size = size;
    refusal.cookie = cookie;
    if (tenon_reject(m->live.conn, &refusal) != TENON_OK)
        tenon_abort(m->live.conn, TENON_LOCAL);
}

static void answer_text(member *m, uint16_t status, const char *text)
{
    answer(m, status, "text/plain; charset=utf-8", text, strlen(text), NULL);
}

static void show_counts(const server *s, metrics_page *page)
{
    metrics_one(page, "chat_connections", "gauge", "Connections, of whatever kind.", s->hub.count);
    metrics_one(page, "chat_members", "gauge", "Connections that have said hello.", s->people);
    metrics_one(page, "chat_accepted_total", "counter", "Connections taken in.", s->accepted);
    metrics_one(page, "chat_lines_total", "counter", "Lines said.", s->lines);
    metrics_begin(page, "chat_messages_total", "counter", "WebSocket messages.");
    metrics_value(page, "chat_messages_total", "direction=\"in\"", s->stats.messages_in);
    metrics_value(page, "chat_messages_total", "direction=\"out\"", s->stats.messages_out);
    metrics_begin(page, "chat_octets_total", "counter", "Octets on the wire, heads and frame headers included.");
    metrics_value(page, "chat_octets_total", "direction=\"in\"", s->stats.octets_in);
    metrics_value(page, "chat_octets_total", "direction=\"out\"", s->stats.octets_out);
    metrics_begin(page, "chat_refused_total", "counter", "Upgrades refused, by reason.");
    metrics_value(page, "chat_refused_total", "reason=\"origin\"", s->refused[REFUSED_ORIGIN]);
    metrics_value(page, "chat_refused_total", "reason=\"path\"", s->refused[REFUSED_PATH]);
    metrics_value(page, "chat_refused_total", "reason=\"subprotocol\"", s->refused[REFUSED_SUBPROTOCOL]);
}

static void show_drops(const server *s, metrics_page *page)
{
    char label[64];
    int rule;
    metrics_begin(page, "chat_drops_total", "counter",
                  "Chat connections dropped or broken, by reason; a slow one that does not take its Close counts twice.");
    metrics_value(page, "chat_drops_total", "reason=\"slow\"", s->dropped_slow);
    for (rule = 1; rule <= TENON_RULE_REJECTED; rule++) {
        if (s->ended[rule] == 0)
            continue;
        snprintf(label, sizeof label, "reason=\"%s\"", tenon_rule_name(rule));
        metrics_value(page, "chat_drops_total", label, s->ended[rule]);
    }
    metrics_show_times(page, "chat_round_trip_seconds", "From Ping to Pong.", &s->round_trips);
}

static void answer_metrics(member *m)
{
    metrics_page page = {NULL, 0, 0, 0};
    show_counts(m->server, &page);
    show_drops(m->server, &page);
    if (page.failed)
        answer_text(m, 503, "no memory for the metrics\n");
    else
        answer(m, 200, METRICS_TYPE, page.text, page.size, page.text);
}

/* Whether the path of a target is this one, whatever its query. */
static int is_path(tenon_str target, const char *path)
{
    const char *query = target.size > 0 ? memchr(target.data, '?', target.size) : NULL;
    size_t size = query != NULL ? (size_t)(query - target.data) : target.size;
    return size == strlen(path) && memcmp(target.data, path, size) == 0;
}

static int is_text(tenon_str s, const char *text)
{
    return s.size == strlen(text) && memcmp(s.data, text, s.size) == 0;
}

/* Whether an origin is the server's own: its scheme is one of HTTP, and behind it
 * stands what Host says. */
static int is_own(tenon_str origin, tenon_str authority)
{
    size_t scheme = origin.size >= 8 && memcmp(origin.data, "https://", 8) == 0 ? 8 : 7;
    if (origin.size < scheme || (scheme == 7 && memcmp(origin.data, "http://", 7) != 0))
        return 0;
    return origin.size - scheme == authority.size &&
           memcmp(origin.data + scheme, authority.data, authority.size) == 0;
}

static int is_origin_allowed(const server *s, const tenon_head *head)
{
    size_t i;
    if (head->origin.data == NULL)
        return 1;
    for (i = 0; i < s->origin_count; i++)
        if (is_text(head->origin, s->origins[i]))
            return 1;
    return s->origin_count == 0 && is_own(head->origin, head->authority);
}

static void on_upgrade(member *m, const tenon_head *head)
{
    server *s = m->server;
    tenon_answer with;
    memset(&with, 0, sizeof with);
    with.size = sizeof with;
    with.subprotocol = SUBPROTOCOL;
    if (!is_path(head->target, "/chat")) {
        s->refused[REFUSED_PATH]++;
        answer_text(m, 404, "the chat is at /chat\n");
    } else if (!is_origin_allowed(s, head)) {
        s->refused[REFUSED_ORIGIN]++;
        answer_text(m, 403, "pages of this origin may not talk here\n");
    } else if (tenon_accept(m->live.conn, &with) == TENON_OK) {
        m->is_chat = 1;
    } else {
        s->refused[REFUSED_SUBPROTOCOL]++;
        answer_text(m, 400, "the subprotocol " SUBPROTOCOL " has to be offered\n");
    }
}

static void on_request(member *m, const tenon_event *event)
{
    tenon_head head;
    tenon_head_get(m->live.conn, &head);
    if ((event->flags & TENON_PLAIN) == 0)
        on_upgrade(m, &head);
    else if (is_path(head.target, "/"))
        answer(m, 200, "text/html; charset=utf-8", chat_page, chat_page_size, NULL);
    else if (is_path(head.target, "/metrics"))
        answer_metrics(m);
    else if (is_path(head.target, "/chat"))
        answer_text(m, 426, "this is for WebSocket\n");
    else
        answer_text(m, 404, "there are / and /metrics\n");
}

/* ---------------------------------------------------------------------- events */

/* What was sent by reference: a line of the room, or a page of metrics. */
static void on_released(member *m, void *cookie)
{
    if (m->is_chat)
        room_release(cookie);
    else
        free(cookie);
}

static int on_event(tenon_conn *conn, const tenon_event *event, void *user)
{
    member *m = user;
    (void)conn;
    switch (event->type) {
    case TENON_EV_REQUEST:
        on_request(m, event);
        break;
    case TENON_EV_DATA:
        return on_message(m, event);
    case TENON_EV_PONG:
        if (event->flags & TENON_OWN) {
            metrics_time(&m->server->round_trips, event->rtt_ms);
            tell(m, "rtt %u", event->rtt_ms);
        }
        break;
    case TENON_EV_WRITABLE:
        feed(&m->live);
        break;
    case TENON_EV_RELEASED:
        on_released(m, event->cookie);
        break;
    case TENON_EV_CLOSED:
        if (m->is_chat)
            m->server->ended[event->rule]++;
        break;
    default:
        break;
    }
    return TENON_CONTINUE;
}

static void on_gone(live *l)
{
    member *m = (member *)l;
    server *s = m->server;
    *m->link = m->next;
    if (m->next != NULL)
        m->next->link = m->link;
    ev_timer_stop(s->loop, &m->rest);
    if (m->session != NULL) {
        room_leave(&s->room, m->session);
        s->people--;
    }
    free(m);
    if (s->is_stopping && s->hub.count == 0)
        ev_break(s->loop, EVBREAK_ALL);
}

static int on_socket(void *user, int fd)
{
    server *s = user;
    member *m = calloc(1, sizeof *m);
    if (m == NULL)
        return -1;
    m->server = s;
    m->live.on_event = on_event;
    m->live.on_turn = feed;
    m->live.on_gone = on_gone;
    ev_timer_init(&m->rest, on_rested, 0., 0.);
    m->rest.data = m;
    if (live_start(&m->live, &s->hub, fd, &s->config) != 0) {
        free(m);
        return -1;
    }
    tenon_lend_stats(m->live.conn, &s->stats);
    m->next = s->members;
    m->link = &s->members;
    if (m->next != NULL)
        m->next->link = &m->next;
    s->members = m;
    s->accepted++;
    return 0;
}

/* -------------------------------------------------------------------- the loop */

static void before_waiting(struct ev_loop *loop, ev_prepare *watcher, int events)
{
    server *s = watcher->data;
    member *m;
    (void)loop;
    (void)events;
    if (!s->has_news)
        return;
    s->has_news = 0;
    for (m = s->members; m != NULL; m = m->next)
        live_soon(&m->live);
}

/* Once a second: who has been behind for too long, and how many are here. */
static void on_second(struct ev_loop *loop, ev_timer *watcher, int events)
{
    server *s = watcher->data;
    uint64_t now = wire_now(NULL);
    int is_changed = s->people != s->people_told;
    member *m;
    (void)loop;
    (void)events;
    s->people_told = s->people;
    for (m = s->members; m != NULL; m = m->next) {
        int is_slow = m->behind_since != 0 && !m->is_dropped && now - m->behind_since >= s->slow_ms;
        if (is_slow && live_ready(&m->live))
            drop_slow(m);
        m->tell_people |= is_changed;
        if (is_slow || m->tell_people)
            live_soon(&m->live);
    }
}

static void on_stop_late(struct ev_loop *loop, ev_timer *watcher, int events)
{
    (void)watcher;
    (void)events;
    ev_break(loop, EVBREAK_ALL);
}

/* A Close to everyone (feed), behind what they are being sent, and a moment to answer it. */
static void on_signal(struct ev_loop *loop, ev_signal *watcher, int events)
{
    server *s = watcher->data;
    member *m;
    (void)events;
    if (s->is_stopping)
        return;
    s->is_stopping = 1;
    live_listen_end(&s->listener);
    if (s->hub.count == 0)
        ev_break(loop, EVBREAK_ALL);
    for (m = s->members; m != NULL; m = m->next)
        live_soon(&m->live); /* which lends each its buffers for one turn only */
    ev_timer_init(&s->stop, on_stop_late, STOP_SECONDS, 0.);
    ev_timer_start(loop, &s->stop);
}

/* ---------------------------------------------------------------------- set up */

static void start_watchers(server *s)
{
    ev_prepare_init(&s->before, before_waiting);
    ev_set_priority(&s->before, EV_MINPRI); /* behind the hub's turns, which bring news as well */
    ev_timer_init(&s->second, on_second, 1., 1.);
    ev_signal_init(&s->term, on_signal, SIGTERM);
    ev_signal_init(&s->interrupt, on_signal, SIGINT);
    s->before.data = s->second.data = s->term.data = s->interrupt.data = s;
    ev_prepare_start(s->loop, &s->before);
    ev_timer_start(s->loop, &s->second);
    ev_signal_start(s->loop, &s->term);
    ev_signal_start(s->loop, &s->interrupt);
}

static int set_up(server *s, const char *address, int port)
{
    const tenon_deflate *deflate = s->deflate.codec != NULL ? &s->deflate : NULL;
    uint64_t seed;
    signal(SIGPIPE, SIG_IGN);
    live_raise_files();
    if (wire_random(NULL, &seed, sizeof seed) != 0)
        return -1;
    if (deflate != NULL && tenon_config_deflate(&s->config, deflate) != TENON_OK)
        return -1;
    room_init(&s->room, (uint64_t)time(NULL) * 1000000, seed, deflate);
    s->loop = ev_default_loop(0);
    if (s->loop == NULL)
        return -1;
    s->stats.size = sizeof s->stats;
    live_hub_init(&s->hub, s->loop, deflate);
    s->listener.on_socket = on_socket;
    s->listener.user = s;
    port = live_listen(&s->listener, s->loop, address, (unsigned)port);
    if (port < 0)
        return -1;
    printf("listening on %s:%d\n", address, port);
    fflush(stdout);
    start_watchers(s);
    return 0;
}

/* Those that are still here at the end are left without a Close. */
static void clean_up(server *s)
{
    while (s->members != NULL) {
        live_abort(&s->members->live);
        ev_run(s->loop, EVRUN_NOWAIT);
    }
    live_hub_free(&s->hub);
    room_free(&s->room);
    ev_loop_destroy(s->loop);
}

/* A number of an option, or the end of the program. */
static uint64_t number(const char *option, const char *text, uint64_t min, uint64_t max)
{
    char *end;
    unsigned long long n;
    errno = 0;
    n = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || n < min || n > max) {
        fprintf(stderr, "chat_server: --%s takes a number from %" PRIu64 " to %" PRIu64 ", not '%s'\n", option, min,
                max, text);
        exit(2);
    }
    return n;
}

static const struct option options[] = {
    {"address", required_argument, NULL, 'a'},
    {"port", required_argument, NULL, 'p'},           {"origin", required_argument, NULL, 'o'},
    {"ping-interval", required_argument, NULL, 'i'},  {"pong-timeout", required_argument, NULL, 't'},
    {"stall-timeout", required_argument, NULL, 's'},  {"slow-timeout", required_argument, NULL, 'w'},
    {"lines-per-second", required_argument, NULL, 'l'}, {"no-deflate", no_argument, NULL, 'n'},
    {NULL, 0, NULL, 0},
};

/* Reads the arguments: the port, or the end of the program. */
static int configure(server *s, const char **address, int argc, char **argv)
{
    int option, index, port = 9000;
    uint32_t ms_max = TENON_OFF - 1;
    while ((option = getopt_long(argc, argv, "", options, &index)) != -1) {
        const char *name = option == '?' ? "" : options[index].name;
        switch (option) {
        case 'a': *address = optarg; break;
        case 'p': port = (int)number(name, optarg, 0, 65535); break;
        case 'i': s->config.ping_ms = (uint32_t)number(name, optarg, 1, ms_max); break;
        case 't': s->config.pong_ms = (uint32_t)number(name, optarg, 1, ms_max); break;
        case 's': s->config.stall_ms = (uint32_t)number(name, optarg, 1, ms_max); break;
        case 'w': s->slow_ms = number(name, optarg, 1, ms_max); break;
        case 'n': s->deflate.codec = NULL; break;
        case 'l': s->lines_per_second = number(name, optarg, 0, 1000000); break;
        case 'o':
            if (s->origin_count < ORIGINS_MAX) {
                s->origins[s->origin_count++] = optarg;
                break;
            }
            /* fall through */
        default: return -1;
        }
    }
    return optind == argc ? port : -1;
}

int main(int argc, char **argv)
{
    static server s;
    const char *address = "127.0.0.1";
    int port;
    tenon_config_server(&s.config, sizeof s.config);
    s.config.flags = TENON_PLAIN_GET;
    s.config.max_message = MESSAGE_SIZE_MAX;
    s.config.ping_ms = 10000;
    s.config.pong_ms = 10000;
    s.config.stall_ms = 10000;
    s.slow_ms = 5000;
    s.lines_per_second = 50;
    s.deflate.size = sizeof s.deflate;
    s.deflate.flags = TENON_DEFLATE_RESET_IN;
    s.deflate.codec = codec();
    port = configure(&s, &address, argc, argv);
    if (port < 0) {
        fprintf(stderr, "usage: chat_server [--address IPV4] [--port N] [--origin ORIGIN]... [--ping-interval MS]\n"
                        "                   [--pong-timeout MS] [--stall-timeout MS] [--slow-timeout MS]\n"
                        "                   [--lines-per-second N] [--no-deflate]\n");
        return 2;
    }
    if (set_up(&s, address, port) != 0) {
        fprintf(stderr, "chat_server: %s:%d: %s\n", address, port, strerror(errno));
        return 1;
    }
    ev_run(s.loop, 0);
    clean_up(&s);
    return 0;
}
