//! One kind: find its version, list, watch, and start again when that ends.

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
use super::custom::{self, Joining};
use super::discovery::{Discovery, DiscoveryError, Served};
use super::slim::Slim;
use super::trouble::{Trouble, is_refusal};
use super::watched::{Audience, Watched};
use super::{Observation, sentence};
use crate::engine::posture::bounded;
use crate::inventory::{Coverage, Delta, ObjectKey};

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
    /// The custom controls that the watch of a kind of the catalogue serves as well.
    pub(super) joining: Option<Joining>,
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
    /// Custom controls ask something else of its objects: they are listed again.
    Asked,
    /// It fails, and what is known cannot be trusted any more.
    Blind(Coverage),
    /// Nobody listens any more.
    Closed,
}

impl KindWatch {
    /// Watches until nobody listens any more.
    pub(super) async fn run(mut self) {
        let mut trouble = Trouble::none(Instant::now());
        let mut next_look = ABSENT_POLL;
        let mut is_absent = false;
        loop {
            let mut changes = self.crd_changes.subscribe();
            let served = self.resolve().await;
            if let (Ok(served), Some(joining)) = (&served, &mut self.joining) {
                joining.settle(&self.client, served).await;
            }
            let ended = match served {
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
                // Neither that nor a look whether it is still absent is a restart.
                Ended::Asked => continue,
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
            for what in self.told() {
                if !self.tell(what.covered(coverage.clone())).await {
                    return;
                }
            }
            if is_answered {
                next_look = self.wait_for_definition(&mut changes, next_look).await;
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

    /// Whoever is told of the objects.
    fn told(&self) -> Vec<Watched> {
        let joined = self.joining.iter().flat_map(Joining::joined);
        let joined = joined.cloned().map(Watched::Custom);
        std::iter::once(self.what.clone()).chain(joined).collect()
    }

    async fn watch(&mut self, resource: &ApiResource, trouble: &mut Trouble) -> Ended {
        let told = self.told();
        for what in &told[1..] {
            if let Some(delta) = what.served(resource) {
                self.tell(delta).await;
            }
        }
        // Expressions may read anything.
        if self.what.is_metadata_only() && told.len() == 1 {
            let api: Api<Slim<true>> = Api::all_with(self.client.clone(), resource);
            return self.stream(api, resource, told, trouble).await;
        }
        let api: Api<Slim<false>> = Api::all_with(self.client.clone(), resource);
        self.stream(api, resource, told, trouble).await
    }

    async fn stream<const METADATA_ONLY: bool>(
        &mut self,
        api: Api<Slim<METADATA_ONLY>>,
        resource: &ApiResource,
        told: Vec<Watched>,
        trouble: &mut Trouble,
    ) -> Ended {
        let pages = told.iter().map(Watched::page_size);
        let config = watcher::Config::default()
            .page_size(pages.fold(u32::MAX, u32::min))
            .timeout(WATCH_SECONDS);
        let mut permit = self.lists.clone().acquire_owned().await.ok();
        let mut events = pin!(watcher(api, config));
        let mut audiences: Vec<Audience> = told.into_iter().map(Audience::new).collect();
        loop {
            let event = tokio::select! {
                event = events.try_next() => event,
                () = custom::asks_otherwise(self.joining.as_mut()) => {
                    if self.is_asked_otherwise(resource, !METADATA_ONLY, &mut audiences).await {
                        return Ended::Asked;
                    }
                    continue;
                }
            };
            match event {
                Ok(Some(event)) => {
                    // The start of a list says nothing yet about how it ends.
                    if !matches!(event, Event::Init | Event::InitApply(_)) && trouble.over() {
                        self.contact.restored();
                    }
                    trouble.synced |= matches!(event, Event::InitDone);
                    if !self.take(event, &mut audiences, &mut permit).await {
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

    /// Whether the objects have to be listed again, because something is asked that was not. Whoever asks no more is told
    /// no more.
    async fn is_asked_otherwise(
        &mut self,
        resource: &ApiResource,
        is_whole: bool,
        audiences: &mut Vec<Audience>,
    ) -> bool {
        let Some(joining) = &mut self.joining else {
            return false;
        };
        joining.settle(&self.client, &Served::As(resource.clone())).await;
        let joined = joining.joined();
        audiences.retain(|audience| match &audience.what {
            Watched::Kind(_) => true,
            Watched::Custom(demand) => joined.iter().any(|known| Arc::ptr_eq(known, demand)),
        });
        // Whole objects came for those who asked only.
        let is_alone_again = audiences.len() == 1 && is_whole && self.what.is_metadata_only();
        audiences.len() <= joined.len() || is_alone_again
    }

    async fn take<const METADATA_ONLY: bool>(
        &self,
        event: Event<Slim<METADATA_ONLY>>,
        audiences: &mut [Audience],
        permit: &mut Option<OwnedSemaphorePermit>,
    ) -> bool {
        if !matches!(event, Event::Init | Event::InitApply(_)) {
            self.announce_crds();
        }
        match event {
            Event::Init => {
                audiences.iter_mut().for_each(Audience::begin);
                true
            }
            Event::InitApply(object) => {
                let Some(key) = key_of(&object) else { return true };
                let told = audiences.iter_mut().filter_map(|it| it.list(&key, &object));
                self.tell_all(told).await
            }
            Event::InitDone => {
                permit.take();
                self.tell_all(audiences.iter_mut().flat_map(Audience::end)).await
            }
            Event::Apply(object) => {
                let Some(key) = key_of(&object) else { return true };
                let told = audiences.iter_mut().filter_map(|it| it.apply(&key, &object));
                self.tell_all(told).await
            }
            Event::Delete(object) => {
                let Some(key) = key_of(&object) else { return true };
                let told = audiences.iter_mut().filter_map(|it| it.delete(&key));
                self.tell_all(told).await
            }
        }
    }

    /// Waits until an absent kind is worth another look; tells how long to wait for the one after that. The kind's
    /// CustomResourceDefinition announces it, but it is served a moment later, or on a busy server some seconds.
    async fn wait_for_definition(
        &mut self,
        changes: &mut signal::Receiver<u64>,
        next_look: Duration,
    ) -> Duration {
        let news = tokio::select! {
            news = tokio::time::timeout(next_look, changes.changed()) => news,
            // Whoever asks now wants to know as well.
            () = custom::asks_otherwise(self.joining.as_mut()) => return next_look,
        };
        match news {
            Ok(_) => {
                tokio::time::sleep(FIRST_LOOK).await;
                FIRST_LOOK
            }
            Err(_) => (next_look * 2).min(ABSENT_POLL),
        }
    }

    fn announce_crds(&self) {
        if self.what.defines_kinds() {
            self.crd_changes.send_modify(|changes| *changes += 1);
        }
    }

    /// False: nobody listens any more.
    async fn tell_all(&self, deltas: impl Iterator<Item = Delta>) -> bool {
        for delta in deltas {
            if !self.tell(delta).await {
                return false;
            }
        }
        true
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

/// `None`: it has no name, and is no object.
fn key_of(object: &impl Resource) -> Option<ObjectKey> {
    let meta = object.meta();
    let namespace = meta.namespace.as_deref().unwrap_or_default();
    let name = meta.name.as_deref().filter(|name| !name.is_empty())?;
    Some(ObjectKey::new(namespace, name))
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
