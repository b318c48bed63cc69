//! Pieces of files become facts: rows of the kinds that controls read, and counts of everything else.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::envelope::Envelope;
use super::split::{self, Format, Piece, lines_in};
use super::yaml::{self, Broken};
use super::{Definition, Fact, MOST_TROUBLES, Of, Place, Skipped, Trouble, template};
use crate::api;
use crate::custom::{Demands, Target};
use crate::inventory::ObjectKey;
use crate::kinds::{Descriptor, KindId, Meta, id_of, own};
use crate::secrets::Scan;

/// Lists within lists are read so deep.
const DEEPEST_LIST: u32 = 3;

/// What pieces are cut off.
#[derive(Clone, Copy, Default)]
pub(crate) struct File {
    /// Its number.
    pub(crate) number: u32,
    /// Whether somebody named it. What merely lies in a folder may be for others than Kubernetes.
    pub(crate) is_named: bool,
    /// Whether it is called like one that kustomize begins with.
    pub(crate) is_kustomization: bool,
}

impl File {
    /// A line of it; 0: the file as a whole.
    pub(crate) fn at(self, line: u32) -> Place {
        Place {
            file: self.number,
            line,
        }
    }
}

/// What was read.
#[derive(Default)]
pub(crate) struct Harvest {
    pub(super) definitions: Vec<Definition>,
    /// Kinds of objects that are of no interest to any control: there are some.
    pub(super) kinds: BTreeSet<KindId>,
    /// Namespaces that objects are in.
    pub(super) namespaces: BTreeSet<Arc<str>>,
    /// Files that are patches of others, as a Kustomization of kustomize lists them: the number of its file, the path.
    pub(super) patches: Vec<(u32, String)>,
    /// What custom controls ask.
    pub(crate) asked: Arc<Demands>,
    /// Kinds of objects that they are not about: there are some.
    pub(super) targets: BTreeSet<Arc<Target>>,
    pub(super) skipped: Skipped,
    pub(super) objects: u64,
    /// The first of them.
    pub(super) troubles: Vec<Trouble>,
    /// How many more there are.
    pub(super) more_troubles: usize,
    /// Secrets in plain text, wherever they are.
    pub(crate) scan: Scan,
    /// Room for JSON.
    json: Vec<u8>,
}

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

impl Harvest {
    /// Nothing so far.
    pub(crate) fn asking(asked: &Arc<Demands>) -> Self {
        Self {
            asked: asked.clone(),
            ..Self::default()
        }
    }

    /// Reads one piece of a file.
    pub(crate) fn read(&mut self, file: File, piece: &Piece<'_>) {
        let text = match text_of(piece.text) {
            Ok(text) => text,
            Err(trouble) => return self.complain(file.at(piece.line), trouble),
        };
        // Most of what is not for Kubernetes need not be understood.
        let is_meant = file.is_named || file.is_kustomization || piece.has_kind || may_be_object(text);
        if !is_meant {
            self.skipped.others += 1;
            return;
        }
        let source = Source {
            file: file.number,
            line: piece.line,
            counts_lines: piece.format == Format::Json,
            is_kustomization: file.is_kustomization,
        };
        if piece.format == Format::Json
            && let Ok(envelope) = serde_json::from_str(text)
        {
            return self.document(text, &envelope, &source, 0);
        }
        let mut json = std::mem::take(&mut self.json);
        match yaml::to_json(text, &mut json) {
            Ok(()) => {
                let source = Source {
                    counts_lines: false,
                    ..source
                };
                let json = str::from_utf8(&json).unwrap_or_default();
                self.value(json, &source, file.is_named);
            }
            Err(broken) => self.broken(file, piece, text, broken),
        }
        self.json = json;
    }

    /// Takes in whatever a piece is.
    fn value(&mut self, json: &str, source: &Source, is_named: bool) {
        match json.as_bytes().first() {
            Some(b'{') => self.map(json, source, 0),
            Some(b'[') => self.sequence(json, source),
            Some(b'"') if is_named => self.complain(source.place(), "is a text and no object"),
            _ => self.skipped.others += 1,
        }
    }

