//! How cost grows with size: the slope of a line through the logarithms.

use std::collections::BTreeMap;

use super::cold_start;
use super::ledger::Ledger;

/// Name of this figure.
pub(crate) const RUN: &str = "growth";

/// Fits what the starts cost.
pub(crate) fn measure(ledger: &mut Ledger) -> anyhow::Result<()> {
    let time = medians(ledger, "time to the report");
    let memory = medians(ledger, "steady memory");
    let Some((largest, second)) = largest_two(&memory) else {
        return Ok(());
    };
    ledger.forget(RUN, largest);
    let mut page = ledger.page(RUN, largest, 1);
    if let Some(slope) = exponent(&time) {
        page.note("exponent of time to the report", slope, "");
    }
    if let Some(slope) = above_empty(&time).as_ref().and_then(exponent) {
        page.note("exponent of time above an empty cluster's", slope, "");
    }
    if let Some(slope) = above_empty(&memory).as_ref().and_then(exponent) {
        page.note("exponent of memory above an empty cluster's", slope, "");
    }
    #[expect(clippy::cast_precision_loss, reason = "sizes are small")]
    let further = (largest - second) as f64;
    page.note(
        "memory of a further object",
        (memory[&largest] - memory[&second]) / further,
        "B",
    );
    ledger.save()
}

/// The median of each size's starts.
fn medians(ledger: &Ledger, metric: &str) -> BTreeMap<usize, f64> {
    let mut values: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for figure in ledger.figures() {
        if figure.run == cold_start::RUN && figure.metric == metric {
            values.entry(figure.size).or_default().push(figure.value);
        }
    }
    values
        .into_iter()
        .map(|(size, values)| (size, median(values)))
        .collect()
}

/// The middle of some values.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() % 2 {
        0 => f64::midpoint(values[middle - 1], values[middle]),
        _ => values[middle],
    }
}

fn largest_two(values: &BTreeMap<usize, f64>) -> Option<(usize, usize)> {
    let mut sizes = values.keys().rev().copied();
    sizes.next().zip(sizes.next())
}

/// What is left when the cost of an empty cluster is taken away, where anything is.
fn above_empty(values: &BTreeMap<usize, f64>) -> Option<BTreeMap<usize, f64>> {
    let empty = values.get(&0)?;
    let above = values.iter().map(|(size, value)| (*size, value - empty));
    Some(above.filter(|(_, value)| *value > 0.0).collect())
}

/// The slope of log(cost) on log(size), by least squares, without the empty cluster.
#[expect(clippy::cast_precision_loss, reason = "sizes are small")]
pub(crate) fn exponent(values: &BTreeMap<usize, f64>) -> Option<f64> {
    let points: Vec<(f64, f64)> = values
        .iter()
        .filter(|(size, _)| **size > 0)
        .map(|(size, value)| ((*size as f64).ln(), value.ln()))
        .collect();
    if points.len() < 2 {
        return None;
    }
    let mean = |part: fn(&(f64, f64)) -> f64| points.iter().map(part).sum::<f64>() / points.len() as f64;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let over: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    let under: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    Some(over / under)
}
