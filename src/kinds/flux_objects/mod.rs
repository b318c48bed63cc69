//! Flux's own objects: of each the few fields of its spec and status that controls read (flux-facts 4.2).
//!
//! What Flux writes all day, times and conditions that say the same, is not kept: a row changes when a verdict can.

pub mod address;
pub mod appliers;
pub mod artifact;
pub mod generators;
pub mod images;
pub mod notifications;
pub mod operator;
pub mod sources;

pub use address::Address;
pub use appliers::{HelmRelease, Kustomization};
pub use artifact::{Artifact, ExternalArtifact, Publishes, Stored};
pub use generators::ArtifactGenerator;
pub use images::{ImagePolicy, ImageRepository, ImageUpdateAutomation};
pub use notifications::{Alert, Provider, Receiver};
pub use operator::{FluxInstance, ResourceSet, ResourceSetInputProvider};
pub use sources::{Bucket, GitRepository, HelmChart, HelmRepository, OciRepository};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use super::meta::null_as_default;
use super::{Descriptor, Mark, Meta, Origin};
use crate::flux::labels::Labels;
use crate::shared::{Pooled, Shared, Word, pooled};

/// An object of Flux: where it comes from, and what controls read of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FluxObject<S, T> {
    /// Where it comes from.
    pub origin: Origin,
    /// Which controllers and which Alerts choose it.
    pub labels: Labels,
    /// What its author asks for.
    pub spec: S,
    /// What its controller says.
    pub status: T,
}

/// An object that controllers choose by its labels.
pub trait Labelled {
    /// Its labels.
    fn labels(&self) -> &Labels;
}

impl<S, T> Labelled for FluxObject<S, T> {
    fn labels(&self) -> &Labels {
        &self.labels
    }
}

/// Whether a provider of a cloud authenticates the object, so that no static credential is needed.
pub trait CloudUser {
    /// The provider; `None`: the object uses no identity of a cloud.
    fn cloud(&self) -> Option<&str>;
    /// The account whose identity it is; empty when it names none.
    fn cloud_account(&self) -> &str;
}

/// An object that changes a cluster.
pub trait Applier {
    /// The account that it is applied as; empty when it names none.
    fn account(&self) -> &str;
    /// Whether it changes a remote cluster: its account is one of that cluster.
    fn is_remote(&self) -> bool;
    /// Whether it logs in to the remote cluster as a ConfigMap says.
    fn logs_in_by_config_map(&self) -> bool;
}

impl<R: CloudUser> Mark<R> {
    /// It uses an identity of a cloud.
    pub const CLOUD: Self = Self {
        name: "cloud",
        is_on: |row| row.cloud().is_some(),
    };
}

impl<R: Applier> Mark<R> {
    /// It changes a remote cluster.
    pub const REMOTE: Self = Self {
        name: "remote",
        is_on: R::is_remote,
    };
}

/// `spec.provider`, where absent and `generic` are the same.
fn named_provider(provider: &Word) -> Option<&str> {
    Some(provider.as_str()).filter(|provider| !provider.is_empty() && *provider != "generic")
}

/// Text of an object's author, cut off after 1 KiB: schemes, hosts and names are shorter.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(Box<str>);

/// Most bytes of a [`Text`].
const MOST: usize = 1024;

impl Text {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(text[..text.floor_char_boundary(MOST)].into())
    }
}

impl std::fmt::Display for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut text = Option::<String>::deserialize(deserializer)?.unwrap_or_default();
        text.truncate(text.floor_char_boundary(MOST));
        Ok(Self(text.into()))
    }
}

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Text::deserialize(deserializer)?;
        Ok(Self::from(text.as_str()))
    }
}

impl<'de, T: Pooled + Deserialize<'de>> Deserialize<'de> for Shared<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self::from)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Shared<[T]>
where
    [T]: Pooled,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(Self::from)
    }
}

pooled!([Text]);
pooled!(ObjectRef);
pooled!([ObjectRef]);

/// A reference to an object by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(default)]
pub struct NameRef {
    /// Its name.
    pub name: Word,
}

/// A reference to an object that may be in another namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(default)]
pub struct ObjectRef {
    /// Kind; empty where the field admits one kind only.
    pub kind: Text,
    /// Name.
    pub name: Text,
    /// Namespace; empty for the namespace of the object that refers.
    pub namespace: Text,
}

