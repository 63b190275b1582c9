/* SPDX-License-Identifier: MIT */
#include "conn.h"

#include "field.h"
#include "handshake_client.h"
#include "negotiate.h"
#include "tenon/deflate.h"

/* More interim answers than anyone sends; beyond it they are a flood. */
#define INTERIM_MAX 10

/* The attempt is over, and nothing can be said to the server about it. */
static int give_up(tenon_conn *conn, uint16_t rule, uint64_t offset)
{
    tenon_conn_fault(conn, rule, offset);
    tenon_conn_end(conn);
    return STEP_AGAIN;
}

/* The head breaks the rule, and at is what is to be blamed; NULL: its end. */
static TENON_SMALL_APART int refuse(tenon_conn *conn, uint16_t rule, const char *at)
{
    return give_up(conn, rule, tenon_conn_head_offset(conn, at));
}

static void client_head(const tenon_conn *conn, tenon_head *head)
{
    tenon_http1_response((const char *)conn->rx, conn->held, head);
}

static void client_begin(tenon_conn *conn)
{
    tenon_http1_init(&conn->u.opening.http1, TENON_CLIENT);
}

/* 100, 102, 103: the answer is still to come (RFC 9110, 15.2). */
static int skip_interim(tenon_conn *conn)
{
    if (++conn->u.opening.role.interim > INTERIM_MAX)
        return refuse(conn, TENON_RULE_INTERIM, NULL);
    conn->held = 0;
    client_begin(conn);
    return STEP_AGAIN;
}

/* A body without an end that can be told beforehand: it goes on until the stream
 * ends, or close_ms have passed. */
#define BODY_OPEN UINT64_MAX

/* Octets of the body of an answer (RFC 9112, 6.3). Longer numbers than any body has,
 * and what is no number, tell nothing. */
static uint64_t body_size(uint16_t status, const tenon_fields *fields)
{
    tenon_str value;
    uint64_t size = 0;
    size_t i;
    if (status == 204 || status == 304)
        return 0;
    if (tenon_field_count(fields, "Transfer-Encoding", &value) != 0 ||
        tenon_field_count(fields, "Content-Length", &value) != 1 || value.size == 0 || value.size > 18)
        return BODY_OPEN;
    for (i = 0; i < value.size; i++) {
        if (value.data[i] < '0' || value.data[i] > '9')
            return BODY_OPEN;
        size = size * 10 + (uint64_t)(value.data[i] - '0');
    }
    return size;
}

/* A final answer that opens nothing: the program may look at it. */
static int show_response(tenon_conn *conn, uint16_t status, const tenon_fields *fields)
{
    tenon_conn_blame(conn, TENON_REMOTE);
    tenon_conn_fault(conn, TENON_RULE_STATUS, conn->offset - 1);
    conn->phase = TENON_PHASE_BODY;
    conn->u.body_left = body_size(status, fields);
    conn->since = conn->now;
    return tenon_conn_head_event(conn, TENON_EV_RESPONSE);
}

/* The server says that it switched protocols. value: for what the checks look at. */
static int judge_switch(tenon_conn *conn, const tenon_fields *fields, tenon_str *value)
{
    const struct tenon_transform *transform = conn->config->transform;
    uint32_t flags = conn->config->flags | (transform != NULL ? TENON_CHOICE_DEFLATE : 0);
    uint16_t rule = tenon_switch_check(fields, conn->u.opening.digest, value);
    if (rule == TENON_RULE_NONE)
        rule = tenon_choice_check(fields, conn->u.opening.request, flags, value);
    if (rule != TENON_RULE_NONE)
        return refuse(conn, rule, value->data);
    if (transform != NULL) {
        const char *at = NULL;
        rule = transform->judge(conn, fields, &at);
        if (rule != TENON_RULE_NONE)
            return refuse(conn, rule, at);
    }
    tenon_conn_open(conn, *value);
    if (transform != NULL)
        transform->opened(conn);
    return STEP_AGAIN;
}

