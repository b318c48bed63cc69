//! Tells documents that have no secret without building a tree of them: nearly all. Whatever is not understood for sure
//! is not told: its tree is built.
//!
//! What a line of YAML is follows from the lines before it as long as a document keeps to what people mostly write:
//! fields and items by their indentation, texts that end in their line, blocks of text. In such a document the lines
//! with clues decide, each with what it would be in the tree.

use std::borrow::Cow;
use std::ops::ControlFlow;

use memchr::{memchr, memchr_iter};

use super::clues::{self, Clue};
use super::glance;
use super::inline::{self, Meaning, Within};
use super::words::Found;

/// Lines with clues that are kept of a document.
const MOST_LINES: usize = 50_000;
/// So many lines are looked at. A document with more of them, or a deeper one, may have more than a tree is built of.
const LONGEST: usize = 25_000;
const DEEPEST: usize = 24;
/// No field of an object of Kubernetes has a longer name.
const LONGEST_KEY: usize = 256;

/// What clues a document has.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "a clue each")]
pub(super) struct Survey {
    lines: Vec<Line>,
    /// Where the last clue begins.
    seen: usize,
    /// There are more.
    is_cut: bool,
    /// Whether a name may mean something.
    has_name: bool,
    /// Whether a word of a rule is there, or anything else that needs a closer look; addresses do not.
    has_shape: bool,
    has_structure: bool,
    /// Whether it may be what other objects look like.
    pub(super) has_schema: bool,
}

/// A line with clues.
#[derive(Clone, Copy)]
struct Line {
    /// Where the first of them begins.
    at: u32,
    clues: Clues,
}

#[derive(Clone, Copy, Default)]
struct Clues {
    has_name: bool,
    has_address: bool,
    has_shape: bool,
}

impl Clues {
    const fn any(self) -> bool {
        self.has_name || self.has_address || self.has_shape
    }

    const fn and(self, other: Self) -> Self {
        Self {
            has_name: self.has_name || other.has_name,
            has_address: self.has_address || other.has_address,
            has_shape: self.has_shape || other.has_shape,
        }
    }
}

impl Survey {
    /// Looks for clues, and hands over where those are that may give their line away.
    pub(super) fn of(text: &str, mut of_value: impl FnMut(usize)) -> Self {
        let mut survey = Self::default();
        let end = clues::each(text, |clue, found| {
            if clue.is_of_value() {
                of_value(found.start);
            }
            survey.take(text, clue, &found);
            ControlFlow::<()>::Continue(())
        });
        debug_assert!(end.is_continue());
        survey
    }

    fn take(&mut self, text: &str, clue: Clue, found: &Found) {
        let at = found.start;
        let mut clues = Clues::default();
        match clue {
            Clue::Structure => return self.has_structure = true,
            Clue::Schema => return self.has_schema |= is_line(text, found),
            Clue::Address => clues.has_address = true,
            Clue::Rule(_) | Clue::Shape => {
                clues.has_shape = true;
                self.has_shape = true;
            }
            Clue::Name => {
                // Names of fields that others have mean nothing.
                if self.has_schema || !inline::may_mean(text, at) {
                    return;
                }
                clues.has_name = true;
                self.has_name = true;
            }
        }
        let is_same_line = memchr(b'\n', &text.as_bytes()[self.seen..at.max(self.seen)]).is_none();
        self.seen = at.max(self.seen);
        if let Some(last) = self.lines.last_mut()
            && is_same_line
        {
            last.clues = last.clues.and(clues);
            return;
        }
        self.is_cut |= self.lines.len() >= MOST_LINES;
        if let Ok(at) = u32::try_from(at)
            && !self.is_cut
        {
            self.lines.push(Line { at, clues });
        }
    }

    /// Whether a tree of the document would tell nothing, for sure.
    pub(super) fn is_harmless(&self, text: &str) -> bool {
        if self.has_structure {
            return false;
        }
        let is_json = text.trim_start().starts_with(['{', '[']);
        if !self.has_name && !self.has_shape && !has_escape(text, is_json) {
            return true;
        }
        if is_json {
            return inline::is_harmless_json(text);
        }
        if self.is_cut {
            return false;
        }
        let names = self.lines.iter().filter(|line| line.clues.has_name);
        let names = names.map(|line| line.at as usize);
        !self.has_shape && glance::is_harmless(text, names)
            || Skim::new(text, &self.lines).is_some_and(Skim::tells_nothing)
    }
}

/// Whether a word is a whole line.
fn is_line(text: &str, found: &Found) -> bool {
    let bytes = text.as_bytes();
    let begins = found
        .start
        .checked_sub(1)
        .is_none_or(|before| bytes[before] == b'\n');
    begins && matches!(bytes.get(found.end), None | Some(b'\n' | b'\r'))
}

/// Whether something is written in a way that makes words of what is none, or other addresses of those that are there.
fn has_escape(text: &str, is_json: bool) -> bool {
    let bytes = text.as_bytes();
    let mut escapes = memchr_iter(b'\\', bytes);
    escapes.any(|at| match bytes.get(at + 1) {
        // No word has a quote, and none goes on behind one.
        Some(b'"') => false,
        next => is_json || matches!(next, Some(b'x' | b'u' | b'U' | b'/' | b'\n') | None),
    })
}

