/* SPDX-License-Identifier: MIT */
/*
 * Makes the calls that were recorded (record.h), and compares what they bring about
 * with what they brought about there: every event, every octet, every status. The
 * records are read as they are needed, so that a run needs no more memory than the
 * library does; one that needs more than there is, is left out and named.
 *
 * usage: replay FILE
 */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "record.h"

#ifdef SEMIHOST
#include <semihost.h>
#endif

#define REFERENCES 17

/* ------------------------------------------------------------------ the record */

static unsigned char window[256];
static size_t have, from;
static unsigned long position, end; /* in the file: of the next octet, of what follows the record */

#ifdef SEMIHOST
static int file;
static int open_file(const char *name) { return (file = sys_semihost_open(name, SH_OPEN_R_B)) >= 0; }
static size_t read_file(void) { return sizeof window - sys_semihost_read(file, window, sizeof window); }
static void seek_file(unsigned long to) { sys_semihost_seek(file, to); }
#else
static FILE *file;
static int open_file(const char *name) { return (file = fopen(name, "rb")) != NULL; }
static size_t read_file(void) { return fread(window, 1, sizeof window, file); }
static void seek_file(unsigned long to) { fseek(file, (long)to, SEEK_SET); }
#endif

static jmp_buf abandoned;
enum { NO_MEMORY = 1, DIFFERENT, NO_RECORD };

static int octet(void)
{
    if (from == have) {
        from = 0;
        have = read_file();
        if (have == 0)
            return -1;
    }
    position++;
    return window[from++];
}

static int next_octet(void)
{
    int value = octet();
    if (value < 0)
        longjmp(abandoned, NO_RECORD);
    return value;
}

static uint64_t number(void)
{
    uint64_t n = 0;
    unsigned shift = 0, value;
    do {
        value = (unsigned)next_octet();
        n |= (uint64_t)(value & 0x7f) << shift;
        shift += 7;
    } while (value & 0x80);
    return n;
}

static int integer(void)
{
    uint64_t n = number();
    return n & 1 ? -(int)((n + 1) / 2) : (int)(n / 2);
}

/* ---------------------------------------------------------------------- memory */

/* All that a run has taken, so that it can be left at any place. */
typedef struct block {
    struct block *next, **link;
    uint64_t data[1]; /* and more, aligned for any type */
} block;

static block *blocks;

static void *take(size_t n)
{
    block *b = malloc(offsetof(block, data) + n + 1); /* and a NUL for text */
    if (b == NULL)
        longjmp(abandoned, NO_MEMORY);
    b->next = blocks;
    b->link = &blocks;
    if (blocks != NULL)
        blocks->link = &b->next;
    blocks = b;
    memset(b->data, 0xA5, n);
    ((unsigned char *)b->data)[n] = 0;
    return b->data;
}

static void drop(void *data)
{
    block *b;
    if (data == NULL)
        return;
    b = (block *)((unsigned char *)data - offsetof(block, data));
    *b->link = b->next;
    if (b->next != NULL)
        b->next->link = b->link;
    free(b);
}

/* All that was taken since that block was the newest. */
static void drop_since(const block *mark)
{
    while (blocks != mark)
        drop(blocks->data);
}

/* ------------------------------------------------------------------- comparing */

static unsigned long sum = 2166136261u, calls, differences;
static char name[160];

static void differs(const char *what, unsigned long got, unsigned long want)
{
    differences++;
    printf("DIFFERS %s: %s: expected %lx, actual %lx, at %lu\n", name, what, want, got, position);
    longjmp(abandoned, DIFFERENT);
}

static void mix(uint32_t n)
{
    sum = ((sum ^ n) * 16777619u) & 0xffffffffu;
}

static void same(const char *what, uint64_t got)
{
    uint64_t want = number();
    mix((uint32_t)want);
    if (got != want)
        differs(what, (unsigned long)got, (unsigned long)want);
}

static void same_status(const char *what, int got)
{
    int want = integer();
    mix((uint32_t)want);
    if (got != want)
        differs(what, (unsigned long)got, (unsigned long)want);
}

/* Octets that must be those of the record. */
static void same_octets(const char *what, const void *got, size_t n)
{
    const unsigned char *octets = got;
    size_t i;
    same(what, got == NULL ? 0 : (uint64_t)n + 1);
    for (i = 0; got != NULL && i < n; i++) {
        unsigned want = (unsigned)next_octet();
        mix(want);
        if (octets[i] != want)
            differs(what, octets[i], want);
    }
}

/* ----------------------------------------------------------------------- a run */

static struct {
    tenon_config config;
    tenon_conn *conn;
    void *rx, *tx, *lent;
    uint64_t random_fails, random_calls;
    tenon_prepared prepared;
    unsigned char *prepared_data;
    void *references[REFERENCES];
} now;

