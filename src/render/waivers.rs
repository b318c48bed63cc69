//! What is published about a waiver: its status, and the Events of its transitions.
//!
//! What the status tells has been told: a restart, or a new leader, repeats nothing.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::events::{ACTION, MAX_NOTE, Notice, NoticeType, Subject, name};
use super::report::{Conditions, READY, clip, count, find, whole_seconds};
use crate::api::{FluxSecurityWaiverStatus, GROUP, ResourceRef, VERSION, WaiverState};
use crate::engine::{Doubt, WaiverPosture};

/// For so long it is not told again that there is nothing for a waiver: what it is for may come and go all day.
const DAMPED: SignedDuration = SignedDuration::from_hours(24);

/// The status of a waiver.
#[must_use]
pub fn status(
    waiver: &WaiverPosture,
    previous: Option<&FluxSecurityWaiverStatus>,
    now: Timestamp,
) -> FluxSecurityWaiverStatus {
    let now = whole_seconds(now);
    let conditions = Conditions {
        known: previous.map_or(&[][..], |previous| &previous.conditions),
        generation: waiver.row.generation,
        now: &now,
    };
    let (ready, reason) = readiness(waiver);
    // Nothing has to be told of an end that is far away.
    let warned_of = waiver.days_left.map(|_| whole_seconds(waiver.row.spec.expires.0));
    FluxSecurityWaiverStatus {
        observed_generation: waiver.row.generation,
        conditions: vec![conditions.make(READY, ready, reason, &sentence(waiver))],
        state: Some(waiver.state),
        matched: count(waiver.matched),
        warned_of,
        warned_days: waiver.days_left,
        told_unmatched: told_unmatched(waiver, previous, &now),
    }
}

/// When it was last told that there is nothing for it: now, unless that was known or told a short while ago.
fn told_unmatched(
    waiver: &WaiverPosture,
    previous: Option<&FluxSecurityWaiverStatus>,
    now: &Time,
) -> Option<Time> {
    let of_this = previous.filter(|it| it.observed_generation == waiver.row.generation);
    let told = of_this.and_then(|it| it.told_unmatched.clone());
    let is_known = of_this.is_some_and(|it| it.state == Some(WaiverState::Unmatched));
    let is_recent = |told: &Time| now.0.duration_since(told.0) < DAMPED;
    if waiver.state != WaiverState::Unmatched || is_known || told.as_ref().is_some_and(is_recent) {
        return told;
    }
    Some(now.clone())
}

/// Whether it does what it was made for: it is valid, in effect, and there is something for it.
fn readiness(waiver: &WaiverPosture) -> (&'static str, &'static str) {
    match (&waiver.doubt, waiver.state) {
        (Some(Doubt::Invalid(_)), _) => ("False", "Invalid"),
        (_, WaiverState::Expired) => ("False", "Expired"),
        (Some(Doubt::NoControl), _) => ("False", "NoSuchControl"),
        (Some(Doubt::Unjudged), _) => ("Unknown", "NotJudged"),
        (None, WaiverState::Unmatched) => ("False", "Unmatched"),
        (None, WaiverState::ExpiringSoon) => ("True", "ExpiringSoon"),
        (None, WaiverState::Active) => ("True", "Active"),
    }
}

/// How a waiver stands, for a person.
#[must_use]
pub fn sentence(waiver: &WaiverPosture) -> String {
    let spec = &waiver.row.spec;
    let (control, end) = (&spec.control, &spec.expires.0);
    let findings = match waiver.matched {
        1 => "1 finding".to_owned(),
        several => format!("{several} findings"),
    };
    match (&waiver.doubt, waiver.state) {
        (Some(Doubt::Invalid(invalid)), _) => format!("it covers nothing: {invalid}"),
        (_, WaiverState::Expired) => match waiver.matched {
            0 => format!("it expired at {end}; no finding matches it any more"),
            1 => format!("it expired at {end}; 1 finding of {control} counts again"),
            _ => format!("it expired at {end}; {findings} of {control} count again"),
        },
        (Some(Doubt::NoControl), _) => format!("no policy that it applies to audits the control {control}"),
        (Some(Doubt::Unjudged), _) => {
            format!("{control} could not be judged everywhere, and no known finding matches it")
        }
        (None, WaiverState::Unmatched) => {
            format!("no finding of {control} matches its resources: delete it, or correct spec.resources")
        }
        (None, WaiverState::Active | WaiverState::ExpiringSoon) => {
            format!("it covers {findings} of {control} until {end}")
        }
    }
}

