//! FSX-SRC-003: Keyless signatures are accepted from named signers only.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{Each, Judges, ObjectSubject};
use crate::api::Severity;
use crate::kinds::flux_objects::sources::{OciVerification, OidcIdentity};
use crate::kinds::flux_objects::{HelmChart, OciRepository};

pub(crate) static CONTROL: Control = Control {
    id: "FSX-SRC-003",
    title: "Keyless signatures are accepted from named signers only",
    chapter: "Beyond the document: Sources",
    severity: Severities::always(Severity::High),
    rationale: "Anybody can get a keyless signature from Sigstore. Without identities every such signature is accepted, and an expression without anchors also matches look-alike hosts and repositories.",
    audit: "spec.verify of each OCIRepository and HelmChart with the provider cosign and no secretRef. Fails when matchOIDCIdentity is empty, when an issuer or subject is not anchored with ^ and $, or when a subject admits every project of a host.",
    remediation: "List in spec.verify.matchOIDCIdentity the issuer and the subject down to workflow and ref, each as ^…$ with escaped dots.",
    reference: "https://fluxcd.io/flux/components/source/ocirepositories/#keyless-verification",
    reads: &[],
    parameters: &[],
    judges: Judges::Objects(&[
        &Each::<OciRepository>(|subject: &ObjectSubject<'_, OciRepository>| {
            Ok(judge(subject.row.spec.verify.as_deref()))
        }),
        &Each::<HelmChart>(|subject: &ObjectSubject<'_, HelmChart>| {
            Ok(judge(subject.row.spec.verify.as_deref()))
        }),
    ]),
};

fn judge(verify: Option<&OciVerification>) -> Outcome {
    let keyless =
        |verify: &&OciVerification| verify.provider.as_str() == "cosign" && verify.secret_ref.is_none();
    let Some(verify) = verify.filter(keyless) else {
        return Outcome::not_applicable("no keyless signature is accepted");
    };
    if verify.identities.is_empty() {
        return Outcome::fail(defect(
            "spec.verify.matchOIDCIdentity",
            "every signer is accepted".to_owned(),
        ));
    }
    let objections = verify
        .identities
        .iter()
        .enumerate()
        .filter_map(|(position, identity)| {
            let field = format!("spec.verify.matchOIDCIdentity[{position}]");
            Some(defect(&field, objection(identity)?))
        });
    Outcome::from_defects(objections.collect())
}

fn objection(identity: &OidcIdentity) -> Option<String> {
    for (name, expression) in [("issuer", &identity.issuer), ("subject", &identity.subject)] {
        if !is_anchored(expression.as_str()) {
            return Some(format!(
                "the {name} {:?} is not anchored with ^ and $",
                expression.as_str()
            ));
        }
    }
    let subject = identity.subject.as_str();
    admits_every_project(subject).then(|| format!("the subject {subject:?} admits every project of its host"))
}

/// An alternative at the top would have anchors of its own.
fn is_anchored(expression: &str) -> bool {
    expression.starts_with('^')
        && expression.ends_with('$')
        && !expression.ends_with("\\$")
        && !expression.contains('|')
}

/// Whether the expression is free before it names a project of a host: `https://host/project/…`.
fn admits_every_project(subject: &str) -> bool {
    let free = [".*", ".+"].iter().filter_map(|any| subject.find(any)).min();
    let Some(free) = free else {
        return false;
    };
    subject[..free].matches('/').count() < 4
}

fn defect(field: &str, observed: String) -> Defect {
    Defect {
        field: field.to_owned(),
        message: format!("keyless verification: {observed}"),
        observed,
        expected: "an anchored issuer and subject, down to workflow and ref".to_owned(),
        ..Defect::default()
    }
}
