//! The operator is killed where it hurts, or told to stop in the middle of a storm. Fail points are of debug builds.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use anyhow::ensure;
use rustix::process::Signal;
use serde_json::Value;

use crate::controlplane::scenario::{PATIENCE, events, report, set_args, until};
use crate::controlplane::{ControlPlane, Operator, wait_for};
use crate::scene::{CONTROL, CONVERGENCE, Scene, operator_kubeconfig};
use crate::storm::Storm;

/// Nothing but a critical failure is against this policy.
const CRITICAL_ONLY: &str = "
apiVersion: fluxsecurity.dev/v1alpha1
kind: FluxSecurityPolicy
metadata:
  name: default
spec:
  tenancy: Shared
  failOn: Critical
";
/// What makes the posture compliant under it: [`Scene::drift`] is the only critical failure then.
const DEFAULT_ACCOUNT: &str = "--default-service-account";
/// More than are written at the same time.
const TENANTS: [&str; 12] = [
    "alder", "ash", "beech", "birch", "cedar", "elm", "fir", "hazel", "larch", "maple", "oak", "pine",
];
/// Time between two changes of a storm of 20 a second.
const STORM: Duration = Duration::from_millis(50);
/// A stop may take this long.
const STOP: Duration = Duration::from_secs(5);

/// A scene whose operator ends at a fail point: `name` or `name:3`.
fn doomed(cue: &str) -> Scene {
    let mut scene = Scene::begin();
    scene.control_plane.apply(CRITICAL_ONLY).unwrap();
    let control_plane = &scene.control_plane;
    for tenant in TENANTS {
        control_plane.apply(&applier(tenant)).unwrap();
    }
    for controller in ["kustomize-controller", "helm-controller"] {
        set_args(control_plane, controller, &format!("{DEFAULT_ACCOUNT}=tenant"));
    }
    until(control_plane, "a compliant posture", |report| {
        condition(report, "Compliant") == "True"
            && report["status"]["namespaces"].as_array().unwrap().len() > TENANTS.len()
    });
    scene.wait_until_quiet();
    scene.replace_operator(&[("FLUXSEC_FAILPOINT", cue)]);
    scene
}

/// A namespace with a Kustomization that names no account: a finding of its own.
fn applier(namespace: &str) -> String {
    format!(
        "
apiVersion: v1
kind: Namespace
metadata:
  name: {namespace}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: app
  namespace: {namespace}
spec:
  interval: 10m
  prune: true
  sourceRef:
    kind: GitRepository
    name: app
"
    )
}

fn condition<'a>(report: &'a Value, type_: &str) -> &'a str {
    let conditions = report["status"]["conditions"].as_array().into_iter().flatten();
    let mut found = conditions.filter(|condition| condition["type"] == type_);
    found
        .next()
        .and_then(|condition| condition["status"].as_str())
        .unwrap_or_default()
}

/// Waits for the crash.
fn crash(scene: &mut Scene) {
    let status = scene.operator.process.wait(PATIENCE).unwrap();
    assert_eq!(
        status.signal(),
        Some(Signal::ABORT.as_raw()),
        "it ended at the fail point"
    );
}

/// Reason, object and text of each Event, with how often there is one.
fn told(control_plane: &ControlPlane) -> BTreeMap<String, usize> {
    let mut told = BTreeMap::new();
    for event in events(control_plane) {
        let about = &event["regarding"];
        let key = format!(
            "{} {}/{}/{} {}",
            event["reason"], about["kind"], about["namespace"], about["name"], event["note"]
        );
        *told.entry(key).or_insert(0) += 1;
    }
    told
}

/// The reasons of Events that were told since, each once.
fn told_since(control_plane: &ControlPlane, before: &BTreeMap<String, usize>) -> Vec<String> {
    let now = told(control_plane);
    for (event, times) in &now {
        assert_eq!(*times, 1, "told {times} times: {event}");
    }
    let new = now.into_keys().filter(|event| !before.contains_key(event));
    new.map(|event| event.split(' ').next().unwrap().trim_matches('"').to_owned())
        .collect()
}

