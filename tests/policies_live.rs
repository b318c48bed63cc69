//! What a report remembers, and several policies at once, on a real API server.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod controlplane;

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::ensure;
use controlplane::nodes::Nodes;
use controlplane::programs::CONSUMERS;
use controlplane::scenario::{
    PATIENCE, SHARED, events, installed, restarted, result, set_args, until, versions,
};
use controlplane::{ControlPlane, Operator, operator, wait_for};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

const CONTROL: &str = "FSP-KUST-001";

/// Waits until the newest change of the control is one to this result.
fn changed(control_plane: &ControlPlane, to: &str) -> Value {
    let newest = |report: &Value| {
        let changes = report["status"]["history"].as_array().into_iter().flatten();
        let mut changes = changes.filter(|change| change["control"] == CONTROL);
        changes.next().cloned().unwrap_or_default()
    };
    let report = until(control_plane, to, |report| {
        result(report, CONTROL) == to && newest(report)["to"] == to
    });
    newest(&report)
}

/// Edits a controller's Deployment as a person does.
fn edit(control_plane: &ControlPlane, from: &str, to: &str) {
    let output = control_plane
        .kubectl_command()
        .args(["edit", "deployment", "-n", "flux-system", "kustomize-controller"])
        .env("KUBE_EDITOR", format!("sed -i s/{from}/{to}/"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Applies the labels and the arguments of a controller as somebody else does.
fn apply_as(control_plane: &ControlPlane, manager: &str, arguments: &Value) {
    let mut object = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "kustomize-controller", "namespace": "flux-system", "labels": {
            "kustomize.toolkit.fluxcd.io/name": "flux", "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
        }},
    });
    if !arguments.is_null() {
        let containers = json!([{"name": "manager", "args": arguments}]);
        object["spec"] = json!({"template": {"spec": {"containers": containers}}});
    }
    let manager = format!("--field-manager={manager}");
    let arguments = ["apply", "--server-side", "--force-conflicts", &manager, "-f", "-"];
    control_plane
        .kubectl_with(&arguments, &object.to_string())
        .unwrap();
}

