//! Plain YAML as JSON text: blocks, one line a value, letters of ASCII. Most manifests are written in nothing else, and it
//! takes a fraction of what all of YAML takes. Whatever is written in another way, or is wrong, is for the whole parser to
//! say: here it is refused. What is taken is written as the whole parser would have it, to the byte.

use super::yaml::Step;

/// How deep a document may be nested.
const DEEPEST: usize = 32;
/// Bytes of a document: one that is longer may have more values than the whole parser takes.
const LONGEST: usize = 256 * 1024;
/// Keys of one map, each of which is compared with those before.
const MOST_KEYS: usize = 200;
/// Bytes of a key.
const LONGEST_KEY: usize = 128;
/// Digits of a number that surely fits.
const MOST_DIGITS: usize = 18;

/// Writes a document as JSON; `None`: it is not plain, and what was written of it is worthless.
pub(super) fn to_json(document: &str, json: &mut Vec<u8>) -> Option<()> {
    read(document, json, Trail::default()).map(drop)
}

/// The lines of fields within a document, as [`super::yaml::lines_of`] tells them; `None`: it is not plain.
pub(super) fn lines_of(document: &str, wanted: &[Vec<Step<'_>>]) -> Option<Vec<u32>> {
    let trail = Trail {
        wanted,
        here: vec![((0..wanted.len()).collect(), 1)],
        lines: vec![1; wanted.len()],
    };
    read(document, &mut Vec::new(), trail).map(|trail| trail.lines)
}

fn read<'w>(document: &str, json: &mut Vec<u8>, trail: Trail<'w>) -> Option<Trail<'w>> {
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~' | b'\n');
    if document.len() > LONGEST || !document.as_bytes().iter().all(is_plain) {
        return None;
    }
    let mut reader = Reader {
        rest: document,
        number: 0,
        line: None,
        keys: Vec::new(),
        json,
        trail,
    };
    reader.advance();
    reader.block(0)?;
    reader.line.is_none().then_some(reader.trail)
}

/// Fields whose lines somebody wants, and which of them are where the reader is.
#[derive(Default)]
struct Trail<'w> {
    wanted: &'w [Vec<Step<'w>>],
    /// Of each collection that is open, which fields lead there, and the line of its key.
    here: Vec<(Vec<usize>, u32)>,
    lines: Vec<u32>,
}

impl Trail<'_> {
    /// Goes along a key of this line, or, without a line of its own, to an item of a list.
    fn enter(&mut self, step: &Step<'_>, line: Option<u32>) {
        let depth = self.here.len();
        let Some((fields, line_of_list)) = self.here.last() else {
            return;
        };
        let line = line.unwrap_or(*line_of_list);
        let leads = |field: &&usize| self.wanted[**field].get(depth - 1) == Some(step);
        let fields: Vec<usize> = fields.iter().filter(leads).copied().collect();
        for field in &fields {
            self.lines[*field] = line;
        }
        self.here.push((fields, line));
    }

    fn leave(&mut self) {
        self.here.pop();
    }
}

/// A line with content.
#[derive(Clone, Copy)]
struct Line<'a> {
    indent: usize,
    /// What is behind the indentation. Of an item of a list it may be what is behind the dash.
    text: &'a str,
}

struct Reader<'a, 'j, 'w> {
    /// Behind the line.
    rest: &'a str,
    /// The number of the line, from 1.
    number: u32,
    /// What is read next; `None`: the document has ended.
    line: Option<Line<'a>>,
    /// The keys of the maps that are open.
    keys: Vec<&'a str>,
    json: &'j mut Vec<u8>,
    trail: Trail<'w>,
}

impl<'a> Reader<'a, '_, '_> {
    /// Goes to the next line that is neither blank nor a comment.
    fn advance(&mut self) {
        self.line = None;
        while self.line.is_none() && !self.rest.is_empty() {
            let (whole, rest) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
            self.rest = rest;
            self.number += 1;
            let text = whole.trim_start_matches(' ');
            let indent = whole.len() - text.len();
            if !text.is_empty() && !text.starts_with('#') {
                self.line = Some(Line { indent, text });
            }
        }
    }

    /// The map or the list that begins with this line.
    fn block(&mut self, depth: usize) -> Option<()> {
        let Line { indent, text } = self.line?;
        if is_item(text) {
            self.list(indent, depth)
        } else {
            self.map(indent, depth)
        }
    }

