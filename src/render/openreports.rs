//! The report as OpenReports: what other engines write too, and what dashboards read.
//!
//! A ClusterReport has the result of every control that does not fail, and failures of what has no namespace. A Report in
//! each namespace has the failures there. So each failure is counted once, and a tenant may be shown its own.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::report::{MAX_OBJECT_BYTES, clip};
use crate::api::digest::digest;
use crate::api::{self, ControlResult, ControlStatus, Finding, ReportStatus, ResourceRef, Severity};
use crate::controls;

/// API group of OpenReports.
pub const GROUP: &str = "openreports.io";
/// API version of OpenReports.
pub const VERSION: &str = "v1alpha1";
/// That of the cluster, and that of a namespace.
pub const KINDS: [&str; 2] = ["ClusterReport", "Report"];
/// Label with the digest of the results.
pub const HASH: &str = "fluxsecurity.dev/report-hash";
const SOURCE: &str = "FluxSecurity";
/// Objects that one result lists.
const MAX_RESOURCES: usize = 20;
/// Longest message in bytes.
const MAX_MESSAGE: usize = 1023;
/// Longest value of a label.
const MAX_LABEL: usize = 63;
/// Longest name of an object.
const MAX_NAME: usize = 253;

/// The documents, as YAML for `kubectl apply`.
///
/// # Errors
/// None is known: every text can be written as YAML.
pub fn openreports(policy: &str, report: &ReportStatus) -> Result<String, serde_saphyr::ser::Error> {
    let mut out = String::new();
    for object in objects(policy, report) {
        out.push_str("---\n");
        out.push_str(&serde_saphyr::to_string(&object)?);
    }
    Ok(out)
}

/// The ClusterReport, then the Reports by namespace.
#[must_use]
pub fn objects(policy: &str, report: &ReportStatus) -> Vec<Value> {
    let mut by_namespace: BTreeMap<&str, Vec<Value>> = BTreeMap::from([("", Vec::new())]);
    for row in &report.controls {
        if !matches!(row.result, ControlResult::Fail | ControlResult::Waived) {
            by_namespace
                .entry("")
                .or_default()
                .push(result(row, row.result, "", &[], report));
            continue;
        }
        for ((home, waiver), findings) in homes(row, &report.findings) {
            let verdict = if waiver.is_empty() {
                row.result
            } else {
                ControlResult::Waived
            };
            let results = by_namespace.entry(home).or_default();
            results.push(result(row, verdict, home, &findings, report));
        }
    }
    by_namespace
        .into_iter()
        .map(|(home, results)| object(policy, home, report, results))
        .collect()
}

/// A namespace, and the waiver of findings there; empty for those that count.
type Home<'a> = (&'a str, &'a str);

/// The findings of a control by namespace and waiver. A control that fails without any, since they are left out, fails
/// all the same.
fn homes<'a>(row: &ControlStatus, findings: &'a [Finding]) -> BTreeMap<Home<'a>, Vec<&'a Finding>> {
    let mut homes: BTreeMap<Home<'_>, Vec<&Finding>> = BTreeMap::new();
    for finding in findings.iter().filter(|finding| finding.control == row.id) {
        let home = (finding.resource.home(), finding.waiver.as_str());
        homes.entry(home).or_default().push(finding);
    }
    if homes.is_empty() {
        homes.insert(("", ""), Vec::new());
    }
    homes
}

fn object(policy: &str, namespace: &str, report: &ReportStatus, results: Vec<Value>) -> Value {
    let count = |word: &str| results.iter().filter(|result| result["result"] == word).count();
    let summary: Map<String, Value> = ["pass", "fail", "warn", "error", "skip"]
        .map(|word| (word.to_owned(), json!(count(word))))
        .into_iter()
        .collect();
    let results = Value::from(results);
    let mut metadata = json!({
        "name": name(policy),
        "labels": {
            "app.kubernetes.io/managed-by": "flux-security-operator",
            (format!("{}/policy", api::GROUP)): label(policy),
            HASH: digest(&[&results.to_string()]),
        },
    });
    let kind = KINDS[usize::from(!namespace.is_empty())];
    if !namespace.is_empty() {
        metadata["namespace"] = json!(namespace);
    }
    let mut object = json!({
        "apiVersion": format!("{GROUP}/{VERSION}"), "kind": kind, "metadata": metadata,
        "source": SOURCE, "summary": summary, "results": results,
    });
    let audited = if namespace.is_empty() {
        report
            .installations
            .first()
            .map(|installation| installation.namespace.as_str())
    } else {
        Some(namespace)
    };
    if let Some(name) = audited {
        object["scope"] = json!({"apiVersion": "v1", "kind": "Namespace", "name": name});
    }
    object
}

