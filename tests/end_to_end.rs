//! The operator as users run it: installed with kubectl, under its own rights, on a real API server.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod controlplane;

use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::ensure;
use controlplane::scenario::{
    PATIENCE, SHARED, events, installed, report, restarted, result, set_args, until, versions,
};
use controlplane::{ControlPlane, Operator, flux, operator, wait_for};
use serde_json::Value;

#[test]
fn a_drift_shows_in_report_metrics_and_events() {
    let control_plane = installed();
    control_plane.apply(SHARED).unwrap();
    let operator = Operator::start(&control_plane).unwrap();
    let before = until(&control_plane, "the first report", |report| {
        result(report, "FSP-KUST-001") == "Pass"
    });
    assert_eq!(result(&before, "FSP-MT-002"), "Fail");
    let table = control_plane.kubectl(&["get", "fluxsecurityreports"]).unwrap();
    assert!(table.lines().all(|line| line.len() <= 120), "{table}");
    let series = "flux_security_findings{control=\"FSP-KUST-001\",policy=\"default\",severity=\"Critical\"}";
    assert_eq!(operator.metric(series).unwrap(), None);

    let drifted = Instant::now();
    set_args(
        &control_plane,
        "kustomize-controller",
        "--insecure-kubeconfig-exec=true",
    );
    let after = until(&control_plane, "the drift", |report| {
        result(report, "FSP-KUST-001") == "Fail"
    });
    eprintln!("drift to report: {:?}", drifted.elapsed());
    let findings = after["status"]["findings"].as_array().unwrap();
    let finding = findings
        .iter()
        .find(|it| it["control"] == "FSP-KUST-001")
        .unwrap();
    assert_eq!(finding["resource"]["name"], "kustomize-controller");
    assert!(
        finding["location"]
            .to_string()
            .contains("--insecure-kubeconfig-exec"),
        "{finding}"
    );
    assert_eq!(operator.metric(series).unwrap(), Some(1.0));
    wait_for("the Event", PATIENCE, || {
        let text = control_plane.kubectl(&[
            "describe",
            "deployment",
            "-n",
            "flux-system",
            "kustomize-controller",
        ])?;
        let seen = text.contains("FindingDetected") && text.contains("FSP-KUST-001");
        ensure!(seen, "{text}");
        Ok(())
    })
    .unwrap();

    let audit = Command::new(operator::fluxsec())
        .args(["audit", "-o", "json", "--tenancy", "shared"])
        .env("KUBECONFIG", control_plane.admin())
        .output()
        .unwrap();
    assert_eq!(
        audit.status.code(),
        Some(1),
        "{}",
        String::from_utf8_lossy(&audit.stderr)
    );
    let audit: Value = serde_json::from_slice(&audit.stdout).unwrap();
    assert_eq!(audit["status"]["summary"], after["status"]["summary"]);

    let (versions_before, events_before) = (versions(&control_plane), events(&control_plane).len());
    let mut operator = restarted(operator, &control_plane);
    assert_eq!(versions(&control_plane), versions_before);
    assert_eq!(events(&control_plane).len(), events_before);

    control_plane
        .kubectl(&["delete", "fluxsecuritypolicy", "default"])
        .unwrap();
    wait_for("the series to vanish", PATIENCE, || {
        let (_, text) = operator.get("/metrics")?;
        ensure!(!text.contains("policy=\"default\""), "{text}");
        Ok(())
    })
    .unwrap();
    operator.process.check().unwrap();
}

