//! Image references: which controller an image contains, and in which version.
//!
//! Mirrors keep the last path segment of an image (`flux install --registry`), so that segment is what names
//! the controller. See flux-facts 3.2 and 3.3.

use semver::{Prerelease, Version};

use super::component::Component;

/// First words of tag suffixes that say how an image was built, not that it is a pre-release.
///
/// Read as SemVer, `1.2.4-debian-12-r3` would be older than 1.2.4, which it is not.
const BUILD_SUFFIXES: [&str; 10] = [
    "alpine",
    "amd64",
    "arm64",
    "debian",
    "distroless",
    "fips",
    "linux",
    "photon",
    "ubi",
    "ubuntu",
];

/// An image reference, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageRef<'a> {
    /// Everything but tag and digest, for instance `ghcr.io/fluxcd/source-controller`.
    pub registry_and_path: &'a str,
    /// The last path segment, for instance `source-controller`.
    pub last_segment: &'a str,
    /// The tag, for instance `v1.9.4`.
    pub tag: Option<&'a str>,
    /// The digest with its algorithm, for instance `sha256:0123…`.
    pub digest: Option<&'a str>,
}

impl<'a> ImageRef<'a> {
    /// Takes `[registry[:port]/]path[:tag][@digest]` apart.
    ///
    /// Never fails: what the kubelet would reject is taken apart as far as it goes.
    #[must_use]
    pub fn parse(image: &'a str) -> Self {
        let (name, digest) = split_suffix(image.trim(), '@');
        let path_end = name.rfind('/').map_or(0, |slash| slash + 1);
        let (last_segment, tag) = split_suffix(&name[path_end..], ':');
        Self {
            registry_and_path: &name[..path_end + last_segment.len()],
            last_segment,
            tag,
            digest,
        }
    }

    /// The controller that the last path segment names.
    #[must_use]
    pub fn component(&self) -> Option<Component> {
        component_named(self.last_segment)
    }

    /// Whether the reference names Flux: `fluxcd` anywhere in registry and path (`ghcr.io/fluxcd`,
    /// `mcr.microsoft.com/oss/fluxcd`, `ghcr.io/controlplaneio-fluxcd/distroless`) or a last segment such as
    /// `flux-source-controller`.
    #[must_use]
    pub fn names_flux(&self) -> bool {
        self.registry_and_path.contains("fluxcd") || is_prefixed_controller(self.last_segment)
    }

    /// Whether somebody built the controller again and says so: by another name of the image, or in the tag.
    #[must_use]
    pub fn is_rebuilt(&self) -> bool {
        let is_renamed = self
            .component()
            .is_some_and(|component| component.name() != self.last_segment);
        let is_marked = |tag: &str| {
            let version = Version::parse(tag.strip_prefix('v').unwrap_or(tag));
            version.is_ok_and(|version| says_how_it_was_built(&version))
        };
        is_renamed || self.tag.is_some_and(is_marked)
    }

    /// The version that the tag says.
    #[must_use]
    pub fn version(&self) -> Option<Version> {
        version_of_tag(self.tag?)
    }
}

/// The controller that an image contains: the last path segment, without an optional `flux-` or `fluxcd-`
/// prefix and `-fips` suffix.
#[must_use]
pub fn component_of(image: &str) -> Option<Component> {
    ImageRef::parse(image).component()
}

/// The version of a controller image: a tag that is SemVer, with an optional `v`.
///
/// A suffix that only says how the image was built (`-debian-12`, `-distroless`) is dropped; a pre-release
/// such as `-rc.1` is kept. An image without such a tag, for instance one pinned by digest alone, has an
/// unknown version.
#[must_use]
pub fn version_of(image: &str) -> Option<Version> {
    ImageRef::parse(image).version()
}

/// The version that a tag says.
#[must_use]
pub fn version_of_tag(tag: &str) -> Option<Version> {
    let version = Version::parse(tag.strip_prefix('v').unwrap_or(tag)).ok()?;
    Some(without_build_suffix(version))
}

/// The controller of this name, without an optional `flux-` or `fluxcd-` prefix and `-fips` suffix.
pub(super) fn component_named(name: &str) -> Option<Component> {
    let name = name.strip_suffix("-fips").unwrap_or(name);
    // The prefix is a part of flux-operator's own name.
    Component::from_name(name).or_else(|| Component::from_name(without_flux_prefix(name)))
}

/// The name without an optional `flux-` or `fluxcd-` prefix, which third-party rebuilds add.
pub(super) fn without_flux_prefix(name: &str) -> &str {
    name.strip_prefix("flux-")
        .or_else(|| name.strip_prefix("fluxcd-"))
        .unwrap_or(name)
}

fn is_prefixed_controller(segment: &str) -> bool {
    let rest = without_flux_prefix(segment);
    rest.len() < segment.len() && component_named(rest).is_some()
}

fn split_suffix(text: &str, separator: char) -> (&str, Option<&str>) {
    match text.split_once(separator) {
        Some((head, tail)) => (head, Some(tail)),
        None => (text, None),
    }
}

fn without_build_suffix(mut version: Version) -> Version {
    if says_how_it_was_built(&version) {
        version.pre = Prerelease::EMPTY;
    }
    version
}

fn says_how_it_was_built(version: &Version) -> bool {
    BUILD_SUFFIXES.iter().any(|word| version.pre.starts_with(word))
}
