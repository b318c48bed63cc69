//! Input that is made to hurt, taken in by the engine: without a cluster, and fast. `tests/faults` has the same on a
//! real API server.
#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::unnecessary_wraps, reason = "a judge may lack evidence")]

mod support;

use std::collections::BTreeMap;

use flux_security_operator::api::ControlResult::{Fail, Pass, Unknown};
use flux_security_operator::api::{FluxSecurityPolicySpec, ReportStatus, Severity, Tenancy};
use flux_security_operator::controls::{Control, Defect, Each, Judges, ObjectSubject, Outcome, Severities};
use flux_security_operator::engine::Engine;
use flux_security_operator::inventory::{Coverage, Delta, Missing};
use flux_security_operator::kinds::KindId;
use flux_security_operator::kinds::flux_objects::Receiver;
use flux_security_operator::kinds::own::PolicyRow;
use flux_security_operator::render::{events, metrics, report, table};
use k8s_openapi::jiff::Timestamp;
use prometheus::{Encoder, TextEncoder};
use proptest::prelude::*;
use serde_json::{Value, json};
use support::exposition::{Series, series};
use support::harmless::{self, is_obeyed};
use support::{control, deployment, engine, judge_everything, kind, pod, policy, posture, upsert};

/// What no object of ours exceeds.
const OBJECT: usize = 256 * 1024;
const NOW: Timestamp = Timestamp::UNIX_EPOCH;

/// Everything that is published of a posture.
struct Published {
    report: Value,
    namespaces: BTreeMap<String, Value>,
    notes: Vec<String>,
    table: String,
}

fn publish(engine: &Engine) -> Published {
    let posture = posture(engine);
    let status = report::report(&posture, None, NOW);
    let namespaces = report::namespace_reports(&posture, &BTreeMap::new(), NOW);
    let notices = events::transitions("test", "uid", None, &status, &posture);
    let options = table::Options {
        show_passing: true,
        ..table::Options::default()
    };
    Published {
        table: table::table(&report::uncut(&posture, NOW), options),
        report: serde_json::to_value(&status).unwrap(),
        namespaces: namespaces
            .into_iter()
            .map(|(name, status)| (name, serde_json::to_value(status).unwrap()))
            .collect(),
        notes: notices.into_iter().map(|notice| notice.note).collect(),
    }
}

fn scrape(engine: &Engine) -> Vec<Series> {
    let mut text = Vec::new();
    let families = metrics::families(&engine.posture(), true).unwrap();
    TextEncoder::new().encode(&families, &mut text).unwrap();
    series(&String::from_utf8(text).unwrap())
}

/// Panics on a text that a terminal would obey, or that is longer than what is quoted of an object.
fn is_harmless(published: &Published) {
    assert!(published.report.to_string().len() <= OBJECT);
    for (namespace, status) in &published.namespaces {
        assert!(status.to_string().len() <= OBJECT, "{namespace}");
        harmless::report_is(status);
    }
    harmless::report_is(&published.report);
    for note in &published.notes {
        assert!(note.len() < 1024 && !note.contains(is_obeyed), "{note:?}");
    }
    harmless::lines_are(&published.table);
}

/// Flux's own.
const KINDS: [&str; 19] = [
    "GitRepository",
    "OCIRepository",
    "HelmRepository",
    "HelmChart",
    "Bucket",
    "ExternalArtifact",
    "ArtifactGenerator",
    "ImageRepository",
    "ImagePolicy",
    "ImageUpdateAutomation",
    "Kustomization",
    "HelmRelease",
    "Alert",
    "Provider",
    "Receiver",
    "FluxInstance",
    "ResourceSet",
    "ResourceSetInputProvider",
    "SealedSecret",
];

