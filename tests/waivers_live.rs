//! Waivers on a real API server: which it takes, when they take effect and end, and what is told of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod controlplane;
mod support;

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use anyhow::ensure;
use controlplane::scenario::{
    PATIENCE, SHARED, events, installed, restarted, result, set_args, until, versions,
};
use controlplane::{ControlPlane, Operator, operator, wait_for};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use support::waivers::{admitted, refused};

/// What `fluxsec` says.
fn fluxsec(control_plane: &ControlPlane, arguments: &[&str]) -> Output {
    Command::new(operator::fluxsec())
        .args(arguments)
        .env("KUBECONFIG", control_plane.admin())
        .output()
        .unwrap()
}

/// A waiver as `fluxsec waive` prints it.
fn waive(control_plane: &ControlPlane, name: &str, resource: &str, expires: &str) -> String {
    let arguments = [
        "waive",
        "fsp-kust-001",
        "--resource",
        resource,
        "--reason",
        "accepted until the old fleet is gone",
        "--owner",
        "security-team",
        "--ticket",
        "SEC-1",
        "--expires",
        expires,
        "--name",
        name,
    ];
    let output = fluxsec(control_plane, &arguments);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

const CONTROLLER: &str = "Deployment/flux-system/kustomize-controller";

fn seen(control_plane: &ControlPlane, name: &str) -> anyhow::Result<Value> {
    control_plane.get(&["fluxsecuritywaiver", name])
}

fn state_becomes(control_plane: &ControlPlane, name: &str, state: &str) -> Value {
    wait_for(state, PATIENCE, || {
        let waiver = seen(control_plane, name)?;
        ensure!(waiver["status"]["state"] == state, "{}", waiver["status"]);
        Ok(waiver)
    })
    .unwrap()
}

fn time(text: &Value) -> Timestamp {
    text.as_str().unwrap().parse().unwrap()
}

/// Since when a control has its result.
fn since(report: &Value, control: &str) -> Timestamp {
    let rows = report["status"]["controls"].as_array().unwrap();
    time(&rows.iter().find(|row| row["id"] == control).unwrap()["since"])
}

/// How many Events have this reason, and are about an object of that name.
fn told(control_plane: &ControlPlane, reason: &str, name: &str) -> usize {
    let is_meant = |event: &&Value| event["reason"] == reason && event["regarding"]["name"] == name;
    events(control_plane).iter().filter(is_meant).count()
}

#[test]
fn what_is_no_waiver_is_refused_at_apply_with_a_sentence() {
    let control_plane = ControlPlane::start().unwrap();
    Operator::install(&control_plane).unwrap();
    let soon = Timestamp::now() + SignedDuration::from_hours(24);
    let waiver = |change: &Value| {
        let mut spec = json!({
            "control": "FSP-KUST-001", "resources": [{"namespace": "flux-system"}],
            "reason": "accepted until it is repaired", "owner": "security-team", "expires": soon.to_string(),
        });
        for (field, value) in change.as_object().unwrap() {
            spec[field] = value.clone();
        }
        json!({
            "apiVersion": "fluxsecurity.dev/v1alpha1", "kind": "FluxSecurityWaiver",
            "metadata": {"name": "it"}, "spec": spec,
        })
    };
    for (change, field) in refused() {
        let error = control_plane
            .apply(&waiver(&change).to_string())
            .unwrap_err()
            .to_string();
        assert!(error.contains(field), "{change}: {error}");
        assert!(seen(&control_plane, "it").is_err(), "{change}");
    }
    for change in admitted() {
        control_plane
            .apply(&waiver(&change).to_string())
            .unwrap_or_else(|error| panic!("{change}: {error}"));
        control_plane
            .kubectl(&["delete", "fluxsecuritywaiver", "it"])
            .unwrap();
    }
    let mut endless = waiver(&json!({}));
    endless["spec"].as_object_mut().unwrap().remove("expires");
    let error = control_plane.apply(&endless.to_string()).unwrap_err().to_string();
    assert!(error.contains("spec.expires"), "{error}");
    for sentence in [
        "too broad: this matches every object",
        "too broad: a control that ends with a star",
    ] {
        let all = json!({"control": "FSP-*", "resources": [{"kind": "*", "name": "*"}]});
        let error = control_plane
            .apply(&waiver(&all).to_string())
            .unwrap_err()
            .to_string();
        assert!(error.contains(sentence), "{error}");
    }
    // The API server reads its policies of admission by a watch of its own.
    let year = SignedDuration::from_hours(365 * 24);
    wait_for("the policy of admission", PATIENCE, || {
        let late = (Timestamp::now() + year + SignedDuration::from_mins(5)).to_string();
        let applied = control_plane.apply(&waiver(&json!({"expires": late})).to_string());
        let Err(error) = applied else {
            control_plane.kubectl(&["delete", "fluxsecuritywaiver", "it"])?;
            anyhow::bail!("admitted");
        };
        ensure!(error.to_string().contains("more than 365 days"), "{error}");
        Ok(())
    })
    .unwrap();
    for expires in [
        "30d",
        "365d",
        "1h30m",
        "2w",
        &soon.to_string()[..10],
        &soon.to_string(),
    ] {
        // A date may be that of today.
        if expires.len() == 10 && expires <= &Timestamp::now().to_string()[..10] {
            continue;
        }
        let text = waive(&control_plane, "it", CONTROLLER, expires);
        control_plane.apply(&text).unwrap();
        control_plane
            .kubectl(&["delete", "fluxsecuritywaiver", "it"])
            .unwrap();
    }
    let sample = std::fs::read_to_string("config/samples/waiver.yaml").unwrap();
    control_plane.apply(&sample).unwrap();
}

/// The series of the end of the waiver `short`.
const EXPIRY: &str =
    "flux_security_waiver_expiry_timestamp_seconds{control=\"FSP-KUST-001\",waiver=\"short\"}";

/// A waiver in effect, in metrics, in the table of kubectl, and in an audit.
fn is_shown(control_plane: &ControlPlane, operator: &Operator, waiver: &Value) {
    let metric = |series: &str| operator.metric(series).unwrap();
    let end = time(&waiver["spec"]["expires"]);
    #[expect(clippy::cast_precision_loss, reason = "seconds of this century")]
    let seconds = end.as_second() as f64;
    assert_eq!(metric(EXPIRY), Some(seconds));
    assert_eq!(metric("flux_security_waivers{state=\"ExpiringSoon\"}"), Some(1.0));
    let table = control_plane.kubectl(&["get", "fsw"]).unwrap();
    let columns: Vec<&str> = table.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(columns, ["NAME", "CONTROL", "STATE", "EXPIRES", "OWNER", "AGE"]);
    assert!(!table.contains("<invalid>"), "{table}");
    let audit = fluxsec(control_plane, &["audit", "-o", "json", "--tenancy", "shared"]);
    let audit: Value = serde_json::from_slice(&audit.stdout).unwrap();
    assert_eq!(result(&audit, "FSP-KUST-001"), "Waived");
}

#[test]
fn a_waiver_of_seconds_covers_at_once_ends_on_its_second_and_tells_once() {
    let control_plane = installed();
    set_args(
        &control_plane,
        "kustomize-controller",
        "--insecure-kubeconfig-exec=true",
    );
    control_plane.apply(SHARED).unwrap();
    let operator = Operator::start(&control_plane).unwrap();
    let failing = until(&control_plane, "the failure", |report| {
        result(report, "FSP-KUST-001") == "Fail"
    });
    wait_for("the finding's Event", PATIENCE, || {
        let count = told(&control_plane, "FindingDetected", "kustomize-controller");
        ensure!(count > 0, "none");
        Ok(())
    })
    .unwrap();
    let detected = told(&control_plane, "FindingDetected", "kustomize-controller");
    let resolved = told(&control_plane, "FindingResolved", "kustomize-controller");

    let text = waive(&control_plane, "short", CONTROLLER, "12s");
    control_plane.apply(&text).unwrap();
    let waived = until(&control_plane, "the waiver to take effect", |report| {
        result(report, "FSP-KUST-001") == "Waived"
    });
    let short = state_becomes(&control_plane, "short", "ExpiringSoon");
    let created = time(&short["metadata"]["creationTimestamp"]);
    let delay = since(&waived, "FSP-KUST-001").duration_since(created);
    // Both are whole seconds.
    eprintln!("created to waived: {delay:#}");
    assert!(delay <= SignedDuration::from_secs(2), "{delay:#}");
    let (before, after) = (&failing["status"]["summary"], &waived["status"]["summary"]);
    assert_eq!(after["waived"], 1);
    assert_eq!(after["fail"], before["fail"].as_i64().unwrap() - 1);
    assert_eq!(after["pass"], before["pass"]);
    let findings = waived["status"]["findings"].as_array().unwrap();
    let finding = findings.iter().find(|it| it["control"] == "FSP-KUST-001");
    assert_eq!(finding.unwrap()["waiver"], "short");
    is_shown(&control_plane, &operator, &short);
    let end = time(&short["spec"]["expires"]);

    let again = until(&control_plane, "the waiver to end", |report| {
        result(report, "FSP-KUST-001") == "Fail"
    });
    let delay = since(&again, "FSP-KUST-001").duration_since(end);
    eprintln!("end to failure: {delay:#}");
    assert!(delay >= SignedDuration::ZERO, "it ended {delay:#} after its end");
    assert!(delay <= SignedDuration::from_secs(2), "{delay:#}");
    let expired = state_becomes(&control_plane, "short", "Expired");
    assert_eq!(expired["status"]["matched"], 1);
    wait_for("the Events of the end", PATIENCE, || {
        let now = told(&control_plane, "FindingDetected", "kustomize-controller");
        ensure!(now == detected + 1, "{now} findings detected");
        ensure!(told(&control_plane, "WaiverExpired", "short") == 1, "untold");
        Ok(())
    })
    .unwrap();
    assert_eq!(told(&control_plane, "WaiverExpiringSoon", "short"), 1);
    assert_eq!(
        told(&control_plane, "FindingResolved", "kustomize-controller"),
        resolved,
        "an accepted risk is no resolved finding"
    );

    let nothing = waive(&control_plane, "nothing", "Deployment/flux-system/nobody", "100d");
    control_plane.apply(&nothing).unwrap();
    let unmatched = state_becomes(&control_plane, "nothing", "Unmatched");
    let said = unmatched["status"]["conditions"][0]["message"].to_string();
    assert!(said.contains("no finding of FSP-KUST-001 matches"), "{said}");
    assert_eq!(told(&control_plane, "WaiverUnmatched", "nothing"), 1);

    let all = |control_plane: &ControlPlane| (versions(control_plane), events(control_plane).len());
    std::thread::sleep(Duration::from_secs(2));
    let published = all(&control_plane);
    let mut operator = restarted(operator, &control_plane);
    assert_eq!(all(&control_plane), published, "a restart repeats nothing");

    control_plane
        .kubectl(&["delete", "fluxsecuritywaiver", "short"])
        .unwrap();
    let deleted = Instant::now();
    wait_for("the series to vanish", PATIENCE, || {
        ensure!(operator.metric(EXPIRY)?.is_none(), "still there");
        Ok(())
    })
    .unwrap();
    eprintln!("deleted to vanished: {:?}", deleted.elapsed());
    operator.process.check().unwrap();
}

/// The status of a waiver is the operator's: what others write into it is written anew.
#[test]
fn an_edited_status_comes_back() {
    let control_plane = installed();
    control_plane.apply(SHARED).unwrap();
    let mut operator = Operator::start(&control_plane).unwrap();
    control_plane
        .apply(&waive(&control_plane, "it", CONTROLLER, "100d"))
        .unwrap();
    let before = state_becomes(&control_plane, "it", "Unmatched");
    let patch = r#"{"status": {"state": "Active", "matched": 100}}"#;
    let edit = ["patch", "fluxsecuritywaiver", "it", "--subresource=status"];
    control_plane
        .kubectl(&[&edit[..], &["--type=merge", "-p", patch]].concat())
        .unwrap();
    let after = state_becomes(&control_plane, "it", "Unmatched");
    assert_eq!(after["status"], before["status"]);
    operator.process.check().unwrap();
}
