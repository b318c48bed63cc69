//! FSP-DED-004: The platform can get back into a tenant's cluster.

use std::collections::BTreeSet;

use super::super::control::{Control, Outcome, Severities};
use super::super::judges::{ClusterSubject, Judges};
use crate::api::Severity;
use crate::inventory::{Missing, Read};
use crate::kinds::Mark;
use crate::kinds::flux_objects::appliers::KubeConfig;
use crate::kinds::flux_objects::{HelmRelease, Kustomization};

pub(crate) static CONTROL: Control = Control {
    id: "FSP-DED-004",
    title: "The platform can get back into a tenant's cluster",
    chapter: "Dedicated Cluster Multi-tenancy",
    severity: Severities {
        none: None,
        shared: None,
        dedicated: Some(Severity::High),
    },
    rationale: "When the management cluster, its credentials or a tenant's cluster fail, somebody has to get in by a way that depends on none of them, and has to have tried it before.",
    audit: "An emergency way in cannot be seen from the cluster: a person has to confirm it. The message tells how many logins to remote clusters are in use here.",
    remediation: "Keep emergency credentials outside both clusters, sealed and with their use monitored, and test them at fixed dates.",
    reference: "https://fluxcd.io/flux/security/best-practices/#additional-best-practices-for-tenant-dedicated-cluster-multi-tenancy",
    reads: &[Read::cluster::<Kustomization>(), Read::cluster::<HelmRelease>()],
    parameters: &[],
    judges: Judges::Cluster(judge),
};

fn judge(subject: &ClusterSubject<'_>) -> Result<Outcome, Missing> {
    let kustomizations = subject.view.marked::<Kustomization>(&Mark::REMOTE)?;
    let kustomizations = kustomizations.map(|(key, row)| (key, row.spec.kube_config.as_ref()));
    let releases = subject.view.marked::<HelmRelease>(&Mark::REMOTE)?;
    let releases = releases.map(|(key, row)| (key, row.spec.kube_config.as_ref()));
    let remote = kustomizations
        .chain(releases)
        .filter_map(|(key, remote)| Some((key, remote?)));
    let logins: BTreeSet<_> = remote
        .map(|(key, remote)| (&key.namespace, login(remote)))
        .collect();
    Ok(Outcome::Manual(
        format!(
            "confirm that somebody gets in without Flux and without the {} logins to remote clusters that are used here, and when that was last tried",
            logins.len()
        )
        .into(),
    ))
}

/// The kind and name of what describes the login.
fn login(remote: &KubeConfig) -> (&'static str, &str) {
    let config_map = remote
        .config_map_ref
        .as_ref()
        .map(|it| ("ConfigMap", it.name.as_str()));
    let secret = remote.secret_ref.as_ref().map(|it| ("Secret", it.name.as_str()));
    config_map.or(secret).unwrap_or_default()
}
