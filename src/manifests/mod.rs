//! Manifests instead of a cluster: the same rows, the same engine, the same verdicts. Pure: whoever has files reads them.
//!
//! ```
//! use flux_security_operator::api::{ControlResult, FluxSecurityPolicySpec};
//! use flux_security_operator::manifests;
//!
//! let repository = "
//! apiVersion: source.toolkit.fluxcd.io/v1
//! kind: GitRepository
//! metadata: {name: fleet, namespace: flux-system}
//! spec: {interval: 5m, url: 'http://git.example.com/fleet'}
//! ";
//! let posture = manifests::audit([repository], &FluxSecurityPolicySpec::default());
//! let control = posture.controls.iter().find(|it| it.control.id == "FSX-SRC-005").unwrap();
//! assert_eq!(control.result, ControlResult::Fail);
//! assert_eq!(posture.findings[0].finding.resource.name, "fleet");
//! ```

mod envelope;
mod places;
mod plain;
pub mod policies;
pub(crate) mod read;
mod roles;
mod schema;
pub mod split;
mod template;
pub mod waivers;
mod worlds;
mod yaml;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;

use crate::api::{self, FluxSecurityPolicySpec};
use crate::custom::{self, CustomRow, Demand, Target};
use crate::engine::{Engine, Findings, PolicyPosture, WaiverPosture, posture};
use crate::inventory::{Coverage, CustomDelta, CustomNews, Delta, ObjectKey, TreeKey, TreeState, namespaces};
use crate::kinds::own::{self, PolicyRow, WaiverRow};
use crate::kinds::{ErasedRow, KindId, id_of};
use crate::secrets::{Gap, Tree};

pub use places::lines_within;
use read::{File, Harvest};
use split::{Cut, Splitter};

/// Troubles that are told one by one; the others are counted.
const MOST_TROUBLES: usize = 100;

/// Manifests that were read: what is kept of them, and where each object is.
#[derive(Default)]
pub struct Manifests {
    files: Vec<Arc<str>>,
    harvest: Harvest,
    waived: Waived,
}

/// What counts beside manifests: waivers, and how late it is. Without a clock no waiver is in effect, and those among the
/// manifests are not either.
#[derive(Clone, Debug, Default)]
pub struct Waived {
    /// How late it is.
    pub now: Option<Timestamp>,
    /// Waivers by name; they count before those of the same name among the manifests.
    pub waivers: Vec<(String, WaiverRow)>,
}

/// Where an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// Number of the file.
    pub(crate) file: u32,
    /// Its first line.
    pub(crate) line: u32,
}

/// What an object is one of.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Of {
    /// A kind of the catalogue.
    Kind(KindId),
    /// A kind that custom controls ask for.
    Custom(Arc<Target>),
}

impl Of {
    fn name(&self) -> &str {
        match self {
            Self::Kind(kind) => kind.name(),
            Self::Custom(target) => &target.kind,
        }
    }
}

/// One definition of an object. There may be several of the same.
struct Definition {
    kind: Of,
    key: ObjectKey,
    fact: Fact,
    place: Place,
}

/// What is known of an object.
enum Fact {
    Row(ErasedRow),
    Answers(Box<CustomRow>),
    Undecodable(Box<str>),
    /// It was given to an engine.
    Taken,
}

/// What was passed over, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// Documents that are no objects of Kubernetes: values of charts, configurations of tools.
    pub others: u64,
    /// Documents with placeholders that somebody fills in later.
    pub templates: u64,
    /// Parts of objects that kustomize puts into others.
    pub patches: u64,
    /// Objects of kinds that no control reads.
    pub of_no_interest: u64,
}

impl Skipped {
    fn add(&mut self, other: Self) {
        self.others += other.others;
        self.templates += other.templates;
        self.patches += other.patches;
        self.of_no_interest += other.of_no_interest;
    }
}