/* A copy of octets of the record; NULL for none. */
static void *copy(size_t *n)
{
    uint64_t size = number();
    unsigned char *to;
    size_t i;
    *n = 0;
    if (size == 0)
        return NULL;
    if (size > 1000000)
        longjmp(abandoned, NO_MEMORY);
    *n = (size_t)size - 1;
    to = take(*n);
    for (i = 0; i < *n; i++)
        to[i] = (unsigned char)next_octet();
    return to;
}

static char *text(void)
{
    size_t n;
    return copy(&n);
}

/* The keys of the runner: see transcript_drive.c. */
static int random_octets(void *user, void *out, size_t n)
{
    unsigned char *to = out;
    uint32_t key = 0x37fa213du ^ (uint32_t)(++now.random_calls * 2654435761u);
    size_t i;
    (void)user;
    for (i = 0; i < n; i++)
        to[i] = (unsigned char)(n == 16 ? i + 1 : key >> (24 - 8 * (i & 3)) & 255);
    if (now.random_calls != now.random_fails)
        return 0;
    memset(out, 0xA5, n);
    return 1;
}

static void configure(void)
{
    tenon_config *c = &now.config;
    uint32_t role = (uint32_t)number();
    if (number() == 0)
        tenon_config_open(c, sizeof *c, (int)role);
    else if (role == TENON_SERVER)
        tenon_config_server(c, sizeof *c);
    else
        tenon_config_client(c, sizeof *c);
    c->flags = (uint32_t)number();
    c->max_head = (uint32_t)number();
    c->max_target = (uint32_t)number();
    c->max_headers = (uint32_t)number();
    c->max_fragments = (uint32_t)number();
    c->max_control = (uint32_t)number();
    c->max_frame_out = (uint32_t)number();
    c->handshake_ms = (uint32_t)number();
    c->idle_ms = (uint32_t)number();
    c->ping_ms = (uint32_t)number();
    c->pong_ms = (uint32_t)number();
    c->close_ms = (uint32_t)number();
    c->stall_ms = (uint32_t)number();
    c->max_message = number();
    now.random_fails = number();
    c->random = role == TENON_CLIENT ? random_octets : NULL;
}

static void begin(void)
{
    char *title = text();
    size_t size = tenon_conn_size();
    memset(&now, 0, sizeof now);
    strncpy(name, title, sizeof name - 1);
    drop(title);
    configure();
    same_status("init", tenon_init(take(size), size, &now.config, &now.conn));
}

/* ----------------------------------------------------------------------- calls */

static void *memory_of(uint64_t size)
{
    if (size > 1000000)
        longjmp(abandoned, NO_MEMORY);
    return size > 0 ? take((size_t)size) : NULL;
}

static void lend_both(void)
{
    uint64_t rx_size = number(), tx_size = number();
    now.rx = memory_of(rx_size);
    now.tx = memory_of(tx_size);
    same_status("lend", tenon_lend(now.conn, now.rx, (size_t)rx_size, now.tx, (size_t)tx_size));
}

static void lend_one(int is_rx)
{
    uint64_t size = number();
    void **place = is_rx ? &now.rx : &now.tx, *fresh = memory_of(size);
    int status = is_rx ? tenon_lend_rx(now.conn, fresh, (size_t)size) : tenon_lend_tx(now.conn, fresh, (size_t)size);
    drop(status == TENON_OK ? *place : fresh);
    if (status == TENON_OK)
        *place = fresh;
    same_status("lend", status);
}

static void receive(int constant)
{
    size_t n;
    drop(now.lent);
    now.lent = NULL;
    now.lent = copy(&n);
    same_status("recv", constant ? tenon_recv_const(now.conn, now.lent, n) : tenon_recv(now.conn, now.lent, n));
}

static void unlend(void)
{
    const void *rest = NULL;
    size_t n = 0;
    int status = tenon_unlend(now.conn, &rest, &n);
    same_octets("unlend", status == TENON_OK ? rest : NULL, n);
    same_status("unlend", status);
}

static void *reference(uint64_t *i)
{
    *i = number();
    return *i == 0 ? NULL : &now.references[*i % REFERENCES];
}

static void same_cookie(void *cookie)
{
    void **place = cookie;
    uint64_t want = number();
    if ((place == NULL ? 0 : (uint64_t)(place - now.references)) != want)
        differs("cookie", 0, (unsigned long)want);
    if (place != NULL) {
        drop(*place);
        *place = NULL;
    }
}

static void next_event(void)
{
    tenon_event e;
    int status;
    memset(&e, 0xA5, sizeof e);
    status = tenon_next(now.conn, &e);
    same_status("next", status);
    if (status != TENON_EVENT)
        return;
    same("type", e.type);
    same("flags", e.flags);
    same("opcode", e.opcode);
    same("cause", e.cause);
    same("rule", e.rule);
    same("code", e.code);
    same("sent code", e.sent_code);
    same("received code", e.received_code);
    same("offset", e.offset);
    same("frame size", e.frame_size);
    same("rtt", e.rtt_ms);
    same_cookie(e.cookie);
    same_octets("data", e.data, e.size);
}

