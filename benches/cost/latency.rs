//! From a change to the reports that tell of it, as an independent watcher sees them.
//!
//! Every change takes the account away from a Kustomization of a tenant or gives it back, which changes a row of the
//! report and the namespace report of the tenant. Time runs from when the change was due, so that a late one counts.
//! The floor is the same change, seen by the same watcher on the object itself.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Context;
use kube::Client;
use serde_json::{Value, json};

use super::controlplane::Operator;
use super::ledger::{Ledger, Page};
use super::observer::{Observer, Sighting};
use super::population::Population;
use super::stage::{NAMESPACE_REPORTS, REPORTS, Stage, get, merge, quiet};
use super::usage::Requests;

/// Name of this run.
pub(crate) const RUN: &str = "latency";
/// The control whose verdicts are flipped.
const CONTROL: &str = "FSP-MT-010";
const KUSTOMIZATIONS: &str = "/apis/kustomize.toolkit.fluxcd.io/v1/kustomizations";
/// The last change may be reported for so long.
const PATIENCE: Duration = Duration::from_secs(5);

/// How changes follow each other.
struct Rhythm {
    name: &'static str,
    changes: u32,
    pause: Duration,
    /// Up to so many thirteenths of a second more, so that no timer beats in step.
    jitter: u32,
}

const RHYTHMS: [Rhythm; 2] = [
    Rhythm {
        name: "single changes",
        changes: 200,
        pause: Duration::from_millis(1150),
        jitter: 5,
    },
    Rhythm {
        name: "20 changes a second",
        changes: 1200,
        pause: Duration::from_millis(50),
        jitter: 0,
    },
];

/// Measures changes.
pub(crate) async fn measure(stage: &Stage, ledger: &mut Ledger) -> anyhow::Result<()> {
    ledger.begin(RUN, stage.size)?;
    stage.forget_reports().await?;
    let kubeconfig = stage.control_plane.kubeconfig("operator", &stage.token)?;
    let mut operator = Operator::launch(&stage.control_plane, &kubeconfig)?;
    operator.wait_until_ready()?;
    quiet(&operator, Duration::from_secs(5)).await?;
    let mut flips = Flips::new(stage.size);
    for rhythm in &RHYTHMS {
        let requests = Requests::so_far(&stage.control_plane)?;
        let mut watchers = Watchers::start(stage).await?;
        let base = failing(&get::<Value>(&stage.admin, &format!("{REPORTS}/default")).await?)
            .context("the report has no such row")?;
        let changes = flips.make(stage, rhythm, base).await?;
        tokio::time::sleep(PATIENCE).await;
        let page = ledger.page(RUN, stage.size, 1);
        watchers.tell(rhythm, &changes, page)?;
        let after = Requests::so_far(&stage.control_plane)?;
        let mut page = ledger.page(RUN, stage.size, 1);
        for (what, resource) in [
            ("writes of the report", "fluxsecurityreports"),
            ("writes of namespace reports", "fluxsecuritynamespacereports"),
            ("Events", "events"),
        ] {
            let writes = u32::try_from(after.writes_since(&requests, &[resource]))?;
            page.note(&format!("{}: {what}", rhythm.name), f64::from(writes), "");
        }
    }
    operator.process.stop()?;
    ledger.save()
}

/// A verdict that was flipped.
struct Change {
    namespace: String,
    name: String,
    /// Whether the control fails now.
    fails: bool,
    due: Instant,
    /// The object's generation after it.
    generation: i64,
    /// Failing objects of the control after it.
    failing: i64,
}

/// Flips the Kustomizations in turn: all into failure, then all back.
struct Flips {
    objects: Vec<(String, String)>,
    next: usize,
}

impl Flips {
    fn new(size: usize) -> Self {
        let mut objects = Population::sound_kustomizations(size);
        // Each tenant's first, then each tenant's second: the report of a namespace has its pace, and is left alone
        // as long as can be.
        let mut turns = BTreeMap::new();
        objects.sort_by_cached_key(|(namespace, _)| {
            let turn: &mut u32 = turns.entry(namespace.clone()).or_default();
            *turn += 1;
            *turn
        });
        Self { objects, next: 0 }
    }

    /// Makes the changes when they are due, also when earlier ones are still under way.
    async fn make(&mut self, stage: &Stage, rhythm: &Rhythm, base: i64) -> anyhow::Result<Vec<Change>> {
        let mut under_way = Vec::new();
        let (mut due, mut failing) = (Instant::now() + Duration::from_millis(200), base);
        for turn in 0..rhythm.changes {
            tokio::time::sleep_until(due.into()).await;
            let (namespace, name, fails) = self.next();
            failing += if fails { 1 } else { -1 };
            let change = Change {
                namespace,
                name,
                fails,
                due,
                generation: 0,
                failing,
            };
            under_way.push(tokio::spawn(change.make(stage.admin.clone())));
            due += rhythm.pause + Duration::from_secs(1) * (turn * 7 % 13 * rhythm.jitter) / (13 * 13);
        }
        let mut changes = Vec::new();
        for change in under_way {
            changes.push(change.await??);
        }
        Ok(changes)
    }

