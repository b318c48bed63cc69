//! Controls that judge objects, namespaces and the cluster: each fails, passes, does not know, and falls into no known trap.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../support/mod.rs"]
mod support;

mod access;
mod alerting;
mod beyond;
mod exposure;
mod files;
mod flux;
mod generators;
mod isolation;
mod leaks;
mod mtls;
mod network;
mod nodes;
mod operator;
mod places;
mod secrets;
mod shards;
mod sources;
mod tenants;
mod versions;

use flux_security_operator::api::ControlResult::{Fail, Manual, NotApplicable, Pass, Unknown};
use flux_security_operator::api::{ControlResult, Severity, Tenancy};
use flux_security_operator::controls::{CATALOGUE, Control, Judges, find};
use flux_security_operator::engine::Engine;
use flux_security_operator::inventory::{Coverage, Delta};
use serde_json::{Value, json};
use support::{
    audit, control, deployment, engine, policy, posture, reads_command_lines, undeclared_reads, upsert,
};

/// Control, what is shown (a trap by its control's id), objects, result.
type Case = (&'static str, &'static str, Vec<Value>, ControlResult);

#[expect(clippy::needless_pass_by_value, reason = "the calls read better")]
fn object(kind: &str, spec: Value) -> Value {
    json!({"kind": kind, "metadata": {"name": "app", "namespace": "tenant", "generation": 2}, "spec": spec})
}

fn with_status(kind: &str, spec: Value, conditions: &[(&str, &str, &str, &str, i64)]) -> Value {
    let condition = |(kind, status, reason, message, generation): &(&str, &str, &str, &str, i64)| json!({"type": kind, "status": status, "reason": reason, "message": message, "observedGeneration": generation});
    let conditions: Vec<Value> = conditions.iter().map(condition).collect();
    let mut object = object(kind, spec);
    object["status"] = json!({"conditions": conditions});
    object
}

fn applied(spec: Value, entries: &[&str]) -> Value {
    let entries: Vec<Value> = entries.iter().map(|id| json!({"id": id, "v": "v1"})).collect();
    let mut object = object("Kustomization", spec);
    object["status"] = json!({"inventory": {"entries": entries}});
    object
}

fn in_namespace(mut object: Value, namespace: &str) -> Value {
    object["metadata"]["namespace"] = json!(namespace);
    object
}

