//! FSX-KC-002: Remote clusters see accounts of their own.

use super::super::control::{Control, Outcome, Severities};
use super::super::judges::{ClusterSubject, Judges};
use super::super::lockdown;
use crate::api::Severity;
use crate::flux::Component;
use crate::inventory::{Missing, Read};
use crate::kinds::Mark;
use crate::kinds::flux_objects::{Applier, HelmRelease, Kustomization};

pub(crate) static CONTROL: Control = Control {
    id: "FSX-KC-002",
    title: "Remote clusters see accounts of their own",
    chapter: "Beyond the document: Remote clusters",
    severity: Severities::always(Severity::High),
    rationale: "Without an account, the login that a ConfigMap describes requests a token for the controller itself and presents it to the address in the ConfigMap. With provider generic, that is whatever its author wrote.",
    audit: "The controllers' --default-kubeconfig-service-account, when a Kustomization or HelmRelease has spec.kubeConfig.configMapRef. Passes when every kustomize-controller and helm-controller that reads one has the default. Without it the key serviceAccountName of the ConfigMap decides, which is not read: unknown. FSP-WI-006 and FSP-WI-007 fail for the missing default.",
    remediation: "Set --default-kubeconfig-service-account on kustomize-controller and helm-controller, and serviceAccountName in each ConfigMap.",
    reference: "https://fluxcd.io/flux/components/kustomize/kustomizations/#kubeconfig-remote-clusters",
    reads: &[
        Read::cluster::<Kustomization>(),
        Read::cluster::<HelmRelease>(),
        Read::Controllers(&[Component::Kustomize, Component::Helm]),
    ],
    parameters: &[],
    judges: Judges::Cluster(judge),
};

fn judge(subject: &ClusterSubject<'_>) -> Result<Outcome, Missing> {
    let view = subject.view;
    let kustomizations = view.marked::<Kustomization>(&Mark::REMOTE)?;
    let kustomizations = kustomizations.filter(|(_, row)| row.logs_in_by_config_map());
    let releases = view.marked::<HelmRelease>(&Mark::REMOTE)?;
    let releases = releases.filter(|(_, row)| row.logs_in_by_config_map());
    let readers = [
        (Component::Kustomize, kustomizations.count()),
        (Component::Helm, releases.count()),
    ];
    let readers = readers.into_iter().filter(|(_, count)| *count > 0);
    if readers.clone().next().is_none() {
        return Ok(Outcome::not_applicable("nothing logs in with a ConfigMap"));
    }
    for (component, count) in readers {
        if lockdown::has_default_kubeconfig_account(view, component)? != Some(true) {
            let message = format!(
                "{component} has no default account, and whether the ConfigMaps of {count} objects name one is not read"
            );
            return Err(Missing::new("ConfigMapNotRead", message));
        }
    }
    Ok(Outcome::Pass)
}
