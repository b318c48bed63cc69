//! Beyond the document.

use super::*;

#[rustfmt::skip]
pub(crate) fn cases() -> Vec<Case> {
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
