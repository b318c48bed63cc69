//! Nodes: which pods they take.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::meta::null_as_default;
use super::scheduling::{Taint, TaintWire};
use super::{Descriptor, Kind, Meta, Origin};

/// A node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeRow {
    /// Where it comes from. Who changed it last is not kept: agents on it do so all day, and put no pod there.
    pub origin: Origin,
    /// Every label, by name: pods may ask for any of them.
    pub(super) labels: Box<[(Box<str>, Box<str>)]>,
    /// What keeps pods off.
    pub taints: Box<[Taint]>,
}

impl NodeRow {
    /// The value of a label.
    pub(super) fn label(&self, name: &str) -> Option<&str> {
        let at = self.labels.binary_search_by(|(known, _)| (**known).cmp(name));
        Some(&self.labels[at.ok()?].1)
    }
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
            labels: boxed(&meta.labels),
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

/// Labels in order, without the room of a map: large clusters have thousands of nodes, each with dozens of labels.
fn boxed(labels: &BTreeMap<String, String>) -> Box<[(Box<str>, Box<str>)]> {
    let labels = labels.iter();
    labels
        .map(|(name, value)| (name.as_str().into(), value.as_str().into()))
        .collect()
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
