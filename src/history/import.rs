//! Reports that others have made on the history of a repository: what of them may be told. Values, and what stands around
//! them, are not taken in.

use k8s_openapi::jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::api::history::{HISTORY_REPORT, HistoryReport};
use crate::api::policy::ScannedPlace;

/// Places that an attestation names.
pub const MOST_PLACES: usize = 20;
/// No longer name is kept.
const LONGEST_FILE: usize = 1024;
const LONGEST_RULE: usize = 128;
const LONGEST_SCANNER: usize = 63;

/// What a report tells.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Imported {
    /// What made it.
    pub scanner: String,
    /// Address of the repository; `None`: it does not say.
    pub repository: Option<String>,
    /// When it was made; `None`: it does not say.
    pub at: Option<Timestamp>,
    /// The last commit; `None`: it does not say.
    pub head: Option<String>,
    /// Whether all was looked into; `None`: it does not say.
    pub is_complete: Option<bool>,
    /// How many secrets it tells of.
    pub findings: usize,
    /// The first of them.
    pub places: Vec<ScannedPlace>,
}

/// Why a report is not taken in.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It is of no form that is known. What is in it is not told.
    #[error("it is no report of fluxsec scan-history, GitLeaks, TruffleHog or Kingfisher in JSON or SARIF")]
    Unknown,
    /// It has nothing in it, which no scan says of itself.
    #[error("it is empty: that nothing was found, and by what, is to be said with --scanner")]
    Empty,
    /// It names nothing that made it.
    #[error("it does not say what made it: say so with --scanner")]
    Unnamed,
}

/// Reads a report. `scanner` is what made it, when somebody says.
///
/// # Errors
/// It is no report, or does not say what made it.
pub fn read(text: &str, scanner: Option<&str>) -> Result<Imported, ImportError> {
    let text = text.trim_start_matches('\u{feff}').trim();
    let mut imported = if text.is_empty() {
        // TruffleHog says nothing when it finds nothing.
        let Some(scanner) = scanner else {
            return Err(ImportError::Empty);
        };
        Imported {
            scanner: scanner.to_owned(),
            ..Imported::default()
        }
    } else {
        match serde_json::from_str::<Value>(text) {
            Ok(whole) => of_whole(whole, scanner)?,
            Err(_) => of_lines(text)?,
        }
    };
    imported.scanner = match scanner {
        Some(scanner) => scanner.to_owned(),
        None if imported.scanner.trim().is_empty() => return Err(ImportError::Unnamed),
        None => cut(&imported.scanner, LONGEST_SCANNER),
    };
    imported.head = imported.head.as_deref().and_then(commit_id);
    Ok(imported)
}

fn of_whole(whole: Value, scanner: Option<&str>) -> Result<Imported, ImportError> {
    if whole["kind"] == HISTORY_REPORT {
        let report = serde_json::from_value(whole).map_err(|_| ImportError::Unknown)?;
        return Ok(of_ours(&report));
    }
    if whole["runs"].is_array() {
        return of_sarif(&whole);
    }
    match &whole {
        Value::Array(list) if list.is_empty() => {
            let scanner = scanner.ok_or(ImportError::Empty)?.to_owned();
            Ok(Imported {
                scanner,
                ..Imported::default()
            })
        }
        Value::Array(list) => of_list(list),
        Value::Object(fields) => match fields.get("findings").and_then(Value::as_array) {
            Some(list) if list.is_empty() => Ok(Imported {
                scanner: "kingfisher".to_owned(),
                ..Imported::default()
            }),
            Some(list) => of_list(list),
            None => of_list(std::slice::from_ref(&whole)),
        },
        _ => Err(ImportError::Unknown),
    }
}

