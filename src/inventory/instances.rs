//! Instances: the Flux controllers of a cluster, each with the command lines of its workload and its pods.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use semver::Version;

use super::ingress::PodNetwork;
use super::lane::{self, Lane};
use super::placed::{self, Place, Placed};
use super::placement;
use super::table::{ObjectKey, Table};
use super::{Changed, Missing};
use crate::api::ResourceRef;
use crate::flux::command_line::{self, CommandLine, Evaluation};
use crate::flux::container::{Container, EnvSource, EnvVar, PodShape, Surroundings};
use crate::flux::detect::{self, Candidate, Certainty, Detection, LeaseHolder};
use crate::flux::image::ImageRef;
use crate::flux::installer::Installer;
use crate::flux::{Component, image, installer};
use crate::kinds::flux_objects::FluxInstance;
use crate::kinds::flux_objects::operator::Shipped;
use crate::kinds::lease::LeaseRow;
use crate::kinds::pod::{self, Phase, PodRow};
use crate::kinds::scheduling::Scheduling;
use crate::kinds::workload::Workload;
use crate::kinds::{self, Kind, Origin, id_of};

/// One controller in one workload. Two controllers in one Deployment are two instances.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceKey {
    /// Namespace.
    pub namespace: Arc<str>,
    /// Kind of the workload.
    pub kind: Arc<str>,
    /// Name of the workload.
    pub name: Arc<str>,
    /// The controller.
    pub component: Component,
}

impl fmt::Display for InstanceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {}/{} ({})",
            self.kind, self.namespace, self.name, self.component
        )
    }
}

impl InstanceKey {
    /// The workload, as findings and Events name it.
    #[must_use]
    pub fn resource(&self) -> ResourceRef {
        let api_version = match &*self.kind {
            "Pod" => "v1",
            _ => "apps/v1",
        };
        ResourceRef {
            api_version: api_version.to_owned(),
            kind: self.kind.to_string(),
            namespace: self.namespace.to_string(),
            name: self.name.to_string(),
        }
    }
}

/// As keys are ordered: those of a namespace follow each other. No controller comes before all of them.
impl Placed for InstanceKey {
    fn place(&self) -> Place<'_> {
        (
            &self.namespace,
            &self.kind,
            &self.name,
            1 + self.component as usize,
        )
    }
}

impl<'a> Borrow<dyn Placed + 'a> for InstanceKey {
    fn borrow(&self) -> &(dyn Placed + 'a) {
        self
    }
}

/// The instances from the first of a namespace on.
pub(super) fn from<'a>(
    instances: &'a BTreeMap<InstanceKey, Instance>,
    namespace: &str,
) -> impl Iterator<Item = (&'a InstanceKey, &'a Instance)> + use<'a> {
    instances.range::<dyn Placed, _>(placed::from(&(namespace, "", "", 0)))
}

/// A controller and everything that tells how it was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Unique id of the workload; empty when only its pods are visible.
    pub uid: String,
    /// How sure the detection is.
    pub certainty: Certainty,
    /// Image as written.
    pub image: String,
    /// Version of the controller, when the image's tag or a FluxInstance tells.
    pub version: Option<Version>,
    /// Who installed it.
    pub installer: Installer,
    /// Shard, when it is one.
    pub shard: Option<String>,
    /// `spec.replicas` is 0, or nothing runs.
    pub inactive: bool,
    /// ServiceAccount of the controller.
    pub service_account: String,
    /// Environment variables that carry an identity of a cloud.
    pub cloud_environment: Option<String>,
    /// The first environment variable that carries a key for decryption.
    pub decryption_key: Option<String>,
    /// Whether variables come from a Secret or a ConfigMap as a whole.
    pub has_unread_environment: bool,
    /// The command lines: the template's first, then each pod's.
    pub launches: Vec<Launch>,
    /// What each of them watches, or why that cannot be read.
    pub lanes: Vec<Result<Lane, Missing>>,
}

/// One command line of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// Where it was read.
    pub source: LaunchSource,
    /// Name of the container.
    pub container: String,
    /// Image as written.
    pub image: String,
    /// What the controller makes of its arguments.
    pub evaluation: Evaluation,
    /// What NetworkPolicies make of its pod.
    pub network: PodNetwork,
    /// The container itself.
    pub definition: Container,
    /// Names of the pod's containers that run no Flux controller.
    pub companions: Vec<String>,
    /// What else the pod is made of.
    pub surroundings: Surroundings,
    /// Where the pod may run.
    pub scheduling: Scheduling,
}

