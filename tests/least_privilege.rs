//! What the operator asks the API server for, and what it may ask for, are one and the same.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod controlplane;

use std::collections::BTreeSet;
use std::time::Instant;

use anyhow::ensure;
use controlplane::scenario::{PATIENCE, SHARED, installed, result, set_args, until};
use controlplane::{ControlPlane, Operator, wait_for};
use flux_security_operator::kinds::{Descriptor, KindId};
use serde_json::{Value, json};

const USER: &str = "system:serviceaccount:flux-security-system:flux-security-operator";

const WAIVER: &str = "
apiVersion: fluxsecurity.dev/v1alpha1
kind: FluxSecurityWaiver
metadata: {name: it}
spec:
  control: FSP-MT-001
  resources: [{namespace: tenant}]
  reason: accepted until it is repaired
  owner: security-team
  expires: '2020-01-01T00:00:00Z'
";

/// Verb and resource; `get leases.coordination.k8s.io`, `patch fluxsecurityreports.fluxsecurity.dev/status`.
type Right = String;

/// Serves the watched kinds that come with other projects than Flux: what is not served is not asked for.
fn serve_kinds_of_others(control_plane: &ControlPlane) {
    let custom = KindId::all()
        .map(|kind| kind.entry().descriptor)
        .filter(|it| it.custom);
    for descriptor in custom {
        if control_plane.get(&["crd", &descriptor.resource()]).is_err() {
            control_plane.apply(&definition(&descriptor).to_string()).unwrap();
        }
    }
    control_plane
        .kubectl(&[
            "wait",
            "--for=condition=Established",
            "crd",
            "--all",
            "--timeout=30s",
        ])
        .unwrap();
}

/// A CustomResourceDefinition that takes anything.
fn definition(descriptor: &Descriptor) -> Value {
    let schema = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        // The API server asks for it in groups of Kubernetes' own.
        "metadata": {"name": descriptor.resource(), "annotations": {"api-approved.kubernetes.io": "unapproved, of a test"}},
        "spec": {
            "group": descriptor.group,
            "scope": "Namespaced",
            "names": {"kind": descriptor.kind, "plural": descriptor.plural},
            "versions": [{"name": descriptor.versions[0], "served": true, "storage": true, "schema": schema}],
        },
    })
}

/// Everything that the operator does in its life: a report, a drift, repairs of reports, a bad policy, a deleted one,
/// a second start.
fn live(control_plane: &ControlPlane) {
    control_plane.apply(SHARED).unwrap();
    let mut operator = Operator::start(control_plane).unwrap();
    until(control_plane, "the first report", |report| {
        result(report, "FSP-KUST-001") == "Pass"
    });
    control_plane.apply(WAIVER).unwrap();
    wait_for("the waiver's status", PATIENCE, || {
        let waiver = control_plane.get(&["fluxsecuritywaiver", "it"])?;
        ensure!(waiver["status"]["state"].is_string(), "none");
        Ok(())
    })
    .unwrap();
    set_args(
        control_plane,
        "kustomize-controller",
        "--insecure-kubeconfig-exec=true",
    );
    until(control_plane, "the drift", |report| {
        result(report, "FSP-KUST-001") == "Fail"
    });
    let namespace_report = ["-n", "flux-system", "fluxsecuritynamespacereport", "default"];
    wait_for("the namespace report", PATIENCE, || {
        control_plane.get(&namespace_report)
    })
    .unwrap();
    let patch = r#"{"status":{"summary":{"pass":1000}}}"#;
    let edit = ["patch", "fluxsecurityreport", "default", "--subresource=status"];
    control_plane
        .kubectl(&[&edit[..], &["--type=merge", "-p", patch]].concat())
        .unwrap();
    until(control_plane, "the repair", |report| {
        report["status"]["summary"]["pass"] != 1000
    });
    let edit = [
        "patch",
        "fluxsecuritynamespacereport",
        "default",
        "-n",
        "flux-system",
    ];
    control_plane
        .kubectl(&[&edit[..], &["--subresource=status", "--type=merge", "-p", patch]].concat())
        .unwrap();
    wait_for("the repair", PATIENCE, || {
        let report = control_plane.get(&namespace_report)?;
        ensure!(report["status"]["summary"]["pass"] != 1000, "still edited");
        Ok(())
    })
    .unwrap();
    assert!(operator.process.stop().unwrap().success());
    let mut operator = Operator::start(control_plane).unwrap();
    // Without Flux there is nothing left to report of its namespace, if only its pods cannot be privileged.
    let enforce = "pod-security.kubernetes.io/enforce=restricted";
    control_plane
        .kubectl(&["label", "--overwrite", "namespace", "flux-system", enforce])
        .unwrap();
    control_plane
        .kubectl(&["delete", "deployments", "-n", "flux-system", "--all"])
        .unwrap();
    wait_for("an empty namespace", PATIENCE, || {
        ensure!(control_plane.get(&namespace_report).is_err(), "still reported");
        Ok(())
    })
    .unwrap();
    assert!(operator.process.stop().unwrap().success());
}

