// SPDX-License-Identifier: MIT
//! Every transcript through the Rust binding.
//!
//! usage: transcripts FILE      (what transcript_dump.py wrote)
//!
//! Each case in each of its roles: its input whole, octet by octet and cut at random, with
//! recv and recv_const, pulled, through run and through pump; and cut at every place, in
//! these modes by turns.
mod case;
mod drive;
mod log;

use case::{Case, Stream};
use drive::{Cuts, Mode, Variant};

const SEEDS: u64 = 5;
const MODES: [(Mode, bool); 5] =
    [(Mode::Pull, false), (Mode::Pull, true), (Mode::Run, false), (Mode::Run, true), (Mode::Pump, false)];

/// Whether a stream of that size is cut there: a long one at its ends and some places between.
fn is_cut(size: usize, at: usize) -> bool {
    size <= 600 || at < 300 || at + 50 >= size || at % (size / 60) == 0
}

fn cuts(size: usize) -> Vec<Cuts> {
    let mut all = vec![Cuts::Whole, Cuts::Octets(false), Cuts::Octets(true)];
    all.extend((1..size).filter(|at| is_cut(size, *at)).map(Cuts::One));
    all.extend((1..=SEEDS).map(Cuts::Random));
    all
}

/// The number of runs, or what was not as expected.
fn run_case(case: &Case) -> Result<usize, String> {
    let mut runs = 0;
    for role in [tenon::SERVER, tenon::CLIENT] {
        if case.roles & role == 0 {
            continue;
        }
        let stream = Stream::new(case, role);
        let mut first = None;
        for cuts in cuts(stream.octets.len()) {
            for (i, (mode, constant)) in MODES.into_iter().enumerate() {
                if matches!(cuts, Cuts::One(at) if at % MODES.len() != i) {
                    continue;
                }
                let variant = Variant { role, mode, constant, cuts };
                let out = drive::run(case, variant, &stream).map_err(|why| format!("{}\n  {:?}", why, variant))?;
                if first.get_or_insert_with(|| out.clone()) != &out {
                    return Err(format!("output with masks differs from that of the first variant\n  {:?}", variant));
                }
                runs += 1;
            }
        }
    }
    Ok(runs)
}

fn main() {
    let path = std::env::args().nth(1).expect("usage: transcripts FILE");
    let cases = case::read(&std::fs::read_to_string(path).expect("the file that transcript_dump.py wrote"));
    let (mut passed, mut failed, mut runs) = (0, 0, 0);
    for case in &cases {
        match run_case(case) {
            Ok(n) => {
                passed += 1;
                runs += n;
            }
            Err(why) => {
                failed += 1;
                println!("FAIL rust {} {}: {}", case.file, case.name, why);
            }
        }
    }
    if failed == 0 && passed > 0 {
        println!("OK rust: {} cases of the transcripts in {} runs", passed, runs);
    }
    std::process::exit(i32::from(failed > 0 || passed == 0));
}
