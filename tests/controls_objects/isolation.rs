//! Who shares nodes with whom, and what admission refuses.

use super::*;
use crate::support::policy;

pub(crate) fn cases() -> Vec<Case> {
    [
        guidelines(),
        privileged(),
        sandboxes(),
        dedicated(),
        co_located(),
        protected(),
    ]
    .concat()
}

fn namespace(name: &str, labels: Value) -> Value {
    let mut labels = labels;
    labels["kubernetes.io/metadata.name"] = json!(name);
    json!({"kind": "Namespace", "metadata": {"name": name, "labels": labels}})
}

/// A namespace that somebody says is a tenant's.
fn tenants(name: &str, mut labels: Value) -> Value {
    labels["toolkit.fluxcd.io/tenant"] = json!(name);
    namespace(name, labels)
}

fn tenant() -> Value {
    tenants("tenant", json!({}))
}

#[expect(clippy::needless_pass_by_value, reason = "the calls read better")]
fn node(name: &str, taints: Value) -> Value {
    let labels = json!({"kubernetes.io/os": "linux", "pool": name});
    json!({"kind": "Node", "metadata": {"name": name, "labels": labels}, "spec": {"taints": taints}})
}

fn plain(name: &str) -> Value {
    node(name, json!(null))
}

/// A pod of somebody's own program.
fn pod_in(namespace: &str, name: &str, spec: Value) -> Value {
    let mut spec = spec;
    spec["containers"] = json!([{"name": "web", "image": "example.com/web:1"}]);
    json!({"kind": "Pod", "metadata": {"name": name, "namespace": namespace}, "spec": spec, "status": {"phase": "Running"}})
}

fn on_node(mut pod: Value, node: &str) -> Value {
    pod["spec"]["nodeName"] = json!(node);
    pod
}

fn ended(mut pod: Value) -> Value {
    pod["status"]["phase"] = json!("Succeeded");
    pod
}

fn flux_pod(node: &str) -> Value {
    on_node(support::pod("kustomize-controller", "1.9.4", &[], true), node)
}

/// A pod that cannot be read may run anywhere.
fn unreadable(namespace: &str) -> Value {
    json!({"kind": "Pod", "metadata": {"name": "odd", "namespace": namespace}, "spec": {"nodeName": 7}})
}

#[rustfmt::skip]
fn guidelines() -> Vec<Case> {
    vec![
        ("FSP-NODE-001", "told", vec![kustomize(&[]), flux_pod("n1"), plain("n1"), plain("n2")], Manual),
        ("FSP-NODE-001", "no Flux", vec![plain("n1")], NotApplicable),
        ("FSP-NODE-001", "a pod cannot be read", vec![kustomize(&[]), unreadable("tenant")], Unknown),
    ]
}

const NOT_PRIVILEGED: &str = "(object.spec.containers + object.spec.?initContainers.orValue([])).all(c, c.?securityContext.?privileged.orValue(false) == false)";

fn rules(group: &str, resources: &[&str], operations: &[&str]) -> Value {
    json!([{"apiGroups": [group], "apiVersions": ["v1"], "operations": operations, "resources": resources}])
}

/// A policy about new pods.
fn policy_of(expression: &str) -> Value {
    json!({"kind": "ValidatingAdmissionPolicy", "metadata": {"name": "p"}, "spec": {
        "failurePolicy": "Fail", "matchConstraints": {"resourceRules": rules("", &["pods"], &["CREATE"])},
        "validations": [{"expression": expression}],
    }})
}

fn binding(actions: &[&str]) -> Value {
    json!({"kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": "b"}, "spec": {
        "policyName": "p", "validationActions": actions,
    }})
}

fn webhook(rules: &Value) -> Value {
    json!({"kind": "ValidatingWebhookConfiguration", "metadata": {"name": "w"}, "webhooks": [{
        "name": "w.example.com", "rules": rules, "failurePolicy": "Fail",
    }]})
}

fn edited(mut it: Value, path: &str, value: Value) -> Value {
    *it.pointer_mut(path).unwrap() = value;
    it
}

fn with_spec(mut it: Value, field: &str, value: Value) -> Value {
    it["spec"][field] = value;
    it
}

fn all_but(name: &str) -> Value {
    json!({"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": [name]}]})
}

