//! Beyond the document: appliers and tenancy.

pub(super) mod applier_rights;
pub(super) mod drift_detection;
pub(super) mod image_access;
pub(super) mod platform_appliers;
