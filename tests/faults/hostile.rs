//! Objects that are made to hurt, on a real API server: everything that it lets through. `tests/hostile.rs` has more of
//! them without one.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::ensure;
use futures::{StreamExt, stream};
use kube::Api;
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use serde_json::{Value, json};

use crate::controlplane::scenario::{PATIENCE, events, report};
use crate::controlplane::{ControlPlane, operator, wait_for};
use crate::exposition::{Series, series};
use crate::harmless::{self, is_obeyed};
use crate::scene::{CONVERGENCE, Scene, wait_for_result};
use crate::storm::{Storm, client};

/// What no object of ours exceeds.
const OBJECT: usize = 256 * 1024;
const BINDINGS: &str = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";
const TENANT: &str = "
apiVersion: v1
kind: Namespace
metadata:
  name: tenant
  labels: {pod-security.kubernetes.io/enforce: baseline}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny, namespace: tenant}
spec: {podSelector: {}, policyTypes: [Ingress]}
";

/// As many findings as a policy may ask for: more than an object of ours has room for.
const AS_MANY_AS_FIT: &str = "
apiVersion: fluxsecurity.dev/v1alpha1
kind: FluxSecurityPolicy
metadata:
  name: default
spec:
  tenancy: Shared
  report:
    maxFindings: 1000
";

/// A scene with a tenant.
fn with_tenant() -> Scene {
    let scene = Scene::begin();
    scene.control_plane.apply(TENANT).unwrap();
    scene
}

/// An object of a tenant, in the version that Flux serves.
fn object(group: &str, version: &str, kind: &str, name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": format!("{group}.toolkit.fluxcd.io/{version}"), "kind": kind,
        "metadata": {"name": name, "namespace": "tenant"}, "spec": spec,
    })
}

/// Creates an object exactly as it is written.
fn post(control_plane: &ControlPlane, path: &str, text: &str) -> anyhow::Result<()> {
    control_plane.kubectl_with(&["create", "--raw", path, "-f", "-"], text)?;
    Ok(())
}

fn patch(control_plane: &ControlPlane, resource: &str, name: &str, spec: &Value) {
    let patch = json!([{"op": "replace", "path": "/spec", "value": spec}]).to_string();
    let arguments = [
        "patch",
        resource,
        "-n",
        "tenant",
        name,
        "--type=json",
        "-p",
        &patch,
    ];
    control_plane.kubectl(&arguments).unwrap();
}

fn metric(scene: &Scene, family: &str, kind: &str) -> f64 {
    let name = format!("{family}{{kind=\"{kind}\"}}");
    scene.operator.metric(&name).unwrap().unwrap_or(-1.0)
}

fn wait_for_metric(scene: &Scene, family: &str, kind: &str, expected: f64) {
    wait_for(&format!("{family} of {kind}"), CONVERGENCE, || {
        let found = metric(scene, family, kind);
        ensure!((found - expected).abs() < f64::EPSILON, "it is {found}");
        Ok(())
    })
    .unwrap();
}

/// The row of a control.
fn row(control_plane: &ControlPlane, control: &str) -> Value {
    let report = report(control_plane).unwrap();
    let rows = report["status"]["controls"].as_array().unwrap();
    rows.iter().find(|row| row["id"] == control).unwrap().clone()
}

/// A kind whose schema admits anything as its spec.
fn relax(control_plane: &ControlPlane, crd: &str) {
    let mut definition = control_plane.get(&["crd", crd]).unwrap();
    for version in definition["spec"]["versions"].as_array_mut().unwrap() {
        version["schema"]["openAPIV3Schema"]["properties"]["spec"] =
            json!({"x-kubernetes-preserve-unknown-fields": true});
    }
    control_plane
        .kubectl_with(&["replace", "-f", "-"], &definition.to_string())
        .unwrap();
}

