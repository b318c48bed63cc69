//! FSX-NOT-001: Receivers authenticate requests.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{Each, Judges, ObjectSubject};
use crate::api::Severity;
use crate::inventory::Missing;
use crate::kinds::flux_objects::Receiver;

pub(crate) static CONTROL: Control = Control {
    id: "FSX-NOT-001",
    title: "Receivers authenticate requests",
    chapter: "Beyond the document: Notifications",
    severity: Severities::always(Severity::Medium),
    rationale: "Receivers of some types accept any request to their path. The path is in the status, which everybody with view rights can read, and in the logs of proxies.",
    audit: "spec.type of each Receiver. Fails for generic, cdevents, dockerhub, quay and acr, whose requests are not authenticated. Unknown for a type that is not recognised. Whether the Receiver can be reached from outside is not looked at.",
    remediation: "Use generic-hmac, generic-oidc or the specific type of the service that sends the webhook. Where that is not possible, admit only the sender's addresses.",
    reference: "https://fluxcd.io/flux/components/notification/receivers/#type",
    reads: &[],
    parameters: &[],
    judges: Judges::Objects(&[&Each::<Receiver>(judge)]),
};

fn judge(subject: &ObjectSubject<'_, Receiver>) -> Result<Outcome, Missing> {
    let kind = subject.row.spec.kind.as_str();
    match kind {
        "generic-hmac" | "github" | "gitlab" | "bitbucket" | "harbor" | "nexus" | "generic-oidc" | "gcr" => {
            Ok(Outcome::Pass)
        }
        "generic" | "cdevents" | "dockerhub" | "quay" | "acr" => Ok(Outcome::fail(Defect {
            field: "spec.type".to_owned(),
            observed: kind.to_owned(),
            expected: "a type whose requests are authenticated".to_owned(),
            message: format!("requests to a Receiver of type {kind} are not authenticated"),
            ..Defect::default()
        })),
        _ => {
            let message = format!(
                "Receiver {} has a type that is not recognised: {kind:?}",
                subject.key
            );
            Err(Missing::new("TypeNotKnown", message))
        }
    }
}
