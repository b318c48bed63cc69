//! Events: what changed between the report that is published and the one that is about to be.
//!
//! Transitions come from the published report, not from memory, and names follow from the transition alone. So a
//! restart repeats nothing, and a crash between the Events and the report repeats only names that exist already.

use std::collections::BTreeSet;

use super::report::{COMPLIANT, STALLED, clip, find, is_audited, rows_by_id};
use crate::api::digest::digest;
use crate::api::{
    ControlResult, ControlStatus, Finding, FluxSecurityPolicyStatus, GROUP, ReportStatus, ResourceRef,
    Severity, VERSION,
};
use crate::engine::posture::{first_failing, policy_reference};
use crate::engine::{FindingPosture, PolicyPosture};

/// Events on single objects per change; the rest is summed up.
const MAX_FINDING_NOTICES: usize = 20;
/// The API server takes less than 1024 bytes.
pub(super) const MAX_NOTE: usize = 1023;
pub(super) const ACTION: &str = "Audit";

/// `type` of an Event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeType {
    /// Good news.
    Normal,
    /// Bad news.
    Warning,
}

impl NoticeType {
    /// The word in Events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

/// An object that an Event is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// Which.
    pub resource: ResourceRef,
    /// Its unique id; empty when it is not known here.
    pub uid: String,
}

/// An Event that is to be posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Name of the Event; the same transition has the same name.
    pub name: String,
    /// Normal or Warning.
    pub r#type: NoticeType,
    /// One CamelCase word.
    pub reason: &'static str,
    /// The object that it is about. The report's unique id is left to the publisher.
    pub regarding: Subject,
    /// The object that caused it.
    pub related: Option<Subject>,
    /// How bad what it tells of is, where that has a severity.
    pub severity: Option<Severity>,
    /// One sentence, at most 1023 bytes.
    pub note: String,
    /// What the operator did.
    pub action: &'static str,
}

/// The object reference of a policy's report.
#[must_use]
pub fn report_reference(policy: &str) -> ResourceRef {
    ResourceRef {
        api_version: format!("{GROUP}/{VERSION}"),
        kind: "FluxSecurityReport".to_owned(),
        namespace: String::new(),
        name: policy.to_owned(),
    }
}

/// What changed from one report to the next, in the order: posture, controls, findings.
///
/// `policy_uid` seeds the names: whatever else tells one transition from another of the same shape may be part of it.
#[must_use]
pub fn transitions(
    policy_name: &str,
    policy_uid: &str,
    previous: Option<&ReportStatus>,
    next: &ReportStatus,
    posture: &PolicyPosture,
) -> Vec<Notice> {
    if !is_audited(posture) {
        return Vec::new();
    }
    let scene = Scene {
        policy_name,
        policy_uid,
        previous,
        next,
        posture,
    };
    let mut notices = Vec::new();
    notices.extend(scene.posture_notice());
    notices.extend(scene.control_notices());
    notices.extend(scene.finding_notices());
    notices
}

/// The Event on an invalid policy, unless its status says so already.
#[must_use]
pub fn policy_invalid(
    posture: &PolicyPosture,
    previous: Option<&FluxSecurityPolicyStatus>,
) -> Option<Notice> {
    let invalid = posture.invalid.as_ref()?;
    let known = previous.and_then(|status| find(&status.conditions, STALLED));
    let told =
        known.is_some_and(|known| known.status == "True" && known.message == clip(invalid, MAX_NOTE + 1));
    if told {
        return None;
    }
    let generation = posture.policy.generation.to_string();
    Some(Notice {
        name: name(&[&posture.policy.uid, "PolicyInvalid", &generation, invalid]),
        r#type: NoticeType::Warning,
        reason: "PolicyInvalid",
        regarding: Subject {
            resource: policy_reference(&posture.name),
            uid: posture.policy.uid.clone(),
        },
        related: None,
        severity: None,
        note: clip(invalid, MAX_NOTE),
        action: ACTION,
    })
}

