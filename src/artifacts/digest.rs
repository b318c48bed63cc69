//! The digest of an artifact, as its source tells it.

use sha2::{Digest as _, Sha256, Sha384, Sha512};

/// What the received bytes should have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expected {
    algorithm: Algorithm,
    sum: Box<[u8]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Algorithm {
    Sha256,
    Sha384,
    Sha512,
}

/// A digest on its way.
pub(super) enum Sum {
    Sha256(Sha256),
    Sha384(Sha384),
    Sha512(Sha512),
}

impl Expected {
    /// Reads `algorithm:hex`; `None`: the digest cannot be verified here.
    pub(super) fn parse(digest: &str) -> Option<Self> {
        // Old versions of Flux wrote the sum alone.
        let (name, hex) = digest.split_once(':').unwrap_or(("sha256", digest));
        let (algorithm, length) = match name {
            "sha256" => (Algorithm::Sha256, 32),
            "sha384" => (Algorithm::Sha384, 48),
            "sha512" => (Algorithm::Sha512, 64),
            _ => return None,
        };
        let sum = bytes(hex)?;
        (sum.len() == length).then_some(Self { algorithm, sum })
    }

    /// Begins to add up.
    pub(super) fn sum(&self) -> Sum {
        match self.algorithm {
            Algorithm::Sha256 => Sum::Sha256(Sha256::new()),
            Algorithm::Sha384 => Sum::Sha384(Sha384::new()),
            Algorithm::Sha512 => Sum::Sha512(Sha512::new()),
        }
    }

    /// Whether the sum is the expected one.
    pub(super) fn is(&self, sum: Sum) -> bool {
        *self.sum == *sum.finish()
    }
}

impl Sum {
    pub(super) fn add(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(sum) => sum.update(bytes),
            Self::Sha384(sum) => sum.update(bytes),
            Self::Sha512(sum) => sum.update(bytes),
        }
    }

    fn finish(self) -> Box<[u8]> {
        match self {
            Self::Sha256(sum) => (*sum.finalize()).into(),
            Self::Sha384(sum) => (*sum.finalize()).into(),
            Self::Sha512(sum) => (*sum.finalize()).into(),
        }
    }
}

fn bytes(hex: &str) -> Option<Box<[u8]>> {
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = |pair: &[u8; 2]| u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok();
    let bytes: Option<Box<[u8]>> = pairs.iter().map(byte).collect();
    bytes.filter(|_| rest.is_empty())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Of the text `abc`.
    const SHA256: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn a_sum_is_compared_as_a_whole() {
        for digest in [SHA256.to_owned(), format!("sha256:{SHA256}")] {
            let expected = Expected::parse(&digest).unwrap();
            let mut sum = expected.sum();
            sum.add(b"a");
            sum.add(b"bc");
            assert!(expected.is(sum));
            assert!(!expected.is(expected.sum()));
        }
        for (digest, length) in [("sha384", 96), ("sha512", 128)] {
            let expected = Expected::parse(&format!("{digest}:{}", "0".repeat(length))).unwrap();
            assert!(!expected.is(expected.sum()));
        }
    }

    #[test]
    fn what_is_no_digest_verifies_nothing() {
        let others = [
            String::new(),
            "sha256:".to_owned(),
            format!("sha256:{}", &SHA256[1..]),
            format!("sha256:{}é", &SHA256[2..]),
            format!("sha512:{SHA256}"),
            format!("blake3:{SHA256}"),
            format!("SHA256:{SHA256}"),
        ];
        for digest in others {
            assert_eq!(Expected::parse(&digest), None, "{digest}");
        }
    }
}
