//! Appliers: who changes the cluster, under whose account.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::super::Mark;
use super::super::meta::null_as_default;
use super::sources::OciReference;
use super::{Applier, Conditions, FluxObject, NameRef, ObjectRef, Status, Text, flux, flux_kind};
use crate::secrets::inline::Inline;
use crate::shared::{Shared, Word, pooled};

/// `spec` of a Kustomization.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct KustomizationSpec {
    /// What is applied.
    pub source_ref: Shared<ObjectRef>,
    /// The folder of the source that is built.
    pub path: Text,
    /// The account that it is applied as.
    pub service_account_name: Word,
    /// The remote cluster that it is applied to.
    pub kube_config: Option<Box<KubeConfig>>,
    /// How Secrets are decrypted.
    pub decryption: Option<Shared<Decryption>>,
    /// Objects that vanish from the source are deleted.
    #[serde(deserialize_with = "null_as_default")]
    pub prune: bool,
    /// Objects that cannot be changed are deleted and made again.
    #[serde(deserialize_with = "null_as_default")]
    pub force: bool,
    /// Nothing is applied.
    #[serde(deserialize_with = "null_as_default")]
    pub suspend: bool,
    /// The namespace that every object is put into.
    pub target_namespace: Word,
    /// What is filled in after the build.
    #[serde(deserialize_with = "null_as_default")]
    pub post_build: PostBuild,
    /// Secrets in the patches of what is built.
    pub patches: Inline,
}

/// `spec.postBuild` of a Kustomization.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PostBuild {
    /// Secrets among the variables that it says itself.
    pub substitute: Inline,
    /// Where variables come from.
    #[serde(deserialize_with = "null_as_default")]
    pub substitute_from: Shared<[ObjectRef]>,
}

/// `spec` of a HelmRelease.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HelmReleaseSpec {
    /// The chart, as a template of a HelmChart or, since Flux 2.10, of an OCIRepository.
    pub chart: Option<Box<ChartTemplate>>,
    /// The chart, as an object of its own.
    pub chart_ref: Option<Shared<ObjectRef>>,
    /// The account that it is installed as.
    pub service_account_name: Word,
    /// The remote cluster that it is installed into.
    pub kube_config: Option<Box<KubeConfig>>,
    /// Whether what others change is noticed.
    pub drift_detection: Option<DriftDetection>,
    /// Nothing is installed or upgraded.
    #[serde(deserialize_with = "null_as_default")]
    pub suspend: bool,
    /// The namespace that it is installed into.
    pub target_namespace: Word,
    /// The namespace that keeps its history.
    pub storage_namespace: Word,
    /// Where values come from.
    #[serde(deserialize_with = "null_as_default")]
    pub values_from: Shared<[ObjectRef]>,
    /// Secrets among the values that it says itself.
    pub values: Inline,
    /// Secrets in the patches of what the chart renders.
    pub post_renderers: Inline,
}

/// `spec.chart` of a HelmRelease.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ChartTemplate {
    /// `HelmChart` when empty, or, since Flux 2.10, `OCIRepository`.
    pub kind: Text,
    /// The template's spec.
    pub spec: ChartSpec,
}

/// `spec.chart.spec` of a HelmRelease.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ChartSpec {
    /// Where the chart comes from; absent when the template is one of an OCIRepository.
    pub source_ref: Shared<ObjectRef>,
    /// Version or range of versions; empty: any.
    pub version: Word,
    /// Which revision, in a template of an OCIRepository.
    #[serde(rename = "ref")]
    pub reference: Option<OciReference>,
}

/// `spec.driftDetection` of a HelmRelease.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct DriftDetection {
    /// `enabled`, `warn` or `disabled`.
    pub mode: Word,
}

/// `spec.kubeConfig`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct KubeConfig {
    /// Log in as the ConfigMap says (Flux 2.7).
    pub config_map_ref: Option<NameRef>,
    /// Log in with a kubeconfig.
    pub secret_ref: Option<NameRef>,
}

/// `spec.decryption` of a Kustomization.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Decryption {
    /// `sops`.
    pub provider: Word,
    /// Keys, and static credentials of key management.
    pub secret_ref: Option<NameRef>,
    /// The account that key management knows.
    pub service_account_name: Word,
}

pooled!(Decryption);

/// What a Kustomization has applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// How the last attempt went, as far as decryption is concerned.
    pub attempt: Attempt,
    /// How many Secrets are in the inventory; `None`: nothing was applied yet.
    pub secrets: Option<u16>,
    /// Where its objects are; `None`: nothing was applied yet.
    pub places: Option<Places>,
}

/// The namespaces of an inventory. Objects without a namespace are in none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// The first of them, by name.
    pub namespaces: Shared<[Text]>,
    /// Whether there are more than are kept.
    pub and_more: bool,
}

/// Most namespaces of one inventory that are kept.
const MOST_PLACES: usize = 32;

impl Places {
    fn of(entries: &[InventoryEntry]) -> Self {
        let namespaces = entries.iter().filter_map(InventoryEntry::namespace);
        let all: BTreeSet<Text> = namespaces.collect();
        Self {
            and_more: all.len() > MOST_PLACES,
            namespaces: all.into_iter().take(MOST_PLACES).collect(),
        }
    }
}

