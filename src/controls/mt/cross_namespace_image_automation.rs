//! FSP-MT-005: image-automation-controller refuses references to other namespaces.

use super::super::control::{Control, Outcome, Severities};
use super::super::flag;
use super::super::judges::{Judges, Subject};
use crate::api::Severity;
use crate::flux::Component;
use crate::inventory::Missing;

pub(crate) static CONTROL: Control = Control {
    id: "FSP-MT-005",
    title: "image-automation-controller refuses references to other namespaces",
    chapter: "Shared Cluster Multi-tenancy: Lock-down",
    severity: Severities::shared(Severity::High),
    rationale: "Without the flag an object may refer to objects of other namespaces, and a tenant can use sources, credentials or notifications that belong to others.",
    audit: "The command lines of the controller's pods and of its workload's template, evaluated as the controller itself does; the worst one counts. Fails unless --no-cross-namespace-refs is in force.",
    remediation: "Bootstrap: in the repository, add a JSON patch for the Deployment that appends --no-cross-namespace-refs=true to /spec/template/spec/containers/0/args; FluxInstance: spec.cluster.multitenant; chart: multitenancy.enabled. Edits with kubectl are reverted.",
    reference: "https://fluxcd.io/flux/security/best-practices/#multi-tenancy-lock-down",
    reads: &[],
    parameters: &[],
    judges: Judges::Controllers {
        components: &[Component::ImageAutomation],
        judge,
    },
};

fn judge(subject: &Subject<'_>) -> Result<Outcome, Missing> {
    flag::must_be_on(subject, "no-cross-namespace-refs")
}
