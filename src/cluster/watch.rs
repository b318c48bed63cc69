//! One kind: find its version, list, watch, and start again when that ends.

use std::collections::HashSet;
use std::fmt::Debug;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use kube::core::{ApiResource, DynamicObject, PartialObjectMeta};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Resource};
use prometheus::IntCounter;
use serde::de::DeserializeOwned;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch as signal};

use super::Observation;
use super::discovery::{Served, resolve};
use super::slim::{Observed, Slim};
use crate::inventory::{Coverage, Delta, ObjectKey};
use crate::kinds::{Entry, KindId, Meta, id_of};

/// Errors in a row after which a watch counts as failing and is built anew.
const PATIENCE: u32 = 3;
/// A connection that is silent for longer is dead: kube asks the server to end each watch before that.
const WATCH_SECONDS: u32 = 180;
/// First and last pause between attempts.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// How often an absent kind is looked for when no event of a CustomResourceDefinition says so.
const ABSENT_POLL: Duration = Duration::from_secs(60);

/// The watch of one kind.
pub(super) struct KindWatch {
    pub(super) kind: KindId,
    pub(super) client: Client,
    pub(super) send: mpsc::Sender<Observation>,
    /// Grows with every change of a CustomResourceDefinition.
    pub(super) crd_changes: Arc<signal::Sender<u64>>,
    pub(super) lists: Arc<Semaphore>,
    pub(super) restarts: IntCounter,
}

/// Why a watch ended.
enum Ended {
    /// The kind is not served any more.
    NotFound,
    /// It fails; try again later.
    Failed(String),
    /// Nobody listens any more.
    Closed,
}

impl KindWatch {
    /// Watches until nobody listens any more.
    pub(super) async fn run(self) {
        let mut pause = PAUSE.0;
        loop {
            let mut changes = self.crd_changes.subscribe();
            let coverage = match resolve(&self.client, &self.entry().descriptor).await {
                Ok(Served::As(resource)) => match self.watch(&resource, &mut pause).await {
                    Ended::Closed => return,
                    Ended::NotFound if self.entry().descriptor.custom => Coverage::Absent,
                    Ended::NotFound => Coverage::Failing {
                        error: "not found".to_owned(),
                    },
                    Ended::Failed(error) => Coverage::Failing { error },
                },
                Ok(Served::Absent) => Coverage::Absent,
                Ok(Served::OnlyAs(versions)) => Coverage::NotServed { versions },
                Err(error) => Coverage::Failing {
                    error: sentence(&error),
                },
            };
            let failing = matches!(coverage, Coverage::Failing { .. });
            if !self.tell(Delta::Coverage(self.kind, coverage)).await {
                return;
            }
            self.restarts.inc();
            if failing {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSE.1);
                continue;
            }
            // The CustomResourceDefinition of an absent kind announces it, twice: when it is made and when it is
            // established. The kind may be served a moment later.
            let _ = tokio::time::timeout(ABSENT_POLL, changes.changed()).await;
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    fn entry(&self) -> &'static Entry {
        self.kind.entry()
    }

    async fn watch(&self, resource: &ApiResource, pause: &mut Duration) -> Ended {
        if self.entry().descriptor.metadata_only {
            let api: Api<PartialObjectMeta<DynamicObject>> = Api::all_with(self.client.clone(), resource);
            return self.stream(api, pause).await;
        }
        let api: Api<Slim> = Api::all_with(self.client.clone(), resource);
        self.stream(api, pause).await
    }

    async fn stream<K>(&self, api: Api<K>, pause: &mut Duration) -> Ended
    where
        K: Resource + Observed + Clone + DeserializeOwned + Debug + Send + 'static,
    {
        let config = watcher::Config::default()
            .page_size(self.entry().descriptor.page_size)
            .timeout(WATCH_SECONDS);
        let mut permit = self.lists.clone().acquire_owned().await.ok();
        let mut events = pin!(watcher(api, config).default_backoff());
        let mut known = Known::default();
        let mut errors = 0;
        loop {
            match events.try_next().await {
                Ok(Some(event)) => {
                    errors = 0;
                    *pause = PAUSE.0;
                    if !self.take(event, &mut known, &mut permit).await {
                        return Ended::Closed;
                    }
                }
                Ok(None) => return Ended::Failed("the watch ended".to_owned()),
                Err(error) => {
                    permit = None;
                    errors += 1;
                    match self.judge(&error, errors).await {
                        Some(ended) => return ended,
                        None => self.restarts.inc(),
                    }
                }
            }
        }
    }