/// Row 30.
#[test]
#[ignore = "slow: make test-faults"]
fn an_object_that_cannot_be_decoded_is_unknown_and_blinds_no_kind() {
    const CONTROL: &str = "FSX-NOT-001";
    const PATH: &str = "/apis/notification.toolkit.fluxcd.io/v1/namespaces/tenant/receivers";
    let scene = with_tenant();
    let control_plane = &scene.control_plane;
    relax(control_plane, "receivers.notification.toolkit.fluxcd.io");
    let receiver = |name: &str, spec: &Value| {
        let text = object("notification", "v1", "Receiver", name, spec).to_string();
        wait_for("the relaxed schema", PATIENCE, || {
            post(control_plane, PATH, &text)
        })
        .unwrap();
    };
    receiver("poison", &json!(format!("hunter2{}", "x".repeat(1024 * 1024))));
    receiver("good", &json!({"type": "github"}));
    receiver("bad", &json!({"type": "generic"}));
    wait_for_metric(&scene, "flux_security_undecodable_objects", "Receiver", 1.0);
    assert!((metric(&scene, "flux_security_kind_synced", "Receiver") - 1.0).abs() < f64::EPSILON);
    // The others are judged ...
    wait_for_result(control_plane, CONTROL, "Fail", PATIENCE);
    assert_eq!(row(control_plane, CONTROL)["findings"], 1);
    // ... and what is not known is not hidden once they are good.
    patch(control_plane, "receivers", "bad", &json!({"type": "gitlab"}));
    wait_for_result(control_plane, CONTROL, "Unknown", PATIENCE);
    let unknown = row(control_plane, CONTROL);
    assert_eq!(unknown["reason"], "Undecodable");
    let message = unknown["message"].as_str().unwrap();
    assert!(
        message.contains("Receiver tenant/poison") && !message.contains("hunter2"),
        "{message}"
    );

    patch(control_plane, "receivers", "poison", &json!({"type": "github"}));
    let ended = Instant::now();
    wait_for_metric(&scene, "flux_security_undecodable_objects", "Receiver", 0.0);
    wait_for_result(control_plane, CONTROL, "Pass", PATIENCE);
    scene.conclude(&[30], ended);
}

/// `{"a":{"a":…}}`
fn nested(depth: usize) -> String {
    format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth))
}

/// Row 31. In a field that no control reads, in one that no schema knows, in the text of an annotation, and in the
/// schema of a CustomResourceDefinition, whose managedFields are as deep. By the watch first, then by a list.
#[test]
#[ignore = "slow: make test-faults"]
fn json_nested_5000_deep_is_skipped_and_blinds_no_kind() {
    const DEPTH: usize = 5000;
    let mut scene = with_tenant();
    let control_plane = &scene.control_plane;
    let values = json!({
        "interval": "10m", "values": "DEEP", "chart": {"spec": {"chart": "app", "sourceRef": {"kind": "HelmRepository", "name": "app"}}},
    });
    let release = object("helm", "v2", "HelmRelease", "deep", &values).to_string();
    let release = release.replace("\"DEEP\"", &nested(DEPTH));
    post(
        control_plane,
        "/apis/helm.toolkit.fluxcd.io/v2/namespaces/tenant/helmreleases",
        &release,
    )
    .unwrap();

    relax(control_plane, "kustomizations.kustomize.toolkit.fluxcd.io");
    let unknown_field = json!({"interval": "10m", "prune": true, "sourceRef": {"kind": "GitRepository", "name": "app"}, "unknown": "DEEP"});
    let mut applier = object("kustomize", "v1", "Kustomization", "deep", &unknown_field);
    applier["metadata"]["annotations"] = json!({"deep": nested(DEPTH)});
    let applier = applier.to_string().replace("\"DEEP\"", &nested(DEPTH));
    let path = "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/tenant/kustomizations";
    wait_for("the relaxed schema", PATIENCE, || {
        post(control_plane, path, &applier)
    })
    .unwrap();
    control_plane
        .kubectl_with(&["apply", "--server-side", "-f", "-"], &deep_definition(100))
        .unwrap();

    let kinds = ["HelmRelease", "Kustomization", "CustomResourceDefinition"];
    for round in ["watched", "listed"] {
        for kind in kinds {
            wait_for_metric(&scene, "flux_security_kind_synced", kind, 1.0);
            wait_for_metric(&scene, "flux_security_undecodable_objects", kind, 0.0);
        }
        let row = row_with(&scene.control_plane, "FSP-MT-010", 2);
        assert_eq!(row["result"], "Fail", "{round}");
        if round == "watched" {
            scene.replace_operator(&[]);
        }
    }
    scene.drift_and_conclude(31);
}

