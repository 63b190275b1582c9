// SPDX-License-Identifier: MIT
// The structs and functions of tenon.h, for koffi. Pointers are plain addresses: what lies
// behind them is the business of tenon.js.
'use strict';

const STR = { data: 'void *', size: 'size_t' };

const STRUCTS = {
    tenon_iov: { base: 'void *', size: 'size_t' },
    tenon_header: { name: 'void *', value: 'void *', name_size: 'size_t', value_size: 'size_t' },
    tenon_fields: { array: 'void *', count: 'size_t', head: 'void *', head_size: 'size_t' },
    tenon_event: {
        type: 'uint16_t', flags: 'uint16_t', opcode: 'uint8_t', cause: 'uint8_t', rule: 'uint16_t', code: 'uint16_t',
        sent_code: 'uint16_t', received_code: 'uint16_t', reserved16: 'uint16_t', offset: 'uint64_t',
        frame_size: 'uint64_t', data: 'void *', size: 'size_t', cookie: 'void *', rtt_ms: 'uint32_t',
        reserved: 'uint8_t[4]',
    },
    tenon_config: {
        size: 'uint32_t', role: 'uint32_t', flags: 'uint32_t', max_head: 'uint32_t', max_target: 'uint32_t',
        max_headers: 'uint32_t', max_message: 'uint64_t', max_fragments: 'uint32_t', max_control: 'uint32_t',
        max_frame_out: 'uint32_t', handshake_ms: 'uint32_t', idle_ms: 'uint32_t', ping_ms: 'uint32_t',
        pong_ms: 'uint32_t', close_ms: 'uint32_t', stall_ms: 'uint32_t', reserved: 'uint32_t', random: 'void *',
        random_user: 'void *', handshake: 'void *', transform: 'void *', transform_config: 'void *',
    },
    tenon_head: {
        method: 'tenon_str', target: 'tenon_str', authority: 'tenon_str', origin: 'tenon_str', reason: 'tenon_str',
        status: 'uint16_t', version: 'uint16_t', fields: 'tenon_fields',
    },
    tenon_answer: {
        size: 'uint32_t', reserved: 'uint32_t', subprotocol: 'void *', subprotocol_size: 'size_t',
        extensions: 'void *', extensions_size: 'size_t', headers: 'void *', header_count: 'size_t',
    },
    tenon_refusal: {
        size: 'uint32_t', status: 'uint16_t', reserved: 'uint16_t', reason: 'void *', reason_size: 'size_t',
        headers: 'void *', header_count: 'size_t', body: 'void *', body_size: 'size_t', flags: 'uint32_t',
        reserved2: 'uint32_t', cookie: 'void *',
    },
    tenon_request: {
        size: 'uint32_t', reserved: 'uint32_t', uri: 'void *', authority: 'void *', target: 'void *',
        origin: 'void *', subprotocols: 'void *', subprotocol_count: 'size_t', extensions: 'void *',
        headers: 'void *', header_count: 'size_t',
    },
    tenon_uri: {
        host: 'tenon_str', authority: 'tenon_str', path: 'tenon_str', query: 'tenon_str', port: 'uint16_t',
        secure: 'uint8_t', reserved: 'uint8_t',
    },
};

const FUNCTIONS = [
    'uint32_t tenon_version()',
    'size_t tenon_conn_size()',
    'const char *tenon_status_name(int status)',
    'const char *tenon_event_name(int type)',
    'const char *tenon_close_name(int code)',
    'const char *tenon_rule_name(int rule)',
    'const char *tenon_rule_text(int rule)',
    'int tenon_config_server(void *config, size_t size)',
    'int tenon_config_client(void *config, size_t size)',
    'int tenon_init(void *memory, size_t size, void *config, void *conn)',
    'int tenon_lend(void *conn, void *rx, size_t rx_size, void *tx, size_t tx_size)',
    'int tenon_lend_rx(void *conn, void *rx, size_t size)',
    'size_t tenon_rx_needed(void *conn)',
    'int tenon_state(void *conn)',
    'uint32_t tenon_wants(void *conn)',
    'uint64_t tenon_queued(void *conn)',
    'uint64_t tenon_deadline(void *conn)',
    'int tenon_tick(void *conn, uint64_t now_ms)',
    'int tenon_recv(void *conn, void *data, size_t n)',
    'int tenon_eof(void *conn)',
    'int tenon_shut(void *conn)',
    'int tenon_abort(void *conn, int cause)',
    'int tenon_next(void *conn, void *event)',
    'int tenon_again(void *conn)',
    'int tenon_out(void *conn, void *iov, size_t max, void *count)',
    'int tenon_sent(void *conn, size_t n)',
    'int tenon_send(void *conn, int opcode, void *data, size_t n, uint32_t flags)',
    'int tenon_send_ref(void *conn, int opcode, void *data, size_t n, uint32_t flags, void *cookie)',
    'int tenon_ping(void *conn, void *data, size_t n)',
    'int tenon_close(void *conn, int code, void *reason, size_t n)',
    'int tenon_head_get(void *conn, void *head)',
    'int tenon_header_next(void *fields, void *position, void *field)',
    'int tenon_accept(void *conn, void *answer)',
    'int tenon_reject(void *conn, void *refusal)',
    'int tenon_connect(void *conn, void *request)',
    'int tenon_run(void *conn, void *event, void *user)',
    'int tenon_pump(void *conn, void *io)',
    'int tenon_uri_parse(void *text, size_t n, void *uri, void *at)',
];

module.exports = (koffi) => {
    const structs = { tenon_str: koffi.struct('tenon_str', STR) };
    for (const [name, fields] of Object.entries(STRUCTS)) structs[name] = koffi.struct(name, fields);
    return { structs, functions: FUNCTIONS };
};
