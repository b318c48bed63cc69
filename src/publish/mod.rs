//! Writes what changed, and only that: Events, the report, the namespace reports, the policy's status.
//!
//! Events are created before the report, under names that follow from the published report: after a crash in between
//! the same names are made again and meet what is there. Once the report is written, the change is told.

mod counters;
mod freshness;
pub mod lease;
mod objects;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use kube::Client;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::api::report::NamespaceReportStatus;
use crate::api::{FluxSecurityPolicyStatus, ReportStatus};
use crate::engine::{PolicyPosture, Posture};
use crate::render::{events, report};
pub use counters::Counters;
pub use freshness::Freshness;
use lease::Leadership;
use objects::Objects;

/// How long the first audit waits for the slowest kind; what is missing then is Unknown.
const PATIENCE: Duration = Duration::from_secs(30);
/// At most one write of a report in this time; the first one after quiet is immediate.
const PACE: Duration = Duration::from_secs(1);
/// First and last pause after a failed write.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));

/// Waits until this replica leads, or leads no more.
async fn turned(leadership: &mut watch::Receiver<Leadership>, leads: bool) {
    let ended = leadership
        .wait_for(|now| now.is_leader(Instant::now()) != leads)
        .await
        .is_err();
    if ended {
        // The elector has ended: whoever ended it ends the publisher too.
        std::future::pending::<()>().await;
    }
}

/// Publishes postures.
pub struct Publisher {
    objects: Objects,
    counters: Counters,
    freshness: Freshness,
    policies: BTreeMap<String, Published>,
    leadership: watch::Receiver<Leadership>,
}

/// What is published for one policy, as far as this process knows.
struct Published {
    uid: String,
    report: Option<ReportStatus>,
    report_uid: String,
    namespaces: BTreeMap<String, NamespaceReportStatus>,
    policy: Option<FluxSecurityPolicyStatus>,
    /// The versions of our own objects after our last write.
    versions: BTreeMap<(String, String), String>,
    not_before: Instant,
    pause: Duration,
    /// When the oldest change was seen that is not published yet.
    waiting: Option<Instant>,
}

impl Published {
    /// Our objects whose version, as the watch sees it, is not that of our last write: somebody else changed or
    /// deleted them, or the watch has not caught up yet. One look at the live object tells.
    fn touched(&self, posture: &Posture) -> Vec<(String, String)> {
        let differs =
            |(key, version): &(&(String, String), &String)| posture.published.get(*key) != Some(*version);
        self.versions
            .iter()
            .filter(differs)
            .map(|(key, _)| key.clone())
            .collect()
    }
}

impl Publisher {
    /// A publisher that has published nothing.
    #[must_use]
    pub fn new(
        client: Client,
        counters: Counters,
        freshness: Freshness,
        leadership: watch::Receiver<Leadership>,
    ) -> Self {
        Self {
            objects: Objects::new(client, leadership.clone()),
            counters,
            freshness,
            policies: BTreeMap::new(),
            leadership,
        }
    }

    /// Publishes until the token is cancelled; a write in flight is finished.
    pub async fn run(mut self, mut postures: watch::Receiver<Arc<Posture>>, stop: CancellationToken) {
        let started = Instant::now();
        let mut due = started;
        loop {
            let posture = postures.borrow_and_update().clone();
            let seen = self.freshness.take();
            for known in self.policies.values_mut() {
                known.waiting = known.waiting.or(seen);
            }
            let listed = posture.settled || started.elapsed() >= PATIENCE;
            let leads = self.leadership.borrow_and_update().is_leader(Instant::now());
            if !leads {
                // What another replica publishes meanwhile is read again when this one leads.
                self.policies.clear();
                self.counters.stand_by();
                due = Instant::now() + PATIENCE;
            } else if posture.policies_known && listed {
                due = self.publish(&posture).await;
            } else {
                due = due.max(Instant::now() + PACE);
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep_until(due) => {}
                changed = postures.changed() => if changed.is_err() { return },
                () = turned(&mut self.leadership, leads) => {}
            }
        }
    }

