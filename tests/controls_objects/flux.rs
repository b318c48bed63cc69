//! Flux's own objects: references, targets, webhooks, image automation.

use super::*;

pub(crate) fn cases() -> Vec<Case> {
    [
        references(),
        credentials(),
        targets(),
        appliers(),
        webhooks(),
        images(),
        remotes(),
        keys(),
        artifacts(),
        key_readers(),
    ]
    .concat()
}

fn one(kind: &str, spec: Value) -> Vec<Value> {
    vec![object(kind, spec)]
}

/// An object that cannot be read.
fn unreadable(kind: &str, field: &str) -> Vec<Value> {
    one(kind, json!({field: 7}))
}

/// A workload that may be a controller and cannot be read.
fn broken_controller() -> Value {
    let mut controller = deployment("source-controller", "1.9.4", &[]);
    controller["spec"]["template"] = json!(7);
    controller
}

#[rustfmt::skip]
fn references() -> Vec<Case> {
    let git = |reference: Value| one("GitRepository", json!({"ref": reference}));
    let oci = |reference: Value| one("OCIRepository", json!({"ref": reference}));
    let chart = |source: &str, version: &str| one("HelmRelease", json!({"chart": {"spec": {"chart": "c", "version": version, "sourceRef": {"kind": source, "name": "a"}}}}));
    let template = |reference: Value| one("HelmRelease", json!({"chart": {"kind": "OCIRepository", "spec": {"url": "oci://x.example/a", "ref": reference}}}));
    vec![
        ("FSX-SRC-007", "FSX-SRC-007 a branch is the normal way, and fails without weight", git(json!({"branch": "main"})), Fail),
        ("FSX-SRC-007", "nothing is master", git(json!(null)), Fail),
        ("FSX-SRC-007", "FSX-SRC-007 a commit wins over a branch", git(json!({"branch": "main", "commit": "abc"})), Pass),
        ("FSX-SRC-007", "a tag", git(json!({"tag": "v1"})), Pass),
        ("FSX-SRC-007", "a branch by its full name", git(json!({"name": "refs/heads/main"})), Fail),
        ("FSX-SRC-007", "a tag by its full name", git(json!({"name": "refs/tags/v1"})), Pass),
        ("FSX-SRC-007", "an open range", git(json!({"semver": ">=1.0.0"})), Fail),
        ("FSX-SRC-007", "a bounded range", git(json!({"semver": ">=1.0.0 <2.0.0"})), Pass),
        ("FSX-SRC-007", "the tag latest", oci(json!({"tag": "latest"})), Fail),
        ("FSX-SRC-007", "no reference is latest", oci(json!(null)), Fail),
        ("FSX-SRC-007", "FSX-SRC-007 a digest wins over a tag", oci(json!({"tag": "latest", "digest": "sha256:1"})), Pass),
        ("FSX-SRC-007", "any chart", chart("HelmRepository", ""), Fail),
        ("FSX-SRC-007", "a minor of a chart", chart("HelmRepository", "1.2.x"), Pass),
        ("FSX-SRC-007", "a chart in Git", chart("GitRepository", ""), NotApplicable),
        ("FSX-SRC-007", "a template of an OCIRepository", template(json!({"tag": "latest"})), Fail),
        ("FSX-SRC-007", "a digest in a template", template(json!({"digest": "sha256:1"})), Pass),
        ("FSX-SRC-007", "cannot be read", unreadable("GitRepository", "ref"), Unknown),
    ]
}

