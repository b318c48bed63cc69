//! Every alert: when it fires and when it does not, by promtool, and that its page says things that are so.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod controlplane;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use controlplane::operator::{self, USER};
use controlplane::programs::{Finish, PROMTOOL};
use flux_security_operator::kinds::KindId;
use flux_security_operator::monitoring::alerts::{ALERTS, Alert, RUNBOOKS};
use flux_security_operator::monitoring::metrics::METRICS;
use serde_json::{Value, json};

const RULES: &str = "config/monitoring/rules.yaml";
const PAGES: &str = "docs/runbooks";

/// Series, a moment, and what an alert is then.
struct Case {
    alert: &'static str,
    /// A series and its values, one a minute.
    series: &'static [(&'static str, &'static str)],
    /// When it is looked at.
    at: &'static str,
    /// What fires.
    fires: &'static [Firing],
}

/// A firing alert: its labels, and what its texts make of its value.
struct Firing {
    labels: &'static [(&'static str, &'static str)],
    value: &'static str,
}

const fn firing(labels: &'static [(&'static str, &'static str)]) -> Firing {
    Firing { labels, value: "" }
}

const fn fires(
    alert: &'static str,
    series: &'static [(&'static str, &'static str)],
    at: &'static str,
    fires: &'static [Firing],
) -> Case {
    Case {
        alert,
        series,
        at,
        fires,
    }
}

const fn silent(
    alert: &'static str,
    series: &'static [(&'static str, &'static str)],
    at: &'static str,
) -> Case {
    fires(alert, series, at, &[])
}

/// The series of a control's result.
macro_rules! status {
    ($severity:literal, $result:literal) => {
        status!($severity, $result, "a")
    };
    ($severity:literal, $result:literal, $instance:literal) => {
        concat!(
            "flux_security_control_status{policy='default', control='FSP-X-001', chapter='c', severity='",
            $severity,
            "', result='",
            $result,
            "', instance='",
            $instance,
            "'}"
        )
    };
}

const CRITICAL: &str = "FluxSecurityCriticalControlFailing";
const HIGH: &str = "FluxSecurityHighControlFailing";
const DRIFTED: &str = "FluxSecurityPostureDrifted";
const COVERAGE: &str = "FluxSecurityCoverageIncomplete";
const NO_POLICY: &str = "FluxSecurityNoPolicy";
const NOT_AUDITED: &str = "FluxSecurityPolicyNotAudited";
const EXPIRING: &str = "FluxSecurityWaiverExpiringSoon";
const EXPIRED: &str = "FluxSecurityWaiverExpired";
const UNMATCHED: &str = "FluxSecurityWaiverUnmatched";
const ABSENT: &str = "FluxSecurityOperatorAbsent";
const NO_LEADER: &str = "FluxSecurityNoLeader";
const STALE: &str = "FluxSecurityAuditStale";
const NOT_WRITTEN: &str = "FluxSecurityReportsNotWritten";
const LATE: &str = "FluxSecurityReportsLate";
const DROPPED: &str = "FluxSecurityEventsDropped";
const NOT_SYNCED: &str = "FluxSecurityKindNotSynced";
const UNDECODABLE: &str = "FluxSecurityObjectsUndecodable";
const RESTARTING: &str = "FluxSecurityWatchesRestarting";

const OF_CONTROL: &[(&str, &str)] = &[("policy", "default"), ("control", "FSP-X-001")];
const OF_POLICY: &[(&str, &str)] = &[("policy", "default")];
const OF_WAIVER: &[(&str, &str)] = &[("waiver", "legacy"), ("control", "FSP-X-001")];
const EXPIRY: &str =
    "flux_security_waiver_expiry_timestamp_seconds{waiver='legacy', control='FSP-X-001', instance='a'}";
const SUCCESS: &str = "flux_security_last_success_timestamp_seconds{policy='default', instance='a'}";
const SCORE: &str = "flux_security_score_ratio{policy='default', instance='a'}";
const INFO: &str = "flux_security_report_info{policy='default', tenancy='Shared', instance='a'}";

