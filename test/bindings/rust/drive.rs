// SPDX-License-Identifier: MIT
//! One connection of the Rust binding through one case in one variant, as
//! test/transcript_drive.c does it in C.

use std::cell::RefCell;
use std::io::{self, ErrorKind, IoSlice};
use std::rc::Rc;

use crate::case::{Action, Case, Check, Step, Stream, What};
use crate::log::Log;
use tenon::{Answer, Conn, Error, Event, Kind, Progress, Refusal, Request, Transport, Verdict};

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Mode {
    Pull,
    Run,
    Pump,
}

/// How the input is cut. Octets(true): also takes output behind each event.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Cuts {
    Whole,
    Octets(bool),
    One(usize),
    Random(u64),
}

#[derive(Clone, Copy, Debug)]
pub struct Variant {
    pub role: i32,
    pub mode: Mode,
    pub constant: bool,
    pub cuts: Cuts,
}

type Outcome<T> = Result<T, String>;

fn judge(good: bool, why: impl FnOnce() -> String) -> Outcome<()> {
    if good {
        Ok(())
    } else {
        Err(why())
    }
}

fn refused(error: Error) -> String {
    format!("a call gave {}", error)
}

/// What the random source gave out.
#[derive(Default)]
struct Random {
    calls: usize,
    keys: Vec<[u8; 4]>,
}

impl Random {
    fn fill(&mut self, out: &mut [u8], fails: usize) -> bool {
        self.calls += 1;
        if self.calls == fails {
            return false;
        }
        if out.len() == 16 {
            (1..).zip(out).for_each(|(n, octet)| *octet = n);
            return true;
        }
        let key = (0x37fa_213du32 ^ (self.calls as u32).wrapping_mul(2_654_435_761)).to_be_bytes();
        self.keys.push(key);
        out.copy_from_slice(&key);
        true
    }
}

struct State<'c> {
    case: &'c Case,
    how: Variant,
    stream: &'c Stream,
    dice: u64,
    random: Rc<RefCell<Random>>,
    given: usize,
    limit: usize,
    nexts: usize,
    clock: u64,
    shuts: u32,
    eof_due: bool,
    eof_told: bool,
    blocked: bool,
    closed: bool,
    again: Option<String>,
    references: Vec<bool>, // by cookie: whether it is lent
    out: Vec<u8>,
    all_out: Vec<u8>,
    plain: Vec<u8>,
    unread: usize,
    keys_seen: usize,
    head_seen: bool,
    failed: Option<String>,
    log: Log<'c>,
}

struct Run<'c> {
    conn: Conn,
    state: RefCell<State<'c>>,
}

/// All that can be seen of an event.
fn picture(event: &Event<'_>) -> String {
    format!(
        "{:?} {:x} {} {} {} {} {} {} {} {} {} {} {:?}",
        event.kind(), event.flags(), event.opcode(), event.cause(), event.rule(), event.code(), event.sent_code(),
        event.received_code(), event.offset(), event.frame_size(), event.cookie(), event.rtt_ms(), event.data()
    )
}

impl<'c> State<'c> {
    /// Below sides; 0 where nothing is random.
    fn roll(&mut self, sides: u64) -> u64 {
        if !matches!(self.how.cuts, Cuts::Random(_)) {
            return 0;
        }
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        (self.dice >> 11) % sides
    }

    fn count_call(&mut self) -> Outcome<()> {
        self.nexts += 1;
        judge(self.nexts <= 12 * self.stream.octets.len() + 4000, || "no progress".into())
    }

    // ---------------------------------------------------------------- events

