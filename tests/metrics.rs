//! `/metrics` as a scraper sees it, without a cluster: what the table says, bounded, and of one state.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod controlplane;
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use controlplane::programs::{Finish, PROMTOOL};
use controlplane::{plain, wait_for};
use flux_security_operator::api::{ControlResult, Severity};
use flux_security_operator::controls::CATALOGUE;
use flux_security_operator::engine::{Engine, Posture};
use flux_security_operator::inventory::{Coverage, CustomDelta, CustomNews, Delta, ObjectKey};
use flux_security_operator::kinds::{KindId, Meta};
use flux_security_operator::monitoring::metrics::{METRICS, OTHER, Size, Type};
use flux_security_operator::publish::Counters;
use flux_security_operator::publish::lease::Leadership;
use flux_security_operator::serve::{self, ServeState};
use prometheus::{Encoder, Registry, TextEncoder};
use serde_json::{Value, json};
use support::exposition::{Series, series};
use support::waivers::{CREATED, waiver};
use support::{deployment, kind, remove, upsert};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// An operator's endpoints over an engine of our own.
struct Served {
    engine: Engine,
    postures: watch::Sender<Arc<Posture>>,
    leadership: watch::Sender<Leadership>,
    port: u16,
    _runtime: Runtime,
}

impl Served {
    fn new() -> Self {
        let mut engine = Engine::default();
        engine.ingest(KindId::all().map(|kind| Delta::Coverage(kind, Coverage::Synced)));
        let registry = Registry::new();
        Counters::new(&registry).unwrap();
        serve::register_process(&registry).unwrap();
        let (postures, receiver) = watch::channel(Arc::new(engine.posture()));
        let until = Some(Instant::now() + Duration::from_hours(1));
        let (leadership, leads) = watch::channel(Leadership { until });
        let state = ServeState::new(receiver, registry, leads);
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0))).unwrap();
        let port = listener.local_addr().unwrap().port();
        runtime.spawn(serve::serve(
            listener,
            Arc::new(state.into()),
            CancellationToken::new(),
        ));
        Self {
            engine,
            postures,
            leadership,
            port,
            _runtime: runtime,
        }
    }

    fn ingest(&mut self, deltas: impl IntoIterator<Item = Delta>) {
        self.engine.ingest(deltas);
        self.postures.send_replace(Arc::new(self.engine.posture()));
    }

    fn text(&self) -> String {
        scrape(self.port)
    }
}

fn scrape(port: u16) -> String {
    // On a busy machine an answer may be late.
    let answer = wait_for("a scrape", Duration::from_mins(2), || {
        plain::get(port, "/metrics")
    });
    let (status, text) = answer.unwrap();
    assert_eq!(status, 200, "{text}");
    text
}

fn policy(name: &str, spec: &Value) -> Value {
    json!({"kind": "FluxSecurityPolicy", "metadata": {"name": name, "uid": name, "generation": 1}, "spec": spec})
}

/// Charts from plain HTTP, with the credential given to whoever serves them: two findings each.
fn careless(namespace: &str) -> Value {
    json!({
        "kind": "HelmRepository", "metadata": {"name": "charts", "namespace": namespace},
        "spec": {"url": "http://charts.example.com", "passCredentials": true},
    })
}

/// A controller in a namespace, of a version.
fn controller(namespace: &str, version: &str) -> Value {
    let mut it = deployment("kustomize-controller", version, &[]);
    it["metadata"]["namespace"] = json!(namespace);
    it
}

/// The families of a text, by their types and helps.
fn families(text: &str) -> BTreeMap<&str, (&str, &str)> {
    let mut families = BTreeMap::new();
    for line in text.lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            families.insert(name, (help, ""));
        }
        if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            families.get_mut(name).unwrap().1 = kind;
        }
    }
    families
}

