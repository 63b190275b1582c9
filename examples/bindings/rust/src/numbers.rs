// SPDX-License-Identifier: MIT
//! The numbers of the headers, without their TENON_.

macro_rules! numbers {
    ($($kind:ty { $($name:ident = $value:expr),* $(,)? })*) => {
        $($(pub const $name: $kind = $value;)*)*

        /// For tests: each number by its name.
        pub fn numbers(mut tell: impl FnMut(&str, u64)) {
            $($(tell(stringify!($name), $name as u64);)*)*
        }
    };
}

numbers! {
    usize { STORAGE_SIZE = 384, FRAME_HEADER_MAX = 14 }
    i32 {
        OK = 0, EVENT = 1, STOPPED = 2, DONE = 3, MORE = 4, WAIT = 5, END = 6,
        CONTINUE = 0, STOP = 1, AGAIN = 2,
        SERVER = 1, CLIENT = 2,
        CONNECTING = 0, OPEN = 1, CLOSING = 2, CLOSED = 3,
        LOCAL = 1, REMOTE = 2,
    }
    u8 { CONTINUATION = 0, TEXT = 1, BINARY = 2, OP_CLOSE = 8, OP_PING = 9, OP_PONG = 10 }
    u16 {
        CLOSE_NORMAL = 1000, CLOSE_GOING_AWAY = 1001, CLOSE_PROTOCOL = 1002, CLOSE_UNSUPPORTED = 1003,
        CLOSE_NONE = 1005, CLOSE_ABNORMAL = 1006, CLOSE_DATA = 1007, CLOSE_POLICY = 1008, CLOSE_TOO_BIG = 1009,
        CLOSE_EXTENSION = 1010, CLOSE_INTERNAL = 1011, CLOSE_RESTART = 1012, CLOSE_LATER = 1013,
        CLOSE_GATEWAY = 1014,
        EV_REQUEST = 1, EV_RESPONSE = 2, EV_OPEN = 3, EV_DATA = 4, EV_BODY = 5, EV_PING = 6, EV_PONG = 7,
        EV_CLOSE = 8, EV_WRITABLE = 9, EV_RELEASED = 10, EV_CLOSED = 11,
        RULE_NONE = 0, RULE_RSV = 1, RULE_EOF = 110, RULE_ABORT = 111,
    }
    u32 {
        OFF = 0xFFFF_FFFF,
        FIRST = 0x0001, LAST = 0x0002, FRAME_FIRST = 0x0004, FRAME_LAST = 0x0008,
        RSV3 = 0x0010, RSV2 = 0x0020, RSV1 = 0x0040, CLEAN = 0x0100, OWN = 0x0200, PLAIN = 0x0400,
        TRUSTED = 0x1000, COPY = 0x2000, COMPRESS = 0x4000, UNCOMPRESSED = 0x8000, OPAQUE = 0x0001,
        CHUNKS = 0x01, RELAY = 0x02, PLAIN_GET = 0x04, REQUIRE_SUBPROTOCOL = 0x08, DROP_AFTER_CLOSE = 0x10,
        WANTS_READ = 0x01, WANTS_WRITE = 0x02, WANTS_RX = 0x04, WANTS_TX = 0x08, WANTS_DECISION = 0x10,
        WANTS_SHUT_WR = 0x20, WANTS_CLOSE = 0x40, WANTS_NEXT = 0x80, WANTS_DEFLATE = 0x100,
        WANTS_INFLATE = 0x200, FREE_DEFLATE = 0x400, FREE_INFLATE = 0x800,
        DEFLATE_RESET_OUT = 0x01, DEFLATE_RESET_IN = 0x02, DEFLATE_REQUIRED = 0x04,
    }
    u64 { NEVER = u64::MAX }
}

/// Errors by the library's names without TENON_ERR_.
macro_rules! errors {
    ($($name:ident = $value:expr),* $(,)?) => {
        impl crate::Error {
            $(pub const $name: crate::Error = crate::Error($value);)*
        }

        /// For tests: each error by its name.
        pub fn errors(mut tell: impl FnMut(&str, i32)) {
            $(tell(stringify!($name), $value);)*
        }
    };
}

errors! {
    NULL = -1, SIZE = -2, ARG = -3, STATE = -4, REENTRY = -5, BUSY = -6, AGAIN = -7, TOO_BIG = -8, UTF8 = -9,
    CODE = -10, CONTROL_SIZE = -11, RANDOM = -12, HEADER = -13, URI = -14, SUBPROTOCOL = -15, EXTENSION = -16,
    ACK = -17, STATUS = -18, PROTOCOL = -19, IO = -20,
}
