//! An object as it travels from a watch to its projection: metadata for the watch, the rest as text.
//!
//! kube decodes whole pages at once; one object of an impossible shape would fail the page and blind the kind. Here
//! only the projection, object by object, can fail.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::core::{ApiResource, DynamicObject, PartialObjectMeta};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// An object of any kind.
#[derive(Clone, Debug)]
pub struct Slim {
    metadata: ObjectMeta,
    text: Box<RawValue>,
}

#[derive(Deserialize)]
struct Envelope {
    #[serde(default)]
    metadata: Essential,
}

/// What the watch itself needs.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Essential {
    name: Option<String>,
    namespace: Option<String>,
    resource_version: Option<String>,
}

impl<'de> Deserialize<'de> for Slim {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        let essential = serde_json::from_str::<Envelope>(text.get())
            .map_err(serde::de::Error::custom)?
            .metadata;
        let metadata = ObjectMeta {
            name: essential.name,
            namespace: essential.namespace,
            resource_version: essential.resource_version,
            ..ObjectMeta::default()
        };
        Ok(Self { metadata, text })
    }
}

impl Resource for Slim {
    type DynamicType = ApiResource;
    type Scope = kube::core::DynamicResourceScope;

    fn kind(resource: &ApiResource) -> std::borrow::Cow<'_, str> {
        resource.kind.as_str().into()
    }
    fn group(resource: &ApiResource) -> std::borrow::Cow<'_, str> {
        resource.group.as_str().into()
    }
    fn version(resource: &ApiResource) -> std::borrow::Cow<'_, str> {
        resource.version.as_str().into()
    }
    fn api_version(resource: &ApiResource) -> std::borrow::Cow<'_, str> {
        resource.api_version.as_str().into()
    }
    fn plural(resource: &ApiResource) -> std::borrow::Cow<'_, str> {
        resource.plural.as_str().into()
    }
    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

/// What a projection reads.
pub(super) trait Observed {
    /// The object as JSON.
    fn text(&self) -> String;
}

impl Observed for Slim {
    fn text(&self) -> String {
        self.text.get().to_owned()
    }
}

impl Observed for PartialObjectMeta<DynamicObject> {
    fn text(&self) -> String {
        serde_json::json!({ "metadata": self.metadata }).to_string()
    }
}
