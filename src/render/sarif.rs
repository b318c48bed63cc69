//! The report as SARIF 2.1.0, for code scanning.
//!
//! Controls are rules and findings are results. What could not be judged, or only by a person, and what is waived is no
//! result, since every result is an alert to those who show them: the run's notifications tell of it. A suppression,
//! which results may have, is an open alert to GitHub all the same.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Value, json};

use super::fingerprint::numbered;
use crate::api::{ControlResult, ControlStatus, Finding, ReportStatus, ResourceRef, Severity};
use crate::controls::{self, Control};

/// Where the schema is published.
pub const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
/// GitHub refuses a run with more results.
pub(super) const MAX_RESULTS: usize = 25_000;

/// Indented JSON. `category` tells the runs of several clusters apart.
///
/// # Errors
/// None is known: every text can be written as JSON.
pub fn sarif(category: &str, report: &ReportStatus) -> Result<String, serde_json::Error> {
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": driver(report)},
            "automationDetails": {"id": format!("fluxsec/{category}/")},
            "invocations": [{"executionSuccessful": true, "toolExecutionNotifications": notifications(report)}],
            "columnKind": "utf16CodeUnits",
            "results": results(report),
            "properties": {"score": report.summary.score, "coverage": report.summary.coverage},
        }],
    });
    Ok(serde_json::to_string_pretty(&log)? + "\n")
}

fn driver(report: &ReportStatus) -> Value {
    let rules: Vec<Value> = report.controls.iter().map(rule).collect();
    json!({
        "name": "fluxsec",
        "fullName": "Flux Security Operator",
        "semanticVersion": report.catalogue.version,
        "informationUri": "https://fluxcd.io/flux/security/best-practices/",
        "rules": rules,
    })
}

fn rule(row: &ControlStatus) -> Value {
    let mut rule = json!({
        "id": row.id,
        "shortDescription": {"text": row.title},
        "fullDescription": {"text": row.title},
        "defaultConfiguration": {"level": level(row.severity)},
        "properties": {"tags": ["security", "flux"], "precision": "very-high"},
    });
    if let Some(weight) = weight(row.severity) {
        rule["properties"]["security-severity"] = json!(weight);
    }
    // A policy may have controls of its own.
    if let Some(control) = controls::find(&row.id) {
        rule["fullDescription"] = json!({"text": control.rationale});
        rule["help"] = json!({"text": help(control), "markdown": help_as_markdown(control)});
        rule["helpUri"] = json!(control.reference);
        rule["properties"]["tags"] = json!(["security", "flux", control.chapter]);
    }
    rule
}

fn help(control: &Control) -> String {
    let Control {
        rationale,
        audit,
        remediation,
        reference,
        ..
    } = control;
    format!("{rationale}\n\nWhat is read: {audit}\n\nHow to repair: {remediation}\n\nReference: {reference}")
}

fn help_as_markdown(control: &Control) -> String {
    let [rationale, audit, remediation] =
        [control.rationale, control.audit, control.remediation].map(super::control_page::text);
    let reference = control.reference;
    format!(
        "{rationale}\n\n**What is read.** {audit}\n\n**How to repair.** {remediation}\n\n**Reference.** <{reference}>"
    )
}

pub(super) const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "note",
    }
}

/// The number by which GitHub tells critical, high, medium and low apart.
pub(super) const fn weight(severity: Severity) -> Option<&'static str> {
    match severity {
        Severity::Critical => Some("9.5"),
        Severity::High => Some("8.0"),
        Severity::Medium => Some("5.5"),
        Severity::Low => Some("2.0"),
        Severity::Info => None,
    }
}

