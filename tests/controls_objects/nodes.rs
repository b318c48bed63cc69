//! Pods of controllers, and the lanes that share the work.

use super::*;

pub(crate) fn cases() -> Vec<Case> {
    [security(), additions(), environment()].concat()
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
        ("FSX-POD-005", "certificates of one's own", variables(&[("SSL_CERT_FILE", "/x")]), Fail),
        ("FSX-POD-005", "a proxy for everything", variables(&[("HTTPS_PROXY", "http://p")]), Fail),
        ("FSX-POD-005", "FSX-POD-005 a proxy with exceptions", variables(&[("HTTPS_PROXY", "http://p"), ("NO_PROXY", ".cluster.local")]), Pass),
        ("FSX-POD-005", "set to nothing", variables(&[("KUBECONFIG", "")]), Pass),
        ("FSX-POD-005", "more from elsewhere", vec![with(helm(), "containers/0/envFrom", json!([{"configMapRef": {"name": "c"}}]))], Unknown),
    ]
}
