//! FSX-SRC-009: Credentials of Helm repositories go to the repository only.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{Each, Judges, ObjectSubject};
use crate::api::Severity;
use crate::kinds::flux_objects::HelmRepository;

pub(crate) static CONTROL: Control = Control {
    id: "FSX-SRC-009",
    title: "Credentials of Helm repositories go to the repository only",
    chapter: "Beyond the document: Sources",
    severity: Severities::always(Severity::Medium),
    rationale: "An index may name any host for its charts. With passCredentials the repository's credential is sent to that host as well.",
    audit: "passCredentials of each HelmRepository. Fails when it is true. Some repositories that serve charts from another host need it; accept those with a waiver.",
    remediation: "Remove spec.passCredentials, or serve index and charts from one host.",
    reference: "https://fluxcd.io/flux/components/source/helmrepositories/#pass-credentials",
    reads: &[],
    parameters: &[],
    judges: Judges::Objects(&[&Each::<HelmRepository>(|subject| Ok(judge(subject)))]),
};

fn judge(subject: &ObjectSubject<'_, HelmRepository>) -> Outcome {
    if !subject.row.spec.pass_credentials {
        return Outcome::Pass;
    }
    let observed = "spec.passCredentials is true".to_owned();
    Outcome::fail(Defect {
        field: "spec.passCredentials".to_owned(),
        message: format!("{observed}: the credential goes to every host that the index names"),
        observed,
        expected: "passCredentials is false (the default)".to_owned(),
        ..Defect::default()
    })
}
