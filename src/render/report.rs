//! Reports and statuses. Equal input gives equal output, so that nothing is written when nothing changed.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use serde::Serialize;

use super::events::identity;
use crate::api::report::{Catalogue, Change, NamespaceSummary, NamespaceTotals, SeverityCounts};
use crate::api::{
    Condition, ControlResult, ControlStatus, Finding, FluxSecurityPolicyStatus, Installation,
    NamespaceReportStatus, ReportStatus, ResourceRef, Summary,
};
use crate::controls::{DOCUMENT_REVISION, VERSION};
use crate::engine::posture::{bounded, first_failing};
use crate::engine::{ControlPosture, PolicyPosture};
use crate::flux::advisories::advisories;
use crate::kinds::Author;

/// Condition: audited and published.
pub const READY: &str = "Ready";
/// Condition: no control at or above `failOn` fails.
pub const COMPLIANT: &str = "Compliant";
/// Condition: every applicable control could be judged.
pub const COMPLETE: &str = "Complete";
/// Condition: an audit is under way.
pub const RECONCILING: &str = "Reconciling";
/// Condition: the spec has to be changed before anything can be audited.
pub const STALLED: &str = "Stalled";

/// Condition: what the policy asks for beside the report is delivered. It is there as long as something is not, and
/// nobody who waits for the policy has to wait for it.
pub const OUTPUTS_READY: &str = "OutputsReady";

/// No object of ours is larger.
pub const MAX_OBJECT_BYTES: usize = 256 * 1024;
/// Left for metadata with its managedFields.
const METADATA_BYTES: usize = 8 * 1024;
/// Left for the list of installations.
const INSTALLATION_BYTES: usize = 64 * 1024;
/// Namespaces that the cluster report lists.
const MAX_NAMESPACES: usize = 100;
/// Reasons that the condition `Complete` names.
const MAX_GAPS: usize = 3;
/// For so many days the list of advisories tells what is known. Flux has a new minor after as many.
const CURRENT_DAYS: i64 = 90;
const PUBLISHED: &str = "the posture is audited and published";
/// Longest message of a condition in bytes; the API server takes 32768.
const MAX_MESSAGE: usize = 1024;

/// The report of a policy. An invalid or a suspended policy leaves the previous report as it is.
#[must_use]
pub fn report(posture: &PolicyPosture, previous: Option<&ReportStatus>, now: Timestamp) -> ReportStatus {
    if !is_audited(posture) {
        return previous.cloned().unwrap_or_default();
    }
    let now = whole_seconds(now);
    let policy = &posture.policy;
    let mut report = ReportStatus {
        observed_generation: policy.generation,
        conditions: report_conditions(posture, previous, &now),
        last_handled_reconcile_at: policy.requested_at.clone(),
        cluster_name: policy.spec.cluster_name.clone(),
        catalogue: Catalogue {
            version: VERSION.to_owned(),
            document_revision: DOCUMENT_REVISION.to_owned(),
        },
        installations: bounded_installations(&posture.installations),
        summary: summary(posture),
        controls: control_rows(posture, previous, &now),
        findings: Vec::new(),
        truncated_findings: 0,
        namespaces: namespace_totals(posture),
        history: history(posture, previous, &now),
        delivered: posture.delivered.to_vec(),
    };
    let most = usize::try_from(policy.spec.report.max_findings).unwrap_or(0);
    let room = (MAX_OBJECT_BYTES - METADATA_BYTES).saturating_sub(size_of(&report));
    let findings = posture.findings.iter().map(|it| &it.finding);
    let (findings, left_out) = bounded_findings(findings, posture.findings.len(), most, room);
    report.findings = findings;
    report.truncated_findings = left_out;
    report
}

/// The report with nothing cut off and no past: what `fluxsec audit` prints.
#[must_use]
pub fn uncut(posture: &PolicyPosture, now: Timestamp) -> ReportStatus {
    let mut whole = report(posture, None, now);
    whole.findings = posture.findings.iter().map(|it| it.finding.clone()).collect();
    whole.installations.clone_from(&posture.installations);
    whole.truncated_findings = 0;
    whole.history.clear();
    whole
}

/// Whether the policy asks for an audit that can be made.
#[must_use]
pub fn is_audited(posture: &PolicyPosture) -> bool {
    posture.invalid.is_none() && !posture.policy.spec.suspend
}

/// Totals of a posture; exact whatever is cut off elsewhere.
#[must_use]
pub fn summary(posture: &PolicyPosture) -> Summary {
    let mut summary = Summary {
        findings: count(
            posture
                .findings
                .iter()
                .filter(|it| !it.finding.is_waived())
                .count(),
        ),
        ..Summary::default()
    };
    let (mut passing, mut weighed) = (0_i64, 0_i64);
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
            ControlResult::Waived => summary.waived += 1,
            ControlResult::Manual => summary.manual += 1,
            ControlResult::NotApplicable => summary.not_applicable += 1,
            ControlResult::Unknown => summary.unknown += 1,
        }
    }
    let applicable = count(posture.controls.len()) - summary.not_applicable;
    summary.score = percentage(passing, weighed);
    summary.coverage = percentage(i64::from(applicable - summary.unknown), i64::from(applicable));
    summary
}

