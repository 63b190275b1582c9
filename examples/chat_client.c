/* SPDX-License-Identifier: MIT */
/*
 * A chat client for the terminal, which stays connected.
 *
 *   chat_client [--name NAME] [--token TOKEN] [--origin ORIGIN] [--ping-interval MS]
 *               [--pong-timeout MS] [--retry-first MS] [--retry-base MS] [--retry-cap MS]
 *               [--retries N] [--deflate] URL
 *
 * Each line of stdin is said. Each event is printed as a line:
 *
 *   open                      NAME: TEXT                closed: CODE, NAME[; RULE (SECTION)]
 *   refused: STATUS           * N people, * rtt N ms    retry in N ms
 *   * error: TEXT
 *
 * When the connection ends, or cannot be made, it is made again after a delay that
 * grows (tenon_backoff); lines that the server has not acknowledged are kept, and
 * said once. At the end of stdin it waits until all are acknowledged, closes with
 * 1000 and exits with 0. After --retries failures in a row it exits with 1, and at
 * once if the server does not take its name or token.
 *
 * The protocol of the chat stands in chat_server.c.
 */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/codec.h"
#include "live/live.h"

/* A line that was typed and not yet acknowledged. */
typedef struct unsaid {
    struct unsaid *next;
    uint64_t seq;  /* 0 until it is first sent */
    size_t size;   /* of the message; until it has a number, of the text alone */
    char *message; /* "say SEQ TEXT" */
    int is_sent;   /* over this connection */
    int is_held;   /* the connection sends from it */
    int is_said;
} unsaid;

/* Texts at most this long are copied into the queue; longer ones are sent by reference. */
#define COPY_MAX 16384
#define LINE_SIZE_MAX ((size_t)1 << 20)

/* Longest head of a message, "say " and a number. */
#define HEAD_MAX 32

typedef struct client {
    live live; /* first: a live of the hub */
    live_hub hub;
    struct ev_loop *loop;
    tenon_config config;
    tenon_deflate deflate; /* codec NULL: none is offered */
    tenon_request request;
    tenon_backoff backoff;
    unsigned retries;
    const char *uri, *name, *origin;
    char token[64 + 1];
    int is_online;         /* has a connection, in whatever state */
    int is_welcome;        /* what is said arrives now */
    int is_numbered;       /* knows with which number to begin */
    uint64_t id, seen;     /* own number; the last line seen */
    uint64_t people;       /* what was told last */
    uint64_t seq;          /* the last number given to a line */
    uint64_t opened_at, closed_at;
    unsaid *first, **end;  /* a queue */
    char *input;           /* what was typed of a line so far */
    size_t input_size, input_room;
    int is_input_over, result;
    ev_io typed;
    ev_timer retry;
    ev_signal term, interrupt;
} client;

static void say(client *c);

/* ------------------------------------------------------------- unsaid lines */

static void drop(client *c, unsaid **link)
{
    unsaid *u = *link;
    *link = u->next;
    if (u->next == NULL)
        c->end = link;
    free(u->message);
    free(u);
}

/* Forgets what was acknowledged, unless the connection still sends from it. */
static void tidy(client *c)
{
    unsaid **link = &c->first;
    while (*link != NULL) {
        if ((*link)->is_said && !(*link)->is_held)
            drop(c, link);
        else
            link = &(*link)->next;
    }
}

static void acknowledged(client *c, uint64_t seq)
{
    unsaid *u;
    for (u = c->first; u != NULL; u = u->next)
        if (u->seq != 0 && u->seq <= seq)
            u->is_said = 1;
    tidy(c);
}

/* Nothing is on the way any more over a connection that is gone. */
static void take_back(client *c)
{
    unsaid *u;
    for (u = c->first; u != NULL; u = u->next)
        u->is_sent = u->is_held = 0;
    tidy(c);
}

/* Gives a line its number, and writes it in front of the text. 0, or -1. */
static int assign(client *c, unsaid *u)
{
    char head[HEAD_MAX];
    int size = snprintf(head, sizeof head, "say %" PRIu64 " ", c->seq + 1);
    char *message = malloc((size_t)size + u->size);
    if (message == NULL)
        return -1;
    memcpy(message, head, (size_t)size);
    memcpy(message + size, u->message, u->size);
    free(u->message);
    u->message = message;
    u->size += (size_t)size;
    u->seq = ++c->seq;
    return 0;
}