/// The name of all of a policy.
#[must_use]
pub fn name(policy: &str) -> String {
    shortened(&format!("flux-security-{policy}"), MAX_NAME)
}

/// What they say of the policy in a label.
#[must_use]
pub fn label(policy: &str) -> String {
    shortened(policy, MAX_LABEL)
}

/// The digest that one carries.
#[must_use]
pub fn hash(object: &Value) -> &str {
    object["metadata"]["labels"][HASH].as_str().unwrap_or_default()
}

/// Those that the operator writes, by namespace: each goes with the policy, and none is larger than a report may be.
#[must_use]
pub fn owned(policy: &str, uid: &str, report: &ReportStatus) -> BTreeMap<String, Value> {
    let owner = json!([{
        "apiVersion": format!("{}/{}", api::GROUP, api::VERSION),
        "kind": "FluxSecurityPolicy", "name": policy, "uid": uid,
    }]);
    let objects = objects(policy, report).into_iter().map(|mut object| {
        object["metadata"]["ownerReferences"] = owner.clone();
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
        (namespace.to_owned(), fitting(object))
    });
    objects.collect()
}

/// What fits into an object: first goes what the catalogue tells, then all but the first of the objects that a result
/// is about.
fn fitting(mut object: Value) -> Value {
    let strip: [fn(&mut Value); 2] = [
        |result| {
            if let Some(properties) = result["properties"].as_object_mut() {
                properties.retain(|name, _| !matches!(name.as_str(), "title" | "remediation" | "docURL"));
            }
        },
        |result| {
            if let Some(resources) = result["resources"].as_array_mut() {
                resources.truncate(1);
            }
        },
    ];
    for strip in strip {
        if object.to_string().len() <= MAX_OBJECT_BYTES {
            break;
        }
        for result in object["results"].as_array_mut().into_iter().flatten() {
            strip(result);
        }
    }
    object
}

/// What is too long is replaced by its digest.
fn shortened(name: &str, most: usize) -> String {
    if name.len() <= most {
        return name.to_owned();
    }
    format!("flux-security-{}", digest(&[name]))
}

/// One control, at one place.
fn result(
    row: &ControlStatus,
    as_result: ControlResult,
    home: &str,
    findings: &[&Finding],
    report: &ReportStatus,
) -> Value {
    let (word, scored) = verdict(as_result);
    let worst = findings.iter().map(|finding| finding.severity).min();
    let message = findings.first().map_or(&row.message, |finding| &finding.message);
    let mut result = json!({
        "source": SOURCE,
        "policy": row.id,
        "category": category(&row.id),
        "severity": severity(worst.unwrap_or(row.severity)),
        "result": word,
        "scored": scored,
        "message": clip(message, MAX_MESSAGE),
        "properties": properties(row, as_result, home, findings, report),
    });
    if let Some(since) = &row.since {
        // When the result became what it is, not when it was looked at.
        result["timestamp"] = json!({"seconds": since.0.as_second(), "nanos": 0});
    }
    let rule = findings
        .first()
        .map(|finding| finding.location.part())
        .unwrap_or_default();
    if !rule.is_empty() {
        result["rule"] = json!(rule);
    }
    if !findings.is_empty() {
        let resources = findings
            .iter()
            .take(MAX_RESOURCES)
            .map(|finding| resource(&finding.resource));
        result["resources"] = resources.collect();
    }
    result
}