/// Row 31. managedFields of an account are made up by whoever creates it. Other tenants' accounts are seen all the same.
#[test]
#[ignore = "slow: make test-faults"]
fn metadata_nested_deeper_than_a_tree_is_decoded_blinds_no_kind() {
    const PATH: &str = "/api/v1/namespaces/tenant/serviceaccounts";
    let mut scene = with_tenant();
    let fields = format!("{}{{}}{}", r#"{"f:a":"#.repeat(5000), "}".repeat(5000));
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {
        "name": "deep", "namespace": "tenant",
        "managedFields": [{"manager": "a", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": "DEEP"}],
    }});
    let account = account.to_string().replace("\"DEEP\"", &fields);
    post(&scene.control_plane, PATH, &account).unwrap();
    let applier = json!({"interval": "10m", "prune": true, "serviceAccountName": "deep", "sourceRef": {"kind": "GitRepository", "name": "app"}});
    let applier = object("kustomize", "v1", "Kustomization", "app", &applier).to_string();
    scene
        .control_plane
        .kubectl_with(&["create", "-f", "-"], &applier)
        .unwrap();
    for round in ["watched", "listed"] {
        wait_for_metric(&scene, "flux_security_kind_synced", "ServiceAccount", 1.0);
        wait_for_result(&scene.control_plane, "FSP-MT-010", "Pass", PATIENCE);
        if round == "watched" {
            scene.replace_operator(&[]);
        }
    }
    scene.drift_and_conclude(31);
}

/// The row of a control once it has so many findings.
fn row_with(control_plane: &ControlPlane, control: &str, findings: u32) -> Value {
    wait_for(control, CONVERGENCE, || {
        let row = row(control_plane, control);
        ensure!(row["findings"] == findings, "{row}");
        Ok(row)
    })
    .unwrap()
}

/// A CustomResourceDefinition whose schema is so many objects deep.
fn deep_definition(depth: usize) -> String {
    let mut schema = json!({"type": "string"});
    for _ in 0..depth {
        schema = json!({"type": "object", "properties": {"a": schema}});
    }
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "deeps.example.fluxcd.io"},
        "spec": {
            "group": "example.fluxcd.io", "scope": "Namespaced", "names": {"kind": "Deep", "plural": "deeps"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}],
        },
    })
    .to_string()
}

