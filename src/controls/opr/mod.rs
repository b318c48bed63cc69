//! Beyond the document: flux-operator.

pub(super) mod web_interface;