impl ObjectRef {
    /// The namespace, when it is not the referring object's own.
    #[must_use]
    pub fn foreign(&self, own: &str) -> Option<&str> {
        Some(self.namespace.as_str()).filter(|namespace| !namespace.is_empty() && *namespace != own)
    }
}

/// A condition as far as it is up to date.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Standing {
    /// Not set, or set for an older generation of the object.
    #[default]
    Absent,
    /// `True`.
    True,
    /// `False`, with the reason.
    False(Text),
}

/// The conditions of an object, on their way into a row.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Conditions(#[serde(deserialize_with = "null_as_default")] Vec<Condition>);

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Condition {
    #[serde(rename = "type")]
    kind: Text,
    status: Text,
    reason: Text,
    message: Text,
    observed_generation: i64,
}

impl Conditions {
    /// How a condition stands at this generation of the object.
    fn standing(&self, kind: &str, generation: i64) -> Standing {
        let Some(condition) = self.find(kind, generation) else {
            return Standing::Absent;
        };
        match condition.status.as_str() {
            "True" => Standing::True,
            "False" => Standing::False(condition.reason.clone()),
            _ => Standing::Absent,
        }
    }

    fn find(&self, kind: &str, generation: i64) -> Option<&Condition> {
        let mut conditions = self.0.iter();
        conditions.find(|it| it.kind.as_str() == kind && it.observed_generation >= generation)
    }
}

/// A status, made of what the controller wrote.
pub(crate) trait Status: Sized {
    /// What is read of `status`.
    type Wire: DeserializeOwned + Default;
    /// Keeps what controls read.
    fn new(wire: Self::Wire, generation: i64) -> Self;
}

/// A kind of which no status is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoStatus;

impl Status for NoStatus {
    type Wire = serde::de::IgnoredAny;
    fn new(_wire: Self::Wire, _generation: i64) -> Self {
        Self
    }
}

#[derive(Deserialize)]
struct Wire<S: Default, T: Default> {
    #[serde(default = "S::default")]
    spec: S,
    #[serde(default = "T::default")]
    status: T,
}

fn project<S, T>(
    meta: &Meta,
    object: &str,
    descriptor: &Descriptor,
) -> Result<Option<FluxObject<S, T>>, serde_json::Error>
where
    S: DeserializeOwned + Default,
    T: Status,
{
    let wire: Wire<S, T::Wire> = serde_json::from_str(object)?;
    Ok(Some(FluxObject {
        origin: meta.origin(descriptor),
        labels: Labels::of(&meta.labels),
        spec: wire.spec,
        status: T::new(wire.status, meta.generation),
    }))
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

/// A kind of Flux: `(docs, name, spec, status, descriptor, required)`.
macro_rules! flux_kind {
    ($(#[$doc:meta])* $name:ident, $spec:ty, $status:ty, $descriptor:expr $(, $required:expr)? $(, marks: $marks:expr)?) => {
        $(#[$doc])*
        pub struct $name;

        impl $crate::kinds::Kind for $name {
            type Row = $crate::kinds::flux_objects::FluxObject<$spec, $status>;
            const DESCRIPTOR: $crate::kinds::Descriptor = $descriptor;
            $(const REQUIRED: $crate::kinds::Required = $required;)?
            $(const MARKS: &'static [$crate::kinds::Mark<Self::Row>] = $marks;)?

            fn project(
                meta: &$crate::kinds::Meta,
                object: &str,
            ) -> Result<Option<Self::Row>, serde_json::Error> {
                $crate::kinds::flux_objects::project(meta, object, &Self::DESCRIPTOR)
            }

            fn origin(row: &Self::Row) -> Option<&$crate::kinds::Origin> {
                Some(&row.origin)
            }
        }
    };
}
use flux_kind;

#[cfg(test)]
mod tests {
    use super::{MOST, Text};

    #[test]
    fn text_is_cut_between_characters() {
        let long = format!("\"{}é\"", "a".repeat(MOST - 1));
        let text: Text = serde_json::from_str(&long).unwrap();
        assert_eq!(text.as_str().len(), MOST - 1);
        let none: Text = serde_json::from_str("null").unwrap();
        assert!(none.is_empty());
    }
}
