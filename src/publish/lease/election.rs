//! Who leads, decided without I/O: client-go's algorithm (`tools/leaderelection`).
//!
//! Candidates race for one Lease. Every write carries the version that was seen last, so that of two writers one
//! loses. How long a lease is good for is measured from the moment a candidate *sees it change*, on its own monotonic
//! clock; the time stamps in the Lease are for people, and the clocks of other machines may say what they like.
//!
//! Why there is one leader at most: a holder counts from when it *starts* a renewal, a candidate from when it *sees*
//! that renewal, which is later, and the holder counts the shorter time ([`Timing`]).

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::{Leadership, Timing};

/// What is to be done now.
#[derive(Debug)]
pub(super) enum Step {
    /// Read the Lease.
    Look,
    /// Write this Lease: create it when it has no version, replace it otherwise.
    Write(Box<Lease>),
    /// Nothing until then, unless the Lease is said to have changed.
    Wait(Instant),
}

/// One candidate's view of the election.
#[derive(Debug)]
pub(super) struct Election {
    name: String,
    identity: String,
    timing: Timing,
    view: Option<View>,
    until: Option<Instant>,
    /// No write before.
    write_at: Instant,
    /// The next look, unless a write comes first.
    look_at: Instant,
    pauses: Pauses,
}

/// The Lease as it was read or written last.
#[derive(Debug)]
struct View {
    /// `None` when there is no such object. What it said counts on: who deletes a Lease ends nobody's lead.
    metadata: Option<ObjectMeta>,
    spec: LeaseSpec,
    /// When the spec was first seen like this.
    since: Instant,
}

impl Election {
    /// A candidate that has seen nothing yet.
    pub(super) fn new(name: &str, identity: &str, timing: Timing, now: Instant) -> Self {
        Self {
            name: name.to_owned(),
            identity: identity.to_owned(),
            timing,
            view: None,
            until: None,
            write_at: now,
            look_at: now,
            pauses: Pauses::default(),
        }
    }

    /// What is to be done now. `wall` goes into the Lease and is never compared with another clock's.
    pub(super) fn step(&self, now: Instant, wall: Timestamp) -> Step {
        let Some(view) = &self.view else {
            return self.look_or_wait(now, self.look_at);
        };
        let write_at = self.write_at.max(self.free_at(view));
        // A holder has no time to lose; anybody else looks again before it takes over.
        let looks_first = !self.is_mine() && now >= self.look_at;
        if now >= write_at && !looks_first {
            return Step::Write(Box::new(self.claim(view, wall)));
        }
        self.look_or_wait(now, write_at)
    }

    fn look_or_wait(&self, now: Instant, write_at: Instant) -> Step {
        if now >= self.look_at {
            return Step::Look;
        }
        Step::Wait(write_at.min(self.look_at))
    }

    /// A look at the Lease has found this.
    pub(super) fn observe(&mut self, found: Option<Lease>, now: Instant) {
        let known = self.view.take();
        let (metadata, spec) = match (found, &known) {
            (Some(lease), _) => (Some(lease.metadata), lease.spec.unwrap_or_default()),
            (None, Some(known)) => (None, known.spec.clone()),
            (None, None) => (None, LeaseSpec::default()),
        };
        let same = known.filter(|known| known.spec == spec);
        // News make an earlier failure to write one of the past.
        if same.as_ref().map(|known| known.metadata.is_some()) != Some(metadata.is_some()) {
            self.write_at = now;
        }
        let since = same.map_or(now, |known| known.since);
        self.view = Some(View {
            metadata,
            spec,
            since,
        });
        if !self.is_mine() {
            self.until = None;
        }
        self.look_at = now + self.pauses.around(self.timing.retry);
    }

    /// Our write, started then, was accepted.
    pub(super) fn wrote(&mut self, lease: Lease, started: Instant, now: Instant) {
        self.observe(Some(lease), now);
        if !self.is_mine() {
            return;
        }
        self.until = Some(started + self.timing.renew_deadline);
        self.write_at = started + self.timing.retry;
        self.look_at = started + self.timing.lease;
    }

    /// Our write, started then, met a version that we have not seen.
    pub(super) fn lost_race(&mut self, started: Instant, now: Instant) {
        self.look_at = now;
        self.write_at = started + self.pauses.around(self.timing.retry);
    }

    /// A request, started then, came to nothing, as far as we know.
    pub(super) fn failed(&mut self, started: Instant) {
        let again = started + self.pauses.around(self.timing.retry);
        self.look_at = again;
        self.write_at = self.write_at.max(again);
    }

