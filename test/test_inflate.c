/* SPDX-License-Identifier: MIT */
/*
 * permessage-deflate on connections: messages in. However the input is cut and lent,
 * the events must be the same, and what is told must be what zlib makes of it.
 */
#include "deflate_peer.h"

static const int roles[] = {TENON_SERVER, TENON_CLIENT};

static setup setup_of(int role)
{
    setup s;
    memset(&s, 0, sizeof s);
    s.role = role;
    return s;
}

static int has(const pair *p, uint32_t bit)
{
    return (tenon_wants(p->b.conn) & bit) != 0;
}

/* ------------------------------------------------------------------------- the log */

/* Events as octets: [ opcode data ] for a message, pieces joined; others by name. */
typedef struct journal {
    uint8_t *data;
    size_t size, room;
    unsigned messages; /* finished */
    unsigned calls;    /* of tenon_next */
    unsigned grown;    /* times that a larger rx was lent */
} journal;

static void note(journal *j, const void *data, size_t n)
{
    while (j->room - j->size < n) {
        j->room = j->room * 2 + 256;
        j->data = realloc(j->data, j->room);
        assert_non_null(j->data);
    }
    if (n > 0)
        memcpy(j->data + j->size, data, n);
    j->size += n;
}

static void note_text(journal *j, const char *text)
{
    note(j, text, strlen(text));
}

static void note_data(journal *j, const tenon_event *e)
{
    if (e->flags & TENON_FIRST) {
        assert_int_equal(e->offset, 0);
        note_text(j, e->opcode == TENON_TEXT ? "[text " : "[binary ");
        if (e->flags & TENON_RSV2)
            note_text(j, "2 ");
    }
    assert_true((e->flags & TENON_FIRST) == 0 || (e->flags & TENON_FRAME_FIRST) != 0);
    assert_true((e->flags & TENON_LAST) == 0 || (e->flags & TENON_FRAME_LAST) != 0);
    assert_int_equal(e->flags & TENON_RSV1, 0); /* it was dealt with */
    assert_true(e->size > 0 || (e->flags & TENON_LAST) != 0);
    note(j, e->data, e->size);
    if (e->flags & TENON_LAST) {
        note_text(j, "]\n");
        j->messages++;
    }
}

static void note_event(journal *j, const tenon_event *e)
{
    char line[128];
    if (e->type == TENON_EV_DATA) {
        note_data(j, e);
        return;
    }
    note_text(j, tenon_event_name(e->type));
    note_text(j, " ");
    note(j, e->data, e->size);
    if (e->type == TENON_EV_CLOSED) {
        snprintf(line, sizeof line, "%s at %lu code %u sent %u", tenon_rule_name(e->rule), (unsigned long)e->offset,
                 e->code, e->sent_code);
        note_text(j, line);
    }
    note_text(j, "\n");
}

static void free_journal(journal *j)
{
    free(j->data);
    memset(j, 0, sizeof *j);
}

/* ------------------------------------------------------------------------- the play */

typedef struct cutting {
    size_t most;   /* octets lent at once, 0: all */
    size_t at;     /* or two lends, cut there */
    uint64_t seed; /* or at random */
    int constant;
    int patient;   /* tenon_next only when it is wanted */
} cutting;

static void grow(pair *p, journal *j)
{
    size_t need = tenon_rx_needed(p->b.conn);
    uint8_t *rx;
    assert_true(need > p->b.rx_size && need <= SIZE_MAX / 4);
    rx = malloc(need);
    assert_int_equal(tenon_lend_rx(p->b.conn, rx, need), TENON_OK);
    free(p->b.rx);
    p->b.rx = rx;
    p->b.rx_size = need;
    j->grown++;
}

/* Events until there is none; the memory that is wanted is lent. */
static void take_events(pair *p, journal *j, const cutting *c)
{
    int current = 0;
    for (;;) {
        int wanted = has(p, TENON_WANTS_NEXT);
        if (!c->patient || wanted || current) {
            j->calls++;
            current = next(&p->b);
            if (current != 0) {
                assert_true(wanted); /* it is never missing */
                note_event(j, &p->b.event);
                flush_out(&p->b);
                if (p->b.closed)
                    return;
                continue;
            }
        }
        assert_false(has(p, TENON_WANTS_NEXT));
        if (has(p, TENON_WANTS_INFLATE) && p->in_block == NULL)
            lend_blocks(p, 0);
        else if (has(p, TENON_WANTS_RX))
            grow(p, j);
        else
            break;
    }
}

static size_t next_lend(size_t at, size_t n, cutting *c)
{
    size_t size = n - at;
    if (c->most > 0 && size > c->most)
        size = c->most;
    if (c->at > at)
        size = c->at - at < size ? c->at - at : size;
    if (c->seed > 0)
        size = 1 + draw(&c->seed) % (size < 700 ? size : 700);
    return size;
}

/* All octets, then the end of the stream. */
static void play(pair *p, const uint8_t *octets, size_t n, cutting c, journal *j)
{
    size_t at = 0;
    memset(j, 0, sizeof *j);
    while (at < n && !p->b.closed) {
        size_t size = next_lend(at, n, &c);
        free(p->b.lent);
        p->b.lent = malloc(size);
        memcpy(p->b.lent, octets + at, size);
        if (c.constant)
            assert_int_equal(tenon_recv_const(p->b.conn, p->b.lent, size), TENON_OK);
        else
            assert_int_equal(tenon_recv(p->b.conn, p->b.lent, size), TENON_OK);
        take_events(p, j, &c);
        if (c.constant)
            assert_memory_equal(p->b.lent, octets + at, size);
        at += size;
    }
    if (!p->b.closed)
        assert_int_equal(tenon_eof(p->b.conn), TENON_OK);
    flush_out(&p->b);
    while (!p->b.closed) {
        take_events(p, j, &c);
        flush_out(&p->b);
    }
}

