//! An object as it travels from a watch to its projection: metadata for the watch, the rest as text.
//!
//! kube decodes whole pages at once; one object of an impossible shape would fail the page and blind the kind. Here
//! only the projection, object by object, can fail. That is so of metadata alone, too: managedFields may be nested deeper
//! than a decoder of a tree goes, and whoever may create an object may write them.

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::core::ApiResource;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::kinds::Meta;

/// An object of any kind, or no more than its metadata.
#[derive(Clone, Debug)]
pub struct Slim<const METADATA_ONLY: bool> {
    /// What the watch itself needs.
    metadata: ObjectMeta,
    /// What the projection needs; none when its shape is impossible, which only the projection may complain of.
    meta: Option<Meta>,
    text: Box<RawValue>,
}

/// What the watch needs of an object whose metadata has an impossible shape.
#[derive(Deserialize)]
struct Envelope {
    #[serde(default)]
    metadata: Essential,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Essential {
    name: String,
    namespace: String,
    resource_version: String,
}

impl Essential {
    fn of(meta: &Meta) -> Self {
        Self {
            name: meta.name.clone(),
            namespace: meta.namespace.clone(),
            resource_version: meta.resource_version.clone(),
        }
    }

    fn metadata(self) -> ObjectMeta {
        let given = |text: String| Some(text).filter(|text| !text.is_empty());
        ObjectMeta {
            name: given(self.name),
            namespace: given(self.namespace),
            resource_version: given(self.resource_version),
            ..ObjectMeta::default()
        }
    }
}

impl<'de, const METADATA_ONLY: bool> Deserialize<'de> for Slim<METADATA_ONLY> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        // Every look at the text costs: where all is well there is one for the metadata.
        let meta = Meta::parse(text.get()).ok();
        let essential = match &meta {
            Some(meta) => Essential::of(meta),
            None => {
                serde_json::from_str::<Envelope>(text.get())
                    .map_err(serde::de::Error::custom)?
                    .metadata
            }
        };
        Ok(Self {
            metadata: essential.metadata(),
            meta,
            text,
        })
    }
}

impl<const METADATA_ONLY: bool> Resource for Slim<METADATA_ONLY> {
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
    fn metadata_api() -> bool {
        METADATA_ONLY
    }
    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

impl<const METADATA_ONLY: bool> Slim<METADATA_ONLY> {
    /// The metadata, and the whole object as JSON.
    pub(super) fn read(&self) -> Result<(Cow<'_, Meta>, &str), serde_json::Error> {
        let text = self.text.get();
        let meta = match &self.meta {
            Some(meta) => Cow::Borrowed(meta),
            None => Cow::Owned(Meta::parse(text)?),
        };
        Ok((meta, text))
    }
}
