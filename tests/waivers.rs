//! Waivers: what they cover, what is left, and when they end.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use flux_security_operator::api::report::Finding;
use flux_security_operator::api::{ControlResult, FluxSecurityWaiverSpec, Tenancy, WaiverState};
use flux_security_operator::engine::{Doubt, Engine, PolicyPosture, WaiverPosture};
use flux_security_operator::inventory::{Coverage, Delta};
use flux_security_operator::render::report::{summary, uncut};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};
use support::waivers::{CREATED, admitted, any_waiver, refused, waiver};
use support::{control, deployment, engine, kind, pod, posture, remove, upsert};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A controller that runs programs for whoever asks, its pod, and a tenant that applies with no account.
fn objects() -> Vec<Value> {
    let bad = ["--insecure-kubeconfig-exec=true"];
    let tenant = |name: &str| json!({"kind": "Kustomization", "metadata": {"name": name, "namespace": "tenant"}, "spec": {}});
    vec![
        deployment("kustomize-controller", "1.9.4", &bad),
        pod("kustomize-controller", "1.9.4", &bad, true),
        deployment("helm-controller", "1.6.3", &bad),
        json!({"kind": "Namespace", "metadata": {"name": "tenant"}}),
        tenant("k1"),
        tenant("k2"),
    ]
}

fn audited(waivers: &[Value], now: &str) -> Engine {
    let mut engine = engine(Tenancy::Shared);
    engine.advance(at(now));
    engine.ingest(objects().iter().map(upsert));
    engine.ingest(waivers.iter().map(upsert));
    engine
}

fn told(engine: &Engine, name: &str) -> WaiverPosture {
    (**engine.posture().waivers.get(name).unwrap()).clone()
}

fn of_kustomize(name: &str, expires: &str) -> Value {
    let resources =
        json!([{"kind": "Deployment", "namespace": "flux-system", "name": "kustomize-controller"}]);
    waiver(name, "FSP-KUST-001", &resources, expires)
}

#[test]
fn a_control_whose_findings_are_all_covered_is_waived_and_passes_nothing() {
    let without = posture(&audited(&[], CREATED));
    let with = posture(&audited(&[of_kustomize("w", "2026-03-01T00:00:00Z")], CREATED));
    assert_eq!(control(&without, "FSP-KUST-001").result, ControlResult::Fail);
    let waived = control(&with, "FSP-KUST-001");
    assert_eq!(
        (waived.result, waived.findings, waived.waived),
        (ControlResult::Waived, 0, 1)
    );
    assert_eq!(control(&with, "FSP-HELM-001").result, ControlResult::Fail);
    let (before, after) = (summary(&without), summary(&with));
    assert_eq!((after.waived, after.fail), (1, before.fail - 1));
    assert_eq!((after.pass, after.coverage), (before.pass, before.coverage));
    assert_eq!(after.findings, before.findings - 1);
    let report = uncut(&with, at(CREATED));
    let finding = report.findings.iter().find(|it| it.control == "FSP-KUST-001");
    assert_eq!(finding.unwrap().waiver, "w");
    assert_eq!(report.findings.len(), without.findings.len());
}

#[test]
fn what_is_left_of_a_control_decides_about_it() {
    let one = waiver("w", "FSP-MT-*", &json!([{"name": "k1"}]), "2026-03-01T00:00:00Z");
    let without = posture(&audited(&[], CREATED));
    let with = posture(&audited(&[one], CREATED));
    let failing = |posture: &PolicyPosture| {
        let all = posture.findings.iter().map(|it| it.finding.clone());
        let found: Vec<Finding> = all.filter(|it| it.resource.name == "k1").collect();
        found
    };
    assert!(!failing(&without).is_empty());
    for finding in failing(&with) {
        assert_eq!(finding.is_waived(), finding.control.starts_with("FSP-MT-"));
    }
    // A control that fails on both.
    let names = |id: &str| {
        let of_control = without
            .findings
            .iter()
            .map(|it| &it.finding)
            .filter(|it| it.control == id);
        of_control
            .map(|it| it.resource.name.clone())
            .collect::<BTreeSet<_>>()
    };
    let ids = without
        .controls
        .iter()
        .map(|it| it.control.id)
        .filter(|id| id.starts_with("FSP-MT-"));
    let on_both = |id: &&str| ["k1", "k2"].iter().all(|name| names(id).contains(*name));
    let id = ids.clone().find(on_both).expect("a control that fails on both");
    let left = control(&with, id);
    assert_eq!(
        (left.result, left.waived > 0),
        (ControlResult::Fail, true),
        "{left:?}"
    );
    assert!(!left.message.contains("k1"), "{}", left.message);
}

