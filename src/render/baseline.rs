//! What was known before: a former `fluxsec audit -o json`.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::fingerprint::fingerprint;
use crate::api::report::Location;
use crate::api::{
    ControlResult, ControlStatus, Finding, GROUP, ReportStatus, ResourceRef, Severity, VERSION,
};
use crate::engine::posture::summary_of;

/// The findings of a former report: how many of each fingerprint, and how bad they were.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Baseline {
    known: BTreeMap<String, Vec<Severity>>,
}

/// Why a text is not a baseline.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// Not JSON.
    #[error("this is no JSON: {0}")]
    Json(serde_json::Error),
    /// A field is missing or has another value than reports have.
    #[error("{field}: {problem}")]
    Field {
        /// Path of the field.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl Baseline {
    /// Reads what `fluxsec audit -o json` has printed.
    ///
    /// # Errors
    /// It is something else: says which field tells.
    pub fn parse(text: &str) -> Result<Self, BaselineError> {
        let report: Value = serde_json::from_str(text).map_err(BaselineError::Json)?;
        expect(&report, "apiVersion", &format!("{GROUP}/{VERSION}"))?;
        expect(&report, "kind", "FluxSecurityReport")?;
        let status = &report["status"];
        if !status.is_object() {
            return Err(broken("status", "there is none"));
        }
        whole(status)?;
        let mut baseline = Self::default();
        let findings = match &status["findings"] {
            // A report without findings has no such field.
            Value::Null => &Vec::new(),
            Value::Array(findings) => findings,
            _ => return Err(broken("status.findings", "this is no list")),
        };
        for (position, finding) in findings.iter().enumerate() {
            let finding = known(&format!("status.findings[{position}]"), finding)?;
            // What did not count then is new when it does.
            if finding.is_waived() {
                continue;
            }
            let severities = baseline.known.entry(fingerprint(&finding)).or_default();
            severities.push(finding.severity);
        }
        for severities in baseline.known.values_mut() {
            severities.sort_unstable();
        }
        Ok(baseline)
    }

    /// The report with what is new: findings that count and were not there, or are worse than they were. Of the controls
    /// that fail, those with such a finding. The totals stay those of the whole.
    #[must_use]
    pub fn news(&self, report: &ReportStatus) -> ReportStatus {
        let mut known = self.known.clone();
        let is_new = |finding: &&Finding| {
            let before = known.get_mut(&fingerprint(finding)).and_then(|it| {
                // The worst of those that are left answers for it.
                (!it.is_empty()).then(|| it.remove(0))
            });
            before.is_none_or(|before| finding.severity < before)
        };
        let counts = report.findings.iter().filter(|finding| !finding.is_waived());
        let findings: Vec<Finding> = counts.filter(is_new).cloned().collect();
        let controls = report.controls.iter();
        let controls = controls
            .filter_map(|control| reduced(control, &findings))
            .collect();
        ReportStatus {
            controls,
            findings,
            ..report.clone()
        }
    }
}

/// A control by its new findings alone; one that fails without any is of no interest.
fn reduced(control: &ControlStatus, news: &[Finding]) -> Option<ControlStatus> {
    if control.result != ControlResult::Fail {
        return Some(control.clone());
    }
    let news = || news.iter().filter(|finding| finding.control == control.id);
    Some(ControlStatus {
        severity: news().map(|finding| finding.severity).min()?,
        message: summary_of(news()),
        findings: i32::try_from(news().count()).unwrap_or(i32::MAX),
        ..control.clone()
    })
}

fn expect(report: &Value, field: &str, expected: &str) -> Result<(), BaselineError> {
    match &report[field] {
        Value::String(found) if found == expected => Ok(()),
        Value::String(found) => Err(broken(field, &format!("expected {expected}, found {found:?}"))),
        _ => Err(broken(
            field,
            &format!("expected {expected}: a baseline is made by `fluxsec audit -o json`"),
        )),
    }
}

/// The operator's own report lists the worst findings only: the others would be taken for new ones.
fn whole(status: &Value) -> Result<(), BaselineError> {
    let field = "status.truncatedFindings";
    match &status["truncatedFindings"] {
        Value::Null => Ok(()),
        count if count == 0 => Ok(()),
        count => Err(broken(
            field,
            &format!("{count} findings are left out: make the baseline by `fluxsec audit -o json`"),
        )),
    }
}

/// What of a finding its fingerprint depends on. The rest may be missing.
fn known(path: &str, value: &Value) -> Result<Finding, BaselineError> {
    let Value::Object(fields) = value else {
        return Err(broken(path, "this is no object"));
    };
    Ok(Finding {
        severity: field(path, fields, "severity")?,
        control: field(path, fields, "control")?,
        resource: resource(&format!("{path}.resource"), fields.get("resource"))?,
        location: match fields.get("location") {
            None => Location::default(),
            Some(_) => field(path, fields, "location")?,
        },
        observed: String::new(),
        expected: String::new(),
        message: String::new(),
        waiver: match fields.get("waiver") {
            None => String::new(),
            Some(_) => field(path, fields, "waiver")?,
        },
    })
}

fn resource(path: &str, value: Option<&Value>) -> Result<ResourceRef, BaselineError> {
    let Some(Value::Object(fields)) = value else {
        return Err(broken(path, "this is no object"));
    };
    let namespace = match fields.get("namespace") {
        None => String::new(),
        Some(_) => field(path, fields, "namespace")?,
    };
    Ok(ResourceRef {
        api_version: field(path, fields, "apiVersion")?,
        kind: field(path, fields, "kind")?,
        namespace,
        name: field(path, fields, "name")?,
    })
}