/// Rows 21, 25. What pods show is what most controls stand on.
#[test]
fn a_blind_kind_is_named_and_heals() {
    let control_plane = ControlPlane::start().unwrap();
    let manifests = flux::manifests().unwrap();
    let (definitions, rest): (Vec<&str>, Vec<&str>) = manifests
        .split("\n---\n")
        .partition(|document| document.contains("\nkind: CustomResourceDefinition\n"));
    control_plane.apply(&rest.join("\n---\n")).unwrap();
    Operator::install(&control_plane).unwrap();
    control_plane.apply(SHARED).unwrap();
    let mut operator = Operator::start(&control_plane).unwrap();
    let kept = "flux_security_objects{kind=\"Kustomization\"}";

    control_plane.apply(&definitions.join("\n---\n")).unwrap();
    control_plane
        .kubectl(&["wait", "--for=condition=Established", "crd", "--all"])
        .unwrap();
    control_plane.apply(DECRYPTING).unwrap();
    wait_for("the new kind", Duration::from_secs(5), || {
        ensure!(operator.metric(kept)? == Some(1.0), "not watched");
        Ok(())
    })
    .unwrap();

    let complete = until(&control_plane, "a complete report", |report| {
        result(report, "FSP-KUST-003") == "Fail"
    });
    // Nobody reconciles here, which is unknown; what is known is that the pods are seen.
    let message = condition(&complete, "Complete")["message"].to_string();
    assert!(!message.contains("pods"), "{message}");

    // An open watch outlives the permission; a new one does not.
    operator.process.stop().unwrap();
    let role = control_plane
        .get(&["clusterrole", "flux-security-operator"])
        .unwrap();
    control_plane.apply(&without(&role, "pods").to_string()).unwrap();
    let mut operator = Operator::start(&control_plane).unwrap();
    let blind = until(&control_plane, "a blind report", |report| {
        let complete = condition(report, "Complete");
        complete["status"] == "False" && complete["message"].to_string().contains("pods")
    });
    let message = condition(&blind, "Complete")["message"].to_string();
    assert!(message.contains("pods"), "{message}");
    for unseen in ["FSP-KUST-001", "FSP-HELM-001", "FSX-CFG-001"] {
        assert_eq!(result(&blind, unseen), "Unknown", "nothing passes unseen");
    }
    assert_eq!(
        result(&blind, "FSP-KUST-003"),
        "Fail",
        "what is seen to be bad stays bad"
    );
    assert!(
        operator
            .process
            .log()
            .contains("pods: list and watch are forbidden")
    );

    control_plane.apply(&clean(&role).to_string()).unwrap();
    wait_for("the permission", Duration::from_mins(1), || {
        let report = report(&control_plane)?;
        let message = condition(&report, "Complete")["message"].to_string();
        ensure!(!message.contains("pods"), "still blind: {message}");
        Ok(())
    })
    .unwrap();
    operator.process.check().unwrap();
}

const DECRYPTING: &str = "
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: apps, namespace: default}
spec:
  interval: 10m
  path: ./
  prune: true
  sourceRef: {kind: GitRepository, name: fleet}
  decryption: {provider: sops}
";

fn condition<'a>(object: &'a Value, kind: &str) -> &'a Value {
    let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    conditions
        .into_iter()
        .find(|it| it["type"] == kind)
        .unwrap_or(&Value::Null)
}

/// A role as it was applied.
fn clean(role: &Value) -> Value {
    let name = &role["metadata"]["name"];
    serde_json::json!({"apiVersion": role["apiVersion"], "kind": role["kind"], "metadata": {"name": name}, "rules": role["rules"]})
}

/// The role without one resource.
fn without(role: &Value, resource: &str) -> Value {
    let mut role = clean(role);
    for rule in role["rules"].as_array_mut().unwrap() {
        rule["resources"]
            .as_array_mut()
            .unwrap()
            .retain(|it| it != resource);
    }
    role
}

#[test]
fn bad_policies_are_refused_or_stalled() {
    let control_plane = installed();
    let policy = |spec: &str| {
        format!(
            "apiVersion: fluxsecurity.dev/v1alpha1\nkind: FluxSecurityPolicy\nmetadata: {{name: bad}}\nspec: {spec}\n"
        )
    };
    for (spec, field) in [
        ("{tenancy: Many}", "spec.tenancy"),
        ("{interval: soon}", "spec.interval"),
        ("{controls: [{id: nonsense}]}", "spec.controls[0].id"),
        ("{report: {maxFindings: -1}}", "spec.report.maxFindings"),
        ("{fluxNamespaces: ['*']}", "spec.fluxNamespaces[0]"),
    ] {
        let error = control_plane.apply(&policy(spec)).unwrap_err().to_string();
        assert!(error.contains(field), "{spec}: {error}");
    }
    let mut operator = Operator::start(&control_plane).unwrap();
    for (spec, named) in [
        ("{controls: [{id: FSP-KUST-999}]}", "FSP-KUST-999"),
        (
            "{controls: [{id: FSX-CFG-003, parameters: {level: loud}}]}",
            "loud",
        ),
        (
            "{controls: [{id: FSP-KUST-001, parameters: {loudness: high}}]}",
            "loudness",
        ),
    ] {
        control_plane.apply(&policy(spec)).unwrap();
        let stalled = wait_for("Stalled", PATIENCE, || {
            let policy = control_plane.get(&["fluxsecuritypolicy", "bad"])?;
            let stalled = condition(&policy, "Stalled").clone();
            let current = policy["status"]["observedGeneration"] == policy["metadata"]["generation"];
            ensure!(current && stalled["status"] == "True", "{}", policy["status"]);
            Ok(stalled)
        })
        .unwrap();
        assert!(
            stalled["message"].to_string().contains(named),
            "{spec}: {stalled}"
        );
    }
    control_plane.apply(&policy("{}")).unwrap();
    wait_for("a repaired policy", PATIENCE, || {
        let policy = control_plane.get(&["fluxsecuritypolicy", "bad"])?;
        ensure!(
            condition(&policy, "Ready")["status"] == "True",
            "{}",
            policy["status"]
        );
        Ok(())
    })
    .unwrap();
    operator.process.check().unwrap();
}

