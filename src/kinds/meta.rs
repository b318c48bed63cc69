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
    /// Who changed something other than the status, and in which version.
    #[serde(rename = "managedFields", deserialize_with = "authors")]
    pub(super) authors: Authors,
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

/// What managedFields tell of those who changed something other than the status.
#[derive(Clone, Debug, Default)]
pub(super) struct Authors {
    /// The manager of the last change; empty when it cannot be told from others of the same second.
    last: String,
    /// Whether nobody else has changed anything.
    is_alone: bool,
    /// Whether there is any entry.
    is_recorded: bool,
    /// The oldest pre-release version that is written in, without its group.
    oldest: Option<Box<str>>,
}

/// Versions of Kubernetes are labels of DNS.
const LONGEST_VERSION: usize = 63;

/// One entry of managedFields, without the fields: they are a third of many an object, and nobody reads them.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ManagedFields<'a> {
    #[serde(borrow)]
    api_version: Cow<'a, str>,
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

    /// Reads metadata that was cut out of an object.
    ///
    /// # Errors
    /// It has an impossible shape.
    pub fn within(api_version: &str, metadata: &str) -> Result<Self, serde_json::Error> {
        let metadata: Self = serde_json::from_str(metadata)?;
        Ok(Self {
            api_version: api_version.to_owned(),
            ..metadata
        })
    }

    /// What findings and Events tell of the object.
    #[must_use]
    pub fn origin(&self, descriptor: &Descriptor) -> Origin {
        let read = self.api_version.rsplit('/').next();
        let known = descriptor.versions.iter().copied();
        let version = known
            .clone()
            .find(|version| Some(*version) == read)
            .or(known.clone().next())
            .unwrap_or_default();
        let oldest = self.authors.oldest.as_ref();
        Origin {
            uid: self.uid.as_str().into(),
            is_recorded: self.authors.is_recorded,
            version,
            outdated: oldest.filter(|oldest| age(oldest) < age(version)).cloned(),
        }
    }

    /// The field manager of the last change that was not one of status, where managedFields tell.
    pub(super) fn last_manager(&self) -> Option<&str> {
        Some(self.authors.last.as_str()).filter(|manager| !manager.is_empty())
    }

    /// The field manager of every change that was not one of status, when it was one and the same.
    pub(super) fn only_manager(&self) -> Option<&str> {
        self.last_manager().filter(|_| self.authors.is_alone)
    }

    /// The managing owner.
    #[must_use]
    pub fn controller(&self) -> Option<&Owner> {
        self.owner_references.iter().find(|owner| owner.controller)
    }
}

/// Reads what managedFields tell, but for entries of status.
fn authors<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Authors, D::Error> {
    let mut entries = Option::<Vec<ManagedFields<'de>>>::deserialize(deserializer)?.unwrap_or_default();
    entries.retain(|entry| entry.subresource.is_empty());
    let versions = entries
        .iter()
        .filter_map(|entry| entry.api_version.rsplit('/').next());
    let pre_releases = versions.filter(|version| !is_stable(version) && version.len() <= LONGEST_VERSION);
    let oldest = pre_releases.min_by_key(|version| age(version));
    let oldest = oldest.map(Box::from);
    let is_recorded = !entries.is_empty();
    let is_one = |entries: &[ManagedFields<'_>]| entries.iter().all(|it| it.manager == entries[0].manager);
    let is_alone = is_one(&entries);
    let latest = entries.iter().map(|entry| &entry.time).max().cloned();
    entries.retain(|entry| Some(&entry.time) == latest.as_ref());
    let is_told = is_one(&entries);
    let last = entries.pop().filter(|_| is_told);
    Ok(Authors {
        last: last.map_or_else(String::new, |entry| entry.manager.into_owned()),
        is_alone,
        is_recorded,
        oldest,
    })
}

/// What two versions of a kind are compared by: stability, then number, then the number of the pre-release.
fn age(version: &str) -> (u8, u32, u32) {
    let number = |text: &str| text.parse().unwrap_or_default();
    let rest = version.strip_prefix('v').unwrap_or(version);
    let stages = [("alpha", 0), ("beta", 1)];
    let pre_release = stages
        .iter()
        .find_map(|(stage, rank)| Some((*rank, rest.split_once(stage)?)));
    match pre_release {
        Some((rank, (major, pre))) => (rank, number(major), number(pre)),
        None => (2, number(rest), 0),
    }
}

fn is_stable(version: &str) -> bool {
    age(version).0 == 2
}

/// Reads an explicit `null` as the default: API servers write both forms for empty lists.
pub(crate) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use super::age;

    #[test]
    fn versions_are_ordered_as_kubernetes_orders_them() {
        let ordered = ["v1alpha1", "v1beta1", "v1beta2", "v2beta1", "v1", "v2", "v10"];
        for (older, newer) in ordered.iter().zip(&ordered[1..]) {
            assert!(age(older) < age(newer), "{older} {newer}");
        }
    }
}
