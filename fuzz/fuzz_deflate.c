/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes permessage-deflate. The first HEAD octets of an input choose parameters,
 * buffers and cuts; the rest are commands. Two modes:
 *
 * Round trip: a client and a server, back to back, send each other messages in every
 * way there is. Each must arrive as it was sent, the connection must end clean, and
 * the octets between them must inflate with zlib and exactly the window agreed on.
 *
 * Hostile: a peer sends compressed messages that may be anything. What is told must be
 * what zlib makes of them, and so must be the rule that ends the connection, however
 * the octets are cut.
 *
 * All lent memory ends where nothing is mapped.
 */
#include <zlib.h>

#include "common.h"
#include "oracle.h"
#include "tenon/zlib.h"

#define HEAD 13
#define PAYLOAD_MAX 40000 /* of a message */
#define BUDGET 150000     /* of all payloads of an input */
#define STUCK 30000       /* attempts */

#define CHECK(condition, text) \
    do { \
        if (!(condition)) \
            failed(text, __LINE__); \
    } while (0)

static void failed(const char *text, int line)
{
    fprintf(stderr, "fuzz_deflate.c:%d: %s\n", line, text);
    abort();
}

/* ------------------------------------------------------------------ the input */

typedef struct input {
    const uint8_t *p;
    size_t left, budget;
    uint32_t seed;
    bytes earlier; /* payloads that were, one behind the other */
} input;

static unsigned take(input *in)
{
    if (in->left == 0)
        return 0;
    in->left--;
    return *in->p++;
}

static void literal(input *in, bytes *to, size_t n)
{
    while (n-- > 0)
        bytes_octet(to, take(in));
}

/* There is memory, even for nothing. */
static void ready(bytes *b)
{
    bytes_octet(b, 0);
    b->size--;
}

/* A piece of what was sent before. */
static void repeat(input *in, bytes *to)
{
    size_t n = in->earlier.size, at, size;
    if (n == 0)
        return;
    at = (size_t)take(in) << 8;
    at = (at | take(in)) % n;
    size = (size_t)take(in) * 16 + 3;
    bytes_add(to, in->earlier.data + at, size < n - at ? size : n - at);
}

/* Octets above ASCII become whole characters. */
static void make_text(bytes *to)
{
    static const char *const characters[4] = {"\xc2\x80", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xed\x9f\xbf"};
    bytes from = *to;
    size_t i;
    memset(to, 0, sizeof *to);
    for (i = 0; i < from.size; i++) {
        if (from.data[i] < 0x80)
            bytes_octet(to, from.data[i]);
        else
            bytes_add(to, characters[from.data[i] & 3], strlen(characters[from.data[i] & 3]));
    }
    free(from.data);
}

static void payload(input *in, bytes *to, unsigned how, int text)
{
    size_t i, n = how == 3 ? 0 : take(in);
    to->size = 0;
    switch (how) {
    case 3:
        repeat(in, to);
        break;
    case 4: /* long and regular */
        for (i = 0; i < n * 40; i++)
            bytes_octet(to, (unsigned)(i % (n + 1)) & 0x7f);
        break;
    case 5: /* long and irregular */
        for (i = 0; i < n * 64; i++)
            bytes_octet(to, fuzz_draw(&in->seed) >> 16 & (text ? 0x7f : 0xff));
        break;
    case 6:
        repeat(in, to);
        literal(in, to, n & 31);
        repeat(in, to);
        break;
    default:
        literal(in, to, n & 63);
        break;
    }
    if (to->size > in->budget || to->size > PAYLOAD_MAX / 4)
        to->size = in->budget < PAYLOAD_MAX / 4 ? in->budget : PAYLOAD_MAX / 4;
    in->budget -= to->size;
    bytes_add(&in->earlier, to->data, to->size);
    if (text)
        make_text(to);
    ready(to);
}

/* ------------------------------------------------------------- the reference */

enum { REF_OK, REF_BAD, REF_INSIDE, REF_BIG };

/* Puts the tail behind a message and inflates it into *out, with step octets of room
 * at a time: with one, zlib sees no further back than its window. limit: of *out. */
static int reference(z_stream *z, const bytes *in, size_t step, size_t limit, bytes *out)
{
    uint8_t room[1024], *all = malloc(in->size + 4);
    int status = Z_OK, whole = 1;
    uInt before;
    if (all == NULL)
        abort();
    if (in->size > 0)
        memcpy(all, in->data, in->size);
    memcpy(all + in->size, "\0\0\xff\xff", 4);
    z->next_in = all;
    z->avail_in = (uInt)in->size + 4;
    out->size = 0;
    do {
        z->next_out = room;
        z->avail_out = (uInt)step;
        before = z->avail_in;
        status = inflate(z, Z_SYNC_FLUSH);
        bytes_add(out, room, step - z->avail_out);
        if (z->avail_in < before || z->avail_out < step) /* else zlib forgets that it is between two blocks */
            whole = status == Z_STREAM_END || z->data_type == 128;
        if (status == Z_STREAM_END)
            inflateResetKeep(z);
    } while (out->size <= limit && (status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR) &&
             (z->avail_in > 0 || z->avail_out == 0));
    free(all);
    if (out->size > limit) {
        out->size = limit + 1;
        return REF_BIG;
    }
    if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR)
        return REF_BAD;
    return whole ? REF_OK : REF_INSIDE;
}

static void reference_begin(z_stream *z, unsigned bits)
{
    memset(z, 0, sizeof *z);
    CHECK(inflateInit2(z, -(int)bits) == Z_OK, "zlib");
}

/* ------------------------------------------------------------------- one side */

/* A message, as it was sent or is expected. */
typedef struct message {
    int opcode;
    int want; /* compressed: 1, plain: 0, either: -1 */
    bytes data;
} message;

typedef struct messages {
    message *list;
    size_t count, room;
} messages;

static message *messages_add(messages *to, int opcode, int want, const bytes *data)
{
    message *m;
    if (to->count == to->room) {
        to->room = to->room * 2 + 16;
        to->list = realloc(to->list, to->room * sizeof *to->list);
        if (to->list == NULL)
            abort();
    }
    m = &to->list[to->count++];
    memset(m, 0, sizeof *m);
    m->opcode = opcode;
    m->want = want;
    ready(&m->data);
    bytes_add(&m->data, data->data, data->size);
    return m;
}