static int send_unsaid(client *c, unsaid *u)
{
    int status;
    if (u->seq == 0 && assign(c, u) != 0)
        return TENON_ERR_AGAIN;
    if (u->size <= COPY_MAX)
        return tenon_send(c->live.conn, TENON_TEXT, u->message, u->size, 0);
    status = tenon_send_ref(c->live.conn, TENON_TEXT, u->message, u->size, 0, u);
    u->is_held = status == TENON_OK;
    return status;
}

/* Sends what there is room for; the rest follows when there is more. */
static void say(client *c)
{
    unsaid **link = &c->first;
    while (c->is_welcome && *link != NULL) {
        unsaid *u = *link;
        int status = u->is_sent ? TENON_OK : send_unsaid(c, u);
        if (status == TENON_ERR_UTF8 && u->seq == c->seq) {
            fprintf(stderr, "not UTF-8, and not said: %zu octets\n", u->size);
            c->seq--;
            drop(c, link);
            continue;
        }
        if (status != TENON_OK)
            return;
        u->is_sent = 1;
        link = &u->next;
    }
}

/* This was the last connection. */
static void give_up(client *c, uint16_t code)
{
    c->retries = 0;
    tenon_close(c->live.conn, code, NULL, 0);
}

/* Says good bye when all is said. */
static void leave_if_done(client *c)
{
    if (!c->is_input_over || c->first != NULL)
        return;
    if (!c->is_online)
        ev_break(c->loop, EVBREAK_ALL);
    else if (c->is_welcome)
        tenon_close(c->live.conn, TENON_CLOSE_NORMAL, NULL, 0);
}

/* ----------------------------------------------------------------- messages */

/* The number at the beginning of a text, which it moves on behind the space. */
static uint64_t take_number(const char **at, const char *end)
{
    uint64_t n = 0;
    for (; *at < end && **at >= '0' && **at <= '9'; ++*at)
        n = n * 10 + (uint64_t)(**at - '0');
    if (*at < end)
        ++*at;
    return n;
}

/* Text for a terminal: nothing that it could take for a command, which those from
 * U+0080 to U+009F are as well. It is UTF-8, and not cut. */
static void print_text(const char *text, size_t size)
{
    size_t i;
    for (i = 0; i < size; i++) {
        unsigned char octet = (unsigned char)text[i];
        int is_c1 = octet == 0xc2 && i + 1 < size && (unsigned char)text[i + 1] < 0xa0;
        putchar(octet < ' ' || octet == 127 || is_c1 ? ' ' : octet);
        i += (size_t)is_c1;
    }
}

static void on_welcome(client *c, const char *at, const char *end)
{
    uint64_t seq;
    c->id = take_number(&at, end);
    seq = take_number(&at, end);
    if (!c->is_numbered)
        c->seq = seq; /* of an earlier run with the same token */
    c->is_numbered = c->is_welcome = 1;
    acknowledged(c, seq);
    say(c);
}

static void on_said(client *c, const char *at, const char *end)
{
    uint64_t number = take_number(&at, end), id = take_number(&at, end), seq = take_number(&at, end);
    const char *text = memchr(at, '\n', (size_t)(end - at));
    if (text == NULL || number <= c->seen)
        return;
    c->seen = number;
    print_text(at, (size_t)(text - at));
    printf(": ");
    print_text(text + 1, (size_t)(end - text - 1));
    printf("\n");
    if (id == c->id)
        acknowledged(c, seq);
}

static void on_people(client *c, uint64_t people)
{
    if (people != c->people)
        printf("* %" PRIu64 " %s\n", people, people == 1 ? "person" : "people");
    c->people = people;
}

static void on_error(client *c, const char *at, const char *end)
{
    printf("* error: ");
    print_text(at, (size_t)(end - at));
    printf("\n");
    if (!c->is_welcome)
        give_up(c, TENON_CLOSE_NORMAL); /* it was about the hello, which is always the same */
}

