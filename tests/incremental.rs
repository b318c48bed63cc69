//! Evaluated step by step is evaluated from scratch, and one change costs what it touches.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use flux_security_operator::api::{ControlResult, Tenancy};
use flux_security_operator::engine::Engine;
use flux_security_operator::inventory::{Coverage, Delta};
use flux_security_operator::kinds::KindId;
use k8s_openapi::jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};
use support::waivers::any_waiver;
use support::{deployment, engine, flux_operator, kind, pod, policy, posture, remove, upsert};

#[derive(Clone, Debug)]
enum Edit {
    Put(Value),
    Delete(Value),
    Cover(KindId, Coverage),
    /// It is that late.
    Clock(Timestamp),
}

fn arguments() -> impl Strategy<Value = Vec<&'static str>> {
    proptest::collection::vec(
        prop_oneof![
            Just("--no-remote-bases=true"),
            Just("--no-cross-namespace-refs"),
            Just("--insecure-kubeconfig-exec"),
            Just("--default-service-account=tenant"),
            Just("--default-service-account"),
            Just("--feature-gates=ObjectLevelWorkloadIdentity=true"),
            Just("--watch-label-selector=key=a"),
            Just("--watch-all-namespaces=false"),
            Just("--log-level=debug"),
            Just("--authorized-artifact-client-spiffe-id=spiffe://self/a"),
            Just("--authorized-artifact-server-spiffe-id=spiffe://self/b"),
            Just("--nonsense"),
            Just("--"),
        ],
        0..4,
    )
}

fn object() -> impl Strategy<Value = Value> {
    let controller = prop_oneof![
        Just("kustomize-controller"),
        Just("helm-controller"),
        Just("source-controller"),
        Just("notification-controller"),
    ];
    let version = prop_oneof![Just("1.10.1"), Just("1.9.4"), Just("1.4.0"), Just("0.18.0")];
    let flux = (controller, version, arguments(), any::<bool>(), any::<bool>()).prop_map(
        |(controller, version, args, as_pod, ready_or_shard)| {
            if as_pod {
                return pod(controller, version, &args, ready_or_shard);
            }
            let mut it = deployment(controller, version, &args);
            if ready_or_shard {
                it["metadata"]["name"] = json!(format!("{controller}-shard"));
                it["metadata"]["annotations"] = json!({"sharding.fluxcd.io/role": "shard"});
            }
            it
        },
    );
    let other = (0..3_u8, any::<bool>(), any::<bool>()).prop_map(|(number, plain, broken)| {
        let name = format!("o{number}");
        let kind = if number == 0 { "Receiver" } else { "GitRepository" };
        let spec = match (kind, broken, plain) {
            ("Receiver", true, _) => json!({"resources": 7}),
            ("Receiver", _, true) => json!({"resources": []}),
            ("Receiver", ..) => json!({"resources": [{"namespace": "other"}]}),
            (_, true, _) => json!({"provider": 7}),
            (_, _, true) => json!({"provider": "generic"}),
            _ => json!({"provider": "aws"}),
        };
        json!({"kind": kind, "metadata": {"name": name, "namespace": "tenant"}, "spec": spec})
    });
    prop_oneof![3 => flux, 1 => other, 3 => applier(), 2 => access(), 2 => network(), 2 => traffic(), 2 => operator(), 4 => placement(), 3 => inhabitant(), 1 => admission()]
}

/// What tells somebody of failures, and what lets somebody in.
fn traffic() -> impl Strategy<Value = Value> {
    let namespace = prop_oneof![Just("tenant"), Just("flux-system")];
    let name = prop_oneof![Just("*"), Just("flux-system"), Just("k3")];
    let port = prop_oneof![Just(9090), Just(9292)];
    (0..6_u8, namespace, name, port, any::<bool>()).prop_map(|(number, namespace, name, port, flag)| {
        let kind = ["Alert", "Provider", "Service", "Ingress", "PrometheusRule", "Deployment"][usize::from(number)];
        let backend = json!({"service": {"name": "it", "port": {"number": 80}}});
        let spec = match kind {
            "Alert" => json!({"suspend": flag, "eventSources": [{"kind": "Kustomization", "name": name}], "providerRef": {"name": "it"}}),
            "Provider" => json!({"type": "slack", "address": if flag {"https://hook.example"} else {""}}),
            "Service" => json!({"type": if flag {"NodePort"} else {""}, "selector": {"app": "notification-controller"}, "ports": [{"port": 80, "targetPort": port}]}),
            "Ingress" => json!({"defaultBackend": backend, "tls": if flag {json!([{}])} else {json!(7)}}),
            "PrometheusRule" => json!({"groups": [{"expr": if flag {"gotk_resource_info"} else {"up"}}]}),
            _ => return flux_operator("0.58.1", &[], &[("WEB_SERVER_PORT", if flag {"9080"} else {"0"})]),
        };
        json!({"kind": kind, "metadata": {"name": "it", "namespace": namespace}, "spec": spec})
    })
}