static void messages_free(messages *m)
{
    size_t i;
    for (i = 0; i < m->count; i++)
        free(m->list[i].data.data);
    free(m->list);
    memset(m, 0, sizeof *m);
}

typedef struct loan {
    uint8_t *data, *deflated;
    tenon_prepared prepared;
    int held;
} loan;

typedef struct side {
    int role, constant, grow, early, back_out, back_in, again;
    size_t rx_size, tx_size, cut, more_out, more_in;
    uint32_t seed;
    tenon_config config;
    tenon_deflate deflate;
    tenon_agreed agreed;
    tenon_conn *conn;
    void *storage;
    uint8_t *rx, *tx, *out_block, *in_block, *lent;
    tenon_request request;

    bytes wire;      /* all that went out */
    size_t wire_at;  /* of it, the peer has read so much */
    bytes message;   /* in progress */
    int opcode, open;
    uint64_t limit;
    messages sent, pings; /* to the peer */
    size_t got, pinged;   /* from the peer */
    messages *expected;
    messages *expected_pings;
    loan *loans;
    size_t loan_count, released, events, told, calls, octets;
    int opened, closed, eof, shut, again_done, stuck;
    tenon_event ending;
} side;

static int random_octets(void *user, void *out, size_t n)
{
    uint8_t *p = out;
    while (n-- > 0)
        *p++ = (uint8_t)(fuzz_draw(user) >> 16);
    return 0;
}

static void side_free(side *s)
{
    size_t i;
    for (i = 0; i < s->loan_count; i++) {
        fuzz_release(s->loans[i].data);
        fuzz_release(s->loans[i].deflated);
    }
    free(s->loans);
    fuzz_release(s->storage);
    fuzz_release(s->rx);
    fuzz_release(s->tx);
    fuzz_release(s->out_block);
    fuzz_release(s->in_block);
    fuzz_release(s->lent);
    free(s->wire.data);
    free(s->message.data);
    messages_free(&s->sent);
    messages_free(&s->pings);
    memset(s, 0, sizeof *s);
}

static void lend_out(side *s)
{
    size_t n = tenon_deflate_size(s->conn);
    if (n == 0 || s->out_block != NULL)
        return;
    s->out_block = fuzz_aligned(n + s->more_out);
    CHECK(tenon_lend_deflate(s->conn, s->out_block, n - 1) == TENON_ERR_SIZE, "a small block was taken");
    CHECK(tenon_lend_deflate(s->conn, s->out_block, n + s->more_out) == TENON_OK, "lend_deflate");
}

static void lend_in(side *s)
{
    size_t n = tenon_inflate_size(s->conn);
    if (n == 0 || s->in_block != NULL)
        return;
    s->in_block = fuzz_aligned(n + s->more_in);
    CHECK(tenon_lend_inflate(s->conn, s->in_block, n + s->more_in) == TENON_OK, "lend_inflate");
}

/* Takes blocks back where that is allowed, and sees that elsewhere it is not. */
static void take_back(side *s)
{
    uint32_t wants = tenon_wants(s->conn);
    if (s->closed)
        return;
    if (s->out_block != NULL && s->back_out && fuzz_draw(&s->seed) % 16 == 0) {
        int status = tenon_lend_deflate(s->conn, NULL, 0);
        CHECK(status == ((wants & TENON_FREE_DEFLATE) != 0 ? TENON_OK : TENON_ERR_BUSY), "FREE_DEFLATE");
        if (status == TENON_OK) {
            fuzz_release(s->out_block);
            s->out_block = NULL;
        }
    }
    if (s->in_block != NULL && s->back_in && fuzz_draw(&s->seed) % 16 == 0) {
        int status = tenon_lend_inflate(s->conn, NULL, 0);
        CHECK(status == ((wants & TENON_FREE_INFLATE) != 0 ? TENON_OK : TENON_ERR_BUSY), "FREE_INFLATE");
        if (status == TENON_OK) {
            fuzz_release(s->in_block);
            s->in_block = NULL;
        }
    }
}

/* Gives what is wanted. 1: there was something. */
static int provide(side *s)
{
    uint32_t wants = tenon_wants(s->conn);
    int found = 0;
    if (wants & TENON_WANTS_DEFLATE)
        lend_out(s);
    if (wants & TENON_WANTS_INFLATE) {
        CHECK(s->in_block == NULL, "wants a block that it has");
        lend_in(s);
        found = 1;
    }
    if ((wants & TENON_WANTS_RX) && s->grow > 0) {
        size_t n = tenon_rx_needed(s->conn);
        uint8_t *rx;
        CHECK(n > s->rx_size && n < (1u << 30), "rx_needed");
        n += (size_t)(s->grow - 1) * 100;
        rx = fuzz_memory(n);
        CHECK(tenon_lend_rx(s->conn, rx, n) == TENON_OK, "lend_rx");
        fuzz_release(s->rx);
        s->rx = rx;
        s->rx_size = n;
        found = 1;
    } else if (wants & TENON_WANTS_RX) {
        s->stuck = 1;
    }
    return found;
}

/* --------------------------------------------------------------------- events */