#[rustfmt::skip]
fn privileged() -> Vec<Case> {
    let labelled = |label: &str, level: &str| vec![tenants("tenant", json!({format!("pod-security.kubernetes.io/{label}"): level}))];
    let with = |more: &[Value]| [&[tenant()], more].concat();
    let it = || policy_of(NOT_PRIVILEGED);
    let bound = |policy: Value| with(&[policy, binding(&["Deny"])]);
    let bound_by = |field: &str, value: Value| with(&[it(), with_spec(binding(&["Deny"]), field, value)]);
    let constrained = |field: &str, value: Value| { let mut it = it(); it["spec"]["matchConstraints"][field] = value; bound(it) };
    let hooked = |rules: Value| with(&[webhook(&rules)]);
    let pods = || rules("", &["pods"], &["CREATE"]);
    let elsewhere = { let mut it = webhook(&pods()); it["webhooks"][0]["namespaceSelector"] = all_but("tenant"); it };
    let odd = json!({"kind": "ValidatingAdmissionPolicy", "metadata": {"name": "odd"}, "spec": {"validations": 7}});
    let openshift = json!({"kind": "CustomResourceDefinition", "metadata": {"name": "securitycontextconstraints.security.openshift.io"}});
    vec![
        ("FSP-NODE-002", "baseline", labelled("enforce", "baseline"), Pass),
        ("FSP-NODE-002", "restricted", labelled("enforce", "restricted"), Pass),
        ("FSP-NODE-002", "privileged", labelled("enforce", "privileged"), Fail),
        ("FSP-NODE-002", "nothing", with(&[]), Fail),
        ("FSP-NODE-002", "FSP-NODE-002 a warning is no enforcement", labelled("warn", "restricted"), Fail),
        ("FSP-NODE-002", "FSP-NODE-002 an audit is no enforcement", labelled("audit", "restricted"), Fail),
        ("FSP-NODE-002", "a policy", bound(it()), Pass),
        ("FSP-NODE-002", "a policy where the label admits everything", [labelled("enforce", "privileged"), vec![it(), binding(&["Deny"])]].concat(), Pass),
        ("FSP-NODE-002", "a policy without a binding", with(&[it()]), Fail),
        ("FSP-NODE-002", "a binding without its policy", with(&[binding(&["Deny"])]), Fail),
        ("FSP-NODE-002", "FSP-NODE-002 a policy that warns and takes notes", with(&[it(), binding(&["Warn", "Audit"])]), Fail),
        ("FSP-NODE-002", "a policy that refuses and takes notes", with(&[it(), binding(&["Deny", "Audit"])]), Pass),
        ("FSP-NODE-002", "FSP-NODE-002 failurePolicy Ignore", bound(with_spec(it(), "failurePolicy", json!("Ignore"))), Unknown),
        ("FSP-NODE-002", "FSP-NODE-002 conditions may leave pods out", bound(with_spec(it(), "matchConditions", json!([{"name": "c", "expression": "object.metadata.name != 'x'"}]))), Unknown),
        ("FSP-NODE-002", "FSP-NODE-002 conditions may leave users out", bound(with_spec(it(), "matchConditions", json!([{"name": "c", "expression": "request.userInfo.username != 'x'"}]))), Unknown),
        ("FSP-NODE-002", "parameters", bound(with_spec(it(), "paramKind", json!({"apiVersion": "v1", "kind": "ConfigMap"}))), Unknown),
        ("FSP-NODE-002", "parameters of the binding", bound_by("paramRef", json!({"name": "x"})), Unknown),
        ("FSP-NODE-002", "FSP-NODE-002 the policy leaves the namespace out", constrained("namespaceSelector", all_but("tenant")), Fail),
        ("FSP-NODE-002", "another one is left out", constrained("namespaceSelector", all_but("kube-system")), Pass),
        ("FSP-NODE-002", "FSP-NODE-002 the binding leaves the namespace out", bound_by("matchResources", json!({"namespaceSelector": all_but("tenant")})), Fail),
        ("FSP-NODE-002", "FSP-NODE-002 pods are excluded", constrained("excludeResourceRules", pods()), Fail),
        ("FSP-NODE-002", "FSP-NODE-002 some pods are left out by their labels", constrained("objectSelector", all_but("x")), Unknown),
        ("FSP-NODE-002", "FSP-NODE-002 a name is excluded", constrained("excludeResourceRules", edited(pods(), "/0", json!({"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"], "resourceNames": ["x"]}))), Unknown),
        ("FSP-NODE-002", "about changes only", constrained("resourceRules", rules("", &["pods"], &["UPDATE"])), Fail),
        ("FSP-NODE-002", "about Deployments", constrained("resourceRules", rules("apps", &["deployments"], &["CREATE"])), Fail),
        ("FSP-NODE-002", "about something else", bound(policy_of("object.spec.containers.all(c, c.image.startsWith('example.com/'))")), Fail),
        ("FSP-NODE-002", "init containers are forgotten", bound(policy_of("object.spec.containers.all(c, !c.securityContext.privileged)")), Unknown),
        ("FSP-NODE-002", "in a variable", bound(with_spec(policy_of("variables.bad.size() == 0"), "variables", json!([{"name": "bad", "expression": format!("!{NOT_PRIVILEGED}")}]))), Pass),
        ("FSP-NODE-002", "two policies, one of which cannot be understood", [bound(it()), vec![edited(policy_of("object.spec.containers.all(c, !c.securityContext.privileged)"), "/metadata/name", json!("q")), edited(edited(binding(&["Deny"]), "/metadata/name", json!("a")), "/spec/policyName", json!("q"))]].concat(), Pass),
        ("FSP-NODE-002", "FSP-NODE-002 Kyverno, Gatekeeper and others are webhooks", hooked(pods()), Unknown),
        ("FSP-NODE-002", "a webhook about everything", hooked(json!([{"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*/*"]}])), Unknown),
        ("FSP-NODE-002", "a webhook about something else", hooked(rules("cert-manager.io", &["certificates"], &["CREATE"])), Fail),
        ("FSP-NODE-002", "a webhook that is not asked about the namespace", with(&[elsewhere]), Fail),
        ("FSP-NODE-002", "OpenShift", with(&[openshift]), Unknown),
        ("FSP-NODE-002", "a policy that cannot be read", with(std::slice::from_ref(&odd)), Unknown),
        ("FSP-NODE-002", "the label suffices", [labelled("enforce", "baseline"), vec![odd]].concat(), Pass),
        ("FSP-NODE-002", "FSP-NODE-002 nobody says so, but it holds a Flux object", vec![namespace("tenant", json!({})), object("Alert", json!({}))], Fail),
        ("FSP-NODE-002", "nobody says so, and an object there cannot be read", vec![namespace("tenant", json!({})), object("Alert", json!({"suspend": 7}))], Fail),
        ("FSP-NODE-002", "FSP-NODE-002 a namespace without Flux objects, as default is", vec![namespace("default", json!({}))], NotApplicable),
        ("FSP-NODE-002", "FSP-NODE-002 Flux objects elsewhere", vec![namespace("default", json!({})), object("Alert", json!({}))], NotApplicable),
        ("FSP-NODE-002", "no tenant's", vec![namespace("kube-system", json!({}))], NotApplicable),
    ]
}

