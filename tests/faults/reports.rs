//! Reports that cannot be written, and what others do to those that were.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::{Value, json};

use crate::controlplane::core::Options;
use crate::controlplane::scenario::{PATIENCE, events, report, result, settled};
use crate::controlplane::{ControlPlane, wait_for};
use crate::scene::{Scene, operator_kubeconfig, requests, wait_for_result, wait_until_quiet, writes};

/// Fails for each reference to another namespace.
const CONTROL: &str = "FSP-MT-012";
/// How long it is watched that writes that are refused make no storm.
const REFUSED: Duration = Duration::from_secs(5);
/// Attempts in that time, and a little more: after 0, 1, 3 and perhaps 7 s.
const ATTEMPTS: std::ops::RangeInclusive<u64> = 3..=4;
/// Longest pause after so many attempts, on a busy machine.
const PAUSE: Duration = Duration::from_secs(30);
/// The namespace report of Flux's own namespace.
const OF_FLUX: [&str; 4] = ["fluxsecuritynamespacereport", "-n", "flux-system", "default"];
/// The report of the cluster.
const OF_ALL: [&str; 2] = ["fluxsecurityreport", "default"];

/// A namespace with a finding.
fn team(name: &str) -> String {
    format!(
        "
apiVersion: v1
kind: Namespace
metadata: {{name: {name}}}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {{name: apps, namespace: {name}}}
spec:
  interval: 10m
  path: ./
  prune: true
  sourceRef: {{kind: GitRepository, name: fleet, namespace: other}}
"
    )
}

/// The report of a team's namespace.
fn team_report(control_plane: &ControlPlane, name: &str) -> anyhow::Result<Value> {
    control_plane.get(&["fluxsecuritynamespacereport", "-n", name, "default"])
}

fn wait_for_team_report(control_plane: &ControlPlane, name: &str, patience: Duration) {
    wait_for("the namespace report", patience, || {
        let report = team_report(control_plane, name)?;
        let findings = report["status"]["findings"].to_string();
        ensure!(findings.contains(CONTROL), "it says {findings}");
        Ok(())
    })
    .unwrap();
}

/// A quota that lets no namespace report be made in a namespace. Nobody counts here what is used: it says so itself.
fn forbid_by_quota(control_plane: &ControlPlane, namespace: &str) {
    const COUNT: &str = "count/fluxsecuritynamespacereports.fluxsecurity.dev";
    let quota = json!({
        "apiVersion": "v1", "kind": "ResourceQuota",
        "metadata": {"name": "none", "namespace": namespace}, "spec": {"hard": {COUNT: "0"}},
    });
    control_plane.apply(&quota.to_string()).unwrap();
    let status = json!({"status": {"hard": {COUNT: "0"}, "used": {COUNT: "0"}}}).to_string();
    let patch = [
        "patch",
        "resourcequota",
        "none",
        "-n",
        namespace,
        "--subresource=status",
    ];
    control_plane
        .kubectl(&[&patch[..], &["--type=merge", "-p", &status]].concat())
        .unwrap();
}

/// Fills etcd until it takes no more. Returns how many ConfigMaps that took.
fn fill_etcd(control_plane: &ControlPlane) -> usize {
    let ballast = control_plane.sandbox().folder().join("ballast");
    fs::write(&ballast, "x".repeat(900 * 1024)).unwrap();
    let file = format!("--from-file={}", ballast.display());
    let fits = |number: &usize| {
        let name = format!("ballast-{number}");
        let made = control_plane.kubectl(&["create", "configmap", &name, &file]);
        made.inspect_err(|error| assert!(error.to_string().contains("space exceeded"), "{error}"))
            .is_ok()
    };
    (0..100).take_while(fits).count()
}

/// Row 6. What can be read is read and judged; nobody can renew the lease, so nobody leads.
#[test]
#[ignore = "slow: make test-faults"]
fn nothing_is_written_while_etcd_is_out_of_space() {
    let small = Options {
        etcd: vec!["--quota-backend-bytes=25165824".to_owned()],
        ..Options::default()
    };
    let scene = Scene::start(ControlPlane::start_with(&small).unwrap(), |control_plane| {
        control_plane.apply(&team("team-a")).unwrap();
        operator_kubeconfig(control_plane, &control_plane.url())
    });
    let control_plane = &scene.control_plane;
    wait_for_team_report(control_plane, "team-a", PATIENCE);
    let before = report(control_plane).unwrap();
    let count = fill_etcd(control_plane);
    // Only deletions get through.
    control_plane
        .kubectl(&["delete", "kustomization", "-n", "team-a", "apps"])
        .unwrap();
    let kept = "flux_security_objects{kind=\"Kustomization\"}";
    wait_for("the deletion to be seen", PATIENCE, || {
        ensure!(scene.operator.metric(kept)? == Some(0.0), "it is not");
        Ok(())
    })
    .unwrap();
    let asked = requests(control_plane, "fluxsecurity.dev");
    wait_for("the lease to run out", PATIENCE, || {
        ensure!(
            scene.operator.metric("flux_security_leader")? == Some(0.0),
            "it leads"
        );
        Ok(())
    })
    .unwrap();
    sleep(REFUSED);
    let asked = requests(control_plane, "fluxsecurity.dev") - asked;
    assert!(asked <= 20, "{asked} requests for want of space");
    assert_eq!(report(control_plane).unwrap(), before);
    assert_eq!(scene.operator.get("/readyz").unwrap().0, 200);

    let ballast: Vec<String> = (0..count).map(|number| format!("ballast-{number}")).collect();
    let mut delete = vec!["delete", "configmap"];
    delete.extend(ballast.iter().map(String::as_str));
    control_plane.kubectl(&delete).unwrap();
    control_plane.make_space().unwrap();
    let made = Instant::now();
    wait_for_result(control_plane, CONTROL, "NotApplicable", PAUSE);
    scene.conclude(&[6], made);
}

