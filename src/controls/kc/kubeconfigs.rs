//! FSX-KC-001: Kubeconfigs reach remote clusters safely.

use super::super::control::{Control, Outcome, Severities};
use super::super::judges::{ClusterSubject, Judges};
use crate::api::Severity;
use crate::inventory::{Missing, Read};
use crate::kinds::Mark;
use crate::kinds::flux_objects::appliers::KubeConfig;
use crate::kinds::flux_objects::{HelmRelease, Kustomization};

pub(crate) static CONTROL: Control = Control {
    id: "FSX-KC-001",
    title: "Kubeconfigs reach remote clusters safely",
    chapter: "Beyond the document: Remote clusters",
    severity: Severities::always(Severity::High),
    rationale: "A kubeconfig may name a plain http server, skip the verification of certificates, or run a command in the controller. The controllers ignore the latter two unless their flags allow them, and none of them refuses http.",
    audit: "spec.kubeConfig.secretRef of each Kustomization and HelmRelease. The kubeconfig is in a Secret, and the operator reads no Secrets: unknown while anything uses one. FSP-KUST-001, FSP-KUST-002, FSP-HELM-001 and FSP-HELM-002 tell whether commands and unverified certificates are refused.",
    remediation: "Check each kubeconfig: server with https, certificate-authority-data, no insecure-skip-tls-verify, no exec, no file paths; or log in with spec.kubeConfig.configMapRef instead.",
    reference: "https://fluxcd.io/flux/components/kustomize/kustomizations/#kubeconfig-remote-clusters",
    reads: &[Read::cluster::<Kustomization>(), Read::cluster::<HelmRelease>()],
    parameters: &[],
    judges: Judges::Cluster(judge),
};

fn judge(subject: &ClusterSubject<'_>) -> Result<Outcome, Missing> {
    let kustomizations = subject.view.marked::<Kustomization>(&Mark::REMOTE)?;
    let kustomizations = kustomizations.filter(|(_, row)| is_in_secret(row.spec.kube_config.as_deref()));
    let releases = subject.view.marked::<HelmRelease>(&Mark::REMOTE)?;
    let releases = releases.filter(|(_, row)| is_in_secret(row.spec.kube_config.as_deref()));
    let (kustomizations, releases) = (kustomizations.count(), releases.count());
    if kustomizations + releases == 0 {
        return Ok(Outcome::not_applicable("nothing uses a kubeconfig from a Secret"));
    }
    let message = format!(
        "the kubeconfigs of {kustomizations} Kustomizations and {releases} HelmReleases are in Secrets, which are not read"
    );
    Err(Missing::new("SecretNotRead", message))
}

fn is_in_secret(remote: Option<&KubeConfig>) -> bool {
    remote.is_some_and(|remote| remote.secret_ref.is_some())
}
