//! The chart without a cluster: equal to the kustomization, open to every value, closed to bad ones.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::controlplane::helm::{chart, template};
use crate::objects::{Objects, copy_config, kustomize, kustomized, objects};

const NAMESPACE: &str = "flux-security-system";
const DEPLOYMENT: &str = "Deployment flux-security-system/flux-security-operator";

fn templated(arguments: &[&str]) -> Objects {
    objects(&template(NAMESPACE, arguments).unwrap())
}

/// What tells by whom an object was applied, and whether Helm removes it.
const MARKS: [(&str, &str); 3] = [
    ("labels", "app.kubernetes.io/managed-by"),
    ("labels", "helm.sh/chart"),
    ("annotations", "helm.sh/resource-policy"),
];

fn without_marks(object: &Value) -> Value {
    let mut object = object.clone();
    let metadata = object["metadata"].as_object_mut().unwrap();
    for (field, key) in MARKS {
        let Some(map) = metadata.get_mut(field).and_then(Value::as_object_mut) else {
            continue;
        };
        map.remove(key);
        if map.is_empty() {
            metadata.remove(field);
        }
    }
    with_whole_numbers(object)
}

/// Kustomize writes 1.0 as 1.
fn with_whole_numbers(value: Value) -> Value {
    match value {
        Value::Number(number) => number.as_f64().map_or(Value::Number(number), Value::from),
        Value::Array(items) => items.into_iter().map(with_whole_numbers).collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, field)| (name, with_whole_numbers(field)))
            .collect(),
        other => other,
    }
}

#[test]
fn the_chart_installs_what_the_kustomization_installs() {
    let mut kustomized = objects(&kustomized());
    // Helm's own way to make it is `--create-namespace`.
    let namespace = kustomized.remove("Namespace /flux-security-system");
    assert!(namespace.is_some());
    let templated = templated(&[]);
    let names = |objects: &Objects| objects.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&templated), names(&kustomized));
    for (name, object) in &kustomized {
        let (ours, helms) = (without_marks(object), without_marks(&templated[name]));
        assert_eq!(ours, helms, "{name}");
    }
}

/// What `config` has beside `config/default`, and the values that ask the chart for the same.
#[test]
fn the_chart_installs_what_the_other_folders_add() {
    let folder = tempfile::tempdir().unwrap();
    copy_config(folder.path());
    for (resources, components, values) in [
        (
            &["monitoring"][..],
            &[][..],
            &["podMonitor.enabled=true", "prometheusRule.enabled=true"][..],
        ),
        (&["monitoring/dashboards"], &[], &["dashboards.enabled=true"]),
        (&["artifact-scan"], &[], &["artifactScan.enabled=true"]),
        (&["flow-control"], &[], &["flowSchema.enabled=true"]),
        (&["open-reports"], &[], &["openReports.enabled=true"]),
        (&["custom-controls"], &[], &["customControls.enabled=true"]),
        (&[], &["notifications"], &["notifications.enabled=true"]),
        (&[], &["secure-metrics"], &["secureMetrics.enabled=true"]),
        (
            &["monitoring", "secure-metrics/monitor"],
            &["secure-metrics"],
            &[
                "prometheusRule.enabled=true",
                "serviceMonitor.enabled=true",
                "secureMetrics.enabled=true",
            ],
        ),
    ] {
        let set: Vec<String> = values.iter().map(|value| format!("--set={value}")).collect();
        let templated = templated(&set.iter().map(String::as_str).collect::<Vec<_>>());
        let kustomized = objects(&composed(folder.path(), resources, components));
        let without = |objects: &Objects, default: &Objects| -> Objects {
            let differs = |(name, object): &(&String, &Value)| default.get(*name) != Some(object);
            let rest = objects.iter().filter(differs);
            rest.map(|(name, object)| (name.clone(), as_deployed(object)))
                .collect()
        };
        let ours = without(&kustomized, &objects(&crate::objects::kustomized()));
        let helms = without(&templated, &self::templated(&[]));
        assert!(!ours.is_empty());
        assert_eq!(ours, helms, "{values:?}");
    }
}

