//! FSP-KUST-001: kustomize-controller does not run programs named by kubeconfigs.

use super::super::control::{Control, Outcome, Severities};
use super::super::flag;
use super::super::judges::{Judges, Subject};
use crate::api::Severity;
use crate::flux::Component;
use crate::inventory::Missing;

pub(crate) static CONTROL: Control = Control {
    id: "FSP-KUST-001",
    title: "kustomize-controller does not run programs named by kubeconfigs",
    chapter: "Kustomize Controller",
    severity: Severities::raised(Severity::High, Severity::Critical),
    rationale: "A kubeconfig may name a program that prints a token. Whoever can write a kubeconfig Secret then runs programs inside the controller, which usually is cluster-admin.",
    audit: "The command lines of the controller's pods and of its workload's template, evaluated as the controller itself does; the worst one counts. Fails when --insecure-kubeconfig-exec is in force, or when the version predates the protection.",
    remediation: "Remove the patch that adds --insecure-kubeconfig-exec, or append --insecure-kubeconfig-exec=false: the last one wins.",
    reference: "https://fluxcd.io/flux/security/best-practices/#kustomize-controller",
    reads: &[],
    parameters: &[],
    judges: Judges::Controllers {
        components: &[Component::Kustomize],
        judge,
    },
};

fn judge(subject: &Subject<'_>) -> Result<Outcome, Missing> {
    flag::must_be_off(subject, "insecure-kubeconfig-exec")
}
