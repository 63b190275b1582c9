/* SPDX-License-Identifier: MIT */
/*
 * A relay in front of a WebSocket server, the origin: a reverse proxy that reads the
 * protocol, refuses what breaks it, and never assembles a message.
 *
 *   relay --origin-url ws://HOST:PORT [--port N] [--metrics-port N]
 *         [--allow-origin ORIGIN]... [--require-origin] [--token-header NAME --token VALUE]
 *         [--trust-forwarded] [--messages-per-second N] [--octets-per-second N]
 *         [--rate-patience MS] [--idle-timeout MS] [--ping-interval MS] [--pong-timeout MS]
 *         [--stall-timeout MS] [--answer-timeout MS] [--max-message OCTETS]
 *
 * The relay listens on 127.0.0.1 only, and looks the origin's host up once. Port 0
 * takes a free port.
 *
 * WHO MAY CONNECT. With --allow-origin, pages of these Origins only, else 403; a
 * client without Origin is no browser and passes, unless --require-origin. Without
 * --allow-origin the decision is the origin's. With --token-header and --token, who
 * does not send that field gets 401, who sends another value 403. The field does
 * not go on to the origin.
 *
 * THE HANDSHAKE. The client waits until the origin has answered. It gets a 101 if the
 * origin gave one, with the same subprotocol, extensions and end-to-end fields; any
 * other answer goes to it with its content (up to 64 KiB); 502 if the origin cannot
 * be reached (also where no file may be opened any more) or makes no sense, 504 if it
 * does not answer within --answer-timeout (10 s). What goes on to the origin: target,
 * Origin, Cookie, Authorization and whatever is not the connection's own;
 * X-Forwarded-For, -Host and -Proto are the relay's, and the client's own are dropped.
 * With --trust-forwarded the client is a proxy that is believed: its address is
 * appended to X-Forwarded-For.
 *
 * FRAMES. Each piece goes on as a frame as soon as it is here. Messages, opcodes, RSV
 * bits and the order of control frames stay; where frames begin and end does not. So
 * extensions are passed on only if that does not matter to them: permessage-deflate,
 * which then works from end to end. Pings and Pongs are forwarded; those of
 * --ping-interval are the relay's own, one conversation with each side.
 *
 * BACKPRESSURE. A side that does not read fills its socket and then its desk
 * (common/desk.h); then the other side is not read from. So a pair has at most two
 * desks, whatever its ends do, and none while it is quiet. --stall-timeout (60 s)
 * ends a side that takes nothing for so long.
 *
 * RATES. --messages-per-second (control frames count) and --octets-per-second are for
 * what the client sends. Who sends more is not read from, until the rate allows it;
 * who has been held back for --rate-patience (10 s; 0: for ever) more than not, gets a
 * Close of 1008 (relay/rate.h).
 *
 * TIME. That the other side lives is what --ping-interval and --pong-timeout (20 s)
 * find out, for each side on its own. --idle-timeout is about the conversation: no
 * octet of a message in either direction for so long, and both sides get a Close of
 * 1001. Pings do not count. It is not the library's idle_ms, which would cut off a
 * client that only listens.
 *
 * HOW IT ENDS. A Close goes on with its code and reason, and so does the answer; if
 * none comes within 3 s, the relay gives it. A side that breaks a rule gets the code
 * for that. If the origin broke off or broke a rule, the client gets 1014 (bad
 * gateway); if the client did, the origin gets 1001. SIGTERM and SIGINT: 1001 to all.
 */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netdb.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/relay.h"

#define STOP_SECONDS 3.

typedef struct program {
    relay relay;
    report report;
    int port, metrics_port;
    ev_signal term, interrupt;
    ev_timer stop;
} program;

/* --------------------------------------------------------------------- stopping */

static void on_stop_late(struct ev_loop *loop, ev_timer *watcher, int events)
{
    (void)watcher;
    (void)events;
    ev_break(loop, EVBREAK_ALL);
}

static void on_signal(struct ev_loop *loop, ev_signal *watcher, int events)
{
    program *m = watcher->data;
    relay *r = &m->relay;
    pair *p;
    (void)events;
    if (r->is_stopping)
        return;
    r->is_stopping = 1;
    live_listen_end(&r->listener);
    if (m->metrics_port >= 0)
        report_stop(&m->report);
    for (p = r->pairs; p != NULL; p = p->next)
        pair_end(p, END_STOP, TENON_CLOSE_GOING_AWAY, "the relay is shutting down");
    if (r->hub.count == 0)
        ev_break(loop, EVBREAK_ALL);
    ev_timer_init(&m->stop, on_stop_late, STOP_SECONDS, 0.);
    ev_timer_start(loop, &m->stop);
}

/* Those that are still here at the end are left without an answer. */
static void clean_up(program *m)
{
    relay *r = &m->relay;
    pair *p;
    while (r->hub.count > 0) {
        for (p = r->pairs; p != NULL; p = p->next) {
            if (p->sides[CLIENT].is_alive)
                live_abort(&p->sides[CLIENT].live);
            if (p->sides[ORIGIN].is_alive)
                live_abort(&p->sides[ORIGIN].live);
        }
        ev_run(r->loop, EVRUN_NOWAIT);
    }
    live_hub_free(&r->hub);
    ev_loop_destroy(r->loop);
}