/// What was asked for, and whether it was granted.
fn asked(control_plane: &ControlPlane) -> (BTreeSet<Right>, BTreeSet<Right>) {
    let (mut granted, mut refused) = (BTreeSet::new(), BTreeSet::new());
    for event in control_plane.audit_log().unwrap() {
        let object = &event["objectRef"];
        if event["user"]["username"] != USER || object.is_null() {
            continue;
        }
        let text = |field: &str| object[field].as_str().unwrap_or_default().to_owned();
        let (resource, subresource) = (text("resource"), text("subresource"));
        let verb = event["verb"].as_str().unwrap();
        let right = right(verb, &text("apiGroup"), &resource, &subresource);
        let code = event["responseStatus"]["code"].as_u64();
        let verdict = if code == Some(403) {
            &mut refused
        } else {
            &mut granted
        };
        verdict.insert(right);
        if verb == "patch" && code == Some(201) {
            // A server-side apply that creates is audited as a patch, and refused without the right to create.
            granted.insert(self::right("create", &text("apiGroup"), &resource, &subresource));
        }
    }
    (granted, refused)
}

fn right(verb: &str, group: &str, resource: &str, subresource: &str) -> Right {
    let dot = if group.is_empty() { "" } else { "." };
    let slash = if subresource.is_empty() { "" } else { "/" };
    format!("{verb} {resource}{dot}{group}{slash}{subresource}")
}

/// What the installed roles grant.
fn may(control_plane: &ControlPlane) -> BTreeSet<Right> {
    let name = "flux-security-operator";
    let roles = [
        control_plane.get(&["clusterrole", name]).unwrap(),
        control_plane
            .get(&["role", "-n", "flux-security-system", name])
            .unwrap(),
    ];
    let mut rights = BTreeSet::new();
    for rule in roles.iter().flat_map(|role| role["rules"].as_array().unwrap()) {
        for (group, resource, verb) in combinations(rule) {
            let (resource, subresource) = resource.split_once('/').unwrap_or((&resource, ""));
            rights.insert(right(&verb, &group, resource, subresource));
        }
    }
    rights
}

fn combinations(rule: &Value) -> Vec<(String, String, String)> {
    let list = |field: &str| -> Vec<String> {
        let items = rule[field].as_array().into_iter().flatten();
        items.map(|item| item.as_str().unwrap().to_owned()).collect()
    };
    let mut all = Vec::new();
    for group in list("apiGroups") {
        for resource in list("resources") {
            for verb in list("verbs") {
                all.push((group.clone(), resource.clone(), verb));
            }
        }
    }
    all
}

#[test]
fn every_right_is_used_and_none_is_missing() {
    let control_plane = installed();
    serve_kinds_of_others(&control_plane);
    let started = Instant::now();
    live(&control_plane);
    let (granted, refused) = asked(&control_plane);
    let may = may(&control_plane);
    eprintln!("{} rights, seen in {:?}", may.len(), started.elapsed());
    assert!(refused.is_empty(), "refused: {refused:#?}");
    let missing: Vec<_> = granted.difference(&may).collect();
    assert!(missing.is_empty(), "not in the roles: {missing:#?}");
    let unused: Vec<_> = may.difference(&granted).collect();
    assert!(unused.is_empty(), "never used: {unused:#?}");
    assert!(
        !granted.iter().any(|right| right.contains(" secrets")),
        "{granted:#?}"
    );
}
