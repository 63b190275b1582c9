/* SPDX-License-Identifier: MIT */
#include "conn.h"

#include "handshake_server.h"
#include "tenon/deflate.h"

static void commit(tenon_conn *conn, const tenon_text *text)
{
    tenon_queue_commit(&conn->queue, text);
    tenon_timer_output(conn);
}

/* Ends the attempt with the library's own answer. */
static void refuse(tenon_conn *conn, uint16_t status, uint16_t rule, uint64_t offset)
{
    tenon_text text = tenon_queue_text(&conn->queue);
    tenon_server_refuse(status, &text);
    tenon_conn_fault(conn, rule, offset);
    if (text.used > text.room) {
        tenon_conn_end(conn); /* no tx was lent: nothing can be said */
        return;
    }
    commit(conn, &text);
    tenon_conn_drain(conn);
}

static void server_head(const tenon_conn *conn, tenon_head *head)
{
    tenon_server_head((const char *)conn->rx, conn->held, head);
}

/* The whole head is there: the program's turn, or a refusal. */
static int judge_request(tenon_conn *conn)
{
    tenon_head head;
    tenon_verdict verdict;
    memset(&verdict, 0, sizeof verdict);
    verdict.size = (uint32_t)sizeof verdict;
    tenon_http1_request((const char *)conn->rx, conn->held, &head);
    tenon_upgrade_check(head.method, head.target, head.version, &head.fields, &verdict);
    if (verdict.rule == TENON_RULE_UPGRADE && (conn->config->flags & TENON_PLAIN_GET) != 0) {
        conn->bits |= BIT_PLAIN;
    } else if (verdict.rule != TENON_RULE_NONE) {
        refuse(conn, verdict.status, verdict.rule, tenon_conn_head_offset(conn, verdict.at));
        return STEP_AGAIN;
    }
    if ((conn->bits & BIT_PLAIN) == 0)
        conn->u.opening.key = (uint32_t)(verdict.key.data - (const char *)conn->rx);
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
    refuse(conn, tenon_http1_status(rule), rule, conn->offset);
    return STEP_AGAIN;
}

/* 408: the client was too slow; 503: the program was. */
static void server_timeout(tenon_conn *conn)
{
    refuse(conn, conn->phase == TENON_PHASE_DECIDE ? 503 : 408, TENON_RULE_HANDSHAKE_TIMEOUT, conn->offset);
}

int tenon_config_server(tenon_config *config, size_t size)
{
    static const struct tenon_handshake handshake = {server_begin, server_step, server_timeout, server_head};
    int status = tenon_config_open(config, size, TENON_SERVER);
    if (status == TENON_OK)
        config->handshake = &handshake;
    return status;
}

int tenon_accept(tenon_conn *conn, const tenon_answer *answer)
{
    tenon_head head;
    tenon_text text;
    tenon_str subprotocol = {NULL, 0};
    char more[TENON_DEFLATE_TEXT];
    int status;
    if (conn == NULL)
        return TENON_ERR_NULL;
    if (answer != NULL && answer->size < TENON_ANSWER_LEAST)
        return TENON_ERR_SIZE;
    if (answer != NULL && answer->headers == NULL && answer->header_count > 0)
        return TENON_ERR_NULL;
    if (conn->phase != TENON_PHASE_DECIDE || (conn->bits & BIT_PLAIN) != 0)
        return TENON_ERR_STATE;
    tenon_http1_request((const char *)conn->rx, conn->held, &head);
    text = tenon_queue_text(&conn->queue);
    more[0] = '\0';
    if (conn->config->transform != NULL)
        conn->config->transform->answer(conn, &head.fields, more);
    status = tenon_server_accept(&head.fields, (const char *)conn->rx + conn->u.opening.key, answer, more, &text, &subprotocol);
    if (status != TENON_OK) {
        if (*more != '\0')
            conn->config->transform->undo(conn);
        return status;
    }
    commit(conn, &text);
    tenon_conn_open(conn, subprotocol);
    return TENON_OK;
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
