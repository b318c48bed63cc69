//! FSX-CFG-007: Digests are not made with SHA-1.

use super::super::control::{Control, Outcome, Severities};
use super::super::flag::{self, Objection};
use super::super::judges::{Judges, Subject};
use crate::api::Severity;
use crate::flux::Component;
use crate::flux::command_line::Setting;
use crate::inventory::Missing;

pub(crate) static CONTROL: Control = Control {
    id: "FSX-CFG-007",
    title: "Digests are not made with SHA-1",
    chapter: "Beyond the document: Configuration sanity",
    severity: Severities::always(Severity::Low),
    rationale: "An artifact is trusted by its digest, and SHA-1 collisions are practical.",
    audit: "The command lines of the controller's pods and of its workload's template, evaluated as the controller itself does; the worst one counts. Fails when --artifact-digest-algo or --snapshot-digest-algo is sha1.",
    remediation: "Remove the flag: the default is sha256.",
    reference: "https://fluxcd.io/flux/components/source/options/",
    reads: &[],
    parameters: &[],
    judges: Judges::Controllers {
        components: &[Component::Source, Component::Helm, Component::SourceWatcher],
        judge,
    },
};

fn judge(subject: &Subject<'_>) -> Result<Outcome, Missing> {
    flag::judge(subject, |evaluation| {
        for name in ["artifact-digest-algo", "snapshot-digest-algo"] {
            match evaluation.text(name) {
                Setting::Known {
                    value: "sha1",
                    origin,
                } => {
                    return Ok(Some(Objection {
                        argument: flag::argument(&origin),
                        observed: format!("--{name} is sha1"),
                        expected: format!("--{name}=sha256 (the default)"),
                    }));
                }
                Setting::Known { .. } | Setting::Unsupported => {}
                Setting::Unknown(reason) => return Err(Missing::new("ArgumentNotReadable", reason)),
            }
        }
        Ok(None)
    })
}
