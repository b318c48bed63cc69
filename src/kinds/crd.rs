//! CustomResourceDefinitions, by metadata: which kinds exist, and who installed Flux's.

use std::collections::BTreeMap;

use super::{Descriptor, Kind, Meta};

/// Labels of a CustomResourceDefinition of interest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrdRow {
    /// `app.kubernetes.io/*` and Flux's own labels.
    pub labels: BTreeMap<String, String>,
}

/// `apiextensions.k8s.io/v1 CustomResourceDefinition`.
pub struct CustomResourceDefinition;

impl Kind for CustomResourceDefinition {
    type Row = CrdRow;
    const DESCRIPTOR: Descriptor = Descriptor {
        group: "apiextensions.k8s.io",
        kind: "CustomResourceDefinition",
        plural: "customresourcedefinitions",
        versions: &["v1"],
        custom: false,
        page_size: 100,
        metadata_only: true,
    };

    fn project(meta: &Meta, _object: &str) -> Result<Option<CrdRow>, serde_json::Error> {
        let ours = meta.name.ends_with(".fluxcd.io")
            || meta.name.ends_with(".fluxcd.controlplane.io")
            || meta.name.ends_with(".clusterconfig.azure.com");
        Ok(ours.then(|| CrdRow {
            labels: meta.labels.clone(),
        }))
    }
}
