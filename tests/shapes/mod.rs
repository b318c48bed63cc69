//! What each installer puts into a cluster: as much of it as detection and controls read, written by hand.
//!
//! An installer's manifests are a template here. What a release, an option or a patch changes about them is a function, so
//! that two shapes differ by what their installers do differently.
#![allow(clippy::unwrap_used)]
#![allow(dead_code, reason = "each test binary uses its own part")]

use flux_security_operator::flux::Component::{
    self, Helm, ImageAutomation, ImageReflector, Kustomize, Notification, Source, SourceWatcher,
};
use flux_security_operator::flux::distribution::{Release, Shipped, releases};
use serde_json::{Value, json};

/// A cluster with Flux in it.
#[derive(Clone)]
pub(crate) struct Shape {
    /// What the installer applies.
    pub(crate) installed: Vec<Value>,
    /// What is there besides.
    pub(crate) around: Vec<Value>,
    /// What admission makes of a pod.
    admit: fn(&mut Value),
}

/// The release that renderings of the installers are at hand of.
pub(crate) const RELEASE: &str = "2.9.4";
const SHARD_KEY: &str = "sharding.fluxcd.io/key";
const DEFAULT: [Component; 4] = [Source, Kustomize, Helm, Notification];
const CHART: [Component; 6] = [
    Source,
    Kustomize,
    Helm,
    Notification,
    ImageReflector,
    ImageAutomation,
];
/// Those that the documentation locks down: source-watcher is not among them.
pub(crate) const REFERRING: [Component; 5] = [Kustomize, Helm, Notification, ImageReflector, ImageAutomation];

/// The newest listed release of each minor whose controllers are known, the oldest first.
pub(crate) fn minors() -> Vec<&'static Release> {
    let mut minors: Vec<&Release> = Vec::new();
    for release in releases().iter().filter(|release| is_known(release)) {
        minors.retain(|known| known.flux.minor != release.flux.minor);
        minors.push(release);
    }
    minors
}

fn is_known(release: &Release) -> bool {
    !release.components.contains(&Shipped::Unknown)
}

/// `flux bootstrap` of a release with every controller that it has.
pub(crate) fn bootstrap(flux: &str) -> Shape {
    let minor = release(flux).flux.minor;
    let mut shape = Shape::of(include_str!("bootstrap.yaml"), flux, &Component::ALL);
    shape.around.extend(documents(include_str!("sync.yaml")));
    if minor < 3 {
        shape = shape.each_container(&Component::ALL, |container| {
            drop_where(&mut container["env"], |variable| variable["name"] == "GOMEMLIMIT");
        });
    }
    if minor < 7 {
        // Before, pods had one label.
        shape = shape.each(&Component::ALL, |controller| {
            let app = controller["metadata"]["name"].clone();
            controller["spec"]["template"]["metadata"]["labels"] = json!({"app": app});
        });
    } else {
        shape = shape.args(&[Kustomize, Helm], &["--feature-gates=ExternalArtifact=true"]);
    }
    if !(6..10).contains(&minor) {
        shape = shape.without_tokens();
    }
    if is_before(flux, "2.9.4") {
        for policy in &mut shape.installed {
            if policy["metadata"]["name"] == "allow-webhooks" {
                policy["spec"]["ingress"] = json!([{"from": [{"namespaceSelector": {}}]}]);
            }
        }
    }
    shape
}

/// The patches of the documentation of multi-tenancy, where somebody is told of failures.
pub(crate) fn locked_down() -> Shape {
    bootstrap(RELEASE)
        .alerted()
        .args(&REFERRING, &["--no-cross-namespace-refs=true"])
        .args(&[Kustomize], &["--no-remote-bases=true"])
        .args(&[Kustomize, Helm], &["--default-service-account=default"])
        .synced_as("kustomize-controller")
}

/// The patches of the documentation of sharding, on nodes of Flux's own.
pub(crate) fn shards() -> Shape {
    bootstrap(RELEASE)
        .sharded(&[Source, Kustomize, Helm], &["shard1", "shard2"])
        .on_own_nodes()
}

