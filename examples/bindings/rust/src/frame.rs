// SPDX-License-Identifier: MIT
//! frame.h, and URIs: functions without a connection.

use std::os::raw::c_void;
use std::ptr;

use crate::memory::Text;
use crate::numbers::*;
use crate::sys;
use crate::{check, Error};

/// A frame's header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame {
    pub first: u8,
    pub payload_size: u64,
    pub key: Option<[u8; 4]>,
    pub header_size: usize,
}

pub fn frame_encode(first: u8, payload_size: u64, key: Option<[u8; 4]>) -> Result<Vec<u8>, Error> {
    let mut out = vec![0; FRAME_HEADER_MAX];
    let mut size = 0;
    let frame = sys::tenon_frame {
        payload_size,
        first,
        masked: key.is_some() as u8,
        key: key.unwrap_or([0; 4]),
        header_size: 0,
        reserved: 0,
    };
    check(unsafe { sys::tenon_frame_encode(&frame, out.as_mut_ptr(), &mut size) })?;
    out.truncate(size);
    Ok(out)
}

/// None: good so far, more octets are needed.
pub fn frame_decode(data: &[u8]) -> Result<Option<Frame>, Error> {
    let mut frame = sys::tenon_frame::zeroed();
    let status = check(unsafe {
        sys::tenon_frame_decode(data.as_ptr() as *const c_void, data.len(), &mut frame, ptr::null_mut(), ptr::null_mut())
    })?;
    if status == WAIT {
        return Ok(None);
    }
    Ok(Some(Frame {
        first: frame.first,
        payload_size: frame.payload_size,
        key: if frame.masked != 0 { Some(frame.key) } else { None },
        header_size: usize::from(frame.header_size),
    }))
}

/// Masks or unmasks where the octets are; the phase for what follows.
pub fn mask(data: &mut [u8], key: [u8; 4], phase: usize) -> usize {
    let at = data.as_mut_ptr() as *mut c_void;
    unsafe { sys::tenon_mask(at, at, data.len(), key.as_ptr(), phase % 4) }
}

/// The parts of a ws: or wss: URI that a connection needs.
pub struct Uri {
    pub host: String,
    pub authority: String,
    pub port: u16,
    pub secure: bool,
}

pub fn uri_parse(uri: &str) -> Result<Uri, Error> {
    let text = Text::new(uri.as_bytes());
    if !text.is_string() {
        return Err(Error::URI);
    }
    let mut raw = sys::tenon_uri::zeroed();
    check(unsafe { sys::tenon_uri_parse(text.pointer(), text.size(), &mut raw, ptr::null_mut()) })?;
    let owned = |part: &sys::tenon_str| {
        let octets = unsafe { std::slice::from_raw_parts(part.data as *const u8, part.size) };
        String::from_utf8_lossy(octets).into_owned()
    };
    Ok(Uri { host: owned(&raw.host), authority: owned(&raw.authority), port: raw.port, secure: raw.secure != 0 })
}
