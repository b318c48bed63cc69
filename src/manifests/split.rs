//! Cuts a stream of YAML and JSON into documents, and lists into their items. Keeps one of them at a time, so that a file
//! may be of any size.

use std::io::{self, BufRead, Read};

/// No object of Kubernetes is larger, nor is a document that is read.
pub const MOST_BYTES: usize = 8 * 1024 * 1024;
/// How much is read at once.
const CHUNK: usize = 64 * 1024;

/// How a piece is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// YAML.
    Yaml,
    /// JSON, or what looks like it: YAML in flow style begins with a brace, too.
    Json,
}

/// A document, or an item of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// Its text, from its first line with content. An item in YAML begins with its dash.
    pub text: &'a [u8],
    /// The line of the stream that it begins in.
    pub line: u32,
    /// How it is written.
    pub format: Format,
    /// Whether it says of what kind it is, as objects do.
    pub has_kind: bool,
}

/// What is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut<'a> {
    /// To be read.
    Piece(Piece<'a>),
    /// Larger than [`MOST_BYTES`], and dropped.
    TooLarge {
        /// The line that it begins in.
        line: u32,
        /// Whether it says of what kind it is, as objects do.
        has_kind: bool,
    },
}

/// Cuts a stream.
pub struct Splitter<R> {
    source: R,
    /// Room; what was read ends at `filled`.
    buffer: Vec<u8>,
    filled: usize,
    /// Where in the buffer that begins which is not cut off yet.
    start: usize,
    /// The line of `start`.
    line: u32,
    has_ended: bool,
    state: State,
}

/// Where the stream is.
#[derive(Clone, Copy)]
enum State {
    /// Before the first byte.
    New,
    /// Between documents.
    Between,
    /// In a list in YAML whose dashes are indented so far.
    Items(usize),
    /// Behind the items of a list in YAML.
    BehindItems,
    /// In a list in JSON.
    JsonItems,
    /// In JSON that is not closed where it should have been: lines that begin with a brace are values of their own.
    JsonLines,
}

/// What a line of YAML is.
enum Line {
    /// Blank or a comment.
    Neutral,
    /// Begins with `%`.
    Directive,
    /// `---`, maybe with content behind it.
    Begin { has_content: bool },
    /// `...`
    End,
    /// So far indented.
    Content {
        indent: usize,
        first: u8,
        has_dash: bool,
    },
}

/// A range of the buffer from `start`, on its way to a [`Cut`].
enum Range {
    Piece {
        from: usize,
        to: usize,
        line: u32,
        format: Format,
        has_kind: bool,
    },
    TooLarge {
        line: u32,
        has_kind: bool,
    },
}

impl<R: Read> Splitter<R> {
    /// Cuts what is read from here.
    pub fn new(source: R) -> Self {
        Self::with_room(source, Vec::new())
    }

    /// Cuts what is read from here, in room that was used before.
    pub fn with_room(source: R, room: Vec<u8>) -> Self {
        Self {
            source,
            buffer: room,
            filled: 0,
            start: 0,
            line: 1,
            has_ended: false,
            state: State::New,
        }
    }

    /// Gives the room back.
    #[must_use]
    pub fn into_room(self) -> Vec<u8> {
        self.buffer
    }