static void out(void)
{
    tenon_iov pieces[16];
    size_t max = (size_t)number(), count = 0, i;
    int status = tenon_out(now.conn, pieces, max, &count);
    same("pieces", count);
    for (i = 0; i < count; i++)
        same_octets("output", pieces[i].base, pieces[i].size);
    same_status("out", status);
}

/* The data of a message; kept under the cookie, if there is one and it is taken. */
static void send_message(int call)
{
    int opcode = integer(), status;
    size_t n;
    void *data = copy(&n);
    uint32_t flags = (uint32_t)number();
    uint64_t i = 0;
    void **place = call == CALL_SEND_REF ? reference(&i) : NULL;
    if (call == CALL_SEND)
        status = tenon_send(now.conn, opcode, data, n, flags);
    else if (call == CALL_SEND_PART)
        status = tenon_send_part(now.conn, opcode, data, n, flags);
    else
        status = tenon_send_ref(now.conn, opcode, data, n, flags, place);
    if (place != NULL && status == TENON_OK)
        *place = data;
    else
        drop(data);
    same_status("send", status);
}

static void prepare(void)
{
    int opcode = integer();
    size_t n;
    uint32_t flags;
    now.prepared_data = copy(&n);
    flags = (uint32_t)number();
    same_status("prepare", tenon_prepare(&now.prepared, sizeof now.prepared, opcode, now.prepared_data, n, flags));
}

static void send_prepared(void)
{
    uint32_t flags = (uint32_t)number();
    uint64_t i;
    void **place = reference(&i);
    int status = tenon_send_prepared(now.conn, &now.prepared, flags, place);
    if (place != NULL && status == TENON_OK && (flags & TENON_COPY) == 0)
        *place = now.prepared_data;
    else
        drop(now.prepared_data);
    now.prepared_data = NULL;
    same_status("send prepared", status);
}

static void control(int call)
{
    int code = call == CALL_CLOSE ? integer() : 0, status;
    size_t n;
    void *data = copy(&n);
    if (call == CALL_PING)
        status = tenon_ping(now.conn, data, n);
    else if (call == CALL_PONG)
        status = tenon_pong(now.conn, data, n);
    else
        status = tenon_close(now.conn, code, data, n);
    drop(data);
    same_status("control", status);
}

/* ------------------------------------------------------------------- handshake */

static size_t header_of(tenon_header *header)
{
    size_t count = (size_t)number();
    memset(header, 0, sizeof *header);
    if (count > 0) {
        header->name = copy(&header->name_size);
        header->value = copy(&header->value_size);
    }
    return count;
}

static void accept_request(void)
{
    tenon_answer answer;
    tenon_header header;
    const block *mark = blocks;
    memset(&answer, 0, sizeof answer);
    memset(&header, 0, sizeof header);
    if (number() == 0) {
        same_status("accept", tenon_accept(now.conn, NULL));
        return;
    }
    answer.size = (uint32_t)sizeof answer;
    answer.subprotocol = copy(&answer.subprotocol_size);
    answer.extensions = copy(&answer.extensions_size);
    answer.header_count = header_of(&header);
    answer.headers = &header;
    same_status("accept", tenon_accept(now.conn, &answer));
    drop_since(mark);
}

static void reject_request(void)
{
    tenon_refusal refusal;
    tenon_header header;
    uint64_t i;
    void **place;
    int status;
    memset(&refusal, 0, sizeof refusal);
    refusal.size = (uint32_t)sizeof refusal;
    refusal.status = (uint16_t)number();
    refusal.reason = copy(&refusal.reason_size);
    refusal.header_count = header_of(&header);
    refusal.headers = &header;
    refusal.body = copy(&refusal.body_size);
    refusal.flags = (uint32_t)number();
    place = reference(&i);
    refusal.cookie = place;
    status = tenon_reject(now.conn, &refusal);
    if (place != NULL && status == TENON_OK && refusal.body_size > 0 && (refusal.flags & TENON_COPY) == 0)
        *place = (void *)refusal.body;
    else
        drop((void *)refusal.body);
    drop((void *)refusal.reason);
    drop((void *)header.name);
    drop((void *)header.value);
    same_status("reject", status);
}

