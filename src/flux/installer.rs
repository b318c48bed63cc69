//! Which tool installed a controller, and whether the controller is a shard.
//!
//! The installer decides how a finding is remedied: flux-operator and bootstrap revert manual edits, a Helm
//! chart overwrites them at the next upgrade. See flux-facts 3.2 and 3.3.

use std::{collections::BTreeMap, fmt};

use super::{
    component::Component,
    image::{ImageRef, without_flux_prefix},
};

const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
const AKS_IMAGES: &str = "mcr.microsoft.com/oss/fluxcd/";
const AKS_AGENTS: [&str; 2] = ["fluxconfig-agent", "fluxconfig-controller"];
const SHARD_ROLE: &str = "sharding.fluxcd.io/role";

/// The tool that installed a controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Installer {
    /// `flux bootstrap`, `flux install`, or any set-up in which Flux reconciles its own manifests.
    Bootstrap,
    /// A FluxInstance of ControlPlane's flux-operator.
    FluxOperator,
    /// A Helm chart, usually the community chart `flux2`.
    HelmChart,
    /// The `microsoft.flux` extension of AKS and Azure Arc.
    Aks,
    /// Several controllers in one workload, as the `flux-aio` module installs them.
    AllInOne,
    /// No known traces.
    Unknown,
}

impl fmt::Display for Installer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bootstrap => "Bootstrap",
            Self::FluxOperator => "FluxOperator",
            Self::HelmChart => "HelmChart",
            Self::Aks => "AKS",
            Self::AllInOne => "AllInOne",
            Self::Unknown => "Unknown",
        })
    }
}

/// What an installer leaves behind.
#[derive(Clone, Copy, Debug)]
pub struct Traces<'a> {
    /// Labels of the workload.
    pub labels: &'a BTreeMap<String, String>,
    /// Annotations of the workload.
    pub annotations: &'a BTreeMap<String, String>,
    /// Images of the controllers in the workload.
    pub images: &'a [&'a str],
    /// Labels of the CRD `gitrepositories.source.toolkit.fluxcd.io`, where known. The Flux CLI reads the same
    /// CRD.
    pub crd_labels: Option<&'a BTreeMap<String, String>>,
    /// Names of the workloads in the same namespace.
    pub neighbours: &'a [&'a str],
    /// Whether several controllers run in this one workload.
    pub several_controllers: bool,
}

/// The tool that installed a workload.
///
/// The most specific trace wins: flux-operator, the AKS extension (itself a Helm release), an all-in-one
/// workload, a Helm chart, a Kustomization. The CRD is asked last, because all installations of a cluster
/// share it.
#[must_use]
pub fn installer(traces: &Traces<'_>) -> Installer {
    let (labels, annotations) = (traces.labels, traces.annotations);
    if is_flux_operator(labels) {
        return Installer::FluxOperator;
    }
    if traces.neighbours.iter().any(|name| AKS_AGENTS.contains(name)) {
        return Installer::Aks;
    }
    if traces.several_controllers {
        return Installer::AllInOne;
    }
    if is_from_aks_registry(traces.images) && !is_applied_by_flux(labels) {
        return Installer::Aks;
    }
    if is_helm(labels) || annotations.contains_key("meta.helm.sh/release-name") {
        return Installer::HelmChart;
    }
    if is_applied_by_flux(labels) {
        return Installer::Bootstrap;
    }
    match traces.crd_labels.map_or(Installer::Unknown, installer_of_crd) {
        Installer::Unknown if is_upstream(labels) => Installer::Bootstrap,
        installer => installer,
    }
}

/// The name of the shard that a workload serves; `None` when it is no shard.
///
/// `labels` are those of the pod template: there `app` carries the shard's suffix. A shard is marked by
/// `sharding.fluxcd.io/role: shard`, or has the same suffix in its name and in `app` (Flux's "Sharding and
/// horizontal scaling" names shards so). A marked workload whose names have no suffix is called by its own
/// name.
#[must_use]
pub fn shard<'a>(
    annotations: &'a BTreeMap<String, String>,
    labels: &'a BTreeMap<String, String>,
    name: &'a str,
    component: Component,
) -> Option<&'a str> {
    let by_name = suffix(name, component);
    let by_app = labels.get("app").and_then(|app| suffix(app, component));
    if is_shard_role(annotations) || is_shard_role(labels) {
        return by_name.or(by_app).or(Some(name));
    }
    by_name.filter(|_| by_name == by_app)
}

/// What follows `<controller>-` in a name.
fn suffix(name: &str, component: Component) -> Option<&str> {
    let rest = without_flux_prefix(name).strip_prefix(component.name())?;
    rest.strip_prefix('-').filter(|suffix| !suffix.is_empty())
}

fn installer_of_crd(labels: &BTreeMap<String, String>) -> Installer {
    if is_flux_operator(labels) {
        return Installer::FluxOperator;
    }
    if is_helm(labels) {
        return Installer::HelmChart;
    }
    if is_applied_by_flux(labels) {
        return Installer::Bootstrap;
    }
    Installer::Unknown
}

fn is_flux_operator(labels: &BTreeMap<String, String>) -> bool {
    is(labels, MANAGED_BY, "flux-operator") || labels.contains_key("fluxcd.controlplane.io/name")
}

fn is_helm(labels: &BTreeMap<String, String>) -> bool {
    is(labels, MANAGED_BY, "Helm") || labels.contains_key("helm.sh/chart")
}

fn is_applied_by_flux(labels: &BTreeMap<String, String>) -> bool {
    labels.contains_key("kustomize.toolkit.fluxcd.io/name")
}

/// Bootstrap applies what `flux install` prints: until its first reconciliation only those manifests' own labels tell.
fn is_upstream(labels: &BTreeMap<String, String>) -> bool {
    is(labels, "app.kubernetes.io/part-of", "flux") && !labels.contains_key(MANAGED_BY)
}

fn is_shard_role(metadata: &BTreeMap<String, String>) -> bool {
    is(metadata, SHARD_ROLE, "shard")
}

fn is_from_aks_registry(images: &[&str]) -> bool {
    images
        .iter()
        .any(|image| ImageRef::parse(image).registry_and_path.starts_with(AKS_IMAGES))
}

fn is(map: &BTreeMap<String, String>, key: &str, value: &str) -> bool {
    map.get(key).is_some_and(|found| found == value)
}