/// How an attempt to apply went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// Nothing is known of this generation.
    Unknown,
    /// Neither of the others.
    Fine,
    /// The source has encrypted Secrets and nothing is configured to decrypt them.
    Encrypted,
    /// Decryption failed.
    Undecryptable,
    /// A reference to another namespace was refused.
    AccessDenied,
}

/// What is read of a Kustomization's status.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct AppliedWire {
    conditions: Conditions,
    inventory: Option<InventoryWire>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct InventoryWire {
    #[serde(deserialize_with = "null_as_default")]
    entries: Vec<InventoryEntry>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct InventoryEntry {
    id: Text,
}

impl InventoryEntry {
    /// Of `<namespace>_<name>_<group>_<kind>`.
    fn namespace(&self) -> Option<Text> {
        let (namespace, _) = self.id.as_str().split_once('_')?;
        Some(Text::from(namespace)).filter(|namespace| !namespace.is_empty())
    }
}

impl InventoryWire {
    /// What was applied; an empty inventory is none.
    fn entries(wire: Option<Self>) -> Option<Vec<InventoryEntry>> {
        let entries = wire.map(|inventory| inventory.entries);
        entries.filter(|entries| !entries.is_empty())
    }
}

impl Status for Applied {
    type Wire = AppliedWire;
    fn new(wire: AppliedWire, generation: i64) -> Self {
        let is_secret = |entry: &&InventoryEntry| entry.id.as_str().ends_with("__Secret");
        let entries = InventoryWire::entries(wire.inventory);
        let secrets = entries.as_ref().map(|entries| {
            let secrets = entries.iter().filter(is_secret).count();
            u16::try_from(secrets).unwrap_or(u16::MAX)
        });
        Self {
            attempt: Attempt::of(&wire.conditions, generation),
            secrets,
            places: entries.as_deref().map(Places::of),
        }
    }
}

impl Attempt {
    fn of(conditions: &Conditions, generation: i64) -> Self {
        let Some(ready) = conditions.find("Ready", generation) else {
            return Self::Unknown;
        };
        let says = |text: &str| ready.message.as_str().contains(text);
        match (ready.status.as_str(), ready.reason.as_str()) {
            ("False", "AccessDenied") => Self::AccessDenied,
            ("False", _) if says("SOPS encrypted, configuring decryption is required") => Self::Encrypted,
            ("False", "BuildFailed") if says("decryption failed") || says("failed to decrypt") => {
                Self::Undecryptable
            }
            ("True" | "False", _) => Self::Fine,
            _ => Self::Unknown,
        }
    }
}

/// What a HelmRelease says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Released {
    /// Whether a reference to another namespace was refused.
    pub access_denied: bool,
    /// Where its objects are; `None`: the version keeps no inventory, or nothing was installed yet.
    pub places: Option<Places>,
}

/// What is read of a HelmRelease's status.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct ReleasedWire {
    conditions: Conditions,
    inventory: Option<InventoryWire>,
}

impl Status for Released {
    type Wire = ReleasedWire;
    fn new(wire: ReleasedWire, generation: i64) -> Self {
        Self {
            access_denied: Attempt::of(&wire.conditions, generation) == Attempt::AccessDenied,
            places: InventoryWire::entries(wire.inventory).as_deref().map(Places::of),
        }
    }
}

flux_kind!(
    /// Applies a path of a source.
    Kustomization,
    KustomizationSpec,
    Applied,
    flux("kustomize.toolkit.fluxcd.io", "Kustomization", "kustomizations", &["v1", "v1beta2"]),
    &[&["spec.sourceRef"], &["spec.interval"], &["spec.prune"]],
    marks: &[Mark::REMOTE, Mark::DECRYPTS, Mark::SECRET_VARIABLES]
);
flux_kind!(
    /// Installs a chart.
    HelmRelease,
    HelmReleaseSpec,
    Released,
    flux("helm.toolkit.fluxcd.io", "HelmRelease", "helmreleases", &["v2", "v2beta2", "v2beta1"]),
    &[&["spec.chart", "spec.chartRef"], &["spec.interval"]],
    marks: &[Mark::REMOTE]
);

impl Mark<FluxObject<KustomizationSpec, Applied>> {
    /// It decrypts Secrets.
    pub const DECRYPTS: Self = Self {
        name: "decrypts",
        is_on: |row| row.spec.decryption.is_some(),
    };
    /// It fills in variables from Secrets.
    pub const SECRET_VARIABLES: Self = Self {
        name: "secret variables",
        is_on: |row| {
            let mut from = row.spec.post_build.substitute_from.iter();
            from.any(|from| from.kind.as_str() == "Secret")
        },
    };
}

impl Applier for FluxObject<KustomizationSpec, Applied> {
    fn account(&self) -> &str {
        self.spec.service_account_name.as_str()
    }

    fn is_remote(&self) -> bool {
        self.spec.kube_config.is_some()
    }

    fn logs_in_by_config_map(&self) -> bool {
        let remote = self.spec.kube_config.as_deref();
        remote.is_some_and(|remote| remote.config_map_ref.is_some())
    }
}

impl Applier for FluxObject<HelmReleaseSpec, Released> {
    fn account(&self) -> &str {
        self.spec.service_account_name.as_str()
    }

    fn is_remote(&self) -> bool {
        self.spec.kube_config.is_some()
    }

    fn logs_in_by_config_map(&self) -> bool {
        let remote = self.spec.kube_config.as_deref();
        remote.is_some_and(|remote| remote.config_map_ref.is_some())
    }
}
