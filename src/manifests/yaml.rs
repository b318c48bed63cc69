//! YAML as JSON text, which projections read; and the lines of fields.

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeOwned, DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, NonFiniteFloatPolicy, Options, Spanned};

use super::plain;

/// How deep a document may be nested: no schema goes half as far, and the stack of a thread bears it.
const DEEPEST: usize = 64;

/// YAML as Kubernetes reads it, within a budget: aliases are no bombs, and a key that comes twice is a mistake.
fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_depth: DEEPEST },
        duplicate_keys: DuplicateKeyPolicy::Error,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        emit_comments: false,
        // A snippet quotes the document, and that may be a Secret.
        with_snippet: false,
    }
}

/// What is wrong with a document.
#[derive(Debug)]
pub(super) struct Broken {
    /// The line within the document, from 1; 0: not known.
    pub(super) line: u32,
    pub(super) message: String,
}

impl From<serde_saphyr::Error> for Broken {
    fn from(error: serde_saphyr::Error) -> Self {
        let line = error.location().map_or(0, |location| location.line());
        let text = error.to_string();
        let message = text.lines().next().unwrap_or_default();
        Self {
            line: u32::try_from(line).unwrap_or(0),
            message: if message.starts_with("budget breached") {
                "is nested deeper, or has more values, than any object".to_owned()
            } else {
                // What follows is advice on how to program the parser.
                message.split(", set ").next().unwrap_or_default().to_owned()
            },
        }
    }
}

/// Writes a document as JSON.
pub(super) fn to_json(document: &str, json: &mut Vec<u8>) -> Result<(), Broken> {
    json.clear();
    if plain::to_json(document, json).is_some() {
        debug_assert!(is_as_parsed(document, json), "{document}");
        return Ok(());
    }
    parse(document, json)
}

/// Whether the whole parser has it like that, to the byte.
fn is_as_parsed(document: &str, json: &[u8]) -> bool {
    let mut parsed = Vec::new();
    parse(document, &mut parsed).is_ok() && parsed == json
}

/// Writes a document as JSON, however it is written.
fn parse(document: &str, json: &mut Vec<u8>) -> Result<(), Broken> {
    json.clear();
    serde_saphyr::with_deserializer_from_str_with_options(document, options(), |deserializer| {
        Transcode(json).deserialize(deserializer)
    })?;
    Ok(())
}

/// Reads a document that is one object of a type. By way of JSON: types are read from that already, and each of them would
/// be compiled once more for the parser, which is half a megabyte for the largest.
pub(super) fn read<T: DeserializeOwned>(document: &str) -> Result<T, Broken> {
    let mut json = Vec::new();
    parse(document, &mut json)?;
    serde_json::from_slice(&json).map_err(|error| {
        let field = field_at(&json, error.column());
        let lines = lines_of(document, &[&field]).unwrap_or_default();
        let message = error.to_string();
        let message = message.rsplit_once(" at line ").map_or(&*message, |(why, _)| why);
        Broken {
            line: lines.first().copied().unwrap_or(0),
            message: if field.is_empty() {
                message.to_owned()
            } else {
                format!("{field}: {message}")
            },
        }
    })
}

/// The path of the field that JSON of one line is in, or just behind.
fn field_at(json: &[u8], column: usize) -> String {
    let mut path = Vec::new();
    let mut before = 0;
    let mut at = 0;
    while at < column.min(json.len()) {
        match (json[at], path.last_mut()) {
            (b'{', _) => path.push(Step::Key("")),
            (b'[', _) => path.push(Step::Item(0)),
            (b'}' | b']', _) => drop(path.pop()),
            (b',', Some(Step::Item(number))) => *number += 1,
            (b'"', within) => {
                let text = text_at(&json[at..]);
                if let (b'{' | b',', Some(Step::Key(key))) = (before, within) {
                    *key = str::from_utf8(text).unwrap_or_default();
                }
                // Its quotes.
                at += text.len() + 1;
            }
            _ => {}
        }
        before = json[at];
        at += 1;
    }
    let mut field = String::new();
    for step in path {
        match step {
            Step::Key("") => {}
            Step::Key(key) if field.is_empty() => field.push_str(key),
            Step::Key(key) => field.extend([".", key]),
            Step::Item(number) => field.push_str(&format!("[{number}]")),
        }
    }
    field
}

/// What is between the quotes that JSON begins with, as it is written.
fn text_at(json: &[u8]) -> &[u8] {
    let mut end = 1;
    while let Some(byte) = json.get(end) {
        match byte {
            b'"' => break,
            b'\\' => end += 2,
            _ => end += 1,
        }
    }
    &json[1..end.min(json.len())]
}

