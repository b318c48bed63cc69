//! Custom controls on a real API server: what its own CEL says of the same expressions, and kinds that nobody watched before.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod controlplane;
mod support;

use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::ensure;
use controlplane::operator::USER;
use controlplane::scenario::{PATIENCE, events, installed, result, until};
use controlplane::{ControlPlane, Operator, wait_for};
use flux_security_operator::custom::{Expression, Failure, Object};
use serde_json::{Value, json};
use support::expressions::{FAILS, FALSE, NOT_OFFERED, REFUSED, TRUE, WITHOUT_RESULT, spec};

/// Expressions that are asked at once: the API server cuts what it warns of.
const AT_ONCE: usize = 12;

fn definition() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com", "scope": "Namespaced",
            "names": {"kind": "Widget", "plural": "widgets", "singular": "widget"},
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
            }],
        },
    })
}

fn widget(name: &str, labels: &Value, spec: &Value) -> Value {
    json!({
        "apiVersion": "example.com/v1", "kind": "Widget",
        "metadata": {"name": name, "namespace": "default", "labels": labels}, "spec": spec,
    })
}

fn policy(name: &str, validations: &[Value]) -> Value {
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "resourceRules": [{
                    "apiGroups": ["example.com"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["widgets"],
                }],
                "objectSelector": {"matchLabels": {"asked": name}},
            },
            "validations": validations,
        },
    })
}

fn binding(name: &str) -> Value {
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name}, "spec": {"policyName": name, "validationActions": ["Warn"]},
    })
}

/// What the API server's CEL says of each expression.
fn answers(control_plane: &ControlPlane, expressions: &[&str]) -> BTreeMap<usize, &'static str> {
    let refused: Vec<Vec<usize>> = expressions
        .chunks(AT_ONCE)
        .enumerate()
        .map(|(number, some)| ask(control_plane, &format!("asked-{number}"), some))
        .collect();
    let mut answers = BTreeMap::new();
    for (number, some) in expressions.chunks(AT_ONCE).enumerate() {
        let name = format!("asked-{number}");
        let refused = &refused[number];
        let asking = widget("asking", &json!({"app": "demo", "asked": name}), &spec()).to_string();
        let said = wait_for("the policy", PATIENCE, || {
            let output = dry_run(control_plane, &asking);
            ensure!(output.contains("sentinel"), "{output}");
            Ok(output)
        });
        let said = said.unwrap();
        let warnings: Vec<&str> = said.split("Warning: ").collect();
        for (at, expression) in some.iter().enumerate() {
            let failed = format!("expression '{expression}' resulted in error");
            let answer = if refused.contains(&at) {
                "refused"
            } else if warnings.iter().any(|it| it.contains(&format!("no {at}."))) {
                "false"
            } else if warnings.iter().any(|it| it.contains(&failed)) {
                "fails"
            } else {
                "true"
            };
            answers.insert(number * AT_ONCE + at, answer);
        }
    }
    answers
}

/// Has the API server ask these, and tells which it refuses to.
fn ask(control_plane: &ControlPlane, name: &str, some: &[&str]) -> Vec<usize> {
    let validation =
        |(at, expression): (usize, &&str)| json!({"expression": expression, "message": format!("no {at}.")});
    let mut validations: Vec<Value> = some.iter().enumerate().map(validation).collect();
    validations.push(json!({"expression": "false", "message": "sentinel"}));
    let mut refused = Vec::new();
    if let Err(error) = control_plane.apply(&policy(name, &validations).to_string()) {
        let error = error.to_string();
        refused.extend((0..some.len()).filter(|at| error.contains(&format!("validations[{at}]."))));
        assert!(!refused.is_empty(), "{error}");
        let mut at = 0;
        validations.retain(|_| {
            at += 1;
            !refused.contains(&(at - 1))
        });
        control_plane
            .apply(&policy(name, &validations).to_string())
            .unwrap();
    }
    control_plane.apply(&binding(name).to_string()).unwrap();
    refused
}

