//! FSX-TEN-003: Tenants' appliers put objects into their own namespaces.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{Each, Judges, ObjectSubject};
use crate::api::Severity;
use crate::inventory::{Missing, Owner, Reach, Read, View};
use crate::kinds::flux_objects::appliers::Places;
use crate::kinds::flux_objects::{HelmRelease, Kustomization};

pub(crate) static CONTROL: Control = Control {
    id: "FSX-TEN-003",
    title: "Tenants' appliers put objects into their own namespaces",
    chapter: "Beyond the document: Tenancy",
    severity: Severities::shared(Severity::High),
    rationale: "What a tenant puts into a namespace of another tenant or of the platform can use what is there: accounts, Secrets, network.",
    audit: "spec.targetNamespace, spec.storageNamespace and the inventory of each Kustomization and HelmRelease in a tenant's namespace. Fails for each namespace that is not the same tenant's. Cluster-scoped objects are not judged here, nor is what goes to remote clusters. Unknown without an inventory; HelmReleases have one since Flux 2.8.",
    remediation: "Give the account of the applier rights in the tenant's namespaces only, and remove what it put elsewhere.",
    reference: "https://fluxcd.io/flux/components/kustomize/kustomizations/#target-namespace",
    reads: &[Read::Owners(Reach::Cluster)],
    parameters: &[],
    judges: Judges::Objects(&[
        &Each::<Kustomization>(kustomization),
        &Each::<HelmRelease>(release),
    ]),
};

/// Where an applier puts objects.
struct Targets<'a> {
    is_remote: bool,
    fields: &'a [(&'static str, &'a str)],
    inventory: Option<&'a Places>,
}

fn kustomization(subject: &ObjectSubject<'_, Kustomization>) -> Result<Outcome, Missing> {
    let spec = &subject.row.spec;
    judge(
        subject.view,
        &Targets {
            is_remote: spec.kube_config.is_some(),
            fields: &[("spec.targetNamespace", spec.target_namespace.as_str())],
            inventory: subject.row.status.places.as_ref(),
        },
    )
}

fn release(subject: &ObjectSubject<'_, HelmRelease>) -> Result<Outcome, Missing> {
    let spec = &subject.row.spec;
    judge(
        subject.view,
        &Targets {
            is_remote: spec.kube_config.is_some(),
            fields: &[
                ("spec.targetNamespace", spec.target_namespace.as_str()),
                ("spec.storageNamespace", spec.storage_namespace.as_str()),
            ],
            inventory: subject.row.status.places.as_ref(),
        },
    )
}

fn judge(view: &View<'_>, targets: &Targets<'_>) -> Result<Outcome, Missing> {
    let own = view.owner(view.subject().namespace())?;
    if !matches!(own, Owner::Tenant(_)) {
        return Ok(Outcome::not_applicable("the namespace belongs to no tenant"));
    }
    if targets.is_remote {
        return Ok(Outcome::not_applicable(
            "the object is applied to a remote cluster",
        ));
    }
    let applied = targets.inventory.map_or(&[][..], |places| &places.namespaces);
    let applied = applied
        .iter()
        .map(|namespace| ("status.inventory", namespace.as_str()));
    let mut defects = Vec::new();
    for (field, namespace) in targets.fields.iter().copied().chain(applied) {
        if !namespace.is_empty() && view.owner(namespace)? != own {
            defects.push(defect(field, namespace));
        }
    }
    if defects.is_empty() {
        all_seen(view, targets.inventory)?;
    }
    Ok(Outcome::from_defects(defects))
}

/// Fails unless the inventory tells of every namespace.
fn all_seen(view: &View<'_>, inventory: Option<&Places>) -> Result<(), Missing> {
    let subject = view.subject();
    match inventory {
        None => Err(Missing::new(
            "NotReconciled",
            format!("{subject} has no inventory"),
        )),
        Some(places) if places.and_more => Err(Missing::new(
            "InventoryTooLarge",
            format!("{subject} has objects in more namespaces than are kept"),
        )),
        Some(_) => Ok(()),
    }
}

fn defect(field: &str, namespace: &str) -> Defect {
    Defect {
        field: field.to_owned(),
        observed: format!("namespace {namespace}"),
        expected: "a namespace of the same tenant".to_owned(),
        message: format!("it puts objects into namespace {namespace}, which is not of its tenant"),
        ..Defect::default()
    }
}