/* The request is borrowed until it is decided: for the rest of the run. */
static void connect_now(void)
{
    const block *mark = blocks;
    tenon_request *q = take(sizeof *q);
    const char **names = take(4 * sizeof *names);
    tenon_header *header = take(sizeof *header);
    size_t i;
    int status;
    memset(q, 0, sizeof *q);
    q->size = (uint32_t)sizeof *q;
    q->uri = text();
    q->authority = text();
    q->target = text();
    q->origin = text();
    q->extensions = text();
    q->subprotocol_count = (size_t)number();
    for (i = 0; i < q->subprotocol_count && i < 4; i++)
        names[i] = text();
    q->subprotocols = names;
    q->header_count = header_of(header);
    q->headers = header;
    status = tenon_connect(now.conn, q);
    same_status("connect", status);
    if (status != TENON_OK)
        drop_since(mark);
}

static void field(void)
{
    tenon_head head;
    tenon_str value;
    char *wanted = text();
    memset(&head, 0, sizeof head);
    if (tenon_head_get(now.conn, &head) != TENON_OK)
        differs("head", 0, 0);
    if (tenon_header_find(&head.fields, wanted, &value) != TENON_OK)
        value.data = NULL;
    drop(wanted);
    same_octets("field", value.data, value.size);
    same_status("field", value.data != NULL ? TENON_OK : TENON_END);
}

static void grant(void)
{
    uint32_t first = (uint32_t)number(), next = (uint32_t)number(), flags = (uint32_t)number();
    same_status("grant", tenon_grant(now.conn, first, next, flags));
}

/* ------------------------------------------------------------------------- all */

static void make_state_call(int call)
{
    switch (call) {
    case CALL_TICK: same_status("tick", tenon_tick(now.conn, number())); break;
    case CALL_DEADLINE: same("deadline", tenon_deadline(now.conn)); break;
    case CALL_WANTS: same("wants", tenon_wants(now.conn)); break;
    case CALL_STATE: same("state", (uint64_t)tenon_state(now.conn)); break;
    case CALL_NEEDED: same("rx needed", tenon_rx_needed(now.conn)); break;
    case CALL_AGAIN: same_status("again", tenon_again(now.conn)); break;
    case CALL_EOF: same_status("eof", tenon_eof(now.conn)); break;
    case CALL_SHUT: same_status("shut", tenon_shut(now.conn)); break;
    case CALL_ABORT: same_status("abort", tenon_abort(now.conn, integer())); break;
    case CALL_SENT: same_status("sent", tenon_sent(now.conn, (size_t)number())); break;
    default: longjmp(abandoned, NO_RECORD);
    }
}

static void make_call(int call)
{
    switch (call) {
    case CALL_LEND: lend_both(); break;
    case CALL_LEND_RX: lend_one(1); break;
    case CALL_LEND_TX: lend_one(0); break;
    case CALL_RECV: receive(0); break;
    case CALL_RECV_CONST: receive(1); break;
    case CALL_UNLEND: unlend(); break;
    case CALL_NEXT: next_event(); break;
    case CALL_OUT: out(); break;
    case CALL_SEND:
    case CALL_SEND_PART:
    case CALL_SEND_REF: send_message(call); break;
    case CALL_PREPARE: prepare(); break;
    case CALL_PREPARED: send_prepared(); break;
    case CALL_PING:
    case CALL_PONG:
    case CALL_CLOSE: control(call); break;
    case CALL_ACCEPT: accept_request(); break;
    case CALL_REJECT: reject_request(); break;
    case CALL_CONNECT: connect_now(); break;
    case CALL_FIELD: field(); break;
    case CALL_GRANT: grant(); break;
    default: make_state_call(call);
    }
}

/* 0 if the run came out as recorded, else why not. */
static int replay(void)
{
    int call, why = setjmp(abandoned);
    if (why == 0) {
        begin();
        while ((call = (int)number()) != CALL_END) {
            make_call(call);
            calls++;
        }
        return position == end ? 0 : NO_RECORD;
    }
    return why;
}

/* The next record; 0 behind the last one. */
static int next_record(void)
{
    unsigned long size = 0;
    int i, value = 0;
    if (end > 0 && position != end) {
        seek_file(end);
        position = end;
        have = from = 0;
    }
    for (i = 0; i < 4; i++) {
        value = octet();
        if (value < 0)
            return 0;
        size |= (unsigned long)value << 8 * i;
    }
    end = position + size;
    return 1;
}

int main(int argc, char **argv)
{
    unsigned long good = 0, left_out = 0, bad = 0;
    if (argc != 2 || !open_file(argv[1]))
        return 2;
    while (next_record()) {
        int why = replay();
        drop_since(NULL);
        if (why == 0)
            good++;
        else if (why == NO_MEMORY) {
            left_out++;
            printf("LEFT OUT %s\n", name);
        } else {
            bad++;
            printf("BAD %s at %lu of %lu\n", name, position, end);
        }
    }
    printf("%lu runs, %lu calls, %lu left out, %lu bad, sum %08lx\n", good, calls, left_out, bad, sum);
    return bad > 0 || good == 0;
}
