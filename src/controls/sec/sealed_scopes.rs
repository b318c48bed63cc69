//! FSP-SEC-014: SealedSecrets can be opened in their own namespace only.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{Each, Judges, ObjectSubject};
use crate::api::Severity;
use crate::kinds::sealed_secret::{Scope, SealedSecret};

pub(crate) static CONTROL: Control = Control {
    id: "FSP-SEC-014",
    title: "SealedSecrets can be opened in their own namespace only",
    chapter: "Secret Decryption",
    severity: Severities::raised(Severity::Medium, Severity::High),
    rationale: "All namespaces share the key of the controller. A cluster-wide SealedSecret is opened for anyone who copies it from the source into a namespace of their own.",
    audit: "The annotations of each SealedSecret and of its template. Fails when either makes it cluster-wide. Namespace-wide, where any name in the same namespace opens it, is a finding of severity Info. Only the exact value true counts. The annotations of the object decide where it is opened, those of the template tell what it was sealed for, and whoever copies it can write both.",
    remediation: "Rotate what it holds and seal the new value with kubeseal --scope strict: the old ciphertext stays in the history of the source.",
    reference: "https://github.com/bitnami-labs/sealed-secrets#scopes",
    reads: &[],
    parameters: &[],
    judges: Judges::Objects(&[&Each::<SealedSecret>(|subject| Ok(judge(subject)))]),
};

fn judge(subject: &ObjectSubject<'_, SealedSecret>) -> Outcome {
    let row = subject.row;
    let scope = row.scope.max(row.sealed_for);
    let place = if row.scope == scope {
        "metadata.annotations"
    } else {
        "spec.template.metadata.annotations"
    };
    let (where_to, severity) = match scope {
        Scope::Strict => return Outcome::Pass,
        Scope::Namespace => ("under any name in its namespace", Some(Severity::Info)),
        Scope::Cluster => ("in any namespace", None),
    };
    Outcome::fail(Defect {
        field: format!("{place}[{}]", scope.annotation()),
        observed: "true".to_owned(),
        expected: "not set: opened in its namespace, under its name".to_owned(),
        message: format!("it can be opened {where_to}"),
        severity,
        ..Defect::default()
    })
}
