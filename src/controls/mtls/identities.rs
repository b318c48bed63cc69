//! FSX-MTLS-005: Peers are accepted by their exact identity.

use super::super::control::{Control, Outcome, Severities};
use super::super::judges::{Judges, Subject};
use super::ids;
use crate::api::Severity;
use crate::flux::Component;
use crate::inventory::Missing;

pub(crate) static CONTROL: Control = Control {
    id: "FSX-MTLS-005",
    title: "Peers are accepted by their exact identity",
    chapter: "Beyond the document: mTLS between controllers",
    severity: Severities::always(Severity::Low),
    rationale: "An ID without a path stands for every workload of its trust domain: whatever runs in the cluster and gets an SVID may fetch the artifacts of every tenant, or take the place of the controller that serves them.",
    audit: "The values of every --authorized-…-spiffe-id and of --spiffe-broker-id, except those for webhook callers (FSX-MTLS-006). Fails for an ID without a path and for a value that is not a SPIFFE ID. An ID that ends with a slash, which stands for everything below it, is a finding of severity Info. Not applicable where no flag has an ID.",
    remediation: "Name each peer by its whole ID: spiffe://<trust domain>/<path>, without a slash at the end.",
    reference: "https://fluxcd.io/flux/integrations/spiffe-mtls/",
    reads: &[],
    parameters: &[],
    judges: Judges::Controllers {
        components: &Component::ALL,
        judge,
    },
};

fn judge(subject: &Subject<'_>) -> Result<Outcome, Missing> {
    let outcome = ids::judge(subject, |flag| {
        ids::has_ids(flag) && !ids::names_callers_of_webhooks(flag)
    })?;
    Ok(outcome.unwrap_or_else(|| Outcome::not_applicable("no flag has a SPIFFE ID")))
}
