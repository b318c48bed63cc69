//! The report as Markdown, for the comment on a pull request.
//!
//! Whatever a cluster's users wrote is code: no markup, no link, and nobody is mentioned by it.

use std::fmt::Write;

use super::control_page::text;
use crate::api::{ControlResult, ControlStatus, Finding, ReportStatus, Severity};
use crate::controls;
use crate::engine::posture::{bounded, escaped};

/// By this line a comment can be found again, and replaced.
pub const MARKER: &str = "<!-- fluxsec audit -->";
/// GitHub takes comments of 65536 characters.
const MAX_CHARACTERS: usize = 65_000;
/// Left for what is said of rows that do not fit.
const REST: usize = 200;

/// The comment.
#[must_use]
pub fn markdown(report: &ReportStatus) -> String {
    let mut out = format!("{MARKER}\n");
    heading(&mut out, report);
    controls(&mut out, &report.controls);
    findings(&mut out, &report.findings);
    out
}

fn heading(out: &mut String, report: &ReportStatus) {
    let totals = &report.summary;
    let (score, coverage) = (totals.score, totals.coverage);
    line(
        out,
        &format!("## Flux security: score {score} of 100, coverage {coverage}%\n"),
    );
    if !report.cluster_name.is_empty() {
        line(
            out,
            &format!("Cluster {}\n", code(&bounded(&report.cluster_name))),
        );
    }
    let failing: Vec<String> = Severity::ALL
        .into_iter()
        .filter(|severity| totals.failing.get(*severity) > 0)
        .map(|severity| format!("{} {severity}", totals.failing.get(severity)))
        .collect();
    let failing = match failing.as_slice() {
        [] => "0".to_owned(),
        failing => format!("{} ({})", totals.fail, failing.join(", ")),
    };
    line(
        out,
        "| Fail | Unknown | Manual | Waived | Pass | Not applicable | Findings |",
    );
    line(out, "|---|---|---|---|---|---|---|");
    let (unknown, manual, waived) = (totals.unknown, totals.manual, totals.waived);
    let (pass, not_applicable, findings) = (totals.pass, totals.not_applicable, totals.findings);
    line(
        out,
        &format!("| {failing} | {unknown} | {manual} | {waived} | {pass} | {not_applicable} | {findings} |"),
    );
}

fn controls(out: &mut String, all: &[ControlStatus]) {
    let shown = |row: &&ControlStatus| {
        matches!(
            row.result,
            ControlResult::Fail | ControlResult::Unknown | ControlResult::Manual | ControlResult::Waived
        )
    };
    let mut rows: Vec<&ControlStatus> = all.iter().filter(shown).collect();
    rows.sort_by_key(|row| (row.result, row.severity, &row.id));
    let rows = rows.into_iter().map(|row| {
        let (result, severity, message) = (row.result, row.severity, code(&row.message));
        let (id, title) = named(row);
        format!("| {result} | {severity} | {id} | {title} | {message} |")
    });
    let head = "| Result | Severity | Control | Recommendation | Message |\n|---|---|---|---|---|";
    table(out, "controls", head, rows, MAX_CHARACTERS / 2);
}

fn findings(out: &mut String, all: &[Finding]) {
    if all.is_empty() {
        return;
    }
    line(
        out,
        &format!("\n<details><summary>Findings: {}</summary>", all.len()),
    );
    let rows = all.iter().map(|finding| {
        let (severity, control) = (finding.severity, &finding.control);
        let object = code(&finding.resource.to_string());
        let place = [finding.location.position(), finding.location.part()];
        let place: Vec<String> = place
            .iter()
            .map(|it| code(it))
            .filter(|it| !it.is_empty())
            .collect();
        let (observed, expected) = (code(&finding.observed), code(&finding.expected));
        let place = place.join(" ");
        let severity = match finding.waiver.as_str() {
            "" => severity.to_string(),
            waiver => format!("{severity}, waived by {}", code(waiver)),
        };
        format!("| {severity} | {control} | {object} | {place} | {observed} | {expected} |")
    });
    let head = "| Severity | Control | Object | Place | Observed | Expected |\n|---|---|---|---|---|---|";
    table(out, "findings", head, rows, MAX_CHARACTERS);
    line(out, "\n</details>");
}

/// The rows that fit, and how many do not.
fn table(out: &mut String, what: &str, head: &str, rows: impl ExactSizeIterator<Item = String>, most: usize) {
    if rows.len() == 0 {
        return;
    }
    line(out, &format!("\n{head}"));
    let mut written = out.chars().count();
    let mut left_out = 0;
    for row in rows {
        written += row.chars().count() + 1;
        if left_out > 0 || written > most - REST {
            left_out += 1;
        } else {
            line(out, &row);
        }
    }
    if left_out > 0 {
        line(
            out,
            &format!("\n{left_out} more {what} have no room in a comment."),
        );
    }
}

/// A control and its recommendation, with a link to where that comes from.
fn named(row: &ControlStatus) -> (String, String) {
    match controls::find(&row.id) {
        Some(control) => (
            format!("[{}]({})", control.id, control.reference),
            text(control.title),
        ),
        // One of the policy's own, whose author may write anything.
        None => (code(&row.id), code(&row.title)),
    }
}

/// A code span in a cell of a table; nothing for nothing.
fn code(plain: &str) -> String {
    let plain = escaped(plain);
    if plain.is_empty() {
        return plain;
    }
    // A backslash before the bar would be taken for the one that escapes it.
    let plain = plain.replace("\\|", "\\\\u{7c}").replace('|', "\\|");
    let fence = "`".repeat(longest_run(&plain) + 1);
    let touches = plain.starts_with('`') || plain.ends_with('`');
    // One space at both ends is taken away, unless there are spaces alone.
    let is_padded = plain.starts_with(' ') && plain.ends_with(' ') && !plain.trim().is_empty();
    if touches || is_padded {
        return format!("{fence} {plain} {fence}");
    }
    format!("{fence}{plain}{fence}")
}

fn longest_run(text: &str) -> usize {
    text.split(|character| character != '`')
        .map(str::len)
        .max()
        .unwrap_or(0)
}

fn line(out: &mut String, text: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{text}");
}

#[cfg(test)]
mod tests {
    use super::{MAX_CHARACTERS, code, markdown};
    use crate::render::fixture::{at, failing};
    use crate::render::report::uncut;

    #[test]
    fn code_spans_end_where_they_should() {
        for (plain, span) in [
            ("", ""),
            ("a", "`a`"),
            ("a|b", "`a\\|b`"),
            ("a\\|b", "`a\\\\u{7c}b`"),
            ("`a``b", "``` `a``b ```"),
            (" a ", "`  a  `"),
            ("  ", "`  `"),
            ("a\nb", "`a\\nb`"),
        ] {
            assert_eq!(code(plain), span);
        }
    }

    #[test]
    fn a_comment_has_bounds_and_says_what_it_leaves_out() {
        let names: Vec<String> = (0..5000).map(|number| format!("tenant-{number}")).collect();
        let report = uncut(
            &failing(&names.iter().map(String::as_str).collect::<Vec<_>>()),
            at(1),
        );
        let comment = markdown(&report);
        assert!(comment.chars().count() <= MAX_CHARACTERS);
        let rows = comment
            .lines()
            .filter(|line| line.starts_with("| High | "))
            .count();
        assert!(rows > 100, "{rows}");
        let rest = format!("\n{} more findings have no room in a comment.\n", 5000 - rows);
        assert!(comment.contains(&rest), "{rows}");
        assert!(comment.ends_with("</details>\n"));
    }
}
