//! FSP-KUST-003: kustomize-controller refuses remote bases.

use super::super::control::{Control, Outcome, Severities};
use super::super::flag;
use super::super::judges::{Judges, Subject};
use crate::api::Severity;
use crate::flux::Component;
use crate::inventory::Missing;

pub(crate) static CONTROL: Control = Control {
    id: "FSP-KUST-003",
    title: "kustomize-controller refuses remote bases",
    chapter: "Kustomize Controller",
    severity: Severities::raised(Severity::Medium, Severity::High),
    rationale: "A remote base is fetched at every reconciliation and may change without a commit: what runs is no longer what was reviewed.",
    audit: "The command lines of the controller's pods and of its workload's template, evaluated as the controller itself does; the worst one counts. Fails unless --no-remote-bases is in force.",
    remediation: "Bootstrap: in the repository, add a JSON patch for the Deployment that appends --no-remote-bases=true to /spec/template/spec/containers/0/args; FluxInstance: spec.cluster.multitenant; the chart has no value of its own, use kustomizeController.container.additionalArgs. Edits with kubectl are reverted.",
    reference: "https://fluxcd.io/flux/security/best-practices/#kustomize-controller",
    reads: &[],
    parameters: &[],
    judges: Judges::Controllers {
        components: &[Component::Kustomize],
        judge,
    },
};

fn judge(subject: &Subject<'_>) -> Result<Outcome, Missing> {
    flag::must_be_on(subject, "no-remote-bases")
}
