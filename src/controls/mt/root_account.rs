//! FSP-MT-011: The root synchronisation keeps working under lock-down.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{Each, Judges, ObjectSubject};
use super::super::lockdown;
use crate::api::Severity;
use crate::flux::Component;
use crate::inventory::{Missing, Read};
use crate::kinds::flux_objects::Kustomization;

pub(crate) static CONTROL: Control = Control {
    id: "FSP-MT-011",
    title: "The root synchronisation keeps working under lock-down",
    chapter: "Shared Cluster Multi-tenancy: Lock-down",
    severity: Severities::shared(Severity::Low),
    rationale: "With a default account on kustomize-controller, a Kustomization of Flux's own namespace that names no account loses the rights to manage Flux itself.",
    audit: "spec.serviceAccountName of each Kustomization in the namespace of a kustomize-controller. Fails when it is not set while the controller has a default account. Not applicable without one.",
    remediation: "Set spec.serviceAccountName to kustomize-controller, or another account with the rights to manage Flux.",
    reference: "https://fluxcd.io/flux/installation/configuration/multitenancy/",
    reads: &[Read::Controllers(&[Component::Kustomize])],
    parameters: &[],
    judges: Judges::Objects(&[&Each::<Kustomization>(judge)]),
};

fn judge(subject: &ObjectSubject<'_, Kustomization>) -> Result<Outcome, Missing> {
    let mut controllers = subject.view.accepted_controllers(Component::Kustomize)?;
    if !controllers.any(|(key, _)| key.namespace == subject.key.namespace) {
        return Ok(Outcome::not_applicable(
            "not in the namespace of a kustomize-controller",
        ));
    }
    if lockdown::has_default_account(subject.view, Component::Kustomize)? != Some(true) {
        return Ok(Outcome::not_applicable(
            "kustomize-controller has no default account",
        ));
    }
    if !subject.row.spec.service_account_name.is_empty() {
        return Ok(Outcome::Pass);
    }
    let observed = "spec.serviceAccountName is not set, and the default account applies".to_owned();
    Ok(Outcome::fail(Defect {
        field: "spec.serviceAccountName".to_owned(),
        message: observed.clone(),
        observed,
        expected: "kustomize-controller, or another account with the rights to manage Flux".to_owned(),
        ..Defect::default()
    }))
}
