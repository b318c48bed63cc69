//! FSX-IMG-002: The controller's image is pinned by digest.

use super::super::control::{Control, Outcome, Severities};
use super::super::judges::{Judges, Subject};
use super::build;
use crate::api::Severity;
use crate::flux::Component;
use crate::flux::image::ImageRef;

pub(crate) static CONTROL: Control = Control {
    id: "FSX-IMG-002",
    title: "The controller's image is pinned by digest",
    chapter: "Beyond the document: Images",
    severity: Severities::always(Severity::Medium),
    rationale: "A tag can be moved; a digest names one image forever. Flux's images are signed, but nothing verifies that at admission unless a policy does.",
    audit: "The image of the workload. Fails without a digest. An admission policy that verifies Flux's signatures serves as well and is not looked for here.",
    remediation: "Pin the images with kustomize (images.digest), install with flux-operator, or verify the signatures at admission.",
    reference: "https://fluxcd.io/flux/security/#signed-container-images",
    reads: &[],
    parameters: &[],
    judges: Judges::Controllers {
        components: &Component::ALL,
        judge: |subject| Ok(judge(subject)),
    },
};

fn judge(subject: &Subject<'_>) -> Outcome {
    let image = &subject.instance.image;
    if ImageRef::parse(image).digest.is_some() {
        return Outcome::Pass;
    }
    let expected = "an image with a digest (@sha256:…)".to_owned();
    Outcome::fail(build::defect(
        subject,
        format!("runs {image}, which is not pinned"),
        expected,
    ))
}