/// What kubectl says when an object is made and not kept.
fn dry_run(control_plane: &ControlPlane, object: &str) -> String {
    use std::io::Write;
    let mut command: Command = control_plane.kubectl_command();
    command.args(["create", "--dry-run=server", "-f", "-"]);
    command
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(object.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn ours(expression: &str) -> &'static str {
    let Ok(expression) = Expression::compile(expression) else {
        return "refused";
    };
    let object = widget("asking", &json!({"app": "demo"}), &spec()).to_string();
    match Object::parse(&object).unwrap().evaluate(&expression) {
        Ok(true) => "true",
        Ok(false) => "false",
        Err(Failure::Failed(_)) => "fails",
        Err(Failure::TooCostly) => "too costly",
    }
}

/// Makes widgets a kind, and waits until it is served.
fn define_widgets(control_plane: &ControlPlane) {
    control_plane.apply(&definition().to_string()).unwrap();
    control_plane
        .kubectl(&[
            "wait",
            "--for=condition=Established",
            "crd/widgets.example.com",
            "--timeout=30s",
        ])
        .unwrap();
}

#[test]
fn expressions_agree_with_the_api_server() {
    let control_plane = ControlPlane::start().unwrap();
    define_widgets(&control_plane);
    let mut differ = Vec::new();
    let all: Vec<&str> = [TRUE, FALSE, FAILS, WITHOUT_RESULT].concat();
    assert!(all.len() >= 100, "{}", all.len());
    for (at, theirs) in answers(&control_plane, &all) {
        let ours = ours(all[at]);
        let is_as_said = if WITHOUT_RESULT.contains(&all[at]) {
            (theirs, ours) == ("true", "fails")
        } else {
            theirs == ours
        };
        if !is_as_said {
            differ.push(format!(
                "{}: the API server says {theirs}, we say {ours}",
                all[at]
            ));
        }
    }
    let takes = |expression: &&str| {
        let asked = policy("compiled", &[json!({"expression": expression})]).to_string();
        control_plane
            .kubectl_with(&["create", "--dry-run=server", "-f", "-"], &asked)
            .is_ok()
    };
    for expression in NOT_OFFERED {
        if !takes(expression) || ours(expression) != "refused" {
            differ.push(format!(
                "{expression}: not what only Kubernetes takes: {}",
                ours(expression)
            ));
        }
    }
    for expression in REFUSED {
        if takes(expression) || ours(expression) != "refused" {
            differ.push(format!(
                "{expression}: not what both refuse: {}, {}",
                takes(expression),
                ours(expression)
            ));
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

const POLICY: &str = "
apiVersion: fluxsecurity.dev/v1alpha1
kind: FluxSecurityPolicy
metadata: {name: default}
spec:
  customControls:
  - id: ACME-001
    title: Widgets have an owner
    severity: High
    match: {apiVersion: example.com/v1, kind: Widget, namespaces: [def*]}
    expression: has(object.spec.owner) && object.spec.owner != ''
    message: nobody owns this widget
";

const GRANT: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: custom-controls}
rules:
- {apiGroups: [example.com], resources: [widgets], verbs: [list, watch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: custom-controls}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: custom-controls}
subjects: [{kind: ServiceAccount, name: flux-security-operator, namespace: flux-security-system}]
";

fn condition(object: &Value, kind: &str) -> Value {
    let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    conditions
        .into_iter()
        .find(|it| it["type"] == kind)
        .cloned()
        .unwrap_or_default()
}

/// How many watches of a resource the operator has.
fn watches(control_plane: &ControlPlane, resource: &str) -> usize {
    let log = control_plane.audit_log().unwrap();
    let is_watch = |entry: &&Value| {
        entry["verb"] == "watch"
            && entry["objectRef"]["resource"] == resource
            && entry["user"]["username"] == USER
    };
    let ids = |stage: &str| {
        log.iter()
            .filter(is_watch)
            .filter(|it| it["stage"] == stage)
            .count()
    };
    ids("ResponseStarted") - ids("ResponseComplete").min(ids("ResponseStarted"))
}

#[test]
fn a_kind_that_nobody_watched_is_watched_from_then_on_and_no_longer_than_asked() {
    let control_plane = installed();
    define_widgets(&control_plane);
    control_plane
        .apply(&widget("bad", &json!({}), &json!({"size": 1})).to_string())
        .unwrap();
    let mut operator = Operator::start(&control_plane).unwrap();

    what_is_not_granted_is_unknown(&control_plane);
    what_is_granted_is_judged(&control_plane, &operator);
    changes_are_followed(&control_plane);
    an_audit_by_hand_asks_the_same(&control_plane);
    bad_policies_are_refused(&control_plane);
    without_the_policy_nothing_is_watched(&control_plane);
    operator.process.check().unwrap();
}

/// The default install grants no kind that it does not need.
fn what_is_not_granted_is_unknown(control_plane: &ControlPlane) {
    control_plane.apply(POLICY).unwrap();
    let report = until(control_plane, "the control to be unknown", |report| {
        result(report, "ACME-001") == "Unknown"
    });
    let rows = report["status"]["controls"].as_array().unwrap();
    let row = rows.iter().find(|row| row["id"] == "ACME-001").unwrap();
    let report = if row["reason"] == "Forbidden" {
        report
    } else {
        until(control_plane, "the refusal", |report| {
            let rows = report["status"]["controls"].as_array().into_iter().flatten();
            rows.into_iter()
                .any(|row| row["id"] == "ACME-001" && row["reason"] == "Forbidden")
        })
    };
    let complete = condition(&report, "Complete");
    assert_eq!(complete["status"], "False");
    assert!(
        complete["message"]
            .as_str()
            .unwrap()
            .contains("widgets.example.com"),
        "{complete}"
    );
}

fn what_is_granted_is_judged(control_plane: &ControlPlane, operator: &Operator) {
    control_plane.apply(GRANT).unwrap();
    let granted = Instant::now();
    let report = until(control_plane, "the verdict", |report| {
        result(report, "ACME-001") == "Fail"
    });
    eprintln!("granted to verdict: {:?}", granted.elapsed());
    let findings = report["status"]["findings"].as_array().unwrap();
    let finding = findings.iter().find(|it| it["control"] == "ACME-001").unwrap();
    assert_eq!(
        finding["resource"],
        json!({"apiVersion": "example.com/v1", "kind": "Widget", "namespace": "default", "name": "bad"})
    );
    assert_eq!(finding["message"], "nobody owns this widget");
    let series = "flux_security_control_status{chapter=\"Custom\",control=\"ACME-001\",policy=\"default\",result=\"Fail\",severity=\"High\"}";
    assert_eq!(operator.metric(series).unwrap(), Some(1.0));
    wait_for("the namespace report", PATIENCE, || {
        let report = control_plane.get(&["fluxsecuritynamespacereport", "default", "-n", "default"])?;
        ensure!(report["status"].to_string().contains("ACME-001"), "{report}");
        Ok(())
    })
    .unwrap();
    wait_for("the Event", PATIENCE, || {
        let told = events(control_plane);
        let is_it = |event: &&Value| {
            event["reason"] == "FindingDetected"
                && event["regarding"]["kind"] == "Widget"
                && event["regarding"]["name"] == "bad"
        };
        ensure!(told.iter().any(|event| is_it(&event)), "{}", told.len());
        Ok(())
    })
    .unwrap();
}

/// The object is repaired, spoilt, waived, and another one is left out by its namespace.
fn changes_are_followed(control_plane: &ControlPlane) {
    let changed = Instant::now();
    control_plane
        .apply(&widget("bad", &json!({}), &json!({"owner": "us"})).to_string())
        .unwrap();
    until(control_plane, "the repair", |report| {
        result(report, "ACME-001") == "Pass"
    });
    assert!(
        changed.elapsed() < Duration::from_secs(10),
        "{:?}",
        changed.elapsed()
    );
    let mut elsewhere = widget("other", &json!({}), &json!({}));
    elsewhere["metadata"]["namespace"] = json!("kube-system");
    control_plane.apply(&elsewhere.to_string()).unwrap();
    control_plane
        .apply(&widget("bad", &json!({}), &json!({"owner": ""})).to_string())
        .unwrap();
    let report = until(control_plane, "the drift", |report| {
        result(report, "ACME-001") == "Fail"
    });
    let count = report["status"]["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|it| it["control"] == "ACME-001")
        .count();
    assert_eq!(count, 1);
    let expires = k8s_openapi::jiff::Timestamp::now() + k8s_openapi::jiff::SignedDuration::from_hours(1);
    let waiver = json!({
        "apiVersion": "fluxsecurity.dev/v1alpha1", "kind": "FluxSecurityWaiver", "metadata": {"name": "widget"},
        "spec": {
            "control": "ACME-001", "resources": [{"kind": "Widget", "namespace": "default", "name": "bad"}],
            "reason": "it goes away next week", "owner": "us", "expires": expires.to_string(),
        },
    });
    control_plane.apply(&waiver.to_string()).unwrap();
    until(control_plane, "the waiver", |report| {
        result(report, "ACME-001") == "Waived"
    });
}

fn an_audit_by_hand_asks_the_same(control_plane: &ControlPlane) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.yaml");
    std::fs::write(&file, POLICY).unwrap();
    let audit = Command::new(controlplane::operator::fluxsec())
        .args(["audit", "-o", "json", "--policy", &file.display().to_string()])
        .env("KUBECONFIG", control_plane.admin())
        .output()
        .unwrap();
    let audit: Value = serde_json::from_slice(&audit.stdout).unwrap();
    assert_eq!(
        result(&audit, "ACME-001"),
        "Waived",
        "{}",
        audit["status"]["summary"]
    );
}

/// A bad expression stalls the policy, with its place; ids of the catalogue are refused at once.
fn bad_policies_are_refused(control_plane: &ControlPlane) {
    control_plane
        .apply(&POLICY.replace("has(object.spec.owner)", "hass(object.spec.owner)"))
        .unwrap();
    becomes_stalled(control_plane, "ACME-001, 1:1");
    for (change, says) in [
        ("id: FSP-ACME-001", "prefix of your own"),
        ("id: acme", "spec.customControls[0].id"),
        // A letter of another alphabet that looks alike.
        ("id: \"\u{410}CME-001\"", "spec.customControls[0].id"),
    ] {
        let error = control_plane
            .apply(&POLICY.replace("id: ACME-001", change))
            .unwrap_err()
            .to_string();
        assert!(error.contains(says), "{error}");
    }
    // Secrets are no kind for that.
    control_plane
        .apply(&POLICY.replace(
            "apiVersion: example.com/v1, kind: Widget",
            "apiVersion: v1, kind: Secret",
        ))
        .unwrap();
    becomes_stalled(control_plane, "Secrets are never read");
    control_plane.apply(POLICY).unwrap();
    until(control_plane, "the policy to be well again", |report| {
        result(report, "ACME-001") == "Waived"
    });
}

/// Waits until the policy says what is wrong with it.
fn becomes_stalled(control_plane: &ControlPlane, says: &str) {
    wait_for("the policy to be stalled", PATIENCE, || {
        let policy = control_plane.get(&["fluxsecuritypolicy", "default"])?;
        let stalled = condition(&policy, "Stalled");
        let message = stalled["message"].as_str().unwrap_or_default();
        ensure!(stalled["status"] == "True" && message.contains(says), "{stalled}");
        Ok(())
    })
    .unwrap();
}

fn without_the_policy_nothing_is_watched(control_plane: &ControlPlane) {
    assert!(watches(control_plane, "widgets") >= 1);
    control_plane
        .kubectl(&["delete", "fluxsecuritypolicy", "default"])
        .unwrap();
    wait_for("the end of the watch", PATIENCE, || {
        let running = watches(control_plane, "widgets");
        ensure!(running == 0, "{running} watches");
        Ok(())
    })
    .unwrap();
    let asked = control_plane.audit_log().unwrap();
    let is_ours = |entry: &&Value| entry["user"]["username"] == USER;
    assert!(
        !asked
            .iter()
            .filter(is_ours)
            .any(|entry| entry["objectRef"]["resource"] == "secrets")
    );
}

const OVER_THE_CATALOGUE: &str = "
apiVersion: fluxsecurity.dev/v1alpha1
kind: FluxSecurityPolicy
metadata: {name: default}
spec:
  customControls:
  - id: ACME-001
    title: Kustomizations prune
    match: {apiVersion: kustomize.toolkit.fluxcd.io/v1, kind: Kustomization, namespaces: [default]}
    expression: object.spec.prune
  - id: ACME-002
    title: Kustomizations have an owner
    severity: High
    match: {apiVersion: kustomize.toolkit.fluxcd.io/*, kind: Kustomization, namespaces: [default]}
    expression: object.metadata.labels.owner != 'nobody'
    message: nobody owns this
  - id: ACME-003
    title: Namespaces are in use
    match: {apiVersion: v1, kind: Namespace}
    expression: object.status.phase == 'Active'
";

/// A Kustomization with labels, applied by a manager.
fn kustomize(control_plane: &ControlPlane, manager: &str, name: &str, labels: &Value) {
    let object = json!({
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
        "metadata": {"name": name, "namespace": "default", "labels": labels},
        "spec": {
            "interval": "10m", "path": "./", "prune": true,
            "sourceRef": {"kind": "GitRepository", "name": "fleet"},
        },
    });
    let manager = format!("--field-manager={manager}");
    let arguments = ["apply", "--server-side", "--force-conflicts", &manager, "-f", "-"];
    control_plane
        .kubectl_with(&arguments, &object.to_string())
        .unwrap();
}

/// How often the operator has listed a resource.
fn lists(control_plane: &ControlPlane, resource: &str) -> usize {
    let log = control_plane.audit_log().unwrap();
    let is_list = |entry: &&Value| {
        entry["verb"] == "list"
            && entry["objectRef"]["resource"] == resource
            && entry["user"]["username"] == USER
            && entry["stage"] == "ResponseComplete"
    };
    log.iter().filter(is_list).count()
}

/// Waits until the operator has one watch of a resource, and no more.
fn is_watched_once(control_plane: &ControlPlane, resource: &str) {
    wait_for(resource, PATIENCE, || {
        let running = watches(control_plane, resource);
        ensure!(running == 1, "{running} watches of {resource}");
        Ok(())
    })
    .unwrap();
}

/// What happened last to a control.
fn newest<'a>(report: &'a Value, control: &str) -> &'a Value {
    let changes = report["status"]["history"].as_array().into_iter().flatten();
    let mut changes = changes.filter(|change| change["control"] == control);
    changes.next().unwrap_or(&Value::Null)
}

fn row(report: &Value, control: &str) -> Value {
    let rows = report["status"]["controls"].as_array().into_iter().flatten();
    let mut rows = rows.filter(|row| row["id"] == control);
    rows.next().cloned().unwrap_or_default()
}

#[test]
fn a_kind_of_the_catalogue_is_watched_once_whatever_else_is_asked_of_it() {
    let control_plane = installed();
    kustomize(&control_plane, "jane", "apps", &json!({"owner": "us"}));
    let mut operator = Operator::start(&control_plane).unwrap();
    is_watched_once(&control_plane, "kustomizations");

    control_plane.apply(OVER_THE_CATALOGUE).unwrap();
    until(&control_plane, "the verdicts", |report| {
        ["ACME-001", "ACME-002", "ACME-003"]
            .iter()
            .all(|id| result(report, id) == "Pass")
    });
    is_watched_once(&control_plane, "kustomizations");
    // Of namespaces the catalogue asks for metadata alone, and expressions for all of them.
    is_watched_once(&control_plane, "namespaces");
    for series in [
        "kind=\"Kustomization\"",
        "kind=\"Kustomization.v1.kustomize.toolkit.fluxcd.io\"",
        "kind=\"Kustomization.*.kustomize.toolkit.fluxcd.io\"",
        "kind=\"Namespace.v1\"",
    ] {
        let series = format!("flux_security_kind_synced{{{series}}}");
        assert_eq!(operator.metric(&series).unwrap(), Some(1.0), "{series}");
    }

    who_made_it_is_told(&control_plane);
    what_fails_on_some_is_unknown_for_those(&control_plane);
    a_policy_tunes_its_own(&control_plane);
    a_waiver_waits_for_its_control(&control_plane);

    // Whoever asks no more costs no list, but for what is read as metadata again.
    let before = lists(&control_plane, "kustomizations");
    control_plane
        .kubectl(&["delete", "fluxsecuritypolicy", "default"])
        .unwrap();
    wait_for("the series to vanish", PATIENCE, || {
        let series = "flux_security_kind_synced{kind=\"Namespace.v1\"}";
        ensure!(operator.metric(series)?.is_none(), "still there");
        Ok(())
    })
    .unwrap();
    is_watched_once(&control_plane, "namespaces");
    is_watched_once(&control_plane, "kustomizations");
    assert_eq!(lists(&control_plane, "kustomizations"), before);
    operator.process.check().unwrap();
}

/// Labels are nothing that the catalogue reads of a Kustomization: the expression does.
fn who_made_it_is_told(control_plane: &ControlPlane) {
    kustomize(control_plane, "jane", "apps", &json!({"owner": "nobody"}));
    let report = until(control_plane, "the drift", |report| {
        newest(report, "ACME-002")["to"] == "Fail"
    });
    let change = newest(&report, "ACME-002");
    assert_eq!(change["manager"], "jane", "{change}");
    assert_eq!(
        (&change["resource"]["kind"], &change["resource"]["name"]),
        (&json!("Kustomization"), &json!("apps"))
    );
    let labels = json!({
        "owner": "us",
        "kustomize.toolkit.fluxcd.io/name": "fleet", "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
    });
    // Managed fields tell seconds, and of two writes in one of them nobody can tell the later one.
    std::thread::sleep(Duration::from_millis(1100));
    kustomize(control_plane, "kustomize-controller", "apps", &labels);
    let report = until(control_plane, "the repair", |report| {
        newest(report, "ACME-002")["to"] == "Pass"
    });
    let change = newest(&report, "ACME-002");
    assert_eq!(change["manager"], "kustomize-controller", "{change}");
    assert_eq!(change["appliedBy"]["name"], "fleet");
}

fn what_fails_on_some_is_unknown_for_those(control_plane: &ControlPlane) {
    kustomize(control_plane, "jane", "ownerless", &json!({"team": "x"}));
    let report = until(control_plane, "what has no owner", |report| {
        result(report, "ACME-002") == "Unknown"
    });
    let row = row(&report, "ACME-002");
    assert_eq!(row["reason"], "ExpressionFailed");
    assert_eq!(
        row["message"],
        "Kustomization default/ownerless: no such key: owner"
    );
    let complete = condition(&report, "Complete");
    assert_eq!(complete["status"], "False", "{complete}");
    control_plane
        .kubectl(&["delete", "kustomization", "-n", "default", "ownerless"])
        .unwrap();
    until(control_plane, "it to be gone", |report| {
        result(report, "ACME-002") == "Pass"
    });
}

fn a_policy_tunes_its_own(control_plane: &ControlPlane) {
    kustomize(control_plane, "jane", "apps", &json!({"owner": "nobody"}));
    let tuned = |tuning: &str| {
        let policy = format!("{OVER_THE_CATALOGUE}  controls:\n  - {tuning}\n");
        control_plane.apply(&policy).unwrap();
    };
    tuned("{id: ACME-002, severity: Low}");
    let report = until(control_plane, "another severity", |report| {
        row(report, "ACME-002")["severity"] == "Low"
    });
    assert_eq!(result(&report, "ACME-002"), "Fail");
    tuned("{id: ACME-002, enabled: false}");
    until(control_plane, "it to be switched off", |report| {
        row(report, "ACME-002").is_null() && result(report, "ACME-001") == "Pass"
    });
    for (tuning, says) in [
        (
            "{id: ACME-999, enabled: false}",
            "there is no control \"ACME-999\"",
        ),
        (
            "{id: ACME-002, parameters: {level: x}}",
            "ACME-002 has no parameter \"level\"",
        ),
    ] {
        tuned(tuning);
        becomes_stalled(control_plane, says);
    }
    control_plane.apply(OVER_THE_CATALOGUE).unwrap();
    until(control_plane, "it to be back", |report| {
        result(report, "ACME-002") == "Fail"
    });
}

fn a_waiver_waits_for_its_control(control_plane: &ControlPlane) {
    let expires = k8s_openapi::jiff::Timestamp::now() + k8s_openapi::jiff::SignedDuration::from_hours(1);
    let waiver = json!({
        "apiVersion": "fluxsecurity.dev/v1alpha1", "kind": "FluxSecurityWaiver", "metadata": {"name": "early"},
        "spec": {
            "control": "ACME-004", "resources": [{"kind": "Kustomization", "namespace": "default"}],
            "reason": "it goes away next week", "owner": "us", "expires": expires.to_string(),
        },
    });
    control_plane.apply(&waiver.to_string()).unwrap();
    let says = |what: &str, state: &str, reason: &str| {
        wait_for(what, PATIENCE, || {
            let waiver = control_plane.get(&["fluxsecuritywaiver", "early"])?;
            let ready = condition(&waiver, "Ready");
            ensure!(
                waiver["status"]["state"] == state && ready["reason"] == reason,
                "{}",
                waiver["status"]
            );
            Ok(ready["message"].to_string())
        })
        .unwrap()
    };
    let message = says("no such control", "Unmatched", "NoSuchControl");
    assert!(
        message.contains("no policy that it applies to audits the control ACME-004"),
        "{message}"
    );
    control_plane
        .apply(&OVER_THE_CATALOGUE.replace("id: ACME-002", "id: ACME-004"))
        .unwrap();
    until(control_plane, "the control that it waited for", |report| {
        result(report, "ACME-004") == "Waived"
    });
    says("its control", "ExpiringSoon", "ExpiringSoon");
}
