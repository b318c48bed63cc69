//! Custom controls: what they ask, what they may cost, and what becomes of what they say.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flux_security_operator::api::{ControlResult, FluxSecurityPolicySpec, Severity, Tenancy, WaiverState};
use flux_security_operator::custom::{Demand, Expression, Failure, Object};
use flux_security_operator::engine::{Doubt, Engine};
use flux_security_operator::inventory::{Coverage, CustomDelta, CustomNews, Delta, ObjectKey};
use flux_security_operator::kinds::{Author, Meta};
use flux_security_operator::manifests;
use serde_json::{Value, json};
use support::expressions::{FAILS, FALSE, NOT_OFFERED, REFUSED, TRUE, WITHOUT_RESULT, spec};

fn evaluate(expression: &str, object: &serde_json::Value) -> Result<bool, Failure> {
    let expression = Expression::compile(expression).unwrap_or_else(|error| panic!("{expression}: {error}"));
    Object::parse(&object.to_string()).unwrap().evaluate(&expression)
}

fn refused(expression: &str) -> String {
    match Expression::compile(expression) {
        Ok(_) => panic!("{expression} compiles"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_bad_expression_is_named_with_its_place() {
    for (expression, place, reason) in [
        ("object.a ==", "1:12", "Syntax error"),
        ("object.a == 'x'\n  && tru", "2:6", "tru is unknown"),
        ("1 + 1", "1:1", "gives int and no bool"),
        ("object.metadata.name", "", ""),
        (
            "quantity(object.a) == quantity('1')",
            "1:1",
            "the function quantity is not offered",
        ),
        (
            "true && ip.isCanonical('::1')",
            "1:9",
            "the function ip.isCanonical is not offered",
        ),
        ("object.?a.hasValue()", "1:7", "unsupported syntax"),
        ("now() > 1", "1:1", "the function now is not offered"),
        ("oldObject == null", "1:1", "oldObject is unknown"),
        ("object.a.matches(object.b)", "1:10", "must be a literal"),
        ("object.a.matches('(')", "1:10", "no regular expression"),
        ("object.a.matches('(a{999}){999}')", "1:10", "too large"),
        ("object == 1 || 2", "1:13", "no such overload"),
        ("1 == 'a'", "1:3", "no such overload"),
        (
            "[1].all(a, [1].all(b, [1].all(c, [1].all(d, true))))",
            "1:",
            "nested deeper than 3",
        ),
    ] {
        if reason.is_empty() {
            assert!(Expression::compile(expression).is_ok(), "{expression}");
            continue;
        }
        let said = refused(expression);
        assert!(
            said.starts_with(place) && said.contains(reason),
            "{expression}: {said}"
        );
    }
    assert!(refused(&format!("true{}", " ".repeat(5000))).contains("longer than"));
}

/// An expression that is as deep as any may be leaves room on the stack of a thread, also in a debug build.
#[test]
fn depth_is_bounded() {
    for deep in [
        format!("{}1 == 1{}", "(true ? ".repeat(400), " : false)".repeat(400)),
        format!("object.a{} == 1", " + 1".repeat(2000)),
        format!("object{} == 1", ".a".repeat(2000)),
        format!("{}true", "!".repeat(4001)),
        format!("{}1{} == []", "[".repeat(2000), "]".repeat(2000)),
        format!("object{} == 1", "[0]".repeat(1300)),
        format!("{}true{}", "(".repeat(2000), ")".repeat(2000)),
        format!("'a'{} == ''", ".trim()".repeat(500)),
    ] {
        match Expression::compile(&deep) {
            Ok(expression) => drop(Object::parse("{}").unwrap().evaluate(&expression)),
            Err(error) => assert!(!error.reason.is_empty()),
        }
    }
    let deepest = format!("object.a{} == 40", " + 1".repeat(40));
    assert_eq!(evaluate(&deepest, &json!({"a": 0})), Ok(true));
}

/// Loops within loops, texts that double, lists that hold themselves: each is stopped, and has no result.
#[test]
fn what_costs_too_much_is_stopped() {
    let list: Vec<u32> = (0..20_000).collect();
    let object = json!({
        "list": list,
        "text": "a".repeat(1_000_000), "long": "a".repeat(500_000), "map": {"a": 1},
        "texts": (0..5000).map(|at| format!("text {at}")).collect::<Vec<_>>(),
    });
    let doubled = format!("[object.text]{}.size() == 1", ".map(x, x + x)".repeat(14));
    let nested = format!("[object.list]{}.size() == 1", ".map(x, [x, x, x, x])".repeat(14));
    for expression in [
        "object.list.all(a, object.list.exists(b, b == a + 1))",
        "object.list.exists(a, object.list.all(b, object.list.exists(c, c == -1)))",
        "object.list.map(a, object.list).size() == 1",
        "object.list.all(a, object == object)",
        "object.list.all(a, object.text.contains('b') == false)",
        "object.list.all(a, object.text < object.text + 'a')",
        "object.list.all(a, !(-1 in object.list))",
        "object.text.replace('a', object.text) == ''",
        "object.texts.join(object.text) == ''",
        "object.list.all(a, object.text.indexOf('b') == -1)",
        "object.list.all(a, object.text.matches('^a+$'))",
        "object.list.all(a, size(object.text) > 0)",
        "object.list.all(a, !(object.text in object.map))",
        "object.list.all(a, object.map[object.text] == 1)",
        "object.list.all(a, 'a'.split(object.text).size() == 1)",
        "object.long.matches('^(a?){60}a{60}b$')",
        // Errors may be overruled: not this one.
        "object.list.exists(a, object.list.all(b, object.list.all(c, c > -1))) || true",
        doubled.as_str(),
        nested.as_str(),
    ] {
        let started = Instant::now();
        assert_eq!(
            evaluate(expression, &object),
            Err(Failure::TooCostly),
            "{expression}"
        );
        let took = started.elapsed();
        assert!(took < Duration::from_secs(2), "{expression}: {took:?}");
    }
    assert_eq!(
        evaluate(
            "object.list.all(a, a >= 0 && a < 20000)",
            &json!({"list": [1, 2, 3]})
        ),
        Ok(true)
    );
}

/// Neither of them is taken for good.
#[test]
fn what_has_no_result_is_unknown_and_tells_no_value() {
    let object = json!({"metadata": {"name": "a"}, "spec": {"password": "hunter2", "list": []}});
    for (expression, reason) in [
        ("object.spec.missing == 1", "no such key: missing"),
        ("object.metadata.name", "gives string and no bool"),
        ("object.spec.list[0] == 1", "index out of bounds"),
        ("object.spec.password > 1", "no such overload"),
        ("int(object.spec.password) == 1", "int failed"),
        ("has(object.nothing.at.all)", "no such key: nothing"),
        ("1 / (object.spec.list.size()) == 1", "division by zero"),
        ("object.spec + 1 == 2", "no such overload"),
    ] {
        let Err(Failure::Failed(said)) = evaluate(expression, &object) else {
            panic!("{expression} has a result")
        };
        assert!(said.contains(reason), "{expression}: {said}");
        assert!(!said.contains("hunter2"), "{expression}: {said}");
    }
    assert_eq!(evaluate("has(object.spec.missing)", &object), Ok(false));
    assert_eq!(
        evaluate("has(object.spec) && has(object.spec.list)", &object),
        Ok(true)
    );
}

/// The same table is asked of a real API server in `tests/custom_live.rs`.
#[test]
fn expressions_mean_what_they_mean_to_kubernetes() {
    let object = json!({
        "apiVersion": "example.com/v1", "kind": "Widget", "spec": spec(),
        "metadata": {"name": "it", "namespace": "default", "labels": {"app": "demo"}},
    });
    let mut wrong = Vec::new();
    let expected = [
        (TRUE, Some(true)),
        (FALSE, Some(false)),
        (FAILS, None),
        (WITHOUT_RESULT, None),
    ];
    for (expressions, expected) in expected {
        for expression in expressions {
            let said = match Expression::compile(expression) {
                Ok(compiled) => Object::parse(&object.to_string())
                    .unwrap()
                    .evaluate(&compiled)
                    .map_err(|it| format!("{it:?}")),
                Err(error) => Err(format!("refused: {error}")),
            };
            let is_right = match &said {
                Ok(result) => expected == Some(*result),
                Err(reason) => expected.is_none() && !reason.contains("refused"),
            };
            if !is_right {
                wrong.push(format!("{expression}: {said:?}"));
            }
        }
    }
    for expression in [NOT_OFFERED, REFUSED].concat() {
        if Expression::compile(expression).is_ok() {
            wrong.push(format!("{expression}: compiles"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A custom control on ConfigMaps.
fn control(id: &str, expression: &str) -> Value {
    json!({
        "id": id, "title": format!("{id} holds"), "severity": "High", "expression": expression,
        "match": {"apiVersion": "v1", "kind": "ConfigMap"}, "message": "the map is wrong",
    })
}

fn spec_of(controls: &[Value]) -> FluxSecurityPolicySpec {
    serde_json::from_value(json!({"customControls": controls})).unwrap()
}

fn config_map(namespace: &str, name: &str, data: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace, "uid": format!("uid-{name}"), "labels": {"app": name}}, "data": data,
    })
}

/// An engine, and what its watches of custom kinds do.
struct Watching(Engine);

impl Watching {
    fn new(controls: &[Value]) -> Self {
        let mut watching = Self(support::engine(Tenancy::None));
        watching.ask(controls);
        watching
    }

    fn ask(&mut self, controls: &[Value]) {
        let mut row = support::policy(Tenancy::None);
        row.spec.custom_controls = spec_of(controls).custom_controls;
        self.0.pin("test", row);
    }

    fn demand(&self) -> std::sync::Arc<Demand> {
        let demands = self.0.inventory().customs().demands();
        demands.values().next().expect("something is asked").clone()
    }

    fn tell(&mut self, demand: &Demand, news: CustomNews) {
        self.0.ingest([Delta::Custom(CustomDelta {
            target: demand.target.clone(),
            generation: demand.generation,
            news,
        })]);
    }

    /// An object that is there now.
    fn see(&mut self, object: &Value) {
        let demand = self.demand();
        let text = object.to_string();
        let meta = Meta::parse(&text).unwrap();
        let key = ObjectKey::new(&meta.namespace, &meta.name);
        let news = match demand.project(&meta, &text) {
            Ok(Some(row)) => CustomNews::Upsert(key, row),
            Ok(None) => CustomNews::Remove(key),
            Err(error) => CustomNews::Undecodable(key, error.to_string()),
        };
        self.tell(&demand, news);
    }

    /// An object that somebody has just changed.
    fn written(&mut self, object: &Value) {
        let demand = self.demand();
        let text = object.to_string();
        let meta = Meta::parse(&text).unwrap();
        let key = ObjectKey::new(&meta.namespace, &meta.name);
        let row = demand.project(&meta, &text).unwrap().unwrap();
        let author = Author::of_change(&meta).unwrap();
        self.tell(&demand, CustomNews::Written(key, row, Arc::new(author)));
    }

    fn lose(&mut self, object: &Value) {
        let (namespace, name) = (&object["metadata"]["namespace"], &object["metadata"]["name"]);
        let key = ObjectKey::new(namespace.as_str().unwrap(), name.as_str().unwrap());
        self.tell(&self.demand(), CustomNews::Remove(key));
    }

    fn cover(&mut self, coverage: Coverage) {
        self.tell(&self.demand(), CustomNews::Coverage(coverage));
    }

    /// The list is complete, with these objects.
    fn list(&mut self, objects: &[Value]) {
        for object in objects {
            self.see(object);
        }
        self.cover(Coverage::Synced);
    }

    fn said(&self, id: &str) -> (ControlResult, String, usize) {
        let posture = support::posture(&self.0);
        assert_eq!(posture.invalid, None);
        let control = support::control(&posture, id);
        (control.result, control.message, control.findings)
    }

    fn result(&self, id: &str) -> ControlResult {
        self.said(id).0
    }
}

#[test]
fn a_custom_control_is_judged_like_any_other() {
    let mut watching = Watching::new(&[control("ACME-001", "has(object.data.owner)")]);
    assert_eq!(
        watching.result("ACME-001"),
        ControlResult::Unknown,
        "nothing is listed"
    );
    assert!(!watching.0.posture().settled || !watching.0.posture().pending.is_empty());
    watching.list(&[]);
    let (result, message, _) = watching.said("ACME-001");
    assert_eq!(
        (result, message.as_str()),
        (ControlResult::NotApplicable, "no matching ConfigMap exists")
    );

    let good = config_map("a", "good", &json!({"owner": "us"}));
    let bad = config_map("b", "bad", &json!({"other": "x"}));
    watching.see(&good);
    assert_eq!(watching.said("ACME-001").1, "1 ConfigMap complies");
    watching.see(&config_map("a", "better", &json!({"owner": "us"})));
    assert_eq!(watching.said("ACME-001").1, "2 ConfigMaps comply");
    watching.see(&bad);
    let (result, message, findings) = watching.said("ACME-001");
    assert_eq!(
        (result, message.as_str(), findings),
        (ControlResult::Fail, "ConfigMap b/bad: the map is wrong", 1)
    );
    let posture = support::posture(&watching.0);
    let finding = &posture
        .findings
        .iter()
        .find(|it| it.finding.control == "ACME-001")
        .unwrap();
    assert_eq!(finding.finding.resource.to_string(), "ConfigMap b/bad");
    assert_eq!(finding.finding.resource.api_version, "v1");
    assert_eq!(finding.finding.expected, "has(object.data.owner)");
    assert_eq!(finding.uid, "uid-bad");

    // An expression that has no result is no pass, and no fail hides it for ever.
    watching.see(&config_map("b", "bad", &Value::Null));
    let (result, message, _) = watching.said("ACME-001");
    assert_eq!(result, ControlResult::Fail, "null has no owner: {message}");
    let mut without = config_map("b", "bad", &Value::Null);
    without.as_object_mut().unwrap().remove("data");
    watching.see(&without);
    let (result, message, _) = watching.said("ACME-001");
    assert_eq!(
        (result, message.as_str()),
        (ControlResult::Unknown, "ConfigMap b/bad: no such key: data")
    );
    watching.lose(&without);
    watching.lose(&good);
    assert_eq!(watching.said("ACME-001").1, "1 ConfigMap complies");

    watching.cover(Coverage::Forbidden);
    let (result, message, _) = watching.said("ACME-001");
    assert_eq!(result, ControlResult::Unknown);
    assert!(
        message.contains("list and watch of ConfigMap are forbidden"),
        "{message}"
    );
    let demand = watching.demand();
    watching.tell(&demand, CustomNews::Served("configmaps".into()));
    watching.cover(Coverage::Pending);
    watching.cover(Coverage::Forbidden);
    assert!(
        watching
            .said("ACME-001")
            .1
            .contains("list and watch of configmaps are forbidden")
    );
    watching.cover(Coverage::Absent);
    assert_eq!(watching.result("ACME-001"), ControlResult::NotApplicable);
}

/// Some objects have no result: those are named, and neither the good ones nor the bad ones hide them for ever.
#[test]
fn an_expression_that_fails_on_some_objects_is_unknown_for_those() {
    let mut watching = Watching::new(&[control("ACME-001", "object.data.owner == 'us'")]);
    watching.list(&[
        config_map("a", "good", &json!({"owner": "us"})),
        config_map("b", "without", &json!({})),
    ]);
    let unknown = (
        ControlResult::Unknown,
        "ConfigMap b/without: no such key: owner".to_owned(),
        0,
    );
    assert_eq!(watching.said("ACME-001"), unknown);
    watching.see(&config_map("a", "bad", &json!({"owner": "them"})));
    let (result, message, findings) = watching.said("ACME-001");
    assert_eq!(
        (result, message.as_str(), findings),
        (ControlResult::Fail, "ConfigMap a/bad: the map is wrong", 1),
        "what is seen to be bad stays bad"
    );
    watching.lose(&config_map("a", "bad", &json!({})));
    assert_eq!(watching.said("ACME-001"), unknown);
    watching.see(&config_map("b", "without", &json!({"owner": "us"})));
    assert_eq!(watching.said("ACME-001").1, "2 ConfigMaps comply");
}

/// A policy tunes its own controls as it tunes those of the catalogue.
#[test]
fn custom_controls_are_tuned_by_their_policy() {
    let controls = [control("ACME-001", "false"), control("ACME-002", "false")];
    let tuned = |tuning: Value| {
        let mut watching = Watching::new(&controls);
        let mut row = support::policy(Tenancy::None);
        row.spec.custom_controls = spec_of(&controls).custom_controls;
        row.spec.controls = serde_json::from_value(tuning).unwrap();
        watching.0.pin("test", row);
        watching
    };
    let mut watching = tuned(json!([{"id": "ACME-001", "severity": "Low"}]));
    watching.list(&[config_map("a", "it", &Value::Null)]);
    let posture = support::posture(&watching.0);
    assert_eq!(
        support::control(&posture, "ACME-001").severity,
        Severity::Low,
        "instead of the High that it says itself"
    );
    assert_eq!(support::control(&posture, "ACME-002").severity, Severity::High);
    let severities: Vec<Severity> = posture
        .findings
        .iter()
        .filter(|it| it.finding.control == "ACME-001")
        .map(|it| it.finding.severity)
        .collect();
    assert_eq!(severities, [Severity::Low]);

    let off = tuned(json!([{"id": "ACME-001", "enabled": false}]));
    let posture = support::posture(&off.0);
    assert!(posture.controls.iter().all(|it| it.control.id != "ACME-001"));
    assert_eq!(
        off.demand().checks.len(),
        1,
        "nobody asks what nobody wants to know"
    );
    let both = tuned(json!([{"id": "ACME-001", "enabled": false}, {"id": "ACME-002", "enabled": false}]));
    assert!(
        both.0.inventory().customs().demands().is_empty(),
        "and nothing is watched for it"
    );

    for (tuning, says) in [
        (
            json!([{"id": "ACME-003", "enabled": false}]),
            "spec.controls[0].id: there is no control \"ACME-003\", neither in the catalogue",
        ),
        (
            json!([{"id": "ACME-001", "parameters": {"level": "x"}}]),
            "spec.controls[0].parameters: ACME-001 has no parameter \"level\": a custom control has none",
        ),
        (
            json!([{"id": "ACME-001"}, {"id": "ACME-001", "severity": "Low"}]),
            "spec.controls[1].id: ACME-001 is listed twice",
        ),
    ] {
        let invalid = support::posture(&tuned(tuning).0).invalid.unwrap();
        assert!(invalid.starts_with(says), "{invalid}");
    }
    // An expression judges it, and nobody's word.
    let mut row = support::policy(Tenancy::None);
    row.spec.custom_controls = spec_of(&controls).custom_controls;
    row.spec.attestations = serde_json::from_value(json!([{
        "control": "ACME-001", "statement": "looked at all of them", "by": "joe", "expires": "2030-01-01T00:00:00Z",
    }]))
    .unwrap();
    let mut engine = support::engine(Tenancy::None);
    engine.pin("test", row);
    let invalid = support::posture(&engine).invalid.unwrap();
    assert!(invalid.contains("ACME-001 is a custom control"), "{invalid}");
}

/// Who made a finding come and go: what an expression reads is nobody else's business.
#[test]
fn findings_name_who_made_them() {
    let by = |manager: &str, second: u8, data: &Value| {
        let mut map = config_map("a", "it", data);
        map["metadata"]["managedFields"] =
            json!([{"manager": manager, "time": format!("2026-01-01T00:00:{second:02}Z")}]);
        map["metadata"]["labels"]["kustomize.toolkit.fluxcd.io/name"] = json!("apps");
        map["metadata"]["labels"]["kustomize.toolkit.fluxcd.io/namespace"] = json!("flux-system");
        map
    };
    let mut watching = Watching::new(&[control("ACME-001", "has(object.data.owner)")]);
    watching.list(&[by("kustomize-controller", 1, &json!({"owner": "us"}))]);
    watching.written(&by("kubectl-edit", 2, &json!({})));
    let posture = support::posture(&watching.0);
    let mut findings = posture.findings.iter();
    let finding = findings.find(|it| it.finding.control == "ACME-001").unwrap();
    assert_eq!(finding.author.as_ref().unwrap().manager, "kubectl-edit");
    // Nothing that is asked for has changed: it stays his.
    watching.written(&by("argocd", 3, &json!({"more": "x"})));
    let posture = support::posture(&watching.0);
    let mut findings = posture.findings.iter();
    let finding = findings.find(|it| it.finding.control == "ACME-001").unwrap();
    assert_eq!(finding.author.as_ref().unwrap().manager, "kubectl-edit");

    watching.written(&by("kustomize-controller", 4, &json!({"owner": "us"})));
    let control = support::control(&support::posture(&watching.0), "ACME-001");
    assert_eq!(control.result, ControlResult::Pass);
    let author = control.resolved.unwrap().author.clone().unwrap();
    assert_eq!(author.manager, "kustomize-controller");
    assert_eq!(
        author.applied_by.as_ref().unwrap().to_string(),
        "Kustomization flux-system/apps"
    );
    // What another question finds was made by nobody.
    watching.ask(&[self::control("ACME-001", "has(object.data.more)")]);
    watching.list(&[by("kubectl-edit", 5, &json!({"owner": "us"}))]);
    let posture = support::posture(&watching.0);
    let mut findings = posture.findings.iter();
    let finding = findings.find(|it| it.finding.control == "ACME-001").unwrap();
    assert_eq!(finding.author, None);
}

/// A waiver may be there before its control is.
#[test]
fn a_waiver_waits_for_its_control() {
    let waiver = support::waivers::waiver(
        "early",
        "ACME-002",
        &json!([{"kind": "ConfigMap", "namespace": "a"}]),
        "2026-06-01T00:00:00Z",
    );
    let mut watching = Watching::new(&[control("ACME-001", "true")]);
    watching.0.advance(support::waivers::CREATED.parse().unwrap());
    watching.list(&[config_map("a", "it", &Value::Null)]);
    watching.0.ingest([support::upsert(&waiver)]);
    let told = |watching: &Watching| {
        let waiver = watching.0.posture().waivers.get("early").unwrap().clone();
        (waiver.state, waiver.doubt.clone(), waiver.matched)
    };
    assert_eq!(
        told(&watching),
        (WaiverState::Unmatched, Some(Doubt::NoControl), 0)
    );
    watching.ask(&[control("ACME-001", "true"), control("ACME-002", "false")]);
    assert_eq!(
        told(&watching),
        (WaiverState::Active, Some(Doubt::Unjudged), 0),
        "nobody knows as yet what it is for"
    );
    watching.list(&[config_map("a", "it", &Value::Null)]);
    assert_eq!(told(&watching), (WaiverState::Active, None, 1));
    assert_eq!(watching.result("ACME-002"), ControlResult::Waived);
    watching.ask(&[control("ACME-001", "true")]);
    assert_eq!(
        told(&watching),
        (WaiverState::Unmatched, Some(Doubt::NoControl), 0)
    );
}

/// Whatever happens, it is what it would be from scratch.
#[test]
fn changes_lead_to_what_there_would_be_from_scratch() {
    let mut watching = Watching::new(&[
        control("ACME-001", "has(object.data.owner)"),
        control("ACME-002", "object.data.size() < 2"),
    ]);
    watching.list(&[]);
    for step in 0..40_u32 {
        let name = format!("map-{}", step % 5);
        let data = match step % 4 {
            0 => json!({"owner": "us"}),
            1 => json!({"owner": "us", "more": "x"}),
            2 => json!({}),
            _ => Value::Null,
        };
        let object = config_map("a", &name, &data);
        if step % 7 == 6 {
            watching.lose(&object);
        } else {
            watching.see(&object);
        }
        let before = support::posture(&watching.0);
        watching.0.evaluate_all();
        assert_eq!(
            before.controls,
            support::posture(&watching.0).controls,
            "step {step}"
        );
        assert_eq!(
            before.findings,
            support::posture(&watching.0).findings,
            "step {step}"
        );
    }
}

/// Another question does not make the answers unknown that there are.
#[test]
fn a_kind_is_listed_again_when_something_else_is_asked() {
    let object = config_map("a", "it", &json!({"owner": "us"}));
    let first = control("ACME-001", "has(object.data.owner)");
    let second = control("ACME-002", "has(object.data.missing)");
    let mut watching = Watching::new(std::slice::from_ref(&first));
    watching.list(std::slice::from_ref(&object));
    let old = watching.demand();
    assert_eq!(watching.result("ACME-001"), ControlResult::Pass);

    // Titles and messages are no other question.
    let mut renamed = first.clone();
    renamed["title"] = json!("other");
    watching.ask(&[renamed]);
    assert_eq!(watching.demand().generation, old.generation);
    assert_eq!(watching.result("ACME-001"), ControlResult::Pass);

    watching.ask(&[first, second.clone()]);
    assert_ne!(watching.demand().generation, old.generation);
    assert_eq!(watching.result("ACME-001"), ControlResult::Pass);
    assert_eq!(watching.result("ACME-002"), ControlResult::Unknown);
    // What the former watch still has to tell counts until then.
    watching.tell(&old, CustomNews::Remove(ObjectKey::new("a", "it")));
    assert_eq!(watching.result("ACME-001"), ControlResult::NotApplicable);
    watching.list(std::slice::from_ref(&object));
    assert_eq!(watching.result("ACME-001"), ControlResult::Pass);
    assert_eq!(watching.result("ACME-002"), ControlResult::Fail);
    watching.tell(&old, CustomNews::Remove(ObjectKey::new("a", "it")));
    assert_eq!(watching.result("ACME-002"), ControlResult::Fail);

    // The new list has other objects, and the old verdicts go with theirs.
    watching.ask(std::slice::from_ref(&second));
    watching.list(&[config_map("b", "other", &json!({"missing": "x"}))]);
    assert_eq!(watching.result("ACME-002"), ControlResult::Pass);
    watching.ask(&[]);
    assert!(watching.0.inventory().customs().demands().is_empty());
}

#[test]
fn a_match_is_by_names_namespaces_and_labels() {
    let matched = |matches: Value| {
        let mut control = control("ACME-001", "false");
        for (field, value) in matches.as_object().unwrap() {
            control["match"][field] = value.clone();
        }
        let mut watching = Watching::new(&[control]);
        for (namespace, environment) in [("team-a", "prod"), ("team-b", "test")] {
            watching.0.ingest([support::upsert(&json!({
                "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": {"env": environment}},
            }))]);
        }
        watching.list(&[
            config_map("team-a", "one", &Value::Null),
            config_map("team-b", "two", &Value::Null),
        ]);
        let posture = support::posture(&watching.0);
        let found = posture
            .findings
            .iter()
            .filter(|it| it.finding.control == "ACME-001");
        let names: Vec<String> = found.map(|it| it.finding.resource.name.clone()).collect();
        names.join(" ")
    };
    assert_eq!(matched(json!({})), "one two");
    assert_eq!(matched(json!({"names": ["o*"]})), "one");
    assert_eq!(matched(json!({"names": ["x*"]})), "");
    assert_eq!(matched(json!({"namespaces": ["*-b", "x"]})), "two");
    assert_eq!(matched(json!({"labels": {"app": "two"}})), "two");
    assert_eq!(matched(json!({"labels": {"app": "two", "other": "x"}})), "");
    assert_eq!(
        matched(json!({"namespaceSelector": {"matchLabels": {"env": "prod"}}})),
        "one"
    );
}

#[test]
fn a_namespace_that_gets_another_label_is_left_out_or_taken_in() {
    let namespace = |environment: &str| {
        support::upsert(&json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a", "labels": {"env": environment}},
        }))
    };
    let mut asked = control("ACME-001", "has(object.data.owner)");
    asked["match"]["namespaceSelector"] = json!({"matchLabels": {"env": "prod"}});
    let mut watching = Watching::new(&[asked]);
    watching.0.ingest([namespace("prod")]);
    watching.list(&[config_map("a", "bad", &json!({}))]);
    assert_eq!(watching.result("ACME-001"), ControlResult::Fail);
    watching.0.ingest([namespace("test")]);
    assert_eq!(watching.result("ACME-001"), ControlResult::NotApplicable);
    watching.0.ingest([namespace("prod")]);
    assert_eq!(watching.result("ACME-001"), ControlResult::Fail);
    // Nobody knows what its labels are.
    watching
        .0
        .ingest([Delta::Coverage(support::kind("Namespace"), Coverage::Forbidden)]);
    assert_eq!(watching.result("ACME-001"), ControlResult::Unknown);
}

#[test]
fn what_is_no_custom_control_stalls_the_policy() {
    let with = |field: &str, value: Value| {
        let mut control = control("ACME-001", "true");
        control[field] = value;
        vec![control]
    };
    let matching = |field: &str, value: Value| {
        let mut control = control("ACME-001", "true");
        control["match"][field] = value;
        vec![control]
    };
    for (controls, says) in [
        (with("id", json!("FSP-ACME-001")), "prefix of the catalogue"),
        (with("id", json!("FSX-1")), "prefix of the catalogue"),
        (with("id", json!("acme")), "is no id"),
        (with("expression", json!("object.data. == 1")), "ACME-001, 1:"),
        (
            with("expression", json!("quantity('1') == 1")),
            "quantity is not offered",
        ),
        (with("title", json!("")), ".title of ACME-001"),
        (with("message", json!("x".repeat(1025))), ".message of ACME-001"),
        (matching("kind", json!("Secret")), "Secrets are never read"),
        (matching("apiVersion", json!("apps/v1/x")), "no apiVersion"),
        (
            vec![control("ACME-001", "true"), control("ACME-001", "false")],
            "ACME-001 is there twice",
        ),
        (
            (0..101)
                .map(|at| control(&format!("ACME-{at}"), "true"))
                .collect(),
            "more than 100",
        ),
    ] {
        let posture = manifests::audit(["{}"], &spec_of(&controls));
        let invalid = posture.invalid.unwrap_or_default();
        assert!(
            invalid.starts_with("spec.customControls") && invalid.contains(says),
            "{says}: {invalid}"
        );
        assert!(posture.controls.is_empty());
    }
    // Two policies may mean different things by one id.
    let mut engine = support::engine(Tenancy::None);
    engine.pin("test", support::policy(Tenancy::None));
}

#[test]
fn files_are_asked_as_a_cluster_is() {
    let spec = spec_of(&[
        control("ACME-001", "has(object.data) && has(object.data.owner)"),
        json!({
            "id": "ACME-002", "title": "widgets are small", "expression": "object.spec.size < 3",
            "match": {"apiVersion": "example.com/v1", "kind": "Widget"},
        }),
    ]);
    let maps = "
apiVersion: v1
kind: ConfigMap
metadata: {name: good}
data: {owner: us}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: bad, namespace: team}
";
    let posture = manifests::audit([maps], &spec);
    let results: BTreeMap<&str, ControlResult> = posture
        .controls
        .iter()
        .map(|control| (control.control.id, control.result))
        .collect();
    assert_eq!(results["ACME-001"], ControlResult::Fail);
    assert_eq!(results["ACME-002"], ControlResult::NotApplicable);
    let found: Vec<_> = posture
        .findings
        .iter()
        .filter(|it| it.finding.control == "ACME-001")
        .collect();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].finding.resource.to_string(), "ConfigMap team/bad");
    assert_eq!(
        (
            found[0].finding.location.file.as_str(),
            found[0].finding.location.line
        ),
        ("object 0", Some(7))
    );

    let widget = |version: &str| {
        format!(
            "{{apiVersion: example.com/{version}, kind: Widget, metadata: {{name: w}}, spec: {{size: 2}}}}"
        )
    };
    let result = |object: String| support::control(&manifests::audit([object], &spec), "ACME-002");
    assert_eq!(result(widget("v1")).result, ControlResult::Pass);
    let other = result(widget("v1beta1"));
    assert_eq!(
        other.result,
        ControlResult::Unknown,
        "no cluster is here that converts it"
    );
    assert!(other.message.contains("v1beta1"), "{}", other.message);
    // What was read without the questions has no answers.
    let row = support::policy(Tenancy::None);
    let mut late = manifests::Manifests::default();
    late.add("a", widget("v1").as_bytes());
    let posture = late.audit(
        "test",
        &flux_security_operator::kinds::own::PolicyRow {
            spec: spec.clone(),
            ..row
        },
    );
    assert_eq!(
        support::control(&posture.posture, "ACME-002").result,
        ControlResult::Unknown
    );
}

