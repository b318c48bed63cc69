//! RuntimeClasses: which programs run the containers of pods.

use serde::Deserialize;

use super::{Descriptor, Kind, Meta, Required};

/// A RuntimeClass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuntimeClassRow {
    /// The name that nodes know the program by.
    pub handler: Box<str>,
}

/// `node.k8s.io/v1 RuntimeClass`.
pub struct RuntimeClass;

impl Kind for RuntimeClass {
    type Row = RuntimeClassRow;
    const DESCRIPTOR: Descriptor = Descriptor {
        group: "node.k8s.io",
        kind: "RuntimeClass",
        plural: "runtimeclasses",
        versions: &["v1"],
        custom: false,
        page_size: 100,
        metadata_only: false,
    };
    const IS_CLUSTER_SCOPED: bool = true;
    const REQUIRED: Required = &[&["handler"]];

    fn project(_meta: &Meta, object: &str) -> Result<Option<RuntimeClassRow>, serde_json::Error> {
        let wire: Wire = serde_json::from_str(object)?;
        Ok(Some(RuntimeClassRow {
            handler: wire.handler,
        }))
    }
}

#[derive(Deserialize)]
struct Wire {
    handler: Box<str>,
}