    /// The next document or item; `None`: there is no more.
    ///
    /// # Errors
    /// The stream cannot be read.
    pub fn next_cut(&mut self) -> io::Result<Option<Cut<'_>>> {
        let range = loop {
            let (found, state) = match self.state {
                State::New => {
                    self.skip_mark()?;
                    (None, State::Between)
                }
                State::Between => match self.document()? {
                    None => return Ok(None),
                    Some(found) => found,
                },
                State::Items(indent) => self.item(indent)?,
                State::BehindItems => self.behind_items()?,
                State::JsonItems => self.json_item()?,
                State::JsonLines => self.json_line()?,
            };
            self.state = state;
            if let Some(range) = found {
                break range;
            }
        };
        Ok(Some(match range {
            Range::TooLarge { line, has_kind } => Cut::TooLarge { line, has_kind },
            Range::Piece {
                from,
                to,
                line,
                format,
                has_kind,
            } => Cut::Piece(Piece {
                text: &self.buffer[from..to],
                line,
                format,
                has_kind,
            }),
        }))
    }

    /// One document of YAML, or the way into one of JSON or into a list.
    fn document(&mut self) -> io::Result<Option<(Option<Range>, State)>> {
        let mut document = Document::default();
        let mut awaits_items = false;
        loop {
            let Some(line) = self.line_at(document.scanned)? else {
                if document.is_empty() {
                    return Ok(None);
                }
                return Ok(Some((self.cut_off(&document), State::Between)));
            };
            let text = &self.rest(document.scanned)[..line.end - document.scanned];
            if document.at_line_start {
                match classify(text) {
                    Line::Begin { .. } | Line::End if !document.is_empty() => {
                        // The mark of an end is dropped with its line; that of a beginning is looked at again.
                        let is_end = matches!(classify(text), Line::End);
                        let range = self.cut_off(&document);
                        if is_end {
                            self.consume(line.end - document.scanned, u32::from(line.is_whole));
                        }
                        return Ok(Some((range, State::Between)));
                    }
                    Line::Begin { has_content: true } => document.begin(),
                    Line::Neutral | Line::Directive | Line::Begin { .. } | Line::End => {}
                    Line::Content { first: b'{', .. } if document.is_empty() => {
                        let indent = text.iter().take_while(|it| it.is_ascii_whitespace()).count();
                        self.consume(document.scanned + indent, document.lines);
                        return self.json().map(Some);
                    }
                    Line::Content { indent, has_dash, .. } => {
                        if awaits_items && has_dash {
                            self.consume(document.scanned, document.lines);
                            return Ok(Some((None, State::Items(indent))));
                        }
                        document.begin();
                        document.has_kind |= indent == 0 && is_key_of_kind(text);
                        awaits_items = is_key_of_items(text);
                    }
                }
            }
            self.go_on(&mut document, &line);
        }
    }

    /// One item of a list in YAML.
    fn item(&mut self, dashes: usize) -> io::Result<(Option<Range>, State)> {
        let mut item = Document::default();
        loop {
            let Some(line) = self.line_at(item.scanned)? else {
                return Ok((self.cut_off(&item), State::Between));
            };
            let text = &self.rest(item.scanned)[..line.end - item.scanned];
            if item.at_line_start {
                match classify(text) {
                    Line::Begin { .. } | Line::End => return Ok((self.cut_off(&item), State::Between)),
                    Line::Content { indent, has_dash, .. } if indent <= dashes => {
                        if indent < dashes || !has_dash {
                            return Ok((self.cut_off(&item), State::BehindItems));
                        }
                        if !item.is_empty() {
                            return Ok((self.cut_off(&item), State::Items(dashes)));
                        }
                        item.begin();
                        item.has_kind |= is_key_of_kind(text);
                    }
                    Line::Content { .. } => {
                        item.begin();
                        item.has_kind |= is_key_of_kind(text);
                    }
                    Line::Neutral | Line::Directive => {}
                }
            }
            self.go_on(&mut item, &line);
        }
    }

    /// What is left of a document behind its items says nothing about them.
    fn behind_items(&mut self) -> io::Result<(Option<Range>, State)> {
        let mut at_line_start = true;
        while let Some(line) = self.line_at(0)? {
            let text = &self.rest(0)[..line.end];
            if at_line_start && matches!(classify(text), Line::Begin { .. } | Line::End) {
                break;
            }
            self.consume(line.end, u32::from(line.is_whole));
            at_line_start = line.is_whole;
        }
        Ok((None, State::Between))
    }

    /// One document of JSON, or the way into its items.
    fn json(&mut self) -> io::Result<(Option<Range>, State)> {
        let mut scan = Scan::new(self.line);
        loop {
            let rest = self.rest(0);
            while let Some(byte) = rest.get(scan.at).copied() {
                let is_items =
                    scan.awaits == Key::Items && scan.depth == 1 && byte == b'[' && !scan.in_string;
                scan.take(byte, rest);
                if is_items {
                    self.consume(scan.at, scan.lines);
                    return Ok((None, State::JsonItems));
                }
                if scan.is_closed {
                    return Ok((Some(self.cut_off_json(&scan)), State::Between));
                }
                if scan.in_string {
                    scan.skip_text(rest);
                }
            }
            if scan.at > MOST_BYTES && !scan.is_oversized && self.next_brace(0).is_some() {
                return Ok((None, State::JsonLines));
            }
            if !self.has_more_json(&mut scan)? {
                return Ok((Some(self.cut_off_json(&scan)), State::Between));
            }
        }
    }

    /// One value of JSON, up to the next line that begins with a brace.
    fn json_line(&mut self) -> io::Result<(Option<Range>, State)> {
        let mut scan = Scan::new(self.line);
        // Whatever it is: what cannot be read is told.
        scan.has_kind = true;
        let mut searched = 0;
        loop {
            if let Some(end) = self.next_brace(searched) {
                scan.at = end;
                scan.lines = lines_in(&self.rest(0)[..end]);
                return Ok((Some(self.cut_off_json(&scan)), State::JsonLines));
            }
            scan.at = self.rest(0).len();
            scan.lines = lines_in(self.rest(0));
            // The line may end with what is read next.
            searched = scan.at.saturating_sub(1);
            if !self.has_more_json(&mut scan)? {
                let range = (scan.at > 0 || scan.is_oversized).then(|| self.cut_off_json(&scan));
                return Ok((range, State::Between));
            }
            searched = searched.min(self.rest(0).len());
        }
    }

    /// The next line that begins with a brace, seen from there.
    fn next_brace(&self, from: usize) -> Option<usize> {
        let mut ends = self.rest(from).windows(2);
        ends.position(|bytes| bytes == b"\n{").map(|at| from + at + 1)
    }

    /// One item of a list in JSON.
    fn json_item(&mut self) -> io::Result<(Option<Range>, State)> {
        self.skip(|byte| byte.is_ascii_whitespace() || byte == b',')?;
        let mut scan = Scan::new(self.line);
        loop {
            let rest = self.rest(0);
            while let Some(byte) = rest.get(scan.at).copied() {
                let is_behind = scan.depth == 0 && !scan.in_string && (byte == b',' || byte == b']');
                if is_behind && scan.at == 0 && !scan.is_oversized {
                    // The end of the list; what follows it is as little of an object as what is behind a list in YAML.
                    self.consume(1, 0);
                    return self.behind_json_items();
                }
                if is_behind {
                    return Ok((Some(self.cut_off_json(&scan)), State::JsonItems));
                }
                scan.take(byte, rest);
                if scan.in_string {
                    scan.skip_text(rest);
                }
            }
            if !self.has_more_json(&mut scan)? {
                let range = (scan.at > 0 || scan.is_oversized).then(|| self.cut_off_json(&scan));
                return Ok((range, State::Between));
            }
        }
    }

    fn behind_json_items(&mut self) -> io::Result<(Option<Range>, State)> {
        let mut scan = Scan::new(self.line);
        scan.depth = 1;
        while !scan.is_closed {
            let Some(byte) = self.byte(scan.at) else {
                self.forget(&mut scan);
                if !self.more()? {
                    break;
                }
                continue;
            };
            scan.take(byte, self.rest(0));
        }
        self.consume(scan.at, scan.lines);
        Ok((None, State::Between))
    }

    /// Reads on while a value of JSON is not closed; one that is too large is dropped on the way.
    fn has_more_json(&mut self, scan: &mut Scan) -> io::Result<bool> {
        if scan.at > MOST_BYTES {
            self.forget(scan);
            scan.is_oversized = true;
        }
        self.more()
    }

    /// Drops what was scanned.
    fn forget(&mut self, scan: &mut Scan) {
        self.consume(scan.at, scan.lines);
        scan.at = 0;
        scan.lines = 0;
        scan.text_from = None;
    }

    fn cut_off_json(&mut self, scan: &Scan) -> Range {
        let (from, to, line) = (self.start, scan.at, scan.line);
        self.consume(to, scan.lines);
        if scan.is_oversized {
            return Range::TooLarge {
                line,
                has_kind: scan.has_kind,
            };
        }
        Range::Piece {
            from,
            to: from + to,
            line,
            format: Format::Json,
            has_kind: scan.has_kind,
        }
    }

    /// Ends a document or item before what was looked at last.
    fn cut_off(&mut self, document: &Document) -> Option<Range> {
        let range = match document.content {
            None => None,
            Some(_) if document.is_oversized => Some(Range::TooLarge {
                line: document.line_of_content(self.line),
                has_kind: document.has_kind,
            }),
            Some((from, _)) => Some(Range::Piece {
                from: self.start + from,
                to: self.start + document.scanned,
                line: document.line_of_content(self.line),
                format: Format::Yaml,
                has_kind: document.has_kind,
            }),
        };
        self.consume(document.scanned, document.lines);
        range
    }

    fn go_on(&mut self, document: &mut Document, line: &LineEnd) {
        document.scanned = line.end;
        document.lines += u32::from(line.is_whole);
        document.at_line_start = line.is_whole;
        if document.scanned > MOST_BYTES {
            // Nobody reads it any more: only its end is looked for.
            let first = document.content.map(|_| document.line_of_content(self.line));
            self.consume(document.scanned, document.lines);
            document.scanned = 0;
            document.lines = 0;
            document.is_oversized = document.content.is_some();
            document.oversized_line = first.unwrap_or(self.line);
        }
    }

    /// The end of the line that begins there; `None`: nothing follows. A line that is too long comes in parts.
    fn line_at(&mut self, from: usize) -> io::Result<Option<LineEnd>> {
        let mut searched = from;
        loop {
            let mut rest = self.rest(searched);
            let length = rest.skip_until(b'\n')?;
            searched += length;
            if length > 0 && self.byte(searched - 1) == Some(b'\n') {
                return Ok(Some(LineEnd {
                    end: searched,
                    is_whole: true,
                }));
            }
            let is_long = searched - from > MOST_BYTES;
            if is_long || !self.more()? {
                return Ok((searched > from).then_some(LineEnd {
                    end: searched,
                    is_whole: false,
                }));
            }
        }
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.rest(0).get(at).copied()
    }

    /// Drops the mark that some editors begin a file with.
    fn skip_mark(&mut self) -> io::Result<()> {
        const MARK: &[u8] = "\u{feff}".as_bytes();
        while self.filled < MARK.len() && self.more()? {}
        if self.rest(0).starts_with(MARK) {
            self.start = MARK.len();
        }
        Ok(())
    }

    fn skip(&mut self, is_skipped: impl Fn(u8) -> bool) -> io::Result<()> {
        loop {
            let rest = self.rest(0);
            let length = rest.iter().position(|byte| !is_skipped(*byte));
            let skipped = &rest[..length.unwrap_or(rest.len())];
            self.consume(skipped.len(), lines_in(skipped));
            if length.is_some() || !self.more()? {
                return Ok(());
            }
        }
    }

    /// What was read and not cut off yet, from there.
    fn rest(&self, from: usize) -> &[u8] {
        &self.buffer[self.start + from..self.filled]
    }

    fn consume(&mut self, length: usize, lines: u32) {
        self.line = self.line.saturating_add(lines);
        self.start += length;
    }

    /// Reads more; false: there is no more.
    fn more(&mut self) -> io::Result<bool> {
        if self.has_ended {
            return Ok(false);
        }
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.filled, 0);
            self.filled -= self.start;
            self.start = 0;
        }
        if self.buffer.len() < self.filled + CHUNK {
            // By as much as there is already: a long piece is not copied again and again.
            self.buffer.resize(self.filled + CHUNK.max(self.filled), 0);
        }
        let read = loop {
            match self.source.read(&mut self.buffer[self.filled..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        self.filled += read;
        self.has_ended = read == 0;
        Ok(read > 0)
    }
}

/// Where a line ends, from `start`.
struct LineEnd {
    end: usize,
    /// Whether it is a line to its end.
    is_whole: bool,
}

/// A document of YAML while its end is looked for.
struct Document {
    /// How far, from `start`.
    scanned: usize,
    /// How many lines that are.
    lines: u32,
    at_line_start: bool,
    /// Where the first line with content begins, and how many lines are before it.
    content: Option<(usize, u32)>,
    has_kind: bool,
    is_oversized: bool,
    oversized_line: u32,
}

impl Default for Document {
    fn default() -> Self {
        Self {
            scanned: 0,
            lines: 0,
            at_line_start: true,
            content: None,
            has_kind: false,
            is_oversized: false,
            oversized_line: 0,
        }
    }
}

impl Document {
    fn is_empty(&self) -> bool {
        self.content.is_none()
    }

    fn begin(&mut self) {
        self.content.get_or_insert((self.scanned, self.lines));
    }

    fn line_of_content(&self, line: u32) -> u32 {
        if self.is_oversized {
            return self.oversized_line;
        }
        line.saturating_add(self.content.map_or(0, |(_, lines)| lines))
    }
}

/// A value of JSON while its end is looked for.
#[expect(
    clippy::struct_excessive_bools,
    reason = "a scanner is somewhere, and has seen something"
)]
struct Scan {
    at: usize,
    /// The line that it begins in.
    line: u32,
    /// How many lines were scanned.
    lines: u32,
    depth: u32,
    in_string: bool,
    is_escaped: bool,
    /// Where the last text began; `None`: its beginning is gone.
    text_from: Option<usize>,
    /// The last text at the first level.
    key: Key,
    /// The key whose value comes next.
    awaits: Key,
    has_kind: bool,
    is_closed: bool,
    is_oversized: bool,
}

