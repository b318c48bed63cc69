//! FSX-IMG-001: The controller's image comes from Flux or from a known vendor.

use super::super::control::{Control, Outcome, Severities};
use super::super::judges::{Judges, Subject};
use super::build::{self, Builder};
use crate::api::Severity;
use crate::flux::Component;

pub(crate) static CONTROL: Control = Control {
    id: "FSX-IMG-001",
    title: "The controller's image comes from Flux or from a known vendor",
    chapter: "Beyond the document: Images",
    severity: Severities::always(Severity::Medium),
    rationale: "Whoever publishes the image of a controller runs code as that controller.",
    audit: "The registry and path of the image: ghcr.io/fluxcd, docker.io/fluxcd, ghcr.io/controlplaneio-fluxcd and mcr.microsoft.com/oss/fluxcd pass. A mirror of your own fails until it is accepted with a waiver: nothing in the cluster tells who pushes to it.",
    remediation: "Take the images of the Flux project, or accept your mirror with a waiver.",
    reference: "https://fluxcd.io/flux/installation/configuration/air-gapped/",
    reads: &[],
    parameters: &[],
    judges: Judges::Controllers {
        components: &Component::ALL,
        judge: |subject| Ok(judge(subject)),
    },
};

fn judge(subject: &Subject<'_>) -> Outcome {
    let image = &subject.instance.image;
    if Builder::of(image) != Builder::Unknown {
        return Outcome::Pass;
    }
    let expected = "an image of ghcr.io/fluxcd, or of a known vendor".to_owned();
    Outcome::fail(build::defect(subject, format!("runs {image}"), expected))
}
