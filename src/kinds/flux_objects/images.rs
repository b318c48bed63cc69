//! Image automation: which images are found, chosen, and committed to Git.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::super::Mark;
use super::super::meta::null_as_default;
use super::sources::GitReference;
use super::{CloudUser, FluxObject, NameRef, NoStatus, ObjectRef, Text, flux, flux_kind, named_provider};
use crate::shared::{Shared, Word};

const GROUP: &str = "image.toolkit.fluxcd.io";

/// `spec` of an ImageRepository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ImageRepositorySpec {
    /// `generic` when empty.
    pub provider: Word,
    /// Plain HTTP.
    #[serde(deserialize_with = "null_as_default")]
    pub insecure: bool,
    /// Name of the image.
    pub image: Text,
    /// Static credential.
    pub secret_ref: Option<NameRef>,
    /// Which namespaces may refer to it; `None`: only its own.
    pub access_from: Option<AccessFrom>,
    /// The account whose identity it has.
    pub service_account_name: Word,
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
    pub image_repository_ref: Shared<ObjectRef>,
    /// Which tag.
    pub policy: ImageChoice,
    /// Whether the chosen image is written down by its digest: `Never` when empty, `IfNotPresent` or `Always`.
    pub digest_reflection_policy: Text,
}

/// `spec.policy` of an ImagePolicy: one of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ImageChoice {
    /// The newest version of a range.
    pub semver: Option<SemverRange>,
    /// The last by the alphabet.
    pub alphabetical: Option<Order>,
}

/// `spec.policy.semver` of an ImagePolicy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct SemverRange {
    /// The range.
    pub range: Text,
}

/// `spec.policy.alphabetical` of an ImagePolicy: that it is there says enough.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Order {}

/// `spec` of an ImageUpdateAutomation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ImageUpdateAutomationSpec {
    /// The repository that is written to.
    pub source_ref: Shared<ObjectRef>,
    /// What is checked out, committed and pushed.
    #[serde(deserialize_with = "null_as_default")]
    pub git: GitAutomation,
}

/// `spec.git` of an ImageUpdateAutomation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct GitAutomation {
    /// Where work begins; `None`: at the reference of the GitRepository.
    pub checkout: Option<GitCheckout>,
    /// How commits are made.
    pub commit: GitCommit,
    /// Where they go; `None`: to the branch that was checked out.
    pub push: Option<GitPush>,
}

/// `spec.git.checkout` of an ImageUpdateAutomation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct GitCheckout {
    /// The reference.
    #[serde(rename = "ref")]
    pub reference: GitReference,
}

/// `spec.git.commit` of an ImageUpdateAutomation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GitCommit {
    /// The key that signs; `None`: commits are not signed.
    pub signing_key: Option<SigningKey>,
}

/// `spec.git.commit.signingKey` of an ImageUpdateAutomation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SigningKey {
    /// The Secret that has it.
    pub secret_ref: NameRef,
}

/// `spec.git.push` of an ImageUpdateAutomation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct GitPush {
    /// The branch; empty: the one that was checked out, unless there is a refspec.
    pub branch: Text,
    /// A refspec of Git.
    pub refspec: Text,
}

flux_kind!(
    /// Scanned images.
    ImageRepository,
    ImageRepositorySpec,
    NoStatus,
    flux(GROUP, "ImageRepository", "imagerepositories", &["v1", "v1beta2"]),
    &[&["spec.image"], &["spec.interval"]],
    marks: &[Mark::CLOUD]
);
flux_kind!(
    /// Chooses one tag of an image.
    ImagePolicy,
    ImagePolicySpec,
    NoStatus,
    flux(GROUP, "ImagePolicy", "imagepolicies", &["v1", "v1beta2"]),
    &[&["spec.imageRepositoryRef"], &["spec.policy"]]
);
flux_kind!(
    /// Commits chosen tags to Git.
    ImageUpdateAutomation,
    ImageUpdateAutomationSpec,
    NoStatus,
    flux(GROUP, "ImageUpdateAutomation", "imageupdateautomations", &["v1", "v1beta2"]),
    &[&["spec.sourceRef"], &["spec.interval"]]
);

impl CloudUser for FluxObject<ImageRepositorySpec, NoStatus> {
    fn cloud(&self) -> Option<&str> {
        named_provider(&self.spec.provider)
    }

    fn cloud_account(&self) -> &str {
        self.spec.service_account_name.as_str()
    }
}
