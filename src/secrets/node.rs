//! YAML and JSON as a tree that knows its lines. One document at a time, and not more of it than is worth its memory.

use std::borrow::Cow;
use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, Span, StrInput};
use serde::de::value::Error;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::inline::shown;

/// How deep a document is looked into.
const DEEPEST: usize = 64;
/// Values of a document: no object of Kubernetes has a tenth.
const MOST_NODES: usize = 100_000;

/// A value, and where it is.
#[derive(Clone, Debug)]
pub(super) struct Node<'a> {
    /// Line of its first character, from 1; of a block of text, its first line of text.
    pub(super) line: u32,
    pub(super) value: Value<'a>,
}

#[derive(Clone, Debug)]
pub(super) enum Value<'a> {
    Null,
    /// A number, a bool, or a text without quotes.
    Plain(Cow<'a, str>),
    /// A text in quotes.
    Text(Cow<'a, str>),
    /// A block of text, whose lines are lines of the file.
    Block(Cow<'a, str>),
    List(Vec<Node<'a>>),
    Map(Vec<(Cow<'a, str>, u32, Node<'a>)>),
}

/// Why there is no tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is neither YAML nor JSON; a template, maybe.
    Broken,
    /// It is deeper or longer than is looked at.
    TooComplex,
}

impl<'a> Node<'a> {
    /// Parses a document, which begins in this line of its file.
    pub(super) fn parse(text: &'a str, line: u32) -> Result<Self, Fault> {
        match Self::parse_yaml(text, line) {
            // JSON writes some letters in a way that YAML does not know.
            Err(Fault::Broken) if text.trim_start().starts_with(['{', '[']) => Self::parse_json(text, line),
            parsed => parsed,
        }
    }

    fn parse_yaml(text: &'a str, line: u32) -> Result<Self, Fault> {
        let mut events = Events {
            parser: Parser::new_from_str(text),
            anchors: HashMap::new(),
            count: 0,
            before: line.saturating_sub(1),
        };
        while let Some((event, span)) = events.next()? {
            match event {
                Event::StreamStart | Event::DocumentStart(..) => {}
                Event::StreamEnd | Event::DocumentEnd => break,
                event => return events.node(event, span, 0),
            }
        }
        Ok(Self {
            line,
            value: Value::Null,
        })
    }

    /// The same without its lines.
    fn parse_json(text: &str, line: u32) -> Result<Self, Fault> {
        let value: serde_json::Value = serde_json::from_str(text).map_err(|_| Fault::Broken)?;
        let mut left = MOST_NODES;
        Self::of_json(value, line, &mut left)
    }

    fn of_json(value: serde_json::Value, line: u32, left: &mut usize) -> Result<Self, Fault> {
        use serde_json::Value as Json;
        *left = left.checked_sub(1).ok_or(Fault::TooComplex)?;
        let value = match value {
            Json::Null => Value::Null,
            Json::Bool(value) => Value::Plain(value.to_string().into()),
            Json::Number(value) => Value::Plain(value.to_string().into()),
            Json::String(text) => Value::Text(text.into()),
            Json::Array(items) => {
                let items = items.into_iter().map(|item| Self::of_json(item, line, left));
                Value::List(items.collect::<Result<_, _>>()?)
            }
            Json::Object(fields) => {
                let mut entries = Vec::with_capacity(fields.len());
                for (key, value) in fields {
                    entries.push((key.into(), line, Self::of_json(value, line, left)?));
                }
                Value::Map(entries)
            }
        };
        Ok(Self { line, value })
    }

    /// The fields of a map; none of anything else.
    pub(super) fn lines(&self) -> impl Iterator<Item = (&str, u32, &Node<'a>)> {
        let entries = match &self.value {
            Value::Map(entries) => &entries[..],
            _ => &[],
        };
        entries.iter().map(|(key, line, value)| (&**key, *line, value))
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = (&str, &Node<'a>)> {
        self.lines().map(|(key, _, value)| (key, value))
    }

    pub(super) fn get(&self, name: &str) -> Option<&Node<'a>> {
        self.entries()
            .find_map(|(key, value)| (key == name).then_some(value))
    }

    /// What is below these keys.
    pub(super) fn below(&self, path: &[&str]) -> Option<&Node<'a>> {
        path.iter().try_fold(self, |node, key| node.get(key))
    }

    /// The items of a list; none of anything else.
    pub(super) fn items(&self) -> &[Node<'a>] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Plain(text) | Value::Text(text) | Value::Block(text) => Some(text),
            _ => None,
        }
    }

    /// The text below these keys; empty: there is none.
    pub(super) fn text_at(&self, path: &[&str]) -> &str {
        self.below(path).and_then(Node::text).unwrap_or_default()
    }

    /// The line of a place as [`super::inline`] writes it; of what is around it when it cannot be told more closely.
    pub(super) fn line_of(&self, place: &str) -> u32 {
        self.find_line(place).unwrap_or(self.line)
    }

    fn find_line(&self, place: &str) -> Option<u32> {
        if place.is_empty() {
            return Some(self.line);
        }
        match &self.value {
            Value::Map(_) => {
                let place = place.strip_prefix('.').unwrap_or(place);
                let mut fields = self.lines();
                fields.find_map(|(key, line, value)| {
                    let rest = place.strip_prefix(shown(key))?;
                    match rest.chars().next() {
                        None | Some('…') => Some(line),
                        Some('.' | '[' | ':') => value.find_line(rest),
                        Some(_) => None,
                    }
                })
            }
            Value::List(items) => {
                let (number, rest) = place.strip_prefix('[')?.split_once(']')?;
                let item = items.get(number.parse::<usize>().ok()?)?;
                if rest.is_empty() {
                    return Some(item.line);
                }
                item.find_line(rest)
            }
            Value::Block(_) => {
                let number = place.strip_prefix(':').and_then(|line| line.parse::<u32>().ok());
                Some(self.line.saturating_add(number.unwrap_or(1).saturating_sub(1)))
            }
            Value::Text(_) | Value::Plain(_) | Value::Null => Some(self.line),
        }
    }
}