#[rustfmt::skip]
fn credentials() -> Vec<Case> {
    let with = |kind: &str, field: &str, value: &str, secret: Value| object(kind, json!({field: value, "type": "oci", "secretRef": secret}));
    let secret = json!({"name": "s"});
    let git = |url: &str, version: &str| vec![with("GitRepository", "url", url, secret.clone()), deployment("source-controller", version, &[])];
    let only = |kind: &str, field: &str, value: &str| vec![with(kind, field, value, secret.clone())];
    vec![
        ("FSX-SRC-008", "a registry of AWS", only("OCIRepository", "url", "oci://1.dkr.ecr.eu-west-1.amazonaws.com/a"), Fail),
        ("FSX-SRC-008", "without a Secret", vec![with("OCIRepository", "url", "oci://a.azurecr.io/a", json!(null))], Pass),
        ("FSX-SRC-008", "another registry", only("OCIRepository", "url", "oci://ghcr.io/a/b"), NotApplicable),
        ("FSX-SRC-008", "a registry of one's own in a cloud", only("OCIRepository", "url", "oci://ec2-1-2-3-4.compute.amazonaws.com/a"), NotApplicable),
        ("FSX-SRC-008", "a name that only sounds alike", only("OCIRepository", "url", "oci://azurecr.io.example.com/a"), NotApplicable),
        ("FSX-SRC-008", "FSX-SRC-008 a credential of another account cannot be told apart", only("ImageRepository", "image", "1.dkr.ecr.us-east-1.amazonaws.com/other"), Fail),
        ("FSX-SRC-008", "an image of Google", only("ImageRepository", "image", "eu.gcr.io/a/b"), Fail),
        ("FSX-SRC-008", "charts", only("HelmRepository", "url", "oci://europe-docker.pkg.dev/a/b"), Fail),
        ("FSX-SRC-008", "a bucket", only("Bucket", "endpoint", "s3.eu-west-1.amazonaws.com"), Fail),
        ("FSX-SRC-008", "Git of Azure", git("https://dev.azure.com/a/b/_git/c", "1.9.4"), Fail),
        ("FSX-SRC-008", "FSX-SRC-008 azure needs Flux 2.4", git("https://dev.azure.com/a/b/_git/c", "1.3.0"), NotApplicable),
        ("FSX-SRC-008", "FSX-SRC-008 aws needs Flux 2.9", git("https://git-codecommit.eu-west-1.amazonaws.com/v1/repos/a", "1.8.0"), NotApplicable),
        ("FSX-SRC-008", "an SSH key", git("ssh://git@dev.azure.com/v3/a/b/c", "1.9.4"), NotApplicable),
        ("FSX-SRC-008", "a controller that cannot be read", vec![with("GitRepository", "url", "https://dev.azure.com/a", secret.clone()), broken_controller()], Unknown),
    ]
}

#[rustfmt::skip]
fn targets() -> Vec<Case> {
    let team = |name: &str| json!({"kind": "Namespace", "metadata": {"name": name, "labels": {"toolkit.fluxcd.io/tenant": "a"}}});
    let own = applied(json!({}), &["tenant_app_apps_Deployment"]);
    let elsewhere = applied(json!({}), &["tenant_app_apps_Deployment", "other_app_apps_Deployment"]);
    let many: Vec<String> = (0..40).map(|number| format!("n{number}_a__Secret")).collect();
    let mut many = applied(json!({}), &many.iter().map(String::as_str).collect::<Vec<_>>());
    many["metadata"]["namespace"] = json!("n0");
    let teams = (0..40).map(|number| team(&format!("n{number}")));
    vec![
        ("FSX-TEN-003", "its own namespace", vec![own.clone()], Pass),
        ("FSX-TEN-003", "another tenant's", vec![elsewhere.clone()], Fail),
        ("FSX-TEN-003", "FSX-TEN-003 another namespace of the same tenant", vec![elsewhere.clone(), team("tenant"), team("other")], Pass),
        ("FSX-TEN-003", "FSX-TEN-003 cluster-scoped objects are in no namespace", vec![applied(json!({}), &["_role_rbac.authorization.k8s.io_ClusterRole"])], Pass),
        ("FSX-TEN-003", "targetNamespace", one("Kustomization", json!({"targetNamespace": "other"})), Fail),
        ("FSX-TEN-003", "storageNamespace", one("HelmRelease", json!({"storageNamespace": "other"})), Fail),
        ("FSX-TEN-003", "no inventory", one("HelmRelease", json!({"targetNamespace": "tenant"})), Unknown),
        ("FSX-TEN-003", "more namespaces than are kept", [many].into_iter().chain(teams).collect(), Unknown),
        ("FSX-TEN-003", "a remote cluster", one("HelmRelease", json!({"targetNamespace": "other", "kubeConfig": {"secretRef": {"name": "k"}}})), NotApplicable),
        ("FSX-TEN-003", "the platform's own", vec![in_namespace(elsewhere, "flux-system"), kustomize(&[])], NotApplicable),
        ("FSX-TEN-003", "a workload that cannot be read", vec![own, broken_controller()], Unknown),
    ]
}

