//! Who may do what.

use super::*;

const RBAC: &str = "rbac.authorization.k8s.io";

pub(crate) fn cases() -> Vec<Case> {
    [tenants(), controllers(), platform()].concat()
}

#[expect(clippy::needless_pass_by_value, reason = "the calls read better")]
fn cluster_role(name: &str, rules: Value) -> Value {
    json!({"kind": "ClusterRole", "metadata": {"name": name}, "rules": rules})
}

fn rule(verb: &str, group: &str, resource: &str) -> Value {
    json!({"verbs": [verb], "apiGroups": [group], "resources": [resource]})
}

fn admin() -> Value {
    cluster_role("cluster-admin", json!([rule("*", "*", "*")]))
}

fn subject(namespace: &str, name: &str) -> Value {
    json!({"kind": "ServiceAccount", "namespace": namespace, "name": name})
}

fn group(name: &str) -> Value {
    json!({"kind": "Group", "apiGroup": RBAC, "name": name})
}

#[expect(clippy::needless_pass_by_value, reason = "the calls read better")]
fn bind(namespace: &str, role: &str, subjects: Value) -> Value {
    json!({
        "kind": "RoleBinding", "metadata": {"name": "bound", "namespace": namespace},
        "roleRef": {"kind": "ClusterRole", "name": role}, "subjects": subjects,
    })
}

#[expect(clippy::needless_pass_by_value, reason = "the calls read better")]
fn bind_everywhere(role: &str, subjects: Value) -> Value {
    json!({
        "kind": "ClusterRoleBinding", "metadata": {"name": "bound"},
        "roleRef": {"kind": "ClusterRole", "name": role}, "subjects": subjects,
    })
}

fn namespace(name: &str) -> Value {
    json!({"kind": "Namespace", "metadata": {"name": name}})
}

/// A controller under an account of its own name.
fn controller(name: &str, version: &str, args: &[&str]) -> Value {
    deployment(name, version, args)
}

/// Objects that cannot be read as roles.
fn unreadable() -> Value {
    json!({"kind": "ClusterRole", "metadata": {"name": "odd"}, "rules": 7})
}

