/* SPDX-License-Identifier: MIT */
/*
 * One fault at the N-th use of something, for N = 1, 2, ... until a conversation gets
 * by without meeting it. Faults that do no harm (short writes, a transport that
 * blocks, a queue without room, a callback that stops or keeps an event) must not
 * change what arrives; with the others duet.h judges that all goes by the book until
 * CLOSED.
 */
#include <setjmp.h>
#include <stdarg.h>

#include "tenon/tenon.h"

#include <cmocka.h>

static void describe(char *to, size_t room);

#define DUET_FAIL(party, what)                                                               \
    do {                                                                                     \
        char told[200];                                                                      \
        describe(told, sizeof told);                                                         \
        fail_msg("%s: %s; %s", (party)->role == TENON_CLIENT ? "client" : "server", what, told); \
    } while (0)

#include "duet.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

enum { CLIENT = TENON_CLIENT, SERVER = TENON_SERVER };

enum {
    NONE,
    WRITE_SHORT, /* takes value octets */
    WRITE_STALL, /* takes nothing for a second */
    WRITE_FAILS,
    READ_SHORT,
    READ_FAILS,
    READ_ENDS,
    RANDOM_FAILS,
    CODEC_FAILS, /* the function value */
    EVENT_STOP,
    EVENT_AGAIN, /* value times */
    EVENT_ACT    /* does value */
};

enum { DEFLATE_BEGIN, DEFLATE, INFLATE_BEGIN, INFLATE };

enum {
    ACT_CLOSE,
    ACT_CLOSE_EMPTY,
    ACT_CLOSE_TWICE,
    ACT_CLOSE_AGAIN,
    ACT_REJECT,
    ACT_SEND,
    ACT_PART,
    ACT_REF,
    ACT_PING,
    ACT_PONG,
    ACT_ABORT,
    ACT_ABORT_REMOTE,
    ACT_ABORT_AGAIN,
    ACT_SHUT,
    ACT_WRONG,
    ACTS
};

static struct fault {
    int kind, role, value;
    unsigned at;     /* the use that meets it; 0: none does */
    unsigned used;   /* so far */
    int met;
    int left;        /* EVENT_AGAIN */
    uint64_t until;  /* WRITE_STALL */
    int rejects;     /* the conversation is a refusal */
    unsigned mode;
    unsigned types;  /* of the events in which it acted */
} fault;

static duet pair;

static void describe(char *to, size_t room)
{
    snprintf(to, room, "mode %u, fault %d, role %d, value %d, at use %u", fault.mode, fault.kind, fault.role,
             fault.value, fault.at);
}

/* Counts a use; 1 if this is the one. */
static int meets(int kind, int role)
{
    if (fault.kind != kind || fault.role != role || ++fault.used != fault.at)
        return 0;
    fault.met = 1;
    pair.moves++;
    return 1;
}

/* ------------------------------------------------------------------ resources */

static long may_write(party *p, size_t n)
{
    if (meets(WRITE_STALL, p->role))
        pair.wake = fault.until = pair.now + 1000;
    if (fault.kind == WRITE_STALL && fault.role == p->role && pair.now < fault.until)
        return 0;
    if (meets(WRITE_FAILS, p->role))
        return -1;
    if (meets(WRITE_SHORT, p->role))
        return fault.value;
    return (long)n;
}

static long may_read(party *p, size_t n)
{
    if (meets(READ_FAILS, p->role))
        return -1;
    if (meets(READ_ENDS, p->role))
        p->peer->way.cut = 1;
    if (meets(READ_SHORT, p->role))
        return fault.value;
    return (long)n;
}

static int random_fails(party *p)
{
    return meets(RANDOM_FAILS, p->role);
}

static int codec_fails(int function)
{
    return fault.kind == CODEC_FAILS && fault.value == function && meets(CODEC_FAILS, pair.turn->role);
}

static int codec_deflate_begin(void *memory, size_t size, unsigned bits, unsigned memory_level, unsigned level)
{
    if (codec_fails(DEFLATE_BEGIN))
        return TENON_ERR_SIZE;
    return tenon_zlib.deflate_begin(memory, size, bits, memory_level, level);
}

static int codec_deflate(void *memory, const uint8_t **in, size_t *in_size, uint8_t **out, size_t *out_size, int flush)
{
    if (codec_fails(DEFLATE))
        return TENON_ERR_PROTOCOL;
    return tenon_zlib.deflate(memory, in, in_size, out, out_size, flush);
}

