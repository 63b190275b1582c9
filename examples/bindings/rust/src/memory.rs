// SPDX-License-Identifier: MIT
//! Memory that the library has borrowed. It is reached through raw pointers alone while it
//! is lent: a Box or a Vec would claim that nobody else looks at it.

use std::os::raw::{c_char, c_void};
use std::ptr;

use crate::sys::tenon_header;

/// Zeroed octets that do not move, aligned for any type of the library; perhaps none.
pub struct Block {
    words: *mut [u64],
    size: usize,
}

impl Block {
    pub fn new(size: usize) -> Block {
        let words = vec![0u64; size / 8 + usize::from(size % 8 != 0)].into_boxed_slice();
        Block { words: Box::into_raw(words), size }
    }

    pub fn size(&self) -> usize {
        self.size
    }

    /// NULL if it has no octets: that is how the library is told that there is none.
    pub fn pointer(&self) -> *mut c_void {
        if self.size == 0 {
            ptr::null_mut()
        } else {
            self.words as *mut c_void
        }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        unsafe { drop(Box::from_raw(self.words)) }
    }
}

/// A value that does not move while C has its address.
pub struct Pinned<T>(*mut T);

impl<T> Pinned<T> {
    pub fn new(value: T) -> Pinned<T> {
        Pinned(Box::into_raw(Box::new(value)))
    }

    pub fn pointer(&self) -> *mut T {
        self.0
    }
}

impl<T> Drop for Pinned<T> {
    fn drop(&mut self) {
        unsafe { drop(Box::from_raw(self.0)) }
    }
}

/// Received octets while they are lent.
pub struct Lent {
    data: *mut u8,
    size: usize,
    room: usize,
}

impl Lent {
    pub fn new(octets: Vec<u8>) -> Lent {
        let mut octets = std::mem::ManuallyDrop::new(octets);
        Lent { data: octets.as_mut_ptr(), size: octets.len(), room: octets.capacity() }
    }

    pub fn pointer(&self) -> *mut c_void {
        self.data as *mut c_void
    }

    pub fn size(&self) -> usize {
        self.size
    }

    /// The octets again, when the lend is over.
    pub fn into_vec(self) -> Vec<u8> {
        let lent = std::mem::ManuallyDrop::new(self);
        unsafe { Vec::from_raw_parts(lent.data, lent.size, lent.room) }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        unsafe { drop(Vec::from_raw_parts(self.data, self.size, self.room)) }
    }
}

/// Octets with NUL behind them. Where the library takes a size of 0 for "ends with NUL", an
/// empty slice of Rust would have it read on from an address where there is nothing.
pub struct Text(Vec<u8>);

impl Text {
    pub fn new(octets: &[u8]) -> Text {
        let mut text = octets.to_vec();
        text.push(0);
        Text(text)
    }

    pub fn pointer(&self) -> *const c_char {
        self.0.as_ptr() as *const c_char
    }

    pub fn size(&self) -> usize {
        self.0.len() - 1
    }

    /// Whether it ends where a string of C would.
    pub fn is_string(&self) -> bool {
        !self.0[..self.size()].contains(&0)
    }
}

pub fn pointer_of(text: &Option<Text>) -> *const c_char {
    text.as_ref().map_or(ptr::null(), Text::pointer)
}

pub fn size_of(text: &Option<Text>) -> usize {
    text.as_ref().map_or(0, Text::size)
}

/// Header fields as the library takes them.
pub struct Headers {
    raw: Vec<tenon_header>,
    _texts: Vec<Text>,
}

impl Headers {
    pub fn new(fields: &[(&[u8], &[u8])]) -> Headers {
        let mut raw = Vec::new();
        let mut texts = Vec::new();
        for (name, value) in fields {
            let (name, value) = (Text::new(name), Text::new(value));
            raw.push(tenon_header {
                name: name.pointer(),
                value: value.pointer(),
                name_size: name.size(),
                value_size: value.size(),
            });
            texts.push(name);
            texts.push(value);
        }
        Headers { raw, _texts: texts }
    }

    pub fn pointer(&self) -> *const tenon_header {
        self.raw.as_ptr()
    }

    pub fn count(&self) -> usize {
        self.raw.len()
    }
}
