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
    let watch = |what: Watched, kind: &str| watch::KindWatch {
        what,
        client: client.clone(),
        discovery: discovery.clone(),
        send: send.clone(),
        crd_changes: crd_changes.clone(),
        lists: lists.clone(),
        contact: contact.clone(),
        restarts: restarts.with_label_values(&[kind]),
    };
    for kind in KindId::all() {
        let watch = watch(Watched::Kind(kind), kind.name());
        let stop = stop.clone();
        tasks.spawn(async move {
            stop.run_until_cancelled(watch.run()).await;
        });
    }
    let supervisor = custom::Supervisor {
        asked,
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
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
