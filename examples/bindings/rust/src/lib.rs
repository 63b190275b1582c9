// SPDX-License-Identifier: MIT
//! tenon from Rust: the WebSocket protocol without the socket.
//!
//! A [`Conn`] owns its storage, its buffers and all that it has been lent. An [`Event`]
//! borrows it, and with it the slices that the event shows: while one is held, nothing can
//! be called that would move or overwrite them. What may be called then (sends, answers, the
//! state) is there through [`Event::conn`].
//!
//! ```no_run
//! # fn main() -> Result<(), tenon::Error> {
//! let config = tenon::Settings::server().build()?;
//! let mut conn = tenon::Conn::new(&config, 65536, 65536)?;
//! conn.recv(b"octets of the transport".to_vec())?;
//! while let Some(event) = conn.next()? {
//!     match event.kind() {
//!         tenon::Kind::Request => event.conn().accept(&tenon::Answer::default())?,
//!         tenon::Kind::Data => event.conn().send(event.opcode(), event.octets(), 0)?,
//!         _ => {}
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod config;
mod conn;
mod event;
mod frame;
mod handshake;
mod memory;
pub mod numbers;
mod run;
pub mod sys;

use std::ffi::CStr;
use std::fmt;
use std::os::raw::{c_char, c_int};
use std::sync::atomic::{AtomicU8, Ordering};

pub use config::{system_random, Config, Deflate, Settings};
pub use conn::{Conn, Prepared};
pub use event::{Event, Kind};
pub use frame::{frame_decode, frame_encode, mask, uri_parse, Frame, Uri};
pub use handshake::{Answer, Head, Refusal, Request};
pub use numbers::*;
pub use run::{Progress, Transport, Verdict};
pub use sys::{tenon_agreed as Agreed, tenon_stats as Stats};

/// A call that was refused, and has changed nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Error(pub(crate) i32);

impl Error {
    /// One of the TENON_ERR_ values.
    pub fn status(self) -> i32 {
        self.0
    }
}

impl fmt::Display for Error {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(status_name(self.0))
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(status_name(self.0))
    }
}

impl std::error::Error for Error {}

pub(crate) fn check(status: c_int) -> Result<c_int, Error> {
    if status < 0 {
        Err(Error(status))
    } else {
        Ok(status)
    }
}

/// Names of the library live as long as it does, and are ASCII.
fn name(text: *const c_char) -> &'static str {
    unsafe { CStr::from_ptr(text) }.to_str().unwrap_or("")
}

pub fn status_name(status: i32) -> &'static str {
    name(unsafe { sys::tenon_status_name(status) })
}

pub fn state_name(state: i32) -> &'static str {
    name(unsafe { sys::tenon_state_name(state) })
}

pub fn event_name(kind: u16) -> &'static str {
    name(unsafe { sys::tenon_event_name(c_int::from(kind)) })
}

pub fn close_name(code: u16) -> &'static str {
    name(unsafe { sys::tenon_close_name(c_int::from(code)) })
}

pub fn rule_name(rule: u16) -> &'static str {
    name(unsafe { sys::tenon_rule_name(c_int::from(rule)) })
}

pub fn rule_text(rule: u16) -> &'static str {
    name(unsafe { sys::tenon_rule_text(c_int::from(rule)) })
}

pub fn rule_section(rule: u16) -> &'static str {
    name(unsafe { sys::tenon_rule_section(c_int::from(rule)) })
}

/// Whether this is the library that the declarations are for; ERR_SIZE if not. Asked once.
pub fn check_library() -> Result<(), Error> {
    static FOUND: AtomicU8 = AtomicU8::new(0);
    if FOUND.load(Ordering::Acquire) == 0 {
        FOUND.store(if is_known_library() { 1 } else { 2 }, Ordering::Release);
    }
    if FOUND.load(Ordering::Acquire) == 1 {
        Ok(())
    } else {
        Err(Error::SIZE)
    }
}

/// Its version, the sizes that it tells, and the last event of a connection that ends at
/// once: that shows that the fields are where they are thought to be.
fn is_known_library() -> bool {
    let mut config = sys::tenon_config::zeroed();
    let mut event = sys::tenon_event::zeroed();
    let storage = memory::Block::new(STORAGE_SIZE);
    let size = std::mem::size_of::<sys::tenon_config>();
    let mut conn = std::ptr::null_mut();
    unsafe {
        if sys::tenon_version() >> 8 != 1 || sys::tenon_conn_size() > STORAGE_SIZE {
            return false;
        }
        if sys::tenon_config_open(&mut config, size, SERVER) != OK || config.size as usize != size {
            return false;
        }
        sys::tenon_init(storage.pointer(), STORAGE_SIZE, &config, &mut conn) == OK
            && sys::tenon_abort(conn, REMOTE) == OK
            && sys::tenon_next(conn, &mut event) == EVENT
            && (event.type_, event.code, event.rule) == (EV_CLOSED, CLOSE_ABNORMAL, RULE_ABORT)
            && i32::from(event.cause) == REMOTE
            && event.data.is_null()
            && sys::tenon_wants(conn) == WANTS_CLOSE
    }
}
