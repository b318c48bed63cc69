//! Where the spec of a pod stands: in the pod, and in the template of a workload. What is read of it differs.

use serde::Deserialize;

/// A pod, as far as its spec is read as `T`.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct PodWire<T: Default> {
    pub(super) spec: T,
}

/// A workload, as far as the spec of its pods is read as `T`.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct WorkloadWire<T: Default> {
    pub(super) spec: TemplateWire<T>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct TemplateWire<T: Default> {
    pub(super) template: PodWire<T>,
}