#[rustfmt::skip]
const CASES: &[Case] = &[
    fires(CRITICAL, &[(status!("Critical", "Fail"), "0 0 1x20")], "8m", &[firing(OF_CONTROL)]),
    silent(CRITICAL, &[(status!("Critical", "Fail"), "0 0 1x20")], "5m"),
    silent(CRITICAL, &[(status!("Critical", "Fail"), "0x30"), (status!("Critical", "Pass"), "1x30")], "20m"),
    silent(CRITICAL, &[(status!("High", "Fail"), "1x30")], "20m"),
    // Another replica leads from the fifth minute on: it is the same alert, and has not begun anew.
    fires(
        CRITICAL,
        &[(status!("Critical", "Fail", "a"), "1x4 stale"), (status!("Critical", "Fail", "b"), "_x4 1x20")],
        "7m",
        &[firing(OF_CONTROL)],
    ),
    // Two clusters in one Prometheus are two alerts.
    fires(
        CRITICAL,
        &[
            ("flux_security_control_status{cluster='one', policy='p', control='c', severity='Critical', result='Fail'}", "1x20"),
            ("flux_security_control_status{cluster='two', policy='p', control='c', severity='Critical', result='Fail'}", "1x20"),
        ],
        "8m",
        &[
            firing(&[("cluster", "one"), ("policy", "p"), ("control", "c")]),
            firing(&[("cluster", "two"), ("policy", "p"), ("control", "c")]),
        ],
    ),
    fires(HIGH, &[(status!("High", "Fail"), "1x30")], "16m", &[firing(OF_CONTROL)]),
    silent(HIGH, &[(status!("High", "Fail"), "1x30")], "10m"),
    silent(HIGH, &[(status!("Critical", "Fail"), "1x30"), (status!("Medium", "Fail"), "1x30")], "20m"),
    fires(
        DRIFTED,
        &[(status!("Low", "Pass"), "1 1 1 0x90"), (status!("Low", "Fail"), "0 0 0 1x90")],
        "3m",
        &[firing(&[("policy", "default"), ("control", "FSP-X-001"), ("severity", "Low")])],
    ),
    // Unknown in between is no way around it, nor is a new leader.
    fires(
        DRIFTED,
        &[
            (status!("Low", "Pass", "a"), "1 1 stale"),
            (status!("Low", "Unknown", "b"), "_ _ _ 1 1 0x60"),
            (status!("Low", "Pass", "b"), "_ _ _ 0 0 0x60"),
            (status!("Low", "Fail", "b"), "_ _ _ 0 0 1x60"),
        ],
        "6m",
        &[firing(&[("policy", "default"), ("control", "FSP-X-001"), ("severity", "Low")])],
    ),
    // It ends by itself, and what fails since it is known has not drifted; neither has what was unknown.
    silent(DRIFTED, &[(status!("Low", "Pass"), "1 1 1 0x90"), (status!("Low", "Fail"), "0 0 0 1x90")], "70m"),
    silent(
        DRIFTED,
        &[(status!("Low", "Unknown"), "1 1 0x60"), (status!("Low", "Pass"), "0x60"), (status!("Low", "Fail"), "0 0 1x60")],
        "5m",
    ),
    silent(DRIFTED, &[(status!("Low", "Pass"), "0 0 1x60"), (status!("Low", "Fail"), "1 1 0x60")], "5m"),
    fires(
        COVERAGE,
        &[("flux_security_coverage_ratio{policy='default'}", "0.975x60")],
        "31m",
        &[Firing { labels: OF_POLICY, value: "97.5%" }],
    ),
    silent(COVERAGE, &[("flux_security_coverage_ratio{policy='default'}", "0.975x60")], "29m"),
    silent(COVERAGE, &[("flux_security_coverage_ratio{policy='default'}", "1x60")], "50m"),
    fires(NO_POLICY, &[("flux_security_leader{instance='a'}", "1x90")], "61m", &[firing(&[])]),
    silent(NO_POLICY, &[("flux_security_leader{instance='a'}", "1x90"), (INFO, "1x90")], "61m"),
    silent(NO_POLICY, &[("flux_security_leader{instance='a'}", "0x90")], "61m"),
    fires(NOT_AUDITED, &[(INFO, "1x90")], "61m", &[firing(OF_POLICY)]),
    silent(NOT_AUDITED, &[(INFO, "1x90"), (SCORE, "0.5x90")], "61m"),
    silent(NOT_AUDITED, &[(INFO, "1x90")], "59m"),
    // The clock of these tests begins at 0: six days are 518400.
    fires(EXPIRING, &[(EXPIRY, "518400x60")], "10m", &[Firing { labels: OF_WAIVER, value: "5d 23h 50m 0s" }]),
    silent(EXPIRING, &[(EXPIRY, "691200x60")], "10m"),
    silent(EXPIRING, &[(EXPIRY, "300x60")], "10m"),
    fires(EXPIRED, &[(EXPIRY, "300x60")], "5m", &[firing(OF_WAIVER)]),
    silent(EXPIRED, &[(EXPIRY, "300x60")], "4m"),
    fires(
        UNMATCHED,
        &[("flux_security_waivers{state='Unmatched'}", "2x90"), ("flux_security_waivers{state='Active'}", "3x90")],
        "61m",
        &[Firing { labels: &[], value: "2" }],
    ),
    silent(UNMATCHED, &[("flux_security_waivers{state='Unmatched'}", "0x90"), ("flux_security_waivers{state='Active'}", "3x90")], "61m"),
    fires(ABSENT, &[("up", "1x30")], "11m", &[firing(&[])]),
    fires(ABSENT, &[("flux_security_build_info{instance='a'}", "1x20 stale")], "32m", &[firing(&[])]),
    // One of two clusters falls silent.
    fires(
        ABSENT,
        &[
            ("flux_security_build_info{cluster='one', instance='a'}", "1x20 stale"),
            ("flux_security_build_info{cluster='two', instance='a'}", "1x60"),
        ],
        "32m",
        &[firing(&[("cluster", "one")])],
    ),
    silent(ABSENT, &[("flux_security_build_info{instance='a'}", "1x30")], "20m"),
    // One of two replicas is no absence.
    silent(
        ABSENT,
        &[("flux_security_build_info{instance='a'}", "1x5 stale"), ("flux_security_build_info{instance='b'}", "1x60")],
        "30m",
    ),
    fires(
        NO_LEADER,
        &[("flux_security_leader{instance='a'}", "0x20"), ("flux_security_leader{instance='b'}", "1x5 0x20")],
        "12m",
        &[firing(&[])],
    ),
    silent(NO_LEADER, &[("flux_security_leader{instance='a'}", "0x20"), ("flux_security_leader{instance='b'}", "1x20")], "12m"),
    fires(STALE, &[(SCORE, "1x90"), (SUCCESS, "0x90")], "37m", &[firing(OF_POLICY)]),
    // Never published.
    fires(STALE, &[(SCORE, "1x90")], "6m", &[firing(OF_POLICY)]),
    silent(STALE, &[(SCORE, "1x90"), (SUCCESS, "0+60x90")], "60m"),
    silent(STALE, &[(SCORE, "1x90"), (SUCCESS, "0x90")], "29m"),
    // A suspended policy has neither.
    silent(STALE, &[(INFO, "1x90")], "60m"),
    fires(
        NOT_WRITTEN,
        &[("flux_security_report_writes_total{outcome='error', instance='a'}", "0+1x60")],
        "20m",
        &[firing(&[])],
    ),
    silent(
        NOT_WRITTEN,
        &[
            ("flux_security_report_writes_total{outcome='error', instance='a'}", "0 3x60"),
            ("flux_security_report_writes_total{outcome='success', instance='a'}", "0+1x60"),
        ],
        "20m",
    ),
    fires(
        LATE,
        &[
            ("flux_security_change_to_report_seconds_bucket{policy='default', le='5.12'}", "0x60"),
            ("flux_security_change_to_report_seconds_bucket{policy='default', le='10.24'}", "0+1x60"),
            ("flux_security_change_to_report_seconds_bucket{policy='default', le='+Inf'}", "0+1x60"),
        ],
        "50m",
        &[Firing { labels: OF_POLICY, value: "9.728s" }],
    ),
    silent(
        LATE,
        &[
            ("flux_security_change_to_report_seconds_bucket{policy='default', le='5.12'}", "0+1x60"),
            ("flux_security_change_to_report_seconds_bucket{policy='default', le='+Inf'}", "0+1x60"),
        ],
        "50m",
    ),
    // Nothing changes: nothing is late.
    silent(LATE, &[("flux_security_change_to_report_seconds_bucket{policy='default', le='+Inf'}", "7x60")], "50m"),
    fires(
        DROPPED,
        &[("flux_security_events_dropped_total{outcome='refused', instance='a'}", "0 0 1x60")],
        "5m",
        &[firing(&[("outcome", "refused")])],
    ),
    silent(DROPPED, &[("flux_security_events_dropped_total{outcome='refused', instance='a'}", "0 0 1x90")], "70m"),
    fires(
        NOT_SYNCED,
        &[("flux_security_kind_synced{kind='Pod', instance='a'}", "0x30"), ("flux_security_kind_synced{kind='Pod', instance='b'}", "1x30")],
        "16m",
        &[firing(&[("kind", "Pod")])],
    ),
    silent(NOT_SYNCED, &[("flux_security_kind_synced{kind='Pod', instance='a'}", "0x5 1x30")], "16m"),
    fires(
        UNDECODABLE,
        &[("flux_security_undecodable_objects{kind='Receiver', instance='a'}", "2x30")],
        "16m",
        &[Firing { labels: &[("kind", "Receiver")], value: "2" }],
    ),
    silent(UNDECODABLE, &[("flux_security_undecodable_objects{kind='Receiver', instance='a'}", "0x30")], "16m"),
    fires(
        RESTARTING,
        &[("flux_security_watch_restarts_total{kind='Pod', instance='a'}", "0+4x60")],
        "40m",
        &[Firing { labels: &[("kind", "Pod")], value: "60" }],
    ),
    silent(RESTARTING, &[("flux_security_watch_restarts_total{kind='Pod', instance='a'}", "0+1x60")], "40m"),
];

