//! Regular expressions as Kubernetes reads them: in Go's syntax, where `\d`, `\w`, `\s` and `\b` mean ASCII.

use std::sync::Arc;

use cel::common::types::Type;
use regex::{Regex, RegexBuilder};

/// Bytes that a compiled pattern may take, and those that its matching may keep.
const MOST_BYTES: usize = 64 * 1024;

static PATTERN: Type = Type::new_unspecified_type("pattern");

/// A pattern, compiled once for all objects.
#[derive(Clone, Debug)]
pub(super) struct Pattern(pub(super) Arc<Regex>);

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// It is none, or is too large.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let mut builder = RegexBuilder::new(&as_ascii(text)?);
        builder.size_limit(MOST_BYTES).dfa_size_limit(MOST_BYTES);
        match builder.build() {
            Ok(regex) => Ok(Self(Arc::new(regex))),
            Err(regex::Error::CompiledTooBig(_)) => Err("the pattern is too large".to_owned()),
            Err(_) => Err("the pattern is no regular expression of RE2".to_owned()),
        }
    }
}

/// The same with classes of ASCII. What only one of both libraries knows, or understands otherwise, is refused.
fn as_ascii(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    let mut in_class = false;
    while let Some(character) = characters.next() {
        match character {
            '\\' => {
                let escaped = characters.next().ok_or("the pattern ends with a backslash")?;
                match (escaped, in_class) {
                    ('d', true) => out.push_str("0-9"),
                    ('w', true) => out.push_str("0-9A-Za-z_"),
                    ('s', true) => out.push_str(r"\t\n\f\r "),
                    ('d', false) => out.push_str("[0-9]"),
                    ('w', false) => out.push_str("[0-9A-Za-z_]"),
                    ('s', false) => out.push_str(r"[\t\n\f\r ]"),
                    ('D', _) => out.push_str("[^0-9]"),
                    ('W', _) => out.push_str("[^0-9A-Za-z_]"),
                    ('S', _) => out.push_str(r"[^\t\n\f\r ]"),
                    ('b', false) => out.push_str(r"(?-u:\b)"),
                    ('A' | 'z' | 'a' | 'f' | 'n' | 'r' | 't' | 'v' | 'p' | 'P' | 'x', _) => {
                        out.push('\\');
                        out.push(escaped);
                    }
                    (escaped, _) if escaped.is_ascii_punctuation() => {
                        out.push('\\');
                        out.push(escaped);
                    }
                    _ => return Err(format!(r"the pattern has \{escaped}, which is not offered")),
                }
            }
            '[' if in_class && characters.peek() != Some(&':') => out.push_str(r"\["),
            '[' => {
                out.push('[');
                if in_class {
                    // `[:alpha:]`
                    for character in characters.by_ref() {
                        out.push(character);
                        if character == ']' {
                            break;
                        }
                    }
                    continue;
                }
                in_class = true;
                if characters.next_if_eq(&'^').is_some() {
                    out.push('^');
                }
                if characters.next_if_eq(&']').is_some() {
                    out.push_str(r"\]");
                }
            }
            ']' => {
                in_class = false;
                out.push(']');
            }
            // Signs of operations on classes, which Go does not know.
            '&' | '~' if in_class => {
                out.push('\\');
                out.push(character);
            }
            '-' if in_class && characters.peek() == Some(&'-') => {
                out.push_str(r"\-");
            }
            _ => out.push(character),
        }
    }
    Ok(out)
}

opaque!(Pattern, PATTERN);

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::Pattern;

    #[test]
    fn classes_are_of_ascii_as_in_go() {
        for (pattern, text, is_match) in [
            (r"^\d+$", "12", true),
            (r"^\d+$", "١٢", false),
            (r"^[\w.]+$", "a_1.b", true),
            (r"^\w+$", "é", false),
            (r"^\S$", "é", true),
            (r"^\s$", "\u{a0}", false),
            (r"\bend\b", "the end", true),
            (r"^[[:alpha:]]+$", "ab", true),
            (r"^[]a]+$", "]a", true),
            (r"^[a[]+$", "[a", true),
            (r"^[a&&b]+$", "&", true),
            (r"^.$", "é", true),
            (r"^\p{L}+$", "é", true),
        ] {
            assert_eq!(
                Pattern::new(pattern).unwrap().0.is_match(text),
                is_match,
                "{pattern} {text}"
            );
        }
    }

    #[test]
    fn what_go_does_not_take_or_what_takes_all_memory_is_refused() {
        for pattern in ["(", r"\", r"\q", "a**b(", r"(?P<n>", "(a{500}){500}", r"\1"] {
            assert!(Pattern::new(pattern).is_err(), "{pattern}");
        }
    }
}