/* Whether a message begins with a word; moves on behind it. */
static int is_verb(const char **at, const char *end, const char *word)
{
    size_t size = strlen(word);
    if ((size_t)(end - *at) < size || memcmp(*at, word, size) != 0)
        return 0;
    *at += size;
    return 1;
}

static void on_message(client *c, const tenon_event *event)
{
    const char *at = (const char *)event->data, *end = at + event->size;
    if (is_verb(&at, end, "said ")) {
        on_said(c, at, end);
    } else if (is_verb(&at, end, "welcome ")) {
        on_welcome(c, at, end);
    } else if (is_verb(&at, end, "people ")) {
        on_people(c, take_number(&at, end));
    } else if (is_verb(&at, end, "rtt ")) {
        printf("* rtt %" PRIu64 " ms\n", take_number(&at, end));
    } else if (is_verb(&at, end, "error ")) {
        on_error(c, at, end);
    }
    leave_if_done(c);
}

/* ------------------------------------------------------------------- events */

static void on_open(client *c)
{
    char hello[256];
    int size = snprintf(hello, sizeof hello, "hello %s %" PRIu64 " %s", c->token, c->seen, c->name);
    printf("open\n");
    c->opened_at = wire_now(NULL);
    if (tenon_send(c->live.conn, TENON_TEXT, hello, (size_t)size, 0) != TENON_OK)
        give_up(c, TENON_CLOSE_INTERNAL); /* a name that is no UTF-8 */
}

static void on_closed(client *c, const tenon_event *event)
{
    printf("closed: %u, %s", event->code, tenon_close_name(event->code));
    if (event->size > 0) {
        printf(", ");
        print_text((const char *)event->data, event->size);
    }
    if (event->rule != TENON_RULE_NONE)
        printf("; %s (%s)", tenon_rule_text(event->rule), tenon_rule_section(event->rule));
    printf("\n");
    c->closed_at = wire_now(NULL);
}

static int on_event(tenon_conn *conn, const tenon_event *event, void *user)
{
    client *c = user;
    tenon_head head;
    switch (event->type) {
    case TENON_EV_OPEN:
        on_open(c);
        break;
    case TENON_EV_RESPONSE:
        if (tenon_head_get(conn, &head) == TENON_OK)
            printf("refused: %u\n", head.status);
        break;
    case TENON_EV_DATA:
        on_message(c, event);
        break;
    case TENON_EV_WRITABLE:
        say(c);
        break;
    case TENON_EV_RELEASED:
        ((unsaid *)event->cookie)->is_held = 0;
        tidy(c);
        leave_if_done(c);
        break;
    case TENON_EV_CLOSED:
        on_closed(c, event);
        break;
    default:
        break;
    }
    fflush(stdout);
    return TENON_CONTINUE;
}

/* --------------------------------------------------------------- connecting */

static void try_later(client *c)
{
    uint64_t open_ms = c->opened_at != 0 ? c->closed_at - c->opened_at : 0;
    uint32_t delay;
    uint8_t random[4];
    c->opened_at = 0;
    if (open_ms > 0)
        c->backoff.failures = 0; /* a server that opens is there */
    if (wire_random(NULL, random, sizeof random) != 0 || c->backoff.failures >= c->retries ||
        tenon_backoff_next(&c->backoff, open_ms, random, &delay) != TENON_OK) {
        c->result = 1;
        ev_break(c->loop, EVBREAK_ALL);
        return;
    }
    printf("retry in %u ms\n", (unsigned)delay);
    fflush(stdout);
    ev_timer_set(&c->retry, delay / 1000., 0.);
    ev_timer_start(c->loop, &c->retry);
}

static void on_gone(live *l)
{
    client *c = (client *)l;
    c->is_online = c->is_welcome = 0;
    take_back(c);
    if (c->is_input_over && c->first == NULL)
        ev_break(c->loop, EVBREAK_ALL);
    else
        try_later(c);
}

static void on_retry(struct ev_loop *loop, ev_timer *watcher, int events)
{
    client *c = watcher->data;
    int status, fd = wire_connect(c->uri);
    (void)loop;
    (void)events;
    c->live.on_event = on_event;
    c->live.on_gone = on_gone;
    if (fd < 0 || live_start(&c->live, &c->hub, fd, &c->config) != 0) {
        if (fd >= 0)
            close(fd);
        try_later(c);
        return;
    }
    c->is_online = 1;
    status = tenon_connect(c->live.conn, &c->request);
    if (status != TENON_OK) {
        fprintf(stderr, "chat_client: the request cannot be made: %s\n", tenon_status_name(status));
        c->retries = 0;
        live_abort(&c->live);
    }
}