/// A share rounded down; 100 of nothing.
fn percentage(part: i64, whole: i64) -> i32 {
    if whole <= 0 {
        return 100;
    }
    i32::try_from(100 * part / whole).unwrap_or(100)
}

/// What is said about compliance: the status of the condition, its reason and its message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compliance {
    /// `True`, `False`, or `Unknown` when nothing fails but something at or above `failOn` could not be judged.
    pub status: &'static str,
    /// One CamelCase word.
    pub reason: &'static str,
    /// One sentence.
    pub message: String,
}

/// Whether a posture complies with its policy.
#[must_use]
pub fn compliance(posture: &PolicyPosture) -> Compliance {
    let fail_on = posture.policy.spec.fail_on;
    let matters = |result: ControlResult| {
        let controls = posture
            .controls
            .iter()
            .filter(move |control| control.result == result);
        controls.filter(|control| control.severity <= fail_on).count()
    };
    let failing = matters(ControlResult::Fail);
    if failing > 0 {
        let verb = if failing == 1 { "fails" } else { "fail" };
        let message = format!("{} of severity {fail_on} or above {verb}", number_of(failing));
        return Compliance {
            status: "False",
            reason: "ControlsFailing",
            message,
        };
    }
    let unknown = matters(ControlResult::Unknown);
    if unknown > 0 {
        let verb = if unknown == 1 { "is" } else { "are" };
        let message = format!(
            "{} of severity {fail_on} or above {verb} unknown",
            number_of(unknown)
        );
        return Compliance {
            status: "Unknown",
            reason: "ControlsUnknown",
            message,
        };
    }
    let message = format!("no control of severity {fail_on} or above fails");
    Compliance {
        status: "True",
        reason: "NothingFails",
        message,
    }
}

fn number_of(controls: usize) -> String {
    match controls {
        1 => "1 control".to_owned(),
        controls => format!("{controls} controls"),
    }
}

fn report_conditions(posture: &PolicyPosture, previous: Option<&ReportStatus>, now: &Time) -> Vec<Condition> {
    let known = previous.map_or(&[][..], |previous| &previous.conditions);
    let conditions = Conditions {
        known,
        generation: posture.policy.generation,
        now,
    };
    let compliance = compliance(posture);
    let (complete, reason, message) = completeness(posture);
    vec![
        conditions.make(READY, "True", "Published", &published(now.0)),
        conditions.make(
            COMPLIANT,
            compliance.status,
            compliance.reason,
            &compliance.message,
        ),
        conditions.make(COMPLETE, complete, reason, &message),
    ]
}

/// That it is published, and what a reader has to know about it. The days are not counted: the text changes once.
fn published(now: Timestamp) -> String {
    let list = advisories();
    match list.age_in_days(now) {
        Some(days) if days <= CURRENT_DAYS => PUBLISHED.to_owned(),
        _ => format!(
            "{PUBLISHED}; versions are judged by what was known on {}, more than {CURRENT_DAYS} days ago: upgrade flux-security-operator",
            list.date
        ),
    }
}

/// What a reader has to know about a report before it is relied on.
pub(super) fn reservation(report: &ReportStatus) -> Option<&str> {
    let ready = find(&report.conditions, READY)?;
    ready.message.strip_prefix(PUBLISHED)?.strip_prefix("; ")
}

/// Names what could not be judged: the distinct reasons of the first unknown controls.
fn completeness(posture: &PolicyPosture) -> (&'static str, &str, String) {
    let unknown = || {
        posture
            .controls
            .iter()
            .filter(|control| control.result == ControlResult::Unknown)
    };
    let Some(first) = unknown().next() else {
        return (
            "True",
            "EverythingJudged",
            "every applicable control could be judged".to_owned(),
        );
    };
    let mut messages: Vec<&str> = Vec::new();
    for control in unknown() {
        if !messages.contains(&control.message.as_str()) {
            messages.push(&control.message);
        }
    }
    let rest = messages.len().saturating_sub(MAX_GAPS);
    messages.truncate(MAX_GAPS);
    let unknown = unknown().count();
    let verb = if unknown == 1 { "is" } else { "are" };
    let mut message = format!("{} {verb} unknown: {}", number_of(unknown), messages.join("; "));
    if rest > 0 {
        message = format!("{message}; and {rest} more reasons");
    }
    ("False", &first.reason, message)
}