/// Keys that matter.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Items,
    Kind,
    Other,
}

impl Scan {
    fn new(line: u32) -> Self {
        Self {
            at: 0,
            line,
            lines: 0,
            depth: 0,
            in_string: false,
            is_escaped: false,
            text_from: None,
            key: Key::Other,
            awaits: Key::Other,
            has_kind: false,
            is_closed: false,
            is_oversized: false,
        }
    }

    fn take(&mut self, byte: u8, bytes: &[u8]) {
        self.at += 1;
        self.lines += u32::from(byte == b'\n');
        if self.in_string {
            self.take_text(byte, bytes);
            return;
        }
        match byte {
            b'"' => {
                self.in_string = true;
                self.text_from = Some(self.at);
                self.awaits = Key::Other;
            }
            b':' if self.depth == 1 => {
                self.awaits = self.key;
                self.has_kind |= self.key == Key::Kind;
            }
            b'{' | b'[' => {
                self.depth += 1;
                self.awaits = Key::Other;
            }
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                self.is_closed = self.depth == 0;
            }
            _ => {}
        }
    }

    /// Goes to where a text may end. Lines do not: that would be no JSON, and is counted one by one.
    fn skip_text(&mut self, bytes: &[u8]) {
        if self.is_escaped {
            return;
        }
        let rest = &bytes[self.at..];
        let matters = |byte: &u8| matches!(byte, b'"' | b'\\' | b'\n');
        self.at += rest.iter().position(matters).unwrap_or(rest.len());
    }

    fn take_text(&mut self, byte: u8, bytes: &[u8]) {
        if std::mem::take(&mut self.is_escaped) {
            return;
        }
        match byte {
            b'\\' => self.is_escaped = true,
            b'"' => {
                self.in_string = false;
                if self.depth == 1 {
                    let text = self.text_from.and_then(|from| bytes.get(from..self.at - 1));
                    self.key = match text {
                        Some(b"items") => Key::Items,
                        Some(b"kind") => Key::Kind,
                        _ => Key::Other,
                    };
                }
            }
            _ => {}
        }
    }
}