    fn take_event(&mut self, event: &Event<'_>) -> Outcome<Verdict> {
        judge(!self.closed, || format!("{:?} after CLOSED", event.kind()))?;
        if event.kind() == Kind::Closed {
            self.log.take(event)?;
            judge(!self.references.contains(&true), || "CLOSED before RELEASED".into())?;
            self.closed = true;
            return self.check_stats(event.conn()).map(|_| Verdict::Continue);
        }
        if self.wants_again(event)? {
            return Ok(Verdict::Again);
        }
        if event.kind() == Kind::Released {
            let lent = std::mem::replace(&mut self.references[event.cookie() as usize], false);
            judge(lent, || "RELEASED with a cookie that is not lent".into())?;
        }
        self.log.take(event)?;
        if event.kind() == Kind::Open && event.conn().deflate_size() > 0 {
            event.conn().lend_deflate(event.conn().deflate_size()).map_err(refused)?;
        }
        let case = self.case;
        for (_, action) in case.on.iter().filter(|(kind, _)| *kind == event.number()) {
            self.act(event.conn(), action, Some(event))?;
        }
        Ok(if self.roll(5) == 2 { Verdict::Stop } else { Verdict::Continue })
    }

    fn wants_again(&mut self, event: &Event<'_>) -> Outcome<bool> {
        if let Some(before) = self.again.take() {
            let now = picture(event);
            return judge(before == now, || format!("{} came again as {}", before, now)).map(|_| false);
        }
        if self.roll(4) == 1 {
            self.again = Some(picture(event));
        }
        Ok(self.again.is_some())
    }

    fn check_stats(&self, conn: &Conn) -> Outcome<()> {
        let stats = conn.stats().ok_or("no counters")?;
        judge(stats.octets_out == self.all_out.len() as u64, || format!("octets_out is {}", stats.octets_out))?;
        judge(stats.octets_in <= self.given as u64, || format!("octets_in is {}", stats.octets_in))?;
        let most = 4 * stats.octets_in + 4 * self.nexts as u64 + 64;
        judge(stats.steps <= most, || format!("{} steps", stats.steps))
    }

    // --------------------------------------------------------------- actions

    fn act(&mut self, conn: &Conn, action: &Action, event: Option<&Event<'_>>) -> Outcome<()> {
        let done = match action.words[0].as_str() {
            "echo" => event.map_or(Ok(()), |event| conn.send(event.opcode(), event.octets(), 0)),
            "accept" | "reject" | "connect" | "head" => self.act_handshake(conn, action)?,
            _ => self.act_send(conn, action),
        };
        judge_status(action, done)
    }

    fn act_send(&mut self, conn: &Conn, action: &Action) -> Result<(), Error> {
        let data = || action.octets(2).unwrap_or_default();
        let (opcode, flags) = (|| action.number(1), || action.number(3));
        match action.words[0].as_str() {
            "send" => conn.send(opcode(), &data(), flags()),
            "part" => conn.send_part(opcode(), &data(), flags()),
            "ref" => {
                let cookie = self.keep();
                conn.send_ref(opcode(), Rc::from(data()), flags(), cookie)?;
                self.references[cookie as usize] = true;
                Ok(())
            }
            "prepared" => {
                let (prepared, cookie) = (tenon::Prepared::new(opcode(), Rc::from(data()), 0)?, self.keep());
                conn.send_prepared(&prepared, flags(), cookie)?;
                self.references[cookie as usize] = flags() & tenon::COPY == 0;
                Ok(())
            }
            "ping" => conn.ping(&data()),
            "pong" => conn.pong(&data()),
            "close" => conn.close(action.number(1), &data()),
            "abort" => conn.abort(action.number(1)),
            "grant" => conn.grant(action.number(1), action.number(2), action.number(3)),
            "tx" => conn.lend_tx(action.number(1)),
            "block" | "unblock" => {
                self.blocked = action.words[0] == "block";
                Ok(())
            }
            other => panic!("unknown action {}", other),
        }
    }

    fn keep(&mut self) -> u64 {
        self.references.push(false);
        self.references.len() as u64 - 1
    }

