//! Who may do what: the answers out of roles and bindings are those of the API server's own authorizer.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod controlplane;
mod support;

use std::time::Duration;

use anyhow::ensure;
use controlplane::{ControlPlane, wait_for};
use flux_security_operator::api::{FluxSecurityPolicySpec, Tenancy};
use flux_security_operator::engine::Engine;
use flux_security_operator::inventory::{Ask, Evidence, Reach, SubjectKey, TenancyRules, View};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

const NAMESPACES: [&str; 3] = ["alpha", "beta", "gamma"];
const ACCOUNTS: [&str; 3] = ["default", "deployer", "flux"];
const QUESTIONS: usize = 800;
const RBAC: &str = "rbac.authorization.k8s.io";
const KINDS: &str = "roles,clusterroles,rolebindings,clusterrolebindings";

fn some(words: &'static [&'static str], most: usize) -> impl Strategy<Value = Vec<&'static str>> {
    proptest::collection::vec(select(words), 1..=most)
}

fn rule() -> impl Strategy<Value = Value> {
    let names = prop_oneof![
        3 => Just(json!([])),
        1 => Just(json!(["x"])),
        1 => Just(json!(["x", "y"])),
    ];
    let resources = &[
        "pods",
        "pods/exec",
        "pods/*",
        "secrets",
        "deployments",
        "deployments/scale",
        "*/scale",
        "*",
        "kustomizations",
    ];
    (
        some(&["get", "list", "create", "delete", "bind", "*"], 2),
        some(&["", "apps", "kustomize.toolkit.fluxcd.io", "*"], 2),
        some(resources, 3),
        names,
    )
        .prop_map(|(verbs, groups, resources, names)| {
            json!({"verbs": verbs, "apiGroups": groups, "resources": resources, "resourceNames": names})
        })
}

/// A ServiceAccount as itself and as a user, other users, groups of ServiceAccounts and others.
fn subject(namespaced: bool) -> impl Strategy<Value = Value> {
    let account = (select(&NAMESPACES[..]), select(&ACCOUNTS[..]));
    let own = select(&ACCOUNTS[..]).prop_map(|name| json!({"kind": "ServiceAccount", "name": name}));
    let group = |name: String| json!({"kind": "Group", "name": name, "apiGroup": RBAC});
    let user = |name: String| json!({"kind": "User", "name": name, "apiGroup": RBAC});
    prop_oneof![
        4 => account.clone().prop_map(|(namespace, name)| {
            json!({"kind": "ServiceAccount", "namespace": namespace, "name": name})
        }),
        if namespaced { 2 } else { 0 } => own,
        2 => account.prop_map(move |(namespace, name)| user(format!("system:serviceaccount:{namespace}:{name}"))),
        1 => select(&["jane", "system:serviceaccount:alpha", "system:serviceaccount::flux"][..])
            .prop_map(move |name| user(name.to_owned())),
        2 => select(&NAMESPACES[..]).prop_map(move |namespace| group(format!("system:serviceaccounts:{namespace}"))),
        1 => select(&["system:serviceaccounts", "system:authenticated", "team"][..])
            .prop_map(move |name| group(name.to_owned())),
    ]
}

fn object(kind: &str, name: &str, namespace: Option<&str>, rest: Value) -> Value {
    let mut object = rest;
    object["apiVersion"] = json!(format!("{RBAC}/v1"));
    object["kind"] = json!(kind);
    object["metadata"] = json!({"name": name});
    if let Some(namespace) = namespace {
        object["metadata"]["namespace"] = json!(namespace);
    }
    object
}

/// Names beyond the last role: a binding may refer to nothing.
const ROLES: usize = 8;

fn role() -> impl Strategy<Value = Value> {
    let rules = proptest::collection::vec(rule(), 0..3);
    (rules, 0..ROLES, proptest::option::of(select(&NAMESPACES[..]))).prop_map(|(rules, number, namespace)| {
        let kind = if namespace.is_some() {
            "Role"
        } else {
            "ClusterRole"
        };
        object(
            kind,
            &format!("role-{number}"),
            namespace,
            json!({"rules": rules}),
        )
    })
}

