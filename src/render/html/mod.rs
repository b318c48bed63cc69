//! The report as one page: nothing is loaded from elsewhere, and everything is there without script, which adds the
//! filter alone.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::markup::text;
use crate::api::report::{Change, ControlStatus};
use crate::api::{ControlResult, Finding, ReportStatus, Severity};
use crate::controls::{self, Control};
use crate::engine::posture::bounded;

const STYLE: &str = include_str!("style.css");
/// What the page runs, and nothing else: a policy in its head names the digest.
pub const SCRIPT: &str = include_str!("filter.js");
/// SHA-256 of the script, in Base64.
const SCRIPT_DIGEST: &str = include_str!("filter.sha256");

/// The page.
#[must_use]
pub fn html(report: &ReportStatus) -> String {
    let mut out = String::new();
    head(&mut out, report);
    line(&mut out, "<main>");
    summary(&mut out, report);
    filter(&mut out, report);
    controls(&mut out, &report.controls);
    findings(&mut out, &report.findings);
    history(&mut out, &report.history);
    explanations(&mut out, &report.controls);
    installations(&mut out, report);
    line(&mut out, "</main>");
    line(&mut out, &format!("<script>{SCRIPT}</script>\n</body>\n</html>"));
    out
}

fn head(out: &mut String, report: &ReportStatus) {
    let cluster = match bounded(&report.cluster_name) {
        name if name.is_empty() => String::new(),
        name => format!(" of {}", text(&name)),
    };
    let (version, revision) = (&report.catalogue.version, &report.catalogue.document_revision);
    let (version, revision) = (text(version), text(revision));
    let digest = SCRIPT_DIGEST.trim();
    line(
        out,
        &format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; base-uri 'none'; form-action 'none'; \
             style-src 'unsafe-inline'; script-src 'sha256-{digest}'\">\n\
             <title>Flux security posture{cluster}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
             <header>\n<h1>Flux security posture{cluster}</h1>\n\
             <p>Audited by fluxsec {version} against Flux&#39;s Security Best Practices of {revision}.</p>\n</header>"
        ),
    );
}

fn summary(out: &mut String, report: &ReportStatus) {
    let totals = &report.summary;
    line(out, "<h2>Summary</h2>");
    line(
        out,
        &format!(
            "<p>Score <strong>{} of 100</strong>, coverage <strong>{}%</strong>.</p>",
            totals.score, totals.coverage
        ),
    );
    let results = [
        (ControlResult::Fail, totals.fail),
        (ControlResult::Unknown, totals.unknown),
        (ControlResult::Manual, totals.manual),
        (ControlResult::Waived, totals.waived),
        (ControlResult::Pass, totals.pass),
        (ControlResult::NotApplicable, totals.not_applicable),
    ];
    let results = results.map(|(result, count)| (result.as_str(), count));
    counts(out, "Controls by result", "Result", &results);
    let severities = Severity::ALL.map(|severity| (severity.as_str(), totals.failing.get(severity)));
    counts(out, "Failing controls by severity", "Severity", &severities);
}

fn counts(out: &mut String, caption: &str, head: &str, rows: &[(&str, i32)]) {
    table(out, "counts", caption, &[head, "Controls"]);
    for (name, count) in rows {
        line(
            out,
            &format!("<tr><th scope=\"row\">{name}</th><td>{count}</td></tr>"),
        );
    }
    end(out);
}

/// Opens a table. It can be scrolled with the keyboard where it is too wide.
fn table(out: &mut String, class: &str, caption: &str, columns: &[&str]) {
    line(
        out,
        &format!("<div class=\"scroll\" role=\"region\" aria-label=\"{caption}\" tabindex=\"0\">"),
    );
    line(
        out,
        &format!("<table class=\"{class}\">\n<caption>{caption}</caption>"),
    );
    let columns: Vec<String> = columns
        .iter()
        .map(|column| format!("<th scope=\"col\">{column}</th>"))
        .collect();
    line(
        out,
        &format!("<thead><tr>{}</tr></thead>\n<tbody>", columns.concat()),
    );
}