static void play_setup(const setup *s, const uint8_t *octets, size_t n, cutting c, journal *j)
{
    pair p;
    pair_open(&p, s);
    play(&p, octets, n, c, j);
    pair_close(&p);
}

static void assert_same(const journal *a, const journal *b)
{
    if (a->size != b->size || memcmp(a->data, b->data, a->size) != 0)
        print_error("first %.*s\nnow %.*s\n", (int)(a->size < 2000 ? a->size : 2000), (char *)a->data,
                    (int)(b->size < 2000 ? b->size : 2000), (char *)b->data);
    assert_int_equal(a->size, b->size);
    assert_memory_equal(a->data, b->data, a->size);
}

/* Whole, octet by octet, at every cut, at random; mutable and const. The journal of all. */
static void every_way(const setup *s, const uint8_t *octets, size_t n, journal *all)
{
    size_t i;
    int constant;
    cutting c;
    memset(&c, 0, sizeof c);
    play_setup(s, octets, n, c, all);
    for (constant = 0; constant < 2; constant++) {
        for (i = 0; i < n + 8; i++) {
            journal j;
            memset(&c, 0, sizeof c);
            c.constant = constant;
            c.patient = (int)(i & 1);
            if (i == 0)
                c.most = 1;
            else if (i < n && (n < 300 || i % 31 == 0))
                c.at = i;
            else if (i >= n)
                c.seed = i;
            else
                continue;
            play_setup(s, octets, n, c, &j);
            assert_same(all, &j);
            free_journal(&j);
        }
    }
}

/* --------------------------------------------------------------------- good messages */

/* Many messages of a peer on zlib, compressed and not, in fragments with control frames
 * between; what is to be told into *want. */
static size_t conversation(pair *p, uint64_t seed, uint8_t *octets, size_t room, journal *want)
{
    static const size_t sizes[] = {1, 5, 70, 1000, 5000};
    uint8_t data[5000];
    size_t size = 0;
    int i;
    memset(want, 0, sizeof *want);
    for (i = 0; i < 25; i++) {
        size_t n = draw(&seed) % sizes[draw(&seed) % COUNT_OF(sizes)], packed_size = n, at = 0;
        int plain = draw(&seed) % 4 == 0;
        uint8_t *packed, opcode = draw(&seed) % 2 ? TENON_TEXT : TENON_BINARY;
        if (opcode == TENON_TEXT || draw(&seed) % 3 == 0)
            fill_text(data, n, &seed);
        else
            fill_noise(data, n, &seed);
        packed = plain ? malloc(n + 1) : peer_pack(p, data, n, &packed_size);
        if (plain && n > 0)
            memcpy(packed, data, n);
        note_text(want, "");
        do {
            size_t part = draw(&seed) % 2 ? packed_size - at : draw(&seed) % (packed_size - at + 1);
            uint8_t first = (uint8_t)(at == 0 ? (plain ? opcode : opcode | 0x40) : 0);
            int last = at + part == packed_size && draw(&seed) % 8 != 0;
            if (at == 0 && part == 0 && !last)
                continue; /* the first one decides what it is */
            size += peer_frame((int)p->b.config.role, octets + size, (uint8_t)(first | (last ? 0x80 : 0)), packed + at,
                               part);
            at += part;
            if (last)
                break;
            if (draw(&seed) % 2) {
                size += peer_frame((int)p->b.config.role, octets + size, 0x89, "p", 1);
                note_text(want, "PING p\n");
            }
        } while (1);
        note_text(want, opcode == TENON_TEXT ? "[text " : "[binary ");
        note(want, data, n);
        note_text(want, "]\n");
        free(packed);
        assert_true(size < room - 12000);
    }
    return size;
}

/* covers: 7692-5-08 7692-6-01 7692-6-02 7692-6.2-01 7692-6.2-02 7692-6.2-03 7692-7.2.2-01 7692-7.2.2-02
 * 7692-7.2.2-03 7692-7.2.2-04 7692-7.2.2-05 7692-7.1.1.2-04 */
static void test_conversations(void **state)
{
    enum { ROOM = 400000 };
    uint8_t *octets = malloc(ROOM);
    unsigned bits, variant;
    size_t r;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        for (bits = 9; bits <= 15; bits++) {
            for (variant = 0; variant < 6; variant++) {
                setup s = setup_of(roles[r]);
                journal want, got;
                cutting c;
                pair p;
                size_t n;
                memset(&c, 0, sizeof c);
                s.in_bits = bits;
                s.agreed = variant & 1 ? RESET_IN : 0;
                s.rx = TENON_RX_MIN;
                s.max_message = 6000;
                s.more = variant == 3 ? 5000 : 0;
                c.constant = variant >= 3;
                c.most = variant == 5 ? 1 : 0;
                c.seed = variant == 2 || variant == 4 ? variant : 0;
                c.patient = variant >= 2;
                pair_open(&p, &s);
                n = conversation(&p, 100 + variant, octets, ROOM, &want);
                play(&p, octets, n, c, &got);
                /* a Ping in a fragmented message comes before it, as the want has it */
                assert_true(got.size > want.size);
                got.size = want.size;
                assert_same(&want, &got);
                assert_int_equal(got.messages, 25);
                free_journal(&want);
                free_journal(&got);
                pair_close(&p);
            }
        }
    }
    free(octets);
}

/* Bits, lowest first, as DEFLATE packs them. */
typedef struct bit_writer {
    uint8_t octets[32];
    unsigned bits;
} bit_writer;

