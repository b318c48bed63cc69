//! Which containers of a workload are Flux controllers, or flux-operator.
//!
//! Installers, mirrors and users rename almost everything, so no single trace decides. Each trace is a
//! [`Signal`] worth some points (flux-facts 3.3), and four points from two independent families make a
//! controller.
//!
//! **Names are one family.** Image, command, labels, workload, ServiceAccount and container of one program
//! are called alike because one author called them so. The helm-controller of k3s and RKE2
//! (`rancher/helm-controller`) scores eleven points on names alone and is no Flux controller. A container is
//! therefore accepted only if something other than a name also speaks for Flux: its flags,
//! `RUNTIME_NAMESPACE`, the label `part-of: flux`, an image filed under Flux, or a leader election lease that
//! the workload holds.
//!
//! The other signals tell that something is Flux, but only names and leases tell which controller it is.
//! Agents such as AKS' `fluxconfig-agent` carry Flux labels and no controller's name: they yield nothing.
//! flux-operator is found in the same way, but it is no controller: see [`Component::FluxOperator`].

use std::{collections::BTreeMap, fmt};

use super::{
    component::Component,
    container::{Container, PodShape},
    image::{ImageRef, component_named, without_flux_prefix},
};

/// Points from which a container is accepted.
const ACCEPTED_POINTS: u32 = 4;
/// Points from which a container is reported at all.
const POSSIBLE_POINTS: u32 = 2;
/// Flags that Flux controllers are started with; two of them are a fingerprint.
const FINGERPRINT: [&str; 4] = [
    "--events-addr",
    "--watch-all-namespaces",
    "--enable-leader-election",
    "--storage-adv-addr",
];
const OPERATOR: &str = Component::FluxOperator.name();
/// Programs that start the program named after them; the image of kustomize-controller uses `tini`.
const INIT_PROGRAMS: [&str; 2] = ["tini", "dumb-init"];
/// Images that are known to be another project's controller of the same name.
const LOOK_ALIKES: [&str; 1] = ["rancher/helm-controller"];
/// The longest hostname; the kubelet cuts longer pod names to it.
const HOSTNAME_BYTES: usize = 63;

/// What is known of a workload or a pod that may run Flux controllers.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Its namespace.
    pub namespace: &'a str,
    /// Its name; for a pod, its own or its owner's.
    pub workload_name: &'a str,
    /// Labels of the workload; for a pod without one, empty.
    pub workload_labels: &'a BTreeMap<String, String>,
    /// Its pod template, or the pod.
    pub shape: &'a PodShape,
    /// The leases of its namespace.
    pub leases: &'a [LeaseHolder<'a>],
    /// The names of its pods.
    pub pod_names: &'a [&'a str],
}

/// Who holds a leader election lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseHolder<'a> {
    /// Name of the Lease.
    pub name: &'a str,
    /// `spec.holderIdentity`: controller-runtime writes `<hostname>_<uuid>`. The hostname is the pod's name,
    /// except with `hostNetwork`, where it is the node's and the lease proves nothing.
    pub holder: &'a str,
}

/// One container that is, or may be, a Flux controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detection {
    /// Which controller.
    pub component: Component,
    /// Its index in the shape's containers.
    pub container: usize,
    /// The sum of the signals' points.
    pub score: u32,
    /// What spoke for it, in the order of [`Signal`].
    pub signals: Vec<Signal>,
    /// Whether that suffices.
    pub certainty: Certainty,
}

/// How sure a detection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Certainty {
    /// Worth a mention, not a verdict: too few points, names alone, two controllers equally likely, or
    /// nothing that tells which of several containers it is.
    Possible,
    /// A Flux controller: at least four points from at least two families, one of which is not names.
    Accepted,
}

/// One trace of a controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Signal {
    /// The image's last path segment is the controller's name.
    Image,
    /// The program that `command` starts is the controller.
    Command,
    /// The container is called like the controller.
    ContainerName,
    /// `app.kubernetes.io/component` is the controller's name.
    ComponentLabel,
    /// `app` is the controller's name, with or without a suffix; `app.kubernetes.io/name` is `flux-operator`.
    AppLabel,
    /// The workload is called like the controller, with or without a suffix.
    WorkloadName,
    /// The ServiceAccount is called like the controller.
    ServiceAccount,
    /// A pod of the workload holds the controller's leader election lease.
    Lease,
    /// Two or more of the flags that Flux controllers share.
    Flags,
    /// `RUNTIME_NAMESPACE` is set.
    RuntimeNamespace,
    /// `app.kubernetes.io/part-of` is `flux`.
    PartOfFlux,
    /// The image is filed under Flux: see [`ImageRef::names_flux`].
    FluxImage,
}

