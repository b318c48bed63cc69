//! What most tests of the program begin with, and ask.

use std::time::Duration;

use anyhow::ensure;
use serde_json::Value;

use super::{ControlPlane, Operator, flux, wait_for};

/// Longer than anything should take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A policy for tenants that share the cluster.
pub(crate) const SHARED: &str = "
apiVersion: fluxsecurity.dev/v1alpha1
kind: FluxSecurityPolicy
metadata:
  name: default
spec:
  tenancy: Shared
";

/// A control plane with Flux's manifests and the operator's.
pub(crate) fn installed() -> ControlPlane {
    installed_on(ControlPlane::start().unwrap())
}

/// The same on a control plane that differs from the usual.
pub(crate) fn installed_on(control_plane: ControlPlane) -> ControlPlane {
    control_plane.apply(&flux::manifests().unwrap()).unwrap();
    Operator::install(&control_plane).unwrap();
    control_plane
}

/// Changes the spec of the policy of [`SHARED`].
pub(crate) fn change_policy(control_plane: &ControlPlane, spec: &Value) {
    let patch = serde_json::json!({"spec": spec}).to_string();
    let patch = [
        "patch",
        "fluxsecuritypolicy",
        "default",
        "--type=merge",
        "-p",
        &patch,
    ];
    control_plane.kubectl(&patch).unwrap();
}

/// The report of the policy of [`SHARED`].
pub(crate) fn report(control_plane: &ControlPlane) -> anyhow::Result<Value> {
    control_plane.get(&["fluxsecurityreport", "default"])
}

/// Waits until the report exists and holds a condition.
pub(crate) fn until(control_plane: &ControlPlane, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
    wait_for(what, PATIENCE, || {
        let report = report(control_plane)?;
        ensure!(holds(&report), "the report says {}", report["status"]["summary"]);
        Ok(report)
    })
    .unwrap()
}

/// Stops the operator and starts another one. It has audited when this returns, and whatever it had to write is written.
pub(crate) fn restarted(mut operator: Operator, control_plane: &ControlPlane) -> Operator {
    let status = operator.process.stop().unwrap();
    assert!(status.success(), "{status}: {}", operator.process.log());
    let operator = Operator::start(control_plane).unwrap();
    wait_for_audit(&operator);
    operator
}

/// Waits until an operator that was started has audited, and whatever it had to write is written.
pub(crate) fn wait_for_audit(operator: &Operator) {
    wait_for("an audit", PATIENCE, || {
        let series = "flux_security_last_success_timestamp_seconds{policy=\"default\"}";
        ensure!(operator.metric(series)?.is_some(), "not yet");
        Ok(())
    })
    .unwrap();
    std::thread::sleep(Duration::from_secs(2));
}

/// What is counted, once nothing has been added for some seconds: what was told may still be under way.
pub(crate) fn settled(what: &str, count: impl Fn() -> usize) -> usize {
    wait_for(what, PATIENCE, || {
        let known = count();
        std::thread::sleep(Duration::from_secs(3));
        ensure!(count() == known, "more than {known}");
        Ok(known)
    })
    .unwrap()
}

/// The result of a control.
pub(crate) fn result<'a>(report: &'a Value, control: &str) -> &'a str {
    let rows = report["status"]["controls"].as_array().into_iter().flatten();
    let mut rows = rows.filter(|row| row["id"] == control);
    rows.next()
        .and_then(|row| row["result"].as_str())
        .unwrap_or("no such control")
}

/// Appends an argument to a controller's.
pub(crate) fn set_args(control_plane: &ControlPlane, controller: &str, argument: &str) {
    let patch = serde_json::json!([
        {"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": argument}
    ]);
    let patch = patch.to_string();
    let arguments = [
        "patch",
        "deployment",
        "-n",
        "flux-system",
        controller,
        "--type=json",
        "-p",
        &patch,
    ];
    control_plane.kubectl(&arguments).unwrap();
}

/// The Events that the operator sent.
pub(crate) fn events(control_plane: &ControlPlane) -> Vec<Value> {
    let list = control_plane.get(&["events.events.k8s.io", "-A"]).unwrap();
    let ours = |event: &&Value| event["reportingController"] == "flux-security-operator";
    list["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(ours)
        .cloned()
        .collect()
}

/// The versions of everything that the operator writes.
pub(crate) fn versions(control_plane: &ControlPlane) -> Vec<String> {
    let kinds = "fluxsecurityreports,fluxsecuritynamespacereports,fluxsecuritypolicies,fluxsecuritywaivers";
    let list = control_plane.get(&["-A", kinds]).unwrap();
    let version = |item: &Value| format!("{} {}", item["kind"], item["metadata"]["resourceVersion"]);
    list["items"].as_array().unwrap().iter().map(version).collect()
}
