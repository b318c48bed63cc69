//! Wires the shells around the engine: observe → project → evaluate → render → publish.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use prometheus::{HistogramVec, Registry};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::api;
use crate::artifacts::Wishes;
use crate::cluster::Observation;
use crate::custom::Demands;
use crate::engine::{Engine, Posture};
use crate::inventory::{Coverage, Delta};
use crate::kinds::KindId;
use crate::kinds::own::Policy;
use crate::monitoring::metrics::EVALUATION_DURATION;
use crate::publish::Freshness;

/// Observations that are evaluated together at most.
const BATCH: usize = 4096;
/// How often the clock is looked at while there are waivers, in case that it is set: at least.
const GLANCE: Duration = Duration::from_secs(1);

/// Tells how late it is.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Drives the engine: takes in what is observed and publishes every new posture, at once.
pub struct Loop {
    engine: Engine,
    observations: mpsc::Receiver<Observation>,
    postures: watch::Sender<Arc<Posture>>,
    freshness: Freshness,
    duration: HistogramVec,
    /// Policies that have a series of the duration.
    timed: BTreeSet<String>,
    clock: Clock,
    wishes: Option<Wishes>,
    asked: watch::Sender<Arc<Demands>>,
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
        let asked = watch::Sender::new(engine.inventory().customs().demands());
        let (postures, receiver) = watch::channel(Arc::new(engine.posture()));
        Ok((
            Self {
                engine,
                observations,
                postures,
                freshness,
                duration: EVALUATION_DURATION.histograms(registry)?,
                timed: BTreeSet::new(),
                clock: Arc::new(Timestamp::now),
                wishes: None,
                asked,
            },
            receiver,
        ))
    }

    /// The same by another clock.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// Tells whoever fetches artifacts which there are.
    #[must_use]
    pub fn wishing(mut self, wishes: &Wishes) -> Self {
        self.wishes = Some(wishes.clone());
        self.engine.artifacts_are_fetched();
        self
    }

    /// What custom controls ask, from now on.
    #[must_use]
    pub fn asked(&self) -> watch::Receiver<Arc<Demands>> {
        self.asked.subscribe()
    }

    /// Runs until nobody observes any more, and returns what it knows then.
    pub async fn run(mut self) -> Engine {
        let mut batch = Vec::with_capacity(BATCH);
        let mut evaluated = Instant::now();
        self.look_at_the_clock();
        loop {
            let safety_net = evaluated + self.interval();
            let until = self.next_glance().map_or(safety_net, |at| at.min(safety_net));
            let received =
                tokio::time::timeout_at(until, self.observations.recv_many(&mut batch, BATCH)).await;
            match received {
                Ok(0) => return self.engine,
                Ok(_) => self.ingest(&mut batch),
                Err(_) => self.look_at_the_clock(),
            }
            // Also when there is always something to observe.
            if evaluated.elapsed() >= self.interval() {
                self.engine.advance((self.clock)());
                self.engine.evaluate_all();
                self.publish();
                evaluated = Instant::now();
            }
        }
    }

    /// When to look at the clock: as soon as a waiver ends, or one is warned of.
    fn next_glance(&self) -> Option<Instant> {
        if !self.engine.has_deadlines() {
            return None;
        }
        let left = self
            .engine
            .next_deadline()
            .map(|next| next.duration_since((self.clock)()));
        let left = left.map(|left| Duration::try_from(left).unwrap_or_default());
        Some(Instant::now() + left.map_or(GLANCE, |left| left.min(GLANCE)))
    }

    fn look_at_the_clock(&mut self) {
        if self.engine.advance((self.clock)()) {
            self.freshness.note(Some(Instant::now()));
            self.publish();
        }
    }

    fn ingest(&mut self, observations: &mut Vec<Observation>) {
        let seen = observations.iter().map(|observation| observation.seen).min();
        let before: BTreeMap<KindId, Coverage> = observations
            .iter()
            .filter_map(|observation| covered(&observation.delta))
            .map(|kind| (kind, self.engine.inventory().coverage(kind).clone()))
            .collect();
        let started = Instant::now();
        let is_later = self.engine.advance((self.clock)());
        let changed = self
            .engine
            .take_in(observations.drain(..).map(|observation| observation.delta));
        let took = started.elapsed();
        for (kind, before) in before {
            log_coverage(kind, &before, self.engine.inventory().coverage(kind));
        }
        self.ask();
        if !changed.is_empty() || is_later {
            self.freshness.note(seen);
            let posture = self.publish();
            self.time(&posture, took);
            if let Some(wishes) = &self.wishes {
                wishes.update(&self.engine, &changed);
            }
        }
    }

    /// Tells whoever watches what custom controls ask, when that is something else.
    fn ask(&self) {
        let demands = self.engine.inventory().customs().demands();
        self.asked.send_if_modified(|known| {
            let is_new = !Arc::ptr_eq(known, &demands);
            *known = demands;
            is_new
        });
    }

    fn publish(&self) -> Arc<Posture> {
        let posture = Arc::new(self.engine.posture());
        self.postures.send_replace(posture.clone());
        posture
    }

    /// A batch counts for every policy that there is; series go with theirs.
    fn time(&mut self, posture: &Posture, took: Duration) {
        let is_gone = |name: &String| !posture.policies.contains_key(name);
        for name in self.timed.extract_if(.., |name| is_gone(name)) {
            // It has been made.
            let _ = self.duration.remove_label_values(&[&name]);
        }
        for name in posture.policies.keys() {
            self.duration
                .with_label_values(&[name])
                .observe(took.as_secs_f64());
            if !self.timed.contains(name) {
                self.timed.insert(name.clone());
            }
        }
    }

    /// The shortest interval of all policies; watches drive the audit, this is the safety net.
    fn interval(&self) -> Duration {
        const DEFAULT: Duration = Duration::from_mins(10);
        let policies = self.engine.inventory().table::<Policy>().iter();
        let intervals = policies.filter_map(|(_, row)| parse_interval(&row.spec.interval));
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
            tracing::warn!("{resource}: {now}; grant list and watch on it to the account that this runs as");
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
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};
    use std::time::Duration;

    use k8s_openapi::jiff::{SignedDuration, Timestamp};
    use prometheus::Registry;
    use serde_json::json;
    use tokio::sync::{mpsc, watch};
    use tokio::time::Instant;

    use super::{Loop, parse_interval};
    use crate::api::WaiverState;
    use crate::cluster::Observation;
    use crate::engine::{Engine, Posture};
    use crate::inventory::{Delta, ObjectKey};
    use crate::kinds::Kind;
    use crate::kinds::id_of;
    use crate::kinds::own::Policy;
    use crate::kinds::own::Waiver;
    use crate::publish::Freshness;

    /// A clock that goes with tokio's, and can be set.
    struct Wall {
        epoch: Timestamp,
        started: Instant,
        set_by: Arc<AtomicI64>,
    }

    impl Wall {
        fn now(&self) -> Timestamp {
            let went = SignedDuration::try_from(self.started.elapsed()).unwrap();
            self.epoch + went + SignedDuration::from_secs(self.set_by.load(Ordering::Relaxed))
        }
    }

    /// A loop with one waiver that ends so many seconds after the start, and what sets its clock.
    fn looping(
        ends_after: i64,
    ) -> (
        watch::Receiver<Arc<Posture>>,
        Arc<AtomicI64>,
        mpsc::Sender<crate::cluster::Observation>,
    ) {
        let epoch: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let waiver = json!({
            "metadata": {"name": "w", "creationTimestamp": epoch.to_string()},
            "spec": {
                "control": "FSP-KUST-001", "resources": [{"namespace": "flux-system"}],
                "reason": "accepted for a while", "owner": "us",
                "expires": (epoch + SignedDuration::from_secs(ends_after)).to_string(),
            },
        });
        let meta = crate::kinds::Meta::parse(&waiver.to_string()).unwrap();
        let row = Waiver::project(&meta, &waiver.to_string()).unwrap().unwrap();
        let mut engine = Engine::default();
        engine.waive([("w".to_owned(), row)]);
        let (send, receive) = mpsc::channel(1);
        let set_by = Arc::new(AtomicI64::new(0));
        let wall = Wall {
            epoch,
            started: Instant::now(),
            set_by: set_by.clone(),
        };
        let (engine, postures) = Loop::new(engine, receive, Freshness::default(), &Registry::new()).unwrap();
        tokio::spawn(engine.with_clock(Arc::new(move || wall.now())).run());
        (postures, set_by, send)
    }

    async fn becomes(postures: &mut watch::Receiver<Arc<Posture>>, state: WaiverState) {
        let is = |posture: &Arc<Posture>| posture.waivers.get("w").is_some_and(|it| it.state == state);
        postures.wait_for(is).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiver_ends_at_its_instant() {
        let started = Instant::now();
        let (mut postures, _, _observing) = looping(3600);
        becomes(&mut postures, WaiverState::Expired).await;
        let late = started.elapsed().checked_sub(Duration::from_hours(1)).unwrap();
        assert!(late <= Duration::from_millis(2), "{late:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_set_counts_within_a_second() {
        let (mut postures, set_by, _observing) = looping(3600);
        // Nothing was found that it is for.
        becomes(&mut postures, WaiverState::Unmatched).await;
        for (seconds, state) in [
            (7200, WaiverState::Expired),
            (0, WaiverState::Unmatched),
            (86400 * 365, WaiverState::Expired),
        ] {
            set_by.store(seconds, Ordering::Relaxed);
            let before = Instant::now();
            becomes(&mut postures, state).await;
            let late = before.elapsed();
            assert!(late <= Duration::from_millis(1002), "{late:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_published_while_nothing_ends() {
        let (mut postures, _, _observing) = looping(3600);
        becomes(&mut postures, WaiverState::Unmatched).await;
        // The loop has looked at the clock for the first time.
        tokio::time::sleep(Duration::from_secs(1)).await;
        postures.mark_unchanged();
        tokio::time::sleep(Duration::from_mins(9)).await;
        assert!(!postures.has_changed().unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn the_interval_of_a_policy_counts_as_soon_as_it_is_known() {
        let (mut postures, _, observing) = looping(3600);
        let policy = r#"{"metadata": {"name": "default"}, "spec": {"interval": "1m"}}"#;
        let meta = crate::kinds::Meta::parse(policy).unwrap();
        let kind = id_of::<Policy>();
        let row = kind.entry().project(&meta, policy).unwrap().unwrap();
        let delta = Delta::Upsert(kind, ObjectKey::new("", "default"), row);
        let seen = Instant::now();
        observing.send(Observation { delta, seen }).await.unwrap();
        postures
            .wait_for(|posture| posture.policies.contains_key("default"))
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        postures.mark_unchanged();
        tokio::time::sleep(Duration::from_mins(1)).await;
        assert!(postures.has_changed().unwrap());
    }

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
