//! FSX-IUA-002: Commits of image updates are signed where signatures are verified.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{Each, Judges, ObjectSubject};
use super::repository;
use crate::api::Severity;
use crate::inventory::{Missing, Read};
use crate::kinds::flux_objects::{GitRepository, ImageUpdateAutomation};

pub(crate) static CONTROL: Control = Control {
    id: "FSX-IUA-002",
    title: "Commits of image updates are signed where signatures are verified",
    chapter: "Beyond the document: Image automation",
    severity: Severities::always(Severity::Medium),
    rationale: "A GitRepository that verifies signatures refuses the commits of an automation that does not sign, and deployment stops; the usual workaround is to stop verifying.",
    audit: "spec.git.commit.signingKey of each ImageUpdateAutomation. Fails when it is not set and the GitRepository verifies signatures. Not applicable when it does not.",
    remediation: "Name in spec.git.commit.signingKey.secretRef a Secret with a PGP key, or since Flux 2.9 an SSH key, and add its public part to the keys of the GitRepository.",
    reference: "https://fluxcd.io/flux/components/image/imageupdateautomations/#signing-key",
    reads: &[Read::cluster::<GitRepository>()],
    parameters: &[],
    judges: Judges::Objects(&[&Each::<ImageUpdateAutomation>(judge)]),
};

fn judge(subject: &ObjectSubject<'_, ImageUpdateAutomation>) -> Result<Outcome, Missing> {
    if repository(subject)?.spec.verify.is_none() {
        return Ok(Outcome::not_applicable(
            "the GitRepository does not verify signatures",
        ));
    }
    if subject.row.spec.git.commit.signing_key.is_some() {
        return Ok(Outcome::Pass);
    }
    let observed =
        "spec.git.commit.signingKey is not set, and the GitRepository verifies signatures".to_owned();
    Ok(Outcome::fail(Defect {
        field: "spec.git.commit.signingKey".to_owned(),
        message: observed.clone(),
        observed,
        expected: "a Secret with the key that signs commits".to_owned(),
        ..Defect::default()
    }))
}