    /// Publishes what can be published now; tells when to come back at the latest.
    async fn publish(&mut self, posture: &Posture) -> Instant {
        self.forget(posture);
        let now = Instant::now();
        let mut next = now + Duration::from_hours(1);
        for policy in posture.policies.values() {
            let not_before = self
                .policies
                .get(&policy.name)
                .map_or(now, |known| known.not_before);
            if not_before > now {
                next = next.min(not_before);
                continue;
            }
            if let Err(error) = self.publish_policy(policy, posture).await {
                self.counters.failed();
                let known = self.policies.get_mut(&policy.name);
                let pause = known.map_or(PAUSE.0, |known| {
                    known.pause = (known.pause * 2).min(PAUSE.1);
                    known.not_before = Instant::now() + known.pause;
                    known.pause
                });
                tracing::warn!(policy = policy.name, error = %error, "not published; trying again in {pause:?}");
                next = next.min(Instant::now() + pause);
            }
        }
        next
    }

    async fn publish_policy(&mut self, policy: &PolicyPosture, posture: &Posture) -> Result<(), kube::Error> {
        let stale = self
            .policies
            .get(&policy.name)
            .is_none_or(|known| known.uid != policy.policy.uid);
        if stale {
            let known = self.load(policy, posture).await?;
            self.policies.insert(policy.name.clone(), known);
        }
        let Some(known) = self.policies.get_mut(&policy.name) else {
            return Ok(());
        };
        let now = Timestamp::now();
        if report::is_audited(policy) {
            let touched = known.touched(posture);
            let report_touched = touched.iter().any(|(namespace, _)| namespace.is_empty());
            self.objects.refresh_namespaces(policy, known, &touched).await?;
            let next = report::report(policy, known.report.as_ref(), now);
            let changed = known.report.as_ref() != Some(&next);
            if changed {
                self.objects.create_report(policy, known).await?;
                let previous = known.report.as_ref();
                let notices = events::transitions(&policy.name, &known.uid, previous, &next, policy);
                if policy.policy.spec.outputs.events {
                    self.objects
                        .tell(&notices, &known.report_uid, &self.counters)
                        .await;
                }
                self.counters
                    .transitions(&policy.name, known.report.as_ref(), &next);
            }
            let healed = !changed && report_touched && self.objects.was_edited(policy, known, &next).await?;
            if changed || healed {
                self.objects.create_report(policy, known).await?;
                self.objects.write_report(policy, known, next).await?;
                self.counters.written();
                self.counters
                    .told(&policy.name, known.waiting.filter(|_| changed));
                known.not_before = Instant::now() + PACE;
            }
            self.objects
                .write_namespaces(policy, known, now, &self.counters)
                .await?;
            known.waiting = None;
            self.counters.succeeded(&policy.name);
        }
        let status = report::policy_status(policy, known.policy.as_ref(), now);
        if known.policy.as_ref() != Some(&status) {
            let notice = events::policy_invalid(policy, known.policy.as_ref());
            self.objects.tell(notice.as_slice(), "", &self.counters).await;
            self.objects.write_policy(policy, &status).await?;
            known.policy = Some(status);
        }
        known.pause = PAUSE.0;
        Ok(())
    }

    /// Reads what an earlier process published: a restart repeats nothing.
    async fn load(&self, policy: &PolicyPosture, posture: &Posture) -> Result<Published, kube::Error> {
        let mut known = Published {
            uid: policy.policy.uid.clone(),
            report: None,
            report_uid: String::new(),
            namespaces: BTreeMap::new(),
            policy: None,
            versions: BTreeMap::new(),
            not_before: Instant::now(),
            pause: PAUSE.0,
            waiting: None,
        };
        self.objects.load(policy, posture, &mut known).await?;
        Ok(known)
    }

    /// Owner references remove the reports of a deleted policy; its series go here.
    fn forget(&mut self, posture: &Posture) {
        let gone: Vec<String> = self
            .policies
            .keys()
            .filter(|name| !posture.policies.contains_key(*name))
            .cloned()
            .collect();
        for name in gone {
            self.policies.remove(&name);
            self.counters.forget(&name);
        }
    }
}
