//! `docs/performance.md`: what was measured, beside what was aimed at.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use super::growth::median;
use super::ledger::{Figure, Ledger, shown};
use super::{chatter, cold_start, growth, latency};

/// What the page says before its tables.
const HEAD: &str = include_str!("head.md");

/// A figure that the page shows.
struct Row {
    run: &'static str,
    /// Of these sizes only; of all when empty.
    sizes: &'static [usize],
    metric: &'static str,
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

const fn row(run: &'static str, sizes: &'static [usize], metric: &'static str, aim: Aim) -> Row {
    Row {
        run,
        sizes,
        metric,
        aim,
    }
}

/// Every row of the page, in order.
const ROWS: [Row; 38] = [
    row(
        latency::RUN,
        &[],
        "single changes: change to report, p50",
        Aim::AtMost(0.015),
    ),
    row(
        latency::RUN,
        &[],
        "single changes: change to report, p99",
        Aim::AtMost(0.1),
    ),
    row(
        latency::RUN,
        &[],
        "single changes: change to report, lost",
        Aim::AtMost(0.0),
    ),
    row(
        latency::RUN,
        &[],
        "single changes: change to namespace report, p50",
        Aim::AtMost(0.015),
    ),
    row(
        latency::RUN,
        &[],
        "single changes: change to namespace report, p99",
        Aim::AtMost(0.1),
    ),
    row(
        latency::RUN,
        &[],
        "single changes: change to namespace report, lost",
        Aim::AtMost(0.0),
    ),
    row(
        latency::RUN,
        &[],
        "20 changes a second: change to report, p50",
        Aim::None,
    ),
    row(
        latency::RUN,
        &[],
        "20 changes a second: change to report, p99",
        Aim::AtMost(1.1),
    ),
    row(
        latency::RUN,
        &[],
        "20 changes a second: change to report, lost",
        Aim::AtMost(0.0),
    ),
    row(
        latency::RUN,
        &[],
        "20 changes a second: change to namespace report, p50",
        Aim::AtMost(0.015),
    ),
    row(
        latency::RUN,
        &[],
        "20 changes a second: change to namespace report, p99",
        Aim::AtMost(0.1),
    ),
    row(
        latency::RUN,
        &[],
        "20 changes a second: change to namespace report, lost",
        Aim::AtMost(0.0),
    ),
    row(
        latency::RUN,
        &[],
        "20 changes a second: writes of the report",
        Aim::None,
    ),
    row(
        latency::RUN,
        &[],
        "20 changes a second: writes of namespace reports",
        Aim::None,
    ),
    row(cold_start::RUN, &[0], "time to the report", Aim::None),
    row(
        cold_start::RUN,
        &[100, 1000, 10_000],
        "time to the report",
        Aim::TimesFloor(1.5),
    ),
    row(
        cold_start::RUN,
        &[],
        "time to the last namespace report",
        Aim::None,
    ),
    row(cold_start::RUN, &[], "bytes received", Aim::TimesFloor(1.1)),
    row(
        cold_start::RUN,
        &[0, 100, 1000],
        "steady memory",
        Aim::AtMost(16.0 * MIB),
    ),
    row(
        cold_start::RUN,
        &[10_000],
        "steady memory",
        Aim::AtMost(24.0 * MIB),
    ),
    row(cold_start::RUN, &[], "peak memory", Aim::TimesFloor(1.3)),
    row(cold_start::RUN, &[], "precision", Aim::AtLeast(1.0)),
    row(cold_start::RUN, &[], "recall", Aim::AtLeast(1.0)),
    row(cold_start::RUN, &[], "requests: list", Aim::None),
    row(cold_start::RUN, &[], "requests: watch", Aim::None),
    row(cold_start::RUN, &[], "requests: get", Aim::None),
    row(cold_start::RUN, &[], "requests: create", Aim::None),
    row(cold_start::RUN, &[], "requests: patch", Aim::None),
    row(
        growth::RUN,
        &[],
        "exponent of time to the report",
        Aim::AtMost(1.05),
    ),
    row(
        growth::RUN,
        &[],
        "exponent of time above an empty cluster's",
        Aim::AtMost(1.05),
    ),
    row(
        growth::RUN,
        &[],
        "exponent of memory above an empty cluster's",
        Aim::AtMost(1.05),
    ),
    row(growth::RUN, &[], "memory of a further object", Aim::AtMost(600.0)),
    row(chatter::RUN, &[], "status updates", Aim::None),
    row(chatter::RUN, &[], "processor time", Aim::TimesFloor(2.0)),
    row(chatter::RUN, &[], "share of a core", Aim::AtMost(0.3)),
    row(chatter::RUN, &[], "bytes received", Aim::TimesFloor(1.1)),
    row(chatter::RUN, &[], "writes of reports", Aim::AtMost(0.0)),
    row(chatter::RUN, &[], "Events", Aim::AtMost(0.0)),
];

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
    for row in &ROWS {
        let mut sizes: BTreeMap<usize, Vec<&Figure>> = BTreeMap::new();
        let figures = ledger.figures().iter();
        for figure in figures.filter(|figure| figure.run == row.run && figure.metric == row.metric) {
            if row.sizes.is_empty() || row.sizes.contains(&figure.size) {
                sizes.entry(figure.size).or_default().push(figure);
            }
        }
        for (size, figures) in sizes {
            writeln!(text, "{}", line(row, size, &figures))?;
        }
    }
    Ok(text)
}

fn line(row: &Row, size: usize, figures: &[&Figure]) -> String {
    let values: Vec<f64> = figures.iter().map(|figure| figure.value).collect();
    let unit = figures.first().map_or("", |figure| figure.unit.as_str());
    let value = median(values.clone());
    let spread = match values.len() {
        1 => String::new(),
        _ => {
            let (least, most) = values.iter().fold((f64::MAX, f64::MIN), |(least, most), value| {
                (least.min(*value), most.max(*value))
            });
            format!("{} – {}", shown(least, unit), shown(most, unit))
        }
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
        "| {} | {size} | {} | {} | {spread} | {} | {} | {aim} | {verdict} |",
        row.run,
        row.metric,
        shown(value, unit),
        floor.map_or(String::new(), |floor| shown(floor, unit)),
        ratio.map_or(String::new(), |ratio| format!("{ratio:.2}")),
    )
}
