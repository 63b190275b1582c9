// SPDX-License-Identifier: MIT
//! tenon.h, frame.h and deflate.h, by hand. For the safe crate, and for tests of the layout.
#![allow(non_camel_case_types)]

use std::mem::size_of;
use std::os::raw::{c_char, c_int, c_void};

/// A connection: only the library knows what is in it.
#[repr(C)]
pub struct tenon_conn {
    private: [u8; 0],
}

/// A codec; its fields are of no use here.
#[repr(C)]
pub struct tenon_codec {
    private: [u8; 0],
}

pub type random_fn = unsafe extern "C" fn(*mut c_void, *mut c_void, usize) -> c_int;
pub type event_fn = unsafe extern "C" fn(*mut tenon_conn, *const tenon_event, *mut c_void) -> c_int;
pub type recv_fn = unsafe extern "C" fn(*mut c_void, *mut c_void, usize, *mut usize) -> c_int;
pub type send_fn = unsafe extern "C" fn(*mut c_void, *const tenon_iov, usize, *mut usize) -> c_int;
pub type now_fn = unsafe extern "C" fn(*mut c_void) -> u64;
pub type shut_fn = unsafe extern "C" fn(*mut c_void);

/// Structs of C, which begin as zeros.
macro_rules! structs {
    ($($name:ident { $($field:ident: $kind:ty),* $(,)? })*) => {
        $(
            #[repr(C)]
            #[derive(Clone, Copy)]
            pub struct $name {
                $(pub $field: $kind),*
            }

            impl $name {
                pub fn zeroed() -> $name {
                    // All fields are numbers, pointers, and functions in an Option.
                    unsafe { std::mem::zeroed() }
                }
            }
        )*

        /// For tests: each struct and field, with its size and its offset.
        pub fn layout(mut tell: impl FnMut(&str, &str, usize, usize)) {
            $(
                tell(stringify!($name), "", size_of::<$name>(), 0);
                let value = $name::zeroed();
                let base = std::ptr::addr_of!(value) as usize;
                $(
                    let size = std::mem::size_of_val(&value.$field);
                    tell(stringify!($name), stringify!($field), size, std::ptr::addr_of!(value.$field) as usize - base);
                )*
            )*
        }
    };
}

structs! {
    tenon_str { data: *const c_char, size: usize }
    tenon_iov { base: *const c_void, size: usize }
    tenon_header { name: *const c_char, value: *const c_char, name_size: usize, value_size: usize }
    tenon_fields { array: *const tenon_header, count: usize, head: *const c_char, head_size: usize }
    tenon_event {
        type_: u16, flags: u16, opcode: u8, cause: u8, rule: u16, code: u16, sent_code: u16, received_code: u16,
        reserved16: u16, offset: u64, frame_size: u64, data: *const u8, size: usize, cookie: *mut c_void,
        rtt_ms: u32, reserved: [u8; 28 - 3 * size_of::<usize>()],
    }
    tenon_config {
        size: u32, role: u32, flags: u32, max_head: u32, max_target: u32, max_headers: u32, max_message: u64,
        max_fragments: u32, max_control: u32, max_frame_out: u32, handshake_ms: u32, idle_ms: u32, ping_ms: u32,
        pong_ms: u32, close_ms: u32, stall_ms: u32, reserved: u32, random: Option<random_fn>,
        random_user: *mut c_void, handshake: *const c_void, transform: *const c_void,
        transform_config: *const c_void,
    }
    tenon_stats {
        size: u32, reserved: u32, octets_in: u64, octets_out: u64, frames_in: u64, frames_out: u64,
        messages_in: u64, messages_out: u64, pings_in: u64, pongs_in: u64, pongs_skipped: u64, queue_peak: u64,
        steps: u64,
    }
    tenon_prepared {
        size: u32, flags: u16, opcode: u8, window_bits: u8, data: *const c_void, data_size: usize,
        deflated: *const c_void, deflated_size: usize,
    }
    tenon_head {
        method: tenon_str, target: tenon_str, authority: tenon_str, origin: tenon_str, reason: tenon_str,
        status: u16, version: u16, fields: tenon_fields,
    }
    tenon_answer {
        size: u32, reserved: u32, subprotocol: *const c_char, subprotocol_size: usize, extensions: *const c_char,
        extensions_size: usize, headers: *const tenon_header, header_count: usize,
    }
    tenon_refusal {
        size: u32, status: u16, reserved: u16, reason: *const c_char, reason_size: usize,
        headers: *const tenon_header, header_count: usize, body: *const c_void, body_size: usize, flags: u32,
        reserved2: u32, cookie: *mut c_void,
    }
    tenon_request {
        size: u32, reserved: u32, uri: *const c_char, authority: *const c_char, target: *const c_char,
        origin: *const c_char, subprotocols: *const *const c_char, subprotocol_count: usize,
        extensions: *const c_char, headers: *const tenon_header, header_count: usize,
    }
    tenon_io {
        size: usize, recv: Option<recv_fn>, send: Option<send_fn>, now: Option<now_fn>, event: Option<event_fn>,
        user: *mut c_void, buf: *mut c_void, buf_size: usize, shut: Option<shut_fn>,
    }
    tenon_frame { payload_size: u64, first: u8, masked: u8, key: [u8; 4], header_size: u8, reserved: u8 }
    tenon_deflate {
        size: u32, flags: u32, codec: *const tenon_codec, threshold: u32, out_bits: u8, in_bits: u8, level: u8,
        memory_level: u8,
    }
    tenon_agreed { size: u32, on: u8, out_bits: u8, in_bits: u8, flags: u8 }
    tenon_uri {
        host: tenon_str, authority: tenon_str, path: tenon_str, query: tenon_str, port: u16, secure: u8,
        reserved: u8,
    }
}

