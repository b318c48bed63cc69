//! A report as it is there, whoever wrote it.
//!
//! A newer version may have written what this one cannot read, and managedFields may be nested deeper than kube decodes.
//! Neither keeps a report from being written anew, so no more is decoded than what is asked of it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::Resource;
use kube::core::object::HasStatus;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// A report of a kind.
#[derive(Clone, Debug)]
pub(super) struct Live<K: HasStatus> {
    metadata: ObjectMeta,
    status: Option<K::Status>,
}

/// A status that this version cannot read is an empty one, which differs from any that it writes.
impl<K: HasStatus> HasStatus for Live<K> {
    type Status = K::Status;

    fn status(&self) -> Option<&K::Status> {
        self.status.as_ref()
    }
    fn status_mut(&mut self) -> &mut Option<K::Status> {
        &mut self.status
    }
}

#[derive(Deserialize)]
struct Wire {
    metadata: Metadata,
    status: Option<Box<RawValue>>,
}

/// What is asked of an object that we have just written.
#[derive(Deserialize)]
pub(super) struct Written {
    pub(super) metadata: Metadata,
}

/// What is asked of the metadata.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Metadata {
    pub(super) uid: Option<String>,
    pub(super) resource_version: Option<String>,
    labels: Option<BTreeMap<String, String>>,
    owner_references: Option<Vec<OwnerReference>>,
}

impl<'de, K> Deserialize<'de> for Live<K>
where
    K: HasStatus<Status: DeserializeOwned + Default>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Wire { metadata, status } = Wire::deserialize(deserializer)?;
        Ok(Self {
            metadata: ObjectMeta {
                uid: metadata.uid,
                resource_version: metadata.resource_version,
                labels: metadata.labels,
                owner_references: metadata.owner_references,
                ..ObjectMeta::default()
            },
            status: status.map(|status| serde_json::from_str(status.get()).unwrap_or_default()),
        })
    }
}

impl<K: Resource<DynamicType = ()> + HasStatus> Resource for Live<K> {
    type DynamicType = ();
    type Scope = K::Scope;

    fn kind((): &()) -> Cow<'_, str> {
        K::kind(&())
    }
    fn group((): &()) -> Cow<'_, str> {
        K::group(&())
    }
    fn version((): &()) -> Cow<'_, str> {
        K::version(&())
    }
    fn plural((): &()) -> Cow<'_, str> {
        K::plural(&())
    }
    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::{FluxSecurityReport, ReportStatus};

    fn live(status: &serde_json::Value) -> Live<FluxSecurityReport> {
        let metadata = json!({"name": "default", "uid": "u", "resourceVersion": "7", "managedFields": [{"manager": "a"}]});
        serde_json::from_str(&json!({"metadata": metadata, "status": status}).to_string()).unwrap()
    }

    #[test]
    fn what_this_version_wrote_is_read_and_what_it_cannot_read_is_empty() {
        let known = ReportStatus {
            observed_generation: 3,
            ..ReportStatus::default()
        };
        assert_eq!(live(&json!(known)).status(), Some(&known));
        assert_eq!(
            live(&json!({"controls": "none"})).status(),
            Some(&ReportStatus::default())
        );
        assert_eq!(live(&json!(null)).status(), None);
    }

    #[test]
    fn metadata_may_be_nested_as_deep_as_the_api_server_admits() {
        let fields = format!("{}{{}}{}", r#"{"f:a":"#.repeat(5000), "}".repeat(5000));
        let text = format!(r#"{{"metadata": {{"uid": "u", "managedFields": [{{"fieldsV1": {fields}}}]}}}}"#);
        let live: Live<FluxSecurityReport> = serde_json::from_str(&text).unwrap();
        assert_eq!(live.meta().uid.as_deref(), Some("u"));
    }
}
