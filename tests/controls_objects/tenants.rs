//! Who applies, under whose account, from where.

use super::*;

pub(crate) fn cases() -> Vec<Case> {
    [tenants(), references()].concat()
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
