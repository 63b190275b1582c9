/* SPDX-License-Identifier: MIT */
#include "conn.h"

#include "field.h"
#include "handshake_server.h"
#include "negotiate.h"
#include "tenon/deflate.h"

static void commit(tenon_conn *conn, const tenon_text *text)
{
    tenon_queue_commit(&conn->queue, text);
    tenon_timer_output(conn);
}

/* Ends the attempt with the library's own answer; the fault has been noted. */
static int refuse(tenon_conn *conn, uint16_t status)
{
    tenon_text text = tenon_queue_text(&conn->queue);
    tenon_server_refuse(status, &text);
    if (text.used > text.room) {
        tenon_conn_end(conn); /* no tx was lent: nothing can be said */
    } else {
        commit(conn, &text);
        tenon_conn_drain(conn);
    }
    return STEP_AGAIN;
}

static void server_head(const tenon_conn *conn, tenon_head *head)
{
    tenon_server_head((const char *)conn->rx, conn->held, head);
}

/* The start line of the head, up to the target, and where its fields are. */
static TENON_APART unsigned int check_line(const tenon_conn *conn, tenon_asked *a)
{
    tenon_str line;
    unsigned int rule;
    tenon_http1_start((const char *)conn->rx, conn->held, &line, &a->fields);
    tenon_take(&line, ' ', &a->value);
    a->version = tenon_http1_version(line.data + line.size - 8); /* the last that stands there */
    rule = tenon_method_check(a);
    if (rule == TENON_RULE_NONE)
        tenon_take(&line, ' ', &a->value);
    return rule;
}

/* The whole head is there: the program's turn, or a refusal. */
static TENON_APART int judge_request(tenon_conn *conn)
{
    tenon_asked a;
    unsigned int rule;
    memset(&a, 0, sizeof a);
    rule = check_line(conn, &a);
    if (rule == TENON_RULE_NONE)
        rule = tenon_target_check(&a);
    if (rule == TENON_RULE_NONE)
        rule = tenon_fields_check(&a);
    if (rule == TENON_RULE_NONE)
        rule = tenon_offers_check(&a);
    if (rule == TENON_RULE_UPGRADE && (conn->config->flags & TENON_PLAIN_GET) != 0) {
        conn->bits |= BIT_PLAIN;
    } else if (rule != TENON_RULE_NONE) {
        tenon_conn_fault(conn, (uint16_t)rule, tenon_conn_head_offset(conn, a.value.data));
        return refuse(conn, a.status != 0 ? a.status : tenon_http1_status((uint16_t)rule));
    } else {
        conn->u.opening.role.key = (uint32_t)(a.key - (const char *)conn->rx);
    }
    conn->phase = TENON_PHASE_DECIDE;
    tenon_conn_head_event(conn, TENON_EV_REQUEST);
    if (conn->bits & BIT_PLAIN)
        conn->event_flags = TENON_PLAIN;
    return STEP_EVENT;
}

static void server_begin(tenon_conn *conn)
{
    tenon_http1_init(&conn->u.opening.http1, TENON_SERVER);
}

static int server_step(tenon_conn *conn)
{
    uint16_t rule;
    int status = tenon_conn_head(conn);
    if (status == TENON_WAIT)
        return STEP_IDLE;
    if (status == TENON_OK)
        return judge_request(conn);
    rule = conn->u.opening.http1.rule;
    tenon_conn_fault(conn, rule, conn->offset);
    return refuse(conn, tenon_http1_status(rule));
}

/* 408: the client was too slow; 503: the program was. */
static void server_timeout(tenon_conn *conn)
{
    tenon_conn_fault(conn, TENON_RULE_HANDSHAKE_TIMEOUT, conn->offset);
    refuse(conn, conn->phase == TENON_PHASE_DECIDE ? 503 : 408);
}

int tenon_config_server(tenon_config *config, size_t size)
{
    static const struct tenon_handshake handshake = {server_begin, server_step, server_timeout, server_head};
    int status = tenon_config_open(config, size, TENON_SERVER);
    if (status == TENON_OK)
        config->handshake = &handshake;
    return status;
}

