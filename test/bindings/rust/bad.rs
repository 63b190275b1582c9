// SPDX-License-Identifier: MIT
//! Bad input to the Rust binding: an error with the library's name for it, and no crash. What
//! the types of the safe crate rule out is tried through its declarations.

use std::os::raw::c_void;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr;
use std::rc::Rc;

use tenon::sys::*;
use tenon::{Answer, Config, Conn, Error, Kind, Refusal, Request, Settings};

const UPGRADE: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

fn server() -> Rc<Config> {
    Settings::server().build().expect("a config")
}

fn conn(config: &Rc<Config>) -> Conn {
    Conn::new(config, 4096, 4096).expect("a connection")
}

/// A connection whose request waits for its decision.
fn asked() -> Conn {
    let mut conn = conn(&server());
    conn.recv(UPGRADE.to_vec()).expect("input");
    assert!(conn.next().expect("an event").expect("an event").kind() == Kind::Request);
    conn
}

fn opened(settings: Settings) -> Conn {
    let mut conn = conn(&settings.build().expect("a config"));
    assert!(conn.next().expect("an event").expect("an event").kind() == Kind::Open);
    conn
}

fn open_server() -> Conn {
    opened(Settings::open(tenon::SERVER))
}

fn ended() -> Conn {
    let mut conn = open_server();
    conn.abort(tenon::LOCAL).expect("an end");
    assert!(conn.next().expect("an event").expect("an event").kind() == Kind::Closed);
    conn
}

/// What a call of the declarations gave.
fn status(status: i32) -> Result<(), String> {
    if status < 0 {
        Err(tenon::status_name(status).to_string())
    } else {
        Ok(())
    }
}

fn named<T>(result: Result<T, Error>) -> Result<(), String> {
    result.map(drop).map_err(|error| error.to_string())
}

fn filled() -> tenon_config {
    let mut config = tenon_config::zeroed();
    let size = std::mem::size_of::<tenon_config>();
    assert_eq!(unsafe { tenon_config_server(&mut config, size) }, tenon::OK);
    config
}

fn init(size: usize, offset: usize, config: &tenon_config) -> Result<(), String> {
    let mut memory = [0u64; 64];
    let mut conn = ptr::null_mut();
    let at = (memory.as_mut_ptr() as usize + offset) as *mut c_void;
    status(unsafe { tenon_init(at, size, config, &mut conn) })
}

fn config_of_another_size() -> Result<(), String> {
    let mut config = filled();
    config.size -= 8;
    init(384, 0, &config)
}

fn unfilled_config() -> Result<(), String> {
    let mut config = tenon_config::zeroed();
    config.size = std::mem::size_of::<tenon_config>() as u32;
    init(384, 0, &config)
}

/// Calls with what the safe crate never gives.
fn raw(call: impl FnOnce(*mut tenon_conn) -> i32) -> Result<(), String> {
    let config = filled();
    let mut memory = [0u64; 48];
    let mut conn = ptr::null_mut();
    let at = memory.as_mut_ptr() as *mut c_void;
    status(unsafe { tenon_init(at, 384, &config, &mut conn) })?;
    status(call(conn))
}

fn header(name: &[u8], value: &[u8]) -> Result<(), String> {
    named(asked().accept(&Answer { headers: &[(name, value)], ..Default::default() }))
}

fn ask(settings: Settings, uri: &[u8]) -> Result<(), String> {
    let conn = settings.build().and_then(|config| Conn::new(&config, 4096, 4096)).map_err(|error| error.to_string())?;
    named(conn.connect(&Request { uri: Some(uri), ..Default::default() }))
}

fn pump_of_size(size: usize) -> Result<(), String> {
    let mut io = tenon_io { size, recv: None, send: None, now: None, event: None, user: ptr::null_mut(),
        buf: ptr::null_mut(), buf_size: 0, shut: None };
    io.user = ptr::null_mut();
    raw(|conn| unsafe { tenon_pump(conn, &io) })
}

/// The source of random octets asks for a message of the connection that asked it.
fn nested() -> Result<(), String> {
    thread_local!(static CONN: std::cell::RefCell<Option<Rc<Conn>>> = std::cell::RefCell::new(None));
    let source = |_: &mut [u8]| {
        let conn = CONN.with(|place| place.borrow().clone()).expect("a connection");
        let inner = conn.send(tenon::TEXT, b"inner", 0);
        assert_eq!(inner, Err(Error::REENTRY));
        false
    };
    let conn = Rc::new(opened(Settings::open(tenon::CLIENT).random(source)));
    CONN.with(|place| place.replace(Some(Rc::clone(&conn))));
    let done = named(conn.send(tenon::TEXT, b"outer", 0));
    CONN.with(|place| place.replace(None));
    done
}

type Bad = (&'static str, &'static str, fn() -> Result<(), String>);