fn end(out: &mut String) {
    line(out, "</tbody>\n</table>\n</div>");
}

/// Hidden until the script shows it.
fn filter(out: &mut String, report: &ReportStatus) {
    let severities = Severity::ALL.map(Severity::as_str);
    let results = ControlResult::ALL.map(ControlResult::as_str);
    let homes = report.findings.iter().map(|finding| finding.resource.home());
    let homes: BTreeSet<&str> = homes.filter(|home| !home.is_empty()).collect();
    let homes: Vec<&str> = homes.into_iter().collect();
    line(
        out,
        "<form id=\"filter\" hidden>\n<fieldset>\n<legend>Show only</legend>",
    );
    select(out, "severity", "Severity", &severities);
    select(out, "result", "Result", &results);
    select(out, "namespace", "Namespace", &homes);
    line(out, "</fieldset>\n<p id=\"shown\" role=\"status\"></p>\n</form>");
}

fn select(out: &mut String, name: &str, label: &str, values: &[&str]) {
    line(
        out,
        &format!("<label>{label} <select name=\"{name}\"><option value=\"\">all</option>"),
    );
    for value in values {
        line(out, &format!("<option>{}</option>", text(value)));
    }
    line(out, "</select></label>");
}

fn controls(out: &mut String, rows: &[ControlStatus]) {
    line(out, "<h2>Controls</h2>");
    let mut rows: Vec<&ControlStatus> = rows.iter().collect();
    rows.sort_by_key(|row| (row.result, row.severity, &row.id));
    let columns = ["Control", "Result", "Severity", "Recommendation", "Message"];
    table(out, "controls", "Every control and its result", &columns);
    for row in rows {
        let (severity, result) = (row.severity.as_str(), row.result.as_str());
        let id = text(&row.id);
        let link = match explained(row) {
            Some(_) => format!("<a href=\"#{id}\">{id}</a>"),
            None => id.clone(),
        };
        let (title, message) = (text(&row.title), text(&row.message));
        line(
            out,
            &format!(
                "<tr data-control=\"{id}\" data-severity=\"{severity}\" data-result=\"{result}\">\
                 <th scope=\"row\">{link}</th><td class=\"{result}\">{result}</td><td class=\"{severity}\">{severity}</td>\
                 <td>{title}</td><td>{message}</td></tr>"
            ),
        );
    }
    end(out);
}

fn findings(out: &mut String, findings: &[Finding]) {
    line(out, "<h2>Findings</h2>");
    if findings.is_empty() {
        line(out, "<p>There is none.</p>");
        return;
    }
    let columns = [
        "Object",
        "Severity",
        "Control",
        "Place",
        "Observed",
        "Expected",
        "What is wrong",
    ];
    table(
        out,
        "findings",
        "Every object that makes a control fail",
        &columns,
    );
    for finding in findings {
        let severity = finding.severity.as_str();
        let (result, waived) = match finding.waiver.as_str() {
            "" => (ControlResult::Fail, String::new()),
            waiver => (ControlResult::Waived, format!("<br>Waived by {}", text(waiver))),
        };
        let result = result.as_str();
        let (id, home) = (text(&finding.control), text(finding.resource.home()));
        let link = match controls::find(&finding.control) {
            Some(_) => format!("<a href=\"#{id}\">{id}</a>"),
            None => id.clone(),
        };
        let place = [finding.location.position(), finding.location.part()];
        let place: Vec<String> = place
            .iter()
            .filter(|it| !it.is_empty())
            .map(|it| text(it))
            .collect();
        let place = place.join("<br>");
        let object = text(&finding.resource.to_string());
        let [observed, expected, message] =
            [&finding.observed, &finding.expected, &finding.message].map(|it| text(it));
        line(
            out,
            &format!(
                "<tr data-control=\"{id}\" data-severity=\"{severity}\" data-result=\"{result}\" data-namespace=\"{home}\">\
                 <th scope=\"row\">{object}</th><td class=\"{severity}\">{severity}{waived}</td><td>{link}</td><td>{place}</td>\
                 <td>{observed}</td><td>{expected}</td><td>{message}</td></tr>"
            ),
        );
    }
    end(out);
}