/// A document, line by line. `None` where something is not understood, or may be a secret.
struct Skim<'a> {
    text: &'a str,
    clues: std::slice::Iter<'a, Line>,
    /// The maps and lists around the line.
    around: Vec<Level>,
    /// Whether the last field or item has its value in the lines below it.
    is_open: bool,
    /// What the name of the last field says, if its value is below it.
    of_open: Option<Meaning>,
    anchors: Vec<&'a str>,
    has_secret: bool,
    has_data: bool,
    /// A copy of the lines of a block.
    block: String,
    /// Lines that may still be looked at.
    left: usize,
}

/// A map or a list.
#[derive(Clone, Copy)]
struct Level {
    column: usize,
    is_list: bool,
    /// What the name of a list says of its items.
    meaning: Option<Meaning>,
}

/// How a value is written.
enum Written<'a> {
    /// Below its field, or not at all.
    Below,
    /// As a text in the same line.
    Text(Cow<'a, str>),
    /// A copy of another.
    Alias,
    /// A list or a map in the same line.
    Flow(&'a str),
    /// A block of text: `|` or `>`, and whether its last line ends.
    Block { is_folded: bool, is_stripped: bool },
}

impl<'a> Skim<'a> {
    fn new(text: &'a str, clues: &'a [Line]) -> Option<Self> {
        // Tabs and others mean something else in other places.
        let is_odd = has_control(text.as_bytes())
            || !text.is_ascii() && text.contains(['\u{85}', '\u{2028}', '\u{2029}', '\u{feff}']);
        if is_odd {
            return None;
        }
        Some(Self {
            text,
            clues: clues.iter(),
            around: Vec::new(),
            is_open: false,
            of_open: None,
            anchors: Vec::new(),
            has_secret: false,
            has_data: false,
            block: String::new(),
            left: LONGEST,
        })
    }

    fn tells_nothing(mut self) -> bool {
        self.look().is_some() && !(self.has_secret && self.has_data)
    }

    fn look(&mut self) -> Option<()> {
        let mut at = 0;
        while at < self.text.len() {
            self.count()?;
            at = self.line(at)?;
        }
        Some(())
    }

    /// Counts a line that is looked at, maybe not for the first time.
    fn count(&mut self) -> Option<()> {
        self.left = self.left.checked_sub(1)?;
        Some(())
    }

    /// Looks at the line that begins there, and at what belongs to it; where the next one begins.
    fn line(&mut self, start: usize) -> Option<usize> {
        let (line, next) = line_at(self.text, start);
        let clues = self.clues_before(next);
        let body = line.trim_start_matches(' ');
        if body.is_empty() {
            return Some(next);
        }
        if body.starts_with('#') {
            return Some(next);
        }
        let indent = line.len() - body.len();
        if indent == 0 && (body.starts_with("---") || body.starts_with("...") || body.starts_with('%')) {
            return None;
        }
        let mut column = indent;
        let mut rest = body;
        while let Some(item) = rest
            .strip_prefix('-')
            .filter(|item| item.is_empty() || item.starts_with(' '))
        {
            self.item(column)?;
            let value = item.trim_start_matches(' ');
            if value.is_empty() || value.starts_with('#') {
                return Some(next);
            }
            column += rest.len() - value.len();
            rest = value;
        }
        let Some((key, value)) = field(rest) else {
            return self.text_item(rest, column, indent, clues, next);
        };
        self.field(column)?;
        if key == inline::SEALED {
            return self.sealed(value, column, next);
        }
        self.value(key, value, column, clues, start, next)
    }

    /// What clues the lines before this place have that were not asked for yet.
    fn clues_before(&mut self, end: usize) -> Clues {
        let mut all = Clues::default();
        while let Some(line) = self
            .clues
            .as_slice()
            .first()
            .filter(|line| (line.at as usize) < end)
        {
            all = all.and(line.clues);
            self.clues.next();
        }
        all
    }

    /// An item of a list begins at a column.
    fn item(&mut self, column: usize) -> Option<()> {
        self.leave(column)?;
        match self.around.last() {
            Some(level) if level.column == column && level.is_list => {}
            Some(level) if level.column == column && !self.is_open => return None,
            Some(level) if level.column < column && !self.is_open => return None,
            // An item of an item.
            _ => {
                if self.around.is_empty() && !self.is_first() {
                    return None;
                }
                let meaning = self.of_open.take();
                self.enter(Level {
                    column,
                    is_list: true,
                    meaning,
                })?;
            }
        }
        self.is_open = true;
        self.of_open = self.around.last().and_then(|level| level.meaning);
        Some(())
    }

    /// A field of a map begins at a column.
    fn field(&mut self, column: usize) -> Option<()> {
        self.leave(column)?;
        // The items of a list may stand below the name of the list, and end where the next field begins.
        if let [.., map, list] = self.around[..]
            && list.is_list
            && list.column == column
            && map.column == column
        {
            self.around.pop();
        }
        match self.around.last() {
            Some(level) if level.column == column && !level.is_list => Some(()),
            Some(level) if level.column < column && self.is_open => self.enter(Level {
                column,
                is_list: false,
                meaning: None,
            }),
            None if self.is_first() => self.enter(Level {
                column,
                is_list: false,
                meaning: None,
            }),
            _ => None,
        }
    }

    /// Whether nothing stood before.
    fn is_first(&self) -> bool {
        self.around.is_empty() && !self.is_open
    }

    fn enter(&mut self, level: Level) -> Option<()> {
        if self.around.len() >= DEEPEST {
            return None;
        }
        self.around.push(level);
        self.is_open = false;
        Some(())
    }

    /// Leaves the maps and lists that are deeper than a column. The first is around all that follows.
    fn leave(&mut self, column: usize) -> Option<()> {
        while self.around.last().is_some_and(|level| level.column > column) {
            self.around.pop();
            self.is_open = false;
            if self.around.is_empty() {
                return None;
            }
        }
        Some(())
    }

    /// An item that is a text.
    fn text_item(
        &mut self,
        text: &'a str,
        column: usize,
        indent: usize,
        clues: Clues,
        next: usize,
    ) -> Option<usize> {
        // It is the first thing in its line: a text that goes on, maybe.
        if column == indent {
            return None;
        }
        let list = *self.around.last()?;
        let written = self.written(text, clues)?;
        match written {
            Written::Below => return None,
            Written::Alias | Written::Flow(_) if list.meaning.is_some() => return None,
            Written::Alias => {}
            Written::Flow(text) => self.has_data |= text.contains("data"),
            Written::Text(text) => {
                let is_decoded = matches!(text, Cow::Owned(_));
                self.text("", &text, is_decoded, list.meaning, clues)?;
            }
            Written::Block {
                is_folded,
                is_stripped,
            } => {
                return self.block("", list.meaning, list.column, next, (is_folded, is_stripped));
            }
        }
        Some(self.closed(next))
    }

    /// What follows must not belong to a value that ended in its line.
    fn closed(&mut self, next: usize) -> usize {
        self.is_open = false;
        self.of_open = None;
        next
    }

    /// The value of a field.
    fn value(
        &mut self,
        key: &'a str,
        value: &'a str,
        column: usize,
        clues: Clues,
        start: usize,
        next: usize,
    ) -> Option<usize> {
        let meaning = if clues.has_name {
            inline::meaning(key)
        } else {
            None
        };
        let written = self.written(value, clues)?;
        if matches!(key, "data") && !matches!(written, Written::Text(_)) {
            self.has_data = true;
        }
        match written {
            Written::Below => {
                self.is_open = true;
                self.of_open = meaning;
                return Some(next);
            }
            Written::Alias if meaning.is_some() || key == "kind" => return None,
            Written::Alias if matches!(key, "name" | "path") => self.has_no_value(start, column)?,
            Written::Alias => {}
            Written::Flow(_) if meaning.is_some() => return None,
            Written::Flow(text) => self.has_data |= text.contains("data"),
            Written::Text(text) => {
                let is_decoded = matches!(text, Cow::Owned(_));
                self.text(key, &text, is_decoded, meaning, clues)?;
                let is_named = clues.has_name && inline::meaning(text.trim_start_matches('/')).is_some();
                if matches!(key, "name" | "path") && is_named {
                    self.has_no_value(start, column)?;
                }
            }
            Written::Block {
                is_folded,
                is_stripped,
            } => {
                return self.block(key, meaning, column, next, (is_folded, is_stripped));
            }
        }
        Some(self.closed(next))
    }

    /// A text in its line.
    fn text(
        &mut self,
        key: &str,
        text: &str,
        is_decoded: bool,
        meaning: Option<Meaning>,
        clues: Clues,
    ) -> Option<()> {
        self.has_secret |= key == "kind" && text == "Secret";
        self.has_data |= key == "path" && text.starts_with("/data/");
        // What was written out may say more than its line.
        if meaning.is_none() && !clues.any() && !is_decoded && !text.contains('\\') {
            return Some(());
        }
        if inline::is_document(text) {
            self.document(text)?;
        } else if inline::gives_itself_away(text, clues.has_shape || is_decoded) {
            return None;
        }
        match meaning {
            Some(meaning) if inline::is_what_it_means(meaning, text) => None,
            _ => Some(()),
        }
    }

    /// A text in which others are written.
    fn document(&mut self, text: &str) -> Option<()> {
        match inline::look_into(text) {
            Within::Nothing => {}
            Within::Data => self.has_data = true,
            Within::Leak => return None,
        }
        Some(())
    }

    /// A block of text below its field or its item.
    fn block(
        &mut self,
        key: &str,
        meaning: Option<Meaning>,
        column: usize,
        from: usize,
        (is_folded, is_stripped): (bool, bool),
    ) -> Option<usize> {
        let (mut at, mut indent) = (from, None);
        let mut end = from;
        while at < self.text.len() {
            let (line, next) = line_at(self.text, at);
            let body = line.trim_start_matches(' ');
            let of_line = line.len() - body.len();
            if body.is_empty() {
                // Before the first line of text it may say how far that is indented.
                if indent.is_none() && of_line > 0 {
                    return None;
                }
                at = next;
                continue;
            }
            let indent = *indent.get_or_insert(of_line);
            if indent <= column || of_line < indent {
                break;
            }
            at = next;
            end = next;
        }
        let clues = self.clues_before(end);
        let text = &self.text[from..end];
        let is_json = text.trim_start().starts_with(['{', '[']);
        let is_clear = !clues.has_name && !clues.has_shape;
        if meaning.is_some() || key == "path" || matches!(key, "kind" | "name") && !is_clear {
            return None;
        }
        if is_clear && !(is_json && text.contains('\\')) && !(is_folded && clues.has_address) {
            return Some(self.closed(at));
        }
        if is_folded || is_stripped && text.matches('\n').count() < 2 || clues.has_frame(text) {
            return None;
        }
        let mut block = std::mem::take(&mut self.block);
        block.clear();
        for line in text.split_inclusive('\n') {
            block.push_str(line.get(indent.unwrap_or_default()..).unwrap_or("\n"));
        }
        self.document(&block)?;
        self.block = block;
        Some(self.closed(at))
    }

    /// What only the controller of SealedSecrets can open: as long as it is no more than a field a line.
    fn sealed(&mut self, value: &'a str, column: usize, from: usize) -> Option<usize> {
        if !value.is_empty() {
            return None;
        }
        let is_part = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'+' | b'/' | b'=');
        let is_plain = |value: &str| !value.is_empty() && value.bytes().all(is_part);
        let (mut at, mut first) = (from, None);
        while at < self.text.len() {
            let (line, next) = line_at(self.text, at);
            if let Some((begin, of_field, _, value)) = place(line) {
                if begin <= column {
                    break;
                }
                if begin != of_field || begin != *first.get_or_insert(begin) || !is_plain(value) {
                    return None;
                }
            }
            at = next;
        }
        self.clues_before(at);
        Some(self.closed(at))
    }

    /// What is written behind a name or a dash.
    fn written(&mut self, value: &'a str, clues: Clues) -> Option<Written<'a>> {
        let mut value = value;
        if let Some(rest) = value.strip_prefix('&') {
            let (name, rest) = rest.split_once(' ')?;
            let rest = rest.trim_start_matches(' ');
            // What goes on below would be copied, too.
            if !is_anchor(name) || rest.is_empty() || rest.starts_with(['#', '&', '*', '[', '{', '|', '>']) {
                return None;
            }
            self.anchors.push(name);
            value = rest;
        }
        match value.bytes().next() {
            None | Some(b'#') => Some(Written::Below),
            Some(b'*') => {
                let name = without_comment(&value[1..]);
                self.anchors.contains(&name).then_some(Written::Alias)
            }
            Some(b'|' | b'>') => {
                let is_folded = value.starts_with('>');
                let is_stripped = match without_comment(&value[1..]) {
                    "" | "+" => false,
                    "-" => true,
                    _ => return None,
                };
                Some(Written::Block {
                    is_folded,
                    is_stripped,
                })
            }
            // An address may be another one when letters are written out.
            Some(b'"' | b'\'') => {
                let text = quoted(value)?;
                let is_as_written = matches!(text, Cow::Borrowed(_));
                (is_as_written || !clues.has_address).then_some(Written::Text(text))
            }
            Some(b'[' | b'{') if clues.any() => None,
            Some(b'[' | b'{') => is_flow(value).then_some(Written::Flow(value)),
            _ => plain(value).map(|text| Written::Text(text.into())),
        }
    }

    /// Whether the map that has a name has no value that goes with it. It begins in another line, or in this one.
    fn has_no_value(&mut self, start: usize, column: usize) -> Option<()> {
        let is_harmless = |value: &str| {
            let text = match value.bytes().next() {
                None | Some(b'#') => return true,
                Some(b'"' | b'\'') => quoted(value),
                Some(b'|' | b'>' | b'&' | b'*' | b'[' | b'{' | b'!') => None,
                _ => plain(value).map(Cow::from),
            };
            text.is_some_and(|text| !inline::is_literal(&text))
        };
        let (_, next) = line_at(self.text, start);
        let mut at = next;
        while at < self.text.len() {
            self.count()?;
            let (line, next) = line_at(self.text, at);
            match place(line) {
                Some((first, ..)) if first < column => break,
                Some((_, of_key, "value", value)) if of_key == column && !is_harmless(value) => return None,
                _ => {}
            }
            at = next;
        }
        let (mut line, _) = line_at(self.text, start);
        let mut at = start;
        while place(line).is_none_or(|(first, ..)| first >= column) && at > 0 {
            self.count()?;
            let before = self.text[..at - 1].rfind('\n').map_or(0, |end| end + 1);
            (line, _) = line_at(self.text, before);
            at = before;
            match place(line) {
                Some((_, of_key, "value", value)) if of_key == column && !is_harmless(value) => return None,
                _ => {}
            }
        }
        Some(())
    }
}

impl Clues {
    /// Whether a key may begin in one line and go on in others.
    fn has_frame(self, text: &str) -> bool {
        self.has_shape && (text.contains("PRIVATE KEY") || text.contains("AGE-"))
    }
}

/// The line that begins there, without its end, and where the next one begins.
pub(super) fn line_at(text: &str, start: usize) -> (&str, usize) {
    let rest = &text[start..];
    match memchr(b'\n', rest.as_bytes()) {
        Some(end) => (&rest[..end], start + end + 1),
        None => (rest, text.len()),
    }
}

/// Where a line begins, where its field begins, the field and its value; `None`: it has nothing.
pub(super) fn place(line: &str) -> Option<(usize, usize, &str, &str)> {
    let mut body = line.trim_start_matches(' ');
    if body.is_empty() || body.starts_with('#') {
        return None;
    }
    let first = line.len() - body.len();
    while let Some(item) = body.strip_prefix("- ") {
        body = item.trim_start_matches(' ');
    }
    let (key, value) = field(body).unwrap_or(("", ""));
    Some((first, line.len() - body.len(), key, value))
}

/// A field and what follows it in its line.
pub(super) fn field(text: &str) -> Option<(&str, &str)> {
    let quote = text.bytes().next()?;
    let (key, rest) = if matches!(quote, b'"' | b'\'') {
        let inner = &text[1..];
        let end = inner.bytes().position(|it| it == quote || it == b'\\')?;
        if inner.as_bytes()[end] == b'\\' {
            return None;
        }
        (&inner[..end], &inner[end + 1..])
    } else {
        let is_part = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'_' | b'.' | b'/' | b'-');
        let end = text.bytes().position(|it| !is_part(it))?;
        let key = &text[..end];
        if key.is_empty() || key.starts_with('-') {
            return None;
        }
        (key, &text[end..])
    };
    let value = rest.strip_prefix(':')?;
    let is_field = value.is_empty() || value.starts_with(' ');
    (is_field && key.len() <= LONGEST_KEY).then(|| (key, value.trim_start_matches(' ')))
}