/* The field of extensions. Apart, so that nothing else stands upon its text. */
static TENON_APART void put_extensions(tenon_conn *conn, const tenon_fields *request, const tenon_answer *answer,
                                       tenon_text *text)
{
    char more[TENON_DEFLATE_TEXT];
    tenon_str own = {NULL, 0};
    more[0] = '\0';
    if (conn->config->transform != NULL)
        conn->config->transform->answer(conn, request, more);
    if (answer != NULL)
        own = tenon_string(answer->extensions, answer->extensions_size);
    tenon_extensions_put(text, own, more);
}

/* Opens the connection with an answer that may be given. */
static int give_answer(tenon_conn *conn, const tenon_fields *request, const tenon_answer *answer,
                       tenon_str subprotocol)
{
    const struct tenon_transform *transform = conn->config->transform;
    const tenon_header *headers = NULL;
    size_t count = 0;
    int status;
    tenon_text text = tenon_queue_text(&conn->queue);
    tenon_server_accept((const char *)conn->rx + conn->u.opening.role.key, subprotocol, &text);
    if (transform != NULL || answer != NULL)
        put_extensions(conn, request, answer, &text);
    if (answer != NULL) {
        headers = answer->headers;
        count = answer->header_count;
    }
    status = tenon_text_end(&text, headers, count);
    if (status == TENON_OK) {
        commit(conn, &text);
        tenon_conn_open(conn, subprotocol);
    } else if (transform != NULL) {
        transform->undo(conn);
    }
    return status;
}

int tenon_accept(tenon_conn *conn, const tenon_answer *answer)
{
    tenon_fields request;
    tenon_str line, subprotocol;
    int status;
    if (conn == NULL)
        return TENON_ERR_NULL;
    status = tenon_answer_status(answer);
    if (status != TENON_OK)
        return status;
    if (conn->phase != TENON_PHASE_DECIDE || (conn->bits & BIT_PLAIN) != 0)
        return TENON_ERR_STATE;
    tenon_http1_start((const char *)conn->rx, conn->held, &line, &request);
    status = tenon_answer_valid(&request, answer, &subprotocol);
    return status == TENON_OK ? give_answer(conn, &request, answer, subprotocol) : status;
}

/* Puts the body behind the head; 0 if there is no room. */
static int put_body(tenon_conn *conn, const tenon_text *text, const tenon_refusal *refusal)
{
    int copy = (refusal->flags & TENON_COPY) != 0;
    size_t need = copy ? refusal->body_size : TENON_QUEUE_REF_SIZE;
    if (refusal->body_size > 0 && need > text->room - text->used)
        return 0;
    commit(conn, text);
    if (copy)
        tenon_queue_put(&conn->queue, refusal->body, refusal->body_size);
    else if (refusal->body_size > 0)
        tenon_queue_put_ref(&conn->queue, refusal->body, refusal->body_size, refusal->cookie, 1);
    return 1;
}

int tenon_reject(tenon_conn *conn, const tenon_refusal *refusal)
{
    tenon_text text;
    int status;
    if (conn == NULL || refusal == NULL || (refusal->body == NULL && refusal->body_size > 0))
        return TENON_ERR_NULL;
    if (refusal->size < TENON_REFUSAL_LEAST)
        return TENON_ERR_SIZE;
    if (refusal->headers == NULL && refusal->header_count > 0)
        return TENON_ERR_NULL;
    if (conn->phase != TENON_PHASE_DECIDE)
        return TENON_ERR_STATE;
    text = tenon_queue_text(&conn->queue);
    status = tenon_server_reject(refusal, &text);
    if (status == TENON_OK && !put_body(conn, &text, refusal))
        status = TENON_ERR_TOO_BIG;
    if (status != TENON_OK)
        return status;
    tenon_conn_fault(conn, TENON_RULE_REJECTED, conn->offset);
    tenon_conn_drain(conn);
    return TENON_OK;
}