fn class(name: &str, handler: &str) -> Value {
    json!({"kind": "RuntimeClass", "metadata": {"name": name}, "handler": handler})
}

fn running(class: &str) -> Value {
    let spec = if class.is_empty() {
        json!({})
    } else {
        json!({"runtimeClassName": class})
    };
    on_node(pod_in("tenant", &format!("web-{class}"), spec), "n1")
}

#[rustfmt::skip]
fn sandboxes() -> Vec<Case> {
    let with = |more: &[Value]| [&[tenant(), class("gvisor", "runsc"), class("vm", "kata-qemu"), class("plain", "runc")], more].concat();
    vec![
        ("FSP-NODE-003", "gVisor", with(&[running("gvisor")]), Pass),
        ("FSP-NODE-003", "Kata Containers", with(&[running("vm"), running("gvisor")]), Pass),
        ("FSP-NODE-003", "no RuntimeClass", with(&[running("")]), Manual),
        ("FSP-NODE-003", "one of two", with(&[running("gvisor"), running("")]), Manual),
        ("FSP-NODE-003", "a RuntimeClass that is no sandbox", with(&[running("plain")]), Manual),
        ("FSP-NODE-003", "a RuntimeClass that does not exist", with(&[running("gone")]), Manual),
        ("FSP-NODE-003", "another namespace", with(&[pod_in("kube-system", "dns", json!({}))]), NotApplicable),
        ("FSP-NODE-003", "a pod that has ended", with(&[ended(running(""))]), NotApplicable),
        ("FSP-NODE-003", "a pod cannot be read", with(&[running("gvisor"), unreadable("tenant")]), Unknown),
    ]
}

