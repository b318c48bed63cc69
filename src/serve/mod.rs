//! `/metrics`, `/livez`, `/readyz`; on request the metrics over HTTPS, and to those who may read them alone.

mod gate;
mod process;
mod tls;

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::serve::Listener;
use prometheus::{Encoder, Registry, TextEncoder};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::engine::Posture;
use crate::publish::lease::Leadership;
use crate::render::metrics;
pub use gate::Gate;
pub use process::register as register_process;
pub use tls::{Certificate, CertificateError, Secured};

/// What the endpoints read.
#[derive(Clone)]
pub struct ServeState {
    postures: watch::Receiver<Arc<Posture>>,
    registry: Registry,
    leadership: watch::Receiver<Leadership>,
    gate: Option<Gate>,
}

impl ServeState {
    /// Endpoints over a posture and the process's own counters.
    #[must_use]
    pub const fn new(
        postures: watch::Receiver<Arc<Posture>>,
        registry: Registry,
        leadership: watch::Receiver<Leadership>,
    ) -> Self {
        Self {
            postures,
            registry,
            leadership,
            gate: None,
        }
    }

    /// The same with somebody who knows who may read the metrics over HTTPS.
    #[must_use]
    pub fn behind(self, gate: Gate) -> Self {
        Self {
            gate: Some(gate),
            ..self
        }
    }
}

/// What is there to read once the cluster has answered.
pub type Served = Arc<OnceLock<ServeState>>;

/// Serves probes and metrics to whoever asks, until the token is cancelled. A process that waits for its cluster lives,
/// and is not ready.
pub async fn serve(listener: TcpListener, state: Served, stop: CancellationToken) {
    let router = probes().route("/metrics", get(scrape)).with_state(state);
    until_stopped(listener, router, stop).await;
}

/// Serves probes alone: the metrics are elsewhere.
pub async fn serve_probes(listener: TcpListener, state: Served, stop: CancellationToken) {
    let router = probes().route("/metrics", get(elsewhere)).with_state(state);
    until_stopped(listener, router, stop).await;
}

/// Serves metrics over TLS to those who may read them.
pub async fn serve_secured(listener: Secured, state: Served, stop: CancellationToken) {
    let router = Router::new()
        .route("/metrics", get(scrape_if_admitted))
        .with_state(state);
    until_stopped(listener, router, stop).await;
}

fn probes() -> Router<Served> {
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
}

async fn until_stopped<L>(listener: L, router: Router, stop: CancellationToken)
where
    L: Listener<Addr: std::fmt::Debug>,
{
    let served = axum::serve(listener, router)
        .with_graceful_shutdown(stop.cancelled_owned())
        .await;
    if let Err(error) = served {
        tracing::error!(%error, "serving ended");
    }
}

async fn elsewhere() -> (StatusCode, &'static str) {
    (
        StatusCode::NOT_FOUND,
        "metrics are served over HTTPS, on the address of --secure-metrics-address\n",
    )
}

async fn scrape_if_admitted(state: State<Served>, headers: HeaderMap) -> Response {
    let Some(gate) = state.get().and_then(|state| state.gate.clone()) else {
        return no_cluster().into_response();
    };
    match gate.admit(&headers).await {
        Ok(()) => scrape(state).await.into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

async fn scrape(State(state): State<Served>) -> Result<String, (StatusCode, String)> {
    let state = state.get().ok_or_else(no_cluster)?;
    let posture = state.postures.borrow().clone();
    let leads = state.leadership.borrow().is_leader(Instant::now());
    text(&posture, &state.registry, leads)
        .map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")))
}

fn text(posture: &Posture, registry: &Registry, leads: bool) -> Result<String, prometheus::Error> {
    let mut families = metrics::families(posture, leads)?;
    families.extend(registry.gather());
    families.sort_by(|a, b| a.name().cmp(b.name()));
    let mut buffer = Vec::new();
    TextEncoder::new().encode(&families, &mut buffer)?;
    Ok(String::from_utf8_lossy(&buffer).into_owned())
}

fn no_cluster() -> (StatusCode, String) {
    (
        StatusCode::SERVICE_UNAVAILABLE,
        "the API server has not answered yet\n".to_owned(),
    )
}

/// Ready once every kind has been listed or has failed to be; before that, names what is pending.
async fn ready(State(state): State<Served>) -> (StatusCode, String) {
    let Some(state) = state.get() else {
        return no_cluster();
    };
    let posture = state.postures.borrow().clone();
    let pending: Vec<&str> = posture
        .kinds
        .iter()
        .filter(|kind| !kind.coverage.is_settled())
        .map(|kind| kind.kind.name())
        .collect();
    if pending.is_empty() {
        return (StatusCode::OK, "ok\n".to_owned());
    }
    (
        StatusCode::SERVICE_UNAVAILABLE,
        format!("not listed yet: {}\n", pending.join(", ")),
    )
}
