//! Rules for credentials that give themselves away: [`rules.yaml`](./rules.yaml). A keyword has to be there before a
//! pattern is looked for, and a pattern is compiled when it is first needed: a cluster without leaks compiles none.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::{LazyLock, OnceLock};

use regex::bytes::{Captures, Regex, RegexBuilder};
use serde::Deserialize;

use super::clues::{self, Clue};
use super::inline::Trace;

/// Bits a character that a credential has at least.
const ENTROPY: f64 = 2.5;
/// A pattern may become so large.
const LARGEST_PATTERN: usize = 1024 * 1024;
/// Matches of one rule in one text that are looked at.
const MOST_MATCHES: usize = 100;

/// A rule as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    id: String,
    #[serde(default)]
    issuer: Option<String>,
    #[serde(default)]
    what: Option<String>,
    keywords: Vec<String>,
    pattern: String,
    #[serde(default)]
    entropy: Option<f64>,
    #[cfg_attr(not(test), expect(dead_code, reason = "examples are for tests and readers"))]
    finds: Vec<Vec<String>>,
    #[cfg_attr(not(test), expect(dead_code, reason = "examples are for tests and readers"))]
    passes: Vec<Vec<String>>,
}

/// A rule as it is used.
struct Rule {
    id: &'static str,
    trace: Trace,
    pattern: Box<str>,
    entropy: f64,
    compiled: OnceLock<Option<Regex>>,
}

/// All rules, and what leads to them.
struct Rules {
    all: Vec<Rule>,
    /// Keywords, each with the number of its rule.
    keywords: Vec<(u16, Box<str>)>,
}

static RULES: LazyLock<Rules> = LazyLock::new(Rules::read);

#[expect(clippy::expect_used, reason = "a file of the program that tests read")]
fn written() -> Vec<Written> {
    serde_saphyr::from_str(include_str!("rules.yaml"))
        .expect("invariant: the file of the program is well-formed")
}

impl Rules {
    fn read() -> Self {
        let (mut all, mut keywords) = (Vec::new(), Vec::new());
        for (number, written) in (0..).zip(written()) {
            keywords.extend(written.keywords.into_iter().map(|word| (number, word.into())));
            let trace = match (written.issuer, written.what) {
                (Some(issuer), _) => Trace::Token(issuer.leak()),
                (None, what) => Trace::Rule(what.unwrap_or_default().leak()),
            };
            all.push(Rule {
                id: written.id.leak(),
                trace,
                pattern: written.pattern.into(),
                entropy: written.entropy.unwrap_or(ENTROPY),
                compiled: OnceLock::new(),
            });
        }
        Self { all, keywords }
    }
}

/// The keywords of all rules, each with the number of its rule.
pub(super) fn keywords() -> impl Iterator<Item = (u16, &'static str)> {
    RULES.keywords.iter().map(|(number, word)| (*number, &**word))
}

impl Rule {
    fn regex(&self) -> Option<&Regex> {
        let compile = || {
            let mut builder = RegexBuilder::new(&self.pattern);
            builder.unicode(false).size_limit(LARGEST_PATTERN).build().ok()
        };
        self.compiled.get_or_init(compile).as_ref()
    }

    /// Whether the text has such a credential.
    fn finds(&self, text: &str) -> bool {
        let Some(regex) = self.regex() else { return false };
        let is_one = |captures: Captures<'_>| {
            let Some(whole) = captures.get(0) else {
                return false;
            };
            let found = captures.get(1).unwrap_or(whole);
            let Some(credential) = text.get(found.range()) else {
                return false;
            };
            stands_alone(text, found.start(), found.end()) && is_random(credential, self.entropy)
        };
        regex
            .captures_iter(text.as_bytes())
            .take(MOST_MATCHES)
            .any(is_one)
    }
}

/// What a rule says of a text; `None`: none says anything.
pub(super) fn trace(text: &str) -> Option<Trace> {
    find(text).map(|rule| rule.trace)
}

