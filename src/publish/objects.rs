//! The requests of the publisher: each bounded in time, each with our field manager.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

use super::lease::Leadership;
use super::{Counters, Published};
use crate::api::report::NamespaceReportStatus;
use crate::api::{
    FIELD_MANAGER, FluxSecurityNamespaceReport, FluxSecurityPolicy, FluxSecurityPolicyStatus,
    FluxSecurityReport, GROUP, ReportStatus, ResourceRef, VERSION,
};
use crate::engine::{PolicyPosture, Posture};
use crate::render::events::Notice;
use crate::render::report;

/// How long one request may take.
const REQUEST: Duration = Duration::from_secs(10);
/// Attempts to send an Event before it is dropped and counted.
const ATTEMPTS: usize = 3;

/// Another replica may write by now.
#[derive(Debug, thiserror::Error)]
#[error("this replica leads no more")]
struct NotLeading;

pub(super) struct Objects {
    client: Client,
    leadership: watch::Receiver<Leadership>,
}

impl Objects {
    pub(super) const fn new(client: Client, leadership: watch::Receiver<Leadership>) -> Self {
        Self { client, leadership }
    }

    /// One write: not begun without the lead, and given up when the lead ends.
    async fn write<T>(
        &self,
        request: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, kube::Error> {
        let lead = *self.leadership.borrow();
        let Some(until) = lead.until.filter(|_| lead.is_leader(Instant::now())) else {
            return Err(kube::Error::Service(Box::new(NotLeading)));
        };
        match tokio::time::timeout_at(until, bounded(request)).await {
            Ok(answer) => answer,
            Err(_) => Err(kube::Error::Service(Box::new(NotLeading))),
        }
    }

    /// Reads what is published for a policy.
    pub(super) async fn load(
        &self,
        policy: &PolicyPosture,
        posture: &Posture,
        known: &mut Published,
    ) -> Result<(), kube::Error> {
        let policies: Api<FluxSecurityPolicy> = Api::all(self.client.clone());
        known.policy = bounded(policies.get_opt(&policy.name))
            .await?
            .and_then(|policy| policy.status);
        let reports: Api<FluxSecurityReport> = Api::all(self.client.clone());
        if let Some(live) = bounded(reports.get_opt(&policy.name)).await? {
            known.report_uid = live.uid().unwrap_or_default();
            known.versions.insert(
                (String::new(), policy.name.clone()),
                live.resource_version().unwrap_or_default(),
            );
            known.report = live.status;
        }
        let namespaces = posture
            .published
            .keys()
            .filter(|(namespace, name)| !namespace.is_empty() && *name == policy.name);
        for (namespace, name) in namespaces {
            let reports: Api<FluxSecurityNamespaceReport> = Api::namespaced(self.client.clone(), namespace);
            let Some(live) = bounded(reports.get_opt(name)).await? else {
                continue;
            };
            known.versions.insert(
                (namespace.clone(), name.clone()),
                live.resource_version().unwrap_or_default(),
            );
            // One without a status was cut off in the making; an empty one differs from any that we write.
            known
                .namespaces
                .insert(namespace.clone(), live.status.unwrap_or_default());
        }
        Ok(())
    }

    /// Makes sure that the report exists; Events need its unique id.
    pub(super) async fn create_report(
        &self,
        policy: &PolicyPosture,
        known: &mut Published,
    ) -> Result<(), kube::Error> {
        let reports: Api<FluxSecurityReport> = Api::all(self.client.clone());
        let body = json!({
            "apiVersion": format!("{GROUP}/{VERSION}"),
            "kind": "FluxSecurityReport",
            "metadata": metadata(policy, &policy.name),
        });
        if !known.report_uid.is_empty() && bounded(reports.get_metadata_opt(&policy.name)).await?.is_some() {
            return Ok(());
        }
        let live = self
            .write(reports.patch(&policy.name, &apply(), &Patch::Apply(&body)))
            .await?;
        known.report_uid = live.uid().unwrap_or_default();
        Ok(())
    }

    /// Whether the live report says something else than ours.
    pub(super) async fn was_edited(
        &self,
        policy: &PolicyPosture,
        known: &mut Published,
        ours: &ReportStatus,
    ) -> Result<bool, kube::Error> {
        let reports: Api<FluxSecurityReport> = Api::all(self.client.clone());
        let Some(live) = bounded(reports.get_opt(&policy.name)).await? else {
            known.report_uid.clear();
            return Ok(true);
        };
        known.versions.insert(
            (String::new(), policy.name.clone()),
            live.resource_version().unwrap_or_default(),
        );
        Ok(live.status.as_ref() != Some(ours))
    }

    /// Writes the report.
    pub(super) async fn write_report(
        &self,
        policy: &PolicyPosture,
        known: &mut Published,
        status: ReportStatus,
    ) -> Result<(), kube::Error> {
        let reports: Api<FluxSecurityReport> = Api::all(self.client.clone());
        let body = json!({
            "apiVersion": format!("{GROUP}/{VERSION}"),
            "kind": "FluxSecurityReport",
            "status": status,
        });
        let live = self
            .write(reports.patch_status(&policy.name, &apply(), &Patch::Apply(&body)))
            .await?;
        known.versions.insert(
            (String::new(), policy.name.clone()),
            live.resource_version().unwrap_or_default(),
        );
        known.report = Some(status);
        Ok(())
    }

    /// Looks at namespace reports that somebody may have changed, and forgets those that are not ours any more, so
    /// that they are written again.
    pub(super) async fn refresh_namespaces(
        &self,
        policy: &PolicyPosture,
        known: &mut Published,
        touched: &[(String, String)],
    ) -> Result<(), kube::Error> {
        for key in touched.iter().filter(|(namespace, _)| !namespace.is_empty()) {
            let reports: Api<FluxSecurityNamespaceReport> = Api::namespaced(self.client.clone(), &key.0);
            let live = bounded(reports.get_opt(&policy.name)).await?;
            let version = live.as_ref().and_then(ResourceExt::resource_version);
            if live.and_then(|live| live.status).as_ref() != known.namespaces.get(&key.0) {
                known
                    .namespaces
                    .insert(key.0.clone(), NamespaceReportStatus::default());
            }
            match version {
                Some(version) => known.versions.insert(key.clone(), version),
                None => known.versions.remove(key),
            };
        }
        Ok(())
    }

    /// Writes the namespace reports that changed and removes those without findings.
    pub(super) async fn write_namespaces(
        &self,
        policy: &PolicyPosture,
        known: &mut Published,
        now: Timestamp,
        counters: &Counters,
    ) -> Result<(), kube::Error> {
        let next = report::namespace_reports(policy, &known.namespaces, now);
        let gone: Vec<String> = known
            .namespaces
            .keys()
            .filter(|namespace| !next.contains_key(*namespace))
            .cloned()
            .collect();
        for namespace in gone {
            let reports: Api<FluxSecurityNamespaceReport> = Api::namespaced(self.client.clone(), &namespace);
            match self
                .write(reports.delete(&policy.name, &DeleteParams::default()))
                .await
            {
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                result => drop(result?),
            }
            known.versions.remove(&(namespace.clone(), policy.name.clone()));
            known.namespaces.remove(&namespace);
        }
        for (namespace, status) in next {
            if known.namespaces.get(&namespace) == Some(&status) {
                continue;
            }
            let reports: Api<FluxSecurityNamespaceReport> = Api::namespaced(self.client.clone(), &namespace);
            let kind = "FluxSecurityNamespaceReport";
            let api_version = format!("{GROUP}/{VERSION}");
            let body =
                json!({"apiVersion": api_version, "kind": kind, "metadata": metadata(policy, &policy.name)});
            self.write(reports.patch(&policy.name, &apply(), &Patch::Apply(&body)))
                .await?;
            let body = json!({"apiVersion": api_version, "kind": kind, "status": status});
            let live = self
                .write(reports.patch_status(&policy.name, &apply(), &Patch::Apply(&body)))
                .await?;
            let key = (namespace.clone(), policy.name.clone());
            known
                .versions
                .insert(key, live.resource_version().unwrap_or_default());
            counters.written();
            known.namespaces.insert(namespace, status);
        }
        Ok(())
    }

    /// Writes the policy's status.
    pub(super) async fn write_policy(
        &self,
        policy: &PolicyPosture,
        status: &FluxSecurityPolicyStatus,
    ) -> Result<(), kube::Error> {
        let policies: Api<FluxSecurityPolicy> = Api::all(self.client.clone());
        let body = json!({
            "apiVersion": format!("{GROUP}/{VERSION}"),
            "kind": "FluxSecurityPolicy",
            "status": status,
        });
        self.write(policies.patch_status(&policy.name, &apply(), &Patch::Apply(&body)))
            .await?;
        Ok(())
    }

    /// Sends Events. One that cannot be sent is counted and holds nothing up.
    pub(super) async fn tell(&self, notices: &[Notice], report_uid: &str, counters: &Counters) {
        for notice in notices {
            let mut sent = Ok(());
            for _ in 0..ATTEMPTS {
                sent = self.post(notice, report_uid).await;
                if sent.is_ok() {
                    break;
                }
            }
            counters.event(sent.is_ok());
            if let Err(error) = sent {
                tracing::warn!(reason = notice.reason, %error, "an Event was dropped");
            }
        }
    }

    async fn post(&self, notice: &Notice, report_uid: &str) -> Result<(), kube::Error> {
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
        match self.write(events.create(&PostParams::default(), &object)).await {
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
            result => result.map(|_| ()),
        }
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

fn metadata(policy: &PolicyPosture, name: &str) -> Value {
    json!({
        "name": name,
        "labels": {"app.kubernetes.io/managed-by": FIELD_MANAGER, "fluxsecurity.dev/policy": policy.name},
        "ownerReferences": [{
            "apiVersion": format!("{GROUP}/{VERSION}"),
            "kind": "FluxSecurityPolicy",
            "name": policy.name,
            "uid": policy.policy.uid,
        }],
    })
}

fn apply() -> PatchParams {
    PatchParams::apply(FIELD_MANAGER).force()
}

/// One request, bounded in time: the client's own retries could otherwise take minutes.
async fn bounded<T>(request: impl Future<Output = Result<T, kube::Error>>) -> Result<T, kube::Error> {
    match tokio::time::timeout(REQUEST, request).await {
        Ok(answer) => answer,
        Err(late) => Err(kube::Error::Service(Box::new(late))),
    }
}
