//! FSX-IUA-003: ImagePolicies choose one image of known versions.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{Each, Judges, ObjectSubject};
use super::super::range;
use crate::api::Severity;
use crate::kinds::flux_objects::ImagePolicy;

pub(crate) static CONTROL: Control = Control {
    id: "FSX-IUA-003",
    title: "ImagePolicies choose one image of known versions",
    chapter: "Beyond the document: Image automation",
    severity: Severities::always(Severity::Medium),
    rationale: "An open-ended range, or the alphabetically last tag, lets whoever can push a tag choose what is deployed. A tag without its digest may be moved to another image after it was chosen.",
    audit: "spec.policy and spec.digestReflectionPolicy of each ImagePolicy. Fails for a version range without an upper bound, for alphabetical order, and, with a lower severity, when the digest of the chosen tag is not reflected (possible since Flux 2.6).",
    remediation: "Bound the range, for instance 1.x, and set spec.digestReflectionPolicy to IfNotPresent or Always.",
    reference: "https://fluxcd.io/flux/components/image/imagepolicies/#digest-reflection-policy",
    reads: &[],
    parameters: &[],
    judges: Judges::Objects(&[&Each::<ImagePolicy>(|subject| Ok(judge(subject)))]),
};

fn judge(subject: &ObjectSubject<'_, ImagePolicy>) -> Outcome {
    let spec = &subject.row.spec;
    let mut defects = Vec::new();
    if let Some(semver) = spec
        .policy
        .semver
        .as_ref()
        .filter(|it| range::is_open(it.range.as_str()))
    {
        let observed = format!("every newer version is taken: {}", semver.range);
        defects.push(defect(
            "policy.semver.range",
            observed,
            "a range with an upper bound",
            None,
        ));
    }
    if spec.policy.alphabetical.is_some() {
        let observed = "the last tag by the alphabet is taken".to_owned();
        defects.push(defect(
            "policy.alphabetical",
            observed,
            "a bounded range of versions",
            None,
        ));
    }
    if !matches!(spec.digest_reflection_policy.as_str(), "IfNotPresent" | "Always") {
        let observed = "the digest of the chosen tag is not reflected: the tag may be moved".to_owned();
        let expected = "digestReflectionPolicy: IfNotPresent or Always";
        defects.push(defect(
            "digestReflectionPolicy",
            observed,
            expected,
            Some(Severity::Low),
        ));
    }
    Outcome::from_defects(defects)
}

fn defect(field: &str, observed: String, expected: &str, severity: Option<Severity>) -> Defect {
    Defect {
        field: format!("spec.{field}"),
        message: observed.clone(),
        observed,
        expected: expected.to_owned(),
        severity,
        ..Defect::default()
    }
}