/// Row 36. The others are written at once.
#[test]
fn a_quota_holds_up_its_own_namespace_only() {
    let scene = Scene::begin_on(|control_plane| {
        control_plane.kubectl(&["create", "namespace", "team-a"]).unwrap();
        forbid_by_quota(control_plane, "team-a");
    });
    let control_plane = &scene.control_plane;
    control_plane.apply(&team("team-a")).unwrap();
    control_plane.apply(&team("team-b")).unwrap();
    wait_for_team_report(control_plane, "team-b", Duration::from_secs(5));
    wait_for_result(control_plane, CONTROL, "Fail", Duration::from_secs(5));
    sleep(REFUSED);
    assert!(
        team_report(control_plane, "team-a").is_err(),
        "the quota does nothing"
    );
    // The namespace has findings from the start: pauses of 1, 2, 4, 8 and 16 seconds.
    let refused = writes(&scene.operator, "error");
    assert!((3..=7).contains(&refused), "{refused} attempts");
    let said = scene.operator.process.log();
    assert!(said.contains("exceeded quota"), "{said}");

    control_plane
        .kubectl(&["delete", "resourcequota", "-n", "team-a", "none"])
        .unwrap();
    let lifted = Instant::now();
    wait_for_team_report(control_plane, "team-a", PAUSE);
    scene.conclude(&[36], lifted);
}

const DENY: &str = "
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: deny}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
      - apiGroups: [fluxsecurity.dev]
        apiVersions: ['*']
        operations: [CREATE, UPDATE]
        resources: [fluxsecurityreports, fluxsecurityreports/status]
  validations: [{expression: 'false', message: no reports here}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: deny}
spec: {policyName: deny, validationActions: [Deny]}
";

/// Row 36. The report of the cluster is refused; those of the namespaces are written at once.
#[test]
fn an_admission_policy_holds_up_its_own_kind_only() {
    let scene = Scene::begin();
    let control_plane = &scene.control_plane;
    control_plane.apply(DENY).unwrap();
    wait_for("the policy", PATIENCE, || {
        let label = [
            "label",
            "fluxsecurityreport",
            "default",
            "a=b",
            "--dry-run=server",
        ];
        ensure!(control_plane.kubectl(&label).is_err(), "not in force");
        Ok(())
    })
    .unwrap();
    let refused = writes(&scene.operator, "error");
    control_plane.apply(&team("team-a")).unwrap();
    wait_for_team_report(control_plane, "team-a", Duration::from_secs(5));
    // Events and reports of namespaces are sent at the same time.
    let told = settled("the Events", || events(control_plane).len());
    sleep(REFUSED);
    assert_ne!(result(&report(control_plane).unwrap(), CONTROL), "Fail");
    let refused = writes(&scene.operator, "error") - refused;
    assert!(ATTEMPTS.contains(&refused), "{refused} attempts in {REFUSED:?}");
    assert_eq!(events(control_plane).len(), told, "nothing is told twice");

    control_plane.kubectl_with(&["delete", "-f", "-"], DENY).unwrap();
    let lifted = Instant::now();
    wait_for_result(control_plane, CONTROL, "Fail", PAUSE);
    scene.conclude(&[36], lifted);
}

/// Row 37. Nobody ends the deletion here but the test: the namespace stays, and lets nothing be made in it.
#[test]
fn a_namespace_that_is_being_deleted_is_not_held_up() {
    let scene = Scene::begin_on(|control_plane| control_plane.apply(&team("team-a")).unwrap());
    let control_plane = &scene.control_plane;
    wait_for_team_report(control_plane, "team-a", PATIENCE);
    let held = team_report(control_plane, "team-a").unwrap();
    assert_eq!(held["metadata"]["finalizers"], Value::Null);

    control_plane
        .kubectl(&["delete", "namespace", "team-a", "--wait=false"])
        .unwrap();
    let path = "/namespaces/team-a/fluxsecuritynamespacereports";
    let asked = requests(control_plane, path);
    control_plane
        .kubectl(&["delete", "fluxsecuritynamespacereport", "-n", "team-a", "default"])
        .unwrap();
    sleep(REFUSED);
    assert!(
        team_report(control_plane, "team-a").is_err(),
        "made in a namespace that goes"
    );
    let asked = requests(control_plane, path) - asked;
    assert!((1..=8).contains(&asked), "{asked} requests in {REFUSED:?}");

    control_plane
        .kubectl(&["delete", "kustomization", "-n", "team-a", "apps"])
        .unwrap();
    let finalize = json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team-a"}, "spec": {"finalizers": []},
    });
    let replace = [
        "replace",
        "--raw",
        "/api/v1/namespaces/team-a/finalize",
        "-f",
        "-",
    ];
    control_plane
        .kubectl_with(&replace, &finalize.to_string())
        .unwrap();
    let gone = Instant::now();
    assert!(
        control_plane.get(&["namespace", "team-a"]).is_err(),
        "still there"
    );
    scene.conclude(&[37], gone);
}

