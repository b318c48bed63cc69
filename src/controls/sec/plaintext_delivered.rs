//! FSP-SEC-003: No Secret is delivered in plain text.

use super::super::control::{Control, Outcome, Severities};
use super::super::judges::{ClusterSubject, Judges};
use super::files;
use crate::api::Severity;
use crate::inventory::{Missing, Read, TreeKey};
use crate::kinds::flux_objects::{HelmRelease, Kustomization};
use crate::secrets::{Class, Leak};

pub(crate) static CONTROL: Control = Control {
    id: "FSP-SEC-003",
    title: "No Secret is delivered in plain text",
    chapter: "Secret Decryption",
    severity: Severities::always(Severity::High),
    rationale: "A Secret in a source in plain text is known to everybody who can read the source, its history and its copies.",
    audit: "The files of the sources, or those that are audited instead of a cluster. Fails for data of a Secret in plain text, wherever the Secret is written: in manifests, lists, patches, templates, texts within other objects, and as literals or files that kustomize turns into a Secret. SOPS files are verified value by value: a file edited after it was encrypted, data that a selector leaves out, and metadata without a recipient or an authentication code fail as well. Placeholders, empty values, public keys, SealedSecrets and references to other stores are not plain text. Unknown when the files of something that is applied are not read, or not all of them: only the files show whether Secrets are encrypted, and Secrets in the cluster are not read. FSP-SEC-001 tells which Kustomizations apply Secrets without decrypting them.",
    remediation: "Rotate what the Secret holds: it stays in the history of the source. Encrypt the new value with SOPS, or keep it out of the sources with an external secrets operator.",
    reference: "https://fluxcd.io/flux/security/best-practices/#secret-decryption",
    reads: &[
        Read::cluster::<Kustomization>(),
        Read::cluster::<HelmRelease>(),
        Read::Trees,
    ],
    parameters: &[],
    judges: Judges::Cluster(judge),
};

fn judge(subject: &ClusterSubject<'_>) -> Result<Outcome, Missing> {
    let view = subject.view;
    let trees = view.trees();
    if let Ok(trees) = &trees {
        let is_told = |_: &TreeKey, leak: &Leak| matches!(leak.class, Class::Secret | Class::Sops);
        let defects = files::leaks(
            trees,
            "a Secret that is encrypted, or that is in no source",
            is_told,
        );
        if !defects.is_empty() {
            return Ok(Outcome::from_defects(defects));
        }
    }
    if view.table::<Kustomization>()?.is_empty() && view.table::<HelmRelease>()?.is_empty() {
        return Ok(Outcome::not_applicable("nothing is applied"));
    }
    let Ok(trees) = trees else {
        let message = "whether Secrets are encrypted can only be seen in the sources, whose content is not read: spec.secrets.artifacts.enabled of the policy reads it";
        return Err(Missing::new("SourceNotRead", message));
    };
    files::all_are_read(view, trees)?;
    Ok(Outcome::Pass)
}
