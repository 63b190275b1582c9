/* SPDX-License-Identifier: MIT */
/*
 * A client and a server, back to back: what one sends, the other receives, and both
 * come to an end. The first octets of an input choose settings, the rest are commands
 * that send, move octets between the two in pieces, and let either of them work.
 *
 * No clock runs, so whatever ends does so without timeouts. Messages stay within the
 * limits of the peer, unless the input wants it otherwise: then only what was received
 * until the end must be what was sent.
 */
#include "common.h"
#include "oracle.h"
#include "order.h"

#define BIG 3000 /* octets of the longest message */

/* Messages, or control payloads, one behind the other. */
typedef struct queue {
    bytes octets;
    struct {
        size_t at, size;
        uint8_t opcode;
    } item[1024];
    size_t count, got; /* put in; seen on the other side */
} queue;

typedef struct side {
    tenon_conn *conn;
    tenon_config config;
    tenon_stats stats;
    void *storage;
    uint8_t *rx, *tx;
    size_t rx_size, tx_size;
    order order;
    struct side *peer;
    tenon_request request;

    queue messages, pings, pongs; /* what it has sent */
    size_t echoed;                /* of its pings, answered */
    bytes part, message;          /* of a message on its way out, or in */
    int part_opcode;
    size_t loans;
    int cut_short; /* a reference may have been */
    int echo;
    int wild;

    bytes wire; /* octets on their way to the peer */
    size_t moved, sent;
    int shut; /* nothing comes behind them */
    int told; /* that it was shut, or closed */
    const char *reason; /* that its Close gives, if it began to close */
    int kept; /* an event comes again */
    int pending; /* and it was looked at */
    int closed;
    tenon_event ending;
    uint32_t seed;
} side;

static int draw_random(void *user, void *out, size_t n)
{
    side *s = user;
    uint8_t *to = out;
    while (n-- > 0)
        *to++ = (uint8_t)(fuzz_draw(&s->seed) >> 11);
    return 0;
}

/* ------------------------------------------------------------------- queues */

static int queue_full(const queue *q)
{
    return q->count == COUNT_OF(q->item);
}

static void queue_put(queue *q, int opcode, const void *data, size_t n)
{
    q->item[q->count].at = q->octets.size;
    q->item[q->count].size = n;
    q->item[q->count].opcode = (uint8_t)opcode;
    q->count++;
    bytes_add(&q->octets, data, n);
}

/* The next item must be this. */
static void queue_take(queue *q, int opcode, const void *data, size_t n)
{
    REQUIRE(q->got < q->count);
    REQUIRE(q->item[q->got].opcode == opcode && q->item[q->got].size == n);
    REQUIRE(n == 0 || memcmp(q->octets.data + q->item[q->got].at, data, n) == 0);
    q->got++;
}

/* ------------------------------------------------------------------ sending */

/* Octets that are UTF-8, and differ from one message to the next. */
static uint8_t *payload(side *s, size_t n)
{
    uint8_t *p = fuzz_memory(n);
    size_t i;
    for (i = 0; i < n; i++)
        p[i] = (uint8_t)('a' + (i + s->messages.count + s->pings.count) % 26);
    for (i = 0; i + 2 < n; i += 7)
        memcpy(p + i, "\xe2\x82\xac", 3);
    return p;
}

static size_t limit_of(const side *s)
{
    size_t limit = s->rx_size - TENON_RX_RESERVE;
    if (s->config.max_message != 0)
        limit = s->config.max_message == TENON_OFF ? BIG : (size_t)s->config.max_message;
    else if ((s->config.flags & TENON_CHUNKS) != 0)
        limit = BIG;
    return limit < BIG ? limit : BIG;
}

static void judge(const side *s, int status)
{
    REQUIRE(status == TENON_OK || status == TENON_ERR_STATE || status == TENON_ERR_AGAIN ||
            status == TENON_ERR_TOO_BIG);
    REQUIRE(status != TENON_ERR_STATE || tenon_state(s->conn) != TENON_OPEN || s->part_opcode != 0);
}