    fn map(&mut self, indent: usize, depth: usize) -> Option<()> {
        let first = self.keys.len();
        self.json.push(b'{');
        while let Some(line) = self.line.filter(|line| line.indent >= indent) {
            let (key, value) = entry(line.text)?;
            let known = &self.keys[first..];
            if line.indent > indent || depth > DEEPEST || known.len() >= MOST_KEYS || known.contains(&key) {
                return None;
            }
            if !known.is_empty() {
                self.json.push(b',');
            }
            self.keys.push(key);
            self.text(key);
            self.json.push(b':');
            self.trail.enter(&Step::Key(key), Some(self.number));
            if value.is_empty() || value.starts_with('#') {
                self.below(indent, depth)?;
            } else {
                self.value(value, indent)?;
            }
            self.trail.leave();
        }
        self.keys.truncate(first);
        self.json.push(b'}');
        Some(())
    }

    /// The value of a key that has none in its line.
    fn below(&mut self, indent: usize, depth: usize) -> Option<()> {
        self.advance();
        match self.line {
            Some(line) if line.indent > indent => self.block(depth + 1),
            Some(line) if line.indent == indent && is_item(line.text) => self.list(indent, depth + 1),
            _ => {
                self.json.extend_from_slice(b"null");
                Some(())
            }
        }
    }

    fn list(&mut self, indent: usize, depth: usize) -> Option<()> {
        let mut count = 0;
        self.json.push(b'[');
        while let Some(line) = self.line
            && (line.indent > indent || line.indent == indent && is_item(line.text))
        {
            let content = line.text[1..].trim_start_matches(' ');
            let is_empty = content.is_empty() || content.starts_with('#');
            if line.indent > indent || depth > DEEPEST || is_empty || is_item(content) {
                return None;
            }
            if count > 0 {
                self.json.push(b',');
            }
            self.trail.enter(&Step::Item(count), None);
            count += 1;
            if entry(content).is_some() {
                let within = indent + line.text.len() - content.len();
                self.line = Some(Line {
                    indent: within,
                    text: content,
                });
                self.map(within, depth + 1)?;
            } else {
                self.value(content, indent)?;
            }
            self.trail.leave();
        }
        self.json.push(b']');
        Some(())
    }

    /// A value that begins in the line of its key or of its dash.
    fn value(&mut self, value: &'a str, indent: usize) -> Option<()> {
        match value.as_bytes().first()? {
            b'|' => self.literal(&value[1..], indent)?,
            b'"' => self.double_quoted(value)?,
            b'\'' => self.single_quoted(&value[1..])?,
            b'{' => self.empty(value, "{}")?,
            b'[' => self.empty(value, "[]")?,
            _ => self.scalar(unquoted(value)?)?,
        }
        self.advance();
        Some(())
    }

    fn empty(&mut self, value: &str, empty: &str) -> Option<()> {
        is_end(value.strip_prefix(empty)?).then(|| self.json.extend_from_slice(empty.as_bytes()))
    }

    /// A text in double quotes. It is the same in JSON, as far as its escapes are those of both.
    fn double_quoted(&mut self, value: &str) -> Option<()> {
        let mut bytes = value.bytes().enumerate().skip(1);
        let end = loop {
            match bytes.next()? {
                (end, b'"') => break end + 1,
                (_, b'\\') => {
                    let (_, escaped) = bytes.next()?;
                    matches!(escaped, b'"' | b'\\' | b'n' | b't' | b'r').then_some(())?;
                }
                _ => {}
            }
        };
        let (text, rest) = value.split_at(end);
        is_end(rest).then(|| self.json.extend_from_slice(text.as_bytes()))
    }

    /// A text in single quotes, from behind the first.
    fn single_quoted(&mut self, value: &str) -> Option<()> {
        let mut rest = value;
        self.json.push(b'"');
        loop {
            let (text, behind) = rest.split_once('\'')?;
            self.escaped(text);
            let Some(more) = behind.strip_prefix('\'') else {
                self.json.push(b'"');
                return is_end(behind).then_some(());
            };
            self.json.push(b'\'');
            rest = more;
        }
    }

    /// A block of text: its lines as they are.
    fn literal(&mut self, header: &str, parent: usize) -> Option<()> {
        let is_stripped = match header.trim_end_matches(' ') {
            "" => false,
            "-" => true,
            _ => return None,
        };
        let mut within = None;
        let mut blank = 0;
        self.json.push(b'"');
        while !self.rest.is_empty() {
            let (line, rest) = self.rest.split_once('\n')?;
            let indent = line.len() - line.trim_start_matches(' ').len();
            let is_blank = indent == line.len();
            match within {
                Some(within) if is_blank && indent <= within => blank += 1,
                Some(within) if !is_blank && indent >= within => {
                    for _ in 0..=std::mem::take(&mut blank) {
                        self.json.extend_from_slice(b"\\n");
                    }
                    self.escaped(&line[within..]);
                }
                Some(_) if !is_blank && indent <= parent => break,
                None if !is_blank && indent > parent => {
                    within = Some(indent);
                    self.escaped(&line[indent..]);
                }
                _ => return None,
            }
            self.rest = rest;
            self.number += 1;
        }
        within?;
        self.json
            .extend_from_slice(if is_stripped { b"\"" } else { b"\\n\"" });
        Some(())
    }