/// `config/default` with more of `config`, composed as a user does.
fn composed(folder: &Path, resources: &[&str], components: &[&str]) -> String {
    let list = |names: &[&str]| -> Vec<String> { names.iter().map(|it| format!("config/{it}")).collect() };
    let kustomization = serde_json::json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": list(&[&["default"], resources].concat()),
        "components": list(components),
    });
    fs::write(folder.join("kustomization.yaml"), kustomization.to_string()).unwrap();
    kustomize(folder)
}

/// Without marks, without the label that Helm's objects have in any case, and with the interval that Helm names.
fn as_deployed(object: &Value) -> Value {
    let mut object = without_marks(object);
    let metadata = object["metadata"].as_object_mut().unwrap();
    if let Some(labels) = metadata.get_mut("labels").and_then(Value::as_object_mut) {
        labels.remove("app.kubernetes.io/name");
        if labels.is_empty() {
            metadata.remove("labels");
        }
    }
    for list in ["podMetricsEndpoints", "endpoints"] {
        for endpoint in object["spec"][list].as_array_mut().into_iter().flatten() {
            endpoint.as_object_mut().unwrap().remove("interval");
        }
    }
    object
}

#[test]
fn a_monitor_without_a_token_is_refused_where_one_is_needed() {
    let set = ["--set", "podMonitor.enabled=true,secureMetrics.enabled=true"];
    let error = template(NAMESPACE, &set).unwrap_err().to_string();
    assert!(error.contains("use serviceMonitor.enabled"), "{error}");
}

/// Flux and the operator may both live elsewhere.
#[test]
fn other_namespaces_are_named_where_the_way_to_flux_is_opened() {
    let set = [
        "--set=fluxNamespace=gitops,artifactScan.enabled=true,notifications.enabled=true",
        "--set=flowSchema.enabled=true,secureMetrics.enabled=true,serviceMonitor.enabled=true,crds.install=false",
        "--set=artifactScan.servers={source-controller-shard1}",
        "--set=notifications.kustomization=gitops/posture,secureMetrics.certificateSecret=served",
    ];
    let text = template("security", &set).unwrap();
    assert!(!text.contains(NAMESPACE), "{text}");
    assert!(!text.contains("flux-system"), "{text}");
    for word in [
        "http://notification-controller.gitops.svc.cluster.local./",
        "--events-kustomization=gitops/posture",
        "flux-security-operator.security.svc",
        "source-controller-shard1",
        "secretName: served",
    ] {
        assert!(text.contains(word), "{word}: {text}");
    }
    let objects = objects(&text);
    assert!(objects.contains_key("NetworkPolicy gitops/allow-artifact-scan"));
    assert!(objects.contains_key("NetworkPolicy gitops/allow-flux-security-events"));
    let schema = &objects["FlowSchema /flux-security-operator-lease"]["spec"]["rules"][0];
    assert_eq!(schema["subjects"][0]["serviceAccount"]["namespace"], "security");
    assert_eq!(schema["resourceRules"][0]["namespaces"][0], "security");
}

