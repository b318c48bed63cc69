//! Takes in the files of a tree.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};
use std::ops::ControlFlow;
use std::sync::{Arc, LazyLock};

use memchr::memmem::Finder;
use memchr::{memchr, memchr_iter};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error, StrDeserializer};

use super::clues;
use super::document::{self, Ciphertext, Found};
use super::inline::{self, Inline, Trace, shown};
use super::kustomization;
use super::layout::{Content, Layout, file_name, is_kustomization};
use super::lines::{self, Lines, Setting, Traced};
use super::node::{Fault, Node};
use super::tree::{Certainty, Class, Coverage, Encrypted, Format, Gap, Leak, Recipient, Tree};
use super::triage::Survey;
use crate::api::Severity;

/// No longer file is looked at; Flux decrypts none that is longer either.
pub const LONGEST_FILE: usize = 5 * 1024 * 1024;
/// No longer path is looked at.
const LONGEST_PATH: usize = 1024;
/// Leaks of one tree that are told of.
const MOST_LEAKS: usize = 1000;
/// Encrypted documents of one tree that are told of.
const MOST_ENCRYPTED: usize = 10_000;

/// A scan of one tree. Its memory grows with what it finds, and no further than it is allowed to.
#[derive(Default)]
pub struct Scan {
    leaks: BTreeSet<Leak>,
    more_leaks: u64,
    encrypted: BTreeSet<Encrypted>,
    /// Whoever encrypts one file encrypts the next one for the same.
    recipients: BTreeSet<Arc<[Recipient]>>,
    layout: Layout,
    coverage: Coverage,
    roots: Vec<Box<str>>,
    is_thorough: bool,
}

/// What a file is called.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Yaml,
    Json,
    JsonLines,
    Dotenv,
    Ini,
    /// Settings, one a line.
    Settings,
    /// What assigns literals to variables, among other things.
    Script,
    /// A store of keys.
    KeyStore,
    Other,
}

impl Kind {
    fn of(path: &str) -> Self {
        let name = file_name(path);
        if name == "Kustomization" {
            return Self::Yaml;
        }
        let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
        match extension.to_ascii_lowercase().as_str() {
            "yaml" | "yml" => Self::Yaml,
            "json" | "tfstate" | "dockerconfigjson" => Self::Json,
            "jsonl" | "ndjson" => Self::JsonLines,
            "env" => Self::Dotenv,
            "ini" => Self::Ini,
            "properties" | "tfvars" | "conf" | "cfg" | "toml" => Self::Settings,
            "sh" | "bash" | "zsh" | "envrc" | "tf" | "hcl" | "dockerfile" | "containerfile" => Self::Script,
            "p12" | "pfx" | "jks" | "keystore" | "kdbx" => Self::KeyStore,
            _ if name.starts_with(".env.") => Self::Dotenv,
            _ if ["Dockerfile", "Containerfile"]
                .iter()
                .any(|it| name.starts_with(it)) =>
            {
                Self::Script
            }
            _ => Self::Other,
        }
    }
}

/// A file as it is looked at.
struct Page<'a> {
    path: &'a str,
    file: Arc<str>,
    is_kustomization: bool,
    found: Vec<Leak>,
    has_ciphertext: bool,
}

impl Scan {
    /// A scan that builds a tree of every document, whatever words it has. That takes many times as long, and finds the
    /// same: tests see to it.
    #[must_use]
    pub fn thorough() -> Self {
        Self {
            is_thorough: true,
            ..Self::default()
        }
    }

    /// Takes in a file. The order of files does not matter; a path that comes twice is looked at twice.
    pub fn file(&mut self, path: &str, bytes: &[u8]) {
        if bytes.len() > LONGEST_FILE {
            return self.not_read(path, Gap::TooLarge);
        }
        let Some(mut page) = self.page(path) else { return };
        self.coverage.files += 1;
        self.coverage.bytes += bytes.len() as u64;
        let kind = Kind::of(path);
        if kind == Kind::KeyStore && !bytes.is_empty() {
            page.add(1, Class::Credential, Trace::KeyStore);
            return self.end(page, Content::Plain);
        }
        let Some(text) = self.text(path, bytes) else {
            return self.end(page, Content::Plain);
        };
        if file_name(path) == "Chart.yaml" {
            self.layout.chart(path);
        }
        let content = self.look(&mut page, &text, kind);
        self.end(page, content);
    }

    /// Takes in a part of a file that somebody has cut into documents of YAML and JSON: one of them, which begins in
    /// this line.
    pub fn document(&mut self, path: &str, line: u32, bytes: &[u8]) {
        let Some(mut page) = self.page(path) else { return };
        self.coverage.bytes += bytes.len() as u64;
        if bytes.len() > LONGEST_FILE {
            return self.not_read(path, Gap::TooLarge);
        }
        let Some(text) = self.text(path, bytes) else {
            return;
        };
        self.yaml(&mut page, &text, line);
        let content = page.content(&text);
        self.end(page, content);
    }

