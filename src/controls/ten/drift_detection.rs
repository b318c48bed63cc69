//! FSX-TEN-008: HelmReleases notice what others change.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{Each, Judges, ObjectSubject};
use crate::api::Severity;
use crate::kinds::flux_objects::HelmRelease;

pub(crate) static CONTROL: Control = Control {
    id: "FSX-TEN-008",
    title: "HelmReleases notice what others change",
    chapter: "Beyond the document: Tenancy",
    severity: Severities::always(Severity::Low),
    rationale: "By default a HelmRelease looks at the cluster only when its chart or values change. What somebody changes by hand stays, and nobody is told.",
    audit: "spec.driftDetection.mode of each HelmRelease. Fails unless it is enabled or warn.",
    remediation: "Set spec.driftDetection.mode to enabled, or to warn where others have to change fields.",
    reference: "https://fluxcd.io/flux/components/helm/helmreleases/#drift-detection",
    reads: &[],
    parameters: &[],
    judges: Judges::Objects(&[&Each::<HelmRelease>(|subject| Ok(judge(subject)))]),
};

fn judge(subject: &ObjectSubject<'_, HelmRelease>) -> Outcome {
    let mode = subject.row.spec.drift_detection.as_ref();
    let observed = match mode.map_or("", |drift| drift.mode.as_str()) {
        "enabled" | "warn" => return Outcome::Pass,
        "" => "spec.driftDetection.mode is not set".to_owned(),
        other => format!("spec.driftDetection.mode is {other}"),
    };
    Outcome::fail(Defect {
        field: "spec.driftDetection.mode".to_owned(),
        message: observed.clone(),
        observed,
        expected: "enabled or warn".to_owned(),
        ..Defect::default()
    })
}
