//! Tells the same secret again without telling it: a digest with a key.

use std::fs::File;
use std::io::{self, Read};

use ring::hmac;

use crate::api::digest::first_half;
use crate::secrets::Leak;
use crate::secrets::inline::Trace;

/// The shortest key that somebody may bring.
const SHORTEST: usize = 16;
/// Lines that belong to a value that begins behind its name.
const MORE: usize = 3;

/// Keys fingerprints. Reports with the same key can be compared, and nobody without it can try values.
pub struct Key(hmac::Key);

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
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, bytes)))
    }

    /// A key for this once.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn random() -> Result<Self, io::Error> {
        let mut bytes = [0; 32];
        File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    /// The fingerprint of what stands where a leak is.
    pub(super) fn fingerprint(&self, leak: &Leak, content: &[u8]) -> String {
        first_half(hmac::sign(&self.0, text_of(leak, content)).as_ref())
    }
}

/// The line of a leak, without what is around it; more where its value begins behind it; all of a file that a Secret is
/// made of.
fn text_of<'a>(leak: &Leak, content: &'a [u8]) -> &'a [u8] {
    if leak.trace == Trace::Generated && leak.field.is_empty() {
        return content.trim_ascii();
    }
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
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::secrets::generator;

    #[test]
    fn digests_are_those_of_the_standard() {
        // RFC 4231, the second case; its key is too short for anybody else.
        let key = Key(hmac::Key::new(hmac::HMAC_SHA256, b"Jefe"));
        let leak = generator::leak("", "a.env", b"A=b").unwrap();
        let fingerprint = key.fingerprint(&leak, b"what do ya want for nothing?");
        assert_eq!(fingerprint, "5bdcc146bf60754e6a042426089575c7");
    }

    #[test]
    fn a_key_is_long_enough() {
        assert!(Key::new(b"short\n").is_err());
        assert!(Key::new(&[1; 200]).is_ok());
    }
}