/// A toleration, a node selector and an affinity of Flux's Deployment.
fn placed(fields: &[(&str, Value)]) -> Value {
    let mut it = kustomize(&[]);
    for (field, value) in fields {
        it["spec"]["template"]["spec"][*field] = value.clone();
    }
    it
}

fn tainted(effect: &str) -> Value {
    json!([{"key": "dedicated", "value": "flux", "effect": effect}])
}

fn tolerant() -> Value {
    json!([{"key": "dedicated", "operator": "Equal", "value": "flux", "effect": "NoSchedule"}])
}

fn affinity(kind: &str, values: &[&str]) -> Value {
    let term = json!({"matchExpressions": [{"key": "pool", "operator": "In", "values": values}]});
    match kind {
        "required" => {
            json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}})
        }
        _ => {
            json!({"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "preference": term}]}})
        }
    }
}

#[rustfmt::skip]
fn dedicated() -> Vec<Case> {
    let nodes = || vec![tenant(), node("flux", tainted("NoSchedule")), plain("n1"), plain("n2")];
    let with = |flux: Value, more: &[Value]| [&nodes()[..], &[flux], more].concat();
    let here = || ("nodeSelector", json!({"pool": "flux"}));
    let own = || placed(&[here(), ("tolerations", tolerant())]);
    let on = |nodes: &[Value], flux: Value| [nodes, &[flux]].concat();
    let web = |tolerations: Value| pod_in("tenant", "web", json!({"tolerations": tolerations}));
    let anything = || json!([{"operator": "Exists"}]);
    let addons = || json!([{"key": "CriticalAddonsOnly", "operator": "Exists"}]);
    let aks = || vec![node("system", json!([{"key": "CriticalAddonsOnly", "value": "true", "effect": "NoSchedule"}])), plain("user")];
    let odd = json!({"kind": "Node", "metadata": {"name": "odd"}, "spec": {"taints": 7}});
    let stray = { let mut it = flux_pod("n1"); it["spec"]["nodeSelector"] = json!({"pool": "flux"}); it["spec"]["tolerations"] = tolerant(); it };
    vec![
        ("FSP-NODE-004", "as shipped", with(placed(&[("nodeSelector", json!({"kubernetes.io/os": "linux"}))]), &[]), Fail),
        ("FSP-NODE-004", "taint, toleration and nodeSelector", with(own(), &[]), Pass),
        ("FSP-NODE-004", "a required affinity", with(placed(&[("affinity", affinity("required", &["flux"])), ("tolerations", tolerant())]), &[]), Pass),
        ("FSP-NODE-004", "an affinity to more", with(placed(&[("affinity", affinity("required", &["flux", "n1"])), ("tolerations", tolerant())]), &[]), Fail),
        ("FSP-NODE-004", "an affinity to what it does not tolerate", with(placed(&[("affinity", affinity("required", &["flux", "n1"]))]), &[]), Fail),
        ("FSP-NODE-004", "a preferred affinity", with(placed(&[("affinity", affinity("preferred", &["flux"])), ("tolerations", tolerant())]), &[]), Fail),
        ("FSP-NODE-004", "a taint without affinity", with(placed(&[("tolerations", tolerant())]), &[]), Fail),
        ("FSP-NODE-004", "an affinity without taint", on(&[plain("flux"), plain("n1")], placed(&[here()])), Fail),
        ("FSP-NODE-004", "a taint that pods avoid when they can", on(&[node("flux", tainted("PreferNoSchedule")), plain("n1")], own()), Fail),
        ("FSP-NODE-004", "NoExecute", on(&[node("flux", tainted("NoExecute")), plain("n1")], placed(&[here(), ("tolerations", anything())])), Pass),
        ("FSP-NODE-004", "a node that is closed for a while", on(&[node("flux", json!([{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}])), plain("n1")], own()), Fail),
        ("FSP-NODE-004", "a tenant tolerates it, too", with(own(), &[web(tolerant())]), Fail),
        ("FSP-NODE-004", "FSP-NODE-004 a tenant tolerates everything", with(own(), &[web(anything())]), Fail),
        ("FSP-NODE-004", "a tenant tolerates something else", with(own(), &[web(json!([{"key": "gpu", "operator": "Exists"}]))]), Pass),
        ("FSP-NODE-004", "what every pod tolerates", with(own(), &[web(json!([{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}]))]), Pass),
        ("FSP-NODE-004", "the platform tolerates everything", with(own(), &[pod_in("kube-system", "agent", json!({"tolerations": anything()}))]), Pass),
        ("FSP-NODE-004", "FSP-NODE-004 Flux tolerates everything", with(placed(&[("tolerations", anything())]), &[]), Fail),
        ("FSP-NODE-004", "FSP-NODE-004 the system pool of AKS", on(&aks(), placed(&[("nodeSelector", json!({"pool": "system"})), ("tolerations", addons())])), Pass),
        ("FSP-NODE-004", "FSP-NODE-004 the system pool of AKS is only tolerated", on(&aks(), placed(&[("tolerations", addons())])), Fail),
        ("FSP-NODE-004", "it still runs elsewhere", with(own(), &[stray]), Fail),
        ("FSP-NODE-004", "no such node", with(placed(&[("nodeSelector", json!({"pool": "gone"}))]), &[]), Unknown),
        ("FSP-NODE-004", "FSP-NODE-004 one node", vec![plain("n1"), kustomize(&[])], NotApplicable),
        ("FSP-NODE-004", "a node cannot be read", with(own(), &[odd]), Unknown),
        ("FSP-NODE-004", "a pod cannot be read", with(own(), &[unreadable("tenant")]), Unknown),
    ]
}