/// Writes whatever it is given as JSON.
struct Transcode<'a>(&'a mut Vec<u8>);

impl<'de> DeserializeSeed<'de> for Transcode<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Transcode<'_> {
    fn write<E: serde::de::Error>(self, value: &impl serde::Serialize) -> Result<(), E> {
        serde_json::to_writer(self.0, value).map_err(E::custom)
    }
}

impl<'de> Visitor<'de> for Transcode<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything that JSON can say")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.write(&())
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<(), E> {
        self.write(&())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
        self.write(&value)
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        self.write(&value)
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        self.write(&value)
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        self.write(&value)
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<(), E> {
        self.write(&value)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let json = self.0;
        json.push(b'[');
        let mut is_first = true;
        loop {
            let before = json.len();
            if !is_first {
                json.push(b',');
            }
            if items.next_element_seed(Transcode(json))?.is_none() {
                json.truncate(before);
                json.push(b']');
                return Ok(());
            }
            is_first = false;
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let json = self.0;
        json.push(b'{');
        let mut is_first = true;
        loop {
            let before = json.len();
            if !is_first {
                json.push(b',');
            }
            if entries.next_key_seed(KeyAsText(json))?.is_none() {
                json.truncate(before);
                json.push(b'}');
                return Ok(());
            }
            json.push(b':');
            entries.next_value_seed(Transcode(json))?;
            is_first = false;
        }
    }
}

/// Writes a key.
struct KeyAsText<'a>(&'a mut Vec<u8>);

impl<'de> DeserializeSeed<'de> for KeyAsText<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeyAsText<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key that is a text")
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<(), E> {
        serde_json::to_writer(self.0, value).map_err(E::custom)
    }
}

/// The lines of fields within a document, from 1, by paths like `spec.sourceRef.namespace` or `spec.containers[0].args`.
/// Where a field is absent, the line of what it would be in.
pub(super) fn lines_of(document: &str, paths: &[&str]) -> Option<Vec<u32>> {
    let wanted: Vec<Vec<Step<'_>>> = paths.iter().map(|path| steps(path)).collect();
    if let Some(lines) = plain::lines_of(document, &wanted) {
        debug_assert_eq!(walk(document, &wanted), Some(lines.clone()), "{document}");
        return Some(lines);
    }
    walk(document, &wanted)
}

/// The lines of fields within a document, however it is written.
fn walk(document: &str, wanted: &[Vec<Step<'_>>]) -> Option<Vec<u32>> {
    let mut lines = vec![1; wanted.len()];
    let all = (0..wanted.len()).collect();
    let walk = Walk {
        wanted,
        active: all,
        depth: 0,
        line: 1,
        lines: &mut lines,
    };
    serde_saphyr::with_deserializer_from_str_with_options(document, options(), |deserializer| {
        walk.deserialize(deserializer)
    })
    .ok()?;
    Some(lines)
}

/// One step of a path.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step<'a> {
    Key(&'a str),
    Item(usize),
}

fn steps(path: &str) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    for part in path.split('.') {
        let (key, mut rest) = part.split_at(part.find('[').unwrap_or(part.len()));
        if !key.is_empty() {
            steps.push(Step::Key(key));
        }
        while let Some((index, after)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            let Ok(index) = index.parse() else { break };
            steps.push(Step::Item(index));
            rest = after;
        }
    }
    steps
}

/// Walks along the wanted paths and past everything else.
struct Walk<'a, 'p> {
    wanted: &'a [Vec<Step<'p>>],
    /// The paths that lead here.
    active: Vec<usize>,
    depth: usize,
    /// The line of this value's key.
    line: u32,
    lines: &'a mut Vec<u32>,
}