#[test]
fn what_is_served_is_what_the_table_says() {
    let mut served = Served::new();
    served.ingest([
        upsert(&policy("default", &json!({}))),
        upsert(&careless("tenant")),
        upsert(&controller("flux-system", "1.9.4")),
    ]);
    let text = served.text();
    let mut missing: BTreeSet<&str> = METRICS.iter().map(|metric| metric.name).collect();
    for (name, (help, kind)) in families(&text) {
        let metric = METRICS.iter().find(|metric| metric.name == name);
        let metric = metric.unwrap_or_else(|| panic!("{name} is not in the table"));
        assert_eq!((metric.help, metric.kind.name()), (help, kind), "{name}");
        missing.remove(name);
    }
    for it in series(&text) {
        let metric = METRICS.iter().find(|metric| metric.name == it.name).unwrap();
        let expected: BTreeSet<&str> = metric.labels.iter().copied().collect();
        let labels: BTreeSet<&str> = it.labels.keys().map(String::as_str).collect();
        assert_eq!(labels, expected, "{}", it.name);
    }
    // These have series once something was watched, changed, published or asked for.
    assert_eq!(
        missing,
        BTreeSet::from([
            "flux_security_change_to_report_seconds",
            "flux_security_evaluation_duration_seconds",
            "flux_security_last_success_timestamp_seconds",
            "flux_security_object_findings",
            "flux_security_transitions_total",
            "flux_security_waiver_expiry_timestamp_seconds",
            "flux_security_watch_restarts_total",
        ])
    );
    // One that does not lead tells of itself alone.
    served.leadership.send_replace(Leadership { until: None });
    let of_standby = served.text();
    assert!(of_standby.contains("flux_security_leader 0"));
    assert!(of_standby.contains("flux_security_kind_synced{"));
    assert!(!of_standby.contains("policy="), "{of_standby}");
}

/// What a scraper would refuse is refused before; what it would merely regret is told by promtool.
#[test]
fn promtool_finds_nothing_to_say() {
    let registry = Registry::new();
    for metric in METRICS {
        // A series of each, whatever its type.
        let values: Vec<&str> = metric.labels.iter().map(|_| "a").collect();
        match metric.kind {
            Type::Gauge => metric
                .gauges(&registry)
                .unwrap()
                .with_label_values(&values)
                .set(1.0),
            Type::Counter => metric
                .counters(&registry)
                .unwrap()
                .with_label_values(&values)
                .inc(),
            Type::Histogram { .. } => metric
                .histograms(&registry)
                .unwrap()
                .with_label_values(&values)
                .observe(1.0),
        }
    }
    let mut of_table = Vec::new();
    TextEncoder::new()
        .encode(&registry.gather(), &mut of_table)
        .unwrap();
    assert_eq!(
        families(std::str::from_utf8(&of_table).unwrap()).len(),
        METRICS.len()
    );
    let mut served = Served::new();
    served.ingest([
        upsert(&policy("default", &json!({"outputs": {"objectMetrics": true}}))),
        upsert(&careless("tenant")),
    ]);
    assert!(!of_objects(&served.text()).is_empty());
    for text in [of_table, served.text().into_bytes()] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics");
        fs::write(&path, text).unwrap();
        let said = Command::new(PROMTOOL.folder().unwrap().join("promtool"))
            .args(["check", "metrics"])
            .stdin(File::open(&path).unwrap())
            .finish("the metrics are not what they should be")
            .unwrap();
        assert_eq!(said, "");
    }
}

