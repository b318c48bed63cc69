//! FSP-NODE-001: Flux and tenants do not share nodes.

use super::super::control::{Control, Outcome, Severities};
use super::super::judges::{ClusterSubject, Judges};
use crate::api::Severity;
use crate::flux::Component;
use crate::inventory::{Missing, Read};

pub(crate) static CONTROL: Control = Control {
    id: "FSP-NODE-001",
    title: "Flux and tenants do not share nodes",
    chapter: "Shared Cluster Multi-tenancy: Node isolation",
    severity: Severities::shared(Severity::Medium),
    rationale: "A pod that breaks out of its container becomes its node, and with it every pod there. A node that runs a controller of Flux is a way to cluster-admin.",
    audit: "Nodes, taints and the pods of tenants are not read: a person has to check where pods may run. The namespaces in which controllers of Flux run are named. Not applicable where none runs.",
    remediation: "Give Flux nodes of its own by taint and affinity, sandbox tenants with a RuntimeClass, and refuse privileged pods in their namespaces by pod-security.kubernetes.io/enforce or an admission policy.",
    reference: "https://fluxcd.io/flux/security/best-practices/#node-isolation",
    reads: &[Read::Controllers(&Component::ALL)],
    parameters: &[],
    judges: Judges::Cluster(judge),
};

fn judge(subject: &ClusterSubject<'_>) -> Result<Outcome, Missing> {
    let mut namespaces: Vec<&str> = Vec::new();
    for component in Component::ALL {
        let controllers = subject.view.controllers(component)?;
        namespaces.extend(controllers.map(|(key, _)| &*key.namespace));
    }
    namespaces.sort_unstable();
    namespaces.dedup();
    if namespaces.is_empty() {
        return Ok(Outcome::not_applicable("no controller of Flux runs here"));
    }
    Ok(Outcome::Manual(
        format!(
            "check that no tenant's pod may run on the nodes of namespace {}: taints, affinity, RuntimeClasses, and what refuses privileged pods",
            namespaces.join(", ")
        )
        .into(),
    ))
}