static void on_data(side *s, const tenon_event *e)
{
    const message *m;
    CHECK((e->flags & TENON_FIRST) != 0 ? !s->open : s->open, "FIRST");
    CHECK((s->config.flags & TENON_CHUNKS) != 0 || (~e->flags & (TENON_FIRST | TENON_LAST)) == 0,
          "a piece instead of a message");
    CHECK((e->flags & (TENON_RSV1 | TENON_RSV2 | TENON_RSV3)) == 0, "RSV bits are told");
    CHECK(!s->open || e->opcode == s->opcode, "the opcode changes");
    CHECK(e->size > 0 || (e->flags & TENON_LAST) != 0, "an empty piece");
    if (!s->open)
        s->message.size = 0;
    CHECK(e->offset == s->message.size, "the offset of a piece");
    s->open = (e->flags & TENON_LAST) == 0;
    s->opcode = e->opcode;
    bytes_add(&s->message, e->data, e->size);
    s->told += e->size;
    CHECK(s->message.size <= s->limit, "more than max_message");
    CHECK(s->got < s->expected->count, "a message that nobody sent");
    m = &s->expected->list[s->got];
    CHECK(m->opcode == s->opcode, "the opcode is another");
    CHECK(s->message.size <= m->data.size, "the message is longer");
    CHECK(e->size == 0 || memcmp(m->data.data + e->offset, e->data, e->size) == 0, "the message is another");
    if (s->open)
        return;
    CHECK(s->message.size == m->data.size, "the message is shorter");
    CHECK(m->want != -2, "a message that is in error was finished");
    s->got++;
}

static void on_ping(side *s, const tenon_event *e)
{
    const bytes *data;
    if (s->expected_pings == NULL)
        return;
    CHECK(s->pinged < s->expected_pings->count, "a Ping that nobody sent");
    data = &s->expected_pings->list[s->pinged++].data;
    CHECK(e->size == data->size && (e->size == 0 || memcmp(e->data, data->data, e->size) == 0), "another Ping");
}

static void on_released(side *s, const tenon_event *e)
{
    size_t i = (size_t)(uintptr_t)e->cookie;
    CHECK(i >= 1 && i <= s->loan_count && s->loans[i - 1].held, "RELEASED for nothing");
    s->loans[i - 1].held = 0;
    s->released++;
    fuzz_release(s->loans[i - 1].data);
    fuzz_release(s->loans[i - 1].deflated);
    s->loans[i - 1].data = s->loans[i - 1].deflated = NULL;
}

static void on_open(side *s)
{
    s->opened = 1;
    s->agreed.size = (uint32_t)sizeof s->agreed;
    CHECK(tenon_deflate_get(s->conn, &s->agreed) == TENON_OK, "deflate_get");
    if (s->early && s->agreed.on) {
        lend_out(s);
        lend_in(s);
    }
}

static void on_event(side *s, const tenon_event *e)
{
    CHECK(!s->closed, "an event behind CLOSED");
    switch (e->type) {
    case TENON_EV_REQUEST:
        CHECK(tenon_accept(s->conn, NULL) == TENON_OK, "accept");
        break;
    case TENON_EV_OPEN:
        on_open(s);
        break;
    case TENON_EV_DATA:
        on_data(s, e);
        break;
    case TENON_EV_PING:
        on_ping(s, e);
        break;
    case TENON_EV_RELEASED:
        on_released(s, e);
        break;
    case TENON_EV_CLOSED:
        s->closed = 1;
        s->ending = *e;
        break;
    default:
        break;
    }
}

/* All events there are. Now and then one comes again. */
static void events(side *s)
{
    tenon_event e, last;
    int status;
    memset(&last, 0, sizeof last);
    do {
        status = tenon_next(s->conn, &e);
        s->calls++;
        CHECK(s->calls < 1000 + 40 * s->octets + 4 * s->told + 20 * s->events, "no progress");
        CHECK(status >= 0, "tenon_next");
        if (status != TENON_EVENT)
            continue;
        if (s->again_done) {
            CHECK(e.type == last.type && e.flags == last.flags && e.size == last.size && e.offset == last.offset,
                  "another event comes again");
            s->again_done = 0;
            continue;
        }
        s->events++;
        on_event(s, &e);
        if (s->again > 0 && e.type == TENON_EV_DATA && fuzz_draw(&s->seed) % (unsigned)s->again == 0) {
            CHECK(tenon_again(s->conn) == TENON_OK, "tenon_again");
            s->again_done = 1;
            last = e;
        }
    } while (status == TENON_EVENT || provide(s));
    take_back(s);
}

/* ------------------------------------------------------------------ the plan */

static const size_t rx_sizes[4] = {256, 300, 1024, 20000};
static const size_t tx_sizes[4] = {512, 1400, 8192, 66000};
static const size_t cuts[4] = {1, 9, 300, 100000};
static const uint32_t thresholds[4] = {0, 1, TENON_OFF, 300};
static const uint32_t frames_out[4] = {0, 1, 130, 700};
static const size_t mores[4] = {0, 1, 700, 70000};

static void plan_config(side *s, int role, const uint8_t *h, int http)
{
    int client = role == TENON_CLIENT;
    const uint8_t bits = client ? h[2] : h[1], levels = client ? h[4] : h[3];
    tenon_deflate *d = &s->deflate;
    s->role = role;
    if (!http)
        tenon_config_open(&s->config, sizeof s->config, role);
    else if (client)
        tenon_config_client(&s->config, sizeof s->config);
    else
        tenon_config_server(&s->config, sizeof s->config);
    s->config.random = random_octets;
    s->config.random_user = &s->seed;
    s->config.flags |= (h[0] & (client ? 128 : 64)) != 0 ? TENON_CHUNKS : 0;
    s->config.max_frame_out = frames_out[h[6] >> 4 & 3];
    d->size = (uint32_t)sizeof *d;
    d->codec = &tenon_zlib;
    d->flags = (h[0] >> (client ? 4 : 2) & 1 ? TENON_DEFLATE_RESET_OUT : 0u) |
               (h[0] >> (client ? 5 : 3) & 1 ? TENON_DEFLATE_RESET_IN : 0u);
    d->out_bits = (uint8_t)(9 + (bits & 7) % 7);
    d->in_bits = (uint8_t)(8 + (bits >> 3 & 7));
    d->threshold = thresholds[bits >> 6];
    d->level = (levels & 15) % 10;
    d->memory_level = (levels >> 4) % 10;
    CHECK(tenon_config_deflate(&s->config, d) == TENON_OK, "config_deflate");
}

