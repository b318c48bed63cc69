//! FSX-CFG-001: The controller accepts its arguments.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::flag::{self, Objection};
use super::super::judges::{Judges, Subject};
use crate::api::Severity;
use crate::flux::Component;
use crate::flux::command_line::{Evaluation, Startup};
use crate::flux::flags::{self, FlagType};
use crate::inventory::Missing;

pub(crate) static CONTROL: Control = Control {
    id: "FSX-CFG-001",
    title: "The controller accepts its arguments",
    chapter: "Beyond the document: Configuration sanity",
    severity: Severities::always(Severity::High),
    rationale: "A controller that refuses its arguments exits at once. Pods of the old template keep running, and the change silently does not take effect.",
    audit: "The command lines of every controller, against the flags and feature gates of exactly its version. Fails when the process would exit. A feature gate that the version accepts and ignores is a finding of severity Info.",
    remediation: "Correct the argument; `fluxsec audit` names it and what is wrong with it.",
    reference: "https://fluxcd.io/flux/components/kustomize/options/",
    reads: &[],
    parameters: &[],
    judges: Judges::Controllers {
        components: &Component::ALL,
        judge,
    },
};

fn judge(subject: &Subject<'_>) -> Result<Outcome, Missing> {
    let mut unknown = None;
    for launch in &subject.instance.launches {
        match &launch.evaluation.startup {
            Startup::Starts if flag::is_accepted(subject, launch) => {}
            Startup::Starts => {
                let unread = unread_value(subject.key.component, &launch.evaluation);
                unknown = unread.map(not_readable).or(unknown);
            }
            Startup::Unknown(_) if flag::is_understood(subject, launch) => {}
            Startup::Unknown(reason) => unknown = Some(Missing::new("CommandNotReadable", reason.clone())),
            Startup::Exits { cause, .. } if flag::is_accepted(subject, launch) => {
                let message = format!(
                    "{} runs, although {cause}: its arguments are not understood",
                    subject.key
                );
                unknown = Some(Missing::new("ModelMismatch", message));
            }
            Startup::Exits { cause, .. } => {
                let objection = Objection {
                    argument: String::new(),
                    observed: format!("cannot start: {cause}"),
                    expected: "arguments that this version accepts".to_owned(),
                };
                return Ok(Outcome::fail(flag::defect(subject, launch, objection, &[])));
            }
        }
    }
    match unknown {
        Some(missing) => Err(missing),
        None => Ok(ignored_gates(subject)),
    }
}

/// Gates that this version accepts and ignores: whoever set them may believe in them.
fn ignored_gates(subject: &Subject<'_>) -> Outcome {
    let mut defects: Vec<Defect> = Vec::new();
    for launch in &subject.instance.launches {
        for gate in launch.evaluation.retired_gates() {
            let objection = Objection {
                argument: flag::argument(&gate.origin),
                observed: format!(
                    "sets the feature gate {}={}, which this version ignores",
                    gate.name, gate.value
                ),
                expected: format!("no {}", gate.name),
            };
            let defect = Defect {
                severity: Some(Severity::Info),
                ..flag::defect(subject, launch, objection, &["template", "pod"])
            };
            if !defects.contains(&defect) {
                defects.push(defect);
            }
        }
    }
    Outcome::from_defects(defects)
}

/// The first flag whose value could not be read and may be refused; every text is accepted.
fn unread_value(component: Component, evaluation: &Evaluation) -> Option<&'static str> {
    let unread = |name: &str| {
        let mut occurrences = evaluation.occurrences(name).iter();
        occurrences.any(|occurrence| occurrence.value.is_none())
    };
    flags::flags(component)
        .iter()
        .filter(|flag| !matches!(flag.kind, FlagType::String | FlagType::StringArray))
        .map(|flag| flag.name)
        .find(|name| unread(name))
}

fn not_readable(flag: &str) -> Missing {
    let message = format!("the value of --{flag} cannot be read, and this version may refuse it");
    Missing::new("ArgumentNotReadable", message)
}
