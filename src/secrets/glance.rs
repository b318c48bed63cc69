//! Tells that a document has no secret from the lines alone that speak of one, and from their neighbours: that nearly all
//! documents need no more. Whatever is not understood for sure is not told.
//!
//! Such a line may stand in a map, in a list, in a block of text, or in what is no YAML at all: what is said of it here is
//! true wherever it stands. Texts in quotes, lists and maps end in their line here, and nothing is folded, so that no line
//! goes on in another one but those that are looked at.

use memchr::{memchr, memchr_iter, memchr2, memchr3_iter, memmem, memrchr};

use super::inline::{self, Meaning};
use super::triage::{field, has_field, line_at, place, plain};

/// Lines that are looked at, some of them more than once.
const MOST_LINES: usize = 25_000;

/// Whether a document has no secret, for sure. `names` is where each of its lines has a name that may mean something;
/// nothing else leads to a secret in it.
pub(super) fn is_harmless(text: &str, mut names: impl Iterator<Item = usize>) -> bool {
    if !ends_in_its_lines(text) {
        return false;
    }
    let mut glance = Glance {
        text,
        has_secret: false,
        left: MOST_LINES,
    };
    names.all(|at| glance.line(at).is_some()) && !(glance.has_secret && has_data(text))
}

/// Whether no text in quotes, no list and no map goes on in another line than it began in, and nothing is folded.
fn ends_in_its_lines(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut odd = memchr3_iter(b'\\', b'\r', b'>', bytes);
    let is_odd = |at: usize| bytes[at] != b'>' || may_fold(bytes, at);
    !odd.any(is_odd) && have_quotes_ends(bytes) && have_flows_ends(bytes) && is_no_name_a_block(text)
}

/// Whether a sign may be that of a text that is folded.
fn may_fold(bytes: &[u8], at: usize) -> bool {
    let begins = at == 0 || matches!(bytes[at - 1], b' ' | b'\n');
    begins
        && matches!(
            bytes.get(at + 1),
            None | Some(b' ' | b'\n' | b'-' | b'+' | b'0'..=b'9')
        )
}

/// Whether no block of text is a name or a path, or may be copied to one.
fn is_no_name_a_block(text: &str) -> bool {
    let bytes = text.as_bytes();
    memchr_iter(b'|', bytes).all(|at| {
        let (rest, _) = line_at(text, at + 1);
        let rest = rest.trim_start_matches(|it: char| matches!(it, '-' | '+') || it.is_ascii_digit());
        let rest = rest.trim_matches(' ');
        if !rest.is_empty() && !rest.starts_with('#') {
            return true;
        }
        let start = memrchr(b'\n', &bytes[..at]).map_or(0, |end| end + 1);
        let (line, _) = line_at(text, start);
        let body = without_dashes(line.trim_start_matches(' '));
        let is_other =
            |(key, value): (&str, &str)| value.starts_with('|') && !matches!(key, "name" | "path" | "kind");
        body.starts_with('|') || field(body).is_some_and(is_other)
    })
}

fn have_quotes_ends(bytes: &[u8]) -> bool {
    let mut at = 0;
    while let Some(found) = memchr2(b'"', b'\'', &bytes[at..]) {
        let start = at + found;
        let before = &bytes[..start];
        if before.last().is_some_and(u8::is_ascii_alphanumeric) {
            at = start + 1;
            continue;
        }
        let around = without_spaces(before);
        // Anywhere else it is a sign among others, and where the next one belongs cannot be told.
        let begins = match around.last() {
            None | Some(b'\n' | b'[' | b'{') => true,
            Some(b':' | b'-' | b',') => around.len() < before.len(),
            Some(_) => false,
        };
        let inner = start + 1;
        let end = memchr2(bytes[start], b'\n', &bytes[inner..]).map(|end| inner + end);
        match end {
            Some(end) if begins && bytes[end] == bytes[start] => at = end + 1,
            _ => return false,
        }
    }
    true
}