#[test]
fn every_alert_is_seen_firing_and_silent() {
    for alert in ALERTS {
        let cases = || CASES.iter().filter(|case| case.alert == alert.name);
        assert!(
            cases().any(|case| !case.fires.is_empty()),
            "{} never fires",
            alert.name
        );
        assert!(
            cases().any(|case| case.fires.is_empty()),
            "{} always fires",
            alert.name
        );
    }
    let known = |case: &&Case| ALERTS.iter().any(|alert| alert.name == case.alert);
    assert!(CASES.iter().all(|case| known(&case)));
}

#[test]
fn alerts_fire_when_they_should_and_only_then() {
    let folder = tempfile::tempdir().unwrap();
    let tests: Vec<Value> = CASES.iter().map(test).collect();
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join(RULES);
    let file = json!({"rule_files": [rules], "evaluation_interval": "1m", "tests": tests});
    let path = folder.path().join("alerts.yaml");
    // JSON is YAML.
    fs::write(&path, file.to_string()).unwrap();
    promtool()
        .args(["test", "rules"])
        .arg(&path)
        .finish("alerts are not what they should be")
        .unwrap();
    promtool()
        .args(["check", "rules", "--lint=all", "--lint-fatal", RULES])
        .finish("the rules are no rules")
        .unwrap();
}

