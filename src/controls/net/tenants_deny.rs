//! FSP-NET-004: Tenants' namespaces deny ingress by default.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{Judges, NamespaceSubject};
use super::closed;
use crate::api::Severity;
use crate::inventory::ingress::{Admitted, admitted};
use crate::inventory::{Missing, Owner, Reach, Read, SubjectKey};
use crate::kinds::crd::CustomResourceDefinition;
use crate::kinds::network_policy::{IngressRule, NetworkPolicy};

pub(crate) static CONTROL: Control = Control {
    id: "FSP-NET-004",
    title: "Tenants' namespaces deny ingress by default",
    chapter: "Network Isolation",
    severity: Severities::shared(Severity::Medium),
    rationale: "Without a NetworkPolicy every pod in the cluster, including those of other tenants, may reach a tenant's pods.",
    audit: "The NetworkPolicies of each tenant's namespace that select every pod. Fails unless one of them covers ingress, and fails when one admits everybody to every port, which undoes the others. Rules for chosen peers or ports, such as the same namespace, are fine. Egress is not judged. Unknown instead of Fail when CustomResourceDefinitions of a network plugin's own policies exist.",
    remediation: "Add a NetworkPolicy with podSelector: {} and policyTypes: [Ingress] and no rules to each tenant's namespace, for instance with the manifests of the tenant.",
    reference: "https://fluxcd.io/flux/security/best-practices/#network-isolation",
    reads: &[
        Read::Owners(Reach::Namespace),
        Read::namespace::<NetworkPolicy>(),
        Read::cluster::<CustomResourceDefinition>(),
    ],
    parameters: &[],
    judges: Judges::Namespaces(judge),
};

fn judge(subject: &NamespaceSubject<'_>) -> Result<Outcome, Missing> {
    if !matches!(subject.view.owner(subject.name)?, Owner::Tenant(_)) {
        return Ok(Outcome::not_applicable("the namespace belongs to no tenant"));
    }
    let policies = subject.view.siblings::<NetworkPolicy>()?;
    let of_all = policies.filter(|(_, policy)| policy.pods.is_everything());
    let mut of_all = of_all
        .filter_map(|(key, policy)| Some((key, policy.ingress.as_deref()?)))
        .peekable();
    let denies = of_all.peek().is_some();
    let undone = of_all.find(|(_, rules)| rules.iter().any(admits_everything));
    let observed = match undone {
        Some((key, _)) => format!("NetworkPolicy {} admits everybody to every pod", key.name),
        None if denies => return Ok(Outcome::Pass),
        None => "no NetworkPolicy selects every pod for ingress".to_owned(),
    };
    closed::only_network_policies(subject.view)?;
    Ok(Outcome::fail(Defect {
        message: format!("in namespace {}: {observed}", subject.name),
        observed,
        expected: "a NetworkPolicy that denies ingress by default".to_owned(),
        about: undone.map(|(key, _)| SubjectKey::object::<NetworkPolicy>(key)),
        ..Defect::default()
    }))
}

fn admits_everything(rule: &IngressRule) -> bool {
    rule.ports.is_none() && admitted(rule).contains(&Admitted::Everybody)
}
