//! An independent watcher, with a connection of its own: it notes when it sees what.

use std::time::{Duration, Instant};

use axum::http::Request;
use futures::TryStreamExt;
use kube::Client;
use kube::core::WatchEvent;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::stage::get;

/// Watches the objects of one kind from now on.
pub(crate) struct Observer {
    seen: mpsc::UnboundedReceiver<Sighting>,
    watch: JoinHandle<()>,
}

/// An object as it was seen at some moment.
pub(crate) struct Sighting {
    /// When.
    pub(crate) when: Instant,
    /// What.
    pub(crate) object: Value,
}

impl Observer {
    /// Begins to watch what is at a path.
    pub(crate) async fn watch(client: &Client, path: &str) -> anyhow::Result<Self> {
        let request = watch_from_now(client, path).await?;
        let events = client.request_events::<Value>(request).await?;
        let (send, seen) = mpsc::unbounded_channel();
        let watch = tokio::spawn(async move {
            let mut events = std::pin::pin!(events);
            while let Ok(Some(event)) = events.try_next().await {
                let when = Instant::now();
                let object = match event {
                    WatchEvent::Added(object) | WatchEvent::Modified(object) => object,
                    // What is gone says nothing any more.
                    WatchEvent::Deleted(mut object) => {
                        object["status"] = Value::Null;
                        object
                    }
                    WatchEvent::Bookmark(_) | WatchEvent::Error(_) => continue,
                };
                if send.send(Sighting { when, object }).is_err() {
                    return;
                }
            }
        });
        Ok(Self { seen, watch })
    }

    /// When an object was seen for the first time that is as wanted.
    pub(crate) async fn first(
        &mut self,
        patience: Duration,
        is_wanted: impl Fn(&Value) -> bool,
    ) -> Option<Instant> {
        let search = async {
            loop {
                let sighting = self.seen.recv().await?;
                if is_wanted(&sighting.object) {
                    return Some(sighting.when);
                }
            }
        };
        tokio::time::timeout(patience, search).await.ok().flatten()
    }

    /// Everything that was seen so far.
    pub(crate) fn sightings(&mut self) -> Vec<Sighting> {
        std::iter::from_fn(|| self.seen.try_recv().ok()).collect()
    }
}

/// The request that watches what is at a path from now on.
pub(crate) async fn watch_from_now(client: &Client, path: &str) -> anyhow::Result<Request<Vec<u8>>> {
    let list: Value = get(client, &format!("{path}?limit=1")).await?;
    let version = list["metadata"]["resourceVersion"].as_str().unwrap_or_default();
    let path = format!("{path}?watch=true&timeoutSeconds=3000&resourceVersion={version}");
    Ok(Request::get(path).body(Vec::new())?)
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.watch.abort();
    }
}
