//! One kind: find its version, list, watch, and start again when that ends.

use std::collections::HashSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use kube::core::ApiResource;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Resource};
use prometheus::IntCounter;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch as signal};
use tokio::time::Instant;

use super::contact::Contact;
use super::custom;
use super::discovery::{Discovery, DiscoveryError, Served};
use super::slim::Slim;
use super::trouble::{Trouble, is_refusal};
use super::watched::{Told, Watched};
use super::{Observation, sentence};
use crate::engine::posture::bounded;
use crate::inventory::{Coverage, Delta, ObjectKey};
use crate::kinds::{Author, Meta};

/// A connection that is silent for longer is dead: kube asks the server to end each watch before that.
const WATCH_SECONDS: u32 = 180;
/// How often an absent kind is looked for when no event of a CustomResourceDefinition says so.
const ABSENT_POLL: Duration = Duration::from_mins(1);
/// First pause after such an event; the next ones double.
const FIRST_LOOK: Duration = Duration::from_millis(250);

/// The watch of one kind.
#[derive(Clone)]
pub(super) struct KindWatch {
    pub(super) what: Watched,
    pub(super) client: Client,
    pub(super) discovery: Arc<Discovery>,
    pub(super) send: mpsc::Sender<Observation>,
    /// Grows with every change of a CustomResourceDefinition.
    pub(super) crd_changes: Arc<signal::Sender<u64>>,
    pub(super) lists: Arc<Semaphore>,
    pub(super) contact: Contact,
    pub(super) restarts: IntCounter,
}

/// Why a watch ended.
enum Ended {
    /// The kind is not served.
    Absent,
    /// It has to be found and listed again: the version to go on from is forgotten.
    Again,
    /// It fails, and what is known cannot be trusted any more.
    Blind(Coverage),
    /// Nobody listens any more.
    Closed,
}

impl KindWatch {
    /// Watches until nobody listens any more.
    pub(super) async fn run(self) {
        let mut trouble = Trouble::none(Instant::now());
        let mut next_look = ABSENT_POLL;
        let mut is_absent = false;
        loop {
            let mut changes = self.crd_changes.subscribe();
            let ended = match self.resolve().await {
                Ok(Served::As(resource)) => {
                    // What was known to be complete is no more.
                    trouble.synced &= !std::mem::take(&mut is_absent);
                    self.watch(&resource, &mut trouble).await
                }
                Ok(Served::Absent) => {
                    trouble.over();
                    Ended::Absent
                }
                Ok(Served::OnlyAs(versions)) => Ended::Blind(Coverage::NotServed { versions }),
                Err(error) => {
                    let ended = self.judge(&error, error.code(), &mut trouble).await;
                    ended.unwrap_or(Ended::Again)
                }
            };
            let coverage = match ended {
                Ended::Closed => return,
                // To look whether it is still absent is no restart.
                Ended::Absent => Coverage::Absent,
                Ended::Again => {
                    self.restarts.inc();
                    continue;
                }
                Ended::Blind(coverage) => {
                    self.restarts.inc();
                    coverage
                }
            };
            // That there are no such objects is trusted as long as a list of them.
            is_absent = coverage == Coverage::Absent;
            trouble.synced = is_absent;
            let is_answered = matches!(coverage, Coverage::Absent | Coverage::NotServed { .. });
            if !self.tell(self.what.covered(coverage)).await {
                return;
            }
            if is_answered {
                next_look = wait_for_definition(&mut changes, next_look).await;
            } else {
                self.rest(&mut trouble).await;
            }
        }
    }

    /// Finds the version that is watched.
    async fn resolve(&self) -> Result<Served, DiscoveryError> {
        let demand = match &self.what {
            Watched::Kind(kind) => return self.discovery.resolve(*kind).await,
            Watched::Custom(demand) => demand,
        };
        let served = custom::resolve(&self.client, &demand.target).await?;
        if let Served::As(resource) = &served
            && let Some(delta) = self.what.served(resource)
        {
            // Whoever does not listen any more is noticed by what follows.
            self.tell(delta).await;
        }
        Ok(served)
    }

    async fn watch(&self, resource: &ApiResource, trouble: &mut Trouble) -> Ended {
        if self.what.is_metadata_only() {
            let api: Api<Slim<true>> = Api::all_with(self.client.clone(), resource);
            return self.stream(api, trouble).await;
        }
        let api: Api<Slim<false>> = Api::all_with(self.client.clone(), resource);
        self.stream(api, trouble).await
    }

