//! What the files of sources tell, as far as somebody reads them.

use std::sync::Arc;

use flux_security_operator::api::Finding;
use flux_security_operator::engine::{ControlPosture, PolicyPosture};
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
    let said = ["tenant", "other"].map(|name| json!({"kind": "Namespace", "metadata": {"name": name, "labels": {"toolkit.fluxcd.io/tenant": name}}}));
    assert_eq!(result("FSP-SEC-011", &said, vec![of_namespaces]), Fail);
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

/// A GitRepository of a tenant, whose last revision is this commit.
fn cloned(namespace: &str, url: &str) -> Value {
    let mut object = in_namespace(object("GitRepository", json!({"url": url})), namespace);
    object["metadata"]["name"] = json!("app");
    object["status"] = json!({"artifact": {"revision": "main@sha1:0123456789abcdef0123456789abcdef01234567", "digest": "sha256:a", "url": "http://a/b"}});
    object
}

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

#[test]
fn fsp_sec_004_what_was_delivered_stays_exposed() {
    let mut engine = engine(Tenancy::Shared);
    engine.ingest([upsert(&cloned("tenant", "https://git.example.com/a"))]);
    engine.ingest([Delta::TreesAreRead(true), scanned(repository("tenant"), &[PLAIN])]);
    let results = |engine: &Engine| {
        let posture = posture(engine);
        ["FSP-SEC-003", "FSP-SEC-004"].map(|id| control(&posture, id).result)
    };
    assert_eq!(results(&engine), [Fail, Manual]);
    engine.ingest([scanned(repository("tenant"), &[CLEAN])]);
    assert_eq!(results(&engine), [NotApplicable, Fail]);
    let exposed = |engine: &Engine| findings(&posture(engine), "FSP-SEC-004");
    let [finding] = &exposed(&engine)[..] else {
        panic!("{:?}", exposed(&engine))
    };
    assert_eq!(
        finding.message,
        "deploy/db.yaml (stringData.user of Secret tenant/db): exposed, rotate: data of a Secret in plain text was delivered until revision main@sha1:a"
    );
    assert_eq!(
        (finding.location.line, finding.resource.namespace.as_str()),
        (Some(5), "tenant")
    );
    // Nobody reads the source any more, and it is exposed all the same.
    engine.ingest([Delta::NoTree(repository("tenant")), Delta::TreesAreRead(false)]);
    assert_eq!(exposed(&engine).len(), 1);
    // It goes with its source.
    let gone = upsert(&cloned("tenant", "https://git.example.com/a"));
    let Delta::Upsert(kind, key, _) = gone else {
        panic!("no object")
    };
    engine.ingest([Delta::Remove(kind, key)]);
    engine.ingest([Delta::NoTree(repository("tenant"))]);
    engine.ingest([upsert(&cloned("tenant", "https://git.example.com/a"))]);
    assert_eq!(exposed(&engine).len(), 0);
}

#[test]
fn fsp_sec_004_a_report_remembers_what_was_delivered() {
    let source = upsert(&cloned("tenant", "https://git.example.com/a"));
    let mut before = engine(Tenancy::Shared);
    before.ingest([
        source,
        Delta::TreesAreRead(true),
        scanned(repository("tenant"), &[PLAIN]),
    ]);
    let remembered = posture(&before).delivered;
    assert!(!serde_json::to_string(&*remembered).unwrap().contains("admin"));
    let [secret] = &*remembered else {
        panic!("{remembered:?}")
    };
    assert!(!secret.gone && secret.fingerprint.len() == 32);
    let report = json!({
        "kind": "FluxSecurityReport", "metadata": {"name": "default", "resourceVersion": "1"},
        "status": {"delivered": &*remembered},
    });
    // Repaired while no operator ran: whatever comes first, the report or the files.
    for is_report_first in [true, false] {
        let mut after = engine(Tenancy::Shared);
        after.ingest([
            upsert(&cloned("tenant", "https://git.example.com/a")),
            Delta::TreesAreRead(true),
        ]);
        let mut facts = [upsert(&report), scanned(repository("tenant"), &[CLEAN])];
        if !is_report_first {
            facts.swap(0, 1);
        }
        for fact in facts {
            after.ingest([fact]);
        }
        let posture = posture(&after);
        assert_eq!(findings(&posture, "FSP-SEC-004").len(), 1, "{is_report_first}");
        assert!(posture.delivered[0].gone);
    }
    // What a report says of sources that are not there is not believed.
    let mut other = engine(Tenancy::Shared);
    other.ingest([Delta::TreesAreRead(true), upsert(&report)]);
    assert_eq!(findings(&posture(&other), "FSP-SEC-004").len(), 0);
}