    /// The Lease is said to have this version: worth a look when it is not the one that we know.
    pub(super) fn notice(&mut self, version: Option<&str>, now: Instant) {
        let known = self.view.as_ref().map(View::version);
        if known != Some(version) {
            self.look_at = now;
        }
    }

    /// Gives the lead up; the Lease to write when it was ours (client-go's `release`).
    pub(super) fn resign(&mut self, wall: Timestamp) -> Option<Lease> {
        self.until = None;
        let view = self.view.as_ref().filter(|_| self.is_mine())?;
        let now = renewed(&view.spec, wall);
        Some(Lease {
            metadata: view.metadata.clone()?,
            spec: Some(LeaseSpec {
                holder_identity: Some(String::new()),
                lease_duration_seconds: Some(1),
                acquire_time: Some(now.clone()),
                renew_time: Some(now),
                lease_transitions: view.spec.lease_transitions,
                ..LeaseSpec::default()
            }),
        })
    }

    /// Whether, and until when, this candidate leads.
    pub(super) fn leadership(&self, now: Instant) -> Leadership {
        Leadership {
            until: self.until.filter(|until| now < *until),
        }
    }

    /// Who holds the Lease, as far as is known; empty when nobody does.
    pub(super) fn holder(&self) -> &str {
        let spec = self.view.as_ref().map(|view| &view.spec);
        spec.and_then(|spec| spec.holder_identity.as_deref())
            .unwrap_or_default()
    }

    /// Whether the Lease names us, which alone makes no leader.
    pub(super) fn is_mine(&self) -> bool {
        self.holder() == self.identity
    }

    /// When the Lease may be written by us: a past instant when it is ours or nobody's.
    fn free_at(&self, view: &View) -> Instant {
        if self.is_mine() || self.holder().is_empty() {
            return view.since;
        }
        let seconds = view
            .spec
            .lease_duration_seconds
            .and_then(|it| u64::try_from(it).ok());
        view.since + seconds.map_or(self.timing.lease, Duration::from_secs)
    }

    /// The Lease with us as its holder.
    fn claim(&self, view: &View, wall: Timestamp) -> Lease {
        let now = renewed(&view.spec, wall);
        let (acquired, transitions) = if self.is_mine() {
            (view.spec.acquire_time.clone(), view.spec.lease_transitions)
        } else {
            (Some(now.clone()), Some(view.next_transition()))
        };
        let metadata = view.metadata.clone().unwrap_or_else(|| ObjectMeta {
            name: Some(self.name.clone()),
            ..ObjectMeta::default()
        });
        Lease {
            metadata,
            spec: Some(LeaseSpec {
                holder_identity: Some(self.identity.clone()),
                lease_duration_seconds: Some(whole_seconds(self.timing.lease)),
                acquire_time: acquired,
                renew_time: Some(now),
                lease_transitions: transitions,
                ..LeaseSpec::default()
            }),
        }
    }
}

impl View {
    fn version(&self) -> Option<&str> {
        self.metadata.as_ref()?.resource_version.as_deref()
    }

    /// A first holder is no change of holders.
    fn next_transition(&self) -> i32 {
        match self.spec.lease_transitions {
            None if self.metadata.is_none() => 0,
            known => known.unwrap_or(0).saturating_add(1),
        }
    }
}

/// The time stamp of a write: another one than those before. The API server drops a write that changes nothing, and
/// with it the renewal; a clock that stands still would do that.
fn renewed(spec: &LeaseSpec, wall: Timestamp) -> MicroTime {
    const MICROSECOND: SignedDuration = SignedDuration::from_micros(1);
    let there = spec.renew_time.as_ref().map_or(Timestamp::MIN, |time| time.0);
    let ahead = there.duration_since(wall);
    let stands_still = ahead > -MICROSECOND && ahead < SignedDuration::from_secs(1);
    let later = there.checked_add(MICROSECOND);
    MicroTime(if stands_still { later.unwrap_or(wall) } else { wall })
}

/// Rounded up: others may wait longer than we lead, never shorter.
fn whole_seconds(duration: Duration) -> i32 {
    let seconds = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

/// Pauses of different length, so that candidates do not meet again and again.
#[derive(Debug, Default)]
struct Pauses {
    random: RandomState,
    drawn: u64,
}

impl Pauses {
    /// The pause, or up to a quarter more.
    fn around(&mut self, pause: Duration) -> Duration {
        self.drawn += 1;
        let [share, ..] = self.random.hash_one(self.drawn).to_le_bytes();
        pause + pause * u32::from(share) / 1024
    }
}

#[cfg(test)]
mod tests;