/// Row 32.
#[test]
#[ignore = "slow: make test-faults"]
fn huge_objects_take_no_memory_for_good() {
    const HUGE: usize = 1_430_000;
    const ENTRIES: usize = 20_000;
    let mut scene = with_tenant();
    let control_plane = &scene.control_plane;
    let values = json!({
        "interval": "10m", "values": {"a": "x".repeat(HUGE)},
        "chart": {"spec": {"chart": "app", "sourceRef": {"kind": "HelmRepository", "name": "app"}}},
    });
    for number in 0..10 {
        let release = object("helm", "v2", "HelmRelease", &format!("huge-{number}"), &values).to_string();
        post(
            control_plane,
            "/apis/helm.toolkit.fluxcd.io/v2/namespaces/tenant/helmreleases",
            &release,
        )
        .unwrap();
    }
    let applier =
        json!({"interval": "10m", "prune": true, "sourceRef": {"kind": "GitRepository", "name": "app"}});
    let applier = object("kustomize", "v1", "Kustomization", "huge", &applier);
    control_plane
        .kubectl_with(&["create", "-f", "-"], &applier.to_string())
        .unwrap();
    let entries: Vec<Value> = (0..ENTRIES)
        .map(|number| json!({"id": format!("tenant_s{number}__Secret"), "v": "v1"}))
        .collect();
    patch_status(
        control_plane,
        "kustomizations",
        "huge",
        &json!({"inventory": {"entries": entries}}),
    );
    let mut annotated = object(
        "source",
        "v1",
        "GitRepository",
        "huge",
        &json!({"interval": "10m", "url": "http://git.example.com/a"}),
    );
    annotated["metadata"]["annotations"] = json!({"a": "x".repeat(256 * 1024 - 1)});
    control_plane
        .kubectl_with(&["create", "-f", "-"], &annotated.to_string())
        .unwrap();

    // Only the size of a request bounds the name of a binding.
    let binding = binding(&"n".repeat(300 * 1024)).to_string();
    post(control_plane, BINDINGS, &binding).unwrap();

    // By the watch first, then by a list.
    row_with(control_plane, "FSX-RBAC-001", 1);
    row_with(control_plane, "FSP-MT-010", 11);
    row_with(control_plane, "FSX-SRC-005", 1);
    scene.replace_operator(&[]);
    row_with(&scene.control_plane, "FSP-MT-010", 11);
    assert!(report(&scene.control_plane).unwrap().to_string().len() <= OBJECT);
    scene.drift_and_conclude(32);
}

fn patch_status(control_plane: &ControlPlane, resource: &str, name: &str, status: &Value) {
    let file = control_plane.sandbox().folder().join("status.json");
    std::fs::write(&file, json!({"status": status}).to_string()).unwrap();
    let file = file.display().to_string();
    let arguments = [
        "patch",
        resource,
        "-n",
        "tenant",
        name,
        "--subresource=status",
        "--type=merge",
        "--patch-file",
        &file,
    ];
    control_plane.kubectl(&arguments).unwrap();
}

/// What terminals, log readers, parsers and templates obey.
fn texts() -> Vec<String> {
    let texts = [
        "a\nb",
        "a\r\nb",
        "a\tb",
        "\u{1b}[2J\u{1b}[31mred",
        "\u{9b}31mred",
        "a\u{7}b",
        "a\u{0}b",
        "\u{202e}gnp.exe",
        "\u{2066}a\u{2069}",
        "a\u{2028}b",
        "{{ .Values.a }}",
        "$(A) ${A}",
        "a\"b\"",
        "a\\nb\\",
        "it's",
    ];
    let mut texts: Vec<String> = texts.map(str::to_owned).into();
    texts.push("é".repeat(253));
    texts.push("x\n".repeat(2000));
    texts
}

/// Objects with a text wherever a schema admits any.
fn hostile_objects(number: usize, text: &str) -> Vec<Value> {
    let url = format!("http://{text}");
    let source = |kind: &str| json!({"kind": kind, "name": text, "namespace": text});
    let interval = "10m";
    let specs = [
        (
            "source",
            "v1",
            "GitRepository",
            json!({"interval": interval, "url": url}),
        ),
        (
            "source",
            "v1",
            "HelmRepository",
            json!({"interval": interval, "url": url}),
        ),
        (
            "source",
            "v1",
            "Bucket",
            json!({"interval": interval, "endpoint": text, "bucketName": text, "insecure": true}),
        ),
        (
            "source",
            "v1",
            "OCIRepository",
            json!({
                "interval": interval, "url": format!("oci://{text}"),
                "verify": {"provider": "cosign", "matchOIDCIdentity": [{"issuer": text, "subject": text}]},
            }),
        ),
        (
            "kustomize",
            "v1",
            "Kustomization",
            json!({
                "interval": interval, "prune": true, "path": text, "serviceAccountName": text, "sourceRef": source("GitRepository"),
            }),
        ),
        (
            "helm",
            "v2",
            "HelmRelease",
            json!({
                "interval": interval, "serviceAccountName": text, "chart": {"spec": {"chart": text, "sourceRef": source("HelmRepository")}},
            }),
        ),
        (
            "notification",
            "v1beta3",
            "Provider",
            json!({"type": "generic", "address": url, "channel": text}),
        ),
        (
            "notification",
            "v1beta3",
            "Alert",
            json!({
                "providerRef": {"name": text}, "eventSources": [source("Kustomization")], "eventSeverity": "info", "summary": text,
            }),
        ),
        (
            "notification",
            "v1",
            "Receiver",
            json!({
                "type": "generic", "secretRef": {"name": text}, "resources": [source("GitRepository")], "resourceFilter": text,
            }),
        ),
        (
            "image",
            "v1",
            "ImageRepository",
            json!({"interval": interval, "image": text, "insecure": true}),
        ),
    ];
    let mut objects: Vec<Value> = specs
        .iter()
        .map(|(group, version, kind, spec)| object(group, version, kind, &format!("hostile-{number}"), spec))
        .collect();
    objects.push(controller(number, text));
    objects.push(binding(text));
    for object in &mut objects {
        object["metadata"]["annotations"] = json!({"a": text});
    }
    objects
}

