//! The posture of one policy as the status of its report.
//!
//! Equal posture and equal previous report give an equal report: then nothing is written. Times enter only where
//! something changed, and stay what they were otherwise.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::{Timestamp, Unit};

use crate::api::report::{Catalogue, Change, NamespaceTotals, SeverityCounts};
use crate::api::{Condition, ControlResult, ControlStatus, Finding, ReportStatus, Summary};
use crate::controls;
use crate::engine::posture::first_failing;
use crate::engine::{ControlPosture, PolicyPosture};

/// No object of ours is larger, in bytes of JSON.
pub const MAX_BYTES: usize = 256 * 1024;
/// Namespaces that the cluster report lists.
const MAX_NAMESPACES: usize = 100;

/// The report with nothing cut off, as if it were the first: what `fluxsec audit` prints.
#[must_use]
pub fn uncut(posture: &PolicyPosture, now: Timestamp) -> ReportStatus {
    let mut report = whole(posture, None, whole_second(now));
    report.history.clear();
    report
}

/// The report as it is published: bounded, with exact totals.
#[must_use]
pub fn report(posture: &PolicyPosture, previous: Option<&ReportStatus>, now: Timestamp) -> ReportStatus {
    let mut report = whole(posture, previous, whole_second(now));
    let most = usize::try_from(posture.policy.spec.report.max_findings).unwrap_or(0);
    let most = most.min(findings_that_fit(&report));
    report.truncated_findings = count(report.findings.len().saturating_sub(most));
    report.findings.truncate(most);
    report
}

/// Findings are sorted, so that those that do not fit are the least severe.
fn findings_that_fit(report: &ReportStatus) -> usize {
    let mut rest = ReportStatus {
        findings: Vec::new(),
        ..report.clone()
    };
    rest.truncated_findings = i32::MAX;
    // An eighth is left for metadata and managedFields; the lists are atomic, so that these stay small.
    let mut left = (MAX_BYTES - MAX_BYTES / 8).saturating_sub(bytes(&rest));
    for (position, finding) in report.findings.iter().enumerate() {
        let needed = bytes(finding) + 1;
        if needed > left {
            return position;
        }
        left -= needed;
    }
    report.findings.len()
}

/// Size of a value as JSON.
fn bytes(value: &impl serde::Serialize) -> usize {
    serde_json::to_vec(value).map_or(MAX_BYTES, |json| json.len())
}

fn whole(posture: &PolicyPosture, previous: Option<&ReportStatus>, now: Time) -> ReportStatus {
    let findings: Vec<Finding> = posture
        .findings
        .iter()
        .map(|finding| finding.finding.clone())
        .collect();
    let summary = summary(posture);
    ReportStatus {
        observed_generation: posture.policy.generation,
        conditions: conditions(posture, previous, &now),
        last_handled_reconcile_at: posture.policy.requested_at.clone(),
        cluster_name: posture.policy.spec.cluster_name.clone(),
        catalogue: Catalogue {
            version: controls::VERSION.to_owned(),
            document_revision: controls::DOCUMENT_REVISION.to_owned(),
        },
        installations: posture.installations.clone(),
        controls: posture
            .controls
            .iter()
            .map(|control| row(control, previous, &now))
            .collect(),
        namespaces: namespaces(&findings),
        truncated_findings: 0,
        history: history(posture, previous, &now),
        findings,
        summary,
    }
}

/// Totals over the controls; score and coverage are rounded down.
#[must_use]
pub fn summary(posture: &PolicyPosture) -> Summary {
    let mut summary = Summary {
        findings: count(posture.findings.len()),
        ..Summary::default()
    };
    let (mut passing, mut weighed) = (0, 0);
    for control in &posture.controls {
        let weight = control.severity.weight();
        match control.result {
            ControlResult::Pass => {
                summary.pass += 1;
                passing += weight;
                weighed += weight;
            }
            ControlResult::Fail => {
                summary.fail += 1;
                summary.failing.add(control.severity);
                weighed += weight;
            }
            ControlResult::Unknown => summary.unknown += 1,
            ControlResult::Manual => summary.manual += 1,
            ControlResult::Waived => summary.waived += 1,
            ControlResult::NotApplicable => summary.not_applicable += 1,
        }
    }
    let applicable = summary.pass + summary.fail + summary.waived + summary.manual + summary.unknown;
    summary.score = percent(passing, weighed);
    summary.coverage = percent(i64::from(applicable - summary.unknown), i64::from(applicable));
    summary
}

/// 100 when there is nothing to divide by.
fn percent(part: i64, whole: i64) -> i32 {
    if whole == 0 {
        return 100;
    }
    i32::try_from(part * 100 / whole).unwrap_or(0)
}

fn row(control: &ControlPosture, previous: Option<&ReportStatus>, now: &Time) -> ControlStatus {
    let known = previous.and_then(|previous| previous_row(previous, control.control.id));
    let since = known
        .filter(|known| known.result == control.result)
        .and_then(|known| known.since.clone());
    ControlStatus {
        id: control.control.id.to_owned(),
        title: control.control.title.to_owned(),
        severity: control.severity,
        result: control.result,
        reason: control.reason.clone(),
        message: control.message.clone(),
        findings: count(control.findings),
        waived: 0,
        since: Some(since.unwrap_or_else(|| now.clone())),
    }
}

