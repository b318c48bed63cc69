//! Controls that judge Flux's objects: each fails, passes, does not know, and falls into no known trap.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use flux_security_operator::api::ControlResult::{Fail, Manual, NotApplicable, Pass, Unknown};
use flux_security_operator::api::{ControlResult, Severity, Tenancy};
use flux_security_operator::controls::{CATALOGUE, Control, Judges};
use flux_security_operator::inventory::{Coverage, Delta};
use serde_json::{Value, json};
use support::{audit, control, deployment, engine, posture, undeclared_reads, upsert};

/// Control, what is shown (a trap by its control's id), objects, result.
type Case = (&'static str, &'static str, Vec<Value>, ControlResult);

#[expect(clippy::needless_pass_by_value, reason = "the calls read better")]
fn object(kind: &str, spec: Value) -> Value {
    json!({"kind": kind, "metadata": {"name": "app", "namespace": "tenant", "generation": 2}, "spec": spec})
}

fn with_status(kind: &str, spec: Value, conditions: &[(&str, &str, &str, &str, i64)]) -> Value {
    let condition = |(kind, status, reason, message, generation): &(&str, &str, &str, &str, i64)| json!({"type": kind, "status": status, "reason": reason, "message": message, "observedGeneration": generation});
    let conditions: Vec<Value> = conditions.iter().map(condition).collect();
    let mut object = object(kind, spec);
    object["status"] = json!({"conditions": conditions});
    object
}

fn applied(spec: Value, entries: &[&str]) -> Value {
    let entries: Vec<Value> = entries.iter().map(|id| json!({"id": id, "v": "v1"})).collect();
    let mut object = object("Kustomization", spec);
    object["status"] = json!({"inventory": {"entries": entries}});
    object
}

fn in_namespace(mut object: Value, namespace: &str) -> Value {
    object["metadata"]["namespace"] = json!(namespace);
    object
}

