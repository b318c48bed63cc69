//! What a scraper takes of `/metrics`, strictly: the text format of Prometheus, version 0.0.4.

use std::collections::{BTreeMap, BTreeSet};
use std::iter::Peekable;
use std::str::Chars;

use super::harmless::is_obeyed;

/// One series of a scrape.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

impl Series {
    /// The value of a label; empty when it is not there.
    pub(crate) fn label(&self, name: &str) -> &str {
        self.labels.get(name).map(String::as_str).unwrap_or_default()
    }
}

/// The series of a scrape. Panics on what a scraper would refuse, and on characters that a terminal would obey.
pub(crate) fn series(text: &str) -> Vec<Series> {
    assert!(
        text.is_empty() || text.ends_with('\n'),
        "the last line is cut off"
    );
    let mut seen = BTreeSet::new();
    let mut typed = BTreeSet::new();
    let mut all = Vec::new();
    for line in text.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            if let Some(family) = comment.strip_prefix("TYPE ") {
                let family = family.split(' ').next().unwrap_or_default();
                assert!(typed.insert(family.to_owned()), "{family} comes twice");
            }
            continue;
        }
        let series = parse(line).unwrap_or_else(|problem| panic!("{problem}: {line:?}"));
        let key = (series.name.clone(), series.labels.clone());
        assert!(seen.insert(key), "twice: {line}");
        let family = |suffix| typed.contains(series.name.trim_end_matches(suffix));
        let is_typed = ["", "_bucket", "_sum", "_count"].into_iter().any(family);
        assert!(is_typed, "of no type: {line}");
        all.push(series);
    }
    all
}

fn parse(line: &str) -> Result<Series, &'static str> {
    let mut rest = line.chars().peekable();
    let name = word(&mut rest)?;
    let mut labels = BTreeMap::new();
    if rest.next_if_eq(&'{').is_some() {
        while rest.next_if_eq(&'}').is_none() {
            let label = word(&mut rest)?;
            if rest.next() != Some('=') {
                return Err("a label without a value");
            }
            if labels.insert(label, quoted(&mut rest)?).is_some() {
                return Err("a label comes twice");
            }
            if rest.next_if_eq(&',').is_none() && rest.peek() != Some(&'}') {
                return Err("no comma between labels");
            }
        }
    }
    if rest.next() != Some(' ') {
        return Err("no space before the value");
    }
    let value = match rest.collect::<String>().as_str() {
        "+Inf" => f64::INFINITY,
        number => number.parse().map_err(|_| "no number")?,
    };
    Ok(Series { name, labels, value })
}

fn word(rest: &mut Peekable<Chars<'_>>) -> Result<String, &'static str> {
    let mut word = String::new();
    while let Some(character) = rest.next_if(|it| it.is_ascii_alphanumeric() || matches!(it, '_' | ':')) {
        word.push(character);
    }
    if word.is_empty() || word.starts_with(|first: char| first.is_ascii_digit()) {
        return Err("no name");
    }
    Ok(word)
}

fn quoted(rest: &mut Peekable<Chars<'_>>) -> Result<String, &'static str> {
    if rest.next() != Some('"') {
        return Err("a value without quotes");
    }
    let mut value = String::new();
    loop {
        match rest.next().ok_or("a value without an end")? {
            '"' => return Ok(value),
            '\\' => value.push(match rest.next() {
                Some('n') => '\n',
                Some(character @ ('\\' | '"')) => character,
                _ => return Err("an escape that nobody knows"),
            }),
            character if is_obeyed(character) => return Err("a control character"),
            character => value.push(character),
        }
    }
}
