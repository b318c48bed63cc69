//! FSP-RES-002: No object has two controllers.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{Judges, Subject};
use super::lane;
use crate::api::Severity;
use crate::flux::Component;
use crate::flux::selector::Overlap;
use crate::inventory::{Missing, Read};

pub(crate) static CONTROL: Control = Control {
    id: "FSP-RES-002",
    title: "No object has two controllers",
    chapter: "Resource Isolation",
    severity: Severities::always(Severity::High),
    rationale: "Two controllers that reconcile one object undo each other's work, and the one with more rights decides what a tenant gets.",
    audit: "What each controller watches, compared with every other running controller of its type: --watch-all-namespaces with the variable RUNTIME_NAMESPACE, and --watch-label-selector, read as Kubernetes reads it. Fails when one object can be watched by both. Unknown when a comparison by < or > decides.",
    remediation: "Give the main controller --watch-label-selector=!sharding.fluxcd.io/key, and each shard sharding.fluxcd.io/key=<its own name>.",
    reference: "https://fluxcd.io/flux/installation/configuration/sharding/",
    reads: &[Read::Peers],
    parameters: &[],
    judges: Judges::Controllers {
        components: &Component::ALL,
        judge,
    },
};

fn judge(subject: &Subject<'_>) -> Result<Outcome, Missing> {
    if subject.instance.inactive {
        return Ok(Outcome::not_applicable("the controller does not run"));
    }
    let others = lane::others(subject)?;
    if others.is_empty() {
        return Ok(Outcome::not_applicable(
            "the controller is the only one of its type",
        ));
    }
    let own = lane::lanes(subject.instance)?;
    let mut defects = Vec::new();
    let mut undecided = None;
    for (key, instance) in others {
        let theirs = lane::lanes(instance)?;
        let pairs = own
            .iter()
            .flat_map(|own| theirs.iter().map(|their| own.overlap(their)));
        let overlaps: Vec<Overlap> = pairs.collect();
        if overlaps.contains(&Overlap::Possible) {
            let other = format!("{} {}/{}", key.kind, key.namespace, key.name);
            defects.push(Defect {
                field: "--watch-label-selector".to_owned(),
                message: format!("{} and {other} can watch the same object", subject.key),
                observed: format!("overlaps with {other}"),
                expected: "selectors that exclude each other".to_owned(),
                ..Defect::default()
            });
        } else if overlaps.contains(&Overlap::Undecided) {
            undecided = Some(key);
        }
    }
    match undecided {
        Some(key) if defects.is_empty() => Err(Missing::new(
            "SelectorNotDecided",
            format!(
                "whether {} and {key} exclude each other depends on < or >",
                subject.key
            ),
        )),
        _ => Ok(Outcome::from_defects(defects)),
    }
}
