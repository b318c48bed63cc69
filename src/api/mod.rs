//! The kinds that users see: `fluxsecurity.dev/v1alpha1`.

pub mod common;
pub mod crds;
pub mod custom;
pub mod digest;
pub mod glob;
pub mod history;
pub mod policy;
pub mod report;
pub mod waiver;

pub use common::{Condition, ControlResult, ResourceRef, Severity, Tenancy};
pub use policy::{FluxSecurityPolicy, FluxSecurityPolicySpec, FluxSecurityPolicyStatus};
pub use report::{
    ControlStatus, Finding, FluxSecurityNamespaceReport, FluxSecurityReport, Installation,
    NamespaceReportStatus, ReportStatus, Summary,
};
pub use waiver::{FluxSecurityWaiver, FluxSecurityWaiverSpec, FluxSecurityWaiverStatus, WaiverState};

/// API group of every kind of the product.
pub const GROUP: &str = "fluxsecurity.dev";
/// The only version so far.
pub const VERSION: &str = "v1alpha1";
/// Field manager of every write and reporting component of every Event.
pub const FIELD_MANAGER: &str = "flux-security-operator";
/// Namespace that `config/default` installs into.
pub const INSTALL_NAMESPACE: &str = "flux-security-system";
/// Name of the Lease by which replicas agree on who writes.
pub const LEASE: &str = "flux-security-operator";
/// Asks for an audit now; Flux's own annotation, echoed in `status.lastHandledReconcileAt`.
pub const REQUESTED_AT: &str = "reconcile.fluxcd.io/requestedAt";
