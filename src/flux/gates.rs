//! Every feature gate of every Flux controller, with its default per version.
//!
//! The rows come from each controller's `internal/features/features.go` (and `auth/feature_gates.go` of fluxcd/pkg,
//! which adds `ObjectLevelWorkloadIdentity`), read at every released tag. Retirements and the default of
//! `FluxStorage` in Flux 2.10 come from the release notes where the code could not be read.

use crate::flux::Component;
use crate::flux::flags::Release;

/// One feature gate of one controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gate {
    /// Name, case sensitive.
    pub name: &'static str,
    /// Default in the first version that has the gate.
    pub default: bool,
    /// Later defaults, oldest first, each from the given version on.
    pub default_changes: &'static [(Release, bool)],
    /// First version with the gate.
    pub since: Release,
    /// First version that accepts the gate but ignores its value.
    pub retired: Option<Release>,
    /// First version that refuses the gate again: naming it makes the controller exit with status 1.
    pub until: Option<Release>,
}

/// What a controller version makes of a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateState {
    /// The gate works; this is its default.
    Active {
        /// Default in this version.
        default: bool,
    },
    /// The gate is accepted and ignored.
    Retired,
    /// The gate is refused.
    Unsupported,
}

impl Gate {
    const fn changed(mut self, changes: &'static [(Release, bool)]) -> Self {
        self.default_changes = changes;
        self
    }

    const fn retired(mut self, version: Release) -> Self {
        self.retired = Some(version);
        self
    }

    const fn until(mut self, version: Release) -> Self {
        self.until = Some(version);
        self
    }

    /// What this version makes of the gate.
    #[must_use]
    pub fn state_in(&self, version: Release) -> GateState {
        if version < self.since || self.until.is_some_and(|until| until <= version) {
            return GateState::Unsupported;
        }
        if self.retired.is_some_and(|retired| retired <= version) {
            return GateState::Retired;
        }
        let change = self
            .default_changes
            .iter()
            .rev()
            .find(|(since, _)| *since <= version);
        GateState::Active {
            default: change.map_or(self.default, |(_, default)| *default),
        }
    }
}

/// The complete table of a controller's gates over all its versions, sorted by name.
#[must_use]
pub fn gates(component: Component) -> &'static [Gate] {
    match component {
        Component::Source => SOURCE,
        Component::Kustomize => KUSTOMIZE,
        Component::Helm => HELM,
        Component::Notification => NOTIFICATION,
        Component::ImageReflector => IMAGE_REFLECTOR,
        Component::ImageAutomation => IMAGE_AUTOMATION,
        Component::SourceWatcher => SOURCE_WATCHER,
        Component::FluxOperator => &[],
    }
}

/// What this version of a controller makes of a gate of this name.
#[must_use]
pub fn state(component: Component, version: Release, name: &str) -> GateState {
    let gate = gates(component).iter().find(|gate| gate.name == name);
    gate.map_or(GateState::Unsupported, |gate| gate.state_in(version))
}

const fn gate(name: &'static str, default: bool, since: Release) -> Gate {
    Gate {
        name,
        default,
        default_changes: &[],
        since,
        retired: None,
        until: None,
    }
}

/// `internal/features/features.go` of source-controller, through all tags.
static SOURCE: &[Gate] = &[
    gate("CacheSecretsAndConfigMaps", false, (0, 34, 0)),
    gate("ForceGoGitImplementation", true, (0, 32, 0)).until((0, 33, 0)),
    gate("GitManagedTransport", true, (0, 25, 0)).until((0, 26, 0)),
    gate("ObjectLevelWorkloadIdentity", false, (1, 6, 0)).retired((1, 10, 0)),
    gate("OptimizedGitClones", true, (0, 25, 0)).until((1, 0, 0)),
];

