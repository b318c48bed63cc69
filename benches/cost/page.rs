//! `docs/performance.md`: what was measured, beside what was aimed at.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use super::growth::median;
use super::ledger::{Figure, LOAD, Ledger, shown};
use super::{chatter, cold_start, evaluation, growth, latency, manifests, waivers};

/// What the page says before its tables.
const HEAD: &str = include_str!("head.md");

/// A figure that the page shows.
struct Row {
    /// Its metric, or what those begin with that it shows one after the other.
    metric: &'static str,
    /// Of these sizes only; of all when empty.
    sizes: &'static [usize],
    aim: Aim,
}

/// When a figure is good.
enum Aim {
    /// It is told, no more.
    None,
    /// At most so much.
    AtMost(f64),
    /// At least so much.
    AtLeast(f64),
    /// At most so many times its floor.
    TimesFloor(f64),
}

const MIB: f64 = 1024.0 * 1024.0;

/// Every row of the page, in order.
const SECTIONS: [(&str, &[Row]); 7] = [
    (
        evaluation::RUN,
        &[
            told(LOAD),
            told("everything").of(&[500, 5000, 10_000]),
            at_most("everything", 0.05).of(&[50_000]),
            told("verdicts"),
            told("a verdict"),
            told("a verdict of …").of(&[50_000]),
            told("memory of an object"),
            told("memory of its verdicts"),
            at_most("allocations of a pass", 0.0),
            told("a changed Kustomization"),
            told("a changed Kustomization: verdicts"),
            told("a changed RoleBinding"),
            told("a changed RoleBinding: verdicts"),
            told("a changed NetworkPolicy"),
            told("a changed NetworkPolicy: verdicts"),
            told("a changed Namespace's labels"),
            told("a changed Namespace's labels: verdicts"),
            told("a changed Pod"),
            told("a changed Pod: verdicts"),
            at_most("exponent of everything", 1.05),
            at_most("exponent of Kustomization", 0.1),
            at_most("exponent of RoleBinding", 0.1),
            at_most("exponent of NetworkPolicy", 0.1),
            at_most("exponent of Namespace's labels", 0.1),
            at_most("exponent of Pod", 0.1),
        ],
    ),
    (
        waivers::RUN,
        &[
            told(LOAD),
            told("findings"),
            told("a finding that is waived"),
            told("a finding that is not"),
            told("a changed waiver"),
            told("a waiver that comes or goes"),
            told("a waiver that ends"),
            at_most("exponent of a finding that is waived", 0.1),
            at_most("exponent of a finding that is not", 0.1),
            at_most("exponent of a changed waiver", 0.1),
            at_most("exponent of a waiver that comes or goes", 0.1),
            at_most("exponent of a waiver that ends", 0.1),
        ],
    ),
    (
        manifests::RUN,
        &[
            told(LOAD),
            times_floor("a file an object: time", 1.3),
            times_floor("one file of YAML: time", 1.3),
            times_floor("lines of JSON: time", 1.3),
            at_most("a file an object: peak memory", 64.0 * MIB),
            at_most("one file of YAML: peak memory", 64.0 * MIB),
            at_most("lines of JSON: peak memory", 64.0 * MIB),
            at_least("a file an object: precision", 1.0),
            at_least("a file an object: recall", 1.0),
            at_least("one file of YAML: precision", 1.0),
            at_least("one file of YAML: recall", 1.0),
            at_least("lines of JSON: precision", 1.0),
            at_least("lines of JSON: recall", 1.0),
            at_most("a file an object: exponent of time", 1.02),
            at_most("one file of YAML: exponent of time", 1.02),
            at_most("lines of JSON: exponent of time", 1.02),
            told("kube-score, one file of YAML: time"),
            told("kube-score, one file of YAML: peak memory"),
            told("gator, one file of YAML: time"),
            told("gator, one file of YAML: peak memory"),
            told("gator, one file of YAML: precision"),
            told("gator, one file of YAML: recall"),
        ],
    ),
    (
        latency::RUN,
        &[
            told(LOAD),
            at_most("single changes: change to report, p50", 0.015),
            at_most("single changes: change to report, p99", 0.1),
            at_most("single changes: change to report, lost", 0.0),
            at_most("single changes: change to namespace report, p50", 0.015),
            at_most("single changes: change to namespace report, p99", 0.1),
            at_most("single changes: change to namespace report, lost", 0.0),
            told("20 changes a second: change to report, p50"),
            at_most("20 changes a second: change to report, p99", 1.1),
            at_most("20 changes a second: change to report, lost", 0.0),
            at_most("20 changes a second: change to namespace report, p50", 0.015),
            at_most("20 changes a second: change to namespace report, p99", 0.1),
            at_most("20 changes a second: change to namespace report, lost", 0.0),
            told("20 changes a second: writes of the report"),
            told("20 changes a second: writes of namespace reports"),
        ],
    ),
    (
        cold_start::RUN,
        &[
            told(LOAD),
            told("time to the report").of(&[0]),
            times_floor("time to the report", 1.5).of(&[100, 1000, 10_000]),
            told("time to the last namespace report"),
            times_floor("bytes received", 1.1),
            at_most("steady memory", 16.0 * MIB).of(&[0, 100, 1000]),
            at_most("steady memory", 24.0 * MIB).of(&[10_000]),
            times_floor("peak memory", 1.3),
            at_least("precision", 1.0),
            at_least("recall", 1.0),
            told("requests: list"),
            told("requests: watch"),
            told("requests: get"),
            told("requests: create"),
            told("requests: patch"),
        ],
    ),
    (
        growth::RUN,
        &[
            at_most("exponent of time to the report", 1.05),
            at_most("exponent of time above an empty cluster's", 1.05),
            at_most("exponent of memory above an empty cluster's", 1.05),
            at_most("memory of a further object", 600.0),
        ],
    ),
    (
        chatter::RUN,
        &[
            told(LOAD),
            told("status updates"),
            times_floor("processor time", 2.0),
            told("processor time of an update"),
            at_most("share of a core", 0.3),
            times_floor("bytes received", 1.1),
            at_most("writes of reports", 0.0),
            at_most("Events", 0.0),
        ],
    ),
];