fn have_flows_ends(bytes: &[u8]) -> bool {
    let mut at = 0;
    while let Some(found) = memchr2(b'{', b'[', &bytes[at..]) {
        let start = at + found;
        let rest = &bytes[start..];
        let line = &rest[..memchr(b'\n', rest).unwrap_or(rest.len())];
        match flow(line) {
            Some(length) => at = start + length,
            None => return false,
        }
    }
    true
}

/// How long the list or the map is that a line begins with; `None`: it does not end there.
fn flow(line: &[u8]) -> Option<usize> {
    let (mut depth, mut quote, mut before) = (0_usize, None, b' ');
    for (at, byte) in line.iter().copied().enumerate() {
        match byte {
            _ if quote == Some(byte) => quote = None,
            _ if quote.is_some() => {}
            b'"' | b'\'' if !before.is_ascii_alphanumeric() => quote = Some(byte),
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            b'#' if before == b' ' => return None,
            _ => {}
        }
        before = byte;
    }
    None
}

fn without_spaces(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|it| *it != b' ').map_or(0, |at| at + 1);
    &bytes[..end]
}

/// Whether there may be data of a Secret.
fn has_data(text: &str) -> bool {
    let mut found = memmem::find_iter(text.as_bytes(), "data");
    found.any(|at| !text[..at].ends_with("meta"))
}

/// A document. `None` where something is not understood, or may be a secret.
struct Glance<'a> {
    text: &'a str,
    has_secret: bool,
    /// Lines that may still be looked at.
    left: usize,
}

/// What is written behind a name or a dash.
enum Written<'a> {
    /// What is below, or nothing.
    Below,
    Text(&'a str),
}

/// A line that has something.
struct Next<'a> {
    indent: usize,
    body: &'a str,
    /// Where the line after it begins.
    end: usize,
}

impl Next<'_> {
    /// Whether a field or an item begins.
    fn begins(&self) -> bool {
        self.is_item() || field(self.body).is_some()
    }

    fn is_item(&self) -> bool {
        self.body == "-" || self.body.starts_with("- ")
    }
}

impl<'a> Glance<'a> {
    /// Looks at the line around a place.
    fn line(&mut self, at: usize) -> Option<()> {
        let start = memrchr(b'\n', &self.text.as_bytes()[..at]).map_or(0, |end| end + 1);
        let (line, next) = line_at(self.text, start);
        let body = line.trim_start_matches(' ');
        if body.starts_with('#') {
            return Some(());
        }
        is_readable(line).then_some(())?;
        let indent = line.len() - body.len();
        let rest = without_dashes(body);
        let column = line.len() - rest.len();
        match field(rest) {
            Some((key, value)) => self.field(key, value, column, (start, next)),
            None if column > indent => self.item(rest, indent, next),
            None => None,
        }
    }

    fn item(&mut self, rest: &str, indent: usize, next: usize) -> Option<()> {
        let Written::Text(text) = written(rest)? else {
            return None;
        };
        let is_told = inline::is_document(text) || inline::gives_itself_away(text, false);
        if is_told {
            return None;
        }
        self.ends(indent, next)
    }

    fn field(
        &mut self,
        key: &str,
        value: &'a str,
        column: usize,
        (start, next): (usize, usize),
    ) -> Option<()> {
        if key.contains([':', ' ', '\'', '"']) {
            return None;
        }
        let meaning = inline::meaning(key);
        let text = match written(value)? {
            Written::Below if meaning.is_some() => return self.has_no_texts(column, next),
            Written::Below => return Some(()),
            Written::Text(text) => text,
        };
        self.has_secret |= key == "kind" && text == "Secret";
        let is_said = |meaning: Meaning| inline::is_what_it_means(meaning, text);
        if meaning.is_some_and(is_said) || inline::is_document(text) || inline::gives_itself_away(text, false)
        {
            return None;
        }
        self.ends(column, next)?;
        let is_named = || inline::meaning(text.trim_start_matches('/')).is_some();
        match key {
            "path" if is_named() => None,
            "name" if is_named() => self.has_no_value(start, column),
            _ => Some(()),
        }
    }