/// One cluster among the manifests, audited.
pub struct World<'a> {
    /// What is known of it.
    pub engine: &'a Engine,
    /// The verdicts.
    pub posture: &'a PolicyPosture,
    files: &'a [Arc<str>],
    definitions: &'a [Definition],
    members: &'a [usize],
}

impl World<'_> {
    /// The file that an object was read from.
    #[must_use]
    pub fn file(&self, kind: &str, namespace: &str, name: &str) -> Option<&str> {
        let mut definitions = self.members.iter().map(|at| &self.definitions[*at]);
        let found = definitions
            .find(|it| it.kind.name() == kind && *it.key.name == *name && *it.key.namespace == *namespace)?;
        self.files.get(found.place.file as usize).map(|file| &**file)
    }
}

/// Something that could not be read.
#[derive(Debug)]
pub(crate) struct Trouble {
    place: Place,
    message: String,
}

/// What came of an audit.
#[derive(Debug)]
pub struct Audited {
    /// The verdicts.
    pub posture: PolicyPosture,
    /// How many objects there are.
    pub objects: u64,
    /// What was passed over.
    pub skipped: Skipped,
    /// Every waiver, and what it is for. With several clusters each has its own.
    pub waivers: Vec<Arc<WaiverPosture>>,
    /// What could not be read, as `file:line: why`; the first of them.
    pub troubles: Vec<String>,
    /// How many more there are.
    pub more_troubles: usize,
}

/// Audits objects, each a document in YAML or JSON. What cannot be read counts for nothing; [`Manifests`] tells of it.
pub fn audit<O: AsRef<[u8]>>(
    objects: impl IntoIterator<Item = O>,
    policy: &FluxSecurityPolicySpec,
) -> PolicyPosture {
    let mut manifests = Manifests::asking(policy);
    for (number, object) in objects.into_iter().enumerate() {
        manifests.add(&format!("object {number}"), object.as_ref());
    }
    let row = PolicyRow {
        uid: String::new(),
        generation: 1,
        requested_at: String::new(),
        spec: policy.clone(),
    };
    manifests.audit("audit", &row).posture
}

impl Manifests {
    /// Manifests that somebody read.
    pub(crate) fn new(files: Vec<Arc<str>>, harvest: Harvest) -> Self {
        Self {
            files,
            harvest,
            waived: Waived::default(),
        }
    }

    /// None so far. What the policy asks in custom controls is found out while manifests are read: of an object nothing else
    /// is kept.
    #[must_use]
    pub fn asking(policy: &FluxSecurityPolicySpec) -> Self {
        Self {
            harvest: Harvest::asking(&Arc::new(custom::demands(&policy.custom_controls))),
            ..Self::default()
        }
    }

    /// Audits with these waivers too, and at this instant.
    pub fn waive(&mut self, waived: Waived) {
        self.waived = waived;
    }

    /// Reads a file, or what passes for one: whatever cannot be read in it is a trouble.
    pub fn add(&mut self, name: &str, source: impl Read) {
        let file = File {
            number: u32::try_from(self.files.len()).unwrap_or(u32::MAX),
            is_named: true,
            is_kustomization: is_kustomization(name),
        };
        self.files.push(name.into());
        let mut splitter = Splitter::new(source);
        let mut is_empty = true;
        while let Some(cut) = splitter.next_cut().transpose() {
            is_empty = false;
            match cut {
                Ok(cut) => {
                    self.harvest.scan(name, &cut);
                    self.harvest.take(file, &cut);
                }
                Err(error) => {
                    self.harvest.complain(file.at(0), error.to_string());
                    break;
                }
            }
        }
        self.harvest.end(file, is_empty);
    }

    /// Audits what was read with a policy.
    #[must_use]
    pub fn audit(self, name: &str, policy: &PolicyRow) -> Audited {
        self.audit_with(name, policy, |_| {})
    }