/* -------------------------------------------------------------------- input */

static void add_line(client *c, const char *text, size_t size)
{
    unsaid *u = calloc(1, sizeof *u);
    if (size == 0 || size > LINE_SIZE_MAX || u == NULL || (u->message = malloc(size)) == NULL) {
        if (size > LINE_SIZE_MAX)
            fprintf(stderr, "too long, and not said: %zu octets of at most %zu\n", size, LINE_SIZE_MAX);
        free(u);
        return;
    }
    memcpy(u->message, text, size);
    u->size = size;
    *c->end = u;
    c->end = &u->next;
}

/* Takes the lines out of what was typed. */
static void take_lines(client *c)
{
    char *at = c->input, *stop = c->input + c->input_size, *newline;
    while (at < stop && (newline = memchr(at, '\n', (size_t)(stop - at))) != NULL) {
        add_line(c, at, (size_t)(newline - at));
        at = newline + 1;
    }
    c->input_size = (size_t)(stop - at);
    memmove(c->input, at, c->input_size);
}

/* Room for more of a line: 0, or -1. */
static int make_input_room(client *c)
{
    size_t room = c->input_room == 0 ? 65536 : c->input_room * 2;
    char *larger;
    if (c->input_size < c->input_room)
        return 0;
    larger = realloc(c->input, room);
    if (larger == NULL)
        return -1;
    c->input = larger;
    c->input_room = room;
    return 0;
}

static void on_typed(struct ev_loop *loop, ev_io *watcher, int events)
{
    client *c = watcher->data;
    ssize_t got = make_input_room(c) == 0 ? read(watcher->fd, c->input + c->input_size, c->input_room - c->input_size) : 0;
    (void)events;
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got > 0) {
        c->input_size += (size_t)got;
        take_lines(c);
    } else {
        add_line(c, c->input, c->input_size); /* a last one without its end */
        c->is_input_over = 1;
        ev_io_stop(loop, watcher);
    }
    if (c->is_online && live_ready(&c->live)) {
        say(c);
        leave_if_done(c);
        live_soon(&c->live);
    } else {
        leave_if_done(c);
    }
}

/* --------------------------------------------------------------------- main */

static void on_signal(struct ev_loop *loop, ev_signal *watcher, int events)
{
    client *c = watcher->data;
    (void)events;
    c->is_input_over = 1;
    while (c->first != NULL && !c->is_online)
        drop(c, &c->first);
    if (!c->is_online || !live_ready(&c->live)) {
        ev_break(loop, EVBREAK_ALL);
        return;
    }
    give_up(c, TENON_CLOSE_GOING_AWAY);
    live_soon(&c->live);
}

static void run(client *c)
{
    c->loop = ev_default_loop(0);
    live_hub_init(&c->hub, c->loop, c->deflate.codec != NULL ? &c->deflate : NULL);
    ev_io_init(&c->typed, on_typed, 0, EV_READ);
    ev_timer_init(&c->retry, on_retry, 0., 0.);
    ev_signal_init(&c->term, on_signal, SIGTERM);
    ev_signal_init(&c->interrupt, on_signal, SIGINT);
    c->typed.data = c->retry.data = c->term.data = c->interrupt.data = c;
    ev_io_start(c->loop, &c->typed);
    ev_timer_start(c->loop, &c->retry);
    ev_signal_start(c->loop, &c->term);
    ev_signal_start(c->loop, &c->interrupt);
    ev_run(c->loop, 0);
    while (c->is_online) { /* nobody listens any more */
        c->retries = 0;
        live_abort(&c->live);
        ev_run(c->loop, EVRUN_NOWAIT);
    }
    live_hub_free(&c->hub);
    while (c->first != NULL)
        drop(c, &c->first);
    free(c->input);
    ev_loop_destroy(c->loop);
}