fn is_anchor(name: &str) -> bool {
    let is_part = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'_' | b'-');
    !name.is_empty() && name.bytes().all(is_part)
}

/// Whether there is a letter that is none, but for ends of lines: eight at a time.
fn has_control(bytes: &[u8]) -> bool {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    const HIGH: u64 = !LOW;
    let equals = |eight: u64, byte: u8| {
        let other = eight ^ u64::from_ne_bytes([byte; 8]);
        !(((other & LOW) + LOW) | other) & HIGH
    };
    let is_odd = |eight: u64| {
        let is_low = !((eight & LOW) + 0x6060_6060_6060_6060) & !eight & HIGH;
        (is_low & !equals(eight, b'\n') | equals(eight, 0x7f)) != 0
    };
    let (eights, rest) = bytes.as_chunks::<8>();
    let is_control = |it: &u8| *it < b' ' && *it != b'\n' || *it == 0x7f;
    eights.iter().any(|eight| is_odd(u64::from_ne_bytes(*eight))) || rest.iter().any(is_control)
}

fn without_comment(text: &str) -> &str {
    let mut from = 0;
    while let Some(at) = text[from..].find('#') {
        let at = from + at;
        if text[..at].ends_with(' ') {
            return text[..at].trim_end_matches(' ');
        }
        from = at + 1;
    }
    text.trim_end_matches(' ')
}

