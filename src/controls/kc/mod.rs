//! Beyond the document: how remote clusters are reached.

pub(super) mod kubeconfigs;
