//! FSX-RBAC-005: Only the platform has rights in Flux's namespaces.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{Judges, NamespaceSubject};
use super::super::power::Power;
use crate::api::Severity;
use crate::flux::Component;
use crate::inventory::{Missing, Reach, Read, SubjectKey};
use crate::kinds::rbac::RoleBinding;

pub(crate) static CONTROL: Control = Control {
    id: "FSX-RBAC-005",
    title: "Only the platform has rights in Flux's namespaces",
    chapter: "Beyond the document: Controller rights",
    severity: Severities::always(Severity::High),
    rationale: "In the namespace of a controller, whoever may change objects, run a command in a pod or read Secrets becomes that controller, usually cluster-admin.",
    audit: "The RoleBindings of each namespace in which a Flux controller runs. Fails for each subject outside the platform that may do more than read objects other than Secrets. Cluster-wide rights are judged by FSP-DED-002.",
    remediation: "Remove the binding, or name the subject in spec.platform.subjects of the policy.",
    reference: "https://fluxcd.io/flux/security/",
    reads: &[
        Read::Controllers(&Component::ALL),
        Read::Owners(Reach::Cluster),
        Read::Access(Reach::Cluster),
    ],
    parameters: &[],
    judges: Judges::Namespaces(judge),
};

fn judge(subject: &NamespaceSubject<'_>) -> Result<Outcome, Missing> {
    if !subject.has_controller()? {
        return Ok(Outcome::not_applicable("no Flux controller runs there"));
    }
    let mut defects = Vec::new();
    for grant in subject.view.access()?.in_namespace(subject.name) {
        let power = match Power::of(&grant) {
            None | Some(Power::Reading) => continue,
            Some(power) => power,
        };
        for principal in &grant.row.subjects {
            if subject.view.is_platform(principal)? {
                continue;
            }
            defects.push(Defect {
                field: "subjects".to_owned(),
                observed: format!("{principal} {power}"),
                expected: "subjects of the platform".to_owned(),
                message: format!("{principal} {power} where Flux runs, by {grant}"),
                about: Some(SubjectKey::object::<RoleBinding>(grant.binding)),
                ..Defect::default()
            });
        }
    }
    Ok(Outcome::from_defects(defects))
}
