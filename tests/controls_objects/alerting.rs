//! Who is told when an object fails.

use super::*;

pub(crate) fn cases() -> Vec<Case> {
    [root(), remote(), delivery(), lists()].concat()
}

const ADDRESS: &str = "--events-addr=http://notification-controller.flux-system.svc.cluster.local./";

fn namespace(name: &str) -> Value {
    json!({"kind": "Namespace", "metadata": {"name": name}})
}

fn alert(namespace: &str, spec: &Value) -> Value {
    let mut alert = json!({"kind": "Alert", "metadata": {"name": "on-call", "namespace": namespace}, "spec": {"providerRef": {"name": "chat"}}});
    for (name, value) in spec.as_object().unwrap() {
        alert["spec"][name] = value.clone();
    }
    alert
}

fn provider(namespace: &str, spec: &Value) -> Value {
    json!({"kind": "Provider", "metadata": {"name": "chat", "namespace": namespace}, "spec": spec})
}

fn chat(namespace: &str) -> Value {
    provider(
        namespace,
        &json!({"type": "slack", "secretRef": {"name": "hook"}}),
    )
}

fn notification(args: &[&str]) -> Value {
    deployment("notification-controller", "1.9.3", args)
}

fn service() -> Value {
    json!({
        "kind": "Service", "metadata": {"name": "notification-controller", "namespace": "flux-system"},
        "spec": {"selector": {"app": "notification-controller"}, "ports": [{"name": "http", "port": 80, "targetPort": 9090}]},
    })
}

fn kustomization(namespace: &str, name: &str) -> Value {
    json!({"kind": "Kustomization", "metadata": {"name": name, "namespace": namespace, "labels": {"team": "a", "kustomize.toolkit.fluxcd.io/name": "root"}}, "spec": {"kubeConfig": {"secretRef": {"name": "k"}}}})
}

/// Flux with events that arrive.
fn flux() -> Vec<Value> {
    vec![
        namespace("flux-system"),
        namespace("tenant"),
        kustomize(&[ADDRESS]),
        deployment("helm-controller", "1.6.3", &[ADDRESS]),
        notification(&[]),
        service(),
    ]
}

fn rule() -> Value {
    json!({"kind": "PrometheusRule", "metadata": {"name": "flux", "namespace": "monitoring"}, "spec": {"groups": [{"name": "flux", "rules": [{"alert": "Failing", "expr": "gotk_resource_info{ready='False'} > 0"}]}]}})
}

#[rustfmt::skip]
fn root() -> Vec<Case> {
    let with = |more: &[Value]| [&flux()[..], &[kustomization("flux-system", "flux-system")], more].concat();
    let watches = |source: Value| alert("flux-system", &json!({"eventSeverity": "error", "eventSources": [source]}));
    let by_name = || watches(json!({"kind": "Kustomization", "name": "flux-system"}));
    let foreign_rule = { let mut it = rule(); it["spec"]["groups"][0]["rules"][0]["expr"] = json!("up == 0"); it };
    let nobody = [namespace("tenant"), kustomization("tenant", "tenant")];
    let no_root = [&flux()[..], &[kustomization("flux-system", "apps"), kustomization("flux-system", "infra"), chat("flux-system")]].concat();
    let all_of = |name: &str| [&no_root[..], &[watches(json!({"kind": "Kustomization", "name": name}))]].concat();
    vec![
        ("FSX-NOT-007", "by its name", with(&[by_name(), chat("flux-system")]), Pass),
        ("FSX-NOT-007", "by any name", with(&[watches(json!({"kind": "Kustomization", "name": "*"})), chat("flux-system")]), Pass),
        ("FSX-NOT-007", "no Alert", with(&[chat("flux-system")]), Fail),
        ("FSX-NOT-007", "of another Kustomization", with(&[watches(json!({"kind": "Kustomization", "name": "apps"})), chat("flux-system")]), Fail),
        ("FSX-NOT-007", "of another kind", with(&[watches(json!({"kind": "GitRepository", "name": "*"})), chat("flux-system")]), Fail),
        ("FSX-NOT-007", "FSX-NOT-007 Prometheus may tell somebody", with(&[rule()]), Unknown),
        ("FSX-NOT-007", "an Alert is enough beside Prometheus", with(&[rule(), by_name(), chat("flux-system")]), Pass),
        ("FSX-NOT-007", "a rule about something else", with(&[foreign_rule]), Fail),
        ("FSX-NOT-007", "without a root everything there: all", all_of("*"), Pass),
        ("FSX-NOT-007", "without a root everything there: one of two", all_of("apps"), Fail),
        ("FSX-NOT-007", "other Kustomizations beside the root", with(&[kustomization("flux-system", "apps"), by_name(), chat("flux-system")]), Pass),
        ("FSX-NOT-007", "no Kustomization", flux(), NotApplicable),
        ("FSX-NOT-007", "no kustomize-controller", nobody.to_vec(), NotApplicable),
        ("FSX-NOT-007", "an Alert that cannot be read", with(&[alert("flux-system", &json!({"eventSources": 7}))]), Unknown),
    ]
}

