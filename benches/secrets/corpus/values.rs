//! Values that nobody uses.

use super::super::random::Random;

/// Makes up values, the same in every run.
pub(crate) struct Values(Random);

const NAMES: [&str; 12] = [
    "checkout", "billing", "grafana", "postgres", "gateway", "search", "mailer", "ledger", "catalog",
    "frontend", "loki", "harbor",
];
const LOWER: &[u8] = b"abcdefghijklmnopqrstuvwxyz";
const UPPER: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const DIGITS: &[u8] = b"0123456789";

impl Values {
    pub(crate) const fn new() -> Self {
        Self(Random(0x5ec2_e75e))
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0.below(limit)
    }

    pub(crate) fn one_of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.0.below(choices.len())]
    }

    pub(crate) fn name(&mut self) -> String {
        format!("{}-{}", self.one_of(&NAMES), self.below(90) + 10)
    }

    fn letters(&mut self, count: usize, of: &[&[u8]]) -> String {
        let all = of.concat();
        (0..count)
            .map(|_| char::from(all[self.0.below(all.len())]))
            .collect()
    }

    pub(crate) fn hex(&mut self, count: usize) -> String {
        self.letters(count, &[b"0123456789abcdef"])
    }

    pub(crate) fn alphanumeric(&mut self, count: usize) -> String {
        self.letters(count, &[LOWER, UPPER, DIGITS])
    }

    /// A password as people and programs choose them.
    pub(crate) fn password(&mut self) -> String {
        match self.below(4) {
            0 => format!(
                "{}{}!",
                self.one_of(&["Sommer", "Tulpe", "Correct", "Winter", "Horse"]),
                self.below(9000) + 1000
            ),
            1 => {
                let words = ["battery", "staple", "orbit", "velvet", "marble", "copper"];
                format!(
                    "{}-{}-{}",
                    self.one_of(&words),
                    self.one_of(&words),
                    self.below(900) + 100
                )
            }
            2 => {
                let length = 10 + self.below(14);
                self.alphanumeric(length)
            }
            _ => {
                let (before, behind) = (self.alphanumeric(6), self.alphanumeric(6));
                format!("{before}{}{behind}", self.one_of(&["_", "-", "!", "+", "."]))
            }
        }
    }

    /// What a program would choose.
    pub(crate) fn token(&mut self) -> String {
        let length = 24 + self.below(16);
        self.alphanumeric(length)
    }

    pub(crate) fn base64_of(&mut self, bytes: usize) -> String {
        let text = self.alphanumeric(bytes);
        base64(text.as_bytes())
    }

    pub(crate) fn uuid(&mut self) -> String {
        [8, 4, 4, 4, 12].map(|count| self.hex(count)).join("-")
    }

    /// Fills a pattern: `{A36}` are 36 letters and digits, `H` are hexadecimal, `D` digits, `U` capitals and digits, `L`
    /// small letters and digits, `B` what base32 has, `S` what base64 has, `W` what it has in addresses, `M` letters alone,
    /// `Q` what keys of age are written with, `N` a number in base64.
    pub(crate) fn fill(&mut self, pattern: &str) -> String {
        let mut whole = String::new();
        for part in pattern.split('{') {
            let Some((class, rest)) = part.split_once('}') else {
                whole.push_str(part);
                continue;
            };
            let count = class[1..].parse().unwrap_or_default();
            let letters = match &class[..1] {
                "H" => self.hex(count),
                "D" => self.letters(count, &[DIGITS]),
                "U" => self.letters(count, &[UPPER, DIGITS]),
                "L" => self.letters(count, &[LOWER, DIGITS]),
                "B" => self.letters(count, &[UPPER, b"234567"]),
                "S" => self.letters(count, &[LOWER, UPPER, DIGITS, b"+/"]),
                "W" => {
                    self.letters(count.saturating_sub(1), &[LOWER, UPPER, DIGITS, b"_-"])
                        + &self.alphanumeric(1)
                }
                "M" => self.letters(count, &[LOWER, UPPER]),
                "Q" => self.letters(count, &[b"QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L"]),
                "N" => {
                    let number = self.letters(count - 1, &[DIGITS]);
                    base64(format!("1{number}").as_bytes())
                        .trim_end_matches('=')
                        .to_owned()
                }
                _ => self.alphanumeric(count),
            };
            whole.push_str(&letters);
            whole.push_str(rest);
        }
        whole
    }

    /// A value that looks as if SOPS had encrypted it.
    pub(crate) fn encrypted(&mut self) -> String {
        let length = 8 + self.below(24);
        let [data, iv, tag] = [length, 32, 16].map(|bytes| self.base64_of(bytes));
        format!("ENC[AES256_GCM,data:{data},iv:{iv},tag:{tag},type:str]")
    }

    /// What SOPS writes behind what it has encrypted.
    pub(crate) fn sops(&mut self, selector: &str) -> String {
        let (recipient, enc, mac) = (self.recipient(), self.base64_of(60), self.encrypted());
        format!(
            "sops:\n  age:\n  - recipient: {recipient}\n    enc: |\n      -----BEGIN AGE ENCRYPTED FILE-----\n      {enc}\n      -----END AGE ENCRYPTED FILE-----\n  lastmodified: \"2026-04-01T10:00:00Z\"\n  mac: {mac}\n{selector}  version: 3.13.2\n"
        )
    }

    pub(crate) fn recipient(&mut self) -> String {
        format!("age1{}", self.letters(58, &[b"023456789acdefghjklmnpqrstuvwxyz"]))
    }

    /// A block in a frame, indented.
    pub(crate) fn framed(&mut self, label: &str, indent: &str) -> String {
        let lines: Vec<String> = (0..6)
            .map(|_| format!("{indent}{}\n", self.fill("{S64}")))
            .collect();
        format!(
            "-----BEGIN {label}-----\n{}{indent}-----END {label}-----",
            lines.concat()
        )
    }
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let letters = |chunk: &[u8]| {
        let at = |position: usize| u32::from(chunk.get(position).copied().unwrap_or_default());
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        let letter = |place: usize| char::from(LETTERS[(bits >> (18 - 6 * place) & 63) as usize]);
        let place = |place: usize| if place > chunk.len() { '=' } else { letter(place) };
        (0..4).map(place).collect::<String>()
    };
    bytes.chunks(3).map(letters).collect()
}
