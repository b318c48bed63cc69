//! Secrets that stand in objects, and those that are sealed.

use flux_security_operator::kinds::flux_objects as rows;

use super::*;

pub(crate) fn cases() -> Vec<Case> {
    [values(), texts(), addresses(), others(), sealed(), sealing()].concat()
}

fn one(kind: &str, spec: Value) -> Vec<Value> {
    vec![object(kind, spec)]
}

#[expect(clippy::needless_pass_by_value, reason = "the calls read better")]
fn release(values: Value) -> Vec<Value> {
    one("HelmRelease", json!({"values": values}))
}

/// What a scanner of this file would take for a real one is put together here.
fn token() -> String {
    ["ghp", "_aB3dE5fG7hJ9kL2mN4pQ6rS8tU0vW1xY2zA3"].concat()
}

#[rustfmt::skip]
fn values() -> Vec<Case> {
    let substitute = |variables: Value| one("Kustomization", json!({"postBuild": {"substitute": variables}}));
    let mut deep = json!({"a": "b"});
    for _ in 0..60 {
        deep = json!({"a": deep});
    }
    let leak_and_deep = json!({"password": "hunter2", "deep": deep});
    vec![
        ("FSP-SEC-005", "a password", release(json!({"auth": {"password": "hunter2"}})), Fail),
        ("FSP-SEC-005", "a variable", release(json!({"env": [{"name": "DB_PASSWORD", "value": "hunter2"}]})), Fail),
        ("FSP-SEC-005", "a number", release(json!({"rootPassword": 123_456})), Fail),
        ("FSP-SEC-005", "a token by its shape", release(json!({"args": [format!("--github={}", token())]})), Fail),
        ("FSP-SEC-005", "a Secret of the chart's own", release(json!({"extra": [{"apiVersion": "v1", "kind": "Secret", "data": {"user": "YWRtaW4="}}]})), Fail),
        ("FSP-SEC-005", "FSP-SEC-005 a Secret of another group", release(json!({"extra": [{"apiVersion": "example.com/v1", "kind": "Secret", "data": {"user": "YWRtaW4="}}]})), Pass),
        ("FSP-SEC-005", "FSP-SEC-005 a hashed password", release(json!({"adminPassword": "$2y$10$abcdefghijklmnopqrstuv"})), Pass),
        ("FSP-SEC-005", "FSP-SEC-005 names that only sound alike", release(json!({"passwordFile": "a", "existingSecret": "db", "secretKeyRef": {"name": "db", "key": "password"}, "automountServiceAccountToken": true, "tokenExpiration": "12h", "imagePullSecrets": ["registry-credentials"]})), Pass),
        ("FSP-SEC-005", "FSP-SEC-005 placeholders", release(json!({"password": "${PASSWORD}", "token": "CHANGEME", "apiKey": "<your key>", "secretKey": ""})), Pass),
        ("FSP-SEC-005", "FSP-SEC-005 encrypted with SOPS", release(json!({"password": super::files::VALUE})), Pass),
        ("FSP-SEC-005", "FSP-SEC-005 what only looks encrypted with SOPS", release(json!({"password": "ENC[AES256_GCM,data:a,iv:b,tag:c,type:str]"})), Fail),
        ("FSP-SEC-005", "deeper than is looked", release(deep), Unknown),
        ("FSP-SEC-005", "a password beside what lies too deep", release(leak_and_deep), Fail),
        ("FSP-SEC-005", "no values", release(json!(null)), Pass),
        ("FSP-SEC-005", "a variable of a Kustomization", substitute(json!({"db_password": "hunter2"})), Fail),
        ("FSP-SEC-005", "other variables", substitute(json!({"cluster": "prod", "region": "eu"})), Pass),
    ]
}

