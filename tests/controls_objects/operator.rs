//! flux-operator, its objects, and who looks after what it installed.

use super::*;

pub(crate) fn cases() -> Vec<Case> {
    [
        accounts(),
        sets(),
        instances(),
        providers(),
        drift(),
        asleep(),
        versions(),
    ]
    .concat()
}

fn operator(args: &[&str], env: &[Value]) -> Value {
    let mut it = support::flux_operator("0.58.1", args, &[]);
    let variables = it["spec"]["template"]["spec"]["containers"][0]["env"]
        .as_array_mut()
        .unwrap();
    variables.extend_from_slice(env);
    it
}

fn rule(resource: &str) -> Value {
    json!({"apiGroups": ["fluxcd.controlplane.io"], "resources": [resource], "verbs": ["create", "patch"]})
}

/// What the chart gives to users.
fn aggregated(to: &str) -> Value {
    json!({
        "kind": "ClusterRole", "metadata": {"name": "flux-operator-edit", "labels": {format!("rbac.authorization.k8s.io/aggregate-to-{to}"): "true"}},
        "rules": [rule("resourcesets")],
    })
}

/// Somebody with a role of these rules in a tenant's namespace.
#[expect(clippy::needless_pass_by_value, reason = "the calls read better")]
fn bound(subject: Value, rule: Value) -> Vec<Value> {
    vec![
        json!({"kind": "Role", "metadata": {"name": "maker", "namespace": "tenant"}, "rules": [rule]}),
        json!({
            "kind": "RoleBinding", "metadata": {"name": "maker", "namespace": "tenant"},
            "roleRef": {"kind": "Role", "name": "maker"}, "subjects": [subject],
        }),
    ]
}

#[rustfmt::skip]
fn accounts() -> Vec<Case> {
    let args = |args: &[&str]| operator(args, &[]);
    let named = json!({"name": "DEFAULT_SERVICE_ACCOUNT", "value": "flux-operator"});
    let open = || args(&[]);
    let jane = || json!({"kind": "User", "name": "jane"});
    let with = |operator: Value, others: Vec<Value>| [vec![operator], others].concat();
    let secret = json!({"name": "DEFAULT_SERVICE_ACCOUNT", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}});
    vec![
        ("FSX-OPR-001", "open, and the chart gives it to users", with(open(), vec![aggregated("edit")]), Fail),
        ("FSX-OPR-001", "open, and a tenant may", with(open(), bound(jane(), rule("resourcesets"))), Fail),
        ("FSX-OPR-001", "open, and nobody may", with(open(), vec![]), Pass),
        ("FSX-OPR-001", "users see them only", with(open(), vec![aggregated("view")]), Pass),
        ("FSX-OPR-001", "a tenant may make something else", with(open(), bound(jane(), rule("fluxreports"))), Pass),
        ("FSX-OPR-001", "the platform may", with(open(), bound(json!({"kind": "Group", "name": "system:masters"}), rule("resourcesets"))), Pass),
        ("FSX-OPR-001", "a default account", with(args(&["--default-service-account=flux-operator"]), vec![aggregated("edit")]), Pass),
        ("FSX-OPR-001", "an empty one", with(args(&["--default-service-account="]), vec![aggregated("edit")]), Fail),
        ("FSX-OPR-001", "FSX-OPR-001 the variable wins", with(operator(&["--default-service-account="], std::slice::from_ref(&named)), vec![aggregated("edit")]), Pass),
        ("FSX-OPR-001", "by the variable of OLM", with(operator(&[], &[named]), vec![aggregated("edit")]), Pass),
        ("FSX-OPR-001", "the variable is in a Secret", with(operator(&[], &[secret]), vec![aggregated("edit")]), Unknown),
        ("FSX-OPR-001", "FSX-OPR-001 multitenant of the FluxInstance does not cover it", with(open(), vec![aggregated("edit"), instance(json!({"cluster": {"multitenant": true}}))]), Fail),
        ("FSX-OPR-001", "a web interface alone", with(args(&["--web-server-only"]), vec![aggregated("edit")]), NotApplicable),
        ("FSX-OPR-001", "Flux without the operator", vec![kustomize(&[])], NotApplicable),
    ]
}

