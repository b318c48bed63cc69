//! FSX-MTLS-003: Both ends of a connection use mTLS.

use std::sync::Arc;

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{ClusterSubject, Judges};
use super::traffic::{self, Participant, Side, Traffic};
use crate::api::Severity;
use crate::flux::Component;
use crate::inventory::{InstanceKey, Missing, Read, SubjectKey};

pub(crate) static CONTROL: Control = Control {
    id: "FSX-MTLS-003",
    title: "Both ends of a connection use mTLS",
    chapter: "Beyond the document: mTLS between controllers",
    severity: Severities::always(Severity::Medium),
    rationale: "mTLS at one end alone fails closed: artifacts are not fetched and events are lost. What looks protected stands still.",
    audit: "The flags of FSX-MTLS-001 and FSX-MTLS-002 on the command lines of every controller, shards included. Fails for a controller without its flag while its peer has one. A controller scaled to zero does not count. Not applicable while no end uses mTLS.",
    remediation: "Set the flag on every controller of the installation and on every shard, or remove it everywhere.",
    reference: "https://fluxcd.io/flux/installation/configuration/intercontroller-mtls/",
    reads: &[Read::Controllers(&Component::ALL)],
    parameters: &[],
    judges: Judges::Cluster(judge),
};

fn judge(subject: &ClusterSubject<'_>) -> Result<Outcome, Missing> {
    let (mut defects, mut is_used, mut unknown) = (Vec::new(), false, None);
    for traffic in [Traffic::Artifacts, Traffic::Events] {
        let servers = traffic::participants(subject.view, traffic, Side::Server)?;
        let clients = traffic::participants(subject.view, traffic, Side::Client)?;
        for (own, others) in [(&servers, &clients), (&clients, &servers)] {
            let other = others.iter().find(|it| it.standing.on);
            let unseen = others.iter().find_map(|it| it.standing.unknown.clone());
            for it in own {
                is_used |= it.standing.on;
                unknown = unknown.or_else(|| it.standing.unknown.clone());
                match other {
                    Some(other) if it.standing.off => defects.push(defect(it, other.key)),
                    None if it.standing.off => unknown = unknown.or_else(|| unseen.clone()),
                    _ => {}
                }
            }
        }
    }
    if !defects.is_empty() {
        return Ok(Outcome::Fail(defects));
    }
    match unknown {
        Some(missing) => Err(missing),
        None if is_used => Ok(Outcome::Pass),
        None => Ok(Outcome::not_applicable("mTLS between controllers is off")),
    }
}

/// A controller without mTLS, where one that it talks to insists on it.
fn defect(it: &Participant<'_>, other: &InstanceKey) -> Defect {
    let InstanceKey {
        component, namespace, ..
    } = it.key;
    let observed = format!("does not use mTLS for {}, while {other} does", it.end.traffic);
    Defect {
        message: format!("{component} in namespace {namespace}: {observed}"),
        observed,
        expected: it.end.expected(),
        about: Some(SubjectKey::Controller(Arc::new(it.key.clone()))),
        ..Defect::default()
    }
}