static void put_bits(bit_writer *w, unsigned value, unsigned n)
{
    while (n-- > 0) {
        if (value & 1)
            w->octets[w->bits / 8] |= (uint8_t)(1 << w->bits % 8);
        w->bits++;
        value >>= 1;
    }
}

/* A code of Huffman's, highest bit first. */
static void put_code(bit_writer *w, unsigned code, unsigned n)
{
    while (n-- > 0)
        put_bits(w, code >> n & 1, 1);
}

/* A message that repeats three octets at a distance: 4 for 12 bits and up, only those
 * that are 2^bits. */
static size_t far_back(bit_writer *w, unsigned bits, int beyond)
{
    unsigned code = 2 * bits - 1, extra = bits - 2; /* the code whose range ends with 2^bits */
    memset(w, 0, sizeof *w);
    put_bits(w, 2, 3); /* fixed codes, not final */
    put_code(w, 1, 7); /* length 3 */
    put_code(w, beyond ? code + 1 : code, 5);
    put_bits(w, beyond ? 0 : (1u << extra) - 1, beyond ? extra + 1 : extra);
    put_code(w, 0, 7);
    put_bits(w, 0, 3); /* the empty block that the tail completes */
    return (w->bits + 7) / 8;
}

/* A frame, in pieces of at most cut octets; nothing comes before the last one. */
static void give_cut(pair *p, int role, uint8_t first, const uint8_t *payload, size_t n, size_t cut)
{
    uint8_t *octets = malloc(n + 20);
    size_t size = peer_frame(role, octets, first, payload, n), at = 0;
    while (size - at > cut) {
        give(&p->b, octets + at, cut);
        assert_none(&p->b);
        at += cut;
    }
    give(&p->b, octets + at, size - at);
    free(octets);
}

/* Stored blocks of the whole window, and what refers back to its first octet, or to the
 * one before it. */
static void check_window(int role, unsigned bits, int beyond, size_t cut)
{
    size_t window = (size_t)1 << bits, n, at = 0, size = 0;
    uint8_t *data = malloc(window), *packed = malloc(window + 20);
    uint64_t seed = bits;
    setup s = setup_of(role);
    bit_writer w;
    pair p;
    fill_noise(data, window, &seed);
    for (; at < window; at += n) {
        n = window - at < 16384 ? window - at : 16384;
        packed[size++] = 0;
        packed[size++] = (uint8_t)(n & 255);
        packed[size++] = (uint8_t)(n >> 8);
        packed[size++] = (uint8_t)~n;
        packed[size++] = (uint8_t)(~n >> 8);
        memcpy(packed + size, data + at, n);
        size += n;
    }
    packed[size++] = 0;
    s.in_bits = bits;
    s.rx = 40000;
    pair_open(&p, &s);
    give_cut(&p, role, 0xc2, packed, size, cut);
    assert_next(&p.b, TENON_EV_DATA);
    assert_data(&p.b, data, window);
    assert_none(&p.b);
    n = far_back(&w, bits, beyond);
    give_cut(&p, role, 0xc2, w.octets, n, cut);
    if (beyond) {
        assert_none(&p.b);
        run_to_closed(&p.b);
        assert_int_equal(p.b.event.rule, TENON_RULE_DEFLATE);
    } else {
        assert_next(&p.b, TENON_EV_DATA);
        assert_data(&p.b, data, 3);
    }
    pair_close(&p);
    free(data);
    free(packed);
}

/* The peer may refer back as far as its window reaches: zlib never does, so by hand. */
/* covers: 7692-7.2.2-05 7692-7.2.2-10 7692-7.2.1-05 */
static void test_the_whole_window(void **state)
{
    static const size_t cuts[] = {SIZE_MAX, 1, 1000};
    unsigned bits;
    int beyond;
    size_t r, c;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        for (bits = 8; bits <= 15; bits++) {
            for (beyond = 0; beyond < (bits < 15 ? 2 : 1); beyond++) {
                for (c = 0; c < COUNT_OF(cuts); c++)
                    check_window(roles[r], bits, beyond, cuts[c]);
            }
        }
    }
}

/* ---------------------------------------------------------------------- every cut */

typedef struct script {
    const char *name;
    const char *octets;
    size_t size;
    const char *want;       /* whole messages; %lu: where */
    const char *want_pieces;/* NULL: the same */
} script;

#define FRAMES(text) text, sizeof text - 1

