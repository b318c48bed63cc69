//! Which artifact is fetched next. No clock of its own, no I/O.
//!
//! Of each source the last artifact counts, and it is fetched once. Namespaces take turns, and each has one fetch under
//! way at most: whatever one tenant's sources are like, those of others wait for one fetch.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::address::{self, Refusal, Source, Target, shown};
use super::fetch::Failure;
use crate::cluster::jitter;
use crate::engine::Reading;
use crate::inventory::{Delta, Missing, TreeKey, TreeState};
use crate::kinds::flux_objects::{Artifact, ExternalArtifact, Text};
use crate::kinds::{KindId, id_of};
use crate::secrets::Tree;

/// How long the last scan of a source stands for it after its revision has changed: most are scanned in less.
const GRACE: Duration = Duration::from_secs(10);
/// First and last pause after a failure.
const PAUSE: (Duration, Duration) = (Duration::from_secs(2), Duration::from_mins(5));

/// What is wanted, what is under way, and what there is to tell.
#[derive(Default)]
pub(super) struct Queue {
    reading: Option<Arc<Reading>>,
    sources: BTreeMap<Source, State>,
    /// What may be fetched now, by namespace.
    ready: BTreeMap<Arc<str>, VecDeque<Source>>,
    /// Whose turn it is: namespaces that have something ready and nothing under way.
    turns: VecDeque<Arc<str>>,
    /// Namespaces that have a fetch under way.
    busy: BTreeSet<Arc<str>>,
    /// Whether an artifact is fetched that others may serve, at the pace they like.
    is_busy_with_others: bool,
    /// What pauses after a failure, and until when.
    paused: BTreeSet<(Instant, Source)>,
    /// When the scan of a former revision does not count any more.
    overdue: BTreeSet<(Instant, Source)>,
    news: Vec<Delta>,
    /// Whether it is known which sources there are, and who serves artifacts.
    is_complete: bool,
    /// Whether it was told that each source has been read once, or could not be.
    is_settled: bool,
}

/// A source.
#[derive(Default)]
struct State {
    /// What it has; `None`: nothing yet.
    artifact: Option<Artifact>,
    place: Place,
    /// The last scan, and the digest of what it is of.
    scanned: Option<(Text, Arc<Tree>)>,
    /// Since when that is not the last artifact.
    outdated: Option<Instant>,
    /// Since when the artifact under way is not the last.
    outdated_on_the_way: Option<Instant>,
    /// Why the last artifact could not be scanned.
    failure: Option<Missing>,
    failures: u32,
}

/// Where a source is.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Place {
    /// There is nothing to do.
    #[default]
    Idle,
    Ready,
    Busy,
    Paused(Instant),
}

/// An artifact to fetch.
pub(super) struct Job {
    pub(super) source: Source,
    pub(super) artifact: Artifact,
    pub(super) target: Target,
    pub(super) most_bytes: u64,
}

impl Queue {
    /// What of all sources is to be read. True when sources have to be told anew.
    pub(super) fn set_reading(&mut self, reading: Option<Reading>) -> bool {
        if self.reading.as_deref() == reading.as_ref() {
            return false;
        }
        let kinds = |reading: Option<&Reading>| reading.map(|it| it.kinds.clone()).unwrap_or_default();
        let (before, now) = (kinds(self.reading.as_deref()), kinds(reading.as_ref()));
        if before.is_empty() != now.is_empty() {
            self.news.push(Delta::TreesAreRead(!now.is_empty()));
            self.is_settled = false;
        }
        self.reading = reading.map(Arc::new);
        let gone: Vec<Source> = self
            .sources
            .keys()
            .filter(|(kind, _)| !now.contains(kind))
            .cloned()
            .collect();
        for source in gone {
            self.forget(&source);
        }
        // Other hosts and other bounds are another chance.
        let failed = self.sources.iter().filter(|(_, state)| state.failure.is_some());
        for source in failed.map(|(source, _)| source.clone()).collect::<Vec<_>>() {
            self.get_ready(&source);
        }
        before != now
    }

    /// Everything that there is has been told.
    pub(super) const fn complete(&mut self) {
        self.is_complete = true;
    }

    /// Whether artifacts of this kind are read.
    pub(super) fn reads(&self, kind: KindId) -> bool {
        self.reading.as_ref().is_some_and(|it| it.kinds.contains(&kind))
    }