fn says(control_plane: &ControlPlane) -> String {
    let report = report(control_plane).unwrap();
    crate::controlplane::scenario::result(&report, CONTROL).to_owned()
}

const TRANSITION: [&str; 3] = ["ControlFailed", "FindingDetected", "PostureDrifted"];

/// Drifts into the fail point, and shows what is left to the test before another operator takes over.
fn drift_into(cue: &str, row: u32, left_behind: impl FnOnce(&ControlPlane, &BTreeMap<String, usize>)) {
    let mut scene = doomed(cue);
    let before = told(&scene.control_plane);
    scene.drift(true);
    crash(&mut scene);
    left_behind(&scene.control_plane, &before);
    scene.replace_operator(&[]);
    let ended = Instant::now();
    scene.wait_for_drift(true, CONVERGENCE);
    wait_for("the namespace's report", CONVERGENCE, || {
        let report = ["fluxsecuritynamespacereport", "-n", "flux-system", "default"];
        let findings = scene.control_plane.get(&report)?["status"]["findings"].clone();
        let tells = findings
            .as_array()
            .unwrap()
            .iter()
            .any(|finding| finding["control"] == CONTROL);
        ensure!(tells, "it says {findings}");
        Ok(())
    })
    .unwrap();
    wait_for("the Events", CONVERGENCE, || {
        let told = told_since(&scene.control_plane, &before);
        ensure!(told == TRANSITION, "told {told:?}");
        Ok(())
    })
    .unwrap();
    scene.conclude(&[row], ended);
}

/// Row 40.
#[test]
#[ignore = "slow: make test-faults"]
fn killed_before_the_first_write_the_next_one_writes_all() {
    drift_into("evaluated", 40, |control_plane, before| {
        assert_eq!(says(control_plane), "Pass");
        assert!(told_since(control_plane, before).is_empty());
    });
}

/// Row 41. Events come before the report that tells of the same.
#[test]
#[ignore = "slow: make test-faults"]
fn killed_between_events_and_report_nothing_is_told_twice() {
    drift_into("told", 41, |control_plane, before| {
        assert_eq!(says(control_plane), "Pass");
        assert_eq!(told_since(control_plane, before), TRANSITION);
    });
}

/// Row 42.
#[test]
#[ignore = "slow: make test-faults"]
fn killed_between_the_report_and_those_of_namespaces_nothing_is_told_twice() {
    drift_into("reported", 42, |control_plane, before| {
        assert_eq!(says(control_plane), "Fail");
        assert_eq!(told_since(control_plane, before), TRANSITION);
    });
}

/// Row 42.
#[test]
#[ignore = "slow: make test-faults"]
fn killed_in_the_middle_of_many_reports_each_is_right_by_itself() {
    let mut scene = doomed("namespace-reported:2");
    assert_eq!(critical(&scene.control_plane), 0);
    // Without a default account, every tenant's Kustomization is applied as the controller.
    set_args(
        &scene.control_plane,
        "kustomize-controller",
        &format!("{DEFAULT_ACCOUNT}="),
    );
    crash(&mut scene);
    let written = critical(&scene.control_plane);
    assert!(
        (2..=TENANTS.len()).contains(&written),
        "{written} written before the crash"
    );
    scene.replace_operator(&[]);
    let ended = Instant::now();
    wait_for("every namespace's report", CONVERGENCE, || {
        let critical = critical(&scene.control_plane);
        // The controller itself is at fault too.
        ensure!(critical == TENANTS.len() + 1, "{critical} reports say so");
        Ok(())
    })
    .unwrap();
    let told = told_since(&scene.control_plane, &BTreeMap::new());
    assert!(told.contains(&"ControlFailed".to_owned()), "{told:?}");
    scene.conclude(&[42], ended);
}

/// How many namespace reports tell of a critical finding. Each has to be right by itself.
fn critical(control_plane: &ControlPlane) -> usize {
    let list = control_plane
        .get(&["-A", "fluxsecuritynamespacereports"])
        .unwrap();
    let reports = list["items"].as_array().unwrap();
    reports
        .iter()
        .filter(|report| tells_of_critical(&report["status"]))
        .count()
}

