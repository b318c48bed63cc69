//! The requests of the publisher: each bounded in time, each with our field manager.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt};
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::object::HasStatus;
use kube::core::{ApiResource, DynamicObject, GroupVersionKind, Request, Status};
use kube::{Api, Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

use super::lease::Leadership;
use super::live::{Live, Written};
use super::notifier::Notifier;
use super::outputs::Told;
use super::slot::{Held, Patience, Slot};
use super::{AT_ONCE, Counters, Delivery};
use crate::api::{
    FIELD_MANAGER, FluxSecurityNamespaceReport, FluxSecurityPolicy, FluxSecurityPolicyStatus,
    FluxSecurityReport, FluxSecurityWaiver, FluxSecurityWaiverStatus, GROUP, ResourceRef, VERSION,
};
use crate::cluster::sentence;
use crate::engine::PolicyPosture;
use crate::render::events::Notice;
use crate::render::openreports;

/// Labels of our reports.
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
const POLICY: &str = "fluxsecurity.dev/policy";
/// How long one request may take.
const REQUEST: Duration = Duration::from_secs(10);
/// Attempts of one request, and the pause between them: an API server that fails now and then is no reason to begin a
/// whole round again.
const ATTEMPTS: usize = 3;
const PAUSE: Duration = Duration::from_millis(500);

/// Why something was not written.
#[derive(Debug, thiserror::Error)]
pub(super) enum PublishError {
    /// Another replica may write by now.
    #[error("this replica no longer leads")]
    NotLeading,
    #[error("the API server did not answer within {REQUEST:?}")]
    Late,
    /// Twice in a row.
    #[error("somebody else keeps writing {0} at the same time")]
    Contested(String),
    #[error(transparent)]
    Request(#[from] kube::Error),
}

impl PublishError {
    fn status(&self) -> Option<&Status> {
        match self {
            Self::Request(kube::Error::Api(status)) => Some(status),
            _ => None,
        }
    }

    /// What the API server answered.
    pub(super) fn code(&self) -> Option<u16> {
        self.status().map(|status| status.code)
    }

    /// What it said, or what there is to say.
    pub(super) fn said(&self) -> String {
        let message = self.status().map(|status| status.message.trim());
        let message = message.filter(|message| !message.is_empty());
        message.map_or_else(|| sentence(self), str::to_owned)
    }

    /// Whether the API server understood and refused: permission, quota, admission, validation.
    pub(super) fn is_refusal(&self) -> bool {
        self.status()
            .is_some_and(|status| (400..500).contains(&status.code) && status.code != 429)
    }

    /// Whether another attempt soon may end better.
    fn is_momentary(&self) -> bool {
        matches!(self, Self::Request(_)) && !self.is_refusal()
    }

    pub(super) fn is_conflict(&self) -> bool {
        self.status().is_some_and(|status| status.code == 409)
    }

    fn is_not_found(&self) -> bool {
        self.status().is_some_and(|status| status.code == 404)
    }

    /// The object is not the one that we saw last: it was changed, deleted, or made again.
    fn is_overtaken(&self) -> bool {
        self.status()
            .is_some_and(|status| matches!(status.code, 404 | 409))
    }
}

/// An object, as far as it is written when its status is. Some are large: no tree is built of them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StatusOf<'a, S> {
    api_version: Cow<'a, str>,
    kind: Cow<'a, str>,
    metadata: Target<'a>,
    status: &'a S,
}

/// Which object, and in which version.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Target<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_version: Option<&'a str>,
}

/// Our reports: of the cluster, and of a namespace.
pub(super) trait Report:
    Resource<DynamicType = ()>
    + HasStatus<Status: Serialize + PartialEq + Clone>
    + Clone
    + DeserializeOwned
    + Debug
{
}

impl Report for Live<FluxSecurityReport> {}
impl Report for Live<FluxSecurityNamespaceReport> {}

/// OpenReports that are there, by namespace: the hash that they carry, as long as they are ours.
pub(super) type Hashes = BTreeMap<String, String>;

/// A report that is there.
pub(super) struct Seen<S> {
    pub(super) held: Held,
    pub(super) status: Option<S>,
    /// Whether it has the labels and the owner that we gave it.
    pub(super) is_ours: bool,
}

pub(super) struct Objects {
    client: Client,
    leadership: watch::Receiver<Leadership>,
    notifier: Option<Notifier>,
}

