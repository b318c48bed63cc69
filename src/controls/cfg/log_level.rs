//! FSX-CFG-003: The controller does not log at debug level.

use super::super::control::{Control, Outcome, Parameter, Severities};
use super::super::flag::{self, Objection};
use super::super::judges::{Judges, Subject};
use crate::api::Severity;
use crate::flux::Component;
use crate::flux::command_line::Setting;
use crate::inventory::Missing;

pub(crate) static CONTROL: Control = Control {
    id: "FSX-CFG-003",
    title: "The controller does not log at debug level",
    chapter: "Beyond the document: Configuration sanity",
    severity: Severities::always(Severity::Info),
    rationale: "At the levels debug and trace a controller logs what it reads and sends. Logs travel further and are kept longer than the objects themselves.",
    audit: "The command lines of the controller's pods and of its workload's template, evaluated as the controller itself does; the worst one counts. Fails when --log-level is debug or trace.",
    remediation: "Remove --log-level=debug or trace.",
    reference: "https://fluxcd.io/flux/components/kustomize/options/",
    reads: &[],
    parameters: &[Parameter {
        name: "level",
        values: &["debug", "trace"],
        about: "The first level that fails: `trace` tolerates debug.",
    }],
    judges: Judges::Controllers {
        components: &Component::ALL,
        judge,
    },
};

fn judge(subject: &Subject<'_>) -> Result<Outcome, Missing> {
    let tolerated = CONTROL.parameter("level", subject.parameters) == "trace";
    flag::judge(subject, |evaluation| {
        let (value, origin) = match evaluation.text("log-level") {
            Setting::Known { value, origin } => (value, origin),
            Setting::Unsupported => return Ok(None),
            Setting::Unknown(reason) => return Err(Missing::new("ArgumentNotReadable", reason)),
        };
        if value != "trace" && (value != "debug" || tolerated) {
            return Ok(None);
        }
        Ok(Some(Objection {
            argument: flag::argument(&origin),
            observed: format!("logs at {value}"),
            expected: "--log-level=info or error".to_owned(),
        }))
    })
}