    fn act_handshake(&mut self, conn: &Conn, action: &Action) -> Outcome<Result<(), Error>> {
        let parts: Vec<Option<Vec<u8>>> = (1..action.words.len()).map(|i| action.octets(i)).collect();
        let part = |i: usize| parts[i - 1].as_deref();
        let header = |i: usize| part(i).map(|name| [(name, part(i + 1).unwrap_or_default())]);
        match action.words[0].as_str() {
            "accept" => {
                let headers = header(3);
                let headers = headers.as_ref().map_or(&[][..], |one| &one[..]);
                Ok(conn.accept(&Answer { subprotocol: part(1), extensions: part(2), headers }))
            }
            "reject" => {
                let (headers, cookie, body) = (header(3), self.keep(), part(5).unwrap_or_default());
                let headers = headers.as_ref().map_or(&[][..], |one| &one[..]);
                let (status, flags) = (action.number(1), action.number(6));
                let done = conn.reject(&Refusal { status, reason: part(2), headers, body, flags, cookie });
                self.references[cookie as usize] = done.is_ok() && !body.is_empty() && flags & tenon::COPY == 0;
                Ok(done)
            }
            "connect" => {
                let headers = header(7);
                let headers = headers.as_ref().map_or(&[][..], |one| &one[..]);
                let names: Vec<&[u8]> = part(6).map_or(Vec::new(), |list| list.split(|c| *c == b',').collect());
                let subprotocols = &names[..];
                Ok(conn.connect(&Request {
                    uri: part(1), authority: part(2), target: part(3), origin: part(4), extensions: part(5),
                    subprotocols, headers,
                }))
            }
            _ => match conn.head() {
                Ok(head) => {
                    let found = head.find(&action.words[1]);
                    judge(found == part(2), || format!("field {} is {:?}", action.words[1], found)).map(Ok)
                }
                Err(error) => Ok(Err(error)),
            },
        }
    }

    // ---------------------------------------------------------------- output