/* ---------------------------------------------------------------------- options */

#if defined(__GNUC__)
__attribute__((noreturn, format(printf, 1, 2)))
#endif
static void complain(const char *format, ...)
{
    va_list arguments;
    fprintf(stderr, "relay: ");
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\n");
    exit(2);
}

static void usage(FILE *to)
{
    fprintf(to, "usage: relay --origin-url ws://HOST:PORT [--port N] [--metrics-port N]\n"
                "             [--allow-origin ORIGIN]... [--require-origin]\n"
                "             [--token-header NAME --token VALUE] [--trust-forwarded]\n"
                "             [--messages-per-second N] [--octets-per-second N] [--rate-patience MS]\n"
                "             [--idle-timeout MS] [--ping-interval MS] [--pong-timeout MS]\n"
                "             [--stall-timeout MS] [--answer-timeout MS] [--max-message OCTETS]\n");
}

static uint64_t number(const char *option, uint64_t min, uint64_t max)
{
    char *end;
    unsigned long long n;
    errno = 0;
    n = strtoull(optarg, &end, 10);
    if (*optarg < '0' || *optarg > '9' || *end != '\0' || errno != 0 || n < min || n > max)
        complain("--%s takes a number from %" PRIu64 " to %" PRIu64 ", not '%s'", option, min, max, optarg);
    return n;
}

static uint32_t milliseconds(const char *option)
{
    return (uint32_t)number(option, 1, TENON_OFF - 1);
}

static void look_up(relay *r, const char *host, unsigned port)
{
    struct addrinfo hints, *list, *one;
    char service[8];
    int status;
    memset(&hints, 0, sizeof hints);
    hints.ai_socktype = SOCK_STREAM;
    snprintf(service, sizeof service, "%u", port);
    status = getaddrinfo(host, service, &hints, &list);
    if (status != 0)
        complain("the origin %s: %s", host, gai_strerror(status));
    for (one = list; one != NULL && r->address_count < ADDRESSES_MAX; one = one->ai_next) {
        address *a = &r->addresses[r->address_count++];
        memcpy(&a->name, one->ai_addr, one->ai_addrlen);
        a->size = one->ai_addrlen;
        a->family = one->ai_family;
    }
    freeaddrinfo(list);
}

static void set_origin(relay *r, const char *url)
{
    char host[256];
    tenon_uri parts;
    size_t at = 0;
    if (*url == '\0' || tenon_uri_parse(url, 0, &parts, &at) != TENON_OK)
        complain("--origin-url takes ws://HOST:PORT; '%s' is no such URL from octet %zu on", url, at);
    if (parts.secure)
        complain("--origin-url: wss: and https: need TLS, which the relay does not have");
    if (parts.path.size > 1 || parts.query.data != NULL)
        complain("--origin-url takes no path or query, since the client's is passed on: '%s'", url);
    if (parts.host.size >= sizeof host || parts.authority.size >= sizeof r->authority)
        complain("--origin-url: the name of the host is too long");
    memcpy(host, parts.host.data, parts.host.size);
    host[parts.host.size] = '\0';
    memcpy(r->authority, parts.authority.data, parts.authority.size);
    r->authority[parts.authority.size] = '\0';
    r->address_count = 0;
    look_up(r, host, parts.port);
}

static void allow_origin(relay *r, const char *origin)
{
    if (r->allowed_count == ORIGINS_MAX)
        complain("--allow-origin: no more than %d are kept", ORIGINS_MAX);
    if (*origin == '\0' || strchr(origin, '*') != NULL)
        complain("--allow-origin takes one whole Origin, like https://example.org, not '%s'", origin);
    r->allowed[r->allowed_count++] = origin;
}