static int codec_inflate_begin(void *memory, size_t size, unsigned bits)
{
    return codec_fails(INFLATE_BEGIN) ? TENON_ERR_SIZE : tenon_zlib.inflate_begin(memory, size, bits);
}

static int codec_inflate(void *memory, const uint8_t **in, size_t *in_size, uint8_t **out, size_t *out_size)
{
    if (codec_fails(INFLATE))
        return TENON_ERR_PROTOCOL;
    return tenon_zlib.inflate(memory, in, in_size, out, out_size);
}

/* ---------------------------------------------------------------- conversation */

static const struct line {
    int kind, opcode;
    size_t n;
    uint32_t flags;
} lines[2][12] = {
    {{SAY_COPY, TENON_TEXT, 20, 0},
     {SAY_COPY, TENON_BINARY, 150, TENON_COMPRESS},
     {SAY_PART, TENON_TEXT, 99, TENON_COMPRESS},
     {SAY_PING, TENON_BINARY, 10, 0},
     {SAY_PART, TENON_TEXT, 1, TENON_COMPRESS},
     {SAY_PART_LAST, TENON_TEXT, 60, TENON_COMPRESS},
     {SAY_REF, TENON_BINARY, 5000, 0},
     {SAY_PREPARED, TENON_TEXT, 120, 0},
     {SAY_PREPARED_COPY, TENON_BINARY, 90, 0},
     {SAY_PONG, TENON_BINARY, 5, 0},
     {SAY_COPY, TENON_TEXT, 0, TENON_UNCOMPRESSED},
     {SAY_REF, TENON_TEXT, 700, TENON_COMPRESS}},
    {{SAY_REF, TENON_TEXT, 3000, TENON_UNCOMPRESSED},
     {SAY_PING, TENON_BINARY, 125, 0},
     {SAY_COPY, TENON_BINARY, 130, 0},
     {SAY_PART, TENON_BINARY, 40, 0},
     {SAY_PONG, TENON_BINARY, 0, 0},
     {SAY_PING, TENON_BINARY, 0, 0},
     {SAY_PART_LAST, TENON_BINARY, 0, 0},
     {SAY_COPY, TENON_TEXT, 100, TENON_COMPRESS | TENON_TRUSTED},
     {SAY_PREPARED, TENON_BINARY, 2000, 0},
     {SAY_COPY, TENON_BINARY, 1, TENON_COMPRESS},
     {SAY_REF, TENON_BINARY, 1, 0},
     {SAY_COPY, TENON_TEXT, 126, 0}}};

enum { MESSAGES_CLIENT = 8, MESSAGES_SERVER = 8 };

static int has_ref(const party *p)
{
    return p->refs[0].live || p->refs[1].live || p->refs[2].live || p->refs[3].live;
}

/* What a send may say when it says no. */
static void check_refusal(party *p, int status)
{
    int state = tenon_state(p->conn);
    DUET_CHECK(p, status == TENON_ERR_AGAIN || (status == TENON_ERR_STATE && state != TENON_OPEN) ||
                      (status == TENON_ERR_STATE && fault.kind == EVENT_ACT && fault.met) ||
                      (status == TENON_ERR_RANDOM && fault.kind == RANDOM_FAILS && fault.met));
}

static void speak(party *p)
{
    const struct line *script = lines[p->role == SERVER];
    int status = TENON_OK;
    while (p->opened && status == TENON_OK && p->step < COUNT_OF(lines[0])) {
        const struct line *l = &script[p->step];
        status = say(p, l->kind, l->opcode, l->n, l->flags);
        p->step += status == TENON_OK;
    }
    if (status != TENON_OK)
        check_refusal(p, status);
    if (p->role == CLIENT && !p->asked && p->step == COUNT_OF(lines[0]) && p->messages == MESSAGES_SERVER &&
        !has_ref(p) && p->opened)
        (void)say_close(p, 1000, "bye");
}

