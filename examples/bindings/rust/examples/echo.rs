// SPDX-License-Identifier: MIT
//! Echoes what comes, as server (a thread for each connection) or as client.
//!
//! usage: echo server [PORT]
//!        echo client URI
//!
//! A text "close CODE REASON" has it close, "ping DATA" has it ping. For each connection it
//! prints how it ended.

use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::rc::Rc;
use std::time::{Duration, Instant};

use tenon::{Conn, Error, Event, Kind, Progress, Request, Settings, Transport, Verdict};

const MAX_MESSAGE: u64 = 16 << 20;
const COPIED_MAX: usize = 4096; // longer messages are sent without a copy
const BUFFER: usize = 65536;

/// A socket that blocks, but not beyond the next deadline, and not before all is written.
struct Link {
    stream: TcpStream,
    begin: Instant,
    may_wait: bool,
}

impl Link {
    fn new(stream: TcpStream) -> io::Result<Link> {
        stream.set_nodelay(true)?;
        Ok(Link { stream, begin: Instant::now(), may_wait: false })
    }

    /// For how long a read waits at most: until the deadline.
    fn set_patience(&mut self, conn: &Conn) -> io::Result<()> {
        let now = self.now_ms();
        let most = conn.deadline().map(|at| Duration::from_millis(at.saturating_sub(now).max(1)));
        self.stream.set_read_timeout(most)
    }
}

impl Transport for Link {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if !self.may_wait {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.stream.read(to)
    }

    fn write(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.stream.write_vectored(pieces)
    }

    fn now_ms(&mut self) -> u64 {
        self.begin.elapsed().as_millis() as u64
    }

    fn shut(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write); // if it is gone, the next read tells
    }
}

fn answer(conn: &Conn, event: &Event<'_>) -> Result<(), Error> {
    let data = event.octets();
    let words = if event.opcode() == tenon::TEXT { std::str::from_utf8(data).unwrap_or("") } else { "" };
    let mut words = words.splitn(3, ' ');
    match (words.next(), words.next(), words.next()) {
        (Some("close"), Some(code), Some(reason)) => conn.close(code.parse().unwrap_or(0), reason.as_bytes()),
        (Some("ping"), Some(data), None) => conn.ping(data.as_bytes()),
        _ if data.len() <= COPIED_MAX => conn.send(event.opcode(), data, 0),
        _ => conn.send_ref(event.opcode(), Rc::from(data), 0, 0),
    }
}

fn on_event(event: &Event<'_>) -> Verdict {
    let conn = event.conn();
    let done = match event.kind() {
        Kind::Request => conn.accept(&Default::default()),
        Kind::Data => answer(conn, event),
        Kind::Closed => {
            let reason = String::from_utf8_lossy(event.octets());
            println!("closed {} {} {}", event.code(), reason, tenon::rule_name(event.rule()));
            Ok(())
        }
        _ => Ok(()),
    };
    match done {
        Err(Error::AGAIN) => Verdict::Again, // no room now: the same event comes again
        Err(Error::STATE) | Ok(()) => Verdict::Continue, // closing: nobody waits for it
        Err(problem) => panic!("{}", problem),
    }
}

/// Turns that write until nothing is left to do, then one that waits for octets: a pump may
/// read while there is more to write, and a socket that blocks would keep that back.
fn converse(mut conn: Conn, mut link: Link) -> Result<(), Box<dyn std::error::Error>> {
    loop {
        link.set_patience(&conn)?;
        let progress = conn.pump(&mut link, |event| on_event(&event))?;
        if progress == Progress::Done {
            return Ok(());
        }
        let lent = conn.lend_wanted()?;
        link.may_wait = !link.may_wait && !lent && progress == Progress::Idle && conn.queued() == 0;
    }
}

fn attend(stream: TcpStream) -> Result<(), Box<dyn std::error::Error>> {
    let mut settings = Settings::server();
    settings.max_message = MAX_MESSAGE;
    converse(Conn::new(&settings.build()?, BUFFER, BUFFER)?, Link::new(stream)?)
}

fn serve(port: u16) -> Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept()?;
        std::thread::spawn(|| {
            if let Err(problem) = attend(stream) {
                eprintln!("{}", problem);
            }
        });
    }
}

fn client(uri: &str) -> Result<(), Box<dyn std::error::Error>> {
    let there = tenon::uri_parse(uri)?;
    let mut settings = Settings::client();
    settings.max_message = MAX_MESSAGE;
    let conn = Conn::new(&settings.build()?, BUFFER, BUFFER)?;
    conn.connect(&Request { uri: Some(uri.as_bytes()), ..Default::default() })?;
    converse(conn, Link::new(TcpStream::connect((there.host.as_str(), there.port))?)?)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["server"] => serve(9001),
        ["server", port] => serve(port.parse()?),
        ["client", uri] => client(uri),
        _ => Err("usage: echo server [PORT] | client URI".into()),
    }
}
