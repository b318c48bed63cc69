//! Sources: where the desired state comes from, and whether anybody checks who wrote it.

use serde::Deserialize;

use super::super::Mark;
use super::super::meta::null_as_default;
use super::{
    Address, Artifact, CloudUser, Conditions, FluxObject, NameRef, NoStatus, ObjectRef, Standing, Status,
    Stored, Text, flux, flux_kind, named_provider,
};
use crate::shared::{Shared, Word, pooled};

const GROUP: &str = "source.toolkit.fluxcd.io";

/// `spec` of a GitRepository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GitSpec {
    /// `http`, `https` or `ssh`.
    pub url: Address,
    /// `generic` when empty.
    pub provider: Word,
    /// Static credential.
    pub secret_ref: Option<NameRef>,
    /// Which revision; `None`: the branch master.
    #[serde(rename = "ref")]
    pub reference: Option<Shared<GitReference>>,
    /// Verification of signatures; `None`: nobody checks.
    pub verify: Option<GitVerification>,
    /// What its submodules name is fetched as well.
    #[serde(deserialize_with = "null_as_default")]
    pub recurse_submodules: bool,
    /// No new revisions are fetched.
    #[serde(deserialize_with = "null_as_default")]
    pub suspend: bool,
    /// The account whose identity it has.
    pub service_account_name: Word,
}

/// `spec.ref` of a GitRepository, and what an ImageUpdateAutomation checks out. The first that is set wins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(default)]
pub struct GitReference {
    /// One revision.
    pub commit: Text,
    /// `refs/heads/main`, `refs/tags/v1`, `refs/pull/1/head`.
    pub name: Text,
    /// Range of tags.
    pub semver: Text,
    /// One tag.
    pub tag: Text,
    /// `master` when nothing is set.
    pub branch: Text,
}

/// `spec.verify` of a GitRepository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct GitVerification {
    /// `HEAD`, `Tag` or `TagAndHEAD`.
    pub mode: Word,
}

/// `spec` of an OCIRepository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OciSpec {
    /// `oci://…`.
    pub url: Address,
    /// `generic` when empty.
    pub provider: Word,
    /// Which revision.
    #[serde(rename = "ref")]
    pub reference: Option<Shared<OciReference>>,
    /// Plain HTTP, and without `certSecretRef` no verification of certificates either.
    #[serde(deserialize_with = "null_as_default")]
    pub insecure: bool,
    /// Static credential.
    pub secret_ref: Option<NameRef>,
    /// Certificate authority of the registry.
    pub cert_secret_ref: Option<NameRef>,
    /// Verification of signatures.
    pub verify: Option<Shared<OciVerification>>,
    /// The account whose identity it has.
    pub service_account_name: Word,
}

/// `spec.ref` of an OCIRepository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(default)]
pub struct OciReference {
    /// Wins over the others.
    pub digest: Text,
    /// Range of tags; wins over the tag.
    pub semver: Text,
    /// `latest` when nothing is set.
    pub tag: Text,
}

/// `spec.verify` of an OCIRepository, a HelmChart or a HelmRelease's chart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OciVerification {
    /// `cosign` or `notation`.
    pub provider: Word,
    /// Public keys, or the trust policy of notation; `None` with cosign: keyless.
    pub secret_ref: Option<NameRef>,
    /// Whose keyless signatures are accepted; empty: anybody's.
    #[serde(rename = "matchOIDCIdentity", deserialize_with = "null_as_default")]
    pub identities: Vec<OidcIdentity>,
}

/// An accepted signer: two regular expressions, unanchored as written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(default)]
pub struct OidcIdentity {
    /// Who vouches for the signer.
    pub issuer: Text,
    /// The signer.
    pub subject: Text,
}

/// `spec` of a HelmRepository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HelmRepositorySpec {
    /// `http`, `https` or `oci`.
    pub url: Address,
    /// `generic` when empty.
    pub provider: Word,
    /// Plain HTTP; counts with type `oci` only.
    #[serde(deserialize_with = "null_as_default")]
    pub insecure: bool,
    /// `default` when empty, or `oci`.
    #[serde(rename = "type")]
    pub kind: Word,
    /// Static credential.
    pub secret_ref: Option<NameRef>,
    /// Whether the credential goes to whatever host serves the charts.
    #[serde(deserialize_with = "null_as_default")]
    pub pass_credentials: bool,
}

/// `spec` of a HelmChart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HelmChartSpec {
    /// HelmRepository, GitRepository or Bucket of the same namespace.
    pub source_ref: Shared<ObjectRef>,
    /// Verification of signatures.
    pub verify: Option<Shared<OciVerification>>,
}

/// `spec` of a Bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BucketSpec {
    /// Host.
    pub endpoint: Address,
    /// Name of the bucket there.
    pub bucket_name: Text,
    /// `generic` when empty.
    pub provider: Word,
    /// Plain HTTP.
    #[serde(deserialize_with = "null_as_default")]
    pub insecure: bool,
    /// Static credential.
    pub secret_ref: Option<NameRef>,
    /// Where temporary credentials are asked for.
    pub sts: Option<Box<SecurityTokenService>>,
    /// The account whose identity it has.
    pub service_account_name: Word,
}