    /// The next object to flip, and whether it fails then.
    fn next(&mut self) -> (String, String, bool) {
        let (round, position) = (self.next / self.objects.len(), self.next % self.objects.len());
        self.next += 1;
        let (namespace, name) = self.objects[position].clone();
        (namespace, name, round.is_multiple_of(2))
    }
}

impl Change {
    async fn make(mut self, admin: Client) -> anyhow::Result<Self> {
        let Self { namespace, name, .. } = &self;
        let object = format!("/namespaces/{namespace}/kustomizations/{name}");
        let path = KUSTOMIZATIONS.replace("/kustomizations", &object);
        let account = if self.fails { Value::Null } else { json!("applier") };
        let change = json!({"spec": {"serviceAccountName": account}});
        self.generation = generation(&merge(&admin, &path, &change).await?);
        Ok(self)
    }
}

/// What the independent watcher watches.
struct Watchers {
    objects: Observer,
    namespaces: Observer,
    reports: Observer,
}

impl Watchers {
    async fn start(stage: &Stage) -> anyhow::Result<Self> {
        Ok(Self {
            objects: Observer::watch(&stage.admin, KUSTOMIZATIONS).await?,
            namespaces: Observer::watch(&stage.admin, NAMESPACE_REPORTS).await?,
            reports: Observer::watch(&stage.admin, REPORTS).await?,
        })
    }

    /// Notes how long after each change it was seen, and where.
    fn tell(&mut self, rhythm: &Rhythm, changes: &[Change], mut page: Page<'_>) -> anyhow::Result<()> {
        let objects = delays(changes, &self.objects.sightings(), |change, object| {
            is_named(object, &change.namespace, &change.name) && generation(object) >= change.generation
        });
        let namespaces = delays(changes, &self.namespaces.sightings(), |change, report| {
            report["metadata"]["namespace"] == change.namespace.as_str()
                && finds(report, &change.name) == change.fails
        });
        let reports = reported(changes, &self.reports.sightings());
        let (floor, _) = quantiles(objects).context("no change was seen")?;
        for (what, delays) in [("report", reports), ("namespace report", namespaces)] {
            let lost = delays.iter().filter(|delay| delay.is_none()).count();
            let name = |metric: &str| format!("{}: change to {what}, {metric}", rhythm.name);
            page.note(&name("lost"), f64::from(u32::try_from(lost)?), "");
            let (quantiles, most) = quantiles(delays).context("no change was reported")?;
            for (label, value, floor) in [("p50", quantiles[0], floor[0]), ("p99", quantiles[1], floor[1])] {
                page.note_over(&name(label), value.as_secs_f64(), "s", floor.as_secs_f64());
            }
            page.note(&name("most"), most.as_secs_f64(), "s");
        }
        Ok(())
    }
}

/// How long after each change there was a sighting that tells of it.
fn delays(
    changes: &[Change],
    sightings: &[Sighting],
    tells: impl Fn(&Change, &Value) -> bool,
) -> Vec<Option<Duration>> {
    let delay = |change: &Change| {
        let after = sightings.iter().skip_while(|sighting| sighting.when < change.due);
        let mut telling = after.filter(|sighting| tells(change, &sighting.object));
        telling.next().map(|sighting| sighting.when - change.due)
    };
    changes.iter().map(delay).collect()
}

/// How long after each change a report counted it: the count after the last change that a report tells of is its own.
fn reported(changes: &[Change], sightings: &[Sighting]) -> Vec<Option<Duration>> {
    let mut delays = vec![None; changes.len()];
    let mut told = 0;
    for sighting in sightings {
        let Some(count) = failing(&sighting.object) else {
            continue;
        };
        let open = changes[told..]
            .iter()
            .take_while(|change| change.due <= sighting.when);
        let Some(last) = open
            .map(|change| change.failing)
            .position(|failing| failing == count)
        else {
            continue;
        };
        for position in told..=told + last {
            delays[position] = Some(sighting.when - changes[position].due);
        }
        told += last + 1;
    }
    delays
}

/// p50 and p99, and the longest.
fn quantiles(delays: Vec<Option<Duration>>) -> Option<([Duration; 2], Duration)> {
    let mut sorted: Vec<Duration> = delays.into_iter().flatten().collect();
    sorted.sort();
    let at = |hundredths: usize| {
        sorted
            .get((sorted.len() * hundredths).div_ceil(100).saturating_sub(1))
            .copied()
    };
    Some(([at(50)?, at(99)?], *sorted.last()?))
}

fn is_named(object: &Value, namespace: &str, name: &str) -> bool {
    object["metadata"]["name"] == name && object["metadata"]["namespace"] == namespace
}

fn generation(object: &Value) -> i64 {
    object["metadata"]["generation"].as_i64().unwrap_or_default()
}

/// How many objects fail the control, by a report.
fn failing(report: &Value) -> Option<i64> {
    let mut rows = report["status"]["controls"].as_array()?.iter();
    rows.find(|row| row["id"] == CONTROL)?["findings"].as_i64()
}

/// Whether a namespace report has a finding of the control on an object.
fn finds(report: &Value, name: &str) -> bool {
    let mut findings = report["status"]["findings"].as_array().into_iter().flatten();
    findings.any(|finding| finding["control"] == CONTROL && finding["resource"]["name"] == name)
}