    /// Takes what is offered, perhaps only some of it.
    fn take_pieces(&mut self, pieces: &[IoSlice<'_>]) -> usize {
        if pieces.iter().any(|piece| piece.is_empty()) {
            self.failed.get_or_insert("an empty piece of output".into());
        }
        let mut octets: Vec<u8> = pieces.iter().flat_map(|piece| piece.iter().copied()).collect();
        if self.roll(3) == 1 {
            let n = self.roll(octets.len() as u64) as usize + 1;
            octets.truncate(n);
        }
        self.out.extend_from_slice(&octets);
        self.all_out.extend_from_slice(&octets);
        octets.len()
    }

    fn next_cut(&mut self) -> usize {
        match self.how.cuts {
            Cuts::Octets(_) => self.given + 1,
            Cuts::One(cut) if self.given < cut && cut < self.limit => cut,
            Cuts::Random(seed) => {
                let n = self.roll([2, 7, 60, 600, 20000][seed as usize % 5]) as usize + 1;
                self.limit.min(self.given + n)
            }
            _ => self.limit,
        }
    }

    /// Takes the mask off a frame that a client sent; 0 if it is not whole.
    fn unmask(&mut self) -> Outcome<usize> {
        let data = &self.all_out[self.unread..];
        let frame = match tenon::frame_decode(data).map_err(refused)? {
            Some(frame) if frame.payload_size <= (data.len() - frame.header_size) as u64 => frame,
            _ => return Ok(0),
        };
        let key = frame.key.ok_or("a client's frame without mask")?;
        let fresh = self.random.borrow().keys.get(self.keys_seen) == Some(&key);
        judge(fresh, || "a mask that is not fresh from the random source".into())?;
        self.keys_seen += 1;
        let end = frame.header_size + frame.payload_size as usize;
        let mut payload = data[frame.header_size..end].to_vec();
        tenon::mask(&mut payload, key, 0);
        self.plain.extend(tenon::frame_encode(frame.first, frame.payload_size, None).map_err(refused)?);
        self.plain.extend(payload);
        Ok(end)
    }

    /// Output up to here without masks.
    fn read_output(&mut self) -> Outcome<()> {
        while self.unread < self.all_out.len() {
            if self.how.role == tenon::CLIENT && (self.head_seen || !self.case.handshake) {
                let n = self.unmask()?;
                if n == 0 {
                    return judge(self.blocked, || "output ends inside a frame".into());
                }
                self.unread += n;
                continue;
            }
            let data = &self.all_out[self.unread..];
            let mut n = data.len();
            if self.how.role == tenon::CLIENT {
                n = data.windows(4).position(|part| part == b"\r\n\r\n").map_or(n, |at| at + 4);
                self.head_seen = true;
            }
            self.plain.extend_from_slice(&data[..n]);
            self.unread += n;
        }
        Ok(())
    }

    fn check_phase(&mut self, conn: &Conn, want: &Check) -> Outcome<()> {
        self.log.flush();
        self.read_output()?;
        compare("events", &want.log, &self.log.lines)?;
        match &want.wire {
            Some(wire) => compare("output", wire, &self.out)?,
            None => compare("output", &want.out, &self.plain)?,
        }
        compare("shut", &want.shut, &self.shuts)?;
        compare("state", &want.state.unwrap_or(conn.state()), &conn.state())?;
        if let Some(deadline) = want.deadline {
            compare("deadline", &deadline, &conn.deadline().unwrap_or(tenon::NEVER))?;
        }
        if !self.closed {
            compare("wants", &want.wants.unwrap_or(conn.wants()), &conn.wants())?;
        }
        self.log.lines.clear();
        self.out.clear();
        self.plain.clear();
        self.shuts = 0;
        Ok(())
    }
}

fn judge_status(action: &Action, done: Result<(), Error>) -> Outcome<()> {
    let status = done.map_or_else(Error::status, |_| 0);
    judge(status == action.status, || {
        format!("line {}: {} gave {}", action.line, action.words[0], tenon::status_name(status))
    })
}

fn compare<T: PartialEq + std::fmt::Debug>(what: &str, want: &T, got: &T) -> Outcome<()> {
    judge(want == got, || format!("{} differs\n  expected {:?}\n  actual   {:?}", what, want, got))
}

/// The transport of a pump.
struct Link<'r, 'c>(&'r RefCell<State<'c>>);

impl Transport for Link<'_, '_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let mut state = self.0.borrow_mut();
        if state.given == state.limit {
            state.eof_told = state.eof_due;
            return if state.eof_due { Ok(0) } else { Err(ErrorKind::WouldBlock.into()) };
        }
        let n = (state.next_cut() - state.given).min(to.len());
        to[..n].copy_from_slice(&state.stream.octets[state.given..state.given + n]);
        state.given += n;
        Ok(n)
    }

    fn write(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut state = self.0.borrow_mut();
        if state.blocked {
            return Err(ErrorKind::WouldBlock.into());
        }
        Ok(state.take_pieces(pieces))
    }

    fn now_ms(&mut self) -> u64 {
        self.0.borrow().clock
    }

    fn shut(&mut self) {
        self.0.borrow_mut().shuts += 1;
    }
}

/// One event for a loop that calls back: a failure stops it, and is told afterwards.
fn on_event(state: &RefCell<State<'_>>, event: &Event<'_>) -> Verdict {
    let mut state = state.borrow_mut();
    state.take_event(event).unwrap_or_else(|why| {
        state.failed.get_or_insert(why);
        Verdict::Stop
    })
}

