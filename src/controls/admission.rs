//! What refuses a change before the API server takes it: policies of the server itself, and webhooks, of which nobody
//! knows from here what they answer.

use crate::inventory::{Missing, ObjectKey, Read, View};
use crate::kinds::admission::{
    AdmissionBinding, AdmissionPolicy, Asked, Request, ValidatingAdmissionPolicy,
    ValidatingAdmissionPolicyBinding, ValidatingWebhookConfiguration, Webhooks,
};

/// The label by which a namespace chooses what pods it admits.
pub(super) const ENFORCE: &str = "pod-security.kubernetes.io/enforce";

/// Kinds that decide about requests.
pub(super) const POLICIES: Read = Read::cluster::<ValidatingAdmissionPolicy>();
/// What puts policies into force.
pub(super) const BINDINGS: Read = Read::cluster::<ValidatingAdmissionPolicyBinding>();
/// Who else is asked.
pub(super) const WEBHOOKS: Read = Read::cluster::<ValidatingWebhookConfiguration>();

/// What becomes of a request that should be refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// A policy is there to refuse it.
    Refused,
    /// Somebody is asked whose answer is not known, because.
    Unclear(String),
    /// Nobody is asked who could refuse it.
    Taken,
}

/// Whether a policy is about the matter, by what its expressions speak of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relevance {
    /// It cannot be.
    None,
    /// It may be.
    Possible,
    /// It is.
    Certain,
}

/// What becomes of a request.
///
/// # Errors
/// Policies, bindings or webhooks cannot all be seen.
pub(super) fn of(
    view: &View<'_>,
    request: &Request<'_>,
    relevance: fn(&AdmissionPolicy) -> Relevance,
) -> Result<Admission, Missing> {
    let policies = view.table::<ValidatingAdmissionPolicy>()?;
    let bindings = view.table::<ValidatingAdmissionPolicyBinding>()?.iter();
    let webhooks = view.table::<ValidatingWebhookConfiguration>()?.iter();
    let mut unclear = None;
    for (_, binding) in bindings.filter(|(_, binding)| binding.denies) {
        let name = ObjectKey::new("", &binding.policy);
        let Some(policy) = policies.get(&name) else {
            continue;
        };
        let asked = policy.matching.asks(request).min(binding.matching.asks(request));
        let relevance = relevance(policy);
        if asked == Asked::Never || relevance == Relevance::None {
            continue;
        }
        match doubt(policy, binding, asked, relevance) {
            None => return Ok(Admission::Refused),
            Some(why) => unclear = Some(format!("ValidatingAdmissionPolicy {name} {why}")),
        }
    }
    let asks = |Webhooks(all): &Webhooks| all.iter().any(|it| it.asks(request) != Asked::Never);
    let mut asked = webhooks.filter(|(_, webhooks)| asks(webhooks));
    let webhook = asked.next().map(|(key, _)| {
        format!(
            "a webhook of ValidatingWebhookConfiguration {key} is asked, and what it answers is not known"
        )
    });
    Ok(unclear.or(webhook).map_or(Admission::Taken, Admission::Unclear))
}

/// Why a policy may let pass what it is there to refuse.
fn doubt(
    policy: &AdmissionPolicy,
    binding: &AdmissionBinding,
    asked: Asked,
    relevance: Relevance,
) -> Option<&'static str> {
    if !policy.fails_closed {
        return Some("lets pass what it cannot evaluate: its failurePolicy is Ignore");
    }
    if policy.has_parameters || binding.has_parameters {
        return Some("depends on parameters, which are not read");
    }
    if asked == Asked::Sometimes {
        return Some("is about some objects only, by their names or labels");
    }
    (relevance == Relevance::Possible).then_some("has expressions that cannot be understood from here")
}
