//! What the publisher did, as metrics.

use std::time::{SystemTime, UNIX_EPOCH};

use prometheus::core::Collector;
use prometheus::proto::{LabelPair, Metric};
use prometheus::{GaugeVec, HistogramVec, IntCounter, IntCounterVec, Registry};
use tokio::time::Instant;

use crate::api::{ControlResult, ReportStatus};
use crate::monitoring::metrics::{
    CHANGE_TO_REPORT, EVENTS, EVENTS_DROPPED, LAST_SUCCESS, REPORT_WRITES, TRANSITIONS,
};

const SUCCESS: &str = "success";
const ERROR: &str = "error";

/// Counters of writes and Events.
#[derive(Clone)]
pub struct Counters {
    written: IntCounter,
    not_written: IntCounter,
    sent: IntCounter,
    not_sent: IntCounter,
    refused: IntCounter,
    given_up: IntCounter,
    not_notified: IntCounter,
    transitions: IntCounterVec,
    success: GaugeVec,
    latency: HistogramVec,
}

/// What became of an Event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    /// It is in the cluster.
    Sent,
    /// The API server does not take it.
    Refused,
    /// The API server failed for too long.
    GivenUp,
}

impl Counters {
    /// Counters in a registry.
    ///
    /// # Errors
    /// A metric of that name is registered already.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let [written, not_written] = REPORT_WRITES.counters_of(registry, [SUCCESS, ERROR])?;
        let [sent, not_sent] = EVENTS.counters_of(registry, [SUCCESS, ERROR])?;
        let [refused, given_up, not_notified] =
            EVENTS_DROPPED.counters_of(registry, ["refused", ERROR, "notification"])?;
        Ok(Self {
            written,
            not_written,
            sent,
            not_sent,
            refused,
            given_up,
            not_notified,
            transitions: TRANSITIONS.counters(registry)?,
            success: LAST_SUCCESS.gauges(registry)?,
            latency: CHANGE_TO_REPORT.histograms(registry)?,
        })
    }

    pub(super) fn written(&self) {
        self.written.inc();
    }

    /// A report tells of a change now that was seen then.
    pub(super) fn told(&self, policy: &str, seen: Option<Instant>) {
        if let Some(seen) = seen {
            self.latency
                .with_label_values(&[policy])
                .observe(seen.elapsed().as_secs_f64());
        }
    }

    pub(super) fn failed(&self) {
        self.not_written.inc();
    }

    pub(super) fn event(&self, delivery: Delivery) {
        let lost = match delivery {
            Delivery::Sent => {
                self.sent.inc();
                return;
            }
            Delivery::Refused => &self.refused,
            Delivery::GivenUp => &self.given_up,
        };
        self.not_sent.inc();
        lost.inc();
    }

    /// An Event was not handed on to notification-controller.
    pub(super) fn not_notified(&self) {
        self.not_notified.inc();
    }

    pub(super) fn succeeded(&self, policy: &str) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.success.with_label_values(&[policy]).set(now.as_secs_f64());
        // From zero on: a rate does not see the change that a series begins with.
        self.latency.with_label_values(&[policy]);
    }

    pub(super) fn transitions(&self, policy: &str, previous: Option<&ReportStatus>, next: &ReportStatus) {
        for control in &next.controls {
            let before =
                previous.and_then(|previous| previous.controls.iter().find(|known| known.id == control.id));
            if before.map(|before| before.result) != Some(control.result) {
                self.transitions
                    .with_label_values(&[policy, &control.id, control.result.as_str()])
                    .inc();
            }
        }
        let gone = previous.iter().flat_map(|previous| &previous.controls);
        let gone = gone.filter(|known| !next.controls.iter().any(|control| control.id == known.id));
        gone.for_each(|control| self.forget_control(policy, &control.id));
    }

    /// Nothing is to be published of a suspended or an invalid policy, so nothing can be late.
    pub(super) fn rests(&self, policy: &str) {
        // A series that was never made is no error.
        let _ = self.success.remove_label_values(&[policy]);
    }

    /// Only who writes has something to tell of reports.
    pub(super) fn stand_by(&self) {
        self.success.reset();
        self.latency.reset();
        self.transitions.reset();
    }

    pub(super) fn forget(&self, policy: &str) {
        // Series that were never made are no error.
        let _ = self.success.remove_label_values(&[policy]);
        let _ = self.latency.remove_label_values(&[policy]);
        // A policy may have had controls of its own.
        let told: Vec<String> = self
            .transitions
            .collect()
            .iter()
            .flat_map(|family| {
                let of_policy = family.get_metric().iter().map(Metric::get_label);
                let of_policy = of_policy.filter(|labels| value(labels, "policy") == policy);
                of_policy
                    .map(|labels| value(labels, "control").to_owned())
                    .collect::<Vec<_>>()
            })
            .collect();
        for control in &told {
            self.forget_control(policy, control);
        }
    }

    fn forget_control(&self, policy: &str, control: &str) {
        for result in ControlResult::ALL {
            let _ = self
                .transitions
                .remove_label_values(&[policy, control, result.as_str()]);
        }
    }
}

fn value<'a>(labels: &'a [LabelPair], name: &str) -> &'a str {
    labels
        .iter()
        .find(|label| label.name() == name)
        .map_or("", LabelPair::value)
}
