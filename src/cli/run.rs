//! `fluxsec run`: the operator.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use kube::{Client, Config};
use prometheus::Registry;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::CLEAN;
use crate::api::{INSTALL_NAMESPACE, LEASE};
use crate::app::Loop;
use crate::artifacts::{self, Wishes};
use crate::cluster::client::{self, ConnectError};
use crate::cluster::{self, Contact, sentence};
use crate::engine::Engine;
use crate::failpoint::failpoint;
use crate::publish::lease::{self, Elector, Timing};
use crate::publish::{Counters, Freshness, Publisher};
use crate::serve;

/// How long a graceful stop may take.
const GRACE: Duration = Duration::from_secs(4);

/// The operator: watches, evaluates, publishes.
#[derive(Debug, Args)]
pub(super) struct Run {
    /// Where /metrics, /livez and /readyz are served.
    #[arg(long, env = "FLUXSEC_METRICS_ADDRESS", default_value = "[::]:8080")]
    metrics_address: SocketAddr,
    /// Context of the kubeconfig; the current one when absent.
    #[arg(long)]
    context: Option<String>,
    /// Namespace of the Lease by which one replica is elected to write.
    #[arg(long, env = "FLUXSEC_LEASE_NAMESPACE", default_value = INSTALL_NAMESPACE)]
    lease_namespace: String,
}

impl Run {
    pub(super) async fn run(self) -> anyhow::Result<u8> {
        let listener = TcpListener::bind(self.metrics_address).await.with_context(|| {
            format!(
                "cannot listen on {}: choose another --metrics-address",
                self.metrics_address
            )
        })?;
        let stop = CancellationToken::new();
        stop_on_signal(stop.clone())?;
        let served = serve::Served::default();
        let mut shells = JoinSet::new();
        shells.spawn(serve::serve(listener, served.clone(), stop.clone()));
        let Some((client, config)) = wait_for_cluster(self.context.as_deref(), &stop).await else {
            return Ok(CLEAN);
        };

        let registry = Registry::new();
        let contact = Contact::default();
        let (send, observations) = cluster::channel();
        serve::register_process(&registry)?;
        let freshness = Freshness::default();
        let (engine, postures) = Loop::new(Engine::default(), observations, freshness.clone(), &registry)?;
        let mut watches = cluster::observe(&client, &registry, &contact, &send, engine.asked(), &stop)?;
        let wishes = Wishes::default();
        let engine = engine.wishing(&wishes);
        let artifacts = artifacts::Shell::new(wishes, send);
        let counters = Counters::new(&registry)?;
        let elector = Elector::new(
            lease::client(config)?,
            &self.lease_namespace,
            LEASE,
            &lease::identity(),
            Timing::DEFAULT,
        );
        let leadership = elector.leadership();
        // The only place where it is set.
        let _ = served.set(serve::ServeState::new(
            postures.clone(),
            registry,
            leadership.clone(),
        ));
        let publisher = Publisher::new(client, counters, freshness, contact, leadership);

        shells.spawn(async move { drop(engine.run().await) });
        shells.spawn(artifacts.run(stop.clone()));
        // The lead is given away after the last write, never before.
        let silent = CancellationToken::new();
        let written = silent.clone().drop_guard();
        shells.spawn(elector.run(silent));
        let stopping = stop.clone();
        shells.spawn(async move {
            publisher.run(postures, stopping).await;
            drop(written);
        });
        tokio::select! {
            () = stop.cancelled() => {}
            _ = shells.join_next() => {}
        }
        anyhow::ensure!(stop.is_cancelled(), "a part of the operator ended by itself");
        tracing::info!("stopping");
        failpoint("stopping");
        let _ = tokio::time::timeout(GRACE, async {
            while watches.join_next().await.is_some() {}
            while shells.join_next().await.is_some() {}
        })
        .await;
        Ok(CLEAN)
    }
}

/// Waits until the API server answers; says once a change what it waits for. `None` when told to stop.
async fn wait_for_cluster(context: Option<&str>, stop: &CancellationToken) -> Option<(Client, Config)> {
    let mut said = String::new();
    while !stop.is_cancelled() {
        let problem = match stop.run_until_cancelled(reach(context)).await? {
            Ok(reached) => return Some(reached),
            Err(problem) => problem,
        };
        // The causes of one problem may vary from attempt to attempt.
        if problem.to_string() != said {
            tracing::warn!("{}; trying again every 2 s", sentence(&problem));
            said = problem.to_string();
        }
        stop.run_until_cancelled(tokio::time::sleep(Duration::from_secs(2)))
            .await;
    }
    None
}

/// A client of an API server that answers, and its configuration.
async fn reach(context: Option<&str>) -> Result<(Client, Config), ConnectError> {
    let config = client::configure(context).await?;
    let (client, url) = client::connect(config.clone())?;
    let version = client::probe(&client, &url).await?;
    tracing::info!(%version, url, "connected");
    Ok((client, config))
}

/// The first signal stops gracefully, the second at once.
fn stop_on_signal(stop: CancellationToken) -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if stop.is_cancelled() {
                std::process::exit(130);
            }
            stop.cancel();
        }
    });
    Ok(())
}
