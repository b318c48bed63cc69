//! Scans the history of a Git repository for secrets in plain text: every content that a file ever had, each once.
//!
//! Contents are whole, so a manifest is looked at as what it is. What was found is told once for as long as it stayed
//! the same, with the first and the last commit that has it.

mod bundle;
mod fingerprint;
mod generated;
pub mod import;
mod repository;
mod walk;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

use crate::api::history::{
    CommitRef, HISTORY_REPORT, HistoryFinding, HistoryReport, Range, without_credentials,
};
use crate::api::{self, Severity};
use crate::secrets::inline::Trace;
use crate::secrets::{Leak, Scan, generator};

use bundle::Bundle;
pub use fingerprint::Key;
use generated::Generator;
use repository::{Lack, Objects, Repository};
use walk::{Blob, Commit, History, Lacks, Order};

/// Findings that are listed; the others are counted.
const MOST_FINDINGS: usize = 10_000;
/// Contents that a thread takes at once: neighbours are made from the same.
const BATCH: usize = 64;
/// Room for folders in folders.
const STACK: usize = 16 * 1024 * 1024;

/// Why a history could not be scanned at all.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// There is no repository.
    #[error("{} is no Git repository: name a bare one, a clone, or its .git", .0.display())]
    NoRepository(PathBuf),
    /// The file is no bundle.
    #[error("{} is no bundle of Git: make it with `git bundle create FILE --all`", .0.display())]
    NoBundle(PathBuf),
    /// A bundle that builds on what it does not have.
    #[error("{} has a part of the history only: make it with `git bundle create FILE --all`", .0.display())]
    PartialBundle(PathBuf),
    /// The objects of a bundle are damaged.
    #[error("the objects of {} are damaged, or some are missing", .0.display())]
    BrokenBundle(PathBuf),
    /// A form of repositories that is not read.
    #[error("the repository has {0}, which are not read")]
    Unsupported(&'static str),
    /// More references than are read.
    #[error("the repository has more than {0} references")]
    TooManyRefs(usize),
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A thread cannot be started.
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
}

/// Where a history is.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    /// A repository: bare, a clone, or the `.git` of one.
    Repository(&'a Path),
    /// A bundle.
    Bundle(&'a Path),
}

/// Scans a history.
///
/// # Errors
/// It cannot be read at all. Of a part that cannot be read the report tells.
pub fn scan(
    place: Place<'_>,
    address: Option<&str>,
    key: &Key,
    now: Timestamp,
) -> Result<HistoryReport, HistoryError> {
    let bundle;
    let own;
    let repository = match place {
        Place::Repository(path) => {
            own = Repository::open(path)?;
            &own
        }
        Place::Bundle(path) => {
            bundle = Bundle::open(path)?;
            &bundle.repository
        }
    };
    let mut history = on_deep_stack(|| Ok(History::read(repository, &mut repository.objects()?)))?;
    let order = Order::of(&history);
    let lacks = std::mem::take(&mut history.lacks);
    let mut scanned = scan_all(repository, &history, key)?;
    generated::look(&history, &mut repository.objects()?, key, &mut scanned);
    Ok(report(repository, address, now, &history, &order, scanned, lacks))
}

/// Runs something that goes as deep as folders do.
fn on_deep_stack<T: Send>(work: impl FnOnce() -> Result<T, HistoryError> + Send) -> Result<T, HistoryError> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(STACK);
        let thread = thread.spawn_scoped(scope, work).map_err(HistoryError::Thread)?;
        thread.join().unwrap_or_else(|_| Err(broke_off()))
    })
}

fn broke_off() -> HistoryError {
    HistoryError::Thread(io::Error::other("it broke off"))
}

/// What one thread, or all of them, have found.
#[derive(Default)]
struct Scanned {
    leaks: Vec<Found>,
    generators: Vec<Generator>,
    blobs: u64,
    bytes: u64,
    lacks: Lacks,
}

/// A secret in a content.
struct Found {
    node: u32,
    leak: Leak,
    fingerprint: String,
}

fn scan_all(repository: &Repository, history: &History, key: &Key) -> Result<Scanned, HistoryError> {
    let blobs = history.blobs();
    let next = AtomicUsize::new(0);
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let work = || -> Result<Scanned, HistoryError> {
        let mut objects = repository.objects()?;
        let mut scanned = Scanned::default();
        loop {
            let start = next.fetch_add(BATCH, Ordering::Relaxed);
            let Some(batch) = blobs.get(start..blobs.len().min(start + BATCH)) else {
                return Ok(scanned);
            };
            if batch.is_empty() {
                return Ok(scanned);
            }
            for blob in batch {
                scanned.blob(&mut objects, blob, key);
            }
        }
    };
    let all = thread::scope(|scope| {
        let start = |_| {
            let thread = thread::Builder::new().stack_size(STACK);
            thread.spawn_scoped(scope, work).map_err(HistoryError::Thread)
        };
        let threads: Result<Vec<_>, _> = (0..cores).map(start).collect();
        let join =
            |thread: thread::ScopedJoinHandle<'_, _>| thread.join().unwrap_or_else(|_| Err(broke_off()));
        threads?.into_iter().map(join).collect::<Result<Vec<_>, _>>()
    })?;
    Ok(all.into_iter().fold(Scanned::default(), Scanned::with))
}