#[rustfmt::skip]
fn appliers() -> Vec<Case> {
    let substitute = |kind: &str| one("Kustomization", json!({"postBuild": {"substituteFrom": [{"kind": kind, "name": "vars"}]}}));
    let remote = |reference: &str| one("HelmRelease", json!({"kubeConfig": {reference: {"name": "k"}}}));
    vec![
        ("FSX-TEN-005", "FSX-TEN-005 a Secret of its own namespace flows on all the same", substitute("Secret"), Fail),
        ("FSX-TEN-005", "a ConfigMap", substitute("ConfigMap"), Pass),
        ("FSX-TEN-005", "values of a Secret", one("HelmRelease", json!({"valuesFrom": [{"kind": "Secret", "name": "v"}]})), Fail),
        ("FSX-TEN-005", "no references", one("Kustomization", json!({"postBuild": null})), Pass),
        ("FSX-TEN-005", "cannot be read", unreadable("Kustomization", "postBuild"), Unknown),
        ("FSX-TEN-007", "prunes", one("Kustomization", json!({"prune": true})), Pass),
        ("FSX-TEN-007", "does not prune", one("Kustomization", json!({"prune": false})), Fail),
        ("FSX-TEN-007", "FSX-TEN-007 suspend hides drift", one("Kustomization", json!({"prune": true, "suspend": true})), Fail),
        ("FSX-TEN-007", "FSX-TEN-007 force makes objects again", one("Kustomization", json!({"prune": true, "force": true})), Fail),
        ("FSX-TEN-007", "a suspended release", one("HelmRelease", json!({"suspend": true})), Fail),
        ("FSX-TEN-007", "a release", one("HelmRelease", json!({})), Pass),
        ("FSX-TEN-007", "cannot be read", unreadable("Kustomization", "sourceRef"), Unknown),
        ("FSX-KC-001", "FSX-KC-001 a kubeconfig is not read", remote("secretRef"), Unknown),
        ("FSX-KC-001", "a ConfigMap", remote("configMapRef"), NotApplicable),
        ("FSX-KC-001", "cannot be read", unreadable("HelmRelease", "kubeConfig"), Unknown),
    ]
}

#[rustfmt::skip]
fn webhooks() -> Vec<Case> {
    let receiver = |kind: &str, secret: Value, conditions: &[_]| vec![with_status("Receiver", json!({"type": kind, "secretRef": secret, "resources": []}), conditions)];
    let token = json!({"name": "token"});
    let missing = ("Ready", "False", "TokenNotFound", "", 2);
    let stale = ("Ready", "True", "Succeeded", "", 1);
    let google = |version: &str| [one("Receiver", json!({"type": "gcr"})), vec![deployment("notification-controller", version, &[])]].concat();
    let oidc = |provider: Value| one("Receiver", json!({"type": "generic-oidc", "oidcProviders": [provider]}));
    let github = "https://token.actions.githubusercontent.com";
    let check = |expression: &str| json!([{"expression": expression, "message": "no"}]);
    vec![
        ("FSX-NOT-002", "not set", receiver("github", json!(null), &[READY]), Fail),
        ("FSX-NOT-002", "found", receiver("github", token.clone(), &[READY]), Pass),
        ("FSX-NOT-002", "FSX-NOT-002 the Secret is missing", receiver("github", token.clone(), &[missing]), Fail),
        ("FSX-NOT-002", "FSX-NOT-002 generic-oidc has none", receiver("generic-oidc", json!(null), &[]), Pass),
        ("FSX-NOT-002", "FSX-NOT-002 generic-oidc must not have one", receiver("generic-oidc", token.clone(), &[READY]), Fail),
        ("FSX-NOT-002", "an old condition", receiver("github", token, &[stale]), Unknown),
        ("FSX-NOT-003", "any token of Google", google("1.8.2"), Fail),
        ("FSX-NOT-003", "depends on the Secret", google("1.8.3"), Unknown),
        ("FSX-NOT-003", "FSX-NOT-003 enforced since 1.9.0", google("1.9.0"), Pass),
        ("FSX-NOT-003", "the worst of two", [google("1.9.3"), vec![in_namespace(deployment("notification-controller", "1.8.0", &[]), "flux-b")]].concat(), Fail),
        ("FSX-NOT-003", "another type", [one("Receiver", json!({"type": "github"})), vec![deployment("notification-controller", "1.8.0", &[])]].concat(), NotApplicable),
        ("FSX-NOT-003", "nobody listens", one("Receiver", json!({"type": "gcr"})), NotApplicable),
        ("FSX-NOT-005", "everybody on GitHub", oidc(json!({"issuerURL": github, "audience": "here", "validations": check("true")})), Fail),
        ("FSX-NOT-005", "one owner", oidc(json!({"issuerURL": github, "audience": "here", "validations": check("claims.repository_owner == 'org'")})), Pass),
        ("FSX-NOT-005", "by a variable", oidc(json!({"issuerURL": github, "audience": "here", "variables": [{"name": "who", "expression": "claims.sub"}], "validations": check("vars.who == 'a'")})), Pass),
        ("FSX-NOT-005", "FSX-NOT-005 audience is optional, and its default is everybody's", oidc(json!({"issuerURL": github, "validations": check("claims.repository == 'org/a'")})), Fail),
        ("FSX-NOT-005", "plain http", oidc(json!({"issuerURL": "http://x.example", "audience": "here", "validations": check("true")})), Fail),
        ("FSX-NOT-005", "an issuer of one's own", oidc(json!({"issuerURL": "https://dex.example", "audience": "here", "validations": check("true")})), Pass),
        ("FSX-NOT-005", "another type", one("Receiver", json!({"type": "github"})), NotApplicable),
        ("FSX-NOT-005", "cannot be read", unreadable("Receiver", "oidcProviders"), Unknown),
    ]
}

