/* SPDX-License-Identifier: MIT */
/*
 * A connection on a stream of HTTP/2 (RFC 8441). The HTTP/2 stack of the program
 * delivers header lists and DATA as const octets, whose memory it takes back after
 * its callback. tenon judges the request, and then starts with an open connection.
 *
 *   END_STREAM received  tenon_eof      WANTS_SHUT_WR  END_STREAM is sent
 *   RST_STREAM received  tenon_abort
 */
#include "check.h"
#include "tenon/handshake.h"

typedef struct stream {
    tenon_storage storage;
    unsigned char rx[1024], tx[1024];
    tenon_conn *conn;
    check_bytes sent; /* payload of DATA frames to the client */
    int ended;        /* END_STREAM was sent */
    tenon_event last; /* CLOSED, once it came */
} stream;

static int on_event(tenon_conn *conn, const tenon_event *event, void *user)
{
    stream *s = user;
    if (event->type == TENON_EV_DATA)
        CHECK(tenon_send(conn, event->opcode, event->data, event->size, 0) == TENON_OK);
    if (event->type == TENON_EV_CLOSED)
        s->last = *event;
    return TENON_CONTINUE;
}

/* After each callback of the HTTP/2 stack. */
static int turn(stream *s)
{
    int status = tenon_run(s->conn, on_event, s);
    if (status == TENON_DONE)
        return status;
    check_take_output(s->conn, &s->sent);
    status = tenon_run(s->conn, on_event, s);
    if (status != TENON_DONE && (tenon_wants(s->conn) & TENON_WANTS_SHUT_WR) != 0) {
        s->ended = 1;
        CHECK(tenon_shut(s->conn) == TENON_OK);
    }
    return status;
}

/* The stack's DATA callback. All is used up before it returns: rx takes what must
 * outlive it. */
static int on_h2_data(stream *s, const void *data, size_t n)
{
    CHECK(tenon_recv_const(s->conn, data, n) == TENON_OK);
    return turn(s);
}

/* The stack's header callback: 0 if the stream is refused. */
static int on_h2_headers(stream *s, const tenon_config *config, const tenon_header *list, size_t count)
{
    tenon_fields fields = {NULL, 0, NULL, 0};
    tenon_verdict verdict;
    tenon_header answer[4];
    size_t answers = 4;
    fields.array = list;
    fields.count = count;
    memset(&verdict, 0, sizeof verdict);
    verdict.size = sizeof verdict;
    CHECK(tenon_connect_check(&fields, 0, &verdict) == TENON_OK);
    if (verdict.rule != TENON_RULE_NONE) {
        CHECK(verdict.status == 400 && verdict.rule == TENON_RULE_VERSION);
        return 0;
    }
    CHECK(verdict.status == 200);
    CHECK(tenon_connect_answer(&fields, NULL, answer, &answers) == TENON_OK);
    CHECK(answers == 1 && strcmp(answer[0].name, ":status") == 0);
    memset(s, 0, sizeof *s);
    CHECK(tenon_init(&s->storage, sizeof s->storage, config, &s->conn) == TENON_OK);
    CHECK(tenon_lend(s->conn, s->rx, sizeof s->rx, s->tx, sizeof s->tx) == TENON_OK);
    turn(s); /* OPEN */
    return 1;
}

static const tenon_header request[] = {
    {":method", "CONNECT", 0, 0},         {":protocol", "websocket", 0, 0}, {":scheme", "https", 0, 0},
    {":authority", "example.com", 0, 0},  {":path", "/echo", 0, 0},
    {"sec-websocket-version", "13", 0, 0}};

#define REQUEST_SIZE (sizeof request / sizeof request[0])

/* A message in two DATA frames, cut inside its header; then a Close. */
static void test_echo(const tenon_config *config)
{
    static stream s;
    static const unsigned char close_frame[] = {0x88, 0x02, 0x03, 0xe8};
    check_bytes in = {0, {0}}, copy, echoed = {0, {0}};
    CHECK(on_h2_headers(&s, config, request, REQUEST_SIZE));
    check_append_frame(&in, 0x81, "over a stream", 1);
    check_append_frame(&echoed, 0x81, "over a stream", 0);
    copy = in;
    CHECK(on_h2_data(&s, in.data, 3) == TENON_OK);
    CHECK(on_h2_data(&s, in.data + 3, in.size - 3) == TENON_OK);
    CHECK(memcmp(&in, &copy, sizeof in) == 0); /* nothing was unmasked in place */
    CHECK(check_equal(&s.sent, echoed.data, echoed.size));
    in.size = s.sent.size = 0;
    check_append_frame(&in, 0x88, "\x03\xe8", 1);
    CHECK(on_h2_data(&s, in.data, in.size) == TENON_DONE);
    CHECK(check_equal(&s.sent, close_frame, sizeof close_frame));
    CHECK((s.last.flags & TENON_CLEAN) != 0 && s.last.code == 1000 && s.last.cause == TENON_REMOTE);
}

/* A broken rule: Close 1002 goes out, then END_STREAM, then CLOSED at the client's. */
static void test_failure(const tenon_config *config)
{
    static stream s;
    static const unsigned char bad[] = {0xf1, 0x80};
    static const unsigned char close_frame[] = {0x88, 0x02, 0x03, 0xea};
    CHECK(on_h2_headers(&s, config, request, REQUEST_SIZE));
    CHECK(on_h2_data(&s, bad, sizeof bad) == TENON_OK);
    CHECK(check_equal(&s.sent, close_frame, sizeof close_frame));
    CHECK(s.ended);
    CHECK(tenon_eof(s.conn) == TENON_OK);
    CHECK(turn(&s) == TENON_DONE);
    CHECK(s.last.rule == TENON_RULE_RSV && s.last.offset == 0 && s.last.cause == TENON_LOCAL);
}

static void test_reset(const tenon_config *config)
{
    static stream s;
    CHECK(on_h2_headers(&s, config, request, REQUEST_SIZE));
    CHECK(tenon_abort(s.conn, TENON_REMOTE) == TENON_OK);
    CHECK(turn(&s) == TENON_DONE);
    CHECK(s.last.code == 1006 && s.last.rule == TENON_RULE_ABORT && s.last.cause == TENON_REMOTE);
}

static void test_end_stream(const tenon_config *config)
{
    static stream s;
    CHECK(on_h2_headers(&s, config, request, REQUEST_SIZE));
    CHECK(tenon_eof(s.conn) == TENON_OK);
    CHECK(turn(&s) == TENON_DONE);
    CHECK(s.last.code == 1006 && s.last.rule == TENON_RULE_EOF);
}

static void test_refusal(const tenon_config *config)
{
    static stream s;
    CHECK(!on_h2_headers(&s, config, request, REQUEST_SIZE - 1)); /* without the version */
}

int main(void)
{
    tenon_config config;
    CHECK(tenon_config_open(&config, sizeof config, TENON_SERVER) == TENON_OK);
    test_echo(&config);
    test_failure(&config);
    test_reset(&config);
    test_end_stream(&config);
    test_refusal(&config);
    return 0;
}