struct Events<'a> {
    parser: Parser<'a, StrInput<'a>>,
    /// What was given a name, and how many values it has.
    anchors: HashMap<usize, (Node<'a>, usize)>,
    count: usize,
    /// Lines before the document.
    before: u32,
}

impl<'a> Events<'a> {
    fn next(&mut self) -> Result<Option<(Event<'a>, Span)>, Fault> {
        loop {
            match self.parser.next_event() {
                None => return Ok(None),
                Some(Ok((Event::Comment(..), _))) => {}
                Some(Ok(event)) => return Ok(Some(event)),
                Some(Err(_)) => return Err(Fault::Broken),
            }
        }
    }

    fn line(&self, span: &Span) -> u32 {
        let line = u32::try_from(span.start.line()).unwrap_or(u32::MAX);
        self.before.saturating_add(line)
    }

    fn add(&mut self, count: usize) -> Result<(), Fault> {
        self.count += count;
        if self.count > MOST_NODES {
            return Err(Fault::TooComplex);
        }
        Ok(())
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node<'a>, Fault> {
        if depth > DEEPEST {
            return Err(Fault::TooComplex);
        }
        self.add(1)?;
        let before = self.count;
        let line = self.line(&span);
        let (anchor, node) = match event {
            Event::Scalar(text, style, anchor, _) => (anchor, scalar(text, style, line)),
            Event::SequenceStart(_, anchor, _) => (anchor, self.list(line, depth)?),
            Event::MappingStart(_, anchor, _) => (anchor, self.map(line, depth)?),
            Event::Alias(id) => return self.copy(id),
            _ => return Err(Fault::Broken),
        };
        if anchor != 0 {
            let size = self.count - before + 1;
            self.anchors.insert(anchor, (node.clone(), size));
        }
        Ok(node)
    }

    /// What was given a name before. Copies count: a document cannot grow by them beyond what is looked at.
    fn copy(&mut self, id: usize) -> Result<Node<'a>, Fault> {
        let size = self.anchors.get(&id).ok_or(Fault::Broken)?.1;
        self.add(size)?;
        let node = self.anchors.get(&id).map(|(node, _)| node.clone());
        node.ok_or(Fault::Broken)
    }

    fn list(&mut self, line: u32, depth: usize) -> Result<Node<'a>, Fault> {
        let mut items = Vec::new();
        loop {
            match self.next()?.ok_or(Fault::Broken)? {
                (Event::SequenceEnd, _) => break,
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
        }
        let value = Value::List(items);
        Ok(Node { line, value })
    }

    fn map(&mut self, line: u32, depth: usize) -> Result<Node<'a>, Fault> {
        let mut entries = Vec::new();
        loop {
            let (event, span) = self.next()?.ok_or(Fault::Broken)?;
            if matches!(event, Event::MappingEnd) {
                break;
            }
            let line = self.line(&span);
            // A key that is no text is looked at no further than that.
            let key = match self.node(event, span, depth + 1)?.value {
                Value::Plain(text) | Value::Text(text) | Value::Block(text) => text,
                _ => Cow::Borrowed(""),
            };
            let (event, span) = self.next()?.ok_or(Fault::Broken)?;
            let value = self.node(event, span, depth + 1)?;
            entries.push((key, line, value));
        }
        let value = Value::Map(entries);
        Ok(Node { line, value })
    }
}

