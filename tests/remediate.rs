//! `fluxsec remediate`: each patch is applied to what it is for, and audited again. The control passes, no other is worse,
//! nothing else has changed, and there is nothing left to repair.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod controlplane;
#[path = "support/random.rs"]
mod random;
mod shapes;
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use controlplane::{ControlPlane, flux, programs};
use flux_security_operator::api::{ControlResult, Tenancy};
use flux_security_operator::controls;
use flux_security_operator::engine::PolicyPosture;
use flux_security_operator::flux::Component::{self, Helm, ImageAutomation, Kustomize, Notification, Source};
use flux_security_operator::remedy::{Choice, Remedy, remedy};
use random::Random;
use serde_json::{Value, json};
use shapes::Shape;
use support::{engine, posture, upsert};

const SHARD_ROLE: &str = "sharding.fluxcd.io/role";

/// The patch for these objects, of the named controls or of all that fail.
fn remedy_of(objects: &[Value], ids: &[&str]) -> Remedy {
    let mut engine = engine(Tenancy::Shared);
    engine.ingest(objects.iter().map(upsert));
    let choice = Choice {
        controls: ids.iter().map(|id| controls::find(id).unwrap()).collect(),
        account: "default".to_owned(),
    };
    remedy(&posture(&engine), engine.inventory(), &choice, &|_| None)
}

fn audited(objects: &[Value]) -> PolicyPosture {
    let mut engine = engine(Tenancy::Shared);
    engine.ingest(objects.iter().map(upsert));
    posture(&engine)
}

/// What a program that reads YAML makes of the text.
fn documents(remedy: &Remedy) -> Vec<Value> {
    let documents = shapes::documents(&remedy.text());
    documents
        .into_iter()
        .filter(|document| !document.is_null())
        .collect()
}

/// What is installed, without its pods: those are made of it.
fn installed(shape: &Shape) -> Vec<Value> {
    shape.installed.iter().chain(&shape.around).cloned().collect()
}

/// The objects with the pods that they have.
fn running(objects: &[Value]) -> Vec<Value> {
    let workloads = objects.iter().filter(|object| object["kind"] == "Deployment");
    let pods: Vec<Value> = workloads.map(shapes::pod_of).collect();
    objects.iter().cloned().chain(pods).collect()
}

/// Applies `patches` as kustomize does.
fn patch(objects: &mut [Value], patches: &Value) {
    for patch in patches.as_array().into_iter().flatten() {
        let target = &patch["target"];
        let name = target["name"].as_str().unwrap().replace("\\.", ".");
        let spares_shards = target["annotationSelector"] == format!("!{SHARD_ROLE}");
        // A shard that was made of a controller is selected by its name, too.
        let is_meant = |object: &Value| {
            let own = object["metadata"]["name"].as_str().unwrap();
            let is_shard = object["metadata"]["annotations"][SHARD_ROLE] == "shard";
            let is_made_of_it = is_shard && own.starts_with(&format!("{name}-"));
            object["kind"] == target["kind"] && (own == name || is_made_of_it) && !(is_shard && spares_shards)
        };
        let operations: Value = serde_saphyr::from_str(patch["patch"].as_str().unwrap()).unwrap();
        let mut found = 0;
        for object in objects.iter_mut().filter(|object| is_meant(object)) {
            found += 1;
            for operation in operations.as_array().unwrap() {
                apply(object, operation);
            }
        }
        assert_eq!(found, 1, "{target}");
    }
}

/// One operation of RFC 6902.
fn apply(object: &mut Value, operation: &Value) {
    let path = operation["path"].as_str().unwrap();
    let (parent, last) = path.rsplit_once('/').unwrap();
    let value = operation["value"].clone();
    if operation["op"] == "test" {
        assert_eq!(object.pointer(path), Some(&value), "{operation}");
        return;
    }
    let parent = object.pointer_mut(parent).unwrap_or_else(|| panic!("no {path}"));
    match (operation["op"].as_str().unwrap(), parent) {
        ("add", Value::Array(items)) if last == "-" => items.push(value),
        ("add", Value::Array(items)) => items.insert(last.parse().unwrap(), value),
        ("remove", Value::Array(items)) => drop(items.remove(last.parse().unwrap())),
        ("replace", Value::Array(items)) => items[last.parse::<usize>().unwrap()] = value,
        ("add", Value::Object(map)) => {
            let before = map.insert(last.to_owned(), value);
            assert!(before.is_none_or(|it| it == json!([])), "{operation} replaces");
        }
        _ => panic!("{operation}"),
    }
}

fn container(object: &mut Value) -> &mut Value {
    &mut object["spec"]["template"]["spec"]["containers"][0]
}

fn append(objects: &mut [Value], components: &[Component], arguments: &[&str]) {
    for object in objects {
        let is_one = components
            .iter()
            .any(|component| object["metadata"]["name"] == component.name());
        if object["kind"] == "Deployment" && is_one {
            let args = container(object)["args"].as_array_mut().unwrap();
            args.extend(arguments.iter().map(|argument| json!(argument)));
        }
    }
}

/// Nothing that was asked for and was not left fails; nothing is worse than before.
fn assert_repaired(before: &PolicyPosture, after: &PolicyPosture, remedy: &Remedy) {
    let left: BTreeSet<&str> = remedy.left.iter().map(|left| left.id).collect();
    for (was, is) in before.controls.iter().zip(&after.controls) {
        let (id, failed) = (is.control.id, was.result == ControlResult::Fail);
        let fails = is.result == ControlResult::Fail;
        if is.control.repair().is_some() && !left.contains(id) {
            assert!(!fails, "{id} still fails: {}", is.message);
        }
        // Rights that somebody gets by the change are told before it.
        let is_told = id == "FSP-MT-009" && remedy.documents.iter().any(|it| !it.impact.opens.is_empty());
        assert!(
            !fails || is_told || failed && is.findings <= was.findings,
            "{id} is worse: {}",
            is.message
        );
        let passed = was.result == ControlResult::Pass;
        assert!(
            !passed || is.result == ControlResult::Pass,
            "{id} does not pass any more: {}",
            is.message
        );
    }
}

