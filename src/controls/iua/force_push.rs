//! FSX-IUA-004: image-automation-controller does not overwrite branches.

use super::super::control::{Control, Outcome, Severities};
use super::super::flag;
use super::super::judges::{Judges, Subject};
use crate::api::Severity;
use crate::flux::Component;
use crate::inventory::Missing;

pub(crate) static CONTROL: Control = Control {
    id: "FSX-IUA-004",
    title: "image-automation-controller does not overwrite branches",
    chapter: "Beyond the document: Image automation",
    severity: Severities::always(Severity::Low),
    rationale: "By default the controller force-pushes to a push branch other than the one it checked out: commits that others made there are lost.",
    audit: "The command lines of the controller's pods and of its workload's template, evaluated as the controller itself does; the worst one counts. Fails when the feature gate GitForcePushBranch is on, which is its default.",
    remediation: "Add --feature-gates=GitForcePushBranch=false, at least where people or several automations share a push branch.",
    reference: "https://fluxcd.io/flux/components/image/imageupdateautomations/#push",
    reads: &[],
    parameters: &[],
    judges: Judges::Controllers {
        components: &[Component::ImageAutomation],
        judge,
    },
};

fn judge(subject: &Subject<'_>) -> Result<Outcome, Missing> {
    flag::gate_must_be_off(subject, "GitForcePushBranch")
}
