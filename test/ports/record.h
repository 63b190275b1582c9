/* SPDX-License-Identifier: MIT */
/*
 * Calls of the library by the transcript runner, written down with what they brought
 * about, so that a machine with little memory can make the same calls (replay.c).
 * Included in front of each file of the runner, of which it is then no other runner.
 *
 * A record is: its size in four octets, the lowest first; its name; the configuration;
 * calls; CALL_END. A call is its number, its arguments and its results. A number is
 * seven bits in each octet, the lowest first, 0x80 in all but the last; negative ones
 * as twice the amount less 1. Octets, and text, are their number plus 1, then
 * themselves; 0 stands for NULL.
 */
#ifndef RECORD_H
#define RECORD_H

#include "tenon/tenon.h"

enum {
    CALL_END, CALL_LEND, CALL_LEND_RX, CALL_LEND_TX, CALL_TICK, CALL_DEADLINE, CALL_WANTS, CALL_STATE, CALL_NEEDED,
    CALL_RECV, CALL_RECV_CONST, CALL_UNLEND, CALL_NEXT, CALL_AGAIN, CALL_EOF, CALL_SHUT, CALL_ABORT, CALL_OUT,
    CALL_SENT, CALL_SEND, CALL_SEND_PART, CALL_SEND_REF, CALL_PREPARE, CALL_PREPARED, CALL_PING, CALL_PONG,
    CALL_CLOSE, CALL_ACCEPT, CALL_REJECT, CALL_CONNECT, CALL_FIELD, CALL_GRANT
};

#ifdef RECORD_CALLS
int record_init(void *memory, size_t size, const tenon_config *config, tenon_conn **conn);
int record_lend(tenon_conn *conn, void *rx, size_t rx_size, void *tx, size_t tx_size);
int record_lend_rx(tenon_conn *conn, void *rx, size_t size);
int record_lend_tx(tenon_conn *conn, void *tx, size_t size);
int record_tick(tenon_conn *conn, uint64_t now_ms);
uint64_t record_deadline(const tenon_conn *conn);
uint32_t record_wants(const tenon_conn *conn);
int record_state(const tenon_conn *conn);
size_t record_rx_needed(const tenon_conn *conn);
int record_recv(tenon_conn *conn, void *data, size_t n);
int record_recv_const(tenon_conn *conn, const void *data, size_t n);
int record_unlend(tenon_conn *conn, const void **rest, size_t *n);
int record_next(tenon_conn *conn, tenon_event *event);
int record_again(tenon_conn *conn);
int record_eof(tenon_conn *conn);
int record_shut(tenon_conn *conn);
int record_abort(tenon_conn *conn, int cause);
int record_out(tenon_conn *conn, tenon_iov *iov, size_t max, size_t *count);
int record_sent(tenon_conn *conn, size_t n);
int record_send(tenon_conn *conn, int opcode, const void *data, size_t n, uint32_t flags);
int record_send_part(tenon_conn *conn, int opcode, const void *data, size_t n, uint32_t flags);
int record_send_ref(tenon_conn *conn, int opcode, const void *data, size_t n, uint32_t flags, void *cookie);
int record_prepare(tenon_prepared *prepared, size_t size, int opcode, const void *data, size_t n, uint32_t flags);
int record_send_prepared(tenon_conn *conn, const tenon_prepared *prepared, uint32_t flags, void *cookie);
int record_ping(tenon_conn *conn, const void *data, size_t n);
int record_pong(tenon_conn *conn, const void *data, size_t n);
int record_close(tenon_conn *conn, int code, const char *reason, size_t n);
int record_accept(tenon_conn *conn, const tenon_answer *answer);
int record_reject(tenon_conn *conn, const tenon_refusal *refusal);
int record_connect(tenon_conn *conn, const tenon_request *request);
int record_head_get(const tenon_conn *conn, tenon_head *head);
int record_header_find(const tenon_fields *fields, const char *name, tenon_str *value);
int record_grant(tenon_conn *conn, uint32_t rsv_first, uint32_t rsv_next, uint32_t flags);

#define tenon_init record_init
#define tenon_lend record_lend
#define tenon_lend_rx record_lend_rx
#define tenon_lend_tx record_lend_tx
#define tenon_tick record_tick
#define tenon_deadline record_deadline
#define tenon_wants record_wants
#define tenon_state record_state
#define tenon_rx_needed record_rx_needed
#define tenon_recv record_recv
#define tenon_recv_const record_recv_const
#define tenon_unlend record_unlend
#define tenon_next record_next
#define tenon_again record_again
#define tenon_eof record_eof
#define tenon_shut record_shut
#define tenon_abort record_abort
#define tenon_out record_out
#define tenon_sent record_sent
#define tenon_send record_send
#define tenon_send_part record_send_part
#define tenon_send_ref record_send_ref
#define tenon_prepare record_prepare
#define tenon_send_prepared record_send_prepared
#define tenon_ping record_ping
#define tenon_pong record_pong
#define tenon_close record_close
#define tenon_accept record_accept
#define tenon_reject record_reject
#define tenon_connect record_connect
#define tenon_head_get record_head_get
#define tenon_header_find record_header_find
#define tenon_grant record_grant
#endif

#endif