static int reject(party *p)
{
    tenon_refusal refusal;
    reference *r = free_ref(p);
    int status;
    memset(&refusal, 0, sizeof refusal);
    refusal.size = (uint32_t)sizeof refusal;
    refusal.status = 503;
    if (r == NULL)
        return TENON_ERR_AGAIN;
    r->data = calloc(3000, 1);
    assert_non_null(r->data);
    refusal.body = r->data;
    refusal.body_size = 3000;
    refusal.cookie = r;
    status = tenon_reject(p->conn, &refusal);
    r->live = status == TENON_OK;
    if (!r->live)
        free(r->data);
    return status;
}

/* Calls that can never be right, or not here: none of them does anything. */
static void wrong(party *p, const tenon_event *e)
{
    uint64_t queued = tenon_queued(p->conn);
    uint32_t wants = tenon_wants(p->conn);
    char long_reason[124];
    tenon_event other;
    const void *rest;
    size_t n;
    memset(long_reason, 'x', sizeof long_reason);
    assert_true(tenon_send(p->conn, 0, "a", 1, 0) < 0);
    assert_true(tenon_send(p->conn, TENON_OP_PING, "a", 1, 0) < 0);
    assert_true(tenon_send(p->conn, TENON_TEXT, "\xff", 1, 0) < 0);
    assert_true(tenon_send(p->conn, TENON_TEXT, NULL, 1, 0) < 0);
    assert_true(tenon_send(p->conn, TENON_TEXT, "a", 1, TENON_RSV2) < 0);
    assert_true(tenon_ping(p->conn, long_reason, 126) < 0);
    assert_true(tenon_pong(p->conn, long_reason, 126) < 0);
    assert_true(tenon_close(p->conn, 999, NULL, 0) < 0);
    assert_true(tenon_close(p->conn, 1006, NULL, 0) < 0);
    assert_true(tenon_close(p->conn, 1000, long_reason, sizeof long_reason) < 0);
    assert_true(tenon_close(p->conn, 1000, "\xc3", 1) < 0);
    assert_true(tenon_connect(p->conn, &p->request) < 0);
    assert_true(tenon_sent(p->conn, SIZE_MAX) == TENON_ERR_ACK);
    assert_true(tenon_lend_rx(p->conn, lent_at(&p->rx), 10) < 0);
    if (e->type != TENON_EV_REQUEST || p->opened)
        assert_int_equal(tenon_accept(p->conn, NULL), TENON_ERR_STATE);
    if (e->type != TENON_EV_REQUEST)
        assert_int_equal(reject(p), free_ref(p) != NULL ? TENON_ERR_STATE : TENON_ERR_AGAIN);
    if (p->in_callback) {
        assert_int_equal(tenon_next(p->conn, &other), TENON_ERR_REENTRY);
        assert_int_equal(tenon_run(p->conn, duet_event, p), TENON_ERR_REENTRY);
        assert_int_equal(tenon_recv(p->conn, long_reason, 1), TENON_ERR_REENTRY);
        assert_int_equal(tenon_unlend(p->conn, &rest, &n), TENON_ERR_REENTRY);
        assert_int_equal(tenon_guard(p->conn, 1), TENON_ERR_REENTRY);
    }
    assert_true(tenon_queued(p->conn) == queued);
    assert_int_equal(tenon_wants(p->conn), wants);
}

static void act_close(party *p, int act)
{
    (void)say_close(p, act == ACT_CLOSE_EMPTY ? TENON_CLOSE_NONE : 3001, act == ACT_CLOSE_EMPTY ? NULL : "now");
    if (act == ACT_CLOSE_TWICE)
        (void)say_close(p, 3002, "again");
    assert_true(tenon_state(p->conn) != TENON_OPEN);
    assert_int_equal(tenon_send(p->conn, TENON_BINARY, "a", 1, 0), TENON_ERR_STATE);
}

static void act_abort(party *p, int cause)
{
    (void)duet_abort(p, cause);
    assert_int_equal(tenon_queued(p->conn), 0);
    assert_int_equal(tenon_send(p->conn, TENON_BINARY, "a", 1, 0), TENON_ERR_STATE);
    assert_int_equal(tenon_ping(p->conn, NULL, 0), TENON_ERR_STATE);
}

static void act_say(party *p, int act)
{
    static const int kinds[] = {SAY_COPY, SAY_PART, SAY_REF, SAY_PING, SAY_PONG};
    int kind = kinds[act - ACT_SEND], control = kind == SAY_PING || kind == SAY_PONG;
    int state = tenon_state(p->conn), streaming = p->streaming;
    int status = say(p, kind, TENON_BINARY, 50, 0);
    if (state != TENON_OPEN || (streaming && !control && kind != SAY_PART))
        assert_int_equal(status, TENON_ERR_STATE);
    else
        assert_true(status == TENON_OK || status == TENON_ERR_AGAIN);
}

