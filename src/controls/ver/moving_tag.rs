//! FSX-IMG-003: The controller's image is a release.

use super::super::control::{Control, Outcome, Severities};
use super::super::judges::{Judges, Subject};
use super::build;
use crate::api::Severity;
use crate::flux::Component;
use crate::flux::image::ImageRef;

pub(crate) static CONTROL: Control = Control {
    id: "FSX-IMG-003",
    title: "The controller's image is a release",
    chapter: "Beyond the document: Images",
    severity: Severities::always(Severity::Low),
    rationale: "A tag such as latest or main may name another image tomorrow, and a pre-release is not meant for production.",
    audit: "The tag of the image, unless a digest pins it. Fails without a version, and with a pre-release such as -rc.1.",
    remediation: "Use the tag of a release.",
    reference: "https://github.com/fluxcd/flux2/releases",
    reads: &[],
    parameters: &[],
    judges: Judges::Controllers {
        components: &Component::ALL,
        judge: |subject| Ok(judge(subject)),
    },
};

fn judge(subject: &Subject<'_>) -> Outcome {
    let image = ImageRef::parse(&subject.instance.image);
    let tag = match (image.tag, image.digest) {
        (None, Some(_)) => return Outcome::not_applicable("the image is named by its digest alone"),
        (tag, _) => tag.unwrap_or("latest"),
    };
    let observed = match image.version() {
        None if image.digest.is_some() => return Outcome::Pass,
        None => format!("the tag {tag} is no version"),
        Some(version) if !version.pre.is_empty() => format!("{tag} is a pre-release"),
        Some(_) => return Outcome::Pass,
    };
    let expected = "the tag of a release".to_owned();
    Outcome::fail(build::defect(subject, observed, expected))
}