#[rustfmt::skip]
fn images() -> Vec<Case> {
    let automation = |git: Value, repository: Value| vec![
        object("ImageUpdateAutomation", json!({"sourceRef": {"kind": "GitRepository", "name": "app"}, "git": git})),
        object("GitRepository", repository),
    ];
    let main = json!({"ref": {"branch": "main"}});
    let push = |branch: &str| json!({"push": {"branch": branch}});
    let verified = json!({"ref": {"branch": "main"}, "verify": {"mode": "HEAD"}});
    let foreign = vec![
        object("ImageUpdateAutomation", json!({"sourceRef": {"name": "app", "namespace": "other"}})),
        in_namespace(object("GitRepository", main.clone()), "other"),
    ];
    let alone = one("ImageUpdateAutomation", json!({"sourceRef": {"name": "gone"}}));
    let policy = |policy: Value, digest: &str| one("ImagePolicy", json!({"policy": policy, "digestReflectionPolicy": digest}));
    let range = |range: &str| json!({"semver": {"range": range}});
    vec![
        ("FSX-IUA-001", "FSX-IUA-001 no push branch is the deployed one", automation(json!(null), main.clone()), Fail),
        ("FSX-IUA-001", "the deployed branch", automation(push("main"), main.clone()), Fail),
        ("FSX-IUA-001", "the default branch", automation(push("master"), json!({})), Fail),
        ("FSX-IUA-001", "a branch for pull requests", automation(push("updates"), main.clone()), Pass),
        ("FSX-IUA-001", "starts from another branch", automation(json!({"checkout": {"ref": {"branch": "staging"}}}), main.clone()), Pass),
        ("FSX-IUA-001", "a refspec", automation(json!({"push": {"refspec": "refs/heads/main:refs/heads/auto"}}), main), Unknown),
        ("FSX-IUA-001", "deploys tags", automation(push("main"), json!({"ref": {"semver": "1.x"}})), NotApplicable),
        ("FSX-IUA-001", "a repository of another namespace", foreign, Fail),
        ("FSX-IUA-001", "no repository", alone.clone(), Unknown),
        ("FSX-IUA-002", "not signed", automation(json!({}), verified.clone()), Fail),
        ("FSX-IUA-002", "FSX-IUA-002 an SSH key signs as well", automation(json!({"commit": {"signingKey": {"type": "ssh", "secretRef": {"name": "k"}}}}), verified), Pass),
        ("FSX-IUA-002", "nobody verifies", automation(json!({}), json!({})), NotApplicable),
        ("FSX-IUA-002", "no repository", alone, Unknown),
        ("FSX-IUA-003", "any version", policy(range(">=0.0.0"), "Always"), Fail),
        ("FSX-IUA-003", "the alphabet", policy(json!({"alphabetical": {"order": "asc"}}), "Always"), Fail),
        ("FSX-IUA-003", "no digest", policy(range("1.x"), ""), Fail),
        ("FSX-IUA-003", "FSX-IUA-003 the digest is reflected since Flux 2.6", policy(range("1.x"), "IfNotPresent"), Pass),
        ("FSX-IUA-003", "numbers", policy(json!({"numerical": {"order": "asc"}}), "Always"), Pass),
        ("FSX-IUA-003", "cannot be read", unreadable("ImagePolicy", "policy"), Unknown),
    ]
}

