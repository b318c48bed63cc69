//! Flux renews the status of its objects all day: what that costs, beside reading the same bytes and nothing else.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use futures::AsyncReadExt;
use serde_json::json;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::controlplane::Operator;
use super::controlplane::wire::Wire;
use super::ledger::Ledger;
use super::observer::watch_from_now;
use super::population::{Population, renew};
use super::stage::{Stage, client, merge, quiet};
use super::usage::{Requests, own_processor_time, processor_time, resident};

/// Name of this run.
pub(crate) const RUN: &str = "chatter";
/// How long Flux talks.
const LENGTH: Duration = Duration::from_mins(1);
/// Updates of an object in the interval at which Flux looks at it again.
const UPDATES_OF_AN_OBJECT: f64 = 4.0;
/// That interval, in seconds.
const INTERVAL: f64 = 600.0;
/// What Flux renews the status of.
const TALKATIVE: [&str; 2] = [
    "/apis/kustomize.toolkit.fluxcd.io/v1/kustomizations",
    "/apis/helm.toolkit.fluxcd.io/v2/helmreleases",
];

/// Measures an operator that listens.
pub(crate) async fn measure(stage: &Stage, ledger: &mut Ledger) -> anyhow::Result<()> {
    ledger.begin(RUN, stage.size)?;
    // An operator that finds reports reads them one by one: that is no chatter.
    stage.forget_reports().await?;
    let wire = Wire::lay(&stage.control_plane.url())?;
    let kubeconfig = stage
        .control_plane
        .kubeconfig_at(&wire.url(), "operator", &stage.token)?;
    let mut operator = Operator::launch(&stage.control_plane, &kubeconfig)?;
    operator.wait_until_ready()?;
    quiet(&operator, Duration::from_secs(5)).await?;
    let listener = Listener::start(stage)?;
    let pid = operator.process.pid();

    let requests = Requests::so_far(&stage.control_plane)?;
    let (bytes, processor) = (wire.traffic()[1], processor_time(pid)?);
    let sent = talk(stage).await?;
    // The last of it arrives.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let processor = processor_time(pid)?.saturating_sub(processor);
    let bytes = wire.traffic()[1] - bytes;
    let after = Requests::so_far(&stage.control_plane)?;
    let (floor, floor_bytes) = listener.end().await?;

    let mut page = ledger.page(RUN, stage.size, 1);
    page.note("status updates", f64::from(sent), "");
    page.note_over(
        "processor time",
        processor.as_secs_f64(),
        "s",
        floor.as_secs_f64(),
    );
    page.note(
        "share of a core",
        100.0 * processor.as_secs_f64() / LENGTH.as_secs_f64(),
        "%",
    );
    page.note(
        "processor time of an update",
        processor.as_secs_f64() / f64::from(sent),
        "s",
    );
    #[expect(clippy::cast_precision_loss, reason = "fewer than 2^52 bytes")]
    page.note_over("bytes received", bytes as f64, "B", floor_bytes as f64);
    for (verb, count) in after.by_verb_since(&requests) {
        page.note(&format!("requests: {verb}"), f64::from(u32::try_from(count)?), "");
    }
    let writes =
        |resources: &[&str]| u32::try_from(after.writes_since(&requests, resources)).unwrap_or(u32::MAX);
    let reports = writes(&[
        "fluxsecurityreports",
        "fluxsecuritynamespacereports",
        "fluxsecuritypolicies",
    ]);
    page.note("writes of reports", f64::from(reports), "");
    page.note("Events", f64::from(writes(&["events"])), "");
    page.note("memory afterwards", resident(pid)?, "B");
    operator.process.stop()?;
    ledger.save()
}

/// Renews statuses at the pace of a cluster of this size; tells how many.
async fn talk(stage: &Stage) -> anyhow::Result<u32> {
    let objects = Population::renewed(stage.size);
    #[expect(clippy::cast_precision_loss, reason = "sizes are small")]
    let pause = Duration::from_secs_f64(INTERVAL / UPDATES_OF_AN_OBJECT / stage.size as f64);
    let started = Instant::now();
    let mut updates = JoinSet::new();
    let mut sent = 0;
    // Neighbours in the list are neighbours in the cluster: jump.
    for (path, status) in objects.iter().cycle().step_by(7) {
        let due = pause * sent;
        if due >= LENGTH {
            break;
        }
        tokio::time::sleep_until((started + due).into()).await;
        let body = json!({"status": renew(status, u64::from(sent))});
        let (admin, path) = (stage.admin.clone(), format!("{path}/status"));
        updates.spawn(async move { merge(&admin, &path, &body).await });
        sent += 1;
    }
    while let Some(update) = updates.join_next().await {
        update??;
    }
    Ok(sent)
}

/// Watches the same objects on a thread of its own and throws the bytes away.
struct Listener {
    stop: oneshot::Sender<()>,
    thread: thread::JoinHandle<anyhow::Result<(Duration, u64)>>,
}

impl Listener {
    fn start(stage: &Stage) -> anyhow::Result<Self> {
        let wire = Wire::lay(&stage.control_plane.url())?;
        let kubeconfig = stage
            .control_plane
            .kubeconfig_at(&wire.url(), "floor", &stage.token)?;
        let (stop, stopped) = oneshot::channel();
        let (ready, is_ready) = std::sync::mpsc::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async {
                let client = client(&kubeconfig).await?;
                let mut streams = JoinSet::new();
                for path in TALKATIVE {
                    let request = watch_from_now(&client, path).await?;
                    streams.spawn(drain(client.request_stream(request).await?));
                }
                let _ = ready.send(());
                let (processor, bytes) = (own_processor_time()?, wire.traffic()[1]);
                let _ = stopped.await;
                let processor = own_processor_time()?.saturating_sub(processor);
                Ok((processor, wire.traffic()[1] - bytes))
            })
        });
        is_ready.recv().context("the floor cannot be measured")?;
        Ok(Self { stop, thread })
    }

    async fn end(self) -> anyhow::Result<(Duration, u64)> {
        let _ = self.stop.send(());
        let thread = tokio::task::spawn_blocking(|| self.thread.join());
        thread
            .await?
            .map_err(|_| anyhow::anyhow!("the floor's thread panicked"))?
    }
}

async fn drain(stream: impl futures::AsyncRead) {
    let mut stream = std::pin::pin!(stream);
    let mut buffer = vec![0; 16 * 1024];
    while matches!(stream.read(&mut buffer).await, Ok(1..)) {}
}