#[rustfmt::skip]
fn sets() -> Vec<Case> {
    let open = || operator(&[], &[]);
    let locked = || operator(&["--default-service-account=flux-operator"], &[]);
    let secret = json!({"name": "A", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}});
    let set = |spec: Value| object("ResourceSet", spec);
    let copy = |from: &str| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a", "annotations": {"fluxcd.controlplane.io/copyFrom": from}}});
    let copies = |from: &str| set(json!({"serviceAccountName": "deployer", "resources": [copy(from)]}));
    let team = |name: &str, team: &str| json!({"kind": "Namespace", "metadata": {"name": name, "labels": {"toolkit.fluxcd.io/tenant": team}}});
    vec![
        ("FSX-OPR-002", "no account, open", vec![set(json!({"resources": []})), open()], Fail),
        ("FSX-OPR-002", "no account, a default", vec![set(json!({"resources": []})), locked()], Pass),
        ("FSX-OPR-002", "an account, open", vec![set(json!({"serviceAccountName": "deployer", "resources": []})), open()], Pass),
        ("FSX-OPR-002", "no account, and nobody applies it", vec![set(json!({"resources": []}))], NotApplicable),
        ("FSX-OPR-002", "copies from the platform", vec![copies("flux-system/flux-system"), open()], Fail),
        ("FSX-OPR-002", "copies from another tenant", vec![copies("other/a"), open()], Fail),
        ("FSX-OPR-002", "copies within the namespace", vec![copies("tenant/a"), open()], Pass),
        ("FSX-OPR-002", "copies between namespaces of one tenant", vec![copies("second/a"), open(), team("tenant", "a"), team("second", "a")], Pass),
        ("FSX-OPR-002", "a template copies", vec![set(json!({"serviceAccountName": "d", "resourcesTemplate": "metadata:\n  annotations:\n    fluxcd.controlplane.io/copyFrom: \"flux-system/a\"\n"})), open()], Fail),
        ("FSX-OPR-002", "an input says what is copied", vec![copies("<< inputs.from >>/a"), open()], Unknown),
        ("FSX-OPR-002", "the platform's own", vec![in_namespace(set(json!({"resources": [copy("other/a")]})), "flux-system"), open()], NotApplicable),
        ("FSX-OPR-002", "the default is not readable", vec![set(json!({"resources": []})), operator(&["--default-service-account=$(A)"], &[secret])], Unknown),
        ("FSX-OPR-002", "cannot be read", vec![set(json!({"serviceAccountName": 7})), open()], Unknown),
    ]
}

fn instance(spec: Value) -> Value {
    let mut it = with_status("FluxInstance", spec, &[READY]);
    it["metadata"]["name"] = json!("flux");
    in_namespace(it, "flux-system")
}

