//! `fluxsec audit` of a real cluster, and of the manifests that were applied to it: both say the same.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod controlplane;
mod shapes;

use std::collections::BTreeSet;
use std::fs;
use std::iter;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use controlplane::programs::CONSUMERS;
use controlplane::scenario::{PATIENCE, installed, set_args};
use controlplane::{ControlPlane, flux, operator, wait_for};
use flux_security_operator::kinds::own::Waiver;
use flux_security_operator::kinds::{Entry, KindId, id_of};
use serde_json::{Value, json};
use shapes::Shape;

/// What it exits with, and what it said.
struct Said {
    code: Option<i32>,
    out: String,
    errors: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            errors: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

fn audit(control_plane: &ControlPlane, arguments: &[&str]) -> Command {
    let mut command = Command::new(operator::fluxsec());
    command
        .args(["audit", "--tenancy", "shared"])
        .args(arguments)
        .env("KUBECONFIG", control_plane.admin());
    command
}

fn said(control_plane: &ControlPlane, arguments: &[&str]) -> Said {
    audit(control_plane, arguments).output().unwrap().into()
}

/// The report, whatever is in it.
fn report(control_plane: &ControlPlane, arguments: &[&str]) -> Value {
    let said = said(
        control_plane,
        &[&["-o", "json", "--fail-on", "none"], arguments].concat(),
    );
    assert_eq!(said.code, Some(0), "{}", said.errors);
    serde_json::from_str(&said.out).unwrap()
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn the_exit_code_says_what_came_of_a_cluster() {
    let control_plane = installed();
    for (arguments, code) in [
        (&[][..], 1),
        (&["--fail-on", "none"], 0),
        (&["--fail-on", "none", "--require-complete"], 3),
        (&["--require-complete"], 1),
        (&["--context", "nowhere"], 2),
        (&["--baseline", "/nowhere"], 2),
        (&["--policy", "/nowhere"], 2),
        (&["--fail-on", "everything"], 2),
    ] {
        let said = said(&control_plane, arguments);
        assert_eq!(said.code, Some(code), "{arguments:?}: {}", said.errors);
        assert_eq!(said.out.is_empty(), code == 2, "{arguments:?}: {}", said.out);
    }

    // Whoever has seen enough of it changes nothing about that.
    let mut process = audit(&control_plane, &["-o", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(process.stdout.take());
    let closed = Said::from(process.wait_with_output().unwrap());
    assert_eq!((closed.code, closed.errors.as_str()), (Some(1), ""));

    let baseline = control_plane.sandbox().folder().join("baseline.json");
    let whole = said(&control_plane, &["-o", "json"]).out;
    fs::write(&baseline, &whole).unwrap();
    let since = ["--baseline", path(&baseline), "--fail-on", "info"];
    let before = said(&control_plane, &since);
    assert_eq!(before.code, Some(0), "{}", before.errors);
    let whole: Value = serde_json::from_str(&whole).unwrap();
    let count = whole["status"]["findings"].as_array().unwrap().len();
    let news = |new: usize, all: usize| format!("{new} of {all} findings are not in the baseline");
    assert!(before.errors.contains(&news(0, count)), "{}", before.errors);
    assert!(!before.out.contains("FSP-MT-"), "{}", before.out);

    let argument = "--insecure-kubeconfig-exec=true";
    set_args(&control_plane, "kustomize-controller", argument);
    let after = said(&control_plane, &since);
    assert_eq!(after.code, Some(1), "{}", after.errors);
    assert!(after.errors.contains(&news(1, count + 1)), "{}", after.errors);
    assert!(after.out.contains("FSP-KUST-001"), "{}", after.out);
    // Whatever is read of manifests was read of the cluster, too.
    let dump = control_plane
        .kubectl(&["get", "deployments", "-n", "flux-system", "-o", "yaml"])
        .unwrap();
    let file = control_plane.sandbox().folder().join("deployments.yaml");
    fs::write(&file, dump).unwrap();
    let offline = said(&control_plane, &[&since[..], &["-f", path(&file)]].concat());
    assert_eq!(offline.code, Some(1), "{}", offline.errors);
    assert!(offline.out.contains("FSP-KUST-001"), "{}", offline.out);
}

/// What `-o openreports` prints is what an API server takes that has the kinds of OpenReports, again and again.
#[test]
fn an_api_server_takes_the_open_reports() {
    let control_plane = installed();
    for entry in fs::read_dir(CONSUMERS.folder().unwrap().join("files/config/crd")).unwrap() {
        let definition = fs::read_to_string(entry.unwrap().path()).unwrap();
        control_plane.apply(&definition).unwrap();
    }
    control_plane
        .kubectl(&["wait", "--for=condition=Established", "crd", "--all"])
        .unwrap();
    let arguments = ["-o", "openreports", "--fail-on", "none"];
    let strict = ["apply", "--server-side", "--validate=strict", "-f", "-"];
    let mut stored = Vec::new();
    for _ in 0..2 {
        let said = said(&control_plane, &arguments);
        assert_eq!(said.code, Some(0), "{}", said.errors);
        wait_for("the kinds of OpenReports", PATIENCE, || {
            control_plane.kubectl_with(&strict, &said.out)
        })
        .unwrap();
        stored = ["clusterreports.openreports.io", "reports.openreports.io"]
            .map(|kind| control_plane.get(&["-A", kind]).unwrap()["items"].clone())
            .to_vec();
    }
    let whole = report(&control_plane, &[]);
    let ids = |rows: &Value, field: &str| -> BTreeSet<String> {
        let rows = rows.as_array().into_iter().flatten();
        rows.map(|row| row[field].as_str().unwrap().to_owned()).collect()
    };
    let mut told = BTreeSet::new();
    for report in stored.iter().flat_map(|reports| reports.as_array().unwrap()) {
        told.extend(ids(&report["results"], "policy"));
    }
    assert_eq!(told, ids(&whole["status"]["controls"], "id"));
    let findings = whole["status"]["findings"].as_array().unwrap().iter();
    let homes = findings.filter_map(|finding| {
        let of = &finding["resource"];
        of[if of["kind"] == "Namespace" {
            "name"
        } else {
            "namespace"
        }]
        .as_str()
    });
    let reports = stored[1].as_array().unwrap().iter();
    let namespaces = reports.map(|report| report["metadata"]["namespace"].as_str().unwrap());
    assert_eq!(namespaces.collect::<BTreeSet<_>>(), homes.collect());
}

const TENANT: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: team}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: applier, namespace: team}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: apps, namespace: team}
spec: {interval: 10m, path: ./, prune: true, serviceAccountName: applier, sourceRef: {kind: GitRepository, name: fleet, namespace: flux-system}}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: fleet, namespace: team}
spec: {interval: 10m, url: 'http://git.example.com/fleet'}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: applier, namespace: team}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{kind: ServiceAccount, name: applier, namespace: team}]
";