    /// Puts down a folder that the paths of Flux may begin in. Without any they begin in the tree.
    pub fn root(&mut self, path: &str) {
        self.roots.push(path.into());
    }

    /// Puts down a file that cannot be handed over, and why.
    pub fn not_read(&mut self, path: &str, gap: Gap) {
        let end = path.floor_char_boundary(path.len().min(LONGEST_PATH));
        self.coverage.note(gap, &path[..end]);
    }

    /// Takes in what another scan of the same tree has found.
    pub fn merge(&mut self, other: Self) {
        for leak in other.leaks {
            self.keep(leak);
        }
        self.more_leaks += other.more_leaks;
        self.encrypted.extend(other.encrypted);
        self.recipients.extend(other.recipients);
        self.layout.merge(other.layout);
        self.roots.extend(other.roots);
        self.coverage.merge(other.coverage);
    }

    /// What the tree has.
    #[must_use]
    pub fn finish(mut self) -> Tree {
        let plain: Vec<Leak> = self
            .layout
            .plain_secrets()
            .map(|(folder, path)| generated(folder, path))
            .collect();
        for leak in plain {
            self.keep(leak);
        }
        if self.layout.is_full {
            self.coverage.note(Gap::TooMuch, "");
        }
        let layout = &self.layout;
        let leaks = std::mem::take(&mut self.leaks)
            .into_iter()
            .map(|leak| weighed(leak, layout));
        let leaks = leaks.collect();
        let (builds, folders) = self.layout.into_parts();
        Tree {
            leaks,
            more_leaks: self.more_leaks,
            encrypted: self.encrypted.into_iter().collect(),
            coverage: self.coverage,
            builds,
            folders: if self.roots.is_empty() {
                HashSet::new()
            } else {
                folders
            },
            roots: self.roots.into(),
        }
    }

    /// Whether a file that was taken in has plain text, for whoever makes a Secret of it.
    pub(super) fn is_plain(&self, path: &str) -> bool {
        self.layout.is_plain(path)
    }