fn binding() -> impl Strategy<Value = Value> {
    let namespaced = (select(&NAMESPACES[..]), any::<bool>()).prop_map(Some);
    prop_oneof![3 => namespaced, 1 => Just(None)].prop_flat_map(|place| {
        let subjects = proptest::collection::vec(subject(place.is_some()), 0..3);
        (subjects, 0..ROLES + 2, any::<Index>()).prop_map(move |(subjects, role, number)| {
            let is_cluster = place.is_none_or(|(_, is_cluster)| is_cluster);
            let kind = if is_cluster { "ClusterRole" } else { "Role" };
            let role = json!({"apiGroup": RBAC, "kind": kind, "name": format!("role-{role}")});
            let kind = if place.is_some() {
                "RoleBinding"
            } else {
                "ClusterRoleBinding"
            };
            let name = format!("binding-{}", number.index(100_000));
            let namespace = place.map(|(namespace, _)| namespace);
            object(
                kind,
                &name,
                namespace,
                json!({"roleRef": role, "subjects": subjects}),
            )
        })
    })
}

/// Who asks, and for what.
#[derive(Clone, Debug)]
struct Question {
    account: (&'static str, &'static str),
    verb: &'static str,
    group: &'static str,
    resource: &'static str,
    subresource: &'static str,
    namespace: &'static str,
    name: &'static str,
}

impl Question {
    fn ask(&self) -> Ask<'_> {
        Ask {
            verb: self.verb,
            group: self.group,
            resource: self.resource,
            subresource: self.subresource,
            namespace: self.namespace,
            name: self.name,
        }
    }

    fn review(&self) -> Value {
        let (namespace, name) = self.account;
        json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
            "spec": {
                "user": format!("system:serviceaccount:{namespace}:{name}"),
                "groups": [
                    "system:serviceaccounts", format!("system:serviceaccounts:{namespace}"), "system:authenticated",
                ],
                "resourceAttributes": {
                    "verb": self.verb, "group": self.group, "resource": self.resource,
                    "subresource": self.subresource, "namespace": self.namespace, "name": self.name,
                },
            },
        })
    }
}

fn question() -> impl Strategy<Value = Question> {
    (
        (select(&NAMESPACES[..]), select(&ACCOUNTS[..])),
        select(&["get", "list", "create", "delete", "bind"][..]),
        select(&["", "apps", "kustomize.toolkit.fluxcd.io"][..]),
        select(
            &[
                ("pods", ""),
                ("pods", "exec"),
                ("secrets", ""),
                ("deployments", ""),
                ("deployments", "scale"),
            ][..],
        ),
        select(&["alpha", "beta", "gamma", ""][..]),
        select(&["", "x", "y", "z"][..]),
    )
        .prop_map(
            |(account, verb, group, (resource, subresource), namespace, name)| Question {
                account,
                verb,
                group,
                resource,
                subresource,
                namespace,
                name,
            },
        )
}

fn sample<T: std::fmt::Debug>(count: usize, strategy: &impl Strategy<Value = T>) -> Vec<T> {
    let mut runner = TestRunner::deterministic();
    (0..count)
        .map(|_| strategy.new_tree(&mut runner).unwrap().current())
        .collect()
}

fn list(items: &[Value]) -> String {
    json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()
}

/// The answers of the API server.
fn reviewed(control_plane: &ControlPlane, questions: &[Question]) -> Vec<bool> {
    let reviews: Vec<Value> = questions.iter().map(Question::review).collect();
    let answers = control_plane
        .kubectl_with(&["create", "-f", "-", "-o", "json"], &list(&reviews))
        .unwrap();
    let answers = serde_json::Deserializer::from_str(&answers).into_iter::<Value>();
    let answers: Vec<Value> = answers.map(Result::unwrap).collect();
    let allowed = |answer: &Value| answer["status"]["allowed"].as_bool().unwrap_or_default();
    answers.iter().map(allowed).collect()
}