/// Tenants cannot make series without end: not by namespaces, nor by names, versions, shards and copies of Flux.
#[test]
fn series_are_bounded_whatever_there_is() {
    const NAMESPACES: usize = 5_000;
    let hostile = |number: usize| match number % 5 {
        0 => format!("n{number}\"}} 1\nflux_security_compliant{{policy=\"default\"}} 1"),
        1 => format!("n{number}\\{}", "x".repeat(400)),
        2 => format!("n{number}\u{202e}\u{0}\r\t"),
        3 => format!("{OTHER}{number}"),
        _ => format!("n{number}"),
    };
    let policies = [
        ("none", json!({"tenancy": "None"})),
        (
            "shared",
            json!({"tenancy": "Shared", "clusterName": "c\"}\n\u{7}".repeat(2_000)}),
        ),
        (
            "dedicated",
            json!({"tenancy": "Dedicated", "outputs": {"objectMetrics": true}}),
        ),
    ];
    let mut served = Served::new();
    served.ingest(policies.iter().map(|(name, spec)| upsert(&policy(name, spec))));
    served.ingest((0..NAMESPACES).map(|number| upsert(&careless(&hostile(number)))));
    served.ingest((0..1_200).map(|number| {
        let version = format!("1.9.4-{}", "a".repeat(number % 700));
        upsert(&controller(&hostile(number), &version))
    }));
    // Kinds by the hundred, by names that users choose.
    served.ingest(policies.iter().map(|(name, spec)| {
        let asked = (0..60).map(|kind| {
            json!({
                "id": format!("ACME-{kind}"), "title": "it holds", "expression": "true",
                "match": {"apiVersion": format!("{name}.example.com/v1"), "kind": format!("K{kind}")},
            })
        });
        let mut spec = spec.clone();
        spec["customControls"] = asked.collect();
        upsert(&policy(name, &spec))
    }));
    let text = served.text();
    let size = Size {
        policies: policies.len(),
        controls: CATALOGUE.len() + 60,
        kinds: KindId::all().count(),
        waivers: 1,
    };
    let all = series(&text);
    for metric in METRICS {
        let found = all.iter().filter(|it| it.name == metric.name).count();
        let most = metric.bound.at_most(size);
        assert!(found <= most, "{}: {found} series, {most} at most", metric.name);
    }
    for it in &all {
        for (label, value) in &it.labels {
            assert!(
                value.len() <= 1024,
                "{}: {label} has {} bytes",
                it.name,
                value.len()
            );
        }
    }
    // Three policies fill what is shared, and nothing is lost.
    let of = |family: &str| {
        all.iter()
            .filter(|it| it.name == family)
            .map(|it| it.value)
            .sum::<f64>()
    };
    let count = |family: &str| all.iter().filter(|it| it.name == family).count();
    assert_eq!(count("flux_security_namespace_findings"), 1000);
    assert_eq!(count("flux_security_controller_info"), 1000);
    assert!(of("flux_security_namespace_findings") >= 5_000.0 * 2.0 * 3.0);
    let compliant: Vec<&Series> = all
        .iter()
        .filter(|it| it.name == "flux_security_compliant")
        .collect();
    assert_eq!(compliant.len(), policies.len(), "{compliant:?}");
    assert!(
        compliant.iter().all(|it| it.value < 0.5),
        "nobody writes series but us"
    );
    assert_eq!(count(OBJECT_FINDINGS), 2_000);
    let of_policy: f64 = all
        .iter()
        .filter(|it| it.name == "flux_security_findings" && it.label("policy") == "dedicated")
        .map(|it| it.value)
        .sum();
    assert!((of(OBJECT_FINDINGS) - of_policy).abs() < 0.5, "nothing is lost");
    assert!(all.len() < 12_000, "{} series", all.len());
    assert!(text.len() < 4 * 1024 * 1024, "{} bytes", text.len());
}

/// Kinds that custom controls ask for are seen as others are, and their series go with those who ask.
#[test]
fn kinds_of_custom_controls_have_series_as_others_have() {
    let asked = |kind: &str| {
        json!({
            "id": "ACME-001", "title": "it holds", "expression": "true",
            "match": {"apiVersion": "example.com/v1", "kind": kind},
        })
    };
    let mut served = Served::new();
    let value = |served: &Served, family: &str, kind: &str| {
        let all = series(&served.text());
        let mut all = all.into_iter().filter(|it| it.name == family);
        all.find(|it| it.labels.values().any(|label| label == kind))
            .map(|it| it.value)
    };
    served.ingest([upsert(&policy(
        "default",
        &json!({"customControls": [asked("Widget")]}),
    ))]);
    let widget = "Widget.v1.example.com";
    assert_eq!(value(&served, "flux_security_kind_synced", widget), Some(0.0));
    let demands = served.engine.inventory().customs().demands();
    let demand = demands.values().next().unwrap().clone();
    let tell = |news: CustomNews| {
        Delta::Custom(CustomDelta {
            target: demand.target.clone(),
            generation: demand.generation,
            news,
        })
    };
    let object =
        json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "it"}}).to_string();
    let row = demand
        .project(&Meta::parse(&object).unwrap(), &object)
        .unwrap()
        .unwrap();
    served.ingest([
        tell(CustomNews::Upsert(ObjectKey::new("", "it"), row)),
        tell(CustomNews::Undecodable(
            ObjectKey::new("", "deep"),
            "nested".to_owned(),
        )),
        tell(CustomNews::Coverage(Coverage::Synced)),
    ]);
    assert_eq!(value(&served, "flux_security_kind_synced", widget), Some(1.0));
    assert_eq!(value(&served, "flux_security_objects", widget), Some(1.0));
    assert_eq!(
        value(&served, "flux_security_undecodable_objects", widget),
        Some(1.0)
    );
    served.ingest([tell(CustomNews::Coverage(Coverage::Forbidden))]);
    assert_eq!(value(&served, "flux_security_kind_synced", widget), Some(0.0));
    served.ingest([upsert(&policy("default", &json!({})))]);
    assert_eq!(value(&served, "flux_security_kind_synced", widget), None);
}