/// What the report remembers; an audit of files remembers nothing.
fn history(out: &mut String, changes: &[Change]) {
    if changes.is_empty() {
        return;
    }
    line(out, "<h2>History</h2>");
    let columns = ["Time", "Control", "Result", "Object", "By"];
    table(out, "history", "The last changes, the newest first", &columns);
    for change in changes {
        let from = change.from.map_or("", ControlResult::as_str);
        let result = [from, change.to.as_str()].join(" → ");
        let object = change
            .resource
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        let (object, by) = (text(&bounded(&object)), text(&bounded(&change.by())));
        let (time, id) = (change.time.0, text(&change.control));
        line(
            out,
            &format!(
                "<tr data-control=\"{id}\"><th scope=\"row\">{time}</th><td>{id}</td><td>{result}</td>\
                 <td>{object}</td><td>{by}</td></tr>"
            ),
        );
    }
    end(out);
}

/// The control of a row, when something is to be done about it.
fn explained(row: &ControlStatus) -> Option<&'static Control> {
    match row.result {
        ControlResult::Fail | ControlResult::Unknown | ControlResult::Manual | ControlResult::Waived => {
            controls::find(&row.id)
        }
        ControlResult::Pass | ControlResult::NotApplicable => None,
    }
}

fn explanations(out: &mut String, rows: &[ControlStatus]) {
    let explained: Vec<&Control> = rows.iter().filter_map(explained).collect();
    if explained.is_empty() {
        return;
    }
    line(out, "<h2>What to do</h2>");
    for control in explained {
        let [id, title, rationale, audit, remediation, reference] = [
            control.id,
            control.title,
            control.rationale,
            control.audit,
            control.remediation,
            control.reference,
        ]
        .map(text);
        line(
            out,
            &format!(
                "<section id=\"{id}\" aria-labelledby=\"{id}-title\">\n<h3 id=\"{id}-title\">{id}: {title}</h3>\n\
                 <p>{rationale}</p>\n<h4>What is read</h4>\n<p>{audit}</p>\n<h4>How to repair</h4>\n<p>{remediation}</p>\n\
                 <p><a href=\"{reference}\" rel=\"noreferrer\">{reference}</a></p>\n</section>"
            ),
        );
    }
}

fn installations(out: &mut String, report: &ReportStatus) {
    line(out, "<h2>Flux installations</h2>");
    if report.installations.is_empty() {
        line(out, "<p>No Flux controller was found.</p>");
        return;
    }
    let columns = [
        "Controller",
        "Version",
        "Workload",
        "Image",
        "Namespace",
        "Installed by",
        "Flux",
    ];
    table(out, "installations", "Flux controllers", &columns);
    for installation in &report.installations {
        let [namespace, installer, flux] = [
            &installation.namespace,
            &installation.installer,
            &installation.version,
        ]
        .map(|it| text(it));
        for controller in &installation.controllers {
            let [name, version, workload, image] = [
                &controller.name,
                &controller.version,
                &controller.workload,
                &controller.image,
            ]
            .map(|it| text(it));
            line(
                out,
                &format!(
                    "<tr><th scope=\"row\">{name}</th><td>{version}</td><td>{workload}</td><td>{image}</td>\
                     <td>{namespace}</td><td>{installer}</td><td>{flux}</td></tr>"
                ),
            );
        }
    }
    end(out);
}

fn line(out: &mut String, text: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{text}");
}
