//! Beyond the document: appliers and tenancy.

pub(super) mod applier_rights;
pub(super) mod continuous_reconciliation;
pub(super) mod drift_detection;
pub(super) mod image_access;
pub(super) mod own_namespaces;
pub(super) mod platform_appliers;
pub(super) mod secret_substitution;