fn control_rows(posture: &PolicyPosture, previous: Option<&ReportStatus>, now: &Time) -> Vec<ControlStatus> {
    let known = rows_by_id(previous);
    let mut rows: Vec<ControlStatus> = posture
        .controls
        .iter()
        .map(|control| row(control, &known, now))
        .collect();
    rows.sort_by(|a, b| (a.severity, &a.id).cmp(&(b.severity, &b.id)));
    rows
}

fn row(control: &ControlPosture, known: &BTreeMap<&str, &ControlStatus>, now: &Time) -> ControlStatus {
    let before = known
        .get(control.control.id)
        .filter(|before| before.result == control.result);
    let since = before
        .and_then(|before| before.since.clone())
        .unwrap_or_else(|| now.clone());
    ControlStatus {
        id: control.control.id.to_owned(),
        title: control.control.title.to_owned(),
        severity: control.severity,
        result: control.result,
        reason: control.reason.clone(),
        message: clip(&control.message, MAX_MESSAGE),
        findings: count(control.findings),
        waived: count(control.waived),
        since: Some(since),
    }
}

/// The rows of a report by control id.
pub(super) fn rows_by_id(report: Option<&ReportStatus>) -> BTreeMap<&str, &ControlStatus> {
    let rows = report.map_or(&[][..], |report| &report.controls);
    rows.iter().map(|row| (row.id.as_str(), row)).collect()
}

/// Newest first: one entry for every control whose result changed, then what was known.
fn history(posture: &PolicyPosture, previous: Option<&ReportStatus>, now: &Time) -> Vec<Change> {
    let known = rows_by_id(previous);
    let mut changed: Vec<&ControlPosture> = posture
        .controls
        .iter()
        .filter(|control| is_change(control, &known))
        .collect();
    changed.sort_by_key(|control| (control.severity, control.control.id));
    let fresh = changed
        .into_iter()
        .map(|control| change(control, posture, previous, &known, now));
    let old = previous
        .map_or(&[][..], |previous| &previous.history)
        .iter()
        .cloned();
    let most = usize::try_from(posture.policy.spec.report.history).unwrap_or(1);
    fresh.chain(old).take(most).collect()
}

/// A control that is seen for the first time is news only when it is bad.
fn is_change(control: &ControlPosture, known: &BTreeMap<&str, &ControlStatus>) -> bool {
    match known.get(control.control.id) {
        Some(before) => before.result != control.result,
        None => matches!(control.result, ControlResult::Fail | ControlResult::Unknown),
    }
}

fn change(
    control: &ControlPosture,
    posture: &PolicyPosture,
    previous: Option<&ReportStatus>,
    known: &BTreeMap<&str, &ControlStatus>,
    now: &Time,
) -> Change {
    let id = control.control.id;
    let from = known.get(id).map(|before| before.result);
    let has_failed = matches!(from, Some(ControlResult::Fail | ControlResult::Waived));
    let cause = cause(control, posture, previous, has_failed);
    Change {
        time: now.clone(),
        control: id.to_owned(),
        from,
        to: control.result,
        resource: cause.resource,
        manager: cause
            .author
            .map(|author| bounded(&author.manager))
            .unwrap_or_default(),
        applied_by: cause.author.and_then(|author| author.applied_by.clone()),
        waiver: cause.waiver,
    }
}

/// What a control's result changed with.
#[derive(Default)]
struct Cause<'a> {
    resource: Option<ResourceRef>,
    author: Option<&'a Author>,
    waiver: String,
}

fn cause<'a>(
    control: &'a ControlPosture,
    posture: &'a PolicyPosture,
    previous: Option<&ReportStatus>,
    has_failed: bool,
) -> Cause<'a> {
    let id = control.control.id;
    let known = previous.map_or(&[][..], |previous| &previous.findings);
    let mut known = known.iter().filter(|finding| finding.control == id);
    if let Some(failing) = first_failing(&posture.findings, id) {
        let finding = &failing.finding;
        let before = known.find(|before| identity(before) == identity(finding));
        let waiver = match before {
            Some(before) if !finding.is_waived() => &before.waiver,
            _ => &finding.waiver,
        };
        // Of one that a report has left out nobody knows whether it was waived.
        let is_new = before.is_none() && previous.is_none_or(|previous| previous.truncated_findings == 0);
        return Cause {
            resource: Some(finding.resource.clone()),
            author: failing.author.as_deref().filter(|_| is_new && waiver.is_empty()),
            waiver: waiver.clone(),
        };
    }
    // What is not seen any more is not resolved.
    let resolved = control.resolved.as_deref();
    let resolved = resolved.filter(|_| has_failed && control.result != ControlResult::Unknown);
    let resource = match resolved {
        Some(resolved) => Some(&resolved.resource),
        None => known.next().map(|before| &before.resource),
    };
    Cause {
        resource: resource.cloned(),
        author: resolved.and_then(|resolved| resolved.author.as_deref()),
        waiver: String::new(),
    }
}