/// Controllers that somebody copied into a tenant's namespace, as the document advised once; the copy of helm-controller
/// has lost its variable.
pub(crate) fn hand_made() -> Shape {
    let mut shape = bootstrap(RELEASE);
    for component in [Kustomize, Helm] {
        let mut copy = shape.controller(component).clone();
        copy["metadata"]["namespace"] = json!("team-a");
        copy["metadata"]["labels"] = json!({"app.kubernetes.io/component": component.name()});
        arguments(&mut copy).push(json!("--watch-all-namespaces=false"));
        if component == Helm {
            container(&mut copy)["env"] = json!([]);
        }
        shape.around.push(copy);
    }
    shape
}

/// A FluxInstance that says nothing but its version.
pub(crate) fn flux_instance() -> Shape {
    instance_of(&DEFAULT).identity(false)
}

/// `spec.cluster.multitenant`.
pub(crate) fn flux_instance_multitenant() -> Shape {
    instance_of(&Component::ALL)
        .multitenant("default")
        .identity(false)
}

/// `spec.cluster.objectLevelWorkloadIdentity` and `multitenantWorkloadIdentity`.
pub(crate) fn flux_instance_workload_identity() -> Shape {
    instance_of(&Component::ALL).identity(true)
}

/// `spec.cluster.size: medium`, on nodes that everybody shares.
pub(crate) fn flux_instance_sized() -> Shape {
    instance_of(&DEFAULT).medium().identity(false).on_shared_nodes()
}

/// `spec.sharding` in the strictest instance that there is.
pub(crate) fn flux_instance_sharded() -> Shape {
    let shape = instance_of(&Component::ALL)
        .medium()
        .multitenant("flux-tenant")
        .identity(true);
    let sharded = [
        Source,
        Kustomize,
        Helm,
        ImageReflector,
        ImageAutomation,
        SourceWatcher,
    ];
    shape.sharded(&sharded, &["shard1", "shard2"])
}

/// `spec.cluster.type: openshift`: what the template leaves out, admission fills in.
pub(crate) fn flux_instance_openshift() -> Shape {
    let mut shape = instance_of(&DEFAULT)
        .identity(false)
        .each(&DEFAULT, |controller| {
            drop_key(&mut controller["spec"]["template"]["spec"], "securityContext");
        })
        .each_container(&DEFAULT, |container| {
            drop_key(&mut container["securityContext"], "seccompProfile");
            drop_key(&mut container["securityContext"], "runAsNonRoot");
        });
    for object in &mut shape.installed {
        if object["kind"] == "Namespace" {
            object["metadata"]["labels"] = json!({"app.kubernetes.io/part-of": "flux"});
        }
    }
    shape.admit = |pod| {
        let context = &mut pod["spec"]["containers"][0]["securityContext"];
        context["runAsNonRoot"] = json!(true);
        context["runAsUser"] = json!(1_000_680_000);
        pod["spec"]["securityContext"] = json!({"seccompProfile": {"type": "RuntimeDefault"}});
    };
    shape
}

/// The community chart.
pub(crate) fn chart() -> Shape {
    let mut shape = Shape::of(include_str!("chart.yaml"), "2.8.5", &CHART);
    // Helm makes the namespace, and labels nothing.
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "flux-system"}});
    shape.around.push(namespace);
    shape
}

/// The community chart with `multitenancy.enabled`, and a tenant whose Receivers are open to anybody.
pub(crate) fn chart_multitenant() -> Shape {
    chart()
        .besides(include_str!("receivers.yaml"))
        .args(&REFERRING, &["--no-cross-namespace-refs=true"])
        .args(&[Kustomize, Helm], &["--default-service-account=default"])
}

/// The extension of AKS, which locks tenants in unless told otherwise.
pub(crate) fn aks() -> Shape {
    Shape::of(include_str!("aks.yaml"), "2.6.4", &CHART)
        .args(&REFERRING, &["--no-cross-namespace-refs=true"])
        .args(&[Kustomize, Helm], &["--default-service-account=flux-applier"])
}

/// flux-aio with its profile for several tenants.
pub(crate) fn all_in_one() -> Shape {
    let mut shape = Shape::of(include_str!("all-in-one.yaml"), RELEASE, &[]);
    shape.around.extend(documents(include_str!("sync.yaml")));
    shape.synced_as("flux")
}