    /// The same, with a look at what is known of each cluster among the manifests.
    #[must_use]
    pub fn audit_with(mut self, name: &str, policy: &PolicyRow, mut look: impl FnMut(&World<'_>)) -> Audited {
        self.leave_out_patches();
        self.harvest
            .definitions
            .sort_unstable_by_key(|definition| definition.place);
        let plan = worlds::Plan::new(&self.files, &self.harvest.definitions);
        // Whoever stands in a repository names a part of it.
        self.harvest.scan.root("");
        let tree = Arc::new(std::mem::take(&mut self.harvest.scan).finish());
        let mut merged: Option<PolicyPosture> = None;
        let mut waivers = BTreeMap::new();
        let count = plan.worlds.len();
        for (number, world) in plan.worlds.iter().enumerate() {
            let members: Vec<usize> = plan.members(world).collect();
            let is_last = number + 1 == count;
            let mut engine = Engine::default();
            if let Some(now) = self.waived.now {
                engine.advance(now);
            }
            engine.waive(self.waived.waivers.iter().cloned());
            // What has no row is in no world of its own.
            let seen = if count == 1 {
                self.harvest.kinds.clone()
            } else {
                BTreeSet::new()
            };
            engine.ingest(self.harvest.deltas(&members, seen, is_last));
            engine.ingest(files(&tree));
            engine.pin(name, policy.clone());
            engine.ingest(self.answers(&engine, &members, is_last));
            let all = engine.posture();
            let Some(posture) = all.policies.get(name).cloned() else {
                continue;
            };
            worlds::merge_waivers(&mut waivers, &all.waivers);
            drop(all);
            look(&World {
                engine: &engine,
                posture: &posture,
                files: &self.files,
                definitions: &self.harvest.definitions,
                members: &members,
            });
            drop(engine);
            let mut posture = Arc::unwrap_or_clone(posture);
            posture
                .findings
                .edit(|findings| places::locate(findings, &self.harvest.definitions, &members, &self.files));
            match &mut merged {
                None => merged = Some(posture),
                Some(merged) => worlds::merge(merged, posture),
            }
        }
        for path in plan.left_out {
            let message = format!(
                "{path} defines again what is defined elsewhere, and so do too many others: audit the manifests of fewer clusters at once"
            );
            self.harvest.complain(
                Place {
                    file: u32::MAX,
                    line: 0,
                },
                message,
            );
        }
        self.told(
            merged.unwrap_or_else(|| empty(name, policy)),
            waivers.into_values().collect(),
        )
    }

    /// A file that a Kustomization of kustomize calls a patch has no objects.
    fn leave_out_patches(&mut self) {
        let listed = self.harvest.patches.iter().filter_map(|(file, path)| {
            let of = self.files.get(*file as usize)?;
            Some(beside(of, path))
        });
        let listed: BTreeSet<String> = listed.collect();
        if listed.is_empty() {
            return;
        }
        let is_patch: Vec<bool> = self
            .files
            .iter()
            .map(|file| listed.contains(&beside(file, file_name(file))))
            .collect();
        let before = self.harvest.definitions.len();
        self.harvest.definitions.retain(|definition| {
            !is_patch
                .get(definition.place.file as usize)
                .copied()
                .unwrap_or(false)
        });
        self.harvest.skipped.patches += (before - self.harvest.definitions.len()) as u64;
    }

    /// What custom controls found out in one cluster.
    fn answers(&mut self, engine: &Engine, members: &[usize], is_last: bool) -> Vec<Delta> {
        let asked = engine.inventory().customs().demands();
        let mut deltas = Vec::new();
        let tell = |demand: &Demand, news: CustomNews| {
            Delta::Custom(CustomDelta {
                target: demand.target.clone(),
                generation: demand.generation,
                news,
            })
        };
        let mut seen = BTreeSet::new();
        for at in members {
            let definition = &mut self.harvest.definitions[*at];
            let Of::Custom(target) = &definition.kind else {
                continue;
            };
            let Some(demand) = asked.get(target) else {
                continue;
            };
            seen.insert(target.clone());
            let key = definition.key.clone();
            let news = match definition.give(is_last) {
                Fact::Answers(row) => CustomNews::Upsert(key, *row),
                Fact::Undecodable(note) => CustomNews::Undecodable(key, note.into()),
                Fact::Row(_) | Fact::Taken => continue,
            };
            deltas.push(tell(demand, news));
        }
        for (target, demand) in asked.iter() {
            let is_asked = self
                .harvest
                .asked
                .get(target)
                .is_some_and(|asked| asked.is_like(demand));
            let coverage = if is_asked {
                custom_coverage(
                    target,
                    seen.contains(target) || self.harvest.targets.contains(target),
                )
            } else {
                Coverage::Failing {
                    error: "the manifests were read before the policy was known".to_owned(),
                }
            };
            deltas.push(tell(demand, CustomNews::Coverage(coverage)));
        }
        deltas
    }

    fn told(mut self, posture: PolicyPosture, waivers: Vec<Arc<WaiverPosture>>) -> Audited {
        self.harvest.troubles.sort_by_key(|trouble| trouble.place);
        let troubles = &self.harvest.troubles;
        Audited {
            posture,
            objects: self.harvest.objects,
            skipped: self.harvest.skipped,
            waivers,
            more_troubles: troubles.len().saturating_sub(MOST_TROUBLES) + self.harvest.more_troubles,
            troubles: troubles
                .iter()
                .take(MOST_TROUBLES)
                .map(|trouble| trouble.sentence(&self.files))
                .collect(),
        }
    }
}

/// What the files hold, beside their objects.
fn files(tree: &Arc<Tree>) -> [Delta; 2] {
    let scanned = TreeState::Scanned {
        revision: "".into(),
        digest: "".into(),
        tree: tree.clone(),
    };
    [Delta::TreesAreRead(true), Delta::Tree(TreeKey::Input, scanned)]
}

impl Harvest {
    /// What is known of one cluster. Rows are given away one by one.
    fn deltas(
        &mut self,
        members: &[usize],
        mut seen: BTreeSet<KindId>,
        is_last: bool,
    ) -> impl Iterator<Item = Delta> {
        let mut known_namespaces = BTreeSet::new();
        let mut builtin = roles::Builtin::default();
        for at in members {
            let Definition {
                kind: Of::Kind(kind),
                key,
                fact,
                ..
            } = &self.definitions[*at]
            else {
                continue;
            };
            seen.insert(*kind);
            if *kind == namespaces() {
                known_namespaces.insert(key.name.clone());
            }
            if let Fact::Row(row) = fact {
                builtin.see(*kind, key, row);
            }
        }
        let mut others = builtin.missing();
        let mentioned = self.namespaces.iter();
        others.extend(
            mentioned
                .filter(|name| !known_namespaces.contains(&***name))
                .map(|name| Delta::Mentioned(namespaces(), ObjectKey::new("", name))),
        );
        others.extend(KindId::all().map(|kind| Delta::Coverage(kind, coverage(kind, seen.contains(&kind)))));
        let definitions = &mut self.definitions;
        let given = members
            .iter()
            .filter_map(move |at| definitions[*at].delta(is_last));
        given.chain(others)
    }