/// `spec.sts` of a Bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct SecurityTokenService {
    /// `http` or `https`.
    pub endpoint: Address,
}

pooled!(GitReference);
pooled!(OciReference);
pooled!(OciVerification);

/// Whether a source was fetched and its signature found good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Condition `Ready`.
    pub ready: Standing,
    /// Condition `SourceVerified`.
    pub verified: Standing,
    /// The artifact.
    pub artifact: Option<Box<Artifact>>,
}

/// What is read of a source's status.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct FetchedWire {
    conditions: Conditions,
    #[serde(deserialize_with = "null_as_default")]
    artifact: Option<Box<Artifact>>,
}

impl Status for Fetched {
    type Wire = FetchedWire;
    fn new(wire: FetchedWire, generation: i64) -> Self {
        Self {
            ready: wire.conditions.standing("Ready", generation),
            verified: wire.conditions.standing("SourceVerified", generation),
            artifact: wire.artifact,
        }
    }
}

flux_kind!(
    /// Git sources.
    GitRepository,
    GitSpec,
    Fetched,
    flux(GROUP, "GitRepository", "gitrepositories", &["v1", "v1beta2"]),
    &[&["spec.url"], &["spec.interval"]],
    marks: &[Mark::CLOUD, Mark::SSH, Mark::VERIFIED]
);
flux_kind!(
    /// OCI sources.
    OciRepository,
    OciSpec,
    Fetched,
    flux(GROUP, "OCIRepository", "ocirepositories", &["v1", "v1beta2"]),
    &[&["spec.url"], &["spec.interval"]],
    marks: &[Mark::CLOUD, Mark::COSIGN_IMAGE]
);
flux_kind!(
    /// Helm repositories.
    HelmRepository,
    HelmRepositorySpec,
    NoStatus,
    flux(GROUP, "HelmRepository", "helmrepositories", &["v1", "v1beta2"]),
    &[&["spec.url"]],
    marks: &[Mark::CLOUD]
);
flux_kind!(
    /// Charts, most of them made by helm-controller for its HelmReleases.
    HelmChart,
    HelmChartSpec,
    Fetched,
    flux(GROUP, "HelmChart", "helmcharts", &["v1", "v1beta2"]),
    &[&["spec.chart"], &["spec.sourceRef"], &["spec.interval"]],
    marks: &[Mark::COSIGN_CHART]
);
flux_kind!(
    /// Buckets.
    Bucket,
    BucketSpec,
    Stored,
    flux(GROUP, "Bucket", "buckets", &["v1", "v1beta2"]),
    &[&["spec.bucketName"], &["spec.endpoint"], &["spec.interval"]],
    marks: &[Mark::CLOUD]
);

impl Mark<FluxObject<GitSpec, Fetched>> {
    /// It is fetched over SSH.
    pub const SSH: Self = Self {
        name: "ssh",
        is_on: |row| {
            let scheme = row.spec.url.as_str().get(..6);
            scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("ssh://"))
        },
    };
    /// Its commits are verified.
    pub const VERIFIED: Self = Self {
        name: "verified",
        is_on: |row| row.spec.verify.is_some(),
    };
}

impl Mark<FluxObject<OciSpec, Fetched>> {
    /// Cosign verifies it.
    pub const COSIGN_IMAGE: Self = Self {
        name: "cosign",
        is_on: |row| is_cosign(row.spec.verify.as_deref()),
    };
}

impl Mark<FluxObject<HelmChartSpec, Fetched>> {
    /// Cosign verifies it.
    pub const COSIGN_CHART: Self = Self {
        name: "cosign",
        is_on: |row| is_cosign(row.spec.verify.as_deref()),
    };
}

fn is_cosign(verify: Option<&OciVerification>) -> bool {
    verify.is_some_and(|verify| verify.provider.as_str() == "cosign")
}

impl CloudUser for FluxObject<GitSpec, Fetched> {
    fn cloud(&self) -> Option<&str> {
        named_provider(&self.spec.provider)
    }

    fn cloud_account(&self) -> &str {
        self.spec.service_account_name.as_str()
    }
}

impl CloudUser for FluxObject<OciSpec, Fetched> {
    fn cloud(&self) -> Option<&str> {
        named_provider(&self.spec.provider)
    }

    fn cloud_account(&self) -> &str {
        self.spec.service_account_name.as_str()
    }
}

impl CloudUser for FluxObject<HelmRepositorySpec, NoStatus> {
    fn cloud(&self) -> Option<&str> {
        named_provider(&self.spec.provider)
    }

    fn cloud_account(&self) -> &'static str {
        ""
    }
}

impl CloudUser for FluxObject<BucketSpec, Stored> {
    fn cloud(&self) -> Option<&str> {
        named_provider(&self.spec.provider)
    }

    fn cloud_account(&self) -> &str {
        self.spec.service_account_name.as_str()
    }
}