/// Objects with a text in every field that anybody reads.
fn objects(text: &str) -> Vec<Value> {
    let reference = json!({"kind": text, "name": text, "namespace": text});
    let secret = json!({"name": text});
    let conditions = ["Ready", "SourceVerified", text].map(
        |kind| json!({"type": kind, "status": "False", "reason": text, "message": text, "observedGeneration": 9}),
    );
    let identity = json!({"issuer": text, "subject": text});
    let verify = json!({"provider": "cosign", "mode": text, "matchOIDCIdentity": [identity]});
    let plain = format!("http://{text}");
    let mut spec = json!({
        "url": plain, "provider": text, "ref": {"digest": text}, "verify": verify, "type": text, "address": plain, "proxy": plain,
        "endpoint": plain, "sts": {"endpoint": plain}, "image": text, "insecure": true, "serviceAccountName": text,
        "sourceRef": reference, "chartRef": reference, "chart": {"spec": {"sourceRef": reference}}, "path": text,
        "kubeConfig": {"configMapRef": secret}, "decryption": {"provider": text}, "driftDetection": {"mode": text},
        "eventSources": [reference], "resources": [reference], "events": [text], "resourceFilter": text,
        "oidcProviders": [{"issuerURL": plain}], "imageRepositoryRef": reference, "secretRef": null,
        "accessFrom": {"namespaceSelectors": [{"matchLabels": {"a": text}}]},
        "sources": [reference], "artifacts": [{"name": text, "namespace": text}],
        "managedNamespaces": {"allowedNames": [text, "true"], "prune": true, "metadata": {"fromSource": {
            "allowedLabels": {"pod-security.kubernetes.io/enforce": text},
        }}},
    });
    let inline = json!({
        "values": {text: {"password": text}, "files": text}, "postBuild": {"substitute": {text: "x", "token": text}},
        "patches": [{"patch": text}], "inputs": [{text: text, "password": text}], "resourcesTemplate": format!("password: {text}"),
        "distribution": {"version": text}, "sync": {"url": plain}, "template": {"metadata": {"annotations": {"a": text}}},
    });
    spec.as_object_mut()
        .unwrap()
        .extend(inline.as_object().unwrap().clone());
    let artifact = json!({"url": plain, "digest": text, "revision": text});
    let status = json!({"conditions": conditions, "artifact": artifact, "inventory": {"entries": [{"id": text, "v": text}]}});
    let object = |kind: &str, name: &str, spec: &Value| json!({"kind": kind, "metadata": metadata(name, text), "spec": spec, "status": status});
    let mut objects: Vec<Value> = KINDS.iter().map(|kind| object(kind, "a", &spec)).collect();
    objects.extend(KINDS.iter().map(|kind| object(kind, "unreadable", &json!(text))));
    objects.extend(workloads(text));
    objects.extend(rights(text));
    objects.extend(placement(text));
    objects
}

fn metadata(name: &str, text: &str) -> Value {
    json!({
        "name": name, "namespace": "tenant", "generation": 2, "uid": text, "annotations": {"a": text},
        "managedFields": [{"manager": text, "time": "2026-01-01T00:00:00Z"}],
    })
}

/// Nodes, who runs there, and what is asked before: names come from manifests, too, which nobody has validated.
fn placement(text: &str) -> Vec<Value> {
    let taint = json!({"key": text, "value": text, "effect": "NoSchedule"});
    let toleration = json!([{"key": text, "value": text}]);
    let pod = |namespace: &str| {
        json!({"kind": "Pod", "metadata": {"name": text, "namespace": namespace}, "spec": {
            "nodeName": text, "runtimeClassName": text, "tolerations": toleration,
        }})
    };
    let node = |name: &str| json!({"kind": "Node", "metadata": {"name": name, "labels": {text: text}}, "spec": {"taints": [taint]}});
    let rules = json!([{"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"]}]);
    vec![
        node(text),
        node("n1"),
        pod("tenant"),
        pod(text),
        json!({"kind": "Namespace", "metadata": {"name": text, "labels": {"pod-security.kubernetes.io/enforce": text, "toolkit.fluxcd.io/tenant": text}}}),
        json!({"kind": "RuntimeClass", "metadata": {"name": text}, "handler": text}),
        json!({"kind": "ValidatingAdmissionPolicy", "metadata": {"name": text}, "spec": {
            "matchConstraints": {"resourceRules": rules}, "failurePolicy": text, "validations": [{"expression": text}],
        }}),
        json!({"kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": text}, "spec": {"policyName": text, "validationActions": ["Deny"]}}),
        json!({"kind": "ValidatingWebhookConfiguration", "metadata": {"name": text}, "webhooks": [{"rules": rules}]}),
    ]
}