/// Signals of one family have one cause, so they confirm nothing about each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Names,
    Lease,
    Flags,
    Environment,
    Labels,
    Registry,
}

impl Signal {
    /// What the signal is worth.
    ///
    /// The points are those of flux-facts 3.3; container name, `part-of` and the image's path are not listed
    /// there and count one each, like its other supporting signals.
    #[must_use]
    pub const fn points(self) -> u32 {
        match self {
            Self::Image | Self::Command | Self::Lease => 3,
            Self::ComponentLabel | Self::AppLabel => 2,
            Self::ContainerName
            | Self::WorkloadName
            | Self::ServiceAccount
            | Self::Flags
            | Self::RuntimeNamespace
            | Self::PartOfFlux
            | Self::FluxImage => 1,
        }
    }

    const fn family(self) -> Family {
        match self {
            Self::Image
            | Self::Command
            | Self::ContainerName
            | Self::ComponentLabel
            | Self::AppLabel
            | Self::WorkloadName
            | Self::ServiceAccount => Family::Names,
            Self::Lease => Family::Lease,
            Self::Flags => Family::Flags,
            Self::RuntimeNamespace => Family::Environment,
            Self::PartOfFlux => Family::Labels,
            Self::FluxImage => Family::Registry,
        }
    }

    /// Whether the signal belongs to one container rather than to the pod or the workload.
    const fn is_of_container(self) -> bool {
        match self {
            Self::Image
            | Self::Command
            | Self::ContainerName
            | Self::Flags
            | Self::RuntimeNamespace
            | Self::FluxImage => true,
            Self::ComponentLabel
            | Self::AppLabel
            | Self::WorkloadName
            | Self::ServiceAccount
            | Self::Lease
            | Self::PartOfFlux => false,
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Image => "image name",
            Self::Command => "command",
            Self::ContainerName => "container name",
            Self::ComponentLabel => "component label",
            Self::AppLabel => "app label",
            Self::WorkloadName => "workload name",
            Self::ServiceAccount => "service account",
            Self::Lease => "leader election lease",
            Self::Flags => "Flux flags",
            Self::RuntimeNamespace => "RUNTIME_NAMESPACE",
            Self::PartOfFlux => "part-of label",
            Self::FluxImage => "image path",
        })
    }
}

/// The Flux controllers among the containers of a workload, in the order of the containers.
///
/// At most one per container. A controller that only the workload names, because image and command were
/// renamed, is attributed to the container that looks most like a Flux controller.
#[must_use]
pub fn detect(candidate: &Candidate<'_>) -> Vec<Detection> {
    let main = main_container(candidate.shape);
    let containers = candidate.shape.containers.iter().enumerate();
    containers
        .filter_map(|(index, container)| detect_one(candidate, index, container, main == index))
        .collect()
}

/// Whether anything but a lease speaks for a Flux controller. [`detect`] accepts nothing else.
///
/// Asked for every workload of a cluster: it allocates nothing.
#[must_use]
pub fn is_candidate(workload_name: &str, labels: &BTreeMap<String, String>, shape: &PodShape) -> bool {
    named_by_workload(workload_name).is_some()
        || component_named(&shape.service_account).is_some()
        || has_flux_label(labels)
        || has_flux_label(&shape.labels)
        || shape
            .containers
            .iter()
            .any(|container| own_names(container).any() || traits(container) > 0)
}

/// The best explanation of one container.
fn detect_one(
    candidate: &Candidate<'_>,
    index: usize,
    container: &Container,
    main: bool,
) -> Option<Detection> {
    let own = own_names(container);
    let mut best: Option<Detection> = None;
    for component in Component::DETECTED {
        let nominated = own.names(component) || (main && is_named_by_none(candidate.shape, component));
        let found = nominated
            .then(|| explain(candidate, index, container, component))
            .flatten();
        best = better(best, found);
    }
    best
}