/// flux-operator, its objects, and what it or Flux looks after.
fn operator() -> impl Strategy<Value = Value> {
    const DIGEST: &str = "sha256:2f5bb8e0c1c2c9c0b6e3e0e1d6b8f0f7a1b2c3d4e5f60718293a4b5c6d7e8f90";
    (0..5_u8, any::<bool>(), any::<bool>()).prop_map(|(number, one, other)| match number {
        0 => json!({
            "kind": "FluxInstance",
            "metadata": {"name": "flux", "namespace": "flux-system", "annotations": {"fluxcd.controlplane.io/reconcile": if one {"disabled"} else {"enabled"}}},
            "spec": {"cluster": {"multitenant": other}},
            "status": {"components": [{"tag": if other {"v1.7.4"} else {"v1.10.1"}, "digest": DIGEST}]},
        }),
        1 => json!({
            "kind": "ResourceSet", "metadata": {"name": "s", "namespace": "tenant"},
            "spec": {"serviceAccountName": if one {"deployer"} else {""}, "inputs": [{"password": if other {"hunter2"} else {""}}]},
        }),
        2 => {
            let args: &[&str] = if one {&["--default-service-account=tenant"]} else {&[]};
            flux_operator("0.58.1", args, &[])
        }
        3 => {
            let mut it = deployment("source-controller", "1.9.4", &[]);
            it["spec"]["template"]["spec"]["containers"][0]["image"] = json!(format!("ghcr.io/fluxcd/source-controller@{DIGEST}"));
            it
        }
        _ => {
            let keeper = if one {"kustomize.toolkit.fluxcd.io"} else {"fluxcd.controlplane.io"};
            let mut it = deployment("kustomize-controller", "1.9.4", &[]);
            it["metadata"]["labels"][format!("{keeper}/name")] = json!(if one {"k3"} else {"flux"});
            it["metadata"]["labels"][format!("{keeper}/namespace")] = json!("flux-system");
            let fields = json!({"f:spec": {"f:template": {"f:spec": {}}}});
            it["metadata"]["managedFields"] = json!([{"manager": if other {"kubectl-edit"} else {"flux"}, "fieldsV1": fields}]);
            it
        }
    })
}

/// Nodes and who runs on them: pods come, go, get their node and end, and namespaces change hands.
fn placement() -> impl Strategy<Value = Value> {
    let node = prop_oneof![Just("n1"), Just("n2"), Just("")];
    let namespace = prop_oneof![
        Just("tenant"),
        Just("other"),
        Just("flux-system"),
        Just("kube-system")
    ];
    let taints = prop_oneof![
        Just(json!([])),
        Just(json!([{"key": "flux", "effect": "NoSchedule"}])),
        Just(json!(7))
    ];
    let tolerations = prop_oneof![
        3 => Just(json!([])),
        1 => Just(json!([{"key": "flux", "operator": "Exists"}])),
        1 => Just(json!(7)),
    ];
    let parts = (node, namespace, taints, tolerations, any::<bool>());
    (0..10_u8, parts).prop_map(|(number, (node, namespace, taints, tolerations, flag))| match number {
        0 | 1 => json!({"kind": "Node", "metadata": {"name": format!("n{}", number + 1)}, "spec": {"taints": taints}}),
        2 => json!({"kind": "Namespace", "metadata": {"name": namespace, "labels": {"toolkit.fluxcd.io/tenant": if flag { "a" } else { "b" }}}}),
        3 => json!({"kind": "Namespace", "metadata": {"name": namespace, "labels": {"pod-security.kubernetes.io/enforce": if flag { "baseline" } else { "privileged" }}}}),
        4 => json!({"kind": "RuntimeClass", "metadata": {"name": "sandbox"}, "handler": if flag { "runsc" } else { "runc" }}),
        5 => {
            let mut it = pod("kustomize-controller", "1.9.4", &[], flag);
            it["spec"]["nodeName"] = json!(node);
            it["spec"]["tolerations"] = tolerations;
            it
        }
        // One that is Flux's as far as its account reaches.
        9 => {
            let mut it = deployment("kustomize-controller", "1.9.4", &[]);
            it["metadata"]["namespace"] = json!(namespace);
            it["spec"]["template"]["spec"]["serviceAccountName"] = json!(if flag { "kustomize-controller" } else { "" });
            it
        }
        _ => json!({
            "kind": "Pod", "metadata": {"name": format!("web-{number}"), "namespace": namespace},
            "spec": {"nodeName": node, "tolerations": tolerations, "runtimeClassName": if flag { "sandbox" } else { "" }},
            "status": {"phase": if number == 8 && flag { "Succeeded" } else { "Running" }},
        }),
    })
}

