//! The statuses of waivers: each is written when it changed, after the Events that tell of the change.
//!
//! The watch shows what is there, so that nothing has to be asked for. Until it shows our own write, that counts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use k8s_openapi::jiff::Timestamp;
use tokio::time::Instant;

use super::slot::{Held, PACE, Slot};
use super::{AT_ONCE, IDLE, Writer};
use crate::api::FluxSecurityWaiverStatus;
use crate::engine::{Posture, WaiverPosture, WaiverPostures};
use crate::failpoint::failpoint;
use crate::render::waivers;

/// What is published about waivers, as far as this process knows.
#[derive(Default)]
pub(super) struct Waivers {
    /// Those that were looked at.
    seen: Arc<WaiverPostures>,
    /// Those that were written, or could not be.
    known: BTreeMap<Arc<str>, Known>,
    /// Those that there is more to do about, whether they change or not.
    pending: BTreeSet<Arc<str>>,
}

#[derive(Default)]
struct Known {
    uid: String,
    slot: Slot,
    ours: Option<Ours>,
}

/// What we wrote.
#[derive(Clone)]
struct Ours {
    /// The version that the watch showed then. Once it shows another one, it knows better.
    over: String,
    version: String,
    status: FluxSecurityWaiverStatus,
}

/// A waiver, what is known of it, and when to go on, if there is more to do.
type Ended = (Arc<str>, Known, Option<Instant>);

impl Waivers {
    /// Writes what changed; tells when to come back at the latest.
    pub(super) async fn publish(&mut self, writer: &Writer, posture: &Posture) -> Instant {
        let waivers = &posture.waivers;
        let before = std::mem::replace(&mut self.seen, waivers.clone());
        for gone in before.news(waivers).filter(|it| waivers.get(&it.name).is_none()) {
            self.known.remove(&gone.name);
        }
        let pending = std::mem::take(&mut self.pending);
        let pending = pending.iter().filter_map(|name| waivers.get(name));
        let due: BTreeMap<&str, &Arc<WaiverPosture>> = waivers
            .news(&before)
            .chain(pending)
            .map(|waiver| (&*waiver.name, waiver))
            .collect();
        let mut begun: Vec<BoxFuture<'_, Ended>> = Vec::new();
        for waiver in due.into_values() {
            let known = self.known.remove(&waiver.name);
            let known = known.filter(|known| known.uid == waiver.row.uid);
            let mut known = known.unwrap_or_default();
            known.uid.clone_from(&waiver.row.uid);
            if known.next(waiver).is_none() {
                self.known.insert(waiver.name.clone(), known);
                continue;
            }
            let is_told = is_told(waiver, posture);
            let work = async move {
                let later = known.write(writer, waiver, is_told).await;
                (waiver.name.clone(), known, later)
            };
            begun.push(work.boxed());
        }
        let mut next = Instant::now() + IDLE;
        let mut ended = futures::stream::iter(begun).buffer_unordered(AT_ONCE);
        while let Some((name, known, later)) = ended.next().await {
            if let Some(later) = later {
                next = next.min(later);
                self.pending.insert(name.clone());
            }
            self.known.insert(name, known);
        }
        next
    }
}

/// Whether any policy that it is for tells of anything.
fn is_told(waiver: &WaiverPosture, posture: &Posture) -> bool {
    let mut policies = posture.policies.values();
    policies.any(|it| it.policy.spec.outputs.events && waiver.row.spec.is_for_policy(&it.name))
}

impl Known {
    /// What is there: its version, and what it says.
    fn there<'a>(&'a self, waiver: &'a WaiverPosture) -> (&'a str, Option<&'a FluxSecurityWaiverStatus>) {
        let watched = &waiver.row.published.resource_version;
        match &self.ours {
            Some(ours) if ours.over == *watched => (&ours.version, Some(&ours.status)),
            _ => (watched, waiver.row.status.as_ref()),
        }
    }

    /// What it should say; `None`: it does.
    fn next(&self, waiver: &WaiverPosture) -> Option<FluxSecurityWaiverStatus> {
        let (_, there) = self.there(waiver);
        let next = waivers::status(waiver, there, Timestamp::now());
        (there != Some(&next)).then_some(next)
    }

    /// Tells of the change and writes it, unless the waiver is to be left alone for now. Tells when to go on.
    async fn write(&mut self, writer: &Writer, waiver: &WaiverPosture, is_told: bool) -> Option<Instant> {
        let next = self.next(waiver)?;
        let (version, there) = self.there(waiver);
        let (version, there) = (version.to_owned(), there.cloned());
        let mut slot = std::mem::take(&mut self.slot);
        let mut ours = self.ours.take();
        let complain = |problem: &str, pause: Duration| {
            let name = &*waiver.name;
            tracing::warn!(
                waiver = name,
                "not published: {problem}; trying again in {pause:?}"
            );
        };
        let work = async |slot: &mut Slot| {
            if is_told {
                let notices = waivers::transitions(waiver, there.as_ref(), &next);
                let patience = slot.patience();
                let objects = &writer.objects;
                objects.tell(&notices, "", &writer.counters, patience).await?;
            }
            failpoint("waiver-told");
            slot.held = Some(Held {
                uid: waiver.row.uid.clone(),
                version,
            });
            if writer
                .objects
                .write_waiver(&waiver.name, slot, &next)
                .await?
                .is_none()
            {
                ours = None;
                return Ok(Some(Instant::now() + PACE));
            }
            writer.counters.written();
            let version = slot.held.as_ref().map(|held| held.version.clone());
            ours = Some(Ours {
                over: waiver.row.published.resource_version.clone(),
                version: version.unwrap_or_default(),
                status: next,
            });
            Ok(None)
        };
        let later = writer.try_on(&mut slot, complain, work).await;
        self.slot = slot;
        self.ours = ours;
        later
    }
}