/// They fail for the lack of an object, or for who changed one, which no file shows.
const LACKS: [&str; 4] = ["FSP-DED-003", "FSP-NODE-002", "FSX-CFG-005", "FSX-OPR-003"];

/// Why files leave something unknown.
const UNSEEN: [&str; 2] = ["NotInInput", "ManagedFieldsNotSeen"];

/// Whether files have no object of a kind at all: a cluster may fail for that.
fn lacks_a_kind(row: &Value) -> bool {
    row["message"].as_str().unwrap().starts_with("the input has no ")
}

/// Asserts that every control that both judge has the same result and findings. Tells how many that are.
fn assert_agreement(what: &str, live: &Value, offline: &Value) -> usize {
    let rows = |report: &Value| report["status"]["controls"].as_array().unwrap().clone();
    let mut judged = BTreeSet::new();
    for (live, offline) in rows(live).iter().zip(&rows(offline)) {
        let id = live["id"].as_str().unwrap();
        assert_eq!(offline["id"], id);
        if UNSEEN.iter().any(|reason| offline["reason"] == *reason) {
            // Not seen is not judged; what is seen to fail fails in both.
            assert!(
                live["result"] != "Fail" || LACKS.contains(&id) || lacks_a_kind(offline),
                "{what}: {live} {offline}"
            );
            continue;
        }
        judged.insert(id.to_owned());
        assert_eq!(live["result"], offline["result"], "{what}: {live} {offline}");
        assert_eq!(live["findings"], offline["findings"], "{what}: {live} {offline}");
    }
    let told = |report: &Value| -> BTreeSet<String> {
        let findings = report["status"]["findings"].as_array().unwrap().iter();
        let shown = findings.filter(|it| judged.contains(it["control"].as_str().unwrap()));
        shown
            .map(|it| {
                let (of, location) = (&it["resource"], &it["location"]);
                let place = ["container", "flag", "argument", "field"].map(|part| location[part].to_string());
                format!(
                    "{} {} {}/{} {}",
                    it["control"],
                    of["kind"],
                    of["namespace"],
                    of["name"],
                    place.join(" ")
                )
            })
            .collect()
    };
    assert_eq!(told(live), told(offline), "{what}");
    judged.len()
}

