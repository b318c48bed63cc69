//! Generators: source-watcher makes artifacts of parts of sources.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer};

use super::super::meta::null_as_default;
use super::{NoStatus, ObjectRef, Text, flux, flux_kind};

/// `spec` of an ArtifactGenerator.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ArtifactGeneratorSpec {
    /// What artifacts are made of.
    #[serde(deserialize_with = "null_as_default")]
    pub sources: Box<[ObjectRef]>,
    /// The account whose rights decide where artifacts may go (Flux 2.10).
    pub service_account_name: Text,
    /// The namespaces that `artifacts` name, each once (Flux 2.10); with a path pattern, templates of names.
    #[serde(rename = "artifacts", deserialize_with = "namespaces")]
    pub targets: Box<[Text]>,
    /// The namespaces that are made and changed on the way (Flux 2.10); `None`: they exist already.
    pub managed_namespaces: Option<Box<ManagedNamespaces>>,
}

/// `spec.managedNamespaces` of an ArtifactGenerator.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ManagedNamespaces {
    /// CEL over the name `ns`; one that holds is enough.
    #[serde(deserialize_with = "null_as_default")]
    pub allowed_names: Box<[Text]>,
    /// Whether namespaces that are no target any more are deleted.
    #[serde(deserialize_with = "null_as_default")]
    pub prune: bool,
    /// CEL over the `value` that the source may give the label of Pod Security; `None`: the source has no say.
    #[serde(rename = "metadata", deserialize_with = "pod_security")]
    pub pod_security: Option<Text>,
}

/// The label that decides which pods a namespace admits.
const POD_SECURITY: &str = "pod-security.kubernetes.io/enforce";

#[derive(Default, Deserialize)]
#[serde(default)]
struct ArtifactWire {
    namespace: Text,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct MetadataWire {
    #[serde(deserialize_with = "null_as_default")]
    from_source: FromSourceWire,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct FromSourceWire {
    #[serde(deserialize_with = "null_as_default")]
    allowed_labels: BTreeMap<String, Text>,
}

fn namespaces<'de, D: Deserializer<'de>>(wire: D) -> Result<Box<[Text]>, D::Error> {
    let artifacts = Option::<Vec<ArtifactWire>>::deserialize(wire)?.unwrap_or_default();
    let named = artifacts.into_iter().map(|artifact| artifact.namespace);
    let each_once: BTreeSet<Text> = named.filter(|namespace| !namespace.is_empty()).collect();
    Ok(each_once.into_iter().collect())
}

fn pod_security<'de, D: Deserializer<'de>>(wire: D) -> Result<Option<Text>, D::Error> {
    let metadata = Option::<MetadataWire>::deserialize(wire)?.unwrap_or_default();
    let mut allowed = metadata.from_source.allowed_labels;
    Ok(allowed.remove(POD_SECURITY))
}

flux_kind!(
    /// Makes artifacts of parts of sources.
    ArtifactGenerator,
    ArtifactGeneratorSpec,
    NoStatus,
    flux("source.extensions.fluxcd.io", "ArtifactGenerator", "artifactgenerators", &["v1beta1"]),
    &[&["spec.sources"], &["spec.artifacts"]]
);
