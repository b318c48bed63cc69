//! The history of a repository: as JSON, as SARIF, and for a person.

use std::fmt::Write;

use serde_json::{Value, json};

use super::sarif::{MAX_RESULTS, SCHEMA, level, uri, weight};
use crate::api::Severity;
use crate::api::digest::digest;
use crate::api::history::{CommitRef, HistoryFinding, HistoryReport};
use crate::engine::posture::escaped;

/// Control that the report is evidence for.
const CONTROL: &str = "FSP-SEC-004";
/// Findings that a person is shown.
const MOST_SHOWN: usize = 100;

/// Indented JSON.
///
/// # Errors
/// None is known: every text can be written as JSON.
pub fn json(report: &HistoryReport) -> Result<String, serde_json::Error> {
    Ok(serde_json::to_string_pretty(report)? + "\n")
}

/// SARIF 2.1.0: a result for each finding, at its file in the last commit that has it.
///
/// # Errors
/// None is known: every text can be written as JSON.
pub fn sarif(report: &HistoryReport) -> Result<String, serde_json::Error> {
    let mut rules: Vec<&str> = report.findings.iter().map(|it| it.rule.as_str()).collect();
    rules.sort_unstable();
    rules.dedup();
    let results = report.findings.iter().take(MAX_RESULTS);
    let results: Vec<Value> = results.map(|finding| result(finding, &rules)).collect();
    let mut run = json!({
        "tool": {"driver": {
            "name": "fluxsec",
            "fullName": "Flux Security Operator",
            "semanticVersion": env!("CARGO_PKG_VERSION"),
            "informationUri": "https://fluxcd.io/flux/security/best-practices/#secret-decryption",
            "rules": rules.iter().map(|id| rule(id, report)).collect::<Vec<_>>(),
        }},
        "automationDetails": {"id": "fluxsec/history/"},
        "invocations": [{
            "executionSuccessful": true,
            "endTimeUtc": report.scanned_at.0.to_string(),
            "toolExecutionNotifications": notifications(report),
        }],
        "columnKind": "utf16CodeUnits",
        "results": results,
        "properties": {
            "control": CONTROL,
            "repository": report.repository,
            "scannedAt": report.scanned_at.0.to_string(),
            "complete": report.complete,
            "range": report.range,
        },
    });
    if !report.repository.is_empty() {
        run["versionControlProvenance"] = json!([{
            "repositoryUri": report.repository,
            "revisionId": report.range.head,
        }]);
    }
    let log = json!({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]});
    Ok(serde_json::to_string_pretty(&log)? + "\n")
}

fn rule(id: &str, report: &HistoryReport) -> Value {
    let mut findings = report.findings.iter().filter(|it| it.rule == id);
    let worst = findings
        .clone()
        .map(|it| it.severity)
        .min()
        .unwrap_or(Severity::High);
    let about = findings.next().map_or(id, |it| it.message.as_str());
    let mut rule = json!({
        "id": id,
        "shortDescription": {"text": about},
        "fullDescription": {"text": "A credential that was committed once stays in the history of every clone, even after it was removed from the files."},
        "help": {"text": "Change what the secret lets in to. Removing it from the files, or rewriting the history, does not take it back."},
        "defaultConfiguration": {"level": level(worst)},
        "properties": {"tags": ["security", "flux", CONTROL]},
    });
    if let Some(weight) = weight(worst) {
        rule["properties"]["security-severity"] = json!(weight);
    }
    rule
}

fn notifications(report: &HistoryReport) -> Vec<Value> {
    let lacks = report.lacks.iter();
    let left_out = report.findings.len().saturating_sub(MAX_RESULTS) as u64 + report.more_findings;
    let left_out = (left_out > 0).then(|| format!("findings that are left out: {left_out}"));
    lacks
        .map(|lack| format!("not looked into: {lack}"))
        .chain(left_out)
        .map(|text| json!({"level": "warning", "message": {"text": text}}))
        .collect()
}

fn result(finding: &HistoryFinding, rules: &[&str]) -> Value {
    json!({
        "ruleId": finding.rule,
        "ruleIndex": rules.binary_search(&finding.rule.as_str()).unwrap_or_default(),
        "kind": "fail",
        "level": level(finding.severity),
        "message": {"text": format!("{} ({})", sentence(finding), times(finding))},
        "locations": [{"physicalLocation": {
            "artifactLocation": {"uri": uri(&finding.file)},
            "region": {"startLine": finding.line},
        }}],
        "partialFingerprints": {
            "primaryLocationLineHash": format!("{}:1", place(finding)),
            "fluxsecHistory/v1": place(finding),
        },
        "properties": {
            "blob": finding.blob,
            "first": finding.first,
            "last": finding.last,
            "stillIn": finding.still_in,
            "versions": finding.versions,
            "fingerprint": finding.fingerprint,
        },
    })
}

/// The same for a secret in its place, whatever it is.
fn place(finding: &HistoryFinding) -> String {
    digest(&[&finding.rule, &finding.file, &finding.object, &finding.field])
}

fn sentence(finding: &HistoryFinding) -> String {
    let HistoryFinding {
        message,
        field,
        object,
        ..
    } = finding;
    match (field.as_str(), object.as_str()) {
        ("", "") => message.clone(),
        ("", object) => format!("{object}: {message}"),
        (field, "") => format!("{field}: {message}"),
        (field, object) => format!("{field} of {object}: {message}"),
    }
}

fn times(finding: &HistoryFinding) -> String {
    let commit = |commit: &Option<CommitRef>| {
        commit.as_ref().map_or_else(
            || "an object without a commit".to_owned(),
            |it| format!("{} of {}", short(&it.id), date(it)),
        )
    };
    let first = commit(&finding.first);
    match finding.still_in.as_str() {
        "" => format!("from {first} to {}, in the history alone", commit(&finding.last)),
        still_in => format!("since {first}, still in {still_in}"),
    }
}

fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

fn date(commit: &CommitRef) -> String {
    let text = commit.time.0.to_string();
    text.split('T').next().unwrap_or_default().to_owned()
}

/// For a terminal.
#[must_use]
pub fn text(report: &HistoryReport) -> String {
    let mut out = String::new();
    for finding in report.findings.iter().take(MOST_SHOWN) {
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "{} {}:{} {}\n    {}",
            finding.severity,
            escaped(&finding.file),
            finding.line,
            escaped(&sentence(finding)),
            escaped(&times(finding)),
        );
    }
    let more = report.findings.len().saturating_sub(MOST_SHOWN) as u64 + report.more_findings;
    if more > 0 {
        let _ = writeln!(out, "and {more} more: see them with -o json");
    }
    for lack in &report.lacks {
        let _ = writeln!(out, "not looked into: {}", escaped(lack));
    }
    let history_alone = report.findings.iter().filter(|it| it.still_in.is_empty()).count();
    let _ = writeln!(
        out,
        "{} secrets, {history_alone} of them in the history alone; {} commits, {} contents of files, {} references",
        report.findings.len() as u64 + report.more_findings,
        report.range.commits,
        report.range.blobs,
        report.range.refs,
    );
    out
}