/// Whether a text may be a field and its value.
pub(super) fn has_field(text: &str) -> bool {
    let mut colons = text.match_indices(':');
    colons.any(|(at, _)| matches!(text.as_bytes().get(at + 1), None | Some(b' ')))
}

/// A text without quotes that ends in its line.
pub(super) fn plain(value: &str) -> Option<&str> {
    let text = without_comment(value);
    let mut bytes = text.bytes();
    let is_opening = match bytes.next()? {
        b'-' | b'?' | b':' => bytes.next().is_some_and(|it| it != b' '),
        b',' | b']' | b'}' | b'#' | b'&' | b'*' | b'!' | b'%' | b'@' | b'`' | b'|' | b'>' | b'[' | b'{'
        | b'"' | b'\'' => false,
        _ => true,
    };
    let is_whole = is_opening && !has_field(text);
    is_whole.then_some(text)
}

/// A text in quotes that ends in its line.
fn quoted(value: &str) -> Option<Cow<'_, str>> {
    let (text, rest) = match value.strip_prefix('"') {
        Some(value) => in_double_quotes(value)?,
        None => in_single_quotes(value.strip_prefix('\'')?)?,
    };
    let is_end = rest.trim_start_matches(' ').is_empty()
        || rest.trim_start_matches(' ').starts_with('#') && rest.starts_with(' ');
    is_end.then_some(text)
}

