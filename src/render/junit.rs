//! The report as JUnit XML: a suite for each chapter, a test case for each control.
//!
//! A control that could not be judged is an error and no failure, as a test that could not run. What only a person can
//! judge, what is waived and what does not apply is skipped, and says why.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::markup::text;
use crate::api::{ControlResult, ControlStatus, Finding, ReportStatus};
use crate::controls;

/// The suites.
#[must_use]
pub fn junit(report: &ReportStatus) -> String {
    let mut suites: BTreeMap<&str, Vec<&ControlStatus>> = BTreeMap::new();
    for row in &report.controls {
        // A policy may have controls of its own.
        let chapter = controls::find(&row.id).map_or(controls::custom::CHAPTER, |control| control.chapter);
        suites.entry(chapter).or_default().push(row);
    }
    let mut out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
    let counts = counts(&report.controls.iter().collect::<Vec<_>>());
    line(&mut out, &format!("<testsuites name=\"fluxsec\" {counts}>"));
    for (chapter, rows) in suites {
        suite(&mut out, chapter, &rows, &report.findings);
    }
    line(&mut out, "</testsuites>");
    out
}

fn suite(out: &mut String, chapter: &str, rows: &[&ControlStatus], findings: &[Finding]) {
    let chapter = text(chapter);
    line(out, &format!("  <testsuite name=\"{chapter}\" {}>", counts(rows)));
    for row in rows {
        let name = text(&format!("{} {}", row.id, row.title));
        let case = format!("    <testcase classname=\"{chapter}\" name=\"{name}\" time=\"0\"");
        match outcome(row, findings) {
            None => line(out, &format!("{case}/>")),
            Some(outcome) => line(out, &format!("{case}>\n      {outcome}\n    </testcase>")),
        }
    }
    line(out, "  </testsuite>");
}

fn counts(rows: &[&ControlStatus]) -> String {
    let count = |results: &[ControlResult]| rows.iter().filter(|row| results.contains(&row.result)).count();
    let (failures, errors) = (count(&[ControlResult::Fail]), count(&[ControlResult::Unknown]));
    let skipped = count(&[
        ControlResult::Manual,
        ControlResult::Waived,
        ControlResult::NotApplicable,
    ]);
    let tests = rows.len();
    format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\" time=\"0\"")
}

/// What a test case holds; nothing when it passes.
fn outcome(row: &ControlStatus, findings: &[Finding]) -> Option<String> {
    let message = text(&row.message);
    let reason = text(&row.reason);
    match row.result {
        ControlResult::Pass => None,
        ControlResult::Fail => {
            let severity = row.severity;
            let details = details(row, findings);
            Some(format!(
                "<failure type=\"{severity}\" message=\"{message}\">{details}</failure>"
            ))
        }
        ControlResult::Unknown => Some(format!("<error type=\"{reason}\" message=\"{message}\"/>")),
        ControlResult::Manual | ControlResult::Waived | ControlResult::NotApplicable => {
            Some(format!("<skipped message=\"{}: {message}\"/>", row.result))
        }
    }
}

/// Each finding, and how to repair them.
fn details(row: &ControlStatus, findings: &[Finding]) -> String {
    let mut out = String::new();
    let counts = |finding: &&Finding| finding.control == row.id && !finding.is_waived();
    for finding in findings.iter().filter(counts) {
        line(&mut out, &text(&finding.resource.to_string()));
        let (position, part) = (finding.location.position(), finding.location.part());
        let details = [
            ("file", &position),
            ("place", &part),
            ("observed", &finding.observed),
            ("expected", &finding.expected),
        ];
        for (name, value) in details.into_iter().filter(|(_, value)| !value.is_empty()) {
            line(&mut out, &format!("  {name}: {}", text(value)));
        }
    }
    if row.waived > 0 {
        line(&mut out, &format!("Findings that are waived: {}", row.waived));
    }
    if let Some(control) = controls::find(&row.id) {
        line(&mut out, &format!("How to repair: {}", text(control.remediation)));
    }
    out
}

fn line(out: &mut String, text: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{text}");
}