/// The tenant that a namespace belongs to. In manifests a label may be anything.
fn tenant(posture: &PolicyPosture, namespace: &str) -> String {
    bounded(posture.tenants.of(namespace))
}

fn namespace_totals(posture: &PolicyPosture) -> Vec<NamespaceTotals> {
    let mut by_name: BTreeMap<&str, SeverityCounts> = BTreeMap::new();
    for finding in posture.findings.iter().map(|it| &it.finding) {
        if !finding.resource.home().is_empty() && !finding.is_waived() {
            by_name
                .entry(finding.resource.home())
                .or_default()
                .add(finding.severity);
        }
    }
    let mut totals: Vec<NamespaceTotals> = by_name
        .into_iter()
        .map(|(name, failing)| NamespaceTotals {
            name: name.to_owned(),
            tenant: tenant(posture, name),
            failing,
        })
        .collect();
    let badness = |it: &NamespaceTotals| {
        let it = it.failing;
        [it.critical, it.high, it.medium, it.low, it.info]
    };
    totals.sort_by(|a, b| badness(b).cmp(&badness(a)).then_with(|| a.name.cmp(&b.name)));
    totals.truncate(MAX_NAMESPACES);
    totals
}

/// The installations that fit, in order.
fn bounded_installations(installations: &[Installation]) -> Vec<Installation> {
    let mut room = INSTALLATION_BYTES;
    let fits = |installation: &&Installation| spend(&mut room, size_of(installation));
    installations.iter().take_while(fits).cloned().collect()
}

/// The findings that fit, the worst first, and how many do not.
fn bounded_findings<'a>(
    findings: impl Iterator<Item = &'a Finding>,
    total: usize,
    most: usize,
    mut room: usize,
) -> (Vec<Finding>, i32) {
    let fits = |finding: &&Finding| spend(&mut room, size_of(finding));
    let kept: Vec<Finding> = findings.take(most).take_while(fits).cloned().collect();
    let left_out = count(total - kept.len());
    (kept, left_out)
}

/// Takes the bytes of one element and its comma out of what is left; false when they do not fit.
fn spend(room: &mut usize, bytes: usize) -> bool {
    let Some(left) = room.checked_sub(bytes + 1) else {
        return false;
    };
    *room = left;
    true
}

/// The namespace reports of a policy, by namespace. An invalid or suspended policy leaves them as they are.
#[must_use]
pub fn namespace_reports(
    posture: &PolicyPosture,
    previous: &BTreeMap<String, NamespaceReportStatus>,
    now: Timestamp,
) -> BTreeMap<String, NamespaceReportStatus> {
    let news = namespace_news(posture, previous, now).into_iter();
    news.filter_map(|(name, next)| {
        let report = next.or_else(|| previous.get(name).cloned())?;
        Some((name.to_owned(), report))
    })
    .collect()
}

/// The namespace reports that there are to be. `None`: it is to stay as it is, as all do of an invalid or a suspended
/// policy.
pub(crate) fn namespace_news<'a>(
    posture: &'a PolicyPosture,
    previous: &'a BTreeMap<String, NamespaceReportStatus>,
    now: Timestamp,
) -> BTreeMap<&'a str, Option<NamespaceReportStatus>> {
    if !is_audited(posture) {
        return previous.keys().map(|name| (name.as_str(), None)).collect();
    }
    let now = whole_seconds(now);
    let mut by_namespace: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in posture.findings.iter().map(|it| &it.finding) {
        if !finding.resource.home().is_empty() {
            by_namespace
                .entry(finding.resource.home())
                .or_default()
                .push(finding);
        }
    }
    by_namespace
        .into_iter()
        .map(|(name, findings)| {
            let next = next_report(posture, name, &findings, previous.get(name), &now);
            (name, next)
        })
        .collect()
}

fn next_report(
    posture: &PolicyPosture,
    namespace: &str,
    findings: &[&Finding],
    previous: Option<&NamespaceReportStatus>,
    now: &Time,
) -> Option<NamespaceReportStatus> {
    let mut report = bare_namespace_report(posture, namespace, findings, previous, now);
    // A change touches few of them. What the others say is not copied to see that it is the same.
    if previous.is_some_and(|previous| says(previous, &report, findings)) {
        return None;
    }
    let room = (MAX_OBJECT_BYTES - METADATA_BYTES).saturating_sub(size_of(&report));
    (report.findings, report.truncated_findings) =
        bounded_findings(findings.iter().copied(), findings.len(), usize::MAX, room);
    (previous != Some(&report)).then_some(report)
}