/// Roles and bindings, whose names may be any text, too.
fn rights(text: &str) -> Vec<Value> {
    let everything = json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]);
    let odd = json!([{"apiGroups": [text], "resources": [text], "verbs": ["create", text], "resourceNames": [text]}]);
    let subjects = json!([
        {"kind": "ServiceAccount", "name": "helm-controller", "namespace": "flux-system"},
        {"kind": "ServiceAccount", "name": "source-controller", "namespace": "flux-system"},
        {"kind": "ServiceAccount", "name": text, "namespace": "tenant"},
        {"kind": "User", "name": text}, {"kind": "Group", "name": text},
    ]);
    let role = json!({"kind": "ClusterRole", "name": text});
    let named = |kind: &str, namespace: &str| json!({"kind": kind, "metadata": {"name": text, "namespace": namespace, "uid": text}});
    let mut all = Vec::new();
    for (rules, name) in [(&everything, text), (&odd, "odd")] {
        let mut role = named("ClusterRole", "");
        role["metadata"]["name"] = json!(name);
        role["metadata"]["labels"] = json!({"rbac.authorization.k8s.io/aggregate-to-view": "true"});
        role["rules"] = rules.clone();
        all.push(role);
    }
    for (kind, namespace) in [
        ("ClusterRoleBinding", ""),
        ("RoleBinding", "flux-system"),
        ("RoleBinding", "tenant"),
    ] {
        let mut binding = named(kind, namespace);
        binding["roleRef"] = role.clone();
        binding["subjects"] = subjects.clone();
        all.push(binding);
    }
    let mut account = named("ServiceAccount", "tenant");
    account["metadata"]["name"] = json!(text);
    all.push(account);
    all
}

/// Controllers that are started with a text.
fn workloads(text: &str) -> Vec<Value> {
    let flags = [
        "default-service-account",
        "log-level",
        "feature-gates",
        "requeue-dependency",
        text,
    ];
    let arguments: Vec<String> = flags.map(|flag| format!("--{flag}={text}")).into();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut all = Vec::new();
    for controller in [
        "kustomize-controller",
        "helm-controller",
        "source-controller",
        "notification-controller",
    ] {
        let mut workload = deployment(controller, "1.9.4", &arguments);
        workload["metadata"]["annotations"] = json!({"meta.helm.sh/release-name": text});
        let container = &mut workload["spec"]["template"]["spec"]["containers"][0];
        container["env"] = json!([{"name": "LOG_LEVEL", "value": text}]);
        all.push(workload);
        let mut tagged = deployment(controller, "1.9.4", &["--insecure-kubeconfig-exec"]);
        tagged["metadata"]["name"] = json!(format!("{controller}-tagged"));
        let container = &mut tagged["spec"]["template"]["spec"]["containers"][0];
        container["image"] = json!(format!("ghcr.io/fluxcd/{controller}:{text}"));
        container["command"] = json!([text]);
        all.push(tagged);
        all.push(pod(controller, "1.9.4", &arguments, true));
    }
    all
}

fn named(cluster: &str) -> PolicyRow {
    let spec = FluxSecurityPolicySpec {
        cluster_name: cluster.to_owned(),
        ..policy(Tenancy::Shared).spec
    };
    PolicyRow {
        spec,
        ..policy(Tenancy::Shared)
    }
}

