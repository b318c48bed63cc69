//! A bundle of Git to scan.
#![no_main]

#[path = "../histories.rs"]
mod histories;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| histories::for_histories(bytes));