/* Does something in an event; 1 if the event is to come again. */
static int act(party *p, const tenon_event *e)
{
    int status;
    fault.types |= 1u << e->type;
    switch (fault.value) {
    case ACT_CLOSE:
    case ACT_CLOSE_EMPTY:
    case ACT_CLOSE_TWICE:
    case ACT_CLOSE_AGAIN:
        act_close(p, fault.value);
        break;
    case ACT_REJECT:
        status = reject(p);
        assert_true(status == (e->type == TENON_EV_REQUEST ? TENON_OK : TENON_ERR_STATE) || status == TENON_ERR_AGAIN);
        break;
    case ACT_ABORT:
    case ACT_ABORT_AGAIN:
        act_abort(p, TENON_LOCAL);
        break;
    case ACT_ABORT_REMOTE:
        act_abort(p, TENON_REMOTE);
        break;
    case ACT_SHUT:
        assert_int_equal(tenon_shut(p->conn), TENON_OK); /* said too early, it changes nothing that is sent */
        break;
    case ACT_WRONG:
        wrong(p, e);
        break;
    default:
        act_say(p, fault.value);
    }
    return fault.value == ACT_CLOSE_AGAIN || fault.value == ACT_ABORT_AGAIN;
}

static int answer(party *p, const tenon_event *e)
{
    int again = 0, status;
    if (fault.left > 0 && fault.role == p->role && p->last.type == e->type) {
        fault.left--;
        return TENON_AGAIN;
    }
    if (meets(EVENT_ACT, p->role))
        again = act(p, e);
    if (meets(EVENT_AGAIN, p->role)) {
        fault.left = fault.value - 1;
        return TENON_AGAIN;
    }
    if (again)
        return TENON_AGAIN;
    if (e->type == TENON_EV_REQUEST) {
        status = fault.rejects ? reject(p) : tenon_accept(p->conn, NULL);
        DUET_CHECK(p, status == TENON_OK || (fault.kind == EVENT_ACT && fault.met));
    }
    return meets(EVENT_STOP, p->role) ? TENON_STOP : TENON_CONTINUE;
}

/* ------------------------------------------------------------------- running */

/* Bits of a mode. */
enum { PULL = 1, CHUNKS = 2, COMPRESSED = 4 };

static tenon_codec codec;

static void prepare(party *p)
{
    p->config.max_frame_out = 1000;
    p->config.idle_ms = 30000;
}

/* One conversation; its memory may be of any size. */
static void converse(unsigned mode, size_t rx, size_t tx)
{
    duet *d = &pair;
    unsigned turns = 0;
    int status;
    memset(d, 0, sizeof *d);
    fault.mode = mode;
    fault.used = 0;
    fault.met = 0;
    fault.left = 0;
    d->seed = 0x2545f4914f6cdd1d;
    d->pull = (mode & PULL) != 0;
    d->chunks = (mode & CHUNKS) != 0;
    d->compressed = (mode & COMPRESSED) != 0;
    d->deflate.size = (uint32_t)sizeof d->deflate;
    d->deflate.codec = &codec;
    d->deflate.out_bits = 9;
    d->deflate.memory_level = 1;
    d->speak = speak;
    d->answer = answer;
    d->may_write = may_write;
    d->may_read = may_read;
    d->random_fails = random_fails;
    assert_int_equal(tenon_config_client(&d->client.config, sizeof d->client.config), TENON_OK);
    assert_int_equal(tenon_config_server(&d->server.config, sizeof d->server.config), TENON_OK);
    prepare(&d->client);
    prepare(&d->server);
    status = duet_start(d, rx, tx);
    if (status == TENON_ERR_RANDOM && fault.met)
        (void)duet_abort(&d->client, TENON_LOCAL);
    else
        assert_int_equal(status, TENON_OK);
    while (duet_go(d))
        DUET_CHECK(&d->client, ++turns < 100000);
    party_stop(&d->client);
    party_stop(&d->server);
}

