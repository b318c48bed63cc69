//! FSX-VER-004: The controllers of an installation belong together.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{Judges, NamespaceSubject};
use crate::api::Severity;
use crate::flux::{Component, distribution};
use crate::inventory::{Missing, Read};

pub(crate) static CONTROL: Control = Control {
    id: "FSX-VER-004",
    title: "The controllers of an installation belong together",
    chapter: "Beyond the document: Versions",
    severity: Severities::always(Severity::Medium),
    rationale: "The controllers of one Flux release are tested with each other and with its CustomResourceDefinitions. An upgrade that stopped halfway leaves some behind.",
    audit: "The Flux minor of each controller of a namespace, by its version. Fails when two are more than one minor apart. Unknown when one does not show its version.",
    remediation: "Finish the upgrade: run flux install or flux bootstrap with one version.",
    reference: "https://fluxcd.io/flux/installation/upgrade/",
    reads: &[Read::Controllers(&Component::ALL)],
    parameters: &[],
    judges: Judges::Namespaces(judge),
};

fn judge(subject: &NamespaceSubject<'_>) -> Result<Outcome, Missing> {
    let mut minors = Vec::new();
    for component in Component::ALL {
        for (key, instance) in subject.view.accepted_controllers(component)? {
            if &*key.namespace != subject.name {
                continue;
            }
            let version = instance.version.as_ref();
            let minor = version.and_then(|version| distribution::flux_minor_of(component, version));
            let minor = minor.ok_or_else(|| {
                Missing::new(
                    "VersionUnknown",
                    format!(
                        "{key}: which Flux release {} belongs to is not known",
                        instance.image
                    ),
                )
            })?;
            minors.push((minor, component));
        }
    }
    let (Some(first), Some(last)) = (minors.iter().min(), minors.iter().max()) else {
        return Ok(Outcome::not_applicable("no Flux controller runs there"));
    };
    if last.0.1 - first.0.1 <= 1 {
        return Ok(Outcome::Pass);
    }
    let of = |((major, minor), component): &((u64, u64), Component)| {
        format!("{component} is of Flux {major}.{minor}")
    };
    let observed = format!("{}, {}", of(first), of(last));
    Ok(Outcome::fail(Defect {
        message: format!("in namespace {}: {observed}", subject.name),
        observed,
        expected: "controllers of one Flux release".to_owned(),
        ..Defect::default()
    }))
}