#[test]
fn fsp_sec_004_no_tenant_crowds_another_one_out_of_what_is_remembered() {
    let mut engine = engine(Tenancy::Shared);
    engine.ingest([Delta::TreesAreRead(true)]);
    let many: Vec<String> = (0..50).map(|number| format!("{number}.yaml")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|path| (path.as_str(), PLAIN.1)).collect();
    for number in 0..6 {
        let name = format!("app{number}");
        let mut object = cloned("tenant", "https://git.example.com/a");
        object["metadata"]["name"] = json!(name);
        engine.ingest([
            upsert(&object),
            scanned(source("GitRepository", "tenant", &name), &many),
        ]);
    }
    engine.ingest([
        upsert(&cloned("other", "https://git.example.com/b")),
        scanned(repository("other"), &[PLAIN]),
    ]);
    let remembered = posture(&engine).delivered;
    assert!(
        remembered.len() > 100 && remembered.len() <= 200,
        "{}",
        remembered.len()
    );
    assert!(remembered.iter().any(|secret| secret.source.namespace == "other"));
    assert!(serde_json::to_string(&*remembered).unwrap().len() < 96 * 1024);
}

/// The verdict on the history of repositories, with these attestations and this clock.
fn attested(objects: &[Value], trees: Vec<Delta>, attestations: &Value, now: &str) -> ControlPosture {
    let mut engine = engine(Tenancy::Shared);
    let mut row = policy(Tenancy::Shared);
    row.spec.attestations = serde_json::from_value(attestations.clone()).unwrap();
    engine.pin("test", row);
    engine.advance(now.parse().unwrap());
    engine.ingest(objects.iter().map(upsert));
    engine.ingest([Delta::TreesAreRead(true)]);
    engine.ingest(trees);
    let posture = posture(&engine);
    assert_eq!(posture.invalid, None);
    control(&posture, "FSP-SEC-004")
}

/// A scan of a repository, and more of it.
fn scan_of(url: &str, more: &Value) -> Value {
    let mut scan = json!({
        "repository": url, "scanner": "gitleaks", "scannedAt": "2026-11-01T00:00:00Z", "head": COMMIT,
        "complete": true, "findings": 0,
    });
    scan.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    scan
}

fn attestation(expires: &str, scans: &[Value]) -> Value {
    json!({
        "control": "FSP-SEC-004", "statement": "scanned with what the security team uses", "by": "jane",
        "expires": expires, "scans": scans,
    })
}

const ADDRESS: &str = "https://git.example.com/a";
const NOW: &str = "2026-11-26T00:00:00Z";
const LATER: &str = "2026-12-31T00:00:00Z";

