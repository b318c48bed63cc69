//! Kustomize Controller.

pub(super) mod insecure_kubeconfig_exec;
pub(super) mod insecure_kubeconfig_tls;
pub(super) mod no_remote_bases;
