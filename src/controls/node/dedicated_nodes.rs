//! FSP-NODE-004: Flux runs on nodes of its own.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::flag;
use super::super::judges::{Judges, Subject};
use crate::api::Severity;
use crate::flux::Component;
use crate::inventory::instances::{Launch, LaunchSource};
use crate::inventory::{Missing, ObjectKey, Read};
use crate::kinds::node::{Node, NodeRow};
use crate::kinds::scheduling::Toleration;

pub(crate) static CONTROL: Control = Control {
    id: "FSP-NODE-004",
    title: "Flux runs on nodes of its own",
    chapter: "Shared Cluster Multi-tenancy: Node isolation",
    severity: Severities::shared(Severity::Medium),
    rationale: "Where tenants' pods may be put beside Flux's controllers, one container escape is enough to take the tokens of a controller, often those of cluster-admin.",
    audit: "Every node on which the controller may run, by the nodeSelector, required node affinity and tolerations of its template and pods and the labels and taints of the nodes; and the nodes where it runs now. Each needs a NoSchedule or NoExecute taint that no tenant pod tolerates now; who may add a toleration is not judged. PreferNoSchedule keeps nobody off, and condition taints come and go: neither counts. A toleration alone is not enough: without node affinity the controller may land on any other node. Unknown when no node exists that the controller may run on. Not applicable in a cluster with one node.",
    remediation: "Taint a node pool for the platform, give Flux's controllers a toleration and a nodeSelector or node affinity for it, and refuse that toleration in tenants' namespaces with an admission policy.",
    reference: "https://fluxcd.io/flux/security/best-practices/#node-isolation",
    reads: &[Read::cluster::<Node>(), Read::Tolerations],
    parameters: &[],
    judges: Judges::Controllers {
        components: &Component::ALL,
        judge,
    },
};

/// A namespace of a tenant, and what pods there tolerate.
type Tenant<'a> = (&'a str, &'a [Toleration]);

fn judge(subject: &Subject<'_>) -> Result<Outcome, Missing> {
    let nodes = subject.view.table::<Node>()?;
    if nodes.len() < 2 {
        return Ok(Outcome::not_applicable("the cluster has no second node"));
    }
    let tenants = subject.view.tolerations_of_tenants()?;
    let launches = &subject.instance.launches;
    let may_run = |name: &str, node: &NodeRow| launches.iter().any(|launch| may_run(launch, name, node));
    let own: Vec<(&ObjectKey, &NodeRow)> = nodes
        .iter()
        .filter(|(key, node)| may_run(&key.name, node))
        .collect();
    if own.is_empty() {
        let message = format!("{} may run on none of the nodes that are there", subject.key);
        return Err(Missing::new("NoNode", message));
    }
    let open = own
        .iter()
        .filter_map(|(key, node)| Some((*key, gap(node, &tenants)?)));
    let open: Vec<(&ObjectKey, String)> = open.collect();
    let Some((node, gap)) = open.first() else {
        return Ok(Outcome::Pass);
    };
    let observed = match open.len() {
        1 => format!("may run on node {node}, {gap}"),
        count => format!("may run on {count} nodes that tenants may use, such as {node}, {gap}"),
    };
    Ok(Outcome::fail(Defect {
        field: "spec.template.spec.affinity".to_owned(),
        message: format!(
            "{} in namespace {} {observed}",
            subject.key.component, subject.key.namespace
        ),
        observed,
        expected: "only nodes with a taint that no tenant tolerates".to_owned(),
        severity: flag::weight(subject),
        ..Defect::default()
    }))
}

/// Where it runs already it may run, whatever has changed since.
fn may_run(launch: &Launch, name: &str, node: &NodeRow) -> bool {
    let runs_there = matches!(&launch.source, LaunchSource::Pod { node, .. } if **node == *name);
    runs_there || launch.scheduling.admits(name, node)
}

/// Why tenants may use a node.
fn gap(node: &NodeRow, tenants: &[Tenant<'_>]) -> Option<String> {
    let mut why = "which has no taint".to_owned();
    for taint in &node.taints {
        let mut tenants = tenants.iter();
        let (namespace, _) = tenants.find(|(_, all)| all.iter().any(|it| it.tolerates(taint)))?;
        why = format!("whose taint {taint} is tolerated by pods of namespace {namespace}");
    }
    Some(why)
}
