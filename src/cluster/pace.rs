//! Watches that end at once.
//!
//! kube begins a watch that ended without an error again without a pause. That is right after the time that a watch
//! may take; from a server that ends each at once it would be a request as often as the network carries one.

use std::collections::HashMap;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use http::Request;
use tokio::time::Instant;
use tower::Service;

/// The same watch begins at most once in this time.
const PACE: Duration = Duration::from_secs(1);

/// A client that keeps the pace.
pub(crate) struct Paced<S> {
    client: S,
    /// When a watch may begin again, by path: as many as there are kinds.
    due: HashMap<String, Instant>,
}

impl<S> Paced<S> {
    pub(crate) fn new(client: S) -> Self {
        Self {
            client,
            due: HashMap::new(),
        }
    }

    /// When this request may begin.
    fn begin<B>(&mut self, request: &Request<B>, now: Instant) -> Instant {
        if !is_watch(request) {
            return now;
        }
        let due = self.due.entry(request.uri().path().to_owned()).or_insert(now);
        let begin = now.max(*due);
        *due = begin + PACE;
        begin
    }
}

impl<S, B> Service<Request<B>> for Paced<S>
where
    S: Service<Request<B>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.client.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let begin = self.begin(&request, Instant::now());
        let answer = self.client.call(request);
        async move {
            tokio::time::sleep_until(begin).await;
            answer.await
        }
        .boxed()
    }
}

fn is_watch<B>(request: &Request<B>) -> bool {
    let query = request.uri().query().unwrap_or_default();
    query
        .split('&')
        .any(|pair| matches!(pair, "watch=true" | "watch=1"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn seconds_until(paced: &mut Paced<()>, uri: &str, now: Instant) -> u64 {
        let request = Request::get(uri).body(()).unwrap();
        (paced.begin(&request, now) - now).as_secs()
    }

    #[test]
    fn the_same_watch_begins_once_a_second_and_nothing_else_waits() {
        let (mut paced, now) = (Paced::new(()), Instant::now());
        let mut wait = |uri: &str, now| seconds_until(&mut paced, uri, now);
        assert_eq!(wait("/api/v1/pods?&watch=true&resourceVersion=1", now), 0);
        assert_eq!(wait("/api/v1/pods?&watch=true&resourceVersion=2", now), 1);
        assert_eq!(wait("/api/v1/pods?&watch=true&resourceVersion=2", now), 2);
        assert_eq!(wait("/api/v1/namespaces?&watch=true&resourceVersion=2", now), 0);
        assert_eq!(wait("/api/v1/pods?&limit=50", now), 0);
        let later = now + PACE * 3;
        assert_eq!(wait("/api/v1/pods?&watch=true&resourceVersion=3", later), 0);
    }
}