#[test]
fn what_is_missing_is_said_in_one_sentence() {
    let control_plane = ControlPlane::start().unwrap();
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = fluxsec(&control_plane, &["run", "--metrics-address", &address]);
    assert_eq!(output.0, Some(2));
    assert!(output.1.contains(&address), "{}", output.1);

    let (code, said) = fluxsec(&control_plane, &["audit", "--context", "nowhere"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("nowhere"), "{said}");

    let nobody = control_plane.kubeconfig("nobody", "wrong-token").unwrap();
    let output = Command::new(operator::fluxsec())
        .arg("audit")
        .env("KUBECONFIG", nobody)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("does not accept the credentials"), "{said}");

    // The operator waits for what an audit cannot do without.
    let later = control_plane.sandbox().folder().join("later.kubeconfig");
    let mut waiting = Operator::launch(&control_plane, &later).unwrap();
    wait_for("a complaint", PATIENCE, || {
        ensure!(
            waiting.process.log().contains("set KUBECONFIG to a file"),
            "silent"
        );
        Ok(())
    })
    .unwrap();
    std::fs::copy(control_plane.admin(), &later).unwrap();
    waiting.wait_until_ready().unwrap();
    assert!(waiting.process.stop().unwrap().success());

    // Without the CRDs too.
    let mut operator = Operator::launch(&control_plane, control_plane.admin()).unwrap();
    operator.wait_until_ready().unwrap();
    Operator::install(&control_plane).unwrap();
    control_plane.apply(SHARED).unwrap();
    until(&control_plane, "a report once the kinds exist", |report| {
        report["status"]["summary"].is_object()
    });
    assert!(
        operator.process.log().contains("fluxsecuritypolicies"),
        "{}",
        operator.process.log()
    );
}

/// Exit code and everything that the command said.
fn fluxsec(control_plane: &ControlPlane, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(operator::fluxsec())
        .args(arguments)
        .env("KUBECONFIG", control_plane.admin())
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

/// Two replicas: the standby is silent, and goes on where the leader stopped, without a repeated write or Event.
#[test]
fn the_standby_takes_over_what_the_leader_published() {
    let control_plane = installed();
    control_plane.apply(SHARED).unwrap();
    let mut first = Operator::start(&control_plane).unwrap();
    let leads = |operator: &Operator| operator.metric("flux_security_leader").unwrap() == Some(1.0);
    until(&control_plane, "the first report", |report| {
        result(report, "FSP-KUST-001") == "Pass"
    });
    let second = Operator::start(&control_plane).unwrap();
    assert!(leads(&first) && !leads(&second));
    let (_, metrics) = second.get("/metrics").unwrap();
    assert!(
        !metrics.contains("flux_security_findings{"),
        "a standby shows no posture: {metrics}"
    );
    let (published, told) = (versions(&control_plane), events(&control_plane).len());

    let stopped = Instant::now();
    drop(first.process.stop());
    wait_for("the hand-over", PATIENCE, || {
        ensure!(leads(&second), "still standing by");
        Ok(())
    })
    .unwrap();
    eprintln!("hand-over, with the stop: {:?}", stopped.elapsed());
    wait_for("the new leader's posture", PATIENCE, || {
        let (_, metrics) = second.get("/metrics")?;
        ensure!(
            metrics.contains("flux_security_last_success_timestamp_seconds{"),
            "nothing published"
        );
        Ok(())
    })
    .unwrap();
    assert_eq!(
        versions(&control_plane),
        published,
        "what is unchanged is not written again"
    );
    assert_eq!(events(&control_plane).len(), told, "a hand-over is no transition");
    set_args(
        &control_plane,
        "kustomize-controller",
        "--insecure-kubeconfig-exec=true",
    );
    until(&control_plane, "the drift", |report| {
        result(report, "FSP-KUST-001") == "Fail"
    });
    assert!(events(&control_plane).len() > told, "the drift is told");
}
