/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/relay.h"

/* Who reads the metrics. */
typedef struct reader {
    live live; /* first: a live of the hub */
    report *report;
    struct reader *next, **link;
} reader;

/* --------------------------------------------------------------------- the page */

/* A metric with one label, whose values have these names. */
static void show(metrics_page *page, const char *name, const char *help, const char *label,
                 const char *const *names, const uint64_t *values, size_t count)
{
    char labels[64];
    size_t i;
    metrics_begin(page, name, "counter", help);
    for (i = 0; i < count; i++) {
        snprintf(labels, sizeof labels, "%s=\"%s\"", label, names[i]);
        metrics_value(page, name, labels, values[i]);
    }
}

static void show_pairs(const relay *r, metrics_page *page)
{
    static const char *const refused[REFUSED_KINDS] = {"origin", "token", "request", "failure", "shutdown"};
    static const char *const failed[FAILED_KINDS] = {"connect", "timeout", "handshake", "answer", "status", "lost"};
    static const char *const ended[END_KINDS - 1] = {"client_close", "origin_close", "client_lost", "origin_lost",
                                                    "idle",         "rate",         "shutdown",    "internal"};
    const counts *c = &r->counts;
    metrics_one(page, "relay_connections", "gauge", "Clients with an open connection to the origin.", r->open_count);
    metrics_one(page, "relay_pending", "gauge", "Clients in the opening handshake, or being refused.",
                r->pair_count - r->open_count);
    metrics_one(page, "relay_accepted_total", "counter", "Connections of clients.", c->accepted);
    metrics_one(page, "relay_connections_total", "counter", "Clients that were connected to the origin.", c->opened);
    show(page, "relay_refused_total", "Upgrades refused by the relay, by reason.", "reason", refused, c->refused,
         REFUSED_KINDS);
    show(page, "relay_origin_failures_total", "Failures of the origin, by kind.", "kind", failed, c->failed,
         FAILED_KINDS);
    show(page, "relay_ended_total", "Open connections that came to an end, by what ended them.", "by", ended,
         c->ended + 1, END_KINDS - 1);
    metrics_one(page, "relay_rate_paused_total", "counter", "Times that a client was held back for its rate.",
                c->paused);
    metrics_one(page, "relay_rate_closed_total", "counter", "Clients closed for their rate.", c->ended[END_RATE]);
}

static const char *const side_names[SIDES] = {"client", "origin"};

static void show_traffic(const counts *c, metrics_page *page)
{
    char labels[64];
    int which;
    metrics_begin(page, "relay_messages_total", "counter", "Messages, by the side and as the relay sees it.");
    for (which = 0; which < SIDES; which++) {
        snprintf(labels, sizeof labels, "side=\"%s\",direction=\"in\"", side_names[which]);
        metrics_value(page, "relay_messages_total", labels, c->stats[which].messages_in);
        snprintf(labels, sizeof labels, "side=\"%s\",direction=\"out\"", side_names[which]);
        metrics_value(page, "relay_messages_total", labels, c->stats[which].messages_out);
    }
    metrics_begin(page, "relay_octets_total", "counter", "Octets on the wire, heads and frame headers included.");
    for (which = 0; which < SIDES; which++) {
        snprintf(labels, sizeof labels, "side=\"%s\",direction=\"in\"", side_names[which]);
        metrics_value(page, "relay_octets_total", labels, c->stats[which].octets_in);
        snprintf(labels, sizeof labels, "side=\"%s\",direction=\"out\"", side_names[which]);
        metrics_value(page, "relay_octets_total", labels, c->stats[which].octets_out);
    }
}