impl Run<'_> {
    fn failure(&self) -> Outcome<()> {
        self.state.borrow_mut().failed.take().map_or(Ok(()), Err)
    }

    fn closed(&self) -> bool {
        self.state.borrow().closed
    }

    fn drain(&mut self) -> Outcome<bool> {
        let mut total = 0;
        loop {
            let mut state = self.state.borrow_mut();
            if state.blocked {
                break;
            }
            let most = if state.roll(2) == 1 { 1 } else { 16 };
            let offered = self.conn.wants() & tenon::WANTS_WRITE != 0;
            let n = self.conn.output(most, |pieces| state.take_pieces(pieces)).map_err(refused)?;
            judge(offered == (n > 0), || format!("WANTS_WRITE and {} octets", n))?;
            if n == 0 {
                break;
            }
            total += n;
        }
        self.failure().map(|_| total > 0)
    }

    fn lend(&mut self) -> Outcome<()> {
        let mut state = self.state.borrow_mut();
        let end = state.next_cut();
        let octets = state.stream.octets[state.given..end].to_vec();
        state.given = end;
        let lent = if state.how.constant { self.conn.recv_const(octets) } else { self.conn.recv(octets) };
        lent.map_err(refused)
    }

    /// Takes the lend back and gives what is left as a new one. shown: the event has octets.
    fn lend_anew(&mut self, shown: bool) -> Outcome<()> {
        let (octets, n) = match self.conn.unlend() {
            Err(Error::BUSY) => return judge(shown, || "BUSY, and no event lies in what is lent".into()),
            other => other.map_err(refused)?,
        };
        {
            let mut state = self.state.borrow_mut();
            let all = &state.stream.octets[state.given - octets.len()..state.given];
            let untouched = state.how.constant || state.how.role == tenon::CLIENT;
            let begin = if untouched { 0 } else { octets.len() - n };
            judge(octets[begin..] == all[begin..], || "lent octets were written to".into())?;
            state.given -= n;
        }
        if n > 0 {
            self.lend()?;
        }
        Ok(())
    }

    fn pull(&mut self) -> Outcome<()> {
        loop {
            let had = self.conn.wants() & tenon::WANTS_NEXT != 0;
            let mut state = self.state.borrow_mut();
            state.count_call()?;
            let event = match self.conn.next().map_err(refused)? {
                Some(event) => event,
                None => break,
            };
            judge(had || state.again.is_some(), || format!("{:?} without WANTS_NEXT", event.kind()))?;
            let shown = !event.octets().is_empty();
            if state.take_event(&event)? == Verdict::Again {
                event.again().map_err(refused)?;
            }
            if state.closed {
                return Ok(());
            }
            let drains = state.how.cuts == Cuts::Octets(true) || state.roll(2) == 1;
            let anew = !state.eof_told && state.again.is_none() && state.roll(4) == 3;
            drop(state);
            if drains {
                self.drain()?;
            }
            if anew {
                self.lend_anew(shown)?;
            }
        }
        self.check_idle()
    }

    fn check_idle(&self) -> Outcome<()> {
        judge(self.conn.wants() & tenon::WANTS_NEXT == 0, || "WANTS_NEXT after there was nothing to tell".into())
    }

    fn run_callbacks(&mut self) -> Outcome<()> {
        loop {
            self.state.borrow_mut().count_call()?;
            let state = &self.state;
            let progress = self.conn.run(|event| on_event(state, &event)).map_err(refused)?;
            self.failure()?;
            judge((progress == Progress::Done) == self.closed(), || format!("run gave {:?}", progress))?;
            if self.closed() {
                return Ok(());
            }
            if progress != Progress::Stopped {
                return self.check_idle();
            }
        }
    }

    fn grow_rx(&mut self) -> Outcome<bool> {
        let need = self.conn.rx_needed();
        if !self.state.borrow().case.grow || need <= self.conn.rx_size() || need > 1 << 24 {
            return Ok(false);
        }
        self.conn.lend_rx(need).map_err(refused).map(|_| true)
    }

    fn lend_inflate(&mut self) -> Outcome<bool> {
        self.conn.lend_inflate(self.conn.inflate_size()).map_err(refused).map(|_| true)
    }

    fn tell_eof(&mut self) -> Outcome<()> {
        self.state.borrow_mut().eof_told = true;
        self.conn.eof().map_err(refused)
    }

    /// What memory the connection asks for, if the case gives it.
    fn lend_memory(&mut self, wants: u32) -> Outcome<bool> {
        Ok(wants & tenon::WANTS_RX != 0 && self.grow_rx()?
            || wants & tenon::WANTS_INFLATE != 0 && self.lend_inflate()?)
    }

    /// Whether something is to be done but waiting for the other side.
    fn next_move(&mut self) -> Outcome<bool> {
        let wants = self.conn.wants();
        if self.drain()? || (wants | self.conn.wants()) & tenon::WANTS_NEXT != 0 {
            return Ok(true);
        }
        if wants & tenon::WANTS_SHUT_WR != 0 {
            self.state.borrow_mut().shuts += 1;
            self.conn.shut().map_err(refused)?;
            return judge(self.conn.wants() & tenon::WANTS_SHUT_WR == 0, || "SHUT_WR again".into()).map(|_| true);
        }
        if self.lend_memory(wants)? {
            return Ok(true);
        }
        let (left, eof) = {
            let state = self.state.borrow();
            (state.given < state.limit, state.eof_due && !state.eof_told)
        };
        if wants & tenon::WANTS_READ != 0 && left {
            self.lend()?;
            let state = self.state.borrow();
            let behind = eof && state.given == state.limit && matches!(state.how.cuts, Cuts::One(n) if n % 2 == 1);
            drop(state);
            return if behind { self.tell_eof().map(|_| true) } else { Ok(true) };
        }
        if eof && !left {
            return self.tell_eof().map(|_| true);
        }
        Ok(false)
    }

    fn work(&mut self) -> Outcome<()> {
        let mode = self.state.borrow().how.mode;
        loop {
            if mode == Mode::Run {
                self.run_callbacks()?;
            } else {
                self.pull()?;
            }
            if self.closed() || !self.next_move()? {
                return Ok(());
            }
        }
    }

    fn pump(&mut self) -> Outcome<()> {
        let progress_of = |state: &State<'_>| (state.given, state.all_out.len(), state.eof_told);
        loop {
            self.state.borrow_mut().count_call()?;
            let before = progress_of(&self.state.borrow());
            let state = &self.state;
            let progress = self.conn.pump(&mut Link(state), |event| on_event(state, &event)).map_err(refused)?;
            self.failure()?;
            judge((progress == Progress::Done) == self.closed(), || format!("pump gave {:?}", progress))?;
            if self.closed() {
                return Ok(());
            }
            if progress != Progress::Idle || before != progress_of(&self.state.borrow()) {
                continue;
            }
            let wants = self.conn.wants();
            if !self.lend_memory(wants)? {
                return self.check_idle();
            }
        }
    }

    // ---------------------------------------------------------------- a case

    fn settle(&mut self) -> Outcome<()> {
        if self.closed() {
            return Ok(());
        }
        let pumped = self.state.borrow().how.mode == Mode::Pump;
        if pumped {
            self.pump()?;
        } else {
            self.work()?;
        }
        let state = self.state.borrow();
        let waits = self.conn.wants() & (tenon::WANTS_DECISION | tenon::WANTS_RX) != 0;
        judge(state.closed || waits || state.given == state.limit, || "octets of input are not taken".into())
    }

    fn do_action(&mut self, action: &Action) -> Outcome<()> {
        judge(!self.closed(), || "an action after CLOSED".into())?;
        if action.words[0] == "rx" {
            let done = self.conn.lend_rx(action.number(1));
            return judge_status(action, done);
        }
        self.state.borrow_mut().act(&self.conn, action, None)
    }

    fn do_step(&mut self, step: &Step, written: &mut usize) -> Outcome<()> {
        if matches!(step.what, What::Do(_) | What::Tick(_) | What::Check(_)) {
            self.settle()?;
        }
        match &step.what {
            What::Input { octets, .. } => {
                *written += octets.len();
                let mut state = self.state.borrow_mut();
                if !octets.is_empty() {
                    state.limit = state.stream.places[*written];
                }
                Ok(())
            }
            What::Do(action) => self.do_action(action),
            What::Tick(ms) => {
                let mut state = self.state.borrow_mut();
                state.clock = *ms;
                if state.closed || state.how.mode == Mode::Pump {
                    return Ok(());
                }
                self.conn.tick(*ms).map_err(refused)
            }
            What::Eof => {
                self.state.borrow_mut().eof_due = true;
                Ok(())
            }
            What::Check(check) => self.state.borrow_mut().check_phase(&self.conn, check),
        }
    }

    /// Whatever is left ends with one CLOSED, and no event follows it.
    fn end(&mut self) -> Outcome<()> {
        let had = self.closed();
        self.state.borrow_mut().blocked = false;
        if !had {
            self.conn.abort(tenon::LOCAL).map_err(refused)?;
            let mut state = self.state.borrow_mut();
            state.again = None;
            state.how.cuts = Cuts::Whole;
            drop(state);
            self.work()?;
            judge(self.closed(), || "no CLOSED after abort".into())?;
        }
        let more = self.conn.next().map_err(refused)?.is_some();
        let rest = (self.conn.wants(), self.conn.state(), self.conn.deadline());
        judge(!more && rest == (tenon::WANTS_CLOSE, tenon::CLOSED, None), || "not at rest after CLOSED".into())?;
        judge(!had || self.state.borrow().log.lines.is_empty(), || "events without an expectation".into())
    }
}