    /// Takes in what is no map: an item of a list, which comes with its dash, or something that is for others.
    fn sequence(&mut self, json: &str, source: &Source) {
        let items: Vec<&RawValue> = serde_json::from_str(json).unwrap_or_default();
        match *items {
            [item] if item.get().starts_with('{') => self.map(item.get(), source, 0),
            _ if items.iter().any(|item| is_object(item.get())) => self.complain(
                source.place(),
                "is a list without `kind: List`, which Kubernetes does not take",
            ),
            _ => self.skipped.others += 1,
        }
    }

    /// Says what is wrong with a piece, unless it is for somebody else to put right.
    fn broken(&mut self, file: File, piece: &Piece<'_>, text: &str, broken: Broken) {
        let lines = split::lines_with_a_brace(piece);
        if lines.len() > 1 {
            // One broken line of JSON swallows those behind it.
            return lines.iter().for_each(|line| self.read(file, line));
        }
        let is_template = template::is_one(text);
        if is_template && !file.is_named {
            self.skipped.templates += 1;
            return;
        }
        let message = if is_template {
            "has placeholders: audit what they are filled with, for instance what `helm template` prints"
                .to_owned()
        } else {
            broken.message
        };
        self.complain(file.at(piece.line + broken.line.saturating_sub(1)), message);
    }

    fn map(&mut self, json: &str, source: &Source, depth: u32) {
        match serde_json::from_str(json) {
            Ok(envelope) => self.document(json, &envelope, source, depth),
            Err(error) => self.complain(source.place(), error.to_string()),
        }
    }

    /// Takes in an object as JSON, or every object of a list.
    fn document(&mut self, json: &str, envelope: &Envelope<'_>, source: &Source, depth: u32) {
        let (api_version, kind) = (envelope.api_version(), envelope.kind());
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        if group == "kustomize.config.k8s.io" || source.is_kustomization && kind.is_empty() {
            self.skipped.others += 1;
            self.kustomization(json, source);
            return;
        }
        if !envelope.is_object() {
            self.skipped.others += 1;
            return;
        }
        if let Some(items) = envelope.items()
            && depth < DEEPEST_LIST
        {
            self.list(json, items, source, depth);
            return;
        }
        self.objects += 1;
        let listed = watched(group, kind);
        let is_asked = match self.ask(listed, group, version, json, envelope, source) {
            Ok(is_asked) => is_asked,
            Err(error) => return self.complain(source.place(), format!("{kind}: {error}")),
        };
        let Some(id) = listed else {
            self.skipped.of_no_interest += u64::from(!is_asked);
            return;
        };
        match self.object(id, version, json, envelope) {
            // Nobody would know that it is not in effect.
            Ok(Some((_, Fact::Undecodable(note)))) if is_waiver(id) => {
                self.complain(source.place(), format!("{kind}: {note}"));
            }
            Ok(Some((key, fact))) => self.definitions.push(Definition {
                kind: Of::Kind(id),
                key,
                fact,
                place: source.place(),
            }),
            Ok(None) => {}
            Err(error) => self.complain(source.place(), format!("{kind}: {error}")),
        }
    }

    /// Asks an object what custom controls ask of its kind. False: they ask nothing.
    fn ask(
        &mut self,
        listed: Option<KindId>,
        group: &str,
        version: &str,
        json: &str,
        envelope: &Envelope<'_>,
        source: &Source,
    ) -> Result<bool, serde_json::Error> {
        let asked = self.asked.clone();
        let mut demands = asked
            .values()
            .filter(|demand| demand.target.is(group, envelope.kind()))
            .peekable();
        if demands.peek().is_none() {
            return Ok(false);
        }
        let mut meta = envelope.meta()?;
        let is_part = listed.is_some_and(|kind| envelope.is_part(kind.entry()));
        if meta.name.is_empty()
            || is_part
            || [&meta.name, &meta.namespace]
                .into_iter()
                .any(|name| name.contains("{{"))
        {
            // Of what the catalogue lists it is counted where that is read.
            self.skipped.patches += u64::from(listed.is_none());
            return Ok(true);
        }
        match listed.map(KindId::entry) {
            Some(entry) if entry.is_cluster_scoped => meta.namespace.clear(),
            Some(_) if meta.namespace.is_empty() => "default".clone_into(&mut meta.namespace),
            _ => {}
        }
        let key = key(&mut self.namespaces, &meta);
        for demand in demands {
            let wanted = demand.target.version.as_deref();
            let fact = if wanted.is_none_or(|wanted| wanted == version) {
                match demand.project(&meta, json) {
                    Ok(Some(row)) => Fact::Answers(Box::new(row)),
                    Ok(None) => {
                        self.targets.insert(demand.target.clone());
                        continue;
                    }
                    Err(_) => Fact::Undecodable("it is nested too deep".into()),
                }
            } else {
                Fact::Undecodable(
                    format!("it is written in {version}, and no cluster is here that converts it").into(),
                )
            };
            self.definitions.push(Definition {
                kind: Of::Custom(demand.target.clone()),
                key: key.clone(),
                fact,
                place: source.place(),
            });
        }
        Ok(true)
    }