const OBJECT_FINDINGS: &str = "flux_security_object_findings";

/// The series of objects, each as in `policy control severity namespace kind name`.
fn of_objects(text: &str) -> BTreeMap<String, f64> {
    let labels = [
        "policy",
        "control",
        "severity",
        "exported_namespace",
        "kind",
        "name",
    ];
    let all = series(text);
    let all = all.iter().filter(|it| it.name == OBJECT_FINDINGS);
    all.map(|it| (labels.map(|label| it.label(label)).join(" "), it.value))
        .collect()
}

/// A policy that judges HelmRepositories alone, and tells of each.
fn by_object(name: &str, is_on: bool) -> Delta {
    upsert(&policy(
        name,
        &json!({"controls": few(), "outputs": {"objectMetrics": is_on}}),
    ))
}

/// Nobody has series of objects who did not ask for them, and they go with what they are about.
#[test]
fn objects_have_series_where_a_policy_asks_for_them() {
    let mut served = Served::new();
    served.ingest([
        upsert(&policy("silent", &json!({"controls": few()}))),
        upsert(&careless("tenant")),
        upsert(&careless("other")),
    ]);
    assert!(!served.text().contains(OBJECT_FINDINGS), "off by default");
    served.ingest([by_object("default", true)]);
    let expected = |namespaces: &[&str]| -> BTreeMap<String, f64> {
        let of_namespace = |namespace: &&str| {
            ["FSX-SRC-005 High", "FSX-SRC-009 Medium"]
                .map(|failed| format!("default {failed} {namespace} HelmRepository charts"))
        };
        let all = namespaces.iter().flat_map(of_namespace);
        all.map(|it| (it, 1.0)).collect()
    };
    assert_eq!(of_objects(&served.text()), expected(&["other", "tenant"]));
    let tenant = json!([{"kind": "HelmRepository", "namespace": "tenant", "name": "charts"}]);
    let accepted = waiver("accepted", "FSX-SRC-*", &tenant, "2026-03-01T00:00:00Z");
    served.engine.advance(CREATED.parse().unwrap());
    served.ingest([upsert(&accepted)]);
    assert_eq!(of_objects(&served.text()), expected(&["other"]), "waived");
    served.ingest([remove(&accepted)]);
    assert_eq!(of_objects(&served.text()), expected(&["other", "tenant"]));
    served.ingest([remove(&careless("other"))]);
    assert_eq!(of_objects(&served.text()), expected(&["tenant"]), "repaired");
    served.ingest([by_object("default", false)]);
    assert!(!served.text().contains(OBJECT_FINDINGS), "switched off");
    served.ingest([by_object("default", true)]);
    assert_eq!(of_objects(&served.text()), expected(&["tenant"]));
    served.leadership.send_replace(Leadership { until: None });
    assert!(!served.text().contains(OBJECT_FINDINGS), "another replica leads");
    let until = Some(Instant::now() + Duration::from_hours(1));
    served.leadership.send_replace(Leadership { until });
    served.ingest([remove(&policy("default", &json!({})))]);
    assert!(!served.text().contains(OBJECT_FINDINGS), "the policy is gone");
}

