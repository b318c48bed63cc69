//! The decisions one by one, and many candidates in a simulated cluster that loses, delays and suspends.

use proptest::prelude::*;
use tokio::time::advance;

use super::*;

const T: Timing = Timing::DEFAULT;
const NOON: Timestamp = Timestamp::constant(1_800_000_000, 0);

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const MOMENT: Duration = Duration::from_nanos(1);

/// A moment less.
const fn just_before(duration: Duration) -> Duration {
    duration.saturating_sub(MOMENT)
}

fn candidate(identity: &str, now: Instant) -> Election {
    Election::new("lease", identity, T, now)
}

/// The Lease of an API server: one writer of a version wins.
#[derive(Default)]
struct Server {
    lease: Option<Lease>,
    version: u64,
}

impl Server {
    fn put(&mut self, mut lease: Lease) -> Option<Lease> {
        let current = self
            .lease
            .as_ref()
            .and_then(|it| it.metadata.resource_version.as_ref());
        if current != lease.metadata.resource_version.as_ref() {
            return None;
        }
        if self.lease.as_ref().map(|it| &it.spec) != Some(&lease.spec) {
            self.version += 1;
        }
        lease.metadata.resource_version = Some(self.version.to_string());
        self.lease = Some(lease.clone());
        Some(lease)
    }

    fn spec(&self) -> LeaseSpec {
        self.lease.clone().and_then(|lease| lease.spec).unwrap()
    }
}

/// Does what is to be done now, with a server that answers at once; tells when to come back.
fn act(candidate: &mut Election, server: &mut Server, wall: Timestamp) -> Instant {
    let now = Instant::now();
    loop {
        match candidate.step(now, wall) {
            Step::Wait(until) => return until,
            Step::Look => candidate.observe(server.lease.clone(), now),
            Step::Write(lease) => match server.put(*lease) {
                Some(lease) => candidate.wrote(lease, now, now),
                None => candidate.lost_race(now, now),
            },
        }
    }
}

fn leads(candidate: &Election) -> bool {
    let now = Instant::now();
    candidate.leadership(now).is_leader(now)
}

#[tokio::test(start_paused = true)]
async fn the_first_creates_the_lease_and_renews_it() {
    let (mut server, mut first) = (Server::default(), candidate("first", Instant::now()));
    let renewal = act(&mut first, &mut server, NOON);
    assert!(leads(&first));
    assert_eq!(renewal, Instant::now() + T.retry);
    let created = server.spec();
    assert_eq!(created.holder_identity.as_deref(), Some("first"));
    assert_eq!(created.lease_duration_seconds, Some(15));
    assert_eq!(created.lease_transitions, Some(0));
    assert_eq!(created.acquire_time, created.renew_time);

    advance(T.retry).await;
    let later = NOON + SignedDuration::from_secs(2);
    act(&mut first, &mut server, later);
    let renewed = server.spec();
    assert_eq!(renewed.renew_time, Some(MicroTime(later)));
    assert_eq!(renewed.acquire_time, created.acquire_time);
    assert_eq!(renewed.lease_transitions, Some(0));
    let until = first.leadership(Instant::now()).until;
    assert_eq!(until, Some(Instant::now() + T.renew_deadline));
}

#[tokio::test(start_paused = true)]
async fn another_takes_over_exactly_when_the_lease_has_run_out() {
    let (mut server, mut first) = (Server::default(), candidate("first", Instant::now()));
    act(&mut first, &mut server, NOON);
    advance(seconds(1)).await;
    let (mut second, seen) = (candidate("second", Instant::now()), Instant::now());
    act(&mut second, &mut server, NOON);

    advance(just_before(T.renew_deadline.saturating_sub(seconds(1)))).await;
    assert!(leads(&first), "one that cannot renew leads up to its deadline");
    advance(MOMENT).await;
    assert!(!leads(&first), "and not longer");

    advance(just_before(seen + T.lease - Instant::now())).await;
    assert_eq!(act(&mut second, &mut server, NOON), seen + T.lease);
    assert!(!leads(&second));
    advance(MOMENT).await;
    act(&mut second, &mut server, NOON);
    assert!(leads(&second));
    assert_eq!(server.spec().lease_transitions, Some(1));
}

