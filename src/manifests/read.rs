//! Pieces of files become facts: rows of the kinds that controls read, and counts of everything else.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde::Deserialize;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::split::{Format, Piece, lines_in};
use super::whole::{self, Lack};
use super::yaml::{self, Broken};
use super::{Definition, Fact, Place, Skipped, Trouble};
use crate::api;
use crate::inventory::ObjectKey;
use crate::kinds::{Descriptor, KindId, Meta};
use crate::secrets::Scan;

/// Lists within lists are read so deep.
const DEEPEST_LIST: u32 = 3;

/// What was read.
#[derive(Default)]
pub(crate) struct Harvest {
    pub(super) definitions: Vec<Definition>,
    /// Namespaces that objects are in.
    pub(super) namespaces: BTreeSet<Box<str>>,
    /// Files that are patches of others, as a Kustomization of kustomize lists them: the number of its file, the path.
    pub(super) patches: Vec<(u32, String)>,
    pub(super) skipped: Skipped,
    pub(super) objects: u64,
    pub(super) troubles: Vec<Trouble>,
    /// Secrets in plain text, wherever they are.
    pub(crate) scan: Scan,
    /// Room for JSON.
    json: Vec<u8>,
}

/// What every object says of itself.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    #[serde(borrow, default)]
    api_version: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    items: Option<&'a RawValue>,
    #[serde(borrow, default)]
    spec: Keys<'a>,
    #[serde(default)]
    role_ref: Option<IgnoredAny>,
    #[serde(default)]
    aggregation_rule: Option<IgnoredAny>,
    #[serde(borrow, default)]
    rules: Option<&'a RawValue>,
}

impl Envelope<'_> {
    /// Whether it is a role whose rules Kubernetes puts together, and has not yet.
    fn awaits_rules(&self) -> bool {
        let has_rules = self.rules.is_some_and(|rules| rules.get().contains('{'));
        self.aggregation_rule.is_some() && !has_rules
    }
}

/// The keys of a map; none of anything else.
#[derive(Default)]
pub(super) struct Keys<'a>(pub(super) Vec<Cow<'a, str>>);

/// What lists patches: a Kustomization of kustomize.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Kustomize {
    patches: Vec<PatchEntry>,
    patches_strategic_merge: Vec<String>,
    patches_json6902: Vec<PatchEntry>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PatchEntry {
    path: String,
}

/// A piece as JSON; `None`: it is no object of anything.
fn as_json<'a>(text: &'a str, piece: &Piece<'_>, json: &'a mut Vec<u8>) -> Result<Option<&'a str>, Broken> {
    if piece.format == Format::Json && serde_json::from_str::<&RawValue>(text).is_ok() {
        return Ok(Some(text));
    }
    yaml::to_json(text, json)?;
    let json = str::from_utf8(json).unwrap_or_default();
    let json = match json.strip_prefix('[') {
        // An item of a list comes with its dash.
        Some(item) => item.trim_end_matches(']'),
        None => json,
    };
    Ok(json.starts_with('{').then_some(json))
}

impl Harvest {
    /// Reads one piece of a file.
    pub(crate) fn read(&mut self, file: u32, piece: &Piece<'_>, is_kustomization: bool) {
        let at = |line: u32| Place { file, line };
        let text = match text_of(piece.text) {
            Ok(text) => text,
            Err(trouble) => return self.complain(at(piece.line), trouble),
        };
        // Most of what is not for Kubernetes need not be understood.
        if !may_be_object(text) && !is_kustomization {
            self.skipped.others += 1;
            return;
        }
        let mut json = std::mem::take(&mut self.json);
        match as_json(text, piece, &mut json) {
            Ok(Some(json)) => {
                let source = Source {
                    file,
                    line: piece.line,
                    counts_lines: piece.format == Format::Json && json.as_ptr() == text.as_ptr(),
                    is_kustomization,
                };
                self.document(json, &source, 0);
            }
            Ok(None) => self.skipped.others += 1,
            Err(_) if text.contains("{{") => self.skipped.templates += 1,
            Err(broken) => self.complain(at(piece.line + broken.line.saturating_sub(1)), broken.message),
        }
        self.json = json;
    }