/// Judges one container as one controller; `None` when too little or only another project speaks for it.
fn explain(
    candidate: &Candidate<'_>,
    index: usize,
    container: &Container,
    component: Component,
) -> Option<Detection> {
    let signals = signals(candidate, container, component);
    let only_names = signals.iter().all(|signal| signal.family() == Family::Names);
    let identified = signals
        .iter()
        .any(|signal| matches!(signal.family(), Family::Names | Family::Lease));
    let score = signals.iter().map(|signal| signal.points()).sum();
    if score < POSSIBLE_POINTS || !identified || (only_names && is_look_alike(&container.image)) {
        return None;
    }
    let certainty = certainty(score, &signals, candidate.shape.containers.len());
    Some(Detection {
        component,
        container: index,
        score,
        signals,
        certainty,
    })
}

fn certainty(score: u32, signals: &[Signal], containers: usize) -> Certainty {
    let first = signals.first().map(|signal| signal.family());
    let several_families = signals.iter().any(|signal| Some(signal.family()) != first);
    let located = containers == 1 || signals.iter().any(|signal| signal.is_of_container());
    // Only one family consists of names, so of two families one is something else.
    if score >= ACCEPTED_POINTS && several_families && located {
        return Certainty::Accepted;
    }
    Certainty::Possible
}

/// The detection with more points. Two equally likely controllers in one container are both only possible.
fn better(best: Option<Detection>, found: Option<Detection>) -> Option<Detection> {
    match (best, found) {
        (Some(best), Some(found)) if found.score > best.score => Some(found),
        (Some(best), Some(found)) if found.score == best.score => Some(Detection {
            certainty: Certainty::Possible,
            ..best
        }),
        (best, found) => best.or(found),
    }
}

fn signals(candidate: &Candidate<'_>, container: &Container, component: Component) -> Vec<Signal> {
    let labels = [candidate.workload_labels, &candidate.shape.labels];
    let own = own_names(container);
    let is_it = |found: Option<Component>| found == Some(component);
    let any_label = |read: fn(&BTreeMap<String, String>) -> Option<Component>| {
        labels.iter().any(|labels| is_it(read(labels)))
    };
    let found = [
        (Signal::Image, is_it(own.image)),
        (Signal::Command, is_it(own.command)),
        (Signal::ContainerName, is_it(own.container)),
        (Signal::ComponentLabel, any_label(component_label)),
        (Signal::AppLabel, any_label(app_label)),
        (
            Signal::WorkloadName,
            is_it(named_by_workload(candidate.workload_name)),
        ),
        (
            Signal::ServiceAccount,
            is_it(component_named(&candidate.shape.service_account)),
        ),
        (Signal::Lease, holds_lease(candidate, component)),
        (Signal::Flags, has_fingerprint(container)),
        (Signal::RuntimeNamespace, has_runtime_namespace(container)),
        (
            Signal::PartOfFlux,
            labels.iter().any(|labels| is_part_of_flux(labels)),
        ),
        (Signal::FluxImage, ImageRef::parse(&container.image).names_flux()),
    ];
    found
        .into_iter()
        .filter(|(_, present)| *present)
        .map(|(signal, _)| signal)
        .collect()
}

/// The controllers that a container itself names.
struct OwnNames {
    image: Option<Component>,
    command: Option<Component>,
    container: Option<Component>,
}

impl OwnNames {
    fn names(&self, component: Component) -> bool {
        [self.image, self.command, self.container].contains(&Some(component))
    }

    fn any(&self) -> bool {
        self.image.or(self.command).or(self.container).is_some()
    }
}

fn own_names(container: &Container) -> OwnNames {
    OwnNames {
        image: ImageRef::parse(&container.image).component(),
        command: program(container).and_then(component_named),
        container: component_named(&container.name),
    }
}

/// The program that `command` starts; `None` when the image decides.
fn program(container: &Container) -> Option<&str> {
    let first = basename(container.command.first()?);
    if !INIT_PROGRAMS.contains(&first) {
        return Some(first);
    }
    let mut rest = container.command[1..].iter().chain(&container.args);
    rest.find(|argument| !argument.starts_with('-'))
        .map(|argument| basename(argument))
}

