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
    PATIENCE, SHARED, change_policy, events, installed, restarted, result, set_args, until, versions,
};
use controlplane::{ControlPlane, Operator, operator, wait_for};
use flux_security_operator::api::{Severity, Tenancy};
use flux_security_operator::controls::CATALOGUE;
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
    change_policy(control_plane, &json!({"outputs": {"openReports": asks}}));
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

/// A policy that the custom control alone decides about.
fn decided_by_one(change: &Value) -> Value {
    let is_critical = |control: &&&flux_security_operator::controls::Control| {
        control.severity.under(Tenancy::None) == Some(Severity::Critical)
    };
    let off: Vec<Value> = CATALOGUE
        .iter()
        .filter(is_critical)
        .map(|control| json!({"id": control.id, "enabled": false}))
        .collect();
    let mut spec = json!({
        "clusterName": "prod-1", "failOn": "Critical", "controls": off,
        "report": {"maxFindings": 3, "history": 2},
        "customControls": [{
            "id": "ACME-001", "title": "Kustomizations prune", "severity": "Critical",
            "match": {"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization"},
            "expression": "object.spec.prune", "message": "what is deleted in Git stays",
        }],
    });
    for (field, value) in change.as_object().unwrap() {
        spec[field] = value.clone();
    }
    json!({
        "apiVersion": "fluxsecurity.dev/v1alpha1", "kind": "FluxSecurityPolicy",
        "metadata": {"name": "default"}, "spec": spec,
    })
}

fn prunes(control_plane: &ControlPlane, name: &str, prune: bool) {
    let object = json!({
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
        "metadata": {"name": name, "namespace": "team"},
        "spec": {
            "interval": "10m", "path": "./", "prune": prune,
            "sourceRef": {"kind": "GitRepository", "name": "fleet"},
        },
    });
    control_plane.apply(&object.to_string()).unwrap();
}

fn condition(object: &Value, kind: &str) -> Value {
    let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    let mut conditions = conditions.filter(|it| it["type"] == kind);
    conditions.next().cloned().unwrap_or_default()
}

/// Waits until an Event of this reason is about an object of that name; how many there are.
fn told(control_plane: &ControlPlane, reason: &str, name: &str) -> Vec<Value> {
    wait_for(reason, PATIENCE, || {
        let is_meant = |event: &Value| event["reason"] == reason && event["regarding"]["name"] == name;
        let told: Vec<Value> = events(control_plane).into_iter().filter(is_meant).collect();
        ensure!(!told.is_empty(), "no {reason} about {name}");
        Ok(told)
    })
    .unwrap()
}

#[test]
fn a_report_says_what_it_promises_to() {
    let control_plane = installed();
    control_plane.kubectl(&["create", "namespace", "team"]).unwrap();
    control_plane
        .kubectl(&["label", "namespace", "team", "toolkit.fluxcd.io/tenant=shop"])
        .unwrap();
    control_plane
        .apply(&decided_by_one(&json!({})).to_string())
        .unwrap();
    let mut operator = Operator::start(&control_plane).unwrap();

    let report = until(&control_plane, "the first report", |report| {
        condition(report, "Compliant")["status"] == "True"
    });
    it_says_what_was_audited(&control_plane, &report);
    told(&control_plane, "PostureCompliant", "default");
    every_transition_is_told(&control_plane);
    what_is_too_much_is_counted(&control_plane);
    what_is_asked_for_is_echoed(&control_plane);
    a_suspended_policy_keeps_its_report(&control_plane);
    a_word_counts_until_it_ends(&control_plane);
    words_that_say_nothing_are_refused(&control_plane);
    a_bad_policy_is_told_once(&control_plane);
    operator.process.check().unwrap();
}

fn it_says_what_was_audited(control_plane: &ControlPlane, report: &Value) {
    let status = &report["status"];
    assert_eq!(status["clusterName"], "prod-1");
    for field in ["version", "documentRevision"] {
        let text = status["catalogue"][field].as_str().unwrap_or_default();
        assert!(!text.is_empty(), "{field}");
    }
    let installation = &status["installations"][0];
    assert_eq!(installation["namespace"], "flux-system", "{installation}");
    assert!(installation["installer"].is_string() && installation["version"].is_string());
    for field in ["name", "workload", "image", "version"] {
        let controllers = installation["controllers"].as_array().unwrap();
        assert!(controllers.len() >= 4);
        assert!(
            controllers
                .iter()
                .all(|it| it[field].as_str().is_some_and(|it| !it.is_empty())),
            "{field}"
        );
    }
    let policy = control_plane.get(&["fluxsecuritypolicy", "default"]).unwrap();
    assert_eq!(status["observedGeneration"], policy["metadata"]["generation"]);
    assert_eq!(
        report["metadata"]["ownerReferences"][0]["uid"],
        policy["metadata"]["uid"]
    );
    assert_eq!(condition(&policy, "Ready")["status"], "True");
    assert_eq!(condition(report, "Ready")["status"], "True");
    let rows = status["controls"].as_array().unwrap();
    let count = |result: &str| rows.iter().filter(|row| row["result"] == result).count();
    for (result, field) in [
        ("Pass", "pass"),
        ("Fail", "fail"),
        ("Waived", "waived"),
        ("Manual", "manual"),
        ("NotApplicable", "notApplicable"),
        ("Unknown", "unknown"),
    ] {
        assert_eq!(status["summary"][field], count(result), "{field}");
    }
    for row in rows {
        for field in ["title", "severity", "reason", "message", "since"] {
            assert!(row[field].is_string(), "{field} of {row}");
        }
    }
    let is_complete = condition(report, "Complete")["status"] == "True";
    assert_eq!(is_complete, count("Unknown") == 0);
}

