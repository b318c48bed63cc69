//! FSX-VER-002: The controller belongs to a supported Flux minor release.

use super::super::control::{Control, Outcome, Severities};
use super::super::judges::{Judges, Subject};
use semver::Version;

use super::build;
use crate::api::Severity;
use crate::flux::{Component, distribution};
use crate::inventory::Missing;

pub(crate) static CONTROL: Control = Control {
    id: "FSX-VER-002",
    title: "The controller belongs to a supported Flux minor release",
    chapter: "Beyond the document: Versions",
    severity: Severities::always(Severity::High),
    rationale: "The Flux project supports the last three minor releases. Older ones get no fixes, not even for vulnerabilities.",
    audit: "The Flux minor that the controller's version belongs to, by the releases that this catalogue knows. Unknown when the image does not show its version, when the version is newer than the catalogue, and for vendor builds, because vendors choose what they support.",
    remediation: "Upgrade Flux, minor by minor.",
    reference: "https://fluxcd.io/flux/releases/",
    reads: &[],
    parameters: &[],
    judges: Judges::Controllers {
        components: &Component::ALL,
        judge,
    },
};

/// How many minors are supported.
const SUPPORTED: u64 = 3;

fn judge(subject: &Subject<'_>) -> Result<Outcome, Missing> {
    let version = build::upstream_version(subject)?;
    let newest = distribution::newest_flux();
    let oldest = newest.minor + 1 - SUPPORTED;
    let listed = distribution::flux_minor_of(subject.key.component, version);
    if listed.is_some_and(|(_, minor)| minor >= oldest) {
        return Ok(Outcome::Pass);
    }
    let expected = format!(
        "Flux {}.{oldest} to {0}.{}, the supported minors as of Flux {newest}",
        newest.major, newest.minor
    );
    let Some((major, minor)) = listed else {
        return unlisted(subject, version, expected);
    };
    let observed = format!("version {version} is of Flux {major}.{minor}");
    Ok(Outcome::fail(build::defect(subject, observed, expected)))
}

/// A version that no listed release ships: newer than all of them, or of a minor that is long gone.
fn unlisted(subject: &Subject<'_>, version: &Version, expected: String) -> Result<Outcome, Missing> {
    let newest = distribution::newest(subject.key.component);
    if newest.is_none_or(|newest| *version > newest) {
        let message = format!("{}: version {version} is newer than this catalogue", subject.key);
        return Err(Missing::new("NewerThanCatalogue", message));
    }
    let observed = format!("version {version} belongs to no supported Flux minor release");
    Ok(Outcome::fail(build::defect(subject, observed, expected)))
}