fn memory_and_configs() -> Vec<Bad> {
    vec![
        ("storage too small", "SIZE", || init(100, 0, &filled())),
        ("storage misaligned", "SIZE", || init(384, 1, &filled())),
        ("storage NULL", "NULL", || status(unsafe { tenon_init(ptr::null_mut(), 384, &filled(), &mut ptr::null_mut()) })),
        ("config NULL", "NULL", || status(unsafe { tenon_config_server(ptr::null_mut(), 112) })),
        ("config smaller than the library's", "SIZE",
            || status(unsafe { tenon_config_server(&mut tenon_config::zeroed(), 104) })),
        ("config of another size", "SIZE", config_of_another_size),
        ("config that nothing has filled", "ARG", unfilled_config),
        ("open config of no role", "ARG", || named(Settings::open(3).build())),
        ("client without random", "RANDOM", || ask(Settings::client().without_random(), b"ws://a/")),
        ("random that fails", "RANDOM", || ask(Settings::client().random(|_| false), b"ws://a/")),
        ("random that panics", "RANDOM", || ask(Settings::client().random(|_| panic!("none")), b"ws://a/")),
        ("a call from within the random source", "RANDOM", nested),
        ("rx too small", "SIZE", || named(Conn::new(&server(), 255, 512))),
        ("tx too small", "SIZE", || named(Conn::new(&server(), 256, 511))),
        ("counters of another size", "SIZE",
            || raw(|conn| unsafe { tenon_lend_stats(conn, &mut tenon_stats { size: 8, ..tenon_stats::zeroed() }) })),
        ("run without a callback", "NULL", || raw(|conn| unsafe { tenon_run(conn, None, ptr::null_mut()) })),
        ("pump without callbacks", "NULL", || pump_of_size(std::mem::size_of::<tenon_io>())),
        ("pump with a struct of another size", "SIZE", || pump_of_size(8)),
        ("connection NULL", "NULL",
            || status(unsafe { tenon_next(ptr::null_mut(), &mut tenon_event::zeroed()) })),
        ("event NULL", "NULL", || raw(|conn| unsafe { tenon_next(conn, ptr::null_mut()) })),
        ("data NULL", "NULL", || raw(|conn| unsafe { tenon_send(conn, 1, ptr::null(), 5, 0) })),
    ]
}

fn calls() -> Vec<Bad> {
    vec![
        ("acknowledged too much", "ACK", || {
            let mut conn = open_server();
            conn.send(tenon::TEXT, b"x", 0).expect("room");
            named(conn.output(1, |_| 1000))
        }),
        ("opcode that is none", "ARG", || named(open_server().send(7, b"x", 0))),
        ("text that is not UTF-8", "UTF8", || named(open_server().send(tenon::TEXT, b"\xff", 0))),
        ("ping too long", "CONTROL_SIZE", || named(open_server().ping(&[0; 126]))),
        ("close code that must not be sent", "CODE", || named(open_server().close(1006, b""))),
        ("close reason too long", "CONTROL_SIZE", || named(open_server().close(1000, &[b'x'; 124]))),
        ("answer without a request", "STATE", || named(open_server().accept(&Answer::default()))),
        ("answer of another size", "SIZE",
            || raw(|conn| unsafe { tenon_accept(conn, &tenon_answer { size: 8, ..tenon_answer::zeroed() }) })),
        ("subprotocol not offered", "SUBPROTOCOL",
            || named(asked().accept(&Answer { subprotocol: Some(b"chat"), ..Default::default() }))),
        ("field with a line end", "HEADER", || header(b"A", b"b\r\nC: d")),
        ("field with a NUL", "HEADER", || header(b"A", b"b\0c")),
        ("field without a name", "HEADER", || header(b"", b"b")),
        ("status that refuses nothing", "STATUS",
            || named(asked().reject(&Refusal { status: 101, ..Default::default() }))),
        ("URI of another scheme", "URI", || named(tenon::uri_parse("ftp://a/"))),
        ("URI that is empty", "URI", || named(tenon::uri_parse(""))),
        ("URI with a NUL", "URI", || named(tenon::uri_parse("ws://a/\0b"))),
        ("request with a NUL", "ARG", || ask(Settings::client(), b"ws://a/\0b")),
        ("request by a server", "STATE", || ask(Settings::server(), b"ws://a/")),
        ("input after the end", "STATE", || named(ended().recv(vec![1]))),
        ("send after the end", "STATE", || named(ended().send(tenon::TEXT, b"x", 0))),
        ("pump with a buffer of no octets", "NULL", || pump_of_size(std::mem::size_of::<tenon_io>())),
        ("a second buffer for the pump", "BUSY", || {
            let mut conn = open_server();
            conn.set_pump_buffer(100).expect("the first one");
            named(conn.set_pump_buffer(100))
        }),
    ]
}

/// A panic of a handler comes out of run, and the connection goes on.
fn panic_through_run() -> bool {
    let mut conn = open_server();
    conn.recv(b"\x81\x81\0\0\0\0a".to_vec()).expect("input");
    let caught = catch_unwind(AssertUnwindSafe(|| conn.run(|_| panic!("of the handler"))));
    conn.send(tenon::TEXT, b"b", 0).expect("room");
    caught.is_err() && conn.take_output() == Ok(b"\x81\x01b".to_vec())
}

/// A size of 0 beside a pointer means NUL: an empty slice must not be read from.
fn empty_value() -> bool {
    let mut conn = asked();
    conn.accept(&Answer { headers: &[(b"X-Empty", &[])], ..Default::default() }).expect("an answer");
    let output = conn.take_output().expect("output");
    output.ends_with(b"\r\nX-Empty: \r\n\r\n")
}

fn main() {
    std::panic::set_hook(Box::new(|_| {})); // those here are meant
    let mut failed = false;
    let mut tell = |good: bool, text: String| {
        println!("{} rust, {}", if good { "OK" } else { "FAIL" }, text);
        failed |= !good;
    };
    for (what, wanted, call) in memory_and_configs().into_iter().chain(calls()) {
        let got = call().err().unwrap_or_else(|| "nothing".into());
        tell(got == format!("TENON_ERR_{}", wanted), format!("{}: {}", what, got));
    }
    tell(panic_through_run(), "panic through run".into());
    tell(empty_value(), "empty value".into());
    std::process::exit(i32::from(failed));
}