static void send_whole(side *s, int kind, int opcode, size_t n)
{
    uint8_t *data = payload(s, n);
    int status;
    if (queue_full(&s->messages))
        return;
    if (kind == 0)
        status = tenon_send(s->conn, opcode, data, n, 0);
    else
        status = tenon_send_ref(s->conn, opcode, data, n, 0, data);
    judge(s, status);
    if (status != TENON_OK) {
        fuzz_release(data);
        return;
    }
    queue_put(&s->messages, opcode, data, n);
    if (kind == 0) {
        memset(data, 0, n); /* it was copied */
        fuzz_release(data);
    } else {
        s->order.held++;
        s->loans++;
        s->cut_short |= s->config.role == TENON_CLIENT || n > s->config.max_frame_out;
    }
}

static void send_piece(side *s, size_t n, int last)
{
    uint8_t *data = payload(s, n);
    int status, opcode = s->part_opcode == 0 ? TENON_BINARY : s->part_opcode;
    if (s->part.size + n > limit_of(s->peer) && !s->wild)
        n = 0;
    status = tenon_send_part(s->conn, opcode, data, n, last ? TENON_LAST : 0);
    judge(s, status);
    fuzz_release(data);
    if (status != TENON_OK)
        return;
    data = payload(s, n);
    s->part_opcode = last ? 0 : opcode;
    bytes_add(&s->part, data, n);
    fuzz_release(data);
    if (!last)
        return;
    if (!queue_full(&s->messages))
        queue_put(&s->messages, opcode, s->part.data, s->part.size);
    s->part.size = 0;
}

static void send_control(side *s, int ping, size_t n)
{
    queue *q = ping ? &s->pings : &s->pongs;
    uint8_t *data = payload(s, n);
    int status;
    if (n > 0)
        data[0] = ping ? 'p' : 'm';
    if (n == 0 || queue_full(q))
        return;
    status = ping ? tenon_ping(s->conn, data, n) : tenon_pong(s->conn, data, n);
    judge(s, status);
    if (status == TENON_OK)
        queue_put(q, 0, data, n);
    fuzz_release(data);
}

/* ---------------------------------------------------------------- receiving */

static void on_message(side *s)
{
    int opcode = s->order.opcode, status;
    if (!s->pending)
        queue_take(&s->peer->messages, opcode, s->message.data, s->message.size);
    s->pending = 0;
    if (!s->echo || queue_full(&s->messages) || s->part_opcode != 0)
        return;
    if (s->message.size > limit_of(s->peer) && !s->wild)
        return;
    status = tenon_send(s->conn, opcode, s->message.data, s->message.size, 0);
    judge(s, status);
    if (status == TENON_OK)
        queue_put(&s->messages, opcode, s->message.data, s->message.size);
    if (status != TENON_ERR_AGAIN)
        return;
    REQUIRE(tenon_again(s->conn) == TENON_OK);
    s->kept = s->pending = 1;
}

static void on_data(side *s, const tenon_event *e)
{
    if (!s->pending) {
        if ((e->flags & TENON_FIRST) != 0)
            s->message.size = 0;
        bytes_add(&s->message, e->data, e->size);
    }
    if ((e->flags & TENON_LAST) != 0)
        on_message(s);
}

/* An own Pong of the peer, or its answer to a Ping, some of which may be missing. */
static void on_pong(side *s, const tenon_event *e)
{
    if (e->size > 0 && e->data[0] == 'm') {
        queue_take(&s->peer->pongs, 0, e->data, e->size);
        return;
    }
    for (; s->echoed < s->pings.count; s->echoed++) {
        size_t i = s->echoed;
        if (s->pings.item[i].size == e->size && memcmp(s->pings.octets.data + s->pings.item[i].at, e->data, e->size) == 0)
            break;
    }
    REQUIRE(s->echoed < s->pings.count);
    s->echoed++;
}

static void on_request(side *s)
{
    tenon_answer answer;
    tenon_head head;
    REQUIRE(tenon_head_get(s->conn, &head) == TENON_OK && head.target.size == 5);
    memset(&answer, 0, sizeof answer);
    answer.size = sizeof answer;
    answer.subprotocol = "chat";
    REQUIRE(tenon_accept(s->conn, &answer) == TENON_OK);
}