/// A shape, and what it is called.
type Named = (&'static str, fn() -> Shape);

/// What kubectl prints of a cluster is judged as the cluster is. What it did not print is unknown, and nothing else.
#[test]
fn a_dump_is_judged_like_its_cluster() {
    const KINDS: &str = "nodes,runtimeclasses,services,ingresses,namespaces,deployments,statefulsets,daemonsets,pods,leases,serviceaccounts,roles,clusterroles,rolebindings,clusterrolebindings,networkpolicies,customresourcedefinitions,gitrepositories,ocirepositories,helmrepositories,helmcharts,buckets,kustomizations,helmreleases,imagerepositories,imagepolicies,imageupdateautomations,alerts,providers,receivers";
    let control_plane = installed();
    control_plane.apply(TENANT).unwrap();
    let live = report(&control_plane, &[]);
    for format in ["yaml", "json"] {
        let dump = control_plane
            .kubectl(&[
                "get",
                KINDS,
                "--all-namespaces",
                "--show-managed-fields",
                "-o",
                format,
            ])
            .unwrap();
        let file = control_plane.sandbox().folder().join(format!("dump.{format}"));
        fs::write(&file, dump).unwrap();
        let dumped = report(&control_plane, &["-f", path(&file)]);
        let judged = assert_agreement(format, &live, &dumped);
        let all = live["status"]["controls"].as_array().unwrap().len();
        assert!(judged > all / 2, "{judged} of {all}");
        let findings = dumped["status"]["findings"].as_array().unwrap();
        let url = findings
            .iter()
            .find(|it| it["resource"]["kind"] == "GitRepository")
            .unwrap();
        let number = usize::try_from(url["location"]["line"].as_u64().unwrap()).unwrap();
        let text = fs::read_to_string(&file).unwrap();
        let told = text.lines().nth(number - 1).unwrap();
        assert!(
            told.contains("http://git.example.com/fleet") || told.contains("verify") || told.contains("spec"),
            "{told}: {url}"
        );
    }
}

/// Every installer's shape, as it is in a cluster.
fn all_shapes() -> Vec<(String, Shape)> {
    let shapes: [Named; 13] = [
        ("locked_down", shapes::locked_down),
        ("shards", shapes::shards),
        ("hand_made", shapes::hand_made),
        ("flux_instance", shapes::flux_instance),
        ("flux_instance_multitenant", shapes::flux_instance_multitenant),
        (
            "flux_instance_workload_identity",
            shapes::flux_instance_workload_identity,
        ),
        ("flux_instance_sized", shapes::flux_instance_sized),
        ("flux_instance_sharded", shapes::flux_instance_sharded),
        ("flux_instance_openshift", shapes::flux_instance_openshift),
        ("chart", shapes::chart),
        ("chart_multitenant", shapes::chart_multitenant),
        ("all_in_one", shapes::all_in_one),
        // It brings a namespace of its own, which stays.
        ("aks", shapes::aks),
    ];
    let minors = shapes::minors().into_iter().map(|release| {
        let version = release.flux.to_string();
        (format!("bootstrap {version}"), shapes::bootstrap(&version))
    });
    let named = shapes.map(|(name, shape)| (name.to_owned(), shape()));
    minors.chain(named).collect()
}

/// What an API server makes by itself, and what is in shapes as well.
const OWN: [(&str, &str); 2] = [("ClusterRole", "cluster-admin"), ("Namespace", "kube-system")];

/// What is applied to a cluster is judged as the files that it was applied from, whoever installed Flux.
#[test]
fn every_shape_is_judged_alike_in_files_and_when_it_is_applied() {
    let control_plane = ControlPlane::start().unwrap();
    control_plane.apply(&definitions()).unwrap();
    let folder = with_own_objects(&control_plane);
    for (name, shape) in all_shapes() {
        let is_own = |object: &&Value| {
            let (kind, name) = (&object["kind"], &object["metadata"]["name"]);
            OWN.iter().any(|own| kind == own.0 && name == own.1)
        };
        let all = shape.installed.iter().chain(&shape.around);
        let objects: Vec<Value> = all.filter(|object| !is_own(object)).map(admissible).collect();
        let lines: Vec<String> = objects.iter().map(Value::to_string).collect();
        fs::write(folder.join(APPLIED), lines.join("\n")).unwrap();
        let (live, offline) = applied(&control_plane, &folder);
        assert_agreement(&name, &live, &offline);
        // Without kube-controller-manager, namespaces never go.
        let rest: Vec<&str> = iter::zip(&objects, &lines)
            .filter(|(object, _)| object["kind"] != "Namespace")
            .map(|(_, line)| line.as_str())
            .collect();
        control_plane
            .kubectl_with(&["delete", "--wait=false", "-f", "-"], &rest.join("\n"))
            .unwrap();
    }
}

/// Full renderings of the installers, where they are at hand beside the crate.
#[test]
fn renderings_are_judged_alike_in_files_and_when_they_are_applied() {
    let renderings = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/flux");
    let Ok(entries) = fs::read_dir(renderings) else {
        return;
    };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files {
        let control_plane = ControlPlane::start().unwrap();
        let folder = with_own_objects(&control_plane);
        let mut rendering = shapes::documents(&fs::read_to_string(&file).unwrap());
        // Nothing here serves it.
        rendering.retain(|object| object["kind"] != "FluxInstance");
        let lines: Vec<String> = in_flux_system(rendering).iter().map(Value::to_string).collect();
        fs::write(folder.join(APPLIED), lines.join("\n")).unwrap();
        let (live, offline) = applied(&control_plane, &folder);
        let judged = assert_agreement(path(&file), &live, &offline);
        assert!(judged > 50, "{judged}");
    }
}

/// A folder with what a cluster has that nobody applied anything to.
fn with_own_objects(control_plane: &ControlPlane) -> PathBuf {
    const KINDS: &str = "namespaces,serviceaccounts,services,roles,clusterroles,rolebindings,clusterrolebindings,customresourcedefinitions";
    let folder = control_plane.sandbox().folder().join("manifests");
    fs::create_dir(&folder).unwrap();
    // The API server makes it a moment after it is ready.
    wait_for("its own Service", PATIENCE, || {
        control_plane.get(&["service", "kubernetes"])
    })
    .unwrap();
    let own = control_plane
        .kubectl(&["get", KINDS, "--all-namespaces", "-o", "json"])
        .unwrap();
    fs::write(folder.join("own.json"), own).unwrap();
    folder
}

/// Charts leave it to Helm where their objects go, and Helm makes the namespace.
fn in_flux_system(mut objects: Vec<Value>) -> Vec<Value> {
    let has_namespace = objects.iter().any(|object| object["kind"] == "Namespace");
    for object in &mut objects {
        let kind = KindId::all().find(|kind| object["kind"] == kind.name());
        let is_of_namespace = kind.is_some_and(|kind| !kind.entry().is_cluster_scoped);
        if is_of_namespace && object["metadata"]["namespace"].is_null() {
            object["metadata"]["namespace"] = json!("flux-system");
        }
    }
    if !has_namespace {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "flux-system"}});
        objects.insert(0, namespace);
    }
    objects
}