/// An Event that is never made: by it the publisher learns whether others would be taken.
#[must_use]
pub fn rehearsal(posture: &PolicyPosture) -> Notice {
    Notice {
        name: name(&[&posture.policy.uid, "Rehearsal"]),
        r#type: NoticeType::Normal,
        reason: "Rehearsal",
        regarding: Subject {
            resource: policy_reference(&posture.name),
            uid: posture.policy.uid.clone(),
        },
        related: None,
        severity: None,
        note: "Events are taken".to_owned(),
        action: ACTION,
    }
}

struct Scene<'a> {
    policy_name: &'a str,
    policy_uid: &'a str,
    previous: Option<&'a ReportStatus>,
    next: &'a ReportStatus,
    posture: &'a PolicyPosture,
}

impl Scene<'_> {
    fn posture_notice(&self) -> Option<Notice> {
        let after = find(&self.next.conditions, COMPLIANT)?;
        let before = self
            .previous
            .and_then(|previous| find(&previous.conditions, COMPLIANT));
        if before.is_some_and(|before| before.status == after.status) {
            return None;
        }
        let (r#type, reason) = match after.status.as_str() {
            "True" => (NoticeType::Normal, "PostureCompliant"),
            "False" => (NoticeType::Warning, "PostureDrifted"),
            _ => return None,
        };
        let since = before
            .map(|before| before.last_transition_time.0.to_string())
            .unwrap_or_default();
        let note = format!("policy {}: {}", self.policy_name, after.message);
        Some(self.on_report(&[reason, &after.status, &since], r#type, reason, None, &note))
    }

    fn control_notices(&self) -> Vec<Notice> {
        let known = rows_by_id(self.previous);
        let rows = self.next.controls.iter();
        rows.filter_map(|row| self.control_notice(row, known.get(row.id.as_str()).copied()))
            .collect()
    }

    fn control_notice(&self, after: &ControlStatus, before: Option<&ControlStatus>) -> Option<Notice> {
        let from = before.map(|before| before.result);
        if from == Some(after.result) {
            return None;
        }
        let was_bad = matches!(
            from,
            Some(ControlResult::Fail | ControlResult::Unknown | ControlResult::Waived)
        );
        let (r#type, reason) = match after.result {
            ControlResult::Fail => (NoticeType::Warning, "ControlFailed"),
            ControlResult::Unknown => (NoticeType::Warning, "ControlUnknown"),
            // An accepted risk is no recovery.
            ControlResult::Waived => return None,
            _ if was_bad => (NoticeType::Normal, "ControlRecovered"),
            _ => return None,
        };
        let since = before
            .and_then(|before| before.since.as_ref())
            .map(|since| since.0.to_string());
        let related = first_failing(&self.posture.findings, &after.id).map(subject);
        let key = [
            reason,
            &after.id,
            after.result.as_str(),
            &since.unwrap_or_default(),
        ];
        let note = format!(
            "{} ({}) is {}: {}",
            after.id, after.severity, after.result, after.message
        );
        Some(Notice {
            severity: Some(after.severity),
            ..self.on_report(&key, r#type, reason, related, &note)
        })
    }

    fn finding_notices(&self) -> Vec<Notice> {
        let detected = self.detected();
        let resolved = self.resolved();
        let first_detected = detected.iter().take(MAX_FINDING_NOTICES);
        let first_resolved = resolved
            .iter()
            .take(MAX_FINDING_NOTICES.saturating_sub(detected.len()));
        let mut notices: Vec<Notice> = first_detected
            .map(|finding| self.detected_notice(finding))
            .collect();
        notices.extend(first_resolved.map(|finding| self.resolved_notice(finding)));
        let shown_detected = detected.len().min(MAX_FINDING_NOTICES);
        let rest_detected = detected.len() - shown_detected;
        let rest_resolved = resolved.len() - (notices.len() - shown_detected);
        notices.extend(self.rest_notice(rest_detected, rest_resolved));
        notices
    }

    /// Findings that count, and that the published report would list had they counted.
    ///
    /// A report that is cut off says nothing about what sorts behind its last finding.
    fn detected(&self) -> Vec<&FindingPosture> {
        let before = self.previous.map_or(&[][..], |previous| &previous.findings);
        let cut_off = self
            .previous
            .is_some_and(|previous| previous.truncated_findings > 0);
        let counted = before.iter().filter(|finding| !finding.is_waived());
        let known: BTreeSet<_> = counted.map(identity).collect();
        let visible = |finding: &Finding| !cut_off || before.last().is_some_and(|last| finding < last);
        let findings = self.posture.findings.iter().map(|it| &**it);
        findings
            .filter(|it| !it.finding.is_waived())
            .filter(|it| !known.contains(&identity(&it.finding)) && visible(&it.finding))
            .collect()
    }

    /// A waiver resolves nothing.
    fn resolved(&self) -> Vec<&Finding> {
        let known: BTreeSet<_> = self
            .posture
            .findings
            .iter()
            .map(|it| identity(&it.finding))
            .collect();
        let before = self.previous.map_or(&[][..], |previous| &previous.findings);
        before
            .iter()
            .filter(|finding| !known.contains(&identity(finding)))
            .collect()
    }

    fn detected_notice(&self, detected: &FindingPosture) -> Notice {
        let finding = &detected.finding;
        let note = format!("{} ({}): {}", finding.control, finding.severity, finding.message);
        self.on_object(
            "FindingDetected",
            NoticeType::Warning,
            finding,
            detected.uid.clone(),
            &note,
        )
    }

    fn resolved_notice(&self, finding: &Finding) -> Notice {
        let note = format!(
            "{} ({}) is resolved: {} complies or is gone",
            finding.control, finding.severity, finding.resource
        );
        let known = self
            .posture
            .findings
            .iter()
            .find(|it| it.finding.resource.identity() == finding.resource.identity());
        let uid = known.map(|known| known.uid.clone()).unwrap_or_default();
        self.on_object("FindingResolved", NoticeType::Normal, finding, uid, &note)
    }

    fn rest_notice(&self, detected: usize, resolved: usize) -> Option<Notice> {
        let (r#type, reason) = match (detected, resolved) {
            (0, 0) => return None,
            (0, _) => (NoticeType::Normal, "FindingResolved"),
            _ => (NoticeType::Warning, "FindingDetected"),
        };
        let note = match (detected, resolved) {
            (detected, 0) => format!("{detected} more findings were detected; the report lists them"),
            (0, resolved) => format!("{resolved} more findings were resolved"),
            _ => format!("{detected} more findings were detected and {resolved} more were resolved"),
        };
        let counts = format!("{detected}/{resolved}");
        Some(self.on_report(
            &[reason, "rest", &counts, &self.last_change()],
            r#type,
            reason,
            None,
            &note,
        ))
    }

    fn on_object(
        &self,
        reason: &'static str,
        r#type: NoticeType,
        finding: &Finding,
        uid: String,
        note: &str,
    ) -> Notice {
        let known = rows_by_id(self.previous);
        let since = known
            .get(finding.control.as_str())
            .and_then(|row| row.since.as_ref());
        let since = since.map(|since| since.0.to_string()).unwrap_or_default();
        let resource = &finding.resource;
        let [group, kind, namespace, object] = resource.identity();
        let key = [
            self.policy_uid,
            reason,
            &finding.control,
            group,
            kind,
            namespace,
            object,
            &finding.location.container,
            &since,
            &self.last_change(),
            self.waiver_of(finding),
        ];
        Notice {
            name: name(&key),
            r#type,
            reason,
            regarding: Subject {
                resource: resource.clone(),
                uid,
            },
            related: Some(Subject {
                resource: report_reference(self.policy_name),
                uid: String::new(),
            }),
            severity: Some(finding.severity),
            note: clip(note, MAX_NOTE),
            action: ACTION,
        }
    }

    fn on_report(
        &self,
        key: &[&str],
        r#type: NoticeType,
        reason: &'static str,
        related: Option<Subject>,
        note: &str,
    ) -> Notice {
        let mut parts = vec![self.policy_uid];
        parts.extend(key);
        Notice {
            name: name(&parts),
            r#type,
            reason,
            regarding: Subject {
                resource: report_reference(self.policy_name),
                uid: String::new(),
            },
            related,
            severity: None,
            note: clip(note, MAX_NOTE),
            action: ACTION,
        }
    }

    /// The waiver that covered a finding until now; empty when none did.
    fn waiver_of(&self, finding: &Finding) -> &str {
        let before = self.previous.map_or(&[][..], |previous| &previous.findings);
        let mut same = before.iter().filter(|it| identity(it) == identity(finding));
        same.find(|it| it.is_waived()).map_or("", |it| &it.waiver)
    }

    /// When the published report last changed.
    fn last_change(&self) -> String {
        let newest = self.previous.and_then(|previous| previous.history.first());
        newest.map(|newest| newest.time.0.to_string()).unwrap_or_default()
    }
}

fn subject(finding: &FindingPosture) -> Subject {
    Subject {
        resource: finding.finding.resource.clone(),
        uid: finding.uid.clone(),
    }
}

/// A finding is the same while control, object and container are.
pub(super) fn identity(finding: &Finding) -> (&str, [&str; 4], &str) {
    let object = finding.resource.identity();
    (&finding.control, object, &finding.location.container)
}

/// The name of an Event: the digest of what makes the transition.
pub(super) fn name(parts: &[&str]) -> String {
    format!("fluxsec-{}", digest(parts))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::render::fixture::{at, failing, posture};
    use crate::render::report::{Hindrances, policy_status, report};

    fn reasons(notices: &[Notice]) -> Vec<&str> {
        notices.iter().map(|notice| notice.reason).collect()
    }

    #[test]
    fn the_first_detection_is_a_transition() {
        let posture = failing(&["a"]);
        let next = report(&posture, None, at(1));
        let notices = transitions("default", "uid", None, &next, &posture);
        assert_eq!(
            reasons(&notices),
            ["PostureDrifted", "ControlFailed", "FindingDetected"]
        );
        assert_eq!(notices[1].related.as_ref().unwrap().uid, "uid-a");
        assert_eq!(notices[2].regarding.uid, "uid-a");
    }

    #[test]
    fn a_restart_repeats_nothing_and_a_crash_repeats_names() {
        let posture = failing(&["a", "b"]);
        let next = report(&posture, None, at(1));
        let again = report(&posture, None, at(9));
        let first = transitions("default", "uid", None, &next, &posture);
        assert_eq!(first, transitions("default", "uid", None, &again, &posture));
        let live: ReportStatus = serde_json::from_str(&serde_json::to_string(&next).unwrap()).unwrap();
        let restarted = report(&posture, Some(&live), at(99));
        assert_eq!(
            transitions("default", "uid", Some(&live), &restarted, &posture),
            []
        );
        let names: BTreeSet<&str> = first.iter().map(|notice| notice.name.as_str()).collect();
        assert_eq!(names.len(), first.len());
    }

    #[test]
    fn another_served_version_is_no_news() {
        let mut posture = failing(&["a"]);
        let before = report(&posture, None, at(1));
        posture.findings.edit(|findings| {
            let resource = &mut Arc::make_mut(&mut findings[0]).finding.resource;
            resource.api_version = "apps/v2".to_owned();
        });
        let after = report(&posture, Some(&before), at(2));
        assert_eq!(transitions("default", "uid", Some(&before), &after, &posture), []);
    }

    #[test]
    fn a_restart_with_a_report_that_was_cut_off_repeats_nothing() {
        let mut posture = failing(&["a", "b", "c"]);
        posture.policy.spec.report.max_findings = 2;
        let live = report(&posture, None, at(1));
        assert_eq!(live.truncated_findings, 1);
        assert_eq!(transitions("default", "uid", Some(&live), &live, &posture), []);
    }

    #[test]
    fn recovery_is_told_and_resolves_findings() {
        let bad = failing(&["a"]);
        let live = report(&bad, None, at(1));
        let mut good = failing(&[]);
        good.controls[0].result = ControlResult::Pass;
        let next = report(&good, Some(&live), at(2));
        let notices = transitions("default", "uid", Some(&live), &next, &good);
        assert_eq!(
            reasons(&notices),
            ["PostureCompliant", "ControlRecovered", "FindingResolved"]
        );
    }

    /// The posture with the finding of that namespace waived.
    fn waived(namespaces: &[&str], waived: &str) -> PolicyPosture {
        let mut posture = failing(namespaces);
        posture.findings.edit(|findings| {
            for finding in findings {
                if finding.finding.resource.namespace == waived {
                    "w".clone_into(&mut Arc::make_mut(finding).finding.waiver);
                }
            }
        });
        posture.controls[0].findings -= 1;
        posture.controls[0].waived = 1;
        if posture.controls[0].findings == 0 {
            posture.controls[0].result = ControlResult::Waived;
        }
        posture
    }

    #[test]
    fn an_accepted_risk_is_no_recovery_and_is_detected_again_at_its_end() {
        let bad = failing(&["a"]);
        let live = report(&bad, None, at(1));
        let accepted = waived(&["a"], "a");
        let next = report(&accepted, Some(&live), at(2));
        let notices = transitions("default", "uid", Some(&live), &next, &accepted);
        assert_eq!(reasons(&notices), ["PostureCompliant"]);
        let again = report(&bad, Some(&next), at(3));
        let notices = transitions("default", "uid", Some(&next), &again, &bad);
        assert_eq!(
            reasons(&notices),
            ["PostureDrifted", "ControlFailed", "FindingDetected"]
        );
        // What is repaired meanwhile is resolved, and the control recovers.
        let mut good = failing(&[]);
        good.controls[0].result = ControlResult::Pass;
        let repaired = report(&good, Some(&next), at(3));
        let notices = transitions("default", "uid", Some(&next), &repaired, &good);
        assert_eq!(reasons(&notices), ["ControlRecovered", "FindingResolved"]);
    }

    #[test]
    fn each_end_of_a_waiver_has_an_event_of_its_own() {
        let bad = failing(&["a", "b"]);
        let first = report(&bad, None, at(1));
        let one = waived(&["a", "b"], "a");
        let accepted = report(&one, Some(&first), at(2));
        assert_eq!(transitions("default", "uid", Some(&first), &accepted, &one), []);
        assert_eq!(accepted.summary.findings, 1);
        let again = report(&bad, Some(&accepted), at(3));
        let notices = transitions("default", "uid", Some(&accepted), &again, &bad);
        assert_eq!(reasons(&notices), ["FindingDetected"]);
        let before = transitions("default", "uid", None, &first, &bad);
        assert!(before.iter().all(|notice| notice.name != notices[0].name));
    }

    #[test]
    fn events_on_objects_are_bounded() {
        let names: Vec<String> = (0..100).map(|number| format!("n{number}")).collect();
        let posture = failing(&names.iter().map(String::as_str).collect::<Vec<_>>());
        let next = report(&posture, None, at(1));
        let notices = transitions("default", "uid", None, &next, &posture);
        assert_eq!(notices.len(), 2 + MAX_FINDING_NOTICES + 1);
        assert_eq!(
            notices[22].note,
            "80 more findings were detected; the report lists them"
        );
    }

    #[test]
    fn an_invalid_policy_is_told_once() {
        let mut posture = posture(Vec::new());
        posture.invalid = Some("x".repeat(5000));
        let notice = policy_invalid(&posture, None).unwrap();
        assert!(notice.note.len() <= MAX_NOTE);
        let status = policy_status(&posture, None, &Hindrances::default(), at(1));
        assert_eq!(policy_invalid(&posture, Some(&status)), None);
    }
}