    /// What an error means: most are bridged by the stream itself, which lists again after a pause.
    async fn judge(&self, error: &watcher::Error, errors: u32) -> Option<Ended> {
        match status_code(error) {
            Some(404) => return Some(Ended::NotFound),
            Some(401 | 403) => {
                tracing::debug!(kind = self.kind.name(), "forbidden");
                let told = self.tell(Delta::Coverage(self.kind, Coverage::Forbidden)).await;
                return (!told).then_some(Ended::Closed);
            }
            _ => {}
        }
        tracing::debug!(kind = self.kind.name(), errors, error = %sentence(error), "watch failed");
        (errors >= PATIENCE).then(|| Ended::Failed(sentence(error)))
    }

    async fn take<K>(
        &self,
        event: Event<K>,
        known: &mut Known,
        permit: &mut Option<OwnedSemaphorePermit>,
    ) -> bool
    where
        K: Resource + Observed,
    {
        match event {
            Event::Init => {
                known.listed.clear();
                true
            }
            Event::InitApply(object) => {
                let Some((key, delta)) = self.project(&object) else {
                    return true;
                };
                if matches!(delta, Delta::Remove(..)) {
                    return true;
                }
                known.listed.insert(key);
                self.tell(delta).await
            }
            Event::InitDone => {
                permit.take();
                known.kept = std::mem::take(&mut known.listed);
                let live = known.kept.iter().cloned().collect();
                self.announce_crds();
                self.tell(Delta::Resync(self.kind, live)).await
                    && self.tell(Delta::Coverage(self.kind, Coverage::Synced)).await
            }
            Event::Apply(object) => {
                self.announce_crds();
                let Some((key, delta)) = self.project(&object) else {
                    return true;
                };
                match delta {
                    Delta::Remove(..) if !known.kept.remove(&key) => true,
                    Delta::Remove(..) => self.tell(delta).await,
                    _ => {
                        known.kept.insert(key);
                        self.tell(delta).await
                    }
                }
            }
            Event::Delete(object) => {
                self.announce_crds();
                let key = key_of(object.meta().namespace.as_deref(), object.meta().name.as_deref());
                if !known.kept.remove(&key) {
                    return true;
                }
                self.tell(Delta::Remove(self.kind, key)).await
            }
        }
    }

    /// Cuts the row out of an object; an object of no interest becomes a removal.
    fn project<K: Resource + Observed>(&self, object: &K) -> Option<(ObjectKey, Delta)> {
        let key = key_of(object.meta().namespace.as_deref(), object.meta().name.as_deref());
        let text = object.text();
        let row = Meta::parse(&text).and_then(|meta| self.entry().project(&meta, &text));
        let delta = match row {
            Ok(Some(row)) => Delta::Upsert(self.kind, key.clone(), row),
            Ok(None) => Delta::Remove(self.kind, key.clone()),
            Err(error) => Delta::Undecodable(self.kind, key.clone(), error.to_string()),
        };
        (!key.name.is_empty()).then_some((key, delta))
    }

    fn announce_crds(&self) {
        if self.kind == id_of::<crate::kinds::crd::CustomResourceDefinition>() {
            self.crd_changes.send_modify(|changes| *changes += 1);
        }
    }

    async fn tell(&self, delta: Delta) -> bool {
        self.send
            .send(Observation {
                delta,
                seen: tokio::time::Instant::now(),
            })
            .await
            .is_ok()
    }
}

/// The objects of a kind that are kept: removals of others need not be told.
#[derive(Default)]
struct Known {
    kept: HashSet<ObjectKey>,
    listed: HashSet<ObjectKey>,
}

fn key_of(namespace: Option<&str>, name: Option<&str>) -> ObjectKey {
    ObjectKey::new(namespace.unwrap_or_default(), name.unwrap_or_default())
}

fn status_code(error: &watcher::Error) -> Option<u16> {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => match error {
            kube::Error::Api(status) => Some(status.code),
            _ => None,
        },
        watcher::Error::WatchError(status) => Some(status.code),
        watcher::Error::NoResourceVersion => None,
    }
}

/// An error with its causes, without object content, in one bounded line.
pub(crate) fn sentence(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    crate::engine::posture::bounded(&text)
}