fn audit(control_plane: &ControlPlane, format: &str) -> String {
    let policy = control_plane.sandbox().folder().join("policy.yaml");
    fs::write(&policy, SHARED).unwrap();
    let output = Command::new(operator::fluxsec())
        .args(["audit", "--fail-on", "none", "-o", format, "--policy"])
        .arg(&policy)
        .env("KUBECONFIG", control_plane.admin())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_history_names_who_changed_what() {
    let control_plane = installed();
    control_plane.apply(SHARED).unwrap();
    let operator = Operator::start(&control_plane).unwrap();
    until(&control_plane, "the first report", |report| {
        result(report, CONTROL) == "Pass"
    });
    let path = ["deployment", "-n", "flux-system", "kustomize-controller"];
    let deployment = control_plane.get(&path).unwrap();
    let arguments = deployment["spec"]["template"]["spec"]["containers"][0]["args"].clone();

    // As scripts wait for it, and kstatus reads it.
    let all = "fluxsecuritypolicies,fluxsecurityreports";
    let ready = ["wait", all, "--all", "--for=condition=Ready", "--timeout=10s"];
    control_plane.kubectl(&ready).unwrap();
    let policy = control_plane.get(&["fluxsecuritypolicy", "default"]).unwrap();
    assert_eq!(
        policy["status"]["observedGeneration"],
        policy["metadata"]["generation"]
    );

    edit(
        &control_plane,
        "--log-encoding=json",
        "--insecure-kubeconfig-exec=true",
    );
    let change = changed(&control_plane, "Fail");
    assert_eq!(change["manager"], "kubectl-edit", "{change}");
    assert_eq!(
        (&change["from"], &change["appliedBy"]),
        (&json!("Pass"), &Value::Null)
    );
    assert_eq!(change["resource"]["name"], "kustomize-controller");

    apply_as(&control_plane, "kustomize-controller", &arguments);
    let change = changed(&control_plane, "Pass");
    assert_eq!(change["manager"], "kustomize-controller", "{change}");
    assert_eq!(change["appliedBy"]["kind"], "Kustomization");
    assert_eq!(change["appliedBy"]["name"], "flux");
    assert_eq!(change["resource"]["name"], "kustomize-controller");

    // The same labels by another manager are no change, and a restart neither adds nor loses anything.
    let before = versions(&control_plane);
    apply_as(&control_plane, "argocd", &Value::Null);
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(versions(&control_plane), before);
    let mut operator = restarted(operator, &control_plane);
    assert_eq!(versions(&control_plane), before);

    // What changes while nobody looks is told without a name.
    operator.process.stop().unwrap();
    edit(
        &control_plane,
        "--log-level=info",
        "--insecure-kubeconfig-exec=true",
    );
    let mut operator = Operator::start(&control_plane).unwrap();
    let change = changed(&control_plane, "Fail");
    assert_eq!(change["manager"], Value::Null, "{change}");

    let end = Timestamp::now() + SignedDuration::from_hours(1);
    let waiver = json!({
        "apiVersion": "fluxsecurity.dev/v1alpha1", "kind": "FluxSecurityWaiver", "metadata": {"name": "short"},
        "spec": {
            "control": CONTROL, "resources": [{"namespace": "flux-system", "name": "kustomize-controller"}],
            "reason": "accepted for a moment", "owner": "us", "expires": end.to_string(),
        },
    });
    control_plane.apply(&waiver.to_string()).unwrap();
    let change = changed(&control_plane, "Waived");
    assert_eq!(
        (&change["waiver"], &change["manager"]),
        (&json!("short"), &Value::Null)
    );
    control_plane
        .kubectl(&["delete", "fluxsecuritywaiver", "short"])
        .unwrap();
    let change = changed(&control_plane, "Fail");
    assert_eq!(
        (&change["from"], &change["waiver"]),
        (&json!("Waived"), &json!("short"))
    );

    let report = control_plane.get(&["fluxsecurityreport", "default"]).unwrap();
    let history = &report["status"]["history"];
    let told: Value = serde_json::from_str(&audit(&control_plane, "json")).unwrap();
    assert_eq!(told["status"]["history"], *history);
    assert!(audit(&control_plane, "yaml").contains("manager: kubectl-edit"));
    let page = audit(&control_plane, "html");
    assert!(page.contains("<h2>History</h2>") && page.contains("kubectl-edit"));
    assert!(page.contains("kustomize-controller for Kustomization flux-system/flux"));
    operator.process.check().unwrap();
}

const TENANT: &str = "
apiVersion: fluxsecurity.dev/v1alpha1
kind: FluxSecurityPolicy
metadata:
  name: tenant
spec:
  tenancy: Shared
  fluxNamespaces: [flux-tenant]
  failOn: Low
  controls:
    - {id: FSP-KUST-001, severity: Low}
";

fn report_of(control_plane: &ControlPlane, policy: &str) -> anyhow::Result<Value> {
    control_plane.get(&["fluxsecurityreport", policy])
}

fn becomes(control_plane: &ControlPlane, policy: &str, to: &str) -> Value {
    wait_for(to, PATIENCE, || {
        let report = report_of(control_plane, policy)?;
        ensure!(result(&report, CONTROL) == to, "{}", result(&report, CONTROL));
        Ok(report)
    })
    .unwrap()
}

/// The control's findings by namespace.
fn found(report: &Value) -> Vec<&str> {
    let findings = report["status"]["findings"].as_array().into_iter().flatten();
    let findings = findings.filter(|finding| finding["control"] == CONTROL);
    findings
        .filter_map(|finding| finding["resource"]["namespace"].as_str())
        .collect()
}

/// Another kustomize-controller, in a namespace of its own.
fn second_flux(control_plane: &ControlPlane) {
    let mut deployment = control_plane
        .get(&["deployment", "-n", "flux-system", "kustomize-controller"])
        .unwrap();
    let labels = deployment["metadata"]["labels"].clone();
    deployment["metadata"] =
        json!({"name": "kustomize-controller", "namespace": "flux-tenant", "labels": labels});
    deployment["spec"]["template"]["spec"]["serviceAccountName"] = json!("default");
    deployment.as_object_mut().unwrap().remove("status");
    control_plane
        .kubectl(&["create", "namespace", "flux-tenant"])
        .unwrap();
    control_plane.apply(&deployment.to_string()).unwrap();
}

/// Sets a flag of it; the last of several counts.
fn set_in_second(control_plane: &ControlPlane, value: &str) {
    let argument = format!("--insecure-kubeconfig-exec={value}");
    let patch = json!([{"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": argument}]);
    let patch = patch.to_string();
    let object = ["patch", "deployment", "-n", "flux-tenant", "kustomize-controller"];
    control_plane
        .kubectl(&[&object[..], &["--type=json", "-p", &patch]].concat())
        .unwrap();
}

#[test]
fn policies_beside_each_other_and_one_that_goes() {
    let control_plane = installed();
    let _nodes = Nodes::start(&control_plane).unwrap();
    let ours = format!("{SHARED}  fluxNamespaces: [flux-system]\n");
    control_plane.apply(&ours).unwrap();
    control_plane.apply(TENANT).unwrap();
    second_flux(&control_plane);
    let mut operator = Operator::start(&control_plane).unwrap();
    for policy in ["default", "tenant"] {
        becomes(&control_plane, policy, "Pass");
    }
    let default = report_of(&control_plane, "default").unwrap();

    let set = |value: &str| set_in_second(&control_plane, value);
    set("true");
    let report = becomes(&control_plane, "tenant", "Fail");
    assert_eq!(found(&report), ["flux-tenant"; 1]);
    assert_eq!(
        result(&report_of(&control_plane, "default").unwrap(), CONTROL),
        "Pass"
    );
    let series = |policy: &str, severity: &str| {
        format!("flux_security_findings{{control=\"{CONTROL}\",policy=\"{policy}\",severity=\"{severity}\"}}")
    };
    let metric = |series: &str| operator.metric(series).unwrap();
    assert_eq!(metric(&series("tenant", "Low")), Some(1.0));
    assert_eq!(metric(&series("default", "Critical")), None);
    let told = |policy: &str| {
        let is_meant = |event: &&Value| {
            event["reason"] == "ControlFailed"
                && event["regarding"]["name"] == policy
                && event["note"].to_string().contains(CONTROL)
        };
        events(&control_plane).iter().filter(is_meant).count()
    };
    assert_eq!((told("tenant"), told("default")), (1, 0));
    let history = |report: &Value| report["status"]["history"].clone();
    assert_eq!(
        history(&report_of(&control_plane, "default").unwrap()),
        history(&default)
    );

    // It goes while its reports are written.
    let churn = std::thread::scope(|scope| {
        let churning = scope.spawn(|| {
            for value in ["false", "true", "false", "true", "false", "true"] {
                set(value);
                std::thread::sleep(Duration::from_millis(300));
            }
        });
        std::thread::sleep(Duration::from_millis(500));
        control_plane
            .kubectl(&["delete", "fluxsecuritypolicy", "tenant"])
            .unwrap();
        churning.join()
    });
    churn.unwrap();
    wait_for(
        "the reports and the series to vanish",
        Duration::from_mins(1),
        || {
            let kinds = "fluxsecurityreports,fluxsecuritynamespacereports";
            let names = control_plane.kubectl(&["get", "-A", kinds, "-o", "name"])?;
            ensure!(!names.contains("/tenant"), "{names}");
            let (_, metrics) = operator.get("/metrics")?;
            ensure!(!metrics.contains("policy=\"tenant\""), "still in the metrics");
            Ok(())
        },
    )
    .unwrap();
    let before = versions(&control_plane);
    set("false");
    std::thread::sleep(Duration::from_secs(3));
    assert!(
        report_of(&control_plane, "tenant").is_err(),
        "nobody writes it again"
    );
    assert_eq!(
        versions(&control_plane),
        before,
        "the other policy has nothing to do with it"
    );
    set_args(
        &control_plane,
        "kustomize-controller",
        "--insecure-kubeconfig-exec=true",
    );
    becomes(&control_plane, "default", "Fail");
    operator.process.check().unwrap();
}

/// Every OpenReport that is there, with its version.
fn open_reports(control_plane: &ControlPlane) -> anyhow::Result<Vec<Value>> {
    let mut all = Vec::new();
    for kind in ["clusterreports.openreports.io", "reports.openreports.io"] {
        let list = control_plane.get(&["-A", kind])?;
        all.extend(list["items"].as_array().cloned().unwrap_or_default());
    }
    Ok(all)
}

/// The results of a control, with the namespace of the OpenReport that has them.
fn told_of(reports: &[Value]) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let results = reports.iter().flat_map(|report| {
        let namespace = text(&report["metadata"]["namespace"]);
        let results = report["results"].as_array().into_iter().flatten();
        let results = results.filter(|result| result["policy"] == CONTROL);
        results.map(move |result| (namespace.clone(), text(&result["result"])))
    });
    results.collect()
}

