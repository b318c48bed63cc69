//! FSP-SEC-004: Git sources hold no credentials, now and in their history.

use super::super::control::{Control, Outcome, Severities};
use super::super::judges::{ClusterSubject, Judges};
use crate::api::Severity;
use crate::inventory::{Missing, Read};
use crate::kinds::flux_objects::GitRepository;

pub(crate) static CONTROL: Control = Control {
    id: "FSP-SEC-004",
    title: "Git sources hold no credentials, now and in their history",
    chapter: "Secret Decryption",
    severity: Severities::always(Severity::High),
    rationale: "A credential that was committed once stays in the history of every clone, also after it was removed from the files.",
    audit: "The history of a repository cannot be seen from the cluster: a person has to scan it. Not applicable without a GitRepository.",
    remediation: "Scan the last state and the history of each repository with GitLeaks, TruffleHog or Squealer, and revoke what they find.",
    reference: "https://fluxcd.io/flux/security/best-practices/#secret-decryption",
    reads: &[Read::cluster::<GitRepository>()],
    parameters: &[],
    judges: Judges::Cluster(judge),
};

fn judge(subject: &ClusterSubject<'_>) -> Result<Outcome, Missing> {
    let count = subject.view.table::<GitRepository>()?.len();
    if count == 0 {
        return Ok(Outcome::not_applicable("there is no GitRepository"));
    }
    let objects = if count == 1 {
        "GitRepository"
    } else {
        "GitRepositories"
    };
    Ok(Outcome::Manual(
        format!("scan the repositories of {count} {objects}, the last state and the history, and revoke what is found").into(),
    ))
}