#[test]
fn it_warns_and_ends_at_the_instant_and_begins_again_when_the_clock_is_set_back() {
    use WaiverState::{Active, Expired, ExpiringSoon};
    let end = at("2026-03-01T00:00:00Z");
    let mut engine = audited(&[of_kustomize("w", "2026-03-01T00:00:00Z")], CREATED);
    let days = |days: i64| SignedDuration::from_hours(24 * days);
    let second = SignedDuration::from_secs(1);
    let steps = [
        (end - days(14) - second, Active, None),
        (end - days(14), ExpiringSoon, Some(14)),
        (end - days(7) - second, ExpiringSoon, Some(14)),
        (end - days(7), ExpiringSoon, Some(7)),
        (end - days(1), ExpiringSoon, Some(1)),
        (end - second, ExpiringSoon, Some(1)),
        (end, Expired, Some(0)),
        (end + days(1000), Expired, Some(0)),
        // Clocks are set right in both directions.
        (end - second, ExpiringSoon, Some(1)),
        (end - days(30), Active, None),
        (end + days(1), Expired, Some(0)),
    ];
    for (now, state, days_left) in steps {
        engine.advance(now);
        let told = told(&engine, "w");
        assert_eq!((told.state, told.days_left), (state, days_left), "{now}");
        assert_eq!(told.matched, 1, "an expired waiver stays visible");
        let result = control(&posture(&engine), "FSP-KUST-001").result;
        let expected = if now < end {
            ControlResult::Waived
        } else {
            ControlResult::Fail
        };
        assert_eq!(result, expected, "{now}");
    }
    assert_eq!(engine.next_deadline(), None);
    engine.advance(end - days(10));
    assert_eq!(engine.next_deadline(), Some(end - days(7)));
    assert!(!engine.advance(end - days(9)), "nothing happens in between");
}

#[test]
fn without_a_clock_nothing_is_covered() {
    let mut engine = engine(Tenancy::Shared);
    engine.ingest(objects().iter().map(upsert));
    engine.ingest([upsert(&of_kustomize("w", "2026-03-01T00:00:00Z"))]);
    assert_eq!(
        control(&posture(&engine), "FSP-KUST-001").result,
        ControlResult::Fail
    );
    assert!(engine.advance(at(CREATED)));
    assert_eq!(
        control(&posture(&engine), "FSP-KUST-001").result,
        ControlResult::Waived
    );
}

#[test]
fn of_two_waivers_the_one_that_ends_last_is_named() {
    let mut engine = audited(
        &[
            of_kustomize("a", "2026-02-01T00:00:00Z"),
            of_kustomize("b", "2026-03-01T00:00:00Z"),
        ],
        CREATED,
    );
    let named = |engine: &Engine| {
        let posture = posture(engine);
        let mut findings = posture.findings.iter().map(|it| it.finding.clone());
        findings.find(|it| it.control == "FSP-KUST-001").unwrap().waiver
    };
    assert_eq!(named(&engine), "b");
    assert_eq!((told(&engine, "a").matched, told(&engine, "b").matched), (1, 1));
    engine.ingest([remove(&of_kustomize("b", ""))]);
    assert_eq!(named(&engine), "a");
    engine.advance(at("2026-02-01T00:00:00Z"));
    assert_eq!(named(&engine), "");
}

#[test]
fn a_waiver_for_nothing_says_so() {
    let nobody = json!([{"kind": "Deployment", "name": "nobody"}]);
    let waivers = [
        waiver("nothing", "FSP-KUST-001", &nobody, "2026-03-01T00:00:00Z"),
        waiver("none", "FSP-XYZ-001", &nobody, "2026-03-01T00:00:00Z"),
        waiver("expired", "FSP-KUST-001", &nobody, "2026-01-01T00:00:00Z"),
        waiver("long", "FSP-KUST-001", &nobody, "2027-01-01T00:00:01Z"),
        of_kustomize("longer", "2028-01-01T00:00:00Z"),
    ];
    let engine = audited(&waivers, CREATED);
    let state = |name: &str| {
        let told = told(&engine, name);
        (told.state, told.doubt)
    };
    assert_eq!(state("nothing"), (WaiverState::Unmatched, None));
    assert_eq!(state("none"), (WaiverState::Unmatched, Some(Doubt::NoControl)));
    assert_eq!(state("expired"), (WaiverState::Expired, None));
    for name in ["long", "longer"] {
        let (state, doubt) = state(name);
        assert_eq!(state, WaiverState::Unmatched);
        let doubt = format!("{doubt:?}");
        assert!(
            doubt.contains("spec.expires: this is more than 365 days"),
            "{doubt}"
        );
    }
    assert_eq!(
        control(&posture(&engine), "FSP-KUST-001").result,
        ControlResult::Fail
    );
}