/* As a server sends them. CLOSED is compared between the cuts; here by its rule. */
static const script scripts[] = {
    {"sample", FRAMES("\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\xc1\x05\xf2\x00\x11\x00\x00"),
     "[text Hello]\n[text Hello]\nCLOSED EOF at 16", NULL},
    {"fragments", FRAMES("\x41\x03\xf2\x48\xcd\x89\x01\x61\x00\x00\x80\x04\xc9\xc9\x07\x00\x81\x01\x62"),
     "PING a\n[text Hello]\n[text b]\nCLOSED EOF at 19", "[text HePING a\nllo]\n[text b]\nCLOSED EOF at 19"},
    {"empty messages", FRAMES("\xc1\x01\x00\xc2\x02\x02\x00\x41\x00\x80\x01\x00"),
     "[text ]\n[binary ]\n[text ]\nCLOSED EOF at 12", NULL},
    {"no octet", FRAMES("\xc1\x00\x81\x01\x62"), "CLOSED DEFLATE_EMPTY at 1", NULL},
    {"no octet in fragments", FRAMES("\x41\x00\x00\x00\x80\x00\x81\x01\x62"), "CLOSED DEFLATE_EMPTY at 5", NULL},
    /* the h is made of the tail; but the message does not end */
    {"ends too soon", FRAMES("\xc1\x03\xf2\x48\xcd\x81\x01\x62"), "CLOSED DEFLATE_END at 4",
     "[text HehCLOSED DEFLATE_END at 4"},
    {"tail left in", FRAMES("\xc1\x0b\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff"), "CLOSED DEFLATE_END at 12",
     "[text HelloCLOSED DEFLATE_END at 12"},
    {"bad block behind good octets", FRAMES("\xc1\x0b\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x06\x81\x01\x62"),
     "CLOSED DEFLATE at 1", "[text HelloCLOSED DEFLATE at 1"},
    {"bad distance", FRAMES("\xc1\x05\xf2\x00\x11\x00\x00"), "CLOSED DEFLATE at 1", "[text HCLOSED DEFLATE at 1"},
    {"bad in the second frame", FRAMES("\x41\x0a\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x80\x01\x06"),
     "CLOSED DEFLATE at 13", "[text HelloCLOSED DEFLATE at 13"},
    {"surrogate", FRAMES("\xc1\x05\x7a\xbb\xa0\x01\x00"), "CLOSED UTF8 at 1", "[text \xed" "CLOSED UTF8 at 1"},
    {"bad text, then bad DEFLATE", FRAMES("\xc1\x08\x00\x02\x00\xfd\xff\x61\xff\x06"), "CLOSED UTF8 at 1",
     "[text aCLOSED UTF8 at 1"},
    {"ends inside a code point", FRAMES("\xc1\x08\x00\x02\x00\xfd\xff\x61\xc3\x00\x81\x01\x62"),
     "CLOSED UTF8_END at 9", "[text a\xc3" "CLOSED UTF8_END at 9"},
    {"a code point over blocks and frames",
     FRAMES("\x41\x06\x00\x01\x00\xfe\xff\xc3\x80\x07\x00\x01\x00\xfe\xff\xa4\x00"),
     "[text \xc3\xa4]\nCLOSED EOF at 17", NULL},
    {"rsv1 on a continuation", FRAMES("\x41\x03\xf2\x48\xcd\xc0\x04\xc9\xc9\x07\x00"), "CLOSED RSV at 5",
     "[text HeCLOSED RSV at 5"},
    {"stream ends", FRAMES("\xc1\x07\xf2\x48\xcd\xc9"), "CLOSED EOF at 6", "[text HelCLOSED EOF at 6"},
};

/* covers: 7692-6.1-03 7692-6.1-05 7692-6.2-01 7692-6.2-02 7692-6.2-05 7692-7.2.2-06 7692-7.2.2-07 7692-7.2.2-08
 * 7692-7.2.2-09 7692-7.2.2-10 */
static void test_scripts_in_every_way(void **state)
{
    size_t i;
    int chunks;
    (void)state;
    for (i = 0; i < COUNT_OF(scripts); i++) {
        for (chunks = 0; chunks < 2; chunks++) {
            const script *x = &scripts[i];
            const char *want = chunks && x->want_pieces != NULL ? x->want_pieces : x->want;
            setup s = setup_of(TENON_CLIENT);
            journal all;
            s.flags = chunks ? TENON_CHUNKS : 0;
            every_way(&s, (const uint8_t *)x->octets, x->size, &all);
            if (all.size < strlen(want) || memcmp(all.data, want, strlen(want)) != 0)
                print_error("%s\nwant %s\ngot  %.*s\n", x->name, want, (int)all.size, (char *)all.data);
            assert_true(all.size >= strlen(want));
            assert_memory_equal(all.data, want, strlen(want));
            free_journal(&all);
            /* and as little memory as there can be */
            s.rx = TENON_RX_MIN;
            s.no_blocks = 1;
            every_way(&s, (const uint8_t *)x->octets, x->size, &all);
            assert_memory_equal(all.data, want, strlen(want));
            free_journal(&all);
        }
    }
}

/* The same for longer ones of both roles, with rx to grow. */
static void test_conversations_in_every_way(void **state)
{
    enum { ROOM = 400000 };
    uint8_t *octets = malloc(ROOM);
    size_t r;
    int chunks;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        for (chunks = 0; chunks < 2; chunks++) {
            setup s = setup_of(roles[r]);
            journal want, all;
            pair p;
            size_t n;
            s.flags = chunks ? TENON_CHUNKS : 0;
            s.rx = TENON_RX_MIN;
            s.max_message = 100000;
            pair_open(&p, &s);
            n = conversation(&p, 4 + r, octets, ROOM, &want);
            if (n > 6000)
                n = 6000; /* perhaps in the middle of one */
            pair_close(&p);
            every_way(&s, octets, n, &all);
            free_journal(&want);
            free_journal(&all);
        }
    }
    free(octets);
}

/* -------------------------------------------------------------------------- limits */

