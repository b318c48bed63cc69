//! What to make of the failures of one kind's watch: when to try again, and when to stop trusting what is known.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use tokio::time::Instant;

/// How long a kind that was listed once is trusted while its watch fails. An API server restarts in less; what is
/// seen to change meanwhile is seen late, not lost.
const TRUST: Duration = Duration::from_secs(15);
/// The same while a server asks for patience: it is there, and whoever asks may ask. One that starts on a busy machine
/// reads what it watches for longer than it was away.
const TRUST_WHEN_THROTTLED: Duration = Duration::from_mins(1);
/// Failures in a row after which a kind that was never listed counts as failing.
const PATIENCE: u32 = 3;
/// First and last pause between attempts.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));
/// An answer that says itself when to come again, which the client has waited for.
const THROTTLED: u16 = 429;
/// Longest pause after such an answer. A server that has just started gives it while it reads what it watches.
const LONGEST_AFTER_THROTTLING: Duration = Duration::from_secs(2);
/// A version that is too old to go on from: no failure to see, the list that follows tells what is there now.
const EXPIRED: u16 = 410;
/// After this time without a failure the next one is the first: not after each success, or a watch that is refused
/// after each list would list without end.
const CALM: Duration = Duration::from_secs(30);

/// The failures of one kind's watch in a row.
pub(super) struct Trouble {
    /// Whether the table is complete, as far as the engine was told.
    pub(super) synced: bool,
    began: Option<Instant>,
    /// Whether the last failure was one of an API server that is away, or on its way back.
    away: bool,
    /// Whether the last failure was one of a server that has too much to do.
    throttled: bool,
    failures: u32,
    pause: Duration,
    tried_again: Instant,
}

impl Trouble {
    /// None so far.
    pub(super) fn none(now: Instant) -> Self {
        Self {
            synced: false,
            began: None,
            away: false,
            throttled: false,
            failures: 0,
            pause: PAUSE.0,
            tried_again: now,
        }
    }

    /// An attempt failed, with the status code of the answer when there was one. Tells whether what is known can be
    /// trusted no more.
    pub(super) fn failed(&mut self, code: Option<u16>, now: Instant) -> bool {
        if now.saturating_duration_since(self.tried_again) >= CALM {
            self.over();
            self.pause = PAUSE.0;
        }
        let began = *self.began.get_or_insert(now);
        self.failures += 1;
        self.away = !matches!(code, Some(404 | EXPIRED | THROTTLED));
        self.throttled = code == Some(THROTTLED);
        if code == Some(EXPIRED) {
            return false;
        }
        if self.synced {
            let trust = if self.throttled {
                TRUST_WHEN_THROTTLED
            } else {
                TRUST
            };
            return now.saturating_duration_since(began) >= trust;
        }
        is_refusal(code) || self.failures >= PATIENCE
    }

    /// The watch delivers again. True when that says that the API server is back.
    pub(super) const fn over(&mut self) -> bool {
        self.failures = 0;
        self.began = None;
        std::mem::replace(&mut self.away, false)
    }

    /// Whether there is no need to wait any longer than the API server is away. Not so when it asked for patience, or
    /// for another list: that would be a storm.
    pub(super) const fn waits_for_contact(&self) -> bool {
        self.away
    }

    /// How long to wait before the next attempt: twice as long as the last time, and not in step with others.
    pub(super) fn next_pause(&mut self, now: Instant) -> Duration {
        let longest = if self.throttled {
            LONGEST_AFTER_THROTTLING
        } else {
            PAUSE.1
        };
        let pause = self.pause.min(longest);
        self.pause = (pause * 2).min(longest);
        let pause = pause.mul_f64(1.0 - jitter() / 2.0);
        self.tried_again = now + pause;
        pause
    }

    /// The next attempt begins now.
    pub(super) const fn tries_again(&mut self, now: Instant) {
        self.tried_again = now;
    }
}

/// Whether the server knows who asks and says no, or does not know.
pub(super) const fn is_refusal(code: Option<u16>) -> bool {
    matches!(code, Some(401 | 403))
}