/* All was said and heard, and both said goodbye. */
static void assert_whole(void)
{
    const party *c = &pair.client, *s = &pair.server;
    int whole = s->messages == MESSAGES_CLIENT && c->messages == MESSAGES_SERVER && c->last.code == 1000 &&
                s->last.code == 1000 && (c->last.flags & s->last.flags & TENON_CLEAN) != 0;
    if (!whole)
        DUET_FAIL(c, "not all of it arrived");
    assert_int_equal(c->last.cause, TENON_LOCAL);
    assert_int_equal(s->last.cause, TENON_REMOTE);
    assert_true(c->stats.octets_in == s->stats.octets_out && c->stats.octets_out == s->stats.octets_in);
}

/* For N = 1, 2, ... until it is not met. Returns how often it was. */
static unsigned each(unsigned mode, int kind, int role, int value, int harmless)
{
    unsigned n = 0;
    do {
        memset(&fault, 0, offsetof(struct fault, rejects));
        fault.kind = kind;
        fault.role = role;
        fault.value = value;
        fault.at = ++n;
        converse(mode, 8192, 2048);
        if (!fault.rejects && (harmless || !fault.met))
            assert_whole();
    } while (fault.met);
    return n - 1;
}

static void each_mode(int kind, int value, int harmless, unsigned least)
{
    unsigned mode, met = 0;
    for (mode = 0; mode < 8; mode++) {
        met += each(mode, kind, CLIENT, value, harmless);
        met += each(mode, kind, SERVER, value, harmless);
    }
    assert_true(met >= least);
}

static int set_up(void **state)
{
    (void)state;
    codec = tenon_zlib;
    codec.deflate_begin = codec_deflate_begin;
    codec.deflate = codec_deflate;
    codec.inflate_begin = codec_inflate_begin;
    codec.inflate = codec_inflate;
    memset(&fault, 0, sizeof fault);
    return 0;
}

/* ---------------------------------------------------------------------- tests */

static void test_without(void **state)
{
    unsigned mode;
    (void)state;
    for (mode = 0; mode < 8; mode++) {
        converse(mode, 8192, 2048);
        assert_whole();
    }
}

/* Every write takes less than it is offered, for every length that a header has, and more. */
static void test_short_writes(void **state)
{
    int length;
    (void)state;
    for (length = 0; length < 16; length++) {
        unsigned mode = (unsigned)length % 8;
        assert_true(each(mode, WRITE_SHORT, CLIENT, length, 1) > 5);
        assert_true(each(mode, WRITE_SHORT, SERVER, length, 1) > 5);
    }
    each_mode(WRITE_SHORT, 1, 1, 100);
}

static void test_stalls(void **state)
{
    (void)state;
    each_mode(WRITE_STALL, 0, 1, 100);
}

static void test_short_reads(void **state)
{
    (void)state;
    each_mode(READ_SHORT, 1, 1, 100);
    each_mode(READ_SHORT, 0, 1, 100);
    each_mode(READ_SHORT, 7, 1, 100);
}

/* A queue of every size, from the least that takes the request. */
static void test_room(void **state)
{
    size_t tx;
    unsigned mode = 0;
    (void)state;
    fault.kind = NONE;
    for (tx = TENON_TX_MIN; tx < 1500; tx += 3) {
        mode = (mode + 1) % 4;
        converse(mode, 8192, tx);
        assert_whole();
    }
    for (tx = 1000; tx < 2500; tx += 11) {
        mode = (mode + 1) % 4;
        converse(mode | COMPRESSED, 8192, tx);
        assert_whole();
    }
}

/* Messages in pieces need no more than the least rx; whole ones that do not fit end it. */
static void test_rx(void **state)
{
    size_t rx;
    unsigned whole = 0, broken = 0;
    (void)state;
    fault.kind = NONE;
    for (rx = 1024; rx < 6000; rx += 37) {
        converse(CHUNKS | (rx & PULL), rx, 2048);
        assert_whole();
        converse(rx & (PULL | COMPRESSED), rx, 2048);
        if (rx >= 5000 + TENON_RX_RESERVE) {
            assert_whole();
            whole++;
        } else {
            const tenon_event *judge = pair.server.last.rule != 0 ? &pair.server.last : &pair.client.last;
            assert_int_equal(judge->rule, TENON_RULE_MESSAGE_SIZE);
            assert_int_equal(judge->sent_code, TENON_CLOSE_TOO_BIG);
            broken++;
        }
    }
    assert_true(whole > 10 && broken > 10);
}

