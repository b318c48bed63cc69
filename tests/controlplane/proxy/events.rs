//! The events of a watch, as they pass: a line each.

use std::sync::Arc;

use futures::channel::mpsc::{self, UnboundedSender};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Bytes, Frame};
use kube::client::Body;
use tokio::sync::watch;

use super::asked::Asked;
use super::rule::{Effect, Rule};
use super::{Answer, Fault, status};

pub(super) type Rules = Vec<Arc<Rule>>;

/// Lets the events of a watch pass, under the rules of the moment.
pub(super) fn pass(asked: Asked, body: Body, rules: watch::Receiver<Rules>) -> Answer {
    let (out, events) = mpsc::unbounded();
    let stream = Stream {
        asked,
        out,
        passed: Vec::new(),
        held: Vec::new(),
    };
    tokio::spawn(stream.run(
        Lines {
            body,
            rest: Vec::new(),
        },
        rules,
    ));
    StreamBody::new(events).boxed_unsync()
}

/// The `ERROR` event of a watch whose version is gone.
pub(super) fn expired() -> Vec<u8> {
    let event = serde_json::json!({"type": "ERROR", "object": status(410)});
    format!("{event}\n").into_bytes()
}

struct Stream {
    asked: Asked,
    out: UnboundedSender<Result<Frame<Bytes>, Fault>>,
    /// Everything so far, for a replay.
    passed: Vec<Vec<u8>>,
    held: Vec<Vec<u8>>,
}

impl Stream {
    async fn run(mut self, mut lines: Lines, mut rules: watch::Receiver<Rules>) {
        loop {
            // Rules that were laid since the watch was asked for count as a change.
            let rule = self.rule(&rules.borrow_and_update());
            if self.ends(rule.as_deref()) {
                return;
            }
            tokio::select! {
                changed = rules.changed() => if changed.is_err() { return },
                line = lines.next() => match line {
                    Some(line) => self.event(line, rule.as_deref()),
                    None => return,
                },
            }
            if self.out.is_closed() {
                return;
            }
        }
    }

    /// Whether the rule ends the watch.
    fn ends(&mut self, rule: Option<&Rule>) -> bool {
        match rule.map(|rule| (&rule.effect, rule)) {
            Some((Effect::Expire, rule)) => {
                rule.apply();
                self.send(expired());
                true
            }
            Some((Effect::End, rule)) => {
                rule.apply();
                true
            }
            Some((Effect::Hold, _)) => false,
            _ => {
                self.release();
                false
            }
        }
    }

    fn rule(&self, rules: &Rules) -> Option<Arc<Rule>> {
        rules.iter().find(|rule| rule.is_about(&self.asked)).cloned()
    }

    fn event(&mut self, line: Vec<u8>, rule: Option<&Rule>) {
        self.passed.push(line.clone());
        let Some(rule) = rule else {
            return self.send(line);
        };
        match &rule.effect {
            Effect::Lose(text) if String::from_utf8_lossy(&line).contains(text.as_str()) => {
                rule.apply();
            }
            Effect::Double => {
                rule.apply();
                self.send(line.clone());
                self.send(line);
            }
            Effect::Replay => {
                rule.apply();
                self.passed.iter().for_each(|line| self.send(line.clone()));
            }
            Effect::Hold => {
                rule.apply();
                self.held.push(line);
            }
            _ => self.send(line),
        }
    }

    fn release(&mut self) {
        for line in std::mem::take(&mut self.held) {
            self.send(line);
        }
    }

    fn send(&self, line: Vec<u8>) {
        // Fails when the client is gone, which ends the stream.
        let _ = self.out.unbounded_send(Ok(Frame::data(line.into())));
    }
}

struct Lines {
    body: Body,
    rest: Vec<u8>,
}

impl Lines {
    /// The next line, with its end. Can be given up while it waits: nothing is lost.
    async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                return Some(self.rest.drain(..=end).collect());
            }
            let frame = self.body.frame().await?.ok()?;
            if let Ok(data) = frame.into_data() {
                self.rest.extend_from_slice(&data);
            }
        }
    }
}
