//! From the start of the operator to the first report, beside a bare list of the same objects.

use std::time::{Duration, Instant};

use anyhow::Context;
use axum::http::Request;
use flux_security_operator::kinds::{CATALOG, Descriptor};
use futures::{StreamExt, TryStreamExt, stream};
use kube::Client;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::controlplane::Operator;
use super::controlplane::wire::Wire;
use super::ledger::Ledger;
use super::observer::Observer;
use super::stage::{REPORTS, Stage, client, quiet};
use super::usage::{Requests, peak, resident};

/// Name of this run.
pub(crate) const RUN: &str = "cold start";
/// How often it is repeated.
const REPETITIONS: u32 = 3;
/// Nothing has happened for so long: the operator rests.
const QUIET: Duration = Duration::from_secs(5);
/// Longer than a start should take.
const PATIENCE: Duration = Duration::from_mins(2);
/// Kinds that the operator lists at once.
const AT_ONCE: usize = 4;

/// Measures starts.
pub(crate) async fn measure(stage: &Stage, ledger: &mut Ledger) -> anyhow::Result<()> {
    ledger.begin(RUN, stage.size)?;
    // The API server fills its caches.
    list_everything(stage).await?;
    for repetition in 1..=REPETITIONS {
        start_once(stage, ledger, repetition).await?;
    }
    ledger.save()
}

async fn start_once(stage: &Stage, ledger: &mut Ledger, repetition: u32) -> anyhow::Result<()> {
    stage.forget_reports().await?;
    let (floor, floor_bytes) = list_everything(stage).await?;
    let wire = Wire::lay(&stage.control_plane.url())?;
    let kubeconfig = stage
        .control_plane
        .kubeconfig_at(&wire.url(), "operator", &stage.token)?;
    let before = Requests::so_far(&stage.control_plane)?;
    let mut reports = Observer::watch(&stage.admin, REPORTS).await?;

    let started = Instant::now();
    let mut operator = Operator::launch(&stage.control_plane, &kubeconfig)?;
    let written = reports.first(PATIENCE, |report| report["status"]["summary"].is_object());
    let reported = written.await.context("no report")? - started;
    let [_, received, _] = wire.traffic();
    let pid = operator.process.pid();
    let peak_so_far = peak(pid)?;
    let published = quiet(&operator, QUIET).await?.duration_since(started);
    let requests = Requests::so_far(&stage.control_plane)?;

    let answers = stage.answers().await?;
    let mut page = ledger.page(RUN, stage.size, repetition);
    page.note_over(
        "time to the report",
        reported.as_secs_f64(),
        "s",
        floor.as_secs_f64(),
    );
    page.note("time to the last namespace report", published.as_secs_f64(), "s");
    #[expect(clippy::cast_precision_loss, reason = "fewer than 2^52 bytes")]
    page.note_over("bytes received", received as f64, "B", floor_bytes as f64);
    page.note_over("peak memory", peak(pid)?, "B", resident(pid)?);
    page.note("peak memory before the report", peak_so_far, "B");
    page.note("steady memory", resident(pid)?, "B");
    for (verb, count) in requests.by_verb_since(&before) {
        page.note(&format!("requests: {verb}"), f64::from(u32::try_from(count)?), "");
    }
    page.note("precision", answers.precision(), "");
    page.note("recall", answers.recall(), "");
    operator.process.stop()?;
    Ok(())
}

/// The least that a start costs: every kind, page by page, as text. Tells the time and the bytes.
async fn list_everything(stage: &Stage) -> anyhow::Result<(Duration, u64)> {
    let wire = Wire::lay(&stage.control_plane.url())?;
    let kubeconfig = stage
        .control_plane
        .kubeconfig_at(&wire.url(), "floor", &stage.token)?;
    let started = Instant::now();
    let lister = client(&kubeconfig).await?;
    let lists = CATALOG.iter().map(|entry| list(&lister, &entry.descriptor));
    stream::iter(lists)
        .buffer_unordered(AT_ONCE)
        .try_collect::<Vec<()>>()
        .await?;
    Ok((started.elapsed(), wire.traffic()[1]))
}

async fn list(lister: &Client, descriptor: &Descriptor) -> anyhow::Result<()> {
    for version in descriptor.versions {
        match list_version(lister, descriptor, version).await {
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            outcome => return Ok(outcome?),
        }
    }
    Ok(())
}

async fn list_version(lister: &Client, descriptor: &Descriptor, version: &str) -> Result<(), kube::Error> {
    let Descriptor {
        group,
        plural,
        page_size,
        ..
    } = descriptor;
    let path = match *group {
        "" => format!("/api/{version}/{plural}"),
        group => format!("/apis/{group}/{version}/{plural}"),
    };
    let accept = if descriptor.metadata_only {
        "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=1,application/json"
    } else {
        "application/json"
    };
    let mut token = String::new();
    loop {
        let request = Request::get(format!("{path}?limit={page_size}&continue={token}"))
            .header("accept", accept)
            .body(Vec::new())
            .map_err(kube::Error::HttpError)?;
        let text = lister.request_text(request).await?;
        let page: PageOfObjects<'_> = serde_json::from_str(&text).map_err(kube::Error::SerdeError)?;
        token = page.metadata.token;
        if token.is_empty() {
            return Ok(());
        }
    }
}

/// A page whose objects are not looked into.
#[derive(Deserialize)]
struct PageOfObjects<'a> {
    metadata: PageMeta,
    #[serde(borrow, rename = "items")]
    _items: Vec<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PageMeta {
    #[serde(rename = "continue")]
    token: String,
}