/// What changed from the published status to the one that is about to be.
#[must_use]
pub fn transitions(
    waiver: &WaiverPosture,
    previous: Option<&FluxSecurityWaiverStatus>,
    next: &FluxSecurityWaiverStatus,
) -> Vec<Notice> {
    let mut notices = Vec::new();
    notices.extend(end_notice(waiver, previous, next));
    notices.extend(unmatched_notice(waiver, previous, next));
    notices
}

/// Of the end, and of what is left until then. Whoever moves it is warned anew.
fn end_notice(
    waiver: &WaiverPosture,
    previous: Option<&FluxSecurityWaiverStatus>,
    next: &FluxSecurityWaiverStatus,
) -> Option<Notice> {
    let (end, days) = (next.warned_of.as_ref()?, next.warned_days?);
    let of_same_end = previous.filter(|it| it.warned_of.as_ref() == Some(end));
    let told = of_same_end.and_then(|it| it.warned_days);
    if told.is_some_and(|told| told <= days) {
        return None;
    }
    let key = [end.0.to_string(), days.to_string()];
    let key = [key[0].as_str(), key[1].as_str()];
    let spec = &waiver.row.spec;
    if days == 0 {
        return Some(notice(waiver, "WaiverExpired", &key, &sentence(waiver)));
    }
    let unit = if days == 1 { "day" } else { "days" };
    let note = format!(
        "it ends at {}, in {days} {unit} or less: repair what {} finds, or ask {} to decide again",
        end.0, spec.control, spec.owner
    );
    Some(notice(waiver, "WaiverExpiringSoon", &key, &note))
}

fn unmatched_notice(
    waiver: &WaiverPosture,
    previous: Option<&FluxSecurityWaiverStatus>,
    next: &FluxSecurityWaiverStatus,
) -> Option<Notice> {
    let told = previous.and_then(|previous| previous.told_unmatched.as_ref());
    if next.told_unmatched.is_none() || told == next.told_unmatched.as_ref() {
        return None;
    }
    let before = previous.and_then(|previous| find(&previous.conditions, READY));
    let since = before.map(|before| before.last_transition_time.0.to_string());
    let generation = waiver.row.generation.to_string();
    let key = [since.as_deref().unwrap_or_default(), &generation];
    Some(notice(waiver, "WaiverUnmatched", &key, &sentence(waiver)))
}

fn notice(waiver: &WaiverPosture, reason: &'static str, key: &[&str], note: &str) -> Notice {
    let mut parts = vec![waiver.row.uid.as_str(), reason];
    parts.extend(key);
    Notice {
        name: name(&parts),
        r#type: NoticeType::Warning,
        reason,
        regarding: Subject {
            resource: reference(&waiver.name),
            uid: waiver.row.uid.clone(),
        },
        related: None,
        severity: None,
        note: clip(&format!("waiver {}: {note}", waiver.name), MAX_NOTE),
        action: ACTION,
    }
}