/// How many lines end there.
pub(super) fn lines_in(text: &[u8]) -> u32 {
    let ends = text.iter().map(|byte| u32::from(*byte == b'\n'));
    ends.sum()
}

/// A piece of JSON from each line that begins with a brace to the next one.
pub(super) fn lines_with_a_brace<'a>(piece: &Piece<'a>) -> Vec<Piece<'a>> {
    let mut lines = Vec::new();
    if piece.format != Format::Json {
        return lines;
    }
    let (mut rest, mut line) = (piece.text, piece.line);
    while !rest.is_empty() {
        let end = rest.windows(2).position(|bytes| bytes == b"\n{");
        let (text, behind) = rest.split_at(end.map_or(rest.len(), |at| at + 1));
        lines.push(Piece { text, line, ..*piece });
        line = line.saturating_add(lines_in(text));
        rest = behind;
    }
    lines
}

fn classify(line: &[u8]) -> Line {
    if let Some(rest) = line.strip_prefix(b"---")
        && rest.first().is_none_or(u8::is_ascii_whitespace)
    {
        let rest = rest.trim_ascii_start();
        return Line::Begin {
            has_content: !rest.is_empty() && !rest.starts_with(b"#"),
        };
    }
    if let Some(rest) = line.strip_prefix(b"...")
        && rest.first().is_none_or(u8::is_ascii_whitespace)
    {
        return Line::End;
    }
    let indent = line.iter().take_while(|byte| **byte == b' ').count();
    let content = line[indent..].trim_ascii_start();
    match content.first() {
        None | Some(b'#') => Line::Neutral,
        Some(b'%') if indent == 0 => Line::Directive,
        Some(first) => Line::Content {
            indent,
            first: *first,
            has_dash: *first == b'-' && content.get(1).is_none_or(u8::is_ascii_whitespace),
        },
    }
}

