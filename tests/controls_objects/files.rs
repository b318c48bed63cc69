//! What the files of sources tell, as far as somebody reads them.

use std::sync::Arc;

use flux_security_operator::api::Finding;
use flux_security_operator::engine::PolicyPosture;
use flux_security_operator::inventory::{Missing, ObjectKey, TreeKey, TreeState};
use flux_security_operator::kinds::KindId;
use flux_security_operator::secrets::{Gap, Scan};

use super::*;

/// A value that has the shape of one that SOPS has encrypted.
pub(crate) const VALUE: &str = "ENC[AES256_GCM,data:c2VjcmV0,iv:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=,tag:AAECAwQFBgcICQoLDA0ODw==,type:str]";

const PLAIN: (&str, &str) = (
    "deploy/db.yaml",
    "apiVersion: v1\nkind: Secret\nmetadata: {name: db, namespace: tenant}\nstringData:\n  user: admin\n",
);
const CLEAN: (&str, &str) = (
    "deploy/app.yaml",
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
);

/// A Secret that SOPS has encrypted for a recipient.
fn encrypted(namespace: &str, recipient: &str, code: &str) -> String {
    let mac = VALUE.replace("c2VjcmV0", code);
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: db, namespace: {namespace}}}\nstringData:\n  user: {VALUE}\nsops:\n  {recipient}\n  mac: {mac}\n  version: 3.13.2\n  encrypted_regex: ^stringData$\n"
    )
}

fn age(key: &str) -> String {
    format!("age: [{{recipient: {key}}}]")
}

fn source(kind: &str, namespace: &str, name: &str) -> TreeKey {
    let kind = KindId::all().find(|it| it.name() == kind).unwrap();
    TreeKey::Source(kind, ObjectKey::new(namespace, name))
}

fn scanned(key: TreeKey, files: &[(&str, &str)]) -> Delta {
    let mut scan = Scan::default();
    for (path, text) in files {
        scan.file(path, text.as_bytes());
    }
    finished(key, scan)
}

fn finished(key: TreeKey, scan: Scan) -> Delta {
    let state = TreeState::Scanned {
        revision: "main@sha1:a".into(),
        digest: "sha256:a".into(),
        tree: Arc::new(scan.finish()),
    };
    Delta::Tree(key, state)
}

fn judged(objects: &[Value], trees: Vec<Delta>) -> PolicyPosture {
    let mut engine = engine(Tenancy::Shared);
    engine.ingest(objects.iter().map(upsert));
    engine.ingest([Delta::TreesAreRead(true)]);
    engine.ingest(trees);
    posture(&engine)
}

fn result(id: &str, objects: &[Value], trees: Vec<Delta>) -> ControlResult {
    control(&judged(objects, trees), id).result
}

fn findings(posture: &PolicyPosture, id: &str) -> Vec<Finding> {
    let all = posture.findings.iter().map(|it| it.finding.clone());
    all.filter(|finding| finding.control == id).collect()
}

/// A Kustomization of a tenant that applies `deploy` of a repository.
fn applies(namespace: &str, decryption: &Value) -> Value {
    let spec = json!({
        "path": "./deploy",
        "sourceRef": {"kind": "GitRepository", "name": "app"},
        "decryption": decryption,
    });
    in_namespace(object("Kustomization", spec), namespace)
}

fn repository(namespace: &str) -> TreeKey {
    source("GitRepository", namespace, "app")
}

#[test]
fn fsp_sec_003_files_tell_whether_secrets_are_encrypted() {
    let app = [applies("tenant", &json!(null))];
    let of = |files: &[(&str, &str)]| vec![scanned(repository("tenant"), files)];
    let result = |objects: &[Value], trees| result("FSP-SEC-003", objects, trees);
    assert_eq!(result(&app, of(&[CLEAN])), Pass);
    assert_eq!(result(&app, of(&[CLEAN, PLAIN])), Fail);
    assert_eq!(
        result(&app, of(&[("elsewhere/db.yaml", PLAIN.1)])),
        Fail,
        "it is in the source"
    );
    assert_eq!(result(&[], of(&[PLAIN])), Fail, "nobody applies it");
    assert_eq!(result(&[], of(&[CLEAN])), NotApplicable);
    assert_eq!(result(&app, vec![]), Unknown, "nobody has read it");
    let failed = TreeState::NotRead(Missing::new("NotFetched", "the server is away"));
    assert_eq!(
        result(&app, vec![Delta::Tree(repository("tenant"), failed)]),
        Unknown
    );
    let mut partly = Scan::default();
    partly.file(CLEAN.0, CLEAN.1.as_bytes());
    partly.not_read("deploy/large.yaml", Gap::TooLarge);
    assert_eq!(
        result(&app, vec![finished(repository("tenant"), partly)]),
        Unknown
    );
    let two = [app[0].clone(), applies("other", &json!(null))];
    assert_eq!(
        result(&two, of(&[CLEAN])),
        Unknown,
        "the other source was not read"
    );
    for trap in [
        "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {}\n",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ntype: kubernetes.io/service-account-token\n",
    ] {
        assert_eq!(
            result(&app, of(&[("deploy/a.yaml", trap)])),
            Pass,
            "FSP-SEC-003 {trap}"
        );
    }
    let env = format!("A={VALUE}\nsops_mac={VALUE}\nsops_version=3\nsops_age__list_0__map_recipient=age1a\n");
    let generator = (
        "deploy/kustomization.yaml",
        "secretGenerator:\n- name: a\n  envs: [a.env]\n",
    );
    assert_eq!(
        result(&app, of(&[generator, ("deploy/a.env", &env)])),
        Pass,
        "FSP-SEC-003 a Secret may be made of an encrypted file"
    );
    assert_eq!(result(&app, of(&[generator, ("deploy/a.env", "A=b\n")])), Fail);
}

