//! `fluxsec run`: the operator.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use kube::{Client, Config};
use prometheus::Registry;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::CLEAN;
use crate::api::{INSTALL_NAMESPACE, LEASE, ResourceRef};
use crate::app::Loop;
use crate::artifacts::{self, Trust, Wishes};
use crate::cluster::client::{self, ConnectError};
use crate::cluster::{self, Contact, sentence};
use crate::engine::Engine;
use crate::failpoint::failpoint;
use crate::publish::lease::{self, Elector, Timing};
use crate::publish::{Counters, EventsAddress, Freshness, Notifier, Publisher};
use crate::serve;

/// How long a graceful stop may take.
const GRACE: Duration = Duration::from_secs(4);

/// Runs the operator: watches, evaluates, publishes.
#[derive(Debug, Args)]
pub(super) struct Run {
    /// Where /metrics, /livez and /readyz are served.
    #[arg(long, value_name = "ADDRESS", env = "FLUXSEC_METRICS_ADDRESS", value_parser = address, default_value = "[::]:8080")]
    metrics_address: SocketAddr,
    /// Where /metrics is served instead, over HTTPS and only to those whom a role lets get that path.
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "FLUXSEC_SECURE_METRICS_ADDRESS",
        value_parser = address,
        requires = "certificate_folder"
    )]
    secure_metrics_address: Option<SocketAddr>,
    /// Folder with tls.crt and tls.key for HTTPS, which are read again when they change.
    #[arg(
        long,
        value_name = "FOLDER",
        env = "FLUXSEC_CERTIFICATE_FOLDER",
        requires = "secure_metrics_address"
    )]
    certificate_folder: Option<PathBuf>,
    /// Context of the kubeconfig; the current one when absent.
    #[arg(long)]
    context: Option<String>,
    /// Address of notification-controller, to notify it of Events, for example
    /// http://notification-controller.flux-system.svc.cluster.local./.
    #[arg(long, value_name = "URL", env = "FLUXSEC_EVENTS_ADDRESS")]
    events_address: Option<EventsAddress>,
    /// The Kustomization, as NAMESPACE/NAME, that stands for objects that no Alert can name. It need not exist.
    #[arg(
        long,
        value_name = "NAMESPACE/NAME",
        env = "FLUXSEC_EVENTS_KUSTOMIZATION",
        default_value = "flux-system/flux-security-policy",
        value_parser = kustomization
    )]
    events_kustomization: ResourceRef,
    /// PEM file with the authorities that vouch for artifacts over https; those of the platform when absent. It is read
    /// again for each fetch.
    #[arg(long, value_name = "FILE", env = "FLUXSEC_ARTIFACT_AUTHORITIES")]
    artifact_authorities: Option<PathBuf>,
    /// Namespace of the Lease that elects the replica that writes.
    #[arg(long, value_name = "NAMESPACE", env = "FLUXSEC_LEASE_NAMESPACE", default_value = INSTALL_NAMESPACE)]
    lease_namespace: String,
}

impl Run {
    pub(super) async fn run(self) -> anyhow::Result<u8> {
        let listener = listen(self.metrics_address, "--metrics-address").await?;
        let secured = self.secured().await?;
        let trust = Trust::of(self.artifact_authorities).context("--artifact-authorities")?;
        let stop = CancellationToken::new();
        stop_on_signal(stop.clone())?;
        let served = serve::Served::default();
        let mut shells = JoinSet::new();
        match secured {
            None => shells.spawn(serve::serve(listener, served.clone(), stop.clone())),
            Some(secured) => {
                shells.spawn(serve::serve_secured(secured, served.clone(), stop.clone()));
                shells.spawn(serve::serve_probes(listener, served.clone(), stop.clone()))
            }
        };
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
        let artifacts = artifacts::Shell::new(wishes, send).trusting(trust);
        let counters = Counters::new(&registry)?;
        let notifier = self.events_address.map(|address| {
            let (notifier, courier) = Notifier::new(address, self.events_kustomization, counters.clone());
            shells.spawn(courier.run(stop.clone()));
            notifier
        });
        let elector = Elector::new(
            lease::client(&config)?,
            &self.lease_namespace,
            LEASE,
            &lease::identity(),
            Timing::DEFAULT,
        );
        let leadership = elector.leadership();
        // The only place where it is set.
        let state = serve::ServeState::new(postures.clone(), registry, leadership.clone());
        let _ = served.set(state.behind(serve::Gate::new(client.clone())));
        let publisher = Publisher::new(client, counters, freshness, contact, leadership).notifying(notifier);

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
        anyhow::ensure!(
            stop.is_cancelled(),
            "a part of the operator stopped unexpectedly: please report this"
        );
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

impl Run {
    /// Where the metrics are served over HTTPS, if anywhere.
    async fn secured(&self) -> anyhow::Result<Option<serve::Secured>> {
        let (Some(address), Some(folder)) = (self.secure_metrics_address, &self.certificate_folder) else {
            return Ok(None);
        };
        let listener = listen(address, "--secure-metrics-address").await?;
        let certificate = serve::Certificate::in_folder(folder).context("--certificate-folder")?;
        Ok(Some(serve::Secured::new(listener, certificate)?))
    }
}

/// Where to listen.
fn address(text: &str) -> Result<SocketAddr, &'static str> {
    let address = text.parse();
    address.map_err(|_| "it must be an IP address with a port, for example [::]:8080 or 0.0.0.0:8080")
}

/// `NAMESPACE/NAME` of a Kustomization.
fn kustomization(text: &str) -> Result<ResourceRef, &'static str> {
    let is_name = |part: &str| {
        let mut bytes = part.bytes();
        !part.is_empty()
            && bytes.all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || b"-.".contains(&it))
    };
    match text.split_once('/') {
        Some((namespace, name)) if is_name(namespace) && is_name(name) => Ok(ResourceRef {
            api_version: "kustomize.toolkit.fluxcd.io/v1".to_owned(),
            kind: "Kustomization".to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }),
        _ => Err("it must have the form NAMESPACE/NAME"),
    }
}

async fn listen(address: SocketAddr, option: &str) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address).await;
    listener.with_context(|| format!("cannot listen on {address}: choose another {option}"))
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
    let (client, url) = client::connect(&config)?;
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
