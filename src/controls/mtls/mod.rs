//! Beyond the document: mTLS between controllers.

pub(super) mod artifacts;
pub(super) mod both_ends;
pub(super) mod events;
pub(super) mod identities;
mod ids;
mod traffic;
pub(super) mod webhooks;
pub(super) mod workload_api;
