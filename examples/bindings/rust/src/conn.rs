// SPDX-License-Identifier: MIT
//! One connection.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io::IoSlice;
use std::mem::size_of;
use std::os::raw::{c_char, c_int, c_void};
use std::ptr;
use std::rc::Rc;

use crate::config::Config;
use crate::event::Event;
use crate::handshake::{Answer, Borrowed, Head, Refusal, Request};
use crate::memory::{self, Block, Headers, Lent, Pinned, Text};
use crate::numbers::*;
use crate::sys;
use crate::{check, Error};

const PIECES_MAX: usize = 16;

/// What the library reads from until RELEASED; kept, and not looked at here.
#[allow(dead_code)]
enum Reference {
    Octets(Rc<[u8]>),
    Prepared(Rc<Prepared>),
}

/// A message checked once and sent on many connections.
pub struct Prepared {
    raw: sys::tenon_prepared,
    _data: Rc<[u8]>,
}

impl Prepared {
    pub fn new(opcode: u8, data: Rc<[u8]>, flags: u32) -> Result<Rc<Prepared>, Error> {
        let mut raw = sys::tenon_prepared::zeroed();
        let at = data.as_ptr() as *const c_void;
        let size = size_of::<sys::tenon_prepared>();
        check(unsafe { sys::tenon_prepare(&mut raw, size, c_int::from(opcode), at, data.len(), flags) })?;
        Ok(Rc::new(Prepared { raw, _data: data }))
    }
}

/// A connection, with all the memory that it needs.
///
/// Calls that send, answer or look take `&self`, so that they can be made while an event is
/// held; those that drive it on or change its buffers take `&mut self`, so that they cannot.
pub struct Conn {
    raw: *mut sys::tenon_conn,
    /// A call that may draw random octets is on its way: their source must not make another.
    inside: Cell<bool>,
    references: RefCell<HashMap<usize, (Reference, u64)>>,
    released: Cell<u64>,
    cookies: Cell<usize>,
    request: RefCell<Option<Pinned<Borrowed>>>,
    lent: Option<Lent>,
    rx: Block,
    tx: RefCell<Block>,
    deflate: RefCell<Block>,
    inflate: Block,
    stats: Option<Pinned<sys::tenon_stats>>,
    pub(crate) pump_buffer: Block,
    _storage: Block,
    config: Rc<Config>,
}

impl Conn {
    /// With buffers of that many octets; 0 for none.
    pub fn new(config: &Rc<Config>, rx: usize, tx: usize) -> Result<Conn, Error> {
        let storage = Block::new(STORAGE_SIZE);
        let mut raw = ptr::null_mut();
        check(unsafe { sys::tenon_init(storage.pointer(), STORAGE_SIZE, config.pointer(), &mut raw) })?;
        let mut conn = Conn {
            raw,
            inside: Cell::new(false),
            references: RefCell::new(HashMap::new()),
            released: Cell::new(0),
            cookies: Cell::new(0),
            request: RefCell::new(None),
            lent: None,
            rx: Block::new(0),
            tx: RefCell::new(Block::new(0)),
            deflate: RefCell::new(Block::new(0)),
            inflate: Block::new(0),
            stats: None,
            pump_buffer: Block::new(0),
            _storage: storage,
            config: Rc::clone(config),
        };
        conn.lend(rx, tx)?;
        Ok(conn)
    }