impl Scanned {
    fn with(mut self, other: Self) -> Self {
        self.leaks.extend(other.leaks);
        self.generators.extend(other.generators);
        self.blobs += other.blobs;
        self.bytes += other.bytes;
        self.lacks.merge(other.lacks);
        self
    }

    /// Scans a content under each sort of name that it had.
    fn blob(&mut self, objects: &mut Objects, blob: &Blob<'_>, key: &Key) {
        let path = || blob.paths.first().map_or(String::new(), ToString::to_string);
        let bytes = match objects.find(&blob.id) {
            Ok((gix_object::Kind::Blob, bytes)) => bytes,
            Ok(_) => return self.lack(blob, Lack::Corrupt),
            Err(lack) => return self.lack(blob, lack),
        };
        self.blobs += 1;
        self.bytes += bytes.len() as u64;
        let sources = generator::sources(bytes);
        if !sources.is_empty() {
            let node = blob.node;
            self.generators.push(Generator { node, sources });
        }
        let mut seen: Vec<(u32, Trace, Box<str>)> = Vec::new();
        for name in sorts(blob.paths) {
            let mut scan = Scan::default();
            scan.file(name, bytes);
            let tree = scan.finish();
            for (gap, _) in tree.coverage.gaps {
                self.lacks
                    .note(of_gap(gap), || format!("{} ({})", blob.id, path()));
            }
            if tree.more_leaks > 0 {
                self.lacks.note("files with more secrets than are listed", path);
            }
            for leak in tree.leaks {
                let place = (leak.line, leak.trace, leak.field.clone());
                if seen.contains(&place) {
                    continue;
                }
                seen.push(place);
                let fingerprint = key.fingerprint(&leak, bytes);
                self.leaks.push(Found {
                    node: blob.node,
                    leak,
                    fingerprint,
                });
            }
        }
    }

    fn lack(&mut self, blob: &Blob<'_>, lack: Lack) {
        let path = blob.paths.first().map_or("", |path| path);
        self.lacks.object(&blob.id, lack, path);
    }
}

/// One name of each sort: what a file is depends on how it is called.
fn sorts(paths: &[Box<str>]) -> impl Iterator<Item = &str> {
    let sort = |path: &'_ str| {
        let name = path.rsplit('/').next().unwrap_or_default();
        let extension = name.rsplit_once('.').map_or(name, |(_, extension)| extension);
        (generator::is_kustomization(path), extension.to_owned())
    };
    let mut seen: Vec<(bool, String)> = Vec::new();
    paths.iter().map(|path| &**path).filter(move |path| {
        let sort = sort(path);
        let is_new = !seen.contains(&sort);
        seen.push(sort);
        is_new
    })
}

/// Why files were not looked into.
const fn of_gap(gap: crate::secrets::Gap) -> &'static str {
    use crate::secrets::Gap;
    match gap {
        Gap::TooLarge => "files that are too large",
        Gap::Binary => "files that are binary",
        Gap::NotText => "files that are not UTF-8",
        Gap::TooComplex => "files that are nested too deeply or too long",
        Gap::Name => "files whose names are too long",
        Gap::Selector => "files that are encrypted with a selector that is not understood",
        _ => "files that could not be looked into",
    }
}

