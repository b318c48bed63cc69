//! Bytes to look for secrets in, as a file of each format.
#![no_main]

#[path = "../texts.rs"]
mod texts;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| texts::for_files(bytes));
