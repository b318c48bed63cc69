//! Drives the engine with objects, as the watches do: no cluster, no async.
#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(dead_code, reason = "each test binary uses its own part")]

pub(crate) mod exposition;
pub(crate) mod expressions;
pub(crate) mod harmless;
pub(crate) mod waivers;

use std::sync::Arc;

use flux_security_operator::api::{ControlResult, FluxSecurityPolicySpec, Tenancy};
use flux_security_operator::controls;
use flux_security_operator::engine::{ControlPosture, Engine, PolicyPosture};
use flux_security_operator::inventory::{
    Coverage, Delta, Evidence, Inventory, ObjectKey, TenancyRules, View,
};
use flux_security_operator::kinds::own::PolicyRow;
use flux_security_operator::kinds::{Author, KindId, Meta};
use serde_json::{Value, json};

/// What `-o` of `fluxsec audit` may be.
pub(crate) const FORMATS: [&str; 9] = [
    "table",
    "wide",
    "json",
    "yaml",
    "sarif",
    "junit",
    "html",
    "markdown",
    "openreports",
];

/// Whether a control judges how a controller was started, not what it is.
pub(crate) fn reads_command_lines(control: &controls::Control) -> bool {
    let of_others = [
        "FSP-NET-",
        "FSP-NODE-",
        "FSP-RES-",
        "FSX-IMG-",
        "FSX-NOT-006",
        "FSX-OPR-",
        "FSX-POD-",
        "FSX-VER-",
    ];
    matches!(control.judges, controls::Judges::Controllers { .. })
        && !of_others.iter().any(|prefix| control.id.starts_with(prefix))
}

/// The fact that an object exists.
pub(crate) fn upsert(object: &Value) -> Delta {
    let kind = kind_of(object);
    let text = object.to_string();
    let meta = Meta::parse(&text).unwrap();
    let key = ObjectKey::new(&meta.namespace, &meta.name);
    match kind.entry().project(&meta, &text) {
        Ok(Some(row)) => Delta::Upsert(kind, key, row),
        Ok(None) => Delta::Remove(kind, key),
        Err(error) => Delta::Undecodable(kind, key, error.to_string()),
    }
}

/// The fact that somebody has just changed an object: the last of its managedFields.
pub(crate) fn written(object: &Value) -> Delta {
    let meta = Meta::parse(&object.to_string()).unwrap();
    match (upsert(object), Author::of_change(&meta)) {
        (Delta::Upsert(kind, key, row), Some(author)) => Delta::Written(kind, key, row, Arc::new(author)),
        (delta, _) => delta,
    }
}

/// The fact that an object is gone.
pub(crate) fn remove(object: &Value) -> Delta {
    let meta = Meta::parse(&object.to_string()).unwrap();
    Delta::Remove(kind_of(object), ObjectKey::new(&meta.namespace, &meta.name))
}

pub(crate) fn kind_of(object: &Value) -> KindId {
    let name = object["kind"].as_str().unwrap();
    kind(name)
}

pub(crate) fn kind(name: &str) -> KindId {
    KindId::all()
        .find(|kind| kind.name() == name)
        .unwrap_or_else(|| panic!("{name} is not watched"))
}

/// An engine that sees everything and audits with one policy.
pub(crate) fn engine(tenancy: Tenancy) -> Engine {
    let mut engine = Engine::default();
    engine.pin("test", policy(tenancy));
    engine.ingest(KindId::all().map(|kind| Delta::Coverage(kind, Coverage::Synced)));
    engine
}

pub(crate) fn policy(tenancy: Tenancy) -> PolicyRow {
    let spec = FluxSecurityPolicySpec {
        tenancy,
        ..FluxSecurityPolicySpec::default()
    };
    PolicyRow {
        uid: "uid".into(),
        generation: 1,
        requested_at: String::new(),
        spec,
    }
}

pub(crate) fn posture(engine: &Engine) -> PolicyPosture {
    (**engine.posture().policies.get("test").unwrap()).clone()
}

pub(crate) fn control(posture: &PolicyPosture, id: &str) -> ControlPosture {
    posture
        .controls
        .iter()
        .find(|control| control.control.id == id)
        .unwrap()
        .clone()
}

/// The result of one control after an audit of these objects.
pub(crate) fn audit(id: &str, tenancy: Tenancy, objects: &[Value]) -> ControlPosture {
    let mut engine = engine(tenancy);
    engine.ingest(objects.iter().map(upsert));
    control(&posture(&engine), id)
}

pub(crate) fn result(id: &str, objects: &[Value]) -> ControlResult {
    audit(id, Tenancy::Shared, objects).result
}