impl Objects {
    pub(super) const fn new(client: Client, leadership: watch::Receiver<Leadership>) -> Self {
        Self {
            client,
            leadership,
            notifier: None,
        }
    }

    pub(super) fn notify(&mut self, notifier: Option<Notifier>) {
        self.notifier = notifier;
    }

    /// The report of the cluster.
    pub(super) fn reports(&self) -> Api<Live<FluxSecurityReport>> {
        Api::all(self.client.clone())
    }

    /// The reports of a namespace.
    pub(super) fn namespace_reports(&self, namespace: &str) -> Api<Live<FluxSecurityNamespaceReport>> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// One write, attempted again when the API server fails.
    async fn write<T, R>(&self, request: impl Fn() -> R) -> Result<T, PublishError>
    where
        R: Future<Output = Result<T, kube::Error>>,
    {
        insistently(|| self.write_once(request())).await
    }

    /// Not begun without the lead, and given up when the lead ends.
    async fn write_once<T>(
        &self,
        request: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, PublishError> {
        let lead = *self.leadership.borrow();
        let leading = lead.until.filter(|_| lead.is_leader(Instant::now()));
        let until = leading.ok_or(PublishError::NotLeading)?;
        match tokio::time::timeout_at(until, bounded(request)).await {
            Ok(answer) => answer,
            Err(_) => Err(PublishError::NotLeading),
        }
    }

    /// The policy's status as it is published.
    pub(super) async fn policy(
        &self,
        policy: &PolicyPosture,
        slot: &mut Slot,
    ) -> Result<Option<FluxSecurityPolicyStatus>, PublishError> {
        let policies: Api<FluxSecurityPolicy> = Api::all(self.client.clone());
        let live = read(|| policies.get_opt(&policy.name)).await?;
        slot.held = live.as_ref().map(held);
        Ok(live.and_then(|policy| policy.status))
    }

    /// Looks at a report.
    pub(super) async fn see<K: Report>(
        &self,
        reports: &Api<K>,
        policy: &PolicyPosture,
    ) -> Result<Option<Seen<K::Status>>, PublishError> {
        let live = read(|| reports.get_opt(&policy.name)).await?;
        Ok(live.map(|live| Seen {
            held: held(&live),
            status: live.status().cloned(),
            is_ours: is_ours(&live, policy),
        }))
    }

    /// Makes sure that a report exists; tells its unique id, which Events need.
    pub(super) async fn hold<K: Report>(
        &self,
        reports: &Api<K>,
        policy: &PolicyPosture,
        slot: &mut Slot,
    ) -> Result<String, PublishError> {
        if slot.held.is_none() {
            self.make(reports, policy, slot).await?;
        }
        let held = slot.held.as_ref();
        Ok(held.map(|held| held.uid.clone()).unwrap_or_default())
    }

    /// Makes a report. One that is there although the watch has not shown it yet is taken as it is.
    async fn make<K: Report>(
        &self,
        reports: &Api<K>,
        policy: &PolicyPosture,
        slot: &mut Slot,
    ) -> Result<(), PublishError> {
        let Err(error) = self.dress(reports, policy, slot).await else {
            return Ok(());
        };
        if !error.is_refusal() {
            return Err(error);
        }
        let seen = self.see(reports, policy).await?.ok_or(error)?;
        slot.held = Some(seen.held);
        Ok(())
    }

    /// Gives a report its labels and its owner; makes it when there is none.
    pub(super) async fn dress<K: Report>(
        &self,
        reports: &Api<K>,
        policy: &PolicyPosture,
        slot: &mut Slot,
    ) -> Result<(), PublishError> {
        let body = json!({
            "apiVersion": K::api_version(&()),
            "kind": K::kind(&()),
            "metadata": metadata(policy, slot),
        });
        let (parameters, patch) = (apply(), Patch::Apply(&body));
        let request = || reports.patch(&policy.name, &parameters, &patch);
        slot.written(held(&self.write(request).await?));
        Ok(())
    }

    /// Writes what a report says. A report that somebody else changed or deleted meanwhile is looked at, and written
    /// once more: what it says is ours, whatever else was done to it.
    pub(super) async fn fill<K: Report>(
        &self,
        reports: &Api<K>,
        policy: &PolicyPosture,
        slot: &mut Slot,
        status: &K::Status,
    ) -> Result<(), PublishError> {
        self.hold(reports, policy, slot).await?;
        let mut written = self.write_status(reports, &policy.name, slot, status).await;
        if written.as_ref().is_err_and(PublishError::is_overtaken) {
            slot.held = self.see(reports, policy).await?.map(|seen| seen.held);
            self.hold(reports, policy, slot).await?;
            let second = self.write_status(reports, &policy.name, slot, status).await;
            written = contested(second, || format!("{} {}", K::kind(&()), policy.name));
        }
        written
    }

    /// Removes a report, unless it is another one by now.
    pub(super) async fn delete<K: Report>(
        &self,
        reports: &Api<K>,
        policy: &PolicyPosture,
        slot: &mut Slot,
    ) -> Result<(), PublishError> {
        let parameters = DeleteParams {
            preconditions: slot.held.as_ref().map(|held| Preconditions {
                uid: Some(held.uid.clone()),
                resource_version: Some(held.version.clone()),
            }),
            ..DeleteParams::default()
        };
        match self.write(|| reports.delete(&policy.name, &parameters)).await {
            Err(error) if error.is_not_found() => {}
            Err(error) => {
                if error.is_overtaken() {
                    slot.held = self.see(reports, policy).await?.map(|seen| seen.held);
                }
                return Err(error);
            }
            Ok(_) => {}
        }
        slot.held = None;
        Ok(())
    }

    /// Writes the policy's status.
    pub(super) async fn write_policy(
        &self,
        policy: &PolicyPosture,
        slot: &mut Slot,
        status: &FluxSecurityPolicyStatus,
    ) -> Result<(), PublishError> {
        let policies: Api<FluxSecurityPolicy> = Api::all(self.client.clone());
        let first = self.write_status(&policies, &policy.name, slot, status).await;
        if !first.as_ref().is_err_and(PublishError::is_overtaken) {
            return first;
        }
        // Whoever edits the spec makes a new version too.
        self.policy(policy, slot).await?;
        let second = self.write_status(&policies, &policy.name, slot, status).await;
        contested(second, || format!("FluxSecurityPolicy {}", policy.name))
    }

    /// Writes what is said of a waiver. `None`: somebody else changed or deleted it, and the watch will tell.
    pub(super) async fn write_waiver(
        &self,
        name: &str,
        slot: &mut Slot,
        status: &FluxSecurityWaiverStatus,
    ) -> Result<Option<()>, PublishError> {
        let waivers: Api<FluxSecurityWaiver> = Api::all(self.client.clone());
        match self.write_status(&waivers, name, slot, status).await {
            Err(error) if error.is_overtaken() => Ok(None),
            written => written.map(Some),
        }
    }

    /// Replaces a status. An apply would merge it with what is there, which costs the API server twice the time for a
    /// large one, and leave in it what others wrote.
    async fn write_status<K>(
        &self,
        objects: &Api<K>,
        name: &str,
        slot: &mut Slot,
        status: &impl Serialize,
    ) -> Result<(), PublishError>
    where
        K: Resource<DynamicType = ()>,
    {
        let version = slot.held.as_ref().map(|held| held.version.as_str());
        let body = StatusOf {
            api_version: K::api_version(&()),
            kind: K::kind(&()),
            metadata: Target {
                name,
                resource_version: version,
            },
            status,
        };
        let body = serde_json::to_vec(&body).map_err(kube::Error::SerdeError)?;
        let parameters = PostParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PostParams::default()
        };
        let request = || async {
            let request = Request::new(objects.resource_url())
                .replace_subresource("status", name, &parameters, body.clone())
                .map_err(kube::Error::BuildRequest)?;
            self.client.request(request).await
        };
        let Written { metadata } = self.write(request).await?;
        slot.written(Held {
            uid: metadata.uid.unwrap_or_default(),
            version: metadata.resource_version.unwrap_or_default(),
        });
        Ok(())
    }

