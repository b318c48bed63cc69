//! FSX-MTLS-001: Artifacts travel by mTLS.

use super::super::control::{Control, Outcome, Severities};
use super::super::judges::{ClusterSubject, Judges};
use super::traffic::{self, Traffic};
use crate::api::Severity;
use crate::flux::Component;
use crate::inventory::{Missing, Read};

pub(crate) static CONTROL: Control = Control {
    id: "FSX-MTLS-001",
    title: "Artifacts travel by mTLS",
    chapter: "Beyond the document: mTLS between controllers",
    severity: Severities::always(Severity::Info),
    rationale: "Artifacts are the desired state of every tenant. Without mTLS source-controller serves them over plain HTTP to whoever reaches its port, and only NetworkPolicies protect it.",
    audit: "--authorized-artifact-client-spiffe-id of source-controller and source-watcher, --authorized-artifact-server-spiffe-id of kustomize-controller, helm-controller and source-watcher. Passes when every one that runs has its flag. Otherwise a person has to look: mTLS is optional, available since Flux 2.10, and a service mesh may do the same unseen. The address in status stays http under mTLS and says nothing. Not applicable before source-controller 1.10.",
    remediation: "Issue X.509-SVIDs to the controllers, then set the flags to exact IDs at both ends in one change: with one end alone, artifacts cannot be fetched.",
    reference: "https://fluxcd.io/flux/installation/configuration/intercontroller-mtls/",
    reads: &[Read::Controllers(&[
        Component::Source,
        Component::SourceWatcher,
        Component::Kustomize,
        Component::Helm,
    ])],
    parameters: &[],
    judges: Judges::Cluster(judge),
};

fn judge(subject: &ClusterSubject<'_>) -> Result<Outcome, Missing> {
    traffic::report(subject.view, Traffic::Artifacts, Component::Source, (1, 10, 0))
}