fn in_single_quotes(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let mut from = 0;
    loop {
        let end = from + text[from..].find('\'')?;
        let rest = &text[end + 1..];
        if !rest.starts_with('\'') {
            let whole = &text[..end];
            let inner = if from == 0 {
                whole.into()
            } else {
                whole.replace("''", "'").into()
            };
            return Some((inner, rest));
        }
        from = end + 2;
    }
}

/// Letters that are written out are those that JSON knows, too, but for those by number.
fn in_double_quotes(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let end = text.find(['"', '\\'])?;
    if text.as_bytes()[end] == b'"' {
        return Some((text[..end].into(), &text[end + 1..]));
    }
    let mut whole = text[..end].to_owned();
    let mut letters = text[end..].char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((whole.into(), &text[end + at + 1..])),
            '\\' => whole.push(match letters.next()?.1 {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                letter @ ('"' | '\\' | '/') => letter,
                _ => return None,
            }),
            letter => whole.push(letter),
        }
    }
    None
}

/// Whether a list or a map ends in its line, and is of words alone.
fn is_flow(value: &str) -> bool {
    let value = without_comment(value);
    let is_word = |text: &str| {
        let is_part = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'_' | b'.' | b'/');
        match in_quotes(text) {
            Some(inner) => !inner.contains(['"', '\'', '\\']),
            None => !text.is_empty() && text.bytes().all(is_part),
        }
    };
    let is_pair = |text: &str| {
        text.split_once(": ")
            .is_some_and(|(key, value)| is_word(key) && is_word(value))
    };
    let parts = |inner: &str, is_part: &dyn Fn(&str) -> bool| {
        inner.trim_matches(' ').is_empty() || inner.split(',').all(|part| is_part(part.trim_matches(' ')))
    };
    if let Some(inner) = value.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return parts(inner, &is_word);
    }
    let inner = value.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    inner.is_some_and(|inner| parts(inner, &is_pair))
}