static int judge_response(tenon_conn *conn)
{
    tenon_str line;
    tenon_fields fields;
    uint16_t status;
    tenon_http1_unfold((char *)conn->rx, conn->held);
    tenon_http1_start((const char *)conn->rx, conn->held, &line, &fields);
    status = tenon_http1_code(line.data + 9);
    if (status == 101 && line.data[7] == '0') /* HTTP/1.0 */
        return refuse(conn, TENON_RULE_HTTP_VERSION, NULL);
    if (status == 101)
        return judge_switch(conn, &fields, &line);
    return status < 200 ? skip_interim(conn) : show_response(conn, status, &fields);
}

/* The body of a RESPONSE, as it comes. */
static int body_step(tenon_conn *conn)
{
    const uint8_t *data = conn->in;
    size_t n = conn->in_left < conn->u.body_left ? conn->in_left : (size_t)conn->u.body_left;
    if (conn->u.body_left == 0) {
        tenon_conn_end(conn); /* whole; what follows is not for us */
        return STEP_AGAIN;
    }
    if (n == 0)
        return STEP_IDLE;
    if (conn->u.body_left != BODY_OPEN)
        conn->u.body_left -= n;
    conn->since = conn->now;
    conn->bits |= BIT_IN_LENT;
    tenon_conn_consume(conn, n);
    return tenon_conn_event(conn, TENON_EV_BODY, data, n);
}

static int client_step(tenon_conn *conn)
{
    int status;
    if (conn->phase == TENON_PHASE_BODY)
        return body_step(conn);
    if ((conn->bits & BIT_REQUESTED) == 0 && conn->in_left > 0)
        return give_up(conn, TENON_RULE_EARLY, conn->offset);
    status = tenon_conn_head(conn);
    if (status == TENON_WAIT)
        return STEP_IDLE;
    if (status == TENON_OK)
        return judge_response(conn);
    return give_up(conn, conn->u.opening.http1.rule, conn->offset);
}

static void client_timeout(tenon_conn *conn)
{
    give_up(conn, TENON_RULE_HANDSHAKE_TIMEOUT, conn->offset);
}

static const struct tenon_handshake client_handshake = {client_begin, client_step, client_timeout, client_head};

int tenon_config_client(tenon_config *config, size_t size)
{
    int status = tenon_config_open(config, size, TENON_CLIENT);
    if (status == TENON_OK)
        config->handshake = &client_handshake;
    return status;
}

/* The field of extensions. Apart, so that nothing else stands upon its text. */
static TENON_APART void put_extensions(const tenon_conn *conn, const tenon_request *request, tenon_text *text)
{
    char more[TENON_DEFLATE_TEXT];
    more[0] = '\0';
    if (conn->config->transform != NULL)
        conn->config->transform->offer(conn, more);
    tenon_extensions_put(text, tenon_string(request->extensions, 0), more);
}

/* Draws a key. */
static TENON_APART int draw_key(const tenon_conn *conn, char key[TENON_KEY_SIZE + 1])
{
    uint8_t nonce[16];
    if (conn->config->random(conn->config->random_user, nonce, sizeof nonce) != 0)
        return TENON_ERR_RANDOM;
    return tenon_key_make(nonce, key);
}

/* Sends a request that may be sent, if it can be written. */
static int send_request(tenon_conn *conn, const tenon_request *request, const char key[TENON_KEY_SIZE])
{
    tenon_text text = tenon_queue_text(&conn->queue);
    int status = tenon_client_request(request, key, &text);
    if (status != TENON_OK)
        return status;
    put_extensions(conn, request, &text);
    status = tenon_text_end(&text, request->headers, request->header_count);
    if (status != TENON_OK)
        return status;
    tenon_queue_commit(&conn->queue, &text);
    tenon_timer_output(conn);
    tenon_key_digest(key, conn->u.opening.digest);
    conn->u.opening.request = request;
    conn->bits |= BIT_REQUESTED;
    return TENON_OK;
}

int tenon_connect(tenon_conn *conn, const tenon_request *request)
{
    char key[TENON_KEY_SIZE + 1];
    int status;
    if (conn == NULL || request == NULL)
        return TENON_ERR_NULL;
    status = tenon_request_status(request);
    if (status != TENON_OK)
        return status;
    if (conn->config->handshake != &client_handshake || conn->phase != TENON_PHASE_HEAD ||
        (conn->bits & BIT_REQUESTED) != 0)
        return TENON_ERR_STATE;
    status = draw_key(conn, key);
    return status == TENON_OK ? send_request(conn, request, key) : status;
}