/// Helm never touches what is in a chart's folder `crds` again.
#[test]
fn crds_are_upgraded_and_kept() {
    assert!(!chart().join("crds").exists());
    let objects = templated(&[]);
    let mut crds = objects
        .iter()
        .filter(|(name, _)| name.starts_with("CustomResourceDefinition"));
    assert!(crds.clone().count() >= 3);
    assert!(crds.all(|(_, crd)| crd["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"));
    let without = templated(&["--set", "crds.install=false"]);
    assert!(
        without
            .keys()
            .all(|name| !name.starts_with("CustomResourceDefinition"))
    );
}

#[test]
fn another_namespace_is_named_throughout() {
    // A default of policies names the usual one.
    let text = template("security", &["--set", "crds.install=false"]).unwrap();
    assert!(!text.contains(NAMESPACE), "{text}");
    let objects = objects(&text);
    for binding in [
        "ClusterRoleBinding /flux-security-operator",
        "RoleBinding security/flux-security-operator",
    ] {
        assert_eq!(
            objects[binding]["subjects"][0]["namespace"], "security",
            "{binding}"
        );
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn every_value_reaches_the_manifests() {
    const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    let pod = |field: &str| format!("/spec/template/spec/{field}");
    let container = |field: &str| pod(&format!("containers/0/{field}"));
    let cases = [
        (vec!["replicas=1"], "/spec/replicas".to_owned(), "1"),
        (
            vec![
                "image.repository=registry.example.com:5000/security/fluxsec",
                "image.tag=v9",
            ],
            container("image"),
            "\"registry.example.com:5000/security/fluxsec:v9\"",
        ),
        (
            vec!["image.digest=sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"],
            container("image"),
            &format!(
                "\"ghcr.io/flux-security-operator/flux-security-operator:v{}@{DIGEST}\"",
                env!("CARGO_PKG_VERSION")
            ),
        ),
        (
            vec!["image.pullPolicy=Always"],
            container("imagePullPolicy"),
            "\"Always\"",
        ),
        (
            vec!["imagePullSecrets[0].name=registry"],
            pod("imagePullSecrets"),
            r#"[{"name":"registry"}]"#,
        ),
        (
            vec!["logLevel=debug"],
            container("env/1"),
            r#"{"name":"FLUXSEC_LOG","value":"debug"}"#,
        ),
        (
            vec!["env[0].name=A", "env[0].value=b"],
            container("env/1"),
            r#"{"name":"A","value":"b"}"#,
        ),
        (
            vec!["resources.requests.cpu=1"],
            container("resources/requests/cpu"),
            "1",
        ),
        (
            vec!["resources.limits.memory=1Gi"],
            container("resources/limits/memory"),
            "\"1Gi\"",
        ),
        (
            vec!["podAnnotations.a=b"],
            "/spec/template/metadata/annotations".to_owned(),
            r#"{"a":"b"}"#,
        ),
        (
            vec!["podLabels.a=b"],
            "/spec/template/metadata/labels".to_owned(),
            r#"{"a":"b","app.kubernetes.io/name":"flux-security-operator"}"#,
        ),
        (
            vec!["nodeSelector.pool=system"],
            pod("nodeSelector"),
            r#"{"pool":"system"}"#,
        ),
        (
            vec!["tolerations[0].operator=Exists"],
            pod("tolerations"),
            r#"[{"operator":"Exists"}]"#,
        ),
        (
            vec!["affinity.nodeAffinity.a=b"],
            pod("affinity"),
            r#"{"nodeAffinity":{"a":"b"}}"#,
        ),
        (
            vec!["topologySpreadConstraints=null"],
            pod("topologySpreadConstraints"),
            "null",
        ),
        (
            vec![
                "priorityClass.create=false",
                "priorityClass.name=system-cluster-critical",
            ],
            pod("priorityClassName"),
            "\"system-cluster-critical\"",
        ),
        (
            vec!["priorityClass.create=false"],
            pod("priorityClassName"),
            "null",
        ),
    ];
    for (values, pointer, expected) in cases {
        let set = values
            .iter()
            .flat_map(|value| ["--set", value])
            .collect::<Vec<_>>();
        let objects = templated(&set);
        let found = objects[DEPLOYMENT].pointer(&pointer).unwrap_or(&Value::Null);
        assert_eq!(found.to_string(), expected, "{values:?}");
    }
}

#[test]
fn what_is_optional_comes_and_goes() {
    let cases = [
        (
            "podDisruptionBudget.enabled=false",
            "PodDisruptionBudget flux-security-system/flux-security-operator",
            false,
        ),
        (
            "networkPolicy.enabled=false",
            "NetworkPolicy flux-security-system/flux-security-operator",
            false,
        ),
        (
            "priorityClass.create=false",
            "PriorityClass /flux-security-operator",
            false,
        ),
        ("priorityClass.name=mine", "PriorityClass /mine", true),
        (
            "tenantView.enabled=false",
            "ClusterRole /flux-security-namespace-report-viewer",
            false,
        ),
        (
            "podMonitor.enabled=true",
            "PodMonitor flux-security-system/flux-security-operator",
            true,
        ),
        (
            "serviceMonitor.enabled=true",
            "ServiceMonitor flux-security-system/flux-security-operator",
            true,
        ),
        ("policy.create=true", "FluxSecurityPolicy /default", true),
        (
            "prometheusRule.enabled=true",
            "PrometheusRule flux-security-system/flux-security-operator",
            true,
        ),
        (
            "dashboards.enabled=true",
            "ConfigMap flux-security-system/flux-security-dashboard-fleet",
            true,
        ),
        (
            "secureMetrics.enabled=true",
            "ClusterRole /flux-security-metrics-auth",
            true,
        ),
        (
            "flowSchema.enabled=true",
            "FlowSchema /flux-security-operator-lease",
            true,
        ),
        (
            "openReports.enabled=true",
            "ClusterRole /flux-security-operator-open-reports",
            true,
        ),
        (
            "customControls.enabled=true",
            "ClusterRole /flux-security-operator-custom-controls",
            true,
        ),
        (
            "artifactScan.enabled=true",
            "NetworkPolicy flux-system/allow-artifact-scan",
            true,
        ),
        (
            "notifications.enabled=true",
            "NetworkPolicy flux-system/allow-flux-security-events",
            true,
        ),
    ];
    let usually = templated(&[]);
    for (value, name, there) in cases {
        assert_eq!(usually.contains_key(name), !there, "{name}");
        assert_eq!(templated(&["--set", value]).contains_key(name), there, "{value}");
    }
}

#[test]
fn optional_objects_hold_their_values() {
    let objects = templated(&[
        "--set",
        "networkPolicy.apiServerPorts={8443},networkPolicy.from[0].namespaceSelector.matchLabels.name=monitoring",
        "--set",
        "podMonitor.enabled=true,podMonitor.interval=1m,podMonitor.labels.release=prometheus",
        "--set",
        "priorityClass.value=7,policy.create=true,policy.name=fleet,policy.spec.tenancy=Shared",
        "--set",
        "prometheusRule.enabled=true,prometheusRule.labels.release=prometheus",
        "--set",
        "dashboards.enabled=true,dashboards.labels.load=me,dashboards.annotations.grafana_folder=Flux",
    ]);
    let rule = &objects["PrometheusRule flux-security-system/flux-security-operator"];
    assert_eq!(rule["metadata"]["labels"]["release"], "prometheus");
    let dashboard = &objects["ConfigMap flux-security-system/flux-security-dashboard-cluster"];
    assert_eq!(dashboard["metadata"]["labels"]["load"], "me");
    assert_eq!(dashboard["metadata"]["labels"]["grafana_dashboard"], "1");
    assert_eq!(dashboard["metadata"]["annotations"]["grafana_folder"], "Flux");
    let policy = &objects["NetworkPolicy flux-security-system/flux-security-operator"]["spec"];
    assert_eq!(policy["egress"][0]["ports"][0]["port"], 8443);
    assert_eq!(
        policy["ingress"][0]["from"][0]["namespaceSelector"]["matchLabels"]["name"],
        "monitoring"
    );
    let monitor = &objects["PodMonitor flux-security-system/flux-security-operator"];
    assert_eq!(monitor["metadata"]["labels"]["release"], "prometheus");
    assert_eq!(monitor["spec"]["podMetricsEndpoints"][0]["interval"], "1m");
    assert_eq!(objects["PriorityClass /flux-security-operator"]["value"], 7);
    assert_eq!(objects["FluxSecurityPolicy /fleet"]["spec"]["tenancy"], "Shared");
}

#[test]
fn bad_values_are_refused_in_a_sentence() {
    for (value, sentence) in [
        ("replicas=many", "at '/replicas': got string, want integer"),
        ("replicas=-1", "at '/replicas': minimum: got -1, want 0"),
        ("replica=3", "additional properties 'replica' not allowed"),
        ("image=fluxsec", "at '/image': got string, want object"),
        (
            "image.pullPolicy=Sometimes",
            "at '/image/pullPolicy': value must be one of",
        ),
        ("image.repository=registry/image:tag", "at '/image/repository'"),
        ("image.digest=0123", "at '/image/digest'"),
        ("resources.limits.memory=much", "at '/resources/limits/memory'"),
        (
            "resources.limit.memory=64Mi",
            "additional properties 'limit' not allowed",
        ),
        (
            "networkPolicy.apiServerPorts={}",
            "at '/networkPolicy/apiServerPorts/0'",
        ),
        (
            "networkPolicy.apiServerPorts={70000}",
            "at '/networkPolicy/apiServerPorts/0'",
        ),
        ("tolerations.key=a", "at '/tolerations': got object, want array"),
        (
            "podLabels.app\\.kubernetes\\.io/name=other",
            "invalid propertyName 'app.kubernetes.io/name'",
        ),
        ("podMonitor.interval=often", "at '/podMonitor/interval'"),
        ("priorityClass.value=2000000000", "at '/priorityClass/value'"),
        ("policy.name=Default", "at '/policy/name'"),
        ("fluxNamespace=Flux", "at '/fluxNamespace'"),
        ("artifactScan.servers={}", "at '/artifactScan/servers/0'"),
        (
            "notifications.kustomization=flux-security-policy",
            "at '/notifications/kustomization'",
        ),
        (
            "secureMetrics.certificateSecret=",
            "at '/secureMetrics/certificateSecret'",
        ),
        (
            "secureMetrics=true",
            "at '/secureMetrics': got boolean, want object",
        ),
        ("policy.spec=Shared", "at '/policy/spec': got string, want object"),
    ] {
        let error = template(NAMESPACE, &["--set", value])
            .expect_err(value)
            .to_string();
        assert!(error.contains(sentence), "{value}: {error}");
    }
}

/// Each value that the schema knows has a default, each default is known, and each is described.
#[test]
fn the_schema_and_the_defaults_know_the_same_values() {
    let schema: Value =
        serde_json::from_str(&fs::read_to_string(chart().join("values.schema.json")).unwrap()).unwrap();
    let values: Value =
        serde_saphyr::from_str(&fs::read_to_string(chart().join("values.yaml")).unwrap()).unwrap();
    // A parent chart's, and what Kubernetes has a default for.
    let without_default = ["/global", "/resources/limits/cpu"];
    compare(&schema, &values, "", &without_default);
}

fn compare(schema: &Value, values: &Value, path: &str, without_default: &[&str]) {
    let Some(properties) = schema["properties"].as_object() else {
        return;
    };
    let defaults = values
        .as_object()
        .unwrap_or_else(|| panic!("{path} has no default"));
    let known: BTreeSet<&String> = properties.keys().collect();
    let strange: Vec<_> = defaults.keys().filter(|name| !known.contains(name)).collect();
    assert!(strange.is_empty(), "{path}: the schema does not know {strange:?}");
    for (name, property) in properties {
        let path = format!("{path}/{name}");
        assert!(property["description"].is_string(), "{path} is not described");
        let exempt = without_default.contains(&path.as_str()) || path.ends_with("/ephemeral-storage");
        match defaults.get(name) {
            Some(value) => compare(property, value, &path, without_default),
            None => assert!(exempt, "{path} has no default in values.yaml"),
        }
    }
}
