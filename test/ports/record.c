/* SPDX-License-Identifier: MIT */
/*
 * Writes down what the transcript runner calls, into the file that the environment
 * names in TENON_RECORD. Only what is pulled, of cases without compression: whole,
 * octet by octet if they are few, and at random.
 */
#include "record.h"
#include "../transcript.h"

static octets calls; /* of the run that is being recorded */
static const run *of; /* NULL: none */
static FILE *file;

/* ------------------------------------------------------------------- writing */

static void number(uint64_t n)
{
    uint8_t octet;
    for (; n > 0x7f; n >>= 7) {
        octet = (uint8_t)(n | 0x80);
        put_octets(&calls, &octet, 1);
    }
    octet = (uint8_t)n;
    put_octets(&calls, &octet, 1);
}

static void integer(int64_t n)
{
    number(n < 0 ? (uint64_t)-n * 2 - 1 : (uint64_t)n * 2);
}

static void blob(const void *data, size_t n)
{
    number(data == NULL ? 0 : (uint64_t)n + 1);
    if (data != NULL)
        put_octets(&calls, data, n);
}

static void text(const char *string)
{
    blob(string, string == NULL ? 0 : strlen(string));
}

static void finish(void)
{
    uint8_t size[4];
    int i;
    if (of != NULL && file != NULL) {
        number(CALL_END);
        for (i = 0; i < 4; i++)
            size[i] = (uint8_t)(calls.size >> 8 * i);
        fwrite(size, 1, sizeof size, file);
        fwrite(calls.data, 1, calls.size, file);
    }
    clear_octets(&calls);
    of = NULL;
}

static void close_file(void)
{
    finish();
    if (file != NULL)
        fclose(file);
}

/* A call of which all but its end was written. */
static int ends(int status)
{
    if (of != NULL)
        integer(status);
    return status;
}

/* Whether a call is to be written down; if so, its number is. */
static int begins(int call)
{
    if (of != NULL)
        number((uint64_t)call);
    return of != NULL;
}

/* Which reference of the run a cookie is, from 1; 0: none. */
static void cookie_number(const void *cookie)
{
    const reference *ref = cookie;
    number(ref == NULL ? 0 : (uint64_t)(ref - of->references) + 1);
}

/* ------------------------------------------------------------------ beginning */

static int is_recorded(const run *r)
{
    const variant *how = &r->how;
    return how->mode == MODE_PULL && r->test->deflate.codec == NULL
           && (how->cuts == CUT_NONE || how->cuts == CUT_RANDOM || (how->cuts == CUT_OCTETS && how->cut == 0 && r->stream->size <= 300));
}

static void configuration(const tenon_config *c)
{
    const uint32_t fields[] = {c->role,         c->handshake != NULL, c->flags,         c->max_head, c->max_target,
                               c->max_headers,  c->max_fragments,     c->max_control,   c->max_frame_out,
                               c->handshake_ms, c->idle_ms,           c->ping_ms,       c->pong_ms,  c->close_ms,
                               c->stall_ms};
    size_t i;
    for (i = 0; i < sizeof fields / sizeof fields[0]; i++)
        number(fields[i]);
    number(c->max_message);
    number(of->test->random_fails);
}

int record_init(void *memory, size_t size, const tenon_config *config, tenon_conn **conn)
{
    const run *r = config->random_user;
    static int opened;
    char name[200];
    finish();
    if (!opened) {
        file = fopen(getenv("TENON_RECORD"), "wb");
        atexit(close_file);
        opened = 1;
    }
    if (is_recorded(r)) {
        const char *slash = strrchr(r->test->file, '/');
        of = r;
        snprintf(name, sizeof name, "%s %s %s", slash != NULL ? slash + 1 : r->test->file, r->test->name,
                 r->how.role == TENON_SERVER ? "server" : "client");
        text(name);
        configuration(config);
    }
    return ends(tenon_init(memory, size, config, conn));
}

/* ---------------------------------------------------------- memory, time, state */

int record_lend(tenon_conn *conn, void *rx, size_t rx_size, void *tx, size_t tx_size)
{
    if (begins(CALL_LEND)) {
        number(rx_size);
        number(tx_size);
    }
    return ends(tenon_lend(conn, rx, rx_size, tx, tx_size));
}

