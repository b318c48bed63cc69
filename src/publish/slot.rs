//! One object that is published: what is known of it, and when it may be written again.

use std::time::Duration;

use tokio::time::Instant;

use super::objects::PublishError;
use super::outputs;
use crate::render::report::Hindrance;

/// At most one write of an object in this time; the first one after quiet is immediate.
pub(super) const PACE: Duration = Duration::from_secs(1);
/// Longest pause after a write that failed: the API server is away, slow or overloaded.
const LONGEST: Duration = Duration::from_secs(15);
/// Longest pause after a write that was refused: only a person can change that.
const LONGEST_REFUSED: Duration = Duration::from_mins(1);

/// One object that is published.
pub(super) struct Slot {
    /// The object as we saw it last; none while it does not exist.
    pub(super) held: Option<Held>,
    /// How often it was restored.
    pub(super) restorations: Damper,
    looked: Option<String>,
    /// Whether it is known not to be as it should be, whatever the watch shows.
    is_damaged: bool,
    not_before: Instant,
    pause: Duration,
    /// Why it is not as it should be, and will not be soon.
    pub(super) hindrance: Option<Hindrance>,
}

/// Whether a write may still wait for what accompanies it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    Left,
    /// It failed for half a minute.
    Exhausted,
}

/// An object that exists.
pub(super) struct Held {
    /// Unique id.
    pub(super) uid: String,
    /// Every write names it: one that somebody else overtook is refused.
    pub(super) version: String,
}

impl Default for Slot {
    fn default() -> Self {
        Self {
            held: None,
            restorations: Damper::default(),
            looked: None,
            is_damaged: false,
            not_before: Instant::now(),
            pause: Duration::ZERO,
            hindrance: None,
        }
    }
}

impl Slot {
    /// The slot of an object that is there already: as we left it, or with another owner or other labels.
    pub(super) fn holding(held: Held, is_ours: bool) -> Self {
        Self {
            held: Some(held),
            is_damaged: !is_ours,
            ..Self::default()
        }
    }

    /// Until when it is to be left alone.
    pub(super) fn rests(&self, now: Instant) -> Option<Instant> {
        (self.not_before > now).then_some(self.not_before)
    }

    /// What our write made of it.
    pub(super) fn written(&mut self, held: Held) {
        self.held = Some(held);
        self.looked = None;
        self.not_before = Instant::now() + PACE;
    }

    /// Nothing is left to do for now.
    pub(super) fn succeeded(&mut self) {
        self.pause = Duration::ZERO;
        self.hindrance = None;
    }

    /// Puts down what failed, if that lasts: somebody else who writes at the same time does not.
    pub(super) fn hindered_by(&mut self, error: &PublishError) {
        let is_lasting = error.is_refusal() && !error.is_conflict();
        if is_lasting || self.patience() == Patience::Exhausted {
            self.hindrance = outputs::hindrance(error, self.hindrance.take());
        }
    }

    /// How long to leave it alone after a failure: twice as long as after the one before.
    pub(super) fn failed(&mut self, refused: bool) -> Duration {
        let longest = if refused { LONGEST_REFUSED } else { LONGEST };
        self.pause = (self.pause * 2).clamp(PACE, longest);
        self.not_before = Instant::now() + self.pause;
        self.pause
    }

    /// Whether what accompanies a write may hold it up any longer.
    pub(super) fn patience(&self) -> Patience {
        if self.pause < LONGEST {
            Patience::Left
        } else {
            Patience::Exhausted
        }
    }

    /// Whether the watch shows another version than ours: somebody else changed or deleted the object, or the watch
    /// has not caught up yet. One look at the live object tells.
    pub(super) fn is_touched(&self, watched: Option<&str>) -> bool {
        let held = self.held.as_ref().map(|held| held.version.as_str());
        self.is_damaged || held != watched && self.looked.as_deref() != Some(watched.unwrap_or_default())
    }

    /// The live object was looked at while the watch showed this version; it is as it should be, or has to be restored.
    pub(super) fn looked(&mut self, watched: Option<&str>, intact: bool) {
        self.looked = Some(watched.unwrap_or_default().to_owned());
        self.is_damaged = !intact;
    }

    /// It was restored.
    pub(super) fn restored(&mut self) {
        self.is_damaged = false;
        self.restorations.took_place(Instant::now());
    }
}

/// Damps a fight with another writer: three restorations at once, then one a minute.
pub(super) struct Damper {
    /// When as much time has passed as the restorations so far are worth.
    free: Instant,
}

impl Default for Damper {
    fn default() -> Self {
        Self { free: Instant::now() }
    }
}

impl Damper {
    const INTERVAL: Duration = Duration::from_mins(1);
    const BURST: u32 = 3;

    /// Until when there is to be no restoration.
    pub(super) fn rests(&self, now: Instant) -> Option<Instant> {
        let allowance = Self::INTERVAL * (Self::BURST - 1);
        (self.free > now + allowance).then(|| self.free - allowance)
    }

    /// A restoration took place.
    pub(super) fn took_place(&mut self, now: Instant) {
        self.free = self.free.max(now) + Self::INTERVAL;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_fight_is_damped_to_one_restoration_a_minute() {
        let start = Instant::now();
        let mut damper = Damper { free: start };
        let mut restored = Vec::new();
        for second in 0..600 {
            let now = start + Duration::from_secs(second);
            if damper.rests(now).is_none() {
                damper.took_place(now);
                restored.push(second);
            }
        }
        assert_eq!(restored, [0, 1, 2, 60, 120, 180, 240, 300, 360, 420, 480, 540]);
    }

    #[test]
    fn a_fight_that_ended_is_forgotten() {
        let start = Instant::now();
        let mut damper = Damper { free: start };
        for _ in 0..3 {
            damper.took_place(start);
        }
        assert_eq!(damper.rests(start), Some(start + Duration::from_mins(1)));
        let later = start + Duration::from_mins(3);
        assert_eq!(damper.rests(later), None);
        damper.took_place(later);
        damper.took_place(later);
        assert_eq!(damper.rests(later), None, "three at once again");
    }

    #[test]
    fn pauses_double_up_to_a_bound_and_start_again_after_a_success() {
        let mut slot = Slot::default();
        let pauses: Vec<u64> = (0..6).map(|_| slot.failed(false).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 15, 15]);
        slot.succeeded();
        let pauses: Vec<u64> = (0..8).map(|_| slot.failed(true).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
    }

    #[test]
    fn one_look_tells_whether_a_version_of_the_watch_is_news() {
        let held = |version: &str| Held {
            uid: "u".to_owned(),
            version: version.to_owned(),
        };
        let mut slot = Slot::holding(held("7"), true);
        assert!(!slot.is_touched(Some("7")));
        assert!(slot.is_touched(Some("6")), "the watch lags, or somebody wrote");
        slot.looked(Some("6"), true);
        assert!(!slot.is_touched(Some("6")), "looked at already");
        assert!(slot.is_touched(Some("8")));
        slot.looked(None, true);
        assert!(
            !slot.is_touched(None),
            "a kind that is not watched is looked at once"
        );
        slot.written(held("9"));
        assert!(slot.is_touched(None));
    }

    #[test]
    fn a_restoration_that_fails_is_not_forgotten() {
        let mut slot = Slot::default();
        slot.looked(None, false);
        assert!(
            slot.is_touched(None),
            "nothing is there, and nothing was made yet"
        );
        slot.restored();
        assert!(!slot.is_touched(None));
    }
}
