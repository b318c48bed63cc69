//! FSX-TEN-007: What is applied follows its source.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{Each, Judges, ObjectSubject};
use crate::api::Severity;
use crate::kinds::flux_objects::{HelmRelease, Kustomization};

pub(crate) static CONTROL: Control = Control {
    id: "FSX-TEN-007",
    title: "What is applied follows its source",
    chapter: "Beyond the document: Tenancy",
    severity: Severities::always(Severity::Low),
    rationale: "A suspended object hides that the cluster drifts away from its source. Without prune, what is removed from the source stays in the cluster. With force, objects that cannot be changed are deleted and created again, and their data may be lost.",
    audit: "spec.suspend of each Kustomization and HelmRelease, spec.prune and spec.force of each Kustomization. Fails when it is suspended, does not prune, or forces. For how long is not looked at.",
    remediation: "Resume it with flux resume; set spec.prune to true and remove spec.force.",
    reference: "https://fluxcd.io/flux/components/kustomize/kustomizations/#prune",
    reads: &[],
    parameters: &[],
    judges: Judges::Objects(&[
        &Each::<Kustomization>(|subject| Ok(kustomization(subject))),
        &Each::<HelmRelease>(|subject| Ok(release(subject))),
    ]),
};

fn kustomization(subject: &ObjectSubject<'_, Kustomization>) -> Outcome {
    let spec = &subject.row.spec;
    let defects = [
        spec.suspend.then(suspended),
        (!spec.prune).then(|| {
            defect(
                "prune",
                false,
                "what is removed from the source stays in the cluster",
            )
        }),
        spec.force.then(|| {
            defect(
                "force",
                true,
                "objects that cannot be changed are deleted and created again",
            )
        }),
    ];
    Outcome::from_defects(defects.into_iter().flatten().collect())
}

fn release(subject: &ObjectSubject<'_, HelmRelease>) -> Outcome {
    let defect = subject.row.spec.suspend.then(suspended);
    Outcome::from_defects(defect.into_iter().collect())
}

fn suspended() -> Defect {
    defect("suspend", true, "nothing is applied, and drift is not noticed")
}

fn defect(field: &str, value: bool, consequence: &str) -> Defect {
    Defect {
        field: format!("spec.{field}"),
        observed: format!("spec.{field} is {value}"),
        expected: format!("spec.{field}: {}", !value),
        message: format!("spec.{field} is {value}: {consequence}"),
        ..Defect::default()
    }
}
