//! Writes what changed, and only that: Events, the report, the namespace reports, the statuses of policies and waivers.
//!
//! Events are created before the report, under names that follow from the published report: after a crash in between
//! the same names are made again and meet what is there. Once the report is written, the change is told.

mod counters;
mod freshness;
pub mod lease;
mod live;
mod notifier;
mod objects;
mod openreports;
mod outputs;
mod slot;
mod waivers;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use k8s_openapi::jiff::Timestamp;
use kube::{Api, Client};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::api::report::NamespaceReportStatus;
use crate::api::{FluxSecurityPolicyStatus, FluxSecurityReport, ReportStatus};
use crate::cluster::{Contact, sentence};
use crate::engine::posture::Sight;
use crate::engine::{PolicyPosture, Posture};
use crate::failpoint::failpoint;
use crate::render::{events, report};
pub use counters::Counters;
use counters::Delivery;
pub use freshness::Freshness;
use lease::Leadership;
use live::Live;
pub use notifier::{Courier, EventsAddress, Notifier};
use objects::{Objects, PublishError, Report, Seen};
use openreports::OpenReports;
use outputs::{Events, Told};
use slot::Slot;
use waivers::Waivers;

/// How long the first audit waits for the slowest kind; what is missing then is Unknown.
const PATIENCE: Duration = Duration::from_secs(30);
/// Writes that are under way at the same time: of namespace reports, and of Events.
const AT_ONCE: usize = 8;
/// How long the watches may take to catch up after the API server was away. Until then the gaps are ours, and no news.
const CATCH_UP: Duration = Duration::from_secs(20);
/// When to look again although nothing is known to be due.
const IDLE: Duration = Duration::from_hours(1);

/// Publishes postures.
pub struct Publisher {
    writer: Writer,
    freshness: Freshness,
    policies: BTreeMap<String, Published>,
    waivers: Waivers,
    contact: Contact,
    /// Since when there are gaps in what is seen.
    partial_since: Option<Instant>,
    leadership: watch::Receiver<Leadership>,
}

/// What every write needs.
struct Writer {
    objects: Objects,
    counters: Counters,
}

/// What is published for one policy, as far as this process knows.
struct Published {
    uid: String,
    /// Whether it is known yet what an earlier process published.
    loaded: bool,
    cluster: OfCluster,
    namespaces: OfNamespaces,
    open_reports: OpenReports,
    /// Whether all outputs were tried since it is loaded.
    is_tried: bool,
    policy: Option<FluxSecurityPolicyStatus>,
    /// The policy's own status.
    status: Slot,
}

/// The report of the cluster.
#[derive(Default)]
struct OfCluster {
    report: Option<ReportStatus>,
    slot: Slot,
    /// Those that tell of it.
    events: Events,
    /// When the oldest change was seen that is not published yet.
    waiting: Option<Instant>,
}

/// The reports of the namespaces.
#[derive(Default)]
struct OfNamespaces {
    reports: BTreeMap<String, NamespaceReportStatus>,
    slots: BTreeMap<String, Slot>,
}

impl Published {
    fn of(policy: &PolicyPosture) -> Self {
        Self {
            uid: policy.policy.uid.clone(),
            loaded: false,
            cluster: OfCluster::default(),
            namespaces: OfNamespaces::default(),
            open_reports: OpenReports::default(),
            is_tried: false,
            policy: None,
            status: Slot::default(),
        }
    }
}

/// How far a policy's objects are published.
#[derive(Clone, Copy)]
struct Progress {
    /// Whether everything is written.
    complete: bool,
    /// When to go on at the latest.
    next: Instant,
}

impl Progress {
    fn of(now: Instant) -> Self {
        Self {
            complete: true,
            next: now + IDLE,
        }
    }

    /// As far as both.
    fn and(self, other: Self) -> Self {
        Self {
            complete: self.complete && other.complete,
            next: self.next.min(other.next),
        }
    }

    /// Something is left to do.
    fn go_on(&mut self, later: Option<Instant>) {
        let Some(later) = later else { return };
        self.complete = false;
        self.next = self.next.min(later);
    }
}