    /// Whether there are the kinds of OpenReports.
    pub(super) async fn serves_open_reports(&self) -> Result<bool, PublishError> {
        let group = format!("{}/{}", openreports::GROUP, openreports::VERSION);
        let served = match read(|| self.client.list_api_group_resources(&group)).await {
            Err(error) if error.is_not_found() => return Ok(false),
            served => served?,
        };
        let is_served = |kind| served.resources.iter().any(|it| it.kind == kind);
        Ok(openreports::KINDS.into_iter().all(is_served))
    }

    /// OpenReports: the ClusterReport, or the Report of a namespace.
    fn open_reports(&self, namespace: &str) -> Api<DynamicObject> {
        let [cluster, namespaced] = openreports::KINDS.map(|kind| {
            let kind = GroupVersionKind::gvk(openreports::GROUP, openreports::VERSION, kind);
            ApiResource::from_gvk(&kind)
        });
        match namespace {
            "" => Api::all_with(self.client.clone(), &cluster),
            namespace => Api::namespaced_with(self.client.clone(), namespace, &namespaced),
        }
    }

    /// The OpenReports of a policy that are there.
    pub(super) async fn open_reports_of(&self, policy: &PolicyPosture) -> Result<Hashes, PublishError> {
        let labels = format!(
            "{MANAGED_BY}={FIELD_MANAGER},{POLICY}={}",
            openreports::label(&policy.name)
        );
        let parameters = ListParams::default().labels(&labels);
        let mut hashes = Hashes::new();
        for kind in openreports::KINDS {
            let kind = GroupVersionKind::gvk(openreports::GROUP, openreports::VERSION, kind);
            let all: Api<DynamicObject> = Api::all_with(self.client.clone(), &ApiResource::from_gvk(&kind));
            for live in read(|| all.list_metadata(&parameters)).await? {
                let mut owners = live.owner_references().iter();
                let is_owned = owners.any(|owner| owner.uid == policy.policy.uid);
                let hash = live.labels().get(openreports::HASH).filter(|_| is_owned);
                hashes.insert(
                    live.namespace().unwrap_or_default(),
                    hash.cloned().unwrap_or_default(),
                );
            }
        }
        Ok(hashes)
    }

