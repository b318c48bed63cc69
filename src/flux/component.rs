//! The seven Flux controllers, and the operator that may install them.

use std::fmt;

/// A program of Flux: one of the controllers that a distribution consists of, or flux-operator beside them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Component {
    /// Fetches Git, OCI, Helm and bucket sources and serves them as artifacts.
    Source,
    /// Builds and applies Kustomizations, usually as cluster-admin.
    Kustomize,
    /// Installs and upgrades HelmReleases, usually as cluster-admin.
    Helm,
    /// Dispatches alerts and receives webhooks.
    Notification,
    /// Scans image registries.
    ImageReflector,
    /// Commits image updates to Git.
    ImageAutomation,
    /// Composes artifacts out of several sources (since Flux 2.7).
    SourceWatcher,
    /// Installs Flux and applies ResourceSets (ControlPlane's flux-operator). No controller of a distribution: it is
    /// not among [`Component::ALL`].
    FluxOperator,
}

impl Component {
    /// Every controller of a distribution, in the order in which Flux documents list them.
    pub const ALL: [Self; 7] = [
        Self::Source,
        Self::Kustomize,
        Self::Helm,
        Self::Notification,
        Self::ImageReflector,
        Self::ImageAutomation,
        Self::SourceWatcher,
    ];

    /// Every program that is told from other workloads.
    pub const DETECTED: [Self; 8] = [
        Self::Source,
        Self::Kustomize,
        Self::Helm,
        Self::Notification,
        Self::ImageReflector,
        Self::ImageAutomation,
        Self::SourceWatcher,
        Self::FluxOperator,
    ];

    /// The controller's name: its Deployment, binary and image are called so.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Source => "source-controller",
            Self::Kustomize => "kustomize-controller",
            Self::Helm => "helm-controller",
            Self::Notification => "notification-controller",
            Self::ImageReflector => "image-reflector-controller",
            Self::ImageAutomation => "image-automation-controller",
            Self::SourceWatcher => "source-watcher",
            Self::FluxOperator => "flux-operator",
        }
    }

    /// API group and resource of what it reconciles, or of the first such kind.
    #[must_use]
    pub const fn reconciles(self) -> (&'static str, &'static str) {
        match self {
            Self::Source => ("source.toolkit.fluxcd.io", "gitrepositories"),
            Self::Kustomize => ("kustomize.toolkit.fluxcd.io", "kustomizations"),
            Self::Helm => ("helm.toolkit.fluxcd.io", "helmreleases"),
            Self::Notification => ("notification.toolkit.fluxcd.io", "receivers"),
            Self::ImageReflector => ("image.toolkit.fluxcd.io", "imagerepositories"),
            Self::ImageAutomation => ("image.toolkit.fluxcd.io", "imageupdateautomations"),
            Self::SourceWatcher => ("source.extensions.fluxcd.io", "artifactgenerators"),
            Self::FluxOperator => ("fluxcd.controlplane.io", "fluxinstances"),
        }
    }

    /// Whether it is a controller of a distribution.
    #[must_use]
    pub const fn is_controller(self) -> bool {
        !matches!(self, Self::FluxOperator)
    }

    /// The program of exactly this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::DETECTED
            .into_iter()
            .find(|component| component.name() == name)
    }
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