/// The page of custom controls, with what follows each: what it says of the objects below it.
#[test]
fn the_examples_of_the_page_are_judged_as_it_says() {
    let page = std::fs::read_to_string("docs/custom-controls.md").unwrap();
    let mut asked = None;
    let (mut controls, mut objects) = (0, 0);
    for block in page.split("\n```yaml ").skip(1) {
        let (info, rest) = block.split_once('\n').unwrap();
        let yaml = rest.split("\n```").next().unwrap();
        if info == "control" {
            let control: Value = serde_saphyr::from_str(yaml).unwrap();
            asked = Some(control);
            controls += 1;
            continue;
        }
        let control = asked.as_ref().expect("a control comes before its objects");
        let expected = match info {
            "fail" => ControlResult::Fail,
            "pass" => ControlResult::Pass,
            "unknown" => ControlResult::Unknown,
            "notapplicable" => ControlResult::NotApplicable,
            other => panic!("{other} is no result"),
        };
        let posture = manifests::audit([yaml], &spec_of(std::slice::from_ref(control)));
        assert_eq!(posture.invalid, None);
        let judged = support::control(&posture, control["id"].as_str().unwrap());
        assert_eq!(
            judged.result, expected,
            "{}: {}\n{yaml}",
            judged.control.id, judged.message
        );
        objects += 1;
    }
    assert!(
        controls >= 3 && objects >= 6,
        "{controls} controls, {objects} objects"
    );
}

