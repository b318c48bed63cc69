//! Known vulnerabilities of Flux's controllers: `advisories.yaml`, read once.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use k8s_openapi::jiff::Timestamp;
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

impl Advisories {
    /// How many whole days ago the list ended; `None`: it ends on no day.
    #[must_use]
    pub fn age_in_days(&self, now: Timestamp) -> Option<i64> {
        let end: Timestamp = format!("{}T00:00:00Z", self.date).parse().ok()?;
        Some((now.as_second() - end.as_second()).div_euclid(24 * 60 * 60))
    }
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
    use k8s_openapi::jiff::{SignedDuration, Timestamp};
    use semver::Version;

    use super::{Advisory, advisories};
    use crate::flux::component::Component;

    fn affected(component: Component, version: &str) -> Vec<&'static str> {
        let version = Version::parse(version).unwrap();
        let list = advisories().advisories.iter();
        list.filter(|it| it.affects(component, &version))
            .map(name)
            .collect()
    }

    /// What an advisory is known by.
    fn name(advisory: &Advisory) -> &str {
        if advisory.id.is_empty() {
            &advisory.summary
        } else {
            &advisory.id
        }
    }

    /// The bounds of every range: the first affected version, and the first that is fixed. Written down a second time, so
    /// that a slip in the data is one.
    #[rustfmt::skip]
    const BOUNDS: [(&str, Component, &str, &str); 37] = [
        ("CVE-2021-41254", Component::Kustomize, "0.0.0", "0.15.0"),
        ("CVE-2022-24817", Component::Kustomize, "0.1.0", "0.23.0"),
        ("CVE-2022-24817", Component::Helm, "0.1.0", "0.19.0"),
        ("CVE-2022-24877", Component::Kustomize, "0.0.0", "0.24.0"),
        ("CVE-2022-24878", Component::Kustomize, "0.16.0", "0.24.0"),
        ("CVE-2022-36049", Component::Helm, "0.0.4", "0.23.0"),
        ("CVE-2022-39272", Component::Source, "0.0.0", "0.30.0"),
        ("CVE-2022-39272", Component::Kustomize, "0.0.0", "0.29.0"),
        ("CVE-2022-39272", Component::Helm, "0.0.0", "0.24.0"),
        ("CVE-2022-39272", Component::Notification, "0.0.0", "0.27.0"),
        ("CVE-2022-39272", Component::ImageReflector, "0.0.0", "0.22.0"),
        ("CVE-2022-39272", Component::ImageAutomation, "0.0.0", "0.26.0"),
        ("CVE-2024-31216", Component::Source, "0.0.0", "1.2.5"),
        ("CVE-2026-40109", Component::Notification, "0.0.0", "1.8.3"),
        ("CVE-2026-47680", Component::Source, "0.0.17", "1.8.5"),
        ("CVE-2026-45022", Component::Source, "0.0.0", "1.8.4"),
        ("CVE-2026-45022", Component::ImageAutomation, "0.0.0", "1.1.3"),
        ("CVE-2026-45571", Component::Source, "0.0.0", "1.8.5"),
        ("CVE-2026-45571", Component::ImageAutomation, "0.0.0", "1.1.4"),
        ("CVE-2026-71556", Component::Source, "0.0.0", "1.10.0"),
        ("CVE-2026-71556", Component::ImageAutomation, "0.0.0", "1.2.5"),
        ("CVE-2026-22703", Component::Source, "0.0.0", "1.8.0"),
        ("CVE-2025-58183", Component::Source, "0.0.0", "1.7.2"),
        ("CVE-2025-58183", Component::Kustomize, "0.0.0", "1.7.1"),
        ("CVE-2025-58183", Component::Helm, "0.0.0", "1.4.2"),
        ("CVE-2025-58183", Component::Notification, "0.0.0", "1.7.3"),
        ("CVE-2025-58183", Component::ImageReflector, "0.0.0", "1.0.2"),
        ("CVE-2025-58183", Component::ImageAutomation, "0.0.0", "1.0.2"),
        ("CVE-2025-58183", Component::SourceWatcher, "0.0.0", "2.0.2"),
        ("values from postBuild.substituteFrom appear in status and events", Component::Kustomize, "0.0.0", "1.9.6"),
        ("a substitution with a negative substring length stops the controller", Component::Kustomize, "0.0.0", "1.9.5"),
        ("decrypted values appear in type error messages, and an incomplete Azure Key Vault configuration is accepted", Component::Kustomize, "0.0.0", "1.10.0"),
        ("a kubeconfig that refers to files is not refused", Component::Kustomize, "0.0.0", "1.9.5"),
        ("a kubeconfig that refers to files is not refused", Component::Helm, "0.0.0", "1.6.4"),
        ("the condition SourceVerified stays True after the keys were changed", Component::Source, "0.0.0", "1.10.0"),
        ("a chart's signature is verified without pinning the digest that is fetched", Component::Source, "0.0.0", "1.9.4"),
        ("the artifact server has no timeouts for headers and idle connections", Component::Source, "0.0.0", "1.10.1"),
    ];

    #[test]
    fn a_range_begins_and_ends_where_the_advisory_says() {
        for (id, component, first, fixed) in BOUNDS {
            let [first, fixed] = [first, fixed].map(|text| Version::parse(text).unwrap());
            let is_affected = |version: &Version| affected(component, &version.to_string()).contains(&id);
            assert!(is_affected(&first), "{id} {component} {first}");
            assert!(!is_affected(&fixed), "{id} {component} {fixed}");
            assert!(is_affected(&before(&fixed)), "{id} {component} before {fixed}");
            if first > Version::new(0, 0, 0) {
                assert!(!is_affected(&before(&first)), "{id} {component} before {first}");
            }
        }
    }

    #[test]
    fn every_range_is_among_the_bounds() {
        for advisory in &advisories().advisories {
            for component in advisory.affected.keys() {
                let known = BOUNDS
                    .iter()
                    .any(|(id, of, ..)| *id == name(advisory) && of == component);
                assert!(known, "{} of {component}", name(advisory));
            }
        }
    }

    /// A version that is less, and as near as a patch of a real release can be.
    fn before(version: &Version) -> Version {
        match (version.minor, version.patch) {
            (0, 0) => Version::new(version.major - 1, 99, 99),
            (minor, 0) => Version::new(version.major, minor - 1, 99),
            (minor, patch) => Version::new(version.major, minor, patch - 1),
        }
    }

    #[test]
    fn the_list_grows_old_by_the_day() {
        let age = |now: &str| advisories().age_in_days(now.parse().unwrap());
        let end = &advisories().date;
        assert_eq!(age(&format!("{end}T00:00:00Z")), Some(0));
        assert_eq!(age(&format!("{end}T23:59:59Z")), Some(0));
        assert_eq!(age("1970-01-01T00:00:00Z").map(i64::signum), Some(-1));
        let tomorrow = advisories().age_in_days(
            format!("{end}T00:00:00Z").parse::<Timestamp>().unwrap() + SignedDuration::from_hours(24),
        );
        assert_eq!(tomorrow, Some(1));
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
