//! FSX-POD-001: The controller's pods are restricted.

use super::super::control::{Control, Outcome, Severities};
use super::super::judges::{Judges, Subject};
use super::evidence::{self, Objection};
use crate::api::Severity;
use crate::flux::Component;
use crate::flux::container::Weakness;
use crate::inventory::Missing;
use crate::inventory::instances::Launch;

pub(crate) static CONTROL: Control = Control {
    id: "FSX-POD-001",
    title: "The controller's pods are restricted",
    chapter: "Beyond the document: Pods",
    severity: Severities::always(Severity::High),
    rationale: "A compromised controller then stays confined to its container. As Flux ships it, it needs no privileges on the node.",
    audit: "Every container of the controller's pods as they were admitted, or of the template while there is none, against the Pod Security Standard \"restricted\". Fails for each setting that it forbids, and for a writable root file system, which Flux does not need either; that alone is Low.",
    remediation: "Remove the patch that changed the security context, or set it as Flux's own manifests do.",
    reference: "https://fluxcd.io/flux/security/#pod-security-standard",
    reads: &[],
    parameters: &[],
    judges: Judges::Controllers {
        components: &Component::ALL,
        judge,
    },
};

fn judge(subject: &Subject<'_>) -> Result<Outcome, Missing> {
    let outcome = evidence::judge(subject, &evidence::admitted(subject), weaknesses)?;
    let Outcome::Fail(mut defects) = outcome else {
        return Ok(outcome);
    };
    for defect in &mut defects {
        if defect.field == Weakness::WRITABLE_ROOT {
            defect.severity = defect.severity.or(Some(Severity::Low));
        }
    }
    Ok(Outcome::Fail(defects))
}

fn weaknesses(launch: &Launch) -> Vec<Objection> {
    let objection = |weakness: &Weakness| Objection {
        container: weakness.container.clone(),
        field: weakness.field.to_owned(),
        observed: weakness.observed.clone(),
        expected: match weakness.field {
            Weakness::WRITABLE_ROOT => "true",
            _ => "what the Pod Security Standard \"restricted\" allows",
        },
    };
    launch.surroundings.weaknesses.iter().map(objection).collect()
}
