//! Helm Controller.

pub(super) mod insecure_kubeconfig_exec;
pub(super) mod insecure_kubeconfig_tls;
