//! Which workloads are Flux controllers, who installed them, and in which version.
//!
//! The fixtures beside this file are written by hand after what each installer is documented to do.
#![allow(clippy::unwrap_used, clippy::expect_used)]

// Helpers of tests may fail like tests; clippy.toml allows it only inside test functions.

use std::{collections::BTreeMap, fs, path::Path};

use flux_security_operator::flux::{
    Component,
    container::{Container, EnvSource, EnvVar, PodShape},
    detect::{Candidate, Certainty, Detection, LeaseHolder, Signal, detect, is_candidate},
    distribution::{
        Shipped, component_version, flux_minor_of, flux_version_of, newest, newest_flux, releases,
    },
    image::{ImageRef, component_of, version_of},
    installer::{Installer, Traces, installer, shard},
};
use semver::Version;
use serde_json::Value;

type Map = BTreeMap<String, String>;

#[derive(Default, Clone)]
struct Workload {
    namespace: String,
    name: String,
    labels: Map,
    annotations: Map,
    shape: PodShape,
}

impl Workload {
    fn detect(&self) -> Vec<Detection> {
        self.detect_with(&[], &[])
    }

    fn detect_with(&self, leases: &[LeaseHolder<'_>], pod_names: &[&str]) -> Vec<Detection> {
        let found = detect(&Candidate {
            namespace: &self.namespace,
            workload_name: &self.name,
            workload_labels: &self.labels,
            shape: &self.shape,
            leases,
            pod_names,
        });
        let accepted = found
            .iter()
            .any(|detection| detection.certainty == Certainty::Accepted);
        assert!(
            !accepted || self.is_candidate(),
            "{} is accepted, but no candidate",
            self.name
        );
        found
    }

    fn is_candidate(&self) -> bool {
        is_candidate(&self.name, &self.labels, &self.shape)
    }

    /// Container and controller of each accepted detection.
    fn accepted(&self) -> Vec<(usize, Component)> {
        let accepted = self
            .detect()
            .into_iter()
            .filter(|d| d.certainty == Certainty::Accepted);
        accepted.map(|d| (d.container, d.component)).collect()
    }

    fn installer(&self, neighbours: &[&str], crd_labels: Option<&Map>) -> Installer {
        let found = self.detect();
        let images: Vec<_> = found
            .iter()
            .map(|d| self.shape.containers[d.container].image.as_str())
            .collect();
        installer(&Traces {
            labels: &self.labels,
            annotations: &self.annotations,
            images: &images,
            crd_labels,
            neighbours,
            several_controllers: found.len() > 1,
        })
    }

    fn shard(&self, component: Component) -> Option<&str> {
        shard(&self.annotations, &self.shape.labels, &self.name, component)
    }

    fn container(&mut self) -> &mut Container {
        &mut self.shape.containers[0]
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(text).collect()
}

fn map(value: &Value) -> Map {
    let entries = value.as_object().into_iter().flatten();
    entries.map(|(key, value)| (key.clone(), text(value))).collect()
}

fn env(value: &Value) -> EnvVar {
    let field = &value["valueFrom"]["fieldRef"]["fieldPath"];
    let source = match field.as_str() {
        Some(path) => EnvSource::Field(path.to_owned()),
        None => EnvSource::Literal(text(&value["value"])),
    };
    EnvVar {
        name: text(&value["name"]),
        source,
    }
}

fn container(value: &Value) -> Container {
    Container {
        name: text(&value["name"]),
        image: text(&value["image"]),
        command: texts(&value["command"]),
        args: texts(&value["args"]),
        env: value["env"].as_array().into_iter().flatten().map(env).collect(),
        has_env_from: false,
        ..Container::default()
    }
}

fn workload(object: &Value) -> Workload {
    let (metadata, template) = (&object["metadata"], &object["spec"]["template"]);
    Workload {
        namespace: text(&metadata["namespace"]),
        name: text(&metadata["name"]),
        labels: map(&metadata["labels"]),
        annotations: map(&metadata["annotations"]),
        shape: PodShape {
            labels: map(&template["metadata"]["labels"]),
            service_account: text(&template["spec"]["serviceAccountName"]),
            containers: template["spec"]["containers"]
                .as_array()
                .into_iter()
                .flatten()
                .map(container)
                .collect(),
            ..PodShape::default()
        },
    }
}

fn objects(yaml: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(yaml).expect("fixtures are YAML")
}

fn workloads(yaml: &str) -> Vec<Workload> {
    objects(yaml)
        .iter()
        .filter(|object| object["kind"] == "Deployment")
        .map(workload)
        .collect()
}

fn bootstrap() -> Vec<Workload> {
    workloads(include_str!("detect/bootstrap.yaml"))
}

fn version(text: &str) -> Version {
    Version::parse(text).expect("tests write SemVer")
}

fn labels(pairs: &[(&str, &str)]) -> Map {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn bootstrap_is_recognised_with_new_and_with_old_pod_labels() {
    let found = bootstrap();
    assert_eq!(found[0].accepted(), [(0, Component::Kustomize)]);
    assert_eq!(found[1].accepted(), [(0, Component::Notification)]);
    for workload in &found {
        assert_eq!(workload.installer(&[], None), Installer::Bootstrap);
    }
}

#[test]
fn flux_operator_and_what_it_installs_are_told_apart() {
    let found = workloads(include_str!("detect/flux-operator.yaml"));
    for workload in &found[..2] {
        assert_eq!(workload.accepted(), [(0, Component::Source)]);
        assert_eq!(
            workload.installer(&["flux-operator"], None),
            Installer::FluxOperator
        );
    }
    assert_eq!(found[0].shard(Component::Source), None);
    assert_eq!(found[1].shard(Component::Source), Some("tenant-a"));
    assert_eq!(found[2].accepted(), [(0, Component::FluxOperator)]);
    assert!(!Component::ALL.contains(&Component::FluxOperator));
}

#[test]
fn flux_operator_is_recognised_when_it_is_renamed() {
    let operator = || workloads(include_str!("detect/flux-operator.yaml")).remove(2);
    let mut mirrored = operator();
    mirrored.container().image = "registry.example.com/platform/flux-operator:v0.58.1-ubi".into();
    assert_eq!(mirrored.accepted(), [(0, Component::FluxOperator)]);
    let mut web = operator();
    web.name = "flux-web".into();
    web.shape.service_account = "flux-web".into();
    assert_eq!(web.accepted(), [(0, Component::FluxOperator)]);
    let mut renamed = operator();
    renamed.name = "gitops".into();
    renamed.labels.clear();
    renamed.shape.labels.clear();
    renamed.shape.service_account = "gitops".into();
    renamed.container().image = "registry.example.com/platform/gitops:7".into();
    assert_eq!(renamed.detect(), []);
    let lease = |name| LeaseHolder {
        name,
        holder: "gitops-5d4c-x7k2p_3c1d",
    };
    let held = |name| renamed.detect_with(&[lease(name)], &["gitops-5d4c-x7k2p"]);
    assert_eq!(held("flux-operator")[0].component, Component::FluxOperator);
    assert_eq!(held("flux-operator")[0].certainty, Certainty::Accepted);
    assert_eq!(held("flux-operator-leader-election"), []);
}

#[test]
fn other_programs_with_the_name_of_flux_operator_are_not_accepted() {
    let mut other = workloads(include_str!("detect/flux-operator.yaml")).remove(2);
    other.container().env.clear();
    other.container().image = "docker.io/somebody/flux-operator:1.0".into();
    assert_eq!(other.accepted(), [], "names alone");
    let mut server = workloads(include_str!("detect/flux-operator.yaml")).remove(2);
    server.name = "flux-operator-mcp".into();
    server.shape.service_account = "flux-operator-mcp".into();
    server.labels = labels(&[("app.kubernetes.io/name", "flux-operator-mcp")]);
    server.shape.labels = server.labels.clone();
    server.container().image = "ghcr.io/controlplaneio-fluxcd/flux-operator-mcp:v0.58.1".into();
    assert_eq!(server.detect(), []);
}

#[test]
fn helm_chart_is_recognised_and_a_sidecar_is_no_controller() {
    let found = workloads(include_str!("detect/helm-chart.yaml"));
    assert_eq!(found[0].accepted(), [(1, Component::Helm)]);
    assert_eq!(found[0].installer(&[], None), Installer::HelmChart);
    let pod = Workload {
        name: "helm-controller-5d4c-x7k2p".into(),
        labels: Map::new(),
        ..found[0].clone()
    };
    assert_eq!(pod.accepted(), [(1, Component::Helm)]);
    assert_eq!(pod.shard(Component::Helm), None);
}

#[test]
fn aks_controllers_are_recognised_and_its_agents_are_not() {
    let found = workloads(include_str!("detect/aks.yaml"));
    assert_eq!(found[0].accepted(), [(0, Component::ImageReflector)]);
    assert_eq!(found[0].installer(&[], None), Installer::Aks);
    assert_eq!(found[0].installer(&["fluxconfig-agent"], None), Installer::Aks);
    assert_eq!(found[1].detect(), []);
    assert_eq!(found[2].detect(), []);
}

#[test]
fn all_in_one_yields_one_detection_per_controller() {
    let found = workloads(include_str!("detect/all-in-one.yaml"));
    let expected = [
        (0, Component::Source),
        (2, Component::Kustomize),
        (3, Component::Helm),
    ];
    assert_eq!(found[0].accepted(), expected);
    assert_eq!(found[0].detect().len(), 3);
    assert_eq!(found[0].installer(&[], None), Installer::AllInOne);
}

#[test]
fn names_alone_are_never_accepted() {
    let found = workloads(include_str!("detect/look-alikes.yaml"));
    for workload in &found {
        assert_eq!(
            workload.accepted(),
            [],
            "{}/{}",
            workload.namespace,
            workload.name
        );
    }
    assert_eq!(
        found[0].detect(),
        [],
        "the image is known to be another project's"
    );
    let renamed = &found[1].detect()[0];
    assert_eq!((renamed.score, renamed.certainty), (13, Certainty::Possible));
    assert_eq!(found[2].detect()[0].certainty, Certainty::Possible);
    assert_eq!(found[3].detect(), []);
    assert!(!found[3].is_candidate());
    assert_eq!(found[4].detect(), [], "one point");
}

#[test]
fn a_controller_with_every_name_changed_is_recognised_by_its_lease() {
    let mut workload = bootstrap().remove(0);
    workload.name = "gitops-applier".into();
    workload.labels.clear();
    workload.shape.labels = labels(&[("app", "gitops-applier")]);
    workload.shape.service_account = "gitops".into();
    workload.container().image = "registry.example.com/platform/applier:7".into();
    assert!(workload.is_candidate());
    assert_eq!(
        workload.detect(),
        [],
        "flags tell that it is Flux, not which controller"
    );

    let pods = ["gitops-applier-6d9f-abcde", "gitops-applier-6d9f-fghij"];
    let held_by = |name, holder| workload.detect_with(&[LeaseHolder { name, holder }], &pods);
    let found = held_by(
        "kustomize-controller-leader-election",
        "gitops-applier-6d9f-fghij_3c1d",
    );
    assert_eq!(found[0].component, Component::Kustomize);
    assert_eq!(found[0].certainty, Certainty::Accepted);
    assert_eq!(
        found[0].signals,
        [Signal::Lease, Signal::Flags, Signal::RuntimeNamespace]
    );
    assert_eq!(found[0].score, 5);

    let shard = held_by(
        "kustomize-controller-leader-election-0a1b2c3d",
        "gitops-applier-6d9f-abcde_3c1d",
    );
    assert_eq!(shard, found);
    assert_eq!(
        held_by(
            "kustomize-controller-leader-election",
            "gitops-applier-6d9f-fghij2_3c1d"
        ),
        []
    );
    assert_eq!(held_by("kustomize-controller-leader-election", "node-1_3c1d"), []);
    assert_eq!(
        held_by("kustomize-controller-lock", "gitops-applier-6d9f-fghij_3c1d"),
        []
    );
    assert_eq!(
        held_by("flux-operator-leader-election", "gitops-applier-6d9f-fghij_3c1d"),
        []
    );
}

#[test]
fn the_kubelet_cuts_long_pod_names_in_holders() {
    let workload = bootstrap().remove(0);
    let pod = format!("{}-{}", "a".repeat(62), "b".repeat(20));
    let holder = format!("{}_3c1d", "a".repeat(62));
    let lease = LeaseHolder {
        name: "kustomize-controller-leader-election",
        holder: &holder,
    };
    let found = workload.detect_with(&[lease], &[&pod]);
    assert!(found[0].signals.contains(&Signal::Lease));
}

#[test]
fn a_lease_alone_is_only_possible() {
    let workload = Workload {
        shape: PodShape {
            containers: vec![Container::default()],
            ..PodShape::default()
        },
        ..Workload::default()
    };
    let lease = LeaseHolder {
        name: "helm-controller-leader-election",
        holder: "x-1_3c1d",
    };
    let found = workload.detect_with(&[lease], &["x-1"]);
    assert_eq!((found[0].score, found[0].certainty), (3, Certainty::Possible));
    assert_eq!(workload.detect_with(&[lease], &[""]), []);
    assert!(!workload.is_candidate());
}

#[test]
fn workload_names_apply_to_the_container_that_looks_like_flux() {
    let mut workload = workloads(include_str!("detect/helm-chart.yaml")).remove(0);
    workload.shape.containers[1].image = "registry.example.com/platform/hc:7".into();
    assert_eq!(workload.accepted(), [(1, Component::Helm)]);
    workload.shape.containers[1].args.clear();
    workload.shape.containers[1].env.clear();
    let found = workload.detect();
    assert_eq!(found.len(), 1);
    assert_eq!(
        found[0].certainty,
        Certainty::Possible,
        "nothing tells which container it is"
    );
}

#[test]
fn two_controllers_equally_likely_are_only_possible() {
    let mut workload = Workload::default();
    workload.shape.containers = vec![Container {
        image: "ghcr.io/fluxcd/helm-controller:v1.6.3".into(),
        command: vec!["source-controller".into()],
        ..Container::default()
    }];
    let found = workload.detect();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].certainty, Certainty::Possible);
}

#[test]
fn mirrors_and_vendors_are_accepted_by_their_image_path() {
    for (image, component) in [
        ("fluxcd/source-controller:v1.9.4", Component::Source),
        ("docker.io/fluxcd/source-watcher:v2.2.3", Component::SourceWatcher),
        (
            "mcr.microsoft.com/oss/fluxcd/helm-controller:v1.3.0",
            Component::Helm,
        ),
        (
            "ghcr.io/controlplaneio-fluxcd/distroless-fips/kustomize-controller:v1.9.4",
            Component::Kustomize,
        ),
        (
            "mirror.example.com:5000/ghcr.io/fluxcd/image-automation-controller",
            Component::ImageAutomation,
        ),
        (
            "registry.example.com/platform/flux-notification-controller-fips:v1.9.3",
            Component::Notification,
        ),
    ] {
        let mut workload = Workload::default();
        workload.shape.containers = vec![Container {
            image: image.into(),
            ..Container::default()
        }];
        assert_eq!(workload.accepted(), [(0, component)], "{image}");
        assert_eq!(
            workload.installer(&[], None) == Installer::Aks,
            image.starts_with("mcr.")
        );
    }
}

#[test]
fn a_private_mirror_is_accepted_by_flags() {
    let mut workload = bootstrap().remove(0);
    workload.labels.clear();
    workload.shape.labels = labels(&[("app", "kustomize-controller")]);
    workload.container().env.clear();
    workload.container().image = "registry.example.com/gitops/kustomize-controller@sha256:0f3a".into();
    assert_eq!(workload.accepted(), [(0, Component::Kustomize)]);
    workload.container().args = vec![
        "--enable-leader-election-x".into(),
        "--watch-all-namespaces".into(),
    ];
    assert_eq!(workload.accepted(), []);
}

#[test]
fn an_ordinary_workload_is_no_candidate() {
    let shape = PodShape {
        labels: labels(&[("app", "shop")]),
        service_account: "default".into(),
        containers: vec![Container {
            name: "shop".into(),
            image: "shop:1".into(),
            ..Container::default()
        }],
        ..PodShape::default()
    };
    assert!(!is_candidate(
        "shop",
        &labels(&[("app.kubernetes.io/part-of", "shop")]),
        &shape
    ));
    assert!(is_candidate("source-controller-2", &Map::new(), &shape));
    assert!(!is_candidate("source-controllers", &Map::new(), &shape));
    assert!(is_candidate(
        "x",
        &labels(&[("app.kubernetes.io/part-of", "flux")]),
        &shape
    ));
}

#[test]
fn image_references_are_taken_apart() {
    let image = ImageRef::parse("localhost:5000/a/source-controller:v1.9.4@sha256:0f3a");
    assert_eq!(image.registry_and_path, "localhost:5000/a/source-controller");
    assert_eq!(image.last_segment, "source-controller");
    assert_eq!((image.tag, image.digest), (Some("v1.9.4"), Some("sha256:0f3a")));
    let bare = ImageRef::parse("localhost:5000/helm-controller");
    assert_eq!(
        (bare.last_segment, bare.tag, bare.digest),
        ("helm-controller", None, None)
    );
    assert_eq!(ImageRef::parse("").last_segment, "");
    assert_eq!(ImageRef::parse("a/:@").tag, Some(""));
}

#[test]
fn images_name_controllers() {
    assert_eq!(
        component_of("x/fluxcd-source-controller:1"),
        Some(Component::Source)
    );
    assert_eq!(
        component_of("x/flux-source-watcher-fips@sha256:0"),
        Some(Component::SourceWatcher)
    );
    assert_eq!(component_of("x/source-controller/proxy"), None);
    assert_eq!(component_of("x/my-source-controller"), None);
    assert_eq!(component_of("ghcr.io/fluxcd/flux-cli:v2.9.4"), None);
}

#[test]
fn tags_say_versions() {
    for (image, expected) in [
        ("x/source-controller:v1.9.4", Some("1.9.4")),
        ("x/source-controller:1.9.4@sha256:0f3a", Some("1.9.4")),
        ("x/source-controller:v1.9.4-rc.1", Some("1.9.4-rc.1")),
        ("x/source-controller:1.9.4-debian-12-r3", Some("1.9.4")),
        ("x/source-controller:v1.9.4-distroless", Some("1.9.4")),
        ("x/source-controller@sha256:0f3a", None),
        ("localhost:5000/source-controller", None),
        ("x/source-controller:latest", None),
        ("x/source-controller:v1.9", None),
    ] {
        assert_eq!(version_of(image), expected.map(version), "{image}");
    }
}

#[test]
fn rebuilds_are_told_by_name_or_tag() {
    for (image, is_rebuilt) in [
        ("ghcr.io/fluxcd/source-controller:v1.9.4", false),
        ("registry.example.com/x/source-controller:v1.9.4-rc.1", false),
        ("x/source-controller@sha256:0f3a", false),
        ("x/flux-source-controller:1.9.4", true),
        ("x/fluxcd-source-watcher:2.2.3", true),
        ("x/source-controller-fips:v1.9.4", true),
        ("x/source-controller:1.9.4-debian-12-r3", true),
        ("x/source-controller:v1.9.4-distroless", true),
    ] {
        assert_eq!(ImageRef::parse(image).is_rebuilt(), is_rebuilt, "{image}");
    }
}

#[test]
fn distributions_and_controllers_map_both_ways() {
    let helm = |flux| component_version(&version(flux), Component::Helm);
    assert_eq!(helm("2.9.4"), Some(version("1.6.3")));
    assert_eq!(helm("2.9.3"), None, "not listed");
    assert_eq!(helm("2.9.6"), None, "listed, not known");
    assert_eq!(
        component_version(&version("2.6.4"), Component::SourceWatcher),
        None
    );

    let span = flux_version_of(Component::Helm, &version("1.3.0")).expect("listed");
    assert_eq!(
        (span.first.to_string(), span.last.to_string()),
        ("2.6.0".into(), "2.6.4".into())
    );
    assert_eq!(flux_version_of(Component::Helm, &version("1.3.9")), None);
    assert_eq!(flux_minor_of(Component::Helm, &version("1.3.9")), Some((2, 6)));
    assert_eq!(
        flux_minor_of(Component::Notification, &version("1.10.7")),
        Some((2, 10))
    );
    assert_eq!(flux_minor_of(Component::Source, &version("9.0.0")), None);
}

#[test]
fn newest_versions_are_known_at_least_to_the_minor() {
    let newest = Component::ALL.map(|c| newest(c).map(|v| v.to_string()).unwrap_or_default());
    assert_eq!(
        newest,
        ["1.10.1", "1.10.1", "1.7.1", "1.10.0", "1.3.0", "1.3.0", "2.3.1"]
    );
    assert_eq!(newest_flux().to_string(), "2.10.1");
}

#[test]
fn the_distribution_table_grows_and_its_minors_are_unambiguous() {
    assert!(releases().is_sorted_by(|a, b| a.flux < b.flux));
    for component in Component::ALL {
        let mut minors = BTreeMap::new();
        let mut last = Version::new(0, 0, 0);
        for release in releases() {
            let Shipped::Exact(version) = release.component(component) else {
                continue;
            };
            assert!(*version >= last, "{component} goes back in {}", release.flux);
            last = version.clone();
            let flux = minors
                .entry((version.major, version.minor))
                .or_insert(release.flux.minor);
            assert_eq!(*flux, release.flux.minor, "{component} {version}");
        }
    }
}

#[test]
fn installers_are_told_by_the_workload_before_the_crd() {
    let plain = Workload {
        labels: labels(&[("app.kubernetes.io/part-of", "flux")]),
        ..Workload::default()
    };
    assert_eq!(Workload::default().installer(&[], None), Installer::Unknown);
    assert_eq!(plain.installer(&[], None), Installer::Bootstrap);
    let operator = labels(&[("app.kubernetes.io/managed-by", "flux-operator")]);
    let helm = labels(&[("app.kubernetes.io/managed-by", "Helm")]);
    let kustomization = labels(&[("kustomize.toolkit.fluxcd.io/name", "flux-system")]);
    assert_eq!(plain.installer(&[], Some(&operator)), Installer::FluxOperator);
    assert_eq!(plain.installer(&[], Some(&helm)), Installer::HelmChart);
    assert_eq!(plain.installer(&[], Some(&kustomization)), Installer::Bootstrap);
    assert_eq!(plain.installer(&[], Some(&plain.labels)), Installer::Bootstrap);
    let chart = Workload {
        labels: helm,
        ..plain
    };
    assert_eq!(chart.installer(&[], Some(&operator)), Installer::HelmChart);
    assert_eq!(Installer::Aks.to_string(), "AKS");
}

#[test]
fn shards_are_marked_or_named_twice() {
    let none = Map::new();
    let app = |value| labels(&[("app", value)]);
    let role = labels(&[("sharding.fluxcd.io/role", "shard")]);
    let name = "helm-controller-eu";
    assert_eq!(shard(&none, &app(name), name, Component::Helm), Some("eu"));
    assert_eq!(shard(&none, &app("helm-controller"), name, Component::Helm), None);
    assert_eq!(shard(&none, &app(name), name, Component::Source), None);
    assert_eq!(shard(&role, &none, name, Component::Helm), Some("eu"));
    assert_eq!(shard(&role, &app(name), "hc", Component::Helm), Some("eu"));
    assert_eq!(shard(&role, &none, "hc", Component::Helm), Some("hc"));
    assert_eq!(shard(&none, &none, "helm-controller", Component::Helm), None);
}

/// Full renderings of the installers, where they are at hand beside the crate.
#[test]
fn every_deployment_of_real_renderings_is_classified() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/flux");
    let Ok(files) = fs::read_dir(folder) else {
        return;
    };
    for file in files {
        let path = file.expect("the folder can be read").path();
        let yaml = fs::read_to_string(&path).expect("the file can be read");
        check_rendering(&path.to_string_lossy(), &yaml);
    }
}

