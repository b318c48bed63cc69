//! `helm install`, `upgrade` and `uninstall`.

use serde_json::Value;

use crate::cluster::Cluster;
use crate::controlplane::helm::chart;
use crate::controlplane::scenario::{report, result, until};
use crate::controlplane::{ControlPlane, Operator};
use crate::objects::{copy_config, key, kustomized, make_older, objects};

/// With reports present, from CRDs that know less, and with a policy that came before its kind was known.
#[test]
fn helm_installs_upgrades_and_uninstalls() {
    let cluster = Cluster::begin();
    let control_plane = &cluster.control_plane;
    restricted(control_plane, "security");
    let folder = control_plane.sandbox().folder().join("older");
    let older = copy_config(&folder).join("chart");
    make_older(&older.join("templates/crds/fluxsecuritypolicies.yaml"));
    let older = older.display().to_string();
    let newer = chart().display().to_string();
    let waiting = ["--wait", "--timeout", "2m", "--set", "policy.create=true"];
    let release = |verb: &str, name: &str, chart: &str, more: &[&str]| {
        let arguments = [verb, name, chart, "--namespace", "security"];
        control_plane.helm(&[&arguments[..], &waiting[..], more].concat())
    };

    let said = release("install", "audit", &older, &[]).unwrap();
    assert!(said.contains("kubectl get fluxsecurityreports"), "{said}");
    cluster.pods_are_restricted("security");
    let operator = Operator::start_in(control_plane, "security").unwrap();
    let before = until(control_plane, "a report", |report| {
        result(report, "FSP-KUST-001") == "Pass" && result(report, "FSP-MT-002") != "Fail"
    });
    cluster.shows_tenancy(false);

    release(
        "upgrade",
        "audit",
        &newer,
        &["--set", "policy.spec.tenancy=Shared"],
    )
    .unwrap();
    cluster.shows_tenancy(true);
    let after = until(control_plane, "the chapter on tenants", |report| {
        result(report, "FSP-MT-002") == "Fail"
    });
    assert_eq!(
        before["metadata"]["uid"], after["metadata"]["uid"],
        "the report is the same object"
    );
    let again = release(
        "upgrade",
        "audit",
        &newer,
        &["--set", "policy.spec.tenancy=Shared"],
    );
    again.unwrap();

    // One release a cluster.
    let second = [
        "install",
        "second",
        &newer,
        "--namespace",
        "elsewhere",
        "--create-namespace",
    ];
    let refusal = control_plane.helm(&second).unwrap_err().to_string();
    assert!(refusal.contains("invalid ownership metadata"), "{refusal}");

    let uninstall = ["uninstall", "audit", "--namespace", "security", "--wait"];
    control_plane.helm(&uninstall).unwrap();
    let kept = report(control_plane).unwrap();
    assert_eq!(kept["metadata"]["uid"], after["metadata"]["uid"]);
    cluster.leaves(&left_by_helm(control_plane, "security"));
    drop(operator);

    // What was kept belongs to the release of old. Nobody waits here: the policy is ready when an operator runs.
    let again = ["install", "other", &newer, "--namespace", "security"];
    let again = [&again[..], &["--set", "policy.create=true"]].concat();
    let refusal = control_plane.helm(&again).unwrap_err().to_string();
    assert!(refusal.contains("invalid ownership metadata"), "{refusal}");
    control_plane
        .helm(&[&again[..], &["--take-ownership"]].concat())
        .unwrap();
    let kept = report(control_plane).unwrap();
    assert_eq!(kept["metadata"]["uid"], after["metadata"]["uid"]);
    control_plane
        .helm(&["uninstall", "other", "--namespace", "security", "--wait"])
        .unwrap();

    remove_the_rest(control_plane, "security");
    cluster.leaves(&[]);
}

/// What docs/install.md says that a release leaves behind.
pub(crate) fn left_by_helm(control_plane: &ControlPlane, namespace: &str) -> Vec<String> {
    let mut left: Vec<String> = objects(&kustomized())
        .into_keys()
        .filter(|name| name.starts_with("CustomResourceDefinition"))
        .collect();
    let reports = control_plane
        .get(&["fluxsecuritynamespacereports", "-A"])
        .unwrap();
    let reports = reports["items"].as_array().unwrap();
    assert!(!reports.is_empty());
    left.extend(reports.iter().map(key));
    left.extend([
        "APIService /v1alpha1.fluxsecurity.dev".to_owned(),
        "FluxSecurityPolicy /default".to_owned(),
        "FluxSecurityReport /default".to_owned(),
        format!("Namespace /{namespace}"),
        format!("ServiceAccount {namespace}/default"),
        format!("ConfigMap {namespace}/kube-root-ca.crt"),
        format!("Lease {namespace}/flux-security-operator"),
    ]);
    left
}

/// What docs/install.md says about removing that, too.
pub(crate) fn remove_the_rest(control_plane: &ControlPlane, namespace: &str) {
    let crds = control_plane.get(&["crds"]).unwrap();
    for crd in crds["items"].as_array().unwrap() {
        if crd["spec"]["group"] == "fluxsecurity.dev" {
            control_plane
                .kubectl(&["delete", "crd", crd["metadata"]["name"].as_str().unwrap()])
                .unwrap();
        }
    }
    control_plane
        .kubectl(&["delete", "namespace", namespace, "--timeout=120s"])
        .unwrap();
}

/// A namespace that takes restricted pods only.
fn restricted(control_plane: &ControlPlane, name: &str) {
    let namespace: Value = serde_json::json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": name, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
    });
    control_plane.apply(&namespace.to_string()).unwrap();
}