fn basename(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The container to which names and leases of the workload apply when no container bears that name: the first
/// among those with the most traits of a Flux controller.
fn main_container(shape: &PodShape) -> usize {
    let mut best = (0, 0);
    for (index, container) in shape.containers.iter().enumerate() {
        let traits = traits(container);
        if traits > best.1 {
            best = (index, traits);
        }
    }
    best.0
}

/// How many traits that all Flux controllers share a container has.
fn traits(container: &Container) -> u32 {
    u32::from(has_fingerprint(container))
        + u32::from(has_runtime_namespace(container))
        + u32::from(ImageRef::parse(&container.image).names_flux())
}

fn is_named_by_none(shape: &PodShape, component: Component) -> bool {
    !shape
        .containers
        .iter()
        .any(|container| own_names(container).names(component))
}

fn has_fingerprint(container: &Container) -> bool {
    let has = |flag: &&&str| {
        let mut arguments = container.command.iter().chain(&container.args);
        arguments.any(|argument| is_flag(argument, flag))
    };
    FINGERPRINT.iter().filter(has).count() >= 2
}

/// Whether an argument is this flag, with or without a value.
fn is_flag(argument: &str, flag: &str) -> bool {
    argument
        .strip_prefix(flag)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
}

fn has_runtime_namespace(container: &Container) -> bool {
    container
        .env
        .iter()
        .any(|variable| variable.name == "RUNTIME_NAMESPACE")
}

fn has_flux_label(labels: &BTreeMap<String, String>) -> bool {
    is_part_of_flux(labels) || app_label(labels).is_some() || component_label(labels).is_some()
}

fn is_part_of_flux(labels: &BTreeMap<String, String>) -> bool {
    labels
        .get("app.kubernetes.io/part-of")
        .is_some_and(|value| value == "flux")
}

fn component_label(labels: &BTreeMap<String, String>) -> Option<Component> {
    Component::from_name(labels.get("app.kubernetes.io/component")?)
}

fn app_label(labels: &BTreeMap<String, String>) -> Option<Component> {
    let app = labels.get("app").and_then(|app| component_with_suffix(app));
    // Not with a suffix: its other programs are called flux-operator-….
    let name = labels.get("app.kubernetes.io/name");
    let is_operator = name.is_some_and(|name| name == OPERATOR);
    app.or_else(|| is_operator.then_some(Component::FluxOperator))
}

/// The program that a workload is called after: a controller, or flux-operator behind the name of a Helm release.
fn named_by_workload(name: &str) -> Option<Component> {
    let is_operator = || {
        let release = name.strip_suffix(OPERATOR);
        release.is_some_and(|release| release.is_empty() || release.ends_with('-'))
    };
    component_with_suffix(name).or_else(|| is_operator().then_some(Component::FluxOperator))
}

/// The controller that a name begins with: `source-controller`, `source-controller-shard1`,
/// `flux-source-controller`.
fn component_with_suffix(name: &str) -> Option<Component> {
    let name = without_flux_prefix(name);
    Component::ALL
        .into_iter()
        .find(|component| is_or_continues(name, component.name()))
}

/// Whether a name is `stem` or `stem-…`.
fn is_or_continues(name: &str, stem: &str) -> bool {
    name.strip_prefix(stem)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// Whether a pod of the workload holds `<controller>-leader-election`, or the same with the hash of a label
/// selector behind it, as shards do.
fn holds_lease(candidate: &Candidate<'_>, component: Component) -> bool {
    let mut leases = candidate
        .leases
        .iter()
        .filter(|lease| is_lease_of(lease.name, component));
    leases.any(|lease| {
        candidate
            .pod_names
            .iter()
            .any(|pod| is_held_by(lease.holder, pod))
    })
}

/// Whether a Lease of this name elects the leader of a program. flux-operator's is called like itself.
pub(crate) fn is_lease_of(lease: &str, component: Component) -> bool {
    if !component.is_controller() {
        return lease == component.name();
    }
    let rest = lease.strip_prefix(component.name());
    rest.is_some_and(|rest| is_or_continues(rest, "-leader-election"))
}

fn is_held_by(holder: &str, pod: &str) -> bool {
    let Some(rest) = holder.strip_prefix(hostname(pod)) else {
        return false;
    };
    !pod.is_empty() && (rest.is_empty() || rest.starts_with('_'))
}

/// The hostname of a pod of this name.
fn hostname(pod: &str) -> &str {
    match pod.get(..HOSTNAME_BYTES) {
        Some(cut) => cut.trim_end_matches(['-', '.']),
        None => pod,
    }
}

fn is_look_alike(image: &str) -> bool {
    let path = ImageRef::parse(image).registry_and_path;
    LOOK_ALIKES.iter().any(|look_alike| {
        path.strip_suffix(look_alike)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
    })
}
