//! Beyond the document: where the desired state comes from.

pub(super) mod allow_list;
pub(super) mod encrypted_transport;
pub(super) mod external_artifacts;
pub(super) mod git_signatures;
pub(super) mod keyless_identities;
pub(super) mod oci_certificates;
pub(super) mod oci_signatures;
pub(super) mod pass_credentials;
pub(super) mod pinned_revisions;
mod place;
pub(super) mod ssh;
pub(super) mod static_credentials;
pub(super) mod trust_policy;
mod verification;
