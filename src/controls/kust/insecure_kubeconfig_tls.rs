//! FSP-KUST-002: kustomize-controller verifies certificates of remote clusters.

use super::super::control::{Control, Outcome, Severities};
use super::super::flag;
use super::super::judges::{Judges, Subject};
use crate::api::Severity;
use crate::flux::Component;
use crate::inventory::Missing;

pub(crate) static CONTROL: Control = Control {
    id: "FSP-KUST-002",
    title: "kustomize-controller verifies certificates of remote clusters",
    chapter: "Kustomize Controller",
    severity: Severities::always(Severity::High),
    rationale: "With the flag, certificates of remote API servers are not verified: whoever sits on the network path can read and change everything that is applied, credentials included.",
    audit: "The command lines of the controller's pods and of its workload's template, evaluated as the controller itself does; the worst one counts. Fails when --insecure-kubeconfig-tls is in force, or when the version predates the protection.",
    remediation: "Remove the patch that adds --insecure-kubeconfig-tls, or append --insecure-kubeconfig-tls=false: the last one wins.",
    reference: "https://fluxcd.io/flux/security/best-practices/#kustomize-controller",
    reads: &[],
    parameters: &[],
    judges: Judges::Controllers {
        components: &[Component::Kustomize],
        judge,
    },
};

fn judge(subject: &Subject<'_>) -> Result<Outcome, Missing> {
    flag::must_be_off(subject, "insecure-kubeconfig-tls")
}
