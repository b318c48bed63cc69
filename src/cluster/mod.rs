//! Observes a cluster: one supervised watch a kind, each with its own back-off, so that what blinds one kind
//! blinds that kind only.

pub mod client;
mod connection;
mod contact;
mod custom;
pub mod discovery;
pub(crate) mod pace;
pub mod slim;
mod trouble;
pub mod watch;
mod watched;

use std::sync::Arc;

use kube::Client;
use prometheus::Registry;
use tokio::sync::{Semaphore, mpsc, watch as signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use contact::Contact;
pub(crate) use trouble::jitter;

use crate::custom::Demands;
use crate::inventory::Delta;
use crate::kinds::own::Policy;
use crate::kinds::{Kind, KindId, id_of};
use crate::monitoring::metrics::WATCH_RESTARTS;
use watched::Watched;

/// A fact, on its way to the engine.
#[derive(Debug)]
pub struct Observation {
    /// What was seen.
    pub delta: Delta,
    /// When.
    pub seen: tokio::time::Instant,
}

/// How many observations may wait: a full channel slows the watches down, it loses nothing.
const QUEUE: usize = 1024;
/// How many kinds are listed at the same time: bounds memory and the load on the API server.
const PARALLEL_LISTS: usize = 4;

/// A way for observations: where they go in, and where they come out.
#[must_use]
pub fn channel() -> (mpsc::Sender<Observation>, mpsc::Receiver<Observation>) {
    mpsc::channel(QUEUE)
}

/// Starts the watches of every kind, and of those that custom controls ask for. They end when the token is cancelled.
///
/// # Errors
/// A metric of that name is registered already.
pub fn observe(
    client: &Client,
    registry: &Registry,
    contact: &Contact,
    send: &mpsc::Sender<Observation>,
    asked: signal::Receiver<Arc<Demands>>,
    stop: &CancellationToken,
) -> Result<JoinSet<()>, prometheus::Error> {
    let restarts = WATCH_RESTARTS.counters(registry)?;
    let (crd_changes, _) = signal::channel(0_u64);
    let crd_changes = Arc::new(crd_changes);
    let discovery = Arc::new(discovery::Discovery::new(client.clone()));
    let lists = Arc::new(Semaphore::new(PARALLEL_LISTS));
    let mut tasks = JoinSet::new();
    let strangers = Arc::new(signal::Sender::new(custom::Strangers::new()));
    let watch = |what: Watched, kind: &str| watch::KindWatch {
        what,
        joining: None,
        client: client.clone(),
        discovery: discovery.clone(),
        send: send.clone(),
        crd_changes: crd_changes.clone(),
        lists: lists.clone(),
        contact: contact.clone(),
        restarts: restarts.with_label_values(&[kind]),
    };
    for kind in KindId::all() {
        let watch = watch::KindWatch {
            joining: Some(custom::Joining::new(kind, asked.clone(), strangers.clone())),
            ..watch(Watched::Kind(kind), kind.name())
        };
        let stop = stop.clone();
        tasks.spawn(async move {
            stop.run_until_cancelled(watch.run()).await;
        });
    }
    let supervisor = custom::Supervisor {
        asked,
        strangers: strangers.subscribe(),
        model: watch(Watched::Kind(id_of::<Policy>()), Policy::DESCRIPTOR.kind),
        restarts: restarts.clone(),
    };
    let stop = stop.clone();
    tasks.spawn(async move {
        stop.run_until_cancelled(supervisor.run()).await;
    });
    Ok(tasks)
}

/// An error with its causes, each said once.
pub(crate) fn sentence(error: &dyn std::error::Error) -> String {
    let mut text = said(error);
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = said(cause);
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

/// One error without what others append to theirs: the lines of a file around its mistake, which may hold a credential,
/// and the whole answer of the API server as Rust writes it.
fn said(error: &dyn std::error::Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    line.split(" (Status {").next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::sentence;

    #[test]
    fn an_error_is_one_line_and_quotes_nothing() {
        let long = "ApiError: pods is forbidden (Status { code: 403 })\n 1 | token: hunter2";
        let error = anyhow::anyhow!(long).context("cannot list pods");
        assert_eq!(
            sentence(error.as_ref()),
            "cannot list pods: ApiError: pods is forbidden"
        );
    }
}
