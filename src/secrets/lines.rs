//! Files that are no YAML and no JSON: lines that give themselves away, and settings.

use super::inline::{self, Trace};
use super::{rules, sops};

/// What each line gives away, whatever the file is, and whether that is a key which opens what is encrypted. Lines are
/// counted from 1.
pub(super) fn traces(text: &str) -> Vec<(u32, Trace, bool)> {
    let mut found = Vec::new();
    let mut lines = Lines::new(text);
    let mut done = 0;
    for hint in rules::hints(text) {
        if hint <= done {
            continue;
        }
        let (line, start, end) = lines.at(hint - 1);
        done = end;
        if let Some(trace) = inline::trace_within(text, start, end) {
            let opens = ["AGE-", "PGP PRIVATE"]
                .iter()
                .any(|key| text[start..end].contains(key));
            found.push((line, trace, trace == Trace::PrivateKey && opens));
        }
    }
    found
}

/// Finds lines by bytes that they have, in order.
struct Lines<'a> {
    text: &'a str,
    line: u32,
    start: usize,
}

impl<'a> Lines<'a> {
    const fn new(text: &'a str) -> Self {
        Self {
            text,
            line: 1,
            start: 0,
        }
    }

    /// The line of a byte: its number, its begin, its end.
    fn at(&mut self, byte: usize) -> (u32, usize, usize) {
        let bytes = self.text.as_bytes();
        for (at, _) in bytes
            .iter()
            .enumerate()
            .take(byte)
            .skip(self.start)
            .filter(|(_, it)| **it == b'\n')
        {
            self.line += 1;
            self.start = at + 1;
        }
        let rest = &bytes[self.start..];
        let end = rest.iter().position(|it| *it == b'\n').unwrap_or(rest.len());
        (self.line, self.start, self.start + end)
    }
}

/// A setting: its line, its name, its value.
pub(super) struct Setting<'a> {
    pub(super) line: u32,
    pub(super) name: &'a str,
    pub(super) value: &'a str,
}

/// The settings of `NAME=value` lines, with the section that they are in; empty before the first.
pub(super) fn settings(text: &str) -> impl Iterator<Item = (&str, Setting<'_>)> {
    let mut section = "";
    (1..).zip(text.lines()).filter_map(move |(line, text)| {
        let text = text.trim();
        if let Some(name) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name;
            return None;
        }
        if text.starts_with(['#', ';']) {
            return None;
        }
        let (name, value) = text.split_once('=')?;
        let name = name.trim().trim_start_matches("export ");
        let value = unquoted(value.trim());
        Some((section, Setting { line, name, value }))
    })
}

fn unquoted(text: &str) -> &str {
    let within = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
    within('"').or_else(|| within('\'')).unwrap_or(text)
}

/// What SOPS says in a file of settings.
pub(super) struct Encryption<'a> {
    pub(super) metadata: sops::Metadata,
    /// Settings in plain text that it should have encrypted.
    pub(super) plain: Vec<Setting<'a>>,
}

/// What SOPS says in a file of settings; `None`: nothing.
pub(super) fn encryption(text: &str) -> Option<Encryption<'_>> {
    let own =
        |section: &str, name: &'_ str| section == "sops" || section.is_empty() && name.starts_with("sops_");
    let metadata = settings(text).filter(|(section, setting)| own(section, setting.name));
    let metadata: Vec<(&str, &str)> = metadata
        .map(|(_, setting)| {
            (
                setting.name.strip_prefix("sops_").unwrap_or(setting.name),
                setting.value,
            )
        })
        .collect();
    let says = |wanted: &str| metadata.iter().any(|(name, _)| *name == wanted);
    if !says("mac") && !says("lastmodified") {
        return None;
    }
    let metadata = sops::Metadata::of_flat(metadata.into_iter());
    let is_plain = |section: &str, setting: &Setting<'_>| {
        let keys = [section, setting.name];
        !own(section, setting.name)
            && !setting.value.is_empty()
            && !sops::is_value(setting.value)
            && metadata
                .selector
                .encrypts(&keys[usize::from(section.is_empty())..])
    };
    let plain = settings(text).filter(|(section, setting)| is_plain(section, setting));
    let plain = plain.map(|(_, setting)| setting).collect();
    Some(Encryption { metadata, plain })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted() {
        let token = ["ghp_", "aB3dE5fG7hJ9kL2mN4pQ6rS8tU1vW3xY5zA7"].concat();
        let text = format!("a\n{token}\nb {token} {token}\n\n{token}");
        let found: Vec<u32> = traces(&text).into_iter().map(|(line, ..)| line).collect();
        assert_eq!(found, [2, 3, 5]);
        assert!(traces("").is_empty());
    }

    #[test]
    fn settings_have_sections() {
        let text = "A=1\n# B=2\nexport C = 'x'\n[d]\ne = \"y\"\nf\n";
        let found: Vec<_> = settings(text)
            .map(|(section, it)| (section, it.line, it.name, it.value))
            .collect();
        assert_eq!(found, [("", 1, "A", "1"), ("", 3, "C", "x"), ("d", 5, "e", "y")]);
    }
}
