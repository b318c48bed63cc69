//! Fetches the artifacts of sources and has them scanned, when a policy asks for that.
//!
//! Two at once, each in the memory that one of its files takes, and each once: an artifact is fetched again only when its
//! digest changes, or after a failure, with pauses that grow. What a process knows of artifacts goes with it: reports do
//! not hold all that a scan finds, so a new process fetches each once more, a few a second.

mod address;
pub mod archive;
mod digest;
pub mod fetch;
mod queue;
mod tar;
mod trust;

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::cluster::Observation;
use crate::engine::Engine;
use crate::inventory::{Changed, ObjectKey};
use crate::kinds::KindId;
use crate::secrets::Tree;

use archive::Limits;
use fetch::{Bounds, Failure, Timing};
use queue::{Job, Queue};
pub use trust::Trust;

/// Fetches at the same time.
const AT_ONCE: usize = 2;
/// From the beginning of one fetch to that of the next, at least.
const PACE: Duration = Duration::from_millis(25);
/// When to look again although nothing is known to be due.
const IDLE: Duration = Duration::from_hours(1);

/// What is to be fetched: told by whoever knows the sources, read by [`Shell`].
#[derive(Clone, Default)]
pub struct Wishes(Arc<Shared>);

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Notify,
}

impl Wishes {
    /// Takes in what has changed of policies, controllers and sources.
    pub fn update(&self, engine: &Engine, changed: &BTreeSet<Changed>) {
        let mut queue = self.queue();
        let now = Instant::now();
        if queue.set_reading(engine.reading()) {
            let kinds = KindId::all().filter(|kind| queue.reads(*kind));
            for kind in kinds.collect::<Vec<_>>() {
                let keys = engine.inventory().keys(kind).into_iter();
                put_all(&mut queue, engine, keys.map(|key| (kind, key)), now);
            }
        }
        let objects = changed.iter().filter_map(|changed| match changed {
            Changed::Object(kind, key) => Some((*kind, key.clone())),
            _ => None,
        });
        put_all(&mut queue, engine, objects, now);
        let is_listed = |kind| engine.inventory().coverage(kind).is_settled();
        if KindId::all().all(is_listed) {
            queue.complete();
        }
        drop(queue);
        self.0.changed.notify_one();
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn put_all(
    queue: &mut Queue,
    engine: &Engine,
    sources: impl Iterator<Item = (KindId, ObjectKey)>,
    now: Instant,
) {
    for source in sources.filter(|(kind, _)| queue.reads(*kind)).collect::<Vec<_>>() {
        let inventory = engine.inventory();
        if inventory.contains(source.0, &source.1) {
            let artifact = inventory.artifact(source.0, &source.1).cloned();
            queue.put(&source, artifact, now);
        } else {
            queue.forget(&source);
        }
    }
}

/// Fetches what is wished for.
pub struct Shell {
    wishes: Wishes,
    send: mpsc::Sender<Observation>,
    timing: Timing,
    limits: Limits,
    trust: Arc<Trust>,
    running: JoinSet<(Job, Result<Tree, Failure>)>,
    /// When the next fetch may begin.
    next: Instant,
}

impl Shell {
    /// A shell that tells what it finds.
    #[must_use]
    pub fn new(wishes: Wishes, send: mpsc::Sender<Observation>) -> Self {
        Self {
            wishes,
            send,
            timing: Timing::default(),
            limits: Limits::default(),
            trust: Arc::default(),
            running: JoinSet::new(),
            next: Instant::now(),
        }
    }

    /// The same with other bounds.
    #[must_use]
    pub const fn bounded(mut self, timing: Timing, limits: Limits) -> Self {
        (self.timing, self.limits) = (timing, limits);
        self
    }

    /// The same with authorities of one's own.
    #[must_use]
    pub fn trusting(mut self, trust: Trust) -> Self {
        self.trust = Arc::new(trust);
        self
    }

    /// Runs until it is stopped, or nobody listens any more.
    pub async fn run(mut self, stop: CancellationToken) {
        stop.run_until_cancelled(self.fetch_all()).await;
    }

    async fn fetch_all(&mut self) {
        loop {
            let due = self.begin();
            if !self.tell().await {
                return;
            }
            let wishes = self.wishes.clone();
            tokio::select! {
                () = wishes.0.changed.notified() => {}
                () = sleep_until(due) => {}
                Some(Ok((job, outcome))) = self.running.join_next() => {
                    self.wishes.queue().finish(&job, outcome, Instant::now());
                }
            }
        }
    }

    /// Begins the next fetch when there may be one; tells when to look again.
    fn begin(&mut self) -> Instant {
        let now = Instant::now();
        let mut queue = self.wishes.queue();
        let due = queue.due().unwrap_or(now + IDLE);
        if self.running.len() >= AT_ONCE {
            return due;
        }
        if now < self.next {
            return due.min(self.next);
        }
        let Some(job) = queue.next(now) else {
            return queue.due().unwrap_or(now + IDLE);
        };
        drop(queue);
        self.next = now + PACE;
        let bounds = Bounds {
            bytes: job.most_bytes,
            timing: self.timing,
            limits: self.limits,
        };
        let trust = self.trust.clone();
        self.running.spawn(async move {
            let fetched = fetch::fetch(&job.target, job.artifact.digest.as_str(), bounds, &trust);
            let outcome = AssertUnwindSafe(fetched).catch_unwind().await;
            (job, outcome.unwrap_or(Err(Failure::Internal)))
        });
        self.next
    }

    /// Tells what was found; false: nobody listens.
    async fn tell(&self) -> bool {
        let now = Instant::now();
        let news = self.wishes.queue().news(now);
        for delta in news {
            let observation = Observation { delta, seen: now };
            if self.send.send(observation).await.is_err() {
                return false;
            }
        }
        true
    }
}
