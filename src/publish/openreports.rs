//! The report once more, as OpenReports: for dashboards that read what other engines write. Off unless a policy asks for
//! it, never the source of anything, and no part of what makes an audit successful.
//!
//! What is there is listed once; from then on an object is written when its results change. Nobody watches them: what
//! others do to one is taken back with its next change.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use serde_json::Value;
use tokio::time::Instant;

use super::objects::{Hashes, PublishError};
use super::slot::Slot;
use super::{AT_ONCE, Writer};
use crate::api::ReportStatus;
use crate::engine::PolicyPosture;
use crate::render::openreports;
use crate::render::report::Hindrance;

/// How often the kinds are looked for while they are not served.
const LOOK: Duration = Duration::from_mins(1);
const NO_KINDS: &str =
    "their kinds are not served: install the CustomResourceDefinitions of openreports.io/v1alpha1";

/// The OpenReports of one policy.
#[derive(Default)]
pub(super) struct OpenReports {
    /// Those that are there, by namespace; the ClusterReport has none. `None`: nobody has looked as yet.
    known: Option<BTreeMap<String, Known>>,
    /// Of looking.
    slot: Slot,
    /// Whether it was said that there is no such kind.
    is_said: bool,
    /// Until when not to look again.
    rests: Option<Instant>,
    /// Whether they were asked for the last time.
    was_wanted: bool,
    /// The version of the report that they are of.
    of: String,
    /// Whether there is more to do.
    is_pending: bool,
}

#[derive(Default)]
struct Known {
    /// Of its results; empty when it is not as we made it.
    hash: String,
    slot: Slot,
}

impl OpenReports {
    /// Why they are not as they should be.
    pub(super) fn hindrance(&self) -> Option<Hindrance> {
        if self.is_said {
            return Some(Hindrance {
                reason: "SinkMissing",
                message: NO_KINDS.to_owned(),
            });
        }
        let there = self.known.iter().flat_map(BTreeMap::values);
        let mut slots = there.map(|known| &known.slot).chain([&self.slot]);
        slots.find_map(|slot| slot.hindrance.clone())
    }
}

/// A namespace, what is known of it, and when to go on, if there is more to do.
type Ended = (String, Option<Known>, Option<Instant>);

impl Writer {
    /// Writes the OpenReports that differ, and removes those that nobody asks for; tells when to go on, if there is more
    /// to do.
    pub(super) async fn publish_open_reports(
        &self,
        policy: &PolicyPosture,
        known: &mut OpenReports,
        report: &ReportStatus,
        version: &str,
    ) -> Option<Instant> {
        let is_wanted = policy.policy.spec.outputs.open_reports;
        if std::mem::replace(&mut known.was_wanted, is_wanted) != is_wanted {
            known.rests = None;
            known.is_said = false;
            if is_wanted {
                // The kinds may be served by now.
                known.known = None;
            }
        }
        if known.known.is_none() {
            let until = known.rests.filter(|until| *until > Instant::now());
            if until.is_some() {
                return until;
            }
            let later = if is_wanted {
                let mut slot = std::mem::take(&mut known.slot);
                let look = async |_: &mut Slot| self.look_at_open_reports(policy, known, true).await;
                let later = self.attend(&mut slot, policy, "", look).await;
                known.slot = slot;
                later
            } else {
                // Nobody waits for what may have to be removed.
                let looked = self.look_at_open_reports(policy, known, false).await;
                looked.err().map(|_| Instant::now() + LOOK)
            };
            if let Some(later) = later {
                known.rests = Some(later);
                return Some(later);
            }
        }
        let there = known.known.as_mut()?;
        let is_done = if is_wanted {
            known.of == version
        } else {
            there.is_empty()
        };
        if is_done && !known.is_pending {
            return None;
        }
        let wanted = if is_wanted {
            openreports::owned(&policy.name, &policy.policy.uid, report)
        } else {
            BTreeMap::new()
        };
        let mut begun: Vec<BoxFuture<'_, Ended>> = Vec::new();
        let gone: Vec<String> = there
            .keys()
            .filter(|namespace| !wanted.contains_key(*namespace))
            .cloned()
            .collect();
        for namespace in gone {
            let of = there.remove(&namespace).unwrap_or_default();
            begun.push(self.remove_open_report(policy, namespace, of).boxed());
        }
        for (namespace, object) in wanted {
            let is_there = there
                .get(&namespace)
                .is_some_and(|it| it.hash == openreports::hash(&object));
            if !is_there {
                let of = there.remove(&namespace).unwrap_or_default();
                begun.push(self.write_open_report(policy, namespace, of, object).boxed());
            }
        }
        let mut next: Option<Instant> = None;
        let mut ended = futures::stream::iter(begun).buffer_unordered(AT_ONCE);
        while let Some((namespace, of, later)) = ended.next().await {
            next = next.into_iter().chain(later).min();
            if let Some(of) = of {
                there.insert(namespace, of);
            }
        }
        version.clone_into(&mut known.of);
        known.is_pending = next.is_some();
        next
    }

    /// Sees what is there. The kinds may not be served, and who asks for nothing may not read them.
    async fn look_at_open_reports(
        &self,
        policy: &PolicyPosture,
        known: &mut OpenReports,
        is_wanted: bool,
    ) -> Result<Option<Instant>, PublishError> {
        if !self.objects.serves_open_reports().await? {
            if !is_wanted {
                known.known = Some(BTreeMap::new());
                return Ok(None);
            }
            if !std::mem::replace(&mut known.is_said, true) {
                tracing::warn!(
                    policy = policy.name,
                    "spec.outputs.openReports asks for OpenReports: {NO_KINDS}"
                );
            }
            return Ok(Some(Instant::now() + LOOK));
        }
        known.is_said = false;
        let hashes = match self.objects.open_reports_of(policy).await {
            Err(error) if error.is_refusal() && !is_wanted => Hashes::new(),
            hashes => hashes?,
        };
        let there = hashes.into_iter().map(|(namespace, hash)| {
            let slot = Slot::default();
            (namespace, Known { hash, slot })
        });
        known.known = Some(there.collect());
        known.of.clear();
        Ok(None)
    }

    async fn write_open_report(
        &self,
        policy: &PolicyPosture,
        namespace: String,
        mut of: Known,
        object: Value,
    ) -> Ended {
        let mut is_written = false;
        let work = async |slot: &mut Slot| {
            self.objects.write_open_report(&namespace, slot, &object).await?;
            self.counters.written();
            is_written = true;
            Ok(None)
        };
        let later = self.attend(&mut of.slot, policy, &namespace, work).await;
        if is_written {
            openreports::hash(&object).clone_into(&mut of.hash);
        }
        (namespace, Some(of), later)
    }

    async fn remove_open_report(&self, policy: &PolicyPosture, namespace: String, mut of: Known) -> Ended {
        let work = async |_: &mut Slot| {
            self.objects.delete_open_report(&namespace, &policy.name).await?;
            Ok(None)
        };
        let later = self.attend(&mut of.slot, policy, &namespace, work).await;
        (namespace, later.map(|_| of), later)
    }
}
