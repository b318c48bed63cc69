//! Nodes: which pods they take.

use serde::Deserialize;

use super::label_map::LabelMap;
use super::meta::null_as_default;
use super::scheduling::{Taint, TaintWire};
use super::{Descriptor, Kind, Meta, Origin};

/// A node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeRow {
    /// Where it comes from. Who changed it last is not kept: agents on it do so all day, and put no pod there.
    pub origin: Origin,
    /// Every label, by name: pods may ask for any of them.
    pub(super) labels: LabelMap,
    /// What keeps pods off.
    pub taints: Box<[Taint]>,
}

/// `v1 Node`.
pub struct Node;

impl Kind for Node {
    type Row = NodeRow;
    const DESCRIPTOR: Descriptor = Descriptor {
        group: "",
        kind: "Node",
        plural: "nodes",
        versions: &["v1"],
        custom: false,
        page_size: 50,
        metadata_only: false,
    };
    const IS_CLUSTER_SCOPED: bool = true;

    fn project(meta: &Meta, object: &str) -> Result<Option<NodeRow>, serde_json::Error> {
        let wire: Wire = serde_json::from_str(object)?;
        Ok(Some(NodeRow {
            origin: Origin {
                is_recorded: false,
                ..meta.origin(&Self::DESCRIPTOR)
            },
            labels: LabelMap::from(&meta.labels),
            taints: wire
                .spec
                .taints
                .into_iter()
                .filter_map(TaintWire::taint)
                .collect(),
        }))
    }

    fn origin(row: &NodeRow) -> Option<&Origin> {
        Some(&row.origin)
    }
}

#[derive(Deserialize)]
struct Wire {
    #[serde(default, deserialize_with = "null_as_default")]
    spec: SpecWire,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SpecWire {
    #[serde(deserialize_with = "null_as_default")]
    taints: Vec<TaintWire>,
}