/// Patches of kustomize and of FluxInstances, applied and audited again.
fn assert_patches(objects: &[Value]) -> Remedy {
    let (remedy, patched) = patched(objects);
    let again = remedy_of(&running(&patched), &[]);
    assert_eq!(documents(&again), Vec::<Value>::new(), "{}", again.text());
    remedy
}

/// The patches, and what they make of these objects.
fn patched(objects: &[Value]) -> (Remedy, Vec<Value>) {
    let before = audited(&running(objects));
    let remedy = remedy_of(&running(objects), &[]);
    let mut fleet = objects.to_vec();
    for (document, about) in documents(&remedy).into_iter().zip(&remedy.documents) {
        let patches = match document["kind"].as_str() {
            Some("FluxInstance") => &document["spec"]["kustomize"]["patches"],
            _ => &document["patches"],
        };
        // Each document goes into the repository, or the object, of one installation.
        let is_its = |object: &Value| {
            let namespace = object["metadata"]["namespace"].as_str().unwrap_or("flux-system");
            about.about[0].contains(&format!(" {namespace}"))
        };
        let (mut its, others): (Vec<Value>, Vec<Value>) = fleet.into_iter().partition(is_its);
        patch(&mut its, patches);
        flux_operator_applies(&mut its, &document["spec"]["cluster"]);
        if document["multitenancy"]["enabled"] == true {
            append(
                &mut its,
                &[Component::FluxOperator],
                &["--default-service-account=flux-operator"],
            );
        }
        fleet = its.into_iter().chain(others).collect();
    }
    let after = audited(&running(&fleet));
    assert_repaired(&before, &after, &remedy);
    (remedy, fleet)
}

/// What flux-operator makes of fields of `spec.cluster`.
fn flux_operator_applies(objects: &mut [Value], cluster: &Value) {
    let account = cluster["tenantDefaultServiceAccount"]
        .as_str()
        .unwrap_or("default");
    if cluster["multitenant"] == true {
        let referring = [&shapes::REFERRING[..], &[Component::SourceWatcher]].concat();
        append(objects, &referring, &["--no-cross-namespace-refs=true"]);
        append(objects, &[Kustomize], &["--no-remote-bases=true"]);
        append(
            objects,
            &[Kustomize, Helm],
            &[&format!("--default-service-account={account}")],
        );
        for object in objects
            .iter_mut()
            .filter(|it| it["kind"] == "Kustomization" && it["metadata"]["namespace"] == "flux-system")
        {
            object["spec"]["serviceAccountName"] = json!("kustomize-controller");
        }
    }
    if cluster["multitenantWorkloadIdentity"] == true {
        assert_eq!(cluster["objectLevelWorkloadIdentity"], true);
        for object in objects.iter_mut().filter(|object| object["kind"] == "Deployment") {
            for argument in container(object)["args"].as_array_mut().unwrap() {
                if argument == "--feature-gates=ObjectLevelWorkloadIdentity=false" {
                    *argument = json!("--feature-gates=ObjectLevelWorkloadIdentity=true");
                }
            }
        }
        let users = [Source, Notification, Component::ImageReflector, ImageAutomation];
        append(objects, &users, &["--default-service-account=default"]);
        append(
            objects,
            &[Kustomize],
            &["--default-decryption-service-account=default"],
        );
        append(
            objects,
            &[Kustomize, Helm],
            &["--default-kubeconfig-service-account=default"],
        );
    }
    for object in objects
        .iter_mut()
        .filter(|object| object["kind"] == "FluxInstance")
    {
        for (field, value) in cluster.as_object().into_iter().flatten() {
            object["spec"]["cluster"][field] = value.clone();
        }
    }
}

/// Objects of tenants that a lock-down breaks, and others that it does not.
fn tenants() -> Vec<Value> {
    shapes::documents(
        "
apiVersion: v1
kind: Namespace
metadata: {name: team-b, labels: {toolkit.fluxcd.io/tenant: team-b}}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: borrowed, namespace: team-b}
spec: {prune: true, serviceAccountName: deployer, sourceRef: {kind: GitRepository, name: app, namespace: team-a}}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: remote, namespace: team-b}
spec: {prune: true, sourceRef: {kind: GitRepository, name: app}, kubeConfig: {secretRef: {name: kubeconfig}}}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: own, namespace: team-b}
spec: {prune: true, serviceAccountName: deployer, sourceRef: {kind: GitRepository, name: app}}
---
apiVersion: notification.toolkit.fluxcd.io/v1beta3
kind: Alert
metadata: {name: all, namespace: team-b}
spec: {providerRef: {name: chat}, eventSources: [{kind: Kustomization, name: '*'}, {kind: Kustomization, name: '*', namespace: team-a}]}
",
    )
}

#[test]
fn bootstrap() {
    let mut objects = installed(&shapes::bootstrap(shapes::RELEASE));
    objects.extend(tenants());
    append(
        &mut objects,
        &[Kustomize],
        &[
            "--insecure-kubeconfig-exec=true",
            "--concurrent=7",
            "--concurrent=9",
        ],
    );
    append(
        &mut objects,
        &[Helm],
        &[
            "--feature-gates=AllowDNSLookups=true,OOMWatch=true",
            "--log-level",
            "debug",
        ],
    );
    let remedy = assert_patches(&objects);
    insta::assert_snapshot!(remedy.text());
}