static void on_event(side *s, const tenon_event *e)
{
    if (!s->pending || e->type == TENON_EV_RELEASED) /* which goes before what was kept */
        order_event(&s->order, e);
    switch (e->type) {
    case TENON_EV_REQUEST:
        on_request(s);
        break;
    case TENON_EV_OPEN:
        REQUIRE(!s->order.http || (e->size == 4 && memcmp(e->data, "chat", 4) == 0));
        break;
    case TENON_EV_DATA:
        on_data(s, e);
        break;
    case TENON_EV_PING:
        queue_take(&s->peer->pings, 0, e->data, e->size);
        break;
    case TENON_EV_PONG:
        on_pong(s, e);
        break;
    case TENON_EV_CLOSE:
        if (s->peer->reason != NULL)
            REQUIRE(e->size == strlen(s->peer->reason) && (e->size == 0 || memcmp(e->data, s->peer->reason, e->size) == 0));
        break;
    case TENON_EV_RELEASED:
        fuzz_release(e->cookie);
        break;
    case TENON_EV_CLOSED:
        s->closed = 1;
        s->ending = *e;
        break;
    default:
        break;
    }
}

/* Takes events until there are none, or one was kept. */
static void work(side *s)
{
    tenon_event e;
    s->kept = 0;
    while (!s->kept && tenon_next(s->conn, &e) == TENON_EVENT) {
        fuzz_step();
        on_event(s, &e);
    }
    REQUIRE(s->stats.queue_peak <= s->tx_size);
    REQUIRE(s->stats.steps <= 3 * s->stats.octets_in + 64 * (s->messages.count + s->pings.count + 4) + s->sent * 4 + 4096);
}

/* -------------------------------------------------------------------- moving */

/* Up to n octets of output go onto the wire. */
static void move_out(side *s, size_t n)
{
    tenon_iov iov[3];
    size_t i, count, taken = 0;
    REQUIRE(tenon_out(s->conn, iov, COUNT_OF(iov), &count) == TENON_OK);
    for (i = 0; i < count && taken < n; i++) {
        size_t size = iov[i].size < n - taken ? iov[i].size : n - taken;
        REQUIRE(size > 0);
        bytes_add(&s->wire, iov[i].base, size);
        taken += size;
    }
    s->sent++;
    REQUIRE(tenon_sent(s->conn, taken) == TENON_OK);
    if ((tenon_wants(s->conn) & TENON_WANTS_SHUT_WR) != 0) {
        REQUIRE(tenon_queued(s->conn) == 0 && tenon_shut(s->conn) == TENON_OK);
        s->shut = 1;
    }
}

static void grow_rx(side *s)
{
    size_t need = tenon_rx_needed(s->conn);
    uint8_t *larger;
    if (need == 0)
        return;
    REQUIRE(need > s->rx_size && need <= BIG + TENON_RX_RESERVE);
    larger = fuzz_memory(need);
    REQUIRE(tenon_lend_rx(s->conn, larger, need) == TENON_OK);
    fuzz_release(s->rx);
    s->rx = larger;
    s->rx_size = need;
}

/* Up to n octets from the wire are received, as far as they are used. */
static void move_in(side *s, size_t n, int constant)
{
    side *from = s->peer;
    size_t left = from->wire.size - from->moved, rest_size;
    const void *rest;
    uint8_t *copy;
    n = n < left ? n : left;
    if (s->kept || s->closed || n == 0 || (tenon_wants(s->conn) & TENON_WANTS_READ) == 0)
        return;
    copy = fuzz_copy(from->wire.data + from->moved, n);
    REQUIRE((constant ? tenon_recv_const(s->conn, copy, n) : tenon_recv(s->conn, copy, n)) == TENON_OK);
    work(s);
    while (!s->closed && (s->kept || (tenon_wants(s->conn) & TENON_WANTS_RX) != 0)) { /* the lend is to end */
        move_out(s, SIZE_MAX);
        grow_rx(s);
        work(s);
    }
    if (s->closed) {
        from->moved = from->wire.size;
    } else {
        REQUIRE(tenon_unlend(s->conn, &rest, &rest_size) == TENON_OK && rest_size <= n);
        from->moved += n - rest_size;
    }
    fuzz_release(copy);
}

/* The peer will send no more, and all that it has sent is there. */
static int tell_end(side *s)
{
    if (s->closed || s->told || !(s->peer->closed || s->peer->shut) || s->peer->moved < s->peer->wire.size)
        return 0;
    s->told = 1;
    REQUIRE(tenon_eof(s->conn) == TENON_OK);
    work(s);
    return 1;
}

/* Octets that are received at once where no command says how many. */
static size_t piece;

