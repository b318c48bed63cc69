//! FSX-SRC-006: OCI registries prove who they are.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{Each, Judges, ObjectSubject};
use crate::api::Severity;
use crate::kinds::flux_objects::OciRepository;

pub(crate) static CONTROL: Control = Control {
    id: "FSX-SRC-006",
    title: "OCI registries prove who they are",
    chapter: "Beyond the document: Sources",
    severity: Severities::always(Severity::High),
    rationale: "On an OCIRepository, insecure does more than its documentation says: without a certSecretRef it also turns off certificate verification for HTTPS, so any host can pose as the registry.",
    audit: "insecure and certSecretRef of each OCIRepository. Fails when insecure is true and there is no certSecretRef.",
    remediation: "Remove insecure; for a private certificate authority, put its certificate into the Secret that spec.certSecretRef names.",
    reference: "https://fluxcd.io/flux/components/source/ocirepositories/#insecure",
    reads: &[],
    parameters: &[],
    judges: Judges::Objects(&[&Each::<OciRepository>(|subject| Ok(judge(subject)))]),
};

fn judge(subject: &ObjectSubject<'_, OciRepository>) -> Outcome {
    let spec = &subject.row.spec;
    if !spec.insecure || spec.cert_secret_ref.is_some() {
        return Outcome::Pass;
    }
    let observed =
        "spec.insecure is true without spec.certSecretRef: certificates are not verified".to_owned();
    Outcome::fail(Defect {
        field: "spec.insecure".to_owned(),
        message: observed.clone(),
        observed,
        expected: "insecure is absent, or certSecretRef names the certificate authority".to_owned(),
        ..Defect::default()
    })
}
