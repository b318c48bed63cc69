//! Deployments and StatefulSets: the intent of a controller.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use super::flux_objects::Text;
use super::meta::null_as_default;
use super::scheduling::{self, Scheduling, TolerationWire};
use super::{Descriptor, Kind, Meta, Required, pod_security};
use crate::flux::container::{Container, EnvSource, EnvVar, PodShape, Surroundings};
use crate::flux::{detect, sealing};

/// A workload that may run a Flux controller, or the controller of SealedSecrets.
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
    /// What applies it again and again; `None`: nothing of Flux does.
    pub keeper: Option<Keeper>,
    /// Who else has set a part of the pod template's spec; `None`: managers are not recorded.
    pub hands: Option<Box<[Text]>>,
}

/// What applies a workload again and again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Keeper {
    /// Whose object it is.
    pub kind: KeeperKind,
    /// Its namespace.
    pub namespace: Text,
    /// Its name.
    pub name: Text,
}

/// Whose object applies a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeeperKind {
    /// One of flux-operator.
    FluxInstance,
    /// One of kustomize-controller.
    Kustomization,
}

impl Keeper {
    /// Of the labels that it leaves. flux-operator takes those of Flux away.
    fn of(labels: &BTreeMap<String, String>) -> Option<Self> {
        let keepers = [
            (KeeperKind::FluxInstance, "fluxcd.controlplane.io"),
            (KeeperKind::Kustomization, "kustomize.toolkit.fluxcd.io"),
        ];
        keepers.into_iter().find_map(|(kind, group)| {
            let label = |what| labels.get(&format!("{group}/{what}"));
            Some(Self {
                kind,
                namespace: Text::from(label("namespace")?.as_str()),
                name: Text::from(label("name")?.as_str()),
            })
        })
    }
}

impl fmt::Display for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            KeeperKind::FluxInstance => "FluxInstance",
            KeeperKind::Kustomization => "Kustomization",
        };
        write!(f, "{kind} {}/{}", self.namespace, self.name)
    }
}

impl Workload {
    /// The annotation that keeps its applier away, if any. flux-operator puts some on all that it applies, for Flux.
    #[must_use]
    pub fn keeps_away(&self) -> Option<&'static str> {
        const ANNOTATIONS: [(&str, &[&str]); 2] = [
            ("kustomize.toolkit.fluxcd.io/reconcile", &["disabled"]),
            ("kustomize.toolkit.fluxcd.io/ssa", &["Ignore", "IfNotPresent"]),
        ];
        let keeper = self.keeper.as_ref()?;
        if keeper.kind != KeeperKind::Kustomization {
            return None;
        }
        let is_set = |(name, values): &(&'static str, &[&str])| {
            let value = self.annotations.get(*name)?;
            let mut values = values.iter();
            values.any(|it| value.eq_ignore_ascii_case(it)).then_some(*name)
        };
        ANNOTATIONS.iter().find_map(is_set)
    }
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
    const REQUIRED: Required = &[&["spec.selector"], &["spec.template"]];
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
    const REQUIRED: Required = &[&["spec.selector"], &["spec.template"]];
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
    let is_of_interest = detect::is_candidate(&meta.name, &meta.labels, &template)
        || sealing::controller(&meta.name, &meta.labels, &template).is_some();
    if !is_of_interest {
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
        keeper: Keeper::of(&meta.labels),
        hands: hands(text),
    }))
}

/// Field managers of Flux and of what installs it.
const OF_FLUX: [&str; 5] = [
    "flux",
    "flux-operator",
    "helm",
    "helm-controller",
    "kustomize-controller",
];
/// Most other managers that are kept.
const MOST_HANDS: usize = 8;

/// Who else has set a part of the pod template's spec.
fn hands(text: &str) -> Option<Box<[Text]>> {
    let object: ManagedWire = serde_json::from_str(text).ok()?;
    let entries = object.metadata.managed_fields;
    if entries.is_empty() {
        return None;
    }
    let mut hands: Vec<Text> = Vec::new();
    for entry in entries.into_iter().filter(EntryWire::sets_pods) {
        let is_new = !OF_FLUX.contains(&entry.manager.as_str()) && !hands.contains(&entry.manager);
        if is_new && hands.len() < MOST_HANDS {
            hands.push(entry.manager);
        }
    }
    Some(hands.into())
}

#[derive(Deserialize)]
struct ManagedWire {
    #[serde(default)]
    metadata: ManagedMeta,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ManagedMeta {
    #[serde(deserialize_with = "null_as_default")]
    managed_fields: Vec<EntryWire>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct EntryWire {
    manager: Text,
    #[serde(rename = "fieldsV1")]
    fields: ObjectFields,
}

impl EntryWire {
    fn sets_pods(&self) -> bool {
        self.fields.spec.template.spec.is_some()
    }
}

/// The fields of an entry as far as they lead to the pod template; nothing deeper is built.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ObjectFields {
    #[serde(rename = "f:spec")]
    spec: SpecFields,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SpecFields {
    #[serde(rename = "f:template")]
    template: TemplateFields,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TemplateFields {
    #[serde(rename = "f:spec")]
    spec: Option<serde::de::IgnoredAny>,
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
