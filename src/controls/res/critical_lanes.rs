//! FSP-RES-001: Critical tenants have controllers of their own.

use super::super::control::{Control, Outcome, Severities};
use super::super::judges::{ClusterSubject, Judges};
use crate::api::Severity;
use crate::flux::Component;
use crate::inventory::{Missing, Read};

pub(crate) static CONTROL: Control = Control {
    id: "FSP-RES-001",
    title: "Critical tenants have controllers of their own",
    chapter: "Resource Isolation",
    severity: Severities::always(Severity::Low),
    rationale: "Objects of all tenants wait in one queue: one tenant with many objects or slow ones delays a critical tenant.",
    audit: "Nothing in the cluster says which tenants are critical. Counts the controllers of each type that reconciles; where there are several, a person has to check that one of them serves the critical tenants. More replicas are a standby, not a second controller.",
    remediation: "Give critical tenants a shard of their own.",
    reference: "https://fluxcd.io/flux/security/best-practices/#resource-isolation",
    reads: &[Read::Controllers(&RECONCILING)],
    parameters: &[],
    judges: Judges::Cluster(judge),
};

const RECONCILING: [Component; 3] = [Component::Kustomize, Component::Helm, Component::Source];

fn judge(subject: &ClusterSubject<'_>) -> Result<Outcome, Missing> {
    let mut several = Vec::new();
    for component in RECONCILING {
        let controllers = subject.view.accepted_controllers(component)?;
        let count = controllers.filter(|(_, instance)| !instance.inactive).count();
        if count > 1 {
            several.push(format!("{count} of {component}"));
        }
    }
    if several.is_empty() {
        return Ok(Outcome::not_applicable(
            "no type of controller has a second instance; whether a critical tenant needs one is for a person to decide",
        ));
    }
    let several = several.join(", ");
    Ok(Outcome::Manual(
        format!("check that critical tenants are served by a controller of their own: there are {several}")
            .into(),
    ))
}