#[test]
fn fsp_sec_004_scans_of_the_history_count_as_long_as_they_are_fresh_and_whole() {
    let one = [cloned("tenant", ADDRESS)];
    let clean = |namespace: &str| scanned(repository(namespace), &[CLEAN]);
    let result = |scans: &[Value]| attested(&one, vec![], &json!([attestation(LATER, scans)]), NOW);
    let passes = result(&[scan_of("ssh://git@git.example.com/a.git", &json!({}))]);
    assert_eq!(
        (passes.result, passes.reason.as_str()),
        (Pass, "Attested"),
        "{}",
        passes.message
    );
    // Missing, incomplete, of another repository, up to another commit while nobody reads the files: never a pass.
    for (scan, reason) in [
        (
            scan_of("https://git.example.com/b", &json!({})),
            "HistoryNotScanned",
        ),
        (scan_of(ADDRESS, &json!({"complete": false})), "HistoryNotWhole"),
        (scan_of(ADDRESS, &json!({"since": "abcdef0"})), "HistoryNotWhole"),
        (scan_of(ADDRESS, &json!({"since": COMMIT})), "HistoryNotWhole"),
        (scan_of(ADDRESS, &json!({"head": "abcdef0"})), "SourceNotRead"),
        (scan_of(ADDRESS, &json!({"head": ""})), "SourceNotRead"),
    ] {
        let verdict = result(std::slice::from_ref(&scan));
        assert_eq!(
            (verdict.result, verdict.reason.as_str()),
            (Unknown, reason),
            "{scan}"
        );
    }
    // What came after the scan is read in the files.
    let older = scan_of(ADDRESS, &json!({"head": "abcdef0"}));
    let of = |trees| {
        attested(
            &one,
            trees,
            &json!([attestation(LATER, std::slice::from_ref(&older))]),
            NOW,
        )
        .result
    };
    assert_eq!(of(vec![clean("tenant")]), Pass);
    let mut partly = Scan::default();
    partly.not_read("deploy/large.yaml", Gap::TooLarge);
    assert_eq!(of(vec![finished(repository("tenant"), partly)]), Unknown);
    // A scan may go on from another one.
    let first = scan_of(
        ADDRESS,
        &json!({"head": "abcdef0123", "scannedAt": "2026-10-20T00:00:00Z"}),
    );
    let next = scan_of(ADDRESS, &json!({"since": "abcdef0123"}));
    let later = json!([attestation("2027-01-01T00:00:00Z", &[first, next])]);
    assert_eq!(attested(&one, vec![], &later, NOW).result, Pass);
    // Each repository needs one.
    let two = [
        cloned("tenant", ADDRESS),
        cloned("other", "https://git.example.com/b"),
    ];
    let words = json!([attestation(LATER, &[scan_of(ADDRESS, &json!({}))])]);
    assert_eq!(attested(&two, vec![], &words, NOW).result, Unknown);
}

#[test]
fn fsp_sec_004_a_stale_scan_is_unknown_and_what_it_found_stays() {
    let one = [cloned("tenant", ADDRESS)];
    let ended = attestation("2026-11-20T00:00:00Z", &[scan_of(ADDRESS, &json!({}))]);
    let stale = attested(&one, vec![], &json!([ended]), NOW);
    assert_eq!((stale.result, stale.reason.as_str()), (Unknown, "ReportStale"));
    assert!(stale.message.contains("git.example.com/a"), "{}", stale.message);
    // Nobody's word stands for a scan, and another scan of the repository does.
    let word =
        json!({"control": "FSP-SEC-004", "statement": "it will be all right", "by": "joe", "expires": LATER});
    assert_eq!(attested(&one, vec![], &json!([ended, word]), NOW).result, Unknown);
    let fresh = attestation(
        LATER,
        &[scan_of(
            "git@git.example.com:a.git",
            &json!({"scannedAt": "2026-11-21T00:00:00Z"}),
        )],
    );
    assert_eq!(attested(&one, vec![], &json!([ended, fresh]), NOW).result, Pass);
    let found = json!({"findings": 3, "places": [{"file": "db.yaml", "line": 7, "commit": COMMIT, "rule": "generic-api-key"}]});
    for expires in ["2026-11-20T00:00:00Z", LATER] {
        let words = json!([attestation(expires, &[scan_of(ADDRESS, &found)])]);
        let failing = attested(&one, vec![], &words, NOW);
        assert_eq!(
            (failing.result, failing.findings),
            (Fail, 2),
            "{}",
            failing.message
        );
    }
    // A newer scan without findings replaces it: they were accepted or are of another history.
    let newer = scan_of(ADDRESS, &json!({"scannedAt": "2026-11-21T00:00:00Z"}));
    let words = json!([attestation(LATER, &[scan_of(ADDRESS, &found), newer])]);
    assert_eq!(attested(&one, vec![], &words, NOW).result, Pass);
}

#[test]
fn fsp_sec_004_a_scan_counts_for_ninety_days() {
    let mut engine = engine(Tenancy::Shared);
    for (scan, expires, what) in [
        (
            scan_of(ADDRESS, &json!({})),
            "2027-02-01T00:00:00Z",
            "at most 90 days",
        ),
        (
            scan_of("/srv/app.git", &json!({})),
            LATER,
            "not the address of a repository",
        ),
    ] {
        let mut row = policy(Tenancy::Shared);
        row.spec.attestations = serde_json::from_value(json!([attestation(expires, &[scan])])).unwrap();
        engine.pin("test", row);
        let invalid = posture(&engine).invalid.unwrap();
        assert!(
            invalid.starts_with("spec.attestations[0].") && invalid.contains(what),
            "{invalid}"
        );
    }
}