static void plan_side(side *s, int role, const uint8_t *h, int http)
{
    int client = role == TENON_CLIENT;
    unsigned shift = client ? 2 : 0;
    memset(s, 0, sizeof *s);
    s->seed = (uint32_t)(h[10] | h[11] << 8 | h[12] << 16) * 2 + 1 + 0x1000000u * (unsigned)role;
    plan_config(s, role, h, http);
    s->rx_size = rx_sizes[h[5] >> shift & 3];
    s->tx_size = tx_sizes[h[6] >> shift & 3];
    if (http && s->rx_size < 1024)
        s->rx_size = 1024;
    if (http && s->tx_size < 1400)
        s->tx_size = 1400;
    s->grow = 1 + (h[5] >> 4 & 1);
    s->back_out = (h[5] & 64) != 0;
    s->back_in = (h[5] & 128) != 0;
    s->constant = (h[6] & (client ? 128 : 64)) != 0;
    s->more_out = mores[h[7] >> (client ? 4 : 0) & 3];
    s->more_in = mores[h[7] >> (client ? 6 : 2) & 3];
    s->cut = cuts[h[8] >> shift & 3];
    s->early = (h[8] & 16) != 0;
    s->again = h[8] >> 5;
    s->limit = UINT64_MAX;
}

static void side_start(side *s)
{
    s->storage = fuzz_aligned(tenon_conn_size());
    s->rx = fuzz_memory(s->rx_size);
    s->tx = fuzz_memory(s->tx_size);
    CHECK(tenon_init(s->storage, tenon_conn_size(), &s->config, &s->conn) == TENON_OK, "init");
    CHECK(tenon_lend(s->conn, s->rx, s->rx_size, s->tx, s->tx_size) == TENON_OK, "lend");
    if (s->agreed.on)
        CHECK(tenon_deflate_set(s->conn, &s->agreed) == TENON_OK, "deflate_set");
}

/* ------------------------------------------------------------ the round trip */

typedef struct trip {
    side sides[2]; /* server, client */
    input in;
} trip;

/* Some of what waits goes onto the wire. 1: something did. */
static int drain(side *s)
{
    tenon_iov iov[4];
    size_t count = 0, i, done = 0, most = 1 + fuzz_draw(&s->seed) % s->cut;
    if (s->closed)
        return 0;
    CHECK(tenon_out(s->conn, iov, 4, &count) == TENON_OK, "tenon_out");
    for (i = 0; i < count && done < most; i++) {
        size_t n = iov[i].size < most - done ? iov[i].size : most - done;
        bytes_add(&s->wire, iov[i].base, n);
        done += n;
    }
    CHECK(tenon_sent(s->conn, done) == TENON_OK, "tenon_sent");
    if ((tenon_wants(s->conn) & TENON_WANTS_SHUT_WR) != 0) {
        s->shut = 1;
        tenon_shut(s->conn);
    }
    s->events += done > 0;
    if (done > 0 || (tenon_wants(s->conn) & TENON_WANTS_NEXT) != 0)
        events(s);
    return done > 0;
}

/* Some of the wire is read. 1: something was. */
static int fill(side *s, side *from)
{
    size_t n = from->wire.size - from->wire_at, most = 1 + fuzz_draw(&s->seed) % s->cut;
    if (s->closed || (tenon_wants(s->conn) & TENON_WANTS_READ) == 0)
        return 0;
    if (n == 0) {
        if ((!from->shut && !from->closed) || s->eof)
            return 0;
        s->eof = 1;
        CHECK(tenon_eof(s->conn) == TENON_OK, "tenon_eof");
        events(s);
        return 1;
    }
    n = n < most ? n : most;
    fuzz_release(s->lent);
    s->lent = fuzz_memory(n);
    memcpy(s->lent, from->wire.data + from->wire_at, n);
    from->wire_at += n;
    s->octets += n;
    CHECK((s->constant ? tenon_recv_const(s->conn, s->lent, n) : tenon_recv(s->conn, s->lent, n)) == TENON_OK,
          "tenon_recv");
    events(s);
    CHECK(s->closed || (tenon_wants(s->conn) & (TENON_WANTS_READ | TENON_WANTS_CLOSE)) != 0 || s->shut,
          "octets are left");
    return 1;
}

static int move(trip *t)
{
    side *a = &t->sides[0], *b = &t->sides[1];
    int moved = 0, i;
    for (i = 0; i < 16; i++) {
        moved |= drain(a) | drain(b);
        moved |= fill(a, b) | fill(b, a);
    }
    return moved;
}

static loan *loan_add(side *s, const bytes *data)
{
    loan *l;
    s->loans = realloc(s->loans, (s->loan_count + 1) * sizeof *s->loans);
    if (s->loans == NULL)
        abort();
    l = &s->loans[s->loan_count++];
    memset(l, 0, sizeof *l);
    l->data = fuzz_memory(data->size);
    if (data->size > 0)
        memcpy(l->data, data->data, data->size);
    return l;
}

/* Makes a compressed variant, for the settings of either side. */
static void prepare(trip *t, loan *l, int opcode, const bytes *data)
{
    unsigned how = take(&t->in), bits = 9 + (how & 7) % 7;
    const tenon_deflate *d = &t->sides[how >> 3 & 1].deflate;
    size_t n = tenon_prepare_size(d, bits) + mores[how >> 4 & 3], room = tenon_zlib.bound(data->size);
    void *block = fuzz_aligned(n);
    int status;
    CHECK(tenon_prepare(&l->prepared, sizeof l->prepared, opcode, l->data, data->size, 0) == TENON_OK, "prepare");
    if (how & 64)
        room = data->size / 2;
    l->deflated = fuzz_memory(room);
    status = tenon_prepare_deflate(&l->prepared, d, bits, block, n, l->deflated, room);
    CHECK(status == TENON_OK || status == TENON_ERR_TOO_BIG, "prepare_deflate");
    fuzz_release(block);
}

enum { SEND, PARTS, REF, PREPARED_COPY, PREPARED_REF, PING, PLAIN, COMPRESS };

/* Whether a whole message must be compressed. */
static int wanted(const side *s, size_t n, uint32_t flags)
{
    uint32_t threshold = s->deflate.threshold == 0 ? 64 : s->deflate.threshold;
    if (!s->agreed.on || s->agreed.out_bits < 9 || (flags & TENON_UNCOMPRESSED) != 0)
        return 0;
    return (flags & TENON_COMPRESS) != 0 || (threshold != TENON_OFF && n >= threshold);
}

