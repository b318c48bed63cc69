//! Beyond the document: notifications.

pub(super) mod broad_receivers;
pub(super) mod exposed_ports;
pub(super) mod google_receivers;
pub(super) mod oidc_providers;
pub(super) mod path_metrics;
pub(super) mod receiver_authentication;
pub(super) mod receiver_token;
pub(super) mod root_alert;
