//! FSX-VER-001: The controller has no known vulnerability.

use super::super::control::{Control, Outcome, Severities};
use super::super::judges::{Judges, Subject};
use super::build;
use crate::api::Severity;
use crate::flux::Component;
use crate::flux::advisories::{Advisory, Matter, advisories};
use crate::inventory::{Missing, Read, View};
use crate::kinds::flux_objects::appliers::KubeConfig;
use crate::kinds::flux_objects::{
    Bucket, CloudUser, GitRepository, HelmChart, HelmRelease, Kustomization, OciRepository, Receiver,
};
use crate::kinds::{Kind, Mark};

pub(crate) static CONTROL: Control = Control {
    id: "FSX-VER-001",
    title: "The controller has no known vulnerability",
    chapter: "Beyond the document: Versions",
    severity: Severities::always(Severity::High),
    rationale: "Known vulnerabilities are what attackers try first.",
    audit: "The version in the image tag, against the advisories in src/flux/advisories.yaml, as of the date in the message. An advisory has its own severity; one whose condition is not met, for example that a Bucket exists, has severity Info. Security fixes without a CVE are on the list, too. Unknown when the image does not show its version, and for vendor builds, because vendors fix without changing the tag.",
    remediation: "Upgrade Flux to a release with the fixed controller.",
    reference: "https://github.com/fluxcd/flux2/security/advisories",
    reads: &[
        Read::cluster::<Bucket>(),
        Read::cluster::<Receiver>(),
        Read::cluster::<GitRepository>(),
        Read::cluster::<OciRepository>(),
        Read::cluster::<HelmChart>(),
        Read::cluster::<Kustomization>(),
        Read::cluster::<HelmRelease>(),
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
        let observed = match id.as_str() {
            "" => format!("version {version}: {summary}; fixed since, without a CVE"),
            id => format!("version {version} has {id}: {summary}"),
        };
        let expected = format!("a version without advisories as of {}", list.date);
        let mut defect = build::defect(subject, observed, expected);
        defect.severity = defect.severity.or(Some(severity));
        defects.push(defect);
    }
    Ok(Outcome::from_defects(defects))
}

fn is_in_use(view: &View<'_>, matter: Matter) -> Result<bool, Missing> {
    Ok(match matter {
        Matter::Bucket => !view.table::<Bucket>()?.is_empty(),
        Matter::AzureBucket => {
            let mut buckets = view.marked::<Bucket>(&Mark::CLOUD)?;
            buckets.any(|(_, row)| row.cloud() == Some("azure"))
        }
        Matter::GcrReceiver => {
            let mut receivers = view.table::<Receiver>()?.iter();
            receivers.any(|(_, row)| row.spec.kind.as_str() == "gcr")
        }
        Matter::GitVerification => is_one::<GitRepository>(view, &Mark::VERIFIED)?,
        Matter::Kustomization => !view.table::<Kustomization>()?.is_empty(),
        Matter::Decryption => is_one::<Kustomization>(view, &Mark::DECRYPTS)?,
        Matter::SecretSubstitution => is_one::<Kustomization>(view, &Mark::SECRET_VARIABLES)?,
        Matter::KubeconfigSecret => {
            let mut appliers = view.marked::<Kustomization>(&Mark::REMOTE)?;
            let mut releases = view.marked::<HelmRelease>(&Mark::REMOTE)?;
            appliers.any(|(_, row)| is_in_secret(row.spec.kube_config.as_deref()))
                || releases.any(|(_, row)| is_in_secret(row.spec.kube_config.as_deref()))
        }
        Matter::GitRepository => !view.table::<GitRepository>()?.is_empty(),
        Matter::CosignVerification => {
            is_one::<OciRepository>(view, &Mark::COSIGN_IMAGE)?
                || is_one::<HelmChart>(view, &Mark::COSIGN_CHART)?
        }
    })
}

fn is_one<K: Kind>(view: &View<'_>, mark: &Mark<K::Row>) -> Result<bool, Missing> {
    Ok(view.marked::<K>(mark)?.next().is_some())
}

fn is_in_secret(remote: Option<&KubeConfig>) -> bool {
    remote.is_some_and(|remote| remote.secret_ref.is_some())
}
