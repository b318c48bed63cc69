//! FSX-POD-002: Flux's namespaces admit restricted pods only.

use super::super::admission::ENFORCE;
use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{Judges, NamespaceSubject};
use crate::api::Severity;
use crate::flux::Component;
use crate::inventory::{Missing, Read};

pub(crate) static CONTROL: Control = Control {
    id: "FSX-POD-002",
    title: "Flux's namespaces admit restricted pods only",
    chapter: "Beyond the document: Pods",
    severity: Severities::always(Severity::Medium),
    rationale: "Whoever can create a pod next to the controllers could take their node, and with it their tokens. Flux's own pods need no exception.",
    audit: "The label pod-security.kubernetes.io/enforce of each namespace in which a Flux controller runs. Fails unless it is restricted; Flux's manifests only set warn, which admits everything.",
    remediation: "Label the namespace with pod-security.kubernetes.io/enforce: restricted. On OpenShift, where security context constraints do the same, accept the finding with a waiver.",
    reference: "https://fluxcd.io/flux/security/#pod-security-standard",
    reads: &[Read::Controllers(&Component::ALL)],
    parameters: &[],
    judges: Judges::Namespaces(judge),
};

fn judge(subject: &NamespaceSubject<'_>) -> Result<Outcome, Missing> {
    if !subject.has_controller()? {
        return Ok(Outcome::not_applicable("no Flux controller runs there"));
    }
    let level = subject.row.labels.get(ENFORCE).unwrap_or("not set");
    if level == "restricted" {
        return Ok(Outcome::Pass);
    }
    Ok(Outcome::fail(Defect {
        field: format!("metadata.labels[{ENFORCE}]"),
        observed: level.to_owned(),
        expected: "restricted".to_owned(),
        message: format!(
            "Flux runs in namespace {}, whose {ENFORCE} is {level}",
            subject.name
        ),
        ..Defect::default()
    }))
}
