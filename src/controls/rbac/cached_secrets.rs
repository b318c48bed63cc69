//! FSX-RBAC-006: Controllers do not keep all Secrets in memory.

use super::super::control::{Control, Outcome, Severities};
use super::super::flag;
use super::super::judges::{Judges, Subject};
use crate::api::Severity;
use crate::flux::Component;
use crate::inventory::Missing;

pub(crate) static CONTROL: Control = Control {
    id: "FSX-RBAC-006",
    title: "Controllers do not keep all Secrets in memory",
    chapter: "Beyond the document: Controller rights",
    severity: Severities::always(Severity::Medium),
    rationale: "With this cache a controller holds every Secret of the cluster in memory. A memory profile, which its port 8080 serves to whoever can reach it, holds them as well.",
    audit: "The command lines of the controller's pods and of its workload's template, evaluated as the controller itself does; the worst one counts. Fails when the feature gate CacheSecretsAndConfigMaps is on. Who can reach the port is not looked at.",
    remediation: "Remove CacheSecretsAndConfigMaps=true from --feature-gates.",
    reference: "https://fluxcd.io/flux/installation/configuration/vertical-scaling/",
    reads: &[],
    parameters: &[],
    judges: Judges::Controllers {
        components: &[
            Component::Source,
            Component::Kustomize,
            Component::Helm,
            Component::Notification,
            Component::ImageReflector,
            Component::ImageAutomation,
        ],
        judge,
    },
};

fn judge(subject: &Subject<'_>) -> Result<Outcome, Missing> {
    flag::gate_must_be_off(subject, "CacheSecretsAndConfigMaps")
}
