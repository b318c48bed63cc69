//! What the publisher did, as metrics.

use std::time::{SystemTime, UNIX_EPOCH};

use prometheus::{GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry};
use tokio::time::Instant;

use crate::api::{ControlResult, ReportStatus};

/// Counters of writes and Events.
#[derive(Clone)]
pub struct Counters {
    writes: IntCounterVec,
    events: IntCounterVec,
    dropped: IntCounter,
    transitions: IntCounterVec,
    success: GaugeVec,
    latency: HistogramVec,
}

impl Counters {
    /// Counters in a registry.
    ///
    /// # Errors
    /// A metric of that name is registered already.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let opts = |name: &str, help: &str| Opts::new(format!("flux_security_{name}"), help);
        let counters = Self {
            writes: IntCounterVec::new(opts("report_writes_total", "Writes of reports."), &["outcome"])?,
            events: IntCounterVec::new(opts("events_total", "Events that were sent."), &["outcome"])?,
            dropped: IntCounter::with_opts(opts("events_dropped_total", "Events that could not be sent."))?,
            transitions: IntCounterVec::new(
                opts("transitions_total", "Results that changed."),
                &["policy", "control", "to"],
            )?,
            success: GaugeVec::new(
                opts(
                    "last_success_timestamp_seconds",
                    "When the posture was last known to be published.",
                ),
                &["policy"],
            )?,
            latency: HistogramVec::new(
                HistogramOpts::new(
                    "flux_security_change_to_report_seconds",
                    "Time from seeing a change to having written the report that tells of it.",
                )
                .buckets(prometheus::exponential_buckets(0.005, 2.0, 12)?),
                &["policy"],
            )?,
        };
        registry.register(Box::new(counters.writes.clone()))?;
        registry.register(Box::new(counters.events.clone()))?;
        registry.register(Box::new(counters.dropped.clone()))?;
        registry.register(Box::new(counters.transitions.clone()))?;
        registry.register(Box::new(counters.success.clone()))?;
        registry.register(Box::new(counters.latency.clone()))?;
        Ok(counters)
    }

    pub(super) fn written(&self) {
        self.writes.with_label_values(&["success"]).inc();
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
        self.writes.with_label_values(&["error"]).inc();
    }

    pub(super) fn event(&self, sent: bool) {
        self.events
            .with_label_values(&[if sent { "success" } else { "error" }])
            .inc();
        if !sent {
            self.dropped.inc();
        }
    }

    pub(super) fn succeeded(&self, policy: &str) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.success.with_label_values(&[policy]).set(now.as_secs_f64());
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
    }

    /// Only who writes tells when it last succeeded.
    pub(super) fn stand_by(&self) {
        self.success.reset();
    }

    pub(super) fn forget(&self, policy: &str) {
        // Series that were never made are no error.
        let _ = self.success.remove_label_values(&[policy]);
        let _ = self.latency.remove_label_values(&[policy]);
        for control in crate::controls::CATALOGUE {
            for result in ControlResult::ALL {
                let _ = self
                    .transitions
                    .remove_label_values(&[policy, control.id, result.as_str()]);
            }
        }
    }
}
