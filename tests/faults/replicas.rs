//! Two replicas, and what becomes of the report when the one that writes is stopped, killed or frozen.

use std::time::{Duration, Instant};

use anyhow::ensure;
use rustix::process::Signal;
use serde_json::Value;

use crate::controlplane::scenario::{SHARED, events, installed, result, set_args, until, versions};
use crate::controlplane::{ControlPlane, Operator, wait_for};
use crate::invariants::{nothing_but_ours_is_written, writers_hold_the_lease};
use crate::matrix::recovered;
use crate::scene::{CONTROL, FLAG, wait_for_result, wait_until_quiet, wait_until_right};

/// A lease of 15 s, an attempt every 2 s, and a busy machine.
const TAKE_OVER: Duration = Duration::from_secs(40);
/// A second is the aim; the machine may be busy.
const HAND_OVER: Duration = Duration::from_secs(5);

/// Two replicas behind a first report.
fn replicated() -> (ControlPlane, [Operator; 2]) {
    let control_plane = installed();
    control_plane.apply(SHARED).unwrap();
    let replicas = [(); 2].map(|()| Operator::start(&control_plane).unwrap());
    until(&control_plane, "the first report", |report| {
        result(report, CONTROL) == "Pass"
    });
    (control_plane, replicas)
}

fn leads(replica: &Operator) -> bool {
    replica.metric("flux_security_leader").unwrap() == Some(1.0)
}

/// The one that leads first, the standby second.
fn ordered([one, other]: [Operator; 2]) -> [Operator; 2] {
    assert!(leads(&one) != leads(&other), "one leads");
    if leads(&one) { [one, other] } else { [other, one] }
}

/// Turns the flag on or off; the last occurrence wins.
fn drift(control_plane: &ControlPlane, on: bool) {
    set_args(control_plane, "kustomize-controller", &format!("{FLAG}={on}"));
}

fn wait_for_drift(control_plane: &ControlPlane, on: bool) {
    let expected = if on { "Fail" } else { "Pass" };
    wait_for_result(control_plane, CONTROL, expected, TAKE_OVER);
}

/// How many Events tell that the control failed, and that it passes again.
fn told(control_plane: &ControlPlane) -> [usize; 2] {
    let of = |reason: &str| {
        let tells = |event: &&Value| {
            event["reason"] == reason
                && event["regarding"]["kind"] == "FluxSecurityReport"
                && event["note"].as_str().unwrap_or_default().contains(CONTROL)
        };
        events(control_plane).iter().filter(tells).count()
    };
    [of("ControlFailed"), of("ControlRecovered")]
}

/// Kills the leader around a drift, again and again; a new replica takes the place of the standby each time.
fn kill_leaders(times: u32) {
    let (control_plane, replicas) = replicated();
    let [mut leader, mut standby] = ordered(replicas);
    let mut expected = told(&control_plane);
    let mut slowest = Duration::ZERO;
    for round in 0..times {
        let on = round % 2 == 0;
        drift(&control_plane, on);
        // Before the report, in the middle of the Events, or after them: each round at another moment.
        std::thread::sleep(Duration::from_millis(u64::from(round * 37 % 240)));
        leader.process.kill().unwrap();
        let killed = Instant::now();
        let replacement = Operator::start(&control_plane).unwrap();
        leader = std::mem::replace(&mut standby, replacement);
        wait_for("another leader", TAKE_OVER, || {
            if leads(&standby) {
                std::mem::swap(&mut leader, &mut standby);
            }
            ensure!(leads(&leader), "nobody leads");
            Ok(())
        })
        .unwrap();
        wait_for_drift(&control_plane, on);
        slowest = slowest.max(killed.elapsed());
        expected[usize::from(!on)] += 1;
        wait_for("the Event", TAKE_OVER, || {
            let told = told(&control_plane);
            ensure!(told == expected, "told {told:?} instead of {expected:?}");
            Ok(())
        })
        .unwrap();
    }
    wait_until_right(&control_plane, TAKE_OVER);
    wait_until_quiet(&control_plane);
    let audited = control_plane.audit_log().unwrap();
    nothing_but_ours_is_written(&audited);
    writers_hold_the_lease(&audited);
    recovered(43, slowest);
    eprintln!("{times} leaders killed; the slowest right report came {slowest:?} after the kill");
}

