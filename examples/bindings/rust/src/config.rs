// SPDX-License-Identifier: MIT
//! What connections have in common.

use std::cell::RefCell;
use std::os::raw::{c_int, c_void};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::rc::Rc;

use crate::memory::Pinned;
use crate::numbers::*;
use crate::sys;
use crate::{check, Error};

type Source = RefCell<Box<dyn FnMut(&mut [u8]) -> bool>>;

enum Start {
    Server,
    Client,
    Open(i32),
}

/// Limits and flags of a connection; 0 is the documented default.
pub struct Settings {
    start: Start,
    source: Option<Box<dyn FnMut(&mut [u8]) -> bool>>,
    deflate: Option<Deflate>,
    pub flags: u32,
    pub max_head: u32,
    pub max_target: u32,
    pub max_headers: u32,
    pub max_message: u64,
    pub max_fragments: u32,
    pub max_control: u32,
    pub max_frame_out: u32,
    pub handshake_ms: u32,
    pub idle_ms: u32,
    pub ping_ms: u32,
    pub pong_ms: u32,
    pub close_ms: u32,
    pub stall_ms: u32,
}

/// What to agree on of permessage-deflate.
#[derive(Clone, Copy, Default)]
pub struct Deflate {
    pub flags: u32,
    pub threshold: u32,
    pub out_bits: u8,
    pub in_bits: u8,
    pub level: u8,
    pub memory_level: u8,
}

/// Finished settings, for any number of connections of a thread.
pub struct Config {
    raw: Pinned<sys::tenon_config>,
    _source: Option<Pinned<Source>>,
    _deflate: Option<Pinned<sys::tenon_deflate>>,
}

impl Settings {
    /// The upgrade of HTTP/1.1, from the server's side.
    pub fn server() -> Settings {
        Settings::begin(Start::Server)
    }

    /// And from the client's; keys come from the system.
    pub fn client() -> Settings {
        Settings::begin(Start::Client).random(system_random)
    }

    /// For a stream that was upgraded elsewhere: SERVER or CLIENT.
    pub fn open(role: i32) -> Settings {
        Settings::begin(Start::Open(role)).random(system_random)
    }

    fn begin(start: Start) -> Settings {
        Settings {
            start,
            source: None,
            deflate: None,
            flags: 0,
            max_head: 0,
            max_target: 0,
            max_headers: 0,
            max_message: 0,
            max_fragments: 0,
            max_control: 0,
            max_frame_out: 0,
            handshake_ms: 0,
            idle_ms: 0,
            ping_ms: 0,
            pong_ms: 0,
            close_ms: 0,
            stall_ms: 0,
        }
    }

    /// Another source of random octets; false: it has none.
    pub fn random(mut self, source: impl FnMut(&mut [u8]) -> bool + 'static) -> Settings {
        self.source = Some(Box::new(source));
        self
    }

    pub fn without_random(mut self) -> Settings {
        self.source = None;
        self
    }

    /// permessage-deflate over zlib.
    #[cfg(feature = "zlib")]
    pub fn deflate(mut self, deflate: Deflate) -> Settings {
        self.deflate = Some(deflate);
        self
    }

    pub fn build(self) -> Result<Rc<Config>, Error> {
        crate::check_library()?;
        let raw = Pinned::new(sys::tenon_config::zeroed());
        let size = std::mem::size_of::<sys::tenon_config>();
        check(unsafe {
            match self.start {
                Start::Server => sys::tenon_config_server(raw.pointer(), size),
                Start::Client => sys::tenon_config_client(raw.pointer(), size),
                Start::Open(role) => sys::tenon_config_open(raw.pointer(), size, role),
            }
        })?;
        let config = unsafe { &mut *raw.pointer() };
        self.fill(config);
        let source = self.source.map(|source| Pinned::new(RefCell::new(source)));
        if let Some(source) = &source {
            config.random = Some(fill_random);
            config.random_user = source.pointer() as *mut c_void;
        }
        let deflate = make_deflate(self.deflate);
        if let Some(deflate) = &deflate {
            check(unsafe { sys::tenon_config_deflate(config, deflate.pointer()) })?;
        }
        Ok(Rc::new(Config { raw, _source: source, _deflate: deflate }))
    }

    fn fill(&self, config: &mut sys::tenon_config) {
        config.flags = self.flags;
        config.max_head = self.max_head;
        config.max_target = self.max_target;
        config.max_headers = self.max_headers;
        config.max_message = self.max_message;
        config.max_fragments = self.max_fragments;
        config.max_control = self.max_control;
        config.max_frame_out = self.max_frame_out;
        config.handshake_ms = self.handshake_ms;
        config.idle_ms = self.idle_ms;
        config.ping_ms = self.ping_ms;
        config.pong_ms = self.pong_ms;
        config.close_ms = self.close_ms;
        config.stall_ms = self.stall_ms;
    }
}

impl Config {
    pub(crate) fn pointer(&self) -> *const sys::tenon_config {
        self.raw.pointer()
    }

    /// SERVER or CLIENT.
    pub fn role(&self) -> i32 {
        unsafe { (*self.raw.pointer()).role as i32 }
    }

    /// CHUNKS and the like.
    pub fn flags(&self) -> u32 {
        unsafe { (*self.raw.pointer()).flags }
    }
}

#[cfg(feature = "zlib")]
#[allow(unused_unsafe)] // an address of a static of C: older compilers ask for it
fn make_deflate(settings: Option<Deflate>) -> Option<Pinned<sys::tenon_deflate>> {
    let settings = settings?;
    let mut raw = sys::tenon_deflate::zeroed();
    raw.size = std::mem::size_of::<sys::tenon_deflate>() as u32;
    raw.flags = settings.flags;
    raw.codec = unsafe { std::ptr::addr_of!(sys::tenon_zlib) };
    raw.threshold = settings.threshold;
    raw.out_bits = settings.out_bits;
    raw.in_bits = settings.in_bits;
    raw.level = settings.level;
    raw.memory_level = settings.memory_level;
    Some(Pinned::new(raw))
}

#[cfg(not(feature = "zlib"))]
fn make_deflate(_settings: Option<Deflate>) -> Option<Pinned<sys::tenon_deflate>> {
    None
}

/// A source that panics or asks for octets of itself has none: the connection ends.
unsafe extern "C" fn fill_random(user: *mut c_void, out: *mut c_void, n: usize) -> c_int {
    let source = &*(user as *const Source);
    let filled = catch_unwind(AssertUnwindSafe(|| match source.try_borrow_mut() {
        Ok(mut source) => {
            std::ptr::write_bytes(out as *mut u8, 0, n);
            source(std::slice::from_raw_parts_mut(out as *mut u8, n))
        }
        Err(_) => false,
    }));
    if filled.unwrap_or(false) {
        OK
    } else {
        1
    }
}

/// The system's own, which cannot be foreseen (RFC 6455, 10.3).
pub fn system_random(out: &mut [u8]) -> bool {
    use std::io::Read;
    std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(out)).is_ok()
}