#[rustfmt::skip]
fn tenants() -> Vec<Case> {
    let locked = kustomize(&["--default-service-account=nobody"]);
    let unset = object("Kustomization", json!({}));
    let here = [namespace("tenant"), unset, locked];
    let with = |more: &[Value]| [&here[..], more].concat();
    let secrets = cluster_role("secrets", json!([rule("get", "", "secrets")]));
    let reviews = cluster_role("basic", json!([rule("create", "authorization.k8s.io", "selfsubjectaccessreviews")]));
    let pods = cluster_role("pods", json!([rule("list", "", "pods")]));
    let deployer = object("Kustomization", json!({"serviceAccountName": "deployer"}));
    let remote = object("HelmRelease", json!({"serviceAccountName": "deployer", "kubeConfig": {"secretRef": {"name": "k"}}}));
    let account = json!([subject("tenant", "deployer")]);
    let binder = cluster_role("binder", json!([rule("bind", RBAC, "clusterroles")]));
    let limited = cluster_role("limited", json!([{"verbs": ["bind"], "apiGroups": [RBAC], "resources": ["clusterroles"], "resourceNames": ["view"]}]));
    vec![
        ("FSP-MT-009", "nobody binds it", with(&[]), Pass),
        ("FSP-MT-009", "questions about oneself", with(&[reviews, bind_everywhere("basic", json!([group("system:authenticated")]))]), Pass),
        ("FSP-MT-009", "FSP-MT-009 a chart bound it in the namespace", with(&[admin(), bind("tenant", "cluster-admin", json!([subject("tenant", "nobody")]))]), Fail),
        ("FSP-MT-009", "bound by the group of the namespace", with(&[secrets.clone(), bind("tenant", "secrets", json!([group("system:serviceaccounts:tenant")]))]), Fail),
        ("FSP-MT-009", "bound by the group of all accounts", with(&[secrets.clone(), bind_everywhere("secrets", json!([group("system:serviceaccounts")]))]), Fail),
        ("FSP-MT-009", "FSP-MT-009 OpenShift lets every account pull images", with(&[cluster_role("system:image-puller", json!([rule("get", "image.openshift.io", "imagestreams/layers")])), bind("tenant", "system:image-puller", json!([group("system:serviceaccounts:tenant")]))]), Fail),
        ("FSP-MT-009", "reading counts, a little", with(&[pods, bind("tenant", "pods", json!([subject("tenant", "nobody")]))]), Fail),
        ("FSP-MT-009", "the same name in another namespace", with(&[admin(), bind("tenant", "cluster-admin", json!([subject("other", "nobody")]))]), Pass),
        ("FSP-MT-009", "the role is gone", with(&[bind("tenant", "gone", json!([subject("tenant", "nobody")]))]), Pass),
        ("FSP-MT-009", "a role that cannot be read", with(&[unreadable()]), Unknown),
        ("FSP-MT-009", "no lock-down", vec![namespace("tenant"), object("Kustomization", json!({})), kustomize(&[])], NotApplicable),
        ("FSX-TEN-002", "nothing bound", vec![deployer.clone()], Pass),
        ("FSX-TEN-002", "everything, everywhere", vec![deployer.clone(), admin(), bind_everywhere("cluster-admin", account.clone())], Fail),
        ("FSX-TEN-002", "FSX-TEN-002 flux create tenant", vec![deployer.clone(), admin(), bind("tenant", "cluster-admin", account.clone())], Fail),
        ("FSX-TEN-002", "Secrets of its namespace", vec![deployer.clone(), secrets.clone(), bind("tenant", "secrets", account.clone())], Pass),
        ("FSX-TEN-002", "Secrets everywhere", vec![deployer.clone(), secrets, bind_everywhere("secrets", account.clone())], Fail),
        ("FSX-TEN-002", "may bind any role", vec![deployer.clone(), binder, bind("tenant", "binder", account.clone())], Fail),
        ("FSX-TEN-002", "may bind one role", vec![deployer.clone(), limited, bind("tenant", "limited", account.clone())], Pass),
        ("FSX-TEN-002", "a role that cannot be read", vec![deployer, unreadable()], Unknown),
        ("FSX-TEN-002", "a remote cluster", vec![remote, admin(), bind_everywhere("cluster-admin", account)], NotApplicable),
    ]
}

