//! Pods of controllers, and the lanes that share the work.

use super::*;

pub(crate) fn cases() -> Vec<Case> {
    [security(), additions(), environment(), lanes(), shards()].concat()
}

/// A controller's Deployment as Flux ships it.
fn hardened(controller: &str) -> Value {
    let mut it = deployment(controller, "1.6.3", &[]);
    let spec = &mut it["spec"]["template"]["spec"];
    spec["priorityClassName"] = json!("system-cluster-critical");
    spec["terminationGracePeriodSeconds"] = json!(600);
    let container = &mut spec["containers"][0];
    container["resources"] = json!({"limits": {"memory": "1Gi"}});
    container["securityContext"] = json!({
        "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "runAsNonRoot": true,
        "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"},
    });
    it
}

fn helm() -> Value {
    hardened("helm-controller")
}

/// The pod that was admitted for a Deployment.
fn admitted(deployment: &Value) -> Value {
    let mut pod = support::pod("helm-controller", "1.6.3", &[], true);
    pod["spec"] = deployment["spec"]["template"]["spec"].clone();
    pod
}

fn with(mut it: Value, path: &str, value: Value) -> Value {
    let mut at = &mut it["spec"]["template"]["spec"];
    for step in path.split('/') {
        at = match step.parse::<usize>() {
            Ok(position) => at.get_mut(position).unwrap(),
            Err(_) => &mut at[step],
        };
    }
    *at = value;
    it
}

fn secured(field: &str, value: Value) -> Vec<Value> {
    vec![with(
        helm(),
        &format!("containers/0/securityContext/{field}"),
        value,
    )]
}

/// A pod that cannot be read may be the one that fails.
fn unreadable() -> Value {
    json!({"kind": "Pod", "metadata": {"name": "p", "namespace": "flux-system"}, "spec": {"containers": 7}})
}

#[rustfmt::skip]
fn security() -> Vec<Case> {
    let bare = deployment("helm-controller", "1.6.3", &[]);
    let of_pod = |field: &str, value: Value| vec![with(helm(), field, value)];
    let stripped = with(with(helm(), "containers/0/securityContext/runAsNonRoot", json!(null)), "containers/0/securityContext/seccompProfile", json!(null));
    let namespace = |labels: Value| json!({"kind": "Namespace", "metadata": {"name": "flux-system", "labels": labels}});
    let privileged = json!({"name": "x", "image": "x", "securityContext": {"privileged": true}});
    vec![
        ("FSX-POD-001", "as shipped", vec![helm()], Pass),
        ("FSX-POD-001", "nothing set", vec![bare], Fail),
        ("FSX-POD-001", "privileged", secured("privileged", json!(true)), Fail),
        ("FSX-POD-001", "privilege escalation is on unless it is off", secured("allowPrivilegeEscalation", json!(null)), Fail),
        ("FSX-POD-001", "an added capability", secured("capabilities", json!({"add": ["SYS_ADMIN"], "drop": ["ALL"]})), Fail),
        ("FSX-POD-001", "the one capability that may be added", secured("capabilities", json!({"add": ["NET_BIND_SERVICE"], "drop": ["ALL"]})), Pass),
        ("FSX-POD-001", "root", secured("runAsUser", json!(0)), Fail),
        ("FSX-POD-001", "FSX-POD-001 no runAsUser is fine", secured("runAsUser", json!(null)), Pass),
        ("FSX-POD-001", "seccomp off", secured("seccompProfile", json!({"type": "Unconfined"})), Fail),
        ("FSX-POD-001", "a writable root", secured("readOnlyRootFilesystem", json!(false)), Fail),
        ("FSX-POD-001", "the node's network", of_pod("hostNetwork", json!(true)), Fail),
        ("FSX-POD-001", "a hostPath", of_pod("volumes", json!([{"name": "v", "hostPath": {"path": "/"}}])), Fail),
        ("FSX-POD-001", "another kind of volume", of_pod("volumes", json!([{"name": "v", "nfs": {"server": "s", "path": "/"}}])), Fail),
        ("FSX-POD-001", "the shipped volumes", of_pod("volumes", json!([{"name": "v", "emptyDir": {}}])), Pass),
        ("FSX-POD-001", "FSX-POD-001 a sidecar counts", of_pod("containers", json!([helm()["spec"]["template"]["spec"]["containers"][0], privileged])), Fail),
        ("FSX-POD-001", "an init container counts", of_pod("initContainers", json!([privileged])), Fail),
        ("FSX-POD-001", "FSX-POD-001 OpenShift fills in what the template lacks", vec![stripped.clone(), admitted(&helm())], Pass),
        ("FSX-POD-001", "FSX-POD-001 the admitted pod is the evidence", vec![helm(), admitted(&stripped)], Fail),
        ("FSX-POD-001", "a pod cannot be read", vec![helm(), unreadable()], Unknown),
        ("FSX-POD-002", "restricted", vec![namespace(json!({"pod-security.kubernetes.io/enforce": "restricted"})), helm()], Pass),
        ("FSX-POD-002", "as shipped", vec![namespace(json!({"pod-security.kubernetes.io/warn": "restricted"})), helm()], Fail),
        ("FSX-POD-002", "baseline", vec![namespace(json!({"pod-security.kubernetes.io/enforce": "baseline"})), helm()], Fail),
        ("FSX-POD-002", "FSX-POD-002 OpenShift removes the labels", vec![namespace(json!({})), helm()], Fail),
        ("FSX-POD-002", "no Flux there", vec![namespace(json!({}))], NotApplicable),
        ("FSX-POD-002", "a pod cannot be read", vec![namespace(json!({})), helm(), unreadable()], Unknown),
    ]
}