/// Whether a report says what a bare one does, and all of these findings.
fn says(report: &NamespaceReportStatus, bare: &NamespaceReportStatus, findings: &[&Finding]) -> bool {
    report.policy == bare.policy
        && report.tenant == bare.tenant
        && report.summary == bare.summary
        && report.conditions == bare.conditions
        && report.truncated_findings == 0
        && report.findings.iter().eq(findings.iter().copied())
}

/// A namespace report without its findings.
fn bare_namespace_report(
    posture: &PolicyPosture,
    namespace: &str,
    findings: &[&Finding],
    previous: Option<&NamespaceReportStatus>,
    now: &Time,
) -> NamespaceReportStatus {
    let mut failing = SeverityCounts::default();
    let counts = || findings.iter().filter(|finding| !finding.is_waived());
    for finding in counts() {
        failing.add(finding.severity);
    }
    let known = previous.map_or(&[][..], |previous| &previous.conditions);
    // No generation: a change of the policy that changes nothing here is no reason to write hundreds of objects.
    let conditions = Conditions {
        known,
        generation: 0,
        now,
    };
    NamespaceReportStatus {
        policy: posture.name.clone(),
        tenant: tenant(posture, namespace),
        summary: NamespaceSummary {
            findings: count(counts().count()),
            waived: count(findings.len() - counts().count()),
            failing,
        },
        findings: Vec::new(),
        truncated_findings: 0,
        conditions: vec![conditions.make(
            READY,
            "True",
            "Published",
            "the findings of this namespace are published",
        )],
    }
}

/// Why something is not published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hindrance {
    /// One CamelCase word.
    pub reason: &'static str,
    /// What the API server says, or what is missing.
    pub message: String,
}

impl Hindrance {
    /// The same of something that is named.
    #[must_use]
    pub fn of(&self, what: &str) -> Self {
        Self {
            reason: self.reason,
            message: format!("{what}: {}", self.message),
        }
    }
}

/// What of a policy is not published.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hindrances {
    /// Of the report.
    pub report: Option<Hindrance>,
    /// Of all else; `None`: nobody has tried as yet.
    pub outputs: Option<Vec<Hindrance>>,
}

/// The status of a policy. What an invalid or suspended policy said about compliance stays.
#[must_use]
pub fn policy_status(
    posture: &PolicyPosture,
    previous: Option<&FluxSecurityPolicyStatus>,
    hindrances: &Hindrances,
    now: Timestamp,
) -> FluxSecurityPolicyStatus {
    let now = whole_seconds(now);
    let known = previous.map_or(&[][..], |previous| &previous.conditions);
    let conditions = Conditions {
        known,
        generation: posture.policy.generation,
        now: &now,
    };
    let suspended = posture.policy.spec.suspend;
    let handled = match previous {
        Some(previous) if suspended => previous.last_handled_reconcile_at.clone(),
        _ => posture.policy.requested_at.clone(),
    };
    let (ready, stalled) = match &posture.invalid {
        Some(invalid) => (
            conditions.make(READY, "False", "PolicyInvalid", invalid),
            conditions.make(STALLED, "True", "PolicyInvalid", invalid),
        ),
        None if suspended => (
            conditions.make(
                READY,
                "True",
                "Suspended",
                "suspended: the published report stays as it is",
            ),
            conditions.make(STALLED, "False", "PolicyValid", "the spec is valid"),
        ),
        None => (
            match &hindrances.report {
                None => conditions.make(READY, "True", "Published", PUBLISHED),
                Some(hindrance) => {
                    let message = hindrance.of("the report is not written").message;
                    conditions.make(READY, "False", "ReportNotWritten", &message)
                }
            },
            conditions.make(STALLED, "False", "PolicyValid", "the spec is valid"),
        ),
    };
    let reconciling = if ready.reason == "ReportNotWritten" {
        conditions.make(
            RECONCILING,
            "True",
            "Retrying",
            "the report is written as soon as it can be",
        )
    } else {
        conditions.make(RECONCILING, "False", "Settled", "no audit is under way")
    };
    let compliance = policy_compliance(posture, &conditions);
    let outputs = outputs_ready(&conditions, hindrances.outputs.as_deref());
    FluxSecurityPolicyStatus {
        observed_generation: posture.policy.generation,
        conditions: [ready, reconciling, stalled, compliance]
            .into_iter()
            .chain(outputs)
            .collect(),
        last_handled_reconcile_at: handled,
    }
}

/// `None`: everything is delivered. Until it is tried, what was said stays.
fn outputs_ready(conditions: &Conditions<'_>, hindrances: Option<&[Hindrance]>) -> Option<Condition> {
    let Some(hindrances) = hindrances else {
        return find(conditions.known, OUTPUTS_READY).cloned();
    };
    let first = hindrances.first()?;
    let messages: Vec<&str> = hindrances.iter().map(|it| &*it.message).collect();
    Some(conditions.make(OUTPUTS_READY, "False", first.reason, &messages.join("; ")))
}

