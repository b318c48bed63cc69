//! What must hold whatever goes wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::ensure;
use flux_security_operator::controls::{self, Judges};
use serde_json::Value;

use crate::controlplane::operator::USER;
use crate::controlplane::{Operator, plain, wait_for};
use crate::exposition::{Series, series};

/// How often the metrics are looked at.
const ROUND: Duration = Duration::from_millis(250);
/// Reports may be written again after this time: the operator's pace of a second, less what two requests may differ in
/// their ways to the API server.
const PACE: f64 = 0.9;
/// What a process may hold beyond one and a half times its steady memory, in KiB: pages of the allocator.
const SLACK: u64 = 16 * 1024;
/// Descriptors beyond the steady ones: connections that are being closed and made anew.
const SPARE_DESCRIPTORS: usize = 24;

/// I1, in one scrape: controls that pass although a kind that they judge is not fully known.
pub(crate) fn false_greens(scrape: &str) -> Vec<String> {
    let series = series(scrape);
    let unsynced: BTreeSet<&str> = series
        .iter()
        .filter(|it| it.name == "flux_security_kind_synced" && it.value < 1.0)
        .map(|it| it.labels["kind"].as_str())
        .collect();
    let passes = |it: &&Series| {
        it.name == "flux_security_control_status" && it.value > 0.0 && it.labels["result"] == "Pass"
    };
    let judged = |it: &Series| {
        let id = &it.labels["control"];
        let unseen: Vec<&str> = judged_kinds(id)
            .into_iter()
            .filter(|kind| unsynced.contains(kind))
            .collect();
        (!unseen.is_empty()).then(|| format!("{id} passes without {}", unseen.join(", ")))
    };
    series.iter().filter(passes).filter_map(judged).collect()
}

/// The kinds whose objects a control judges.
fn judged_kinds(id: &str) -> Vec<&'static str> {
    match &controls::find(id).unwrap().judges {
        Judges::Controllers { .. } => vec!["Deployment", "StatefulSet", "Pod"],
        Judges::Objects(kinds) => kinds.iter().map(|judges| judges.kind().name()).collect(),
        Judges::Namespaces(_) => vec!["Namespace"],
        Judges::Cluster(_) | Judges::Custom(_) => Vec::new(),
    }
}

/// I1, all the time: looks at every scrape until it is dismissed.
pub(crate) struct Watchman {
    end: Sender<()>,
    rounds: JoinHandle<Vec<String>>,
}

impl Watchman {
    /// Looks at an operator from now on.
    pub(crate) fn post(operator: &Operator) -> Self {
        let port = operator.port();
        let (end, ended) = mpsc::channel();
        let rounds = std::thread::spawn(move || {
            let mut seen = Vec::new();
            while ended.recv_timeout(ROUND) == Err(RecvTimeoutError::Timeout) {
                // One that is frozen, or is not there, says nothing false.
                if let Ok((200, scrape)) = plain::get(port, "/metrics") {
                    seen.extend(false_greens(&scrape));
                }
            }
            seen
        });
        Self { end, rounds }
    }

    /// Fails when there was a false green.
    pub(crate) fn dismiss(self) {
        drop(self.end);
        let seen = self.rounds.join().unwrap();
        assert!(seen.is_empty(), "false greens: {seen:#?}");
    }
}

/// I4: what a process holds.
#[derive(Debug)]
pub(crate) struct Footprint {
    resident_kib: u64,
    descriptors: usize,
    threads: u64,
}

impl Footprint {
    /// What the operator holds now.
    pub(crate) fn of(operator: &Operator) -> Self {
        let folder = format!("/proc/{}", operator.process.pid());
        let status = fs::read_to_string(format!("{folder}/status")).unwrap();
        let number = |field: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
            line.split_whitespace().next().unwrap().parse().unwrap()
        };
        Self {
            resident_kib: number("VmRSS:"),
            threads: number("Threads:"),
            descriptors: fs::read_dir(format!("{folder}/fd")).unwrap().count(),
        }
    }

    /// Fails when the operator holds more than a fault excuses, or has panicked.
    pub(crate) fn holds(&self, operator: &Operator) {
        wait_for("a small footprint", Duration::from_secs(10), || {
            let now = Self::of(operator);
            let small = now.resident_kib <= self.resident_kib * 3 / 2 + SLACK
                && now.descriptors <= self.descriptors + SPARE_DESCRIPTORS
                && now.threads <= self.threads + 2;
            ensure!(small, "{now:?} after {self:?}");
            Ok(())
        })
        .unwrap();
        let log = operator.process.log();
        assert!(!log.contains("panicked at"), "{log}");
    }
}

