//! Pods: the evidence of what really runs, after every admission plugin, and where.

use serde::Deserialize;

use super::meta::{Owner, null_as_default};
use super::scheduling::{self, Scheduling, Toleration};
use super::workload::PodSpecWire;
use super::{Descriptor, Kind, Meta, Required, pod_security};
use crate::flux::container::PodShape;
use crate::flux::detect;

/// A pod. There may be very many: of most only where they run is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodRow {
    /// Its node; empty as long as it has none.
    pub node: Box<str>,
    /// The RuntimeClass that it asks for; empty when it takes what there is.
    pub runtime_class: Box<str>,
    /// Onto which nodes it is let that keep others off.
    pub tolerations: Box<[Toleration]>,
    /// What is kept of one that may run a Flux controller.
    pub candidate: Option<Box<Candidate>>,
}

/// A pod that may run a Flux controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Kind and name of the workload behind it; the pod itself when it has no owner.
    pub workload: (String, String),
    /// What it runs.
    pub shape: PodShape,
    /// How far it is.
    pub phase: Phase,
    /// Where it may run.
    pub scheduling: Scheduling,
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
    const REQUIRED: Required = &[&["spec.containers"]];

    fn project(meta: &Meta, text: &str) -> Result<Option<PodRow>, serde_json::Error> {
        let mut object: PodWire = serde_json::from_str(text)?;
        if matches!(object.status.phase.as_str(), "Succeeded" | "Failed") || meta.deletion_timestamp.is_some()
        {
            return Ok(None);
        }
        let spec = &mut object.spec;
        Ok(Some(PodRow {
            node: std::mem::take(&mut spec.node_name),
            runtime_class: std::mem::take(&mut spec.runtime_class_name),
            tolerations: scheduling::tolerations(std::mem::take(&mut spec.tolerations)),
            candidate: candidate(meta, text, object)?.map(Box::new),
        }))
    }
}

fn candidate(meta: &Meta, text: &str, object: PodWire) -> Result<Option<Candidate>, serde_json::Error> {
    let mut shape = object.spec.shape(&meta.labels);
    let workload = workload_of(meta);
    if !detect::is_candidate(&workload.1, &meta.labels, &shape) {
        return Ok(None);
    }
    shape.surroundings = pod_security::of_pod(text)?;
    Ok(Some(Candidate {
        workload,
        shape,
        phase: object.status.phase(),
        scheduling: scheduling::of_pod(text)?,
    }))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// There may be tens of thousands, and all but a few are nobody's controllers.
    #[test]
    fn of_most_pods_only_where_they_run_is_kept() {
        let row = |text: &str| Pod::project(&Meta::parse(text).unwrap(), text).unwrap().unwrap();
        let plain = r#"{"metadata": {"name": "web-1", "namespace": "shop", "labels": {"app": "web"}}, "spec": {
            "nodeName": "n1", "runtimeClassName": "gvisor", "containers": [{"name": "web", "image": "example.com/web:1"}],
            "tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}]
        }}"#;
        let row = row(plain);
        assert_eq!((&*row.node, &*row.runtime_class), ("n1", "gvisor"));
        assert!(row.candidate.is_none() && row.tolerations.is_empty());
        assert!(size_of::<PodRow>() <= 64, "{}", size_of::<PodRow>());
    }
}