#[rustfmt::skip]
fn remotes() -> Vec<Case> {
    let remote = |kind: &str, reference: &str| object(kind, json!({"kubeConfig": {reference: {"name": "k"}}}));
    let locked = kustomize(&["--default-kubeconfig-service-account=x", "--feature-gates=ObjectLevelWorkloadIdentity=true"]);
    let both = vec![remote("Kustomization", "configMapRef"), remote("HelmRelease", "configMapRef"), locked.clone()];
    vec![
        ("FSX-KC-002", "a default account", vec![remote("Kustomization", "configMapRef"), locked.clone()], Pass),
        ("FSX-KC-002", "FSX-KC-002 the ConfigMap is not read", vec![remote("Kustomization", "configMapRef"), kustomize(&[])], Unknown),
        ("FSX-KC-002", "the other controller has none", both, Unknown),
        ("FSX-KC-002", "a kubeconfig", vec![remote("Kustomization", "secretRef"), locked], NotApplicable),
        ("FSX-KC-002", "cannot be read", unreadable("HelmRelease", "kubeConfig"), Unknown),
        ("FSP-DED-004", "a remote cluster", vec![remote("Kustomization", "secretRef")], Manual),
        ("FSP-DED-004", "cannot be read", unreadable("HelmRelease", "kubeConfig"), Unknown),
    ]
}

#[rustfmt::skip]
fn keys() -> Vec<Case> {
    let decrypts = |namespace: &str, decryption: Value| in_namespace(object("Kustomization", json!({"decryption": decryption})), namespace);
    let secret = json!({"provider": "sops", "secretRef": {"name": "keys"}});
    let identity = json!({"provider": "sops", "serviceAccountName": "kms"});
    let global = kustomize(&["--sops-age-secret=age"]);
    let role = |namespace: &str, name: &str, value: &str| json!({"kind": "ServiceAccount", "metadata": {"name": "kms", "namespace": namespace, "annotations": {name: value}}});
    let aws = |namespace: &str, value: &str| role(namespace, "eks.amazonaws.com/role-arn", value);
    let pool = |namespace: &str| role(namespace, "gcp.auth.fluxcd.io/workload-identity-provider", "projects/1/pool");
    let two = |decryption: &Value| vec![decrypts("tenant", decryption.clone()), decrypts("other", decryption.clone())];
    let with = |decryption: &Value, more: Vec<Value>| [two(decryption), more].concat();
    let team = |name: &str| json!({"kind": "Namespace", "metadata": {"name": name, "labels": {"toolkit.fluxcd.io/tenant": "a"}}});
    vec![
        ("FSP-SEC-011", "one key for all", with(&json!({"provider": "sops"}), vec![global]), Fail),
        ("FSP-SEC-011", "FSP-SEC-011 the same name proves nothing", two(&secret), Unknown),
        ("FSP-SEC-011", "FSP-SEC-011 two namespaces of one tenant", with(&secret, vec![team("tenant"), team("other")]), NotApplicable),
        ("FSP-SEC-011", "one tenant", vec![decrypts("tenant", secret.clone())], NotApplicable),
        ("FSP-SEC-012", "one role", with(&identity, vec![aws("tenant", "arn:1"), aws("other", "arn:1")]), Fail),
        ("FSP-SEC-012", "two roles", with(&identity, vec![aws("tenant", "arn:1"), aws("other", "arn:2")]), Pass),
        ("FSP-SEC-012", "one role of one tenant", with(&identity, vec![aws("tenant", "arn:1"), aws("other", "arn:1"), team("tenant"), team("other")]), Pass),
        ("FSP-SEC-012", "no annotation", with(&identity, vec![aws("tenant", "arn:1")]), Unknown),
        ("FSP-SEC-012", "FSP-SEC-012 a federation is shared and no identity", with(&identity, vec![pool("tenant"), pool("other")]), Unknown),
        ("FSP-SEC-012", "no account", two(&secret), NotApplicable),
        ("FSP-SEC-013", "by identity", vec![decrypts("tenant", identity)], Pass),
        ("FSP-SEC-013", "a Secret", vec![decrypts("tenant", secret)], Unknown),
        ("FSP-SEC-013", "nothing decrypts", one("Kustomization", json!({})), NotApplicable),
    ]
}

