//! Which controller versions each Flux release consists of.
//!
//! Source: `manifests/bases/*/kustomization.yaml` of fluxcd/flux2 per tag (flux-facts 0.2), and flux-2.10
//! section 1 for 2.9.5 and later. The table holds the releases that were read, not every patch.

use semver::Version;

use super::component::Component;

/// One release of the Flux distribution.
#[derive(Debug)]
pub struct Release {
    /// Version of the distribution, without the `v`.
    pub flux: Version,
    /// Day of the release as `YYYY-MM-DD`, where known.
    pub date: Option<&'static str>,
    /// What it ships, in the order of [`Component::ALL`]; see [`Release::component`].
    pub components: [Shipped; 7],
}

/// What a release ships of one controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shipped {
    /// The release has no such controller.
    Absent,
    /// It has one, in a version that could not be read.
    Unknown,
    /// It has one of this major and minor version; the patch could not be read.
    Minor(u64, u64),
    /// Exactly this version.
    Exact(Version),
}

/// A span of listed distributions, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FluxVersions {
    /// The oldest listed distribution.
    pub first: &'static Version,
    /// The newest listed distribution.
    pub last: &'static Version,
}

impl Release {
    /// What this release ships of one controller. It has no flux-operator.
    #[must_use]
    pub fn component(&self, component: Component) -> &Shipped {
        self.components
            .get(component as usize)
            .unwrap_or(&Shipped::Absent)
    }
}

impl Shipped {
    /// The version, where it is known exactly.
    #[must_use]
    pub fn exact(&self) -> Option<&Version> {
        match self {
            Self::Exact(version) => Some(version),
            Self::Absent | Self::Unknown | Self::Minor(..) => None,
        }
    }

    /// The lowest version that it can be.
    fn at_least(&self) -> Option<Version> {
        match self {
            Self::Absent | Self::Unknown => None,
            Self::Minor(major, minor) => Some(Version::new(*major, *minor, 0)),
            Self::Exact(version) => Some(version.clone()),
        }
    }

    fn minor(&self) -> Option<(u64, u64)> {
        match self {
            Self::Absent | Self::Unknown => None,
            Self::Minor(major, minor) => Some((*major, *minor)),
            Self::Exact(version) => Some((version.major, version.minor)),
        }
    }
}

/// Every listed release, oldest first.
#[must_use]
pub fn releases() -> &'static [Release] {
    &RELEASES
}

/// The version of a controller in a Flux release; `None` when the release is not listed, does not have the
/// controller, or its exact version is not known. Pre-release and build parts are not compared.
#[must_use]
pub fn component_version(flux: &Version, component: Component) -> Option<Version> {
    let release = RELEASES
        .iter()
        .find(|release| same_release(&release.flux, flux))?;
    release.component(component).exact().cloned()
}

/// The listed Flux releases that ship exactly this controller version; one version may serve several of them.
#[must_use]
pub fn flux_version_of(component: Component, version: &Version) -> Option<FluxVersions> {
    let ships = |release: &&Release| {
        release
            .component(component)
            .exact()
            .is_some_and(|shipped| same_release(shipped, version))
    };
    let first = &RELEASES.iter().find(ships)?.flux;
    let last = RELEASES
        .iter()
        .rfind(ships)
        .map_or(first, |release| &release.flux);
    Some(FluxVersions { first, last })
}

/// The Flux minor, as (major, minor), that a controller version belongs to.
///
/// Every minor of a controller belongs to one minor of Flux, so this also places patches that are not listed.
#[must_use]
pub fn flux_minor_of(component: Component, version: &Version) -> Option<(u64, u64)> {
    let minor = Some((version.major, version.minor));
    let release = RELEASES
        .iter()
        .find(|release| release.component(component).minor() == minor)?;
    Some((release.flux.major, release.flux.minor))
}

/// The newest known patch of the minor that a controller's version is of; `None` where no patch of it was read.
#[must_use]
pub fn newest_patch(component: Component, version: &Version) -> Option<&'static Version> {
    RELEASES
        .iter()
        .filter_map(|release| release.component(component).exact())
        .filter(|shipped| (shipped.major, shipped.minor) == (version.major, version.minor))
        .max()
}

/// The newest known version of a controller: a lower bound where the newest release's patch could not be
/// read.
#[must_use]
pub fn newest(component: Component) -> Option<Version> {
    RELEASES
        .iter()
        .filter_map(|release| release.component(component).at_least())
        .max()
}

/// The newest listed version of the distribution.
#[must_use]
pub fn newest_flux() -> &'static Version {
    &RELEASES[RELEASES.len() - 1].flux
}

fn same_release(a: &Version, b: &Version) -> bool {
    (a.major, a.minor, a.patch) == (b.major, b.minor, b.patch)
}

