//! FSX-VER-003: The controller is at the newest patch of its minor release.

use super::super::control::{Control, Outcome, Severities};
use super::super::judges::{Judges, Subject};
use super::build;
use crate::api::Severity;
use crate::flux::{Component, distribution};
use crate::inventory::Missing;

pub(crate) static CONTROL: Control = Control {
    id: "FSX-VER-003",
    title: "The controller is at the newest patch of its minor release",
    chapter: "Beyond the document: Versions",
    severity: Severities::always(Severity::Medium),
    rationale: "Flux patch releases fix defects and vulnerabilities, and change nothing else.",
    audit: "The controller's version against the newest patch of the same minor that this catalogue knows. A patch that it does not know passes. Unknown when the image does not show its version, and for vendor builds.",
    remediation: "Upgrade Flux to the newest patch of its minor.",
    reference: "https://github.com/fluxcd/flux2/releases",
    reads: &[],
    parameters: &[],
    judges: Judges::Controllers {
        components: &Component::ALL,
        judge,
    },
};

fn judge(subject: &Subject<'_>) -> Result<Outcome, Missing> {
    let version = build::upstream_version(subject)?;
    let Some(newest) = distribution::newest_patch(subject.key.component, version) else {
        return Ok(Outcome::not_applicable("no release of this minor is known"));
    };
    if (version.major, version.minor, version.patch) >= (newest.major, newest.minor, newest.patch) {
        return Ok(Outcome::Pass);
    }
    let observed = format!("version {version} is older than {newest}");
    let expected = format!("version {newest} or later");
    Ok(Outcome::fail(build::defect(subject, observed, expected)))
}