#[test]
fn every_minor_of_flux() {
    for release in shapes::minors() {
        let mut objects = installed(&shapes::bootstrap(&release.flux.to_string()));
        append(&mut objects, &[Kustomize], &["--insecure-kubeconfig-tls"]);
        assert_patches(&objects);
    }
}

/// The shards of a controller are patched apart from it, and by its name nevertheless only once.
#[test]
fn shards() {
    let remedy = assert_patches(&installed(&shapes::shards()));
    let patches = documents(&remedy)[0]["patches"].clone();
    let named = |name: &str| {
        let mut patches = patches.as_array().unwrap().iter();
        patches.find(|patch| patch["target"]["name"] == name).unwrap()["target"].clone()
    };
    assert_eq!(
        named("kustomize-controller")["annotationSelector"],
        format!("!{SHARD_ROLE}")
    );
    assert_eq!(
        named("kustomize-controller-shard1")["annotationSelector"],
        Value::Null
    );
    assert_eq!(
        named("notification-controller")["annotationSelector"],
        Value::Null
    );
}

/// FSP-RES-005: a shard that is weaker than its main controller gets what that has, with the account's own name.
#[test]
fn weak_shards() {
    let mut objects = installed(&shapes::shards());
    append(
        &mut objects,
        &shapes::REFERRING,
        &["--no-cross-namespace-refs=true"],
    );
    append(&mut objects, &[Kustomize], &["--no-remote-bases=true"]);
    append(
        &mut objects,
        &[Kustomize, Helm],
        &["--default-service-account=nobody"],
    );
    let remedy = assert_patches(&objects);
    assert!(
        remedy.text().contains("# FSP-MT-008, FSP-RES-005"),
        "{}",
        remedy.text()
    );
    assert!(remedy.text().contains("value: --default-service-account=nobody"));
    assert!(
        !remedy.text().contains("--default-service-account=default"),
        "{}",
        remedy.text()
    );
}

/// Several installations: each has a document.
#[test]
fn hand_made() {
    let remedy = assert_patches(&installed(&shapes::hand_made()));
    insta::assert_snapshot!(remedy.text());
}

#[test]
fn locked_down() {
    assert_patches(&installed(&shapes::locked_down()));
}

/// A field moves the arguments that patches change: those wait for another time.
#[test]
fn flux_instance() {
    let mut objects = installed(&shapes::flux_instance());
    objects.extend(shapes::documents(
        "
apiVersion: fluxcd.controlplane.io/v1
kind: FluxInstance
metadata: {name: flux, namespace: flux-system, generation: 1}
spec: {distribution: {version: 2.9.x}, cluster: {networkPolicy: false}, sync: {url: 'https://git.example.com/fleet'}}
status: {conditions: [{type: Ready, status: 'True', observedGeneration: 1}]}
",
    ));
    append(
        &mut objects,
        &[Kustomize],
        &["--feature-gates=CacheSecretsAndConfigMaps=true"],
    );
    let (remedy, objects) = patched(&objects);
    insta::assert_snapshot!(remedy.text());
    let remedy = assert_patches(&objects);
    assert!(
        remedy.text().contains("CacheSecretsAndConfigMaps=false"),
        "{}",
        remedy.text()
    );
}

/// What a patch of its own weakens is changed there.
#[test]
fn flux_instance_that_weakens_itself() {
    let mut objects = installed(&shapes::flux_instance_multitenant());
    objects.extend(shapes::documents(
        "
apiVersion: fluxcd.controlplane.io/v1
kind: FluxInstance
metadata: {name: flux, namespace: flux-system, generation: 1}
spec:
  distribution: {version: 2.9.x}
  cluster: {multitenant: true}
  kustomize:
    patches:
      - target: {kind: Deployment, name: kustomize-controller}
        patch: |
          - op: add
            path: /spec/template/spec/containers/0/args/-
            value: --insecure-kubeconfig-exec=true
",
    ));
    append(&mut objects, &[Kustomize], &["--insecure-kubeconfig-exec=true"]);
    let text = remedy_of(&running(&objects), &["FSP-KUST-001"]).text();
    let expected = "#   FSP-KUST-001: FluxInstance flux-system/flux: change it in spec.kustomize.patches[0], which sets it\n";
    assert!(
        text.starts_with(&format!("# No patch for these:\n{expected}")),
        "{text}"
    );
}

/// One flag that its patches set makes the field set it twice: patches it is.
#[test]
fn flux_instance_with_patches_of_its_own() {
    let mut objects = installed(&shapes::flux_instance());
    objects.extend(shapes::documents(
        "
apiVersion: fluxcd.controlplane.io/v1
kind: FluxInstance
metadata: {name: flux, namespace: flux-system}
spec: {distribution: {version: 2.9.x}}
",
    ));
    append(&mut objects, &[Helm], &["--no-cross-namespace-refs=true"]);
    let remedy = assert_patches(&objects);
    let text = remedy.text();
    assert!(!text.contains("multitenant: true"), "{text}");
    assert!(
        text.contains(
            "# No patch for these:\n#   FSX-OPR-004: spec.cluster.multitenant would set flags twice"
        ),
        "{text}"
    );
}

#[test]
fn flux_instances_of_every_shape() {
    for shape in [
        shapes::flux_instance_multitenant(),
        shapes::flux_instance_workload_identity(),
        shapes::flux_instance_sized(),
        shapes::flux_instance_sharded(),
    ] {
        assert_patches(&installed(&shape));
    }
}

/// Of one control that is named, the field that sets more is not taken.
#[test]
fn a_named_control_alone_is_repaired() {
    let objects = running(&installed(&shapes::flux_instance()));
    let text = remedy_of(&objects, &["FSP-KUST-003"]).text();
    assert!(text.contains("value: --no-remote-bases=true"), "{text}");
    assert!(
        !text.contains("multitenant") && !text.contains("cross-namespace"),
        "{text}"
    );
}