/* Goes on until the call is not refused for now. */
static int patiently(trip *t, side *s, int kind, int opcode, const uint8_t *data, size_t n, uint32_t flags)
{
    void *cookie = (void *)(uintptr_t)s->loan_count;
    loan *l = s->loan_count > 0 ? &s->loans[s->loan_count - 1] : NULL;
    int status = TENON_ERR_AGAIN, attempts, idle = 0;
    for (attempts = 0; status == TENON_ERR_AGAIN; attempts++) {
        CHECK(attempts < STUCK && idle < 3, "AGAIN for ever");
        if (kind == REF)
            status = tenon_send_ref(s->conn, opcode, l->data, n, flags, cookie);
        else if (kind == PREPARED_COPY || kind == PREPARED_REF)
            status = tenon_send_prepared(s->conn, &l->prepared, flags, cookie);
        else if (kind == PARTS)
            status = tenon_send_part(s->conn, opcode, data, n, flags);
        else if (kind == PING)
            status = tenon_ping(s->conn, data, n);
        else
            status = tenon_send(s->conn, opcode, data, n, flags);
        if (status == TENON_ERR_AGAIN) {
            uint32_t wants = tenon_wants(s->conn);
            provide(s);
            idle = move(t) || (wants & TENON_WANTS_DEFLATE) != 0 ? 0 : idle + 1;
        }
    }
    CHECK(status == TENON_OK || status == TENON_ERR_TOO_BIG, tenon_status_name(status));
    return status;
}

static void ping(trip *t, side *s, const bytes *data)
{
    bytes some = *data;
    some.size = some.size > 125 ? 125 : some.size;
    if (patiently(t, s, PING, 0, some.data, some.size, 0) == TENON_OK)
        messages_add(&s->pings, 0, -1, &some);
}

/* A streamed message: pieces of one size, and control frames between them. */
static void parts(trip *t, side *s, int opcode, const bytes *data)
{
    static const uint32_t choices[4] = {0, TENON_COMPRESS, TENON_UNCOMPRESSED, 0};
    unsigned how = take(&t->in);
    uint32_t flags = choices[how >> 5 & 3];
    size_t at = 0, piece = data->size / (1 + (how & 7)) + (how >> 3 & 3);
    bytes nothing = {NULL, 0, 0};
    int begun = 0, last = 0;
    if (piece == 0)
        piece = 1;
    while (!last) {
        size_t n = data->size - at < piece ? data->size - at : piece;
        last = at + n == data->size && ((how & 128) == 0 || n == 0);
        if (patiently(t, s, PARTS, opcode, data->data + at, n, flags | (last ? TENON_LAST : 0u)) != TENON_OK) {
            CHECK(!begun, "a later piece does not fit");
            return;
        }
        if (!begun)
            messages_add(&s->sent, opcode, wanted(s, SIZE_MAX, flags), data); /* as long as can be */
        begun = 1;
        at += n;
        if (!last && (how & 4) != 0)
            ping(t, s, &nothing);
        if (!last && tenon_state(s->conn) == TENON_OPEN)
            CHECK(tenon_send(s->conn, opcode, NULL, 0, 0) == TENON_ERR_STATE, "a message inside a message");
        if (fuzz_draw(&t->in.seed) % 2)
            move(t);
        take_back(s);
    }
}

static void send_one(trip *t, side *s, int kind, int opcode, const bytes *data)
{
    uint32_t flags = kind == PLAIN ? TENON_UNCOMPRESSED : kind == COMPRESS ? TENON_COMPRESS : 0;
    int lends = kind == REF || kind == PREPARED_REF, want = wanted(s, data->size, flags);
    loan *l = NULL;
    if (lends || kind == PREPARED_COPY)
        l = loan_add(s, data);
    if (kind == PREPARED_REF || kind == PREPARED_COPY) {
        prepare(t, l, opcode, data);
        want = l->prepared.deflated != NULL && s->agreed.on && l->prepared.window_bits <= s->agreed.out_bits;
    }
    if (kind == PREPARED_COPY)
        flags |= TENON_COPY;
    if (l != NULL)
        l->held = lends; /* RELEASED may come only once it is accepted, but from within move */
    messages_add(&s->sent, opcode, want, data);
    if (patiently(t, s, kind, opcode, data->data, data->size, flags) == TENON_OK)
        return;
    CHECK(!lends, "a reference is too big");
    s->sent.count--;
    free(s->sent.list[s->sent.count].data.data);
}

static void round_trip_end(trip *t, unsigned who)
{
    int i;
    for (i = 0; move(t); i++)
        CHECK(i < STUCK, "output without end");
    for (i = 0; i < 2; i++) {
        side *s = &t->sides[i];
        size_t k;
        CHECK(s->got == s->expected->count, "a message did not arrive");
        CHECK(s->pinged == s->expected_pings->count, "a Ping did not arrive");
        for (k = 0; k < s->loan_count; k++)
            CHECK(!s->loans[k].held, "a reference was not released");
    }
    CHECK(tenon_close(t->sides[who].conn, 1000, NULL, 0) == TENON_OK, "tenon_close");
    for (i = 0; move(t); i++)
        CHECK(i < STUCK, "closing without end");
    for (i = 0; i < 2; i++) {
        CHECK(t->sides[i].closed, "it does not end");
        CHECK((t->sides[i].ending.flags & TENON_CLEAN) != 0 && t->sides[i].ending.rule == TENON_RULE_NONE,
              "the end is not clean");
    }
}

