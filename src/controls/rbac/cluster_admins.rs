//! FSX-RBAC-001: Only the controllers that apply may do everything.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{Each, Judges, ObjectSubject};
use super::super::power::Power;
use super::accounts;
use crate::api::Severity;
use crate::flux::Component;
use crate::inventory::{Missing, Reach, Read};
use crate::kinds::rbac::{ClusterRole, ClusterRoleBinding};

pub(crate) static CONTROL: Control = Control {
    id: "FSX-RBAC-001",
    title: "Only the controllers that apply may do everything",
    chapter: "Beyond the document: Controller rights",
    severity: Severities::always(Severity::High),
    rationale: "kustomize-controller and helm-controller apply for others and are bound to cluster-admin by design. Any other controller with such rights, and anybody else in the same binding, is an unnecessary way to own the whole cluster.",
    audit: "Each ClusterRoleBinding to a ClusterRole that allows every verb on everything. Fails when a subject is the ServiceAccount of another Flux controller than these two, or when such a binding names one of the two and somebody who is not of the platform.",
    remediation: "Bind the other controllers to the ClusterRole crd-controller that Flux ships, and give everybody else a binding of their own.",
    reference: "https://fluxcd.io/flux/security/#controller-permissions",
    reads: &[
        Read::Controllers(&Component::ALL),
        Read::cluster::<ClusterRole>(),
        Read::Owners(Reach::Cluster),
    ],
    parameters: &[],
    judges: Judges::Objects(&[&Each::<ClusterRoleBinding>(judge)]),
};

fn judge(subject: &ObjectSubject<'_, ClusterRoleBinding>) -> Result<Outcome, Missing> {
    if super::worth_of(subject)? != Some(Power::Everything) {
        return Ok(Outcome::not_applicable("the role does not allow everything"));
    }
    let accounts = accounts::of_controllers(subject.view)?;
    let (mut defects, mut strangers, mut is_flux) = (Vec::new(), Vec::new(), false);
    for principal in &subject.row.subjects {
        let components = accounts.get(principal).map_or(&[][..], Vec::as_slice);
        if components
            .iter()
            .any(|component| accounts::reconciles(*component))
        {
            is_flux = true;
        } else if let [component, ..] = components {
            is_flux = true;
            defects.push(defect(format!("{component} may do everything, as {principal}")));
        } else if !subject.view.is_platform(principal)? {
            strangers.push(principal);
        }
    }
    if !is_flux {
        return Ok(Outcome::not_applicable("the binding names no Flux controller"));
    }
    let shared = strangers.into_iter();
    defects.extend(
        shared.map(|principal| defect(format!("{principal} is bound together with Flux's controllers"))),
    );
    Ok(Outcome::from_defects(defects))
}

fn defect(observed: String) -> Defect {
    Defect {
        field: "subjects".to_owned(),
        message: observed.clone(),
        observed,
        expected: "kustomize-controller and helm-controller, and nobody else".to_owned(),
        ..Defect::default()
    }
}
