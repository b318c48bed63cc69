//! Who may reach what.

use super::*;
use crate::support::pod;

pub(crate) fn cases() -> Vec<Case> {
    [isolated(), private(), tenants(), enforced(), attested()].concat()
}

#[expect(clippy::needless_pass_by_value, reason = "the calls read better")]
fn policy(namespace: &str, name: &str, selector: Value, ingress: Value) -> Value {
    json!({
        "kind": "NetworkPolicy", "metadata": {"name": name, "namespace": namespace},
        "spec": {"podSelector": selector, "policyTypes": ["Ingress"], "ingress": ingress},
    })
}

fn flux_policy(selector: Value, ingress: Value) -> Value {
    policy("flux-system", "it", selector, ingress)
}

/// What `flux install` brings: within the namespace everything, from elsewhere metrics.
fn upstream() -> Vec<Value> {
    vec![
        policy(
            "flux-system",
            "allow-egress",
            json!({}),
            json!([{"from": [{"podSelector": {}}]}]),
        ),
        policy(
            "flux-system",
            "allow-scraping",
            json!({}),
            json!([{"from": [{"namespaceSelector": {}}], "ports": [{"port": 8080, "protocol": "TCP"}]}]),
        ),
    ]
}

/// The policy for webhooks, with the ports of a release.
fn webhooks(ports: Value) -> Value {
    let mut rule = json!({"from": [{"namespaceSelector": {}}]});
    if !ports.is_null() {
        rule["ports"] = ports;
    }
    policy(
        "flux-system",
        "allow-webhooks",
        json!({"matchLabels": {"app": "notification-controller"}}),
        json!([rule]),
    )
}

fn unreadable(namespace: &str) -> Value {
    policy(namespace, "odd", json!(7), json!([]))
}