#[rustfmt::skip]
fn additions() -> Vec<Case> {
    let of_pod = |field: &str, value: Value| vec![with(helm(), field, value)];
    let main = helm()["spec"]["template"]["spec"]["containers"][0].clone();
    let sidecar = json!({"name": "istio-proxy", "image": "istio/proxyv2:1"});
    let short = || with(helm(), "terminationGracePeriodSeconds", json!(60));
    let mut kustomize = hardened("kustomize-controller");
    kustomize["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = json!(null);
    vec![
        ("FSX-POD-003", "as shipped", vec![helm(), admitted(&helm())], Pass),
        ("FSX-POD-003", "FSX-POD-003 a sidecar of a mesh is for a person to accept", of_pod("containers", json!([main, sidecar])), Fail),
        ("FSX-POD-003", "injected into the pod only", vec![helm(), admitted(&of_pod("containers", json!([main, sidecar]))[0])], Fail),
        ("FSX-POD-003", "an init container", of_pod("initContainers", json!([{"name": "certs", "image": "x"}])), Fail),
        ("FSX-POD-003", "a hostPath", of_pod("volumes", json!([{"name": "v", "hostPath": {"path": "/run"}}])), Fail),
        ("FSX-POD-003", "a Secret", of_pod("volumes", json!([{"name": "v", "secret": {"secretName": "s"}}])), Fail),
        ("FSX-POD-003", "a projected Secret", of_pod("volumes", json!([{"name": "v", "projected": {"sources": [{"secret": {"name": "s"}}]}}])), Fail),
        ("FSX-POD-003", "a ConfigMap", of_pod("volumes", json!([{"name": "v", "configMap": {"name": "c"}}])), Pass),
        ("FSX-POD-003", "another command", of_pod("containers/0/command", json!(["/bin/sh"])), Fail),
        ("FSX-POD-003", "a pod cannot be read", vec![helm(), unreadable()], Unknown),
        ("FSX-POD-004", "as shipped", vec![helm()], Pass),
        ("FSX-POD-004", "no limit", of_pod("containers/0/resources", json!({"limits": {"cpu": "1"}})), Fail),
        ("FSX-POD-004", "no priority", of_pod("priorityClassName", json!(null)), Fail),
        ("FSX-POD-004", "shipped without a priority", vec![with(hardened("notification-controller"), "priorityClassName", json!(null))], Pass),
        ("FSX-POD-004", "too short for a release", vec![short()], Fail),
        ("FSX-POD-004", "only helm-controller needs long", vec![kustomize], Pass),
        ("FSX-POD-004", "a pod cannot be read", vec![helm(), unreadable()], Unknown),
    ]
}

#[rustfmt::skip]
fn environment() -> Vec<Case> {
    let variables = |pairs: &[(&str, &str)]| {
        let env: Vec<Value> = pairs.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
        vec![with(helm(), "containers/0/env", json!(env))]
    };
    vec![
        ("FSX-POD-005", "as shipped", vec![helm()], Pass),
        ("FSX-POD-005", "another cluster", variables(&[("KUBECONFIG", "/x")]), Fail),
        ("FSX-POD-005", "another server of artifacts", variables(&[("SOURCE_CONTROLLER_LOCALHOST", "x:80")]), Fail),
        ("FSX-POD-005", "FSX-POD-005 controllers that share a pod find each other there", variables(&[("SOURCE_CONTROLLER_LOCALHOST", "localhost:9790")]), Pass),
        ("FSX-POD-005", "sounds like the own pod", variables(&[("SOURCE_WATCHER_LOCALHOST", "localhost.example:80")]), Fail),
        ("FSX-POD-005", "certificates of one's own", variables(&[("SSL_CERT_FILE", "/x")]), Fail),
        ("FSX-POD-005", "a proxy for everything", variables(&[("HTTPS_PROXY", "http://p")]), Fail),
        ("FSX-POD-005", "FSX-POD-005 a proxy with exceptions", variables(&[("HTTPS_PROXY", "http://p"), ("NO_PROXY", ".cluster.local")]), Pass),
        ("FSX-POD-005", "set to nothing", variables(&[("KUBECONFIG", "")]), Pass),
        ("FSX-POD-005", "more from elsewhere", vec![with(helm(), "containers/0/envFrom", json!([{"configMapRef": {"name": "c"}}]))], Unknown),
    ]
}

/// A controller beside the main one.
fn beside(name: &str, namespace: &str, args: &[&str]) -> Value {
    let mut it = deployment("kustomize-controller", "1.9.4", args);
    it["metadata"]["name"] = json!(name);
    it["metadata"]["namespace"] = json!(namespace);
    it
}

/// A controller whose selector comes from a Secret.
fn secret_selector() -> Value {
    let mut it = beside(
        "kustomize-controller-a",
        "flux-system",
        &["--watch-label-selector=$(SELECTOR)"],
    );
    let env = it["spec"]["template"]["spec"]["containers"][0]["env"]
        .as_array_mut()
        .unwrap();
    env.push(json!({"name": "SELECTOR", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}));
    it
}

#[rustfmt::skip]
fn lanes() -> Vec<Case> {
    let main = |selector: &str| kustomize(&[&format!("--watch-label-selector={selector}")]);
    let second = |selector: &str| beside("kustomize-controller-a", "flux-system", &[&format!("--watch-label-selector={selector}")]);
    let pair = |one: &str, two: &str| vec![main(one), second(two)];
    let only = "--watch-all-namespaces=false";
    let mut stopped = second("");
    stopped["spec"]["replicas"] = json!(0);
    let mut of_watcher = deployment("source-watcher", "2.2.0", &["--watch-label-selector=k=a"]);
    of_watcher["metadata"]["name"] = json!("source-watcher-a");
    let watcher = deployment("source-watcher", "2.2.0", &["--watch-label-selector=!k"]);
    vec![
        ("FSP-RES-002", "as Flux documents it", pair("!sharding.fluxcd.io/key", "sharding.fluxcd.io/key=a"), Pass),
        ("FSP-RES-002", "sets", pair("k in (a,b)", "k notin (a, b)"), Pass),
        ("FSP-RES-002", "FSP-RES-002 no selector on the main one", vec![kustomize(&[]), second("k=a")], Fail),
        ("FSP-RES-002", "the same", pair("k=a", "k==a"), Fail),
        ("FSP-RES-002", "FSP-RES-002 a key overlaps with each of its values", pair("k", "k=a"), Fail),
        ("FSP-RES-002", "a missing label is not equal to a", pair("k!=a", "!k"), Fail),
        ("FSP-RES-002", "numbers are not calculated", pair("k>3", "k<2"), Unknown),
        ("FSP-RES-002", "a selector that the controller refuses", pair("k=a", "k in (a"), Unknown),
        ("FSP-RES-002", "a label that Kubernetes refuses", pair("k=a", "K.x/y"), Unknown),
        ("FSP-RES-002", "FSP-RES-002 notification-controller cannot be sharded", vec![deployment("notification-controller", "1.9.3", &[]), { let mut it = deployment("notification-controller", "1.9.3", &[]); it["metadata"]["name"] = json!("notification-controller-a"); it }], Fail),
        ("FSP-RES-002", "FSP-RES-002 a newer source-watcher obeys its selector", ["!k", "k=a"].map(|selector| { let mut it = deployment("source-watcher", "2.2.1", &[&format!("--watch-label-selector={selector}")]); it["metadata"]["name"] = json!(format!("source-watcher{}", selector.len())); it }).to_vec(), Pass),
        ("FSP-RES-002", "a selector from a Secret", vec![main("!k"), secret_selector()], Unknown),
        ("FSP-RES-002", "each in its namespace", vec![kustomize(&[only]), beside("kustomize-controller", "flux-a", &[only])], Pass),
        ("FSP-RES-002", "one in its namespace, one everywhere", vec![kustomize(&[]), beside("kustomize-controller", "flux-a", &[only])], Fail),
        ("FSP-RES-002", "FSP-RES-002 an old source-watcher ignores its selector", vec![watcher, of_watcher], Fail),
        ("FSP-RES-002", "the other is scaled to zero", vec![kustomize(&[]), stopped], NotApplicable),
        ("FSP-RES-002", "the only one", vec![kustomize(&[])], NotApplicable),
        ("FSP-RES-003", "in its namespace", vec![kustomize(&[only])], Pass),
        ("FSP-RES-003", "FSP-RES-003 an empty variable opens all namespaces", vec![with(kustomize(&[only]), "containers/0/env", json!([]))], Fail),
        ("FSP-RES-003", "another namespace", vec![with(kustomize(&[only]), "containers/0/env", json!([{"name": "RUNTIME_NAMESPACE", "value": "x"}]))], Fail),
        ("FSP-RES-003", "beside one that watches all", vec![kustomize(&[only]), beside("kustomize-controller", "flux-a", &[])], Fail),
        ("FSP-RES-003", "beside one with a selector", vec![kustomize(&[only]), beside("kustomize-controller", "flux-a", &["--watch-label-selector=k=a"])], Pass),
        ("FSP-RES-003", "a variable from elsewhere", vec![with(with(kustomize(&[only]), "containers/0/env", json!([])), "containers/0/envFrom", json!([{"configMapRef": {"name": "c"}}]))], Unknown),
        ("FSP-RES-003", "all namespaces", vec![kustomize(&[])], NotApplicable),
    ]
}

#[rustfmt::skip]
fn shards() -> Vec<Case> {
    let locked = ["--no-cross-namespace-refs", "--default-service-account=none", "--no-remote-bases"];
    let shard = |args: &[&str]| {
        let mut it = beside("kustomize-controller-a", "flux-system", args);
        it["metadata"]["annotations"] = json!({"sharding.fluxcd.io/role": "shard"});
        it
    };
    vec![
        ("FSP-RES-005", "both locked down", vec![kustomize(&locked), shard(&locked)], Pass),
        ("FSP-RES-005", "FSP-RES-005 the patch missed the shard", vec![kustomize(&locked), shard(&[])], Fail),
        ("FSP-RES-005", "one flag is missing", vec![kustomize(&locked), shard(&locked[..2])], Fail),
        ("FSP-RES-005", "the shard is the stronger one", vec![kustomize(&[]), shard(&locked)], Pass),
        ("FSP-RES-005", "a flag that cannot be read", vec![kustomize(&locked), shard(&["--no-cross-namespace-refs=$(X)"]) , unreadable()], Unknown),
        ("FSP-RES-005", "no shard", vec![kustomize(&locked)], NotApplicable),
        ("FSP-RES-001", "one of each", vec![kustomize(&[])], NotApplicable),
        ("FSP-RES-001", "two", vec![kustomize(&[]), shard(&[])], Manual),
        ("FSP-RES-001", "FSP-RES-001 replicas stand by and are no lane", vec![{ let mut it = kustomize(&[]); it["spec"]["replicas"] = json!(3); it }], NotApplicable),
        ("FSP-RES-001", "a pod cannot be read", vec![kustomize(&[]), unreadable()], Unknown),
        ("FSP-RES-006", "told", vec![kustomize(&["--concurrent=20"])], Manual),
        ("FSP-RES-006", "no Flux", vec![], NotApplicable),
        ("FSP-RES-006", "a pod cannot be read", vec![kustomize(&[]), unreadable()], Unknown),
    ]
}
