//! Pods: the evidence of what really runs, after every admission plugin.

use serde::Deserialize;

use super::meta::{Owner, null_as_default};
use super::workload::PodSpecWire;
use super::{Descriptor, Kind, Meta, pod_security};
use crate::flux::container::PodShape;
use crate::flux::detect;

/// A pod that may run a Flux controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodRow {
    /// Kind and name of the workload behind it; the pod itself when it has no owner.
    pub workload: (String, String),
    /// What it runs.
    pub shape: PodShape,
    /// How far it is.
    pub phase: Phase,
}

/// Phase and readiness of a pod, as far as a verdict depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Not running: pending, or its containers have not started or have crashed.
    NotRunning,
    /// Running, not ready.
    Running,
    /// Running and ready: its arguments were accepted.
    Ready,
}

/// `v1 Pod`.
pub struct Pod;

impl Kind for Pod {
    type Row = PodRow;
    const DESCRIPTOR: Descriptor = Descriptor {
        group: "",
        kind: "Pod",
        plural: "pods",
        versions: &["v1"],
        custom: false,
        page_size: 50,
        metadata_only: false,
    };

    fn project(meta: &Meta, text: &str) -> Result<Option<PodRow>, serde_json::Error> {
        let object: PodWire = serde_json::from_str(text)?;
        if matches!(object.status.phase.as_str(), "Succeeded" | "Failed") || meta.deletion_timestamp.is_some()
        {
            return Ok(None);
        }
        let phase = object.status.phase();
        let mut shape = object.spec.shape(&meta.labels);
        let workload = workload_of(meta);
        if !detect::is_candidate(&workload.1, &meta.labels, &shape) {
            return Ok(None);
        }
        shape.surroundings = pod_security::of_pod(text)?;
        Ok(Some(PodRow {
            workload,
            shape,
            phase,
        }))
    }
}

/// The Deployment behind a ReplicaSet is its name without the template hash, which the pod carries as a label.
fn workload_of(meta: &Meta) -> (String, String) {
    let Some(Owner { kind, name, .. }) = meta.controller() else {
        return ("Pod".to_owned(), meta.name.clone());
    };
    if kind != "ReplicaSet" {
        return (kind.clone(), name.clone());
    }
    let hash = meta.labels.get("pod-template-hash").map_or("", String::as_str);
    let deployment = name.strip_suffix(hash).and_then(|name| name.strip_suffix('-'));
    match deployment {
        Some(deployment) if !hash.is_empty() => ("Deployment".to_owned(), deployment.to_owned()),
        _ => (kind.clone(), name.clone()),
    }
}

#[derive(Deserialize)]
struct PodWire {
    #[serde(default)]
    spec: PodSpecWire,
    #[serde(default)]
    status: PodStatus,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PodStatus {
    #[serde(deserialize_with = "null_as_default")]
    phase: String,
    #[serde(deserialize_with = "null_as_default")]
    conditions: Vec<PodCondition>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PodCondition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
}

impl PodStatus {
    fn phase(&self) -> Phase {
        if self.phase != "Running" {
            return Phase::NotRunning;
        }
        let ready = self
            .conditions
            .iter()
            .any(|condition| condition.kind == "Ready" && condition.status == "True");
        if ready { Phase::Ready } else { Phase::Running }
    }
}
