//! Beyond the document: versions and images.

pub(super) mod api_versions;
mod build;
pub(super) mod digest;
pub(super) mod known_vulnerabilities;
pub(super) mod moving_tag;
pub(super) mod newest_patch;
pub(super) mod one_release;
pub(super) mod registry;
pub(super) mod supported_minor;