/// What makes a namespace that nobody labels a tenant's, as long as it is there: often the only Flux object.
fn inhabitant() -> impl Strategy<Value = Value> {
    let namespace = prop_oneof![Just("other"), Just("third")];
    (0..5_u8, namespace, any::<bool>()).prop_map(|(number, namespace, flag)| match number {
        0 => json!({"kind": "Namespace", "metadata": {"name": namespace}}),
        1 => json!({"kind": "HelmChart", "metadata": {"name": "c", "namespace": namespace}, "spec": {"chart": if flag { json!("a") } else { json!(7) }}}),
        _ => json!({"kind": "Alert", "metadata": {"name": "a", "namespace": namespace}, "spec": {"suspend": flag}}),
    })
}

/// Policies of admission: what they are about, and whether they are in force.
fn admission() -> impl Strategy<Value = Value> {
    (0..3_u8, any::<bool>(), any::<bool>()).prop_map(|(number, flag, broken)| {
        let resource = if flag { "pods" } else { "clusterrolebindings" };
        let rules = json!([{"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": [resource, "namespaces"]}]);
        match number {
            0 => json!({"kind": "ValidatingAdmissionPolicy", "metadata": {"name": "p"}, "spec": {
                "failurePolicy": if broken { "Ignore" } else { "Fail" }, "matchConstraints": {"resourceRules": rules},
                "validations": [{"expression": "securityContext privileged initContainers request.userInfo"}],
            }}),
            1 => json!({"kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": "b"}, "spec": {
                "policyName": "p", "validationActions": [if flag { "Deny" } else { "Warn" }],
            }}),
            _ => json!({"kind": "ValidatingWebhookConfiguration", "metadata": {"name": "w"}, "webhooks": if broken { json!(7) } else { json!([{"rules": rules}]) }}),
        }
    })
}

/// Policies of the network, and what decides whether they hold.
fn network() -> impl Strategy<Value = Value> {
    let namespace = prop_oneof![Just("tenant"), Just("flux-system")];
    let selector = prop_oneof![
        Just(json!({})),
        Just(json!({"matchLabels": {"app": "notification-controller"}})),
        Just(json!({"matchExpressions": [{"key": "team", "operator": "Exists"}]})),
        Just(json!(7)),
    ];
    let from = prop_oneof![
        Just(json!([])),
        Just(json!([{"podSelector": {}}])),
        Just(json!([{"namespaceSelector": {"matchLabels": {"team": "a"}}}])),
        Just(json!([{"ipBlock": {"cidr": "10.0.0.0/8"}}])),
    ];
    (0..6_u8, namespace, selector, from).prop_map(|(number, namespace, selector, from)| match number {
        0 => json!({"kind": "CustomResourceDefinition", "metadata": {"name": "ciliumnetworkpolicies.cilium.io"}}),
        1 => json!({
            "kind": "DaemonSet", "metadata": {"name": "kube-flannel-ds", "namespace": "kube-flannel"},
            "spec": {"template": {"spec": {"containers": []}}},
        }),
        _ => json!({
            "kind": "NetworkPolicy", "metadata": {"name": format!("p{number}"), "namespace": namespace},
            "spec": {"podSelector": selector, "policyTypes": ["Ingress"], "ingress": [{"from": from}]},
        }),
    })
}

