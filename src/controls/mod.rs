//! The catalogue of controls. One control is one file that reads like the recommendation it implements, one page in
//! `docs/controls` and one line of [`CATALOGUE`].

mod address;
mod admission;
mod alerting;
mod cfg;
pub mod control;
pub mod custom;
mod ded;
pub mod document;
mod exposure;
pub mod flag;
mod generators;
mod helm;
pub mod impact;
mod iua;
pub mod judges;
mod kc;
mod kust;
mod lockdown;
mod mt;
mod mtls;
mod net;
mod node;
mod notify;
mod opr;
mod pod;
mod power;
mod range;
mod rbac;
mod references;
pub mod repair;
mod res;
mod sec;
mod sources;
mod ten;
mod ver;
mod wi;

pub use control::{Control, Defect, Outcome, Parameter, Parameters, Severities, Verdict};
pub(crate) use judges::JudgesRows;
pub use judges::{ClusterSubject, Each, Judges, NamespaceSubject, ObjectSubject, Subject};

/// Version of the catalogue; grows with every control that is added or judged differently.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Date of the recommendations that the catalogue implements.
pub const DOCUMENT_REVISION: &str = "2026-07-24";
/// Where the recommendations are published.
pub const DOCUMENT: &str = "https://fluxcd.io/flux/security/best-practices/";

/// Every control, ordered by id.
pub static CATALOGUE: &[&Control] = &[
    &ded::remote_alerts::CONTROL,
    &ded::tenant_rights::CONTROL,
    &ded::protected_objects::CONTROL,
    &ded::break_glass::CONTROL,
    &helm::insecure_kubeconfig_exec::CONTROL,
    &helm::insecure_kubeconfig_tls::CONTROL,
    &kust::insecure_kubeconfig_exec::CONTROL,
    &kust::insecure_kubeconfig_tls::CONTROL,
    &kust::no_remote_bases::CONTROL,
    &mt::cross_namespace_kustomize::CONTROL,
    &mt::cross_namespace_helm::CONTROL,
    &mt::cross_namespace_notification::CONTROL,
    &mt::cross_namespace_image_reflector::CONTROL,
    &mt::cross_namespace_image_automation::CONTROL,
    &mt::cross_namespace_source_watcher::CONTROL,
    &mt::default_service_account_helm::CONTROL,
    &mt::default_service_account_kustomize::CONTROL,
    &mt::default_account_rights::CONTROL,
    &mt::applier_account::CONTROL,
    &mt::root_account::CONTROL,
    &mt::cross_namespace_references::CONTROL,
    &net::isolated::CONTROL,
    &net::enforced::CONTROL,
    &net::private_endpoints::CONTROL,
    &net::tenants_deny::CONTROL,
    &net::enforcement_attested::CONTROL,
    &node::guidelines::CONTROL,
    &node::privileged_pods::CONTROL,
    &node::sandboxes::CONTROL,
    &node::dedicated_nodes::CONTROL,
    &node::co_location::CONTROL,
    &res::critical_lanes::CONTROL,
    &res::unique_selectors::CONTROL,
    &res::namespaced_lanes::CONTROL,
    &res::served::CONTROL,
    &res::locked_shards::CONTROL,
    &res::concurrency::CONTROL,
    &sec::decryption_configured::CONTROL,
    &sec::undecryptable::CONTROL,
    &sec::plaintext_delivered::CONTROL,
    &sec::history_scanned::CONTROL,
    &sec::inline_secrets::CONTROL,
    &sec::keys_for_all::CONTROL,
    &sec::shared_keys::CONTROL,
    &sec::shared_identities::CONTROL,
    &sec::static_credentials::CONTROL,
    &sec::sealed_scopes::CONTROL,
    &sec::sealing_keys::CONTROL,
    &sec::key_readers::CONTROL,
    &wi::source::CONTROL,
    &wi::notification::CONTROL,
    &wi::image_reflector::CONTROL,
    &wi::image_automation::CONTROL,
    &wi::decryption::CONTROL,
    &wi::kubeconfig_kustomize::CONTROL,
    &wi::kubeconfig_helm::CONTROL,
    &wi::gate::CONTROL,
    &wi::source_watcher::CONTROL,
    &cfg::arguments_are_valid::CONTROL,
    &cfg::dns_lookups::CONTROL,
    &cfg::log_level::CONTROL,
    &cfg::contradictions::CONTROL,
    &cfg::drift::CONTROL,
    &cfg::strict_substitution::CONTROL,
    &cfg::digest_algorithm::CONTROL,
    &cfg::exceptional_settings::CONTROL,
    &ver::registry::CONTROL,
    &ver::digest::CONTROL,
    &ver::moving_tag::CONTROL,
    &iua::review::CONTROL,
    &iua::signed_commits::CONTROL,
    &iua::image_choice::CONTROL,
    &iua::force_push::CONTROL,
    &kc::kubeconfigs::CONTROL,
    &kc::accounts::CONTROL,
    &mtls::artifacts::CONTROL,
    &mtls::events::CONTROL,
    &mtls::both_ends::CONTROL,
    &mtls::workload_api::CONTROL,
    &mtls::identities::CONTROL,
    &mtls::webhooks::CONTROL,
    &notify::receiver_authentication::CONTROL,
    &notify::receiver_token::CONTROL,
    &notify::google_receivers::CONTROL,
    &notify::broad_receivers::CONTROL,
    &notify::oidc_providers::CONTROL,
    &notify::exposed_ports::CONTROL,
    &notify::root_alert::CONTROL,
    &notify::path_metrics::CONTROL,
    &opr::default_account::CONTROL,
    &opr::resource_sets::CONTROL,
    &opr::web_interface::CONTROL,
    &opr::instance::CONTROL,
    &opr::input_providers::CONTROL,
    &pod::restricted::CONTROL,
    &pod::namespace_level::CONTROL,
    &pod::additions::CONTROL,
    &pod::resources::CONTROL,
    &pod::environment::CONTROL,
    &rbac::cluster_admins::CONTROL,
    &rbac::reconcilers::CONTROL,
    &rbac::token_creation::CONTROL,
    &rbac::aggregated_roles::CONTROL,
    &rbac::flux_namespace::CONTROL,
    &rbac::cached_secrets::CONTROL,
    &sources::git_signatures::CONTROL,
    &sources::oci_signatures::CONTROL,
    &sources::keyless_identities::CONTROL,
    &sources::trust_policy::CONTROL,
    &sources::encrypted_transport::CONTROL,
    &sources::oci_certificates::CONTROL,
    &sources::pinned_revisions::CONTROL,
    &sources::static_credentials::CONTROL,
    &sources::pass_credentials::CONTROL,
    &sources::ssh::CONTROL,
    &sources::external_artifacts::CONTROL,
    &sources::allow_list::CONTROL,
    &generators::reach::CONTROL,
    &ten::applier_rights::CONTROL,
    &ten::own_namespaces::CONTROL,
    &ten::platform_appliers::CONTROL,
    &ten::secret_substitution::CONTROL,
    &ten::image_access::CONTROL,
    &ten::continuous_reconciliation::CONTROL,
    &ten::drift_detection::CONTROL,
    &ver::known_vulnerabilities::CONTROL,
    &ver::supported_minor::CONTROL,
    &ver::newest_patch::CONTROL,
    &ver::one_release::CONTROL,
    &ver::api_versions::CONTROL,
];

/// The control of this id.
#[must_use]
pub fn find(id: &str) -> Option<&'static Control> {
    CATALOGUE.iter().copied().find(|control| control.id == id)
}