/// Where a command line was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LaunchSource {
    /// The workload's template: the intent.
    Template,
    /// A pod: the evidence.
    Pod {
        /// Name of the pod.
        name: String,
        /// How far it is.
        phase: Phase,
        /// Its node; empty as long as it has none.
        node: Box<str>,
    },
}

impl Instance {
    /// The command lines that count: what runs, or what would run when nothing does.
    ///
    /// The template counts always, because the next pod is made from it.
    pub fn decisive(&self) -> impl Iterator<Item = &Launch> {
        self.launches.iter()
    }

    /// The nodes that its pods run on.
    pub fn nodes(&self) -> impl Iterator<Item = &str> {
        let nodes = self.launches.iter().map(|launch| match &launch.source {
            LaunchSource::Template => "",
            LaunchSource::Pod { node, .. } => node,
        });
        nodes.filter(|node| !node.is_empty())
    }

    /// Name of its ServiceAccount.
    #[must_use]
    pub fn account(&self) -> &str {
        match self.service_account.as_str() {
            "" => "default",
            name => name,
        }
    }

    /// Why it cannot be judged: only some traces of Flux were found.
    pub(crate) fn doubt(&self, key: &InstanceKey) -> Option<Missing> {
        if self.certainty == Certainty::Accepted {
            return None;
        }
        let message = format!(
            "{key} has some traces of {}, not enough to be sure",
            key.component
        );
        Some(Missing::new("PossiblyFlux", message))
    }

    /// What findings and Events tell of the workload.
    pub(super) fn origin(&self) -> Origin {
        Origin {
            uid: self.uid.as_str().into(),
            ..Origin::default()
        }
    }
}

/// The tables that instances are derived from.
pub(super) struct Tables<'a> {
    pub(super) deployments: &'a Table<Workload>,
    pub(super) stateful_sets: &'a Table<Workload>,
    pub(super) pods: &'a Table<PodRow>,
    pub(super) placement: &'a placement::Index,
    pub(super) leases: &'a Table<LeaseRow>,
    pub(super) installations: &'a Table<<FluxInstance as Kind>::Row>,
}

/// The namespace whose instances a change may touch; of pods, the index over them tells which do.
pub(super) fn touched_namespace(changed: &Changed) -> Option<Arc<str>> {
    let Changed::Object(kind, key) = changed else {
        return None;
    };
    // flux-operator says the versions of images that are pinned by digest alone.
    let relevant = [
        id_of::<kinds::workload::Deployment>(),
        id_of::<kinds::workload::StatefulSet>(),
        id_of::<kinds::lease::Lease>(),
        id_of::<FluxInstance>(),
    ];
    relevant.contains(kind).then(|| key.namespace.clone())
}

/// A pod that may run a controller: its name, its node, and what it is made of.
type Pod<'a> = (&'a ObjectKey, &'a str, &'a pod::Candidate);
type PodsByWorkload<'a> = BTreeMap<(&'a str, &'a str), Vec<Pod<'a>>>;

impl<'a> Tables<'a> {
    /// The pods of a namespace that may run a controller.
    fn candidates(&self, namespace: &'a str) -> impl Iterator<Item = Pod<'a>> {
        let (index, pods) = (self.placement, self.pods);
        index.candidates(namespace).filter_map(move |key| {
            let row = pods.get(key)?;
            Some((key, &*row.node, row.candidate.as_deref()?))
        })
    }
}

/// The instances of one namespace.
pub(super) fn derive<'a>(tables: &Tables<'a>, namespace: &'a str) -> BTreeMap<InstanceKey, Instance> {
    let mut pods: PodsByWorkload<'_> = BTreeMap::new();
    for pod in tables.candidates(namespace) {
        let (_, _, candidate) = pod;
        pods.entry((&candidate.workload.0, &candidate.workload.1))
            .or_default()
            .push(pod);
    }
    let leases: Vec<LeaseHolder<'_>> = tables
        .leases
        .in_namespace(namespace)
        .map(|(key, lease)| LeaseHolder {
            name: &key.name,
            holder: &lease.holder,
        })
        .collect();
    let installations = tables.installations.in_namespace(namespace);
    let shipped: Vec<&Shipped> = installations
        .flat_map(|(_, row)| &row.status.components)
        .collect();
    let deployments = tables
        .deployments
        .in_namespace(namespace)
        .map(|row| ("Deployment", row));
    let stateful_sets = tables
        .stateful_sets
        .in_namespace(namespace)
        .map(|row| ("StatefulSet", row));

