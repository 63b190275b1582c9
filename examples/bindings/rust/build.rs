// SPDX-License-Identifier: MIT
// Where the linker finds libtenon.so, if that is not where it looks by itself.
fn main() {
    println!("cargo:rerun-if-env-changed=TENON_LIBRARY_DIR");
    if let Ok(directory) = std::env::var("TENON_LIBRARY_DIR") {
        println!("cargo:rustc-link-search=native={}", directory);
    }
}