/// What the authorizer reads through its own watch may come a moment late.
fn wait_for_the_authorizer(control_plane: &ControlPlane) {
    let role = object(
        "ClusterRole",
        "last",
        None,
        json!({"rules": [
            {"verbs": ["get"], "apiGroups": ["scheduling.k8s.io"], "resources": ["priorityclasses"]},
        ]}),
    );
    let binding = object(
        "ClusterRoleBinding",
        "last",
        None,
        json!({
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "last"},
            "subjects": [{"kind": "User", "name": "last", "apiGroup": RBAC}],
        }),
    );
    control_plane.apply(&list(&[role, binding])).unwrap();
    wait_for("the authorizer", Duration::from_secs(20), || {
        let answer = control_plane.kubectl(&[
            "auth",
            "can-i",
            "get",
            "priorityclasses.scheduling.k8s.io",
            "--as",
            "last",
        ])?;
        ensure!(answer.trim() == "yes", "{answer}");
        Ok(())
    })
    .unwrap();
    std::thread::sleep(Duration::from_secs(1));
}

#[test]
fn the_answers_are_those_of_the_api_server() {
    let control_plane = ControlPlane::start().unwrap();
    for namespace in NAMESPACES {
        control_plane
            .kubectl(&["create", "namespace", namespace])
            .unwrap();
    }
    let objects = [sample(40, &role()), sample(60, &binding())].concat();
    control_plane.apply(&list(&objects)).unwrap();
    wait_for_the_authorizer(&control_plane);

    let mut engine = support::engine(Tenancy::Shared);
    for kind in KINDS.split(',') {
        let stored = control_plane.get(&["-A", kind]).unwrap();
        engine.ingest(stored["items"].as_array().unwrap().iter().map(support::upsert));
    }
    let questions = sample(QUESTIONS, &question());
    let allowed = reviewed(&control_plane, &questions);
    assert_eq!(allowed.len(), QUESTIONS);
    let yes = allowed.iter().filter(|allowed| **allowed).count();
    eprintln!("{yes} of {QUESTIONS} questions were answered with yes");
    assert!(
        (50..QUESTIONS - 50).contains(&yes),
        "a one-sided test shows nothing"
    );
    for (question, allowed) in questions.iter().zip(allowed) {
        assert_eq!(may(&engine, question), allowed, "{question:?}");
    }
}

fn may(engine: &Engine, question: &Question) -> bool {
    let rules = TenancyRules::new(&FluxSecurityPolicySpec::default());
    let view = View::new(engine.inventory(), &SubjectKey::Cluster, &rules);
    let (namespace, name) = question.account;
    let access = view.access().unwrap();
    assert_eq!(view.reads(), [Evidence::Access(Reach::Cluster)]);
    access.may(namespace, name, &question.ask()).is_some()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever comes and goes in whatever order: the indexes are those of what is there.
    #[test]
    fn stepwise_is_from_scratch(
        edits in proptest::collection::vec((prop_oneof![role(), binding()], any::<bool>()), 1..40),
        questions in proptest::collection::vec(question(), 20),
    ) {
        let delta = |(object, puts): &(Value, bool)| {
            if *puts { support::upsert(object) } else { support::remove(object) }
        };
        let mut stepwise = support::engine(Tenancy::Shared);
        for edit in &edits {
            stepwise.ingest([delta(edit)]);
        }
        let mut backwards = support::engine(Tenancy::Shared);
        let mut last = std::collections::BTreeMap::new();
        for (object, puts) in &edits {
            let id = (object["kind"].to_string(), object["metadata"].to_string());
            last.insert(id, (object.clone(), *puts));
        }
        backwards.ingest(last.values().rev().map(delta));
        for question in &questions {
            prop_assert_eq!(may(&stepwise, question), may(&backwards, question));
        }
    }
}