    fn list(&mut self, json: &str, items: &RawValue, source: &Source, depth: u32) {
        let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(items.get()) else {
            return self.complain(source.place(), "is a list whose items are none");
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
                self.map(item.get(), &Source { line, ..*source }, depth + 1);
            } else {
                self.skipped.others += 1;
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
        let entry = kind.entry();
        let mut meta = envelope.meta()?;
        if [&meta.name, &meta.namespace]
            .into_iter()
            .any(|name| name.contains("{{"))
        {
            self.skipped.templates += 1;
            return Ok(None);
        }
        if entry.is_cluster_scoped {
            meta.namespace.clear();
        } else if meta.namespace.is_empty() {
            "default".clone_into(&mut meta.namespace);
        }
        if meta.name.is_empty() || envelope.is_part(entry) {
            self.skipped.patches += 1;
            return Ok(None);
        }
        let key = key(&mut self.namespaces, &meta);
        if !entry.descriptor.versions.contains(&version) {
            let note = format!("{version} is no version whose shape is known");
            return Ok(Some((key, Fact::Undecodable(note.into()))));
        }
        if envelope.awaits_rules() {
            return Ok(None);
        }
        Ok(match entry.project(&meta, json) {
            Ok(Some(row)) => Some((key, Fact::Row(row))),
            Ok(None) => {
                self.kinds.insert(kind);
                None
            }
            Err(error) => Some((key, Fact::Undecodable(error.to_string().into()))),
        })
    }

    fn kustomization(&mut self, json: &str, source: &Source) {
        let kustomize: Kustomize = match serde_json::from_str(json) {
            Ok(kustomize) => kustomize,
            Err(error) => return self.complain(source.place(), error.to_string()),
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
        // Whoever reads gets the files in their order: what comes first is among the first.
        if self.troubles.len() == MOST_TROUBLES {
            self.more_troubles += 1;
            return;
        }
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
        if self.definitions.is_empty() {
            self.definitions = other.definitions;
        } else {
            self.definitions.reserve_exact(other.definitions.len());
            self.definitions.extend(other.definitions);
        }
        self.kinds.extend(other.kinds);
        self.targets.extend(other.targets);
        self.namespaces.extend(other.namespaces);
        self.patches.extend(other.patches);
        self.troubles.extend(other.troubles);
        self.more_troubles += other.more_troubles;
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

impl Source {
    fn place(&self) -> Place {
        Place {
            file: self.file,
            line: self.line,
        }
    }
}

/// The key of an object, whose namespace is noted.
fn key(namespaces: &mut BTreeSet<Arc<str>>, meta: &Meta) -> ObjectKey {
    let key = ObjectKey::new(&meta.namespace, &meta.name);
    if !key.namespace.is_empty() && !namespaces.contains(&key.namespace) {
        namespaces.insert(key.namespace.clone());
    }
    key
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

/// Whether a value of JSON says that it is an object of Kubernetes.
fn is_object(json: &str) -> bool {
    let envelope = serde_json::from_str::<Envelope<'_>>(json);
    envelope.is_ok_and(|it| it.is_object())
}

/// The kind that an audit reads. The product's own kinds are no evidence, but waivers count.
fn watched(group: &str, kind: &str) -> Option<KindId> {
    let is_it = |descriptor: &Descriptor| descriptor.kind == kind && descriptor.group == group;
    KindId::all()
        .filter(|id| id.entry().descriptor.group != api::GROUP || is_waiver(*id))
        .find(|id| is_it(&id.entry().descriptor))
}

fn is_waiver(kind: KindId) -> bool {
    kind == id_of::<own::Waiver>()
}