/// What a finding is, whichever content has it: a value that stays is one finding.
type Identity = (String, &'static str, Box<str>, Box<str>, String);

fn report(
    repository: &Repository,
    address: Option<&str>,
    now: Timestamp,
    history: &History,
    order: &Order,
    scanned: Scanned,
    mut lacks: Lacks,
) -> HistoryReport {
    lacks.merge(scanned.lacks);
    let mut findings: BTreeMap<Identity, Known> = BTreeMap::new();
    let blobs: BTreeMap<u32, Blob<'_>> = history.blobs().into_iter().map(|it| (it.node, it)).collect();
    let mut more = 0;
    for found in scanned.leaks {
        let (Some(span), Some(blob)) = (order.span(found.node), blobs.get(&found.node)) else {
            continue;
        };
        let leak = &found.leak;
        let identity = (
            leak.file.to_string(),
            rule(leak.trace),
            leak.object.clone(),
            leak.field.clone(),
            found.fingerprint.clone(),
        );
        if findings.len() >= MOST_FINDINGS && !findings.contains_key(&identity) {
            more += 1;
            continue;
        }
        match findings.entry(identity) {
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(Known::new(found, blob, span));
            }
            std::collections::btree_map::Entry::Occupied(mut entry) => entry.get_mut().add(found, blob, span),
        }
    }
    let of = |rank: u32| {
        let at = order.commits.get(rank as usize)?;
        told(&history.commits[*at as usize])
    };
    let mut listed: Vec<HistoryFinding> = findings.into_values().map(|it| it.told(history, &of)).collect();
    listed.sort_by(|a, b| (&a.file, a.line, &a.rule).cmp(&(&b.file, b.line, &b.rule)));
    if more > 0 {
        lacks.note("findings beyond those that are listed", || "the rest".to_owned());
    }
    let address = address.map(str::to_owned).or_else(|| repository.origin.clone());
    let head = repository.head.map(|head| head.to_string()).unwrap_or_default();
    let real = || {
        order
            .commits
            .iter()
            .filter(|at| history.commits[**at as usize].seconds != 0)
    };
    HistoryReport {
        api_version: format!("{}/{}", api::GROUP, api::VERSION),
        kind: HISTORY_REPORT.to_owned(),
        scanner: format!("fluxsec {}", env!("CARGO_PKG_VERSION")),
        repository: without_credentials(&address.unwrap_or_default()),
        scanned_at: Time(whole_seconds(now)),
        range: Range {
            head,
            refs: repository.refs.len() as u64,
            commits: history.commits.len() as u64,
            blobs: scanned.blobs,
            bytes: scanned.bytes,
            first: real().next().and_then(|at| told(&history.commits[*at as usize])),
            last: real()
                .next_back()
                .and_then(|at| told(&history.commits[*at as usize])),
        },
        complete: lacks.0.is_empty(),
        lacks: lacks
            .0
            .iter()
            .map(|(what, (count, first))| format!("{what}: {count}, first {first}"))
            .collect(),
        findings: listed,
        more_findings: more,
    }
}

fn whole_seconds(now: Timestamp) -> Timestamp {
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

fn told(commit: &Commit) -> Option<CommitRef> {
    Some(CommitRef {
        id: commit.id.to_string(),
        time: Time(Timestamp::from_second(commit.seconds).ok()?),
    })
}

/// A finding, by all contents that have it.
struct Known {
    last: Found,
    blob: String,
    others: Vec<String>,
    versions: u64,
    span: walk::Span,
}

impl Known {
    fn new(found: Found, blob: &Blob<'_>, span: walk::Span) -> Self {
        let mut known = Self {
            blob: blob.id.to_string(),
            others: Vec::new(),
            versions: 1,
            span,
            last: found,
        };
        known.name(blob);
        known
    }

    fn add(&mut self, found: Found, blob: &Blob<'_>, span: walk::Span) {
        // Twice in one content is one version.
        if found.node != self.last.node {
            self.versions += 1;
        }
        if span.last > self.span.last {
            self.last = found;
            self.blob = blob.id.to_string();
        }
        self.span.first = self.span.first.min(span.first);
        self.span.last = self.span.last.max(span.last);
        self.span.tip = self.span.tip.into_iter().chain(span.tip).min();
        self.name(blob);
    }

    fn name(&mut self, blob: &Blob<'_>) {
        let others = blob.paths.iter().filter(|path| ***path != *self.last.leak.file);
        for other in others {
            if !self.others.iter().any(|it| **it == **other) {
                self.others.push(other.to_string());
            }
        }
    }

    fn told(self, history: &History, of: &impl Fn(u32) -> Option<CommitRef>) -> HistoryFinding {
        let Found {
            leak, fingerprint, ..
        } = self.last;
        HistoryFinding {
            rule: rule(leak.trace).to_owned(),
            message: leak.trace.to_string(),
            severity: leak.severity.unwrap_or(Severity::High),
            file: leak.file.to_string(),
            other_files: self.others,
            line: leak.line,
            object: leak.object.into(),
            field: leak.field.into(),
            blob: self.blob,
            versions: self.versions,
            first: of(self.span.first),
            last: of(self.span.last),
            still_in: self.span.tip.map_or("", |tip| history.tip_name(tip)).to_owned(),
            fingerprint,
        }
    }
}

/// One word for what gives a secret away.
const fn rule(trace: Trace) -> &'static str {
    match trace {
        Trace::SecretData => "secret-data",
        Trace::Name => "named-literal",
        Trace::PrivateKey => "private-key",
        Trace::Token(_) | Trace::Rule(_) => "token",
        Trace::ConnectionString => "connection-string",
        Trace::UserInfo => "password-in-address",
        Trace::Hook => "address-with-token",
        Trace::Unencrypted => "sops-plain-value",
        Trace::LeftPlain => "sops-left-plain",
        Trace::NoRecipient => "sops-no-recipient",
        Trace::Generated => "secret-generator",
        Trace::KeyStore => "key-store",
    }
}
