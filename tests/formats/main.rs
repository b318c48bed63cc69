//! What `fluxsec audit` prints, format by format: as it looks, as parsers and schemas of others read it, and that no
//! text of a cluster's users is anything but text in it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod browser;
mod consumers;
#[path = "../controlplane/mod.rs"]
mod controlplane;
mod hostile;
mod posture;

use std::collections::BTreeSet;

use consumers::Consumers;
use flux_security_operator::api::{FluxSecurityReport, ReportStatus};
use flux_security_operator::controls;
use flux_security_operator::monitoring::dashboards::DASHBOARDS;
use flux_security_operator::render::{dashboards, html, junit, markdown, openreports, record, sarif, table};
use posture::posture;
use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr;

const NARROW: table::Options = table::Options {
    colour: false,
    show_passing: true,
    wide: false,
};
const WIDE: table::Options = table::Options { wide: true, ..NARROW };

/// The texts of an array, or of one field of its elements.
fn texts(array: &Value) -> Vec<&str> {
    let items = array.as_array().map_or(&[][..], Vec::as_slice);
    items.iter().map(|item| item.as_str().unwrap()).collect()
}

fn items(array: &Value) -> &[Value] {
    array.as_array().unwrap_or_else(|| panic!("{array}"))
}

#[test]
fn the_table_fits_a_terminal() {
    let table = table::table(&posture(), NARROW);
    insta::assert_snapshot!("table", table);
    assert!(table.lines().all(|line| line.width() <= 120), "{table}");
    let fewer = table::table(&posture(), table::Options::default());
    assert!(
        !fewer.contains("FSP-NET-001") && fewer.contains("FSP-MT-008"),
        "{fewer}"
    );
    let colour = table::Options {
        colour: true,
        ..NARROW
    };
    let coloured = table::table(&posture(), colour);
    assert!(coloured.contains("\u{1b}[31mFail"), "{coloured}");
    // Colours are all that is added.
    let mut plain = coloured;
    for code in ["\u{1b}[31m", "\u{1b}[33m", "\u{1b}[32m", "\u{1b}[2m", "\u{1b}[0m"] {
        plain = plain.replace(code, "");
    }
    assert_eq!(plain.replace(' ', ""), table.replace(' ', ""));
}

#[test]
fn the_wide_table_cuts_nothing_off() {
    insta::assert_snapshot!("wide", table::table(&posture(), WIDE));
    let long = "x".repeat(500);
    let table = table::table(&posture::hostile(&long), WIDE);
    assert!(!table.contains('…'), "{table}");
    assert!(table.contains(&long), "{table}");
}

#[test]
fn json_and_yaml_are_the_same_report() {
    let json = record::json("blue", &posture()).unwrap();
    let yaml = record::yaml("blue", &posture()).unwrap();
    insta::assert_snapshot!("json", json);
    insta::assert_snapshot!("yaml", yaml);
    let expected: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(expected["status"]["truncatedFindings"], 0);
    assert_eq!(serde_saphyr::from_str::<Value>(&yaml).unwrap(), expected);
    assert_eq!(Consumers::start().read("yaml", &yaml), expected);
    let report: FluxSecurityReport = serde_saphyr::from_str(&yaml).unwrap();
    assert_eq!(report.status.unwrap(), posture());
}

#[test]
fn sarif_is_what_code_scanning_takes() {
    let sarif = sarif::sarif("blue", &posture()).unwrap();
    insta::assert_snapshot!("sarif", sarif);
    let log = Consumers::start().read("sarif", &sarif);
    let run = &log["runs"][0];
    // What is waived is no alert.
    let findings = posture().findings;
    let open = findings.iter().filter(|finding| !finding.is_waived()).count();
    assert_eq!((items(&run["results"]).len(), findings.len()), (open, open + 1));
    taken_by_github(run);
    let uri = |position: usize| {
        run["results"][position]
            .pointer("/locations/0/physicalLocation")
            .unwrap()
            .clone()
    };
    assert_eq!(
        uri(1),
        json!({"artifactLocation": {"uri": "fleet/tenant/flux.yaml"}, "region": {"startLine": 12}})
    );
    assert_eq!(
        uri(2)["artifactLocation"]["uri"],
        "cluster/_cluster/ClusterRole/system%3Anode"
    );
    // What is no finding is told all the same.
    let told = items(&run["invocations"][0]["toolExecutionNotifications"]);
    let told: Vec<&Value> = told.iter().map(|it| &it["associatedRule"]["id"]).collect();
    assert_eq!(told, ["FSP-MT-008", "FSP-NET-003", "FSP-DED-002"]);
}