#[rustfmt::skip]
fn instances() -> Vec<Case> {
    let locked = |more: Value| {
        let mut spec = json!({"distribution": {"version": "2.x"}, "cluster": {"multitenant": true}});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        vec![instance(spec)]
    };
    let patched = |kind: &str, patch: &str| locked(json!({"kustomize": {"patches": [{"target": {"kind": kind}, "patch": patch}]}}));
    let argument = |value: &str| patched("Deployment", &format!("- op: add\n  path: /spec/template/spec/containers/0/args/-\n  value: {value}\n"));
    let standing = |status: &str, generation: i64| {
        let mut it = locked(json!({}));
        it[0]["status"]["conditions"][0]["status"] = json!(status);
        it[0]["status"]["conditions"][0]["observedGeneration"] = json!(generation);
        it
    };
    vec![
        ("FSX-OPR-004", "locked down", locked(json!({})), Pass),
        ("FSX-OPR-004", "not locked down", locked(json!({"cluster": {"multitenant": false}})), Fail),
        ("FSX-OPR-004", "FSX-OPR-004 without spec.cluster there is no lock-down", locked(json!({"cluster": null})), Fail),
        ("FSX-OPR-004", "no NetworkPolicies", locked(json!({"cluster": {"multitenant": true, "networkPolicy": false}})), Fail),
        ("FSX-OPR-004", "any version", locked(json!({"distribution": {"version": "*"}})), Fail),
        ("FSX-OPR-004", "FSX-OPR-004 a patch comes after the profile", argument("--no-cross-namespace-refs=false"), Fail),
        ("FSX-OPR-004", "a patch replaces all arguments", patched("Deployment", "- op: replace\n  path: /spec/template/spec/containers/0/args\n  value: [--log-level=info]\n"), Fail),
        ("FSX-OPR-004", "a patch removes NetworkPolicies", patched("NetworkPolicy", "$patch: delete\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: all\n"), Fail),
        ("FSX-OPR-004", "a patch for speed", argument("--concurrent=20"), Pass),
        ("FSX-OPR-004", "a patch that locks further", argument("--no-remote-bases=true"), Pass),
        ("FSX-OPR-004", "not in force", standing("False", 2), Fail),
        ("FSX-OPR-004", "not reconciled since", standing("True", 1), Unknown),
        ("FSX-OPR-004", "cannot be read", locked(json!({"kustomize": {"patches": 7}})), Unknown),
    ]
}

#[rustfmt::skip]
fn providers() -> Vec<Case> {
    let provider = |spec: Value| vec![object("ResourceSetInputProvider", spec)];
    let requests = |kind: &str, more: Value| {
        let mut spec = json!({"type": kind, "url": "https://git.example.com/a"});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        provider(spec)
    };
    vec![
        ("FSX-OPR-005", "any pull request", requests("GitHubPullRequest", json!({})), Fail),
        ("FSX-OPR-005", "any merge request", requests("GitLabMergeRequest", json!({"filter": {"limit": 5}})), Fail),
        ("FSX-OPR-005", "with a label", requests("GitHubPullRequest", json!({"filter": {"labels": ["deploy/preview"]}})), Pass),
        ("FSX-OPR-005", "FSX-OPR-005 whoever forks chooses the name of his branch", requests("GiteaPullRequest", json!({"filter": {"includeBranch": "^feat/"}})), Fail),
        ("FSX-OPR-005", "waits for a label", requests("AzureDevOpsPullRequest", json!({"skip": {"labels": ["!reviewed"]}})), Pass),
        ("FSX-OPR-005", "waits while there is a label", requests("AzureDevOpsPullRequest", json!({"skip": {"labels": ["paused"]}})), Fail),
        ("FSX-OPR-005", "FSX-OPR-005 nobody forks in CodeCommit", requests("AWSCodeCommitPullRequest", json!({})), Pass),
        ("FSX-OPR-005", "branches", requests("GitHubBranch", json!({})), Pass),
        ("FSX-OPR-005", "plain HTTP", requests("GitLabBranch", json!({"url": "http://git.example.com/a"})), Fail),
        ("FSX-OPR-005", "insecure", provider(json!({"type": "OCIArtifactTag", "url": "oci://registry.example.com/a", "insecure": true})), Fail),
        ("FSX-OPR-005", "says them itself", provider(json!({"type": "Static", "defaultValues": {"a": "b"}})), Pass),
        ("FSX-OPR-005", "a type of tomorrow", provider(json!({"type": "CarrierPigeon"})), Unknown),
        ("FSX-OPR-005", "cannot be read", provider(json!({"type": "Static", "filter": 7})), Unknown),
    ]
}

fn namespace() -> Value {
    json!({"kind": "Namespace", "metadata": {"name": "flux-system"}})
}

/// A controller that a Kustomization applies, with whoever set a part of its pod template.
fn applied_by_flux(hands: &[&str]) -> Value {
    kept(&[("kustomize.toolkit.fluxcd.io", "flux-system")], hands)
}