    /// A value without quotes.
    fn scalar(&mut self, text: &str) -> Option<()> {
        match meaning(text)? {
            Meaning::Itself => self.json.extend_from_slice(text.as_bytes()),
            Meaning::Text => self.text(text),
        }
        Some(())
    }

    fn text(&mut self, text: &str) {
        self.json.push(b'"');
        self.escaped(text);
        self.json.push(b'"');
    }

    fn escaped(&mut self, text: &str) {
        if !text.bytes().any(|byte| matches!(byte, b'"' | b'\\')) {
            return self.json.extend_from_slice(text.as_bytes());
        }
        for byte in text.bytes() {
            if matches!(byte, b'"' | b'\\') {
                self.json.push(b'\\');
            }
            self.json.push(byte);
        }
    }
}

/// What a value without quotes is.
enum Meaning {
    Text,
    /// What it looks like, and in JSON as well.
    Itself,
}

fn is_item(text: &str) -> bool {
    text == "-" || text.starts_with("- ")
}

/// Whether nothing follows in a line but a comment.
fn is_end(rest: &str) -> bool {
    let behind = rest.trim_start_matches(' ');
    behind.is_empty() || behind.len() < rest.len() && behind.starts_with('#')
}

/// The key of a line, and what is behind its colon; `None`: it has none, or one that may not be a mere text.
fn entry(text: &str) -> Option<(&str, &str)> {
    let is_of_key = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'/');
    let length = text.bytes().position(|byte| !is_of_key(&byte))?;
    let (key, rest) = text.split_at(length);
    let value = rest.strip_prefix(':')?;
    let is_key = value.is_empty() || value.starts_with(' ');
    let is_word = key.starts_with(|first: char| first.is_ascii_alphabetic()) && !is_special(key);
    (is_key && is_word && length <= LONGEST_KEY).then(|| (key, value.trim_start_matches(' ')))
}

/// A value without quotes, without the comment behind it.
fn unquoted(value: &str) -> Option<&str> {
    let bytes = value.as_bytes();
    let first = bytes.first()?;
    let begins_item = *first == b'-' && bytes.get(1).is_none_or(|next| *next == b' ');
    let begins_text =
        first.is_ascii_alphanumeric() || matches!(first, b'_' | b'/' | b'.' | b'$' | b'(' | b'-' | b'+');
    if begins_item || !begins_text {
        return None;
    }
    let mut end = bytes.len();
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b':' if bytes.get(at + 1).is_none_or(|next| *next == b' ') => return None,
            b'#' if bytes[at - 1] == b' ' => {
                end = at;
                break;
            }
            _ => {}
        }
    }
    Some(value[..end].trim_end_matches(' '))
}

/// Words that YAML, or some of it, takes for something else than a text.
fn is_special(word: &str) -> bool {
    const SPECIAL: [&str; 9] = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    word.len() <= 5 && SPECIAL.iter().any(|special| word.eq_ignore_ascii_case(special))
}

/// What a value without quotes is; `None`: that takes a closer look.
fn meaning(text: &str) -> Option<Meaning> {
    let bytes = text.as_bytes();
    let first = bytes.first()?;
    if first.is_ascii_alphabetic() {
        return match text {
            "true" | "false" | "null" => Some(Meaning::Itself),
            word => (!is_special(word)).then_some(Meaning::Text),
        };
    }
    if bytes.iter().all(u8::is_ascii_digit) {
        let is_number = bytes.len() <= MOST_DIGITS && (*first != b'0' || bytes.len() == 1);
        return is_number.then_some(Meaning::Itself);
    }
    is_no_number(text).then_some(Meaning::Text)
}

