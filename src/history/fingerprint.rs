//! Tells the same secret again without telling it: a digest with a key.

use std::fs::File;
use std::io::{self, Read};

use sha2::{Digest, Sha256};

use crate::api::digest::first_half;
use crate::secrets::Leak;
use crate::secrets::inline::Trace;

/// What SHA-256 takes in at once.
const BLOCK: usize = 64;
/// The shortest key that somebody may bring.
const SHORTEST: usize = 16;
/// Lines that belong to a value that begins behind its name.
const MORE: usize = 3;

/// Keys fingerprints. Reports with the same key can be compared, and nobody without it can try values.
pub struct Key([u8; BLOCK]);

impl Key {
    /// A key of a file.
    ///
    /// # Errors
    /// It is too short to be one.
    pub fn new(bytes: &[u8]) -> Result<Self, io::Error> {
        let bytes = bytes.trim_ascii();
        if bytes.len() < SHORTEST {
            let message = format!("a key has at least {SHORTEST} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        let mut key = [0; BLOCK];
        if bytes.len() > BLOCK {
            key[..32].copy_from_slice(&Sha256::digest(bytes));
        } else {
            key[..bytes.len()].copy_from_slice(bytes);
        }
        Ok(Self(key))
    }

    /// A key for this once.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn random() -> Result<Self, io::Error> {
        let mut bytes = [0; 32];
        File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        let mut key = [0; BLOCK];
        key[..32].copy_from_slice(&bytes);
        Ok(Self(key))
    }

    /// The fingerprint of what stands where a leak is.
    pub(super) fn fingerprint(&self, leak: &Leak, content: &[u8]) -> String {
        first_half(&self.digest(text_of(leak, content)))
    }

    /// HMAC of SHA-256.
    fn digest(&self, text: &[u8]) -> [u8; 32] {
        let mut inner = Sha256::new();
        inner.update(self.0.map(|byte| byte ^ 0x36));
        inner.update(text);
        let mut outer = Sha256::new();
        outer.update(self.0.map(|byte| byte ^ 0x5c));
        outer.update(inner.finalize());
        outer.finalize().into()
    }
}

/// The line of a leak, without what is around it; more where its value begins behind it.
fn text_of<'a>(leak: &Leak, content: &'a [u8]) -> &'a [u8] {
    let mut lines = content.split_inclusive(|byte| *byte == b'\n');
    let before = usize::try_from(leak.line).unwrap_or(1).saturating_sub(1);
    let start: usize = lines.by_ref().take(before).map(<[u8]>::len).sum();
    let Some(line) = lines.next() else {
        return content;
    };
    let goes_on = [&b"|"[..], b"|-", b"|+", b">", b">-", b">+", b"-----"]
        .iter()
        .any(|end| line.trim_ascii_end().ends_with(end));
    let more: usize = if goes_on || leak.trace == Trace::PrivateKey {
        lines.take(MORE).map(<[u8]>::len).sum()
    } else {
        0
    };
    content[start..start + line.len() + more].trim_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_the_standard() {
        // RFC 4231, the second case; its key is too short for anybody else.
        let mut key = [0; BLOCK];
        key[..4].copy_from_slice(b"Jefe");
        let digest = Key(key).digest(b"what do ya want for nothing?");
        assert_eq!(digest[..4], [0x5b, 0xdc, 0xc1, 0x46]);
    }

    #[test]
    fn a_key_is_long_enough() {
        assert!(Key::new(b"short\n").is_err());
        assert!(Key::new(&[1; 200]).is_ok());
    }
}
