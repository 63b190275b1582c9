// SPDX-License-Identifier: MIT
//! What tenon_next tells.

use std::os::raw::c_int;

use crate::conn::Conn;
use crate::sys;
use crate::{check, Error};

macro_rules! kinds {
    ($($name:ident = $number:expr),*) => {
        /// The TENON_EV_ of an event.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[non_exhaustive]
        pub enum Kind {
            $($name,)*
            Unknown,
        }

        impl From<u16> for Kind {
            fn from(number: u16) -> Kind {
                match number {
                    $($number => Kind::$name,)*
                    _ => Kind::Unknown,
                }
            }
        }
    };
}

kinds!(
    Request = 1, Response = 2, Open = 3, Data = 4, Body = 5, Ping = 6, Pong = 7, Close = 8, Writable = 9,
    Released = 10, Closed = 11
);

/// Valid until the next call that could end it; that is what its borrow says.
pub struct Event<'a> {
    conn: &'a Conn,
    raw: sys::tenon_event,
    cookie: u64,
}

impl<'a> Event<'a> {
    /// raw must be the current event of conn, which must not be driven on while 'a lasts.
    pub(crate) unsafe fn new(conn: &'a Conn, raw: &sys::tenon_event) -> Event<'a> {
        let cookie = conn.told(raw);
        Event { conn, raw: *raw, cookie }
    }

    /// For what may be called while an event is current.
    pub fn conn(&self) -> &'a Conn {
        self.conn
    }

    pub fn kind(&self) -> Kind {
        Kind::from(self.raw.type_)
    }

    /// The number of its kind: EV_DATA and the like.
    pub fn number(&self) -> u16 {
        self.raw.type_
    }

    pub fn flags(&self) -> u32 {
        u32::from(self.raw.flags)
    }

    pub fn has(&self, flag: u32) -> bool {
        self.flags() & flag != 0
    }

    pub fn opcode(&self) -> u8 {
        self.raw.opcode
    }

    /// LOCAL, REMOTE or 0.
    pub fn cause(&self) -> i32 {
        c_int::from(self.raw.cause)
    }

    pub fn rule(&self) -> u16 {
        self.raw.rule
    }

    pub fn code(&self) -> u16 {
        self.raw.code
    }

    pub fn sent_code(&self) -> u16 {
        self.raw.sent_code
    }

    pub fn received_code(&self) -> u16 {
        self.raw.received_code
    }

    pub fn offset(&self) -> u64 {
        self.raw.offset
    }

    pub fn frame_size(&self) -> u64 {
        self.raw.frame_size
    }

    pub fn rtt_ms(&self) -> u32 {
        self.raw.rtt_ms
    }

    /// RELEASED: as it was given.
    pub fn cookie(&self) -> u64 {
        self.cookie
    }

    /// None when the thing is absent, such as a subprotocol.
    pub fn data(&self) -> Option<&'a [u8]> {
        if self.raw.data.is_null() {
            return None;
        }
        Some(unsafe { std::slice::from_raw_parts(self.raw.data, self.raw.size) })
    }

    pub fn octets(&self) -> &'a [u8] {
        self.data().unwrap_or(&[])
    }

    /// The event comes again from the next call for one.
    pub fn again(self) -> Result<(), Error> {
        check(unsafe { sys::tenon_again(self.conn.pointer()) }).map(drop)
    }
}
