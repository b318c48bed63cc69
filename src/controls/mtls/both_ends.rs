//! FSX-MTLS-003: Both ends of a connection use mTLS.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::flag::{self, Objection};
use super::super::judges::{Judges, Subject};
use super::traffic::{self, End, Standing};
use crate::api::Severity;
use crate::flux::Component;
use crate::inventory::{InstanceKey, Missing, Read};

pub(crate) static CONTROL: Control = Control {
    id: "FSX-MTLS-003",
    title: "Both ends of a connection use mTLS",
    chapter: "Beyond the document: mTLS between controllers",
    severity: Severities::always(Severity::Medium),
    rationale: "mTLS at one end alone fails closed: artifacts are not fetched and events are lost, and what looks protected is at a standstill.",
    audit: "The flags of FSX-MTLS-001 and FSX-MTLS-002 on the command lines of every controller, shards included. Fails for a controller without its flag while one that it talks to has it. Not applicable while no end of the controller uses mTLS.",
    remediation: "Set the flag on every controller of the installation and on every shard, or remove it everywhere.",
    reference: "https://fluxcd.io/flux/installation/configuration/intercontroller-mtls/",
    reads: &[Read::Controllers(&Component::ALL)],
    parameters: &[],
    judges: Judges::Controllers {
        components: &Component::ALL,
        judge,
    },
};

fn judge(subject: &Subject<'_>) -> Result<Outcome, Missing> {
    let (mut defects, mut is_used, mut unknown) = (Vec::new(), false, None);
    for end in End::of(subject.key.component) {
        let own = Standing::of(subject, end);
        is_used |= own.on;
        unknown = unknown.or(own.unknown);
        if !own.off {
            continue;
        }
        match other_with_mtls(subject, end) {
            Ok(Some(other)) => defects.extend(defect(subject, end, other)),
            Ok(None) => {}
            Err(missing) => unknown = unknown.or(Some(missing)),
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

/// A controller at the other end that insists on mTLS; `None`: there is none for sure.
fn other_with_mtls<'a>(subject: &Subject<'a>, end: &End) -> Result<Option<&'a InstanceKey>, Missing> {
    let mut unknown = None;
    for other in end.others() {
        for (key, standing) in traffic::standings(subject.view, other)? {
            if standing.on {
                return Ok(Some(key));
            }
            unknown = unknown.or(standing.unknown);
        }
    }
    unknown.map_or(Ok(None), Err)
}

fn defect(subject: &Subject<'_>, end: &End, other: &InstanceKey) -> Option<Defect> {
    let is_off = |launch: &&_| end.is_on(subject, launch) == Ok(false);
    let launch = subject.instance.launches.iter().find(is_off)?;
    let objection = Objection {
        argument: String::new(),
        observed: format!("does not use mTLS for {}, while {other} does", end.traffic),
        expected: end.expected(),
    };
    Some(flag::defect(subject, launch, objection, &[]))
}