/// What a control reads of this inventory without having declared it: it would not be evaluated again when that changes.
pub(crate) fn undeclared_reads(id: &str, inventory: &Inventory) -> Vec<Evidence> {
    let control = controls::find(id).unwrap();
    let rules = TenancyRules::new(&FluxSecurityPolicySpec::default());
    let mut undeclared = Vec::new();
    for subject in control.judges.subjects(inventory) {
        let view = View::new(inventory, &subject, &rules);
        let _ = control.judges.judge(&view, &controls::Parameters::new());
        let declared = |evidence: &Evidence| control.reads.iter().any(|read| read.covers(evidence));
        undeclared.extend(view.reads().into_iter().filter(|evidence| !declared(evidence)));
    }
    undeclared
}

/// Judges all that there is to judge, with nothing around it that catches a panic.
pub(crate) fn judge_everything(inventory: &Inventory) {
    let rules = TenancyRules::new(&FluxSecurityPolicySpec::default());
    for control in controls::CATALOGUE {
        for subject in control.judges.subjects(inventory) {
            let view = View::new(inventory, &subject, &rules);
            let _ = control.judges.judge(&view, &controls::Parameters::new());
        }
    }
}

/// All controllers of a Flux, with their pods.
pub(crate) fn controllers() -> impl Iterator<Item = Value> {
    let version = |controller| match controller {
        "kustomize-controller" | "source-controller" | "notification-controller" => "1.9.4",
        "helm-controller" => "1.6.3",
        _ => "1.2.1",
    };
    let all = [
        "source-controller",
        "kustomize-controller",
        "helm-controller",
        "notification-controller",
        "image-reflector-controller",
        "image-automation-controller",
    ];
    all.into_iter().flat_map(move |controller| {
        let version = version(controller);
        [
            deployment(controller, version, &[]),
            pod(controller, version, &[], true),
        ]
    })
}

/// A controller's Deployment as upstream ships it, with more arguments.
pub(crate) fn deployment(controller: &str, version: &str, args: &[&str]) -> Value {
    let mut all = vec![
        "--watch-all-namespaces=true",
        "--log-level=info",
        "--enable-leader-election",
    ];
    all.extend(args);
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": controller, "namespace": "flux-system", "uid": "u",
            "labels": {"app.kubernetes.io/part-of": "flux", "app.kubernetes.io/component": controller}
        },
        "spec": {"replicas": 1, "template": {
            "metadata": {"labels": {"app": controller}},
            "spec": {"serviceAccountName": controller, "containers": [{
                "name": "manager",
                "image": format!("ghcr.io/fluxcd/{controller}:v{version}"),
                "args": all,
                "env": [{"name": "RUNTIME_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}}]
            }]}
        }}
    })
}

/// flux-operator's Deployment as its chart makes it, with more arguments and variables.
pub(crate) fn flux_operator(version: &str, args: &[&str], env: &[(&str, &str)]) -> Value {
    let labels =
        json!({"app.kubernetes.io/name": "flux-operator", "app.kubernetes.io/instance": "flux-operator"});
    let mut all = vec!["--log-level=info"];
    all.extend(args);
    let mut variables = vec![
        json!({"name": "RUNTIME_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}}),
    ];
    variables.extend(
        env.iter()
            .map(|(name, value)| json!({"name": name, "value": value})),
    );
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "flux-operator", "namespace": "flux-system", "uid": "o", "labels": labels},
        "spec": {"replicas": 1, "template": {
            "metadata": {"labels": labels},
            "spec": {"serviceAccountName": "flux-operator", "containers": [{
                "name": "manager",
                "image": format!("ghcr.io/controlplaneio-fluxcd/flux-operator:v{version}"),
                "args": all,
                "env": variables,
                "ports": [
                    {"name": "http-metrics", "containerPort": 8080}, {"name": "http", "containerPort": 8081},
                    {"name": "http-web", "containerPort": 9080}
                ]
            }]}
        }}
    })
}

/// The running pod of such a Deployment.
pub(crate) fn pod(controller: &str, version: &str, args: &[&str], ready: bool) -> Value {
    let template = deployment(controller, version, args)["spec"]["template"].clone();
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": format!("{controller}-abc-1"), "namespace": "flux-system", "uid": "p",
            "labels": {"app": controller, "pod-template-hash": "abc"},
            "ownerReferences": [{"kind": "ReplicaSet", "name": format!("{controller}-abc"), "controller": true}]
        },
        "spec": template["spec"],
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": if ready {"True"} else {"False"}}]}
    })
}