static void test_transport_fails(void **state)
{
    (void)state;
    each_mode(WRITE_FAILS, 0, 0, 100);
    each_mode(READ_FAILS, 0, 0, 100);
    each_mode(READ_ENDS, 0, 0, 100);
}

static void test_random_fails(void **state)
{
    unsigned mode;
    (void)state;
    for (mode = 0; mode < 8; mode++) {
        assert_true(each(mode, RANDOM_FAILS, CLIENT, 0, 0) > 10);
        assert_int_equal(each(mode, RANDOM_FAILS, SERVER, 0, 1), 0); /* it draws none */
    }
}

static void test_codec_fails(void **state)
{
    static const unsigned least[] = {1, 4, 1, 4};
    unsigned mode;
    int function;
    (void)state;
    for (mode = COMPRESSED; mode < 8; mode++) {
        for (function = DEFLATE_BEGIN; function <= INFLATE; function++) {
            assert_true(each(mode, CODEC_FAILS, CLIENT, function, 0) >= least[function]);
            assert_true(each(mode, CODEC_FAILS, SERVER, function, 0) >= least[function]);
        }
    }
}

static void test_stop(void **state)
{
    (void)state;
    each_mode(EVENT_STOP, 0, 1, 200);
}

static void test_again(void **state)
{
    (void)state;
    each_mode(EVENT_AGAIN, 1, 1, 200);
    each_mode(EVENT_AGAIN, 3, 1, 200);
}

/* Everything that can be called, from inside every event. */
static void test_acts(void **state)
{
    /* OPEN to CLOSED, without BODY */
    const unsigned all = (1u << (TENON_EV_CLOSED + 1)) - (1u << TENON_EV_OPEN) - (1u << TENON_EV_BODY);
    unsigned mode, types[2] = {0, 0};
    int value, role;
    (void)state;
    for (value = 0; value < ACTS; value++) {
        for (mode = 0; mode < 8; mode++) {
            for (role = SERVER; role <= CLIENT; role++) {
                fault.types = 0;
                assert_true(each(mode, EVENT_ACT, role, value, value == ACT_WRONG) > 10);
                types[role - SERVER] |= fault.types;
            }
        }
    }
    assert_int_equal(types[0], all | 1u << TENON_EV_REQUEST);
    assert_int_equal(types[1], all);
}

/* The same where the request is refused, with a body by reference. */
static void test_acts_refused(void **state)
{
    const unsigned client = 1u << TENON_EV_RESPONSE | 1u << TENON_EV_BODY | 1u << TENON_EV_CLOSED;
    const unsigned server = 1u << TENON_EV_REQUEST | 1u << TENON_EV_RELEASED | 1u << TENON_EV_CLOSED;
    unsigned mode, types[2] = {0, 0};
    int value, role;
    (void)state;
    fault.rejects = 1;
    for (value = 0; value < ACTS; value++) {
        for (mode = 0; mode < 4; mode++) {
            for (role = SERVER; role <= CLIENT; role++) {
                fault.types = 0;
                assert_true(each(mode, EVENT_ACT, role, value, 0) >= 2);
                types[role - SERVER] |= fault.types;
            }
        }
    }
    assert_int_equal(types[0], server);
    assert_int_equal(types[1], client);
    for (mode = 0; mode < 2; mode++) {
        assert_true(each(mode, WRITE_FAILS, SERVER, 0, 0) > 0);
        assert_true(each(mode, READ_ENDS, CLIENT, 0, 0) > 0);
        assert_true(each(mode, WRITE_SHORT, SERVER, 3, 0) > 0);
        assert_int_equal(pair.client.last.rule, TENON_RULE_STATUS);
    }
    fault.rejects = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without),       cmocka_unit_test(test_short_writes),
        cmocka_unit_test(test_stalls),        cmocka_unit_test(test_short_reads),
        cmocka_unit_test(test_room),          cmocka_unit_test(test_rx),
        cmocka_unit_test(test_transport_fails), cmocka_unit_test(test_random_fails),
        cmocka_unit_test(test_codec_fails),   cmocka_unit_test(test_stop),
        cmocka_unit_test(test_again),         cmocka_unit_test(test_acts),
        cmocka_unit_test(test_acts_refused),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
