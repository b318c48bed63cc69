//! FSX-CFG-008: No setting for exceptional situations is left in place.

use super::super::control::{Control, Outcome, Severities};
use super::super::flag::{self, Objection};
use super::super::judges::{Judges, Subject};
use crate::api::Severity;
use crate::flux::Component;
use crate::flux::command_line::{Evaluation, Origin, Setting};
use crate::inventory::Missing;

pub(crate) static CONTROL: Control = Control {
    id: "FSX-CFG-008",
    title: "No setting for exceptional situations is left in place",
    chapter: "Beyond the document: Configuration sanity",
    severity: Severities::always(Severity::Info),
    rationale: "--override-manager-before-dry-run takes fields away from whoever manages them, to get out of a deadlock. Left in place, it does so at every reconciliation. The feature gate DisableCommitStatusEvent drops the events that tell Git whether a commit was applied.",
    audit: "The command lines of the controller's pods and of its workload's template, evaluated as the controller itself does; the worst one counts. Fails when --override-manager-before-dry-run is set, or the feature gate DisableCommitStatusEvent is on.",
    remediation: "Remove the setting once the objects reconcile again.",
    reference: "https://fluxcd.io/flux/components/kustomize/options/",
    reads: &[],
    parameters: &[],
    judges: Judges::Controllers {
        components: &[Component::Kustomize],
        judge,
    },
};

const OVERRIDE: &str = "override-manager-before-dry-run";
const NO_COMMIT_STATUS: &str = "DisableCommitStatusEvent";

fn judge(subject: &Subject<'_>) -> Result<Outcome, Missing> {
    flag::judge(subject, |evaluation| {
        let seizes = seizes_fields(evaluation)?;
        Ok(seizes.or(drops_events(evaluation)?))
    })
}

fn seizes_fields(evaluation: &Evaluation) -> Result<Option<Objection>, Missing> {
    match evaluation.list(OVERRIDE) {
        Setting::Known { value: [], .. } | Setting::Unsupported => Ok(None),
        Setting::Known { value, origin } => Ok(Some(objection(
            &origin,
            format!("takes fields away from {}", value.join(", ")),
            format!("no --{OVERRIDE}"),
        ))),
        Setting::Unknown(reason) => Err(Missing::new("ArgumentNotReadable", reason)),
    }
}

fn drops_events(evaluation: &Evaluation) -> Result<Option<Objection>, Missing> {
    match evaluation.gate(NO_COMMIT_STATUS) {
        Setting::Known { value: true, origin } => Ok(Some(objection(
            &origin,
            format!("the feature gate {NO_COMMIT_STATUS} is on"),
            format!("{NO_COMMIT_STATUS} off"),
        ))),
        Setting::Known { .. } | Setting::Unsupported => Ok(None),
        Setting::Unknown(reason) => Err(Missing::new("ArgumentNotReadable", reason)),
    }
}

fn objection(origin: &Origin, observed: String, expected: String) -> Objection {
    Objection {
        argument: flag::argument(origin),
        observed,
        expected,
    }
}