/// What is to be done about a namespace report.
enum Task {
    /// It is written as it should be; others may have changed it.
    Keep(NamespaceReportStatus),
    Write(NamespaceReportStatus),
    /// Its namespace has no findings any more.
    Remove,
}

/// How far it came.
struct Ended {
    namespace: String,
    slot: Slot,
    /// When to go on, if there is more to do.
    later: Option<Instant>,
    /// What was done.
    task: Option<Task>,
}

impl Publisher {
    /// A publisher that has published nothing.
    #[must_use]
    pub fn new(
        client: Client,
        counters: Counters,
        freshness: Freshness,
        contact: Contact,
        leadership: watch::Receiver<Leadership>,
    ) -> Self {
        let objects = Objects::new(client, leadership.clone());
        Self {
            writer: Writer { objects, counters },
            freshness,
            policies: BTreeMap::new(),
            waivers: Waivers::default(),
            contact,
            partial_since: None,
            leadership,
        }
    }

    /// Hands what becomes an Event on, too.
    #[must_use]
    pub fn notifying(mut self, notifier: Option<Notifier>) -> Self {
        self.writer.objects.notify(notifier);
        self
    }

    /// Publishes until the token is cancelled; a write in flight is finished.
    pub async fn run(mut self, mut postures: watch::Receiver<Arc<Posture>>, stop: CancellationToken) {
        let started = Instant::now();
        loop {
            let posture = postures.borrow_and_update().clone();
            let seen = self.freshness.take();
            for known in self.policies.values_mut() {
                known.cluster.waiting = known.cluster.waiting.or(seen);
            }
            let listed = posture.settled || started.elapsed() >= PATIENCE;
            let leads = self.leadership.borrow_and_update().is_leader(Instant::now());
            let due = if !leads {
                // What another replica publishes meanwhile is read again when this one leads.
                self.policies.clear();
                self.waivers = Waivers::default();
                self.writer.counters.stand_by();
                Instant::now() + IDLE
            } else if posture.policies_known && listed && self.is_caught_up(&posture) {
                self.publish(&posture).await
            } else {
                Instant::now() + slot::PACE
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep_until(due) => {}
                changed = postures.changed() => if changed.is_err() { return },
                () = turned(&mut self.leadership, leads) => {}
            }
        }
    }

    /// Whether gaps in the posture are those of the cluster, and not of an API server that is away or just came back. One
    /// that fails now and then comes back all the time: that holds no news up for longer than a single return.
    fn is_caught_up(&mut self, posture: &Posture) -> bool {
        if posture.sight != Sight::Partial {
            self.partial_since = None;
            return posture.sight == Sight::Whole;
        }
        let since = *self.partial_since.get_or_insert_with(Instant::now);
        since.min(self.contact.last_restored()).elapsed() >= CATCH_UP
    }

    /// Publishes what can be published now; tells when to come back at the latest.
    async fn publish(&mut self, posture: &Posture) -> Instant {
        self.forget(posture);
        let Self {
            writer,
            policies,
            waivers,
            ..
        } = self;
        let of_policies = async {
            let mut next = Instant::now() + IDLE;
            for policy in posture.policies.values() {
                let known = policies
                    .entry(policy.name.clone())
                    .or_insert_with(|| Published::of(policy));
                if known.uid != policy.policy.uid {
                    *known = Published::of(policy);
                }
                let progress = writer.publish(policy, known, posture).await;
                next = next.min(progress.next);
            }
            next
        };
        let (of_policies, of_waivers) = tokio::join!(of_policies, waivers.publish(writer, posture));
        of_policies.min(of_waivers)
    }

    /// Owner references remove the reports of a deleted policy; its series go here.
    fn forget(&mut self, posture: &Posture) {
        let gone: Vec<String> = self
            .policies
            .keys()
            .filter(|name| !posture.policies.contains_key(*name))
            .cloned()
            .collect();
        for name in gone {
            self.policies.remove(&name);
            self.writer.counters.forget(&name);
        }
    }
}