    /// Takes in an object as JSON, or every object of a list.
    fn document(&mut self, json: &str, source: &Source, depth: u32) {
        let place = Place {
            file: source.file,
            line: source.line,
        };
        let envelope: Envelope<'_> = match serde_json::from_str(json) {
            Ok(envelope) => envelope,
            Err(error) => return self.complain(place, error.to_string()),
        };
        let api_version = envelope.api_version.as_deref().unwrap_or_default();
        let kind = envelope.kind.as_deref().unwrap_or_default();
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        if group == "kustomize.config.k8s.io" || source.is_kustomization && kind.is_empty() {
            self.skipped.others += 1;
            self.kustomization(json, source);
            return;
        }
        if api_version.is_empty() || kind.is_empty() {
            self.skipped.others += 1;
            return;
        }
        if let Some(items) = envelope.items
            && kind.ends_with("List")
            && depth < DEEPEST_LIST
        {
            self.list(json, items, source, depth);
            return;
        }
        self.objects += 1;
        let Some(id) = watched(group, kind) else {
            self.skipped.of_no_interest += 1;
            return;
        };
        match self.object(id, version, json, &envelope) {
            Ok(Some((key, fact))) => self.definitions.push(Definition {
                kind: id,
                key,
                fact,
                place,
            }),
            Ok(None) => {}
            Err(error) => self.complain(place, format!("{kind}: {error}")),
        }
    }

    fn list(&mut self, json: &str, items: &RawValue, source: &Source, depth: u32) {
        let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(items.get()) else {
            return;
        };
        let mut line = source.line;
        let mut seen = json.as_ptr() as usize;
        for item in items {
            let begin = item.get().as_ptr() as usize;
            if source.counts_lines {
                let before = &json.as_bytes()[seen - json.as_ptr() as usize..begin - json.as_ptr() as usize];
                line = line.saturating_add(lines_in(before));
                seen = begin;
            }
            if item.get().starts_with('{') {
                self.document(item.get(), &Source { line, ..*source }, depth + 1);
            }
        }
    }

    /// The row of an object; `None`: it is not whole, or of no interest to any control.
    fn object(
        &mut self,
        kind: KindId,
        version: &str,
        json: &str,
        envelope: &Envelope<'_>,
    ) -> Result<Option<(ObjectKey, Fact)>, serde_json::Error> {
        let descriptor = &kind.entry().descriptor;
        let mut meta = Meta::parse(json)?;
        if [&meta.name, &meta.namespace]
            .into_iter()
            .any(|name| name.contains("{{"))
        {
            self.skipped.templates += 1;
            return Ok(None);
        }
        if whole::is_cluster_scoped(descriptor) {
            meta.namespace.clear();
        } else if meta.namespace.is_empty() {
            "default".clone_into(&mut meta.namespace);
        }
        let lack = Lack {
            name: meta.name.is_empty(),
            spec: &envelope.spec,
            role_ref: envelope.role_ref.is_none(),
        };
        if lack.makes_partial(descriptor) {
            self.skipped.patches += 1;
            return Ok(None);
        }
        if !meta.namespace.is_empty() && !self.namespaces.contains(&*meta.namespace) {
            self.namespaces.insert(meta.namespace.as_str().into());
        }
        let key = ObjectKey::new(&meta.namespace, &meta.name);
        if !descriptor.versions.contains(&version) {
            let note = format!("{version} is no version whose shape is known");
            return Ok(Some((key, Fact::Undecodable(note.into()))));
        }
        if envelope.awaits_rules() {
            return Ok(None);
        }
        Ok(match kind.entry().project(&meta, json) {
            Ok(Some(row)) => Some((key, Fact::Row(row))),
            Ok(None) => None,
            Err(error) => Some((key, Fact::Undecodable(error.to_string().into()))),
        })
    }

    fn kustomization(&mut self, json: &str, source: &Source) {
        let place = Place {
            file: source.file,
            line: source.line,
        };
        let kustomize: Kustomize = match serde_json::from_str(json) {
            Ok(kustomize) => kustomize,
            Err(error) => return self.complain(place, error.to_string()),
        };
        let entries = kustomize.patches.into_iter().chain(kustomize.patches_json6902);
        let paths = entries
            .map(|entry| entry.path)
            .chain(kustomize.patches_strategic_merge);
        // A patch may be written where its path is expected.
        let paths = paths.filter(|path| !path.is_empty() && !path.contains('\n'));
        self.patches.extend(paths.map(|path| (source.file, path)));
    }

    /// Notes that something cannot be read.
    pub(crate) fn complain(&mut self, place: Place, message: impl Into<String>) {
        let message: String = message.into();
        // Decoders count the lines of what they were given, which is a part of a file, or not even its text.
        let bare = message.split(" at line ").next().unwrap_or_default();
        self.troubles.push(Trouble {
            place,
            message: bare.to_owned(),
        });
    }

    /// Counts what is no object.
    pub(crate) fn skip(&mut self) {
        self.skipped.others += 1;
    }

    /// Counts files that are templates.
    pub(crate) fn skip_templates(&mut self, count: u64) {
        self.skipped.templates += count;
    }

    /// Adds what somebody else read.
    pub(crate) fn merge(&mut self, other: Self) {
        self.definitions.extend(other.definitions);
        self.namespaces.extend(other.namespaces);
        self.patches.extend(other.patches);
        self.troubles.extend(other.troubles);
        self.skipped.add(other.skipped);
        self.objects += other.objects;
        self.scan.merge(other.scan);
    }
}

