//! What findings, Events and objects of ours are known again by.

use std::fmt::Write;

use sha2::{Digest, Sha256};

/// 128 bits of the digest of some texts, in hexadecimal digits.
#[must_use]
pub fn digest(parts: &[&str]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part.as_bytes());
        digest.update([0]);
    }
    first_half(&digest.finalize())
}

/// The first 128 of 256 bits, in hexadecimal digits.
pub(crate) fn first_half(digest: &[u8]) -> String {
    let mut text = String::with_capacity(32);
    for byte in digest.iter().take(16) {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