fn account(name: &str, namespace: &str) -> Value {
    json!({"kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}})
}

fn kustomize(args: &[&str]) -> Value {
    deployment("kustomize-controller", "1.9.4", args)
}

/// A controller whose default account comes from a Secret.
fn secret_default() -> Value {
    let mut controller = kustomize(&["--default-service-account=$(ACCOUNT)"]);
    let env = controller["spec"]["template"]["spec"]["containers"][0]["env"]
        .as_array_mut()
        .unwrap();
    env.push(json!({"name": "ACCOUNT", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}));
    controller
}

const READY: (&str, &str, &str, &str, i64) = ("Ready", "True", "Succeeded", "", 2);
const VERIFIED: (&str, &str, &str, &str, i64) = ("SourceVerified", "True", "Succeeded", "", 2);
const REFUSED: (&str, &str, &str, &str, i64) = ("SourceVerified", "False", "VerificationError", "", 2);

/// Every family has its file.
fn cases() -> Vec<Case> {
    let families = [
        access::cases,
        alerting::cases,
        beyond::cases,
        exposure::cases,
        flux::cases,
        generators::cases,
        places::cases,
        mtls::cases,
        leaks::cases,
        isolation::cases,
        network::cases,
        nodes::cases,
        operator::cases,
        secrets::cases,
        shards::cases,
        sources::cases,
        tenants::cases,
        versions::cases,
    ];
    families.iter().flat_map(|cases| cases()).collect()
}

/// The tenancy that calls for a control.
fn tenancy(id: &str) -> Tenancy {
    let severity = find(id).unwrap().severity;
    let calls = |tenancy: &Tenancy| severity.under(*tenancy).is_some();
    let mut all = [Tenancy::Shared, Tenancy::Dedicated, Tenancy::None].into_iter();
    all.find(calls).unwrap()
}

/// An engine with a policy that has what the control cannot do without.
fn tuned(id: &str) -> Engine {
    let mut engine = engine(tenancy(id));
    if let Some((_, tuning)) = TUNING.iter().find(|(tuned, _)| *tuned == id) {
        let mut row = policy(tenancy(id));
        let tuning = json!([{"id": id, "parameters": {"allowed": tuning}}]);
        row.spec.controls = serde_json::from_value(tuning).unwrap();
        engine.pin("test", row);
    }
    engine
}

/// Controls that judge nothing without a list of what is allowed.
const TUNING: [(&str, &str); 1] = [(
    "FSX-SRC-012",
    "github.com/my-org, ghcr.io/my-org https://s3.example.com/artifacts,charts.example.com",
)];

#[test]
fn every_case_has_its_result() {
    let mut wrong = Vec::new();
    for (id, shown, objects, expected) in cases() {
        let mut engine = tuned(id);
        engine.ingest(objects.iter().map(upsert));
        let judged = control(&posture(&engine), id);
        if judged.result != expected {
            wrong.push(format!(
                "{id} {shown}: {}, not {expected}: {}",
                judged.result, judged.message
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_control_has_a_failing_and_a_passing_case() {
    let cases = cases();
    let by_machine = |control: &&&Control| !NOT_FROM_HERE.contains(&control.id);
    let ours = CATALOGUE.iter().filter(|control| !reads_command_lines(control));
    for control in ours.filter(by_machine) {
        for wanted in [Fail, Pass] {
            let found = cases
                .iter()
                .any(|(id, .., result)| *id == control.id && *result == wanted);
            assert!(found, "{} has no case with result {wanted}", control.id);
        }
    }
}

#[test]
fn a_kind_that_may_not_be_listed_is_unknown_never_pass() {
    for (judged, kinds) in controls() {
        for kind in kinds {
            let mut engine = engine(tenancy(judged.id));
            engine.ingest([Delta::Coverage(kind, Coverage::Forbidden)]);
            assert_eq!(
                control(&posture(&engine), judged.id).result,
                Unknown,
                "{} {}",
                judged.id,
                kind.name()
            );
        }
    }
}

/// A namespace that nobody labels may hold what cannot be seen. What can be seen there is enough.
#[test]
fn who_may_not_list_a_flux_kind_does_not_know_the_tenants() {
    let namespace = json!({"kind": "Namespace", "metadata": {"name": "tenant"}});
    for id in ["FSP-NODE-002", "FSP-NET-004"] {
        for (coverage, expected) in [
            (Coverage::Forbidden, Unknown),
            (Coverage::Failing { error: "cut".into() }, Unknown),
            (Coverage::Absent, NotApplicable),
        ] {
            let mut engine = engine(Tenancy::Shared);
            engine.ingest([upsert(&namespace)]);
            assert_eq!(control(&posture(&engine), id).result, NotApplicable, "{id}");
            engine.ingest([Delta::Coverage(support::kind("Receiver"), coverage.clone())]);
            let judged = control(&posture(&engine), id);
            assert_eq!(judged.result, expected, "{id} {coverage}: {}", judged.message);
            if expected == Unknown {
                assert!(judged.message.contains("receivers"), "{id}: {}", judged.message);
            }
            engine.ingest([upsert(&object("Kustomization", json!({})))]);
            assert_eq!(control(&posture(&engine), id).result, Fail, "{id} {coverage}");
        }
    }
}

#[test]
fn what_does_not_exist_is_not_applicable() {
    for (judged, kinds) in controls() {
        let mut engine = engine(tenancy(judged.id));
        let reason = |engine: &_| {
            let judged = control(&posture(engine), judged.id);
            (judged.result, judged.reason)
        };
        assert_eq!(
            reason(&engine),
            (NotApplicable, "NoneExists".to_owned()),
            "{}",
            judged.id
        );
        engine.ingest(
            kinds
                .into_iter()
                .map(|kind| Delta::Coverage(kind, Coverage::Absent)),
        );
        assert_eq!(
            reason(&engine),
            (NotApplicable, "NotInstalled".to_owned()),
            "{}",
            judged.id
        );
    }
}

/// Controls of which nothing in a cluster proves that they are met, or that they are not.
const NOT_FROM_HERE: [&str; 15] = [
    "FSP-DED-004",
    "FSP-NET-005",
    "FSP-NODE-001",
    "FSP-NODE-003",
    "FSP-RES-001",
    "FSP-RES-006",
    "FSP-SEC-003",
    "FSP-SEC-004",
    "FSP-SEC-011",
    "FSP-SEC-013",
    "FSX-KC-001",
    "FSX-KC-002",
    "FSX-MTLS-001",
    "FSX-MTLS-002",
    "FSX-SRC-004",
];

/// A control that reads what it did not declare would not be evaluated again when that changes.
#[test]
fn controls_read_only_what_they_declare() {
    for (id, shown, objects, _) in cases() {
        let mut engine = engine(tenancy(id));
        engine.ingest(objects.iter().map(upsert));
        let undeclared = undeclared_reads(id, engine.inventory());
        assert!(
            undeclared.is_empty(),
            "{id} {shown} reads {undeclared:?} and does not say so"
        );
    }
}

#[test]
fn what_is_judged_later_is_judged_the_same() {
    for (id, shown, objects, expected) in cases() {
        let mut engine = tuned(id);
        for object in &objects {
            engine.ingest([upsert(object)]);
        }
        assert_eq!(control(&posture(&engine), id).result, expected, "{id} {shown}");
    }
}

#[test]
fn severities_follow_the_situation() {
    let severity = |id: &str, objects: &[Value]| audit(id, Tenancy::Shared, objects).severity;
    let git = |url: &str, secret: Value| [object("GitRepository", json!({"url": url, "secretRef": secret}))];
    let secret = json!({"name": "s"});
    assert_eq!(
        severity("FSX-SRC-005", &git("http://x.example/a", json!(null))),
        Severity::High
    );
    assert_eq!(
        severity("FSX-SRC-005", &git("http://x.example/a", secret.clone())),
        Severity::Critical
    );
    assert_eq!(
        severity("FSX-SRC-005", &git("http://me:pw@x.example/a", json!(null))),
        Severity::Critical
    );
    assert_eq!(
        severity("FSX-SRC-005", &git("http://git.svc/a", secret)),
        Severity::Low
    );
    let unset = object("Kustomization", json!({}));
    assert_eq!(
        severity("FSP-MT-010", &[unset.clone(), kustomize(&[])]),
        Severity::Critical
    );
    let locked = kustomize(&["--default-service-account=none"]);
    assert_eq!(severity("FSP-MT-010", &[unset, locked]), Severity::Medium);
    let foreign = object(
        "Kustomization",
        json!({"sourceRef": {"name": "a", "namespace": "other"}}),
    );
    assert_eq!(
        severity("FSP-MT-012", &[foreign.clone(), kustomize(&[])]),
        Severity::High
    );
    let refusing = kustomize(&["--no-cross-namespace-refs"]);
    assert_eq!(severity("FSP-MT-012", &[foreign, refusing]), Severity::Info);
}

#[test]
fn a_password_in_an_address_is_not_repeated() {
    let mut engine = engine(Tenancy::Shared);
    engine.ingest([upsert(&object(
        "GitRepository",
        json!({"url": "http://me:hunter2@x.example/a"}),
    ))]);
    let whole = format!("{:?}", posture(&engine).findings);
    assert!(
        whole.contains("FSX-SRC-005") && !whole.contains("hunter2"),
        "{whole}"
    );
}

fn controls() -> impl Iterator<Item = (&'static Control, Vec<flux_security_operator::kinds::KindId>)> {
    CATALOGUE.iter().filter_map(|control| match control.judges {
        Judges::Objects(kinds) => Some((*control, kinds.iter().map(|judges| judges.kind()).collect())),
        _ => None,
    })
}
