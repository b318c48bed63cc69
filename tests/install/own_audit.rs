//! Our own manifests under our own catalogue.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use flux_security_operator::api::{ControlResult, FluxSecurityPolicySpec, Tenancy};
use flux_security_operator::engine::PolicyPosture;
use flux_security_operator::manifests;
use serde_json::{Value, json};

use crate::controlplane::helm::template;
use crate::controlplane::{flux, operator};
use crate::objects::{Objects, kustomized, objects, root};

const TENANCIES: [Tenancy; 3] = [Tenancy::None, Tenancy::Shared, Tenancy::Dedicated];

fn audited(objects: &[&Objects], tenancy: Tenancy) -> PolicyPosture {
    let spec = FluxSecurityPolicySpec {
        tenancy,
        ..FluxSecurityPolicySpec::default()
    };
    let documents = objects.iter().flat_map(|it| it.values()).map(Value::to_string);
    manifests::audit(documents, &spec)
}

/// Findings, and results that are no findings: what an object can change about a posture.
fn told(posture: &PolicyPosture) -> BTreeSet<String> {
    let findings = posture.findings.iter().map(|it| {
        let (finding, resource) = (&it.finding, &it.finding.resource);
        format!(
            "{} {} {}/{}: {}",
            finding.control, resource.kind, resource.namespace, resource.name, finding.message
        )
    });
    let unknown = posture
        .controls
        .iter()
        .filter(|it| it.result == ControlResult::Unknown)
        .map(|it| format!("{} is unknown: {}", it.control.id, it.message));
    findings.chain(unknown).collect()
}

/// A cluster with the operator has no finding that the same cluster has not without it, and nothing more is unknown.
#[test]
fn our_objects_add_no_finding() {
    let flux = objects(&flux::manifests().unwrap());
    let everything = [
        "--set=serviceMonitor.enabled=true,policy.create=true,prometheusRule.enabled=true,dashboards.enabled=true",
        "--set=replicas=1,secureMetrics.enabled=true,flowSchema.enabled=true",
        "--set=artifactScan.enabled=true,notifications.enabled=true",
    ];
    for (what, ours) in [
        ("config/default", kustomized()),
        (
            "the chart",
            template("flux-security-system", &everything).unwrap(),
        ),
    ] {
        let mut ours = objects(&ours);
        // The chart's users make it.
        ours.entry("Namespace /flux-security-system".to_owned())
            .or_insert_with(|| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "flux-security-system"}}));
        for tenancy in TENANCIES {
            let without = told(&audited(&[&flux], tenancy));
            let with = told(&audited(&[&flux, &ours], tenancy));
            assert!(without.len() > 5, "Flux alone is not clean: {without:#?}");
            let added: Vec<_> = with.difference(&without).collect();
            assert!(added.is_empty(), "{what} under {tenancy:?}: {added:#?}");
        }
    }
}

/// The comparison sees what it is there for.
#[test]
fn a_mistake_of_ours_would_be_found() {
    const BINDING: &str = "ClusterRoleBinding /flux-security-operator";
    let flux = objects(&flux::manifests().unwrap());
    let mistakes: [&[(&str, &str, &str)]; 2] = [
        // Nobody says any more whose it is.
        &[("Namespace /flux-security-system", "/metadata/name", "elsewhere")],
        &[
            (BINDING, "/roleRef/name", "cluster-admin"),
            (BINDING, "/subjects/0/namespace", "elsewhere"),
        ],
    ];
    for mistake in mistakes {
        let mut ours = objects(&kustomized());
        for (name, pointer, value) in mistake {
            set(ours.get_mut(*name).unwrap(), pointer, value);
        }
        let is_found = TENANCIES.iter().any(|&tenancy| {
            let without = told(&audited(&[&flux], tenancy));
            let with = told(&audited(&[&flux, &ours], tenancy));
            with.difference(&without).next().is_some()
        });
        assert!(is_found, "{mistake:?}");
    }
}

fn set(object: &mut Value, pointer: &str, value: &str) {
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    match object.pointer_mut(parent).unwrap() {
        Value::Array(items) => items[field.parse::<usize>().unwrap()] = Value::from(value),
        fields => fields[field] = Value::from(value),
    }
}

/// As a person would ask: the folder as it is, nothing rendered.
#[test]
fn the_folder_is_clean_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let flux = folder.path().join("flux.yaml");
    fs::write(&flux, flux::manifests().unwrap()).unwrap();
    let config = root().join("config/default");
    for tenancy in ["none", "shared", "dedicated"] {
        let output = Command::new(operator::fluxsec())
            .args([
                "audit",
                "-o",
                "json",
                "--fail-on",
                "none",
                "--tenancy",
                tenancy,
                "-f",
            ])
            .arg(&config)
            .arg("-f")
            .arg(&flux)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{said}");
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let findings = report["status"]["findings"].as_array().unwrap();
        assert!(!findings.is_empty());
        let prefix = config.display().to_string();
        for finding in findings {
            let file = finding["location"]["file"].as_str().unwrap_or_default();
            assert!(!file.starts_with(&prefix), "{tenancy}: {finding}");
        }
    }
}