    /// Whether a value that began in a column does not go on in the lines from here.
    fn ends(&mut self, column: usize, from: usize) -> Option<()> {
        match self.next(from)? {
            Some(next) => (next.indent <= column && next.begins()).then_some(()),
            None => Some(()),
        }
    }

    /// Whether what is below a field is a map, a list of maps, or nothing.
    fn has_no_texts(&mut self, column: usize, from: usize) -> Option<()> {
        let Some(mut next) = self.next(from)? else {
            return Some(());
        };
        if !next.is_item() || next.indent < column {
            return (next.indent <= column || field(next.body).is_some()).then_some(());
        }
        let list = next.indent;
        loop {
            if next.indent < list || next.indent == list && !next.is_item() {
                return next.begins().then_some(());
            }
            if next.indent == list {
                let item = next.body.strip_prefix("- ")?;
                field(item.trim_start_matches(' '))?;
            }
            match self.next(next.end)? {
                Some(line) => next = line,
                None => return Some(()),
            }
        }
    }

    /// Whether no literal goes with the name of a variable: neither in its map, nor in the lines below it until another
    /// item begins.
    fn has_no_value(&mut self, start: usize, column: usize) -> Option<()> {
        let (_, mut at) = line_at(self.text, start);
        let (mut is_left, mut has_begun) = (false, false);
        while at < self.text.len() && !(is_left && has_begun) {
            self.count()?;
            let (line, next) = line_at(self.text, at);
            if let Some((first, of_key, key, value)) = place(line) {
                if key == "value" && of_key == column {
                    self.is_no_literal(value, line, column, next)?;
                }
                is_left |= first < column;
                // A dash before what is no field begins nothing in a text that is no YAML.
                has_begun |= first < of_key && !key.is_empty();
            }
            at = next;
        }
        let mut at = start;
        loop {
            self.count()?;
            let (line, next) = line_at(self.text, at);
            let found = place(line);
            if let Some((_, of_key, "value", value)) = found
                && of_key == column
            {
                self.is_no_literal(value, line, column, next)?;
            }
            if at == 0 || found.is_some_and(|(first, ..)| first < column) {
                return Some(());
            }
            at = memrchr(b'\n', &self.text.as_bytes()[..at - 1]).map_or(0, |end| end + 1);
        }
    }

    fn is_no_literal(&mut self, value: &str, line: &str, column: usize, next: usize) -> Option<()> {
        is_readable(line).then_some(())?;
        match written(value)? {
            Written::Text(text) if inline::is_literal(text) => None,
            Written::Text(_) => self.ends(column, next),
            Written::Below => match self.next(next)? {
                Some(next) => next.begins().then_some(()),
                None => Some(()),
            },
        }
    }

    /// The next line that has something, from here; within, `None`: there is none.
    #[expect(clippy::option_option, reason = "the outer one ends the search")]
    fn next(&mut self, from: usize) -> Option<Option<Next<'a>>> {
        let mut at = from;
        while at < self.text.len() {
            self.count()?;
            let (line, next) = line_at(self.text, at);
            let body = line.trim_start_matches(' ');
            if !body.is_empty() && !body.starts_with('#') {
                let indent = line.len() - body.len();
                return Some(Some(Next {
                    indent,
                    body,
                    end: next,
                }));
            }
            at = next;
        }
        Some(None)
    }

    fn count(&mut self) -> Option<()> {
        self.left = self.left.checked_sub(1)?;
        Some(())
    }
}

/// Whether every letter of a line is one that means the same everywhere.
fn is_readable(line: &str) -> bool {
    line.bytes().all(|it| (b' '..=b'~').contains(&it)) && !has_quoted_quote(line)
}

fn has_quoted_quote(line: &str) -> bool {
    memchr(b'\'', line.as_bytes()).is_some_and(|at| line[at..].contains("''"))
}

fn without_dashes(body: &str) -> &str {
    let mut rest = body;
    while let Some(item) = rest.strip_prefix("- ") {
        rest = item.trim_start_matches(' ');
    }
    rest
}

