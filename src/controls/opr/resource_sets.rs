//! FSX-OPR-002: Tenants' ResourceSets have the rights of the tenant.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{Each, Judges, ObjectSubject};
use super::super::lockdown;
use crate::api::Severity;
use crate::flux::Component;
use crate::inventory::{Missing, Owner, Reach, Read};
use crate::kinds::flux_objects::{ResourceSet, Text};

pub(crate) static CONTROL: Control = Control {
    id: "FSX-OPR-002",
    title: "Tenants' ResourceSets have the rights of the tenant",
    chapter: "Beyond the document: Flux operator",
    severity: Severities::shared(Severity::High),
    rationale: "Without an account a ResourceSet is applied as flux-operator, unless that has a default account. What its annotations say to copy is read with the same rights: a Secret of another namespace comes along.",
    audit: "spec.serviceAccountName of each ResourceSet in a namespace of a tenant, and the annotations fluxcd.controlplane.io/copyFrom in its resources and templates. Fails when it names no account while flux-operator has no default account, and when it copies from a namespace of somebody else. Unknown when a template makes the name of what is copied.",
    remediation: "Set spec.serviceAccountName to an account of the namespace, give flux-operator a default account (FSX-OPR-001), and share Secrets from the platform's side.",
    reference: "https://fluxoperator.dev/docs/crd/resourceset/#role-based-access-control",
    reads: &[
        Read::Owners(Reach::Cluster),
        Read::Controllers(&[Component::FluxOperator]),
    ],
    parameters: &[],
    judges: Judges::Objects(&[&Each::<ResourceSet>(judge)]),
};

fn judge(subject: &ObjectSubject<'_, ResourceSet>) -> Result<Outcome, Missing> {
    let (view, spec) = (subject.view, &subject.row.spec);
    let owner = view.owner(&subject.key.namespace)?;
    if !matches!(owner, Owner::Tenant(_)) {
        return Ok(Outcome::not_applicable("the namespace is no tenant's"));
    }
    let mut defects = Vec::new();
    let mut unknown = None;
    for source in &spec.copies {
        match namespace_of(source) {
            Some(namespace) if view.owner(namespace)? == owner => {}
            Some(_) => defects.push(copied(source)),
            None => {
                let message = format!("what ResourceSet {} copies is made by its template", subject.key);
                unknown = Some(Missing::new("TemplateNotRead", message));
            }
        }
    }
    if spec.service_account_name.is_empty() {
        match lockdown::operator_has_default_account(view)? {
            Some(false) => defects.push(unset()),
            None if defects.is_empty() => return Ok(Outcome::not_applicable("no flux-operator applies it")),
            Some(true) | None => {}
        }
    }
    match unknown {
        Some(missing) if defects.is_empty() => Err(missing),
        _ => Ok(Outcome::from_defects(defects)),
    }
}

/// Of `namespace/name`; `None`: a template says it.
fn namespace_of(source: &Text) -> Option<&str> {
    let (namespace, name) = source.as_str().split_once('/')?;
    let is_written = |text: &str| !text.is_empty() && !text.contains(['<', '>', '{', '}', '$']);
    (is_written(namespace) && is_written(name)).then_some(namespace)
}

fn copied(source: &Text) -> Defect {
    let observed = format!("copies from {source}, which is not the tenant's");
    Defect {
        field: "annotations[fluxcd.controlplane.io/copyFrom]".to_owned(),
        message: observed.clone(),
        observed,
        expected: "objects of the tenant's own namespaces".to_owned(),
        ..Defect::default()
    }
}

fn unset() -> Defect {
    let observed = "spec.serviceAccountName is not set, and flux-operator has no default account";
    Defect {
        field: "spec.serviceAccountName".to_owned(),
        observed: observed.to_owned(),
        expected: "the name of a ServiceAccount of the namespace".to_owned(),
        message: format!("{observed}: it is applied as the operator"),
        ..Defect::default()
    }
}