fn every_transition_is_told(control_plane: &ControlPlane) {
    prunes(control_plane, "apps", false);
    let report = until(control_plane, "the drift", |report| {
        condition(report, "Compliant")["status"] == "False"
    });
    assert_eq!(result(&report, "ACME-001"), "Fail");
    assert_eq!(report["status"]["summary"]["failing"]["critical"], 1);
    told(control_plane, "PostureDrifted", "default");
    let failed = told(control_plane, "ControlFailed", "default");
    let failed = failed
        .iter()
        .find(|event| event["note"].to_string().contains("ACME-001"))
        .unwrap();
    assert_eq!(failed["related"]["name"], "apps", "{failed}");
    assert_eq!(failed["type"], "Warning");
    told(control_plane, "FindingDetected", "apps");
    let namespaces = report["status"]["namespaces"].as_array().unwrap();
    let team = namespaces.iter().find(|it| it["name"] == "team").unwrap();
    assert_eq!(team["failing"]["critical"], 1, "{team}");
    assert_eq!(team["tenant"], "shop", "{team}");

    wait_for("the report of the namespace", PATIENCE, || {
        let report = control_plane.get(&["fluxsecuritynamespacereport", "default", "-n", "team"])?;
        let status = &report["status"];
        ensure!(
            status["policy"] == "default" && status["tenant"] == "shop",
            "{status}"
        );
        let findings = status["findings"].as_array().into_iter().flatten();
        ensure!(
            findings.into_iter().any(|it| it["control"] == "ACME-001"),
            "{status}"
        );
        ensure!(
            status["summary"].is_object() && condition(&report, "Ready")["status"] == "True",
            "{status}"
        );
        Ok(())
    })
    .unwrap();

    let before = told(control_plane, "PostureCompliant", "default").len();
    prunes(control_plane, "apps", true);
    let report = until(control_plane, "the repair", |report| {
        condition(report, "Compliant")["status"] == "True"
    });
    assert_eq!(
        report["status"]["history"].as_array().unwrap().len(),
        2,
        "as long as it may be"
    );
    assert_eq!(report["status"]["history"][0]["to"], "Pass");
    for (reason, about) in [("ControlRecovered", "default"), ("FindingResolved", "apps")] {
        let event = &told(control_plane, reason, about)[0];
        assert_eq!(event["type"], "Normal", "{event}");
    }
    wait_for("the posture", PATIENCE, || {
        let now = told(control_plane, "PostureCompliant", "default").len();
        ensure!(now == before + 1, "{now}, and {before} before");
        Ok(())
    })
    .unwrap();
}

fn what_is_too_much_is_counted(control_plane: &ControlPlane) {
    for number in 0..6 {
        prunes(control_plane, &format!("app-{number}"), false);
    }
    let report = until(control_plane, "all of them", |report| {
        let rows = report["status"]["controls"].as_array().into_iter().flatten();
        let mut rows = rows.filter(|row| row["id"] == "ACME-001");
        rows.next().is_some_and(|row| row["findings"] == 6)
    });
    let status = &report["status"];
    let listed = status["findings"].as_array().unwrap();
    assert_eq!(listed.len(), 3);
    // In the order of severity, control, namespace, kind and name.
    for (position, finding) in listed.iter().enumerate() {
        assert_eq!(finding["resource"]["name"], format!("app-{position}"));
    }
    let all = status["summary"]["findings"].as_u64().unwrap();
    assert_eq!(status["truncatedFindings"], all - 3);
    for number in 0..6 {
        prunes(control_plane, &format!("app-{number}"), true);
    }
    until(control_plane, "their repair", |report| {
        result(report, "ACME-001") == "Pass"
    });
}