fn of_ours(report: &HistoryReport) -> Imported {
    let places = report.findings.iter().map(|finding| {
        let commit = finding.last.as_ref().map_or("", |last| &last.id);
        place(
            &finding.file,
            Some(u64::from(finding.line)),
            commit,
            &finding.message,
        )
    });
    let more = usize::try_from(report.more_findings).unwrap_or(usize::MAX);
    Imported {
        scanner: report.scanner.clone(),
        repository: told(&report.repository),
        at: Some(report.scanned_at.0),
        head: told(&report.range.head),
        is_complete: Some(report.complete),
        findings: report.findings.len().saturating_add(more),
        places: places.take(MOST_PLACES).collect(),
    }
}

fn told(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// Runs of SARIF: of our own, GitLeaks and Kingfisher.
fn of_sarif(log: &Value) -> Result<Imported, ImportError> {
    let runs = log["runs"].as_array().filter(|runs| !runs.is_empty());
    let mut imported = Imported::default();
    for run in runs.ok_or(ImportError::Unknown)? {
        let name = run["tool"]["driver"]["name"]
            .as_str()
            .ok_or(ImportError::Unknown)?;
        name.clone_into(&mut imported.scanner);
        let provenance = &run["versionControlProvenance"][0];
        imported.repository = imported.repository.or_else(|| text(&provenance["repositoryUri"]));
        imported.head = imported.head.or_else(|| text(&provenance["revisionId"]));
        let end = run["invocations"][0]["endTimeUtc"].as_str();
        imported.at = imported.at.or_else(|| end?.parse().ok());
        imported.is_complete = imported
            .is_complete
            .or_else(|| run["properties"]["complete"].as_bool());
        let results = run["results"].as_array().map_or(&[][..], Vec::as_slice);
        // What its maker accepts does not count.
        let open = results
            .iter()
            .filter(|result| result["suppressions"].as_array().is_none_or(Vec::is_empty));
        for result in open {
            let location = &result["locations"][0]["physicalLocation"];
            let commit = text(&result["properties"]["last"]["id"])
                .or_else(|| text(&result["partialFingerprints"]["commitSha"]))
                .unwrap_or_default();
            imported.find(
                location["artifactLocation"]["uri"].as_str().unwrap_or_default(),
                location["region"]["startLine"].as_u64(),
                &commit,
                result["ruleId"].as_str().unwrap_or_default(),
            );
        }
    }
    Ok(imported)
}

fn text(value: &Value) -> Option<String> {
    told(value.as_str()?)
}

/// A finding for each line, between lines of a log.
fn of_lines(text: &str) -> Result<Imported, ImportError> {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let values: Result<Vec<Value>, _> = lines.map(serde_json::from_str).collect();
    let values = values.map_err(|_| ImportError::Unknown)?;
    let is_log = |value: &&Value| value["level"].is_string() && value["msg"].is_string();
    let found: Vec<Value> = values.iter().filter(|value| !is_log(value)).cloned().collect();
    of_list(&found)
}

fn of_list(list: &[Value]) -> Result<Imported, ImportError> {
    let mut imported = Imported::default();
    for value in list {
        let found = Found::of(value).ok_or(ImportError::Unknown)?;
        found.scanner.clone_into(&mut imported.scanner);
        imported.repository = imported.repository.or(found.repository);
        imported.find(&found.file, found.line, &found.commit, &found.rule);
    }
    if imported.scanner.is_empty() {
        return Err(ImportError::Empty);
    }
    Ok(imported)
}

/// A finding of one of the others.
struct Found {
    scanner: &'static str,
    repository: Option<String>,
    file: String,
    line: Option<u64>,
    commit: String,
    rule: String,
}

/// GitLeaks.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OfGitLeaks {
    #[serde(rename = "RuleID")]
    rule: String,
    file: String,
    start_line: u64,
    #[serde(default)]
    commit: String,
}

/// TruffleHog.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OfTruffleHog {
    detector_name: String,
    source_metadata: Value,
}

