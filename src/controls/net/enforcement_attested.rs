//! FSP-NET-005: Somebody has tested that NetworkPolicies are enforced.

use super::super::control::{Control, Outcome, Severities};
use super::super::judges::{ClusterSubject, Judges};
use crate::api::Severity;
use crate::inventory::{Missing, ObjectKey, Read};
use crate::kinds::cni::DaemonSet;
use crate::kinds::network_policy::NetworkPolicy;

pub(crate) static CONTROL: Control = Control {
    id: "FSP-NET-005",
    title: "Somebody has tested that NetworkPolicies are enforced",
    chapter: "Network Isolation",
    severity: Severities::always(Severity::Low),
    rationale: "A network plugin may be installed and yet enforce nothing: turned off in its configuration, missing on some nodes, shadowed by another one.",
    audit: "Only traffic shows it: a person has to test. The message tells which plugins and how many NetworkPolicies there are. Not applicable without a NetworkPolicy.",
    remediation: "From a pod in another namespace, request http://source-controller.flux-system.svc/ and check that it times out; repeat this on each kind of node. Or run Cyclonus or Sonobuoy's network policy tests. With Cilium, check that enable-policy in the ConfigMap cilium-config is not set to never. Then record the result in spec.attestations of the policy, with an expiry date.",
    reference: "https://fluxcd.io/flux/security/best-practices/#network-isolation",
    reads: &[Read::cluster::<NetworkPolicy>(), Read::cluster::<DaemonSet>()],
    parameters: &[],
    judges: Judges::Cluster(judge),
};

fn judge(subject: &ClusterSubject<'_>) -> Result<Outcome, Missing> {
    let policies = match subject.view.table::<NetworkPolicy>()?.len() {
        0 => return Ok(Outcome::not_applicable("there is no NetworkPolicy")),
        1 => "the NetworkPolicy".to_owned(),
        count => format!("the {count} NetworkPolicies"),
    };
    let agents = subject.view.table::<DaemonSet>()?.iter();
    let names: Vec<String> = agents.map(|(key, _)| ObjectKey::to_string(key)).collect();
    let agents = if names.is_empty() {
        "an unrecognised network plugin".to_owned()
    } else {
        names.join(", ")
    };
    let checklist = format!(
        "test from a pod in another namespace that {agents} enforces {policies}: a request to http://source-controller.flux-system.svc/ must time out, on each kind of node"
    );
    Ok(Outcome::Manual(checklist.into()))
}