int record_lend_rx(tenon_conn *conn, void *rx, size_t size)
{
    if (begins(CALL_LEND_RX))
        number(size);
    return ends(tenon_lend_rx(conn, rx, size));
}

int record_lend_tx(tenon_conn *conn, void *tx, size_t size)
{
    if (begins(CALL_LEND_TX))
        number(size);
    return ends(tenon_lend_tx(conn, tx, size));
}

int record_tick(tenon_conn *conn, uint64_t now_ms)
{
    if (begins(CALL_TICK))
        number(now_ms);
    return ends(tenon_tick(conn, now_ms));
}

uint64_t record_deadline(const tenon_conn *conn)
{
    uint64_t deadline = tenon_deadline(conn);
    if (conn != NULL && begins(CALL_DEADLINE))
        number(deadline);
    return deadline;
}

uint32_t record_wants(const tenon_conn *conn)
{
    uint32_t wants = tenon_wants(conn);
    if (conn != NULL && begins(CALL_WANTS))
        number(wants);
    return wants;
}

int record_state(const tenon_conn *conn)
{
    int state = tenon_state(conn);
    if (conn != NULL && begins(CALL_STATE))
        number((uint64_t)state);
    return state;
}

size_t record_rx_needed(const tenon_conn *conn)
{
    size_t needed = tenon_rx_needed(conn);
    if (conn != NULL && begins(CALL_NEEDED))
        number(needed);
    return needed;
}

/* ---------------------------------------------------------------------- input */

int record_recv(tenon_conn *conn, void *data, size_t n)
{
    if (begins(CALL_RECV))
        blob(data, n);
    return ends(tenon_recv(conn, data, n));
}

int record_recv_const(tenon_conn *conn, const void *data, size_t n)
{
    if (begins(CALL_RECV_CONST))
        blob(data, n);
    return ends(tenon_recv_const(conn, data, n));
}

int record_unlend(tenon_conn *conn, const void **rest, size_t *n)
{
    int status = tenon_unlend(conn, rest, n);
    if (begins(CALL_UNLEND))
        blob(status == TENON_OK ? *rest : NULL, status == TENON_OK ? *n : 0);
    return ends(status);
}

int record_next(tenon_conn *conn, tenon_event *event)
{
    int status = tenon_next(conn, event);
    const tenon_event *e = event;
    if (!begins(CALL_NEXT))
        return status;
    integer(status);
    if (status != TENON_EVENT)
        return status;
    number(e->type);
    number(e->flags);
    number(e->opcode);
    number(e->cause);
    number(e->rule);
    number(e->code);
    number(e->sent_code);
    number(e->received_code);
    number(e->offset);
    number(e->frame_size);
    number(e->rtt_ms);
    cookie_number(e->cookie);
    blob(e->data, e->size);
    return status;
}

int record_again(tenon_conn *conn)
{
    begins(CALL_AGAIN);
    return ends(tenon_again(conn));
}

int record_eof(tenon_conn *conn)
{
    begins(CALL_EOF);
    return ends(tenon_eof(conn));
}

int record_shut(tenon_conn *conn)
{
    begins(CALL_SHUT);
    return ends(tenon_shut(conn));
}

int record_abort(tenon_conn *conn, int cause)
{
    if (begins(CALL_ABORT))
        integer(cause);
    return ends(tenon_abort(conn, cause));
}

/* --------------------------------------------------------------------- output */

int record_out(tenon_conn *conn, tenon_iov *iov, size_t max, size_t *count)
{
    int status = tenon_out(conn, iov, max, count);
    size_t i;
    if (!begins(CALL_OUT))
        return status;
    number(max);
    number(*count);
    for (i = 0; i < *count; i++)
        blob(iov[i].base, iov[i].size);
    return ends(status);
}

int record_sent(tenon_conn *conn, size_t n)
{
    if (begins(CALL_SENT))
        number(n);
    return ends(tenon_sent(conn, n));
}

static int message(int call, int opcode, const void *data, size_t n, uint32_t flags)
{
    if (!begins(call))
        return 0;
    integer(opcode);
    blob(data, n);
    number(flags);
    return 1;
}

