//! FSP-MT-010: Tenants' appliers name their service account.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{Each, Judges, ObjectSubject};
use super::super::lockdown;
use crate::api::Severity;
use crate::flux::Component;
use crate::inventory::{Missing, Owner, Reach, Read, View};
use crate::kinds::flux_objects::{Applier, HelmRelease, Kustomization};
use crate::kinds::identity::ServiceAccount;

pub(crate) static CONTROL: Control = Control {
    id: "FSP-MT-010",
    title: "Tenants' appliers name their service account",
    chapter: "Shared Cluster Multi-tenancy: Lock-down",
    severity: Severities::shared(Severity::Medium),
    rationale: "A Kustomization or HelmRelease without an account is applied as the controller, usually cluster-admin, unless the controller has a default account; then it has only the rights of that account, usually none.",
    audit: "spec.serviceAccountName of each Kustomization and HelmRelease in a namespace of a tenant. Fails when it is not set, or names a ServiceAccount that the namespace does not have; critical when it is not set and the controller has no default account. The account of an object with spec.kubeConfig belongs to the remote cluster: whether it exists there is not checked.",
    remediation: "Set spec.serviceAccountName to an account of the namespace with the rights that the tenant may have.",
    reference: "https://fluxcd.io/flux/security/best-practices/#multi-tenancy-lock-down",
    reads: &[
        Read::Owners(Reach::Namespace),
        Read::Controllers(&[Component::Kustomize, Component::Helm]),
        Read::namespace::<ServiceAccount>(),
    ],
    parameters: &[],
    judges: Judges::Objects(&[
        &Each::<Kustomization>(kustomization),
        &Each::<HelmRelease>(release),
    ]),
};

fn kustomization(subject: &ObjectSubject<'_, Kustomization>) -> Result<Outcome, Missing> {
    judge(subject.view, Component::Kustomize, subject.row)
}

fn release(subject: &ObjectSubject<'_, HelmRelease>) -> Result<Outcome, Missing> {
    judge(subject.view, Component::Helm, subject.row)
}

fn judge(view: &View<'_>, component: Component, applier: &impl Applier) -> Result<Outcome, Missing> {
    let (account, is_remote) = (applier.account(), applier.is_remote());
    let namespace = view.subject().namespace();
    if !matches!(view.owner(namespace)?, Owner::Tenant(_)) {
        return Ok(Outcome::not_applicable("the namespace belongs to no tenant"));
    }
    if account.is_empty() {
        return unset(view, component, is_remote);
    }
    if is_remote || view.sibling::<ServiceAccount>(account)?.is_some() {
        return Ok(Outcome::Pass);
    }
    let observed = format!("names the account {account}, which namespace {namespace} does not have");
    Ok(Outcome::fail(defect(observed, None)))
}

fn unset(view: &View<'_>, component: Component, is_remote: bool) -> Result<Outcome, Missing> {
    let not_set = "spec.serviceAccountName is not set";
    let Some(has_default) = lockdown::has_default_account(view, component)? else {
        return Ok(Outcome::not_applicable(format!("no {component} applies it")));
    };
    if has_default || is_remote {
        return Ok(Outcome::fail(defect(not_set.to_owned(), None)));
    }
    let observed =
        format!("{not_set}, and {component} has no default account: it is applied as the controller");
    Ok(Outcome::fail(defect(observed, Some(Severity::Critical))))
}

fn defect(observed: String, severity: Option<Severity>) -> Defect {
    Defect {
        field: "spec.serviceAccountName".to_owned(),
        message: observed.clone(),
        observed,
        expected: "the name of a ServiceAccount of the namespace".to_owned(),
        severity,
        ..Defect::default()
    }
}
