//! Versions and images of controllers.

use super::*;

fn controller(name: &str, image: &str) -> Value {
    let mut it = deployment(name, "1.0.0", &[]);
    it["spec"]["template"]["spec"]["containers"][0]["image"] = json!(image);
    it
}

fn source(version: &str) -> Value {
    deployment("source-controller", version, &[])
}

/// An object that field managers wrote in these versions, each with the subresource that it wrote.
fn written(kind: &str, group: &str, read: &str, versions: &[(&str, &str)]) -> Vec<Value> {
    let entry = |(version, subresource): &(&str, &str)| json!({"manager": "kustomize-controller", "operation": "Apply", "apiVersion": format!("{group}/{version}"), "time": "2026-01-01T00:00:00Z", "subresource": subresource});
    let mut it = object(kind, json!({}));
    it["apiVersion"] = json!(format!("{group}/{read}"));
    it["metadata"]["managedFields"] = versions.iter().map(entry).collect();
    vec![it]
}

#[test]
fn a_fix_without_a_cve_weighs_where_it_matters() {
    let severity = |spec: Value| {
        audit(
            "FSX-VER-001",
            Tenancy::None,
            &[kustomize(&[]), object("Kustomization", spec)],
        )
        .severity
    };
    assert_eq!(
        audit("FSX-VER-001", Tenancy::None, &[kustomize(&[])]).severity,
        Severity::Info
    );
    assert_eq!(
        severity(json!({"decryption": {"provider": "sops"}})),
        Severity::Low
    );
    assert_eq!(
        severity(json!({"kubeConfig": {"secretRef": {"name": "a"}}})),
        Severity::Low
    );
}

const DIGEST: &str = "sha256:2f5bb8e0c1c2c9c0b6e3e0e1d6b8f0f7a1b2c3d4e5f60718293a4b5c6d7e8f90";

