//! The report as tables for a terminal: at most 120 columns, or as wide as it takes.

use std::fmt::Write;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::api::report::ControlStatus;
use crate::api::{ControlResult, Finding, ReportStatus};
use crate::engine::posture::escaped;

/// How the table looks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// ANSI colours.
    pub colour: bool,
    /// List passing and not applicable controls too.
    pub show_passing: bool,
    /// Cut nothing off, and show what there is no room for otherwise.
    pub wide: bool,
}

const WIDTH: usize = 120;
/// Columns of RESULT: the longest word and a space.
const RESULT: usize = 14;

/// The table.
#[must_use]
pub fn table(report: &ReportStatus, options: Options) -> String {
    let mut out = String::new();
    installations(&mut out, report, options);
    controls(&mut out, report, options);
    findings(&mut out, report, options);
    summary(&mut out, report);
    out
}

fn installations(out: &mut String, report: &ReportStatus, options: Options) {
    if report.installations.is_empty() {
        out.push_str("No Flux controller was found.\n\n");
        return;
    }
    for installation in &report.installations {
        let version = match installation.version.as_str() {
            "" => "of unknown version",
            version => version,
        };
        let (namespace, installer) = (&installation.namespace, &installation.installer);
        let count = installation.controllers.len();
        let text = format!("Flux {version} in {namespace} ({installer}, {count} controllers)");
        line(out, &options.fit(&text, WIDTH));
        for controller in installation.controllers.iter().filter(|_| options.wide) {
            let text = format!(
                "    {} {} {}",
                controller.name, controller.workload, controller.image
            );
            line(out, &options.fit(&text, WIDTH));
        }
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
    let heading = if options.wide {
        wide_row(
            "SEVERITY",
            "CONTROL",
            ["FINDINGS", "WAIVED"],
            "REASON",
            "TITLE: MESSAGE",
        )
    } else {
        row("SEVERITY", "CONTROL", "MESSAGE")
    };
    line(out, &format!("{}{heading}", padded("RESULT", RESULT)));
    for control in rows {
        let severity = control.severity.as_str();
        let text = if options.wide {
            let numbers = [control.findings.to_string(), control.waived.to_string()];
            let numbers = [numbers[0].as_str(), &numbers[1]];
            let message = format!("{}: {}", control.title, control.message);
            wide_row(severity, &control.id, numbers, &control.reason, &message)
        } else {
            row(severity, &control.id, &control.message)
        };
        let text = options.fit(&text, WIDTH - RESULT);
        let result = padded(control.result.as_str(), RESULT);
        let result = if options.colour {
            coloured(control.result, &result)
        } else {
            result
        };
        line(out, &format!("{result}{text}"));
    }
    out.push('\n');
}

fn row(severity: &str, control: &str, message: &str) -> String {
    format!("{}{}{message}", padded(severity, 10), padded(control, 13))
}

fn wide_row(severity: &str, control: &str, numbers: [&str; 2], reason: &str, message: &str) -> String {
    let [findings, waived] = numbers;
    let numbers = format!("{}{}", padded(findings, 10), padded(waived, 8));
    let row = row(severity, control, &numbers);
    format!("{row}{}{message}", padded(reason, 21))
}

fn findings(out: &mut String, report: &ReportStatus, options: Options) {
    for finding in &report.findings {
        let Finding {
            severity,
            control,
            resource,
            location,
            ..
        } = finding;
        line(
            out,
            &options.fit(&format!("{severity} {control} {resource}"), WIDTH),
        );
        let position = location.position();
        let part = location.part();
        let message = if options.wide { &finding.message } else { "" };
        let waiver = finding.waiver.as_str();
        let details = [
            ("file", position.as_str()),
            ("place", part.as_str()),
            ("observed", &finding.observed),
            ("expected", &finding.expected),
            ("message", message),
            ("waived by", waiver),
        ];
        for (name, text) in details.iter().filter(|(_, text)| !text.is_empty()) {
            line(out, &options.fit(&format!("    {name:<10}{text}"), WIDTH));
        }
    }
    if !report.findings.is_empty() {
        out.push('\n');
    }
}

fn summary(out: &mut String, report: &ReportStatus) {
    let totals = &report.summary;
    line(
        out,
        &format!(
            "Score {} of 100, coverage {}%: {} pass, {} fail, {} waived, {} manual, {} unknown, {} not applicable; {} findings.",
            totals.score,
            totals.coverage,
            totals.pass,
            totals.fail,
            totals.waived,
            totals.manual,
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

impl Options {
    /// A text that a terminal shows and does not obey, cut to some columns unless it may be wide.
    fn fit(self, text: &str, width: usize) -> String {
        let text = escaped(text);
        if self.wide { text } else { cut(&text, width) }
    }
}

fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut left = width - 1;
    let fits = |character: &char| match left.checked_sub(character.width().unwrap_or(0)) {
        Some(rest) => {
            left = rest;
            true
        }
        None => false,
    };
    let mut kept: String = text.chars().take_while(fits).collect();
    kept.push('…');
    kept
}

/// Followed by spaces up to some columns, by one at least.
fn padded(text: &str, columns: usize) -> String {
    let spaces = columns.saturating_sub(text.width()).max(1);
    format!("{text}{}", " ".repeat(spaces))
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
