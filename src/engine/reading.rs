//! What of the sources' files is to be read, by all policies together.

use std::collections::BTreeSet;

use super::Engine;
use crate::api::policy::{ArtifactKind, ArtifactScan};
use crate::inventory::Server;
use crate::kinds::flux_objects::{Bucket, ExternalArtifact, GitRepository, HelmChart, OciRepository};
use crate::kinds::{KindId, id_of};

/// Which artifacts are read, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The kinds of their sources.
    pub kinds: BTreeSet<KindId>,
    /// Bytes of the largest.
    pub most_bytes: u64,
    /// Hosts that policies name.
    pub hosts: BTreeSet<Box<str>>,
    /// Services of Flux's own controllers.
    pub servers: BTreeSet<Server>,
}

impl Engine {
    /// What is to be read; `None`: no policy asks for anything.
    #[must_use]
    pub fn reading(&self) -> Option<Reading> {
        let mut kinds = BTreeSet::new();
        let mut hosts = BTreeSet::new();
        let mut most_bytes = 0;
        for scan in self.scans() {
            let listed: &[ArtifactKind] = if scan.kinds.is_empty() { &ALL } else { &scan.kinds };
            kinds.extend(listed.iter().map(|kind| kind.id()));
            hosts.extend(scan.hosts.iter().map(|host| Box::from(host.as_str())));
            most_bytes = most_bytes.max(u64::try_from(scan.max_bytes).unwrap_or_default());
        }
        (!kinds.is_empty()).then(|| Reading {
            kinds,
            most_bytes,
            hosts,
            servers: self.inventory.artifact_servers(),
        })
    }

    /// Whether a policy asks for any.
    pub(super) fn asks_for_artifacts(&self) -> bool {
        self.scans().next().is_some()
    }

    /// What the policies say that ask for some.
    fn scans(&self) -> impl Iterator<Item = &ArtifactScan> {
        let plans = self.plans.values();
        let audited = plans.filter(|plan| plan.invalid.is_none() && !plan.row.spec.suspend);
        let scans = audited.map(|plan| &plan.row.spec.secrets.artifacts);
        scans.filter(|scan| scan.enabled)
    }
}

const ALL: [ArtifactKind; 5] = [
    ArtifactKind::GitRepository,
    ArtifactKind::OciRepository,
    ArtifactKind::Bucket,
    ArtifactKind::HelmChart,
    ArtifactKind::ExternalArtifact,
];

impl ArtifactKind {
    fn id(self) -> KindId {
        match self {
            Self::GitRepository => id_of::<GitRepository>(),
            Self::OciRepository => id_of::<OciRepository>(),
            Self::Bucket => id_of::<Bucket>(),
            Self::HelmChart => id_of::<HelmChart>(),
            Self::ExternalArtifact => id_of::<ExternalArtifact>(),
        }
    }
}
