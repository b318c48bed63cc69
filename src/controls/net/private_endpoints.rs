//! FSP-NET-003: Artifacts and events stay within Flux's namespace.

use super::super::control::{Control, Outcome, Severities};
use super::super::judges::{Judges, Subject};
use super::closed::{self, ENDPOINT};
use crate::api::{INSTALL_NAMESPACE, Severity};
use crate::flux::Component;
use crate::inventory::ingress::Admitted;
use crate::inventory::{Ingress, Missing, Read};
use crate::kinds::crd::CustomResourceDefinition;
use crate::kinds::namespace::Namespace;
use crate::kinds::network_policy::{NetworkPolicy, Peer};

pub(crate) static CONTROL: Control = Control {
    id: "FSP-NET-003",
    title: "Artifacts and events stay within Flux's namespace",
    chapter: "Network Isolation",
    severity: Severities::always(Severity::High),
    rationale: "Port 9090 of source-controller and source-watcher serves the artifacts of every tenant to anyone who asks. Port 9090 of notification-controller accepts events in the name of any object from anyone who sends them.",
    audit: "Who may reach port 9090 of source-controller, source-watcher and notification-controller, by all NetworkPolicies together. Fails when pods of another namespace may; flux-security-system may read artifacts, because this operator runs there and scans them. The policy allow-webhooks fails before Flux 2.9.4 and in the Helm chart, because it names no port. Unknown for an IP block, which may include pods, and when CustomResourceDefinitions of a network plugin's own policies exist. Port 8080, which serves metrics and profiles, is not judged.",
    remediation: "Upgrade to Flux 2.9.4 or later, or patch allow-webhooks to admit port 9292 only. Remove any other policy that admits other namespaces to port 9090.",
    reference: "https://fluxcd.io/flux/flux-e2e/",
    reads: &[
        Read::namespace::<NetworkPolicy>(),
        Read::cluster::<Namespace>(),
        Read::cluster::<CustomResourceDefinition>(),
    ],
    parameters: &[],
    judges: Judges::Controllers {
        components: &[
            Component::Source,
            Component::SourceWatcher,
            Component::Notification,
        ],
        judge,
    },
};

fn judge(subject: &Subject<'_>) -> Result<Outcome, Missing> {
    if let Some(defect) = closed::on_host(subject) {
        return Ok(Outcome::fail(defect));
    }
    let pods = closed::ingress(subject)?;
    let mut undecided = closed::only_network_policies(subject.view);
    for pod in &pods {
        for (policy, who) in pod.at(ENDPOINT) {
            match others(subject, who) {
                Ok(None) => {}
                Ok(Some(others)) => {
                    let why = format!("NetworkPolicy {policy} admits {others}");
                    let (observed, expected) = reachable(&why);
                    return Ok(Outcome::fail(closed::opened_by(
                        subject, policy, observed, expected,
                    )));
                }
                Err(missing) => undecided = undecided.and(Err(missing)),
            }
        }
    }
    undecided?;
    if pods.iter().any(Ingress::is_open) {
        let (observed, expected) = reachable("no NetworkPolicy selects it");
        return Ok(Outcome::fail(closed::defect(subject, observed, expected)));
    }
    Ok(Outcome::Pass)
}

/// What was observed, and what is expected.
fn reachable(why: &str) -> (String, String) {
    let observed = format!("can be reached from other namespaces at port {ENDPOINT}: {why}");
    (observed, "ingress from its own namespace only".to_owned())
}

/// Who of other namespaces is admitted.
fn others(subject: &Subject<'_>, admitted: Admitted<'_>) -> Result<Option<String>, Missing> {
    let namespaces = match admitted {
        Admitted::Everybody => return Ok(Some("everybody".to_owned())),
        Admitted::Peer(Peer::Addresses { cidr, .. }) => {
            let message = format!(
                "{}: whether pods have addresses of {cidr} is not known",
                subject.key
            );
            return Err(Missing::new("AddressesNotKnown", message));
        }
        Admitted::Peer(Peer::Pods { namespaces, .. }) => namespaces,
    };
    let Some(selector) = namespaces else {
        return Ok(None);
    };
    // Its labels are the pod's own choice, so that any pod of the namespace may get in.
    let mut rows = subject.view.table::<Namespace>()?.iter();
    let other = rows.find(|(key, row)| !may_come(subject, &key.name) && selector.matches(&row.labels));
    Ok(other.map(|(key, _)| format!("pods of namespace {key}")))
}

/// Whether pods of a namespace may come: its own, and those of this operator for artifacts (`config/artifact-scan`).
fn may_come(subject: &Subject<'_>, namespace: &str) -> bool {
    let serves_artifacts = subject.key.component != Component::Notification;
    namespace == &*subject.key.namespace || serves_artifacts && namespace == INSTALL_NAMESPACE
}
