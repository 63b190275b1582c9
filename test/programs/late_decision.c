/* SPDX-License-Identifier: MIT */
/*
 * A server that asks somebody else whether a client may come in. REQUEST returns
 * to the loop at once; the answer arrives some turns later. Until then the head
 * stays readable, no more is read, and frames that came with the request wait.
 */
#include "check.h"

#define ALLOWED "Authorization: Bearer open-sesame\r\nSec-WebSocket-Protocol: chat, superchat\r\n"
#define FORBIDDEN "Authorization: Bearer guess\r\n"

typedef struct peer {
    tenon_storage storage;
    unsigned char rx[1024], tx[1024];
    tenon_conn *conn;
    check_bytes in, out;
    int asked, opened, closed, rule;
    char text[32];
} peer;

static int on_event(tenon_conn *conn, const tenon_event *event, void *user)
{
    peer *p = user;
    (void)conn;
    switch (event->type) {
    case TENON_EV_REQUEST:
        p->asked++; /* here a program sends a question to its database */
        break;
    case TENON_EV_OPEN:
        p->opened++;
        CHECK(event->size == 4 && memcmp(event->data, "chat", 4) == 0);
        break;
    case TENON_EV_DATA:
        CHECK(event->size < sizeof p->text);
        memcpy(p->text, event->data, event->size);
        break;
    case TENON_EV_CLOSED:
        p->closed++;
        p->rule = event->rule;
        break;
    default:
        break;
    }
    return TENON_CONTINUE;
}

static void begin(peer *p, const tenon_config *config, const char *request)
{
    CHECK(tenon_init(&p->storage, sizeof p->storage, config, &p->conn) == TENON_OK);
    CHECK(tenon_lend(p->conn, p->rx, sizeof p->rx, p->tx, sizeof p->tx) == TENON_OK);
    check_append(&p->in, request, strlen(request));
    check_append_frame(&p->in, 0x81, "early", 1);
    tenon_tick(p->conn, 0);
    CHECK(tenon_recv(p->conn, p->in.data, p->in.size) == TENON_OK);
}

/* A turn of the loop that has nothing new for this connection. */
static int turn(peer *p, uint64_t now)
{
    int status;
    tenon_tick(p->conn, now);
    status = tenon_run(p->conn, on_event, p);
    check_take_output(p->conn, &p->out);
    return status;
}

static void check_waits(peer *p)
{
    uint64_t now;
    for (now = 0; now < 3000; now += 1000)
        CHECK(turn(p, now) == TENON_OK);
    CHECK(p->asked == 1 && p->opened == 0 && p->out.size == 0);
    CHECK(tenon_wants(p->conn) == TENON_WANTS_DECISION);
    CHECK(tenon_deadline(p->conn) == 10000);
}

/* What the answer of the database is about: the head, read a while after REQUEST. */
static int may_come_in(const peer *p)
{
    tenon_head head;
    tenon_str value;
    CHECK(tenon_head_get(p->conn, &head) == TENON_OK);
    CHECK(head.target.size == 5 && memcmp(head.target.data, "/echo", 5) == 0);
    CHECK(tenon_header_find(&head.fields, "authorization", &value) == TENON_OK);
    return value.size == 18 && memcmp(value.data, "Bearer open-sesame", 18) == 0;
}

static void accepted(const tenon_config *config)
{
    static peer p;
    tenon_answer answer;
    begin(&p, config, CHECK_REQUEST(ALLOWED));
    check_waits(&p);
    CHECK(may_come_in(&p));
    memset(&answer, 0, sizeof answer);
    answer.size = sizeof answer;
    answer.subprotocol = "chat";
    CHECK(tenon_accept(p.conn, &answer) == TENON_OK);
    CHECK(turn(&p, 3000) == TENON_OK);
    CHECK(p.opened == 1 && strcmp(p.text, "early") == 0);
    CHECK(check_has(&p.out, "HTTP/1.1 101 "));
    CHECK(check_has(&p.out, "Sec-WebSocket-Protocol: chat\r\n"));
}

static void rejected(const tenon_config *config)
{
    static peer p;
    tenon_header challenge = {"WWW-Authenticate", "Bearer", 0, 0};
    tenon_refusal refusal;
    begin(&p, config, CHECK_REQUEST(FORBIDDEN));
    check_waits(&p);
    CHECK(!may_come_in(&p));
    memset(&refusal, 0, sizeof refusal);
    refusal.size = sizeof refusal;
    refusal.status = 401;
    refusal.headers = &challenge;
    refusal.header_count = 1;
    refusal.body = "no";
    refusal.body_size = 2;
    refusal.flags = TENON_COPY;
    CHECK(tenon_reject(p.conn, &refusal) == TENON_OK);
    CHECK(turn(&p, 3000) == TENON_OK);
    CHECK(check_has(&p.out, "HTTP/1.1 401 "));
    CHECK(check_has(&p.out, "WWW-Authenticate: Bearer\r\n"));
    CHECK(check_has(&p.out, "\r\n\r\nno"));
    CHECK(tenon_eof(p.conn) == TENON_OK);
    CHECK(turn(&p, 3001) == TENON_DONE);
    CHECK(p.opened == 0 && p.closed == 1 && p.rule == TENON_RULE_REJECTED);
}

/* The answer never comes: the handshake timeout speaks for the program. */
static void forgotten(const tenon_config *config)
{
    static peer p;
    begin(&p, config, CHECK_REQUEST(ALLOWED));
    check_waits(&p);
    turn(&p, 10000);
    CHECK(check_has(&p.out, "HTTP/1.1 503 "));
    CHECK(tenon_accept(p.conn, NULL) == TENON_ERR_STATE);
    CHECK(tenon_eof(p.conn) == TENON_OK);
    CHECK(turn(&p, 10001) == TENON_DONE);
    CHECK(p.closed == 1 && p.rule == TENON_RULE_HANDSHAKE_TIMEOUT);
}

int main(void)
{
    tenon_config config;
    CHECK(tenon_config_server(&config, sizeof config) == TENON_OK);
    accepted(&config);
    rejected(&config);
    forgotten(&config);
    return 0;
}