#[test]
fn fsp_sec_003_charts_are_sources() {
    let release = object(
        "HelmRelease",
        json!({"chart": {"spec": {"chart": "a", "sourceRef": {"kind": "HelmRepository", "name": "a", "namespace": "charts"}}}}),
    );
    let chart = source("HelmChart", "charts", "tenant-app");
    assert_eq!(
        result("FSP-SEC-003", std::slice::from_ref(&release), vec![]),
        Unknown
    );
    assert_eq!(
        result("FSP-SEC-003", &[release], vec![scanned(chart, &[CLEAN])]),
        Pass
    );
    let release = object(
        "HelmRelease",
        json!({"chartRef": {"kind": "OCIRepository", "name": "a"}}),
    );
    let chart = source("OCIRepository", "tenant", "a");
    assert_eq!(
        result("FSP-SEC-003", &[release], vec![scanned(chart, &[CLEAN])]),
        Pass
    );
}

#[test]
fn findings_in_files_tell_the_source_the_file_and_the_line() {
    let repository_object = object("GitRepository", json!({"url": "https://git.example.com/a"}));
    let posture = judged(
        &[repository_object],
        vec![scanned(repository("tenant"), &[PLAIN])],
    );
    let [finding] = &findings(&posture, "FSP-SEC-003")[..] else {
        panic!("{:?}", posture.findings)
    };
    let resource = &finding.resource;
    assert_eq!(
        (
            resource.kind.as_str(),
            resource.namespace.as_str(),
            resource.name.as_str()
        ),
        ("GitRepository", "tenant", "app")
    );
    let location = &finding.location;
    assert_eq!(
        (location.file.as_str(), location.line, location.field.as_str()),
        ("deploy/db.yaml", Some(5), "stringData.user")
    );
    assert!(!serde_json::to_string(finding).unwrap().contains("admin"));
}

#[test]
fn fsp_sec_004_files_hold_no_credentials() {
    let repository_object = object("GitRepository", json!({"url": "https://git.example.com/a"}));
    let objects = [repository_object];
    let token = ["ghp", "_aB3dE5fG7hJ9kL2mN4pQ6rS8tU0vW1xY2zA3"].concat();
    let of = |files: &[(&str, &str)]| {
        result(
            "FSP-SEC-004",
            &objects,
            vec![scanned(repository("tenant"), files)],
        )
    };
    assert_eq!(of(&[("README.md", &token)]), Fail);
    assert_eq!(of(&[CLEAN]), Manual, "the history is not read");
    assert_eq!(of(&[PLAIN]), Manual, "FSP-SEC-003 tells of it");
    let release = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: a}\nspec:\n  values: {password: hunter2}\n";
    assert_eq!(of(&[("a.yaml", release)]), Fail, "it may not be applied");
    let input = result(
        "FSP-SEC-004",
        &objects,
        vec![scanned(TreeKey::Input, &[("a.yaml", release)])],
    );
    assert_eq!(input, Manual, "FSP-SEC-005 tells of it");
}

#[test]
fn fsp_sec_001_what_is_encrypted_has_to_be_decrypted() {
    let secret = encrypted("tenant", &age("age1a"), "c2VjcmV0");
    let result = |file: &str, decryption: &Value| {
        result(
            "FSP-SEC-001",
            &[applies("tenant", decryption)],
            vec![scanned(repository("tenant"), &[(file, &secret)])],
        )
    };
    assert_eq!(result("deploy/a.yaml", &json!(null)), Fail);
    assert_eq!(result("deploy/a.yaml", &json!({"provider": "sops"})), Pass);
    assert_eq!(
        result("elsewhere/a.yaml", &json!(null)),
        Unknown,
        "it applies something else"
    );
}

