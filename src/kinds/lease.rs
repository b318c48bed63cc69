//! Leader-election Leases of Flux controllers and of flux-operator: the best proof of who a workload is when names were changed.

use serde::Deserialize;

use super::{Descriptor, Kind, Meta};
use crate::flux::{Component, detect};

/// Who holds the leader election of a Flux controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseRow {
    /// `spec.holderIdentity`: the pod's name and a random part.
    pub holder: String,
}

/// `coordination.k8s.io/v1 Lease`.
pub struct Lease;

impl Kind for Lease {
    type Row = LeaseRow;
    const DESCRIPTOR: Descriptor = Descriptor {
        group: "coordination.k8s.io",
        kind: "Lease",
        plural: "leases",
        versions: &["v1"],
        custom: false,
        page_size: 100,
        metadata_only: false,
    };

    fn project(meta: &Meta, object: &str) -> Result<Option<LeaseRow>, serde_json::Error> {
        if !is_flux_election(&meta.name) {
            return Ok(None);
        }
        let object: LeaseWire = serde_json::from_str(object)?;
        Ok(object.spec.holder_identity.map(|holder| LeaseRow { holder }))
    }
}

fn is_flux_election(name: &str) -> bool {
    let mut programs = Component::DETECTED.into_iter();
    programs.any(|program| detect::is_lease_of(name, program))
}

#[derive(Deserialize)]
struct LeaseWire {
    #[serde(default)]
    spec: LeaseSpec,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct LeaseSpec {
    holder_identity: Option<String>,
}