/// Values of the community chart, as it renders them.
fn chart_renders(pristine: &Shape, values: &Value) -> Vec<Value> {
    const KEYS: [(&str, Component); 7] = [
        ("sourceController", Source),
        ("kustomizeController", Kustomize),
        ("helmController", Helm),
        ("notificationController", Notification),
        ("imageReflectionController", Component::ImageReflector),
        ("imageAutomationController", ImageAutomation),
        ("sourceWatcher", Component::SourceWatcher),
    ];
    let mut objects = installed(pristine);
    for object in objects.iter_mut().filter(|object| object["kind"] == "Deployment") {
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        let Some((key, component)) = KEYS.iter().find(|(_, it)| it.name() == name) else {
            continue;
        };
        let args = container(object)["args"].as_array_mut().unwrap();
        let mut lock = Vec::new();
        if values["multitenancy"]["enabled"] == true && shapes::REFERRING.contains(component) {
            lock.push(json!("--no-cross-namespace-refs=true"));
            if matches!(component, Kustomize | Helm) {
                let account = values["multitenancy"]["defaultServiceAccount"].as_str().unwrap();
                lock.push(json!(format!("--default-service-account={account}")));
            }
        }
        args.splice(0..0, lock);
        if let Some(level) = values["logLevel"].as_str() {
            let is_level = |it: &Value| it.as_str().unwrap().starts_with("--log-level=");
            let at = args.iter().position(is_level).unwrap();
            args[at] = json!(format!("--log-level={level}"));
        }
        let more = values[key]["container"]["additionalArgs"].as_array();
        args.extend(more.into_iter().flatten().cloned());
    }
    objects
}