fn tells_of_critical(status: &Value) -> bool {
    let findings = status["findings"].as_array().unwrap();
    let of = |severity: &str| {
        findings
            .iter()
            .filter(|finding| finding["severity"] == severity)
            .count()
    };
    let failing = &status["summary"]["failing"];
    assert_eq!(failing["critical"], of("Critical"), "{status}");
    assert_eq!(status["summary"]["findings"], findings.len(), "{status}");
    of("Critical") > 0
}

/// Row 43. What it renewed a moment ago has to run out first.
#[test]
#[ignore = "slow: make test-faults"]
fn killed_while_it_renews_its_lease_the_next_one_leads() {
    let mut scene = doomed("renewed:3");
    let before = told(&scene.control_plane);
    crash(&mut scene);
    scene.drift(true);
    take_over(scene, &before);
}

/// Row 43. Neither the lease nor anything else was cleaned up.
#[test]
#[ignore = "slow: make test-faults"]
fn killed_while_it_stops_the_next_one_leads() {
    let mut scene = doomed("stopping");
    let before = told(&scene.control_plane);
    scene.operator.process.signal(Signal::TERM).unwrap();
    crash(&mut scene);
    assert_ne!(holder(&scene.control_plane), "");
    scene.drift(true);
    take_over(scene, &before);
}

fn take_over(mut scene: Scene, before: &BTreeMap<String, usize>) {
    scene.replace_operator(&[]);
    let ended = Instant::now();
    scene.wait_for_drift(true, CONVERGENCE);
    assert_eq!(told_since(&scene.control_plane, before), TRANSITION);
    scene.conclude(&[43], ended);
}

fn holder(control_plane: &ControlPlane) -> String {
    let lease = ["lease", "-n", "flux-security-system", "flux-security-operator"];
    let lease = control_plane.get(&lease).unwrap();
    lease["spec"]["holderIdentity"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// Row 47. Again and again.
#[test]
#[ignore = "slow: make test-faults"]
fn of_replicas_that_start_at_once_one_leads() {
    let mut scene = Scene::begin();
    let kubeconfig = operator_kubeconfig(&scene.control_plane, &scene.control_plane.url());
    for _ in 0..10 {
        scene.operator.process.stop().unwrap();
        let mut replicas = [(); 3].map(|()| Operator::launch(&scene.control_plane, &kubeconfig).unwrap());
        for replica in &mut replicas {
            replica.wait_until_ready().unwrap();
        }
        let leaders = || replicas.iter().filter(|replica| leads(replica)).count();
        wait_for("a leader", CONVERGENCE, || {
            ensure!(leaders() > 0, "nobody leads");
            Ok(())
        })
        .unwrap();
        for _ in 0..20 {
            assert_eq!(leaders(), 1);
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    scene.replace_operator(&[]);
    scene.drift_and_conclude(47);
}

fn leads(replica: &Operator) -> bool {
    replica.metric("flux_security_leader").unwrap() == Some(1.0)
}

/// Row 51. Every time at another moment of the storm.
#[test]
#[ignore = "slow: make test-faults"]
fn terminated_in_a_storm_it_ends_in_time_and_gives_the_lease_back() {
    let mut scene = Scene::begin();
    let mut ended = Instant::now();
    for round in 0..4 {
        let storm = Storm::begin(&scene.control_plane, STORM);
        std::thread::sleep(Duration::from_millis(1500 + round * 130));
        scene.operator.process.signal(Signal::TERM).unwrap();
        let told_to_stop = Instant::now();
        let status = scene.operator.process.wait(STOP).unwrap();
        eprintln!("stopped after {:?}", told_to_stop.elapsed());
        assert_eq!(status.code(), Some(0));
        assert_eq!(holder(&scene.control_plane), "", "the lease is released");
        let changes = storm.end();
        assert!(changes > 10, "{changes} changes are no storm");
        ended = Instant::now();
        scene.replace_operator(&[]);
        scene.wait_for_drift(true, CONVERGENCE);
    }
    let all: BTreeSet<_> = told(&scene.control_plane).into_keys().collect();
    assert!(all.iter().any(|event| event.contains("ControlFailed")));
    scene.conclude(&[51], ended);
}
