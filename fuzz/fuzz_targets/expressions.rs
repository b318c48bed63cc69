//! An expression in CEL to compile, and to ask an object.
#![no_main]

#[path = "../texts.rs"]
mod texts;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| texts::for_expressions(bytes));
