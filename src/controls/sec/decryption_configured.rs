//! FSP-SEC-001: Kustomizations that apply Secrets decrypt them.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{Each, Judges, ObjectSubject};
use super::files;
use crate::api::Severity;
use crate::inventory::{Missing, Read};
use crate::kinds::flux_objects::Kustomization;
use crate::secrets::Encrypted;

pub(crate) static CONTROL: Control = Control {
    id: "FSP-SEC-001",
    title: "Kustomizations that apply Secrets decrypt them",
    chapter: "Secret Decryption",
    severity: Severities::always(Severity::Medium),
    rationale: "A Secret that a Kustomization applies without decrypting it is in its source as plain text, readable by everybody who can read the source and its history.",
    audit: "spec.decryption of each Kustomization and the Secrets in status.inventory. Fails when the inventory has a Secret and spec.decryption is not set, and when a Secret encrypted with SOPS is among the files that it applies, where the files of sources are read. Secrets that other operators make from SealedSecrets or ExternalSecrets are not in the inventory. That spec.decryption is set does not prove that the source is encrypted. Unknown before anything was applied. Generated Secrets without sensitive data fail as well; accept those with a waiver.",
    remediation: "Rotate the credentials in the Secret, encrypt the new ones with SOPS, and set spec.decryption.provider to sops.",
    reference: "https://fluxcd.io/flux/security/best-practices/#secret-decryption",
    reads: &[Read::Trees],
    parameters: &[],
    judges: Judges::Objects(&[&Each::<Kustomization>(judge)]),
};

fn judge(subject: &ObjectSubject<'_, Kustomization>) -> Result<Outcome, Missing> {
    if subject.row.spec.decryption.is_some() {
        return Ok(Outcome::Pass);
    }
    if let Some(encrypted) = encrypted_secret(subject) {
        return Ok(Outcome::fail(Defect {
            field: "spec.decryption".to_owned(),
            observed: format!("{} is encrypted, and spec.decryption is not set", encrypted.file),
            expected: "spec.decryption.provider: sops".to_owned(),
            message: format!(
                "Kustomization {} applies {}, which is encrypted, and does not decrypt it",
                subject.key, encrypted.file
            ),
            ..Defect::default()
        }));
    }
    let count = match subject.row.status.secrets {
        None => {
            let message = format!("Kustomization {} has not applied anything yet", subject.key);
            return Err(Missing::new("NotReconciled", message));
        }
        Some(0) => return Ok(Outcome::Pass),
        Some(count) => count,
    };
    let secrets = if count == 1 {
        "1 Secret was".to_owned()
    } else {
        format!("{count} Secrets were")
    };
    let observed = format!("{secrets} applied, and spec.decryption is not set");
    Ok(Outcome::fail(Defect {
        field: "spec.decryption".to_owned(),
        message: observed.clone(),
        observed,
        expected: "spec.decryption.provider: sops".to_owned(),
        ..Defect::default()
    }))
}

/// A Secret that SOPS has encrypted, among the files that are applied.
fn encrypted_secret<'a>(subject: &ObjectSubject<'a, Kustomization>) -> Option<&'a Encrypted> {
    let trees = subject.view.trees_if_read()?;
    let spec = &subject.row.spec;
    let encrypted = files::encrypted_of(trees, subject.key, spec.path.as_str(), &spec.source_ref).ok()?;
    encrypted.into_iter().find(|it| it.is_secret)
}
