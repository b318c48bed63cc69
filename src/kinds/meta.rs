//! The metadata that projections look at.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use super::{Descriptor, Origin};

/// Metadata of an object, without what no control reads. Annotations and labels live only as long as the projection.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Meta {
    /// Group and version of the object; empty in lists of built-in kinds.
    #[serde(skip)]
    pub api_version: String,
    /// Name.
    pub name: String,
    /// Namespace; empty for cluster-scoped objects.
    pub namespace: String,
    /// Unique over time.
    pub uid: String,
    /// Version of the object.
    pub resource_version: String,
    /// Counts changes of the spec.
    pub generation: i64,
    /// Labels.
    #[serde(deserialize_with = "null_as_default")]
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    #[serde(deserialize_with = "null_as_default")]
    pub annotations: BTreeMap<String, String>,
    /// Owners.
    #[serde(deserialize_with = "null_as_default")]
    pub owner_references: Vec<Owner>,
    /// Set once deletion has begun.
    pub deletion_timestamp: Option<String>,
    /// Who changed something other than the status last.
    #[serde(rename = "managedFields", deserialize_with = "last_manager")]
    pub(super) manager: String,
}

/// An owner reference.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Owner {
    /// Kind of the owner.
    pub kind: String,
    /// Name of the owner.
    pub name: String,
    /// Whether it is the managing one.
    pub controller: bool,
}

/// One entry of managedFields, without the fields: they are a third of many an object, and nobody reads them.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ManagedFields<'a> {
    #[serde(borrow)]
    manager: Cow<'a, str>,
    #[serde(borrow)]
    time: Option<Cow<'a, str>>,
    #[serde(borrow)]
    subresource: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    #[serde(default)]
    api_version: String,
    #[serde(default)]
    metadata: Meta,
}

impl Meta {
    /// Reads the metadata of an object.
    ///
    /// # Errors
    /// The object is no JSON object, or its metadata has an impossible shape.
    pub fn parse(object: &str) -> Result<Self, serde_json::Error> {
        let envelope: Envelope = serde_json::from_str(object)?;
        Ok(Self {
            api_version: envelope.api_version,
            ..envelope.metadata
        })
    }

    /// What findings and Events tell of the object.
    #[must_use]
    pub fn origin(&self, descriptor: &Descriptor) -> Origin {
        let read = self.api_version.rsplit('/').next();
        let known = descriptor.versions.iter().copied();
        Origin {
            uid: self.uid.as_str().into(),
            manager: self.last_manager().into(),
            version: known
                .clone()
                .find(|version| Some(*version) == read)
                .or(known.clone().next())
                .unwrap_or_default(),
        }
    }

    /// The field manager of the last change that was not one of status; empty when managedFields do not tell.
    #[must_use]
    pub fn last_manager(&self) -> &str {
        &self.manager
    }

    /// The managing owner.
    #[must_use]
    pub fn controller(&self) -> Option<&Owner> {
        self.owner_references.iter().find(|owner| owner.controller)
    }
}

/// Of all entries of managedFields, the manager of the last change that was not one of status.
fn last_manager<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let entries = Option::<Vec<ManagedFields<'de>>>::deserialize(deserializer)?.unwrap_or_default();
    let of_the_object = entries.into_iter().filter(|entry| entry.subresource.is_empty());
    let last = of_the_object.max_by(|a, b| a.time.cmp(&b.time));
    Ok(last.map_or_else(String::new, |entry| entry.manager.into_owned()))
}

/// Reads an explicit `null` as the default: API servers write both forms for empty lists.
pub(crate) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}