/// A controller of another project that is called like one of Flux.
fn look_alike(node: &str) -> Value {
    let mut it = pod_in("kube-system", "helm-controller", json!({}));
    it["spec"]["containers"] =
        json!([{"name": "helm-controller", "image": "example.com/helm-controller:v0.15.0"}]);
    on_node(it, node)
}

#[rustfmt::skip]
fn co_located() -> Vec<Case> {
    let owned = || [tenant(), tenants("a", json!({})), tenants("b", json!({}))];
    let with = |more: &[Value]| [&[plain("n1"), plain("n2"), flux_pod("n1")], &owned()[..], more].concat();
    let release = in_namespace(object("HelmRelease", json!({})), "monitoring");
    let web = |namespace: &str, node: &str| on_node(pod_in(namespace, "web", json!({})), node);
    let deleted = { let mut it = web("tenant", "n1"); it["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z"); it };
    vec![
        ("FSP-NODE-005", "Flux alone", with(&[]), Pass),
        ("FSP-NODE-005", "a tenant beside Flux", with(&[web("tenant", "n1")]), Fail),
        ("FSP-NODE-005", "a tenant elsewhere", with(&[web("tenant", "n2")]), Pass),
        ("FSP-NODE-005", "two tenants", with(&[web("a", "n2"), web("b", "n2")]), Pass),
        ("FSP-NODE-005", "a pod that has ended", with(&[ended(web("tenant", "n1"))]), Pass),
        ("FSP-NODE-005", "a pod that is being deleted", with(&[deleted]), Pass),
        ("FSP-NODE-005", "a pod that waits for a node", with(&[pod_in("tenant", "web", json!({}))]), Pass),
        ("FSP-NODE-005", "the platform beside Flux", with(&[web("kube-system", "n1"), web("flux-system", "n1")]), Pass),
        ("FSP-NODE-005", "agents beside Flux in a namespace that is not named", with(&[web("monitoring", "n1"), release]), Fail),
        ("FSP-NODE-005", "FSP-NODE-005 agents beside Flux in a namespace without Flux objects", with(&[web("monitoring", "n1")]), Pass),
        ("FSP-NODE-005", "a tenant beside what may be Flux", with(&[look_alike("n2"), web("tenant", "n2")]), Unknown),
        ("FSP-NODE-005", "what may be Flux alone", with(&[look_alike("n2")]), Pass),
        ("FSP-NODE-005", "a pod cannot be read", with(&[unreadable("tenant")]), Unknown),
        ("FSP-NODE-005", "no node", vec![], NotApplicable),
    ]
}

const BY_REQUESTER: &str = "'platform' in request.userInfo.groups";

/// A policy about all that the platform rests on.
fn guard(expression: &str) -> Value {
    let operations = ["UPDATE", "DELETE"];
    let mut all = rules("", &["namespaces", "serviceaccounts"], &operations);
    let bindings = rules("rbac.authorization.k8s.io", &["clusterrolebindings"], &operations);
    all.as_array_mut().unwrap().push(bindings[0].clone());
    edited(policy_of(expression), "/spec/matchConstraints/resourceRules", all)
}

