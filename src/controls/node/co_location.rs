//! FSP-NODE-005: No node runs pods that must be kept apart.

use std::collections::BTreeSet;

use super::super::control::{Control, Defect, Outcome, Parameter, Severities};
use super::super::judges::{Each, Judges, ObjectSubject};
use super::some;
use crate::api::Severity;
use crate::inventory::{Missing, Owner, Read};
use crate::kinds::node::Node;

pub(crate) static CONTROL: Control = Control {
    id: "FSP-NODE-005",
    title: "No node runs pods that must be kept apart",
    chapter: "Shared Cluster Multi-tenancy: Node isolation",
    severity: Severities::shared(Severity::Medium),
    rationale: "Whoever breaks out of a container gets at every pod of the node, with its tokens and its Secrets.",
    audit: "The pods of each node, by spec.nodeName, as they are now: another pod may be there in a minute. Fails where a Flux controller and pods of a tenant share a node, and, where the parameter keeps tenants apart, where pods of two tenants share one. Pods that have ended or are being deleted do not count. Agents that run on every node belong to the platform when their namespace does: spec.platform.namespaces of the policy names it.",
    remediation: "Keep tenants off Flux's nodes with a taint, and tenants apart with a node pool for each. See FSP-NODE-004.",
    reference: "https://fluxcd.io/flux/security/best-practices/#node-isolation",
    reads: &[Read::Neighbours],
    parameters: &[Parameter {
        name: TENANTS,
        values: &["may-share", "apart"],
        about: "Whether pods of several tenants may share a node",
    }],
    judges: Judges::Objects(&[&Each::<Node>(judge)]),
};

const TENANTS: &str = "tenants";

fn judge(subject: &ObjectSubject<'_, Node>) -> Result<Outcome, Missing> {
    let mut tenants: BTreeSet<String> = BTreeSet::new();
    let mut controllers: BTreeSet<&str> = BTreeSet::new();
    let mut doubt = None;
    for neighbours in subject.view.neighbours()? {
        for (key, instance) in neighbours.controllers {
            match instance.doubt(key) {
                None => {
                    controllers.insert(key.component.name());
                }
                Some(missing) => doubt = Some(missing),
            }
        }
        if let Owner::Tenant(name) = neighbours.owner {
            tenants.insert(name.to_owned());
        }
    }
    let is_apart = CONTROL.parameter(TENANTS, subject.parameters) == "apart";
    let observed = match (controllers.is_empty(), tenants.len()) {
        (_, 0) => return Ok(Outcome::Pass),
        (false, _) => format!("{} of Flux and pods of {}", some(&controllers), some(&tenants)),
        (true, 2..) if is_apart => format!("pods of {}", some(&tenants)),
        _ => return doubt.map_or(Ok(Outcome::Pass), Err),
    };
    Ok(Outcome::fail(Defect {
        message: format!("node {} runs {observed}", subject.key.name),
        observed,
        expected: "only pods that may share a node".to_owned(),
        ..Defect::default()
    }))
}
