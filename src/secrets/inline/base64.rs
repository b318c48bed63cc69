//! Data of a Secret are written in base64, placeholders among them.

use super::super::sops;
use super::shapes::{self, Literal};

/// Longer data are no placeholder; and a file of SOPS says so at its end.
const LONGEST: usize = 1024 * 1024;

/// What the datum of a Secret is when it stands for itself, in base64 or as it is.
pub(super) fn datum(text: &str) -> Option<Literal> {
    let literal = shapes::datum(text)?;
    let decoded = decode(text).and_then(|bytes| String::from_utf8(bytes).ok());
    match decoded {
        Some(decoded) if sops::is_file(&decoded) || shapes::datum(&decoded).is_none() => None,
        _ => Some(literal),
    }
}

/// The bytes; `None`: it is no base64, or too much of it.
fn decode(text: &str) -> Option<Vec<u8>> {
    let text = text.trim();
    if text.len() > LONGEST || !text.len().is_multiple_of(4) {
        return None;
    }
    let digits = text.trim_end_matches('=');
    if text.len() - digits.len() > 2 {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0_u32, 0_u32);
    for digit in digits.bytes() {
        bits = bits << 6 | u32::from(value(digit)?);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    Some(bytes)
}

fn value(digit: u8) -> Option<u8> {
    Some(match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_decoded() {
        for (text, bytes) in [
            ("", Some("")),
            ("YQ==", Some("a")),
            ("YWI=", Some("ab")),
            ("YWJj", Some("abc")),
            ("Y2hhbmdlbWU=", Some("changeme")),
            ("YWJ", None),
            ("YW Jj", None),
            ("Y===", None),
        ] {
            assert_eq!(decode(text), bytes.map(|it| it.as_bytes().to_vec()), "{text}");
        }
    }

    #[test]
    fn placeholders_in_base64_are_placeholders() {
        for text in ["Y2hhbmdlbWU=", "JHtQQVNTV09SRH0=", "", "${PASSWORD}"] {
            assert_eq!(datum(text), None, "{text}");
        }
        for text in [
            "aHVudGVyMg==",
            "hunter2",
            "//79/A==",
            "JDJ5JDEwJGFiY2RlZmdoaWprbG1ub3BxcnN0dXY=",
        ] {
            assert!(datum(text).is_some(), "{text}");
        }
    }
}
