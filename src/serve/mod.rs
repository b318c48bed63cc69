//! `/metrics`, `/livez`, `/readyz`.

mod process;

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use prometheus::{Encoder, Registry, TextEncoder};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::engine::Posture;
use crate::publish::lease::Leadership;
use crate::render::metrics;
pub use process::register as register_process;

/// What the endpoints read.
#[derive(Clone)]
pub struct ServeState {
    postures: watch::Receiver<Arc<Posture>>,
    registry: Registry,
    leadership: watch::Receiver<Leadership>,
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
        }
    }
}

/// What is there to read once the cluster has answered.
pub type Served = Arc<OnceLock<ServeState>>;

/// Serves until the token is cancelled. A process that waits for its cluster lives, and is not ready.
pub async fn serve(listener: TcpListener, state: Served, stop: CancellationToken) {
    let router = Router::new()
        .route("/metrics", get(scrape))
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .with_state(state);
    let served = axum::serve(listener, router)
        .with_graceful_shutdown(stop.cancelled_owned())
        .await;
    if let Err(error) = served {
        tracing::error!(%error, "serving ended");
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
