//! FSX-CFG-004: No flag is set twice.

use super::super::control::{Control, Outcome, Severities};
use super::super::flag::{self, Objection};
use super::super::judges::{Judges, Subject};
use crate::api::Severity;
use crate::flux::Component;
use crate::flux::command_line::Evaluation;
use crate::flux::command_line::amend::repeated;
use crate::inventory::Missing;

pub(crate) static CONTROL: Control = Control {
    id: "FSX-CFG-004",
    title: "No flag is set twice",
    chapter: "Beyond the document: Configuration sanity",
    severity: Severities::always(Severity::Medium),
    rationale: "When a flag is set twice, the last one wins, and whoever reads only the first is misled. Patches that append arguments create such pairs.",
    audit: "The command lines of the controller's pods and of its workload's template, evaluated as the controller itself does; the worst one counts. Fails when a flag that takes one value is set more than once; lists and feature gates may repeat.",
    remediation: "Remove the setting that is not in force.",
    reference: "https://fluxcd.io/flux/components/kustomize/options/",
    reads: &[],
    parameters: &[],
    judges: Judges::Controllers {
        components: &Component::ALL,
        judge,
    },
};

fn judge(subject: &Subject<'_>) -> Result<Outcome, Missing> {
    flag::judge(subject, |evaluation| Ok(repetition(evaluation)))
}

fn repetition(evaluation: &Evaluation) -> Option<Objection> {
    let (name, occurrences) = repeated(evaluation)?;
    let last = occurrences.last()?;
    Some(Objection {
        argument: last.raw.clone(),
        observed: format!(
            "--{name} is set {} times, {} is in force",
            occurrences.len(),
            last.raw
        ),
        expected: format!("--{name} once"),
    })
}
