//! FSP-MT-008: kustomize-controller applies with a default service account.

use super::super::control::{Control, Outcome, Severities};
use super::super::flag;
use super::super::judges::{Judges, Subject};
use crate::api::Severity;
use crate::flux::Component;
use crate::inventory::Missing;

pub(crate) static CONTROL: Control = Control {
    id: "FSP-MT-008",
    title: "kustomize-controller applies with a default service account",
    chapter: "Shared Cluster Multi-tenancy: Lock-down",
    severity: Severities::shared(Severity::Critical),
    rationale: "Without a default account, an object that names none is applied with the controller's own rights, usually cluster-admin: every tenant who may create one owns the cluster.",
    audit: "The command lines of the controller's pods and of its workload's template, evaluated as the controller itself does; the worst one counts. Fails unless --default-service-account names an account; a value that looks like a flag is the next argument, swallowed because the value is missing.",
    remediation: "Bootstrap: in the repository, add a JSON patch for the Deployment that appends --default-service-account=<name> to /spec/template/spec/containers/0/args; FluxInstance: spec.cluster.multitenant; chart: multitenancy.enabled. Objects that name no account stop working: give each its own first. Edits with kubectl are reverted.",
    reference: "https://fluxcd.io/flux/security/best-practices/#multi-tenancy-lock-down",
    reads: &[],
    parameters: &[],
    judges: Judges::Controllers {
        components: &[Component::Kustomize],
        judge,
    },
};

fn judge(subject: &Subject<'_>) -> Result<Outcome, Missing> {
    flag::must_be_set(subject, "default-service-account")
}
