//! The page of an alert: a head that the table writes, then what to do, which a person writes.

use std::fmt::Write;

use super::control_page::under;
use crate::monitoring::alerts::Alert;

/// The hand-written rest of a page that nobody has written yet.
const NEW: &str = "\n\n## Meaning\n\n## Impact\n\n## Diagnosis\n\n## Repair\n";

/// A page: its head brought up to date, the rest kept. `None`: the known page has no marker.
#[must_use]
pub fn page(alert: &Alert, known: Option<&str>) -> Option<String> {
    under(&head(alert), known, NEW)
}

/// What it means is said below, in more words than a description has.
fn head(alert: &Alert) -> String {
    let Alert {
        name,
        expr,
        hold,
        severity,
        ..
    } = alert;
    let severity = severity.as_str();
    format!("# {name}\n\n| Severity | For |\n|---|---|\n| {severity} | {hold} |\n\n```promql\n{expr}\n```\n")
}

/// The table of all alerts, with links to their pages.
#[must_use]
pub fn index(alerts: &[&Alert]) -> String {
    let mut out = "<!-- Generated from src/monitoring/alerts.rs by `make generate`. Do not edit. -->\n\
                   # Alerts\n\n\
                   What each alert means, and what to do. [docs/monitoring.md](../monitoring.md) says how to install them.\n\n\
                   | Alert | Severity | For |\n|---|---|---|\n"
        .to_owned();
    for alert in alerts {
        let Alert {
            name, hold, severity, ..
        } = alert;
        let severity = severity.as_str();
        // Writing to a String cannot fail.
        let _ = writeln!(out, "| [{name}]({name}.md) | {severity} | {hold} |");
    }
    out
}