/* What went over the wire, read by the RFC and by zlib. */
static void check_wire(const side *s, int http)
{
    oracle o;
    z_stream z;
    bytes packed = {NULL, 0, 0}, out = {NULL, 0, 0};
    size_t i, at = 0, n = 0;
    while (http && (at < 4 || memcmp(s->wire.data + at - 4, "\r\n\r\n", 4) != 0))
        at++;
    memset(&o, 0, sizeof o);
    o.masked = s->role == TENON_CLIENT;
    o.rsv_first = s->agreed.on ? 0x40 : 0;
    o.opaque = 1;
    o.max_message = o.max_fragments = o.max_control = UINT64_MAX;
    oracle_read(&o, s->wire.data + at, s->wire.size - at, 0);
    CHECK(!oracle_failed(&o) && !o.inside && !o.unfinished, "the wire is not WebSocket");
    reference_begin(&z, s->agreed.on ? s->agreed.out_bits : 15);
    for (i = 0; i < o.count; i++) {
        const oracle_frame *f = &o.frames[i];
        const message *m;
        if (f->first & 8)
            continue;
        CHECK(n < s->sent.count, "more messages than were sent");
        m = &s->sent.list[n];
        if ((f->first & 15) != 0) {
            packed.size = 0;
            CHECK((f->first & 15) == m->opcode, "opcode on the wire");
            CHECK(m->want < 0 || m->want == (f->first >> 6 & 1), "compressed or not");
            out.size = f->first & 0x40;
        }
        bytes_add(&packed, o.pool.data + f->data, f->good);
        if ((f->first & 0x80) == 0)
            continue;
        if (out.size != 0) { /* RSV1 of the first frame */
            CHECK(packed.size > 0, "an empty payload of a compressed message");
            CHECK(reference(&z, &packed, 1, m->data.size, &out) == REF_OK, "no DEFLATE, or beyond the window");
            if (s->agreed.flags & TENON_DEFLATE_RESET_OUT)
                inflateReset(&z);
        } else {
            bytes_add(&out, packed.data, packed.size);
        }
        CHECK(out.size == m->data.size && (out.size == 0 || memcmp(out.data, m->data.data, out.size) == 0),
              "another message on the wire");
        n++;
    }
    CHECK(n == s->sent.count, "fewer messages on the wire");
    inflateEnd(&z);
    oracle_free(&o);
    free(packed.data);
    free(out.data);
}

/* Both sides open, with what was agreed on. */
static void round_trip_begin(trip *t, const uint8_t *h, int http)
{
    side *server = &t->sides[0], *client = &t->sides[1];
    int i;
    if (!http) {
        tenon_agreed *a = &server->agreed, *b = &client->agreed;
        a->size = b->size = (uint32_t)sizeof *a;
        a->on = b->on = 1;
        a->out_bits = b->in_bits = (uint8_t)(8 + (h[1] & 7));
        a->in_bits = b->out_bits = (uint8_t)(8 + (h[1] >> 3 & 7));
        a->flags = h[0] >> 2 & 3;
        b->flags = (uint8_t)((a->flags & 1) << 1 | a->flags >> 1);
    }
    for (i = 0; i < 2; i++) {
        side *s = &t->sides[i];
        s->config.max_message = 1u << 20;
        side_start(s);
        s->expected = &t->sides[1 - i].sent;
        s->expected_pings = &t->sides[1 - i].pings;
    }
    if (http) {
        client->request.size = (uint32_t)sizeof client->request;
        client->request.authority = "a";
        CHECK(tenon_connect(client->conn, &client->request) == TENON_OK, "connect");
    }
    for (i = 0; !server->opened || !client->opened; i++) {
        CHECK(i < STUCK, "it does not open");
        events(server);
        events(client);
        move(t);
    }
    CHECK(server->agreed.on == client->agreed.on, "agreed or not");
    if (!server->agreed.on)
        return;
    for (i = 0; i < 2; i++) { /* a sender may do with less than its peer expects */
        const tenon_agreed *from = &t->sides[i].agreed, *to = &t->sides[1 - i].agreed;
        CHECK(from->out_bits <= to->in_bits, "a window larger than the peer's");
        CHECK((to->flags & TENON_DEFLATE_RESET_IN) == 0 || (from->flags & TENON_DEFLATE_RESET_OUT) != 0,
              "the peer forgets, this side does not");
    }
}

static void round_trip(const uint8_t *h, const uint8_t *data, size_t size)
{
    static trip t;
    int http = (h[0] & 2) != 0;
    bytes made = {NULL, 0, 0};
    memset(&t, 0, sizeof t);
    plan_side(&t.sides[0], TENON_SERVER, h, http);
    plan_side(&t.sides[1], TENON_CLIENT, h, http);
    t.in.p = data;
    t.in.left = size;
    t.in.budget = t.sides[0].cut > 1 && t.sides[1].cut > 1 ? BUDGET : BUDGET / 50;
    t.in.seed = t.sides[0].seed;
    round_trip_begin(&t, h, http);
    while (t.in.left > 0) {
        unsigned c = take(&t.in);
        side *s = &t.sides[c >> 3 & 1];
        int opcode = (c & 16) != 0 ? TENON_TEXT : TENON_BINARY, kind = c & 7;
        payload(&t.in, &made, c >> 5, opcode == TENON_TEXT);
        if (kind == PING)
            ping(&t, s, &made);
        else if (kind == PARTS)
            parts(&t, s, opcode, &made);
        else
            send_one(&t, s, kind, opcode, &made);
        if (fuzz_draw(&t.in.seed) % 3 == 0)
            move(&t);
    }
    round_trip_end(&t, h[9] & 1);
    check_wire(&t.sides[0], http);
    check_wire(&t.sides[1], http);
    side_free(&t.sides[0]);
    side_free(&t.sides[1]);
    free(t.in.earlier.data);
    free(made.data);
}

/* ---------------------------------------------------------------- the hostile */

typedef struct attack {
    input in;
    bytes stream;
    messages expected; /* want -2: it is not finished */
    int rule;          /* that ends it; NONE: the end of the stream */
    int loose;         /* something reaches back beyond the window: that may fail or not */
    size_t loose_from; /* messages before that */
    uint64_t limit;
    int role, reset;
    z_stream packer, strict, lax;
} attack;

