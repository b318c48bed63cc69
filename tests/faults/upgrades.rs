//! Reports that another version of the operator wrote.

use std::time::Instant;

use serde_json::{Value, json};

use crate::controlplane::ControlPlane;
use crate::controlplane::scenario::report;
use crate::scene::Scene;

const CRDS: [&str; 2] = [
    "fluxsecurityreports.fluxsecurity.dev",
    "fluxsecuritynamespacereports.fluxsecurity.dev",
];

/// Row 52. The newer version has results, severities and fields that this one has never heard of. The types of fields
/// are the same: within a version of the API nobody may change them.
#[test]
#[ignore = "slow: make test-faults"]
fn reports_of_a_newer_version_are_replaced_after_a_rollback() {
    let mut scene = Scene::begin();
    assert!(scene.operator.process.stop().unwrap().success());
    let control_plane = &scene.control_plane;
    let older = CRDS.map(|crd| control_plane.get(&["crd", crd]).unwrap());
    for definition in &older {
        replace(control_plane, &newer(definition));
    }
    let namespaced = ["fluxsecuritynamespacereport", "-n", "flux-system", "default"];
    for report in [
        report(control_plane).unwrap(),
        control_plane.get(&namespaced).unwrap(),
    ] {
        write_as_newer(control_plane, &report);
    }
    for definition in &older {
        replace(control_plane, definition);
    }
    assert_eq!(
        report(control_plane).unwrap()["status"]["controls"][0]["result"],
        "Quarantined"
    );

    scene.replace_operator(&[]);
    scene.drift(true);
    let ended = Instant::now();
    scene.conclude(&[52], ended);
}

/// The same kind, with a status of which nothing is known yet.
fn newer(definition: &Value) -> Value {
    let mut newer = definition.clone();
    for version in newer["spec"]["versions"].as_array_mut().unwrap() {
        version["schema"]["openAPIV3Schema"]["properties"]["status"] =
            json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    }
    newer
}

fn replace(control_plane: &ControlPlane, definition: &Value) {
    let mut definition = definition.clone();
    definition["metadata"]
        .as_object_mut()
        .unwrap()
        .remove("resourceVersion");
    control_plane
        .kubectl_with(&["replace", "-f", "-"], &definition.to_string())
        .unwrap();
}

fn write_as_newer(control_plane: &ControlPlane, report: &Value) {
    let mut status = report["status"].clone();
    status["novelty"] = json!({"a": [1, 2]});
    status["findings"][0]["severity"] = json!("Catastrophic");
    status["findings"][0]["novelty"] = json!("b");
    if let Some(control) = status["controls"].get_mut(0) {
        control["result"] = json!("Quarantined");
    }
    let metadata = json!({"name": report["metadata"]["name"], "namespace": report["metadata"]["namespace"]});
    let object = json!({"apiVersion": report["apiVersion"], "kind": report["kind"], "metadata": metadata, "status": status});
    let arguments = [
        "apply",
        "--server-side",
        "--subresource=status",
        "--force-conflicts",
        "--validate=false",
        "--field-manager=flux-security-operator",
        "-f",
        "-",
    ];
    control_plane
        .kubectl_with(&arguments, &object.to_string())
        .unwrap();
}