fn account(name: &str, namespace: &str) -> Value {
    json!({"kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}})
}

fn kustomize(args: &[&str]) -> Value {
    deployment("kustomize-controller", "1.9.4", args)
}

/// A controller whose default account comes from a Secret.
fn secret_default() -> Value {
    let mut controller = kustomize(&["--default-service-account=$(ACCOUNT)"]);
    let env = controller["spec"]["template"]["spec"]["containers"][0]["env"]
        .as_array_mut()
        .unwrap();
    env.push(json!({"name": "ACCOUNT", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}));
    controller
}

const READY: (&str, &str, &str, &str, i64) = ("Ready", "True", "Succeeded", "", 2);
const VERIFIED: (&str, &str, &str, &str, i64) = ("SourceVerified", "True", "Succeeded", "", 2);
const REFUSED: (&str, &str, &str, &str, i64) = ("SourceVerified", "False", "VerificationError", "", 2);

fn cases() -> Vec<Case> {
    let mut cases = sources();
    cases.extend(identities());
    cases.extend(transport());
    cases.extend(tenants());
    cases.extend(references());
    cases.extend(decryption());
    cases.extend(beyond());
    cases.extend(not_from_here());
    cases
}

#[rustfmt::skip]
fn sources() -> Vec<Case> {
    let git = |verify: Value, conditions: &[_]| with_status("GitRepository", json!({"url": "https://x.example/a", "verify": verify}), conditions);
    let mode = json!({"mode": "HEAD", "secretRef": {"name": "keys"}});
    let stale = ("SourceVerified", "True", "Succeeded", "", 1);
    let oci = |spec: Value| { let mut it = json!({"url": "oci://ghcr.io/a/b"}); it.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone()); with_status("OCIRepository", it, &[READY]) };
    let chart = |source: &str, verify: Value| { let mut it = with_status("HelmChart", json!({"chart": "c", "sourceRef": {"kind": source, "name": "charts"}, "verify": verify}), &[READY]); it["metadata"]["name"] = json!("tenant-app"); it };
    let repository = |kind: &str| { let mut it = object("HelmRepository", json!({"url": "https://x.example", "type": kind})); it["metadata"]["name"] = json!("charts"); it };
    let elsewhere = in_namespace(repository("oci"), "other");
    vec![
        ("FSX-SRC-001", "not verified", vec![git(json!(null), &[READY])], Fail),
        ("FSX-SRC-001", "verified", vec![git(mode.clone(), &[READY, VERIFIED])], Pass),
        ("FSX-SRC-001", "refused", vec![git(mode.clone(), &[REFUSED])], Fail),
        ("FSX-SRC-001", "ready without verification", vec![git(mode.clone(), &[READY])], Fail),
        ("FSX-SRC-001", "FSX-SRC-001 a stale condition proves nothing", vec![git(mode.clone(), &[stale])], Unknown),
        ("FSX-SRC-001", "not fetched yet", vec![git(mode, &[])], Unknown),
        ("FSX-SRC-002", "a tag without verification", vec![oci(json!({"ref": {"tag": "1"}}))], Fail),
        ("FSX-SRC-002", "a digest", vec![oci(json!({"ref": {"digest": "sha256:1"}}))], NotApplicable),
        ("FSX-SRC-002", "in the cluster", vec![oci(json!({"url": "oci://zot.registry.svc:5000/a"}))], NotApplicable),
        ("FSX-SRC-002", "verified", vec![with_status("OCIRepository", json!({"url": "oci://ghcr.io/a/b", "verify": {"provider": "cosign"}}), &[READY, VERIFIED])], Pass),
        ("FSX-SRC-002", "a chart of an OCI repository", vec![chart("HelmRepository", json!(null)), repository("oci")], Fail),
        ("FSX-SRC-002", "FSX-SRC-002 a chart of an HTTP repository cannot be verified", vec![chart("HelmRepository", json!(null)), repository("default")], Fail),
        ("FSX-SRC-002", "the repository is of another namespace", vec![chart("HelmRepository", json!(null)), elsewhere], Unknown),
        ("FSX-SRC-002", "a chart in Git", vec![chart("GitRepository", json!(null))], NotApplicable),
        ("FSX-SRC-009", "set", vec![object("HelmRepository", json!({"passCredentials": true}))], Fail),
        ("FSX-SRC-009", "not set", vec![object("HelmRepository", json!({"passCredentials": null}))], Pass),
        ("FSX-SRC-006", "insecure", vec![object("OCIRepository", json!({"insecure": true}))], Fail),
        ("FSX-SRC-006", "insecure with an authority", vec![object("OCIRepository", json!({"insecure": true, "certSecretRef": {"name": "ca"}}))], Pass),
    ]
}

const ISSUER: &str = r"^https://token\.actions\.githubusercontent\.com$";
const SUBJECT: &str = r"^https://github\.com/org/app/\.github/workflows/release\.yaml@refs/tags/v.*$";
#[rustfmt::skip]
fn identities() -> Vec<Case> {
    let verify = |verify: Value| vec![object("OCIRepository", json!({"verify": verify}))];
    let identity = |issuer: &str, subject: &str| verify(json!({"provider": "cosign", "matchOIDCIdentity": [{"issuer": issuer, "subject": subject}]}));
    vec![
        ("FSX-SRC-003", "nobody named", verify(json!({"provider": "cosign"})), Fail),
        ("FSX-SRC-003", "null identities", verify(json!({"provider": "cosign", "matchOIDCIdentity": null})), Fail),
        ("FSX-SRC-003", "anchored down to the ref", identity(ISSUER, SUBJECT), Pass),
        ("FSX-SRC-003", "one organisation", identity(ISSUER, r"^https://github\.com/org/.*$"), Pass),
        ("FSX-SRC-003", "a whole forge", identity(ISSUER, r"^https://github\.com/.*$"), Fail),
        ("FSX-SRC-003", "FSX-SRC-003 an issuer without anchors matches look-alikes", identity("https://token.actions.githubusercontent.com", SUBJECT), Fail),
        ("FSX-SRC-003", "an end that is escaped", identity(ISSUER, r"^https://github\.com/org/app\$"), Fail),
        ("FSX-SRC-003", "an alternative escapes the anchors", identity(ISSUER, r"^https://github\.com/org/app|other$"), Fail),
        ("FSX-SRC-003", "public key", verify(json!({"provider": "cosign", "secretRef": {"name": "key"}})), NotApplicable),
        ("FSX-SRC-003", "notation", verify(json!({"provider": "notation", "secretRef": {"name": "policy"}})), NotApplicable),
    ]
}

#[rustfmt::skip]
fn transport() -> Vec<Case> {
    let one = |kind: &str, spec: Value| vec![object(kind, spec)];
    let mut artifact = object("GitRepository", json!({"url": "ssh://git@x.example/a"}));
    artifact["status"] = json!({"artifact": {"url": "http://source-controller.flux-system.svc.cluster.local./a.tar.gz"}});
    vec![
        ("FSX-SRC-005", "git over http", one("GitRepository", json!({"url": "http://x.example/a"})), Fail),
        ("FSX-SRC-005", "a scheme in capitals", one("GitRepository", json!({"url": "HTTP://x.example/a"})), Fail),
        ("FSX-SRC-005", "git over https", one("GitRepository", json!({"url": "https://x.example/a"})), Pass),
        ("FSX-SRC-005", "FSX-SRC-005 artifact addresses are http by design", vec![artifact], Pass),
        ("FSX-SRC-005", "an insecure bucket", one("Bucket", json!({"endpoint": "s3.example", "insecure": true})), Fail),
        ("FSX-SRC-005", "STS over http", one("Bucket", json!({"endpoint": "s3.example", "sts": {"endpoint": "http://sts.example"}})), Fail),
        ("FSX-SRC-005", "insecure means nothing to an HTTP repository", one("HelmRepository", json!({"url": "https://x.example", "insecure": true})), Pass),
        ("FSX-SRC-005", "an insecure OCI Helm repository", one("HelmRepository", json!({"url": "oci://x.example/a", "type": "oci", "insecure": true})), Fail),
        ("FSX-SRC-005", "an insecure image", one("ImageRepository", json!({"image": "x.example/a", "insecure": true})), Fail),
        ("FSX-SRC-005", "an alert over http", one("Provider", json!({"type": "generic", "address": "http://x.example"})), Fail),
        ("FSX-SRC-005", "FSX-SRC-005 the address is in the Secret", one("Provider", json!({"type": "slack", "secretRef": {"name": "hook"}})), Unknown),
        ("FSX-SRC-005", "an issuer over http", one("Receiver", json!({"type": "generic-oidc", "oidcProviders": [{"issuerURL": "http://x.example"}]})), Fail),
    ]
}

#[rustfmt::skip]
fn tenants() -> Vec<Case> {
    let locked = kustomize(&["--default-service-account=none"]);
    let open = kustomize(&[]);
    let unset = object("Kustomization", json!({}));
    let set = object("Kustomization", json!({"serviceAccountName": "deployer"}));
    let remote = object("Kustomization", json!({"serviceAccountName": "deployer", "kubeConfig": {"secretRef": {"name": "k"}}}));
    let root = |spec: Value| in_namespace(object("Kustomization", spec), "flux-system");
    let here = account("deployer", "tenant");
    vec![
        ("FSP-MT-010", "unset, locked down", vec![unset.clone(), locked.clone()], Fail),
        ("FSP-MT-010", "unset, open", vec![unset.clone(), open.clone()], Fail),
        ("FSP-MT-010", "set and there", vec![set.clone(), here, open.clone()], Pass),
        ("FSP-MT-010", "set and not there", vec![set.clone(), open.clone()], Fail),
        ("FSP-MT-010", "there, in another namespace", vec![set, account("deployer", "other"), open.clone()], Fail),
        ("FSP-MT-010", "FSP-MT-010 the account of a remote cluster is there", vec![remote, open.clone()], Pass),
        ("FSP-MT-010", "a HelmRelease", vec![object("HelmRelease", json!({})), deployment("helm-controller", "1.6.3", &[])], Fail),
        ("FSP-MT-010", "FSP-MT-010 a generated HelmChart is no applier", vec![object("HelmChart", json!({})), open.clone()], NotApplicable),
        ("FSP-MT-010", "the platform's own", vec![root(json!({})), open.clone()], NotApplicable),
        ("FSP-MT-010", "nobody applies it", vec![unset.clone()], NotApplicable),
("FSP-MT-010", "the default is not readable", vec![unset, secret_default()], Unknown),
        ("FSP-MT-011", "unset under lock-down", vec![root(json!({})), locked.clone()], Fail),
        ("FSP-MT-011", "set under lock-down", vec![root(json!({"serviceAccountName": "kustomize-controller"})), locked.clone()], Pass),
        ("FSP-MT-011", "no lock-down", vec![root(json!({})), open], NotApplicable),
        ("FSP-MT-011", "not in Flux's namespace", vec![object("Kustomization", json!({})), locked], NotApplicable),
    ]
}

#[rustfmt::skip]
fn references() -> Vec<Case> {
    let foreign = object("Kustomization", json!({"sourceRef": {"kind": "GitRepository", "name": "a", "namespace": "other"}}));
    let own = object("Kustomization", json!({"sourceRef": {"kind": "GitRepository", "name": "a", "namespace": "tenant"}}));
    let release = |spec: Value| vec![object("HelmRelease", spec), deployment("helm-controller", "1.6.3", &[])];
    vec![
        ("FSP-MT-012", "to another namespace", vec![foreign.clone(), kustomize(&[])], Fail),
        ("FSP-MT-012", "refused", vec![foreign.clone(), kustomize(&["--no-cross-namespace-refs"])], Fail),
        ("FSP-MT-012", "to its own namespace by name", vec![own, kustomize(&[])], Pass),
        ("FSP-MT-012", "FSP-MT-012 an empty namespace is the object's own", vec![object("Kustomization", json!({"sourceRef": {"name": "a"}})), kustomize(&[])], Pass),
        ("FSP-MT-012", "FSP-MT-012 a HelmRelease refers by chart.spec", release(json!({"chart": {"spec": {"sourceRef": {"name": "a", "namespace": "other"}}}})), Fail),
        ("FSP-MT-012", "FSP-MT-012 a chart template without sourceRef", release(json!({"chart": {"kind": "OCIRepository", "spec": {"url": "oci://x.example/a"}}})), Pass),
        ("FSP-MT-012", "a chartRef", release(json!({"chartRef": {"kind": "OCIRepository", "name": "a", "namespace": "other"}})), Fail),
        ("FSP-MT-012", "FSP-MT-012 dependsOn is no source", vec![object("Kustomization", json!({"dependsOn": [{"name": "a", "namespace": "other"}]})), kustomize(&[])], Pass),
        ("FSP-MT-012", "an automation", vec![object("ImageUpdateAutomation", json!({"sourceRef": {"name": "a", "namespace": "other"}})), deployment("image-automation-controller", "1.2.4", &[])], Fail),
        ("FSP-MT-012", "an Alert", vec![object("Alert", json!({"eventSources": [{"kind": "Kustomization", "name": "*", "namespace": "other"}]})), deployment("notification-controller", "1.9.3", &[])], Fail),
        ("FSP-MT-012", "FSP-MT-012 an ImagePolicy needs consent and is not judged", vec![object("ImagePolicy", json!({"imageRepositoryRef": {"name": "a", "namespace": "other"}}))], NotApplicable),
        ("FSP-MT-012", "the platform's own", vec![in_namespace(foreign, "flux-system"), kustomize(&[])], NotApplicable),
    ]
}

#[rustfmt::skip]
fn decryption() -> Vec<Case> {
    let failed = |reason, message| vec![with_status("Kustomization", json!({}), &[("Ready", "False", reason, message, 2)])];
    vec![
        ("FSP-SEC-001", "a Secret without decryption", vec![applied(json!({}), &["tenant_db__Secret"])], Fail),
        ("FSP-SEC-001", "a Secret with decryption", vec![applied(json!({"decryption": {"provider": "sops"}}), &["tenant_db__Secret"])], Pass),
        ("FSP-SEC-001", "FSP-SEC-001 kinds that only sound alike", vec![applied(json!({}), &["tenant_db_bitnami.com_SealedSecret", "tenant_db_external-secrets.io_ExternalSecret", "tenant_db_example.com_Secret"])], Pass),
        ("FSP-SEC-001", "FSP-SEC-001 an empty inventory proves nothing", vec![applied(json!({}), &[])], Unknown),
        ("FSP-SEC-001", "FSP-SEC-001 never reconciled", vec![object("Kustomization", json!({"suspend": true}))], Unknown),
        ("FSP-SEC-002", "nothing configured", failed("ReconciliationFailed", "Secret/a/b is SOPS encrypted, configuring decryption is required for this secret to be reconciled"), Fail),
        ("FSP-SEC-002", "no key fits", failed("BuildFailed", "decryption failed for 'b': failed to get the data key"), Fail),
        ("FSP-SEC-002", "fails for another reason", failed("BuildFailed", "accumulating resources: missing file"), Pass),
        ("FSP-SEC-002", "ready", vec![with_status("Kustomization", json!({}), &[READY])], Pass),
        ("FSP-SEC-002", "an old condition", vec![with_status("Kustomization", json!({}), &[("Ready", "True", "Succeeded", "", 1)])], Unknown),
    ]
}

#[rustfmt::skip]
fn beyond() -> Vec<Case> {
    let one = |kind: &str, spec: Value| vec![object(kind, spec)];
    let drift = |mode: &str| one("HelmRelease", json!({"driftDetection": {"mode": mode}}));
    let receiver = |kind: &str| one("Receiver", json!({"type": kind, "resources": []}));
    let access = |labels: Value| one("ImageRepository", json!({"accessFrom": {"namespaceSelectors": [{"matchLabels": {"team": "a"}}, {"matchLabels": labels}]}}));
    let trigger = |name: &str, namespace: &str, filter: &str| one("Receiver", json!({"type": "github", "resourceFilter": filter, "resources": [{"kind": "GitRepository", "name": name, "namespace": namespace}]}));
    vec![
        ("FSX-TEN-006", "a selector without labels", access(json!({})), Fail),
        ("FSX-TEN-006", "null labels", access(json!(null)), Fail),
        ("FSX-TEN-006", "labels", access(json!({"team": "b"})), Pass),
        ("FSX-TEN-006", "only its own namespace", one("ImageRepository", json!({})), NotApplicable),
        ("FSX-TEN-008", "unset", one("HelmRelease", json!({})), Fail),
        ("FSX-TEN-008", "disabled", drift("disabled"), Fail),
        ("FSX-TEN-008", "enabled", drift("enabled"), Pass),
        ("FSX-TEN-008", "warns", drift("warn"), Pass),
        ("FSX-NOT-001", "generic", receiver("generic"), Fail),
        ("FSX-NOT-001", "FSX-NOT-001 a Secret does not authenticate acr", one("Receiver", json!({"type": "acr", "secretRef": {"name": "token"}})), Fail),
        ("FSX-NOT-001", "generic-hmac", receiver("generic-hmac"), Pass),
        ("FSX-NOT-001", "a type of tomorrow", receiver("tomorrow"), Unknown),
        ("FSX-NOT-004", "everything", trigger("*", "", ""), Fail),
        ("FSX-NOT-004", "everything, filtered", trigger("*", "", "res.metadata.name == 'a'"), Pass),
        ("FSX-NOT-004", "another namespace, filtered", trigger("a", "other", "true"), Fail),
        ("FSX-NOT-004", "one of its own", trigger("a", "tenant", ""), Pass),
    ]
}

/// What no object can prove, and no control passes.
#[rustfmt::skip]
fn not_from_here() -> Vec<Case> {
    vec![
        ("FSP-SEC-003", "something is applied", vec![object("HelmRelease", json!({}))], Unknown),
        ("FSP-SEC-003", "nothing is applied", vec![], NotApplicable),
        ("FSP-SEC-004", "a repository", vec![object("GitRepository", json!({}))], Manual),
        ("FSP-SEC-004", "no repository", vec![object("OCIRepository", json!({}))], NotApplicable),
    ]
}

#[test]
fn every_case_has_its_result() {
    for (id, shown, objects, expected) in cases() {
        let judged = audit(id, Tenancy::Shared, &objects);
        assert_eq!(judged.result, expected, "{id} {shown}: {}", judged.message);
    }
}

#[test]
fn every_control_has_a_failing_and_a_passing_case() {
    for (control, _) in controls() {
        for wanted in [Fail, Pass] {
            let found = cases()
                .iter()
                .any(|(id, .., result)| *id == control.id && *result == wanted);
            assert!(found, "{} has no case with result {wanted}", control.id);
        }
    }
}

#[test]
fn a_kind_that_may_not_be_listed_is_unknown_never_pass() {
    for (judged, kinds) in controls() {
        for kind in kinds {
            let mut engine = engine(Tenancy::Shared);
            engine.ingest([Delta::Coverage(kind, Coverage::Forbidden)]);
            assert_eq!(
                control(&posture(&engine), judged.id).result,
                Unknown,
                "{} {}",
                judged.id,
                kind.name()
            );
        }
    }
}

#[test]
fn what_does_not_exist_is_not_applicable() {
    for (judged, kinds) in controls() {
        let mut engine = engine(Tenancy::Shared);
        let reason = |engine: &_| {
            let judged = control(&posture(engine), judged.id);
            (judged.result, judged.reason)
        };
        assert_eq!(
            reason(&engine),
            (NotApplicable, "NoneExists".to_owned()),
            "{}",
            judged.id
        );
        engine.ingest(
            kinds
                .into_iter()
                .map(|kind| Delta::Coverage(kind, Coverage::Absent)),
        );
        assert_eq!(
            reason(&engine),
            (NotApplicable, "NotInstalled".to_owned()),
            "{}",
            judged.id
        );
    }
}

/// A control that reads what it did not declare would not be evaluated again when that changes.
#[test]
fn controls_read_only_what_they_declare() {
    for (id, shown, objects, _) in cases() {
        let mut engine = engine(Tenancy::Shared);
        engine.ingest(objects.iter().map(upsert));
        let undeclared = undeclared_reads(id, engine.inventory());
        assert!(
            undeclared.is_empty(),
            "{id} {shown} reads {undeclared:?} and does not say so"
        );
    }
}

#[test]
fn what_is_judged_later_is_judged_the_same() {
    for (id, shown, objects, expected) in cases() {
        let mut engine = engine(Tenancy::Shared);
        for object in &objects {
            engine.ingest([upsert(object)]);
        }
        assert_eq!(control(&posture(&engine), id).result, expected, "{id} {shown}");
    }
}

#[test]
fn severities_follow_the_situation() {
    let severity = |id: &str, objects: &[Value]| audit(id, Tenancy::Shared, objects).severity;
    let git = |url: &str, secret: Value| [object("GitRepository", json!({"url": url, "secretRef": secret}))];
    let secret = json!({"name": "s"});
    assert_eq!(
        severity("FSX-SRC-005", &git("http://x.example/a", json!(null))),
        Severity::High
    );
    assert_eq!(
        severity("FSX-SRC-005", &git("http://x.example/a", secret.clone())),
        Severity::Critical
    );
    assert_eq!(
        severity("FSX-SRC-005", &git("http://me:pw@x.example/a", json!(null))),
        Severity::Critical
    );
    assert_eq!(
        severity("FSX-SRC-005", &git("http://git.svc/a", secret)),
        Severity::Low
    );
    let unset = object("Kustomization", json!({}));
    assert_eq!(
        severity("FSP-MT-010", &[unset.clone(), kustomize(&[])]),
        Severity::Critical
    );
    let locked = kustomize(&["--default-service-account=none"]);
    assert_eq!(severity("FSP-MT-010", &[unset, locked]), Severity::Medium);
    let foreign = object(
        "Kustomization",
        json!({"sourceRef": {"name": "a", "namespace": "other"}}),
    );
    assert_eq!(
        severity("FSP-MT-012", &[foreign.clone(), kustomize(&[])]),
        Severity::High
    );
    let refusing = kustomize(&["--no-cross-namespace-refs"]);
    assert_eq!(severity("FSP-MT-012", &[foreign, refusing]), Severity::Info);
}

#[test]
fn a_password_in_an_address_is_not_repeated() {
    let mut engine = engine(Tenancy::Shared);
    engine.ingest([upsert(&object(
        "GitRepository",
        json!({"url": "http://me:hunter2@x.example/a"}),
    ))]);
    let whole = format!("{:?}", posture(&engine).findings);
    assert!(
        whole.contains("FSX-SRC-005") && !whole.contains("hunter2"),
        "{whole}"
    );
}

fn controls() -> impl Iterator<Item = (&'static Control, Vec<flux_security_operator::kinds::KindId>)> {
    CATALOGUE.iter().filter_map(|control| match control.judges {
        Judges::Objects(kinds) => Some((*control, kinds.iter().map(|judges| judges.kind()).collect())),
        _ => None,
    })
}