/// What GitHub asks for beyond the schema; one result without a file would cost the whole run.
fn taken_by_github(run: &Value) {
    let rules = items(&run["tool"]["driver"]["rules"]);
    assert!(run["automationDetails"]["id"].as_str().unwrap().ends_with('/'));
    for rule in rules {
        for field in [
            "/shortDescription/text",
            "/fullDescription/text",
            "/help/text",
            "/helpUri",
        ] {
            let text = rule.pointer(field).and_then(Value::as_str).unwrap_or_default();
            assert!(!text.is_empty() && text.len() <= 4096, "{field} of {rule}");
        }
        if let Some(weight) = rule["properties"]["security-severity"].as_str() {
            let weight: f64 = weight.parse().unwrap();
            assert!(weight > 0.0 && weight <= 10.0, "{rule}");
        }
        assert!(items(&rule["properties"]["tags"]).len() <= 10, "{rule}");
    }
    let mut fingerprints = BTreeSet::new();
    for result in items(&run["results"]) {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"], "{result}");
        let [location] = items(&result["locations"]) else {
            panic!("{result}")
        };
        let place = &location["physicalLocation"];
        let uri = place["artifactLocation"]["uri"].as_str().unwrap_or_default();
        assert!(!uri.is_empty(), "{result}");
        assert!(!uri.contains("://") || uri.starts_with("file://"), "{result}");
        assert!(
            place["region"]["startLine"].as_i64().unwrap_or(0) >= 1,
            "{result}"
        );
        let fingerprint = result["partialFingerprints"]["primaryLocationLineHash"]
            .as_str()
            .unwrap();
        assert!(fingerprints.insert(fingerprint.to_owned()), "{result}");
    }
}

#[test]
fn fingerprints_outlive_order_and_lines() {
    let fingerprints = |report: &ReportStatus| {
        let log: Value = serde_json::from_str(&sarif::sarif("blue", report).unwrap()).unwrap();
        let results = items(&log["runs"][0]["results"]).iter();
        let prints = results.map(|it| it["partialFingerprints"]["primaryLocationLineHash"].to_string());
        prints.collect::<BTreeSet<String>>()
    };
    let mut moved = posture();
    moved.findings.reverse();
    for finding in &mut moved.findings {
        finding.location.line = finding.location.line.map(|line| line + 100);
        finding.observed = "another value".to_owned();
    }
    assert_eq!(fingerprints(&moved), fingerprints(&posture()));
}

#[test]
fn junit_has_a_test_case_for_each_control() {
    let junit = junit::junit(&posture());
    insta::assert_snapshot!("junit", junit);
    let root = Consumers::start().read("junit", &junit);
    assert_eq!(root["attributes"]["failures"], "2");
    let suites = items(&root["children"]).iter();
    let cases: Vec<&Value> = suites.flat_map(|suite| items(&suite["children"])).collect();
    assert_eq!(cases.len(), posture().controls.len());
    for row in posture().controls {
        let name = format!("{} {}", row.id, row.title);
        let case = cases.iter().find(|case| case["attributes"]["name"] == name);
        let outcome = case.unwrap()["children"]
            .get(0)
            .map_or("", |it| it["name"].as_str().unwrap());
        let expected = match row.result.as_str() {
            "Pass" => "",
            "Fail" => "failure",
            "Unknown" => "error",
            _ => "skipped",
        };
        assert_eq!(outcome, expected, "{name}");
    }
}

#[test]
fn the_page_is_whole_and_can_be_read_aloud() {
    let html = html::html(&posture());
    insta::assert_snapshot!("html", html);
    let page = Consumers::start().read("html", &html);
    assert_eq!(page["title"], "Flux security posture of blue");
    for element in texts(&page["elements"]) {
        let loads = [
            "link", "img", "iframe", "object", "embed", "video", "audio", "base",
        ];
        assert!(!loads.contains(&element), "{element}");
    }
    let attributes = texts(&page["attributes"]);
    assert!(
        attributes
            .iter()
            .all(|name| !name.starts_with("on") && *name != "src"),
        "{attributes:?}"
    );
    let links = texts(&page["links"]);
    assert!(links.iter().all(|link| link.starts_with("https://")), "{links:?}");
    let mut last = 0;
    for heading in texts(&page["headings"]) {
        let level: u32 = heading[1..2].parse().unwrap();
        assert!(level <= last + 1, "{heading} comes after a level {last}");
        last = level;
    }
    let tables: Vec<(&str, usize)> = items(&page["tables"])
        .iter()
        .map(|table| (table["caption"].as_str().unwrap(), items(&table["rows"]).len()))
        .collect();
    let expected = [
        ("Controls by result", 6),
        ("Failing controls by severity", 5),
        ("Every control and its result", 7),
        ("Every object that makes a control fail", 4),
        ("Flux controllers", 1),
    ];
    assert_eq!(tables, expected);
    assert_eq!(
        page["choices"]["namespace"],
        json!(["all", "flux-system", "tenant"])
    );
    assert_eq!(items(&page["choices"]["severity"]).len(), 6);
    assert_eq!(items(&page["choices"]["result"]).len(), 7);
    assert!(
        page["policy"]
            .as_str()
            .unwrap()
            .starts_with("default-src 'none';")
    );
}

