//! What a policy says of what it asks for and does not get, on a real API server: permissions that are taken away, kinds
//! that are not there, admission that refuses.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod controlplane;

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use anyhow::ensure;
use controlplane::operator::USER;
use controlplane::programs::CONSUMERS;
use controlplane::scenario::{
    PATIENCE, SHARED, change_policy, events, installed, report, restarted, result, set_args,
};
use controlplane::{ControlPlane, Operator, wait_for};
use serde_json::{Value, json};

const CONTROL: &str = "FSP-KUST-001";
/// What is refused is tried again after a minute at the latest.
const PAUSE: Duration = Duration::from_secs(100);

fn policy(control_plane: &ControlPlane) -> anyhow::Result<Value> {
    control_plane.get(&["fluxsecuritypolicy", "default"])
}

/// A condition of the policy; null when it has none of this type.
fn condition(policy: &Value, type_: &str) -> Value {
    let conditions = policy["status"]["conditions"].as_array().into_iter().flatten();
    let mut of_type = conditions.filter(|condition| condition["type"] == type_);
    of_type.next().cloned().unwrap_or_default()
}

/// Waits until the policy says of its outputs that this is why some are not delivered.
fn hindered(control_plane: &ControlPlane, reason: &str, words: &str) -> Value {
    wait_for(reason, PAUSE, || {
        let policy = policy(control_plane)?;
        let told = condition(&policy, "OutputsReady");
        let message = told["message"].as_str().unwrap_or_default();
        ensure!(told["reason"] == reason && message.contains(words), "{told}");
        ensure!(told["status"] == "False", "{told}");
        Ok(policy)
    })
    .unwrap()
}

/// Waits until it says nothing of them.
fn delivered(control_plane: &ControlPlane) -> Value {
    wait_for("the outputs", PAUSE, || {
        let policy = policy(control_plane)?;
        let told = condition(&policy, "OutputsReady");
        ensure!(told.is_null() && policy["status"].is_object(), "{told}");
        Ok(policy)
    })
    .unwrap()
}

/// As kstatus and scripts see it.
fn assert_ready(policy: &Value) {
    for (type_, status) in [("Ready", "True"), ("Reconciling", "False"), ("Stalled", "False")] {
        assert_eq!(condition(policy, type_)["status"], status, "{policy}");
    }
}

/// Asserts that nothing of the policy is written while nothing changes.
fn assert_quiet(control_plane: &ControlPlane, time: Duration) {
    let version = || policy(control_plane).unwrap()["metadata"]["resourceVersion"].clone();
    sleep(Duration::from_secs(2));
    let before = version();
    sleep(time);
    assert_eq!(version(), before, "it is written although nothing changed");
}

/// Takes resources from the operator's ClusterRole, but for reading.
fn forbid(control_plane: &ControlPlane, verb: &str, resource: &str) {
    let role = ["clusterrole", "flux-security-operator"];
    let mut role = control_plane.get(&role).unwrap();
    let (name, group) = resource.split_once('.').unwrap();
    for rule in role["rules"].as_array_mut().unwrap() {
        let reads = json!(["get", "list", "watch"]);
        let only_reads = rule["verbs"]
            .as_array()
            .unwrap()
            .iter()
            .all(|verb| reads.as_array().unwrap().contains(verb));
        if rule["apiGroups"][0] == group && !only_reads {
            let resources = rule["resources"].as_array_mut().unwrap();
            resources.retain(|it| it != name && *it != format!("{name}/status"));
        }
    }
    role["rules"]
        .as_array_mut()
        .unwrap()
        .retain(|rule| rule["resources"] != json!([]));
    let narrowed = json!({
        "apiVersion": role["apiVersion"], "kind": role["kind"],
        "metadata": {"name": role["metadata"]["name"]}, "rules": role["rules"],
    });
    control_plane.apply(&narrowed.to_string()).unwrap();
    wait_for("the right to be gone", PATIENCE, || {
        let may = control_plane.kubectl(&["auth", "can-i", verb, resource, "--as", USER, "-A"]);
        ensure!(may.is_err(), "it still may {verb} {resource}");
        Ok(())
    })
    .unwrap();
}

/// Admission that refuses what the operator writes of a resource.
fn refusal(group: &str, resource: &str, message: &str) -> String {
    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": "refuses"},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [{
                "apiGroups": [group], "apiVersions": ["*"], "operations": ["CREATE", "UPDATE"], "resources": [resource],
            }]},
            "matchConditions": [{"name": "operator", "expression": format!("request.userInfo.username == '{USER}'")}],
            "validations": [{"expression": "false", "message": message}],
        },
    });
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": "refuses"},
        "spec": {"policyName": "refuses", "validationActions": ["Deny"]},
    });
    format!("{policy}\n---\n{binding}")
}