#[test]
fn what_cannot_be_judged_leaves_no_waiver_unmatched() {
    let waiver = waiver(
        "w",
        "FSP-MT-010",
        &json!([{"namespace": "tenant"}]),
        "2026-03-01T00:00:00Z",
    );
    let mut engine = audited(&[waiver], CREATED);
    assert_eq!(told(&engine, "w").state, WaiverState::Active);
    engine.ingest([Delta::Coverage(kind("Kustomization"), Coverage::Forbidden)]);
    let blind = told(&engine, "w");
    assert_eq!(
        (blind.state, blind.doubt),
        (WaiverState::Active, Some(Doubt::Unjudged))
    );
}

#[test]
fn a_waiver_for_other_policies_covers_nothing() {
    let mut waiver = of_kustomize("w", "2026-03-01T00:00:00Z");
    waiver["spec"]["policies"] = json!(["other"]);
    let engine = audited(&[waiver], CREATED);
    assert_eq!(told(&engine, "w").state, WaiverState::Unmatched);
}

#[test]
fn a_namespace_is_in_itself() {
    let waiver = waiver(
        "w",
        "FSP-*",
        &json!([{"namespace": "tenant"}]),
        "2026-03-01T00:00:00Z",
    );
    let with = posture(&audited(&[waiver], CREATED));
    let findings = with.findings.iter().map(|it| &it.finding);
    let of_namespace: Vec<_> = findings
        .filter(|it| it.resource.kind == "Namespace" && it.resource.name == "tenant")
        .collect();
    assert!(!of_namespace.is_empty());
    for finding in of_namespace {
        assert_eq!(
            finding.is_waived(),
            finding.control.starts_with("FSP-"),
            "{finding:?}"
        );
    }
}

#[test]
fn a_waiver_costs_no_verdict() {
    let mut engine = audited(&[], CREATED);
    let before = engine.evaluations();
    let mut waiver = of_kustomize("w", "2026-03-01T00:00:00Z");
    assert!(engine.ingest([upsert(&waiver)]));
    waiver["spec"]["expires"] = json!("2026-04-01T00:00:00Z");
    engine.ingest([upsert(&waiver)]);
    engine.advance(at("2026-04-01T00:00:00Z"));
    engine.ingest([remove(&waiver)]);
    assert_eq!(engine.evaluations(), before);
}

#[test]
fn a_posture_without_waivers_is_made_once() {
    let mut engine = audited(&[], CREATED);
    let before = engine.posture().policies["test"].clone();
    engine.ingest([upsert(
        &json!({"kind": "Namespace", "metadata": {"name": "tenant"}}),
    )]);
    engine.advance(at("2026-04-01T00:00:00Z"));
    assert!(Arc::ptr_eq(&before, &engine.posture().policies["test"]));
}

/// The same table is put before an API server by `tests/waivers_live.rs`.
#[test]
fn what_the_api_server_refuses_is_refused_here() {
    let good = waiver(
        "w",
        "FSP-KUST-001",
        &json!([{"namespace": "flux-system"}]),
        "2026-03-01T00:00:00Z",
    );
    let spec = |change: &Value| -> FluxSecurityWaiverSpec {
        let mut spec = good["spec"].clone();
        for (field, value) in change.as_object().unwrap() {
            spec[field] = value.clone();
        }
        serde_json::from_value(spec).unwrap()
    };
    for (change, field) in refused() {
        let refusal = spec(&change).check(at(CREATED)).unwrap_err().to_string();
        assert!(refusal.starts_with(field), "{change}: {refusal}");
    }
    for change in admitted() {
        assert_eq!(spec(&change).check(at(CREATED)), Ok(()), "{change}");
    }
    let within = |expires: &str| spec(&json!({"expires": expires})).check(at(CREATED)).is_ok();
    assert!(within("2027-01-01T00:00:00Z") && !within("2027-01-01T00:00:01Z"));
}

/// Which waiver covers each finding, the long way.
fn expected(posture: &PolicyPosture, waivers: &[Value], now: Timestamp) -> BTreeMap<String, Vec<String>> {
    let mut covered: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for finding in posture.findings.iter().map(|it| &it.finding) {
        let mut candidates: Vec<(Timestamp, Reverse<&str>)> = Vec::new();
        for waiver in waivers {
            let spec: FluxSecurityWaiverSpec = serde_json::from_value(waiver["spec"].clone()).unwrap();
            let is_for = spec.check(at(CREATED)).is_ok()
                && spec.is_for_control(&finding.control)
                && spec.is_for_policy("test")
                && spec.resources.iter().any(|it| it.is_for(&finding.resource))
                && now < spec.expires.0;
            if is_for {
                let name = waiver["metadata"]["name"].as_str().unwrap();
                candidates.push((spec.expires.0, Reverse(name)));
            }
        }
        let named = candidates.into_iter().max().map_or("", |(_, Reverse(name))| name);
        let key = format!("{} {} {}", finding.control, finding.resource, finding.message);
        covered.entry(key).or_default().push(named.to_owned());
    }
    covered
}