fn policy_compliance(posture: &PolicyPosture, conditions: &Conditions<'_>) -> Condition {
    if is_audited(posture) {
        let compliance = compliance(posture);
        return conditions.make(
            COMPLIANT,
            compliance.status,
            compliance.reason,
            &compliance.message,
        );
    }
    match find(conditions.known, COMPLIANT) {
        Some(known) => known.clone(),
        None => conditions.make(
            COMPLIANT,
            "Unknown",
            "NotAudited",
            "this policy has not been audited yet",
        ),
    }
}

/// The condition of a type.
#[must_use]
pub fn find<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == type_)
}

/// Makes conditions that remember since when their status holds.
pub(super) struct Conditions<'a> {
    pub(super) known: &'a [Condition],
    pub(super) generation: i64,
    pub(super) now: &'a Time,
}

impl Conditions<'_> {
    pub(super) fn make(&self, type_: &str, status: &str, reason: &str, message: &str) -> Condition {
        let before = find(self.known, type_).filter(|before| before.status == status);
        Condition {
            type_: type_.to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
            message: clip(message, MAX_MESSAGE),
            last_transition_time: before
                .map_or_else(|| self.now.clone(), |before| before.last_transition_time.clone()),
            observed_generation: (self.generation > 0).then_some(self.generation),
        }
    }
}

/// Cuts a text to so many bytes, at a character boundary.
pub(super) fn clip(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let mut end = most.saturating_sub('…'.len_utf8());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}

/// Kubernetes keeps whole seconds; anything finer would differ from what is read back.
pub(super) fn whole_seconds(now: Timestamp) -> Time {
    Time(Timestamp::from_second(now.as_second()).unwrap_or(now))
}

/// How long a value is as JSON.
fn size_of(value: &impl Serialize) -> usize {
    let mut size = Size(0);
    serde_json::to_writer(&mut size, value).map_or(usize::MAX / 2, |()| size.0)
}

/// Counts what is written.
struct Size(usize);

impl std::io::Write for Size {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

pub(super) fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::api::Severity;
    use crate::engine::{Findings, Resolved};
    use crate::render::fixture::{at, control, failing, posture};
    use crate::render::table::{Options, table};

    #[test]
    fn the_score_weighs_passing_and_failing_controls_only() {
        let posture = posture(vec![
            control(0, Severity::Critical, ControlResult::Pass),
            control(1, Severity::High, ControlResult::Fail),
            control(2, Severity::Medium, ControlResult::Unknown),
            control(3, Severity::Low, ControlResult::NotApplicable),
            control(4, Severity::High, ControlResult::Waived),
        ]);
        let summary = summary(&posture);
        assert_eq!((summary.score, summary.coverage), (66, 75));
        assert_eq!((summary.pass, summary.fail, summary.unknown), (1, 1, 1));
        assert_eq!(
            (summary.not_applicable, summary.waived, summary.failing.high),
            (1, 1, 1)
        );
    }

    #[test]
    fn nothing_to_weigh_scores_100() {
        let summary = summary(&posture(Vec::new()));
        assert_eq!((summary.score, summary.coverage), (100, 100));
    }

    #[test]
    fn nothing_changes_when_nothing_changed() {
        let posture = failing(&["a", "b"]);
        let first = report(&posture, None, at(100));
        let second = report(&posture, Some(&first), at(5000));
        assert_eq!(first, second);
        let namespaces = namespace_reports(&posture, &BTreeMap::new(), at(100));
        assert_eq!(namespaces, namespace_reports(&posture, &namespaces, at(5000)));
        let status = policy_status(&posture, None, &Hindrances::default(), at(100));
        assert_eq!(
            status,
            policy_status(&posture, Some(&status), &Hindrances::default(), at(5000))
        );
    }

    #[test]
    fn old_data_is_told_once() {
        let posture = failing(&["a"]);
        let end: Timestamp = format!("{}T00:00:00Z", advisories().date).parse().unwrap();
        let day = |day: i64| at(end.as_second() + day * 24 * 60 * 60);
        let current = report(&posture, None, day(CURRENT_DAYS));
        assert_eq!(reservation(&current), None);
        let old = report(&posture, Some(&current), day(CURRENT_DAYS + 1));
        let note = reservation(&old).unwrap();
        assert!(
            note.contains(&advisories().date) && note.contains("upgrade"),
            "{note}"
        );
        let options = Options {
            wide: false,
            colour: false,
            show_passing: false,
        };
        assert!(!table(&current, options).contains("Note: "));
        assert!(table(&old, options).contains("Note: versions are judged by what was known on "));
        let ready = |report: &ReportStatus| find(&report.conditions, READY).unwrap().clone();
        assert_eq!(ready(&old).status, "True");
        assert_eq!(
            ready(&old).last_transition_time,
            ready(&current).last_transition_time
        );
        assert_eq!(report(&posture, Some(&old), day(CURRENT_DAYS + 500)), old);
    }

