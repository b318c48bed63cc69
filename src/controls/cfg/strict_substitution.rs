//! FSX-CFG-006: Missing substitution variables fail.

use super::super::control::{Control, Outcome, Severities};
use super::super::flag::{self, Objection};
use super::super::judges::{Judges, Subject};
use crate::api::Severity;
use crate::flux::Component;
use crate::flux::command_line::Setting;
use crate::inventory::Missing;

pub(crate) static CONTROL: Control = Control {
    id: "FSX-CFG-006",
    title: "Missing substitution variables fail",
    chapter: "Beyond the document: Configuration sanity",
    severity: Severities::always(Severity::Low),
    rationale: "A missing variable silently becomes an empty string: a host name, a limit or a policy disappears from the manifest.",
    audit: "The command lines of the controller's pods and of its workload's template, evaluated as the controller itself does; the worst one counts. Fails when the feature gate StrictPostBuildSubstitutions is off, which was the default before kustomize-controller 1.9.",
    remediation: "Add --feature-gates=StrictPostBuildSubstitutions=true, or upgrade to Flux 2.9.",
    reference: "https://fluxcd.io/flux/components/kustomize/options/",
    reads: &[],
    parameters: &[],
    judges: Judges::Controllers {
        components: &[Component::Kustomize],
        judge,
    },
};

fn judge(subject: &Subject<'_>) -> Result<Outcome, Missing> {
    flag::judge(subject, |evaluation| {
        let (observed, argument) = match evaluation.gate("StrictPostBuildSubstitutions") {
            Setting::Known { value: true, .. } => return Ok(None),
            Setting::Known { origin, .. } => (
                "the feature gate StrictPostBuildSubstitutions is off",
                flag::argument(&origin),
            ),
            Setting::Unsupported => (
                "this version has no feature gate StrictPostBuildSubstitutions",
                String::new(),
            ),
            Setting::Unknown(reason) => return Err(Missing::new("ArgumentNotReadable", reason)),
        };
        Ok(Some(Objection {
            argument,
            observed: observed.to_owned(),
            expected: "StrictPostBuildSubstitutions on".to_owned(),
        }))
    })
}