/// Row 43.
#[test]
fn a_killed_leader_is_replaced_and_nothing_is_told_twice() {
    kill_leaders(2);
}

/// Rows 41, 43.
#[test]
#[ignore = "slow: make test-faults"]
fn thirty_killed_leaders_leave_no_duplicate_event_and_the_right_report() {
    kill_leaders(30);
}

/// The one that leads is told to stop: the other one need not wait for a lease to run out.
#[test]
fn a_stopped_leader_hands_over_at_once() {
    let (control_plane, replicas) = replicated();
    let [mut leader, standby] = ordered(replicas);
    wait_until_quiet(&control_plane);
    let told = events(&control_plane).len();
    leader.process.signal(Signal::TERM).unwrap();
    let stopped = Instant::now();
    wait_for("the standby to lead", HAND_OVER, || {
        ensure!(leads(&standby), "it does not lead");
        Ok(())
    })
    .unwrap();
    eprintln!("handed over in {:?}", stopped.elapsed());
    assert!(leader.process.wait(HAND_OVER).unwrap().success());
    wait_until_quiet(&control_plane);
    assert_eq!(events(&control_plane).len(), told, "nothing happened");
    drift(&control_plane, true);
    wait_for_drift(&control_plane, true);
    writers_hold_the_lease(&control_plane.audit_log().unwrap());
}

/// Row 44. It sleeps through the end of its lease, and wakes up with a view of the world that is long gone.
#[test]
fn a_frozen_leader_that_wakes_up_writes_nothing() {
    let (control_plane, replicas) = replicated();
    let [zombie, standby] = ordered(replicas);
    drift(&control_plane, true);
    zombie.process.signal(Signal::STOP).unwrap();
    wait_for_drift(&control_plane, true);
    drift(&control_plane, false);
    wait_for_drift(&control_plane, false);
    assert!(leads(&standby));
    wait_until_quiet(&control_plane);
    let (written, told) = (versions(&control_plane), events(&control_plane).len());

    zombie.process.signal(Signal::CONT).unwrap();
    std::thread::sleep(Duration::from_secs(5));
    assert!(!leads(&zombie) && leads(&standby));
    assert_eq!(versions(&control_plane), written);
    assert_eq!(events(&control_plane).len(), told);
    drift(&control_plane, true);
    wait_for_drift(&control_plane, true);
    writers_hold_the_lease(&control_plane.audit_log().unwrap());
}

/// Row 38. Somebody writes into the report without end.
#[test]
fn a_fight_over_the_report_is_damped() {
    let control_plane = installed();
    control_plane.apply(SHARED).unwrap();
    let mut operator = Operator::start(&control_plane).unwrap();
    until(&control_plane, "the first report", |report| {
        result(report, CONTROL) == "Pass"
    });
    let told = events(&control_plane).len();
    let writes = |operator: &Operator| {
        let series = "flux_security_report_writes_total{outcome=\"success\"}";
        operator.metric(series).unwrap().unwrap_or_default()
    };
    let before = writes(&operator);
    let started = Instant::now();
    let mut edits = 0;
    while started.elapsed() < Duration::from_secs(12) {
        let patch = format!(r#"{{"status":{{"summary":{{"pass":{}}}}}}}"#, 1000 + edits);
        let arguments = [
            "patch",
            "fluxsecurityreport",
            "default",
            "--subresource=status",
            "--type=merge",
            "-p",
            &patch,
        ];
        control_plane.kubectl(&arguments).unwrap();
        edits += 1;
        std::thread::sleep(Duration::from_millis(200));
    }
    let written = writes(&operator) - before;
    assert!(edits > 6, "{edits} edits");
    assert!(
        (1.0..=3.0).contains(&written),
        "{written} restorations of {edits} edits"
    );
    assert_eq!(events(&control_plane).len(), told, "an edit is no transition");
    // What changes is published all the same.
    drift(&control_plane, true);
    wait_for_drift(&control_plane, true);
    operator.process.check().unwrap();
}