fn begin(case: &Case, how: Variant, random: &Rc<RefCell<Random>>) -> Result<Conn, Error> {
    let (source, fails) = (Rc::clone(random), case.random_fails);
    let settings = case.settings(how.role).random(move |out| source.borrow_mut().fill(out, fails));
    let mut conn = Conn::new(&settings.build()?, case.rx, case.tx)?;
    if let (Some(deflate), false) = (case.deflate, case.handshake) {
        let bits = |bits: u8| if bits > 0 { bits } else { 15 };
        let flags = deflate.flags & !tenon::DEFLATE_REQUIRED;
        conn.agree(bits(deflate.out_bits), bits(deflate.in_bits), flags as u8)?;
    }
    conn.count()?;
    if case.ticks {
        conn.tick(0)?;
    }
    Ok(conn)
}

/// The output of the case, masks and all, or what was not as expected.
pub fn run(case: &Case, how: Variant, stream: &Stream) -> Outcome<Vec<u8>> {
    let random = Rc::new(RefCell::new(Random::default()));
    let conn = begin(case, how, &random).map_err(refused)?;
    let seed = if let Cuts::Random(seed) = how.cuts { seed } else { 0 };
    let log = Log::new(case, stream);
    let state = RefCell::new(State {
        case, how, stream, dice: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1, random, given: 0, limit: 0, nexts: 0,
        clock: 0, shuts: 0, eof_due: false, eof_told: false, blocked: false, closed: false, again: None,
        references: Vec::new(), out: Vec::new(), all_out: Vec::new(), plain: Vec::new(), unread: 0, keys_seen: 0,
        head_seen: false, failed: None, log,
    });
    let room = if seed > 0 { 1 + state.borrow_mut().roll(64) as usize } else { stream.octets.len() + 1 };
    let mut run = Run { conn, state };
    run.conn.set_pump_buffer(room).map_err(refused)?;
    let mut written = 0;
    for step in &case.steps {
        run.do_step(step, &mut written).map_err(|why| format!("line {}: {}", step.line, why))?;
    }
    run.end()?;
    Ok(run.state.into_inner().all_out)
}