static const struct option options[] = {
    {"origin-url", required_argument, NULL, 'u'},
    {"port", required_argument, NULL, 'p'},
    {"metrics-port", required_argument, NULL, 'M'},
    {"allow-origin", required_argument, NULL, 'a'},
    {"require-origin", no_argument, NULL, 'r'},
    {"token-header", required_argument, NULL, 'H'},
    {"token", required_argument, NULL, 'T'},
    {"trust-forwarded", no_argument, NULL, 'f'},
    {"messages-per-second", required_argument, NULL, 'm'},
    {"octets-per-second", required_argument, NULL, 'o'},
    {"rate-patience", required_argument, NULL, 'e'},
    {"idle-timeout", required_argument, NULL, 'i'},
    {"ping-interval", required_argument, NULL, 'g'},
    {"pong-timeout", required_argument, NULL, 'q'},
    {"stall-timeout", required_argument, NULL, 's'},
    {"answer-timeout", required_argument, NULL, 'w'},
    {"max-message", required_argument, NULL, 'x'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

/* One that is for both sides alike. */
static void set_both(relay *r, int option, const char *name)
{
    int i;
    for (i = 0; i < SIDES; i++) {
        tenon_config *config = &r->config[i];
        switch (option) {
        case 'g': config->ping_ms = milliseconds(name); break;
        case 'q': config->pong_ms = milliseconds(name); break;
        case 's': config->stall_ms = milliseconds(name); break;
        default: config->max_message = number(name, 1, INT64_MAX); break;
        }
    }
}

static void set(program *m, int option, const char *name)
{
    relay *r = &m->relay;
    uint64_t rate_max = (uint64_t)1 << 40;
    switch (option) {
    case 'u': set_origin(r, optarg); break;
    case 'p': m->port = (int)number(name, 0, 65535); break;
    case 'M': m->metrics_port = (int)number(name, 0, 65535); break;
    case 'a': allow_origin(r, optarg); break;
    case 'r': r->requires_origin = 1; break;
    case 'H': r->token_header = optarg; break;
    case 'T': r->token = optarg; break;
    case 'f': r->trusts_forwarded = 1; break;
    case 'm': r->rates.messages = number(name, 1, rate_max); break;
    case 'o': r->rates.octets = number(name, 1, rate_max); break;
    case 'e': r->rates.patience_ms = number(name, 0, TENON_OFF - 1); break;
    case 'i': r->idle_ms = milliseconds(name); break;
    case 'w': r->answer_ms = milliseconds(name); break;
    case 'h': usage(stdout); exit(0);
    case '?': usage(stderr); exit(2);
    default: set_both(r, option, name); break;
    }
}

static void configure(program *m, int argc, char **argv)
{
    relay *r = &m->relay;
    int option, index = 0;
    while ((option = getopt_long(argc, argv, "", options, &index)) != -1)
        set(m, option, option == '?' ? "" : options[index].name);
    if (optind < argc)
        complain("'%s' is no option", argv[optind]);
    if (r->address_count == 0)
        complain("--origin-url is needed: where to, like ws://127.0.0.1:9001");
    if ((r->token == NULL) != (r->token_header == NULL))
        complain("--token-header and --token go together");
    if (r->token != NULL && (*r->token == '\0' || *r->token_header == '\0'))
        complain("--token-header and --token must not be empty");
    /* One timer of the library is for the client's head and for the answer. */
    r->config[CLIENT].handshake_ms = r->answer_ms < TENON_OFF - 20000 ? r->answer_ms + 10000 : TENON_OFF;
}

/* ----------------------------------------------------------------------- set up */

static void set_defaults(program *m)
{
    relay *r = &m->relay;
    m->port = 9002;
    m->metrics_port = -1;
    r->rates.patience_ms = 10000;
    r->answer_ms = 10000;
    tenon_config_server(&r->config[CLIENT], sizeof r->config[CLIENT]);
    tenon_config_client(&r->config[ORIGIN], sizeof r->config[ORIGIN]);
    r->config[CLIENT].flags = r->config[ORIGIN].flags = TENON_CHUNKS | TENON_RELAY;
    r->config[ORIGIN].random = wire_random;
    r->config[ORIGIN].handshake_ms = TENON_OFF; /* upstream.c has its own */
    r->counts.stats[CLIENT].size = r->counts.stats[ORIGIN].size = sizeof(tenon_stats);
}

/* Listens, and says so: 0, or -1 and errno. */
static int set_up_ports(program *m)
{
    relay *r = &m->relay;
    int port, metrics_port = 0;
    r->listener.on_socket = pair_begin;
    r->listener.user = r;
    port = live_listen(&r->listener, r->loop, "127.0.0.1", (unsigned)m->port);
    if (port >= 0 && m->metrics_port >= 0)
        metrics_port = report_begin(&m->report, r, (unsigned)m->metrics_port);
    if (port < 0 || metrics_port < 0)
        return -1;
    printf("listening on 127.0.0.1:%d\n", port);
    if (m->metrics_port >= 0)
        printf("metrics on 127.0.0.1:%d\n", metrics_port);
    fflush(stdout);
    return 0;
}

static int set_up(program *m)
{
    relay *r = &m->relay;
    signal(SIGPIPE, SIG_IGN);
    live_raise_files();
    r->loop = ev_default_loop(0);
    if (r->loop == NULL)
        return -1;
    live_hub_init(&r->hub, r->loop, NULL);
    ev_prepare_init(&r->after, pairs_settle);
    ev_set_priority(&r->after, -1); /* behind the hub's */
    ev_signal_init(&m->term, on_signal, SIGTERM);
    ev_signal_init(&m->interrupt, on_signal, SIGINT);
    r->after.data = r;
    m->term.data = m->interrupt.data = m;
    ev_prepare_start(r->loop, &r->after);
    ev_signal_start(r->loop, &m->term);
    ev_signal_start(r->loop, &m->interrupt);
    return set_up_ports(m);
}

int main(int argc, char **argv)
{
    static program m;
    set_defaults(&m);
    configure(&m, argc, argv);
    if (set_up(&m) != 0) {
        fprintf(stderr, "relay: %s\n", strerror(errno));
        return 1;
    }
    ev_run(m.relay.loop, 0);
    clean_up(&m);
    return 0;
}
