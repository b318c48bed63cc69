//! FSP-SEC-003: No Secret is delivered in plain text.

use super::super::control::{Control, Outcome, Severities};
use super::super::judges::{ClusterSubject, Judges};
use crate::api::Severity;
use crate::inventory::{Missing, Read};
use crate::kinds::flux_objects::{HelmRelease, Kustomization};

pub(crate) static CONTROL: Control = Control {
    id: "FSP-SEC-003",
    title: "No Secret is delivered in plain text",
    chapter: "Secret Decryption",
    severity: Severities::always(Severity::High),
    rationale: "A Secret that stands in a source as plain text is known to everybody who can read the source, its history and its copies.",
    audit: "Whether the files of the sources are encrypted can be seen in the sources only, and the auditor reads neither their content nor Secrets: unknown as long as anything is applied. FSP-SEC-001 tells which Kustomizations apply Secrets without decrypting them.",
    remediation: "Encrypt Secrets with SOPS, or keep them out of the sources with an operator for external secrets.",
    reference: "https://fluxcd.io/flux/security/best-practices/#secret-decryption",
    reads: &[Read::cluster::<Kustomization>(), Read::cluster::<HelmRelease>()],
    parameters: &[],
    judges: Judges::Cluster(judge),
};

fn judge(subject: &ClusterSubject<'_>) -> Result<Outcome, Missing> {
    let view = subject.view;
    if view.table::<Kustomization>()?.is_empty() && view.table::<HelmRelease>()?.is_empty() {
        return Ok(Outcome::not_applicable("nothing is applied"));
    }
    let message = "whether Secrets are encrypted can be seen in the sources only, whose content is not read";
    Err(Missing::new("SourceNotRead", message))
}
