//! Beyond the document: how remote clusters are reached.

pub(super) mod accounts;
pub(super) mod kubeconfigs;
