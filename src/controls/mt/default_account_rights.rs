//! FSP-MT-009: The default service account may do nothing.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{Judges, NamespaceSubject};
use super::super::lockdown;
use super::super::power::Power;
use crate::api::Severity;
use crate::flux::Component;
use crate::inventory::{Missing, Owner, Reach, Read};
use crate::kinds::flux_objects::{HelmRelease, Kustomization};

pub(crate) static CONTROL: Control = Control {
    id: "FSP-MT-009",
    title: "The default service account may do nothing",
    chapter: "Shared Cluster Multi-tenancy: Lock-down",
    severity: Severities::shared(Severity::Critical),
    rationale: "Whoever applies without naming an account gets the default one. It is there to be refused: any right it has, everybody has who forgets the field.",
    audit: "The rights of the account that --default-service-account names, in each tenant namespace with a Kustomization or a HelmRelease, by its own name and by the groups that every ServiceAccount belongs to. Fails for each binding that grants more than the discovery and self-review rights that everybody has. What a webhook authorizer grants (EKS access entries, GKE IAM) is not in RBAC and is not seen.",
    remediation: "Use an account that no binding names, or remove the bindings.",
    reference: "https://fluxcd.io/flux/security/best-practices/#multi-tenancy-lock-down",
    reads: &[
        Read::Owners(Reach::Namespace),
        Read::Controllers(&[Component::Kustomize, Component::Helm]),
        Read::namespace::<Kustomization>(),
        Read::namespace::<HelmRelease>(),
        Read::Access(Reach::Namespace),
    ],
    parameters: &[],
    judges: Judges::Namespaces(judge),
};

fn judge(subject: &NamespaceSubject<'_>) -> Result<Outcome, Missing> {
    let view = subject.view;
    if !matches!(view.owner(subject.name)?, Owner::Tenant(_)) {
        return Ok(Outcome::not_applicable("the namespace belongs to no tenant"));
    }
    let mut accounts = std::collections::BTreeSet::new();
    if view.siblings::<Kustomization>()?.next().is_some() {
        accounts.extend(lockdown::default_accounts(view, Component::Kustomize)?);
    }
    if view.siblings::<HelmRelease>()?.next().is_some() {
        accounts.extend(lockdown::default_accounts(view, Component::Helm)?);
    }
    if accounts.is_empty() {
        return Ok(Outcome::not_applicable(
            "nothing is applied there by a default account",
        ));
    }
    let mut defects = Vec::new();
    for account in &accounts {
        for grant in view.rights(account)? {
            let Some(power) = Power::of(&grant) else { continue };
            defects.push(Defect {
                observed: format!("ServiceAccount {account} {power}, by {grant}"),
                expected: "no binding".to_owned(),
                message: format!(
                    "the default account {account} {power} in namespace {}, by {grant}",
                    subject.name
                ),
                severity: (power == Power::Reading).then_some(Severity::Low),
                ..Defect::default()
            });
        }
    }
    Ok(Outcome::from_defects(defects))
}
