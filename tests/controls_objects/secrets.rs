//! Decryption, and what cannot be judged from here.

use super::*;

pub(crate) fn cases() -> Vec<Case> {
    [decryption(), not_from_here()].concat()
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

/// What no object can prove, and no control passes.
#[rustfmt::skip]
fn not_from_here() -> Vec<Case> {
    vec![
        ("FSP-NODE-001", "Flux runs", vec![kustomize(&[])], Manual),
        ("FSP-NODE-001", "Flux does not", vec![], NotApplicable),
        ("FSP-SEC-003", "something is applied", vec![object("HelmRelease", json!({}))], Unknown),
        ("FSP-SEC-003", "nothing is applied", vec![], NotApplicable),
        ("FSP-SEC-004", "a repository", vec![object("GitRepository", json!({}))], Manual),
        ("FSP-SEC-004", "no repository", vec![object("OCIRepository", json!({}))], NotApplicable),
    ]
}