#[rustfmt::skip]
fn artifacts() -> Vec<Case> {
    let gate = kustomize(&["--feature-gates=ExternalArtifact=true"]);
    let role = |resource: &str| json!({"kind": "ClusterRole", "metadata": {"name": "edit"}, "rules": [{"verbs": ["*"], "apiGroups": ["source.toolkit.fluxcd.io"], "resources": [resource]}]});
    let bind = |subject: Value| json!({"kind": "RoleBinding", "metadata": {"name": "b", "namespace": "tenant"}, "roleRef": {"kind": "ClusterRole", "name": "edit"}, "subjects": [subject]});
    let jane = || bind(json!({"kind": "User", "name": "jane"}));
    let flux = bind(json!({"kind": "ServiceAccount", "name": "source-watcher", "namespace": "flux-system"}));
    let odd = json!({"kind": "ClusterRole", "metadata": {"name": "odd"}, "rules": 7});
    vec![
        ("FSX-SRC-011", "everything of the group", vec![gate.clone(), role("*"), jane()], Fail),
        ("FSX-SRC-011", "only the status", vec![gate.clone(), role("externalartifacts/status"), jane()], Fail),
        ("FSX-SRC-011", "other sources", vec![gate.clone(), role("gitrepositories"), jane()], Pass),
        ("FSX-SRC-011", "FSX-SRC-011 source-watcher needs it", vec![gate.clone(), role("*"), flux], Pass),
        ("FSX-SRC-011", "the gate is off", vec![kustomize(&[]), role("*"), jane()], NotApplicable),
        ("FSX-SRC-011", "a role that cannot be read", vec![gate, odd], Unknown),
    ]
}

#[rustfmt::skip]
fn key_readers() -> Vec<Case> {
    let namespace = |name: &str| json!({"kind": "Namespace", "metadata": {"name": name}});
    let here = [namespace("tenant"), object("Kustomization", json!({"decryption": {"provider": "sops", "secretRef": {"name": "keys"}}}))];
    let with = |more: &[Value]| [&here[..], more].concat();
    let role = |resource: &str, names: Value| json!({"kind": "ClusterRole", "metadata": {"name": "r"}, "rules": [{"verbs": ["get", "create"], "apiGroups": [""], "resources": [resource], "resourceNames": names}]});
    let secrets = role("secrets", json!([]));
    let bind = |kind: &str, namespace: &str, subject: Value| json!({"kind": kind, "metadata": {"name": "b", "namespace": namespace}, "roleRef": {"kind": "ClusterRole", "name": "r"}, "subjects": [subject]});
    let jane = json!({"kind": "User", "name": "jane"});
    let account = |namespace: &str| json!({"kind": "ServiceAccount", "name": "deployer", "namespace": namespace});
    let odd = json!({"kind": "ClusterRole", "metadata": {"name": "odd"}, "rules": 7});
    let flux = [namespace("flux-system"), kustomize(&[]), secrets.clone(), bind("RoleBinding", "flux-system", jane.clone())];
    vec![
        ("FSP-SEC-016", "nobody is bound", with(&[]), Pass),
        ("FSP-SEC-016", "another tenant's account", with(&[secrets.clone(), bind("RoleBinding", "tenant", account("other"))]), Fail),
        ("FSP-SEC-016", "FSP-SEC-016 edit in its own namespace is expected", with(&[secrets.clone(), bind("RoleBinding", "tenant", account("tenant"))]), Pass),
        ("FSP-SEC-016", "people of the tenant", with(&[secrets.clone(), bind("RoleBinding", "tenant", jane.clone())]), Pass),
        ("FSP-SEC-016", "somebody everywhere", with(&[secrets, bind("ClusterRoleBinding", "", jane)]), Fail),
        ("FSP-SEC-016", "FSP-SEC-016 creating pods is reading Secrets", with(&[role("pods", json!([])), bind("RoleBinding", "tenant", account("other"))]), Fail),
        ("FSP-SEC-016", "the key by its name", with(&[role("secrets", json!(["keys"])), bind("RoleBinding", "tenant", account("other"))]), Fail),
        ("FSP-SEC-016", "another Secret by its name", with(&[role("secrets", json!(["else"])), bind("RoleBinding", "tenant", account("other"))]), Pass),
        ("FSP-SEC-016", "in Flux's namespace", flux.to_vec(), Fail),
        ("FSP-SEC-016", "a role that cannot be read", with(&[odd]), Unknown),
        ("FSP-SEC-016", "no key", vec![namespace("tenant")], NotApplicable),
    ]
}