fn in_quotes(text: &str) -> Option<&str> {
    let within = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
    within('"').or_else(|| within('\''))
}

#[cfg(test)]
#[allow(clippy::format_push_string)]
mod tests {
    use super::super::scan::Scan;
    use super::super::tree::{Gap, Tree};
    use super::*;

    fn is_harmless(text: &str) -> bool {
        Survey::of(text, |_| {}).is_harmless(text)
    }

    #[test]
    fn what_people_mostly_write_needs_no_tree() {
        for text in [
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  a: b\n",
            "spec:\n  valuesFrom:\n  - kind: Secret\n    name: db-secret\n  existingSecret: db\n",
            "env:\n- name: DB_PASSWORD\n  valueFrom:\n    secretKeyRef: {}\n",
            "env:\n- name: DB_PASSWORD\n  valueFrom:\n    secretKeyRef:\n      name: db\n      key: password\n- name: A\n  value: b\n",
            "# password: hunter2\nsecret: ${SECRET}\ntoken: \"{{ .token }}\" # a token\n",
            "imagePullSecrets:\n- name: registry\nautomountServiceAccountToken: false\n",
            "script: |\n  # the password\n  echo \"$PASSWORD\"\n\n  exit 0\nother: x\n",
            "kind: SealedSecret\nspec:\n  encryptedData:\n    password: AgBh3k29sdkfj2lk3jlk2j3lkj2l3kj\n  template: {}\n",
            "app: &app db\npassword: ${X}\nref: *app\nargs: [a, \"b\"]\n",
            "text: \"a\\nb\\\"\"\ntoken: x\n",
            "{\"password\": null, \"token\": \"${TOKEN}\", \"text\": \"a\\nb\"}",
            "a: it\\u0073\n",
        ] {
            assert!(is_harmless(text), "{text}");
        }
    }

