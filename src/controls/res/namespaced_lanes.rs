//! FSP-RES-003: A controller for one namespace stays in it.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::flag;
use super::super::judges::{Judges, Subject};
use super::lane::{self, Lane};
use crate::api::Severity;
use crate::flux::Component;
use crate::inventory::{Missing, Read};

pub(crate) static CONTROL: Control = Control {
    id: "FSP-RES-003",
    title: "A controller for one namespace stays in it",
    chapter: "Resource Isolation",
    severity: Severities::always(Severity::Medium),
    rationale: "With --watch-all-namespaces=false the variable RUNTIME_NAMESPACE names the namespace. When it is empty, the controller watches all namespaces, and nothing says so.",
    audit: "The command lines with --watch-all-namespaces=false. Fails when RUNTIME_NAMESPACE is empty or names a namespace other than the controller's, and when another running controller of the type watches all namespaces without a selector.",
    remediation: "Set RUNTIME_NAMESPACE from metadata.namespace, as Flux's manifests do, and narrow the other controller by --watch-label-selector.",
    reference: "https://fluxcd.io/flux/security/best-practices/#resource-isolation",
    reads: &[Read::Peers],
    parameters: &[],
    judges: Judges::Controllers {
        components: &Component::ALL,
        judge,
    },
};

fn judge(subject: &Subject<'_>) -> Result<Outcome, Missing> {
    let own = lane::lanes(subject.instance)?;
    let narrow: Vec<&Lane> = own.into_iter().filter(|lane| lane.is_narrow).collect();
    if narrow.is_empty() {
        return Ok(Outcome::not_applicable(
            "the controller is meant to watch all namespaces",
        ));
    }
    let here = &*subject.key.namespace;
    for lane in narrow {
        match lane.namespace.as_deref() {
            None => {
                return Ok(fail(
                    subject,
                    "RUNTIME_NAMESPACE is empty: it watches all namespaces",
                ));
            }
            Some(name) if name != here => {
                return Ok(fail(subject, &format!("RUNTIME_NAMESPACE is {name}")));
            }
            Some(_) => {}
        }
    }
    for (key, instance) in lane::others(subject)? {
        let lanes = lane::lanes(instance)?;
        let is_open = |lane: &Lane| lane.namespace.is_none() && lane.selector.selects_everything();
        if lanes.into_iter().any(is_open) {
            return Ok(fail(subject, &format!("{key} watches its namespace too")));
        }
    }
    Ok(Outcome::Pass)
}

fn fail(subject: &Subject<'_>, observed: &str) -> Outcome {
    Outcome::fail(Defect {
        field: "--watch-all-namespaces".to_owned(),
        message: format!("{}: {observed}", subject.key),
        observed: observed.to_owned(),
        expected: "one controller for its own namespace".to_owned(),
        severity: flag::weight(subject),
        ..Defect::default()
    })
}
