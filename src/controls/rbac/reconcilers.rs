//! FSX-RBAC-002: Controllers with cluster-admin do not apply with it by default.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{Each, Judges, ObjectSubject};
use super::super::lockdown;
use super::super::power::Power;
use super::accounts;
use crate::api::Severity;
use crate::flux::Component;
use crate::inventory::{Missing, Read};
use crate::kinds::rbac::{ClusterRole, ClusterRoleBinding};

pub(crate) static CONTROL: Control = Control {
    id: "FSX-RBAC-002",
    title: "Controllers with cluster-admin do not apply with it by default",
    chapter: "Beyond the document: Controller rights",
    severity: Severities::always(Severity::Info),
    rationale: "kustomize-controller and helm-controller are bound to cluster-admin by design. Whether tenants have that right, too, depends on the default account.",
    audit: "Each ClusterRoleBinding of kustomize-controller or helm-controller to a ClusterRole that allows every verb on everything. Always of severity Info: FSP-MT-007 and FSP-MT-008 judge the flag.",
    remediation: "Set --default-service-account, or install the controllers with rights to impersonate only.",
    reference: "https://fluxcd.io/flux/security/#controller-permissions",
    reads: &[Read::Controllers(&Component::ALL), Read::cluster::<ClusterRole>()],
    parameters: &[],
    judges: Judges::Objects(&[&Each::<ClusterRoleBinding>(judge)]),
};

fn judge(subject: &ObjectSubject<'_, ClusterRoleBinding>) -> Result<Outcome, Missing> {
    if super::worth_of(subject)? != Some(Power::Everything) {
        return Ok(Outcome::not_applicable("the role does not allow everything"));
    }
    let accounts = accounts::of_controllers(subject.view)?;
    let bound = subject
        .row
        .subjects
        .iter()
        .filter_map(|principal| accounts.get(principal));
    let mut reconcilers: Vec<Component> = bound
        .flatten()
        .copied()
        .filter(|it| accounts::reconciles(*it))
        .collect();
    reconcilers.sort_unstable();
    reconcilers.dedup();
    if reconcilers.is_empty() {
        return Ok(Outcome::not_applicable(
            "the binding names neither kustomize-controller nor helm-controller",
        ));
    }
    let mut defects = Vec::new();
    for component in reconcilers {
        if lockdown::has_default_account(subject.view, component)? != Some(true) {
            defects.push(Defect {
                field: "subjects".to_owned(),
                observed: format!("{component} has no default account"),
                expected: "--default-service-account, so that tenants do not apply as the controller"
                    .to_owned(),
                message: format!(
                    "{component} may do everything, and so may whoever applies without an account"
                ),
                ..Defect::default()
            });
        }
    }
    Ok(Outcome::from_defects(defects))
}