/// Between 0 and 1, another one each time.
pub(crate) fn jitter() -> f64 {
    let random = RandomState::new().hash_one(0_u8);
    f64::from(u32::try_from(random >> 32).unwrap_or_default()) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails every time after so long, and pauses in between; tells after how long it was not trusted any more.
    fn distrusted_after(trouble: &mut Trouble, start: Instant, each: Duration) -> Duration {
        let mut now = start;
        while !trouble.failed(None, now) {
            now += trouble.next_pause(now) + each;
        }
        now - start
    }

    #[test]
    fn a_listed_kind_is_trusted_for_a_while() {
        let start = Instant::now();
        let mut trouble = Trouble::none(start);
        trouble.synced = true;
        assert!(
            !trouble.failed(Some(403), start),
            "a refusal may be the API server's start"
        );
        let after = distrusted_after(&mut trouble, start, Duration::ZERO);
        assert!(after >= TRUST && after < TRUST * 2, "{after:?}");
    }

    #[test]
    fn a_server_that_asks_for_patience_gets_some() {
        let start = Instant::now();
        let mut trouble = Trouble::none(start);
        trouble.synced = true;
        assert!(!trouble.failed(None, start), "it is away");
        let mut now = start;
        while !trouble.failed(Some(THROTTLED), now) {
            now += trouble.next_pause(now);
        }
        let after = now - start;
        assert!(
            after >= TRUST_WHEN_THROTTLED && after < TRUST_WHEN_THROTTLED * 2,
            "{after:?}"
        );
    }

    #[test]
    fn a_kind_that_was_never_listed_is_not_waited_for() {
        let start = Instant::now();
        assert!(Trouble::none(start).failed(Some(403), start), "refused");
        let mut trouble = Trouble::none(start);
        let failed: Vec<bool> = (0..3).map(|_| trouble.failed(None, start)).collect();
        assert_eq!(failed, [false, false, true]);
    }

    #[test]
    fn a_version_that_is_too_old_is_no_reason_for_distrust() {
        let start = Instant::now();
        let mut trouble = Trouble::none(start);
        trouble.synced = true;
        assert!(!trouble.failed(None, start));
        assert!(!trouble.failed(Some(410), start + TRUST));
        assert!(trouble.failed(Some(500), start + TRUST));
    }

    #[test]
    fn pauses_grow_and_are_not_in_step() {
        let start = Instant::now();
        let mut trouble = Trouble::none(start);
        let pauses: Vec<Duration> = (0..8).map(|_| trouble.next_pause(start)).collect();
        for (pause, longest) in pauses.iter().zip([1, 2, 4, 8, 15, 15, 15, 15]) {
            let longest = Duration::from_secs(longest);
            assert!(*pause <= longest && *pause >= longest / 2, "{pauses:?}");
        }
        assert_ne!(pauses[6], pauses[7]);
    }

    /// The time that the server asked for has been waited for before.
    #[test]
    fn a_server_that_has_too_much_to_do_is_asked_again_soon() {
        let start = Instant::now();
        let mut trouble = Trouble::none(start);
        for _ in 0..5 {
            trouble.failed(Some(THROTTLED), start);
            assert!(trouble.next_pause(start) <= LONGEST_AFTER_THROTTLING);
        }
    }

    /// A watch that is refused right after each list.
    #[test]
    fn success_in_between_does_not_shorten_pauses() {
        let mut now = Instant::now();
        let mut trouble = Trouble::none(now);
        let mut attempts = 0;
        let end = now + Duration::from_mins(5);
        while now < end {
            trouble.failed(None, now);
            now += trouble.next_pause(now);
            trouble.over();
            attempts += 1;
        }
        assert!(attempts < 50, "{attempts} attempts in 5 minutes");
    }

    #[test]
    fn after_a_calm_time_the_next_failure_is_the_first() {
        let mut now = Instant::now();
        let mut trouble = Trouble::none(now);
        trouble.synced = true;
        for _ in 0..8 {
            trouble.failed(None, now);
            now += trouble.next_pause(now);
        }
        now += CALM;
        assert!(!trouble.failed(None, now));
        assert!(trouble.next_pause(now) <= PAUSE.0);
    }
}