/// What flux-operator makes of upstream's manifests.
fn instance_of(controllers: &[Component]) -> Shape {
    const DIGEST: &str = "sha256:0f3a6e2b9c4d8f7a1b5c3e9d7f2a4b6c8d0e1f3a5b7c9d2e4f6a8b0c1d3e5f7a";
    let mut shape = Shape::of(include_str!("bootstrap.yaml"), RELEASE, controllers);
    shape.around.extend(documents(include_str!("sync.yaml")));
    shape.around.extend(documents(include_str!("flux-operator.yaml")));
    for object in &mut shape.installed {
        let labels = &mut object["metadata"]["labels"];
        labels["app.kubernetes.io/managed-by"] = json!("flux-operator");
        labels["fluxcd.controlplane.io/name"] = json!("flux");
        labels["fluxcd.controlplane.io/namespace"] = json!("flux-system");
        drop_key(labels, "kustomize.toolkit.fluxcd.io/name");
        drop_key(labels, "kustomize.toolkit.fluxcd.io/namespace");
        object["metadata"]["annotations"]["kustomize.toolkit.fluxcd.io/ssa"] = json!("Ignore");
        object["metadata"]["annotations"]["kustomize.toolkit.fluxcd.io/prune"] = json!("Disabled");
        if object["metadata"]["name"] == "crd-controller-flux-system" && object["kind"] == "ClusterRole" {
            let own = json!({"apiGroups": ["fluxcd.controlplane.io"], "resources": ["*"], "verbs": ["*"]});
            object["rules"].as_array_mut().unwrap().push(own);
        }
    }
    let shape = shape.each_container(controllers, |container| {
        let image = container["image"].as_str().unwrap();
        container["image"] = json!(format!("{image}@{DIGEST}"));
    });
    if controllers.contains(&SourceWatcher) {
        return shape.args(&[Kustomize, Helm], &["--feature-gates=ExternalArtifact=true"]);
    }
    shape
}

impl Shape {
    /// The documents of a template, and what every cluster has.
    fn of(template: &str, flux: &str, controllers: &[Component]) -> Self {
        let release = release(flux);
        let mut installed = Vec::new();
        for document in documents(template) {
            let text = document.to_string().replace("<release>", flux);
            if !text.contains("<controller>") {
                installed.push(serde_json::from_str(&text).unwrap());
                continue;
            }
            for component in controllers {
                let Some(version) = version(release, *component) else {
                    continue;
                };
                let text = text
                    .replace("<controller>", component.name())
                    .replace("<version>", &version);
                installed.push(particular(serde_json::from_str(&text).unwrap(), *component));
            }
        }
        Self {
            installed,
            around: documents(include_str!("cluster.yaml")),
            admit: |_| {},
        }
    }

    /// Everything, with the pods that the workloads have.
    pub(crate) fn objects(&self) -> Vec<Value> {
        let all = || self.installed.iter().chain(&self.around);
        let workloads = all().filter(|object| object["kind"] == "Deployment");
        let pods = workloads.map(|workload| {
            let mut pod = pod_of(workload);
            (self.admit)(&mut pod);
            pod
        });
        all().cloned().chain(pods).collect()
    }

    fn controller(&self, component: Component) -> &Value {
        let mut controllers = self.installed.iter().filter(|object| is(object, component));
        controllers.next().unwrap()
    }

    /// Changes the Deployments of these controllers, where there are such.
    fn each(mut self, components: &[Component], change: impl Fn(&mut Value)) -> Self {
        for object in &mut self.installed {
            if components.iter().any(|component| is(object, *component)) {
                change(object);
            }
        }
        self
    }

    fn each_container(self, components: &[Component], change: impl Fn(&mut Value)) -> Self {
        self.each(components, |controller| change(container(controller)))
    }

    /// Appends arguments, as patches do.
    fn args(self, components: &[Component], more: &[&str]) -> Self {
        self.each(components, |controller| {
            arguments(controller).extend(more.iter().map(|argument| json!(argument)));
        })
    }

    /// Takes the right to create tokens out of the controllers' role.
    fn without_tokens(mut self) -> Self {
        for role in self.installed.iter_mut().filter(|it| it["kind"] == "ClusterRole") {
            drop_where(&mut role["rules"], |rule| {
                rule["resources"] == json!(["serviceaccounts/token"])
            });
        }
        self
    }

    /// With more objects that no installer made.
    fn besides(mut self, yaml: &str) -> Self {
        self.around.extend(documents(yaml));
        self
    }