/// Roles and bindings, of those whom the controls of rights speak of.
fn access() -> impl Strategy<Value = Value> {
    let namespace = prop_oneof![Just("tenant"), Just("flux-system")];
    let subject = prop_oneof![
        Just(json!({"kind": "ServiceAccount", "name": "deployer", "namespace": "tenant"})),
        Just(json!({"kind": "ServiceAccount", "name": "tenant", "namespace": "tenant"})),
        Just(json!({"kind": "ServiceAccount", "name": "kustomize-controller", "namespace": "flux-system"})),
        Just(json!({"kind": "ServiceAccount", "name": "kustomize-controller", "namespace": "tenant"})),
        Just(json!({"kind": "Group", "name": "system:serviceaccounts:tenant"})),
        Just(json!({"kind": "Group", "name": "system:authenticated"})),
        Just(json!({"kind": "User", "name": "jane"})),
    ];
    let rule = prop_oneof![
        Just(json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]})),
        Just(json!({"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"]})),
        Just(json!({"verbs": ["create"], "apiGroups": ["kustomize.toolkit.fluxcd.io"], "resources": ["*"]})),
        Just(json!({"verbs": ["create"], "apiGroups": [""], "resources": ["serviceaccounts/token"]})),
    ];
    let named = |number: u8| format!("role-{}", number % 3);
    (0..12_u8, namespace, subject, rule).prop_map(move |(number, namespace, subject, rule)| {
        match number % 3 {
            0 => json!({"kind": "ClusterRole", "metadata": {"name": named(number / 3)}, "rules": [rule]}),
            1 => json!({
                "kind": "RoleBinding", "metadata": {"name": "b", "namespace": namespace},
                "roleRef": {"kind": "ClusterRole", "name": named(number / 3)}, "subjects": [subject],
            }),
            _ => json!({
                "kind": "ClusterRoleBinding", "metadata": {"name": format!("b{number}")},
                "roleRef": {"kind": "ClusterRole", "name": named(number / 3)}, "subjects": [subject],
            }),
        }
    })
}

/// Kustomizations and what their verdicts depend on: accounts and labels of their namespace, and controllers.
fn applier() -> impl Strategy<Value = Value> {
    let namespace = prop_oneof![Just("tenant"), Just("flux-system"), Just("kube-system")];
    let spec = prop_oneof![
        Just(json!({})),
        Just(json!({"serviceAccountName": "deployer"})),
        Just(json!({"serviceAccountName": "deployer", "kubeConfig": {"secretRef": {"name": "k"}}})),
        Just(json!({"sourceRef": {"name": "a", "namespace": "other"}})),
        Just(json!({"sourceRef": 7})),
        Just(json!({"artifacts": [{"namespace": "kube-system"}], "url": "ssh://git@x.example/a"})),
        Just(
            json!({"managedNamespaces": {"allowedNames": ["true"]}, "decryption": {"serviceAccountName": "a"}})
        ),
    ];
    (0..7_u8, namespace, spec).prop_map(|(number, namespace, spec)| match number {
        0 => json!({"kind": "ServiceAccount", "metadata": {"name": "deployer", "namespace": namespace}}),
        1 => json!({"kind": "Namespace", "metadata": {"name": namespace, "labels": {"team": "a"}}}),
        2 => json!({"kind": "HelmRelease", "metadata": {"name": "r", "namespace": namespace}, "spec": spec}),
        3 => json!({"kind": "ArtifactGenerator", "metadata": {"name": "g", "namespace": namespace}, "spec": spec}),
        4 => json!({"kind": "GitRepository", "metadata": {"name": "a", "namespace": namespace}, "spec": spec}),
        _ => json!({"kind": "Kustomization", "metadata": {"name": format!("k{number}"), "namespace": namespace}, "spec": spec}),
    })
}

