//! FSP-SEC-013: Key management needs no static credential.

use super::super::control::{Control, Outcome, Severities};
use super::super::judges::{ClusterSubject, Judges};
use super::files;
use crate::api::Severity;
use crate::inventory::{Missing, ObjectKey, Read};
use crate::kinds::Mark;
use crate::kinds::flux_objects::appliers::{Applied, KustomizationSpec};
use crate::kinds::flux_objects::{FluxObject, Kustomization};

pub(crate) static CONTROL: Control = Control {
    id: "FSP-SEC-013",
    title: "Key management needs no static credential",
    chapter: "Secret Decryption",
    severity: Severities::always(Severity::Medium),
    rationale: "A Vault token or a cloud credential in a decryption Secret lasts until somebody rotates it, and unlocks every key that it may use.",
    audit: "spec.decryption of each Kustomization. Passes when all that decrypt do so without a Secret, with the identity of an account. What a Secret holds, asymmetric keys or static credentials, is not read: unknown while one is named, unless the files of sources are read and everything decrypted with it is encrypted for age or PGP alone. How the provider's keys and roles are set up cannot be seen from the cluster.",
    remediation: "Name an account with a workload identity in spec.decryption.serviceAccountName, and remove sops.aws-kms, sops.azure-kv, sops.gcp-kms and sops.vault-token from the Secrets.",
    reference: "https://fluxcd.io/flux/components/kustomize/kustomizations/#decryption",
    reads: &[Read::cluster::<Kustomization>(), Read::Trees],
    parameters: &[],
    judges: Judges::Cluster(judge),
};

fn judge(subject: &ClusterSubject<'_>) -> Result<Outcome, Missing> {
    let rows = subject.view.marked::<Kustomization>(&Mark::DECRYPTS)?;
    let decryptions: Vec<_> = rows.collect();
    if decryptions.is_empty() {
        return Ok(Outcome::not_applicable("no Kustomization decrypts"));
    }
    let trees = subject.view.trees();
    let has_secret = |row: &FluxObject<KustomizationSpec, Applied>| {
        let decryption = row.spec.decryption.as_ref();
        decryption.is_some_and(|decryption| decryption.secret_ref.is_some())
    };
    let secrets = decryptions.iter().filter(|(_, row)| has_secret(row));
    let needs_credential = |key: &ObjectKey, spec: &KustomizationSpec| {
        let encrypted = trees
            .as_ref()
            .ok()
            .and_then(|trees| files::encrypted_of(trees, key, spec.path.as_str(), &spec.source_ref).ok());
        encrypted.is_none_or(|all| all.is_empty() || !all.iter().all(|it| it.is_for_keys_alone()))
    };
    let count = secrets
        .filter(|(key, row)| needs_credential(key, &row.spec))
        .count();
    if count == 0 {
        return Ok(Outcome::Pass);
    }
    let message = format!("what the decryption Secrets of {count} Kustomizations hold is not read");
    Err(Missing::new("SecretNotRead", message))
}