#[rustfmt::skip]
fn protected() -> Vec<Case> {
    let flux = || [namespace("flux-system", json!({})), kustomize(&[])];
    let with = |more: &[Value]| [&flux()[..], more].concat();
    let it = || guard(BY_REQUESTER);
    let bound = |policy: Value| with(&[policy, binding(&["Deny"])]);
    let only = |rules: Value| bound(edited(it(), "/spec/matchConstraints/resourceRules", rules));
    let everything = |operations: &[&str]| rules("*", &["*"], operations);
    let selected = |name: &str| { let mut it = it(); it["spec"]["matchConstraints"]["namespaceSelector"] = all_but(name); bound(it) };
    let condition = |expression: &str| bound(with_spec(guard("false"), "matchConditions", json!([{"name": "c", "expression": expression}])));
    let named = { let mut rules = everything(&["*"]); rules[0]["resourceNames"] = json!(["x"]); rules };
    let odd = json!({"kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": "odd"}, "spec": {"policyName": 7}});
    vec![
        ("FSP-DED-003", "nobody is asked", with(&[]), Fail),
        ("FSP-DED-003", "by who asks", bound(it()), Pass),
        ("FSP-DED-003", "everything, by who asks", only(everything(&["*"])), Pass),
        ("FSP-DED-003", "by the authorizer", bound(guard("authorizer.group('').resource('secrets').check('get').allowed()")), Pass),
        ("FSP-DED-003", "those who may are left out", condition("!('platform' in request.userInfo.groups)"), Pass),
        ("FSP-DED-003", "something else is left out", condition("object.metadata.name != 'x'"), Unknown),
        ("FSP-DED-003", "bindings only", only(rules("rbac.authorization.k8s.io", &["clusterrolebindings"], &["*"])), Fail),
        ("FSP-DED-003", "without Flux there are only bindings", vec![edited(it(), "/spec/matchConstraints/resourceRules", rules("rbac.authorization.k8s.io", &["clusterrolebindings"], &["*"])), binding(&["Deny"])], Pass),
        ("FSP-DED-003", "changes only", only(everything(&["UPDATE"])), Fail),
        ("FSP-DED-003", "FSP-DED-003 a warning", with(&[it(), binding(&["Warn"])]), Fail),
        ("FSP-DED-003", "FSP-DED-003 failurePolicy Ignore", bound(with_spec(it(), "failurePolicy", json!("Ignore"))), Unknown),
        ("FSP-DED-003", "by something else", bound(guard("object.metadata.name != 'x'")), Unknown),
        ("FSP-DED-003", "some names", only(named), Unknown),
        ("FSP-DED-003", "the namespace of Flux is left out", selected("flux-system"), Fail),
        ("FSP-DED-003", "another one is left out", selected("tenant"), Pass),
        ("FSP-DED-003", "a webhook", with(&[webhook(&everything(&["*"]))]), Unknown),
        ("FSP-DED-003", "a webhook about something else", with(&[webhook(&rules("", &["pods"], &["*"]))]), Fail),
        ("FSP-DED-003", "a binding that cannot be read", with(&[it(), binding(&["Deny"]), odd]), Unknown),
    ]
}

/// The result of one control whose parameter is set.
fn tuned(id: &str, parameter: (&str, &str), objects: &[Value]) -> ControlResult {
    let mut row = policy(tenancy(id));
    let (name, value) = parameter;
    row.spec.controls = serde_json::from_value(json!([{"id": id, "parameters": {name: value}}])).unwrap();
    let mut engine = engine(tenancy(id));
    engine.pin("test", row);
    engine.ingest(objects.iter().map(upsert));
    control(&posture(&engine), id).result
}

#[test]
fn sandboxes_may_be_required() {
    let classes = [
        tenant(),
        class("gvisor", "runsc"),
        class("plain", "runc"),
        class("spin", "spin"),
    ];
    for (asked, expected) in [
        ("gvisor", Pass),
        ("", Fail),
        ("plain", Fail),
        ("spin", Unknown),
        ("gone", Unknown),
    ] {
        let objects = [&classes[..], &[running(asked)]].concat();
        let judged = tuned("FSP-NODE-003", ("required", "yes"), &objects);
        assert_eq!(judged, expected, "{asked}");
    }
    let both = [&classes[..], &[running("spin"), running("")]].concat();
    assert_eq!(tuned("FSP-NODE-003", ("required", "yes"), &both), Fail);
}