fn edit() -> impl Strategy<Value = Edit> {
    let covered = prop_oneof![
        Just("Pod"),
        Just("Deployment"),
        Just("Receiver"),
        Just("Namespace"),
        Just("ServiceAccount"),
        Just("ClusterRole"),
        Just("RoleBinding"),
        Just("NetworkPolicy"),
        Just("CustomResourceDefinition"),
        Just("Node"),
        Just("RuntimeClass"),
        Just("ValidatingAdmissionPolicy"),
        Just("ValidatingWebhookConfiguration"),
        Just("Kustomization"),
        Just("GitRepository"),
        Just("Alert"),
        Just("Service"),
        Just("PrometheusRule"),
        Just("FluxInstance"),
        Just("ResourceSet"),
        Just("FluxSecurityWaiver")
    ];
    let coverage = prop_oneof![
        Just(Coverage::Synced),
        Just(Coverage::Absent),
        Just(Coverage::Forbidden),
        Just(Coverage::Failing { error: "cut".into() }),
    ];
    let clock = (1..6_u8).prop_map(|month| format!("2026-0{month}-15T12:00:00Z").parse().unwrap());
    prop_oneof![
        6 => object().prop_map(Edit::Put),
        2 => object().prop_map(Edit::Delete),
        2 => any_waiver().prop_map(Edit::Put),
        1 => any_waiver().prop_map(Edit::Delete),
        1 => clock.prop_map(Edit::Clock),
        2 => (covered, coverage).prop_map(|(name, coverage)| Edit::Cover(kind(name), coverage)),
    ]
}

fn delta(edit: &Edit) -> Option<Delta> {
    match edit {
        Edit::Put(object) => Some(upsert(object)),
        Edit::Delete(object) => Some(remove(object)),
        Edit::Cover(kind, coverage) => Some(Delta::Coverage(*kind, coverage.clone())),
        Edit::Clock(_) => None,
    }
}

/// How late it is in the end.
fn last_clock(edits: &[Edit]) -> Option<Timestamp> {
    let mut clocks = edits.iter().filter_map(|edit| match edit {
        Edit::Clock(now) => Some(*now),
        _ => None,
    });
    clocks.next_back()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn step_by_step_is_from_scratch(
        edits in proptest::collection::vec(edit(), 1..40),
        tenancy in prop_oneof![3 => Just(Tenancy::Shared), 1 => Just(Tenancy::Dedicated)],
    ) {
        let strict = || {
            let mut engine = engine(tenancy);
            let mut row = policy(tenancy);
            let apart = json!([{"id": "FSP-NODE-005", "parameters": {"tenants": "apart"}}]);
            row.spec.controls = serde_json::from_value(apart).unwrap();
            engine.pin("test", row);
            engine
        };
        let mut stepwise = strict();
        for edit in &edits {
            if let Edit::Clock(now) = edit {
                stepwise.advance(*now);
            }
            stepwise.ingest(delta(edit));
        }
        let incremental = posture(&stepwise);
        let waivers = stepwise.posture().waivers;

        let mut at_once = strict();
        at_once.ingest(edits.iter().filter_map(delta));
        if let Some(now) = last_clock(&edits) {
            at_once.advance(now);
        }
        prop_assert_eq!(&posture(&at_once), &incremental);
        prop_assert_eq!(&at_once.posture().waivers, &waivers);

        stepwise.evaluate_all();
        prop_assert_eq!(&posture(&stepwise), &incremental);
        prop_assert_eq!(&stepwise.posture().waivers, &waivers);
    }
}

#[test]
fn an_equal_object_is_no_change() {
    let mut engine = engine(Tenancy::Shared);
    let object = deployment("kustomize-controller", "1.9.4", &[]);
    assert!(engine.ingest([upsert(&object)]));
    let before = engine.evaluations();
    let mut touched = object;
    touched["status"] = json!({"readyReplicas": 1});
    touched["metadata"]["resourceVersion"] = json!("2");
    assert!(!engine.ingest([upsert(&touched)]));
    assert_eq!(engine.evaluations(), before);
}

#[test]
fn one_change_costs_what_it_touches() {
    let evaluations_for_one_change = |others: usize| {
        let mut engine = engine(Tenancy::Shared);
        engine.ingest((0..others).map(|number| {
            let mut other = deployment("helm-controller", "1.6.3", &[]);
            other["metadata"]["namespace"] = json!(format!("flux-{number}"));
            upsert(&other)
        }));
        engine.ingest([upsert(&deployment("kustomize-controller", "1.9.4", &[]))]);
        let before = engine.evaluations();
        engine.ingest([upsert(&deployment(
            "kustomize-controller",
            "1.9.4",
            &["--no-remote-bases"],
        ))]);
        engine.evaluations() - before
    };
    assert_eq!(evaluations_for_one_change(1), evaluations_for_one_change(200));
}