#[rustfmt::skip]
fn controllers() -> Vec<Case> {
    let source = controller("source-controller", "1.9.4", &[]);
    let apply = [controller("kustomize-controller", "1.9.4", &[]), controller("helm-controller", "1.6.3", &[])];
    let flux = |name: &str| subject("flux-system", name);
    let upstream = bind_everywhere("cluster-admin", json!([flux("default"), subject("flux-system", "kustomize-controller")]));
    let all = |more: &[Value]| [&apply[..], &[admin(), source.clone()], more].concat();
    let locked = controller("kustomize-controller", "1.9.4", &["--default-service-account=nobody"]);
    let tokens = cluster_role("crd-controller", json!([rule("create", "", "serviceaccounts/token")]));
    let bound = bind_everywhere("crd-controller", json!([flux("source-controller")]));
    let newest = controller("source-controller", "1.10.1", &[]);
    let gated = controller("source-controller", "1.8.0", &["--feature-gates=ObjectLevelWorkloadIdentity=true"]);
    let shelled = { let mut it = source.clone(); it["spec"]["template"]["spec"]["containers"][0]["command"] = json!(["sh", "-c", "x"]); it };
    let role = |name: &str, label: &str, rule: Value| {
        let mut role = cluster_role(name, json!([rule]));
        role["metadata"]["labels"] = json!({format!("{RBAC}/aggregate-to-{label}"): "true"});
        vec![role]
    };
    vec![
        ("FSX-RBAC-001", "as upstream binds them", all(&[bind_everywhere("cluster-admin", json!([flux("kustomize-controller"), flux("helm-controller")]))]), Pass),
        ("FSX-RBAC-001", "source-controller, too", all(&[bind_everywhere("cluster-admin", json!([flux("kustomize-controller"), flux("source-controller")]))]), Fail),
        ("FSX-RBAC-001", "somebody else, too", all(&[bind_everywhere("cluster-admin", json!([flux("kustomize-controller"), subject("tenant", "ci")]))]), Fail),
        ("FSX-RBAC-001", "somebody of the platform, too", all(std::slice::from_ref(&upstream)), Pass),
        ("FSX-RBAC-001", "nobody of Flux", all(&[bind_everywhere("cluster-admin", json!([group("admins")]))]), NotApplicable),
        ("FSX-RBAC-001", "roles cannot be read", all(&[unreadable(), upstream.clone()]), Unknown),
        ("FSX-RBAC-002", "no default account", all(std::slice::from_ref(&upstream)), Fail),
        ("FSX-RBAC-002", "a default account", vec![locked, admin(), upstream.clone()], Pass),
        ("FSX-RBAC-002", "roles cannot be read", all(&[unreadable(), upstream]), Unknown),
        ("FSX-RBAC-003", "no gate", vec![source.clone(), tokens.clone(), bound.clone()], Fail),
        ("FSX-RBAC-003", "the gate is on", vec![gated, tokens.clone(), bound.clone()], Pass),
        ("FSX-RBAC-003", "FSX-RBAC-003 the rule is found by its content, wherever it stands", vec![source.clone(), cluster_role("crd-controller", json!([rule("get", "", "secrets"), rule("create", "coordination.k8s.io", "leases"), rule("create", "", "serviceaccounts/token")])), bound.clone()], Fail),
        ("FSX-RBAC-003", "FSX-RBAC-003 a retired gate needs no such right", vec![controller("source-controller", "1.10.1", &["--feature-gates=ObjectLevelWorkloadIdentity=true"]), tokens.clone(), bound.clone()], Fail),
        ("FSX-RBAC-003", "cluster-admin is another matter", vec![source.clone(), admin(), bind_everywhere("cluster-admin", json!([flux("source-controller")]))], NotApplicable),
        ("FSX-RBAC-003", "bound to others", vec![source.clone(), tokens.clone(), bind_everywhere("crd-controller", json!([group("x")]))], NotApplicable),
        ("FSX-RBAC-003", "2.10 left the rule behind", vec![newest.clone(), tokens.clone(), bound.clone()], Fail),
        ("FSX-RBAC-003", "2.10 ignores the gate", vec![controller("source-controller", "1.10.1", &["--feature-gates=ObjectLevelWorkloadIdentity=true"]), tokens.clone(), bound.clone()], Fail),
        ("FSX-RBAC-003", "2.10 with a default account", vec![controller("source-controller", "1.10.1", &["--default-service-account=none"]), tokens.clone(), bound.clone()], Pass),
        ("FSX-RBAC-003", "a source has an identity", vec![newest.clone(), tokens.clone(), bound.clone(), object("Bucket", json!({"provider": "aws", "serviceAccountName": "a"}))], Pass),
        ("FSX-RBAC-003", "a source has the identity of the controller", vec![newest.clone(), tokens.clone(), bound.clone(), object("Bucket", json!({"provider": "aws"}))], Fail),
        ("FSX-RBAC-003", "a Kustomization decrypts as an account", vec![newest.clone(), tokens.clone(), bound.clone(), object("Kustomization", json!({"decryption": {"provider": "sops", "serviceAccountName": "a"}}))], Pass),
        ("FSX-RBAC-003", "a release logs in elsewhere", vec![newest, tokens.clone(), bound.clone(), object("HelmRelease", json!({"kubeConfig": {"configMapRef": {"name": "a"}}}))], Pass),
        ("FSX-RBAC-003", "before 2.10 an account without the gate is ignored", vec![source.clone(), tokens.clone(), bound.clone(), object("Bucket", json!({"provider": "aws", "serviceAccountName": "a"}))], Fail),
        ("FSX-RBAC-003", "the command line is not readable", vec![shelled, tokens, bound], Unknown),
        ("FSX-RBAC-004", "edit manages Flux", role("flux-edit", "edit", rule("create", "kustomize.toolkit.fluxcd.io", "*")), Fail),
        ("FSX-RBAC-004", "view shows webhook paths", role("flux-view", "view", rule("get", "notification.toolkit.fluxcd.io", "*")), Fail),
        ("FSX-RBAC-004", "view shows Kustomizations", role("flux-view", "view", rule("get", "kustomize.toolkit.fluxcd.io", "*")), Pass),
        ("FSX-RBAC-004", "aggregated to nothing", vec![cluster_role("flux-edit", json!([rule("create", "kustomize.toolkit.fluxcd.io", "*")]))], Pass),
        ("FSX-RBAC-004", "not of Flux", role("pods", "edit", rule("create", "", "pods")), NotApplicable),
        ("FSX-RBAC-004", "cannot be read", vec![unreadable()], Unknown),
    ]
}