    /// Somebody is told of the root's failures.
    fn alerted(self) -> Self {
        self.besides(include_str!("alerts.yaml"))
    }

    /// Everybody runs where there is room.
    fn on_shared_nodes(self) -> Self {
        let mut shape = self.besides(include_str!("nodes.yaml"));
        shape.admit = |pod| pod["spec"]["nodeName"] = json!("worker-1");
        shape
    }

    /// What the document advises for nodes: Flux has its own, and the tenant a sandbox and no privileged pods.
    fn on_own_nodes(self) -> Self {
        let mut shape = self
            .besides(include_str!("nodes.yaml"))
            .besides(include_str!("pool.yaml"));
        for workload in shape.installed.iter_mut().filter(|it| it["kind"] == "Deployment") {
            let pod = &mut workload["spec"]["template"]["spec"];
            pod["nodeSelector"] = json!({"pool": "flux"});
            pod["tolerations"] = json!([{"key": "pool", "value": "flux", "effect": "NoSchedule"}]);
        }
        for object in &mut shape.around {
            if object["kind"] == "Deployment" {
                object["spec"]["template"]["spec"]["runtimeClassName"] = json!("sandbox");
            }
            if object["kind"] == "Namespace" && object["metadata"]["name"] == "team-a" {
                object["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] = json!("baseline");
            }
        }
        shape.admit = |pod| {
            let is_flux = pod["metadata"]["namespace"] == "flux-system";
            pod["spec"]["nodeName"] = json!(if is_flux { "flux-1" } else { "worker-1" });
        };
        shape
    }

    fn synced_as(mut self, account: &str) -> Self {
        for object in &mut self.around {
            if object["kind"] == "Kustomization" && object["metadata"]["namespace"] == "flux-system" {
                object["spec"]["serviceAccountName"] = json!(account);
            }
        }
        self
    }

    /// A copy of each controller for each shard; what is left is the first ones'.
    fn sharded(mut self, components: &[Component], shards: &[&str]) -> Self {
        let shard = |main: &Value, name: &str| {
            let mut shard = main.clone();
            let full = format!("{}-{name}", main["metadata"]["name"].as_str().unwrap());
            shard["metadata"]["name"] = json!(full);
            shard["metadata"]["annotations"]["sharding.fluxcd.io/role"] = json!("shard");
            shard["spec"]["template"]["metadata"]["labels"]["app"] = json!(full);
            let args = arguments(&mut shard);
            if args
                .iter()
                .any(|it| it.as_str().unwrap().starts_with("--storage-adv-addr"))
            {
                args.push(json!(format!(
                    "--storage-adv-addr={full}.$(RUNTIME_NAMESPACE).svc.cluster.local."
                )));
            }
            args.push(json!(format!("--watch-label-selector={SHARD_KEY}={name}")));
            shard
        };
        let is_main = |object: &&Value| components.iter().any(|component| is(object, *component));
        let mains = self.installed.iter().filter(is_main);
        let copies: Vec<Value> = mains
            .flat_map(|main| shards.iter().map(|name| shard(main, name)))
            .collect();
        self = self.args(
            components,
            &[format!("--watch-label-selector=!{SHARD_KEY}").as_str()],
        );
        self.installed.extend(copies);
        self
    }
}

/// Options of a FluxInstance.
impl Shape {
    fn multitenant(self, account: &str) -> Self {
        let referring = [&REFERRING[..], &[SourceWatcher]].concat();
        self.args(&referring, &["--no-cross-namespace-refs=true"])
            .args(&[Kustomize], &["--no-remote-bases=true"])
            .args(
                &[Kustomize, Helm],
                &[format!("--default-service-account={account}").as_str()],
            )
            .synced_as("kustomize-controller")
    }

    /// The gate is written whatever it is. With it come the accounts, without it goes the right that it needs.
    fn identity(self, on: bool) -> Self {
        let gate = format!("--feature-gates=ObjectLevelWorkloadIdentity={on}");
        let shape = self.args(&CHART, &[&gate]);
        if !on {
            return shape.without_tokens();
        }
        shape
            .args(
                &[Source, Notification, ImageReflector, ImageAutomation],
                &["--default-service-account=default"],
            )
            .args(&[Kustomize], &["--default-decryption-service-account=default"])
            .args(
                &[Kustomize, Helm],
                &["--default-kubeconfig-service-account=default"],
            )
    }

