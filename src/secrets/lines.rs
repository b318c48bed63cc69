//! Files that are no YAML and no JSON: lines that give themselves away, and settings.

use super::inline::{self, Trace};
use super::sops;

/// What lines give away, whatever the file is.
pub(super) struct Lines<'a> {
    text: &'a str,
    /// Where the last line ended that was looked at.
    done: usize,
    /// The line that begins or goes on there, from 1.
    counted: (u32, usize),
}

/// A line that gives something away.
pub(super) struct Traced {
    pub(super) line: u32,
    pub(super) trace: Trace,
    /// Whether that is a key which opens what is encrypted.
    pub(super) is_master: bool,
}

impl<'a> Lines<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self {
            text,
            done: 0,
            counted: (1, 0),
        }
    }

    /// What the line of a clue gives away, unless that was asked before. Clues come line by line.
    pub(super) fn at(&mut self, clue: usize) -> Option<Traced> {
        if clue < self.done {
            return None;
        }
        let start = self.text[..clue].rfind('\n').map_or(0, |end| end + 1);
        let end = self.text[clue..]
            .find('\n')
            .map_or(self.text.len(), |end| clue + end);
        self.done = end;
        let trace = inline::trace_within(self.text, start, end)?;
        let (line, from) = &mut self.counted;
        for _ in self.text[*from..start].matches('\n') {
            *line = line.saturating_add(1);
        }
        *from = start;
        let is_key = |key: &str| self.text[start..end].contains(key);
        Some(Traced {
            line: *line,
            trace,
            is_master: trace == Trace::PrivateKey && ["AGE-", "PGP PRIVATE"].into_iter().any(is_key),
        })
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

/// What a script assigns to variables, as far as that is a literal.
pub(super) fn assignments(text: &str) -> impl Iterator<Item = Setting<'_>> {
    (1..).zip(text.lines()).filter_map(|(line, text)| {
        let (name, value) = inline::assignment(text)?;
        Some(Setting { line, name, value })
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
        let mut lines = Lines::new(&text);
        let clues = (0..text.len()).filter(|at| text.as_bytes()[*at] != b'\n');
        let found: Vec<u32> = clues
            .filter_map(|clue| lines.at(clue))
            .map(|it| it.line)
            .collect();
        assert_eq!(found, [2, 3, 5]);
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
