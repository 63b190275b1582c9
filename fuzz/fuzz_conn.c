/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes a connection. The first HEAD octets of an input choose everything but
 * the stream: role, start, limits, buffers, clock, what the program does, how it
 * ends. The rest is the stream, as it is or as commands from which well-formed
 * frames are built.
 *
 * The same stream is then run several times with a queue that never refuses: at
 * once, octet by octet, in pieces, and through tenon_run or tenon_pump. Log,
 * output and end must be the same, and what a slow reader of the same octets
 * expects. A last run has a small queue that drains badly: there only what always
 * holds is checked, and that nothing but Pongs may be missing if no send was
 * refused. All lent memory ends where nothing is mapped.
 *
 * In a replay the stream is run once more for each place where it can be cut in two.
 *
 * -DTENON_FUZZ_ROLE=TENON_SERVER or TENON_CLIENT keeps to inputs of that role.
 */
#include "common.h"
#include "oracle.h"
#include "tenon/frame.h"
#include "tenon/handshake.h"
#include "tenon/tenon.h"

/* ------------------------------------------------------------------ the plan */

/* Octets of an input that are the plan. */
#define HEAD 24
#define TICKS 4

/* A queue for which nothing is too big of what a stream of this size can ask: at
 * worst a message as long as the stream, echoed in frames of one octet. */
#define STREAM_MAX 8192
#define ROOMY_TX (1u << 16)

/* rx that a message may be given; more is never going to arrive. */
#define RX_MAX (1u << 16)

enum { DECIDE_ACCEPT, DECIDE_ACCEPT_LATER, DECIDE_ACCEPT_TICK, DECIDE_REJECT_COPY, DECIDE_REJECT_REF,
       DECIDE_REJECT_LATER, DECIDE_NEVER, DECIDE_CLOSE };

enum { ANSWER_NONE, ANSWER_SEND, ANSWER_PARTS, ANSWER_REF, ANSWER_PREPARED, ANSWER_COPY, ANSWER_PING, ANSWER_TWICE };

enum { END_EOF, END_ABORT_LOCAL, END_ABORT_REMOTE, END_TIME };

typedef struct plan {
    tenon_config config;
    int http;
    size_t rx_size, tx_size; /* tx: of the run that drains badly */
    int rx_late, tx_late;    /* lent when it is wanted; tx only where it drains badly */
    uint32_t rsv_first, rsv_next, grant_flags;
    int grant_early;
    int decision, answer;
    int greet, greet_early, on_ping, on_close, with_subprotocol, with_header, with_extension, send_rsv;
    unsigned close_after, abort_after; /* so many things that happen; 0: never */
    unsigned close_kind;
    unsigned again;       /* one event in so many comes twice; 0: none */
    unsigned random_fails; /* the call that fails; 0: none */
    int end;
    int pump;  /* a run through tenon_pump, instead of tenon_run; time then begins at once */
    int flush; /* the run that drains badly does so only between two times */
    size_t tick_at[TICKS];
    uint32_t tick_ms[TICKS];
    size_t ticks;
    uint32_t seed;
    bytes stream;
} plan;

/* What the random callback gives: the same in every run, so that a client's
 * handshake can stand in a corpus. */
static uint8_t random_octet(uint32_t *seed)
{
    return (uint8_t)(fuzz_draw(seed) >> 16);
}

#define RANDOM_SEED 0x74656e6fu

static void plan_limits(plan *p, const uint8_t *h)
{
    static const uint64_t message[4] = {0, 20, TENON_OFF, 600};
    static const uint32_t fragments[4] = {0, 3, TENON_OFF, 1};
    static const uint32_t control[4] = {0, 2, TENON_OFF, 1};
    static const uint32_t frame_out[4] = {0, 7, 1, 125};
    static const size_t rx[4] = {256, 400, 4096, 20000};
    static const size_t tx[4] = {512, 523, 700, 2048};
    static const uint32_t head[4] = {0, 300, TENON_OFF, 0};
    static const uint32_t headers[4] = {0, 100, TENON_OFF, 8};
    tenon_config *c = &p->config;
    c->max_message = message[h[1] & 3];
    c->max_fragments = fragments[h[1] >> 2 & 3];
    c->max_control = control[h[1] >> 4 & 3];
    c->max_frame_out = frame_out[h[1] >> 6];
    p->rx_size = rx[h[2] & 3];
    p->tx_size = tx[h[2] >> 2 & 3];
    c->max_head = head[h[2] >> 4 & 3];
    c->max_headers = headers[h[2] >> 4 & 3];
    c->max_target = (h[2] >> 4 & 3) == 3 ? 20 : (h[2] >> 4 & 3) == 2 ? TENON_OFF : 0;
    /* the default for max_message follows from rx, so then it is there from the beginning */
    p->rx_late = (h[2] & 0x40) != 0 && c->max_message != 0;
    p->flush = (h[2] & 0x80) != 0;
}

static void plan_program(plan *p, const uint8_t *h)
{
    p->rsv_first = (h[3] & 7u) << 4;
    p->rsv_next = (h[3] >> 3 & 7u) << 4;
    p->grant_flags = (h[3] & 0x40) != 0 ? TENON_OPAQUE : 0;
    p->grant_early = (h[3] & 0x80) != 0;
    p->answer = h[4] & 7;
    p->send_rsv = (h[4] & 8) != 0;
    p->greet = (h[4] & 16) != 0;
    p->greet_early = (h[4] & 32) != 0;
    p->on_ping = (h[4] & 64) != 0;
    p->on_close = (h[4] & 128) != 0;
    p->close_after = h[5] & 0x1f;
    p->close_kind = h[5] >> 5;
    p->decision = h[6] & 7;
    p->with_subprotocol = (h[6] & 8) != 0;
    p->with_header = (h[6] & 16) != 0;
    p->with_extension = (h[6] & 32) != 0;
    p->again = h[7] & 7;
    p->abort_after = h[7] >> 3;
    p->random_fails = h[9] < 0x80 ? 0 : (h[9] & 31) + 1u;
}

static void plan_time(plan *p, const uint8_t *h)
{
    tenon_config *c = &p->config;
    size_t i, at = 0;
    c->idle_ms = (h[8] & 1) != 0 ? 50 : 0;
    c->ping_ms = (h[8] & 2) != 0 ? 30 : 0;
    c->pong_ms = (h[8] & 4) != 0 ? 20 : 0;
    c->close_ms = (h[8] & 8) != 0 ? 10 : (h[8] & 16) != 0 ? TENON_OFF : 0;
    c->stall_ms = (h[8] & 32) != 0 ? 15 : (h[8] & 64) != 0 ? TENON_OFF : 0;
    c->handshake_ms = (h[8] & 128) != 0 ? 40 : 0;
    p->end = h[10] & 3;
    p->ticks = (h[10] >> 2) % (TICKS + 1);
    for (i = 0; i < p->ticks; i++) {
        at += h[11 + 2 * i];
        p->tick_at[i] = at;
        p->tick_ms[i] = h[12 + 2 * i];
    }
    p->seed = (uint32_t)(h[19] | h[20] << 8 | h[21] << 16) * 2 + 1;
    p->pump = (h[22] & 1) != 0;
    p->tx_late = (h[22] & 2) != 0 && !(p->http && c->role == TENON_CLIENT);
}

/* -------------------------------------------------------- building a stream */

/* The fuzzer's octets as commands. */
typedef struct script {
    const uint8_t *p;
    size_t left;
    uint32_t keys;
    int masked;
} script;

static unsigned script_octet(script *s)
{
    if (s->left == 0)
        return 0;
    s->left--;
    return *s->p++;
}