/// Everything for a controller and somebody else, in a binding that is called any text: their names are not checked.
fn binding(name: &str) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [
            {"kind": "ServiceAccount", "name": "helm-controller", "namespace": "flux-system"},
            {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name},
        ],
    })
}

/// A controller that is started with a text.
fn controller(number: usize, text: &str) -> Value {
    let flags = [
        "default-service-account",
        "log-level",
        "feature-gates",
        "insecure-kubeconfig-exec",
        text,
    ];
    let labels = json!({"app": "kustomize-controller"});
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": format!("kustomize-controller-{number}"), "namespace": "tenant"},
        "spec": {"selector": {"matchLabels": labels}, "template": {
            "metadata": {"labels": labels, "annotations": {"a": text}},
            "spec": {"containers": [{
                "name": "manager", "image": "ghcr.io/fluxcd/kustomize-controller:v1.9.4",
                "args": flags.map(|flag| format!("--{flag}={text}")),
                "env": [{"name": "A", "value": text}],
            }]},
        }},
    })
}

/// Row 33.
#[test]
#[ignore = "slow: make test-faults"]
fn hostile_strings_are_escaped_wherever_they_are_shown() {
    let mut scene = with_tenant();
    scene.replace_operator(&[("FLUXSEC_LOG", "flux_security_operator=debug,kube=debug")]);
    let control_plane = &scene.control_plane;
    control_plane.apply(AS_MANY_AS_FIT).unwrap();
    let mut accepted = BTreeMap::new();
    for (number, text) in texts().iter().enumerate() {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": hostile_objects(number, text)});
        // Some schemas refuse some texts.
        let created =
            control_plane.kubectl_with(&["create", "--validate=false", "-f", "-"], &list.to_string());
        drop(created);
    }
    for kind in [
        "gitrepositories",
        "helmrepositories",
        "buckets",
        "ocirepositories",
        "kustomizations",
        "helmreleases",
        "providers",
        "alerts",
        "receivers",
        "imagerepositories",
        "deployments",
        "clusterrolebindings",
    ] {
        let list = control_plane.get(&[kind, "-n", "tenant"]).unwrap();
        accepted.insert(kind, list["items"].as_array().unwrap().len());
    }
    eprintln!("accepted: {accepted:?}");
    assert!(accepted.values().all(|objects| *objects > 0), "{accepted:?}");
    assert!(accepted.values().sum::<usize>() > 100, "{accepted:?}");
    condition_messages(control_plane);
    long_names(control_plane);
    scene.wait_until_quiet();

    harmless::lines_are(&scene.operator.process.log());
    series(&scene.operator.get("/metrics").unwrap().1);
    for event in events(control_plane) {
        let note = event["note"].as_str().unwrap();
        assert!(note.len() < 1024 && !note.contains(is_obeyed), "{note:?}");
    }
    for kind in ["fluxsecurityreports", "fluxsecuritynamespacereports"] {
        let list = control_plane.get(&["-A", kind]).unwrap();
        for report in list["items"].as_array().unwrap() {
            assert!(report.to_string().len() <= OBJECT);
            harmless::report_is(&report["status"]);
        }
    }
    let audit = Command::new(operator::fluxsec())
        .args(["audit", "--tenancy", "shared", "--show-passing"])
        .env("KUBECONFIG", control_plane.admin())
        .output()
        .unwrap();
    harmless::lines_are(std::str::from_utf8(&audit.stdout).unwrap());
    harmless::lines_are(std::str::from_utf8(&audit.stderr).unwrap());
    scene.drift_and_conclude(33);
}

