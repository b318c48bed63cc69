//! FSP-MT-003: notification-controller refuses references to other namespaces.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::flag;
use super::super::judges::{Judges, Subject};
use super::super::references;
use crate::api::Severity;
use crate::flux::Component;
use crate::inventory::{Instance, Missing, Read};
use crate::kinds::flux_objects::Receiver;

pub(crate) static CONTROL: Control = Control {
    id: "FSP-MT-003",
    title: "notification-controller refuses references to other namespaces",
    chapter: "Shared Cluster Multi-tenancy: Lock-down",
    severity: Severities::shared(Severity::Medium),
    rationale: "Without the flag an object may refer to objects of other namespaces, and a tenant can use sources, credentials or notifications that belong to others.",
    audit: "The command lines of the controller's pods and of its workload's template, evaluated as the controller itself does; the worst one counts. Fails unless --no-cross-namespace-refs is in force. Before version 1.5.0 the flag does not hold for Receivers: there it fails, too, when a Receiver names another namespace.",
    remediation: "Bootstrap: in the repository, add a JSON patch for the Deployment that appends --no-cross-namespace-refs=true to /spec/template/spec/containers/0/args; FluxInstance: spec.cluster.multitenant; chart: multitenancy.enabled. Edits with kubectl are reverted.",
    reference: "https://fluxcd.io/flux/security/best-practices/#multi-tenancy-lock-down",
    reads: &[Read::cluster::<Receiver>()],
    parameters: &[],
    judges: Judges::Controllers {
        components: &[Component::Notification],
        judge,
    },
};

fn judge(subject: &Subject<'_>) -> Result<Outcome, Missing> {
    let judged = flag::must_be_on(subject, "no-cross-namespace-refs")?;
    if judged != Outcome::Pass || covers_receivers(subject.instance) {
        return Ok(judged);
    }
    let receivers = subject.view.table::<Receiver>()?;
    let foreign = receivers.iter().find_map(|(key, row)| {
        let mut references = references::foreign::<Receiver>(&key.namespace, row);
        Some((key, references.next()?.1))
    });
    let Some((key, namespace)) = foreign else {
        return Ok(Outcome::Pass);
    };
    let observed = format!("this version lets Receiver {key} trigger objects in namespace {namespace}");
    Ok(Outcome::fail(Defect {
        message: format!(
            "{} in namespace {}: {observed}",
            subject.key.component, subject.key.namespace
        ),
        observed,
        expected: "version 1.5.0 or later, or no Receiver that names other namespaces".to_owned(),
        severity: flag::weight(subject),
        ..Defect::default()
    }))
}

/// Receivers obey the flag since 1.5.0 (Flux 2.5). An unknown version counts as the newest.
pub(in crate::controls) fn covers_receivers(instance: &Instance) -> bool {
    flag::reaches(instance.version.as_ref(), (1, 5, 0))
}
