//! Whose build an image is, and which version.

use semver::Version;

use super::super::control::Defect;
use super::super::flag;
use super::super::judges::Subject;
use crate::flux::Component;
use crate::flux::image::ImageRef;
use crate::inventory::Missing;

/// Where the Flux project publishes its images. A path without a registry is one of Docker Hub.
const UPSTREAM: [&str; 3] = ["ghcr.io/fluxcd", "docker.io/fluxcd", "fluxcd"];
/// Vendors that rebuild Flux, some with fixes under an unchanged tag.
const VENDORS: [&str; 4] = [
    "ghcr.io/controlplaneio-fluxcd",
    "709825985650.dkr.ecr.us-east-1.amazonaws.com/controlplane/fluxcd",
    "mcr.microsoft.com/oss/fluxcd",
    "mcr.microsoft.com/oss/v2/fluxcd",
];

/// Their folders, which a mirror keeps.
const VENDOR_FOLDERS: [&str; 4] = [
    "controlplaneio-fluxcd",
    "controlplane/fluxcd",
    "oss/fluxcd",
    "oss/v2/fluxcd",
];

/// Whose build it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Builder {
    Upstream,
    Vendor,
    Unknown,
}

impl Builder {
    pub(super) fn of(image: &str) -> Self {
        let path = ImageRef::parse(image).registry_and_path;
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let within = |prefix: &&'static str| folder == *prefix || folder.starts_with(&format!("{prefix}/"));
        if UPSTREAM.contains(&folder) {
            return Self::Upstream;
        }
        if VENDORS.iter().any(within) {
            Self::Vendor
        } else {
            Self::Unknown
        }
    }
}

/// The version of a build of the Flux project.
///
/// # Errors
/// The image's tag tells no version, or a vendor's build has fixes that its tag does not tell of.
pub(super) fn upstream_version<'a>(subject: &Subject<'a>) -> Result<&'a Version, Missing> {
    let image = &subject.instance.image;
    if is_rebuilt(image) {
        let message = format!("{}: {image} is a vendor build: ask the vendor", subject.key);
        return Err(Missing::new("VendorBuild", message));
    }
    subject.instance.version.as_ref().ok_or_else(|| {
        let message = format!("{}: the image {image} does not show its version", subject.key);
        Missing::new("VersionUnknown", message)
    })
}

/// Whether somebody else than the Flux project built an image, as far as its name tells.
fn is_rebuilt(image: &str) -> bool {
    let image = ImageRef::parse(image);
    let path = image.registry_and_path;
    let is_within = |folder: &&str| {
        path.match_indices(folder).any(|(at, _)| {
            let (before, rest) = (&path[..at], &path[at + folder.len()..]);
            (before.is_empty() || before.ends_with('/')) && rest.starts_with('/')
        })
    };
    image.is_rebuilt() || VENDOR_FOLDERS.iter().any(is_within)
}

/// What is wrong with the image of a controller.
pub(super) fn defect(subject: &Subject<'_>, observed: String, expected: String) -> Defect {
    let component: Component = subject.key.component;
    Defect {
        field: "image".to_owned(),
        message: format!("{component} in namespace {}: {observed}", subject.key.namespace),
        observed,
        expected,
        severity: flag::weight(subject),
        ..Defect::default()
    }
}