    /// Writes one of the OpenReports, whatever is there.
    pub(super) async fn write_open_report(
        &self,
        namespace: &str,
        slot: &mut Slot,
        object: &Value,
    ) -> Result<(), PublishError> {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let reports = self.open_reports(namespace);
        let (parameters, patch) = (apply(), Patch::Apply(object));
        let request = || reports.patch_metadata(name, &parameters, &patch);
        slot.written(held(&self.write(request).await?));
        Ok(())
    }

    /// Removes one of the OpenReports.
    pub(super) async fn delete_open_report(&self, namespace: &str, policy: &str) -> Result<(), PublishError> {
        let reports = self.open_reports(namespace);
        let (name, parameters) = (openreports::name(policy), DeleteParams::default());
        let request = || reports.delete(&name, &parameters);
        match self.write(request).await {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }

    /// Sends Events. One that is refused is counted as dropped and holds nothing up; while the API server fails, the
    /// Events wait together with what they tell of, unless that has waited long enough.
    ///
    /// # Errors
    /// Another replica leads: it tells. Or the API server fails.
    pub(super) async fn tell(
        &self,
        notices: &[Notice],
        report_uid: &str,
        counters: &Counters,
        patience: Patience,
    ) -> Result<Told, PublishError> {
        let mut sending: Vec<BoxFuture<'_, Result<Told, PublishError>>> = Vec::new();
        for notice in notices {
            sending.push(self.send(notice, report_uid, counters, patience).boxed());
        }
        let sent = futures::stream::iter(sending).buffer_unordered(AT_ONCE);
        let worse = async |told, next| match told {
            Told::Dropped(..) => Ok(told),
            _ => Ok(next),
        };
        sent.try_fold(Told::Nothing, worse).await
    }

    async fn send(
        &self,
        notice: &Notice,
        report_uid: &str,
        counters: &Counters,
        patience: Patience,
    ) -> Result<Told, PublishError> {
        let error = match self.post(notice, report_uid, false).await {
            Ok(()) => {
                counters.event(Delivery::Sent);
                if let Some(notifier) = &self.notifier {
                    notifier.hand_over(notice);
                }
                return Ok(Told::All);
            }
            // It was sent before.
            Err(error) if error.is_conflict() => return Ok(Told::All),
            Err(error) => error,
        };
        let delivery = if error.is_refusal() {
            Delivery::Refused
        } else {
            Delivery::GivenUp
        };
        let given_up = delivery == Delivery::Refused || patience == Patience::Exhausted;
        if matches!(error, PublishError::NotLeading) || !given_up {
            return Err(error);
        }
        tracing::warn!(
            reason = notice.reason,
            "an Event was dropped: {}",
            sentence(&error)
        );
        counters.event(delivery);
        Ok(Told::Dropped(Box::new((notice.clone(), error))))
    }

    /// Whether an Event would be taken: nothing is made.
    pub(super) async fn rehearse(&self, notice: &Notice) -> Result<(), PublishError> {
        match self.post(notice, &notice.regarding.uid, true).await {
            // It is there.
            Err(error) if error.is_conflict() => Ok(()),
            posted => posted,
        }
    }

    async fn post(&self, notice: &Notice, report_uid: &str, dry_run: bool) -> Result<(), PublishError> {
        let regarding = &notice.regarding;
        let namespace = match regarding.resource.namespace.as_str() {
            "" => "default",
            namespace => namespace,
        };
        let is_report = regarding.resource.kind == "FluxSecurityReport";
        let uid = if is_report { report_uid } else { &regarding.uid };
        let event = json!({
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": notice.name, "namespace": namespace},
            "eventTime": micro_time(),
            "type": notice.r#type.as_str(),
            "reason": notice.reason,
            "action": notice.action,
            "note": notice.note,
            "reportingController": FIELD_MANAGER,
            "reportingInstance": FIELD_MANAGER,
            "regarding": reference(&regarding.resource, uid),
            "related": notice.related.as_ref().map(|related| reference(&related.resource, &related.uid)),
        });
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("events.k8s.io", "v1", "Event"));
        let events: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), namespace, &resource);
        let object: DynamicObject = serde_json::from_value(event).map_err(kube::Error::SerdeError)?;
        let parameters = PostParams {
            dry_run,
            ..PostParams::default()
        };
        self.write(|| events.create(&parameters, &object)).await.map(drop)
    }
}

