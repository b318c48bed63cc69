//! Known vulnerabilities of Flux's controllers: `advisories.yaml`, read once.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use semver::{Prerelease, Version, VersionReq};
use serde::{Deserialize, Deserializer};

use super::component::Component;
use crate::api::Severity;

/// The list, and how old it is.
#[derive(Debug, Deserialize)]
pub struct Advisories {
    /// Day of the last entry, as `YYYY-MM-DD`: what became known later is not in it.
    pub date: String,
    /// Every advisory.
    pub advisories: Vec<Advisory>,
}

/// One vulnerability.
#[derive(Debug, Deserialize)]
pub struct Advisory {
    /// Its CVE; empty when it has none.
    #[serde(default)]
    pub id: String,
    /// How bad it is where it matters.
    pub severity: Severity,
    /// What it allows.
    pub summary: String,
    /// What makes it matter; always, when absent.
    #[serde(default)]
    pub matters: Option<Matter>,
    #[serde(deserialize_with = "by_component")]
    affected: BTreeMap<Component, VersionReq>,
}

/// What has to be in use for an advisory to matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Matter {
    /// A bucket of Azure.
    AzureBucket,
    /// Any bucket.
    Bucket,
    /// A Receiver of type `gcr`.
    GcrReceiver,
    /// A Git repository.
    GitRepository,
    /// A signature that is verified by cosign.
    CosignVerification,
    /// A signature of Git that is verified.
    GitVerification,
    /// Any Kustomization.
    Kustomization,
    /// A Kustomization that decrypts.
    Decryption,
    /// A Kustomization that fills in values of a Secret.
    SecretSubstitution,
    /// A kubeconfig in a Secret.
    KubeconfigSecret,
}

impl Advisory {
    /// Whether a version of a controller is affected. A pre-release counts as its release.
    #[must_use]
    pub fn affects(&self, component: Component, version: &Version) -> bool {
        let mut version = version.clone();
        version.pre = Prerelease::EMPTY;
        self.affected
            .get(&component)
            .is_some_and(|range| range.matches(&version))
    }
}

/// The list of this release.
///
/// # Panics
/// When the list cannot be read: a mistake that every test finds.
#[must_use]
pub fn advisories() -> &'static Advisories {
    &LIST
}

#[expect(clippy::expect_used, reason = "the list is part of the program")]
static LIST: LazyLock<Advisories> = LazyLock::new(|| {
    serde_saphyr::from_str(include_str!("advisories.yaml")).expect("invariant: the list can be read")
});

fn by_component<'de, D: Deserializer<'de>>(wire: D) -> Result<BTreeMap<Component, VersionReq>, D::Error> {
    let named = BTreeMap::<String, VersionReq>::deserialize(wire)?;
    let component = |name: &str| Component::ALL.into_iter().find(|it| it.name() == name);
    named
        .into_iter()
        .map(|(name, range)| {
            let component =
                component(&name).ok_or_else(|| serde::de::Error::custom(format!("no controller {name}")));
            Ok((component?, range))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use semver::Version;

    use super::advisories;
    use crate::flux::component::Component;

    fn affected(component: Component, version: &str) -> Vec<&'static str> {
        let version = Version::parse(version).unwrap();
        let list = advisories().advisories.iter();
        list.filter(|it| it.affects(component, &version))
            .map(|it| it.id.as_str())
            .collect()
    }

    #[test]
    fn the_fixed_version_is_outside_of_its_range() {
        for (component, last, fixed, id) in [
            (Component::Kustomize, "0.14.9", "0.15.0", "CVE-2021-41254"),
            (Component::Helm, "0.18.2", "0.19.0", "CVE-2022-24817"),
            (Component::Source, "1.2.4", "1.2.5", "CVE-2024-31216"),
            (Component::Notification, "1.8.2", "1.8.3", "CVE-2026-40109"),
            (Component::Source, "1.9.6", "1.10.0", "CVE-2026-71556"),
            (Component::Source, "1.7.4", "1.8.0", "CVE-2026-22703"),
            (Component::SourceWatcher, "2.0.1", "2.0.2", "CVE-2025-58183"),
        ] {
            assert!(affected(component, last).contains(&id), "{id} {last}");
            assert!(!affected(component, fixed).contains(&id), "{id} {fixed}");
        }
    }

    #[test]
    fn the_first_version_is_inside_of_its_range() {
        assert!(!affected(Component::Kustomize, "0.15.1").contains(&"CVE-2022-24878"));
        assert!(affected(Component::Kustomize, "0.16.0").contains(&"CVE-2022-24878"));
    }

    #[test]
    fn a_pre_release_counts_as_its_release() {
        assert!(affected(Component::Source, "1.9.0-rc.1").contains(&"CVE-2026-71556"));
    }

    #[test]
    fn the_newest_release_has_no_advisory_that_is_fixed() {
        assert_eq!(affected(Component::Source, "1.10.1"), Vec::<&str>::new());
    }

    #[test]
    fn ids_are_unique() {
        let ids = advisories().advisories.iter().map(|it| it.id.as_str());
        let mut ids: Vec<&str> = ids.filter(|id| !id.is_empty()).collect();
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count);
    }
}