#[test]
fn fsp_sec_011_recipients_tell_who_can_decrypt() {
    let keys = json!({"provider": "sops", "secretRef": {"name": "keys"}});
    let both = [applies("tenant", &keys), applies("other", &keys)];
    let file = |namespace: &str, text: &str| scanned(repository(namespace), &[("deploy/a.yaml", text)]);
    let trees = |one: &str, other: &str| {
        vec![
            file("tenant", &encrypted("tenant", &age(one), "c2VjcmV0")),
            file("other", &encrypted("other", &age(other), "bW9yZSBz")),
        ]
    };
    assert_eq!(result("FSP-SEC-011", &both, trees("age1a", "age1b")), Pass);
    let posture = judged(&both, trees("age1a", "age1a"));
    assert_eq!(control(&posture, "FSP-SEC-011").result, Fail);
    assert!(findings(&posture, "FSP-SEC-011")[0].message.contains("age1a"));
    let copy = encrypted("x", &age("age1a"), "c2VjcmV0");
    let copied = encrypted("y", &age("age1b"), "c2VjcmV0");
    assert_eq!(
        result(
            "FSP-SEC-011",
            &both,
            vec![file("tenant", &copy), file("other", &copied)]
        ),
        Fail
    );
    let half = vec![file("tenant", &encrypted("tenant", &age("age1a"), "c2VjcmV0"))];
    assert_eq!(
        result("FSP-SEC-011", &both, half),
        Unknown,
        "the other one was not read"
    );
    // Objects that nobody is seen to apply belong to whom their namespace belongs to.
    let of_namespaces = scanned(
        repository("flux-system"),
        &[
            ("a.yaml", &encrypted("tenant", &age("age1a"), "c2VjcmV0")),
            ("b.yaml", &encrypted("other", &age("age1a"), "bW9yZSBz")),
        ],
    );
    assert_eq!(result("FSP-SEC-011", &[], vec![of_namespaces]), Fail);
}

#[test]
fn fsp_sec_011_a_key_for_emergencies_may_be_shared() {
    let mut engine = engine(Tenancy::Shared);
    let mut row = policy(Tenancy::Shared);
    let tuning = json!([{"id": "FSP-SEC-011", "parameters": {"sharedRecipients": "age1x, age1a"}}]);
    row.spec.controls = serde_json::from_value(tuning).unwrap();
    engine.pin("test", row);
    let of_namespaces = scanned(
        repository("flux-system"),
        &[
            ("a.yaml", &encrypted("tenant", &age("age1a"), "c2VjcmV0")),
            ("b.yaml", &encrypted("other", &age("age1a"), "bW9yZSBz")),
        ],
    );
    engine.ingest([Delta::TreesAreRead(true), of_namespaces]);
    assert_eq!(control(&posture(&engine), "FSP-SEC-011").result, NotApplicable);
}

#[test]
fn fsp_sec_013_keys_need_no_credential() {
    let keys = json!({"provider": "sops", "secretRef": {"name": "keys"}});
    let result = |recipient: &str| {
        let file = encrypted("tenant", recipient, "c2VjcmV0");
        result(
            "FSP-SEC-013",
            &[applies("tenant", &keys)],
            vec![scanned(repository("tenant"), &[("deploy/a.yaml", &file)])],
        )
    };
    assert_eq!(result(&age("age1a")), Pass);
    assert_eq!(
        result("kms: [{arn: 'arn:aws:kms:eu-central-1:1:key/a'}]"),
        Unknown
    );
}

#[test]
fn trees_come_and_go() {
    let mut engine = engine(Tenancy::Shared);
    engine.ingest([upsert(&applies("tenant", &json!(null)))]);
    let result = |engine: &Engine| control(&posture(engine), "FSP-SEC-003").result;
    assert_eq!(result(&engine), Unknown);
    engine.ingest([Delta::TreesAreRead(true), scanned(repository("tenant"), &[PLAIN])]);
    assert_eq!(result(&engine), Fail);
    assert!(
        !engine.ingest([scanned(repository("tenant"), &[PLAIN])]),
        "the same is no change"
    );
    engine.ingest([scanned(repository("tenant"), &[CLEAN])]);
    assert_eq!(result(&engine), Pass);
    engine.ingest([Delta::NoTree(repository("tenant"))]);
    assert_eq!(result(&engine), Unknown);
    engine.ingest([
        scanned(repository("tenant"), &[PLAIN]),
        Delta::TreesAreRead(false),
    ]);
    assert_eq!(result(&engine), Unknown);
}