#[rustfmt::skip]
fn remote() -> Vec<Case> {
    let with = |more: &[Value]| [&flux()[..], &[kustomization("tenant", "app")], more].concat();
    let release = json!({"kind": "HelmRelease", "metadata": {"name": "app", "namespace": "tenant"}, "spec": {"kubeConfig": {"secretRef": {"name": "k"}}}});
    let local = json!({"kind": "Kustomization", "metadata": {"name": "local", "namespace": "tenant"}, "spec": {}});
    let watches = |sources: Value| alert("tenant", &json!({"eventSources": sources}));
    let all = || watches(json!([{"kind": "Kustomization", "name": "*"}]));
    let foreign = || alert("flux-system", &json!({"eventSources": [{"kind": "Kustomization", "name": "*", "namespace": "tenant"}]}));
    let labelled = |labels: Value| watches(json!([{"kind": "Kustomization", "name": "*", "matchLabels": labels}]));
    let refusing = || notification(&["--no-cross-namespace-refs=true"]);
    let secret_flag = { let mut it = notification(&["--no-cross-namespace-refs=$(REFS)"]); it["spec"]["template"]["spec"]["containers"][0]["env"].as_array_mut().unwrap().push(json!({"name": "REFS", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}})); it };
    vec![
        ("FSP-DED-001", "FSP-DED-001 Alerts have no status: that one exists and is not suspended is all there is to see", with(&[all(), chat("tenant")]), Pass),
        ("FSP-DED-001", "none", with(&[]), Fail),
        ("FSP-DED-001", "a HelmRelease as well", with(&[release.clone(), all(), chat("tenant")]), Fail),
        ("FSP-DED-001", "both kinds", with(&[release, watches(json!([{"kind": "Kustomization", "name": "*"}, {"kind": "HelmRelease", "name": "app"}])), chat("tenant")]), Pass),
        ("FSP-DED-001", "only what is applied elsewhere counts", [&flux()[..], &[local]].concat(), NotApplicable),
        ("FSP-DED-001", "by labels", with(&[labelled(json!({"team": "a"})), chat("tenant")]), Pass),
        ("FSP-DED-001", "other labels", with(&[labelled(json!({"team": "b"})), chat("tenant")]), Fail),
        ("FSP-DED-001", "labels that are not kept", with(&[labelled(json!({"kustomize.toolkit.fluxcd.io/name": "root"})), chat("tenant")]), Unknown),
        ("FSP-DED-001", "of another namespace", with(&[foreign(), chat("flux-system")]), Pass),
        ("FSP-DED-001", "FSP-DED-001 a foreign Alert is dropped silently", with(&[foreign(), chat("flux-system"), refusing()]), Fail),
        ("FSP-DED-001", "one of its own is not", with(&[all(), chat("tenant"), refusing()]), Pass),
        ("FSP-DED-001", "whether it is dropped is not known", with(&[foreign(), chat("flux-system"), secret_flag]), Unknown),
        ("FSP-DED-001", "the Alert's own namespace", with(&[alert("flux-system", &json!({"eventSources": [{"kind": "Kustomization", "name": "*"}]})), chat("flux-system")]), Fail),
        ("FSP-DED-001", "FSP-DED-001 Prometheus may tell somebody", with(&[rule()]), Unknown),
        ("FSP-DED-001", "a HelmRelease that cannot be read", with(&[all(), chat("tenant"), json!({"kind": "HelmRelease", "metadata": {"name": "odd", "namespace": "tenant"}, "spec": {"kubeConfig": 7}})]), Unknown),
    ]
}