#[rustfmt::skip]
fn texts() -> Vec<Case> {
    let patch = |kind: &str, text: &str| one("Kustomization", json!({"patches": [{"patch": text, "target": {"kind": kind}}]}));
    let write = |path: &str| format!("- op: add\n  path: {path}\n  value: hunter2\n");
    vec![
        ("FSP-SEC-005", "a patch of a Secret", patch("Secret", "kind: Secret\nmetadata:\n  name: db\nstringData:\n  user: admin\n"), Fail),
        ("FSP-SEC-005", "a JSON patch of a Secret", patch("Secret", &write("/data/user")), Fail),
        ("FSP-SEC-005", "the same of a ConfigMap", patch("ConfigMap", &write("/data/user")), Pass),
        ("FSP-SEC-005", "a JSON patch in JSON", patch("Deployment", r#"[{"op": "add", "path": "/spec/token", "value": "abcdefgh-1234"}]"#), Fail),
        ("FSP-SEC-005", "a patch of a replica count", patch("Deployment", "- op: replace\n  path: /spec/replicas\n  value: 2\n"), Pass),
        ("FSP-SEC-005", "a file of a chart", release(json!({"config": "server:\n  password: hunter2\n"})), Fail),
        ("FSP-SEC-005", "a post renderer", one("HelmRelease", json!({"postRenderers": [{"kustomize": {"patches": [{"patch": write("/stringData/user")}]}}]})), Fail),
        ("FSP-SEC-005", "a ResourceSet's Secret", one("ResourceSet", json!({"resources": [{"apiVersion": "v1", "kind": "Secret", "stringData": {"user": "admin"}}]})), Fail),
        ("FSP-SEC-005", "a ResourceSet's template", one("ResourceSet", json!({"resourcesTemplate": "kind: Secret\nstringData:\n  user: admin\n"})), Fail),
        ("FSP-SEC-005", "FSP-SEC-005 an input in a template", one("ResourceSet", json!({"resourcesTemplate": "kind: Secret\nstringData:\n  user: << inputs.user >>\n"})), Pass),
        ("FSP-SEC-005", "an input", one("ResourceSet", json!({"inputs": [{"tenant": "a", "password": "hunter2"}], "resources": []})), Fail),
        ("FSP-SEC-005", "a step", one("ResourceSet", json!({"steps": [{"name": "a", "resourcesTemplate": "password: hunter2\n"}]})), Fail),
        ("FSP-SEC-005", "values of a provider", one("ResourceSetInputProvider", json!({"type": "Static", "defaultValues": {"apiToken": "abcdefgh-1234"}})), Fail),
        ("FSP-SEC-005", "a patch of a FluxInstance", one("FluxInstance", json!({"kustomize": {"patches": [{"patch": write("/stringData/user")}]}})), Fail),
    ]
}

#[rustfmt::skip]
fn addresses() -> Vec<Case> {
    let provider = |address: &str| one("Provider", json!({"type": "slack", "address": address}));
    vec![
        ("FSP-SEC-005", "a hook of Slack", provider("https://hooks.slack.com/services/T00/B00/x1y2z3"), Fail),
        ("FSP-SEC-005", "a hook of Teams", provider("https://a.webhook.office.com/webhookb2/b@c/IncomingWebhook/d/e"), Fail),
        ("FSP-SEC-005", "FSP-SEC-005 the address is in the Secret", one("Provider", json!({"type": "slack", "secretRef": {"name": "slack"}})), Pass),
        ("FSP-SEC-005", "an API that wants a token", provider("https://slack.com/api/chat.postMessage"), Pass),
        ("FSP-SEC-005", "a proxy's password", one("Provider", json!({"type": "slack", "proxy": "http://me:hunter2@proxy.example.com"})), Fail),
        ("FSP-SEC-005", "a password for Git", one("GitRepository", json!({"url": "https://me:hunter2@git.example.com/a"})), Fail),
        ("FSP-SEC-005", "FSP-SEC-005 a user is no password", one("GitRepository", json!({"url": "ssh://git@git.example.com/a"})), Pass),
        ("FSP-SEC-005", "a token for charts", one("HelmRepository", json!({"url": format!("https://{}@charts.example.com", token())})), Fail),
        ("FSP-SEC-005", "a registry", one("OCIRepository", json!({"url": "oci://ghcr.io/a/b"})), Pass),
        ("FSP-SEC-005", "a bucket", one("Bucket", json!({"endpoint": "https://me:hunter2@minio.example.com"})), Fail),
        ("FSP-SEC-005", "an issuer", one("Receiver", json!({"oidcProviders": [{"issuerURL": "https://me:hunter2@issuer.example.com"}]})), Fail),
        ("FSP-SEC-005", "the source of a FluxInstance", one("FluxInstance", json!({"sync": {"url": "https://me:hunter2@git.example.com/a"}})), Fail),
        ("FSP-SEC-005", "what a provider asks", one("ResourceSetInputProvider", json!({"type": "ExternalService", "url": "https://x.example.com?token=abcdefgh12"})), Fail),
    ]
}

#[rustfmt::skip]
fn others() -> Vec<Case> {
    let with = |name: &str, value: Value| {
        let mut controller = kustomize(&[]);
        let env = controller["spec"]["template"]["spec"]["containers"][0]["env"].as_array_mut().unwrap();
        let mut variable = json!({"name": name});
        variable.as_object_mut().unwrap().extend(value.as_object().unwrap().clone());
        env.push(variable);
        vec![controller]
    };
    vec![
        ("FSP-SEC-005", "a variable of a controller", with("VAULT_TOKEN", json!({"value": "abcdefgh12"})), Fail),
        ("FSP-SEC-005", "from a Secret", with("VAULT_TOKEN", json!({"valueFrom": {"secretKeyRef": {"name": "vault", "key": "token"}}})), Pass),
        ("FSP-SEC-005", "cannot be read", one("Kustomization", json!({"patches": [], "sourceRef": 7})), Unknown),
    ]
}

#[rustfmt::skip]
fn sealed() -> Vec<Case> {
    let sealed = |own: Value, template: Value| vec![json!({
        "kind": "SealedSecret", "metadata": {"name": "db", "namespace": "tenant", "annotations": own},
        "spec": {"encryptedData": {"password": "AgBy"}, "template": {"metadata": {"annotations": template}}},
    })];
    let wide = |scope: &str, value: &str| json!({format!("sealedsecrets.bitnami.com/{scope}"): value});
    let both = json!({"sealedsecrets.bitnami.com/namespace-wide": "true", "sealedsecrets.bitnami.com/cluster-wide": "true"});
    vec![
        ("FSP-SEC-014", "strict", sealed(json!(null), json!(null)), Pass),
        ("FSP-SEC-014", "cluster-wide", sealed(wide("cluster-wide", "true"), wide("cluster-wide", "true")), Fail),
        ("FSP-SEC-014", "FSP-SEC-014 on the template only", sealed(json!(null), wide("cluster-wide", "true")), Fail),
        ("FSP-SEC-014", "FSP-SEC-014 cluster-wide wins", sealed(both, json!(null)), Fail),
        ("FSP-SEC-014", "FSP-SEC-014 the value is exactly true", sealed(wide("cluster-wide", "True"), json!(null)), Pass),
        ("FSP-SEC-014", "FSP-SEC-014 scope is announced and not in use", sealed(wide("scope", "cluster-wide"), json!(null)), Pass),
        ("FSP-SEC-014", "namespace-wide, without weight", sealed(wide("namespace-wide", "true"), json!(null)), Fail),
        ("FSP-SEC-014", "without a template", vec![json!({"kind": "SealedSecret", "metadata": {"name": "a", "namespace": "b"}, "spec": {"encryptedData": {}}})], Pass),
        ("FSP-SEC-014", "cannot be read", vec![json!({"kind": "SealedSecret", "metadata": {"name": "a", "namespace": "b"}, "spec": {"template": 7}})], Unknown),
    ]
}

#[rustfmt::skip]
fn sealing() -> Vec<Case> {
    let controller = |name: &str, image: &str, args: Value| json!({
        "kind": "Deployment", "metadata": {"name": name, "namespace": "kube-system"},
        "spec": {"template": {"spec": {"containers": [{"name": "controller", "image": image, "command": ["controller"], "args": args}]}}},
    });
    let upstream = |args: Value| vec![controller("sealed-secrets-controller", "docker.io/bitnami/sealed-secrets-controller:0.36.6", args)];
    let secret = json!({"kind": "SealedSecret", "metadata": {"name": "db", "namespace": "tenant"}, "spec": {}});
    let rebuilt = || vec![controller("sealed-secrets-controller", "registry.example.com/sealing:1", json!(["--key-renew-period=0"]))];
    let mut from_secret = upstream(json!(["--key-renew-period=$(PERIOD)"]));
    from_secret[0]["spec"]["template"]["spec"]["containers"][0]["env"] = json!([{"name": "PERIOD", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}]);
    vec![
        ("FSP-SEC-015", "the default", upstream(json!([])), Pass),
        ("FSP-SEC-015", "switched off", upstream(json!(["--key-renew-period=0"])), Fail),
        ("FSP-SEC-015", "FSP-SEC-015 as the chart writes it", upstream(json!(["--update-status", "--key-renew-period", "0", "--key-prefix", "sealed-secrets-key"])), Fail),
        ("FSP-SEC-015", "FSP-SEC-015 by its old name", upstream(json!(["--rotate-period=0s"])), Fail),
        ("FSP-SEC-015", "every week", upstream(json!(["--key-renew-period=168h"])), Pass),
        ("FSP-SEC-015", "a rebuilt image", rebuilt(), Fail),
        ("FSP-SEC-015", "the period is in a Secret", from_secret, Unknown),
        ("FSP-SEC-015", "SealedSecrets without a controller", vec![secret], Unknown),
        ("FSP-SEC-015", "nothing is sealed", vec![], NotApplicable),
        ("FSP-SEC-015", "a user interface is no controller", vec![controller("sealed-secrets-web", "ghcr.io/bakito/sealed-secrets-web:v3", json!([]))], NotApplicable),
    ]
}

#[test]
fn a_wide_scope_weighs_what_it_opens() {
    let severity = |scope: &str| {
        let annotation = format!("sealedsecrets.bitnami.com/{scope}");
        let sealed = json!({"kind": "SealedSecret", "metadata": {"name": "a", "namespace": "b", "annotations": {annotation: "true"}}, "spec": {}});
        audit("FSP-SEC-014", Tenancy::Shared, &[sealed]).severity
    };
    assert_eq!(severity("cluster-wide"), Severity::High);
    assert_eq!(severity("namespace-wide"), Severity::Info);
}

/// Neither in what is kept, nor in what is told.
#[test]
fn a_secret_is_named_by_its_place_and_never_repeated() {
    let hook = "https://hooks.slack.com/services/T00/B00/hunter2";
    let objects = [
        object(
            "HelmRelease",
            json!({"values": {"auth": {"password": "hunter2"}, "files": "a: b\ntoken: hunter2-hunter2\n"}}),
        ),
        object(
            "Kustomization",
            json!({"postBuild": {"substitute": {"password": "hunter2"}}}),
        ),
        object("Provider", json!({"type": "slack", "address": hook})),
        object(
            "GitRepository",
            json!({"url": "https://me:hunter2@git.example.com/a?b=hunter2"}),
        ),
        object("ResourceSet", json!({"inputs": [{"password": "hunter2"}]})),
    ];
    let mut engine = engine(Tenancy::Shared);
    engine.ingest(objects.iter().map(upsert));
    let posture = posture(&engine);
    assert!(!format!("{:?}", posture.findings).contains("hunter2"));
    let findings = posture.findings.iter().map(|it| &it.finding);
    let places: Vec<&str> = findings
        .filter(|it| it.control == "FSP-SEC-005")
        .map(|it| it.location.field.as_str())
        .collect();
    let expected = [
        "spec.url",
        "spec.values.auth.password",
        "spec.values.files:2",
        "spec.postBuild.substitute.password",
        "spec.address",
        "spec.inputs[0].password",
    ];
    for place in expected {
        assert!(places.contains(&place), "{place} is not in {places:?}");
    }
    let inventory = engine.inventory();
    let all = [
        format!(
            "{:?}",
            inventory.table::<rows::HelmRelease>().iter().collect::<Vec<_>>()
        ),
        format!(
            "{:?}",
            inventory
                .table::<rows::Kustomization>()
                .iter()
                .collect::<Vec<_>>()
        ),
        format!(
            "{:?}",
            inventory.table::<rows::Provider>().iter().collect::<Vec<_>>()
        ),
        format!(
            "{:?}",
            inventory
                .table::<rows::GitRepository>()
                .iter()
                .collect::<Vec<_>>()
        ),
        format!(
            "{:?}",
            inventory.table::<rows::ResourceSet>().iter().collect::<Vec<_>>()
        ),
    ];
    for row in all {
        assert!(!row.contains("hunter2"), "{row}");
    }
}