impl Writer {
    /// Publishes one policy. What cannot be written is tried again later and holds nothing else up.
    async fn publish(&self, policy: &PolicyPosture, known: &mut Published, posture: &Posture) -> Progress {
        let mut progress = Progress::of(Instant::now());
        if !known.loaded {
            let mut slot = std::mem::take(&mut known.status);
            let load = async |slot: &mut Slot| self.load(policy, known, posture, slot).await;
            progress.go_on(self.attend(&mut slot, policy, "", load).await);
            known.status = slot;
        }
        if !known.loaded {
            return progress;
        }
        if report::is_audited(policy) {
            // A tenant's report does not wait for that of the cluster, which is larger and has its Events before it.
            let (of_cluster, of_namespaces) = tokio::join!(
                self.publish_report(policy, &mut known.cluster, posture),
                self.publish_namespaces(policy, &mut known.namespaces, posture),
            );
            progress = progress.and(of_cluster).and(of_namespaces);
            if progress.complete {
                self.counters.succeeded(&policy.name);
            }
        } else {
            self.counters.rests(&policy.name);
        }
        self.publish_status(policy, known, &mut progress).await;
        let held = known.cluster.slot.held.as_ref();
        if let (Some(report), Some(held)) = (&known.cluster.report, held) {
            let (reports, version) = (&mut known.open_reports, &held.version);
            let later = self.publish_open_reports(policy, reports, report, version).await;
            // An audit is complete without them.
            progress.next = later.map_or(progress.next, |later| later.min(progress.next));
        }
        let later = self.rehearse(policy, &mut known.cluster.events).await;
        progress.next = later.map_or(progress.next, |later| later.min(progress.next));
        // What could not be delivered is known by now.
        known.is_tried = true;
        self.publish_status(policy, known, &mut progress).await;
        progress
    }

    /// Works on one object, unless it is to be left alone for now. Tells when to go on, if there is more to do.
    async fn attend(
        &self,
        slot: &mut Slot,
        policy: &PolicyPosture,
        namespace: &str,
        work: impl AsyncFnOnce(&mut Slot) -> Result<Option<Instant>, PublishError>,
    ) -> Option<Instant> {
        let complain = |problem: &str, pause: Duration| {
            tracing::warn!(
                policy = policy.name,
                namespace,
                "not published: {problem}; trying again in {pause:?}"
            );
        };
        self.try_on(slot, complain, work).await
    }

    /// The same of any object, whose name whoever complains knows.
    async fn try_on(
        &self,
        slot: &mut Slot,
        complain: impl Fn(&str, Duration),
        work: impl AsyncFnOnce(&mut Slot) -> Result<Option<Instant>, PublishError>,
    ) -> Option<Instant> {
        let until = slot.rests(Instant::now());
        if until.is_some() {
            return until;
        }
        let error = match work(slot).await {
            Ok(later) => {
                slot.succeeded();
                return later;
            }
            Err(error) => error,
        };
        let pause = slot.failed(error.is_refusal());
        let later = Some(Instant::now() + pause);
        if matches!(error, PublishError::NotLeading) {
            return later;
        }
        slot.hindered_by(&error);
        self.counters.failed();
        complain(&sentence(&error), pause);
        later
    }

    /// Reads what an earlier process published: a restart repeats nothing.
    async fn load(
        &self,
        policy: &PolicyPosture,
        known: &mut Published,
        posture: &Posture,
        status: &mut Slot,
    ) -> Result<Option<Instant>, PublishError> {
        known.policy = self.objects.policy(policy, status).await?;
        known.cluster.events = Events::left_by(policy, known.policy.as_ref());
        let report = self.objects.see(&self.objects.reports(), policy).await?;
        if let Some(seen) = report {
            known.cluster.report = seen.status;
            known.cluster.slot = Slot::holding(seen.held, seen.is_ours);
        }
        let namespaces = posture
            .published
            .keys()
            .filter(|(namespace, name)| !namespace.is_empty() && *name == policy.name);
        for (namespace, _) in namespaces {
            // Seen before a request failed.
            if known.namespaces.slots.contains_key(namespace) {
                continue;
            }
            let reports = self.objects.namespace_reports(namespace);
            let Some(seen) = self.objects.see(&reports, policy).await? else {
                continue;
            };
            // One without a status was cut off in the making; an empty one differs from any that we write.
            let OfNamespaces { reports, slots } = &mut known.namespaces;
            reports.insert(namespace.clone(), seen.status.unwrap_or_default());
            slots.insert(namespace.clone(), Slot::holding(seen.held, seen.is_ours));
        }
        known.loaded = true;
        Ok(None)
    }

