//! Which controls a machine can repair, and how.

use super::control::Control;
use super::res::locked_shards;
use crate::flux::command_line::amend::Wanted::{self, Absent, GateOff, GateOn, Is, Named, Off, On, Once};

/// What makes a failing control pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repair {
    /// Settings of the judged controller's command line; what its version does not know is left out when there are several.
    Arguments(&'static [Wanted]),
    /// The settings of the main controller, on a shard that lacks them.
    AsOnMain,
    /// An account for the Kustomization that Flux itself comes from.
    RootAccount,
    /// The NetworkPolicies that come with Flux.
    NetworkPolicies,
    /// Fields of a FluxInstance.
    FluxInstance,
    /// The default account of flux-operator, by its chart.
    OperatorAccount,
}

/// Ordered by id.
static REPAIRS: &[(&str, Repair)] = &[
    (
        "FSP-HELM-001",
        Repair::Arguments(&[Off("insecure-kubeconfig-exec")]),
    ),
    (
        "FSP-HELM-002",
        Repair::Arguments(&[Off("insecure-kubeconfig-tls")]),
    ),
    (
        "FSP-KUST-001",
        Repair::Arguments(&[Off("insecure-kubeconfig-exec")]),
    ),
    (
        "FSP-KUST-002",
        Repair::Arguments(&[Off("insecure-kubeconfig-tls")]),
    ),
    ("FSP-KUST-003", Repair::Arguments(&[On("no-remote-bases")])),
    ("FSP-MT-001", Repair::Arguments(&[On("no-cross-namespace-refs")])),
    ("FSP-MT-002", Repair::Arguments(&[On("no-cross-namespace-refs")])),
    ("FSP-MT-003", Repair::Arguments(&[On("no-cross-namespace-refs")])),
    ("FSP-MT-004", Repair::Arguments(&[On("no-cross-namespace-refs")])),
    ("FSP-MT-005", Repair::Arguments(&[On("no-cross-namespace-refs")])),
    ("FSP-MT-006", Repair::Arguments(&[On("no-cross-namespace-refs")])),
    (
        "FSP-MT-007",
        Repair::Arguments(&[Named("default-service-account")]),
    ),
    (
        "FSP-MT-008",
        Repair::Arguments(&[Named("default-service-account")]),
    ),
    ("FSP-MT-011", Repair::RootAccount),
    ("FSP-NET-001", Repair::NetworkPolicies),
    ("FSP-RES-005", Repair::AsOnMain),
    (
        "FSP-WI-001",
        Repair::Arguments(&[Named("default-service-account")]),
    ),
    (
        "FSP-WI-002",
        Repair::Arguments(&[Named("default-service-account")]),
    ),
    (
        "FSP-WI-003",
        Repair::Arguments(&[Named("default-service-account")]),
    ),
    (
        "FSP-WI-004",
        Repair::Arguments(&[Named("default-service-account")]),
    ),
    (
        "FSP-WI-005",
        Repair::Arguments(&[Named("default-decryption-service-account")]),
    ),
    (
        "FSP-WI-006",
        Repair::Arguments(&[Named("default-kubeconfig-service-account")]),
    ),
    (
        "FSP-WI-007",
        Repair::Arguments(&[Named("default-kubeconfig-service-account")]),
    ),
    (
        "FSP-WI-009",
        Repair::Arguments(&[Named("default-service-account")]),
    ),
    ("FSX-CFG-002", Repair::Arguments(&[GateOff("AllowDNSLookups")])),
    ("FSX-CFG-003", Repair::Arguments(&[Is("log-level", "info")])),
    ("FSX-CFG-004", Repair::Arguments(&[Once])),
    (
        "FSX-CFG-006",
        Repair::Arguments(&[GateOn("StrictPostBuildSubstitutions")]),
    ),
    (
        "FSX-CFG-007",
        Repair::Arguments(&[
            Is("artifact-digest-algo", "sha256"),
            Is("snapshot-digest-algo", "sha256"),
        ]),
    ),
    (
        "FSX-CFG-008",
        Repair::Arguments(&[
            Absent("override-manager-before-dry-run"),
            GateOff("DisableCommitStatusEvent"),
        ]),
    ),
    ("FSX-IUA-004", Repair::Arguments(&[GateOff("GitForcePushBranch")])),
    (
        "FSX-NOT-008",
        Repair::Arguments(&[Off("export-http-path-metrics")]),
    ),
    ("FSX-OPR-001", Repair::OperatorAccount),
    ("FSX-OPR-004", Repair::FluxInstance),
    (
        "FSX-RBAC-006",
        Repair::Arguments(&[GateOff("CacheSecretsAndConfigMaps")]),
    ),
];

impl Control {
    /// What makes it pass; `None`: a person has to.
    #[must_use]
    pub fn repair(&self) -> Option<Repair> {
        let found = REPAIRS.iter().find(|(id, _)| *id == self.id);
        found.map(|(_, repair)| *repair)
    }
}

/// The setting of the main controller that a finding of a shard is about, by the finding's field.
#[must_use]
pub fn lock(field: &str) -> Option<Wanted> {
    locked_shards::lock(field.strip_prefix("--")?)
}

#[cfg(test)]
mod tests {
    use super::REPAIRS;
    use crate::controls::find;

    #[test]
    fn repairs_are_of_controls_and_in_order() {
        assert!(REPAIRS.is_sorted_by(|one, two| one.0 < two.0));
        for (id, _) in REPAIRS {
            assert!(find(id).is_some(), "{id}");
        }
    }
}
