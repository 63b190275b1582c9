// SPDX-License-Identifier: MIT
//! The opening handshake: heads, answers, refusals, requests.

use std::os::raw::c_char;
use std::ptr;

use crate::memory::{pointer_of, Headers, Text};
use crate::numbers::*;
use crate::sys;
use crate::Error;

/// The head of a request or of an answer, as it lies in the connection's buffer.
pub struct Head<'a> {
    raw: sys::tenon_head,
    _lies_in: &'a crate::Conn,
}

/// How to accept.
#[derive(Default)]
pub struct Answer<'a> {
    pub subprotocol: Option<&'a [u8]>,
    pub extensions: Option<&'a [u8]>,
    pub headers: &'a [(&'a [u8], &'a [u8])],
}

/// How to refuse.
#[derive(Default)]
pub struct Refusal<'a> {
    pub status: u16,
    pub reason: Option<&'a [u8]>,
    pub headers: &'a [(&'a [u8], &'a [u8])],
    pub body: &'a [u8],
    pub flags: u32,
    pub cookie: u64,
}

/// What to ask for: a URI, or authority and target.
#[derive(Default)]
pub struct Request<'a> {
    pub uri: Option<&'a [u8]>,
    pub authority: Option<&'a [u8]>,
    pub target: Option<&'a [u8]>,
    pub origin: Option<&'a [u8]>,
    pub subprotocols: &'a [&'a [u8]],
    pub extensions: Option<&'a [u8]>,
    pub headers: &'a [(&'a [u8], &'a [u8])],
}

impl<'a> Head<'a> {
    /// raw must be the head of conn that is readable now.
    pub(crate) unsafe fn new(conn: &'a crate::Conn, raw: sys::tenon_head) -> Head<'a> {
        Head { raw, _lies_in: conn }
    }

    fn slice(part: &sys::tenon_str) -> Option<&'a [u8]> {
        if part.data.is_null() {
            return None;
        }
        Some(unsafe { std::slice::from_raw_parts(part.data as *const u8, part.size) })
    }

    pub fn method(&self) -> &'a [u8] {
        Head::slice(&self.raw.method).unwrap_or(&[])
    }

    pub fn target(&self) -> &'a [u8] {
        Head::slice(&self.raw.target).unwrap_or(&[])
    }

    pub fn authority(&self) -> &'a [u8] {
        Head::slice(&self.raw.authority).unwrap_or(&[])
    }

    pub fn origin(&self) -> Option<&'a [u8]> {
        Head::slice(&self.raw.origin)
    }

    pub fn reason(&self) -> &'a [u8] {
        Head::slice(&self.raw.reason).unwrap_or(&[])
    }

    pub fn status(&self) -> u16 {
        self.raw.status
    }

    pub fn version(&self) -> u16 {
        self.raw.version
    }

    /// Names and values, in order.
    pub fn fields(&self) -> Vec<(&'a [u8], &'a [u8])> {
        let mut found = Vec::new();
        let mut position = 0;
        let mut field = sys::tenon_header::zeroed();
        while unsafe { sys::tenon_header_next(&self.raw.fields, &mut position, &mut field) } == OK {
            let name = sys::tenon_str { data: field.name, size: field.name_size };
            let value = sys::tenon_str { data: field.value, size: field.value_size };
            found.push((Head::slice(&name).unwrap_or(&[]), Head::slice(&value).unwrap_or(&[])));
        }
        found
    }

    /// The first field of that name, in any case.
    pub fn find(&self, name: &str) -> Option<&'a [u8]> {
        self.fields().into_iter().find(|(one, _)| one.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
    }
}

/// A request and all that it points to, which is borrowed until it is decided.
pub(crate) struct Borrowed {
    pub raw: sys::tenon_request,
    _texts: Vec<Option<Text>>,
    _names: Vec<Text>,
    _pointers: Vec<*const c_char>,
    _headers: Headers,
}

impl Borrowed {
    pub fn new(request: &Request<'_>) -> Result<Borrowed, Error> {
        let parts = [request.uri, request.authority, request.target, request.origin, request.extensions];
        let texts: Vec<Option<Text>> = parts.iter().map(|part| part.map(Text::new)).collect();
        let names: Vec<Text> = request.subprotocols.iter().map(|name| Text::new(name)).collect();
        if !names.iter().chain(texts.iter().flatten()).all(Text::is_string) {
            return Err(Error::ARG);
        }
        let pointers: Vec<*const c_char> = names.iter().map(Text::pointer).collect();
        let headers = Headers::new(request.headers);
        let mut raw = sys::tenon_request::zeroed();
        raw.size = std::mem::size_of::<sys::tenon_request>() as u32;
        raw.uri = pointer_of(&texts[0]);
        raw.authority = pointer_of(&texts[1]);
        raw.target = pointer_of(&texts[2]);
        raw.origin = pointer_of(&texts[3]);
        raw.extensions = pointer_of(&texts[4]);
        raw.subprotocols = if pointers.is_empty() { ptr::null() } else { pointers.as_ptr() };
        raw.subprotocol_count = pointers.len();
        raw.headers = headers.pointer();
        raw.header_count = headers.count();
        Ok(Borrowed { raw, _texts: texts, _names: names, _pointers: pointers, _headers: headers })
    }
}