fn previous_row<'a>(previous: &'a ReportStatus, id: &str) -> Option<&'a ControlStatus> {
    previous.controls.iter().find(|control| control.id == id)
}

fn conditions(posture: &PolicyPosture, previous: Option<&ReportStatus>, now: &Time) -> Vec<Condition> {
    let worst_allowed = posture.policy.spec.fail_on;
    let failing = |control: &&ControlPosture| {
        control.result == ControlResult::Fail && control.severity <= worst_allowed
    };
    let failing: Vec<&str> = posture
        .controls
        .iter()
        .filter(failing)
        .map(|control| control.control.id)
        .collect();
    let compliant = match failing.len() {
        0 => (
            "True",
            "Compliant",
            format!("no control of severity {worst_allowed} or above fails"),
        ),
        _ => (
            "False",
            "ControlsFailing",
            format!("failing: {}", failing.join(", ")),
        ),
    };
    let unknown = posture
        .controls
        .iter()
        .filter(|control| control.result == ControlResult::Unknown);
    let mut gaps: Vec<&str> = unknown.map(|control| control.message.as_str()).collect();
    gaps.extend(posture.gaps.iter().map(|gap| gap.message.as_str()));
    gaps.sort_unstable();
    gaps.dedup();
    let complete = match gaps.len() {
        0 => (
            "True",
            "Complete",
            "everything that the controls read could be read".to_owned(),
        ),
        _ => ("False", "EvidenceMissing", bounded_list(&gaps)),
    };
    let ready = ("True", "Published", "the audit is published".to_owned());
    [("Ready", ready), ("Compliant", compliant), ("Complete", complete)]
        .into_iter()
        .map(|(kind, (status, reason, message))| {
            let known =
                previous.and_then(|previous| previous.conditions.iter().find(|known| known.type_ == kind));
            let since = known
                .filter(|known| known.status == status)
                .map(|known| known.last_transition_time.clone());
            Condition {
                type_: kind.to_owned(),
                status: status.to_owned(),
                reason: reason.to_owned(),
                message,
                observed_generation: Some(posture.policy.generation),
                last_transition_time: since.unwrap_or_else(|| now.clone()),
            }
        })
        .collect()
}

/// The first few of many sentences, and how many more there are.
fn bounded_list(sentences: &[&str]) -> String {
    const SHOWN: usize = 5;
    let shown = sentences
        .iter()
        .take(SHOWN)
        .copied()
        .collect::<Vec<_>>()
        .join("; ");
    match sentences.len().checked_sub(SHOWN) {
        None | Some(0) => shown,
        Some(more) => format!("{shown}; and {more} more"),
    }
}

fn namespaces(findings: &[Finding]) -> Vec<NamespaceTotals> {
    let mut totals: BTreeMap<&str, SeverityCounts> = BTreeMap::new();
    for finding in findings {
        totals
            .entry(&finding.resource.namespace)
            .or_default()
            .add(finding.severity);
    }
    let mut namespaces: Vec<NamespaceTotals> = totals
        .into_iter()
        .map(|(name, failing)| NamespaceTotals {
            name: name.to_owned(),
            failing,
        })
        .collect();
    let worst = |totals: &NamespaceTotals| {
        let counts = totals.failing;
        std::cmp::Reverse((
            counts.critical,
            counts.high,
            counts.medium,
            counts.low,
            counts.info,
        ))
    };
    namespaces.sort_by_key(worst);
    namespaces.truncate(MAX_NAMESPACES);
    namespaces
}

/// What changed now, in front of what changed before. The first audit records what needs attention.
fn history(posture: &PolicyPosture, previous: Option<&ReportStatus>, now: &Time) -> Vec<Change> {
    let changed = posture
        .controls
        .iter()
        .filter_map(|control| change(posture, control, previous, now));
    let before = previous
        .map(|previous| previous.history.clone())
        .unwrap_or_default();
    let most = usize::try_from(posture.policy.spec.report.history).unwrap_or(0);
    changed.chain(before).take(most).collect()
}

fn change(
    posture: &PolicyPosture,
    control: &ControlPosture,
    previous: Option<&ReportStatus>,
    now: &Time,
) -> Option<Change> {
    let from = previous
        .and_then(|previous| previous_row(previous, control.control.id))
        .map(|row| row.result);
    if from == Some(control.result) {
        return None;
    }
    let noteworthy = matches!(control.result, ControlResult::Fail | ControlResult::Unknown);
    if from.is_none() && !noteworthy {
        return None;
    }
    let failing = first_failing(&posture.findings, control.control.id);
    Some(Change {
        time: now.clone(),
        control: control.control.id.to_owned(),
        from,
        to: control.result,
        resource: failing.map(|failing| failing.finding.resource.clone()),
        manager: failing.map(|failing| failing.manager.clone()).unwrap_or_default(),
    })
}

/// Reports carry whole seconds, as the API server's own times do.
fn whole_second(now: Timestamp) -> Time {
    Time(now.round(Unit::Second).unwrap_or(now))
}

fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