/* Everything goes where it has to, until nothing moves. */
static void settle(side *both)
{
    size_t before, after = 0, i;
    do {
        before = after;
        for (i = 0; i < 2; i++) {
            side *s = &both[i];
            fuzz_step();
            work(s);
            move_out(s, SIZE_MAX);
            move_in(s, piece, 0);
            (void)tell_end(s);
        }
        after = 0;
        for (i = 0; i < 2; i++)
            after += both[i].moved + both[i].wire.size + (size_t)both[i].closed + (size_t)both[i].told +
                     (size_t)both[i].shut;
    } while (after != before);
}

/* --------------------------------------------------------------------- plan */

static void side_begin(side *s, source *in, int role, int http, side *peer)
{
    static const uint64_t messages[4] = {0, 0, 2000, TENON_OFF};
    static const uint32_t frames[4] = {0, 1, 7, 125};
    unsigned how = source_octet(in), sizes = source_octet(in);
    memset(s, 0, sizeof *s);
    s->peer = peer;
    s->seed = how * 2654435761u | 1;
    if (!http)
        REQUIRE(tenon_config_open(&s->config, sizeof s->config, role) == TENON_OK);
    else
        REQUIRE((role == TENON_SERVER ? tenon_config_server(&s->config, sizeof s->config)
                                      : tenon_config_client(&s->config, sizeof s->config)) == TENON_OK);
    s->config.flags |= (how & 1) != 0 ? TENON_CHUNKS : 0;
    s->config.max_message = messages[how >> 1 & 3];
    s->config.max_frame_out = frames[how >> 3 & 3];
    s->echo = role == TENON_SERVER && (how & 32) != 0;
    s->wild = (how & 64) != 0;
    s->config.random = draw_random;
    s->config.random_user = s;
    s->rx_size = 256 + (http ? 400u : 0u) + (sizes & 15) * 40u;
    s->tx_size = 512 + (http ? 400u : 0u) + (sizes >> 4) * 97u;
    s->storage = fuzz_aligned(tenon_conn_size());
    s->rx = fuzz_memory(s->rx_size);
    s->tx = fuzz_memory(s->tx_size);
    s->stats.size = sizeof s->stats;
    REQUIRE(tenon_init(s->storage, tenon_conn_size(), &s->config, &s->conn) == TENON_OK);
    REQUIRE(tenon_lend(s->conn, s->rx, s->rx_size, s->tx, s->tx_size) == TENON_OK);
    REQUIRE(tenon_lend_stats(s->conn, &s->stats) == TENON_OK);
    if (s->config.max_frame_out == 0)
        s->config.max_frame_out = 65536;
    order_begin(&s->order, &s->config, http);
}

static void ask(side *client)
{
    static const char *const subprotocols[] = {"x", "chat"};
    client->request.size = sizeof client->request;
    client->request.uri = "ws://a/chat";
    client->request.subprotocols = subprotocols;
    client->request.subprotocol_count = COUNT_OF(subprotocols);
    REQUIRE(tenon_connect(client->conn, &client->request) == TENON_OK);
}

static void close_side(side *s, unsigned kind)
{
    static const int codes[4] = {1000, 1011, TENON_CLOSE_NONE, 4000};
    const char *reason = (kind & 4) != 0 && (kind & 3) != 2 ? "bye" : "";
    int open = tenon_state(s->conn) == TENON_OPEN;
    int status = tenon_close(s->conn, codes[kind & 3], reason, strlen(reason));
    REQUIRE(status == TENON_OK || (status == TENON_ERR_STATE && tenon_state(s->conn) == TENON_CLOSED));
    if (open)
        s->reason = reason;
}

static void command(side *s, source *in, unsigned what)
{
    size_t n = source_octet(in), most = s->wild ? BIG : limit_of(s->peer);
    size_t size = n * 12 < most ? n * 12 : most;
    switch (what & 15) {
    case 0:
        send_whole(s, 0, TENON_TEXT, n < most ? n : most);
        break;
    case 1:
        send_whole(s, 0, TENON_BINARY, size);
        break;
    case 2:
        send_whole(s, 1, TENON_BINARY, size);
        break;
    case 3:
    case 4:
        send_piece(s, n & 63, (what & 15) == 4);
        break;
    case 5:
    case 6:
        send_control(s, (what & 15) == 5, n % (TENON_CONTROL_MAX + 1));
        break;
    case 7:
        close_side(s, (unsigned)n);
        break;
    case 8:
    case 9:
        move_out(s, (what & 15) == 8 ? n & 15 : n * 8);
        break;
    case 10:
    case 11:
    case 12:
        move_in(s, (what & 15) == 10 ? 1 : n, (what & 15) == 12);
        break;
    default:
        work(s);
        break;
    }
}

