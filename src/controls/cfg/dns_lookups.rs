//! FSX-CFG-002: helm-controller does not resolve names in templates.

use super::super::control::{Control, Outcome, Severities};
use super::super::flag;
use super::super::judges::{Judges, Subject};
use crate::api::Severity;
use crate::flux::Component;
use crate::inventory::Missing;

pub(crate) static CONTROL: Control = Control {
    id: "FSX-CFG-002",
    title: "helm-controller does not resolve names in templates",
    chapter: "Beyond the document: Configuration sanity",
    severity: Severities::always(Severity::Medium),
    rationale: "A chart that can resolve names can leak what it reads to whoever runs the name server.",
    audit: "The command lines of the controller's pods and of its workload's template, evaluated as the controller itself does; the worst one counts. Fails when the feature gate AllowDNSLookups is on.",
    remediation: "Remove AllowDNSLookups=true from --feature-gates.",
    reference: "https://fluxcd.io/flux/installation/configuration/helm-dns-lookup/",
    reads: &[],
    parameters: &[],
    judges: Judges::Controllers {
        components: &[Component::Helm],
        judge,
    },
};

fn judge(subject: &Subject<'_>) -> Result<Outcome, Missing> {
    flag::gate_must_be_off(subject, "AllowDNSLookups")
}