fn promtool() -> Command {
    Command::new(PROMTOOL.folder().unwrap().join("promtool"))
}

fn test(case: &Case) -> Value {
    let alert = ALERTS.iter().find(|alert| alert.name == case.alert).unwrap();
    let series: Vec<Value> = case
        .series
        .iter()
        .map(|(series, values)| json!({"series": series, "values": values}))
        .collect();
    let expected: Vec<Value> = case.fires.iter().map(|firing| expected(alert, firing)).collect();
    let alerts = json!([{"eval_time": case.at, "alertname": case.alert, "exp_alerts": expected}]);
    json!({
        "name": format!("{} at {}", case.alert, case.at),
        "interval": "1m",
        "input_series": series,
        "alert_rule_test": alerts,
    })
}

fn expected(alert: &Alert, firing: &Firing) -> Value {
    let mut labels: BTreeMap<&str, &str> = firing.labels.iter().copied().collect();
    let [summary, description] =
        [alert.summary, alert.description].map(|text| filled(text, &labels, firing.value));
    labels.insert("severity", alert.severity.as_str());
    json!({
        "exp_labels": labels,
        "exp_annotations": {
            "summary": summary,
            "description": description,
            "runbook_url": format!("{RUNBOOKS}{}.md", alert.name),
        },
    })
}

/// The text of a template, its labels and its value filled in.
fn filled(template: &str, labels: &BTreeMap<&str, &str>, value: &str) -> String {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{ ") {
        let (placeholder, after) = after.split_once(" }}").unwrap();
        filled.push_str(before);
        filled.push_str(match placeholder.strip_prefix("$labels.") {
            Some(label) => labels.get(label).copied().unwrap_or_default(),
            None => value,
        });
        rest = after;
    }
    filled + rest
}

#[test]
fn every_alert_has_a_page_and_every_page_an_alert() {
    let pages: BTreeSet<String> = pages().into_keys().collect();
    let alerts: BTreeSet<String> = ALERTS.iter().map(|alert| alert.name.to_owned()).collect();
    assert_eq!(pages, alerts);
    for (name, page) in self::pages() {
        let sections: Vec<&str> = page.lines().filter(|line| line.starts_with("## ")).collect();
        assert_eq!(
            sections,
            ["## Meaning", "## Impact", "## Diagnosis", "## Repair"],
            "{name}"
        );
        let (_, diagnosis) = page.split_once("## Diagnosis").unwrap();
        assert!(diagnosis.contains("```console"), "{name} names no command");
    }
}

/// The pages by the names of their alerts.
fn pages() -> BTreeMap<String, String> {
    let names = fs::read_dir(PAGES)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    names
        .filter_map(|name| Some(name.to_str()?.strip_suffix(".md")?.to_owned()))
        .filter(|name| name != "README")
        .map(|name| {
            let page = fs::read_to_string(format!("{PAGES}/{name}.md")).unwrap();
            (name, page)
        })
        .collect()
}