/// Whether a text is surely none of the many ways to write a number.
fn is_no_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_infinite = [".inf", ".nan"]
        .iter()
        .any(|it| unsigned.eq_ignore_ascii_case(it));
    let mut letters = unsigned.bytes();
    let has_radix = letters.next() == Some(b'0') && letters.next().is_some_and(|it| it.is_ascii_alphabetic());
    if is_infinite || has_radix {
        return false;
    }
    let is_of_number =
        |byte: u8| byte.is_ascii_digit() || matches!(byte, b'_' | b'+' | b'-' | b'.' | b'e' | b'E');
    let dots = text.bytes().filter(|byte| *byte == b'.').count();
    dots > 1 || !text.bytes().all(is_of_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(document: &str) -> Option<String> {
        let mut json = Vec::new();
        to_json(document, &mut json)?;
        String::from_utf8(json).ok()
    }

    /// That what is taken is what the whole parser has is asserted wherever a document is read.
    #[test]
    fn what_is_plain_is_taken() {
        for (yaml, expected) in [
            ("a: b\n", r#"{"a":"b"}"#),
            ("a: b", r#"{"a":"b"}"#),
            ("# x\n\na: b # c\nd:   e#f  \n", r#"{"a":"b","d":"e#f"}"#),
            ("a:\nb: null\nc:\n", r#"{"a":null,"b":null,"c":null}"#),
            ("a:\n  b:\n    c: 1\n  d: 0\n", r#"{"a":{"b":{"c":1},"d":0}}"#),
            ("a:\n- b\n- 7\nc: true\n", r#"{"a":["b",7],"c":true}"#),
            (
                "a:\n  - b: 1\n    c:\n    - d\n  - e: {}\n",
                r#"{"a":[{"b":1,"c":["d"]},{"e":{}}]}"#,
            ),
            ("  - a: 1\n    b: []\n", r#"[{"a":1,"b":[]}]"#),
            (
                "a: \"x\\\"\\n\" # c\nb: 'it''s \"'\n",
                r#"{"a":"x\"\n","b":"it's \""}"#,
            ),
            (
                "a: v1.2.3\nb: 1.2.3\nc: 5m\nd: ./x\ne: -f\ng: --h=1\n",
                r#"{"a":"v1.2.3","b":"1.2.3","c":"5m","d":"./x","e":"-f","g":"--h=1"}"#,
            ),
            ("a: http://b/c:d\n", r#"{"a":"http://b/c:d"}"#),
            (
                "a: |\n  b: {c}\n\n    d\n\ne: |-\n    f\n",
                r#"{"a":"b: {c}\n\n  d\n","e":"f"}"#,
            ),
            ("a:\n- |\n  b \"c\"\n- d\n", r#"{"a":["b \"c\"\n","d"]}"#),
            (
                "app.kubernetes.io/name: a\\b\n",
                r#"{"app.kubernetes.io/name":"a\\b"}"#,
            ),
        ] {
            assert_eq!(json(yaml).as_deref(), Some(expected), "{yaml}");
        }
    }

    #[test]
    fn whatever_takes_a_closer_look_is_refused() {
        for yaml in [
            "",
            "a\n",
            "- a: 1\nb: 2\n",
            "a: 1\na: 2\n",
            "a: b: c\n",
            "a: b\n  c\n",
            "a: b\n  c: 1\n",
            "a:\n    b: 1\n  c: 2\n",
            "a: &x b\n",
            "a: *x\n",
            "a: !!str 1\n",
            "a: {b: c}\n",
            "a: [b]\n",
            "a: >\n  b\n",
            "a: |+\n  b\n",
            "a: |2\n  b\n",
            "a: |\n\n  b\n",
            "a: |\n  b",
            "a: |\nb: 1\n",
            "a: |\n    b\n  c\n",
            "a: \"b\n  c\"\n",
            "a: \"\\u0041\"\n",
            "a: 'b\n",
            "a: \"b\" c\n",
            "a: 'b'c\n",
            "a: yes\n",
            "a: Off\n",
            "a: ~\n",
            "a: NULL\n",
            "a: 0x1f\n",
            "a: 1.5\n",
            "a: 1e3\n",
            "a: 0755\n",
            "a: -1\n",
            "a: 1_000\n",
            "a: .inf\n",
            "a: -.NaN\n",
            "a: 1234567890123456789\n",
            "true: a\n",
            "1: a\n",
            "\"a\": b\n",
            "? a\n",
            "<<: a\n",
            "a: @b\n",
            "a: `b\n",
            "a: %b\n",
            "a: - b\n",
            "a: ? b\n",
            "a: ---\n",
            "a:\tb\n",
            "a: \u{e4}\n",
            "a: b\r\n",
            "- - a\n",
            "-\n  a: 1\n",
            "a:\n  - b\n  c: 1\n",
            "--- {a: b}\n",
            "%YAML 1.2\n",
            "a : b\n",
            "a: b\n- c\n",
            "a: b:\n",
        ] {
            assert_eq!(json(yaml), None, "{yaml}");
        }
        let deep: String = (0..40).map(|depth| " ".repeat(depth) + "a:\n").collect();
        let wide = (0..300).fold(String::new(), |all, key| all + &format!("a{key}: 1\n"));
        let long = "# a comment\n".repeat(30_000) + "a: b\n";
        for yaml in [deep, wide, long] {
            assert_eq!(json(&yaml), None);
        }
    }
}