/// `warn` is what is not met and not scored, `error` what could not be evaluated, `skip` what was not asked for.
const fn verdict(result: ControlResult) -> (&'static str, bool) {
    match result {
        ControlResult::Pass => ("pass", true),
        ControlResult::Fail => ("fail", true),
        ControlResult::Manual => ("warn", false),
        ControlResult::Unknown => ("error", false),
        ControlResult::Waived | ControlResult::NotApplicable => ("skip", false),
    }
}

fn category(id: &str) -> String {
    // A policy may have controls of its own.
    let chapter = controls::find(id).map_or(controls::custom::CHAPTER, |control| control.chapter);
    format!("Flux {chapter}")
}

const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::High => "high",
        Severity::Medium => "medium",
        Severity::Low => "low",
        Severity::Info => "info",
    }
}

fn resource(resource: &ResourceRef) -> Value {
    let mut reference = json!({
        "apiVersion": resource.api_version, "kind": resource.kind, "name": resource.name,
    });
    if !resource.namespace.is_empty() {
        reference["namespace"] = json!(resource.namespace);
    }
    reference
}

fn identity(row: &ControlStatus, home: &str, waiver: &str) -> String {
    match waiver {
        "" => digest(&[&row.id, home]),
        waiver => digest(&[&row.id, home, waiver]),
    }
}

fn properties(
    row: &ControlStatus,
    as_result: ControlResult,
    home: &str,
    findings: &[&Finding],
    report: &ReportStatus,
) -> Value {
    let waiver = findings.first().map_or("", |finding| &finding.waiver);
    let mut properties = BTreeMap::from([
        ("title", row.title.clone()),
        // What stays the same when the verdict changes: readers keep a history by it.
        ("resultID", identity(row, home, waiver)),
    ]);
    match as_result {
        ControlResult::Manual => properties.insert("manual", "true".to_owned()),
        ControlResult::NotApplicable => properties.insert("reason", "not-applicable".to_owned()),
        ControlResult::Waived => properties.insert("reason", "waived".to_owned()),
        _ => properties.insert("reason", row.reason.clone()),
    };
    if let Some(control) = controls::find(&row.id) {
        properties.insert("remediation", control.remediation.to_owned());
        properties.insert("docURL", control.reference.to_owned());
    }
    if !waiver.is_empty() {
        properties.insert("waiver", waiver.to_owned());
    }
    if let Some(first) = findings.first() {
        properties.insert("observed", first.observed.clone());
        properties.insert("expected", first.expected.clone());
    }
    let more = findings.len().saturating_sub(MAX_RESOURCES);
    if more > 0 {
        properties.insert("more", more.to_string());
    }
    if let Some(installation) = report.installations.first() {
        properties.insert("fluxVersion", installation.version.clone());
        properties.insert("installShape", installation.installer.clone());
    }
    json!(properties)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::controls::CATALOGUE;
    use crate::render::fixture::{at, control, failing};
    use crate::render::report::report;

    #[test]
    fn what_is_written_has_a_bound_and_an_owner() {
        let names: Vec<String> = (0..1000).map(|number| format!("tenant-{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut posture = failing(&names);
        posture.policy.spec.report.max_findings = 1000;
        posture.controls = (0..CATALOGUE.len())
            .map(|position| control(position, Severity::High, ControlResult::Fail))
            .collect();
        for control in &mut posture.controls {
            control.message = "m".repeat(2000);
        }
        posture.findings.edit(|findings| {
            for (number, finding) in findings.iter_mut().enumerate() {
                let finding = &mut Arc::make_mut(finding).finding;
                CATALOGUE[number % CATALOGUE.len()]
                    .id
                    .clone_into(&mut finding.control);
                finding.resource.namespace.clear();
                finding.resource.name = "n".repeat(250);
                finding.message = "m".repeat(256);
            }
        });
        let report = report(&posture, None, at(1));
        let owned = owned("default", "uid", &report);
        assert!(!owned.is_empty());
        for object in owned.values() {
            assert!(object.to_string().len() <= MAX_OBJECT_BYTES);
            assert_eq!(object["metadata"]["ownerReferences"][0]["uid"], "uid");
            assert_eq!(hash(object).len(), digest(&["a"]).len());
        }
        let results = owned[""]["results"].as_array().unwrap();
        assert_eq!(results.len(), CATALOGUE.len(), "no result is left out");
    }
}