/* Without stdin, stdout or stderr a socket would take its place: nothing does instead. */
static void fill_standard_files(void)
{
    int fd;
    do {
        fd = open("/dev/null", O_RDWR);
    } while (fd >= 0 && fd <= 2);
    if (fd >= 0)
        close(fd);
}

/* A random token: 0, or -1. */
static int make_token(char *token, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t random[16];
    size_t i;
    if (wire_random(NULL, random, sizeof random) != 0)
        return -1;
    for (i = 0; i + 1 < size && i < 2 * sizeof random; i++)
        token[i] = digits[random[i / 2] >> (i % 2 * 4) & 15];
    token[i] = '\0';
    return 0;
}

static const struct option options[] = {
    {"name", required_argument, NULL, 'n'},          {"token", required_argument, NULL, 'k'},
    {"origin", required_argument, NULL, 'o'},        {"ping-interval", required_argument, NULL, 'i'},
    {"pong-timeout", required_argument, NULL, 't'},  {"retry-first", required_argument, NULL, 'f'},
    {"retry-base", required_argument, NULL, 'b'},    {"retry-cap", required_argument, NULL, 'c'},
    {"retries", required_argument, NULL, 'r'},       {"deflate", no_argument, NULL, 'd'},
    {NULL, 0, NULL, 0},
};

/* A number of an option, or the end of the program. */
static uint32_t number(const char *option, const char *text)
{
    char *end;
    unsigned long n;
    errno = 0;
    n = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || n == 0 || n >= TENON_OFF) {
        fprintf(stderr, "chat_client: --%s takes a number from 1 on, not '%s'\n", option, text);
        exit(2);
    }
    return (uint32_t)n;
}

/* Reads the arguments: 0, or -1. */
static int configure(client *c, int argc, char **argv)
{
    int option, index;
    while ((option = getopt_long(argc, argv, "", options, &index)) != -1) {
        const char *name = option == '?' ? "" : options[index].name;
        switch (option) {
        case 'n': c->name = optarg; break;
        case 'o': c->origin = optarg; break;
        case 'i': c->config.ping_ms = number(name, optarg); break;
        case 't': c->config.pong_ms = number(name, optarg); break;
        case 'f': c->backoff.first_ms = number(name, optarg); break;
        case 'b': c->backoff.base_ms = number(name, optarg); break;
        case 'c': c->backoff.cap_ms = number(name, optarg); break;
        case 'r': c->retries = number(name, optarg); break;
        case 'd': c->deflate.codec = codec_needed("chat_client"); break;
        case 'k':
            if (strlen(optarg) < sizeof c->token) {
                memcpy(c->token, optarg, strlen(optarg) + 1);
                break;
            }
            /* fall through */
        default: return -1;
        }
    }
    if (optind + 1 != argc || strlen(c->name) > 64)
        return -1;
    c->uri = argv[optind];
    return 0;
}

int main(int argc, char **argv)
{
    static const char *const subprotocols[] = {"chat.tenon"};
    static client c;
    fill_standard_files();
    c.end = &c.first;
    c.name = "somebody";
    c.retries = UINT32_MAX;
    c.backoff.size = sizeof c.backoff;
    tenon_config_client(&c.config, sizeof c.config);
    c.config.flags = TENON_REQUIRE_SUBPROTOCOL;
    c.config.random = wire_random;
    c.config.max_message = LINE_SIZE_MAX + 4096;
    c.config.ping_ms = 10000;
    c.config.pong_ms = 10000;
    if (make_token(c.token, sizeof c.token) != 0 || configure(&c, argc, argv) != 0) {
        fprintf(stderr, "usage: chat_client [--name NAME] [--token TOKEN] [--origin ORIGIN] [--ping-interval MS]\n"
                        "                   [--pong-timeout MS] [--retry-first MS] [--retry-base MS]\n"
                        "                   [--retry-cap MS] [--retries N] [--deflate] URL\n");
        return 2;
    }
    c.deflate.size = sizeof c.deflate;
    if (c.deflate.codec != NULL)
        tenon_config_deflate(&c.config, &c.deflate);
    c.request.size = sizeof c.request;
    c.request.uri = c.uri;
    c.request.origin = c.origin;
    c.request.subprotocols = subprotocols;
    c.request.subprotocol_count = 1;
    run(&c);
    return c.result;
}
