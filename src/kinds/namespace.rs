//! Namespaces: their labels tell tenants apart.

use super::label_map::LabelMap;
use super::{Descriptor, Kind, Meta, Origin};

/// A namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespaceRow {
    /// Where it comes from.
    pub origin: Origin,
    /// Every label: selectors and tenants' labels may name any of them.
    pub labels: LabelMap,
}

/// `v1 Namespace`.
pub struct Namespace;

impl Kind for Namespace {
    type Row = NamespaceRow;
    const DESCRIPTOR: Descriptor = Descriptor {
        group: "",
        kind: "Namespace",
        plural: "namespaces",
        versions: &["v1"],
        custom: false,
        page_size: 100,
        metadata_only: true,
    };
    const IS_CLUSTER_SCOPED: bool = true;

    fn project(meta: &Meta, _object: &str) -> Result<Option<NamespaceRow>, serde_json::Error> {
        Ok(Some(NamespaceRow {
            origin: meta.origin(&Self::DESCRIPTOR),
            labels: LabelMap::from(&meta.labels),
        }))
    }

    fn origin(row: &NamespaceRow) -> Option<&Origin> {
        Some(&row.origin)
    }
}
