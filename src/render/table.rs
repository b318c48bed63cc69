//! The report as a table for a terminal: at most 120 columns.

use std::fmt::Write;

use crate::api::report::ControlStatus;
use crate::api::{ControlResult, Finding, ReportStatus};

/// How the table looks.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// ANSI colours.
    pub colour: bool,
    /// List passing and not applicable controls too.
    pub show_passing: bool,
}

const WIDTH: usize = 120;

/// The table.
#[must_use]
pub fn table(report: &ReportStatus, options: Options) -> String {
    let mut out = String::new();
    installations(&mut out, report);
    controls(&mut out, report, options);
    findings(&mut out, report);
    summary(&mut out, report);
    out
}

fn installations(out: &mut String, report: &ReportStatus) {
    if report.installations.is_empty() {
        out.push_str("No Flux controller was found.\n\n");
        return;
    }
    for installation in &report.installations {
        let version = match installation.version.as_str() {
            "" => "of unknown version",
            version => version,
        };
        let count = installation.controllers.len();
        line(
            out,
            &format!(
                "Flux {version} in {} ({}, {count} controllers)",
                installation.namespace, installation.installer
            ),
        );
    }
    out.push('\n');
}

fn controls(out: &mut String, report: &ReportStatus, options: Options) {
    let shown = |control: &&ControlStatus| {
        options.show_passing || !matches!(control.result, ControlResult::Pass | ControlResult::NotApplicable)
    };
    let mut rows: Vec<&ControlStatus> = report.controls.iter().filter(shown).collect();
    rows.sort_by(|a, b| (a.result, a.severity, &a.id).cmp(&(b.result, b.severity, &b.id)));
    if rows.is_empty() {
        return;
    }
    line(
        out,
        &format!("{:<14}{:<10}{:<13}MESSAGE", "RESULT", "SEVERITY", "CONTROL"),
    );
    for row in rows {
        let text = cut(
            &format!("{:<10}{:<13}{}", row.severity, row.id, row.message),
            WIDTH - 14,
        );
        let result = format!("{:<14}", row.result);
        let result = if options.colour {
            coloured(row.result, &result)
        } else {
            result
        };
        line(out, &format!("{result}{text}"));
    }
    out.push('\n');
}

fn findings(out: &mut String, report: &ReportStatus) {
    for finding in &report.findings {
        line(
            out,
            &cut(
                &format!("{} {} {}", finding.severity, finding.control, finding.resource),
                WIDTH,
            ),
        );
        line(out, &cut(&format!("    observed  {}", observed(finding)), WIDTH));
        line(out, &cut(&format!("    expected  {}", finding.expected), WIDTH));
    }
    if !report.findings.is_empty() {
        out.push('\n');
    }
}

fn observed(finding: &Finding) -> String {
    if finding.location.container.is_empty() {
        return finding.observed.clone();
    }
    format!("{} (container {})", finding.observed, finding.location.container)
}

fn summary(out: &mut String, report: &ReportStatus) {
    let totals = &report.summary;
    line(
        out,
        &format!(
            "Score {} of 100, coverage {}%: {} pass, {} fail, {} unknown, {} not applicable; {} findings.",
            totals.score,
            totals.coverage,
            totals.pass,
            totals.fail,
            totals.unknown,
            totals.not_applicable,
            totals.findings
        ),
    );
    if let Some(reservation) = super::report::reservation(report) {
        line(out, &cut(&format!("Note: {reservation}."), WIDTH));
    }
    if totals.fail > 0 {
        line(
            out,
            "`fluxsec controls ID` explains a control and how to repair it.",
        );
    }
}

fn line(out: &mut String, text: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{}", text.trim_end());
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width - 1).chain(['…']).collect()
}

fn coloured(result: ControlResult, text: &str) -> String {
    let code = match result {
        ControlResult::Fail => 31,
        ControlResult::Unknown | ControlResult::Manual => 33,
        ControlResult::Pass => 32,
        ControlResult::Waived | ControlResult::NotApplicable => 2,
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}