#[test]
fn fsp_sec_011_the_policy_lists_who_may_decrypt_the_files_of_a_tenant() {
    let keys = json!({"provider": "sops", "secretRef": {"name": "keys"}});
    let both = [applies("tenant", &keys), applies("other", &keys)];
    let file = |namespace: &str, recipient: &str, code: &str| {
        scanned(
            repository(namespace),
            &[("deploy/a.yaml", &encrypted(namespace, recipient, code))],
        )
    };
    let verdict = |listed: &Value, one: &str, other: &str| {
        let mut engine = engine(Tenancy::Shared);
        let mut row = policy(Tenancy::Shared);
        row.spec.secrets.decryption.tenant_recipients = serde_json::from_value(listed.clone()).unwrap();
        engine.pin("test", row);
        engine.ingest(both.iter().map(upsert));
        engine.ingest([
            Delta::TreesAreRead(true),
            file("tenant", one, "c2VjcmV0"),
            file("other", other, "bW9yZSBz"),
        ]);
        posture(&engine)
    };
    let result =
        |listed: &Value, one: &str, other: &str| control(&verdict(listed, one, other), "FSP-SEC-011").result;
    let listed = json!({"tenant": ["age1a"]});
    assert_eq!(
        result(&listed, &age("age1a"), &age("age1b")),
        Pass,
        "who is not listed may have any"
    );
    let posture = verdict(&listed, &age("age1c"), &age("age1b"));
    let [finding] = &findings(&posture, "FSP-SEC-011")[..] else {
        panic!("{:?}", posture.findings)
    };
    assert_eq!(
        finding.message,
        "deploy/a.yaml of the tenant tenant is encrypted for the age key age1c, which the policy does not list"
    );
    assert_eq!(
        (finding.location.file.as_str(), finding.location.line),
        ("deploy/a.yaml", Some(1))
    );
    let arn = |text: &str| format!("kms: [{{arn: '{text}'}}]");
    let key = arn("arn:aws:kms:eu-central-1:1:key/mrk-a");
    let by_account = json!({"tenant": ["arn:aws:kms:*:1:key/*"]});
    assert_eq!(result(&by_account, &key, &age("age1b")), Pass);
    // One key has many names.
    for (one, other, expected) in [
        (key.clone(), arn("arn:aws:kms:us-east-1:1:key/mrk-a"), Fail),
        (key, arn("arn:aws:kms:us-east-1:2:key/mrk-a"), Pass),
        (arn("arn:aws:kms:a:1:key/b"), arn("arn:aws:kms:c:1:key/b"), Pass),
        (
            arn("arn:aws:kms:a:1:alias/x"),
            arn("arn:aws:kms:a:1:key/b"),
            Unknown,
        ),
        (
            arn("arn:aws:kms:a:1:alias/x"),
            arn("arn:aws:kms:a:1:alias/x"),
            Fail,
        ),
        (arn("arn:aws:kms:a:1:alias/x"), arn("arn:aws:kms:a:2:key/b"), Pass),
        (
            "gcp_kms: [{resource_id: projects/p/locations/l/keyRings/r/cryptoKeys/k}]".to_owned(),
            "gcp_kms: [{resource_id: projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/2}]"
                .to_owned(),
            Fail,
        ),
        (
            "azure_kv: [{vault_url: 'https://V.vault.azure.net', name: k, version: a}]".to_owned(),
            "azure_kv: [{vault_url: 'https://v.vault.azure.net/', name: k, version: b}]".to_owned(),
            Fail,
        ),
        (
            "hc_vault: [{vault_address: 'https://vault', engine_path: sops, key_name: a}]".to_owned(),
            "hc_vault: [{vault_address: 'https://vault', engine_path: sops, key_name: b}]".to_owned(),
            Pass,
        ),
        (
            "pgp: [{fp: 85D77543B3D624B63CEA9E6DBC17301B491B3F21}]".to_owned(),
            "pgp: [{fp: BC17301B491B3F21}]".to_owned(),
            Fail,
        ),
    ] {
        assert_eq!(
            result(&json!({}), &one, &other),
            expected,
            "FSP-SEC-011 {one} {other}"
        );
    }
}