fn notifications(report: &ReportStatus) -> Vec<Value> {
    let mut notifications = Vec::new();
    for (index, row) in report.controls.iter().enumerate() {
        let level = match row.result {
            ControlResult::Unknown => "warning",
            ControlResult::Manual | ControlResult::Waived => "note",
            ControlResult::Fail if row.waived > 0 => "note",
            _ => continue,
        };
        let (descriptor, text) = match row.result {
            ControlResult::Fail => (
                ControlResult::Waived,
                format!("findings that are waived: {}", row.waived),
            ),
            result => (result, row.message.clone()),
        };
        notifications.push(json!({
            "descriptor": {"id": descriptor.as_str()},
            "associatedRule": {"id": row.id, "index": index},
            "level": level,
            "message": {"text": text},
        }));
    }
    let open = report.findings.iter().filter(|finding| !finding.is_waived());
    let left_out = open.count().saturating_sub(MAX_RESULTS);
    if left_out > 0 {
        let text = format!("{left_out} findings are left out: code scanning takes {MAX_RESULTS}");
        notifications.push(json!({"level": "warning", "message": {"text": text}}));
    }
    notifications
}

fn results(report: &ReportStatus) -> Vec<Value> {
    let rules: BTreeMap<&str, usize> = report
        .controls
        .iter()
        .enumerate()
        .map(|(index, row)| (row.id.as_str(), index))
        .collect();
    let fingerprints = numbered(&report.findings);
    let findings = report.findings.iter().zip(fingerprints);
    let findings = findings
        .filter(|(finding, _)| !finding.is_waived())
        .take(MAX_RESULTS);
    findings
        .map(|(finding, fingerprint)| {
            let mut result = json!({
                "ruleId": finding.control,
                "kind": "fail",
                "level": level(finding.severity),
                "message": {"text": message(finding)},
                "locations": [location(finding)],
                // GitHub tells alerts apart by the first, and by nothing else when it is there.
                "partialFingerprints": {"primaryLocationLineHash": fingerprint, "fluxsec/v1": fingerprint},
            });
            if let Some(index) = rules.get(finding.control.as_str()) {
                result["ruleIndex"] = json!(index);
            }
            result
        })
        .collect()
}

fn message(finding: &Finding) -> String {
    let Finding {
        resource,
        observed,
        expected,
        message,
        ..
    } = finding;
    format!("{resource}: {message}\nObserved: {observed}\nExpected: {expected}")
}

/// The place in a file. What was read from a cluster has none, and GitHub refuses a whole run for one result without:
/// a path that is made of the object's name stands for it.
fn location(finding: &Finding) -> Value {
    let (uri, line) = match finding.location.file.as_str() {
        "" => (path_of(&finding.resource), 1),
        file => (uri(file), finding.location.line.unwrap_or(1)),
    };
    json!({
        "physicalLocation": {"artifactLocation": {"uri": uri}, "region": {"startLine": line}},
        "logicalLocations": [logical(finding)],
    })
}

fn logical(finding: &Finding) -> Value {
    let ResourceRef { kind, name, .. } = &finding.resource;
    let scope = scope(&finding.resource);
    let part = finding.location.part();
    let name_in_full = match part.as_str() {
        "" => format!("{scope}/{kind}/{name}"),
        part => format!("{scope}/{kind}/{name}: {part}"),
    };
    json!({"name": name, "fullyQualifiedName": name_in_full, "kind": "resource"})
}

fn path_of(resource: &ResourceRef) -> String {
    let parts = [scope(resource), &resource.kind, &resource.name];
    let parts = parts.map(|part| encoded(part, b""));
    format!("cluster/{}", parts.join("/"))
}

fn scope(resource: &ResourceRef) -> &str {
    match resource.namespace.as_str() {
        "" => "_cluster",
        namespace => namespace,
    }
}

/// A path as a reference: relative to where the audit was made, as code scanning expects it.
pub(super) fn uri(file: &str) -> String {
    let file = file.strip_prefix("./").unwrap_or(file);
    let path = encoded(file, b"/");
    if file.starts_with('/') {
        return format!("file://{path}");
    }
    path
}

fn encoded(text: &str, kept: &[u8]) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || kept.contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::{encoded, uri};

    #[test]
    fn paths_are_references() {
        assert_eq!(uri("./fleet/a b.yaml"), "fleet/a%20b.yaml");
        assert_eq!(uri("/srv/é.yaml"), "file:///srv/%C3%A9.yaml");
        assert_eq!(uri("a:b"), "a%3Ab");
        assert_eq!(encoded("system:node/../x", b""), "system%3Anode%2F..%2Fx");
    }
}
