//! Where sources are.

use super::*;

#[rustfmt::skip]
pub(crate) fn cases() -> Vec<Case> {
    let git = |url: &str| vec![object("GitRepository", json!({"url": url}))];
    let one = |kind: &str, spec: Value| vec![object(kind, spec)];
    vec![
        ("FSX-SRC-012", "allowed", git("https://github.com/my-org/app"), Pass),
        ("FSX-SRC-012", "FSX-SRC-012 upper case", git("https://GitHub.com/My-Org/App"), Pass),
        ("FSX-SRC-012", "FSX-SRC-012 .git at the end", git("https://github.com/my-org/app.git"), Pass),
        ("FSX-SRC-012", "FSX-SRC-012 ssh instead of https", git("ssh://git@github.com/my-org/app"), Pass),
        ("FSX-SRC-012", "another organisation", git("https://github.com/other/app"), Fail),
        ("FSX-SRC-012", "an organisation that begins alike", git("https://github.com/my-org-2/app"), Fail),
        ("FSX-SRC-012", "the host as a user", git("https://github.com@evil.example/my-org/app"), Fail),
        ("FSX-SRC-012", "a way out of the organisation", git("https://github.com/my-org/../other/app"), Fail),
        ("FSX-SRC-012", "another port", git("https://github.com:8443/my-org/app"), Fail),
        ("FSX-SRC-012", "an OCI repository", one("OCIRepository", json!({"url": "oci://ghcr.io/my-org/app"})), Pass),
        ("FSX-SRC-012", "another registry", one("OCIRepository", json!({"url": "oci://quay.io/my-org/app"})), Fail),
        ("FSX-SRC-012", "a whole host", one("HelmRepository", json!({"url": "https://charts.example.com/stable"})), Pass),
        ("FSX-SRC-012", "a bucket", one("Bucket", json!({"endpoint": "s3.example.com", "bucketName": "artifacts"})), Pass),
        ("FSX-SRC-012", "another bucket", one("Bucket", json!({"endpoint": "s3.example.com", "bucketName": "others"})), Fail),
        ("FSX-SRC-012", "an image", one("ImageRepository", json!({"image": "ghcr.io/my-org/app"})), Pass),
        ("FSX-SRC-012", "an image of Docker Hub", one("ImageRepository", json!({"image": "my-org/app"})), Fail),
    ]
}

#[test]
fn without_a_list_nothing_is_judged() {
    let objects = [object(
        "GitRepository",
        json!({"url": "https://github.com/other/app"}),
    )];
    let judged = audit("FSX-SRC-012", Tenancy::None, &objects);
    assert_eq!(judged.result, NotApplicable, "{}", judged.message);
}
