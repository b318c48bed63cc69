//! FSP-SEC-013: Key management needs no static credential.

use super::super::control::{Control, Outcome, Severities};
use super::super::judges::{ClusterSubject, Judges};
use crate::api::Severity;
use crate::inventory::{Missing, Read};
use crate::kinds::Mark;
use crate::kinds::flux_objects::Kustomization;

pub(crate) static CONTROL: Control = Control {
    id: "FSP-SEC-013",
    title: "Key management needs no static credential",
    chapter: "Secret Decryption",
    severity: Severities::always(Severity::Medium),
    rationale: "A token of Vault or a credential of a cloud in a decryption Secret lasts until somebody rotates it, and opens every key that it is good for.",
    audit: "spec.decryption of each Kustomization. Passes when all that decrypt do so without a Secret, by the identity of an account. What a Secret holds, asymmetric keys or static credentials, is not read: unknown as long as one is named. How the provider's keys and roles are set up cannot be seen from the cluster.",
    remediation: "Name an account with a workload identity in spec.decryption.serviceAccountName, and remove sops.aws-kms, sops.azure-kv, sops.gcp-kms and sops.vault-token from the Secrets.",
    reference: "https://fluxcd.io/flux/components/kustomize/kustomizations/#decryption",
    reads: &[Read::cluster::<Kustomization>()],
    parameters: &[],
    judges: Judges::Cluster(judge),
};

fn judge(subject: &ClusterSubject<'_>) -> Result<Outcome, Missing> {
    let rows = subject.view.marked::<Kustomization>(&Mark::DECRYPTS)?;
    let decryptions: Vec<_> = rows.filter_map(|(_, row)| row.spec.decryption.as_ref()).collect();
    if decryptions.is_empty() {
        return Ok(Outcome::not_applicable("no Kustomization decrypts"));
    }
    let secrets = decryptions
        .iter()
        .filter(|decryption| decryption.secret_ref.is_some());
    let count = secrets.count();
    if count == 0 {
        return Ok(Outcome::Pass);
    }
    let message = format!("what the decryption Secrets of {count} Kustomizations hold is not read");
    Err(Missing::new("SecretNotRead", message))
}