    pub(crate) fn pointer(&self) -> *mut sys::tenon_conn {
        self.raw
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    fn call(&self, function: impl FnOnce(*mut sys::tenon_conn) -> c_int) -> Result<c_int, Error> {
        if self.inside.replace(true) {
            return Err(Error::REENTRY);
        }
        let status = function(self.raw);
        self.inside.set(false);
        check(status)
    }

    // ---------------------------------------------------------------- memory

    pub fn lend(&mut self, rx: usize, tx: usize) -> Result<(), Error> {
        let (rx, tx) = (Block::new(rx), Block::new(tx));
        check(unsafe { sys::tenon_lend(self.raw, rx.pointer(), rx.size(), tx.pointer(), tx.size()) })?;
        self.rx = rx;
        self.tx.replace(tx);
        Ok(())
    }

    pub fn lend_rx(&mut self, size: usize) -> Result<(), Error> {
        let rx = Block::new(size);
        check(unsafe { sys::tenon_lend_rx(self.raw, rx.pointer(), size) })?;
        self.rx = rx;
        Ok(())
    }

    /// No slice that is shown outside `output` lies in tx, so it may change under an event;
    /// so may the block to compress.
    pub fn lend_tx(&self, size: usize) -> Result<(), Error> {
        let tx = Block::new(size);
        self.call(|conn| unsafe { sys::tenon_lend_tx(conn, tx.pointer(), size) })?;
        self.tx.replace(tx);
        Ok(())
    }

    pub fn lend_deflate(&self, size: usize) -> Result<(), Error> {
        let block = Block::new(size);
        self.call(|conn| unsafe { sys::tenon_lend_deflate(conn, block.pointer(), size) })?;
        self.deflate.replace(block);
        Ok(())
    }

    pub fn lend_inflate(&mut self, size: usize) -> Result<(), Error> {
        let block = Block::new(size);
        check(unsafe { sys::tenon_lend_inflate(self.raw, block.pointer(), size) })?;
        self.inflate = block;
        Ok(())
    }

    /// Gives what the connection asks for, of the size that it names; whether it did.
    pub fn lend_wanted(&mut self) -> Result<bool, Error> {
        let wants = self.wants();
        if wants & WANTS_RX != 0 && self.rx_needed() > self.rx.size() {
            self.lend_rx(self.rx_needed())?;
            return Ok(true);
        }
        if wants & WANTS_INFLATE != 0 {
            self.lend_inflate(self.inflate_size())?;
        }
        if wants & WANTS_DEFLATE != 0 {
            self.lend_deflate(self.deflate_size())?;
        }
        Ok(wants & (WANTS_INFLATE | WANTS_DEFLATE) != 0)
    }

    pub fn rx_size(&self) -> usize {
        self.rx.size()
    }

    pub fn rx_needed(&self) -> usize {
        unsafe { sys::tenon_rx_needed(self.raw) }
    }

    pub fn deflate_size(&self) -> usize {
        unsafe { sys::tenon_deflate_size(self.raw) }
    }

    pub fn inflate_size(&self) -> usize {
        unsafe { sys::tenon_inflate_size(self.raw) }
    }

    /// Counts from now on.
    pub fn count(&mut self) -> Result<(), Error> {
        let mut raw = sys::tenon_stats::zeroed();
        raw.size = size_of::<sys::tenon_stats>() as u32;
        let stats = Pinned::new(raw);
        check(unsafe { sys::tenon_lend_stats(self.raw, stats.pointer()) })?;
        self.stats = Some(stats);
        Ok(())
    }

    pub fn stats(&self) -> Option<sys::tenon_stats> {
        self.stats.as_ref().map(|stats| unsafe { ptr::read(stats.pointer()) })
    }

    // ----------------------------------------------------------------- state

    pub fn state(&self) -> i32 {
        unsafe { sys::tenon_state(self.raw) }
    }

    pub fn wants(&self) -> u32 {
        unsafe { sys::tenon_wants(self.raw) }
    }

    pub fn queued(&self) -> u64 {
        unsafe { sys::tenon_queued(self.raw) }
    }

    /// In milliseconds of the clock of tick.
    pub fn deadline(&self) -> Option<u64> {
        match unsafe { sys::tenon_deadline(self.raw) } {
            NEVER => None,
            at => Some(at),
        }
    }

    pub fn tick(&mut self, now_ms: u64) -> Result<(), Error> {
        self.call(|conn| unsafe { sys::tenon_tick(conn, now_ms) }).map(drop)
    }

    /// What was agreed on of permessage-deflate.
    pub fn agreed(&self) -> Result<sys::tenon_agreed, Error> {
        let mut agreed = sys::tenon_agreed::zeroed();
        agreed.size = size_of::<sys::tenon_agreed>() as u32;
        check(unsafe { sys::tenon_deflate_get(self.raw, &mut agreed) })?;
        Ok(agreed)
    }

    /// Puts an agreement into force on a connection that starts open.
    pub fn agree(&mut self, out_bits: u8, in_bits: u8, flags: u8) -> Result<(), Error> {
        let size = size_of::<sys::tenon_agreed>() as u32;
        let agreed = sys::tenon_agreed { size, on: 1, out_bits, in_bits, flags };
        self.call(|conn| unsafe { sys::tenon_deflate_set(conn, &agreed) }).map(drop)
    }

    // ----------------------------------------------------------------- input

    /// Received octets, which are unmasked where they are.
    pub fn recv(&mut self, octets: Vec<u8>) -> Result<(), Error> {
        let lent = Lent::new(octets);
        check(unsafe { sys::tenon_recv(self.raw, lent.pointer(), lent.size()) })?;
        self.keep(lent);
        Ok(())
    }

    /// Received octets, which the library leaves as they are.
    pub fn recv_const(&mut self, octets: Vec<u8>) -> Result<(), Error> {
        let lent = Lent::new(octets);
        check(unsafe { sys::tenon_recv_const(self.raw, lent.pointer(), lent.size()) })?;
        self.keep(lent);
        Ok(())
    }

    /// No octets end no lend.
    fn keep(&mut self, lent: Lent) {
        if lent.size() > 0 {
            self.lent = Some(lent);
        }
    }

    /// Ends the lend: all of its octets as they are now, and how many at their end were not
    /// used. The capacity can serve the next read.
    pub fn unlend(&mut self) -> Result<(Vec<u8>, usize), Error> {
        let (mut rest, mut n) = (ptr::null(), 0);
        check(unsafe { sys::tenon_unlend(self.raw, &mut rest, &mut n) })?;
        let octets = self.lent.take().map_or(Vec::new(), Lent::into_vec);
        // What waits from a pump lies in a buffer of its own, and stays with it.
        if n <= octets.len() && octets[octets.len() - n..].as_ptr() as *const c_void == rest || n == 0 {
            return Ok((octets, n));
        }
        let waiting = unsafe { std::slice::from_raw_parts(rest as *const u8, n) }.to_vec();
        Ok((waiting, n))
    }

    pub fn eof(&mut self) -> Result<(), Error> {
        self.call(|conn| unsafe { sys::tenon_eof(conn) }).map(drop)
    }

    pub fn shut(&self) -> Result<(), Error> {
        self.call(|conn| unsafe { sys::tenon_shut(conn) }).map(drop)
    }

    /// LOCAL: because this side wants it; REMOTE: because the transport is gone.
    pub fn abort(&self, cause: i32) -> Result<(), Error> {
        self.call(|conn| unsafe { sys::tenon_abort(conn, cause) }).map(drop)
    }

    // ---------------------------------------------------------------- events

    /// The next event, or None.
    #[allow(clippy::should_implement_trait)] // an Iterator could not lend its items
    pub fn next(&mut self) -> Result<Option<Event<'_>>, Error> {
        let mut raw = sys::tenon_event::zeroed();
        let status = check(unsafe { sys::tenon_next(self.raw, &mut raw) })?;
        if status != EVENT {
            return Ok(None);
        }
        Ok(Some(unsafe { Event::new(self, &raw) }))
    }

