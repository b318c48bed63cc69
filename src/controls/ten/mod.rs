//! Beyond the document: appliers and tenancy.

pub(super) mod drift_detection;
pub(super) mod image_access;
