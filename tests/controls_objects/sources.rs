//! Where things come from: signatures, identities, transport.

use super::*;

const ISSUER: &str = r"^https://token\.actions\.githubusercontent\.com$";
const SUBJECT: &str = r"^https://github\.com/org/app/\.github/workflows/release\.yaml@refs/tags/v.*$";

pub(crate) fn cases() -> Vec<Case> {
    [sources(), identities(), transport()].concat()
}

#[rustfmt::skip]
fn sources() -> Vec<Case> {
    let git = |verify: Value, conditions: &[_]| with_status("GitRepository", json!({"url": "https://x.example/a", "verify": verify}), conditions);
    let signed = |spec: Value| { let mut it = json!({"url": "https://x.example/a", "verify": {"mode": "HEAD", "secretRef": {"name": "keys"}}}); it.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone()); with_status("GitRepository", it, &[READY, VERIFIED]) };
    let mode = json!({"mode": "HEAD", "secretRef": {"name": "keys"}});
    let stale = ("SourceVerified", "True", "Succeeded", "", 1);
    let oci = |spec: Value| { let mut it = json!({"url": "oci://ghcr.io/a/b"}); it.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone()); with_status("OCIRepository", it, &[READY]) };
    let chart = |source: &str, verify: Value| { let mut it = with_status("HelmChart", json!({"chart": "c", "sourceRef": {"kind": source, "name": "charts"}, "verify": verify}), &[READY]); it["metadata"]["name"] = json!("tenant-app"); it };
    let notation = |conditions: &[_]| with_status("OCIRepository", json!({"url": "oci://ghcr.io/a/b", "verify": {"provider": "notation", "secretRef": {"name": "trust"}}}), conditions);
    let repository = |kind: &str| { let mut it = object("HelmRepository", json!({"url": "https://x.example", "type": kind})); it["metadata"]["name"] = json!("charts"); it };
    let elsewhere = in_namespace(repository("oci"), "other");
    vec![
        ("FSX-SRC-001", "not verified", vec![git(json!(null), &[READY])], Fail),
        ("FSX-SRC-001", "verified", vec![git(mode.clone(), &[READY, VERIFIED])], Pass),
        ("FSX-SRC-001", "refused", vec![git(mode.clone(), &[REFUSED])], Fail),
        ("FSX-SRC-001", "ready without verification", vec![git(mode.clone(), &[READY])], Fail),
        ("FSX-SRC-001", "FSX-SRC-001 a stale condition proves nothing", vec![git(mode.clone(), &[stale])], Unknown),
        ("FSX-SRC-001", "FSX-SRC-001 submodules are not verified", vec![signed(json!({"recurseSubmodules": true}))], Fail),
        ("FSX-SRC-001", "FSX-SRC-001 what is included is verified on its own", vec![signed(json!({"include": [{"repository": {"name": "other"}}]}))], Pass),
        ("FSX-SRC-001", "FSX-SRC-001 a repository that is included is judged, too", vec![signed(json!({"include": [{"repository": {"name": "other"}}]})), { let mut it = git(json!(null), &[READY]); it["metadata"]["name"] = json!("other"); it }], Fail),
        ("FSX-SRC-001", "not fetched yet", vec![git(mode, &[])], Unknown),
        ("FSX-SRC-002", "a tag without verification", vec![oci(json!({"ref": {"tag": "1"}}))], Fail),
        ("FSX-SRC-002", "a digest", vec![oci(json!({"ref": {"digest": "sha256:1"}}))], NotApplicable),
        ("FSX-SRC-002", "in the cluster", vec![oci(json!({"url": "oci://zot.registry.svc:5000/a"}))], NotApplicable),
        ("FSX-SRC-002", "verified", vec![with_status("OCIRepository", json!({"url": "oci://ghcr.io/a/b", "verify": {"provider": "cosign"}}), &[READY, VERIFIED])], Pass),
        ("FSX-SRC-002", "a chart of an OCI repository", vec![chart("HelmRepository", json!(null)), repository("oci")], Fail),
        ("FSX-SRC-002", "FSX-SRC-002 a chart of an HTTP repository cannot be verified", vec![chart("HelmRepository", json!(null)), repository("default")], Fail),
        ("FSX-SRC-002", "the repository is of another namespace", vec![chart("HelmRepository", json!(null)), elsewhere], Unknown),
        ("FSX-SRC-002", "a chart in Git", vec![chart("GitRepository", json!(null))], NotApplicable),
        ("FSX-SRC-004", "FSX-SRC-004 the level skip leaves it Ready and unverified", vec![notation(&[READY])], Fail),
        ("FSX-SRC-004", "FSX-SRC-004 audit and permissive look like strict", vec![notation(&[READY, VERIFIED])], Unknown),
        ("FSX-SRC-004", "refused", vec![notation(&[REFUSED])], Unknown),
        ("FSX-SRC-004", "not fetched yet", vec![notation(&[])], Unknown),
        ("FSX-SRC-004", "cosign", vec![with_status("OCIRepository", json!({"url": "oci://ghcr.io/a/b", "verify": {"provider": "cosign"}}), &[READY])], NotApplicable),
        ("FSX-SRC-004", "a chart", vec![chart("HelmRepository", json!({"provider": "notation", "secretRef": {"name": "trust"}}))], Fail),
        ("FSX-SRC-009", "set", vec![object("HelmRepository", json!({"passCredentials": true}))], Fail),
        ("FSX-SRC-009", "not set", vec![object("HelmRepository", json!({"passCredentials": null}))], Pass),
        ("FSX-SRC-006", "insecure", vec![object("OCIRepository", json!({"insecure": true}))], Fail),
        ("FSX-SRC-006", "insecure with an authority", vec![object("OCIRepository", json!({"insecure": true, "certSecretRef": {"name": "ca"}}))], Pass),
    ]
}

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