static void attack_frame(attack *a, unsigned first, const uint8_t *data, size_t n)
{
    unsigned mask = a->role == TENON_SERVER ? 0x80 : 0;
    uint8_t key[4] = {0, 0, 0, 0};
    size_t i;
    bytes_octet(&a->stream, first);
    bytes_octet(&a->stream, mask | (n < 126 ? (unsigned)n : n < 65536 ? 126u : 127u));
    for (i = n < 126 ? 0 : n < 65536 ? 2 : 8; i > 0; i--)
        bytes_octet(&a->stream, (unsigned)((uint64_t)n >> (8 * (i - 1))) & 0xff);
    if (mask) {
        random_octets(&a->in.seed, key, sizeof key);
        bytes_add(&a->stream, key, sizeof key);
    }
    for (i = 0; i < n; i++)
        bytes_octet(&a->stream, data[i] ^ (unsigned)key[i & 3]);
}

/* A message in frames, with Pings between them, and empty ones. */
static void attack_frames(attack *a, unsigned first, unsigned c, const bytes *data)
{
    size_t at = 0, most = (c & 32) != 0 ? 1 + take(&a->in) : data->size + 1;
    int ended = 0;
    while (!ended) {
        size_t n = data->size - at < most ? data->size - at : most;
        if ((c & 64) != 0 && fuzz_draw(&a->in.seed) % 4 == 0)
            n = 0;
        ended = at + n == data->size && ((c & 64) == 0 || fuzz_draw(&a->in.seed) % 2 == 0);
        attack_frame(a, first | (ended ? 0x80u : 0u), data->data + at, n);
        if ((c & 16) != 0)
            attack_frame(a, 0x89, data->data, n < 5 ? n : 5);
        first = 0;
        at += n;
    }
}

/* Compresses as a peer would, or nearly so. */
static void pack(attack *a, unsigned kind, const bytes *from, bytes *to)
{
    static const int flushes[8] = {0,            Z_SYNC_FLUSH, Z_FINISH, Z_SYNC_FLUSH,
                                  Z_SYNC_FLUSH, Z_SYNC_FLUSH, 0,        Z_FULL_FLUSH};
    z_stream *z = &a->packer;
    size_t room = from->size * 2 + 2000;
    uint8_t *out = fuzz_memory(room);
    int how = flushes[kind];
    if (a->reset && kind != 5)
        deflateReset(z);
    z->next_out = out;
    z->avail_out = (uInt)room;
    if (kind == 7) {
        unsigned level = take(&a->in);
        z->next_in = NULL;
        z->avail_in = 0;
        deflateParams(z, (int)(level & 15) % 10, (int)(level >> 4) % 5);
    }
    z->next_in = from->data;
    z->avail_in = (uInt)from->size;
    deflate(z, how);
    to->size = 0;
    bytes_add(to, out, room - z->avail_out);
    if (how == Z_FINISH) {
        bytes_octet(to, 0);
        deflateReset(z);
    } else if (to->size >= 4) {
        to->size -= 4;
    } else {
        bytes_octet(to, 0);
    }
    if (kind == 3 && to->size > 0)
        to->data[take(&a->in) % to->size] ^= (uint8_t)(1u << (fuzz_draw(&a->in.seed) & 7));
    if (kind == 4)
        to->size -= take(&a->in) % (to->size + 1);
    if (kind == 5)
        literal(&a->in, to, take(&a->in) & 15);
    fuzz_release(out);
}

/* What comes of one message: the rule that it breaks, and *out what it begins with. */
static int judge(attack *a, const bytes *packed, int opcode, int status, bytes *out)
{
    size_t tail = 0, n = out->size > a->limit ? (size_t)a->limit : out->size, bad = n;
    if (opcode == TENON_TEXT)
        bad = ref_utf8(out->data, n, &tail);
    out->size = bad;
    if (packed->size == 0)
        return TENON_RULE_DEFLATE_EMPTY;
    if (bad < n)
        return TENON_RULE_UTF8;
    if (status == REF_BIG)
        return TENON_RULE_MESSAGE_SIZE;
    if (status != REF_OK)
        return status == REF_BAD ? TENON_RULE_DEFLATE : TENON_RULE_DEFLATE_END;
    return tail > 0 ? TENON_RULE_UTF8_END : TENON_RULE_NONE;
}

static void expect(attack *a, const bytes *packed, int opcode)
{
    bytes strict = {NULL, 0, 0}, out = {NULL, 0, 0};
    int of_strict, of_lax;
    ready(&strict);
    ready(&out);
    if (a->reset) {
        inflateReset(&a->strict);
        inflateReset(&a->lax);
    }
    of_lax = reference(&a->lax, packed, 1024, (size_t)a->limit, &out);
    if (!a->loose) {
        of_strict = reference(&a->strict, packed, 1, (size_t)a->limit, &strict);
        a->loose = of_strict != of_lax || strict.size != out.size;
        CHECK(a->loose || memcmp(strict.data, out.data, out.size) == 0, "the references are at odds");
        if (a->loose)
            a->loose_from = a->expected.count;
    }
    a->rule = judge(a, packed, opcode, of_lax, &out);
    messages_add(&a->expected, opcode, a->rule == TENON_RULE_NONE ? -1 : -2, &out);
    free(strict.data);
    free(out.data);
}

static void attack_message(attack *a, bytes *made, bytes *packed)
{
    unsigned c = take(&a->in), kind = c & 7;
    int opcode = (c & 8) != 0 ? TENON_TEXT : TENON_BINARY;
    if (kind == 0) {
        packed->size = 0;
        literal(&a->in, packed, take(&a->in));
    } else {
        unsigned how = (c & 128) != 0 ? 3 + (take(&a->in) & 3) : 0;
        payload(&a->in, made, how, opcode == TENON_TEXT && (c & 64) == 0);
    }
    if (kind == 6) { /* plain: the limit is for another fuzzer */
        if (made->size > a->limit)
            made->size = (size_t)a->limit;
        attack_frames(a, TENON_BINARY, c, made);
        messages_add(&a->expected, TENON_BINARY, -1, made);
        return;
    }
    if (kind != 0)
        pack(a, kind, made, packed);
    ready(packed);
    attack_frames(a, 0x40u | (unsigned)opcode, c, packed);
    expect(a, packed, opcode);
}

/* Reads the stream in pieces of at most cut octets. */
/* In pieces of up to cut octets, and all that is left behind the first split ones, if
 * that is not 0. */