/* One octet more than the limit is too much, and all up to it was told in pieces. */
/* covers: 7692-6.2-04 7692-6.2-05 */
static void test_limits(void **state)
{
    static const size_t limits[] = {1, 100, 128, 129, 1000, 5000};
    size_t r, i, over, rx;
    int chunks;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        for (i = 0; i < COUNT_OF(limits); i++) {
            for (over = 0; over < 3; over++) {
                for (chunks = 0; chunks < 2; chunks++) {
                    for (rx = 0; rx < 2; rx++) {
                        setup s = setup_of(roles[r]);
                        uint8_t data[6000], octets[7000], *packed;
                        uint64_t seed = i;
                        size_t n = limits[i] + (over == 2 ? 500 : over), size;
                        journal j;
                        cutting c;
                        pair p;
                        char end[64];
                        memset(&c, 0, sizeof c);
                        c.most = rx ? 3 : 0;
                        fill_text(data, n, &seed);
                        s.flags = chunks ? TENON_CHUNKS : 0;
                        s.max_message = limits[i];
                        s.rx = rx ? TENON_RX_MIN : 8192;
                        pair_open(&p, &s);
                        packed = peer_pack(&p, data, n, &size);
                        size = peer_frames(roles[r], octets, 0x42, packed, size, 60);
                        play(&p, octets, size, c, &j);
                        assert_int_equal(j.messages, over == 0);
                        assert_int_equal(p.b.event.rule, over ? TENON_RULE_MESSAGE_SIZE : TENON_RULE_EOF);
                        assert_int_equal(p.b.event.sent_code, over ? 1009 : 0);
                        snprintf(end, sizeof end, "%s", over ? "CLOSED MESSAGE_SIZE" : "]\nCLOSED EOF");
                        if (chunks || over == 0) {
                            assert_memory_equal(j.data, "[binary ", 8);
                            assert_memory_equal(j.data + 8, data, limits[i]);
                            assert_memory_equal(j.data + 8 + limits[i], end, strlen(end));
                        } else {
                            assert_memory_equal(j.data, end, strlen(end));
                        }
                        free_journal(&j);
                        free(packed);
                        pair_close(&p);
                    }
                }
            }
        }
    }
}

/* Nobody knows how long it will be: rx grows by doubling, up to the limit and no more. */
static void test_growth(void **state)
{
    enum { SIZE = 100000 };
    uint8_t *data = malloc(SIZE), *octets = malloc(2 * SIZE), *packed;
    uint64_t seed = 17;
    size_t r, size;
    (void)state;
    fill_text(data, SIZE, &seed);
    for (r = 0; r < COUNT_OF(roles); r++) {
        setup s = setup_of(roles[r]);
        cutting c;
        journal j;
        pair p;
        memset(&c, 0, sizeof c);
        c.patient = 1;
        s.rx = TENON_RX_MIN;
        s.max_message = SIZE;
        pair_open(&p, &s);
        packed = peer_pack(&p, data, SIZE, &size);
        size = peer_frames(roles[r], octets, 0x41, packed, size, 5000);
        play(&p, octets, size, c, &j);
        assert_int_equal(j.messages, 1);
        assert_memory_equal(j.data + 6, data, SIZE);
        assert_true(j.grown <= 10);
        assert_int_equal(p.b.rx_size, SIZE + TENON_RX_RESERVE);
        free_journal(&j);
        free(packed);
        pair_close(&p);
    }
    free(data);
    free(octets);
}

/* All of a message is taken in, the stream has ended, and only memory is missing. */
static void test_growth_behind_the_end(void **state)
{
    uint8_t data[1000], octets[100], *packed;
    size_t size;
    cutting c;
    journal j;
    setup s = setup_of(TENON_CLIENT);
    pair p;
    (void)state;
    memset(data, 'a', sizeof data);
    memset(&j, 0, sizeof j);
    memset(&c, 0, sizeof c);
    c.patient = 1;
    s.rx = TENON_RX_MIN;
    s.max_message = 1000;
    pair_open(&p, &s);
    packed = peer_pack(&p, data, sizeof data, &size);
    size = peer_frame(TENON_CLIENT, octets, 0xc1, packed, size);
    give(&p.b, octets, size);
    assert_int_equal(tenon_eof(p.b.conn), TENON_OK);
    assert_none(&p.b);
    assert_true(has(&p, TENON_WANTS_RX));
    assert_int_equal(tenon_state(p.b.conn), TENON_OPEN);
    take_events(&p, &j, &c);
    flush_out(&p.b);
    take_events(&p, &j, &c);
    assert_int_equal(j.messages, 1);
    assert_memory_equal(j.data + 6, data, sizeof data);
    free(packed);
    free_journal(&j);
    pair_close(&p);
}

/* 16 MiB of zeros in some 16 KiB: over the limit it is 1009, and nothing grew. In pieces
 * without a limit all of it is told. */
/* covers: 7692-6.2-04 */
static void test_bombs(void **state)
{
    enum { SIZE = 16 << 20 };
    uint8_t *data = calloc(1, SIZE), *octets = malloc(100000), *packed;
    size_t r, size;
    int way;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        for (way = 0; way < 3; way++) {
            setup s = setup_of(roles[r]);
            cutting c;
            journal j;
            pair p;
            memset(&c, 0, sizeof c);
            s.rx = way == 1 ? (1 << 20) + TENON_RX_RESERVE + 1000 : 16384;
            s.flags = way == 2 ? TENON_CHUNKS : 0;
            pair_open(&p, &s);
            packed = peer_pack(&p, data, SIZE, &size);
            assert_true(size < SIZE / 1000);
            size = peer_frames(roles[r], octets, 0x42, packed, size, 100000);
            play(&p, octets, size, c, &j);
            assert_int_equal(p.b.event.rule, way == 2 ? TENON_RULE_EOF : TENON_RULE_MESSAGE_SIZE);
            assert_int_equal(j.messages, way == 2);
            assert_int_equal(j.grown, 0);
            if (way == 2) {
                assert_true(j.size > SIZE && j.size < SIZE + 100);
                assert_true(j.calls < SIZE / 16000 + 1000);
            }
            assert_true(p.b.stats.steps < 4 * j.calls + 100);
            free_journal(&j);
            free(packed);
            pair_close(&p);
        }
    }
    free(data);
    free(octets);
}

static unsigned long inflate_calls;

static int counting_inflate(void *memory, const uint8_t **in, size_t *in_size, uint8_t **out, size_t *out_size)
{
    inflate_calls++;
    return tenon_zlib.inflate(memory, in, in_size, out, out_size);
}

