//! Workload identity.

pub(super) mod decryption;
pub(super) mod gate;
pub(super) mod identity;
pub(super) mod image_automation;
pub(super) mod image_reflector;
pub(super) mod kubeconfig_helm;
pub(super) mod kubeconfig_kustomize;
pub(super) mod notification;
pub(super) mod source;
pub(super) mod source_watcher;
