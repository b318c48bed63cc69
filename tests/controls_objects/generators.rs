//! Artifacts that source-watcher makes.

use super::*;

#[rustfmt::skip]
pub(crate) fn cases() -> Vec<Case> {
    let generator = |spec: Value| vec![object("ArtifactGenerator", spec)];
    let to = |namespace: &str| generator(json!({"artifacts": [{"name": "a"}, {"name": "b", "namespace": namespace}]}));
    let managed = |managed: Value| generator(json!({"artifacts": [{"name": "a"}], "managedNamespaces": managed}));
    let names = |expression: &str| managed(json!({"allowedNames": ["ns == 'shop'", expression], "prune": true}));
    let label = |expression: &str| {
        let allowed = json!({"fromSource": {"path": "@a/ns.yaml", "allowedLabels": {"pod-security.kubernetes.io/enforce": expression, "team": "true"}}});
        managed(json!({"allowedNames": ["ns == 'shop'"], "prune": false, "metadata": allowed}))
    };
    let namespace_of = |tenant: &str, name: &str| json!({"kind": "Namespace", "metadata": {"name": name, "labels": {"toolkit.fluxcd.io/tenant": tenant}}});
    let siblings = vec![to("tenant-test").remove(0), namespace_of("t", "tenant"), namespace_of("t", "tenant-test")];
    let platform = |objects: Vec<Value>| {
        let watcher = deployment("source-watcher", "2.3.1", &[]);
        vec![in_namespace(objects[0].clone(), "flux-system"), watcher]
    };
    let foreign = generator(json!({"sources": [{"alias": "a", "kind": "GitRepository", "name": "a", "namespace": "other"}], "artifacts": []}));
    let with = |objects: &[Value], args: &[&str]| [objects.to_vec(), vec![deployment("source-watcher", "2.3.1", args)]].concat();
    vec![
        ("FSX-SW-001", "its own namespace", to("tenant"), Pass),
        ("FSX-SW-001", "no artifact names a namespace", generator(json!({"artifacts": [{"name": "a"}], "serviceAccountName": null})), Pass),
        ("FSX-SW-001", "another tenant", to("other"), Fail),
        ("FSX-SW-001", "another namespace of the same tenant", siblings, Pass),
        ("FSX-SW-001", "the source names the namespace", to("{app}"), Fail),
        ("FSX-SW-001", "the platform serves its tenants", platform(to("other")), NotApplicable),
        ("FSX-SW-001", "every namespace", names("true"), Fail),
        ("FSX-SW-001", "all but some", names("ns != 'monitoring'"), Fail),
        ("FSX-SW-001", "the platform manages every namespace", platform(names("true")), Fail),
        ("FSX-SW-001", "a common beginning", names("ns.startsWith('shop-')"), Pass),
        ("FSX-SW-001", "an expression that has to be run", names("size(ns) == 4"), Manual),
        ("FSX-SW-001", "the source sets the level of Pod Security", label("true"), Fail),
        ("FSX-SW-001", "the source chooses among strict levels", label("value in ['restricted', 'baseline']"), Pass),
        ("FSX-SW-001", "one strict level and one more", label("value == 'restricted' || true"), Fail),
        ("FSP-MT-012", "a source of another namespace", with(&foreign, &[]), Fail),
        ("FSP-MT-012", "a source of another namespace, refused", with(&foreign, &["--no-cross-namespace-refs"]), Fail),
        ("FSP-MT-012", "sources of its own", with(&generator(json!({"sources": [{"alias": "a", "name": "a"}]})), &[]), Pass),
    ]
}

#[test]
fn an_artifact_that_no_account_limits_is_worse() {
    let severity = |spec: Value, args: &[&str]| {
        let objects = [
            object("ArtifactGenerator", spec),
            deployment("source-watcher", "2.3.1", args),
        ];
        audit("FSX-SW-001", Tenancy::Shared, &objects).severity
    };
    let artifacts = json!([{"name": "a", "namespace": "other"}]);
    let unnamed = json!({"artifacts": artifacts});
    let named = json!({"artifacts": artifacts, "serviceAccountName": "a"});
    assert_eq!(severity(unnamed.clone(), &[]), Severity::High);
    assert_eq!(
        severity(unnamed, &["--default-service-account=none"]),
        Severity::Medium
    );
    assert_eq!(severity(named, &[]), Severity::Medium);
}