impl Found {
    fn of(value: &Value) -> Option<Self> {
        if let Ok(found) = OfGitLeaks::deserialize(value) {
            return Some(Self {
                scanner: "gitleaks",
                repository: None,
                file: found.file,
                line: Some(found.start_line),
                commit: found.commit,
                rule: found.rule,
            });
        }
        if let Ok(found) = OfTruffleHog::deserialize(value) {
            // `Git`, `Github`, `Gitlab` and others have the same fields.
            let place = found.source_metadata["Data"].as_object()?.values().next()?;
            return Some(Self {
                scanner: "trufflehog",
                repository: text(&place["repository"]),
                file: text(&place["file"])?,
                line: place["line"].as_u64(),
                commit: text(&place["commit"]).unwrap_or_default(),
                rule: found.detector_name,
            });
        }
        let (rule, finding) = (&value["rule"], &value["finding"]);
        let git = &finding["git_metadata"];
        Some(Self {
            scanner: "kingfisher",
            repository: text(&git["repository_url"]),
            file: text(&git["file"]["path"]).or_else(|| text(&finding["path"]))?,
            line: finding["line"].as_u64(),
            commit: text(&git["commit"]["id"]).unwrap_or_default(),
            rule: text(&rule["id"]).or_else(|| text(&rule["name"]))?,
        })
    }
}

impl Imported {
    fn find(&mut self, file: &str, line: Option<u64>, commit: &str, rule: &str) {
        self.findings += 1;
        if self.places.len() < MOST_PLACES {
            self.places.push(place(file, line, commit, rule));
        }
    }
}

fn place(file: &str, line: Option<u64>, commit: &str, rule: &str) -> ScannedPlace {
    ScannedPlace {
        file: cut(file, LONGEST_FILE),
        line: line
            .and_then(|line| i32::try_from(line).ok())
            .filter(|line| *line > 0),
        commit: commit_id(commit).unwrap_or_default(),
        rule: cut(rule, LONGEST_RULE),
    }
}

fn cut(text: &str, most: usize) -> String {
    text[..text.floor_char_boundary(text.len().min(most))].to_owned()
}

