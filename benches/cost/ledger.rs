//! Every figure, one JSON line each, kept until the run that made it is repeated.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::controlplane::{flux, programs};
use super::stage::{kubernetes, target, write};

/// The machine's load average before a run.
pub(crate) const LOAD: &str = "load before";

/// A figure.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Figure {
    /// What was measured: the operator, with its version.
    subject: String,
    /// How many Flux objects there were.
    pub(crate) size: usize,
    /// Which run.
    pub(crate) run: String,
    /// The how-manieth repetition.
    repetition: u32,
    /// What is measured.
    pub(crate) metric: String,
    /// How much it was.
    pub(crate) value: f64,
    /// `s`, `B` or empty.
    pub(crate) unit: String,
    /// What it could be at best, measured in the same run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) floor: Option<f64>,
    #[serde(flatten)]
    surroundings: Surroundings,
}

/// Where it was measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Surroundings {
    kubernetes: String,
    flux: String,
    cores: usize,
}

impl Surroundings {
    fn here() -> anyhow::Result<Self> {
        Ok(Self {
            kubernetes: kubernetes()?,
            flux: flux::RELEASE.to_owned(),
            cores: std::thread::available_parallelism()?.get(),
        })
    }
}

impl std::fmt::Display for Surroundings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            kubernetes,
            flux,
            cores,
        } = self;
        write!(f, "Kubernetes {kubernetes}, Flux {flux}, {cores} cores")
    }
}

/// The figures of the last time that each run was made.
pub(crate) struct Ledger {
    path: PathBuf,
    surroundings: Surroundings,
    figures: Vec<Figure>,
}

impl Ledger {
    /// The ledger of earlier runs.
    pub(crate) fn open() -> anyhow::Result<Self> {
        let path = target().join("bench/cost.jsonl");
        let text = fs::read_to_string(&path).unwrap_or_default();
        let figures = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        Ok(Self {
            path,
            surroundings: Surroundings::here()?,
            figures,
        })
    }

    /// Makes room for a run, and notes how busy the machine was before it.
    pub(crate) fn begin(&mut self, run: &'static str, size: usize) -> anyhow::Result<()> {
        self.forget(run, size);
        let load = fs::read_to_string("/proc/loadavg")?;
        let load: f64 = load.split(' ').next().context("an empty loadavg")?.parse()?;
        self.page(run, size, 0).note(LOAD, load, "");
        Ok(())
    }

    /// Forgets what a run said, because it is made again.
    pub(crate) fn forget(&mut self, run: &str, size: usize) {
        self.figures
            .retain(|figure| figure.run != run || figure.size != size);
    }

    /// A page for the figures of one repetition of a run.
    pub(crate) fn page(&mut self, run: &'static str, size: usize, repetition: u32) -> Page<'_> {
        Page {
            ledger: self,
            run,
            size,
            repetition,
        }
    }

    /// Writes everything down.
    pub(crate) fn save(&self) -> anyhow::Result<()> {
        let lines = self.figures.iter().map(serde_json::to_string);
        let lines = lines.collect::<Result<Vec<_>, _>>()?;
        write(&self.path, &(lines.join("\n") + "\n"))
    }

    /// Every figure.
    pub(crate) fn figures(&self) -> &[Figure] {
        &self.figures
    }

    /// The different surroundings of all figures.
    pub(crate) fn surroundings(&self) -> Vec<String> {
        let mut all: Vec<String> = self
            .figures
            .iter()
            .map(|figure| figure.surroundings.to_string())
            .collect();
        all.sort();
        all.dedup();
        all
    }
}

/// Takes the figures of one repetition of a run.
pub(crate) struct Page<'a> {
    ledger: &'a mut Ledger,
    run: &'static str,
    size: usize,
    repetition: u32,
}

impl Page<'_> {
    /// Notes a figure.
    pub(crate) fn note(&mut self, metric: &str, value: f64, unit: &str) {
        self.note_beside(metric, value, unit, None);
    }

    /// Notes a figure beside the least that it could be.
    pub(crate) fn note_over(&mut self, metric: &str, value: f64, unit: &str, floor: f64) {
        self.note_beside(metric, value, unit, Some(floor));
    }

    fn note_beside(&mut self, metric: &str, value: f64, unit: &str, floor: Option<f64>) {
        let Self {
            run,
            size,
            repetition,
            ..
        } = *self;
        let beside = floor.map_or(String::new(), |floor| format!(" (floor {})", shown(floor, unit)));
        programs::say(&format!(
            "{run}, {size}: {metric}: {}{beside}",
            shown(value, unit)
        ));
        self.ledger.figures.push(Figure {
            subject: concat!("fluxsec ", env!("CARGO_PKG_VERSION")).to_owned(),
            size,
            run: run.to_owned(),
            repetition,
            metric: metric.to_owned(),
            value,
            unit: unit.to_owned(),
            floor,
            surroundings: self.ledger.surroundings.clone(),
        });
    }
}

/// A value as a person reads it.
pub(crate) fn shown(value: f64, unit: &str) -> String {
    match unit {
        "s" if value < 1e-5 => format!("{:.0} ns", value * 1e9),
        "s" if value < 1e-3 => format!("{:.0} µs", value * 1e6),
        "s" if value < 1.0 => format!("{:.1} ms", value * 1e3),
        "s" => format!("{value:.2} s"),
        "B" if value < 10_000.0 => format!("{value:.0} B"),
        "B" if value < 1_000_000.0 => format!("{:.0} KiB", value / 1024.0),
        "B" => format!("{:.1} MiB", value / 1024.0 / 1024.0),
        "%" => format!("{value:.2} %"),
        _ if value.fract() == 0.0 => format!("{value:.0}"),
        _ => format!("{value:.3}"),
    }
}