/// What terminals, log readers, parsers and templates obey, and anything else.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        3 => any::<char>().prop_map(String::from),
        2 => proptest::sample::select(vec![
            "\n", "\r\n", "\0", "\u{1b}[2J", "\u{9b}31m", "\u{7f}", "\u{202e}", "\u{2066}", "\u{61c}", "\u{2028}",
            "{{ . }}", "$(A)", "\"", "\\", "\\n", "'", "|", "^", "$", "@", "://", ",", "=", "%s", "\u{fffd}", "é",
        ]).prop_map(str::to_owned),
        1 => Just("a".repeat(300)),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// Row 33.
    #[test]
    fn hostile_text_is_escaped_and_bounded_wherever_it_is_shown(first in text(), second in text()) {
        let mut engine = engine(Tenancy::Shared);
        for text in [first, second] {
            engine.pin("test", named(&text));
            engine.ingest(objects(&text).iter().map(upsert));
            is_harmless(&publish(&engine));
            // Its parser refuses what a scraper would.
            scrape(&engine);
        }
        judge_everything(engine.inventory());
        // Of each of Flux's kinds one object cannot be read.
        for it in posture(&engine).controls {
            assert!(it.result != Pass || !judges_flux(it.control), "{}", it.control.id);
        }
    }
}

fn judges_flux(control: &Control) -> bool {
    match control.judges {
        Judges::Objects(kinds) => kinds.iter().any(|judges| KINDS.contains(&judges.kind().name())),
        _ => false,
    }
}

/// As long as Kubernetes allows them.
#[test]
fn long_names_are_shown_in_full() {
    let (name, namespace) = ("n".repeat(253), "s".repeat(63));
    let plain =
        json!({"url": "http://x.example", "insecure": true, "type": "generic", "resources": [{"name": "*"}]});
    let mut engine = engine(Tenancy::Shared);
    let objects = KINDS.map(|kind| object(kind, &namespace, &name, &plain));
    engine.ingest(objects.iter().map(upsert));
    judge_everything(engine.inventory());
    is_harmless(&publish(&engine));
    let findings = posture(&engine).findings;
    let resources = findings.iter().map(|it| &it.finding.resource);
    let shown = resources
        .filter(|it| it.name == name && it.namespace == namespace)
        .count();
    assert!(shown >= 8, "{shown} of {}", findings.len());
}

#[test]
fn of_many_entries_the_last_one_counts() {
    let mut entries: Vec<Value> = (0..20_000)
        .map(|number| json!({"id": format!("tenant_n{number}_apps_Deployment"), "v": "v1"}))
        .collect();
    let mut applier = object(
        "Kustomization",
        "tenant",
        "many",
        &json!({"serviceAccountName": "a"}),
    );
    let mut engine = engine(Tenancy::Shared);
    for (id, secrets, places) in [
        ("tenant_last_apps_Deployment", Pass, Pass),
        ("tenant_last__Secret", Fail, Pass),
        ("elsewhere_last_apps_Deployment", Fail, Fail),
    ] {
        entries.push(json!({"id": id, "v": "v1"}));
        applier["status"] = json!({"inventory": {"entries": entries}});
        engine.ingest([upsert(&applier)]);
        let whole = posture(&engine);
        assert_eq!(control(&whole, "FSP-SEC-001").result, secrets, "{id}");
        assert_eq!(control(&whole, "FSX-TEN-003").result, places, "{id}");
    }
}

