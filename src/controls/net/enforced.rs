//! FSP-NET-002: The cluster's network plugin enforces NetworkPolicies.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{ClusterSubject, Judges};
use crate::api::Severity;
use crate::inventory::{Missing, Read, SubjectKey};
use crate::kinds::cni::{DaemonSet, Enforcement};

pub(crate) static CONTROL: Control = Control {
    id: "FSP-NET-002",
    title: "The cluster's network plugin enforces NetworkPolicies",
    chapter: "Network Isolation",
    severity: Severities::always(Severity::High),
    rationale: "The API server accepts NetworkPolicies whether or not anything enforces them.",
    audit: "The DaemonSets of known network plugins, in the namespaces where they are installed. One that enforces is enough, even beside others: Calico, Canal, Cilium, Antrea, kube-router, Weave Net, OVN-Kubernetes, OpenShift SDN, Azure NPM, kindnet since August 2024, the AWS plugin with its agent enabled. Fails when there are only others: flannel, the AWS plugin alone. Unknown when there is none, as on k3s, which enforces without a DaemonSet, and on some managed clusters. ConfigMaps are not read: whether Cilium's enable-policy is set to never is left to FSP-NET-005.",
    remediation: "Install a network plugin that enforces NetworkPolicies, or enable it: enableNetworkPolicy of the AWS add-on, network policy of AKS, Dataplane V2 of GKE.",
    reference: "https://fluxcd.io/flux/security/best-practices/#network-isolation",
    reads: &[Read::cluster::<DaemonSet>()],
    parameters: &[],
    judges: Judges::Cluster(judge),
};

fn judge(subject: &ClusterSubject<'_>) -> Result<Outcome, Missing> {
    let mut defects = Vec::new();
    let mut untold = None;
    for (key, agent) in subject.view.table::<DaemonSet>()?.iter() {
        match agent.enforcement {
            Enforcement::On => return Ok(Outcome::Pass),
            Enforcement::NotTold(why) => untold = Some((key, why)),
            Enforcement::Off(why) => defects.push(Defect {
                observed: format!("DaemonSet {key}: {why}"),
                expected: "an agent that enforces NetworkPolicies".to_owned(),
                message: format!("NetworkPolicies are not enforced by DaemonSet {key}: {why}"),
                about: Some(SubjectKey::object::<DaemonSet>(key)),
                ..Defect::default()
            }),
        }
    }
    if let Some((key, why)) = untold {
        return Err(Missing::new("PluginUnclear", format!("DaemonSet {key}: {why}")));
    }
    if defects.is_empty() {
        let message = "no DaemonSet of a known network plugin was found: ask whoever provides the cluster";
        return Err(Missing::new("PluginUnknown", message));
    }
    Ok(Outcome::Fail(defects))
}