    #[test]
    fn a_report_survives_the_wire() {
        let first = report(&failing(&["a"]), None, at(100));
        let wire = serde_json::to_string(&first).unwrap();
        assert_eq!(first, serde_json::from_str::<ReportStatus>(&wire).unwrap());
    }

    #[test]
    fn since_is_kept_until_the_result_changes() {
        let mut posture = posture(vec![
            control(0, Severity::High, ControlResult::Pass),
            control(1, Severity::High, ControlResult::Pass),
        ]);
        let first = report(&posture, None, at(100));
        assert!(first.history.is_empty());
        posture.controls[1].result = ControlResult::Fail;
        let second = report(&posture, Some(&first), at(200));
        assert_eq!(second.controls[0].since, first.controls[0].since);
        assert_eq!(second.controls[1].since, Some(Time(at(200))));
        assert_eq!(second.history.len(), 1);
        assert_eq!(second.history[0].from, Some(ControlResult::Pass));
        assert_eq!(find(&second.conditions, COMPLIANT).unwrap().status, "False");
        assert_eq!(find(&second.conditions, READY), find(&first.conditions, READY));
    }

    /// A report as it comes back after each change of results.
    fn followed(posture: &PolicyPosture, previous: Option<&ReportStatus>, second: i64) -> ReportStatus {
        let report = report(posture, previous, at(second));
        let wire = serde_json::to_string(&report).unwrap();
        let read: ReportStatus = serde_json::from_str(&wire).unwrap();
        assert_eq!(read, report);
        read
    }

    fn author(manager: &str) -> Arc<Author> {
        let applied_by = (manager == "kustomize-controller").then(|| crate::api::ResourceRef {
            api_version: "kustomize.toolkit.fluxcd.io/v1".to_owned(),
            kind: "Kustomization".to_owned(),
            namespace: "flux-system".to_owned(),
            name: "apps".to_owned(),
        });
        let manager = manager.to_owned();
        Arc::new(Author { manager, applied_by })
    }

    #[test]
    fn the_history_tells_who_and_by_which_waiver() {
        use ControlResult::{Fail, Pass, Waived};
        let mut bad = failing(&["a"]);
        bad.findings
            .edit(|all| Arc::make_mut(&mut all[0]).author = Some(author("kubectl-edit")));
        let mut good = posture(vec![control(0, Severity::High, Pass)]);
        let resource = bad.findings.iter().next().unwrap().finding.resource.clone();
        good.controls[0].resolved = Some(Arc::new(Resolved {
            resource: resource.clone(),
            author: Some(author("kustomize-controller")),
        }));
        let mut waived = bad.clone();
        waived.controls[0].result = Waived;
        waived
            .findings
            .edit(|all| "w".clone_into(&mut Arc::make_mut(&mut all[0]).finding.waiver));

        let mut last = followed(&posture(vec![control(0, Severity::High, Pass)]), None, 1);
        let steps = [
            (&bad, Some(Pass), "kubectl-edit", ""),
            (&waived, Some(Fail), "", "w"),
            (&bad, Some(Waived), "", "w"),
            (&good, Some(Fail), "kustomize-controller", ""),
        ];
        for (second, (posture, from, manager, waiver)) in (2..).zip(steps) {
            last = followed(posture, Some(&last), second);
            let change = &last.history[0];
            assert_eq!((change.from, change.to), (from, posture.controls[0].result));
            assert_eq!(
                (change.manager.as_str(), change.waiver.as_str()),
                (manager, waiver)
            );
            assert_eq!(change.resource.as_ref(), Some(&resource));
            let applied = change.applied_by.as_ref().map(|it| it.name.as_str());
            assert_eq!(applied, (manager == "kustomize-controller").then_some("apps"));
            assert_eq!(
                report(posture, Some(&last), at(100)),
                last,
                "no write without a change"
            );
        }
        assert_eq!(last.history.len(), 4);
    }

