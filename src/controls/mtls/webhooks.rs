//! FSX-MTLS-006: Webhooks arrive through the gateway only.

use super::super::control::{Control, Outcome, Severities};
use super::super::judges::{Judges, Subject};
use super::ids;
use crate::api::Severity;
use crate::flux::Component;
use crate::inventory::{Missing, Read};
use crate::kinds::flux_objects::Receiver;

pub(crate) static CONTROL: Control = Control {
    id: "FSX-MTLS-006",
    title: "Webhooks arrive through the gateway only",
    chapter: "Beyond the document: mTLS between controllers",
    severity: Severities::always(Severity::Low),
    rationale: "mTLS on the webhook receiver is there to admit nobody but the ingress or gateway. An ID without a path lets in every workload of the trust domain.",
    audit: "The values of the flag of notification-controller whose name has the form --authorized-…receiver…-spiffe-id, while there are Receivers. Fails for an ID without a path and for a value that is not a SPIFFE ID. An ID that ends with a slash is a finding of severity Info. Whether an exact ID is the gateway's cannot be seen, and the Services and Ingresses in front of it are not read. The exact name of the flag is not known to this catalogue: unknown until a ready pod has accepted it. Not applicable without the flag or without a Receiver.",
    remediation: "Name the ingress or gateway by its whole ID: spiffe://<trust domain>/<path>.",
    reference: "https://fluxcd.io/flux/installation/configuration/intercontroller-mtls/",
    reads: &[Read::cluster::<Receiver>()],
    parameters: &[],
    judges: Judges::Controllers {
        components: &[Component::Notification],
        judge,
    },
};

fn judge(subject: &Subject<'_>) -> Result<Outcome, Missing> {
    let Some(outcome) = ids::judge(subject, ids::names_callers_of_webhooks)? else {
        return Ok(Outcome::not_applicable(
            "mTLS of the webhook receiver is off, or its flag has another name",
        ));
    };
    if subject.view.table::<Receiver>()?.is_empty() {
        return Ok(Outcome::not_applicable("no Receiver exists"));
    }
    Ok(outcome)
}