    #[test]
    fn letters_that_are_none_are_seen_wherever_they_stand() {
        for length in 1..20 {
            for at in 0..length {
                for letter in [0, 8, 9, 10, 13, 31, 32, 33, 126, 127, 128, 138, 255] {
                    for around in [b' ', b'\n', b'~', 0xff] {
                        let mut bytes = vec![around; length];
                        bytes[at] = letter;
                        let wanted = matches!(letter, 0..=9 | 11..=31 | 127);
                        assert_eq!(has_control(&bytes), wanted, "{bytes:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_not_understood_needs_one() {
        for text in [
            "password: hunter2\n",
            "\"\\u0070assword\": hunter2\n",
            "- name: DB_PASSWORD\n  value: hunter2\n",
            "- value: hunter2\n  name: DB_PASSWORD\n",
            "passwords:\n- hunter2\n",
            "passwords:\n- [hunter2]\n",
            "passwords:\n  -\n    hunter2\n",
            "password:\n  hunter2\n",
            "password: |\n  hunter2\n",
            "password: ${X}\n  hunter2\n",
            "text: >\n  password:\n  hunter2\n",
            "text: |\n  password: hunter2\n",
            "a: &a hunter2\npassword: *a\n",
            "a: &a DB_PASSWORD\nb:\n  name: *a\n  value: hunter2\n",
            "kind: Secret\ndata:\n  user: YWRtaW4=\n",
            "kind: Secret\ndata: {user: YWRtaW4=}\n",
            "conn: SharedAccessKey=abcabcabc;Endpoint=x\n",
            "a: {password: hunter2}\n",
            "a: '{\"password\": \"hunter2\"}'\n",
            "args:\n- --password=hunter2\n",
            "run: |\n  export PASSWORD=hunter2\n",
            "{\"password\": 1234.5}",
            "{\"\\u0070assword\": \"hunter2\"}",
            "kind: SealedSecret\nencryptedData:\n  a: b\n   password: hunter2\n",
        ] {
            assert!(!is_harmless(text), "{text}");
        }
    }

    /// Chance that is the same in every run (SplitMix64).
    struct Chance(u64);

    impl Chance {
        fn below(&mut self, limit: usize) -> usize {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = self.0;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            usize::try_from((mixed ^ (mixed >> 31)) % limit as u64).unwrap()
        }

        fn one_in(&mut self, limit: usize) -> bool {
            self.below(limit) == 0
        }

        fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
            choices[self.below(choices.len())]
        }

        fn key(&mut self) -> String {
            let keys: Vec<&str> = KEYS.split_whitespace().collect();
            self.pick(&keys).replace('~', " ")
        }

        /// One of several lines, without what is before it. `␤`, `→` and `…` are the end of a line, a tab and another end
        /// of a line.
        fn line(&mut self, of: &str) -> String {
            let lines: Vec<&str> = of.split('\n').skip(1).collect();
            let line = self.pick(&lines[..lines.len() - 1]);
            line.get(8..)
                .unwrap_or_default()
                .replace('␤', "\n")
                .replace('→', "\t")
                .replace('…', "\u{85}")
        }
    }

    /// Names of fields; `~` is a space.
    const KEYS: &str = "
        password token apiKey name name value value path kind kind data data stringData metadata spec env
        secret existingSecret encryptedData url image key api auth a.yaml target op items sops apiVersion
        'quoted' \"data\" \"pass\\u0077ord\" api~key secretAccessKey passwords conn x
    ";

    const VALUES: &str = r#"
        hunter2
        ${X}
        "{{ .x }}"
        Secret
        Secret
        ConfigMap
        v1
        x-secret
        DB_PASSWORD
        true
        12345
        1.5
        null
        ~
        ''
        ""
        "a\nb"
        "p\u0061ssword: hunter2"
        'it''s'
        Password=hunter2;Server=x
        Server=x;Password=hunter2
        SharedAccessKey=abcabcabc;Endpoint=x
        /data/user
        /stringData/user
        /spec/password
        &a DB_PASSWORD
        &a hunter2
        *a
        *a
        !!str hunter2
        YWRtaW4=
        '{"password": "hunter2"}'
        '{"a": "b"}'
        curl -u robot:hunter22 https://x
        'curl -u ''robot:hunter22'' x'
        https://u:hunter2@h/x
        https://example.com/a
        "https:\/\/u:hunter2@h"
        [a, b]
        [hunter2]
        {a: b}
        {kind: Secret}
        {password: hunter2}
        {path: /data/a, value: x}
        {name: DB_PASSWORD, value: hunter2}
        [
        {
        a # password: x
        "two␤  lines"
        two␤   lines
        'a␤␤  password: hunter2'
        password: x
        -
        ? x
        @x
        %x
        a→b
        "\
        …
        é
        SSWS
        --password=hunter2
        "--pass\u0077ord=hunter2"
        --password=$(PASSWORD)
        x
    "#;

    const LINES: &str = r#"
        password: hunter2
        token: ${X}
        # password: hunter2

        kind: Secret
        data:
          user: YWRtaW4=
        {"password": "hunter2"}
        {"a": "b\npassword: hunter2"}
        export PASSWORD=hunter2
        https://u:hunter2@h/x
        a: b
        ---
        password:
          hunter2
        - name: DB_PASSWORD
          value: hunter2
    "#;

    fn scalar(chance: &mut Chance, indent: usize, text: &mut String) {
        let token = ["ghp_", "aB3dE5fG7hJ9kL2mN4pQ6rS8tU1vW3xY5zA7"].concat();
        if chance.one_in(40) {
            text.push_str(&format!(" {token}\n"));
            return;
        }
        if chance.one_in(5) {
            text.push_str(chance.pick(&[" |\n", " |-\n", " >\n", " >-\n", " |+\n", " |2\n"]));
            for _ in 0..=chance.below(4) {
                let line = chance.line(LINES);
                text.push_str(&format!("{}{line}\n", " ".repeat(indent + 2)));
            }
            return;
        }
        text.push_str(&format!(" {}\n", chance.line(VALUES)));
    }

    fn block(chance: &mut Chance, indent: usize, depth: usize, text: &mut String) {
        let is_list = chance.one_in(3);
        for _ in 0..=chance.below(4) {
            if chance.one_in(12) {
                text.push_str(chance.pick(&["\n", "# password: x\n", "   # token\n", "      \n"]));
            }
            if is_list {
                text.push_str(&format!("{}-", " ".repeat(indent)));
                match chance.below(4) {
                    0 => scalar(chance, indent, text),
                    1 if depth > 0 => {
                        text.push('\n');
                        block(chance, indent + 2, depth - 1, text);
                    }
                    _ => {
                        text.push_str(&format!(" {}:", chance.key()));
                        scalar(chance, indent + 2, text);
                        for _ in 0..chance.below(3) {
                            text.push_str(&format!("{}{}:", " ".repeat(indent + 2), chance.key()));
                            scalar(chance, indent + 2, text);
                        }
                    }
                }
                continue;
            }
            text.push_str(&format!("{}{}:", " ".repeat(indent), chance.key()));
            if depth > 0 && chance.one_in(3) {
                text.push_str(chance.pick(&["\n", "\n", " # c\n", "  \n", " &b\n"]));
                let deeper = indent + [0, 2, 2, 2, 4][chance.below(5)];
                block(chance, deeper, depth - 1, text);
            } else {
                scalar(chance, indent, text);
            }
        }
    }

    fn json(chance: &mut Chance, depth: usize) -> serde_json::Value {
        let plain = |text: &str| text.trim_matches(['"', '\'']).to_owned();
        match chance.below(if depth == 0 { 4 } else { 8 }) {
            0 => serde_json::json!(chance.below(3000)),
            1 => serde_json::json!(1.5),
            2 | 3 => plain(&chance.line(VALUES)).into(),
            4 | 5 => (0..chance.below(4)).map(|_| json(chance, depth - 1)).collect(),
            _ => {
                let fields = (0..=chance.below(4)).map(|_| (plain(&chance.key()), json(chance, depth - 1)));
                serde_json::Value::Object(fields.collect())
            }
        }
    }

    fn mutated(chance: &mut Chance, text: &str) -> String {
        let mut lines: Vec<String> = text.split_inclusive('\n').map(Into::into).collect();
        for _ in 0..chance.below(4) {
            let at = chance.below(lines.len().max(1));
            let Some(line) = lines.get_mut(at) else { break };
            match chance.below(9) {
                0 => line.insert(0, ' '),
                1 => *line = line.strip_prefix(' ').unwrap_or(line).to_owned(),
                2 => *line = line.trim_end().to_owned(),
                3 => {
                    lines.remove(at);
                }
                4 => {
                    let copy = lines[at].clone();
                    lines.insert(chance.below(lines.len()), copy);
                }
                5 => {
                    let end = line.floor_char_boundary(chance.below(line.len().max(1)));
                    line.insert_str(
                        end,
                        chance.pick(&[
                            "\"", "'", ":", ": ", "#", " #", "{", "]", "\\", "-", "|", "\t", "&a ", "*a",
                        ]),
                    );
                }
                6 => {
                    let end = line.floor_char_boundary(chance.below(line.len().max(1)));
                    if end < line.len() {
                        line.remove(end);
                    }
                }
                7 => *line = line.replace('\n', "\r\n"),
                _ => line.insert_str(
                    0,
                    chance.pick(&["- ", "--- ", "...\n", "\u{feff}", "? ", "%YAML 1.2\n", "[", "  "]),
                ),
            }
        }
        lines.concat()
    }

    fn tree(mut scan: Scan, name: &str, text: &str) -> Tree {
        scan.file(name, text.as_bytes());
        scan.finish()
    }

    /// The tree of every document is the oracle: what is told without it has to be the same.
    #[test]
    fn nothing_is_lost_without_a_tree() {
        let count = std::env::var("FLUXSEC_DOCUMENTS")
            .ok()
            .and_then(|count| count.parse().ok());
        let (mut harmless, mut leaks) = (0, 0);
        for seed in 0..count.unwrap_or(10_000_u64) {
            let chance = &mut Chance(seed);
            let mut text = String::new();
            let name = if chance.one_in(5) {
                let value = json(chance, 4);
                text = if chance.one_in(2) {
                    value.to_string()
                } else {
                    serde_json::to_string_pretty(&value).unwrap()
                };
                if chance.one_in(3) {
                    text = text.replacen('a', "\\u0061", 3);
                }
                chance.pick(&["a.json", "a.yaml", "a.jsonl"])
            } else {
                let indent = [0, 0, 0, 2][chance.below(4)];
                block(chance, indent, 3, &mut text);
                "a.yaml"
            };
            if chance.one_in(2) {
                text = mutated(chance, &text);
            }
            let told = tree(Scan::default(), name, &text);
            let wanted = tree(Scan::thorough(), name, &text);
            harmless += u32::from(is_harmless(&text));
            leaks += u32::from(!wanted.leaks.is_empty());
            if wanted.coverage.gaps.contains_key(&Gap::TooComplex) {
                continue;
            }
            assert_eq!(told, wanted, "seed {seed}, {name}:\n{text}");
        }
        assert!(harmless > 500 && leaks > 500, "{harmless} {leaks}");
    }
}
