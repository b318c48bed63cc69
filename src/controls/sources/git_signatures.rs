//! FSX-SRC-001: Commits and tags of Git sources are verified.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{Each, Judges, ObjectSubject};
use super::verification;
use crate::api::Severity;
use crate::inventory::Missing;
use crate::kinds::flux_objects::GitRepository;

pub(crate) static CONTROL: Control = Control {
    id: "FSX-SRC-001",
    title: "Commits and tags of Git sources are verified",
    chapter: "Beyond the document: Sources",
    severity: Severities::always(Severity::Medium),
    rationale: "Without verification whoever can push to the repository, or stands in for its host, decides what runs in the cluster.",
    audit: "spec.verify of each GitRepository and its condition SourceVerified of the current generation. Fails when verify is absent, when the signature is refused, or when the source is Ready without having been verified; with a lower severity when recurseSubmodules fetches what nobody verifies. Before source-controller 1.10 the condition stays True after the keys were changed. An included repository is a GitRepository of its own, and judged as such.",
    remediation: "Set spec.verify with mode HEAD or TagAndHEAD and a Secret that holds the public keys of those who may sign.",
    reference: "https://fluxcd.io/flux/components/source/gitrepositories/#verification",
    reads: &[],
    parameters: &[],
    judges: Judges::Objects(&[&Each::<GitRepository>(judge)]),
};

fn judge(subject: &ObjectSubject<'_, GitRepository>) -> Result<Outcome, Missing> {
    if subject.row.spec.verify.is_none() {
        return Ok(verification::absent(
            "spec.verify",
            "spec.verify is not set",
            "spec.verify with public keys",
        ));
    }
    let judged = verification::judge(&subject.row.status)?;
    if judged != Outcome::Pass || !subject.row.spec.recurse_submodules {
        return Ok(judged);
    }
    let observed = "its submodules are fetched, and nobody verifies them";
    Ok(Outcome::fail(Defect {
        field: "spec.recurseSubmodules".to_owned(),
        observed: observed.to_owned(),
        expected: "no submodules, or sources of their own for them".to_owned(),
        message: observed.to_owned(),
        severity: Some(Severity::Low),
        ..Defect::default()
    }))
}
