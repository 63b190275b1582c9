// SPDX-License-Identifier: MIT
//! Cases as transcript_dump.py writes them.

use tenon::Settings;

#[derive(Default)]
pub struct Case {
    pub file: String,
    pub name: String,
    pub roles: i32,
    pub rx: usize,
    pub tx: usize,
    pub grow: bool,
    pub handshake: bool,
    pub ticks: bool,
    pub random_fails: usize,
    pub flags: u32,
    limits: Vec<(String, u64)>,
    pub deflate: Option<tenon::Deflate>,
    pub on: Vec<(u16, Action)>,
    pub steps: Vec<Step>,
}

/// What the program does: a name, its arguments, and the status that must come.
pub struct Action {
    pub line: usize,
    pub status: i32,
    pub words: Vec<String>,
}

pub struct Check {
    pub wire: Option<Vec<u8>>,
    pub out: Vec<u8>,
    pub shut: u32,
    pub state: Option<i32>,
    pub deadline: Option<u64>,
    pub wants: Option<u32>,
    pub log: Vec<String>,
}

pub enum What {
    Input { raw: bool, octets: Vec<u8> },
    Do(Action),
    Tick(u64),
    Eof,
    Check(Check),
}

pub struct Step {
    pub line: usize,
    pub what: What,
}

pub fn number<T: std::str::FromStr>(word: &str) -> T {
    word.parse().unwrap_or_else(|_| panic!("a number is wanted: {}", word))
}

fn optional<T: std::str::FromStr>(word: &str) -> Option<T> {
    if word == "-" {
        None
    } else {
        Some(number(word))
    }
}

/// = and digits, or - for none.
pub fn octets(word: &str) -> Option<Vec<u8>> {
    let digits = word.strip_prefix('=')?;
    Some((0..digits.len()).step_by(2).map(|i| u8::from_str_radix(&digits[i..i + 2], 16).expect("digits")).collect())
}

pub fn digits(octets: &[u8]) -> String {
    let mut text = String::from("=");
    octets.iter().for_each(|octet| text.push_str(&format!("{:02x}", octet)));
    text
}

impl Action {
    fn new(words: &[&str]) -> Action {
        Action {
            line: number(words[0]),
            status: number(words[1]),
            words: words[2..].iter().map(|word| word.to_string()).collect(),
        }
    }

    pub fn number<T: std::str::FromStr>(&self, i: usize) -> T {
        number(&self.words[i])
    }

    pub fn octets(&self, i: usize) -> Option<Vec<u8>> {
        octets(&self.words[i])
    }
}

impl Case {
    fn new(words: &[&str]) -> Case {
        Case {
            file: words[0].to_string(),
            name: words[1].to_string(),
            roles: number(words[3]),
            rx: number(words[4]),
            tx: number(words[5]),
            grow: words[6] == "1",
            handshake: words[7] == "1",
            ticks: words[8] == "1",
            random_fails: number(words[9]),
            flags: number(words[10]),
            ..Case::default()
        }
    }

    fn take(&mut self, words: &[&str]) {
        let line = || number(words[1]);
        match words[0] {
            "limit" => self.limits.push((words[1].to_string(), number(words[2]))),
            "deflate" => {
                self.deflate = Some(tenon::Deflate {
                    flags: number(words[1]),
                    out_bits: number(words[2]),
                    in_bits: number(words[3]),
                    threshold: number(words[4]),
                    ..Default::default()
                })
            }
            "on" => self.on.push((number(words[1]), Action::new(&words[2..]))),
            "log" => match self.steps.last_mut().map(|step| &mut step.what) {
                Some(What::Check(check)) => check.log.push(words[1..].join("\t")),
                _ => panic!("a log without check"),
            },
            "input" => {
                let input = What::Input { raw: words[2] == "1", octets: octets(words[3]).expect("octets") };
                self.steps.push(Step { line: line(), what: input })
            }
            "do" => self.steps.push(Step { line: line(), what: What::Do(Action::new(&words[1..])) }),
            "tick" => self.steps.push(Step { line: line(), what: What::Tick(number(words[2])) }),
            "eof" => self.steps.push(Step { line: line(), what: What::Eof }),
            "check" => self.steps.push(Step { line: line(), what: What::Check(check(words)) }),
            other => panic!("unknown word {}", other),
        }
    }

