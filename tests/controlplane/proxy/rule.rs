//! Which requests are not answered as the API server would.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kube::Client;

use super::asked::Asked;

/// Which requests.
pub(crate) struct Requests {
    resource: Resource,
    verbs: &'static [&'static str],
    page: Option<usize>,
    token: Option<String>,
    percent: u64,
}

enum Resource {
    Any,
    One(&'static str),
    AllBut(&'static str),
}

/// What is done with them. The first rule that matches a request is applied.
pub(crate) struct Rule {
    requests: Requests,
    pub(super) effect: Effect,
    seen: AtomicU64,
    applied: AtomicU64,
}

pub(super) enum Effect {
    /// One of these codes, in turn, with a `Retry-After`.
    Answer(Vec<u16>, Option<Duration>),
    /// Another server.
    Lead(Client),
    /// An `ERROR` event with the code 410, and the end of the watch; of one that is open too.
    Expire,
    /// The watch just ends, as after its time; one that is open too.
    End,
    /// Events that contain the text do not arrive.
    Lose(String),
    /// Each event arrives twice.
    Double,
    /// Before each event all the earlier ones of the watch arrive again.
    Replay,
    /// Events wait until the rule is lifted.
    Hold,
}

impl Requests {
    /// Every request.
    pub(crate) const fn all() -> Self {
        Self::to(Resource::Any)
    }

    /// Those for a resource.
    pub(crate) const fn on(resource: &'static str) -> Self {
        Self::to(Resource::One(resource))
    }

    /// Those for all but one resource.
    pub(crate) const fn on_all_but(resource: &'static str) -> Self {
        Self::to(Resource::AllBut(resource))
    }

    const fn to(resource: Resource) -> Self {
        Self {
            resource,
            verbs: &[],
            page: None,
            token: None,
            percent: 100,
        }
    }

    /// Watches alone.
    pub(crate) const fn watches(mut self) -> Self {
        self.verbs = &["watch"];
        self
    }

    /// Those that change nothing alone.
    pub(crate) const fn reads(mut self) -> Self {
        self.verbs = &["get", "list", "watch"];
        self
    }

    /// A page of a list alone.
    pub(crate) const fn page(mut self, page: usize) -> Self {
        self.page = Some(page);
        self
    }

    /// Those of the bearer of a token alone.
    pub(crate) fn bearing(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    /// So many of a hundred, spread evenly and always the same.
    pub(crate) const fn percent(mut self, percent: u64) -> Self {
        self.percent = percent;
        self
    }

    /// They are answered with a status code.
    pub(crate) fn answer(self, code: u16) -> Rule {
        self.answer_in_turn(&[code])
    }

    /// They are answered with status codes in turn.
    pub(crate) fn answer_in_turn(self, codes: &[u16]) -> Rule {
        self.do_with(Effect::Answer(codes.to_vec(), None))
    }

    /// They are sent away, with the time after which to come again.
    pub(crate) fn throttle(self, retry_after: Duration) -> Rule {
        self.do_with(Effect::Answer(vec![429], Some(retry_after)))
    }

    /// They reach another API server.
    pub(super) fn lead_to(self, server: Client) -> Rule {
        self.do_with(Effect::Lead(server))
    }

    /// Watches are told that their version is gone, open ones at once.
    pub(crate) fn expire(self) -> Rule {
        self.watches().do_with(Effect::Expire)
    }

    /// Watches end as they do when their time is over, open ones at once.
    pub(crate) fn end(self) -> Rule {
        self.watches().do_with(Effect::End)
    }

    /// Events that contain a text are lost.
    pub(crate) fn lose(self, text: &str) -> Rule {
        self.watches().do_with(Effect::Lose(text.to_owned()))
    }

    /// Events arrive twice.
    pub(crate) fn double(self) -> Rule {
        self.watches().do_with(Effect::Double)
    }

    /// Events arrive again before each new one.
    pub(crate) fn replay(self) -> Rule {
        self.watches().do_with(Effect::Replay)
    }

    /// Events arrive when the rule is lifted.
    pub(crate) fn hold(self) -> Rule {
        self.watches().do_with(Effect::Hold)
    }

    const fn do_with(self, effect: Effect) -> Rule {
        Rule {
            requests: self,
            effect,
            seen: AtomicU64::new(0),
            applied: AtomicU64::new(0),
        }
    }

    fn include(&self, asked: &Asked) -> bool {
        let resource = match self.resource {
            Resource::Any => true,
            Resource::One(resource) => asked.resource == resource,
            Resource::AllBut(resource) => asked.resource != resource,
        };
        resource
            && (self.verbs.is_empty() || self.verbs.contains(&asked.verb))
            && self.page.is_none_or(|page| asked.page == page)
            && self.token.as_ref().is_none_or(|token| asked.token == *token)
    }
}

impl Rule {
    /// How many requests, or events of a watch, it was applied to.
    pub(crate) fn applied(&self) -> u64 {
        self.applied.load(Ordering::Relaxed)
    }

    pub(super) fn apply(&self) -> u64 {
        self.applied.fetch_add(1, Ordering::Relaxed)
    }

    /// Whether it is about this request.
    pub(super) fn is_about(&self, asked: &Asked) -> bool {
        self.requests.include(asked) && self.is_in_share()
    }

    /// A golden step: every run of requests holds its share, in no pattern that a client could be in step with.
    fn is_in_share(&self) -> bool {
        if self.requests.percent >= 100 {
            return true;
        }
        let turn = self.seen.fetch_add(1, Ordering::Relaxed);
        (turn * 61) % 100 < self.requests.percent
    }
}