/// What is applied.
const APPLIED: &str = "applied.jsonl";

/// Applies what a folder has besides, and audits cluster and folder.
fn applied(control_plane: &ControlPlane, folder: &Path) -> (Value, Value) {
    let file = folder.join(APPLIED);
    let apply = ["apply", "--server-side", "--force-conflicts", "-f", path(&file)];
    // Kinds and namespaces come first, and what needs them then.
    wait_for("everything to be taken", PATIENCE, || {
        control_plane.kubectl(&apply)
    })
    .unwrap();
    let live = report(control_plane, &[]);
    (live, report(control_plane, &["-f", path(folder)]))
}

/// The CustomResourceDefinitions of Flux.
fn definitions() -> String {
    let manifests = flux::manifests().unwrap();
    let definitions = manifests.split("\n---\n");
    let definitions = definitions.filter(|it| it.contains("\nkind: CustomResourceDefinition\n"));
    definitions.collect::<Vec<_>>().join("\n---\n")
}

/// An object of a shape with what an API server asks for besides.
fn admissible(object: &Value) -> Value {
    let mut object = object.clone();
    let all = object.as_object_mut().unwrap();
    all.remove("status");
    all["metadata"].as_object_mut().unwrap().remove("generation");
    match object["kind"].as_str().unwrap() {
        "Deployment" | "DaemonSet" => {
            let template = &mut object["spec"]["template"];
            if template["metadata"]["labels"].is_null() {
                template["metadata"]["labels"] = json!({"app": "any"});
            }
            for container in template["spec"]["containers"].as_array_mut().unwrap() {
                if container["image"].is_null() {
                    container["image"] = json!("registry.example.com/any:v1");
                }
            }
            let labels = template["metadata"]["labels"].clone();
            object["spec"]["selector"] = json!({"matchLabels": labels});
        }
        "GitRepository" | "Kustomization" | "HelmRelease" => object["spec"]["interval"] = json!("10m"),
        _ => {}
    }
    object
}