    fn medium(self) -> Self {
        let shape = self
            .args(
                &[Kustomize, Helm],
                &["--concurrent=10", "--requeue-dependency=5s"],
            )
            .args(&[Source], &["--concurrent=5", "--helm-cache-max-size=50"]);
        shape.each(&Component::ALL, |controller| {
            controller["metadata"]["annotations"]["fluxcd.controlplane.io/profile"] = json!("medium");
        })
    }
}

/// What upstream's manifests of a controller have, and those of the others have not.
fn particular(mut object: Value, component: Component) -> Value {
    if object["kind"] != "Deployment" {
        return object;
    }
    let pod = &mut object["spec"]["template"]["spec"];
    match component {
        Helm => pod["terminationGracePeriodSeconds"] = json!(600),
        Kustomize => pod["terminationGracePeriodSeconds"] = json!(60),
        Notification | ImageReflector | ImageAutomation => drop_key(pod, "priorityClassName"),
        Source | SourceWatcher | Component::FluxOperator => {}
    }
    let container = container(&mut object);
    if component == Notification {
        drop_where(&mut container["args"], |it| {
            it.as_str().unwrap().starts_with("--events-addr")
        });
        push(
            &mut container["ports"],
            json!({"name": "http", "containerPort": 9090}),
        );
        push(
            &mut container["ports"],
            json!({"name": "http-webhook", "containerPort": 9292}),
        );
    }
    if matches!(component, Source | SourceWatcher) {
        push(
            &mut container["ports"],
            json!({"name": "http", "containerPort": 9090}),
        );
        push(&mut container["args"], json!("--storage-path=/data"));
        let address = format!("--storage-adv-addr={component}.$(RUNTIME_NAMESPACE).svc.cluster.local.");
        push(&mut container["args"], json!(address));
    }
    if component == Source {
        push(
            &mut container["env"],
            json!({"name": "TUF_ROOT", "value": "/tmp/.sigstore"}),
        );
    }
    object
}

/// The running pod of a Deployment.
pub(crate) fn pod_of(workload: &Value) -> Value {
    let name = workload["metadata"]["name"].as_str().unwrap();
    let template = &workload["spec"]["template"];
    let mut labels = template["metadata"]["labels"].clone();
    labels["pod-template-hash"] = json!("5c8d");
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": format!("{name}-5c8d-x7k2p"), "namespace": workload["metadata"]["namespace"], "labels": labels,
            "ownerReferences": [{"kind": "ReplicaSet", "name": format!("{name}-5c8d"), "controller": true}],
        },
        "spec": template["spec"],
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
    })
}

/// The objects of a file; comments before them are none.
pub(crate) fn documents(yaml: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(yaml).unwrap()
}

fn release(flux: &str) -> &'static Release {
    let mut releases = releases().iter();
    releases.find(|release| release.flux.to_string() == flux).unwrap()
}

/// The version that a release ships; of one that is known by its minor only, the first.
fn version(release: &Release, component: Component) -> Option<String> {
    match release.component(component) {
        Shipped::Exact(version) => Some(version.to_string()),
        Shipped::Minor(major, minor) => Some(format!("{major}.{minor}.0")),
        Shipped::Absent | Shipped::Unknown => None,
    }
}

fn is_before(flux: &str, other: &str) -> bool {
    release(flux).flux < release(other).flux
}

/// Whether an object is the Deployment of a controller, and no shard of it.
fn is(object: &Value, component: Component) -> bool {
    object["kind"] == "Deployment" && object["metadata"]["name"] == component.name()
}

fn container(workload: &mut Value) -> &mut Value {
    &mut workload["spec"]["template"]["spec"]["containers"][0]
}

fn arguments(workload: &mut Value) -> &mut Vec<Value> {
    container(workload)["args"].as_array_mut().unwrap()
}

fn push(list: &mut Value, item: Value) {
    list.as_array_mut().unwrap().push(item);
}

fn drop_where(list: &mut Value, is_dropped: impl Fn(&Value) -> bool) {
    list.as_array_mut().unwrap().retain(|item| !is_dropped(item));
}

fn drop_key(map: &mut Value, key: &str) {
    if let Some(map) = map.as_object_mut() {
        map.remove(key);
    }
}
