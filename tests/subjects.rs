//! The engine judges controllers, objects, namespaces and the cluster, and never takes the unseen for good.
#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::unnecessary_wraps, reason = "a judge may lack evidence")]

mod support;

use flux_security_operator::api::ControlResult::{Fail, Manual, NotApplicable, Pass, Unknown};
use flux_security_operator::api::{Severity, Tenancy};
use flux_security_operator::controls::{
    ClusterSubject, Control, Defect, Each, Judges, NamespaceSubject, ObjectSubject, Outcome, Severities,
};
use flux_security_operator::engine::Engine;
use flux_security_operator::flux::Component;
use flux_security_operator::inventory::{
    Coverage, Delta, Missing, ObjectKey, Owner, Reach, Read, SubjectKey,
};
use flux_security_operator::kinds::KindId;
use flux_security_operator::kinds::flux_objects::Receiver;
use flux_security_operator::kinds::namespace::Namespace;
use serde_json::{Value, json};
use support::{control, deployment, kind, policy, posture, remove, upsert};

const fn test_control(id: &'static str, reads: &'static [Read], judges: Judges) -> Control {
    Control {
        id,
        title: "a control of this test",
        chapter: "Tests",
        severity: Severities::always(Severity::Medium),
        rationale: "",
        audit: "",
        remediation: "",
        reference: "",
        reads,
        parameters: &[],
        judges,
    }
}

static OBJECTS: Control = test_control(
    "T-OBJECTS",
    &[],
    Judges::Objects(&[&Each::<Namespace>(not_open), &Each::<Receiver>(fails_twice)]),
);
static NAMESPACES: Control = test_control(
    "T-NAMESPACES",
    &[Read::namespace::<Receiver>(), Read::Owners(Reach::Namespace)],
    Judges::Namespaces(tenants_have_no_receiver),
);
static CLUSTER: Control = test_control(
    "T-CLUSTER",
    &[
        Read::Controllers(&[Component::Helm]),
        Read::cluster::<Namespace>(),
    ],
    Judges::Cluster(a_namespace_per_controller),
);
static BROKEN: Control = test_control(
    "T-BROKEN",
    &[],
    Judges::Objects(&[&Each::<Namespace>(|_| Ok(Outcome::Fail(Vec::new())))]),
);
static PANICS: Control = test_control("T-PANICS", &[], Judges::Cluster(|_| panic!("on purpose")));
static PERSON: Control = test_control(
    "T-PERSON",
    &[],
    Judges::Cluster(|_| Ok(Outcome::Manual("look at the safe".into()))),
);
static CATALOGUE: &[&Control] = &[&OBJECTS, &NAMESPACES, &CLUSTER, &BROKEN, &PANICS, &PERSON];

fn not_open(subject: &ObjectSubject<'_, Namespace>) -> Result<Outcome, Missing> {
    if subject.row.labels.get("na").is_some() {
        return Ok(Outcome::not_applicable("labelled so"));
    }
    let open = subject.row.labels.get("open").is_some();
    let defect = Defect {
        message: "is open".into(),
        ..Defect::default()
    };
    Ok(Outcome::from_defects(
        open.then_some(defect).into_iter().collect(),
    ))
}

/// One defect of its own, and one of the namespace.
fn fails_twice(subject: &ObjectSubject<'_, Receiver>) -> Result<Outcome, Missing> {
    let namespace = ObjectKey::new("", &subject.key.namespace);
    Ok(Outcome::Fail(vec![
        Defect {
            severity: Some(Severity::Critical),
            ..Defect::default()
        },
        Defect {
            about: Some(SubjectKey::object::<Namespace>(&namespace)),
            ..Defect::default()
        },
    ]))
}

fn tenants_have_no_receiver(subject: &NamespaceSubject<'_>) -> Result<Outcome, Missing> {
    if !matches!(subject.view.owner(subject.name)?, Owner::Tenant(_)) {
        return Ok(Outcome::not_applicable("no tenant's"));
    }
    let receivers = subject.view.siblings::<Receiver>()?;
    let defects = receivers.map(|_| Defect::default()).collect();
    Ok(Outcome::from_defects(defects))
}

