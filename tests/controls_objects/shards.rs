//! Objects, and the controllers that select them.

use super::*;
use crate::support::pod;

const KEY: &str = "sharding.fluxcd.io/key";

fn labelled(kind: &str, labels: Value) -> Value {
    let mut it = object(kind, json!({}));
    it["metadata"]["labels"] = labels;
    it
}

/// A controller with a selector.
fn lane(controller: &str, version: &str, name: &str, selector: &str) -> Value {
    let mut it = deployment(
        controller,
        version,
        &[&format!("--watch-label-selector={selector}")],
    );
    it["metadata"]["name"] = json!(name);
    it["spec"]["template"]["metadata"]["labels"]["app"] = json!(name);
    it
}

fn kustomize_lane(name: &str, selector: &str) -> Value {
    lane("kustomize-controller", "1.9.4", name, selector)
}

fn narrow(namespace: &str) -> Value {
    let it = deployment("kustomize-controller", "1.9.4", &["--watch-all-namespaces=false"]);
    in_namespace(it, namespace)
}

#[rustfmt::skip]
pub(crate) fn cases() -> Vec<Case> {
    let main = || kustomize_lane("kustomize-controller", &format!("!{KEY}"));
    let shard = |selector: &str| kustomize_lane("kustomize-controller-a", selector);
    let sharded = || [main(), shard(&format!("{KEY}=a"))];
    let app = |labels: Value| labelled("Kustomization", labels);
    let with = |controllers: &[Value], it: Value| [controllers, &[it]].concat();
    let stopped = { let mut it = shard(&format!("{KEY}=a")); it["spec"]["replicas"] = json!(0); it };
    let sources = |main: bool| {
        let shard = lane("source-controller", "1.9.4", "source-controller-a", &format!("{KEY}=a"));
        let rest = lane("source-controller", "1.9.4", "source-controller", &format!("!{KEY}"));
        if main { vec![rest, shard] } else { vec![shard] }
    };
    let release = || labelled("HelmRelease", json!({KEY: "a"}));
    let chart = |labels: Value| labelled("HelmChart", labels);
    let helm = || lane("helm-controller", "1.6.3", "helm-controller-a", &format!("{KEY}=a"));
    let pod_elsewhere = pod("kustomize-controller", "1.9.4", &[&format!("--watch-label-selector={KEY}=b")], true);
    let secret_selector = { let mut it = kustomize(&["--watch-label-selector=$(S)"]); it["spec"]["template"]["spec"]["containers"][0]["env"].as_array_mut().unwrap().push(json!({"name": "S", "valueFrom": {"configMapKeyRef": {"name": "a", "key": "b"}}})); it };
    let unsure = json!({"kind": "Deployment", "metadata": {"name": "kustomize-controller", "namespace": "x"}, "spec": {"template": {"spec": {"containers": [{"name": "c", "image": "x.example/kustomize-controller:1.0"}]}}}});
    let plain = |controller: &str, version: &str| deployment(controller, version, &[]);
    vec![
        ("FSP-RES-004", "one controller for everything", with(&[kustomize(&[])], app(json!({}))), Pass),
        ("FSP-RES-004", "any labels", with(&[kustomize(&[])], app(json!({KEY: "z"}))), Pass),
        ("FSP-RES-004", "no Flux", vec![app(json!({}))], NotApplicable),
        ("FSP-RES-004", "no label, the main controller", with(&sharded(), app(json!({}))), Pass),
        ("FSP-RES-004", "the label of a shard", with(&sharded(), app(json!({KEY: "a"}))), Pass),
        ("FSP-RES-004", "the label of no shard", with(&sharded(), app(json!({KEY: "b"}))), Fail),
        ("FSP-RES-004", "no label, shards only", with(&[shard(&format!("{KEY}=a"))], app(json!({}))), Fail),
        ("FSP-RES-004", "a shard that does not run", with(&[main(), stopped], app(json!({KEY: "a"}))), Fail),
        ("FSP-RES-004", "a set of shards", with(&[main(), shard(&format!("{KEY} in (a, b)"))], app(json!({KEY: "b"}))), Pass),
        ("FSP-RES-004", "another label", with(&[shard("team=a")], app(json!({"team": "a"}))), Pass),
        ("FSP-RES-004", "a running pod selects others", with(&[kustomize(&[&format!("--watch-label-selector={KEY}=a")]), pod_elsewhere], app(json!({KEY: "a"}))), Fail),
        ("FSP-RES-004", "a controller of its namespace", with(&[narrow("tenant")], app(json!({}))), Pass),
        ("FSP-RES-004", "a controller of another namespace", with(&[narrow("other")], app(json!({}))), Fail),
        ("FSP-RES-004", "a comparison", with(&[main(), shard("weight>1")], app(json!({KEY: "x", "weight": "2"}))), Unknown),
        ("FSP-RES-004", "a label that is not kept", with(&[shard("kustomize.toolkit.fluxcd.io/name=apps")], app(json!({"kustomize.toolkit.fluxcd.io/name": "apps"}))), Unknown),
        ("FSP-RES-004", "a selector that is not read", with(std::slice::from_ref(&secret_selector), app(json!({}))), Unknown),
        ("FSP-RES-004", "one of them selects it for sure", with(&[secret_selector, shard(&format!("{KEY}=a"))], app(json!({KEY: "a"}))), Pass),
        ("FSP-RES-004", "what may be a controller", with(&[unsure], app(json!({}))), Unknown),
        ("FSP-RES-004", "FSP-RES-004 a generated HelmChart does not inherit the label", [sources(false), vec![helm(), release(), chart(json!({"helm.toolkit.fluxcd.io/name": "app"}))]].concat(), Fail),
        ("FSP-RES-004", "FSP-RES-004 spec.chart.metadata.labels gives it one", [sources(false), vec![helm(), release(), chart(json!({"helm.toolkit.fluxcd.io/name": "app", KEY: "a"}))]].concat(), Pass),
        ("FSP-RES-004", "FSP-RES-004 the main controller takes a HelmChart without a label", [sources(true), vec![helm(), release(), chart(json!({}))]].concat(), Pass),
        ("FSP-RES-004", "a Receiver", with(&[plain("notification-controller", "1.9.3")], labelled("Receiver", json!({}))), Pass),
        ("FSP-RES-004", "an Alert without a controller", with(&[kustomize(&[])], labelled("Alert", json!({}))), Fail),
        ("FSP-RES-004", "images", vec![plain("image-reflector-controller", "1.2.4"), plain("image-automation-controller", "1.2.4"), labelled("ImageRepository", json!({})), labelled("ImagePolicy", json!({})), labelled("ImageUpdateAutomation", json!({}))], Pass),
        ("FSP-RES-004", "source-watcher obeys its selector", with(&[lane("source-watcher", "2.2.1", "source-watcher", &format!("{KEY}=a"))], labelled("ArtifactGenerator", json!({}))), Fail),
        ("FSP-RES-004", "it did not before 2.2.1", with(&[lane("source-watcher", "2.2.0", "source-watcher", &format!("{KEY}=a"))], labelled("ArtifactGenerator", json!({}))), Pass),
        ("FSP-RES-004", "an image policy without a controller", with(&[plain("image-automation-controller", "1.2.4")], labelled("ImagePolicy", json!({}))), Fail),
        ("FSP-RES-004", "a HelmRepository of type oci needs none", vec![object("HelmRepository", json!({"type": "oci"}))], NotApplicable),
        ("FSP-RES-004", "other HelmRepositories do", with(&[kustomize(&[])], object("HelmRepository", json!({"url": "https://x.example"}))), Fail),
    ]
}

#[test]
fn a_change_of_one_object_is_judged_alone() {
    let mut engine = engine(Tenancy::Shared);
    let app = |name: &str, shard: &str| {
        let mut it = labelled("Bucket", json!({KEY: shard}));
        it["metadata"]["name"] = json!(name);
        it
    };
    engine.ingest([upsert(&lane(
        "source-controller",
        "1.9.4",
        "source-controller",
        &format!("{KEY}=a"),
    ))]);
    engine.ingest((0..50).map(|number| upsert(&app(&format!("app-{number}"), "a"))));
    let before = engine.evaluations();
    engine.ingest([upsert(&app("app-7", "b"))]);
    let of_a_bucket = engine.evaluations() - before;
    assert!(of_a_bucket < 50, "{of_a_bucket} verdicts for one object");
    assert_eq!(control(&posture(&engine), "FSP-RES-004").findings, 1);
}