/// Where an Alert sends, and whether events get so far.
#[rustfmt::skip]
fn delivery() -> Vec<Case> {
    let here = |flux: Vec<Value>, more: &[Value]| [&flux[..], &[kustomization("tenant", "app")], more].concat();
    let with = |more: &[Value]| here(flux(), more);
    let all = |more: &Value| { let mut it = alert("tenant", &json!({"eventSources": [{"kind": "Kustomization", "name": "*"}]})); for (name, value) in more.as_object().unwrap() { it["spec"][name] = value.clone(); } it };
    let sends = |spec: Value| with(&[all(&json!({})), provider("tenant", &spec)]);
    let severity = |severity: &str| with(&[all(&json!({"eventSeverity": severity})), chat("tenant")]);
    let without = |kind: &str, name: &str| flux().into_iter().filter(|it| it["kind"] != kind || it["metadata"]["name"] != name).collect::<Vec<_>>();
    let told = [all(&json!({})), chat("tenant")];
    let stopped = { let mut it = notification(&[]); it["spec"]["replicas"] = json!(0); it };
    let sent_to = |address: &str| here(without("Deployment", "kustomize-controller"), &[&[kustomize(&[&format!("--events-addr={address}")])], &told[..]].concat());
    vec![
        ("FSP-DED-001", "severity error", severity("error"), Pass),
        ("FSP-DED-001", "severity info sends errors", severity("info"), Pass),
        ("FSP-DED-001", "a severity that is none", severity("warning"), Fail),
        ("FSP-DED-001", "a suspended Alert", with(&[all(&json!({"suspend": true})), chat("tenant")]), Fail),
        ("FSP-DED-001", "no Provider", with(&[all(&json!({}))]), Fail),
        ("FSP-DED-001", "a Provider of another namespace", with(&[all(&json!({})), chat("flux-system")]), Fail),
        ("FSP-DED-001", "a suspended Provider", sends(json!({"type": "slack", "secretRef": {"name": "hook"}, "suspend": true})), Fail),
        ("FSP-DED-001", "a Provider without an address", sends(json!({"type": "slack"})), Fail),
        ("FSP-DED-001", "an address in the open", sends(json!({"type": "generic", "address": "https://hook.example"})), Pass),
        ("FSP-DED-001", "PagerDuty needs none", sends(json!({"type": "pagerduty", "channel": "key"})), Pass),
        ("FSP-DED-001", "FSP-DED-001 the status of a commit is no alert", sends(json!({"type": "github", "address": "https://github.com/org/app", "secretRef": {"name": "token"}})), Fail),
        ("FSP-DED-001", "a Provider that cannot be read", sends(json!({"type": 7})), Unknown),
        ("FSP-DED-001", "no notification-controller", here(without("Deployment", "notification-controller"), &told), Fail),
        ("FSP-DED-001", "one that does not run", here(without("Deployment", "notification-controller"), &[&[stopped], &told[..]].concat()), Fail),
        ("FSP-DED-001", "no kustomize-controller", here(without("Deployment", "kustomize-controller"), &told), Fail),
        ("FSP-DED-001", "no Service", here(without("Service", "notification-controller"), &told), Fail),
        ("FSP-DED-001", "no address of events", sent_to(""), Fail),
        ("FSP-DED-001", "the Service by its name", sent_to("http://notification-controller/"), Pass),
        ("FSP-DED-001", "another Service", sent_to("http://other.flux-system.svc/"), Fail),
        ("FSP-DED-001", "another host", sent_to("https://events.example.com/"), Unknown),
    ]
}

#[rustfmt::skip]
fn lists() -> Vec<Case> {
    let with = |list: &str, expressions: Value| [&flux()[..], &[
        kustomization("tenant", "app"), chat("tenant"),
        alert("tenant", &json!({"eventSources": [{"kind": "Kustomization", "name": "*"}], list: expressions})),
    ]].concat();
    vec![
        ("FSP-DED-001", "FSP-DED-001 an exclusionList can mute errors", with("exclusionList", json!(["^Dependencies.*"])), Unknown),
        ("FSP-DED-001", "it mutes everything", with("exclusionList", json!(["^Dependencies.*", ".*"])), Fail),
        ("FSP-DED-001", "an empty one", with("exclusionList", json!([])), Pass),
        ("FSP-DED-001", "an inclusionList", with("inclusionList", json!([".*failed.*"])), Unknown),
        ("FSP-DED-001", "it lets everything in", with("inclusionList", json!([".*"])), Pass),
    ]
}

#[test]
fn rules_of_prometheus_count_where_a_policy_says_so() {
    let mut row = support::policy(Tenancy::Dedicated);
    row.spec.controls =
        serde_json::from_value(json!([{"id": "FSP-DED-001", "parameters": {"prometheus": "accepted"}}]))
            .unwrap();
    let mut engine = engine(Tenancy::Dedicated);
    engine.pin("test", row);
    engine.ingest(flux().iter().chain([&kustomization("tenant", "app")]).map(upsert));
    assert_eq!(
        control(&posture(&engine), "FSP-DED-001").result,
        Fail,
        "there is none"
    );
    engine.ingest([upsert(&rule())]);
    assert_eq!(control(&posture(&engine), "FSP-DED-001").result, Pass);
}

#[test]
fn findings_name_the_objects_that_nobody_watches() {
    let mut engine = engine(Tenancy::Dedicated);
    engine.ingest(flux().iter().chain([&kustomization("tenant", "app")]).map(upsert));
    let whole = posture(&engine);
    let mut findings = whole.findings.iter().map(|it| &it.finding);
    let found = findings.find(|it| it.control == "FSP-DED-001").unwrap();
    assert_eq!(found.resource.to_string(), "Kustomization tenant/app");
    assert!(
        found.message.contains("no Alert chooses its errors"),
        "{}",
        found.message
    );
}
