//! Servers and connections that fail.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::ensure;
use rustix::process::Signal;

use crate::controlplane::core::Options;
use crate::controlplane::scenario::{SHARED, events, installed, result, until};
use crate::controlplane::wire::{Mode, Wire};
use crate::controlplane::{ControlPlane, Operator, wait_for};
use crate::invariants;
use crate::matrix::recovered;
use crate::scene::{CONTROL, CONVERGENCE, Scene, operator_kubeconfig, wait_until_right};

/// After this time without a sign a connection is given up.
const CONNECTION: Duration = Duration::from_secs(30);
/// A lease that was lost is taken again within this time.
const TAKE_OVER: Duration = Duration::from_secs(40);

/// Row 1.
#[test]
fn it_waits_for_an_api_server() {
    let control_plane = installed();
    control_plane.apply(SHARED).unwrap();
    let wire = Wire::lay(&control_plane.url()).unwrap();
    wire.set(Mode::Refuse);
    let kubeconfig = operator_kubeconfig(&control_plane, &wire.url());
    let mut operator = Operator::launch(&control_plane, &kubeconfig).unwrap();
    sleep(Duration::from_secs(6));
    operator.process.check().unwrap();
    let ready = operator.get("/readyz").map(|(status, _)| status);
    assert!(!matches!(ready, Ok(200)), "ready without an API server");
    let said = operator.process.log().matches("does not answer").count();
    assert_eq!(said, 1, "{}", operator.process.log());

    wire.set(Mode::Through);
    let up = Instant::now();
    operator.wait_until_ready().unwrap();
    eprintln!("ready {:?} after the API server", up.elapsed());
    until(&control_plane, "the report", |report| {
        result(report, CONTROL) == "Pass"
    });
    wait_until_right(&control_plane, CONVERGENCE);
    recovered(1, up.elapsed());
    invariants::health_is_honest(&operator);
    invariants::nothing_but_ours_is_written(&control_plane.audit_log().unwrap());
}

/// Row 2. Nothing changes: nobody is told anything.
#[test]
fn a_killed_api_server_comes_back() {
    let mut scene = Scene::begin();
    let told = events(&scene.control_plane);
    scene.restart_apiserver(Duration::from_secs(5));
    let back = Instant::now();
    scene.drift(true);
    scene.wait_for_drift(true, CONVERGENCE);
    recovered(2, back.elapsed());
    sleep(Duration::from_secs(5));
    let news = events(&scene.control_plane);
    let news = news.iter().filter(|event| !told.contains(event));
    let notes: Vec<&str> = news.map(|event| event["note"].as_str().unwrap()).collect();
    let about_the_drift = |note: &&str| note.contains(CONTROL) || note.contains("policy default");
    assert!(
        notes.iter().all(about_the_drift),
        "an outage is no news of the cluster: {notes:#?}"
    );
    scene.drift(false);
    scene.conclude(&[], back);
}

/// Row 2. Longer than what is known is trusted: while the server is away nothing passes, and when it is back nothing
/// has been lost.
#[test]
#[ignore = "slow: make test-faults"]
fn a_long_outage_is_unknown_in_the_metrics_and_no_news_afterwards() {
    let mut scene = Scene::begin();
    let told = events(&scene.control_plane).len();
    scene.control_plane.apiserver().kill().unwrap();
    wait_for("the metrics to know", Duration::from_mins(2), || {
        let series = "flux_security_kind_synced{kind=\"Deployment\"}";
        ensure!(scene.operator.metric(series)? == Some(0.0), "still synced");
        Ok(())
    })
    .unwrap();
    sleep(Duration::from_secs(45));
    scene.control_plane.revive_apiserver().unwrap();
    scene.control_plane.wait_until_ready().unwrap();
    let back = Instant::now();
    wait_for("the kinds", CONVERGENCE, || {
        let series = "flux_security_kind_synced{kind=\"Deployment\"}";
        ensure!(scene.operator.metric(series)? == Some(1.0), "not synced");
        Ok(())
    })
    .unwrap();
    eprintln!("synced {:?} after the API server", back.elapsed());
    sleep(Duration::from_secs(22));
    assert_eq!(
        events(&scene.control_plane).len(),
        told,
        "an outage is no news of the cluster"
    );
    scene.drift_and_conclude(2);
}