/* ------------------------------------------------------------------- the end */

/* For whoever has to find out why. */
static void print_side(const side *s)
{
    fprintf(stderr, "%s: %s, wants %#x, %lu queued, kept %d, rule %s, sent %u (%lu on the way), received %u\n",
            s->config.role == TENON_CLIENT ? "client" : "server", tenon_state_name(tenon_state(s->conn)),
            (unsigned)tenon_wants(s->conn), (unsigned long)tenon_queued(s->conn), s->kept,
            tenon_rule_name(s->ending.rule), (unsigned)s->messages.count,
            (unsigned long)(s->wire.size - s->moved), (unsigned)s->peer->messages.got);
}

/* What one side has sent, as a third party reads it. */
static void check_wire(const side *s, int broken)
{
    size_t from = 0, i, whole = 0;
    oracle o;
    while (s->order.http && from < s->wire.size && (from < 4 || memcmp(s->wire.data + from - 4, "\r\n\r\n", 4) != 0))
        from++;
    memset(&o, 0, sizeof o);
    o.masked = s->config.role == TENON_CLIENT;
    o.max_message = UINT64_MAX / 2;
    o.max_fragments = o.max_control = UINT64_MAX;
    if (s->wire.size > from)
        oracle_read(&o, s->wire.data + from, s->wire.size - from, from);
    for (i = 0; i < o.count; i++)
        whole += (o.frames[i].first & 0x88) == 0x80 && o.frames[i].complete;
    REQUIRE(!oracle_failed(&o));
    REQUIRE(broken || !o.inside);
    REQUIRE(broken || whole == s->messages.count || s->cut_short);
    oracle_free(&o);
}

static void check_end(const side *s)
{
    const side *peer = s->peer;
    int broken = s->ending.rule != TENON_RULE_NONE || peer->ending.rule != TENON_RULE_NONE;
    int opened = s->order.opened && peer->order.opened; /* else it was closed before */
    if (!s->closed || !peer->closed || (broken && opened && !s->wild && !peer->wild)) {
        print_side(s);
        print_side(peer);
    }
    REQUIRE(s->closed && tenon_wants(s->conn) == TENON_WANTS_CLOSE);
    REQUIRE(!broken || !opened || s->wild || peer->wild);
    if (opened)
        check_wire(s, broken);
    if (broken || !opened)
        return;
    REQUIRE((s->ending.flags & TENON_CLEAN) != 0);
    REQUIRE(s->ending.received_code == peer->ending.sent_code);
    REQUIRE(peer->messages.got == peer->messages.count || peer->cut_short);
    REQUIRE(peer->pings.got == peer->pings.count && peer->pongs.got == peer->pongs.count);
}

static void side_end(side *s)
{
    bytes_free(&s->messages.octets);
    bytes_free(&s->pings.octets);
    bytes_free(&s->pongs.octets);
    bytes_free(&s->part);
    bytes_free(&s->message);
    bytes_free(&s->wire);
}

static void run_once(const uint8_t *data, size_t size)
{
    static side both[2]; /* the client, the server */
    source in = {data, size};
    unsigned how = source_octet(&in), i;
    fuzz_allow(FUZZ_STEPS);
    for (i = 0; i < 2; i++)
        side_begin(&both[i], &in, i == 0 ? TENON_CLIENT : TENON_SERVER, how & 1, &both[!i]);
    if (how & 1)
        ask(&both[0]);
    if (how & 2)
        settle(both);
    while (in.left > 0) {
        unsigned what = source_octet(&in);
        if (!both[what >> 7].closed)
            command(&both[what >> 7], &in, what);
    }
    settle(both);
    close_side(&both[how >> 2 & 1], how >> 3);
    if (how & 128)
        close_side(&both[!(how >> 2 & 1)], how >> 3);
    settle(both);
    for (i = 0; i < 2; i++)
        check_end(&both[i]);
    for (i = 0; i < 2; i++)
        side_end(&both[i]);
}

int fuzz_target(const uint8_t *data, size_t size)
{
    if (size < 5)
        return -1;
    piece = SIZE_MAX;
    run_once(data, size);
    for (piece = 1; fuzz_every_split && piece < 40; piece++)
        run_once(data, size);
    return 0;
}
