//! Beyond the document: notifications.

pub(super) mod broad_receivers;
pub(super) mod receiver_authentication;