fn admit(control_plane: &ControlPlane) {
    for kind in ["validatingadmissionpolicybinding", "validatingadmissionpolicy"] {
        control_plane.kubectl(&["delete", kind, "refuses"]).unwrap();
    }
}

fn drift(control_plane: &ControlPlane, drifts: bool) {
    let argument = format!("--insecure-kubeconfig-exec={drifts}");
    set_args(control_plane, "kustomize-controller", &argument);
}

/// Waits until the report says so. What waits with it may have to be given up first.
fn becomes(control_plane: &ControlPlane, expected: &str) {
    wait_for(expected, PAUSE, || {
        let report = report(control_plane)?;
        ensure!(
            result(&report, CONTROL) == expected,
            "{}",
            result(&report, CONTROL)
        );
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_policy_tells_that_its_events_are_not_taken() {
    let control_plane = installed();
    forbid(&control_plane, "create", "events.events.k8s.io");
    control_plane.apply(SHARED).unwrap();
    let operator = Operator::start(&control_plane).unwrap();
    becomes(&control_plane, "Pass");
    let words = "cannot create resource \"events\" in API group \"events.k8s.io\"";
    let told = hindered(&control_plane, "SinkForbidden", words);
    assert_ready(&told);
    let ready = [
        "wait",
        "fluxsecuritypolicy",
        "default",
        "--for=condition=Ready",
        "--timeout=5s",
    ];
    control_plane.kubectl(&ready).unwrap();
    assert_quiet(&control_plane, Duration::from_secs(10));

    // A restart neither forgets it nor tells it anew.
    let operator = restarted(operator, &control_plane);
    let again = hindered(&control_plane, "SinkForbidden", words);
    let since = |policy: &Value| condition(policy, "OutputsReady")["lastTransitionTime"].clone();
    assert_eq!(since(&again), since(&told));

    Operator::install(&control_plane).unwrap();
    assert_ready(&delivered(&control_plane));
    let before = events(&control_plane).len();
    assert_eq!(before, 0, "whether they are taken is tried without any");

    // Admission refuses, and says why.
    let no_event = "this cluster wants no news";
    control_plane
        .apply(&refusal("events.k8s.io", "events", no_event))
        .unwrap();
    let mut drifts = false;
    wait_for("admission to refuse", PAUSE, || {
        drifts = !drifts;
        drift(&control_plane, drifts);
        becomes(&control_plane, if drifts { "Fail" } else { "Pass" });
        let policy = policy(&control_plane)?;
        ensure!(!condition(&policy, "OutputsReady").is_null(), "not yet");
        Ok(())
    })
    .unwrap();
    assert_ready(&hindered(&control_plane, "SinkRefused", no_event));
    assert_quiet(&control_plane, Duration::from_secs(5));
    // Who asks for none misses none.
    let asks = |events: bool| {
        change_policy(&control_plane, &json!({"outputs": {"events": events}}));
    };
    asks(false);
    delivered(&control_plane);
    asks(true);
    admit(&control_plane);
    wait_for("admission to take them", PAUSE, || {
        drifts = !drifts;
        drift(&control_plane, drifts);
        becomes(&control_plane, if drifts { "Fail" } else { "Pass" });
        ensure!(!events(&control_plane).is_empty(), "not yet");
        Ok(())
    })
    .unwrap();
    assert_ready(&delivered(&control_plane));
    let mut operator = operator;
    operator.process.check().unwrap();
}

#[test]
fn a_policy_tells_that_its_open_reports_are_not_written() {
    let control_plane = installed();
    control_plane.apply(SHARED).unwrap();
    change_policy(&control_plane, &json!({"outputs": {"openReports": true}}));
    let mut operator = Operator::start(&control_plane).unwrap();
    becomes(&control_plane, "Pass");
    let kinds = "CustomResourceDefinitions of openreports.io/v1alpha1";
    assert_ready(&hindered(&control_plane, "SinkMissing", kinds));
    // They are looked for once a minute, whatever else happens.
    let looks = || {
        let log = control_plane.audit_log().unwrap();
        let group = "/apis/openreports.io/v1alpha1";
        log.iter()
            .filter(|it| it["requestURI"] == group && it["user"]["username"] == USER)
            .count()
    };
    let before = looks();
    for drifts in [true, false, true, false] {
        drift(&control_plane, drifts);
        becomes(&control_plane, if drifts { "Fail" } else { "Pass" });
    }
    assert!(looks() <= before + 3, "{before} and then {}", looks());

    for entry in std::fs::read_dir(CONSUMERS.folder().unwrap().join("files/config/crd")).unwrap() {
        let definition = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        control_plane.apply(&definition).unwrap();
    }
    let right = "cannot list resource \"clusterreports\" in API group \"openreports.io\"";
    assert_ready(&hindered(&control_plane, "SinkForbidden", right));
    let overlay = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/open-reports");
    let overlay = overlay.display().to_string();
    control_plane
        .kubectl(&["apply", "--server-side", "-k", &overlay])
        .unwrap();
    assert_ready(&delivered(&control_plane));
    let name = ["clusterreports.openreports.io", "flux-security-default"];
    control_plane.get(&name).unwrap();
    operator.process.check().unwrap();
}

/// Whoever waits for the policy has to wait for the report, and for nothing else.
#[test]
fn a_policy_is_not_ready_while_its_report_cannot_be_written() {
    let control_plane = installed();
    control_plane.apply(SHARED).unwrap();
    let mut operator = Operator::start(&control_plane).unwrap();
    becomes(&control_plane, "Pass");
    assert_ready(&delivered(&control_plane));

    forbid(&control_plane, "patch", "fluxsecurityreports.fluxsecurity.dev");
    drift(&control_plane, true);
    let unready = wait_for("the policy to tell", PAUSE, || {
        let policy = policy(&control_plane)?;
        ensure!(
            condition(&policy, "Ready")["reason"] == "ReportNotWritten",
            "{policy}"
        );
        Ok(policy)
    })
    .unwrap();
    let ready = condition(&unready, "Ready");
    assert_eq!(ready["status"], "False", "{ready}");
    let message = ready["message"].as_str().unwrap();
    assert!(
        message.contains("resource \"fluxsecurityreports/status\" in API group"),
        "{message}"
    );
    assert_eq!(
        condition(&unready, "Reconciling")["status"],
        "True",
        "kstatus: InProgress"
    );
    assert_eq!(condition(&unready, "Stalled")["status"], "False");
    assert_eq!(operator.get("/readyz").unwrap().0, 200, "the process is well");
    assert_quiet(&control_plane, Duration::from_secs(10));

    Operator::install(&control_plane).unwrap();
    let ready = wait_for("the policy to be ready", PAUSE, || {
        let policy = policy(&control_plane)?;
        ensure!(condition(&policy, "Ready")["status"] == "True", "{policy}");
        Ok(policy)
    })
    .unwrap();
    assert_ready(&ready);
    becomes(&control_plane, "Fail");

    // A CRD of an older release that refuses what this one writes: no crash, and the field is named.
    let name = "fluxsecurityreports.fluxsecurity.dev";
    let current = control_plane.get(&["crd", name]).unwrap();
    let mut older = current.clone();
    let results = "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties/controls/items/properties/result/enum";
    // What does not change is let through whatever it is: the one that changes has to be refused.
    let known = older.pointer_mut(results).unwrap().as_array_mut().unwrap();
    known.retain(|result| result != "Pass");
    let replace = |definition: &Value| {
        let mut definition = definition.clone();
        definition["metadata"]
            .as_object_mut()
            .unwrap()
            .remove("resourceVersion");
        let replace = ["replace", "-f", "-"];
        control_plane
            .kubectl_with(&replace, &definition.to_string())
            .unwrap();
    };
    replace(&older);
    sleep(Duration::from_secs(3));
    drift(&control_plane, false);
    let refused = wait_for("the schema to refuse", PAUSE, || {
        let policy = policy(&control_plane)?;
        let ready = condition(&policy, "Ready");
        ensure!(ready["reason"] == "ReportNotWritten", "{ready}");
        Ok(ready)
    })
    .unwrap();
    let message = refused["message"].as_str().unwrap();
    assert!(
        message.contains("status.controls[") && message.contains("Unsupported value"),
        "{message}"
    );
    assert!(operator.process.log().contains("Unsupported value"));
    operator.process.check().unwrap();
    replace(&current);
    becomes(&control_plane, "Pass");
    wait_for("the policy to be ready", PAUSE, || {
        let policy = policy(&control_plane)?;
        ensure!(condition(&policy, "Ready")["status"] == "True", "{policy}");
        Ok(())
    })
    .unwrap();
}
