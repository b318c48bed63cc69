//! Bytes to read as the report of another scanner, and as a baseline.
#![no_main]

#[path = "../texts.rs"]
mod texts;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| texts::for_reports(bytes));