/// Where a document was read.
#[derive(Clone, Copy)]
struct Source {
    file: u32,
    line: u32,
    /// Whether the lines of the JSON are those of the file.
    counts_lines: bool,
    /// Whether the file is called like one of kustomize.
    is_kustomization: bool,
}

fn text_of(bytes: &[u8]) -> Result<&str, &'static str> {
    match str::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(_) if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") => {
            Err("is UTF-16: save it as UTF-8")
        }
        Err(_) => Err("is not UTF-8"),
    }
}

/// Whether a text can be an object of Kubernetes: a key may be written with escapes.
fn may_be_object(text: &str) -> bool {
    text.contains("apiVersion") || text.contains('\\')
}

/// The kind that controls read. The product's own kinds are no evidence.
fn watched(group: &str, kind: &str) -> Option<KindId> {
    let is_it = |descriptor: &Descriptor| descriptor.kind == kind && descriptor.group == group;
    KindId::all()
        .filter(|id| id.entry().descriptor.group != api::GROUP)
        .find(|id| is_it(&id.entry().descriptor))
}

impl<'de: 'a, 'a> Deserialize<'de> for Keys<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KeysOfMap)
    }
}

struct KeysOfMap;

impl<'de> Visitor<'de> for KeysOfMap {
    type Value = Keys<'de>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Keys<'de>, A::Error> {
        let mut keys = Vec::new();
        while let Some(Key(key)) = entries.next_key()? {
            // A field that is null is as good as absent.
            if entries.next_value::<Option<IgnoredAny>>()?.is_some() {
                keys.push(key);
            }
        }
        Ok(Keys(keys))
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut items: A) -> Result<Keys<'de>, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Keys::default())
    }

    fn visit_unit<E>(self) -> Result<Keys<'de>, E> {
        Ok(Keys::default())
    }

    fn visit_bool<E>(self, _value: bool) -> Result<Keys<'de>, E> {
        Ok(Keys::default())
    }

    fn visit_u64<E>(self, _value: u64) -> Result<Keys<'de>, E> {
        Ok(Keys::default())
    }

    fn visit_i64<E>(self, _value: i64) -> Result<Keys<'de>, E> {
        Ok(Keys::default())
    }

    fn visit_f64<E>(self, _value: f64) -> Result<Keys<'de>, E> {
        Ok(Keys::default())
    }

    fn visit_str<E>(self, _value: &str) -> Result<Keys<'de>, E> {
        Ok(Keys::default())
    }
}

/// A key, borrowed where it can be.
#[derive(Deserialize)]
#[serde(transparent)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);
