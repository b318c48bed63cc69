//! What an audit of manifests costs, without an API server: as a file an object, as one file of YAML, as lines of JSON.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::ensure;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::controlplane::programs::{GATOR, PEERS};
use super::controlplane::{flux, operator};
use super::growth::{exponent, median};
use super::ledger::Ledger;
use super::population::{Finding, Population};
use super::stage::{Answers, target};
use super::usage;

/// Name of this run.
pub(crate) const RUN: &str = "manifests";
/// Flux objects.
pub(crate) const SIZES: [usize; 3] = [500, 5000, 50_000];
const REPETITIONS: u32 = 3;
/// How often memory is looked at.
const GLANCE: Duration = Duration::from_millis(2);

/// A way to keep objects, and what it is called.
#[derive(Clone, Copy)]
enum Layout {
    Files,
    Documents,
    Lines,
}

impl Layout {
    const ALL: [Self; 3] = [Self::Files, Self::Documents, Self::Lines];

    const fn name(self) -> &'static str {
        match self {
            Self::Files => "a file an object",
            Self::Documents => "one file of YAML",
            Self::Lines => "lines of JSON",
        }
    }

    fn write(self, folder: &Path, objects: &[Value]) -> anyhow::Result<()> {
        let yaml = |object: &Value| serde_saphyr::to_string(object);
        match self {
            Self::Files => {
                for (number, object) in objects.iter().enumerate() {
                    let folder = folder.join(object["metadata"]["namespace"].as_str().unwrap_or("cluster"));
                    fs::create_dir_all(&folder)?;
                    fs::write(folder.join(format!("{number}.yaml")), yaml(object)?)?;
                }
            }
            Self::Documents => {
                let documents: Vec<String> = objects.iter().map(yaml).collect::<Result<_, _>>()?;
                fs::write(folder.join("all.yaml"), documents.join("---\n"))?;
            }
            Self::Lines => {
                let lines: Vec<String> = objects.iter().map(Value::to_string).collect();
                fs::write(folder.join("all.jsonl"), lines.join("\n") + "\n")?;
            }
        }
        Ok(())
    }

    /// Reads and parses everything and keeps nothing, on as many threads as there are cores.
    fn floor(self, folder: &Path) -> anyhow::Result<Duration> {
        let files = files(folder)?;
        let started = Instant::now();
        match self {
            Self::Files => on_every_core(files.len(), |at| {
                let text = fs::read_to_string(&files[at]).unwrap();
                black_box(serde_saphyr::from_str::<IgnoredAny>(&text).unwrap());
            }),
            Self::Documents => {
                let text = fs::read_to_string(&files[0])?;
                let documents: Vec<&str> = text.split("\n---\n").collect();
                on_every_core(documents.len(), |at| {
                    black_box(serde_saphyr::from_str::<IgnoredAny>(documents[at]).unwrap());
                });
            }
            Self::Lines => {
                let text = fs::read_to_string(&files[0])?;
                let lines: Vec<&str> = text.lines().collect();
                on_every_core(lines.len(), |at| {
                    black_box(serde_json::from_str::<IgnoredAny>(lines[at]).unwrap());
                });
            }
        }
        Ok(started.elapsed())
    }
}

/// Audits clusters of every size, kept in every way.
pub(crate) fn measure(ledger: &mut Ledger) -> anyhow::Result<()> {
    let mut times: BTreeMap<&str, BTreeMap<usize, f64>> = BTreeMap::new();
    for size in SIZES {
        ledger.begin(RUN, size)?;
        let population = Population::new(size);
        let planted = population.planted;
        let mut objects: Vec<Value> = population.objects.into_iter().map(|object| object.body).collect();
        for document in flux::manifests()?.split("\n---\n") {
            objects.push(serde_saphyr::from_str(document)?);
        }
        for layout in Layout::ALL {
            let folder = tempfile::tempdir_in(target())?;
            layout.write(folder.path(), &objects)?;
            let mut all = Vec::new();
            for repetition in 1..=REPETITIONS {
                let floor = layout.floor(folder.path())?.as_secs_f64();
                let (cost, found) = audit(folder.path())?;
                let took = cost.took.as_secs_f64();
                all.push(took);
                let answers = Answers::of(&found, &planted);
                let mut page = ledger.page(RUN, size, repetition);
                let name = layout.name();
                page.note_over(&format!("{name}: time"), took, "s", floor);
                page.note(&format!("{name}: peak memory"), cost.peak, "B");
                page.note(&format!("{name}: precision"), answers.precision(), "");
                page.note(&format!("{name}: recall"), answers.recall(), "");
            }
            times.entry(layout.name()).or_default().insert(size, median(all));
            if let Layout::Documents = layout {
                let all = folder.path().join("all.yaml");
                let cost = kube_score(&all)?;
                let mut page = ledger.page(RUN, size, 1);
                page.note("kube-score, one file of YAML: time", cost.took.as_secs_f64(), "s");
                page.note("kube-score, one file of YAML: peak memory", cost.peak, "B");
                let (cost, found) = gator(&all)?;
                let answers = Answers::of(&found, &planted);
                page.note("gator, one file of YAML: time", cost.took.as_secs_f64(), "s");
                page.note("gator, one file of YAML: peak memory", cost.peak, "B");
                page.note("gator, one file of YAML: precision", answers.precision(), "");
                page.note("gator, one file of YAML: recall", answers.recall(), "");
            }
        }
        ledger.save()?;
    }
    let mut page = ledger.page(RUN, SIZES[SIZES.len() - 1], 1);
    for (of, times) in times {
        if let Some(exponent) = exponent(&times) {
            page.note(&format!("{of}: exponent of time"), exponent, "");
        }
    }
    ledger.save()
}