/// Which objects have series of their own does not depend on which came first, and what has none is counted.
#[test]
fn series_of_objects_are_bounded_and_the_same_whatever_came_first() {
    const OBJECTS: u32 = 2_500;
    let namespaces: Vec<String> = (0..OBJECTS).map(|number| format!("n{number:04}")).collect();
    let ask = || {
        [
            by_object("default", true),
            by_object("second", true),
            by_object("silent", false),
        ]
    };
    let mut forward = Served::new();
    forward.ingest(ask());
    forward.ingest(namespaces.iter().map(|it| upsert(&careless(it))));
    let mut backward = Served::new();
    for some in namespaces.chunks(100).rev() {
        backward.ingest(some.iter().rev().map(|it| upsert(&careless(it))));
    }
    backward.ingest(ask());
    let found = of_objects(&forward.text());
    assert_eq!(found, of_objects(&backward.text()));
    for policy in ["default", "second", "silent"] {
        let mine = || {
            found
                .iter()
                .filter(|(labels, _)| labels.starts_with(&format!("{policy} ")))
        };
        let sum: f64 = mine().map(|(_, value)| value).sum();
        let expected = if policy == "silent" {
            (0, 0.0)
        } else {
            (2_000, f64::from(OBJECTS) * 2.0)
        };
        assert_eq!((mine().count(), sum), expected, "{policy}");
    }
    let rest = found.keys().filter(|labels| labels.contains(OTHER));
    for labels in rest {
        let labels: Vec<&str> = labels.split(' ').collect();
        assert_eq!(
            [labels[1], labels[3], labels[4], labels[5]],
            [OTHER; 4],
            "{labels:?}"
        );
    }
}

/// More policies than series for what is folded.
#[test]
fn policies_without_end_make_no_more_series_of_namespaces() {
    let mut served = Served::new();
    served.ingest((0..3).map(|number| upsert(&careless(&format!("n{number}")))));
    let spec = json!({"controls": few()});
    served.ingest((0..600).map(|number| upsert(&policy(&format!("p{number}"), &spec))));
    let all = series(&served.text());
    let found = all
        .iter()
        .filter(|it| it.name == "flux_security_namespace_findings");
    let found: Vec<f64> = found.map(|it| it.value).collect();
    assert!(found.len() <= 1000, "{} series", found.len());
    let sum: f64 = found.iter().sum();
    assert!((sum - 600.0 * 3.0 * 2.0).abs() < 0.5, "{sum} findings");
}

/// All controls but those of a HelmRepository are off.
fn few() -> Value {
    let others = CATALOGUE
        .iter()
        .filter(|control| !OF_REPOSITORIES.contains(&control.id));
    others
        .map(|control| json!({"id": control.id, "enabled": false}))
        .collect()
}

/// Which a careless HelmRepository fails.
const OF_REPOSITORIES: [&str; 2] = ["FSX-SRC-005", "FSX-SRC-009"];

/// Series of one scrape agree with each other, whatever changes while they are made.
#[test]
fn a_scrape_is_of_one_state() {
    const SCRAPES: usize = 1_000;
    let mut served = Served::new();
    served.ingest([
        upsert(&policy("default", &json!({}))),
        upsert(&policy("other", &json!({"tenancy": "Shared"}))),
    ]);
    let port = served.port;
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    let changes = std::thread::spawn(move || {
        let mut turn = 0_usize;
        while !stopped.load(Ordering::Relaxed) {
            turn += 1;
            change(&mut served, turn);
        }
        turn
    });
    let mut states = BTreeSet::new();
    for _ in 0..SCRAPES {
        let text = scrape(port);
        let all = series(&text);
        for policy in ["default", "other"] {
            agree(&all, policy);
        }
        let state: String = text
            .lines()
            .filter(|line| line.starts_with("flux_security_"))
            .collect();
        states.insert(state);
    }
    stop.store(true, Ordering::Relaxed);
    let turns = changes.join().unwrap();
    assert!(
        states.len() > 20,
        "{} states in {turns} changes: nothing was tested",
        states.len()
    );
}