    async fn stream<const METADATA_ONLY: bool>(
        &self,
        api: Api<Slim<METADATA_ONLY>>,
        trouble: &mut Trouble,
    ) -> Ended {
        let config = watcher::Config::default()
            .page_size(self.what.page_size())
            .timeout(WATCH_SECONDS);
        let mut permit = self.lists.clone().acquire_owned().await.ok();
        let mut events = pin!(watcher(api, config));
        let mut known = Known::default();
        loop {
            match events.try_next().await {
                Ok(Some(event)) => {
                    // The start of a list says nothing yet about how it ends.
                    if !matches!(event, Event::Init | Event::InitApply(_)) && trouble.over() {
                        self.contact.restored();
                    }
                    trouble.synced |= matches!(event, Event::InitDone);
                    if !self.take(event, &mut known, &mut permit).await {
                        return Ended::Closed;
                    }
                }
                Ok(None) => return Ended::Again,
                Err(error) => {
                    permit = None;
                    if let Some(ended) = self.judge(&error, status_code(&error), trouble).await {
                        return ended;
                    }
                    self.restarts.inc();
                }
            }
        }
    }

    /// What a failure means, after a pause. Most are bridged by the stream itself, which goes on from where it was or
    /// lists again: then there is nothing to tell.
    async fn judge(
        &self,
        error: &(dyn std::error::Error + Sync),
        code: Option<u16>,
        trouble: &mut Trouble,
    ) -> Option<Ended> {
        let error = bounded(&sentence(error));
        tracing::debug!(kind = self.what.name(), %error, "watch failed");
        let distrusted = trouble.failed(code, Instant::now());
        if distrusted && is_refusal(code) {
            return Some(Ended::Blind(Coverage::Forbidden));
        }
        if distrusted {
            return Some(Ended::Blind(Coverage::Failing { error }));
        }
        self.rest(trouble).await;
        // One version that is not found says nothing of the others: discovery tells whether the kind is gone.
        matches!(code, Some(404 | 410)).then_some(Ended::Again)
    }

    /// Pauses before the next attempt, at most until another watch finds the server back.
    async fn rest(&self, trouble: &mut Trouble) {
        let pause = trouble.next_pause(Instant::now());
        if trouble.waits_for_contact() {
            let _ = tokio::time::timeout(pause, self.contact.is_restored()).await;
        } else {
            tokio::time::sleep(pause).await;
        }
        trouble.tries_again(Instant::now());
    }

    async fn take<const METADATA_ONLY: bool>(
        &self,
        event: Event<Slim<METADATA_ONLY>>,
        known: &mut Known,
        permit: &mut Option<OwnedSemaphorePermit>,
    ) -> bool {
        match event {
            Event::Init => {
                known.listed.clear();
                true
            }
            Event::InitApply(object) => {
                let Some((key, Told::Kept(delta))) = self.project(&object, Author::of_object) else {
                    return true;
                };
                known.listed.insert(key);
                self.tell(delta).await
            }
            Event::InitDone => {
                permit.take();
                known.kept = std::mem::take(&mut known.listed);
                let live = known.kept.iter().cloned().collect();
                self.announce_crds();
                self.tell(self.what.listed(live)).await
                    && self.tell(self.what.covered(Coverage::Synced)).await
            }
            Event::Apply(object) => {
                self.announce_crds();
                let Some((key, told)) = self.project(&object, Author::of_change) else {
                    return true;
                };
                match told {
                    Told::Gone if !known.kept.remove(&key) => true,
                    Told::Gone => self.tell(self.what.removed(key)).await,
                    Told::Kept(delta) => {
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
                self.tell(self.what.removed(key)).await
            }
        }
    }

    /// What there is to tell of an object.
    fn project<const METADATA_ONLY: bool>(
        &self,
        object: &Slim<METADATA_ONLY>,
        author: fn(&Meta) -> Option<Author>,
    ) -> Option<(ObjectKey, Told)> {
        let key = key_of(object.meta().namespace.as_deref(), object.meta().name.as_deref());
        let told = self.what.project(&key, object.read(), author);
        (!key.name.is_empty()).then_some((key, told))
    }

    fn announce_crds(&self) {
        if self.what.defines_kinds() {
            self.crd_changes.send_modify(|changes| *changes += 1);
        }
    }

    async fn tell(&self, delta: Delta) -> bool {
        self.send
            .send(Observation {
                delta,
                seen: Instant::now(),
            })
            .await
            .is_ok()
    }
}

/// Waits until an absent kind is worth another look; tells how long to wait for the one after that. The kind's
/// CustomResourceDefinition announces it, but it is served a moment later, or on a busy server some seconds.
async fn wait_for_definition(changes: &mut signal::Receiver<u64>, next_look: Duration) -> Duration {
    match tokio::time::timeout(next_look, changes.changed()).await {
        Ok(_) => {
            tokio::time::sleep(FIRST_LOOK).await;
            FIRST_LOOK
        }
        Err(_) => (next_look * 2).min(ABSENT_POLL),
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

/// What the API server answered, when it answered.
fn status_code(error: &watcher::Error) -> Option<u16> {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => code_of(error),
        watcher::Error::WatchError(status) => Some(status.code),
        watcher::Error::NoResourceVersion => None,
    }
}

pub(super) fn code_of(error: &kube::Error) -> Option<u16> {
    match error {
        kube::Error::Api(status) => Some(status.code),
        _ => None,
    }
}
