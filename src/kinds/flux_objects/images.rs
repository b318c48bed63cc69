//! Image automation: which images are found, chosen, and committed to Git.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::super::meta::null_as_default;
use super::{CloudUser, FluxObject, NameRef, NoStatus, ObjectRef, Text, flux, flux_kind, named_provider};

const GROUP: &str = "image.toolkit.fluxcd.io";

/// `spec` of an ImageRepository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ImageRepositorySpec {
    /// `generic` when empty.
    pub provider: Text,
    /// Plain HTTP.
    #[serde(deserialize_with = "null_as_default")]
    pub insecure: bool,
    /// Name of the image.
    pub image: Text,
    /// Static credential.
    pub secret_ref: Option<NameRef>,
    /// Which namespaces may refer to it; `None`: only its own.
    pub access_from: Option<AccessFrom>,
}

/// `spec.accessFrom`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AccessFrom {
    /// One match is enough.
    #[serde(deserialize_with = "null_as_default")]
    pub namespace_selectors: Vec<LabelsOfNamespace>,
}

/// One of `spec.accessFrom.namespaceSelectors`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LabelsOfNamespace {
    /// No label: every namespace.
    #[serde(deserialize_with = "null_as_default")]
    pub match_labels: BTreeMap<String, Text>,
}

/// `spec` of an ImagePolicy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ImagePolicySpec {
    /// Whose tags are chosen from.
    pub image_repository_ref: ObjectRef,
}

/// `spec` of an ImageUpdateAutomation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ImageUpdateAutomationSpec {
    /// The repository that is written to.
    pub source_ref: ObjectRef,
}

flux_kind!(
    /// Scanned images.
    ImageRepository,
    ImageRepositorySpec,
    NoStatus,
    flux(GROUP, "ImageRepository", "imagerepositories", &["v1", "v1beta2"])
);
flux_kind!(
    /// Chooses one tag of an image.
    ImagePolicy,
    ImagePolicySpec,
    NoStatus,
    flux(GROUP, "ImagePolicy", "imagepolicies", &["v1", "v1beta2"])
);
flux_kind!(
    /// Commits chosen tags to Git.
    ImageUpdateAutomation,
    ImageUpdateAutomationSpec,
    NoStatus,
    flux(GROUP, "ImageUpdateAutomation", "imageupdateautomations", &["v1", "v1beta2"])
);

impl CloudUser for FluxObject<ImageRepositorySpec, NoStatus> {
    fn cloud(&self) -> Option<&str> {
        named_provider(&self.spec.provider)
    }
}