/* Blocks of nothing, final ones among them, for a whole message: work in proportion. */
static void test_a_message_of_nothing(void **state)
{
    enum { BLOCKS = 100000 };
    static const char *const blocks[] = {"\x00\x00\x00\xff\xff", "\x01\x00\x00\xff\xff"};
    tenon_codec counting = tenon_zlib;
    uint8_t *octets = malloc(5 * BLOCKS + 100), *payload = malloc(5 * BLOCKS + 1);
    size_t i, n;
    int way, chunks;
    (void)state;
    counting.inflate = counting_inflate;
    for (way = 0; way < 2; way++) {
        for (chunks = 0; chunks < 2; chunks++) {
            setup s = setup_of(TENON_SERVER);
            cutting c;
            journal j;
            pair p;
            memset(&c, 0, sizeof c);
            for (i = 0; i < BLOCKS; i++)
                memcpy(payload + 5 * i, blocks[way], 5);
            payload[5 * BLOCKS] = 0;
            s.codec = &counting;
            s.rx = TENON_RX_MIN;
            s.max_message = 10;
            s.flags = chunks ? TENON_CHUNKS : 0;
            pair_open(&p, &s);
            n = peer_frame(TENON_SERVER, octets, 0xc1, payload, 5 * BLOCKS + 1);
            inflate_calls = 0;
            play(&p, octets, n, c, &j);
            assert_int_equal(j.messages, 1);
            assert_memory_equal(j.data, "[text ]\n", 8);
            assert_true(inflate_calls < 2 * (5 * BLOCKS / 256) + (way ? 2 * BLOCKS : 0) + 100);
            assert_true(j.calls < 20 && p.b.stats.steps < 50);
            free_journal(&j);
            pair_close(&p);
        }
    }
    free(octets);
    free(payload);
}

static void test_ten_thousand_tiny_messages(void **state)
{
    enum { COUNT = 10000 };
    uint8_t *octets = malloc(COUNT * 40);
    size_t r, n, size;
    (void)state;
    for (r = 0; r < COUNT_OF(roles); r++) {
        setup s = setup_of(roles[r]);
        cutting c;
        journal j;
        pair p;
        unsigned i;
        memset(&c, 0, sizeof c);
        pair_open(&p, &s);
        for (i = 0, n = 0; i < COUNT; i++) {
            uint8_t text = (uint8_t)('a' + i % 26), *packed = peer_pack(&p, &text, i % 7 ? 1 : 0, &size);
            n += peer_frames(roles[r], octets + n, 0x41, packed, size, i % 3 ? 100 : 1);
            free(packed);
        }
        play(&p, octets, n, c, &j);
        assert_int_equal(j.messages, COUNT);
        assert_int_equal(p.b.stats.messages_in, COUNT);
        assert_true(p.b.stats.steps < 4 * n + 4 * j.calls);
        free_journal(&j);
        pair_close(&p);
    }
    free(octets);
}

/* ---------------------------------------------------------------------------- text */

/* A bad octet anywhere: told is what was good before it, and no more, at every cut. */
/* covers: 7692-6.1-05 7692-6.2-05 */
static void test_bad_text_at_every_place(void **state)
{
    static const char good[] = "a\xc3\xa4z\xe2\x82\xacy\xf0\x9f\x98\x80.";
    size_t at, n = sizeof good - 1, size, octets_size;
    int chunks;
    (void)state;
    for (at = 0; at <= n; at++) {
        for (chunks = 0; chunks < 2; chunks++) {
            setup s = setup_of(TENON_CLIENT);
            uint8_t data[32], octets[128], *packed;
            char want[64];
            tenon_utf8 utf8 = {0, 0, 0, 0};
            journal all;
            size_t told, length;
            pair p;
            memcpy(data, good, n);
            memmove(data + at + 1, data + at, n - at);
            data[at] = 0xff;
            s.flags = chunks ? TENON_CHUNKS : 0;
            pair_open(&p, &s);
            packed = peer_pack(&p, data, n + 1, &size);
            octets_size = peer_frame(TENON_CLIENT, octets, 0x41, packed, size / 2);
            octets_size += peer_frame(TENON_CLIENT, octets + octets_size, 0x80, packed + size / 2, size - size / 2);
            pair_close(&p);
            every_way(&s, octets, octets_size, &all);
            told = tenon_utf8_check(&utf8, data, n + 1);
            assert_int_equal(told, at);
            length = chunks && told > 0 ? 6 + told : 0;
            memcpy(want, "[text ", 6);
            memcpy(want + 6, data, told);
            memcpy(want + length, "CLOSED UTF8 ", 13);
            assert_memory_equal(all.data, want, length + 12);
            free_journal(&all);
            free(packed);
        }
    }
}

/* A server to whose program RSV2 was granted as well. */
static void open_with_own_bit(pair *p, uint32_t flags, size_t rx, uint32_t granted)
{
    memset(p, 0, sizeof *p);
    bench_config(&p->b, TENON_SERVER);
    p->b.config.flags = flags;
    p->deflate.size = (uint32_t)sizeof p->deflate;
    p->deflate.codec = &tenon_zlib;
    assert_int_equal(tenon_config_deflate(&p->b.config, &p->deflate), TENON_OK);
    bench_start(&p->b, rx, 4096);
    p->agreed.size = (uint32_t)sizeof p->agreed;
    p->agreed.on = 1;
    p->agreed.out_bits = p->agreed.in_bits = 15;
    assert_int_equal(tenon_deflate_set(p->b.conn, &p->agreed), TENON_OK);
    assert_int_equal(tenon_grant(p->b.conn, TENON_RSV2, 0, granted), TENON_OK);
    assert_next(&p->b, TENON_EV_OPEN);
    peer_start(p);
    lend_blocks(p, 0);
}