    let mut instances = BTreeMap::new();
    for (kind, (key, workload)) in deployments.chain(stateful_sets) {
        let pods = pods.remove(&(kind, &*key.name)).unwrap_or_default();
        let group = Group {
            namespace,
            kind,
            name: &key.name,
            workload: Some(workload),
            pods,
            leases: &leases,
            shipped: &shipped,
        };
        instances.extend(group.instances());
    }
    // Pods whose workload is of another kind or may not be read are evidence all the same.
    for ((kind, name), pods) in pods {
        let group = Group {
            namespace,
            kind,
            name,
            workload: None,
            pods,
            leases: &leases,
            shipped: &shipped,
        };
        instances.extend(group.instances());
    }
    instances
}

/// A template or a pod, with the pod's name.
type Started<'a> = (LaunchSource, Option<&'a str>, &'a PodShape, &'a Scheduling);

/// A workload with its pods.
struct Group<'a> {
    namespace: &'a str,
    kind: &'a str,
    name: &'a str,
    workload: Option<&'a Workload>,
    pods: Vec<Pod<'a>>,
    leases: &'a [LeaseHolder<'a>],
    shipped: &'a [&'a Shipped],
}

impl Group<'_> {
    fn instances(&self) -> BTreeMap<InstanceKey, Instance> {
        let shapes = self.shapes();
        let mut best: BTreeMap<Component, Detection> = BTreeMap::new();
        for detection in shapes.flat_map(|shape| self.detect(shape)) {
            let better = best
                .get(&detection.component)
                .is_none_or(|known| known.score < detection.score);
            if better {
                best.insert(detection.component, detection);
            }
        }
        let several = best.len() > 1;
        best.into_values()
            .map(|detection| self.instance(&detection, several))
            .collect()
    }

    /// What the tag of an image says, or else what flux-operator says of its digest.
    fn version(&self, image: &str) -> Option<Version> {
        let reference = ImageRef::parse(image);
        reference.version().or_else(|| {
            let digest = reference.digest?;
            let shipped = self.shipped.iter().find(|it| it.digest.as_str() == digest)?;
            image::version_of_tag(shipped.tag.as_str())
        })
    }

    /// The template and the pods.
    fn shapes(&self) -> impl Iterator<Item = &PodShape> {
        let template = self.workload.map(|workload| &workload.template).into_iter();
        template.chain(self.pods.iter().map(|(.., pod)| &pod.shape))
    }

    fn detect(&self, shape: &PodShape) -> Vec<Detection> {
        let no_labels = BTreeMap::new();
        let pod_names: Vec<&str> = self.pods.iter().map(|(key, ..)| &*key.name).collect();
        detect::detect(&Candidate {
            namespace: self.namespace,
            workload_name: self.name,
            workload_labels: self.workload.map_or(&no_labels, |workload| &workload.labels),
            shape,
            leases: self.leases,
            pod_names: &pod_names,
        })
    }

    fn instance(&self, detection: &Detection, several: bool) -> (InstanceKey, Instance) {
        let component = detection.component;
        let launches = self.launches(component);
        let image = launches
            .last()
            .map(|launch| launch.image.clone())
            .unwrap_or_default();
        let shape = self
            .workload
            .map(|workload| &workload.template)
            .or(self.pods.first().map(|(.., pod)| &pod.shape));
        let replicas = self.workload.map_or(1, |workload| workload.replicas);
        let running = self.pods.iter().any(|(.., pod)| pod.phase != Phase::NotRunning);
        let key = InstanceKey {
            namespace: self.namespace.into(),
            kind: self.kind.into(),
            name: self.name.into(),
            component,
        };
        let version = self.version(&image);
        let lane = |launch: &Launch| lane::of(&key, version.as_ref(), &launch.evaluation, &launch.definition);
        let instance = Instance {
            lanes: launches.iter().map(lane).collect(),
            uid: self
                .workload
                .map(|workload| workload.uid.clone())
                .unwrap_or_default(),
            certainty: detection.certainty,
            version,
            installer: self.installer(several, &image),
            shard: self.shard(component),
            inactive: replicas == 0 || (!running && !self.pods.is_empty()),
            service_account: shape
                .map(|shape| shape.service_account.clone())
                .unwrap_or_default(),
            decryption_key: self.shapes().find_map(decryption_key),
            has_unread_environment: self.shapes().any(has_unread_environment),
            cloud_environment: shape.and_then(|shape| cloud_environment(shape, component)),
            image,
            launches,
        };
        (key, instance)
    }

    fn launches(&self, component: Component) -> Vec<Launch> {
        let template = self.workload.map(|workload| {
            let Workload {
                template, scheduling, ..
            } = workload;
            (LaunchSource::Template, None, template, scheduling)
        });
        let pods = self.pods.iter().map(|(key, node, pod)| {
            let source = LaunchSource::Pod {
                name: key.name.to_string(),
                phase: pod.phase,
                node: (*node).into(),
            };
            (source, Some(&*key.name), &pod.shape, &pod.scheduling)
        });
        let launch = |(source, pod_name, shape, scheduling): Started<'_>| {
            let detections = self.detect(shape);
            let found = detections
                .iter()
                .find(|detection| detection.component == component)?;
            let container = shape.containers.get(found.container)?;
            let version = self.version(&container.image);
            let evaluation = command_line::evaluate(&CommandLine {
                component,
                version: version.as_ref(),
                container,
                pod_namespace: self.namespace,
                pod_name,
            });
            Some(Launch {
                source,
                container: container.name.clone(),
                image: container.image.clone(),
                evaluation,
                network: PodNetwork::of(shape),
                definition: container.clone(),
                companions: companions(shape, &detections),
                surroundings: shape.surroundings.clone(),
                scheduling: scheduling.clone(),
            })
        };
        template.into_iter().chain(pods).filter_map(launch).collect()
    }

    fn installer(&self, several: bool, image: &str) -> Installer {
        let none = BTreeMap::new();
        installer::installer(&installer::Traces {
            labels: self.workload.map_or(&none, |workload| &workload.labels),
            annotations: self.workload.map_or(&none, |workload| &workload.annotations),
            images: &[image],
            crd_labels: None,
            neighbours: &[],
            several_controllers: several,
        })
    }

    fn shard(&self, component: Component) -> Option<String> {
        let workload = self.workload?;
        installer::shard(
            &workload.annotations,
            &workload.template.labels,
            self.name,
            component,
        )
        .map(str::to_owned)
    }
}