/// The id of a commit, as attestations take it; `None`: it is none.
fn commit_id(text: &str) -> Option<String> {
    let is_id = (7..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then(|| text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What no place may have.
    const VALUE: &str = "hunter2-hunter3";

    fn told_of(imported: &Imported) -> Vec<(&str, Option<i32>, &str, &str)> {
        let places = imported.places.iter();
        places
            .map(|it| (&*it.file, it.line, &*it.commit, &*it.rule))
            .collect()
    }

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn reports_of_others_are_read_and_values_are_not() {
        let gitleaks = format!(
            r#"[{{"RuleID": "generic-api-key", "Description": "x", "StartLine": 4, "EndLine": 4, "Match": "password: {VALUE}", "Secret": "{VALUE}", "File": "a.yaml", "Commit": "{COMMIT}", "Fingerprint": "x"}}]"#
        );
        let gitleaks_sarif = format!(
            r#"{{"version": "2.1.0", "runs": [{{"tool": {{"driver": {{"name": "gitleaks"}}}}, "results": [
                {{"message": {{"text": "generic-api-key has detected secret"}}, "ruleId": "generic-api-key", "locations": [{{"physicalLocation": {{"artifactLocation": {{"uri": "a.yaml"}}, "region": {{"startLine": 4, "snippet": {{"text": "{VALUE}"}}}}}}}}], "partialFingerprints": {{"commitSha": "{COMMIT}"}}}},
                {{"ruleId": "accepted", "suppressions": [{{"kind": "external"}}]}}]}}]}}"#
        );
        let trufflehog = format!(
            "{{\"level\": \"info-0\", \"msg\": \"finished\"}}\n{}\n",
            format_args!(
                r#"{{"SourceMetadata": {{"Data": {{"Git": {{"commit": "{COMMIT}", "file": "a.yaml", "repository": "https://git.example.com/a/b", "line": 4}}}}}}, "DetectorName": "generic-api-key", "Verified": false, "Raw": "{VALUE}"}}"#
            )
        );
        let finding = format!(
            r#"{{"rule": {{"name": "Generic", "id": "generic-api-key"}}, "finding": {{"snippet": "{VALUE}", "line": 4, "path": "a.yaml", "git_metadata": {{"repository_url": "https://git.example.com/a/b", "commit": {{"id": "{COMMIT}"}}}}}}}}"#
        );
        let kingfisher = format!(r#"{{"findings": [{finding}]}}"#);
        for (text, scanner) in [
            (gitleaks, "gitleaks"),
            (gitleaks_sarif, "gitleaks"),
            (trufflehog, "trufflehog"),
            (kingfisher, "kingfisher"),
            (finding, "kingfisher"),
        ] {
            let imported = read(&text, None).unwrap();
            assert_eq!(
                (imported.scanner.as_str(), imported.findings),
                (scanner, 1),
                "{text}"
            );
            assert_eq!(
                told_of(&imported),
                [("a.yaml", Some(4), COMMIT, "generic-api-key")]
            );
            assert!(!format!("{imported:?}").contains(VALUE));
        }
    }

    #[test]
    fn what_says_nothing_is_no_clean_report() {
        for text in ["", " \n", "[]"] {
            assert!(matches!(read(text, None), Err(ImportError::Empty)), "{text:?}");
            let imported = read(text, Some("gitleaks")).unwrap();
            assert_eq!((imported.scanner.as_str(), imported.findings), ("gitleaks", 0));
        }
        for text in [
            "{}",
            "null",
            "[1]",
            "not found",
            "{\"runs\": []}",
            "{\"kind\": \"HistoryReport\"}",
            "[{\"RuleID\": 1}]",
        ] {
            assert!(
                matches!(read(text, Some("gitleaks")), Err(ImportError::Unknown)),
                "{text}"
            );
        }
        // A log without a finding does not say that the scan came to its end.
        let log = "{\"level\": \"info-0\", \"msg\": \"running\"}\n{\"level\": \"info-0\", \"msg\": \"more\"}";
        assert!(matches!(read(log, None), Err(ImportError::Empty)));
    }

    /// The API server takes no attestation otherwise.
    #[test]
    fn a_report_names_its_maker_and_its_head_is_a_commit() {
        let sarif = |name: &str, head: &str| {
            format!(
                r#"{{"runs": [{{"tool": {{"driver": {{"name": "{name}"}}}}, "versionControlProvenance": [{{"revisionId": "{head}"}}]}}]}}"#
            )
        };
        for name in ["", " "] {
            let report = sarif(name, COMMIT);
            assert!(
                matches!(read(&report, None), Err(ImportError::Unnamed)),
                "{name:?}"
            );
            assert_eq!(read(&report, Some("gitleaks")).unwrap().scanner, "gitleaks");
        }
        let imported = read(&sarif(&"é".repeat(63), &COMMIT.to_uppercase()), None).unwrap();
        assert_eq!(imported.scanner, "é".repeat(31));
        assert_eq!(imported.head.as_deref(), Some(COMMIT));
        assert_eq!(read(&sarif("a", "main"), None).unwrap().head, None);
    }

    #[test]
    fn places_are_bounded() {
        let one = |number| {
            format!(
                r#"{{"RuleID": "{}", "File": "{}", "StartLine": {number}, "Commit": "x y"}}"#,
                "r".repeat(500),
                "é".repeat(2000)
            )
        };
        let many: Vec<String> = (0..500).map(one).collect();
        let imported = read(&format!("[{}]", many.join(",")), None).unwrap();
        assert_eq!((imported.findings, imported.places.len()), (500, MOST_PLACES));
        let place = &imported.places[0];
        assert_eq!(
            (place.line, place.commit.as_str(), place.rule.len()),
            (None, "", 128)
        );
        assert!(place.file.len() <= 1024);
    }
}
