//! The page of the metrics.

use std::fmt::Write;

use crate::monitoring::metrics::{Bound, Each, Metric, Replicas, Type};

const HEAD: &str = "\
<!-- Generated from src/monitoring/metrics.rs by `make generate`. Do not edit. -->
# Metrics

`/metrics` on port 8080, in the text format of Prometheus. A scrape is made out of one posture, the same that the report
is made of: its series agree with each other. No text of an object, no revision and no time is in a label. Series go with
the policy or the control that they are about.

Every replica watches and evaluates, one writes: what the table says is told by the leader has no series on the others,
so that nothing is counted twice. The last column says how many series there can be at most.

| Metric | Type | Labels | Meaning | Told by | At most |
|---|---|---|---|---|---|
";

/// The table of all metrics.
#[must_use]
pub fn page(metrics: &[&Metric]) -> String {
    let mut out = HEAD.to_owned();
    for metric in metrics {
        row(&mut out, metric);
    }
    out
}

fn row(out: &mut String, metric: &Metric) {
    let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
    let labels = if labels.is_empty() {
        "-".to_owned()
    } else {
        labels.join(", ")
    };
    let told_by = match metric.told_by {
        Replicas::Each => "each replica",
        Replicas::Leader => "the leader",
    };
    // Writing to a String cannot fail.
    let _ = writeln!(
        out,
        "| `{}` | {} | {labels} | {} | {told_by} | {} |",
        metric.name,
        metric.kind.name(),
        metric.help,
        bound(metric.kind, metric.bound),
    );
}

/// A number and what it is multiplied with.
fn bound(kind: Type, bound: Bound) -> String {
    let each: Vec<&str> = bound
        .each
        .iter()
        .map(|each| match each {
            Each::Policy => "policy",
            Each::Control => "control",
            Each::Kind => "kind",
            Each::Waiver => "waiver",
        })
        .collect();
    let buckets = match kind {
        Type::Histogram { .. } => ", buckets included",
        Type::Gauge | Type::Counter => "",
    };
    let custom = match bound.custom_kinds {
        0 => String::new(),
        most => format!(", and {most} for those that custom controls ask for"),
    };
    match each[..] {
        [] => bound.series.to_string(),
        _ => format!(
            "{} for each {}{buckets}{custom}",
            bound.series,
            each.join(" and ")
        ),
    }
}