fn a_namespace_per_controller(subject: &ClusterSubject<'_>) -> Result<Outcome, Missing> {
    let controllers = subject.view.controllers(Component::Helm)?.count();
    let namespaces = subject.view.table::<Namespace>()?.len();
    let defects = (controllers > namespaces).then(Defect::default);
    Ok(Outcome::from_defects(defects.into_iter().collect()))
}

fn engine() -> Engine {
    let mut engine = Engine::new(CATALOGUE);
    engine.pin("test", policy(Tenancy::Shared));
    engine.ingest(KindId::all().map(|kind| Delta::Coverage(kind, Coverage::Synced)));
    engine
}

/// Whoever has it belongs to a tenant.
const TENANT: &str = "toolkit.fluxcd.io/tenant";

fn namespace(name: &str, label: &str) -> Value {
    let mut labels = json!({});
    if !label.is_empty() {
        labels[label] = json!("");
    }
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "uid": "uid-of-it", "labels": labels}})
}

fn receiver(namespace: &str) -> Value {
    json!({"apiVersion": "notification.toolkit.fluxcd.io/v1", "kind": "Receiver",
        "metadata": {"name": "hook", "namespace": namespace},
        "spec": {"resources": [{"namespace": "elsewhere"}]}})
}

#[test]
fn objects_are_judged_one_by_one() {
    let mut engine = engine();
    let judged = control(&posture(&engine), "T-OBJECTS");
    assert_eq!(
        (judged.result, judged.message.as_str()),
        (NotApplicable, "no Namespace or Receiver exists")
    );
    engine.ingest([upsert(&namespace("n", "na"))]);
    let judged = control(&posture(&engine), "T-OBJECTS");
    assert_eq!(
        (judged.result, judged.message.as_str()),
        (NotApplicable, "labelled so")
    );
    engine.ingest([upsert(&namespace("a", "")), upsert(&namespace("b", ""))]);
    let judged = control(&posture(&engine), "T-OBJECTS");
    assert_eq!(
        (judged.result, judged.message.as_str()),
        (Pass, "2 objects comply")
    );
    engine.ingest([upsert(&namespace("b", "open"))]);
    let whole = posture(&engine);
    assert_eq!(control(&whole, "T-OBJECTS").result, Fail);
    let found = &whole.findings[0];
    assert_eq!(
        (found.finding.resource.to_string().as_str(), found.uid.as_str()),
        ("Namespace b", "uid-of-it")
    );
    engine.ingest([remove(&namespace("b", ""))]);
    assert_eq!(
        control(&posture(&engine), "T-OBJECTS").message,
        "1 object complies"
    );
}

#[test]
fn a_subject_may_have_several_defects_on_several_objects() {
    let mut engine = engine();
    engine.ingest([upsert(&namespace("a", "")), upsert(&receiver("a"))]);
    let whole = posture(&engine);
    let judged = control(&whole, "T-OBJECTS");
    assert_eq!(
        (judged.result, judged.severity, judged.findings),
        (Fail, Severity::Critical, 2)
    );
    let of_it = whole
        .findings
        .iter()
        .filter(|it| it.finding.control == "T-OBJECTS");
    let named: Vec<String> = of_it.map(|it| it.finding.resource.to_string()).collect();
    assert_eq!(named, ["Receiver a/hook", "Namespace a"]);
}

#[test]
fn a_severity_of_the_policy_wins_over_that_of_the_situation() {
    let mut row = policy(Tenancy::Shared);
    row.spec.controls = serde_json::from_value(json!([{"id": "T-OBJECTS", "severity": "Low"}])).unwrap();
    let mut engine = engine();
    engine.pin("test", row);
    engine.ingest([upsert(&receiver("a"))]);
    assert_eq!(control(&posture(&engine), "T-OBJECTS").severity, Severity::Low);
}