#[test]
fn tenants_may_have_to_stay_apart() {
    let on = |namespace: &str, node: &str| on_node(pod_in(namespace, "web", json!({})), node);
    let apart = |objects: &[Value]| tuned("FSP-NODE-005", ("tenants", "apart"), objects);
    let cluster = [
        plain("n1"),
        plain("n2"),
        tenants("a", json!({})),
        tenants("b", json!({})),
    ];
    let with = |more: &[Value]| [&cluster[..], more].concat();
    assert_eq!(apart(&with(&[on("a", "n1"), on("b", "n1")])), Fail);
    assert_eq!(apart(&with(&[on("a", "n1"), on("b", "n2")])), Pass);
    assert_eq!(apart(&with(&[on("a", "n1"), on("kube-system", "n1")])), Pass);
    // Namespaces with one label are one tenant.
    let labelled = |name: &str| namespace(name, json!({"toolkit.fluxcd.io/tenant": "team"}));
    let team = with(&[labelled("a"), labelled("b"), on("a", "n1"), on("b", "n1")]);
    assert_eq!(apart(&team), Pass);
    let both = with(&[on("a", "n1"), on("b", "n1"), look_alike("n1")]);
    assert_eq!(apart(&both), Fail, "what may be Flux does not excuse two tenants");
}

/// The label wins over what the server's configuration says.
#[test]
fn a_cluster_may_enforce_a_level_where_no_label_does() {
    let with_default = |labels: Value| {
        tuned(
            "FSP-NODE-002",
            ("default-level", "baseline"),
            &[tenants("tenant", labels)],
        )
    };
    assert_eq!(with_default(json!({})), Pass);
    let privileged = json!({"pod-security.kubernetes.io/enforce": "privileged"});
    assert_eq!(with_default(privileged), Fail);
}

#[test]
fn the_checklist_tells_what_there_is() {
    let objects = [
        kustomize(&[]),
        flux_pod("n1"),
        plain("n1"),
        node("n2", tainted("NoSchedule")),
        class("gvisor", "runsc"),
    ];
    let told = audit("FSP-NODE-001", Tenancy::Shared, &objects).message;
    for wanted in [
        "namespace flux-system, runs on 1 of 2 nodes (n1)",
        "nodes with a taint: 1",
        "gvisor",
    ] {
        assert!(told.contains(wanted), "{told}");
    }
}

/// Whoever may not see a kind cannot tell what it decides about.
#[test]
fn what_decides_and_is_out_of_sight_is_unknown() {
    let elsewhere = || on_node(pod_in("tenant", "web", json!({})), "n2");
    let flux = || {
        vec![
            kustomize(&[]),
            flux_pod("n1"),
            plain("n1"),
            plain("n2"),
            elsewhere(),
        ]
    };
    let sandboxed = vec![tenant(), class("gvisor", "runsc"), running("gvisor")];
    let admission = [
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
    ];
    let guarded = || vec![guard(BY_REQUESTER), binding(&["Deny"])];
    let refused = || vec![tenant(), policy_of(NOT_PRIVILEGED), binding(&["Deny"])];
    let mut blind = vec![
        ("FSP-NODE-001", flux(), "Node"),
        ("FSP-NODE-001", flux(), "RuntimeClass"),
        ("FSP-NODE-003", sandboxed.clone(), "RuntimeClass"),
        ("FSP-NODE-003", sandboxed, "Pod"),
        ("FSP-NODE-004", flux(), "Node"),
        ("FSP-NODE-004", flux(), "Pod"),
        ("FSP-NODE-005", flux(), "Pod"),
        ("FSP-NODE-005", flux(), "Namespace"),
        ("FSP-NODE-005", flux(), "Node"),
    ];
    blind.extend(admission.map(|kind| ("FSP-NODE-002", refused(), kind)));
    blind.extend(admission.map(|kind| ("FSP-DED-003", guarded(), kind)));
    for (id, objects, kind) in blind {
        let mut engine = engine(tenancy(id));
        engine.ingest(objects.iter().map(upsert));
        engine.ingest([Delta::Coverage(support::kind(kind), Coverage::Forbidden)]);
        let judged = control(&posture(&engine), id);
        assert_eq!(judged.result, Unknown, "{id} without {kind}: {}", judged.message);
    }
}
