//! FSP-NODE-001: Flux and tenants do not share nodes.

use std::collections::BTreeSet;

use super::super::control::{Control, Outcome, Severities};
use super::super::judges::{ClusterSubject, Judges};
use super::some;
use crate::api::Severity;
use crate::flux::Component;
use crate::inventory::{Missing, Read};
use crate::kinds::node::Node;
use crate::kinds::runtime_class::RuntimeClass;

pub(crate) static CONTROL: Control = Control {
    id: "FSP-NODE-001",
    title: "Flux and tenants do not share nodes",
    chapter: "Shared Cluster Multi-tenancy: Node isolation",
    severity: Severities::shared(Severity::Medium),
    rationale: "Whoever breaks out of a container controls the node, and with it every pod there. A node that runs a Flux controller is a way to cluster-admin.",
    audit: "Whether sharing a node is an acceptable risk is for a person to say. FSP-NODE-002 to FSP-NODE-005 judge what can be judged; this control lists what to look at: the nodes that Flux controllers run on, the nodes with a NoSchedule or NoExecute taint, and the RuntimeClasses. Not applicable where no controller runs.",
    remediation: "Give Flux nodes of its own with a taint and node affinity, sandbox tenants with a RuntimeClass, and refuse privileged pods in their namespaces with pod-security.kubernetes.io/enforce or an admission policy.",
    reference: "https://fluxcd.io/flux/security/best-practices/#node-isolation",
    reads: &[
        Read::Controllers(&Component::ALL),
        Read::cluster::<Node>(),
        Read::cluster::<RuntimeClass>(),
    ],
    parameters: &[],
    judges: Judges::Cluster(judge),
};

fn judge(subject: &ClusterSubject<'_>) -> Result<Outcome, Missing> {
    let mut namespaces: BTreeSet<&str> = BTreeSet::new();
    let mut of_flux: BTreeSet<&str> = BTreeSet::new();
    for component in Component::ALL {
        for (key, instance) in subject.view.controllers(component)? {
            namespaces.insert(&key.namespace);
            of_flux.extend(instance.nodes());
        }
    }
    if namespaces.is_empty() {
        return Ok(Outcome::not_applicable("no Flux controller runs here"));
    }
    let nodes = subject.view.table::<Node>()?;
    let tainted = nodes.iter().filter(|(_, node)| !node.taints.is_empty()).count();
    let classes = subject.view.table::<RuntimeClass>()?.iter();
    let classes: BTreeSet<&str> = classes.map(|(key, _)| &*key.name).collect();
    Ok(Outcome::Manual(
        format!(
            "check that only workloads that may share a node do so: Flux, in namespace {}, runs on {} of {} nodes ({}); nodes with a taint: {tainted}; RuntimeClasses: {}",
            some(&namespaces),
            of_flux.len(),
            nodes.len(),
            some(&of_flux),
            some(&classes),
        )
        .into(),
    ))
}
