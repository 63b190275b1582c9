// SPDX-License-Identifier: MIT
//! Events as lines of words; adjacent pieces of a frame as one, WRITABLE and RELEASED left out.

use crate::case::{digits, Case, Stream};
use tenon::{Event, Kind};

const ALL: u32 = tenon::FIRST | tenon::LAST | tenon::FRAME_FIRST | tenon::FRAME_LAST;
const RSV: u32 = tenon::RSV1 | tenon::RSV2 | tenon::RSV3;
const CUT: u32 = 4;

#[derive(PartialEq)]
enum Pending {
    None,
    Data,
    Body,
}

pub struct Log<'c> {
    case: &'c Case,
    stream: &'c Stream,
    pub lines: Vec<String>,
    pending: Pending,
    octets: Vec<u8>,
    opcode: u8,
    rsv: u32,
    marks: u32,
    message: u64,
    frame: u64,
}

fn absent_or(octets: Option<&[u8]>) -> String {
    octets.map_or(String::from("-"), digits)
}

fn judge(good: bool, why: &str) -> Result<(), String> {
    if good {
        Ok(())
    } else {
        Err(why.to_string())
    }
}

impl<'c> Log<'c> {
    pub fn new(case: &'c Case, stream: &'c Stream) -> Log<'c> {
        let octets = Vec::new();
        let pending = Pending::None;
        Log { case, stream, lines: Vec::new(), pending, octets, opcode: 0, rsv: 0, marks: 0, message: 0, frame: 0 }
    }

    fn chunks(&self) -> bool {
        self.case.flags & tenon::CHUNKS != 0
    }

    pub fn flush(&mut self) {
        let octets = digits(&self.octets);
        match self.pending {
            Pending::Data => {
                let kind = if self.opcode == tenon::TEXT { "text" } else { "binary" };
                self.lines.push(format!("DATA\t{}\t{}\t{}\t{}", kind, octets, self.rsv, self.marks));
            }
            Pending::Body => self.lines.push(format!("BODY\t{}", octets)),
            Pending::None => {}
        }
        self.pending = Pending::None;
        self.octets.clear();
    }

    /// What an event says about its place must fit what came before.
    fn check_piece(&mut self, event: &Event<'_>) -> Result<(), String> {
        let inflated = self.case.deflate.is_some();
        let size = event.octets().len() as u64;
        if !self.chunks() {
            let fits = event.frame_size() <= size || inflated;
            return judge(event.flags() & ALL == ALL && event.offset() == 0 && fits, "not a whole message");
        }
        if event.has(tenon::FIRST) {
            self.message = 0;
        }
        if event.has(tenon::FRAME_FIRST) {
            self.frame = 0;
        }
        judge(event.offset() == self.message, "a piece at another place of its message")?;
        self.message += size;
        self.frame += size;
        judge(size > 0 || event.has(tenon::LAST), "an empty piece that ends nothing")?;
        judge(!event.has(tenon::LAST) || event.has(tenon::FRAME_LAST), "a message ends inside a frame")?;
        let whole = if event.has(tenon::FRAME_LAST) {
            self.frame == event.frame_size()
        } else {
            self.frame <= event.frame_size()
        };
        judge(whole || inflated, "a frame of another size")
    }

    fn data(&mut self, event: &Event<'_>) -> Result<(), String> {
        self.check_piece(event)?;
        let rsv = (event.flags() & RSV) >> 4;
        if self.pending == Pending::Data && event.flags() & (tenon::FIRST | tenon::FRAME_FIRST) == 0 {
            judge(self.opcode == event.opcode() && self.rsv == rsv, "a frame changes in the middle")?;
            self.marks &= tenon::FIRST;
        } else {
            self.flush();
            self.pending = Pending::Data;
            self.opcode = event.opcode();
            self.rsv = rsv;
            self.marks = if self.chunks() { event.flags() & tenon::FIRST } else { 0 };
        }
        self.octets.extend_from_slice(event.octets());
        if self.chunks() {
            self.marks |= event.flags() & tenon::LAST;
            self.marks |= if event.has(tenon::FRAME_LAST) { 0 } else { CUT };
        }
        Ok(())
    }

    pub fn take(&mut self, event: &Event<'_>) -> Result<(), String> {
        match event.kind() {
            Kind::Writable | Kind::Released => return Ok(()),
            Kind::Data => return self.data(event),
            Kind::Body => {
                if self.pending != Pending::Body {
                    self.flush();
                }
                self.pending = Pending::Body;
                self.octets.extend_from_slice(event.octets());
                return Ok(());
            }
            _ => self.flush(),
        }
        let line = self.line(event)?;
        self.lines.push(line);
        Ok(())
    }

    fn line(&self, event: &Event<'_>) -> Result<String, String> {
        let octets = digits(event.octets());
        Ok(match event.kind() {
            Kind::Request => {
                let head = event.conn().head().map_err(|error| error.to_string())?;
                judge((head.version(), head.status(), head.method()) == (0x0101, 0, b"GET"), "not the head of a GET")?;
                let plain = u8::from(event.has(tenon::PLAIN));
                let (target, authority) = (digits(head.target()), digits(head.authority()));
                format!("REQUEST\t{}\t{}\t{}\t{}", target, authority, absent_or(head.origin()), plain)
            }
            Kind::Response => {
                let head = event.conn().head().map_err(|error| error.to_string())?;
                format!("RESPONSE\t{}\t{}", head.status(), digits(head.reason()))
            }
            Kind::Open => format!("OPEN\t{}", absent_or(event.data())),
            Kind::Ping => format!("PING\t{}", octets),
            Kind::Pong if event.has(tenon::OWN) => format!("PONG\t{}\t{}", octets, event.rtt_ms()),
            Kind::Pong => format!("PONG\t{}\t-", octets),
            Kind::Close => format!("CLOSE\t{}\t{}", event.code(), octets),
            Kind::Closed => self.closed(event),
            other => return Err(format!("an event {:?}", other)),
        })
    }

    fn closed(&self, event: &Event<'_>) -> String {
        let at = if event.rule() == 0 { event.offset() as i64 } else { self.stream.written_place(event.offset()) };
        let cause = ["none", "local", "remote"][event.cause() as usize];
        let clean = u8::from(event.has(tenon::CLEAN));
        let codes = format!("{}\t{}\t{}", event.code(), event.sent_code(), event.received_code());
        let rule = tenon::rule_name(event.rule());
        format!("CLOSED\t{}\t{}\t{}\t{}\t{}\t{}", codes, cause, rule, at, clean, digits(event.octets()))
    }
}