/// Row 3.
#[test]
#[ignore = "slow: make test-faults"]
fn restarts_under_churn_lose_nothing() {
    let mut scene = Scene::begin();
    for round in 0..4 {
        scene.drift(round % 2 == 0);
        scene.restart_apiserver(Duration::from_secs(1));
        scene.drift(round % 2 == 1);
    }
    scene.drift_and_conclude(3);
}

/// Row 4.
#[test]
#[ignore = "slow: make test-faults"]
fn a_frozen_etcd_thaws() {
    let mut scene = Scene::begin();
    let pid = scene.operator.process.pid();
    scene.drift(true);
    scene.control_plane.etcd().signal(Signal::STOP).unwrap();
    sleep(Duration::from_secs(30));
    let leads = scene.operator.metric("flux_security_leader").unwrap();
    assert_eq!(leads, Some(0.0), "a lease that cannot be renewed is lost");
    scene.control_plane.etcd().signal(Signal::CONT).unwrap();
    scene.control_plane.wait_until_ready().unwrap();
    let thawed = Instant::now();
    scene.wait_for_drift(true, TAKE_OVER);
    assert_eq!(scene.operator.process.pid(), pid);
    scene.conclude(&[4], thawed);
}

/// Row 5.
#[test]
fn a_killed_etcd_comes_back() {
    let mut scene = Scene::begin();
    scene.control_plane.etcd().kill().unwrap();
    sleep(Duration::from_secs(3));
    scene.control_plane.revive_etcd().unwrap();
    scene.control_plane.wait_until_ready().unwrap();
    scene.drift_and_conclude(5);
}

/// Row 7.
#[test]
fn reset_connections_are_made_again() {
    let (scene, wire) = Scene::wired();
    for _ in 0..3 {
        wire.reset();
        sleep(Duration::from_millis(300));
    }
    let told = scene.requests("list");
    scene.drift(true);
    scene.wait_for_drift(true, CONVERGENCE);
    assert_eq!(scene.requests("list"), told, "watches go on from where they were");
    scene.drift(false);
    scene.conclude(&[7], Instant::now());
}

/// Watches are streams: one connection for everything, one for the lease.
#[test]
fn one_connection_carries_everything() {
    let (scene, wire) = Scene::wired();
    let [_, _, connections] = wire.traffic();
    assert_eq!(connections, 2);
    scene.wait_until_quiet();
    assert_eq!(wire.traffic()[2], connections);
}

/// A server that allows fewer streams than there are kinds gets more connections.
#[test]
fn streams_that_are_not_allowed_go_over_another_connection() {
    let control_plane = ControlPlane::start_with(&Options {
        apiserver: vec!["--http2-max-streams-per-connection=10".to_owned()],
        ..Options::default()
    });
    let control_plane = control_plane.unwrap();
    let wire = Wire::lay(&control_plane.url()).unwrap();
    let url = wire.url();
    let scene = Scene::start(control_plane, |control_plane| {
        operator_kubeconfig(control_plane, &url)
    });
    let [_, _, connections] = wire.traffic();
    assert!((5..15).contains(&connections), "{connections} connections");
    scene.conclude(&[], Instant::now());
}

/// Row 8.
#[test]
#[ignore = "slow: make test-faults"]
fn a_black_hole_is_noticed() {
    let (scene, wire) = Scene::wired();
    wire.set(Mode::BlackHole);
    sleep(Duration::from_secs(1));
    // New connections pass, those that were forgotten never will.
    wire.set(Mode::Through);
    let forgotten = Instant::now();
    scene.drift(true);
    scene.wait_for_drift(true, CONNECTION + Duration::from_secs(10));
    eprintln!("noticed after {:?}", forgotten.elapsed());
    scene.conclude(&[8], forgotten);
}

/// Row 9.
#[test]
#[ignore = "slow: make test-faults"]
fn a_slow_connection_is_only_slow() {
    let (scene, wire) = Scene::wired();
    wire.set(Mode::Slow {
        latency: Duration::from_secs(1),
        bytes_per_second: 64 * 1024,
    });
    let slow = Instant::now();
    for on in [true, false, true] {
        scene.drift(on);
        scene.wait_for_drift(on, CONVERGENCE);
    }
    scene.conclude(&[9], slow);
}