static void attack_run(const attack *a, side *s, const uint8_t *h, size_t cut, size_t split)
{
    size_t at = 0;
    plan_side(s, a->role, h, 0);
    s->config.max_message = a->limit == UINT32_MAX ? TENON_OFF : a->limit;
    s->limit = a->limit;
    s->expected = (messages *)(uintptr_t)&a->expected;
    s->grow = (h[9] & 32) != 0 ? 0 : s->grow;
    if ((h[9] & 16) != 0 && a->limit <= 1000) { /* room for just the limit, or one octet more */
        s->rx_size = TENON_RX_RESERVE + (size_t)a->limit + (h[9] >> 6 & 1);
        s->rx_size = s->rx_size < TENON_RX_MIN ? TENON_RX_MIN : s->rx_size;
    }
    s->agreed.size = (uint32_t)sizeof s->agreed;
    s->agreed.on = 1;
    s->agreed.out_bits = 15;
    s->agreed.in_bits = (uint8_t)(8 + (h[1] >> 3 & 7));
    s->agreed.flags = a->reset ? TENON_DEFLATE_RESET_IN : 0;
    s->cut = 100000;
    side_start(s);
    events(s);
    while (at < a->stream.size && !s->closed && !s->stuck) {
        size_t n = cut > a->stream.size ? cut : 1 + fuzz_draw(&s->seed) % cut;
        n = split == 0 ? n : at == 0 ? split : a->stream.size;
        n = n < a->stream.size - at ? n : a->stream.size - at;
        fuzz_release(s->lent);
        s->lent = fuzz_memory(n);
        memcpy(s->lent, a->stream.data + at, n);
        at += n;
        s->octets += n;
        CHECK((s->constant ? tenon_recv_const(s->conn, s->lent, n) : tenon_recv(s->conn, s->lent, n)) == TENON_OK,
              "tenon_recv");
        events(s);
        while (drain(s)) {
        }
    }
    if (s->stuck)
        return;
    if (!s->closed)
        CHECK(tenon_eof(s->conn) == TENON_OK, "tenon_eof");
    events(s);
    while (drain(s)) {
    }
    CHECK(s->closed, "it does not end");
}

static void attack_check(const attack *a, const side *s, const side *before)
{
    int early = a->loose && s->ending.rule == TENON_RULE_DEFLATE && s->got >= a->loose_from;
    size_t finished = a->expected.count - (a->rule != TENON_RULE_NONE);
    if (s->stuck || early)
        return;
    if (s->got != finished || s->ending.rule != (a->rule == TENON_RULE_NONE ? TENON_RULE_EOF : a->rule))
        fprintf(stderr, "%u messages and %s, but %u and %s expected\n", (unsigned)s->got,
                tenon_rule_name(s->ending.rule), (unsigned)finished, tenon_rule_name(a->rule));
    CHECK(s->got == finished, "messages are missing");
    CHECK(s->ending.rule == (a->rule == TENON_RULE_NONE ? TENON_RULE_EOF : a->rule), "another rule");
    if ((s->config.flags & TENON_CHUNKS) != 0 && a->rule != TENON_RULE_NONE)
        CHECK((s->open ? s->message.size : 0) == a->expected.list[finished].data.size, "good octets were not told");
    if (before != NULL && !before->stuck && !a->loose)
        CHECK(before->ending.offset == s->ending.offset, "the offset depends on the cuts");
}

static void attack_begin(attack *a, const uint8_t *h, const uint8_t *data, size_t size)
{
    static const uint64_t limits[4] = {100, 1000, 65536, UINT32_MAX};
    unsigned bits = 8 + (h[1] >> 3 & 7), own = bits < 9 ? 9 : bits;
    memset(a, 0, sizeof *a);
    a->in.p = data;
    a->in.left = size;
    a->in.budget = BUDGET / 4;
    a->in.seed = (uint32_t)(h[10] | h[11] << 8 | h[12] << 16) * 2 + 1;
    a->limit = limits[h[9] >> 1 & 3];
    a->role = (h[0] & 2) != 0 ? TENON_CLIENT : TENON_SERVER;
    a->reset = (h[0] & 8) != 0;
    CHECK(deflateInit2(&a->packer, 6, Z_DEFLATED, -(int)((h[9] & 8) != 0 ? 15 : own), 8, Z_DEFAULT_STRATEGY) == Z_OK,
          "zlib");
    reference_begin(&a->strict, bits);
    reference_begin(&a->lax, 15);
}

static void hostile(const uint8_t *h, const uint8_t *data, size_t size)
{
    static attack a;
    static side sides[3];
    bytes made = {NULL, 0, 0}, packed = {NULL, 0, 0};
    size_t split;
    int i;
    attack_begin(&a, h, data, size);
    ready(&a.stream);
    while (a.in.left > 0 && a.rule == TENON_RULE_NONE)
        attack_message(&a, &made, &packed);
    for (i = 0; i < 3; i++) {
        attack_run(&a, &sides[i], h, i == 0 ? a.stream.size + 1 : cuts[i == 1 ? 0 : h[8] & 3], 0);
        attack_check(&a, &sides[i], i > 0 ? &sides[0] : NULL);
    }
    for (split = 1; fuzz_every_split && split < a.stream.size; split += 1 + a.stream.size / 1000) {
        side_free(&sides[2]);
        fuzz_allow(FUZZ_STEPS);
        attack_run(&a, &sides[2], h, 1, split);
        attack_check(&a, &sides[2], &sides[0]);
    }
    for (i = 0; i < 3; i++)
        side_free(&sides[i]);
    deflateEnd(&a.packer);
    inflateEnd(&a.strict);
    inflateEnd(&a.lax);
    messages_free(&a.expected);
    free(a.stream.data);
    free(a.in.earlier.data);
    free(made.data);
    free(packed.data);
}

/* -------------------------------------------------------------------- entry */

int fuzz_target(const uint8_t *data, size_t size)
{
    if (size < HEAD)
        return -1;
    if (data[0] & 1)
        hostile(data, data + HEAD, size - HEAD);
    else
        round_trip(data, data + HEAD, size - HEAD);
    return 0;
}