#[rustfmt::skip]
fn platform() -> Vec<Case> {
    let flux = [namespace("flux-system"), controller("kustomize-controller", "1.9.4", &[]), in_namespace(object("Kustomization", json!({})), "flux-system")];
    let with = |more: &[Value]| [&flux[..], more].concat();
    let exec = cluster_role("exec", json!([rule("create", "", "pods/exec")]));
    let view = cluster_role("pods", json!([rule("get", "", "pods")]));
    let appliers = cluster_role("appliers", json!([rule("create", "helm.toolkit.fluxcd.io", "helmreleases")]));
    let team = || json!([group("team")]);
    vec![
        ("FSX-RBAC-005", "nobody", with(&[]), Pass),
        ("FSX-RBAC-005", "may run commands in pods", with(&[exec.clone(), bind("flux-system", "exec", team())]), Fail),
        ("FSX-RBAC-005", "may look at pods", with(&[view, bind("flux-system", "pods", team())]), Pass),
        ("FSX-RBAC-005", "Flux itself", with(&[exec.clone(), bind("flux-system", "exec", json!([subject("flux-system", "x")]))]), Pass),
        ("FSX-RBAC-005", "Kubernetes itself", with(&[exec.clone(), bind("flux-system", "exec", json!([group("system:masters")]))]), Pass),
        ("FSX-RBAC-005", "everybody", with(&[exec.clone(), bind("flux-system", "exec", json!([group("system:authenticated")]))]), Fail),
        ("FSX-RBAC-005", "another namespace", with(&[exec, bind("tenant", "exec", team())]), Pass),
        ("FSX-RBAC-005", "roles cannot be read", with(&[unreadable()]), Unknown),
        ("FSX-RBAC-005", "no Flux there", vec![namespace("tenant"), kustomize(&[])], NotApplicable),
        ("FSP-DED-002", "nobody", with(&[]), Pass),
        ("FSP-DED-002", "everything", with(&[admin(), bind_everywhere("cluster-admin", team())]), Fail),
        ("FSP-DED-002", "everything, in a namespace", with(&[admin(), bind("tenant", "cluster-admin", team())]), Pass),
        ("FSP-DED-002", "may delete namespaces", with(&[cluster_role("ns", json!([rule("delete", "", "namespaces")])), bind_everywhere("ns", team())]), Fail),
        ("FSP-DED-002", "the platform", with(&[admin(), bind_everywhere("cluster-admin", json!([group("system:masters"), subject("flux-system", "x")]))]), Pass),
        ("FSP-DED-002", "roles cannot be read", with(&[unreadable()]), Unknown),
        ("FSX-TEN-004", "nobody", with(&[]), Pass),
        ("FSX-TEN-004", "by a RoleBinding", with(&[appliers.clone(), bind("flux-system", "appliers", team())]), Fail),
        ("FSX-TEN-004", "FSX-TEN-004 by a ClusterRoleBinding", with(&[appliers.clone(), bind_everywhere("appliers", json!([subject("tenant", "ci")]))]), Fail),
        ("FSX-TEN-004", "the platform", with(&[appliers, bind_everywhere("appliers", json!([subject("flux-system", "x")]))]), Pass),
        ("FSX-TEN-004", "roles cannot be read", with(&[unreadable()]), Unknown),
    ]
}
