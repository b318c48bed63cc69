//! Multi-tenancy lock-down.

pub(super) mod applier_account;
pub(super) mod cross_namespace_helm;
pub(super) mod cross_namespace_image_automation;
pub(super) mod cross_namespace_image_reflector;
pub(super) mod cross_namespace_kustomize;
pub(super) mod cross_namespace_notification;
pub(super) mod cross_namespace_references;
pub(super) mod cross_namespace_source_watcher;
pub(super) mod default_account_rights;
pub(super) mod default_service_account_helm;
pub(super) mod default_service_account_kustomize;
pub(super) mod root_account;