    /// What an event means for what is lent; the cookie that the program gave.
    pub(crate) fn told(&self, raw: &sys::tenon_event) -> u64 {
        if matches!(raw.type_, EV_OPEN | EV_RESPONSE | EV_CLOSED) {
            self.request.replace(None);
        }
        if raw.type_ != EV_RELEASED {
            return 0;
        }
        if let Some((_, cookie)) = self.references.borrow_mut().remove(&(raw.cookie as usize)) {
            self.released.set(cookie); // it may be told again
        }
        self.released.get()
    }

    // ---------------------------------------------------------------- output

    /// Shows up to `most` pieces of what is to be sent to `take`, which says how many octets
    /// of them the transport took. 0 without calling it if there is nothing.
    pub fn output(&mut self, most: usize, take: impl FnOnce(&[IoSlice<'_>]) -> usize) -> Result<usize, Error> {
        let mut raw = [sys::tenon_iov { base: ptr::null(), size: 0 }; PIECES_MAX];
        let mut count = 0;
        check(unsafe { sys::tenon_out(self.raw, raw.as_mut_ptr(), most.min(PIECES_MAX), &mut count) })?;
        if count == 0 {
            return Ok(0);
        }
        let pieces = unsafe { slices(&raw[..count]) };
        let taken = take(&pieces);
        check(unsafe { sys::tenon_sent(self.raw, taken) })?;
        Ok(taken)
    }

    /// All that is to be sent, as sent.
    pub fn take_output(&mut self) -> Result<Vec<u8>, Error> {
        let mut all = Vec::new();
        loop {
            let before = all.len();
            self.output(PIECES_MAX, |pieces| {
                pieces.iter().for_each(|piece| all.extend_from_slice(piece));
                all.len() - before
            })?;
            if all.len() == before {
                return Ok(all);
            }
        }
    }

    /// A whole message, copied.
    pub fn send(&self, opcode: u8, data: &[u8], flags: u32) -> Result<(), Error> {
        let (at, n) = (data.as_ptr() as *const c_void, data.len());
        self.call(|conn| unsafe { sys::tenon_send(conn, c_int::from(opcode), at, n, flags) }).map(drop)
    }

    /// The next piece of a message.
    pub fn send_part(&self, opcode: u8, data: &[u8], flags: u32) -> Result<(), Error> {
        let (at, n) = (data.as_ptr() as *const c_void, data.len());
        self.call(|conn| unsafe { sys::tenon_send_part(conn, c_int::from(opcode), at, n, flags) }).map(drop)
    }

    /// A whole message without a copy; RELEASED has the cookie.
    pub fn send_ref(&self, opcode: u8, data: Rc<[u8]>, flags: u32, cookie: u64) -> Result<(), Error> {
        let (at, n) = (data.as_ptr() as *const c_void, data.len());
        self.lend_out(Some(Reference::Octets(data)), cookie, |conn, key| unsafe {
            sys::tenon_send_ref(conn, c_int::from(opcode), at, n, flags, key)
        })
    }

    /// Like send_ref, or with COPY like send.
    pub fn send_prepared(&self, prepared: &Rc<Prepared>, flags: u32, cookie: u64) -> Result<(), Error> {
        let lent = if flags & COPY == 0 { Some(Reference::Prepared(Rc::clone(prepared))) } else { None };
        self.lend_out(lent, cookie, |conn, key| unsafe {
            sys::tenon_send_prepared(conn, &prepared.raw, flags, key)
        })
    }

    /// Keeps what is lent, if it was taken on, until RELEASED.
    fn lend_out(
        &self,
        lent: Option<Reference>,
        cookie: u64,
        function: impl FnOnce(*mut sys::tenon_conn, *mut c_void) -> c_int,
    ) -> Result<(), Error> {
        let key = self.cookies.get() + 1;
        self.cookies.set(key);
        self.call(|conn| function(conn, key as *mut c_void))?;
        if let Some(lent) = lent {
            self.references.borrow_mut().insert(key, (lent, cookie));
        }
        Ok(())
    }

    pub fn ping(&self, data: &[u8]) -> Result<(), Error> {
        let (at, n) = (data.as_ptr() as *const c_void, data.len());
        self.call(|conn| unsafe { sys::tenon_ping(conn, at, n) }).map(drop)
    }

    pub fn pong(&self, data: &[u8]) -> Result<(), Error> {
        let (at, n) = (data.as_ptr() as *const c_void, data.len());
        self.call(|conn| unsafe { sys::tenon_pong(conn, at, n) }).map(drop)
    }

    pub fn close(&self, code: u16, reason: &[u8]) -> Result<(), Error> {
        let at = if reason.is_empty() { ptr::null() } else { reason.as_ptr() as *const c_char };
        self.call(|conn| unsafe { sys::tenon_close(conn, c_int::from(code), at, reason.len()) }).map(drop)
    }

    pub fn grant(&self, rsv_first: u32, rsv_next: u32, flags: u32) -> Result<(), Error> {
        self.call(|conn| unsafe { sys::tenon_grant(conn, rsv_first, rsv_next, flags) }).map(drop)
    }

    // ------------------------------------------------------------- handshake

    /// The head that is readable now.
    pub fn head(&self) -> Result<Head<'_>, Error> {
        let mut raw = sys::tenon_head::zeroed();
        check(unsafe { sys::tenon_head_get(self.raw, &mut raw) })?;
        Ok(unsafe { Head::new(self, raw) })
    }

    pub fn accept(&self, answer: &Answer<'_>) -> Result<(), Error> {
        let (subprotocol, extensions) = (answer.subprotocol.map(Text::new), answer.extensions.map(Text::new));
        let headers = Headers::new(answer.headers);
        let mut raw = sys::tenon_answer::zeroed();
        raw.size = size_of::<sys::tenon_answer>() as u32;
        raw.subprotocol = memory::pointer_of(&subprotocol);
        raw.subprotocol_size = memory::size_of(&subprotocol);
        raw.extensions = memory::pointer_of(&extensions);
        raw.extensions_size = memory::size_of(&extensions);
        raw.headers = headers.pointer();
        raw.header_count = headers.count();
        self.call(|conn| unsafe { sys::tenon_accept(conn, &raw) }).map(drop)
    }

    pub fn reject(&self, refusal: &Refusal<'_>) -> Result<(), Error> {
        let reason = refusal.reason.map(Text::new);
        let headers = Headers::new(refusal.headers);
        let body: Rc<[u8]> = Rc::from(refusal.body);
        let mut raw = sys::tenon_refusal::zeroed();
        raw.size = size_of::<sys::tenon_refusal>() as u32;
        raw.status = refusal.status;
        raw.reason = memory::pointer_of(&reason);
        raw.reason_size = memory::size_of(&reason);
        raw.headers = headers.pointer();
        raw.header_count = headers.count();
        raw.body = body.as_ptr() as *const c_void;
        raw.body_size = body.len();
        raw.flags = refusal.flags;
        let is_lent = refusal.flags & COPY == 0 && !body.is_empty();
        let lent = if is_lent { Some(Reference::Octets(body)) } else { None };
        self.lend_out(lent, refusal.cookie, |conn, key| unsafe {
            raw.cookie = key;
            sys::tenon_reject(conn, &raw)
        })
    }

    pub fn connect(&self, request: &Request<'_>) -> Result<(), Error> {
        let borrowed = Pinned::new(Borrowed::new(request)?);
        self.call(|conn| unsafe { sys::tenon_connect(conn, &(*borrowed.pointer()).raw) })?;
        self.request.replace(Some(borrowed));
        Ok(())
    }
}

/// raw must hold pieces that the library offers now.
pub(crate) unsafe fn slices<'a>(raw: &[sys::tenon_iov]) -> Vec<IoSlice<'a>> {
    raw.iter().map(|piece| IoSlice::new(std::slice::from_raw_parts(piece.base as *const u8, piece.size))).collect()
}
