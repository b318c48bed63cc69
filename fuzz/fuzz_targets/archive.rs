//! Bytes to look for secrets in, as an archive.
#![no_main]

#[path = "../holds.rs"]
mod holds;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| holds::for_archives(bytes));