fn shown(posture: &PolicyPosture) -> BTreeMap<String, Vec<String>> {
    let mut covered: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for finding in posture.findings.iter().map(|it| &it.finding) {
        let key = format!("{} {} {}", finding.control, finding.resource, finding.message);
        covered.entry(key).or_default().push(finding.waiver.clone());
    }
    covered
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn waived_and_failing_are_what_fails_without_waivers(
        waivers in proptest::collection::vec(any_waiver(), 1..6),
        month in 1..6_u8,
    ) {
        let now = format!("2026-0{month}-01T00:00:00Z");
        let mut last: BTreeMap<String, Value> = BTreeMap::new();
        for waiver in &waivers {
            last.insert(waiver["metadata"]["name"].to_string(), waiver.clone());
        }
        let last: Vec<Value> = last.into_values().collect();
        let without = posture(&audited(&[], &now));
        let with = posture(&audited(&waivers, &now));
        prop_assert_eq!(shown(&with), expected(&without, &last, at(&now)));
        for (before, after) in without.controls.iter().zip(&with.controls) {
            prop_assert_eq!(before.findings, after.findings + after.waived);
            let expected = match before.result {
                ControlResult::Fail if after.findings == 0 => ControlResult::Waived,
                result => result,
            };
            prop_assert_eq!(after.result, expected);
        }
        prop_assert_eq!(with.findings.len(), without.findings.len());

        // Neither their order nor that of what they cover matters.
        let mut engine = engine(Tenancy::Shared);
        engine.ingest(last.iter().rev().map(upsert));
        engine.ingest(objects().iter().rev().map(upsert));
        engine.advance(at(&now));
        prop_assert_eq!(&posture(&engine), &with);
        let other = audited(&last, &now);
        prop_assert_eq!(&*engine.posture().waivers, &*other.posture().waivers);
        for waiver in engine.posture().waivers.values() {
            let spec = &waiver.row.spec;
            let is_for = |finding: &&Finding| spec.check(at(CREATED)).is_ok() && spec.is_for_control(&finding.control)
                && spec.is_for_policy("test") && spec.resources.iter().any(|it| it.is_for(&finding.resource));
            let found = without.findings.iter().map(|it| &it.finding).filter(is_for).count();
            prop_assert_eq!(waiver.matched, found, "{}", waiver.name);
        }
    }
}

/// The engine of [`audited`] under a policy with these attestations.
fn attested(attestations: &Value) -> Engine {
    let mut engine = audited(&[], CREATED);
    let mut row = support::policy(Tenancy::Shared);
    row.spec.attestations = serde_json::from_value(attestations.clone()).unwrap();
    engine.pin("test", row);
    engine
}

#[test]
fn what_only_a_person_can_judge_passes_until_the_word_expires() {
    let without = posture(&attested(&json!([])));
    let mut manual = without.controls.iter();
    let manual = manual.find(|it| it.result == ControlResult::Manual).unwrap();
    let id = manual.control.id;
    let word = |control: &str, by: &str, expires: &str| json!({"control": control, "statement": "tried it with a pod", "by": by, "expires": expires});
    let mut engine = attested(&json!([
        word(id, "jane", "2026-02-01T00:00:00Z"),
        word(id, "joe", "2026-03-01T00:00:00Z"),
        word("FSP-KUST-001", "joe", "2026-03-01T00:00:00Z"),
    ]));
    let seen = |engine: &Engine| control(&posture(engine), id);
    let said = seen(&engine);
    assert_eq!(
        (said.result, said.reason.as_str()),
        (ControlResult::Pass, "Attested")
    );
    assert_eq!(
        said.message,
        "attested until 2026-03-01T00:00:00Z by joe: tried it with a pod"
    );
    assert_eq!(summary(&posture(&engine)).manual, summary(&without).manual - 1);
    assert_eq!(
        control(&posture(&engine), "FSP-KUST-001").result,
        ControlResult::Fail,
        "what is seen counts more than what is said"
    );
    assert_eq!(engine.next_deadline(), Some(at("2026-02-01T00:00:00Z")));
    engine.advance(at("2026-02-28T23:59:59Z"));
    assert_eq!(seen(&engine).result, ControlResult::Pass);
    assert!(engine.advance(at("2026-03-01T00:00:00Z")));
    assert_eq!(seen(&engine), *manual);
    assert_eq!(engine.next_deadline(), None);
}

#[test]
fn a_word_about_no_control_makes_the_policy_invalid() {
    let word = json!([{"control": "FSP-XYZ-001", "statement": "tried it with a pod", "by": "joe", "expires": CREATED}]);
    let invalid = posture(&attested(&word)).invalid.unwrap();
    assert!(
        invalid.starts_with("spec.attestations[0].control: there is no control"),
        "{invalid}"
    );
}
