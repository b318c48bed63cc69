//! FSX-MTLS-002: Events travel by mTLS.

use super::super::control::{Control, Outcome, Severities};
use super::super::judges::{ClusterSubject, Judges};
use super::traffic::{self, Traffic};
use crate::api::Severity;
use crate::flux::Component;
use crate::inventory::{Missing, Read};

pub(crate) static CONTROL: Control = Control {
    id: "FSX-MTLS-002",
    title: "Events travel by mTLS",
    chapter: "Beyond the document: mTLS between controllers",
    severity: Severities::always(Severity::Info),
    rationale: "Whoever reaches the port of notification-controller can send events in the name of any object, and alerts repeat what they say. Without mTLS only NetworkPolicies protect it.",
    audit: "--authorized-event-server-spiffe-id of every controller that sends events, and the flag of notification-controller that names those who may send. Passes when every one that runs has its flag. The exact names of notification-controller's flags are not known to this catalogue: a flag counts when its name contains event and a ready pod has accepted it, and is unknown otherwise. Where mTLS is off, a person has to look: it is optional, available since Flux 2.10. Not applicable before notification-controller 1.10.",
    remediation: "Issue X.509-SVIDs to the controllers, then set the flags to exact IDs at both ends in one change: with one end alone, events are lost.",
    reference: "https://fluxcd.io/flux/installation/configuration/intercontroller-mtls/",
    reads: &[Read::Controllers(&Component::ALL)],
    parameters: &[],
    judges: Judges::Cluster(judge),
};

fn judge(subject: &ClusterSubject<'_>) -> Result<Outcome, Missing> {
    traffic::report(subject.view, Traffic::Events, Component::Notification, (1, 10, 0))
}