#[test]
fn a_judged_kind_that_is_out_of_sight_is_unknown_without_any_object() {
    let receivers = kind("Receiver");
    for coverage in [
        Coverage::Pending,
        Coverage::Forbidden,
        Coverage::Failing { error: "cut".into() },
        Coverage::NotServed {
            versions: "v9".into(),
        },
    ] {
        let mut engine = engine();
        engine.ingest([upsert(&namespace("a", ""))]);
        assert_eq!(control(&posture(&engine), "T-OBJECTS").result, Pass);
        engine.ingest([Delta::Coverage(receivers, coverage.clone())]);
        let judged = control(&posture(&engine), "T-OBJECTS");
        assert_eq!(
            (judged.result, judged.reason.as_str()),
            (Unknown, coverage.reason())
        );
    }
    let mut engine = engine();
    engine.ingest([
        Delta::Coverage(receivers, Coverage::Absent),
        upsert(&namespace("a", "")),
    ]);
    assert_eq!(
        control(&posture(&engine), "T-OBJECTS").result,
        Pass,
        "absent is seen"
    );
}

#[test]
fn an_object_that_cannot_be_read_is_unknown() {
    let mut engine = engine();
    engine.ingest([upsert(&namespace("a", ""))]);
    let mut broken = receiver("a");
    broken["spec"] = json!({"resources": 7});
    engine.ingest([upsert(&broken)]);
    let judged = control(&posture(&engine), "T-OBJECTS");
    assert_eq!((judged.result, judged.reason.as_str()), (Unknown, "Undecodable"));
}

#[test]
fn an_unreadable_sibling_matters_to_its_own_namespace_only() {
    let mut engine = engine();
    let mut broken = receiver("a");
    broken["spec"] = json!({"resources": 7});
    engine.ingest([upsert(&namespace("b", TENANT)), upsert(&broken)]);
    assert_eq!(control(&posture(&engine), "T-NAMESPACES").result, Pass);
    engine.ingest([upsert(&namespace("a", TENANT))]);
    assert_eq!(control(&posture(&engine), "T-NAMESPACES").result, Unknown);
}

#[test]
fn namespaces_belong_to_the_platform_or_to_tenants() {
    let mut engine = engine();
    engine.ingest([
        upsert(&namespace("kube-system", "")),
        upsert(&receiver("kube-system")),
    ]);
    assert_eq!(control(&posture(&engine), "T-NAMESPACES").result, NotApplicable);
    engine.ingest([
        upsert(&namespace("flux-system", "")),
        upsert(&receiver("flux-system")),
    ]);
    let whole = posture(&engine);
    assert_eq!(
        control(&whole, "T-NAMESPACES").result,
        Fail,
        "no controller runs there"
    );
    let found = whole
        .findings
        .iter()
        .find(|it| it.finding.control == "T-NAMESPACES")
        .unwrap();
    assert_eq!(found.finding.resource.home(), "flux-system");
    let helm = deployment("helm-controller", "1.6.3", &[]);
    engine.ingest([upsert(&helm)]);
    assert_eq!(control(&posture(&engine), "T-NAMESPACES").result, NotApplicable);
    engine.ingest([remove(&helm)]);
    assert_eq!(control(&posture(&engine), "T-NAMESPACES").result, Fail);
    engine.ingest([Delta::Coverage(kind("Pod"), Coverage::Forbidden)]);
    let judged = control(&posture(&engine), "T-NAMESPACES");
    assert_eq!(judged.result, Unknown, "it may be Flux's own: {}", judged.message);
}

#[test]
fn the_policy_says_which_namespaces_are_whose() {
    let mut engine = engine();
    engine.ingest([upsert(&namespace("shop", "")), upsert(&receiver("shop"))]);
    for (spec, expected) in [
        (json!({}), Fail),
        (json!({"platform": {"namespaces": ["sh*"]}}), NotApplicable),
        (
            json!({"tenants": {"namespaceSelector": {"matchLabels": {"team": "a"}}}}),
            NotApplicable,
        ),
    ] {
        let mut row = policy(Tenancy::Shared);
        row.spec = serde_json::from_value(spec.clone()).unwrap();
        engine.pin("test", row);
        assert_eq!(
            control(&posture(&engine), "T-NAMESPACES").result,
            expected,
            "{spec}"
        );
    }
}