/// What controllers say, and who they are.
fn condition_messages(control_plane: &ControlPlane) {
    for (number, text) in texts().iter().enumerate() {
        let condition = json!({
            "type": "Ready", "status": "False", "reason": "BuildFailed", "message": format!("decryption failed: {text}"),
            "observedGeneration": 1, "lastTransitionTime": "2026-01-01T00:00:00Z",
        });
        patch_status(
            control_plane,
            "kustomizations",
            &format!("hostile-{number}"),
            &json!({"conditions": [condition]}),
        );
    }
    let manager = "--field-manager={{ a }} \"b\" \\n é";
    let edit = r#"{"spec":{"interval":"11m"}}"#;
    let arguments = [
        "patch",
        "kustomizations",
        "-n",
        "tenant",
        "hostile-0",
        "--type=merge",
        "-p",
        edit,
        manager,
    ];
    control_plane.kubectl(&arguments).unwrap();
}

/// As long as names may be.
fn long_names(control_plane: &ControlPlane) {
    let namespace = "n".repeat(63);
    let mut source = object(
        "source",
        "v1",
        "GitRepository",
        &"s".repeat(253),
        &json!({"interval": "10m", "url": "http://git.example.com"}),
    );
    source["metadata"]["namespace"] = json!(namespace);
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [namespace, source]});
    control_plane
        .kubectl_with(&["create", "-f", "-"], &list.to_string())
        .unwrap();
}

const REPOSITORIES: u32 = 2500;
/// Each is fetched over plain HTTP, and gives its credential away.
const FINDINGS: u32 = REPOSITORIES * 2;

/// Rows 35, 54. The objects come a few at a time and vanish at once.
#[test]
#[ignore = "slow: make test-faults"]
fn reports_of_five_thousand_findings_are_cut_and_exact() {
    let scene = with_tenant();
    let control_plane = &scene.control_plane;
    control_plane.apply(AS_MANY_AS_FIT).unwrap();
    scene.wait_until_quiet();
    let before = report(control_plane).unwrap()["status"]["summary"]["findings"]
        .as_u64()
        .unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let repositories = runtime.block_on(careless(control_plane));
    let all = before + u64::from(FINDINGS);
    wait_for("every finding", CONVERGENCE, || {
        let found = &report(control_plane)?["status"]["summary"]["findings"];
        ensure!(*found == all, "{found} of {all}");
        Ok(())
    })
    .unwrap();
    scene.wait_until_quiet();
    is_cut_and_exact(&report(control_plane).unwrap(), all);
    let of_tenant = ["fluxsecuritynamespacereport", "-n", "tenant", "default"];
    is_cut_and_exact(&control_plane.get(&of_tenant).unwrap(), u64::from(FINDINGS));
    let failed = "flux_security_report_writes_total{outcome=\"error\"}";
    assert_eq!(
        scene.operator.metric(failed).unwrap(),
        Some(0.0),
        "no write was tried in vain"
    );

    let everything = (DeleteParams::default(), ListParams::default());
    let deleted = runtime.block_on(repositories.delete_collection(&everything.0, &everything.1));
    deleted.unwrap();
    let ended = Instant::now();
    wait_for("no such report", CONVERGENCE, || {
        ensure!(control_plane.get(&of_tenant).is_err(), "still there");
        Ok(())
    })
    .unwrap();
    scene.conclude(&[35, 54], ended);
}