/* A relay does not look at text with bits of extensions, but RSV1 is the library's now.
 * Extensions of the program's own keep their bits, and may make text opaque. */
static void test_relay_and_own_bits(void **state)
{
    static const uint8_t bad[] = {0x7a, 0xbb, 0xa0, 0x01, 0x00}, hello[] = {0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00};
    pair p;
    int way;
    (void)state;
    for (way = 0; way < 3; way++) {
        open_with_own_bit(&p, way == 0 ? TENON_RELAY : 0, 4096, way == 1 ? TENON_OPAQUE : 0);
        if (way == 2) {
            give_frame(&p.b, 0xe1, hello, sizeof hello);
            assert_next(&p.b, TENON_EV_DATA);
            assert_data(&p.b, "Hello", 5);
            assert_int_equal(p.b.event.flags & (TENON_RSV1 | TENON_RSV2 | TENON_RSV3), TENON_RSV2);
            assert_int_equal(tenon_send(p.b.conn, TENON_TEXT, "Hello", 5, TENON_COMPRESS | TENON_RSV2), TENON_OK);
            flush_out(&p.b);
            assert_wire(&p.b, 0xe1, hello, sizeof hello);
        } else {
            give_frame(&p.b, 0xc1, bad, sizeof bad);
            if (way == 1) {
                assert_next(&p.b, TENON_EV_DATA);
                assert_data(&p.b, "\xed\xa0\x80", 3);
            } else {
                assert_none(&p.b);
                run_to_closed(&p.b);
                assert_int_equal(p.b.event.rule, TENON_RULE_UTF8);
            }
        }
        pair_close(&p);
    }
}

/* Pieces of a message of one frame all have the bits of that frame. */
static void test_own_bits_of_each_piece(void **state)
{
    uint8_t data[1000], *packed;
    size_t size, told = 0;
    pair p;
    (void)state;
    memset(data, 'a', sizeof data);
    open_with_own_bit(&p, TENON_CHUNKS, TENON_RX_MIN, 0);
    packed = peer_pack(&p, data, sizeof data, &size);
    give_frame(&p.b, 0xe2, packed, size);
    while (told < sizeof data) {
        assert_next(&p.b, TENON_EV_DATA);
        assert_int_equal(p.b.event.flags & (TENON_RSV1 | TENON_RSV2 | TENON_RSV3), TENON_RSV2);
        assert_true(p.b.event.size < sizeof data);
        told += p.b.event.size;
    }
    free(packed);
    pair_close(&p);
}

/* -------------------------------------------------------------------- broken streams */

/* What the connection makes of two messages, and what zlib does: a finished message is
 * accepted by both, with the same octets, or by neither. */
static void judge_two(int role, int chunks, const uint8_t *one, size_t one_size, const uint8_t *two, size_t two_size)
{
    uint8_t octets[400], reference[1 << 16];
    z_stream z;
    setup s = setup_of(role);
    cutting c;
    journal j, want;
    size_t n = peer_frames(role, octets, 0x42, one, one_size, 20);
    long got;
    n += peer_frame(role, octets + n, 0xc2, two, two_size);
    memset(&c, 0, sizeof c);
    memset(&want, 0, sizeof want);
    memset(&z, 0, sizeof z);
    s.rx = 65000;
    s.flags = chunks ? TENON_CHUNKS : 0;
    assert_int_equal(inflateInit2(&z, -15), Z_OK);
    got = one_size == 0 ? -1 : unpack_with(&z, one, one_size, reference, sizeof reference);
    if (got >= 0) {
        note_text(&want, "[binary ");
        note(&want, reference, (size_t)got);
        note_text(&want, "]\n");
        want.messages++;
        got = unpack_with(&z, two, two_size, reference, sizeof reference);
    }
    if (got >= 0) {
        note_text(&want, "[binary ");
        note(&want, reference, (size_t)got);
        note_text(&want, "]\n");
        want.messages++;
    }
    inflateEnd(&z);
    play_setup(&s, octets, n, c, &j);
    assert_int_equal(j.messages, want.messages);
    assert_true(j.size > want.size);
    if (want.size > 0)
        assert_memory_equal(j.data, want.data, want.size);
    free_journal(&j);
    free_journal(&want);
}