/// A namespace that is a tenant's by one sign and the platform's by another.
#[test]
fn what_is_said_of_a_namespace_counts_more_than_what_runs_there() {
    const LABEL: &str = "toolkit.fluxcd.io/tenant";
    let selector = || json!({"tenants": {"namespaceSelector": {"matchLabels": {"team": ""}}}});
    let platform = || json!({"platform": {"namespaces": ["shop"]}});
    for (label, spec, expected) in [
        // Whoever may run pods may run one that looks like a controller: that takes no namespace out of the audit.
        (LABEL, json!({}), Fail),
        ("team", selector(), Fail),
        ("", json!({}), NotApplicable),
        // The policy has the last word.
        (LABEL, platform(), NotApplicable),
        // A label that the policy does not ask for says nothing.
        (LABEL, selector(), NotApplicable),
        ("team", json!({}), NotApplicable),
    ] {
        let mut engine = engine();
        let mut row = policy(Tenancy::Shared);
        row.spec = serde_json::from_value(spec.clone()).unwrap();
        engine.pin("test", row);
        let objects = [namespace("shop", label), receiver("shop")];
        engine.ingest(objects.iter().chain(&flux_of_all("shop")).map(upsert));
        let result = || control(&posture(&engine), "T-NAMESPACES").result;
        assert_eq!(result(), expected, "{label} {spec}");
    }
}

/// A helm-controller in a namespace.
fn helm_controller(namespace: &str) -> Value {
    let mut controller = deployment("helm-controller", "1.6.3", &[]);
    controller["metadata"]["namespace"] = json!(namespace);
    controller
}

/// The same, with the rights that it has where it is the cluster's.
fn flux_of_all(namespace: &str) -> [Value; 3] {
    let rule = json!({"verbs": ["*"], "apiGroups": ["helm.toolkit.fluxcd.io"], "resources": ["*"]});
    [
        helm_controller(namespace),
        json!({"kind": "ClusterRole", "metadata": {"name": "crd-controller"}, "rules": [rule]}),
        bound(namespace, "ClusterRoleBinding", "crd-controller"),
    ]
}

fn bound(namespace: &str, kind: &str, role: &str) -> Value {
    json!({
        "kind": kind, "metadata": {"name": "reconciler", "namespace": if kind == "RoleBinding" { namespace } else { "" }},
        "roleRef": {"kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": "helm-controller", "namespace": namespace}],
    })
}

/// A Deployment like Flux's makes no tenant the platform: somebody who gives rights everywhere does.
#[test]
fn flux_is_the_platforms_where_it_reaches_every_namespace() {
    let [controller, role, binding] = flux_of_all("shop");
    let result = |of: &[&Value]| {
        let mut engine = engine();
        let objects = [namespace("shop", ""), receiver("shop")];
        engine.ingest(objects.iter().chain(of.iter().copied()).map(upsert));
        control(&posture(&engine), "T-NAMESPACES").result
    };
    assert_eq!(result(&[&controller]), Fail);
    assert_eq!(result(&[&role, &binding]), Fail, "rights without a controller");
    assert_eq!(result(&[&controller, &role, &binding]), NotApplicable);
    let own = bound("shop", "RoleBinding", "crd-controller");
    assert_eq!(
        result(&[&controller, &role, &own]),
        Fail,
        "in its own namespace only"
    );
    let mut reader = role.clone();
    reader["rules"][0]["verbs"] = json!(["get", "list", "watch"]);
    assert_eq!(
        result(&[&controller, &reader, &binding]),
        Fail,
        "reads everywhere"
    );
    let mut everybody = binding.clone();
    everybody["subjects"] = json!([{"kind": "Group", "name": "system:serviceaccounts"}]);
    assert_eq!(result(&[&controller, &role, &everybody]), Fail, "as everybody");
    everybody["subjects"] = json!([{"kind": "Group", "name": "system:serviceaccounts:shop"}]);
    assert_eq!(result(&[&controller, &role, &everybody]), NotApplicable);
    let mut default = controller;
    default["spec"]["template"]["spec"]["serviceAccountName"] = json!("");
    assert_eq!(
        result(&[&default, &role, &binding]),
        Fail,
        "under another account"
    );
}