/// Row 10. The list of Deployments is cut, again and again.
#[test]
fn a_list_that_is_cut_is_not_believed() {
    let control_plane = installed();
    let wire = Wire::lay(&control_plane.url()).unwrap();
    // Handshakes and short answers pass. A Deployment of Flux has 4 KiB, and there are six.
    wire.set(Mode::CutAfter(12 * 1024));
    control_plane.apply(SHARED).unwrap();
    let kubeconfig = operator_kubeconfig(&control_plane, &wire.url());
    let mut operator = Operator::launch(&control_plane, &kubeconfig).unwrap();
    operator.wait_until_ready().unwrap();
    let series = "flux_security_kind_synced{kind=\"Deployment\"}";
    assert_eq!(operator.metric(series).unwrap(), Some(0.0), "half a list is none");
    let (_, scrape) = operator.get("/metrics").unwrap();
    assert_eq!(invariants::false_greens(&scrape), Vec::<String>::new());

    wire.set(Mode::Through);
    let whole = Instant::now();
    wait_for("the whole list", CONVERGENCE, || {
        ensure!(operator.metric(series)? == Some(1.0), "not synced");
        Ok(())
    })
    .unwrap();
    wait_until_right(&control_plane, CONVERGENCE);
    recovered(10, whole.elapsed());
    operator.process.check().unwrap();
}

/// Row 12. While the operator is frozen, its version is compacted away: what was deleted meanwhile vanishes.
#[test]
fn a_compacted_version_is_listed_again() {
    let mut scene = Scene::begin();
    scene.operator.process.signal(Signal::STOP).unwrap();
    scene.drift(true);
    scene
        .control_plane
        .kubectl(&["delete", "deployment", "-n", "flux-system", "helm-controller"])
        .unwrap();
    for round in 0..20 {
        scene.drift(round % 2 == 1);
    }
    scene.control_plane.compact().unwrap();
    // Only a fresh watch cache has forgotten.
    scene.restart_apiserver(Duration::ZERO);
    scene.operator.process.signal(Signal::CONT).unwrap();
    let woken = Instant::now();
    scene.wait_for_drift(true, TAKE_OVER);
    wait_for("the deleted controller to vanish", CONVERGENCE, || {
        let report = crate::controlplane::scenario::report(&scene.control_plane)?;
        ensure!(result(&report, "FSP-HELM-001") == "NotApplicable", "still there");
        Ok(())
    })
    .unwrap();
    scene.conclude(&[12], woken);
}

/// Row 45. One replica loses its way to the API server, the other has it still.
#[test]
#[ignore = "slow: make test-faults"]
fn a_leader_that_is_cut_off_gives_up_first() {
    let (scene, wire) = Scene::wired();
    let standby = Operator::start(&scene.control_plane).unwrap();
    let leads = |operator: &Operator| operator.metric("flux_security_leader").unwrap() == Some(1.0);
    assert!(leads(&scene.operator) && !leads(&standby));
    wire.set(Mode::BlackHole);
    scene.drift(true);
    let cut = Instant::now();
    wait_for("the standby to lead", TAKE_OVER, || {
        // The order matters: who leads first may only stop before the other starts.
        let started = leads(&standby);
        ensure!(!(started && leads(&scene.operator)), "two lead");
        ensure!(started, "nobody leads");
        Ok(())
    })
    .unwrap();
    scene.wait_for_drift(true, TAKE_OVER);
    eprintln!("another one leads, {:?} after the cut", cut.elapsed());
    wire.set(Mode::Through);
    wire.reset();
    scene.conclude(&[45], cut);
}

/// The API server alone is restarted, and etcd keeps everything.
impl Scene {
    fn restart_apiserver(&mut self, away: Duration) {
        self.control_plane.apiserver().kill().unwrap();
        sleep(away);
        self.control_plane.revive_apiserver().unwrap();
        self.control_plane.wait_until_ready().unwrap();
    }

    /// How many requests of this verb the operator has made.
    fn requests(&self, verb: &str) -> usize {
        invariants::requests(&self.control_plane.audit_log().unwrap(), verb)
    }
}