/// What a process cost.
struct Cost {
    took: Duration,
    peak: f64,
}

impl Cost {
    /// Runs a command to its end.
    fn of(command: &mut Command) -> anyhow::Result<(Self, ExitStatus)> {
        let started = Instant::now();
        let mut child = command.stderr(Stdio::null()).spawn()?;
        let mut peak: f64 = 0.0;
        let status = loop {
            // What has ended has no memory any more.
            peak = peak.max(usage::peak(child.id()).unwrap_or_default());
            if let Some(status) = child.try_wait()? {
                break status;
            }
            thread::sleep(GLANCE);
        };
        let took = started.elapsed();
        Ok((Self { took, peak }, status))
    }
}

/// What it costs to read the same, and to say what kube-score thinks of the kinds that it knows. None of them is Flux's.
fn kube_score(all: &Path) -> anyhow::Result<Cost> {
    let program = PEERS.folder()?.join("kube-score");
    let (cost, status) = Cost::of(
        Command::new(program)
            .args(["score", "--output-format", "json"])
            .arg(all)
            .stdout(Stdio::null()),
    )?;
    // 1 says that it found something.
    ensure!(matches!(status.code(), Some(0 | 1)), "{status}");
    Ok(cost)
}

/// What it costs Gatekeeper to find what is planted, and what of it it finds.
fn gator(all: &Path) -> anyhow::Result<(Cost, BTreeSet<Finding>)> {
    let constraints = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/cost/constraints.yaml");
    let output = target().join("bench/gator.json");
    let (cost, status) = Cost::of(
        Command::new(GATOR.folder()?.join("gator"))
            .args(["test", "--output", "json", "--filename"])
            .arg(constraints)
            .arg("--filename")
            .arg(all)
            .stdout(fs::File::create(&output)?),
    )?;
    // 1 says that it found something.
    ensure!(matches!(status.code(), Some(0 | 1)), "{status}");
    let results: Vec<Value> = serde_json::from_slice(&fs::read(&output)?)?;
    let finding = |it: &Value| {
        let control = text(&it["constraint"]["metadata"]["name"]).to_uppercase();
        let object = &it["violatingObject"];
        let metadata = &object["metadata"];
        let [kind, namespace, name] = [&object["kind"], &metadata["namespace"], &metadata["name"]].map(text);
        Finding::new(&control, &kind, &namespace, &name)
    };
    Ok((cost, results.iter().map(finding).collect()))
}

fn audit(folder: &Path) -> anyhow::Result<(Cost, BTreeSet<Finding>)> {
    let output = target().join("bench/manifests.json");
    let (cost, status) = Cost::of(
        Command::new(operator::fluxsec())
            .args([
                "audit",
                "--tenancy",
                "shared",
                "--fail-on",
                "none",
                "-o",
                "json",
                "-f",
            ])
            .arg(folder)
            .stdout(fs::File::create(&output)?),
    )?;
    ensure!(status.success(), "{status}");
    let report: Value = serde_json::from_slice(&fs::read(&output)?)?;
    let findings = report["status"]["findings"].as_array().into_iter().flatten();
    let finding = |it: &Value| {
        let resource = &it["resource"];
        let [kind, namespace, name] = ["kind", "namespace", "name"].map(|field| text(&resource[field]));
        Finding::new(&text(&it["control"]), &kind, &namespace, &name)
    };
    Ok((cost, findings.map(finding).collect()))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(self::files(&path)?);
        } else {
            files.push(path);
        }
    }
    Ok(files)
}

fn on_every_core(count: usize, work: impl Fn(usize) + Sync) {
    let next = AtomicUsize::new(0);
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= count {
                        break;
                    }
                    work(at);
                }
            });
        }
    });
}