fn field<T: DeserializeOwned>(
    path: &str,
    fields: &Map<String, Value>,
    name: &str,
) -> Result<T, BaselineError> {
    let path = format!("{path}.{name}");
    let value = fields.get(name).ok_or_else(|| broken(&path, "it is missing"))?;
    T::deserialize(value).map_err(|error| broken(&path, &error.to_string()))
}

fn broken(field: &str, problem: &str) -> BaselineError {
    BaselineError::Field {
        field: field.to_owned(),
        problem: problem.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::render::fixture::{at, failing};
    use crate::render::{record, report};

    fn report_on(namespaces: &[&str]) -> ReportStatus {
        report::uncut(&failing(namespaces), at(1))
    }

    fn baseline(report: &ReportStatus) -> Baseline {
        Baseline::parse(&record::json("audit", report).unwrap()).unwrap()
    }

    #[test]
    fn what_was_there_is_not_new() {
        let before = report_on(&["a", "b"]);
        let news = baseline(&before).news(&before);
        assert_eq!((news.findings.len(), news.controls.len()), (0, 0));
        assert_eq!(news.summary, before.summary);
    }

    #[test]
    fn order_lines_and_values_are_no_news() {
        let before = report_on(&["a", "b"]);
        let mut after = before.clone();
        after.findings.reverse();
        for finding in &mut after.findings {
            finding.location.line = Some(700);
            finding.observed = "other".to_owned();
        }
        assert_eq!(baseline(&before).news(&after).findings, []);
    }

    #[test]
    fn a_control_counts_by_its_new_findings() {
        let news = baseline(&report_on(&["a", "b"])).news(&report_on(&["a", "b", "c", "d"]));
        let homes: Vec<&str> = news.findings.iter().map(|it| it.resource.home()).collect();
        assert_eq!(homes, ["c", "d"]);
        let control = &news.controls[0];
        assert_eq!(
            (control.findings, control.message.as_str()),
            (2, "Deployment c/helm-controller: message (and 1 more)")
        );
    }

    #[test]
    fn what_is_there_twice_is_new_once() {
        let before = report_on(&["a"]);
        let mut after = before.clone();
        after.findings.push(before.findings[0].clone());
        assert_eq!(baseline(&before).news(&after).findings.len(), 1);
    }

    #[test]
    fn what_got_worse_is_new_and_what_got_better_is_not() {
        let at = |severity| {
            let mut report = report_on(&["a"]);
            report.findings[0].severity = severity;
            report
        };
        let (mild, bad) = (at(Severity::Low), at(Severity::Critical));
        assert_eq!(baseline(&mild).news(&bad).findings.len(), 1);
        assert_eq!(
            baseline(&mild).news(&bad).controls[0].severity,
            Severity::Critical
        );
        assert_eq!(baseline(&bad).news(&mild).findings.len(), 0);
    }

    #[test]
    fn what_was_waived_is_new_when_it_counts_and_what_is_waived_never_counts() {
        let open = report_on(&["a"]);
        let mut waived = open.clone();
        "w".clone_into(&mut waived.findings[0].waiver);
        assert_eq!(baseline(&waived).news(&open).findings, open.findings);
        assert_eq!(baseline(&report_on(&[])).news(&waived).findings, []);
    }

    #[test]
    fn what_does_not_fail_stays() {
        let mut after = report_on(&["a"]);
        after.controls[0].result = ControlResult::Unknown;
        let news = baseline(&report_on(&["a"])).news(&after);
        assert_eq!(news.controls, after.controls);
    }

    #[test]
    fn a_broken_baseline_names_the_field() {
        let whole = serde_json::to_value(
            record::json("audit", &report_on(&["a"]))
                .map(|it| serde_json::from_str::<Value>(&it).unwrap())
                .unwrap(),
        )
        .unwrap();
        let cases = [
            (
                "/kind",
                json!("List"),
                "kind: expected FluxSecurityReport, found \"List\"",
            ),
            (
                "/apiVersion",
                json!(7),
                "apiVersion: expected fluxsecurity.dev/v1alpha1: a baseline",
            ),
            ("/status", json!(null), "status: there is none"),
            (
                "/status/truncatedFindings",
                json!(12),
                "status.truncatedFindings: 12 findings are left out",
            ),
            ("/status/findings", json!({}), "status.findings: this is no list"),
            (
                "/status/findings/0",
                json!("x"),
                "status.findings[0]: this is no object",
            ),
            (
                "/status/findings/0/severity",
                json!("Bad"),
                "status.findings[0].severity: unknown variant `Bad`",
            ),
            (
                "/status/findings/0/control",
                json!(1),
                "status.findings[0].control: invalid type",
            ),
            (
                "/status/findings/0/resource",
                json!([]),
                "status.findings[0].resource: this is no object",
            ),
            (
                "/status/findings/0/resource/name",
                json!({}),
                "status.findings[0].resource.name: invalid type",
            ),
            (
                "/status/findings/0/location",
                json!(1),
                "status.findings[0].location: invalid type",
            ),
        ];
        for (pointer, value, complaint) in cases {
            let mut broken = whole.clone();
            *broken.pointer_mut(pointer).unwrap() = value;
            let error = Baseline::parse(&broken.to_string()).unwrap_err().to_string();
            assert!(error.starts_with(complaint), "{error}");
        }
        let mut missing = whole;
        missing["status"]["findings"][0]
            .as_object_mut()
            .unwrap()
            .remove("control");
        let error = Baseline::parse(&missing.to_string()).unwrap_err().to_string();
        assert_eq!(error, "status.findings[0].control: it is missing");
        let error = Baseline::parse("{\n\"kind\": }").unwrap_err().to_string();
        assert!(error.contains("line 2"), "{error}");
    }
}