/// What exists on no cluster but those with an operator that has it.
#[test]
fn alerts_and_pages_speak_of_metrics_that_exist() {
    let exprs = ALERTS
        .iter()
        .map(|alert| (alert.name.to_owned(), alert.expr.to_owned()));
    for (name, text) in exprs.chain(pages()) {
        for metric in metrics_in(&text) {
            let family = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|suffix| metric.strip_suffix(suffix))
                .unwrap_or(metric);
            let exists = METRICS.iter().any(|it| it.name == family || it.name == metric);
            assert!(exists, "{name}: {metric}");
        }
    }
}

fn metrics_in(text: &str) -> impl Iterator<Item = &str> {
    let is_of_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
    text.split(move |character: char| !is_of_name(character))
        .filter(|word| word.starts_with("flux_security_") || word.starts_with("process_"))
}

#[test]
fn commands_of_pages_name_things_that_exist() {
    for (name, page) in pages() {
        for command in commands(&page) {
            let words = words(command);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let checked = match words[..] {
                ["fluxsec", ..] => check_fluxsec(&words[1..]),
                ["kubectl", ..] => check_kubectl(&words[1..]),
                _ => Err("neither kubectl nor fluxsec".to_owned()),
            };
            assert!(checked.is_ok(), "{name}: {command}: {}", checked.unwrap_err());
        }
    }
}

/// The commands of a page.
fn commands(page: &str) -> impl Iterator<Item = &str> {
    page.lines().filter_map(|line| line.strip_prefix("$ "))
}

/// As a shell takes a command apart, as far as pages need it.
fn words(command: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for character in command.chars() {
        match character {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            _ => words.last_mut().unwrap().push(character),
        }
    }
    words
}

fn check_fluxsec(words: &[&str]) -> Result<(), String> {
    let run = |words: &[&str]| {
        let output = Command::new(operator::fluxsec()).args(words).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.success(), said)
    };
    match words {
        ["controls", id] => run(&["controls", *id])
            .0
            .then_some(())
            .ok_or(format!("no control {id}")),
        [command, options @ ..] => {
            let (exists, help) = run(&[*command, "--help"]);
            let unknown = options
                .iter()
                .find(|it| it.starts_with("--") && !help.contains(**it));
            match unknown {
                _ if !exists => Err(format!("no command {command}")),
                Some(option) => Err(format!("no option {option}")),
                None => Ok(()),
            }
        }
        [] => Err("no command".to_owned()),
    }
}

fn check_kubectl(words: &[&str]) -> Result<(), String> {
    let verbs = ["get", "logs", "auth", "apply", "api-resources"];
    if !verbs.contains(&words[0]) {
        return Err(format!("no verb {}", words[0]));
    }
    for pair in words.windows(2) {
        let exists = match pair {
            ["-n", namespace] => ["flux-security-system", "flux-system"].contains(namespace),
            ["-l", label] => *label == "app.kubernetes.io/name=flux-security-operator",
            ["-f", path] => Path::new(path).exists(),
            ["--as", user] => *user == USER,
            // What follows has its own line.
            ["get", "--raw"] | ["get" | "can-i", "list" | "patch" | "create" | "update" | "get"] => true,
            ["get" | "list" | "patch" | "create" | "update", kind] => is_kind(kind),
            _ => true,
        };
        if !exists {
            return Err(format!("no such thing: {pair:?}"));
        }
    }
    let of_installation: Vec<&&str> = words
        .iter()
        .filter(|word| word.starts_with("flux-security"))
        .collect();
    let known = |word: &&&str| ["flux-security-system", "flux-security-operator"].contains(*word);
    of_installation
        .iter()
        .all(known)
        .then_some(())
        .ok_or(format!("{of_installation:?}"))
}

/// Whether kubectl would find it: by its plural or its singular, with or without its group, with or without a name.
fn is_kind(word: &str) -> bool {
    let (word, _) = word.split_once('/').unwrap_or((word, ""));
    let (plural, group) = word.split_once('.').unwrap_or((word, ""));
    let watched = KindId::all().map(|kind| &kind.entry().descriptor);
    let singular = |kind: &str| kind.to_lowercase();
    let mut known: Vec<(&str, String, &str)> = watched
        .map(|it| (it.plural, singular(it.kind), it.group))
        .collect();
    known.push(("events", singular("Event"), "events.k8s.io"));
    known.iter().any(|(known, singular, of)| {
        (*known == plural || singular == plural) && (group.is_empty() || group == *of)
    })
}
