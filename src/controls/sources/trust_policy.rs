//! FSX-SRC-004: Trust policies of notation refuse what is not signed.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{Each, Judges, ObjectSubject};
use crate::api::Severity;
use crate::inventory::Missing;
use crate::kinds::flux_objects::sources::{Fetched, OciVerification};
use crate::kinds::flux_objects::{HelmChart, OciRepository, Standing};

pub(crate) static CONTROL: Control = Control {
    id: "FSX-SRC-004",
    title: "Trust policies of notation refuse what is not signed",
    chapter: "Beyond the document: Sources",
    severity: Severities::always(Severity::Medium),
    rationale: "The trust policy decides what happens when a signature is bad. The level skip verifies nothing, audit and permissive accept what strict refuses, and the source is Ready all the same.",
    audit: "spec.verify of each OCIRepository and HelmChart with the provider notation, and the conditions Ready and SourceVerified. Fails when the source is Ready without having been verified, as the level skip leaves it. Otherwise Unknown: the policy is in a Secret, and Secrets are not read.",
    remediation: "Set signatureVerification.level to strict in the trustpolicy.json of the Secret that spec.verify.secretRef names.",
    reference: "https://fluxcd.io/flux/components/source/ocirepositories/#notation",
    reads: &[],
    parameters: &[],
    judges: Judges::Objects(&[
        &Each::<OciRepository>(|subject: &ObjectSubject<'_, OciRepository>| {
            judge(subject.row.spec.verify.as_deref(), &subject.row.status)
        }),
        &Each::<HelmChart>(|subject: &ObjectSubject<'_, HelmChart>| {
            judge(subject.row.spec.verify.as_deref(), &subject.row.status)
        }),
    ]),
};

fn judge(verify: Option<&OciVerification>, status: &Fetched) -> Result<Outcome, Missing> {
    if verify.is_none_or(|verify| verify.provider.as_str() != "notation") {
        return Ok(Outcome::not_applicable("spec.verify does not use notation"));
    }
    if matches!(
        (&status.ready, &status.verified),
        (Standing::True, Standing::Absent)
    ) {
        let observed = "Ready, and nothing was verified: the level of the trust policy is skip";
        return Ok(Outcome::fail(Defect {
            field: "status.conditions[SourceVerified]".to_owned(),
            observed: observed.to_owned(),
            expected: "the level strict".to_owned(),
            message: observed.to_owned(),
            ..Defect::default()
        }));
    }
    let message = "the level of notation's trust policy is in a Secret, and Secrets are not read";
    Err(Missing::new("SecretNotRead", message))
}
