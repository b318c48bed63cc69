//! What a policy asks for beside its report, as far as it cannot be delivered: the policy says so in a condition.
//!
//! Whether Events are taken again is tried with the one that was dropped last, and nothing is made by that.

use k8s_openapi::jiff::Timestamp;
use tokio::time::Instant;

use super::objects::PublishError;
use super::slot::{PACE, Slot};
use super::{Published, Writer};
use crate::api::FluxSecurityPolicyStatus;
use crate::engine::PolicyPosture;
use crate::render::events::{self, Notice};
use crate::render::report::{Hindrance, Hindrances, OUTPUTS_READY, find, policy_status};

/// The Events of a policy, as far as they are not taken.
#[derive(Default)]
pub(super) struct Events {
    dropped: Option<Dropped>,
}

struct Dropped {
    notice: Notice,
    slot: Slot,
}

/// What became of Events that had to be sent.
pub(super) enum Told {
    /// There were none.
    Nothing,
    All,
    /// One was dropped.
    Dropped(Box<(Notice, PublishError)>),
}

impl Events {
    /// As an earlier process left it: what its policy says of outputs may be of Events.
    pub(super) fn left_by(policy: &PolicyPosture, status: Option<&FluxSecurityPolicyStatus>) -> Self {
        let doubt = status.and_then(|status| find(&status.conditions, OUTPUTS_READY));
        Self {
            dropped: doubt.map(|_| Dropped {
                notice: events::rehearsal(policy),
                slot: Slot::default(),
            }),
        }
    }

    pub(super) fn told(&mut self, told: Told) {
        match told {
            Told::Nothing => {}
            Told::All => self.dropped = None,
            Told::Dropped(dropped) => {
                let (notice, error) = *dropped;
                let mut slot = self.dropped.take().map(|it| it.slot).unwrap_or_default();
                slot.failed(error.is_refusal());
                slot.hindered_by(&error);
                self.dropped = Some(Dropped { notice, slot });
            }
        }
    }
}

impl Writer {
    /// Tries whether Events are taken again; tells when to try once more.
    pub(super) async fn rehearse(&self, policy: &PolicyPosture, events: &mut Events) -> Option<Instant> {
        if !policy.policy.spec.outputs.events {
            events.dropped = None;
        }
        let Dropped { notice, slot } = events.dropped.as_mut()?;
        let until = slot.rests(Instant::now());
        if until.is_some() {
            return until;
        }
        match self.objects.rehearse(notice).await {
            Ok(()) => {
                events.dropped = None;
                None
            }
            Err(PublishError::NotLeading) => Some(Instant::now() + PACE),
            Err(error) => {
                let pause = slot.failed(error.is_refusal());
                slot.hindered_by(&error);
                Some(Instant::now() + pause)
            }
        }
    }
}

impl Published {
    /// The status of the policy, as it should be.
    pub(super) fn next_status(&self, policy: &PolicyPosture) -> FluxSecurityPolicyStatus {
        let hindrances = Hindrances {
            report: self.cluster.slot.hindrance.clone(),
            outputs: self.is_tried.then(|| self.hindered(policy)),
        };
        policy_status(policy, self.policy.as_ref(), &hindrances, Timestamp::now())
    }

    fn hindered(&self, policy: &PolicyPosture) -> Vec<Hindrance> {
        let outputs = &policy.policy.spec.outputs;
        let dropped = self.cluster.events.dropped.as_ref();
        let of_events = dropped.and_then(|it| it.slot.hindrance.as_ref());
        let of_events = of_events.filter(|_| outputs.events);
        let of_open_reports = self.open_reports.hindrance().filter(|_| outputs.open_reports);
        [
            of_events.map(|it| it.of("Events are not sent")),
            of_open_reports.map(|it| it.of("OpenReports are not written")),
            self.of_namespaces(),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn of_namespaces(&self) -> Option<Hindrance> {
        let slots = self.namespaces.slots.iter();
        let mut hindered = slots.filter_map(|(namespace, slot)| Some((namespace, slot.hindrance.as_ref()?)));
        let (namespace, hindrance) = hindered.next()?;
        let more = match hindered.count() {
            0 => String::new(),
            more => format!(" nor are those of {more} more namespaces,"),
        };
        Some(hindrance.of(&format!(
            "the report of the namespace {namespace} is not written,{more} as"
        )))
    }
}

/// Why an object cannot be written, in words that stay the same as long as they mean the same: admission may say
/// something else each time, and a condition is no log.
pub(super) fn hindrance(error: &PublishError, former: Option<Hindrance>) -> Option<Hindrance> {
    let message = error.said();
    // It will be gone in a moment.
    if message.contains("because it is being terminated") {
        return None;
    }
    let reason = match error.code() {
        Some(403) if message.contains(" cannot ") && message.contains(" resource \"") => "SinkForbidden",
        Some(404) => "SinkMissing",
        _ if error.is_refusal() => "SinkRefused",
        _ => "SinkUnreachable",
    };
    let words = |text: &str| text.replace(|it: char| it.is_ascii_digit(), "");
    let is_the_same = |it: &Hindrance| it.reason == reason && words(&it.message) == words(&message);
    former.filter(is_the_same).or(Some(Hindrance { reason, message }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use kube::core::Status;

    use super::*;

    fn refused(code: u16, message: &str) -> PublishError {
        let status = Status {
            code,
            message: message.to_owned(),
            ..Status::default()
        };
        PublishError::Request(kube::Error::Api(status.boxed()))
    }

    const FORBIDDEN: &str = r#"events.events.k8s.io is forbidden: User "a" cannot create resource "events" in API group "events.k8s.io" in the namespace "default""#;

    #[test]
    fn the_reason_tells_what_is_missing() {
        for (code, message, reason) in [
            (403, FORBIDDEN, "SinkForbidden"),
            (
                403,
                "admission webhook \"a\" denied the request: you cannot do that",
                "SinkRefused",
            ),
            (403, "exceeded quota: events", "SinkRefused"),
            (422, "status.controls: Invalid value", "SinkRefused"),
            (404, "404 page not found", "SinkMissing"),
            (500, "failed calling webhook", "SinkUnreachable"),
        ] {
            let told = hindrance(&refused(code, message), None).unwrap();
            assert_eq!((told.reason, &*told.message), (reason, message));
        }
        assert_eq!(
            hindrance(&PublishError::Late, None).unwrap().reason,
            "SinkUnreachable"
        );
    }

    #[test]
    fn the_same_in_other_numbers_is_no_news() {
        let first = hindrance(&refused(403, "denied by request 17"), None);
        assert_eq!(
            hindrance(&refused(403, "denied by request 18"), first.clone()),
            first
        );
        let other = hindrance(&refused(403, "denied by somebody else"), first.clone());
        assert_ne!(other, first);
        let listed = hindrance(
            &refused(403, &FORBIDDEN.replace("create", "patch")),
            hindrance(&refused(403, FORBIDDEN), None),
        );
        assert!(listed.unwrap().message.contains("cannot patch"));
    }

    #[test]
    fn a_namespace_that_goes_hinders_nobody() {
        let message = "unable to create new content in namespace a because it is being terminated";
        assert_eq!(hindrance(&refused(403, message), None), None);
    }
}
