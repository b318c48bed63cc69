//! Flux's own objects, as far as flag controls depend on them.
//!
//! A default account is only worth something where objects use cloud identities, remote clusters or webhooks of
//! other namespaces (flux-facts 5.1.1, FSP-MT-003 and FSP-WI). Objects that use none of these are not kept.

use serde::Deserialize;

use super::meta::null_as_default;
use super::{Descriptor, Kind, Meta};

/// An object whose provider is not `generic`: it authenticates with an identity of a cloud.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudUse {
    /// `spec.provider` or `spec.type`.
    pub provider: String,
}

/// An applier with a remote cluster that it logs in to by a ConfigMap (Flux 2.7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteByConfigMap {
    /// `spec.kubeConfig.configMapRef.name`.
    pub config_map: String,
    /// Whether the object decrypts with an identity of its own or of the controller.
    pub decrypts: bool,
}

/// A Receiver that triggers objects of other namespaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignTrigger {
    /// The first foreign namespace that it names.
    pub namespace: String,
}

const fn flux(
    group: &'static str,
    kind: &'static str,
    plural: &'static str,
    versions: &'static [&'static str],
) -> Descriptor {
    Descriptor {
        group,
        kind,
        plural,
        versions,
        custom: true,
        page_size: 100,
        metadata_only: false,
    }
}

const SOURCE: &str = "source.toolkit.fluxcd.io";

macro_rules! cloud_user {
    ($(#[$doc:meta])* $name:ident, $descriptor:expr) => {
        $(#[$doc])*
        pub struct $name;

        impl Kind for $name {
            type Row = CloudUse;
            const DESCRIPTOR: Descriptor = $descriptor;
            fn project(_meta: &Meta, object: &str) -> Result<Option<CloudUse>, serde_json::Error> {
                cloud_use(object)
            }
        }
    };
}

cloud_user!(
    /// Git sources.
    GitRepository,
    flux(SOURCE, "GitRepository", "gitrepositories", &["v1", "v1beta2"])
);
cloud_user!(
    /// OCI sources.
    OciRepository,
    flux(SOURCE, "OCIRepository", "ocirepositories", &["v1", "v1beta2"])
);
cloud_user!(
    /// Helm repositories.
    HelmRepository,
    flux(SOURCE, "HelmRepository", "helmrepositories", &["v1", "v1beta2"])
);
cloud_user!(
    /// Buckets.
    Bucket,
    flux(SOURCE, "Bucket", "buckets", &["v1", "v1beta2"])
);
cloud_user!(
    /// Scanned images.
    ImageRepository,
    flux("image.toolkit.fluxcd.io", "ImageRepository", "imagerepositories", &["v1", "v1beta2"])
);

fn cloud_use(object: &str) -> Result<Option<CloudUse>, serde_json::Error> {
    let object: SpecOf<ProviderSpec> = serde_json::from_str(object)?;
    let provider = object.spec.provider;
    Ok((!provider.is_empty() && provider != "generic").then_some(CloudUse { provider }))
}

/// Where alerts are sent.
pub struct Provider;

impl Kind for Provider {
    type Row = CloudUse;
    const DESCRIPTOR: Descriptor = flux(
        "notification.toolkit.fluxcd.io",
        "Provider",
        "providers",
        &["v1", "v1beta3", "v1beta2"],
    );

    fn project(_meta: &Meta, object: &str) -> Result<Option<CloudUse>, serde_json::Error> {
        const CLOUD_TYPES: [&str; 4] = ["azuredevops", "azureeventhub", "googlepubsub", "gcppubsub"];
        let object: SpecOf<ProviderType> = serde_json::from_str(object)?;
        let provider = object.spec.kind;
        Ok(CLOUD_TYPES
            .contains(&provider.as_str())
            .then_some(CloudUse { provider }))
    }
}

/// Applies a path of a source.
pub struct Kustomization;

impl Kind for Kustomization {
    type Row = RemoteByConfigMap;
    const DESCRIPTOR: Descriptor = flux(
        "kustomize.toolkit.fluxcd.io",
        "Kustomization",
        "kustomizations",
        &["v1", "v1beta2"],
    );

    fn project(_meta: &Meta, object: &str) -> Result<Option<RemoteByConfigMap>, serde_json::Error> {
        applier(object)
    }
}

/// Installs a chart.
pub struct HelmRelease;

impl Kind for HelmRelease {
    type Row = RemoteByConfigMap;
    const DESCRIPTOR: Descriptor = flux(
        "helm.toolkit.fluxcd.io",
        "HelmRelease",
        "helmreleases",
        &["v2", "v2beta2", "v2beta1"],
    );

    fn project(_meta: &Meta, object: &str) -> Result<Option<RemoteByConfigMap>, serde_json::Error> {
        applier(object)
    }
}

fn applier(object: &str) -> Result<Option<RemoteByConfigMap>, serde_json::Error> {
    let object: SpecOf<ApplierSpec> = serde_json::from_str(object)?;
    let decrypts = object.spec.decryption.is_some();
    let config_map = object
        .spec
        .kube_config
        .and_then(|kube_config| kube_config.config_map_ref);
    let config_map = config_map.map(|reference| reference.name).unwrap_or_default();
    Ok((decrypts || !config_map.is_empty()).then_some(RemoteByConfigMap { config_map, decrypts }))
}

/// Receives webhooks.
pub struct Receiver;

impl Kind for Receiver {
    type Row = ForeignTrigger;
    const DESCRIPTOR: Descriptor = flux(
        "notification.toolkit.fluxcd.io",
        "Receiver",
        "receivers",
        &["v1", "v1beta2"],
    );

    fn project(meta: &Meta, object: &str) -> Result<Option<ForeignTrigger>, serde_json::Error> {
        let object: SpecOf<ReceiverSpec> = serde_json::from_str(object)?;
        let foreign = |namespace: &String| !namespace.is_empty() && *namespace != meta.namespace;
        let namespace = object
            .spec
            .resources
            .into_iter()
            .map(|resource| resource.namespace)
            .find(foreign);
        Ok(namespace.map(|namespace| ForeignTrigger { namespace }))
    }
}

#[derive(Deserialize)]
struct SpecOf<S: Default> {
    #[serde(default = "S::default")]
    spec: S,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ProviderSpec {
    #[serde(deserialize_with = "null_as_default")]
    provider: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ProviderType {
    #[serde(rename = "type", deserialize_with = "null_as_default")]
    kind: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ApplierSpec {
    kube_config: Option<KubeConfig>,
    decryption: Option<serde::de::IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct KubeConfig {
    config_map_ref: Option<NameRef>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct NameRef {
    name: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ReceiverSpec {
    #[serde(deserialize_with = "null_as_default")]
    resources: Vec<TriggeredResource>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TriggeredResource {
    #[serde(deserialize_with = "null_as_default")]
    namespace: String,
}