impl Row {
    const fn new(metric: &'static str, aim: Aim) -> Self {
        Self {
            metric,
            sizes: &[],
            aim,
        }
    }

    const fn of(self, sizes: &'static [usize]) -> Self {
        Self { sizes, ..self }
    }
}

const fn told(metric: &'static str) -> Row {
    Row::new(metric, Aim::None)
}

const fn at_most(metric: &'static str, most: f64) -> Row {
    Row::new(metric, Aim::AtMost(most))
}

const fn at_least(metric: &'static str, least: f64) -> Row {
    Row::new(metric, Aim::AtLeast(least))
}

const fn times_floor(metric: &'static str, times: f64) -> Row {
    Row::new(metric, Aim::TimesFloor(times))
}

/// Writes the page.
pub(crate) fn write(ledger: &Ledger) -> anyhow::Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/performance.md");
    super::stage::write(&path, &page(ledger)?)
}

fn page(ledger: &Ledger) -> anyhow::Result<String> {
    let mut text = HEAD.to_owned();
    writeln!(
        text,
        "\n## Figures\n\nMeasured with {}.\n",
        ledger.surroundings().join("; ")
    )?;
    writeln!(
        text,
        "| Run | Flux objects | Figure | Median | Least – most | Floor | Ratio | Aim | |"
    )?;
    writeln!(text, "|---|--:|---|--:|--:|--:|--:|--:|---|")?;
    for (run, rows) in SECTIONS {
        for row in rows {
            for metric in metrics(ledger, run, row) {
                for (size, figures) in by_size(ledger, run, row, metric) {
                    writeln!(text, "{}", line(run, row, metric, size, &figures))?;
                }
            }
        }
    }
    Ok(text)
}

/// The metrics of a row, in the order in which they were noted.
fn metrics<'a>(ledger: &'a Ledger, run: &str, row: &Row) -> Vec<&'a str> {
    let is_shown = |metric: &str| match row.metric.strip_suffix('…') {
        Some(start) => metric.starts_with(start),
        None => metric == row.metric,
    };
    let mut metrics: Vec<&str> = Vec::new();
    for figure in ledger.figures().iter().filter(|figure| figure.run == run) {
        let is_of_size = row.sizes.is_empty() || row.sizes.contains(&figure.size);
        if is_of_size && is_shown(&figure.metric) && !metrics.contains(&figure.metric.as_str()) {
            metrics.push(&figure.metric);
        }
    }
    metrics
}

fn by_size<'a>(ledger: &'a Ledger, run: &str, row: &Row, metric: &str) -> BTreeMap<usize, Vec<&'a Figure>> {
    let mut sizes: BTreeMap<usize, Vec<&Figure>> = BTreeMap::new();
    let figures = ledger.figures().iter();
    for figure in figures.filter(|figure| figure.run == run && figure.metric == metric) {
        if row.sizes.is_empty() || row.sizes.contains(&figure.size) {
            sizes.entry(figure.size).or_default().push(figure);
        }
    }
    sizes
}

fn line(run: &str, row: &Row, metric: &str, size: usize, figures: &[&Figure]) -> String {
    let values: Vec<f64> = figures.iter().map(|figure| figure.value).collect();
    let unit = figures.first().map_or("", |figure| figure.unit.as_str());
    let value = median(values.clone());
    let least = values.iter().copied().fold(f64::MAX, f64::min);
    let most = values.iter().copied().fold(f64::MIN, f64::max);
    let spread = if values.len() > 1 {
        format!("{} – {}", shown(least, unit), shown(most, unit))
    } else {
        String::new()
    };
    let floors: Vec<f64> = figures.iter().filter_map(|figure| figure.floor).collect();
    let floor = (!floors.is_empty()).then(|| median(floors));
    let ratio = floor.map(|floor| value / floor);
    let (aim, met) = match row.aim {
        Aim::None => (String::new(), None),
        Aim::AtMost(most) => (format!("≤ {}", shown(most, unit)), Some(value <= most)),
        Aim::AtLeast(least) => (format!("≥ {}", shown(least, unit)), Some(value >= least)),
        Aim::TimesFloor(times) => (format!("≤ {times} × floor"), ratio.map(|ratio| ratio <= times)),
    };
    let verdict = met.map_or("", |met| if met { "met" } else { "**missed**" });
    format!(
        "| {run} | {size} | {metric} | {} | {spread} | {} | {} | {aim} | {verdict} |",
        shown(value, unit),
        floor.map_or(String::new(), |floor| shown(floor, unit)),
        ratio.map_or(String::new(), |ratio| format!("{ratio:.2}")),
    )
}
