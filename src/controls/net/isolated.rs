//! FSP-NET-001: NetworkPolicies isolate Flux's controllers.

use super::super::control::{Control, Outcome, Severities};
use super::super::judges::{Judges, Subject};
use super::closed::{self, ENDPOINT};
use crate::api::Severity;
use crate::flux::Component;
use crate::inventory::ingress::Admitted;
use crate::inventory::{Ingress, Missing, Read};
use crate::kinds::crd::CustomResourceDefinition;
use crate::kinds::network_policy::NetworkPolicy;

pub(crate) static CONTROL: Control = Control {
    id: "FSP-NET-001",
    title: "NetworkPolicies isolate Flux's controllers",
    chapter: "Network Isolation",
    severity: Severities::always(Severity::High),
    rationale: "The controllers serve artifacts and take events without asking who the caller is: only the network keeps others out.",
    audit: "The NetworkPolicies that select the controller's pods, by the labels of its template and of each pod. Fails when no policy covers their ingress, when one admits everybody to port 9090, and for pods on the host network, where no policy applies. Unknown when CustomResourceDefinitions of a network plugin's own policies exist and the NetworkPolicies alone do not fail: those may open or close access, and are not read.",
    remediation: "Install Flux with its NetworkPolicies: flux install without --network-policy=false, networkPolicy: true in a FluxInstance, policies.create: true in the Helm chart. A controller in another namespace needs its own.",
    reference: "https://fluxcd.io/flux/installation/configuration/optional-components/#network-policies",
    reads: &[
        Read::namespace::<NetworkPolicy>(),
        Read::cluster::<CustomResourceDefinition>(),
    ],
    parameters: &[],
    judges: Judges::Controllers {
        components: &Component::ALL,
        judge,
    },
};

fn judge(subject: &Subject<'_>) -> Result<Outcome, Missing> {
    if let Some(defect) = closed::on_host(subject) {
        return Ok(Outcome::fail(defect));
    }
    let pods = closed::ingress(subject)?;
    for pod in &pods {
        let mut admitted = pod.at(ENDPOINT);
        if let Some((policy, _)) = admitted.find(|(_, who)| *who == Admitted::Everybody) {
            let observed = format!("is open at port {ENDPOINT}: NetworkPolicy {policy} admits everybody");
            let expected = "policies that admit chosen namespaces".to_owned();
            return Ok(Outcome::fail(closed::opened_by(
                subject, policy, observed, expected,
            )));
        }
    }
    closed::only_network_policies(subject.view)?;
    if !pods.iter().any(Ingress::is_open) {
        return Ok(Outcome::Pass);
    }
    let observed = "is selected by no NetworkPolicy with ingress".to_owned();
    let expected = "a NetworkPolicy that selects its pods".to_owned();
    Ok(Outcome::fail(closed::defect(subject, observed, expected)))
}