#[link(name = "tenon")]
extern "C" {
    pub fn tenon_version() -> u32;
    pub fn tenon_conn_size() -> usize;
    pub fn tenon_status_name(status: c_int) -> *const c_char;
    pub fn tenon_event_name(kind: c_int) -> *const c_char;
    pub fn tenon_state_name(state: c_int) -> *const c_char;
    pub fn tenon_close_name(code: c_int) -> *const c_char;
    pub fn tenon_rule_name(rule: c_int) -> *const c_char;
    pub fn tenon_rule_text(rule: c_int) -> *const c_char;
    pub fn tenon_rule_section(rule: c_int) -> *const c_char;
    pub fn tenon_config_server(config: *mut tenon_config, size: usize) -> c_int;
    pub fn tenon_config_client(config: *mut tenon_config, size: usize) -> c_int;
    pub fn tenon_config_open(config: *mut tenon_config, size: usize, role: c_int) -> c_int;
    pub fn tenon_config_deflate(config: *mut tenon_config, deflate: *const tenon_deflate) -> c_int;
    pub fn tenon_init(memory: *mut c_void, size: usize, config: *const tenon_config, conn: *mut *mut tenon_conn)
        -> c_int;
    pub fn tenon_lend_rx(conn: *mut tenon_conn, rx: *mut c_void, size: usize) -> c_int;
    pub fn tenon_lend_tx(conn: *mut tenon_conn, tx: *mut c_void, size: usize) -> c_int;
    pub fn tenon_lend(conn: *mut tenon_conn, rx: *mut c_void, rx_size: usize, tx: *mut c_void, tx_size: usize)
        -> c_int;
    pub fn tenon_rx_needed(conn: *const tenon_conn) -> usize;
    pub fn tenon_lend_stats(conn: *mut tenon_conn, stats: *mut tenon_stats) -> c_int;
    pub fn tenon_state(conn: *const tenon_conn) -> c_int;
    pub fn tenon_wants(conn: *const tenon_conn) -> u32;
    pub fn tenon_recv(conn: *mut tenon_conn, data: *mut c_void, n: usize) -> c_int;
    pub fn tenon_recv_const(conn: *mut tenon_conn, data: *const c_void, n: usize) -> c_int;
    pub fn tenon_unlend(conn: *mut tenon_conn, rest: *mut *const c_void, n: *mut usize) -> c_int;
    pub fn tenon_shut(conn: *mut tenon_conn) -> c_int;
    pub fn tenon_eof(conn: *mut tenon_conn) -> c_int;
    pub fn tenon_abort(conn: *mut tenon_conn, cause: c_int) -> c_int;
    pub fn tenon_tick(conn: *mut tenon_conn, now_ms: u64) -> c_int;
    pub fn tenon_deadline(conn: *const tenon_conn) -> u64;
    pub fn tenon_next(conn: *mut tenon_conn, event: *mut tenon_event) -> c_int;
    pub fn tenon_again(conn: *mut tenon_conn) -> c_int;
    pub fn tenon_out(conn: *mut tenon_conn, iov: *mut tenon_iov, max: usize, count: *mut usize) -> c_int;
    pub fn tenon_sent(conn: *mut tenon_conn, n: usize) -> c_int;
    pub fn tenon_queued(conn: *const tenon_conn) -> u64;
    pub fn tenon_send(conn: *mut tenon_conn, opcode: c_int, data: *const c_void, n: usize, flags: u32) -> c_int;
    pub fn tenon_send_part(conn: *mut tenon_conn, opcode: c_int, data: *const c_void, n: usize, flags: u32) -> c_int;
    pub fn tenon_send_ref(conn: *mut tenon_conn, opcode: c_int, data: *const c_void, n: usize, flags: u32,
                          cookie: *mut c_void) -> c_int;
    pub fn tenon_prepare(prepared: *mut tenon_prepared, size: usize, opcode: c_int, data: *const c_void, n: usize,
                         flags: u32) -> c_int;
    pub fn tenon_send_prepared(conn: *mut tenon_conn, prepared: *const tenon_prepared, flags: u32,
                               cookie: *mut c_void) -> c_int;
    pub fn tenon_ping(conn: *mut tenon_conn, data: *const c_void, n: usize) -> c_int;
    pub fn tenon_pong(conn: *mut tenon_conn, data: *const c_void, n: usize) -> c_int;
    pub fn tenon_close(conn: *mut tenon_conn, code: c_int, reason: *const c_char, n: usize) -> c_int;
    pub fn tenon_grant(conn: *mut tenon_conn, rsv_first: u32, rsv_next: u32, flags: u32) -> c_int;
    pub fn tenon_head_get(conn: *const tenon_conn, head: *mut tenon_head) -> c_int;
    pub fn tenon_header_next(fields: *const tenon_fields, position: *mut usize, field: *mut tenon_header) -> c_int;
    pub fn tenon_accept(conn: *mut tenon_conn, answer: *const tenon_answer) -> c_int;
    pub fn tenon_reject(conn: *mut tenon_conn, refusal: *const tenon_refusal) -> c_int;
    pub fn tenon_connect(conn: *mut tenon_conn, request: *const tenon_request) -> c_int;
    pub fn tenon_run(conn: *mut tenon_conn, event: Option<event_fn>, user: *mut c_void) -> c_int;
    pub fn tenon_pump(conn: *mut tenon_conn, io: *const tenon_io) -> c_int;
    pub fn tenon_frame_encode(frame: *const tenon_frame, out: *mut u8, size: *mut usize) -> c_int;
    pub fn tenon_frame_decode(data: *const c_void, n: usize, frame: *mut tenon_frame, rule: *mut u16, at: *mut usize)
        -> c_int;
    pub fn tenon_mask(dst: *mut c_void, src: *const c_void, n: usize, key: *const u8, phase: usize) -> usize;
    pub fn tenon_deflate_get(conn: *const tenon_conn, agreed: *mut tenon_agreed) -> c_int;
    pub fn tenon_deflate_set(conn: *mut tenon_conn, agreed: *const tenon_agreed) -> c_int;
    pub fn tenon_deflate_size(conn: *const tenon_conn) -> usize;
    pub fn tenon_inflate_size(conn: *const tenon_conn) -> usize;
    pub fn tenon_lend_deflate(conn: *mut tenon_conn, block: *mut c_void, size: usize) -> c_int;
    pub fn tenon_lend_inflate(conn: *mut tenon_conn, block: *mut c_void, size: usize) -> c_int;
    pub fn tenon_uri_parse(text: *const c_char, n: usize, uri: *mut tenon_uri, at: *mut usize) -> c_int;
}

#[cfg(feature = "zlib")]
#[link(name = "tenon_zlib")]
extern "C" {
    pub static tenon_zlib: tenon_codec;
}