static void show_closes(const counts *c, metrics_page *page)
{
    char labels[64];
    int which, rule;
    metrics_begin(page, "relay_closes_total", "counter", "Connections closed, by side and broken rule (or NONE).");
    for (which = 0; which < SIDES; which++)
        for (rule = 0; rule < RULES; rule++) {
            if (c->closed[which][rule] == 0 && rule != TENON_RULE_NONE)
                continue;
            snprintf(labels, sizeof labels, "side=\"%s\",rule=\"%s\"", side_names[which], tenon_rule_name(rule));
            metrics_value(page, "relay_closes_total", labels, c->closed[which][rule]);
        }
    metrics_show_times(page, "relay_client_round_trip_seconds", "From the relay's Ping to the client's Pong.",
                       &c->round_trips[CLIENT]);
    metrics_show_times(page, "relay_origin_round_trip_seconds", "From the relay's Ping to the origin's Pong.",
                       &c->round_trips[ORIGIN]);
}

/* ------------------------------------------------------------------- the answers */

/* The body comes back as RELEASED, with the cookie. */
static void answer_with(reader *to, uint16_t status, const char *type, const char *body, size_t size, void *cookie)
{
    tenon_header headers[] = {{"Content-Type", type, 0, 0}, {"Cache-Control", "no-store", 0, 0}};
    tenon_refusal refusal;
    memset(&refusal, 0, sizeof refusal);
    refusal.size = sizeof refusal;
    refusal.status = status;
    refusal.headers = headers;
    refusal.header_count = 2;
    refusal.body = body;
    refusal.body_size = size;
    refusal.cookie = cookie;
    if (tenon_reject(to->live.conn, &refusal) != TENON_OK) {
        free(cookie); /* it was not taken */
        tenon_abort(to->live.conn, TENON_LOCAL);
    }
}

static void answer_text(reader *to, uint16_t status, const char *text)
{
    answer_with(to, status, "text/plain; charset=utf-8", text, strlen(text), NULL);
}

static void on_request(reader *to)
{
    static const char path[] = "/metrics";
    const relay *r = to->report->relay;
    metrics_page page = {NULL, 0, 0, 0};
    tenon_head head;
    tenon_head_get(to->live.conn, &head);
    if (head.target.size != sizeof path - 1 || memcmp(head.target.data, path, sizeof path - 1) != 0) {
        answer_text(to, 404, "there is /metrics\n");
        return;
    }
    show_pairs(r, &page);
    show_traffic(&r->counts, &page);
    show_closes(&r->counts, &page);
    if (page.failed)
        answer_text(to, 503, "no memory for the metrics\n");
    else
        answer_with(to, 200, METRICS_TYPE, page.text, page.size, page.text);
}

static int on_event(tenon_conn *conn, const tenon_event *event, void *user)
{
    (void)conn;
    if (event->type == TENON_EV_REQUEST)
        on_request(user);
    if (event->type == TENON_EV_RELEASED)
        free(event->cookie);
    return TENON_CONTINUE;
}

/* ----------------------------------------------------------------- who reads them */

static void on_gone(live *l)
{
    reader *gone = (reader *)l;
    relay *r = gone->report->relay;
    *gone->link = gone->next;
    if (gone->next != NULL)
        gone->next->link = gone->link;
    free(gone);
    if (r->is_stopping && r->hub.count == 0)
        ev_break(r->loop, EVBREAK_ALL);
}

static int on_socket(void *user, int fd)
{
    report *r = user;
    reader *one = calloc(1, sizeof *one);
    if (one == NULL)
        return -1;
    one->report = r;
    one->live.on_event = on_event;
    one->live.on_gone = on_gone;
    if (live_start(&one->live, &r->relay->hub, fd, &r->config) != 0) {
        free(one);
        return -1;
    }
    one->next = r->readers;
    one->link = &r->readers;
    if (one->next != NULL)
        one->next->link = &one->next;
    r->readers = one;
    return 0;
}

int report_begin(report *r, relay *of, unsigned port)
{
    r->relay = of;
    tenon_config_server(&r->config, sizeof r->config);
    r->config.flags = TENON_PLAIN_GET;
    r->listener.on_socket = on_socket;
    r->listener.user = r;
    return live_listen(&r->listener, of->loop, "127.0.0.1", port);
}

void report_stop(report *r)
{
    reader *one;
    live_listen_end(&r->listener);
    for (one = r->readers; one != NULL; one = one->next)
        live_abort(&one->live);
}
