// SPDX-License-Identifier: MIT
//! What the Rust binding declares, for layout.py.

fn main() {
    tenon::sys::layout(|owner, field, size, offset| {
        if field.is_empty() {
            println!("struct {} {}", owner, size);
        } else {
            println!("field {} {} {} {}", owner, field.trim_end_matches('_'), offset, size);
        }
    });
    // 64 bits are printed as C prints them.
    tenon::numbers::numbers(|name, value| println!("number TENON_{} {}", name, value as i64));
    tenon::numbers::errors(|name, value| println!("number TENON_ERR_{} {}", name, value));
}
