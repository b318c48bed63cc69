//! FSX-TEN-005: Secret values stay in Secrets.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{Each, Judges};
use crate::api::Severity;
use crate::kinds::flux_objects::{HelmRelease, Kustomization, ObjectRef};

pub(crate) static CONTROL: Control = Control {
    id: "FSX-TEN-005",
    title: "Secret values stay in Secrets",
    chapter: "Beyond the document: Tenancy",
    severity: Severities::always(Severity::Info),
    rationale: "The controller reads the Secret with its own rights and writes what it finds into whatever the source says: a ConfigMap, an annotation, an argument. From there everybody with view rights reads it.",
    audit: "spec.postBuild.substituteFrom of Kustomizations and spec.valuesFrom of HelmReleases. Fails for each reference to a Secret. The Secret can only be in the object's own namespace. Where the value goes is not looked at, and passing a password to a chart is not a mistake in itself.",
    remediation: "Refer to the Secret from the workload, with secretKeyRef or a volume, instead of copying its value.",
    reference: "https://fluxcd.io/flux/components/kustomize/kustomizations/#post-build-variable-substitution",
    reads: &[],
    parameters: &[],
    judges: Judges::Objects(&[
        &Each::<Kustomization>(|subject| {
            let references = &subject.row.spec.post_build.substitute_from;
            Ok(judge("spec.postBuild.substituteFrom", references))
        }),
        &Each::<HelmRelease>(|subject| Ok(judge("spec.valuesFrom", &subject.row.spec.values_from))),
    ]),
};

fn judge(list: &str, references: &[ObjectRef]) -> Outcome {
    let references = references.iter().enumerate();
    let secrets = references.filter(|(_, reference)| reference.kind.as_str() == "Secret");
    let defects = secrets.map(|(position, secret)| Defect {
        field: format!("{list}[{position}]"),
        observed: format!("Secret {}", secret.name),
        expected: "a ConfigMap, or a workload that refers to the Secret".to_owned(),
        message: format!("values of Secret {} are copied into what is applied", secret.name),
        ..Defect::default()
    });
    Outcome::from_defects(defects.collect())
}
