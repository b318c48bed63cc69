//! Wires the shells around the engine: observe → project → evaluate → render → publish.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use prometheus::{Histogram, HistogramOpts, Registry};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::api;
use crate::cluster::Observation;
use crate::engine::{Engine, Posture};
use crate::inventory::{Coverage, Delta};
use crate::kinds::KindId;
use crate::publish::Freshness;

/// Observations that are evaluated together at most.
const BATCH: usize = 4096;

/// Drives the engine: takes in what is observed and publishes every new posture, at once.
pub struct Loop {
    engine: Engine,
    observations: mpsc::Receiver<Observation>,
    postures: watch::Sender<Arc<Posture>>,
    freshness: Freshness,
    duration: Histogram,
}

impl Loop {
    /// A loop, and where its postures appear.
    ///
    /// # Errors
    /// A metric of that name is registered already.
    pub fn new(
        engine: Engine,
        observations: mpsc::Receiver<Observation>,
        freshness: Freshness,
        registry: &Registry,
    ) -> Result<(Self, watch::Receiver<Arc<Posture>>), prometheus::Error> {
        let buckets = prometheus::exponential_buckets(0.000_05, 4.0, 9)?;
        let duration = Histogram::with_opts(
            HistogramOpts::new(
                "flux_security_evaluation_duration_seconds",
                "Time to take in a batch of changes and to evaluate what they touch.",
            )
            .buckets(buckets),
        )?;
        registry.register(Box::new(duration.clone()))?;
        let (postures, receiver) = watch::channel(Arc::new(engine.posture()));
        Ok((
            Self {
                engine,
                observations,
                postures,
                freshness,
                duration,
            },
            receiver,
        ))
    }

    /// Runs until nobody observes any more, and returns what it knows then.
    pub async fn run(mut self) -> Engine {
        let mut batch = Vec::with_capacity(BATCH);
        let mut safety_net = Instant::now() + self.interval();
        loop {
            let received =
                tokio::time::timeout_at(safety_net, self.observations.recv_many(&mut batch, BATCH)).await;
            match received {
                Ok(0) => return self.engine,
                Ok(_) => self.ingest(&mut batch),
                Err(_) => {
                    self.engine.evaluate_all();
                    self.publish();
                    safety_net = Instant::now() + self.interval();
                }
            }
        }
    }

    fn ingest(&mut self, observations: &mut Vec<Observation>) {
        let seen = observations.iter().map(|observation| observation.seen).min();
        let before: BTreeMap<KindId, Coverage> = observations
            .iter()
            .filter_map(|observation| covered(&observation.delta))
            .map(|kind| (kind, self.engine.inventory().coverage(kind).clone()))
            .collect();
        let timer = self.duration.start_timer();
        let changed = self
            .engine
            .ingest(observations.drain(..).map(|observation| observation.delta));
        timer.observe_duration();
        for (kind, before) in before {
            log_coverage(kind, &before, self.engine.inventory().coverage(kind));
        }
        if changed {
            self.freshness.note(seen);
            self.publish();
        }
    }

    fn publish(&self) {
        self.postures.send_replace(Arc::new(self.engine.posture()));
    }

    /// The shortest interval of all policies; watches drive the audit, this is the safety net.
    fn interval(&self) -> Duration {
        const DEFAULT: Duration = Duration::from_mins(10);
        let posture = self.engine.posture();
        let intervals = posture
            .policies
            .values()
            .filter_map(|policy| parse_interval(&policy.policy.spec.interval));
        intervals.min().unwrap_or(DEFAULT)
    }
}

/// The kind whose coverage this is about.
const fn covered(delta: &Delta) -> Option<KindId> {
    match delta {
        Delta::Coverage(kind, _) => Some(*kind),
        _ => None,
    }
}

/// One line when a kind is seen worse or better than before.
fn log_coverage(kind: KindId, before: &Coverage, now: &Coverage) {
    if before == now {
        return;
    }
    let descriptor = &kind.entry().descriptor;
    let resource = descriptor.resource();
    match now {
        Coverage::Absent if descriptor.group == api::GROUP => {
            tracing::warn!(
                "{resource}: not installed; run `fluxsec crds | kubectl apply --server-side -f -`"
            );
        }
        Coverage::Forbidden => {
            tracing::warn!("{resource}: {now}; grant get, list and watch on it to this ServiceAccount");
        }
        Coverage::NotServed { .. } | Coverage::Failing { .. } => tracing::warn!("{resource}: {now}"),
        Coverage::Synced | Coverage::Absent if *before != Coverage::Pending => {
            tracing::info!("{resource}: {now}, after {}", before.reason());
        }
        Coverage::Pending
        | Coverage::Synced
        | Coverage::Absent
        | Coverage::InInput
        | Coverage::NotInInput => tracing::debug!("{resource}: {now}"),
    }
}

/// `1h30m`, `10m`, `90s`: the durations that the schema lets through. `None` for anything else.
#[must_use]
pub fn parse_interval(text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|character: char| !character.is_ascii_digit())?;
        let amount: u64 = rest[..digits].parse().ok()?;
        let seconds = match rest.as_bytes().get(digits)? {
            b's' => 1,
            b'm' => 60,
            b'h' => 3600,
            _ => return None,
        };
        total = total.checked_add(Duration::from_secs(amount.checked_mul(seconds)?))?;
        rest = &rest[digits + 1..];
    }
    (total > Duration::ZERO).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::parse_interval;
    use std::time::Duration;

    #[test]
    fn reads_the_durations_of_the_schema() {
        assert_eq!(parse_interval("1h30m"), Some(Duration::from_mins(90)));
        assert_eq!(parse_interval("90s"), Some(Duration::from_secs(90)));
    }

    #[test]
    fn refuses_everything_else() {
        for text in ["", "10", "m", "0s", "1d", "-1m", "99999999999999999999h"] {
            assert_eq!(parse_interval(text), None, "{text}");
        }
    }
}