#[test]
fn the_comment_is_tables() {
    let markdown = markdown::markdown(&posture());
    insta::assert_snapshot!("markdown", markdown);
    let comment = Consumers::start().read("markdown", &markdown);
    assert_eq!(
        comment["headings"],
        json!(["Flux security: score 33 of 100, coverage 83%"])
    );
    let tables: Vec<(usize, usize)> = items(&comment["tables"])
        .iter()
        .map(|table| (items(&table["columns"]).len(), items(&table["rows"]).len()))
        .collect();
    assert_eq!(tables, [(7, 1), (5, 5), (6, 4)]);
    for link in texts(&comment["links"]) {
        assert!(
            controls::CATALOGUE.iter().any(|it| it.reference == link),
            "{link}"
        );
    }
    assert_eq!(comment["kinds"], json!(null));
    let html = [
        "<!-- fluxsec audit -->\n",
        "<details><summary>Findings: 4</summary>\n",
        "</details>\n",
    ];
    assert_eq!(comment["html"], json!(html));
}

#[test]
fn openreports_count_each_failure_once() {
    let text = openreports::openreports("blue", &posture()).unwrap();
    insta::assert_snapshot!("openreports", text);
    let reports = Consumers::start().read("openreports", &text);
    let reports = items(&reports);
    let names: Vec<(&Value, &Value)> = reports
        .iter()
        .map(|it| (&it["kind"], &it["metadata"]["namespace"]))
        .collect();
    let expected = json!([
        ["ClusterReport", null],
        ["Report", "flux-system"],
        ["Report", "tenant"]
    ]);
    assert_eq!(json!(names), expected);
    let mut identities = BTreeSet::new();
    for report in reports {
        for word in ["pass", "fail", "warn", "error", "skip"] {
            let results = items(&report["results"]).iter();
            let count = results.filter(|it| it["result"] == word).count();
            assert_eq!(report["summary"][word], count, "{report}");
        }
        for result in items(&report["results"]) {
            assert!(
                identities.insert(result["properties"]["resultID"].to_string()),
                "{result}"
            );
        }
    }
    let cluster = &reports[0]["summary"];
    assert_eq!(
        *cluster,
        json!({"pass": 1, "fail": 1, "warn": 1, "error": 1, "skip": 1})
    );
}

/// The judges judge: each refuses what is nearly right.
/// Grafana's own schema, that of its panels included: nothing is missing, nothing is unknown, nothing is of another type.
#[test]
fn grafana_takes_the_dashboards_as_they_are() {
    let mut consumers = Consumers::start();
    for dashboard in DASHBOARDS {
        let json = dashboards::json(dashboard);
        let panels = consumers.read("dashboard", &json);
        assert_eq!(panels, dashboard.panels.len(), "{}", dashboard.name);
        for (here, there, why) in [
            ("\"colorMode\": ", "\"colourMode\": ", "unexpected field"),
            ("\"fields\": \"\"", "\"fields\": 1", "cannot unmarshal number"),
            ("\"graphMode\": \"none\",", "", "required field is missing"),
        ] {
            assert!(json.contains(here), "{}", dashboard.name);
            let complaint = consumers.complaint("dashboard", &json.replacen(here, there, 1));
            assert!(complaint.contains(why), "{complaint}");
        }
    }
}

#[test]
fn consumers_object_to_what_is_wrong() {
    let mut consumers = Consumers::start();
    let report = posture();
    let sarif = sarif::sarif("blue", &report).unwrap();
    let wrong = [
        ("sarif", sarif.replace("\"startLine\": 12", "\"startLine\": 0")),
        ("sarif", sarif.replace("\"ruleIndex\"", "\"ruleindex\"")),
        (
            "junit",
            junit::junit(&report).replace("failures=\"2\"", "failures=\"3\""),
        ),
        ("junit", junit::junit(&report).replace("manager", "a \u{1} b")),
        ("html", html::html(&report).replace("scope=\"row\"", "")),
        (
            "html",
            html::html(&report).replace("\"use strict\";", "alert(1);"),
        ),
        ("html", html::html(&report).replace("id=\"FSP-KUST-001\"", "")),
        ("html", html::html(&report).replace("</td>", "")),
        (
            "openreports",
            openreports::openreports("blue", &report)
                .unwrap()
                .replace("severity: info", "severity: none"),
        ),
        (
            "openreports",
            openreports::openreports("blue", &report)
                .unwrap()
                .replace("scored:", "counted:"),
        ),
        ("yaml", "a: [1".to_owned()),
    ];
    for (format, text) in wrong {
        consumers.complaint(format, &text);
    }
}
