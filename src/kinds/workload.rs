//! Deployments and StatefulSets: the intent of a controller.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::meta::null_as_default;
use super::scheduling::{self, Scheduling, TolerationWire};
use super::{Descriptor, Kind, Meta, pod_security};
use crate::flux::container::{Container, EnvSource, EnvVar, PodShape, Surroundings};
use crate::flux::detect;

/// A workload that may run a Flux controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Unique id, for Events.
    pub uid: String,
    /// Labels of the workload.
    pub labels: BTreeMap<String, String>,
    /// Annotations that tell the installer and the shard.
    pub annotations: BTreeMap<String, String>,
    /// `spec.replicas`; 1 when unset.
    pub replicas: i64,
    /// The pod template.
    pub template: PodShape,
    /// Where its pods may run.
    pub scheduling: Scheduling,
    /// Field manager of the last change.
    pub manager: String,
}

/// `apps/v1 Deployment`.
pub struct Deployment;

/// `apps/v1 StatefulSet`.
pub struct StatefulSet;

const APPS: Descriptor = Descriptor {
    group: "apps",
    kind: "Deployment",
    plural: "deployments",
    versions: &["v1"],
    custom: false,
    page_size: 100,
    metadata_only: false,
};

impl Kind for Deployment {
    type Row = Workload;
    const DESCRIPTOR: Descriptor = APPS;
    fn project(meta: &Meta, object: &str) -> Result<Option<Workload>, serde_json::Error> {
        project(meta, object)
    }
}

impl Kind for StatefulSet {
    type Row = Workload;
    const DESCRIPTOR: Descriptor = Descriptor {
        kind: "StatefulSet",
        plural: "statefulsets",
        ..APPS
    };
    fn project(meta: &Meta, object: &str) -> Result<Option<Workload>, serde_json::Error> {
        project(meta, object)
    }
}

fn project(meta: &Meta, text: &str) -> Result<Option<Workload>, serde_json::Error> {
    let object: WorkloadWire = serde_json::from_str(text)?;
    let mut template = object
        .spec
        .template
        .spec
        .shape(&object.spec.template.metadata.labels);
    if !detect::is_candidate(&meta.name, &meta.labels, &template) {
        return Ok(None);
    }
    template.surroundings = pod_security::of_template(text)?;
    Ok(Some(Workload {
        uid: meta.uid.clone(),
        labels: meta.labels.clone(),
        annotations: kept_annotations(&meta.annotations),
        replicas: object.spec.replicas.unwrap_or(1),
        template,
        scheduling: scheduling::of_template(text)?,
        manager: meta.last_manager().to_owned(),
    }))
}

/// The annotations that say something about Flux: others change often and mean nothing here.
fn kept_annotations(annotations: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    const PREFIXES: [&str; 4] = [
        "sharding.fluxcd.io/",
        "fluxcd.controlplane.io/",
        "kustomize.toolkit.fluxcd.io/",
        "meta.helm.sh/",
    ];
    let kept = |name: &str| PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    annotations
        .iter()
        .filter(|(name, _)| kept(name))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect()
}

#[derive(Deserialize)]
struct WorkloadWire {
    #[serde(default)]
    spec: WorkloadSpec,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WorkloadSpec {
    replicas: Option<i64>,
    template: TemplateWire,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TemplateWire {
    metadata: TemplateMeta,
    spec: PodSpecWire,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TemplateMeta {
    #[serde(deserialize_with = "null_as_default")]
    labels: BTreeMap<String, String>,
}

/// The part of a PodSpec that configures a controller, and of a pod's what tells where it runs.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PodSpecWire {
    #[serde(deserialize_with = "null_as_default")]
    service_account_name: String,
    #[serde(deserialize_with = "null_as_default")]
    containers: Vec<ContainerWire>,
    #[serde(deserialize_with = "null_as_default")]
    host_network: bool,
    #[serde(deserialize_with = "null_as_default")]
    pub(super) node_name: Box<str>,
    #[serde(deserialize_with = "null_as_default")]
    pub(super) runtime_class_name: Box<str>,
    #[serde(deserialize_with = "null_as_default")]
    pub(super) tolerations: Vec<TolerationWire>,
}

impl PodSpecWire {
    /// The shape without its surroundings, which are read of candidates only.
    pub(super) fn shape(self, labels: &BTreeMap<String, String>) -> PodShape {
        let ports = self.containers.iter().flat_map(|container| &container.ports);
        PodShape {
            surroundings: Surroundings::default(),
            labels: labels.clone(),
            service_account: self.service_account_name,
            host_network: self.host_network,
            named_ports: ports
                .filter(|port| !port.name.is_empty())
                .map(|port| (port.name.clone(), port.container_port))
                .collect(),
            containers: self
                .containers
                .into_iter()
                .map(ContainerWire::container)
                .collect(),
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ContainerWire {
    name: String,
    #[serde(deserialize_with = "null_as_default")]
    image: String,
    #[serde(deserialize_with = "null_as_default")]
    command: Vec<String>,
    #[serde(deserialize_with = "null_as_default")]
    args: Vec<String>,
    #[serde(deserialize_with = "null_as_default")]
    env: Vec<EnvWire>,
    #[serde(deserialize_with = "null_as_default")]
    env_from: Vec<serde::de::IgnoredAny>,
    #[serde(deserialize_with = "null_as_default")]
    ports: Vec<PortWire>,
    #[serde(deserialize_with = "null_as_default")]
    volume_mounts: Vec<MountWire>,
    #[serde(deserialize_with = "null_as_default")]
    resources: ResourcesWire,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PortWire {
    #[serde(deserialize_with = "null_as_default")]
    name: String,
    container_port: u16,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct MountWire {
    #[serde(deserialize_with = "null_as_default")]
    mount_path: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ResourcesWire {
    #[serde(deserialize_with = "null_as_default")]
    limits: LimitsWire,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct LimitsWire {
    memory: Option<serde::de::IgnoredAny>,
}

impl ContainerWire {
    fn container(self) -> Container {
        Container {
            name: self.name,
            image: self.image,
            command: self.command,
            args: self.args,
            env: self.env.into_iter().map(EnvWire::variable).collect(),
            mounts: self
                .volume_mounts
                .into_iter()
                .map(|mount| mount.mount_path)
                .collect(),
            has_env_from: !self.env_from.is_empty(),
            has_memory_limit: self.resources.limits.memory.is_some(),
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct EnvWire {
    name: String,
    value: Option<String>,
    value_from: Option<ValueFrom>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(clippy::struct_field_names, reason = "the names of the API")]
struct ValueFrom {
    field_ref: Option<FieldRef>,
    secret_key_ref: Option<KeyRef>,
    config_map_key_ref: Option<KeyRef>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct FieldRef {
    field_path: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct KeyRef {
    name: String,
    key: String,
}

impl EnvWire {
    fn variable(self) -> EnvVar {
        let source = match self.value_from {
            Some(from) => from.source(),
            None => EnvSource::Literal(self.value.unwrap_or_default()),
        };
        EnvVar {
            name: self.name,
            source,
        }
    }
}

impl ValueFrom {
    fn source(self) -> EnvSource {
        if let Some(field) = self.field_ref {
            return EnvSource::Field(field.field_path);
        }
        if let Some(key) = self.secret_key_ref {
            return EnvSource::Unread(format!("Secret {}/{}", key.name, key.key));
        }
        if let Some(key) = self.config_map_key_ref {
            return EnvSource::Unread(format!("ConfigMap {}/{}", key.name, key.key));
        }
        EnvSource::Unread("another source".to_owned())
    }
}