    fn page<'a>(&mut self, path: &'a str) -> Option<Page<'a>> {
        if path.len() > LONGEST_PATH {
            self.not_read(path, Gap::Name);
            return None;
        }
        Some(Page {
            path,
            file: path.into(),
            is_kustomization: is_kustomization(path),
            found: Vec::new(),
            has_ciphertext: false,
        })
    }

    /// The text of a file; `None`: it has none, and that is put down unless there is no doubt about it.
    fn text<'a>(&mut self, path: &str, bytes: &'a [u8]) -> Option<Cow<'a, str>> {
        if let Some(text) = utf16(bytes) {
            return Some(text.into());
        }
        match str::from_utf8(bytes) {
            Ok(text) if memchr(0, bytes).is_none() => {
                Some(text.strip_prefix('\u{feff}').unwrap_or(text).into())
            }
            Ok(_) | Err(_) if is_picture(bytes) => None,
            Ok(_) => {
                self.not_read(path, Gap::Binary);
                None
            }
            Err(_) if bytes.contains(&0) => {
                self.not_read(path, Gap::Binary);
                None
            }
            // What can be read of it is looked at all the same.
            Err(_) => {
                self.not_read(path, Gap::NotText);
                Some(String::from_utf8_lossy(bytes))
            }
        }
    }

    fn look(&mut self, page: &mut Page<'_>, text: &str, kind: Kind) -> Content {
        match kind {
            Kind::Yaml => {
                for (line, document) in documents(text) {
                    self.yaml(page, document, line);
                }
            }
            Kind::Json => self.yaml(page, text, 1),
            Kind::JsonLines => {
                for (line, document) in (1..).zip(text.lines()) {
                    self.yaml(page, document, line);
                }
            }
            Kind::Dotenv | Kind::Ini => {
                page.lines(text, 1);
                if let Some(encryption) = lines::encryption(text) {
                    return self.encrypted_settings(page, encryption, kind);
                }
                page.settings(text);
                let mut settings = lines::settings(text);
                let has_datum = settings.any(|(_, setting)| inline::is_datum(setting.value));
                return if has_datum { Content::Plain } else { Content::Empty };
            }
            Kind::Settings => {
                page.lines(text, 1);
                page.settings(text);
            }
            Kind::Script => {
                page.lines(text, 1);
                for setting in lines::assignments(text) {
                    page.setting(&setting);
                }
            }
            // An envelope of SOPS around whatever it is.
            Kind::Other if text.starts_with('{') && text.contains("\"sops\"") => self.yaml(page, text, 1),
            Kind::Other | Kind::KeyStore => page.lines(text, 1),
        }
        page.content(text)
    }

    fn encrypted_settings(
        &mut self,
        page: &mut Page<'_>,
        encryption: lines::Encryption<'_>,
        kind: Kind,
    ) -> Content {
        for setting in &encryption.plain {
            page.push(
                setting.line,
                Class::Sops,
                Trace::Unencrypted,
                "",
                shown(setting.name),
            );
        }
        if !encryption.metadata.is_whole() {
            page.add(1, Class::Sops, Trace::NoRecipient);
        }
        let format = if kind == Kind::Ini {
            Format::Ini
        } else {
            Format::Dotenv
        };
        let ciphertext = Ciphertext {
            line: 1,
            namespace: "".into(),
            is_secret: false,
            metadata: encryption.metadata,
        };
        self.encrypted(page, ciphertext, format);
        Content::Encrypted
    }

    /// Looks at one document.
    fn yaml(&mut self, page: &mut Page<'_>, text: &str, line: u32) {
        let known = page.found.len();
        let survey = page.survey(text, line);
        let is_clear = page.found.len() == known;
        let is_told = || survey.has_schema || is_clear && !self.is_thorough && survey.is_harmless(text);
        if !page.is_kustomization && is_told() {
            return;
        }
        if page.is_kustomization
            && is_clear
            && !self.is_thorough
            && let Some(build) = kustomization::build(text)
        {
            return self.layout.build(page.path, &build);
        }
        let root = match Node::parse(text, line) {
            Ok(root) => root,
            Err(Fault::TooComplex) => {
                self.not_read(page.path, Gap::TooComplex);
                return page.template(text, line);
            }
            Err(Fault::Broken) => return page.template(text, line),
        };
        let findings = document::look(&root, page.is_kustomization);
        for found in findings.leaks {
            let leak = page.leak(found);
            page.found.push(leak);
        }
        if findings.is_unread {
            self.not_read(page.path, Gap::TooComplex);
        }
        if findings.is_unclear {
            self.not_read(page.path, Gap::Selector);
        }
        if let Some(build) = findings.build {
            self.layout.build(page.path, &build);
        }
        for ciphertext in findings.encrypted {
            let is_envelope = root.get("data").is_some() && root.lines().count() == 2;
            let format = match Kind::of(page.path) {
                _ if is_envelope && text.trim_start().starts_with('{') => Format::Binary,
                Kind::Json | Kind::JsonLines => Format::Json,
                _ => Format::Yaml,
            };
            self.encrypted(page, ciphertext, format);
        }
    }

    fn encrypted(&mut self, page: &mut Page<'_>, ciphertext: Ciphertext, format: Format) {
        page.has_ciphertext = true;
        if self.encrypted.len() >= MOST_ENCRYPTED {
            return self.not_read(page.path, Gap::TooMuch);
        }
        let code = ciphertext.metadata.code_digest();
        let recipients: Arc<[Recipient]> = ciphertext.metadata.recipients.into();
        let recipients = if let Some(known) = self.recipients.get(&recipients) {
            known.clone()
        } else {
            self.recipients.insert(recipients.clone());
            recipients
        };
        self.encrypted.insert(Encrypted {
            file: page.file.clone(),
            line: ciphertext.line,
            format,
            namespace: ciphertext.namespace,
            is_secret: ciphertext.is_secret,
            recipients,
            code,
        });
    }

    fn end(&mut self, page: Page<'_>, content: Content) {
        self.layout.content(page.path, content);
        for leak in page.distinct() {
            self.keep(leak);
        }
    }

    /// Keeps the first leaks by file and line.
    fn keep(&mut self, leak: Leak) {
        if self.leaks.insert(leak) && self.leaks.len() > MOST_LEAKS {
            self.leaks.pop_last();
            self.more_leaks += 1;
        }
    }
}

