//! FSX-VER-001: The controller has no known vulnerability.

use super::super::control::{Control, Outcome, Severities};
use super::super::judges::{Judges, Subject};
use super::build;
use crate::api::Severity;
use crate::flux::Component;
use crate::flux::advisories::{Advisory, Matter, advisories};
use crate::inventory::{Missing, Read, View};
use crate::kinds::flux_objects::{Bucket, CloudUser, GitRepository, HelmChart, OciRepository, Receiver};

pub(crate) static CONTROL: Control = Control {
    id: "FSX-VER-001",
    title: "The controller has no known vulnerability",
    chapter: "Beyond the document: Versions",
    severity: Severities::always(Severity::High),
    rationale: "A known vulnerability is the first thing that an attacker tries.",
    audit: "The version in the image's tag against the advisories of src/flux/advisories.yaml, as of the day in the message. An advisory has its own severity; one whose condition is not met, for instance that a bucket exists, is a note. Unknown when the image does not tell its version, and for builds of vendors, who fix without a new tag.",
    remediation: "Upgrade Flux to a release with the fixed controller.",
    reference: "https://github.com/fluxcd/flux2/security/advisories",
    reads: &[
        Read::cluster::<Bucket>(),
        Read::cluster::<Receiver>(),
        Read::cluster::<GitRepository>(),
        Read::cluster::<OciRepository>(),
        Read::cluster::<HelmChart>(),
    ],
    parameters: &[],
    judges: Judges::Controllers {
        components: &Component::ALL,
        judge,
    },
};

fn judge(subject: &Subject<'_>) -> Result<Outcome, Missing> {
    let version = build::upstream_version(subject)?;
    let list = advisories();
    let mut defects = Vec::new();
    for advisory in &list.advisories {
        if !advisory.affects(subject.key.component, version) {
            continue;
        }
        let matters = advisory
            .matters
            .map_or(Ok(true), |matter| is_in_use(subject.view, matter))?;
        let severity = if matters {
            advisory.severity
        } else {
            Severity::Info
        };
        let Advisory { id, summary, .. } = advisory;
        let observed = format!("version {version} has {id}: {summary}");
        let expected = format!("a version without advisories as of {}", list.date);
        let mut defect = build::defect(subject, observed, expected);
        defect.severity = defect.severity.or(Some(severity));
        defects.push(defect);
    }
    Ok(Outcome::from_defects(defects))
}

fn is_in_use(view: &View<'_>, matter: Matter) -> Result<bool, Missing> {
    let cosign = |provider: Option<&str>| provider == Some("cosign");
    Ok(match matter {
        Matter::Bucket => !view.table::<Bucket>()?.is_empty(),
        Matter::AzureBucket => {
            let mut buckets = view.table::<Bucket>()?.iter();
            buckets.any(|(_, row)| row.cloud() == Some("azure"))
        }
        Matter::GcrReceiver => {
            let mut receivers = view.table::<Receiver>()?.iter();
            receivers.any(|(_, row)| row.spec.kind.as_str() == "gcr")
        }
        Matter::GitRepository => !view.table::<GitRepository>()?.is_empty(),
        Matter::CosignVerification => {
            let mut images = view.table::<OciRepository>()?.iter();
            let mut charts = view.table::<HelmChart>()?.iter();
            images.any(|(_, row)| cosign(row.spec.verify.as_ref().map(|it| it.provider.as_str())))
                || charts.any(|(_, row)| cosign(row.spec.verify.as_ref().map(|it| it.provider.as_str())))
        }
    })
}