    /// A source has this artifact now, or none.
    pub(super) fn put(&mut self, source: &Source, artifact: Option<Artifact>, now: Instant) {
        let is_new = !self.sources.contains_key(source);
        let state = self.sources.entry(source.clone()).or_default();
        if state.artifact == artifact && !is_new {
            return;
        }
        state.artifact = artifact;
        if state.artifact.is_none() {
            self.has_none(source);
            return;
        }
        state.outdated_on_the_way.get_or_insert(now);
        let outdated = *state.outdated.get_or_insert(now);
        self.overdue.insert((outdated + GRACE, source.clone()));
        match state.place {
            Place::Busy | Place::Ready => {}
            Place::Idle => self.get_ready(source),
            // What failed may be over with the artifact; a source that fails with each of them is asked no faster.
            Place::Paused(due) => self.pause(source, due.min(now + PAUSE.0)),
        }
    }

    /// A source is gone, or is not read any more.
    pub(super) fn forget(&mut self, source: &Source) {
        if self.sources.remove(source).is_some() {
            self.news.push(Delta::NoTree(key(source)));
        }
    }

    /// The next artifact to fetch, when one may be fetched now.
    pub(super) fn next(&mut self, now: Instant) -> Option<Job> {
        self.wake(now);
        for _ in 0..self.turns.len() {
            let namespace = self.turns.pop_front()?;
            let job = self.next_of(&namespace);
            if job.is_some() {
                self.busy.insert(namespace);
                return job;
            }
            if self.ready.contains_key(&namespace) {
                self.turns.push_back(namespace);
            }
        }
        None
    }

    fn next_of(&mut self, namespace: &str) -> Option<Job> {
        let mut position = 0;
        while let Some(source) = self.ready.get(namespace)?.get(position).cloned() {
            if self.is_busy_with_others && is_of_others(&source) {
                position += 1;
                continue;
            }
            self.take_out(namespace, position);
            let job = self.job(&source);
            if let Some(job) = job {
                self.is_busy_with_others |= is_of_others(&source);
                return Some(job);
            }
        }
        None
    }

    fn take_out(&mut self, namespace: &str, position: usize) {
        if let Some(ready) = self.ready.get_mut(namespace) {
            ready.remove(position);
            if ready.is_empty() {
                self.ready.remove(namespace);
            }
        }
    }

    /// What to do about a source; `None`: nothing, and if there is a reason for that, it is told.
    fn job(&mut self, source: &Source) -> Option<Job> {
        let reading = self.reading.clone()?;
        let state = self.sources.get_mut(source)?;
        if state.place != Place::Ready {
            return None;
        }
        state.place = Place::Idle;
        let artifact = state.artifact.clone()?;
        if let Some((digest, tree)) = &state.scanned
            && *digest == artifact.digest
            && !digest.is_empty()
        {
            // The same bytes under another name, or again.
            self.news.push(told(source, &artifact, tree));
            state.outdated = None;
            state.failure = None;
            return None;
        }
        match address::target(source, artifact.url.as_str(), &reading) {
            Ok(target) => {
                state.place = Place::Busy;
                state.outdated_on_the_way = None;
                Some(Job {
                    source: source.clone(),
                    artifact,
                    target,
                    most_bytes: reading.most_bytes,
                })
            }
            Err(refusal) => {
                self.refuse(source, refusal);
                None
            }
        }
    }

    /// What came of a fetch.
    pub(super) fn finish(&mut self, job: &Job, outcome: Result<Tree, Failure>, now: Instant) {
        let Job { source, artifact, .. } = job;
        let namespace = &source.1.namespace;
        self.busy.remove(namespace);
        if self.ready.contains_key(namespace) {
            self.turns.push_back(namespace.clone());
        }
        self.is_busy_with_others &= !is_of_others(source);
        let Some(state) = self.sources.get_mut(source) else {
            return;
        };
        // Gone meanwhile, and there again.
        if state.place != Place::Busy {
            return;
        }
        state.place = Place::Idle;
        let is_last = state.artifact.as_ref() == Some(artifact);
        match outcome {
            Ok(tree) => {
                let tree = Arc::new(tree);
                let news = told(source, artifact, &tree);
                state.scanned = Some((artifact.digest.clone(), tree));
                state.outdated = state.outdated_on_the_way.take();
                state.failure = None;
                state.failures = 0;
                if let Some(since) = state.outdated {
                    self.overdue.insert((since + GRACE, source.clone()));
                }
                self.news.push(news);
                if !is_last {
                    self.get_ready(source);
                }
            }
            Err(failure) => {
                state.failures += 1;
                let pause = pause_after(state.failures);
                // What is gone may be so because there is something newer.
                let pause = if is_last { pause } else { pause.min(PAUSE.0) };
                let message = format!("the artifact of {} could not be read: {failure}", shown(source));
                self.fail(source, Missing::new(failure.reason(), message));
                self.pause(source, now + pause);
            }
        }
    }

