//! FSP-SEC-002: What is encrypted can be decrypted.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{Each, Judges, ObjectSubject};
use crate::api::Severity;
use crate::inventory::Missing;
use crate::kinds::flux_objects::Kustomization;
use crate::kinds::flux_objects::appliers::Attempt;

pub(crate) static CONTROL: Control = Control {
    id: "FSP-SEC-002",
    title: "What is encrypted can be decrypted",
    chapter: "Secret Decryption",
    severity: Severities::always(Severity::Medium),
    rationale: "A Kustomization that cannot decrypt its source applies nothing: rotated credentials and repaired policies do not arrive.",
    audit: "The condition Ready of each Kustomization, of the current generation. Fails when it says that decryption failed, or that a Secret is encrypted with SOPS and nothing is configured to decrypt it. Unknown while there is no such condition. Encrypted values in objects other than Secrets are applied as they are and cannot be seen here.",
    remediation: "Set spec.decryption to a Secret that holds the key, or to an account that may use it.",
    reference: "https://fluxcd.io/flux/components/kustomize/kustomizations/#decryption",
    reads: &[],
    parameters: &[],
    judges: Judges::Objects(&[&Each::<Kustomization>(judge)]),
};

fn judge(subject: &ObjectSubject<'_, Kustomization>) -> Result<Outcome, Missing> {
    let observed = match subject.row.status.attempt {
        Attempt::Encrypted => "the source has encrypted Secrets, and spec.decryption is not set",
        Attempt::Undecryptable => "decryption failed",
        Attempt::Fine | Attempt::AccessDenied => return Ok(Outcome::Pass),
        Attempt::Unknown => {
            let message = format!(
                "Kustomization {} has not been reconciled since its last change",
                subject.key
            );
            return Err(Missing::new("NotReconciled", message));
        }
    };
    Ok(Outcome::fail(Defect {
        field: "spec.decryption".to_owned(),
        observed: observed.to_owned(),
        expected: "a provider and a key that fit the source".to_owned(),
        message: observed.to_owned(),
        ..Defect::default()
    }))
}
