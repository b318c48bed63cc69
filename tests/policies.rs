//! Several policies on one inventory, and what their reports remember: who changed what, and by which waiver.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use flux_security_operator::api::report::Change;
use flux_security_operator::api::{ControlResult, ReportStatus};
use flux_security_operator::engine::{Engine, PolicyPosture};
use flux_security_operator::inventory::{Coverage, Delta};
use flux_security_operator::kinds::KindId;
use flux_security_operator::render::report;
use k8s_openapi::jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};
use support::{controllers, deployment, pod, remove, upsert, written};

/// An engine that sees everything, and no policy yet.
fn seeing() -> Engine {
    let mut engine = Engine::default();
    engine.ingest(KindId::all().map(|kind| Delta::Coverage(kind, Coverage::Synced)));
    engine
}

fn policy(name: &str, spec: &Value) -> Value {
    json!({"kind": "FluxSecurityPolicy", "metadata": {"name": name, "uid": name, "generation": 1}, "spec": spec})
}

fn of(engine: &Engine, policy: &str) -> Option<Arc<PolicyPosture>> {
    engine.posture().policies.get(policy).cloned()
}

fn second(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// Policies that differ in what they audit, how strictly, and whom they take for tenants.
fn specs() -> [Value; 4] {
    [
        json!({}),
        json!({
            "tenancy": "Shared", "fluxNamespaces": ["flux-system"],
            "controls": [{"id": "FSX-CFG-003", "parameters": {"level": "trace"}}],
        }),
        json!({
            "tenancy": "Shared", "fluxNamespaces": ["flux-tenant"], "platform": {"namespaces": ["platform-*"]},
            "controls": [
                {"id": "FSP-KUST-001", "severity": "Low"},
                {"id": "FSP-MT-002", "enabled": false},
            ],
        }),
        json!({"tenancy": "Dedicated", "tenants": {"label": "team"}, "failOn": "Low"}),
    ]
}

fn flux(namespace: &str, argument: &str) -> Value {
    let mut it = deployment("kustomize-controller", "1.9.4", &[argument]);
    it["metadata"]["namespace"] = json!(namespace);
    it
}

fn object() -> impl Strategy<Value = Value> {
    let namespace = prop_oneof![Just("flux-system"), Just("flux-tenant"), Just("platform-a")];
    let argument = prop_oneof![
        Just("--no-remote-bases=true"),
        Just("--insecure-kubeconfig-exec"),
        Just("--no-cross-namespace-refs"),
        Just("--log-level=debug"),
    ];
    (0..4_u8, namespace, argument, any::<bool>()).prop_map(|(number, namespace, argument, flag)| match number {
        0 | 1 => flux(namespace, argument),
        2 => json!({
            "kind": "Namespace",
            "metadata": {"name": namespace, "labels": {"team": if flag { "a" } else { "b" }}},
        }),
        _ => json!({
            "kind": "Kustomization", "metadata": {"name": "apps", "namespace": namespace},
            "spec": {"serviceAccountName": if flag { "deployer" } else { "" }, "sourceRef": {"name": "a", "namespace": "other"}},
        }),
    })
}

#[derive(Clone, Debug)]
enum Edit {
    Put(Value),
    Delete(Value),
    /// A policy comes, or becomes another one.
    Policy(usize, usize),
    NoPolicy(usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        6 => object().prop_map(Edit::Put),
        2 => object().prop_map(Edit::Delete),
        2 => (0..3_usize, 0..4_usize).prop_map(|(name, spec)| Edit::Policy(name, spec)),
        1 => (0..3_usize).prop_map(Edit::NoPolicy),
    ]
}

const NAMES: [&str; 3] = ["a", "b", "c"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// What a policy gets beside others is what it would get alone and from scratch, whatever came in between.
    #[test]
    fn each_policy_gets_what_it_would_get_alone(edits in proptest::collection::vec(edit(), 1..30)) {
        let mut together = seeing();
        let mut specs_of = [None; 3];
        let specs = specs();
        for edit in &edits {
            let delta = match edit {
                Edit::Put(object) => upsert(object),
                Edit::Delete(object) => remove(object),
                Edit::Policy(name, spec) => {
                    specs_of[*name] = Some(*spec);
                    upsert(&policy(NAMES[*name], &specs[*spec]))
                }
                Edit::NoPolicy(name) => {
                    specs_of[*name] = None;
                    remove(&policy(NAMES[*name], &json!({})))
                }
            };
            together.ingest([delta]);
        }
        let facts = || edits.iter().filter_map(|edit| match edit {
            Edit::Put(object) => Some(upsert(object)),
            Edit::Delete(object) => Some(remove(object)),
            Edit::Policy(..) | Edit::NoPolicy(_) => None,
        });
        for (name, spec) in NAMES.into_iter().zip(specs_of) {
            let Some(spec) = spec else {
                prop_assert!(of(&together, name).is_none());
                continue;
            };
            let mut alone = seeing();
            alone.ingest(facts().chain([upsert(&policy(name, &specs[spec]))]));
            let (alone, beside) = (of(&alone, name).unwrap(), of(&together, name).unwrap());
            prop_assert_eq!(&alone, &beside);
            let reports = [&alone, &beside].map(|it| report::report(it, None, second(1)));
            prop_assert_eq!(&reports[0], &reports[1]);
        }
    }
}

/// Reports name the tenants of namespaces, and follow when one is given to another.
#[test]
fn reports_name_the_tenants_of_namespaces() {
    let mut engine = seeing();
    let namespace = |name: &str, labels: &Value| {
        upsert(&json!({"kind": "Namespace", "metadata": {"name": name, "labels": labels}}))
    };
    let careless = |name: &str| {
        upsert(&json!({
            "kind": "HelmRepository", "metadata": {"name": "charts", "namespace": name},
            "spec": {"url": "http://charts.example.com", "passCredentials": true},
        }))
    };
    engine.ingest([
        upsert(&policy("a", &json!({"tenancy": "Shared"}))),
        upsert(&policy(
            "b",
            &json!({"tenancy": "Shared", "tenants": {"label": "team"}}),
        )),
        namespace(
            "shop-1",
            &json!({"toolkit.fluxcd.io/tenant": "shop", "team": "blue"}),
        ),
        namespace("alone", &json!({})),
        namespace("kube-system", &json!({})),
    ]);
    engine.ingest(["shop-1", "alone", "kube-system"].map(careless));
    let told = |engine: &Engine, policy: &str, name: &str| {
        let posture = of(engine, policy).unwrap();
        let report = report::report(&posture, None, second(1));
        let total = report.namespaces.iter().find(|it| it.name == name).unwrap();
        let reports = report::namespace_reports(&posture, &BTreeMap::new(), second(1));
        assert_eq!(reports[name].tenant, total.tenant);
        total.tenant.clone()
    };
    assert_eq!(told(&engine, "a", "shop-1"), "shop");
    assert_eq!(told(&engine, "b", "shop-1"), "blue");
    assert_eq!(told(&engine, "a", "alone"), "alone", "a tenant of its own");
    assert_eq!(told(&engine, "a", "kube-system"), "", "the platform is no tenant");
    engine.ingest([namespace("shop-1", &json!({"toolkit.fluxcd.io/tenant": "books"}))]);
    assert_eq!(told(&engine, "a", "shop-1"), "books");
    assert_eq!(told(&engine, "b", "shop-1"), "shop-1");
    engine.ingest([Delta::Coverage(
        flux_security_operator::kinds::id_of::<flux_security_operator::kinds::namespace::Namespace>(),
        Coverage::Forbidden,
    )]);
    assert_eq!(told(&engine, "a", "shop-1"), "", "nobody knows");
}

/// How many verdicts policies cost, at first and with one change.
fn costs(specs: &[Value]) -> (u64, u64) {
    let mut engine = seeing();
    engine.ingest(controllers().map(|object| upsert(&object)));
    let policies = specs.iter().enumerate();
    engine.ingest(policies.map(|(position, spec)| upsert(&policy(&format!("p{position}"), spec))));
    let at_first = engine.evaluations();
    engine.ingest([upsert(&flux("flux-system", "--insecure-kubeconfig-exec"))]);
    (at_first, engine.evaluations() - at_first)
}

/// Severities, scope and tenancy are no reason to judge twice; a parameter is one for its control alone.
#[test]
fn verdicts_are_shared() {
    let shared = json!({"tenancy": "Shared"});
    let one = costs(std::slice::from_ref(&shared));
    let stricter = json!({
        "tenancy": "Shared", "fluxNamespaces": ["flux-tenant"], "failOn": "Low",
        "controls": [{"id": "FSP-KUST-001", "severity": "Low"}],
    });
    assert_eq!(costs(&[shared.clone(), stricter.clone()]), one);
    let (at_first, change) = costs(&[shared.clone(), json!({"tenancy": "None"})]);
    // But for the one control of controllers that asks whose a namespace is.
    assert!(
        at_first - one.0 <= 2 && change - one.1 <= 1,
        "{at_first} {change}"
    );
    let of_its_own =
        json!({"tenancy": "Shared", "controls": [{"id": "FSX-CFG-003", "parameters": {"level": "trace"}}]});
    let more = costs(&[shared, stricter, of_its_own]);
    assert_eq!(more.1, one.1 + 1, "one control, one controller");
}

/// A policy that comes or goes costs the others nothing, and they keep their postures.
#[test]
fn a_policy_comes_and_goes_beside_others() {
    let mut engine = seeing();
    engine.ingest(controllers().map(|object| upsert(&object)));
    engine.ingest([upsert(&policy("a", &json!({"tenancy": "Shared"})))]);
    let (before, evaluations) = (of(&engine, "a").unwrap(), engine.evaluations());
    let other = policy("b", &json!({"tenancy": "Shared", "failOn": "Low"}));
    engine.ingest([upsert(&other)]);
    assert_eq!(engine.evaluations(), evaluations, "all is judged already");
    engine.ingest([remove(&other)]);
    assert!(Arc::ptr_eq(&of(&engine, "a").unwrap(), &before));
    assert!(of(&engine, "b").is_none());
}

/// A report that follows the engine, as the publisher does.
struct Followed {
    engine: Engine,
    report: ReportStatus,
    second: i64,
}

const CONTROL: &str = "FSP-KUST-001";

impl Followed {
    fn new() -> Self {
        let mut engine = seeing();
        engine.ingest([upsert(&policy("a", &json!({"tenancy": "Shared"})))]);
        engine.advance(second(0));
        Self {
            engine,
            report: ReportStatus::default(),
            second: 0,
        }
    }

    fn takes(&mut self, deltas: impl IntoIterator<Item = Delta>) -> &mut Self {
        self.engine.ingest(deltas);
        self
    }

    /// Publishes, and tells what the control's history got.
    fn publishes(&mut self) -> Vec<Change> {
        self.second += 1;
        let posture = of(&self.engine, "a").unwrap();
        let next = report::report(&posture, Some(&self.report), second(self.second));
        let news = next
            .history
            .iter()
            .filter(|change| change.time.0 == second(self.second));
        let news = news.filter(|change| change.control == CONTROL).cloned().collect();
        self.report = next;
        news
    }

    fn tells(&mut self, to: ControlResult, by: &str) {
        let news = self.publishes();
        assert_eq!(news.len(), 1, "{news:?}");
        assert_eq!((news[0].to, news[0].by().as_str()), (to, by));
        let resource = news[0].resource.as_ref().unwrap();
        assert_eq!(resource.name, "kustomize-controller");
    }
}

const BAD: &str = "--insecure-kubeconfig-exec";
const GOOD: &str = "--insecure-kubeconfig-exec=false";

/// A controller's Deployment, last written by a manager.
fn by(manager: &str, argument: &str, second: u8) -> Value {
    let mut it = flux("flux-system", argument);
    let entry = |manager: &str, second: u8| json!({"manager": manager, "time": format!("2026-01-01T00:00:{second:02}Z")});
    it["metadata"]["managedFields"] = json!([entry("kustomize-controller", 1), entry(manager, second)]);
    it["metadata"]["labels"]["kustomize.toolkit.fluxcd.io/name"] = json!("flux");
    it["metadata"]["labels"]["kustomize.toolkit.fluxcd.io/namespace"] = json!("flux-system");
    it
}

#[test]
fn a_drift_and_its_repair_name_who_made_them() {
    use ControlResult::{Fail, Pass};
    let mut it = Followed::new();
    it.takes([upsert(&by("flux", GOOD, 2))]).publishes();
    it.takes([written(&by("kubectl-edit", BAD, 3))]);
    it.tells(Fail, "kubectl-edit");
    it.takes([written(&by("kustomize-controller", GOOD, 4))]);
    it.tells(Pass, "kustomize-controller for Kustomization flux-system/flux");
}

/// Another manager of the same fields has changed nothing; an annotation that nobody reads is no drift either.
#[test]
fn a_change_of_managers_alone_is_no_change() {
    let mut it = Followed::new();
    it.takes([upsert(&by("flux", GOOD, 2)), upsert(&by("kubectl-edit", BAD, 3))]);
    let evaluations = it.engine.evaluations();
    assert!(!it.engine.ingest([written(&by("kubectl-annotate", BAD, 9))]));
    assert_eq!(it.engine.evaluations(), evaluations);
}

/// What the last change of an object was is no proof that a finding came with it.
#[test]
fn nobody_is_named_who_may_not_have_been_it() {
    use ControlResult::{Fail, Pass};
    let mut it = Followed::new();
    it.takes([upsert(&by("flux", GOOD, 2))]).publishes();
    // Two changes at once.
    it.takes([written(&by("a", "--x", 3)), written(&by("b", BAD, 4))]);
    it.tells(Fail, "");
    // It is gone, and managedFields with it.
    it.takes([remove(&by("b", BAD, 4)), upsert(&flux("flux-other", GOOD))]);
    it.tells(Pass, "");
    // Seen in a list, after several have written it.
    it.takes([upsert(&by("kubectl-edit", BAD, 5))]);
    it.tells(Fail, "");
}

/// The Deployment is repaired first, and its pod is replaced a moment later.
#[test]
fn a_repair_that_pods_follow_is_that_of_the_deployment() {
    use ControlResult::{Fail, Pass};
    let old = pod("kustomize-controller", "1.9.4", &[BAD], true);
    let mut it = Followed::new();
    it.takes([upsert(&by("flux", GOOD, 2))]).publishes();
    it.takes([written(&by("kubectl-edit", BAD, 3))]);
    it.takes([upsert(&old)]);
    it.tells(Fail, "kubectl-edit");
    it.takes([written(&by("kubectl-patch", GOOD, 4))]);
    assert_eq!(it.publishes(), [], "the pod runs as it did");
    it.takes([remove(&old)]);
    it.tells(Pass, "kubectl-patch");
}

/// Between the change and the report there may be any number of others, and the safety net.
#[test]
fn what_happens_before_the_report_is_written_hides_nobody() {
    let mut it = Followed::new();
    it.takes([upsert(&by("flux", GOOD, 2))]).publishes();
    it.takes([written(&by("kubectl-edit", BAD, 3))]);
    it.takes([upsert(
        &json!({"kind": "Namespace", "metadata": {"name": "flux-system"}}),
    )]);
    it.engine.evaluate_all();
    it.tells(ControlResult::Fail, "kubectl-edit");
}

#[test]
fn a_waiver_that_takes_effect_and_ends_is_in_the_history() {
    use ControlResult::{Fail, Waived};
    let mut it = Followed::new();
    it.takes([upsert(&by("flux", GOOD, 2))]).publishes();
    it.takes([written(&by("kubectl-edit", BAD, 3))]);
    it.tells(Fail, "kubectl-edit");
    let waiver = json!({
        "kind": "FluxSecurityWaiver",
        "metadata": {"name": "w", "uid": "w", "creationTimestamp": "1970-01-01T00:00:00Z"},
        "spec": {
            "control": CONTROL, "resources": [{"namespace": "flux-system"}],
            "reason": "accepted for a minute", "owner": "us", "expires": "1970-01-01T00:01:00Z",
        },
    });
    it.takes([upsert(&waiver)]);
    it.tells(Waived, "waiver w");
    it.engine.advance(second(60));
    it.tells(Fail, "waiver w");
}

/// The report that is there is all that a new process knows.
#[test]
fn a_restart_keeps_the_history_and_adds_nothing() {
    let mut before = Followed::new();
    before.takes([upsert(&by("flux", GOOD, 2))]).publishes();
    before.takes([written(&by("kubectl-edit", BAD, 3))]).publishes();
    let wire = serde_json::to_string(&before.report).unwrap();
    let mut after = Followed::new();
    after.report = serde_json::from_str(&wire).unwrap();
    after.second = 100;
    after.takes([upsert(&by("kubectl-edit", BAD, 3))]);
    assert_eq!(after.publishes(), []);
    assert_eq!(after.report, before.report);
    assert_eq!(after.report.history.last(), before.report.history.last());
    // What happened in between is told, without a name.
    let mut later = Followed::new();
    later.report = before.report;
    later.second = 200;
    later.takes([upsert(&by("kustomize-controller", GOOD, 4))]);
    later.tells(ControlResult::Pass, "");
}