/// One more change: objects come and go, a kind is not seen, a controller changes its flags.
fn change(served: &mut Served, turn: usize) {
    let namespace = format!("n{}", turn % 37);
    let repository = careless(&namespace);
    match turn % 7 {
        0 => served.ingest([remove(&repository)]),
        1 => served.ingest([Delta::Resync(kind("HelmRepository"), Vec::new())]),
        2 => {
            let flag = if turn.is_multiple_of(2) {
                "--insecure-kubeconfig-exec"
            } else {
                "--no-remote-bases"
            };
            served.ingest([upsert(&deployment("kustomize-controller", "1.9.4", &[flag]))]);
        }
        3 => served.ingest([Delta::Coverage(kind("Pod"), Coverage::Forbidden)]),
        4 => served.ingest([Delta::Coverage(kind("Pod"), Coverage::Synced)]),
        _ => {
            served
                .ingest((0..turn % 11).map(|number| upsert(&careless(&format!("n{}", turn % 37 + number)))));
        }
    }
}

/// Panics when the series of a policy contradict each other.
fn agree(all: &[Series], policy: &str) {
    let of = |family: &'static str| all.iter().filter(move |it| it.name == family);
    let mine = |family: &'static str| of(family).filter(|it| it.label("policy") == policy);
    let value = |family: &'static str| mine(family).map(|it| it.value).sum::<f64>();
    let mut results: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
    for it in mine("flux_security_control_status").filter(|it| it.value > 0.5) {
        let known = results.insert(it.label("control"), (it.label("result"), it.label("severity")));
        assert!(known.is_none(), "two results of {}", it.label("control"));
    }
    assert_eq!(results.len(), CATALOGUE.len());

    let weight = |wanted: &[&str]| {
        let weighed = results.values().filter(|(result, _)| wanted.contains(result));
        weighed
            .map(|(_, severity)| severity_of(severity).weight())
            .sum::<i64>()
    };
    let (passing, weighed) = (weight(&["Pass"]), weight(&["Pass", "Fail"]));
    let score = if weighed == 0 {
        100
    } else {
        100 * passing / weighed
    };
    same(value("flux_security_score_ratio"), score, policy);

    let count = |result: ControlResult| {
        let found = results.values().filter(|(it, _)| *it == result.as_str());
        i64::try_from(found.count()).unwrap()
    };
    let applicable = i64::try_from(results.len()).unwrap() - count(ControlResult::NotApplicable);
    let judged = applicable - count(ControlResult::Unknown);
    same(
        value("flux_security_coverage_ratio"),
        100 * judged / applicable,
        policy,
    );

    let at_or_above = |wanted: &str| {
        results
            .values()
            .any(|(result, severity)| *result == wanted && severity_of(severity) <= Severity::High)
    };
    let complies = !at_or_above("Fail") && !at_or_above("Unknown");
    same(
        value("flux_security_compliant"),
        if complies { 100 } else { 0 },
        policy,
    );

    // What fails has findings, and nothing else has.
    let failing: BTreeSet<&str> = results
        .iter()
        .filter(|(_, it)| it.0 == "Fail")
        .map(|(id, _)| *id)
        .collect();
    let found: BTreeSet<&str> = mine("flux_security_findings")
        .map(|it| it.label("control"))
        .collect();
    assert_eq!(failing, found, "{policy}");
    // Every object that is kept has its finding, in its namespace.
    let kept = of("flux_security_objects")
        .find(|it| it.label("kind") == "HelmRepository")
        .unwrap()
        .value;
    for control in OF_REPOSITORIES {
        let found = mine("flux_security_findings").filter(|it| it.label("control") == control);
        let found = found.map(|it| it.value).sum::<f64>();
        assert!(
            (found - kept).abs() < 0.5,
            "{policy}: {found} findings of {control} in {kept} objects"
        );
    }
    let in_namespaces = value("flux_security_namespace_findings");
    assert!(in_namespaces >= kept * 2.0 && in_namespaces <= value("flux_security_findings"));
}

fn severity_of(name: &str) -> Severity {
    Severity::ALL.into_iter().find(|it| it.as_str() == name).unwrap()
}

/// A ratio that is this many percent.
fn same(ratio: f64, percent: i64, policy: &str) {
    let percent = f64::from(i32::try_from(percent).unwrap());
    assert!(
        (ratio * 100.0 - percent).abs() < 1e-6,
        "{policy}: {ratio} is not {percent} percent"
    );
}