/// What each kind says of its scope and of what its objects need is what an API server says of it.
#[test]
fn kinds_are_as_they_are_served() {
    let control_plane = installed();
    let (mut unserved, mut different) = (Vec::new(), Vec::new());
    for kind in KindId::all() {
        let entry = kind.entry();
        let said = (entry.is_cluster_scoped, required(entry));
        match served(&control_plane, entry) {
            Some(served) if served == said => {}
            // What a waiver lacks is an error that names it: one that is left out as a patch would not be in effect, and
            // nobody would know.
            Some(served) if kind == id_of::<Waiver>() => assert!(said.1.is_subset(&served.1)),
            Some(served) => different.push(format!("{}: {said:?}, and served {served:?}", kind.name())),
            None => unserved.push(kind.name()),
        }
    }
    assert!(different.is_empty(), "{different:#?}");
    // Their definitions are those of other projects.
    assert_eq!(
        unserved,
        [
            "HTTPRoute",
            "Gateway",
            "PrometheusRule",
            "ArtifactGenerator",
            "FluxInstance",
            "ResourceSet",
            "ResourceSetInputProvider",
            "SealedSecret"
        ]
    );
}

/// What an object of a kind must have, but for what it may have instead of something else.
fn required(entry: &Entry) -> BTreeSet<String> {
    let groups = entry.required.iter().filter(|group| group.len() == 1);
    groups.map(|group| group[0].to_owned()).collect()
}