const fn v(major: u64, minor: u64, patch: u64) -> Shipped {
    Shipped::Exact(Version::new(major, minor, patch))
}

const fn minor(major: u64, minor: u64) -> Shipped {
    Shipped::Minor(major, minor)
}

const fn release(
    (minor, patch): (u64, u64),
    date: Option<&'static str>,
    components: [Shipped; 7],
) -> Release {
    Release {
        flux: Version::new(2, minor, patch),
        date,
        components,
    }
}

const NONE: Shipped = Shipped::Absent;
const UNREAD: Shipped = Shipped::Unknown;

// A row begins with minor and patch of Flux 2, and the day of its release.
// Columns: source, kustomize, helm, notification, image-reflector, image-automation, source-watcher.
#[rustfmt::skip]
static RELEASES: [Release; 17] = [
    release((2, 3), Some("2024-02-05"),
        [v(1, 2, 4), v(1, 2, 2), v(0, 37, 4), v(1, 2, 4), v(0, 31, 2), v(0, 37, 1), NONE]),
    release((3, 0), Some("2024-05-13"),
        [v(1, 3, 0), v(1, 3, 0), v(1, 0, 1), v(1, 3, 0), v(0, 32, 0), v(0, 38, 0), NONE]),
    release((4, 0), Some("2024-09-30"),
        [v(1, 4, 1), v(1, 4, 0), v(1, 1, 0), v(1, 4, 0), v(0, 33, 0), v(0, 39, 0), NONE]),
    release((5, 1), Some("2025-02-25"),
        [v(1, 5, 0), v(1, 5, 1), v(1, 2, 0), v(1, 5, 0), v(0, 34, 0), v(0, 40, 0), NONE]),
    release((6, 0), Some("2025-05-28"),
        [v(1, 6, 0), v(1, 6, 0), v(1, 3, 0), v(1, 6, 0), v(0, 35, 0), v(0, 41, 0), NONE]),
    release((6, 4), Some("2025-07-08"),
        [v(1, 6, 2), v(1, 6, 1), v(1, 3, 0), v(1, 6, 0), v(0, 35, 2), v(0, 41, 2), NONE]),
    release((7, 0), Some("2025-09-30"),
        [v(1, 7, 0), v(1, 7, 0), v(1, 4, 0), v(1, 7, 1), v(1, 0, 1), v(1, 0, 1), v(2, 0, 1)]),
    release((7, 5), Some("2025-11-27"),
        [v(1, 7, 4), v(1, 7, 3), v(1, 4, 5), v(1, 7, 5), v(1, 0, 4), v(1, 0, 4), v(2, 0, 3)]),
    release((8, 0), Some("2026-02-24"),
        [v(1, 8, 0), v(1, 8, 0), v(1, 5, 0), v(1, 8, 0), v(1, 1, 0), v(1, 1, 0), v(2, 1, 0)]),
    release((8, 5), Some("2026-04-07"),
        [v(1, 8, 2), v(1, 8, 3), v(1, 5, 3), v(1, 8, 3), v(1, 1, 1), v(1, 1, 1), v(2, 1, 1)]),
    release((8, 8), Some("2026-05-20"),
        [v(1, 8, 5), v(1, 8, 5), v(1, 5, 5), v(1, 8, 4), v(1, 1, 2), v(1, 1, 4), v(2, 1, 1)]),
    release((9, 0), Some("2026-06-30"),
        [v(1, 9, 1), v(1, 9, 1), v(1, 6, 1), v(1, 9, 1), v(1, 2, 1), v(1, 2, 1), v(2, 2, 1)]),
    release((9, 4), Some("2026-08-07"),
        [v(1, 9, 4), v(1, 9, 4), v(1, 6, 3), v(1, 9, 3), v(1, 2, 4), v(1, 2, 4), v(2, 2, 3)]),
    release((9, 5), Some("2026-08-31"),
        [v(1, 9, 5), v(1, 9, 5), v(1, 6, 4), v(1, 9, 4), v(1, 2, 5), v(1, 2, 5), v(2, 2, 4)]),
    // Only the changelogs of source and kustomize could be read.
    release((9, 6), Some("2026-10-01"),
        [v(1, 9, 6), v(1, 9, 6), UNREAD, UNREAD, UNREAD, UNREAD, UNREAD]),
    // From a vendor's list, which names only the minor of three controllers.
    release((10, 0), None,
        [v(1, 10, 1), v(1, 10, 1), v(1, 7, 1), minor(1, 10), minor(1, 3), minor(1, 3), v(2, 3, 1)]),
    release((10, 1), Some("2026-11-20"),
        [UNREAD, UNREAD, UNREAD, UNREAD, UNREAD, UNREAD, UNREAD]),
];