fn scalar(text: Cow<'_, str>, style: ScalarStyle, line: u32) -> Node<'_> {
    let value = match style {
        ScalarStyle::Plain if matches!(&*text, "" | "~" | "null" | "Null" | "NULL") => Value::Null,
        ScalarStyle::Plain => Value::Plain(text),
        ScalarStyle::Literal | ScalarStyle::Folded => Value::Block(text),
        _ => Value::Text(text),
    };
    Node { line, value }
}

/// A tree is decoded like the text that it came from.
impl<'de> Deserializer<'de> for &'de Node<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.value {
            Value::Null => visitor.visit_unit(),
            Value::Plain(text) => match &**text {
                "true" | "True" | "TRUE" => visitor.visit_bool(true),
                "false" | "False" | "FALSE" => visitor.visit_bool(false),
                text => match (text.parse::<u64>(), text.parse::<i64>()) {
                    (Ok(number), _) => visitor.visit_u64(number),
                    (_, Ok(number)) => visitor.visit_i64(number),
                    _ => visitor.visit_borrowed_str(text),
                },
            },
            Value::Text(text) | Value::Block(text) => visitor.visit_borrowed_str(text),
            Value::List(items) => visitor.visit_seq(Items(items.iter())),
            Value::Map(entries) => visitor.visit_map(Fields {
                entries: entries.iter(),
                value: None,
            }),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct Items<'de>(std::slice::Iter<'de, Node<'de>>);

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        self.0.next().map(|node| seed.deserialize(node)).transpose()
    }
}

struct Fields<'de> {
    entries: std::slice::Iter<'de, (Cow<'de, str>, u32, Node<'de>)>,
    value: Option<&'de Node<'de>>,
}

impl<'de> MapAccess<'de> for Fields<'de> {
    type Error = Error;

    fn next_key_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        let Some((key, _, value)) = self.entries.next() else {
            return Ok(None);
        };
        self.value = Some(value);
        seed.deserialize(Key(key)).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Error> {
        static NOTHING: Node<'static> = Node {
            line: 0,
            value: Value::Null,
        };
        seed.deserialize(self.value.take().unwrap_or(&NOTHING))
    }
}

struct Key<'de>(&'de str);

impl<'de> Deserializer<'de> for Key<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_borrowed_str(self.0)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn line(text: &str, place: &str) -> u32 {
        Node::parse(text, 1).unwrap().line_of(place)
    }

    #[test]
    fn places_have_lines() {
        let text = "\
a:
  b: 1
  c.d: 'x'
list:
- e: 2
-
  f: |
    first
    second
g: \"x\\ny\"
h: {i: 3,
  j: 4}
";
        for (place, expected) in [
            ("a", 1),
            ("a.b", 2),
            ("a.c.d", 3),
            ("list[0].e", 5),
            ("list[1].f", 7),
            ("list[1].f:1", 8),
            ("list[1].f:2", 9),
            ("g:2", 10),
            ("h.j", 12),
        ] {
            assert_eq!(line(text, place), expected, "{place}");
        }
        assert_eq!(Node::parse(text, 101).unwrap().line_of("a.b"), 102);
    }

    #[test]
    fn json_is_read_with_its_lines() {
        let text = "{\n\t\"a\": {\n\t\t\"b\": [\"x\", 1, true, null]\n\t}\n}\n";
        assert_eq!(line(text, "a.b[1]"), 3);
        assert!(
            Node::parse("{\"a\": \"\\ud83d\\ude00 \\/\"}", 1).is_ok(),
            "letters in pairs"
        );
    }

    #[test]
    fn hostile_documents_have_no_tree() {
        let deep = "[".repeat(5000);
        assert!(Node::parse(&deep, 1).is_err());
        let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
        assert_eq!(Node::parse(&deep, 1).unwrap_err(), Fault::TooComplex);
        let long = "- a\n".repeat(MOST_NODES + 1);
        assert_eq!(Node::parse(&long, 1).unwrap_err(), Fault::TooComplex);
        let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..9 {
            let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
            writeln!(laughs, "a{level}: &a{level} [{aliases}]").unwrap();
        }
        assert_eq!(Node::parse(&laughs, 1).unwrap_err(), Fault::TooComplex);
        for broken in ["a: b: c", "a: [", "*x", "{{ .Values }}: a: b", "\u{0}"] {
            assert!(Node::parse(broken, 1).is_err(), "{broken}");
        }
    }
}