#[rustfmt::skip]
pub(crate) fn cases() -> Vec<Case> {
    let image = |image: &str| vec![controller("source-controller", image)];
    let unversioned = || image(&format!("ghcr.io/fluxcd/source-controller@{DIGEST}"));
    let vendor = || image("ghcr.io/controlplaneio-fluxcd/distroless/source-controller:v1.7.0");
    let aks = || image("mcr.microsoft.com/oss/fluxcd/source-controller:v1.6.2");
    let renamed = || image("registry.example/mirror/flux-source-controller:1.7.0");
    let namespace = json!({"kind": "Namespace", "metadata": {"name": "flux-system"}});
    let pair = |one: &str, other: &str| vec![namespace.clone(), source(one), deployment("kustomize-controller", other, &[])];
    let gcr = object("Receiver", json!({"type": "gcr"}));
    let notification = |version: &str| deployment("notification-controller", version, &[]);
    vec![
        ("FSX-VER-001", "FSX-VER-001 old", vec![source("1.2.4")], Fail),
        ("FSX-VER-001", "nothing known", vec![source("1.10.1")], Pass),
        ("FSX-VER-001", "FSX-VER-001 the condition is met", vec![notification("1.8.2"), gcr], Fail),
        ("FSX-VER-001", "a fix without a CVE", vec![kustomize(&[]), applied(json!({"postBuild": {"substituteFrom": [{"kind": "Secret", "name": "a"}]}}), &[])], Fail),
        ("FSX-VER-001", "FSX-VER-001 a digest tells no version", unversioned(), Unknown),
        ("FSX-VER-001", "FSX-VER-001 vendors fix under the same tag", vendor(), Unknown),
        ("FSX-VER-001", "FSX-VER-001 AKS", aks(), Unknown),
        ("FSX-VER-001", "FSX-VER-001 a rebuild under another name", renamed(), Unknown),
        ("FSX-VER-001", "FSX-VER-001 a rebuild that its tag tells of", image("docker.io/somebody/source-controller:1.7.0-debian-12-r3"), Unknown),
        ("FSX-VER-001", "FSX-VER-001 a vendor's build in a mirror", image("registry.example/controlplaneio-fluxcd/alpine/source-controller:v1.7.0"), Unknown),
        ("FSX-VER-001", "FSX-VER-001 a vendor's build of a marketplace", image("709825985650.dkr.ecr.us-east-1.amazonaws.com/controlplane/fluxcd/source-controller:v1.7.0"), Unknown),
        ("FSX-VER-001", "a mirror of upstream", image("registry.example/fluxcd/source-controller:v1.7.0"), Fail),
        ("FSX-VER-002", "2.10", vec![source("1.10.1")], Pass),
        ("FSX-VER-002", "2.8", vec![source("1.8.5")], Pass),
        ("FSX-VER-002", "2.7", vec![source("1.7.4")], Fail),
        ("FSX-VER-002", "long gone", vec![source("0.30.0")], Fail),
        ("FSX-VER-002", "FSX-VER-002 newer than the catalogue", vec![source("1.11.0")], Unknown),
        ("FSX-VER-002", "a digest", unversioned(), Unknown),
        ("FSX-VER-002", "FSX-VER-002 AKS supports what it chooses", aks(), Unknown),
        ("FSX-VER-002", "a rebuild", renamed(), Unknown),
        ("FSX-VER-003", "behind", vec![source("1.9.4")], Fail),
        ("FSX-VER-003", "the newest", vec![source("1.9.6")], Pass),
        ("FSX-VER-003", "FSX-VER-003 an unknown patch of a known minor", vec![source("1.9.99")], Pass),
        ("FSX-VER-003", "a minor without a known patch", vec![source("0.30.0")], NotApplicable),
        ("FSX-VER-003", "a vendor", vendor(), Unknown),
        ("FSX-VER-003", "AKS", aks(), Unknown),
        ("FSX-VER-003", "a rebuild", renamed(), Unknown),
        ("FSX-VER-004", "together", pair("1.9.4", "1.9.4"), Pass),
        ("FSX-VER-004", "neighbours", pair("1.9.4", "1.8.5"), Pass),
        ("FSX-VER-004", "FSX-VER-004 a rollout that stopped half-way", pair("1.9.4", "1.7.0"), Fail),
        ("FSX-VER-004", "a version that is not known", vec![namespace.clone(), unversioned().remove(0)], Unknown),
        ("FSX-VER-004", "no Flux there", vec![namespace.clone()], NotApplicable),
        ("FSX-VER-005", "FSX-VER-005 a manifest in an old version", written("Kustomization", "kustomize.toolkit.fluxcd.io", "v1", &[("v1", ""), ("v1beta2", "")]), Fail),
        ("FSX-VER-005", "a version of long ago", written("HelmRelease", "helm.toolkit.fluxcd.io", "v2", &[("v2beta1", "")]), Fail),
        ("FSX-VER-005", "the best version that is served", written("Alert", "notification.toolkit.fluxcd.io", "v1beta3", &[("v1beta3", "")]), Pass),
        ("FSX-VER-005", "deprecated by Flux 2.10", written("Alert", "notification.toolkit.fluxcd.io", "v1", &[("v1beta3", "")]), Fail),
        ("FSX-VER-005", "current", written("HelmRelease", "helm.toolkit.fluxcd.io", "v2", &[("v2", "")]), Pass),
        ("FSX-VER-005", "what a controller writes to status is not the manifest", written("HelmRelease", "helm.toolkit.fluxcd.io", "v2", &[("v2", ""), ("v2beta2", "status")]), Pass),
        ("FSX-VER-005", "a version that is newer than the one that is read", written("ImageRepository", "image.toolkit.fluxcd.io", "v1beta2", &[("v1", "")]), Pass),
        ("FSX-VER-005", "no managedFields", vec![object("GitRepository", json!({}))], Unknown),
        ("FSX-IMG-001", "upstream", image("ghcr.io/fluxcd/source-controller:v1.9.4"), Pass),
        ("FSX-IMG-001", "FSX-IMG-001 Docker Hub without its name", image("fluxcd/source-controller:v1.9.4"), Pass),
        ("FSX-IMG-001", "AKS", image("mcr.microsoft.com/oss/v2/fluxcd/source-controller:v1.9.4"), Pass),
        ("FSX-IMG-001", "FSX-IMG-001 the marketplace of AWS", image("709825985650.dkr.ecr.us-east-1.amazonaws.com/controlplane/fluxcd/source-controller:v1.9.4"), Pass),
        ("FSX-IMG-001", "a mirror", image("registry.example/fluxcd/source-controller:v1.9.4"), Fail),
        ("FSX-IMG-001", "sounds alike", image("ghcr.io/fluxcd-x/source-controller:v1.9.4"), Fail),
        ("FSX-IMG-002", "a digest", image(&format!("ghcr.io/fluxcd/source-controller:v1.9.4@{DIGEST}")), Pass),
        ("FSX-IMG-002", "a tag", vec![source("1.9.4")], Fail),
        ("FSX-IMG-003", "a release", vec![source("1.9.4")], Pass),
        ("FSX-IMG-003", "a release candidate", vec![source("1.9.0-rc.1")], Fail),
        ("FSX-IMG-003", "latest", image("ghcr.io/fluxcd/source-controller:latest"), Fail),
        ("FSX-IMG-003", "nothing is latest", image("ghcr.io/fluxcd/source-controller"), Fail),
        ("FSX-IMG-003", "a digest alone", unversioned(), NotApplicable),
    ]
}