/// Roles that aggregate each other, and bindings of what is not there: nobody gets anything, and nobody waits.
#[test]
fn roles_that_lead_nowhere_give_nothing() {
    const RBAC: &str = "rbac.authorization.k8s.io";
    let role = |name: &str, of: &str| {
        json!({
            "kind": "ClusterRole",
            "metadata": {"name": name, "labels": {"loop": name, format!("{RBAC}/aggregate-to-edit"): "true"}},
            "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"loop": of}}]}, "rules": null,
        })
    };
    let bind = |name: &str, kind: &str, role: &str| {
        json!({
            "kind": "RoleBinding", "metadata": {"name": name, "namespace": "flux-system"},
            "roleRef": {"kind": kind, "name": role},
            "subjects": [{"kind": "User", "name": "jane"}, {"kind": "Robot", "name": "x"}],
        })
    };
    let mut unbound = bind("nobody", "ClusterRole", "everything");
    unbound["subjects"] = json!(null);
    let everything = json!({"kind": "ClusterRole", "metadata": {"name": "everything"},
        "rules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]});
    let objects = [
        json!({"kind": "Namespace", "metadata": {"name": "flux-system"}}),
        deployment("kustomize-controller", "1.9.4", &[]),
        role("a", "b"),
        role("b", "a"),
        role("self", "self"),
        everything,
        bind("a", "ClusterRole", "a"),
        bind("gone", "ClusterRole", "gone"),
        bind("local", "Role", "everything"),
        bind("odd", "Something", "everything"),
        unbound,
    ];
    let mut engine = engine(Tenancy::Shared);
    engine.ingest(objects.iter().map(upsert));
    judge_everything(engine.inventory());
    let judged = control(&posture(&engine), "FSX-RBAC-005");
    assert_eq!(judged.result, Pass, "{}", judged.message);
    // The one that leads somewhere is found among them.
    engine.ingest([upsert(&bind("real", "ClusterRole", "everything"))]);
    assert_eq!(control(&posture(&engine), "FSX-RBAC-005").result, Fail);
}

/// Row 30. The note names what was expected, and not the value: it may be long, and it may be a secret.
#[test]
fn what_cannot_be_read_is_named_and_not_quoted() {
    let secret = format!("hunter2, expected {}", "x".repeat(1024 * 1024));
    let mut engine = engine(Tenancy::Shared);
    engine.ingest([upsert(&object("Receiver", "tenant", "poison", &json!(secret)))]);
    let it = control(&posture(&engine), "FSX-NOT-001");
    assert_eq!((it.result, it.reason.as_str()), (Unknown, "Undecodable"));
    assert!(it.message.contains("Receiver tenant/poison"), "{}", it.message);
    assert!(
        it.message.contains("expected struct ReceiverSpec"),
        "{}",
        it.message
    );
    assert!(!it.message.contains("hunter2"), "{}", it.message);
}

fn object(kind: &str, namespace: &str, name: &str, spec: &Value) -> Value {
    json!({"kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec})
}

static FRAGILE: Control = Control {
    id: "T-FRAGILE",
    title: "a control of this test",
    chapter: "Tests",
    severity: Severities::always(Severity::High),
    rationale: "",
    audit: "",
    remediation: "",
    reference: "",
    reads: &[],
    parameters: &[],
    judges: Judges::Objects(&[&Each::<Receiver>(panics_on_one)]),
};
static STURDY: Control = Control {
    id: "T-STURDY",
    judges: Judges::Objects(&[&Each::<Receiver>(|_| Ok(Outcome::Pass))]),
    ..FRAGILE
};
static CATALOGUE: &[&Control] = &[&FRAGILE, &STURDY];

fn panics_on_one(subject: &ObjectSubject<'_, Receiver>) -> Result<Outcome, Missing> {
    match subject.row.spec.kind.as_str() {
        "poison" => panic!("a text of its author: {}", subject.row.spec.kind),
        "bad" => Ok(Outcome::fail(Defect::default())),
        _ => Ok(Outcome::Pass),
    }
}

/// Row 50. At the level of the engine: no control of the catalogue is known to panic, and the program has no switch to
/// make one.
#[test]
fn a_control_that_panics_is_unknown_for_that_object_and_no_other() {
    let receiver =
        |name: &str, kind: &str| upsert(&object("Receiver", "tenant", name, &json!({"type": kind})));
    let mut engine = Engine::new(CATALOGUE);
    engine.pin("test", policy(Tenancy::Shared));
    engine.ingest(KindId::all().map(|kind| Delta::Coverage(kind, Coverage::Synced)));
    engine.ingest([receiver("good", "github"), receiver("it", "poison")]);
    let fragile = control(&posture(&engine), "T-FRAGILE");
    assert_eq!((fragile.result, fragile.reason.as_str()), (Unknown, "Internal"));
    assert_eq!(fragile.message, "T-FRAGILE panicked on Receiver tenant/it");
    assert_eq!(control(&posture(&engine), "T-STURDY").result, Pass);

    // Others are judged after it, and their failures are not hidden by it.
    engine.ingest([receiver("worse", "bad")]);
    let fragile = control(&posture(&engine), "T-FRAGILE");
    assert_eq!((fragile.result, fragile.findings), (Fail, 1));
    engine.ingest([receiver("worse", "github")]);
    assert_eq!(control(&posture(&engine), "T-FRAGILE").result, Unknown);

    // Nothing of it is left once the object is another.
    engine.ingest([receiver("it", "github")]);
    assert_eq!(control(&posture(&engine), "T-FRAGILE").result, Pass);
    let before = posture(&engine);
    engine.evaluate_all();
    assert_eq!(posture(&engine), before);
}

/// Charts from plain HTTP, with the credential given to whoever serves them: two findings each.
fn careless(namespace: &str, name: &str) -> Value {
    object(
        "HelmRepository",
        namespace,
        name,
        &json!({"url": "http://charts.example.com", "passCredentials": true}),
    )
}

/// The sum of a family.
fn sum(metrics: &[Series], family: &str) -> f64 {
    metrics
        .iter()
        .filter(|series| series.name == family)
        .map(|series| series.value)
        .sum()
}

/// Row 32. Each variable is twice the one before: two to the power of 24 in the end.
#[test]
fn variables_that_multiply_are_not_followed() {
    let mut laughs = vec![json!({"name": "V0", "value": "ha"})];
    laughs.extend((1..=24).map(|number| {
        let before = number - 1;
        json!({"name": format!("V{number}"), "value": format!("$(V{before})$(V{before})")})
    }));
    let mut multiplied = deployment("helm-controller", "1.6.3", &["--default-service-account=$(V24)"]);
    multiplied["spec"]["template"]["spec"]["containers"][0]["env"] = json!(laughs);
    let mut engine = engine(Tenancy::Shared);
    engine.ingest([upsert(&multiplied)]);
    let it = control(&posture(&engine), "FSP-MT-007");
    assert_eq!(
        (it.result, it.reason.as_str()),
        (Unknown, "ArgumentNotReadable"),
        "{}",
        it.message
    );
}

/// Row 32. One object cannot fill reports, metrics and memory with what is wrong with it.
#[test]
fn endless_defects_of_one_object_are_summed_up() {
    let resources: Vec<Value> = (0..20_000)
        .map(|number| json!({"kind": "A", "name": "a", "namespace": format!("n{number}")}))
        .collect();
    let spec = json!({"type": "github", "resources": resources});
    let mut engine = engine(Tenancy::Shared);
    engine.ingest([upsert(&object("Receiver", "tenant", "endless", &spec))]);
    let it = control(&posture(&engine), "FSX-NOT-004");
    assert_eq!((it.result, it.findings), (Fail, 50));
    let findings = posture(&engine).findings;
    let of_the_rest = findings
        .iter()
        .filter(|it| it.finding.message.starts_with("one of 19951 more: "));
    assert_eq!(of_the_rest.count(), 1);
}

/// Row 34.
#[test]
fn findings_in_ten_thousand_namespaces_are_a_thousand_series() {
    const NAMESPACES: u32 = 10_000;
    const FAMILY: &str = "flux_security_namespace_findings";
    let mut engine = engine(Tenancy::Shared);
    engine.ingest((0..NAMESPACES).map(|number| upsert(&careless(&format!("tenant-{number}"), "charts"))));
    let metrics = scrape(&engine);
    let series = metrics.iter().filter(|series| series.name == FAMILY);
    assert!(
        series.clone().count() <= 1000,
        "{} series",
        series.clone().count()
    );
    let other = series.filter(|series| series.label("exported_namespace") == "_other");
    assert!(other.map(|series| series.value).sum::<f64>() > 10_000.0);
    assert_exactly(sum(&metrics, FAMILY), NAMESPACES * 2);
    assert_exactly(sum(&metrics, "flux_security_findings"), NAMESPACES * 2);
    let status = report::report(&posture(&engine), None, NOW);
    assert!(size(&status) <= OBJECT);
    assert_eq!(status.namespaces.len(), 100);
    is_exact(&status, NAMESPACES * 2);
}

fn assert_exactly(found: f64, expected: u32) {
    assert!(
        (found - f64::from(expected)).abs() < f64::EPSILON,
        "{found} instead of {expected}"
    );
}

fn size(value: &impl serde::Serialize) -> usize {
    serde_json::to_string(value).unwrap().len()
}

/// Whether what is shown and what is left out are all.
fn is_exact(status: &ReportStatus, findings: u32) {
    assert_eq!(u32::try_from(status.summary.findings).unwrap(), findings);
    let shown = u32::try_from(status.findings.len()).unwrap();
    assert_eq!(
        shown + u32::try_from(status.truncated_findings).unwrap(),
        findings
    );
}

/// Row 35. Whatever the order in which objects arrive, the same findings are shown: the worst.
#[test]
fn what_is_cut_off_does_not_depend_on_the_order_of_arrival() {
    const OBJECTS: u32 = 2_500;
    let objects: Vec<Value> = (0..OBJECTS)
        .map(|number| careless("tenant", &format!("charts-{number:04}")))
        .collect();
    let audited = |objects: &mut dyn Iterator<Item = &Value>| {
        let mut engine = engine(Tenancy::Shared);
        engine.ingest(objects.map(upsert));
        posture(&engine)
    };
    let forwards = audited(&mut objects.iter());
    let backwards = audited(&mut objects.iter().rev());
    let status = report::report(&forwards, None, NOW);
    assert_eq!(status, report::report(&backwards, None, NOW));
    is_exact(&status, OBJECTS * 2);
    let all = forwards.findings.iter().map(|it| &it.finding);
    assert!(
        status.findings.iter().eq(all.take(status.findings.len())),
        "the worst are shown"
    );

    let namespaces = report::namespace_reports(&forwards, &BTreeMap::new(), NOW);
    assert_eq!(
        namespaces,
        report::namespace_reports(&backwards, &BTreeMap::new(), NOW)
    );
    let it = &namespaces["tenant"];
    assert!(size(it) <= OBJECT);
    assert!(it.truncated_findings > 0, "{} bytes are not cut", size(it));
    let shown = u32::try_from(it.findings.len()).unwrap();
    assert_eq!(shown + u32::try_from(it.truncated_findings).unwrap(), OBJECTS * 2);
}

/// Row 54. Again and again: what was taken for them is used again, or given back.
#[test]
fn many_objects_deleted_at_once_are_one_change_and_leave_nothing() {
    const OBJECTS: u32 = 50_000;
    let repositories = kind("HelmRepository");
    let mut engine = engine(Tenancy::None);
    let empty = posture(&engine);
    let mut most = Vec::new();
    for _ in 0..2 {
        engine.ingest((0..OBJECTS).map(|number| upsert(&careless("tenant", &format!("charts-{number}")))));
        most.push(resident());
        assert!(engine.ingest([Delta::Resync(repositories, Vec::new())]));
        assert_eq!(posture(&engine), empty);
        assert!(!engine.ingest([Delta::Resync(repositories, Vec::new())]));
    }
    assert!(most[1] < most[0] * 5 / 4, "KiB at each climax: {most:?}");
}

/// Memory of this process, in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}