#[tokio::test(start_paused = true)]
async fn clocks_of_others_mean_nothing() {
    let hour = SignedDuration::from_hours(1);
    for wall in [NOON - hour, NOON + hour] {
        let (mut server, mut first) = (Server::default(), candidate("first", Instant::now()));
        let mut second = candidate("second", Instant::now());
        act(&mut first, &mut server, NOON);
        for _ in 0..60 {
            act(&mut second, &mut server, wall);
            advance(seconds(1)).await;
            act(&mut first, &mut server, NOON);
            assert!(leads(&first) && !leads(&second));
        }
        let version = server.version.to_string();
        second.notice(Some(&version), Instant::now());
        act(&mut second, &mut server, wall);
        advance(T.lease).await;
        act(&mut second, &mut server, wall);
        assert!(leads(&second) && !leads(&first));
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_stands_still_renews_nevertheless() {
    let (mut server, mut first) = (Server::default(), candidate("first", Instant::now()));
    for round in 1..5 {
        act(&mut first, &mut server, NOON);
        assert_eq!(server.version, round);
        advance(T.retry).await;
    }
}

#[tokio::test(start_paused = true)]
async fn changes_beside_the_spec_keep_nobody_out() {
    let (mut server, mut first) = (Server::default(), candidate("first", Instant::now()));
    let mut second = candidate("second", Instant::now());
    act(&mut first, &mut server, NOON);
    act(&mut second, &mut server, NOON);
    for round in 0..15 {
        advance(seconds(1)).await;
        let lease = server.lease.as_mut().unwrap();
        lease.metadata.resource_version = Some(format!("labelled {round}"));
        second.notice(Some("labelled"), Instant::now());
        act(&mut second, &mut server, NOON);
    }
    assert!(leads(&second));
}

#[tokio::test(start_paused = true)]
async fn a_renewal_without_an_answer_does_not_prolong() {
    let (mut server, mut first) = (Server::default(), candidate("first", Instant::now()));
    act(&mut first, &mut server, NOON);
    let until = first.leadership(Instant::now()).until;
    advance(T.retry).await;
    let started = Instant::now();
    let Step::Write(lease) = first.step(started, NOON) else {
        panic!("no renewal is due")
    };
    server.put(*lease).unwrap();
    advance(T.request()).await;
    first.failed(started);
    assert_eq!(first.leadership(Instant::now()).until, until);
    assert!(
        matches!(first.step(Instant::now(), NOON), Step::Write(_)),
        "the pause is over"
    );

    // The next one meets the version that the first one made.
    act(&mut first, &mut server, NOON);
    assert_eq!(
        first.leadership(Instant::now()).until,
        Some(Instant::now() + T.renew_deadline)
    );
}

#[tokio::test(start_paused = true)]
async fn failures_are_followed_by_a_pause() {
    let mut first = candidate("first", Instant::now());
    let mut pauses = Vec::new();
    for _ in 0..20 {
        let started = Instant::now();
        assert!(matches!(first.step(started, NOON), Step::Look));
        first.failed(started);
        let Step::Wait(until) = first.step(started, NOON) else {
            panic!("no pause")
        };
        pauses.push(until - started);
        advance(until - started).await;
    }
    assert!(
        pauses
            .iter()
            .all(|pause| (T.retry..T.retry * 5 / 4).contains(pause))
    );
    assert!(pauses.iter().any(|pause| *pause != pauses[0]));
}

#[tokio::test(start_paused = true)]
async fn one_that_was_suspended_leads_no_more() {
    let (mut server, mut zombie) = (Server::default(), candidate("zombie", Instant::now()));
    act(&mut zombie, &mut server, NOON);
    let mut second = candidate("second", Instant::now());
    act(&mut second, &mut server, NOON);
    advance(seconds(60)).await;
    act(&mut second, &mut server, NOON);
    assert!(leads(&second));
    assert!(!leads(&zombie), "before it has noticed anything");
    act(&mut zombie, &mut server, NOON);
    assert!(!leads(&zombie));
    assert_eq!(zombie.holder(), "second");
}

#[tokio::test(start_paused = true)]
async fn one_that_was_suspended_as_a_candidate_meets_the_renewals() {
    let (mut server, mut first) = (Server::default(), candidate("first", Instant::now()));
    act(&mut first, &mut server, NOON);
    let mut second = candidate("second", Instant::now());
    act(&mut second, &mut server, NOON);
    for _ in 0..30 {
        advance(T.retry).await;
        act(&mut first, &mut server, NOON);
    }
    let woken = second.step(Instant::now(), NOON);
    assert!(matches!(woken, Step::Look), "it has seen no renewal for a minute");
    act(&mut second, &mut server, NOON);
    assert!(leads(&first) && !leads(&second));
}

#[tokio::test(start_paused = true)]
async fn of_two_that_take_over_at_once_one_wins() {
    let (mut server, mut first) = (Server::default(), candidate("first", Instant::now()));
    act(&mut first, &mut server, NOON);
    let others = ["second", "third"].map(|identity| candidate(identity, Instant::now()));
    let [mut second, mut third] = others;
    act(&mut second, &mut server, NOON);
    act(&mut third, &mut server, NOON);
    server.put(first.resign(NOON).unwrap()).unwrap();
    let now = Instant::now();
    second.observe(server.lease.clone(), now);
    third.observe(server.lease.clone(), now);
    act(&mut second, &mut server, NOON);
    assert!(matches!(third.step(now, NOON), Step::Write(_)));
    act(&mut third, &mut server, NOON);
    assert!(leads(&second) && !leads(&third));
    assert_eq!(third.holder(), "second");
}

#[tokio::test(start_paused = true)]
async fn a_lead_that_was_interrupted_goes_on_when_nobody_took_it() {
    let (mut server, mut first) = (Server::default(), candidate("first", Instant::now()));
    act(&mut first, &mut server, NOON);
    advance(seconds(60)).await;
    assert!(!leads(&first));
    act(&mut first, &mut server, NOON);
    assert!(leads(&first));
    assert_eq!(server.spec().lease_transitions, Some(0));
}

#[tokio::test(start_paused = true)]
async fn a_released_lease_is_taken_at_once() {
    let (mut server, mut first) = (Server::default(), candidate("first", Instant::now()));
    let mut second = candidate("second", Instant::now());
    act(&mut first, &mut server, NOON);
    act(&mut second, &mut server, NOON);
    assert_eq!(second.resign(NOON), None, "what another holds is not released");

    let released = first.resign(NOON).unwrap();
    assert!(!leads(&first), "before the release is written");
    let spec = released.spec.as_ref().unwrap();
    assert_eq!(spec.holder_identity.as_deref(), Some(""));
    assert_eq!(spec.lease_duration_seconds, Some(1));
    assert_eq!(spec.lease_transitions, Some(0));
    server.put(released).unwrap();

    act(&mut second, &mut server, NOON);
    assert!(!leads(&second), "nobody has told it");
    let version = server.version.to_string();
    second.notice(Some(&version), Instant::now());
    act(&mut second, &mut server, NOON);
    assert!(leads(&second));
    assert_eq!(server.spec().lease_transitions, Some(1));
    second.notice(server.version.to_string().as_str().into(), Instant::now());
    assert!(
        matches!(second.step(Instant::now(), NOON), Step::Wait(_)),
        "its own write is no news"
    );
}

#[tokio::test(start_paused = true)]
async fn a_deleted_lease_ends_nobodys_lead() {
    let (mut server, mut first) = (Server::default(), candidate("first", Instant::now()));
    let mut second = candidate("second", Instant::now());
    act(&mut first, &mut server, NOON);
    act(&mut second, &mut server, NOON);
    server.lease = None;
    second.notice(None, Instant::now());
    act(&mut second, &mut server, NOON);
    assert!(!leads(&second));
    advance(T.retry).await;
    act(&mut first, &mut server, NOON);
    assert!(leads(&first));
    assert_eq!(server.spec().holder_identity.as_deref(), Some("first"));

    server.lease = None;
    second.notice(None, Instant::now());
    act(&mut second, &mut server, NOON);
    advance(T.lease).await;
    act(&mut second, &mut server, NOON);
    assert!(leads(&second), "but nobody waits for ever");
}

#[tokio::test(start_paused = true)]
async fn an_edit_that_names_another_ends_the_lead() {
    let (mut server, mut first) = (Server::default(), candidate("first", Instant::now()));
    act(&mut first, &mut server, NOON);
    let mut lease = server.lease.clone().unwrap();
    let spec = lease.spec.as_mut().unwrap();
    spec.holder_identity = Some("somebody".to_owned());
    spec.lease_duration_seconds = Some(60);
    server.put(lease).unwrap();
    let version = server.version.to_string();
    first.notice(Some(&version), Instant::now());
    let taken = Instant::now();
    act(&mut first, &mut server, NOON);
    assert!(!leads(&first));
    advance(just_before(seconds(60))).await;
    assert_eq!(
        act(&mut first, &mut server, NOON),
        taken + seconds(60),
        "its own duration counts"
    );
    advance(MOMENT).await;
    act(&mut first, &mut server, NOON);
    assert!(leads(&first));
}

/// What happens to one candidate for a while.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Well,
    /// Requests are lost.
    Deaf,
    /// Requests arrive, answers are lost.
    Dumb,
    /// The process is suspended; a request on its way arrives.
    Suspended,
}

/// A request on its way.
struct Flight {
    step: Step,
    started: Instant,
    arrives: Instant,
    answered: Instant,
    answer: Option<Result<Option<Lease>, ()>>,
    lost: bool,
}

struct Member {
    election: Election,
    wall: Timestamp,
    flight: Option<Flight>,
}

const TICK: Duration = Duration::from_millis(100);

impl Member {
    /// One tick of this candidate, with a request that takes this long to arrive and as long to be answered.
    fn tick(&mut self, server: &mut Server, fate: Fate, delay: Duration, now: Instant, elapsed: Duration) {
        if let Some(flight) = &mut self.flight {
            flight.arrive(server, fate, now);
        }
        if matches!(fate, Fate::Suspended) {
            return;
        }
        match self.flight.take() {
            Some(flight) => self.flight = self.land(flight, fate, now),
            None => self.start(delay, now, elapsed),
        }
    }

    fn start(&mut self, delay: Duration, now: Instant, elapsed: Duration) {
        let wall = self.wall + SignedDuration::try_from(elapsed).unwrap();
        let step = self.election.step(now, wall);
        if matches!(step, Step::Wait(_)) {
            return;
        }
        self.flight = Some(Flight {
            step,
            started: now,
            arrives: now + delay,
            answered: now + delay * 2,
            answer: None,
            lost: false,
        });
    }

    fn land(&mut self, mut flight: Flight, fate: Fate, now: Instant) -> Option<Flight> {
        if now >= flight.started + T.request() {
            self.election.failed(flight.started);
            return None;
        }
        flight.lost |= matches!(fate, Fate::Dumb);
        if flight.lost || now < flight.answered {
            return Some(flight);
        }
        match (flight.answer.take(), flight.step) {
            (Some(Ok(found)), Step::Look) => self.election.observe(found, now),
            (Some(Ok(Some(lease))), _) => self.election.wrote(lease, flight.started, now),
            (Some(Err(())), _) => self.election.lost_race(flight.started, now),
            (_, _) => self.election.failed(flight.started),
        }
        None
    }
}

impl Flight {
    fn arrive(&mut self, server: &mut Server, fate: Fate, now: Instant) {
        if self.lost || self.answer.is_some() || now < self.arrives {
            return;
        }
        if matches!(fate, Fate::Deaf) {
            self.lost = true;
            return;
        }
        self.answer = Some(match &self.step {
            Step::Write(lease) => server.put((**lease).clone()).map(Some).ok_or(()),
            _ => Ok(server.lease.clone()),
        });
    }
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        3 => Just(Fate::Well),
        1 => Just(Fate::Deaf),
        1 => Just(Fate::Dumb),
        1 => Just(Fate::Suspended),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is lost, late or suspended: nobody leads beside another, and in the end somebody leads.
    #[test]
    fn at_most_one_leads_and_in_the_end_one_does(
        script in prop::collection::vec((prop::array::uniform3(fate()), 1_u32..40, 0_u32..30), 1..40),
        skews in prop::array::uniform3(-3600_i64..3600),
    ) {
        let began = Instant::now();
        let mut now = began;
        let mut server = Server::default();
        let mut members: Vec<Member> = skews
            .iter()
            .zip(["a", "b", "c"])
            .map(|(skew, identity)| Member {
                election: candidate(identity, now),
                wall: NOON + SignedDuration::from_secs(*skew),
                flight: None,
            })
            .collect();
        let healing = ([Fate::Well; 3], 250, 1);
        for (fates, for_half_seconds, delay) in script.into_iter().chain([healing]) {
            for _ in 0..for_half_seconds * 5 {
                for (member, fate) in members.iter_mut().zip(fates) {
                    member.tick(&mut server, fate, TICK * delay, now, now - began);
                }
                let leaders = members.iter().filter(|it| it.election.leadership(now).is_leader(now));
                prop_assert!(leaders.count() <= 1, "two leaders after {:?}", now - began);
                now += TICK;
            }
        }
        let leaders = members.iter().filter(|it| it.election.leadership(now).is_leader(now));
        prop_assert_eq!(leaders.count(), 1);
    }
}