    /// Looks for secrets in what was cut off a file.
    pub(crate) fn scan(&mut self, path: &str, cut: &Cut<'_>) {
        match cut {
            Cut::Piece(piece) => self.scan.document(path, piece.line, piece.text),
            Cut::TooLarge { .. } => self.scan.not_read(path, Gap::TooLarge),
        }
    }

    /// Takes in what was cut off a file.
    pub(crate) fn take(&mut self, file: File, cut: &Cut<'_>) {
        match *cut {
            Cut::Piece(piece) => self.read(file, &piece),
            Cut::TooLarge { line, has_kind } if has_kind || file.is_named => {
                let most = split::MOST_BYTES / 1024 / 1024;
                self.complain(file.at(line), format!("is larger than {most} MiB: no object is"));
            }
            Cut::TooLarge { .. } => self.skip(),
        }
    }

    /// Whoever names a file, or writes to standard input, means something: the tool that should have written it has failed.
    pub(crate) fn end(&mut self, file: File, is_empty: bool) {
        if is_empty && file.is_named {
            self.complain(file.at(0), "is empty");
        }
    }
}

impl Definition {
    /// What is known of an object of the catalogue. What custom controls ask for is told when the policy is known.
    fn delta(&mut self, for_good: bool) -> Option<Delta> {
        let Of::Kind(kind) = self.kind else {
            return None;
        };
        let key = self.key.clone();
        match self.give(for_good) {
            Fact::Row(row) => Some(Delta::Upsert(kind, key, row)),
            Fact::Undecodable(note) => Some(Delta::Undecodable(kind, key, note.into())),
            Fact::Answers(_) | Fact::Taken => None,
        }
    }