/// A binding concerns those whom it names.
#[test]
fn one_changed_binding_costs_whom_it_names() {
    let kustomization = |namespace: &str| {
        json!({
            "kind": "Kustomization", "metadata": {"name": "k", "namespace": namespace},
            "spec": {"serviceAccountName": "deployer"},
        })
    };
    let binding = |namespace: &str, role: &str| {
        json!({
            "kind": "RoleBinding", "metadata": {"name": "b", "namespace": namespace},
            "roleRef": {"kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "ServiceAccount", "name": "deployer", "namespace": namespace}],
        })
    };
    let evaluations_for_one_change = |others: usize| {
        let mut engine = engine(Tenancy::Shared);
        engine.ingest((0..others).flat_map(|number| {
            let namespace = format!("n{number}");
            [
                upsert(&kustomization(&namespace)),
                upsert(&binding(&namespace, "edit")),
            ]
        }));
        engine.ingest([
            upsert(&kustomization("tenant")),
            upsert(&binding("tenant", "edit")),
        ]);
        let before = engine.evaluations();
        engine.ingest([upsert(&binding("tenant", "admin"))]);
        engine.evaluations() - before
    };
    assert_eq!(evaluations_for_one_change(1), evaluations_for_one_change(300));
}

/// Of an object with neighbours in its own and in other namespaces.
#[test]
fn one_changed_object_costs_itself_whatever_else_there_is() {
    let kustomization = |name: &str, spec: Value| {
        upsert(
            &json!({"kind": "Kustomization", "metadata": {"name": name, "namespace": "tenant"}, "spec": spec}),
        )
    };
    let evaluations_for_one_change = |others: usize| {
        let mut engine = engine(Tenancy::Shared);
        engine.ingest((0..others).map(|number| kustomization(&format!("k{number}"), json!({}))));
        engine.ingest([kustomization("it", json!({}))]);
        let before = engine.evaluations();
        engine.ingest([kustomization("it", json!({"serviceAccountName": "deployer"}))]);
        engine.evaluations() - before
    };
    assert_eq!(evaluations_for_one_change(0), evaluations_for_one_change(300));
}

/// The first Flux object of a namespace makes it a tenant's, the last one takes that back, and all between change nothing.
#[test]
fn only_the_first_and_the_last_flux_object_change_the_owner() {
    let alert = |name: &str, suspend: bool| json!({"kind": "Alert", "metadata": {"name": name, "namespace": "tenant"}, "spec": {"suspend": suspend}});
    let costs = |labels: Value| {
        let judged = |engine: &Engine| support::control(&posture(engine), "FSP-NET-004").result;
        let mut engine = engine(Tenancy::Shared);
        let namespace = json!({"kind": "Namespace", "metadata": {"name": "tenant", "labels": labels}});
        engine.ingest([upsert(&namespace)]);
        let steps = [
            upsert(&alert("a", false)),
            upsert(&alert("a", true)),
            upsert(&alert("b", true)),
            remove(&alert("a", true)),
            remove(&alert("b", true)),
        ];
        let told = judged(&engine);
        let after = steps.map(|delta| {
            let before = engine.evaluations();
            engine.ingest([delta]);
            (engine.evaluations() - before, judged(&engine))
        });
        (told, after)
    };
    let (before, [first, edit, second, one_of_two, last]) = costs(json!({}));
    assert_eq!(before, ControlResult::NotApplicable);
    assert_eq!(last.1, ControlResult::NotApplicable);
    // Whose namespace is labelled has its owner all the time.
    let (_, labelled) = costs(json!({"toolkit.fluxcd.io/tenant": "tenant"}));
    assert!(labelled.iter().all(|(_, result)| *result == ControlResult::Fail));
    assert_eq!(
        [edit, second, one_of_two],
        [labelled[1], labelled[2], labelled[3]]
    );
    assert_eq!(first.1, ControlResult::Fail);
    assert!(first.0 > second.0, "{first:?} {second:?}");
    assert!(last.0 > one_of_two.0, "{last:?} {one_of_two:?}");
}

/// A NetworkPolicy concerns its namespace.
#[test]
fn one_changed_network_policy_costs_its_namespace() {
    let namespace = |name: &str| {
        upsert(
            &json!({"kind": "Namespace", "metadata": {"name": name, "labels": {"toolkit.fluxcd.io/tenant": name}}}),
        )
    };
    let policy = |namespace: &str, ingress: Value| {
        upsert(&json!({
            "kind": "NetworkPolicy", "metadata": {"name": "p", "namespace": namespace},
            "spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": ingress},
        }))
    };
    let evaluations_for_one_change = |others: usize| {
        let mut engine = engine(Tenancy::Shared);
        engine.ingest((0..others).flat_map(|number| {
            let name = format!("n{number}");
            [namespace(&name), policy(&name, json!([]))]
        }));
        engine.ingest([namespace("tenant"), policy("tenant", json!([]))]);
        let before = engine.evaluations();
        engine.ingest([policy("tenant", json!([{}]))]);
        engine.evaluations() - before
    };
    assert_eq!(evaluations_for_one_change(1), evaluations_for_one_change(300));
}

