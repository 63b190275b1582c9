// SPDX-License-Identifier: MIT
//! Not to be compiled: each line that says so is an error of the borrow checker. With them
//! would go what keeps slices of an event from outliving their memory.

use tenon::{Conn, Event, Settings, Verdict};

fn event_over_next(conn: &mut Conn) {
    let first = conn.next().unwrap().unwrap();
    let second = conn.next(); // refused
    drop((first.octets().len(), second.is_ok()));
}

fn slice_over_recv(conn: &mut Conn) {
    let octets = conn.next().unwrap().unwrap().octets();
    conn.recv(Vec::new()).unwrap(); // refused
    assert!(octets.is_empty());
}

fn slice_over_lend(conn: &mut Conn) {
    let octets = conn.next().unwrap().unwrap().octets();
    conn.lend_rx(1000).unwrap(); // refused
    assert!(octets.is_empty());
}

fn head_over_unlend(conn: &mut Conn) {
    let target = conn.head().unwrap().target();
    conn.unlend().unwrap(); // refused
    assert!(target.is_empty());
}

fn slice_over_conn() -> usize {
    let config = Settings::open(tenon::SERVER).build().unwrap();
    let octets;
    {
        let mut conn = Conn::new(&config, 256, 512).unwrap();
        octets = conn.next().unwrap().unwrap().octets(); // refused
    }
    octets.len()
}

fn main() {
    let config = Settings::open(tenon::SERVER).build().unwrap();
    let mut conn = Conn::new(&config, 256, 512).unwrap();
    event_over_next(&mut conn);
    slice_over_recv(&mut conn);
    slice_over_lend(&mut conn);
    head_over_unlend(&mut conn);
    let _: fn(Event<'_>) -> Verdict = |_| Verdict::Continue;
    assert_eq!(slice_over_conn(), 0);
}