/* covers: 7692-7.2.2-06 7692-7.2.2-07 7692-7.2.2-10 7692-6.2-05 */
static void test_every_bit_flipped(void **state)
{
    static const char *const texts[] = {"Hello", "a man, a plan, a canal, panama; a man, a plan", ""};
    size_t i, bit, size, size_two;
    uint64_t seed = 1;
    (void)state;
    for (i = 0; i < COUNT_OF(texts); i++) {
        uint8_t data[300], *one, *two;
        size_t n = strlen(texts[i]);
        setup s = setup_of(TENON_SERVER);
        pair p;
        memcpy(data, texts[i], n);
        if (n == 0) { /* one with a table of its own */
            n = sizeof data;
            for (bit = 0; bit < n; bit++)
                data[bit] = (uint8_t)("etaoin"[draw(&seed) % 6]);
        }
        pair_open(&p, &s);
        one = peer_pack(&p, data, n, &size);
        two = peer_pack(&p, data, n, &size_two);
        pair_close(&p);
        for (bit = 0; bit < 8 * size; bit++) {
            one[bit / 8] ^= (uint8_t)(1 << bit % 8);
            judge_two(roles[bit % 2], (int)(bit / 2 % 2), one, size, two, size_two);
            one[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        for (bit = 0; bit <= size; bit++) /* and every octet missing, from there on and there */
            judge_two(roles[bit % 2], (int)(bit / 2 % 2), one, bit, two, size_two);
        for (bit = 0; bit < size; bit++) {
            uint8_t less[300];
            memcpy(less, one, bit);
            memcpy(less + bit, one + bit + 1, size - bit - 1);
            judge_two(roles[bit % 2], 0, less, size - 1, two, size_two);
        }
        free(one);
        free(two);
    }
}

static unsigned inflate_fails;

static int failing_inflate(void *memory, const uint8_t **in, size_t *in_size, uint8_t **out, size_t *out_size)
{
    if (++inflate_calls == inflate_fails)
        return TENON_ERR_PROTOCOL;
    return tenon_zlib.inflate(memory, in, in_size, out, out_size);
}

static void test_codec_failure(void **state)
{
    tenon_codec failing = tenon_zlib;
    uint8_t data[5000], *packed;
    uint64_t seed = 2;
    size_t r, size;
    (void)state;
    failing.inflate = failing_inflate;
    fill_text(data, sizeof data, &seed);
    for (r = 0; r < COUNT_OF(roles); r++) {
        for (inflate_fails = 1; inflate_fails < 12; inflate_fails++) {
            setup s = setup_of(roles[r]);
            pair p;
            s.codec = &failing;
            s.rx = 8192;
            pair_open(&p, &s);
            packed = peer_pack(&p, data, sizeof data, &size);
            inflate_calls = 0;
            give_frame(&p.b, 0xc2, packed, size);
            if (next(&p.b) == TENON_EV_DATA) { /* not so many calls are made */
                assert_true(inflate_calls < inflate_fails);
            } else {
                run_to_closed(&p.b);
                assert_int_equal(p.b.event.rule, TENON_RULE_DEFLATE);
                assert_int_equal(p.b.event.sent_code, 1007);
            }
            free(packed);
            pair_close(&p);
        }
    }
}

/* ---------------------------------------------------------------------- after a Close */

/* Nothing is told, and the stream stays in step: the peer's Close is found behind it. */
static void test_drop_after_close(void **state)
{
    uint8_t data[3000], octets[8000], *packed;
    uint64_t seed = 8;
    size_t r, n, size, half;
    int chunks, bad;
    (void)state;
    fill_text(data, sizeof data, &seed);
    for (r = 0; r < COUNT_OF(roles); r++) {
        for (chunks = 0; chunks < 2; chunks++) {
            for (bad = 0; bad < 2; bad++) {
                setup s = setup_of(roles[r]);
                int told = 0, type;
                pair p;
                s.flags = (chunks ? TENON_CHUNKS : 0) | TENON_DROP_AFTER_CLOSE;
                s.max_message = 3000;
                s.rx = TENON_RX_MIN + 2000;
                pair_open(&p, &s);
                packed = peer_pack(&p, data, sizeof data, &size);
                n = peer_frames(roles[r], octets, 0x41, packed, size, 50);
                free(packed);
                packed = peer_pack(&p, data, sizeof data, &size);
                if (bad)
                    packed[size - 5] ^= 0xff;
                n += peer_frames(roles[r], octets + n, 0x41, packed, size, 1000);
                n += peer_frame(roles[r], octets + n, 0x88, "\x03\xe8", 2);
                half = n / 4;
                give(&p.b, octets, half); /* in the middle of the first one */
                while (next(&p.b) != 0) {
                }
                assert_int_equal(tenon_close(p.b.conn, 1000, NULL, 0), TENON_OK);
                give(&p.b, octets + half, n - half);
                while ((type = next(&p.b)) != 0) {
                    told += type == TENON_EV_DATA;
                    flush_out(&p.b);
                    if (p.b.closed)
                        break;
                }
                assert_int_equal(told, 0);
                if (!p.b.closed)
                    run_to_closed(&p.b);
                if (!bad) {
                    assert_int_equal(p.b.event.code, 1000);
                    assert_int_equal(p.b.stats.messages_in, 2);
                }
                free(packed);
                pair_close(&p);
            }
        }
    }
}

/* What is no DEFLATE any more just where the limit is reached fails for that. */
static void test_bad_behind_the_limit(void **state)
{
    static const uint8_t payload[] = {0x00, 0x05, 0x00, 0xfa, 0xff, 'H', 'e', 'l', 'l', 'o', 0x06};
    setup s = setup_of(TENON_SERVER);
    uint8_t octets[32];
    size_t size;
    pair p;
    (void)state;
    s.max_message = 5;
    pair_open(&p, &s);
    size = peer_frame(s.role, octets, 0xc2, payload, sizeof payload);
    give(&p.b, octets, size - 1);
    assert_none(&p.b);
    give(&p.b, octets + size - 1, 1);
    assert_none(&p.b);
    run_to_closed(&p.b);
    assert_int_equal(p.b.event.rule, TENON_RULE_DEFLATE);
    assert_int_equal(p.b.event.sent_code, 1007);
    pair_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conversations),
        cmocka_unit_test(test_the_whole_window),
        cmocka_unit_test(test_scripts_in_every_way),
        cmocka_unit_test(test_conversations_in_every_way),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_growth),
        cmocka_unit_test(test_growth_behind_the_end),
        cmocka_unit_test(test_bombs),
        cmocka_unit_test(test_a_message_of_nothing),
        cmocka_unit_test(test_ten_thousand_tiny_messages),
        cmocka_unit_test(test_bad_text_at_every_place),
        cmocka_unit_test(test_relay_and_own_bits),
        cmocka_unit_test(test_own_bits_of_each_piece),
        cmocka_unit_test(test_every_bit_flipped),
        cmocka_unit_test(test_codec_failure),
        cmocka_unit_test(test_drop_after_close),
        cmocka_unit_test(test_bad_behind_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