    async fn publish_report(
        &self,
        policy: &PolicyPosture,
        known: &mut OfCluster,
        posture: &Posture,
    ) -> Progress {
        let mut progress = Progress::of(Instant::now());
        let reports = self.objects.reports();
        let next = report::report(policy, known.report.as_ref(), Timestamp::now());
        let changed = known.report.as_ref() != Some(&next);
        let watched = watched(posture, "", policy);
        if !changed {
            known.waiting = None;
        }
        if !changed && !known.slot.is_touched(watched) {
            known.slot.succeeded();
            return progress;
        }
        let mut slot = std::mem::take(&mut known.slot);
        let work = async |slot: &mut Slot| {
            if !changed {
                return self.restore(&reports, policy, slot, watched, &next).await;
            }
            failpoint("evaluated");
            let told = self.tell(policy, known.report.as_ref(), slot, &reports, &next);
            known.events.told(told.await?);
            failpoint("told");
            self.objects.fill(&reports, policy, slot, &next).await?;
            failpoint("reported");
            self.counters.written();
            self.counters.told(&policy.name, known.waiting.take());
            self.counters
                .transitions(&policy.name, known.report.as_ref(), &next);
            known.report = Some(next);
            Ok(None)
        };
        progress.go_on(self.attend(&mut slot, policy, "", work).await);
        known.slot = slot;
        progress
    }

    /// Tells of the change that the report is about to show.
    async fn tell(
        &self,
        policy: &PolicyPosture,
        previous: Option<&ReportStatus>,
        slot: &mut Slot,
        reports: &Api<Live<FluxSecurityReport>>,
        next: &ReportStatus,
    ) -> Result<Told, PublishError> {
        if !policy.policy.spec.outputs.events {
            return Ok(Told::Nothing);
        }
        let uid = self.objects.hold(reports, policy, slot).await?;
        let notices = events::transitions(&policy.name, &policy.policy.uid, previous, next, policy);
        self.objects
            .tell(&notices, &uid, &self.counters, slot.patience())
            .await
    }

    /// Writes the namespace reports that changed and removes those without findings.
    async fn publish_namespaces(
        &self,
        policy: &PolicyPosture,
        known: &mut OfNamespaces,
        posture: &Posture,
    ) -> Progress {
        let mut progress = Progress::of(Instant::now());
        let OfNamespaces { reports, slots } = known;
        let next = report::namespace_news(policy, reports, Timestamp::now());
        let gone = reports
            .keys()
            .filter(|namespace| !next.contains_key(namespace.as_str()));
        let mut tasks: Vec<(String, Task)> =
            gone.map(|namespace| (namespace.clone(), Task::Remove)).collect();
        for (namespace, status) in next {
            let task = match (status, reports.get(namespace)) {
                (Some(status), _) => Task::Write(status),
                (None, Some(known))
                    if is_touched(slots.get(namespace), watched(posture, namespace, policy)) =>
                {
                    Task::Keep(known.clone())
                }
                (None, _) => {
                    if let Some(slot) = slots.get_mut(namespace) {
                        slot.succeeded();
                    }
                    continue;
                }
            };
            tasks.push((namespace.to_owned(), task));
        }
        let mut begun: Vec<BoxFuture<'_, Ended>> = Vec::new();
        for (namespace, task) in tasks {
            let watched = watched(posture, &namespace, policy);
            let slot = slots.remove(&namespace).unwrap_or_default();
            begun.push(self.work_on(policy, namespace, slot, watched, task).boxed());
        }
        let mut ended = futures::stream::iter(begun).buffer_unordered(AT_ONCE);
        while let Some(Ended {
            namespace,
            slot,
            later,
            task,
        }) = ended.next().await
        {
            progress.go_on(later);
            match task {
                Some(Task::Write(status)) => reports.insert(namespace.clone(), status),
                Some(Task::Remove) => reports.remove(&namespace),
                Some(Task::Keep(_)) | None => None,
            };
            if reports.contains_key(&namespace) || slot.held.is_some() || later.is_some() {
                slots.insert(namespace, slot);
            }
        }
        progress
    }