fn asks_for_open_reports(control_plane: &ControlPlane, asks: bool) {
    let patch = json!({"spec": {"outputs": {"openReports": asks}}}).to_string();
    let policy = [
        "patch",
        "fluxsecuritypolicy",
        "default",
        "--type=merge",
        "-p",
        &patch,
    ];
    control_plane.kubectl(&policy).unwrap();
}

fn becomes_told(control_plane: &ControlPlane, expected: &[(&str, &str)], patience: Duration) -> Vec<Value> {
    wait_for("the OpenReports", patience, || {
        let reports = open_reports(control_plane)?;
        let told = told_of(&reports);
        let told: Vec<(&str, &str)> = told.iter().map(|(at, result)| (&**at, &**result)).collect();
        ensure!(told == expected, "{told:?}");
        Ok(reports)
    })
    .unwrap()
}

fn versions_of(reports: &[Value]) -> Vec<&Value> {
    reports
        .iter()
        .map(|report| &report["metadata"]["resourceVersion"])
        .collect()
}

#[test]
fn open_reports_are_written_where_they_are_asked_for() {
    let control_plane = installed();
    control_plane.apply(SHARED).unwrap();
    asks_for_open_reports(&control_plane, true);
    let operator = Operator::start(&control_plane).unwrap();
    until(&control_plane, "the first report", |report| {
        result(report, CONTROL) == "Pass"
    });
    let log = operator.process.log();
    assert!(log.contains("their kinds are not served"), "{log}");

    for entry in fs::read_dir(CONSUMERS.folder().unwrap().join("files/config/crd")).unwrap() {
        let definition = fs::read_to_string(entry.unwrap().path()).unwrap();
        control_plane.apply(&definition).unwrap();
    }
    control_plane
        .kubectl(&["wait", "--for=condition=Established", "crd", "--all"])
        .unwrap();
    let account = "--as=system:serviceaccount:flux-security-system:flux-security-operator";
    let may = ["auth", "can-i", "patch", "clusterreports.openreports.io", account];
    assert!(control_plane.kubectl(&may).is_err(), "not in the default install");
    let overlay = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config/open-reports");
    control_plane
        .kubectl(&["apply", "--server-side", "-k", overlay.to_str().unwrap()])
        .unwrap();
    // It looks for them once a minute.
    let reports = becomes_told(&control_plane, &[("", "pass")], Duration::from_secs(100));
    let policy = control_plane.get(&["fluxsecuritypolicy", "default"]).unwrap();
    for report in &reports {
        assert_eq!(report["metadata"]["name"], "flux-security-default");
        assert_eq!(
            report["metadata"]["ownerReferences"][0]["uid"],
            policy["metadata"]["uid"]
        );
    }
    let whole = control_plane.get(&["fluxsecurityreport", "default"]).unwrap();
    let controls = whole["status"]["controls"].as_array().unwrap().len();
    let distinct: BTreeSet<&str> = reports
        .iter()
        .flat_map(|report| report["results"].as_array().unwrap())
        .map(|result| result["policy"].as_str().unwrap())
        .collect();
    assert_eq!(distinct.len(), controls, "every control has a result");

    let operator = restarted(operator, &control_plane);
    let again = open_reports(&control_plane).unwrap();
    assert_eq!(versions_of(&again), versions_of(&reports), "nothing changed");

    set_args(
        &control_plane,
        "kustomize-controller",
        "--insecure-kubeconfig-exec=true",
    );
    becomes_told(&control_plane, &[("flux-system", "fail")], PATIENCE);
    set_args(
        &control_plane,
        "kustomize-controller",
        "--insecure-kubeconfig-exec=false",
    );
    becomes_told(&control_plane, &[("", "pass")], PATIENCE);

    asks_for_open_reports(&control_plane, false);
    let gone = |what: &str| {
        wait_for(what, PATIENCE, || {
            let reports = open_reports(&control_plane)?;
            ensure!(reports.is_empty(), "{} are there", reports.len());
            Ok(())
        })
        .unwrap();
    };
    gone("them to go");
    asks_for_open_reports(&control_plane, true);
    becomes_told(&control_plane, &[("", "pass")], PATIENCE);
    // Switched off while nobody looks.
    let mut operator = operator;
    operator.process.stop().unwrap();
    asks_for_open_reports(&control_plane, false);
    let mut operator = Operator::start(&control_plane).unwrap();
    gone("them to go after a start");
    operator.process.check().unwrap();
}