/// What the page lists as offered is, and its first policy is one.
#[test]
fn the_page_speaks_of_what_there_is() {
    let page = std::fs::read_to_string("docs/custom-controls.md").unwrap();
    let policy = page
        .split("```yaml\n")
        .nth(1)
        .unwrap()
        .split("\n```")
        .next()
        .unwrap();
    let policy: Value = serde_saphyr::from_str(policy).unwrap();
    let spec: FluxSecurityPolicySpec = serde_json::from_value(policy["spec"].clone()).unwrap();
    assert_eq!(manifests::audit(["{}"], &spec).invalid, None);
    let offered = page
        .split("| Texts | ")
        .nth(1)
        .unwrap()
        .split(" |")
        .next()
        .unwrap();
    for name in offered.split(", ").map(|name| name.trim_matches('`')) {
        let call = match name {
            "join" => "['a'].join() == 'a'".to_owned(),
            "size" | "lowerAscii" | "upperAscii" | "trim" => format!("dyn('a').{name}() == dyn('a')"),
            "charAt" | "substring" => format!("dyn('a').{name}(0) == dyn('a')"),
            "replace" => "'a'.replace('a', 'b') == 'b'".to_owned(),
            _ => format!("dyn(dyn('a').{name}('a')) == dyn(1)"),
        };
        assert!(
            Expression::compile(&call).is_ok(),
            "{call}: {:?}",
            Expression::compile(&call)
        );
    }
}

