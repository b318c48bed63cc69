//! FSX-NOT-002: Receivers have their token.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{Each, Judges, ObjectSubject};
use crate::api::Severity;
use crate::inventory::Missing;
use crate::kinds::flux_objects::{Receiver, Standing};

pub(crate) static CONTROL: Control = Control {
    id: "FSX-NOT-002",
    title: "Receivers have their token",
    chapter: "Beyond the document: Notifications",
    severity: Severities::always(Severity::High),
    rationale: "The token is what a request is checked against, and what makes the path hard to guess. Without it the Receiver does not work; a Receiver of type generic-oidc checks its callers' tokens and has none of its own.",
    audit: "spec.secretRef of each Receiver, and the reason of its condition Ready. Fails when it is not set, when the Secret or its key token was not found, and when a Receiver of type generic-oidc has one. The length of the token is not checked, as Secrets are not read.",
    remediation: "Create a Secret whose key token holds a long random value, and name it in spec.secretRef. Remove spec.secretRef from Receivers of type generic-oidc.",
    reference: "https://fluxcd.io/flux/components/notification/receivers/#secret-reference",
    reads: &[],
    parameters: &[],
    judges: Judges::Objects(&[&Each::<Receiver>(judge)]),
};

fn judge(subject: &ObjectSubject<'_, Receiver>) -> Result<Outcome, Missing> {
    let spec = &subject.row.spec;
    let has_own_proof = spec.kind.as_str() == "generic-oidc";
    match (&spec.secret_ref, has_own_proof) {
        (None, true) => return Ok(Outcome::Pass),
        (None, false) => return Ok(fail("spec.secretRef is not set", "a Secret with the key token")),
        (Some(_), true) => {
            return Ok(fail(
                "spec.secretRef is set for type generic-oidc",
                "no spec.secretRef",
            ));
        }
        (Some(_), false) => {}
    }
    match &subject.row.status.ready {
        Standing::False(reason) if reason.as_str() == "TokenNotFound" => Ok(fail(
            "the token that spec.secretRef names was not found",
            "a Secret with the key token",
        )),
        Standing::True | Standing::False(_) => Ok(Outcome::Pass),
        Standing::Absent => {
            let message = format!(
                "Receiver {} has not been reconciled since its last change",
                subject.key
            );
            Err(Missing::new("NotReconciled", message))
        }
    }
}

fn fail(observed: &str, expected: &str) -> Outcome {
    Outcome::fail(Defect {
        field: "spec.secretRef".to_owned(),
        observed: observed.to_owned(),
        expected: expected.to_owned(),
        message: observed.to_owned(),
        ..Defect::default()
    })
}
