//! A control plane with a population, and the requests that the measurements make.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use axum::http::Request;
use futures::{StreamExt, TryStreamExt, stream};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::controlplane::core::Options;
use super::controlplane::programs::{self, digest, once, say};
use super::controlplane::scenario::SHARED;
use super::controlplane::{ControlPlane, Operator, flux};
use super::population::{Finding, Object, Phase, Population};

/// Requests that are made at once while a population is made.
const AT_ONCE: usize = 16;
/// Who Flux's objects say wrote them.
const MANAGER: &str = "fieldManager=kustomize-controller";
/// The operator's ServiceAccount.
const ACCOUNT: (&str, &str) = ("flux-security-system", "flux-security-operator");

/// A control plane with a population.
pub(crate) struct Stage {
    /// How many Flux objects there are.
    pub(crate) size: usize,
    /// The control plane; etcd waits for the disk.
    pub(crate) control_plane: ControlPlane,
    /// Who may do everything.
    pub(crate) admin: Client,
    /// The operator's token.
    pub(crate) token: String,
}

impl Stage {
    /// Starts a control plane with a population of this size, which is made once.
    pub(crate) async fn start(size: usize) -> anyhow::Result<Self> {
        let options = Options {
            durable: true,
            data: Some(stored(size)?),
            ..Options::default()
        };
        let control_plane = ControlPlane::start_with(&options)?;
        Operator::install(&control_plane)?;
        control_plane.apply(SHARED)?;
        let admin = client(control_plane.admin()).await?;
        let token = control_plane.service_account_token(ACCOUNT.0, ACCOUNT.1)?;
        Ok(Self {
            size,
            control_plane,
            admin,
            token,
        })
    }

    /// Removes what the operator has published.
    pub(crate) async fn forget_reports(&self) -> anyhow::Result<()> {
        let namespaces = self.report_namespaces().await?;
        let paths = namespaces.iter().map(|namespace| {
            format!(
                "/apis/fluxsecurity.dev/v1alpha1/namespaces/{namespace}/fluxsecuritynamespacereports/default"
            )
        });
        let cluster = "/apis/fluxsecurity.dev/v1alpha1/fluxsecurityreports/default".to_owned();
        for_each(paths.chain([cluster]), async |path: String| {
            let request = Request::delete(path).body(Vec::new())?;
            match self.admin.request_text(request).await {
                Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
                Err(error) => Err(error.into()),
                Ok(_) => Ok(()),
            }
        })
        .await
    }

    /// What the namespace reports say, as far as it was planted, and what was planted.
    pub(crate) async fn answers(&self) -> anyhow::Result<Answers> {
        let planted = Population::new(self.size).planted;
        let list: Value = get(&self.admin, NAMESPACE_REPORTS).await?;
        let reports = list["items"].as_array().into_iter().flatten();
        let findings =
            reports.flat_map(|report| report["status"]["findings"].as_array().into_iter().flatten());
        let found: BTreeSet<Finding> = findings
            .map(|finding| {
                let text = |value: &'_ Value| value.as_str().unwrap_or_default().to_owned();
                let object = &finding["resource"];
                Finding::new(
                    &text(&finding["control"]),
                    &text(&object["kind"]),
                    &text(&object["namespace"]),
                    &text(&object["name"]),
                )
            })
            .collect();
        Ok(Answers::of(&found, &planted))
    }

    async fn report_namespaces(&self) -> anyhow::Result<Vec<String>> {
        let list: Value = get(&self.admin, NAMESPACE_REPORTS).await?;
        let reports = list["items"].as_array().into_iter().flatten();
        Ok(reports
            .filter_map(|report| report["metadata"]["namespace"].as_str())
            .map(str::to_owned)
            .collect())
    }
}

/// Every namespace report.
pub(crate) const NAMESPACE_REPORTS: &str = "/apis/fluxsecurity.dev/v1alpha1/fluxsecuritynamespacereports";
/// Every report.
pub(crate) const REPORTS: &str = "/apis/fluxsecurity.dev/v1alpha1/fluxsecurityreports";

/// How right an audit was.
pub(crate) struct Answers {
    planted: usize,
    found: usize,
    right: usize,
}

impl Answers {
    /// Compares what was found, as far as such was planted, with what was planted.
    pub(crate) fn of(found: &BTreeSet<Finding>, planted: &BTreeSet<Finding>) -> Self {
        let controls: BTreeSet<&str> = planted.iter().map(|finding| finding.control.as_str()).collect();
        let asked = found
            .iter()
            .filter(|finding| controls.contains(&*finding.control));
        Self {
            planted: planted.len(),
            found: asked.count(),
            right: found.intersection(planted).count(),
        }
    }