/// Whatever the page offers is in the table that a real API server is asked about.
#[test]
fn the_table_covers_what_the_page_offers() {
    let page = std::fs::read_to_string("docs/custom-controls.md").unwrap();
    let language = page.split("## The language").nth(1).unwrap();
    let mut names = 0;
    for row in ["Macros", "Conversions", "Texts"] {
        let offered = language.split(&format!("| {row} | ")).nth(1).unwrap();
        let offered = offered.split(" |").next().unwrap();
        for name in offered.split(", ").map(|name| name.trim_matches('`')) {
            let call = format!("{name}(");
            let asked = |table: &[&str]| table.iter().any(|it| it.contains(&call));
            assert!(asked(TRUE), "{name} is in no expression that is true");
            names += 1;
        }
    }
    assert!(names >= 28, "{names}");
    for operator in [
        " + ", " - ", " * ", " / ", " % ", " == ", " != ", " < ", " <= ", " > ", " >= ", " in ", " && ",
        " || ", " ? ", "!", "[", "{",
    ] {
        assert!(TRUE.iter().any(|it| it.contains(operator)), "{operator}");
    }
}

/// What `fluxsec` says, and its exit code.
fn fluxsec(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_fluxsec"))
        .args(arguments)
        .env_remove("KUBECONFIG")
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_command_line_knows_the_custom_controls_of_a_policy() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, value: &Value| {
        let path = folder.path().join(name);
        std::fs::write(&path, value.to_string()).unwrap();
        path.display().to_string()
    };
    let policy = |expression: &str| {
        json!({
            "apiVersion": "fluxsecurity.dev/v1alpha1", "kind": "FluxSecurityPolicy", "metadata": {"name": "mine"},
            "spec": {"customControls": [control("ACME-001", expression)]},
        })
    };
    let policy_file = file("policy.yaml", &policy("has(object.data)"));
    let mut map = config_map("team", "bad", &Value::Null);
    map.as_object_mut().unwrap().remove("data");
    let map = file("map.json", &map);

    let (code, listed, _) = fluxsec(&["controls", "--policy", &policy_file]);
    assert_eq!(code, Some(0));
    assert!(listed.lines().last().unwrap().starts_with("ACME-001"), "{listed}");
    let (_, explained, _) = fluxsec(&["controls", "acme-001", "--policy", &policy_file]);
    assert!(
        explained.contains("no automatic repair") && explained.contains("has(object.data)"),
        "{explained}"
    );
    let (code, _, said) = fluxsec(&["controls", "acme-001"]);
    assert!(code == Some(2) && said.contains("there is no control"), "{said}");

    let audit = |format: &str| fluxsec(&["audit", "-f", &map, "--policy", &policy_file, "-o", format]);
    for format in support::FORMATS {
        let (code, printed, said) = audit(format);
        assert_eq!(code, Some(1), "{format}: {said}");
        assert!(
            printed.contains("ACME-001") && printed.contains("the map is wrong"),
            "{format}: {printed}"
        );
    }
    let sarif: Value = serde_json::from_str(&audit("sarif").1).unwrap();
    let rules = sarif["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap();
    assert!(rules.iter().any(|rule| rule["id"] == "ACME-001"));
    let (_, remedy, said) = fluxsec(&["remediate", "acme-001", "-f", &map, "--policy", &policy_file]);
    assert!(remedy.contains("no automatic repair"), "{remedy}{said}");
    let waive = [
        "waive",
        "ACME-001",
        "--resource",
        "ConfigMap/team/bad",
        "--reason",
        "it goes away next week",
        "--owner",
        "us",
        "--expires",
        "2099-01-01",
    ];
    let (_, _, said) = fluxsec(&waive);
    assert!(!said.contains("there is no control"), "{said}");

    let bad = file("bad.yaml", &policy("has(object.data"));
    let (code, _, said) = fluxsec(&["audit", "-f", &map, "--policy", &bad]);
    assert_eq!(code, Some(2));
    assert!(
        said.contains("spec.customControls[0].expression of ACME-001, 1:"),
        "{said}"
    );
}

/// A hostile author of a policy, or one who pastes: nothing of it is obeyed, and nothing bursts.
#[test]
fn what_a_policy_says_is_bounded_and_harmless() {
    let mut loud = control(
        "ACME-001",
        &format!("object.metadata.name == '{}'", "x".repeat(4000)),
    );
    loud["message"] = json!(format!("\u{1b}[31m{}", "y".repeat(1000)));
    let posture = manifests::audit(
        [config_map("a", "b", &Value::Null).to_string()],
        &spec_of(&[loud]),
    );
    let finding = &posture
        .findings
        .iter()
        .find(|it| it.finding.control == "ACME-001")
        .unwrap()
        .finding;
    assert!(
        finding.message.len() <= 1024 && finding.expected.len() <= 256,
        "{finding:?}"
    );
    assert!(!finding.message.contains('\u{1b}'), "{}", finding.message);
}