fn kept(keepers: &[(&str, &str)], hands: &[&str]) -> Value {
    let mut it = kustomize(&[]);
    for (prefix, name) in keepers {
        it["metadata"]["labels"][format!("{prefix}/name")] = json!(name);
        it["metadata"]["labels"][format!("{prefix}/namespace")] = json!("flux-system");
    }
    let containers = json!({"f:spec": {"f:template": {"f:spec": {"f:containers": {}}}}});
    let hand = |manager: &&str| json!({"manager": manager, "operation": "Update", "fieldsV1": containers});
    it["metadata"]["managedFields"] = hands.iter().map(hand).collect();
    it
}

fn root(suspend: bool) -> Value {
    let mut it = in_namespace(
        object("Kustomization", json!({"suspend": suspend})),
        "flux-system",
    );
    it["metadata"]["name"] = json!("flux-system");
    it
}

#[rustfmt::skip]
fn drift() -> Vec<Case> {
    let touched = |hands: &[&str]| vec![namespace(), applied_by_flux(hands), root(false)];
    let annotated = |name: &str, value: &str| {
        let mut it = touched(&["kustomize-controller"]);
        it[1]["metadata"]["annotations"] = json!({name: value});
        it
    };
    let restarted = || {
        let mut it = touched(&["kustomize-controller", "kubectl-rollout"]);
        it[1]["metadata"]["managedFields"][1]["fieldsV1"] = json!({"f:spec": {"f:template": {"f:metadata": {"f:annotations": {}}}}});
        it
    };
    let scaled = || {
        let mut it = touched(&["kustomize-controller", "kubectl"]);
        it[1]["metadata"]["managedFields"][1]["fieldsV1"] = json!({"f:spec": {"f:replicas": {}}});
        it[1]["metadata"]["managedFields"][1]["subresource"] = json!("scale");
        it
    };
    let elsewhere = || {
        let mut it = touched(&["kustomize-controller"]);
        it[1]["metadata"]["labels"]["kustomize.toolkit.fluxcd.io/namespace"] = json!("fleet");
        it
    };
    vec![
        ("FSX-CFG-005", "as declared", touched(&["flux", "kustomize-controller"]), Pass),
        ("FSX-CFG-005", "edited", touched(&["kustomize-controller", "kubectl-edit"]), Fail),
        ("FSX-CFG-005", "patched", touched(&["kustomize-controller", "kubectl-patch"]), Fail),
        ("FSX-CFG-005", "by a dashboard", touched(&["kustomize-controller", "Mozilla"]), Fail),
        ("FSX-CFG-005", "a restart is no change", restarted(), Pass),
        ("FSX-CFG-005", "neither is scaling", scaled(), Pass),
        ("FSX-CFG-005", "an annotation in the cluster keeps Flux away", annotated("kustomize.toolkit.fluxcd.io/reconcile", "disabled"), Fail),
        ("FSX-CFG-005", "so does another one", annotated("kustomize.toolkit.fluxcd.io/ssa", "IfNotPresent"), Fail),
        ("FSX-CFG-005", "managers are not recorded", touched(&[]), Unknown),
        ("FSX-CFG-005", "the Kustomization is one of another cluster", vec![namespace(), applied_by_flux(&["kustomize-controller"])], Unknown),
        ("FSX-CFG-005", "the Kustomization is one of another namespace", elsewhere(), Unknown),
        ("FSX-CFG-005", "nobody applies it again", vec![namespace(), kustomize(&[])], NotApplicable),
        ("FSX-CFG-005", "no Flux there", vec![namespace(), root(true)], NotApplicable),
    ]
}