/// I7: every kind is settled, and `/readyz` says so.
pub(crate) fn health_is_honest(operator: &Operator) {
    let (status, text) = operator.get("/readyz").unwrap();
    assert_eq!(status, 200, "{text}");
    assert_eq!(operator.get("/livez").unwrap().0, 200);
}

/// The requests of the operator.
fn ours(audit_log: &[Value]) -> impl Iterator<Item = &Value> {
    audit_log.iter().filter(|event| event["user"]["username"] == USER)
}

/// How many requests of this verb the operator has made.
pub(crate) fn requests(audit_log: &[Value], verb: &str) -> usize {
    ours(audit_log).filter(|event| event["verb"] == verb).count()
}

fn resource(event: &Value) -> (&str, &str) {
    let part = |field: &str| event["objectRef"][field].as_str().unwrap_or_default();
    (part("apiGroup"), part("resource"))
}

/// I6: no request for Secrets, and no write but of reports, policies' status, Leases and Events.
pub(crate) fn nothing_but_ours_is_written(audit_log: &[Value]) {
    for event in ours(audit_log) {
        let (group, resource) = resource(event);
        assert_ne!(resource, "secrets", "{event}");
        if matches!(event["verb"].as_str(), Some("get" | "list" | "watch")) {
            continue;
        }
        let is_ours = matches!(
            (group, resource),
            ("fluxsecurity.dev", _) | ("coordination.k8s.io", "leases") | ("events.k8s.io", "events")
        );
        assert!(is_ours, "{event}");
    }
}

/// I3: no report is written more often than its pace allows.
pub(crate) fn reports_are_written_once_a_second(audit_log: &[Value]) {
    let mut written: BTreeMap<String, f64> = BTreeMap::new();
    for event in ours(audit_log) {
        let object = &event["objectRef"];
        let is_write = event["verb"] == "patch"
            && object["subresource"] == "status"
            && resource(event).1.ends_with("reports")
            && event["responseStatus"]["code"] == 200;
        if !is_write {
            continue;
        }
        let at = seconds(event["stageTimestamp"].as_str().unwrap());
        let report = format!("{} {}", object["resource"], object["namespace"]);
        if let Some(before) = written.insert(report.clone(), at) {
            let gap = at - before;
            assert!(
                !(0.0..PACE).contains(&gap),
                "{report} was written again after {gap:.2} s"
            );
        }
    }
}

/// I5: whoever writes a report holds the lease: the last one to have written the lease is the same replica. Replicas
/// are told apart by the credentials that they were started with.
pub(crate) fn writers_hold_the_lease(audit_log: &[Value]) {
    let mut holder = "nobody";
    let accepted = |event: &&Value| matches!(event["responseStatus"]["code"].as_u64(), Some(200 | 201));
    for event in ours(audit_log).filter(accepted) {
        if !matches!(
            event["verb"].as_str(),
            Some("create" | "patch" | "update" | "delete")
        ) {
            continue;
        }
        let writer = event["user"]["extra"]["authentication.kubernetes.io/credential-id"][0].as_str();
        match resource(event) {
            (_, "leases") => holder = writer.unwrap(),
            ("fluxsecurity.dev", _) => assert_eq!(writer, Some(holder), "does not hold the lease: {event}"),
            _ => {}
        }
    }
}

/// The time of day of an RFC 3339 timestamp; midnight makes a gap that is no gap.
fn seconds(timestamp: &str) -> f64 {
    let time = timestamp.split_once('T').unwrap().1.trim_end_matches('Z');
    time.split(':')
        .fold(0.0, |sum, part| sum * 60.0 + part.parse::<f64>().unwrap())
}
