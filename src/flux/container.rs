//! The part of a pod template that tells how a controller is started.
//!
//! Workloads (intent) and Pods (evidence) are projected to the same shape, so that one evaluator judges both.

use std::collections::BTreeMap;

/// A pod template or a running pod's spec, reduced to what identifies and configures a controller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodShape {
    /// Labels of the template or of the pod.
    pub labels: BTreeMap<String, String>,
    /// `spec.serviceAccountName`; empty when unset.
    pub service_account: String,
    /// Regular containers, in order.
    pub containers: Vec<Container>,
    /// `spec.hostNetwork`: no NetworkPolicy applies to the pod.
    pub host_network: bool,
    /// The numbers of the named ports of all containers.
    pub named_ports: BTreeMap<String, u16>,
    /// What else the pod is made of.
    pub surroundings: Surroundings,
}

/// What a pod is made of besides its containers, as far as a control reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// Names of the init containers.
    pub init_containers: Vec<String>,
    /// Volumes that bring in files of the node or Secrets, for instance `hostPath /var/run`.
    pub foreign_volumes: Vec<String>,
    /// `spec.priorityClassName`; empty when unset.
    pub priority_class: String,
    /// `spec.terminationGracePeriodSeconds`; 30 when unset.
    pub grace_seconds: i64,
    /// What the Pod Security Standard "restricted" forbids, and writable root file systems.
    pub weaknesses: Vec<Weakness>,
}

/// A setting of a pod that makes a break-out easier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weakness {
    /// Container; empty for settings of the whole pod.
    pub container: String,
    /// Path of the field, within the container or within `spec`.
    pub field: &'static str,
    /// What was read.
    pub observed: String,
}

impl Weakness {
    /// The one field that is stricter than the Pod Security Standard.
    pub const WRITABLE_ROOT: &str = "securityContext.readOnlyRootFilesystem";
}

/// One container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Container {
    /// Name within the pod; upstream Flux calls it `manager`.
    pub name: String,
    /// Image reference as written.
    pub image: String,
    /// Replaces the image's ENTRYPOINT when not empty.
    pub command: Vec<String>,
    /// Replaces the image's CMD when not empty; Flux images define none.
    pub args: Vec<String>,
    /// `env`, in order: a later entry of one name wins.
    pub env: Vec<EnvVar>,
    /// Whether `envFrom` is used: names that `env` does not define may then come from elsewhere.
    pub has_env_from: bool,
    /// Where volumes are mounted.
    pub mounts: Vec<String>,
    /// Whether `resources.limits.memory` is set.
    pub has_memory_limit: bool,
}

/// One entry of `env`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvVar {
    /// Name of the variable.
    pub name: String,
    /// Where its value comes from.
    pub source: EnvSource,
}

/// Where an environment variable takes its value from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnvSource {
    /// A literal `value` (empty when neither `value` nor `valueFrom` is set).
    Literal(String),
    /// `valueFrom.fieldRef.fieldPath`, for instance `metadata.namespace`.
    Field(String),
    /// A Secret key, a ConfigMap key or a resource: not read. The text names which, for instance `Secret vault/token`.
    Unread(String),
}