#[rustfmt::skip]
fn asleep() -> Vec<Case> {
    let installed = |hands: &[&str]| kept(&[("fluxcd.controlplane.io", "flux")], hands);
    let disabled = |value: &str| {
        let mut it = instance(json!({}));
        it["metadata"]["annotations"] = json!({"fluxcd.controlplane.io/reconcile": value});
        vec![namespace(), installed(&["flux-operator"]), it]
    };
    let ignored = || {
        let mut it = installed(&["flux-operator"]);
        it["metadata"]["annotations"] = json!({"kustomize.toolkit.fluxcd.io/ssa": "Ignore"});
        vec![namespace(), it, instance(json!({}))]
    };
    vec![
        ("FSX-CFG-005", "the root is suspended", vec![namespace(), applied_by_flux(&["kustomize-controller"]), root(true)], Fail),
        ("FSX-CFG-005", "another Kustomization is suspended", vec![namespace(), applied_by_flux(&["kustomize-controller"]), root(false), in_namespace(object("Kustomization", json!({"suspend": true})), "flux-system")], Pass),
        ("FSX-CFG-005", "installed by flux-operator", vec![namespace(), installed(&["flux-operator"]), instance(json!({}))], Pass),
        ("FSX-CFG-005", "flux-operator is told to stay away", disabled("disabled"), Fail),
        ("FSX-CFG-005", "in other letters", disabled("Disabled"), Fail),
        ("FSX-CFG-005", "flux-operator is told to work", disabled("enabled"), Pass),
        ("FSX-CFG-005", "FSX-CFG-005 flux-operator marks all its objects for Flux to ignore", ignored(), Pass),
        ("FSX-CFG-005", "edited beside flux-operator", vec![namespace(), installed(&["flux-operator", "kubectl-edit"]), instance(json!({}))], Fail),
    ]
}

/// What is pinned by digest alone has the version that the FluxInstance tells.
#[rustfmt::skip]
fn versions() -> Vec<Case> {
    const DIGEST: &str = "sha256:2f5bb8e0c1c2c9c0b6e3e0e1d6b8f0f7a1b2c3d4e5f60718293a4b5c6d7e8f90";
    let pinned = || {
        let mut it = deployment("source-controller", "1.9.4", &[]);
        it["spec"]["template"]["spec"]["containers"][0]["image"] = json!(format!("ghcr.io/fluxcd/source-controller@{DIGEST}"));
        it
    };
    let installed = |digest: &str, tag: &str| {
        let mut it = instance(json!({}));
        it["status"]["components"] = json!([{"name": "source-controller", "repository": "ghcr.io/fluxcd/source-controller", "tag": tag, "digest": digest}]);
        vec![pinned(), it]
    };
    vec![
        ("FSX-VER-002", "a FluxInstance tells an old version", installed(DIGEST, "v1.7.4"), Fail),
        ("FSX-VER-002", "a FluxInstance tells a new version", installed(DIGEST, "v1.10.1"), Pass),
        ("FSX-VER-002", "a FluxInstance tells of another digest", installed("sha256:00", "v1.10.1"), Unknown),
        ("FSX-VER-002", "a FluxInstance with a tag that is no version", installed(DIGEST, "latest"), Unknown),
        ("FSX-VER-002", "no FluxInstance tells", vec![pinned()], Unknown),
    ]
}

/// What sleeps is told once, however many controllers it applies.
#[test]
fn a_suspended_root_is_one_finding() {
    let other = {
        let mut it = applied_by_flux(&["kustomize-controller"]);
        it["metadata"]["name"] = json!("kustomize-controller-shard");
        it
    };
    let objects = [
        namespace(),
        applied_by_flux(&["kustomize-controller"]),
        other,
        root(true),
    ];
    assert_eq!(audit("FSX-CFG-005", Tenancy::Shared, &objects).findings, 1);
}

/// Without tenants nobody has to be locked out.
#[test]
fn lock_down_is_asked_for_where_tenants_share_the_cluster() {
    let open = [instance(json!({"distribution": {"version": "2.x"}}))];
    assert_eq!(audit("FSX-OPR-004", Tenancy::Shared, &open).result, Fail);
    assert_eq!(audit("FSX-OPR-004", Tenancy::None, &open).result, Pass);
    assert_eq!(audit("FSX-OPR-004", Tenancy::Dedicated, &open).result, Pass);
}
