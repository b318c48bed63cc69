//! The verdicts on a plain `flux install`, control by control: what a newcomer's first report says.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod controlplane;
mod support;

use controlplane::flux;
use flux_security_operator::api::Tenancy;
use flux_security_operator::kinds::KindId;
use serde_json::{Value, json};
use support::{engine, posture, upsert};

/// The objects of a plain `flux install` whose kind is watched.
fn installed() -> Vec<Value> {
    let manifests = flux::manifests().unwrap();
    let documents = manifests.split("\n---\n");
    let objects = documents.map(|document| serde_saphyr::from_str::<Value>(document).unwrap());
    let watched = |object: &Value| {
        let kind = object["kind"].as_str().unwrap_or_default();
        KindId::all().any(|it| it.name() == kind)
    };
    objects.filter(watched).chain([cluster_admin()]).collect()
}

/// What every API server makes by itself, and Flux's manifests refer to.
fn cluster_admin() -> Value {
    json!({
        "kind": "ClusterRole", "metadata": {"name": "cluster-admin"},
        "rules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
    })
}

#[test]
fn a_plain_install_gets_these_verdicts() {
    let objects = installed();
    let mut rows: Vec<String> = Vec::new();
    for tenancy in [Tenancy::None, Tenancy::Shared, Tenancy::Dedicated] {
        let mut engine = engine(tenancy);
        engine.ingest(objects.iter().map(upsert));
        for control in posture(&engine).controls {
            let id = control.control.id;
            let verdict = format!("{:<9} {:<14}", control.severity.as_str(), control.result.as_str());
            match rows.iter_mut().find(|row| row.starts_with(id)) {
                Some(row) => row.push_str(&verdict),
                None => rows.push(format!("{id:<13} {verdict}")),
            }
        }
    }
    rows.sort();
    let rows: Vec<&str> = rows.iter().map(|row| row.trim_end()).collect();
    insta::assert_snapshot!(rows.join("\n"));
}