/// Row 38. What is ours is restored, once; what is not is left alone; and none of it is news.
#[test]
fn reports_that_are_edited_or_deleted_are_restored() {
    let scene = Scene::begin();
    let control_plane = &scene.control_plane;
    let told = events(control_plane).len();
    for of in [&OF_ALL[..], &OF_FLUX[..]] {
        let whole = control_plane.get(of).unwrap();
        let written = writes(&scene.operator, "success");
        control_plane
            .kubectl(&[&["label"], of, &["team=security"]].concat())
            .unwrap();
        control_plane
            .kubectl(&[&["annotate"], of, &["example.com/seen=yes"]].concat())
            .unwrap();
        let edit = json!({"status": {"summary": {"fail": 0, "score": 100}, "findings": []}}).to_string();
        control_plane
            .kubectl(
                &[
                    &["patch"],
                    of,
                    &["--subresource=status", "--type=merge", "-p", &edit],
                ]
                .concat(),
            )
            .unwrap();
        let restored = wait_until_restored(control_plane, of, &whole);
        assert_eq!(restored["metadata"]["labels"]["team"], "security");
        assert_eq!(restored["metadata"]["annotations"]["example.com/seen"], "yes");

        control_plane.kubectl(&[&["delete"], of].concat()).unwrap();
        wait_until_restored(control_plane, of, &whole);
        wait_until_quiet(control_plane);
        assert_eq!(writes(&scene.operator, "success") - written, 2, "each once");
    }
    let restored = Instant::now();
    assert_eq!(events(control_plane).len(), told, "healing is no transition");
    scene.conclude(&[38], restored);
}

fn wait_until_restored(control_plane: &ControlPlane, of: &[&str], whole: &Value) -> Value {
    wait_for("the restored report", PATIENCE, || {
        let report = control_plane.get(of)?;
        ensure!(
            report["status"] == whole["status"],
            "it says {}",
            report["status"]
        );
        Ok(report)
    })
    .unwrap()
}

/// Writes into the report of the cluster as another manager, by force.
fn steal(control_plane: &ControlPlane, status: &Value) {
    let body = json!({
        "apiVersion": "fluxsecurity.dev/v1alpha1", "kind": "FluxSecurityReport",
        "metadata": {"name": "default"}, "status": status,
    });
    let apply = [
        "apply",
        "--server-side",
        "--force-conflicts",
        "--field-manager=thief",
    ];
    control_plane
        .kubectl_with(
            &[&apply[..], &["--subresource=status", "-f", "-"]].concat(),
            &body.to_string(),
        )
        .unwrap();
}

/// Row 39. Taken back once; that the thief stays on the list of managers is nothing to write for.
#[test]
fn stolen_fields_are_taken_back_once() {
    let scene = Scene::begin();
    let control_plane = &scene.control_plane;
    let whole = report(control_plane).unwrap();
    let told = events(control_plane).len();
    let written = writes(&scene.operator, "success");
    let summary = &whole["status"]["summary"];
    let mut stolen = summary.clone();
    stolen["score"] = 100.into();
    steal(control_plane, &json!({"summary": stolen}));
    wait_until_restored(control_plane, &OF_ALL, &whole);

    // The same values as ours: another manager, and nothing to take back.
    steal(control_plane, &json!({"summary": summary}));
    wait_until_quiet(control_plane);
    let managed = ["fluxsecurityreport", "default", "--show-managed-fields"];
    let managed = control_plane.get(&managed).unwrap();
    assert!(managed["metadata"]["managedFields"].to_string().contains("thief"));
    assert_eq!(writes(&scene.operator, "success") - written, 1, "once");

    // What we do not say.
    let condition = json!({
        "type": "Approved", "status": "True", "reason": "Approved", "message": "all is well",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    });
    steal(
        control_plane,
        &json!({"summary": summary, "clusterName": "another", "conditions": [condition]}),
    );
    let ended = Instant::now();
    wait_until_restored(control_plane, &OF_ALL, &whole);
    wait_until_quiet(control_plane);
    assert_eq!(
        writes(&scene.operator, "success") - written,
        2,
        "replaced as a whole, at once"
    );
    assert_eq!(events(control_plane).len(), told, "a theft is no transition");
    scene.conclude(&[39], ended);
}