fn namespace(name: &str) -> Value {
    json!({"kind": "Namespace", "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}}})
}

fn crd(name: &str) -> Value {
    json!({"kind": "CustomResourceDefinition", "metadata": {"name": name}})
}

fn cilium() -> Value {
    crd("ciliumnetworkpolicies.cilium.io")
}

fn with_pod_field(mut controller: Value, field: &str, value: Value) -> Value {
    controller["spec"]["template"]["spec"][field] = value;
    controller
}

fn source() -> Value {
    deployment("source-controller", "1.9.4", &[])
}

#[rustfmt::skip]
fn isolated() -> Vec<Case> {
    let with = |more: &[Value]| [&[source()], more].concat();
    let all = |more: &[Value]| [&[source()], &upstream()[..], more].concat();
    let relabelled = { let mut it = pod("source-controller", "1.9.4", &[], true); it["metadata"]["labels"]["app"] = json!("debug"); it };
    let by_label = || flux_policy(json!({"matchLabels": {"app": "source-controller"}}), json!([]));
    let egress_only = { let mut it = by_label(); it["spec"]["policyTypes"] = json!(["Egress"]); it };
    let untyped = { let mut it = by_label(); it["spec"]["policyTypes"] = json!(null); it };
    let elsewhere = { let mut it = source(); it["metadata"]["namespace"] = json!("other"); it };
    let on_host = || with_pod_field(source(), "hostNetwork", json!(true));
    let expression = |operator: &str| flux_policy(json!({"matchExpressions": [{"key": "app", "operator": operator, "values": ["source-controller"]}]}), json!([]));
    let open = |ingress: Value| all(&[flux_policy(json!({}), ingress)]);
    vec![
        ("FSP-NET-001", "as upstream", all(&[]), Pass),
        ("FSP-NET-001", "none", with(&[]), Fail),
        ("FSP-NET-001", "of another namespace", with(&[policy("other", "it", json!({}), json!([]))]), Fail),
        ("FSP-NET-001", "by label", with(&[by_label()]), Pass),
        ("FSP-NET-001", "by expression", with(&[expression("In")]), Pass),
        ("FSP-NET-001", "all but it", with(&[expression("NotIn")]), Fail),
        ("FSP-NET-001", "an extra instance escapes", all(&[elsewhere]), Fail),
        ("FSP-NET-001", "a pod with changed labels escapes", with(&[by_label(), relabelled]), Fail),
        ("FSP-NET-001", "about egress only", with(&[egress_only]), Fail),
        ("FSP-NET-001", "without types it is about ingress", with(&[untyped]), Pass),
        ("FSP-NET-001", "no NetworkPolicy applies on the host's network", [&[on_host()], &upstream()[..]].concat(), Fail),
        ("FSP-NET-001", "FSP-NET-001 policies add up: an empty rule opens all", open(json!([{}])), Fail),
        ("FSP-NET-001", "an empty list of peers is everybody", open(json!([{"from": []}])), Fail),
        ("FSP-NET-001", "every address", open(json!([{"from": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}])), Fail),
        ("FSP-NET-001", "every namespace at a range of ports", open(json!([{"from": [{"namespaceSelector": {}}], "ports": [{"port": 9000, "endPort": 9100}]}])), Fail),
        ("FSP-NET-001", "every namespace by UDP", open(json!([{"ports": [{"protocol": "UDP"}]}])), Pass),
        ("FSP-NET-001", "FSP-NET-001 Cilium's own policies may isolate it", with(&[cilium()]), Unknown),
        ("FSP-NET-001", "FSP-NET-001 Cilium's own policies may open it", all(&[cilium()]), Unknown),
        ("FSP-NET-001", "what is open is open", [open(json!([{}])), vec![cilium()]].concat(), Fail),
        ("FSP-NET-001", "another CustomResourceDefinition", all(&[crd("certificates.cert-manager.io")]), Pass),
        ("FSP-NET-001", "a policy that cannot be read", all(&[unreadable("flux-system")]), Unknown),
        ("FSP-NET-001", "a selector that Kubernetes refuses", all(&[flux_policy(json!({"matchExpressions": [{"key": "app", "operator": "In", "values": []}]}), json!([]))]), Unknown),
        ("FSP-NET-001", "one of another namespace that cannot be read", all(&[unreadable("other")]), Pass),
    ]
}

#[rustfmt::skip]
fn private() -> Vec<Case> {
    let notification = || deployment("notification-controller", "1.9.4", &[]);
    let there = [namespace("flux-system"), namespace("tenant")];
    let with = |more: &[Value]| [&there[..], &upstream(), more].concat();
    let named = |number: u16| {
        let mut it = notification();
        it["spec"]["template"]["spec"]["containers"][0]["ports"] = json!([{"name": "hook", "containerPort": number}]);
        it
    };
    let from = |peer: Value| with(&[source(), flux_policy(json!({}), json!([{"from": [peer]}]))]);
    let by_name = |name: &str| json!({"matchLabels": {"kubernetes.io/metadata.name": name}});
    vec![
        ("FSP-NET-003", "as upstream", with(&[source()]), Pass),
        ("FSP-NET-003", "no policy", [&there[..], &[source()]].concat(), Fail),
        ("FSP-NET-003", "webhooks since 2.9.4", with(&[notification(), webhooks(json!([{"port": 9292, "protocol": "TCP"}]))]), Pass),
        ("FSP-NET-003", "FSP-NET-003 webhooks before 2.9.4, and in the Helm chart", with(&[notification(), webhooks(json!(null))]), Fail),
        ("FSP-NET-003", "they do not concern source-controller", with(&[source(), webhooks(json!(null))]), Pass),
        ("FSP-NET-003", "a named port", with(&[named(9292), webhooks(json!([{"port": "hook"}]))]), Pass),
        ("FSP-NET-003", "a named port that is that of events", with(&[named(9090), webhooks(json!([{"port": "hook"}]))]), Fail),
        ("FSP-NET-003", "another namespace by name", from(json!({"namespaceSelector": by_name("tenant")})), Fail),
        ("FSP-NET-003", "some pods of it: labels are their own choice", from(json!({"namespaceSelector": by_name("tenant"), "podSelector": by_name("a")})), Fail),
        ("FSP-NET-003", "its own namespace by name", from(json!({"namespaceSelector": by_name("flux-system")})), Pass),
        ("FSP-NET-003", "the operator's namespace, for the scan of artifacts", [from(json!({"namespaceSelector": by_name("flux-security-system")})), vec![namespace("flux-security-system")]].concat(), Pass),
        ("FSP-NET-003", "it sends no events", with(&[notification(), flux_policy(json!({}), json!([{"from": [{"namespaceSelector": by_name("flux-security-system")}]}])), namespace("flux-security-system")]), Fail),
        ("FSP-NET-003", "a namespace that does not exist", from(json!({"namespaceSelector": by_name("gone")})), Pass),
        ("FSP-NET-003", "addresses that may be those of pods", from(json!({"ipBlock": {"cidr": "10.0.0.0/8"}})), Unknown),
        ("FSP-NET-003", "every address but some", from(json!({"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}})), Unknown),
        ("FSP-NET-003", "addresses, but open anyway", [from(json!({"ipBlock": {"cidr": "10.0.0.0/8"}})), vec![policy("flux-system", "open", json!({}), json!([{}]))]].concat(), Fail),
        ("FSP-NET-003", "the host's network", with(&[with_pod_field(source(), "hostNetwork", json!(true))]), Fail),
        ("FSP-NET-003", "Calico's own policies", with(&[source(), crd("globalnetworkpolicies.crd.projectcalico.org")]), Unknown),
        ("FSP-NET-003", "open for all that Calico may do", with(&[notification(), webhooks(json!(null)), crd("globalnetworkpolicies.crd.projectcalico.org")]), Fail),
        ("FSP-NET-003", "a policy that cannot be read", with(&[source(), unreadable("flux-system")]), Unknown),
    ]
}

#[rustfmt::skip]
fn tenants() -> Vec<Case> {
    let said = |mut it: Value| { it["metadata"]["labels"]["toolkit.fluxcd.io/tenant"] = json!("tenant"); it };
    let with = |more: &[Value]| [&[said(namespace("tenant"))], more].concat();
    let of_all = |name: &str, ingress: Value| policy("tenant", name, json!({}), ingress);
    let deny = || of_all("deny", json!([]));
    vec![
        ("FSP-NET-004", "denied", with(&[deny()]), Pass),
        ("FSP-NET-004", "nothing", with(&[]), Fail),
        ("FSP-NET-004", "the same namespace is let in", with(&[of_all("same", json!([{"from": [{"podSelector": {}}]}]))]), Pass),
        ("FSP-NET-004", "some pods only", with(&[policy("tenant", "web", json!({"matchLabels": {"app": "web"}}), json!([]))]), Fail),
        ("FSP-NET-004", "FSP-NET-004 undone by another policy", with(&[deny(), of_all("open", json!([{}]))]), Fail),
        ("FSP-NET-004", "one port is open", with(&[deny(), of_all("metrics", json!([{"ports": [{"port": 8080}]}]))]), Pass),
        ("FSP-NET-004", "some pods are open", with(&[deny(), policy("tenant", "web", json!({"matchLabels": {"app": "web"}}), json!([{}]))]), Pass),
        ("FSP-NET-004", "FSP-NET-004 AdminNetworkPolicies may deny", with(&[crd("adminnetworkpolicies.policy.networking.k8s.io")]), Unknown),
        ("FSP-NET-004", "denied, whatever Cilium knows", with(&[deny(), cilium()]), Pass),
        ("FSP-NET-004", "a policy that cannot be read", with(&[unreadable("tenant")]), Unknown),
        ("FSP-NET-004", "FSP-NET-004 nobody says so, but it holds a Flux object", vec![namespace("tenant"), object("Kustomization", json!({}))], Fail),
        ("FSP-NET-004", "FSP-NET-004 a namespace without Flux objects, as default is", vec![namespace("default")], NotApplicable),
        ("FSP-NET-004", "FSP-NET-004 Flux objects elsewhere", vec![namespace("default"), object("Kustomization", json!({}))], NotApplicable),
        ("FSP-NET-004", "the platform", vec![namespace("kube-system")], NotApplicable),
    ]
}

#[expect(clippy::needless_pass_by_value, reason = "the calls read better")]
fn agent(namespace: &str, name: &str, containers: Value) -> Value {
    json!({
        "kind": "DaemonSet", "metadata": {"name": name, "namespace": namespace},
        "spec": {"template": {"spec": {"containers": containers}}},
    })
}

fn system(name: &str, container: &str, args: &[&str]) -> Value {
    agent("kube-system", name, json!([{"name": container, "args": args}]))
}

#[rustfmt::skip]
fn enforced() -> Vec<Case> {
    let flannel = || agent("kube-flannel", "kube-flannel-ds", json!([{"name": "kube-flannel"}]));
    let aws = |args: &[&str]| agent("kube-system", "aws-node", json!([{"name": "aws-node"}, {"name": "aws-eks-nodeagent", "args": args}]));
    let kindnet = |tag: &str| agent("kube-system", "kindnet", json!([{"name": "kindnet-cni", "image": format!("docker.io/kindest/kindnetd:{tag}")}]));
    let calico = || agent("calico-system", "calico-node", json!([{"name": "calico-node"}]));
    vec![
        ("FSP-NET-002", "Calico", vec![calico()], Pass),
        ("FSP-NET-002", "Cilium", vec![system("cilium", "cilium-agent", &[])], Pass),
        ("FSP-NET-002", "FSP-NET-002 Cilium that never enforces", vec![system("cilium", "cilium-agent", &["--enable-policy=never"])], Fail),
        ("FSP-NET-002", "Dataplane V2", vec![system("anetd", "cilium-agent", &[])], Pass),
        ("FSP-NET-002", "flannel", vec![flannel()], Fail),
        ("FSP-NET-002", "FSP-NET-002 flannel for traffic, Calico for policies", vec![flannel(), calico()], Pass),
        ("FSP-NET-002", "Canal", vec![agent("kube-system", "canal", json!([{"name": "calico-node"}, {"name": "kube-flannel"}]))], Pass),
        ("FSP-NET-002", "AWS alone", vec![system("aws-node", "aws-node", &[])], Fail),
        ("FSP-NET-002", "AWS, turned off", vec![aws(&["--enable-network-policy=false"])], Fail),
        ("FSP-NET-002", "AWS, turned on", vec![aws(&["--enable-network-policy=true"])], Pass),
        ("FSP-NET-002", "kindnet", vec![kindnet("v20250512-df8de77b")], Pass),
        ("FSP-NET-002", "kindnet of 2023", vec![kindnet("v20230511-dc714da8")], Fail),
        ("FSP-NET-002", "kindnet of an unknown day", vec![kindnet("latest")], Unknown),
        ("FSP-NET-002", "Weave Net without its policy controller", vec![system("weave-net", "weave", &[])], Unknown),
        ("FSP-NET-002", "FSP-NET-002 k3s has no DaemonSet", vec![], Unknown),
        ("FSP-NET-002", "somebody's own DaemonSet", vec![agent("tenant", "cilium", json!([{"name": "cilium-agent"}]))], Unknown),
        ("FSP-NET-002", "one that cannot be read", vec![calico(), agent("kube-system", "canal", json!(7))], Unknown),
    ]
}

#[rustfmt::skip]
fn attested() -> Vec<Case> {
    vec![
        ("FSP-NET-005", "a person has to try", upstream(), Manual),
        ("FSP-NET-005", "nothing to try", vec![], NotApplicable),
        ("FSP-NET-005", "a policy that cannot be read", vec![unreadable("tenant")], Unknown),
    ]
}

#[test]
fn the_checklist_names_what_there_is() {
    let calico = agent("calico-system", "calico-node", json!([{"name": "calico-node"}]));
    let judged = audit(
        "FSP-NET-005",
        Tenancy::Shared,
        &[upstream(), vec![calico]].concat(),
    );
    let message = judged.message;
    assert!(
        message.contains("calico-system/calico-node enforces the 2 NetworkPolicies"),
        "{message}"
    );
}

/// Who has to act finds the policy, not the controller.
#[test]
fn a_policy_that_opens_is_the_finding() {
    let mut engine = engine(Tenancy::Shared);
    let open = flux_policy(json!({}), json!([{}]));
    engine.ingest([source(), open].iter().map(upsert));
    let whole = posture(&engine);
    let found = whole
        .findings
        .iter()
        .filter(|it| it.finding.control.starts_with("FSP-NET-"));
    let named: Vec<String> = found.map(|it| it.finding.resource.to_string()).collect();
    assert_eq!(
        named,
        ["NetworkPolicy flux-system/it", "NetworkPolicy flux-system/it"]
    );
}