/// The containers in which no controller was found.
fn companions(shape: &PodShape, detections: &[Detection]) -> Vec<String> {
    let containers = shape.containers.iter().enumerate();
    let is_controller = |at: usize| detections.iter().any(|detection| detection.container == at);
    containers
        .filter(|(at, _)| !is_controller(*at))
        .map(|(_, container)| container.name.clone())
        .collect()
}

/// The first environment variable of the controller that carries an identity of a cloud (flux-facts 2.4).
fn cloud_environment(shape: &PodShape, _component: Component) -> Option<String> {
    const NAMES: [&str; 9] = [
        "AWS_ROLE_ARN",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_ACCESS_KEY_ID",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AZURE_CLIENT_ID",
        "AZURE_CLIENT_SECRET",
        "AZURE_FEDERATED_TOKEN_FILE",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "VAULT_TOKEN",
    ];
    let variables = shape.containers.iter().flat_map(|container| &container.env);
    let carries = |name: &str, source: &EnvSource| {
        NAMES.contains(&name) && *source != EnvSource::Literal(String::new())
    };
    variables
        .into_iter()
        .find(|variable| carries(&variable.name, &variable.source))
        .map(|v| v.name.clone())
}

/// The first environment variable that gives SOPS a key of its own (flux-facts 2.4).
fn decryption_key(shape: &PodShape) -> Option<String> {
    const NAMES: [&str; 6] = [
        "SOPS_AGE_KEY",
        "SOPS_AGE_KEY_FILE",
        "SOPS_AGE_KEY_CMD",
        "SOPS_AGE_SSH_PRIVATE_KEY_FILE",
        "SOPS_AGE_SSH_PRIVATE_KEY_CMD",
        "VAULT_TOKEN",
    ];
    let mut variables = shape.containers.iter().flat_map(|container| &container.env);
    let carries = |variable: &&EnvVar| {
        NAMES.contains(&&*variable.name) && variable.source != EnvSource::Literal(String::new())
    };
    variables.find(carries).map(|variable| variable.name.clone())
}

fn has_unread_environment(shape: &PodShape) -> bool {
    shape.containers.iter().any(|container| container.has_env_from)
}