fn find(text: &str) -> Option<&'static Rule> {
    let mut looked: BTreeSet<u16> = BTreeSet::new();
    let found = clues::each(text, |clue, _| {
        if let Clue::Rule(number) = clue
            && let rule = &RULES.all[usize::from(number)]
            && looked.insert(number)
            && rule.finds(text)
        {
            return ControlFlow::Break(rule);
        }
        ControlFlow::Continue(())
    });
    found.break_value()
}

/// Whether nothing that could belong to it stands before or behind a part of a text.
fn stands_alone(text: &str, start: usize, end: usize) -> bool {
    let bytes = text.as_bytes();
    let belongs = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let is_written_out = bytes[..start].ends_with(br"\n") || bytes[..start].ends_with(br"\t");
    let before = start.checked_sub(1).and_then(|at| bytes.get(at));
    (is_written_out || !belongs(before)) && !belongs(bytes.get(end))
}

/// Examples repeat themselves, count, or say what they are.
fn is_random(text: &str, entropy: f64) -> bool {
    const EXAMPLES: [&str; 7] = [
        "EXAMPLE",
        "example",
        "xxxxxxxx",
        "XXXXXXXX",
        "abcdefghij",
        "ABCDEFGHIJ",
        "0123456789",
    ];
    if text.starts_with(['$', '<', '{']) || EXAMPLES.iter().any(|example| text.contains(example)) {
        return false;
    }
    entropy_of(text) >= entropy
}

/// Shannon's entropy in bits a character.
fn entropy_of(text: &str) -> f64 {
    let mut counts = [0_u32; 256];
    text.bytes().for_each(|byte| counts[usize::from(byte)] += 1);
    let Ok(length) = u32::try_from(text.len()) else {
        return 8.0;
    };
    let length = f64::from(length);
    let share = |count: &u32| f64::from(*count) / length;
    let present = counts.iter().filter(|count| **count > 0);
    -present.map(share).map(|share| share * share.log2()).sum::<f64>()
}

/// The names of all rules.
#[must_use]
pub fn ids() -> Vec<&'static str> {
    RULES.all.iter().map(|rule| rule.id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_finds_what_it_should_and_nothing_else() {
        for written in written() {
            assert!(
                !written.finds.is_empty() && !written.passes.is_empty(),
                "{}",
                written.id
            );
            assert!(
                written.issuer.is_some() != written.what.is_some(),
                "{}",
                written.id
            );
            for parts in written.finds {
                let found = find(&parts.concat()).map(|rule| rule.id);
                assert_eq!(found, Some(written.id.as_str()), "{parts:?}");
                let within = format!("  value: '{}' # a comment", parts.concat());
                assert!(find(&within).is_some(), "{parts:?}");
            }
            for parts in written.passes {
                assert_eq!(find(&parts.concat()).map(|rule| rule.id), None, "{parts:?}");
            }
        }
    }

    #[test]
    fn every_pattern_compiles_and_has_its_keyword() {
        for rule in &RULES.all {
            assert!(rule.regex().is_some(), "{}", rule.id);
        }
        let mut ids = ids();
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count);
        assert!(count >= 60, "{count}");
        for (_, keyword) in keywords() {
            assert!(keyword.len() >= 3, "{keyword}: nothing leads to it");
        }
    }

    #[test]
    fn the_rules_themselves_are_no_leak() {
        for (number, line) in include_str!("rules.yaml").lines().enumerate() {
            assert_eq!(find(line).map(|rule| rule.id), None, "line {}", number + 1);
        }
    }

    #[test]
    fn entropy_is_that_of_shannon() {
        assert!(entropy_of("aaaa").abs() < 1e-9);
        assert!((entropy_of("abcd") - 2.0).abs() < 1e-9);
        assert!((entropy_of("aabb") - 1.0).abs() < 1e-9);
    }
}