/// The object reference of a waiver.
fn reference(name: &str) -> ResourceRef {
    ResourceRef {
        api_version: format!("{GROUP}/{VERSION}"),
        kind: "FluxSecurityWaiver".to_owned(),
        namespace: String::new(),
        name: name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::api::FluxSecurityWaiverSpec;
    use crate::kinds::own::{Published, WaiverRow};
    use crate::render::fixture::at;

    fn waiver(state: WaiverState, days_left: Option<i32>) -> WaiverPosture {
        let spec = serde_json::json!({
            "control": "FSP-KUST-001", "resources": [{"name": "a"}], "reason": "accepted for a while",
            "owner": "us", "expires": "2026-03-01T00:00:00.5Z",
        });
        let spec: FluxSecurityWaiverSpec = serde_json::from_value(spec).unwrap();
        WaiverPosture {
            name: "w".into(),
            row: Arc::new(WaiverRow {
                uid: "uid".to_owned(),
                generation: 3,
                created: None,
                spec,
                published: Published {
                    resource_version: "7".to_owned(),
                },
                status: None,
            }),
            state,
            matched: usize::from(state != WaiverState::Unmatched),
            doubt: None,
            days_left,
        }
    }

    fn reasons(notices: &[Notice]) -> Vec<&str> {
        notices.iter().map(|notice| notice.reason).collect()
    }

    /// What a life tells, step by step; each status goes through the API server.
    #[test]
    fn each_step_is_told_once_and_a_restart_tells_nothing() {
        use WaiverState::{Active, Expired, ExpiringSoon, Unmatched};
        let mut known = None;
        let mut names = std::collections::BTreeSet::new();
        for (second, state, days_left, expected) in [
            (1, Active, None, vec![]),
            (2, Unmatched, None, vec!["WaiverUnmatched"]),
            (3, Active, None, vec![]),
            (4, Unmatched, None, vec![]),
            (5, ExpiringSoon, Some(14), vec!["WaiverExpiringSoon"]),
            (6, ExpiringSoon, Some(7), vec!["WaiverExpiringSoon"]),
            (7, Unmatched, Some(1), vec!["WaiverExpiringSoon"]),
            (8, Expired, Some(0), vec!["WaiverExpired"]),
        ] {
            let waiver = waiver(state, days_left);
            let next = status(&waiver, known.as_ref(), at(second));
            let notices = transitions(&waiver, known.as_ref(), &next);
            assert_eq!(reasons(&notices), expected, "{second}");
            for notice in notices {
                assert!(names.insert(notice.name), "{} twice", notice.reason);
                assert_eq!(notice.regarding.uid, "uid");
            }
            let live: FluxSecurityWaiverStatus =
                serde_json::from_str(&serde_json::to_string(&next).unwrap()).unwrap();
            let again = status(&waiver, Some(&live), at(second + 1000));
            assert_eq!(again, live, "nothing is written when nothing changed");
            assert_eq!(transitions(&waiver, Some(&live), &again), []);
            known = Some(live);
        }
    }

    /// What a waiver is for flaps: it is told once a day that there is nothing for it, and at once of another spec.
    #[test]
    fn a_finding_that_flaps_is_told_of_once_a_day() {
        use WaiverState::{Active, Unmatched};
        let mut known = None;
        let mut told = Vec::new();
        let hour = 60 * 60;
        for second in 0..30 * 60 {
            let second = second * 2 * 60;
            let mut waiver = waiver(if second % 240 == 0 { Active } else { Unmatched }, None);
            if second >= 50 * hour {
                Arc::make_mut(&mut waiver.row).generation = 4;
            }
            let next = status(&waiver, known.as_ref(), at(second));
            let notices = transitions(&waiver, known.as_ref(), &next);
            told.extend(notices.iter().map(|_| second / hour));
            known = Some(next);
        }
        assert_eq!(told, [0, 24, 48, 50]);
    }

    #[test]
    fn a_crash_between_events_and_status_repeats_names() {
        let waiver = waiver(WaiverState::Expired, Some(0));
        let notices = |second| {
            let next = status(&waiver, None, at(second));
            transitions(&waiver, None, &next)
        };
        assert_eq!(notices(1), notices(9));
    }

    #[test]
    fn whoever_moves_the_end_is_warned_of_the_new_one() {
        let mut waiver = waiver(WaiverState::ExpiringSoon, Some(7));
        let before = status(&waiver, None, at(1));
        let moved = waiver.row.spec.expires.0 + SignedDuration::from_hours(24);
        Arc::make_mut(&mut waiver.row).spec.expires.0 = moved;
        waiver.days_left = Some(14);
        let next = status(&waiver, Some(&before), at(2));
        assert_eq!(
            reasons(&transitions(&waiver, Some(&before), &next)),
            ["WaiverExpiringSoon"]
        );
    }

    #[test]
    fn notes_have_bounds() {
        let mut waiver = waiver(WaiverState::ExpiringSoon, Some(14));
        Arc::make_mut(&mut waiver.row).spec.owner = "é".repeat(253);
        waiver.name = "w".repeat(253).into();
        let next = status(&waiver, None, at(1));
        for notice in transitions(&waiver, None, &next) {
            assert!(notice.note.len() <= MAX_NOTE);
        }
    }
}