fn what_is_asked_for_is_echoed(control_plane: &ControlPlane) {
    let asks = "reconcile.fluxcd.io/requestedAt=2026-01-01T00:00:00.5Z";
    control_plane
        .kubectl(&["annotate", "--overwrite", "fluxsecuritypolicy", "default", asks])
        .unwrap();
    wait_for("the echo", PATIENCE, || {
        for kind in ["fluxsecuritypolicy", "fluxsecurityreport"] {
            let status = control_plane.get(&[kind, "default"])?["status"].clone();
            ensure!(
                status["lastHandledReconcileAt"] == "2026-01-01T00:00:00.5Z",
                "{kind}: {}",
                status["lastHandledReconcileAt"]
            );
        }
        Ok(())
    })
    .unwrap();
}

fn a_suspended_policy_keeps_its_report(control_plane: &ControlPlane) {
    let before = report_of(control_plane, "default").unwrap();
    let suspended = decided_by_one(&json!({"suspend": true}));
    control_plane.apply(&suspended.to_string()).unwrap();
    wait_for("the pause", PATIENCE, || {
        let policy = control_plane.get(&["fluxsecuritypolicy", "default"])?;
        let ready = condition(&policy, "Ready");
        ensure!(ready.to_string().contains("suspended"), "{ready}");
        Ok(())
    })
    .unwrap();
    prunes(control_plane, "apps", false);
    std::thread::sleep(Duration::from_secs(2));
    let after = report_of(control_plane, "default").unwrap();
    assert_eq!(
        after["metadata"]["resourceVersion"],
        before["metadata"]["resourceVersion"]
    );
    control_plane
        .apply(&decided_by_one(&json!({})).to_string())
        .unwrap();
    until(control_plane, "the drift of the pause", |report| {
        result(report, "ACME-001") == "Fail"
    });
    prunes(control_plane, "apps", true);
}

/// Whatever only a person can judge here.
fn a_word_counts_until_it_ends(control_plane: &ControlPlane) {
    let report = until(control_plane, "something to judge", |report| {
        report["status"]["summary"]["manual"].as_u64() > Some(0)
    });
    let rows = report["status"]["controls"].as_array().unwrap();
    let manual = rows.iter().find(|row| row["result"] == "Manual").unwrap();
    let control = manual["id"].as_str().unwrap();
    let end = Timestamp::now() + SignedDuration::from_secs(10);
    let word = json!({"attestations": [{
        "control": control, "statement": "looked at it with a pod", "by": "jane@example.com", "expires": end.to_string(),
    }]});
    control_plane.apply(&decided_by_one(&word).to_string()).unwrap();
    let report = until(control_plane, "the word to count", |report| {
        result(report, control) == "Pass"
    });
    let rows = report["status"]["controls"].as_array().unwrap();
    let row = rows.iter().find(|row| row["id"] == control).unwrap();
    let message = row["message"].as_str().unwrap();
    assert!(
        row["reason"] == "Attested" && message.contains("jane@example.com"),
        "{row}"
    );
    let report = until(control_plane, "the word to end", |report| {
        result(report, control) == "Manual"
    });
    let rows = report["status"]["controls"].as_array().unwrap();
    let since = &rows.iter().find(|row| row["id"] == control).unwrap()["since"];
    let since: Timestamp = since.as_str().unwrap().parse().unwrap();
    let late = since.duration_since(end);
    assert!(late.as_secs().abs() <= 2, "it ended {late:#} after its end");
}

/// The API server refuses a word that says nothing.
fn words_that_say_nothing_are_refused(control_plane: &ControlPlane) {
    let good = json!({
        "control": "FSP-NET-003", "statement": "tried it with a pod", "by": "jane", "expires": "2030-01-01T00:00:00Z",
    });
    for (field, value, says) in [
        (
            "statement",
            "            ",
            "statement must say in at least 10 characters",
        ),
        (
            "statement",
            "............",
            "statement must say in at least 10 characters",
        ),
        ("by", " ", "by must name who says so"),
        ("expires", "tomorrow", "spec.attestations[0].expires"),
        // A letter of another alphabet that looks alike.
        ("control", "FSP-N\u{415}T-003", "spec.attestations[0].control"),
    ] {
        let mut word = good.clone();
        word[field] = json!(value);
        let policy = decided_by_one(&json!({"attestations": [word]}));
        let error = control_plane.apply(&policy.to_string()).unwrap_err().to_string();
        assert!(error.contains(says), "{field}: {error}");
    }
}

fn a_bad_policy_is_told_once(control_plane: &ControlPlane) {
    let before = report_of(control_plane, "default").unwrap();
    let bad = decided_by_one(&json!({"controls": [{"id": "FSP-XYZ-001"}]}));
    control_plane.apply(&bad.to_string()).unwrap();
    let invalid = told(control_plane, "PolicyInvalid", "default");
    assert_eq!(invalid.len(), 1);
    assert!(
        invalid[0]["note"].to_string().contains("FSP-XYZ-001"),
        "{}",
        invalid[0]
    );
    assert_eq!(invalid[0]["regarding"]["kind"], "FluxSecurityPolicy");
    let after = report_of(control_plane, "default").unwrap();
    assert_eq!(after["status"]["summary"], before["status"]["summary"]);
}