/// `kind:`, maybe quoted, maybe behind the dash of an item.
fn is_key_of_kind(line: &[u8]) -> bool {
    let line = line.trim_ascii_start();
    let line = line.strip_prefix(b"- ").unwrap_or(line).trim_ascii_start();
    let quote = line
        .first()
        .filter(|first| matches!(first, b'"' | b'\''))
        .copied();
    let line = &line[usize::from(quote.is_some())..];
    let Some(line) = line.strip_prefix(b"kind") else {
        return false;
    };
    let line = match quote {
        Some(quote) => line.strip_prefix(&[quote]),
        None => Some(line),
    };
    line.is_some_and(|line| line.trim_ascii_start().starts_with(b":"))
}

/// `items:` and nothing else but a comment.
fn is_key_of_items(line: &[u8]) -> bool {
    let rest = line.strip_prefix(b"items:").map(<[u8]>::trim_ascii_start);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"#"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Gives so many bytes at a time.
    struct Trickle<'a>(&'a [u8], usize);

    impl Read for Trickle<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = self.1.min(self.0.len()).min(buffer.len());
            buffer[..length].copy_from_slice(&self.0[..length]);
            self.0 = &self.0[length..];
            Ok(length)
        }
    }

    fn cuts_of(source: impl Read) -> Vec<(u32, String)> {
        let mut splitter = Splitter::new(source);
        let mut found = Vec::new();
        while let Some(cut) = splitter.next_cut().unwrap() {
            found.push(match cut {
                Cut::Piece(piece) => (
                    piece.line,
                    String::from_utf8_lossy(piece.text).trim_end().to_owned(),
                ),
                Cut::TooLarge { line, has_kind } => (line, format!("too large, {has_kind}")),
            });
        }
        found
    }

    fn cuts(text: &str) -> Vec<(u32, String)> {
        let whole = cuts_of(text.as_bytes());
        assert_eq!(whole, cuts_of(Trickle(text.as_bytes(), 1)), "byte by byte");
        whole
    }

    fn owned(pieces: &[(u32, &str)]) -> Vec<(u32, String)> {
        pieces
            .iter()
            .map(|(line, text)| (*line, (*text).to_owned()))
            .collect()
    }

    #[test]
    fn documents_end_where_the_next_one_begins() {
        for (text, pieces) in [
            ("", &[][..]),
            ("\n# nothing\n---\n---\n...\n", &[]),
            ("a: 1", &[(1, "a: 1")]),
            ("---\na: 1\n---\nb: 2\n", &[(2, "a: 1"), (4, "b: 2")]),
            (
                "a: 1\r\n---\r\n# comment\r\nb: 2\r\n",
                &[(1, "a: 1"), (4, "b: 2")],
            ),
            ("\u{feff}---\na: 1\n", &[(2, "a: 1")]),
            (
                "%YAML 1.2\n---\na: 1\n...\n%YAML 1.2\n---\nb: 2\n",
                &[(3, "a: 1"), (7, "b: 2")],
            ),
            (
                "--- {a: 1}\n--- # none\nb: 2\n",
                &[(1, "--- {a: 1}"), (3, "b: 2")],
            ),
            (
                "a: |\n  ---\n  b\n ---\nc: ----\n----: d\n",
                &[(1, "a: |\n  ---\n  b\n ---\nc: ----\n----: d")],
            ),
            ("a: |\n  text\n---\nb: 2\n", &[(1, "a: |\n  text"), (4, "b: 2")]),
            ("a: '\n---\n'\n", &[(1, "a: '"), (3, "'")]),
            ("a: 1\n---", &[(1, "a: 1")]),
        ] {
            assert_eq!(cuts(text), owned(pieces), "{text:?}");
        }
    }

    #[test]
    fn lists_are_cut_into_their_items() {
        let flat = "apiVersion: v1\nitems:\n- a: 1\n  b:\n  - 2\n# comment\n- c: |\n    - d\nkind: List\n---\ne: 3\n";
        assert_eq!(
            cuts(flat),
            owned(&[
                (3, "- a: 1\n  b:\n  - 2\n# comment"),
                (7, "- c: |\n    - d"),
                (11, "e: 3")
            ])
        );
        let indented = "kind: List\nitems: # all\n\n  - a: 1\n    b: 2\n  -\n    c: 3\n";
        assert_eq!(
            cuts(indented),
            owned(&[(4, "  - a: 1\n    b: 2"), (6, "  -\n    c: 3")])
        );
        assert_eq!(
            cuts("items: []\nkind: List\n"),
            owned(&[(1, "items: []\nkind: List")])
        );
        assert_eq!(cuts("items:\n  a: 1\n"), owned(&[(1, "items:\n  a: 1")]));
    }

    #[test]
    fn json_is_cut_where_its_braces_close() {
        for (text, pieces) in [
            (
                "{\"a\": \"}\\\"{\"}{\"b\": 1}\n{\"c\": [2]}",
                &[(1, "{\"a\": \"}\\\"{\"}"), (1, "{\"b\": 1}"), (2, "{\"c\": [2]}")][..],
            ),
            (
                "{\"items\": [\n{\"a\": 1},\n{\"items\": [{\"b\": 2}]}\n], \"kind\": \"List\"}\n{\"c\": 3}",
                &[
                    (2, "{\"a\": 1}"),
                    (3, "{\"items\": [{\"b\": 2}]}"),
                    (5, "{\"c\": 3}"),
                ],
            ),
            (
                "{\"metadata\": {\"items\": [{}]}, \"a\": \"items\"}",
                &[(1, "{\"metadata\": {\"items\": [{}]}, \"a\": \"items\"}")],
            ),
            ("{\"items\": []}", &[]),
            ("{\"items\": [{\"a\"", &[(1, "{\"a\"")]),
            ("{\"a\": 1}\n---\nb: 2\n", &[(1, "{\"a\": 1}"), (3, "b: 2")]),
            ("  {a: 1}\n", &[(1, "{a: 1}")]),
            ("{\"a\"", &[(1, "{\"a\"")]),
        ] {
            assert_eq!(cuts(text), owned(pieces), "{text}");
        }
    }

    #[test]
    fn a_line_that_is_not_closed_swallows_no_other() {
        let good = |name: usize| format!("{{\"kind\": \"{name}\", \"a\": \"{}\"}}\n", "x".repeat(1000));
        let broken = "{\"kind\": \"A\", \"b\": {\n";
        let many: String = (0..10_000).map(good).collect();
        let found = cuts_of(format!("{}{broken}{many}", good(0)).as_bytes());
        assert_eq!(found.len(), 10_002);
        assert_eq!((found[0].0, found[1].0), (1, 2));
        assert_eq!(found[1].1, broken.trim_end());
        for (at, (line, text)) in found[2..].iter().enumerate() {
            assert_eq!(*line as usize, at + 3);
            assert_eq!(text, good(at).trim_end());
        }
        // A smaller one is cut by whoever cannot read it.
        let text = format!("{broken}{}{}", good(1), good(2));
        let piece = Piece {
            text: text.as_bytes(),
            line: 7,
            format: Format::Json,
            has_kind: true,
        };
        let lines = lines_with_a_brace(&piece);
        assert_eq!(lines.iter().map(|it| it.line).collect::<Vec<_>>(), [7, 8, 9]);
        assert_eq!(
            lines.iter().map(|it| it.text).collect::<Vec<_>>().concat(),
            piece.text
        );
    }

    #[test]
    fn it_is_seen_whether_a_kind_is_told() {
        let has_kind = |text: &str| {
            let mut splitter = Splitter::new(text.as_bytes());
            match splitter.next_cut().unwrap() {
                Some(Cut::Piece(piece)) => piece.has_kind,
                other => panic!("{other:?}"),
            }
        };
        for text in [
            "a: 1\nkind: A\n",
            "'kind': A\n",
            "\"kind\" : A\n",
            "items:\n- kind: A\n",
            "items:\n- a: 1\n  kind: A\n",
            "{\"kind\": \"A\"",
        ] {
            assert!(has_kind(text), "{text}");
        }
        for text in [
            "a:\n  kind: A\n",
            "kinds: A\n",
            "'kind: A'\n",
            "kind\n",
            "{\"a\": {\"kind\": 1}}",
        ] {
            assert!(!has_kind(text), "{text}");
        }
    }

    #[test]
    fn what_is_too_large_is_dropped_and_what_follows_is_not() {
        let long = "x".repeat(MOST_BYTES);
        for (text, large) in [
            (
                format!("# first\na: 1\nkind: {long}\nb: 2\n---\nc: 3\n"),
                (2, "too large, true"),
            ),
            (format!("a: {long}{long}\n---\nc: 3\n"), (1, "too large, false")),
            (
                format!("\n{{\"kind\": \"A\", \"b\": \"{long}{long}\"}}\nc: 3\n"),
                (2, "too large, true"),
            ),
        ] {
            let found = cuts_of(text.as_bytes());
            assert_eq!(found[0], (large.0, large.1.to_owned()));
            assert_eq!(found[1].1, "c: 3");
            assert_eq!(found.len(), 2);
        }
        let items = format!("{{\"items\": [{{\"a\": \"{long}{long}\"}}, {{\"c\": 3}}]}}");
        let found = cuts_of(items.as_bytes());
        assert_eq!(found, owned(&[(1, "too large, false"), (1, "{\"c\": 3}")]));
    }

    #[test]
    fn a_stream_without_an_end_takes_no_memory() {
        struct Endless(u64);
        impl Read for Endless {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let length = usize::try_from(self.0.min(buffer.len() as u64)).unwrap();
                self.0 -= length as u64;
                buffer[..length].fill(b'x');
                Ok(length)
            }
        }
        let mut splitter = Splitter::new(Endless(128 << 20));
        let cut = splitter.next_cut().unwrap();
        assert_eq!(
            cut,
            Some(Cut::TooLarge {
                line: 1,
                has_kind: false
            })
        );
        assert!(
            splitter.buffer.capacity() <= 4 * MOST_BYTES,
            "{}",
            splitter.buffer.capacity()
        );
    }

    /// A document with content that no marker and no list begins in.
    fn document() -> impl Strategy<Value = String> {
        let line = prop_oneof![
            "[a-z]{1,4}: [a-z#-]{0,5}",
            "  - [a-z]{1,5}",
            " ---",
            "----",
            "é: …"
        ];
        proptest::collection::vec(line, 1..5).prop_map(|lines| format!("first: 1\n{}", lines.join("\n")))
    }

    proptest! {
        #[test]
        fn what_was_joined_is_found(documents in proptest::collection::vec(document(), 0..6), size in 1_usize..40) {
            let text = documents.join("\n---\n");
            let found = cuts_of(Trickle(text.as_bytes(), size));
            let texts: Vec<_> = found.iter().map(|(_, text)| text.clone()).collect();
            prop_assert_eq!(&texts, &documents.iter().map(|it| it.trim_end().to_owned()).collect::<Vec<_>>());
            for (line, piece) in found {
                let there = text.lines().nth(line as usize - 1);
                prop_assert_eq!(there, piece.lines().next());
            }
        }

        #[test]
        fn nothing_is_too_strange(bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'-'), Just(b'{'), Just(b'"'), Just(b' '), any::<u8>()], 0..200), size in 1_usize..50) {
            cuts_of(Trickle(&bytes, size));
        }
    }
}