int record_send(tenon_conn *conn, int opcode, const void *data, size_t n, uint32_t flags)
{
    message(CALL_SEND, opcode, data, n, flags);
    return ends(tenon_send(conn, opcode, data, n, flags));
}

int record_send_part(tenon_conn *conn, int opcode, const void *data, size_t n, uint32_t flags)
{
    message(CALL_SEND_PART, opcode, data, n, flags);
    return ends(tenon_send_part(conn, opcode, data, n, flags));
}

int record_send_ref(tenon_conn *conn, int opcode, const void *data, size_t n, uint32_t flags, void *cookie)
{
    if (message(CALL_SEND_REF, opcode, data, n, flags))
        cookie_number(cookie);
    return ends(tenon_send_ref(conn, opcode, data, n, flags, cookie));
}

int record_prepare(tenon_prepared *prepared, size_t size, int opcode, const void *data, size_t n, uint32_t flags)
{
    message(CALL_PREPARE, opcode, data, n, flags);
    return ends(tenon_prepare(prepared, size, opcode, data, n, flags));
}

int record_send_prepared(tenon_conn *conn, const tenon_prepared *prepared, uint32_t flags, void *cookie)
{
    if (begins(CALL_PREPARED)) {
        number(flags);
        cookie_number(cookie);
    }
    return ends(tenon_send_prepared(conn, prepared, flags, cookie));
}

int record_ping(tenon_conn *conn, const void *data, size_t n)
{
    if (begins(CALL_PING))
        blob(data, n);
    return ends(tenon_ping(conn, data, n));
}

int record_pong(tenon_conn *conn, const void *data, size_t n)
{
    if (begins(CALL_PONG))
        blob(data, n);
    return ends(tenon_pong(conn, data, n));
}

int record_close(tenon_conn *conn, int code, const char *reason, size_t n)
{
    if (begins(CALL_CLOSE)) {
        integer(code);
        blob(reason, n);
    }
    return ends(tenon_close(conn, code, reason, n));
}

/* ------------------------------------------------------------------ handshake */

static void header(const tenon_header *headers, size_t count)
{
    number(count); /* the runner has one at most */
    if (count == 0)
        return;
    blob(headers->name, headers->name_size);
    blob(headers->value, headers->value_size);
}

int record_accept(tenon_conn *conn, const tenon_answer *answer)
{
    if (begins(CALL_ACCEPT)) {
        number(answer != NULL);
        if (answer != NULL) {
            blob(answer->subprotocol, answer->subprotocol_size);
            blob(answer->extensions, answer->extensions_size);
            header(answer->headers, answer->header_count);
        }
    }
    return ends(tenon_accept(conn, answer));
}

int record_reject(tenon_conn *conn, const tenon_refusal *refusal)
{
    if (begins(CALL_REJECT)) {
        number(refusal->status);
        blob(refusal->reason, refusal->reason_size);
        header(refusal->headers, refusal->header_count);
        blob(refusal->body, refusal->body_size);
        number(refusal->flags);
        cookie_number(refusal->cookie);
    }
    return ends(tenon_reject(conn, refusal));
}

int record_connect(tenon_conn *conn, const tenon_request *request)
{
    size_t i;
    if (begins(CALL_CONNECT)) {
        text(request->uri);
        text(request->authority);
        text(request->target);
        text(request->origin);
        text(request->extensions);
        number(request->subprotocol_count);
        for (i = 0; i < request->subprotocol_count; i++)
            text(request->subprotocols[i]);
        header(request->headers, request->header_count);
    }
    return ends(tenon_connect(conn, request));
}

int record_head_get(const tenon_conn *conn, tenon_head *head)
{
    return tenon_head_get(conn, head);
}

/* The field, and that its head can be read. */
int record_header_find(const tenon_fields *fields, const char *name, tenon_str *value)
{
    int status = tenon_header_find(fields, name, value);
    if (begins(CALL_FIELD)) {
        text(name);
        blob(value->data, value->size);
    }
    return ends(status);
}

int record_grant(tenon_conn *conn, uint32_t rsv_first, uint32_t rsv_next, uint32_t flags)
{
    if (begins(CALL_GRANT)) {
        number(rsv_first);
        number(rsv_next);
        number(flags);
    }
    return ends(tenon_grant(conn, rsv_first, rsv_next, flags));
}
