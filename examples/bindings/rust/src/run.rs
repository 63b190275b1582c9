// SPDX-License-Identifier: MIT
//! The loops that call back: tenon_run and tenon_pump. A panic of a callback cannot pass
//! through C: it waits until the loop has returned.

use std::any::Any;
use std::io::{self, ErrorKind, IoSlice};
use std::mem::size_of;
use std::os::raw::{c_int, c_void};
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};

use crate::conn::{slices, Conn};
use crate::event::Event;
use crate::memory::Block;
use crate::numbers::*;
use crate::sys;
use crate::{check, Error};

const READ_SIZE: usize = 16384;

/// What a handler of events answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    Continue = 0,
    Stop = 1,
    /// The same event comes again.
    Again = 2,
}

/// How far a loop has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// There is nothing to do until the transport or the clock has something new.
    Idle,
    /// The transport may hold more.
    More,
    Stopped,
    /// CLOSED was told.
    Done,
}

/// The octets of a connection, and its clock. WouldBlock and Interrupted stand for "not
/// now", 0 octets read for the end.
pub trait Transport {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize>;
    fn write(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize>;
    fn now_ms(&mut self) -> u64;
    /// Shuts the sending side.
    fn shut(&mut self) {}
}

struct Context<'t, H> {
    conn: *const Conn,
    handler: H,
    transport: Option<&'t mut dyn Transport>,
    panic: Option<Box<dyn Any + Send>>,
}

impl<H> Context<'_, H> {
    fn guarded<T>(&mut self, otherwise: T, work: impl FnOnce(&mut Self) -> T) -> T {
        match catch_unwind(AssertUnwindSafe(|| work(self))) {
            Ok(value) => value,
            Err(panic) => {
                self.panic.get_or_insert(panic);
                otherwise
            }
        }
    }

    fn transport(&mut self, work: impl FnOnce(&mut dyn Transport) -> c_int) -> c_int {
        self.guarded(Error::IO.0, |context| match context.transport.as_deref_mut() {
            Some(transport) => work(transport),
            None => Error::IO.0,
        })
    }

    fn finish(self, status: c_int) -> Result<Progress, Error> {
        if let Some(panic) = self.panic {
            resume_unwind(panic);
        }
        Ok(match check(status)? {
            STOPPED => Progress::Stopped,
            DONE => Progress::Done,
            MORE => Progress::More,
            _ => Progress::Idle,
        })
    }
}

fn status_of(result: io::Result<usize>, count: &mut usize, nothing: c_int) -> c_int {
    match result {
        Ok(0) => nothing,
        Ok(n) => {
            *count = n;
            OK
        }
        Err(problem) if matches!(problem.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => WAIT,
        Err(_) => Error::IO.0,
    }
}

unsafe extern "C" fn on_event<H>(_conn: *mut sys::tenon_conn, event: *const sys::tenon_event, user: *mut c_void)
    -> c_int
where
    H: FnMut(Event<'_>) -> Verdict,
{
    let context = &mut *(user as *mut Context<'_, H>);
    context.guarded(Verdict::Stop as c_int, |context| {
        let event = Event::new(&*context.conn, &*event);
        (context.handler)(event) as c_int
    })
}

unsafe extern "C" fn on_recv<H>(user: *mut c_void, buf: *mut c_void, n: usize, got: *mut usize) -> c_int {
    let context = &mut *(user as *mut Context<'_, H>);
    context.transport(|transport| {
        let to = std::slice::from_raw_parts_mut(buf as *mut u8, n);
        status_of(transport.read(to), &mut *got, END)
    })
}

unsafe extern "C" fn on_send<H>(user: *mut c_void, iov: *const sys::tenon_iov, count: usize, put: *mut usize)
    -> c_int {
    let context = &mut *(user as *mut Context<'_, H>);
    context.transport(|transport| {
        let pieces = slices(std::slice::from_raw_parts(iov, count));
        status_of(transport.write(&pieces), &mut *put, WAIT)
    })
}

unsafe extern "C" fn on_now<H>(user: *mut c_void) -> u64 {
    let context = &mut *(user as *mut Context<'_, H>);
    context.guarded(0, |context| context.transport.as_deref_mut().map_or(0, |transport| transport.now_ms()))
}

unsafe extern "C" fn on_shut<H>(user: *mut c_void) {
    let context = &mut *(user as *mut Context<'_, H>);
    context.transport(|transport| {
        transport.shut();
        OK
    });
}

impl Conn {
    /// Hands out events until there is none.
    pub fn run<H>(&mut self, handler: H) -> Result<Progress, Error>
    where
        H: FnMut(Event<'_>) -> Verdict,
    {
        let raw = self.pointer();
        let mut context = Context { conn: self, handler, transport: None, panic: None };
        let status = unsafe { sys::tenon_run(raw, Some(on_event::<H>), &mut context as *mut _ as *mut c_void) };
        context.finish(status)
    }

    /// One turn: ticks, writes, hands out events, reads once. Call it when the transport is
    /// ready for what `wants` says, and at the deadline.
    pub fn pump<H>(&mut self, transport: &mut dyn Transport, handler: H) -> Result<Progress, Error>
    where
        H: FnMut(Event<'_>) -> Verdict,
    {
        if self.pump_buffer.size() == 0 {
            self.set_pump_buffer(READ_SIZE)?;
        }
        let raw = self.pointer();
        let (buf, buf_size) = (self.pump_buffer.pointer(), self.pump_buffer.size());
        let mut context = Context { conn: self, handler, transport: Some(transport), panic: None };
        let io = sys::tenon_io {
            size: size_of::<sys::tenon_io>(),
            recv: Some(on_recv::<H>),
            send: Some(on_send::<H>),
            now: Some(on_now::<H>),
            event: Some(on_event::<H>),
            user: &mut context as *mut _ as *mut c_void,
            buf,
            buf_size,
            shut: Some(on_shut::<H>),
        };
        let status = unsafe { sys::tenon_pump(raw, &io) };
        context.finish(status)
    }

    /// The size of the buffer that pump reads to; ERR_BUSY once it has one, for octets may
    /// wait there.
    pub fn set_pump_buffer(&mut self, size: usize) -> Result<(), Error> {
        if self.pump_buffer.size() > 0 {
            return Err(Error::BUSY);
        }
        self.pump_buffer = Block::new(size);
        Ok(())
    }
}