impl Page<'_> {
    fn add(&mut self, line: u32, class: Class, trace: Trace) {
        self.push(line, class, trace, "", "");
    }

    fn push(&mut self, line: u32, class: Class, trace: Trace, object: &str, field: &str) {
        let found = Found {
            line,
            class,
            trace,
            object: object.into(),
            field: field.into(),
        };
        let leak = self.leak(found);
        self.found.push(leak);
    }

    fn leak(&self, found: Found) -> Leak {
        let certainty = match found.trace {
            Trace::Name | Trace::ConnectionString | Trace::UserInfo | Trace::Hook => Certainty::Likely,
            _ => Certainty::Certain,
        };
        Leak {
            file: self.file.clone(),
            line: found.line,
            class: found.class,
            trace: found.trace,
            object: found.object,
            field: found.field,
            certainty,
            severity: None,
        }
    }

    /// What gives a line away, wherever it stands.
    fn lines(&mut self, text: &str, first: u32) {
        let mut lines = Lines::new(text);
        let end = clues::each(text, |clue, found| {
            if clue.is_of_value()
                && let Some(traced) = lines.at(found.start)
            {
                self.traced(&traced, first);
            }
            ControlFlow::<()>::Continue(())
        });
        debug_assert!(end.is_continue());
    }

    /// The same, and what else a document has clues for.
    fn survey(&mut self, text: &str, first: u32) -> Survey {
        let mut lines = Lines::new(text);
        Survey::of(text, |clue| {
            if let Some(traced) = lines.at(clue) {
                self.traced(&traced, first);
            }
        })
    }

    /// Keys that open whatever is encrypted to them weigh most.
    fn traced(&mut self, traced: &Traced, first: u32) {
        let line = first.saturating_add(traced.line - 1);
        self.add(line, Class::Credential, traced.trace);
        if traced.is_master
            && let Some(leak) = self.found.last_mut()
        {
            leak.severity = Some(Severity::Critical);
        }
    }

    /// Looks at what is no YAML, but may become some.
    fn template(&mut self, text: &str, first: u32) {
        let deserializer: StrDeserializer<'_, Error> = text.into_deserializer();
        let Ok(inline) = Inline::deserialize(deserializer) else {
            return;
        };
        for leak in inline.leaks() {
            let number = leak
                .place
                .strip_prefix(':')
                .and_then(|line| line.parse::<u32>().ok());
            let class = match leak.trace {
                Trace::SecretData => Class::Secret,
                _ => Class::Credential,
            };
            self.add(first.saturating_add(number.unwrap_or(1) - 1), class, leak.trace);
        }
    }

    fn settings(&mut self, text: &str) {
        for (_, setting) in lines::settings(text) {
            self.setting(&setting);
        }
    }

    fn setting(&mut self, setting: &Setting<'_>) {
        if let Some(trace) = inline::trace_of_variable(setting.name, setting.value) {
            self.push(setting.line, Class::Credential, trace, "", shown(setting.name));
        }
    }

    fn content(&self, text: &str) -> Content {
        match text.trim() {
            _ if self.has_ciphertext => Content::Encrypted,
            text if !inline::is_datum(text) => Content::Empty,
            _ => Content::Plain,
        }
    }

    /// What was found, each once: who knows the object of a leak says more than who knows its line.
    fn distinct(mut self) -> Vec<Leak> {
        if self.found.is_empty() {
            return self.found;
        }
        let told: BTreeSet<u32> = self
            .found
            .iter()
            .filter(|leak| !leak.field.is_empty())
            .map(|leak| leak.line)
            .collect();
        let masters: BTreeSet<u32> = self
            .found
            .iter()
            .filter(|leak| leak.severity.is_some())
            .map(|leak| leak.line)
            .collect();
        self.found
            .retain(|leak| !leak.field.is_empty() || !told.contains(&leak.line));
        for leak in &mut self.found {
            if masters.contains(&leak.line) {
                leak.severity = Some(Severity::Critical);
            }
        }
        self.found.sort();
        self.found
            .dedup_by(|a, b| a.line == b.line && a.field == b.field && a.object == b.object);
        self.found
    }
}

/// A file that kustomize makes a Secret of.
pub(super) fn generated(folder: &str, path: &str) -> Leak {
    let by = match folder {
        "" => "secretGenerator".to_owned(),
        folder => format!("secretGenerator of {folder}"),
    };
    Leak {
        file: path.into(),
        line: 1,
        class: Class::Secret,
        trace: Trace::Generated,
        object: by.into(),
        field: "".into(),
        certainty: Certainty::Certain,
        severity: None,
    }
}

/// Defaults of a chart are often no more than examples.
fn weighed(leak: Leak, layout: &Layout) -> Leak {
    if leak.certainty == Certainty::Likely && layout.is_of_chart(&leak.file) {
        return Leak {
            severity: Some(Severity::Low),
            ..leak
        };
    }
    leak
}

/// The documents of a stream of YAML, and the lines that they begin in.
pub(super) fn documents(text: &str) -> Vec<(u32, &str)> {
    let mut documents = Vec::new();
    let mut add = |first: u32, from: usize, to: usize| {
        if !text[from..to].trim().is_empty() {
            documents.push((first, &text[from..to]));
        }
    };
    let (mut start, mut first) = (0, 1);
    let (mut line, mut counted) = (1_u32, 0);
    for at in marks(text) {
        let rest = &text[at..];
        let whole = &rest[..memchr(b'\n', rest.as_bytes()).map_or(rest.len(), |end| end + 1)];
        let mark = whole.trim_end();
        let has_content = whole.starts_with("--- ") && mark != "---";
        if mark != "---" && mark != "..." && !has_content {
            continue;
        }
        let lines = memchr_iter(b'\n', &text.as_bytes()[counted..at]).count();
        line = line.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
        counted = at;
        add(first, start, at);
        (start, first) = if has_content {
            (at, line)
        } else {
            (at + whole.len(), line.saturating_add(1))
        };
    }
    add(first, start, text.len());
    documents
}