fn check_rendering(path: &str, yaml: &str) {
    let found = workloads(yaml);
    assert!(found.len() >= 4, "{path}");
    for workload in found {
        let component = Component::ALL
            .into_iter()
            .find(|c| workload.name.starts_with(c.name()));
        let component = component.expect("renderings have controllers only");
        assert_eq!(workload.accepted(), [(0, component)], "{path} {}", workload.name);
        let bare = Workload {
            name: String::new(),
            labels: Map::new(),
            ..workload.clone()
        };
        assert_eq!(bare.accepted(), [(0, component)], "{path} {}", workload.name);
        assert_eq!(
            workload.installer(&[], None),
            installer_of(path),
            "{path} {}",
            workload.name
        );
        let suffix = workload
            .name
            .strip_prefix(component.name())
            .and_then(|rest| rest.strip_prefix('-'));
        assert_eq!(workload.shard(component), suffix, "{path} {}", workload.name);
        let image = version_of(&workload.shape.containers[0].image).expect("images are tagged");
        let listed = component_version(&flux_version_in(path), component);
        assert_eq!(listed, Some(image), "{path} {}", workload.name);
    }
}

fn installer_of(path: &str) -> Installer {
    match path {
        path if path.contains("chart-") => Installer::HelmChart,
        path if path.contains("fluxinstance-") => Installer::FluxOperator,
        _ => Installer::Bootstrap,
    }
}

/// `…/install-v2.9.4-multitenant.yaml` is of 2.9.4.
fn flux_version_in(path: &str) -> Version {
    let (_, rest) = path.rsplit_once("-v").expect("files are named after a version");
    let end = rest.find(['-', 'y']).expect("files end in .yaml");
    version(rest[..end].trim_end_matches('.'))
}