/// Makes them, and tells where.
async fn careless(control_plane: &ControlPlane) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("source.toolkit.fluxcd.io", "v1", "HelmRepository");
    let resource = ApiResource::from_gvk_with_plural(&kind, "helmrepositories");
    let repositories = Api::namespaced_with(client(control_plane.admin()).await, "tenant", &resource);
    let spec = json!({"interval": "10m", "url": "http://charts.example.com", "passCredentials": true});
    let parameters = PostParams::default();
    stream::iter(0..REPOSITORIES)
        .map(|number| {
            let object = object(
                "source",
                "v1",
                "HelmRepository",
                &format!("charts-{number:04}"),
                &spec,
            );
            let object: DynamicObject = serde_json::from_value(object).unwrap();
            let (repositories, parameters) = (&repositories, &parameters);
            async move { repositories.create(parameters, &object).await.unwrap() }
        })
        .buffer_unordered(16)
        .for_each(|_| async {})
        .await;
    repositories
}

/// A report that is full, and tells exactly of how much there is.
fn is_cut_and_exact(report: &Value, findings: u64) {
    let size = report.to_string().len();
    assert!(size <= OBJECT, "{size} bytes");
    let status = &report["status"];
    assert_eq!(status["summary"]["findings"], findings);
    let shown = status["findings"].as_array().unwrap().len() as u64;
    let left_out = status["truncatedFindings"].as_u64().unwrap();
    eprintln!("{shown} of {findings} findings in {size} bytes");
    assert!(left_out > 0);
    assert_eq!(shown + left_out, findings);
}

/// Row 53.
#[test]
#[ignore = "slow: make test-faults"]
fn each_of_a_thousand_scrapes_in_a_storm_is_consistent() {
    let scene = Scene::begin();
    let storm = Storm::begin(&scene.control_plane, Duration::from_millis(30));
    let mut results = BTreeSet::new();
    for _ in 0..1000 {
        let (status, text) = scene.operator.get("/metrics").unwrap();
        assert_eq!(status, 200);
        let scrape = series(&text);
        is_consistent(&scrape);
        results.insert(results_of(&scrape)[crate::scene::CONTROL].clone());
    }
    assert_eq!(
        results,
        BTreeSet::from(["Fail".to_owned(), "Pass".to_owned()]),
        "the posture changed"
    );
    let changes = storm.end();
    let ended = Instant::now();
    eprintln!("{changes} changes meanwhile");
    scene.conclude(&[53], ended);
}

fn family<'a>(scrape: &'a [Series], name: &'a str) -> impl Iterator<Item = &'a Series> {
    scrape.iter().filter(move |series| series.name == name)
}

/// The one result of each control.
fn results_of(scrape: &[Series]) -> BTreeMap<&str, String> {
    let mut results = BTreeMap::new();
    for series in family(scrape, "flux_security_control_status").filter(|series| series.value > 0.0) {
        let before = results.insert(series.label("control"), series.label("result").to_owned());
        assert_eq!(before, None, "two results: {series:?}");
    }
    results
}

/// Whether every family tells of the same posture.
fn is_consistent(scrape: &[Series]) {
    let results = results_of(scrape);
    assert_eq!(results.len(), flux_security_operator::controls::CATALOGUE.len());
    let failing: BTreeSet<&str> = results
        .iter()
        .filter(|(_, result)| *result == "Fail")
        .map(|(control, _)| *control)
        .collect();
    let with_findings = family(scrape, "flux_security_findings").map(|series| series.label("control"));
    assert_eq!(failing, with_findings.collect(), "those that fail have findings");

    let sum = |name| family(scrape, name).map(|series| series.value).sum::<f64>();
    assert!(sum("flux_security_namespace_findings") <= sum("flux_security_findings"));

    let matters = family(scrape, "flux_security_control_status").any(|series| {
        let is_bad = matches!(series.label("result"), "Fail" | "Unknown") && series.value > 0.0;
        is_bad && matches!(series.label("severity"), "Critical" | "High")
    });
    let compliant = sum("flux_security_compliant") > 0.5;
    assert_eq!(
        compliant, !matters,
        "compliant as long as nothing that matters fails"
    );
}