    pub fn settings(&self, role: i32) -> Settings {
        let mut settings = match (self.handshake, role) {
            (false, _) => Settings::open(role),
            (true, tenon::SERVER) => Settings::server(),
            (true, _) => Settings::client(),
        };
        settings.flags = self.flags;
        for (name, value) in &self.limits {
            let narrow = *value as u32;
            match name.as_str() {
                "max_head" => settings.max_head = narrow,
                "max_target" => settings.max_target = narrow,
                "max_headers" => settings.max_headers = narrow,
                "max_message" => settings.max_message = *value,
                "max_fragments" => settings.max_fragments = narrow,
                "max_control" => settings.max_control = narrow,
                "max_frame_out" => settings.max_frame_out = narrow,
                "handshake_ms" => settings.handshake_ms = narrow,
                "idle_ms" => settings.idle_ms = narrow,
                "ping_ms" => settings.ping_ms = narrow,
                "pong_ms" => settings.pong_ms = narrow,
                "close_ms" => settings.close_ms = narrow,
                "stall_ms" => settings.stall_ms = narrow,
                other => panic!("unknown limit {}", other),
            }
        }
        match self.deflate {
            Some(deflate) => settings.deflate(deflate),
            None => settings,
        }
    }
}

fn check(words: &[&str]) -> Check {
    Check {
        wire: octets(words[2]),
        out: octets(words[3]).expect("octets"),
        shut: number(words[4]),
        state: optional(words[5]),
        deadline: optional(words[6]),
        wants: optional(words[7]),
        log: Vec::new(),
    }
}

pub fn read(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split('\t').collect();
        if words[0] == "case" {
            cases.push(Case::new(&words[1..]));
        } else {
            cases.last_mut().expect("a case").take(&words);
        }
    }
    cases
}

/// All input of a case for a role, and where in it each octet as written lies.
pub struct Stream {
    pub octets: Vec<u8>,
    pub places: Vec<usize>,
}

#[derive(Default)]
struct Masker {
    header: Vec<u8>,
    left: u64,
    phase: usize,
}

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

impl Masker {
    /// One octet of a frame without mask, as one of a client's frame.
    fn take(&mut self, stream: &mut Vec<u8>, octet: u8) {
        if self.left > 0 {
            stream.push(octet ^ KEY[self.phase & 3]);
            self.phase += 1;
            self.left -= 1;
            return;
        }
        self.header.push(octet);
        let have = self.header.len();
        stream.push(if have == 2 { octet | 0x80 } else { octet });
        if have < 2 {
            return;
        }
        let code = self.header[1] & 0x7f;
        if have == [2, 4, 10][usize::from(code > 125) + usize::from(code > 126)] {
            stream.extend_from_slice(&KEY);
            self.left = self.header[2..].iter().fold(0, |size, octet| size << 8 | u64::from(*octet));
            if have == 2 {
                self.left = u64::from(code);
            }
            self.header.clear();
            self.phase = 0;
        }
    }
}

impl Stream {
    pub fn new(case: &Case, role: i32) -> Stream {
        let mut stream = Stream { octets: Vec::new(), places: Vec::new() };
        let mut masker = Masker::default();
        for step in &case.steps {
            if let What::Input { raw, octets } = &step.what {
                for octet in octets {
                    stream.places.push(stream.octets.len());
                    if *raw || role == tenon::CLIENT {
                        stream.octets.push(*octet);
                    } else {
                        masker.take(&mut stream.octets, *octet);
                    }
                }
            }
        }
        stream.places.push(stream.octets.len());
        stream
    }

    /// Which octet as written that one of the stream is; a key belongs to the one before it.
    pub fn written_place(&self, offset: u64) -> i64 {
        let i = self.places.partition_point(|place| *place as u64 <= offset);
        if i == self.places.len() && self.places[i - 1] as u64 != offset {
            -1
        } else {
            i as i64 - 1
        }
    }
}