    /// What there is to tell.
    pub(super) fn news(&mut self, now: Instant) -> Vec<Delta> {
        while let Some((due, source)) = self.overdue.first().cloned()
            && due <= now
        {
            self.overdue.pop_first();
            self.is_overdue(&source, now);
        }
        let is_idle = self.ready.is_empty() && self.busy.is_empty();
        if self.reading.is_some() && self.is_complete && is_idle && !self.is_settled {
            self.is_settled = true;
            self.news.push(Delta::TreesAreSettled);
        }
        std::mem::take(&mut self.news)
    }

    /// When to look again although nothing has happened.
    pub(super) fn due(&self) -> Option<Instant> {
        let paused = self.paused.first().map(|(due, _)| *due);
        let overdue = self.overdue.first().map(|(due, _)| *due);
        paused.into_iter().chain(overdue).min()
    }

    /// The last scan of a source does not stand for it any longer.
    fn is_overdue(&mut self, source: &Source, now: Instant) {
        let Some(state) = self.sources.get_mut(source) else {
            return;
        };
        if state.outdated.is_none_or(|since| since + GRACE > now) {
            return;
        }
        state.scanned = None;
        let missing = state.failure.clone().unwrap_or_else(|| {
            let message = format!("the last revision of {} is not read yet", shown(source));
            Missing::new("SourceNotRead", message)
        });
        self.news.push(not_read(source, missing));
    }

    fn has_none(&mut self, source: &Source) {
        let Some(state) = self.sources.get_mut(source) else {
            return;
        };
        state.scanned = None;
        state.outdated = None;
        state.failure = None;
        if state.place != Place::Busy {
            state.place = Place::Idle;
        }
        let message = format!("{} has no artifact yet", shown(source));
        self.news
            .push(not_read(source, Missing::new("NotReconciled", message)));
    }

    fn refuse(&mut self, source: &Source, refusal: Refusal) {
        self.fail(source, refusal.missing(source));
    }

    /// Puts down why a source could not be read. It is told at once where nothing else is told of it.
    fn fail(&mut self, source: &Source, missing: Missing) {
        let Some(state) = self.sources.get_mut(source) else {
            return;
        };
        tracing::debug!(reason = missing.reason, "{}", missing.message);
        if state.scanned.is_none() {
            self.news.push(not_read(source, missing.clone()));
        }
        state.failure = Some(missing);
    }

    fn get_ready(&mut self, source: &Source) {
        let Some(state) = self.sources.get_mut(source) else {
            return;
        };
        match state.place {
            Place::Ready | Place::Busy => return,
            Place::Idle => {}
            Place::Paused(due) => {
                self.paused.remove(&(due, source.clone()));
            }
        }
        state.place = Place::Ready;
        let namespace = &source.1.namespace;
        let ready = self.ready.entry(namespace.clone()).or_default();
        if ready.is_empty() && !self.busy.contains(namespace) {
            self.turns.push_back(namespace.clone());
        }
        ready.push_back(source.clone());
    }

    fn pause(&mut self, source: &Source, until: Instant) {
        let Some(state) = self.sources.get_mut(source) else {
            return;
        };
        if let Place::Paused(due) = state.place {
            self.paused.remove(&(due, source.clone()));
        }
        state.place = Place::Paused(until);
        self.paused.insert((until, source.clone()));
    }

    /// Ends the pauses that are over.
    fn wake(&mut self, now: Instant) {
        while let Some((due, source)) = self.paused.first().cloned()
            && due <= now
        {
            self.paused.pop_first();
            let is_paused = |state: &&mut State| state.place == Place::Paused(due);
            if let Some(state) = self.sources.get_mut(&source).filter(is_paused) {
                state.place = Place::Idle;
                self.get_ready(&source);
            }
        }
    }
}

/// Whether others than source-controller may serve it.
fn is_of_others(source: &Source) -> bool {
    source.0 == id_of::<ExternalArtifact>()
}

fn key((kind, key): &Source) -> TreeKey {
    TreeKey::Source(*kind, key.clone())
}

fn told(source: &Source, artifact: &Artifact, tree: &Arc<Tree>) -> Delta {
    let state = TreeState::Scanned {
        revision: artifact.revision.as_str().into(),
        digest: artifact.digest.as_str().into(),
        tree: tree.clone(),
    };
    Delta::Tree(key(source), state)
}

fn not_read(source: &Source, missing: Missing) -> Delta {
    Delta::Tree(key(source), TreeState::NotRead(missing))
}

/// Twice as long after each failure, and not in step with others.
fn pause_after(failures: u32) -> Duration {
    let doubled = PAUSE.0.saturating_mul(1 << failures.saturating_sub(1).min(10));
    doubled.min(PAUSE.1).mul_f64(1.0 - jitter() / 4.0)
}