/// `internal/features/features.go` of kustomize-controller, through all tags.
static KUSTOMIZE: &[Gate] = &[
    gate("AdditiveCELDependencyCheck", false, (1, 7, 0)),
    gate("CacheSecretsAndConfigMaps", false, (0, 33, 0)),
    gate("CancelHealthCheckOnNewRevision", false, (1, 7, 0)),
    gate("DirectSourceFetch", false, (1, 8, 0)),
    gate("DisableCommitStatusEvent", false, (1, 9, 6)),
    gate("DisableConfigWatchers", false, (1, 7, 3)),
    gate("DisableFailFastBehavior", false, (1, 1, 0)),
    gate("DisableStatusPollerCache", false, (0, 35, 0)).changed(&[((1, 2, 0), true)]),
    gate("ExternalArtifact", false, (1, 7, 0)),
    gate("GroupChangeLog", false, (1, 5, 0)),
    gate("MigrateAPIVersion", false, (1, 8, 4)),
    gate("ObjectLevelWorkloadIdentity", false, (1, 6, 0)).retired((1, 10, 0)),
    gate("StrictPostBuildSubstitutions", false, (1, 3, 0)).changed(&[((1, 9, 0), true)]),
];

/// `internal/features/features.go` of helm-controller, through all tags.
static HELM: &[Gate] = &[
    gate("AdditiveCELDependencyCheck", false, (1, 4, 0)),
    gate("AdoptLegacyReleases", true, (0, 37, 0)).changed(&[((1, 5, 0), false)]),
    gate("AllowDNSLookups", false, (0, 31, 0)),
    gate("CacheSecretsAndConfigMaps", false, (0, 28, 0)),
    gate("CancelHealthCheckOnNewRevision", false, (1, 5, 0)),
    gate("CorrectDrift", true, (0, 31, 2)).changed(&[((0, 37, 0), false)]),
    gate("DefaultToRetryOnFailure", false, (1, 5, 2)),
    gate("DetectDrift", false, (0, 31, 0)),
    gate("DirectSourceFetch", false, (1, 5, 0)),
    gate("DisableChartDigestTracking", false, (1, 3, 0)),
    gate("DisableConfigWatchers", false, (1, 4, 4)),
    gate("ExternalArtifact", false, (1, 4, 0)),
    gate("OOMWatch", false, (0, 31, 0)),
    gate("ObjectLevelWorkloadIdentity", false, (1, 4, 0)).retired((1, 7, 0)),
    gate("UseHelm3Defaults", false, (1, 5, 0)),
];

/// `internal/features/features.go` of notification-controller, through all tags.
static NOTIFICATION: &[Gate] = &[
    gate("CacheSecretsAndConfigMaps", false, (0, 31, 0)),
    gate("DisableConfigWatchers", false, (1, 7, 5)),
    gate("ObjectLevelWorkloadIdentity", false, (1, 6, 0)).retired((1, 10, 0)),
];

/// `internal/features/features.go` of image-reflector-controller, through all tags.
static IMAGE_REFLECTOR: &[Gate] = &[
    gate("CacheSecretsAndConfigMaps", false, (0, 24, 0)),
    gate("FluxStorage", false, (1, 2, 0)).changed(&[((1, 3, 0), true)]),
    gate("ObjectLevelWorkloadIdentity", false, (0, 35, 0)).retired((1, 3, 0)),
];

/// `internal/features/features.go` of image-automation-controller, through all tags.
static IMAGE_AUTOMATION: &[Gate] = &[
    gate("CacheSecretsAndConfigMaps", false, (0, 29, 0)),
    gate("ForceGoGitImplementation", true, (0, 27, 0)).until((0, 28, 0)),
    gate("GitAllBranchReferences", true, (0, 28, 0)),
    gate("GitForcePushBranch", true, (0, 27, 0)),
    gate("GitManagedTransport", true, (0, 23, 0)).until((0, 24, 0)),
    gate("GitShallowClone", true, (0, 28, 0)),
    gate("GitSparseCheckout", false, (1, 0, 0)),
    gate("ObjectLevelWorkloadIdentity", false, (0, 41, 0)).retired((1, 3, 0)),
];

/// `internal/features/features.go` of source-watcher, through all tags.
static SOURCE_WATCHER: &[Gate] = &[gate("DirectSourceFetch", false, (2, 1, 0))];