/// The API server wants microseconds, always six digits.
fn micro_time() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

fn reference(resource: &ResourceRef, uid: &str) -> Value {
    json!({
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "namespace": resource.namespace,
        "name": resource.name,
        "uid": uid,
    })
}

fn metadata(policy: &PolicyPosture, slot: &Slot) -> Value {
    json!({
        "name": policy.name,
        "resourceVersion": slot.held.as_ref().map(|held| &held.version),
        "labels": {MANAGED_BY: FIELD_MANAGER, POLICY: policy.name},
        "ownerReferences": [{
            "apiVersion": format!("{GROUP}/{VERSION}"),
            "kind": "FluxSecurityPolicy",
            "name": policy.name,
            "uid": policy.policy.uid,
        }],
    })
}

/// Whether nobody took our labels and our owner away.
fn is_ours<K: Report>(live: &K, policy: &PolicyPosture) -> bool {
    let label = |name| live.labels().get(name).map(String::as_str);
    label(MANAGED_BY) == Some(FIELD_MANAGER)
        && label(POLICY) == Some(&policy.name)
        && live
            .owner_references()
            .iter()
            .any(|owner| owner.uid == policy.policy.uid)
}

fn held(live: &impl ResourceExt) -> Held {
    Held {
        uid: live.uid().unwrap_or_default(),
        version: live.resource_version().unwrap_or_default(),
    }
}

/// Says what a conflict means.
fn contested(result: Result<(), PublishError>, object: impl FnOnce() -> String) -> Result<(), PublishError> {
    match result {
        Err(error) if error.is_overtaken() && !error.is_not_found() => Err(PublishError::Contested(object())),
        result => result,
    }
}

fn apply() -> PatchParams {
    PatchParams::apply(FIELD_MANAGER).force()
}

/// One read, attempted again when the API server fails.
async fn read<T, R>(request: impl Fn() -> R) -> Result<T, PublishError>
where
    R: Future<Output = Result<T, kube::Error>>,
{
    insistently(|| bounded(request())).await
}

async fn insistently<T, A>(attempt: impl Fn() -> A) -> Result<T, PublishError>
where
    A: Future<Output = Result<T, PublishError>>,
{
    for _ in 1..ATTEMPTS {
        match attempt().await {
            Err(error) if error.is_momentary() => tokio::time::sleep(PAUSE).await,
            ended => return ended,
        }
    }
    attempt().await
}

/// One request, bounded in time: the client's own retries could otherwise take minutes.
async fn bounded<T>(request: impl Future<Output = Result<T, kube::Error>>) -> Result<T, PublishError> {
    match tokio::time::timeout(REQUEST, request).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(PublishError::Late),
    }
}