/// Whether an API server has the objects of a kind outside of namespaces, and which fields it asks for in every version.
fn served(control_plane: &ControlPlane, entry: &Entry) -> Option<(bool, BTreeSet<String>)> {
    let versions = entry.descriptor.versions.iter();
    let versions = versions.filter_map(|version| served_as(control_plane, entry, version));
    versions.reduce(|one, other| {
        assert_eq!(one.0, other.0);
        (one.0, &one.1 & &other.1)
    })
}

fn served_as(control_plane: &ControlPlane, entry: &Entry, version: &str) -> Option<(bool, BTreeSet<String>)> {
    let descriptor = &entry.descriptor;
    let raw = |path: &str| -> Option<Value> {
        let text = control_plane.kubectl(&["get", "--raw", path]).ok()?;
        Some(serde_json::from_str(&text).unwrap())
    };
    let path = match descriptor.group {
        "" => format!("api/{version}"),
        group => format!("apis/{group}/{version}"),
    };
    let resources = raw(&format!("/{path}"))?;
    let mut resources = resources["resources"].as_array().unwrap().iter();
    let resource = resources.find(|it| it["name"] == descriptor.plural)?;
    assert_eq!(resource["kind"], descriptor.kind);
    let openapi = raw(&format!("/openapi/v3/{path}"))?;
    let schemas = openapi["components"]["schemas"].as_object().unwrap();
    let is_it = |schema: &&Value| {
        let kinds = schema["x-kubernetes-group-version-kind"].as_array();
        let mut kinds = kinds.into_iter().flatten();
        kinds.any(|it| it["kind"] == descriptor.kind && it["group"] == descriptor.group)
    };
    let schema = schemas.values().find(is_it).unwrap();
    let mut spec = &schema["properties"]["spec"];
    if let Some(reference) = spec["allOf"][0]["$ref"].as_str() {
        spec = &schemas[reference.rsplit('/').next().unwrap()];
    }
    let fields = |schema: &Value, prefix: &str| -> BTreeSet<String> {
        let fields = schema["required"].as_array().into_iter().flatten();
        let fields = fields.map(|field| format!("{prefix}{}", field.as_str().unwrap()));
        fields.filter(|field| field != "spec").collect()
    };
    let required = &fields(schema, "") | &fields(spec, "spec.");
    Some((resource["namespaced"] == false, required))
}

/// The rules that an audit of manifests takes for granted are those of a real API server.
#[test]
fn kubernetes_own_roles_are_as_they_are_kept() {
    let control_plane = ControlPlane::start().unwrap();
    let kept: Value = serde_json::from_str(include_str!("../src/manifests/roles.json")).unwrap();
    let roles = kept["roles"].as_array().unwrap();
    assert_eq!(roles.len(), 4);
    for role in roles {
        let name = role["name"].as_str().unwrap();
        // kube-controller-manager puts the others together of these.
        let name = match name {
            "cluster-admin" => name.to_owned(),
            name => format!("system:aggregate-to-{name}"),
        };
        let served = control_plane.get(&["clusterrole", &name]).unwrap();
        assert_eq!(rights(&role["rules"]), rights(&served["rules"]), "{name}");
    }
}

/// Every verb on every resource, one by one.
fn rights(rules: &Value) -> BTreeSet<[String; 3]> {
    let list = |rule: &Value, field: &str| -> Vec<String> {
        let values = rule[field].as_array().into_iter().flatten();
        values
            .filter_map(|value| value.as_str().map(str::to_owned))
            .collect()
    };
    let mut rights = BTreeSet::new();
    for rule in rules.as_array().into_iter().flatten() {
        for group in list(rule, "apiGroups") {
            for resource in list(rule, "resources") {
                for verb in list(rule, "verbs") {
                    rights.insert([group.clone(), resource.clone(), verb]);
                }
            }
        }
    }
    rights
}
