//! FSP-SEC-004: Git sources hold no credentials, now and in their history.

use super::super::control::{Control, Outcome, Severities};
use super::super::judges::{ClusterSubject, Judges};
use super::files;
use crate::api::Severity;
use crate::inventory::{Missing, Read, TreeKey};
use crate::kinds::flux_objects::GitRepository;
use crate::secrets::{Class, Leak};

pub(crate) static CONTROL: Control = Control {
    id: "FSP-SEC-004",
    title: "Git sources hold no credentials, now and in their history",
    chapter: "Secret Decryption",
    severity: Severities::always(Severity::High),
    rationale: "A credential that was committed once stays in the history of every clone, also after it was removed from the files.",
    audit: "The files of the sources in their last state, or those that are audited instead of a cluster. Fails for tokens of known issuers, private keys, stores of keys, passwords in addresses, connection strings and settings, and literals under names that speak of passwords, tokens or keys, in files of any kind. Private keys that open what is encrypted weigh more, defaults of a chart less. Data of Secrets are told by FSP-SEC-003. The history of a repository cannot be seen from the cluster: a person has to scan it. Not applicable without a GitRepository.",
    remediation: "Scan the last state and the history of each repository with GitLeaks, TruffleHog or Squealer, and revoke what they find.",
    reference: "https://fluxcd.io/flux/security/best-practices/#secret-decryption",
    reads: &[Read::cluster::<GitRepository>(), Read::Trees],
    parameters: &[],
    judges: Judges::Cluster(judge),
};

fn judge(subject: &ClusterSubject<'_>) -> Result<Outcome, Missing> {
    let trees = subject.view.trees();
    if let Ok(trees) = &trees {
        let defects = files::leaks(
            trees,
            "a reference to a Secret, and nothing in the source",
            is_told,
        );
        if !defects.is_empty() {
            return Ok(Outcome::from_defects(defects));
        }
    }
    let is_scanned =
        trees.is_ok_and(|trees| trees.scanned().next().is_some() && files::are_whole(trees).is_ok());
    let count = subject.view.table::<GitRepository>()?.len();
    if count == 0 {
        return Ok(Outcome::not_applicable("there is no GitRepository"));
    }
    let objects = if count == 1 {
        "GitRepository"
    } else {
        "GitRepositories"
    };
    let what = if is_scanned {
        "the history, for the files that were read hold none,"
    } else {
        "the last state and the history,"
    };
    Ok(Outcome::Manual(
        format!("scan the repositories of {count} {objects}, {what} and revoke what is found").into(),
    ))
}

/// FSP-SEC-005 judges the objects of Flux themselves; what a source has of them may not be applied.
fn is_told(key: &TreeKey, leak: &Leak) -> bool {
    match leak.class {
        Class::Credential => true,
        Class::FluxObject => *key != TreeKey::Input,
        Class::Secret | Class::Sops => false,
    }
}