    /// What is known, for good or as a copy.
    fn give(&mut self, for_good: bool) -> Fact {
        if for_good {
            return std::mem::replace(&mut self.fact, Fact::Taken);
        }
        match &self.fact {
            Fact::Row(row) => match self.kind {
                Of::Kind(kind) => kind.entry().copy(row).map_or(Fact::Taken, Fact::Row),
                Of::Custom(_) => Fact::Taken,
            },
            Fact::Answers(row) => Fact::Answers(row.clone()),
            Fact::Undecodable(note) => Fact::Undecodable(note.clone()),
            Fact::Taken => Fact::Taken,
        }
    }
}

impl Trouble {
    fn sentence(&self, files: &[Arc<str>]) -> String {
        let message = posture::bounded(&self.message);
        let Some(file) = files.get(self.place.file as usize) else {
            return message;
        };
        let file = posture::escaped(file);
        match self.place.line {
            0 => format!("{file}: {message}"),
            line => format!("{file}:{line}: {message}"),
        }
    }
}

/// How well a kind is seen that custom controls ask for. One that every cluster has is elsewhere when no manifest has it.
fn custom_coverage(target: &Target, is_seen: bool) -> Coverage {
    let listed = KindId::all().find(|kind| {
        let descriptor = &kind.entry().descriptor;
        target.is(descriptor.group, descriptor.kind)
    });
    listed.map_or(Coverage::InInput, |kind| coverage(kind, is_seen))
}

/// How well a kind is known. Objects of a kind that has to be installed may well not exist; every cluster has some of
/// the others.
fn coverage(kind: KindId, has_some: bool) -> Coverage {
    let descriptor = &kind.entry().descriptor;
    if descriptor.group == api::GROUP && kind != id_of::<own::Waiver>() {
        return Coverage::Absent;
    }
    if has_some || descriptor.custom {
        Coverage::InInput
    } else {
        Coverage::NotInInput
    }
}

/// Whether a file is called like one that kustomize begins with.
pub(crate) fn is_kustomization(name: &str) -> bool {
    matches!(
        file_name(name),
        "kustomization.yaml" | "kustomization.yml" | "Kustomization"
    )
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// A path that is written relative to a file, without detours.
fn beside(file: &str, path: &str) -> String {
    let mut parts: Vec<&str> = file.split('/').collect();
    parts.pop();
    parts.retain(|part| *part != ".");
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Nothing was read: everything is unknown.
fn empty(name: &str, policy: &PolicyRow) -> PolicyPosture {
    PolicyPosture {
        name: name.to_owned(),
        policy: policy.clone(),
        invalid: None,
        controls: Vec::new(),
        findings: Findings::default(),
        installations: Vec::new(),
        gaps: Vec::new(),
        delivered: Arc::default(),
        tenants: Arc::default(),
    }
}