/// Rights come and go with bindings and roles, and are unknown where those cannot be seen.
#[test]
fn whose_flux_is_follows_its_rights() {
    let [controller, role, binding] = flux_of_all("shop");
    let mut engine = engine();
    let objects = [namespace("shop", ""), receiver("shop"), controller, role.clone()];
    engine.ingest(objects.iter().map(upsert));
    let result = |engine: &Engine| control(&posture(engine), "T-NAMESPACES").result;
    assert_eq!(result(&engine), Fail);
    engine.ingest([upsert(&binding)]);
    assert_eq!(result(&engine), NotApplicable);
    engine.ingest([remove(&role)]);
    assert_eq!(result(&engine), Fail);
    engine.ingest([upsert(&role)]);
    assert_eq!(result(&engine), NotApplicable);
    engine.ingest([Delta::Coverage(kind("ClusterRoleBinding"), Coverage::Forbidden)]);
    assert_eq!(result(&engine), Unknown);
    engine.ingest([
        Delta::Coverage(kind("ClusterRoleBinding"), Coverage::Synced),
        upsert(&binding),
    ]);
    assert_eq!(result(&engine), NotApplicable);
    engine.ingest([remove(&helm_controller("shop"))]);
    assert_eq!(result(&engine), Fail);
}

#[test]
fn a_label_that_cannot_be_seen_is_unknown_also_where_flux_runs() {
    let mut engine = engine();
    let helm = deployment("helm-controller", "1.6.3", &[]);
    engine.ingest(
        [namespace("flux-system", ""), receiver("flux-system"), helm]
            .iter()
            .map(upsert),
    );
    assert_eq!(control(&posture(&engine), "T-NAMESPACES").result, NotApplicable);
    engine.ingest([Delta::Coverage(kind("Namespace"), Coverage::Forbidden)]);
    assert_eq!(control(&posture(&engine), "T-NAMESPACES").result, Unknown);
}

#[test]
fn the_cluster_has_one_verdict() {
    let mut engine = engine();
    assert_eq!(
        control(&posture(&engine), "T-CLUSTER").message,
        "the cluster complies"
    );
    engine.ingest([upsert(&deployment("helm-controller", "1.6.3", &[]))]);
    let whole = posture(&engine);
    assert_eq!(control(&whole, "T-CLUSTER").result, Fail);
    assert_eq!(
        whole.findings[0].finding.resource.to_string(),
        "FluxSecurityPolicy test"
    );
    engine.ingest([upsert(&namespace("a", ""))]);
    assert_eq!(control(&posture(&engine), "T-CLUSTER").result, Pass);
    engine.ingest([Delta::Coverage(kind("Namespace"), Coverage::Forbidden)]);
    assert_eq!(control(&posture(&engine), "T-CLUSTER").result, Unknown);
}

#[test]
fn what_only_a_person_can_judge_says_so() {
    let judged = control(&posture(&engine()), "T-PERSON");
    assert_eq!(
        (judged.result, judged.message.as_str()),
        (Manual, "look at the safe")
    );
}

#[test]
fn a_broken_control_is_unknown_never_pass() {
    let mut engine = engine();
    engine.ingest([upsert(&namespace("a", ""))]);
    for id in ["T-BROKEN", "T-PANICS"] {
        let judged = control(&posture(&engine), id);
        assert_eq!(
            (judged.result, judged.reason.as_str()),
            (Unknown, "Internal"),
            "{id}"
        );
    }
}

#[test]
fn one_object_costs_what_its_reach_touches() {
    let evaluations = |others: usize, change: Value| {
        let mut engine = engine();
        let names = (0..others).map(|number| format!("n{number}"));
        engine.ingest(names.flat_map(|name| [upsert(&namespace(&name, "")), upsert(&receiver(&name))]));
        let before = engine.evaluations();
        engine.ingest([upsert(&change)]);
        engine.evaluations() - before
    };
    for change in [receiver("fresh"), namespace("fresh", "")] {
        assert_eq!(evaluations(1, change.clone()), evaluations(300, change));
    }
}