    /// Does what is to be done about one namespace report, unless it is to be left alone for now.
    async fn work_on(
        &self,
        policy: &PolicyPosture,
        namespace: String,
        mut slot: Slot,
        watched: Option<&str>,
        task: Task,
    ) -> Ended {
        let reports = self.objects.namespace_reports(&namespace);
        let mut is_done = false;
        let work = async |slot: &mut Slot| {
            let later = match &task {
                Task::Keep(status) => self.restore(&reports, policy, slot, watched, status).await?,
                Task::Remove => {
                    self.objects.delete(&reports, policy, slot).await?;
                    None
                }
                Task::Write(status) => {
                    self.objects.fill(&reports, policy, slot, status).await?;
                    failpoint("namespace-reported");
                    self.counters.written();
                    None
                }
            };
            is_done = true;
            Ok(later)
        };
        let later = self.attend(&mut slot, policy, &namespace, work).await;
        Ended {
            namespace,
            slot,
            later,
            task: is_done.then_some(task),
        }
    }

    /// Writes again what somebody else changed or deleted; tells when, if that has to wait.
    async fn restore<K: Report>(
        &self,
        reports: &Api<K>,
        policy: &PolicyPosture,
        slot: &mut Slot,
        watched: Option<&str>,
        status: &K::Status,
    ) -> Result<Option<Instant>, PublishError> {
        if let Some(later) = slot.restorations.rests(Instant::now()) {
            return Ok(Some(later));
        }
        let seen = self.objects.see(reports, policy).await?;
        let is_intact = |seen: &Seen<K::Status>| seen.is_ours && seen.status.as_ref() == Some(status);
        let intact = seen.as_ref().is_some_and(is_intact);
        slot.held = seen.map(|seen| seen.held);
        slot.looked(watched, intact);
        if intact {
            return Ok(None);
        }
        self.objects.dress(reports, policy, slot).await?;
        self.objects.fill(reports, policy, slot, status).await?;
        slot.restored();
        self.counters.written();
        Ok(None)
    }

    async fn publish_status(&self, policy: &PolicyPosture, known: &mut Published, progress: &mut Progress) {
        let status = known.next_status(policy);
        if known.policy.as_ref() == Some(&status) {
            return;
        }
        let mut slot = std::mem::take(&mut known.status);
        let work = async |slot: &mut Slot| {
            let notice = events::policy_invalid(policy, known.policy.as_ref());
            let patience = slot.patience();
            self.objects
                .tell(notice.as_slice(), "", &self.counters, patience)
                .await?;
            self.objects.write_policy(policy, slot, &status).await?;
            self.counters.written();
            known.policy = Some(status);
            Ok(None)
        };
        progress.go_on(self.attend(&mut slot, policy, "", work).await);
        known.status = slot;
    }
}

/// Whether a report that is to stay as it is has to be looked at.
fn is_touched(slot: Option<&Slot>, watched: Option<&str>) -> bool {
    slot.is_none_or(|slot| slot.is_touched(watched))
}

/// The version of a report as the watch shows it.
fn watched<'a>(posture: &'a Posture, namespace: &str, policy: &PolicyPosture) -> Option<&'a str> {
    let key = (namespace.to_owned(), policy.name.clone());
    posture.published.get(&key).map(String::as_str)
}

/// Waits until this replica leads, or leads no more.
async fn turned(leadership: &mut watch::Receiver<Leadership>, leads: bool) {
    let ended = leadership
        .wait_for(|now| now.is_leader(Instant::now()) != leads)
        .await
        .is_err();
    if ended {
        // The elector has ended: whoever ended it ends the publisher too.
        std::future::pending::<()>().await;
    }
}
