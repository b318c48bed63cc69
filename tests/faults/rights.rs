//! Permissions that are missing, taken away and given back.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::{Value, json};

use crate::controlplane::operator::USER;
use crate::controlplane::scenario::{PATIENCE, events, report, result};
use crate::controlplane::{ControlPlane, Operator, wait_for};
use crate::scene::{
    CONTROL, Scene, assert_blind_to, audit, requests, wait_for_coverage, wait_until_blind_to, writes,
};

/// The kind that may not be seen.
const KIND: &str = "Kustomization";
const RESOURCE: &str = "kustomizations.kustomize.toolkit.fluxcd.io";
/// A control that judges it, among others.
const JUDGES_IT: &str = "FSP-MT-012";
/// An open watch was refused: what is known is trusted for a while, and then no more.
const TRUST: Duration = Duration::from_mins(1);
/// Longest pause of a watch that is refused, on a busy machine.
const PAUSE: Duration = Duration::from_mins(1);

/// An object that [`JUDGES_IT`] lets pass.
const APPS: &str = "
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: apps, namespace: default}
spec:
  interval: 10m
  path: ./
  prune: true
  sourceRef: {kind: GitRepository, name: fleet}
";

/// Leaves the operator's ClusterRole only what it may still do, and waits until the API server knows: it reads roles
/// by a watch of its own.
fn narrow(control_plane: &ControlPlane, taken: &str, may: impl Fn(&Value, &Value) -> bool) {
    let role = control_plane
        .get(&["clusterrole", "flux-security-operator"])
        .unwrap();
    let mut rules = role["rules"].clone();
    for rule in rules.as_array_mut().unwrap() {
        let verbs = rule["verbs"].clone();
        let resources = rule["resources"].as_array_mut().unwrap();
        resources.retain(|resource| may(&verbs, resource));
    }
    rules
        .as_array_mut()
        .unwrap()
        .retain(|rule| rule["resources"] != json!([]));
    let narrowed = json!({
        "apiVersion": role["apiVersion"], "kind": role["kind"],
        "metadata": {"name": role["metadata"]["name"]}, "rules": rules,
    });
    control_plane.apply(&narrowed.to_string()).unwrap();
    let (verb, resource) = taken.split_once(' ').unwrap();
    wait_for("the right to be gone", PATIENCE, || {
        let may = control_plane.kubectl(&["auth", "can-i", verb, resource, "--as", USER, "-A"]);
        ensure!(may.is_err(), "it still may {taken}");
        Ok(())
    })
    .unwrap();
}

/// Takes away everything about the kind.
fn hide(control_plane: &ControlPlane) {
    narrow(control_plane, &format!("list {RESOURCE}"), |_, resource| {
        resource != "kustomizations"
    });
}

/// Gives every right back, as the README says. Returns when the API server knew.
fn grant(control_plane: &ControlPlane) -> Instant {
    Operator::install(control_plane).unwrap();
    Instant::now()
}

/// Row 21. What cannot be judged is Unknown and says why; nothing else is in doubt.
#[test]
fn a_kind_that_is_forbidden_from_the_start_blinds_its_own_controls() {
    let scene = Scene::begin_on(|control_plane| {
        control_plane.apply(APPS).unwrap();
        hide(control_plane);
    });
    let control_plane = &scene.control_plane;
    let whole = audit(control_plane.admin()).unwrap();
    let blind = wait_until_blind_to(control_plane, RESOURCE, PATIENCE);
    assert_blind_to(&blind, RESOURCE, &whole);
    assert_eq!(result(&blind, JUDGES_IT), "Unknown");
    let said = scene.operator.process.log();
    let complaint = format!("{RESOURCE}: list and watch are forbidden; grant list and watch");
    assert_eq!(said.matches(&complaint).count(), 1, "{said}");
    let asked = requests(control_plane, "/kustomizations");
    sleep(Duration::from_secs(5));
    let asked = requests(control_plane, "/kustomizations") - asked;
    assert!(asked <= 5, "{asked} requests in 5 s");

    let granted = grant(control_plane);
    wait_for_coverage(&scene.operator, KIND, true, PAUSE);
    scene.conclude(&[21], granted);
}

/// Row 22. An open watch outlives the permission. When it ends, what it told is no evidence any more.
#[test]
#[ignore = "slow: make test-faults"]
fn a_permission_that_is_taken_away_counts_when_the_watch_ends() {
    let (scene, wire) = Scene::wired();
    let control_plane = &scene.control_plane;
    hide(control_plane);
    control_plane.apply(APPS).unwrap();
    let kept = format!("flux_security_objects{{kind=\"{KIND}\"}}");
    wait_for("the open watch to tell", PATIENCE, || {
        ensure!(scene.operator.metric(&kept)? == Some(1.0), "it does not");
        Ok(())
    })
    .unwrap();

    wire.reset();
    let whole = audit(control_plane.admin()).unwrap();
    let blind = wait_until_blind_to(control_plane, RESOURCE, TRUST);
    assert_blind_to(&blind, RESOURCE, &whole);
    assert_eq!(result(&blind, JUDGES_IT), "Unknown");
    assert_eq!(scene.operator.metric(&kept).unwrap(), Some(0.0));

    let granted = grant(control_plane);
    wait_for_coverage(&scene.operator, KIND, true, PAUSE);
    scene.conclude(&[22], granted);
}

/// Row 23. Everything else goes on: the metrics know what the report may not say.
#[test]
#[ignore = "slow: make test-faults"]
fn reports_that_may_not_be_written_are_tried_with_growing_pauses() {
    let scene = Scene::begin();
    let control_plane = &scene.control_plane;
    let told = events(control_plane).len();
    narrow(
        control_plane,
        "patch fluxsecurityreports.fluxsecurity.dev",
        |verbs, resource| {
            verbs == &json!(["list", "watch"]) || !resource.as_str().unwrap().contains("report")
        },
    );
    let (written, refused) = (
        writes(&scene.operator, "success"),
        writes(&scene.operator, "error"),
    );
    scene.drift(true);
    let series =
        format!("flux_security_findings{{control=\"{CONTROL}\",policy=\"default\",severity=\"Critical\"}}");
    wait_for("the metrics to know", PATIENCE, || {
        ensure!(scene.operator.metric(&series)? == Some(1.0), "they do not");
        Ok(())
    })
    .unwrap();
    sleep(Duration::from_secs(20));
    assert_eq!(result(&report(control_plane).unwrap(), CONTROL), "Pass");
    assert_eq!(scene.operator.get("/readyz").unwrap().0, 200);
    // The two reports, each after 0, 1, 3, 7 and 15 s.
    let refused = writes(&scene.operator, "error") - refused;
    assert!((8..=10).contains(&refused), "{refused} refused writes");
    let news = events(control_plane).len() - told;

    let granted = grant(control_plane);
    scene.wait_for_drift(true, PAUSE);
    assert_eq!(
        events(control_plane).len() - told,
        news,
        "what was told before is not told again"
    );
    assert!(writes(&scene.operator, "success") >= written + 2);
    scene.conclude(&[23], granted);
}