/// A pod concerns its node and its namespace, and Flux's controllers in no way.
#[test]
fn one_pod_costs_its_node_and_its_namespace() {
    let node = |name: &str| upsert(&json!({"kind": "Node", "metadata": {"name": name}, "spec": {}}));
    let namespace = |name: &str| {
        upsert(
            &json!({"kind": "Namespace", "metadata": {"name": name, "labels": {"toolkit.fluxcd.io/tenant": name}}}),
        )
    };
    let web = |namespace: &str, node: &str| json!({"kind": "Pod", "metadata": {"name": "web", "namespace": namespace}, "spec": {"nodeName": node}});
    let evaluations_for_one_pod = |others: usize| {
        let mut engine = engine(Tenancy::Shared);
        engine.ingest([upsert(&deployment("kustomize-controller", "1.9.4", &[]))]);
        engine.ingest((0..others).flat_map(|number| {
            let (other, place) = (format!("a{number}"), format!("n{number}"));
            [namespace(&other), node(&place), upsert(&web(&other, &place))]
        }));
        engine.ingest([namespace("tenant"), node("own"), node("next")]);
        let before = engine.evaluations();
        engine.ingest([upsert(&web("tenant", ""))]);
        engine.ingest([upsert(&web("tenant", "own"))]);
        engine.ingest([upsert(&web("tenant", "next"))]);
        engine.ingest([remove(&web("tenant", "next"))]);
        engine.evaluations() - before
    };
    let few = evaluations_for_one_pod(1);
    assert_eq!(few, evaluations_for_one_pod(300));
    // Four times its namespace by one control; its node comes, changes and goes.
    assert_eq!(few, 4 + 1 + 2 + 1);
}

/// What the kubelet writes all day is no news.
#[test]
fn the_status_of_a_pod_or_a_node_is_no_change() {
    let mut engine = engine(Tenancy::Shared);
    let mut pod = json!({
        "kind": "Pod", "metadata": {"name": "web", "namespace": "tenant"},
        "spec": {"nodeName": "n1", "tolerations": [{"key": "a", "operator": "Exists"}]},
    });
    let mut node = json!({"kind": "Node", "metadata": {"name": "n1", "labels": {"a": "b"}}, "spec": {"taints": [{"key": "a", "effect": "NoSchedule"}]}});
    assert!(engine.ingest([upsert(&pod), upsert(&node)]));
    pod["status"] = json!({"phase": "Running", "podIP": "10.0.0.1"});
    node["status"] = json!({"conditions": [{"type": "Ready", "status": "False"}]});
    node["spec"]["taints"] = json!([
        {"key": "a", "effect": "NoSchedule"},
        {"key": "node.kubernetes.io/not-ready", "effect": "NoExecute"},
    ]);
    node["metadata"]["managedFields"] = json!([{"manager": "agent", "time": "2026-01-01T00:00:00Z"}]);
    for object in [&mut pod, &mut node] {
        object["metadata"]["resourceVersion"] = json!("2");
        object["metadata"]["annotations"] = json!({"seen": "now"});
    }
    assert!(!engine.ingest([upsert(&pod), upsert(&node)]));
}