    #[test]
    fn what_hinders_an_output_is_no_matter_of_readiness() {
        let posture = failing(&["a"]);
        let hindrance = |reason, message: &str| Hindrance {
            reason,
            message: message.to_owned(),
        };
        let of_outputs = |outputs| Hindrances {
            report: None,
            outputs,
        };
        let is_ready = |status: &FluxSecurityPolicyStatus| {
            let of = |type_| find(&status.conditions, type_).unwrap().status.clone();
            (of(READY), of(RECONCILING))
        };
        let yes = ("True".to_owned(), "False".to_owned());

        let refused = vec![
            hindrance("SinkForbidden", "Events are not sent: no right"),
            hindrance("SinkMissing", "no kind"),
        ];
        let hindered = policy_status(&posture, None, &of_outputs(Some(refused)), at(100));
        let told = find(&hindered.conditions, OUTPUTS_READY).unwrap();
        assert_eq!((&*told.status, &*told.reason), ("False", "SinkForbidden"));
        assert_eq!(told.message, "Events are not sent: no right; no kind");
        assert_eq!(is_ready(&hindered), yes);
        // Whoever has not tried yet says nothing new.
        let next = policy_status(&posture, Some(&hindered), &of_outputs(None), at(200));
        assert_eq!(next, hindered, "no write without a change");
        let delivered = policy_status(&posture, Some(&hindered), &of_outputs(Some(Vec::new())), at(300));
        assert_eq!(find(&delivered.conditions, OUTPUTS_READY), None);

        let hindrances = Hindrances {
            report: Some(hindrance("SinkForbidden", "no right")),
            outputs: None,
        };
        let unwritten = policy_status(&posture, Some(&delivered), &hindrances, at(400));
        let ready = find(&unwritten.conditions, READY).unwrap();
        assert_eq!(ready.reason, "ReportNotWritten");
        assert_eq!(ready.message, "the report is not written: no right");
        assert_eq!(is_ready(&unwritten), ("False".to_owned(), "True".to_owned()));
        let written = policy_status(&posture, Some(&unwritten), &of_outputs(None), at(500));
        assert_eq!(is_ready(&written), yes);
    }

    #[test]
    fn the_history_has_a_bound_and_keeps_the_newest() {
        let mut bad = failing(&["a"]);
        bad.policy.spec.report.history = 3;
        let mut good = bad.clone();
        good.findings = Findings::default();
        good.controls[0].result = ControlResult::Pass;
        let mut last = None;
        for second in 1..10 {
            let posture = if second % 2 == 0 { &bad } else { &good };
            last = Some(report(posture, last.as_ref(), at(second)));
        }
        let history = last.unwrap().history;
        let seconds: Vec<i64> = history.iter().map(|change| change.time.0.as_second()).collect();
        assert_eq!(seconds, [9, 8, 7]);
        assert!(
            history.iter().all(|change| change.manager.is_empty()),
            "nobody knows"
        );
    }

    #[test]
    fn a_report_stays_below_its_bound_with_exact_totals() {
        let names: Vec<String> = (0..5000).map(|number| format!("tenant-{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut posture = failing(&names);
        posture.policy.spec.report.max_findings = 1000;
        posture.findings.edit(|findings| {
            for finding in findings {
                Arc::make_mut(finding).finding.observed = "\u{1}".repeat(200);
            }
        });
        let report = report(&posture, None, at(100));
        assert!(serde_json::to_vec(&report).unwrap().len() <= MAX_OBJECT_BYTES - METADATA_BYTES + 2);
        assert!(!report.findings.is_empty() && report.findings.len() < 1000);
        assert_eq!(report.summary.findings, 5000);
        assert_eq!(count(report.findings.len()) + report.truncated_findings, 5000);
        assert_eq!(report.namespaces.len(), MAX_NAMESPACES);
        let kept: Vec<&Finding> = posture
            .findings
            .iter()
            .map(|it| &it.finding)
            .take(report.findings.len())
            .collect();
        assert_eq!(report.findings.iter().collect::<Vec<_>>(), kept);
    }

    #[test]
    fn an_invalid_or_suspended_policy_leaves_the_report() {
        let mut posture = failing(&["a"]);
        let first = report(&posture, None, at(100));
        let namespaces = namespace_reports(&posture, &BTreeMap::new(), at(100));
        posture.invalid = Some("spec.controls[0].id: there is no control".to_owned());
        posture.findings = Findings::default();
        assert_eq!(report(&posture, Some(&first), at(200)), first);
        assert_eq!(namespace_reports(&posture, &namespaces, at(200)), namespaces);
        let status = policy_status(&posture, None, &Hindrances::default(), at(200));
        assert_eq!(find(&status.conditions, STALLED).unwrap().status, "True");
        posture.invalid = None;
        posture.policy.spec.suspend = true;
        assert_eq!(report(&posture, Some(&first), at(200)), first);
        let status = policy_status(&posture, Some(&status), &Hindrances::default(), at(300));
        assert_eq!(find(&status.conditions, READY).unwrap().reason, "Suspended");
        assert_eq!(find(&status.conditions, STALLED).unwrap().status, "False");
    }

    #[test]
    fn what_could_not_be_judged_is_neither_complete_nor_compliant() {
        let report = report(
            &posture(vec![control(0, Severity::High, ControlResult::Unknown)]),
            None,
            at(1),
        );
        assert_eq!(find(&report.conditions, COMPLETE).unwrap().status, "False");
        assert_eq!(find(&report.conditions, COMPLIANT).unwrap().status, "Unknown");
    }
}