impl<'p> Walk<'_, 'p> {
    /// One step further; `None`: no path leads there.
    fn step<'b>(&'b mut self, step: &Step<'_>, line: u32) -> Option<Walk<'b, 'p>> {
        let leads = |path: &&usize| self.wanted[**path].get(self.depth) == Some(step);
        let active: Vec<usize> = self.active.iter().filter(leads).copied().collect();
        if active.is_empty() {
            return None;
        }
        for path in &active {
            self.lines[*path] = line;
        }
        Some(Walk {
            wanted: self.wanted,
            active,
            depth: self.depth + 1,
            line,
            lines: self.lines,
        })
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a part of an object")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: serde::de::Error>(self, _value: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: serde::de::Error>(self, _value: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: serde::de::Error>(self, _value: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: serde::de::Error>(self, _value: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: serde::de::Error>(self, _value: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        for index in 0.. {
            let line = self.line;
            let more = match self.step(&Step::Item(index), line) {
                Some(walk) => items.next_element_seed(walk)?.is_some(),
                None => items.next_element::<IgnoredAny>()?.is_some(),
            };
            if !more {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<(), A::Error> {
        while let Some(key) = entries.next_key::<Spanned<Cow<'_, str>>>()? {
            let line = u32::try_from(key.referenced.line()).map_err(A::Error::custom)?;
            match self.step(&Step::Key(&key.value), line) {
                Some(walk) => entries.next_value_seed(walk)?,
                None => {
                    entries.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn json(yaml: &str) -> String {
        let mut json = Vec::new();
        to_json(yaml, &mut json).unwrap();
        String::from_utf8(json).unwrap()
    }

    #[test]
    fn yaml_becomes_json() {
        for (yaml, expected) in [
            (
                "a: 1\nb: [x, true, 1.5, null, ~]\n",
                r#"{"a":1,"b":["x",true,1.5,null,null]}"#,
            ),
            ("a: yes\nb: 'yes'\nc: off\n", r#"{"a":true,"b":"yes","c":false}"#),
            ("--- {a: {}}\n", r#"{"a":{}}"#),
            ("- a: 1\n  b: |\n    text\n", r#"[{"a":1,"b":"text\n"}]"#),
            ("a: &x {b: 1}\nc: *x\n", r#"{"a":{"b":1},"c":{"b":1}}"#),
            (
                "x: &x {b: 1}\na:\n  <<: *x\n  c: 2\n",
                r#"{"x":{"b":1},"a":{"b":1,"c":2}}"#,
            ),
            ("1: a\ntrue: b\n", r#"{"1":"a","true":"b"}"#),
            ("a: \"\\u0000\\u202e\"\n", "{\"a\":\"\\u0000\u{202e}\"}"),
            ("a: .inf\n", r#"{"a":".inf"}"#),
            ("a: !tag {b: 1}\n", r#"{"a":{"b":1}}"#),
        ] {
            let found: serde_json::Value = serde_json::from_str(&json(yaml)).unwrap();
            assert_eq!(
                found,
                serde_json::from_str::<serde_json::Value>(expected).unwrap(),
                "{yaml}"
            );
        }
    }

    #[test]
    fn what_is_broken_says_where() {
        for (yaml, line) in [
            ("a: 1\nb: [\n", 2..=3),
            ("a: 1\na: 2\n", 2..=2),
            ("a: b: c\n", 1..=1),
            ("a: *x\n", 1..=1),
        ] {
            let broken = to_json(yaml, &mut Vec::new()).unwrap_err();
            assert!(line.contains(&broken.line), "{yaml:?}: {broken:?}");
        }
    }

    #[test]
    fn bombs_do_not_go_off() {
        let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..9 {
            let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
            writeln!(laughs, "a{level}: &a{level} [{aliases}]").unwrap();
        }
        let deep = "a: ".to_owned() + &"[".repeat(5000) + &"]".repeat(5000);
        let mut block = String::new();
        for depth in 0..1000 {
            writeln!(block, "{}a:", " ".repeat(depth)).unwrap();
        }
        for bomb in [laughs, deep, block] {
            let mut json = Vec::new();
            assert!(to_json(&bomb, &mut json).is_err());
            assert!(json.len() < 64 << 20, "{}", json.len());
        }
    }

    #[test]
    fn fields_are_found_and_what_is_absent_is_where_it_would_be() {
        let yaml = "kind: A\nspec:\n  # comment\n  source:\n    name: x\n  list:\n  - a: 1\n  -\n    b: 2\n  flow: {c: 3}\n";
        let plain = yaml.replace(
            "\n  -\n    b: 2\n  flow: {c: 3}\n",
            "\n  - b: 2\n  text: |\n    a: b\n\n  flow:\n  # comment\n    c: 3\n",
        );
        let wanted: Vec<_> = ["spec.list[1].b", "spec.text.a", "spec.flow.c"].map(steps).into();
        assert_eq!(plain::lines_of(&plain, &wanted), Some(vec![8, 9, 14]), "{plain}");
        assert_eq!(walk(&plain, &wanted), Some(vec![8, 9, 14]));
        let paths = [
            "spec.source.name",
            "spec.source.namespace",
            "spec.list[1].b",
            "spec.flow.c",
            "spec.missing",
            "status",
            "kind",
        ];
        assert_eq!(lines_of(yaml, &paths), Some(vec![5, 4, 9, 10, 2, 1, 1]));
    }
}