/// Where lines begin that may be marks between documents.
fn marks(text: &str) -> Vec<usize> {
    const MARKS: [&str; 2] = ["---", "..."];
    let bytes = text.as_bytes();
    let is_first = MARKS.iter().any(|mark| text.starts_with(mark));
    let all = LINES
        .iter()
        .flat_map(|line| line.find_iter(bytes))
        .map(|end| end + 1);
    let mut all: Vec<usize> = is_first.then_some(0).into_iter().chain(all).collect();
    all.sort_unstable();
    all
}

/// The marks, behind the end of another line.
static LINES: LazyLock<[Finder<'static>; 2]> = LazyLock::new(|| [Finder::new("\n---"), Finder::new("\n...")]);

/// The text of a file in UTF-16.
fn utf16(bytes: &[u8]) -> Option<String> {
    let (rest, of): (_, fn([u8; 2]) -> u16) = match bytes {
        [0xff, 0xfe, rest @ ..] => (rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => (rest, u16::from_be_bytes),
        _ => return None,
    };
    let units: Vec<u16> = rest.chunks_exact(2).map(|pair| of([pair[0], pair[1]])).collect();
    Some(String::from_utf16_lossy(&units))
}

/// Whether it begins like a picture or a font: nobody looks for text in there.
fn is_picture(bytes: &[u8]) -> bool {
    const BEGINNINGS: [&[u8]; 11] = [
        b"\x89PNG\r\n",
        b"\xff\xd8\xff",
        b"GIF8",
        b"\x00\x00\x01\x00",
        b"BM",
        b"wOFF",
        b"wOF2",
        b"\x00\x01\x00\x00",
        b"OTTO",
        b"%PDF-",
        b"\x00\x00\x00\x1cftyp",
    ];
    let is_webp = bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP");
    is_webp || BEGINNINGS.iter().any(|beginning| bytes.starts_with(beginning))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::sops::tests::VALUE;

    fn scan(files: &[(&str, &str)]) -> Tree {
        let mut scan = Scan::default();
        for (path, text) in files {
            scan.file(path, text.as_bytes());
        }
        scan.finish()
    }

    fn leaks(files: &[(&str, &str)]) -> Vec<(String, u32, Class, String)> {
        let tree = scan(files);
        let told = tree.leaks.iter();
        told.map(|leak| {
            (
                leak.file.to_string(),
                leak.line,
                leak.class,
                leak.field.to_string(),
            )
        })
        .collect()
    }

    fn at(file: &str, line: u32, class: Class, field: &str) -> (String, u32, Class, String) {
        (file.to_owned(), line, class, field.to_owned())
    }

    const SECRET: &str = "apiVersion: v1\nkind: Secret\nmetadata: {name: db, namespace: apps}\n";

    #[test]
    fn data_of_secrets_are_found_in_every_disguise() {
        let data = format!("{SECRET}data:\n  user: YWRtaW4=\n  ca.crt: YQ==\nstringData:\n  a.b: y\n");
        assert_eq!(
            leaks(&[("a.yaml", &data)]),
            [
                at("a.yaml", 5, Class::Secret, "data.user"),
                at("a.yaml", 8, Class::Secret, "stringData.a.b")
            ]
        );
        let second = format!("# first\n---\n{data}---\nkind: Other\n");
        assert_eq!(leaks(&[("a.yaml", &second)])[0].1, 7);
        let kind_last = "data:\n  one: YWRtaW4=\n  two: YWRtaW4=\nkind: Secret\napiVersion: v1\n";
        assert_eq!(leaks(&[("a.yaml", kind_last)]).len(), 2, "the kind may come last");
        let named = format!("{SECRET}data:\n  password: aHVudGVyMg==\n");
        assert_eq!(
            leaks(&[("a.yaml", &named)]),
            [at("a.yaml", 5, Class::Secret, "data.password")]
        );
        let list = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Secret\n  metadata: {name: a}\n  stringData: {x: y}\n";
        assert_eq!(
            leaks(&[("a.yaml", list)]),
            [at("a.yaml", 7, Class::Secret, "stringData.x")]
        );
        let json = r#"{"apiVersion": "v1", "kind": "Secret",
            "stringData": {"x": "y"}}"#;
        assert_eq!(
            leaks(&[("a.json", json)]),
            [at("a.json", 2, Class::Secret, "stringData.x")]
        );
        let one_line = r#"{"apiVersion": "v1", "kind": "Secret", "stringData": {"x": "y", "z": "a"}}"#;
        assert_eq!(leaks(&[("a.json", one_line)]).len(), 2);
        let embedded = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  secret.yaml: |\n    apiVersion: v1\n    kind: Secret\n    stringData:\n      x: y\n";
        assert_eq!(
            leaks(&[("a.yaml", embedded)]),
            [at("a.yaml", 9, Class::Secret, "data.secret.yaml:4")]
        );
        let applied = format!("{SECRET}  annotations: {{}}\n").replace(
            "{name: db, namespace: apps}\n  annotations: {}",
            "{name: db, annotations: {kubectl.kubernetes.io/last-applied-configuration: '{\"kind\":\"Secret\",\"data\":{\"x\":\"YWRtaW4=\"}}'}}",
        );
        assert_eq!(
            leaks(&[("a.yaml", &applied)]).len(),
            1,
            "what was applied last is kept in clear"
        );
        let template = "{{- if .Values.on }}\napiVersion: v1\nkind: Secret\nstringData:\n  a: b\n  x: y\n";
        let operated = "apiVersion: isindir.github.com/v1alpha3\nkind: SopsSecret\nspec:\n  secretTemplates:\n  - name: a\n    stringData: {user: admin}\n";
        assert_eq!(leaks(&[("a.yaml", operated)]).len(), 1);
        let others =
            "kind: Other\nitems:\n- kind: A\n  data: {x: YWRtaW4=}\n---\napiVersion: v1\nkind: Secret\n";
        assert_eq!(
            leaks(&[("a.yaml", others)]),
            [],
            "one document says nothing of the next"
        );
        assert_eq!(
            leaks(&[("templates/a.yaml", template)]),
            [
                at("templates/a.yaml", 5, Class::Secret, ""),
                at("templates/a.yaml", 6, Class::Secret, "")
            ]
        );
    }

    #[test]
    fn what_is_no_plain_text_is_no_leak() {
        for text in [
            format!("{SECRET}data: {{}}\n"),
            format!("{SECRET}type: kubernetes.io/service-account-token\n"),
            format!("{SECRET}$patch: delete\n"),
            format!("{SECRET}data:\n  x: ''\n  y: Y2hhbmdlbWU=\nstringData:\n  z: ${{VAR:=}}\n"),
            format!("{SECRET}data:\n  ca.crt: YQ==\n  known_hosts: YQ==\n  id.pub: YQ==\n"),
            format!("{SECRET}stringData:\n  x: {VALUE}\n"),
            "apiVersion: example.com/v1\nkind: Secret\ndata: {x: YWRtaW4=}\n".to_owned(),
            "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nspec:\n  encryptedData:\n    password: AgBh3k29sdkfj2lk3jlk2j3lkj2l3kj\n".to_owned(),
            "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nspec:\n  target:\n    template:\n      data:\n        password: '{{ .password }}'\n  data:\n  - secretKey: password\n    remoteRef: {key: db}\n".to_owned(),
            "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nspec: {password: hunter2}\n".to_owned(),
            "image: example.com/a@sha256:3f5a7c9e1b3d5f7a9c1e3b5d7f9a1c3e5b7d9f1a2c4e6b8d3f5a7c9e1b3d5f7a\n".to_owned(),
        ] {
            assert_eq!(leaks(&[("a.yaml", &text)]), [], "{text}");
        }
    }

    fn sops(selector: &str) -> String {
        format!(
            "sops:\n  age:\n  - recipient: age1abc\n    enc: x\n  lastmodified: '2026-01-01T00:00:00Z'\n  mac: {VALUE}\n  version: 3.13.2\n{selector}"
        )
    }

    #[test]
    fn ciphertext_is_verified_value_by_value() {
        let block = sops("  encrypted_regex: ^(data|stringData)$\n");
        let whole = format!("{SECRET}data:\n  x: {VALUE}\n{block}");
        let tree = scan(&[("a.yaml", &whole)]);
        assert_eq!((&*tree.leaks, tree.encrypted.len()), (&[][..], 1));
        let encrypted = &tree.encrypted[0];
        assert_eq!(
            (&*encrypted.namespace, encrypted.is_secret, encrypted.format),
            ("apps", true, Format::Yaml)
        );
        assert_eq!(&*encrypted.recipients, [Recipient::Age("age1abc".into())]);
        let edited = format!("{SECRET}data:\n  x: {VALUE}\n  y: YWRtaW4=\n{block}");
        assert_eq!(
            leaks(&[("a.yaml", &edited)]),
            [at("a.yaml", 6, Class::Sops, "data.y")]
        );
        let left = format!(
            "{SECRET}data:\n  x: {VALUE}\nstringData:\n  y: admin\n{}",
            sops("  encrypted_regex: ^data$\n")
        );
        let tree = scan(&[("a.yaml", &left)]);
        assert_eq!((tree.leaks.len(), tree.leaks[0].trace), (1, Trace::LeftPlain));
        let bare = whole.replace(&format!("  mac: {VALUE}\n"), "");
        assert_eq!(scan(&[("a.yaml", &bare)]).leaks[0].trace, Trace::NoRecipient);
        let alone = whole.replace("  age:\n  - recipient: age1abc\n    enc: x\n", "");
        assert_eq!(scan(&[("a.yaml", &alone)]).leaks[0].trace, Trace::NoRecipient);
        let alike = whole.replacen("data:c2VjcmV0", "data:", 1);
        assert_eq!(leaks(&[("a.yaml", &alike)]).len(), 1, "it only looks encrypted");
        let values = format!("db:\n  password: {VALUE}\n  user: admin\n{}", sops(""));
        assert_eq!(
            leaks(&[("values.yaml", &values)]),
            [at("values.yaml", 3, Class::Sops, "db.user")]
        );
        let by_comment = format!("a: {VALUE}\n{}", sops("  encrypted_comment_regex: secret\n"));
        assert!(
            scan(&[("a.yaml", &by_comment)]).lack().is_some(),
            "comments are not looked at"
        );
    }

    #[test]
    fn settings_are_verified_line_by_line() {
        let env = format!(
            "A={VALUE}\nB=\nsops_mac={VALUE}\nsops_version=3.13.2\nsops_lastmodified=x\nsops_age__list_0__map_recipient=age1abc\n"
        );
        let tree = scan(&[("a.env", &env)]);
        assert_eq!(
            (&*tree.leaks, tree.encrypted[0].format),
            (&[][..], Format::Dotenv)
        );
        let edited = format!("C=hunter2\n{env}");
        assert_eq!(leaks(&[("a.env", &edited)]), [at("a.env", 1, Class::Sops, "C")]);
        let ini = format!(
            "[a]\nb = {VALUE}\nc = x\n[sops]\nmac = {VALUE}\nversion = 3\nage__list_0__map_recipient = age1abc\n"
        );
        let tree = scan(&[("a.ini", &ini)]);
        assert_eq!((tree.leaks[0].line, tree.encrypted[0].format), (3, Format::Ini));
        assert_eq!(
            leaks(&[("a.env", "DB_PASSWORD=hunter2\nA=b\n")]),
            [at("a.env", 1, Class::Credential, "DB_PASSWORD")]
        );
    }

    #[test]
    fn scripts_assign_literals() {
        let script = "#!/bin/sh\nexport DB_PASSWORD='hunter2'\nTOKEN=$(cat token)\n";
        assert_eq!(
            leaks(&[
                ("a.sh", script),
                ("Dockerfile", "FROM x\nENV DB_PASSWORD=hunter2\n")
            ]),
            [
                at("Dockerfile", 2, Class::Credential, "DB_PASSWORD"),
                at("a.sh", 2, Class::Credential, "DB_PASSWORD")
            ]
        );
        let terraform = "resource x y {\n  password = \"hunter2\"\n  token = var.token\n}\n";
        assert_eq!(
            leaks(&[("a.tf", terraform)]),
            [at("a.tf", 2, Class::Credential, "password")]
        );
        let arguments = "args:\n- --password=hunter2\n- --token=$(TOKEN)\n";
        assert_eq!(
            leaks(&[("a.yaml", arguments)]),
            [at("a.yaml", 2, Class::Credential, "args[0]")]
        );
    }

    #[test]
    fn what_kustomize_makes_a_secret_of_has_to_be_encrypted() {
        let kustomization = "secretGenerator:\n- name: a\n  literals:\n  - user=admin\n  - other=${X}\n- name: b\n  envs: [b.env, c.env]\n  files: [../k=../keys/k.txt, ca.crt, none]\n";
        let encrypted =
            format!("A={VALUE}\nsops_mac={VALUE}\nsops_version=3\nsops_age__list_0__map_recipient=age1abc\n");
        let found = leaks(&[
            ("x/b.env", "A=b\n"),
            ("x/kustomization.yaml", kustomization),
            ("x/c.env", &encrypted),
            ("x/ca.crt", "x"),
            ("keys/k.txt", "hunter2"),
        ]);
        assert_eq!(
            found,
            [
                at("keys/k.txt", 1, Class::Secret, ""),
                at("x/b.env", 1, Class::Secret, ""),
                at(
                    "x/kustomization.yaml",
                    4,
                    Class::Secret,
                    "secretGenerator[0].literals.user"
                ),
            ]
        );
    }

    #[test]
    fn credentials_are_found_anywhere() {
        let token = ["ghp_", "aB3dE5fG7hJ9kL2mN4pQ6rS8tU1vW3xY5zA7"].concat();
        let key = [
            "# key\nAGE-SECRET-",
            "KEY-1",
            &"AB3DE5FG7HJ9KL2MN4PQ6RS8TU".repeat(3),
        ]
        .concat();
        let tree = scan(&[
            ("README.md", &format!("a\n{token}\n")),
            ("k.txt", &key),
            ("a.p12", "x"),
        ]);
        let found: Vec<_> = tree
            .leaks
            .iter()
            .map(|leak| (&*leak.file, leak.line, leak.trace, leak.severity))
            .collect();
        assert_eq!(
            found,
            [
                ("README.md", 2, Trace::Token("GitHub"), None),
                ("a.p12", 1, Trace::KeyStore, None),
                ("k.txt", 2, Trace::PrivateKey, Some(Severity::Critical)),
            ]
        );
        let utf16: Vec<u8> = [0xff, 0xfe]
            .into_iter()
            .chain(token.encode_utf16().flat_map(u16::to_le_bytes))
            .collect();
        let mut scan = Scan::default();
        scan.file("a.txt", &utf16);
        assert_eq!(scan.finish().leaks.len(), 1);
    }

    #[test]
    fn defaults_of_a_chart_weigh_little() {
        let tree = scan(&[
            ("c/values.yaml", "password: hunter2\n"),
            ("c/Chart.yaml", "name: c\n"),
            ("values.yaml", "password: hunter2\n"),
        ]);
        let found: Vec<_> = tree.leaks.iter().map(|leak| leak.severity).collect();
        assert_eq!(found, [Some(Severity::Low), None]);
    }

    #[test]
    fn what_flux_reads_inline_is_its_own() {
        let release = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: a}\nspec:\n  values:\n    auth:\n      password: hunter2\n";
        assert_eq!(
            leaks(&[("a.yaml", release)]),
            [at("a.yaml", 7, Class::FluxObject, "spec.values.auth.password")]
        );
    }

    #[test]
    fn gaps_are_put_down() {
        let mut scan = Scan::default();
        scan.file("big", &vec![b'a'; LONGEST_FILE + 1]);
        scan.file("archive.zip", b"PK\x03\x04\x00\x00");
        scan.file("latin1.txt", b"caf\xe9");
        scan.file("a.png", b"\x89PNG\r\n\x1a\n\x00");
        scan.file(&"x".repeat(2000), b"a");
        scan.not_read("link", Gap::Unreadable);
        let deep = format!("secret: {}1{}", "[".repeat(100), "]".repeat(100));
        scan.file("deep.yaml", deep.as_bytes());
        let tree = scan.finish();
        let gaps: Vec<Gap> = tree.coverage.gaps.keys().copied().collect();
        assert_eq!(
            gaps,
            [
                Gap::TooLarge,
                Gap::Binary,
                Gap::NotText,
                Gap::TooComplex,
                Gap::Name,
                Gap::Unreadable
            ]
        );
        assert!(tree.lack().unwrap().starts_with("big and 5 more"));
    }

    #[test]
    fn a_tree_keeps_no_more_than_it_may() {
        let token = ["ghp_", "aB3dE5fG7hJ9kL2mN4pQ6rS8tU1vW3xY5zA7\n"].concat();
        let tree = scan(&[("b.txt", &token.repeat(900)), ("a.txt", &token.repeat(900))]);
        assert_eq!((tree.leaks.len(), tree.more_leaks), (MOST_LEAKS, 800));
        assert_eq!(&*tree.leaks[0].file, "a.txt");
    }

    #[test]
    fn parts_are_as_good_as_the_whole() {
        let text = format!("{SECRET}stringData:\n  x: y\n---\n{SECRET}stringData:\n  z: y\n");
        let whole = scan(&[("a.yaml", &text)]);
        let (first, second) = text.split_once("---\n").unwrap();
        let mut one = Scan::default();
        one.document("a.yaml", 1, first.as_bytes());
        let mut other = Scan::default();
        other.document("a.yaml", 7, second.as_bytes());
        one.merge(other);
        assert_eq!(one.finish().leaks, whole.leaks);
        let mut item = Scan::default();
        item.document(
            "a.yaml",
            4,
            b"- apiVersion: v1\n  kind: Secret\n  metadata: {name: a}\n  stringData: {x: y}\n",
        );
        let leaks = item.finish().leaks;
        assert_eq!(
            (leaks[0].line, &*leaks[0].object, &*leaks[0].field),
            (7, "Secret a", "stringData.x")
        );
    }

    #[test]
    fn streams_are_cut_into_documents() {
        let cut = |text: &'static str| documents(text);
        assert_eq!(
            cut("a\n---\nb\n--- c\nd\n...\n"),
            [(1, "a\n"), (3, "b\n"), (4, "--- c\nd\n")]
        );
        assert_eq!(cut("---\n---\n\n"), []);
    }
}