/// As Helm merges values: maps are merged, anything else is replaced.
fn merge(values: &mut Value, more: &Value) {
    match (values, more) {
        (Value::Object(values), Value::Object(more)) => {
            for (key, value) in more {
                merge(values.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (values, more) => *values = more.clone(),
    }
}

#[test]
fn chart() {
    let mut values = json!({
        "logLevel": "debug",
        "kustomizeController": {"container": {"additionalArgs": ["--concurrent=8", "--insecure-kubeconfig-exec", "--requeue-dependency=5s"]}},
        "helmController": {"container": {"additionalArgs": ["--feature-gates=AllowDNSLookups=true"]}},
    });
    let pristine = shapes::chart();
    let objects = running(&chart_renders(&pristine, &values));
    let before = audited(&objects);
    let remedy = remedy_of(&objects, &[]);
    insta::assert_snapshot!(remedy.text());
    let [more] = &documents(&remedy)[..] else {
        panic!("{}", remedy.text())
    };
    merge(&mut values, more);
    let objects = running(&chart_renders(&pristine, &values));
    assert_repaired(&before, &audited(&objects), &remedy);
    assert!(remedy_of(&objects, &[]).documents.is_empty());
    let kept = container(
        &mut objects
            .into_iter()
            .find(|it| it["kind"] == "Deployment" && it["metadata"]["name"] == "kustomize-controller")
            .unwrap(),
    )["args"]
        .clone();
    let kept: Vec<&str> = kept
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    for argument in [
        "--concurrent=8",
        "--requeue-dependency=5s",
        "--insecure-kubeconfig-exec=false",
    ] {
        assert_eq!(kept.iter().filter(|it| **it == argument).count(), 1, "{kept:?}");
    }
}

/// Where one of its flags comes from values already, the switch would set it twice.
#[test]
fn chart_with_a_flag_of_its_own() {
    let mut values =
        json!({"helmController": {"container": {"additionalArgs": ["--no-cross-namespace-refs=true"]}}});
    let pristine = shapes::chart();
    let objects = running(&chart_renders(&pristine, &values));
    let before = audited(&objects);
    let remedy = remedy_of(&objects, &[]);
    let [more] = &documents(&remedy)[..] else {
        panic!("{}", remedy.text())
    };
    assert_eq!(more["multitenancy"], Value::Null);
    merge(&mut values, more);
    let objects = running(&chart_renders(&pristine, &values));
    assert_repaired(&before, &audited(&objects), &remedy);
}

/// The shape has the settings that the extension makes by default; without them, its setting makes them.
#[test]
fn aks() {
    let shape = shapes::aks();
    let open = without(
        &installed(&shape),
        &["--no-cross-namespace-refs", "--default-service-account"],
    );
    let remedy = remedy_of(&running(&open), &[]);
    insta::assert_snapshot!(remedy.text());
    let settings = &documents(&remedy)[0]["configurationSettings"];
    assert_eq!(settings["multiTenancy.enforce"], "true");
    let mut patched = installed(&shape);
    if settings["kustomize-controller.strict-substitution-mode"] == "true" {
        append(
            &mut patched,
            &[Kustomize],
            &["--feature-gates=StrictPostBuildSubstitutions=true"],
        );
    }
    assert_repaired(&audited(&running(&open)), &audited(&running(&patched)), &remedy);
    assert!(remedy_of(&running(&patched), &[]).documents.is_empty());
}

/// The shape is that of its restricted profile.
#[test]
fn all_in_one() {
    let locks = [
        "--no-cross-namespace-refs",
        "--default-service-account",
        "--no-remote-bases",
    ];
    let restricted = installed(&shapes::all_in_one());
    let mut open = without(&restricted, &locks);
    for object in open
        .iter_mut()
        .filter(|it| it["kind"] == "Deployment" && it["metadata"]["name"] == "flux")
    {
        let containers = object["spec"]["template"]["spec"]["containers"]
            .as_array_mut()
            .unwrap();
        containers[2]["args"]
            .as_array_mut()
            .unwrap()
            .push(json!("--feature-gates=AllowDNSLookups=true,OOMWatch=true"));
    }
    let remedy = remedy_of(&running(&open), &[]);
    insta::assert_snapshot!(remedy.text());
    let values = &documents(&remedy)[0]["values"];
    assert_eq!(values["securityProfile"], "restricted");
    assert_eq!(
        values["controllers"]["helm"]["featureGates"],
        "AllowDNSLookups=false,OOMWatch=true"
    );
    assert_repaired(
        &audited(&running(&open)),
        &audited(&running(&restricted)),
        &remedy,
    );
}

fn without(objects: &[Value], flags: &[&str]) -> Vec<Value> {
    let mut objects = objects.to_vec();
    for object in objects.iter_mut().filter(|object| object["kind"] == "Deployment") {
        let containers = object["spec"]["template"]["spec"]["containers"]
            .as_array_mut()
            .unwrap();
        for container in containers {
            if let Some(args) = container["args"].as_array_mut() {
                args.retain(|argument| {
                    !flags
                        .iter()
                        .any(|flag| argument.as_str().unwrap().starts_with(flag))
                });
            }
        }
    }
    objects
}

/// The pre-flight and the controls know the same: what FSP-MT-012 says of tenants' references, and what FSP-MT-010 says of
/// accounts, breaks.
#[test]
fn the_pre_flight_agrees_with_the_controls() {
    let mut objects = installed(&shapes::bootstrap(shapes::RELEASE));
    objects.extend(tenants());
    let before = audited(&running(&objects));
    let remedy = remedy_of(&running(&objects), &[]);
    let impacts = || remedy.documents.iter().map(|document| &document.impact);
    let breaks: BTreeSet<String> = impacts()
        .flat_map(|impact| impact.breaks.iter().chain(&impact.may_break))
        .map(|it| format!("{} {}", it.kind, it.key))
        .collect();
    let told: BTreeSet<String> = before
        .findings
        .iter()
        .map(|it| &it.finding)
        .filter(|it| {
            it.control == "FSP-MT-012" || it.control == "FSP-MT-010" && it.observed.contains("is not set")
        })
        .map(|it| {
            format!(
                "{} {}/{}",
                it.resource.kind, it.resource.namespace, it.resource.name
            )
        })
        .collect();
    assert_eq!(breaks, told);
    assert!(
        told.contains("Alert team-b/all") && told.contains("HelmRelease team-a/cache"),
        "{told:?}"
    );
    // Flux itself gets an account by the same change.
    assert!(!breaks.contains("Kustomization flux-system/flux-system"));
    let root = "kind: Kustomization\n      name: flux-system\n";
    assert!(remedy.text().contains(root), "{}", remedy.text());
}

/// What pods do that their template does not ask for is repaired by no patch of the template.
#[test]
fn pods_that_differ_are_told() {
    let args = ["--no-remote-bases=true"];
    let deployment = support::deployment("kustomize-controller", "1.9.4", &args);
    let pod = support::pod(
        "kustomize-controller",
        "1.9.4",
        &["--no-remote-bases=false"],
        true,
    );
    let remedy = remedy_of(&[deployment, pod], &["FSP-KUST-003"]);
    assert!(remedy.documents.is_empty(), "{}", remedy.text());
    assert!(remedy.text().contains("its pods do not"), "{}", remedy.text());
    let alone = support::pod("kustomize-controller", "1.9.4", &[], true);
    let remedy = remedy_of(&[alone], &["FSP-KUST-003"]);
    assert!(remedy.text().contains("is not seen"), "{}", remedy.text());
}

/// No name, no argument and no reference of others leaves its place: the text stays YAML, and says what it should.
#[test]
fn hostile_text_stays_where_it_is() {
    let nasty = "--events-addr=\"'\n# x\u{202e}\n- op: remove\n  path: /spec\n...\n---\n{{ }}";
    let mut deployment = support::deployment("kustomize-controller", "1.9.4", &[]);
    let args = container(&mut deployment)["args"].as_array_mut().unwrap();
    args.push(json!(nasty));
    args.push(json!("--insecure-kubeconfig-exec=t"));
    let mut alert = tenants().pop().unwrap();
    alert["spec"]["eventSources"][1]["namespace"] = json!("a\n- op: remove\u{1b}[31m");
    let objects = [
        deployment,
        support::deployment("notification-controller", "1.9.3", &[]),
        alert,
    ];
    let remedy = remedy_of(&objects, &[]);
    let text = remedy.text();
    assert!(text.chars().all(|it| it == '\n' || !it.is_control()), "{text}");
    let mut patched = objects.to_vec();
    patch(&mut patched, &documents(&remedy)[0]["patches"]);
    let args = container(&mut patched[0])["args"].clone();
    assert_eq!(args[3], nasty);
    assert_eq!(args[4], "--insecure-kubeconfig-exec=false");
}

/// Whatever a command line looks like, a patch that is given repairs it, in a container of any place, and does nothing else.
#[test]
fn odd_command_lines_are_repaired_or_left() {
    const WORDS: &str = "--no-remote-bases --no-remote-bases=false --no-remote-bases=F --no-cross-namespace-refs=0 \
        --no-cross-namespace-refs false -- - --default-service-account --default-service-account= \
        --default-service-account=x --log-level debug --log-level=trace --insecure-kubeconfig-exec \
        --insecure-kubeconfig-exec=T --insecure-kubeconfig-tls=1 $(BAD) $$(BAD) --concurrent=3 --concurrent \
        --feature-gates=StrictPostBuildSubstitutions=false --feature-gates CacheSecretsAndConfigMaps=true";
    const COMMANDS: [&str; 4] = [
        "",
        "",
        "/sbin/tini -- kustomize-controller",
        "/usr/local/bin/kustomize-controller",
    ];
    const VERSIONS: [&str; 4] = ["1.9.4", "1.8.5", "1.6.1", "1.10.1"];
    let all: Vec<&str> = WORDS.split_whitespace().collect();
    let mut random = Random(42);
    let (mut repaired, mut left) = (0, 0);
    for _ in 0..200 {
        let version = *random.pick(&VERSIONS);
        let mut deployment = support::deployment("kustomize-controller", version, &[]);
        let manager = container(&mut deployment);
        let words = |random: &mut Random, most: usize| -> Vec<Value> {
            (0..random.below(most))
                .map(|_| json!(random.pick(&all)))
                .collect()
        };
        let command = random.pick(&COMMANDS).split_whitespace();
        let mut command: Vec<Value> = command.map(|word| json!(word)).collect();
        if !command.is_empty() {
            command.extend(words(&mut random, 4));
            manager["command"] = json!(command);
        }
        match random.below(4) {
            0 if !command.is_empty() => drop(manager.as_object_mut().unwrap().remove("args")),
            1 => manager["args"] = json!([]),
            _ => manager["args"] = json!(words(&mut random, 7)),
        }
        manager["env"]
            .as_array_mut()
            .unwrap()
            .push(json!({"name": "BAD", "value": "--insecure-kubeconfig-tls=true"}));
        if random.one_in(2) {
            let containers = deployment["spec"]["template"]["spec"]["containers"]
                .as_array_mut()
                .unwrap();
            containers.insert(
                0,
                json!({"name": "proxy", "image": "envoy:1", "args": ["--log-level=trace"]}),
            );
        }
        let objects = [deployment];
        let before = audited(&objects);
        let remedy = remedy_of(&objects, &[]);
        let mut patched = objects.to_vec();
        for document in documents(&remedy) {
            patch(&mut patched, &document["patches"]);
        }
        assert_repaired(&before, &audited(&patched), &remedy);
        let again = remedy_of(&patched, &[]);
        assert!(
            again.documents.is_empty(),
            "{objects:?}\n{}\n{}",
            remedy.text(),
            again.text()
        );
        repaired += usize::from(!remedy.documents.is_empty());
        left += usize::from(!remedy.left.is_empty());
    }
    assert!(repaired > 60 && left > 10, "{repaired} {left}");
}

fn fluxsec(arguments: &[&str], kubeconfig: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fluxsec"))
        .arg("remediate")
        .args(arguments)
        .env("KUBECONFIG", kubeconfig)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A Deployment that is no patch of one.
fn whole(controller: &str, args: &[&str]) -> String {
    let mut deployment = support::deployment(controller, "1.9.4", args);
    deployment["spec"]["selector"] = json!({"matchLabels": {"app": controller}});
    deployment.to_string()
}

const NOWHERE: &str = "/nowhere/kubeconfig";

#[test]
fn the_command_line_names_what_it_does_not_know() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kustomize-controller.yaml");
    fs::write(&file, whole("kustomize-controller", &[])).unwrap();
    let run = |arguments: &[&str]| {
        fluxsec(
            &[arguments, &["-f", file.to_str().unwrap()]].concat(),
            Path::new(NOWHERE),
        )
    };

    let unknown = run(&["FSP-KUST-003", "FSP-NONE-001"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("there is no control \"FSP-NONE-001\""));
    assert!(unknown.stdout.is_empty());
    let account = run(&["--account", "a b"]);
    assert_eq!(account.status.code(), Some(2));

    let one = run(&["fsp-kust-003"]);
    assert_eq!(one.status.code(), Some(0), "{}", text(&one.stderr));
    let out = text(&one.stdout);
    assert!(out.contains("value: --no-remote-bases=true"), "{out}");
    assert!(out.contains(&format!("of {}", file.display())), "{out}");
    assert!(
        text(&one.stderr).contains("nothing that is seen here breaks with this change"),
        "{}",
        text(&one.stderr)
    );

    // What no patch repairs is said with what a person can do.
    let by_hand = run(&["FSX-VER-003", "FSP-MT-008"]);
    let out = text(&by_hand.stdout);
    assert!(
        out.starts_with("# No patch for these:\n#   FSP-MT-008: it does not fail: NotApplicable"),
        "{out}"
    );
    let version = controls::find("FSX-VER-003").unwrap();
    assert!(out.contains("FSX-VER-003") && !out.contains("patches:"), "{out}");
    assert!(!version.remediation.is_empty());

    let named = run(&["FSP-MT-008", "--tenancy", "shared", "--account", "nobody"]);
    assert!(text(&named.stdout).contains("value: --default-service-account=nobody"));
}

/// What a waiver covers is left as it is, and so is an object that it covers among others.
#[test]
fn what_is_waived_is_not_repaired() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let controllers = ["kustomize-controller", "helm-controller"].map(|it| whole(it, &["--log-level=debug"]));
    fs::write(path("flux.yaml"), controllers.join("\n---\n")).unwrap();
    let waiver = Command::new(env!("CARGO_BIN_EXE_fluxsec"))
        .args([
            "waive",
            "FSX-CFG-003",
            "--resource",
            "Deployment/flux-system/helm-controller",
        ])
        .args([
            "--reason",
            "until the case is closed",
            "--owner",
            "platform",
            "--expires",
            "30d",
        ])
        .output()
        .unwrap();
    assert!(waiver.status.success(), "{}", text(&waiver.stderr));
    fs::write(path("waiver.yaml"), waiver.stdout).unwrap();
    let (flux, waiver) = (path("flux.yaml"), path("waiver.yaml"));
    let arguments = [
        "FSX-CFG-003",
        "-f",
        flux.to_str().unwrap(),
        "--waivers",
        waiver.to_str().unwrap(),
    ];
    let output = fluxsec(&arguments, Path::new(NOWHERE));
    let out = text(&output.stdout);
    assert_eq!(
        out.matches("- target:").count(),
        1,
        "{out}{}",
        text(&output.stderr)
    );
    assert!(out.contains("name: kustomize-controller"), "{out}");
}

/// Clusters in folders of one repository: each its own document, with its file.
#[test]
fn each_cluster_of_a_repository_has_its_document() {
    let folder = tempfile::tempdir().unwrap();
    for (cluster, args) in [("one", &[][..]), ("two", &["--no-remote-bases=false"])] {
        let path = folder.path().join(cluster);
        fs::create_dir_all(&path).unwrap();
        fs::write(
            path.join("gotk-components.yaml"),
            whole("kustomize-controller", args),
        )
        .unwrap();
    }
    let output = fluxsec(&["-f", folder.path().to_str().unwrap()], Path::new(NOWHERE));
    let out = text(&output.stdout);
    let (one, two) = out.split_once("---\n").unwrap();
    assert!(
        one.contains("one/gotk-components.yaml") && one.contains("op: add"),
        "{out}"
    );
    assert!(
        two.contains("two/gotk-components.yaml") && two.contains("op: replace"),
        "{out}"
    );
}

/// The manifests as they are applied, without what the API server writes into them.
fn dump(control_plane: &ControlPlane) -> BTreeMap<String, Value> {
    let kinds = "deployments,statefulsets,services,serviceaccounts,networkpolicies,resourcequotas,namespaces,\
                 clusterroles,clusterrolebindings,customresourcedefinitions,kustomizations,gitrepositories,helmreleases";
    let list = control_plane.get(&["-A", kinds]).unwrap();
    let objects = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .cloned()
        .map(|mut object| {
            let metadata = object["metadata"].as_object_mut().unwrap();
            for written in ["resourceVersion", "generation", "managedFields", "annotations"] {
                metadata.remove(written);
            }
            object.as_object_mut().unwrap().remove("status");
            let name = format!(
                "{} {}/{}",
                object["kind"], object["metadata"]["namespace"], object["metadata"]["name"]
            );
            (name, object)
        });
    objects.collect()
}

/// The report of `fluxsec audit`.
fn report(control_plane: &ControlPlane) -> BTreeMap<String, (String, u64)> {
    let output = Command::new(env!("CARGO_BIN_EXE_fluxsec"))
        .args(["audit", "-o", "json", "--tenancy", "shared"])
        .env("KUBECONFIG", control_plane.admin())
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = report["status"]["controls"].as_array().unwrap().iter();
    let row = |row: &Value| {
        let result = row["result"].as_str().unwrap().to_owned();
        (
            row["id"].as_str().unwrap().to_owned(),
            (result, row["findings"].as_u64().unwrap_or(0)),
        )
    };
    rows.map(row).collect()
}

/// On a real API server, with the program, through kubectl: a cluster that came from these manifests is patched in its
/// repository, built by kustomize, and applied.
fn assert_patched_by_kubectl(manifests: &str, sync: &str) {
    let control_plane = ControlPlane::start().unwrap();
    let repository = tempfile::tempdir().unwrap();
    let file = |name: &str| repository.path().join(name);
    fs::write(file("gotk-components.yaml"), manifests).unwrap();
    fs::write(file("gotk-sync.yaml"), sync).unwrap();
    let apply = || {
        let built = control_plane
            .kubectl(&["kustomize", repository.path().to_str().unwrap()])
            .unwrap();
        control_plane.apply(&built).unwrap();
        control_plane
            .kubectl(&["wait", "--for=condition=Established", "crd", "--all"])
            .unwrap();
        built
    };
    fs::write(file("kustomization.yaml"), "resources: [gotk-components.yaml]\n").unwrap();
    apply();
    fs::write(
        file("kustomization.yaml"),
        "resources: [gotk-components.yaml, gotk-sync.yaml]\n",
    )
    .unwrap();
    apply();
    let (objects, before) = (dump(&control_plane), report(&control_plane));

    let output = fluxsec(&["--tenancy", "shared"], control_plane.admin());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let patch = text(&output.stdout);
    let kustomization = patch.split("---\n").next().unwrap();
    assert!(kustomization.contains("\npatches:\n"), "{patch}");
    let left = patch.split("---\n").nth(1).unwrap_or_default().to_owned();
    fs::write(file("kustomization.yaml"), kustomization).unwrap();
    apply();

    let after = report(&control_plane);
    let mut repaired = 0;
    for (id, (was, found)) in &before {
        let (is, finds) = &after[id];
        let control = controls::find(id).unwrap();
        if control.repair().is_some() && was == "Fail" && !left.contains(id.as_str()) {
            assert_eq!(is, "Pass", "{id}");
            repaired += 1;
        }
        assert!(
            is != "Fail" || was == "Fail" && finds <= found,
            "{id} is worse: {was} {found}, {is} {finds}"
        );
        assert!(was != "Pass" || is == "Pass", "{id}: {was}, {is}");
    }
    assert!(repaired >= 8, "{repaired}");

    let (mut changed, now) = (Vec::new(), dump(&control_plane));
    assert!(objects.keys().eq(now.keys()));
    for (name, mut object) in now {
        let mut known = objects[&name].clone();
        for object in [&mut object, &mut known] {
            if name.contains("Deployment") {
                container(object).as_object_mut().unwrap().remove("args");
            } else if name == "\"Kustomization\" \"flux-system\"/\"flux-system\"" {
                object["spec"]
                    .as_object_mut()
                    .unwrap()
                    .remove("serviceAccountName");
            }
        }
        if object != known {
            changed.push(name);
        }
    }
    assert_eq!(changed, Vec::<String>::new());

    let again = fluxsec(&["--tenancy", "shared"], control_plane.admin());
    assert!(
        !text(&again.stdout).contains("patches:"),
        "{}",
        text(&again.stdout)
    );
}

const SYNC: &str = include_str!("shapes/sync.yaml");
const DRIFT: [(&str, &str); 3] = [
    ("kustomize-controller", "--insecure-kubeconfig-exec=true"),
    ("helm-controller", "--feature-gates=AllowDNSLookups=true"),
    ("source-controller", "--log-level=debug"),
];

/// Manifests with wrong arguments in them.
fn drifted(manifests: &str) -> String {
    let mut objects = shapes::documents(manifests);
    for object in objects.iter_mut().filter(|object| object["kind"] == "Deployment") {
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        let args = container(object)["args"].as_array_mut().unwrap();
        args.extend(
            DRIFT
                .iter()
                .filter(|(controller, _)| *controller == name)
                .map(|(_, it)| json!(it)),
        );
    }
    let documents: Vec<String> = objects
        .iter()
        .filter(|it| !it.is_null())
        .map(Value::to_string)
        .collect();
    documents.join("\n---\n")
}

/// A root Kustomization as the API server takes it.
fn sync() -> String {
    SYNC.replace("spec: {url", "spec: {interval: 1m, url")
        .replace("spec:\n  sourceRef", "spec:\n  interval: 10m\n  sourceRef")
}

#[test]
fn kubectl_applies_the_patch_of_an_installation() {
    assert_patched_by_kubectl(&drifted(&flux::manifests().unwrap()), &sync());
}

/// Full renderings of `flux install`, where they are at hand beside the crate.
#[test]
fn kubectl_applies_the_patch_of_a_real_rendering() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/flux");
    for file in ["install-v2.9.4.yaml", "install-v2.4.0.yaml"] {
        if let Ok(manifests) = fs::read_to_string(folder.join(file)) {
            assert_patched_by_kubectl(&drifted(&manifests), &sync());
        }
    }
}

/// What kustomize builds of a folder.
fn kustomize(folder: &Path) -> Vec<Value> {
    let kubectl = programs::core().unwrap().join("kubectl");
    let output = Command::new(kubectl)
        .arg("kustomize")
        .arg(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    shapes::documents(&text(&output.stdout))
}

/// What flux-operator rendered, and what kustomize makes of the patches for its FluxInstance.
#[test]
fn kustomize_builds_the_patches_of_a_flux_instance() {
    let mut objects = installed(&shapes::flux_instance_sharded());
    append(&mut objects, &[Kustomize], &["--insecure-kubeconfig-exec=true"]);
    let is_controller = |it: &&Value| it["kind"] == "Deployment" && it["metadata"]["name"] != "flux-operator";
    let folder = tempfile::tempdir().unwrap();
    let controllers: Vec<String> = objects
        .iter()
        .filter(is_controller)
        .map(Value::to_string)
        .collect();
    fs::write(folder.path().join("installed.yaml"), controllers.join("\n---\n")).unwrap();
    let remedy = remedy_of(&running(&objects), &[]);
    let patches = documents(&remedy)[0]["spec"]["kustomize"]["patches"].clone();
    let kustomization = json!({"resources": ["installed.yaml"], "patches": patches});
    fs::write(
        folder.path().join("kustomization.yaml"),
        kustomization.to_string(),
    )
    .unwrap();
    let built = kustomize(folder.path());
    patch(&mut objects, &patches);
    for object in objects.iter().filter(is_controller) {
        let mut theirs = built.iter();
        let theirs = theirs.find(|it| it["metadata"]["name"] == object["metadata"]["name"]);
        assert_eq!(theirs.unwrap()["spec"], object["spec"]);
    }
}

/// A shard that kustomize makes of a controller answers to that one's name as well.
#[test]
fn kustomize_tells_a_shard_from_the_controller_that_it_is_made_of() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, content: &Value| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content.to_string()).unwrap();
    };
    let controller = whole("kustomize-controller", &[]);
    write(
        "base/controller.yaml",
        &serde_json::from_str(&controller).unwrap(),
    );
    write(
        "base/kustomization.yaml",
        &json!({"resources": ["controller.yaml"]}),
    );
    let lane = json!([
        {"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": "--watch-label-selector=sharding.fluxcd.io/key=shard1"},
        {"op": "replace", "path": "/spec/template/metadata/labels/app", "value": "kustomize-controller-shard1"},
    ]);
    let shard = json!({
        "resources": ["../base"], "nameSuffix": "-shard1", "commonAnnotations": {SHARD_ROLE: "shard"},
        "patches": [{"target": {"kind": "Deployment"}, "patch": lane.to_string()}],
    });
    write("shard1/kustomization.yaml", &shard);
    let mut flux = json!({"resources": ["../base", "../shard1"]});
    write("flux/kustomization.yaml", &flux);
    let before = kustomize(&folder.path().join("flux"));
    assert_eq!(before.len(), 2);
    let remedy = remedy_of(&before, &[]);
    flux["patches"] = documents(&remedy)[0]["patches"].clone();
    write("flux/kustomization.yaml", &flux);
    let after = kustomize(&folder.path().join("flux"));
    assert_repaired(&audited(&before), &audited(&after), &remedy);
    for object in &after {
        let args = object["spec"]["template"]["spec"]["containers"][0]["args"]
            .as_array()
            .unwrap();
        let times = args.iter().filter(|it| *it == "--no-remote-bases=true").count();
        assert_eq!(times, 1, "{object}");
    }
}