    /// Of what was found, how much was planted.
    pub(crate) fn precision(&self) -> f64 {
        share(self.right, self.found)
    }

    /// Of what was planted, how much was found.
    pub(crate) fn recall(&self) -> f64 {
        share(self.right, self.planted)
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are small")]
fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        1.0
    } else {
        part as f64 / whole as f64
    }
}

/// A client of its own, with connections of its own.
pub(crate) async fn client(kubeconfig: &Path) -> anyhow::Result<Client> {
    let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    Ok(Client::try_from(config)?)
}

/// What is at a path.
pub(crate) async fn get<T: DeserializeOwned>(client: &Client, path: &str) -> anyhow::Result<T> {
    Ok(client.request(Request::get(path).body(Vec::new())?).await?)
}

/// Changes some fields of an object; tells what became of it.
pub(crate) async fn merge(client: &Client, path: &str, fields: &Value) -> anyhow::Result<Value> {
    let request = Request::patch(format!("{path}?{MANAGER}"))
        .header("content-type", "application/merge-patch+json")
        .body(serde_json::to_vec(fields)?)?;
    Ok(client.request(request).await?)
}

/// The data of an etcd with a population.
fn stored(size: usize) -> anyhow::Result<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/cost/population");
    let asked = (size, kubernetes()?, flux::RELEASE);
    let key = format!("population-{size}-{:016x}", digest(&source, &asked)?);
    let handle = tokio::runtime::Handle::current();
    tokio::task::block_in_place(|| once(&key, |target| handle.block_on(store(size, target))))
}

async fn store(size: usize, target: &Path) -> anyhow::Result<()> {
    say(&format!("making a cluster with {size} objects of Flux: once"));
    let started = Instant::now();
    let mut control_plane = ControlPlane::start()?;
    control_plane.apply(&flux::manifests()?)?;
    control_plane.kubectl(&[
        "wait",
        "--for=condition=Established",
        "crd",
        "--all",
        "--timeout=30s",
    ])?;
    let admin = client(control_plane.admin()).await?;
    let population = Population::new(size);
    for phase in Phase::ALL {
        let objects = population.objects.iter().filter(|object| object.phase == phase);
        for_each(objects, async |object| make(&admin, object).await).await?;
    }
    control_plane.compact()?;
    control_plane.apiserver().stop()?;
    control_plane.etcd().stop()?;
    programs::copy(&control_plane.sandbox().folder().join("etcd"), target)?;
    say(&format!("made {size} objects in {:.0?}", started.elapsed()));
    Ok(())
}

async fn make(admin: &Client, object: &Object) -> anyhow::Result<()> {
    let request = Request::post(format!("{}?{MANAGER}", object.collection))
        .header("content-type", "application/json")
        .body(serde_json::to_vec(&object.body)?)?;
    let what = || format!("{} in {}", object.body["metadata"]["name"], object.collection);
    admin.request_text(request).await.with_context(what)?;
    let Some(status) = &object.status else {
        return Ok(());
    };
    let name = object.body["metadata"]["name"].as_str().context("no name")?;
    let path = format!("{}/{name}/status", object.collection);
    merge(admin, &path, &json!({"status": status}))
        .await
        .with_context(what)?;
    Ok(())
}

/// Does something to each, a few at once.
async fn for_each<T>(
    items: impl IntoIterator<Item = T>,
    work: impl AsyncFn(T) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    stream::iter(items)
        .map(|item| work(item))
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

/// Sleeps until nothing has been published for so long; tells when the last was.
pub(crate) async fn quiet(operator: &Operator, patience: Duration) -> anyhow::Result<Instant> {
    let mut last = (Instant::now(), None);
    while last.0.elapsed() < patience {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let writes = operator.metric("flux_security_report_writes_total{outcome=\"success\"}")?;
        if writes != last.1 {
            last = (Instant::now(), writes);
        }
    }
    Ok(last.0)
}

/// The version of the API server, as it is pinned.
pub(crate) fn kubernetes() -> anyhow::Result<String> {
    let pins = fs::read_to_string(programs::source("controlplane/kubernetes").join("go.mod"))?;
    let mut versions = pins.lines().filter_map(|line| {
        let line = line.trim().trim_start_matches("require ");
        line.strip_prefix("k8s.io/kubernetes ")?.split(' ').next()
    });
    Ok(versions.next().context("go.mod pins no Kubernetes")?.to_owned())
}

/// The folder of what cargo builds.
pub(crate) fn target() -> PathBuf {
    let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
    tmp.parent().unwrap_or(tmp).to_owned()
}

/// Writes a file whose folder may not be there yet.
pub(crate) fn write(path: &Path, content: &str) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, content).with_context(|| format!("cannot write {}", path.display()))
}