/// A text that is the same whether its line is one of YAML or one of a text. A comment behind quotes is not.
fn written(value: &str) -> Option<Written<'_>> {
    let value = value.trim_end_matches(' ');
    match value.bytes().next() {
        None => Some(Written::Below),
        Some(quote @ (b'"' | b'\'')) => {
            let quote = char::from(quote);
            let text = value[1..].strip_suffix(quote)?;
            let is_whole = !text.contains(quote) && !has_field(text);
            is_whole.then_some(Written::Text(text))
        }
        Some(_) => plain(value).map(Written::Text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_told(text: &str) -> bool {
        let names = ["assword", "PASSWORD", "ecret", "oken"];
        let mut found: Vec<usize> = names
            .iter()
            .flat_map(|name| text.match_indices(name))
            .map(|(at, _)| at)
            .collect();
        found.sort_unstable();
        is_harmless(text, found.into_iter())
    }

    #[test]
    fn lines_are_told_from_their_neighbours() {
        for text in [
            "existingSecret: db\nimagePullSecrets:\n- name: registry\n",
            "env:\n- name: DB_PASSWORD\n  valueFrom:\n    secretKeyRef:\n      name: db\n- name: A\n  value: b\n",
            "- name: DB_PASSWORD\n  value: ${X}\n",
            "a: \"x\" \npassword: '${X}'\n# it's\n",
            "secret:\n  secretName: x\n",
            "a: b\n password: ${X}\n",
            "script: |\n  # the password\n  token: ${X}\nkind: Secret\nmetadata: {}\n",
            "- --token-file=/a\n- b\n",
        ] {
            assert!(is_told(text), "{text}");
        }
        for text in [
            "password: hunter2\n",
            "passwords:\n- name: a\n- hunter2\n",
            "passwords:\n  - hunter2\n",
            "password:\n  hunter2\n",
            "password: ${X}\n  hunter2\n",
            "- name: DB_PASSWORD\n  value:\n    hunter2\n",
            "- value: hunter2\n  name: DB_PASSWORD\n",
            "- name: DB_PASSWORD\n- value: hunter2\n",
            "a:\n  name: DB_PASSWORD\nb:\n  value: hunter2\n",
            "a:\n- name: DB_PASSWORD\n- |\nb:\n  value: hunter2\n",
            "a: >\n  password:\n  b: c\n",
            "a: \"b\n\n  password: ${X}\n  c: d\"\n",
            "a: {b: c,\n password: ${X}\n- d}\n",
            "a: [ # ]\n  password: ${X} ]\n",
            "kind: Secret\ndata: {}\n",
            "password: \"${X}\" # \"\n",
            "- \"PASSWORD: x\"\n",
            "- --password=hunter2\n",
            "- --password=\n    hunter2\n",
            "password: |\n  hunter2\n",
            "value: hunter2\nname: |-\n  - name: DB_PASSWORD\n",
            "a: &a |-\n  - name: DB_PASSWORD\nb:\n  name: *a\n  value: hunter2\n",
            "password: *a\n",
            "token: # none\n",
            "a: b\r\n",
            "a: \"\\u0070\"\n",
        ] {
            assert!(!is_told(text), "{text}");
        }
    }

    #[test]
    fn lines_end_what_they_begin() {
        for text in [
            "args: [\"--a\", '/b'] # c\n",
            "a: {b: \"]\"}\nc: it's\n",
            "a: x {{ .y }} -> z\n",
            "\"a\": \"b\"\n",
        ] {
            assert!(ends_in_its_lines(text), "{text}");
        }
        for text in [
            "a: [\"]\",\n b]\n",
            "a: [ # ]\n]\n",
            "a: {\n",
            "- \"a\n  b\"\n",
            "-\": \"a\n  b\"\n",
            "a: >-\n  b\n",
            "a: b \"c\"\n",
        ] {
            assert!(!ends_in_its_lines(text), "{text}");
        }
    }
}