/* A payload octet; text: one that keeps the whole UTF-8, so it may be several. */
static void script_payload(script *s, bytes *to, size_t n, int text)
{
    static const char *const characters[8] = {"\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf",
                                              "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "\xe2\x82\xac"};
    while (n > 0) {
        unsigned c = script_octet(s);
        n--;
        if (text && c >= 0x80)
            bytes_add(to, characters[c & 7], strlen(characters[c & 7]));
        else
            bytes_octet(to, c);
    }
}

/* errors: 16 wrong mask bit, 32 an RSV bit, 64 a longer length than needed, 128
 * a length of more than is there. */
static void script_frame(script *s, bytes *out, unsigned first, const bytes *payload, unsigned errors)
{
    uint64_t n = payload->size + ((errors & 128) != 0 ? 1u + script_octet(s) : 0u);
    int masked = s->masked ^ ((errors & 16) != 0);
    unsigned size = n < 126 ? 0 : n < 65536 ? 2 : 8;
    uint8_t key[4] = {0, 0, 0, 0};
    size_t i;
    if (errors & 64)
        size = size == 0 ? 2 : 8;
    bytes_octet(out, first | ((errors & 32) != 0 ? 0x40 : 0));
    bytes_octet(out, (unsigned)(masked ? 0x80 : 0) | (size == 0 ? (unsigned)n : size == 2 ? 126u : 127u));
    while (size > 0)
        bytes_octet(out, (unsigned)(n >> (8 * --size)) & 0xff);
    for (i = 0; i < 4; i++)
        key[i] = random_octet(&s->keys);
    if (masked)
        bytes_add(out, key, 4);
    for (i = 0; i < payload->size; i++)
        bytes_octet(out, payload->data[i] ^ (masked ? key[i & 3] : 0u));
}

static void script_close(script *s, bytes *payload, unsigned kind)
{
    static const unsigned codes[8] = {1000, 1001, 1007, 1014, 3000, 4999, 1005, 1015};
    unsigned code = codes[kind & 7];
    if ((kind & 0x18) == 0x18)
        return;
    bytes_octet(payload, code >> 8);
    bytes_octet(payload, code & 0xff);
    script_payload(s, payload, kind >> 5, 1);
}

/* One command: kind in the low half, errors in the high one. */
static void script_step(script *s, bytes *out, bytes *payload)
{
    static const uint8_t first[16] = {0x81, 0x82, 0x00, 0x80, 0x89, 0x8a, 0x88, 0x01,
                                      0x02, 0x82, 0x81, 0x82, 0x00, 0x81, 0x00, 0x83};
    unsigned command = script_octet(s), kind = command & 15;
    unsigned n = kind < 10 || kind == 13 ? script_octet(s) : 0;
    unsigned i;
    payload->size = 0;
    switch (kind) {
    case 6:
        script_close(s, payload, n);
        break;
    case 9: /* long */
        for (i = 0; i < n * 4; i++)
            bytes_octet(payload, i & 0x7f);
        break;
    case 10: /* octets as they are */
        n = script_octet(s) & 63;
        script_payload(s, out, n, 0);
        return;
    case 11: /* a huge length */
        bytes_octet(out, 0x82);
        bytes_octet(out, s->masked ? 0xff : 0x7f);
        script_payload(s, out, 12, 0);
        return;
    case 12: /* many empty ones */
        for (i = script_octet(s) & 31; i > 0; i--)
            script_frame(s, out, (command & 64) != 0 ? 0x89 : 0x00, payload, 0);
        return;
    case 13: /* text that may be bad */
    case 14:
        script_payload(s, payload, n & 31, 0);
        break;
    default:
        script_payload(s, payload, n & 63, kind != 1 && kind != 8);
        break;
    }
    script_frame(s, out, first[kind], payload, command & 0xf0);
}

static void prepend_request(bytes *out)
{
    static const char request[] = "GET /chat?x=1 HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\n"
                                  "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                                  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: chat, x\r\n\r\n";
    bytes_add(out, request, sizeof request - 1);
}

static void prepend_answer(bytes *out)
{
    static const char head[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                               "Sec-WebSocket-Accept: ";
    char key[TENON_KEY_SIZE + 1], accept[TENON_ACCEPT_SIZE + 1];
    uint32_t seed = RANDOM_SEED;
    uint8_t nonce[16];
    size_t i;
    for (i = 0; i < sizeof nonce; i++)
        nonce[i] = random_octet(&seed);
    tenon_key_make(nonce, key);
    tenon_key_accept(key, TENON_KEY_SIZE, accept);
    bytes_add(out, head, sizeof head - 1);
    bytes_add(out, accept, TENON_ACCEPT_SIZE);
    bytes_add(out, "\r\n\r\n", 4);
}

static void plan_stream(plan *p, unsigned how, const uint8_t *data, size_t n)
{
    int server = p->config.role == TENON_SERVER;
    bytes payload = {NULL, 0, 0};
    script s;
    if (p->http && (how & 4) != 0) {
        if (server)
            prepend_request(&p->stream);
        else
            prepend_answer(&p->stream);
    }
    memset(&s, 0, sizeof s);
    s.p = data;
    s.left = n;
    s.keys = p->seed;
    s.masked = server;
    if ((how & 8) == 0)
        bytes_add(&p->stream, data, n);
    else
        while (s.left > 0 && p->stream.size < STREAM_MAX)
            script_step(&s, &p->stream, &payload);
    free(payload.data);
    bytes_octet(&p->stream, 0); /* there is memory, even for a stream of nothing */
    p->stream.size--;
    if (p->stream.size > STREAM_MAX)
        p->stream.size = STREAM_MAX;
}

/* ------------------------------------------------------------------ one run */

enum { RUN_WHOLE, RUN_OCTETS, RUN_PIECES, RUN_CALLBACK, RUN_PUMP, RUN_BADLY, RUN_SPLIT };

/* What happened, as it may be compared. */
typedef struct entry {
    uint16_t type, flags, rule, code, sent_code, received_code;
    uint8_t opcode, cause;
    uint32_t rtt_ms;
    uint64_t offset, frame_size;
    size_t data, size; /* in the pool */
} entry;

/* Memory that was sent by reference. */
typedef struct loan {
    uint8_t *data;
    int held; /* by the connection */
    tenon_prepared prepared;
} loan;

/* An octet that was offered, and where it lay. */
typedef struct offer {
    const uint8_t *at;
    uint8_t octet;
} offer;

typedef struct run {
    plan *p;
    int kind;
    size_t split;  /* RUN_SPLIT: where */
    uint32_t seed; /* of cuts and draining */
    tenon_config config;
    tenon_conn *conn;
    tenon_stats stats;
    void *storage;
    uint8_t *rx, *tx;
    size_t rx_size, tx_size;
    uint64_t now;
    int ticked;
    unsigned random_calls;
    uint32_t random_seed;
    tenon_request request;
    tenon_header header;

    /* input */
    uint8_t *lent;
    size_t lent_size, lent_at; /* its place in the stream */
    int lent_const;
    size_t given, segment; /* pump: octets it has read, and may read up to */
    int eof;
    size_t ticks_left;
    size_t gone_on[TICKS + 1]; /* where the clock went on */
    size_t gone_on_count;

    /* output */
    bytes out;
    offer *offers;
    size_t offer_count, offer_room;
    int generous; /* this is taken at once, even where it drains badly */

    /* what the program knows */
    entry *log;
    size_t log_count, log_room;
    bytes pool, message;
    size_t message_whole; /* of its octets, those that are whole characters */
    loan *loans;
    size_t loan_count, loan_room, loans_held;
    unsigned happened;
    int in_callback, pending_decision, again_done;
    int asked_close;
    size_t asked_at; /* entries of the log then */
    size_t pings, own_pongs;
    bytes retry; /* what was refused last */
    int retry_kind, retry_opcode;
    uint32_t retry_flags;
    int writable_due, was_refused;

    /* what must hold */
    int requested, decided, opened, responded, close_seen, closed, accepted;
    int message_open, frame_open;
    uint64_t frame_size, frame_have;
    uint8_t message_opcode;
    uint64_t open_at;
    size_t calls;
    tenon_event ending, last;
    int rx_exchanged;
} run;

static const char *const run_names[] = {"whole", "octets", "pieces", "callback", "pump", "badly drained", "split"};

static void print_log(const run *r)
{
    size_t i;
    fprintf(stderr, "%s:\n", run_names[r->kind]);
    for (i = 0; i < r->log_count; i++) {
        const entry *e = &r->log[i];
        fprintf(stderr, "  %-8s flags %04x opcode %u size %lu offset %lu frame %lu code %u sent %u received %u %s\n",
                tenon_event_name(e->type), e->flags, e->opcode, (unsigned long)e->size, (unsigned long)e->offset,
                (unsigned long)e->frame_size, e->code, e->sent_code, e->received_code, tenon_rule_name(e->rule));
    }
    fprintf(stderr, "  %lu octets of output", (unsigned long)r->out.size);
    for (i = 0; i < r->out.size; i++)
        fprintf(stderr, "%s%02x", i % 32 == 0 ? "\n    " : "", r->out.data[i]);
    fputc('\n', stderr);
}

static void failed(const run *r, const char *what, int line)
{
    fprintf(stderr, "fuzz_conn.c:%d: %s\n  run: %s, %s, after %lu octets, %lu entries\n", line, what,
            run_names[r->kind], r->p->config.role == TENON_SERVER ? "server" : "client",
            (unsigned long)r->stats.octets_in, (unsigned long)r->log_count);
    print_log(r);
    abort();
}

#define CHECK(r, what) ((what) ? (void)0 : failed(r, #what, __LINE__))

static int one_in(run *r, unsigned n)
{
    return n > 0 && fuzz_draw(&r->seed) % n == 0;
}

/* Whether the queue never refuses. */
static int is_roomy(const run *r)
{
    return r->kind != RUN_BADLY;
}

static int run_random(void *user, void *out, size_t n)
{
    run *r = user;
    uint8_t *to = out;
    size_t i;
    if (++r->random_calls == r->p->random_fails)
        return -1;
    for (i = 0; i < n; i++)
        to[i] = random_octet(&r->random_seed);
    return 0;
}

/* ------------------------------------------------------------------- output */

/* What is offered begins with what was offered before, at the same place. */
static size_t check_offer(run *r, const tenon_iov *iov, size_t count)
{
    size_t i, k, n = 0;
    for (i = 0; i < count; i++) {
        const uint8_t *base = iov[i].base;
        CHECK(r, iov[i].size > 0);
        for (k = 0; k < iov[i].size; k++, n++) {
            if (n < r->offer_count) {
                CHECK(r, r->offers[n].at == base + k && r->offers[n].octet == base[k]);
                continue;
            }
            if (n == r->offer_room) {
                r->offer_room = r->offer_room * 2 + 256;
                r->offers = realloc(r->offers, r->offer_room * sizeof *r->offers);
                if (r->offers == NULL)
                    abort();
            }
            r->offers[n].at = base + k;
            r->offers[n].octet = base[k];
            r->offer_count = n + 1;
        }
    }
    return n;
}

static void acknowledge(run *r, size_t n, size_t shown)
{
    size_t i;
    if (one_in(r, 8))
        CHECK(r, tenon_sent(r->conn, shown + 1) == TENON_ERR_ACK);
    CHECK(r, tenon_sent(r->conn, n) == TENON_OK);
    for (i = 0; i < n; i++)
        bytes_octet(&r->out, r->offers[i].octet);
    r->offer_count -= n;
    memmove(r->offers, r->offers + n, r->offer_count * sizeof *r->offers);
}

/* Takes output: all there is, or, where it drains badly, a little at times. */
static void drain(run *r)
{
    int all = is_roomy(r) || r->generous;
    tenon_iov iov[8];
    size_t count, shown, n;
    if (r->conn == NULL)
        return;
    do {
        CHECK(r, tenon_out(r->conn, iov, all ? COUNT_OF(iov) : 1 + fuzz_draw(&r->seed) % COUNT_OF(iov), &count) == TENON_OK);
        shown = check_offer(r, iov, count);
        CHECK(r, shown <= tenon_queued(r->conn) && (shown > 0) == (tenon_queued(r->conn) > 0));
        CHECK(r, (shown > 0) == ((tenon_wants(r->conn) & TENON_WANTS_WRITE) != 0));
        if (shown == 0)
            return;
        n = shown;
        if (!all && one_in(r, 2))
            return;
        if (!all)
            n = fuzz_draw(&r->seed) % (shown < 9 ? shown + 1 : 9);
        else if (r->kind != RUN_WHOLE)
            n = 1 + fuzz_draw(&r->seed) % shown;
        acknowledge(r, n, shown);
    } while (all);
}

/* ------------------------------------------------------- the program's sends */

/* A send came back: what may it say, and what of it is kept for later. */
static void judge_send(run *r, int status, int kind, int opcode, const void *data, size_t n, uint32_t flags)
{
    int open = tenon_state(r->conn) == TENON_OPEN;
    CHECK(r, status == TENON_OK || status == TENON_ERR_STATE || status == TENON_ERR_UTF8 ||
                 status == TENON_ERR_AGAIN || status == TENON_ERR_TOO_BIG || status == TENON_ERR_RANDOM ||
                 (status == TENON_ERR_ARG && kind == ANSWER_PARTS && r->was_refused)); /* of another message */
    if (is_roomy(r))
        CHECK(r, status != TENON_ERR_AGAIN && status != TENON_ERR_TOO_BIG);
    if (status == TENON_ERR_AGAIN || status == TENON_ERR_TOO_BIG)
        r->was_refused = 1;
    if (status == TENON_ERR_RANDOM)
        CHECK(r, r->p->random_fails > 0 && r->config.role == TENON_CLIENT);
    if (status == TENON_ERR_AGAIN) {
        CHECK(r, open);
        r->writable_due = 1;
        r->retry_kind = kind;
        r->retry_opcode = opcode;
        r->retry_flags = flags;
        if (data != r->retry.data) {
            r->retry.size = 0;
            bytes_add(&r->retry, data, n);
        }
    }
    drain(r);
}

static loan *new_loan(run *r, const void *data, size_t n)
{
    loan *l;
    if (r->loan_count == r->loan_room) {
        r->loan_room = r->loan_room * 2 + 16;
        r->loans = realloc(r->loans, r->loan_room * sizeof *r->loans);
        if (r->loans == NULL)
            abort();
    }
    l = &r->loans[r->loan_count++];
    memset(l, 0, sizeof *l);
    l->data = fuzz_memory(n);
    if (n > 0)
        memcpy(l->data, data, n);
    return l;
}

/* The cookie of a loan is its number, from 1. */
static void *loan_cookie(const run *r)
{
    return (void *)(uintptr_t)r->loan_count;
}

static void keep_loan(run *r, loan *l, int accepted)
{
    if (accepted) {
        l->held = 1;
        r->loans_held++;
        return;
    }
    fuzz_release(l->data);
    l->data = NULL;
    r->loan_count--;
}

static int send_loan(run *r, int kind, int opcode, const void *data, size_t n, uint32_t flags)
{
    loan *l = new_loan(r, data, n);
    int status;
    if (kind == ANSWER_REF) {
        status = tenon_send_ref(r->conn, opcode, l->data, n, flags, loan_cookie(r));
    } else {
        status = tenon_prepare(&l->prepared, sizeof l->prepared, opcode, l->data, n, 0);
        if (status == TENON_OK)
            status = tenon_send_prepared(r->conn, &l->prepared, flags | (kind == ANSWER_COPY ? TENON_COPY : 0u),
                                         loan_cookie(r));
    }
    keep_loan(r, l, status == TENON_OK && kind != ANSWER_COPY);
    return status;
}

/* One send of any kind; parts are sent with ANSWER_PARTS. */
static int send_once(run *r, int kind, int opcode, const void *data, size_t n, uint32_t flags)
{
    int status;
    switch (kind) {
    case ANSWER_PARTS:
        status = tenon_send_part(r->conn, opcode, data, n, flags);
        break;
    case ANSWER_REF:
    case ANSWER_PREPARED:
    case ANSWER_COPY:
        status = send_loan(r, kind, opcode, data, n, flags);
        break;
    case ANSWER_PING:
        n = n > TENON_CONTROL_MAX ? TENON_CONTROL_MAX : n;
        status = opcode == TENON_TEXT ? tenon_ping(r->conn, data, n) : tenon_pong(r->conn, data, n);
        r->own_pongs += opcode != TENON_TEXT && status == TENON_OK;
        break;
    default:
        status = tenon_send(r->conn, opcode, data, n, flags);
        break;
    }
    judge_send(r, status, kind, opcode, data, n, flags);
    return status;
}

static void answer(run *r, int opcode, const uint8_t *data, size_t n)
{
    int kind = r->p->answer;
    uint32_t flags = r->p->send_rsv && r->opened ? r->p->rsv_first : 0;
    size_t a = n / 3, b = n / 2;
    if (kind == ANSWER_NONE)
        return;
    if (kind == ANSWER_TWICE) {
        send_once(r, ANSWER_SEND, opcode, data, n, flags);
        kind = ANSWER_REF;
    }
    if (kind != ANSWER_PARTS) {
        send_once(r, kind, opcode, data, n, flags);
        return;
    }
    if (send_once(r, kind, opcode, data, a, flags) != TENON_OK)
        return;
    if (send_once(r, kind, opcode, data + a, b - a, 0) == TENON_OK)
        send_once(r, kind, opcode, data + b, n - b, TENON_LAST);
}

/* There is room now for what was refused last. */
static void retry(run *r)
{
    int status;
    r->writable_due = 0;
    status = send_once(r, r->retry_kind, r->retry_opcode, r->retry.data, r->retry.size, r->retry_flags);
    CHECK(r, status != TENON_ERR_AGAIN);
}

static void close_connection(run *r, unsigned kind)
{
    static const int codes[8] = {1000, 1001, TENON_CLOSE_NONE, 4999, 1011, 3000, 1010, 1000};
    const char *reason = kind >= 4 && codes[kind] != TENON_CLOSE_NONE ? "bye \xe2\x82\xac" : NULL;
    int before = tenon_state(r->conn);
    int status = tenon_close(r->conn, codes[kind], reason, reason == NULL ? 0 : strlen(reason));
    CHECK(r, tenon_close(r->conn, 1006, NULL, 0) == TENON_ERR_CODE);
    if (codes[kind] == 1010 && r->config.role == TENON_SERVER) {
        CHECK(r, status == TENON_ERR_CODE);
        return;
    }
    CHECK(r, status == TENON_OK || (status == TENON_ERR_STATE && before != TENON_OPEN) ||
                 (status == TENON_ERR_STATE && r->tx == NULL));
    r->was_refused |= r->tx == NULL;
    if (status == TENON_OK && !r->asked_close) {
        r->asked_close = 1;
        r->asked_at = r->log_count;
    }
    drain(r);
}

/* ---------------------------------------------------------------- decisions */

static int reject(run *r, unsigned status, int by_reference, const char *body)
{
    tenon_refusal refusal;
    loan *l = new_loan(r, body, strlen(body));
    int result;
    memset(&refusal, 0, sizeof refusal);
    refusal.size = sizeof refusal;
    refusal.status = (uint16_t)status;
    refusal.body = l->data;
    refusal.body_size = strlen(body);
    refusal.flags = by_reference ? 0 : TENON_COPY;
    refusal.cookie = loan_cookie(r);
    if (r->p->with_header) {
        refusal.headers = &r->header;
        refusal.header_count = 1;
    }
    result = tenon_reject(r->conn, &refusal);
    CHECK(r, result == TENON_OK || (result == TENON_ERR_TOO_BIG && !is_roomy(r)));
    keep_loan(r, l, by_reference && refusal.body_size > 0 && result == TENON_OK);
    drain(r);
    return result == TENON_OK;
}

static int accept_request(run *r)
{
    static const char *const ours[] = {"x", "chat"};
    tenon_answer how;
    tenon_head head;
    tenon_str chosen = {NULL, 0};
    int status;
    memset(&how, 0, sizeof how);
    how.size = sizeof how;
    CHECK(r, tenon_head_get(r->conn, &head) == TENON_OK);
    if (r->p->with_subprotocol)
        tenon_subprotocol_choose(&head.fields, ours, COUNT_OF(ours), &chosen);
    how.subprotocol = chosen.data;
    how.subprotocol_size = chosen.size;
    if (r->p->with_header) {
        how.headers = &r->header;
        how.header_count = 1;
    }
    how.extensions = r->p->with_extension ? "x-fuzz; a=1" : NULL;
    status = tenon_accept(r->conn, &how);
    if (status == TENON_ERR_EXTENSION && how.extensions != NULL)
        status = tenon_accept(r->conn, NULL);
    CHECK(r, status == TENON_OK || status == TENON_ERR_STATE || (status == TENON_ERR_TOO_BIG && !is_roomy(r)));
    if (status != TENON_OK)
        return 0;
    r->accepted = 1;
    drain(r);
    if (r->p->greet_early)
        send_once(r, ANSWER_SEND, TENON_TEXT, "early", 5, 0);
    return 1;
}

static void decide(run *r)
{
    int done = 0;
    r->pending_decision = 0;
    switch (r->p->decision) {
    case DECIDE_REJECT_COPY:
    case DECIDE_REJECT_LATER:
        done = reject(r, 403, 0, "no");
        break;
    case DECIDE_REJECT_REF:
        done = reject(r, 426, 1, "by reference");
        break;
    case DECIDE_CLOSE:
        break;
    default:
        if (r->p->grant_early)
            CHECK(r, tenon_grant(r->conn, r->p->rsv_first, r->p->rsv_next, r->p->grant_flags) == TENON_OK);
        done = accept_request(r);
        break;
    }
    if (!done && r->p->decision != DECIDE_CLOSE) {
        r->was_refused |= !is_roomy(r);
        done = reject(r, 500, 0, "");
    }
    if (!done)
        close_connection(r, 0);
}

/* ---------------------------------------------------------------- the log */

static entry *new_entry(run *r, const tenon_event *e)
{
    entry *to;
    if (r->log_count == r->log_room) {
        r->log_room = r->log_room * 2 + 64;
        r->log = realloc(r->log, r->log_room * sizeof *r->log);
        if (r->log == NULL)
            abort();
    }
    to = &r->log[r->log_count++];
    memset(to, 0, sizeof *to);
    to->type = e->type;
    to->flags = e->flags;
    to->rule = e->rule;
    to->code = e->code;
    to->sent_code = e->sent_code;
    to->received_code = e->received_code;
    to->opcode = e->opcode;
    to->cause = e->cause;
    to->rtt_ms = e->rtt_ms;
    to->offset = e->offset;
    to->frame_size = e->frame_size;
    to->data = r->pool.size;
    return to;
}

/* Adjacent pieces of a frame, or of a body, become one. */
static void log_event(run *r, const tenon_event *e)
{
    entry *last = r->log_count > 0 ? &r->log[r->log_count - 1] : NULL;
    int joins = last != NULL && last->type == e->type &&
                (e->type == TENON_EV_BODY || (e->type == TENON_EV_DATA && (last->flags & TENON_FRAME_LAST) == 0 &&
                                              (e->flags & TENON_FRAME_FIRST) == 0));
    if (e->type == TENON_EV_WRITABLE || e->type == TENON_EV_RELEASED)
        return;
    if (!joins)
        last = new_entry(r, e);
    last->flags |= e->flags;
    last->size += e->size;
    bytes_add(&r->pool, e->data, e->size);
}

static void log_string(run *r, tenon_str s)
{
    bytes_add(&r->pool, s.data, s.size);
    r->log[r->log_count - 1].size += s.size;
}

/* The head, too, must be the same however it came. */
static void log_head(run *r)
{
    tenon_head head;
    tenon_header field;
    size_t position = 0;
    int status = tenon_head_get(r->conn, &head);
    CHECK(r, status == (r->p->http ? TENON_OK : TENON_ERR_STATE));
    if (status != TENON_OK)
        return;
    log_string(r, head.method);
    log_string(r, head.target);
    log_string(r, head.authority);
    log_string(r, head.origin);
    log_string(r, head.reason);
    r->log[r->log_count - 1].code = head.status;
    while (tenon_header_next(&head.fields, &position, &field) == TENON_OK) {
        tenon_str name = {field.name, field.name_size}, value = {field.value, field.value_size};
        log_string(r, name);
        log_string(r, value);
    }
}

/* ------------------------------------------------ what events may come when */

static void check_data(run *r, const tenon_event *e)
{
    unsigned granted = r->p->rsv_first | r->p->rsv_next;
    int chunks = (r->config.flags & TENON_CHUNKS) != 0;
    int checked = r->p->grant_flags == 0 && (r->config.flags & TENON_RELAY) == 0;
    size_t tail, good;
    size_t from; /* what is before is known to be whole characters */
    CHECK(r, !(r->asked_close && (r->config.flags & TENON_DROP_AFTER_CLOSE) != 0));
    CHECK(r, ((e->flags & TENON_FIRST) != 0) == !r->message_open);
    CHECK(r, (e->flags & 0x70 & ~granted) == 0);
    CHECK(r, e->size > 0 || (e->flags & TENON_LAST) != 0);
    if (!r->message_open) {
        r->message.size = r->message_whole = 0;
        r->message_opcode = e->opcode;
    }
    CHECK(r, e->opcode == r->message_opcode && (e->opcode == TENON_TEXT || e->opcode == TENON_BINARY));
    CHECK(r, e->offset == r->message.size);
    bytes_add(&r->message, e->data, e->size);
    if (e->flags & TENON_FRAME_FIRST) {
        CHECK(r, !r->frame_open);
        r->frame_have = 0;
        r->frame_size = e->frame_size;
    }
    CHECK(r, ((e->flags & TENON_FRAME_FIRST) != 0) == !r->frame_open && e->frame_size == r->frame_size);
    r->frame_open = (e->flags & TENON_FRAME_LAST) == 0;
    r->frame_have += e->size;
    if (chunks)
        CHECK(r, r->frame_have <= r->frame_size && (r->frame_open || r->frame_have == r->frame_size));
    else
        CHECK(r, (e->flags & 15) == 15);
    r->message_open = (e->flags & TENON_LAST) == 0;
    CHECK(r, r->message_open || !r->frame_open);
    if (!checked || e->opcode != TENON_TEXT)
        return;
    from = r->message_whole;
    good = ref_utf8(r->message.data + from, r->message.size - from, &tail);
    CHECK(r, good == r->message.size - from && (r->message_open || tail == 0));
    r->message_whole = r->message.size - tail;
}

static void check_closed(run *r, const tenon_event *e)
{
    CHECK(r, r->loans_held == 0);
    CHECK(r, e->received_code == 0 ? e->code == 1006 : e->code == e->received_code);
    CHECK(r, (e->flags & TENON_CLEAN) == 0 || (e->sent_code != 0 && e->received_code != 0));
    CHECK(r, r->ending.rule == 0 || (r->ending.rule == e->rule && r->ending.offset == e->offset));
    CHECK(r, e->rule == TENON_RULE_NONE || e->cause != TENON_CAUSE_NONE);
    CHECK(r, e->offset <= r->stats.octets_in);
    CHECK(r, r->opened || e->code == 1006);
    if (e->received_code != 0 && e->rule != TENON_RULE_ABORT)
        CHECK(r, r->close_seen);
}

static void check_released(run *r, const tenon_event *e)
{
    size_t number = (size_t)(uintptr_t)e->cookie;
    CHECK(r, number >= 1 && number <= r->loan_count && r->loans[number - 1].held);
    r->loans[number - 1].held = 0;
    r->loans_held--;
    fuzz_release(r->loans[number - 1].data);
    r->loans[number - 1].data = NULL;
}

/* Whether this event may come after those before. */
static void check_order(run *r, const tenon_event *e)
{
    int server = r->config.role == TENON_SERVER;
    CHECK(r, !r->closed);
    CHECK(r, !r->close_seen || e->type == TENON_EV_RELEASED || e->type == TENON_EV_CLOSED);
    switch (e->type) {
    case TENON_EV_REQUEST:
        CHECK(r, server && r->p->http && !r->requested && !r->opened);
        r->requested = 1;
        break;
    case TENON_EV_RESPONSE:
        CHECK(r, !server && r->p->http && !r->responded && !r->opened);
        r->responded = 1;
        break;
    case TENON_EV_OPEN:
        CHECK(r, !r->opened && !r->responded && (r->accepted || !server || !r->p->http));
        r->opened = 1;
        r->open_at = r->stats.octets_in;
        break;
    case TENON_EV_BODY:
        CHECK(r, r->responded && e->size > 0);
        break;
    case TENON_EV_RELEASED:
        CHECK(r, r->opened || tenon_state(r->conn) >= TENON_CLOSING);
        check_released(r, e);
        break;
    case TENON_EV_WRITABLE:
        CHECK(r, r->opened && r->writable_due && tenon_state(r->conn) == TENON_OPEN);
        break;
    case TENON_EV_CLOSED:
        check_closed(r, e);
        r->closed = 1;
        break;
    default:
        CHECK(r, e->type >= TENON_EV_DATA && e->type <= TENON_EV_CLOSE && r->opened);
        break;
    }
    if (e->type == TENON_EV_CLOSE)
        r->close_seen = 1;
    if (e->type == TENON_EV_DATA)
        check_data(r, e);
    if (e->type >= TENON_EV_PING && e->type <= TENON_EV_CLOSE)
        CHECK(r, e->size <= TENON_CONTROL_MAX && !(r->frame_open && (r->config.flags & TENON_CHUNKS) != 0));
}

/* ---------------------------------------------------- what the program does */

static void on_open(run *r)
{
    if (!r->p->grant_early || (r->p->http && r->config.role == TENON_CLIENT))
        CHECK(r, tenon_grant(r->conn, r->p->rsv_first, r->p->rsv_next, r->p->grant_flags) == TENON_OK);
    if (r->p->greet) {
        send_once(r, ANSWER_SEND, TENON_TEXT, "hello", 5, 0);
        send_once(r, ANSWER_PING, TENON_TEXT, "?", 1, 0);
    }
}

static void on_request(run *r)
{
    int decision = r->p->decision;
    if (decision == DECIDE_ACCEPT_LATER || decision == DECIDE_REJECT_LATER || decision == DECIDE_ACCEPT_TICK)
        r->pending_decision = 1;
    else if (decision != DECIDE_NEVER)
        decide(r);
}

/* What happens on a thing that the normalised log shows. */
static void react(run *r, const tenon_event *e)
{
    if ((r->config.flags & TENON_RELAY) != 0 && e->type == TENON_EV_CLOSE && r->p->on_close)
        close_connection(r, e->code == TENON_CLOSE_NONE ? 2 : 0);
    switch (e->type) {
    case TENON_EV_REQUEST:
        on_request(r);
        break;
    case TENON_EV_OPEN:
        on_open(r);
        break;
    case TENON_EV_DATA:
        answer(r, e->opcode, r->message.data, r->message.size);
        break;
    case TENON_EV_PING:
        r->pings++;
        if (r->p->on_ping)
            send_once(r, ANSWER_PING, (r->pings & 1) != 0 ? TENON_BINARY : TENON_TEXT, e->data, e->size, 0);
        break;
    default:
        break;
    }
    r->happened++;
    if (r->happened == r->p->close_after)
        close_connection(r, r->p->close_kind);
    if (r->happened == r->p->abort_after) {
        if (is_roomy(r))
            drain(r); /* so that what is lost does not depend on when it was taken */
        CHECK(r, tenon_abort(r->conn, TENON_LOCAL) == TENON_OK);
        CHECK(r, tenon_queued(r->conn) == 0 && tenon_state(r->conn) == TENON_CLOSED);
        r->offer_count = 0;
    }
}

/* Octets behind those that were used are as they were, and all of them where
 * nothing may be written. */
static void check_lent(run *r)
{
    const uint8_t *stream = r->p->stream.data;
    size_t used = r->lent == NULL ? 0 : (size_t)r->stats.octets_in - r->lent_at;
    size_t from = r->lent_const || r->config.role == TENON_CLIENT ? 0 : used;
    if (r->lent == NULL)
        return;
    CHECK(r, used <= r->lent_size);
    CHECK(r, memcmp(r->lent + from, stream + r->lent_at + from, r->lent_size - from) == 0);
}

static void forget_connection(run *r)
{
    fuzz_release(r->storage);
    fuzz_release(r->rx);
    fuzz_release(r->tx);
    fuzz_release(r->lent);
    r->storage = NULL;
    r->rx = r->tx = r->lent = NULL;
    r->conn = NULL;
}

/* After CLOSED there is nothing but TENON_OK. */
static void after_closed(run *r)
{
    tenon_event e;
    const void *rest;
    size_t n;
    CHECK(r, tenon_wants(r->conn) == TENON_WANTS_CLOSE && tenon_state(r->conn) == TENON_CLOSED);
    CHECK(r, tenon_deadline(r->conn) == TENON_NEVER && tenon_queued(r->conn) == 0);
    CHECK(r, tenon_again(r->conn) == TENON_ERR_STATE);
    CHECK(r, tenon_recv(r->conn, &e, 1) == TENON_ERR_STATE);
    CHECK(r, tenon_close(r->conn, 1000, NULL, 0) == TENON_ERR_STATE);
    CHECK(r, tenon_send(r->conn, TENON_TEXT, "x", 1, 0) == TENON_ERR_STATE);
    CHECK(r, tenon_abort(r->conn, TENON_LOCAL) == TENON_ERR_STATE);
    CHECK(r, tenon_tick(r->conn, r->now + 1000000) == TENON_OK && tenon_eof(r->conn) == TENON_OK);
    CHECK(r, tenon_next(r->conn, &e) == TENON_OK && tenon_next(r->conn, &e) == TENON_OK);
    CHECK(r, tenon_unlend(r->conn, &rest, &n) == TENON_OK && n == 0);
}

static void on_event(run *r, const tenon_event *e)
{
    tenon_event copy = *e;
    check_lent(r);
    check_order(r, &copy);
    log_event(r, &copy);
    if (e->type == TENON_EV_REQUEST || e->type == TENON_EV_RESPONSE || (e->type == TENON_EV_OPEN))
        log_head(r);
    if (e->type == TENON_EV_CLOSED)
        return;
    if (e->type == TENON_EV_WRITABLE)
        retry(r);
    if (e->type == TENON_EV_WRITABLE || e->type == TENON_EV_RELEASED || e->type == TENON_EV_BODY ||
        (e->type == TENON_EV_DATA && (e->flags & TENON_LAST) == 0))
        return;
    react(r, &copy);
}

/* ------------------------------------------------------------ taking events */

/* How the end looks from here; the first reason stays. */
static void note_ending(run *r)
{
    tenon_event e;
    int status = tenon_ending(r->conn, &e);
    CHECK(r, status == (tenon_state(r->conn) < TENON_CLOSING ? TENON_OK : TENON_EVENT));
    if (status != TENON_EVENT || e.rule == TENON_RULE_NONE)
        return;
    CHECK(r, r->ending.rule == 0 || (r->ending.rule == e.rule && r->ending.offset == e.offset));
    r->ending = e;
}

/* Memory that comes back goes before the event that was kept. */
static int is_between(const run *r, const tenon_event *e)
{
    return r->again_done && e->type == TENON_EV_RELEASED && r->last.type != TENON_EV_RELEASED;
}

/* Notes it; what was kept was told, though not yet noted. */
static void on_between(run *r, const tenon_event *e, const tenon_event *kept)
{
    int was_opened = r->opened;
    r->opened = was_opened || kept->type == TENON_EV_OPEN;
    on_event(r, e);
    r->opened = was_opened;
}

/* The same event once more: all of it, data included. */
static void check_again(run *r, const tenon_event *e)
{
    tenon_event twin;
    uint8_t *data = fuzz_memory(e->size);
    if (e->size > 0)
        memcpy(data, e->data, e->size);
    CHECK(r, tenon_again(r->conn) == TENON_OK);
    CHECK(r, (tenon_wants(r->conn) & TENON_WANTS_NEXT) != 0);
    if (one_in(r, 2))
        drain(r);
    for (;;) {
        CHECK(r, tenon_next(r->conn, &twin) == TENON_EVENT);
        if (twin.type != TENON_EV_RELEASED || e->type == TENON_EV_RELEASED)
            break;
        on_between(r, &twin, e);
    }
    CHECK(r, memcmp(e, &twin, sizeof twin) == 0);
    CHECK(r, e->size == 0 || memcmp(data, twin.data, e->size) == 0);
    fuzz_release(data);
}

/* Nothing is left to do, so something must be awaited. */
static void check_idle(run *r)
{
    uint32_t wants = tenon_wants(r->conn);
    check_lent(r);
    CHECK(r, (wants & TENON_WANTS_NEXT) == 0);
    CHECK(r, (wants & (TENON_WANTS_READ | TENON_WANTS_WRITE | TENON_WANTS_RX | TENON_WANTS_TX |
                       TENON_WANTS_DECISION)) != 0 || tenon_deadline(r->conn) != TENON_NEVER);
    if ((wants & TENON_WANTS_SHUT_WR) != 0 && one_in(r, 2)) {
        CHECK(r, tenon_shut(r->conn) == TENON_OK);
        CHECK(r, (tenon_wants(r->conn) & TENON_WANTS_SHUT_WR) == 0);
    }
    CHECK(r, ((wants & TENON_WANTS_RX) != 0) == (tenon_rx_needed(r->conn) > 0));
    CHECK(r, r->stats.steps <= 3 * r->stats.octets_in + 4 * r->calls + 64);
}

static void count_call(run *r)
{
    r->calls++;
    CHECK(r, r->calls <= 16 * r->p->stream.size + 16 * r->loan_count + 4096);
}

/* One event by tenon_next; 0 if there is none. */
static int take_by_next(run *r)
{
    tenon_event e;
    int status;
    count_call(r);
    memset(&e, 0x5a, sizeof e);
    status = tenon_next(r->conn, &e);
    CHECK(r, status == TENON_OK || status == TENON_EVENT);
    note_ending(r);
    if (status == TENON_OK) {
        check_idle(r);
        return 0;
    }
    if (e.type != TENON_EV_CLOSED && one_in(r, r->p->again))
        check_again(r, &e);
    on_event(r, &e);
    if (r->closed) {
        after_closed(r);
        forget_connection(r);
    }
    return 1;
}

static int by_callback(tenon_conn *conn, const tenon_event *e, void *user)
{
    run *r = user;
    tenon_event other;
    const void *rest;
    size_t n;
    count_call(r);
    CHECK(r, conn == r->conn && !r->in_callback);
    if (e->type == TENON_EV_CLOSED) {
        on_event(r, e);
        forget_connection(r); /* which is allowed here */
        return TENON_STOP;
    }
    CHECK(r, tenon_next(conn, &other) == TENON_ERR_REENTRY && tenon_recv(conn, &other, 1) == TENON_ERR_REENTRY);
    CHECK(r, tenon_unlend(conn, &rest, &n) == TENON_ERR_REENTRY);
    CHECK(r, tenon_run(conn, by_callback, user) == TENON_ERR_REENTRY);
    note_ending(r);
    if (is_between(r, e)) {
        on_between(r, e, &r->last);
        return TENON_CONTINUE;
    }
    if (r->again_done)
        CHECK(r, memcmp(e, &r->last, sizeof *e) == 0);
    r->last = *e;
    if (!r->again_done && one_in(r, r->p->again)) {
        r->again_done = 1;
        return TENON_AGAIN;
    }
    r->again_done = 0;
    r->in_callback = 1;
    on_event(r, e);
    drain(r); /* as between two calls of tenon_next */
    r->in_callback = 0;
    return one_in(r, 5) ? TENON_STOP : TENON_CONTINUE;
}

static int io_recv(void *user, void *buf, size_t n, size_t *got)
{
    run *r = user;
    size_t left = r->segment - r->given;
    CHECK(r, buf == r->lent);
    check_lent(r);
    if (left == 0)
        return r->eof ? TENON_END : TENON_WAIT;
    n = n < left ? n : left;
    n = 1 + fuzz_draw(&r->seed) % n;
    memcpy(buf, r->p->stream.data + r->given, n);
    r->lent_at = r->given;
    r->lent_size = n;
    r->given += n;
    *got = n;
    return TENON_OK;
}

static int io_send(void *user, const tenon_iov *iov, size_t count, size_t *put)
{
    run *r = user;
    size_t i, n = check_offer(r, iov, count);
    if (one_in(r, 16))
        return TENON_WAIT;
    n = 1 + fuzz_draw(&r->seed) % n;
    for (i = 0; i < n; i++)
        bytes_octet(&r->out, r->offers[i].octet);
    r->offer_count -= n;
    memmove(r->offers, r->offers + n, r->offer_count * sizeof *r->offers);
    *put = n;
    return TENON_OK;
}

static uint64_t io_now(void *user)
{
    run *r = user;
    return r->now;
}

/* One turn of the callback forms; 0 if it brought nothing. */
static int take_by_callback(run *r)
{
    size_t calls = r->calls += 8; /* as many rounds as a turn has, and some */
    size_t given = r->given;
    tenon_io io;
    int status;
    if (r->kind == RUN_CALLBACK) {
        status = tenon_run(r->conn, by_callback, r);
    } else {
        memset(&io, 0, sizeof io);
        io.size = sizeof io;
        io.recv = io_recv;
        io.send = io_send;
        io.now = io_now;
        io.event = by_callback;
        io.user = r;
        io.buf = r->lent;
        io.buf_size = 24;
        status = tenon_pump(r->conn, &io);
    }
    CHECK(r, status >= TENON_OK && (status == TENON_DONE) == r->closed);
    if (r->closed)
        return 0;
    if (status == TENON_OK && r->kind == RUN_CALLBACK)
        check_idle(r);
    return status != TENON_OK || r->calls > calls || r->given > given;
}

/* Lends what is wanted, or gives up on a message that is never going to be whole. */
static void lend_rx(run *r)
{
    size_t need = tenon_rx_needed(r->conn);
    uint8_t *old = r->rx;
    CHECK(r, need > 0 && (r->rx == NULL || need > r->rx_size));
    if (need > RX_MAX) {
        r->was_refused |= !is_roomy(r); /* what is queued is lost */
        CHECK(r, tenon_abort(r->conn, TENON_LOCAL) == TENON_OK);
        r->offer_count = 0;
        return;
    }
    r->rx_size = need > r->p->rx_size ? need : r->p->rx_size;
    r->rx = fuzz_memory(r->rx_size);
    CHECK(r, tenon_lend_rx(r->conn, r->rx, r->rx_size) == TENON_OK);
    fuzz_release(old);
}

static void lend_tx(run *r)
{
    r->tx = fuzz_memory(r->tx_size);
    CHECK(r, tenon_lend_tx(r->conn, r->tx, r->tx_size) == TENON_OK);
}

/* Exchanges buffers for others of the same size, where that is possible. */
static void exchange(run *r)
{
    uint8_t *other;
    int status;
    if (r->rx != NULL && one_in(r, 4)) {
        other = fuzz_memory(r->rx_size);
        status = tenon_lend_rx(r->conn, other, r->rx_size);
        CHECK(r, status == TENON_OK || status == TENON_ERR_BUSY);
        fuzz_release(status == TENON_OK ? r->rx : other);
        if (status == TENON_OK)
            r->rx = other;
    }
    if (r->tx != NULL && one_in(r, 4)) {
        other = fuzz_memory(r->tx_size);
        status = tenon_lend_tx(r->conn, other, r->tx_size);
        CHECK(r, status == TENON_OK || status == TENON_ERR_BUSY);
        CHECK(r, status == TENON_ERR_BUSY || tenon_queued(r->conn) == 0);
        fuzz_release(status == TENON_OK ? r->tx : other);
        if (status == TENON_OK)
            r->tx = other;
    }
}

static void settle(run *r)
{
    int more;
    while (r->conn != NULL) {
        uint32_t wants;
        size_t out = r->out.size;
        more = r->kind == RUN_CALLBACK || r->kind == RUN_PUMP ? take_by_callback(r) : take_by_next(r);
        if (r->conn == NULL)
            return;
        drain(r);
        if (r->kind == RUN_PIECES || r->kind == RUN_BADLY)
            exchange(r);
        if (more || r->out.size > out)
            continue;
        wants = tenon_wants(r->conn);
        if ((wants & TENON_WANTS_RX) != 0)
            lend_rx(r);
        CHECK(r, (wants & TENON_WANTS_TX) == 0 || r->tx == NULL);
        if ((wants & TENON_WANTS_TX) != 0)
            lend_tx(r);
        if ((wants & (TENON_WANTS_RX | TENON_WANTS_TX | TENON_WANTS_NEXT)) != 0)
            continue; /* an exchange of rx lets it look again */
        if ((wants & TENON_WANTS_DECISION) != 0 && r->pending_decision && r->p->decision != DECIDE_ACCEPT_TICK) {
            decide(r);
            continue;
        }
        CHECK(r, !is_roomy(r) || tenon_queued(r->conn) == 0);
        return;
    }
}

/* ------------------------------------------------------------------ feeding */

/* Ends the lend: what was not used comes back as it was. */
static int take_back(run *r)
{
    const void *rest;
    size_t n, used = (size_t)r->stats.octets_in - r->lent_at;
    int status = tenon_unlend(r->conn, &rest, &n);
    if (status == TENON_ERR_BUSY)
        return 0;
    CHECK(r, status == TENON_OK && (used + n == r->lent_size || n == 0));
    if (n > 0)
        CHECK(r, rest == r->lent + used && memcmp(rest, r->p->stream.data + r->lent_at + used, n) == 0);
    fuzz_release(r->lent);
    r->lent = NULL;
    return 1;
}

static size_t cut(run *r, size_t left)
{
    size_t at = (size_t)r->stats.octets_in;
    if (r->kind == RUN_OCTETS)
        return 1;
    if (r->kind == RUN_SPLIT && at < r->split)
        return r->split - at < left ? r->split - at : left;
    if (r->kind == RUN_WHOLE || r->kind == RUN_SPLIT)
        return left;
    return 1 + fuzz_draw(&r->seed) % (one_in(r, 3) ? left : left < 12 ? left : 12);
}

/* Whether the end may be told at once with the last octets, which no one but the
 * library may notice. */
static int may_end_early(const run *r)
{
    int d = r->p->decision;
    int later = d == DECIDE_ACCEPT_LATER || d == DECIDE_ACCEPT_TICK || d == DECIDE_REJECT_LATER;
    return r->p->end == END_EOF && r->ticks_left == 0 && !(r->p->http && later) && r->kind != RUN_WHOLE;
}

static void lend(run *r, size_t n)
{
    size_t at = (size_t)r->stats.octets_in;
    int status;
    r->lent = fuzz_memory(n);
    memcpy(r->lent, r->p->stream.data + at, n);
    r->lent_at = at;
    r->lent_size = n;
    r->lent_const = r->kind == RUN_OCTETS || (r->kind != RUN_WHOLE && one_in(r, 2));
    status = r->lent_const ? tenon_recv_const(r->conn, r->lent, n) : tenon_recv(r->conn, r->lent, n);
    CHECK(r, status == TENON_OK);
    CHECK(r, tenon_recv(r->conn, r->lent, n) == TENON_ERR_BUSY);
    if (at + n == r->p->stream.size && may_end_early(r) && (r->kind == RUN_OCTETS || one_in(r, 2))) {
        CHECK(r, tenon_eof(r->conn) == TENON_OK);
        r->eof = 1;
    }
}

/* A lend that is broken off now and then, and what is left lent anew. */
static void settle_in_parts(run *r)
{
    size_t at = r->lent_at, n = r->lent_size;
    while (r->conn != NULL && take_by_next(r) && r->conn != NULL) {
        drain(r);
        if (r->eof || !one_in(r, 3) || !take_back(r))
            continue;
        n = at + n - (size_t)r->stats.octets_in;
        at = (size_t)r->stats.octets_in;
        if (n == 0 || (tenon_wants(r->conn) & (TENON_WANTS_READ | TENON_WANTS_DECISION)) == 0)
            return;
        lend(r, n);
    }
}

/* Gives the stream up to end. */
static void feed(run *r, size_t end)
{
    while (r->conn != NULL && r->stats.octets_in < end && !r->eof) {
        size_t before = (size_t)r->stats.octets_in;
        if (tenon_state(r->conn) == TENON_CLOSED) {
            settle(r);
            continue;
        }
        lend(r, cut(r, end - before));
        if (r->kind == RUN_PIECES || r->kind == RUN_BADLY)
            settle_in_parts(r);
        settle(r);
        if (r->conn == NULL || r->eof)
            return;
        if (r->lent == NULL)
            continue; /* it was taken back on the way */
        if (!take_back(r))
            CHECK(r, !"an event is held");
        if (r->stats.octets_in == before && tenon_state(r->conn) != TENON_CLOSED) {
            CHECK(r, (tenon_wants(r->conn) & TENON_WANTS_DECISION) != 0);
            return; /* the program has not decided */
        }
    }
}

static void feed_pump(run *r, size_t end)
{
    r->segment = end;
    while (r->conn != NULL && r->stats.octets_in < end) {
        uint64_t before = r->stats.octets_in;
        settle(r);
        if (r->conn != NULL && r->stats.octets_in == before) {
            /* or the end of the connection waits for its output */
            CHECK(r, (tenon_wants(r->conn) & TENON_WANTS_DECISION) != 0);
            return;
        }
    }
}

/* Takes all output, and sees that a send that was refused has its room then. */
static void flush(run *r)
{
    r->generous = 1;
    if (r->tx == NULL)
        lend_tx(r);
    drain(r);
    settle(r);
    r->generous = 0;
    if (r->conn != NULL)
        CHECK(r, !(r->writable_due && r->opened && tenon_state(r->conn) == TENON_OPEN));
}

/* The clock goes on. */
static void tick(run *r, uint64_t now)
{
    settle(r);
    if (r->conn == NULL)
        return;
    if (r->kind == RUN_BADLY && r->p->flush)
        flush(r);
    if (r->conn == NULL)
        return;
    if (r->ticked && now > r->now && r->gone_on_count < COUNT_OF(r->gone_on))
        r->gone_on[r->gone_on_count++] = (size_t)r->stats.octets_in;
    r->ticked = 1;
    r->now = now;
    CHECK(r, tenon_tick(r->conn, now) == TENON_OK);
    if (r->pending_decision && r->p->decision == DECIDE_ACCEPT_TICK &&
        (tenon_wants(r->conn) & TENON_WANTS_DECISION) != 0)
        decide(r);
    settle(r);
}

/* --------------------------------------------------------- a run as a whole */

static void begin_client(run *r)
{
    static const char *const subprotocols[] = {"chat", "x"};
    tenon_request *q = &r->request;
    q->size = sizeof *q;
    q->uri = "ws://example.com/chat?x=1";
    if (r->p->with_subprotocol) {
        q->subprotocols = subprotocols;
        q->subprotocol_count = COUNT_OF(subprotocols);
    }
    q->extensions = r->p->with_extension ? "x-fuzz; a=1" : NULL;
    if (r->p->with_header) {
        q->headers = &r->header;
        q->header_count = 1;
    }
    if (r->p->decision != DECIDE_NEVER) {
        int status = tenon_connect(r->conn, q);
        CHECK(r, status == TENON_OK || (status == TENON_ERR_RANDOM && r->p->random_fails == 1));
    }
    drain(r);
}

static void begin(run *r, plan *p, int kind, size_t split)
{
    memset(r, 0, sizeof *r);
    r->split = split;
    r->p = p;
    r->kind = kind;
    r->seed = p->seed + (uint32_t)kind * 2;
    r->random_seed = RANDOM_SEED;
    r->config = p->config;
    r->config.random = run_random;
    r->config.random_user = r;
    r->stats.size = sizeof r->stats;
    r->header.name = "X-Fuzz";
    r->header.value = "yes";
    r->now = 1000;
    bytes_octet(&r->message, 0); /* there is memory, even for a message of nothing */
    r->message.size = 0;
    r->storage = fuzz_aligned(tenon_conn_size());
    CHECK(r, tenon_init(r->storage, tenon_conn_size(), &r->config, &r->conn) == TENON_OK);
    CHECK(r, tenon_lend_stats(r->conn, &r->stats) == TENON_OK);
    r->rx_size = p->rx_size;
    if (!p->rx_late) {
        r->rx = fuzz_memory(r->rx_size);
        CHECK(r, tenon_lend_rx(r->conn, r->rx, r->rx_size) == TENON_OK);
    }
    r->tx_size = is_roomy(r) ? ROOMY_TX : p->tx_size;
    if (is_roomy(r) || !p->tx_late)
        lend_tx(r);
    if (kind == RUN_PUMP)
        r->lent = fuzz_memory(24);
    if (p->http && p->config.role == TENON_CLIENT)
        begin_client(r);
    if (!p->http && p->grant_early)
        CHECK(r, tenon_grant(r->conn, p->rsv_first, p->rsv_next, p->grant_flags) == TENON_OK);
    if (!p->http && p->greet_early)
        send_once(r, ANSWER_REF, TENON_TEXT, "early", 5, 0);
}

/* Gives the stream up to end. */
static void feed_any(run *r, size_t end)
{
    if (r->kind == RUN_PUMP)
        feed_pump(r, end);
    else
        feed(r, end);
}

/* The transport ends, if that is the plan. */
static void end_input(run *r)
{
    size_t left = r->p->stream.size - (size_t)r->stats.octets_in;
    int cause = r->p->end == END_ABORT_LOCAL ? TENON_LOCAL : TENON_REMOTE;
    if (r->conn == NULL || r->p->end == END_TIME)
        return;
    if (r->p->end != END_EOF) {
        CHECK(r, tenon_abort(r->conn, cause) == TENON_OK);
        r->offer_count = 0;
        settle(r);
        CHECK(r, r->closed);
        return;
    }
    if (r->kind != RUN_PUMP && left > 0 && !r->eof && tenon_state(r->conn) != TENON_CLOSED)
        lend(r, left);
    if ((r->kind != RUN_PUMP || left == 0) && !r->eof)
        CHECK(r, tenon_eof(r->conn) == TENON_OK);
    r->eof = 1;
    settle(r);
}

/* Time goes on until the connection ends, or nothing is going to happen. */
static void wait_for_end(run *r)
{
    unsigned i;
    if (r->conn != NULL && !r->ticked)
        tick(r, r->now);
    for (i = 0; i < 24 && r->conn != NULL; i++) {
        uint64_t when;
        if (r->stats.octets_in < r->p->stream.size && !r->eof)
            feed_any(r, r->p->stream.size); /* a decision may have come */
        when = tenon_deadline(r->conn);
        if (r->conn == NULL || when == TENON_NEVER)
            break;
        tick(r, when > r->now ? when : r->now);
    }
    if (r->conn != NULL && r->kind == RUN_BADLY && r->p->flush)
        flush(r);
    if (r->conn == NULL)
        return;
    CHECK(r, tenon_abort(r->conn, TENON_LOCAL) == TENON_OK);
    r->offer_count = 0;
    settle(r);
}

static void run_plan(run *r, plan *p, int kind, size_t split)
{
    size_t i;
    begin(r, p, kind, split);
    if (p->pump)
        tick(r, r->now);
    for (i = 0; i < p->ticks && r->conn != NULL; i++) {
        r->ticks_left = p->ticks - i;
        feed_any(r, p->tick_at[i] < p->stream.size ? p->tick_at[i] : p->stream.size);
        tick(r, r->now + p->tick_ms[i]);
    }
    r->ticks_left = 0;
    feed_any(r, p->stream.size);
    if (kind == RUN_BADLY && p->flush && r->conn != NULL)
        flush(r);
    end_input(r);
    wait_for_end(r);
    CHECK(r, r->closed && r->conn == NULL && r->loans_held == 0);
}

static void end_run(run *r)
{
    size_t i;
    for (i = 0; i < r->loan_count; i++)
        fuzz_release(r->loans[i].data);
    free(r->loans);
    free(r->log);
    free(r->offers);
    free(r->out.data);
    free(r->pool.data);
    free(r->message.data);
    free(r->retry.data);
}

/* ----------------------------------------------------------- what was sent */

/* Frames may be expected behind so many octets of the output; -1: none are. */
static long check_heads(const run *r)
{
    const uint8_t *p = r->out.data;
    int server = r->config.role == TENON_SERVER;
    size_t n = r->out.size, i;
    if (!r->p->http)
        return 0;
    for (i = 0; i + 4 <= n && memcmp(p + i, "\r\n\r\n", 4) != 0; i++)
        CHECK(r, p[i] == '\r' || p[i] == '\n' || (p[i] >= ' ' && p[i] < 0x7f));
    if (i + 4 > n)
        return -1;
    CHECK(r, memcmp(p, server ? "HTTP/1.1 " : "GET /cha", server ? 9 : 8) == 0);
    if (server ? memcmp(p + 9, "101 ", 4) == 0 : r->opened) {
        CHECK(r, !server || r->accepted);
        return (long)(i + 4);
    }
    CHECK(r, server ? !r->accepted : n == i + 4);
    return -1;
}

/* The Close that was sent, and what stands behind it. */
static void check_close_sent(const run *r, const oracle *o)
{
    const entry *end = &r->log[r->log_count - 1];
    size_t i, closes = 0, pongs = 0;
    unsigned code = 0;
    for (i = 0; i < o->count; i++) {
        const oracle_frame *f = &o->frames[i];
        const uint8_t *payload = o->pool.data + f->data;
        CHECK(r, closes == 0 || f->first == 0x8a); /* a Ping is answered behind our own Close, too */
        pongs += f->first == 0x8a;
        if ((f->first & 15) != TENON_OP_CLOSE || !f->complete)
            continue;
        closes++;
        code = f->size == 0 ? TENON_CLOSE_NONE : (unsigned)payload[0] << 8 | payload[1];
    }
    CHECK(r, closes <= 1);
    CHECK(r, end->sent_code == 0 || (closes == 1 && end->sent_code == code));
    if (r->kind > RUN_PIECES || r->p->abort_after > 0 || r->p->random_fails > 0)
        return;
    CHECK(r, (closes == 1) == (end->sent_code != 0));
    CHECK(r, pongs == ((r->config.flags & TENON_RELAY) != 0 ? 0 : r->pings) + r->own_pongs);
}

/* Reads the output as the peer would. */
static void check_output(const run *r, oracle *o)
{
    long from = check_heads(r);
    uint64_t max = r->config.max_frame_out == 0 ? 65536 : r->config.max_frame_out;
    size_t i;
    memset(o, 0, sizeof *o);
    o->masked = r->config.role == TENON_CLIENT;
    o->rsv_first = r->p->rsv_first;
    o->rsv_next = r->p->rsv_next;
    o->opaque = r->p->grant_flags != 0 || (r->config.flags & TENON_RELAY) != 0;
    o->beyond_close = 1;
    o->max_message = o->max_fragments = o->max_control = UINT64_MAX / 2;
    if (from < 0 || r->out.size == 0)
        return;
    oracle_read(o, r->out.data + from, r->out.size - (size_t)from, 0);
    CHECK(r, !oracle_failed(o));
    CHECK(r, !o->inside || r->kind > RUN_PIECES);
    for (i = 0; i < o->count; i++)
        CHECK(r, (o->frames[i].first & 8) != 0 || o->frames[i].size <= max);
    check_close_sent(r, o);
}

/* -------------------------------------------------- what was to be expected */

/* A place in the log, for a reader that expects its entries in order. */
typedef struct expectation {
    const run *r;
    size_t at;
    size_t message; /* where the message in progress begins in the pool of the oracle's copy */
    bytes text;
    uint8_t opcode;
    unsigned rsv;
} expectation;

/* Goes to the next entry that came from frames, or to CLOSED. */
static void skip_opening(expectation *x)
{
    while (x->r->log[x->at].type < TENON_EV_DATA)
        x->at++;
}

/* The next entry that came from frames, or NULL. */
static const entry *expect(expectation *x, unsigned type)
{
    const run *r = x->r;
    if (r->log[x->at].type == TENON_EV_CLOSED)
        return NULL;
    CHECK(r, r->log[x->at].type == type);
    return &r->log[x->at++];
}

static int same_octets(const run *r, const entry *e, const uint8_t *p, size_t n)
{
    return e->size == n && (n == 0 || memcmp(r->pool.data + e->data, p, n) == 0);
}

/* A data frame: 0 if the log ends before it. */
static int expect_data(expectation *x, const oracle *o, const oracle_frame *f)
{
    const run *r = x->r;
    const uint8_t *payload = o->pool.data + f->data;
    int chunks = (r->config.flags & TENON_CHUNKS) != 0;
    int ends = f->complete && (f->first & 0x80) != 0;
    unsigned rsv;
    const entry *e;
    if ((f->first & 15) != 0) {
        x->text.size = 0;
        x->rsv = f->first & 0x70;
    }
    bytes_add(&x->text, payload, f->good);
    if (chunks ? f->good == 0 && !ends : !ends)
        return 1;
    if (r->asked_close && x->at >= r->asked_at && (r->config.flags & TENON_DROP_AFTER_CLOSE) != 0)
        return 1;
    e = expect(x, TENON_EV_DATA);
    if (e == NULL)
        return 0;
    CHECK(r, e->opcode == f->opcode && e->frame_size == f->size);
    if (chunks && e->size < f->good) { /* something other than the stream broke in */
        CHECK(r, (e->flags & (TENON_LAST | TENON_FRAME_LAST)) == 0 && same_octets(r, e, payload, e->size));
        CHECK(r, x->at == r->log_count - 1);
        return 0;
    }
    CHECK(r, ((e->flags & TENON_LAST) != 0) == ends);
    /* the first piece has those of the first frame too, which may have been empty */
    rsv = (e->flags & TENON_FIRST) != 0 ? x->rsv : 0u;
    CHECK(r, (e->flags & 0x70) == (chunks ? (f->first & 0x70u) | rsv : x->rsv));
    if (!chunks) {
        CHECK(r, same_octets(r, e, x->text.data, x->text.size));
        return 1;
    }
    CHECK(r, e->offset == f->offset && ((e->flags & TENON_FRAME_LAST) != 0) == f->complete);
    CHECK(r, same_octets(r, e, payload, f->good));
    return 1;
}

static int expect_control(expectation *x, const oracle *o, const oracle_frame *f)
{
    const run *r = x->r;
    unsigned opcode = f->first & 15;
    const uint8_t *payload = o->pool.data + f->data;
    const entry *e;
    if (!f->complete)
        return 1;
    e = expect(x, opcode == TENON_OP_PING ? TENON_EV_PING : opcode == TENON_OP_PONG ? TENON_EV_PONG : TENON_EV_CLOSE);
    if (e == NULL)
        return 0;
    if (opcode != TENON_OP_CLOSE) {
        CHECK(r, same_octets(r, e, payload, f->good));
        return 1;
    }
    CHECK(r, e->code == (f->size == 0 ? TENON_CLOSE_NONE : (payload[0] << 8 | payload[1])));
    CHECK(r, same_octets(r, e, payload + 2, f->size < 2 ? 0 : f->good - 2));
    return 1;
}

/* How it must end when all that was expected has come. */
static void expect_end(const expectation *x, const oracle *o)
{
    const run *r = x->r;
    const entry *end = &r->log[r->log_count - 1];
    int cut = end->rule >= TENON_RULE_HANDSHAKE_TIMEOUT && end->rule != TENON_RULE_EOF;
    CHECK(r, x->at == r->log_count - 1);
    if (oracle_failed(o))
        CHECK(r, cut || (oracle_blames(o, end->rule) && end->offset == r->open_at + o->offset));
    else
        CHECK(r, cut || end->rule == TENON_RULE_NONE ||
                     (end->rule == TENON_RULE_EOF && end->offset == r->p->stream.size));
}

/* Limits, as the documentation gives them. */
static void expect_limits(const run *r, oracle *o, size_t *ticks)
{
    const tenon_config *c = &r->config;
    size_t i;
    int chunks = (c->flags & TENON_CHUNKS) != 0;
    o->masked = c->role == TENON_SERVER;
    o->rsv_first = r->p->rsv_first;
    o->rsv_next = r->p->rsv_next;
    o->opaque = r->p->grant_flags != 0;
    o->relay = (c->flags & TENON_RELAY) != 0;
    o->max_message = c->max_message;
    if (c->max_message == 0)
        o->max_message = chunks ? TENON_OFF : r->p->rx_size - TENON_RX_RESERVE;
    if (o->max_message == TENON_OFF)
        o->max_message = UINT64_MAX / 2;
    o->max_fragments = c->max_fragments == 0 ? 65536 : c->max_fragments == TENON_OFF ? UINT64_MAX : c->max_fragments;
    o->max_control = c->max_control == 0 ? 65536 : c->max_control == TENON_OFF ? UINT64_MAX : c->max_control;
    for (i = 0; i < r->gone_on_count; i++)
        ticks[i] = r->gone_on[i] > r->open_at ? r->gone_on[i] - (size_t)r->open_at : 0;
    o->ticks = ticks;
    o->tick_count = r->gone_on_count;
}

/* Compares a log with what the slow reader sees in the stream. */
static void check_expected(const run *r)
{
    size_t ticks[COUNT_OF(r->gone_on)], i;
    const entry *end = &r->log[r->log_count - 1];
    expectation x;
    oracle o;
    if (!r->opened)
        return;
    memset(&x, 0, sizeof x);
    memset(&o, 0, sizeof o);
    x.r = r;
    skip_opening(&x);
    expect_limits(r, &o, ticks);
    oracle_read(&o, r->p->stream.data + r->open_at, r->p->stream.size - (size_t)r->open_at, 0);
    for (i = 0; i < o.count; i++) {
        if (!((o.frames[i].first & 8) != 0 ? expect_control(&x, &o, &o.frames[i])
                                           : expect_data(&x, &o, &o.frames[i])))
            break;
    }
    if (i == o.count) {
        expect_end(&x, &o);
    } else {
        CHECK(r, end->rule >= TENON_RULE_HANDSHAKE_TIMEOUT && end->rule != TENON_RULE_EOF);
    }
    free(x.text.data);
    oracle_free(&o);
}

/* -------------------------------------------------------- one run and another */

static int same_entry(const run *a, const entry *x, const run *b, const entry *y)
{
    return x->type == y->type && x->flags == y->flags && x->rule == y->rule && x->code == y->code &&
           x->sent_code == y->sent_code && x->received_code == y->received_code && x->opcode == y->opcode &&
           x->cause == y->cause && x->rtt_ms == y->rtt_ms && x->offset == y->offset &&
           x->frame_size == y->frame_size && x->size == y->size &&
           (x->size == 0 || memcmp(a->pool.data + x->data, b->pool.data + y->data, x->size) == 0);
}

static void check_same_log(const run *a, const run *b)
{
    size_t i;
    int same = a->log_count == b->log_count;
    for (i = 0; same && i < a->log_count; i++)
        same = same_entry(a, &a->log[i], b, &b->log[i]);
    if (same)
        return;
    print_log(a);
    failed(b, "the log depends on how the stream is cut", __LINE__);
}

static void check_same_output(const run *a, const run *b)
{
    size_t i;
    for (i = 0; i < a->out.size && i < b->out.size && a->out.data[i] == b->out.data[i]; i++)
        continue;
    if (i == a->out.size && i == b->out.size)
        return;
    print_log(a);
    fprintf(stderr, "output differs at %lu\n", (unsigned long)i);
    failed(b, "the output depends on how the stream is cut", __LINE__);
}

/* With a full queue only Pongs may be missing, unless a send was refused, or a
 * reference cut short by the end, or something other than the stream had its part. */
static int is_comparable(const run *r)
{
    const plan *p = r->p;
    return p->flush && r->loan_count == 0 && !r->was_refused && p->abort_after == 0 && p->random_fails == 0 && p->config.ping_ms == 0 &&
           p->end != END_ABORT_LOCAL && p->end != END_ABORT_REMOTE;
}

static void check_but_pongs(const run *a, const oracle *x, const run *b, const oracle *y)
{
    size_t i = 0, k = 0;
    check_same_log(a, b);
    for (;;) {
        const oracle_frame *f, *g;
        while (i < x->count && x->frames[i].first == 0x8a)
            i++;
        while (k < y->count && y->frames[k].first == 0x8a)
            k++;
        if (i == x->count || k == y->count)
            break;
        f = &x->frames[i++];
        g = &y->frames[k++];
        if (f->first != g->first || f->size != g->size ||
            (f->good > 0 && memcmp(x->pool.data + f->data, y->pool.data + g->data, f->good) != 0))
            break;
    }
    if (i == x->count && k == y->count)
        return;
    print_log(a);
    failed(b, "a full queue changes more than which pings are answered", __LINE__);
}

/* Cut in two, at each place. */
static void run_splits(plan *p, const run *whole)
{
    static run cut_in_two;
    size_t split;
    for (split = 1; split < p->stream.size; split++) {
        oracle seen;
        fuzz_allow(FUZZ_STEPS);
        run_plan(&cut_in_two, p, RUN_SPLIT, split);
        check_output(&cut_in_two, &seen);
        check_same_log(whole, &cut_in_two);
        check_same_output(whole, &cut_in_two);
        end_run(&cut_in_two);
        oracle_free(&seen);
    }
}

static void run_all(plan *p)
{
    static run runs[5];
    static const int kinds[5] = {RUN_WHOLE, RUN_OCTETS, RUN_PIECES, RUN_CALLBACK, RUN_BADLY};
    oracle seen[5];
    size_t i;
    for (i = 0; i < COUNT_OF(kinds); i++) {
        run_plan(&runs[i], p, kinds[i] == RUN_CALLBACK && p->pump ? RUN_PUMP : kinds[i], 0);
        check_output(&runs[i], &seen[i]);
        if (i == 0)
            check_expected(&runs[0]);
        if (i > 0 && is_roomy(&runs[i])) {
            check_same_log(&runs[0], &runs[i]);
            check_same_output(&runs[0], &runs[i]);
        }
    }
    if (is_comparable(&runs[4]))
        check_but_pongs(&runs[0], &seen[0], &runs[4], &seen[4]);
    if (fuzz_every_split)
        run_splits(p, &runs[0]);
    for (i = 0; i < COUNT_OF(kinds); i++) {
        end_run(&runs[i]);
        oracle_free(&seen[i]);
    }
}

/* -------------------------------------------------------------------- entry */

int fuzz_target(const uint8_t *data, size_t size)
{
    static plan p;
    int role;
    if (size < HEAD)
        return -1;
    role = (data[0] & 1) != 0 ? TENON_CLIENT : TENON_SERVER;
#ifdef TENON_FUZZ_ROLE
    if (role != TENON_FUZZ_ROLE)
        return -1;
#endif
    free(p.stream.data);
    memset(&p, 0, sizeof p);
    p.http = (data[0] & 2) != 0;
    if (!p.http)
        tenon_config_open(&p.config, sizeof p.config, role);
    else if (role == TENON_SERVER)
        tenon_config_server(&p.config, sizeof p.config);
    else
        tenon_config_client(&p.config, sizeof p.config);
    p.config.flags |= (data[0] & 16) != 0 ? TENON_CHUNKS : 0;
    p.config.flags |= (data[0] & 32) != 0 ? TENON_RELAY : 0;
    p.config.flags |= (data[0] & 64) != 0 ? TENON_DROP_AFTER_CLOSE : 0;
    p.config.flags |= (data[0] & 128) != 0 ? TENON_PLAIN_GET | TENON_REQUIRE_SUBPROTOCOL : 0;
    plan_limits(&p, data);
    plan_program(&p, data);
    plan_time(&p, data);
    plan_stream(&p, data[0], data + HEAD, size - HEAD);
    run_all(&p);
    return 0;
}
